//! What the metadata service remembers between requests. Nothing in it decides anything: identities and machines are asked for
//! anew each time, and what was made of their rows is used while the rows are the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use azure::ids::{Guid, ResourceId};

use super::{hosts::Challenges, limits::Tally, machine::Known};
use crate::{cloud::CloudId, directory::bounded::Bounded};

const KEPT: usize = 4096;

pub struct Memory {
    machines: Mutex<Bounded<(CloudId, ResourceId), Arc<Known>>>,
    /// By cloud and `vmId`, while limits are kept.
    pub(super) tallies: Mutex<HashMap<(CloudId, Guid), Tally>>,
    pub(super) challenges: Challenges,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            machines: Mutex::new(Bounded::new(KEPT)),
            tallies: Mutex::default(),
            challenges: Challenges::default(),
        }
    }
}

impl Memory {
    pub(super) fn machine(&self, key: &(CloudId, ResourceId)) -> Option<Arc<Known>> {
        self.machines.lock().expect("no holder of this lock panics").get(key)
    }

    pub(super) fn keep(&self, key: (CloudId, ResourceId), known: Known) {
        self.machines.lock().expect("no holder of this lock panics").put(key, Arc::new(known));
    }
}
