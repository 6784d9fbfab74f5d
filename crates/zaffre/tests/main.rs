//! The integration tests, one binary: a module a kind of test.

mod guest_doors;
mod machines;
mod process;
mod tidy;
mod tour;
mod transcripts;
