//! Entra ID's token service: `login.microsoftonline.com` and its other names.
//!
//! ```text
//! routes      which operation a path is, and which tenant its first segment names
//! discovery   the documents by which clients find everything else
//! token       the token endpoints; form: their parameters; scopes: what is asked for
//! client      which application asks, and by what proof; federation: by a token of another issuer
//! users       the grants behind which a person stands; on_behalf_of: the one that passes a person on
//! sign_in     the pages that a person sees
//! codes       every refusal, with its AADSTS number
//! ```
//!
//! Whatever name and port a client came by, the documents name `login.microsoftonline.com`: clients
//! keep them for a day, so an address that ends with this process must not be in them (az-cli.md §2).
//!
//! Not done, and refused by name: SAML assertions, single sign-out.

mod client;
mod codes;
mod discovery;
mod federation;
mod form;
mod on_behalf_of;
mod routes;
mod scopes;
mod sign_in;
mod token;
mod users;

#[cfg(test)]
mod tests;

use azure::error::{Error, Result, Row};
use serde_json::json;

use self::routes::Op;
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(crate) struct Entra;

impl Service for Entra {
    type Op = Op;
    type Found = ();
    const NAME: &'static str = "entra";

    fn parse(&self, cx: &Cx, parts: &Parts) -> Result<Op> {
        routes::parse(cx, parts)
    }

    /// Everything that is stored about a token request is named in its body.
    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Op) -> Result<()> {
        Ok(())
    }

    /// Whoever asks for a token proves itself in the request's own terms, which `token` reads.
    fn authenticate(&self, _cx: &Cx, _op: &Op, _found: &(), _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &Op, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::Open
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &(), _refusal: &Refusal) -> Error {
        Fault::Internal.because("an open operation was refused")
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        codes::fault(fault)
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Op, _found: (), body: Body) -> Result<Reply> {
        match op {
            Op::Configuration { tenant, version } => Ok(discovery::configuration(cx, tenant, version)),
            Op::Keys { tenant, version } => Ok(discovery::keys(cx, tenant, version)),
            Op::Instance(asked) => Ok(discovery::instance(&asked)),
            Op::UserRealm { user } => Ok(discovery::user_realm(cx, &user)),
            Op::Token(request) => token::answer(cx, request, body).await,
            Op::Authorize(asked) => sign_in::authorize(cx, asked, body).await,
            Op::DeviceCode(request) => {
                let form = form::Form::read(request.is_form, body).await?;
                users::begin_device(cx, &request, &form).await
            }
            Op::DevicePage { is_sent, is_form } => sign_in::device(cx, is_sent, is_form, body).await,
            Op::NotImplemented(name) => Err(codes::NOT_IMPLEMENTED.with([name])),
        }
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        if !reply.headers.contains_key("cache-control") {
            reply.set("cache-control", "no-store, no-cache");
            reply.set("pragma", "no-cache");
            reply.set("expires", "-1");
        }
        reply.set("x-content-type-options", "nosniff");
        reply.set("x-ms-request-id", cx.request_id.to_string());
        if let Some(id) = parts.header("client-request-id") {
            reply.set("client-request-id", id);
        }
    }

    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        if routes::is_page(parts) {
            return sign_in::refusal(error);
        }
        let number = codes::number(error.row);
        let timestamp = codes::timestamp(cx.now);
        let (trace, correlation) = (cx.request_id, cx.correlation_id);
        let mut body = json!({
            "error": codes::oauth(error.row),
            "error_description": codes::description(cx, error),
            "error_codes": number.into_iter().collect::<Vec<u32>>(),
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        if let Some(number) = number {
            body["error_uri"] = json!(codes::page_of(number));
        }
        Reply::json(error.row.status, &body)
    }

    fn describe(&self, op: &Op) -> String {
        op.name().to_owned()
    }
}
