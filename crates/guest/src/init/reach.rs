//! Sockets opened on a guest's behalf, in its network and its file system: connections to what listens inside, and a place where
//! its programs find an agent.
//!
//! The init opens them and lets go: it waits for no connection. What comes of one is for its owner to see, who has the descriptor.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::keeper::Ids;
use super::root::give;
use crate::refused::{Named, Refused};
use crate::spec::User;

/// Connections that may wait to be accepted: a burst of a benchmark's, not the 128 of the standard library.
const BACKLOG: i32 = 4096;

/// A listener that does not block, in the guest's network.
pub(crate) fn listen(address: SocketAddr) -> Result<OwnedFd, Refused> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok::<_, io::Error>(listener.into())
    };
    open().named(|| format!("listen on {address}"))
}

/// A connection from within the network that this process is in, on its way: whoever has it waits until it can be written to.
pub(super) fn connect(address: SocketAddr) -> Result<OwnedFd, Refused> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let open = || {
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error),
        }
    };
    open().named(|| format!("connect to {address}"))
}

/// A listener at a path in the guest, in a directory made for it that is its user's alone. One that is there already is refused: in
/// /tmp anybody may have put it there.
pub(super) fn listen_at(path: &Path, user: User, ids: Ids) -> Result<OwnedFd, Refused> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let what = || format!("listen at {}", path.display());
    std::fs::DirBuilder::new().mode(0o700).create(folder).named(what)?;
    let listener = UnixListener::bind(path).named(what)?;
    listener.set_nonblocking(true).named(what)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).named(what)?;
    give(path, user, ids)?;
    // Last: until now nobody else could enter it and exchange the socket for a link to a file.
    give(folder, user, ids)?;
    Ok(listener.into())
}
