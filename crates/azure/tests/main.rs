//! The rules, as whoever uses the crate sees them.

mod oracle;
mod templates;
