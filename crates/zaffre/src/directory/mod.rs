//! The directory: who there is, how they prove it, and the tokens that say so.
//!
//! ```text
//! applications ──┐                      ┌── resources: whom a token may be for
//! users, groups ─┼── service principals ┤
//! founding ──────┘   (managed           ├── mint: the one place where tokens are signed
//!                     identities too)   └── verify: the one place where they are believed
//! ```
//!
//! Issuers elsewhere whose tokens a federated credential may name are in `federation`.
//!
//! An application is what proves itself with a secret; its service principal is what roles are given
//! to. A managed identity has a service principal and no application, and nothing to prove itself
//! with: only IMDS asks for its tokens. Services ask here and print what they get in the words of
//! their own protocols; nothing here knows how a question arrived.
//!
//! A token is believed for what it says until it expires, as in Azure: deleting a principal stops new
//! tokens and takes its role assignments' effect away, and does not call back those that were issued.

pub mod applications;
pub(crate) mod bounded;
pub mod deleted;
pub mod federation;
pub mod first_party;
pub mod founding;
pub mod grants;
pub mod groups;
pub mod links;
pub mod mint;
pub mod resources;
pub mod roles;
pub mod secret;
pub mod service_principals;
pub mod sessions;
pub mod users;
pub mod verify;

use azure::{
    error::Result,
    ids::{ClientId, Guid, ObjectId},
    principal::{Principal, PrincipalKind},
};

pub use self::{
    applications::Application,
    founding::Credentials,
    groups::Group,
    mint::{Minted, Subject},
    service_principals::{ServicePrincipal, ServicePrincipalKind},
    users::User,
    verify::TokenFault,
};
use crate::{cloud::Charter, store::Txn};

/// What a process remembers of tokens, so that neither signing nor verifying is done twice. Nothing
/// in it decides anything: whether an identity exists and whether a token has expired is asked anew
/// each time.
#[derive(Default)]
pub struct Tokens {
    verified: verify::Verified,
    minted: mint::MintedTokens,
}

/// Anything that a role can be given to.
#[derive(Clone, Debug)]
pub enum Found {
    ServicePrincipal(ServicePrincipal),
    User(User),
    Group(Group),
}

impl Found {
    pub fn object_id(&self) -> ObjectId {
        match self {
            Found::ServicePrincipal(it) => it.object_id,
            Found::User(it) => it.object_id,
            Found::Group(it) => it.object_id,
        }
    }

    pub fn kind(&self) -> PrincipalKind {
        match self {
            Found::ServicePrincipal(_) => PrincipalKind::ServicePrincipal,
            Found::User(_) => PrincipalKind::User,
            Found::Group(_) => PrincipalKind::Group,
        }
    }

    pub fn display_name(&self) -> &str {
        match self {
            Found::ServicePrincipal(it) => &it.display_name,
            Found::User(it) => &it.display_name,
            Found::Group(it) => &it.display_name,
        }
    }

    /// As the evaluator reads it.
    pub fn principal(&self, charter: &Charter) -> Principal {
        let (app_id, name) = match self {
            Found::ServicePrincipal(it) => (Some(it.app_id), it.app_id.to_string()),
            Found::User(it) => (None, it.user_principal_name.clone()),
            Found::Group(it) => (None, it.display_name.clone()),
        };
        Principal {
            object_id: self.object_id(),
            tenant: charter.tenant,
            kind: self.kind(),
            app_id,
            name: Some(name.into()),
        }
    }
}

/// The principal with this object id.
pub fn get(txn: &Txn, id: ObjectId) -> Result<Option<Found>> {
    if let Some(found) = service_principals::get(txn, id)? {
        return Ok(Some(Found::ServicePrincipal(found)));
    }
    if let Some(found) = users::get(txn, id)? {
        return Ok(Some(Found::User(found)));
    }
    Ok(groups::get(txn, id)?.map(Found::Group))
}

/// The principal that people would mean: by object id, by client id, by user principal name. Azure's
/// own tools try them in another order (entra.md §6), which gives the same as long as guids are one
/// principal's.
pub fn find_principal(txn: &Txn, text: &str) -> Result<Option<Found>> {
    let Ok(guid) = text.parse::<Guid>() else {
        return Ok(users::named(txn, text)?.map(Found::User));
    };
    if let Some(found) = get(txn, ObjectId(guid))? {
        return Ok(Some(found));
    }
    Ok(service_principals::of_application(txn, ClientId(guid))?.map(Found::ServicePrincipal))
}

/// A principal as the evaluator reads it, for decisions without a token: explanations, deployments
/// that outlive their request.
pub fn principal_of(txn: &Txn, charter: &Charter, id: ObjectId) -> Result<Option<Principal>> {
    Ok(get(txn, id)?.map(|found| found.principal(charter)))
}

#[cfg(test)]
mod tests;
