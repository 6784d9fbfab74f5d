//! Listeners inside a guest whose connections come out one by one, for whoever wants streams and not sockets.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

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
            // One that went before it was accepted is no trouble.
            if let Ok(connection) = connection {
                let _ = sender.send(connection).await;
            }
        }
    });
    accepted
}
