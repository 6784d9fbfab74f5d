//! A way to the server that the test holds in its hand: it can cut every connection, and stop passing bytes on.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// Between a store and the server. Threads and connections end with the server's.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    hand: Arc<Hand>,
}

#[derive(Default)]
struct Hand {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_stalled: bool,
    open: Vec<(TcpStream, UnixStream)>,
}

impl Proxy {
    pub(super) fn start(server: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("an address");
        let hand = Arc::new(Hand::default());
        let own = hand.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away: the client sees its connection end.
                let _ = UnixStream::connect(&server).and_then(|server| pass(&own, client, server));
            }
        });
        Proxy { address, hand }
    }

    /// Ends every connection.
    pub(super) fn cut(&self) {
        for (client, server) in self.hand.state.lock().expect("whole").open.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Passes nothing on any more, and ends nothing: how it looks from both sides when a machine is gone.
    pub(super) fn stall(&self) {
        self.hand.state.lock().expect("whole").is_stalled = true;
    }

    pub(super) fn resume(&self) {
        self.hand.state.lock().expect("whole").is_stalled = false;
        self.hand.changed.notify_all();
    }
}

fn pass(hand: &Arc<Hand>, client: TcpStream, server: UnixStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    hand.state.lock().expect("whole").open.push((client, server));
    let (there, back) = (hand.clone(), hand.clone());
    thread::spawn(move || {
        carry(&there, from_client, &to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        carry(&back, from_server, &to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn carry(hand: &Hand, mut from: impl io::Read, mut to: impl io::Write) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let state = hand.state.lock().expect("whole");
        drop(hand.changed.wait_while(state, |state| state.is_stalled).expect("whole"));
        if to.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}
