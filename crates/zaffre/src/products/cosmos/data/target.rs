//! Where a request goes: the account by its host, the rest by its path.
//!
//! A path is all names or all resource ids, and both may be anything that the other is, so a name that
//! exists wins. Doubled and trailing slashes count for nothing (az-cli.md §1.4).

use azure::{
    error::{Error, Result},
    ids::ResourceId,
    text,
};

use super::{Account, Collection, Database, accounts};
use crate::{
    door::Entrance,
    products::cosmos::{codes, collections, databases, rid},
    service::{Cx, Parts},
    store::Txn,
};

pub(super) struct Target {
    host: Host,
    /// What comes behind an account's host in the links of answers.
    pub(super) origin: Origin,
    pub(super) method: String,
    /// Decoded one by one, so that an escaped slash divides nothing.
    pub(super) segments: Vec<String>,
    pub(super) database: Option<String>,
    pub(super) collection: Option<String>,
    pub(super) item: Option<String>,
}

enum Host {
    DropIn,
    /// The first label of a host under `documents.azure.com`.
    Label(String),
}

/// How the client reached us, for the addresses it is given.
pub(super) enum Origin {
    /// Here alone: `http://localhost:8081`.
    Here(String),
    /// By an account's own name, at this port.
    Named { scheme: &'static str, port: u16 },
}

impl Target {
    pub(super) fn parse(parts: &Parts) -> Result<Self> {
        let segments = parts.raw_path.split('/').filter(|segment| !segment.is_empty());
        let segments = segments.map(text::percent_decode).collect::<Option<Vec<_>>>();
        let Some(segments) = segments else { return Err(codes::NO_SUCH_PATH.with([&parts.raw_path])) };
        let (host, origin) = match parts.door.entrance {
            Entrance::Cosmos => (Host::DropIn, Origin::Here(parts.origin())),
            _ => (Host::Label(label(parts).to_owned()), named_origin(parts)),
        };
        let method = parts.method.as_str().to_owned();
        Ok(Target { host, origin, method, segments, database: None, collection: None, item: None })
    }

    /// The names that stand in the path for those of its row.
    pub(super) fn named(mut self, path: &str) -> Self {
        for (name, segment) in path.split('/').zip(&self.segments) {
            match name {
                "{db}" => self.database = Some(segment.clone()),
                "{coll}" => self.collection = Some(segment.clone()),
                "{item}" => self.item = Some(segment.clone()),
                _ => {}
            }
        }
        self
    }

    pub(super) fn account(&self, cx: &Cx, txn: &Txn) -> Result<Account> {
        match &self.host {
            Host::DropIn => Ok(accounts::drop_in(cx.cloud.charter.subscription)),
            Host::Label(label) => accounts::at_host(txn, label)?.ok_or_else(|| no_account(label)),
        }
    }

    /// None where the path names none, or one that is not there.
    pub(super) fn database(&self, txn: &Txn, account: &Account) -> Result<Option<Database>> {
        match &self.database {
            Some(text) => databases::find(txn, &account.id, text),
            None => Ok(None),
        }
    }

    pub(super) fn collection(
        &self,
        txn: &Txn,
        account: &Account,
        database: Option<&Database>,
    ) -> Result<Option<Collection>> {
        match (&self.collection, database) {
            (Some(text), Some(database)) => collections::find(txn, &account.id, database, text),
            _ => Ok(None),
        }
    }

    /// Whether the collection was named by its resource id.
    pub(super) fn is_by_rid(&self, collection: &Collection) -> bool {
        self.collection.as_deref() != Some(collection.name.as_str())
    }

    /// The database's or the collection's id of the path, where it is one and nothing has it.
    pub(super) fn unknown_rid(
        &self,
        database: Option<&Database>,
        collection: Option<&Collection>,
    ) -> Option<String> {
        let databases = self.database.as_ref().filter(|text| rid::parse_database(text).is_some());
        let collections = self.collection.as_ref().filter(|text| rid::CollectionRid::parse(text).is_some());
        match (database, collection) {
            (None, _) => databases.cloned(),
            (Some(_), None) => collections.cloned(),
            (Some(_), Some(_)) => None,
        }
    }

    /// What it names as a scope of Cosmos's roles: by name, where it can be known.
    pub(super) fn scope(
        &self,
        account: &Account,
        database: Option<&Database>,
        collection: Option<&Collection>,
    ) -> ResourceId {
        let mut scope = account.id.clone();
        if let Some(text) = &self.database {
            scope = scope.child("dbs", database.map_or(text, |it| &it.name));
        }
        if let Some(text) = &self.collection {
            scope = scope.child("colls", collection.map_or(text, |it| &it.name));
        }
        scope
    }

    /// `/dbs/d/colls`, as errors show it.
    pub(super) fn path(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }

    /// The address of the account, or of one of its regions.
    pub(super) fn endpoint(&self, account: &Account, region: Option<&str>) -> String {
        match &self.origin {
            Origin::Here(origin) => format!("{origin}/"),
            Origin::Named { scheme, port } => {
                format!("{scheme}://{}:{port}/", accounts::host(&account.name, region))
            }
        }
    }
}

fn no_account(label: &str) -> Error {
    codes::NO_ACCOUNT.with([label])
}

/// The label in front of the accounts' common suffix.
fn label(parts: &Parts) -> &str {
    let host = parts.host();
    host.strip_suffix(accounts::HOST_SUFFIX).unwrap_or(host)
}

fn named_origin(parts: &Parts) -> Origin {
    let default = if parts.door.tls { 443 } else { 80 };
    let port = parts.authority.strip_prefix(parts.host()).and_then(|rest| rest.strip_prefix(':'));
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(default);
    Origin::Named { scheme: parts.door.scheme(), port }
}
