//! How a shell, a build, a container or a program reads variables: one way of quoting each.
//!
//! A variable without a value is taken away where that can be said, so that what an earlier `env` set does not stay.
//! A container begins without the host's variables, so for it there is nothing to take away; but it sees neither the
//! host's loopback nor its files: it is given the host's network, and the authority's folder at the same path.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::control::Variable;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// `eval "$(zaffre env)"`
    Sh,
    /// `zaffre env --format fish | source`
    Fish,
    /// `zaffre env --format powershell | Out-String | Invoke-Expression`
    Powershell,
    /// `zaffre env --format github >> "$GITHUB_ENV"`
    Github,
    /// A `.env` file
    Dotenv,
    /// `eval "docker run $(zaffre env --format docker) IMAGE"`
    Docker,
    /// A service's part of a compose file
    Compose,
    /// An object of texts
    Json,
}

pub(super) fn printed(format: Format, variables: &[Variable]) -> String {
    let lines = |line: fn(&str, Option<&str>) -> String| {
        variables.iter().map(|it| line(&it.name, it.value.as_deref())).collect()
    };
    match format {
        Format::Sh => lines(sh),
        Format::Fish => lines(fish),
        Format::Powershell => lines(powershell),
        Format::Github => lines(github),
        Format::Dotenv => lines(dotenv),
        Format::Docker => docker(variables),
        Format::Compose => compose(variables),
        Format::Json => format!("{:#}\n", object(variables)),
    }
}

fn sh(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("export {name}={}\n", word(value)),
        None => format!("unset {name}\n"),
    }
}

/// Nothing is special between single quotes but the quote itself (POSIX XCU 2.2.2).
fn word(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Between fish's single quotes a backslash is special too.
fn fish(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => {
            format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'"))
        }
        None => format!("set -e {name}\n"),
    }
}

/// A doubled quote stands for one; PowerShell takes typographic quotes for quotes as well.
fn powershell(name: &str, value: Option<&str>) -> String {
    let doubled = |c: char| match c {
        '\'' | '\u{2018}'..='\u{201b}' => format!("{c}{c}"),
        other => other.to_string(),
    };
    match value {
        Some(value) => format!("$env:{name} = '{}'\n", value.chars().map(doubled).collect::<String>()),
        None => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"),
    }
}

/// Several lines stand between two of a word that is none of them (documented: Workflow commands, multiline strings). Nothing
/// there takes a variable away, so it is emptied.
fn github(name: &str, value: Option<&str>) -> String {
    let value = value.unwrap_or_default();
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut end = "END".to_owned();
    while value.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("{name}<<{end}\n{value}\n{end}\n")
}

/// Single quotes hold everything but themselves in each dialect that has quotes; double ones know escapes.
fn dotenv(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) if !value.contains(['\'', '\n', '\r']) => format!("{name}='{value}'\n"),
        Some(value) => {
            let escaped = value
                .replace('\\', r"\\")
                .replace('"', r#"\""#)
                .replace('$', r"\$")
                .replace('\n', r"\n")
                .replace('\r', r"\r");
            format!("{name}=\"{escaped}\"\n")
        }
        None => String::new(),
    }
}

/// Words for a shell to read again, on one line.
fn docker(variables: &[Variable]) -> String {
    let mut words = vec!["--network".to_owned(), "host".to_owned()];
    if let Some(folder) = folder(variables) {
        words.extend(["-v".to_owned(), word(&format!("{folder}:{folder}:ro"))]);
    }
    for it in variables {
        if let Some(value) = &it.value {
            words.extend(["-e".to_owned(), word(&format!("{}={value}", it.name))]);
        }
    }
    words.join(" ") + "\n"
}

/// JSON is YAML; compose reads `$` twice as one.
fn compose(variables: &[Variable]) -> String {
    let quoted = |value: &str| json!(value.replace('$', "$$")).to_string();
    let mut text = "network_mode: host\n".to_owned();
    if let Some(folder) = folder(variables) {
        text += &format!("volumes:\n  - {}\n", quoted(&format!("{folder}:{folder}:ro")));
    }
    text += "environment:\n";
    for it in variables {
        if let Some(value) = &it.value {
            text += &format!("  {}: {}\n", it.name, quoted(value));
        }
    }
    text
}

/// Where the authority's certificates are, which clients are told to read.
fn folder(variables: &[Variable]) -> Option<&str> {
    let ca = variables.iter().find(|it| it.name == "NODE_EXTRA_CA_CERTS")?;
    Path::new(ca.value.as_deref()?).parent()?.to_str()
}

fn object(variables: &[Variable]) -> Value {
    let pairs = variables.iter().filter_map(|it| Some((it.name.clone(), it.value.clone()?.into())));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Variable {
        Variable { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    #[test]
    fn values_are_quoted_as_their_reader_reads_them() {
        let all = [
            set("PLAIN", "http://127.0.0.1:1"),
            set("HARD", r"a'b\c $d `e` é’"),
            set("LINES", "one\nEND\ntwo"),
            set("NODE_EXTRA_CA_CERTS", "/a b/ca.pem"),
            Variable { name: "GONE".to_owned(), value: None },
        ];
        for (format, expected) in [
            (
                Format::Sh,
                "export PLAIN='http://127.0.0.1:1'\nexport HARD='a'\\''b\\c $d `e` é’'\n\
                 export LINES='one\nEND\ntwo'\nexport NODE_EXTRA_CA_CERTS='/a b/ca.pem'\nunset GONE\n",
            ),
            (
                Format::Fish,
                "set -gx PLAIN 'http://127.0.0.1:1'\nset -gx HARD 'a\\'b\\\\c $d `e` é’'\n\
                 set -gx LINES 'one\nEND\ntwo'\nset -gx NODE_EXTRA_CA_CERTS '/a b/ca.pem'\nset -e GONE\n",
            ),
            (
                Format::Powershell,
                "$env:PLAIN = 'http://127.0.0.1:1'\n$env:HARD = 'a''b\\c $d `e` é’’'\n\
                 $env:LINES = 'one\nEND\ntwo'\n$env:NODE_EXTRA_CA_CERTS = '/a b/ca.pem'\n\
                 Remove-Item Env:GONE -ErrorAction SilentlyContinue\n",
            ),
            (
                Format::Github,
                "PLAIN=http://127.0.0.1:1\nHARD=a'b\\c $d `e` é’\nLINES<<END_\none\nEND\ntwo\nEND_\n\
                 NODE_EXTRA_CA_CERTS=/a b/ca.pem\nGONE=\n",
            ),
            (
                Format::Dotenv,
                "PLAIN='http://127.0.0.1:1'\nHARD=\"a'b\\\\c \\$d `e` é’\"\nLINES=\"one\\nEND\\ntwo\"\n\
                 NODE_EXTRA_CA_CERTS='/a b/ca.pem'\n",
            ),
            (
                Format::Docker,
                "--network host -v '/a b:/a b:ro' -e 'PLAIN=http://127.0.0.1:1' -e 'HARD=a'\\''b\\c $d `e` é’' \
                 -e 'LINES=one\nEND\ntwo' -e 'NODE_EXTRA_CA_CERTS=/a b/ca.pem'\n",
            ),
            (
                Format::Compose,
                "network_mode: host\nvolumes:\n  - \"/a b:/a b:ro\"\nenvironment:\n  PLAIN: \"http://127.0.0.1:1\"\n  \
                 HARD: \"a'b\\\\c $$d `e` é’\"\n  LINES: \"one\\nEND\\ntwo\"\n  NODE_EXTRA_CA_CERTS: \"/a b/ca.pem\"\n",
            ),
            (
                Format::Json,
                "{\n  \"PLAIN\": \"http://127.0.0.1:1\",\n  \"HARD\": \"a'b\\\\c $d `e` é’\",\n  \
                 \"LINES\": \"one\\nEND\\ntwo\",\n  \"NODE_EXTRA_CA_CERTS\": \"/a b/ca.pem\"\n}\n",
            ),
        ] {
            assert_eq!(printed(format, &all), expected, "{format:?}");
        }
    }

    /// Values that some reader takes for more than text.
    const NASTY: [&str; 8] = [
        "a'b\"c\\d $HOME `id` $(id) \n é; exit 3",
        "'",
        "\\",
        "$$ ${HOME} $1 !! #x",
        " leading, trailing ",
        "*?[a]{b,c}~ & | < > ( )",
        "",
        "\u{2019} \u{201b}",
    ];

    fn shell(program: &str, script: &str) -> String {
        let output = std::process::Command::new(program).args(["-c", script]).output().expect("there is one");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn every_nasty_value_comes_back_from_the_readers_that_are_here() {
        let all: Vec<Variable> =
            NASTY.iter().enumerate().map(|(at, it)| set(&format!("N{at}"), it)).collect();
        let expected: String = NASTY.iter().map(|it| format!("{it}\0")).collect();
        let shown: String = (0..NASTY.len()).map(|at| format!("printf '%s\\0' \"$N{at}\"; ")).collect();
        for program in ["sh", "bash"] {
            assert_eq!(
                shell(program, &format!("{}{shown}", printed(Format::Sh, &all))),
                expected,
                "{program}"
            );
        }
        let words = printed(Format::Docker, &all);
        let read = "while [ $# -gt 0 ]; do printf '%s\\0' \"${2#N?=}\"; shift 2; done";
        assert_eq!(shell("sh", &format!("set -- {}\nshift 2; {read}", words.trim_end())), expected, "docker");
        let yaml = yaml_rust2::YamlLoader::load_from_str(&printed(Format::Compose, &all)).expect("YAML");
        let json: Value = serde_json::from_str(&printed(Format::Json, &all)).expect("JSON");
        for (at, value) in NASTY.iter().enumerate() {
            let name = format!("N{at}");
            let read = yaml[0]["environment"][name.as_str()].as_str().expect("text").replace("$$", "$");
            assert_eq!((read.as_str(), json[&name].as_str()), (*value, Some(*value)), "{value}");
        }
    }

    #[test]
    fn a_real_shell_reads_back_what_was_quoted() {
        let value = "a'b\"c\\d $HOME `id` $(id) \n é; exit 3";
        let all = [set("HARD", value)];
        let sh = |script: &str| {
            let output =
                std::process::Command::new("sh").args(["-c", script]).output().expect("there is a shell");
            String::from_utf8(output.stdout).expect("text")
        };
        assert_eq!(sh(&format!("{}printf %s \"$HARD\"", printed(Format::Sh, &all))), value);
        let words = printed(Format::Docker, &all);
        assert_eq!(sh(&format!("printf '%s|' {words}")), format!("--network|host|-e|HARD={value}|"));
    }
}
