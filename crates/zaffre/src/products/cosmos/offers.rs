//! Offers: the throughput of a database or a collection (cosmos.md §11). It is kept and shown, and limits nobody.

use azure::{error::Result, ids::ResourceId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{codes, rid, stamp::Stamp};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

/// By account and by the resource id of what it is the throughput of.
const OFFERS: Table<(ResourceId, String), Offer> = Table::new("cosmos_offers");

const STEP: u64 = 100;
const MANUAL_LIMITS: (u64, u64) = (400, 1_000_000);
const AUTOSCALE_LIMITS: (u64, u64, u64) = (1000, 1_000_000, 1000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Throughput {
    /// Request units a second.
    Manual(u64),
    /// At most so many; a tenth of them at rest.
    Autoscale { max: u64 },
}

impl Default for Throughput {
    fn default() -> Self {
        Throughput::Manual(MANUAL_LIMITS.0)
    }
}

impl Throughput {
    pub(super) fn manual(units: u64) -> Result<Self> {
        let (min, max) = MANUAL_LIMITS;
        checked(units, (min, max, STEP)).map(Throughput::Manual)
    }

    pub(super) fn autoscale(max: u64) -> Result<Self> {
        checked(max, AUTOSCALE_LIMITS).map(|max| Throughput::Autoscale { max })
    }

    /// From what was given of the two; none of them is none.
    pub(super) fn of(manual: Option<u64>, autoscale: Option<u64>) -> Result<Option<Self>> {
        match (manual, autoscale) {
            (Some(_), Some(_)) => Err(codes::TWO_THROUGHPUTS.bare()),
            (Some(units), None) => Self::manual(units).map(Some),
            (None, Some(max)) => Self::autoscale(max).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// What is provisioned now.
    pub(super) fn units(self) -> u64 {
        match self {
            Throughput::Manual(units) => units,
            Throughput::Autoscale { max } => max / 10,
        }
    }

    pub(super) fn autoscale_max(self) -> Option<u64> {
        match self {
            Throughput::Manual(_) => None,
            Throughput::Autoscale { max } => Some(max),
        }
    }
}

fn checked(units: u64, (min, max, step): (u64, u64, u64)) -> Result<u64> {
    if (min..=max).contains(&units) && units.is_multiple_of(step) {
        return Ok(units);
    }
    Err(codes::BAD_THROUGHPUT.with([min.to_string(), max.to_string(), step.to_string()]))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) rid: String,
    /// Whose throughput it is, and its `_self`.
    pub(super) resource_rid: String,
    pub(super) resource: String,
    pub(super) throughput: Throughput,
    /// The most there ever was, which bounds how low it may go.
    pub(super) max_ever: u64,
    pub(super) stamp: Stamp,
}

impl Offer {
    pub(super) fn shown(&self) -> Map<String, Value> {
        let mut content = json!({
            "offerThroughput": self.throughput.units(),
            "offerIsRUPerMinuteThroughputEnabled": false,
            "offerMinimumThroughputParameters": {
                "maxThroughputEverProvisioned": self.max_ever,
                "maxConsumedStorageEverInKB": 0,
            },
            "offerLastReplaceTimestamp": self.stamp.seconds,
        });
        if let Some(max) = self.throughput.autoscale_max() {
            content["offerAutopilotSettings"] = json!({ "maxThroughput": max });
        }
        let shown = json!({
            "resource": self.resource,
            "offerType": "Invalid",
            "offerResourceId": self.resource_rid,
            "offerVersion": "V2",
            "content": content,
            "id": self.rid,
            "_rid": self.rid,
            "_self": format!("offers/{}/", self.rid),
            "_etag": self.stamp.etag(),
            "_ts": self.stamp.seconds,
        });
        let Value::Object(shown) = shown else { unreachable!("an object was written") };
        shown
    }

    /// The least it may be set to: a hundredth of what it ever was.
    pub(super) fn minimum(&self) -> u64 {
        MANUAL_LIMITS.0.max(self.max_ever / 100).next_multiple_of(STEP)
    }
}

pub(super) fn create(
    txn: &mut Txn,
    draw: &mut Draw,
    account: &ResourceId,
    (resource_rid, resource): (String, String),
    throughput: Throughput,
    now: Timestamp,
) -> Result<Offer> {
    let mut rid = rid::draw_offer(draw);
    while by_rid(txn, account, &rid)?.is_some() {
        rid = rid::draw_offer(draw);
    }
    let max_ever = throughput.autoscale_max().unwrap_or(throughput.units());
    let stamp = Stamp::new(draw.u64(), now);
    let offer = Offer { rid, resource_rid, resource, throughput, max_ever, stamp };
    put(txn, account, &offer)?;
    Ok(offer)
}

pub(super) fn replace(
    txn: &mut Txn,
    draw: &mut Draw,
    account: &ResourceId,
    (mut offer, throughput): (Offer, Throughput),
    now: Timestamp,
) -> Result<Offer> {
    offer.throughput = throughput;
    offer.max_ever = offer.max_ever.max(throughput.autoscale_max().unwrap_or(throughput.units()));
    offer.stamp = Stamp::new(draw.u64(), now);
    put(txn, account, &offer)?;
    Ok(offer)
}

fn put(txn: &mut Txn, account: &ResourceId, offer: &Offer) -> Result<()> {
    Ok(OFFERS.put(txn, &(account.clone(), offer.resource_rid.clone()), offer)?)
}

/// The throughput of a database or a collection, by its resource id.
pub(super) fn of(txn: &Txn, account: &ResourceId, resource_rid: &str) -> Result<Option<Offer>> {
    Ok(OFFERS.get(txn, &(account.clone(), resource_rid.to_owned()))?)
}

/// By its own id. An account has at most a few hundred.
pub(super) fn by_rid(txn: &Txn, account: &ResourceId, rid: &str) -> Result<Option<Offer>> {
    Ok(list(txn, account)?.into_iter().find(|offer| offer.rid == rid))
}

pub(super) fn list(txn: &Txn, account: &ResourceId) -> Result<Vec<Offer>> {
    let rows = OFFERS.scan(txn, &(account.clone(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, offer)| offer).collect())
}

pub(super) fn forget(txn: &mut Txn, account: &ResourceId, resource_rid: &str) -> Result<()> {
    Ok(OFFERS.delete(txn, &(account.clone(), resource_rid.to_owned()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_has_limits_and_steps() {
        for (manual, autoscale, is_good) in [
            (None, None, true),
            (Some(400), None, true),
            (Some(300), None, false),
            (Some(450), None, false),
            (Some(2_000_000), None, false),
            (None, Some(4000), true),
            (None, Some(500), false),
            (None, Some(1100), false),
            (Some(400), Some(4000), false),
        ] {
            assert_eq!(Throughput::of(manual, autoscale).is_ok(), is_good, "{manual:?} {autoscale:?}");
        }
        assert_eq!(Throughput::Autoscale { max: 4000 }.units(), 400);
    }
}
