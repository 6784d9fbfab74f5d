//! Shared access signatures: what they open, and how each that does not is told so.

use std::time::Duration;

use azure::{
    ids::{ClientId, Guid, ObjectId, ResourceId},
    text,
};
use bytes::Bytes;

use super::client::{Answer, Client, NOW, VERSION, grant, make_account, token};
use crate::{
    Server,
    access::assignments,
    cloud::CloudId,
    directory::{ServicePrincipal, ServicePrincipalKind, service_principals},
    products::storage::blob::{address::Level, op::OPERATIONS},
};

const WHO: ObjectId = ObjectId(Guid([9; 16]));
const STORAGE: &str = "https://storage.azure.com/";
const TOMORROW: &str = "se=2026-11-22T23:00:00Z";

/// An account with a container and a blob, at noon and some.
async fn account() -> (Client, ResourceId) {
    let server = Server::in_memory(1, NOW).await;
    let client = Client::named(&server, CloudId::DEFAULT, "acct").await;
    client.make_container("con").await;
    client.make_container("other").await;
    client.put("/con/a", "content").await;
    client.put("/other/a", "others").await;
    let id = make_account(&server, CloudId::DEFAULT, "acct", |_| {}).await.id;
    (client, id)
}

fn outcome(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.code())
}

fn detail(answer: &Answer) -> &str {
    answer.elements("AuthenticationErrorDetail").first().copied().unwrap_or_default()
}

const OK: (u16, &str) = (200, "");
const MADE: (u16, &str) = (201, "");
const GONE: (u16, &str) = (202, "");
const NO_LETTER: (u16, &str) = (403, "AuthorizationPermissionMismatch");
const NEVER: (u16, &str) = (403, "AuthorizationFailure");
const UNPROVED: (u16, &str) = (403, "AuthenticationFailed");

#[tokio::test]
async fn an_accounts_signature_opens_what_its_services_types_and_letters_name() {
    let (client, _) = account().await;
    for (terms, method, target, expected) in [
        ("ss=b&srt=o&sp=r", "GET", "/con/a", OK),
        ("ss=b&srt=o&sp=r", "HEAD", "/other/a", OK),
        ("ss=bqtf&srt=sco&sp=rwdlacup", "GET", "/?comp=list", OK),
        ("ss=b&srt=s&sp=l", "GET", "/?comp=list", OK),
        ("ss=b&srt=c&sp=l", "GET", "/con?restype=container&comp=list", OK),
        ("ss=b&srt=c&sp=r", "GET", "/con?restype=container", OK),
        ("ss=b&srt=c&sp=c", "PUT", "/new?restype=container", MADE),
        ("ss=b&srt=o&sp=w", "PUT", "/con/new", MADE),
        ("ss=b&srt=o&sp=d", "DELETE", "/con/new", GONE),
        ("ss=b&srt=c&sp=d", "DELETE", "/new?restype=container", GONE),
        ("ss=qtf&srt=o&sp=r", "GET", "/con/a", (403, "AuthorizationServiceMismatch")),
        ("ss=b&srt=sc&sp=r", "GET", "/con/a", (403, "AuthorizationResourceTypeMismatch")),
        (
            "ss=b&srt=o&sp=l",
            "GET",
            "/con?restype=container&comp=list",
            (403, "AuthorizationResourceTypeMismatch"),
        ),
        ("ss=b&srt=o&sp=wdlacup", "GET", "/con/a", NO_LETTER),
        ("ss=b&srt=o&sp=rl", "PUT", "/con/b", NO_LETTER),
        ("ss=b&srt=o&sp=rwlac", "DELETE", "/con/a", NO_LETTER),
        ("ss=b&srt=sco&sp=rwdlacup", "GET", "/con?restype=container&comp=acl", NEVER),
    ] {
        let sas = client.sas(&format!("sv=2026-04-06&{terms}&{TOMORROW}"), "/");
        let answer = client.send_with(method, target, &sas, "").await;
        assert_eq!(outcome(&answer), expected, "{terms} {method} {target}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_services_signature_opens_its_container_or_its_blob_and_nothing_else() {
    let (client, _) = account().await;
    for (resource, path, method, target, expected) in [
        ("sr=b&sp=r", "/con/a", "GET", "/con/a", OK),
        ("sr=b&sp=r", "/con/a", "GET", "/con/b", UNPROVED),
        ("sr=b&sp=r", "/con/a", "GET", "/con/A", UNPROVED),
        ("sr=b&sp=r", "/con/a", "GET", "/other/a", UNPROVED),
        ("sr=b&sp=r", "/con/a", "GET", "/con?restype=container&comp=list", UNPROVED),
        ("sr=b&sp=r", "/con/a", "PUT", "/con/a", NO_LETTER),
        ("sr=b&sp=racwd", "/con/new", "PUT", "/con/new", MADE),
        ("sr=c&sp=r", "/con", "GET", "/con/a", OK),
        ("sr=c&sp=r", "/con", "GET", "/other/a", UNPROVED),
        ("sr=c&sp=r", "/con", "GET", "/con?restype=container&comp=list", NO_LETTER),
        ("sr=c&sp=rl", "/con", "GET", "/con?restype=container&comp=list", OK),
        ("sr=c&sp=racwdl", "/con", "GET", "/con?restype=container", NEVER),
        ("sr=c&sp=racwdl", "/con", "DELETE", "/con?restype=container", NEVER),
        ("sr=c&sp=racwdl", "/con", "PUT", "/con?restype=container&comp=acl", NEVER),
        ("sr=c&sp=racwdl", "/con", "GET", "/?comp=list", UNPROVED),
        ("sr=c&sp=d", "/con", "DELETE", "/con/new", GONE),
    ] {
        let sas = client.sas(&format!("sv=2026-04-06&{resource}&{TOMORROW}"), path);
        let answer = client.send_with(method, target, &sas, "").await;
        assert_eq!(outcome(&answer), expected, "{resource} {method} {target}: {}", answer.text());
    }
}

/// Who holds a directory's holds what is in it, and neither the directory's siblings nor what only begins like it.
#[tokio::test]
async fn a_directorys_signature_opens_what_is_in_it() {
    let (client, _) = account().await;
    for name in ["dir/x", "dir/y", "dir2/x"] {
        client.put(&format!("/con/{name}"), "content").await;
    }
    let sas = client.sas(&format!("sv=2026-06-06&sr=d&sdd=1&sp=r&{TOMORROW}"), "/con/dir/x");
    for (target, expected) in
        [("/con/dir/x", OK), ("/con/dir/y", OK), ("/con/dir2/x", UNPROVED), ("/con/a", UNPROVED)]
    {
        assert_eq!(outcome(&client.send_with("GET", target, &sas, "").await), expected, "{target}");
    }
    let old = client.sas(&format!("sv=2026-04-06&sr=d&sdd=1&sp=r&{TOMORROW}"), "/con/dir/x");
    assert_eq!(client.send_with("GET", "/con/dir/x", &old, "").await.status, 501, "not on a flat account");
}

#[tokio::test]
async fn a_signature_that_may_create_may_not_overwrite() {
    let (client, _) = account().await;
    let service = client.sas(&format!("sv=2026-04-06&sr=c&sp=c&{TOMORROW}"), "/con");
    let account = client.sas(&format!("sv=2026-04-06&ss=b&srt=o&sp=c&{TOMORROW}"), "/");
    for (sas, name) in [(service, "one"), (account, "two")] {
        let target = format!("/con/{name}");
        assert_eq!(outcome(&client.send_with("PUT", &target, &sas, "mine").await), MADE);
        let again = client.send_with("PUT", &target, &sas, "yours").await;
        assert_eq!(outcome(&again), (403, "UnauthorizedBlobOverwrite"));
        assert_eq!(client.get(&target).await.text(), "mine");
    }
}

/// Each value that was signed, and the signature itself, with one thing about it changed.
#[tokio::test]
async fn nothing_that_was_signed_can_be_changed() {
    let (client, _) = account().await;
    let base = "sv=2026-04-06&sr=b&sp=r&st=2026-11-21T00:00:00Z&se=2026-11-22T23:00:00Z&sip=127.0.0.1&spr=https,http\
                &rscc=no-store&rscd=inline&rsce=identity&rscl=de&rsct=text/plain";
    let good = client.sas(base, "/con/a");
    assert_eq!(outcome(&client.send_with("GET", "/con/a", &good, "").await), OK);
    for (from, to) in [
        ("sp=r", "sp=rw"),
        ("sp=r", "sp=w"),
        ("sr=b", "sr=c"),
        ("sv=2026-04-06", "sv=2026-02-06"),
        ("sv=2026-04-06", "sv=2019-02-02"),
        ("st=2026-11-21T00:00:00Z", "st=2026-11-20T00:00:00Z"),
        ("&st=2026-11-21T00:00:00Z", ""),
        ("se=2026-11-22T23:00:00Z", "se=2026-11-23T23:00:00Z"),
        ("sip=127.0.0.1", "sip=127.0.0.0-127.0.0.9"),
        ("&sip=127.0.0.1", ""),
        ("&spr=https,http", ""),
        ("spr=https,http", "spr=https"),
        ("rscc=no-store", "rscc=no-cache"),
        ("rscd=inline", "rscd=attachment"),
        ("rsce=identity", "rsce=gzip"),
        ("rscl=de", "rscl=fr"),
        ("rsct=text/plain", "rsct=text/html"),
        ("&rsct=text/plain", ""),
        ("&rscc", "&si=policy&rscc"),
    ] {
        let bent = good.replacen(from, to, 1);
        assert_ne!(bent, good, "{from}");
        let answer = client.send_with("GET", "/con/a", &bent, "").await;
        assert_eq!(outcome(&answer), UNPROVED, "{from} -> {to}: {}", answer.text());
    }
    let signature = good.rsplit_once("sig=").expect("has one").1;
    let signature = text::base64_decode(&text::percent_decode(signature).expect("text")).expect("base64");
    for bit in 0..256 {
        let mut bent = signature.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let sas = good.rsplit_once("sig=").expect("has one").0.to_owned()
            + "sig="
            + &text::percent_encode(&text::base64(bent));
        let answer = client.send_with("GET", "/con/a", &sas, "").await;
        assert_eq!(outcome(&answer), UNPROVED, "bit {bit}");
        assert!(
            detail(&answer).starts_with("Signature did not match. String to sign used was r\n"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_signature_is_bound_to_its_time_its_protocol_its_place_and_its_key() {
    let (client, _) = account().await;
    let ask = async |terms: &str, expected: (u16, &str)| {
        let sas = client.sas(&format!("sv=2026-04-06&sr=b&sp=r&{terms}"), "/con/a");
        let answer = client.send_with("GET", "/con/a", &sas, "").await;
        assert_eq!(outcome(&answer), expected, "{terms}: {}", answer.text());
        answer
    };
    let expired = ask("st=2026-11-20&se=2026-11-21", UNPROVED).await;
    assert_eq!(
        detail(&expired),
        "Signature not valid in the specified time frame: Start [Fri, 20 Nov 2026 00:00:00 GMT] - Expiry \
         [Sat, 21 Nov 2026 00:00:00 GMT] - Current [Sat, 21 Nov 2026 23:02:54 GMT]"
    );
    ask("st=2026-11-22&se=2026-11-23", UNPROVED).await;
    let range =
        ask(&format!("sip=168.1.5.60-168.1.5.70&{TOMORROW}"), (403, "AuthorizationSourceIPMismatch")).await;
    assert!(range.reason.ends_with("using this source IP 127.0.0.1."), "{}", range.reason);
    ask(&format!("sip=127.0.0.0-127.0.0.9&{TOMORROW}"), OK).await;
    ask(&format!("spr=https&{TOMORROW}"), OK).await;

    let drop_in = Client::over(client.server);
    drop_in.make_container("con").await;
    drop_in.put("/con/a", "content").await;
    for (protocol, expected) in [("https", (403, "AuthorizationProtocolMismatch")), ("https,http", OK)] {
        let sas = drop_in.sas(&format!("sv=2026-04-06&sr=b&sp=r&spr={protocol}&{TOMORROW}"), "/con/a");
        assert_eq!(outcome(&drop_in.send_with("GET", "/con/a", &sas, "").await), expected, "{protocol}");
    }
    let strange = drop_in.sas_by(&[7; 64], &format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}"), "/con/a");
    assert_eq!(outcome(&drop_in.send_with("GET", "/con/a", &strange, "").await), UNPROVED);
}

#[tokio::test]
async fn an_account_without_keys_takes_no_signature_of_theirs() {
    let (client, _) = account().await;
    let of_account = client.sas(&format!("sv=2026-04-06&ss=b&srt=o&sp=r&{TOMORROW}"), "/");
    let of_blob = client.sas(&format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}"), "/con/a");
    make_account(&client.server, CloudId::DEFAULT, "acct", |it| it.allows_shared_key = false).await;
    for sas in [of_account, of_blob] {
        let answer = client.send_with("GET", "/con/a", &sas, "").await;
        assert_eq!(outcome(&answer), (403, "KeyBasedAuthenticationNotPermitted"));
    }
}

#[tokio::test]
async fn a_signature_beside_another_credential_is_refused() {
    let (client, _) = account().await;
    let sas = client.sas(&format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}"), "/con/a");
    let answer = client.send("GET", &format!("/con/a?{sas}"), &[], "").await;
    assert_eq!(outcome(&answer), (400, "InvalidAuthenticationInfo"));
}

#[tokio::test]
async fn a_signature_says_how_the_answer_is_labelled_and_which_version_it_speaks() {
    let (client, _) = account().await;
    let given = "rscc=no-store&rscd=attachment&rsce=identity&rscl=de&rsct=text/csv";
    let sas = client.sas(&format!("sv=2021-12-02&sr=b&sp=r&{TOMORROW}&{given}"), "/con/a");
    let target = format!("/con/a?{sas}");
    for method in ["GET", "HEAD"] {
        let answer = client.send_unsigned(method, &target, &[("x-ms-version", "-")]).await;
        let shown =
            ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type"]
                .map(|name| answer.header(name));
        assert_eq!(shown, ["no-store", "attachment", "identity", "de", "text/csv"], "{method}");
        assert_eq!(answer.header("x-ms-version"), "2021-12-02", "the signature's own");
    }
    let account = client.sas(&format!("sv=2021-12-02&ss=b&srt=o&sp=r&{TOMORROW}"), "/");
    let answer = client.send_with("GET", "/con/a", &format!("{account}&rsct=text/csv"), "").await;
    assert_eq!(answer.header("content-type"), "application/octet-stream", "an account's says nothing of it");
}

fn identifiers(inner: &str) -> Bytes {
    Bytes::from(format!("<SignedIdentifiers>{inner}</SignedIdentifiers>"))
}

fn identifier(id: &str, policy: &str) -> String {
    format!("<SignedIdentifier><Id>{id}</Id><AccessPolicy>{policy}</AccessPolicy></SignedIdentifier>")
}

const ACL: &str = "/con?restype=container&comp=acl";

#[tokio::test]
async fn stored_policies_are_kept_as_they_were_set() {
    let (client, _) = account().await;
    let whole = "<Start>2026-11-21T00:00:00Z</Start><Expiry>2026-11-23</Expiry><Permission>rl</Permission>";
    let body = identifiers(&(identifier("read &amp; list", whole) + &identifier("bare", "")));
    let before = client.get("/con?restype=container").await;
    let set = client.send("PUT", ACL, &[], body).await;
    assert_eq!(outcome(&set), OK, "{}", set.text());
    assert_ne!(set.header("etag"), before.header("etag"));
    let got = client.get(ACL).await;
    assert_eq!(got.elements("Id"), ["read &amp; list", "bare"]);
    assert_eq!(got.elements("Start"), ["2026-11-21T00:00:00.0000000Z"]);
    assert_eq!(got.elements("Expiry"), ["2026-11-23T00:00:00.0000000Z"]);
    assert_eq!(got.elements("Permission"), ["rl"]);
    assert_eq!(got.header("etag"), set.header("etag"));
    assert_eq!(outcome(&client.send("PUT", ACL, &[], "").await), OK);
    assert!(client.get(ACL).await.elements("Id").is_empty(), "what is not said is taken away");

    let many: String = (0..6).map(|at| identifier(&at.to_string(), "")).collect();
    for (body, code) in [
        (many, "InvalidXmlDocument"),
        (identifier("", ""), "InvalidXmlNodeValue"),
        (identifier(&"x".repeat(65), ""), "InvalidXmlNodeValue"),
        (identifier("a", "") + &identifier("a", ""), "InvalidXmlNodeValue"),
        (identifier("a", "<Expiry>soon</Expiry>"), "InvalidXmlNodeValue"),
        (identifier("a", "<Permission>z</Permission>"), "InvalidXmlNodeValue"),
        (identifier("a", "<Colour>red</Colour>"), "InvalidXmlDocument"),
    ] {
        let answer = client.send("PUT", ACL, &[], identifiers(&body)).await;
        assert_eq!(outcome(&answer), (400, code), "{body}");
    }
}

#[tokio::test]
async fn public_access_is_set_with_the_policies_where_the_account_allows_it() {
    let (client, _) = account().await;
    let headers = [("x-ms-blob-public-access", "blob")];
    let refused = client.send("PUT", ACL, &headers, "").await;
    assert_eq!(outcome(&refused), (409, "PublicAccessNotPermitted"));
    make_account(&client.server, CloudId::DEFAULT, "acct", |it| it.allows_public_access = true).await;
    assert_eq!(outcome(&client.send("PUT", ACL, &headers, "").await), OK);
    assert_eq!(client.get(ACL).await.header("x-ms-blob-public-access"), "blob");
    assert_eq!(client.send_unsigned("GET", "/con/a", &[]).await.text(), "content");
    assert_eq!(outcome(&client.send("PUT", ACL, &[], "").await), OK);
    assert_eq!(client.send_unsigned("GET", "/con/a", &[]).await.status, 401, "it is private again");
}

#[tokio::test]
async fn a_signature_takes_its_terms_from_a_policy_and_ends_with_it() {
    let (client, _) = account().await;
    let policy = |inner: &str| identifiers(&identifier("read", inner));
    let whole = "<Expiry>2026-11-23</Expiry><Permission>r</Permission>";
    let set = async |inner: &str| client.send("PUT", ACL, &[], policy(inner)).await;
    let ask = async |terms: &str| {
        let sas = client.sas(&format!("sv=2026-04-06&sr=c&si=read{terms}"), "/con");
        client.send_with("GET", "/con/a", &sas, "").await
    };
    let unknown = ask("").await;
    assert_eq!(outcome(&unknown), UNPROVED);
    assert_eq!(detail(&unknown), "SAS identifier cannot be found for specified signed identifier");

    set(whole).await;
    assert_eq!(outcome(&ask("").await), OK);
    assert_eq!(outcome(&ask("&sip=10.0.0.1").await), (403, "AuthorizationSourceIPMismatch"));
    assert_eq!(
        detail(&ask("&se=2026-11-22").await),
        "Access policy fields can be associated with signature or SAS identifier but not both"
    );
    let written = client.sas("sv=2026-04-06&sr=c&si=read", "/con");
    assert_eq!(outcome(&client.send_with("PUT", "/con/a", &written, "").await), NO_LETTER);

    for (inner, terms, said) in [
        ("<Permission>r</Permission>", "", "Signed expiry must be specified in signature or SAS identifier"),
        (
            "<Expiry>2026-11-23</Expiry>",
            "",
            "Signed permission must be specified in signature or SAS identifier",
        ),
        (
            "<Start>2026-11-22</Start><Expiry>2026-11-23</Expiry><Permission>r</Permission>",
            "",
            "Signature not valid in the specified time frame: Start [Sun, 22 Nov 2026 00:00:00 GMT] - Expiry \
             [Mon, 23 Nov 2026 00:00:00 GMT] - Current [Sat, 21 Nov 2026 23:02:54 GMT]",
        ),
        ("<Permission>r</Permission>", "&st=2026-11-22", "Start time is after the current time"),
    ] {
        set(inner).await;
        let answer = ask(terms).await;
        assert_eq!((outcome(&answer), detail(&answer)), (UNPROVED, said), "{inner} {terms}");
    }
    set("<Permission>r</Permission>").await;
    assert_eq!(outcome(&ask("&se=2026-11-23").await), OK, "each has what the other lacks");
    set("<Expiry>2026-11-23</Expiry><Permission>rt</Permission>").await;
    let old = client.sas("sv=2018-11-09&sr=c&si=read", "/con");
    let answer = client.send_with("GET", "/con/a", &old, "").await;
    assert_eq!(outcome(&answer), (409, "FeatureVersionMismatch"));

    client.send("PUT", ACL, &[], "").await;
    assert_eq!(outcome(&ask("").await), UNPROVED, "the policy is gone, and with it the signature");
    let gone = client.sas("sv=2026-04-06&sr=c&si=read", "/nowhere");
    let answer = client.send_with("GET", "/nowhere/a", &gone, "").await;
    assert_eq!(detail(&answer), "Error locating SAS identifier");
}

/// Makes a principal, gives it roles, and asks as it for a key until tomorrow.
async fn delegated(client: &Client, roles: &[(&str, &ResourceId)]) -> (String, Vec<u8>) {
    let principal = somebody();
    let server = &client.server;
    let made = server.env.store.write(CloudId::DEFAULT, |txn| service_principals::put(txn, &principal)).await;
    made.expect("writes");
    for (role, scope) in roles {
        grant(server, WHO, role, scope).await;
    }
    let answer =
        ask_for_key(client, "<Start>2026-11-21T20:00:00Z</Start><Expiry>2026-11-23T00:00:00Z</Expiry>").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let one = |name: &str| answer.elements(name)[0].to_owned();
    let fields = [
        ("skoid", "SignedOid"),
        ("sktid", "SignedTid"),
        ("skt", "SignedStart"),
        ("ske", "SignedExpiry"),
        ("sks", "SignedService"),
        ("skv", "SignedVersion"),
    ];
    let query: Vec<String> = fields
        .iter()
        .map(|(name, element)| format!("{name}={}", text::percent_encode(&one(element))))
        .collect();
    (query.join("&"), text::base64_decode(&one("Value")).expect("base64"))
}

fn somebody() -> ServicePrincipal {
    ServicePrincipal {
        object_id: WHO,
        app_id: ClientId(WHO.0),
        display_name: "somebody".to_owned(),
        kind: ServicePrincipalKind::Application,
        service_principal_names: Vec::new(),
        alternative_names: Vec::new(),
        resource_id: None,
        created: NOW,
        account_enabled: true,
        document: serde_json::Map::new(),
    }
}

async fn ask_for_key(client: &Client, inner: &str) -> Answer {
    let token = token(&client.server, CloudId::DEFAULT, WHO, STORAGE).await;
    let authorization = format!("Bearer {token}");
    let body = format!("<KeyInfo>{inner}</KeyInfo>");
    let target = "/?restype=service&comp=userdelegationkey";
    client.send_unsigned_body("POST", target, &[("authorization", &authorization)], body).await
}

#[tokio::test]
async fn a_key_is_for_who_may_have_one_and_for_a_week_at_most() {
    let (client, account) = account().await;
    let week = "<Start>2026-11-21T23:00:00Z</Start><Expiry>2026-11-28T23:00:00Z</Expiry>";
    assert_eq!(outcome(&ask_for_key(&client, week).await), NO_LETTER);
    grant(&client.server, WHO, "Storage Blob Delegator", &account).await;
    let key = ask_for_key(&client, week).await;
    assert_eq!(outcome(&key), OK, "{}", key.text());
    assert_eq!(key.elements("SignedOid"), [WHO.to_string()]);
    assert_eq!(key.elements("SignedStart"), ["2026-11-21T23:00:00Z"]);
    assert_eq!(key.elements("SignedExpiry"), ["2026-11-28T23:00:00Z"]);
    assert_eq!(key.elements("SignedService"), ["b"]);
    assert_eq!(key.elements("SignedVersion"), [VERSION]);
    assert_eq!(
        ask_for_key(&client, week).await.elements("Value"),
        key.elements("Value"),
        "the same key again"
    );
    for inner in [
        "<Expiry>2026-11-29T23:00:00Z</Expiry>",
        "<Start>2026-11-22</Start><Expiry>2026-11-22</Expiry>",
        "<Expiry>2026-11-21T23:00:00Z</Expiry>",
        "<Start>now</Start><Expiry>2026-11-22</Expiry>",
        "<Start>2026-11-22</Start>",
    ] {
        assert_eq!(outcome(&ask_for_key(&client, inner).await), (400, "InvalidXmlNodeValue"), "{inner}");
    }
    let target = "/?restype=service&comp=userdelegationkey";
    let body = format!("<KeyInfo>{week}</KeyInfo>");
    let by_key = client.send("POST", target, &[], body).await;
    assert_eq!(outcome(&by_key), UNPROVED);
    assert_eq!(detail(&by_key), "Only authentication scheme Bearer is supported");
}

#[tokio::test]
async fn a_user_delegation_allows_what_its_delegator_may_at_the_time() {
    let (client, account) = account().await;
    let container = account.child("blobServices", "default").child("containers", "con");
    let roles = [("Storage Blob Delegator", &account), ("Storage Blob Data Reader", &container)];
    let (fields, key) = delegated(&client, &roles).await;
    let ask = async |terms: &str, path: &str, method: &str, target: &str| {
        let sas = client.sas_by(&key, &format!("sv=2026-04-06&{terms}&{TOMORROW}&{fields}"), path);
        client.send_with(method, target, &sas, "").await
    };
    for (terms, path, method, target, expected) in [
        ("sr=b&sp=r", "/con/a", "GET", "/con/a", OK),
        ("sr=c&sp=rl", "/con", "GET", "/con?restype=container&comp=list", OK),
        ("sr=c&sp=l", "/con", "GET", "/con/a", NO_LETTER),
        // Signed for, and the delegator may not.
        ("sr=b&sp=rw", "/con/a", "PUT", "/con/a", NO_LETTER),
        ("sr=b&sp=r", "/other/a", "GET", "/other/a", NO_LETTER),
        ("sr=b&sp=r", "/con/a", "GET", "/con/b", UNPROVED),
    ] {
        assert_eq!(outcome(&ask(terms, path, method, target).await), expected, "{terms} {method} {target}");
    }
    make_account(&client.server, CloudId::DEFAULT, "acct", |it| it.allows_shared_key = false).await;
    let answer = ask("sr=b&sp=r", "/con/a", "GET", "/con/a").await;
    assert_eq!(outcome(&answer), UNPROVED, "the account was made again, and has another secret");
}

#[tokio::test]
async fn a_user_delegation_ends_with_the_delegators_role_or_with_the_delegator() {
    for how in ["role", "principal", "key"] {
        let (client, account) = account().await;
        let roles = [("Storage Blob Delegator", &account), ("Storage Blob Data Reader", &account)];
        let (fields, key) = delegated(&client, &roles).await;
        let sas = client.sas_by(&key, &format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}&{fields}"), "/con/a");
        assert_eq!(outcome(&client.send_with("GET", "/con/a", &sas, "").await), OK);
        let server = &client.server;
        let ended = server.env.store.write(CloudId::DEFAULT, |txn| {
            match how {
                "role" => {
                    for assignment in assignments::of(txn, WHO)? {
                        assignments::delete(txn, &assignment.id, NOW)?;
                    }
                }
                "principal" => drop(service_principals::delete(txn, WHO)?),
                _ => {}
            }
            Ok::<_, azure::error::Error>(())
        });
        ended.await.expect("writes");
        if how == "key" {
            let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
            assert!(cloud.clock.move_to(NOW.plus(Duration::from_secs(25 * 3600))));
        }
        let answer = client.send_with("GET", "/con/a", &sas, "").await;
        let expected = if how == "key" { UNPROVED } else { NO_LETTER };
        assert_eq!(outcome(&answer), expected, "{how}: {}", answer.text());
    }
}

#[tokio::test]
async fn nothing_that_says_which_key_signed_can_be_changed() {
    let (client, account) = account().await;
    let roles = [("Storage Blob Delegator", &account), ("Storage Blob Data Reader", &account)];
    let (fields, key) = delegated(&client, &roles).await;
    let base =
        format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}&scid=c0ffee00-0000-4000-8000-000000000000&{fields}");
    let good = client.sas_by(&key, &base, "/con/a");
    assert_eq!(outcome(&client.send_with("GET", "/con/a", &good, "").await), OK);
    for (from, to) in [
        ("skoid=09", "skoid=08"),
        ("sktid=7af7e000", "sktid=7af7e001"),
        ("skt=2026-11-21T20", "skt=2026-11-21T19"),
        ("ske=2026-11-23", "ske=2026-11-24"),
        ("sks=b", "sks=q"),
        ("skv=2026-04-06", "skv=2026-02-06"),
        ("scid=c0", "scid=c1"),
        ("&sks=b", ""),
        ("&skoid", "&saoid=09090909-0909-0909-0909-090909090909&skoid"),
        ("&skoid", "&skdutid=7af7e000-c10d-4000-8000-00000000000a&skoid"),
        ("&skoid", "&sduoid=09090909-0909-0909-0909-090909090909&skoid"),
    ] {
        let bent = good.replacen(from, to, 1);
        assert_ne!(bent, good, "{from}");
        assert_eq!(outcome(&client.send_with("GET", "/con/a", &bent, "").await), UNPROVED, "{from} -> {to}");
    }
    let by_account_key = client.sas(&base, "/con/a");
    assert_eq!(outcome(&client.send_with("GET", "/con/a", &by_account_key, "").await), UNPROVED);
}

#[tokio::test]
async fn a_signature_for_one_user_wants_that_users_token() {
    let (client, account) = account().await;
    let roles = [("Storage Blob Delegator", &account), ("Storage Blob Data Reader", &account)];
    let (fields, key) = delegated(&client, &roles).await;
    let user = ObjectId(Guid([5; 16]));
    let sas =
        client.sas_by(&key, &format!("sv=2026-04-06&sr=b&sp=r&{TOMORROW}&{fields}&sduoid={user}"), "/con/a");
    assert_eq!(outcome(&client.send_with("GET", "/con/a", &sas, "").await), UNPROVED);
    for (who, expected) in [(user, OK), (WHO, UNPROVED)] {
        let token = token(&client.server, CloudId::DEFAULT, who, STORAGE).await;
        let authorization = format!("Bearer {token}");
        let target = format!("/con/a?{sas}");
        let answer = client.send_unsigned("GET", &target, &[("authorization", &authorization)]).await;
        assert_eq!(outcome(&answer), expected, "{who}");
    }
}

/// Every operation, asked with a signature that has all letters: what no signature allows is refused as that, and the
/// rest is let through to its handler.
#[tokio::test]
async fn every_operation_says_whether_signatures_allow_it() {
    let (client, _) = account().await;
    let of_account = client.sas(&format!("sv=2026-04-06&ss=b&srt=sco&sp=rwdxylacuptfi&{TOMORROW}"), "/");
    let of_container = client.sas(&format!("sv=2026-04-06&sr=c&sp=racwdxyltfmeopi&{TOMORROW}"), "/con");
    for row in OPERATIONS {
        let path = match row.level {
            Level::Account => "/",
            Level::Container => "/con",
            Level::Blob => "/con/nothing",
        };
        let query = [("restype", row.restype), ("comp", row.comp)]
            .map(|(name, value)| value.map_or_else(String::new, |it| format!("&{name}={it}")))
            .concat();
        let target = format!("{path}?blockid=AAAA{query}");
        // What makes or removes would change what the next row finds.
        let method = &row.methods[0];
        if matches!(row.name, "Delete Container" | "Delete Blob") {
            continue;
        }
        for (sas, letters) in [(&of_account, row.signed.of_account), (&of_container, row.signed.of_service)] {
            let answer = client.send_with(method.as_str(), &target, sas, "").await;
            let is_refused = answer.status == 403;
            assert_eq!(is_refused, letters.is_empty(), "{} {method}: {answer:?}", row.name);
        }
    }
}
