//! What every step of a request may know: the time, the door, the cloud, the doors to the world.

use std::sync::Arc;

use azure::{
    error::{Error, Result},
    ids::{Guid, ResourceId},
    time::Timestamp,
};

use crate::{
    cloud::{Chance, Cloud, Draw},
    door::Door,
    env::Env,
    store::{StoreError, Txn},
};

/// The context of one request.
#[derive(Clone)]
pub struct Cx {
    pub request_id: Guid,
    /// The client's own, where it sent one, else the request id.
    pub correlation_id: Guid,
    /// When the request came in, by the cloud's clock.
    pub now: Timestamp,
    pub door: Door,
    /// The deployment stack that does this: its own deny assignments do not stand in its way.
    pub stack: Option<ResourceId>,
    pub cloud: Arc<Cloud>,
    /// The cloud's, or that of what this is a step of.
    pub chance: Chance,
    pub env: Arc<Env>,
}

impl Cx {
    /// The context of something that nobody asked for over a socket: the reconciler, the tour.
    pub fn internal(env: &Arc<Env>, cloud: &Arc<Cloud>, door: Door) -> Self {
        let request_id = cloud.chance.draw().guid();
        Cx {
            request_id,
            correlation_id: request_id,
            now: cloud.clock.now(),
            door,
            stack: None,
            chance: cloud.chance.clone(),
            cloud: Arc::clone(cloud),
            env: Arc::clone(env),
        }
    }

    /// Reads this cloud's rows on one snapshot. The closure may run again.
    pub async fn read<T>(&self, read: impl FnMut(&Txn) -> Result<T>) -> Result<T> {
        self.env.store.read(self.cloud.id, read).await
    }

    /// The same for what takes its time: long lists.
    pub async fn read_long<T>(&self, read: impl FnMut(&Txn) -> Result<T>) -> Result<T> {
        self.env.store.read_long(self.cloud.id, read).await
    }

    /// Changes this cloud's rows in one serializable transaction. The closure may run again: take
    /// chance from a clone of one `Draw`, and time from `now`.
    pub async fn write<T>(&self, write: impl FnMut(&mut Txn) -> Result<T>) -> Result<T> {
        self.env.store.write(self.cloud.id, write).await
    }

    pub fn draw(&self) -> Draw {
        self.chance.draw()
    }

    /// The same context for what goes on beside other things, with chance of its own.
    pub fn apart(&self) -> Self {
        Cx { chance: self.chance.apart(), ..self.clone() }
    }
}

// `Error` must be reachable from the store's own errors for `?` inside closures.
const _: fn(StoreError) -> Error = Error::from;
