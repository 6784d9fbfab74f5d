//! The token service: what comes twice, what was downgraded, and where a browser must not be sent.

use azure::{jwt, text};
use serde_json::{Value, json};
use zaffre::{
    cloud::CloudId,
    directory::founding::{ADMIN_APPLICATION, AZURE_CLI},
    door::Door,
};

use super::{
    Attack,
    stage::{FORM, Stage, USER},
};
use crate::world::{Ask, ENTRA, Protocol};

const TOKEN: &str = "/contoso.onmicrosoft.com/oauth2/v2.0/token";
const SCOPE: &str = "https://management.core.windows.net//.default offline_access openid profile";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://localhost:53215";
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let mut all = secrets(stage);
    all.extend(redirects(stage));
    all.extend(codes(stage).await);
    all.extend(devices(stage).await);
    all.extend(refresh(stage).await);
    all.extend(assertions(stage));
    all.extend(on_behalf_of(stage).await);
    all.extend(tenants_and_scopes(stage));
    all
}

/// The contributor's good request with parameters set, or taken away where the value is empty.
fn changed(stage: &Stage, path: &str, changes: &[(&str, &str)]) -> Ask {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", stage.contributor.client.as_str()),
        ("client_secret", &stage.contributor.secret),
        ("scope", "https://management.azure.com/.default"),
    ];
    form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    stage.form(path, &form)
}

fn secrets(stage: &Stage) -> Vec<Attack> {
    let secret = stage.contributor.secret.as_str();
    let (upper, cut, long) = (secret.to_uppercase(), &secret[..secret.len() - 1], format!("{secret}x"));
    let (nul, blank) = (format!("{secret}\0"), format!("{secret} "));
    let wrong = |name, secret: &str| {
        Attack::new(stage, name, &changed(stage, TOKEN, &[("client_secret", secret)]), (401, "7000215"))
    };
    let twice = stage.form(
        TOKEN,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", &stage.contributor.client),
            ("client_id", ADMIN_APPLICATION),
            ("client_secret", secret),
            ("scope", "https://management.azure.com/.default"),
        ],
    );
    let basic = text::base64(format!("{}:{secret}", stage.contributor.client));
    let both = changed(stage, TOKEN, &[]).with("authorization", format!("Basic {basic}"));
    let other = changed(stage, TOKEN, &[("client_id", ADMIN_APPLICATION), ("client_secret", "")]);
    let other = other.with("authorization", format!("Basic {basic}"));
    vec![
        wrong("a wrong secret", "wrong"),
        wrong("a secret in capitals", &upper),
        wrong("a secret without its end", cut),
        wrong("a secret with more at its end", &long),
        wrong("a secret with NUL at its end", &nul),
        wrong("a secret with a blank at its end", &blank),
        wrong("the secret of another application", &stage.reader.secret),
        wrong("a secret's hash", &text::base64url(zaffre::keys::sha256(secret.as_bytes()))),
        Attack::new(stage, "no secret", &changed(stage, TOKEN, &[("client_secret", "")]), (401, "7000216")),
        Attack::new(stage, "two client ids", &twice, (400, "9002313")),
        Attack::new(stage, "a secret in two places", &both, (400, "9002313")),
        Attack::new(stage, "a header's secret for another's id", &other, (400, "9002313")),
        Attack::new(
            stage,
            "a person's password as an application's secret",
            &changed(stage, TOKEN, &[("client_secret", &stage.password)]),
            (401, "7000215"),
        ),
        Attack::new(
            stage,
            "a managed identity by its client id and no proof",
            &changed(stage, TOKEN, &[("client_id", &stage.other.1), ("client_secret", "x")]),
            (400, "700016"),
        ),
    ]
}

fn authorize(redirect_uri: &str, more: &str) -> Ask {
    let target = format!(
        "/organizations/oauth2/v2.0/authorize?client_id={AZURE_CLI}&response_type=code&redirect_uri={}&scope={}{more}",
        text::percent_encode(redirect_uri),
        text::percent_encode(SCOPE)
    );
    Ask::new(Protocol::Entra, Door::named(CloudId::DEFAULT), ENTRA, "GET", &target)
}

/// az is registered for `http://localhost`, at any port.
fn redirects(stage: &Stage) -> Vec<Attack> {
    let uris = [
        ("another host", "https://evil.example/cb"),
        ("a longer name", "http://localhost.evil.example"),
        ("a longer name after the port", "http://localhost:80.evil.example"),
        ("userinfo", "http://localhost@evil.example"),
        ("userinfo with a port", "http://localhost:80@evil.example"),
        ("userinfo behind a slash that is turned", "http://localhost\\@evil.example"),
        ("https in place of http", "https://localhost:53215"),
        ("another scheme", "javascript://localhost/%0aalert(1)"),
        ("a scheme in capitals", "HTTP://localhost"),
        ("a name in capitals", "http://LOCALHOST"),
        ("the address in place of the name", "http://127.0.0.1:53215"),
        ("the address of version 6", "http://[::1]:53215"),
        ("a dot at the end", "http://localhost.:53215"),
        ("a subdirectory", "http://localhost:53215/other"),
        ("a query", "http://localhost:53215?next=https://evil.example"),
        ("a fragment", "http://localhost:53215#x"),
        ("two slashes", "http://localhost:53215//"),
        ("a port that is none", "http://localhost:x"),
        ("a port beyond all", "http://localhost:99999"),
        ("a port with a sign", "http://localhost:+80"),
        ("a name in fullwidth letters", "http://ｌocalhost"),
        ("a line end", "http://localhost\r\nLocation: https://evil.example"),
        ("nothing but slashes", "//evil.example"),
    ];
    let refused = |(name, uri): &(&str, &str)| {
        Attack::new(stage, format!("a redirect URI: {name}"), &authorize(uri, ""), (400, "AADSTS50011"))
    };
    let mut all: Vec<Attack> = uris.iter().map(refused).collect();
    let twice = Ask {
        target: format!("{}&redirect_uri=https%3A%2F%2Fevil.example", authorize(REDIRECT, "").target),
        ..authorize(REDIRECT, "")
    };
    all.push(Attack::new(stage, "a redirect URI: two of them", &twice, (400, "AADSTS9002313")));
    let unknown = authorize(REDIRECT, "&response_mode=data%3A");
    all.push(Attack::new(stage, "a response mode of no kind", &unknown, (400, "AADSTS9002313")));
    all
}

/// A code of az's, as the browser carries it back.
async fn code(stage: &Stage, more: &str) -> String {
    let page = authorize(REDIRECT, more);
    let person =
        format!("username={}&password={}", text::percent_encode(USER), text::percent_encode(&stage.password));
    let answer =
        stage.send(&Ask { method: "POST".to_owned(), ..page }.with("content-type", FORM).body(person)).await;
    let location = answer.header("location").to_owned();
    let (_, rest) =
        location.split_once("code=").unwrap_or_else(|| panic!("{} {}", answer.status, answer.text()));
    text::percent_decode(rest.split('&').next().unwrap_or_default()).expect("is text")
}

fn redeem(stage: &Stage, code: &str, changes: &[(&str, &str)]) -> Ask {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", AZURE_CLI),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    stage.form("/organizations/oauth2/v2.0/token", &form)
}

async fn codes(stage: &Stage) -> Vec<Attack> {
    let s256 = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let fresh = code(stage, &s256).await;
    let bare = code(stage, "").await;
    let used = code(stage, &s256).await;
    let first = stage.send(&redeem(stage, &used, &[])).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = stage.send(&redeem(stage, &used, &[])).await;
    assert_eq!(again.code(Protocol::Entra), "54005", "the replay that revokes");
    let stolen = first.json()["refresh_token"].as_str().expect("a token").to_owned();
    let refresh =
        [("grant_type", "refresh_token"), ("client_id", AZURE_CLI), ("refresh_token", stolen.as_str())];
    let (reader, secret) = (stage.reader.client.as_str(), stage.reader.secret.as_str());
    let cases = [
        ("a code that comes twice", redeem(stage, &used, &[]), (400, "54005")),
        ("what a code gave that came twice", stage.form(TOKEN, &refresh), (400, "50173")),
        ("PKCE: no verifier", redeem(stage, &fresh, &[("code_verifier", "")]), (400, "501481")),
        (
            "PKCE: another verifier",
            redeem(stage, &fresh, &[("code_verifier", &VERIFIER.to_lowercase())]),
            (400, "501481"),
        ),
        (
            "PKCE: the challenge as verifier",
            redeem(stage, &fresh, &[("code_verifier", CHALLENGE)]),
            (400, "501481"),
        ),
        ("PKCE: a verifier nobody asked for", redeem(stage, &bare, &[]), (400, "501481")),
        (
            "a code at another redirect URI",
            redeem(stage, &fresh, &[("redirect_uri", "http://localhost:1")]),
            (400, "500112"),
        ),
        ("a code without a redirect URI", redeem(stage, &fresh, &[("redirect_uri", "")]), (400, "900144")),
        (
            "a code by another client",
            redeem(stage, &fresh, &[("client_id", reader), ("client_secret", secret)]),
            (400, "70000"),
        ),
        (
            "a code as a refresh token",
            stage.form(
                TOKEN,
                &[("grant_type", "refresh_token"), ("client_id", AZURE_CLI), ("refresh_token", &fresh)],
            ),
            (400, "70000"),
        ),
        ("a code that was made up", redeem(stage, "1.AAAA", &[]), (400, "70000")),
        (
            "a code as a device code",
            stage.form(TOKEN, &[("grant_type", DEVICE), ("client_id", AZURE_CLI), ("device_code", &fresh)]),
            (400, "70018"),
        ),
        (
            "a device nobody answered",
            redeem(
                stage,
                &fresh,
                &[("code_verifier", "x"), ("code", &text::percent_encode(&fresh.to_uppercase()))],
            ),
            (400, "70000"),
        ),
    ];
    let mut all: Vec<Attack> =
        cases.iter().map(|(name, ask, refused)| Attack::new(stage, *name, ask, *refused)).collect();
    // A method that nobody knows is not taken for `plain`.
    for (name, more) in [
        ("PKCE: a method of no kind", format!("&code_challenge={CHALLENGE}&code_challenge_method=S512")),
        ("PKCE: a method in another case", format!("&code_challenge={CHALLENGE}&code_challenge_method=s256")),
    ] {
        all.push(Attack::new(stage, name, &authorize(REDIRECT, &more), (302, "error=invalid_request")));
    }
    all
}

async fn devices(stage: &Stage) -> Vec<Attack> {
    let begin = async || {
        let begun = stage
            .form("/organizations/oauth2/v2.0/devicecode", &[("client_id", AZURE_CLI), ("scope", SCOPE)]);
        let begun = stage.send(&begun).await.json();
        let of = |name: &str| begun[name].as_str().expect("text").to_owned();
        (of("device_code"), of("user_code"))
    };
    let poll = |device: &str, client: &str| {
        stage.form(TOKEN, &[("grant_type", DEVICE), ("client_id", client), ("device_code", device)])
    };
    let (used, user_code) = begin().await;
    let person = format!(
        "user_code={user_code}&username={}&password={}",
        text::percent_encode(USER),
        text::percent_encode(&stage.password)
    );
    let page =
        Ask::new(Protocol::Entra, Door::named(CloudId::DEFAULT), ENTRA, "POST", "/common/oauth2/deviceauth");
    assert_eq!(stage.send(&page.with("content-type", FORM).body(person)).await.status, 200);
    assert_eq!(stage.send(&poll(&used, AZURE_CLI)).await.status, 200);
    let (pending, user_code) = begin().await;
    let reader = stage.form(
        TOKEN,
        &[
            ("grant_type", DEVICE),
            ("client_id", &stage.reader.client),
            ("client_secret", &stage.reader.secret),
            ("device_code", &pending),
        ],
    );
    vec![
        Attack::new(stage, "a device code that comes twice", &poll(&used, AZURE_CLI), (400, "54005")),
        Attack::new(stage, "a device code that nobody approved", &poll(&pending, AZURE_CLI), (400, "70016")),
        Attack::new(stage, "a device code of another client", &reader, (400, "70018")),
        Attack::new(stage, "a user code as a device code", &poll(&user_code, AZURE_CLI), (400, "70018")),
        Attack::new(
            stage,
            "a device code in capitals",
            &poll(&pending.to_uppercase(), AZURE_CLI),
            (400, "70018"),
        ),
    ]
}

async fn refresh(stage: &Stage) -> Vec<Attack> {
    let given = stage.signed_in(SCOPE).await;
    let token = given["refresh_token"].as_str().expect("a token");
    let access = given["access_token"].as_str().expect("a token");
    let ask = |pairs: &[(&str, &str)]| {
        let form = [&[("grant_type", "refresh_token")], pairs].concat();
        stage.form(TOKEN, &form)
    };
    let (reader, secret) = (stage.reader.client.as_str(), stage.reader.secret.as_str());
    let cut = &token[..token.len() - 1];
    vec![
        Attack::new(
            stage,
            "another client's refresh token",
            &ask(&[("client_id", reader), ("client_secret", secret), ("refresh_token", token)]),
            (400, "70000"),
        ),
        Attack::new(
            stage,
            "an access token as a refresh token",
            &ask(&[("client_id", AZURE_CLI), ("refresh_token", access)]),
            (400, "70000"),
        ),
        Attack::new(
            stage,
            "a refresh token without its end",
            &ask(&[("client_id", AZURE_CLI), ("refresh_token", cut)]),
            (400, "70000"),
        ),
        Attack::new(
            stage,
            "a refresh token of a client that has to prove itself and does not",
            &ask(&[("client_id", reader), ("refresh_token", token)]),
            (401, "7000218"),
        ),
    ]
}

/// Nobody gave the administrator's application a certificate or a federated credential.
fn assertions(stage: &Stage) -> Vec<Attack> {
    let now = stage.now().seconds();
    let tenant = stage.world.cloud.charter.tenant;
    let signed = |header: Value, claims: &Value| {
        let input =
            format!("{}.{}", text::base64url(header.to_string()), text::base64url(claims.to_string()));
        jwt::finish(&input, &stage.key.sign(input.as_bytes()))
    };
    let own = json!({
        "iss": ADMIN_APPLICATION, "sub": ADMIN_APPLICATION, "exp": now + 600, "jti": "1",
        "aud": format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"),
    });
    let of = |issuer: &str| {
        let mut claims = own.clone();
        claims["iss"] = json!(issuer);
        claims
    };
    let header = json!({"alg": "RS256", "kid": stage.key.kid, "x5t": stage.key.kid});
    let x5c = json!({"alg": "RS256", "x5c": [text::base64(&stage.key.certificate)]});
    let unsigned = format!("{}.{}.", text::base64url(r#"{"alg":"none"}"#), text::base64url(own.to_string()));
    let ask = |name: &str, client: &str, assertion: &str, refused| {
        let changes = [
            ("client_id", client),
            ("client_secret", ""),
            ("client_assertion_type", BEARER),
            ("client_assertion", assertion),
        ];
        Attack::new(stage, name, &changed(stage, TOKEN, &changes), refused)
    };
    let other_type = changed(
        stage,
        TOKEN,
        &[("client_secret", ""), ("client_assertion_type", "urn:other"), ("client_assertion", "x.y.z")],
    );
    vec![
        ask(
            "an assertion by a strange certificate",
            ADMIN_APPLICATION,
            &signed(header.clone(), &own),
            (401, "700027"),
        ),
        ask(
            "an assertion with its certificate inside",
            ADMIN_APPLICATION,
            &signed(x5c, &own),
            (401, "700027"),
        ),
        ask("an assertion without a signature", ADMIN_APPLICATION, &unsigned, (401, "50012")),
        ask(
            "an assertion of a strange issuer",
            ADMIN_APPLICATION,
            &signed(header.clone(), &of("https://evil.example")),
            (401, "700211"),
        ),
        ask(
            "an assertion of an issuer at the metadata address",
            ADMIN_APPLICATION,
            &signed(header.clone(), &of("http://169.254.169.254/metadata")),
            (401, "700211"),
        ),
        ask(
            "an assertion in the name of this token service",
            ADMIN_APPLICATION,
            &signed(header.clone(), &of(&azure::jwt::claims::issuer_v2(tenant))),
            (401, "700211"),
        ),
        ask(
            "an assertion about a managed identity",
            &stage.other.1,
            &signed(header, &of("https://evil.example")),
            (401, "700211"),
        ),
        Attack::new(stage, "an assertion of another type", &other_type, (400, "9002313")),
    ]
}

async fn on_behalf_of(stage: &Stage) -> Vec<Attack> {
    let user = stage.signed_in("https://management.azure.com/.default openid").await;
    let of = |name: &str| user[name].as_str().expect("a token").to_owned();
    let application =
        super::stage::raw(&stage.token(&stage.reader, &format!("api://{}", stage.reader.client)).await);
    let ask = |name: &str, assertion: &str, refused| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("client_id", stage.reader.client.as_str()),
            ("client_secret", &stage.reader.secret),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", assertion),
            ("scope", "https://management.azure.com/.default"),
        ];
        Attack::new(stage, name, &stage.form(TOKEN, &form), refused)
    };
    vec![
        ask("on behalf of a user who called somebody else", &of("access_token"), (400, "500131")),
        ask("on behalf of a user who signed in elsewhere", &of("id_token"), (400, "500131")),
        ask("on behalf of an application", &application, (400, "7000114")),
        ask("on behalf of nobody", "x.y.z", (400, "50013")),
    ]
}

fn tenants_and_scopes(stage: &Stage) -> Vec<Attack> {
    let path = |tenant: &str| format!("/{tenant}/oauth2/v2.0/token");
    let mut all = Vec::new();
    for (name, tenant, refused) in [
        ("an application over common", "common", (400, "90019")),
        ("an application over consumers", "consumers", (400, "9001023")),
        ("an application over organizations", "organizations", (400, "700016")),
        ("a tenant that ends alike", "evil-contoso.onmicrosoft.com", (400, "90002")),
        ("a tenant that begins alike", "contoso.onmicrosoft.com.evil.example", (400, "90002")),
        ("a tenant with a dot at its end", "contoso.onmicrosoft.com.", (400, "900023")),
        ("a tenant in fullwidth letters", "%EF%BD%83ontoso.onmicrosoft.com", (400, "900023")),
        ("a tenant with a slash inside", "contoso.onmicrosoft.com%2Fx", (404, "invalid_request")),
    ] {
        all.push(Attack::new(stage, name, &changed(stage, &path(tenant), &[]), refused));
    }
    for (name, scope, refused) in [
        ("a scope of nobody", "https://evil.example/.default", (400, "500011")),
        ("a scope that begins alike", "https://management.azure.com.evil.example/.default", (400, "500011")),
        ("a scope with two slashes", "https://management.azure.com///.default", (400, "500011")),
        ("a scope over http", "http://management.azure.com/.default", (400, "500011")),
        ("a scope with userinfo", "https://management.azure.com@evil.example/.default", (400, "500011")),
        ("a scope with NUL", "https://management.azure.com\0/.default", (400, "500011")),
        (
            "a scope below a storage account",
            "https://acct.blob.core.windows.net/con/.default",
            (400, "500011"),
        ),
        ("a scope that climbs", "https://management.azure.com/../.default", (400, "500011")),
        (
            "two scopes of an application",
            "https://a.example/.default https://management.azure.com/.default",
            (400, "70011"),
        ),
        ("a scope without its end", "https://management.azure.com/user_impersonation", (400, "1002012")),
        ("a scope with a dotted capital I", "https://management.azure.com/.default\u{130}", (400, "1002012")),
    ] {
        all.push(Attack::new(stage, name, &changed(stage, TOKEN, &[("scope", scope)]), refused));
    }
    all
}
