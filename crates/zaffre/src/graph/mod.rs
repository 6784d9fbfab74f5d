//! Microsoft Graph, `graph.microsoft.com`: the directory, as its clients read and change it.
//!
//! ```text
//! routes       method and path ──► a row: what it is called, and the function that does it
//! ask          what a function gets: keys of the path, query, body, caller
//! permissions  who may read and change which part of the directory
//! properties   what each type of object has: names, defaults, what may be written
//! objects      how one object is read and shown
//! lists        filtered, ordered, counted, page by page
//! changes      creating, updating, deleting
//! deleted      what was deleted, and may come back for thirty days
//! credentials  secrets, certificates, federated credentials of applications
//! links        owners, members, memberships, managers, application roles
//! grants       delegated permissions
//! roles        directory roles
//! batch        requests in a request
//! codes        every refusal
//! aad          the same directory as graph.windows.net had it, by its older names
//! ```
//!
//! Who may do something is weighed in the same transaction as the thing. Names of properties that no row of
//! `properties` has are refused, never dropped.
//!
//! Not done: `addKey` and `removeKey` (a proof by an older key; the list of keys itself can be written), `delta` and
//! change notifications, administrative units, policies, licences. Groups' `proxyAddresses` have no meaning here.

mod aad;
mod ask;
mod batch;
mod changes;
mod codes;
mod credentials;
mod deleted;
mod grants;
mod links;
mod lists;
mod objects;
mod permissions;
mod properties;
mod roles;
mod routes;

#[cfg(test)]
mod tests;

pub(crate) use self::aad::AzureAdGraph;
use azure::error::{Error, Result, Row};
use serde_json::json;

use self::{
    ask::{Answer, Ask, Query},
    routes::{Effect, Route},
};
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    directory::{
        TokenFault,
        resources::{GRAPH, ResourceApp},
        secret::SecretHash,
        verify,
    },
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

const BODY_BYTES: usize = 1 << 20;
const CONTENT_TYPE: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

pub(crate) struct Graph;

/// A row, and what the request filled in.
pub(crate) struct Op {
    route: &'static Route,
    /// What stands for the stars of the row's path.
    keys: Vec<String>,
    path: routes::Path,
    query: Query,
    /// Of a batch, the request that its parts are parts of.
    whole: Option<Box<Parts>>,
}

/// Every operation, as the log names it: a method and a name.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    routes::names()
}

impl Service for Graph {
    type Op = Op;
    type Found = ();
    const NAME: &'static str = "graph";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        let path = routes::Path::parse(parts)?;
        let (route, keys) = routes::find(&parts.method, &path)?;
        let whole = matches!(route.effect, Effect::Batch).then(|| Box::new(outer(parts)));
        Ok(Op { route, keys, query: Query::read(&parts.query, ask::is_eventual(parts))?, path, whole })
    }

    /// Whoever may read one object may read them all, so absence is no secret, and is found out by
    /// the row's own function.
    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Op) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, cx: &Cx, _op: &Op, _found: &(), parts: &Parts) -> Result<Caller> {
        bearer(cx, parts, &GRAPH, &codes::NO_TOKEN)?.map_err(codes::of_token)
    }

    fn requires(&self, _cx: &Cx, _op: &Op, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::SignedIn
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &(), _refusal: &Refusal) -> Error {
        (&codes::NO_TOKEN).into()
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        codes::fault(fault)
    }

    async fn handle(&self, cx: &Cx, permit: Permit, op: Op, _found: (), body: Body) -> Result<Reply> {
        let bytes = body.bytes(BODY_BYTES).await?;
        let answered = match op.whole {
            Some(parts) => batch::run(cx, permit.caller(), &parts, &bytes).await?,
            None => answer(cx, permit.caller(), op, &bytes).await?,
        };
        Ok(reply(answered))
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        reply.set("cache-control", "no-cache");
        reply.set("odata-version", "4.0");
        reply.set("request-id", cx.request_id.to_string());
        reply.set(
            "client-request-id",
            parts.header("client-request-id").unwrap_or(&cx.request_id.to_string()),
        );
        reply.set("x-ms-ags-diagnostic", DIAGNOSTIC);
        reply.set("date", cx.now.rfc1123());
    }

    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        let body = error_body(cx, parts, error);
        let reply = Reply::json(error.row.status, &body);
        match error.row.status {
            401 => reply.with("www-authenticate", challenge(cx)),
            _ => reply,
        }
    }

    fn describe(&self, op: &Op) -> String {
        op.route.name.to_owned()
    }
}

/// Who shows a token for this resource, or what is wrong with it; nobody where none is shown, and `malformed` where something
/// else is.
fn bearer(
    cx: &Cx,
    parts: &Parts,
    of: &ResourceApp,
    malformed: &'static Row,
) -> Result<std::result::Result<Caller, TokenFault>> {
    let Some(header) = parts.headers.get(http::header::AUTHORIZATION) else {
        return Ok(Ok(Caller::Anonymous));
    };
    let words = header.to_str().ok().and_then(|it| it.split_once(' '));
    let (_, token) = words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).ok_or(malformed)?;
    Ok(verify::verify(cx, token.trim(), &of.audiences()).map(Caller::Principal))
}

/// What a request that is no batch is answered.
async fn answer(cx: &Cx, caller: &Caller, op: Op, bytes: &[u8]) -> Result<Answer> {
    let draw = cx.draw();
    let mut ask = Ask::new(cx, caller, op.keys, op.path, op.query, bytes)?;
    if let Some(password) = ask.chosen_password() {
        let mut salt = cx.draw();
        let hashed = tokio::task::spawn_blocking(move || SecretHash::of_chosen(&password, &mut salt));
        ask.password = Some(hashed.await.map_err(|failed| Fault::Internal.because(failed))?);
    }
    match op.route.effect {
        Effect::Read(read) => {
            cx.read(|txn| {
                ask.may_read(txn)?;
                read(&ask, txn)
            })
            .await
        }
        Effect::Change(change) => cx.write(|txn| change(&ask, txn, &mut draw.clone())).await,
        Effect::Batch => Err(codes::BAD_BATCH.with(["a batch is no part of a batch"])),
    }
}

/// What the parts of a batch have from the whole: the door, the host and the version.
fn outer(parts: &Parts) -> Parts {
    Parts {
        method: parts.method.clone(),
        door: parts.door.clone(),
        authority: parts.authority.clone(),
        raw_path: parts.raw_path.clone(),
        path: parts.path.clone(),
        raw_query: String::new(),
        query: Vec::new(),
        headers: http::HeaderMap::new(),
        fault: None,
    }
}

fn error_body(cx: &Cx, parts: &Parts, error: &Error) -> serde_json::Value {
    let id = cx.request_id.to_string();
    json!({ "error": {
        "code": error.row.code,
        "message": error.message(),
        "innerError": {
            "date": cx.now.iso_seconds().trim_end_matches('Z'),
            "request-id": id,
            "client-request-id": parts.header("client-request-id").unwrap_or(&id),
        },
    }})
}

/// Which of Azure's machines answered; clients print it.
const DIAGNOSTIC: &str = r#"{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"000","RoleInstance":"zaffre"}}"#;

fn challenge(cx: &Cx) -> String {
    format!(
        "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/{}/oauth2/authorize\", client_id=\"{}\"",
        cx.cloud.charter.tenant, GRAPH.app_id
    )
}

fn reply(answer: Answer) -> Reply {
    match answer {
        Answer::Json(status, value) => {
            let mut reply = Reply::json(status, &value);
            reply.set("content-type", CONTENT_TYPE);
            reply
        }
        Answer::Text(text) => Reply::new(200).typed("text/plain", text),
        Answer::Empty => Reply::new(204),
    }
}
