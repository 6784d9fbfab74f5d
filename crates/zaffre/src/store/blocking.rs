//! Work that blocks, on the runtime's threads for that.

use tokio::task::{JoinHandle, spawn_blocking};

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
