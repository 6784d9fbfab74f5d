//! Tokens of other issuers in place of a secret, by whole requests.

use super::{grants::World, *};
use crate::{directory::applications::FederatedCredential, door::Entrance, keys::SigningKey};
use azure::jwt;

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "repo:contoso/shop:ref:refs/heads/main";
const EXCHANGE: &str = "api://AzureADTokenExchange";

fn set(key: &SigningKey) -> Value {
    json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid,
        "n": base64url(&key.modulus), "e": base64url(&key.exponent),
    }]})
}

fn assertion(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    jwt::finish(&input, &key.sign(input.as_bytes()))
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": SUBJECT, "aud": EXCHANGE, "exp": NOW.seconds() + 600, "nbf": NOW.seconds()})
}

async fn control(world: &World, method: &str, path: &str, body: String) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "zaffre");
    let request = request.body(Body::from(body)).expect("a request");
    read(world.server.send(Door::at(CloudId::DEFAULT, Entrance::Control), request).await).await
}

async fn trust(world: &World, issuer: &str, keys: &Value) -> Answer {
    let path = format!("/federation?issuer={}", percent_encode(issuer));
    control(world, "PUT", &path, keys.to_string()).await
}

/// An application that takes the subject's tokens of these issuers for its own.
async fn believer(world: &World, issuers: &[&str]) -> String {
    let cx = world.cx();
    let mut app = register(&cx, "fic", NOW.plus(Duration::from_secs(60)), Some(true)).await;
    let credential = |issuer: &&str| FederatedCredential {
        id: azure::ids::Guid([8; 16]),
        name: (*issuer).to_owned(),
        issuer: (*issuer).to_owned(),
        subject: SUBJECT.to_owned(),
        audiences: vec![EXCHANGE.to_owned()],
        description: None,
    };
    app.federated = issuers.iter().map(credential).collect();
    cx.write(|txn| applications::put(txn, &app)).await.expect("writes");
    app.client_id.to_string()
}

async fn sign_in(world: &World, client: &str, token: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", token),
        ("scope", SCOPE),
    ];
    post(&world.server, TOKEN, &form).await
}

fn number(answer: &Answer) -> u64 {
    answer.body["error_codes"][0].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn an_issuer_whose_keys_were_given_is_believed_to_the_letter() {
    let world = World::begin().await;
    let key = SigningKey::generate(NOW).expect("a key");
    let client = believer(&world, &[ISSUER]).await;
    let header = json!({"alg": "RS256", "kid": key.kid, "typ": "JWT"});
    let good = claims(ISSUER);
    let token = assertion(&key, &header, &good);
    let unknown = sign_in(&world, &client, &token).await;
    assert_eq!(
        (unknown.status, number(&unknown)),
        (400, 50166),
        "nobody gave its keys, nobody asks for them"
    );
    // Entra's words say no more. `zaffre explain` does.
    let told = &world.server.env.decisions.latest()[0];
    assert_eq!((told.scope.as_str(), told.actions.join(" ")), ("entra", "token".to_owned()));
    let words = "zaffre federation trust ISSUER --jwks FILE";
    assert!(told.reasons[0].starts_with("AADSTS50166: ") && told.reasons[0].contains(words), "{told:?}");
    assert_eq!(trust(&world, ISSUER, &set(&key)).await.status, 200);
    let answer = sign_in(&world, &client, &token).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        assertion(&key, &header, &claims)
    };
    let headed = |header: Value| assertion(&key, &header, &good);
    let signed_by_us = world.server.env.keys.signer();
    for (token, expected) in [
        (with("iss", json!(format!("{ISSUER}/"))), 700_211),
        (with("iss", json!(ISSUER.to_uppercase())), 700_211),
        (with("iss", Value::Null), 700_211),
        (with("sub", json!(SUBJECT.to_uppercase())), 700_213),
        (with("sub", json!("repo:contoso/shop:ref:refs/heads/Main")), 700_213),
        (with("sub", json!(format!("{SUBJECT} "))), 700_213),
        (with("aud", json!("api://azureadtokenexchange")), 700_212),
        (with("aud", json!([EXCHANGE, "other"])), 700_212),
        (with("aud", json!([EXCHANGE])), 0),
        (with("exp", json!(NOW.seconds() - 301)), 700_024),
        (with("exp", Value::Null), 700_024),
        (with("nbf", json!(NOW.seconds() + 301)), 700_024),
        (headed(json!({"alg": "RS256", "kid": "other"})), 7_000_272),
        (headed(json!({"alg": "RS256"})), 7_000_272),
        (headed(json!({"alg": "PS256", "kid": key.kid})), 50012),
        (headed(json!({"alg": "none", "kid": key.kid})), 50012),
        (headed(json!({"alg": "RS256", "kid": key.kid, "crit": ["exp"]})), 50012),
        (assertion(&signed_by_us, &header, &good), 50012),
        (format!("{}.", token.rsplit_once('.').expect("three parts").0), 50012),
    ] {
        let answer = sign_in(&world, &client, &token).await;
        assert_eq!(number(&answer), expected, "{token} {}", answer.body);
        assert_eq!(answer.status, if expected == 0 { 200 } else { 401 });
    }
    let path = format!("/federation?issuer={}", percent_encode(ISSUER));
    let forgotten = control(&world, "DELETE", &path, String::new()).await;
    assert_eq!(forgotten.status, 200);
    assert_eq!(number(&sign_in(&world, &client, &token).await), 50166);
}

#[tokio::test]
async fn keys_are_given_by_the_operator_and_have_to_be_keys() {
    let world = World::begin().await;
    let key = SigningKey::generate(NOW).expect("a key");
    assert_eq!(trust(&world, ISSUER, &set(&key)).await.body["kids"], json!([key.kid]));
    let listed = control(&world, "GET", "/federation", String::new()).await.body;
    assert_eq!(listed["value"][0]["issuer"], ISSUER);
    for (issuer, keys) in
        [(ISSUER, json!({"keys": []})), (ISSUER, json!({})), ("github", set(&key)), ("", set(&key))]
    {
        let answer = trust(&world, issuer, &keys).await;
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!("BadIssuer")),
            "{issuer} {keys}"
        );
    }
    let unknown = control(&world, "DELETE", "/federation?issuer=https%3A%2F%2Fx", String::new()).await;
    assert_eq!((unknown.status, &unknown.body["error"]["code"]), (404, &json!("IssuerNotFound")));
}

/// As the pods of AKS do: the client is a user-assigned identity, whose credentials are resources.
#[tokio::test]
async fn a_workload_signs_in_as_a_user_assigned_identity() {
    let world = World::begin().await;
    let key = SigningKey::generate(NOW).expect("a key");
    let issuer = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/";
    trust(&world, issuer, &set(&key)).await;
    let credentials = world.server.credentials(CloudId::DEFAULT).expect("is founded");
    let admin = credentials.client_id.to_string();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", admin.as_str()),
        ("client_secret", &credentials.client_secret),
        ("scope", SCOPE),
    ];
    let bearer =
        post(&world.server, TOKEN, &form).await.body["access_token"].as_str().expect("text").to_owned();
    let put = async |path: &str, body: Value| {
        let group = format!("/subscriptions/{}/resourceGroups/rg", crate::cloud::DEFAULT_SUBSCRIPTION);
        let request = Request::put(format!("https://management.azure.com{group}{path}"))
            .header("authorization", format!("Bearer {bearer}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = read(world.server.send(Door::named(CloudId::DEFAULT), request).await).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.body);
        answer.body
    };
    put("?api-version=2024-11-01", json!({"location": "westeurope"})).await;
    let identity = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pod";
    let made = put(&format!("{identity}?api-version=2023-01-31"), json!({"location": "westeurope"})).await;
    let client = made["properties"]["clientId"].as_str().expect("an id").to_owned();
    let subject = "system:serviceaccount:default:shop";
    let properties = json!({"issuer": issuer, "subject": subject, "audiences": [EXCHANGE]});
    let credential = format!("{identity}/federatedIdentityCredentials/k8s?api-version=2023-01-31");
    put(&credential, json!({ "properties": properties })).await;

    let header = json!({"alg": "RS256", "kid": key.kid});
    let of = |subject: &str| {
        let mut claims = claims(issuer);
        claims["sub"] = json!(subject);
        assertion(&key, &header, &claims)
    };
    let answer = sign_in(&world, &client, &of(subject)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let jwks = get(&world.server, "/common/discovery/v2.0/keys").await.body;
    let token = verified(&jwks, answer.body["access_token"].as_str().expect("text")).expect("verifies");
    assert_eq!((&token["appid"], &token["appidacr"]), (&json!(client), &json!("2")));
    assert_eq!(token["oid"], made["properties"]["principalId"]);
    let mirid = token["xms_mirid"].as_str().expect("names the identity");
    assert!(mirid.ends_with("/userAssignedIdentities/pod") && mirid.contains("/resourcegroups/"), "{mirid}");
    assert!(token.get("xms_az_rid").is_none());
    let other = of("system:serviceaccount:default:Shop");
    assert_eq!(number(&sign_in(&world, &client, &other).await), 700_213);
}

#[tokio::test]
async fn an_issuer_on_this_machine_that_does_not_answer_is_no_issuer() {
    let world = World::begin().await;
    let key = SigningKey::generate(NOW).expect("a key");
    let gone = "http://127.0.0.1:1/";
    let client = believer(&world, &[gone]).await;
    let token = assertion(&key, &json!({"alg": "RS256", "kid": key.kid}), &claims(gone));
    assert_eq!(number(&sign_in(&world, &client, &token).await), 50166);
}
