//! `format`: .NET's composite formatting, `{index[,alignment][:format]}`, in the invariant culture.

use serde_json::Value;

use super::{Arguments, codes};
use crate::error::Result;

/// The widest that an item is made.
const WIDEST: usize = 4096;

pub(super) fn format(arguments: &Arguments<'_>) -> Result<Value> {
    let pattern = arguments.text(0)?;
    let bad = || codes::BAD_FORMAT.with([pattern, arguments.function]);
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(bad());
        }
        let (item, after) = rest.split_once('}').ok_or_else(bad)?;
        text.push_str(&filled(item, &arguments.values[1..]).ok_or_else(bad)?);
        rest = after;
    }
    text.push_str(rest);
    super::text::within_limit(arguments.function, text)
}

/// One item: `0`, `0,10`, `0:N0`, `0,-10:D4`.
fn filled(item: &str, values: &[Value]) -> Option<String> {
    let (head, format) = item.split_once(':').map_or((item, ""), |(head, format)| (head, format));
    let (index, alignment) =
        head.split_once(',').map_or((head, "0"), |(index, alignment)| (index, alignment));
    let value = values.get(index.trim().parse::<usize>().ok()?)?;
    let alignment: i64 = alignment.trim().parse().ok()?;
    let text = match (value, format) {
        (Value::Number(number), format) if !format.is_empty() => match number.as_i64() {
            Some(int) => whole(int, format)?,
            None => broken(number.as_f64()?, format)?,
        },
        (value, _) => super::shown(value),
    };
    let width = usize::try_from(alignment.unsigned_abs()).ok().filter(|it| *it <= WIDEST)?;
    Some(if alignment < 0 { format!("{text:<width$}") } else { format!("{text:>width$}") })
}

/// A standard format where it is a letter and a precision, else a custom one.
fn whole(int: i64, format: &str) -> Option<String> {
    let letter = format.chars().next()?;
    let digits = &format[letter.len_utf8()..];
    let is_standard =
        letter.is_ascii_alphabetic() && digits.len() <= 2 && digits.bytes().all(|it| it.is_ascii_digit());
    if !is_standard {
        return Some(custom(int, format));
    }
    let precision = digits.parse::<usize>().ok();
    let sign = if int < 0 { "-" } else { "" };
    let size = int.unsigned_abs();
    let behind = |count: usize| if count == 0 { String::new() } else { format!(".{}", "0".repeat(count)) };
    match letter.to_ascii_uppercase() {
        'D' => Some(format!("{sign}{size:0>width$}", width = precision.unwrap_or(0))),
        'G' | 'R' => Some(int.to_string()),
        'N' => Some(format!("{sign}{}{}", grouped(&size.to_string()), behind(precision.unwrap_or(2)))),
        'F' => Some(format!("{sign}{size}{}", behind(precision.unwrap_or(2)))),
        'C' => {
            let money = format!("\u{a4}{}{}", grouped(&size.to_string()), behind(precision.unwrap_or(2)));
            Some(if int < 0 { format!("({money})") } else { money })
        }
        'P' => {
            let hundredfold = grouped(&(u128::from(size) * 100).to_string());
            Some(format!("{sign}{hundredfold}{} %", behind(precision.unwrap_or(2))))
        }
        'E' => Some(scientific(int as f64, precision.unwrap_or(6), letter)),
        'X' if letter == 'X' => Some(format!("{int:0>width$X}", width = precision.unwrap_or(0))),
        'X' => Some(format!("{int:0>width$x}", width = precision.unwrap_or(0))),
        'B' => Some(format!("{int:0>width$b}", width = precision.unwrap_or(0))),
        _ => None,
    }
}

fn broken(number: f64, format: &str) -> Option<String> {
    let letter = format.chars().next()?;
    let precision = format[letter.len_utf8()..].parse::<usize>().unwrap_or(2).min(99);
    let fixed = format!("{:.precision$}", number.abs());
    let (front, behind) = fixed
        .split_once('.')
        .map_or((fixed.as_str(), String::new()), |(front, behind)| (front, format!(".{behind}")));
    let sign = if number < 0.0 { "-" } else { "" };
    match letter.to_ascii_uppercase() {
        'F' => Some(format!("{sign}{front}{behind}")),
        'N' => Some(format!("{sign}{}{behind}", grouped(front))),
        'E' => Some(scientific(number, precision, letter)),
        'G' | 'R' => Some(number.to_string()),
        _ => None,
    }
}

/// `1.234560E+003`.
fn scientific(number: f64, precision: usize, letter: char) -> String {
    let plain = format!("{number:.precision$e}");
    let (mantissa, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
    format!("{mantissa}{letter}{sign}{size:0>3}")
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `000`, `#,##0`, `0.00`, with other characters as they are: as far as whole numbers need it.
fn custom(int: i64, format: &str) -> String {
    let is_place = |it: char| matches!(it, '0' | '#' | ',' | '.');
    let (Some(first), Some(last)) = (format.find(is_place), format.rfind(is_place)) else {
        return format.to_owned();
    };
    let places = &format[first..=last];
    let (front, behind) = places.split_once('.').unwrap_or((places, ""));
    let least = front.find('0').map_or(0, |at| front[at..].chars().filter(|it| *it != ',').count());
    let mut digits = int.unsigned_abs().to_string();
    if digits == "0" && least == 0 {
        digits.clear();
    }
    let digits = format!("{digits:0>least$}");
    let digits = if front.contains(',') { grouped(&digits) } else { digits };
    let zeros = behind.chars().filter(|it| *it == '0').count();
    let fraction = if zeros == 0 { String::new() } else { format!(".{}", "0".repeat(zeros)) };
    let sign = if int < 0 { "-" } else { "" };
    format!("{sign}{}{digits}{fraction}{}", &format[..first], &format[last + 1..])
}
