//! Resource Manager asking itself, on somebody's behalf: the steps of a deployment.
//!
//! A request from inside takes the same steps as one from a client: its id, its type and its
//! api-version are read by the same functions, the same row says what it demands, the same evaluator
//! gives the permit, and the same handler does it. What it has not is a token: its caller was proved
//! when the deployment was asked for, and is looked up again by object id whenever it goes on.

use std::{future::Future, pin::Pin};

use azure::error::{Error, Result};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;

use super::{Arm, Op};
use crate::{
    access::{self, Caller},
    service::{Body, Cx, Fault, Refusal, Service},
    store::Txn,
};

/// What a client would have been answered.
pub(super) struct Answered {
    pub status: u16,
    /// Null where there was no body.
    pub document: Value,
}

/// An answer on its way.
pub(super) type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answered>> + Send + 'a>>;

/// A request line.
pub(super) type Line<'a> = (Method, &'a str, &'a str);

impl Arm {
    /// Asks, and gives the answer. Refused as the caller would be. Boxed, because what is asked may be a
    /// deployment, which asks in its turn.
    pub(super) fn inside<'a>(
        &'a self,
        cx: &'a Cx,
        caller: &'a Caller,
        line: Line<'a>,
        body: &'a Value,
    ) -> Asking<'a> {
        Box::pin(self.answered(cx, caller, line, body))
    }

    async fn answered(&self, cx: &Cx, caller: &Caller, line: Line<'_>, body: &Value) -> Result<Answered> {
        let op = self.op_inside(line)?;
        let admitted = |txn: &Txn| {
            let found = self.find(cx, txn, &op)?;
            let demanded = self.requires(cx, &op, &found, caller);
            match access::authorize(cx, txn, caller.clone(), demanded)? {
                Ok(permit) => Ok((found, permit)),
                Err(refusal) => Err(self.refuse(cx, &op, &found, &refusal)),
            }
        };
        let (found, permit) = cx.read(admitted).await?;
        let asked = permit.watch();
        let body = if body.is_null() { Body::empty() } else { Body::from(Bytes::from(body.to_string())) };
        let reply = self.handle(cx, permit, op, found, body).await?;
        if reply.status.is_success() && asked.is_outstanding() {
            return Err(Fault::Internal.because("a row says `later`, and its handler never asked"));
        }
        let status = reply.status.as_u16();
        let bytes = reply.body.collect().await.map_err(|cause| Fault::Internal.because(cause))?.to_bytes();
        let document = if bytes.is_empty() { Value::Null } else { parsed(&bytes)? };
        Ok(Answered { status, document })
    }

    /// What the caller would be refused for, asked for nothing but that.
    pub(super) fn refusal(
        &self,
        cx: &Cx,
        txn: &Txn,
        caller: &Caller,
        line: Line<'_>,
    ) -> Result<Option<Refusal>> {
        let op = self.op_inside(line)?;
        let found = self.find(cx, txn, &op)?;
        let demanded = self.requires(cx, &op, &found, caller);
        Ok(access::authorize(cx, txn, caller.clone(), demanded)?.err())
    }

    fn op_inside(&self, (method, path, version): Line<'_>) -> Result<Op> {
        Op::inside(&self.types, method, path, version)
    }
}

fn parsed(bytes: &Bytes) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|cause| -> Error { Fault::Internal.because(cause) })
}
