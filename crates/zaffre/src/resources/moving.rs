//! A resource under another id: its row, and every index that names it.
//!
//! What uses it and what it uses stay together: the rows of its users name it by the new id afterwards. Role
//! assignments stay where they were and hold for nothing any more, as on the platform (arm.md §9). What a
//! product keeps beside the row it moves itself.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    time::Timestamp,
};
use serde_json::{Map, Value};

use super::{Resource, identity, links, names, rows, scheduled_events};
use crate::{directory::service_principals, store::Txn};

/// From one place to another, with everything inside.
pub struct Move<'a> {
    pub from: &'a ResourceId,
    pub to: &'a ResourceId,
}

impl Move<'_> {
    /// The new id of something that is moved; none for what is not.
    pub fn of(&self, id: &ResourceId) -> Option<ResourceId> {
        let rest = self.from.holds(id).then(|| &id.as_str()[self.from.as_str().len()..])?;
        ResourceId::parse(&format!("{}{rest}", self.to)).ok()
    }

    /// The same for an id that is written as text.
    fn of_text(&self, text: &str) -> Option<String> {
        let id = text.starts_with('/').then(|| ResourceId::parse(text).ok()).flatten()?;
        self.of(&id).map(|it| it.to_string())
    }

    /// Renames what is moved wherever a document names it.
    fn rewrite(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(new) = self.of_text(text) {
                    *text = new;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|it| self.rewrite(it)),
            Value::Object(map) => self.rewrite_all(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn rewrite_all(&self, map: &mut Map<String, Value>) {
        map.values_mut().for_each(|it| self.rewrite(it));
    }
}

/// Moves the rows. `etag` is that of all of them.
pub fn rows(txn: &mut Txn, moved: &Move<'_>, (etag, now): (Guid, Timestamp)) -> Result<()> {
    let mut moving = rows::within(txn, moved.from, None, usize::MAX)?;
    moving.extend(rows::get(txn, moved.from)?);
    let mut users = Vec::new();
    for mut resource in moving {
        users.extend(links::users(txn, &resource.id)?);
        rows::delete(txn, &resource)?;
        let Some(id) = moved.of(&resource.id) else { continue };
        if let Some(system) = resource.identity.as_ref().and_then(|it| it.system) {
            service_principals::moved(txn, system.principal_id, &id)?;
        }
        resource.id = id;
        moved.rewrite_all(&mut resource.properties);
        (resource.etag, resource.changed) = (etag, now);
        rows::put(txn, &resource)?;
    }
    for user in users.iter().filter(|it| !moved.from.holds(it)) {
        if let Some(mut row) = row_around(txn, user)? {
            moved.rewrite_all(&mut row.properties);
            rows::put(txn, &row)?;
        }
    }
    links::moved(txn, moved)?;
    identity::moved(txn, moved)?;
    names::moved(txn, moved)?;
    scheduled_events::moved(txn, moved)
}

/// The row that says that it uses something: its own, or that of the resource whose inner part it is.
fn row_around(txn: &Txn, user: &ResourceId) -> Result<Option<Resource>> {
    let mut at = Some(user.clone());
    while let Some(here) = at.filter(|it| it.namespace().is_some()) {
        if let Some(row) = rows::get(txn, &here)? {
            return Ok(Some(row));
        }
        at = here.parent();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_inside_move_along_and_others_do_not() {
        let id = |text: &str| ResourceId::parse(text).expect("an id");
        let (from, to) = (
            id("/subscriptions/s/resourceGroups/A/providers/n/t/one"),
            id("/subscriptions/s/resourceGroups/b/providers/n/t/one"),
        );
        let moved = Move { from: &from, to: &to };
        let mut document = json!({
            "id": "/subscriptions/S/resourcegroups/a/providers/N/T/ONE/parts/P",
            "other": ["/subscriptions/s/resourceGroups/a/providers/n/t/one2", "text", 1],
        });
        moved.rewrite(&mut document);
        assert_eq!(
            document,
            json!({
                "id": "/subscriptions/s/resourceGroups/b/providers/n/t/one/parts/P",
                "other": ["/subscriptions/s/resourceGroups/a/providers/n/t/one2", "text", 1],
            })
        );
    }
}
