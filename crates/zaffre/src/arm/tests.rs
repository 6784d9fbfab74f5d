//! What no product of this program does yet, on a provider made for it: every way of answering, work
//! that takes its time, verbs and functions, links. The rest is in `tests/transcripts/arm`.

use std::sync::Arc;

use azure::{
    action::Pattern,
    api_version::ApiVersion,
    error::Result,
    identity::Shape,
    ids::{ClientId, Guid, ObjectId, ResourceId},
    jwt::claims::{Bearer, Credential},
    principal::PrincipalKind,
    rbac::EVERYONE,
    roles::{Permission, RoleDefinition, RoleKind},
    time::Timestamp,
};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{
    Arm,
    kind::{
        Answer, Answers, At, Call, Change, Errand, Follow, Function, Gone, Kind, Link, Located, On, Provider,
        Removal, Run, Verb, Wait,
    },
};
use crate::{
    Server,
    access::{
        assignments::{self, RoleAssignment},
        denials::{self, Denial},
    },
    cloud::{Charter, Clock, Cloud, CloudId},
    directory::{
        self, founding,
        mint::Subject,
        service_principals::{self, ServicePrincipal, ServicePrincipalKind},
    },
    door::Door,
    front::serve::serve,
    resources::{
        self, State,
        operations::{self, Gives, Operation, Status},
        removal,
    },
    service::{Body, Cx, Parts},
    store::Txn,
};

static VERSIONS: [ApiVersion; 2] = [ApiVersion::of("2017-12-01"), ApiVersion::of("2018-06-01")];

static KINDS: [Kind; 5] = [
    Kind {
        identity: Some(Shape::of_compute),
        answers: Answers::CreatedThenAsync,
        put: take_time,
        delete: take_time_to_go,
        actions: &[
            Verb::post("restart", "restart/action", restart),
            Verb::get("status", "read", |call| Ok(Answer::ok(json!({ "of": call.id.name() })))),
            Verb::wait("parts/{part}/look", "look/action", look),
        ],
        ..Kind::tracked("machines", &VERSIONS)
    },
    Kind { location: Located::Inherited, ..Kind::child("machines/parts", &VERSIONS) },
    Kind { answers: Answers::AcceptedThenLocation, ..Kind::tracked("stores", &VERSIONS) },
    Kind {
        answers: Answers::OkThenAsync,
        links: &[Link { path: "properties/uses/*/id", action: "Fake.Things/stores/join/action" }],
        ..Kind::tracked("accounts", &VERSIONS)
    },
    Kind { answers: Answers::Enqueued, ..Kind::child("accounts/queues", &VERSIONS) },
];

static PROVIDER: Provider = Provider {
    namespace: "Fake.Things",
    kinds: &KINDS,
    functions: &[Function {
        path: "locations/{location}/sizes",
        at: At::Subscription,
        method: On::Get,
        action: "Fake.Things/locations/sizes/read",
        versions: &VERSIONS,
        run: Run::Read(|call| Ok(Answer::ok(json!([call.parameter("location")])))),
    }],
    data: Vec::new,
};
static PROVIDERS: [&Provider; 1] = [&PROVIDER];
pub(super) static ARM: Arm = Arm::new(&PROVIDERS);

fn take_time(change: &mut Change<'_>) -> Result<()> {
    let asks = change.body.pointer("/properties/slow") == Some(&json!(true));
    if asks {
        change.next.state = if change.is_create() { State::Creating } else { State::Updating };
    }
    Ok(())
}

fn take_time_to_go(removal: &mut Removal<'_>) -> Result<Gone> {
    let is_slow = removal.resource.property("slow") == Some(&json!(true));
    Ok(if is_slow { Gone::Later } else { Gone::Now })
}

fn restart(call: &mut Call<'_>) -> Result<Answer> {
    let operation = Operation::new(call.draw.guid(), call.id, Gives::Output, call.cx.now);
    operations::begin(call.txn, &operation)?;
    Ok(Answer::begun(operation.id, Follow::Both))
}

fn look(errand: Errand) -> Wait<Result<Answer>> {
    Box::pin(async move {
        let part = errand.path.first().map(|(_, part)| part.clone());
        Ok(Answer::ok(json!({ "part": part, "state": errand.resource.map(|it| it.state) })))
    })
}

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
pub(super) const GROUP: &str = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg";
const VERSION: &str = "api-version=2018-06-01";

/// A cloud, and what its administrator says to it.
pub(super) struct Talk {
    pub(super) server: Arc<Server>,
    cloud: Arc<Cloud>,
    token: String,
}

async fn token(cx: &Cx, object_id: ObjectId) -> String {
    let subject =
        Subject { object_id, client: ClientId(object_id.0), bearer: Bearer::App(Credential::Secret) };
    let life = directory::mint::APPLICATION_LIFETIME;
    let minted = directory::mint::mint(cx, subject, "https://management.azure.com/", life);
    minted.token.to_string()
}

pub(super) struct Heard {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Value,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| it.to_str().expect("text"))
    }
}

impl Talk {
    async fn begin() -> Self {
        let server = Server::in_memory(3, NOW).await;
        Self::with(server, CloudId::DEFAULT).await
    }

    async fn with(server: Arc<Server>, cloud: CloudId) -> Self {
        let cloud = server.cloud(cloud).expect("the cloud is open");
        let cx = Cx::internal(&server.env, &cloud, Door::named(cloud.id));
        let token = token(&cx, founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a guid")).await;
        Talk { server, cloud, token }
    }

    pub(super) async fn in_a_group() -> Self {
        let talk = Self::begin().await;
        talk.say("PUT", &format!("{GROUP}?api-version=2024-11-01"), json!({ "location": "westus" })).await;
        talk
    }

    /// Somebody who may do nothing in the group but these.
    pub(super) async fn one_who_may(&self, actions: &[&str]) -> Talk {
        let object_id = ObjectId(self.cx().draw().guid());
        let role = RoleDefinition {
            id: object_id.0,
            name: object_id.to_string(),
            description: None,
            kind: RoleKind::Custom,
            permissions: vec![Permission {
                actions: actions.iter().map(|it| Pattern::from(*it)).collect(),
                ..Permission::default()
            }],
            assignable_scopes: vec![ResourceId::root()],
        };
        let scope: ResourceId = GROUP.parse().expect("an id");
        let holder = (object_id, PrincipalKind::ServicePrincipal);
        let assignment = RoleAssignment::plain(object_id.0, &scope, holder, role.id, NOW);
        let known = ServicePrincipal {
            object_id,
            app_id: ClientId(object_id.0),
            display_name: object_id.to_string(),
            kind: ServicePrincipalKind::Application,
            service_principal_names: Vec::new(),
            alternative_names: Vec::new(),
            resource_id: None,
            created: NOW,
            account_enabled: true,
            document: Map::new(),
        };
        let give = |txn: &mut Txn| {
            service_principals::put(txn, &known)?;
            assignments::put_custom_role(txn, &role)?;
            assignments::put(txn, &assignment)
        };
        self.cx().write(give).await.expect("writes");
        let token = token(&self.cx(), object_id).await;
        Talk { server: Arc::clone(&self.server), cloud: Arc::clone(&self.cloud), token }
    }

    pub(super) fn cx(&self) -> Cx {
        Cx::internal(&self.server.env, &self.cloud, Door::named(self.cloud.id))
    }

    pub(super) async fn say(&self, method: &str, target: &str, body: Value) -> Heard {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost:8443")
            .header("authorization", format!("Bearer {}", self.token));
        let (head, body) = request.body(body).expect("a request").into_parts();
        let parts = Parts::new(Door::named(self.cloud.id), head);
        let response = serve(&ARM, self.cx(), parts, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Heard {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    pub(super) async fn thing(&self, method: &str, path: &str, body: Value) -> Heard {
        self.say(method, &format!("{GROUP}/providers/Fake.Things/{path}?{VERSION}"), body).await
    }

    /// What follows a link of an answer: its path, without the host.
    pub(super) async fn follow(&self, link: &str) -> Heard {
        let path = link.strip_prefix("https://localhost:8443").expect("links name the host that was asked");
        self.say("GET", path, Value::Null).await
    }

    async fn finish(&self, link: &str, status: Status) {
        let id = link.split('?').next().and_then(|it| it.rsplit('/').next()).expect("an operation");
        let id: Guid = id.parse().expect("a guid");
        let finish = |txn: &mut Txn| operations::finish(txn, id, status.clone(), NOW);
        self.cx().write(finish).await.expect("writes");
    }
}

fn slow() -> Value {
    json!({ "location": "westus", "properties": { "slow": true } })
}

fn quick() -> Value {
    json!({ "location": "westus", "properties": {} })
}

#[tokio::test]
async fn a_write_that_takes_time_is_followed_until_it_is_done() {
    let talk = Talk::in_a_group().await;
    let put = talk.thing("PUT", "machines/m", slow()).await;
    assert_eq!((put.status, &put.body["properties"]["provisioningState"]), (201, &json!("Creating")));
    let link = put.header("azure-asyncoperation").expect("a link").to_owned();
    assert!(link.contains("/providers/Fake.Things/locations/westus/operations/"), "{link}");
    assert_eq!(put.header("location"), None);
    let poll = talk.follow(&link).await;
    assert_eq!((poll.status, &poll.body["status"]), (200, &json!("InProgress")));
    assert_eq!(poll.header("retry-after"), Some("1"), "zero would cost the client thirty seconds");
    talk.finish(&link, Status::Succeeded { output: None }).await;
    let poll = talk.follow(&link).await;
    assert_eq!((&poll.body["status"], poll.header("retry-after")), (&json!("Succeeded"), None));
    let get = talk.thing("GET", "machines/m", Value::Null).await;
    assert_eq!(get.body["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn a_write_that_failed_says_why_and_its_resource_is_failed() {
    let talk = Talk::in_a_group().await;
    let put = talk.thing("PUT", "machines/m", slow()).await;
    let link = put.header("azure-asyncoperation").expect("a link").to_owned();
    let failed = Status::Failed { code: "OutOfLuck".to_owned(), message: "No more luck.".to_owned() };
    talk.finish(&link, failed).await;
    let poll = talk.follow(&link).await;
    assert_eq!(poll.body["error"], json!({ "code": "OutOfLuck", "message": "No more luck." }));
    let get = talk.thing("GET", "machines/m", Value::Null).await;
    assert_eq!(get.body["properties"]["provisioningState"], "Failed");
}

#[tokio::test]
async fn the_result_of_what_failed_is_a_conflict_in_its_words() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    let begun = talk.thing("POST", "machines/m/restart", Value::Null).await;
    let status = begun.header("azure-asyncoperation").expect("a link").to_owned();
    let result = begun.header("location").expect("a link").to_owned();
    let failed = Status::Failed { code: "OutOfLuck".to_owned(), message: "No more luck.".to_owned() };
    talk.finish(&status, failed).await;
    let refused = talk.follow(&result).await;
    let error = json!({ "code": "OperationFailed", "message": "OutOfLuck: No more luck." });
    assert_eq!((refused.status, &refused.body["error"]), (409, &error));
}

#[tokio::test]
async fn what_is_being_deleted_is_not_changed() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    let cx = talk.cx();
    let id: ResourceId = format!("{GROUP}/providers/Fake.Things/machines/m").parse().expect("an id");
    let deleting = cx.write(|txn| {
        let mut row = resources::get(txn, &id)?.expect("is there");
        row.state = State::Deleting;
        resources::put(txn, &row)
    });
    deleting.await.expect("is written");
    for (method, body) in [("PUT", quick()), ("PATCH", json!({ "tags": {} }))] {
        let refused = talk.thing(method, "machines/m", body).await;
        let code = &refused.body["error"]["code"];
        assert_eq!((refused.status, code), (409, &json!("AnotherOperationInProgress")), "{method}");
    }
}

#[tokio::test]
async fn a_deny_assignment_forbids_what_a_role_allows_and_is_named() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    let scope: ResourceId = format!("{GROUP}/providers/Fake.Things/machines/m").parse().expect("an id");
    let name = "00000000-0000-4000-8000-0000000000dd";
    let denial = Denial {
        id: format!("{scope}/providers/Microsoft.Authorization/denyAssignments/{name}")
            .parse()
            .expect("an id"),
        name: name.parse().expect("a guid"),
        title: "frozen".to_owned(),
        description: None,
        scope: scope.clone(),
        does_not_apply_to_child_scopes: false,
        principals: vec![EVERYONE],
        excluded_principals: Vec::new(),
        permissions: vec![Permission { actions: vec![Pattern::from("*/delete")], ..Permission::default() }],
        is_system_protected: true,
        made_by: None,
    };
    talk.cx().write(|txn| denials::put(txn, &denial)).await.expect("is written");
    let refused = talk.thing("DELETE", "machines/m", Value::Null).await;
    let code = &refused.body["error"]["code"];
    assert_eq!((refused.status, code), (403, &json!("DenyAssignmentAuthorizationFailed")));
    let message = refused.body["error"]["message"].as_str().expect("a message");
    assert!(message.contains("the deny assignment with name 'frozen'"), "{message}");
    assert_eq!(talk.thing("GET", "machines/m", Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_change_of_tags_does_not_end_what_is_going_on() {
    let talk = Talk::in_a_group().await;
    let put = talk.thing("PUT", "machines/m", slow()).await;
    let link = put.header("azure-asyncoperation").expect("a link").to_owned();
    talk.thing("PATCH", "machines/m", json!({ "tags": { "a": "b" } })).await;
    let get = talk.thing("GET", "machines/m", Value::Null).await;
    assert_eq!(get.body["properties"]["provisioningState"], "Creating");
    assert_eq!(talk.follow(&link).await.body["status"], "InProgress");
    talk.thing("DELETE", "machines/m", Value::Null).await;
    assert_eq!(talk.follow(&link).await.body["status"], "Canceled", "nobody waits for ever");
}

#[tokio::test]
async fn what_is_done_when_it_is_answered_has_nothing_to_follow() {
    let talk = Talk::in_a_group().await;
    let put = talk.thing("PUT", "machines/m", quick()).await;
    assert_eq!((put.status, &put.body["properties"]["provisioningState"]), (201, &json!("Succeeded")));
    assert_eq!(put.header("azure-asyncoperation"), None);
}

#[tokio::test]
async fn each_kind_answers_in_its_own_way() {
    let talk = Talk::in_a_group().await;
    for (path, method, status, status_link, result_link, body) in [
        ("stores/s", "PUT", 202, false, true, Value::Null),
        ("stores/s", "PUT", 200, false, false, json!("s")),
        ("stores/s", "DELETE", 200, false, false, Value::Null),
        ("accounts/a", "PUT", 200, true, false, json!("a")),
        ("accounts/a/queues/q", "PUT", 202, true, true, Value::Null),
        ("accounts/a/queues/q", "DELETE", 202, true, true, Value::Null),
        ("accounts/a", "DELETE", 202, true, true, Value::Null),
        ("accounts/a", "DELETE", 204, false, false, Value::Null),
        ("machines/m", "PUT", 201, false, false, json!("m")),
        ("machines/m", "DELETE", 202, true, true, Value::Null),
    ] {
        let sent = if method == "PUT" { quick() } else { Value::Null };
        let heard = talk.thing(method, path, sent).await;
        assert_eq!(heard.status, status, "{method} {path}");
        assert_eq!(heard.body["name"], body, "{method} {path}");
        for (link, is_there) in [("azure-asyncoperation", status_link), ("location", result_link)] {
            assert_eq!(heard.header(link).is_some(), is_there, "{method} {path}: {link}");
            let Some(link) = heard.header(link).map(str::to_owned) else { continue };
            assert_eq!(talk.follow(&link).await.status, 200, "{method} {path}: {link}");
        }
    }
}

#[tokio::test]
async fn the_result_of_a_creation_is_the_resource() {
    let talk = Talk::in_a_group().await;
    let put = talk.thing("PUT", "stores/s", quick()).await;
    let result = talk.follow(put.header("location").expect("a link")).await;
    assert_eq!((result.status, &result.body["name"]), (200, &json!("s")));
}

#[tokio::test]
async fn an_action_is_followed_to_its_output() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    let post = talk.thing("POST", "machines/m/RESTART", Value::Null).await;
    assert_eq!(post.status, 202);
    let link = post.header("location").expect("a link").to_owned();
    let running = talk.follow(&link).await;
    assert_eq!((running.status, running.header("location")), (202, Some(link.as_str())));
    talk.finish(&link, Status::Succeeded { output: Some(json!({ "value": [1] })) }).await;
    assert_eq!(talk.follow(&link).await.body, json!({ "value": [1] }));
    let get = talk.thing("GET", "machines/m", Value::Null).await;
    assert_eq!(get.body["properties"]["provisioningState"], "Succeeded", "the machine itself did not change");
}

#[tokio::test]
async fn verbs_and_functions_are_told_from_resources_and_lists() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    for (method, path, status, body) in [
        ("GET", "machines/m/status", 200, json!({ "of": "m" })),
        ("POST", "machines/m/parts/p/look", 200, json!({ "part": "p", "state": "Succeeded" })),
        ("GET", "machines/m/parts", 200, json!({ "value": [] })),
        ("GET", "machines/none/status", 404, Value::Null),
        ("POST", "machines/m/status", 501, Value::Null),
    ] {
        let heard = talk.thing(method, path, Value::Null).await;
        assert_eq!(heard.status, status, "{method} {path}");
        if status == 200 {
            assert_eq!(heard.body, body, "{method} {path}");
        }
    }
    let subscription = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b";
    let sizes = format!("{subscription}/providers/fake.things/LOCATIONS/westus/sizes?{VERSION}");
    assert_eq!(talk.say("GET", &sizes, Value::Null).await.body, json!(["westus"]));
}

#[tokio::test]
async fn a_group_waits_for_what_takes_time_to_go() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", slow()).await;
    talk.thing("PUT", "machines/m/parts/p", json!({})).await;
    let delete = talk.say("DELETE", &format!("{GROUP}?api-version=2024-11-01"), Value::Null).await;
    let link = delete.header("location").expect("a link").to_owned();
    assert_eq!(talk.follow(&link).await.status, 202);
    let meanwhile = talk.thing("PUT", "machines/other", quick()).await;
    assert_eq!(
        (meanwhile.status, &meanwhile.body["error"]["code"]),
        (409, &json!("ResourceGroupBeingDeleted"))
    );
    let machine: ResourceId = format!("{GROUP}/providers/Fake.Things/machines/m").parse().expect("an id");
    let gone = |txn: &mut Txn| {
        let machine = resources::get(txn, &machine)?.expect("it waits for its worker");
        assert_eq!(machine.state, State::Deleting);
        removal::complete(txn, &machine, NOW)
    };
    talk.cx().write(gone).await.expect("writes");
    assert_eq!(talk.follow(&link).await.status, 200);
    let get = talk.say("GET", &format!("{GROUP}?api-version=2024-11-01"), Value::Null).await;
    assert_eq!(get.status, 404);
}

#[tokio::test]
async fn the_identity_block_has_the_shape_of_its_api_version() {
    let talk = Talk::in_a_group().await;
    let body = json!({ "location": "westus", "identity": { "type": "SystemAssigned" } });
    let put = talk.thing("PUT", "machines/m", body).await;
    let principal = put.body["identity"]["principalId"].clone();
    assert!(principal.is_string());
    let at = |version: &str| format!("{GROUP}/providers/Fake.Things/machines/m?api-version={version}");
    let old = talk.say("GET", &at("2017-12-01"), Value::Null).await;
    assert_eq!(old.body["identity"]["principalId"], principal);
    let ids = json!({ "identity": { "type": "UserAssigned", "identityIds": ["/not/an/identity"] } });
    let refused = talk.say("PATCH", &at("2017-12-01"), ids).await;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (400, &json!("InvalidIdentity")));
    let principal = principal.as_str().and_then(|it| it.parse().ok()).expect("a guid");
    let exists = talk.cx().read(|txn| directory::get(txn, principal)).await.expect("reads").is_some();
    assert!(exists, "a refused change leaves the identity");
    talk.thing("DELETE", "machines/m", Value::Null).await;
    let exists = talk.cx().read(|txn| directory::get(txn, principal)).await.expect("reads").is_some();
    assert!(!exists, "the principal dies with its resource");
}

#[tokio::test]
async fn a_link_takes_a_right_on_what_it_links() {
    let talk = Talk::in_a_group().await;
    let store = format!("{GROUP}/providers/Fake.Things/stores/s");
    talk.thing("PUT", "stores/s", quick()).await;
    let writer = talk.one_who_may(&["Fake.Things/accounts/write"]).await;
    let body = json!({ "location": "westus", "properties": { "uses": [{ "id": store }] } });
    let refused = writer.thing("PUT", "accounts/a", body.clone()).await;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (403, &json!("LinkedAuthorizationFailed")));
    assert_eq!(talk.thing("GET", "accounts/a", Value::Null).await.status, 404, "nothing was written");
    let joiner = talk.one_who_may(&["Fake.Things/accounts/write", "Fake.Things/stores/join/action"]).await;
    assert_eq!(joiner.thing("PUT", "accounts/a", body.clone()).await.status, 200);
    assert_eq!(writer.thing("PUT", "accounts/a", body).await.status, 200, "it was linked already");
}

#[tokio::test]
async fn who_may_read_one_resource_sees_it_alone() {
    let talk = Talk::in_a_group().await;
    for name in ["a", "b"] {
        talk.thing("PUT", &format!("stores/{name}"), quick()).await;
    }
    let nobody = talk.one_who_may(&["Fake.Things/nothing/read"]).await;
    let all = format!("{GROUP}/resources?api-version=2024-11-01");
    assert_eq!(nobody.say("GET", &all, Value::Null).await.body, json!({ "value": [] }));
    assert_eq!(nobody.thing("GET", "stores", Value::Null).await.status, 403);
    let reader = talk.one_who_may(&["Fake.Things/stores/read"]).await;
    let seen = reader.say("GET", &all, Value::Null).await;
    assert_eq!(seen.body["value"].as_array().map(Vec::len), Some(2));
    let groups = format!("{}?api-version=2024-11-01", GROUP.trim_end_matches("/rg"));
    assert_eq!(reader.say("GET", &groups, Value::Null).await.body, json!({ "value": [] }));
}

#[tokio::test]
async fn a_kind_of_a_group_is_nowhere_else() {
    let talk = Talk::in_a_group().await;
    let subscription = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b";
    for scope in ["", subscription, &format!("{GROUP}/providers/Contoso.Things/things/t")] {
        let put =
            talk.say("PUT", &format!("{scope}/providers/Fake.Things/stores/s?{VERSION}"), quick()).await;
        assert_eq!((put.status, &put.body["error"]["code"]), (404, &json!("NotFound")), "{scope}");
    }
}

#[tokio::test]
async fn a_child_lives_where_its_parent_does() {
    let talk = Talk::in_a_group().await;
    talk.thing("PUT", "machines/m", quick()).await;
    let part = talk.thing("PUT", "machines/m/parts/p", json!({})).await;
    assert_eq!(part.body["location"], "westus");
    let orphan = talk.thing("PUT", "machines/none/parts/p", json!({})).await;
    assert_eq!((orphan.status, &orphan.body["error"]["code"]), (404, &json!("ParentResourceNotFound")));
    let list = talk.thing("GET", "machines/none/parts", Value::Null).await;
    assert_eq!((list.status, &list.body["error"]["code"]), (404, &json!("ParentResourceNotFound")));
}

#[tokio::test]
async fn pages_hold_every_row_once() {
    let talk = Talk::in_a_group().await;
    for n in 0..25 {
        talk.thing("PUT", &format!("machines/m{n}"), quick()).await;
    }
    for list in [format!("{GROUP}/providers/Fake.Things/machines"), format!("{GROUP}/resources")] {
        let mut names = Vec::new();
        let mut next = Some(format!("https://localhost:8443{list}?{VERSION}&$top=10"));
        let mut pages = 0;
        while let Some(link) = next {
            let page = talk.follow(&link).await;
            names.extend(
                page.body["value"].as_array().expect("a list").iter().map(|it| it["name"].to_string()),
            );
            next = page.body["nextLink"].as_str().map(str::to_owned);
            pages += 1;
        }
        names.sort();
        names.dedup();
        assert_eq!((names.len(), pages), (25, 3), "{list}");
    }
}

#[tokio::test]
async fn two_clouds_may_hold_the_same_names_and_never_meet() {
    let talk = Talk::in_a_group().await;
    let other = Cloud {
        id: CloudId(77),
        charter: Charter::contoso(NOW),
        clock: Clock::set(NOW),
        chance: crate::cloud::Chance::seeded(9),
    };
    talk.server.open(other).await.expect("opens");
    let other = Talk::with(Arc::clone(&talk.server), CloudId(77)).await;
    talk.thing("PUT", "stores/s", quick()).await;
    let group = format!("{GROUP}?api-version=2024-11-01");
    assert_eq!(other.say("GET", &group, Value::Null).await.status, 404);
    assert_eq!(other.say("PUT", &group, json!({ "location": "eastus" })).await.status, 201);
    assert_eq!(other.say("DELETE", &group, Value::Null).await.status, 202);
    assert_eq!(talk.thing("GET", "stores/s", Value::Null).await.status, 200);
    let stranger = Talk { token: other.token.clone(), ..talk };
    assert_eq!(
        stranger.say("GET", &group, Value::Null).await.status,
        401,
        "a token is good in its cloud alone"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_nothing_written() {
    let talk = Talk::in_a_group().await;
    let body = json!({ "location": "westus", "properties": { "text": "x".repeat(5 << 20) } });
    let put = talk.thing("PUT", "stores/s", body).await;
    assert_eq!((put.status, &put.body["error"]["code"]), (413, &json!("RequestContentTooLarge")));
    assert_eq!(talk.thing("GET", "stores/s", Value::Null).await.status, 404);
}
