//! Shared access signatures: what a query says, what of it was signed, and what it allows (blob.md §6).
//!
//! ```text
//! query ──► Sas::parse ──► string_to_sign ──► (the HMAC is somebody else's) ──► check_window ──► Grant
//!               │               sign.rs                                           here         grant.rs
//!               └── permissions.rs: letters            terms.rs: times, addresses, stored policies
//! ```
//!
//! There are three kinds. An account's signature names services and types of resources (`ss`, `srt`). A service's names
//! one container, blob or directory (`sr`), and may take its terms from a policy that is stored with the container
//! (`si`). A user delegation's is a service's too, signed with a key that the service gave to a principal (`skoid` and
//! those after it), and allows nothing that the principal may not do itself.
//!
//! Every value is signed as it was sent, decoded once. A parameter that comes twice is refused: what was signed and what
//! would be obeyed could be two things.

mod grant;
mod permissions;
mod sign;
mod terms;

#[cfg(test)]
mod tests;

use std::fmt;

pub use self::{
    grant::{Demand, Grant, Mismatch, Signer},
    permissions::Permissions,
    sign::{Place, Request},
    terms::{AddressRange, Terms},
};
use crate::{
    api_version::ApiVersion,
    ids::Guid,
    text::{base64, base64_decode},
    time::Timestamp,
};

/// The versions from which something is otherwise (blob.md §2, §6).
static FIRST: ApiVersion = ApiVersion::of("2012-02-12");
static ACCOUNT: ApiVersion = ApiVersion::of("2015-04-05");
static DELEGATION: ApiVersion = ApiVersion::of("2018-11-09");
static OVERRIDES: ApiVersion = ApiVersion::of("2013-08-15");
static FLAT_DIRECTORIES: ApiVersion = ApiVersion::of("2026-06-06");

/// Every parameter that is a signature's own.
const NAMES: [&str; 33] = [
    "sig",
    "sv",
    "ss",
    "srt",
    "sr",
    "sp",
    "st",
    "se",
    "sip",
    "spr",
    "si",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
    "skv",
    "skdutid",
    "sduoid",
    "saoid",
    "suoid",
    "scid",
    "ses",
    "srh",
    "srq",
    "sdd",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
    "snapshot",
    "versionid",
];

/// `rscc` and those like it, with the header that each sets in the answer.
const OVERRIDDEN: [(&str, &str); 5] = [
    ("rscc", "cache-control"),
    ("rscd", "content-disposition"),
    ("rsce", "content-encoding"),
    ("rscl", "content-language"),
    ("rsct", "content-type"),
];

const SIGNATURE_BYTES: usize = 32;

/// A signature as a request showed it; nothing about it is proved. It is as good as a password while it lasts, so it
/// has no `Debug`.
#[derive(Clone)]
pub struct Sas {
    pub kind: Kind,
    /// `sv`; the oldest kind of service SAS has none.
    pub version: Option<ApiVersion>,
    pub terms: Terms,
    pub addresses: Option<AddressRange>,
    pub is_https_only: bool,
    fields: Fields,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Account {
        /// `ss`: letters of `bqtf`.
        services: String,
        /// `srt`: letters of `sco`.
        resource_types: String,
    },
    Service {
        resource: Resource,
        /// `si`: the stored policy that has the terms which are not given.
        policy: Option<String>,
    },
    UserDelegation {
        resource: Resource,
        key: DelegationKey,
    },
}

/// `sr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Container,
    Blob,
    Snapshot,
    Version,
    /// So many segments of the blob's name.
    Directory {
        depth: usize,
    },
}

/// Which user delegation key signed: what the service said when it gave the key out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationKey {
    /// `skoid`: to whom it was given.
    pub object_id: Guid,
    pub tenant: Guid,
    pub start: Timestamp,
    pub expiry: Timestamp,
    /// What the key's value is made of: the six fields as they were sent, and the tenant of a delegated user.
    pub message: String,
}

impl DelegationKey {
    /// The text whose HMAC is the key's value. A key is not stored: whoever can make this HMAC knows it again.
    pub fn message(fields: [&str; 6], delegated_tenant: &str) -> String {
        let mut message = fields.join("\n");
        if !delegated_tenant.is_empty() {
            message.push('\n');
            message.push_str(delegated_tenant);
        }
        message
    }
}

/// What is wrong with a signature. `Display` is what Azure says in `AuthenticationErrorDetail`: the wordings are the
/// storage emulator's that Microsoft shipped (`SignedAccessHelper`, `BlobSignedAccessHelper`, `AccountSasHelper`), and
/// those about times were seen from the service itself as well (AzureStorageExplorer#3219, #6198).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Mandatory(&'static str),
    Empty(&'static str),
    Malformed,
    /// A parameter that comes twice.
    Repeated(&'static str),
    Version {
        oldest: &'static str,
    },
    SignatureSize,
    /// `sr` says another level than the request's path.
    ResourceLevel,
    ExpiryBeforeStart {
        expiry: Timestamp,
        start: Timestamp,
        /// A service SAS is told so in other words than an account's.
        has_to: bool,
    },
    OutsideWindow {
        start: Timestamp,
        expiry: Timestamp,
        now: Timestamp,
    },
    OutsideKeyWindow {
        start: Timestamp,
        expiry: Timestamp,
        now: Timestamp,
    },
    NotStarted,
    WindowTooLong {
        start: Timestamp,
        expiry: Timestamp,
    },
    NoExpiry,
    NoPermission,
    GivenTwice,
    PolicyWithDelegation,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Mandatory(name) => write!(f, "{name} is mandatory. Cannot be empty"),
            Fault::Empty(name) => write!(f, "{name} is optional but cannot be empty"),
            Fault::Malformed => f.write_str("Signature fields not well formed."),
            // Our own words: .NET joins both values with a comma, which then is no value of the parameter.
            Fault::Repeated(name) => {
                write!(f, "Signature fields not well formed. {name} is given more than once.")
            }
            Fault::Version { oldest } => write!(
                f,
                "sv is either not in the correct format or is not equal or later than version {oldest}"
            ),
            Fault::SignatureSize => f.write_str("Signature size is invalid"),
            Fault::ResourceLevel => {
                f.write_str("The specified signed resource is not allowed for the this resource level")
            }
            Fault::ExpiryBeforeStart { expiry, start, has_to } => {
                let verb = if *has_to { "has to" } else { "must" };
                let (expiry, start) = (expiry.rfc1123(), start.rfc1123());
                write!(f, "Signed expiry time [{expiry}] {verb} be after signed start time [{start}]")
            }
            Fault::OutsideWindow { start, expiry, now } => write!(
                f,
                "Signature not valid in the specified time frame: Start [{}] - Expiry [{}] - Current [{}]",
                start.rfc1123(),
                expiry.rfc1123(),
                now.rfc1123()
            ),
            Fault::OutsideKeyWindow { start, expiry, now } => write!(
                f,
                "Signature not valid in the specified key time frame: Key start [{}] - Key expiry [{}] - Current [{}]",
                start.rfc1123(),
                expiry.rfc1123(),
                now.rfc1123()
            ),
            Fault::NotStarted => f.write_str("Start time is after the current time"),
            Fault::WindowTooLong { start, expiry } => write!(
                f,
                "Access without signed identifier cannot have time window more than 1 hour: Start [{}] - Expiry [{}]",
                start.rfc1123(),
                expiry.rfc1123()
            ),
            Fault::NoExpiry => f.write_str("Signed expiry must be specified in signature or SAS identifier"),
            Fault::NoPermission => {
                f.write_str("Signed permission must be specified in signature or SAS identifier")
            }
            Fault::GivenTwice => f.write_str(
                "Access policy fields can be associated with signature or SAS identifier but not both",
            ),
            // Documented ("Create a user delegation SAS": stored access policies are not supported); our own words.
            Fault::PolicyWithDelegation => {
                f.write_str("A stored access policy cannot be associated with a user delegation SAS")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl Sas {
    /// What a query says; `None` where it shows no signature. Refuses what cannot be a signature of its kind.
    pub fn parse(query: &[(String, String)]) -> Result<Option<Sas>, Fault> {
        let fields = Fields::of(query)?;
        if fields.given("sig").is_none() {
            return Ok(None);
        }
        let is_account =
            fields.given("sr").is_none() && (fields.given("ss").is_some() || fields.given("srt").is_some());
        let sas = if is_account { Sas::of_account(fields) } else { Sas::of_service(fields) };
        sas.map(Some)
    }

    /// What is to be signed: the same parameters without `sig`. Refuses what could not be used afterwards.
    pub fn draft(query: &[(String, String)]) -> Result<Sas, Fault> {
        let unsigned = ("sig".to_owned(), base64([0; SIGNATURE_BYTES]));
        let whole: Vec<_> = query.iter().cloned().chain([unsigned]).collect();
        Sas::parse(&whole)?.ok_or(Fault::Mandatory("sig"))
    }

    fn of_account(fields: Fields) -> Result<Sas, Fault> {
        let version = fields.mandatory("sv")?.trim().parse::<ApiVersion>().ok().filter(|it| *it >= ACCOUNT);
        let version = version.ok_or(Fault::Version { oldest: "2015-04-05" })?;
        fields.mandatory("se")?;
        let kind = Kind::Account {
            services: letters(fields.mandatory("ss")?, "bqtf")?,
            resource_types: letters(fields.mandatory("srt")?, "sco")?,
        };
        let permissions =
            Permissions::of_account(fields.mandatory("sp")?, &version).ok_or(Fault::Malformed)?;
        Sas::of(fields, kind, Some(version), Some(permissions))
    }

    fn of_service(fields: Fields) -> Result<Sas, Fault> {
        let resource = Resource::of(&fields)?;
        let version = match fields.given("sv").map(|text| text.trim().parse::<ApiVersion>()) {
            None => None,
            Some(Ok(version)) if version >= FIRST => Some(version),
            Some(_) => return Err(Fault::Version { oldest: "2012-02-12" }),
        };
        let key = fields.delegation_key()?;
        let policy = fields.optional("si")?.map(str::to_owned);
        if policy.is_none() {
            fields.mandatory("se")?;
            fields.mandatory("sp")?;
        }
        let permissions = match fields.optional("sp")? {
            Some(text) => Some(Permissions::of_service(text, version.as_ref()).ok_or(Fault::Malformed)?),
            None => None,
        };
        let kind = match key {
            Some(_) if policy.is_some() => return Err(Fault::PolicyWithDelegation),
            Some(_) if version.as_ref().is_none_or(|it| *it < DELEGATION) => {
                return Err(Fault::Version { oldest: "2018-11-09" });
            }
            Some(key) => Kind::UserDelegation { resource, key },
            None => Kind::Service { resource, policy },
        };
        Sas::of(fields, kind, version, permissions)
    }

    fn of(
        fields: Fields,
        kind: Kind,
        version: Option<ApiVersion>,
        permissions: Option<Permissions>,
    ) -> Result<Sas, Fault> {
        let bytes = base64_decode(fields.mandatory("sig")?).ok_or(Fault::Malformed)?;
        if bytes.len() != SIGNATURE_BYTES {
            return Err(Fault::SignatureSize);
        }
        let terms = Terms { start: fields.time("st")?, expiry: fields.time("se")?, permissions };
        // Before 2015 nobody signed these, so nobody may set them either.
        let is_signed = version.as_ref().is_some_and(|it| *it >= ACCOUNT);
        let (mut addresses, mut is_https_only) = (None, false);
        if is_signed {
            let range = fields.optional("sip")?;
            addresses = range.map(|text| text.parse().map_err(|_| Fault::Malformed)).transpose()?;
            is_https_only = match fields.optional("spr")? {
                None | Some("https,http") => false,
                Some("https") => true,
                Some(_) => return Err(Fault::Malformed),
            };
        }
        Ok(Sas { kind, version, terms, addresses, is_https_only, fields, bytes })
    }

    /// The signature's own bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What one of its parameters says; nothing where it is not given.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.given(name)
    }

    pub fn resource(&self) -> Option<Resource> {
        match &self.kind {
            Kind::Account { .. } => None,
            Kind::Service { resource, .. } | Kind::UserDelegation { resource, .. } => Some(*resource),
        }
    }

    /// The headers that it sets in an answer with a blob's content, by name.
    pub fn overrides(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let is_understood =
            self.resource().is_some() && self.version.as_ref().is_some_and(|it| *it >= OVERRIDES);
        let given = |(name, header): &(&str, &'static str)| Some((*header, self.fields.given(name)?));
        OVERRIDDEN.iter().filter(move |_| is_understood).filter_map(given)
    }

    /// Whether an account without a hierarchical namespace takes it for a directory (blob.md §2).
    pub fn has_flat_directories(&self) -> bool {
        self.version.as_ref().is_some_and(|it| *it >= FLAT_DIRECTORIES)
    }

    /// Whether it is good for now, as far as it says so itself; what a stored policy says is
    /// for `Terms::check`.
    pub fn check_window(&self, now: Timestamp) -> Result<(), Fault> {
        let Terms { start, expiry, .. } = self.terms;
        let (has_policy, is_service) = match &self.kind {
            Kind::Service { policy, .. } => (policy.is_some(), true),
            Kind::UserDelegation { .. } => (false, true),
            Kind::Account { .. } => (false, false),
        };
        let Some(expiry) = expiry else {
            return if start.is_some_and(|start| start > now) { Err(Fault::NotStarted) } else { Ok(()) };
        };
        if is_service && !has_policy {
            terms::check_order(start, expiry, now, false)?;
        }
        if self.version.is_none() && !has_policy {
            terms::check_short(start, expiry, now)?;
        }
        terms::check_now(start, expiry, now)?;
        match &self.kind {
            Kind::UserDelegation { key, .. } if now < key.start || now >= key.expiry => {
                Err(Fault::OutsideKeyWindow { start: key.start, expiry: key.expiry, now })
            }
            _ => Ok(()),
        }
    }
}

impl Resource {
    fn of(fields: &Fields) -> Result<Resource, Fault> {
        match fields.mandatory("sr")? {
            "c" => Ok(Resource::Container),
            "b" => Ok(Resource::Blob),
            "bs" => Ok(Resource::Snapshot),
            "bv" => Ok(Resource::Version),
            "d" => {
                let depth = fields.mandatory("sdd")?.parse().map_err(|_| Fault::Malformed)?;
                Ok(Resource::Directory { depth })
            }
            _ => Err(Fault::Malformed),
        }
    }
}

/// Each letter once, all of them among the known ones.
fn letters(text: &str, known: &str) -> Result<String, Fault> {
    let is_well_formed =
        text.char_indices().all(|(at, letter)| known.contains(letter) && !text[..at].contains(letter));
    if is_well_formed { Ok(text.to_owned()) } else { Err(Fault::Malformed) }
}

/// The parameters of a signature, decoded, each at most once.
#[derive(Clone)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn of(query: &[(String, String)]) -> Result<Fields, Fault> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let mut repeated = None;
        for (name, value) in query {
            let Some(name) = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) else { continue };
            if found.iter().any(|(other, _)| other == name) {
                repeated = Some(*name);
            }
            found.push((name, value.clone()));
        }
        let is_signed = found.iter().any(|(name, _)| *name == "sig");
        match repeated {
            Some(name) if is_signed => Err(Fault::Repeated(name)),
            Some(_) | None => Ok(Fields(found)),
        }
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn mandatory(&self, name: &'static str) -> Result<&str, Fault> {
        self.given(name).filter(|value| !value.trim().is_empty()).ok_or(Fault::Mandatory(name))
    }

    fn optional(&self, name: &'static str) -> Result<Option<&str>, Fault> {
        match self.given(name) {
            Some(value) if value.trim().is_empty() => Err(Fault::Empty(name)),
            value => Ok(value),
        }
    }

    fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Fault> {
        let text = self.optional(name)?;
        text.map(|text| Timestamp::parse_iso(text).ok_or(Fault::Malformed)).transpose()
    }

    /// The key of a user delegation: all of its fields or none.
    fn delegation_key(&self) -> Result<Option<DelegationKey>, Fault> {
        const FIELDS: [&str; 6] = ["skoid", "sktid", "skt", "ske", "sks", "skv"];
        if FIELDS.iter().all(|name| self.given(name).is_none()) {
            return Ok(None);
        }
        let mut values = [""; 6];
        for (value, name) in values.iter_mut().zip(FIELDS) {
            *value = self.mandatory(name)?;
        }
        let [object_id, tenant, start, expiry, service, version] = values;
        if service != "b" || version.parse::<ApiVersion>().is_err() {
            return Err(Fault::Malformed);
        }
        let guid = |text: &str| text.parse::<Guid>().map_err(|_| Fault::Malformed);
        let time = |text: &str| Timestamp::parse_iso(text).ok_or(Fault::Malformed);
        Ok(Some(DelegationKey {
            object_id: guid(object_id)?,
            tenant: guid(tenant)?,
            start: time(start)?,
            expiry: time(expiry)?,
            message: DelegationKey::message(values, self.given("skdutid").unwrap_or_default()),
        }))
    }
}
