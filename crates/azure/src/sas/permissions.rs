//! The letters of `sp`: what each is called, since when there is it, and which kinds of signature know it (blob.md §6).

use std::fmt;

use crate::api_version::ApiVersion;

/// One letter.
struct Letter {
    letter: char,
    /// From which version a service SAS may have it.
    since: ApiVersion,
    in_account: bool,
    in_service: bool,
    /// Whether a service SAS must have it in its place. The SDKs do not agree on where the others go: Python has `f`
    /// before `e`, JavaScript after `i`, and `y` is before `l` for one and after `i` for the other.
    is_ordered: bool,
}

const fn letter(letter: char, since: &'static str) -> Letter {
    Letter { letter, since: ApiVersion::of(since), in_account: true, in_service: true, is_ordered: true }
}

impl Letter {
    const fn of_services(mut self) -> Self {
        self.in_account = false;
        self
    }

    const fn of_accounts(mut self) -> Self {
        self.in_service = false;
        self
    }

    const fn anywhere(mut self) -> Self {
        self.is_ordered = false;
        self
    }
}

/// In the order that a service SAS has to have them in.
static LETTERS: [Letter; 16] = [
    letter('r', "2012-02-12"),
    letter('a', "2015-04-05"),
    letter('c', "2015-04-05"),
    letter('w', "2012-02-12"),
    letter('d', "2012-02-12"),
    letter('x', "2019-12-12"),
    letter('y', "2020-02-10").anywhere(),
    letter('l', "2012-02-12"),
    letter('t', "2019-12-12"),
    letter('f', "2019-12-12").anywhere(),
    letter('m', "2020-02-10").of_services(),
    letter('e', "2020-02-10").of_services(),
    letter('o', "2020-02-10").of_services(),
    letter('p', "2015-04-05"),
    letter('i', "2020-06-12"),
    letter('u', "2015-04-05").of_accounts(),
];

/// A set of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Of an account SAS: in any order, each once.
    pub fn of_account(text: &str, version: &ApiVersion) -> Option<Self> {
        collect(text, |it| it.in_account && it.since <= *version)
    }

    /// Of a service SAS or of a user delegation's: each once, and in their order. `None` for the version stands for the
    /// oldest.
    pub fn of_service(text: &str, version: Option<&ApiVersion>) -> Option<Self> {
        let is_known = |it: &Letter| match version {
            Some(version) => it.since <= *version,
            None => it.since == super::FIRST,
        };
        let found = collect(text, |it| it.in_service && is_known(it))?;
        let places = text.chars().filter_map(place).filter(|at| LETTERS[*at].is_ordered);
        places.is_sorted().then_some(found)
    }

    /// Of a stored policy: whatever any version knows, in any order. The text may be empty.
    pub fn of_policy(text: &str) -> Option<Self> {
        if text.is_empty() { Some(Permissions(0)) } else { collect(text, |_| true) }
    }

    /// Whether the version knows all of them.
    pub fn are_known_to(self, version: Option<&ApiVersion>) -> bool {
        self.letters().all(|it| version.map_or(it.since == super::FIRST, |version| it.since <= *version))
    }

    /// Whether one of the letters is among them.
    pub fn have_any(self, letters: &str) -> bool {
        letters.chars().filter_map(place).any(|at| self.0 & (1 << at) != 0)
    }

    fn letters(self) -> impl Iterator<Item = &'static Letter> {
        LETTERS.iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, letter)| letter)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().try_for_each(|it| write!(f, "{}", it.letter))
    }
}

fn place(letter: char) -> Option<usize> {
    LETTERS.iter().position(|known| known.letter == letter)
}

fn collect(text: &str, is_allowed: impl Fn(&Letter) -> bool) -> Option<Permissions> {
    let mut found = 0;
    for letter in text.chars() {
        let at = place(letter).filter(|at| is_allowed(&LETTERS[*at]) && found & (1 << at) == 0)?;
        found |= 1 << at;
    }
    (found != 0).then_some(Permissions(found))
}
