//! What the proxy's own port answers to whoever asks it for itself: `/proxy.pac`, by which browsers and systems send Azure's
//! names here and nothing else.
//!
//! The file is made from the table of names, so that it says what the proxy does. Where this host needs a proxy for other
//! hosts, they come here too, because credentials have no place in such a file. Who comes by it is a process of this host and
//! no virtual machine, for the same reason.

use azure::error::{Error, Result, Row};
use http::Method;
use serde_json::json;

use super::super::route;
use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(in crate::front) struct Pac;

/// Where it lies.
pub(crate) const PATH: &str = "/proxy.pac";
const TYPE: &str = "application/x-ns-proxy-autoconfig";

pub(super) static NOT_FOR_A_PROXY: Row = Row {
    code: "NotForAProxy",
    status: 400,
    template: "this is a proxy: `eval \"$(zaffre env)\"` sets the variables that make programs use it, and /proxy.pac is for browsers",
    source: "our own",
};

/// The proxy as a file of this kind names it.
pub(in crate::front) struct Asked(String);

impl Service for Pac {
    type Op = Asked;
    type Found = ();
    const NAME: &'static str = "proxy";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Asked> {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        if !is_read || parts.raw_path != PATH {
            return Err(NOT_FOR_A_PROXY.bare());
        }
        let kind = if parts.door.tls { "HTTPS" } else { "PROXY" };
        Ok(Asked(format!("{kind} {}", parts.authority)))
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Asked) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, _cx: &Cx, _op: &Asked, _found: &(), _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &Asked, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::Open
    }

    fn refuse(&self, _cx: &Cx, _op: &Asked, _found: &(), _refusal: &Refusal) -> Error {
        NOT_FOR_A_PROXY.bare()
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        fault.row()
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Asked, _found: (), _body: Body) -> Result<Reply> {
        let others = if cx.env.settings.upstream.shown().is_some() { &op.0 } else { "DIRECT" };
        Ok(Reply::new(200).typed(TYPE, file(&op.0, others)))
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        super::in_words(error)
    }

    fn describe(&self, _op: &Asked) -> String {
        "proxy.pac".to_owned()
    }
}

/// In the oldest JavaScript there is: what reads such files is as old.
fn file(ours: &str, others: &str) -> String {
    let names = route::answered();
    format!(
        r#"// Azure's names, emulated or not, are this cloud's.
var NAMES = {names};
var UNDER = {under};
var LABEL = {label};

function FindProxyForURL(url, host) {{
  var i, labels;
  host = host.toLowerCase().replace(/\.$/, "");
  for (i = 0; i < NAMES.length; i++)
    if (host === NAMES[i]) return {ours};
  for (i = 0; i < UNDER.length; i++)
    if (host === UNDER[i] || host.slice(-UNDER[i].length - 1) === "." + UNDER[i]) return {ours};
  labels = host.split(".");
  for (i = 0; i < labels.length; i++)
    if (labels[i] === LABEL) return {ours};
  return {others};
}}
"#,
        names = json!(names.exact),
        under = json!(names.under),
        label = json!(names.label),
        ours = json!(ours),
        others = json!(others),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::front::route::Target;

    /// Asks an engine of today what the file says about hosts.
    fn said(file: &str, hosts: &[&str]) -> Vec<String> {
        let ask = format!(
            "{file}\nconsole.log(JSON.stringify({}.map(host => FindProxyForURL(`https://${{host}}/`, host))));",
            json!(hosts)
        );
        let output = Command::new("node").args(["-e", &ask]).output().expect("node is a tool of the tests");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a list")
    }

    #[test]
    fn the_file_sends_here_what_the_table_of_names_answers_or_refuses() {
        let names = route::answered();
        let made: Vec<String> = names
            .exact
            .iter()
            .flat_map(|name| [(*name).to_owned(), format!("{}.", name.to_uppercase()), format!("x{name}")])
            .chain(names.under.iter().flat_map(|name| {
                [
                    (*name).to_owned(),
                    format!("a.b.{name}"),
                    format!("not{name}"),
                    format!("{name}.example.org"),
                ]
            }))
            .chain(
                ["login.microsoftonline.example", "example.org", "localhost", "8.8.8.8"].map(str::to_owned),
            )
            .collect();
        let hosts: Vec<&str> = made.iter().map(String::as_str).collect();
        let answers = said(&file("PROXY 127.0.0.1:10080", "DIRECT"), &hosts);
        assert!(hosts.len() > 80 && hosts.len() == answers.len(), "{}", hosts.len());
        for (host, answer) in hosts.iter().zip(answers) {
            let is_ours = route::by_name(host) != Target::Foreign;
            let expected = if is_ours { "PROXY 127.0.0.1:10080" } else { "DIRECT" };
            assert_eq!(answer, expected, "{host}");
        }
    }

    #[test]
    fn a_host_that_needs_a_proxy_itself_sends_everything_here() {
        let answers = said(&file("PROXY a:1", "PROXY a:1"), &["example.org", "management.azure.com"]);
        assert_eq!(answers, ["PROXY a:1", "PROXY a:1"]);
    }
}
