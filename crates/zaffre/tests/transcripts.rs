//! Transcripts: requests, and the whole answers they get.
//!
//! A file `transcripts/{service}/{claim}.http` is a conversation with a fresh cloud in memory, whose
//! clock is set and whose chance is seeded, so that the bytes are the same every time:
//!
//! ```text
//! What the file shows, in a sentence or two.
//!
//! ### A group is created
//! @token admin
//! PUT /subscriptions/{{subscription}}/resourceGroups/rg?api-version=2024-11-01
//!
//! {"location": "westeurope"}
//! ---
//! 201 Created
//! …
//! ```
//!
//! `ZAFFRE_BLESS=1 cargo test -p zaffre --test main transcripts` writes what came instead of comparing it; the
//! diff is the review. What may stand above the request line:
//!
//! - `@token WHO [AUDIENCE]`: a bearer token; WHO is `admin` or an object id;
//! - `@cosmos-key KEY`, `@cosmos-token WHO`: Cosmos's `authorization` header, by a key or by a token;
//! - `@storage-key ACCOUNT KEY`: a signature by a storage account's key;
//! - `@clock +SECONDS`: the cloud's clock moves, after the token was made;
//! - `@set NAME = /json/pointer`: keeps a value of the answer as `{{NAME}}`; `header:location` is one too;
//! - `@show /json/pointer`: prints that part of the answer alone;
//! - `@without HEADER`: leaves one out, as the etag of what a deployment made beside something else: who drew first differs;
//! - `@host KIND RESOURCE`: a door of `zaffre env --host-kind` is opened, whose address is `{{endpoint}}` and whose secret `{{secret}}`;
//! - `@door blob | cosmos | hosts | extension | metadata VM VMID`: another entrance than the host's name.
//!
//! A conversation in `durations/` is with a cloud whose operations take as long as the platform's.
//!
//! `{{tenant}}`, `{{subscription}}`, `{{client_id}}`, `{{client_secret}}` and `{{admin}}` are the cloud's own,
//! `{{emulator_key}}` is the drop-in port's.
//! Tokens print as `<jwt>`. Headers that every answer of a service carries print with a file's first
//! answer and are left out of the others.

mod conversation;
mod coverage;

mod script;

use std::{fs, path::PathBuf};

use script::Script;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// Every transcript: its service, and its file.
fn files() -> Vec<(String, PathBuf)> {
    let list = |dir: PathBuf| {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let services = list(folder()).into_iter().filter(|path| path.is_dir());
    let in_service = |service: PathBuf| {
        let name = service.file_name().expect("a name").to_string_lossy().into_owned();
        list(service)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|it| it == "http"))
            .map(move |path| (name.clone(), path))
    };
    services.flat_map(in_service).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transcript_is_what_the_program_says() {
    let is_blessed = std::env::var_os("ZAFFRE_BLESS").is_some_and(|it| it == "1");
    let only = std::env::var("ZAFFRE_TRANSCRIPT").ok();
    let mut differing = Vec::new();
    for (service, path) in files() {
        if only.as_ref().is_some_and(|only| !path.to_string_lossy().contains(only.as_str())) {
            continue;
        }
        let expected = fs::read_to_string(&path).expect("a transcript is text");
        let script = Script::parse(&expected).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let came = conversation::hold(&service, &script).await;
        if is_blessed {
            fs::write(&path, came).expect("the transcript is written");
        } else if came != expected {
            differing.push(format!("{}\n{}", path.display(), first_difference(&expected, &came)));
        }
    }
    assert!(
        differing.is_empty(),
        "transcripts differ (ZAFFRE_BLESS=1 rewrites them):\n{}",
        differing.join("\n")
    );
}

fn first_difference(expected: &str, came: &str) -> String {
    let (mut one, mut other) = (expected.lines(), came.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (one.next(), other.next()) {
            (None, None) => return "they differ in their line ends".to_owned(),
            (expected, came) if expected != came => {
                let line = |it: Option<&str>| it.unwrap_or("(the end)").to_owned();
                return format!("  line {number}\n  - {}\n  + {}", line(expected), line(came));
            }
            _ => {}
        }
    }
}
