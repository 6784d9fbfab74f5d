//! The integration tests, one binary: a module a kind of test.

mod process;
mod tidy;
mod transcripts;
