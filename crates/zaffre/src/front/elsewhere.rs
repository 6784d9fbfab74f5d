//! Names that nobody answers to here, Azure's among them: refused with words that say so, never passed on.

use azure::error::{Error, Result, Row};

use super::route;
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(super) struct Elsewhere;

static NOT_EMULATED: Row = Row {
    code: "NotEmulated",
    status: 404,
    template: "'{0}' is one of Microsoft's names, and this cloud does not emulate it. Nothing was sent to the real service.",
    source: "our own (invariant 11)",
};

static UNKNOWN_HOST: Row = Row {
    code: "UnknownHost",
    status: 404,
    template: "Nobody answers to '{0}' here. The services of this cloud go by Azure's own names, and `zaffre env` prints what leads clients to them.",
    source: "our own",
};

fn refused(host: &str) -> Error {
    let row = if route::is_microsofts(host) { &NOT_EMULATED } else { &UNKNOWN_HOST };
    row.with([host])
}

impl Service for Elsewhere {
    type Op = String;
    type Found = ();
    const NAME: &'static str = "elsewhere";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<String> {
        Ok(parts.host().to_owned())
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &String) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, _cx: &Cx, _op: &String, _found: &(), _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &String, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::Open
    }

    fn refuse(&self, _cx: &Cx, op: &String, _found: &(), _refusal: &Refusal) -> Error {
        refused(op)
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        fault.row()
    }

    async fn handle(&self, _cx: &Cx, _permit: Permit, op: String, _found: (), _body: Body) -> Result<Reply> {
        Err(refused(&op))
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        let body = serde_json::json!({ "error": { "code": error.row.code, "message": error.message() } });
        Reply::json(error.row.status, &body)
    }

    fn describe(&self, op: &String) -> String {
        op.clone()
    }
}
