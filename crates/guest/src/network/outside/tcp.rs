//! Connections to outside: each has a TCP of its own in this process, which speaks to the guest in the other host's name, and an ordinary
//! socket to that host.
//!
//! ```text
//! SYN ─▶ Outside::connect ─┬─ refused ─▶ RST
//!                          └─ open ─▶ the SYN is taken; from then on
//!
//! guest ─▶ received, 256 KiB ─▶ heard? ─▶ socket          socket ─▶ to be sent, 512 KiB ─▶ guest
//!          its window is what is free                               read as far as there is room
//! ```
//!
//! So each side waits for the other where it is slow, a side that has said all it had to say hears the other to its end, and one that breaks off
//! breaks the other off. Retransmission, windows and the states of a connection are `smoltcp`'s, one interface with one socket for each
//! connection: none is ever looked for among others.
//!
//! A guest's packets are taken in where they are read from the wire; what moves bytes between the two is a task for each connection. The bytes
//! that a guest begins with are held back until [`Outside::hear`] has made up its mind.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{
    Checksum, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, SegmentationCapabilities, TxToken,
};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::Port;
use super::super::frame::Begins;
use super::packet::{self, HEAD, MTU, Why};
use super::{Ends, Heard, Outside, Registered, Told, Way, lock, told};

/// How long somebody outside may take to answer: as long as a guest's own kernel repeats its question in earnest.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// A connection on which nobody has said anything for this long is over.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// What is taken from a guest before the socket has taken it. More is more than the guest's wire holds at once (`net.core.rmem_default`).
const RECEIVED: usize = 256 << 10;
const TO_SEND: usize = 512 << 10;
/// Moved in one direction before others have their turn.
const TURN: usize = 1 << 20;
/// The longest packet that a guest's kernel takes as many segments in one.
const SEGMENTS: usize = 65_535;

/// A connection, or one that is being opened.
#[derive(Clone)]
pub(super) enum Entry {
    Opening,
    Open(Arc<Connection>),
}

pub(super) struct Connection {
    stack: Mutex<Stack>,
    /// The guest has sent something.
    came: Notify,
}

/// Takes a guest's packet: to its connection, or as the beginning of one.
pub(super) fn take(
    port: &Arc<Port>,
    ends: Ends,
    begins: Begins,
    frame: &[u8],
    is_let: impl FnOnce() -> bool,
) {
    let Some(way) = &port.way else { return };
    match way.connections.get(&ends) {
        Some(Entry::Open(connection)) => {
            lock(&connection.stack).take(port, &frame[HEAD..]);
            connection.came.notify_one();
        }
        // It repeats itself.
        Some(Entry::Opening) => {}
        None if !is_let() => {}
        None if begins == Begins::Yes => begin(port, way, ends, frame),
        // Of a connection that is no more.
        None => refuse(port, ends, frame),
    }
}

fn begin(port: &Arc<Port>, way: &Way, ends: Ends, frame: &[u8]) {
    if !way.connections.insert(ends, Entry::Opening) {
        return refuse(port, ends, frame);
    }
    let registered = Registered { port: Arc::clone(port), ends, table: |way: &Way| &way.connections };
    let (port, syn, outside) = (Arc::clone(port), frame.to_vec(), Arc::clone(&way.outside));
    way.spawn(async move {
        let registered = registered;
        let opened = tokio::time::timeout(CONNECT_TIME, outside.connect(ends.1)).await;
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => carry(&port, ends, &syn, &stream, &*outside).await,
            Err(error) => {
                // Gone from the table before the guest hears of it, and asks again.
                drop(registered);
                tell(&port, ends, &syn, &error);
            }
        }
    });
}

fn tell(port: &Port, ends: Ends, syn: &[u8], error: &io::Error) {
    match told(error) {
        Told::Refused => refuse(port, ends, syn),
        Told::Unreachable => {
            if let Some(mut frame) = packet::undelivered(syn, Why::NoWay) {
                packet::head(&mut frame, port.mac);
                port.send(&frame);
            }
        }
        Told::Nothing => {}
    }
}

/// Answers with an RST, as whoever has no such connection does.
fn refuse(port: &Port, ends: Ends, frame: &[u8]) {
    Stack::without_socket(port, ends).take(port, &frame[HEAD..]);
}

/// Takes the SYN, and moves bytes until the connection is over.
async fn carry(port: &Arc<Port>, ends: Ends, syn: &[u8], stream: &TcpStream, outside: &dyn Outside) {
    let Some(way) = &port.way else { return };
    let _ = stream.set_nodelay(true);
    let connection = Arc::new(Connection { stack: Mutex::new(Stack::new(port, ends)), came: Notify::new() });
    way.connections.insert(ends, Entry::Open(Arc::clone(&connection)));
    lock(&connection.stack).take(port, &syn[HEAD..]);
    let mut ear = Ear { outside, ends, is_fine: false };
    loop {
        let next = lock(&connection.stack).turn(port, stream, &mut ear);
        let Next::Wait { reads, writes, time } = next else { break };
        let something = async {
            tokio::select! {
                () = connection.came.notified() => {}
                _ = stream.readable(), if reads => {}
                _ = stream.writable(), if writes => {}
            }
        };
        // Whoever is late is looked at in `turn`.
        let _ = tokio::time::timeout(time, something).await;
    }
    if lock(&connection.stack).is_broken {
        let _ = stream.set_zero_linger();
    }
}

/// Listens to what a guest says first.
struct Ear<'a> {
    outside: &'a dyn Outside,
    ends: Ends,
    is_fine: bool,
}

impl Ear<'_> {
    fn hear(&mut self, first: &[u8], is_all: bool) -> Heard {
        let heard = match self.is_fine || first.is_empty() {
            true => Heard::Fine,
            false => self.outside.hear(self.ends.1, first),
        };
        self.is_fine |= heard == Heard::Fine && !first.is_empty();
        match heard {
            // Nothing more will come that could make it clear.
            Heard::Unclear if is_all => Heard::Forbidden,
            heard => heard,
        }
    }
}

enum Next {
    Wait { reads: bool, writes: bool, time: Duration },
    Over,
}

/// TCP as the guest sees it.
struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: Option<SocketHandle>,
    /// A packet on its way to the guest.
    scratch: Vec<u8>,
    begun: Instant,
    moved: Instant,
    /// The other host has said all it had to say.
    is_heard_out: bool,
    /// The other host was told that the guest has.
    is_told_end: bool,
    /// The guest's last word was taken in.
    is_ended: bool,
    is_broken: bool,
}

impl Stack {
    fn without_socket(port: &Port, (_, outside): Ends) -> Stack {
        let begun = Instant::now();
        let mut scratch = Vec::new();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = RandomState::new().hash_one(outside);
        let mut line = Line { port, packet: None, scratch: &mut scratch };
        let mut interface = Interface::new(config, &mut line, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // All others are its neighbours: there is but one, on a line of its own.
            let _ = addresses.push(IpCidr::new((*outside.ip()).into(), 0));
        });
        Stack {
            interface,
            sockets: SocketSet::new(Vec::new()),
            socket: None,
            scratch,
            begun,
            moved: begun,
            is_heard_out: false,
            is_told_end: false,
            is_ended: false,
            is_broken: false,
        }
    }

    fn new(port: &Port, ends: Ends) -> Stack {
        let buffer = |size| SocketBuffer::new(vec![0; size]);
        let mut socket = Socket::new(buffer(RECEIVED), buffer(TO_SEND));
        // What is small is sent at once, as the other host sent it; the socket there has its own opinion.
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        let at = IpEndpoint::new((*ends.1.ip()).into(), ends.1.port());
        let mut stack = Stack::without_socket(port, ends);
        if socket.listen(at).is_ok() {
            stack.socket = Some(stack.sockets.add(socket));
        }
        stack
    }

    fn now(&self) -> smoltcp::time::Instant {
        let micros = Instant::now().duration_since(self.begun).as_micros();
        smoltcp::time::Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Takes a packet of the guest's, and answers what is to be answered.
    fn take(&mut self, port: &Port, packet: &[u8]) {
        self.poll(port, Some(packet));
        self.moved = Instant::now();
    }

    fn poll(&mut self, port: &Port, packet: Option<&[u8]>) {
        let now = self.now();
        let mut line = Line { port, packet, scratch: &mut self.scratch };
        self.interface.poll(now, &mut line, &mut self.sockets);
        let Some(socket) = self.socket.map(|it| self.sockets.get::<Socket<'_>>(it)) else { return };
        self.is_ended |=
            matches!(socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
    }

    /// Moves what can be moved now.
    fn turn(&mut self, port: &Port, stream: &TcpStream, ear: &mut Ear<'_>) -> Next {
        self.poll(port, None);
        let Some(handle) = self.socket else { return Next::Over };
        let (is_ended, mut is_moved) = (self.is_ended, false);
        let socket = self.sockets.get_mut::<Socket<'_>>(handle);

        let out = to_host(socket, stream, ear, is_ended);
        is_moved |= out.bytes > 0;
        if is_ended && socket.recv_queue() == 0 && !self.is_told_end && !out.is_broken {
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Write);
            self.is_told_end = true;
        }
        let back = if self.is_heard_out { Moved::default() } else { to_guest(socket, stream) };
        is_moved |= back.bytes > 0;
        if back.is_end {
            self.is_heard_out = true;
            socket.close();
        }
        if is_moved {
            self.moved = Instant::now();
        }
        let idle = Instant::now().duration_since(self.moved);
        if out.is_broken || back.is_broken || idle > IDLE {
            socket.abort();
            self.is_broken = true;
        }
        self.poll(port, None);
        self.next(handle, (out, back), idle)
    }

    fn next(&mut self, handle: SocketHandle, (out, back): (Moved, Moved), idle: Duration) -> Next {
        let now = self.now();
        let socket = self.sockets.get::<Socket<'_>>(handle);
        let is_done = socket.recv_queue() == 0 && self.is_told_end && self.is_heard_out;
        match socket.state() {
            _ if self.is_broken => return Next::Over,
            // The guest gave it up: before it was open, after, or in good order.
            State::Listen => self.is_broken = true,
            State::Closed | State::TimeWait if is_done => return Next::Over,
            State::Closed if !(self.is_ended && self.is_heard_out) => self.is_broken = true,
            _ => {}
        }
        if self.is_broken {
            return Next::Over;
        }
        let (reads, writes) = (!self.is_heard_out && socket.can_send(), out.is_blocked);
        let again = out.is_more || back.is_more;
        let delay = self.interface.poll_delay(now, &self.sockets).map(Duration::from);
        let time = delay.unwrap_or(IDLE).min(IDLE.saturating_sub(idle) + Duration::from_secs(1));
        Next::Wait { reads, writes, time: if again { Duration::ZERO } else { time } }
    }
}

/// What came of moving bytes one way.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    bytes: usize,
    /// The socket takes no more now.
    is_blocked: bool,
    /// There is more, for the next turn.
    is_more: bool,
    is_end: bool,
    is_broken: bool,
}

impl Moved {
    fn note(&mut self, result: &io::Result<usize>) {
        match result {
            Ok(0) => self.is_end = true,
            Ok(bytes) => self.bytes += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_blocked = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.is_broken = true,
        }
        self.is_more = self.bytes >= TURN;
    }

    fn goes_on(&self) -> bool {
        !(self.is_blocked || self.is_more || self.is_end || self.is_broken)
    }
}

/// From the guest, once it is known what that begins with.
fn to_host(socket: &mut Socket<'_>, stream: &TcpStream, ear: &mut Ear<'_>, is_ended: bool) -> Moved {
    let mut moved = Moved::default();
    while moved.goes_on() && socket.can_recv() {
        let is_all = is_ended || socket.recv_queue() == socket.recv_capacity();
        let taken = socket.recv(|bytes| match ear.hear(bytes, is_all) {
            Heard::Unclear => (0, Ok(None)),
            Heard::Forbidden => (0, Err(io::ErrorKind::PermissionDenied.into())),
            Heard::Fine => match stream.try_write(bytes) {
                Ok(length) => (length, Ok(Some(length))),
                Err(error) => (0, Err(error)),
            },
        });
        match taken {
            Ok(Ok(None)) | Err(_) => break,
            Ok(Ok(Some(length))) => moved.note(&Ok(length)),
            Ok(Err(error)) => moved.note(&Err(error)),
        }
    }
    moved
}

fn to_guest(socket: &mut Socket<'_>, stream: &TcpStream) -> Moved {
    let mut moved = Moved::default();
    while moved.goes_on() && socket.can_send() {
        let read = socket.send(|room| match stream.try_read(room) {
            Ok(length) => (length, Ok(length)),
            Err(error) => (0, Err(error)),
        });
        match read {
            Ok(result) => moved.note(&result),
            Err(_) => break,
        }
    }
    moved
}

/// The line between a connection and its guest, for as long as one look at it takes: at most one packet comes.
struct Line<'a> {
    port: &'a Port,
    packet: Option<&'a [u8]>,
    scratch: &'a mut Vec<u8>,
}

struct Came<'a>(&'a [u8]);

struct Goes<'a> {
    port: &'a Port,
    scratch: &'a mut Vec<u8>,
    segment: Option<u16>,
}

impl Device for Line<'_> {
    type RxToken<'t>
        = Came<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Goes<'t>
    where
        Self: 't;

    fn receive(&mut self, _: smoltcp::time::Instant) -> Option<(Came<'_>, Goes<'_>)> {
        let packet = self.packet.take()?;
        Some((Came(packet), Goes { port: self.port, scratch: self.scratch, segment: None }))
    }

    fn transmit(&mut self, _: smoltcp::time::Instant) -> Option<Goes<'_>> {
        Some(Goes { port: self.port, scratch: self.scratch, segment: None })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        // A guest's kernel leaves its sums to its interface, and takes ours unmade: nothing is between them that could spoil a bit.
        capabilities.checksum.tcp = Checksum::None;
        capabilities.segmentation = SegmentationCapabilities::default();
        capabilities.segmentation.tcpv4 = NonZeroUsize::new(SEGMENTS);
        capabilities
    }
}

impl RxToken for Came<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl TxToken for Goes<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let whole = HEAD + length;
        if self.scratch.len() < whole {
            self.scratch.resize(whole, 0);
        }
        let frame = &mut self.scratch[..whole];
        let result = write(&mut frame[HEAD..]);
        packet::head_of_tcp(frame, self.port.mac, self.segment);
        self.port.send(frame);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.segment = meta.segmentation_offload_size.map(u16::from);
    }
}
