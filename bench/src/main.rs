//! Figures, each beside the one it is measured against, taken in the same run: `cargo xtask bench [NAME] [--json]`.
//!
//! A machine that is busy is busy for both sides: rounds are interleaved, each side's median is taken, and what is
//! judged is their ratio. A line a figure: its name, ours, the other's, the ratio, the target, `ok` or `short`; and how
//! much processor time one operation took on each side, which holds on a busy machine too.

#![expect(clippy::print_stdout, reason = "figures are what it prints")]

mod arm;
#[expect(dead_code, reason = "the tests' file, of which this uses a part")]
#[path = "../../crates/zaffre/src/store/tests/postgres/cluster.rs"]
mod cluster;
mod figure;
mod guests;
mod handshakes;
mod identity;
mod raw_log;
mod store;
mod store_postgres;

use std::process::ExitCode;

use figure::Figure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Bench {
    name: &'static str,
    run: fn() -> Outcome<Vec<Figure>>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "arm", run: arm::run },
    Bench { name: "guests", run: guests::run },
    Bench { name: "handshakes", run: handshakes::run },
    Bench { name: "identity", run: identity::run },
    Bench { name: "store", run: store::run },
    Bench { name: "store-postgres", run: store_postgres::run },
];

fn main() -> ExitCode {
    guest::init::main_if_asked();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [store::FILL, dir, bytes] = &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return ended(store::fill_until_killed(dir, bytes));
    }
    let as_json = words.iter().any(|word| word == "--json");
    let names: Vec<&String> = words.iter().filter(|word| *word != "--json").collect();
    let is_known = |name: &&String| BENCHES.iter().any(|bench| bench.name == **name);
    if let Some(stranger) = names.iter().find(|name| !is_known(name)) {
        let known: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        eprintln!("no benchmark `{stranger}`; there are: {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let wanted = BENCHES.iter().filter(|bench| names.is_empty() || names.iter().any(|it| *it == bench.name));
    let mut is_good = true;
    for bench in wanted {
        match (bench.run)() {
            Ok(figures) => {
                is_good &= figures.iter().all(Figure::is_ok);
                figures.iter().for_each(|figure| println!("{}", figure.line(as_json)));
            }
            Err(error) => return ended(Err(error)),
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ended(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
