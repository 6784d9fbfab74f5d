//! Lists: which of the objects there are a query takes, in which order, page by page.
//!
//! A collection is read in the order of its ids, a page from where the last one ended. What has another order, or is
//! no collection of its own (members, owners), is known as a whole, and a page begins at a number.

use std::cmp::Ordering;

use azure::{error::Result, ids::ObjectId};
use serde_json::{Map, Value, json};

use super::{
    ask::{Answer, Ask, Form, Place},
    codes, links,
    objects::{self, Object, Set},
};
use crate::store::Txn;

/// Rows read at a time while a filter looks for those it takes.
const STEP: usize = 500;
/// What `$expand` gives of a list at most ("Use query parameters", $expand).
const EXPANDED: usize = 20;

/// A collection.
pub(super) fn list(ask: &Ask<'_>, txn: &Txn) -> Result<Answer> {
    let set = Set::of(ask.set()).ok_or_else(|| codes::SEGMENT_NOT_FOUND.with([ask.set()]))?;
    ask.query.check_filter(&set.type_name()[1..], |name| set.has(name))?;
    if ask.form() == Form::Count {
        return Ok(Answer::Text(taken(ask, txn, set, (None, usize::MAX))?.len().to_string()));
    }
    let Place::Behind(after) = ask.query.place else { return ordered(ask, txn, set) };
    if !ask.query.order.is_empty() {
        return ordered(ask, txn, set);
    }
    let size = ask.query.page_size();
    let mut found = taken(ask, txn, set, (after, size + 1))?;
    let goes_on = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| goes_on).map(|it| ask.next_link(Place::Behind(Some(it.id()))));
    let count = match ask.query.counts {
        true => Some(taken(ask, txn, set, (None, usize::MAX))?.len()),
        false => None,
    };
    let values: Result<Vec<Value>> =
        found.iter().map(|it| Ok(Value::Object(objects::shown(ask, txn, it)?))).collect();
    Ok(page(ask, set.name(), values?, (count, next)))
}

fn ordered(ask: &Ask<'_>, txn: &Txn, set: Set) -> Result<Answer> {
    let found = taken(ask, txn, set, (None, usize::MAX))?;
    let show = |object: &Object| Ok(Value::Object(objects::shown(ask, txn, object)?));
    known(ask, (set.name(), found), show)
}

/// Objects that are known as a whole, each with its type.
pub(super) fn typed(ask: &Ask<'_>, txn: &Txn, mut found: Vec<Object>) -> Result<Answer> {
    ask.query.check_filter("microsoft.graph.directoryObject", |name| {
        Set::ALL.into_iter().any(|set| ask.cast().is_none_or(|cast| cast == set) && set.has(name))
    })?;
    let is_cast = |it: &Object| ask.cast().is_none_or(|set| it.set() == set);
    found.retain(|it| is_cast(it) && ask.query.takes(&it.whole(&ask.cx.cloud.charter)));
    known(ask, ("directoryObjects", found), |object| object.typed(ask, txn))
}

/// A page of what is known, or its count, or where each is.
fn known(
    ask: &Ask<'_>,
    (of, mut found): (&str, Vec<Object>),
    show: impl Fn(&Object) -> Result<Value>,
) -> Result<Answer> {
    let count = found.len();
    sort(ask, &mut found);
    let place = match ask.query.place {
        Place::At(place) => place,
        Place::Behind(_) => 0,
    };
    let size = ask.query.page_size();
    let next = (place.saturating_add(size) < count).then(|| ask.next_link(Place::At(place + size)));
    let here: Vec<Object> = found.into_iter().skip(place).take(size).collect();
    let count_shown = ask.query.counts.then_some(count);
    match ask.form() {
        Form::Count => Ok(Answer::Text(count.to_string())),
        Form::References => {
            let refer = |it: &Object| json!({ "@odata.id": ask.reference(it) });
            let values = here.iter().map(refer).collect();
            Ok(page(ask, "Collection($ref)", values, (count_shown, next)))
        }
        Form::Objects => {
            let values: Result<Vec<Value>> = here.iter().map(show).collect();
            Ok(page(ask, of, values?, (count_shown, next)))
        }
    }
}

/// A list that is no list of objects, whole.
pub(super) fn plain(ask: &Ask<'_>, of: &str, values: Vec<Map<String, Value>>) -> Result<Answer> {
    let has = |name: &str| values.iter().any(|it| it.keys().any(|key| key.eq_ignore_ascii_case(name)));
    ask.query.check_filter(of, |name| values.is_empty() || has(name))?;
    let values: Vec<Value> =
        values.into_iter().filter(|it| ask.query.takes(it)).map(|it| Value::Object(ask.chosen(it))).collect();
    Ok(match ask.form() {
        Form::Count => Answer::Text(values.len().to_string()),
        Form::Objects | Form::References => {
            let count = ask.query.counts.then_some(values.len());
            page(ask, of, values, (count, None))
        }
    })
}

fn page(
    ask: &Ask<'_>,
    of: &str,
    values: Vec<Value>,
    (count, next): (Option<usize>, Option<String>),
) -> Answer {
    let mut body = Map::from_iter([("@odata.context".to_owned(), json!(ask.context(of)))]);
    if let Some(count) = count {
        body.insert("@odata.count".to_owned(), json!(count));
    }
    if let Some(next) = next {
        body.insert("@odata.nextLink".to_owned(), json!(next));
    }
    body.insert("value".to_owned(), json!(values));
    Answer::Json(200, Value::Object(body))
}

/// Those of a collection that the query takes, behind `after`: at most `limit`.
fn taken(
    ask: &Ask<'_>,
    txn: &Txn,
    set: Set,
    (mut after, limit): (Option<ObjectId>, usize),
) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    while found.len() < limit {
        let page = set.page(txn, after, STEP)?;
        let is_last = page.len() < STEP;
        after = page.last().map(Object::id);
        found.extend(page.into_iter().filter(|it| ask.query.takes(&it.whole(&ask.cx.cloud.charter))));
        if is_last {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// By `$orderby`: one property before the other, without regard to case; what is missing comes first.
fn sort(ask: &Ask<'_>, found: &mut [Object]) {
    if ask.query.order.is_empty() {
        return;
    }
    let charter = &ask.cx.cloud.charter;
    let keys = |object: &Object| {
        let whole = object.whole(charter);
        let key = |name: &String| {
            let value = whole.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, it)| it);
            match value {
                Some(Value::String(text)) => text.to_lowercase(),
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            }
        };
        ask.query.order.iter().map(|(name, _)| key(name)).collect::<Vec<String>>()
    };
    found.sort_by(|one, other| {
        let pairs = keys(one).into_iter().zip(keys(other)).zip(&ask.query.order);
        let order = |((one, other), (_, descends)): ((String, String), &(String, bool))| match descends {
            true => other.cmp(&one),
            false => one.cmp(&other),
        };
        pairs.map(order).find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
    });
}

/// What `$expand` asks for, laid into an object.
pub(super) fn expand(
    ask: &Ask<'_>,
    txn: &Txn,
    object: &Object,
    whole: &mut Map<String, Value>,
) -> Result<()> {
    for wanted in &ask.query.expand {
        let step = links::navigation(object.set(), &wanted.name)
            .ok_or_else(|| codes::NO_PROPERTY.with([wanted.name.as_str()]))?;
        let mut values = Vec::new();
        for id in step(txn, object.id())?.into_iter().take(EXPANDED) {
            let Some(other) = objects::any(txn, id)? else { continue };
            let mut shown = other.whole(&ask.cx.cloud.charter);
            shown.retain(|name, _| match &wanted.select {
                Some(names) => names.iter().any(|it| it.eq_ignore_ascii_case(name)),
                None => other.set().is_usual(name),
            });
            shown.shift_insert(0, "@odata.type".to_owned(), json!(other.set().type_name()));
            values.push(Value::Object(shown));
        }
        whole.insert(wanted.name.clone(), json!(values));
    }
    Ok(())
}
