//! The rules that take more than a few requests to reach: limits, and that nobody is locked out.

use std::sync::Arc;

use azure::{
    ids::{Guid, ObjectId, ResourceId},
    jwt::claims::{Bearer, Credential},
    principal::PrincipalKind,
    roles,
    time::Timestamp,
};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{
    Server,
    access::{
        RoleLimits,
        assignments::{self, RoleAssignment},
    },
    cloud::{Chance, Charter, Clock, Cloud, CloudId, DEFAULT_SUBSCRIPTION},
    directory::{
        founding,
        groups::{self, Group},
        mint::{self, Subject},
    },
    door::Door,
    env::{Env, LogFormat, Settings},
    keys::Keyring,
    service::{Body, Cx},
    store::{Content, Store, Txn},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);

struct World {
    server: Arc<Server>,
    cx: Cx,
    token: String,
}

impl World {
    /// A cloud with room for no more than these.
    async fn new(role_limits: RoleLimits) -> World {
        let settings = Settings { log: LogFormat::Off, role_limits, ..Settings::default() };
        let keys = Keyring::shared(crate::test_key(NOW));
        let server = Server::over(Env::new(Store::in_memory(), Content::in_memory(), keys, settings));
        let charter = Charter::contoso(NOW);
        let (clock, chance) = (Clock::set(NOW), Chance::seeded(1));
        let cloud = Cloud { id: CloudId::DEFAULT, charter, clock, chance };
        let cloud = server.open(cloud).await.expect("a store in memory takes a cloud");
        let cx = Cx::internal(&server.env, &cloud, Door::named(CloudId::DEFAULT));
        let subject = Subject {
            object_id: object(founding::ADMIN_SERVICE_PRINCIPAL),
            client: founding::ADMIN_APPLICATION.parse().expect("a guid"),
            bearer: Bearer::App(Credential::Secret),
        };
        let audience = "https://management.azure.com/";
        let minted = mint::mint(&cx, subject, audience, mint::APPLICATION_LIFETIME).await.expect("mints");
        World { server, cx, token: minted.token.to_string() }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?api-version=2022-04-01"))
            .header("host", "management.azure.com")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let (head, body) = self.server.send(Door::named(CloudId::DEFAULT), request).await.into_parts();
        let bytes = body.collect().await.expect("comes whole").to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn give(&self, scope: &str, name: u8) -> (u16, Value) {
        let role = roles::by_name("Reader").expect("a built-in role").id;
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", Guid([name; 16]));
        let principal = Guid([100 + name; 16]);
        let properties =
            json!({ "roleDefinitionId": role, "principalId": principal, "principalType": "User" });
        self.ask("PUT", &path, json!({ "properties": properties })).await
    }

    async fn write(&self, write: impl Fn(&mut Txn) -> azure::error::Result<()>) {
        self.cx.write(write).await.expect("writes");
    }
}

fn object(text: &str) -> ObjectId {
    text.parse().expect("a guid")
}

fn subscription() -> String {
    format!("/subscriptions/{DEFAULT_SUBSCRIPTION}")
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_subscription_takes_so_many_assignments_and_a_tenant_so_many_roles() {
    // The founders have two.
    let limits = RoleLimits { assignments_in_a_subscription: 3, custom_roles: 1, ..RoleLimits::default() };
    let world = World::new(limits).await;
    assert_eq!(world.give(&subscription(), 1).await.0, 201);
    assert_eq!(code(&world.give(&subscription(), 2).await), (400, "RoleAssignmentLimitExceeded"));
    assert_eq!(world.give(&subscription(), 1).await.0, 200, "what is there may be written again");
    for (number, expected) in [(1, (201, "")), (1, (200, "")), (2, (400, "RoleDefinitionLimitExceeded"))] {
        let path = format!(
            "{}/providers/Microsoft.Authorization/roleDefinitions/{}",
            subscription(),
            Guid([number; 16])
        );
        let role = json!({ "roleName": format!("r{number}"), "assignableScopes": [subscription()], "permissions": [{ "actions": ["*/read"] }] });
        assert_eq!(code(&world.ask("PUT", &path, json!({ "properties": role })).await), expected);
    }
}

#[tokio::test]
async fn a_management_group_has_a_limit_of_its_own() {
    // Whoever makes it has one.
    let limits = RoleLimits { assignments_in_a_management_group: 2, ..RoleLimits::default() };
    let world = World::new(limits).await;
    let group = "/providers/Microsoft.Management/managementGroups/g";
    assert_eq!(world.ask("PUT", group, json!({})).await.0, 200);
    assert_eq!(world.give(group, 1).await.0, 201);
    assert_eq!(code(&world.give(group, 2).await), (400, "RoleAssignmentLimitExceeded"));
}

/// The ids of the assignments at the subscription, by whom they are.
async fn held_by(world: &World, principal: &str) -> String {
    let of = |txn: &Txn| assignments::of(txn, object(principal));
    let all = world.cx.read(of).await.expect("reads");
    all.iter().find(|it| it.scope.segments().count() == 2).expect("has one").id.to_string()
}

#[tokio::test]
async fn the_last_who_may_give_roles_stays_and_a_group_counts_for_whom_it_has() {
    let world = World::new(RoleLimits::default()).await;
    let (user, own) = (
        held_by(&world, founding::ADMIN_USER).await,
        held_by(&world, founding::ADMIN_SERVICE_PRINCIPAL).await,
    );
    assert_eq!(world.ask("DELETE", &user, Value::Null).await.0, 200, "another is left");
    assert_eq!(code(&world.ask("DELETE", &own, Value::Null).await), (409, "LastRbacAdminAssignment"));
    // A group with nobody in it is nobody, and so is a principal that is not in the directory.
    let group = ObjectId(Guid([7; 16]));
    let scope: ResourceId = subscription().parse().expect("an id");
    let owner = roles::by_name("Owner").expect("a built-in role").id;
    world
        .write(|txn| {
            let document = serde_json::Map::new();
            groups::put(
                txn,
                &Group { object_id: group, display_name: "admins".to_owned(), created: NOW, document },
            )?;
            let given = |name, who| RoleAssignment::plain(Guid([name; 16]), &scope, who, owner, NOW);
            assignments::put(txn, &given(8, (group, PrincipalKind::Group)))?;
            assignments::put(txn, &given(9, (ObjectId(Guid([9; 16])), PrincipalKind::User)))
        })
        .await;
    assert_eq!(code(&world.ask("DELETE", &own, Value::Null).await), (409, "LastRbacAdminAssignment"));
    world.write(|txn| groups::add(txn, group, object(founding::ADMIN_USER)).map(drop)).await;
    assert_eq!(world.ask("DELETE", &own, Value::Null).await.0, 200, "somebody is in the group now");
}
