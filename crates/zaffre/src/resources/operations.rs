//! Work that outlives its request, and what its polls are told (arm.md §7).
//!
//! A write that is not done when it is answered leaves an operation behind, in its own transaction.
//! Whoever finishes the work (the reconciler, or the same transaction, where only the answer is slow)
//! says so with `finish`, and the resource's state follows. An operation that is never finished is
//! polled for ever, as in Azure; none is removed.
//!
//! An operation may be held until it is due, where a cloud takes as long as the platform does: its end is
//! written down when it comes and takes effect with `settle`, at its time.

use std::time::Duration;

use azure::{
    error::Result,
    ids::{Guid, ObjectId, ResourceId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{State, removal, rows};
use crate::store::{Span, Table, Txn};

const OPERATIONS: Table<Guid, Operation> = Table::new("operations");
/// Those that are held, by their time.
const DUE: Table<(Timestamp, Guid), ()> = Table::new("operations_due");

/// Something that was begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: Guid,
    pub resource: ResourceId,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    /// Who asked for it, and may follow it even when the resource is gone.
    pub started_by: Option<ObjectId>,
    pub gives: Gives,
    pub status: Status,
    /// Before which it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// How it will have ended then, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Status>,
}

/// What the final poll of its `Location` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gives {
    /// The resource as it then is.
    Resource,
    /// What `finish` was given: an action's result.
    Output,
    /// Nothing: a deletion.
    Nothing,
    /// Nothing, and says so with 204: a move.
    NoContent,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    InProgress,
    Succeeded { output: Option<Value> },
    Failed { code: String, message: String },
    Canceled,
}

impl Status {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Status::InProgress => "InProgress",
            Status::Succeeded { .. } => "Succeeded",
            Status::Failed { .. } => "Failed",
            Status::Canceled => "Canceled",
        }
    }

    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Status::InProgress)
    }

    /// What it means for the resource that it was about.
    const fn state(&self) -> Option<State> {
        match self {
            Status::InProgress => None,
            Status::Succeeded { .. } => Some(State::Succeeded),
            Status::Failed { .. } => Some(State::Failed),
            Status::Canceled => Some(State::Canceled),
        }
    }
}

pub fn get(txn: &Txn, id: Guid) -> Result<Option<Operation>> {
    Ok(OPERATIONS.get(txn, &id)?)
}

/// Writes down that something has begun.
pub fn begin(txn: &mut Txn, operation: &Operation) -> Result<()> {
    Ok(OPERATIONS.put(txn, &operation.id, operation)?)
}

impl Operation {
    pub fn new(id: Guid, resource: &ResourceId, gives: Gives, now: Timestamp) -> Self {
        Operation {
            id,
            resource: resource.clone(),
            started: now,
            ended: None,
            started_by: None,
            gives,
            status: Status::InProgress,
            due: None,
            outcome: None,
        }
    }

    pub fn by(mut self, who: Option<ObjectId>) -> Self {
        self.started_by = who;
        self
    }

    /// The same, already done: only its answer takes a poll.
    pub fn done(mut self) -> Self {
        self.ended = Some(self.started);
        self.status = Status::Succeeded { output: None };
        self
    }
}

/// Lets an operation not end before its time, also one that ended as soon as it began.
pub fn hold(txn: &mut Txn, id: Guid, due: Timestamp) -> Result<()> {
    let Some(mut operation) = get(txn, id)? else { return Ok(()) };
    if operation.status.is_terminal() {
        operation.outcome = Some(std::mem::replace(&mut operation.status, Status::InProgress));
        operation.ended = None;
    }
    operation.due = Some(due);
    DUE.put(txn, &(due, id), &())?;
    Ok(OPERATIONS.put(txn, &id, &operation)?)
}

/// Whether an operation is held.
pub fn is_held(txn: &Txn, id: Guid) -> Result<bool> {
    Ok(get(txn, id)?.is_some_and(|it| it.due.is_some()))
}

/// Ends what is due, each as it was to end; what is still at work ends when its worker says so.
pub fn settle(txn: &mut Txn, now: Timestamp) -> Result<()> {
    let end = (now.plus(Duration::from_nanos(1)), Guid::default());
    let due: Vec<(Timestamp, Guid)> =
        DUE.rows(txn, Span::under(&()).before(&end)).map(|row| Ok(row?.0)).collect::<Result<_>>()?;
    for (at, id) in due {
        DUE.delete(txn, &(at, id))?;
        let Some(mut operation) = get(txn, id)? else { continue };
        operation.due = None;
        let outcome = operation.outcome.take();
        OPERATIONS.put(txn, &id, &operation)?;
        if let Some(outcome) = outcome {
            end_at(txn, &operation, outcome, at)?;
        }
    }
    Ok(())
}

/// What was to be deleted goes with the end of its operation.
fn end_at(txn: &mut Txn, operation: &Operation, outcome: Status, at: Timestamp) -> Result<()> {
    let resource = rows::get(txn, &operation.resource)?;
    let leaves = resource.filter(|it| it.state == State::Deleting && it.operation == Some(operation.id));
    match leaves {
        Some(resource) => removal::complete_if_empty(txn, &resource, at),
        None => finish(txn, operation.id, outcome, at),
    }
}

/// Ends an operation, and with it what it did to its resource's state. One that has ended stays as it is, and one
/// that is held ends when it is due.
pub fn finish(txn: &mut Txn, id: Guid, status: Status, now: Timestamp) -> Result<()> {
    let Some(mut operation) = get(txn, id)? else { return Ok(()) };
    if operation.status.is_terminal() {
        return Ok(());
    }
    if operation.due.is_some() {
        operation.outcome = Some(status);
        return Ok(OPERATIONS.put(txn, &id, &operation)?);
    }
    operation.ended = Some(now);
    let state = status.state();
    operation.status = status;
    OPERATIONS.put(txn, &id, &operation)?;
    let Some(mut resource) = rows::get(txn, &operation.resource)? else { return Ok(()) };
    if let Some(state) = state.filter(|_| resource.operation == Some(id) && !resource.state.is_terminal()) {
        resource.state = state;
        rows::put(txn, &resource)?;
    }
    Ok(())
}
