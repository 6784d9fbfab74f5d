//! Machines, as the proxy leads to them: by their public addresses and by the names of these (`{label}.{location}.cloudapp.azure.com`), to the doors
//! that are open there (`host::PublicDoors`), wherever on this host those are.
//!
//! So a port that this process may not have, 80 as an ordinary user, is at its own number for whoever goes through the proxy; and
//! a cloud that is offline has its own machines all the same.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use azure::error::Result;

use super::Client;
use crate::resources::{
    self,
    names::{self, Space},
};

const NAMES: &str = ".cloudapp.azure.com";

impl Client {
    /// Where a machine's door is; none where the host is no machine's, or nothing is open there.
    pub(super) async fn machine(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let address = match host.parse() {
            Ok(address) => address,
            Err(_) => self.address_of(host).await?,
        };
        self.front.server.env.public_doors.find(self.cloud, SocketAddrV4::new(address, port))
    }

    async fn address_of(&self, name: &str) -> Option<Ipv4Addr> {
        let name = name.to_ascii_lowercase();
        if !name.ends_with(NAMES) {
            return None;
        }
        let read = self.front.server.env.store.read(self.cloud, |txn| -> Result<_> {
            let id = names::find(txn, Space::CloudApp, &name)?;
            let address = id.map(|id| resources::get(txn, &id)).transpose()?.flatten();
            Ok(address.and_then(|it| it.text("ipAddress")?.parse().ok()))
        });
        // A name that cannot be looked up leads nowhere.
        read.await.ok().flatten()
    }
}
