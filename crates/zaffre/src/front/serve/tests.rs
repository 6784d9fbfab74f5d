use azure::{
    action::Action,
    error::Row,
    ids::{Guid, ObjectId, ResourceId},
    principal::{Principal, PrincipalKind},
    rbac::{Access, Plane},
    time::Timestamp,
};
use http::Request;

use super::*;
use crate::{
    Server,
    access::{Caller, Refusal, Requirement, Why, assignments, assignments::RoleAssignment},
    cloud::CloudId,
    door::Door,
};

static FORBIDDEN: Row = Row { code: "Forbidden", status: 403, template: "{0}", source: "test" };
static BROKEN: Row = Row { code: "Broken", status: 500, template: "broken", source: "test" };
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

/// A service whose operations are what may happen to a request.
struct Toy;

impl Service for Toy {
    type Op = String;
    type Found = ();
    const NAME: &'static str = "toy";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<String> {
        Ok(parts.raw_path.trim_start_matches('/').to_owned())
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &String) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, cx: &Cx, _op: &String, _found: &(), parts: &Parts) -> Result<Caller> {
        Ok(match parts.header("caller") {
            Some(id) => Caller::Principal(Principal {
                object_id: id.parse().expect("a guid"),
                tenant: cx.cloud.charter.tenant,
                kind: PrincipalKind::User,
                app_id: None,
                name: None,
            }),
            None => Caller::Anonymous,
        })
    }

    fn requires(&self, _cx: &Cx, op: &String, _found: &(), _caller: &Caller) -> Requirement {
        let read = |action| Requirement::to(Action::of(action), &place(), Plane::Control);
        match op.as_str() {
            "read" => read("Toy/things/read"),
            "forgetful" | "careful" => read("Toy/things/read").and_later(),
            "guest" => Requirement::Guest,
            _ => Requirement::Open,
        }
    }

    fn refuse(&self, _cx: &Cx, _op: &String, _found: &(), refusal: &Refusal) -> Error {
        FORBIDDEN.with([match refusal.why {
            Why::Anonymous => "anonymous",
            Why::NotAGuest => "not a guest",
            Why::Denied { .. } => "denied",
        }])
    }

    fn fault(&self, _fault: Fault) -> &'static Row {
        &BROKEN
    }

    async fn handle(&self, cx: &Cx, permit: Permit, op: String, _found: (), body: Body) -> Result<Reply> {
        match op.as_str() {
            "panic" => panic!("a fault of ours"),
            "echo" => Ok(Reply::new(200).typed("text/plain", body.bytes(8).await?)),
            "careful" => {
                let write = Access::to(Action::of("Toy/things/write"), place(), Plane::Control);
                let asked = cx.read(|txn| permit.also(cx, txn, vec![write.clone()])).await?;
                asked.map(|()| Reply::new(200)).map_err(|_| FORBIDDEN.with(["denied later"]))
            }
            _ => Ok(Reply::new(200).typed("text/plain", "done")),
        }
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        Reply::new(error.row.status).typed("text/plain", format!("{} {}", error.row.code, error.message()))
    }

    fn describe(&self, op: &String) -> String {
        op.clone()
    }
}

fn place() -> ResourceId {
    ResourceId::parse("/subscriptions/11111111-1111-1111-1111-111111111111").expect("an id")
}

async fn ask(server: &Server, caller: Option<ObjectId>, path: &str, body: &'static str) -> (u16, String) {
    let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
    let mut request = Request::get(format!("https://toy.test/{path}"));
    if let Some(caller) = caller {
        request = request.header("caller", caller.to_string());
    }
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let door = Door::named(CloudId::DEFAULT);
    let cx = Cx::internal(&server.env, &cloud, door.clone());
    let response = serve(&Toy, cx, Parts::new(door, head), Body::from(body)).await;
    let status = response.status().as_u16();
    let bytes = Body::new(response.into_body()).bytes(1 << 20).await.expect("a body in memory");
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

async fn server() -> std::sync::Arc<Server> {
    Server::in_memory(1, Timestamp::from_seconds(1_795_302_174)).await
}

fn told(status: u16, text: &str) -> (u16, String) {
    (status, text.to_owned())
}

#[tokio::test]
async fn what_is_open_is_answered_and_what_is_not_is_refused() {
    let server = server().await;
    assert_eq!(ask(&server, None, "open", "").await, told(200, "done"));
    assert_eq!(ask(&server, None, "read", "").await, told(403, "Forbidden anonymous"));
    assert_eq!(ask(&server, None, "guest", "").await, told(403, "Forbidden not a guest"));
}

#[tokio::test]
async fn a_role_assignment_opens_what_was_refused_before_and_no_more() {
    let server = server().await;
    let who = ObjectId(Guid([7; 16]));
    assert_eq!(ask(&server, Some(who), "read", "").await, told(403, "Forbidden denied"));
    let refused = server.env.decisions.latest();
    assert!(refused[0].reasons[0].contains("no role assignment"), "{refused:?}");

    let role = READER.parse().expect("a guid");
    let given = RoleAssignment::plain(
        Guid([1; 16]),
        &place(),
        (who, PrincipalKind::User),
        role,
        Timestamp::from_seconds(0),
    );
    let cloud = CloudId::DEFAULT;
    server.env.store.write(cloud, |txn| assignments::put(txn, &given)).await.expect("is stored");
    assert_eq!(ask(&server, Some(who), "read", "").await, told(200, "done"));
    assert_eq!(ask(&server, Some(who), "careful", "").await, told(403, "Forbidden denied later"));
    let refused = server.env.decisions.latest();
    assert!(refused[0].reasons[0].contains("'Reader'"), "{refused:?}");
}

#[tokio::test]
async fn a_success_whose_later_demand_was_never_put_is_a_fault() {
    let server = server().await;
    let who = ObjectId(Guid([7; 16]));
    let role = READER.parse().expect("a guid");
    let given = RoleAssignment::plain(
        Guid([1; 16]),
        &place(),
        (who, PrincipalKind::User),
        role,
        Timestamp::from_seconds(0),
    );
    server.env.store.write(CloudId::DEFAULT, |txn| assignments::put(txn, &given)).await.expect("is stored");
    assert_eq!(ask(&server, Some(who), "forgetful", "").await, told(500, "Broken broken"));
}

#[tokio::test]
async fn a_panic_is_one_callers_500() {
    let server = server().await;
    assert_eq!(ask(&server, None, "panic", "").await, told(500, "Broken broken"));
    assert_eq!(ask(&server, None, "open", "").await, told(200, "done"));
}

#[tokio::test]
async fn a_body_over_its_limit_is_the_services_own_refusal() {
    let server = server().await;
    assert_eq!(ask(&server, None, "echo", "12345678").await, told(200, "12345678"));
    assert_eq!(ask(&server, None, "echo", "123456789").await, told(500, "Broken broken"));
}
