//! Zaffre: Azure's managed-identity system on one's own machine.
//!
//! The whole program is one value, a `Server`: the doors to the world (`Env`) and the clouds in it.
//! `Server::send` gives it a request as if it had come through a door, without a socket; `front`
//! does the same for the sockets it opens. Read `service` for the one path that every request takes,
//! and ARCHITECTURE.md for the map.

pub mod access;
pub mod arm;
pub mod cli;
pub mod cloud;
pub mod control;
pub mod directory;
pub mod door;
pub mod entra;
pub mod env;
pub mod front;
pub mod graph;
pub mod host;
pub mod imds;
pub mod keys;
pub mod products;
pub mod resources;
pub mod s3;
pub mod service;
pub mod store;
pub mod tour;
mod upkeep;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, RwLock},
};

use azure::time::Timestamp;
use http::{Request, Response};

use crate::{
    cloud::{Chance, Charter, Clock, Cloud, CloudId},
    directory::{Credentials, founding},
    door::Door,
    env::{Durations, Env, LogFormat, Settings},
    front::ca::Authority,
    keys::{Keyring, SigningKey},
    service::{Body, reply::ReplyBody},
    store::{Content, Store, Txn},
    upkeep::Upkeep,
};

/// Why a cloud cannot start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

pub struct Server {
    pub env: Arc<Env>,
    clouds: RwLock<HashMap<CloudId, Opened>>,
    /// Ends with the server. Tests' servers in memory have none.
    upkeep: OnceLock<Upkeep>,
    /// What ends operations that are due, where they take their time.
    ticking: OnceLock<Upkeep>,
}

#[derive(Clone)]
struct Opened {
    cloud: Arc<Cloud>,
    credentials: Credentials,
}

impl Server {
    /// Starts on a store: an empty one gets its keys and its default cloud, another one its clouds
    /// back.
    pub async fn start(store: Store, content: Content, settings: Settings) -> Result<Arc<Self>, StartError> {
        let now = Clock::System.now();
        let keys = Keyring::open(&store, now).await?;
        let server = Server::over(Env::new(store, content, keys, settings));
        keys::follow(&server.env).await?;
        let mut charters = founding::charters(&server.env.store).await?;
        if charters.iter().all(|(id, _)| *id != CloudId::DEFAULT) {
            charters.push((CloudId::DEFAULT, Charter::contoso(now)));
        }
        let clouds: Vec<CloudId> = charters.iter().map(|(id, _)| *id).collect();
        let holder = Chance::system().draw().guid();
        let upkeep = upkeep::begin(&server.env, &clouds, holder).await?;
        let _ = server.upkeep.set(upkeep);
        if server.env.settings.durations == Durations::Azure {
            let _ = server.ticking.set(Upkeep::tick(&server.env, clouds));
        }
        for (id, charter) in charters {
            let cloud = Cloud { id, charter, clock: Clock::System, chance: Chance::system() };
            let cloud = server.open(cloud).await?;
            front::resume(&server.env, &cloud).await?;
        }
        Ok(server)
    }

    /// A server in memory whose default cloud has a set clock and seeded chance: what tests send
    /// requests to. All of a process share one signing key, since making one takes a while.
    pub async fn in_memory(seed: u64, now: Timestamp) -> Arc<Self> {
        Server::in_memory_over(Store::in_memory(), Content::in_memory(), seed, now).await
    }

    /// The same, where operations take as long as on the platform.
    pub async fn in_memory_taking_its_time(seed: u64, now: Timestamp) -> Arc<Self> {
        let settings = Settings { durations: Durations::Azure, ..Settings::default() };
        Server::in_memory_with(Store::in_memory(), Content::in_memory(), (seed, now), settings).await
    }

    /// The same over a store and bodies that the test has made.
    pub(crate) async fn in_memory_over(
        store: Store,
        content: Content,
        seed: u64,
        now: Timestamp,
    ) -> Arc<Self> {
        Server::in_memory_with(store, content, (seed, now), Settings::default()).await
    }

    /// The same with settings.
    async fn in_memory_with(
        store: Store,
        content: Content,
        (seed, now): (u64, Timestamp),
        settings: Settings,
    ) -> Arc<Self> {
        let settings = Settings { log: LogFormat::Off, ..settings };
        let env = Env::new(store, content, Keyring::shared(test_key(now)), settings);
        let authority =
            Authority::in_memory(|| Clock::System.now()).expect("this machine makes certificates");
        let _ = env.authority.set(Arc::new(authority));
        let server = Server::over(env);
        let cloud = Cloud {
            id: CloudId::DEFAULT,
            charter: Charter::contoso(now),
            clock: Clock::set(now),
            chance: Chance::seeded(seed),
        };
        server.open(cloud).await.expect("a store in memory takes a cloud");
        server
    }

    fn over(env: Arc<Env>) -> Arc<Self> {
        env.issuers.get_or_init(|| front::issuers::fetch);
        env.documents.get_or_init(|| front::documents::fetch);
        Arc::new(Server { env, clouds: RwLock::default(), upkeep: OnceLock::new(), ticking: OnceLock::new() })
    }

    /// Opens a cloud: one that the store does not know yet is founded with the charter it comes with,
    /// another one keeps the charter it was founded with.
    pub async fn open(&self, mut cloud: Cloud) -> Result<Arc<Cloud>, StartError> {
        cloud.charter = founding::charter(&self.env.store, cloud.id, &cloud.charter).await?;
        let draw = cloud.chance.draw();
        let found = |txn: &mut Txn| founding::found(txn, &mut draw.clone(), &cloud.charter);
        let credentials = self.env.store.write(cloud.id, found).await?;
        let cloud = Arc::new(cloud);
        let opened = Opened { cloud: Arc::clone(&cloud), credentials };
        self.clouds.write().expect("no holder of this lock panics").insert(cloud.id, opened);
        Ok(cloud)
    }

    /// Every cloud there is.
    pub fn clouds(&self) -> Vec<Arc<Cloud>> {
        let clouds = self.clouds.read().expect("no holder of this lock panics");
        clouds.values().map(|it| Arc::clone(&it.cloud)).collect()
    }

    pub fn cloud(&self, id: CloudId) -> Option<Arc<Cloud>> {
        Some(self.opened(id)?.cloud)
    }

    /// How to sign in to a cloud as its administrator or its first application, both of them Owner of
    /// its subscription.
    pub fn credentials(&self, id: CloudId) -> Option<Credentials> {
        Some(self.opened(id)?.credentials)
    }

    fn opened(&self, id: CloudId) -> Option<Opened> {
        self.clouds.read().expect("no holder of this lock panics").get(&id).cloned()
    }

    /// Answers a request as if it had come through the door.
    pub async fn send(&self, door: Door, request: Request<Body>) -> Response<ReplyBody> {
        let cloud = self.cloud(door.cloud).expect("a door is made for a cloud of this server");
        front::answer(&self.env, &cloud, door, request).await
    }
}

fn test_key(now: Timestamp) -> Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(SigningKey::generate(now).expect("this machine makes RSA keys"))))
}
