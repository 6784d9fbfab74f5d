//! What a step may say and do.

use serde_json::Value;

use super::corrections::Correction;

/// A step of a page. In every text, `<name>` stands for a value that an earlier answer gave.
#[derive(Clone, Default)]
pub(super) struct Step {
    /// What it is for, in a sentence.
    pub(super) says: String,
    /// Where the page is wrong about Azure, and what is done instead.
    pub(super) corrections: Vec<&'static Correction>,
    /// What the page has one type, where that is not what is sent as it stands.
    pub(super) typed: Option<String>,
    pub(super) acts: Vec<Act>,
    /// Whether it gives somebody a role.
    pub(super) grants: bool,
}

#[derive(Clone)]
pub(super) enum Act {
    Ask(Ask),
    Run(Run),
}

/// A request, sent through the front door.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) by: By,
    pub(super) method: &'static str,
    /// Whole: `https://management.azure.com/...`.
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) want: Want,
    /// The part of the answer that is shown (a JSON pointer), all of it where none is named. Empty: nothing.
    pub(super) shows: Option<&'static str>,
}

/// Who asks.
#[derive(Clone)]
pub(super) enum By {
    /// The owner of the subscription, by bearer token.
    Owner,
    /// Whoever has this token.
    Token(&'static str),
    /// Whoever still held the door of the machine that was made last: its 169.254.169.254.
    MachineDoor,
    /// Whoever has this key of a Cosmos account.
    CosmosKey(&'static str),
    /// Whoever has this key of that storage account.
    StorageKey(&'static str, &'static str),
}

/// A command in a machine. What its last line says is the status of what it asked: curl is told to print it.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) vm: &'static str,
    /// What is typed there; shown as it is run.
    pub(super) script: String,
    /// What the page has one type instead, in another shell.
    pub(super) typed: Option<String>,
    pub(super) want: Want,
}

/// What an answer should be, and what is kept of it.
#[derive(Clone, Default)]
pub(super) struct Want {
    /// None: anything, as for commands that ask nobody.
    pub(super) status: Option<u16>,
    pub(super) checks: Vec<Check>,
    /// Under this name, the value at this place (a JSON pointer).
    pub(super) keeps: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Debug)]
pub(super) enum Check {
    /// The value at a JSON pointer is this text.
    Is(&'static str, String),
    /// Something is there.
    Has(&'static str),
    /// Nothing is.
    Lacks(&'static str),
    /// The answer's text has this in it.
    Says(String),
}

impl Step {
    pub(super) fn new(says: impl Into<String>) -> Self {
        Step { says: says.into(), ..Step::default() }
    }

    pub(super) fn corrected(mut self, correction: &'static Correction) -> Self {
        self.corrections.push(correction);
        self
    }

    pub(super) fn typed(mut self, line: impl Into<String>) -> Self {
        self.typed = Some(line.into());
        self
    }

    pub(super) fn asks(mut self, ask: Ask) -> Self {
        self.acts.push(Act::Ask(ask));
        self
    }

    pub(super) fn asks_all(mut self, asks: impl IntoIterator<Item = Ask>) -> Self {
        self.acts.extend(asks.into_iter().map(Act::Ask));
        self
    }

    pub(super) fn runs(mut self, run: Run) -> Self {
        self.acts.push(Act::Run(run));
        self
    }

    pub(super) fn granting(mut self) -> Self {
        self.grants = true;
        self
    }
}

impl Ask {
    fn new(method: &'static str, url: impl Into<String>, body: String) -> Self {
        Ask {
            by: By::Owner,
            method,
            url: url.into(),
            headers: Vec::new(),
            body,
            want: Want { status: Some(200), ..Want::default() },
            shows: None,
        }
    }

    pub(super) fn get(url: impl Into<String>) -> Self {
        Ask::new("GET", url, String::new())
    }

    pub(super) fn put(url: impl Into<String>, body: &Value) -> Self {
        Ask::new("PUT", url, body.to_string()).status(201)
    }

    pub(super) fn patch(url: impl Into<String>, body: &Value) -> Self {
        Ask::new("PATCH", url, body.to_string())
    }

    pub(super) fn post(url: impl Into<String>, body: &str) -> Self {
        Ask::new("POST", url, body.to_owned())
    }

    pub(super) fn delete(url: impl Into<String>) -> Self {
        Ask::new("DELETE", url, String::new())
    }

    pub(super) fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn raw(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        self.want.status = Some(status);
        self
    }

    pub(super) fn check(mut self, check: Check) -> Self {
        self.want.checks.push(check);
        self
    }

    pub(super) fn keep(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.want.keeps.push((name, pointer));
        self
    }

    /// Shows the line, not the answer.
    pub(super) fn brief(self) -> Self {
        self.showing("")
    }

    pub(super) fn showing(mut self, pointer: &'static str) -> Self {
        self.shows = Some(pointer);
        self
    }
}

impl Run {
    pub(super) fn in_vm(vm: &'static str, script: impl Into<String>) -> Self {
        Run { vm, script: script.into(), typed: None, want: Want::default() }
    }

    /// The line of another shell that this stands for.
    pub(super) fn for_line(mut self, line: impl Into<String>) -> Self {
        self.typed = Some(line.into());
        self
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        self.want.status = Some(status);
        self
    }

    pub(super) fn check(mut self, check: Check) -> Self {
        self.want.checks.push(check);
        self
    }

    pub(super) fn keep(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.want.keeps.push((name, pointer));
        self
    }
}
