//! Times as .NET formats them in the invariant culture: the standard formats, which are short names of
//! custom ones, and the custom ones.

use crate::time::{Civil, Timestamp};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The custom format behind a standard one (documented: Standard date and time format strings).
static STANDARD: &[(char, &str)] = &[
    ('d', "MM/dd/yyyy"),
    ('D', "dddd, dd MMMM yyyy"),
    ('f', "dddd, dd MMMM yyyy HH:mm"),
    ('F', "dddd, dd MMMM yyyy HH:mm:ss"),
    ('g', "MM/dd/yyyy HH:mm"),
    ('G', "MM/dd/yyyy HH:mm:ss"),
    ('m', "MMMM dd"),
    ('M', "MMMM dd"),
    ('o', "yyyy-MM-ddTHH:mm:ss.fffffffZ"),
    ('O', "yyyy-MM-ddTHH:mm:ss.fffffffZ"),
    ('r', "ddd, dd MMM yyyy HH:mm:ss GMT"),
    ('R', "ddd, dd MMM yyyy HH:mm:ss GMT"),
    ('s', "yyyy-MM-ddTHH:mm:ss"),
    ('t', "HH:mm"),
    ('T', "HH:mm:ss"),
    ('u', "yyyy-MM-dd HH:mm:ssZ"),
    ('U', "dddd, dd MMMM yyyy HH:mm:ss"),
    ('y', "yyyy MMMM"),
    ('Y', "yyyy MMMM"),
];

/// None where there is no such format.
pub(super) fn time(at: Timestamp, format: &str) -> Option<String> {
    let mut characters = format.chars();
    match (characters.next(), characters.next()) {
        (None, _) => None,
        (Some(letter), None) => {
            let (_, custom) = STANDARD.iter().find(|(name, _)| *name == letter)?;
            // Letters of these that stand for themselves are not among the specifiers, but for "GMT" and "Z".
            Some(spelled(&at.civil(), &custom.replace("GMT", "'GMT'")))
        }
        (Some(_), Some(_)) => Some(spelled(&at.civil(), format)),
    }
}

fn spelled(at: &Civil, format: &str) -> String {
    let characters: Vec<char> = format.chars().collect();
    let mut text = String::new();
    let mut from = 0;
    while let Some(&letter) = characters.get(from) {
        let run = characters[from..].iter().take_while(|it| **it == letter).count();
        let taken = match letter {
            '\'' | '"' => {
                let inside = characters[from + 1..].iter().take_while(|it| **it != letter).count();
                text.extend(&characters[from + 1..from + 1 + inside]);
                inside + 2
            }
            '\\' => {
                text.extend(characters.get(from + 1));
                2
            }
            '%' => 1,
            _ => {
                text.push_str(&part(at, letter, run));
                run
            }
        };
        from += taken;
    }
    text
}

/// What a specifier stands for; a letter that is none, itself.
fn part(at: &Civil, letter: char, run: usize) -> String {
    let number = |value: u32| if run == 1 { value.to_string() } else { format!("{value:02}") };
    let twelve = if at.hour.is_multiple_of(12) { 12 } else { at.hour % 12 };
    let month = MONTHS[at.month as usize - 1];
    let half = if at.hour < 12 { "AM" } else { "PM" };
    match (letter, run) {
        ('d', 1 | 2) => number(at.day),
        ('d', 3) => DAYS[at.weekday as usize][..3].to_owned(),
        ('d', _) => DAYS[at.weekday as usize].to_owned(),
        ('M', 1 | 2) => number(at.month),
        ('M', 3) => month[..3].to_owned(),
        ('M', _) => month.to_owned(),
        ('y', 1) => (at.year % 100).to_string(),
        ('y', 2) => format!("{:02}", at.year % 100),
        ('y', width) => format!("{:0width$}", at.year),
        ('h', _) => number(twelve),
        ('H', _) => number(at.hour),
        ('m', _) => number(at.minute),
        ('s', _) => number(at.second),
        ('f', _) => format!("{:09}", at.nanosecond)[..run.min(7)].to_owned(),
        ('F', _) => format!("{:09}", at.nanosecond)[..run.min(7)].trim_end_matches('0').to_owned(),
        ('t', 1) => half[..1].to_owned(),
        ('t', _) => half.to_owned(),
        ('z', 1) => "+0".to_owned(),
        ('z', 2) => "+00".to_owned(),
        ('z', _) => "+00:00".to_owned(),
        ('K', _) => "Z".repeat(run),
        (other, run) => other.to_string().repeat(run),
    }
}
