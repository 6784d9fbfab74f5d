//! Files over an SSH connection: the server of the SSH File Transfer Protocol, version 3, which runs in a guest as its user.
//!
//! ```text
//! client ── packets on stdin ──▶ Fields ──▶ Session: one request, one answer ──▶ Packet ── stdout ──▶ client
//! ```
//!
//! It is a program of its own in its own process: this one, exec'd under another name, with no more rights than any command of that
//! user. What it may read and write is the kernel's to say. The version is the one that every client speaks
//! (draft-ietf-secsh-filexfer-02), with the extensions of OpenSSH's own server that its clients ask for (PROTOCOL §4 in its sources):
//! scp needs `expand-path`, and asks for `limits`.
//!
//! One request at a time, in order; a client that sends many at once finds them answered as fast as the files allow.

mod attributes;
mod listing;
mod packet;
mod session;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use self::packet::{Fields, Packet};
use self::session::Session;

/// The name (`argv[0]`) under which this program serves files; as a command in a guest, it is found under no path.
pub const NAME: &str = "internal-sftp";

/// The longest packet that is taken, and that is said to be.
const PACKET_MAX: u32 = 256 << 10;
/// The most that one read or write carries: a packet, without what stands around the bytes.
const PIECE_MAX: u32 = PACKET_MAX - 1024;

/// Serves stdin and stdout to their end; the process's exit code.
pub(crate) fn run() -> i32 {
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    match serve(input, output) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Answers packets until they end. Fails where the talk itself is broken.
fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut session = Session::default();
    while let Some(bytes) = next(&mut input)? {
        let answer: Packet = session.answer(Fields::new(&bytes));
        output.write_all(&answer.finish())?;
        output.flush()?;
    }
    Ok(())
}

/// The next packet without its length; none at the end.
fn next(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u32::from_be_bytes(length);
    if !(1..=PACKET_MAX).contains(&length) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let mut bytes = vec![0; length as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
