//! Reads Rust just well enough to say which paths a file names: `use` trees are spread out, `self` and `super` are
//! resolved, and what stands in comments and literals is not code.
//!
//! It does not expand macros, follow re-exports or look inside inline modules. A rule that needs more needs a compiler.

/// A path named in the code: `crate::arm::put`, `std::fs::File`.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: String,
}

/// A word or a mark of the code, and its line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) line: usize,
    pub(super) text: &'a str,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The code's words, `::`, and single marks; no comments, no literals, no white space.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = piece(rest, first);
        let (piece, after) = rest.split_at(length);
        if is_code {
            tokens.push(Token { line, text: piece });
        }
        line += piece.matches('\n').count();
        rest = after;
    }
    tokens
}

/// How long the next piece of text is, and whether it is code.
fn piece(rest: &str, first: char) -> (usize, bool) {
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(rest.len()), false)
    } else if rest.starts_with("/*") {
        (block_comment(rest), false)
    } else if let Some(length) = raw_string(rest) {
        (length, false)
    } else if rest.starts_with("b\"") || rest.starts_with("c\"") {
        (1 + quoted(&rest[1..], '"'), false)
    } else if first == '"' {
        (quoted(rest, '"'), false)
    } else if rest.starts_with("b'") {
        (1 + quoted(&rest[1..], '\''), false)
    } else if first == '\'' {
        (character_or_lifetime(rest), false)
    } else if word > 0 {
        (word, !first.is_numeric())
    } else if rest.starts_with("::") {
        (2, true)
    } else {
        (first.len_utf8(), !first.is_whitespace())
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `r"..."`, `br#"..."#` and their like.
fn raw_string(rest: &str) -> Option<usize> {
    let start = ["r", "br", "cr"]
        .iter()
        .find(|it| rest.strip_prefix(**it).is_some_and(|it| it.starts_with(['"', '#'])))?;
    let hashes = rest[start.len()..].chars().take_while(|c| *c == '#').count();
    let body = start.len() + hashes + 1;
    let is_string = rest.get(body - 1..body) == Some("\"");
    let end = format!("\"{}", "#".repeat(hashes));
    is_string.then(|| rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len()))
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

/// `'x'` and `'\n'` end with a quote; `'a` of a lifetime is its mark alone.
fn character_or_lifetime(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    let (first, second) = (inside.next(), inside.next());
    if first == Some('\\') || second == Some('\'') { quoted(rest, '\'') } else { 1 }
}

/// The module that a file of a crate's `src` folder is: `arm/ids.rs` is `crate::arm::ids`.
pub(super) fn module(path_in_src: &str) -> String {
    let stem = path_in_src.trim_end_matches(".rs");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    let is_root = matches!(stem, "lib" | "main");
    if is_root { "crate".to_owned() } else { format!("crate::{}", stem.replace('/', "::")) }
}

/// Every path of two segments or more, and every leaf of a `use` tree, in full.
pub(super) fn paths(text: &str, module: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = tokens[at].is_word() && (at == 0 || !matches!(tokens[at - 1].text, "::" | "."));
        at = if starts { tree(&tokens, at, "", module, &mut found) } else { at + 1 };
    }
    found
}

/// Reads one path, with the groups of a `use` tree, from a word on; gives where to go on.
fn tree(tokens: &[Token<'_>], mut at: usize, prefix: &str, module: &str, found: &mut Vec<Named>) -> usize {
    let line = tokens[at].line;
    let mut path = prefix.to_owned();
    loop {
        path = joined(&path, tokens[at].text, module);
        at += 1;
        let is_more = tokens.get(at).is_some_and(|it| it.text == "::");
        let Some(next) = tokens.get(at + 1).filter(|_| is_more) else { break };
        if next.text == "{" {
            return group(tokens, at + 2, &path, module, found);
        } else if next.is_word() {
            at += 1;
        } else {
            break;
        }
    }
    if path.contains("::") {
        found.push(Named { line, path });
    }
    at
}

/// Reads the branches of `{a, b::c}`, from behind the brace to behind its end.
fn group(tokens: &[Token<'_>], mut at: usize, prefix: &str, module: &str, found: &mut Vec<Named>) -> usize {
    while let Some(token) = tokens.get(at) {
        let follows_as = tokens[at - 1].text == "as";
        match token.text {
            "}" => return at + 1,
            "as" => at += 1,
            _ if token.is_word() && !follows_as => at = tree(tokens, at, prefix, module, found),
            _ => at += 1,
        }
    }
    at
}

/// A path and its next segment, with `self`, `super` and this program's own name resolved.
fn joined(path: &str, segment: &str, module: &str) -> String {
    match (path, segment) {
        ("", "self") => module.to_owned(),
        ("", "super") => parent(module),
        ("", "zaffre") => "crate".to_owned(),
        ("", first) => first.to_owned(),
        (path, "super") => parent(path),
        (path, "self") => path.to_owned(),
        (path, next) => format!("{path}::{next}"),
    }
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or(module, |(parent, _)| parent).to_owned()
}

/// Whether a path is this module or something in it.
pub(super) fn is_in(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn paths_are_read_from_code_and_from_nothing_else() {
    for (text, expected) in [
        ("use crate::arm::put;", &["crate::arm::put"] as &[_]),
        ("use crate::{arm::{self, put as p}, graph};", &["crate::arm", "crate::arm::put", "crate::graph"]),
        ("use super::select;", &["crate::imds::select"]),
        ("use super::super::graph;", &["crate::graph"]),
        ("let x = std::fs::read(p)?;", &["std::fs::read"]),
        ("fn f(it: &crate::arm::Op) {}", &["crate::arm::Op"]),
        ("zaffre::arm::put()", &["crate::arm::put"]),
        ("// crate::arm::put", &[]),
        ("/* a /* crate::arm */ crate::graph */", &[]),
        ("let s = \"crate::arm \\\" crate::arm\";", &[]),
        ("let s = br#\"crate::arm \" crate::arm\"#;", &[]),
        ("let c = '\"'; use crate::arm;", &["crate::arm"]),
        ("fn f<'a>(x: &'a str) { crate::arm::f(x) }", &["crate::arm::f"]),
        ("arm.put()", &[]),
    ] {
        let found: Vec<String> = paths(text, "crate::imds::answer").into_iter().map(|it| it.path).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_file_is_the_module_that_its_place_says() {
    for (path, expected) in [
        ("lib.rs", "crate"),
        ("main.rs", "crate"),
        ("arm.rs", "crate::arm"),
        ("arm/mod.rs", "crate::arm"),
        ("products/storage/blob/list.rs", "crate::products::storage::blob::list"),
    ] {
        assert_eq!(module(path), expected);
    }
}
