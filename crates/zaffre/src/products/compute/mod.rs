//! Microsoft.Compute: virtual machines, and the guests that they are.
//!
//! - `vm.rs`: what a PUT, PATCH or DELETE of a virtual machine means. `view.rs`: how it is shown.
//! - `power.rs`: start, powerOff, restart, deallocate. `extension.rs`: the old identity extension.
//! - `logins.rs`: who may sign in, beside what `osProfile` shows; `vm_access.rs`: the extension that changes it.
//! - `disks.rs`, `snapshots.rs`, `availability_sets.rs`, `managed_images.rs`: a type each. `attached.rs`: the disks of a machine.
//! - `scale_sets.rs`: one model and many machines; `instances.rs`: these machines.
//! - `run_command.rs`: scripts in machines, as an action; `run_commands.rs`: as resources.
//! - `images.rs`, `sizes.rs`, `disk_kinds.rs`: what the platform has; `lookups.rs`: how clients ask for it.
//! - `machine.rs`: desired state, and what was seen. `reconcile.rs`: the one task that makes guests follow.
//! - `events.rs`: what scheduled events announce, and does.
//! - `custom_data.rs`: what a machine's beginning was told; `cloud_init.rs`: what that means.
//! - `codes.rs`: Compute's own errors.
//!
//! Nothing here but the reconciler touches a guest, and it answers nobody: providers write, it follows.

mod attached;
mod availability_sets;
mod cloud_init;
mod codes;
mod custom_data;
mod disk_kinds;
mod disks;
mod events;
mod extension;
mod images;
mod instances;
mod logins;
mod lookups;
mod machine;
mod managed_images;
mod power;
pub mod reconcile;
mod run_command;
mod run_commands;
mod scale_sets;
mod sizes;
mod snapshots;
mod view;
mod vm;
mod vm_access;

#[cfg(test)]
mod tests;

use azure::{api_version::ApiVersion, identity::Shape};

use crate::arm::kind::{Answers, Kind, Link, Located, Moves, Provider, Verb};

/// Those of virtual machines that clients were seen to send, and the steps of the `identity` block between them
/// (resources.md §2.1, az-cli.md §12).
static VERSIONS: [ApiVersion; 30] = [
    ApiVersion::of("2015-06-15"),
    ApiVersion::of("2016-03-30"),
    ApiVersion::of("2016-04-30-preview"),
    ApiVersion::of("2017-03-30"),
    ApiVersion::of("2017-12-01"),
    ApiVersion::of("2018-04-01"),
    ApiVersion::of("2018-06-01"),
    ApiVersion::of("2018-10-01"),
    ApiVersion::of("2019-03-01"),
    ApiVersion::of("2019-07-01"),
    ApiVersion::of("2019-12-01"),
    ApiVersion::of("2020-06-01"),
    ApiVersion::of("2020-12-01"),
    ApiVersion::of("2021-03-01"),
    ApiVersion::of("2021-04-01"),
    ApiVersion::of("2021-07-01"),
    ApiVersion::of("2021-11-01"),
    ApiVersion::of("2022-03-01"),
    ApiVersion::of("2022-08-01"),
    ApiVersion::of("2022-11-01"),
    ApiVersion::of("2023-03-01"),
    ApiVersion::of("2023-07-01"),
    ApiVersion::of("2023-09-01"),
    ApiVersion::of("2024-03-01"),
    ApiVersion::of("2024-07-01"),
    ApiVersion::of("2024-11-01"),
    ApiVersion::of("2025-04-01"),
    ApiVersion::of("2025-11-01"),
    ApiVersion::of("2026-03-01"),
    ApiVersion::of("2026-04-01"),
];

/// Disks have versions of their own (azure-mgmt-compute's, of general knowledge).
static DISK_VERSIONS: [ApiVersion; 17] = [
    ApiVersion::of("2016-04-30-preview"),
    ApiVersion::of("2017-03-30"),
    ApiVersion::of("2018-04-01"),
    ApiVersion::of("2018-06-01"),
    ApiVersion::of("2018-09-30"),
    ApiVersion::of("2019-03-01"),
    ApiVersion::of("2019-07-01"),
    ApiVersion::of("2020-05-01"),
    ApiVersion::of("2020-12-01"),
    ApiVersion::of("2021-04-01"),
    ApiVersion::of("2021-12-01"),
    ApiVersion::of("2022-07-02"),
    ApiVersion::of("2023-01-02"),
    ApiVersion::of("2023-04-02"),
    ApiVersion::of("2023-10-02"),
    ApiVersion::of("2024-03-02"),
    ApiVersion::of("2025-01-02"),
];

pub static PROVIDER: Provider = Provider {
    namespace: "Microsoft.Compute",
    kinds: &[
        Kind {
            identity: Some(Shape::of_compute),
            answers: Answers::CreatedThenAsync,
            put: vm::put,
            delete: vm::delete,
            settle: Some(vm::settle),
            moves: Moves::With(vm::moved),
            view: view::properties,
            beside: view::beside,
            actions: power::VERBS,
            links: &[Link {
                path: "networkProfile/networkInterfaces/*/id",
                action: "Microsoft.Network/networkInterfaces/join/action",
            }],
            ..Kind::tracked("virtualMachines", &VERSIONS)
        },
        Kind {
            location: Located::Inherited,
            answers: Answers::CreatedThenAsync,
            put: extension::put,
            delete: extension::delete,
            settle: Some(vm::settle),
            ..Kind::child("virtualMachines/extensions", &VERSIONS)
        },
        Kind {
            location: Located::Inherited,
            answers: Answers::CreatedThenAsync,
            put: run_commands::put,
            settle: Some(run_commands::settle),
            view: run_commands::view,
            ..Kind::child("virtualMachines/runCommands", &VERSIONS)
        },
        Kind {
            answers: Answers::OkThenAsync,
            put: disks::put,
            delete: disks::delete,
            view: disks::view,
            actions: disks::VERBS,
            bad_name: Some(|_, _| codes::BAD_NAME.with(["diskName"]).at("diskName")),
            ..Kind::tracked("disks", &DISK_VERSIONS)
        },
        Kind {
            answers: Answers::OkThenAsync,
            put: snapshots::put,
            view: snapshots::view,
            actions: snapshots::VERBS,
            bad_name: Some(|_, _| codes::BAD_NAME.with(["snapshotName"]).at("snapshotName")),
            ..Kind::tracked("snapshots", &DISK_VERSIONS)
        },
        Kind {
            answers: Answers::Ok,
            put: availability_sets::put,
            delete: availability_sets::delete,
            view: availability_sets::view,
            shows_state: false,
            actions: &[Verb::get("vmSizes", "vmSizes/read", sizes::list)],
            bad_name: Some(|_, _| codes::BAD_NAME.with(["availabilitySetName"]).at("availabilitySetName")),
            ..Kind::tracked("availabilitySets", &VERSIONS)
        },
        Kind {
            answers: Answers::CreatedThenAsync,
            put: managed_images::put,
            bad_name: Some(|_, _| codes::BAD_NAME.with(["imageName"]).at("imageName")),
            ..Kind::tracked("images", &VERSIONS)
        },
        Kind {
            identity: Some(Shape::of_compute),
            answers: Answers::CreatedThenAsync,
            put: scale_sets::put,
            settle: Some(vm::settle),
            moves: Moves::NotYet,
            view: scale_sets::view,
            beside: view::etag,
            actions: scale_sets::VERBS,
            links: &[Link {
                path: "virtualMachineProfile/networkProfile/networkInterfaceConfigurations/*/properties/ipConfigurations/*/properties/subnet/id",
                action: "Microsoft.Network/virtualNetworks/subnets/join/action",
            }],
            ..Kind::tracked("virtualMachineScaleSets", &VERSIONS)
        },
        Kind {
            location: Located::Inherited,
            answers: Answers::CreatedThenAsync,
            put: instances::put,
            delete: instances::delete,
            view: instances::view,
            beside: instances::names,
            actions: power::VERBS_OF_INSTANCES,
            ..Kind::child("virtualMachineScaleSets/virtualMachines", &VERSIONS)
        },
        Kind {
            put: instances::put,
            delete: instances::delete_interface,
            ..Kind::child("virtualMachineScaleSets/virtualMachines/networkInterfaces", &VERSIONS)
        },
    ],
    functions: lookups::FUNCTIONS,
    data: Vec::new,
};
