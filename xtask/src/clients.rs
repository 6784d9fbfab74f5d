//! `cargo xtask clients NAME`: Azure's own clients, unmodified, against the built program.
//!
//! `clients/run.py` runs one kind of them; a row here is a few of these runs. The last line counts what they showed.

use std::process::Command;

use crate::place;
use crate::test::{self, Count};
use crate::tools::{self, AZ, BASH, NAMESPACES, NODE, OPENSSL, PYTHON, Tool};

struct Row {
    name: &'static str,
    says: &'static str,
    needs: &'static [Tool],
    /// A kind of clients, its runner's options, and its chapters or stories; all of them where none is named.
    runs: &'static [(&'static str, &'static [&'static str])],
}

/// The chapters of Python's claims that are about who somebody is; some stand on what `resource_manager` makes.
const IDENTITY: &[&str] =
    &["signing_in", "people", "applications", "resource_manager", "machine", "hosts", "tokens"];

/// The stories of `az` about the same: by secret, certificate, another issuer's token, password, device code, and as a
/// machine from outside and from inside.
const SIGNING_IN: &[&str] = &["signing_in", "people", "applications", "directory", "machines"];

const SSH: &[&str] = &["ssh", "ssh_tutorials"];
const SSH_OF_A_USER: &[&str] = &["--ordinary-user", "ssh", "ssh_tutorials"];

const ROWS: &[Row] = &[
    Row {
        name: "identity",
        says: "tokens, by every credential of azure-identity and MSAL, in Python and JavaScript, and by az login",
        needs: &[PYTHON, NODE, BASH, OPENSSL, NAMESPACES],
        runs: &[("python", IDENTITY), ("js", &[]), ("az", SIGNING_IN)],
    },
    Row {
        name: "ssh",
        says: "OpenSSH's clients, in machines that az made: shells, files, forwarding, what the tutorials type there; by root and by an ordinary user",
        needs: AZ,
        runs: &[("az", SSH), ("az", SSH_OF_A_USER)],
    },
    Row { name: "az", says: "the Azure CLI, by transcripts", needs: AZ, runs: &[("az", &[])] },
    Row {
        name: "python",
        says: "every claim of the Python SDKs",
        needs: &[PYTHON],
        runs: &[("python", &[])],
    },
    Row {
        name: "js",
        says: "every claim of the JavaScript SDKs",
        needs: &[PYTHON, NODE],
        runs: &[("js", &[])],
    },
];

pub(crate) fn run(words: &[String]) -> Result<(), String> {
    let (name, chapters) = words.split_first().ok_or_else(usage)?;
    let row = ROWS.iter().find(|row| row.name == name).ok_or_else(usage)?;
    tools::require(row.needs)?;
    build()?;
    let mut total = Count::default();
    for (kind, own) in row.runs {
        let mut line =
            vec!["python3", "clients/run.py", kind, "--zaffre", "{zaffre}", "--work", "{target}/clients"];
        let (options, own): (Vec<&str>, Vec<&str>) = own.iter().partition(|it| it.starts_with("--"));
        line.extend(options);
        match chapters {
            [] => line.extend(own),
            chosen => line.extend(chosen.iter().map(String::as_str)),
        }
        let (is_good, count) = test::run_command(&line)?;
        total += count;
        // A run that ended before it could count has failed all the same.
        if !is_good && count.failed == 0 {
            total.failed += 1;
        }
    }
    println!("{}", total.as_steps());
    if total.failed == 0 { Ok(()) } else { Err(format!("{} of them failed", total.failed)) }
}

fn build() -> Result<(), String> {
    let status = Command::new(place::cargo())
        .current_dir(place::root())
        .args(["build", "--quiet", "--release", "--locked", "--package", "zaffre"])
        .status()
        .map_err(|why| format!("cannot start cargo: {why}"))?;
    if status.success() { Ok(()) } else { Err("the program does not build".to_owned()) }
}

fn usage() -> String {
    let rows = ROWS.iter().map(|row| format!("\n  cargo xtask clients {:<9}  {}", row.name, row.says));
    format!("name one, and chapters of it if not all are wanted:{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_in_the_table_is_refused_with_those_there_are() {
        let why = run(&["azz".to_owned()]).expect_err("there is none");
        assert!(ROWS.iter().all(|row| why.contains(row.name)), "{why}");
    }

    #[test]
    fn every_kind_has_a_folder_with_a_program() {
        for (kind, _) in ROWS.iter().flat_map(|row| row.runs) {
            let folder = place::root().join("clients").join(kind);
            assert!(["main.py", "main.js"].iter().any(|it| folder.join(it).exists()), "{kind}");
        }
    }
    #[test]
    fn what_a_row_names_is_there() {
        for (kind, names) in ROWS.iter().flat_map(|row| row.runs) {
            let folder = place::root().join("clients").join(kind);
            for name in names.iter().filter(|it| !it.starts_with("--")) {
                let files = [format!("{name}.py"), format!("{name}.js"), format!("stories/{name}.txt")];
                assert!(files.iter().any(|file| folder.join(file).exists()), "{kind}: {name}");
            }
        }
    }
}
