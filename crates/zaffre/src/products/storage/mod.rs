//! Microsoft.Storage: accounts, and the blobs in them.
//!
//! - `provider.rs`: the table that Resource Manager reads; `account.rs`, `key_actions.rs`, `sas_actions.rs`, `services.rs`,
//!   `containers.rs`, `legal_holds.rs` and `documents.rs` are what its rows do, `codes.rs` their errors.
//! - `keys.rs`: what the data plane must know of an account: its id, its keys, its switches, by name.
//! - `blob/`: the data plane, a service of its own: `{account}.blob.core.windows.net` and the drop-in port.
//!
//! An account's resource document is `resources`' business; what is secret, and what every data request asks
//! for, lies in a row of its own beside it and is written in the same transaction.

mod account;
pub mod blob;
mod codes;
mod containers;
mod documents;
mod key_actions;
pub mod keys;
mod legal_holds;
mod provider;
mod sas_actions;
mod services;

pub use provider::PROVIDER;
