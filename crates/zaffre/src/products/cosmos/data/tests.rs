//! Whole requests, in process, on the drop-in port and on hosts of accounts.

mod accounts;
mod client;
mod documents;
mod manager;
mod metadata;
mod refusals;
mod roles;
mod scopes;
