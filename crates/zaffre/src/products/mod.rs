//! Products: a folder each, with everything that is theirs alone.
//!
//! What a product tells Resource Manager is a `Provider`, a static table of its types; here is the
//! list of them. A product is added with its folder and its line, and goes with them.

pub mod authorization;
pub mod bearers;
pub mod compute;
pub mod cosmos;
pub mod managed_identity;
pub mod management;
pub mod network;
pub mod storage;

use crate::arm::kind::Provider;

/// What `arm` is handed, in the order in which providers are listed.
pub static PROVIDERS: &[&Provider] = &[
    &authorization::PROVIDER,
    &bearers::APP,
    &bearers::CONTAINER_INSTANCE,
    &bearers::HYBRID_COMPUTE,
    &bearers::MACHINE_LEARNING,
    &bearers::SERVICE_FABRIC,
    &bearers::WEB,
    &compute::PROVIDER,
    &cosmos::account::PROVIDER,
    &managed_identity::PROVIDER,
    &management::PROVIDER,
    &network::PROVIDER,
    &storage::PROVIDER,
];
