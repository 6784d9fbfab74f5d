//! A cloud: one tenant's world, with a clock and chance of its own.
//!
//! One `Server` holds many clouds. Which of them a request belongs to follows from the door it came
//! through, so two clouds may hold accounts of one name. Its clock and its chance are the only ones
//! there are: what a handler may know of the time is `cx.now`, and every guid, key and secret comes
//! out of a `Draw`. A test sets the clock and seeds chance, and whole answers are the same, byte for
//! byte, each time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use aws_lc_rs::{digest, rand};
use azure::{
    ids::{Guid, SubscriptionId, TenantId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use crate::store::CloudId;

impl CloudId {
    /// The cloud that the drop-in ports and the plain proxy open.
    pub const DEFAULT: CloudId = CloudId(1);
}

/// What the store keeps of a cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charter {
    pub name: String,
    pub tenant: TenantId,
    /// The tenant's initial domain: `contoso.onmicrosoft.com`.
    pub domain: String,
    pub display_name: String,
    pub subscription: SubscriptionId,
    pub subscription_name: String,
    pub created: Timestamp,
}

/// What the default cloud is made with: fixed, so that what one copies from a page goes on working.
pub const DEFAULT_TENANT: &str = "7af7e000-c10d-4000-8000-00000000000a";
pub const DEFAULT_SUBSCRIPTION: &str = "7af7e000-c10d-4000-8000-00000000005b";

impl Charter {
    /// The default cloud's.
    pub fn contoso(created: Timestamp) -> Self {
        Charter {
            name: "default".to_owned(),
            tenant: DEFAULT_TENANT.parse().expect("a constant guid"),
            domain: "contoso.onmicrosoft.com".to_owned(),
            display_name: "Contoso".to_owned(),
            subscription: DEFAULT_SUBSCRIPTION.parse().expect("a constant guid"),
            subscription_name: "Zaffre".to_owned(),
            created,
        }
    }
}

pub struct Cloud {
    pub id: CloudId,
    pub charter: Charter,
    pub clock: Clock,
    pub chance: Chance,
}

/// The system's time, or a time that only its owner moves.
pub enum Clock {
    System,
    Set(AtomicI64),
}

impl Clock {
    pub fn set(at: Timestamp) -> Self {
        Clock::Set(AtomicI64::new(at.nanos()))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => system_now(),
            Clock::Set(nanos) => Timestamp::from_nanos(nanos.load(Ordering::Acquire)),
        }
    }

    /// Moves a set clock; the system's does not move, and the answer says so.
    pub fn move_to(&self, at: Timestamp) -> bool {
        match self {
            Clock::System => false,
            Clock::Set(nanos) => {
                nanos.store(at.nanos(), Ordering::Release);
                true
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

/// Where draws come from: the system's generator, or a seed. Clones draw from the same.
#[derive(Clone)]
pub struct Chance {
    seed: Option<[u8; 32]>,
    drawn: Arc<AtomicU64>,
}

impl Chance {
    pub fn system() -> Self {
        Chance { seed: None, drawn: Arc::default() }
    }

    pub fn seeded(seed: u64) -> Self {
        Chance { seed: Some(hash(&[b"zaffre seed", &seed.to_be_bytes()])), drawn: Arc::default() }
    }

    /// Chance of its own for what goes on beside other things: with a seed it draws the same, whatever they draw meanwhile.
    pub fn apart(&self) -> Self {
        let seed = self.seed.map(|_| self.draw().state);
        Chance { seed, drawn: Arc::default() }
    }

    /// A fresh draw, unlike every one before it.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's generator is asked")]
    pub fn draw(&self) -> Draw {
        let state = match &self.seed {
            Some(seed) => hash(&[seed, &self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes()]),
            None => {
                let mut state = [0; 32];
                rand::fill(&mut state).expect("the system's generator answers");
                state
            }
        };
        Draw { state, counter: 0 }
    }
}

/// Chance as a value: clones of one draw give the same bytes, so that a transaction's closure may
/// run again and make the same guids.
#[derive(Clone)]
pub struct Draw {
    state: [u8; 32],
    counter: u64,
}

impl Draw {
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(32) {
            let block = hash(&[&self.state, &self.counter.to_be_bytes()]);
            self.counter += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        out
    }

    pub fn guid(&mut self) -> Guid {
        Guid::from_random(self.bytes())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_the_same_and_clones_agree() {
        let (one, two) = (Chance::seeded(7), Chance::seeded(7));
        let mut first = one.draw();
        let mut again = first.clone();
        assert_eq!(first.guid(), two.draw().guid());
        assert_eq!(again.guid(), Chance::seeded(7).draw().guid());
        assert_ne!(
            one.draw().guid(),
            Chance::seeded(7).draw().guid(),
            "a second draw differs from the first"
        );
        assert_ne!(again.bytes::<40>()[..8], again.bytes::<40>()[32..]);
    }
    #[test]
    fn what_goes_on_apart_draws_the_same_whatever_others_draw() {
        let parts = |order: [usize; 2]| {
            let chance = Chance::seeded(7);
            let both = [chance.apart(), chance.apart()];
            let mut drawn = order.map(|at| (at, both[at].draw().guid()));
            drawn.sort_unstable_by_key(|it| it.0);
            drawn.map(|it| it.1)
        };
        assert_eq!(parts([0, 1]), parts([1, 0]));
        assert_ne!(parts([0, 1])[0], parts([0, 1])[1]);
        assert_ne!(Chance::system().apart().draw().guid(), Chance::system().apart().draw().guid());
    }
}
