//! The attack suite: one row an attack, each a whole request to a furnished cloud, each refused with the status and
//! the code that Azure has for it. A row that is let through is a hole.
//!
//! ```text
//! tokens      forged, stolen, expired or meant for somebody else, at every service that takes them
//! sign_in     the token service: codes and assertions that come twice, PKCE, redirect URIs, tenants
//! machines    a guest that asks for another's identity, and what is no guest at all
//! signatures  the keys of storage and Cosmos accounts: one bit, one verb, one minute off
//! shared_access  signatures in a query: one bit, another blob, another time, a delegator who lost the role
//! scopes      ids that look like others: prefixes, encodings, alphabets
//! roles       giving oneself more than one has
//! hosts       names that look like Azure's
//! framing     HTTP's own lines and lengths, over sockets, at every kind of door
//! ```
//!
//! `cargo xtask campaign attack` prints each row and how many there are; this test is the same without the printing.

mod framing;
mod hosts;
mod machines;
mod roles;
mod scopes;
mod shared_access;
mod sign_in;
mod signatures;
mod stage;
mod tokens;

use std::collections::BTreeSet;

use http::Request;
use zaffre::{door::Door, service::Body};

use self::stage::Stage;
use crate::world::{Answer, Ask, Protocol};

/// Fewer rows than these mean that some were lost.
const ROWS_MIN: usize = 1100;

/// What is done, and how it is to be refused.
struct Attack {
    name: String,
    protocol: Protocol,
    door: Door,
    request: Request<Body>,
    status: u16,
    /// The protocol's code; a page or a text has to contain it.
    code: String,
}

impl Attack {
    /// None where no client of HTTP could send it, which a row must not be.
    fn new(stage: &Stage, name: impl Into<String>, ask: &Ask, refused: (u16, &str)) -> Attack {
        let name = name.into();
        let request = ask.request(stage.now()).unwrap_or_else(|| panic!("{name}: HTTP cannot carry it"));
        Attack {
            protocol: ask.protocol,
            door: ask.door.clone(),
            request,
            status: refused.0,
            code: refused.1.to_owned(),
            name,
        }
    }

    fn is_refused(&self, answer: &Answer) -> bool {
        let is_json = answer.header("content-type").contains("json") || self.protocol == Protocol::Blob;
        let is_said = match (is_json, answer.status) {
            (true, _) => answer.code(self.protocol) == self.code,
            // Back to the application, with the refusal in the address.
            (false, 302) => answer.header("location").contains(&self.code),
            (false, _) => answer.text().contains(&self.code),
        };
        answer.status == self.status && is_said && !self.code.is_empty()
    }
}

/// What furnishing the cloud awaits is, unoptimized, more than a test's own stack holds.
const STACK_BYTES: usize = 16 << 20;

#[test]
fn every_attack_is_refused_in_azures_words() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let attacked = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || runtime.block_on(attack()))
        .expect("a thread");
    attacked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[expect(clippy::print_stdout, reason = "the campaign prints its rows, and a test its last line")]
async fn attack() {
    let campaign = std::env::var("ZAFFRE_CAMPAIGN_ATTACKS").ok();
    let at_least = campaign.as_ref().map_or(ROWS_MIN, |it| it.parse().expect("a number"));
    let stage = Stage::new().await;
    let before = stage.world.state().await;
    let themes = [
        ("tokens", tokens::attacks(&stage).await),
        ("sign-in", sign_in::attacks(&stage).await),
        ("machines", machines::attacks(&stage).await),
        ("signatures", signatures::attacks(&stage).await),
        ("shared access", shared_access::attacks(&stage)),
        ("scopes", scopes::attacks(&stage).await),
        ("roles", roles::attacks(&stage).await),
        ("hosts", hosts::attacks(&stage).await),
    ];
    let (mut names, mut count, mut holes) = (BTreeSet::new(), 0, Vec::new());
    for (theme, attacks) in themes {
        for attack in attacks {
            let name = format!("{theme}: {}", attack.name);
            assert!(names.insert(name.clone()), "two rows are called `{name}`");
            count += 1;
            let line = format!("{name}: {} {}", attack.status, attack.code);
            let (door, request) = (attack.door.clone(), attack.request.map(|body| body));
            let expected = Attack { request: Request::new(Body::from("")), ..attack };
            let answer = stage.world.send(&door, request).await;
            if campaign.is_some() {
                println!("{line}");
            }
            if !expected.is_refused(&answer) {
                let said = answer.text().chars().take(300).collect::<String>();
                let code = answer.code(expected.protocol);
                holes.push(format!("{line}\n    came {} {code} {said}", answer.status));
            }
        }
    }
    for outcome in framing::outcomes().await {
        let name = format!("framing: {}", outcome.name);
        assert!(names.insert(name.clone()), "two rows are called `{name}`");
        count += 1;
        let line = format!("{name}: {:?}", outcome.expected);
        if campaign.is_some() {
            println!("{line}");
        }
        if !outcome.is_refused() {
            let came = outcome.came.0.chars().take(300).collect::<String>();
            holes.push(format!("{line}\n    came {:?} {came}", outcome.came.statuses()));
        }
    }
    let refused = count - holes.len();
    assert!(holes.is_empty(), "attacks {count} refused {refused}\n{}", holes.join("\n"));
    assert!(stage.world.state().await == before, "a refused request left something behind");
    assert!(count >= at_least, "only {count} attacks are left");
    println!("attacks {count} refused {refused}");
}
