//! Chance: good requests, changed a little anywhere, are never a fault of ours and never beyond their envelope.
//!
//! The corpus is `good.rs` and every request of the transcripts. Each round draws one, changes one to four things of it,
//! signs it anew, and sends it. The seed is fixed; `ZAFFRE_FUZZ_SEED` and `ZAFFRE_FUZZ_ROUNDS` change what is drawn and
//! how often. What a long run finds is mended where it broke, with its smallest case beside the neighbours there.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use zaffre::{
    cloud::{Chance, Draw},
    door::{Door, Entrance},
};

use super::{good, once};
use crate::world::{AAD_GRAPH, ARM, Ask, Auth, ENTRA, GRAPH, METADATA, Protocol, World};

const ROUNDS: u64 = 4_000;
/// After so many rounds the cloud has changed so much that a fresh one shows more.
const ROUNDS_A_CLOUD: u64 = 2_000;

/// What a change may put in: what parsers stumble over.
const MORSELS: &[&[u8]] = &[
    b"%",
    b"%00",
    b"%2f",
    b"%2e%2e",
    b"%ff",
    b"%c0%af",
    b"%0d%0a",
    b"..",
    b"/",
    b"//",
    b"?",
    b"&",
    b"=",
    b"#",
    b";",
    b"\"",
    b"'",
    b"\\",
    b"<",
    b">",
    b"]]>",
    b"<!--",
    b"&amp;",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"2147483648",
    b"\xff",
    b"\xc3\xa9",
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"true",
    b"*",
    b"W/\"\"",
    b"bytes=",
    b"-",
    b",",
    b" ",
    b"\t",
    b"9999-12-31T23:59:59.9999999Z",
    b"Thu, 31 Dec 9999 23:59:59 GMT",
    b"0000-00-00",
    b"\xf0\x9f\xa6\x8a",
    b"\xef\xbb\xbf",
    b"(",
    b")",
    b"$",
    b"@",
];

/// Headers that some service reads.
const NAMES: &[&str] = &[
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "range",
    "x-ms-range",
    "content-type",
    "content-length",
    "content-md5",
    "x-ms-content-crc64",
    "x-ms-version",
    "x-ms-blob-type",
    "x-ms-meta-a",
    "x-ms-blob-content-type",
    "x-ms-blob-public-access",
    "x-ms-lease-id",
    "x-ms-access-tier",
    "x-ms-range-get-content-md5",
    "x-ms-delete-snapshots",
    "x-ms-documentdb-partitionkey",
    "x-ms-max-item-count",
    "x-ms-continuation",
    "x-ms-session-token",
    "x-ms-consistency-level",
    "x-ms-offer-throughput",
    "x-ms-cosmos-offer-autopilot-settings",
    "x-ms-documentdb-is-upsert",
    "x-ms-documentdb-isquery",
    "x-ms-documentdb-query-enablecrosspartition",
    "a-im",
    "prefer",
    "x-ms-activity-id",
    "x-ms-date",
    "date",
    "metadata",
    "x-forwarded-for",
    "expect",
    "origin",
    "accept",
    "x-ms-client-request-id",
    "x-ms-correlation-request-id",
    "x-ms-cosmos-intended-collection-rid",
    "x-ms-copy-source",
];

const PARAMETERS: &[&str] = &[
    "api-version",
    "$top",
    "$skiptoken",
    "$filter",
    "$expand",
    "$select",
    "comp",
    "restype",
    "prefix",
    "delimiter",
    "marker",
    "maxresults",
    "include",
    "snapshot",
    "versionid",
    "blockid",
    "blocklisttype",
    "timeout",
    "resource",
    "client_id",
    "object_id",
    "msi_res_id",
    "format",
    "forceDeletionTypes",
    "$resolveFor",
    "sig",
    "se",
];

struct Fuzz {
    draw: Draw,
    corpus: Vec<Ask>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_a_good_request_is_a_fault_of_ours() {
    let rounds = number("ZAFFRE_FUZZ_ROUNDS").unwrap_or(ROUNDS);
    let mut draw = Chance::seeded(number("ZAFFRE_FUZZ_SEED").unwrap_or(1)).draw();
    let (mut wrong, mut statuses) = (BTreeMap::new(), BTreeMap::<u16, u64>::new());
    for batch in 0..rounds.div_ceil(ROUNDS_A_CLOUD) {
        let world = World::new().await;
        // What the furnished cloud has an answer to is drawn more often.
        let good = good::asks(&world);
        let corpus = [good.clone(), good.clone(), good, transcripts(&world)].concat();
        let mut fuzz = Fuzz { draw: draw.clone(), corpus };
        for _ in 0..(rounds - batch * ROUNDS_A_CLOUD).min(ROUNDS_A_CLOUD) {
            let ask = fuzz.next();
            match once(&world, &ask).await {
                Ok(answer) => *statuses.entry(answer.status).or_default() += 1,
                Err(None) => {}
                Err(Some(why)) => {
                    // One example of each kind.
                    let kind: String = why.chars().take(40).collect();
                    wrong
                        .entry((ask.title.clone(), kind))
                        .or_insert_with(|| format!("{why}\n{}", shown(&ask)));
                }
            }
        }
        draw = fuzz.draw;
    }
    println!("answers by status: {statuses:?}");
    let wrong: Vec<String> = wrong.into_values().collect();
    assert!(wrong.is_empty(), "{} kinds of wrong answers:\n{}", wrong.len(), wrong.join("\n"));
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn shown(ask: &Ask) -> String {
    let headers: String = ask
        .headers
        .iter()
        .map(|(name, value)| format!("\n    {name}: {}", String::from_utf8_lossy(value).escape_debug()))
        .collect();
    let body = String::from_utf8_lossy(&ask.body).chars().take(400).collect::<String>();
    format!("  {} {} {}{headers}\n    {}\n", ask.method, ask.host, ask.target, body.escape_debug())
}

/// Every request of the transcripts whose service a furnished cloud can stand for.
fn transcripts(world: &World) -> Vec<Ask> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = ["arm", "entra", "graph", "imds", "blob", "cosmos"]
        .iter()
        .filter_map(|service| Some((*service, fs::read_dir(folder.join(service)).ok()?)))
        .flat_map(|(service, files)| files.map(move |file| (service, file.expect("an entry").path())))
        .collect();
    paths.sort();
    let read = |(service, path): (&str, std::path::PathBuf)| {
        let text = fs::read_to_string(path).expect("a transcript is text");
        text.split("### ").skip(1).filter_map(|it| exchange(world, service, it)).collect::<Vec<_>>()
    };
    paths.into_iter().flat_map(read).collect()
}

/// The request of an exchange, by the world's own identities: only its form is of interest here.
fn exchange(world: &World, service: &str, text: &str) -> Option<Ask> {
    let text = text
        .replace("{{subscription}}", &world.cloud.charter.subscription.to_string())
        .replace("{{tenant}}", &world.cloud.charter.tenant.to_string());
    let (title, rest) = text.split_once('\n')?;
    let request = rest.split("\n---").next()?;
    let from = request.lines().position(|line| !line.starts_with('@'))?;
    let lines: Vec<&str> = request.lines().skip(from).collect();
    let (method, target) = lines.first()?.split_once(' ')?;
    let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
    let headers = lines[1..end].iter().filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, Vec<u8>)> = headers
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
        .collect();
    let host = headers.iter().find(|(name, _)| name == "host");
    let host = host.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let named = Door::named(world.cloud.id);
    let (protocol, door, host, auth) = match (service, host) {
        (_, Some(host)) if host == AAD_GRAPH => {
            (Protocol::AzureAdGraph, named, host, world.aad_graph.clone())
        }
        ("graph", Some(host)) if host == ENTRA => (Protocol::Entra, named, host, Auth::None),
        ("entra", host) => (Protocol::Entra, named, host.unwrap_or(ENTRA.to_owned()), Auth::None),
        ("imds", host) => {
            let entrance =
                if request.contains("@door extension") { Entrance::Extension } else { Entrance::Metadata };
            let door = Door { entrance, ..world.machine.clone() };
            (Protocol::Imds, door, host.unwrap_or(METADATA.to_owned()), Auth::None)
        }
        (_, Some(host)) if host.ends_with(".blob.core.windows.net") => {
            (Protocol::Blob, named, host, world.storage.clone())
        }
        ("graph", _) => (Protocol::Graph, named, GRAPH.to_owned(), world.graph.clone()),
        (_, Some(host)) if host.ends_with(".documents.azure.com") => {
            (Protocol::Cosmos, named, host, world.cosmos_key.clone())
        }
        ("cosmos", host) if request.contains("@door cosmos") => {
            let like = world.cosmos("GET", "/");
            (Protocol::Cosmos, like.door, host.unwrap_or(like.host), like.auth)
        }
        (_, None) => (Protocol::Arm, named, ARM.to_owned(), world.arm.clone()),
        (_, Some(host)) if host == ARM => (Protocol::Arm, named, host, world.arm.clone()),
        _ => return None,
    };
    let headers = headers.into_iter().filter(|(name, _)| name != "host" && name != "authorization").collect();
    let body = lines.get(end + 1..).unwrap_or_default().join("\n").into();
    Some(Ask {
        title: title.to_owned(),
        protocol,
        door,
        method: method.to_owned(),
        host,
        target: target.trim().to_owned(),
        headers,
        body,
        auth,
    })
}

impl Fuzz {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.draw.u64() % limit.max(1) as u64).expect("is below a usize")
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn next(&mut self) -> Ask {
        let at = self.below(self.corpus.len());
        let mut ask = self.corpus[at].clone();
        // Mostly one change: two refusals in one request show less than one.
        for _ in 0..self.one_of(&[1, 1, 1, 1, 2, 3]) {
            self.change(&mut ask);
        }
        ask
    }

    fn change(&mut self, ask: &mut Ask) {
        match self.below(16) {
            12..=15 if let Ok(mut json) = serde_json::from_slice::<Value>(&ask.body) => {
                self.change_json(&mut json);
                ask.body = json.to_string().into();
            }
            0..=2 => ask.target = self.changed_target(&ask.target),
            3..=6 if !ask.body.is_empty() => ask.body = self.changed(&ask.body).into(),
            3..=6 => ask.target = self.changed_target(&ask.target),
            7 => {
                let name = self.one_of(PARAMETERS);
                let joint = if ask.target.contains('?') { '&' } else { '?' };
                ask.target = self.changed_target(&format!("{}{joint}{name}=1", ask.target));
            }
            8 => {
                let (name, value) = (self.one_of(NAMES), self.morsels());
                ask.headers.push((name.to_owned(), value));
            }
            9 if !ask.headers.is_empty() => {
                let at = self.below(ask.headers.len());
                ask.headers[at].1 = self.changed(&ask.headers[at].1.clone());
            }
            10 if !ask.headers.is_empty() => {
                let at = self.below(ask.headers.len());
                ask.headers.remove(at);
            }
            9..=10 => ask.body = self.morsels().into(),
            _ => {
                ask.method = self
                    .one_of(&["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "MERGE"])
                    .to_owned();
            }
        }
    }

    /// Puts another value, of any type, somewhere in the document, or takes one away.
    fn change_json(&mut self, json: &mut Value) {
        let goes_on = self.below(3) > 0;
        match json {
            Value::Object(members) if goes_on && !members.is_empty() => {
                let at = self.below(members.len());
                let name = members.keys().nth(at).expect("is below the length").clone();
                match self.below(8) {
                    0 => {
                        members.remove(&name);
                    }
                    1 => {
                        let value = self.value();
                        members.insert(String::from_utf8_lossy(&self.morsels()).into_owned(), value);
                    }
                    _ => self.change_json(&mut members[&name]),
                }
            }
            Value::Array(items) if goes_on && !items.is_empty() => {
                let at = self.below(items.len());
                self.change_json(&mut items[at]);
            }
            value => *value = self.value(),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => json!(self.one_of(&[0, -1, i64::MAX, i64::MIN])),
            2 => json!(self.one_of(&[0.5, -0.0, 1e308])),
            3 => json!(u64::MAX),
            4 => json!(self.below(2) == 0),
            5 => json!([]),
            6 => json!({}),
            7 => json!("a".repeat(self.one_of(&[0, 1, 300, 70_000]))),
            _ => json!(String::from_utf8_lossy(&self.morsels())),
        }
    }

    fn morsels(&mut self) -> Vec<u8> {
        (0..=self.below(3)).flat_map(|_| self.one_of(MORSELS).to_vec()).collect()
    }

    /// A target stays one that HTTP can carry: what it cannot is hyper's to refuse.
    fn changed_target(&mut self, target: &str) -> String {
        let changed = self.changed(target.as_bytes());
        let path: String = changed
            .iter()
            .map(|byte| match byte {
                b'!'..=b'~'
                    if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}' | b'#') =>
                {
                    char::from(*byte).to_string()
                }
                other => format!("%{other:02x}"),
            })
            .collect();
        if path.starts_with('/') { path } else { format!("/{path}") }
    }

    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let (from, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match self.below(7) {
            0 => {
                bytes.splice(from..from, self.morsels());
            }
            1 => {
                let end = to.min(from + 8);
                bytes.splice(from..end, self.morsels());
            }
            2 => {
                bytes.drain(from..to.min(from + 16));
            }
            3 => {
                let again = bytes[from..to.min(from + 64)].to_vec();
                bytes.splice(from..from, again);
            }
            4 if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
            5 => bytes.truncate(from),
            _ => {
                let long = self.one_of(MORSELS).repeat(1 + self.below(700));
                bytes.splice(from..from, long);
            }
        }
        bytes
    }
}
