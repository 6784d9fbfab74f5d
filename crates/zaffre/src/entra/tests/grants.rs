//! The grants behind which a person or a certificate stands, by whole requests.

use azure::{ids::ObjectId, jwt, text};

use super::*;
use crate::{
    directory::{
        applications::{FederatedCredential, KeyCredential},
        founding::{ADMIN_USER, AZURE_CLI},
        mint,
        secret::SecretHash,
        users,
    },
    keys::SigningKey,
};

const AZ: &str = "https://management.core.windows.net//.default offline_access openid profile";
const USER: &str = "admin@contoso.onmicrosoft.com";
const ORGANIZATIONS: &str = "/organizations/oauth2/v2.0/token";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) struct World {
    pub(super) server: Arc<Server>,
    pub(super) password: String,
}

impl World {
    pub(super) async fn begin() -> World {
        let (server, credentials) = server().await;
        World { server, password: credentials.password }
    }

    pub(super) fn cx(&self) -> Cx {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("is open");
        Cx::internal(&self.server.env, &cloud, Door::named(CloudId::DEFAULT))
    }

    pub(super) fn later(&self, seconds: u64) {
        let cloud = self.server.cloud(CloudId::DEFAULT).expect("is open");
        assert!(cloud.clock.move_to(NOW.plus(Duration::from_secs(seconds))));
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let mut all = form.to_vec();
        if !form.iter().any(|(name, _)| *name == "client_id") {
            all.push(("client_id", AZURE_CLI));
        }
        post(&self.server, ORGANIZATIONS, &all).await
    }

    /// The number a refusal has, or 0.
    async fn refused(&self, form: &[(&str, &str)]) -> u64 {
        self.ask(form).await.body["error_codes"][0].as_u64().unwrap_or_default()
    }

    async fn signed_in(&self) -> Value {
        let form =
            [("grant_type", "password"), ("username", USER), ("password", &self.password), ("scope", AZ)];
        let answer = self.ask(&form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    async fn page(&self, method: &str, path: &str, form: &[(&str, &str)]) -> (u16, http::HeaderMap, String) {
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        let request = Request::builder()
            .method(method)
            .uri(format!("https://login.microsoftonline.com{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(pairs.join("&")))
            .expect("a request");
        let response = self.server.send(Door::named(CloudId::DEFAULT), request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8(bytes.to_vec()).expect("is text"))
    }

    /// What the browser carries back to az, which asks as az does.
    async fn code(&self) -> String {
        let path = authorize("http://localhost:53215", "form_post");
        let (status, _, page) = self.page("GET", &path, &[]).await;
        assert!(status == 200 && page.contains("Microsoft Azure CLI"), "{page}");
        let (_, headers, page) =
            self.page("POST", &path, &[("username", USER), ("password", &self.password)]).await;
        assert!(page.contains("action=\"http://localhost:53215\""), "{page}");
        assert!(page.contains("name=\"state\" value=\"a&lt;b\""), "{page}");
        assert!(headers["content-security-policy"].to_str().expect("text").contains("default-src 'none'"));
        field(&page, "code")
    }

    async fn redeem(&self, code: &str, verifier: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://localhost:53215"),
            ("code_verifier", verifier),
            ("scope", AZ),
        ];
        self.ask(&form).await
    }
}

fn authorize(redirect_uri: &str, mode: &str) -> String {
    format!(
        "/organizations/oauth2/v2.0/authorize?client_id={AZURE_CLI}&response_type=code&redirect_uri={}&scope={}&state=a%3Cb\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&nonce=n1&prompt=select_account&response_mode={mode}",
        percent_encode(redirect_uri),
        percent_encode(AZ)
    )
}

fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
    rest.split('"').next().expect("a value").to_owned()
}

fn number(answer: &Answer) -> u64 {
    answer.body["error_codes"][0].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_user_signs_in_with_a_password_and_az_finds_all_it_needs() {
    let world = World::begin().await;
    let body = world.signed_in().await;
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    let access = verified(&jwks, body["access_token"].as_str().expect("text")).expect("verifies");
    for (name, value) in [
        ("aud", json!("https://management.core.windows.net/")),
        ("appid", json!(AZURE_CLI)),
        ("appidacr", json!("0")),
        ("oid", json!(ADMIN_USER)),
        ("scp", json!("user_impersonation")),
        ("upn", json!(USER)),
        ("idtyp", json!("user")),
        ("wids", json!(["62e90394-69f5-4237-9190-012177145e10"])),
    ] {
        assert_eq!(access[name], value, "{name}");
    }
    let id = verified(&jwks, body["id_token"].as_str().expect("text")).expect("verifies");
    assert_eq!((&id["aud"], &id["preferred_username"]), (&json!(AZURE_CLI), &json!(USER)));
    assert_eq!((&id["tid"], &id["ver"]), (&json!(DEFAULT_TENANT), &json!("2.0")));
    let info = base64url_decode(body["client_info"].as_str().expect("text")).expect("decodes");
    let info: Value = serde_json::from_slice(&info).expect("is JSON");
    assert_eq!(info, json!({"uid": ADMIN_USER, "utid": DEFAULT_TENANT}));
    assert_eq!(body["foci"], "1");
    assert!(body["scope"].as_str().expect("text").contains("https://management.core.windows.net//.default"));
}

#[tokio::test]
async fn who_is_no_user_with_this_password_gets_nothing() {
    let world = World::begin().await;
    let cx = world.cx();
    let draw = cx.draw();
    let chosen = SecretHash::of_chosen("Passw0rd!", &mut draw.clone());
    let write = cx.write(|txn| {
        let id: ObjectId = ADMIN_USER.parse().expect("a guid");
        let admin = users::get(txn, id)?.expect("is there");
        let other = |name: &str, account_enabled| crate::directory::User {
            object_id: ObjectId(azure::ids::Guid([name.as_bytes()[0]; 16])),
            user_principal_name: format!("{name}@contoso.onmicrosoft.com"),
            password: Some(chosen.clone()),
            account_enabled,
            ..admin.clone()
        };
        users::put(txn, &other("on", true))?;
        users::put(txn, &other("gone", false))
    });
    write.await.expect("writes");
    let of = async |name: &str, password: &str| {
        world
            .refused(&[("grant_type", "password"), ("username", name), ("password", password), ("scope", AZ)])
            .await
    };
    assert_eq!(of("on@contoso.onmicrosoft.com", "Passw0rd!").await, 0);
    assert_eq!(of("on@contoso.onmicrosoft.com", "passw0rd!").await, 50126);
    assert_eq!(of("gone@contoso.onmicrosoft.com", "Passw0rd!").await, 50057);
    assert_eq!(of("nobody@contoso.onmicrosoft.com", "x").await, 50034);
    let form = [
        ("grant_type", "password"),
        ("client_id", AZURE_CLI),
        ("client_secret", "x"),
        ("username", "u"),
        ("password", "p"),
        ("scope", AZ),
    ];
    assert_eq!(world.refused(&form).await, 700_025, "a public client has no secret");
    let form = [
        ("grant_type", "password"),
        ("client_id", ADMIN_APPLICATION),
        ("username", "u"),
        ("password", "p"),
        ("scope", AZ),
    ];
    assert_eq!(world.refused(&form).await, 7_000_218, "another must show its own");
    let common = post(&world.server, "/common/oauth2/v2.0/token", &form).await;
    assert_eq!(number(&common), 9_001_023);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_any_resource_until_ninety_days_have_passed() {
    let world = World::begin().await;
    let first = world.signed_in().await["refresh_token"].as_str().expect("text").to_owned();
    let form = |token: &str| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
            ("scope", "https://storage.azure.com/.default".to_owned()),
        ]
    };
    let ask = async |token: &str, client: &str| {
        let form = form(token);
        let mut form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        form.push(("client_id", client));
        world.ask(&form).await
    };
    let answer = ask(&first, AZURE_CLI).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let second = answer.body["refresh_token"].as_str().expect("a new one").to_owned();
    assert_ne!(first, second);
    assert_eq!(number(&ask("1.wrong", AZURE_CLI).await), 70000);
    world.later(89 * 86_400);
    assert_eq!(ask(&second, AZURE_CLI).await.status, 200, "the old one too, until it expires");
    world.later(90 * 86_400);
    assert_eq!(number(&ask(&first, AZURE_CLI).await), 700_082);
}

#[tokio::test]
async fn a_code_is_redeemed_once_by_whoever_began_the_sign_in() {
    let world = World::begin().await;
    let code = world.code().await;
    assert_eq!(number(&world.redeem(&code, "wrong").await), 501_481);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://localhost:53215"),
        ("scope", AZ),
    ];
    assert_eq!(world.refused(&form).await, 501_481, "no verifier at all");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://localhost:1"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(world.refused(&form).await, 500_112);
    let answer = world.redeem(&code, VERIFIER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    let id = verified(&jwks, answer.body["id_token"].as_str().expect("text")).expect("verifies");
    assert_eq!(id["nonce"], "n1");
    let refresh = answer.body["refresh_token"].as_str().expect("text").to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(world.refused(&form).await, 0);
    assert_eq!(number(&world.redeem(&code, VERIFIER).await), 54005);
    assert_eq!(world.refused(&form).await, 50173, "a code that comes twice was stolen");
    assert_eq!(number(&world.redeem("1.other", VERIFIER).await), 70000);
    let late = world.code().await;
    world.later(600);
    assert_eq!(number(&world.redeem(&late, VERIFIER).await), 70008);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_the_application_does_not_name() {
    let world = World::begin().await;
    for uri in ["https://evil.example", "http://localhost.evil.example", "http://localhost:80@evil.example"] {
        let (status, headers, page) = world.page("GET", &authorize(uri, "query"), &[]).await;
        assert!(status == 400 && page.contains("AADSTS50011"), "{page}");
        assert!(!headers.contains_key("location"));
    }
    let path = authorize("http://localhost:1", "fragment");
    let (status, headers, _) = world.page("POST", &path, &[("cancel", "1")]).await;
    let location = headers["location"].to_str().expect("text");
    assert!(status == 302 && location.starts_with("http://localhost:1#error=access_denied"), "{location}");
    let (status, _, page) = world.page("POST", &path, &[("username", "<script>"), ("password", "x")]).await;
    assert!(status == 200 && page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn the_application_hears_why_in_the_address_with_entras_number() {
    let world = World::begin().await;
    let good = authorize("http://localhost:1", "query");
    let (challenge, plain) = (format!("&code_challenge={CHALLENGE}"), "code_challenge_method=plain");
    for (instead_of, by, error, words) in [
        (
            "response_type=code",
            "response_type=id_token",
            "unsupported_response_type",
            "AADSTS700054: response_type 'id_token'",
        ),
        (
            "response_type=code",
            "response_type=code%20id_token",
            "unsupported_response_type",
            "AADSTS700054: ",
        ),
        (
            "response_type=code",
            "response_type=token",
            "unsupported_response_type",
            "AADSTS700051: response_type 'token'",
        ),
        (
            "response_type=code",
            "response_type=codes",
            "unsupported_response_type",
            "AADSTS70005: The response type 'codes'",
        ),
        (
            &challenge,
            "&code_challenge=short",
            "invalid_request",
            "AADSTS501491: Invalid size of Code_Challenge",
        ),
        (&challenge, &format!("{challenge}="), "invalid_request", "AADSTS501491: "),
        ("code_challenge_method=S256", "code_challenge_method=S512", "invalid_request", "AADSTS9002313: "),
        (
            &format!("{challenge}&code_challenge_method=S256"),
            &format!("&code_challenge=short&{plain}"),
            "invalid_request",
            "AADSTS501491: ",
        ),
    ] {
        assert!(good.contains(instead_of), "{instead_of} is not in {good}");
        let (status, headers, page) = world.page("GET", &good.replace(instead_of, by), &[]).await;
        assert_eq!(status, 302, "{by}: {page}");
        let location = text::percent_decode(headers["location"].to_str().expect("text")).expect("UTF-8");
        assert!(location.contains(&format!("?error={error}&error_description={words}")), "{by}: {location}");
        let number = words.split(['S', ':']).find(|it| it.starts_with(char::is_numeric)).expect("a number");
        assert!(
            location.contains(&format!("&error_uri=https://login.microsoftonline.com/error?code={number}")),
            "{location}"
        );
        assert!(location.contains(" Trace ID: ") && location.contains("&state="), "{location}");
    }
}

#[tokio::test]
async fn a_device_waits_for_its_person() {
    let world = World::begin().await;
    let begin = async || {
        let form = [("client_id", AZURE_CLI), ("scope", AZ)];
        let answer = post(&world.server, "/organizations/oauth2/v2.0/devicecode", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let of = |name: &str| answer.body[name].as_str().expect("text").to_owned();
        assert!(of("message").contains(&of("user_code")) && answer.body["interval"] == 5);
        (of("device_code"), of("user_code"))
    };
    let poll = async |device: &str| {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        world.ask(&[("grant_type", grant), ("device_code", device), ("code", device)]).await
    };
    let page = "/common/oauth2/deviceauth";
    let (device, user_code) = begin().await;
    let pending = poll(&device).await;
    assert_eq!((number(&pending), &pending.body["error"]), (70016, &json!("authorization_pending")));
    assert_eq!(number(&poll("other").await), 70018);
    let (_, _, text) = world
        .page("POST", page, &[("user_code", "WRONG"), ("username", USER), ("password", &world.password)])
        .await;
    assert!(text.contains("work"), "{text}");
    let lower = user_code.to_lowercase();
    let (_, _, text) = world
        .page("POST", page, &[("user_code", &lower), ("username", USER), ("password", &world.password)])
        .await;
    assert!(text.contains("close this window"), "{text}");
    assert_eq!(poll(&device).await.status, 200);
    assert_eq!(number(&poll(&device).await), 54005, "once");

    let (device, user_code) = begin().await;
    world.page("POST", page, &[("user_code", &user_code), ("cancel", "1")]).await;
    assert_eq!(poll(&device).await.body["error"], "authorization_declined");
    let (device, _) = begin().await;
    world.later(900);
    assert_eq!(number(&poll(&device).await), 70020);
}

fn assertion(key: &SigningKey, header: Value, claims: &Value) -> String {
    let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    jwt::finish(&input, &key.sign(input.as_bytes()))
}

#[tokio::test]
async fn a_certificate_proves_its_application() {
    let world = World::begin().await;
    let cx = world.cx();
    let key = world.server.env.keys.signer();
    let app = register(&cx, "cert", NOW.plus(Duration::from_secs(60)), Some(true)).await;
    let write = cx.write(|txn| {
        let mut app = app.clone();
        app.keys.push(KeyCredential {
            key_id: azure::ids::Guid([7; 16]),
            display_name: None,
            start: NOW,
            end: NOW.plus(Duration::from_secs(86_400)),
            certificate: base64(&key.certificate),
            is_principals: false,
        });
        applications::put(txn, &app)
    });
    write.await.expect("writes");
    let id = app.client_id.to_string();
    let good = json!({
        "aud": format!("https://login.microsoftonline.com/{DEFAULT_TENANT}/oauth2/v2.0/token"),
        "iss": id, "sub": id, "exp": NOW.seconds() + 600, "iat": NOW.seconds(), "jti": "1",
    });
    let s256 = base64url(crate::keys::sha256(&key.certificate));
    let by_s256 = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": s256});
    let ask = async |token: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token),
            ("scope", SCOPE),
        ];
        number(&post(&world.server, TOKEN, &form).await)
    };
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        assertion(&key, by_s256.clone(), &claims)
    };
    assert_eq!(ask(&assertion(&key, by_s256.clone(), &good)).await, 0);
    assert_eq!(ask(&assertion(&key, json!({"alg": "RS256", "x5t": key.kid}), &good)).await, 0);
    for (token, expected) in [
        (assertion(&key, json!({"alg": "PS256", "x5t": key.kid}), &good), 50012),
        (assertion(&key, json!({"alg": "none", "x5t": key.kid}), &good), 50012),
        (assertion(&key, json!({"alg": "RS256", "x5t": "AQID"}), &good), 700_027),
        (assertion(&key, json!({"alg": "RS256"}), &good), 700_027),
        (with("exp", json!(NOW.seconds() - 301)), 700_024),
        (with("sub", json!("other")), 50012),
        (with("aud", json!("https://login.microsoftonline.com.evil.example/t/oauth2/token")), 50012),
    ] {
        assert_eq!(ask(&token).await, expected, "{token}");
    }
    world.later(86_400);
    assert_eq!(ask(&with("exp", json!(NOW.seconds() + 90_000))).await, 700_024, "the certificate expired");
}

#[tokio::test]
async fn a_federated_credential_takes_this_issuer_subject_and_audience() {
    let world = World::begin().await;
    let cx = world.cx();
    let app = register(&cx, "fic", NOW.plus(Duration::from_secs(60)), Some(true)).await;
    let trust = |issuer: &str| FederatedCredential {
        id: azure::ids::Guid([8; 16]),
        name: issuer.to_owned(),
        issuer: issuer.to_owned(),
        subject: ADMIN_SERVICE_PRINCIPAL.to_owned(),
        audiences: vec!["api://AzureADTokenExchange".to_owned()],
        description: None,
    };
    let own = format!("https://login.microsoftonline.com/{DEFAULT_TENANT}/v2.0");
    let write = cx.write(|txn| {
        let mut app = app.clone();
        app.federated = vec![trust(&own), trust("https://issuer.example")];
        applications::put(txn, &app)
    });
    write.await.expect("writes");
    let ours = async |object_id: &str, audience: &str| {
        let subject = crate::directory::Subject {
            object_id: object_id.parse().expect("a guid"),
            client: ADMIN_APPLICATION.parse().expect("a guid"),
            bearer: azure::jwt::claims::Bearer::App(azure::jwt::claims::Credential::Secret),
        };
        mint::mint(&cx, subject, audience, mint::APPLICATION_LIFETIME).token.to_string()
    };
    let id = app.client_id.to_string();
    let ask = async |token: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token),
            ("scope", SCOPE),
        ];
        number(&post(&world.server, TOKEN, &form).await)
    };
    let exchange = "api://AzureADTokenExchange";
    let good = ours(ADMIN_SERVICE_PRINCIPAL, exchange).await;
    assert_eq!(ask(&good).await, 0);
    assert_eq!(ask(&ours(ADMIN_USER, exchange).await).await, 700_213);
    assert_eq!(ask(&ours(ADMIN_SERVICE_PRINCIPAL, "api://azureadtokenexchange").await).await, 700_212);
    let key = world.server.env.keys.signer();
    let of = |issuer: &str| {
        let claims = json!({"iss": issuer, "sub": ADMIN_SERVICE_PRINCIPAL, "aud": exchange, "exp": NOW.seconds() + 60});
        assertion(&key, json!({"alg": "RS256", "kid": key.kid}), &claims)
    };
    assert_eq!(ask(&of("https://other.example")).await, 700_211);
    assert_eq!(ask(&of("https://issuer.example")).await, 50166, "its keys are not fetched");
    assert_eq!(ask(&of(&own)).await, 50012, "a token of this service has its tenant");
    let (front, signature) = good.rsplit_once('.').expect("three parts");
    let turned: String = signature.chars().rev().collect();
    assert_eq!(ask(&format!("{front}.{turned}")).await, 50012);
    world.later(3599);
    assert_eq!(ask(&good).await, 700_024);
}

/// A certificate as MSAL signs by it: PS256, named by its SHA-256.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the client's own chance, which is none of the cloud's")]
async fn an_assertion_signed_with_ps256_proves_its_application_and_a_changed_one_does_not() {
    use aws_lc_rs::{encoding::AsDer as _, rand::SystemRandom, rsa, signature::RSA_PSS_SHA256};

    let world = World::begin().await;
    let cx = world.cx();
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
    let pkcs8 = rustls_pki_types::PrivatePkcs8KeyDer::from(pair.as_der().expect("encodes").as_ref().to_vec());
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256).expect("a key");
    let params = rcgen::CertificateParams::new(vec!["client".to_owned()]).expect("a name");
    let der = params.self_signed(&key).expect("signs").der().to_vec();
    let app = register(&cx, "cert", NOW.plus(Duration::from_secs(60)), Some(true)).await;
    let write = cx.write(|txn| {
        let mut app = app.clone();
        app.keys.push(KeyCredential {
            key_id: azure::ids::Guid([7; 16]),
            display_name: None,
            start: NOW,
            end: NOW.plus(Duration::from_secs(86_400)),
            certificate: base64(&der),
            is_principals: false,
        });
        applications::put(txn, &app)
    });
    write.await.expect("writes");
    let id = app.client_id.to_string();
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": base64url(crate::keys::sha256(&der))});
    let claims = json!({
        "aud": format!("https://login.microsoftonline.com/{DEFAULT_TENANT}/oauth2/v2.0/token"),
        "iss": id, "sub": id, "exp": NOW.seconds() + 600,
    });
    let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).expect("signs");
    let ask = async |signature: &[u8]| {
        let token = jwt::finish(&input, signature);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token.as_str()),
            ("scope", SCOPE),
        ];
        number(&post(&world.server, TOKEN, &form).await)
    };
    assert_eq!(ask(&signature).await, 0);
    signature[9] ^= 1;
    assert_eq!(ask(&signature).await, 50012);
}
