//! Deployments on their way: who does what when, and what is left when the program is not there any more.
//! What they answer is in the transcripts.

use azure::{
    ids::ResourceId,
    principal::{Principal, PrincipalKind},
};
use serde_json::{Value, json};

use super::{
    Note, begin, prepare,
    stored::{self, DEPLOYMENTS, State, Step},
};
use crate::{
    access::Caller,
    arm::tests::{ARM, GROUP, NOW, Talk},
    directory::founding,
    resources::{self, operations, operations::Status},
    service::Cx,
    store::Span,
};

fn machine(name: &str, after: &[&str], is_slow: bool) -> Value {
    json!({
        "type": "Fake.Things/machines", "apiVersion": "2018-06-01", "name": name, "location": "westus",
        "dependsOn": after, "properties": { "slow": is_slow },
    })
}

fn body(resources: Value) -> Value {
    json!({ "properties": { "mode": "Incremental", "template": { "$schema": "s", "contentVersion": "1.0.0.0", "resources": resources } } })
}

fn path(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.Resources/deployments/{name}?api-version=2025-04-01")
}

fn deployment(name: &str) -> ResourceId {
    format!("{GROUP}/providers/Microsoft.Resources/deployments/{name}").parse().expect("an id")
}

fn thing(name: &str) -> ResourceId {
    format!("{GROUP}/providers/Fake.Things/machines/{name}").parse().expect("an id")
}

async fn exists(cx: &Cx, name: &str) -> bool {
    cx.read(|txn| Ok(resources::get(txn, &thing(name))?.is_some())).await.expect("reads")
}

/// Waits until a deployment has ended.
async fn end_of(cx: &Cx, name: &str) -> State {
    let span = Span::within(&(), &ResourceId::root());
    let mut changes = DEPLOYMENTS.watch(&cx.env.store, cx.cloud.id, span).await.expect("watches");
    loop {
        let found = cx.read(|txn| stored::get(txn, &deployment(name))).await.expect("reads");
        match found.map(|it| it.state).filter(|it| it.is_terminal()) {
            Some(state) => return state,
            None => drop(changes.next().await.expect("the store is open")),
        }
    }
}

/// Ends what a slow machine's write began.
async fn finish(cx: &Cx, name: &str) {
    finish_as(cx, name, Status::Succeeded { output: None }).await;
}

async fn finish_as(cx: &Cx, name: &str, status: Status) {
    let finish = |txn: &mut crate::store::Txn| {
        let resource = resources::get(txn, &thing(name))?.expect("is there");
        operations::finish(txn, resource.operation.expect("has one"), status.clone(), NOW)
    };
    cx.write(finish).await.expect("writes");
    cx.env.follower.report();
}

fn administrator(cx: &Cx) -> Caller {
    Caller::Principal(Principal {
        object_id: founding::ADMIN_SERVICE_PRINCIPAL.parse().expect("a guid"),
        tenant: cx.cloud.charter.tenant,
        kind: PrincipalKind::ServicePrincipal,
        app_id: None,
        name: None,
    })
}

/// Writes a deployment down as a PUT does, and does not begin with it: as if the program ended there.
async fn written_down(cx: &Cx, name: &str, resources: Value) {
    let source = azure::template::source::read(&body(resources).to_string()).expect("is JSON");
    let (caller, id) = (administrator(cx), deployment(name));
    let prepared = prepare::prepared(&ARM, cx, &caller, &id, &source, None).await.expect("is a deployment");
    let of = ARM.types.of(&id).expect("is known");
    begin(cx, &caller, (&id, &of), prepared, Some(&Note::default())).await.expect("writes");
}

#[tokio::test]
async fn after_a_restart_a_deployment_goes_on_with_what_was_not_done() {
    let talk = Talk::in_a_group().await;
    let cx = talk.cx();
    let all = json!([
        machine("done", &[], false),
        machine("begun", &["done"], false),
        machine("last", &["begun"], false)
    ]);
    written_down(&cx, "main", all).await;
    let mark = |at: usize, state: State| {
        let cx = &cx;
        async move {
            let mark = |txn: &mut crate::store::Txn| {
                let step = stored::steps(txn, &deployment("main"))?.remove(at);
                stored::put_step(txn, &deployment("main"), at, &Step { state, ..step })
            };
            cx.write(mark).await.expect("writes");
        }
    };
    mark(0, State::Succeeded).await;
    mark(1, State::Running).await;
    ARM.resume(&cx).await.expect("reads");
    assert_eq!(end_of(&cx, "main").await, State::Succeeded);
    assert!(!exists(&cx, "done").await, "what was done is not done again");
    assert!(exists(&cx, "begun").await, "what was begun and not written down is done again");
    assert!(exists(&cx, "last").await);
    assert!(
        cx.read(|txn| stored::plan(txn, &deployment("main"))).await.expect("reads").is_none(),
        "the plan goes"
    );
}

#[tokio::test]
async fn what_waits_for_nothing_is_begun_at_once_and_the_rest_in_its_turn() {
    let talk = Talk::in_a_group().await;
    let cx = talk.cx();
    let all = json!([machine("a", &[], true), machine("b", &[], true), machine("c", &["a", "b"], false)]);
    let put = talk.say("PUT", &path("main"), body(all.clone())).await;
    assert_eq!((put.status, &put.body["properties"]["provisioningState"]), (201, &json!("Running")));
    assert!(exists(&cx, "a").await && exists(&cx, "b").await, "both are under way");
    assert!(!exists(&cx, "c").await, "waits for both");
    let link = put.header("azure-asyncoperation").expect("a link").to_owned();
    let poll = talk.follow(&link).await;
    assert_eq!((&poll.body["status"], poll.header("retry-after")), (&json!("Running"), Some("1")));
    let again = talk.say("PUT", &path("main"), body(all)).await;
    assert_eq!((again.status, &again.body["error"]["code"]), (409, &json!("DeploymentActive")));
    let delete = talk.say("DELETE", &path("main"), Value::Null).await;
    assert_eq!((delete.status, &delete.body["error"]["code"]), (409, &json!("DeploymentCannotBeChanged")));
    finish(&cx, "a").await;
    finish(&cx, "b").await;
    assert_eq!(end_of(&cx, "main").await, State::Succeeded);
    assert!(exists(&cx, "c").await);
    let poll = talk.follow(&link).await;
    assert_eq!((&poll.body["status"], poll.header("retry-after")), (&json!("Succeeded"), None));
}

#[tokio::test]
async fn a_canceled_deployment_begins_nothing_more() {
    let talk = Talk::in_a_group().await;
    let cx = talk.cx();
    talk.say("PUT", &path("main"), body(json!([machine("a", &[], true), machine("b", &["a"], false)]))).await;
    let cancel = path("main").replace("?", "/cancel?");
    assert_eq!(talk.say("POST", &cancel, Value::Null).await.status, 204);
    finish(&cx, "a").await;
    assert_eq!(end_of(&cx, "main").await, State::Canceled);
    assert!(!exists(&cx, "b").await);
    assert_eq!(talk.say("POST", &cancel, Value::Null).await.status, 409, "once is enough");
}

#[tokio::test]
async fn a_resource_that_ends_badly_fails_its_deployment() {
    let talk = Talk::in_a_group().await;
    let cx = talk.cx();
    talk.say("PUT", &path("main"), body(json!([machine("a", &[], true)]))).await;
    let status = Status::Failed { code: "OutOfLuck".to_owned(), message: "No more luck.".to_owned() };
    finish_as(&cx, "a", status).await;
    assert_eq!(end_of(&cx, "main").await, State::Failed);
    let shown = talk.say("GET", &path("main"), Value::Null).await;
    let detail = &shown.body["properties"]["error"]["details"][0];
    assert_eq!(detail["code"], "ResourceDeploymentFailure");
    assert!(
        detail["message"].as_str().is_some_and(|it| it.contains("terminal provisioning state 'Failed'")),
        "{detail}"
    );
}

#[tokio::test]
async fn what_the_deployer_may_not_write_is_refused_before_anything_is_made() {
    let talk = Talk::in_a_group().await;
    let somebody =
        talk.one_who_may(&["Microsoft.Resources/deployments/*", "Fake.Things/machines/read"]).await;
    let refused = somebody.say("PUT", &path("main"), body(json!([machine("a", &[], false)]))).await;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (403, &json!("InvalidTemplateDeployment")));
    let message = refused.body["error"]["message"].as_str().expect("text");
    assert!(
        message.contains("Authorization failed for template resource 'a' of type 'Fake.Things/machines'"),
        "{message}"
    );
    assert!(message.contains("perform action 'Fake.Things/machines/write' at scope"), "{message}");
    assert!(!exists(&talk.cx(), "a").await);
    let nothing = talk.say("GET", &path("main"), Value::Null).await;
    assert_eq!((nothing.status, &nothing.body["error"]["code"]), (404, &json!("DeploymentNotFound")));
}

#[tokio::test]
async fn each_step_asks_for_what_only_its_body_shows() {
    let talk = Talk::in_a_group().await;
    let somebody = talk.one_who_may(&["Microsoft.Resources/deployments/*", "Fake.Things/accounts/*"]).await;
    let account = json!({
        "type": "Fake.Things/accounts", "apiVersion": "2018-06-01", "name": "a", "location": "westus",
        "properties": { "uses": [{ "id": format!("{GROUP}/providers/Fake.Things/stores/s") }] },
    });
    let put = somebody.say("PUT", &path("main"), body(json!([account]))).await;
    assert_eq!((put.status, &put.body["properties"]["provisioningState"]), (201, &json!("Accepted")));
    let ended = talk.say("GET", &path("main"), Value::Null).await;
    let error = &ended.body["properties"]["error"];
    assert_eq!(
        (&error["code"], &error["details"][0]["code"]),
        (&json!("DeploymentFailed"), &json!("LinkedAuthorizationFailed"))
    );
    let operations = talk.say("GET", &path("main").replace("?", "/operations?"), Value::Null).await;
    let failed = &operations.body["value"][0]["properties"];
    assert_eq!(
        (&failed["statusCode"], &failed["statusMessage"]["error"]["code"]),
        (&json!("Forbidden"), &json!("LinkedAuthorizationFailed"))
    );
}

#[tokio::test]
async fn a_failure_keeps_back_only_what_waits_for_it() {
    let talk = Talk::in_a_group().await;
    let nowhere = json!({ "type": "Fake.Things/machines", "apiVersion": "2018-06-01", "name": "bad" });
    let all = json!([nowhere, machine("after", &["bad"], false), machine("beside", &[], false)]);
    assert_eq!(talk.say("PUT", &path("main"), body(all)).await.status, 201);
    let ended = talk.say("GET", &path("main"), Value::Null).await;
    assert_eq!(ended.body["properties"]["error"]["details"][0]["code"], "LocationRequired");
    let cx = talk.cx();
    assert!(exists(&cx, "beside").await);
    assert!(!exists(&cx, "after").await);
}

#[tokio::test]
async fn a_secret_is_in_the_resource_and_nowhere_in_the_deployment() {
    let talk = Talk::in_a_group().await;
    let mut resource = machine("a", &[], false);
    resource["properties"]["password"] = json!("[parameters('password')]");
    let mut asked = body(json!([resource]));
    asked["properties"]["template"]["parameters"] = json!({ "password": { "type": "securestring" } });
    asked["properties"]["parameters"] = json!({ "password": { "value": "hidden-from-all" } });
    let put = talk.say("PUT", &path("main"), asked).await;
    assert_eq!(put.body["properties"]["parameters"], json!({ "password": { "type": "SecureString" } }));
    for at in ["", "/operations"] {
        let shown = talk.say("GET", &path("main").replace("?", &format!("{at}?")), Value::Null).await;
        assert!(!shown.body.to_string().contains("hidden-from-all"), "{}", shown.body);
    }
    let made =
        talk.cx().read(|txn| resources::get(txn, &thing("a"))).await.expect("reads").expect("is there");
    assert_eq!(made.text("password"), Some("hidden-from-all"));
}

#[tokio::test]
async fn deployments_go_with_their_group() {
    let talk = Talk::in_a_group().await;
    talk.say("PUT", &path("main"), body(json!([]))).await;
    assert_eq!(talk.say("GET", &path("main"), Value::Null).await.status, 200);
    let group = format!("{GROUP}?api-version=2024-11-01");
    talk.say("DELETE", &group, Value::Null).await;
    talk.server.clouds()[0].clock.move_to(NOW.plus(std::time::Duration::from_secs(60)));
    talk.say("PUT", &group, json!({ "location": "westus" })).await;
    assert_eq!(talk.say("GET", &path("main"), Value::Null).await.status, 404);
}
