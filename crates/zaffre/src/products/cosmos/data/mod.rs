//! The data plane: what SDKs speak, on every account's host and on the drop-in port.
//!
//! A request is a row of `operations` (a method, the shape of a path, and what the headers make of it: the
//! same POST creates, upserts, queries or asks for a plan), with the names in its path and the options in
//! its headers read once. `admission` says who asks and what they may do; a row's function then does it in
//! one transaction.
//!
//! - `operations.rs`: the table; `options.rs`: headers; `target.rs`: hosts and paths, by name or by `_rid`.
//! - `account.rs`, `databases.rs`, `collections.rs`, `ranges.rs`, `throughput.rs`: what SDKs call metadata.
//! - `documents.rs`: one document; `feed.rs`: many; `query.rs`: the queries that need no engine.
//! - `answer.rs`: headers, charges and the one printing of errors.

mod account;
mod admission;
mod answer;
mod collections;
mod databases;
mod documents;
mod feed;
mod operations;
mod options;
mod query;
mod ranges;
mod target;
mod throughput;

use azure::{
    action::Action,
    error::{Error, Result, Row},
    rbac::Plane,
};
use bytes::Bytes;

use self::{
    operations::{Operation, Run},
    options::Options,
    target::Target,
};
use super::{
    accounts::{self, Account},
    codes,
    collections::Collection,
    databases::Database,
    item,
};
use crate::{
    cloud::Draw,
    service::{Body, Caller, Cx, Fault, Parts, Permit, Refusal, Reply, Requirement, Service},
    store::Txn,
};

pub struct Cosmos;

/// Every action that an operation demands, for Resource Manager's lists.
pub(super) fn demands() -> Vec<(Plane, &'static Action)> {
    operations::demands()
}

/// The operations that are done, as the log names them: a method and a name.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_done = |row: &&operations::Operation| !matches!(row.run, operations::Run::NotYet);
    operations::OPERATIONS.iter().filter(is_done).map(|row| (row.method.as_str(), row.name))
}

/// A request of ours.
pub struct Op {
    row: &'static Operation,
    target: Target,
    options: Options,
}

/// What is stored about what a request names.
pub struct Found {
    account: Account,
    database: Option<Database>,
    collection: Option<Collection>,
}

impl Service for Cosmos {
    type Op = Op;
    type Found = Found;
    const NAME: &'static str = "cosmos";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        let target = Target::parse(parts)?;
        let row = operations::find(parts, &target.segments)?;
        Ok(Op { row, options: Options::parse(parts)?, target: target.named(row.path) })
    }

    fn find(&self, cx: &Cx, txn: &Txn, op: &Op) -> Result<Found> {
        let account = op.target.account(cx, txn)?;
        let database = op.target.database(txn, &account)?;
        let collection = op.target.collection(txn, &account, database.as_ref())?;
        Ok(Found { account, database, collection })
    }

    fn authenticate(&self, cx: &Cx, op: &Op, found: &Found, parts: &Parts) -> Result<Caller> {
        admission::authenticate(cx, op, &found.account, parts)
    }

    fn requires(&self, _cx: &Cx, op: &Op, found: &Found, _caller: &Caller) -> Requirement {
        admission::requires(op, found)
    }

    fn refuse(&self, _cx: &Cx, op: &Op, found: &Found, refusal: &Refusal) -> Error {
        admission::refuse(op, found, refusal)
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        let code = match fault {
            Fault::BadHead => &codes::BAD_HEAD,
            Fault::HeadTooLarge => &codes::HEAD_TOO_LARGE,
            Fault::Misdirected => &codes::MISDIRECTED,
            Fault::Internal => &codes::INTERNAL,
            Fault::Unavailable => &codes::UNAVAILABLE,
            Fault::BodyTooLarge => &codes::TOO_LARGE,
            Fault::BodyCutShort => &codes::BODY_CUT_SHORT,
            Fault::BodyTooSlow => &codes::TIMEOUT,
        };
        &code.row
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Op, found: Found, body: Body) -> Result<Reply> {
        let body = body.bytes(item::MAX_BYTES).await?;
        let call = Call { cx, op: &op, account: &found.account, body, draw: cx.draw() };
        match op.row.run {
            Run::Read(read) => cx.read(|txn| read(&call, txn)).await,
            Run::Write(write) => cx.write(|txn| write(&call, txn)).await,
            Run::NotYet => Err(codes::not_yet(op.row.name)),
        }
    }

    fn dress(&self, cx: &Cx, parts: &Parts, reply: &mut Reply) {
        answer::dress(cx, parts, reply);
    }

    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply {
        answer::render(cx, parts, error)
    }

    fn describe(&self, op: &Op) -> String {
        op.row.name.to_owned()
    }
}

/// A request on its way through its row's function, which may run again.
struct Call<'a> {
    cx: &'a Cx,
    op: &'a Op,
    account: &'a Account,
    body: Bytes,
    draw: Draw,
}

impl Call<'_> {
    fn options(&self) -> &Options {
        &self.op.options
    }

    /// The database that the path names, which is what the request is about.
    fn database(&self, txn: &Txn) -> Result<Database> {
        self.op.target.database(txn, self.account)?.ok_or_else(|| codes::NOT_FOUND.bare())
    }

    /// The database that holds what the request is about.
    fn owning_database(&self, txn: &Txn) -> Result<Database> {
        self.op.target.database(txn, self.account)?.ok_or_else(|| codes::OWNER_NOT_FOUND.bare())
    }

    /// The collection that the request is about.
    fn collection(&self, txn: &Txn) -> Result<Collection> {
        let database = self.owning_database(txn)?;
        let found = self.op.target.collection(txn, self.account, Some(&database))?;
        self.intended(found.ok_or_else(|| codes::NOT_FOUND.bare())?)
    }

    /// The collection that holds what the request is about.
    fn owning_collection(&self, txn: &Txn) -> Result<Collection> {
        let database = self.owning_database(txn)?;
        let found = self.op.target.collection(txn, self.account, Some(&database))?;
        self.intended(found.ok_or_else(|| codes::OWNER_NOT_FOUND.bare())?)
    }

    /// A client that remembers a collection of the same name from before is told to look again.
    fn intended(&self, collection: Collection) -> Result<Collection> {
        match &self.options().intended_collection {
            Some(rid) if *rid != collection.rid.text() => Err(codes::OTHER_COLLECTION.bare()),
            Some(_) | None => Ok(collection),
        }
    }
}

#[cfg(test)]
mod tests;
