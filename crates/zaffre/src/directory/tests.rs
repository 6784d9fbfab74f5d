//! Principals, founding, and what is believed of a token.

use std::{sync::Arc, time::Duration};

use azure::{
    action::Action,
    ids::{ClientId, Guid, ObjectId, ResourceId},
    jwt::{
        self, Malformed, Unverified,
        check::Fault,
        claims::{Bearer, Credential},
    },
    principal::PrincipalKind,
    rbac::{Access, Plane},
    text::{base64url, base64url_decode},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{
    founding,
    mint::{self, Audience, Purpose, Subject, mint, mint_or_keep},
    resources,
    service_principals::{self, ManagedIdentity},
    verify::{TokenFault, verify},
};
use crate::{
    Server,
    access::{self, Caller},
    cloud::{Chance, Charter, Clock, Cloud, CloudId},
    directory::{applications::SecretFault, find_principal, get, principal_of},
    door::Door,
    keys,
    service::Cx,
    store::{Content, Store},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const VM: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1";

fn cx(server: &Server, id: CloudId) -> Cx {
    let cloud = server.cloud(id).expect("is open");
    Cx::internal(&server.env, &cloud, Door::named(id))
}

async fn server() -> (Arc<Server>, Cx) {
    let server = Server::in_memory(1, NOW).await;
    let cx = cx(&server, CloudId::DEFAULT);
    (server, cx)
}

fn subject() -> Subject {
    Subject {
        object_id: ObjectId(Guid([3; 16])),
        client: ClientId(Guid([2; 16])),
        bearer: Bearer::App(Credential::Secret),
    }
}

async fn token(cx: &Cx) -> String {
    let minted = mint(cx, subject(), "https://management.azure.com/", Duration::from_secs(3600));
    minted.token.to_string()
}

fn arm() -> Vec<String> {
    resources::ARM.audiences()
}

/// The token with other claims and the right key's signature: what only the mint could make.
fn resigned(cx: &Cx, token: &str, change: Value) -> String {
    let mut claims = Value::Object(Unverified::parse(token).expect("a token").claims);
    for (name, value) in change.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    let key = cx.env.keys.signer();
    let input = jwt::signing_input(&jwt::Header::v1(&key.kid), &claims);
    jwt::finish(&input, &key.sign(input.as_bytes()))
}

/// The token with another header in front and its signature unchanged.
fn with_header(token: &str, header: Value) -> String {
    let (_, rest) = token.split_once('.').expect("has parts");
    format!("{}.{rest}", base64url(header.to_string()))
}

#[tokio::test]
async fn a_minted_token_is_believed() {
    let (_server, cx) = server().await;
    let token = token(&cx).await;
    for _ in 0..2 {
        let principal = verify(&cx, &token, &arm()).expect("is good, the second time from memory");
        assert_eq!(principal.object_id, subject().object_id);
        assert_eq!(principal.app_id, Some(subject().client));
        assert_eq!(principal.kind, PrincipalKind::ServicePrincipal);
    }
}

#[tokio::test]
async fn a_token_that_anyone_tampered_with_is_refused() {
    let (_server, cx) = server().await;
    let good = token(&cx).await;
    let key = cx.env.keys.signer();
    let kid = key.kid.as_str();
    let algorithm = |alg: &str| TokenFault::Malformed(Malformed::Algorithm(alg.to_owned()));

    let hs256 = json!({"typ": "JWT", "alg": "HS256", "kid": kid});
    let signed = with_header(&good, hs256);
    let (input, _) = signed.rsplit_once('.').expect("has parts");
    let by_public_key = jwt::finish(input, &keys::hmac_sha256(&key.modulus, input.as_bytes()));

    let (input, signature) = good.rsplit_once('.').expect("has parts");
    let other_subject = {
        let mut claims = Value::Object(Unverified::parse(&good).expect("a token").claims);
        claims["oid"] = json!(founding::ADMIN_USER);
        let (header, _) = good.split_once('.').expect("has parts");
        format!("{header}.{}.{signature}", base64url(claims.to_string()))
    };
    let mut bytes = base64url_decode(signature).expect("is base64url");
    bytes[100] ^= 1;
    let other_signature = jwt::finish(input, &bytes);
    let jwk = json!({"kty": "RSA", "n": base64url(&key.modulus), "e": "AQAB"});

    for (what, token, fault) in [
        ("another subject", other_subject, TokenFault::BadSignature),
        ("one bit of the signature", other_signature, TokenFault::BadSignature),
        ("no signature", format!("{input}."), TokenFault::BadSignature),
        (
            "the signature of another token",
            format!("{}.{signature}", &token(&cx).await.rsplit_once('.').expect("has parts").0),
            TokenFault::BadSignature,
        ),
        ("alg none", with_header(&good, json!({"typ": "JWT", "alg": "none"})), algorithm("none")),
        ("alg None", with_header(&good, json!({"alg": "None", "kid": kid})), algorithm("None")),
        ("HS256 with the public key", by_public_key, algorithm("HS256")),
        ("PS256", with_header(&good, json!({"alg": "PS256", "kid": kid})), algorithm("PS256")),
        ("a foreign kid", with_header(&good, json!({"alg": "RS256", "kid": "x"})), TokenFault::UnknownKey),
        ("no kid", with_header(&good, json!({"alg": "RS256"})), TokenFault::UnknownKey),
        ("a key of its own", with_header(&good, json!({"alg": "RS256", "jwk": jwk})), TokenFault::UnknownKey),
        (
            "jku",
            with_header(&good, json!({"alg": "RS256", "kid": kid, "jku": "http://x"})),
            TokenFault::BadSignature,
        ),
        ("two parts", input.to_owned(), TokenFault::Malformed(Malformed::Parts)),
        ("nothing", String::new(), TokenFault::Malformed(Malformed::Parts)),
    ] {
        assert_eq!(verify(&cx, &token, &arm()).err(), Some(fault), "{what}");
    }
}

#[tokio::test]
async fn genuine_claims_are_judged_one_by_one() {
    let (_server, cx) = server().await;
    let good = token(&cx).await;
    let found = |text: &str| text.to_owned();
    let storage = found("https://storage.azure.com");
    for (change, fault) in [
        (json!({"aud": storage}), Fault::WrongAudience { found: storage.clone() }),
        (
            json!({"iss": "https://sts.windows.net/x/"}),
            Fault::WrongIssuer { found: found("https://sts.windows.net/x/") },
        ),
        (json!({"tid": founding::ADMIN_USER}), Fault::WrongTenant { found: found(founding::ADMIN_USER) }),
        (json!({"aio": "x"}), Fault::WrongCloud),
        (json!({"oid": null}), Fault::MissingOid),
        (json!({"exp": NOW.seconds()}), Fault::Expired { at: NOW }),
        (
            json!({"nbf": NOW.seconds() + 1}),
            Fault::NotYetValid { not_before: Timestamp::from_seconds(NOW.seconds() + 1) },
        ),
    ] {
        let token = resigned(&cx, &good, change.clone());
        assert_eq!(verify(&cx, &token, &arm()).err(), Some(TokenFault::Claims(fault)), "{change}");
    }
}

#[tokio::test]
async fn a_token_that_was_believed_is_refused_once_it_expired() {
    let (server, cx) = server().await;
    let token = token(&cx).await;
    assert!(verify(&cx, &token, &arm()).is_ok());
    let end = NOW.plus(Duration::from_secs(3600));
    assert!(cx.cloud.clock.move_to(end));
    let later = self::cx(&server, CloudId::DEFAULT);
    assert_eq!(verify(&later, &token, &arm()).err(), Some(TokenFault::Claims(Fault::Expired { at: end })));
}

async fn second_cloud(server: &Server, charter: Charter) -> Cx {
    let cloud = Cloud { id: CloudId(2), charter, clock: Clock::set(NOW), chance: Chance::seeded(2) };
    server.open(cloud).await.expect("opens");
    cx(server, CloudId(2))
}

#[tokio::test]
async fn a_token_of_another_cloud_is_refused_even_in_the_same_tenant() {
    let (server, first) = server().await;
    let fabrikam = Charter {
        tenant: "33333333-3333-4333-8333-333333333333".parse().expect("a guid"),
        domain: "fabrikam.onmicrosoft.com".to_owned(),
        ..Charter::contoso(NOW)
    };
    let other = second_cloud(&server, fabrikam).await;
    let refused = verify(&first, &token(&other).await, &arm());
    assert!(matches!(refused, Err(TokenFault::Claims(Fault::WrongIssuer { .. }))), "another tenant");

    let server = Server::in_memory(1, NOW).await;
    let (first, twin) = (cx(&server, CloudId::DEFAULT), second_cloud(&server, Charter::contoso(NOW)).await);
    let token = token(&twin).await;
    assert!(verify(&twin, &token, &arm()).is_ok());
    assert_eq!(verify(&first, &token, &arm()).err(), Some(TokenFault::Claims(Fault::WrongCloud)));
}

#[tokio::test]
async fn two_clouds_have_credentials_and_principals_of_their_own() {
    let (server, first) = server().await;
    let fabrikam = Charter { domain: "fabrikam.onmicrosoft.com".to_owned(), ..Charter::contoso(NOW) };
    let second = second_cloud(&server, fabrikam).await;
    let secret = |id| server.credentials(id).expect("was founded").client_secret;
    assert_ne!(secret(CloudId::DEFAULT), secret(CloudId(2)));
    let admin = "admin@fabrikam.onmicrosoft.com";
    assert!(first.read(|txn| find_principal(txn, admin)).await.expect("reads").is_none());
    assert!(second.read(|txn| find_principal(txn, admin)).await.expect("reads").is_some());
}

#[tokio::test]
async fn founding_twice_gives_what_was_founded_first() {
    let store = Store::in_memory();
    let start = || Server::start(store.clone(), Content::in_memory(), crate::env::Settings::default());
    let (first, again) = (start().await.expect("starts"), start().await.expect("starts again"));
    let of = |server: &Server| json!(server.credentials(CloudId::DEFAULT).expect("was founded"));
    assert!(of(&first) == of(&again), "the same credentials");
    let charter = |server: &Server| server.cloud(CloudId::DEFAULT).expect("is open").charter.created;
    assert_eq!(charter(&first), charter(&again));

    let token = token(&cx(&first, CloudId::DEFAULT)).await;
    assert!(verify(&cx(&again, CloudId::DEFAULT), &token, &arm()).is_ok(), "tokens outlive a restart");
}

#[tokio::test]
async fn seeded_chance_founds_with_the_same_secrets() {
    let of = |server: &Server| json!(server.credentials(CloudId::DEFAULT).expect("was founded"));
    let (one, two) = (Server::in_memory(5, NOW).await, Server::in_memory(5, NOW).await);
    assert!(of(&one) == of(&two));
    assert!(of(&one) != of(&*Server::in_memory(6, NOW).await));
}

#[tokio::test]
async fn both_founders_are_owners_of_the_subscription_and_nobody_else_is() {
    let (_server, cx) = server().await;
    let subscription = ResourceId::subscription_scope(cx.cloud.charter.subscription);
    let delete = Access::to(
        Action::of("Microsoft.Resources/subscriptions/resourceGroups/delete"),
        subscription,
        Plane::Control,
    );
    for (who, allowed) in [
        (founding::ADMIN_SERVICE_PRINCIPAL, true),
        (founding::ADMIN_USER, true),
        (founding::ADMIN_APPLICATION_OBJECT, false),
    ] {
        let may = cx.read(|txn| {
            let id = who.parse().expect("a guid");
            let Some(principal) = principal_of(txn, &cx.cloud.charter, id)? else { return Ok(false) };
            access::may(&cx, txn, &Caller::Principal(principal), delete.clone())
        });
        assert_eq!(may.await.expect("reads"), allowed, "{who}");
    }
}

#[tokio::test]
async fn the_first_application_is_believed_by_its_secret_until_that_expires() {
    let (server, cx) = server().await;
    let credentials = server.credentials(CloudId::DEFAULT).expect("was founded");
    let application = cx.read(|txn| super::applications::get(txn, credentials.client_id)).await;
    let application = application.expect("reads").expect("is there");
    let end = application.passwords[0].end;
    let secret = credentials.client_secret.as_str();
    for (secret, now, believed) in [
        (secret, NOW, Ok(())),
        (secret, end, Err(SecretFault::Expired)),
        (&secret[..39], NOW, Err(SecretFault::Wrong)),
        ("", NOW, Err(SecretFault::Wrong)),
        (credentials.password.as_str(), NOW, Err(SecretFault::Wrong)),
    ] {
        assert_eq!(application.believes(secret, now), believed, "{secret} at {}", now.iso());
    }
}

async fn managed(cx: &Cx) -> super::ServicePrincipal {
    let (draw, vm) = (cx.draw(), VM.parse::<ResourceId>().expect("an id"));
    let identity = ManagedIdentity { resource: &vm, explicit: false };
    let made =
        cx.write(|txn| service_principals::create_managed_identity(txn, &mut draw.clone(), identity, NOW));
    made.await.expect("is made")
}

#[tokio::test]
async fn a_managed_identity_is_found_by_each_of_its_ids_until_it_is_deleted() {
    let (_server, cx) = server().await;
    let made = managed(&cx).await;
    assert_eq!(made.display_name, "vm1");
    assert_eq!(made.alternative_names, ["isExplicit=False", VM]);
    assert!(made.service_principal_names.contains(&made.app_id.to_string()));
    let found = async |text: String| {
        let found = cx.read(|txn| find_principal(txn, &text)).await.expect("reads");
        found.map(|it| it.object_id())
    };
    for name in [made.object_id.to_string(), made.app_id.to_string()] {
        assert_eq!(found(name.to_uppercase()).await, Some(made.object_id), "{name}");
    }
    assert_eq!(found("ADMIN@contoso.onmicrosoft.com".to_owned()).await, founding::ADMIN_USER.parse().ok());
    let deleted = cx.write(|txn| service_principals::delete(txn, made.object_id)).await.expect("deletes");
    assert_eq!(deleted, Some(made.clone()));
    assert_eq!(found(made.object_id.to_string()).await, None);
    assert_eq!(found(made.app_id.to_string()).await, None);
    assert!(cx.read(|txn| get(txn, made.object_id)).await.expect("reads").is_none());
}

#[tokio::test]
async fn a_kept_token_counts_down_and_is_renewed_before_it_ends() {
    let (server, cx) = server().await;
    let vm: ResourceId = VM.parse().expect("an id");
    let get = async |at: u64, fresh: bool| {
        cx.cloud.clock.move_to(NOW.plus(Duration::from_secs(at)));
        let cx = self::cx(&server, CloudId::DEFAULT);
        let purpose = Purpose::new(&cx, &vm, subject().object_id, "https://storage.azure.com/");
        let minted = mint_or_keep(
            &cx,
            purpose,
            (subject(), Audience::default()),
            mint::MANAGED_IDENTITY_LIFETIME,
            fresh,
        );
        (minted.token.to_string(), minted.expires_in(cx.now))
    };
    let (first, seconds) = get(0, false).await;
    assert_eq!(seconds, 86_400);
    assert_eq!(get(1000, false).await, (first.clone(), 85_400));
    assert_ne!(get(86_200, false).await.0, first);
    let (fresh, seconds) = get(86_200, true).await;
    assert_eq!(seconds, 86_400);
    assert_eq!(get(86_201, false).await.0, fresh);
}
