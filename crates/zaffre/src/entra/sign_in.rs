//! The pages a browser sees: signing in to an application, and answering for a device.
//!
//! Nothing of a page is remembered: the form comes back to the address it was shown at, with the whole
//! request in its query, and is judged anew. There are no cookies, so another site's form can do no more
//! than a stranger who knows the password.

use azure::{
    error::{Error, Result},
    text,
};
use serde_json::json;

use super::{codes, form::Form, users};
use crate::{
    directory::{
        Application, applications,
        sessions::{self, Challenge, Code},
    },
    service::{Body, Cx, Parts, Reply},
    store::Txn,
};

/// Where people answer for a device. Azure's own name for it, `microsoft.com/devicelogin`, leads there.
pub(super) const DEVICE_PAGE: &str = "https://login.microsoftonline.com/common/oauth2/deviceauth";

/// What an application asks for.
pub(crate) struct Authorize {
    form: Form,
    is_sent: bool,
    is_form: bool,
}

impl Authorize {
    /// `is_sent`: the person has filled in the page.
    pub(super) fn read(parts: &Parts, is_form: bool) -> Result<Self> {
        Ok(Authorize {
            form: Form::of(parts.query.clone())?,
            is_sent: parts.method == http::Method::POST,
            is_form,
        })
    }
}

/// A request that may be answered at its redirect URI.
struct Accepted<'f> {
    application: Application,
    redirect_uri: &'f str,
    mode: &'f str,
}

pub(super) async fn authorize(cx: &Cx, asked: Authorize, body: Body) -> Result<Reply> {
    let accepted = cx.read(|txn| accept(cx, txn, &asked.form)).await?;
    if let Err(error) = check_response_type(asked.form.required("response_type")?) {
        return Ok(back(cx, &asked, &accepted, refused(cx, &error)));
    }
    let challenge = match challenge(&asked.form) {
        Ok(challenge) => challenge,
        Err(error) => return Ok(back(cx, &asked, &accepted, refused(cx, &error))),
    };
    let application = &accepted.application.display_name;
    if !asked.is_sent {
        let hint = asked.form.get("login_hint").unwrap_or_default();
        return Ok(page(200, application, hint, None, ""));
    }
    let sent = Form::read(asked.is_form, body).await?;
    if sent.get("cancel").is_some() {
        return Ok(back(cx, &asked, &accepted, refused(cx, &Error::from(&codes::CANCELED))));
    }
    let (name, password) =
        (sent.get("username").unwrap_or_default(), sent.get("password").unwrap_or_default());
    let user = match users::believed(cx, name, password).await {
        Ok(user) => user,
        Err(error) if error.row.status < 500 => {
            return Ok(page(200, application, name, Some(&error.message()), ""));
        }
        Err(error) => return Err(error),
    };
    let code = Code {
        user: user.object_id,
        client: accepted.application.client_id,
        redirect_uri: accepted.redirect_uri.to_owned(),
        scopes: asked.form.get("scope").unwrap_or("openid").to_owned(),
        nonce: asked.form.get("nonce").map(str::to_owned),
        challenge,
        expires: cx.now.plus(sessions::CODE_LIFETIME),
        is_redeemed: false,
        is_replayed: false,
    };
    let draw = cx.draw();
    let secret = cx.write(|txn| sessions::give_code(txn, &mut draw.clone(), &code)).await?;
    let ids = json!({ "uid": user.object_id, "utid": cx.cloud.charter.tenant });
    let fields = vec![
        ("code", secret),
        ("client_info", text::base64url(ids.to_string())),
        ("session_state", cx.draw().guid().to_string()),
    ];
    Ok(back(cx, &asked, &accepted, fields))
}

/// A refusal that the application hears of.
fn refused(cx: &Cx, error: &Error) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("error", codes::oauth(error.row).to_owned()),
        ("error_description", codes::description(cx, error)),
    ];
    fields.extend(codes::number(error.row).map(|number| ("error_uri", codes::page_of(number))));
    fields
}

/// Codes alone are given here: no application has asked for tokens in the address, which is off unless one does.
fn check_response_type(asked: &str) -> Result<()> {
    let has = |word: &str| asked.split_ascii_whitespace().any(|it| it == word);
    match asked {
        "code" => Ok(()),
        _ if has("id_token") => Err((&codes::NO_ID_TOKEN_HERE).into()),
        _ if has("token") => Err((&codes::NO_TOKEN_HERE).into()),
        other => Err(codes::NO_SUCH_RESPONSE_TYPE.with([other])),
    }
}

/// Nothing is sent to an address that the application does not name.
fn accept<'f>(cx: &Cx, txn: &Txn, form: &'f Form) -> Result<Accepted<'f>> {
    let client = form.required("client_id")?;
    let unknown = || codes::APPLICATION_NOT_FOUND.with([client, &cx.cloud.charter.display_name]);
    let id = client.parse().map_err(|_| unknown())?;
    let application = applications::get(txn, id)?.ok_or_else(unknown)?;
    let redirect_uri = form.required("redirect_uri")?;
    if !application.redirect_uris().iter().any(|known| is_allowed(known, redirect_uri)) {
        return Err(codes::REDIRECT_URI_MISMATCH.with([redirect_uri, client]));
    }
    let mode = form.get("response_mode").unwrap_or("query");
    match ["query", "fragment", "form_post"].contains(&mode) {
        true => Ok(Accepted { application, redirect_uri, mode }),
        false => Err((&codes::MALFORMED).into()),
    }
}

/// To the letter; but a loopback address may have any port (RFC 8252 §7.3).
fn is_allowed(known: &str, asked: &str) -> bool {
    known == asked || loopback(known).is_some_and(|known| Some(known) == loopback(asked))
}

/// Host and path of a loopback address, without its port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_port = port.parse::<u16>().is_ok() && port.bytes().all(|it| it.is_ascii_digit());
    let path = if path == "/" { "" } else { path };
    (["localhost", "127.0.0.1"].contains(&host) && is_port).then_some((host, path))
}

fn challenge(form: &Form) -> Result<Option<Challenge>> {
    match (form.get("code_challenge"), form.get("code_challenge_method").unwrap_or("plain")) {
        (None, _) => Ok(None),
        // A digest without padding; in full, a verifier may have up to 128 (RFC 7636 §4.1).
        (Some(text), "S256") if text.len() != 43 => Err((&codes::BAD_CHALLENGE).into()),
        (Some(text), "plain") if !(43..=128).contains(&text.len()) => Err((&codes::BAD_CHALLENGE).into()),
        (Some(text), "S256") => Ok(Some(Challenge::S256(text.to_owned()))),
        (Some(text), "plain") => Ok(Some(Challenge::Plain(text.to_owned()))),
        (Some(_), _) => Err((&codes::MALFORMED).into()),
    }
}

/// The browser sent back to the application, with these fields and its own state.
fn back(cx: &Cx, asked: &Authorize, to: &Accepted<'_>, mut fields: Vec<(&'static str, String)>) -> Reply {
    if let Some(state) = asked.form.get("state") {
        fields.push(("state", state.to_owned()));
    }
    if to.mode == "form_post" {
        return posting(cx, to.redirect_uri, &fields);
    }
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", text::percent_encode(value))).collect();
    let sign = match (to.mode, to.redirect_uri.contains('?')) {
        ("fragment", _) => '#',
        (_, true) => '&',
        (_, false) => '?',
    };
    Reply::new(302).with("location", format!("{}{sign}{}", to.redirect_uri, pairs.join("&")))
}

/// A page that posts itself to the application.
fn posting(cx: &Cx, to: &str, fields: &[(&str, String)]) -> Reply {
    let hidden: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
        .collect();
    let nonce = text::base64url(cx.draw().bytes::<16>());
    let body = format!(
        "<!DOCTYPE html><html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" action=\"{}\">{hidden}\
         <noscript><button>Continue</button></noscript></form>\
         <script nonce=\"{nonce}\">document.forms[0].submit()</script></body></html>",
        escaped(to)
    );
    html(200, body, &format!("script-src 'nonce-{nonce}'"))
}

fn html(status: u16, body: String, scripts: &str) -> Reply {
    Reply::new(status)
        .typed("text/html; charset=utf-8", body)
        .with(
            "content-security-policy",
            format!("default-src 'none'; style-src 'unsafe-inline'; {scripts}; frame-ancestors 'none'"),
        )
        .with("x-frame-options", "DENY")
        .with("referrer-policy", "no-referrer")
}

fn page(status: u16, title: &str, name: &str, error: Option<&str>, more: &str) -> Reply {
    let error = error.map(|it| format!("<p role=\"alert\">{}</p>", escaped(it))).unwrap_or_default();
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>Sign in</title><style>body{{font:16px sans-serif;max-width:24em;margin:4em auto}}\
         input,button{{display:block;width:100%;margin:.5em 0;padding:.5em;box-sizing:border-box}}</style></head><body>\
         <h1>Sign in</h1><p>to {}</p>{error}<form method=\"POST\">{more}\
         <input name=\"username\" placeholder=\"someone@example.com\" autocomplete=\"username\" value=\"{}\" autofocus>\
         <input name=\"password\" type=\"password\" placeholder=\"Password\" autocomplete=\"current-password\">\
         <button>Sign in</button><button name=\"cancel\" value=\"1\">Cancel</button></form></body></html>",
        escaped(title),
        escaped(name)
    );
    html(status, body, "script-src 'none'")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A refusal that a person reads.
pub(super) fn refusal(error: &Error) -> Reply {
    let text = format!("{}: {}", error.row.code, error.message());
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>Sign in</title></head><body><h1>Sorry, but we’re having trouble signing you in.</h1><p>{}</p></body></html>",
        escaped(&text)
    );
    html(error.row.status, body, "script-src 'none'")
}

const CODE_FIELD: &str = "<input name=\"user_code\" placeholder=\"Code\" autocomplete=\"off\">";

/// The page of a device's code: shown, or filled in.
pub(super) async fn device(cx: &Cx, is_sent: bool, is_form: bool, body: Body) -> Result<Reply> {
    let ask = |name: &str, error: Option<&str>| page(200, "your device", name, error, CODE_FIELD);
    if !is_sent {
        return Ok(ask("", None));
    }
    let sent = Form::read(is_form, body).await?;
    let of = |name: &str| sent.get(name).unwrap_or_default();
    let answer = match (sent.get("cancel"), users::believed(cx, of("username"), of("password")).await) {
        (Some(_), _) => sessions::Answer::Declined,
        (None, Ok(user)) => sessions::Answer::Approved(user.object_id),
        (None, Err(error)) if error.row.status < 500 => {
            return Ok(ask(of("username"), Some(&error.message())));
        }
        (None, Err(error)) => return Err(error),
    };
    let is_waiting = cx.write(|txn| sessions::answer_device(txn, of("user_code"), answer, cx.now)).await?;
    if !is_waiting {
        return Ok(ask(of("username"), Some("That code didn't work. Check the code and try again.")));
    }
    let body = "<!DOCTYPE html><html lang=\"en\"><head><title>Done</title></head><body><p>You may now close this window.</p></body></html>";
    Ok(html(200, body.to_owned(), "script-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_the_registered_one_and_no_look_alike() {
        for (known, asked, is_same) in [
            ("http://localhost", "http://localhost:53215", true),
            ("http://localhost", "http://localhost:53215/", true),
            ("http://localhost", "http://localhost", true),
            ("https://app.example/cb", "https://app.example/cb", true),
            ("http://localhost", "http://localhost.example:80", false),
            ("http://localhost", "http://localhost:80@evil.example", false),
            ("http://localhost", "http://localhost:1/other", false),
            ("http://localhost", "http://127.0.0.1:1", false),
            ("http://localhost", "https://localhost:1", false),
            ("https://app.example/cb", "https://app.example/cb/", false),
            ("https://app.example/cb", "https://app.example/cb?x=1", false),
            ("https://app.example/cb", "https://APP.example/cb", false),
        ] {
            assert_eq!(is_allowed(known, asked), is_same, "{known} {asked}");
        }
    }
}
