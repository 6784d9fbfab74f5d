//! The talk between a program and the init of one of its guests: typed messages over a Unix socket pair.
//!
//! ```text
//! length of the JSON (4 bytes, little endian) | number of descriptors (4 bytes) | JSON
//! ```
//!
//! Descriptors (listeners, pipes, terminals) ride with the first byte of the message they belong to. The kernel keeps them in order
//! and never delivers them after that byte, so a queue of descriptors beside the buffer of bytes is enough to give each message its own.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::groups::Bounds;
use crate::refused::Refused;
use crate::spec::{Command, ExitStatus, Spec, User};

/// What a guest's owner asks of its init. Numbers name a question, and the command it started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// First, and once: become this guest.
    Start(Box<Spec>),
    Listen {
        id: u64,
        address: SocketAddr,
    },
    Connect {
        id: u64,
        address: SocketAddr,
    },
    /// As who comes from outside: over the interface.
    ConnectFromOutside {
        id: u64,
        address: SocketAddrV4,
    },
    /// A range that is reached over the interface too.
    FindWay {
        id: u64,
        range: (Ipv4Addr, u8),
    },
    /// A socket that tells what listens.
    Listening {
        id: u64,
    },
    /// At a path, in a directory made for it.
    ListenAt {
        id: u64,
        path: PathBuf,
        user: User,
    },
    Exec {
        id: u64,
        command: Box<Command>,
    },
    /// To the whole process group of a command; nothing when it has ended.
    Signal {
        id: u64,
        signal: i32,
    },
}

/// What an init answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// The guest stands: its first process as the host numbers it; with it, the TCP and then the UDP sockets in the order asked for.
    Ready { pid: u32, bounds: Bounds },
    /// The guest could not be made.
    Refused(Refused),
    /// With the listener, the connection, or what was asked for.
    Opened { id: u64 },
    /// With the terminal, or with stdin, stdout and stderr.
    Started { id: u64 },
    /// The question `id` could not be met.
    Failed { id: u64, refused: Refused },
    /// The command ended.
    Exited { id: u64, status: ExitStatus },
}

const HEADER: usize = 8;
/// Far above any real message; a longer one is a broken stream.
const LENGTH_MAX: usize = 64 << 20;
const DESCRIPTORS_MAX: usize = 128;

/// The bytes of a message that carries this many descriptors.
pub(crate) fn encode(message: &impl Serialize, descriptors: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, message).expect("our messages hold nothing that JSON can not say");
    let length = u32::try_from(bytes.len() - HEADER).expect("messages are far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..HEADER].copy_from_slice(&(descriptors as u32).to_le_bytes());
    bytes
}

/// Sends a message and its descriptors, blocking until all of it is on its way.
pub(crate) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = encode(message, descriptors.len());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut sent =
        rustix::net::sendmsg(&socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    while sent < bytes.len() {
        sent += rustix::net::send(&socket, &bytes[sent..], SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// What has arrived on a socket and was not yet taken as messages.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    length_max: usize,
    descriptors_max: usize,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox::within(LENGTH_MAX, DESCRIPTORS_MAX)
    }
}

impl Inbox {
    /// One whose messages are no longer than this, and that holds no more descriptors: for senders that are not trusted with our memory.
    pub(crate) fn within(length_max: usize, descriptors_max: usize) -> Inbox {
        Inbox { bytes: Vec::new(), descriptors: VecDeque::new(), length_max, descriptors_max }
    }

    /// Reads once; false at the end of the stream.
    pub(crate) fn fill(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut chunk = [0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = match rustix::net::recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut chunk)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            // The other side left with something of ours unread: an end like any other.
            Err(rustix::io::Errno::CONNRESET) => return Ok(false),
            result => result?,
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if self.descriptors.len() > self.descriptors_max {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        self.bytes.extend_from_slice(&chunk[..received.bytes]);
        Ok(received.bytes > 0)
    }

    /// The next whole message and its descriptors, when there is one.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let Some(header) = self.bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h] = *header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let descriptors = u32::from_le_bytes([e, f, g, h]) as usize;
        if length > self.length_max || descriptors > DESCRIPTORS_MAX {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        if self.bytes.len() < HEADER + length {
            return Ok(None);
        }
        if self.descriptors.len() < descriptors {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors were lost on the way"));
        }
        let message = serde_json::from_slice(&self.bytes[HEADER..HEADER + length])?;
        self.bytes.drain(..HEADER + length);
        Ok(Some((message, self.descriptors.drain(..descriptors).collect())))
    }

    /// Blocks for the next message; `None` at the end of the stream.
    pub(crate) fn next<T: DeserializeOwned>(
        &mut self,
        socket: impl AsFd,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        loop {
            if let Some(found) = self.take()? {
                return Ok(Some(found));
            }
            match self.fill(&socket) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn each_message_gets_its_own_descriptors_in_order() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut first_out, first_in) = UnixStream::pair().unwrap();
        let (mut second_out, second_in) = UnixStream::pair().unwrap();
        send(&here, &FromInit::Ready { pid: 7, bounds: Bounds::WITHOUT_GROUPS }, &[]).unwrap();
        send(&here, &FromInit::Started { id: 1 }, &[first_in.as_fd()]).unwrap();
        send(&here, &FromInit::Opened { id: 2 }, &[second_in.as_fd()]).unwrap();
        drop((here, first_in, second_in));

        let mut inbox = Inbox::default();
        let (ready, none) = inbox.next::<FromInit>(&there).unwrap().unwrap();
        assert!(matches!(ready, FromInit::Ready { pid: 7, .. }) && none.is_empty());
        for (out, text) in [(&mut first_out, "first"), (&mut second_out, "second")] {
            let (_, descriptors) = inbox.next::<FromInit>(&there).unwrap().unwrap();
            let [descriptor] = <[OwnedFd; 1]>::try_from(descriptors).unwrap();
            UnixStream::from(descriptor).write_all(text.as_bytes()).unwrap();
            let mut read = String::new();
            out.read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        assert!(inbox.next::<FromInit>(&there).unwrap().is_none());
    }

    #[test]
    fn a_message_longer_than_the_sockets_buffer_arrives_whole() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut spec = Spec::new("myVM");
        spec.ca_bundle = "x".repeat(3 << 20);
        let writer = std::thread::spawn(move || send(&here, &ToInit::Start(Box::new(spec)), &[]));
        let (message, _) = Inbox::default().next::<ToInit>(&there).unwrap().unwrap();
        writer.join().unwrap().unwrap();
        assert!(matches!(message, ToInit::Start(spec) if spec.ca_bundle.len() == 3 << 20));
    }

    #[test]
    fn more_descriptors_than_agreed_end_the_talk() {
        let (here, there) = UnixStream::pair().unwrap();
        let message = ToInit::Signal { id: 1, signal: 15 };
        let mut inbox = Inbox::within(1 << 10, 3);
        send(&here, &message, &[here.as_fd(); 3]).unwrap();
        assert_eq!(inbox.next::<ToInit>(&there).unwrap().unwrap().1.len(), 3);
        send(&here, &message, &[here.as_fd(); 4]).unwrap();
        assert!(inbox.next::<ToInit>(&there).is_err());
    }

    #[test]
    fn a_broken_length_ends_the_talk() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(&[0xff; 16]).unwrap();
        assert!(Inbox::default().next::<ToInit>(&there).is_err());
    }
}
