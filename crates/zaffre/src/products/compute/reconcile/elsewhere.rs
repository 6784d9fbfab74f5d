//! What other processes of the same cloud write about machines: heard from the store, since nobody here wakes anybody for it.
//!
//! Whoever runs the guests looks again at what there should be; whoever does not tells those who wait for a machine.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::super::machine;
use crate::Server;

/// Listens for as long as this is kept.
pub(super) async fn listen(server: &Arc<Server>) -> JoinSet<()> {
    let mut listening = JoinSet::new();
    if !server.env.store.is_shared() {
        return listening;
    }
    for cloud in server.clouds() {
        // A store that is closed has nothing more to tell.
        let Ok(mut changes) = machine::watch(&server.env.store, cloud.id).await else { continue };
        let follower = server.env.follower.clone();
        listening.spawn(async move {
            while changes.next().await.is_ok() {
                follower.wake();
                follower.report();
            }
        });
    }
    listening
}
