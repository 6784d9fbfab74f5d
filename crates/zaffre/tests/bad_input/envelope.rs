//! What every refusal of a protocol looks like, whatever was wrong.

use quick_xml::{Reader, events::Event};
use serde_json::Value;

use crate::world::{Answer, Ask, Protocol};

/// Why the answer is none that the protocol's clients can read; nothing where it is.
pub(super) fn fault(ask: &Ask, answer: &Answer) -> Option<String> {
    if answer.status < 400 || (answer.status == 304) {
        return None;
    }
    if answer.status >= 500 && answer.status != 501 {
        return Some(format!("a fault of ours: {}", answer.status));
    }
    let wrong = match ask.protocol {
        Protocol::Blob => storage(ask, answer),
        Protocol::Text => {
            held(answer.header("content-type").starts_with("text/plain"), "is not declared as text")
        }
        Protocol::Entra if answer.header("content-type").starts_with("text/html") => page(ask, answer),
        _ if ask.method == "HEAD" => answer.body.is_empty().then_some(()).ok_or("HEAD has a body"),
        _ if !answer.header("content-type").starts_with("application/json") => Err("is not declared as JSON"),
        Protocol::Arm => resource_manager(answer),
        Protocol::Graph => graph(&answer.json()),
        Protocol::AzureAdGraph => azure_ad_graph(&answer.json()),
        Protocol::Plain => error_object(&answer.json()),
        Protocol::Entra => entra(&answer.json()),
        Protocol::Imds => imds(&answer.json()),
        Protocol::Cosmos => cosmos(answer),
    };
    wrong.err().map(|why| format!("{why}: {}", answer.text().chars().take(300).collect::<String>()))
}

type Held = Result<(), &'static str>;

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn held(holds: bool, else_: &'static str) -> Held {
    if holds { Ok(()) } else { Err(else_) }
}

fn error_object(body: &Value) -> Held {
    held(is_text(&body["error"]["code"]), "no error.code")?;
    held(is_text(&body["error"]["message"]), "no error.message")
}

fn resource_manager(answer: &Answer) -> Held {
    error_object(&answer.json())?;
    held(!answer.header("x-ms-request-id").is_empty(), "no x-ms-request-id")?;
    held(
        answer.status != 401 || answer.header("www-authenticate").starts_with("Bearer "),
        "401 without a challenge",
    )
}

fn graph(body: &Value) -> Held {
    error_object(body)?;
    for name in ["date", "request-id", "client-request-id"] {
        held(is_text(&body["error"]["innerError"][name]), "no innerError")?;
    }
    Ok(())
}

fn azure_ad_graph(body: &Value) -> Held {
    let error = &body["odata.error"];
    held(is_text(&error["code"]), "no odata.error.code")?;
    held(is_text(&error["message"]["value"]), "no odata.error.message.value")?;
    held(is_text(&error["requestId"]) && is_text(&error["date"]), "no requestId or date")
}

fn entra(body: &Value) -> Held {
    held(is_text(&body["error"]), "no error")?;
    for name in ["error_description", "timestamp", "trace_id", "correlation_id"] {
        held(is_text(&body[name]), name)?;
    }
    let numbers = body["error_codes"].as_array().ok_or("no error_codes")?;
    let description = body["error_description"].as_str().unwrap_or_default();
    let agree = |number: &Value| description.starts_with(&format!("AADSTS{number}: "));
    held(numbers.iter().all(agree), "error_codes and error_description disagree")
}

/// What a browser shows is a page: it says what is wrong, and runs nothing.
fn page(ask: &Ask, answer: &Answer) -> Held {
    let path = ask.target.split('?').next().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase();
    held(path.ends_with("/authorize") || path.ends_with("/deviceauth"), "is not declared as JSON")?;
    let policy = answer.header("content-security-policy");
    held(
        policy.contains("default-src 'none'") && policy.contains("script-src 'none'"),
        "a page with scripts",
    )?;
    held(ask.method == "HEAD" || answer.text().contains("<p>"), "a page that says nothing")
}

fn imds(body: &Value) -> Held {
    held(is_text(&body["error"]), "no error")?;
    let described = body.get("error_description");
    held(described.is_none_or(is_text), "an empty error_description")
}

fn cosmos(answer: &Answer) -> Held {
    let body = answer.json();
    held(is_text(&body["code"]), "no code")?;
    held(is_text(&body["message"]), "no message")?;
    held(!answer.header("x-ms-activity-id").is_empty(), "no x-ms-activity-id")?;
    held(!answer.header("x-ms-substatus").is_empty(), "no x-ms-substatus")
}

fn storage(ask: &Ask, answer: &Answer) -> Held {
    let code = answer.header("x-ms-error-code");
    held(!code.is_empty(), "no x-ms-error-code")?;
    held(!answer.header("x-ms-request-id").is_empty(), "no x-ms-request-id")?;
    if ask.method == "HEAD" {
        return held(answer.body.is_empty(), "HEAD has a body");
    }
    held(answer.header("content-type") == "application/xml", "is not declared as XML")?;
    let text = std::str::from_utf8(&answer.body).map_err(|_| "is not UTF-8")?;
    held(is_well_formed(text), "is not well-formed XML")?;
    held(text.contains(&format!("<Error><Code>{code}</Code><Message>")), "Code is not x-ms-error-code")
}

/// Parsed to its end, and of characters that XML may hold.
fn is_well_formed(text: &str) -> bool {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return text.chars().all(allowed),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
