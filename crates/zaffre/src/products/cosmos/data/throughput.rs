//! Offers over the wire: what `GET /offers` lists is the throughput of every database and collection.

use azure::error::Result;
use serde_json::Value;

use super::{Call, answer, feed, options::Migrate, query};
use crate::{
    products::cosmos::{
        codes,
        offers::{self, Offer, Throughput},
    },
    service::Reply,
    store::Txn,
};

pub(super) fn list(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let all = offers::list(txn, &call.account.id)?;
    feed::metadata(call, ("", "Offers"), all.iter().map(Offer::shown).collect())
}

pub(super) fn query(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    let wanted = query::parse(&call.body)?;
    let all = offers::list(txn, &call.account.id)?;
    let shown = all.iter().map(Offer::shown).filter(|it| wanted.takes(it));
    feed::metadata(call, ("", "Offers"), shown.collect())
}

pub(super) fn read(call: &Call<'_>, txn: &Txn) -> Result<Reply> {
    Ok(shown(&named(call, txn)?))
}

/// The whole offer comes back with another throughput in it.
pub(super) fn replace(call: &Call<'_>, txn: &mut Txn) -> Result<Reply> {
    let offer = named(call, txn)?;
    feed::check_if_match(call, offer.stamp)?;
    let body = query::object(&call.body)?;
    let content = body.get("content").unwrap_or(&Value::Null);
    let throughput = wanted(&offer, content, call.options().migrate)?;
    let mut draw = call.draw.clone();
    let offer = offers::replace(txn, &mut draw, &call.account.id, (offer, throughput), call.cx.now)?;
    Ok(shown(&offer).with("x-ms-offer-replace-pending", "false"))
}

/// Of which kind the throughput is, changes only when a header says so.
fn wanted(offer: &Offer, content: &Value, migrate: Option<Migrate>) -> Result<Throughput> {
    let max = content["offerAutopilotSettings"]["maxThroughput"].as_u64();
    let units = content["offerThroughput"].as_u64();
    let bad = || codes::BAD_PROPERTY.with(["content"]);
    match (migrate, offer.throughput) {
        (Some(Migrate::ToAutoscale), _) => {
            Throughput::autoscale(offer.max_ever.max(1000).next_multiple_of(1000))
        }
        (Some(Migrate::ToManual), _) => {
            Throughput::manual(offer.throughput.autoscale_max().unwrap_or(offer.max_ever))
        }
        (None, Throughput::Autoscale { .. }) => Throughput::autoscale(max.ok_or_else(bad)?),
        (None, Throughput::Manual(_)) => Throughput::manual(units.ok_or_else(bad)?),
    }
}

fn named(call: &Call<'_>, txn: &Txn) -> Result<Offer> {
    let rid = call.op.target.item.as_deref().unwrap_or_default();
    offers::by_rid(txn, &call.account.id, rid)?.ok_or_else(|| codes::NOT_FOUND.bare())
}

fn shown(offer: &Offer) -> Reply {
    answer::resource(200, &offer.shown(), offer.stamp)
        .with("x-ms-cosmos-min-throughput", offer.minimum().to_string())
}
