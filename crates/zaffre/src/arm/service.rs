//! The one path, as Resource Manager fills it in.
//!
//! Checks come in Azure's order (arm.md §4): api-version, token, roles, then whether anything is there
//! at all: a caller without a role is refused for what does not exist just as for what does.

use azure::{
    action::Action,
    api_version::ApiVersion,
    conditions::Attributes,
    error::{Error, Result, Row},
    ids::ResourceId,
    rbac::{Access, Plane},
};
use http::Method;
use serde_json::{Value, json};

use super::{
    Arm,
    activity::Note,
    answer, codes, content,
    deployments::{self, stacks},
    document, durations, headers,
    kind::{Answer, Call, Errand, Look, Patch, Run, View},
    limits, list, locked,
    own::{self, Who},
    path::{self, What},
    polls,
    precondition::Preconditions,
    remove, served,
    tokens::{self, CHALLENGE},
    types::{self, Type, Types},
    write::{self, Write},
};
use crate::{
    access::Why,
    resources::{
        self,
        locks::Doing,
        operations::{self, Operation},
    },
    service::{Body, Caller, Cx, Fault, Parts, Permit, Refusal, Reply, Requirement, Service},
    store::Txn,
};

/// An operation: what it is about, and how it was asked.
pub struct Op {
    pub(super) what: What,
    pub(super) method: Method,
    pub(super) asked: Asked,
}

/// The rest of a request's first lines.
pub struct Asked {
    /// The api-version that serves.
    pub version: ApiVersion,
    /// The one that was asked for: links go on asking for it.
    pub requested: String,
    pub query: Vec<(String, String)>,
    /// `https://host` as the client reached it.
    pub origin: String,
    /// The whole path, cleaned.
    pub path: String,
    /// The client's own name for the request.
    pub(super) client_request: Option<String>,
    /// What the answer says of when to ask again, where there is something to be followed.
    pub(super) retry_after: &'static str,
    preconditions: Preconditions,
    content_type: Option<String>,
}

impl Op {
    /// A request that Resource Manager puts to itself.
    pub(super) fn inside(types: &Types, method: Method, path: &str, version: &str) -> Result<Op> {
        let bad = |why: String| codes::INVALID_PATH.with([path.to_owned(), why]);
        let id = types.spelled(&ResourceId::parse(path).map_err(|why| bad(why.to_string()))?);
        let what = path::read(types, &method, &id)?;
        let asked = Asked {
            version: version_of(&what, version)?,
            requested: version.to_owned(),
            query: vec![("api-version".to_owned(), version.to_owned())],
            origin: "https://management.azure.com".to_owned(),
            path: id.to_string(),
            client_request: None,
            retry_after: durations::SOON,
            preconditions: Preconditions::default(),
            content_type: None,
        };
        Ok(Op { what, method, asked })
    }
}

impl Asked {
    pub(super) fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The same question, as a function of Resource Manager's own sees it.
    pub fn of<T>(call: &Call<'_, T>) -> Asked {
        Asked {
            version: call.version.clone(),
            requested: call.query("api-version").unwrap_or_default().to_owned(),
            query: call.query.to_vec(),
            origin: call.origin.to_owned(),
            path: call.id.to_string(),
            client_request: None,
            retry_after: durations::SOON,
            preconditions: Preconditions::default(),
            content_type: None,
        }
    }
}

/// What following an operation needs to know before it is allowed.
pub struct Found {
    operation: Option<Operation>,
}

impl Service for Arm {
    type Op = Op;
    type Found = Found;
    const NAME: &'static str = "arm";

    fn parse(&self, cx: &Cx, parts: &Parts) -> Result<Op> {
        let is_metadata =
            || parts.raw_path.to_ascii_lowercase().trim_start_matches('/').starts_with("metadata/");
        let requested = match requested(parts) {
            Some(version) => version,
            None if is_metadata() => "2022-09-01".to_owned(),
            None => return Err((&codes::MISSING_API_VERSION).into()),
        };
        let bad = |why: String| codes::INVALID_PATH.with([parts.raw_path.clone(), why]);
        let path = parts.path.as_deref().ok_or_else(|| bad("it is not UTF-8".to_owned()))?;
        let id = ResourceId::parse(path).map_err(|why| bad(why.to_string()))?;
        let id = self.types.spelled(&deployments::addressed(id));
        let what = path::read(&self.types, &parts.method, &id)?;
        let asked = Asked {
            version: version_of(&what, &requested)?,
            requested,
            query: parts.query.clone(),
            origin: parts.origin(),
            path: id.to_string(),
            client_request: parts.header("x-ms-client-request-id").map(str::to_owned),
            retry_after: durations::retry_after(cx, type_of(&what)),
            preconditions: Preconditions::of(parts),
            content_type: parts.header("content-type").map(str::to_owned),
        };
        Ok(Op { what, method: parts.method.clone(), asked })
    }

    fn find(&self, _cx: &Cx, txn: &Txn, op: &Op) -> Result<Found> {
        let operation = match &op.what {
            What::Own { path, .. } => polls::about(txn, path)?,
            What::One { .. } | What::Many { .. } | What::Verb { .. } | What::Function { .. } => None,
        };
        Ok(Found { operation })
    }

    fn authenticate(&self, cx: &Cx, op: &Op, _found: &Found, parts: &Parts) -> Result<Caller> {
        match &op.what {
            What::Own { row, .. } if row.who == Who::Anyone => Ok(Caller::Anonymous),
            _ => {
                let caller = tokens::authenticate(cx, parts)?;
                limits::take(cx, &caller, &op.method)?;
                Ok(caller)
            }
        }
    }

    fn requires(&self, _cx: &Cx, op: &Op, found: &Found, caller: &Caller) -> Requirement {
        let to = |action: String, on: &ResourceId| Requirement::to(Action::from(action), on, Plane::Control);
        match &op.what {
            What::One { of, .. } if of.kind.anyone_may_put && op.method == Method::PUT => {
                Requirement::Access { all: Vec::new(), later: true }
            }
            What::One { id, of } if of.kind.confirms && is_write(&op.method) => {
                let access = Access::to(of.action(verb_of(&op.method)).into(), id.clone(), Plane::Control);
                let access = Access { attributes: Attributes::none().partial(), ..access };
                Requirement::Access { all: vec![access], later: true }
            }
            What::One { id, of } if is_open(of, &id.extended()) && !is_write(&op.method) => {
                Requirement::SignedIn
            }
            What::One { id, of } => to(of.action(verb_of(&op.method)), id).and_maybe_later(op, of),
            What::Many { at, of } if is_open(of, at) => Requirement::SignedIn,
            What::Many { at, of } => to(of.action("read"), at),
            What::Verb { id, of, verb, .. } => to(of.action(verb.action), id),
            What::Function { function, .. } if function.action.is_empty() => Requirement::SignedIn,
            What::Function { at, function, .. } => to(function.action.to_owned(), at),
            What::Own { row, path } => {
                own_requirement(&self.types, (row.who, path), &op.asked.path, found, caller)
            }
        }
    }

    fn refuse(&self, cx: &Cx, op: &Op, _found: &Found, refusal: &Refusal) -> Error {
        match &refusal.why {
            Why::Anonymous | Why::NotAGuest => tokens::missing(cx, &tokens::authority(cx, &op.asked.path)),
            Why::Denied { access, .. } => {
                let named = access.on.subscription();
                match named.filter(|it| *it != cx.cloud.charter.subscription) {
                    Some(unknown) => codes::SUBSCRIPTION_NOT_FOUND.with([unknown.to_string()]),
                    None => codes::refused(refusal),
                }
            }
        }
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        match fault {
            Fault::BadHead => &codes::BAD_HEAD,
            Fault::HeadTooLarge => &codes::HEAD_TOO_LARGE,
            Fault::Misdirected => &codes::MISDIRECTED,
            Fault::Internal => &codes::INTERNAL,
            Fault::Unavailable => &codes::UNAVAILABLE,
            Fault::BodyTooLarge => &codes::BODY_TOO_LARGE,
            Fault::BodyCutShort => &codes::BODY_CUT_SHORT,
            Fault::BodyTooSlow => &codes::BODY_TOO_SLOW,
        }
    }

    async fn turned_away(&self, cx: &Cx, op: &Op, caller: &Caller, error: &Error) {
        Note::of(cx, caller, op).failed(cx, error).await;
    }

    async fn handle(&self, cx: &Cx, permit: Permit, op: Op, _found: Found, body: Body) -> Result<Reply> {
        durations::settle(cx).await?;
        let note = Note::of(cx, permit.caller(), &op);
        let left = limits::left(cx, permit.caller(), &op.method);
        let outcome = self.handled(cx, permit, &op, &note, body).await;
        if let Err(error) = &outcome {
            note.failed(cx, error).await;
        }
        outcome.map(|reply| match left {
            Some(left) => reply.with(headers::remaining(limits::Kind::of(&op.method)), left.to_string()),
            None => reply,
        })
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        headers::dress(cx, parts, reply);
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        let mut reply = Reply::json(error.row.status, &json!({ "error": rendered(error) }));
        if let Some(challenge) = error.extra(CHALLENGE) {
            reply.set("WWW-Authenticate", challenge);
        }
        if let Some(seconds) = error.extra(limits::RETRY_AFTER) {
            reply.set("Retry-After", seconds);
        }
        reply
    }

    fn describe(&self, op: &Op) -> String {
        served::name(&op.what, &op.method, &op.asked.path)
    }
}

/// An error as answers show it.
pub(super) fn rendered(error: &Error) -> Value {
    let mut shown = json!({ "code": error.row.code, "message": error.message() });
    if let Some(target) = &error.target {
        shown["target"] = json!(target);
    }
    if !error.details.is_empty() {
        shown["details"] = error.details.iter().map(rendered).collect();
    }
    shown
}

/// The api-version that is asked for. Two of them are joined, as ASP.NET does it, and so are none of ours
/// (unverified for Azure, and safer than to serve either).
fn requested(parts: &Parts) -> Option<String> {
    let given = parts.query.iter().filter(|(name, _)| name.eq_ignore_ascii_case("api-version"));
    let given: Vec<&str> = given.map(|(_, version)| version.as_str()).collect();
    given.iter().any(|version| !version.is_empty()).then(|| given.join(","))
}

fn version_of(what: &What, requested: &str) -> Result<ApiVersion> {
    match what {
        What::One { of, .. } | What::Many { of, .. } | What::Verb { of, .. } => of.serve(requested),
        What::Function { function, .. } => types::serve_function(requested, function.path, function.versions),
        // Its own versions are not dates.
        What::Own { row, .. } if row.who == Who::Anyone => Ok(ApiVersion::of("2022-09-01")),
        // A poll carries the version of what it follows, which has its own list.
        What::Own { row, .. } if row.who == Who::Follower => types::any_version(requested),
        What::Own { .. } => types::own_version(requested),
    }
}

/// The type whose time an operation takes. What is done to a group's resources takes the group's.
fn type_of(what: &What) -> &str {
    match what {
        What::One { of, .. } | What::Many { of, .. } | What::Verb { of, .. } => &of.name,
        What::Own { row, .. } if matches!(row.who, Who::MayAndMore(_)) => {
            "Microsoft.Resources/resourceGroups"
        }
        What::Function { .. } | What::Own { .. } => "",
    }
}

pub(super) fn verb_of(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ => "write",
    }
}

fn own_requirement(
    types: &Types,
    (who, path): (Who, &path::Parameters),
    at: &str,
    found: &Found,
    caller: &Caller,
) -> Requirement {
    let scope = || ResourceId::parse(at).map_or_else(|_| ResourceId::root(), |it| own::scope_of(&it));
    let to = |action: String, on: &ResourceId| Requirement::to(Action::from(action), on, Plane::Control);
    match (who, &found.operation) {
        (Who::Anyone, _) => Requirement::Open,
        (Who::SignedIn, _) | (Who::Follower, None) => Requirement::SignedIn,
        (Who::May(action), _) => to(action.to_owned(), &scope()),
        (Who::MayAndMore(action), _) => to(action.to_owned(), &scope()).and_later(),
        (Who::MayRegister, _) => to(own::register_action(path, at), &scope()),
        (Who::Follower, Some(operation)) => {
            let began = caller.principal().is_some_and(|it| operation.started_by == Some(it.object_id));
            let read =
                || types.of(&operation.resource).map_or_else(|_| String::new(), |of| of.action("read"));
            if began { Requirement::SignedIn } else { to(read(), &operation.resource) }
        }
    }
}

impl Requirement {
    /// Writes of rows ask for more when their body has been read: identities, links.
    fn and_maybe_later(self, op: &Op, of: &Type) -> Requirement {
        let is_write = op.method == Method::PUT || op.method == Method::PATCH;
        if is_write && of.kind.own.is_none() { self.and_later() } else { self }
    }
}

/// What everybody with a name may read.
fn is_open(of: &Type, scope: &ResourceId) -> bool {
    of.kind.open_in_tenant && scope.is_root()
}

fn is_write(method: &Method) -> bool {
    [Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

impl Arm {
    async fn handled(&self, cx: &Cx, permit: Permit, op: &Op, note: &Note, body: Body) -> Result<Reply> {
        match &op.what {
            // What is rare and large lies elsewhere: else every request would carry the room that it takes.
            What::One { id, of } if deployments::is(of) && op.method == Method::PUT => {
                Box::pin(deployments::put(self, cx, permit, (id, of), (&op.asked, note), body)).await
            }
            What::One { id, of } if stacks::is(of) && op.method == Method::PUT => {
                Box::pin(stacks::put(self, cx, permit, (id, of), (&op.asked, note), body)).await
            }
            What::One { id, of } if stacks::is(of) && op.method == Method::DELETE => {
                Box::pin(stacks::delete(self, cx, permit, (id, of), (&op.asked, note))).await
            }
            What::One { id, of } => self.one(cx, permit, (op, note), (id, of), body).await,
            What::Many { at, of } => {
                // The built-in roles alone are a megabyte.
                let list = |txn: &Txn| {
                    let list = list::of_type(&self.types, cx, (txn, permit.caller()), at, of, &op.asked)?;
                    Ok(Reply::json(200, &list))
                };
                Ok(answer::provided(cx.read_long(list).await?, of))
            }
            What::Verb { id, of, verb, .. } if deployments::is_judgement(of, verb) => {
                let reply =
                    Box::pin(deployments::judged(self, cx, permit, (id, verb), &op.asked, body)).await?;
                note.done_apart(cx, reply.status.as_u16(), None).await?;
                Ok(reply)
            }
            What::Verb { id, of, verb, .. } if stacks::is_judgement(of, verb) => {
                let reply = Box::pin(stacks::judged(self, cx, permit.caller(), id, &op.asked, body)).await?;
                note.done_apart(cx, reply.status.as_u16(), None).await?;
                Ok(reply)
            }
            What::Verb { id, verb, path, .. } => {
                self.call(cx, permit, (op, note), (id, verb.run, path), true, body).await
            }
            What::Function { at, function, path } => {
                self.call(cx, permit, (op, note), (at, function.run, path), false, body).await
            }
            What::Own { row, path } => self.own(cx, permit, (op, note), (row, path), body).await,
        }
    }

    async fn one(
        &self,
        cx: &Cx,
        permit: Permit,
        (op, note): (&Op, &Note),
        (id, of): (&ResourceId, &Type),
        body: Body,
    ) -> Result<Reply> {
        let asked = &op.asked;
        let is_patch = op.method == Method::PATCH;
        if matches!(op.method, Method::GET | Method::HEAD) {
            return cx.read(|txn| get(&self.types, cx, (txn, permit.caller()), (id, of), op)).await;
        }
        if is_patch && of.kind.patch == Patch::Refused {
            return Err(codes::METHOD_NOT_ALLOWED.with(["PATCH", id.as_str()]));
        }
        let is_delete = op.method == Method::DELETE;
        let body = if is_delete {
            Value::Null
        } else if of.kind.bare_put {
            content::any(asked.content_type.as_deref(), body).await?
        } else {
            content::object(asked.content_type.as_deref(), body, of.is_definition()).await?
        };
        let write = Write {
            id,
            of,
            version: &asked.version,
            preconditions: &asked.preconditions,
            query: &asked.query,
            body: &body,
            origin: &asked.origin,
            is_patch,
            note,
        };
        if is_delete {
            let removed = remove::delete(&self.types, cx, &permit, &write).await?;
            return Ok(answer::deleted(id, of, removed, asked));
        }
        let done = write::put(&self.types, cx, &permit, &write).await?;
        Ok(answer::written(id, of, done, asked))
    }

    async fn call(
        &self,
        cx: &Cx,
        permit: Permit,
        (op, note): (&Op, &Note),
        (id, run, path): (&ResourceId, Run, &path::Parameters),
        on_resource: bool,
        body: Body,
    ) -> Result<Reply> {
        let (asked, outer) = (&op.asked, cx);
        let body = content::any(asked.content_type.as_deref(), body).await?;
        let is_change = on_resource && op.method == Method::POST;
        let look = |txn: &Txn| {
            if is_change {
                locked::check(txn, Doing::Writing, (id, &self.types.of(id)?))?;
            }
            if on_resource { target(self, cx, txn, id, asked) } else { Ok(None) }
        };
        let found = cx.read(look).await?;
        let location = found.as_ref().and_then(|it| it.location.clone());
        let draw = cx.draw();
        let answer = match run {
            Run::Wait(run) => {
                let (version, query, origin) =
                    (asked.version.clone(), asked.query.clone(), asked.origin.clone());
                let id = found.as_ref().map_or(id, |it| &it.id);
                let (cx, id, path) = (cx.clone(), id.clone(), path.clone());
                let answer =
                    run(Errand { cx, permit, draw, version, id, resource: found, path, query, body, origin })
                        .await?;
                outer.write(|txn| begun(outer, txn, note, &answer)).await?;
                answer
            }
            Run::Txn(run) => {
                let call = |txn: &mut Txn| {
                    let resource = look(txn)?;
                    let mut draw = draw.clone();
                    let subject = (resource.as_ref(), &body);
                    let answer = run(&mut calling(cx, txn, &permit, &mut draw, op, (id, path), subject))?;
                    begun(cx, txn, note, &answer)?;
                    Ok(answer)
                };
                cx.write(call).await?
            }
            Run::Read(run) => {
                let mut draw = draw;
                let subject = (found.as_ref(), &body);
                let call = |txn: &Txn| run(&calling(cx, txn, &permit, &mut draw, op, (id, path), subject));
                let answer = cx.read(call).await?;
                note.done_apart(cx, answer.status(), None).await?;
                answer
            }
        };
        Ok(answer::called(id, location.as_deref(), answer, asked))
    }

    async fn own(
        &self,
        cx: &Cx,
        permit: Permit,
        (op, note): (&Op, &Note),
        (row, path): (&own::Row, &path::Parameters),
        body: Body,
    ) -> Result<Reply> {
        let id = ResourceId::parse(&op.asked.path).unwrap_or_else(|_| ResourceId::root());
        let draw = cx.draw();
        let answer: Answer = match row.run {
            own::Run::Read(run) => {
                let (subject, mut draw) = ((None, &Value::Null), draw);
                let call = |txn: &Txn| {
                    run(&self.types, &calling(cx, txn, &permit, &mut draw, op, (&id, path), subject))
                };
                let answer = cx.read(call).await?;
                note.done_apart(cx, answer.status(), None).await?;
                answer
            }
            own::Run::Write(run) => {
                let body = content::any(op.asked.content_type.as_deref(), body).await?;
                let call = |txn: &mut Txn| {
                    let (subject, mut draw) = ((None, &body), draw.clone());
                    let mut call = calling(cx, &mut *txn, &permit, &mut draw, op, (&id, path), subject);
                    let answer = run(&self.types, &mut call)?;
                    begun(cx, txn, note, &answer)?;
                    Ok(answer)
                };
                cx.write(call).await?
            }
        };
        Ok(answer::called(&id, None, answer, &op.asked))
    }
}

/// Writes down what an action did; one that began an operation may take as long as the platform's.
fn begun(cx: &Cx, txn: &mut Txn, note: &Note, answer: &Answer) -> Result<()> {
    let operation = answer.operation();
    let lasting = operation.zip(note.action().and_then(|it| durations::of_action(cx, it)));
    if let Some((operation, lasts)) = lasting {
        operations::hold(txn, operation, cx.now.plus(lasts))?;
    }
    note.done(txn, answer.status(), operation)
}

fn calling<'a, T>(
    cx: &'a Cx,
    txn: T,
    permit: &'a Permit,
    draw: &'a mut crate::cloud::Draw,
    op: &'a Op,
    (id, path): (&'a ResourceId, &'a path::Parameters),
    (resource, body): (Option<&'a resources::Resource>, &'a Value),
) -> Call<'a, T> {
    let asked = &op.asked;
    let (version, query, origin) = (&asked.version, &asked.query, asked.origin.as_str());
    // As it was made, not as this request spells it: what lies beside the row is kept by that name.
    let id = resource.map_or(id, |it| &it.id);
    Call { cx, txn, permit, draw, version, id, resource, path, query, body, origin }
}

/// The resource that something is done to: there, whoever keeps it. Only rows are given back.
fn target(
    arm: &Arm,
    cx: &Cx,
    txn: &Txn,
    id: &ResourceId,
    asked: &Asked,
) -> Result<Option<resources::Resource>> {
    let of = arm.types.of(id)?;
    if !of.is_group() {
        write::group_is_there(txn, id)?;
    }
    write::parents_are_there(&arm.types, cx, txn, id, (&asked.version, &asked.origin), "action")?;
    if let Some(own) = of.kind.own {
        let (version, query, origin) = (&asked.version, &asked.query, asked.origin.as_str());
        let look = Look { cx, txn, caller: &Caller::Anonymous, id, version, query, origin };
        let found = (own.get)(&look)?;
        return if found.is_some() { Ok(None) } else { Err(absent(&of, id)) };
    }
    resources::get(txn, id)?.map(Some).ok_or_else(|| absent(&of, id))
}

fn absent(of: &Type, id: &ResourceId) -> Error {
    of.kind.own.and_then(|own| own.absent).map_or_else(|| write::absent(id), |absent| absent(id))
}

/// GET shows it, HEAD says with 204 that it is there (arm.md §6).
fn get(
    types: &Types,
    cx: &Cx,
    (txn, caller): (&Txn, &Caller),
    (id, of): (&ResourceId, &Type),
    op: &Op,
) -> Result<Reply> {
    let asked = &op.asked;
    if !of.is_group() && id.resource_group().is_some() && resources::group(txn, id)?.is_none() {
        return Err(codes::GROUP_NOT_FOUND.with([id.resource_group().unwrap_or_default()]));
    }
    let (version, query, origin) = (&asked.version, &asked.query, asked.origin.as_str());
    write::parents_are_there(types, cx, txn, id, (version, origin), "read")?;
    let (shown, etag) = match of.kind.own {
        Some(own) => ((own.get)(&Look { cx, txn, caller, id, version, query, origin })?, None),
        None => match resources::get(txn, id)? {
            Some(resource) => {
                let view = View { cx, txn, resource: &resource, version, query, origin };
                (Some(document::whole(of, &view)?), Some(resource.etag))
            }
            None => (None, None),
        },
    };
    let Some(shown) = shown else { return Err(absent(of, id)) };
    let reply = if op.method == Method::HEAD { Reply::new(204) } else { Reply::json(200, &shown) };
    Ok(answer::provided(answer::tagged(reply, etag), of))
}
