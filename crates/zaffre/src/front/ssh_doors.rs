//! Where machines are signed in to: a listener for each, on its public address, which is a loopback address of its own.
//!
//! Port 22 where this process may have it, as root or by `net.ipv4.ip_unprivileged_port_start`; else 2222, else any: `zaffre vm list` tells
//! which. `--port ssh=N|0|off` says otherwise. What speaks the protocol is the machine's own server (`ssh`); here its connections are
//! accepted, counted among the front's, and cut when the machine or the front goes.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener},
    sync::Arc,
};

use ssh::{Ends, Server};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use super::{
    connection::{Front, Slot},
    listen,
};

/// What one machine may have open at once, so that none of them takes every place.
const CONNECTIONS: usize = 128;

/// An open door. Dropped, it closes, and what came through it is cut.
pub struct SshDoor {
    _open: watch::Sender<()>,
}

/// Listens at the first of these ports that can be had. Gives where that is.
pub fn open(
    front: &Front,
    address: Ipv4Addr,
    ports: &[u16],
    server: Server,
) -> io::Result<(SocketAddr, SshDoor)> {
    let socket = bind(address, ports)?;
    let at = socket.local_addr()?;
    let (open, stopped) = watch::channel(());
    let door = Door { server: Arc::new(server), stopped, places: Arc::new(Semaphore::new(CONNECTIONS)) };
    let within = door.clone();
    let serve = move |front: Front, slot: Slot, stream: TcpStream, client: SocketAddr| {
        let door = within.clone();
        let ends = Ends { client, server: at };
        async move {
            tokio::select! {
                () = door.until_stopped(door.one(slot, stream, ends)) => {}
                () = front.closing() => {}
            }
        }
    };
    let front = front.clone();
    tokio::spawn(async move { door.until_stopped(listen::accept(front, socket, serve)).await });
    Ok((at, SshDoor { _open: open }))
}

/// A listener at the first of these ports that can be had.
pub(super) fn bind(address: Ipv4Addr, ports: &[u16]) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::Unsupported, "`--port` said that there is to be none");
    for port in ports {
        match StdListener::bind((address, *port)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                return TcpListener::from_std(socket);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[derive(Clone)]
struct Door {
    server: Arc<Server>,
    stopped: watch::Receiver<()>,
    places: Arc<Semaphore>,
}

impl Door {
    async fn one(&self, _slot: Slot, stream: TcpStream, ends: Ends) {
        let Ok(_place) = self.places.try_acquire() else { return };
        let _ = stream.set_nodelay(true);
        self.server.serve(stream, ends).await;
    }

    async fn until_stopped(&self, work: impl Future<Output = ()>) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = work => {}
            _ = stopped.changed() => {}
        }
    }
}
