//! Bad input: whatever is wrong with a request, the answer is the protocol's own refusal, comes at once, and leaves
//! nothing half written.
//!
//! `good.rs` lists a good request of every kind, `bad_things.rs` what can be wrong with one; the table of all outcomes
//! is `bad_input/outcomes.txt`. `ZAFFRE_BLESS=1` writes it anew, and the diff is the review. What no table can know is
//! asserted here for every row: the envelope, no fault of ours, the time it takes, and that what was refused changed
//! nothing.

mod bad_things;
mod envelope;
mod faults;
mod fuzz;
mod good;
mod sockets;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use bad_things::{BODIES, Bad, HEADERS, LINES};

use crate::world::{Answer, Ask, Protocol, World};

/// Of a line of the table.
const WIDTH: usize = 100;
/// No refusal may take longer, whatever was sent. (Ten megabytes of brackets are a good blob, and take their time.)
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_refused_in_the_protocols_own_words_and_changes_nothing() {
    let world = World::new().await;
    let (mut came, mut wrong, mut refused) = (String::new(), Vec::new(), Vec::new());
    for (number, good) in good::asks(&world).into_iter().enumerate() {
        let mut outcomes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for bad in every_bad_thing() {
            let Some(ask) = (bad.1)(&good) else { continue };
            let outcome = match once(&world, &ask).await {
                Ok(answer) if answer.status < 400 => answer.status.to_string(),
                Ok(answer) => {
                    refused.push((number, bad, answer.status));
                    format!("{} {}", answer.status, answer.code(ask.protocol))
                }
                Err(Some(why)) => {
                    wrong.push(format!("{:?} {}, {}: {why}", good.protocol, good.title, bad.0));
                    why
                }
                Err(None) => "HTTP cannot carry it".to_owned(),
            };
            outcomes.entry(outcome.trim_end().to_owned()).or_default().push(bad.0);
        }
        write_down(&mut came, &good, &outcomes);
    }
    wrong.extend(changed_by(&refused).await);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    hold_against("outcomes.txt", &came);
}

fn write_down(came: &mut String, good: &Ask, outcomes: &BTreeMap<String, Vec<&str>>) {
    let _ = writeln!(came, "{:?}: {}", good.protocol, good.title);
    for (outcome, things) in outcomes {
        let _ = writeln!(came, "    {outcome}");
        let mut line = String::new();
        for thing in things {
            if line.len() + thing.len() > WIDTH {
                let _ = writeln!(came, "       {line}");
                line.clear();
            }
            let _ = write!(line, " {thing};");
        }
        let _ = writeln!(came, "       {}", line.trim_end_matches(';'));
    }
}

fn every_bad_thing() -> impl Iterator<Item = &'static Bad> {
    [BODIES, LINES, HEADERS].into_iter().flatten()
}

/// What was refused, sent again to a cloud where nothing else happens: after each group of requests everything must
/// be as it was. Conflicts and conditions are left out, since there
/// they may find nothing to collide with.
async fn changed_by(refused: &[(usize, &Bad, u16)]) -> Vec<String> {
    let world = World::new().await;
    let (goods, mut before, mut wrong) = (good::asks(&world), world.state().await, Vec::new());
    for (number, good) in goods.iter().enumerate().filter(|(_, good)| good.protocol != Protocol::Plain) {
        let of_this = refused.iter().filter(|(of, _, status)| *of == number && ![409, 412].contains(status));
        for Bad(_, spoil) in of_this.map(|(_, bad, _)| bad) {
            let answer = once(&world, &spoil(good).expect("was spoiled before")).await;
            if !answer.is_ok_and(|answer| answer.status >= 400) {
                // What it collided with is not there: Graph's conflicts are 400.
                before = world.state().await;
            }
        }
        let after = world.state().await;
        if after != before {
            wrong.push(format!("{}: was refused each time, and something changed", good.title));
        }
        before = after;
    }
    wrong
}

/// Sends one request; an error names what no answer may be, or nothing where it could not be sent.
async fn once(world: &World, ask: &Ask) -> Result<Answer, Option<String>> {
    let request = ask.request(world.cloud.clock.now()).ok_or(None)?;
    let began = begin();
    let answer = world.send(&ask.door, request).await;
    match envelope::fault(ask, &answer) {
        Some(fault) => Err(Some(fault)),
        None if answer.status >= 400 && began.elapsed() > SOON => {
            Err(Some(format!("took {:?}", began.elapsed())))
        }
        None => Ok(answer),
    }
}

#[expect(clippy::disallowed_methods, reason = "how long an answer takes is what is measured")]
fn begin() -> Instant {
    Instant::now()
}

/// Compares with the file, or writes it.
fn hold_against(file: &str, came: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input").join(file);
    if std::env::var_os("ZAFFRE_BLESS").is_some_and(|it| it == "1") {
        return fs::write(path, came).expect("the file is written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let differing: Vec<String> = expected
        .lines()
        .zip(came.lines())
        .filter(|(expected, came)| expected != came)
        .map(|(expected, came)| format!("- {expected}\n+ {came}"))
        .collect();
    let is_same = differing.is_empty() && expected.lines().count() == came.lines().count();
    assert!(is_same, "outcomes differ (ZAFFRE_BLESS=1 writes them):\n{}", differing.join("\n"));
}
