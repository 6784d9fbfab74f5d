//! Issuers of other people's tokens that this cloud was told to believe: their names and their public keys.
//!
//! Federated credentials name an issuer; its keys come from here, or from the issuer itself where that is on
//! this machine (`loopback`). Nobody else is ever asked: a cloud on one's own machine contacts nothing outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use azure::{
    error::Result,
    jwt::jwks::{self, BadSet, PublicKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Table, Txn};

/// By the issuer's name, to the letter.
const ISSUERS: Table<String, Issuer> = Table::new("federation_issuers");

/// An issuer whose keys were given.
#[derive(Clone, Serialize, Deserialize)]
pub struct Issuer {
    pub name: String,
    pub since: Timestamp,
    /// The set of keys as it was given.
    keys: Value,
}

impl Issuer {
    /// Refuses a set without a key that can be used.
    pub fn new(name: &str, keys: &Value, since: Timestamp) -> Result<Self, BadSet> {
        jwks::parse(keys)?;
        Ok(Issuer { name: name.to_owned(), since, keys: keys.clone() })
    }

    pub fn keys(&self) -> Vec<PublicKey> {
        jwks::parse(&self.keys).unwrap_or_default()
    }
}

/// Creates or replaces.
pub fn trust(txn: &mut Txn, issuer: &Issuer) -> Result<()> {
    Ok(ISSUERS.put(txn, &issuer.name, issuer)?)
}

/// `false`: its keys were not known.
pub fn forget(txn: &mut Txn, name: &str) -> Result<bool> {
    let is_known = ISSUERS.exists(txn, &name.to_owned())?;
    ISSUERS.delete(txn, &name.to_owned())?;
    Ok(is_known)
}

/// By its name, to the letter: a slash more is another issuer.
pub fn issuer(txn: &Txn, name: &str) -> Result<Option<Issuer>> {
    Ok(ISSUERS.get(txn, &name.to_owned())?)
}

/// All of them, by name.
pub fn issuers(txn: &Txn) -> Result<Vec<Issuer>> {
    let rows = ISSUERS.scan(txn, &(), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, issuer)| issuer).collect())
}

/// An address of this machine, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    pub address: SocketAddr,
    pub authority: String,
    /// Begins with a slash, or is empty.
    pub path: String,
}

/// The place of an `http` URL that can only be this machine; none for any other. The name is never looked up.
pub fn loopback(url: &str) -> Option<Loopback> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\%".contains(&byte));
    if !is_plain(rest) {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let ip = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        "[::1]" => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => IpAddr::V4(other.parse().ok()?),
    };
    let address = SocketAddr::new(ip, port);
    ip.is_loopback().then(|| Loopback { address, authority: authority.to_owned(), path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_for_keys() {
        for (url, address) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("http://127.9.9.9", Some("127.9.9.9:80")),
            ("http://localhost:1/a/b", Some("127.0.0.1:1")),
            ("http://[::1]:9/x", Some("[::1]:9")),
            ("http://[::1]", Some("[::1]:80")),
            ("https://127.0.0.1", None),
            ("https://token.actions.githubusercontent.com", None),
            ("http://169.254.169.254/metadata", None),
            ("http://10.0.0.1", None),
            ("http://0.0.0.0", None),
            ("http://localhost.evil.example", None),
            ("http://localhost@evil.example", None),
            ("http://127.0.0.1:80@evil.example", None),
            ("http://127.0.0.1#@evil.example", None),
            ("http://evil.example\\@127.0.0.1", None),
            ("http://127.1", None),
            ("http://2130706433", None),
            ("http://0177.0.0.1", None),
            ("http://LOCALHOST", None),
            ("http://127.0.0.1:99999", None),
            ("http://", None),
            ("ftp://127.0.0.1", None),
        ] {
            assert_eq!(loopback(url).map(|it| it.address.to_string()).as_deref(), address, "{url}");
        }
    }
}
