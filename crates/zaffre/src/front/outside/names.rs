//! Names outside, by the host's own resolver: a few at a time, each remembered for a short while.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};

use super::super::route::{self, Target};
use super::World;

/// Looked up at once: each takes a thread for as long as the resolver does.
const AT_ONCE: usize = 32;
/// What waits longer is given up; clients repeat themselves after five seconds (resolv.conf(5)).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer holds. The host's resolver does not tell how long it should.
pub(in super::super) const HOLDS: Duration = Duration::from_secs(30);
const NOBODY_HOLDS: Duration = Duration::from_secs(5);
const MOST: usize = 4096;

/// What is known of a name outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is such a name; it may have no addresses.
    Addresses(Vec<IpAddr>),
    Nobody,
    /// Nobody could say.
    Failed,
}

impl Found {
    pub(super) fn filtered(self, is_good: impl Fn(&IpAddr) -> bool) -> Found {
        match self {
            Found::Addresses(all) => Found::Addresses(all.into_iter().filter(is_good).collect()),
            other => other,
        }
    }
}

/// Ends of names that nobody outside is asked for.
static NOT_ASKED: &[(&str, &str)] = &[
    ("localhost", "RFC 6761 §6.3"),
    ("local", "asked for on the host's own wire (RFC 6762)"),
    ("internal", "names of private networks (ICANN, 2024)"),
    ("invalid", "RFC 6761 §6.4"),
    ("test", "RFC 6761 §6.2"),
    ("onion", "RFC 7686"),
    ("arpa", "names of addresses and of home networks (RFC 8375)"),
    ("internal.cloudapp.net", "machines of a virtual network, which it alone knows"),
];

/// Whether somebody outside may be asked what a name stands for.
pub(in super::super) fn is_asked(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_under =
        |end: &str| name.strip_suffix(end).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    name.contains('.')
        && name.chars().all(is_name)
        && name.parse::<IpAddr>().is_err()
        && route::by_name(&name) == Target::Foreign
        && !NOT_ASKED.iter().any(|(end, _)| is_under(end))
}

pub(super) struct Names {
    world: Arc<dyn World>,
    known: Mutex<HashMap<String, (Instant, Found)>>,
    places: Arc<Semaphore>,
}

impl Names {
    pub(super) fn new(world: Arc<dyn World>) -> Names {
        Names { world, known: Mutex::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) async fn find(&self, name: &str) -> Found {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if let Some(known) = self.known(&name, Instant::now()) {
            return known;
        }
        let asking = tokio::time::timeout(PATIENCE, self.ask(name.clone())).await;
        let found = asking.unwrap_or(Found::Failed);
        self.note(name, &found, Instant::now());
        found
    }

    async fn ask(&self, name: String) -> Found {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Found::Failed };
        let looking = self.world.addresses_of(name);
        // Whoever gives up waiting does not end the looking: its place is taken until it is done.
        let looked = tokio::spawn(async move {
            let found = looking.await;
            drop(place);
            found
        });
        match looked.await {
            Ok(Ok(addresses)) => Found::Addresses(addresses),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Found::Nobody,
            Ok(Err(_)) | Err(_) => Found::Failed,
        }
    }

    fn known(&self, name: &str, now: Instant) -> Option<Found> {
        let known = self.lock();
        known.get(name).filter(|(until, _)| now < *until).map(|(_, found)| found.clone())
    }

    fn note(&self, name: String, found: &Found, now: Instant) {
        let holds = match found {
            Found::Addresses(_) => HOLDS,
            Found::Nobody => NOBODY_HOLDS,
            Found::Failed => return,
        };
        let mut known = self.lock();
        if known.len() >= MOST {
            known.retain(|_, (until, _)| now < *until);
        }
        if known.len() < MOST {
            known.insert(name, (now + holds, found.clone()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Found)>> {
        self.known.lock().expect("nothing panics while it holds what is known of names")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, SocketAddrV4},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use guest::Opening;
    use tokio::net::{TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn only_whole_names_of_others_are_asked_for() {
        for (name, expected) in [
            ("example.org", true),
            ("Example.ORG.", true),
            ("a.b.c.example.org", true),
            ("_x.example.org", true),
            ("example", false),
            ("", false),
            ("login.microsoftonline.com", false),
            ("acct.blob.core.windows.net", false),
            ("vault.azure.net.", false),
            ("x.localhost", false),
            ("printer.local", false),
            ("notlocal", false),
            ("not.mylocal", true),
            ("7.0.0.10.in-addr.arpa", false),
            ("vm.x.internal.cloudapp.net", false),
            ("127.0.0.1", false),
            ("exa mple.org", false),
            ("a\0b.org", false),
        ] {
            assert_eq!(is_asked(name), expected, "{name}");
        }
    }

    /// Counts how often it is asked.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl World for Counting {
        fn addresses_of(&self, name: String) -> Opening<Vec<IpAddr>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match name.as_str() {
                    "there.example" => Ok(vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))]),
                    "nobody.example" => Err(io::ErrorKind::NotFound.into()),
                    _ => Err(io::Error::other("nobody to ask")),
                }
            })
        }

        fn connect(&self, _: SocketAddrV4) -> Opening<TcpStream> {
            Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
        }

        fn bind(&self, _: SocketAddrV4) -> Opening<UdpSocket> {
            Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
        }

        fn owns(&self, _: Ipv4Addr) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn what_was_found_is_not_asked_for_again_and_what_failed_is() {
        let world = Arc::new(Counting::default());
        let names = Names::new(Arc::clone(&world) as _);
        let there = Found::Addresses(vec!["198.51.100.7".parse().expect("an address")]);
        for (name, expected, asked) in [
            ("there.example", &there, 1),
            ("THERE.example.", &there, 1),
            ("nobody.example", &Found::Nobody, 2),
            ("nobody.example", &Found::Nobody, 2),
            ("other.example", &Found::Failed, 3),
            ("other.example", &Found::Failed, 4),
        ] {
            assert_eq!(names.find(name).await, *expected, "{name}");
            assert_eq!(world.0.load(Ordering::Relaxed), asked, "{name}");
        }
    }

    #[test]
    fn what_was_found_holds_for_a_while() {
        let names = Names::new(Arc::new(Counting::default()));
        let (begun, there) = (Instant::now(), Found::Addresses(Vec::new()));
        let at = |seconds| begun + Duration::from_secs(seconds);
        names.note("there.example".to_owned(), &there, begun);
        names.note("nobody.example".to_owned(), &Found::Nobody, begun);
        for (name, seconds, expected) in [
            ("there.example", 29, Some(there)),
            ("there.example", 30, None),
            ("nobody.example", 4, Some(Found::Nobody)),
            ("nobody.example", 5, None),
        ] {
            assert_eq!(names.known(name, at(seconds)), expected, "{name} after {seconds}");
        }
        for number in 0..MOST + 10 {
            names.note(format!("n{number}.example"), &Found::Nobody, begun);
        }
        assert!(names.lock().len() <= MOST);
    }
}
