//! Where resources may be.

use azure::{
    error::Result,
    locations::{self, REGIONS},
};

use super::codes;

/// A place that is no region, for what is everywhere.
const GLOBAL: &str = "global";

/// The location as it is stored: `West Europe` is `westeurope`.
pub(super) fn checked(text: &str, type_name: &str) -> Result<String> {
    let name = locations::normalize(text);
    if name == GLOBAL || locations::region(&name).is_some() {
        return Ok(name.into_owned());
    }
    let available: Vec<&str> = REGIONS.iter().map(|region| region.name).collect();
    Err(codes::LOCATION_NOT_AVAILABLE.with([text, type_name, &available.join(",")]))
}
