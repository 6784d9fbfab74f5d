//! Whom a connection says that it is for: the name in TLS's first message, and in the head of a request by HTTP. Pure.
//!
//! Any port is listened to. What speaks neither, or waits for the other side to speak first, is nobody's business here. A connection whose
//! names are all others' goes on; one of Microsoft's names, or a TLS message that nobody can read, ends it before a byte was passed on. What
//! comes later on the same connection is not looked at.

use guest::Heard;
use rustls::server::Acceptor;

use super::super::route::{self, Target};

/// A first message longer than this has something to hide.
const LONGEST: usize = 32 << 10;
/// TLS's type of record for a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;
/// Longer than any method of HTTP that is registered.
const METHOD: usize = 20;

pub(super) fn hear(first: &[u8]) -> Heard {
    let heard = match first.first() {
        None => Heard::Unclear,
        Some(&HANDSHAKE) => tls(first),
        Some(_) => http(first),
    };
    match heard {
        Heard::Unclear if first.len() >= LONGEST => Heard::Forbidden,
        heard => heard,
    }
}

fn tls(first: &[u8]) -> Heard {
    let mut acceptor = Acceptor::default();
    let mut rest = first;
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return Heard::Forbidden;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                return accepted.client_hello().server_name().map_or(Heard::Fine, of_name);
            }
            Err(_) => return Heard::Forbidden,
        }
    }
    Heard::Unclear
}

fn http(first: &[u8]) -> Heard {
    // Servers pass over empty lines before a request (RFC 9112 §2.2).
    let begin = first.iter().position(|it| !matches!(it, b'\r' | b'\n')).unwrap_or(first.len());
    let text = &first[begin..];
    let method = text.iter().position(|it| !(it.is_ascii_uppercase() || *it == b'-')).unwrap_or(text.len());
    match text.get(method) {
        _ if method > METHOD => return Heard::Fine,
        None => return Heard::Unclear,
        Some(b' ') if method > 0 => {}
        Some(_) => return Heard::Fine,
    }
    let mut lines = text.split_inclusive(|it| *it == b'\n');
    let request = lines.next().unwrap_or_default();
    if !request.ends_with(b"\n") {
        return Heard::Unclear;
    }
    let request = String::from_utf8_lossy(request);
    let mut words = request.split_whitespace().skip(1);
    let (target, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !version.starts_with("HTTP/1") {
        return Heard::Fine;
    }
    let mut head = String::new();
    for line in lines {
        match line {
            b"\r\n" | b"\n" => return of_names(target, &head),
            line if !line.ends_with(b"\n") => return Heard::Unclear,
            // Goes on with the line before (RFC 9112 §5.2).
            [b' ' | b'\t', ..] => head.truncate(head.trim_end().len()),
            _ => {}
        }
        head.push_str(&String::from_utf8_lossy(line));
    }
    Heard::Unclear
}

/// The host that a request's target names, as one that is for a proxy does, and all those in its head.
fn of_names(target: &str, head: &str) -> Heard {
    let authority = target.split_once("://").map_or(target, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let hosts =
        headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("host")).map(|(_, value)| value.trim());
    let is_forbidden = [authority].into_iter().chain(hosts).any(|it| of_name(bare(it)) == Heard::Forbidden);
    if is_forbidden { Heard::Forbidden } else { Heard::Fine }
}

/// Without user and port.
fn bare(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

fn of_name(name: &str) -> Heard {
    match route::by_name(name) {
        Target::Foreign => Heard::Fine,
        _ => Heard::Forbidden,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use rustls_pki_types::ServerName;

    use super::*;

    /// What a client says first to a server of this name.
    fn hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(RootCertStore::empty());
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client =
            ClientConnection::new(Arc::new(config.with_no_client_auth()), name).expect("a client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("writes");
        bytes
    }

    #[test]
    fn tls_to_a_name_of_microsofts_is_cut_wherever_it_goes() {
        for (name, expected) in [
            ("example.org", Heard::Fine),
            ("azure.com.example.org", Heard::Fine),
            ("198.51.100.7", Heard::Fine),
            ("management.azure.com", Heard::Forbidden),
            ("LOGIN.microsoftonline.com", Heard::Forbidden),
            ("acct.blob.core.windows.net", Heard::Forbidden),
            ("vault.azure.net", Heard::Forbidden),
            ("aka.ms", Heard::Forbidden),
        ] {
            let hello = hello(name);
            assert_eq!(hear(&hello), expected, "{name}");
            for length in 1..hello.len() {
                assert_eq!(
                    hear(&hello[..length]),
                    Heard::Unclear,
                    "{name}: {length} bytes of {}",
                    hello.len()
                );
            }
        }
    }

    #[test]
    fn a_message_in_pieces_is_put_together_and_one_that_nobody_can_read_is_cut() {
        let whole = hello("management.azure.com");
        let body = &whole[5..];
        let records = body.chunks(7).flat_map(|it| [&[0x16, 3, 1, 0, it.len() as u8], it].concat());
        assert_eq!(hear(&records.collect::<Vec<_>>()), Heard::Forbidden);
        for bytes in
            [&[0x16, 9, 9, 0, 1, 1, 0][..], &[0x16, 3, 1, 0xff, 0xff, 1], &[0x16, 3, 1, 0, 4, 2, 0, 0, 0]]
        {
            assert_eq!(hear(bytes), Heard::Forbidden, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_request_to_a_name_of_microsofts_is_cut() {
        use Heard::{Fine, Forbidden, Unclear};
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", Fine),
            ("GET / HTTP/1.1\r\nHost: management.azure.com\r\n\r\n", Forbidden),
            ("GET / HTTP/1.1\nHOST:Management.Azure.Com:80\n\n", Forbidden),
            ("\r\n\nGET / HTTP/1.1\r\nhost : vault.azure.net.\r\n\r\n", Forbidden),
            ("GET / HTTP/1.1\r\nHost: example.org\r\nHost: aka.ms\r\n\r\n", Forbidden),
            ("GET / HTTP/1.1\r\nHost:\r\n aka.ms\r\n\r\n", Forbidden),
            ("GET / HTTP/1.1\r\nX: 1\r\nHost: 169.254.169.254\r\n\r\n", Forbidden),
            ("GET http://u:p@aka.ms:80/x HTTP/1.1\r\nHost: example.org\r\n\r\n", Forbidden),
            ("CONNECT login.microsoftonline.com:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", Forbidden),
            ("PROPFIND / HTTP/1.0\r\nHost: aka.ms\r\n\r\n", Forbidden),
            ("GET /aka.ms HTTP/1.1\r\nHost: example.org\r\nReferer: https://aka.ms\r\n\r\n", Fine),
            ("GET / HTTP/1.1\r\nHost: example.org\r\n", Unclear),
            ("GET / HTTP/1.1\r\nHost: exam", Unclear),
            ("GET / HT", Unclear),
            ("GET", Unclear),
            ("\r\n", Unclear),
            ("", Unclear),
            ("SSH-2.0-OpenSSH_9.6\r\n", Fine),
            ("EHLO me\r\n", Fine),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Fine),
            ("*1\r\n$4\r\nPING\r\n", Fine),
            ("get / HTTP/1.1\r\nHost: aka.ms\r\n\r\n", Fine),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Fine),
        ] {
            assert_eq!(hear(text.as_bytes()), expected, "{text:?}");
        }
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(LONGEST));
        assert_eq!(hear(endless.as_bytes()), Forbidden);
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_panics(start in prop::sample::select(vec![&b""[..], &[0x16, 3, 1], b"GET / HTTP/1.1\r\nHost"]), rest in prop::collection::vec(any::<u8>(), 0..300)) {
            hear(&[start, &rest].concat());
        }
    }
}
