//! Who asks, by whatever they showed.

use std::fmt;

use azure::{
    ids::ResourceId,
    principal::Principal,
    rbac::{Access, Plane},
    sas::Grant,
};

/// What authentication found out.
#[derive(Clone, Debug)]
pub enum Caller {
    Anonymous,
    /// A verified token's principal.
    Principal(Principal),
    /// A storage account's key: everything in that account.
    AccountKey(ResourceId),
    /// A proved shared access signature: what it says, and no more than its delegator may where it has one.
    Sas(Box<Grant>),
    /// A Cosmos account's key: everything in that account's data plane, or everything that reads.
    CosmosKey {
        account: ResourceId,
        read_only: bool,
    },
    /// The owner of this machine, at the control socket.
    Operator,
}

impl Caller {
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Caller::Anonymous)
    }

    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Caller::Principal(principal) => Some(principal),
            Caller::Anonymous
            | Caller::AccountKey(_)
            | Caller::Sas(_)
            | Caller::CosmosKey { .. }
            | Caller::Operator => None,
        }
    }

    /// Whose roles decide: the principal's own, or those of who delegated.
    pub(super) fn holder(&self) -> Option<&Principal> {
        match self {
            Caller::Sas(grant) => grant.delegator(),
            other => other.principal(),
        }
    }
}

/// What a key may do, or what is signed with one, which no role decides. `None`: roles have to say.
pub(super) fn by_key(caller: &Caller, access: &Access) -> Option<bool> {
    match caller {
        Caller::Anonymous => Some(false),
        Caller::Principal(_) => None,
        Caller::Operator => Some(true),
        Caller::AccountKey(account) => Some(account.holds(&access.on)),
        Caller::Sas(grant) => match grant.judge(access.signed, &access.on) {
            Err(_) => Some(false),
            Ok(()) => grant.delegator().is_none().then_some(true),
        },
        Caller::CosmosKey { account, read_only } => {
            let inside = access.plane == Plane::Cosmos && account.holds(&access.on);
            Some(inside && (!read_only || access.any.iter().any(|action| is_read(action.as_str()))))
        }
    }
}

/// What Cosmos's read-only keys may do: read resources, query, follow the change feed.
fn is_read(action: &str) -> bool {
    let last = action.rsplit('/').next().unwrap_or_default();
    ["read", "readMetadata", "executeQuery", "readChangeFeed"]
        .iter()
        .any(|verb| last.eq_ignore_ascii_case(verb))
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Anonymous => f.write_str("anonymous"),
            Caller::Principal(principal) => match &principal.name {
                Some(name) => write!(f, "{}:{name}", principal.object_id),
                None => write!(f, "{}", principal.object_id),
            },
            Caller::AccountKey(account) => write!(f, "key-of:{}", account.name()),
            Caller::Sas(grant) => match grant.delegator() {
                Some(who) => write!(f, "sas-of:{}-by:{}", grant.account.name(), who.object_id),
                None => write!(f, "sas-of:{}", grant.account.name()),
            },
            Caller::CosmosKey { account, read_only: false } => write!(f, "key-of:{}", account.name()),
            Caller::CosmosKey { account, read_only: true } => {
                write!(f, "read-only-key-of:{}", account.name())
            }
            Caller::Operator => f.write_str("operator"),
        }
    }
}
