//! Azure's rules, and nothing else.
pub mod error;
pub mod ids;
pub mod text;
pub mod time;
