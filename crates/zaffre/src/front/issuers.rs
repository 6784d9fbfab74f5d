//! Asking an issuer on this machine for its keys, as Entra ID asks issuers anywhere.
//!
//! Two documents: the issuer's configuration, which must name the issuer to the letter, and the set of keys that
//! it points to. Both must be on this machine; nothing is followed elsewhere, and nothing is asked that a
//! federated credential does not name.

use std::time::Duration;

use azure::jwt::jwks::{self, PublicKey};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    directory::federation::{Loopback, loopback},
    env::FetchedKeys,
};

/// For both documents together.
const PATIENCE: Duration = Duration::from_secs(5);
const DOCUMENT_BYTES: usize = 256 << 10;

/// The issuer's keys; else why there are none, for the log.
pub(crate) fn fetch(issuer: String) -> FetchedKeys {
    Box::pin(async move {
        let fetched = tokio::time::timeout(PATIENCE, keys(&issuer)).await;
        fetched.unwrap_or_else(|_| Err(format!("`{issuer}` did not answer within {PATIENCE:?}")))
    })
}

async fn keys(issuer: &str) -> Result<Vec<PublicKey>, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let configuration = document(&format!("{base}/.well-known/openid-configuration")).await?;
    if configuration["issuer"] != issuer {
        return Err(format!("the configuration of `{issuer}` names another issuer"));
    }
    let uri = configuration["jwks_uri"].as_str().ok_or("the configuration has no `jwks_uri`")?;
    jwks::parse(&document(uri).await?).map_err(|why| format!("`{uri}`: {why}"))
}

async fn document(url: &str) -> Result<Value, String> {
    let place = loopback(url).ok_or_else(|| {
        format!("`{url}` is not on this machine; `zaffre federation trust ISSUER --jwks FILE` gives its keys")
    })?;
    get(&place).await.map_err(|error| format!("`{url}`: {error}"))
}

async fn get(place: &Loopback) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(place.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let talking = tokio::spawn(connection);
    let request =
        Request::get(&place.path).header(header::HOST, &place.authority).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), DOCUMENT_BYTES).collect().await?.to_bytes();
    talking.abort();
    if status != 200 {
        return Err(format!("the answer is {status}").into());
    }
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use azure::{text::base64url, time::Timestamp};
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        cloud::CloudId,
        directory::{
            applications::{self, FederatedCredential},
            founding,
        },
        door::Door,
        keys::SigningKey,
        service::Body,
        store::Txn,
    };

    /// An issuer that answers every connection with the next of these documents.
    async fn issuer(documents: impl FnOnce(&str) -> Vec<Value>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let name = format!("http://{}", listener.local_addr().expect("an address"));
        let documents = documents(&name);
        tokio::spawn(async move {
            for document in documents {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                let (status, body) = match document.as_u64() {
                    Some(status) => (status, String::new()),
                    None => (200, document.to_string()),
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLocation: /x\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.expect("answers");
            }
        });
        name
    }

    fn set() -> Value {
        json!({"keys": [{"kty": "RSA", "kid": "a", "n": "AQID", "e": "AQAB"}]})
    }

    #[tokio::test]
    async fn an_issuer_on_this_machine_gives_its_keys() {
        let name =
            issuer(|name| vec![json!({"issuer": name, "jwks_uri": format!("{name}/keys")}), set()]).await;
        let keys = fetch(name).await.expect("its keys");
        assert_eq!((keys.len(), keys[0].kid.as_str()), (1, "a"));
    }

    /// Entra ID believes a token that was signed with what the issuer served.
    #[tokio::test]
    async fn a_token_of_an_issuer_on_this_machine_proves_an_application() {
        const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
        let key = SigningKey::generate(NOW).expect("a key");
        let set = json!({"keys": [{
            "kty": "RSA", "kid": key.kid, "n": base64url(&key.modulus), "e": base64url(&key.exponent),
        }]});
        let name =
            issuer(|name| vec![json!({"issuer": name, "jwks_uri": format!("{name}/keys")}), set]).await;
        let server = crate::Server::in_memory(1, NOW).await;
        let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
        let believe = |txn: &mut Txn| {
            let id = founding::ADMIN_APPLICATION.parse().expect("a guid");
            let mut application = applications::get(txn, id)?.expect("is there");
            application.federated.push(FederatedCredential {
                id: azure::ids::Guid([8; 16]),
                name: "local".to_owned(),
                issuer: name.clone(),
                subject: "me".to_owned(),
                audiences: vec!["api://AzureADTokenExchange".to_owned()],
                description: None,
            });
            applications::put(txn, &application)
        };
        server.env.store.write(cloud.id, believe).await.expect("writes");
        let header = json!({"alg": "RS256", "kid": key.kid});
        let claims =
            json!({"iss": name, "sub": "me", "aud": "api://AzureADTokenExchange", "exp": NOW.seconds() + 60});
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let token = azure::jwt::finish(&input, &key.sign(input.as_bytes()));
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_assertion={token}&client_assertion_type={}&scope={}",
            founding::ADMIN_APPLICATION,
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "https://storage.azure.com/.default",
        );
        let request =
            Request::post("https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(form))
                .expect("a request");
        let answer = server.send(Door::named(CloudId::DEFAULT), request).await;
        assert_eq!(answer.status(), 200);
    }

    #[tokio::test]
    async fn whatever_is_elsewhere_or_is_no_issuer_is_not_believed() {
        for (documents, why) in [
            (vec![json!({"issuer": "http://127.0.0.1:1", "jwks_uri": "x"})], "another issuer"),
            (vec![json!(302)], "302"),
            (vec![json!(500)], "500"),
            (vec![json!([])], "another issuer"),
        ] {
            let name = issuer(|_| documents).await;
            let said = fetch(name).await.expect_err("refuses");
            assert!(said.contains(why), "{said}");
        }
        for (uri, why) in [
            ("https://evil.example/keys", "not on this machine"),
            ("http://10.0.0.1/", "not on this machine"),
        ] {
            let name = issuer(|name| vec![json!({"issuer": name, "jwks_uri": uri})]).await;
            let said = fetch(name).await.expect_err("refuses");
            assert!(said.contains(why), "{said}");
        }
        let said =
            fetch("https://token.actions.githubusercontent.com".to_owned()).await.expect_err("refuses");
        assert!(said.contains("zaffre federation trust"), "{said}");
    }
}
