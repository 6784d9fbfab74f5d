//! Following an operation: its status, and its result (arm.md §7).

use azure::{error::Result, ids::Guid};
use serde_json::{Map, Value, json};

use super::{
    codes, document, durations,
    kind::{Answer, Call, Look, View},
    own,
    types::Types,
};
use crate::{
    resources::{
        self,
        operations::{self, Gives, Operation, Status},
    },
    store::Txn,
};

/// When to ask again about an operation.
fn retry_after(call: &Call<'_, &Txn>, operation: &Operation) -> &'static str {
    durations::retry_after(call.cx, &operation.resource.resource_type().unwrap_or_default())
}

fn found(call: &Call<'_, &Txn>) -> Result<Operation> {
    let name = call.parameter("operation");
    let found = match name.parse::<Guid>() {
        Ok(id) => operations::get(call.txn, id)?,
        Err(_) => None,
    };
    found.ok_or_else(|| codes::OPERATION_NOT_FOUND.with([name]))
}

/// `Azure-AsyncOperation`: always 200, and the status in the body.
pub(super) fn status(_: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let operation = found(call)?;
    let mut body = Map::from_iter([
        ("id".to_owned(), json!(call.id.as_str())),
        ("name".to_owned(), json!(operation.id)),
        ("status".to_owned(), json!(operation.status.as_str())),
        ("startTime".to_owned(), json!(operation.started.iso())),
    ]);
    if let Some(ended) = operation.ended {
        body.insert("endTime".to_owned(), json!(ended.iso()));
    }
    match &operation.status {
        Status::Failed { code, message } => {
            body.insert("error".to_owned(), json!({ "code": code, "message": message }));
        }
        Status::Succeeded { output: Some(output) } => {
            body.insert("properties".to_owned(), json!({ "output": output }));
        }
        Status::InProgress | Status::Succeeded { output: None } | Status::Canceled => {}
    }
    let answer = Answer::ok(Value::Object(body));
    Ok(if operation.status.is_terminal() {
        answer
    } else {
        answer.with("Retry-After", retry_after(call, &operation))
    })
}

/// `Location`: 202 while it runs, then what it gives.
pub(super) fn result(types: &Types, call: &Call<'_, &Txn>) -> Result<Answer> {
    let operation = found(call)?;
    match &operation.status {
        Status::InProgress => {
            let here = format!(
                "{}{}?api-version={}",
                call.origin,
                call.id,
                call.query("api-version").unwrap_or_default()
            );
            Ok(Answer::empty(202).with("Location", here).with("Retry-After", retry_after(call, &operation)))
        }
        Status::Failed { code, message } => Err(codes::OPERATION_FAILED.with([code, message])),
        Status::Canceled => {
            Err(codes::OPERATION_FAILED.with(["OperationCanceled", "The operation was canceled."]))
        }
        Status::Succeeded { output } => match operation.gives {
            Gives::Nothing => Ok(Answer::empty(200)),
            Gives::NoContent => Ok(Answer::empty(204)),
            Gives::Output => Ok(output.clone().map_or_else(|| Answer::empty(200), Answer::ok)),
            Gives::Resource => resource(types, call, &operation),
        },
    }
}

fn resource(types: &Types, call: &Call<'_, &Txn>, operation: &Operation) -> Result<Answer> {
    let of = types.of(&operation.resource)?;
    let version = of.serve(call.query("api-version").unwrap_or_default())?;
    let (cx, txn, id, origin) = (call.cx, call.txn, &operation.resource, call.origin);
    if let Some(own) = of.kind.own {
        let shown = (own.get)(&Look {
            cx,
            txn,
            caller: call.permit.caller(),
            id,
            version: &version,
            query: &[],
            origin,
        })?;
        return Ok(shown.map_or_else(|| Answer::empty(204), Answer::ok));
    }
    let Some(resource) = resources::get(txn, id)? else { return Ok(Answer::empty(204)) };
    let view = View { cx, txn, resource: &resource, version: &version, query: &[], origin };
    Ok(Answer::ok(document::whole(&of, &view)?))
}

/// Where an operation is followed.
pub(super) struct Links {
    pub status: String,
    pub result: String,
}

impl Links {
    /// Of an operation on something of this id.
    pub(super) fn of(
        (origin, version): (&str, &str),
        id: &azure::ids::ResourceId,
        location: Option<&str>,
        operation: Guid,
    ) -> Links {
        let subscription = id.subscription_root().map(|it| it.to_string()).unwrap_or_default();
        let Some(namespace) = id.namespace() else {
            let result = format!("{origin}{subscription}/operationresults/{operation}?api-version={version}");
            return Links { status: result.clone(), result };
        };
        let location = location.unwrap_or("global");
        let at = format!("{origin}{subscription}/providers/{namespace}/locations/{location}");
        Links {
            status: format!("{at}/operations/{operation}?api-version={version}"),
            result: format!("{at}/operationresults/{operation}?api-version={version}"),
        }
    }
}

/// Who may follow: whoever began it, or may read what it is about.
pub(super) fn about(txn: &Txn, path: &super::path::Parameters) -> Result<Option<Operation>> {
    match own::operation_of(path) {
        Some(id) => operations::get(txn, id),
        None => Ok(None),
    }
}
