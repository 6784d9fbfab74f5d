//! Clearing what a deleted container leaves: its rows page by page, and the files they named.
//!
//! It runs behind the answer to the deletion, and again at the start of the program for what was not finished.
//! Files go after the transaction that took their rows away, so that no record ever names a file that is gone. What
//! a crash left of uploads and removals is swept at the start, before anything is served.

use std::{collections::HashSet, sync::Arc};

use azure::ids::Guid;

use super::records::{BLOBS, BLOCK_LISTS, BODIES, Forgotten, PURGES, Place, UNCOMMITTED};
use crate::{
    env::Env,
    store::{CloudId, ContentId, Span, StoreError, Txn},
};

/// Rows that one transaction takes away.
const PAGE: usize = 256;

/// What a start owes to the end before it: files that no record of these clouds names are removed, and deleted
/// containers cleared. To be called before the first request.
pub(crate) async fn recover(env: &Arc<Env>, clouds: &[CloudId]) -> Result<(), StoreError> {
    let mut named = HashSet::new();
    for cloud in clouds {
        env.store.read(*cloud, |txn| collect_named(txn, &mut named)).await?;
    }
    env.content.sweep(move |id| named.contains(&id)).await?;
    clouds.iter().for_each(|cloud| begin(env, *cloud));
    Ok(())
}

/// Every file that a record names: blobs put whole, committed blocks, waiting blocks.
fn collect_named(txn: &Txn, named: &mut HashSet<ContentId>) -> Result<(), StoreError> {
    let mut see = |place: Place| {
        if let Place::File(id) = place {
            named.insert(id);
        }
    };
    for row in BLOBS.rows(txn, Span::under(&())) {
        see(row?.1.body);
    }
    for row in BLOCK_LISTS.rows(txn, Span::under(&())) {
        row?.1.iter().for_each(|block| see(block.body));
    }
    for row in UNCOMMITTED.rows(txn, Span::under(&())) {
        see(row?.1.body);
    }
    Ok(())
}

/// Clears, beside whatever else goes on, every container of the cloud that is marked.
pub(crate) fn begin(env: &Arc<Env>, cloud: CloudId) {
    let env = Arc::clone(env);
    tokio::spawn(async move {
        if let Err(error) = all(&env, cloud).await {
            // The marks stay, and the next start goes on.
            eprintln!("clearing deleted containers: {error}");
        }
    });
}

/// Clears every container of the cloud that is marked.
pub(crate) async fn all(env: &Env, cloud: CloudId) -> Result<(), StoreError> {
    let marked = env.store.read(cloud, |txn| PURGES.scan(txn, &(), None, usize::MAX)).await?;
    for (container, ()) in marked {
        while !page(env, cloud, container).await? {}
    }
    Ok(())
}

/// Clears one page; says whether nothing is left.
async fn page(env: &Env, cloud: CloudId, container: Guid) -> Result<bool, StoreError> {
    let (files, is_done) = env.store.write(cloud, |txn| clear(txn, container)).await?;
    remove(env, files).await;
    Ok(is_done)
}

/// Removes files that no record names any more. What cannot be removed now, the sweep at the next start finds.
pub(super) async fn remove(env: &Env, files: Vec<ContentId>) {
    for id in files {
        let _ = env.content.remove(id).await;
    }
}

/// Does the same beside the answer.
pub(super) fn remove_behind(env: &Arc<Env>, files: Vec<ContentId>) {
    if !files.is_empty() {
        let env = Arc::clone(env);
        tokio::spawn(async move { remove(&env, files).await });
    }
}

fn clear(txn: &mut Txn, container: Guid) -> Result<(Vec<ContentId>, bool), StoreError> {
    let mut forgotten = Forgotten::default();
    let blobs = BLOBS.scan(txn, &(container,), None, PAGE)?;
    for (key, blob) in &blobs {
        forgotten.forget(txn, container, blob.body)?;
        BLOBS.delete(txn, key)?;
    }
    let blocks = UNCOMMITTED.scan(txn, &(container,), None, PAGE - blobs.len())?;
    for (key, block) in &blocks {
        forgotten.forget(txn, container, block.body)?;
        UNCOMMITTED.delete(txn, key)?;
    }
    let is_done = blobs.len() + blocks.len() < PAGE;
    if is_done {
        debug_assert!(BODIES.scan(txn, &(container,), None, 1)?.is_empty(), "every body was some record's");
        PURGES.delete(txn, &container)?;
    }
    Ok((forgotten.files, is_done))
}
