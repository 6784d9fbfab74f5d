//! The regions of an account: in which order one follows another, and which of them is out of service.
//!
//! An account's data is in one place here, whatever its regions, so a failover moves nothing: it changes which region
//! the account's document, and the data plane's, name first. A region that is offline is in neither's list of those that
//! answer.

use azure::{error::Result, locations};
use serde_json::{Value, json};

use super::done;
use crate::{
    arm::kind::{Answer, Call},
    products::cosmos::{accounts, codes},
    resources::{self, Resource, operations::Gives},
};

/// In a location of the account's row; no answer shows it.
const OFFLINE: &str = "isOffline";

/// `failoverPriorityChange`: every region of the account gets a place in the order.
pub(super) fn reorder(call: &mut Call<'_>) -> Result<Answer> {
    let asked = call.body["failoverPolicies"].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
    let account = call.resource.expect("a verb on a row has its row");
    let mut locations = of(account);
    if asked.len() != locations.len() {
        return Err(bad("The failover policies must name every region of the account, each once."));
    }
    for location in &mut locations {
        let policy = asked.iter().find(|it| is_same(&it["locationName"], &location["locationName"]));
        let priority = policy.and_then(|it| it["failoverPriority"].as_u64());
        let missing = || bad("The failover policies must name every region of the account, each once.");
        location["failoverPriority"] = json!(priority.ok_or_else(missing)?);
    }
    check_priorities(&locations)?;
    locations.sort_by_key(|it| it["failoverPriority"].as_u64());
    write(call, locations)
}

/// Priorities are 0 and those that follow, each once.
pub(super) fn check_priorities(locations: &[Value]) -> Result<()> {
    let mut priorities: Vec<u64> =
        locations.iter().filter_map(|it| it["failoverPriority"].as_u64()).collect();
    priorities.sort_unstable();
    match priorities.iter().copied().eq(0..locations.len() as u64) {
        true => Ok(()),
        false => {
            Err(bad("The failover priorities of the account must be 0 and those that follow, each once."))
        }
    }
}

pub(super) fn offline(call: &mut Call<'_>) -> Result<Answer> {
    switch(call, true)
}

pub(super) fn online(call: &mut Call<'_>) -> Result<Answer> {
    switch(call, false)
}

fn switch(call: &mut Call<'_>, is_off: bool) -> Result<Answer> {
    let mut locations = of(call.resource.expect("a verb on a row has its row"));
    let asked = locations.iter_mut().find(|it| is_same(&it["locationName"], &call.body["region"]));
    let asked = asked.ok_or_else(|| bad("The region is none of the account's."))?;
    asked[OFFLINE] = json!(is_off);
    if locations.iter().all(accounts::is_offline) {
        return Err(bad("The last region of an account stays online."));
    }
    write(call, locations)
}

/// What a PUT leaves of what was offline.
pub(super) fn keep_offline(next: &mut [Value], current: &Resource) {
    for was in of(current).iter().filter(|it| accounts::is_offline(it)) {
        let same = |it: &&mut Value| is_same(&it["locationName"], &was["locationName"]);
        if let Some(location) = next.iter_mut().find(same) {
            location[OFFLINE] = json!(true);
        }
    }
}

fn of(account: &Resource) -> Vec<Value> {
    account.property("locations").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is_same(one: &Value, other: &Value) -> bool {
    let name = |it: &Value| it.as_str().map(|it| locations::normalize(it).into_owned());
    name(one).is_some_and(|one| Some(one) == name(other))
}

fn write(call: &mut Call<'_>, locations: Vec<Value>) -> Result<Answer> {
    let account = call.resource.expect("a verb on a row has its row");
    let mut next = Resource { etag: call.draw.guid(), changed: call.cx.now, ..account.clone() };
    next.set("locations", locations);
    resources::put(call.txn, &next)?;
    done(call, Gives::Nothing)
}

fn bad(why: &str) -> azure::error::Error {
    codes::BAD_ACCOUNT.with([why])
}
