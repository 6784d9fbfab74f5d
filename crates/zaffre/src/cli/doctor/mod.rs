//! `zaffre doctor`: what this machine allows, and what to do where it does not.
//!
//! Facts are gathered once (`facts`), and what they mean is a function of them (`findings`), which tests ask about machines that they make up.

mod facts;
mod findings;

use std::process::ExitCode;

use self::{
    facts::Facts,
    findings::{Finding, Verdict},
};
use super::{Outcome, home::Home, say};

/// Ends with 1 where something is missing altogether.
pub(super) fn run(home: &Home) -> Outcome {
    let findings = findings::all(&Facts::gather(home));
    say(&shown(&findings))?;
    let is_whole = findings.iter().all(|it| it.verdict != Verdict::Missing);
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Limited => "limited",
        Verdict::Missing => "missing",
    };
    let advice = finding.advice.iter().map(|it| format!("{:<9}{:<12}-> {it}\n", "", ""));
    format!("{mark:<9}{:<12}{}\n{}", finding.about, finding.says, advice.collect::<String>())
}

#[cfg(test)]
mod tests {
    use guest::{Bounds, By, Refused};

    use super::*;
    use crate::env::Egress;

    /// Root on a machine where everything is to be had.
    fn whole() -> Facts {
        Facts {
            kernel: "6.12.1".to_owned(),
            is_root: true,
            guests: None,
            networks: None,
            has_programs: true,
            walls: None,
            bounds: Bounds { memory: By::Group(2), processes: By::Group(2), cpu: By::Group(2) },
            user_namespaces_max: Some(95_000),
            lets_users_clone: None,
            apparmor_restricts: None,
            container: None,
            first_free_port: 1024,
            has_public_addresses: true,
            processors: 4,
            memory_bytes: 16 << 30,
            missing: Vec::new(),
            egress: Some(Egress::Internet),
            data: "/home/grace/.local/share/zaffre".to_owned(),
            data_is_writable: true,
            proxies: Vec::new(),
            public_roots: Some("/etc/ssl/certs/ca-certificates.crt"),
            system_trusts: Some(false),
        }
    }

    fn refused(what: &str, why: &str) -> Option<Refused> {
        Some(Refused { what: what.to_owned(), why: why.to_owned(), errno: Some(1) })
    }

    fn user() -> Facts {
        let bounds = Bounds { memory: By::Process, processes: By::Process, cpu: By::Nothing };
        Facts { is_root: false, bounds, lets_users_clone: Some(true), egress: None, ..whole() }
    }

    fn made_up() -> Vec<(&'static str, Facts)> {
        let made = "make the guest's namespaces";
        let none = || refused(made, "Operation not permitted (os error 1)");
        vec![
            ("root", whole()),
            ("user", user()),
            (
                "delegated",
                Facts {
                    bounds: Bounds { memory: By::Group(2), processes: By::Group(2), cpu: By::Nothing },
                    first_free_port: 0,
                    missing: vec!["az"],
                    egress: Some(Egress::Off),
                    ..user()
                },
            ),
            (
                "apparmor",
                Facts {
                    guests: refused("mount /proc", "Permission denied (os error 13)"),
                    walls: refused("map the shell's user (setgroups)", "Permission denied (os error 13)"),
                    apparmor_restricts: Some(true),
                    ..user()
                },
            ),
            (
                "docker",
                Facts {
                    guests: none(),
                    walls: refused("make the shell's namespaces", "Operation not permitted (os error 1)"),
                    container: Some("Docker"),
                    bounds: user().bounds,
                    missing: vec!["ssh", "az"],
                    ..whole()
                },
            ),
            (
                "scratch",
                Facts {
                    container: Some("Docker"),
                    has_programs: false,
                    missing: vec!["ssh", "curl", "az"],
                    ..whole()
                },
            ),
            (
                "forbidden",
                Facts {
                    guests: none(),
                    walls: refused("make the shell's namespaces", "Operation not permitted (os error 1)"),
                    user_namespaces_max: Some(0),
                    lets_users_clone: Some(false),
                    has_public_addresses: false,
                    data_is_writable: false,
                    ..user()
                },
            ),
            (
                "proxies",
                Facts {
                    proxies: vec![
                        ("HTTPS_PROXY", "http://ada:s3cret@proxy.corp:3128".to_owned()),
                        ("https_proxy", "http://127.0.0.1:10080".to_owned()),
                        ("HTTP_PROXY", "http://127.0.0.1:10080".to_owned()),
                        ("NO_PROXY", "localhost,169.254.169.254,.azure.com,10.0.0.0/8".to_owned()),
                        ("no_proxy", "localhost".to_owned()),
                    ],
                    public_roots: None,
                    system_trusts: Some(true),
                    ..whole()
                },
            ),
            (
                "no_veth",
                Facts {
                    networks: refused(
                        "make the guest's interface (veth)",
                        "Operation not supported (os error 95)",
                    ),
                    ..whole()
                },
            ),
        ]
    }

    #[test]
    fn what_a_machine_allows_is_said_and_what_to_do_about_the_rest() {
        for (name, facts) in made_up() {
            let text = shown(&findings::all(&facts));
            let golden = format!("{}/src/cli/doctor/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("ZAFFRE_BLESS").is_some() {
                std::fs::write(&golden, &text).expect("writes");
            }
            assert_eq!(text, std::fs::read_to_string(&golden).unwrap_or_default(), "{name}");
        }
    }

    #[test]
    fn nothing_is_limited_or_missing_without_a_word_about_what_to_do() {
        for (name, facts) in made_up() {
            for finding in findings::all(&facts) {
                let is_said = finding.verdict == Verdict::Ok
                    || finding.about == "networks"
                    || !finding.advice.is_empty();
                assert!(is_said, "{name}: {finding:?}");
            }
        }
    }
}
