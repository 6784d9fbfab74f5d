//! Lists inside a parent's properties whose items are resources of their own: a network's `subnets`, a security
//! group's `securityRules`. A PUT of the parent writes them, and shows them; they are kept as rows, and their order with
//! the parent.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
};
use serde_json::{Map, Value, json};

use super::{codes, weak};
use crate::{
    arm::kind::Change,
    resources::{self, Resource},
    store::Txn,
};

/// More than a parent may have.
const MOST: usize = 10_000;

/// One such list.
pub(super) struct Nested {
    pub(super) member: &'static str,
    pub(super) type_name: &'static str,
    /// Fills in and judges an item among its siblings-to-be; the transaction has those that came before it.
    pub(super) judge: fn(&mut Change<'_>, Item<'_>) -> Result<()>,
    /// Whether one that is no longer listed may go, and what goes with it.
    pub(super) drop: fn(&mut Txn, &Resource) -> Result<()>,
}

/// An item on its way to its row.
pub(super) struct Item<'a> {
    pub(super) parent: &'a Resource,
    pub(super) before: Option<&'a Resource>,
    pub(super) next: &'a mut Resource,
}

impl Nested {
    /// Takes the list out of the parent's properties and makes the rows what it says. A list that is not given
    /// leaves them as they are.
    pub(super) fn write(&self, change: &mut Change<'_>) -> Result<()> {
        let before = change.current.and_then(|it| it.properties.get(&self.order())).cloned();
        change.next.set(&self.order(), before.unwrap_or_default());
        let list = match change.next.properties.shift_remove(self.member) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(codes::BAD_FORMAT.with([format!("'{}' is no list", self.member)])),
        };
        let parent = change.next.clone();
        let kept = list.iter().map(|item| self.id_of(&parent.id, item)).collect::<Result<Vec<_>>>()?;
        for gone in self.rows(change.txn, &parent.id)?.iter().filter(|it| !kept.contains(&it.id)) {
            (self.drop)(change.txn, gone)?;
            resources::delete(change.txn, gone)?;
        }
        for (id, item) in kept.iter().zip(&list) {
            self.write_one(change, &parent, id, item)?;
        }
        let names: Vec<&str> = kept.iter().map(ResourceId::name).collect();
        change.next.set(&self.order(), json!(names));
        Ok(())
    }

    /// A PUT of one item by itself.
    pub(super) fn put(&self, change: &mut Change<'_>) -> Result<()> {
        let parent = change.next.id.parent().unwrap_or_else(ResourceId::root);
        let Some(parent) = resources::get(change.txn, &parent)? else { return Ok(()) };
        let (before, mut next) = (change.current.cloned(), change.next.clone());
        (self.judge)(change, Item { parent: &parent, before: before.as_ref(), next: &mut next })?;
        *change.next = next;
        Ok(())
    }

    /// Where the parent's row keeps the names in the order in which they were given.
    fn order(&self) -> String {
        format!("{}/order", self.member)
    }

    /// The rows as the parent lists them: as they were given, then as they came since. The order itself is not shown.
    pub(super) fn listed(
        &self,
        txn: &Txn,
        parent: &Resource,
        shown: &mut Map<String, Value>,
    ) -> Result<Vec<Resource>> {
        let order = shown.shift_remove(&self.order()).unwrap_or_default();
        let order: Vec<&str> = order.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let place = |it: &Resource| order.iter().position(|name| name.eq_ignore_ascii_case(it.name()));
        let mut rows = self.rows(txn, &parent.id)?;
        rows.sort_by_cached_key(|it| (place(it).unwrap_or(usize::MAX), it.created));
        Ok(rows)
    }

    fn write_one(
        &self,
        change: &mut Change<'_>,
        parent: &Resource,
        id: &ResourceId,
        item: &Value,
    ) -> Result<()> {
        let before = resources::get(change.txn, id)?;
        let etag = change.draw.guid();
        let first = || Resource::new(id.clone(), self.type_name, etag, change.cx.now);
        let mut next = before.clone().unwrap_or_else(first);
        (next.etag, next.changed) = (etag, change.cx.now);
        next.properties = item["properties"].as_object().cloned().unwrap_or_default();
        next.properties.shift_remove("provisioningState");
        (self.judge)(change, Item { parent, before: before.as_ref(), next: &mut next })?;
        resources::put(change.txn, &next)
    }

    fn id_of(&self, parent: &ResourceId, item: &Value) -> Result<ResourceId> {
        let name = item["name"].as_str().filter(|name| !name.is_empty() && !name.contains('/'));
        let name = name
            .ok_or_else(|| codes::BAD_FORMAT.with([format!("an item of '{}' has no name", self.member)]))?;
        Ok(parent.child(self.member, name))
    }

    pub(super) fn rows(&self, txn: &Txn, parent: &ResourceId) -> Result<Vec<Resource>> {
        resources::of_type(txn, self.type_name, parent, None, MOST)
    }
}

/// An item as its parent shows it.
pub(super) fn shown(item: &Resource, mut properties: Map<String, Value>) -> Value {
    properties.insert("provisioningState".to_owned(), json!(item.state.as_str()));
    document(&item.id, &item.kind_name, item.etag, properties)
}

pub(super) fn document(
    id: &ResourceId,
    type_name: &str,
    etag: Guid,
    properties: Map<String, Value>,
) -> Value {
    json!({ "name": id.name(), "id": id, "etag": weak(etag), "type": type_name, "properties": properties })
}
