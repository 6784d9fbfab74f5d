//! Doors: where a request came in, which is what says who may be asking.
//!
//! A door is made by `front` for a listener, a proxy connection or a guest's socket, never from
//! anything the caller may choose. It names the cloud and, for a guest, the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use azure::ids::{Guid, ResourceId};

use crate::store::CloudId;

#[derive(Clone, Debug)]
pub struct Door {
    pub cloud: CloudId,
    pub from: From,
    pub entrance: Entrance,
    /// Whether the client spoke TLS on this connection, or to the proxy's far side.
    pub tls: bool,
}

/// Who is on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A process of this machine.
    Host(SocketAddr),
    /// A virtual machine: by its own socket, or by the secret that `zaffre env --as-vm` made for it.
    Guest { vm: ResourceId, vm_id: Guid },
}

/// What the socket was opened for, which decides how a host name is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// TLS by name or the proxy: the host decides.
    Named,
    /// The drop-in port for blobs, where the path begins with the account.
    Blob,
    /// The drop-in port for Cosmos DB.
    Cosmos,
    /// 169.254.169.254:80, whatever Host says.
    Metadata,
    /// 168.63.129.16:80 of a guest, whatever Host says.
    Wire,
    /// localhost:50342 of a guest that has the old extension.
    Extension,
    /// Where programs on other hosts than virtual machines ask: the path says on which.
    Hosts,
    /// The proxy's own port, asked for itself.
    Proxy,
    /// The control socket.
    Control,
}

impl Door {
    /// A process of this machine that comes by name, over TLS: what most tests use.
    pub fn named(cloud: CloudId) -> Self {
        let from = From::Host(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        Door { cloud, from, entrance: Entrance::Named, tls: true }
    }

    /// The same process at another entrance, without TLS.
    pub fn at(cloud: CloudId, entrance: Entrance) -> Self {
        Door { entrance, tls: false, ..Door::named(cloud) }
    }

    /// A guest's own 169.254.169.254:80.
    pub fn metadata(cloud: CloudId, vm: ResourceId, vm_id: Guid) -> Self {
        Door { cloud, from: From::Guest { vm, vm_id }, entrance: Entrance::Metadata, tls: false }
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}
