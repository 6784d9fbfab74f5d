//! Who may use whom inside the program, and what the pure crates may not touch. ARCHITECTURE.md draws the map.

use super::files::{self, File};
use super::rust::{is_in, module, paths, tokens};
use super::{Finding, look, require_none};

/// What each protocol answers. They share what is below them and never each other.
const SERVICES: &[&str] = &[
    "crate::entra",
    "crate::graph",
    "crate::imds",
    "crate::arm",
    "crate::control",
    "crate::products::storage::blob",
    "crate::products::cosmos::data",
];

/// Modules that may not name certain paths.
struct Wall {
    inside: &'static [&'static str],
    never: &'static [&'static str],
    why: &'static str,
    /// A file and a line in it that break the rule.
    sample: (&'static str, &'static str),
}

const WALLS: &[Wall] = &[
    Wall {
        inside: SERVICES,
        never: SERVICES,
        why: "services do not use each other: what two need moves down into a module that both use",
        sample: ("imds/answer.rs", "use crate::graph::users;"),
    },
    Wall {
        inside: &["crate::arm"],
        never: &["crate::products"],
        why: "the list of products is handed to arm, so that a product goes with its folder and its line",
        sample: ("arm/mod.rs", "let kinds = crate::products::ALL;"),
    },
    Wall {
        inside: &["crate::directory", "crate::access", "crate::resources"],
        never: &["http", "http_body", "http_body_util", "hyper", "hyper_util", "crate::front"],
        why: "who somebody is, what they may do and what there is does not depend on how the question arrived",
        sample: ("access/reach.rs", "use http::StatusCode;"),
    },
    Wall {
        inside: &["crate::store"],
        never: &[
            "crate::access",
            "crate::directory",
            "crate::resources",
            "crate::products",
            "crate::front",
            "http",
            "hyper",
        ],
        why: "the store keeps keys and values, and does not know whose",
        sample: ("store/embedded.rs", "use crate::resources::Resource;"),
    },
    Wall {
        inside: &["crate::store", "crate::access", "crate::directory", "crate::resources"],
        never: SERVICES,
        why: "what services stand on does not know them",
        sample: ("resources/tags.rs", "crate::arm::ids::check(id)?;"),
    },
];

#[test]
fn modules_use_only_what_lies_below_them() {
    let files = files::all();
    for wall in WALLS {
        let found = look(&files, |file| in_program(file).is_some(), |file| crossings(wall, file));
        require_none("a module uses what it may not", wall.why, found.into_iter());
    }
}

#[test]
fn each_wall_catches_what_breaks_it() {
    for wall in WALLS {
        let (path, text) = wall.sample;
        let file = File { path: format!("crates/zaffre/src/{path}"), text: text.to_owned() };
        assert_eq!(crossings(wall, &file).len(), 1, "{path}: {text}");
    }
}

/// A file's place in the program's sources.
fn in_program(file: &File) -> Option<&str> {
    file.path.strip_prefix("crates/zaffre/src/").filter(|_| file.is_rust())
}

fn crossings(wall: &Wall, file: &File) -> Vec<Finding> {
    let this = in_program(file).map(module).unwrap_or_default();
    let Some(home) = wall.inside.iter().find(|inside| is_in(&this, inside)) else { return Vec::new() };
    let is_foreign = |path: &str| !is_in(path, home) && wall.never.iter().any(|never| is_in(path, never));
    let named = paths(&file.text, &this);
    named.into_iter().filter(|it| is_foreign(&it.path)).map(|it| Finding::at(it.line, it.path)).collect()
}

/// Words that only some folders may use, wherever in the code they stand.
struct Word {
    words: &'static [&'static str],
    /// Where they are forbidden; everywhere in `crates` if empty.
    inside: &'static [&'static str],
    except: &'static [&'static str],
    why: &'static str,
}

const PURE: &[&str] = &["crates/azure/src/", "crates/cosmos-sql/src/"];

const WORDS: &[Word] = &[
    Word {
        words: &["TcpListener", "UdpSocket", "UnixListener"],
        inside: &["crates/"],
        except: &[
            "crates/zaffre/src/front/",
            "crates/zaffre/src/front.rs",
            "crates/guest/",
            "crates/zaffre/tests/",
            "crates/zaffre/src/store/tests/",
        ],
        why: "only `front` and the guests open sockets: who asks follows from the door",
    },
    Word {
        words: &["unsafe"],
        inside: &["crates/", "xtask/"],
        except: &["crates/guest/"],
        why: "`unsafe` is fenced off in the guest crate, where each block says why it is sound",
    },
    Word {
        words: &["async", "await", "tokio", "SystemTime", "Instant", "rand"],
        inside: PURE,
        except: &[],
        why: "rules take time, chance and data as values; they wait for nothing and draw nothing",
    },
];

/// Paths the pure crates may not name. Their tests may: golden files are read from somewhere.
const IMPURE: &[&str] = &["std::fs", "std::net", "std::env", "std::process", "std::thread", "std::io::stdin"];

#[test]
fn words_of_the_edges_stay_at_the_edges() {
    let files = files::all();
    for rule in WORDS {
        let starts =
            |file: &File, folders: &[&str]| folders.iter().any(|folder| file.path.starts_with(folder));
        let sees = |file: &File| file.is_rust() && starts(file, rule.inside) && !starts(file, rule.except);
        let found = look(&files, sees, |file| words_in(rule, &file.text));
        require_none("a word that does not belong here", rule.why, found.into_iter());
    }
}

fn words_in(rule: &Word, text: &str) -> Vec<Finding> {
    let found = tokens(text).into_iter().filter(|token| rule.words.contains(&token.text));
    found.map(|token| Finding::at(token.line, token.text)).collect()
}

#[test]
fn the_pure_crates_have_nothing_to_do_io_with() {
    let files = files::all();
    let is_test = |file: &File| file.path.ends_with("/tests.rs");
    let is_pure = |file: &File| {
        file.is_rust() && PURE.iter().any(|folder| file.path.starts_with(folder)) && !is_test(file)
    };
    let found = look(&files, is_pure, |file| impure_paths(&file.text));
    let why = "these crates are the proof that roles, tokens and signatures depend on their arguments alone";
    require_none("a pure crate reaches out", why, found.into_iter());
}

fn impure_paths(text: &str) -> Vec<Finding> {
    let reaches_out = |path: &str| IMPURE.iter().any(|door| is_in(path, door));
    let named = paths(text, "crate");
    named.into_iter().filter(|it| reaches_out(&it.path)).map(|it| Finding::at(it.line, it.path)).collect()
}

#[test]
fn words_and_paths_are_found_in_code_and_not_in_comments() {
    let [_, fence, pure] = WORDS else { panic!("three rules of words") };
    assert_eq!(words_in(fence, "// unsafe\nlet x = unsafe { f() };"), [Finding::at(2, "unsafe")]);
    assert_eq!(words_in(pure, "pub async fn f() {}"), [Finding::at(1, "async")]);
    assert_eq!(impure_paths("use std::{fmt, fs::File};"), [Finding::at(1, "std::fs::File")]);
}
