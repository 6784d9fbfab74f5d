//! `managementGroups`: a group, its parent, and what is below it.

use azure::{
    conditions::Attributes,
    error::{Error, Result},
    ids::{Guid, ResourceId},
    names::BadName,
    rbac,
};
use serde_json::{Map, Value, json};

use super::{
    BAD_BODY, BAD_CHARACTERS, BAD_NAME, BAD_PARENT, HAS_CHILDREN, IN_CIRCLE, IS_ROOT, NOT_FOUND, TOO_DEEP,
};
use crate::{
    access::{
        assignments::{self, RoleAssignment},
        management_groups::{self, ManagementGroup, Tree},
    },
    arm::kind::{Answer, Call, Edit, Look, Own, Written},
    cloud::Charter,
    store::Txn,
};

/// `Owner` among the built-in roles, which whoever makes a group is given there.
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const TYPE: &str = "Microsoft.Management/managementGroups";
const WRITE: &str = "Microsoft.Management/managementGroups/write";

pub(super) static OWN: Own = Own {
    get,
    // The provider's function lists them, by what its caller may see; no other scope has any.
    list: |_| Ok(Vec::new()),
    put,
    patch: Some(patch),
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| NOT_FOUND.with([id.name()])),
};

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    let charter = &look.cx.cloud.charter;
    let tree = management_groups::tree(look.txn, charter)?;
    let asks = |name: &str, value: &str| {
        look.query
            .iter()
            .any(|(key, given)| key.eq_ignore_ascii_case(name) && given.eq_ignore_ascii_case(value))
    };
    Ok(tree.get(look.id.name()).map(|group| {
        let mut shown = document(&tree, group, charter);
        if asks("$expand", "children") {
            shown["properties"]["children"] = below(&tree, group, charter, asks("$recurse", "true"));
        }
        if asks("$expand", "path") || asks("$expand", "ancestors") {
            let above: Vec<&ManagementGroup> = tree.above(group).collect();
            let path = above.iter().rev().chain([&group]).map(|it| named(it));
            let details = &mut shown["properties"]["details"];
            details["path"] = path.collect();
            details["managementGroupAncestors"] = above.iter().map(|it| json!(it.name)).collect();
            details["managementGroupAncestorsChain"] = above.iter().map(|it| named(it)).collect();
        }
        shown
    }))
}

/// As recorded (azure-cli's test_add_remove_subscription_under_mg.yaml).
fn document(tree: &Tree, group: &ManagementGroup, charter: &Charter) -> Value {
    let mut details = json!({
        "version": group.version,
        "updatedTime": group.updated.iso(),
        "updatedBy": group.updated_by,
    });
    if let Some(parent) = tree.above(group).next() {
        let parent = json!({ "id": parent.id(), "name": parent.name, "displayName": parent.display_name });
        details["parent"] = parent;
    }
    let properties = json!({
        "tenantId": charter.tenant, "displayName": group.display_name, "details": details,
    });
    json!({ "id": group.id(), "type": TYPE, "name": group.name, "properties": properties })
}

fn named(group: &ManagementGroup) -> Value {
    json!({ "name": group.name, "displayName": group.display_name })
}

/// The groups and subscriptions right below, and below those where that is asked for.
fn below(tree: &Tree, group: &ManagementGroup, charter: &Charter, recurses: bool) -> Value {
    let groups = tree.children(group).map(|child| {
        let mut shown =
            json!({ "id": child.id(), "type": TYPE, "name": child.name, "displayName": child.display_name });
        if recurses {
            let below = below(tree, child, charter, true);
            if below.as_array().is_some_and(|list| !list.is_empty()) {
                shown["children"] = below;
            }
        }
        shown
    });
    let subscription = tree.holds_subscription(group).then(|| {
        json!({
            "id": tree.subscription, "type": "/subscriptions", "name": charter.subscription,
            "displayName": charter.subscription_name,
        })
    });
    groups.chain(subscription).collect()
}

/// Everything below a group, flat, each with its parent.
pub(super) fn descendants(call: &Call<'_, &Txn>) -> Result<Answer> {
    let charter = &call.cx.cloud.charter;
    let tree = management_groups::tree(call.txn, charter)?;
    let mut value = Vec::new();
    if let Some(group) = tree.get(call.id.name()) {
        collect(&tree, group, charter, &mut value);
    }
    Ok(Answer::ok(json!({ "value": value })))
}

fn collect(tree: &Tree, group: &ManagementGroup, charter: &Charter, value: &mut Vec<Value>) {
    let under = |name: &str| json!({ "displayName": name, "parent": { "id": group.id() } });
    if tree.holds_subscription(group) {
        value.push(json!({
            "id": tree.subscription, "type": "/subscriptions", "name": charter.subscription,
            "properties": under(&charter.subscription_name),
        }));
    }
    for child in tree.children(group) {
        let properties = under(&child.display_name);
        value.push(json!({ "id": child.id(), "type": TYPE, "name": child.name, "properties": properties }));
        collect(tree, child, charter, value);
    }
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let properties = &edit.body["properties"];
    let display_name = properties["displayName"].as_str().map(str::to_owned);
    let parent = parent_named(&properties["details"]["parent"]["id"])?;
    write(edit, display_name, parent)
}

/// A PATCH has its members at the top: `displayName`, `parentGroupId`.
fn patch(edit: &mut Edit<'_>) -> Result<Written> {
    let display_name = edit.body["displayName"].as_str().map(str::to_owned);
    let parent = parent_named(&edit.body["parentGroupId"])?;
    write(edit, display_name, parent)
}

/// The name at the end of a parent's id; az sends no id, or null, where the user named no parent.
fn parent_named(id: &Value) -> Result<Option<String>> {
    let Some(text) = id.as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = ResourceId::parse(text).ok().filter(|id| rbac::group_of(id).as_ref() == Some(id));
    parsed.map(|id| Some(id.name().to_owned())).ok_or_else(|| BAD_PARENT.with([text]))
}

fn write(edit: &mut Edit<'_>, display_name: Option<String>, parent: Option<String>) -> Result<Written> {
    let charter = &edit.cx.cloud.charter;
    let tree = management_groups::tree(edit.txn, charter)?;
    let name = edit.id.name();
    let current = tree.get(name);
    if current.is_some() {
        edit.confirm(Attributes::none())?;
    }
    let parent = match (current, parent) {
        (Some(current), None) => current.parent.clone(),
        (None, None) => Some(default_parent(edit.txn, charter)?),
        (_, Some(parent)) => Some(parent),
    };
    let parent = parent.map(|name| tree.get(&name).ok_or_else(|| BAD_PARENT.with([name]))).transpose()?;
    check_place(&tree, current, name, parent)?;
    demand_places(edit, &tree, current, parent)?;
    let group = ManagementGroup {
        name: current.map_or_else(|| name.to_owned(), |it| it.name.clone()),
        display_name: display_name
            .or_else(|| current.map(|it| it.display_name.clone()))
            .unwrap_or_else(|| name.to_owned()),
        parent: parent.map(|it| it.name.clone()),
        version: current.map_or(1, |it| it.version + 1),
        updated: edit.cx.now,
        updated_by: edit.permit.caller().principal().map(|it| it.object_id),
    };
    if group.display_name.trim().is_empty() {
        return Err(BAD_BODY.with(["it has an empty displayName"]));
    }
    management_groups::put(edit.txn, &group)?;
    if current.is_none() {
        give_to_maker(edit, &group)?;
    }
    let tree = management_groups::tree(edit.txn, charter)?;
    // 200 for a new one too: clients take 200 and 202, and 201 for a mistake.
    Ok(Written { is_new: false, body: document(&tree, &group, charter) })
}

fn default_parent(txn: &Txn, charter: &Charter) -> Result<String> {
    let settings = management_groups::settings(txn)?.unwrap_or_default();
    Ok(settings.default_group.unwrap_or_else(|| management_groups::root_name(charter)))
}

/// What may not be a group's name, and why.
pub(super) fn bad_name(name: &str, bad: &BadName) -> Error {
    match bad {
        BadName::Characters(which) => BAD_CHARACTERS.with([name, which]),
        BadName::First(which) | BadName::Last(which) => BAD_CHARACTERS.with([name, &which.to_string()]),
        BadName::Length { .. } | BadName::Form(_) => BAD_NAME.with([name]),
    }
}

fn check_place(
    tree: &Tree,
    current: Option<&ManagementGroup>,
    name: &str,
    parent: Option<&ManagementGroup>,
) -> Result<()> {
    let is_root = tree.root().is_named(name);
    let Some(parent) = parent else { return if is_root { Ok(()) } else { Err(BAD_PARENT.with([name])) } };
    if is_root {
        return Err((&IS_ROOT).into());
    }
    if parent.is_named(name) || tree.above(parent).any(|it| it.is_named(name)) {
        return Err(IN_CIRCLE.with([name]));
    }
    // The root group's own level does not count: what stands right below it is at the first.
    let depth = tree.above(parent).count() + 1 + current.map_or(0, |it| tree.height(it));
    match depth <= rbac::MAX_DEPTH {
        true => Ok(()),
        false => Err(TOO_DEEP.with([rbac::MAX_DEPTH.to_string()])),
    }
}

/// Leave to put something below a group that it was not below, and to take it from where it was. The root
/// group demands nothing of the kind (management-groups overview), unless its settings say so of new groups.
fn demand_places(
    edit: &Edit<'_>,
    tree: &Tree,
    current: Option<&ManagementGroup>,
    parent: Option<&ManagementGroup>,
) -> Result<()> {
    let before = current.and_then(|it| tree.above(it).next());
    let is_moved = before.map(|it| &it.name) != parent.map(|it| &it.name);
    for place in [before, parent].into_iter().flatten().filter(|it| is_moved && it.parent.is_some()) {
        edit.demand(WRITE, &place.id())?;
    }
    let settings = management_groups::settings(edit.txn)?.unwrap_or_default();
    match current {
        None if settings.requires_authorization => edit.demand(WRITE, &tree.root().id()),
        _ => edit.confirm_nothing(),
    }
}

/// "The creator is given an Owner role assignment" (management-groups overview).
fn give_to_maker(edit: &mut Edit<'_>, group: &ManagementGroup) -> Result<()> {
    let Some(maker) = edit.permit.caller().principal() else { return Ok(()) };
    let owner: Guid = OWNER.parse().expect("a constant guid");
    let holder = (maker.object_id, maker.kind);
    let mut given = RoleAssignment::plain(edit.draw.guid(), &group.id(), holder, owner, edit.cx.now);
    given.created_by = Some(maker.object_id);
    given.updated_by = Some(maker.object_id);
    assignments::put(edit.txn, &given)
}

/// With what was given at the group itself. Says nothing of what was there: az takes 202 and 204 alone.
fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let tree = management_groups::tree(edit.txn, &edit.cx.cloud.charter)?;
    let Some(group) = tree.get(edit.id.name()) else { return Ok(None) };
    if group.parent.is_none() {
        return Err((&IS_ROOT).into());
    }
    if tree.holds_subscription(group) || tree.children(group).next().is_some() {
        return Err(HAS_CHILDREN.with([group.name.clone()]));
    }
    for given in assignments::within(edit.txn, &group.id())? {
        assignments::delete(edit.txn, &given.id, edit.cx.now)?;
    }
    management_groups::delete(edit.txn, &group.name)?;
    Ok(None)
}

/// How a list shows a group.
pub(super) fn summary(group: &ManagementGroup, charter: &Charter) -> Value {
    let mut shown = Map::from_iter([
        ("id".to_owned(), json!(group.id())),
        ("type".to_owned(), json!(TYPE)),
        ("name".to_owned(), json!(group.name)),
    ]);
    let properties = json!({ "tenantId": charter.tenant, "displayName": group.display_name });
    shown.insert("properties".to_owned(), properties);
    Value::Object(shown)
}
