//! `sqlDatabases` and `containers`: the data plane's databases and collections, as Resource Manager shows them.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Map, Value, json};

use super::{document, not_found};
use crate::{
    arm::kind::{Edit, Look, Own, Written},
    products::cosmos::{
        codes,
        collections::{self, Collection},
        databases::{self, Database},
        offers::{self, Throughput},
    },
    store::Txn,
};

pub(super) static DATABASES: Own = Own {
    get: |look| Ok(database(look.txn, look.id)?.map(|it| shown_database(look.id, &it))),
    list: list_databases,
    put: put_database,
    patch: None,
    delete: delete_database,
    delete_shows: false,
    absent: Some(not_found),
};

pub(super) static CONTAINERS: Own = Own {
    get: |look| Ok(container(look.txn, look.id)?.map(|it| shown_container(look.id, &it))),
    list: list_containers,
    put: put_container,
    patch: None,
    delete: delete_container,
    delete_shows: false,
    absent: Some(not_found),
};

/// The database that the id names or lies in.
pub(super) fn database(txn: &Txn, id: &ResourceId) -> Result<Option<Database>> {
    match id.names().get(1) {
        Some(name) => databases::named(txn, &id.account(), name),
        None => Ok(None),
    }
}

/// The container that the id names or lies in.
pub(super) fn container(txn: &Txn, id: &ResourceId) -> Result<Option<Collection>> {
    match (database(txn, id)?, id.names().get(2)) {
        (Some(database), Some(name)) => collections::named(txn, &id.account(), &database, name),
        _ => Ok(None),
    }
}

fn list_databases(look: &Look<'_>) -> Result<Vec<Value>> {
    let account = look.id.account();
    let all = databases::list(look.txn, &account, None, usize::MAX)?;
    Ok(all.iter().map(|it| shown_database(&account.child("sqlDatabases", &it.name), it)).collect())
}

fn list_containers(look: &Look<'_>) -> Result<Vec<Value>> {
    let Some(database) = database(look.txn, look.id)? else { return Err(codes::NOT_FOUND.bare()) };
    let account = look.id.account();
    let parent = account.child("sqlDatabases", &database.name);
    let all = collections::list(look.txn, &account, &database, None, usize::MAX)?;
    Ok(all.iter().map(|it| shown_container(&parent.child("containers", &it.name), it)).collect())
}

/// A database has nothing to change but its throughput, which has a resource of its own.
fn put_database(edit: &mut Edit<'_>) -> Result<Written> {
    resource_of(edit)?;
    let throughput = throughput_of(&edit.body["properties"]["options"])?;
    if let Some(present) = database(edit.txn, edit.id)? {
        return Ok(Written { is_new: false, body: shown_database(edit.id, &present) });
    }
    let account = edit.id.account();
    let made = databases::create(edit.txn, edit.draw, &account, (edit.id.name(), throughput), edit.cx.now)?;
    Ok(Written { is_new: true, body: shown_database(edit.id, &made) })
}

fn put_container(edit: &mut Edit<'_>) -> Result<Written> {
    let resource = resource_of(edit)?.clone();
    let throughput = throughput_of(&edit.body["properties"]["options"])?;
    let account = edit.id.account();
    let Some(database) = database(edit.txn, edit.id)? else { return Err(codes::OWNER_NOT_FOUND.bare()) };
    let present = container(edit.txn, edit.id)?;
    let is_new = present.is_none();
    let written = match present {
        Some(present) => {
            collections::replace(edit.txn, edit.draw, &account, (present, &resource), edit.cx.now)?
        }
        None => {
            let wanted = (edit.id.name(), &resource, throughput);
            collections::create(edit.txn, edit.draw, (&account, &database), wanted, edit.cx.now)?
        }
    };
    Ok(Written { is_new, body: shown_container(edit.id, &written) })
}

fn delete_database(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some(present) = database(edit.txn, edit.id)? else { return Ok(None) };
    databases::delete(edit.txn, &edit.id.account(), &present)?;
    Ok(Some(shown_database(edit.id, &present)))
}

fn delete_container(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some(present) = container(edit.txn, edit.id)? else { return Ok(None) };
    collections::delete(edit.txn, &edit.id.account(), &present)?;
    Ok(Some(shown_container(edit.id, &present)))
}

/// `properties.resource`, whose id is the name in the path.
pub(super) fn resource_of<'e>(edit: &Edit<'e>) -> Result<&'e Map<String, Value>> {
    let Some(resource) = edit.body["properties"]["resource"].as_object() else {
        return Err(codes::BAD_PROPERTY.with(["resource"]));
    };
    match resource.get("id").and_then(Value::as_str) {
        Some(id) if id == edit.id.name() => Ok(resource),
        _ => Err(codes::BAD_PROPERTY.with(["resource.id"])),
    }
}

/// `{"throughput": 400}` or `{"autoscaleSettings": {"maxThroughput": 4000}}`.
pub(super) fn throughput_of(options: &Value) -> Result<Option<Throughput>> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    offers::Throughput::of(
        number(&options["throughput"]),
        number(&options["autoscaleSettings"]["maxThroughput"]),
    )
}

fn shown_database(id: &ResourceId, database: &Database) -> Value {
    document(id, "sqlDatabases", json!({ "resource": database.shown() }))
}

fn shown_container(id: &ResourceId, container: &Collection) -> Value {
    document(id, "sqlDatabases/containers", json!({ "resource": container.shown() }))
}
