//! Random histories: transactions that overlap, on an engine and on a model that keeps every state there ever was.
//!
//! The model knows what each read must give and whether each commit must stand: a transaction loses when a key or a
//! stretch that it read was written after its snapshot, and never otherwise. `cargo xtask campaign model` makes the
//! same longer.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

use crate::store::{Outcome, Span, Store, StoreError, Table, Txn};

use super::{begin, commit};

const ROWS: Table<(u64, u32), u32> = Table::new("histories");
const KEYS: u32 = 12;
const OPEN_AT_ONCE: usize = 4;
const STEPS_A_HISTORY: usize = 200;

#[derive(Clone, Debug)]
enum Step {
    Get(usize, u32),
    Put(usize, u32, u32),
    Delete(usize, u32),
    Scan { txn: usize, from: u32, before: u32, reverse: bool, limit: usize },
    Commit(usize),
    GiveUp(usize),
    Compact,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let txn = || 0..OPEN_AT_ONCE;
    let key = || 0..KEYS;
    let step = prop_oneof![
        6 => (txn(), key()).prop_map(|(txn, key)| Step::Get(txn, key)),
        6 => (txn(), key(), any::<u32>()).prop_map(|(txn, key, value)| Step::Put(txn, key, value)),
        2 => (txn(), key()).prop_map(|(txn, key)| Step::Delete(txn, key)),
        4 => (txn(), key(), key(), any::<bool>(), 0_usize..8)
            .prop_map(|(txn, from, before, reverse, limit)| Step::Scan { txn, from, before, reverse, limit }),
        4 => txn().prop_map(Step::Commit),
        1 => txn().prop_map(Step::GiveUp),
    ];
    // An engine is compacted and opened again now and then: both are slow.
    let rare = prop_oneof![1 => Just(Step::Compact), 1 => Just(Step::Reopen)];
    let rare = proptest::option::weighted(0.05, (0..STEPS_A_HISTORY, rare));
    (vec(step, STEPS_A_HISTORY), rare).prop_map(|(mut steps, rare)| {
        if let Some((at, step)) = rare {
            steps.insert(at.min(steps.len()), step);
        }
        steps
    })
}

type State = BTreeMap<u32, u32>;

/// Every state that was ever committed, and the keys that each commit wrote.
#[derive(Default)]
struct Model {
    states: Vec<State>,
    written: Vec<Vec<u32>>,
}

/// A transaction in both worlds.
struct Pair {
    txn: Txn,
    since: usize,
    /// Stretches that were read, ends included.
    read: Vec<(u32, u32)>,
    writes: BTreeMap<u32, Option<u32>>,
}

impl Pair {
    fn begin(store: &Store, model: &Model) -> Self {
        Pair { txn: begin(store), since: model.states.len() - 1, read: Vec::new(), writes: BTreeMap::new() }
    }

    /// What this transaction sees.
    fn view(&self, model: &Model) -> State {
        let mut view = model.states[self.since].clone();
        for (key, value) in &self.writes {
            match value {
                Some(value) => view.insert(*key, *value),
                None => view.remove(key),
            };
        }
        view
    }

    /// Whether it must lose.
    fn loses(&self, model: &Model) -> bool {
        let is_read = |key: &u32| self.read.iter().any(|(from, to)| (from..=to).contains(&key));
        !self.writes.is_empty() && model.written[self.since..].iter().flatten().any(is_read)
    }
}

struct World<'s> {
    store: &'s mut Option<Store>,
    open: &'s dyn Fn() -> Store,
    history: u64,
    model: Model,
    pairs: Vec<Option<Pair>>,
}

type Checked = Result<(), TestCaseError>;

fn failed(error: StoreError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

impl World<'_> {
    fn store(&self) -> &Store {
        self.store.as_ref().expect("is open")
    }

    fn pair(&mut self, number: usize) -> &mut Pair {
        let store = self.store.as_ref().expect("is open");
        self.pairs[number].get_or_insert_with(|| Pair::begin(store, &self.model))
    }

    async fn take(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Get(txn, key) => self.get(txn, key),
            Step::Put(txn, key, value) => {
                let row = (self.history, key);
                let pair = self.pair(txn);
                pair.writes.insert(key, Some(value));
                ROWS.put(&mut pair.txn, &row, &value).map_err(failed)
            }
            Step::Delete(txn, key) => {
                let row = (self.history, key);
                let pair = self.pair(txn);
                pair.writes.insert(key, None);
                ROWS.delete(&mut pair.txn, &row).map_err(failed)
            }
            Step::Scan { txn, from, before, reverse, limit } => self.scan(txn, from, before, reverse, limit),
            Step::Commit(txn) => self.commit(txn).await,
            Step::GiveUp(txn) => {
                self.pairs[txn] = None;
                Ok(())
            }
            Step::Compact => self.store().compact().await.map_err(failed),
            Step::Reopen => {
                // What is open reads a snapshot of the store that goes.
                self.pairs.iter_mut().for_each(|pair| *pair = None);
                *self.store = None;
                *self.store = Some((self.open)());
                Ok(())
            }
        }
    }

    fn get(&mut self, txn: usize, key: u32) -> Checked {
        let row = (self.history, key);
        let found = ROWS.get(&self.pair(txn).txn, &row).map_err(failed)?;
        let pair = self.pairs[txn].as_mut().expect("has begun");
        prop_assert_eq!(found, pair.view(&self.model).get(&key).copied());
        if !pair.writes.contains_key(&key) {
            pair.read.push((key, key));
        }
        Ok(())
    }

    fn scan(&mut self, txn: usize, from: u32, before: u32, reverse: bool, limit: usize) -> Checked {
        let history = self.history;
        let span = Span::under(&(history,)).from(&(history, from)).before(&(history, before));
        let txn_ref = &self.pair(txn).txn;
        let rows = if reverse { ROWS.rows_back(txn_ref, span) } else { ROWS.rows(txn_ref, span) };
        let found = rows.take(limit).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let pair = self.pairs[txn].as_mut().expect("has begun");
        let view = pair.view(&self.model);
        let is_empty = from >= before;
        let mut expected: Vec<_> = match is_empty {
            true => Vec::new(),
            false => view.range(from..before).map(|(key, value)| ((history, *key), *value)).collect(),
        };
        if reverse {
            expected.reverse();
        }
        expected.truncate(limit);
        prop_assert_eq!(&found, &expected);
        // It read as far as it came: to the last row it was asked for, or to the end.
        let reached = found.last().filter(|_| found.len() == limit).map(|((_, key), _)| *key);
        if !is_empty && limit > 0 {
            let whole = (from, before - 1);
            pair.read.push(match (reached, reverse) {
                (None, _) => whole,
                (Some(key), false) => (from, key),
                (Some(key), true) => (key, before - 1),
            });
        }
        Ok(())
    }

    async fn commit(&mut self, txn: usize) -> Checked {
        let Some(pair) = self.pairs[txn].take() else { return Ok(()) };
        let loses = pair.loses(&self.model);
        let state = if pair.writes.is_empty() { None } else { Some(self.after(&pair)) };
        let written: Vec<u32> = pair.writes.keys().copied().collect();
        let outcome = commit(self.store(), pair.txn).await;
        prop_assert_eq!(outcome, if loses { Outcome::Conflict } else { Outcome::Committed });
        if let Some(state) = state.filter(|_| !loses) {
            self.model.states.push(state);
            self.model.written.push(written);
        }
        Ok(())
    }

    /// The newest state with what a transaction wrote.
    fn after(&self, pair: &Pair) -> State {
        let mut state = self.model.states.last().expect("there is always one").clone();
        for (key, value) in &pair.writes {
            match value {
                Some(value) => state.insert(*key, *value),
                None => state.remove(key),
            };
        }
        state
    }
}

/// Runs histories on one store, each on keys of its own; gives how many steps were taken.
fn run(open: &dyn Fn() -> Store) -> u64 {
    let asked =
        |name: &str, short: u64| std::env::var(name).map_or(short, |text| text.parse().expect("a number"));
    let steps_wanted = asked("ZAFFRE_CAMPAIGN_STEPS", 100_000);
    let seed = asked("ZAFFRE_CAMPAIGN_SEED", 20_261_121);
    let cases = steps_wanted.div_ceil(STEPS_A_HISTORY as u64);
    let config = Config { cases: cases as u32, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = std::cell::RefCell::new((Some(open()), 0_u64, 0_u64));
    let outcome = runner.run(&steps(), |steps| {
        let (store, history, taken) = &mut *world.borrow_mut();
        *history += 1;
        let model = Model { states: vec![State::new()], written: Vec::new() };
        let pairs = (0..OPEN_AT_ONCE).map(|_| None).collect();
        let mut world = World { store, open, history: *history, model, pairs };
        for step in &steps {
            runtime.block_on(world.take(step))?;
            *taken += 1;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("seed {seed}: {error}");
    }
    world.into_inner().2
}

#[test]
fn histories_on_disk_are_those_of_the_model() {
    // Where there is a disk in memory, flushes cost nothing: what they promise is tested elsewhere.
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.expect("a directory");
    let steps = run(&|| Store::open(dir.path()).expect("opens"));
    println!("steps {steps} agree");
    assert!(steps >= 100_000 || std::env::var_os("ZAFFRE_CAMPAIGN_STEPS").is_some());
}

#[test]
fn histories_in_memory_are_those_of_the_model() {
    let kept = Store::in_memory();
    let steps = run(&|| kept.clone());
    println!("steps {steps} agree");
    assert!(steps >= 100_000 || std::env::var_os("ZAFFRE_CAMPAIGN_STEPS").is_some());
}
