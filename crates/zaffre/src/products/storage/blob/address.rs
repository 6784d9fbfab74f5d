//! Which account, container and blob a request names, by host and path (blob.md §1).
//!
//! ```text
//! https://{account}.blob.core.windows.net/{container}/{blob}      host style
//! http://{account}.blob.localhost:10000/{container}/{blob}        host style at the drop-in port
//! http://127.0.0.1:10000/{account}/{container}/{blob}             path style, at the drop-in port alone
//! ```
//!
//! `-secondary` behind the account is its read-only replica, which is the account itself here. The path is cut
//! at its raw slashes and each piece decoded once.

use azure::{
    error::{Error, Result},
    names::{self, BadName},
    text,
};

use super::codes;
use crate::{door::Entrance, service::Parts};

/// What a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) account: String,
    pub(super) is_secondary: bool,
    pub(super) target: Target,
    /// Whether the account was the path's first segment.
    pub(super) is_path_style: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Account,
    Container(String),
    Blob { container: String, name: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Account,
    Container,
    Blob,
}

const SECONDARY: &str = "-secondary";
/// Where blobs without a container lie.
const ROOT: &str = "$root";
/// What a host-style name ends with at the drop-in port.
const LOCAL: [&str; 2] = [".blob.localhost", ".localhost"];
const CLOUD: &str = ".blob.core.windows.net";

impl Address {
    pub(super) fn of(parts: &Parts) -> Result<Self> {
        let path = parts.raw_path.strip_prefix('/').unwrap_or(&parts.raw_path);
        let (account, rest, is_path_style) = match account_in_host(parts) {
            Some(account) => (account.to_owned(), path, false),
            None => {
                let (account, rest) = path.split_once('/').unwrap_or((path, ""));
                (decoded(account)?, rest, true)
            }
        };
        let (account, is_secondary) = match account.strip_suffix(SECONDARY) {
            Some(primary) => (primary.to_owned(), true),
            None => (account, false),
        };
        if account.is_empty() {
            return Err(codes::INVALID_URI.bare());
        }
        let target = target(rest, parts.query("restype"))?;
        Ok(Address { account, is_secondary, target, is_path_style })
    }

    pub(super) fn level(&self) -> Level {
        match self.target {
            Target::Account => Level::Account,
            Target::Container(_) => Level::Container,
            Target::Blob { .. } => Level::Blob,
        }
    }

    pub(super) fn container(&self) -> Option<&str> {
        match &self.target {
            Target::Account => None,
            Target::Container(container) | Target::Blob { container, .. } => Some(container),
        }
    }

    pub(super) fn blob(&self) -> Option<&str> {
        match &self.target {
            Target::Account | Target::Container(_) => None,
            Target::Blob { name, .. } => Some(name),
        }
    }
}

fn account_in_host(parts: &Parts) -> Option<&str> {
    let host = parts.host();
    let suffixes: &[&str] = if parts.door.entrance == Entrance::Blob { &LOCAL } else { &[] };
    let label = std::iter::once(&CLOUD).chain(suffixes).find_map(|suffix| host.strip_suffix(suffix))?;
    (!label.is_empty() && !label.contains('.')).then_some(label)
}

/// A path of one segment is a container where the query says so, and a blob of `$root` else.
fn target(path: &str, restype: Option<&str>) -> Result<Target> {
    let is_container = restype.is_some_and(|it| matches!(it, "container" | "account" | "service"));
    match path.split_once('/') {
        None if path.is_empty() => Ok(Target::Account),
        None if is_container => container(path).map(Target::Container),
        None => blob(ROOT.to_owned(), path),
        Some((name, "")) if is_container => container(name).map(Target::Container),
        Some((name, rest)) => blob(container(name)?, rest),
    }
}

fn container(raw: &str) -> Result<String> {
    let name = decoded(raw)?;
    let rule = names::rule("Microsoft.Storage/storageAccounts/blobServices/containers");
    rule.check(&name).map_err(refused)?;
    Ok(name)
}

fn blob(container: String, raw: &str) -> Result<Target> {
    let name = decoded(raw)?;
    let rule = names::rule("Microsoft.Storage/storageAccounts/blobServices/containers/blobs");
    rule.check(&name).map_err(refused)?;
    Ok(Target::Blob { container, name })
}

fn decoded(raw: &str) -> Result<String> {
    text::percent_decode(raw).ok_or_else(|| codes::INVALID_URI.bare())
}

fn refused(why: BadName) -> Error {
    match why {
        BadName::Length { .. } => codes::OUT_OF_RANGE_NAME.bare(),
        BadName::Characters(_) | BadName::First(_) | BadName::Last(_) | BadName::Form(_) => {
            codes::INVALID_RESOURCE_NAME.bare()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::{door::Door, store::CloudId};

    fn address(entrance: Entrance, uri: &str) -> Result<Address, &'static str> {
        let door = Door { entrance, ..Door::named(CloudId(1)) };
        let (head, ()) = Request::get(uri).body(()).expect("a request").into_parts();
        Address::of(&Parts::new(door, head)).map_err(|error| error.row.code)
    }

    #[test]
    fn hosts_and_paths_name_accounts_containers_and_blobs() {
        let blob =
            |container: &str, name: &str| Target::Blob { container: container.into(), name: name.into() };
        let container = |name: &str| Target::Container(name.into());
        for (entrance, uri, account, target) in [
            (Entrance::Named, "https://acct.blob.core.windows.net/", "acct", Target::Account),
            (
                Entrance::Named,
                "https://acct.blob.core.windows.net/con/a/b%20c%2541",
                "acct",
                blob("con", "a/b c%41"),
            ),
            (
                Entrance::Named,
                "https://acct.blob.core.windows.net/con?restype=container",
                "acct",
                container("con"),
            ),
            (Entrance::Named, "https://acct.blob.core.windows.net/name", "acct", blob("$root", "name")),
            (Entrance::Blob, "http://127.0.0.1:10000/acct", "acct", Target::Account),
            (Entrance::Blob, "http://127.0.0.1:10000/acct/con/b", "acct", blob("con", "b")),
            (Entrance::Blob, "http://localhost:10000/acct/con/b", "acct", blob("con", "b")),
            (Entrance::Blob, "http://acct.blob.localhost:10000/con/b", "acct", blob("con", "b")),
            (Entrance::Blob, "http://acct.localhost:10000/con/b", "acct", blob("con", "b")),
        ] {
            let found = address(entrance, uri).unwrap_or_else(|code| panic!("{uri}: {code}"));
            assert_eq!((found.account.as_str(), &found.target), (account, &target), "{uri}");
        }
        assert!(
            address(Entrance::Named, "https://acct-secondary.blob.core.windows.net/")
                .expect("an address")
                .is_secondary
        );
    }

    #[test]
    fn bad_names_are_refused_with_their_own_codes() {
        let long = format!("https://a.blob.core.windows.net/con/{}", "x".repeat(1025));
        for (uri, code) in [
            ("https://a.blob.core.windows.net/Con?restype=container", "InvalidResourceName"),
            ("https://a.blob.core.windows.net/a--b?restype=container", "InvalidResourceName"),
            ("https://a.blob.core.windows.net/ab?restype=container", "OutOfRangeInput"),
            ("https://a.blob.core.windows.net/con/%FF", "InvalidUri"),
            (long.as_str(), "OutOfRangeInput"),
        ] {
            assert_eq!(address(Entrance::Named, uri), Err(code), "{uri}");
        }
    }
}
