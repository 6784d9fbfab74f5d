//! Tokens that are not what they say, or not for whom they are shown to.

use azure::{
    jwt,
    text::{base64, base64_decode, base64url, base64url_decode},
};
use serde_json::{Value, json};
use zaffre::keys;

use super::{
    Attack,
    stage::{Stage, raw},
};
use crate::world::{Ask, Auth};

/// One service that takes tokens: a request it would answer, and how it says no to a token.
struct Taker {
    name: &'static str,
    ask: Ask,
    refused: (u16, &'static str),
}

fn takers(stage: &Stage) -> Vec<Taker> {
    let world = &stage.world;
    let taker = |name, ask, refused| Taker { name, ask, refused };
    vec![
        taker(
            "ARM",
            world.arm("GET", &world.group("?api-version=2024-11-01")),
            (401, "InvalidAuthenticationToken"),
        ),
        taker("storage", world.blob("GET", "/con/a.txt"), (401, "InvalidAuthenticationInfo")),
        taker("Graph", world.graph("GET", "/v1.0/users"), (401, "InvalidAuthenticationToken")),
        taker("Azure AD Graph", world.aad_graph("GET", "/users"), (401, "Authentication_MissingOrMalformed")),
        taker("Cosmos", world.account_document("GET", "/1"), (401, "Unauthorized")),
    ]
}

impl Taker {
    fn good(&self) -> String {
        raw(&self.ask.auth)
    }

    fn shown(&self, token: &str) -> Ask {
        let auth = match &self.ask.auth {
            Auth::CosmosToken(_) => Auth::CosmosToken(token.to_owned()),
            _ => Auth::Bearer(token.to_owned()),
        };
        self.ask.clone().by(auth)
    }
}

/// A token taken apart.
struct Parts {
    header: Value,
    claims: Value,
    signature: String,
}

fn parts(token: &str) -> Parts {
    let mut parts = token.split('.');
    let mut json = || {
        let part = base64url_decode(parts.next().expect("a part")).expect("decodes");
        serde_json::from_slice(&part).expect("is JSON")
    };
    let (header, claims) = (json(), json());
    Parts { header, claims, signature: parts.next().expect("a signature").to_owned() }
}

impl Parts {
    fn input(&self) -> String {
        format!("{}.{}", base64url(self.header.to_string()), base64url(self.claims.to_string()))
    }

    /// Signed by the cloud itself: what only a hole in the mint could make.
    fn ours(&self, stage: &Stage) -> String {
        let input = self.input();
        jwt::finish(&input, &stage.world.server.env.keys.signer().sign(input.as_bytes()))
    }

    fn theirs(&self, stage: &Stage) -> String {
        let input = self.input();
        jwt::finish(&input, &stage.key.sign(input.as_bytes()))
    }

    fn hmac(&self, key: &[u8]) -> String {
        let input = self.input();
        jwt::finish(&input, &keys::hmac_sha256(key, input.as_bytes()))
    }
}

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let takers = takers(stage);
    let mut all = Vec::new();
    for taker in &takers {
        for (name, token) in forged(stage, &taker.good()) {
            all.push(Attack::new(
                stage,
                format!("{name}, at {}", taker.name),
                &taker.shown(&token),
                told(taker, name),
            ));
        }
        for other in takers.iter().filter(|other| other.name != taker.name) {
            let name = format!("a token for {} at {}", other.name, taker.name);
            all.push(Attack::new(stage, name, &taker.shown(&other.good()), told(taker, "another audience")));
        }
        all.extend(of_a_user(stage, taker).await);
    }
    all
}

/// Resource Manager alone tells its clients apart why.
fn told(taker: &Taker, name: &str) -> (u16, &'static str) {
    match (taker.name, name) {
        ("ARM", "expired" | "expired long ago") => (401, "ExpiredAuthenticationToken"),
        (
            "ARM",
            "another issuer's tenant"
            | "version 2's issuer"
            | "an issuer without its slash"
            | "another tenant",
        ) => (401, "InvalidAuthenticationTokenTenant"),
        (
            "ARM",
            "another audience"
            | "an audience that begins alike"
            | "an audience that ends alike"
            | "an audience with a NUL",
        ) => (401, "InvalidAuthenticationTokenAudience"),
        ("Azure AD Graph", "expired" | "expired long ago") => (401, "Authentication_ExpiredToken"),
        _ => taker.refused,
    }
}

fn forged(stage: &Stage, good: &str) -> Vec<(&'static str, String)> {
    let now = stage.now().seconds();
    let of = parts(good);
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let (head, body) = signed.split_once('.').expect("two parts");
    let with_header = |change: Value| {
        let mut new = parts(good);
        merge(&mut new.header, change);
        new
    };
    let with_claims = |change: Value| {
        let mut new = parts(good);
        merge(&mut new.claims, change);
        new
    };
    let unsigned = |alg: &str| {
        let new = with_header(json!({ "alg": alg }));
        format!("{}.", new.input())
    };
    let key = stage.world.server.env.keys.signer();
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&key.certificate));
    let hs = with_header(json!({ "alg": "HS256" }));
    let jwk = json!({
        "kty": "RSA", "use": "sig", "kid": stage.key.kid,
        "n": base64url(&stage.key.modulus), "e": base64url(&stage.key.exponent),
    });
    let foreign = |change: Value| with_header(change).theirs(stage);
    let twice = |part: &str, more: &str| {
        let text = String::from_utf8(base64url_decode(part).expect("decodes")).expect("is text");
        base64url(text.replacen('{', &format!("{{{more},"), 1))
    };
    let resigned = |input: String| jwt::finish(&input, &key.sign(input.as_bytes()));
    vec![
        ("no signature", format!("{signed}.")),
        ("no third part", signed.to_owned()),
        ("half a signature", good[..good.len() - 100].to_owned()),
        ("a signature with one bit changed", flipped(signed, &of.signature)),
        (
            "claims changed under their signature",
            format!("{}.{}", with_claims(json!({"oid": stage.other.2})).input(), of.signature),
        ),
        (
            "a header changed under its signature",
            format!("{}.{}", with_header(json!({"typ": "jwt"})).input(), of.signature),
        ),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg nOnE", unsigned("nOnE")),
        ("alg NONE with the old signature", format!("{}{}", unsigned("NONE"), of.signature)),
        ("alg empty", unsigned("")),
        ("HS256 with the modulus", hs.hmac(&key.modulus)),
        ("HS256 with the certificate", hs.hmac(&key.certificate)),
        ("HS256 with the certificate as PEM", hs.hmac(pem.as_bytes())),
        ("HS256 with the kid", hs.hmac(key.kid.as_bytes())),
        ("HS256 with nothing", hs.hmac(b"\0")),
        ("HS256 under the name of RS256", with_header(json!({})).hmac(&key.certificate)),
        ("RS384", with_header(json!({"alg": "RS384"})).ours(stage)),
        ("PS256", with_header(json!({"alg": "PS256"})).ours(stage)),
        ("ES256", with_header(json!({"alg": "ES256"})).ours(stage)),
        ("rs256 in lower case", with_header(json!({"alg": "rs256"})).ours(stage)),
        ("two algorithms", with_header(json!({"alg": ["RS256", "none"]})).ours(stage)),
        ("our kid, another's key", with_header(json!({})).theirs(stage)),
        ("a foreign kid", foreign(json!({"kid": stage.key.kid, "x5t": stage.key.kid}))),
        ("no kid", with_header(json!({"kid": null})).ours(stage)),
        ("a kid that is a path", foreign(json!({"kid": "../../../../dev/null"}))),
        ("a kid that is SQL", foreign(json!({"kid": "' UNION SELECT 'key' --"}))),
        ("a key by jku", foreign(json!({"jku": "https://evil.example/keys", "kid": stage.key.kid}))),
        (
            "a key by jku at Azure's name",
            foreign(json!({"jku": "https://login.microsoftonline.com@evil.example/keys"})),
        ),
        ("a key by jwk", foreign(json!({"jwk": jwk.clone(), "kid": stage.key.kid}))),
        ("a key by jwk under our kid", foreign(json!({ "jwk": jwk }))),
        ("a key by x5c", foreign(json!({"x5c": [base64(&stage.key.certificate)], "kid": stage.key.kid}))),
        ("a key by x5c under our kid", foreign(json!({"x5c": [base64(&stage.key.certificate)]}))),
        ("a key by x5u", foreign(json!({"x5u": "https://evil.example/cert.pem"}))),
        ("a key by x5t", foreign(json!({"x5t": stage.key.kid, "kid": null}))),
        ("crit", with_header(json!({"crit": ["exp"]})).ours(stage)),
        ("crit and b64", with_header(json!({"crit": ["b64"], "b64": false})).ours(stage)),
        ("an encrypted token's header", with_header(json!({"enc": "A128GCM", "typ": "JWE"})).ours(stage)),
        ("another alg before ours", resigned(format!("{}.{body}", twice(head, r#""alg":"none""#)))),
        (
            "another oid before ours",
            resigned(format!("{head}.{}", twice(body, &format!("\"oid\":\"{}\"", stage.other.2)))),
        ),
        ("claims that are a list", resigned(format!("{head}.{}", base64url("[]")))),
        ("claims that are not JSON", resigned(format!("{head}.{}", base64url("{")))),
        ("another audience", with_claims(json!({"aud": "https://vault.azure.net"})).ours(stage)),
        (
            "an audience that begins alike",
            with_claims(json!({"aud": format!("{}.evil.example", text(&of.claims, "aud"))})).ours(stage),
        ),
        (
            "an audience that ends alike",
            with_claims(json!({"aud": format!("https://evil.example/{}", text(&of.claims, "aud"))}))
                .ours(stage),
        ),
        (
            "an audience with a NUL",
            with_claims(json!({"aud": format!("{}\0", text(&of.claims, "aud"))})).ours(stage),
        ),
        (
            "a list of audiences",
            with_claims(json!({"aud": [of.claims["aud"], "https://evil.example"]})).ours(stage),
        ),
        ("no audience", with_claims(json!({"aud": null})).ours(stage)),
        (
            "another issuer's tenant",
            with_claims(json!({"iss": "https://sts.windows.net/33333333-3333-4333-8333-333333333333/"}))
                .ours(stage),
        ),
        (
            "version 2's issuer",
            with_claims(json!({"iss": azure::jwt::claims::issuer_v2(stage.world.cloud.charter.tenant)}))
                .ours(stage),
        ),
        (
            "an issuer without its slash",
            with_claims(json!({"iss": text(&of.claims, "iss").trim_end_matches('/')})).ours(stage),
        ),
        ("no issuer", with_claims(json!({"iss": null})).ours(stage)),
        ("another tenant", with_claims(json!({"tid": "33333333-3333-4333-8333-333333333333"})).ours(stage)),
        ("no tenant", with_claims(json!({"tid": null})).ours(stage)),
        ("another cloud's mark", with_claims(json!({"aio": base64url("another cloud's")})).ours(stage)),
        ("no cloud's mark", with_claims(json!({"aio": null})).ours(stage)),
        ("expired", with_claims(json!({ "exp": now })).ours(stage)),
        ("expired long ago", with_claims(json!({"exp": 1})).ours(stage)),
        ("no expiry", with_claims(json!({"exp": null})).ours(stage)),
        ("an expiry in text", with_claims(json!({"exp": "9999999999"})).ours(stage)),
        ("an expiry beyond time", with_claims(json!({"exp": i64::MAX})).ours(stage)),
        ("an expiry that is a fraction", with_claims(json!({"exp": 9_999_999_999.5})).ours(stage)),
        ("not valid yet", with_claims(json!({"nbf": now + 1})).ours(stage)),
        ("a beginning before time", with_claims(json!({"nbf": -1})).ours(stage)),
        ("nobody's", with_claims(json!({"oid": null})).ours(stage)),
        ("an object id that is a name", with_claims(json!({"oid": "admin"})).ours(stage)),
        ("padding", format!("{good}=")),
        (
            "the other alphabet",
            format!("{signed}.{}", base64(base64url_decode(&of.signature).expect("decodes"))),
        ),
        ("a fourth part", format!("{good}.{}", of.signature)),
        ("five parts", format!("{head}.{body}.{}.{}.{}", of.signature, of.signature, of.signature)),
        ("a blank inside", format!("{head}.{body} .{}", of.signature)),
        ("no end of it", format!("{head}.{}.{}", "e".repeat(33_000), of.signature)),
    ]
}

/// What a person's sign-in gives besides the access token, shown as if it were one.
async fn of_a_user(stage: &Stage, taker: &Taker) -> Vec<Attack> {
    let given = stage.signed_in("openid offline_access profile").await;
    let mut all = Vec::new();
    for (name, token, refused) in [
        ("an id token", "id_token", told(taker, "version 2's issuer")),
        ("a refresh token", "refresh_token", taker.refused),
    ] {
        let token = given[token].as_str().expect("a token");
        all.push(Attack::new(stage, format!("{name} at {}", taker.name), &taker.shown(token), refused));
    }
    all
}

fn merge(of: &mut Value, change: Value) {
    let (of, Value::Object(change)) = (of.as_object_mut().expect("an object"), change) else { return };
    for (name, value) in change {
        match value {
            Value::Null => drop(of.remove(&name)),
            value => drop(of.insert(name, value)),
        }
    }
}

fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().expect("text")
}

fn flipped(signed: &str, signature: &str) -> String {
    let mut bytes = base64url_decode(signature).expect("decodes");
    bytes[100] ^= 1;
    format!("{signed}.{}", base64url(bytes))
}

#[test]
fn a_flipped_signature_differs_in_one_bit() {
    let one = base64url([7; 256]);
    let other = flipped("x", &one);
    let bytes = base64url_decode(other.strip_prefix("x.").expect("the same front")).expect("decodes");
    assert_eq!(bytes.iter().map(|byte| (byte ^ 7).count_ones()).sum::<u32>(), 1);
    assert!(base64_decode("AA==").is_some());
}
