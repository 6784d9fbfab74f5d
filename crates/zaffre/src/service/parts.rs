//! The request line and the headers, as every service reads them.

use http::{HeaderMap, Method, request};

use azure::text;

use super::fault::Fault;
use crate::door::Door;

/// Azure's front ends take 16 to 64 KB, by product; nothing that a client of ours sends comes near it.
const HEAD_LIMIT: usize = 64 << 10;

/// A request without its body. The path and the query are kept as they came, for signatures, and
/// decoded once, for everything else.
pub struct Parts {
    pub method: Method,
    pub door: Door,
    /// `host[:port]` as the client wrote it, in lower case: answers that point somewhere use it.
    pub authority: String,
    /// The path as it came, percent signs and all. Never empty.
    pub raw_path: String,
    /// The path decoded once; what is not UTF-8 leaves it `None`.
    pub path: Option<String>,
    pub raw_query: String,
    /// The query's pairs, decoded, in order; empty where they are not UTF-8.
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    /// What is wrong with the head itself, whatever service it is for: the one path begins with refusing it.
    pub fault: Option<Fault>,
}

impl Parts {
    pub fn new(door: Door, head: request::Parts) -> Self {
        let authority = head
            .uri
            .authority()
            .map(|authority| authority.as_str())
            .or_else(|| head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let raw_path = match head.uri.path() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        let raw_query = head.uri.query().unwrap_or_default().to_owned();
        let query = text::form_decode(&raw_query);
        // A query that is dropped would make another operation of the request: what a parameter says may be
        // all that tells a change of metadata from one of the content.
        let unread = query.is_none().then_some(Fault::BadHead);
        let too_long = (length(&head) > HEAD_LIMIT).then_some(Fault::HeadTooLarge);
        Parts {
            method: head.method,
            door,
            authority,
            path: text::percent_decode(&raw_path),
            raw_path,
            query: query.unwrap_or_default(),
            raw_query,
            fault: head.extensions.get::<Fault>().copied().or(too_long).or(unread),
            headers: head.headers,
        }
    }

    /// The authority without its port.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// `https://host[:port]` as the client reached it, for the links in answers.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.door.scheme(), self.authority)
    }

    /// A header's value; one that is not text counts as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a query parameter, its name compared without case.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first query parameter name that comes twice, if one does.
    pub fn repeated_query(&self) -> Option<&str> {
        let mut seen: Vec<&str> = Vec::new();
        self.query.iter().map(|(name, _)| name.as_str()).find(|name| {
            let again = seen.iter().any(|other| other.eq_ignore_ascii_case(name));
            seen.push(name);
            again
        })
    }
}

/// How long a head is, but for the few bytes between its parts.
fn length(head: &request::Parts) -> usize {
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let target = head.uri.path_and_query().map_or(0, |it| it.as_str().len());
    headers.sum::<usize>() + target
}
