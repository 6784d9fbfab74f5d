//! `locks`: on a subscription, a group or a resource (arm.md §9). What they stop, `arm` sees to.

use azure::{error::Result, ids::ResourceId, odata::Filter};
use serde_json::{Value, json};

use super::v;
use crate::{
    arm::{
        self,
        kind::{Edit, Look, Own, Written},
    },
    products,
    resources::locks::{self, Level, Lock},
};

/// locks-rest.md; az asks for 2016-09-01.
pub(super) static VERSIONS: [azure::api_version::ApiVersion; 5] =
    [v("2015-01-01"), v("2015-06-01"), v("2016-09-01"), v("2017-04-01"), v("2020-05-01")];

azure::error_rows! {
    static TABLE;
    NOT_FOUND = 404 "LockNotFound" "The lock '{0}' could not be found.", "code and wording unverified";
    BAD_LEVEL = 400 "InvalidLockLevel" "The lock level '{0}' is invalid. The supported lock levels are 'CanNotDelete,ReadOnly'.", "documented: the levels; code and wording unverified";
    LONG_NOTES = 400 "InvalidLockNotes" "The notes of a lock may not exceed 512 characters.", "documented: lock-resources.md; code and wording unverified";
    SCOPE_NOT_FOUND = 404 "ResourceNotFound" "The Resource '{0}' to be locked was not found.", "wording unverified";
    BAD_FILTER = 400 "InvalidFilter" "The filter '{0}' is not supported.", "unverified";
}

const MOST_NOTES: usize = 512;

pub(super) static OWN: Own = Own {
    get: |look| Ok(locks::get(look.txn, look.id)?.map(|it| shown(&it))),
    list,
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(|id: &ResourceId| NOT_FOUND.with([id.name()])),
};

/// Those at the scope and inside it; with `atScope()`, at the scope and above it.
fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    if !is_at_scope(look)? {
        return Ok(locks::within(look.txn, look.id)?.iter().map(shown).collect());
    }
    let top = look.id.subscription_root().unwrap_or_else(ResourceId::root);
    let all = locks::within(look.txn, &top)?;
    Ok(all.iter().filter(|it| it.scope().holds(look.id)).map(shown).collect())
}

fn is_at_scope(look: &Look<'_>) -> Result<bool> {
    let asked = look.query.iter().find(|(name, _)| name.eq_ignore_ascii_case("$filter"));
    let Some(text) = asked.map(|(_, text)| text.as_str()).filter(|it| !it.trim().is_empty()) else {
        return Ok(false);
    };
    let filter = Filter::parse(text).map_err(|bad| BAD_FILTER.with([text]).because(bad))?;
    if filter.call("atScope").is_some() { Ok(true) } else { Err(BAD_FILTER.with([text])) }
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let lock = read(edit.id, edit.body)?;
    let scope = lock.scope();
    let at_scope = Look { id: &scope, query: &[], ..edit.look() };
    if scope.namespace().is_some() && !arm::is_there(products::PROVIDERS, &at_scope)? {
        return Err(SCOPE_NOT_FOUND.with([scope.as_str()]));
    }
    let is_new = locks::get(edit.txn, edit.id)?.is_none();
    locks::put(edit.txn, &lock)?;
    Ok(Written { is_new, body: shown(&lock) })
}

fn read(id: &ResourceId, body: &Value) -> Result<Lock> {
    let properties = &body["properties"];
    let text = |name: &str| properties[name].as_str();
    let named = text("level").unwrap_or_default();
    let level = Level::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(named));
    let level = level.ok_or_else(|| BAD_LEVEL.with([named]))?;
    let notes = text("notes").map(str::to_owned);
    if notes.as_ref().is_some_and(|it| it.chars().count() > MOST_NOTES) {
        return Err((&LONG_NOTES).into());
    }
    let owners = Some(&properties["owners"]).filter(|it| it.is_array()).cloned();
    Ok(Lock { id: id.clone(), level, notes, owners })
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let present = locks::get(edit.txn, edit.id)?;
    locks::delete(edit.txn, edit.id)?;
    Ok(present.map(|it| shown(&it)))
}

fn shown(lock: &Lock) -> Value {
    let mut properties = json!({ "level": lock.level });
    for (name, value) in [("notes", lock.notes.clone().map(Value::String)), ("owners", lock.owners.clone())] {
        if let Some(value) = value {
            properties[name] = value;
        }
    }
    json!({
        "properties": properties,
        "id": lock.id,
        "type": "Microsoft.Authorization/locks",
        "name": lock.id.name(),
    })
}
