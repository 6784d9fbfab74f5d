//! The virtual machines, as the operator names them.

use std::net::SocketAddrV4;

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::codes;
use crate::{
    host::PublicDoor,
    resources::{self, INSTANCES, Resource},
    service::{Cx, Reply},
    store::Txn,
};

const VIRTUAL_MACHINES: &str = "Microsoft.Compute/virtualMachines";
/// More than anybody runs on one machine.
const LISTED: usize = 1000;

pub(super) async fn list(cx: &Cx) -> Result<Reply> {
    let all = cx.read(all).await?;
    let doors = cx.env.public_doors.of(cx.cloud.id);
    let value: Vec<Value> = all.iter().map(|vm| shown(cx, vm, &doors)).collect();
    Ok(Reply::json(200, &json!({ "value": value })))
}

/// Where what is open at machines' public addresses is.
pub(super) fn doors(cx: &Cx) -> Reply {
    let all = cx.env.public_doors.of(cx.cloud.id);
    let value: Vec<Value> = all.iter().map(|(public, door)| door_shown(*public, door)).collect();
    Reply::json(200, &json!({ "value": value }))
}

fn door_shown(public: SocketAddrV4, door: &PublicDoor) -> Value {
    json!({ "address": public.ip(), "port": public.port(), "at": door.at, "vm": door.vm })
}

fn shown(cx: &Cx, vm: &Resource, doors: &[(SocketAddrV4, PublicDoor)]) -> Value {
    let own = doors.iter().filter(|(_, door)| door.vm == vm.id);
    let guests = cx.env.guests.get();
    let ssh = guests.and_then(|it| it.ssh(cx.cloud.id, &vm.id));
    json!({
        "name": vm.machine_name(),
        "resourceGroup": vm.id.resource_group(),
        "location": vm.location,
        "identity": vm.identity.is_some(),
        "state": vm.state.as_str(),
        "simulated": guests.is_some_and(|it| it.is_on_host(cx.cloud.id, &vm.id)),
        "ssh": ssh.map(|it| json!({
            "address": it.address.ip(),
            "port": it.address.port(),
            "user": it.user,
            "hostKey": it.host_key,
        })),
        "doors": own.map(|(public, door)| door_shown(*public, door)).collect::<Vec<_>>(),
        "id": vm.id,
    })
}

fn all(txn: &Txn) -> Result<Vec<Resource>> {
    let mut all = resources::of_type(txn, VIRTUAL_MACHINES, &ResourceId::root(), None, LISTED)?;
    all.extend(resources::of_type(txn, INSTANCES, &ResourceId::root(), None, LISTED)?);
    Ok(all)
}

/// What a machine's console has shown since it was booted.
pub(super) async fn log(cx: &Cx, name: &str) -> Result<Reply> {
    let vm = cx.read(|txn| named(txn, name)).await?;
    let guests = cx.env.guests.get().ok_or_else(|| codes::NO_GUESTS.with([vm.name()]))?;
    let text = guests.log(cx.door.cloud, &vm.id).unwrap_or_default();
    Ok(Reply::json(200, &json!({ "log": text })))
}

/// The machine of a name, or of a whole resource id. A name that several machines have is none of theirs.
pub(super) fn named(txn: &Txn, name: &str) -> Result<Resource> {
    let mut all = all(txn)?;
    let is_meant = |vm: &Resource| match name.starts_with('/') {
        true => vm.id.as_str().eq_ignore_ascii_case(name),
        false => vm.machine_name().eq_ignore_ascii_case(name),
    };
    let listed =
        |vms: &[Resource], say: fn(&Resource) -> String| vms.iter().map(say).collect::<Vec<_>>().join(", ");
    let meant: Vec<usize> = (0..all.len()).filter(|&at| is_meant(&all[at])).collect();
    match meant[..] {
        [one] => Ok(all.swap_remove(one)),
        [] if all.is_empty() => Err(codes::NO_VMS.bare()),
        [] => {
            Err(codes::NO_SUCH_VM.with([name.to_owned(), listed(&all, |vm| vm.machine_name().into_owned())]))
        }
        _ => {
            let ids: Vec<Resource> = all.into_iter().filter(is_meant).collect();
            Err(codes::MANY_SUCH_VMS.with([name.to_owned(), listed(&ids, |vm| vm.id.to_string())]))
        }
    }
}
