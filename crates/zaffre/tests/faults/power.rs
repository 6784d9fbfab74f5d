//! Power lost at any moment: what was acknowledged is on the disk, whatever of the unflushed is not.
//!
//! One run is recorded, with memory tables written out and compacted within it. Then, for each of many moments, a
//! directory is made as a disk may hold it, the store is opened there, and judged like after a kill.

use std::path::Path;

use super::{
    Chance, asked,
    child::Start,
    trace::{LOSSES, Trace},
    workload::{Place, WRITERS, judge},
};

#[test]
fn what_was_acknowledged_survives_the_loss_of_power_at_any_moment() {
    let cuts = asked("ZAFFRE_CAMPAIGN_CUTS", 120);
    let seed = asked("ZAFFRE_CAMPAIGN_SEED", 20_261_121);
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let trace = record();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut lost, mut torn) = (0, 0);
    for number in 0..cuts {
        // Evenly over the history, with each kind of loss in turn; the end too.
        let cut = trace.len() * (number as usize + 1) / cuts as usize;
        let loss = LOSSES[number as usize % LOSSES.len()];
        let dir = tempfile::tempdir().expect("a directory");
        trace.replay(cut, loss, &mut chance, dir.path()).expect("replays");
        let wrong = runtime.block_on(wrong_after(&trace, cut, dir.path()));
        if let Some((missing, why)) = wrong {
            println!("cut {cut} of {}, {loss:?}: {why}", trace.len());
            lost += missing;
            torn += u64::from(missing == 0);
        }
    }
    let acknowledged = trace.acknowledged(trace.len()).count();
    println!("cuts {cuts} of {} calls, {} flushes; acknowledged {acknowledged}", trace.len(), trace.syncs());
    println!("cuts {cuts} lost {lost} torn {torn}");
    assert_eq!((lost, torn), (0, 0));
    assert!(acknowledged > 100, "the record shows too little");
}

fn record() -> Trace {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("disk");
    std::fs::create_dir(&root).expect("creates");
    let trace = dir.path().join("trace");
    let told = [("FAULTS_TRACE", trace.to_str().expect("a path of text"))];
    let start = Start::on(&root).steps(25).compacting(10).acks_in(&root.join("acks"));
    let told = start.preloaded(&root, &told).run().until_end();
    assert_eq!((told.count, told.refusals.as_slice()), (25 * WRITERS, &[][..]));
    Trace::read(&trace, "acks").expect("reads")
}

/// How many steps are missing and what else is wrong; none if all is well.
async fn wrong_after(trace: &Trace, cut: usize, dir: &Path) -> Option<(u64, String)> {
    let mut acknowledged = [0; WRITERS as usize];
    for line in trace.acknowledged(cut) {
        let words: Vec<u64> = line.split(' ').skip(1).map(|word| word.parse().expect("a number")).collect();
        acknowledged[words[0] as usize] = words[1];
    }
    let place = match Place::open(dir) {
        Ok(place) => place,
        Err(error) => return Some((acknowledged.iter().sum(), error.to_string())),
    };
    let verdict = match judge(&place, &acknowledged).await {
        Ok(verdict) => verdict,
        Err(error) => return Some((0, error.to_string())),
    };
    let is_well = verdict.lost == 0 && verdict.torn.is_empty();
    (!is_well).then(|| (verdict.lost, format!("{verdict:?}")))
}
