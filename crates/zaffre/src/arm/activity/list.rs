//! Asking the activity log: `$filter`, `$select`, pages.

use std::{collections::HashMap, time::Duration};

use azure::{
    action::Action,
    error::Result,
    ids::{Guid, ResourceId},
    odata::{Filter, Operator, Value as Literal},
    rbac::{Access, Plane},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use super::shown::{self, Event};
use crate::{
    access,
    arm::{
        codes, filter,
        kind::{Answer, Call},
        own, subscriptions,
        types::Types,
    },
    resources::activity::{self, Entry},
    store::Txn,
};

const READ: Action = Action::of("Microsoft.Insights/eventtypes/values/read");
/// Rows of a page; each is two or three events.
const PAGE: usize = 200;
/// No operation takes longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What is asked for.
struct Asked<'a> {
    from: Timestamp,
    to: Timestamp,
    /// What must hold besides.
    rest: Vec<&'a Filter>,
    /// The members that are shown; all where none is named.
    select: Vec<String>,
}

pub(in crate::arm) fn of_subscription(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    subscriptions::visible(call)?;
    let scope = own::scope_of(call.id);
    page(call, &scope, |entry| shown::is_in(entry, &scope))
}

/// What belongs to no subscription: management groups, and what is done at the root.
pub(in crate::arm) fn of_tenant(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    page(call, &ResourceId::root(), |entry| entry.resource.subscription().is_none())
}

/// `az monitor activity-log list-categories`.
pub(in crate::arm) fn categories(_: &Types, _: &Call<'_, &Txn>) -> Result<Answer> {
    const ALL: [(&str, &str); 8] = [
        ("Administrative", "Administrative"),
        ("Security", "Security"),
        ("ServiceHealth", "Service Health"),
        ("Alert", "Alert"),
        ("Recommendation", "Recommendation"),
        ("Policy", "Policy"),
        ("Autoscale", "Autoscale"),
        ("ResourceHealth", "Resource Health"),
    ];
    let value: Vec<Value> =
        ALL.iter().map(|(value, spelled)| json!({ "value": value, "localizedValue": spelled })).collect();
    Ok(Answer::ok(json!({ "value": value })))
}

fn page(call: &Call<'_, &Txn>, scope: &ResourceId, is_meant: impl Fn(&Entry) -> bool) -> Result<Answer> {
    let text = call.query("$filter").unwrap_or_default();
    let filter = filter::filter(call.query)?.ok_or(&codes::NO_TIME_IN_FILTER)?;
    let asked = read(&filter, call).ok_or_else(|| codes::INVALID_FILTER.with([text]))??;
    let page = filter::Page::of(call.query)?;
    let before = page.after.as_deref().map(key).transpose()?;
    let mut sight = Sight { call, scope, known: HashMap::new() };
    let (mut events, mut rows, mut last, mut more) = (Vec::new(), 0, None, false);
    // What began before may have ended since.
    let span = (asked.from.minus(LONGEST), asked.to);
    for entry in activity::between(call.txn, span, before.as_ref()) {
        let entry = entry?;
        if !is_meant(&entry) || !sight.sees(&entry.resource)? {
            continue;
        }
        let shown: Vec<(Timestamp, Value)> = of_entry(call, &entry, &asked)?;
        if shown.is_empty() {
            continue;
        }
        if rows == page.limit.min(PAGE) {
            more = true;
            break;
        }
        rows += 1;
        last = Some((entry.at, entry.id));
        events.extend(shown);
    }
    // What took its time ended later than it began: the newest event is first.
    events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let value: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
    let mut list = Map::from_iter([("value".to_owned(), Value::Array(value))]);
    if let Some((at, id)) = last.filter(|_| more) {
        let token = format!("{} {id}", at.nanos());
        let link = filter::next_link(call.origin, call.id.as_str(), call.query, &token);
        list.insert("nextLink".to_owned(), json!(link));
    }
    Ok(Answer::ok(Value::Object(list)))
}

fn key(token: &str) -> Result<(Timestamp, Guid)> {
    let read = || {
        let (nanos, id) = token.split_once(' ')?;
        Some((Timestamp::from_nanos(nanos.parse().ok()?), id.parse().ok()?))
    };
    read().ok_or_else(|| codes::INVALID_SKIP_TOKEN.with([token]))
}

/// Takes the times out of the filter. None where one of them is no time; refused where none begins.
fn read<'a>(filter: &'a Filter, call: &Call<'_, &Txn>) -> Option<Result<Asked<'a>>> {
    let (mut from, mut to, mut rest) = (None, call.cx.now, Vec::new());
    for part in filter.conjuncts() {
        match part {
            Filter::Compare { path, operator, value: Literal::Text(text) }
                if path.eq_ignore_ascii_case("eventTimestamp") =>
            {
                let at = time(text)?;
                match operator {
                    Operator::Ge | Operator::Gt => from = Some(at),
                    Operator::Le | Operator::Lt => to = at,
                    Operator::Eq | Operator::Ne => return None,
                }
            }
            other => rest.push(other),
        }
    }
    let select = call.query("$select").unwrap_or_default();
    let select = select.split(',').map(|it| it.trim().to_ascii_lowercase()).filter(|it| !it.is_empty());
    Some(match from {
        Some(from) => Ok(Asked { from, to, rest, select: select.collect() }),
        None => Err((&codes::NO_TIME_IN_FILTER).into()),
    })
}

/// az leaves the zone out, and means UTC.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    Timestamp::parse_iso(text).or_else(|| Timestamp::parse_iso(&format!("{text}Z")))
}

fn of_entry(call: &Call<'_, &Txn>, entry: &Entry, asked: &Asked<'_>) -> Result<Vec<(Timestamp, Value)>> {
    let charter = &call.cx.cloud.charter;
    let events = shown::events(call.txn, entry)?;
    let wanted =
        events.iter().filter(|it| it.at >= asked.from && it.at <= asked.to && is_wanted(entry, it, asked));
    Ok(wanted.map(|it| (it.at, selected(it.document(charter), &asked.select))).collect())
}

fn is_wanted(entry: &Entry, event: &Event<'_>, asked: &Asked<'_>) -> bool {
    let text = |text: &str| vec![Literal::Text(text.to_owned())];
    let values = |path: &str| match path {
        "resourcegroupname" => entry.resource.resource_group().map(text).unwrap_or_default(),
        "resourceuri" | "resourceid" => text(entry.resource.as_str()),
        "resourceprovider" => text(shown::provider(entry)),
        "resourcetype" => text(&entry.resource_type),
        "caller" => text(&shown::caller(&entry.who)),
        "correlationid" => text(&entry.correlation.to_string()),
        "operationname" | "operations" => text(&entry.action),
        "status" => text(event.status),
        "levels" | "level" => text(if event.status == "Failed" { "Error" } else { "Informational" }),
        "eventchannels" => text("Operation"),
        "category" => text("Administrative"),
        _ => Vec::new(),
    };
    asked.rest.iter().all(|it| it.matches(&values))
}

fn selected(event: Map<String, Value>, select: &[String]) -> Value {
    if select.is_empty() {
        return Value::Object(event);
    }
    let is_named = |name: &String| select.iter().any(|it| name.eq_ignore_ascii_case(it));
    event.into_iter().filter(|(name, _)| is_named(name)).collect()
}

/// Whose events the caller may read: asked once of the whole, else once of each resource.
struct Sight<'a, 'c> {
    call: &'a Call<'c, &'c Txn>,
    scope: &'a ResourceId,
    known: HashMap<ResourceId, bool>,
}

impl Sight<'_, '_> {
    fn sees(&mut self, resource: &ResourceId) -> Result<bool> {
        Ok(self.may(&self.scope.clone())? || self.may(resource)?)
    }

    fn may(&mut self, on: &ResourceId) -> Result<bool> {
        if let Some(known) = self.known.get(on) {
            return Ok(*known);
        }
        let call = self.call;
        let access = Access::to(READ, on.clone(), Plane::Control);
        let may = access::may(call.cx, call.txn, call.permit.caller(), access)?;
        self.known.insert(on.clone(), may);
        Ok(may)
    }
}
