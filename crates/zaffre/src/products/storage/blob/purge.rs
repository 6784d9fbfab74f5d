//! Clearing what a deleted container leaves: its rows page by page, and the files they named.
//!
//! It runs behind the answer to the deletion, and again where the upkeep finds what was not finished (`upkeep`).
//! Files go after the transaction that took their rows away, so that no record ever names a file that is gone.

use std::sync::Arc;

use azure::ids::Guid;

use super::records::{BLOBS, BODIES, Bodies, PURGES, UNCOMMITTED, count_files};
use crate::{
    env::Env,
    store::{CloudId, Content, ContentId, StoreError, Txn},
};

/// Rows that one transaction takes away.
const PAGE: usize = 256;

/// Sees to it that the files of these clouds are counted. To be called before anything sweeps them.
pub(crate) async fn count(env: &Env, clouds: &[CloudId]) -> Result<(), StoreError> {
    for cloud in clouds {
        env.store.write(*cloud, count_files).await?;
    }
    Ok(())
}

/// Clears, beside whatever else goes on, every container of the cloud that is marked.
pub(crate) fn begin(env: &Arc<Env>, cloud: CloudId) {
    let env = Arc::clone(env);
    tokio::spawn(async move {
        if let Err(error) = all(&env, cloud).await {
            // The marks stay, and the upkeep goes on.
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
    let (files, is_done) = env.store.write(cloud, |txn| clear(txn, &env.content, container)).await?;
    remove(env, files).await;
    Ok(is_done)
}

/// Removes files that no record names any more. What cannot be removed now, a sweep finds.
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

fn clear(txn: &mut Txn, content: &Content, container: Guid) -> Result<(Vec<ContentId>, bool), StoreError> {
    let mut bodies = Bodies::default();
    let blobs = BLOBS.scan(txn, &(container,), None, PAGE)?;
    for (key, blob) in &blobs {
        bodies.forget(txn, container, blob.body)?;
        BLOBS.delete(txn, key)?;
    }
    let blocks = UNCOMMITTED.scan(txn, &(container,), None, PAGE - blobs.len())?;
    for (key, block) in &blocks {
        bodies.forget(txn, container, block.body)?;
        UNCOMMITTED.delete(txn, key)?;
    }
    let is_done = blobs.len() + blocks.len() < PAGE;
    if is_done {
        debug_assert!(BODIES.scan(txn, &(container,), None, 1)?.is_empty(), "every body was some record's");
        PURGES.delete(txn, &container)?;
    }
    Ok((bodies.settle(txn, content)?, is_done))
}
