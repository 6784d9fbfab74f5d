//! The integration tests, one binary: a module a kind of test.

mod bad_input;
mod faults;
mod guest_doors;
mod machines;
mod process;
mod refusals;
mod restart;
mod tidy;
mod tour;
mod transcripts;
mod two_clouds;
mod world;
