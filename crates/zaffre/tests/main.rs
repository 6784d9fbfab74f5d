//! The integration tests, one binary: a module a kind of test.

mod tidy;
mod transcripts;
