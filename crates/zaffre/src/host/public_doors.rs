//! Where what is open at machines' public addresses can be reached: the one table from an address and a port, as Azure's users know
//! them, to the listener on this host that is their door.
//!
//! Mostly that is the very same address and port. A port that this process may not have (one below 1024, as an ordinary user; one that
//! another cloud on this host has) is at another. Whoever opens a door lists it here for as long as it is open: SSH servers and all else alike.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, SocketAddrV4},
};

use azure::ids::ResourceId;
use tokio::sync::watch;

use crate::cloud::CloudId;

/// An open door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicDoor {
    pub vm: ResourceId,
    /// Where one connects to on this host.
    pub at: SocketAddr,
}

type Table = BTreeMap<(CloudId, SocketAddrV4), PublicDoor>;

/// All doors of all clouds. Clones are the same table.
#[derive(Clone, Default)]
pub struct PublicDoors(watch::Sender<Table>);

/// A row of the table, until this is dropped.
pub struct Listed {
    doors: PublicDoors,
    key: (CloudId, SocketAddrV4),
    door: PublicDoor,
}

impl PublicDoors {
    /// Lists a door. One that is listed at that place already is forgotten.
    pub fn list(&self, cloud: CloudId, public: SocketAddrV4, door: PublicDoor) -> Listed {
        let key = (cloud, public);
        self.0.send_modify(|table| drop(table.insert(key, door.clone())));
        Listed { doors: self.clone(), key, door }
    }

    /// Where a public address and port of a cloud lead to, if anything is open there.
    pub fn find(&self, cloud: CloudId, public: SocketAddrV4) -> Option<SocketAddr> {
        self.0.borrow().get(&(cloud, public)).map(|it| it.at)
    }

    /// All doors of a cloud, in the order of their addresses.
    pub fn of(&self, cloud: CloudId) -> Vec<(SocketAddrV4, PublicDoor)> {
        let table = self.0.borrow();
        let own = table.iter().filter(|((of, _), _)| *of == cloud);
        own.map(|((_, public), door)| (*public, door.clone())).collect()
    }

    /// Changes whenever a door opens or closes, in any cloud.
    pub fn changes(&self) -> watch::Receiver<BTreeMap<(CloudId, SocketAddrV4), PublicDoor>> {
        self.0.subscribe()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        // Another door may be there by now.
        self.doors.0.send_if_modified(|table| {
            let is_ours = table.get(&self.key) == Some(&self.door);
            is_ours && table.remove(&self.key).is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_found_while_it_is_open_and_in_its_own_cloud_alone() {
        let doors = PublicDoors::default();
        let public: SocketAddrV4 = "127.77.0.4:80".parse().expect("an address");
        let door = |port: u16| PublicDoor {
            vm: ResourceId::root(),
            at: (std::net::Ipv4Addr::LOCALHOST, port).into(),
        };
        let first = doors.list(CloudId::DEFAULT, public, door(8080));
        assert_eq!(doors.find(CloudId::DEFAULT, public), Some(door(8080).at));
        assert_eq!(doors.find(CloudId::RING, public), None);
        let second = doors.list(CloudId::DEFAULT, public, door(8081));
        drop(first);
        assert_eq!(doors.of(CloudId::DEFAULT), [(public, door(8081))]);
        let mut changes = doors.changes();
        drop(second);
        assert!(changes.has_changed().expect("the table is there") && changes.borrow_and_update().is_empty());
    }
}
