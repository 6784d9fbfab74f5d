//! What a provider says about its types: static tables that `arm` reads.
//!
//! A `Provider` is a list of `Kind`s and of `Function`s. A kind's row says where its resources live,
//! in which api-versions, with which names, and gives the few functions that are its own; `arm`
//! does for every kind what all kinds share (ids, api-versions, locations, parents, tags, ETags, the
//! identity block, authorization, linked checks, operations, listing and paging).
//!
//! ```ignore
//! pub static PROVIDER: Provider = Provider {
//!     namespace: "Microsoft.Compute",
//!     kinds: &[
//!         Kind { identity: Some(Shape::of_compute), answers: Answers::CreatedThenAsync, put: vm::put, delete: vm::delete,
//!                actions: &[Verb::post("start", "start/action", vm::start)],
//!                ..Kind::tracked("virtualMachines", &VERSIONS) },
//!         Kind { put: extension::put, location: Located::Inherited, ..Kind::child("virtualMachines/extensions", &VERSIONS) },
//!     ],
//!     functions: &[],
//!     data: Vec::new,
//! };
//! ```
//!
//! What a name may look like is `azure::names`' table, found by the type. Most kinds are rows of `resources`. A kind whose truth is elsewhere (role assignments, blob
//! containers, databases of Cosmos) sets `own` and answers from there.

use std::{future::Future, pin::Pin};

use azure::{
    action::Action,
    api_version::ApiVersion,
    conditions::Attributes,
    error::{Error, Result},
    identity::Shape,
    ids::{Guid, ResourceId},
    names::BadName,
    rbac::{Access, Plane},
};
use serde_json::{Map, Value};

use crate::{
    access::{Caller, Permit, Why},
    cloud::Draw,
    resources::{self, Resource, moving::Move},
    service::Cx,
    store::Txn,
};

use super::codes;

pub struct Provider {
    /// In Azure's spelling: `Microsoft.Compute`.
    pub namespace: &'static str,
    pub kinds: &'static [Kind],
    pub functions: &'static [Function],
    /// What its data planes' tables demand: `Vec::new` where it has none.
    pub data: fn() -> Vec<(Plane, &'static Action)>,
}

/// A resource type.
pub struct Kind {
    /// Behind the namespace: `virtualMachines`, `virtualMachines/extensions`.
    pub name: &'static str,
    /// Oldest first (arm.md §2): what lies between them, or is newer, is served as the nearest older one.
    pub versions: &'static [ApiVersion],
    pub place: Place,
    pub location: Located,
    pub style: IdStyle,
    /// How an api-version spells the `identity` block; none for types that have no identity.
    pub identity: Option<fn(&ApiVersion) -> Shape>,
    pub answers: Answers,
    pub patch: Patch,
    /// Judges a PUT or PATCH and writes desired state: `next` has everything that all kinds share, and the
    /// body's `properties` as they came (for PATCH: merged into the present ones).
    pub put: fn(&mut Change<'_>) -> Result<()>,
    /// What else goes with the resource, before its row does. May refuse.
    pub delete: fn(&mut Removal<'_>) -> Result<Gone>,
    /// Clears up, behind a deletion that has been committed, what it left outside the resource's row: it is
    /// called for every kind, since a group takes any of them along, and finds out for itself what there is.
    pub sweep: fn(&Cx),
    /// Waits a moment for what a PUT began, outside any transaction, so that the answer can say that it is
    /// done. Whether it is, the row says. None where nothing is begun: what was written is what is answered.
    pub settle: Option<fn(&Cx, &ResourceId) -> Wait<()>>,
    /// `properties` as an api-version shows them. `arm` prints the rest, and `provisioningState`.
    pub view: fn(&View<'_>) -> Result<Map<String, Value>>,
    /// How this kind words a refused name; none: `InvalidResourceName`.
    pub bad_name: Option<fn(&str, &BadName) -> Error>,
    /// Whether a 201 names the resource in `Location`.
    pub locates: bool,
    /// What else the document has beside `properties`: a virtual machine's `resources`.
    pub beside: fn(&View<'_>) -> Result<Map<String, Value>>,
    /// Whether `properties.provisioningState` is printed.
    pub shows_state: bool,
    pub actions: &'static [Verb],
    /// Where the body names other resources, and what the caller must be allowed to do with them.
    pub links: &'static [Link],
    /// For a kind whose truth is not a row of `resources`.
    pub own: Option<&'static Own>,
    /// Whether conditions may look at what a write's body or what is stored says: then what they do
    /// not know yet does not refuse it at once, and the kind's own functions ask again (`Edit::confirm`).
    pub confirms: bool,
    /// Whether whoever has a name may ask for a PUT, of which the kind's own functions then demand what it
    /// takes: anybody may make a management group.
    pub anyone_may_put: bool,
    /// Whether a PUT may come without a body: its path says all.
    pub bare_put: bool,
    /// Whether it is kept as it was sent and nothing of it is done: then every answer about it says so.
    pub is_only_kept: bool,
    /// Whether whoever has a name may read those of the tenant itself. Its list then shows what the caller may see.
    pub open_in_tenant: bool,
    pub moves: Moves,
}

/// Whether a kind's resources may move to another group, and what moves with them.
#[derive(Clone, Copy)]
pub enum Moves {
    /// Their rows are all there is of them.
    Freely,
    /// What is kept beside the row is moved by this, before the row is.
    With(fn(&Cx, &mut Txn, &Move<'_>) -> Result<()>),
    /// They may not, on the platform either.
    Never,
    /// They may there, and not yet here.
    NotYet,
}

/// Where resources of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a resource group.
    Group,
    /// Inside its parent, whose type is this one's without its last segment.
    Child,
    /// On any scope: `{scope}/providers/{namespace}/{type}/{name}`.
    Extension,
    /// In a subscription.
    Subscription,
    /// In the tenant.
    Tenant,
}

/// What a kind says about `location`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// Must be given when it is created (`LocationRequired`), and never changes.
    Required,
    /// May be given, else it is the parent's or the group's; never changes.
    Inherited,
    /// May be given; a type nobody here knows may have one or not.
    Optional,
    /// Has none; what a body says is ignored.
    Nowhere,
}

/// How a kind's ids are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdStyle {
    /// In the casing it was created with.
    AsWritten,
    /// With `resourcegroups` in lower case, as Microsoft.ManagedIdentity does (arm.md §1).
    LowerCaseGroups,
}

/// How PUT, PATCH and DELETE answer (arm.md §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Done when answered: 201 or 200 with the body; DELETE 200, or 204 for what is absent.
    Immediate,
    /// The same, and 200 for what is new: some SDKs know no 201 for their kind.
    Ok,
    /// The same, and while the resource's state is not terminal `Azure-AsyncOperation`; DELETE 202 with
    /// `Azure-AsyncOperation` and `Location`.
    CreatedThenAsync,
    /// 202 without a body and with `Location`, whose 200 is the resource; an existing one that needs no time
    /// 200 with the body. DELETE as `Immediate`.
    AcceptedThenLocation,
    /// 200 with the body and `Azure-AsyncOperation`, always; DELETE 202 with both headers.
    OkThenAsync,
    /// 202 `{"status":"Enqueued"}` with both headers, always, DELETE 202 too.
    Enqueued,
}

/// What PATCH may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Tags, `sku`, `identity`, and `properties` by JSON merge patch, then `put` judges the result.
    Merge,
    /// Tags alone; the rest of the body is ignored.
    TagsOnly,
    /// 405.
    Refused,
}

/// A later moment's value.
pub type Wait<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A write, as a kind's `put` sees it.
pub struct Change<'a> {
    pub cx: &'a Cx,
    pub txn: &'a mut Txn,
    pub permit: &'a Permit,
    pub draw: &'a mut Draw,
    pub version: &'a ApiVersion,
    /// As it was, where it exists.
    pub current: Option<&'a Resource>,
    /// As it will be. To say that it is not done, set its `state` to `Creating` or `Updating`: `arm` begins
    /// the operation, whose id is then in `operation`, and the kind's worker ends it with `operations::finish`. So it
    /// does with one whose place this takes: `current`'s, where that was not done.
    pub next: &'a mut Resource,
    /// The request's body as it came.
    pub body: &'a Value,
    pub is_patch: bool,
    /// What the caller was allowed to do: `Microsoft.Compute/virtualMachines/write`.
    pub action: &'a str,
}

impl Change<'_> {
    pub fn is_create(&self) -> bool {
        self.current.is_none()
    }

    /// Demands that the caller may also do this there; 403 `LinkedAuthorizationFailed`.
    pub fn demand(&self, action: impl Into<Action>, on: &ResourceId) -> Result<()> {
        linked(
            self.cx,
            self.txn,
            self.permit,
            (self.action, &self.next.id),
            vec![(action.into(), on.clone())],
        )
    }
}

/// Demands every action on its linked scope, in the transaction of the change that it allows.
pub(super) fn linked(
    cx: &Cx,
    txn: &Txn,
    permit: &Permit,
    (action, on): (&str, &ResourceId),
    wanted: Vec<(Action, ResourceId)>,
) -> Result<()> {
    let all = wanted.into_iter().map(|(action, at)| Access::to(action, at, Plane::Control)).collect();
    match permit.also(cx, txn, all)? {
        Ok(()) => Ok(()),
        Err(refusal) => Err(match &refusal.why {
            Why::Denied { by: Some(_), .. } => codes::refused(&refusal),
            Why::Denied { access, .. } => codes::linked_refusal(&refusal.caller, action, on, access),
            Why::Anonymous | Why::NotAGuest => (&codes::NO_AUTHORIZATION).into(),
        }),
    }
}

/// A deletion, as a kind's `delete` sees it.
pub struct Removal<'a> {
    pub cx: &'a Cx,
    pub txn: &'a mut Txn,
    pub draw: &'a mut Draw,
    pub resource: &'a Resource,
    /// What the request deletes: the resource, its parent or its group.
    pub whole: &'a ResourceId,
    /// Other resources that go along, by the option that the resource was made with.
    pub also: &'a mut Vec<ResourceId>,
    /// The request's query; empty where the resource goes because its parent or its group goes.
    pub query: &'a [(String, String)],
    /// The operation by which the end can be followed, for a removal that is `Later`.
    pub operation: Guid,
}

impl Removal<'_> {
    /// What uses a resource and stays: it stands in the way.
    pub fn users_left(&self, used: &ResourceId) -> Result<Vec<ResourceId>> {
        let mut users = resources::links::users(self.txn, used)?;
        users.retain(|user| !self.whole.holds(user));
        Ok(users)
    }
}

/// Whether it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// With this transaction.
    Now,
    /// Its worker takes it away (`arm::remove`) and ends the operation. Until then its state is `Deleting`.
    Later,
}

/// A look at a resource.
pub struct View<'a> {
    pub cx: &'a Cx,
    pub txn: &'a Txn,
    pub resource: &'a Resource,
    pub version: &'a ApiVersion,
    /// The request's query, for `$expand`; empty in lists and in answers to writes.
    pub query: &'a [(String, String)],
    /// `https://host` as the client reached it.
    pub origin: &'a str,
}

/// POST, GET or HEAD on `{resource}/{name}`.
pub struct Verb {
    /// Compares without case: `listKeys`. May hold slashes and `{parameters}`.
    pub name: &'static str,
    pub method: On,
    /// Behind the type in the action: `listKeys/action`, `readonlykeys/read`.
    pub action: &'static str,
    pub run: Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Get,
    Head,
    Post,
}

/// What a verb or a function does.
#[derive(Clone, Copy)]
pub enum Run {
    /// In one writing transaction.
    Txn(fn(&mut Call<'_>) -> Result<Answer>),
    /// Reads alone.
    Read(fn(&Call<'_, &Txn>) -> Result<Answer>),
    /// Outside any transaction: what waits for a guest.
    Wait(fn(Errand) -> Wait<Result<Answer>>),
}

/// A verb's or a function's call.
pub struct Call<'a, T = &'a mut Txn> {
    pub cx: &'a Cx,
    pub txn: T,
    pub permit: &'a Permit,
    pub draw: &'a mut Draw,
    pub version: &'a ApiVersion,
    /// The resource, or for a function the scope that it was called at.
    pub id: &'a ResourceId,
    /// There is always one for a verb on a row.
    pub resource: Option<&'a Resource>,
    pub path: &'a [(&'static str, String)],
    pub query: &'a [(String, String)],
    /// `Null` where the body was empty.
    pub body: &'a Value,
    pub origin: &'a str,
}

/// The same, to be kept over an `.await`.
pub struct Errand {
    pub cx: Cx,
    pub permit: Permit,
    pub draw: Draw,
    pub version: ApiVersion,
    pub id: ResourceId,
    pub resource: Option<Resource>,
    pub path: Vec<(&'static str, String)>,
    pub query: Vec<(String, String)>,
    pub body: Value,
    pub origin: String,
}

impl<T> Call<'_, T> {
    /// What a `{parameter}` of the name stood for.
    pub fn parameter(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An action's answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// 0 stands for 200 with a body, 204 without.
    pub status: u16,
    pub body: Option<Value>,
    pub headers: Vec<(&'static str, String)>,
    /// Something was begun: 202, and the headers by which to follow it.
    pub begun: Option<(Guid, Follow)>,
}

/// By which headers a begun action is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// `Azure-AsyncOperation` alone.
    Status,
    /// `Location` alone.
    Location,
    Both,
}

impl Answer {
    pub fn ok(body: impl Into<Value>) -> Self {
        Answer { status: 200, body: Some(body.into()), ..Answer::default() }
    }

    pub fn empty(status: u16) -> Self {
        Answer { status, ..Answer::default() }
    }

    /// The same answer with one header more.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn begun(operation: Guid, follow: Follow) -> Self {
        Answer { status: 202, begun: Some((operation, follow)), ..Answer::default() }
    }

    /// As it goes out.
    pub(super) fn status(&self) -> u16 {
        match (self.status, &self.body) {
            (0, Some(_)) => 200,
            (0, None) => 204,
            (status, _) => status,
        }
    }

    pub(super) fn operation(&self) -> Option<Guid> {
        self.begun.map(|(operation, _)| operation)
    }
}

/// Something that is on no resource of ours: `{scope}/providers/{namespace}/{path}`.
pub struct Function {
    /// Behind the namespace, with `{parameters}`: `locations/{location}/vmSizes`. A parameter is one segment.
    pub path: &'static str,
    pub at: At,
    pub method: On,
    /// The whole action: `Microsoft.Compute/locations/vmSizes/read`. Empty: any caller with a name.
    pub action: &'static str,
    /// As a kind's.
    pub versions: &'static [ApiVersion],
    pub run: Run,
}

impl Function {
    /// What is asked by GET of a subscription.
    pub const fn look_up(
        versions: &'static [ApiVersion],
        path: &'static str,
        action: &'static str,
        run: fn(&Call<'_, &Txn>) -> Result<Answer>,
    ) -> Self {
        Function { path, at: At::Subscription, method: On::Get, action, versions, run: Run::Read(run) }
    }
}

/// The scope of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Tenant,
    Subscription,
    Group,
    /// Any scope at all.
    Anywhere,
}

/// A place in the body that names another resource.
pub struct Link {
    /// `properties/networkProfile/networkInterfaces/*/id`: `*` stands for each element of a list.
    pub path: &'static str,
    /// `Microsoft.Network/networkInterfaces/join/action`. Demanded on ids that were not there before.
    pub action: &'static str,
}

/// A kind that is kept elsewhere. `arm` still does names, api-versions, authorization and answers.
pub struct Own {
    pub get: fn(&Look<'_>) -> Result<Option<Value>>,
    /// All of them, whole, in the order they are shown; `arm` pages.
    pub list: fn(&Look<'_>) -> Result<Vec<Value>>,
    pub put: fn(&mut Edit<'_>) -> Result<Written>,
    /// None: 405.
    pub patch: Option<fn(&mut Edit<'_>) -> Result<Written>>,
    /// What was there, as it is shown; none where nothing was.
    pub delete: fn(&mut Edit<'_>) -> Result<Option<Value>>,
    /// Whether DELETE's 200 carries what was deleted.
    pub delete_shows: bool,
    /// The error for what is absent; none: `ResourceNotFound`.
    pub absent: Option<fn(&ResourceId) -> Error>,
}

/// A read of a kind that is kept elsewhere.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub cx: &'a Cx,
    pub txn: &'a Txn,
    /// Who asks; nobody where Resource Manager looks for itself.
    pub caller: &'a Caller,
    /// The resource; for a list, the scope or the parent below which is listed.
    pub id: &'a ResourceId,
    pub version: &'a ApiVersion,
    pub query: &'a [(String, String)],
    pub origin: &'a str,
}

/// A write of a kind that is kept elsewhere.
pub struct Edit<'a> {
    pub cx: &'a Cx,
    pub txn: &'a mut Txn,
    pub permit: &'a Permit,
    pub draw: &'a mut Draw,
    pub id: &'a ResourceId,
    pub version: &'a ApiVersion,
    pub query: &'a [(String, String)],
    pub body: &'a Value,
    pub origin: &'a str,
    /// What the caller was allowed to do.
    pub action: &'a str,
}

impl Edit<'_> {
    /// As for reading.
    pub fn look(&self) -> Look<'_> {
        Look {
            cx: self.cx,
            txn: self.txn,
            caller: self.permit.caller(),
            id: self.id,
            version: self.version,
            query: self.query,
            origin: self.origin,
        }
    }

    /// Demands that the caller may also do this there; 403 `LinkedAuthorizationFailed`.
    pub fn demand(&self, action: impl Into<Action>, on: &ResourceId) -> Result<()> {
        linked(self.cx, self.txn, self.permit, (self.action, self.id), vec![(action.into(), on.clone())])
    }
}

impl Edit<'_> {
    /// Asks again for what the caller was allowed to do, now that these attributes are known; 403
    /// `AuthorizationFailed`.
    pub fn confirm(&self, attributes: Attributes) -> Result<()> {
        let action = Action::from(self.action);
        let access = Access { attributes, ..Access::to(action, self.id.clone(), Plane::Control) };
        self.permit.also(self.cx, self.txn, vec![access])?.map_err(|refusal| codes::refused(&refusal))
    }

    /// Says that there is nothing to ask again about: what was named is not there.
    pub fn confirm_nothing(&self) -> Result<()> {
        self.permit.also(self.cx, self.txn, Vec::new())?.map_err(|refusal| codes::refused(&refusal))
    }
}

/// What was written, as it is shown.
pub struct Written {
    pub is_new: bool,
    pub body: Value,
}

impl Kind {
    /// A plain type of a resource group, with a location: done at once, kept as it was sent.
    pub const fn tracked(name: &'static str, versions: &'static [ApiVersion]) -> Self {
        Kind {
            name,
            versions,
            place: Place::Group,
            location: Located::Required,
            style: IdStyle::AsWritten,
            identity: None,
            answers: Answers::Immediate,
            patch: Patch::Merge,
            put: as_sent,
            delete: at_once,
            sweep: nothing_left,
            settle: None,
            view: as_kept,
            bad_name: None,
            locates: false,
            beside: nothing_beside,
            shows_state: true,
            actions: &[],
            links: &[],
            own: None,
            confirms: false,
            anyone_may_put: false,
            bare_put: false,
            is_only_kept: false,
            open_in_tenant: false,
            moves: Moves::Freely,
        }
    }

    /// The same inside a parent, without a location.
    pub const fn child(name: &'static str, versions: &'static [ApiVersion]) -> Self {
        Kind { place: Place::Child, location: Located::Nowhere, ..Kind::tracked(name, versions) }
    }

    /// A type that is kept elsewhere, on any scope.
    pub const fn extension(name: &'static str, versions: &'static [ApiVersion], own: &'static Own) -> Self {
        Kind { place: Place::Extension, own: Some(own), ..Kind::child(name, versions) }
    }

    /// The last segment of its name: what lists are asked for.
    pub fn last(&self) -> &'static str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

impl Verb {
    pub const fn post(
        name: &'static str,
        action: &'static str,
        run: fn(&mut Call<'_>) -> Result<Answer>,
    ) -> Self {
        Verb { name, method: On::Post, action, run: Run::Txn(run) }
    }

    pub const fn get(
        name: &'static str,
        action: &'static str,
        run: fn(&Call<'_, &Txn>) -> Result<Answer>,
    ) -> Self {
        Verb { name, method: On::Get, action, run: Run::Read(run) }
    }

    pub const fn wait(
        name: &'static str,
        action: &'static str,
        run: fn(Errand) -> Wait<Result<Answer>>,
    ) -> Self {
        Verb { name, method: On::Post, action, run: Run::Wait(run) }
    }
}

fn as_sent(_: &mut Change<'_>) -> Result<()> {
    Ok(())
}

fn at_once(_: &mut Removal<'_>) -> Result<Gone> {
    Ok(Gone::Now)
}

fn nothing_left(_: &Cx) {}

fn as_kept(view: &View<'_>) -> Result<Map<String, Value>> {
    Ok(view.resource.properties.clone())
}

fn nothing_beside(_: &View<'_>) -> Result<Map<String, Value>> {
    Ok(Map::new())
}
