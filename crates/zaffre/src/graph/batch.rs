//! `$batch`: up to twenty requests in one, each answered by itself.
//!
//! The parts are asked as the caller that the whole was, one after the other, and each is judged like a request of its
//! own: what it may do is weighed in its own transaction. A part that depends on one that failed is not asked.

use azure::error::{Error, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::{Graph, ask::Answer, codes};
use crate::{
    access::Caller,
    service::{Cx, Parts, Service},
};

/// "Combine multiple HTTP requests using JSON batching".
const MOST: usize = 20;

pub(super) async fn run(cx: &Cx, caller: &Caller, parts: &Parts, bytes: &[u8]) -> Result<Answer> {
    let body: Value = serde_json::from_slice(bytes).map_err(|why| codes::NOT_JSON.bare().because(why))?;
    let requests = body.get("requests").and_then(Value::as_array);
    let requests = requests.ok_or_else(|| codes::BAD_BATCH.with(["'requests' is missing"]))?;
    if requests.len() > MOST {
        return Err(codes::BAD_BATCH.with(["more than 20 requests"]));
    }
    let mut answers: Vec<Value> = Vec::new();
    for request in requests {
        let id = request.get("id").and_then(Value::as_str);
        let id = id.ok_or_else(|| codes::BAD_BATCH.with(["a request has no 'id'"]))?;
        if answers.iter().any(|it| it["id"] == id) {
            return Err(codes::BAD_BATCH.with(["two requests have the same 'id'"]));
        }
        let answer = match waits_for_failed(request, &answers) {
            true => Err((&codes::FAILED_DEPENDENCY).into()),
            false => one(cx, caller, parts, request).await,
        };
        answers.push(shown(cx, parts, id, answer));
    }
    Ok(Answer::Json(200, json!({ "responses": answers })))
}

fn waits_for_failed(request: &Value, answers: &[Value]) -> bool {
    let needed = request.get("dependsOn").and_then(Value::as_array);
    let is_good = |id: &Value| {
        answers.iter().any(|it| it["id"] == *id && it["status"].as_u64().is_some_and(|status| status < 400))
    };
    needed.into_iter().flatten().any(|id| !is_good(id))
}

async fn one(cx: &Cx, caller: &Caller, outer: &Parts, request: &Value) -> Result<Answer> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let bad = |what: &'static str| codes::BAD_BATCH.with([what]);
    let method: Method =
        text("method").and_then(|it| it.parse().ok()).ok_or_else(|| bad("a 'method' is unknown"))?;
    let url = text("url").ok_or_else(|| bad("a request has no 'url'"))?;
    let parts = inner(outer, method, url, request).ok_or_else(|| bad("a 'url' cannot be read"))?;
    let op = Graph.parse(cx, &parts)?;
    let body = request.get("body").map(Value::to_string).unwrap_or_default();
    super::answer(cx, caller, op, body.as_bytes()).await
}

/// The part as a request of its own: `/users/x?$select=id` under the version that the whole was sent to.
fn inner(outer: &Parts, method: Method, url: &str, request: &Value) -> Option<Parts> {
    let version = outer.raw_path.trim_matches('/').split('/').next()?;
    let uri = format!("{}/{version}/{}", outer.origin(), url.trim_start_matches('/'));
    let mut headers = HeaderMap::new();
    for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flatten() {
        headers.insert(name.parse::<HeaderName>().ok()?, value.as_str()?.parse::<HeaderValue>().ok()?);
    }
    let (mut head, ()) =
        http::Request::builder().method(method).uri(uri.replace(' ', "%20")).body(()).ok()?.into_parts();
    head.headers = headers;
    let parts = Parts::new(outer.door.clone(), head);
    parts.fault.is_none().then_some(parts)
}

fn shown(cx: &Cx, parts: &Parts, id: &str, answer: Result<Answer>) -> Value {
    let (status, body) = match answer {
        Ok(Answer::Json(status, body)) => (status, Some(body)),
        Ok(Answer::Text(text)) => (200, Some(json!(text))),
        Ok(Answer::Empty) => (204, None),
        Err(error) => (error.row.status, Some(refusal(cx, parts, &error))),
    };
    let mut shown = Map::from_iter([("id".to_owned(), json!(id)), ("status".to_owned(), json!(status))]);
    if let Some(body) = body {
        shown.insert("headers".to_owned(), json!({ "Content-Type": "application/json" }));
        shown.insert("body".to_owned(), body);
    }
    Value::Object(shown)
}

fn refusal(cx: &Cx, parts: &Parts, error: &Error) -> Value {
    super::error_body(cx, parts, error)
}
