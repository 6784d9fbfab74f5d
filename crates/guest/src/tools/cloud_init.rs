//! `cloud-init status`: whether what a machine was told for its beginning is done, for the scripts that wait for it.
//!
//! Whoever begins the machine writes what came of it to where cloud-init would have (`/run/cloud-init/status.json`); this reads it, and
//! says it in cloud-init's words and exit codes: 0 done, 1 with errors, 2 with something left undone. The rest of cloud-init is not here.

use std::ffi::OsString;
use std::io::Write;

use rustix::event::{Timespec, poll};
use serde_json::{Value, json};

/// Where it is written.
pub(super) const STATUS: &str = "/run/cloud-init/status.json";

/// As often as cloud-init's own client looks.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

const USAGE: &str = "usage: cloud-init status [--long] [--wait] [--format tabular|json]\n\
                     What a machine was told for its beginning is done by the cloud that runs it; the rest of cloud-init is not here.\n";

pub(super) fn main(_: &str, arguments: &[OsString]) -> i32 {
    let words: Vec<String> = arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let Some(asked) = Asked::read(&words) else {
        let _ = std::io::stderr().write_all(USAGE.as_bytes());
        return 2;
    };
    let mut out = std::io::stdout();
    let mut seen = Seen::of(&std::fs::read_to_string(STATUS).unwrap_or_default());
    while asked.waits && seen.is_running {
        // Who closed the pipe reads nothing.
        let _ = out.write_all(b".").and_then(|()| out.flush());
        let _ = poll(&mut [], Some(&TICK));
        seen = Seen::of(&std::fs::read_to_string(STATUS).unwrap_or_default());
        if !seen.is_running {
            let _ = out.write_all(b"\n");
        }
    }
    let _ = out.write_all(seen.told(&asked).as_bytes());
    seen.code()
}

#[derive(Default)]
struct Asked {
    waits: bool,
    is_long: bool,
    is_json: bool,
}

impl Asked {
    fn read(words: &[String]) -> Option<Asked> {
        let (verb, options) = words.split_first()?;
        let mut asked = Asked::default();
        let mut options = options.iter().map(String::as_str);
        while let Some(option) = options.next() {
            match option.split_once('=').unwrap_or((option, "")) {
                ("--wait" | "-w", "") => asked.waits = true,
                ("--long" | "-l", "") => asked.is_long = true,
                ("--format", "") => asked.is_json = is_json(options.next()?)?,
                ("--format", format) => asked.is_json = is_json(format)?,
                _ => return None,
            }
        }
        (verb == "status").then_some(asked)
    }
}

fn is_json(format: &str) -> Option<bool> {
    match format {
        "json" => Some(true),
        "tabular" => Some(false),
        _ => None,
    }
}

/// What is written.
struct Seen {
    is_running: bool,
    errors: Vec<Value>,
    /// What was asked for and not done.
    left: Vec<Value>,
}

impl Seen {
    /// Where nothing can be read, nothing was told.
    fn of(text: &str) -> Seen {
        let written: Value = serde_json::from_str(text).unwrap_or_default();
        let last = &written["v1"]["modules-final"];
        let list = |it: &Value| it.as_array().cloned().unwrap_or_default();
        Seen {
            is_running: written["v1"]["stage"].is_string(),
            errors: list(&last["errors"]),
            left: list(&last["recoverable_errors"]["WARNING"]),
        }
    }

    fn code(&self) -> i32 {
        match self {
            _ if self.is_running => 0,
            _ if !self.errors.is_empty() => 1,
            _ if !self.left.is_empty() => 2,
            _ => 0,
        }
    }

    /// The short word and the longer one.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            _ if self.is_running => ("running", "running"),
            _ if !self.errors.is_empty() => ("error", "error - done"),
            _ if !self.left.is_empty() => ("done", "degraded done"),
            _ => ("done", "done"),
        }
    }

    fn told(&self, asked: &Asked) -> String {
        let (status, extended) = self.words();
        let left = if self.left.is_empty() { json!({}) } else { json!({ "WARNING": self.left }) };
        if asked.is_json {
            let told = json!({
                "status": status, "extended_status": extended, "detail": "DataSourceAzure",
                "errors": self.errors, "recoverable_errors": left,
            });
            return format!("{told:#}\n");
        }
        if !asked.is_long {
            return format!("status: {status}\n");
        }
        let listed = |list: &[Value]| match list {
            [] => "[]".to_string(),
            list => list.iter().map(|it| format!("\n\t- {}", it.as_str().unwrap_or_default())).collect(),
        };
        let left =
            if self.left.is_empty() { "{}".to_string() } else { format!("\nWARNING:{}", listed(&self.left)) };
        format!(
            "status: {status}\nextended_status: {extended}\ndetail: DataSourceAzure\nerrors: {}\nrecoverable_errors: {left}\n",
            listed(&self.errors)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_told_in_cloud_inits_words() {
        let written = |stage: Value, errors: Value, left: Value| {
            json!({ "v1": { "stage": stage, "modules-final": { "errors": errors, "recoverable_errors": { "WARNING": left } } } })
                .to_string()
        };
        let none = || json!([]);
        for (text, status, code) in [
            (String::new(), "done", 0),
            (written(json!("modules-final"), none(), none()), "running", 0),
            (written(json!(null), none(), none()), "done", 0),
            (written(json!(null), json!(["script: it ended with 3"]), json!(["a"])), "error", 1),
            (written(json!(null), none(), json!(["`ntp` is not done here"])), "done", 2),
        ] {
            let seen = Seen::of(&text);
            assert_eq!((seen.words().0, seen.code()), (status, code), "{text}");
            assert_eq!(seen.told(&Asked::default()), format!("status: {status}\n"));
        }
        let seen = Seen::of(&written(json!(null), json!(["one"]), json!(["two"])));
        let long = seen.told(&Asked { is_long: true, ..Asked::default() });
        assert!(long.contains("errors: \n\t- one\n") && long.contains("WARNING:\n\t- two\n"), "{long}");
    }

    #[test]
    fn what_is_not_here_is_said() {
        let read = |line: &str| Asked::read(&line.split_whitespace().map(str::to_string).collect::<Vec<_>>());
        assert!(read("status --wait --long").is_some_and(|it| it.waits && it.is_long && !it.is_json));
        assert!(read("status --format=json").is_some_and(|it| it.is_json));
        for line in ["", "clean --logs", "status --format yaml", "status now"] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
