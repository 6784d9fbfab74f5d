//! How often a machine may ask, under `up --limits platform`: 5 times a second, and for identities 20 times a second and 5 at
//! once (imds.md §1).
//!
//! Seconds are the cloud's clock's whole ones. The platform's own window is not documented.

use std::sync::{Arc, MutexGuard};

use azure::{error::Result, ids::Guid};

use super::codes;
use crate::{
    cloud::CloudId,
    door::From,
    env::{Env, Limits},
    service::Cx,
};

/// What a machine asked for in one second, and what is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    second: i64,
    general: u32,
    identity: u32,
    under_way: u32,
}

const GENERAL_A_SECOND: u32 = 5;
const IDENTITY_A_SECOND: u32 = 20;
const IDENTITY_AT_ONCE: u32 = 5;
/// Machines that asked in an earlier second are forgotten beyond this many.
const TALLIES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    General,
    Identity,
}

/// A request's place among those that are under way; dropped, it is free again.
pub(super) struct Place {
    env: Arc<Env>,
    machine: (CloudId, Guid),
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(tally) = tallies(&self.env).get_mut(&self.machine) {
            tally.under_way = tally.under_way.saturating_sub(1);
        }
    }
}

fn tallies(env: &Env) -> MutexGuard<'_, std::collections::HashMap<(CloudId, Guid), Tally>> {
    env.metadata.tallies.lock().expect("no holder of this lock panics")
}

/// Counts a request, or refuses it. Nothing is counted where no limits are kept.
pub(super) fn admit(cx: &Cx, category: Category) -> Result<Option<Place>> {
    let (Limits::Platform, From::Guest { vm_id, .. }) = (cx.env.settings.limits, &cx.door.from) else {
        return Ok(None);
    };
    let (machine, second) = ((cx.cloud.id, *vm_id), cx.now.seconds());
    let mut all = tallies(&cx.env);
    if all.len() >= TALLIES {
        all.retain(|_, it| it.under_way > 0 || it.second == second);
    }
    if !all.entry(machine).or_default().admits(category, second) {
        return Err((&codes::TOO_MANY_REQUESTS).into());
    }
    Ok((category == Category::Identity).then(|| Place { env: Arc::clone(&cx.env), machine }))
}

impl Tally {
    fn admits(&mut self, category: Category, second: i64) -> bool {
        if self.second != second {
            *self = Tally { second, under_way: self.under_way, ..Tally::default() };
        }
        match category {
            Category::General => counted(&mut self.general, GENERAL_A_SECOND),
            Category::Identity => {
                let is_admitted =
                    self.under_way < IDENTITY_AT_ONCE && counted(&mut self.identity, IDENTITY_A_SECOND);
                self.under_way += u32::from(is_admitted);
                is_admitted
            }
        }
    }
}

fn counted(count: &mut u32, most: u32) -> bool {
    let is_admitted = *count < most;
    *count += u32::from(is_admitted);
    is_admitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_takes_so_many_and_the_next_one_as_many_again() {
        let mut tally = Tally::default();
        let general =
            |tally: &mut Tally, second| (0..8).filter(|_| tally.admits(Category::General, second)).count();
        assert_eq!([general(&mut tally, 1), general(&mut tally, 1), general(&mut tally, 2)], [5, 0, 5]);
    }

    #[test]
    fn identities_are_asked_for_twenty_times_a_second_and_five_at_once() {
        let mut tally = Tally::default();
        let at_once = (0..8).filter(|_| tally.admits(Category::Identity, 1)).count();
        assert_eq!(at_once, 5);
        let one_by_one = (0..30)
            .filter(|_| {
                tally.under_way = 0;
                tally.admits(Category::Identity, 1)
            })
            .count();
        assert_eq!(one_by_one, 15);
        tally.under_way = 5;
        assert!(!tally.admits(Category::Identity, 2), "what is under way is so in the next second too");
    }
}
