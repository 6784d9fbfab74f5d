//! Lists: of one type, and of everything that the caller may see.

use std::collections::HashMap;

use azure::{
    action::Action,
    error::Result,
    ids::ResourceId,
    odata::Filter,
    rbac::{Access, Plane},
};
use serde_json::{Map, Value, json};

use super::{
    document, filter,
    filter::Page,
    kind::{Look, View},
    service::Asked,
    types::{Type, Types},
    write,
};
use crate::{
    access::{self, Caller},
    resources::{self, Resource},
    service::Cx,
    store::Txn,
};

/// All of a type at a scope or inside a parent, a page of them.
pub(super) fn of_type(
    types: &Types,
    cx: &Cx,
    (txn, caller): (&Txn, &Caller),
    at: &ResourceId,
    of: &Type,
    asked: &Asked,
) -> Result<Value> {
    if !of.is_group() {
        group_exists(txn, at)?;
        let some_child = ResourceId::parse(&format!("{at}/{}/x", of.last())).unwrap_or_else(|_| at.clone());
        if at.namespace().is_some() && of.kind.place == super::kind::Place::Child {
            write::parents_are_there(types, cx, txn, &some_child, (&asked.version, &asked.origin), "read")?;
        }
    }
    if let Some(own) = of.kind.own {
        let look = Look {
            cx,
            txn,
            caller,
            id: at,
            version: &asked.version,
            query: &asked.query,
            origin: &asked.origin,
        };
        return whole((own.list)(&look)?, asked);
    }
    let page = Page::of(&asked.query)?;
    let (rows, more) =
        cut(resources::of_type(txn, &of.name, at, page.after_id()?.as_ref(), page.limit + 1)?, &page);
    let shown = rows.iter().map(|resource| {
        let view = View { cx, txn, resource, version: &asked.version, query: &[], origin: &asked.origin };
        document::whole(of, &view)
    });
    Ok(listed(shown.collect::<Result<_>>()?, rows.last().filter(|_| more), asked))
}

fn group_exists(txn: &Txn, at: &ResourceId) -> Result<()> {
    match (at.resource_group(), resources::group(txn, at)?) {
        (Some(name), None) => Err(super::codes::GROUP_NOT_FOUND.with([name])),
        _ => Ok(()),
    }
}

/// A list that its kind made whole: pages are counted.
fn whole(all: Vec<Value>, asked: &Asked) -> Result<Value> {
    let page = Page::of(&asked.query)?;
    let skipped = page.after.as_ref().and_then(|it| it.parse::<usize>().ok()).unwrap_or(0);
    // Lists of roles are longer than a page and come whole, as Azure's do (rbac.md §1).
    let limit = if filter::query(&asked.query, "$top").is_some() { page.limit } else { usize::MAX };
    let end = skipped.saturating_add(limit);
    let more = all.len() > end;
    let rows: Vec<Value> = all.into_iter().skip(skipped).take(limit).collect();
    let mut list = Map::from_iter([("value".to_owned(), Value::Array(rows))]);
    if more {
        let link = filter::next_link(&asked.origin, &asked.path, &asked.query, &end.to_string());
        list.insert("nextLink".to_owned(), json!(link));
    }
    Ok(Value::Object(list))
}

fn cut(mut rows: Vec<Resource>, page: &Page) -> (Vec<Resource>, bool) {
    let more = rows.len() > page.limit;
    rows.truncate(page.limit);
    (rows, more)
}

fn listed(shown: Vec<Value>, last: Option<&Resource>, asked: &Asked) -> Value {
    let mut list = Map::from_iter([("value".to_owned(), Value::Array(shown))]);
    if let Some(last) = last {
        let link = filter::next_link(&asked.origin, &asked.path, &asked.query, last.id.key());
        list.insert("nextLink".to_owned(), json!(link));
    }
    Value::Object(list)
}

/// Whether a caller may read resources, asked once a type where the scope's answer is yes.
struct Sight<'a> {
    cx: &'a Cx,
    txn: &'a Txn,
    caller: &'a Caller,
    scope: &'a ResourceId,
    at_scope: HashMap<String, bool>,
}

impl Sight<'_> {
    fn sees(&mut self, of: &Type, id: &ResourceId) -> Result<bool> {
        let action = of.action("read");
        if let Some(true) = self.at_scope.get(&action) {
            return Ok(true);
        }
        let may = |on: &ResourceId| {
            access::may(
                self.cx,
                self.txn,
                self.caller,
                Access::to(Action::from(action.as_str()), on.clone(), Plane::Control),
            )
        };
        if !self.at_scope.contains_key(&action) {
            let whole = may(self.scope)?;
            self.at_scope.insert(action, whole);
            if whole {
                return Ok(true);
            }
            return self.sees(of, id);
        }
        may(id)
    }
}

/// The resource groups that the caller may see.
pub(super) fn groups(
    cx: &Cx,
    txn: &Txn,
    caller: &Caller,
    at: &ResourceId,
    of: &Type,
    asked: &Asked,
) -> Result<Value> {
    let walk = Walk {
        rows: &|after| resources::of_type(txn, &of.name, at, after, filter::STRETCH),
        is_listed: &|_| true,
        type_of: &|_| Ok(of.clone()),
        show: &|resource| {
            let view = View { cx, txn, resource, version: &asked.version, query: &[], origin: &asked.origin };
            document::whole(of, &view)
        },
    };
    walk.page(cx, (txn, caller), at, asked)
}

/// Every tracked resource that the caller may see, as generic lists show it.
pub(super) fn everything(
    types: &Types,
    cx: &Cx,
    (txn, caller): (&Txn, &Caller),
    at: &ResourceId,
    asked: &Asked,
) -> Result<Value> {
    group_exists(txn, at)?;
    let walk = Walk {
        rows: &|after| resources::within(txn, at, after, filter::STRETCH),
        is_listed: &|resource| resource.location.is_some() && resource.id.namespace().is_some(),
        type_of: &|resource| types.of(&resource.id),
        show: &|resource| {
            let mut shown = document::summary(&types.of(&resource.id)?, resource, &asked.version);
            expand(&mut shown, resource, filter::query(&asked.query, "$expand").unwrap_or_default());
            Ok(Value::Object(shown))
        },
    };
    walk.page(cx, (txn, caller), at, asked)
}

/// What `$expand` names of a row's history.
fn expand(shown: &mut Map<String, Value>, resource: &Resource, names: &str) {
    for (name, value) in [
        ("createdTime", json!(resource.created.iso())),
        ("changedTime", json!(resource.changed.iso())),
        ("provisioningState", json!(resource.state.as_str())),
    ] {
        if names.split(',').any(|it| it.trim().eq_ignore_ascii_case(name)) {
            shown.insert(name.to_owned(), value);
        }
    }
}

/// What lists of what the caller may see differ in.
struct Walk<'a> {
    /// A stretch of rows behind one, so that no list is ever wholly in memory.
    rows: &'a dyn Fn(Option<&ResourceId>) -> Result<Vec<Resource>>,
    is_listed: &'a dyn Fn(&Resource) -> bool,
    type_of: &'a dyn Fn(&Resource) -> Result<Type>,
    show: &'a dyn Fn(&Resource) -> Result<Value>,
}

impl Walk<'_> {
    /// A page of what is listed, wanted by the filter, and seen by the caller.
    fn page(&self, cx: &Cx, (txn, caller): (&Txn, &Caller), at: &ResourceId, asked: &Asked) -> Result<Value> {
        let page = Page::of(&asked.query)?;
        let filter: Option<Filter> = filter::filter(&asked.query)?;
        let mut sight = Sight { cx, txn, caller, scope: at, at_scope: HashMap::new() };
        let (mut shown, mut last) = (Vec::new(), None::<Resource>);
        let mut after = page.after_id()?;
        loop {
            let rows = (self.rows)(after.as_ref())?;
            let is_end = rows.len() < filter::STRETCH;
            after = rows.last().map(|it| it.id.clone());
            for resource in rows {
                let is_wanted = filter.as_ref().is_none_or(|it| filter::is_wanted(it, &resource));
                if !is_wanted || !(self.is_listed)(&resource) {
                    continue;
                }
                if !sight.sees(&(self.type_of)(&resource)?, &resource.id)? {
                    continue;
                }
                if shown.len() == page.limit {
                    return Ok(listed(shown, last.as_ref(), asked));
                }
                shown.push((self.show)(&resource)?);
                last = Some(resource);
            }
            if is_end {
                return Ok(listed(shown, None, asked));
            }
        }
    }
}
