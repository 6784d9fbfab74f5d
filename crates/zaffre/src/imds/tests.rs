//! IMDS, by whole requests through a machine's own door.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use azure::{
    identity::{Identity, SystemPrincipal},
    ids::{Guid, ResourceId},
    text::{base64url_decode, percent_encode},
    time::Timestamp,
};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::codes;
use crate::{
    Server,
    cloud::{CloudId, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT},
    directory::{
        ServicePrincipal, resources as audiences,
        service_principals::{self, ManagedIdentity},
        verify::verify,
    },
    door::{Door, Entrance},
    resources::{self, Resource},
    service::{Body, Cx},
};

mod categories;
mod lines;

pub(in crate::imds) const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
pub(in crate::imds) const ARM: &str = "https://management.azure.com/";
const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
const VM_ID: Guid = Guid([7; 16]);
const MANY: &str = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request";

/// A cloud with one machine.
pub(in crate::imds) struct World {
    pub(in crate::imds) server: Arc<Server>,
    pub(in crate::imds) vm: ResourceId,
}

pub(in crate::imds) struct Answer {
    pub(in crate::imds) status: u16,
    pub(in crate::imds) headers: http::HeaderMap,
    pub(in crate::imds) text: String,
    pub(in crate::imds) body: Value,
}

impl Answer {
    pub(in crate::imds) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// Status, code, description.
    fn refusal(&self) -> (u16, &str, &str) {
        (self.status, self.text("error"), self.text("error_description"))
    }
}

fn group() -> String {
    format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/RG1/providers")
}

fn vm_id(name: &str) -> ResourceId {
    format!("{}/Microsoft.Compute/virtualMachines/{name}", group()).parse().expect("an id")
}

pub(in crate::imds) fn identity_id(name: &str) -> ResourceId {
    format!("{}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", group()).parse().expect("an id")
}

impl World {
    pub(in crate::imds) async fn new() -> Self {
        World::on(Server::in_memory(1, NOW).await).await
    }

    pub(in crate::imds) async fn on(server: Arc<Server>) -> Self {
        let world = World { server, vm: vm_id("VM1") };
        world.change(|_| {}).await;
        world
    }

    pub(in crate::imds) fn cx(&self) -> Cx {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("is open");
        Cx::internal(&self.server.env, &cloud, Door::named(CloudId::DEFAULT))
    }

    /// Changes the stored machine.
    pub(in crate::imds) async fn change(&self, change: impl Fn(&mut Resource)) {
        let cx = self.cx();
        let wrote = cx.write(|txn| {
            let fresh = || {
                let mut vm =
                    Resource::new(self.vm.clone(), "Microsoft.Compute/virtualMachines", Guid([1; 16]), NOW);
                vm.set("vmId", VM_ID.to_string());
                vm
            };
            let mut vm = resources::get(txn, &self.vm)?.unwrap_or_else(fresh);
            change(&mut vm);
            resources::put(txn, &vm)
        });
        wrote.await.expect("is stored");
    }

    async fn principal(&self, resource: &ResourceId, explicit: bool) -> ServicePrincipal {
        let cx = self.cx();
        let draw = cx.draw();
        let made = cx.write(|txn| {
            let identity = ManagedIdentity { resource, explicit };
            service_principals::create_managed_identity(txn, &mut draw.clone(), identity, NOW)
        });
        made.await.expect("is made")
    }

    /// Gives the machine identities; the system-assigned one first, if there is one.
    pub(in crate::imds) async fn attach(
        &self,
        system: bool,
        users: &[&str],
    ) -> (Option<ServicePrincipal>, Vec<ServicePrincipal>) {
        let own = if system { Some(self.principal(&self.vm, false).await) } else { None };
        let mut made = Vec::new();
        let mut user = BTreeMap::new();
        for name in users {
            let principal = self.principal(&identity_id(name), true).await;
            user.insert(identity_id(name), Some((principal.object_id, principal.app_id)));
            made.push(principal);
        }
        let tenant = DEFAULT_TENANT.parse().expect("a guid");
        let system = own.as_ref().map(|it| SystemPrincipal {
            principal_id: it.object_id,
            client_id: it.app_id,
            tenant,
        });
        self.change(|vm| vm.identity = Some(Identity { system, user: user.clone() })).await;
        (own, made)
    }

    fn door(&self) -> Door {
        Door::metadata(CloudId::DEFAULT, self.vm.clone(), VM_ID)
    }

    fn extension(&self) -> Door {
        Door { entrance: Entrance::Extension, ..self.door() }
    }

    pub(in crate::imds) async fn send(
        &self,
        door: Door,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "169.254.169.254");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let (head, body) = self.server.send(door, request).await.into_parts();
        let bytes = body.collect().await.expect("the body comes whole").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).expect("is UTF-8"),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.door(), "GET", path, &[("Metadata", "true")], String::new()).await
    }
}

pub(in crate::imds) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("has claims");
    serde_json::from_slice(&base64url_decode(part).expect("is base64url")).expect("is JSON")
}

#[tokio::test]
async fn a_machine_gets_a_token_for_its_own_identity() {
    let world = World::new().await;
    let (own, _) = world.attach(true, &[]).await;
    let own = own.expect("was made");
    let answer = world.get(TOKEN).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut body = answer.body.clone();
    let token = body["access_token"].take();
    let expected = json!({
        "access_token": null,
        "client_id": own.app_id.to_string(),
        "expires_in": "86400",
        "expires_on": (NOW.seconds() + 86_400).to_string(),
        "ext_expires_in": "86400",
        "not_before": (NOW.seconds() - 300).to_string(),
        "resource": ARM,
        "token_type": "Bearer",
    });
    assert_eq!(body, expected);
    assert!(answer.headers["server"].to_str().expect("is text").starts_with("IMDS/"));

    let token = token.as_str().expect("is text").to_owned();
    let claims = claims(&token);
    for (name, value) in [
        ("aud", json!(ARM)),
        ("iss", json!(format!("https://sts.windows.net/{DEFAULT_TENANT}/"))),
        ("iat", json!(NOW.seconds() - 300)),
        ("nbf", json!(NOW.seconds() - 300)),
        ("exp", json!(NOW.seconds() + 86_400)),
        ("appid", json!(own.app_id)),
        ("appidacr", json!("2")),
        ("idtyp", json!("app")),
        ("oid", json!(own.object_id)),
        ("sub", json!(own.object_id)),
        ("xms_mirid", json!(world.vm.to_string().replace("resourceGroups", "resourcegroups"))),
        ("xms_az_rid", Value::Null),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let principal = verify(&world.cx(), &token, &audiences::ARM.audiences()).expect("is believed");
    assert_eq!(principal.object_id, own.object_id);
}

#[tokio::test]
async fn a_user_assigned_identitys_token_names_it_and_the_machine() {
    let world = World::new().await;
    let (_, users) = world.attach(false, &["Id1"]).await;
    let answer = world.get(TOKEN).await;
    let claims = claims(answer.text("access_token"));
    let lower = |id: &ResourceId| json!(id.to_string().replace("resourceGroups", "resourcegroups"));
    assert_eq!(claims["oid"], json!(users[0].object_id));
    assert_eq!(claims["xms_mirid"], lower(&identity_id("Id1")));
    assert_eq!(claims["xms_az_rid"], lower(&world.vm));
}

/// imds.md §2.2, as a table: what is attached, what is asked for, who answers.
#[tokio::test]
async fn the_identity_that_is_meant_is_the_one_that_answers() {
    enum Who {
        Own,
        User(usize),
        Refused(&'static str),
    }
    use Who::{Own, Refused, User};
    let none = "Identity not found";
    for (system, users, selector, who) in [
        (true, &[][..], "", Own),
        (true, &["a"][..], "", Own),
        (true, &["a", "b"][..], "", Own),
        (false, &["a"][..], "", User(0)),
        (false, &["a", "b"][..], "", Refused(MANY)),
        (false, &[][..], "", Refused(none)),
        (true, &["a", "b"][..], "client_id={client:1}", User(1)),
        (true, &["a", "b"][..], "object_id={object:0}", User(0)),
        (false, &["a", "b"][..], "msi_res_id={resource:1}", User(1)),
        (false, &["a", "b"][..], "mi_res_id={resource:1}", User(1)),
        (false, &["a", "b"][..], "MSI_RES_ID={RESOURCE:1}", User(1)),
        (true, &["a"][..], "client_id={client:own}", Own),
        (true, &["a"][..], "object_id={object:own}", Own),
        (true, &["a"][..], "client_id={object:0}", Refused(none)),
        (true, &["a"][..], "object_id={client:0}", Refused(none)),
        (true, &["a"][..], "client_id=", Refused(none)),
        (true, &["a"][..], "client_id=x", Refused(none)),
        (true, &["a"][..], "msi_res_id=/subscriptions/x", Refused(none)),
        (true, &["a"][..], "msi_res_id=x", Refused(none)),
        (true, &[][..], "client_id={foreign}", Refused(none)),
    ] {
        let world = World::new().await;
        let (own, made) = world.attach(system, users).await;
        let foreign = world.principal(&identity_id("foreign"), true).await;
        let mut query = selector.replace("{foreign}", &foreign.app_id.to_string());
        if let Some(own) = &own {
            query = query.replace("{client:own}", &own.app_id.to_string());
            query = query.replace("{object:own}", &own.object_id.to_string());
        }
        for (at, principal) in made.iter().enumerate() {
            let resource = identity_id(users[at]);
            query = query.replace(&format!("{{client:{at}}}"), &principal.app_id.to_string());
            query = query.replace(&format!("{{object:{at}}}"), &principal.object_id.to_string());
            query = query.replace(&format!("{{resource:{at}}}"), &percent_encode(resource.as_str()));
            query = query.replace(&format!("{{RESOURCE:{at}}}"), &resource.as_str().to_uppercase());
        }
        let answer = world.get(&format!("{TOKEN}&{query}")).await;
        let case = format!("{system} {users:?} {selector}: {}", answer.text);
        match who {
            Refused(why) => assert_eq!(answer.refusal(), (400, "invalid_request", why), "{case}"),
            Own | User(_) => {
                let expected = match who {
                    User(at) => &made[at],
                    _ => own.as_ref().expect("was made"),
                };
                assert_eq!(answer.status, 200, "{case}");
                assert_eq!(answer.text("client_id"), expected.app_id.to_string(), "{case}");
                assert_eq!(claims(answer.text("access_token"))["oid"], json!(expected.object_id), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_selector_is_given_back_as_it_was_given() {
    let world = World::new().await;
    let (_, made) = world.attach(false, &["a"]).await;
    let id = made[0].object_id.to_string();
    assert_eq!(world.get(&format!("{TOKEN}&object_id={id}")).await.text("object_id"), id);
    let id = identity_id("A").to_string();
    assert_eq!(world.get(&format!("{TOKEN}&msi_res_id={id}")).await.text("msi_res_id"), id);
}

#[tokio::test]
async fn the_same_token_is_given_again_until_a_fresh_one_is_asked_for() {
    let world = World::new().await;
    world.attach(true, &[]).await;
    let first = world.get(TOKEN).await;
    assert!(world.cx().cloud.clock.move_to(NOW.plus(Duration::from_secs(1000))));
    let again = world.get(TOKEN).await;
    assert_eq!(again.text("access_token"), first.text("access_token"));
    assert_eq!((again.text("expires_in"), again.text("expires_on")), ("85400", first.text("expires_on")));
    let fresh = world.get(&format!("{TOKEN}&bypass_cache=true")).await;
    assert_ne!(fresh.text("access_token"), first.text("access_token"));
    assert_eq!(fresh.text("expires_in"), "86400");
    let other = world.get(&TOKEN.replace("management", "vault").replace("azure.com%2F", "azure.net")).await;
    assert_eq!(claims(other.text("access_token"))["aud"], json!("https://vault.azure.net"));
}

#[tokio::test]
async fn an_identity_that_was_taken_away_answers_no_more() {
    let world = World::new().await;
    let (own, users) = world.attach(true, &["a"]).await;
    let own = own.expect("was made");
    assert_eq!(world.get(TOKEN).await.status, 200);
    let gone = world.cx().write(|txn| service_principals::delete(txn, users[0].object_id)).await;
    assert!(gone.expect("deletes").is_some());
    let path = format!("{TOKEN}&client_id={}", users[0].app_id);
    assert_eq!(world.get(&path).await.refusal(), (400, "invalid_request", "Identity not found"));
    assert_eq!(world.get(TOKEN).await.text("client_id"), own.app_id.to_string());

    world.change(|vm| vm.identity = None).await;
    assert_eq!(world.get(TOKEN).await.refusal(), (400, "invalid_request", "Identity not found"));
}

#[tokio::test]
async fn only_the_machine_behind_the_door_is_answered() {
    let world = World::new().await;
    world.attach(true, &[]).await;
    let metadata = [("Metadata", "true")];
    for (what, door) in [
        ("the host", Door::at(CloudId::DEFAULT, Entrance::Metadata)),
        ("the host, by the old port", Door::at(CloudId::DEFAULT, Entrance::Extension)),
        ("another machine", Door::metadata(CloudId::DEFAULT, vm_id("VM2"), VM_ID)),
        ("one that was made again", Door::metadata(CloudId::DEFAULT, world.vm.clone(), Guid([8; 16]))),
    ] {
        let path = if door.entrance == Entrance::Extension { "/oauth2/token?resource=x" } else { TOKEN };
        let answer = world.send(door.clone(), "GET", path, &metadata, String::new()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request", "Identity not found"), "{what}");
        if door.entrance == Entrance::Metadata {
            let path = "/metadata/instance?api-version=2021-02-01";
            assert_eq!(world.send(door, "GET", path, &metadata, String::new()).await.status, 404, "{what}");
        }
    }
}

/// Every row that a request can reach, with the request that reaches it.
#[tokio::test]
async fn each_refusal_has_its_row() {
    let world = World::new().await;
    world.attach(true, &["a"]).await;
    let metadata = ("Metadata", "true");
    let base = "/metadata/identity/oauth2/token";
    let instance = "/metadata/instance";
    let version = "api-version=2018-02-01";
    let bad_version = codes::BAD_VERSION.template;
    let mut reached = vec![
        &codes::RESOURCE_NOT_FOUND,
        &codes::NO_MACHINE,
        &codes::IDENTITY_NOT_FOUND,
        &codes::MANY_IDENTITIES,
    ];
    for (method, path, headers, row) in [
        ("GET", TOKEN.to_owned(), vec![], &codes::NO_METADATA_HEADER),
        ("GET", base.to_owned(), vec![], &codes::NO_METADATA_HEADER),
        ("GET", TOKEN.to_owned(), vec![("Metadata", "True")], &codes::NO_METADATA_HEADER),
        ("GET", TOKEN.to_owned(), vec![("Metadata", "false")], &codes::NO_METADATA_HEADER),
        ("GET", TOKEN.to_owned(), vec![metadata, metadata], &codes::NO_METADATA_HEADER),
        ("GET", "/nowhere".to_owned(), vec![], &codes::NO_METADATA_HEADER),
        ("GET", TOKEN.to_owned(), vec![metadata, ("X-Forwarded-For", "10.0.0.1")], &codes::FORWARDED),
        ("GET", format!("{instance}?{version}"), vec![metadata, ("x-forwarded-for", "")], &codes::FORWARDED),
        ("POST", TOKEN.to_owned(), vec![metadata], &codes::WRONG_METHOD),
        ("HEAD", TOKEN.to_owned(), vec![metadata], &codes::WRONG_METHOD),
        ("PUT", format!("{instance}?{version}"), vec![metadata], &codes::WRONG_METHOD),
        ("GET", format!("{TOKEN}&resource=x"), vec![metadata], &codes::REPEATED_PARAMETER),
        ("GET", format!("{TOKEN}&API-Version=2018-02-01"), vec![metadata], &codes::REPEATED_PARAMETER),
        ("GET", format!("{base}?resource=x"), vec![metadata], &codes::BAD_VERSION),
        ("GET", format!("{base}?resource=x&api-version=2017-12-01"), vec![metadata], &codes::BAD_VERSION),
        ("GET", format!("{base}?resource=x&api-version=2030-01-01"), vec![metadata], &codes::BAD_VERSION),
        ("GET", instance.to_owned(), vec![metadata], &codes::BAD_VERSION),
        ("GET", format!("{instance}?api-version=2017-03-01"), vec![metadata], &codes::BAD_VERSION),
        ("GET", format!("{base}?{version}"), vec![metadata], &codes::MISSING_RESOURCE),
        ("GET", format!("{base}?{version}&resource="), vec![metadata], &codes::MISSING_RESOURCE),
        ("GET", format!("{TOKEN}&client_id=x&object_id=y"), vec![metadata], &codes::MANY_SELECTORS),
        ("GET", format!("{TOKEN}&bypass_cache=yes"), vec![metadata], &codes::BAD_BYPASS),
        ("GET", "/metadata".to_owned(), vec![metadata], &codes::NOT_FOUND),
        (
            "GET",
            "/metadata/identity/getplatformmetadata?cred-api-version=2.0".to_owned(),
            vec![metadata],
            &codes::NOT_FOUND,
        ),
        ("GET", format!("{instance}x?{version}"), vec![metadata], &codes::NOT_FOUND),
        ("GET", format!("{instance}/compute/nothing?{version}"), vec![metadata], &codes::NOT_FOUND),
        ("GET", format!("{instance}/compute/name?{version}"), vec![metadata], &codes::LEAF_AS_JSON),
        ("GET", format!("{instance}?{version}&format=xml"), vec![metadata], &codes::BAD_FORMAT),
        (
            "GET",
            "/metadata/attested/document?api-version=2018-10-01&nonce=1-2".to_owned(),
            vec![metadata],
            &codes::BAD_NONCE,
        ),
        (
            "POST",
            "/metadata/scheduledevents?api-version=2020-07-01".to_owned(),
            vec![metadata],
            &codes::BAD_START_REQUESTS,
        ),
        (
            "GET",
            "/metadata/loadbalancer?api-version=2020-10-01".to_owned(),
            vec![metadata],
            &codes::NO_LOAD_BALANCER,
        ),
    ] {
        let answer = world.send(world.door(), method, &path, &headers, String::new()).await;
        let case = format!("{method} {path} {headers:?}: {}", answer.text);
        assert_eq!(answer.status, row.status, "{case}");
        reached.push(row);
        let start = row.template.split('{').next().unwrap_or_default();
        let is_identity = path.starts_with("/metadata/identity");
        if std::ptr::eq(row, &codes::BAD_VERSION) {
            let versions = ["2025-04-07", "2024-07-17", "2024-03-15"];
            assert_eq!(answer.body, json!({ "error": bad_version, "newest-versions": versions }), "{case}");
        } else if method == "HEAD" {
            assert_eq!(answer.text, "", "{case}");
        } else if is_identity {
            assert_eq!(answer.text("error"), row.code, "{case}");
            assert!(answer.text("error_description").starts_with(start), "{case}");
        } else {
            assert!(answer.text("error").starts_with(start), "{case}");
            assert!(answer.body.get("error_description").is_none(), "{case}");
        }
    }
    let by_the_extension =
        [&codes::NO_METADATA_HEADER_OLD, &codes::UNKNOWN_SOURCE, &codes::MALFORMED_FORM, &codes::TOO_LARGE];
    let heads = [&codes::BAD_HEAD, &codes::HEAD_TOO_LARGE, &codes::MISDIRECTED];
    let faults = [&codes::TOO_SLOW, &codes::INTERNAL, &codes::UNAVAILABLE];
    // In `categories`.
    let limits = [&codes::TOO_MANY_REQUESTS, &codes::NO_SUCH_EVENT];
    for row in codes::TABLE {
        let is = |other: &&azure::error::Row| std::ptr::eq(*other, *row);
        let is_provoked =
            reached.iter().chain(&by_the_extension).chain(&heads).chain(&faults).chain(&limits).any(is);
        assert!(is_provoked, "no request provokes {:?}", row.template);
    }
}

#[tokio::test]
async fn an_unknown_resource_is_refused_in_entras_words() {
    let world = World::new().await;
    world.attach(true, &[]).await;
    let answer = world
        .get("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://example.org")
        .await;
    assert_eq!((answer.status, answer.text("error")), (400, "invalid_resource"));
    let start = "AADSTS500011: The resource principal named https://example.org was not found in the tenant named Contoso.";
    assert!(answer.text("error_description").starts_with(start), "{}", answer.text);
    assert!(answer.text("error_description").ends_with("Timestamp: 2026-11-21 23:02:54Z"), "{}", answer.text);
}

#[tokio::test]
async fn a_slash_at_the_end_and_another_case_change_nothing() {
    let world = World::new().await;
    world.attach(true, &[]).await;
    for path in
        [TOKEN.replace("token?", "token/?"), TOKEN.replace("/metadata/identity", "/Metadata/Identity")]
    {
        assert_eq!(world.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_tenant_is_told_to_those_who_have_an_identity() {
    let world = World::new().await;
    let path = "/metadata/identity/info?api-version=2018-02-01";
    assert_eq!(world.get(path).await.refusal(), (400, "invalid_request", "Identity not found"));
    world.attach(true, &[]).await;
    assert_eq!(world.get(path).await.body, json!({ "tenantId": DEFAULT_TENANT }));
}

#[tokio::test]
async fn the_old_endpoint_answers_get_and_post_alike() {
    let world = World::new().await;
    let (own, made) = world.attach(true, &["a"]).await;
    let own = own.expect("was made");
    let ask = async |method: &str, query: &str, form: &str| {
        let path = format!("/oauth2/token{query}");
        world.send(world.extension(), method, &path, &[("Metadata", "true")], form.to_owned()).await
    };
    let resource = "resource=https://management.azure.com/";
    let user = format!("{resource}&client_id={}", made[0].app_id);
    for (method, query, form, principal) in [
        ("GET", format!("?{resource}"), String::new(), &own),
        ("POST", String::new(), resource.to_owned(), &own),
        ("GET", format!("?{user}"), String::new(), &made[0]),
        ("POST", String::new(), user, &made[0]),
    ] {
        let answer = ask(method, &query, &form).await;
        let names: Vec<_> = answer.body.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = "access_token refresh_token expires_in expires_on not_before resource token_type";
        assert_eq!(names.join(" "), expected, "{method} {query} {form}");
        assert!(answer.body.as_object().expect("an object").values().all(Value::is_string));
        assert_eq!((answer.text("refresh_token"), answer.text("resource")), ("", ARM));
        assert_eq!(
            claims(answer.text("access_token"))["oid"],
            json!(principal.object_id),
            "{method} {query} {form}"
        );
    }
    for (method, query, form, status, code) in [
        ("POST", "", "", 400, "invalid_request"),
        ("POST", "", "resource=a&resource=b", 400, "invalid_request"),
        ("POST", "", "resource=%ff", 400, "invalid_request"),
        ("GET", "?resource=a&Resource=b", "", 400, "invalid_request"),
        ("GET", "?resource=https://example.org", "", 400, "invalid_resource"),
        ("DELETE", "", "", 405, "method_not_allowed"),
        ("POST", "", &*"x".repeat(20_000), 413, "invalid_request"),
    ] {
        let answer = ask(method, query, form).await;
        assert_eq!(
            (answer.status, answer.text("error")),
            (status, code),
            "{method} {query}: {}",
            answer.text
        );
    }
    let bare = world.send(world.extension(), "GET", "/oauth2/token?resource=x", &[], String::new()).await;
    assert_eq!(bare.refusal(), (400, "bad_request_102", "Required metadata header not specified"));
    let elsewhere = world
        .send(world.extension(), "GET", "/metadata/instance", &[("Metadata", "true")], String::new())
        .await;
    assert_eq!(elsewhere.refusal(), (401, "unknown_source", "Unknown Source /metadata/instance"));
}

#[tokio::test]
async fn the_versions_are_listed_without_naming_one() {
    let world = World::new().await;
    let answer = world.get("/metadata/versions").await;
    let versions = answer.body["apiVersions"].as_array().expect("a list").clone();
    assert_eq!(
        (versions.len(), &versions[0], &versions[34]),
        (35, &json!("2017-03-01"), &json!("2025-04-07"))
    );
    assert!(versions.is_sorted_by_key(|it| it.as_str()));
}

/// A machine as `az vm create` makes one, with its network.
async fn furnished() -> World {
    let world = World::new().await;
    let at = |kind: &str, name: &str| format!("{}/Microsoft.Network/{kind}/{name}", group());
    let properties = json!({
        "vmId": VM_ID.to_string(),
        "hardwareProfile": { "vmSize": "Standard_DS1_v2" },
        "storageProfile": {
            "imageReference": { "publisher": "Canonical", "offer": "jammy", "sku": "22_04-lts-gen2", "version": "latest", "exactVersion": "22.04.1" },
            "osDisk": { "osType": "Linux", "name": "disk1", "diskSizeGB": 30, "caching": "ReadWrite", "createOption": "FromImage",
                        "managedDisk": { "id": "/d/1", "storageAccountType": "Premium_LRS" } },
            "dataDisks": [{ "lun": 0, "name": "data1", "diskSizeGB": 4 }],
        },
        "osProfile": {
            "computerName": "vm1", "adminUsername": "azureuser", "customData": "c2VjcmV0",
            "linuxConfiguration": {
                "disablePasswordAuthentication": true,
                "ssh": { "publicKeys": [{ "path": "/home/azureuser/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA" }] },
            },
        },
        "networkProfile": { "networkInterfaces": [{ "id": at("networkInterfaces", "nic1") }, { "id": at("networkInterfaces", "absent") }] },
    });
    world
        .change(|vm| {
            vm.properties = properties.as_object().expect("an object").clone();
            vm.location = Some("westeurope".to_owned());
            vm.zones = Some(json!(["2"]));
            vm.tags = json!({ "env": "test", "owner": "me" }).as_object().cloned();
        })
        .await;
    let network = [
        (
            "networkInterfaces",
            "nic1",
            json!({
                "macAddress": "00-0D-3A-12-34-56",
                "ipConfigurations": [{ "properties": {
                    "privateIPAddress": "10.0.0.4",
                    "publicIPAddress": { "id": at("publicIPAddresses", "ip1") },
                    "subnet": { "id": format!("{}/subnets/s1", at("virtualNetworks", "net1")) },
                } }],
            }),
        ),
        ("publicIPAddresses", "ip1", json!({ "ipAddress": "127.77.0.4" })),
        ("virtualNetworks", "net1/subnets/s1", json!({ "addressPrefix": "10.0.0.0/24" })),
    ];
    let cx = world.cx();
    let wrote = cx.write(|txn| {
        for (kind, name, properties) in &network {
            let id = at(kind, name).parse().expect("an id");
            let mut resource = Resource::new(id, format!("Microsoft.Network/{kind}"), Guid([2; 16]), NOW);
            resource.properties = properties.as_object().expect("an object").clone();
            resources::put(txn, &resource)?;
        }
        Ok(())
    });
    wrote.await.expect("is stored");
    world
}

#[tokio::test]
async fn a_machine_reads_about_itself_leaf_by_leaf() {
    let world = furnished().await;
    for (path, text) in [
        ("compute/name", "VM1"),
        ("compute/vmId", "07070707-0707-0707-0707-070707070707"),
        ("compute/VMSize", "Standard_DS1_v2"),
        ("compute/location", "westeurope"),
        ("compute/zone", "2"),
        ("compute/resourceGroupName", "RG1"),
        ("compute/subscriptionId", DEFAULT_SUBSCRIPTION),
        ("compute/azEnvironment", "AzurePublicCloud"),
        ("compute/osType", "Linux"),
        ("compute/publisher", "Canonical"),
        ("compute/version", "22.04.1"),
        ("compute/customData", ""),
        ("compute/tags", "env:test;owner:me"),
        ("compute/tagsList", "0/\n1/"),
        ("compute/tagsList/1/name", "owner"),
        ("compute/osProfile/disablePasswordAuthentication", "true"),
        ("compute/publicKeys/0/keyData", "ssh-ed25519 AAAA"),
        ("compute/storageProfile/osDisk/diskSizeGB", "30"),
        ("compute/storageProfile/dataDisks/0/lun", "0"),
        ("compute/storageProfile/dataDisks/0/diskCapacityBytes", "4294967296"),
        ("network/interface", "0/"),
        ("network/interface/0", "ipv4/\nipv6/\nmacAddress"),
        ("network/interface/0/macAddress", "000D3A123456"),
        ("network/interface/0/ipv4/ipAddress/0/privateIpAddress", "10.0.0.4"),
        ("network/interface/0/ipv4/ipAddress/0/publicIpAddress", "127.77.0.4"),
        ("network/interface/0/ipv4/subnet/0/prefix", "24"),
        ("", "compute/\nnetwork/"),
        ("network/", "interface/"),
    ] {
        let answer =
            world.get(&format!("/metadata/instance/{path}?api-version=2025-04-07&format=text")).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{path}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    }
    let id = world.get("/metadata/instance/compute/resourceId?api-version=2025-04-07&format=text").await;
    assert_eq!(id.text, world.vm.to_string());
}

#[tokio::test]
async fn the_whole_document_has_text_for_every_primitive_and_grows_with_the_versions() {
    fn is_text(value: &Value) -> bool {
        match value {
            Value::String(_) => true,
            Value::Array(items) => items.iter().all(is_text),
            Value::Object(members) => members.values().all(is_text),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    let world = furnished().await;
    let mut members = 0;
    for version in super::routes::VERSIONS.iter().skip(1) {
        let answer = world.get(&format!("/metadata/instance?api-version={version}")).await;
        assert!(is_text(&answer.body), "{version}: {}", answer.text);
        let now = answer.body["compute"].as_object().expect("an object").len();
        assert!(now >= members, "{version}");
        members = now;
    }
    let first = world.get("/metadata/instance/compute?api-version=2017-04-02").await;
    let names: Vec<_> = first.body.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = "location name offer osType platformFaultDomain platformUpdateDomain publisher sku version vmId vmSize";
    assert_eq!(names.join(" "), expected);
    let network = world.get("/metadata/instance/network?api-version=2017-04-02").await;
    assert_eq!(
        network.body["interface"][0]["ipv4"],
        json!({ "ipAddress": [{ "privateIpAddress": "10.0.0.4", "publicIpAddress": "127.77.0.4" }], "subnet": [{ "address": "10.0.0.0", "prefix": "24" }] })
    );
}

#[tokio::test]
async fn outside_of_identities_the_header_may_be_written_with_a_capital() {
    let world = World::new().await;
    let answer =
        world.send(world.door(), "GET", "/metadata/versions", &[("metadata", "True")], String::new()).await;
    assert_eq!(answer.status, 200);
}
