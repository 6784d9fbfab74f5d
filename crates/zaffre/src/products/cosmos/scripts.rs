//! Stored procedures, triggers and user-defined functions: JavaScript that belongs to a collection.
//!
//! They are kept and shown, as Resource Manager writes them. Nothing runs them yet: the data plane refuses its own
//! paths to them by name.

use azure::{error::Result, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{codes, collections::Collection, databases, rid, stamp::Stamp};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

/// By the collection's space, what it is, and its name.
const SCRIPTS: Table<(u64, String, String), Script> = Table::new("cosmos_scripts");

/// The document number in a `_rid` has room for a kind above it.
const NUMBER_MASK: u64 = (1 << 60) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScriptKind {
    StoredProcedure,
    Trigger,
    Function,
}

impl ScriptKind {
    pub(super) const ALL: [ScriptKind; 3] =
        [ScriptKind::StoredProcedure, ScriptKind::Trigger, ScriptKind::Function];

    /// As the data plane calls a collection of them.
    const fn feed(self) -> &'static str {
        match self {
            ScriptKind::StoredProcedure => "sprocs",
            ScriptKind::Trigger => "triggers",
            ScriptKind::Function => "udfs",
        }
    }

    /// As Resource Manager calls their type.
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            ScriptKind::StoredProcedure => "storedProcedures",
            ScriptKind::Trigger => "triggers",
            ScriptKind::Function => "userDefinedFunctions",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Script {
    pub(super) name: String,
    number: u64,
    body: String,
    /// When it runs, and at which operations; of triggers alone.
    trigger: Option<(String, String)>,
    stamp: Stamp,
}

const TRIGGER_TYPES: [&str; 2] = ["Pre", "Post"];
const TRIGGER_OPERATIONS: [&str; 5] = ["All", "Create", "Update", "Delete", "Replace"];

impl Script {
    /// As Resource Manager shows it.
    pub(super) fn shown(&self, kind: ScriptKind, of: &Collection) -> Map<String, Value> {
        let rid = of.rid.script(kind, self.number);
        let mut shown =
            Map::from_iter([("id".to_owned(), json!(self.name)), ("body".to_owned(), json!(self.body))]);
        if let Some((runs, operation)) = &self.trigger {
            shown.insert("triggerType".to_owned(), json!(runs));
            shown.insert("triggerOperation".to_owned(), json!(operation));
        }
        shown.insert("_rid".to_owned(), json!(rid));
        shown.insert("_self".to_owned(), json!(format!("{}{}/{rid}/", of.rid.self_link(), kind.feed())));
        shown.insert("_etag".to_owned(), json!(self.stamp.etag()));
        shown.insert("_ts".to_owned(), json!(self.stamp.seconds));
        shown
    }
}

fn key(of: &Collection, kind: ScriptKind, name: &str) -> (u64, String, String) {
    (of.space, kind.feed().to_owned(), name.to_owned())
}

pub(super) fn named(txn: &Txn, of: &Collection, kind: ScriptKind, name: &str) -> Result<Option<Script>> {
    Ok(SCRIPTS.get(txn, &key(of, kind, name))?)
}

/// By name.
pub(super) fn list(txn: &Txn, of: &Collection, kind: ScriptKind) -> Result<Vec<Script>> {
    let rows = SCRIPTS.scan(txn, &(of.space, kind.feed().to_owned()), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, script)| script).collect())
}

/// Makes one, or writes it anew. Refuses what has no body, and a trigger that says not when it runs.
pub(super) fn put(
    txn: &mut Txn,
    draw: &mut Draw,
    (of, kind): (&Collection, ScriptKind),
    (name, resource): (&str, &Map<String, Value>),
    now: Timestamp,
) -> Result<Script> {
    databases::check_name(name)?;
    let body = resource.get("body").and_then(Value::as_str);
    let body = body.ok_or_else(|| codes::BAD_PROPERTY.with(["body"]))?.to_owned();
    let trigger = match kind {
        ScriptKind::StoredProcedure | ScriptKind::Function => None,
        ScriptKind::Trigger => Some((
            word(resource, "triggerType", &TRIGGER_TYPES)?,
            word(resource, "triggerOperation", &TRIGGER_OPERATIONS)?,
        )),
    };
    let present = named(txn, of, kind, name)?;
    let number = present.map_or_else(|| draw.u64() & NUMBER_MASK, |it| it.number);
    let script = Script { name: name.to_owned(), number, body, trigger, stamp: Stamp::new(draw.u64(), now) };
    SCRIPTS.put(txn, &key(of, kind, name), &script)?;
    Ok(script)
}

fn word(resource: &Map<String, Value>, name: &str, words: &[&str]) -> Result<String> {
    let given = resource.get(name).and_then(Value::as_str).unwrap_or_default();
    let word = words.iter().find(|it| it.eq_ignore_ascii_case(given));
    word.map(|it| (*it).to_owned()).ok_or_else(|| codes::BAD_PROPERTY.with([name]))
}

pub(super) fn delete(txn: &mut Txn, of: &Collection, kind: ScriptKind, name: &str) -> Result<()> {
    Ok(SCRIPTS.delete(txn, &key(of, kind, name))?)
}

/// Takes away those of a collection that goes.
pub(super) fn forget(txn: &mut Txn, of: &Collection) -> Result<()> {
    for kind in ScriptKind::ALL {
        for script in list(txn, of, kind)? {
            delete(txn, of, kind, &script.name)?;
        }
    }
    Ok(())
}

impl rid::CollectionRid {
    fn script(self, kind: ScriptKind, number: u64) -> String {
        match kind {
            ScriptKind::StoredProcedure => self.stored_procedure(number),
            ScriptKind::Trigger => self.trigger(number),
            ScriptKind::Function => self.user_defined_function(number),
        }
    }
}
