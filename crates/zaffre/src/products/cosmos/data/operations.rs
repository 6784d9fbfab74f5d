//! The data plane's operations: one row each.

use azure::{action::Action, error::Result, rbac::Plane};
use http::Method;

use super::{Call, account, collections, databases, documents, feed, ranges, throughput};
use crate::{
    products::cosmos::codes,
    service::{Parts, Reply},
    store::Txn,
};

pub(super) struct Operation {
    /// For the log, and for saying what is not here yet.
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// Types and `{names}`: `dbs/{db}/colls/{coll}/docs`.
    pub(super) path: &'static str,
    pub(super) form: Form,
    pub(super) needs: Needs,
    pub(super) run: Run,
}

/// What headers make of a method and a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Upsert,
    Query,
    QueryPlan,
    Batch,
    ChangeFeed,
}

/// What the caller must be allowed to do (cosmos.md §2.4).
#[derive(Clone, Copy, Debug)]
pub(super) enum Needs {
    /// `readMetadata`.
    Metadata,
    /// Any one of these, on documents.
    Data(&'static [Action]),
    /// What no role of Cosmos's can grant, only a key: to read, or to change.
    KeyToRead,
    KeyToWrite,
}

impl Operation {
    /// `colls`, for a collection and for a list of them: what the path has of types last.
    pub(super) fn resource_type(&self) -> &'static str {
        self.path.split('/').rfind(|part| !part.starts_with('{')).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Run {
    Read(fn(&Call<'_>, &Txn) -> Result<Reply>),
    Write(fn(&Call<'_>, &mut Txn) -> Result<Reply>),
    NotYet,
}

macro_rules! actions {
    ($($name:ident $action:literal;)*) => {
        $(pub(super) static $name: [Action; 1] =
            [Action::of(concat!("Microsoft.DocumentDB/databaseAccounts/", $action))];)*
    };
}

actions! {
    READ_METADATA "readMetadata";
    CREATE "sqlDatabases/containers/items/create";
    READ "sqlDatabases/containers/items/read";
    REPLACE "sqlDatabases/containers/items/replace";
    UPSERT "sqlDatabases/containers/items/upsert";
    DELETE "sqlDatabases/containers/items/delete";
    QUERY "sqlDatabases/containers/executeQuery";
    CHANGE_FEED "sqlDatabases/containers/readChangeFeed";
    EXECUTE "sqlDatabases/containers/executeStoredProcedure";
    CONFLICTS "sqlDatabases/containers/manageConflicts";
    // Not below `containers/`, whose wildcard a role may have.
    KEY_TO_READ "sqlDatabases/read";
    KEY_TO_WRITE "sqlDatabases/write";
}

use Form::{Batch, ChangeFeed, Plain, Query, QueryPlan, Upsert};
use Needs::{Data, KeyToRead, KeyToWrite, Metadata};
use Run::{NotYet, Read, Write};

const DBS: &str = "dbs";
const DB: &str = "dbs/{db}";
const COLLS: &str = "dbs/{db}/colls";
const COLL: &str = "dbs/{db}/colls/{coll}";
const DOCS: &str = "dbs/{db}/colls/{coll}/docs";
const DOC: &str = "dbs/{db}/colls/{coll}/docs/{item}";
const RANGES: &str = "dbs/{db}/colls/{coll}/pkranges";
const PARTITION_DELETE: &str = "dbs/{db}/colls/{coll}/operations/partitionkeydelete";
const SPROC: &str = "dbs/{db}/colls/{coll}/sprocs/{item}";
const CONFLICT_FEED: &str = "dbs/{db}/colls/{coll}/conflicts";
const CONFLICT: &str = "dbs/{db}/colls/{coll}/conflicts/{item}";
const OFFERS: &str = "offers";
const OFFER: &str = "offers/{item}";
const ADDRESSES: &str = "addresses";

const fn row(
    name: &'static str,
    method: Method,
    path: &'static str,
    form: Form,
    needs: Needs,
    run: Run,
) -> Operation {
    Operation { name, method, path, form, needs, run }
}

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    row("ReadDatabaseAccount", Method::GET, "", Plain, Metadata, Read(account::read)),

    row("ListDatabases", Method::GET, DBS, Plain, Metadata, Read(databases::list)),
    row("QueryDatabases", Method::POST, DBS, Query, Metadata, Read(databases::query)),
    row("CreateDatabase", Method::POST, DBS, Plain, KeyToWrite, Write(databases::create)),
    row("ReadDatabase", Method::GET, DB, Plain, Metadata, Read(databases::read)),
    row("DeleteDatabase", Method::DELETE, DB, Plain, KeyToWrite, Write(databases::delete)),

    row("ListCollections", Method::GET, COLLS, Plain, Metadata, Read(collections::list)),
    row("QueryCollections", Method::POST, COLLS, Query, Metadata, Read(collections::query)),
    row("CreateCollection", Method::POST, COLLS, Plain, KeyToWrite, Write(collections::create)),
    row("ReadCollection", Method::GET, COLL, Plain, Metadata, Read(collections::read)),
    row("ReplaceCollection", Method::PUT, COLL, Plain, KeyToWrite, Write(collections::replace)),
    row("DeleteCollection", Method::DELETE, COLL, Plain, KeyToWrite, Write(collections::delete)),
    row("ListPartitionKeyRanges", Method::GET, RANGES, Plain, Metadata, Read(ranges::list)),
    row("ListPartitionKeyRanges", Method::GET, RANGES, ChangeFeed, Metadata, Read(ranges::list)),
    row("ReadAddresses", Method::GET, ADDRESSES, Plain, Metadata, NotYet),

    row("ListOffers", Method::GET, OFFERS, Plain, KeyToRead, Read(throughput::list)),
    row("QueryOffers", Method::POST, OFFERS, Query, KeyToRead, Read(throughput::query)),
    row("ReadOffer", Method::GET, OFFER, Plain, KeyToRead, Read(throughput::read)),
    row("ReplaceOffer", Method::PUT, OFFER, Plain, KeyToWrite, Write(throughput::replace)),

    // A read feed without `A-IM` is the service's ReadFeed, as the change feed is (unverified).
    row("ListDocuments", Method::GET, DOCS, Plain, Data(&CHANGE_FEED), Read(feed::list)),
    row("ReadChangeFeed", Method::GET, DOCS, ChangeFeed, Data(&CHANGE_FEED), NotYet),
    row("PlanQuery", Method::POST, DOCS, QueryPlan, Data(&QUERY), NotYet),
    row("ExecuteBatch", Method::POST, DOCS, Batch, Data(&UPSERT), NotYet),
    row("QueryDocuments", Method::POST, DOCS, Query, Data(&QUERY), Read(feed::query)),
    row("UpsertDocument", Method::POST, DOCS, Upsert, Data(&UPSERT), Write(documents::upsert)),
    row("CreateDocument", Method::POST, DOCS, Plain, Data(&CREATE), Write(documents::create)),
    row("ReadDocument", Method::GET, DOC, Plain, Data(&READ), Read(documents::read)),
    row("ReplaceDocument", Method::PUT, DOC, Plain, Data(&REPLACE), Write(documents::replace)),
    row("PatchDocument", Method::PATCH, DOC, Plain, Data(&REPLACE), NotYet),
    row("DeleteDocument", Method::DELETE, DOC, Plain, Data(&DELETE), Write(documents::delete)),
    row("DeletePartition", Method::POST, PARTITION_DELETE, Plain, Data(&DELETE), NotYet),

    row("ExecuteStoredProcedure", Method::POST, SPROC, Plain, Data(&EXECUTE), NotYet),
    row("ListConflicts", Method::GET, CONFLICT_FEED, Plain, Data(&CONFLICTS), NotYet),
    row("ReadConflict", Method::GET, CONFLICT, Plain, Data(&CONFLICTS), NotYet),
    row("DeleteConflict", Method::DELETE, CONFLICT, Plain, Data(&CONFLICTS), NotYet),
];

/// What a later version keeps: answered to keys alone, whatever the method.
#[rustfmt::skip]
pub(super) static LATER: &[Operation] = &[
    row("stored procedures", Method::GET, "dbs/{db}/colls/{coll}/sprocs", Plain, KeyToWrite, NotYet),
    row("stored procedures", Method::GET, SPROC, Plain, KeyToWrite, NotYet),
    row("triggers", Method::GET, "dbs/{db}/colls/{coll}/triggers", Plain, KeyToWrite, NotYet),
    row("triggers", Method::GET, "dbs/{db}/colls/{coll}/triggers/{item}", Plain, KeyToWrite, NotYet),
    row("user-defined functions", Method::GET, "dbs/{db}/colls/{coll}/udfs", Plain, KeyToWrite, NotYet),
    row("user-defined functions", Method::GET, "dbs/{db}/colls/{coll}/udfs/{item}", Plain, KeyToWrite, NotYet),
    row("users", Method::GET, "dbs/{db}/users", Plain, KeyToWrite, NotYet),
    row("users", Method::GET, "dbs/{db}/users/{item}", Plain, KeyToWrite, NotYet),
    row("permissions", Method::GET, "dbs/{db}/users/{user}/permissions", Plain, KeyToWrite, NotYet),
    row("permissions", Method::GET, "dbs/{db}/users/{user}/permissions/{item}", Plain, KeyToWrite, NotYet),
    row("client encryption keys", Method::GET, "dbs/{db}/clientencryptionkeys", Plain, KeyToWrite, NotYet),
    row("client encryption keys", Method::GET, "dbs/{db}/clientencryptionkeys/{item}", Plain, KeyToWrite, NotYet),
];

/// What the rows demand that a role can grant: what only a key opens has no action of its own.
pub(super) fn demands() -> Vec<(Plane, &'static Action)> {
    let of = |row: &'static Operation| match row.needs {
        Needs::Metadata => &READ_METADATA[..],
        Needs::Data(actions) => actions,
        Needs::KeyToRead | Needs::KeyToWrite => &[],
    };
    OPERATIONS.iter().flat_map(of).map(|action| (Plane::Cosmos, action)).collect()
}

/// The row of a request: 404 for a path that nothing has, 405 for a method that its path has not.
pub(super) fn find(parts: &Parts, segments: &[String]) -> Result<&'static Operation> {
    let form = form(parts);
    let mut here = OPERATIONS.iter().filter(|row| matches(row.path, segments)).peekable();
    let is_known = here.peek().is_some();
    if let Some(row) = here.find(|row| row.method == parts.method && row.form == form) {
        return Ok(row);
    }
    if let Some(row) = LATER.iter().find(|row| matches(row.path, segments)) {
        return Ok(row);
    }
    if is_known {
        return Err(codes::METHOD_NOT_ALLOWED.bare());
    }
    Err(codes::NO_SUCH_PATH.with([format!("/{}", segments.join("/"))]))
}

fn matches(path: &str, segments: &[String]) -> bool {
    let mut pattern = path.split('/').filter(|part| !part.is_empty());
    segments.iter().all(|segment| {
        pattern.next().is_some_and(|part| part.starts_with('{') || part.eq_ignore_ascii_case(segment))
    }) && pattern.next().is_none()
}

/// A plan request is told by its own header first, whatever else it looks like (cosmos.md §8.3). Every
/// request of the Python SDK says something about continuations: that marks no query (az-cli.md §10).
fn form(parts: &Parts) -> Form {
    let is_set = |name: &str| parts.header(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let content_type = parts.header("content-type").unwrap_or_default();
    let is_query = content_type.to_ascii_lowercase().starts_with("application/query+json");
    match parts.method {
        Method::POST if is_set("x-ms-cosmos-is-query-plan-request") => QueryPlan,
        Method::POST if is_set("x-ms-cosmos-is-batch-request") => Batch,
        Method::POST if is_query || is_set("x-ms-documentdb-isquery") => Query,
        Method::POST if is_set("x-ms-documentdb-is-upsert") => Upsert,
        Method::GET if parts.header("a-im").is_some() => ChangeFeed,
        _ => Plain,
    }
}
