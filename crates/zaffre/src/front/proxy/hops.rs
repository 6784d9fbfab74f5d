//! Headers between two hops: what stays behind when a message is passed on, and what is added.

use azure::text;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, header};

/// Headers that concern one hop alone (RFC 9110 §7.6.1), and our own credentials.
static HOPS: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        listed(headers, header::CONNECTION).filter_map(|it| it.parse().ok()).collect();
    for name in HOPS.iter().chain(&named) {
        headers.remove(name);
    }
    headers.remove("proxy-connection");
}

fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// What a connection is to be switched to, where that was asked for (RFC 9110 §7.8).
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_asked = listed(headers, header::CONNECTION).any(|it| it.eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| is_asked).cloned()
}

/// Asks the next hop for a switch, or tells the last one of it.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Says that we passed it on (RFC 9110 §7.6.3).
pub(super) fn sign(headers: &mut HeaderMap, version: Version, name: &str) {
    let version = if version == Version::HTTP_2 { "2" } else { "1.1" };
    if let Ok(value) = HeaderValue::from_str(&format!("{version} {name}")) {
        headers.append(header::VIA, value);
    }
}

/// All of them, as one header.
pub(super) fn signatures(headers: &HeaderMap) -> HeaderValue {
    let all: Vec<&str> = listed(headers, header::VIA).collect();
    HeaderValue::from_str(&all.join(", ")).expect("parts of headers are text")
}

/// Whether we passed it on before: then the way leads back to us, without end.
pub(super) fn is_signed(headers: &HeaderMap, name: &str) -> bool {
    listed(headers, header::VIA).any(|it| it.split(' ').nth(1) == Some(name))
}

/// The request as the next hop expects it: the host in its header, no word of this hop. What it was to be switched to is
/// asked for again.
pub(super) fn pass_on<B>(request: &mut Request<B>, name: &str) {
    let authority = request.uri().authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok());
    let (version, protocol) = (request.version(), upgrade(request.headers()));
    strip(request.headers_mut());
    sign(request.headers_mut(), version, name);
    *request.version_mut() = Version::HTTP_11;
    if let Some(authority) = authority {
        request.headers_mut().insert(header::HOST, authority);
    }
    if let Some(protocol) = protocol {
        set_upgrade(request.headers_mut(), protocol);
    }
}

/// The same of an answer.
pub(super) fn pass_back<B>(response: &mut Response<B>, name: &str) {
    let (version, protocol) = (response.version(), upgrade(response.headers()));
    strip(response.headers_mut());
    sign(response.headers_mut(), version, name);
    if let Some(protocol) = protocol.filter(|_| response.status() == http::StatusCode::SWITCHING_PROTOCOLS) {
        set_upgrade(response.headers_mut(), protocol);
    }
}

/// The target as a server that is no proxy reads it: a path.
pub(super) fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.map_or_else(|| Uri::from_static("/"), Uri::from)
}

/// The secret in `Proxy-Authorization: Basic vm:SECRET`.
pub(super) fn secret(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::PROXY_AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = text::base64_decode(encoded.trim()).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let decoded = String::from_utf8(decoded).ok()?;
    decoded.strip_prefix("vm:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn headers_of_one_hop_stay_behind() {
        let mut all = headers(&[
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic eA=="),
            ("x-stays", "1"),
        ]);
        strip(&mut all);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["x-stays"]);
    }

    #[test]
    fn a_switch_is_asked_for_by_both_headers() {
        for (all, asked) in [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")] as &[_], Some("websocket")),
            (&[("upgrade", "websocket")], None),
            (&[("connection", "upgrade")], None),
        ] {
            assert_eq!(upgrade(&headers(all)), asked.map(HeaderValue::from_static), "{all:?}");
        }
    }

    #[test]
    fn a_message_that_we_passed_on_before_is_known_again() {
        for (via, is_ours) in [
            (&[] as &[_], false),
            (&[("via", "1.1 squid (squid/6.1), 1.1 zaffre-1a")], true),
            (&[("via", "1.1 squid"), ("via", "2 zaffre-1a")], true),
            (&[("via", "1.1 zaffre-1abc")], false),
        ] {
            assert_eq!(is_signed(&headers(via), "zaffre-1a"), is_ours, "{via:?}");
        }
    }

    #[test]
    fn a_secret_comes_as_basic_credentials_of_the_user_vm() {
        for (value, expected) in [
            (format!("Basic {}", text::base64(b"vm:s3cret")), Some("s3cret")),
            (format!("basic {}", text::base64(b"vm:a:b")), Some("a:b")),
            (format!("Basic {}", text::base64(b"user:s3cret")), None),
            (format!("Bearer {}", text::base64(b"vm:s3cret")), None),
            ("Basic %%%".to_owned(), None),
            ("Basic".to_owned(), None),
        ] {
            let all = headers(&[("proxy-authorization", &value)]);
            assert_eq!(secret(&all).as_deref(), expected, "{value}");
        }
    }
}
