//! The only doors to the world: store, content, guests, keys, settings.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use azure::jwt::jwks::PublicKey;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    access::{Decisions, Holdings, RoleLimits},
    arm::limits::Rates,
    cloud::Cloud,
    control::Running,
    directory::Tokens,
    front::{Upstreams, ca::Authority, outside::Outside, shell_doors::Tickets},
    host::{Follower, Guests, PublicDoors},
    imds::Memory,
    keys::Keyring,
    store::{Content, Store},
};

pub struct Env {
    pub store: Store,
    pub content: Content,
    pub keys: Keyring,
    pub settings: Settings,
    /// The last decisions, for `explain`.
    pub decisions: Decisions,
    /// What callers were seen to hold.
    pub holdings: Holdings,
    /// Tokens that were signed or verified before.
    pub tokens: Tokens,
    /// What machines asked lately, and what they are.
    pub metadata: Memory,
    /// How often callers have asked Resource Manager.
    pub rates: Rates,
    /// Who certifies the keys of this machine's servers and documents.
    pub authority: OnceLock<Arc<Authority>>,
    /// Where the cloud listens, once it does.
    pub running: OnceLock<Running>,
    /// How an issuer on this machine is asked for its keys.
    pub issuers: OnceLock<FetchKeys>,
    /// How a document that this cloud serves itself is read.
    pub documents: OnceLock<FetchDocument>,
    /// What machines reach outside their networks; nothing where nobody lets them out.
    pub outside: OnceLock<Arc<Outside>>,
    /// Whoever runs the guests; nobody where machines are rows alone.
    pub guests: OnceLock<Arc<dyn Guests>>,
    /// Whoever makes guests follow what is written about machines.
    pub follower: Follower,
    /// Where what is open at machines' public addresses can be reached.
    pub public_doors: PublicDoors,
    /// Shells that were granted and have not come yet.
    pub tickets: Tickets,
}

/// An issuer's keys, or why there are none, in words for the log.
pub type FetchedKeys = Pin<Box<dyn Future<Output = Result<Vec<PublicKey>, String>> + Send>>;
pub type FetchKeys = fn(issuer: String) -> FetchedKeys;

/// A document by its link, on this cloud's own hosts.
pub enum Fetched {
    Bytes(Bytes),
    /// It is not there, or not for everybody.
    Refused,
    /// The link leads to another host, which is not asked.
    Elsewhere,
}

pub type FetchedDocument = Pin<Box<dyn Future<Output = Fetched> + Send>>;
pub type FetchDocument = fn(env: Arc<Env>, cloud: Arc<Cloud>, uri: String) -> FetchedDocument;

/// What the command line settled.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The data directory; none for a cloud that lives in memory.
    pub data: Option<PathBuf>,
    /// Whether hosts that are not Azure's are refused by the proxy too.
    pub offline: bool,
    /// What leads the proxy to other hosts.
    pub upstream: Upstreams,
    /// What machines are to reach outside their networks, where the cloud is not offline.
    pub egress: Egress,
    pub log: LogFormat,
    /// Whose limits on how often may be asked are kept.
    pub limits: Limits,
    /// How long operations take.
    pub durations: Durations,
    /// Where Azure Arc's challenges are written; none: where Arc's own agent writes them.
    pub arc_tokens: Option<PathBuf>,
    /// For how long role assignments that were changed are still what they were.
    pub role_propagation: Duration,
    /// How many assignments and roles there may be.
    pub role_limits: RoleLimits,
}

/// What machines reach outside their networks, as far as their security groups let them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    #[default]
    Off,
    Internet,
    /// The private networks of this host, too.
    All,
}

impl Egress {
    /// In words, for whoever wonders.
    pub fn said(self) -> &'static str {
        match self {
            Egress::Off => "off: machines reach nothing outside their networks",
            Egress::Internet => "on: machines reach the Internet, as their security groups let them",
            Egress::All => {
                "on: machines reach the Internet and this host's private networks, as their security groups let them"
            }
        }
    }
}

impl Settings {
    /// What machines really reach: a cloud that is offline passes nothing on.
    pub fn egress(&self) -> Egress {
        if self.offline { Egress::Off } else { self.egress }
    }
}

/// How often may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// As often as anybody likes.
    #[default]
    Off,
    /// As often as Azure takes it; beyond that, 429.
    Platform,
}

/// How long what Resource Manager is asked for takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durations {
    /// No longer than it has to.
    #[default]
    Instant,
    /// As long as on the platform.
    Azure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
    Off,
}

impl Env {
    /// What machines reach now.
    pub fn egress(&self) -> Egress {
        self.outside.get().map_or(Egress::Off, |it| it.egress())
    }

    pub fn new(store: Store, content: Content, keys: Keyring, settings: Settings) -> Arc<Self> {
        Arc::new(Env {
            store,
            content,
            keys,
            settings,
            decisions: Decisions::default(),
            holdings: Holdings::default(),
            tokens: Tokens::default(),
            metadata: Memory::default(),
            rates: Rates::default(),
            authority: OnceLock::new(),
            running: OnceLock::new(),
            issuers: OnceLock::new(),
            documents: OnceLock::new(),
            outside: OnceLock::new(),
            guests: OnceLock::new(),
            follower: Follower::default(),
            public_doors: PublicDoors::default(),
            tickets: Tickets::default(),
        })
    }
}
