//! What is wrong with a request before any service sees it, and what can go wrong beneath all of them: each service
//! says each of it in its own words. They are `faults.txt`; `ZAFFRE_BLESS=1` writes them anew.
//!
//! A fault is put on the request where the front puts what it finds. What brings each of them about is in `sockets`, and
//! in the tests of the body and of the store.

use std::fmt::Write as _;

use zaffre::{
    cloud::CloudId,
    door::{Door, Entrance},
    service::Fault,
};

use super::{envelope, hold_against};
use crate::world::{Answer, Ask, Protocol, World};

const FAULTS: [Fault; 8] = [
    Fault::BadHead,
    Fault::HeadTooLarge,
    Fault::Misdirected,
    Fault::BodyTooLarge,
    Fault::BodyCutShort,
    Fault::BodyTooSlow,
    Fault::Internal,
    Fault::Unavailable,
];

/// A request to each service. Whatever it asks for, it is refused first.
fn services(world: &World) -> [(&'static str, Ask); 10] {
    let hosts = Door::at(CloudId::DEFAULT, Entrance::Hosts);
    let control = Door::at(CloudId::DEFAULT, Entrance::Control);
    [
        ("aad-graph", world.aad_graph("GET", "/users")),
        ("arm", world.arm("GET", "/subscriptions")),
        ("blob", world.blob("GET", "/con/a.txt")),
        ("control", Ask::new(Protocol::Plain, control, "localhost", "GET", "/vms")),
        ("cosmos", world.cosmos("GET", "/dbs")),
        ("entra", world.token_request("https://management.azure.com/.default")),
        ("graph", world.graph("GET", "/v1.0/users")),
        (
            "hosts",
            Ask::new(Protocol::Imds, hosts, "localhost", "GET", "/arc/x/metadata/identity/oauth2/token"),
        ),
        ("identity", world.metadata("/metadata/identity/oauth2/token")),
        ("imds", world.metadata("/metadata/instance")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_said_in_each_services_own_words() {
    let world = World::new().await;
    let (mut came, before) = (String::new(), world.state().await);
    for (name, ask) in services(&world) {
        let _ = writeln!(came, "{name}");
        for fault in FAULTS {
            let mut request = ask.request(world.cloud.clock.now()).expect("a request");
            request.extensions_mut().insert(fault);
            let answer = world.send(&ask.door, request).await;
            let unreadable = envelope::fault(&ask, &answer).filter(|_| answer.status < 500);
            assert!(answer.status >= 400 && unreadable.is_none(), "{name} {fault:?}: {unreadable:?}");
            let _ = writeln!(came, "    {fault:?}: {} {}", answer.status, said(&answer));
        }
    }
    assert!(world.state().await == before, "something changed");
    hold_against("faults.txt", &came);
}

/// Code and message, without the ids and the time that some protocols add to them.
fn said(answer: &Answer) -> String {
    let body = answer.json();
    let text = |pointer: &str| body.pointer(pointer).and_then(serde_json::Value::as_str);
    let code = ["/error/code", "/odata.error/code", "/error", "/code"].into_iter().find_map(text);
    let message = ["/error/message", "/odata.error/message/value", "/error_description", "/message"]
        .into_iter()
        .find_map(text);
    let text = answer.text();
    let element = |name: &str| text.split_once(&format!("<{name}>"))?.1.split(['<', '\n']).next();
    let all = [element("Code").or(code), element("Message").or(message)];
    let all = all.into_iter().flatten().map(|it| it.split(" Trace ID:").next().unwrap_or_default());
    all.filter_map(|it| it.lines().next()).collect::<Vec<_>>().join(": ")
}
