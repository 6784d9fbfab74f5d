//! The Instance Metadata Service, as a virtual machine meets it.
//!
//! ```text
//! routes      the rules of every request, and which operation a path is
//! machine     who asks: the virtual machine behind the door, and its identities
//! token       which of them is meant, and its token
//! instance    what a machine may know of itself
//! attested    what it may show to others, signed
//! events      what is about to be done to it
//! balancer    what leads to it from outside
//! hosts       the other hosts' protocols: App Service, Azure Arc and more, at doors of their own
//! limits      how often it may ask
//! memory      what is kept between requests
//! codes       the refusals, in the two envelopes
//! ```
//!
//! Two doors lead here: 169.254.169.254:80, and `localhost:50342` of machines that have the old
//! extension, which answers tokens alone and in its own way. Who asks follows from the door and from
//! nothing in the request, so one machine cannot ask for another's identity. Every request reads the
//! store: an identity that was taken away a moment ago is gone. What was made of the rows is kept while
//! they are the same, and what was signed, so that the same token is given again while it lives, as the
//! platform does (imds.md §2.3).

mod attested;
mod balancer;
mod codes;
mod events;
mod hosts;
mod instance;
mod limits;
mod machine;
mod memory;
mod routes;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use azure::error::{Error, Result, Row};
use http::StatusCode;
use serde_json::json;

pub(crate) use self::hosts::Hosts;
pub use self::memory::Memory;
use self::{machine::Machine, routes::Op};
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(crate) struct Imds;

impl Service for Imds {
    type Op = Op;
    /// The machine that asks; `None` where the door is no machine's, or that of one that is gone.
    type Found = Option<Arc<Machine>>;
    const NAME: &'static str = "imds";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        routes::parse(parts)
    }

    fn find(&self, cx: &Cx, txn: &Txn, _op: &Op) -> Result<Option<Arc<Machine>>> {
        machine::behind(cx, txn)
    }

    fn authenticate(&self, _cx: &Cx, _op: &Op, _found: &Self::Found, _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, op: &Op, _found: &Self::Found, _caller: &Caller) -> Requirement {
        match op {
            Op::Versions => Requirement::Open,
            Op::Token(_)
            | Op::Info
            | Op::Instance(_)
            | Op::Attested(_)
            | Op::LoadBalancer
            | Op::Events(_) => Requirement::Guest,
        }
    }

    fn refuse(&self, _cx: &Cx, op: &Op, _found: &Self::Found, _refusal: &Refusal) -> Error {
        nobody(op)
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        codes::fault(fault)
    }

    async fn handle(
        &self,
        cx: &Cx,
        _permit: Permit,
        op: Op,
        found: Self::Found,
        body: Body,
    ) -> Result<Reply> {
        let _place = limits::admit(cx, op.category())?;
        let machine = || found.as_deref().ok_or_else(|| nobody(&op));
        match &op {
            Op::Versions => Ok(Reply::json(200, &json!({ "apiVersions": routes::VERSIONS }))),
            Op::Info => token::info(cx, machine()?),
            Op::Instance(asked) => instance::answer(cx, machine()?, asked).await,
            Op::Attested(asked) => attested::answer(cx, machine()?, asked).await,
            Op::LoadBalancer => balancer::answer(cx, machine()?).await,
            Op::Events(asked) => events::answer(cx, machine()?, asked, body).await,
            Op::Token(request) => token::answer(cx, machine()?, request, body).await,
        }
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        if !routes::is_extension(parts) {
            // MSAL looks for `IMDS` in it (imds.md §1).
            reply.set("server", "IMDS/150.870.65.512");
        }
        reply.set("x-ms-request-id", cx.request_id.to_string());
        if reply.status == StatusCode::METHOD_NOT_ALLOWED {
            reply.set("allow", if routes::is_about_events(parts) { "GET, POST" } else { "GET" });
        }
    }

    fn render(&self, _cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        codes::render(parts, error)
    }

    fn describe(&self, op: &Op) -> String {
        op.name().to_owned()
    }
}

/// What nobody's request is told: clients read 400 as "no identity here" and go on (imds.md §2.4).
fn nobody(op: &Op) -> Error {
    match op {
        Op::Token(_) | Op::Info => (&codes::IDENTITY_NOT_FOUND).into(),
        Op::Instance(_) | Op::Attested(_) | Op::LoadBalancer | Op::Events(_) | Op::Versions => {
            (&codes::NO_MACHINE).into()
        }
    }
}
