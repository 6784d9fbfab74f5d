//! The token service, by whole requests.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{
    digest,
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use azure::{
    text::{base64, base64_decode, base64url, base64url_decode, percent_encode},
    time::Timestamp,
};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::{
    Server,
    cloud::{CloudId, DEFAULT_TENANT},
    directory::{
        Credentials,
        applications::{self, Application, PasswordCredential},
        founding::{ADMIN_APPLICATION, ADMIN_SERVICE_PRINCIPAL},
        service_principals,
    },
    door::Door,
    service::{Body, Cx, reply::ReplyBody},
};

mod federation;
mod grants;
mod on_behalf_of;
mod rotation;

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const TOKEN: &str = "/contoso.onmicrosoft.com/oauth2/v2.0/token";
const SCOPE: &str = "https://management.core.windows.net//.default";

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn read(response: Response<ReplyBody>) -> Answer {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("the body comes whole").to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

async fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let uri = format!("https://login.microsoftonline.com{path}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).expect("a request");
    read(server.send(Door::named(CloudId::DEFAULT), request).await).await
}

async fn get(server: &Server, path: &str) -> Answer {
    send(server, "GET", path, &[], String::new()).await
}

async fn post(server: &Server, path: &str, form: &[(&str, &str)]) -> Answer {
    let pairs = form.iter().map(|(name, value)| format!("{name}={}", percent_encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    send(server, "POST", path, &[("content-type", "application/x-www-form-urlencoded")], body).await
}

async fn server() -> (Arc<Server>, Credentials) {
    let server = Server::in_memory(1, NOW).await;
    let credentials = server.credentials(CloudId::DEFAULT).expect("was founded");
    (server, credentials)
}

/// The claims of a token that the served keys verify, read without any of the program's own code.
fn verified(jwks: &Value, token: &str) -> Option<Value> {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let json = |part: &str| serde_json::from_slice::<Value>(&base64url_decode(part)?).ok();
    let kid = json(header)?["kid"].clone();
    let key = jwks["keys"].as_array()?.iter().find(|key| key["kid"] == kid)?;
    let number = |name: &str| base64url_decode(key[name].as_str()?);
    let key = RsaPublicKeyComponents { n: number("n")?, e: number("e")? };
    let signed = format!("{header}.{claims}");
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &base64url_decode(signature)?).ok()?;
    json(claims)
}

#[tokio::test]
async fn a_discovery_document_names_the_tenant_by_id_however_it_was_asked_for() {
    let (server, _) = server().await;
    for (path, tenant, v2) in [
        (format!("/{DEFAULT_TENANT}/v2.0"), DEFAULT_TENANT, true),
        ("/Contoso.OnMicrosoft.com/v2.0".to_owned(), DEFAULT_TENANT, true),
        ("/common/v2.0".to_owned(), "common", true),
        ("/organizations/v2.0".to_owned(), "organizations", true),
        (format!("/{DEFAULT_TENANT}"), DEFAULT_TENANT, false),
        ("/contoso.onmicrosoft.com".to_owned(), DEFAULT_TENANT, false),
        ("/common".to_owned(), "common", false),
    ] {
        let answer = get(&server, &format!("{path}/.well-known/openid-configuration")).await;
        assert_eq!(answer.status, 200, "{path}");
        let (oauth2, keys) =
            if v2 { ("oauth2/v2.0", "discovery/v2.0/keys") } else { ("oauth2", "discovery/keys") };
        let of = |rest: &str| json!(format!("https://login.microsoftonline.com/{tenant}/{rest}"));
        let issued = if tenant == DEFAULT_TENANT { tenant } else { "{tenantid}" };
        let issuer = match v2 {
            true => format!("https://login.microsoftonline.com/{issued}/v2.0"),
            false => format!("https://sts.windows.net/{issued}/"),
        };
        assert_eq!(answer.body["token_endpoint"], of(&format!("{oauth2}/token")), "{path}");
        assert_eq!(answer.body["authorization_endpoint"], of(&format!("{oauth2}/authorize")), "{path}");
        assert_eq!(
            answer.body["device_authorization_endpoint"],
            of(&format!("{oauth2}/devicecode")),
            "{path}"
        );
        assert_eq!(answer.body["jwks_uri"], of(keys), "{path}");
        assert_eq!(answer.body["issuer"], json!(issuer), "{path}");
        assert_eq!(answer.body.get("check_session_iframe").is_some(), !v2, "{path}");
        assert_eq!(answer.header("cache-control"), "max-age=86400, private");
    }
}

#[tokio::test]
async fn the_documents_of_unknown_tenants_and_of_consumers_are_refused() {
    let (server, _) = server().await;
    for tenant in ["consumers", "fabrikam.onmicrosoft.com", "33333333-3333-4333-8333-333333333333", "x"] {
        for path in [
            "v2.0/.well-known/openid-configuration",
            ".well-known/openid-configuration",
            "discovery/v2.0/keys",
        ] {
            let answer = get(&server, &format!("/{tenant}/{path}")).await;
            assert_eq!(
                (answer.status, &answer.body["error"]),
                (400, &json!("invalid_tenant")),
                "{tenant} {path}"
            );
            assert_eq!(answer.body["error_codes"], json!([90002]));
        }
    }
}

#[tokio::test]
async fn a_served_key_is_named_by_the_thumbprint_of_its_certificate() {
    let (server, _) = server().await;
    for (path, issuer) in [
        ("/common/discovery/keys", Value::Null),
        ("/common/discovery/v2.0/keys", json!("https://login.microsoftonline.com/{tenantid}/v2.0")),
        (
            &format!("/{DEFAULT_TENANT}/discovery/v2.0/keys"),
            json!(format!("https://login.microsoftonline.com/{DEFAULT_TENANT}/v2.0")),
        ),
    ] {
        let answer = get(&server, path).await;
        let key = &answer.body["keys"][0];
        let certificate = base64_decode(key["x5c"][0].as_str().expect("text")).expect("is base64");
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        assert_eq!(key["kid"], json!(base64url(thumbprint.as_ref())));
        assert_eq!(key["x5t"], key["kid"]);
        assert_eq!((&key["kty"], &key["use"], &key["e"]), (&json!("RSA"), &json!("sig"), &json!("AQAB")));
        assert_eq!(key["issuer"], issuer, "{path}");
    }
}

#[tokio::test]
async fn instance_discovery_knows_azures_hosts_and_no_others() {
    let (server, _) = server().await;
    let ask = async |endpoint: &str, version: &str| {
        let query = format!("api-version={version}&authorization_endpoint={}", percent_encode(endpoint));
        get(&server, &format!("/common/discovery/instance?{query}")).await
    };
    let known = ask("https://login.windows.net/common/oauth2/v2.0/authorize", "1.1").await;
    assert_eq!(known.status, 200);
    assert_eq!(known.body["api-version"], json!("1.1"));
    assert_eq!(
        known.body["tenant_discovery_endpoint"],
        json!("https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration")
    );
    assert_eq!(known.body["metadata"][0]["preferred_cache"], json!("login.windows.net"));
    assert!(
        known.body["metadata"][0]["aliases"].as_array().expect("a list").contains(&json!("sts.windows.net"))
    );

    let old = ask("https://login.microsoftonline.com/t/oauth2/authorize", "1.0").await;
    let endpoint = "https://login.microsoftonline.com/t/.well-known/openid-configuration";
    assert_eq!(old.body, json!({ "tenant_discovery_endpoint": endpoint }));

    for endpoint in [
        "https://login.example.org/common/oauth2/authorize",
        "http://login.microsoftonline.com/common/oauth2/authorize",
        "https://login.microsoftonline.com.example.org/common",
        "https://login.microsoftonline.com",
    ] {
        let answer = ask(endpoint, "1.1").await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_instance")), "{endpoint}");
        assert_eq!(answer.body["error_codes"], json!([50049]));
    }
    for query in
        ["?api-version=1.1", "?authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon", ""]
    {
        let answer = get(&server, &format!("/common/discovery/instance{query}")).await;
        assert_eq!((answer.status, &answer.body["error_codes"]), (400, &json!([90014])), "{query}");
    }
}

#[tokio::test]
async fn a_user_of_the_domain_is_managed() {
    let (server, _) = server().await;
    for (path, kind) in [
        ("/common/userrealm/admin@contoso.onmicrosoft.com?api-version=1.0", "Managed"),
        ("/common/UserRealm/admin%40contoso.onmicrosoft.com?api-version=1.0", "Managed"),
        ("/common/userrealm/someone@example.org?api-version=1.0", "Unknown"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, &answer.body["account_type"]), (200, &json!(kind)), "{path}");
    }
}

#[tokio::test]
async fn an_application_gets_a_token_that_the_served_keys_verify() {
    let (server, credentials) = server().await;
    let id = credentials.client_id.to_string();
    let form = [
        ("client_id", id.as_str()),
        ("grant_type", "client_credentials"),
        ("client_info", "1"),
        ("client_secret", &credentials.client_secret),
        ("scope", SCOPE),
    ];
    let answer = post(&server, TOKEN, &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let names: Vec<_> = answer.body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["token_type", "expires_in", "ext_expires_in", "access_token"]);
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert_eq!(answer.header("cache-control"), "no-store, no-cache");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("x-ms-request-id").len(), 36);

    let jwks = get(&server, "/common/discovery/v2.0/keys").await.body;
    let token = answer.body["access_token"].as_str().expect("text");
    let claims = verified(&jwks, token).expect("verifies");
    for (name, value) in [
        ("aud", json!("https://management.core.windows.net/")),
        ("iss", json!(format!("https://sts.windows.net/{DEFAULT_TENANT}/"))),
        ("iat", json!(NOW.seconds() - 300)),
        ("nbf", json!(NOW.seconds() - 300)),
        ("exp", json!(NOW.seconds() + 3599)),
        ("appid", json!(ADMIN_APPLICATION)),
        ("appidacr", json!("1")),
        ("idtyp", json!("app")),
        ("oid", json!(ADMIN_SERVICE_PRINCIPAL)),
        ("sub", json!(ADMIN_SERVICE_PRINCIPAL)),
        ("tid", json!(DEFAULT_TENANT)),
        ("ver", json!("1.0")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let mut changed = token.to_owned().into_bytes();
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    assert_eq!(verified(&jwks, std::str::from_utf8(&changed).expect("is ASCII")), None);
}

#[tokio::test]
async fn the_first_endpoint_answers_in_text_and_names_the_resource() {
    let (server, credentials) = server().await;
    let id = credentials.client_id.to_string();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", &credentials.client_secret),
        ("resource", "https://storage.azure.com/"),
    ];
    for path in
        ["/contoso.onmicrosoft.com/oauth2/token?api-version=1.0", &format!("/{DEFAULT_TENANT}/oauth2/token/")]
    {
        let mut answer = post(&server, path, &form).await;
        assert!(answer.body["access_token"].take().is_string(), "{path}");
        let expected = json!({
            "token_type": "Bearer",
            "expires_in": "3599",
            "ext_expires_in": "3599",
            "expires_on": (NOW.seconds() + 3599).to_string(),
            "not_before": (NOW.seconds() - 300).to_string(),
            "resource": "https://storage.azure.com/",
            "access_token": null,
        });
        assert_eq!(answer.body, expected, "{path}");
    }
}

#[tokio::test]
async fn a_client_may_prove_itself_in_a_basic_header() {
    let (server, credentials) = server().await;
    let basic = |secret: &str| {
        format!("Basic {}", base64(format!("{}:{}", credentials.client_id, percent_encode(secret))))
    };
    let ask = async |header: String, body: &str| {
        let headers = [
            ("authorization", header.as_str()),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ];
        let body = format!("grant_type=client_credentials&scope={}{body}", percent_encode(SCOPE));
        let answer = send(&server, "POST", TOKEN, &headers, body).await;
        (answer.status, answer.body["error_codes"][0].clone())
    };
    let secret = credentials.client_secret.as_str();
    assert_eq!(ask(basic(secret), "").await, (200, Value::Null));
    assert_eq!(
        ask(basic(secret), &format!("&client_id={}", credentials.client_id)).await,
        (200, Value::Null)
    );
    assert_eq!(ask(basic("wrong"), "").await, (401, json!(7_000_215)));
    assert_eq!(ask(basic(secret), &format!("&client_secret={secret}")).await, (400, json!(9_002_313)));
    assert_eq!(ask(basic(secret), "&client_id=other").await, (400, json!(9_002_313)));
    assert_eq!(ask("Basic %%%".to_owned(), "").await, (400, json!(9_002_313)));
}

#[tokio::test]
async fn a_refusal_carries_everything_that_clients_print() {
    let (server, _) = server().await;
    let id = "5b8cd4f1-8c5a-4a8e-9d0d-1f5a1f0c2b11";
    let headers = [("client-request-id", id), ("content-type", "application/x-www-form-urlencoded")];
    let answer = send(&server, "POST", TOKEN, &headers, "grant_type=".to_owned()).await;
    let trace = answer.header("x-ms-request-id").to_owned();
    assert_eq!(answer.header("client-request-id"), id);
    let expected = json!({
        "error": "invalid_request",
        "error_description": format!(
            "AADSTS900144: The request body must contain the following parameter: 'grant_type'. \
             Trace ID: {trace} Correlation ID: {id} Timestamp: 2026-11-21 23:02:54Z"
        ),
        "error_codes": [900_144],
        "timestamp": "2026-11-21 23:02:54Z",
        "trace_id": trace,
        "correlation_id": id,
        "error_uri": "https://login.microsoftonline.com/error?code=900144",
    });
    assert_eq!((answer.status, answer.body), (400, expected));
}

/// An application of the tenant with one secret, which is its display name, in its time until `end`.
async fn register(cx: &Cx, name: &str, end: Timestamp, enabled: Option<bool>) -> Application {
    let draw = cx.draw();
    let made = cx.write(|txn| {
        let mut draw = draw.clone();
        let mut application = applications::create(txn, &mut draw, name, cx.now)?;
        application.passwords.push(PasswordCredential::new(name, (cx.now, end), &mut draw));
        applications::put(txn, &application)?;
        if let Some(account_enabled) = enabled {
            let principal = service_principals::create(txn, &mut draw, &application, cx.now)?;
            service_principals::put(
                txn,
                &service_principals::ServicePrincipal { account_enabled, ..principal },
            )?;
        }
        Ok(application)
    });
    made.await.expect("is registered")
}

/// Rows that one request reaches: the good one with parameters set, or taken away where the value is empty.
#[tokio::test]
async fn each_refusal_has_its_row() {
    let (server, credentials) = server().await;
    let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
    let cx = Cx::internal(&server.env, &cloud, Door::named(CloudId::DEFAULT));
    let later = NOW.plus(Duration::from_secs(60));
    let expired = register(&cx, "expired", NOW, Some(true)).await.client_id.to_string();
    let disabled = register(&cx, "disabled", later, Some(false)).await.client_id.to_string();
    let orphan = register(&cx, "orphan", later, None).await.client_id.to_string();
    let custom = register(&cx, "custom", later, Some(true)).await.client_id.to_string();
    let (id, secret) = (credentials.client_id.to_string(), credentials.client_secret.as_str());
    let v1 = "/contoso.onmicrosoft.com/oauth2/token";
    let of = |tenant: &str| format!("/{tenant}/oauth2/v2.0/token");

    for (path, changes, status, error, number) in [
        (TOKEN.to_owned(), vec![], 200, "", 0),
        (TOKEN.to_owned(), vec![("scope", "https://acct.documents.azure.com/.default")], 200, "", 0),
        (TOKEN.to_owned(), vec![("scope", &*format!("api://{custom}/.default"))], 200, "", 0),
        (TOKEN.to_owned(), vec![("client_id", &*id.to_uppercase())], 200, "", 0),
        (TOKEN.to_owned(), vec![("grant_type", "")], 400, "invalid_request", 900_144),
        (TOKEN.to_owned(), vec![("client_id", "")], 400, "invalid_request", 900_144),
        (TOKEN.to_owned(), vec![("scope", "")], 400, "invalid_request", 900_144),
        (v1.to_owned(), vec![("scope", "")], 400, "invalid_request", 900_144),
        (TOKEN.to_owned(), vec![("grant_type", "password")], 400, "invalid_request", 900_144),
        (
            TOKEN.to_owned(),
            vec![("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer")],
            400,
            "unsupported_grant_type",
            70003,
        ),
        (TOKEN.to_owned(), vec![("grant_type", "magic")], 400, "unsupported_grant_type", 70003),
        (TOKEN.to_owned(), vec![("client_secret", "")], 401, "invalid_client", 7_000_216),
        (TOKEN.to_owned(), vec![("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (TOKEN.to_owned(), vec![("client_secret", &secret[1..])], 401, "invalid_client", 7_000_215),
        (TOKEN.to_owned(), vec![("client_id", "me")], 400, "unauthorized_client", 700_016),
        (TOKEN.to_owned(), vec![("client_id", DEFAULT_TENANT)], 400, "unauthorized_client", 700_016),
        (TOKEN.to_owned(), vec![("client_id", ADMIN_SERVICE_PRINCIPAL)], 400, "unauthorized_client", 700_016),
        (
            TOKEN.to_owned(),
            vec![("client_id", &expired), ("client_secret", "expired")],
            401,
            "invalid_client",
            7_000_222,
        ),
        (
            TOKEN.to_owned(),
            vec![("client_id", &expired), ("client_secret", "x")],
            401,
            "invalid_client",
            7_000_215,
        ),
        (
            TOKEN.to_owned(),
            vec![("client_id", &disabled), ("client_secret", "disabled")],
            400,
            "unauthorized_client",
            7_000_112,
        ),
        (
            TOKEN.to_owned(),
            vec![("client_id", &orphan), ("client_secret", "orphan")],
            401,
            "invalid_client",
            7_000_229,
        ),
        (TOKEN.to_owned(), vec![("scope", "https://management.azure.com/")], 400, "invalid_scope", 1_002_012),
        (
            TOKEN.to_owned(),
            vec![("scope", "https://management.azure.com/.default openid")],
            400,
            "invalid_scope",
            1_002_012,
        ),
        (
            TOKEN.to_owned(),
            vec![("scope", "openid https://management.azure.com/.default")],
            400,
            "invalid_scope",
            70011,
        ),
        (TOKEN.to_owned(), vec![("scope", "/.default")], 400, "invalid_scope", 70011),
        (TOKEN.to_owned(), vec![("scope", "https://example.org/.default")], 400, "invalid_resource", 500_011),
        (
            TOKEN.to_owned(),
            vec![("scope", "https://management.azure.com//.default/.default")],
            400,
            "invalid_resource",
            500_011,
        ),
        (
            TOKEN.to_owned(),
            vec![("resource", "https://management.azure.com/")],
            400,
            "invalid_request",
            901_002,
        ),
        (v1.to_owned(), vec![("resource", "https://example.org")], 400, "invalid_resource", 500_011),
        (
            TOKEN.to_owned(),
            vec![("client_secret", ""), ("client_assertion", "x.y.z")],
            400,
            "invalid_request",
            900_144,
        ),
        (of("common"), vec![], 400, "invalid_request", 90019),
        (of("consumers"), vec![], 400, "invalid_request", 9_001_023),
        (of("organizations"), vec![], 400, "unauthorized_client", 700_016),
        (of("fabrikam.onmicrosoft.com"), vec![], 400, "invalid_request", 90002),
        (of("33333333-3333-4333-8333-333333333333"), vec![], 400, "invalid_request", 90002),
        (of("not a tenant").replace(' ', "%20"), vec![], 400, "invalid_request", 900_023),
        ("/common/oauth2/v2.0/devicecode".to_owned(), vec![("scope", "")], 400, "invalid_request", 900_144),
        ("/common/oauth2/v2.0/nothing".to_owned(), vec![], 404, "invalid_request", 0),
        ("/".to_owned(), vec![], 404, "invalid_request", 0),
    ] {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", secret),
            ("scope", SCOPE),
        ];
        for (name, value) in &changes {
            form.retain(|(key, _)| key != name);
            form.push((name, value));
        }
        let answer = post(&server, &path, &form).await;
        let what = format!("{path} {changes:?}: {}", answer.body);
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.body["error"].as_str().unwrap_or_default(), error, "{what}");
        assert_eq!(answer.body["error_codes"][0].as_u64().unwrap_or_default(), number, "{what}");
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused_before_anything_is_looked_up() {
    let (server, _) = server().await;
    let form = "application/x-www-form-urlencoded";
    let long = format!("grant_type=client_credentials&x={}", "x".repeat(200_000));
    for (method, content_type, body, status, number) in [
        ("POST", form, "grant_type=client_credentials&grant_type=password".to_owned(), 400, 9_002_313),
        ("POST", form, "grant_type=%ff".to_owned(), 400, 9_002_313),
        ("POST", form, String::new(), 400, 900_144),
        ("POST", "application/json", r#"{"grant_type":"client_credentials"}"#.to_owned(), 400, 900_144),
        ("POST", "", "grant_type=client_credentials".to_owned(), 400, 900_144),
        ("POST", form, long, 413, 0),
        ("GET", form, String::new(), 400, 900_561),
        ("PUT", form, String::new(), 400, 900_561),
    ] {
        let answer = send(&server, method, TOKEN, &[("content-type", content_type)], body).await;
        assert_eq!(answer.status, status, "{method} {content_type}: {}", answer.body);
        assert_eq!(answer.body["error_codes"][0].as_u64().unwrap_or_default(), number, "{}", answer.body);
    }
}
