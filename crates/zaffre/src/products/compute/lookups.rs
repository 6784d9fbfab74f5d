//! What clients look up in a region before they make a machine: functions of the provider, a row each.

use azure::{error::Result, locations};
use serde_json::json;

use super::{PROVIDER, VERSIONS, images, run_command, sizes};
use crate::{
    arm::{
        self,
        kind::{Answer, At, Call, Function, On, Run, View},
    },
    resources,
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
    look_up("locations/{location}/virtualMachines", "Microsoft.Compute/virtualMachines/read", machines),
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
