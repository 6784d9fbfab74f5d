//! `federatedIdentityCredentials`: tokens of which issuer, about whom, an identity takes for its own.

use azure::error::{Result, Row};
use serde_json::Value;

use crate::{arm::kind::Change, resources};

const MOST: usize = 20;
const TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";

static MISSING: Row = Row {
    code: "BadRequest",
    status: 400,
    template: "The federated identity credential must have a value for '{0}'.",
    source: "resources.md §1; wording unverified",
};
static TOO_MANY: Row = Row {
    code: "BadRequest",
    status: 400,
    template: "Too many Federated Identity Credentials on the identity '{0}': at most 20 are allowed.",
    source: "resources.md §1; wording unverified",
};
static TAKEN: Row = Row {
    code: "Conflict",
    status: 409,
    template: "Issuer and subject combination already exists for this Managed Identity.",
    source: "resources.md §1; wording unverified",
};

/// Three members and no others; (issuer, subject) is one credential's alone.
pub(super) fn put(change: &mut Change<'_>) -> Result<()> {
    let sent = std::mem::take(&mut change.next.properties);
    for name in ["issuer", "subject", "audiences", "claimsMatchingExpression"] {
        if let Some(value) = sent.get(name).filter(|it| !it.is_null()) {
            change.next.set(name, value.clone());
        }
    }
    check(change)?;
    let Some(identity) = change.next.id.parent() else { return Ok(()) };
    let others = resources::of_type(change.txn, TYPE, &identity, None, MOST + 1)?;
    if change.is_create() && others.len() >= MOST {
        return Err(TOO_MANY.with([identity.name()]));
    }
    let same = |name: &str, other: &resources::Resource| other.property(name) == change.next.property(name);
    let is_taken = others.iter().any(|other| {
        other.id != change.next.id
            && same("issuer", other)
            && same("subject", other)
            && other.text("subject").is_some()
    });
    if is_taken { Err((&TAKEN).into()) } else { Ok(()) }
}

fn check(change: &Change<'_>) -> Result<()> {
    let next = &change.next;
    let text = |name: &str| next.text(name).is_some_and(|it| !it.is_empty());
    let audiences = next.property("audiences").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    let who = text("subject") || next.property("claimsMatchingExpression").is_some();
    for (is_there, name) in [(text("issuer"), "issuer"), (who, "subject"), (audiences, "audiences")] {
        if !is_there {
            return Err(MISSING.with([name]));
        }
    }
    Ok(())
}
