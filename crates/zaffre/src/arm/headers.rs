//! What every answer of Resource Manager carries (arm.md §5).

use super::limits::Kind;
use crate::service::{Cx, Parts, Reply};

static ALWAYS: [(&str, &str); 6] = [
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
    ("Vary", "Accept-Encoding"),
];

/// The region by which an answer says it was routed.
const ROUTED_BY: &str = "WESTEUROPE";

pub(super) fn dress(cx: &Cx, parts: &Parts, reply: &mut Reply) {
    for (name, value) in ALWAYS {
        reply.set(name, value);
    }
    reply.set("Date", cx.now.rfc1123());
    reply.set("x-ms-request-id", cx.request_id.to_string());
    reply.set("x-ms-correlation-request-id", cx.correlation_id.to_string());
    let compact: String = cx.now.iso_seconds().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    reply.set("x-ms-routing-request-id", format!("{ROUTED_BY}:{compact}:{}", cx.request_id));
    let kind = Kind::of(&parts.method);
    let (name, left) = remaining(kind, kind.unlimited());
    if !reply.headers.contains_key(&name) {
        reply.set(name.as_str(), left);
    }
    let echoes =
        parts.header("x-ms-return-client-request-id").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    if let Some(id) = parts.header("x-ms-client-request-id").filter(|_| echoes) {
        reply.set("x-ms-client-request-id", id);
    }
}

/// The header that says how many requests of a kind are left.
pub(super) fn remaining(kind: Kind, left: u64) -> (String, String) {
    (format!("x-ms-ratelimit-remaining-subscription-{}", kind.as_str()), left.to_string())
}
