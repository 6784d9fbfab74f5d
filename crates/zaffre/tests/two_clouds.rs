//! Two clouds in one process, whose tenant, subscription and every name are the same: neither sees anything of the other.

use std::sync::Arc;

use serde_json::json;
use zaffre::{
    Server,
    cloud::{Chance, Charter, Clock, Cloud, CloudId},
    door::{Door, From},
};

use crate::world::{Answer, Ask, Auth, NOW, Protocol, World};

async fn two() -> (World, World) {
    let server = Server::in_memory(1, NOW).await;
    let (clock, chance) = (Clock::set(NOW), Chance::seeded(2));
    let other = Cloud { id: CloudId(2), charter: Charter::contoso(NOW), clock, chance };
    server.open(other).await.expect("opens");
    let one = World::furnished(Arc::clone(&server), CloudId::DEFAULT, "one").await;
    let two = World::furnished(server, CloudId(2), "two").await;
    (one, two)
}

/// Every read of the first, at the doors of the second but by the first's own tokens and keys.
fn reads(of: &World, at: &World) -> Vec<Ask> {
    vec![
        at.arm("GET", &at.group("?api-version=2024-11-01")).by(of.arm.clone()),
        at.arm("PUT", &at.group("?api-version=2024-11-01"))
            .by(of.arm.clone())
            .json(&json!({ "location": "westeurope" })),
        at.blob("GET", "/con/a.txt").by(of.storage.clone()),
        at.blob("GET", "/con/a.txt").by(of.account_key.clone()),
        at.blob("DELETE", "/con/a.txt").by(of.account_key.clone()),
        at.account_cosmos("GET", "/dbs").by(of.cosmos_key.clone()),
        at.account_document("GET", "/1").by(of.cosmos_token.clone()),
        at.account_document("DELETE", "/1").by(of.cosmos_token.clone()),
        at.graph("GET", "/v1.0/users").by(of.graph.clone()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_keys_of_one_cloud_are_refused_by_the_other() {
    let (one, two) = two().await;
    for (of, at) in [(&one, &two), (&two, &one)] {
        let before = at.state().await;
        for ask in reads(of, at) {
            let answer = at.ask(&ask).await;
            assert!([401, 403].contains(&answer.status), "{} {}: {}", ask.method, ask.target, answer.text());
        }
        // The same, by their own: what was refused is not refused for its form.
        for ask in reads(at, at).iter().filter(|ask| ask.method == "GET") {
            assert_eq!(at.ask(ask).await.status, 200, "{} {}", ask.method, ask.target);
        }
        assert!(at.state().await == before, "something changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_names_hold_other_contents_in_each_cloud() {
    let (one, two) = two().await;
    for (world, own, others) in [(&one, "one", "two"), (&two, "two", "one")] {
        let state = world.state().await;
        assert!(state.contains(own) && !state.contains(&format!("\"mark\":\"{others}\"")), "{state}");
        for read in [world.blob("GET", "/con/a.txt"), world.drop_in_blob("GET", "/con/a.txt")] {
            assert_eq!(world.ask(&read).await.text(), own);
        }
        for read in [world.document("GET", "/1"), world.account_document("GET", "/1")] {
            assert_eq!(world.ask(&read).await.json()["mark"], own);
        }
    }
    let key = |world: &World| match &world.account_key {
        Auth::SharedKey { key, .. } => key.clone(),
        other => panic!("{other:?} is no key"),
    };
    assert_ne!(key(&one), key(&two), "keys are drawn for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_in_one_cloud_stays_in_the_other() {
    let (one, two) = two().await;
    let before = two.state().await;
    for ask in [
        one.blob("DELETE", "/con?restype=container"),
        one.drop_in_blob("DELETE", "/con?restype=container"),
        one.document("DELETE", "/1"),
        one.cosmos("DELETE", "/dbs/shop"),
        one.account_document("DELETE", "/1"),
        one.arm("DELETE", &one.group("?api-version=2024-11-01")),
    ] {
        let answer = one.ask(&ask).await;
        assert!((200..300).contains(&answer.status), "{} {}: {}", ask.method, ask.target, answer.text());
    }
    assert_eq!(two.state().await, before);
    assert_eq!(one.ask(&one.cosmos("GET", "/dbs/shop")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_one_in_its_own_cloud_alone() {
    let (one, two) = two().await;
    let token =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";
    let vm_ids = [&one, &two].map(|world| match &world.machine.from {
        From::Guest { vm_id, .. } => *vm_id,
        From::Host(_) => panic!("a machine is a guest"),
    });
    assert_ne!(vm_ids[0], vm_ids[1]);
    for (of, at) in [(&one, &two), (&two, &one)] {
        let own = of.ask(&of.metadata(token)).await;
        assert_eq!(own.status, 200, "{}", own.text());
        // Its own machine's door, opened into the other cloud.
        let strayed = Ask { door: Door { cloud: at.cloud.id, ..of.machine.clone() }, ..of.metadata(token) };
        assert_eq!(at.ask(&strayed).await.status, 400);
        let its_token = Auth::Bearer(own.json()["access_token"].as_str().expect("a token").to_owned());
        let group = "?api-version=2024-11-01";
        assert_eq!(
            refusal(&at.ask(&at.arm("GET", &at.group(group)).by(its_token.clone())).await),
            (401, "InvalidAuthenticationToken".to_owned())
        );
        assert_eq!(
            refusal(&of.ask(&of.arm("GET", &of.group(group)).by(its_token)).await),
            (403, "AuthorizationFailed".to_owned())
        );
    }
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code(Protocol::Arm))
}
