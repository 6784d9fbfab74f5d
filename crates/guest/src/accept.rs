//! Listeners inside a guest whose connections come out one by one, for whoever wants streams and not sockets.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;

use crate::Guest;
use crate::refused::{GuestError, Named};
use crate::spec::User;

impl Guest {
    /// Listens in the guest's network, and gives where: port 0 is any that is free. The listener closes when the receiver is dropped;
    /// so many connections wait in it.
    pub async fn accept(
        &self,
        address: SocketAddr,
        waiting: usize,
    ) -> Result<(SocketAddr, mpsc::Receiver<(TcpStream, SocketAddr)>), GuestError> {
        let listener = TcpListener::from_std(self.listen(address).await?).at("watch the listener")?;
        let at = listener.local_addr().at("read the listener's address")?;
        Ok((at, accepted(waiting, move |context| listener.poll_accept(context))))
    }

    /// Listens at a path in the guest, in a directory of that user's alone which is made for it. The listener closes when the receiver
    /// is dropped, and leaves both for the guest to remove.
    pub async fn accept_at(
        &self,
        path: &Path,
        user: User,
        waiting: usize,
    ) -> Result<mpsc::Receiver<UnixStream>, GuestError> {
        let listener = self.listen_at(path, user).await?;
        Ok(accepted(waiting, move |context| listener.poll_accept(context).map_ok(|(stream, _)| stream)))
    }
}

/// What a listener accepts, until nobody wants more of it.
fn accepted<T: Send + 'static>(
    waiting: usize,
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>> + Send + 'static,
) -> mpsc::Receiver<T> {
    let (sender, accepted) = mpsc::channel(waiting);
    tokio::spawn(async move {
        loop {
            let connection = tokio::select! {
                connection = poll_fn(&mut accept) => connection,
                () = sender.closed() => return,
            };
            match connection {
                Ok(connection) => drop(sender.send(connection).await),
                // One that went before it was accepted is no trouble.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // What waits is still there, and would be refused again at once: there are too many open files, say.
                Err(_) => rest().await,
            }
        }
    });
    accepted
}

#[expect(clippy::disallowed_methods, reason = "accepting again at once would fail at once, without end")]
async fn rest() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives these outcomes in turn, the last one from then on, and counts how often it was asked.
    fn accept(outcomes: &'static [Result<u8, i32>]) -> (mpsc::Receiver<u8>, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let accepted = accepted(1, move |_| {
            let at = count.fetch_add(1, Ordering::Relaxed) as usize;
            assert!(at < 1000, "it goes round and round");
            Poll::Ready(outcomes[at.min(outcomes.len() - 1)].map_err(io::Error::from_raw_os_error))
        });
        (accepted, asked)
    }

    #[tokio::test]
    async fn who_may_open_no_more_files_rests_before_trying_again() {
        let (mut accepted, asked) = accept(&[Err(libc::EMFILE), Ok(7)]);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(accepted.recv().await, Some(7));
    }

    #[tokio::test]
    async fn a_connection_that_went_is_no_reason_to_rest() {
        let (mut accepted, _) = accept(&[Err(libc::ECONNABORTED), Ok(7)]);
        tokio::task::yield_now().await;
        assert_eq!(accepted.try_recv(), Ok(7));
    }
}
