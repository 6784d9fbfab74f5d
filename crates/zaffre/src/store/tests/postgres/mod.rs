//! The engine on a real PostgreSQL, and what several processes on one database may expect.

mod cluster;
mod histories;
mod lost;
mod proxy;
mod schema;
mod several;
mod tls;
mod upkeep;

use crate::store::Store;

/// A store in a schema of its own; none where PostgreSQL is not wanted.
pub(super) fn fresh_store() -> Option<Store> {
    Some(Store::connect(&cluster::shared()?.fresh()).expect("connects"))
}
