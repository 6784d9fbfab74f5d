//! The Blob service, asked whole requests in process.

mod access;
mod accounts;
mod bodies;
mod client;
mod conditions;
mod containers;
mod files;
mod listing;
mod oddities;
mod refusals;
mod signed;
