//! Who asks: a principal of a directory.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, ObjectId, TenantId};

/// `principalType`, as role assignments spell it (rbac.md §2). A managed identity is a
/// `ServicePrincipal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PrincipalKind {
    User,
    Group,
    ServicePrincipal,
    ForeignGroup,
    Device,
}

impl PrincipalKind {
    pub const ALL: [PrincipalKind; 5] = [
        PrincipalKind::User,
        PrincipalKind::Group,
        PrincipalKind::ServicePrincipal,
        PrincipalKind::ForeignGroup,
        PrincipalKind::Device,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            PrincipalKind::User => "User",
            PrincipalKind::Group => "Group",
            PrincipalKind::ServicePrincipal => "ServicePrincipal",
            PrincipalKind::ForeignGroup => "ForeignGroup",
            PrincipalKind::Device => "Device",
        }
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no `principalType`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPrincipalKind(pub String);

impl fmt::Display for UnknownPrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a kind of principal", self.0.escape_default())
    }
}

impl std::error::Error for UnknownPrincipalKind {}

impl FromStr for PrincipalKind {
    type Err = UnknownPrincipalKind;

    /// Reads Azure's spelling in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownPrincipalKind(text.to_owned()))
    }
}

/// A principal whose token was believed. The groups it is in are the directory's to know (`rbac::Who`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub object_id: ObjectId,
    pub tenant: TenantId,
    pub kind: PrincipalKind,
    /// The application it is, or by which the user signed in.
    pub app_id: Option<ClientId>,
    /// What messages call it: a user's principal name, an application's client id.
    pub name: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_in_any_case() {
        for kind in PrincipalKind::ALL {
            assert_eq!(kind.to_string().to_uppercase().parse(), Ok(kind));
        }
        assert_eq!("MSI".parse::<PrincipalKind>(), Err(UnknownPrincipalKind("MSI".to_owned())));
    }
}
