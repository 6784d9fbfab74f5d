//! Every operator that compares, one row each (conditions-format.md, "… comparison operators").

use std::cmp::Ordering;

use crate::{ids::Guid, time::Timestamp};

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// In any case.
    AnyCase,
    Integer,
    Bool,
    Guid,
    DateTime,
    TimeOfDay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equals,
    StartsWith,
    Like,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    relation: Relation,
    negated: bool,
    /// Whether it has the four quantifiers.
    pub(super) crosses: bool,
}

/// How many values of each side must satisfy the comparison: `ForAnyOfAllValues` is any of the left
/// side against all of the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantifier {
    pub(super) every_left: bool,
    pub(super) every_right: bool,
}

const QUANTIFIERS: [(&str, Quantifier); 4] = [
    ("ForAnyOfAnyValues", Quantifier { every_left: false, every_right: false }),
    ("ForAllOfAnyValues", Quantifier { every_left: true, every_right: false }),
    ("ForAnyOfAllValues", Quantifier { every_left: false, every_right: true }),
    ("ForAllOfAllValues", Quantifier { every_left: true, every_right: true }),
];

const fn is(name: &'static str, kind: Kind, relation: Relation, crosses: bool) -> Operator {
    Operator { name, kind, relation, negated: false, crosses }
}

const fn not(name: &'static str, kind: Kind, relation: Relation, crosses: bool) -> Operator {
    Operator { name, kind, relation, negated: true, crosses }
}

use Kind::{AnyCase, Bool, DateTime, Guid as GuidKind, Integer, Text, TimeOfDay};
use Relation::{Equals, Greater, GreaterOrEqual, Less, LessOrEqual, Like, StartsWith};

pub(super) static OPERATORS: [Operator; 34] = [
    is("StringEquals", Text, Equals, true),
    is("StringEqualsIgnoreCase", AnyCase, Equals, true),
    not("StringNotEquals", Text, Equals, true),
    not("StringNotEqualsIgnoreCase", AnyCase, Equals, true),
    is("StringStartsWith", Text, StartsWith, false),
    is("StringStartsWithIgnoreCase", AnyCase, StartsWith, false),
    not("StringNotStartsWith", Text, StartsWith, false),
    not("StringNotStartsWithIgnoreCase", AnyCase, StartsWith, false),
    is("StringLike", Text, Like, true),
    is("StringLikeIgnoreCase", AnyCase, Like, true),
    not("StringNotLike", Text, Like, true),
    not("StringNotLikeIgnoreCase", AnyCase, Like, true),
    is("NumericEquals", Integer, Equals, true),
    not("NumericNotEquals", Integer, Equals, true),
    is("NumericLessThan", Integer, Less, true),
    is("NumericLessThanEquals", Integer, LessOrEqual, true),
    is("NumericGreaterThan", Integer, Greater, true),
    is("NumericGreaterThanEquals", Integer, GreaterOrEqual, true),
    is("BoolEquals", Bool, Equals, false),
    not("BoolNotEquals", Bool, Equals, false),
    is("GuidEquals", GuidKind, Equals, true),
    not("GuidNotEquals", GuidKind, Equals, true),
    is("DateTimeEquals", DateTime, Equals, false),
    not("DateTimeNotEquals", DateTime, Equals, false),
    is("DateTimeLessThan", DateTime, Less, false),
    is("DateTimeLessThanEquals", DateTime, LessOrEqual, false),
    is("DateTimeGreaterThan", DateTime, Greater, false),
    is("DateTimeGreaterThanEquals", DateTime, GreaterOrEqual, false),
    is("TimeOfDayEquals", TimeOfDay, Equals, false),
    not("TimeOfDayNotEquals", TimeOfDay, Equals, false),
    is("TimeOfDayLessThan", TimeOfDay, Less, false),
    is("TimeOfDayLessThanEquals", TimeOfDay, LessOrEqual, false),
    is("TimeOfDayGreaterThan", TimeOfDay, Greater, false),
    is("TimeOfDayGreaterThanEquals", TimeOfDay, GreaterOrEqual, false),
];

/// `StringEquals`, or `ForAnyOfAnyValues:StringEquals`; in any case, as built-in roles write
/// `boolequals`.
pub(super) fn named(word: &str) -> Option<(Option<Quantifier>, &'static Operator)> {
    let (quantifier, name) = match word.split_once(':') {
        Some((quantifier, name)) => {
            let known = QUANTIFIERS.iter().find(|(it, _)| it.eq_ignore_ascii_case(quantifier))?;
            (Some(known.1), name)
        }
        None => (None, word),
    };
    Some((quantifier, OPERATORS.iter().find(|it| it.name.eq_ignore_ascii_case(name))?))
}

/// A value as an operator reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Bool(bool),
    Guid(Guid),
    /// Nanoseconds since 1970, or since midnight.
    Time(i64),
}

impl Kind {
    /// Whether a value in a condition is of this kind. Only text is always quoted.
    pub(super) fn takes(self, text: &str, is_quoted: bool) -> bool {
        let is_quoted_well = match self {
            Kind::Text | Kind::AnyCase => is_quoted,
            Kind::Integer | Kind::Bool => !is_quoted,
            Kind::Guid | Kind::DateTime | Kind::TimeOfDay => true,
        };
        is_quoted_well && self.read(text).is_some()
    }

    fn read(self, text: &str) -> Option<Value<'_>> {
        match self {
            Kind::Text | Kind::AnyCase => Some(Value::Text(text)),
            Kind::Integer => text.parse().ok().map(Value::Integer),
            Kind::Bool if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Kind::Bool => text.eq_ignore_ascii_case("false").then_some(Value::Bool(false)),
            Kind::Guid => text.parse().ok().map(Value::Guid),
            Kind::DateTime => Timestamp::parse_iso(text).map(|at| Value::Time(at.nanos())),
            Kind::TimeOfDay => time_of_day(text).map(Value::Time),
        }
    }
}

/// `09:30`, `09:30:00.0`, or the clock of a whole date.
fn time_of_day(text: &str) -> Option<i64> {
    const DAY: i64 = 24 * 3600 * 1_000_000_000;
    let whole = if text.contains('T') {
        Timestamp::parse_iso(text)
    } else {
        Timestamp::parse_iso(&format!("1970-01-01T{}Z", text.trim_end_matches('Z')))
    };
    whole.map(|at| at.nanos().rem_euclid(DAY))
}

impl Operator {
    /// `None` where a side is not of the operator's kind.
    pub(super) fn compare(&self, left: &str, right: &str) -> Option<bool> {
        let (left, right) = (self.kind.read(left)?, self.kind.read(right)?);
        let any_case = self.kind == Kind::AnyCase;
        let holds = match (self.relation, left, right) {
            (Equals, Value::Text(left), Value::Text(right)) => same(left, right, any_case),
            (StartsWith, Value::Text(left), Value::Text(right)) => {
                left.get(..right.len()).is_some_and(|start| same(start, right, any_case))
            }
            (Like, Value::Text(left), Value::Text(right)) => like(left, right, any_case),
            (relation, left, right) => relation.allows(left.cmp(&right)),
        };
        Some(holds != self.negated)
    }
}

impl Relation {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Equals => order.is_eq(),
            Less => order.is_lt(),
            LessOrEqual => order.is_le(),
            Greater => order.is_gt(),
            GreaterOrEqual => order.is_ge(),
            StartsWith | Like => false,
        }
    }
}

fn same(left: &str, right: &str, any_case: bool) -> bool {
    if any_case { left.eq_ignore_ascii_case(right) } else { left == right }
}

/// `*` stands for any run of characters, `?` for one, and a backslash takes that meaning away. Only
/// the last star is ever tried again: what an earlier one could give up, it can too.
fn like(text: &str, pattern: &str, any_case: bool) -> bool {
    let pattern = &pieces(pattern)[..];
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut piece) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Run) => {
                last_star = Some((piece, at));
                piece += 1;
            }
            Some(it) if it.takes(text[at], any_case) => {
                at += 1;
                piece += 1;
            }
            _ => {
                let Some((star, from)) = last_star else { return false };
                last_star = Some((star, from + 1));
                (at, piece) = (from + 1, star + 1);
            }
        }
    }
    pattern[piece..].iter().all(|it| matches!(it, Piece::Run))
}

enum Piece {
    Run,
    One,
    Letter(char),
}

impl Piece {
    fn takes(&self, letter: char, any_case: bool) -> bool {
        match self {
            Piece::Run => false,
            Piece::One => true,
            Piece::Letter(own) if any_case => own.eq_ignore_ascii_case(&letter),
            Piece::Letter(own) => *own == letter,
        }
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut letters = pattern.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(letter) = letters.next() {
        pieces.push(match letter {
            '*' => Piece::Run,
            '?' => Piece::One,
            '\\' => Piece::Letter(letters.next_if(|next| "*?\\".contains(*next)).unwrap_or('\\')),
            _ => Piece::Letter(letter),
        });
    }
    pieces
}
