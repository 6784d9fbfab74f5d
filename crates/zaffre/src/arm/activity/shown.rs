//! A row of the activity log as the events that Azure tells of it.
//!
//! Every request begins (`Started`) and is answered (`Succeeded`, `Failed`, or `Accepted` where it takes its
//! time); what was accepted ends in one event more, once its operation has ended.

use azure::{
    error::Result,
    ids::{Guid, ResourceId},
    principal::PrincipalKind,
    time::Timestamp,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    cloud::Charter,
    resources::{
        activity::{Entry, Outcome, Who},
        operations::{self, Status},
    },
    store::Txn,
};

/// .NET counts from the year one, in steps of a hundred nanoseconds.
const TICKS_BEFORE_1970: i64 = 621_355_968_000_000_000;

/// One event of a row.
pub(super) struct Event<'e> {
    entry: &'e Entry,
    /// Which of the row's events it is.
    number: u8,
    pub(super) at: Timestamp,
    pub(super) status: &'static str,
    /// The status of the answer; none for what had none yet.
    code: Option<u16>,
    error: Option<Value>,
}

/// A row's events, the last one first.
pub(super) fn events<'e>(txn: &Txn, entry: &'e Entry) -> Result<Vec<Event<'e>>> {
    let event = |number, at, status, code| Event { entry, number, at, status, code, error: None };
    let started = event(0, entry.at, "Started", None);
    Ok(match &entry.outcome {
        Outcome::Succeeded { status } => vec![event(1, entry.at, "Succeeded", Some(*status)), started],
        Outcome::Failed { status, error } => {
            vec![Event { error: Some(error.clone()), ..event(1, entry.at, "Failed", Some(*status)) }, started]
        }
        Outcome::Accepted { status, operation } => {
            let accepted = event(1, entry.at, "Accepted", Some(*status));
            let ended = ended(txn, *operation)?;
            let last = ended.map(|(at, status, code, error)| Event { error, ..event(2, at, status, code) });
            last.into_iter().chain([accepted, started]).collect()
        }
    })
}

type Ended = (Timestamp, &'static str, Option<u16>, Option<Value>);

/// How an operation ended, if it did.
fn ended(txn: &Txn, operation: Guid) -> Result<Option<Ended>> {
    let Some(operation) = operations::get(txn, operation)? else { return Ok(None) };
    let Some(at) = operation.ended else { return Ok(None) };
    Ok(match operation.status {
        Status::InProgress => None,
        Status::Succeeded { .. } => Some((at, "Succeeded", None, None)),
        Status::Canceled => Some((at, "Failed", None, None)),
        Status::Failed { code, message } => {
            Some((at, "Failed", None, Some(json!({ "error": { "code": code, "message": message } }))))
        }
    })
}

impl Event<'_> {
    fn id(&self) -> Guid {
        let mut bytes = self.entry.id.0;
        bytes[15] ^= self.number;
        Guid(bytes)
    }

    /// The whole document.
    pub(super) fn document(&self, charter: &Charter) -> Map<String, Value> {
        let (entry, id) = (self.entry, self.id());
        let ticks = self.at.nanos() / 100 + TICKS_BEFORE_1970;
        let resource = entry.resource.as_str().trim_end_matches('/');
        let mut shown = Map::new();
        let mut set = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        set("authorization", json!({ "action": entry.action, "scope": entry.resource }));
        set("caller", json!(caller(&entry.who)));
        set("channels", json!("Operation"));
        set("claims", claims(&entry.who, charter));
        set("correlationId", json!(entry.correlation));
        set("description", json!(""));
        set("eventDataId", json!(id));
        let (name, spelled) =
            if self.number == 0 { ("BeginRequest", "Begin request") } else { ("EndRequest", "End request") };
        set("eventName", localized(name, spelled));
        set("category", plain("Administrative"));
        set("httpRequest", self.http());
        set("id", json!(format!("{resource}/events/{id}/ticks/{ticks}")));
        set("level", json!(if self.status == "Failed" { "Error" } else { "Informational" }));
        if let Some(group) = entry.resource.resource_group() {
            set("resourceGroupName", json!(group));
        }
        set("resourceProviderName", plain(provider(entry)));
        set("resourceId", json!(entry.resource));
        set("resourceType", plain(&entry.resource_type));
        set("operationId", json!(entry.correlation));
        set("operationName", plain(&entry.action));
        set("properties", self.properties());
        set("status", plain(self.status));
        set("subStatus", self.sub_status());
        set("eventTimestamp", json!(self.at.iso()));
        set("submissionTimestamp", json!(self.at.iso()));
        if let Some(subscription) = entry.resource.subscription() {
            set("subscriptionId", json!(subscription));
        }
        set("tenantId", json!(charter.tenant));
        shown
    }

    fn http(&self) -> Value {
        let http = &self.entry.http;
        let mut shown = json!({ "clientRequestId": http.client_request.clone().unwrap_or_else(|| self.entry.request.to_string()) });
        if let Some(address) = &http.client_address {
            shown["clientIpAddress"] = json!(address);
        }
        shown["method"] = json!(http.method);
        shown["uri"] = json!(http.uri);
        shown
    }

    fn reason(&self) -> Option<String> {
        let status = StatusCode::from_u16(self.code?).ok()?;
        Some(status.canonical_reason().unwrap_or("Unknown").replace(' ', ""))
    }

    /// `Created (HTTP Status Code: 201)`.
    fn sub_status(&self) -> Value {
        match (self.reason(), self.code) {
            (Some(reason), Some(code)) => {
                localized(&reason, &format!("{} (HTTP Status Code: {code})", reason))
            }
            _ => plain(""),
        }
    }

    fn properties(&self) -> Value {
        let mut shown = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            shown.extend(value.map(|value| (name.to_owned(), value)));
        };
        set("statusCode", self.reason().map(Value::String));
        set("serviceRequestId", self.code.map(|_| json!(self.entry.request)));
        // A document in a text, as Azure has it.
        set("statusMessage", self.error.as_ref().map(|it| json!(it.to_string())));
        set("eventCategory", Some(json!("Administrative")));
        set("entity", Some(json!(self.entry.resource)));
        set("message", Some(json!(self.entry.action)));
        set("hierarchy", self.entry.resource.subscription().map(|it| json!(it)));
        Value::Object(shown)
    }
}

pub(super) fn caller(who: &Who) -> String {
    match (who.kind, &who.name) {
        (PrincipalKind::User, Some(name)) => name.clone(),
        _ => who.object_id.to_string(),
    }
}

pub(super) fn provider(entry: &Entry) -> &str {
    entry.action.split_once('/').map_or(&entry.action, |(namespace, _)| namespace)
}

/// Of the token's claims those that say who it was for: the others went with the token.
fn claims(who: &Who, charter: &Charter) -> Value {
    const SCHEMA: &str = "http://schemas.microsoft.com/identity/claims";
    const SOAP: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
    let mut claims = Map::from_iter([
        ("aud".to_owned(), json!("https://management.core.windows.net/")),
        ("iss".to_owned(), json!(format!("https://sts.windows.net/{}/", charter.tenant))),
    ]);
    claims.extend(who.app_id.map(|it| ("appid".to_owned(), json!(it))));
    claims.insert("idtyp".to_owned(), json!(if who.kind == PrincipalKind::User { "user" } else { "app" }));
    claims.insert(format!("{SCHEMA}/objectidentifier"), json!(who.object_id));
    claims.insert(format!("{SCHEMA}/tenantid"), json!(charter.tenant));
    if let (PrincipalKind::User, Some(name)) = (who.kind, &who.name) {
        claims.insert(format!("{SOAP}/name"), json!(name));
        claims.insert(format!("{SOAP}/upn"), json!(name));
    }
    claims.insert("ver".to_owned(), json!("1.0"));
    Value::Object(claims)
}

fn plain(text: &str) -> Value {
    localized(text, text)
}

fn localized(value: &str, spelled: &str) -> Value {
    json!({ "value": value, "localizedValue": spelled })
}

/// Whether an event is about this, or about something in it.
pub(super) fn is_in(entry: &Entry, scope: &ResourceId) -> bool {
    scope.holds(&entry.resource)
}
