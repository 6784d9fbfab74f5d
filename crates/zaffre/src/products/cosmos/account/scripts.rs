//! `storedProcedures`, `triggers` and `userDefinedFunctions` below a container. They are kept, and nothing runs them
//! (`products::cosmos::scripts`).

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{document, not_found, sql};
use crate::{
    arm::kind::{Edit, Look, Own, Written},
    products::cosmos::{
        codes,
        collections::Collection,
        scripts::{self, Script, ScriptKind},
    },
    store::Txn,
};

pub(super) static STORED_PROCEDURES: Own =
    Own { list: |look| list(look, ScriptKind::StoredProcedure), ..ANY };
pub(super) static TRIGGERS: Own = Own { list: |look| list(look, ScriptKind::Trigger), ..ANY };
pub(super) static FUNCTIONS: Own = Own { list: |look| list(look, ScriptKind::Function), ..ANY };

/// What an id stands for, its type says; a list says it by its row.
const ANY: Own = Own {
    get,
    list: |_| Ok(Vec::new()),
    put,
    patch: None,
    delete,
    delete_shows: false,
    absent: Some(not_found),
};

fn kind_of(id: &ResourceId) -> ScriptKind {
    let name = id.resource_type().unwrap_or_default();
    let is_it = |kind: &ScriptKind| {
        name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(kind.type_name()))
    };
    ScriptKind::ALL.into_iter().find(is_it).expect("the rows of the table are of these types")
}

fn shown(id: &ResourceId, of: &Collection, script: &Script) -> Value {
    let kind = kind_of(id);
    let type_name = format!("sqlDatabases/containers/{}", kind.type_name());
    document(id, &type_name, json!({ "resource": script.shown(kind, of) }))
}

fn found(txn: &Txn, id: &ResourceId) -> Result<Option<(Collection, Script)>> {
    let Some(collection) = sql::container(txn, id)? else { return Ok(None) };
    let script = scripts::named(txn, &collection, kind_of(id), id.name())?;
    Ok(script.map(|script| (collection, script)))
}

fn get(look: &Look<'_>) -> Result<Option<Value>> {
    Ok(found(look.txn, look.id)?.map(|(collection, script)| shown(look.id, &collection, &script)))
}

fn list(look: &Look<'_>, kind: ScriptKind) -> Result<Vec<Value>> {
    let Some(collection) = sql::container(look.txn, look.id)? else { return Err(codes::NOT_FOUND.bare()) };
    let all = scripts::list(look.txn, &collection, kind)?;
    let shown = |it: &Script| shown(&look.id.child(kind.type_name(), &it.name), &collection, it);
    Ok(all.iter().map(shown).collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let resource = sql::resource_of(edit)?.clone();
    let Some(collection) = sql::container(edit.txn, edit.id)? else {
        return Err(codes::OWNER_NOT_FOUND.bare());
    };
    let kind = kind_of(edit.id);
    let is_new = scripts::named(edit.txn, &collection, kind, edit.id.name())?.is_none();
    let wanted = (edit.id.name(), &resource);
    let script = scripts::put(edit.txn, edit.draw, (&collection, kind), wanted, edit.cx.now)?;
    Ok(Written { is_new, body: shown(edit.id, &collection, &script) })
}

fn delete(edit: &mut Edit<'_>) -> Result<Option<Value>> {
    let Some((collection, script)) = found(edit.txn, edit.id)? else { return Ok(None) };
    scripts::delete(edit.txn, &collection, kind_of(edit.id), &script.name)?;
    Ok(Some(shown(edit.id, &collection, &script)))
}
