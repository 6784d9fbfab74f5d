//! Killed at any moment: what was acknowledged is there, nothing is there in part, and the next writes do not stall.

use std::{path::Path, time::Duration};

use super::{
    Chance, asked,
    child::{Start, Told},
    workload::{Place, WRITERS, judge},
};

/// A write that takes longer after a kill has stalled.
const STALLED: Duration = Duration::from_secs(10);

#[test]
fn what_was_acknowledged_survives_being_killed_at_any_moment() {
    let rounds = asked("ZAFFRE_CAMPAIGN_ROUNDS", 100);
    let seed = asked("ZAFFRE_CAMPAIGN_SEED", 20_261_121);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut last = [0; WRITERS as usize];
    let (mut acknowledged, mut lost, mut torn) = (0, 0, 0);
    for round in 0..rounds {
        let told = run_and_kill(dir.path(), &mut chance);
        acknowledged += told.count;
        for (last, told) in last.iter_mut().zip(told.acknowledged) {
            *last = told.unwrap_or(*last);
        }
        let verdict = runtime.block_on(reopen(dir.path(), &mut last));
        if verdict.lost > 0 || !verdict.torn.is_empty() {
            println!("round {round}: {verdict:?}");
        }
        lost += verdict.lost;
        torn += verdict.torn.len();
    }
    println!("rounds {rounds} acknowledged {acknowledged} lost {lost} torn {torn}");
    assert_eq!((lost, torn), (0, 0));
    assert!(acknowledged > rounds, "the kills came too early to mean anything");
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

/// Opens what was left behind and judges it; goes on from there.
async fn reopen(dir: &Path, last: &mut [u64]) -> super::workload::Verdict {
    let place = Place::open(dir).expect("opens");
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
    place.store.close().await.expect("closes");
    verdict
}
