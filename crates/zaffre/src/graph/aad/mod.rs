//! Azure AD Graph 1.6, `graph.windows.net`: what clients asked the directory before Microsoft Graph took its place; az
//! until 2.36, AzureRM's and AzureAD's modules.
//!
//! ```text
//! request ─ routes: a row ─ names: filters and bodies by Graph's names ─▶ Graph's own function ─┐
//! answer  ◀──────────────── names, credentials: each type's table ◀────────────────────────────┘
//! ```
//!
//! It is the same directory under older names, with the same permissions: nothing is stored, found or allowed here.
//!
//! Not done: `$batch`, differential queries, extension properties, directory roles, devices, `$select` (which the service
//! answered in few versions: every property comes).

mod codes;
mod credentials;
mod members;
mod names;
mod routes;

use azure::error::{Error, Result, Row};
use serde_json::{Map, Value, json};

use self::{
    credentials::Written,
    names::Type,
    routes::{Route, Shape},
};
use super::{
    ask::{Answer, Ask, Form, Query},
    bearer, codes as graph_codes,
    objects::{self, Object, Set},
    routes::{Effect, Path},
};
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    directory::{resources::AAD_GRAPH, secret::SecretHash},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

const BODY_BYTES: usize = 1 << 20;
const CONTENT_TYPE: &str = "application/json; odata=minimalmetadata; streaming=true; charset=utf-8";
/// Those with the shapes that are here; older ones had others.
const VERSIONS: [&str; 3] = ["1.5", "1.6", "beta"];

pub(crate) struct AzureAdGraph;

/// A row, and what the request filled in.
pub(crate) struct Op {
    route: &'static Route,
    keys: Vec<String>,
    path: Path,
    query: Query,
}

impl Service for AzureAdGraph {
    type Op = Op;
    type Found = ();
    const NAME: &'static str = "aad-graph";

    fn parse(&self, cx: &Cx, parts: &Parts) -> Result<Op> {
        let version = parts.query.iter().find(|(name, _)| name.eq_ignore_ascii_case("api-version"));
        if !version.is_some_and(|(_, it)| VERSIONS.contains(&it.as_str())) {
            return Err((&codes::NO_VERSION).into());
        }
        let (tenant, segments, is_me) = behind_the_tenant(cx, parts)?;
        let (route, keys) = routes::find(&parts.method, &segments)?;
        let graph = routes::graph_segments(route, &segments, &keys);
        let form = if matches!(route.shape, Shape::References) { Form::References } else { Form::Objects };
        let root = format!("{}/{tenant}", parts.origin());
        let query = query(parts, graph.first().and_then(|it| Set::of(it)))?;
        let path = Path { root, address: segments.join("/"), segments: graph, is_me, form, cast: None };
        Ok(Op { route, keys, path, query })
    }

    /// As Graph: absence is no secret here.
    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Op) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, cx: &Cx, _op: &Op, _found: &(), parts: &Parts) -> Result<Caller> {
        bearer(cx, parts, &AAD_GRAPH, &codes::NO_TOKEN)?.map_err(codes::of_token)
    }

    fn requires(&self, _cx: &Cx, _op: &Op, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::SignedIn
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &(), _refusal: &Refusal) -> Error {
        (&codes::NO_TOKEN).into()
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        graph_codes::fault(fault)
    }

    async fn handle(&self, cx: &Cx, permit: Permit, op: Op, _found: (), body: Body) -> Result<Reply> {
        let bytes = body.bytes(BODY_BYTES).await?;
        let (shape, root) = (op.route.shape, op.path.root.clone());
        let set = op.path.segments.first().and_then(|it| Set::of(it));
        let answered = answer(cx, permit.caller(), op, &bytes).await?;
        Ok(reply(translated(answered, &root, (shape, set))))
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        let id = cx.request_id.to_string();
        reply.set("cache-control", "no-cache");
        reply.set("dataserviceversion", "3.0;");
        reply.set("x-ms-dirapi-data-contract-version", "1.6");
        reply.set("client-request-id", parts.header("client-request-id").unwrap_or(&id));
        reply.set("request-id", id);
        reply.set("date", cx.now.rfc1123());
    }

    fn render(&self, cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        let body = json!({ "odata.error": {
            "code": codes::spelled(error.row),
            "message": { "lang": "en", "value": error.message() },
            "requestId": cx.request_id,
            "date": cx.now.iso_seconds().trim_end_matches('Z'),
        }});
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

fn challenge(cx: &Cx) -> String {
    format!(
        "Bearer realm=\"{tenant}\", authorization_uri=\"https://login.microsoftonline.com/{tenant}/oauth2/authorize\"",
        tenant = cx.cloud.charter.tenant
    )
}

/// The tenant as it was written, the path behind it, and whether it begins with the caller. `/me` needs no tenant.
fn behind_the_tenant(cx: &Cx, parts: &Parts) -> Result<(String, Vec<String>, bool)> {
    let path = parts.path.as_deref().unwrap_or_default();
    let mut segments: Vec<String> =
        path.split('/').filter(|it| !it.is_empty()).flat_map(super::routes::keyed).collect();
    let is_me = |segments: &[String]| segments.first().is_some_and(|it| it.eq_ignore_ascii_case("me"));
    let mut tenant = "myorganization".to_owned();
    if !is_me(&segments) {
        if segments.is_empty() {
            return Err((&codes::NO_TENANT).into());
        }
        tenant = segments.remove(0);
        let charter = &cx.cloud.charter;
        let names = ["myorganization", charter.domain.as_str(), &charter.tenant.to_string()];
        if !names.iter().any(|it| it.eq_ignore_ascii_case(&tenant)) {
            return Err((&codes::NO_TENANT).into());
        }
    }
    let is_me = is_me(&segments);
    if is_me {
        segments.splice(0..1, ["users".to_owned(), "me".to_owned()]);
    }
    Ok((tenant, segments, is_me))
}

/// The options, about Graph's properties; every property comes.
fn query(parts: &Parts, set: Option<Set>) -> Result<Query> {
    // az of 2018 says `$filter=` where it has none.
    let is_kept = |(name, value): &&(String, String)| {
        !value.is_empty() && !["api-version", "$select"].iter().any(|it| it.eq_ignore_ascii_case(name))
    };
    let pairs: Vec<(String, String)> = parts.query.iter().filter(is_kept).cloned().collect();
    let mut query = Query::read(&pairs, false)?;
    if let Some(set) = set {
        let names = Type::of(set);
        query.filter = query.filter.map(|it| names.filter(it));
        query.order.iter_mut().for_each(|(name, _)| *name = names.path(name));
    }
    query.select = Some(vec!["*".to_owned()]);
    Ok(query)
}

async fn answer(cx: &Cx, caller: &Caller, op: Op, bytes: &[u8]) -> Result<Answer> {
    let set = op.path.segments.first().and_then(|it| Set::of(it));
    let mut ask = Ask::new(cx, caller, op.keys, op.path, op.query, bytes)?;
    let secrets = secrets(cx, &mut ask, op.route, set).await?;
    let draw = cx.draw();
    match op.route.effect {
        Effect::Read(read) => {
            cx.read(|txn| {
                ask.may_read(txn)?;
                read(&ask, txn)
            })
            .await
        }
        Effect::Change(change) => {
            cx.write(|txn| {
                let mut draw = draw.clone();
                let answered = change(&ask, txn, &mut draw)?;
                match &secrets {
                    None => Ok(answered),
                    Some(secrets) => with_secrets(&ask, txn, &mut draw, (answered, secrets)),
                }
            })
            .await
        }
        Effect::Batch => Err(graph_codes::NOT_IMPLEMENTED.with(["$batch"])),
    }
}

/// Turns the body into Graph's; what is secret in it is hashed, outside of the transaction, and taken out.
async fn secrets(
    cx: &Cx,
    ask: &mut Ask<'_>,
    route: &Route,
    set: Option<Set>,
) -> Result<Option<Vec<Written>>> {
    let body = std::mem::take(&mut ask.body);
    let mut salt = cx.draw();
    let password = body.get("passwordProfile").and_then(|it| it.get("password")?.as_str()).map(str::to_owned);
    let takes_secrets = matches!(set, Some(Set::Applications | Set::ServicePrincipals));
    ask.body = graph_body(route, set, body.clone());
    let hashed = tokio::task::spawn_blocking(move || {
        let password = password.map(|it| SecretHash::of_chosen(&it, &mut salt));
        let secrets = if takes_secrets { credentials::read(&body, &mut salt)? } else { None };
        Ok::<_, Error>((password, secrets))
    });
    let (password, secrets) = hashed.await.map_err(|failed| Fault::Internal.because(failed))??;
    ask.password = password;
    Ok(secrets)
}

fn graph_body(route: &Route, set: Option<Set>, mut body: Map<String, Value>) -> Map<String, Value> {
    match (route.name, route.shape, set) {
        ("update keyCredentials", ..) => {
            let listed = body.remove("value").unwrap_or_default();
            Map::from_iter([("keyCredentials".to_owned(), credentials::keys_written(listed))])
        }
        ("getObjectsByObjectIds", ..) => {
            let ids = body.remove("objectIds");
            let types = body.remove("types");
            [("ids", ids), ("types", types)]
                .into_iter()
                .filter_map(|(name, it)| Some((name.to_owned(), it?)))
                .collect()
        }
        (_, Shape::Plain("AppRoleAssignment", _), _) => names::role_written(body),
        (_, Shape::Objects, Some(set)) => {
            let reference = body.remove("url");
            let mut graph = Type::of(set).written(body);
            graph.extend(reference.map(|it| ("@odata.id".to_owned(), it)));
            graph
        }
        _ => body,
    }
}

/// The object that was made or named, with its secrets laid in, shown again where it had been shown.
fn with_secrets(
    ask: &Ask<'_>,
    txn: &mut Txn,
    draw: &mut crate::cloud::Draw,
    (answered, secrets): (Answer, &[Written]),
) -> Result<Answer> {
    let made = match &answered {
        Answer::Json(_, value) => value.get("id").and_then(Value::as_str).and_then(|it| it.parse().ok()),
        Answer::Text(_) | Answer::Empty => None,
    };
    let found = |txn: &Txn| -> Result<Object> {
        match made.map(azure::ids::ObjectId) {
            Some(id) => objects::any(txn, id)?.ok_or_else(|| Fault::Internal.because("it was just made")),
            None => objects::named(ask, txn),
        }
    };
    let object = found(txn)?;
    credentials::replace(txn, draw, (&object, ask.cx.now), secrets)?;
    match answered {
        Answer::Json(status, _) => {
            Ok(Answer::Json(status, Value::Object(objects::shown(ask, txn, &found(txn)?)?)))
        }
        other => Ok(other),
    }
}

/// Graph's answer by this service's names.
fn translated(answered: Answer, root: &str, (shape, set): (Shape, Option<Set>)) -> Answer {
    let Answer::Json(status, Value::Object(mut graph)) = answered else { return answered };
    let next = graph.remove("@odata.nextLink");
    graph.remove("@odata.context");
    let mut out = Map::new();
    let metadata = |of: &str| json!(format!("{root}/$metadata#{of}"));
    let collection = match shape {
        Shape::Plain("TenantDetail", _) | Shape::Objects => "directoryObjects",
        Shape::Plain("AppRoleAssignment", _) => "appRoleAssignments",
        Shape::Plain(..) => "oauth2PermissionGrants",
        Shape::References => "directoryObjects/$links",
        Shape::Values(of) => of,
    };
    match graph.remove("value") {
        Some(Value::Array(values)) => {
            out.insert("odata.metadata".to_owned(), metadata(collection));
            out.extend(next.map(|it| ("odata.nextLink".to_owned(), it)));
            let values = values.into_iter().map(|it| one(it, root, (shape, set)));
            out.insert("value".to_owned(), values.collect());
        }
        Some(value) => {
            out.insert("odata.metadata".to_owned(), metadata(collection));
            out.insert("value".to_owned(), value);
        }
        None => {
            out.insert("odata.metadata".to_owned(), metadata(&format!("{collection}/@Element")));
            if let Value::Object(members) = one(Value::Object(graph), root, (shape, set)) {
                out.extend(members);
            }
        }
    }
    Answer::Json(status, Value::Object(out))
}

fn one(value: Value, root: &str, (shape, set): (Shape, Option<Set>)) -> Value {
    let Value::Object(members) = value else { return value };
    let typed = members.get("@odata.type").and_then(Value::as_str).and_then(|it| Set::of_type(&it[1..]));
    match (shape, typed.or(set)) {
        (Shape::Objects, Some(set)) => Type::of(set).shown(&members),
        (Shape::Plain(of, object_type), _) => names::plain((of, object_type), members),
        (Shape::References, _) => json!({ "url": reference(root, &members) }),
        (Shape::Objects, None) | (Shape::Values(_), _) => Value::Object(members),
    }
}

/// `…/directoryObjects/{id}/Microsoft.DirectoryServices.User`, from Graph's `…/directoryObjects/{id}/microsoft.graph.user`.
fn reference(root: &str, members: &Map<String, Value>) -> String {
    let graph = members.get("@odata.id").and_then(Value::as_str).unwrap_or_default();
    let mut parts = graph.rsplit('/');
    let name = parts.next().and_then(Set::of_type).map_or("DirectoryObject", |set| Type::of(set).name());
    let id = parts.next().unwrap_or_default();
    format!("{root}/directoryObjects/{id}/Microsoft.DirectoryServices.{name}")
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
