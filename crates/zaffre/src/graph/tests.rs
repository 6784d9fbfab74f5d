//! Graph, by whole requests.

use std::sync::Arc;

use azure::{
    ids::ObjectId,
    jwt::claims::{Bearer, Credential},
    text::percent_encode,
    time::Timestamp,
};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::codes;
use crate::{
    Server,
    cloud::CloudId,
    directory::{
        Subject, find_principal,
        founding::{ADMIN_APPLICATION, ADMIN_SERVICE_PRINCIPAL, ADMIN_USER},
        mint,
        service_principals::{self, ManagedIdentity},
    },
    door::Door,
    service::{Body, Cx},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);

struct Talk {
    server: Arc<Server>,
    bearer: String,
}

impl Talk {
    async fn begin() -> Talk {
        let mut talk = Talk { server: Server::in_memory(1, NOW).await, bearer: String::new() };
        talk.bearer = talk.token(ADMIN_SERVICE_PRINCIPAL, "https://graph.microsoft.com").await;
        talk
    }

    fn cx(&self) -> Cx {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("is open");
        Cx::internal(&self.server.env, &cloud, Door::named(CloudId::DEFAULT))
    }

    async fn token(&self, who: &str, audience: &str) -> String {
        let cx = self.cx();
        let found = cx.read(|txn| find_principal(txn, who)).await.expect("reads").expect("is there");
        let principal = found.principal(&cx.cloud.charter);
        let bearer = match principal.app_id {
            Some(_) => Bearer::App(Credential::Secret),
            None => Bearer::User(Box::default()),
        };
        let client = principal.app_id.unwrap_or_else(|| ADMIN_APPLICATION.parse().expect("a guid"));
        let subject = Subject { object_id: principal.object_id, client, bearer };
        let minted = mint::mint(&cx, subject, audience, mint::APPLICATION_LIFETIME);
        minted.token.to_string()
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let path = match path.split_once("$filter=") {
            Some((front, filter)) => format!("{front}$filter={}", percent_encode(filter)),
            None => path.to_owned(),
        };
        let uri = format!("https://graph.microsoft.com/v1.0{path}");
        let mut request = Request::builder().method(method).uri(uri);
        if !self.bearer.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.bearer));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).expect("a request");
        let response = self.server.send(Door::named(CloudId::DEFAULT), request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    async fn make(&self, set: &str, body: Value) -> String {
        let (status, made) = self.ask("POST", set, body).await;
        assert_eq!(status, 201, "POST {set}: {made}");
        made["id"].as_str().expect("an id").to_owned()
    }

    async fn group(&self, name: &str) -> String {
        let body = json!({
            "displayName": name, "mailNickname": name, "mailEnabled": false, "securityEnabled": true,
        });
        self.make("/groups", body).await
    }

    async fn user(&self, name: &str) -> String {
        let body = json!({
            "displayName": name, "mailNickname": name, "accountEnabled": true,
            "userPrincipalName": format!("{name}@contoso.onmicrosoft.com"),
            "passwordProfile": { "password": "Passw0rd!", "forceChangePasswordNextSignIn": false },
        });
        self.make("/users", body).await
    }
}

fn names(list: &Value) -> Vec<&str> {
    let all = list["value"].as_array().expect("a list");
    all.iter().map(|it| it["displayName"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn what_az_makes_for_rbac_can_sign_in() {
    let talk = Talk::begin().await;
    assert_eq!(names(&talk.get("/servicePrincipals?$filter=displayName eq 'x'").await), [] as [&str; 0]);
    let (_, app) = talk.ask("POST", "/applications", json!({"displayName": "x", "keyCredentials": []})).await;
    let (id, app_id) = (app["id"].as_str().expect("an id"), app["appId"].as_str().expect("an id"));
    let credential = json!({"passwordCredential": {
        "displayName": "rbac", "startDateTime": "2026-11-21T23:02:54Z", "endDateTime": "2027-11-21T23:02:54Z",
    }});
    let (status, secret) = talk.ask("POST", &format!("/applications/{id}/addPassword"), credential).await;
    assert_eq!((status, &secret["endDateTime"]), (200, &json!("2027-11-21T23:02:54Z")));
    let body = json!({"appId": app_id, "accountEnabled": true});
    let principal = talk.make("/servicePrincipals", body.clone()).await;
    assert_eq!(
        talk.ask("POST", "/servicePrincipals", body).await.1["error"]["code"],
        "Request_MultipleObjectsWithSameKeyValue"
    );

    let found =
        talk.get(&format!("/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{app_id}')")).await;
    assert_eq!(found["value"][0]["id"], json!(principal));
    let client: azure::ids::ClientId = app_id.parse().expect("an id");
    let text = secret["secretText"].as_str().expect("a secret").to_owned();
    let stored = talk.cx().read(|txn| crate::directory::applications::get(txn, client)).await;
    assert_eq!(stored.expect("reads").expect("is there").believes(&text, NOW), Ok(()));

    let key_id = secret["keyId"].clone();
    let listed = talk.get(&format!("/applications(appId='{app_id}')")).await;
    assert_eq!(listed["passwordCredentials"][0]["keyId"], key_id);
    assert_eq!(listed["passwordCredentials"][0]["secretText"], Value::Null);
    let remove = format!("/applications/{id}/removePassword");
    assert_eq!(talk.ask("POST", &remove, json!({"keyId": key_id})).await.0, 204);
    let (status, gone) = talk.ask("POST", &remove, json!({"keyId": key_id})).await;
    assert_eq!((status, &gone["error"]["message"]), (400, &json!("No credentials found to be removed.")));
    assert_eq!(talk.ask("DELETE", &format!("/applications/{id}"), Value::Null).await.0, 204);
    assert_eq!(talk.ask("GET", &format!("/servicePrincipals/{principal}"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_assignee_is_found_by_each_of_its_names() {
    let talk = Talk::begin().await;
    let cx = talk.cx();
    let draw = cx.draw();
    let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1";
    let resource = resource.parse().expect("an id");
    let identity = ManagedIdentity { resource: &resource, explicit: false };
    let made =
        cx.write(|txn| service_principals::create_managed_identity(txn, &mut draw.clone(), identity, NOW));
    let made = made.await.expect("is made");
    let filter = format!("/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq '{}')", made.app_id);
    let found = talk.get(&filter).await;
    let it = &found["value"][0];
    assert_eq!(it["id"], json!(made.object_id));
    assert_eq!(it["servicePrincipalType"], "ManagedIdentity");
    assert_eq!(it["alternativeNames"], json!(["isExplicit=False", resource.as_str()]));
    assert_eq!(it["appOwnerOrganizationId"], Value::Null);

    let group = talk.group("readers").await;
    let body = json!({
        "ids": [made.object_id, ADMIN_USER, group, made.app_id],
        "types": ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"],
    });
    let (status, found) = talk.ask("POST", "/directoryObjects/getByIds", body).await;
    let types: Vec<&Value> =
        found["value"].as_array().expect("a list").iter().map(|it| &it["@odata.type"]).collect();
    assert_eq!(status, 200);
    assert_eq!(
        types,
        ["#microsoft.graph.servicePrincipal", "#microsoft.graph.user", "#microsoft.graph.group"]
    );
    let admin = talk.get("/users?$filter=userPrincipalName eq 'ADMIN@contoso.onmicrosoft.com'").await;
    assert_eq!(admin["value"][0]["id"], json!(ADMIN_USER));
    let delete = format!("/servicePrincipals/{}", made.object_id);
    let (status, kept) = talk.ask("DELETE", &delete, Value::Null).await;
    let words = "A managed identity's service principal changes with its resource alone.";
    assert_eq!((status, &kept["error"]["message"]), (400, &json!(words)));
}

#[tokio::test]
async fn nested_groups_are_memberships_to_whoever_asks() {
    let mut talk = Talk::begin().await;
    let (inner, outer) = (talk.group("inner").await, talk.group("outer").await);
    let user = talk.user("meret").await;
    let reference =
        |id: &str| json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}")});
    for (group, member) in [(&inner, &user), (&outer, &inner)] {
        let path = format!("/groups/{group}/members/$ref");
        assert_eq!(talk.ask("POST", &path, reference(member)).await.0, 204);
        let (status, again) = talk.ask("POST", &path, reference(member)).await;
        let message = again["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains("added object references already exist for"), "{message}");
    }
    assert_eq!(names(&talk.get(&format!("/users/{user}/memberOf")).await), ["inner"]);
    assert_eq!(names(&talk.get(&format!("/users/{user}/transitiveMemberOf")).await), ["inner", "outer"]);
    assert_eq!(names(&talk.get(&format!("/groups/{outer}/transitiveMembers")).await), ["inner", "meret"]);
    let ask = json!({"groupIds": [outer, ADMIN_USER]});
    let checked = talk.ask("POST", &format!("/users/{user}/checkMemberGroups"), ask).await.1;
    assert_eq!(checked["value"], json!([outer]));

    talk.bearer = talk.token("meret@contoso.onmicrosoft.com", "https://graph.microsoft.com/").await;
    assert_eq!(talk.get("/me").await["userPrincipalName"], "meret@contoso.onmicrosoft.com");
    let (_, groups) = talk.ask("POST", "/me/getMemberGroups", json!({"securityEnabledOnly": true})).await;
    assert_eq!(groups["value"].as_array().expect("a list").len(), 2);
    let (status, body) = talk.ask("POST", "/users", json!({"displayName": "x"})).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("Authorization_RequestDenied")));
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let talk = Talk::begin().await;
    for n in 0..5 {
        talk.group(&format!("g{n}")).await;
    }
    let mut path = "/groups?$top=2&$count=true&$select=displayName,id".to_owned();
    let (mut seen, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = talk.get(&path).await;
        assert_eq!(page["@odata.count"], 5);
        sizes.push(names(&page).len());
        seen.extend(names(&page).iter().map(|it| (*it).to_owned()));
        assert_eq!(page["value"][0].as_object().expect("an object").len(), 2);
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        path = next.strip_prefix("https://graph.microsoft.com/v1.0").expect("where it came from").to_owned();
    }
    seen.sort();
    assert_eq!((sizes, seen.join(" ").as_str()), (vec![2, 2, 1], "g0 g1 g2 g3 g4"));
}

#[tokio::test]
async fn an_owner_changes_what_it_owns_and_nothing_else() {
    let mut talk = Talk::begin().await;
    let user = talk.user("owner").await;
    let mine = talk.make("/applications", json!({"displayName": "mine"})).await;
    let other = talk.make("/applications", json!({"displayName": "other"})).await;
    let owner = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{user}")});
    assert_eq!(talk.ask("POST", &format!("/applications/{mine}/owners/$ref"), owner).await.0, 204);
    talk.bearer = talk.token(&user, "https://graph.microsoft.com").await;
    let change = json!({"web": {"redirectUris": ["https://example.org/cb"]}});
    assert_eq!(talk.ask("PATCH", &format!("/applications/{mine}"), change.clone()).await.0, 204);
    assert_eq!(talk.ask("PATCH", &format!("/applications/{other}"), change).await.0, 403);
    let web = talk.get(&format!("/applications/{mine}")).await["web"].clone();
    assert_eq!(web["redirectUris"], json!(["https://example.org/cb"]));
    assert_eq!(web["implicitGrantSettings"]["enableIdTokenIssuance"], false);
    assert_eq!(names(&talk.get("/me/ownedObjects").await), ["mine"]);
}

#[tokio::test]
async fn an_application_role_is_given_once_and_only_if_it_is_offered() {
    let talk = Talk::begin().await;
    let role = "11111111-2222-4333-8444-555555555555";
    let body =
        json!({"displayName": "api", "appRoles": [{"id": role, "value": "Read", "displayName": "Read"}]});
    let (_, app) = talk.ask("POST", "/applications", body).await;
    let api = talk.make("/servicePrincipals", json!({"appId": app["appId"]})).await;
    let path = format!("/servicePrincipals/{ADMIN_SERVICE_PRINCIPAL}/appRoleAssignments");
    let of =
        |role: &str| json!({"principalId": ADMIN_SERVICE_PRINCIPAL, "resourceId": api, "appRoleId": role});
    let refused = async |role: &str| talk.ask("POST", &path, of(role)).await.1["error"]["message"].clone();
    assert_eq!(refused(ADMIN_USER).await, "Permission being assigned was not found on application");
    let id = talk.make(&path, of(role)).await;
    assert_eq!(refused(role).await, "Permission being assigned already exists on the object");
    let given = talk.get(&format!("/servicePrincipals/{api}/appRoleAssignedTo")).await;
    assert_eq!(given["value"][0]["principalDisplayName"], "zaffre-admin");
    assert_eq!(talk.ask("DELETE", &format!("{path}/{id}"), Value::Null).await.0, 204);
    assert_eq!(talk.get(&path).await["value"], json!([]));
}

#[tokio::test]
async fn a_federated_credential_is_one_by_name_and_by_issuer_and_subject() {
    let talk = Talk::begin().await;
    let app = talk.make("/applications", json!({"displayName": "x"})).await;
    let path = format!("/applications/{app}/federatedIdentityCredentials");
    let body = json!({
        "name": "gh", "issuer": "https://issuer.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"],
    });
    let id = talk.make(&path, body.clone()).await;
    let (status, again) = talk.ask("POST", &path, body).await;
    let taken = "FederatedIdentityCredential with name gh already exists.";
    assert_eq!((status, &again["error"]["message"]), (409, &json!(taken)));
    assert_eq!(talk.get(&format!("{path}/gh")).await["id"], json!(id));
    assert_eq!(talk.ask("PATCH", &format!("{path}/{id}"), json!({"subject": "t"})).await.0, 204);
    assert_eq!(talk.get(&path).await["value"][0]["subject"], "t");
    assert_eq!(talk.ask("DELETE", &format!("{path}/gh"), Value::Null).await.0, 204);
    assert_eq!(talk.ask("GET", &format!("{path}/gh"), Value::Null).await.0, 404);
}

/// The rows that a request reaches, each with the request.
#[tokio::test]
async fn each_refusal_has_its_row() {
    let mut talk = Talk::begin().await;
    let app = talk.make("/applications", json!({"displayName": "x"})).await;
    let group = talk.group("g").await;
    let user = talk.user("u").await;
    let absent = "33333333-3333-4333-8333-333333333333";
    let (apps, of_group) = (format!("/applications/{app}"), format!("/groups/{group}/members/$ref"));
    let federated = format!("{apps}/federatedIdentityCredentials");
    for n in 0..20 {
        let body =
            json!({"name": n.to_string(), "issuer": "i", "subject": n.to_string(), "audiences": ["a"]});
        talk.make(&federated, body).await;
    }
    let null = Value::Null;
    let mut reached: Vec<String> = Vec::new();
    for (method, path, body, status, code, words) in [
        ("GET", "/me", null.clone(), 400, "BadRequest", "only valid with delegated authentication flow"),
        ("GET", &format!("/users/{absent}"), null.clone(), 404, "Request_ResourceNotFound", "does not exist"),
        ("GET", &format!("/users/{group}"), null.clone(), 404, "Request_ResourceNotFound", "does not exist"),
        ("GET", "/nothing", null.clone(), 400, "BadRequest", "Resource not found for the segment 'nothing'."),
        ("GET", "/subscribedSkus", null.clone(), 501, "NotImplemented", "does not implement"),
        ("PUT", "/users", null.clone(), 405, "Request_BadRequest", "method is not allowed"),
        ("POST", "/applications", json!([1]), 400, "BadRequest", "Unable to read JSON request payload"),
        (
            "POST",
            "/applications",
            json!({}),
            400,
            "Request_BadRequest",
            "A value is required for property 'displayName'",
        ),
        ("PATCH", &apps, json!({"colour": "blue"}), 400, "Request_BadRequest", "Invalid property 'colour'."),
        (
            "PATCH",
            &apps,
            json!({"publisherDomain": "x"}),
            400,
            "Request_BadRequest",
            "is read-only and cannot be set",
        ),
        (
            "PATCH",
            &apps,
            json!({"tags": "x"}),
            400,
            "Request_BadRequest",
            "Invalid value specified for property 'tags'",
        ),
        (
            "PATCH",
            &apps,
            json!({"keyCredentials": [{"key": "%"}]}),
            400,
            "KeyCredentialsInvalidEndDate",
            "dates are invalid",
        ),
        (
            "PATCH",
            &format!("/users/{user}"),
            json!({"userPrincipalName": "admin@contoso.onmicrosoft.com"}),
            400,
            "Request_BadRequest",
            "Another object with the same value for property userPrincipalName already exists.",
        ),
        (
            "POST",
            "/servicePrincipals",
            json!({"appId": absent}),
            400,
            "Request_BadRequest",
            "of the service principal does not reference a valid application object",
        ),
        (
            "POST",
            "/servicePrincipals",
            json!({"appId": ADMIN_APPLICATION}),
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "because the service principal name",
        ),
        (
            "POST",
            &of_group,
            json!({"@odata.id": "x"}),
            400,
            "Request_BadRequest",
            "Invalid URL format specified in @odata.id for",
        ),
        (
            "POST",
            &federated,
            json!({"name": "y", "issuer": "y", "subject": "y", "audiences": ["a"]}),
            400,
            "Request_BadRequest",
            "at most 20 federated identity credentials",
        ),
        ("GET", "/users?$filter=name eq", null.clone(), 400, "BadRequest", "Invalid filter clause"),
        ("GET", "/users?$filter=name eq 'x'", null.clone(), 400, "BadRequest", "Invalid filter clause"),
        (
            "GET",
            "/users?$filter=displayName eq 'x' or 1 eq 1",
            null.clone(),
            400,
            "BadRequest",
            "Invalid filter clause",
        ),
        (
            "GET",
            "/directoryRoles?$filter=colour eq 'x'",
            null.clone(),
            400,
            "BadRequest",
            "Invalid filter clause",
        ),
        ("GET", "/users?$top=0", null.clone(), 400, "BadRequest", "'$top' has an invalid value"),
        ("GET", "/users?$expand=pets", null.clone(), 400, "Request_BadRequest", "pets"),
        ("GET", "/users?$apply=x", null.clone(), 400, "Request_UnsupportedQuery", "Unsupported Query"),
        (
            "GET",
            "/users?$filter=endswith(mail,'x')",
            null.clone(),
            400,
            "Request_UnsupportedQuery",
            "Unsupported Query",
        ),
        ("POST", "/$batch", json!({}), 400, "BadRequest", "Invalid batch payload format"),
        (
            "GET",
            "/users?$search=%22displayName:x%22",
            null.clone(),
            400,
            "Request_UnsupportedQuery",
            "with a special request header: 'ConsistencyLevel: eventual'",
        ),
    ] {
        let (came, answer) = talk.ask(method, path, body).await;
        assert_eq!((came, &answer["error"]["code"]), (status, &json!(code)), "{method} {path}: {answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{method} {path}: {message}");
        reached.push(message.to_owned());
    }
    let arm = talk.token(ADMIN_SERVICE_PRINCIPAL, "https://management.azure.com/").await;
    for (bearer, words) in [
        ("", "Access token is empty."),
        ("x.y.z", "CompactToken validation failed with reason code: 80049228."),
        (&arm, "Invalid audience"),
    ] {
        bearer.clone_into(&mut talk.bearer);
        let (status, answer) = talk.ask("GET", "/users", Value::Null).await;
        assert_eq!((status, &answer["error"]["code"]), (401, &json!("InvalidAuthenticationToken")));
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(words), "{message}");
        reached.push(message.to_owned());
    }
    talk.bearer = talk.token(ADMIN_SERVICE_PRINCIPAL, "https://graph.microsoft.com/").await;
    let cloud = talk.server.cloud(CloudId::DEFAULT).expect("is open");
    assert!(cloud.clock.move_to(NOW.plus(mint::APPLICATION_LIFETIME)));
    let expired = talk.ask("GET", "/users", Value::Null).await.1["error"]["message"].to_string();
    assert!(expired.contains("Lifetime validation failed, the token is expired."), "{expired}");
    reached.push(expired);

    // What others of these tests reach, and the faults of the path itself.
    let elsewhere = [
        "DENIED",
        "already exist",
        "No credentials",
        "with name",
        "Permission",
        "A managed identity's",
        "A request that this one depends on",
        "Invalid version",
        "The request's Host",
        "The request line",
        "The request body",
        "An internal",
        "The service is temporarily",
    ];
    for row in codes::TABLE {
        let front = row.template.split('{').next().unwrap_or_default();
        let is_reached =
            reached.iter().any(|it| it.trim_matches('"').starts_with(front) && !front.is_empty());
        let is_elsewhere =
            row.code == "Authorization_RequestDenied" || elsewhere.iter().any(|it| row.template.contains(it));
        assert!(is_reached || is_elsewhere, "no request provokes: {}", row.template);
    }
}

#[tokio::test]
async fn a_search_needs_its_header_and_a_version_its_name() {
    let talk = Talk::begin().await;
    let request = |uri: &str| {
        Request::get(format!("https://graph.microsoft.com{uri}"))
            .header("authorization", format!("Bearer {}", talk.bearer))
            .header("consistencylevel", "eventual")
            .body(Body::empty())
            .expect("a request")
    };
    let send = async |uri: &str| {
        let response = talk.server.send(Door::named(CloudId::DEFAULT), request(uri)).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head.status.as_u16(), String::from_utf8(bytes.to_vec()).expect("is text"))
    };
    let (status, body) = send("/beta/users?$search=%22displayName:ministr%22&$select=id").await;
    assert!(status == 200 && body.contains(ADMIN_USER), "{body}");
    assert_eq!(send("/v1.0/users/$count").await, (200, "1".to_owned()));
    let both = "%22displayName:ministr%22%20AND%20%22userPrincipalName:admin%22";
    assert!(send(&format!("/v1.0/users?$search={both}")).await.1.contains(ADMIN_USER));
    let advanced = "/v1.0/users?$count=true&$filter=endswith(userPrincipalName,'onmicrosoft.com')";
    assert!(send(advanced).await.1.contains(ADMIN_USER));
    let (status, body) = send("/v9/users").await;
    assert!(status == 400 && body.contains("Invalid version: v9"), "{body}");
    let id: ObjectId = ADMIN_USER.parse().expect("a guid");
    assert!(send("/v1.0/users('admin@contoso.onmicrosoft.com')").await.1.contains(&id.to_string()));
}

/// An application of the tenant with these roles on Graph, asked with its own token from here on.
async fn application_with(talk: &mut Talk, roles: &[&str]) -> String {
    let (_, app) = talk.ask("POST", "/applications", json!({"displayName": "robot"})).await;
    let robot = talk.make("/servicePrincipals", json!({"appId": app["appId"]})).await;
    let graph = talk.get("/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await;
    for wanted in roles {
        let role = graph["appRoles"].as_array().expect("a list").iter().find(|it| it["value"] == *wanted);
        let body = json!({
            "principalId": robot, "resourceId": graph["id"], "appRoleId": role.expect("is offered")["id"],
        });
        talk.make(&format!("/servicePrincipals/{robot}/appRoleAssignments"), body).await;
    }
    talk.bearer = talk.token(&robot, "https://graph.microsoft.com").await;
    robot
}

#[tokio::test]
async fn an_application_may_do_what_its_roles_on_graph_say_and_no_more() {
    let null = Value::Null;
    for (roles, path, expected) in [
        (&[][..], "/users", 403),
        (&[], "/servicePrincipals", 403),
        (&["User.Read.All"], "/users", 200),
        (&["User.Read.All"], "/groups", 403),
        (&["Group.ReadWrite.All"], "/groups", 200),
        (&["Directory.Read.All"], "/applications", 200),
        (&["Directory.Read.All"], "/directoryRoles", 200),
        (&["Application.Read.All"], "/directoryRoles", 403),
    ] {
        let mut talk = Talk::begin().await;
        application_with(&mut talk, roles).await;
        assert_eq!(talk.ask("GET", path, null.clone()).await.0, expected, "{path} with {roles:?}");
    }
    let mut talk = Talk::begin().await;
    let foreign = talk.make("/applications", json!({"displayName": "foreign"})).await;
    application_with(&mut talk, &["Application.ReadWrite.OwnedBy"]).await;
    let own = talk.make("/applications", json!({"displayName": "own"})).await;
    let change = json!({"notes": "x"});
    assert_eq!(talk.ask("PATCH", &format!("/applications/{own}"), change.clone()).await.0, 204);
    assert_eq!(talk.ask("PATCH", &format!("/applications/{foreign}"), change).await.0, 403);
}

#[tokio::test]
async fn a_person_makes_what_members_may_make_and_an_administrator_what_the_role_is_for() {
    let mut talk = Talk::begin().await;
    let user = talk.user("meret").await;
    let role = "fe930be7-5e62-47db-91af-98c3a49a38b1";
    let body = json!({"principalId": user, "roleDefinitionId": role, "directoryScopeId": "/"});
    let admin = talk.bearer.clone();
    talk.bearer = talk.token(&user, "https://graph.microsoft.com").await;
    let new = json!({
        "displayName": "n", "mailNickname": "n", "accountEnabled": true,
        "userPrincipalName": "n@contoso.onmicrosoft.com", "passwordProfile": { "password": "Passw0rd!" },
    });
    assert_eq!(talk.ask("POST", "/users", new.clone()).await.0, 403);
    assert_eq!(talk.ask("POST", "/roleManagement/directory/roleAssignments", body.clone()).await.0, 403);
    let group = talk.group("hers").await;
    assert_eq!(names(&talk.get("/me/ownedObjects").await), ["hers"]);
    assert_eq!(talk.ask("DELETE", &format!("/groups/{group}"), Value::Null).await.0, 204);
    let mine = std::mem::replace(&mut talk.bearer, admin);
    let given = talk.make("/roleManagement/directory/roleAssignments", body.clone()).await;
    assert_eq!(talk.ask("POST", "/roleManagement/directory/roleAssignments", body).await.0, 400, "has it");
    assert_eq!(
        names(&talk.get(&format!("/directoryRoles(roleTemplateId='{role}')/members")).await),
        ["meret"]
    );
    let admin = std::mem::replace(&mut talk.bearer, mine);
    assert_eq!(talk.ask("POST", "/users", new).await.0, 201);
    assert_eq!(
        talk.ask("POST", "/servicePrincipals", json!({})).await.0,
        400,
        "she may, and says too little"
    );
    let graph = "/oauth2PermissionGrants";
    assert_eq!(talk.ask("POST", graph, json!({})).await.0, 403, "it is another administrator's");
    talk.bearer = admin;
    let path = format!("/roleManagement/directory/roleAssignments/{given}");
    assert_eq!(talk.get(&path).await["principalId"], json!(user));
    assert_eq!(talk.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(talk.ask("DELETE", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn what_was_deleted_comes_back_each_by_itself() {
    let talk = Talk::begin().await;
    let app = talk.ask("POST", "/applications", json!({"displayName": "shop"})).await.1;
    let (id, app_id) = (app["id"].as_str().expect("an id"), &app["appId"]);
    let principal = talk.make("/servicePrincipals", json!({"appId": app_id})).await;
    assert_eq!(talk.ask("DELETE", &format!("/applications/{id}"), Value::Null).await.0, 204);
    let restore = |id: &str| format!("/directory/deletedItems/{id}/restore");
    let listed = talk.get("/directory/deletedItems/microsoft.graph.application").await;
    assert_eq!(names(&listed), ["shop"]);
    let (status, refused) = talk.ask("POST", &restore(&principal), Value::Null).await;
    assert_eq!(status, 400, "its application is not there: {refused}");
    assert_eq!(talk.ask("POST", &restore(id), Value::Null).await.0, 200);
    assert_eq!(talk.ask("GET", &format!("/servicePrincipals/{principal}"), Value::Null).await.0, 404);
    assert_eq!(talk.ask("POST", &restore(&principal), Value::Null).await.0, 200);
    assert_eq!(talk.get(&format!("/servicePrincipals/{principal}")).await["appId"], *app_id);

    let user = talk.user("ada").await;
    assert_eq!(talk.ask("DELETE", &format!("/users/{user}"), Value::Null).await.0, 204);
    talk.user("ada").await;
    assert_eq!(talk.ask("POST", &restore(&user), Value::Null).await.0, 400, "the name is taken");
    assert_eq!(talk.ask("DELETE", &format!("/directory/deletedItems/{user}"), Value::Null).await.0, 204);
    assert_eq!(talk.ask("GET", &format!("/directory/deletedItems/{user}"), Value::Null).await.0, 404);
    let group = talk.group("security").await;
    talk.ask("DELETE", &format!("/groups/{group}"), Value::Null).await;
    assert_eq!(talk.ask("POST", &restore(&group), Value::Null).await.0, 404, "it is gone for good");
}

#[tokio::test]
async fn lists_are_ordered_narrowed_counted_and_followed() {
    let talk = Talk::begin().await;
    let group = talk.group("team").await;
    let reference = |id: &str| json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/users/{id}")});
    for name in ["bea", "ada", "cleo"] {
        let user = talk.user(name).await;
        assert_eq!(talk.ask("POST", &format!("/groups/{group}/members/$ref"), reference(&user)).await.0, 204);
    }
    let inner = talk.group("inner").await;
    talk.ask("POST", &format!("/groups/{group}/members/$ref"), reference(&inner)).await;
    let members = format!("/groups/{group}/members");
    let ordered =
        talk.get(&format!("{members}/microsoft.graph.user?$orderby=displayName%20desc&$top=2")).await;
    assert_eq!(names(&ordered), ["cleo", "bea"]);
    let next = ordered["@odata.nextLink"].as_str().expect("there is more");
    let rest = talk.get(next.strip_prefix("https://graph.microsoft.com/v1.0").expect("is Graph's")).await;
    assert_eq!((names(&rest), &rest["@odata.nextLink"]), (vec!["ada"], &Value::Null));
    let found = talk.get("/users?$orderby=displayName&$filter=displayName in ('ada','bea','nobody')").await;
    assert_eq!(names(&found), ["ada", "bea"]);
    let references = talk.get(&format!("{members}/$ref")).await;
    let first = references["value"][0]["@odata.id"].as_str().expect("an address");
    assert!(first.contains("/directoryObjects/") && references["value"].as_array().map(Vec::len) == Some(4));
    let expanded =
        talk.get(&format!("/groups/{group}?$expand=members($select=displayName)&$select=id")).await;
    assert_eq!(expanded["members"].as_array().map(Vec::len), Some(4));
    assert_eq!(expanded["members"][0].as_object().map(serde_json::Map::len), Some(2));
    let (status, text) = talk.ask("GET", &format!("{members}/$count"), Value::Null).await;
    assert_eq!((status, text), (200, json!(4)));
}

#[tokio::test]
async fn a_manager_has_direct_reports() {
    let talk = Talk::begin().await;
    let (boss, other) = (talk.user("boss").await, talk.user("other").await);
    let path = format!("/users/{other}/manager");
    assert_eq!(talk.ask("GET", &path, Value::Null).await.0, 404);
    let reference = json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/users/{boss}")});
    assert_eq!(talk.ask("PUT", &format!("{path}/$ref"), reference).await.0, 204);
    assert_eq!(talk.get(&path).await["displayName"], "boss");
    assert_eq!(names(&talk.get(&format!("/users/{boss}/directReports")).await), ["other"]);
    assert_eq!(talk.ask("DELETE", &format!("{path}/$ref"), Value::Null).await.0, 204);
    assert_eq!(names(&talk.get(&format!("/users/{boss}/directReports")).await), [] as [&str; 0]);
}

#[tokio::test]
async fn a_service_principals_secret_proves_its_application_and_is_listed_with_it_alone() {
    let talk = Talk::begin().await;
    let body = json!({"displayName": "shop", "identifierUris": ["api://shop"]});
    let app = talk.ask("POST", "/applications", body).await.1;
    let client: azure::ids::ClientId = app["appId"].as_str().expect("an id").parse().expect("a guid");
    let principal = talk.make("/servicePrincipals", json!({"appId": app["appId"]})).await;
    let path = format!("/servicePrincipals/{principal}");
    assert_eq!(talk.get(&path).await["servicePrincipalNames"], json!([app["appId"], "api://shop"]));
    let (status, secret) = talk.ask("POST", &format!("{path}/addPassword"), json!({})).await;
    let text = secret["secretText"].as_str().expect("a secret").to_owned();
    let stored = talk.cx().read(|txn| crate::directory::applications::get(txn, client)).await;
    assert_eq!((status, stored.expect("reads").expect("is there").believes(&text, NOW)), (200, Ok(())));
    assert_eq!(talk.get(&path).await["passwordCredentials"][0]["keyId"], secret["keyId"]);
    let id = app["id"].as_str().expect("an id");
    assert_eq!(talk.get(&format!("/applications/{id}")).await["passwordCredentials"], json!([]));
    let key = json!({"keyId": secret["keyId"]});
    let remove = |set: &str, id: &str| format!("/{set}/{id}/removePassword");
    assert_eq!(talk.ask("POST", &remove("applications", id), key.clone()).await.0, 400);
    assert_eq!(talk.ask("POST", &remove("servicePrincipals", &principal), key).await.0, 204);
}

#[tokio::test]
async fn a_grant_is_made_once_changed_and_taken_back() {
    let talk = Talk::begin().await;
    let graph = talk.get("/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await;
    let body = json!({
        "clientId": ADMIN_SERVICE_PRINCIPAL, "consentType": "AllPrincipals", "resourceId": graph["id"],
        "scope": "User.Read",
    });
    let id = talk.make("/oauth2PermissionGrants", body.clone()).await;
    assert_eq!(talk.ask("POST", "/oauth2PermissionGrants", body).await.0, 400);
    let path = format!("/oauth2PermissionGrants/{id}");
    assert_eq!(talk.ask("PATCH", &path, json!({"scope": "User.Read openid"})).await.0, 204);
    let filter = format!("/oauth2PermissionGrants?$filter=clientId eq '{ADMIN_SERVICE_PRINCIPAL}'");
    assert_eq!(talk.get(&filter).await["value"][0]["scope"], "User.Read openid");
    assert_eq!(talk.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(talk.ask("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_parts_of_a_batch_are_answered_each_by_itself() {
    let talk = Talk::begin().await;
    let group = json!({
        "displayName": "g", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true,
    });
    let body = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/users?$select=id"},
        {"id": "2", "method": "POST", "url": "/groups", "body": group,
         "headers": {"Content-Type": "application/json"}},
        {"id": "3", "method": "GET", "url": "/groups/x", "dependsOn": ["2"]},
        {"id": "4", "method": "GET", "url": "/users", "dependsOn": ["3"]},
        {"id": "5", "method": "POST", "url": "/$batch", "body": {"requests": []}},
    ]});
    let (status, answer) = talk.ask("POST", "/$batch", body).await;
    let all = answer["responses"].as_array().expect("a list");
    let statuses: Vec<_> = all.iter().map(|it| it["status"].as_u64().expect("a status")).collect();
    assert_eq!((status, statuses), (200, vec![200, 201, 404, 424, 400]));
    assert_eq!(all[0]["body"]["value"][0], json!({"id": ADMIN_USER}));
    assert_eq!(all[3]["body"]["error"]["code"], "FailedDependency");
    let twice = json!({"requests": [{"id": "1", "method": "GET", "url": "/me"}, {"id": "1", "method": "GET", "url": "/me"}]});
    assert_eq!(talk.ask("POST", "/$batch", twice).await.0, 400);
}
