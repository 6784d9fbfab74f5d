//! How often one caller may ask: Azure's token buckets, where `up --limits platform` keeps them (arm.md §10).
//!
//! A principal has a bucket for reads, one for writes and one for deletions, in each subscription; there is one.
//! Each request takes a token, and time brings them back. Whoever finds none waits, and is told for how long.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use azure::{error::Result, ids::ObjectId, time::Timestamp};
use http::Method;

use super::codes;
use crate::{access::Caller, cloud::CloudId, env::Limits, service::Cx};

/// The extra under which a refusal says when to come again.
pub(super) const RETRY_AFTER: &str = "retry-after";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Reads,
    Writes,
    Deletes,
}

impl Kind {
    pub(super) fn of(method: &Method) -> Kind {
        match *method {
            Method::GET | Method::HEAD => Kind::Reads,
            Method::DELETE => Kind::Deletes,
            _ => Kind::Writes,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Kind::Reads => "reads",
            Kind::Writes => "writes",
            Kind::Deletes => "deletes",
        }
    }

    /// What answers say where nobody counts (arm.md §5).
    pub(super) const fn unlimited(self) -> u64 {
        match self {
            Kind::Reads => 11_999,
            Kind::Writes => 1_199,
            Kind::Deletes => 14_999,
        }
    }

    /// How many a bucket holds, and how many a second bring back.
    const fn bucket(self) -> (u32, u32) {
        match self {
            Kind::Reads => (250, 25),
            Kind::Writes | Kind::Deletes => (200, 10),
        }
    }
}

/// What is left in every bucket that was ever taken from.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<(CloudId, ObjectId, Kind), Bucket>>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    /// In thousandths of a token.
    left: u64,
    at: Timestamp,
}

impl Bucket {
    fn full(kind: Kind, now: Timestamp) -> Bucket {
        Bucket { left: u64::from(kind.bucket().0) * 1000, at: now }
    }

    /// Takes one, if there is one; else how long it is until there is.
    fn take(self, kind: Kind, now: Timestamp) -> (Bucket, std::result::Result<u64, Duration>) {
        let (most, a_second) = kind.bucket();
        // A clock that was set back brings nothing, and takes nothing away.
        let passed = if now > self.at { now.distance(self.at) } else { Duration::ZERO };
        let back = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(u64::from(a_second));
        let left = self.left.saturating_add(back).min(u64::from(most) * 1000);
        match left.checked_sub(1000) {
            Some(left) => (Bucket { left, at: now }, Ok(left / 1000)),
            None => {
                let wait = Duration::from_millis((1000 - left).div_ceil(u64::from(a_second)));
                (Bucket { left, at: now }, Err(wait))
            }
        }
    }
}

/// Takes a token for a request: how many are left, where anybody counts. Refuses with 429.
pub(super) fn take(cx: &Cx, caller: &Caller, method: &Method) -> Result<Option<u64>> {
    let (Limits::Platform, Some(who)) = (cx.env.settings.limits, caller.principal()) else { return Ok(None) };
    let kind = Kind::of(method);
    let mut rates = cx.env.rates.0.lock().unwrap_or_else(PoisonError::into_inner);
    let bucket =
        rates.entry((cx.cloud.id, who.object_id, kind)).or_insert_with(|| Bucket::full(kind, cx.now));
    let (next, taken) = bucket.take(kind, cx.now);
    *bucket = next;
    taken.map(Some).map_err(|wait| {
        let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
        let subscription = cx.cloud.charter.subscription.to_string();
        codes::THROTTLED.with([&subscription, kind.as_str(), &seconds]).and(RETRY_AFTER, seconds)
    })
}

/// How many are left, where anybody counts.
pub(super) fn left(cx: &Cx, caller: &Caller, method: &Method) -> Option<u64> {
    let kind = Kind::of(method);
    let who = caller.principal().filter(|_| cx.env.settings.limits == Limits::Platform)?;
    let rates = cx.env.rates.0.lock().unwrap_or_else(PoisonError::into_inner);
    rates.get(&(cx.cloud.id, who.object_id, kind)).map(|it| it.left / 1000)
}

#[cfg(test)]
mod tests {
    use azure::principal::{Principal, PrincipalKind};

    use super::*;
    use crate::{
        Server,
        door::Door,
        env::Settings,
        store::{Content, Store},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);

    #[test]
    fn a_bucket_is_full_at_first_and_fills_with_time() {
        let mut bucket = Bucket::full(Kind::Writes, NOW);
        for left in (0..200).rev() {
            let (next, taken) = bucket.take(Kind::Writes, NOW);
            assert_eq!(taken, Ok(left));
            bucket = next;
        }
        assert_eq!(bucket.take(Kind::Writes, NOW).1, Err(Duration::from_millis(100)));
        assert_eq!(
            bucket.take(Kind::Writes, NOW.plus(Duration::from_millis(60))).1,
            Err(Duration::from_millis(40))
        );
        assert_eq!(bucket.take(Kind::Writes, NOW.plus(Duration::from_secs(1))).1, Ok(9));
        assert_eq!(bucket.take(Kind::Writes, NOW.plus(Duration::from_secs(3600))).1, Ok(199));
        assert_eq!(
            bucket.take(Kind::Writes, NOW.minus(Duration::from_secs(3600))).1,
            Err(Duration::from_millis(100))
        );
    }

    #[tokio::test]
    async fn whoever_asks_too_often_is_told_when_to_come_again_and_nobody_else_is() {
        for (limits, most) in [(Limits::Platform, Some(200)), (Limits::Off, None)] {
            let settings = Settings { limits, ..Settings::default() };
            let server =
                Server::in_memory_with(Store::in_memory(), Content::in_memory(), (1, NOW), settings).await;
            let cloud = server.cloud(CloudId::DEFAULT).expect("a cloud");
            let cx = Cx::internal(&server.env, &cloud, Door::named(cloud.id));
            let somebody = |byte| {
                Caller::Principal(Principal {
                    object_id: ObjectId(azure::ids::Guid([byte; 16])),
                    tenant: cloud.charter.tenant,
                    kind: PrincipalKind::User,
                    app_id: None,
                    name: None,
                })
            };
            for asked in 0..300 {
                match take(&cx, &somebody(1), &Method::PUT) {
                    Ok(left) => assert_eq!(left, most.map(|most| most - asked - 1)),
                    Err(error) => {
                        assert!(most.is_some_and(|most| asked >= most), "{asked}");
                        assert_eq!(
                            (error.row.status, error.row.code),
                            (429, "SubscriptionRequestsThrottled")
                        );
                        assert_eq!(error.extra(RETRY_AFTER), Some("1"));
                    }
                }
            }
            assert_eq!(take(&cx, &somebody(2), &Method::PUT).ok(), Some(most.map(|most| most - 1)));
            assert_eq!(take(&cx, &somebody(1), &Method::GET).ok(), Some(most.map(|_| 249)));
            assert_eq!(take(&cx, &Caller::Anonymous, &Method::GET).ok(), Some(None));
        }
    }
}
