//! `managementGroups/settings`: who may make groups, and where they go. The root group's alone.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{BAD_BODY, BAD_PARENT, NO_SETTINGS, NOT_THE_ROOT};
use crate::{
    access::management_groups::{self, Settings},
    arm::kind::{Edit, Look, Own, Written},
    cloud::Charter,
};

pub(super) static OWN: Own =
    Own { get, list, put, patch: Some(patch), delete, delete_shows: false, absent: Some(absent) };

fn absent(id: &ResourceId) -> azure::error::Error {
    NO_SETTINGS.with([group_in(id)])
}

fn group_in(id: &ResourceId) -> &str {
    id.segments().nth(3).unwrap_or_default()
}

fn is_root(id: &ResourceId, charter: &Charter) -> bool {
    group_in(id).parse() == Ok(charter.tenant)
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let charter = &look.cx.cloud.charter;
    let is_ours = is_root(look.id, charter) && look.id.name().eq_ignore_ascii_case("default");
    let settings = management_groups::settings(look.txn)?.filter(|_| is_ours);
    Ok(settings.map(|settings| shown(&settings, charter)))
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let charter = &look.cx.cloud.charter;
    let settings = management_groups::settings(look.txn)?.filter(|_| is_root(look.id, charter));
    Ok(settings.map(|settings| shown(&settings, charter)).into_iter().collect())
}

fn shown(settings: &Settings, charter: &Charter) -> Value {
    let root = azure::rbac::group(&management_groups::root_name(charter));
    let default = settings.default_group.as_deref().map(azure::rbac::group);
    json!({
        "id": root.child("settings", "default"),
        "type": "Microsoft.Management/managementGroups/settings",
        "name": "default",
        "properties": {
            "tenantId": charter.tenant,
            "requireAuthorizationForGroupCreation": settings.requires_authorization,
            "defaultManagementGroup": default,
        },
    })
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    write(edit, Settings::default())
}

fn patch(edit: &mut Edit<'_>) -> Result<Written> {
    let current = management_groups::settings(edit.txn)?.unwrap_or_default();
    write(edit, current)
}

fn write(edit: &mut Edit<'_>, current: Settings) -> Result<Written> {
    let charter = &edit.cx.cloud.charter;
    if !is_root(edit.id, charter) {
        return Err((&NOT_THE_ROOT).into());
    }
    if !edit.id.name().eq_ignore_ascii_case("default") {
        return Err(BAD_BODY.with(["the settings are called 'default'"]));
    }
    let properties = &edit.body["properties"];
    let settings = Settings {
        requires_authorization: properties["requireAuthorizationForGroupCreation"]
            .as_bool()
            .unwrap_or(current.requires_authorization),
        default_group: match properties["defaultManagementGroup"].as_str() {
            Some(named) => Some(group_named(edit, named)?),
            None => current.default_group,
        },
    };
    management_groups::put_settings(edit.txn, &settings)?;
    Ok(Written { is_new: false, body: shown(&settings, charter) })
}

/// A group by its id, or by its name alone.
fn group_named(edit: &Edit<'_>, named: &str) -> Result<String> {
    let tree = management_groups::tree(edit.txn, &edit.cx.cloud.charter)?;
    let name = named.rsplit('/').next().unwrap_or_default();
    tree.get(name).map(|group| group.name.clone()).ok_or_else(|| BAD_PARENT.with([named]))
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let was = get(&edit.look())?;
    if was.is_some() {
        management_groups::delete_settings(edit.txn)?;
    }
    Ok(was)
}
