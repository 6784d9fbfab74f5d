//! The Blob service, asked whole requests in process.

mod access;
mod bodies;
mod client;
mod conditions;
mod containers;
mod listing;
mod oddities;
