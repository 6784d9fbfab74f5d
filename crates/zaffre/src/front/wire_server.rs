//! The wire server at 168.63.129.16, as far as agents ask it whether it is there: the versions of its protocol, and the goal state.
//!
//! A guest has no agent: what the platform wants of a machine is done from outside. So the goal is to have started, and there is
//! nothing to fetch (azure-linux-agent's `wire.py` for the shape; the values are ours).

use azure::error::{Error, Result, Row};
use http::Method;

use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    door::From,
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(super) struct WireServer;

static NOT_FOUND: Row = Row {
    code: "WireResourceNotFound",
    status: 404,
    template: "The wire server has nothing at '{0}' here: ?comp=versions and /machine/?comp=goalstate are what it answers.",
    source: "our own",
};

const VERSIONS: [&str; 5] = ["2015-04-05", "2012-11-30", "2012-09-15", "2012-05-15", "2011-12-31"];
const PROTOCOL: &str = "2012-11-30";

#[derive(Debug, PartialEq)]
pub(super) enum Op {
    Versions,
    GoalState,
}

impl Op {
    fn of(method: &Method, path: &str, comp: Option<&str>) -> Result<Op> {
        match (path, comp) {
            ("/" | "", Some("versions")) if method == Method::GET => Ok(Op::Versions),
            ("/machine" | "/machine/", Some("goalstate")) if method == Method::GET => Ok(Op::GoalState),
            _ => Err(NOT_FOUND.with([path])),
        }
    }
}

impl Service for WireServer {
    type Op = Op;
    type Found = ();
    const NAME: &'static str = "wireserver";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        Op::of(&parts.method, parts.path.as_deref().unwrap_or_default(), parts.query("comp"))
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Op) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, _cx: &Cx, _op: &Op, _found: &(), _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &Op, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::Open
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &(), _refusal: &Refusal) -> Error {
        NOT_FOUND.with(["/"])
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        fault.row()
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Op, _found: (), _body: Body) -> Result<Reply> {
        let text = match op {
            Op::Versions => versions(),
            Op::GoalState => match &cx.door.from {
                From::Guest { vm_id, .. } => goal_state(&vm_id.to_string()),
                From::Host(_) => return Err(NOT_FOUND.with(["/machine/"])),
            },
        };
        Ok(Reply::new(200).typed(XML, text))
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        let text = format!("{DECLARATION}<Error><Code>{}</Code></Error>", error.row.code);
        Reply::new(error.row.status).typed(XML, text)
    }

    fn describe(&self, op: &Op) -> String {
        format!("{op:?}")
    }
}

const XML: &str = "text/xml; charset=utf-8";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

fn versions() -> String {
    let supported: String = VERSIONS.iter().map(|it| format!("    <Version>{it}</Version>\n")).collect();
    format!(
        "{DECLARATION}<Versions>\n  <Preferred>\n    <Version>{}</Version>\n  </Preferred>\n  <Supported>\n{supported}  </Supported>\n</Versions>\n",
        VERSIONS[0]
    )
}

fn goal_state(container: &str) -> String {
    format!(
        "{DECLARATION}<GoalState>\n  <Version>{PROTOCOL}</Version>\n  <Incarnation>1</Incarnation>\n  <Machine>\n    \
         <ExpectedState>Started</ExpectedState>\n    <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>\n    \
         <ExpectHealthReport>FALSE</ExpectHealthReport>\n  </Machine>\n  <Container>\n    <ContainerId>{container}</ContainerId>\n    \
         <RoleInstanceList />\n  </Container>\n</GoalState>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_questions_are_answered_and_everything_else_is_not_found() {
        assert_eq!(Op::of(&Method::GET, "/", Some("versions")).ok(), Some(Op::Versions));
        assert_eq!(Op::of(&Method::GET, "/machine/", Some("goalstate")).ok(), Some(Op::GoalState));
        for (method, path, comp) in [
            (Method::POST, "/machine/", Some("goalstate")),
            (Method::GET, "/machine/", Some("hostingenvironmentconfig")),
            (Method::GET, "/", None),
            (Method::GET, "/metadata/identity/oauth2/token", None),
        ] {
            let refused = Op::of(&method, path, comp).expect_err("is not there");
            assert_eq!(refused.row, &NOT_FOUND, "{method} {path}");
        }
    }
}
