//! Ids, each a type of its own.
//!
//! Guids that name different things are different types over the same sixteen bytes, so that mixing
//! an application's client id with its principal's object id does not compile. A `ResourceId` is
//! parsed once: it compares without regard to case and prints as it came.
//!
//! ```text
//! /subscriptions/{sub}/resourceGroups/{rg}/providers/{namespace}/{type}/{name}[/{type}/{name}]…
//! '--------- scope of an extension -------''----- the last /providers/ and what follows -------'
//! ```

use std::{fmt, hash::Hash, hash::Hasher, str::FromStr, sync::Arc};

use crate::text::hex_digits;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Sixteen bytes, printed in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// A version 4 guid out of sixteen drawn bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Guid(bytes)
    }

    /// Thirty-two hexadecimal digits without hyphens.
    pub fn simple(&self) -> String {
        crate::text::hex(&self.0)
    }
}

// As one text: an answer prints several, and written digit by digit they were a fourteenth of a PUT.
impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.iter().enumerate() {
            at += usize::from(matches!(index, 4 | 6 | 8 | 10));
            text[at..at + 2].copy_from_slice(&hex_digits(*byte));
            at += 2;
        }
        f.write_str(str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What was read is not a guid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAGuid;

impl fmt::Display for NotAGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a guid")
    }
}

impl std::error::Error for NotAGuid {}

impl FromStr for Guid {
    type Err = NotAGuid;

    /// Reads the hyphenated form and the form of thirty-two digits, in any case.
    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let hyphens_in_place = match text.len() {
            36 => [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-'),
            32 => true,
            _ => false,
        };
        if !hyphens_in_place {
            return Err(NotAGuid);
        }
        let mut bytes = [0; 16];
        let mut count = 0;
        for digit in text.bytes().filter(|byte| *byte != b'-') {
            let digit = char::from(digit).to_digit(16).ok_or(NotAGuid)?;
            let byte: &mut u8 = bytes.get_mut(count / 2).ok_or(NotAGuid)?;
            *byte = *byte << 4 | digit as u8;
            count += 1;
        }
        if count == 32 { Ok(Guid(bytes)) } else { Err(NotAGuid) }
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! guid_types {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Guid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAGuid;
            fn from_str(text: &str) -> Result<Self, NotAGuid> {
                text.parse().map($name)
            }
        }
    )*};
}

guid_types! {
    /// A directory.
    TenantId,
    SubscriptionId,
    /// A principal in a directory: Azure's `principalId`, `oid`, object id.
    ObjectId,
    /// An application: Azure's `clientId`, `appid`.
    ClientId,
}

/// Where in Azure something is: a resource, a group, a subscription, or the root `/`.
///
/// Compares, hashes and sorts without regard to ASCII case; prints as it came. Clones share their text: every
/// request passes its ids from hand to hand.
#[derive(Clone)]
pub struct ResourceId {
    text: Arc<str>,
    key: Arc<str>,
}

/// Why a path is not an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadId {
    /// It does not begin with `/`.
    NotRooted,
    /// A segment is `.`, `..`, or holds a control character or a backslash.
    Segment(String),
    /// Longer than 2,048 bytes.
    TooLong,
}

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadId::NotRooted => f.write_str("an id begins with `/`"),
            BadId::Segment(segment) => {
                write!(f, "an id cannot have the segment `{}`", segment.escape_default())
            }
            BadId::TooLong => f.write_str("an id has at most 2,048 bytes"),
        }
    }
}

impl std::error::Error for BadId {}

const MAX_ID_BYTES: usize = 2048;

/// Segments of a resource directly below its resource group.
const SEGMENTS_OF_AN_ACCOUNT: usize = 8;

impl ResourceId {
    /// The root scope `/`.
    pub fn root() -> Self {
        Self::from_clean(String::new())
    }

    /// Reads an id from decoded text. Doubled and trailing slashes are dropped (arm.md §1).
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if !text.starts_with('/') {
            return Err(BadId::NotRooted);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(BadId::TooLong);
        }
        let mut clean = String::with_capacity(text.len());
        for segment in text.split('/').filter(|segment| !segment.is_empty()) {
            let bad = matches!(segment, "." | "..") || segment.chars().any(|c| c.is_control() || c == '\\');
            if bad {
                return Err(BadId::Segment(segment.to_owned()));
            }
            clean.push('/');
            clean.push_str(segment);
        }
        Ok(Self::from_clean(clean))
    }

    fn from_clean(text: String) -> Self {
        let text: Arc<str> = text.into();
        let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let key = if has_capitals { text.to_ascii_lowercase().into() } else { Arc::clone(&text) };
        ResourceId { text, key }
    }

    pub fn subscription_scope(id: SubscriptionId) -> Self {
        Self::from_clean(format!("/subscriptions/{id}"))
    }

    pub fn group(subscription: SubscriptionId, name: &str) -> Self {
        Self::from_clean(format!("/subscriptions/{subscription}/resourceGroups/{name}"))
    }

    /// As it came; the root prints as `/`.
    pub fn as_str(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }

    /// In lower case, without a trailing slash: `""` for the root. Scopes are prefixes of it.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.segments().next_back().unwrap_or("")
    }

    pub fn subscription(&self) -> Option<SubscriptionId> {
        self.after("subscriptions", 0)?.parse().ok()
    }

    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups", 2)
    }

    /// The segment behind a literal at a place, such as the name behind `resourceGroups`.
    fn after(&self, literal: &str, at: usize) -> Option<&str> {
        let mut segments = self.segments().skip(at);
        segments.next().filter(|segment| segment.eq_ignore_ascii_case(literal))?;
        segments.next()
    }

    /// The scope of the resource group this lies in, or of the subscription, as far as there is one.
    pub fn group_scope(&self) -> Option<ResourceId> {
        self.resource_group()?;
        Some(self.ancestor(4))
    }

    pub fn subscription_root(&self) -> Option<ResourceId> {
        self.subscription()?;
        Some(self.ancestor(2))
    }

    /// The first so many segments.
    pub fn ancestor(&self, segments: usize) -> ResourceId {
        let text: String = self.segments().take(segments).flat_map(|segment| ["/", segment]).collect();
        Self::from_clean(text)
    }

    /// The account that a container, a database or a role inside it belongs to, by its id alone: what
    /// `/subscriptions/s/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/a` names.
    pub fn account(&self) -> ResourceId {
        self.ancestor(SEGMENTS_OF_AN_ACCOUNT)
    }

    /// `holds`, with the names below the account compared to the letter, as Cosmos DB's own differ by case.
    pub fn holds_to_the_letter(&self, other: &ResourceId) -> bool {
        let mut below = self.segments().zip(other.segments()).skip(SEGMENTS_OF_AN_ACCOUNT);
        self.holds(other) && below.all(|(ours, theirs)| ours == theirs)
    }

    /// Where the last `/providers/` begins, counted in segments.
    fn provider_at(&self) -> Option<usize> {
        let segments: Vec<&str> = self.segments().collect();
        segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"))
    }

    /// The namespace behind the last `/providers/`.
    pub fn namespace(&self) -> Option<&str> {
        self.segments().nth(self.provider_at()? + 1)
    }

    /// `Microsoft.Compute/virtualMachines/extensions`, in the casing it came with. A group's type is
    /// `Microsoft.Resources/resourceGroups`, a subscription's `Microsoft.Resources/subscriptions`.
    pub fn resource_type(&self) -> Option<String> {
        let Some(at) = self.provider_at() else {
            return match self.segments().count() {
                2 if self.subscription().is_some() => Some("Microsoft.Resources/subscriptions".to_owned()),
                4 if self.resource_group().is_some() => Some("Microsoft.Resources/resourceGroups".to_owned()),
                _ => None,
            };
        };
        let mut rest = self.segments().skip(at + 1);
        let mut name = rest.next()?.to_owned();
        for segment in rest.step_by(2) {
            name.push('/');
            name.push_str(segment);
        }
        Some(name)
    }

    /// The names behind the last `/providers/`, outermost first: `["vm1", "ext1"]`.
    pub fn names(&self) -> Vec<&str> {
        match self.provider_at() {
            Some(at) => self.segments().skip(at + 3).step_by(2).collect(),
            None => self.segments().last().into_iter().collect(),
        }
    }

    /// Whether the segments pair up behind the last `/providers/ns`: a resource and not a collection.
    pub fn is_resource(&self) -> bool {
        match self.provider_at() {
            Some(at) => {
                let rest = self.segments().count() - at;
                rest >= 4 && rest.is_multiple_of(2)
            }
            None => matches!(self.segments().count(), 2 | 4),
        }
    }

    /// What this extends: the part before the last `/providers/`; the root where nothing is before it.
    pub fn extended(&self) -> ResourceId {
        self.ancestor(self.provider_at().unwrap_or(0))
    }

    /// The enclosing resource of a child (`…/servers/s/databases/d` gives `…/servers/s`), the scope
    /// of a top-level one, the subscription of a group. The root has none.
    pub fn parent(&self) -> Option<ResourceId> {
        let count = self.segments().count();
        match self.provider_at() {
            _ if count == 0 => None,
            Some(at) if count - at <= 4 => Some(self.ancestor(at)),
            _ => Some(self.ancestor(count - 2)),
        }
    }

    /// `{self}/{type}/{name}`.
    pub fn child(&self, kind: &str, name: &str) -> ResourceId {
        Self::from_clean(format!("{}/{kind}/{name}", self.text))
    }

    /// `{self}/providers/{namespace}/{type}/{name}`.
    pub fn provider(&self, namespace: &str, kind: &str, name: &str) -> ResourceId {
        Self::from_clean(format!("{}/providers/{namespace}/{kind}/{name}", self.text))
    }

    /// Whether the other is this or lies within it, segment by segment: `rg` does not hold `rg2`.
    pub fn holds(&self, other: &ResourceId) -> bool {
        other.key.strip_prefix(&*self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The same id with other casing, such as a kind's own style or what the resource was made with.
    /// Panics in debug builds when the ids differ in more than case.
    pub fn restyled(&self, text: &str) -> ResourceId {
        let styled = Self::from_clean(text.to_owned());
        debug_assert_eq!(self.key, styled.key, "a style changes only case");
        styled
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceId({})", self.as_str())
    }
}

impl FromStr for ResourceId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::parse(text)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
