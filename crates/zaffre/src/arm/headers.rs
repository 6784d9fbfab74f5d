//! What every answer of Resource Manager carries (arm.md §5).

use http::{HeaderName, HeaderValue, header};

use super::limits::Kind;
use crate::service::{Cx, Parts, Reply};

static ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
    (header::EXPIRES, HeaderValue::from_static("-1")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::VARY, HeaderValue::from_static("Accept-Encoding")),
];

static REQUEST: HeaderName = HeaderName::from_static("x-ms-request-id");
static CORRELATION: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
static ROUTING: HeaderName = HeaderName::from_static("x-ms-routing-request-id");

/// The region by which an answer says it was routed.
const ROUTED_BY: &str = "WESTEUROPE";

pub(super) fn dress(cx: &Cx, parts: &Parts, reply: &mut Reply) {
    for (name, value) in &ALWAYS {
        reply.headers.insert(name.clone(), value.clone());
    }
    reply.set(header::DATE, cx.now.rfc1123());
    let request = cx.request_id.to_string();
    reply.set(&REQUEST, &request);
    reply.set(&CORRELATION, cx.correlation_id.to_string());
    let compact = cx.now.iso_seconds().replace(['-', ':'], "");
    reply.set(&ROUTING, format!("{ROUTED_BY}:{compact}:{request}"));
    let kind = Kind::of(&parts.method);
    if !reply.headers.contains_key(remaining(kind)) {
        reply.set(remaining(kind), kind.unlimited().to_string());
    }
    let echoes =
        parts.header("x-ms-return-client-request-id").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    if let Some(id) = parts.header("x-ms-client-request-id").filter(|_| echoes) {
        reply.set("x-ms-client-request-id", id);
    }
}

/// The header that says how many requests of a kind are left.
pub(super) fn remaining(kind: Kind) -> &'static HeaderName {
    static READS: HeaderName = HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads");
    static WRITES: HeaderName = HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes");
    static DELETES: HeaderName = HeaderName::from_static("x-ms-ratelimit-remaining-subscription-deletes");
    match kind {
        Kind::Reads => &READS,
        Kind::Writes => &WRITES,
        Kind::Deletes => &DELETES,
    }
}
