//! Shared Key: the strings a storage account's key may have signed (blob.md §4).
//!
//! ```text
//! Authorization: SharedKey {account}:{base64(HMAC-SHA256(key, string to sign))}
//!
//! VERB \n eleven headers \n … \n        canonical headers      canonical resource
//!                                       x-ms-…:value \n        /account/path \n name:value
//! ```
//!
//! Clients do not agree on every byte: some sort headers as Windows does, some swap two of the eleven,
//! some sign a secondary's name and some do not. `candidates` gives every string that Azure would
//! take, the plainest first; a request is genuine when either key has signed any of them. The first
//! is what an error shows. The HMAC itself is computed elsewhere.

use std::{borrow::Cow, collections::BTreeMap};

use crate::text::{base64_decode, percent_decode};

/// What the signature covers, as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Names in any case, values without surrounding blanks.
    pub headers: &'a [(&'a str, &'a str)],
    /// Percent-encoded, beginning with `/`; empty stands for `/`.
    pub path: &'a str,
    /// Percent-encoded, without `?`.
    pub query: &'a str,
    /// Without `-secondary`.
    pub account: &'a str,
    /// Whether the request came to the account's secondary.
    pub is_secondary: bool,
}

/// What an `Authorization` header says of a shared key.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// No header, or another scheme's.
    Absent,
    Signature(Signature<'a>),
    /// Shared Key's scheme, and not its form.
    Malformed,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub scheme: Scheme,
    pub account: &'a str,
    /// As it was sent, for the error that quotes it.
    pub text: &'a str,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    SharedKey,
    SharedKeyLite,
}

impl<'a> Presented<'a> {
    pub fn parse(authorization: Option<&'a str>) -> Self {
        let Some(header) = authorization else { return Presented::Absent };
        let (word, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        let scheme = match word {
            _ if word.eq_ignore_ascii_case("SharedKey") => Scheme::SharedKey,
            _ if word.eq_ignore_ascii_case("SharedKeyLite") => Scheme::SharedKeyLite,
            _ => return Presented::Absent,
        };
        let parts =
            rest.trim().split_once(':').filter(|(account, text)| !account.is_empty() && !text.is_empty());
        let signature = parts.and_then(|(account, text)| {
            Some(Signature { scheme, account, text, bytes: base64_decode(text)? })
        });
        signature.map_or(Presented::Malformed, Presented::Signature)
    }
}

/// Every string a client may have signed, each once.
pub fn candidates(scheme: Scheme, request: &Request<'_>) -> Vec<String> {
    let starts = match scheme {
        Scheme::SharedKey => request.full_starts(),
        Scheme::SharedKeyLite => request.lite_starts(),
    };
    let (headers, resources) = (request.canonical_headers(), request.canonical_resources(scheme));
    let mut found = Vec::new();
    for start in &starts {
        for headers in &headers {
            found.extend(resources.iter().map(|resource| format!("{start}{headers}{resource}")));
        }
    }
    unique(found)
}

/// Before this version an empty body's length was signed as `0`.
const EMPTY_LENGTH_SINCE: &str = "2015-02-21";

impl<'a> Request<'a> {
    fn header(&self, name: &str) -> &'a str {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The verb and the eleven headers.
    fn full_starts(&self) -> Vec<String> {
        let (encoding, language) = (self.header("content-encoding"), self.header("content-language"));
        let rest = ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"];
        let rest = rest.map(|name| self.header(name)).join("\n");
        let (md5, kind) = (self.header("content-md5"), self.header("content-type"));
        let mut starts = Vec::new();
        // The JavaScript SDK puts the language first (blob.md §4).
        for (first, second) in [(encoding, language), (language, encoding)] {
            for length in self.lengths() {
                for date in self.dates() {
                    let method = self.method.to_ascii_uppercase();
                    starts.push(format!(
                        "{method}\n{first}\n{second}\n{length}\n{md5}\n{kind}\n{date}\n{rest}\n"
                    ));
                }
            }
        }
        unique(starts)
    }

    fn lite_starts(&self) -> Vec<String> {
        let (md5, kind) = (self.header("content-md5"), self.header("content-type"));
        let start = |date| format!("{}\n{md5}\n{kind}\n{date}\n", self.method.to_ascii_uppercase());
        self.dates().into_iter().map(start).collect()
    }

    fn lengths(&self) -> Vec<&'a str> {
        let (length, version) = (self.header("content-length"), self.header("x-ms-version"));
        match length {
            "" | "0" if version >= EMPTY_LENGTH_SINCE => vec![""],
            "" => vec!["", "0"],
            _ => vec![length],
        }
    }

    /// The date's line is empty where `x-ms-date` is given; a client that sends both may have signed
    /// what it sent, as Azurite expects.
    fn dates(&self) -> Vec<&'a str> {
        let date = self.header("date");
        match self.header("x-ms-date") {
            "" => vec![date],
            _ if date.is_empty() => vec![""],
            _ => vec!["", date],
        }
    }

    /// The `x-ms-` headers by name, in the two orders there are.
    fn canonical_headers(&self) -> Vec<String> {
        let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-ms-") {
                values.entry(name).or_default().push(value.trim());
            }
        }
        let mut lines: Vec<_> = values.into_iter().map(|(name, values)| (name, values.join(","))).collect();
        let print = |lines: &[(String, String)]| -> String {
            lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
        };
        let ordinal = print(&lines);
        lines.sort_by_cached_key(|(name, _)| windows_weight(name));
        unique(vec![ordinal, print(&lines)])
    }

    fn canonical_resources(&self, scheme: Scheme) -> Vec<String> {
        let queries = match scheme {
            Scheme::SharedKey => canonical_queries(self.query),
            Scheme::SharedKeyLite => vec![comp_of(self.query)],
        };
        let paths = self.resource_paths();
        paths.iter().flat_map(|path| queries.iter().map(move |query| format!("{path}{query}"))).collect()
    }

    /// The account and the path. In path style the path names the account once more. A client of
    /// the secondary signs its name with or without `-secondary`.
    fn resource_paths(&self) -> Vec<String> {
        let (account, path) = (self.account, if self.path.is_empty() { "/" } else { self.path });
        let mut paths = vec![format!("/{account}{path}")];
        if self.is_secondary {
            let secondary = format!("{account}-secondary");
            let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(secondary.as_str()));
            let in_path_style = below.filter(|below| below.is_empty() || below.starts_with('/'));
            if let Some(below) = in_path_style {
                paths.push(format!("/{account}/{account}{below}"));
            }
            paths.push(format!("/{secondary}{path}"));
        }
        paths
    }
}

/// Weights in which a hyphen counts last, as Windows compares words: both SDKs sort headers so.
/// Where names differ by hyphens alone, the one whose hyphen comes later is first.
fn windows_weight(name: &str) -> (Vec<usize>, Vec<bool>) {
    const ORDER: &str = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
    let weights = name.chars().filter_map(|c| ORDER.find(c)).collect();
    (weights, name.chars().map(|c| c == '-').collect())
}

/// `\nname:value` for each parameter, by name; a `+` is itself to some clients and a blank to others.
fn canonical_queries(query: &str) -> Vec<String> {
    let mut found = vec![canonical_query(query)];
    if query.contains('+') {
        found.push(canonical_query(&query.replace('+', "%20")));
    }
    found
}

fn canonical_query(query: &str) -> String {
    let mut values: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (name, value) in pairs(query) {
        values.entry(name).or_default().push(value);
    }
    let line = |(name, mut values): (String, Vec<Cow<'_, str>>)| {
        values.sort();
        format!("\n{name}:{}", values.join(","))
    };
    values.into_iter().map(line).collect()
}

fn comp_of(query: &str) -> String {
    let comp = pairs(query).find(|(name, _)| name == "comp");
    comp.map_or_else(String::new, |(_, value)| format!("?comp={value}"))
}

fn pairs(query: &str) -> impl Iterator<Item = (String, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name).to_ascii_lowercase(), decoded(value))
    })
}

/// Decoded where it is text; else as it was sent, which no client signs.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn unique(texts: Vec<String>) -> Vec<String> {
    let mut seen = Vec::with_capacity(texts.len());
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const VERSION: (&str, &str) = ("x-ms-version", "2021-12-02");

    fn get<'a>(headers: &'a [(&'a str, &'a str)], path: &'a str, query: &'a str) -> Request<'a> {
        Request { method: "GET", headers, path, query, account: "myaccount", is_secondary: false }
    }

    fn signs(request: &Request<'_>, text: &str) -> bool {
        candidates(Scheme::SharedKey, request).iter().any(|candidate| candidate == text)
    }

    /// The examples of "Authorize with Shared Key" in the Storage REST documentation.
    #[test]
    fn the_documented_examples_come_first() {
        let headers = [("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"), ("x-ms-version", "2015-02-21")];
        let request = get(&headers, "/mycontainer", "restype=container&comp=metadata&timeout=20");
        assert_eq!(
            candidates(Scheme::SharedKey, &request),
            ["GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
              /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"]
        );
        let headers = [
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("x-ms-date", "Sun, 20 Sep 2009 20:36:40 GMT"),
            ("x-ms-meta-m1", "v1"),
            ("x-ms-meta-m2", "v2"),
        ];
        let put =
            Request { method: "PUT", account: "testaccount1", ..get(&headers, "/mycontainer/hello.txt", "") };
        assert_eq!(
            candidates(Scheme::SharedKeyLite, &put),
            [
                "PUT\n\ntext/plain; charset=UTF-8\n\nx-ms-date:Sun, 20 Sep 2009 20:36:40 GMT\nx-ms-meta-m1:v1\n\
              x-ms-meta-m2:v2\n/testaccount1/mycontainer/hello.txt"
            ]
        );
    }

    #[test]
    fn the_eleven_headers_have_their_lines_and_two_of_them_may_be_swapped() {
        let headers = [
            ("Content-Encoding", "gzip"),
            ("Content-Language", "de"),
            ("content-length", "5"),
            ("Content-MD5", "md5"),
            ("Content-Type", "text/plain"),
            ("If-Modified-Since", "ims"),
            ("If-Match", "im"),
            ("If-None-Match", "inm"),
            ("If-Unmodified-Since", "ius"),
            ("Range", "bytes=0-1"),
            ("Date", "now"),
            VERSION,
        ];
        let request = Request { method: "put", ..get(&headers, "/c/b", "") };
        let rest =
            "5\nmd5\ntext/plain\nnow\nims\nim\ninm\nius\nbytes=0-1\nx-ms-version:2021-12-02\n/myaccount/c/b";
        assert_eq!(
            candidates(Scheme::SharedKey, &request),
            [format!("PUT\ngzip\nde\n{rest}"), format!("PUT\nde\ngzip\n{rest}")]
        );
    }

    #[test]
    fn an_empty_bodys_length_is_signed_by_version() {
        let tail =
            |version: &str| format!("\n\n\n\n\n\n\n\n\nx-ms-date:d\nx-ms-version:{version}\n/myaccount/");
        for (version, length, lines) in [
            ("2015-02-21", Some("0"), vec![""]),
            ("2015-02-21", None, vec![""]),
            ("2014-02-14", Some("0"), vec!["0"]),
            ("2014-02-14", None, vec!["", "0"]),
            ("2021-12-02", Some("7"), vec!["7"]),
        ] {
            let mut headers = vec![("x-ms-date", "d"), ("x-ms-version", version)];
            headers.extend(length.map(|length| ("Content-Length", length)));
            let found = candidates(Scheme::SharedKey, &get(&headers, "", ""));
            let expected: Vec<_> =
                lines.iter().map(|line| format!("GET\n\n\n{line}{}", tail(version))).collect();
            assert_eq!(found, expected, "{version} {length:?}");
        }
    }

    #[test]
    fn both_orders_of_headers_are_taken() {
        let headers = [("x-ms-meta-a-b", "1"), ("X-Ms-Meta-AB", "2"), ("x-ms-meta-ac", " 3 ")];
        let request = get(&headers, "/", "");
        let start = "GET\n".to_owned() + &"\n".repeat(11);
        for order in [
            "x-ms-meta-a-b:1\nx-ms-meta-ab:2\nx-ms-meta-ac:3\n",
            "x-ms-meta-ab:2\nx-ms-meta-a-b:1\nx-ms-meta-ac:3\n",
        ] {
            assert!(signs(&request, &format!("{start}{order}/myaccount/")), "{order}");
        }
        assert!(!signs(
            &request,
            &format!("{start}x-ms-meta-ac:3\nx-ms-meta-ab:2\nx-ms-meta-a-b:1\n/myaccount/")
        ));
    }

    #[test]
    fn the_path_stays_as_sent_and_the_query_is_decoded_lower_cased_and_sorted() {
        for (path, query, resources) in [
            ("/c/a%20b%2Fc", "", vec!["/myaccount/c/a%20b%2Fc"]),
            ("/myaccount/c", "", vec!["/myaccount/myaccount/c"]),
            ("/c", "Prefix=a%2Fb&comp=list", vec!["/myaccount/c\ncomp:list\nprefix:a/b"]),
            ("/c", "include=metadata&include=copy", vec!["/myaccount/c\ninclude:copy,metadata"]),
            ("/c", "prefix=a+b", vec!["/myaccount/c\nprefix:a+b", "/myaccount/c\nprefix:a b"]),
            ("/c", "comp", vec!["/myaccount/c\ncomp:"]),
            ("/c", "x=%2541", vec!["/myaccount/c\nx:%41"]),
        ] {
            let start = "GET\n".to_owned() + &"\n".repeat(11) + "x-ms-version:2021-12-02\n";
            let expected: Vec<_> = resources.iter().map(|resource| format!("{start}{resource}")).collect();
            assert_eq!(
                candidates(Scheme::SharedKey, &get(&[VERSION], path, query)),
                expected,
                "{path}?{query}"
            );
        }
        let lite = candidates(Scheme::SharedKeyLite, &get(&[], "/c", "restype=container&comp=acl"));
        assert_eq!(lite, ["GET\n\n\n\n/myaccount/c?comp=acl"]);
    }

    #[test]
    fn a_secondary_is_signed_with_its_suffix_or_without() {
        for (path, resources) in [
            ("/c/b", vec!["/myaccount/c/b", "/myaccount-secondary/c/b"]),
            ("/myaccount-secondary/c", vec!["/myaccount/myaccount-secondary/c", "/myaccount/myaccount/c"]),
        ] {
            let request = Request { is_secondary: true, ..get(&[], path, "") };
            let start = "GET\n".to_owned() + &"\n".repeat(11);
            for resource in resources {
                assert!(signs(&request, &format!("{start}{resource}")), "{resource}");
            }
        }
        assert!(
            !candidates(Scheme::SharedKey, &get(&[], "/c", "")).iter().any(|it| it.contains("-secondary"))
        );
    }

    #[test]
    fn an_authorization_header_is_absent_a_signature_or_malformed() {
        let signature = |scheme| {
            Presented::Signature(Signature { scheme, account: "a", text: "c2ln", bytes: b"sig".to_vec() })
        };
        for (header, presented) in [
            (None, Presented::Absent),
            (Some("Bearer x"), Presented::Absent),
            (Some("SharedKeyring a:c2ln"), Presented::Absent),
            (Some("SharedKey a:c2ln"), signature(Scheme::SharedKey)),
            (Some("sharedkeylite a:c2ln"), signature(Scheme::SharedKeyLite)),
            (Some("SharedKey"), Presented::Malformed),
            (Some("SharedKey a"), Presented::Malformed),
            (Some("SharedKey :c2ln"), Presented::Malformed),
            (Some("SharedKey a:"), Presented::Malformed),
            (Some("SharedKey a:!"), Presented::Malformed),
        ] {
            assert_eq!(Presented::parse(header), presented, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_headers_came_in_does_not_matter(
            headers in prop::collection::btree_map("x-ms-[a-c-]{1,4}", "[a-z]{0,3}", 0..6), at in 0..6usize
        ) {
            let sorted: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut rotated = sorted.clone();
            rotated.rotate_left(at.min(sorted.len()));
            let of = |headers: &[(&str, &str)]| candidates(Scheme::SharedKey, &get(headers, "/c", ""));
            prop_assert_eq!(of(&sorted), of(&rotated));
        }

        #[test]
        fn candidates_are_few_and_differ(path in "/\\PC{0,9}", query in "\\PC{0,19}", is_secondary: bool) {
            let request = Request { is_secondary, ..get(&[("content-encoding", "x"), ("date", "d"), ("x-ms-date", "e")], &path, &query) };
            let found = candidates(Scheme::SharedKey, &request);
            prop_assert!((1..=48).contains(&found.len()));
            prop_assert_eq!(unique(found.clone()), found);
        }
    }
}
