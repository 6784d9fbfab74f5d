//! Cosmos DB for NoSQL: the account in Resource Manager, and the data plane on its hosts.
//!
//! Both planes see the same rows. A database that `az cosmosdb sql database create` makes is the one that
//! an SDK lists with a key, and a collection that an SDK makes is listed as a `container` by Resource
//! Manager. So what is stored, and the rules of what may be, is here, below both:
//!
//! ```text
//! account/ (arm's kinds)      data/ (a service)
//!        │                        │
//!        └────────┬───────────────┘
//!   accounts   whose host this is, where it answers, its keys
//!   databases, collections, offers    one row each, by name, found by resource id (`_rid`) too
//!   documents  in the order of their effective partition keys; a sequence of its own a collection
//!   scripts    stored procedures, triggers, functions: kept, not run
//!   definition, item, partition, rid, stamp    pure: what a body may say, hashes, ids, etags
//! ```
//!
//! Errors are the rows of `codes`, for both planes: Resource Manager passes on what the data plane says.
//!
//! Not here yet, and answered with `NotImplemented`: queries beyond `SELECT * FROM c`, query plans, batches,
//! the change feed, patches, the running of scripts and their paths in the data plane, users and permissions, unique keys, direct mode.

pub mod account;
mod accounts;
mod codes;
mod collections;
pub mod data;
mod databases;
mod definition;
mod documents;
mod item;
mod keys;
mod offers;
mod partition;
mod rid;
mod scripts;
mod stamp;

/// Above the account in `…/databaseAccounts/{account}/…`.
const ACCOUNT_TYPE: &str = "Microsoft.DocumentDB/databaseAccounts";
