//! What clients look up in a region before they make a machine: functions of the provider, a row each.

use azure::error::Result;

use super::{VERSIONS, images, run_command, sizes};
use crate::{
    arm::kind::{Answer, At, Call, Function, On, Run},
    store::Txn,
};

const fn look_up(
    path: &'static str,
    action: &'static str,
    run: fn(&Call<'_, &Txn>) -> Result<Answer>,
) -> Function {
    Function { path, at: At::Subscription, method: On::Get, action, versions: &VERSIONS, run: Run::Read(run) }
}

pub(super) static FUNCTIONS: &[Function] = &[
    look_up("skus", "Microsoft.Compute/skus/read", sizes::skus),
    look_up("locations/{location}/vmSizes", "Microsoft.Compute/locations/vmSizes/read", sizes::list),
    look_up("locations/{location}/usages", "Microsoft.Compute/locations/usages/read", sizes::usages),
    look_up(
        "locations/{location}/runCommands",
        "Microsoft.Compute/locations/runCommands/read",
        run_command::list,
    ),
    look_up(
        "locations/{location}/runCommands/{commandId}",
        "Microsoft.Compute/locations/runCommands/read",
        run_command::one,
    ),
    look_up(
        "locations/{location}/publishers",
        "Microsoft.Compute/locations/publishers/read",
        images::publishers,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/read",
        images::offers,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/read",
        images::skus,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        images::versions,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions/{version}",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        images::version,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmextension/types",
        "Microsoft.Compute/locations/publishers/artifacttypes/types/read",
        images::extension_types,
    ),
    look_up(
        "locations/{location}/publishers/{publisher}/artifacttypes/vmextension/types/{type}/versions",
        "Microsoft.Compute/locations/publishers/artifacttypes/types/versions/read",
        images::extension_versions,
    ),
];
