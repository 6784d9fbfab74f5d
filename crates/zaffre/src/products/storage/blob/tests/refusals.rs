//! Refusals by counting: every row of the table of operations is asked for by nobody, and by somebody without a role.

use azure::ids::{Guid, ObjectId};
use http::{Method, Request};

use super::client::{Client, NOW, VERSION, token};
use crate::{
    Server,
    cloud::CloudId,
    products::storage::blob::{
        address::Level,
        op::{OPERATIONS, Op, Row},
    },
    service::Parts,
};

type Headers = &'static [(&'static str, &'static str)];

/// What tells rows of one method and path apart, and what they cannot do without.
static KINDS: [Headers; 5] = [
    &[("x-ms-blob-type", "BlockBlob")],
    &[("x-ms-copy-source", "https://a.example/b")],
    &[("x-ms-copy-source", "https://a.example/b"), ("x-ms-blob-type", "BlockBlob")],
    &[("x-ms-blob-type", "PageBlob")],
    &[("x-ms-blob-type", "AppendBlob")],
];

fn target(row: &Row) -> String {
    let path = match row.level {
        Level::Account => "/",
        Level::Container => "/con",
        Level::Blob => "/con/a",
    };
    let parameter =
        |name: &str, value: Option<&str>| value.map_or_else(String::new, |it| format!("&{name}={it}"));
    let (restype, comp) = (parameter("restype", row.restype), parameter("comp", row.comp));
    format!("{path}?blockid=AAAA{restype}{comp}")
}

/// Headers by which a request of the method is this row's.
fn headers(client: &Client, row: &'static Row, method: &Method) -> Headers {
    let is_read_as_it = |headers: &&Headers| {
        let mut request =
            Request::builder().method(method).uri(target(row)).header("host", "acct.blob.core.windows.net");
        for (name, value) in **headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.header("x-ms-version", VERSION).body(()).expect("a request").into_parts();
        Op::of(&Parts::new(client.door.clone(), head)).is_ok_and(|op| std::ptr::eq(op.row, row))
    };
    KINDS.iter().find(is_read_as_it).unwrap_or_else(|| panic!("no request of these is {} {method}", row.name))
}

#[tokio::test]
async fn every_operation_is_refused_to_nobody_and_to_those_without_a_role() {
    let server = Server::in_memory(1, NOW).await;
    let client = Client::named(&server, CloudId::DEFAULT, "acct").await;
    client.make_container("con").await;
    client.put("/con/a", "content").await;
    let somebody = ObjectId(Guid([9; 16]));
    let token = token(&server, CloudId::DEFAULT, somebody, "https://storage.azure.com/").await;
    let bearer = format!("Bearer {token}");
    for row in OPERATIONS {
        for method in row.methods {
            let (target, mut headers) = (target(row), headers(&client, row, method).to_vec());
            let nobody = client.send_unsigned(method.as_str(), &target, &headers).await;
            // To nobody, what is private is not there; a token's holder is told.
            let as_nobody = [
                (401, "NoAuthenticationInformation"),
                (404, "ResourceNotFound"),
                (409, "PublicAccessNotPermitted"),
            ];
            assert!(as_nobody.contains(&(nobody.status, nobody.code())), "{} {method}: {nobody:?}", row.name);
            headers.push(("authorization", &bearer));
            let refused = client.send_unsigned(method.as_str(), &target, &headers).await;
            assert_eq!(
                (refused.status, refused.code()),
                (403, "AuthorizationPermissionMismatch"),
                "{} {method}",
                row.name
            );
        }
    }
    assert_eq!(client.get("/con/a").await.text(), "content");
}

/// A drop-in port is no way around it.
#[tokio::test]
async fn nobody_may_anything_at_the_drop_in_port() {
    let client = Client::drop_in().await;
    client.make_container("con").await;
    for row in OPERATIONS {
        for method in row.methods {
            let headers = headers(&client, row, method);
            let answer = client.send_unsigned(method.as_str(), &target(row), headers).await;
            assert!([401, 404, 409].contains(&answer.status), "{} {method}: {answer:?}", row.name);
        }
    }
}
