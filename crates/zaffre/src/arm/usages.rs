//! Usages: how many resources of a type a region has, against what the platform allows. Nothing is refused by these
//! limits; clients show them before they make something.

use azure::{error::Result, locations};
use serde_json::{Value, json};

use super::kind::Call;
use crate::{resources, store::Txn};

/// What is counted: its name, its title, its limit, and the type whose resources are counted.
pub struct Usage(pub &'static str, pub &'static str, pub u32, pub &'static str);

/// The rows as they stand in the call's subscription and its `{location}`.
pub fn counted(call: &Call<'_, &Txn>, rows: &[Usage]) -> Result<Vec<Value>> {
    let location = locations::normalize(call.parameter("location"));
    let counted = rows.iter().map(|Usage(name, title, limit, kind)| {
        let all = resources::of_type(call.txn, kind, call.id, None, usize::MAX)?;
        let near = all.iter().filter(|it| it.location.as_deref() == Some(&*location)).count();
        let name = json!({ "value": name, "localizedValue": title });
        Ok(json!({ "limit": limit, "unit": "Count", "currentValue": near, "name": name }))
    });
    counted.collect()
}
