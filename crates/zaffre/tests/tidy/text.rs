//! How files look, where they point, and what they never name.

use super::files::{self, File};
use super::{Finding, look, require_none};

/// A rule over single files.
struct Rule {
    name: &'static str,
    why: &'static str,
    sees: fn(&File) -> bool,
    finds: fn(&File) -> Vec<Finding>,
    /// A file that breaks the rule, and the line where it does.
    sample: fn() -> (&'static str, String, usize),
}

const RULES: &[Rule] = &[
    Rule {
        name: "trailing white space",
        why: "it shows up as change where nothing changed",
        sees: |file| !is_recorded(file),
        finds: |file| lines_where(file, |line| line.ends_with([' ', '\t'])),
        sample: || ("a.rs", "fn f() {}\nfn g() {} \n".to_owned(), 2),
    },
    Rule {
        name: "line ends",
        why: "lines end with a line feed alone, on every machine",
        sees: |file| !is_recorded(file),
        finds: |file| lines_where(file, |line| line.ends_with('\r')),
        sample: || ("a.md", "one\r\n".to_owned(), 1),
    },
    Rule {
        name: "the file's end",
        why: "a text ends with its last line's end, and with one of them",
        sees: |file| !is_recorded(file) && !file.text.is_empty(),
        finds: file_end,
        sample: || ("a.md", "one\ntwo".to_owned(), 2),
    },
    Rule {
        name: "module head",
        why: "a module begins with `//!`: what it is, how data flows, what it leaves to others",
        sees: |file| file.is_rust() && !file.path.ends_with("/tests.rs"),
        finds: |file| {
            if file.text.starts_with("//! ") { Vec::new() } else { vec![Finding::at(1, "no head")] }
        },
        sample: || ("a.rs", "use std::fmt;\n".to_owned(), 1),
    },
    Rule {
        name: "length",
        why: "over 900 lines a file holds more than one idea",
        sees: |file| [".rs", ".py", ".ts", ".tsx"].iter().any(|end| file.path.ends_with(end)),
        finds: |file| {
            let count = file.text.lines().count();
            if count <= 900 { Vec::new() } else { vec![Finding::at(count, format!("{count} lines"))] }
        },
        sample: || ("a.py", "pass\n".repeat(901), 901),
    },
    Rule {
        name: "dead link",
        why: "a page that points nowhere sends its reader away",
        sees: File::is_markdown,
        finds: dead_links,
        sample: || ("docs/a.md", "See [the map](../NOWHERE.md#here).\n".to_owned(), 1),
    },
    Rule {
        name: "changelog",
        why: "what is not released yet has its section, and a change its line there",
        sees: |file| file.path == "CHANGELOG.md",
        finds: |file| {
            let has_section = file.text.lines().any(|line| line.starts_with("## Unreleased"));
            if has_section { Vec::new() } else { vec![Finding::at(1, "no section `## Unreleased`")] }
        },
        sample: || ("CHANGELOG.md", "# Changes\n".to_owned(), 1),
    },
    Rule {
        name: "a machine's own names",
        why: "what one machine is set up like does not hold on the next: no local folders, no package registry's host",
        sees: |file| !file.path.ends_with(".lock") && !file.path.ends_with("package-lock.json"),
        finds: |file| {
            let names = machine_names();
            lines_where(file, |line| names.iter().any(|name| line.contains(name)))
        },
        sample: || ("a.md", format!("see\n{}\n", machine_names().last().expect("there are names")), 2),
    },
    Rule {
        name: "source of a dependency",
        why: "crates come from the default registry alone, where a version stays what it is",
        sees: |file| file.path == "Cargo.lock",
        finds: |file| {
            let registry =
                format!("source = \"registry+https://github.com/rust-lang/{}-index\"", "crates.io");
            lines_where(file, |line| line.starts_with("source = ") && line != registry)
        },
        sample: || ("Cargo.lock", "source = \"git+https://example.com/a\"\n".to_owned(), 1),
    },
];

#[test]
fn files_look_as_agreed() {
    let files = files::all();
    for rule in RULES {
        require_none(rule.name, rule.why, look(&files, rule.sees, rule.finds).into_iter());
    }
}

#[test]
fn each_rule_catches_what_breaks_it() {
    for rule in RULES {
        let (path, text, line) = (rule.sample)();
        let file = File { path: path.to_owned(), text };
        let lines: Vec<usize> = (rule.finds)(&file).iter().map(|it| it.line).collect();
        assert!((rule.sees)(&file), "{}: does not look at its own sample", rule.name);
        assert_eq!(lines, [line], "{}", rule.name);
    }
}

/// Golden recordings hold what came over the wire, byte for byte.
fn is_recorded(file: &File) -> bool {
    file.path.starts_with("crates/zaffre/tests/transcripts/")
}

fn lines_where(file: &File, is_wrong: impl Fn(&str) -> bool) -> Vec<Finding> {
    file.lines()
        .filter(|(_, line)| is_wrong(line))
        .map(|(number, line)| Finding::at(number, line.trim()))
        .collect()
}

fn file_end(file: &File) -> Vec<Finding> {
    let is_good = file.text.ends_with('\n') && !file.text.ends_with("\n\n");
    if is_good {
        Vec::new()
    } else {
        vec![Finding::at(file.text.lines().count(), "ends with no line feed, or with several")]
    }
}

/// Put together here, so that this file does not hold them.
fn machine_names() -> Vec<String> {
    let hosts = [
        ["static.crates", "io"],
        ["index.crates", "io"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["registry.npmjs", "org"],
        ["deb.debian", "org"],
        ["proxy.golang", "org"],
    ];
    let mut names: Vec<String> = hosts.iter().map(|parts| parts.join(".")).collect();
    names.push(format!("{}/", files::root().display()));
    names.push(["", "work", ""].join("/"));
    names
}

/// Links to files of the repository that are not there. Addresses and places in the same page are not looked at,
/// nor is what stands in a block of code.
fn dead_links(file: &File) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut is_code = false;
    let mut dead = Vec::new();
    for (number, line) in file.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let is_dead = |target: &&str| !is_code && is_local(target) && !exists(folder, target);
        dead.extend(targets.filter(is_dead).map(|target| Finding::at(number, target)));
    }
    dead
}

fn is_local(target: &str) -> bool {
    !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
}

fn exists(folder: &str, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or(target);
    files::root().join(folder).join(path).exists()
}
