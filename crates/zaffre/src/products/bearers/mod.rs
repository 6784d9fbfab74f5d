//! Types that are here for their identities: sites, container apps, connected machines and the like, kept as they are sent.
//!
//! Programs get tokens as these resources (`zaffre env --host-kind`), and roles are given to their principals. Nothing of what
//! the types do is done.

use azure::{api_version::ApiVersion, identity::Shape};

use crate::arm::kind::{Kind, Provider};

/// Those that clients were seen to send, of all the types together: what lies between is served as the older one.
static VERSIONS: [ApiVersion; 14] = [
    ApiVersion::of("2016-08-01"),
    ApiVersion::of("2018-11-01"),
    ApiVersion::of("2019-08-01"),
    ApiVersion::of("2020-06-01"),
    ApiVersion::of("2021-02-01"),
    ApiVersion::of("2021-05-20"),
    ApiVersion::of("2022-03-01"),
    ApiVersion::of("2022-12-27"),
    ApiVersion::of("2023-05-01"),
    ApiVersion::of("2023-12-01"),
    ApiVersion::of("2024-04-01"),
    ApiVersion::of("2024-07-10"),
    ApiVersion::of("2024-11-01"),
    ApiVersion::of("2025-07-01"),
];

/// A type of a group that may carry the block.
const fn bearer(name: &'static str) -> Kind {
    Kind { identity: Some(|_| Shape::Map), ..Kind::tracked(name, &VERSIONS) }
}

/// The same inside another one, with a location of its own.
const fn inner(name: &'static str) -> Kind {
    Kind {
        identity: Some(|_| Shape::Map),
        location: crate::arm::kind::Located::Inherited,
        ..Kind::child(name, &VERSIONS)
    }
}

macro_rules! provider {
    ($name:ident, $namespace:literal, $($kind:expr),+) => {
        pub static $name: Provider = Provider { namespace: $namespace, kinds: &[$($kind),+], functions: &[], data: Vec::new };
    };
}

provider!(APP, "Microsoft.App", bearer("containerApps"), bearer("jobs"));
provider!(CONTAINER_INSTANCE, "Microsoft.ContainerInstance", bearer("containerGroups"));
provider!(HYBRID_COMPUTE, "Microsoft.HybridCompute", bearer("machines"));
provider!(
    MACHINE_LEARNING,
    "Microsoft.MachineLearningServices",
    bearer("workspaces"),
    inner("workspaces/computes"),
    inner("workspaces/onlineEndpoints")
);
provider!(SERVICE_FABRIC, "Microsoft.ServiceFabric", bearer("clusters"), inner("clusters/applications"));
provider!(WEB, "Microsoft.Web", bearer("sites"), inner("sites/slots"));
