//! One line a request, on stderr: time, id, cloud, door, caller, operation, status, code, ms.
//!
//! Query strings, signatures, tokens and keys are never part of it. A refusal adds the reasons that
//! the evaluator gave, and a fault its cause, which no answer shows.

use std::time::Instant;

use azure::error::Error;
use serde_json::{Map, Value, json};

use crate::{
    access::Caller,
    cloud::Clock,
    door::{Entrance, From},
    env::{Env, LogFormat},
    service::{Cx, Parts, Reply},
};

pub(super) struct Record {
    began: Instant,
    service: &'static str,
    line: String,
    operation: Option<String>,
    caller: Option<String>,
    code: Option<&'static str>,
    cause: Option<String>,
}

/// Without what opens a host's door, which stands behind its kind.
fn path(parts: &Parts) -> &str {
    match parts.door.entrance {
        Entrance::Hosts => parts.raw_path.split_inclusive('/').nth(1).unwrap_or_default(),
        _ => &parts.raw_path,
    }
}

impl Record {
    #[expect(clippy::disallowed_methods, reason = "how long a request took is for the log alone")]
    pub(super) fn begin(service: &'static str, _cx: &Cx, parts: &Parts) -> Self {
        Record {
            began: Instant::now(),
            service,
            line: format!("{} {}{}", parts.method, parts.authority, path(parts)),
            operation: None,
            caller: None,
            code: None,
            cause: None,
        }
    }

    pub(super) fn operation(&mut self, operation: String) {
        self.operation = Some(operation);
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.caller = Some(caller.to_string());
    }

    pub(super) fn failed(&mut self, cx: &Cx, error: &Error) {
        self.code = Some(error.row.code);
        self.cause = error.cause.as_ref().map(ToString::to_string);
        // What the answer may not say, `zaffre explain` does. Faults are the log's alone.
        if let Some(cause) = self.cause.as_ref().filter(|_| error.row.status < 500) {
            let operation = self.operation.as_deref().unwrap_or("unparsed");
            let caller = self.caller.as_deref().unwrap_or("nobody");
            let why = format!("{}: {cause}", error.row.code);
            cx.env.decisions.note(cx, (self.service, operation), caller, why);
        }
    }

    pub(super) fn finish(self, cx: &Cx, reply: &Reply) {
        if cx.env.settings.log == LogFormat::Off {
            return;
        }
        let fields = self.fields(cx, reply);
        match cx.env.settings.log {
            LogFormat::Off => {}
            LogFormat::Json => eprintln!("{}", Value::Object(fields)),
            LogFormat::Text => eprintln!("{}", in_words(&fields)),
        }
    }

    fn fields(self, cx: &Cx, reply: &Reply) -> Map<String, Value> {
        let door = match &cx.door.from {
            From::Host(_) => "host".to_owned(),
            From::Guest { vm, .. } => format!("guest:{}", vm.name()),
        };
        let why = cx.env.decisions.refusal_of(cx.request_id);
        let all = json!({
            "time": cx.now.iso(),
            "id": cx.request_id,
            "cloud": cx.cloud.charter.name,
            "door": door,
            "caller": self.caller,
            "service": self.service,
            "operation": self.operation.unwrap_or_else(|| "unparsed".to_owned()),
            "request": self.line,
            "status": reply.status.as_u16(),
            "code": self.code,
            "why": why,
            "cause": self.cause,
            "ms": self.began.elapsed().as_secs_f64() * 1000.0,
        });
        let Value::Object(all) = all else { unreachable!("an object was written") };
        all.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// One line for what the front refused before any service was known, so that whoever wonders why a client fails sees it here.
pub(super) fn turned_away(env: &Env, what: &str, error: &Error) {
    turned_away_in(env.settings.log, what, error);
}

pub(super) fn turned_away_in(format: LogFormat, what: &str, error: &Error) {
    let row = error.row;
    let time = Clock::System.now().iso();
    match format {
        LogFormat::Off => {}
        LogFormat::Json => eprintln!(
            "{}",
            json!({ "time": time, "service": "front", "operation": what, "status": row.status, "code": row.code })
        ),
        LogFormat::Text => {
            eprintln!("{time} - - host - front/{} {} {}", what.escape_debug(), row.status, row.code);
        }
    }
}

/// The same fields for people: values alone up to the status, then the named rest.
fn in_words(fields: &Map<String, Value>) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = |name: &str| fields.get(name).map_or_else(|| "-".to_owned(), plain);
    let took = fields.get("ms").and_then(Value::as_f64).unwrap_or_default();
    let mut line = format!(
        "{} {} {} {} {} {}/{} {} {} {took:.1}ms",
        text("time"),
        text("id"),
        text("cloud"),
        text("door"),
        text("caller"),
        text("service"),
        text("operation"),
        text("status"),
        text("code"),
    );
    for name in ["why", "cause"] {
        if fields.contains_key(name) {
            line.push_str(&format!(" {name}: {}", text(name).escape_debug()));
        }
    }
    line
}
