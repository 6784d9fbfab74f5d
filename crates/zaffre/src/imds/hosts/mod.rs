//! The other hosts' managed identities: what App Service, Functions, Container Apps, Azure Arc, Service Fabric, Cloud Shell and Azure
//! Machine Learning answer at an address that their environment names (imds.md §9).
//!
//! ```text
//! zaffre env --host-kind KIND --as RESOURCE ──► a grant: a door nobody can guess, and the secret that the kind demands
//! client ──► http(s)://localhost/{kind}/{door}/… ──► the grant ──► the secret ──► the resource's identities ──► a token
//! ```
//!
//! - `kinds.rs`: the kinds and their dialects, a row each. The doors themselves are `front::host_doors`'.
//! - `arc.rs`: Azure Arc's challenge, a file that only its reader can have read.
//! - `ask.rs`: parameters and answers. `codes.rs`: the refusals, in each kind's own envelope.
//!
//! Who asks follows from the door and from the secret: both are made for one resource, and end with it. What a token needs
//! besides is the metadata service's own: selection, the mint, what is kept.

mod arc;
mod ask;
mod codes;
mod kinds;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use azure::error::{Error, Result, Row};
use http::Method;

pub(crate) use self::arc::Challenges;
use self::{
    ask::Asked,
    kinds::{Dialect, Protocol, Wants},
};
use super::machine::{self, Machine};
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    front::host_doors::{self, Grant, Holder},
    keys,
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(crate) struct Hosts;

/// A request at a door, read as far as its head.
pub(crate) struct Op {
    kind: &'static Protocol,
    dialect: &'static Dialect,
    door: String,
    query: Vec<(String, String)>,
    authorization: Option<String>,
}

/// The door's grant, and whose identities it gives.
pub(crate) struct Found {
    grant: Grant,
    /// None for a person.
    machine: Option<Arc<Machine>>,
}

impl Service for Hosts {
    type Op = Op;
    /// None where there is no such door, or what it was made for is gone.
    type Found = Option<Found>;
    const NAME: &'static str = "hosts";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        if parts.headers.contains_key("x-forwarded-for") {
            return Err((&codes::FORWARDED).into());
        }
        let path = parts.path.as_deref().unwrap_or_default();
        let (kind, door) = host_doors::at(path).ok_or(&codes::NOT_FOUND)?;
        let kind = kinds::of(kind.name).ok_or(&codes::NOT_FOUND)?;
        if let Some(name) = parts.repeated_query() {
            return Err(codes::REPEATED_PARAMETER.with([name]));
        }
        let dialect = dialect(kind, parts)?;
        if parts.method != dialect.method {
            return Err(codes::WRONG_METHOD.with([parts.method.as_str()]));
        }
        if dialect.wants == Wants::Metadata && parts.header("metadata") != Some("true") {
            return Err((&codes::NO_METADATA_HEADER).into());
        }
        Ok(Op {
            kind,
            dialect,
            door: door.to_owned(),
            query: parts.query.clone(),
            authorization: parts.header("authorization").map(str::to_owned),
        })
    }

    fn find(&self, cx: &Cx, txn: &Txn, op: &Op) -> Result<Option<Found>> {
        let Some(grant) = host_doors::grant(txn, &op.door)?.filter(|it| it.kind == op.kind.kind) else {
            return Ok(None);
        };
        let machine = match &grant.holder {
            Holder::Resource { id, created } => match machine::of_host(cx, txn, id)? {
                Some(machine) if machine.vm.created == *created => Some(machine),
                Some(_) | None => return Ok(None),
            },
            Holder::Person(_) => None,
        };
        Ok(Some(Found { grant, machine }))
    }

    /// The secret, where the dialect has one. Whose it is, the door has said.
    fn authenticate(&self, _cx: &Cx, op: &Op, found: &Option<Found>, parts: &Parts) -> Result<Caller> {
        if let (Wants::Secret(name), Some(found)) = (op.dialect.wants, found) {
            let shown = parts.header(name).ok_or_else(|| codes::no_secret(op.kind, name))?;
            if !keys::same(&keys::sha256(shown.as_bytes()), &found.grant.secret) {
                return Err(codes::wrong_secret(op.kind));
            }
        }
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &Op, found: &Option<Found>, _caller: &Caller) -> Requirement {
        match found {
            Some(_) => Requirement::Open,
            None => Requirement::Guest,
        }
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &Option<Found>, _refusal: &Refusal) -> Error {
        (&codes::NO_DOOR).into()
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        codes::fault(fault)
    }

    async fn handle(
        &self,
        cx: &Cx,
        _permit: Permit,
        op: Op,
        found: Option<Found>,
        body: Body,
    ) -> Result<Reply> {
        let found = found.ok_or(&codes::NO_DOOR)?;
        let asked = match op.dialect.method == Method::POST {
            true => Asked::of_body(op.kind, op.dialect, body).await?,
            false => Asked::read(op.kind, op.dialect, &op.query)?,
        };
        if op.kind.has_challenge {
            arc::admit(cx, &op.door, op.authorization.as_deref()).await?;
        }
        ask::answer(cx, &op, &found, &asked).await
    }

    fn dress(&self, cx: &Cx, _parts: &Parts, reply: &mut Reply) {
        reply.set("x-ms-request-id", cx.request_id.to_string());
        reply.set("cache-control", "no-store");
    }

    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        codes::render(cx, parts, error)
    }

    fn describe(&self, op: &Op) -> String {
        op.kind.kind.to_owned()
    }
}

/// The dialect that the request's api-version is of. A dialect without versions takes any.
fn dialect(kind: &'static Protocol, parts: &Parts) -> Result<&'static Dialect> {
    let version = parts.query("api-version").unwrap_or_default();
    let speaks = |it: &&Dialect| it.versions.is_empty() || it.versions.contains(&version);
    kind.dialects.iter().find(speaks).ok_or_else(|| codes::bad_version(kind, version))
}
