//! Requests signed with an account's key, changed after they were signed, or signed by somebody else.

use std::time::Duration;

use azure::{cosmos_key, text, time::Timestamp};
use http::{HeaderValue, Method, Request, Uri};
use serde_json::json;
use zaffre::{keys, service::Body};

use super::{
    Attack,
    stage::{Stage, tampered},
};
use crate::world::{Ask, Auth};

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let mut all = shared_key(stage);
    all.extend(master_key(stage));
    all.extend(read_only_key(stage).await);
    all
}

fn changed(
    stage: &Stage,
    name: impl Into<String>,
    ask: &Ask,
    refused: (u16, &str),
    change: impl FnOnce(&mut Request<Body>),
) -> Attack {
    let name = name.into();
    Attack { request: tampered(stage, ask, change), ..Attack::new(stage, name, ask, refused) }
}

fn set(request: &mut Request<Body>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header's value"));
}

fn to(request: &mut Request<Body>, target: &str) {
    *request.uri_mut() = target.parse::<Uri>().expect("a target");
}

fn header(request: &Request<Body>, name: &str) -> String {
    request.headers()[name].to_str().expect("text").to_owned()
}

/// The same header whose signature has one bit changed.
fn bent(header: &str, at: usize) -> String {
    let (front, signature) = header.rsplit_once([':', '=']).map_or((header, ""), |_| {
        let start = header.rfind(':').expect("SharedKey account:signature") + 1;
        header.split_at(start)
    });
    let mut bytes = text::base64_decode(signature).expect("a signature is base64");
    bytes[at] ^= 1;
    format!("{front}{}", text::base64(bytes))
}

fn shared_key(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let by_key = |ask: Ask| ask.by(world.account_key.clone());
    let get = by_key(world.blob("GET", "/con/a.txt?timeout=30"));
    let put = by_key(world.blob("PUT", "/con/forged.txt"))
        .with("x-ms-blob-type", "BlockBlob")
        .with("x-ms-meta-mark", "good")
        .with("content-type", "text/plain")
        .with("if-none-match", "*")
        .body("four");
    let refused = (403, "AuthenticationFailed");
    let now = stage.now();
    let mut all: Vec<Attack> = [0, 15, 31]
        .into_iter()
        .map(|at| {
            changed(
                stage,
                format!("a shared key's signature with a bit changed in byte {at}"),
                &get,
                refused,
                |it| {
                    let bent = bent(&header(it, "authorization"), at);
                    set(it, "authorization", &bent);
                },
            )
        })
        .collect();
    type Change = fn(&mut Request<Body>);
    let changes: [(&str, &Ask, Change); 14] = [
        ("the verb", &get, |it| *it.method_mut() = Method::DELETE),
        ("the verb to HEAD", &get, |it| *it.method_mut() = Method::HEAD),
        ("the path", &get, |it| to(it, "/con/b.txt?timeout=30")),
        ("the path's case", &get, |it| to(it, "/con/A.txt?timeout=30")),
        ("the path by a slash", &get, |it| to(it, "/con//a.txt?timeout=30")),
        ("the query", &get, |it| to(it, "/con/a.txt?timeout=31")),
        ("the query by more", &get, |it| to(it, "/con/a.txt?timeout=30&comp=metadata")),
        ("the query by less", &get, |it| to(it, "/con/a.txt")),
        ("the version", &get, |it| set(it, "x-ms-version", "2021-12-02")),
        ("a header of x-ms", &put, |it| set(it, "x-ms-meta-mark", "evil")),
        ("the headers of x-ms by one more", &put, |it| set(it, "x-ms-meta-more", "evil")),
        ("the content type", &put, |it| set(it, "content-type", "text/html")),
        ("the condition", &put, |it| drop(it.headers_mut().remove("if-none-match"))),
        ("the kind of blob", &put, |it| set(it, "x-ms-blob-type", "AppendBlob")),
    ];
    for (name, ask, change) in changes {
        // An answer to HEAD has no body, and its code is in a header all the same.
        all.push(changed(stage, format!("a shared key's request, changed: {name}"), ask, refused, change));
    }
    all.push(changed(stage, "a shared key's request, changed: the length", &put, refused, |it| {
        set(it, "content-length", "3");
        *it.body_mut() = Body::from("fou");
    }));
    all.push(changed(stage, "a shared key's request, changed: the account", &get, refused, |it| {
        let other = header(it, "authorization").replace("SharedKey acct:", "SharedKey other:");
        set(it, "authorization", &other);
    }));
    all.push(changed(stage, "a shared key's request as SharedKeyLite", &get, refused, |it| {
        let lite = header(it, "authorization").replace("SharedKey ", "SharedKeyLite ");
        set(it, "authorization", &lite);
    }));
    all.push(changed(stage, "a shared key's request whose date was taken away", &get, refused, |it| {
        drop(it.headers_mut().remove("x-ms-date"));
    }));
    for (name, minutes) in [("sixteen minutes late", 16), ("a day late", 1440)] {
        let date = now.minus(Duration::from_secs(minutes * 60));
        all.push(at(stage, format!("a shared key's request, {name}"), &get, date, refused));
    }
    let early = now.plus(Duration::from_secs(16 * 60));
    all.push(at(stage, "a shared key's request, sixteen minutes early".to_owned(), &get, early, refused));
    let strange = Auth::SharedKey { account: "acct".to_owned(), key: text::base64([7; 64]) };
    all.push(Attack::new(stage, "a strange key's signature", &get.clone().by(strange), refused));
    let emulator = Auth::SharedKey { account: "acct".to_owned(), key: well_known(stage) };
    all.push(Attack::new(
        stage,
        "the well-known key's signature at another account",
        &get.by(emulator),
        refused,
    ));
    all
}

/// The key of the drop-in port.
fn well_known(stage: &Stage) -> String {
    match stage.world.drop_in_blob("GET", "").auth {
        Auth::SharedKey { key, .. } => key,
        other => panic!("{other:?} is no key"),
    }
}

/// Well signed, at another time: the world signs with its own clock.
fn at(stage: &Stage, name: String, ask: &Ask, when: Timestamp, refused: (u16, &str)) -> Attack {
    let request = ask.request(when).expect("a request");
    Attack { request, ..Attack::new(stage, name, ask, refused) }
}

fn master_key(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let refused = (401, "Unauthorized");
    let get = world.account_document("GET", "/1").by(world.cosmos_key.clone());
    let list = world.account_cosmos("GET", "/dbs");
    let sign = |verb: &str, path: &str| {
        let Auth::CosmosKey(key) = &world.cosmos_key else { panic!("a key") };
        let date = stage.now().rfc1123();
        let request = cosmos_key::Request { verb, path, x_ms_date: &date, date: "", resolve_for: None };
        let payload = cosmos_key::payloads(&request).into_iter().next().expect("a payload");
        let key = text::base64_decode(key).expect("a key is base64");
        let signature = text::base64(keys::hmac_sha256(&key, payload.as_bytes()));
        text::percent_encode(&format!("type=master&ver=1.0&sig={signature}"))
    };
    let mut all = Vec::new();
    for (name, ask, verb, path) in [
        ("another verb", &get, "DELETE", "/dbs/shop/colls/orders/docs/1"),
        ("another document", &get, "GET", "/dbs/shop/colls/orders/docs/2"),
        ("another collection", &get, "GET", "/dbs/shop/colls/others/docs/1"),
        ("another database", &get, "GET", "/dbs/shoq/colls/orders/docs/1"),
        ("another type of resource", &get, "GET", "/dbs/shop/colls/orders/sprocs/1"),
        ("the collection above it", &get, "GET", "/dbs/shop/colls/orders"),
        ("another case of the link", &get, "GET", "/dbs/Shop/colls/orders/docs/1"),
        ("a database for the list of all", &list, "GET", "/dbs/shop"),
    ] {
        let signed = sign(verb, path);
        all.push(changed(stage, format!("a master key's signature over {name}"), ask, refused, |it| {
            set(it, "authorization", &signed);
        }));
    }
    for byte in [0, 31] {
        all.push(changed(
            stage,
            format!("a master key's signature with a bit changed in byte {byte}"),
            &get,
            refused,
            |it| {
                let shown = text::percent_decode(&header(it, "authorization")).expect("decodes");
                let (front, signature) = shown.split_once("sig=").expect("a signature");
                let mut bytes = text::base64_decode(signature).expect("is base64");
                bytes[byte] ^= 1;
                set(
                    it,
                    "authorization",
                    &text::percent_encode(&format!("{front}sig={}", text::base64(bytes))),
                );
            },
        ));
    }
    all.push(changed(stage, "a master key's request, changed: the date", &get, refused, |it| {
        let later = stage.now().plus(Duration::from_secs(1)).rfc1123();
        set(it, "x-ms-date", &later);
    }));
    for (name, change) in [
        ("an authorization of another version", ("ver%3D1.0", "ver%3D2.0")),
        ("a master key's signature as a token of Entra ID's", ("type%3Dmaster", "type%3Daad")),
        ("an authorization of no type", ("type%3Dmaster", "type%3D")),
    ] {
        all.push(changed(stage, name, &get, refused, |it| {
            let shown = header(it, "authorization").replace(change.0, change.1);
            set(it, "authorization", &shown);
        }));
    }
    let strange = Auth::CosmosKey(text::base64([7; 64]));
    all.push(Attack::new(stage, "a strange master key", &get.clone().by(strange), refused));
    let late = stage.now().minus(Duration::from_secs(16 * 60));
    all.push(at(
        stage,
        "a master key's request, sixteen minutes late".to_owned(),
        &get,
        late,
        (403, "Forbidden"),
    ));
    all.push(Attack::new(
        stage,
        "a master key as a bearer token",
        &get.clone().by(Auth::Bearer("x".to_owned())),
        refused,
    ));
    all
}

/// Reads everything, and writes nothing.
async fn read_only_key(stage: &Stage) -> Vec<Attack> {
    let world = &stage.world;
    let listed = world.arm("POST", &world.databases("/readonlykeys?api-version=2024-11-15"));
    let listed = stage.send(&listed).await;
    let key = listed.json()["primaryReadonlyMasterKey"].as_str().map(str::to_owned);
    let key = Auth::CosmosKey(key.unwrap_or_else(|| panic!("{}", listed.text())));
    let read = world.account_document("GET", "/1").by(key.clone());
    assert_eq!(stage.send(&read).await.status, 200, "it reads");
    let document = json!({ "id": "9", "customer": "ada" });
    let refused = (403, "Forbidden");
    let by = |ask: Ask| ask.by(key.clone());
    vec![
        Attack::new(
            stage,
            "a read-only key that creates",
            &by(world.account_document("POST", "")).json(&document),
            refused,
        ),
        Attack::new(
            stage,
            "a read-only key that replaces",
            &by(world.account_document("PUT", "/1")).json(&json!({ "id": "1", "customer": "ada" })),
            refused,
        ),
        Attack::new(
            stage,
            "a read-only key that deletes",
            &by(world.account_document("DELETE", "/1")),
            refused,
        ),
        Attack::new(
            stage,
            "a read-only key that makes a database",
            &by(world.account_cosmos("POST", "/dbs")).json(&json!({ "id": "x" })),
            refused,
        ),
        Attack::new(
            stage,
            "a read-only key that deletes a database",
            &by(world.account_cosmos("DELETE", "/dbs/shop")),
            refused,
        ),
    ]
}
