//! The integration tests, one binary: a module a kind of test.

mod attacks;
mod bad_input;
mod control;
mod coverage;
mod faults;
mod guest_doors;
mod image;
mod limits;
mod machines;
mod negative;
mod outside;
mod picture;
#[expect(dead_code, reason = "the store's own tests use more of it")]
#[path = "../src/store/tests/postgres/cluster.rs"]
mod postgres;
mod process;
mod refusals;
mod restart;
mod shared_store;
mod sidecar;
mod tidy;
mod tour;
mod transcripts;
mod two_clouds;
mod up;
mod ways_in;
mod world;

/// The program under test. Who may not read the place where it was built has a copy, and says where.
fn program() -> std::path::PathBuf {
    std::env::var_os("ZAFFRE_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_zaffre").into()).into()
}
