//! Whether this machine lets us have guests, found out by making one.
//!
//! Asking the kernel's settings one by one would be a second, worse copy of the kernel's rules (and of AppArmor's, SELinux's and every
//! container engine's); a guest that starts is the only proof, and takes a few milliseconds.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::keeper::Keeper;
use crate::refused::{Named, Refused};
use crate::settings::explain;
use crate::spec::{Interface, Spec};
use crate::wire::{self, FromInit, Inbox, ToInit};

/// Longer than any machine needs, shorter than a user's patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a guest and ends it. Gives the step at which the machine refused, and why.
///
/// `init` is as in [`Spec::init`]. Blocks for some milliseconds; at most ten seconds.
pub fn probe(init: &Path) -> Result<(), Refused> {
    attempt(init, Spec::new("probe"))
}

/// The same of a guest that is in a virtual network.
pub fn probe_network(init: &Path) -> Result<(), Refused> {
    let (address, range) = ((Ipv4Addr::new(10, 0, 0, 4), 24), (Ipv4Addr::new(10, 0, 0, 0), 16));
    let interface = Interface::new([0x00, 0x0d, 0x3a, 0, 0, 1], vec![address], vec![range]);
    attempt(init, Spec { interface: Some(interface), ..Spec::new("probe") })
}

/// Whether there are programs here that a guest could have: where a container's image holds nothing but this one, a guest would have none.
pub fn has_programs() -> bool {
    Path::new("/bin/sh").exists()
}

fn attempt(init: &Path, spec: Spec) -> Result<(), Refused> {
    let (_keeper, control) = Keeper::start(init)?;
    control.set_read_timeout(Some(PATIENCE)).at("limit the wait")?;
    let spec = Box::new(spec);
    // An init that is gone already has left its reason, or the lack of one, to be read.
    let _ = wire::send(&control, &ToInit::Start(spec), &[]);
    match Inbox::default().next(&control).at("hear from the guest's init")? {
        Some((FromInit::Ready { .. }, _)) => Ok(()),
        Some((FromInit::Refused(refused), _)) => Err(explain(refused)),
        Some((other, _)) => Err(Refused::new("hear from the guest's init", format!("it said {other:?}"))),
        None => Err(Refused::new("hear from the guest's init", "it left without a word")),
    }
}
