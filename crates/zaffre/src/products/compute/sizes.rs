//! The sizes of machines, and how many of each thing there are: what clients look up about a region.
//!
//! A few sizes of each family stand for all; names are Azure's, figures from its public lists (unverified). A machine of
//! another size is made all the same; its guest is kept to no size.

use azure::{error::Result, locations};
use serde_json::{Map, Value, json};

use super::{disks, snapshots};
use crate::{
    arm::{
        kind::{Answer, Call},
        usages::{self, Usage},
    },
    store::Txn,
};

/// name, cores, memory, temporary disk (MB), data disks at most.
struct Size(&'static str, u32, u32, u32, u32);

/// A system disk may be as large as this, in MB, whatever the size.
const SYSTEM_DISK_MB: u32 = 1_047_552;

static SIZES: &[Size] = &[
    Size("Standard_A1_v2", 1, 2048, 10_240, 2),
    Size("Standard_A2_v2", 2, 4096, 20_480, 4),
    Size("Standard_B1s", 1, 1024, 4096, 2),
    Size("Standard_B1ms", 1, 2048, 4096, 2),
    Size("Standard_B2s", 2, 4096, 8192, 4),
    Size("Standard_B2ms", 2, 8192, 16_384, 4),
    Size("Standard_DS1_v2", 1, 3584, 7168, 4),
    Size("Standard_DS2_v2", 2, 7168, 14_336, 8),
    Size("Standard_D1_v2", 1, 3584, 51_200, 4),
    Size("Standard_D2_v3", 2, 8192, 51_200, 4),
    Size("Standard_D2s_v3", 2, 8192, 16_384, 4),
    Size("Standard_D4s_v3", 4, 16_384, 32_768, 8),
    Size("Standard_D2s_v5", 2, 8192, 0, 4),
    Size("Standard_D4s_v5", 4, 16_384, 0, 8),
    Size("Standard_D8s_v5", 8, 32_768, 0, 16),
    Size("Standard_E2s_v5", 2, 16_384, 0, 4),
    Size("Standard_F2s_v2", 2, 4096, 16_384, 4),
];

/// What a machine of a size that we do not know may have.
const DATA_DISKS_MAX: u32 = 64;

/// How many data disks a machine of this size may have.
pub(super) fn data_disks_max(size: &str) -> u32 {
    SIZES.iter().find(|it| it.0.eq_ignore_ascii_case(size)).map_or(DATA_DISKS_MAX, |it| it.4)
}

/// A size's processors and megabytes of memory; none for one that we do not know.
pub(super) fn of(size: &str) -> Option<(u32, u32)> {
    SIZES.iter().find(|it| it.0.eq_ignore_ascii_case(size)).map(|it| (it.1, it.2))
}

fn sizes() -> Value {
    let shown = |Size(name, cores, memory, temporary, disks): &Size| {
        json!({
            "name": name,
            "numberOfCores": cores,
            "osDiskSizeInMB": SYSTEM_DISK_MB,
            "resourceDiskSizeInMB": temporary,
            "memoryInMB": memory,
            "maxDataDiskCount": disks,
        })
    };
    json!({ "value": SIZES.iter().map(shown).collect::<Vec<_>>() })
}

/// Those of a region, of a machine and of an availability set alike: any machine may become any of them.
pub(super) fn list(_: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(sizes()))
}

/// `$filter=location eq 'westeurope'`, or every region (az-cli.md §8).
pub(super) fn skus(call: &Call<'_, &Txn>) -> Result<Answer> {
    let filter = call.query("$filter").unwrap_or_default();
    let wanted = filter.split('\'').nth(1).map(locations::normalize);
    let near = locations::REGIONS.iter().map(|it| it.name);
    let near = near.filter(|it| wanted.as_deref().is_none_or(|wanted| wanted == *it));
    let all = near.flat_map(|location| SIZES.iter().map(move |size| sku(size, location)));
    Ok(Answer::ok(json!({ "value": all.collect::<Vec<_>>() })))
}

fn sku(Size(name, cores, memory, temporary, disks): &Size, location: &str) -> Value {
    let short = name.trim_start_matches("Standard_");
    let family = short.trim_start_matches(|it: char| it.is_ascii_alphabetic());
    let letters = &short[..short.len() - family.len()];
    let capabilities: Map<String, Value> = Map::from_iter([
        ("vCPUs".to_owned(), json!(cores.to_string())),
        ("MemoryGB".to_owned(), json!((f64::from(*memory) / 1024.0).to_string())),
        ("MaxDataDiskCount".to_owned(), json!(disks.to_string())),
        ("MaxResourceVolumeMB".to_owned(), json!(temporary.to_string())),
        ("OSVhdSizeMB".to_owned(), json!(SYSTEM_DISK_MB.to_string())),
        ("HyperVGenerations".to_owned(), json!("V1,V2")),
        ("CpuArchitectureType".to_owned(), json!("x64")),
        ("PremiumIO".to_owned(), json!("True")),
    ]);
    let capabilities = capabilities.into_iter().map(|(name, value)| json!({ "name": name, "value": value }));
    json!({
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "size": short,
        "family": format!("standard{letters}Family"),
        "locations": [location],
        "locationInfo": [{ "location": location, "zones": ["1", "2", "3"], "zoneDetails": [] }],
        "capabilities": capabilities.collect::<Vec<_>>(),
        "restrictions": [],
    })
}

static USAGES: &[Usage] = &[
    Usage("availabilitySets", "Availability Sets", 2500, "Microsoft.Compute/availabilitySets"),
    Usage("virtualMachines", "Virtual Machines", 25_000, "Microsoft.Compute/virtualMachines"),
    Usage(
        "virtualMachineScaleSets",
        "Virtual Machine Scale Sets",
        2500,
        "Microsoft.Compute/virtualMachineScaleSets",
    ),
    Usage("disks", "Managed Disks", 50_000, disks::TYPE),
    Usage("snapshots", "Snapshots", 75_000, snapshots::TYPE),
];

pub(super) fn usages(call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!({ "value": usages::counted(call, USAGES)? })))
}
