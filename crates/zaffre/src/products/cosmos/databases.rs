//! Databases: a name in an account.

use azure::{error::Result, ids::ResourceId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{codes, collections, item, offers, rid, stamp::Stamp};
use crate::{
    cloud::Draw,
    store::{Table, Txn},
};

/// By account and name; names of databases are told apart by case.
const DATABASES: Table<(ResourceId, String), Database> = Table::new("cosmos_databases");
const BY_RID: Table<(ResourceId, u32), String> = Table::new("cosmos_database_rids");
const MAX_NAME_CHARACTERS: usize = 255;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) stamp: Stamp,
}

impl Database {
    pub(super) fn rid(&self) -> String {
        rid::database(self.number)
    }

    /// `dbs/{rid}/`.
    pub(super) fn self_link(&self) -> String {
        format!("dbs/{}/", self.rid())
    }

    /// As both planes show it.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let shown = json!({
            "id": self.name,
            "_rid": self.rid(),
            "_self": self.self_link(),
            "_etag": self.stamp.etag(),
            "_colls": "colls/",
            "_users": "users/",
            "_ts": self.stamp.seconds,
        });
        let Value::Object(shown) = shown else { unreachable!("an object was written") };
        shown
    }
}

/// By name, or by resource id.
pub(super) fn find(txn: &Txn, account: &ResourceId, text: &str) -> Result<Option<Database>> {
    if let Some(found) = named(txn, account, text)? {
        return Ok(Some(found));
    }
    let Some(number) = rid::parse_database(text) else { return Ok(None) };
    match BY_RID.get(txn, &(account.clone(), number))? {
        Some(name) => named(txn, account, &name),
        None => Ok(None),
    }
}

pub(super) fn named(txn: &Txn, account: &ResourceId, name: &str) -> Result<Option<Database>> {
    Ok(DATABASES.get(txn, &(account.clone(), name.to_owned()))?)
}

/// Behind a name, in order, at most so many.
pub(super) fn list(
    txn: &Txn,
    account: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Database>> {
    let after = after.map(|name| (account.clone(), name.to_owned()));
    let rows = DATABASES.scan(txn, &(account.clone(),), after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, database)| database).collect())
}

/// Makes a database, with throughput of its own where some is asked for.
pub(super) fn create(
    txn: &mut Txn,
    draw: &mut Draw,
    account: &ResourceId,
    (name, throughput): (&str, Option<offers::Throughput>),
    now: Timestamp,
) -> Result<Database> {
    check_name(name)?;
    if named(txn, account, name)?.is_some() {
        return Err(codes::CONFLICT.bare());
    }
    let mut number = rid::draw_database(draw);
    while BY_RID.exists(txn, &(account.clone(), number))? {
        number = rid::draw_database(draw);
    }
    let database = Database { name: name.to_owned(), number, stamp: Stamp::new(draw.u64(), now) };
    DATABASES.put(txn, &(account.clone(), database.name.clone()), &database)?;
    BY_RID.put(txn, &(account.clone(), number), &database.name)?;
    if let Some(throughput) = throughput {
        let place = (database.rid(), database.self_link());
        offers::create(txn, draw, account, place, throughput, now)?;
    }
    Ok(database)
}

/// Takes a database away with everything in it.
pub(super) fn delete(txn: &mut Txn, account: &ResourceId, database: &Database) -> Result<()> {
    for collection in collections::list(txn, account, database, None, usize::MAX)? {
        collections::delete(txn, account, &collection)?;
    }
    offers::forget(txn, account, &database.rid())?;
    BY_RID.delete(txn, &(account.clone(), database.number))?;
    Ok(DATABASES.delete(txn, &(account.clone(), database.name.clone()))?)
}

/// Takes away every database of an account that is deleted.
pub(super) fn forget(txn: &mut Txn, account: &ResourceId) -> Result<()> {
    for database in list(txn, account, None, usize::MAX)? {
        delete(txn, account, &database)?;
    }
    Ok(())
}

/// What a database or a collection may be called.
pub(super) fn check_name(name: &str) -> Result<()> {
    item::check_id(name)?;
    let wrong = if name.contains(['#', '?']) {
        "The resource name presented contains invalid character '#' or '?'."
    } else if name.chars().count() > MAX_NAME_CHARACTERS {
        "A name has at most 255 characters."
    } else {
        return Ok(());
    };
    Err(codes::BAD_ID.with([name, wrong]))
}
