//! Frames: what a command in a guest and its caller say to each other over one connection.
//!
//! ```text
//! kind (1 byte) | length (4 bytes, big endian) | that many bytes
//! ```
//!
//! stdin, stdout and stderr carry bytes, and an empty frame of stdin is its end. A resize is rows and columns (2 bytes each), a
//! signal its number (4 bytes). The last frame is the exit: 0 and the code, or 1 and the signal (1 + 4 bytes).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::host::{Exit, Size};

/// A frame is a piece of a stream: what claims to be longer is no frame.
const LENGTH_MAX: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Stdin(Vec<u8>),
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Resize(Size),
    Signal(i32),
    Exit(Exit),
}

impl Frame {
    /// Reads the next frame; none at the stream's end between two of them.
    pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
        let mut head = [0; 5];
        if from.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut head[1..]).await?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > LENGTH_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
        }
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes).await?;
        let frame = Frame::decode(kind, bytes);
        frame.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no such frame"))
    }

    /// Writes the frame and flushes.
    pub async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let (kind, payload) = self.encode();
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let mut whole = Vec::with_capacity(5 + payload.len());
        whole.push(kind);
        whole.extend_from_slice(&length.to_be_bytes());
        whole.extend_from_slice(&payload);
        to.write_all(&whole).await?;
        to.flush().await
    }

    fn encode(&self) -> (u8, std::borrow::Cow<'_, [u8]>) {
        match self {
            Frame::Stdin(bytes) => (0, bytes.into()),
            Frame::Stdout(bytes) => (1, bytes.into()),
            Frame::Stderr(bytes) => (2, bytes.into()),
            Frame::Resize(size) => (3, [size.rows.to_be_bytes(), size.columns.to_be_bytes()].concat().into()),
            Frame::Signal(number) => (4, number.to_be_bytes().to_vec().into()),
            Frame::Exit(exit) => {
                let (how, number) = match exit {
                    Exit::Code(code) => (0, code),
                    Exit::Signal(signal) => (1, signal),
                };
                (5, [&[how][..], &number.to_be_bytes()].concat().into())
            }
        }
    }

    fn decode(kind: u8, bytes: Vec<u8>) -> Option<Frame> {
        Some(match kind {
            0 => Frame::Stdin(bytes),
            1 => Frame::Stdout(bytes),
            2 => Frame::Stderr(bytes),
            3 => {
                let [r1, r2, c1, c2] = bytes.try_into().ok()?;
                let (rows, columns) = (u16::from_be_bytes([r1, r2]), u16::from_be_bytes([c1, c2]));
                Frame::Resize(Size { rows, columns })
            }
            4 => Frame::Signal(i32::from_be_bytes(bytes.try_into().ok()?)),
            5 => {
                let (how, number) = bytes.split_first()?;
                let number = i32::from_be_bytes(number.try_into().ok()?);
                Frame::Exit(match how {
                    0 => Exit::Code(number),
                    1 => Exit::Signal(number),
                    _ => return None,
                })
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written() {
        let (mut near, mut far) = tokio::io::duplex(4096);
        for frame in [
            Frame::Stdin(Vec::new()),
            Frame::Stdout(b"out".to_vec()),
            Frame::Stderr(vec![0, 255]),
            Frame::Resize(Size { rows: 24, columns: 300 }),
            Frame::Signal(15),
            Frame::Exit(Exit::Code(-1)),
            Frame::Exit(Exit::Signal(9)),
        ] {
            frame.write(&mut near).await.expect("writes");
            assert_eq!(Frame::read(&mut far).await.expect("reads"), Some(frame));
        }
        drop(near);
        assert_eq!(Frame::read(&mut far).await.expect("reads the end"), None);
    }

    #[tokio::test]
    async fn what_is_no_frame_is_refused() {
        for bytes in [
            &[9, 0, 0, 0, 0][..],
            &[0, 255, 255, 255, 255],
            &[3, 0, 0, 0, 1, 7],
            &[5, 0, 0, 0, 5, 2, 0, 0, 0, 0],
            &[1, 0, 0, 0, 2, 7],
            &[1, 0],
        ] {
            assert!(Frame::read(&mut &bytes[..]).await.is_err(), "{bytes:?}");
        }
    }
}
