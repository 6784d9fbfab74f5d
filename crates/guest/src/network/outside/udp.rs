//! Datagrams to outside: a socket for each flow, which hears nobody but whom the guest spoke to.
//!
//! A flow lives as long as somebody speaks, and a while longer. What cannot be sent at once is lost, as datagrams are.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::super::Port;
use super::packet::{self, Why};
use super::{Ends, Registered, Told, Way, told};

pub(super) type Sender = mpsc::Sender<Vec<u8>>;

/// Azure's own figure for flows without a beginning and an end (four minutes of idleness).
const IDLE: Duration = Duration::from_secs(240);
/// Datagrams that wait for a socket to take them.
const WAITING: usize = 64;
const LONGEST: usize = 65_536;

/// Sends what a guest's frame says, by the flow that it belongs to or by a new one.
pub(super) fn take(port: &Arc<Port>, ends: Ends, frame: &[u8], is_let: impl FnOnce() -> bool) {
    let (Some(way), Some(payloads)) = (&port.way, packet::payloads(frame)) else { return };
    let known = way.flows.get(&ends);
    if known.is_none() && !is_let() {
        return;
    }
    let Some(sender) = known.or_else(|| begin(port, way, ends, frame)) else { return };
    for payload in payloads {
        let _ = sender.try_send(payload.to_vec());
    }
}

fn begin(port: &Arc<Port>, way: &Way, ends: Ends, frame: &[u8]) -> Option<Sender> {
    let (sender, waiting) = mpsc::channel(WAITING);
    if !way.flows.insert(ends, sender.clone()) {
        return None;
    }
    let registered = Registered { port: Arc::clone(port), ends, table: |way: &Way| &way.flows };
    let flow = Flow { port: Arc::clone(port), ends, first: frame.to_vec() };
    let opening = way.outside.bind(ends.1);
    way.spawn(async move {
        let _registered = registered;
        match opening.await {
            Ok(socket) => flow.carry(&socket, waiting).await,
            Err(error) => flow.tell(&error),
        }
    });
    Some(sender)
}

struct Flow {
    port: Arc<Port>,
    ends: Ends,
    /// What it began with: bad news repeats it.
    first: Vec<u8>,
}

impl Flow {
    async fn carry(&self, socket: &UdpSocket, mut waiting: mpsc::Receiver<Vec<u8>>) {
        let mut buffer = vec![0; LONGEST];
        let mut number = 0u16;
        loop {
            let next = async {
                tokio::select! {
                    Some(payload) = waiting.recv() => socket.send(&payload).await.map(|_| None),
                    heard = socket.recv(&mut buffer) => heard.map(Some),
                }
            };
            match tokio::time::timeout(IDLE, next).await {
                Ok(Ok(Some(length))) => {
                    number = number.wrapping_add(1);
                    self.answer(&buffer[..length], number);
                }
                Ok(Ok(None)) => {}
                // What somebody says about one datagram is no end of the others.
                Ok(Err(error)) => self.tell(&error),
                Err(_) => return,
            }
        }
    }

    fn answer(&self, payload: &[u8], number: u16) {
        let (guest, outside): (SocketAddrV4, SocketAddrV4) = self.ends;
        for mut frame in packet::datagram((outside, guest), payload, number).into_iter().flatten() {
            packet::head(&mut frame, self.port.mac);
            self.port.send(&frame);
        }
    }

    fn tell(&self, error: &std::io::Error) {
        let why = match told(error) {
            Told::Refused => Why::NobodyThere,
            Told::Unreachable => Why::NoWay,
            Told::Nothing => return,
        };
        if let Some(mut frame) = packet::undelivered(&self.first, why) {
            packet::head(&mut frame, self.port.mac);
            self.port.send(&frame);
        }
    }
}
