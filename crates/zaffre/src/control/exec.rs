//! Commands in guests: one connection, upgraded, that carries frames both ways.
//!
//! ```text
//! kind (1 byte) | length (4 bytes, big endian) | that many bytes
//! ```
//!
//! stdin, stdout and stderr are bytes, and an empty frame of stdin is its end; resize is rows and columns (2 bytes each),
//! signal a number (4 bytes), exit the last frame: 0 and the code, or 1 and the signal (1 + 4 bytes).

use azure::error::Result;

use super::{codes, vms};
use crate::service::{Body, Cx, Reply};

/// A frame is a piece of a stream: longer ones are broken, not generous.
pub const FRAME_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
    Resize = 3,
    Signal = 4,
    Exit = 5,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameKind,
    pub bytes: Vec<u8>,
}

pub(super) async fn begin(cx: &Cx, vm: &str, _body: Body) -> Result<Reply> {
    let vm = cx.read(|txn| vms::named(txn, vm)).await?;
    Err(codes::NO_GUESTS.with([vm.name()]))
}
