//! What answers look like: their headers, what they are said to cost, and errors.

use azure::error::Error;
use serde::Serialize;
use serde_json::json;

use crate::{
    products::cosmos::{
        codes::{self, From},
        collections::Collection,
        stamp::Stamp,
    },
    service::{Cx, Parts, Reply},
};

const JSON: &str = "application/json";
const SDK: &str = "Microsoft.Azure.Documents.Common/2.14.0";
/// What reading costs at least.
const READ_CHARGE: f64 = 1.0;
const WRITE_CHARGE: f64 = 5.8;

pub(super) fn bytes(status: u16, body: Vec<u8>) -> Reply {
    Reply::new(status).typed(JSON, body)
}

pub(super) fn json(status: u16, value: &impl Serialize) -> Reply {
    bytes(status, serde_json::to_vec(value).expect("answers are made of maps with text for keys"))
}

/// A resource, with its etag.
pub(super) fn resource(status: u16, shown: &impl Serialize, stamp: Stamp) -> Reply {
    json(status, shown).with("etag", stamp.etag())
}

/// What every answer about something in a collection says: SDKs keep session tokens by these paths, by name
/// and by id (cosmos.md §9).
pub(super) fn about(reply: Reply, (database, collection): (&str, &Collection), lsn: u64) -> Reply {
    let lsn_text = lsn.to_string();
    reply
        .with("x-ms-session-token", format!("0:-1#{lsn}"))
        .with("lsn", &lsn_text)
        .with("x-ms-cosmos-llsn", &lsn_text)
        .with("x-ms-global-committed-lsn", &lsn_text)
        .with("x-ms-documentdb-partitionkeyrangeid", "0")
        .with("x-ms-content-path", collection.rid.text())
        .with("x-ms-alt-content-path", format!("dbs/{database}/colls/{}", collection.name))
}

/// What the service would charge is not published; these are the figures of Microsoft's own emulator in its
/// Rust SDK, so that a program that adds charges up has some to add (cosmos.md §13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    Read,
    Create,
    Change,
}

impl Charge {
    /// In request units, for a document of so many bytes.
    pub(super) fn of(self, bytes: usize) -> String {
        let kilobytes = bytes.div_ceil(1024).max(1).next_power_of_two() as f64;
        let units = match self {
            Charge::Read => READ_CHARGE,
            Charge::Create => WRITE_CHARGE,
            Charge::Change => WRITE_CHARGE * 1.5,
        };
        let units = format!("{:.2}", units * kilobytes);
        units.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// What every answer carries.
pub(super) fn dress(cx: &Cx, parts: &Parts, reply: &mut Reply) {
    for (name, value) in [
        ("x-ms-schemaversion", "1.19"),
        ("x-ms-serviceversion", "version=2.14.0.0"),
        ("x-ms-gatewayversion", "2.0.0"),
        ("x-ms-number-of-read-regions", "0"),
        ("cache-control", "no-store, no-cache"),
        ("pragma", "no-cache"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        reply.set(name, value);
    }
    if !reply.headers.contains_key("x-ms-request-charge") {
        reply.set("x-ms-request-charge", "1");
    }
    reply.set("x-ms-activity-id", activity_id(cx, parts));
}

/// The client's own, where it sent one.
fn activity_id(cx: &Cx, parts: &Parts) -> String {
    let sent = parts.header("x-ms-activity-id").and_then(|text| text.parse().ok());
    sent.unwrap_or(cx.request_id).to_string()
}

/// The one function that prints this protocol's errors (cosmos.md §12). A replica's words come wrapped in
/// the gateway's, with the request as the replica saw it.
pub(super) fn render(cx: &Cx, parts: &Parts, error: &Error) -> Reply {
    let code = codes::of(error.row).unwrap_or(&codes::INTERNAL);
    let activity = activity_id(cx, parts);
    let message = match code.from {
        From::Gateway => format!("{}\r\nActivityId: {activity}, {SDK}", error.message()),
        From::Store => {
            let errors = json!({ "Errors": [error.message()] });
            let path = &parts.raw_path;
            format!(
                "Message: {errors}\r\nActivityId: {activity}, Request URI: {path}, RequestStats: , SDK: {SDK}"
            )
        }
    };
    let reply = json(code.row.status, &json!({ "code": code.row.code, "message": message }));
    reply.with("x-ms-substatus", code.substatus.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_grow_with_size() {
        for (charge, bytes, units) in [
            (Charge::Read, 1, "1"),
            (Charge::Read, 1025, "2"),
            (Charge::Create, 10, "5.8"),
            (Charge::Change, 10, "8.7"),
            (Charge::Create, 5000, "46.4"),
        ] {
            assert_eq!(charge.of(bytes), units, "{charge:?} {bytes}");
        }
    }
}
