//! Values made from rows, kept in memory while the rows stand.
//!
//! Everything that decides about a caller (role assignments, custom roles, deny assignments, group
//! memberships) is written through functions that raise one number of the cloud's in the same
//! transaction, its generation. What was made at a generation holds as long as the number is the same:
//! one small read to know. A caller's holdings are thus gathered once after each change, not at each
//! request, and a change made by another process on the same store is seen like one's own.

use std::{
    hash::Hash,
    sync::{Arc, Mutex},
};

use azure::error::Result;

use crate::{
    directory::bounded::Bounded,
    store::{Table, Txn},
};

/// One row a cloud, under 0.
const GENERATION: Table<u64, u64> = Table::new("access_generation");

/// To be called in every transaction that writes what decisions are made from.
pub(crate) fn changed(txn: &mut Txn) -> Result<()> {
    let generation = generation(txn)?;
    Ok(GENERATION.put(txn, &0, &(generation + 1))?)
}

fn generation(txn: &Txn) -> Result<u64> {
    Ok(GENERATION.get(txn, &0)?.unwrap_or_default())
}

/// How many values are surely kept.
const KEPT: usize = 4096;

/// What was made for each key, and at which generation.
pub(super) struct Derived<K, T>(Mutex<Bounded<K, (u64, Arc<T>)>>);

impl<K, T> Default for Derived<K, T>
where
    K: Hash + Eq,
{
    fn default() -> Self {
        Derived(Mutex::new(Bounded::new(KEPT)))
    }
}

impl<K: Hash + Eq, T> Derived<K, T> {
    /// The value of the key, as the transaction sees the rows. One that has written something may see
    /// what nobody else will: its values are made for it alone.
    pub(super) fn get(&self, txn: &Txn, key: K, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        if txn.has_written() {
            return make().map(Arc::new);
        }
        let generation = generation(txn)?;
        if let Some((at, value)) = self.0.lock().expect("no holder of this lock panics").get(&key)
            && at == generation
        {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        self.0.lock().expect("no holder of this lock panics").put(key, (generation, Arc::clone(&value)));
        Ok(value)
    }
}
