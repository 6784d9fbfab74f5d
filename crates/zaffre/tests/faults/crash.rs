//! Killed at any moment: what was acknowledged is there, nothing is there in part, and the next writes do not stall.

use std::{path::Path, time::Duration};

use zaffre::store::StoreError;

use super::{
    Chance, asked,
    child::{Start, Told},
    workload::{Place, WRITERS, judge},
};

/// A write that takes longer after a kill has stalled.
const STALLED: Duration = Duration::from_secs(10);

/// Stores that are killed beside each other: one process waits for the disk while another computes.
const LANES: u64 = 2;

/// One of so many rounds ends with all in tables, and the next begins with an empty journal.
const COMPACT_EVERY: u64 = 16;

/// What came of many rounds.
#[derive(Default)]
struct Tally {
    acknowledged: u64,
    lost: u64,
    torn: usize,
}

#[test]
fn what_was_acknowledged_survives_being_killed_at_any_moment() {
    let rounds = asked("ZAFFRE_CAMPAIGN_ROUNDS", 100);
    let seed = asked("ZAFFRE_CAMPAIGN_SEED", 20_261_121);
    println!("seed {seed}");
    let of_lane = |lane: u64| rounds / LANES + u64::from(lane < rounds % LANES);
    let tallies = std::thread::scope(|scope| {
        let lanes =
            (0..LANES).map(|lane| scope.spawn(move || kill_again_and_again(seed + lane, of_lane(lane))));
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane ends")).collect::<Vec<_>>()
    });
    let acknowledged: u64 = tallies.iter().map(|it| it.acknowledged).sum();
    let lost: u64 = tallies.iter().map(|it| it.lost).sum();
    let torn: usize = tallies.iter().map(|it| it.torn).sum();
    println!("rounds {rounds} acknowledged {acknowledged} lost {lost} torn {torn}");
    assert_eq!((lost, torn), (0, 0));
    assert!(acknowledged > rounds, "the kills came too early to mean anything");
}

#[expect(clippy::print_stdout, reason = "a campaign says how far it is")]
fn kill_again_and_again(seed: u64, rounds: u64) -> Tally {
    let mut chance = Chance::new(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut last = [0; WRITERS as usize];
    let mut tally = Tally::default();
    for round in 0..rounds {
        let told = run_and_kill(dir.path(), &mut chance);
        tally.acknowledged += told.count;
        for (last, told) in last.iter_mut().zip(told.acknowledged) {
            *last = told.unwrap_or(*last);
        }
        let compacts = round % COMPACT_EVERY == COMPACT_EVERY - 1;
        let verdict = runtime.block_on(reopen(dir.path(), &mut last, compacts));
        if verdict.lost > 0 || !verdict.torn.is_empty() {
            println!("seed {seed}, round {round}: {verdict:?}");
        }
        tally.lost += verdict.lost;
        tally.torn += verdict.torn.len();
        if round % 500 == 499 {
            println!("seed {seed}: {} rounds", round + 1);
        }
    }
    tally
}

fn run_and_kill(dir: &Path, chance: &mut Chance) -> Told {
    let mut running = Start::on(dir).run();
    // Some are killed while they open the store, before the first acknowledgement.
    let heard = chance.below(120);
    while running.told.count < heard && running.listen() {}
    // And then at any moment between two.
    for _ in 0..chance.below(200_000) {
        std::hint::spin_loop();
    }
    running.kill()
}

/// A process that the other lane starts has this one's files, the lock among them, until it becomes its program.
fn open(dir: &Path) -> Place {
    for _ in 0..100_000 {
        match Place::open(dir) {
            Err(StoreError::Locked { pid, .. }) if pid == Some(std::process::id()) => {
                std::thread::yield_now()
            }
            opened => return opened.expect("opens"),
        }
    }
    panic!("the store that this process closed stays locked")
}

/// Opens what was left behind and judges it; goes on from there.
async fn reopen(dir: &Path, last: &mut [u64], compacts: bool) -> super::workload::Verdict {
    let place = open(dir);
    let mut verdict = judge(&place, last).await.expect("reads");
    place.content.sweep_unreferenced(&place.store).await.expect("sweeps");
    for (writer, last) in (0..).zip(last.iter_mut()) {
        let step = place.last(writer).await.expect("reads") + 1;
        match tokio::time::timeout(STALLED, place.step(writer, step)).await {
            Ok(done) => done.expect("writes"),
            Err(_) => verdict.torn.push(format!("writer {writer} stalled at step {step}")),
        }
        *last = step;
    }
    if compacts {
        place.store.compact().await.expect("compacts");
    }
    place.store.close().await.expect("closes");
    verdict
}
