//! Whether this process is in the machine's own network: the first namespace, whose interfaces are real.
//!
//! Some settings of the kernel's are the whole machine's, and are shown in that namespace alone: the length of the queue between its network cards
//! and everybody is one (net/core/sysctl_net_core.c, `net_core_table`). A container that shares the machine's network sees them too, which a comparison with
//! the namespace of process 1 would not tell: process 1 is then the container's own.

use std::path::Path;

use crate::refused::Refused;

const OF_EVERY_NETWORK: &str = "/proc/sys/net/core/somaxconn";
const OF_THE_FIRST: &str = "/proc/sys/net/core/netdev_max_backlog";

/// Refuses where it cannot be told.
pub fn is_machines_network() -> Result<bool, Refused> {
    if !Path::new(OF_EVERY_NETWORK).exists() {
        let why = format!("there is no `{OF_EVERY_NETWORK}`");
        return Err(Refused::new("find out whose network this is", why));
    }
    Ok(Path::new(OF_THE_FIRST).exists())
}
