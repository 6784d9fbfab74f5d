//! Other hosts' identities, by whole requests at doors that were made for the machine's resource: any resource will do.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use azure::{error::Row, ids::ResourceId};
use serde_json::{Value, json};

use super::codes;
use crate::{
    Server,
    cloud::{Chance, Charter, Clock, Cloud, CloudId},
    directory::{founding, service_principals},
    door::{Door, Entrance},
    env::{Env, LogFormat, Settings},
    front::host_doors::{self, Holder, Keys},
    imds::tests::{ARM, Answer, NOW, World, claims, identity_id},
    keys::Keyring,
    resources,
    store::{Content, Store},
};

const RESOURCE: &str = "resource=https%3A%2F%2Fmanagement.azure.com%2F";

/// A world whose challenges go into a folder of the test's own.
struct Stage {
    world: World,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            log: LogFormat::Off,
            arc_tokens: Some(folder.path().join("tokens")),
            ..Settings::default()
        };
        let keys = Keyring::shared(crate::test_key(NOW));
        let server = Server::over(Env::new(Store::in_memory(), Content::in_memory(), keys, settings));
        let cloud = Cloud {
            id: CloudId::DEFAULT,
            charter: Charter::contoso(NOW),
            clock: Clock::set(NOW),
            chance: Chance::seeded(1),
        };
        server.open(cloud).await.expect("opens");
        Stage { world: World::on(server).await, folder }
    }

    /// A door for the resource.
    async fn door(&self, kind: &str) -> Keys {
        self.door_for(kind, Holder::Resource { id: self.world.vm.clone(), created: NOW }).await
    }

    async fn door_for(&self, kind: &str, holder: Holder) -> Keys {
        let (cx, kind) = (self.world.cx(), host_doors::kind(kind).expect("a kind"));
        let draw = cx.draw();
        let made = cx.write(|txn| host_doors::make(txn, &mut draw.clone(), kind, holder.clone()));
        made.await.expect("is made")
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let door = Door::at(CloudId::DEFAULT, Entrance::Hosts);
        self.world.send(door, method, path, headers, body.to_owned()).await
    }

    /// As the kind's clients do, with this added to the query.
    async fn asked(&self, kind: &str, keys: &Keys, more: &str) -> Answer {
        let path = path(kind, &keys.door);
        let secret = keys.secret.as_str();
        let (path, headers) = match kind {
            "app-service" | "functions" | "container-apps" => {
                (format!("{path}?api-version=2019-08-01&{RESOURCE}{more}"), ("x-identity-header", secret))
            }
            "service-fabric" => {
                (format!("{path}?api-version=2019-07-01-preview&{RESOURCE}{more}"), ("secret", secret))
            }
            "ml" => (format!("{path}?api-version=2017-09-01&{RESOURCE}{more}"), ("secret", secret)),
            "arc" => (format!("{path}?api-version=2020-06-01&{RESOURCE}{more}"), ("metadata", "true")),
            _ => (path, ("metadata", "true")),
        };
        match kind {
            "cloud-shell" => self.ask("POST", &path, &[headers], &format!("{RESOURCE}{more}")).await,
            "arc" => {
                let challenge = self.ask("GET", &path, &[headers], "").await;
                let shown = fs::read_to_string(file(&challenge)).expect("a challenge");
                let answer = format!("Basic {shown}");
                self.ask("GET", &path, &[headers, ("authorization", &answer)], "").await
            }
            _ => self.ask("GET", &path, &[headers], "").await,
        }
    }
}

fn path(kind: &str, door: &str) -> String {
    format!("/{kind}/{door}/{}", host_doors::kind(kind).expect("a kind").path)
}

/// The file that a challenge names.
fn file(challenge: &Answer) -> PathBuf {
    assert_eq!(challenge.status, 401, "{}", challenge.text);
    let header = challenge.headers["www-authenticate"].to_str().expect("text");
    header.strip_prefix("Basic realm=").expect("a path").into()
}

fn code<'a>(answer: &'a Answer, kind: &str) -> (u16, &'a str) {
    let body = &answer.body;
    let words = match kind {
        "service-fabric" => &body["error"]["code"],
        "arc" | "cloud-shell" => &body["error"],
        _ => &body["message"],
    };
    (answer.status, words.as_str().unwrap_or_default())
}

#[tokio::test]
async fn each_kind_answers_with_its_own_members() {
    let stage = Stage::new().await;
    let (own, _) = stage.world.attach(true, &["a"]).await;
    let own = own.expect("was made");
    let expires = (NOW.seconds() + 86_400).to_string();
    let app_service = ["access_token", "client_id", "expires_on", "not_before", "resource", "token_type"];
    for (kind, members) in [
        ("app-service", &app_service[..]),
        ("functions", &app_service),
        ("container-apps", &app_service),
        (
            "arc",
            &[
                "access_token",
                "client_id",
                "expires_in",
                "expires_on",
                "ext_expires_in",
                "not_before",
                "resource",
                "token_type",
            ],
        ),
        ("service-fabric", &["access_token", "expires_on", "resource", "token_type"]),
        (
            "cloud-shell",
            &[
                "access_token",
                "refresh_token",
                "expires_in",
                "expires_on",
                "not_before",
                "resource",
                "token_type",
            ],
        ),
        ("ml", &["access_token", "client_id", "expires_on", "resource", "token_type"]),
    ] {
        let keys = stage.door(kind).await;
        let answer = stage.asked(kind, &keys, "").await;
        assert_eq!(answer.status, 200, "{kind}: {}", answer.text);
        let found: Vec<&String> = answer.body.as_object().expect("an object").keys().collect();
        assert_eq!(found, members, "{kind}");
        assert!(answer.body.as_object().expect("an object").values().all(Value::is_string), "{kind}");
        assert_eq!((answer.text("expires_on"), answer.text("resource")), (expires.as_str(), ARM), "{kind}");
        assert_eq!(claims(answer.text("access_token"))["oid"], json!(own.object_id), "{kind}");
    }
}

#[tokio::test]
async fn app_service_of_2017_has_another_header_another_selector_and_another_time() {
    let stage = Stage::new().await;
    let (_, users) = stage.world.attach(true, &["a"]).await;
    let keys = stage.door("app-service").await;
    let path = path("app-service", &keys.door);
    let old = |more: &str| format!("{path}?api-version=2017-09-01&{RESOURCE}{more}");
    let answer = stage.ask("GET", &old(""), &[("secret", &keys.secret)], "").await;
    assert_eq!((answer.status, answer.text("expires_on")), (200, "11/22/2026 23:02:54 +00:00"));
    let named = old(&format!("&clientid={}", users[0].app_id));
    let answer = stage.ask("GET", &named, &[("secret", &keys.secret)], "").await;
    assert_eq!(answer.text("client_id"), users[0].app_id.to_string());
    let other_header = stage.ask("GET", &old(""), &[("x-identity-header", &keys.secret)], "").await;
    assert_eq!(other_header.status, 401, "each dialect has its own header");
}

/// imds.md §9: what is attached, what is named, who answers.
#[tokio::test]
async fn the_identity_that_is_meant_is_the_one_that_answers() {
    let stage = Stage::new().await;
    let (_, users) = stage.world.attach(false, &["a"]).await;
    let (client, object) = (users[0].app_id.to_string(), users[0].object_id.to_string());
    let id = identity_id("a").to_string();
    for (kind, named, is_found) in [
        // It does not fall back to the only user-assigned one.
        ("app-service", String::new(), false),
        ("arc", String::new(), false),
        ("service-fabric", String::new(), true),
        ("cloud-shell", String::new(), true),
        ("ml", String::new(), true),
        ("app-service", format!("&client_id={client}"), true),
        ("app-service", format!("&principal_id={object}"), true),
        ("app-service", format!("&object_id={object}"), true),
        ("app-service", format!("&mi_res_id={}", id.to_uppercase()), true),
        ("container-apps", format!("&client_id={object}"), false),
        ("arc", format!("&client_id={client}"), true),
        ("arc", format!("&object_id={object}"), true),
        ("arc", format!("&msi_res_id={id}"), true),
        // The agent does not know this spelling.
        ("arc", format!("&mi_res_id={id}"), false),
        ("ml", format!("&clientid={client}"), true),
    ] {
        let keys = stage.door(kind).await;
        let answer = stage.asked(kind, &keys, &named).await;
        let found = answer.body.get("access_token").and_then(Value::as_str);
        assert_eq!(found.is_some(), is_found, "{kind} {named}: {}", answer.text);
        if let Some(token) = found {
            assert_eq!(claims(token)["oid"], json!(users[0].object_id), "{kind} {named}");
        }
    }
}

#[tokio::test]
async fn azure_arc_says_whose_token_it_is() {
    let stage = Stage::new().await;
    let (_, users) = stage.world.attach(true, &["a"]).await;
    let keys = stage.door("arc").await;
    let object = users[0].object_id.to_string();
    let answer = stage.asked("arc", &keys, &format!("&object_id={object}")).await;
    assert_eq!(answer.text("object_id"), object);
    let id = identity_id("a").to_string();
    let answer = stage.asked("arc", &keys, &format!("&msi_res_id={id}")).await;
    assert_eq!(answer.text("msi_res_id"), id);
}

#[tokio::test]
async fn azure_arcs_challenge_is_a_file_of_its_owner_that_answers_once() {
    let stage = Stage::new().await;
    stage.world.attach(true, &[]).await;
    let (keys, other) = (stage.door("arc").await, stage.door("arc").await);
    let query = format!("api-version=2020-06-01&{RESOURCE}");
    let at = |keys: &Keys| format!("{}?{query}", path("arc", &keys.door));
    let metadata = ("metadata", "true");
    let first = stage.ask("GET", &at(&keys), &[metadata], "").await;
    let file = file(&first);
    assert_eq!(file.parent(), Some(stage.folder.path().join("tokens").as_path()));
    assert_eq!(file.extension().and_then(|it| it.to_str()), Some("key"));
    let found = fs::metadata(&file).expect("is there");
    assert_eq!((found.permissions().mode() & 0o777, found.len() <= 4096), (0o600, true));

    let answer = format!("Basic {}", fs::read_to_string(&file).expect("is ours"));
    let authorization = ("authorization", answer.as_str());
    assert_eq!(
        stage.ask("GET", &at(&other), &[metadata, authorization], "").await.status,
        401,
        "another door's"
    );
    assert_eq!(stage.ask("GET", &at(&keys), &[metadata, ("authorization", "Basic x")], "").await.status, 401);
    assert_eq!(stage.ask("GET", &at(&keys), &[metadata, authorization], "").await.status, 200);
    assert!(!file.exists(), "it is answered");
    assert_eq!(stage.ask("GET", &at(&keys), &[metadata, authorization], "").await.status, 401, "again");
    for _ in 0..40 {
        stage.ask("GET", &at(&keys), &[metadata], "").await;
    }
    let files = fs::read_dir(stage.folder.path().join("tokens")).expect("a folder").count();
    assert!(files <= 2 * 16, "{files} files of two doors");
}

#[tokio::test]
async fn a_door_ends_with_its_resource_and_with_its_identity() {
    let stage = Stage::new().await;
    let (own, _) = stage.world.attach(true, &[]).await;
    let keys = stage.door("app-service").await;
    assert_eq!(stage.asked("app-service", &keys, "").await.status, 200);
    let gone = own.expect("was made").object_id;
    stage.world.cx().write(|txn| service_principals::delete(txn, gone)).await.expect("deletes");
    assert_eq!(stage.asked("app-service", &keys, "").await.status, 400);

    let later = NOW.plus(std::time::Duration::from_secs(1));
    stage.world.change(|it| it.created = later).await;
    assert_eq!(stage.asked("app-service", &keys, "").await.status, 404, "made again under the same name");
    let cx = stage.world.cx();
    let deleted = cx.write(|txn| {
        let resource = resources::get(txn, &stage.world.vm)?.expect("is there");
        resources::delete(txn, &resource)
    });
    deleted.await.expect("deletes");
    assert_eq!(stage.asked("app-service", &keys, "").await.status, 404, "deleted");
}

#[tokio::test]
async fn at_cloud_shell_a_person_gets_a_token_of_their_own() {
    let stage = Stage::new().await;
    let admin = founding::ADMIN_USER.parse().expect("a constant guid");
    let keys = stage.door_for("cloud-shell", Holder::Person(admin)).await;
    let answer = stage.asked("cloud-shell", &keys, "").await;
    let claims = claims(answer.text("access_token"));
    assert_eq!(
        (&claims["oid"], &claims["scp"]),
        (&json!(founding::ADMIN_USER), &json!("user_impersonation"))
    );
    assert!(claims["unique_name"].as_str().is_some_and(|it| it.starts_with("admin@")), "{claims}");
}

#[tokio::test]
async fn each_refusal_has_its_row_and_its_kinds_envelope() {
    let stage = Stage::new().await;
    stage.world.attach(false, &[]).await;
    let mut reached: Vec<&Row> = Vec::new();
    let identity = ("x-identity-header", "s");
    let (metadata, secret) = (("metadata", "true"), ("secret", "s"));
    let (web, arc) =
        (format!("api-version=2019-08-01&{RESOURCE}"), format!("api-version=2020-06-01&{RESOURCE}"));
    let fabric = format!("api-version=2019-07-01-preview&{RESOURCE}");
    let unknown = "resource=https%3A%2F%2Fnobody.example";
    let nothing: &[(&str, &str)] = &[];
    // kind, query, headers (`s` stands for the door's secret), body, row
    for (kind, query, headers, body, row) in [
        ("app-service", web.clone(), &[][..], "", &codes::NO_SECRET),
        ("app-service", web.clone(), &[metadata], "", &codes::NO_SECRET),
        ("functions", web.clone(), &[("x-identity-header", "wrong")], "", &codes::WRONG_SECRET),
        ("container-apps", web.clone(), &[("x-identity-header", "")], "", &codes::WRONG_SECRET),
        ("ml", web.replace("2019-08-01", "2017-09-01"), &[("secret", "wrong")], "", &codes::WRONG_SECRET),
        ("app-service", RESOURCE.to_owned(), &[identity], "", &codes::BAD_VERSION),
        ("app-service", web.replace("2019-08-01", "2018-02-01"), &[identity], "", &codes::BAD_VERSION),
        ("ml", web.clone(), &[secret], "", &codes::BAD_VERSION),
        ("arc", web.clone(), &[metadata], "", &codes::BAD_VERSION),
        ("app-service", "api-version=2019-08-01".to_owned(), &[identity], "", &codes::MISSING_RESOURCE),
        ("app-service", format!("{web}&client_id=a&mi_res_id=b"), &[identity], "", &codes::MANY_SELECTORS),
        ("arc", format!("{arc}&client_id=a&object_id=b"), &[metadata], "", &codes::MANY_SELECTORS),
        ("app-service", format!("{web}&RESOURCE=x"), &[identity], "", &codes::REPEATED_PARAMETER),
        ("app-service", web.clone(), &[identity], "", &codes::IDENTITY_NOT_FOUND),
        ("app-service", format!("{web}&client_id=a"), &[identity], "", &codes::IDENTITY_NOT_FOUND),
        ("app-service", web.clone(), &[identity, ("x-forwarded-for", "10.0.0.1")], "", &codes::FORWARDED),
        ("arc", arc.clone(), &[], "", &codes::NO_METADATA_HEADER),
        ("arc", arc.clone(), &[metadata], "", &codes::CHALLENGE),
        ("cloud-shell", String::new(), &[], RESOURCE, &codes::NO_METADATA_HEADER),
        ("cloud-shell", String::new(), &[metadata], "", &codes::MISSING_RESOURCE),
        ("cloud-shell", String::new(), &[metadata], "resource=%ff", &codes::MALFORMED_FORM),
        ("service-fabric", fabric.clone(), &[], "", &codes::SECRET_HEADER_NOT_FOUND),
        ("service-fabric", fabric.clone(), &[("secret", "wrong")], "", &codes::SECRET_MISMATCH),
        ("service-fabric", fabric.clone(), &[secret], "", &codes::MANAGED_IDENTITY_NOT_FOUND),
        ("service-fabric", web.clone(), &[secret], "", &codes::INVALID_API_VERSION),
        (
            "service-fabric",
            "api-version=2019-07-01-preview".to_owned(),
            &[secret],
            "",
            &codes::ARGUMENT_NULL_OR_EMPTY,
        ),
    ] {
        let keys = stage.door(kind).await;
        let path = format!("{}?{query}", path(kind, &keys.door));
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, if *value == "s" { &keys.secret } else { *value }))
            .collect();
        let method = if kind == "cloud-shell" { "POST" } else { "GET" };
        let answer = stage.ask(method, &path, &headers, body).await;
        let words = match kind {
            "service-fabric" | "arc" | "cloud-shell" => row.code,
            _ => row.template.split('{').next().unwrap_or_default(),
        };
        let (status, found) = code(&answer, kind);
        assert!(
            status == row.status && found.starts_with(words),
            "{kind} {query}: {} {}",
            status,
            answer.text
        );
        reached.push(row);
    }
    for (method, path, row) in [
        ("GET", path("arc", "nobodys"), &codes::NO_METADATA_HEADER),
        ("POST", format!("{}?{web}", path("app-service", "nobodys")), &codes::WRONG_METHOD),
        ("GET", format!("{}?{web}", path("app-service", "nobodys")), &codes::NO_DOOR),
        ("GET", "/vm/door/msi/token".to_owned(), &codes::NOT_FOUND),
    ] {
        // Without a version a request is of no dialect.
        let path = path.replace("token\u{0}", "token");
        let path = if path.contains('?') { path } else { format!("{path}?{arc}") };
        let answer = stage.ask(method, &path, nothing, "").await;
        assert_eq!(answer.status, row.status, "{method} {path}: {}", answer.text);
        reached.push(row);
    }
    let stranger = stage.door("app-service").await;
    let other_kind = path("functions", &stranger.door);
    let answer = stage
        .ask("GET", &format!("{other_kind}?{web}"), &[("x-identity-header", &stranger.secret)], "")
        .await;
    assert_eq!(answer.status, 404, "a door of another kind");

    stage.world.attach(true, &[]).await;
    for (kind, row) in [
        ("app-service", &codes::VAGUE),
        ("cloud-shell", &codes::RESOURCE_NOT_FOUND),
        ("service-fabric", &codes::TOKEN_NOT_ISSUED),
    ] {
        let keys = stage.door(kind).await;
        let at = path(kind, &keys.door);
        let answer = match kind {
            "cloud-shell" => stage.ask("POST", &at, &[metadata], unknown).await,
            "service-fabric" => {
                let query = fabric.replace(RESOURCE, unknown);
                stage.ask("GET", &format!("{at}?{query}"), &[("secret", &keys.secret)], "").await
            }
            _ => {
                let query = web.replace(RESOURCE, unknown);
                stage.ask("GET", &format!("{at}?{query}"), &[("x-identity-header", &keys.secret)], "").await
            }
        };
        assert_eq!(answer.status, row.status, "{kind}: {}", answer.text);
        reached.push(row);
    }
    let of_the_path = [
        &codes::BAD_HEAD,
        &codes::HEAD_TOO_LARGE,
        &codes::MISDIRECTED,
        &codes::TOO_LARGE,
        &codes::TOO_SLOW,
        &codes::INTERNAL,
        &codes::UNAVAILABLE,
    ];
    for row in codes::TABLE {
        let is_provoked = reached.iter().chain(&of_the_path).any(|other| std::ptr::eq(*other, *row));
        assert!(is_provoked, "no request provokes {:?}", row.template);
    }
}

#[tokio::test]
async fn a_door_may_be_made_for_a_user_assigned_identity_itself() {
    let stage = Stage::new().await;
    let (_, users) = stage.world.attach(false, &["a"]).await;
    let id: ResourceId = identity_id("a");
    let mut identity = resources::Resource::new(
        id.clone(),
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        azure::ids::Guid([3; 16]),
        NOW,
    );
    identity.set("principalId", users[0].object_id.to_string());
    identity.set("clientId", users[0].app_id.to_string());
    stage.world.cx().write(|txn| resources::put(txn, &identity)).await.expect("is stored");
    let keys = stage.door_for("app-service", Holder::Resource { id, created: NOW }).await;
    let answer = stage.asked("app-service", &keys, "").await;
    assert_eq!(answer.text("client_id"), users[0].app_id.to_string(), "{}", answer.text);
    assert_eq!(claims(answer.text("access_token"))["xms_az_rid"], Value::Null);
}
