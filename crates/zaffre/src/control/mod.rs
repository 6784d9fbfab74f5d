//! Control: what the owner of this machine may ask of the cloud, over a Unix socket that nobody else can open.
//!
//! ```text
//! GET  /status                      where everything is
//! GET  /credentials                 how to sign in as those who may do everything
//! GET  /env?as_vm=NAME              the variables that make clients use this cloud, as the owner or as a machine
//! GET  /env?host_kind=KIND&as=NAME  the same on another kind of host, with that resource's identities
//! POST /shells?as=WHOM&as_vm=NAME    a shell's variables, az's files, and the ticket that its keeper shows (`shell_doors`)
//! GET  /decisions                   what was decided lately, and why
//! GET  /vms                         the virtual machines
//! GET  /doors                       where what is open at their public addresses is on this host
//! POST /vms/{name or id}/exec       runs a command in one; answers 101 and goes on in frames (`exec`)
//! GET  /vms/{name or id}/log        what its console has shown
//! POST /vms/{name or id}/event?type=Reboot&in=SECONDS   announces a scheduled event to one
//! POST /store/backup                writes everything as it is now into a directory
//! GET  /store/stats                 how many rows there are, and how they are kept
//! GET  /keys                        the keys that tokens are signed with
//! POST /keys/rotate                 a new key signs; the old ones verify until what they signed is over
//! GET  /federation                  the issuers whose keys were given
//! PUT  /federation?issuer=NAME      believes an issuer's tokens by the set of keys in the body
//! DELETE /federation?issuer=NAME    forgets its keys
//! POST /store/compact               gives back the room that old versions take
//! POST /shutdown                    ends the cloud, as Ctrl-C does
//! ```
//!
//! A service like the others: whoever comes through this door is the operator, and the door is the socket's alone. The
//! command line, the tour and the portal are its clients; nothing here can be reached from a guest or over the network.

mod codes;
mod event;
pub(crate) mod exec;
mod federation;
pub mod frames;
mod hosts;
mod keys;
mod run;
mod shells;
mod signed_in;
pub(crate) mod upkeep;
mod variables;
mod vms;

use azure::error::{Error, Result, Row};
use http::Method;
use serde_json::json;

pub use self::{
    run::{Run, Running},
    shells::Shell,
    variables::Variable,
};
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    door::Entrance,
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(crate) struct Control;

#[derive(Debug, PartialEq)]
pub(crate) enum Op {
    Status,
    Credentials,
    Env(variables::Asked),
    Shell(shells::Asked),
    Decisions,
    Vms,
    Doors,
    Exec { vm: String },
    Log { vm: String },
    Event(event::Announcement),
    Backup,
    Stats,
    Compact,
    Keys,
    RotateKeys,
    Issuers,
    Trust { issuer: String },
    Forget { issuer: String },
    Shutdown,
}

/// `{}` in a path takes the rest up to the next literal, slashes too: resource ids have them.
struct Route(Method, &'static str, fn(&Parts, String) -> Op);

static ROUTES: &[Route] = &[
    Route(Method::GET, "/status", |_, _| Op::Status),
    Route(Method::GET, "/credentials", |_, _| Op::Credentials),
    Route(Method::GET, "/env", |parts, _| Op::Env(variables::Asked::read(parts))),
    Route(Method::POST, "/shells", |parts, _| Op::Shell(shells::Asked::read(parts))),
    Route(Method::GET, "/decisions", |_, _| Op::Decisions),
    Route(Method::GET, "/vms", |_, _| Op::Vms),
    Route(Method::GET, "/doors", |_, _| Op::Doors),
    Route(Method::POST, "/vms/{}/exec", |_, vm| Op::Exec { vm }),
    Route(Method::GET, "/vms/{}/log", |_, vm| Op::Log { vm }),
    Route(Method::POST, "/vms/{}/event", |parts, vm| Op::Event(event::Announcement::read(parts, vm))),
    Route(Method::POST, "/store/backup", |_, _| Op::Backup),
    Route(Method::GET, "/store/stats", |_, _| Op::Stats),
    Route(Method::POST, "/store/compact", |_, _| Op::Compact),
    Route(Method::GET, "/keys", |_, _| Op::Keys),
    Route(Method::POST, "/keys/rotate", |_, _| Op::RotateKeys),
    Route(Method::GET, "/federation", |_, _| Op::Issuers),
    Route(Method::PUT, "/federation", |parts, _| Op::Trust { issuer: issuer(parts) }),
    Route(Method::DELETE, "/federation", |parts, _| Op::Forget { issuer: issuer(parts) }),
    Route(Method::POST, "/shutdown", |_, _| Op::Shutdown),
];

fn issuer(parts: &Parts) -> String {
    parts.query("issuer").unwrap_or_default().to_owned()
}

/// What `{}` stands for in the path; empty where the pattern has none.
fn filled(pattern: &str, path: &str) -> Option<String> {
    let Some((before, after)) = pattern.split_once("{}") else {
        return (pattern == path).then(String::new);
    };
    let inner = path.strip_prefix(before)?.strip_suffix(after)?;
    (!inner.is_empty()).then(|| inner.to_owned())
}

impl Service for Control {
    type Op = Op;
    type Found = ();
    const NAME: &'static str = "control";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Op> {
        let path = parts.path.as_deref().unwrap_or_default();
        let mut named = ROUTES.iter().filter_map(|route| Some((route, filled(route.1, path)?))).peekable();
        if named.peek().is_none() {
            return Err(codes::NOT_FOUND.with([path]));
        }
        let Some((route, inner)) = named.find(|(route, _)| route.0 == parts.method) else {
            return Err(codes::METHOD_NOT_ALLOWED.with([parts.method.as_str(), path]));
        };
        Ok(route.2(parts, inner))
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Op) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, cx: &Cx, _op: &Op, _found: &(), _parts: &Parts) -> Result<Caller> {
        // The socket's peer was checked when it was accepted; no other door leads here.
        Ok(if cx.door.entrance == Entrance::Control { Caller::Operator } else { Caller::Anonymous })
    }

    fn requires(&self, _cx: &Cx, _op: &Op, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::SignedIn
    }

    fn refuse(&self, _cx: &Cx, _op: &Op, _found: &(), _refusal: &Refusal) -> Error {
        // The route leads from its socket's door alone.
        Fault::Internal.because("control was asked at another door than its own")
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        fault.row()
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Op, _found: (), body: Body) -> Result<Reply> {
        match op {
            Op::Status => Ok(Reply::json(200, &running(cx)?.run)),
            Op::Credentials => Ok(Reply::json(200, &variables::credentials(cx).await?)),
            Op::Env(asked) => variables::answer(cx, &asked).await,
            Op::Shell(asked) => shells::begin(cx, &asked).await,
            Op::Decisions => Ok(Reply::json(200, &json!({ "value": cx.env.decisions.latest() }))),
            Op::Vms => vms::list(cx).await,
            Op::Doors => Ok(vms::doors(cx)),
            Op::Exec { vm } => exec::begin(cx, &vm, body).await,
            Op::Log { vm } => vms::log(cx, &vm).await,
            Op::Event(announcement) => event::announce(cx, &announcement).await,
            Op::Backup => upkeep::write_backup(cx, body).await,
            Op::Stats => upkeep::stats(cx).await,
            Op::Compact => upkeep::compact(cx).await,
            Op::Keys => Ok(keys::list(cx)),
            Op::RotateKeys => keys::rotate(cx).await,
            Op::Issuers => federation::list(cx).await,
            Op::Trust { issuer } => federation::trust(cx, &issuer, body).await,
            Op::Forget { issuer } => federation::forget(cx, &issuer).await,
            Op::Shutdown => {
                running(cx)?.stop();
                Ok(Reply::json(202, &json!({ "status": "Stopping" })))
            }
        }
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        let body = json!({ "error": { "code": error.row.code, "message": error.message() } });
        Reply::json(error.row.status, &body)
    }

    fn describe(&self, op: &Op) -> String {
        match op {
            Op::Status => "status",
            Op::Credentials => "credentials",
            Op::Env(_) => "env",
            Op::Shell(_) => "beginShell",
            Op::Decisions => "decisions",
            Op::Vms => "listVms",
            Op::Doors => "listDoors",
            Op::Exec { .. } => "exec",
            Op::Log { .. } => "readLog",
            Op::Event(_) => "announceEvent",
            Op::Backup => "backup",
            Op::Stats => "stats",
            Op::Compact => "compact",
            Op::Keys => "listKeys",
            Op::RotateKeys => "rotateKeys",
            Op::Issuers => "listIssuers",
            Op::Trust { .. } => "trustIssuer",
            Op::Forget { .. } => "forgetIssuer",
            Op::Shutdown => "shutdown",
        }
        .to_owned()
    }
}

/// Where the cloud listens. A cloud without listeners, as tests and tours have, is nowhere.
fn running(cx: &Cx) -> Result<&Running> {
    cx.env.running.get().ok_or_else(|| codes::NOT_LISTENING.bare())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_whole_and_a_resource_id_fits_where_a_name_does() {
        for (pattern, path, inner) in [
            ("/status", "/status", Some("")),
            ("/status", "/status/x", None),
            ("/vms/{}/exec", "/vms/myVM/exec", Some("myVM")),
            ("/vms/{}/exec", "/vms//subscriptions/s/x/y/exec", Some("/subscriptions/s/x/y")),
            ("/vms/{}/exec", "/vms//exec", None),
            ("/vms/{}/exec", "/vms/exec", None),
            ("/vms/{}/exec", "/vms/myVM", None),
        ] {
            assert_eq!(filled(pattern, path).as_deref(), inner, "{pattern} {path}");
        }
    }
}
