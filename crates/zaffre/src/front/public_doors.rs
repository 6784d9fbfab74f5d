//! What listens in a machine, at the machine's public address: a listener for each port that is open from outside and at which
//! somebody listens in there.
//!
//! At the port itself where this process may have it; else 8000 above (80 is at 8080, 443 at 8443), else any. `--port public=0|off` says
//! otherwise. What a connection becomes is for whoever opens the door to say: it is let in and carried to the machine, or ended at
//! once, by a reset, as a port at which nobody listens would.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
};

use super::{
    connection::{Front, Slot},
    listen::{self, Ports},
    ssh_doors::bind,
};
use crate::products::compute::reconcile::{Cut, LetIn};

/// What one door may have open at once, so that none of them takes every place.
const CONNECTIONS: usize = 1024;
/// How far from a port that cannot be had its door is.
const ABOVE: u16 = 8000;

/// An open door. Dropped, it takes nobody any more; what came through it ends when `cut` does.
pub struct PublicDoor {
    _open: watch::Sender<()>,
}

/// Opens a door. Gives where it is.
pub fn open(
    front: &Front,
    (address, port): (Ipv4Addr, u16),
    ports: Ports,
    cut: &Cut,
    let_in: LetIn,
) -> io::Result<(SocketAddr, PublicDoor)> {
    let socket = bind(address, &tried(port, ports))?;
    let at = socket.local_addr()?;
    let (open, stopped) = watch::channel(());
    let (places, cut) = (Arc::new(Semaphore::new(CONNECTIONS)), cut.subscribe());
    let serve = move |front: Front, slot: Slot, stream: TcpStream, _: SocketAddr| {
        let (places, cut, let_in) = (Arc::clone(&places), cut.clone(), Arc::clone(&let_in));
        async move {
            let Ok(_place) = places.try_acquire() else { return };
            tokio::select! {
                () = carry(slot, stream, &let_in) => {}
                () = dropped(cut) => {}
                () = front.closing() => {}
            }
        }
    };
    let front = front.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = listen::accept(front, socket, serve) => {}
            () = dropped(stopped) => {}
        }
    });
    Ok((at, PublicDoor { _open: open }))
}

/// The ports that a door tries, in this order.
fn tried(port: u16, ports: Ports) -> Vec<u16> {
    match ports {
        Ports::Same => [Some(port), port.checked_add(ABOVE), Some(0)].into_iter().flatten().collect(),
        Ports::Any => vec![0],
        Ports::Off => Vec::new(),
    }
}

/// Nothing is ever sent: it resolves when the other end is dropped.
async fn dropped(mut other: watch::Receiver<()>) {
    while other.changed().await.is_ok() {}
}

/// Carries bytes both ways until both sides have ended. Dropped before, it resets the connection.
async fn carry(_slot: Slot, mut stream: TcpStream, let_in: &LetIn) {
    let _ = stream.set_nodelay(true);
    // Until it has gone well, an end is one that the client is to notice.
    let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    let Some(mut inside) = let_in().await else { return };
    let _ = inside.set_nodelay(true);
    if tokio::io::copy_bidirectional(&mut stream, &mut inside).await.is_ok() {
        let _ = rustix::net::sockopt::set_socket_linger(&stream, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_at_its_port_or_a_known_way_above() {
        assert_eq!(tried(80, Ports::Same), [80, 8080, 0]);
        assert_eq!(tried(60_000, Ports::Same), [60_000, 0]);
        assert_eq!((tried(80, Ports::Any), tried(80, Ports::Off)), (vec![0], vec![]));
    }
}
