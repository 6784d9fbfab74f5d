//! Cosmos DB's `authorization` header, and the payloads its master keys sign (cosmos.md §2).
//!
//! ```text
//! type=master&ver=1.0&sig={base64(HMAC-SHA256(key, payload))}      percent-encoded or not
//!
//! payload = verb \n resource type \n resource link \n x-ms-date \n date or nothing \n
//! ```
//!
//! All of it is in lower case but the link, whose names keep theirs. A link by ids is in lower case,
//! and some SDKs sign only its last id. `payloads` gives every payload an SDK may have signed, the
//! documented one first, which is what an error shows; the HMAC is computed elsewhere.

use crate::text::{base64_decode, percent_decode};

/// How a request proves itself. It has neither `Debug` nor `PartialEq`: tokens and signatures are secrets.
pub enum Authorization {
    /// Signed with one of the account's keys.
    Master { signature: Vec<u8> },
    /// A token of Entra ID.
    Aad { token: String },
    /// A token the account made for a user of its own.
    Resource { token: String },
}

/// The header is not `type=…&ver=…&sig=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAuthorization;

impl std::fmt::Display for BadAuthorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an authorization is `type=…&ver=…&sig=…`")
    }
}

impl std::error::Error for BadAuthorization {}

impl Authorization {
    /// Reads the header, encoded or raw. Neither base64 nor a token has a percent sign, so one
    /// decoding serves both; a `+` stays a `+`.
    pub fn parse(header: &str) -> Result<Self, BadAuthorization> {
        let text = percent_decode(header.trim()).ok_or(BadAuthorization)?;
        let (head, signature) = text.split_once("&sig=").ok_or(BadAuthorization)?;
        let mut pairs = head.split('&').filter_map(|pair| pair.split_once('='));
        let mut value = |name: &str| pairs.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|it| it.1);
        let kind = value("type").ok_or(BadAuthorization)?;
        let version = value("ver").ok_or(BadAuthorization)?;
        if !matches!(version, "1.0" | "1") || signature.is_empty() {
            return Err(BadAuthorization);
        }
        match kind.to_ascii_lowercase().as_str() {
            "master" => {
                let signature = base64_decode(signature).ok_or(BadAuthorization)?;
                Ok(Authorization::Master { signature })
            }
            "aad" => Ok(Authorization::Aad { token: signature.to_owned() }),
            "resource" => Ok(Authorization::Resource { token: signature.to_owned() }),
            _ => Err(BadAuthorization),
        }
    }
}

/// What a master key's signature covers, as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub verb: &'a str,
    /// Percent-encoded, with whatever slashes it came.
    pub path: &'a str,
    pub x_ms_date: &'a str,
    pub date: &'a str,
    /// The collection `//addresses` is asked about, by id or by name (`$resolveFor`).
    pub resolve_for: Option<&'a str>,
}

/// Every payload a client may have signed, each once.
pub fn payloads(request: &Request<'_>) -> Vec<String> {
    let decoded = percent_decode(request.path);
    let mut found = Vec::new();
    for path in decoded.as_deref().into_iter().chain([request.path]) {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (kinds, link) = subject(&segments, request.resolve_for);
        for link in spellings(&link) {
            for kind in &kinds {
                let payload = request.payload(kind, &link);
                if !found.contains(&payload) {
                    found.push(payload);
                }
            }
        }
    }
    found
}

impl Request<'_> {
    fn payload(&self, kind: &str, link: &str) -> String {
        let lower = str::to_ascii_lowercase;
        let (verb, kind) = (lower(self.verb), lower(kind));
        format!("{verb}\n{kind}\n{link}\n{}\n{}\n", lower(self.x_ms_date), lower(self.date))
    }
}

/// The resource types that may be signed for a path, and the link. A path that ends in a type is a
/// feed, which signs its parent; one that ends in an id signs itself.
fn subject<'a>(segments: &[&'a str], resolve_for: Option<&'a str>) -> (Vec<&'a str>, String) {
    match segments {
        ["addresses"] => (vec!["docs"], resolve_for.unwrap_or("").trim_matches('/').to_owned()),
        ["offers", rid] => (vec!["offers"], rid.to_ascii_lowercase()),
        // The Python SDK signs the container, the others a type of its own (cosmos.md §2.1).
        [collection @ .., "operations", "partitionkeydelete"] => {
            (vec!["partitionkey", "colls"], collection.join("/"))
        }
        [.., kind, _] if segments.len().is_multiple_of(2) => (vec![*kind], segments.join("/")),
        [parent @ .., kind] => (vec![*kind], parent.join("/")),
        [] => (vec![""], String::new()),
    }
}

/// By name; by ids, in lower case; by the last id alone, in lower case.
fn spellings(link: &str) -> [String; 3] {
    let lower = link.to_ascii_lowercase();
    let last = lower.rsplit('/').next().unwrap_or("").to_owned();
    [link.to_owned(), lower, last]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn request<'a>(verb: &'a str, path: &'a str) -> Request<'a> {
        Request { verb, path, x_ms_date: "Thu, 27 Apr 2017 00:51:12 GMT", date: "", resolve_for: None }
    }

    /// The example of "Access control on Cosmos DB resources" in the REST documentation.
    #[test]
    fn the_documented_payload_comes_first() {
        let payloads = payloads(&request("GET", "/dbs/ToDoList"));
        assert_eq!(payloads[0], "get\ndbs\ndbs/ToDoList\nthu, 27 apr 2017 00:51:12 gmt\n\n");
    }

    /// The table of cosmos.md §2.1.
    #[test]
    fn each_path_has_its_type_and_link() {
        for (path, kind, link) in [
            ("/", "", ""),
            ("", "", ""),
            ("/dbs", "dbs", ""),
            ("/dbs/D", "dbs", "dbs/D"),
            ("/dbs/D/colls", "colls", "dbs/D"),
            ("/dbs/D/colls/C", "colls", "dbs/D/colls/C"),
            ("//dbs/D/colls/C/", "colls", "dbs/D/colls/C"),
            ("/dbs/D/colls/C/docs", "docs", "dbs/D/colls/C"),
            ("/dbs/D/colls/C/docs/X", "docs", "dbs/D/colls/C/docs/X"),
            ("/dbs/D/colls/C/docs/a%20b", "docs", "dbs/D/colls/C/docs/a b"),
            ("/dbs/D/colls/C/docs/a%20b", "docs", "dbs/D/colls/C/docs/a%20b"),
            ("/dbs/D/colls/C/pkranges", "pkranges", "dbs/D/colls/C"),
            ("/dbs/D/colls/C/sprocs/S", "sprocs", "dbs/D/colls/C/sprocs/S"),
            ("/dbs/D/colls/C/operations/partitionkeydelete", "colls", "dbs/D/colls/C"),
            ("/dbs/D/colls/C/operations/partitionkeydelete", "partitionkey", "dbs/D/colls/C"),
            ("/offers", "offers", ""),
            ("/offers/AbC=", "offers", "abc="),
            ("/dbs/Xy==/colls/XyZ=/docs", "docs", "xyz="),
            ("/dbs/Xy==/colls/XyZ=/docs", "docs", "dbs/xy==/colls/xyz="),
            ("/dbs/D/users/U/permissions/P", "permissions", "dbs/D/users/U/permissions/P"),
        ] {
            let payload = format!("post\n{kind}\n{link}\nthu, 27 apr 2017 00:51:12 gmt\n\n");
            assert!(payloads(&request("POST", path)).contains(&payload), "{path} {kind} {link}");
        }
    }

    #[test]
    fn addresses_are_signed_for_their_collection() {
        let request = Request { resolve_for: Some("AbC="), ..request("GET", "//addresses/") };
        let payloads = payloads(&request);
        assert!(payloads.contains(&"get\ndocs\nabc=\nthu, 27 apr 2017 00:51:12 gmt\n\n".to_owned()));
    }

    #[test]
    fn another_case_of_a_name_or_another_verb_is_not_signed_for() {
        let payloads = payloads(&request("GET", "/dbs/D/colls/c"));
        for wrong in ["get\ncolls\ndbs/d/colls/C", "put\ncolls\ndbs/D/colls/c", "get\ndbs\ndbs/D/colls/c"] {
            assert!(!payloads.iter().any(|payload| payload.starts_with(wrong)), "{wrong}");
        }
    }

    #[test]
    fn the_header_is_read_encoded_and_raw() {
        let master = || Some(("master", vec![0xfb, 0xff]));
        let token = |kind, text: &str| Some((kind, text.as_bytes().to_vec()));
        let shown = |it: Authorization| match it {
            Authorization::Master { signature } => ("master", signature),
            Authorization::Aad { token } => ("aad", token.into_bytes()),
            Authorization::Resource { token } => ("resource", token.into_bytes()),
        };
        for (header, read) in [
            ("type%3Dmaster%26ver%3D1.0%26sig%3D%2B%2f8%3D", master()),
            ("type%3dmaster%26ver%3d1.0%26sig%3d%2b/8%3d", master()),
            ("type=master&ver=1.0&sig=+/8=", master()),
            ("type=master&ver=1.0&sig=+/8", master()),
            ("type=aad&ver=1.0&sig=a.b.c-_", token("aad", "a.b.c-_")),
            ("type%3daad%26ver%3d1.0%26sig%3da.b.c", token("aad", "a.b.c")),
            ("type=resource&ver=1&sig=x==;y=;", token("resource", "x==;y=;")),
            ("type=master&ver=1.0&sig=", None),
            ("type=master&ver=1.0&sig=!", None),
            ("type=master&ver=2.0&sig=AAAA", None),
            ("type=master&sig=AAAA", None),
            ("type=other&ver=1.0&sig=AAAA", None),
            ("ver=1.0&sig=AAAA", None),
            ("Bearer a.b.c", None),
            ("", None),
        ] {
            assert_eq!(Authorization::parse(header).ok().map(shown), read, "{header}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(header in "\\PC{0,40}", path in "\\PC{0,40}") {
            let _ = Authorization::parse(&header);
            prop_assert!(!payloads(&request("GET", &path)).is_empty());
        }

        #[test]
        fn slashes_that_are_doubled_or_trail_change_nothing(names in "(/[a-zA-Z]{1,3}){0,5}") {
            let doubled = names.replace('/', "//") + "/";
            prop_assert_eq!(payloads(&request("GET", &names))[0].clone(), payloads(&request("GET", &doubled))[0].clone());
        }
    }
}
