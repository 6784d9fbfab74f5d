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

const ARM: &str = "https://management.azure.com/";
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
        let mut world = World { server, cx, token: String::new() };
        world.token = world.token(subject, ARM).await;
        world
    }

    async fn token(&self, subject: Subject, audience: &str) -> String {
        mint::mint(&self.cx, subject, audience, mint::APPLICATION_LIFETIME).token.to_string()
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.ask_as(&self.token, (method, path), body).await
    }

    /// By whoever the token is of; a path without a host is Resource Manager's.
    async fn ask_as(&self, token: &str, (method, path): (&str, &str), body: Value) -> (u16, Value) {
        let origin = if path.starts_with('/') { "https://management.azure.com" } else { "" };
        let request = Request::builder()
            .method(method)
            .uri(format!("{origin}{path}?api-version=2022-04-01"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(Body::from(body)).expect("a request");
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

/// Somebody else who is Owner, and no administrator of the directory: who they are, and a token of theirs.
async fn another_owner(world: &World) -> (String, String) {
    let group = format!("{}/resourceGroups/rg", subscription());
    let at = json!({ "location": "westeurope" });
    assert_eq!(world.ask("PUT", &group, at.clone()).await.0, 201);
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/keeper");
    let made = world.ask("PUT", &identity, at).await.1;
    let id = |name: &str| made["properties"][name].as_str().expect("an id").to_owned();
    let (principal, client) = (id("principalId"), id("clientId"));
    let role = roles::by_name("Owner").expect("a built-in role").id;
    let path =
        format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", subscription(), Guid([6; 16]));
    let properties = json!({ "roleDefinitionId": role, "principalId": principal });
    assert_eq!(world.ask("PUT", &path, json!({ "properties": properties })).await.0, 201);
    let subject = Subject {
        object_id: object(&principal),
        client: client.parse().expect("a guid"),
        bearer: Bearer::App(Credential::Secret),
    };
    (principal, world.token(subject, ARM).await)
}

#[tokio::test]
async fn the_last_who_may_give_roles_stays_and_a_group_counts_for_whom_it_has() {
    let world = World::new(RoleLimits::default()).await;
    let (keeper, token) = another_owner(&world).await;
    for founder in [founding::ADMIN_USER, founding::ADMIN_SERVICE_PRINCIPAL] {
        let its = held_by(&world, founder).await;
        assert_eq!(world.ask("DELETE", &its, Value::Null).await.0, 200, "another is left");
    }
    let own = held_by(&world, &keeper).await;
    let delete = || world.ask_as(&token, ("DELETE", &own), Value::Null);
    assert_eq!(code(&delete().await), (409, "LastRbacAdminAssignment"));
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
    assert_eq!(code(&delete().await), (409, "LastRbacAdminAssignment"));
    world.write(|txn| groups::add(txn, group, object(founding::ADMIN_USER)).map(drop)).await;
    assert_eq!(delete().await.0, 200, "somebody is in the group now");
}

#[tokio::test]
async fn an_administrator_of_the_directory_may_take_the_last_one_away() {
    let world = World::new(RoleLimits::default()).await;
    for founder in [founding::ADMIN_USER, founding::ADMIN_SERVICE_PRINCIPAL] {
        let its = held_by(&world, founder).await;
        assert_eq!(world.ask("DELETE", &its, Value::Null).await.0, 200, "{founder}");
    }
    let elevate = "/providers/Microsoft.Authorization/elevateAccess";
    assert_eq!(world.ask("POST", elevate, Value::Null).await.0, 200, "and lets themselves in again");
}

/// The directory does not ask what its principals are given: Azure guards the assignment alone, and shows one whose
/// principal is gone as "Identity not found" (rbac.md §2).
#[tokio::test]
async fn who_may_give_roles_last_may_be_deleted_and_the_assignment_stays() {
    let world = World::new(RoleLimits::default()).await;
    let own = held_by(&world, founding::ADMIN_SERVICE_PRINCIPAL).await;
    let user = held_by(&world, founding::ADMIN_USER).await;
    assert_eq!(world.ask("DELETE", &own, Value::Null).await.0, 200, "the user is left, alone");
    let subject = Subject {
        object_id: object(founding::ADMIN_SERVICE_PRINCIPAL),
        client: founding::ADMIN_APPLICATION.parse().expect("a guid"),
        bearer: Bearer::App(Credential::Secret),
    };
    let token = world.token(subject, "https://graph.microsoft.com").await;
    let path = format!("https://graph.microsoft.com/v1.0/users/{}", founding::ADMIN_USER);
    assert_eq!(world.ask_as(&token, ("DELETE", &path), Value::Null).await, (204, Value::Null));
    let stays = |txn: &Txn| assignments::get(txn, &user.parse().expect("an id"));
    let kept = world.cx.read(stays).await.expect("reads").expect("is there");
    assert_eq!((kept.principal, kept.principal_kind), (object(founding::ADMIN_USER), PrincipalKind::User));
}

#[tokio::test]
async fn in_the_tenant_everybody_reads_built_in_roles_and_custom_ones_where_they_read_roles() {
    let world = World::new(RoleLimits::default()).await;
    let (_, owner) = another_owner(&world).await;
    let group = "/providers/Microsoft.Management/managementGroups/g";
    assert_eq!(world.ask("PUT", group, json!({})).await.0, 200);
    let roles = "/providers/Microsoft.Authorization/roleDefinitions";
    for (number, scope) in [(1, subscription()), (2, group.to_owned())] {
        let role = json!({ "roleName": format!("r{number}"), "assignableScopes": [scope], "permissions": [{ "actions": ["*/read"] }] });
        let path = format!("{scope}{roles}/{}", Guid([number; 16]));
        assert_eq!(world.ask("PUT", &path, json!({ "properties": role })).await.0, 201);
    }
    let reader = roles::by_name("Reader").expect("a built-in role").id;
    for (who, name, status) in [
        (&owner, reader, 200),
        (&owner, Guid([1; 16]), 200),
        (&owner, Guid([2; 16]), 404),
        (&world.token, Guid([2; 16]), 200),
    ] {
        let path = format!("{roles}/{name}");
        assert_eq!(world.ask_as(who, ("GET", &path), Value::Null).await.0, status, "{name}");
    }
    let (status, listed) = world.ask_as(&owner, ("GET", roles), Value::Null).await;
    let custom = |it: &&Value| it["properties"]["type"] == "CustomRole";
    let listed: Vec<&Value> = listed["value"].as_array().expect("a list").iter().filter(custom).collect();
    assert_eq!((status, listed.len()), (200, 1));
    assert_eq!(listed[0]["properties"]["roleName"], "r1");
    let path = format!("{roles}/{}", Guid([3; 16]));
    let refused = world.ask_as(&owner, ("PUT", &path), json!({})).await;
    assert_eq!(code(&refused), (403, "AuthorizationFailed"), "to write in the tenant takes a role there");
}
