//! What a proved signature allows, and what operations ask of one.

use std::fmt;

use super::{Kind, Permissions, Place, Resource, Sas, Terms, sign};
use crate::{ids::ResourceId, principal::Principal};

/// What an operation asks of a signature, as its row has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// What the operation is done to, for an account SAS: any of these letters of `sco`.
    pub resource_types: &'static str,
    /// Any of these permissions of an account SAS.
    pub of_account: &'static str,
    /// Any of these of a service SAS or a user delegation's. Without any, none allows it.
    pub of_service: &'static str,
}

/// A proved signature.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The account that it was signed for.
    pub account: ResourceId,
    /// Everything at this place and below.
    pub on: ResourceId,
    pub permissions: Permissions,
    pub signer: Signer,
}

/// By whose leave it allows anything.
#[derive(Clone, Debug)]
pub enum Signer {
    /// A key of the account, for these services and types of resources.
    Account { services: String, resource_types: String },
    /// A key of the account.
    Service,
    /// Whoever asked for the key: it allows what they may do themselves, when it is used.
    Delegator(Box<Principal>),
}

/// Why a signature does not allow something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    Service,
    ResourceType,
    Permission,
    /// No signature of its kind allows this.
    Never,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mismatch::Service => "it is not for blobs (`ss`)",
            Mismatch::ResourceType => "it is not for this type of resource (`srt`)",
            Mismatch::Permission => "it lacks the permission (`sp`)",
            Mismatch::Never => "no signature of its kind allows this",
        })
    }
}

impl Grant {
    /// What the signature allows under these whole terms. The delegator is the principal of a user delegation.
    pub fn new(
        sas: &Sas,
        terms: Terms,
        account: &ResourceId,
        place: Place<'_>,
        delegator: Option<Principal>,
    ) -> Option<Grant> {
        let container = |name: &str| account.child("blobServices", "default").child("containers", name);
        let on = match (sas.resource(), place) {
            (None, _) | (_, Place::Account) => account.clone(),
            (Some(Resource::Container), Place::Container(name) | Place::Blob { container: name, .. })
            | (Some(_), Place::Container(name)) => container(name),
            (Some(Resource::Directory { depth }), Place::Blob { container: within, name }) => {
                match sign::directory(name, depth)? {
                    "" => container(within),
                    directory => container(within).child("blobs", directory),
                }
            }
            (Some(_), Place::Blob { container: within, name }) => container(within).child("blobs", name),
        };
        let signer = match (&sas.kind, delegator) {
            (Kind::Account { services, resource_types }, _) => {
                Signer::Account { services: services.clone(), resource_types: resource_types.clone() }
            }
            (Kind::Service { .. }, _) => Signer::Service,
            (Kind::UserDelegation { .. }, delegator) => Signer::Delegator(Box::new(delegator?)),
        };
        Some(Grant { account: account.clone(), on, permissions: terms.permissions?, signer })
    }

    /// Whether it allows what is demanded there. Whether its delegator may do it is another question.
    pub fn judge(&self, demand: Option<Demand>, on: &ResourceId) -> Result<(), Mismatch> {
        let demand = demand.unwrap_or_default();
        let letters = match &self.signer {
            Signer::Account { .. } => demand.of_account,
            Signer::Service | Signer::Delegator(_) => demand.of_service,
        };
        if letters.is_empty() || !self.on.holds_to_the_letter(on) {
            return Err(Mismatch::Never);
        }
        if let Signer::Account { services, resource_types } = &self.signer {
            if !services.contains('b') {
                return Err(Mismatch::Service);
            }
            if !resource_types.chars().any(|letter| demand.resource_types.contains(letter)) {
                return Err(Mismatch::ResourceType);
            }
        }
        if self.permissions.have_any(letters) { Ok(()) } else { Err(Mismatch::Permission) }
    }

    pub fn delegator(&self) -> Option<&Principal> {
        match &self.signer {
            Signer::Delegator(principal) => Some(principal),
            Signer::Account { .. } | Signer::Service => None,
        }
    }
}
