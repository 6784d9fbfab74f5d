//! The one path: every request of every protocol, once.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, pin::pin, task::Poll};

use azure::error::{Error, Result};
use http::{Method, Response};

use super::log::Record;
use crate::{
    access::{self, Caller},
    service::{Body, Cx, Fault, Parts, Permit, Reply, Service, reply::ReplyBody},
    store::Txn,
};

/// Takes a request down the path and gives the answer. It never fails: what goes wrong is rendered.
pub async fn serve<S: Service>(service: &S, cx: Cx, parts: Parts, body: Body) -> Response<ReplyBody> {
    let mut record = Record::begin(S::NAME, &cx, &parts);
    let (body, leftover) = body.held_back(expects_to_be_asked(&parts)).lent();
    let mut reply = match caught(attempt(service, &cx, &parts, body, &mut record)).await {
        Ok(reply) => reply,
        Err(error) => {
            leftover.drain().await;
            let error = in_own_words(service, error);
            record.failed(&cx, &error);
            service.render(&cx, &parts, &error)
        }
    };
    service.dress(&cx, &parts, &mut reply);
    if parts.method == Method::HEAD {
        reply = reply.without_body();
    }
    record.finish(&cx, &reply);
    into_response(reply)
}

async fn attempt<S: Service>(
    service: &S,
    cx: &Cx,
    parts: &Parts,
    body: Body,
    record: &mut Record,
) -> Result<Reply> {
    if let Some(fault) = parts.fault {
        return Err(fault.row().into());
    }
    let op = service.parse(cx, parts)?;
    record.operation(service.describe(&op));
    let mut refused = None;
    let admitted = cx.read(|txn| admit(service, cx, txn, &op, parts, (record, &mut refused))).await;
    let (found, permit) = match (admitted, refused) {
        (Ok(admitted), _) => admitted,
        (Err(error), Some(caller)) => {
            service.turned_away(cx, &op, &caller, &error).await;
            return Err(error);
        }
        (Err(error), None) => return Err(error),
    };
    let asked = permit.watch();
    let reply = service.handle(cx, permit, op, found, body).await?;
    if reply.status.is_success() && asked.is_outstanding() {
        return Err(Fault::Internal.because("the operation's row says `later`, and its handler never asked"));
    }
    Ok(reply)
}

/// A refusal of what waits for `100 Continue` must not say it first (RFC 9110 §10.1.1).
fn expects_to_be_asked(parts: &Parts) -> bool {
    parts.header("expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue"))
}

/// Find, authenticate and authorize, on one snapshot. Who was refused is left behind.
fn admit<S: Service>(
    service: &S,
    cx: &Cx,
    txn: &Txn,
    op: &S::Op,
    parts: &Parts,
    (record, refused): (&mut Record, &mut Option<Caller>),
) -> Result<(S::Found, Permit)> {
    let found = service.find(cx, txn, op)?;
    let caller = service.authenticate(cx, op, &found, parts)?;
    record.caller(&caller);
    let requirement = service.requires(cx, op, &found, &caller);
    match access::authorize(cx, txn, caller, requirement)? {
        Ok(permit) => Ok((found, permit)),
        Err(refusal) => {
            *refused = Some(refusal.caller.clone());
            Err(service.refuse(cx, op, &found, &refusal))
        }
    }
}

/// Replaces the path's neutral rows with the service's own.
fn in_own_words<S: Service>(service: &S, mut error: Error) -> Error {
    if let Some(fault) = Fault::of(error.row) {
        error.row = service.fault(fault);
    }
    error
}

/// A panic is a fault of ours and one caller's 500, never a broken connection.
async fn caught(attempt: impl Future<Output = Result<Reply>>) -> Result<Reply> {
    let mut attempt = pin!(attempt);
    let outcome = std::future::poll_fn(|task| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => Poll::Ready(outcome),
            Err(panic) => Poll::Ready(Err(Fault::Internal.because(words_of(panic.as_ref())))),
        }
    });
    outcome.await
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", words.unwrap_or_else(|| "without words".to_owned()))
}

fn into_response(reply: Reply) -> Response<ReplyBody> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if let Some(reason) = reply.reason.and_then(|text| phrase(&text)) {
        response.extensions_mut().insert(reason);
    }
    if let Some(takeover) = reply.takeover {
        response.extensions_mut().insert(super::Handover::new(takeover));
    }
    response
}

/// A reason phrase is one line of visible characters.
fn phrase(text: &str) -> Option<hyper::ext::ReasonPhrase> {
    let line = text.lines().next().unwrap_or_default().as_bytes().to_vec();
    hyper::ext::ReasonPhrase::try_from(line).ok()
}

#[cfg(test)]
mod tests;
