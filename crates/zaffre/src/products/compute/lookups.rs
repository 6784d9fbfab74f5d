//! What clients look up in a region before they make a machine: functions of the provider, a row each.

use azure::{error::Result, locations};
use serde_json::json;

use super::{PROVIDER, VERSIONS, images, run_command, sizes};
use crate::{
    arm::{
        self,
        kind::{Answer, Call, Function, View},
    },
    resources,
    store::Txn,
};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::look_up(&VERSIONS, "skus", "Microsoft.Compute/skus/read", sizes::skus),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/virtualMachines",
        "Microsoft.Compute/virtualMachines/read",
        machines,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/vmSizes",
        "Microsoft.Compute/locations/vmSizes/read",
        sizes::list,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/usages",
        "Microsoft.Compute/locations/usages/read",
        sizes::usages,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/runCommands",
        "Microsoft.Compute/locations/runCommands/read",
        run_command::list,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/runCommands/{commandId}",
        "Microsoft.Compute/locations/runCommands/read",
        run_command::one,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers",
        "Microsoft.Compute/locations/publishers/read",
        images::publishers,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/read",
        images::offers,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/read",
        images::skus,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        images::versions,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions/{version}",
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        images::version,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmextension/types",
        "Microsoft.Compute/locations/publishers/artifacttypes/types/read",
        images::extension_types,
    ),
    Function::look_up(
        &VERSIONS,
        "locations/{location}/publishers/{publisher}/artifacttypes/vmextension/types/{type}/versions",
        "Microsoft.Compute/locations/publishers/artifacttypes/types/versions/read",
        images::extension_versions,
    ),
];

/// The machines of a region, in every group.
fn machines(call: &Call<'_, &Txn>) -> Result<Answer> {
    let location = locations::normalize(call.parameter("location"));
    let all = resources::of_type(call.txn, "Microsoft.Compute/virtualMachines", call.id, None, usize::MAX)?;
    let near = all.iter().filter(|it| it.location.as_deref() == Some(&*location));
    let shown = near.map(|resource| {
        let (cx, txn, version, origin) = (call.cx, call.txn, call.version, call.origin);
        arm::shown(&PROVIDER, &View { cx, txn, resource, version, query: call.query, origin })
    });
    Ok(Answer::ok(json!({ "value": shown.collect::<Result<Vec<_>>>()? })))
}
