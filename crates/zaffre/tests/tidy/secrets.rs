//! Secrets are compared in constant time, and never printed.
//!
//! Types that hold one have neither `PartialEq` nor `Debug`, so that the compiler refuses the quick comparison and the
//! careless log line. What is not a type of its own, text and bytes that a request brought, is known by its name:
//! no `==` may stand beside a word that names a secret.

use super::files::{self, File};
use super::rust::{Token, tokens};
use super::{Finding, look, require_none};

/// Types that hold a secret, or what a secret can be guessed from, and their files.
const SECRETS: &[(&str, &str)] = &[
    ("crates/zaffre/src/keys.rs", "SigningKey"),
    ("crates/zaffre/src/keys.rs", "StoredKey"),
    ("crates/zaffre/src/directory/secret.rs", "SecretHash"),
    ("crates/zaffre/src/directory/applications.rs", "PasswordCredential"),
    ("crates/zaffre/src/directory/founding.rs", "Credentials"),
    ("crates/zaffre/src/directory/sessions.rs", "Challenge"),
    ("crates/zaffre/src/products/compute/logins.rs", "Logins"),
    ("crates/zaffre/src/products/compute/logins.rs", "StoredHostKey"),
    ("crates/ssh/src/keys.rs", "HostKey"),
    ("crates/zaffre/src/products/storage/keys.rs", "AccountKeys"),
    ("crates/zaffre/src/products/storage/keys.rs", "AccountKey"),
    ("crates/zaffre/src/products/storage/keys.rs", "Secret"),
    ("crates/zaffre/src/products/cosmos/keys.rs", "AccountKeys"),
    ("crates/zaffre/src/entra/client.rs", "Proof"),
    ("crates/azure/src/cosmos_key.rs", "Authorization"),
    ("crates/azure/src/sas/mod.rs", "Sas"),
    ("crates/azure/src/jwt.rs", "Unverified"),
    ("crates/azure/src/jwt/assertion.rs", "Assertion"),
];

/// What such a type may not have: each gives its contents away, at once or bit by bit.
const TRAITS: &[&str] = &["Debug", "Display", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash"];

/// Words that name a secret where they stand as a value.
const WORDS: &[&str] = &[
    "secret",
    "client_secret",
    "password",
    "signature",
    "verifier",
    "hmac",
    "account_key",
    "master_key",
    "refresh_token",
];

#[test]
fn a_type_that_holds_a_secret_is_neither_printed_nor_compared() {
    let files = files::all();
    for (path, name) in SECRETS {
        let file = files.iter().find(|file| file.path == *path);
        let file = file.unwrap_or_else(|| panic!("{path} is gone: say where `{name}` is now"));
        assert!(declares(&file.text, name), "{path} has no `{name}`: say what it is called now");
        let found = traits(&file.text, name).into_iter().map(|it| (file.path.clone(), it));
        require_none(
            "a secret can be read off",
            "types of secrets have no Debug and compare in constant time",
            found,
        );
    }
}

#[test]
fn no_secret_stands_beside_a_comparison() {
    let files = files::all();
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    let sees = |file: &File| file.is_rust() && file.path.starts_with("crates/") && !is_test(&file.path);
    let found = look(&files, sees, |file| comparisons(before_tests(&file.text)));
    require_none(
        "a secret is compared",
        "`keys::same` takes as long wherever two secrets differ",
        found.into_iter(),
    );
}

/// A file without the tests at its end.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn is_declaration(pair: &[Token<'_>], name: &str) -> bool {
    matches!(pair, [kind, it] if ["struct", "enum"].contains(&kind.text) && it.text == name)
}

fn declares(text: &str, name: &str) -> bool {
    tokens(text).windows(2).any(|pair| is_declaration(pair, name))
}

/// The forbidden traits that a type derives or is given.
fn traits(text: &str, name: &str) -> Vec<Finding> {
    let all = tokens(text);
    let mut found = Vec::new();
    for (at, pair) in all.windows(2).enumerate() {
        if is_declaration(pair, name) {
            // Back to the end of whatever stands before: its attributes are between.
            let start = all[..at].iter().rposition(|it| ["}", ";"].contains(&it.text)).map_or(0, |it| it + 1);
            found.extend(forbidden(&all[start..at]));
        }
        if pair[0].text == "for" && pair[1].text == name {
            let start = all[..at].iter().rposition(|it| it.text == "impl").unwrap_or(at);
            found.extend(forbidden(&all[start..at]));
        }
    }
    found
}

fn forbidden(tokens: &[Token<'_>]) -> Vec<Finding> {
    tokens.iter().filter(|it| TRAITS.contains(&it.text)).map(|it| Finding::at(it.line, it.text)).collect()
}

/// A `==` or a `!=` with a secret's name next to it, on either side, through `*`, `&` and `.as_bytes()`.
fn comparisons(text: &str) -> Vec<Finding> {
    let all = tokens(text);
    let mut found = Vec::new();
    for at in 1..all.len().saturating_sub(2) {
        let is_comparison = ["=", "!"].contains(&all[at].text)
            && all[at + 1].text == "="
            && !["=", "<", ">", "!", "+", "-", "*", "/", "|", "&", "^"].contains(&all[at - 1].text);
        if is_comparison && (is_secret(before(&all[..at])) || is_secret(after(&all[at + 2..]))) {
            found.push(Finding::at(all[at].line, "a comparison of a secret"));
        }
    }
    found
}

fn is_secret(word: Option<&str>) -> bool {
    word.is_some_and(|word| WORDS.contains(&word))
}

/// The value's last word: of `it.secret.as_bytes()` it is `secret`.
fn before<'t>(tokens: &[Token<'t>]) -> Option<&'t str> {
    let end = match tokens {
        [front @ .., dot, call, open, close]
            if dot.text == "."
                && ["as_bytes", "as_str", "as_ref"].contains(&call.text)
                && open.text == "("
                && close.text == ")" =>
        {
            front
        }
        all => all,
    };
    end.last().map(|it| it.text)
}

/// The value's last word on the other side: of `&self.secret` it is `secret`.
fn after<'t>(tokens: &[Token<'t>]) -> Option<&'t str> {
    let mut rest = tokens.iter().skip_while(|it| ["&", "*"].contains(&it.text)).peekable();
    let mut last = rest.next()?.text;
    while rest.next_if(|it| it.text == ".").is_some() {
        match rest.next() {
            Some(it) if !["as_bytes", "as_str", "as_ref"].contains(&it.text) => last = it.text,
            _ => break,
        }
    }
    Some(last)
}

#[test]
fn each_way_of_giving_a_secret_away_is_found() {
    for (text, lines) in [
        ("#[derive(Clone, PartialEq)]\npub struct Key(Vec<u8>);", vec![1]),
        ("#[derive(Clone)]\nstruct Key;\nimpl fmt::Debug for Key {}", vec![3]),
        ("impl PartialEq for Key {}\nstruct Key;", vec![1]),
        ("#[derive(Debug)]\nstruct Other;\n#[derive(Clone)]\nstruct Key;\nimpl Clone for Other {}", vec![]),
    ] {
        let found: Vec<usize> = traits(text, "Key").iter().map(|it| it.line).collect();
        assert_eq!(found, lines, "{text}");
    }
    for (text, is_found) in [
        ("if secret == given {}", true),
        ("if given != self.secret {}", true),
        ("if it.password.as_bytes() == b {}", true),
        ("if given == &*self.signature.as_bytes() {}", true),
        ("let secret = given;", false),
        ("let is = secret.len() == 5;", false),
        ("match x { _ if keys::same(secret, given) => 1 }", false),
        ("let f = |secret| secret >= given;", false),
        ("// secret == given", false),
    ] {
        assert_eq!(!comparisons(&format!("fn f() {{ {text} }}")).is_empty(), is_found, "{text}");
    }
}
