//! Who may do what, and how each refusal looks.

use azure::{
    ids::{Guid, ObjectId, ResourceId},
    text,
};

use super::client::{Answer, Client, NOW, VERSION, grant, grant_when, make_account, token};
use crate::{Server, cloud::CloudId};

const WHO: ObjectId = ObjectId(Guid([9; 16]));
const STORAGE: &str = "https://storage.azure.com/";

async fn account() -> (Client, ResourceId) {
    let server = Server::in_memory(1, NOW).await;
    let client = Client::named(&server, CloudId::DEFAULT, "acct").await;
    client.make_container("con").await;
    client.put("/con/a", "content").await;
    let id = make_account(&server, CloudId::DEFAULT, "acct", |_| {}).await.id;
    (client, id)
}

async fn with_token(client: &Client, method: &str, target: &str, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers =
        [("authorization", authorization.as_str()), ("x-ms-blob-type", "BlockBlob"), ("content-length", "0")];
    client.send_unsigned(method, target, &headers).await
}

#[tokio::test]
async fn a_token_is_refused_before_the_role_is_given_and_allowed_after() {
    let (client, account) = account().await;
    let token = token(&client.server, CloudId::DEFAULT, WHO, STORAGE).await;
    let before = with_token(&client, "GET", "/con/a", &token).await;
    assert_eq!((before.status, before.code()), (403, "AuthorizationPermissionMismatch"));
    let scope = account.child("blobServices", "default").child("containers", "con");
    grant(&client.server, WHO, "Storage Blob Data Reader", &scope).await;
    let after = with_token(&client, "GET", "/con/a", &token).await;
    assert_eq!((after.status, after.text()), (200, "content"));
    for (method, target) in [("PUT", "/con/b"), ("DELETE", "/con/a"), ("GET", "/other/a")] {
        let answer = with_token(&client, method, target, &token).await;
        assert_eq!(answer.code(), "AuthorizationPermissionMismatch", "{method} {target}");
    }
}

#[tokio::test]
async fn a_condition_narrows_a_role_to_what_it_names() {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";
    let (client, account) = account().await;
    client.put("/con/public/b", "open").await;
    let token = token(&client.server, CloudId::DEFAULT, WHO, STORAGE).await;
    let condition = format!(
        "((!(ActionMatches{{'{BLOBS}/blobs/read'}} AND NOT SubOperationMatches{{'Blob.List'}})) \
         OR (@Resource[{BLOBS}:name] StringEquals 'con' AND @Resource[{BLOBS}/blobs:path] StringLike 'public/*')) \
         AND ((!(ActionMatches{{'{BLOBS}/blobs/read'}} AND SubOperationMatches{{'Blob.List'}})) \
         OR (@Request[{BLOBS}/blobs:prefix] StringStartsWith 'public/'))"
    );
    grant_when(&client.server, WHO, "Storage Blob Data Contributor", &account, Some(&condition)).await;
    for (method, target, status) in [
        ("GET", "/con/public/b", 200),
        ("GET", "/con/a", 403),
        ("GET", "/con?restype=container&comp=list&prefix=public/", 200),
        ("GET", "/con?restype=container&comp=list&prefix=pub", 403),
        ("GET", "/con?restype=container&comp=list", 403),
        ("PUT", "/con/anywhere", 201),
    ] {
        assert_eq!(with_token(&client, method, target, &token).await.status, status, "{method} {target}");
    }
}

#[tokio::test]
async fn reader_and_even_owner_read_containers_and_no_data() {
    let (client, account) = account().await;
    for role in ["Reader", "Owner"] {
        let who = ObjectId(Guid([role.len() as u8; 16]));
        let token = token(&client.server, CloudId::DEFAULT, who, STORAGE).await;
        grant(&client.server, who, role, &account).await;
        assert_eq!(with_token(&client, "GET", "/con?restype=container", &token).await.status, 200, "{role}");
        for target in ["/con/a", "/con?restype=container&comp=list"] {
            let answer = with_token(&client, "GET", target, &token).await;
            assert_eq!(answer.code(), "AuthorizationPermissionMismatch", "{role} {target}");
        }
    }
}

#[tokio::test]
async fn contributors_of_data_write_read_list_and_delete() {
    let (client, account) = account().await;
    grant(&client.server, WHO, "Storage Blob Data Contributor", &account).await;
    let token = token(&client.server, CloudId::DEFAULT, WHO, "https://acct.blob.core.windows.net").await;
    for (method, target, status) in [
        ("PUT", "/con/b", 201),
        ("GET", "/con/b", 200),
        ("HEAD", "/con/b", 200),
        ("GET", "/con?restype=container&comp=list", 200),
        ("PUT", "/new?restype=container", 201),
        ("DELETE", "/con/b", 202),
        ("GET", "/?comp=list", 200),
    ] {
        assert_eq!(with_token(&client, method, target, &token).await.status, status, "{method} {target}");
    }
}

#[tokio::test]
async fn tokens_that_are_no_good_here_say_why() {
    let (client, account) = account().await;
    grant(&client.server, WHO, "Storage Blob Data Owner", &account).await;
    let good = token(&client.server, CloudId::DEFAULT, WHO, STORAGE).await;
    let arm = token(&client.server, CloudId::DEFAULT, WHO, "https://management.azure.com/").await;
    let other = token(&client.server, CloudId::DEFAULT, WHO, "https://other.blob.core.windows.net").await;
    let mut changed = good.clone();
    changed.replace_range(
        changed.len() - 9..changed.len() - 8,
        if good.as_bytes()[good.len() - 9] == b'A' { "B" } else { "A" },
    );
    for (token, detail) in [
        (arm.as_str(), "Audience validation failed. Audience did not match."),
        (other.as_str(), "Audience validation failed. Audience did not match."),
        (changed.as_str(), "Signature validation failed. Keys did not match."),
        ("not.a.token", "The token is not a well-formed JWT."),
    ] {
        let answer = with_token(&client, "GET", "/con/a", token).await;
        assert_eq!((answer.status, answer.code()), (401, "InvalidAuthenticationInfo"), "{detail}");
        assert_eq!(answer.elements("AuthenticationErrorDetail"), [detail]);
        assert!(answer.header("www-authenticate").contains("resource_id=https://storage.azure.com"));
    }
    let cloud = client.server.cloud(CloudId::DEFAULT).expect("is open");
    cloud.clock.move_to(NOW.plus(std::time::Duration::from_secs(7200)));
    let late = with_token(&client, "GET", "/con/a", &good).await;
    assert_eq!(
        late.elements("AuthenticationErrorDetail"),
        ["Lifetime validation failed. The token is expired."]
    );
}

#[tokio::test]
async fn a_token_needs_tls_and_a_version_that_knows_tokens() {
    let (mut client, account) = account().await;
    grant(&client.server, WHO, "Storage Blob Data Owner", &account).await;
    let token = format!("Bearer {}", token(&client.server, CloudId::DEFAULT, WHO, STORAGE).await);
    for version in ["2017-07-29", "-"] {
        let headers = [("authorization", token.as_str()), ("x-ms-version", version)];
        let answer = client.send_unsigned("GET", "/con/a", &headers).await;
        assert_eq!((answer.status, answer.code()), (403, "AuthenticationFailed"), "{version}");
        let detail = "Authentication scheme Bearer is not supported in this version.";
        assert_eq!(answer.elements("AuthenticationErrorDetail"), [detail]);
    }
    client.door.tls = false;
    let plain = client.send_unsigned("GET", "/con/a", &[("authorization", &token)]).await;
    assert_eq!((plain.status, plain.code()), (400, "AccountRequiresHttps"));
    let drop_in = Client::over(client.server);
    let plain = drop_in.send_unsigned("GET", "/con/a", &[("authorization", &token)]).await;
    let detail = "Authentication scheme Bearer is not allowed with HTTP.";
    assert_eq!(plain.elements("AuthenticationErrorDetail"), [detail]);
}

#[tokio::test]
async fn nobody_is_challenged_and_before_2019_12_12_sees_nothing() {
    let (client, _) = account().await;
    let asked = client.send_unsigned("GET", "/con/a", &[]).await;
    assert_eq!((asked.status, asked.code()), (401, "NoAuthenticationInformation"));
    assert!(asked.reason.starts_with("Server failed to authenticate the request."));
    let challenge = asked.header("www-authenticate");
    let tenant = crate::cloud::DEFAULT_TENANT;
    assert_eq!(
        challenge,
        format!(
            "Bearer authorization_uri=https://login.microsoftonline.com/{tenant}/oauth2/authorize \
             resource_id=https://storage.azure.com"
        )
    );
    let old = client.send_unsigned("GET", "/con/a", &[("x-ms-version", "2018-11-09")]).await;
    assert_eq!((old.status, old.code()), (404, "ResourceNotFound"));
    let sas = client.send_unsigned("GET", "/con/a?sv=2021-12-02&sig=abc", &[]).await;
    assert_eq!((sas.status, sas.code()), (403, "AuthenticationFailed"), "never taken for anonymous");
    assert_eq!(sas.elements("AuthenticationErrorDetail"), ["sr is mandatory. Cannot be empty"]);
}

#[tokio::test]
async fn a_public_container_is_read_by_anybody_as_far_as_it_says() {
    let client = Client::drop_in().await;
    for (name, access, blob, list) in
        [("blobs", "blob", 200, 401), ("whole", "container", 200, 200), ("closed", "-", 401, 401)]
    {
        let target = format!("/{name}?restype=container");
        client.send("PUT", &target, &[("x-ms-blob-public-access", access)], "").await;
        client.put(&format!("/{name}/a"), "x").await;
        assert_eq!(client.send_unsigned("GET", &format!("/{name}/a"), &[]).await.status, blob, "{name}");
        let listed = client.send_unsigned("GET", &format!("{target}&comp=list"), &[]).await;
        assert_eq!(listed.status, list, "{name}");
        assert_eq!(client.send_unsigned("DELETE", &format!("/{name}/a"), &[]).await.status, 401, "{name}");
    }
    let (strict, _) = account().await;
    let headers = [("x-ms-blob-public-access", "blob")];
    let refused = strict.send("PUT", "/pub?restype=container", &headers, "").await;
    assert_eq!((refused.status, refused.code()), (409, "PublicAccessNotPermitted"));
}

#[tokio::test]
async fn a_wrong_key_is_shown_what_should_have_been_signed() {
    let client = Client::drop_in().await.with_key(&[7; 64]);
    let answer = client.get("/con/a?comp=metadata").await;
    assert_eq!((answer.status, answer.code()), (403, "AuthenticationFailed"));
    let detail = answer.elements("AuthenticationErrorDetail")[0];
    let signed = format!(
        "x-ms-date:{}\nx-ms-version:{VERSION}\n/devstoreaccount1/devstoreaccount1/con/a\ncomp:metadata'.",
        NOW.rfc1123()
    );
    assert!(detail.ends_with(&signed), "{detail}");
}

#[tokio::test]
async fn signatures_that_are_malformed_old_or_anothers_are_refused() {
    let client = Client::drop_in().await;
    for (authorization, date, status, code) in [
        ("SharedKey", NOW.rfc1123(), 400, "InvalidAuthenticationInfo"),
        ("SharedKey devstoreaccount1", NOW.rfc1123(), 400, "InvalidAuthenticationInfo"),
        ("Basic abc", NOW.rfc1123(), 400, "InvalidAuthenticationInfo"),
        ("SharedKey other:c2ln", NOW.rfc1123(), 403, "AuthenticationFailed"),
        ("SharedKey devstoreaccount1:c2ln", "yesterday".to_owned(), 403, "AuthenticationFailed"),
        (
            "SharedKey devstoreaccount1:c2ln",
            azure::time::Timestamp::from_seconds(0).rfc1123(),
            403,
            "AuthenticationFailed",
        ),
    ] {
        let headers = [("authorization", authorization), ("x-ms-date", date.as_str())];
        let answer = client.send_unsigned("GET", "/con/a", &headers).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{authorization} {date}");
    }
    let stale = NOW.minus(std::time::Duration::from_secs(16 * 60)).rfc1123();
    let answer = client.send("GET", "/?comp=list", &[("x-ms-date", &stale)], "").await;
    assert_eq!((answer.status, answer.code()), (403, "AuthenticationFailed"));
    let recent = NOW.minus(std::time::Duration::from_secs(14 * 60)).rfc1123();
    assert_eq!(client.send("GET", "/?comp=list", &[("x-ms-date", &recent)], "").await.status, 200);
}

#[tokio::test]
async fn an_account_can_do_without_keys() {
    let (client, _) = account().await;
    make_account(&client.server, CloudId::DEFAULT, "acct", |it| it.allows_shared_key = false).await;
    let answer = client.get("/con/a").await;
    assert_eq!((answer.status, answer.code()), (403, "KeyBasedAuthenticationNotPermitted"));
}

#[tokio::test]
async fn either_key_opens_and_the_well_known_one_only_its_own_account() {
    let (second, _) = account().await;
    assert_eq!(second.get("/con/a").await.status, 200, "the client signs with key2");
    let first = make_account(&second.server, CloudId::DEFAULT, "acct", |_| {}).await.keys.key1.reveal();
    let first = second.with_key(&text::base64_decode(&first).expect("base64"));
    assert_eq!(first.get("/con/a").await.status, 200);
    let named = Client::named(&first.server, CloudId::DEFAULT, "other").await;
    assert_eq!(named.with_key(b"not its key").get("/con/a").await.code(), "AuthenticationFailed");
}

#[tokio::test]
async fn an_account_that_is_not_there_is_not_found() {
    let (client, _) = account().await;
    let drop_in = Client::over(client.server);
    let request = http::Request::get("/nobody/con/a").header("x-ms-version", VERSION);
    let request = request.body(crate::service::Body::empty()).expect("a request");
    let answer = drop_in.server.send(drop_in.door.clone(), request).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["x-ms-error-code"], "ResourceNotFound");
}
