//! What the store promises when things go wrong: processes killed at any moment (`crash`), power lost at any moment
//! (`power`), disks that fail or are full (`disk`).
//!
//! The store under test runs in a process of its own: this same binary, started again for one test that does nothing
//! otherwise (`child`). It tells what was acknowledged, line by line. Each kind of test has a short form, which runs with
//! all others, and a long one: `cargo xtask campaign NAME`.

mod child;
mod crash;
mod disk;
mod power;
mod trace;
mod workload;

/// Chance from a seed: splitmix64, by Sebastiano Vigna, in the public domain.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// A number from the environment, or the one of the short form.
pub(crate) fn asked(name: &str, short: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(short, |text| text.parse().unwrap_or_else(|_| panic!("`{name}={text}` is no number")))
}
