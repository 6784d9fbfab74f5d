//! How the Blob service answers: its errors, and what every answer carries (blob.md §3).

use azure::error::Error;
use http::Method;

use super::{version::Version, xml::Xml};
use crate::service::{Cx, Parts, Reply};

const SERVER: &str = "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0";
/// Longer ones are refused by the service; here they are only not repeated.
const MAX_CLIENT_REQUEST_ID: usize = 1024;

/// An error as XML. The reason phrase is the message's first line.
pub(super) fn error(cx: &Cx, parts: &Parts, error: &Error) -> Reply {
    let message = error.message();
    let mut reply = Reply::new(error.row.status).with("x-ms-error-code", error.row.code);
    for (name, value) in error.extra.iter().filter(|(name, _)| !is_element(name)) {
        reply.set(*name, value);
    }
    if error.row.status != 304 && parts.method != Method::HEAD {
        reply = reply.typed("application/xml", document(cx, error, &message));
    }
    reply.reason = Some(message);
    reply
}

fn document(cx: &Cx, error: &Error, message: &str) -> String {
    let mut xml = Xml::new();
    xml.open("Error");
    xml.element("Code", error.row.code);
    xml.element("Message", &format!("{message}\nRequestId:{}\nTime:{}", cx.request_id, cx.now.iso()));
    for (name, value) in error.extra.iter().filter(|(name, _)| is_element(name)) {
        xml.element(name, value);
    }
    xml.close("Error");
    xml.finish()
}

fn is_element(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// What every answer carries, good or bad.
pub(super) fn dress(cx: &Cx, parts: &Parts, reply: &mut Reply) {
    reply.set("server", SERVER);
    reply.set("date", cx.now.rfc1123());
    reply.set("x-ms-request-id", cx.request_id.to_string());
    let asked = Version::named(parts).filter(|text| Version::parse(text).is_some());
    reply.set("x-ms-version", asked.unwrap_or("2009-09-19"));
    if let Some(id) = parts.header("x-ms-client-request-id").filter(|id| id.len() <= MAX_CLIENT_REQUEST_ID) {
        reply.set("x-ms-client-request-id", id);
    }
}
