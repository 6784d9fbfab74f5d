//! What things may be called: one row a kind (arm.md §11, blob.md §1).
//!
//! A rule speaks of length and of characters; the few things a row cannot say are a `Special`.

use std::fmt;

use crate::ids::Guid;

/// The rule of one kind.
#[derive(Debug)]
pub struct NameRule {
    /// The kind, as `Microsoft.Compute/virtualMachines`.
    pub kind: &'static str,
    pub min: usize,
    pub max: usize,
    pub allowed: Class,
    pub first: Class,
    pub last: Class,
    pub special: Special,
    pub source: &'static str,
}

/// A set of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Any,
    /// ASCII letters and digits, and these.
    Alphanumeric(&'static str),
    /// ASCII lower-case letters and digits, and these.
    Lower(&'static str),
    /// ASCII letters.
    Letter,
    /// Letters and digits of any script, and these.
    Unicode(&'static str),
    /// Anything but these and control characters.
    Except(&'static str),
}

/// What characters and lengths cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    None,
    /// A hyphen does not follow a hyphen.
    SingleHyphens,
    /// As `SingleHyphens`; or one of `$root`, `$web`, `$logs`, `$blobchangefeed`.
    Container,
    /// At most 254 segments between slashes.
    BlobPath,
    Guid,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadName {
    Length {
        min: usize,
        max: usize,
    },
    /// These characters are not allowed, each once, in order.
    Characters(String),
    First(char),
    Last(char),
    /// What its row's `Special` forbids.
    Form(&'static str),
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Length { min, max } => write!(f, "a name has {min} to {max} characters"),
            BadName::Characters(which) => write!(f, "a name cannot have `{}`", which.escape_default()),
            BadName::First(which) => write!(f, "a name cannot begin with `{}`", which.escape_default()),
            BadName::Last(which) => write!(f, "a name cannot end with `{}`", which.escape_default()),
            BadName::Form(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for BadName {}

impl Class {
    pub fn has(self, c: char) -> bool {
        match self {
            Class::Any => true,
            Class::Alphanumeric(more) => c.is_ascii_alphanumeric() || more.contains(c),
            Class::Lower(more) => c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c),
            Class::Letter => c.is_ascii_alphabetic(),
            Class::Unicode(more) => c.is_alphanumeric() || more.contains(c),
            Class::Except(bad) => !c.is_control() && !bad.contains(c),
        }
    }
}

impl NameRule {
    /// Whether this may be a name of the kind; lengths are in characters.
    pub fn check(&self, name: &str) -> Result<(), BadName> {
        if self.special == Special::Container && SYSTEM_CONTAINERS.contains(&name) {
            return Ok(());
        }
        if !(self.min..=self.max).contains(&name.chars().count()) {
            return Err(BadName::Length { min: self.min, max: self.max });
        }
        let bad = unique(name.chars().filter(|c| !self.allowed.has(*c)));
        if !bad.is_empty() {
            return Err(BadName::Characters(bad));
        }
        if let Some(first) = name.chars().next().filter(|c| !self.first.has(*c)) {
            return Err(BadName::First(first));
        }
        if let Some(last) = name.chars().next_back().filter(|c| !self.last.has(*c)) {
            return Err(BadName::Last(last));
        }
        self.special.check(name)
    }
}

const SYSTEM_CONTAINERS: [&str; 4] = ["$root", "$web", "$logs", "$blobchangefeed"];

impl Special {
    fn check(self, name: &str) -> Result<(), BadName> {
        match self {
            Special::None => Ok(()),
            Special::SingleHyphens | Special::Container if name.contains("--") => {
                Err(BadName::Form("a hyphen cannot follow a hyphen"))
            }
            Special::SingleHyphens | Special::Container => Ok(()),
            Special::BlobPath if name.split('/').count() > 254 => {
                Err(BadName::Form("a blob's name has at most 254 segments"))
            }
            Special::BlobPath => Ok(()),
            Special::Guid if name.len() != 36 || name.parse::<Guid>().is_err() => {
                Err(BadName::Form("the name is a guid"))
            }
            Special::Guid => Ok(()),
        }
    }
}

fn unique(chars: impl Iterator<Item = char>) -> String {
    let mut seen = String::new();
    for c in chars {
        if !seen.contains(c) {
            seen.push(c);
        }
    }
    seen
}

/// The rule of a kind, in any case; that of every resource where the kind has none of its own.
pub fn rule(kind: &str) -> &'static NameRule {
    RULES.iter().find(|rule| rule.kind.eq_ignore_ascii_case(kind)).unwrap_or(&ANY_RESOURCE)
}

const fn row(kind: &'static str, min: usize, max: usize, allowed: Class) -> NameRule {
    let (first, last, special) = (Class::Any, Class::Any, Special::None);
    NameRule { kind, min, max, allowed, first, last, special, source: "arm.md §11" }
}

impl NameRule {
    const fn first(self, first: Class) -> Self {
        NameRule { first, ..self }
    }

    const fn last(self, last: Class) -> Self {
        NameRule { last, ..self }
    }

    const fn special(self, special: Special) -> Self {
        NameRule { special, ..self }
    }

    const fn source(self, source: &'static str) -> Self {
        NameRule { source, ..self }
    }
}

const WORD: Class = Class::Alphanumeric("");
const NOT_DOT: Class = Class::Except(".");
const NOT_DOT_OR_HYPHEN: Class = Class::Except(".-");
const NO_BLANK: Class = Class::Except(r#"\/"[]:|<>+=;,?*@& "#);
const NETWORK: Class = Class::Alphanumeric("_.-");
const WORD_OR_LINE: Class = Class::Alphanumeric("_");
const UNVERIFIED: &str = "arm.md §11, unverified";

/// What holds for every resource.
pub static ANY_RESOURCE: NameRule = row("*", 1, 260, Class::Except(r"<>%&:\?/"));

/// Every kind with a rule of its own.
pub static RULES: [NameRule; 29] = [
    row("Microsoft.Resources/resourceGroups", 1, 90, Class::Unicode("-_().")).last(NOT_DOT),
    row("Microsoft.Resources/deployments", 1, 64, Class::Alphanumeric("-_().")).source(UNVERIFIED),
    row("Microsoft.Authorization/locks", 1, 90, Class::Alphanumeric("._-()"))
        .last(NOT_DOT)
        .source(UNVERIFIED),
    row("Microsoft.Authorization/roleAssignments", 36, 36, Class::Alphanumeric("-")).special(Special::Guid),
    row("Microsoft.Authorization/roleDefinitions", 36, 36, Class::Alphanumeric("-")).special(Special::Guid),
    row("Microsoft.Compute/virtualMachines", 1, 64, NO_BLANK)
        .first(Class::Except("_"))
        .last(NOT_DOT_OR_HYPHEN),
    row("Microsoft.Compute/virtualMachineScaleSets", 1, 64, NO_BLANK)
        .first(Class::Except("_"))
        .last(NOT_DOT_OR_HYPHEN),
    row("Microsoft.Compute/disks", 1, 80, Class::Alphanumeric("_.-")),
    row("Microsoft.Compute/snapshots", 1, 80, Class::Alphanumeric("_.-")),
    row("Microsoft.Compute/images", 1, 80, Class::Alphanumeric("_.-")),
    row("Microsoft.Compute/availabilitySets", 1, 80, Class::Alphanumeric("_.-")).source(UNVERIFIED),
    row("Microsoft.ManagedIdentity/userAssignedIdentities", 3, 128, Class::Alphanumeric("-_")).first(WORD),
    row(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        3,
        120,
        Class::Alphanumeric("-_"),
    )
    .first(WORD)
    .source(UNVERIFIED),
    row("Microsoft.Storage/storageAccounts", 3, 24, Class::Lower("")),
    row("Microsoft.Storage/storageAccounts/blobServices/containers", 3, 63, Class::Lower("-"))
        .first(WORD)
        .last(WORD)
        .special(Special::Container)
        .source("blob.md §1"),
    row("Microsoft.Storage/storageAccounts/blobServices/containers/blobs", 1, 1024, Class::Any)
        .special(Special::BlobPath)
        .source("blob.md §1"),
    row("Microsoft.DocumentDB/databaseAccounts", 3, 50, Class::Lower("-")).first(WORD).last(WORD),
    row("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", 1, 255, Class::Except(r"/\#?"))
        .last(Class::Except(" "))
        .source(UNVERIFIED),
    row("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", 1, 255, Class::Except(r"/\#?"))
        .last(Class::Except(" "))
        .source(UNVERIFIED),
    row("Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions", 36, 36, Class::Alphanumeric("-"))
        .special(Special::Guid)
        .source("rbac.md §6"),
    row("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", 36, 36, Class::Alphanumeric("-"))
        .special(Special::Guid)
        .source("rbac.md §6"),
    row("Microsoft.Network/virtualNetworks", 2, 64, NETWORK).first(WORD).last(WORD_OR_LINE),
    row("Microsoft.Network/virtualNetworks/subnets", 1, 80, NETWORK).first(WORD).last(WORD_OR_LINE),
    row("Microsoft.Network/networkSecurityGroups", 1, 80, NETWORK).first(WORD).last(WORD_OR_LINE),
    row("Microsoft.Network/publicIPAddresses", 1, 80, NETWORK).first(WORD).last(WORD_OR_LINE),
    row("Microsoft.Network/networkInterfaces", 1, 80, NETWORK).first(WORD).last(WORD_OR_LINE),
    row("Microsoft.Network/networkSecurityGroups/securityRules", 1, 80, NETWORK)
        .first(WORD)
        .last(WORD_OR_LINE)
        .source("documented: network-security-groups-overview, a rule's name"),
    row("Microsoft.Management/managementGroups", 1, 90, Class::Alphanumeric("-_().")).last(NOT_DOT),
    row("Microsoft.KeyVault/vaults", 3, 24, Class::Alphanumeric("-"))
        .first(Class::Letter)
        .last(WORD)
        .special(Special::SingleHyphens),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn names_are_judged_by_their_kind() {
        let long = |letters: usize| "a".repeat(letters);
        let too_long = |max| Err(BadName::Length { min: 3, max });
        for (kind, name, verdict) in [
            ("Microsoft.Resources/resourceGroups", "rg-(1)_ä.b", Ok(())),
            ("Microsoft.Resources/resourceGroups", "rg.", Err(BadName::Last('.'))),
            ("Microsoft.Resources/resourceGroups", "a#b#?", Err(BadName::Characters("#?".to_owned()))),
            ("Microsoft.Resources/resourceGroups", "", Err(BadName::Length { min: 1, max: 90 })),
            ("microsoft.compute/VIRTUALMACHINES", "myVM", Ok(())),
            ("Microsoft.Compute/virtualMachines", "_vm", Err(BadName::First('_'))),
            ("Microsoft.Compute/virtualMachines", "vm-", Err(BadName::Last('-'))),
            ("Microsoft.Compute/virtualMachines", "my vm", Err(BadName::Characters(" ".to_owned()))),
            ("Microsoft.ManagedIdentity/userAssignedIdentities", "id", too_long(128)),
            ("Microsoft.ManagedIdentity/userAssignedIdentities", "-id", Err(BadName::First('-'))),
            ("Microsoft.ManagedIdentity/userAssignedIdentities", "id_1-x", Ok(())),
            ("Microsoft.Storage/storageAccounts", "abc123", Ok(())),
            ("Microsoft.Storage/storageAccounts", "Abc", Err(BadName::Characters("A".to_owned()))),
            ("Microsoft.Storage/storageAccounts", &long(25), too_long(24)),
            ("Microsoft.Storage/storageAccounts/blobServices/containers", "$root", Ok(())),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers",
                "$other",
                Err(BadName::Characters("$".to_owned())),
            ),
            ("Microsoft.Storage/storageAccounts/blobServices/containers", "a-b", Ok(())),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers",
                "a--b",
                Err(BadName::Form("a hyphen cannot follow a hyphen")),
            ),
            ("Microsoft.Storage/storageAccounts/blobServices/containers", "ab-", Err(BadName::Last('-'))),
            ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs", "a/b c?#", Ok(())),
            (
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs",
                &"a/".repeat(254),
                Err(BadName::Form("a blob's name has at most 254 segments")),
            ),
            ("Microsoft.DocumentDB/databaseAccounts", "my-cosmos", Ok(())),
            // microsoft/vscode-cosmosdb issue 1617: the character '-' at index 4 is not allowed.
            ("Microsoft.DocumentDB/databaseAccounts", "test-", Err(BadName::Last('-'))),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", "My Db", Ok(())),
            ("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", "Db ", Err(BadName::Last(' '))),
            (
                "Microsoft.DocumentDB/databaseAccounts/sqlDatabases",
                "a#",
                Err(BadName::Characters("#".to_owned())),
            ),
            ("Microsoft.Authorization/roleAssignments", "acdd72a7-3385-48ef-bd42-f606fba81ae7", Ok(())),
            ("Microsoft.Authorization/roleAssignments", &long(36), Err(BadName::Form("the name is a guid"))),
            ("Microsoft.Network/virtualNetworks", "vmVNET_", Ok(())),
            ("Microsoft.KeyVault/vaults", "1vault", Err(BadName::First('1'))),
            ("Nobody.Knows/things", "x y", Ok(())),
            ("Nobody.Knows/things", "x\u{7}", Err(BadName::Characters("\u{7}".to_owned()))),
        ] {
            assert_eq!(rule(kind).check(name), verdict, "{kind} {name}");
        }
    }

    #[test]
    fn a_kind_has_one_row() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(
                !RULES[..at].iter().any(|other| other.kind.eq_ignore_ascii_case(rule.kind)),
                "{}",
                rule.kind
            );
            assert!(rule.min <= rule.max);
        }
    }

    proptest! {
        #[test]
        fn every_guid_names_an_assignment(bytes: [u8; 16]) {
            prop_assert_eq!(rule("Microsoft.Authorization/roleAssignments").check(&Guid(bytes).to_string()), Ok(()));
        }
    }
}
