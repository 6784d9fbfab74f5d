//! Work that blocks, on the runtime's threads for that.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{JoinHandle, block_in_place, spawn_blocking},
};

use super::StoreError;

pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    joined(&mut spawn_blocking(work)).await?
}

/// A blocking task gives nothing when it panicked, or when the runtime ended before it began.
pub(super) async fn joined<T>(task: &mut JoinHandle<T>) -> Result<T, StoreError> {
    task.await.map_err(|error| StoreError::Io { what: "a blocking task".to_owned(), cause: error.into() })
}

/// Runs what blocks and borrows: the runtime gives this thread's other work to another one first. Outside a runtime, and
/// on one that has a single thread, it just runs.
pub(super) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    let has_others = Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
    if has_others { block_in_place(work) } else { work() }
}
