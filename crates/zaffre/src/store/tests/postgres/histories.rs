//! Histories: what many clients of two processes saw, while connections are cut and held up, could have been seen
//! if one transaction had followed another, and what was acknowledged is there.
//!
//! Registers hold the name of the transaction that wrote them, and how many wrote before. Every transaction that writes a
//! register reads it first, so each value names the one before it, and the order of a register's values is known. From
//! that follows who must come before whom: a writer before who read its value, who read a value before who replaced
//! it, and who was answered before who asked later. A history is good when these have no circle.
//!
//! `cargo xtask campaign postgres-histories` runs 100,000 operations, the tests a few thousand.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::store::{Store, StoreError, Table};

use super::{
    super::CLOUD,
    cluster::{self, schema_of},
    proxy::Proxy,
};

const REGISTERS: Table<u64, Value> = Table::new("registers");
const KEYS: u64 = 12;
const CLIENTS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    writer: u64,
    /// How many wrote this register, this one among them.
    count: u64,
}

/// One transaction as its client saw it.
#[derive(Clone, Debug)]
struct Event {
    name: u64,
    asked: u64,
    /// None when nobody knows whether it happened.
    answered: Option<u64>,
    /// What each register it read held; what it did not read is not there.
    reads: BTreeMap<u64, Option<Value>>,
    writes: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Increment,
    /// Adds to two registers.
    Pair,
    /// Writes one register for what another one held: write skew shows here.
    Skew,
    Look,
    Scan,
}

const KINDS: [Kind; 8] = [
    Kind::Increment,
    Kind::Increment,
    Kind::Pair,
    Kind::Pair,
    Kind::Skew,
    Kind::Skew,
    Kind::Look,
    Kind::Scan,
];

fn operations() -> u64 {
    std::env::var("ZAFFRE_CAMPAIGN_OPERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_over_broken_connections_are_serializable() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    let proxies = [(); 2].map(|()| Arc::new(Proxy::start(cluster.socket())));
    let stores = proxies.each_ref().map(|proxy| {
        let (host, port) = (proxy.address.ip(), proxy.address.port());
        let address = cluster.address(&format!("{host}:{port}"), schema_of(&address));
        Store::connect(&address).expect("connects")
    });
    let run = Arc::new(Run::default());
    let clients: Vec<_> = (0..CLIENTS * 2)
        .map(|client| tokio::spawn(run.clone().client(stores[client as usize % 2].clone(), client)))
        .collect();
    let trouble = tokio::spawn(run.clone().trouble(proxies));
    for client in clients {
        client.await.expect("ends");
    }
    trouble.await.expect("ends");

    let last = Store::connect(&address).expect("connects");
    let last = run.look(&last, &(0..KEYS).collect::<Vec<_>>(), true).await.expect("reads");
    let mut events = run.events.lock().expect("whole").clone();
    events.push(Event { name: u64::MAX, asked: u64::MAX, answered: None, reads: last, writes: Vec::new() });
    let unknown = events.iter().filter(|event| event.answered.is_none()).count() - 1;
    assert!(unknown * 5 < events.len(), "most operations are answered: {unknown} were not");
    judge(&events);
    println!("operations {} unknown {unknown} lost 0", events.len() - 1);
}

#[derive(Default)]
struct Run {
    clock: AtomicU64,
    names: AtomicU64,
    events: Mutex<Vec<Event>>,
    /// How many operations each store has ended.
    done: watch::Sender<[u64; 2]>,
}

impl Run {
    async fn client(self: Arc<Self>, store: Store, client: u64) {
        let mut chance = client.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % below
        };
        while self.names.load(Ordering::Relaxed) < operations() {
            let name = self.names.fetch_add(1, Ordering::Relaxed) + 1;
            let (one, two) = (draw(KEYS), draw(KEYS));
            let asked = self.tick();
            let (read, writes) = match KINDS[draw(KINDS.len() as u64) as usize] {
                Kind::Increment => (self.add(&store, name, &[one], &[one]).await, vec![one]),
                Kind::Pair => (self.add(&store, name, &[one, two], &[one, two]).await, vec![one, two]),
                Kind::Skew => (self.add(&store, name, &[one, two], &[two]).await, vec![two]),
                Kind::Look => (self.look(&store, &[one, two], false).await, Vec::new()),
                Kind::Scan => (self.look(&store, &(0..KEYS).collect::<Vec<_>>(), true).await, Vec::new()),
            };
            let answered = read.is_ok().then(|| self.tick());
            let reads = read.unwrap_or_default();
            let event = Event { name, asked, answered, reads, writes };
            self.events.lock().expect("whole").push(event);
            self.done.send_modify(|done| done[client as usize % 2] += 1);
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    async fn add(
        &self,
        store: &Store,
        name: u64,
        read: &[u64],
        write: &[u64],
    ) -> Result<BTreeMap<u64, Option<Value>>, StoreError> {
        let written = store.write(CLOUD, |txn| {
            let mut seen = BTreeMap::new();
            for key in read {
                seen.insert(*key, REGISTERS.get(txn, key)?);
            }
            for key in write {
                let before = seen.get(key).copied().flatten();
                let count = before.map_or(0, |value| value.count) + 1;
                REGISTERS.put(txn, key, &Value { writer: name, count })?;
            }
            Ok::<_, StoreError>(seen)
        });
        written.await
    }

    async fn look(
        &self,
        store: &Store,
        keys: &[u64],
        scan: bool,
    ) -> Result<BTreeMap<u64, Option<Value>>, StoreError> {
        let read = store.read(CLOUD, |txn| {
            let mut seen = BTreeMap::new();
            if scan {
                seen.extend(keys.iter().map(|key| (*key, None)));
                let rows = REGISTERS.scan(txn, &(), None, usize::MAX)?;
                seen.extend(rows.into_iter().map(|(key, value)| (key, Some(value))));
            } else {
                for key in keys {
                    seen.insert(*key, REGISTERS.get(txn, key)?);
                }
            }
            Ok::<_, StoreError>(seen)
        });
        read.await
    }

    /// Cuts connections every few hundred operations, and holds one store up until the other one got on.
    async fn trouble(self: Arc<Self>, proxies: [Arc<Proxy>; 2]) {
        let mut done = self.done.subscribe();
        let total = operations();
        for round in 1_u64.. {
            let at = round * 150;
            if at + CLIENTS * 2 >= total {
                return;
            }
            done.wait_for(|done| done[0] + done[1] >= at).await.expect("the run goes on");
            let side = (round % 2) as usize;
            proxies[side].cut();
            if round % 7 == 3 {
                proxies[side].stall();
                let others = done.borrow().to_owned()[1 - side];
                let is_over = |done: &[u64; 2]| {
                    done[1 - side] >= others + 30 || done[0] + done[1] + CLIENTS * 2 >= total
                };
                done.wait_for(is_over).await.expect("the run goes on");
                proxies[side].resume();
            }
        }
    }
}

/// Panics where the events cannot have happened one after another, or where an acknowledged write is gone.
fn judge(events: &[Event]) {
    let by_name: HashMap<u64, usize> =
        events.iter().enumerate().map(|(index, it)| (it.name, index)).collect();
    let mut order = Order::over(events.len());
    // Who wrote each value, and who replaced it.
    let mut replaced: HashMap<(u64, u64), usize> = HashMap::new();
    let observed: std::collections::HashSet<(u64, u64)> = events
        .iter()
        .flat_map(|event| event.reads.iter())
        .filter_map(|(key, value)| value.map(|value| (*key, value.writer)))
        .collect();
    for (index, event) in events.iter().enumerate() {
        for key in &event.writes {
            // Of those that nobody heard of, what they read is not known either.
            let Some(before) = event.reads.get(key) else { continue };
            let before = before.map_or(0, |value| value.writer);
            if let Some(other) = replaced.insert((*key, before), index)
                && other != index
            {
                panic!("register {key}: {} and {} both replaced {before}", events[other].name, event.name);
            }
            assert!(
                event.answered.is_none() || observed.contains(&(*key, event.name)),
                "register {key}: the acknowledged write {} was never seen",
                event.name
            );
        }
    }
    for (index, event) in events.iter().enumerate() {
        for (key, value) in &event.reads {
            let writer = value.map_or(0, |value| value.writer);
            if writer != 0 && writer != event.name {
                order.before(by_name[&writer], index);
            }
            if let Some(next) = replaced.get(&(*key, writer))
                && *next != index
            {
                order.before(index, *next);
            }
        }
    }
    order.in_time(events);
    assert!(order.has_no_circle(), "the history is not serializable");
    counts(events);
}

/// The last value of each register counts every write that was acknowledged.
fn counts(events: &[Event]) {
    let last = &events.last().expect("the last look").reads;
    for (key, value) in last {
        let acknowledged =
            events.iter().filter(|event| event.answered.is_some() && event.writes.contains(key)).count();
        let unknown =
            events.iter().filter(|event| event.answered.is_none() && event.writes.contains(key)).count();
        let count = value.map_or(0, |value| value.count) as usize;
        assert!(
            (acknowledged..=acknowledged + unknown).contains(&count),
            "register {key}: {count} writes, and {acknowledged} were acknowledged"
        );
    }
}

/// Who must come before whom.
struct Order {
    after: Vec<Vec<usize>>,
}

impl Order {
    fn over(events: usize) -> Self {
        Order { after: vec![Vec::new(); events] }
    }

    fn before(&mut self, one: usize, other: usize) {
        self.after[one].push(other);
    }

    /// Who was answered comes before who asked later. A chain of moments stands for all those pairs.
    fn in_time(&mut self, events: &[Event]) {
        let mut moments: Vec<(u64, usize, bool)> = Vec::new();
        for (index, event) in events.iter().enumerate() {
            moments.push((event.asked, index, true));
            moments.extend(event.answered.map(|answered| (answered, index, false)));
        }
        moments.sort_unstable();
        let mut now = None;
        for (_, index, is_asked) in moments {
            match (is_asked, now) {
                (true, None) => {}
                (true, Some(now)) => self.before(now, index),
                (false, last) => {
                    self.after.push(Vec::new());
                    let moment = self.after.len() - 1;
                    self.before(index, moment);
                    if let Some(last) = last {
                        self.before(last, moment);
                    }
                    now = Some(moment);
                }
            }
        }
    }

    fn has_no_circle(&self) -> bool {
        let mut waits_for = vec![0_usize; self.after.len()];
        self.after.iter().flatten().for_each(|next| waits_for[*next] += 1);
        let mut ready: Vec<usize> = (0..self.after.len()).filter(|index| waits_for[*index] == 0).collect();
        let mut placed = 0;
        while let Some(index) = ready.pop() {
            placed += 1;
            for next in &self.after[index] {
                waits_for[*next] -= 1;
                if waits_for[*next] == 0 {
                    ready.push(*next);
                }
            }
        }
        placed == self.after.len()
    }
}

fn event(name: u64, times: (u64, u64), reads: &[(u64, u64)], writes: &[u64]) -> Event {
    let value = |writer| (writer != 0).then_some(Value { writer, count: 1 });
    let reads = reads.iter().map(|(key, writer)| (*key, value(*writer))).collect();
    Event { name, asked: times.0, answered: Some(times.1), reads, writes: writes.to_vec() }
}

#[test]
fn the_judge_knows_a_bad_history() {
    let panics = |events: Vec<Event>| std::panic::catch_unwind(|| judge(&events)).is_err();
    let look = |name, times, reads: &[(u64, u64)]| event(name, times, reads, &[]);
    let good = vec![
        event(1, (0, 1), &[(7, 0)], &[7]),
        event(2, (2, 3), &[(7, 1), (8, 0)], &[8]),
        look(9, (4, 5), &[(7, 1), (8, 2)]),
    ];
    assert!(!panics(good));
    let lost_update = vec![
        event(1, (0, 5), &[(7, 0)], &[7]),
        event(2, (1, 4), &[(7, 0)], &[7]),
        look(9, (6, 7), &[(7, 2)]),
    ];
    assert!(panics(lost_update));
    let write_skew = vec![
        event(1, (0, 5), &[(7, 0), (8, 0)], &[7]),
        event(2, (1, 4), &[(7, 0), (8, 0)], &[8]),
        look(9, (6, 7), &[(7, 1), (8, 2)]),
    ];
    assert!(panics(write_skew));
    let stale_read =
        vec![event(1, (0, 1), &[(7, 0)], &[7]), look(2, (2, 3), &[(7, 0)]), look(9, (6, 7), &[(7, 1)])];
    assert!(panics(stale_read));
    let missing = vec![event(1, (0, 1), &[(7, 0)], &[7]), look(9, (2, 3), &[(7, 0)])];
    assert!(panics(missing));
}
