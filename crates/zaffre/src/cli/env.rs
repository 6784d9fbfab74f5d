//! `zaffre env`: the variables that make Azure's clients use this cloud, for the shell that asks.

use std::process::ExitCode;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Outcome, client::Client, home::Home, say};
use crate::control::Variable;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell that will read them
    #[arg(long, value_enum, default_value = "sh")]
    format: Format,
    /// Speak as this virtual machine: its name or its resource id
    #[arg(long, value_name = "NAME")]
    as_vm: Option<String>,
    /// Run as on this kind of host: app-service, functions, container-apps, arc, service-fabric, cloud-shell, ml or
    /// workload-identity
    #[arg(long, value_name = "KIND", requires = "whom", conflicts_with = "as_vm")]
    host_kind: Option<String>,
    /// Whose identities that host has: a resource's id or name; in Cloud Shell a user's name too
    #[arg(long = "as", id = "whom", value_name = "RESOURCE", requires = "host_kind")]
    whom: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Sh,
    Fish,
    Powershell,
    Json,
}

#[derive(Deserialize)]
struct Answer {
    value: Vec<Variable>,
}

pub(super) async fn run(args: Args, home: &Home) -> Outcome {
    let path = match (&args.host_kind, &args.whom, &args.as_vm) {
        (Some(kind), Some(whom), _) => format!("/env?host_kind={}&as={}", escaped(kind), escaped(whom)),
        (_, _, Some(vm)) => format!("/env?as_vm={}", escaped(vm)),
        (..) => "/env".to_owned(),
    };
    let answer: Answer = serde_json::from_value(Client::find(home)?.get(&path).await?)?;
    say(&printed(args.format, &answer.value))?;
    Ok(ExitCode::SUCCESS)
}

/// As a query's value.
pub(super) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// A variable without a value is taken away, so that what an earlier `env` set does not stay.
fn printed(format: Format, variables: &[Variable]) -> String {
    let line = |it: &Variable| match (format, &it.value) {
        (Format::Sh, Some(value)) => format!("export {}={}\n", it.name, sh(value)),
        (Format::Sh, None) => format!("unset {}\n", it.name),
        (Format::Fish, Some(value)) => format!("set -gx {} {}\n", it.name, fish(value)),
        (Format::Fish, None) => format!("set -e {}\n", it.name),
        (Format::Powershell, Some(value)) => format!("$env:{} = {}\n", it.name, powershell(value)),
        (Format::Powershell, None) => format!("Remove-Item Env:{} -ErrorAction SilentlyContinue\n", it.name),
        (Format::Json, _) => String::new(),
    };
    match format {
        Format::Sh | Format::Fish | Format::Powershell => variables.iter().map(line).collect(),
        Format::Json => {
            let pairs = variables.iter().filter_map(|it| Some((it.name.clone(), it.value.clone()?.into())));
            format!("{:#}\n", Value::Object(pairs.collect::<Map<_, _>>()))
        }
    }
}

/// Nothing is special between single quotes but the quote itself (POSIX XCU 2.2.2).
fn sh(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Between fish's single quotes a backslash is special too.
fn fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// A doubled quote stands for one; PowerShell takes typographic quotes for quotes as well.
fn powershell(value: &str) -> String {
    let doubled = |c: char| match c {
        '\'' | '\u{2018}'..='\u{201b}' => format!("{c}{c}"),
        other => other.to_string(),
    };
    format!("'{}'", value.chars().map(doubled).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_their_shell_reads_them() {
        let all = [
            Variable { name: "PLAIN".to_owned(), value: Some("http://127.0.0.1:1".to_owned()) },
            Variable { name: "HARD".to_owned(), value: Some(r"a'b\c $d `e` é’".to_owned()) },
            Variable { name: "GONE".to_owned(), value: None },
        ];
        for (format, expected) in [
            (
                Format::Sh,
                "export PLAIN='http://127.0.0.1:1'\nexport HARD='a'\\''b\\c $d `e` é’'\nunset GONE\n",
            ),
            (
                Format::Fish,
                "set -gx PLAIN 'http://127.0.0.1:1'\nset -gx HARD 'a\\'b\\\\c $d `e` é’'\nset -e GONE\n",
            ),
            (
                Format::Powershell,
                "$env:PLAIN = 'http://127.0.0.1:1'\n$env:HARD = 'a''b\\c $d `e` é’’'\n\
                 Remove-Item Env:GONE -ErrorAction SilentlyContinue\n",
            ),
            (
                Format::Json,
                "{\n  \"PLAIN\": \"http://127.0.0.1:1\",\n  \"HARD\": \"a'b\\\\c $d `e` é’\"\n}\n",
            ),
        ] {
            assert_eq!(printed(format, &all), expected, "{format:?}");
        }
    }

    #[test]
    fn a_real_shell_reads_back_what_was_quoted() {
        let value = "a'b\"c\\d $HOME `id` $(id) \n é; exit 3";
        let variables = [Variable { name: "HARD".to_owned(), value: Some(value.to_owned()) }];
        let script = format!("{}printf %s \"$HARD\"", printed(Format::Sh, &variables));
        let output =
            std::process::Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
        assert_eq!(String::from_utf8(output.stdout).expect("text"), value);
    }
}
