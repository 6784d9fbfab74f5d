//! `throughputSettings/default`: the offer of a database or a container. There is none where it is shared.

use azure::{error::Result, ids::ResourceId};
use serde_json::{Value, json};

use super::{document, done, not_found, sql};
use crate::{
    arm::kind::{Answer, Call, Edit, Look, Own, Verb, Written},
    products::cosmos::{
        codes,
        offers::{self, Offer, Throughput},
    },
    resources::operations::Gives,
    store::Txn,
};

pub(super) static OWN: Own = Own {
    get: |look| Ok(offer(look.txn, look.id)?.map(|it| shown(look.id, &it))),
    list,
    put,
    patch: None,
    delete: |_| Err(codes::METHOD_NOT_ALLOWED.bare()),
    delete_shows: false,
    absent: Some(not_found),
};

pub(super) static VERBS: &[Verb] = &[
    Verb::post("migrateToAutoscale", "migrateToAutoscale/action", |call| {
        migrate(call, |offer| Throughput::autoscale(offer.max_ever.max(1000).next_multiple_of(1000)))
    }),
    Verb::post("migrateToManualThroughput", "migrateToManualThroughput/action", |call| {
        migrate(call, |offer| Throughput::manual(offer.throughput.autoscale_max().unwrap_or(offer.max_ever)))
    }),
];

/// The offer of what the settings belong to.
fn offer(txn: &Txn, id: &ResourceId) -> Result<Option<Offer>> {
    let rid = match id.names().as_slice() {
        [_, _, "default"] => sql::database(txn, id)?.map(|it| it.rid()),
        [_, _, _, "default"] => sql::container(txn, id)?.map(|it| it.rid.text()),
        _ => None,
    };
    match rid {
        Some(rid) => offers::of(txn, &id.account(), &rid),
        None => Ok(None),
    }
}

fn list(look: &Look<'_>) -> Result<Vec<Value>> {
    let id = look.id.child("throughputSettings", "default");
    Ok(offer(look.txn, &id)?.map(|it| shown(&id, &it)).into_iter().collect())
}

fn put(edit: &mut Edit<'_>) -> Result<Written> {
    let Some(present) = offer(edit.txn, edit.id)? else { return Err(codes::NOT_FOUND.bare()) };
    let Some(throughput) = sql::throughput_of(&edit.body["properties"]["resource"])? else {
        return Err(codes::BAD_PROPERTY.with(["resource"]));
    };
    let account = edit.id.account();
    let written = offers::replace(edit.txn, edit.draw, &account, (present, throughput), edit.cx.now)?;
    Ok(Written { is_new: false, body: shown(edit.id, &written) })
}

fn migrate(call: &mut Call<'_>, to: fn(&Offer) -> Result<Throughput>) -> Result<Answer> {
    let Some(present) = offer(call.txn, call.id)? else { return Err(codes::NOT_FOUND.bare()) };
    let throughput = to(&present)?;
    offers::replace(call.txn, call.draw, &call.id.account(), (present, throughput), call.cx.now)?;
    done(call, Gives::Resource)
}

/// What is least possible is text in this document (resources.md §6.3).
fn shown(id: &ResourceId, offer: &Offer) -> Value {
    let mut resource = json!({
        "throughput": offer.throughput.units(),
        "minimumThroughput": offer.minimum().to_string(),
        "_rid": offer.rid,
        "_etag": offer.stamp.etag(),
        "_ts": offer.stamp.seconds,
    });
    if let Some(max) = offer.throughput.autoscale_max() {
        resource["autoscaleSettings"] = json!({ "maxThroughput": max });
    }
    let kind = match id.names().len() {
        3 => "sqlDatabases/throughputSettings",
        _ => "sqlDatabases/containers/throughputSettings",
    };
    document(id, kind, json!({ "resource": resource }))
}
