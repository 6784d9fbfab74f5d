//! How long the platform takes: a table by type, for clouds that were started with `--durations azure`.
//!
//! A cloud answers at once, and whoever tests a program wants that. Whoever tests how the program waits
//! wants Azure's time: then what takes its time there takes it here. The work itself is done as ever; its
//! operation is held until it is due (`resources::operations`), and the resource is `Creating`, `Updating` or
//! `Deleting` meanwhile. Time is the cloud's clock, so a test moves it and does not wait.
//!
//! The figures are what users of a quiet region see, in whole seconds; Azure promises none of them.

use std::time::Duration;

use azure::error::Result;

use super::types::Type;
use crate::{env::Durations, resources::operations, service::Cx};

/// How long a type's operations take, in seconds; none: they are done at once.
struct Row {
    name: &'static str,
    create: u64,
    update: u64,
    delete: u64,
    /// What its answers say of when to ask again.
    retry_after: &'static str,
}

const fn row(
    name: &'static str,
    (create, update, delete): (u64, u64, u64),
    retry_after: &'static str,
) -> Row {
    Row { name, create, update, delete, retry_after }
}

/// Groups and moves of what is in them: the one delay that is recorded (arm.md §7).
static GROUPS: Row = row("Microsoft.Resources/resourceGroups", (0, 0, 20), "15");

static TABLE: &[Row] = &[
    row("Microsoft.Compute/virtualMachines", (40, 10, 45), "10"),
    row("Microsoft.Compute/virtualMachines/extensions", (25, 15, 20), "10"),
    row("Microsoft.Compute/disks", (3, 3, 3), "2"),
    row("Microsoft.Compute/images", (60, 5, 10), "10"),
    row("Microsoft.Compute/virtualMachineScaleSets", (60, 20, 60), "10"),
    row("Microsoft.Network/virtualNetworks", (4, 3, 11), "10"),
    row("Microsoft.Network/virtualNetworks/subnets", (4, 4, 11), "10"),
    row("Microsoft.Network/networkSecurityGroups", (3, 3, 6), "10"),
    row("Microsoft.Network/networkSecurityGroups/securityRules", (3, 3, 6), "10"),
    row("Microsoft.Network/publicIPAddresses", (3, 3, 11), "10"),
    row("Microsoft.Network/networkInterfaces", (2, 2, 7), "10"),
    row("Microsoft.Storage/storageAccounts", (20, 0, 0), "17"),
    row("Microsoft.DocumentDB/databaseAccounts", (150, 60, 120), "15"),
    row("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", (12, 12, 12), "15"),
    row("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", (12, 12, 12), "15"),
    row("Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions", (12, 12, 12), "15"),
    row("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", (12, 12, 12), "15"),
    row("Microsoft.ContainerInstance/containerGroups", (30, 30, 10), "10"),
    row("Microsoft.Web/sites", (15, 5, 5), "10"),
];

/// Actions by what they end with. Others that begin an operation take `ACTION`.
static ACTIONS: &[(&str, u64)] = &[
    ("/start/action", 25),
    ("/powerOff/action", 30),
    ("/restart/action", 20),
    ("/deallocate/action", 45),
    ("/redeploy/action", 180),
    ("/reimage/action", 90),
    ("/moveResources/action", 90),
    ("/validateMoveResources/action", 30),
];
const ACTION: u64 = 15;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Creating,
    Updating,
    Deleting,
}

/// When to ask again where the cloud takes no time: soon, and never in no time at all (az-cli.md §1.3).
pub(super) const SOON: &str = "1";

fn is_azures(cx: &Cx) -> bool {
    cx.env.settings.durations == Durations::Azure
}

fn of(name: &str) -> Option<&'static Row> {
    TABLE.iter().chain([&GROUPS]).find(|row| row.name.eq_ignore_ascii_case(name))
}

/// How long it takes; none where it is done at once.
pub(super) fn of_write(cx: &Cx, of_type: &Type, doing: Doing) -> Option<Duration> {
    let row = of(&of_type.name).filter(|_| is_azures(cx))?;
    let seconds = match doing {
        Doing::Creating => row.create,
        Doing::Updating => row.update,
        Doing::Deleting => row.delete,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// The same of an action that has begun an operation.
pub(super) fn of_action(cx: &Cx, action: &str) -> Option<Duration> {
    let found = ACTIONS.iter().find(|(end, _)| {
        action.len() >= end.len() && action[action.len() - end.len()..].eq_ignore_ascii_case(end)
    });
    is_azures(cx).then(|| Duration::from_secs(found.map_or(ACTION, |(_, seconds)| *seconds)))
}

/// `Retry-After` of what is done to this type.
pub(super) fn retry_after(cx: &Cx, type_name: &str) -> &'static str {
    match of(type_name) {
        Some(row) if is_azures(cx) => row.retry_after,
        _ => SOON,
    }
}

/// Ends what is due. Done before anything that might see it: the clock has no hands of its own.
pub(super) async fn settle(cx: &Cx) -> Result<()> {
    if !is_azures(cx) {
        return Ok(());
    }
    let now = cx.cloud.clock.now();
    cx.write(|txn| operations::settle(txn, now)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_type_of_its_own_and_a_positive_time_to_wait() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(row.retry_after.parse::<u64>().is_ok_and(|it| it > 0), "{}", row.name);
            assert!(TABLE[..at].iter().all(|it| it.name != row.name), "{} is there twice", row.name);
            assert!(row.create + row.update + row.delete > 0, "{} takes no time", row.name);
        }
    }
}
