//! Issuers of other people's tokens: which are believed, and by what keys.

use azure::error::Result;
use serde_json::{Value, json};

use super::codes;
use crate::{
    directory::federation::{self, Issuer},
    service::{Body, Cx, Reply},
};

const SET_BYTES: usize = 256 << 10;

pub(super) async fn list(cx: &Cx) -> Result<Reply> {
    let issuers = cx.read(federation::issuers).await?;
    Ok(Reply::json(200, &json!({ "value": issuers.iter().map(shown).collect::<Vec<_>>() })))
}

pub(super) async fn trust(cx: &Cx, name: &str, body: Body) -> Result<Reply> {
    let refused = |why: String| codes::BAD_ISSUER.with([why]);
    let keys: Value = body.json(SET_BYTES, |error| refused(error.to_string())).await?;
    if !(name.starts_with("https://") || name.starts_with("http://")) {
        return Err(refused(format!("its name is a URL, as tokens have it in `iss`, and not `{name}`")));
    }
    let issuer = Issuer::new(name, &keys, cx.now).map_err(|why| refused(why.to_string()))?;
    cx.write(|txn| federation::trust(txn, &issuer)).await?;
    Ok(Reply::json(200, &shown(&issuer)))
}

pub(super) async fn forget(cx: &Cx, name: &str) -> Result<Reply> {
    match cx.write(|txn| federation::forget(txn, name)).await? {
        true => Ok(Reply::json(200, &json!({ "issuer": name }))),
        false => Err(codes::NO_SUCH_ISSUER.with([name])),
    }
}

fn shown(issuer: &Issuer) -> Value {
    let kids: Vec<String> = issuer.keys().into_iter().map(|key| key.kid).collect();
    json!({ "issuer": issuer.name, "since": issuer.since.iso_seconds(), "kids": kids })
}
