//! The page of what is verified and by whom: docs/coverage.md.
//!
//! What the tables serve is joined with what the transcripts show, what the life of one of every kind takes
//! (`negative/lives.rs`), and what Azure's own clients were seen to reach. Each client's list, `clients/{kind}/operations.txt`, is held against the cloud's own log by the stage that runs the
//! client (`clients/run.py`), so that a line stays only as long as it is true. To make all of it anew, after the stages' lists:
//!
//! ```text
//! for kind in az python js; do ZAFFRE_BLESS=1 python3 clients/run.py $kind --zaffre target/release/zaffre --work target/clients; done
//! ZAFFRE_BLESS=1 cargo test -p zaffre --test main coverage
//! ```
//!
//! An operation of Resource Manager that none of these reaches fails, unless `coverage/excepted.txt`
//! says why; so does an exception that is none any more. What the data planes' operations refuse is held row by row beside
//! their tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use zaffre::{
    arm::served::{self, Served},
    graph,
    products::{PROVIDERS, cosmos, storage},
};

use crate::negative::lives;

/// A client's folder below `clients/`, its letter and its name.
const CLIENTS: [(&str, char, &str); 3] = [
    ("az", 'a', "`az`, the Azure CLI"),
    ("python", 'p', "Azure's libraries for Python"),
    ("js", 'j', "Azure's libraries for JavaScript"),
];
/// A transcript of requests and whole answers.
const TRANSCRIPT: char = 't';
/// The life of one of every kind, by the tables.
const LIFE: char = 'k';

/// A service of the page: its name in the log, its title, and its operations where a table has them.
type Plane = (&'static str, &'static str, Vec<(&'static str, &'static str)>);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_said = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().filter(is_said).map(str::to_owned).collect()
}

/// By whom an operation was reached; keys begin with the service.
#[derive(Default)]
struct Reached(BTreeMap<String, BTreeSet<char>>);

impl Reached {
    fn by_all(lived: &BTreeSet<String>) -> Reached {
        let mut reached = Reached::default();
        for (folder, letter, _) in CLIENTS {
            for key in lines(&root().join("clients").join(folder).join("operations.txt")) {
                reached.0.entry(key).or_default().insert(letter);
            }
        }
        for (keys, letter) in [(&shown_by_transcripts(), TRANSCRIPT), (lived, LIFE)] {
            for key in keys {
                reached.0.entry(format!("arm {key}")).or_default().insert(letter);
            }
        }
        reached
    }

    /// In the order of the head: clients, then transcripts.
    fn letters(&self, key: &str) -> String {
        let by = self.0.get(key);
        let all = CLIENTS.iter().map(|it| it.1).chain([TRANSCRIPT, LIFE]);
        all.filter(|letter| by.is_some_and(|by| by.contains(letter))).collect()
    }

    fn is_by_a_client(&self, key: &str) -> bool {
        self.letters(key).chars().any(|letter| letter != TRANSCRIPT && letter != LIFE)
    }

    /// What clients reached of a service.
    fn of(&self, service: &str) -> Vec<(String, String)> {
        let begin = format!("{service} ");
        let keys = self.0.keys().filter_map(|key| key.strip_prefix(&begin)?.split_once(' '));
        keys.map(|(method, name)| (method.to_owned(), name.to_owned())).collect()
    }
}

/// The keys of the requests of Resource Manager's transcripts that went well.
fn shown_by_transcripts() -> BTreeSet<String> {
    let folder = root().join("crates/zaffre/tests/transcripts/arm");
    let files = fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path());
    let texts = files.map(|path| fs::read_to_string(path).expect("a transcript is text"));
    texts.flat_map(|text| text.split("### ").filter_map(key_of).collect::<Vec<_>>()).collect()
}

/// Of one exchange: title, directives, request line, headers and body, `---`, status line.
fn key_of(exchange: &str) -> Option<String> {
    let (asked, answered) = exchange.split_once("\n---\n")?;
    let line = asked.lines().skip(1).find(|line| !line.starts_with('@'))?;
    let (method, target) = line.split_once(' ')?;
    let path = target.split('?').next()?.replace("{{subscription}}", "7af7e000-c10d-4000-8000-00000000005b");
    let is_well = answered.starts_with('2') && !path.contains("{{next");
    is_well.then(|| served::key(PROVIDERS, &method.parse().ok()?, &path)).flatten()
}

/// Keys that nothing reaches and something should, and exceptions that are none. A `*` in an exception is any text.
fn unreached(served: &[Served], reached: &Reached) -> Vec<String> {
    let excepted = lines(&root().join("crates/zaffre/tests/coverage/excepted.txt"));
    let excepted: Vec<&str> =
        excepted.iter().map(|it| it.split_once(": ").expect("a key, a colon and why").0).collect();
    let keys: BTreeSet<&str> = served.iter().map(|it| it.key.as_str()).collect();
    let open = || keys.iter().filter(|key| reached.letters(&format!("arm {key}")).is_empty());
    let missing = open().filter(|key| !excepted.iter().any(|it| fits(it, key)));
    let stale = excepted.iter().filter(|it| !open().any(|key| fits(it, key)));
    let missing = missing.map(|key| format!("nothing reaches {key}"));
    missing.chain(stale.map(|it| format!("needs no exception: {it}"))).collect()
}

fn fits(pattern: &str, key: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == key };
    let (between, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = key.strip_prefix(begin).and_then(|it| it.strip_suffix(end));
    inner.is_some_and(|inner| between.split('*').all(|part| inner.contains(part)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_reached_and_the_page_says_by_whom() {
    let lived = lives::all().await;
    let (served, reached) = (served::all(PROVIDERS), Reached::by_all(&lived.keys));
    let wrong = [lived.wrong, unreached(&served, &reached)].concat();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    hold_against(&root().join("docs/coverage.md"), &page(&served, &reached));
}

fn page(served: &[Served], reached: &Reached) -> String {
    let mut page = String::from(HEAD);
    for (_, letter, name) in CLIENTS {
        let _ = writeln!(page, "- `{letter}`: {name}");
    }
    let _ = writeln!(page, "- `{TRANSCRIPT}`: {TRANSCRIPTS}\n- `{LIFE}`: {LIVES}\n");
    page.push_str(BELOW_THE_LETTERS);
    resource_manager(&mut page, served, reached);
    for (service, title, operations) in planes() {
        plane(&mut page, (service, title), &operations, reached);
    }
    page
}

const HEAD: &str = "\
# What is verified, and by whom

Made by `crates/zaffre/tests/coverage.rs` of the tables of operations, the transcripts, and what the cloud's own log says that
unmodified clients reached while their tests ran. A letter stands for a request that went well:

";
const TRANSCRIPTS: &str =
    "a transcript, requests and whole answers, held byte for byte (`crates/zaffre/tests/transcripts`)";
const LIVES: &str =
    "one of every type is made, read, listed, changed and deleted (`crates/zaffre/tests/negative/lives.rs`)";
const BELOW_THE_LETTERS: &str = "\
`none` is an operation that no such request reaches; of Resource Manager's each has its reason in
`crates/zaffre/tests/coverage/excepted.txt`, and of the other services each has tests of its own beside its table. An empty
cell one that the type does not have. What every type refuses is in `crates/zaffre/tests/negative/table.txt`; who may do what in
`crates/zaffre/tests/picture.txt`.

";

/// The columns: what most types have.
const COLUMNS: [&str; 7] = ["PUT", "GET", "PATCH", "DELETE", "list in group", "list in subscription", "list"];

fn resource_manager(page: &mut String, served: &[Served], reached: &Reached) {
    let letters = |key: &str| match reached.letters(&format!("arm {key}")) {
        letters if letters.is_empty() => "none".to_owned(),
        letters => letters,
    };
    let is_column = |it: &&Served| COLUMNS.contains(&it.verb.as_str());
    let types: BTreeSet<&str> = served.iter().filter(is_column).map(|it| it.of.as_str()).collect();
    page.push_str("## Resource Manager\n\n| type | PUT | GET | PATCH | DELETE | list: group | subscription | parent or scope | actions |\n|---|---|---|---|---|---|---|---|---|\n");
    for of in &types {
        let has = |verb: &str| served.iter().find(|it| it.of == *of && it.verb == verb);
        let _ = write!(page, "| {of} |");
        for column in COLUMNS {
            let _ = match has(column) {
                Some(it) => write!(page, " {} |", letters(&it.key)),
                None => write!(page, " |"),
            };
        }
        let actions = served.iter().filter(|it| it.of == *of && !is_column(it));
        let actions: Vec<_> = actions.map(|it| format!("{} {}", it.verb, letters(&it.key))).collect();
        let _ = writeln!(page, " {} |", actions.join(", "));
    }
    page.push_str("\n| function | by |\n|---|---|\n");
    let functions: BTreeMap<String, &str> = served
        .iter()
        .filter(|it| !types.contains(it.of.as_str()) && !is_column(it))
        .map(|it| (format!("{} {}", it.of, it.verb).trim().to_owned(), it.key.as_str()))
        .collect();
    for (name, key) in &functions {
        let _ = writeln!(page, "| `{name}` | {} |", letters(key));
    }
    let keys: BTreeSet<&str> = served.iter().map(|it| it.key.as_str()).collect();
    let by_clients = keys.iter().filter(|key| reached.is_by_a_client(&format!("arm {key}"))).count();
    let by_any = keys.iter().filter(|key| letters(key) != "none").count();
    let _ = writeln!(
        page,
        "\n{} types; {} operations, of which clients reach {by_clients}, and they and our own tests together {by_any}.\n",
        types.len(),
        keys.len()
    );
}

/// The other services, and what their tables have.
fn planes() -> Vec<Plane> {
    vec![
        ("blob", "Blob Storage", storage::blob::operations().collect()),
        ("cosmos", "Cosmos DB", cosmos::data::operations().collect()),
        ("graph", "Microsoft Graph", graph::operations().collect()),
        ("entra", "Entra ID", Vec::new()),
        ("imds", "Instance metadata", Vec::new()),
        ("hosts", "Tokens of other hosts", Vec::new()),
    ]
}

fn plane(
    page: &mut String,
    (service, title): (&str, &str),
    operations: &[(&'static str, &'static str)],
    reached: &Reached,
) {
    let seen = reached.of(service);
    let seen = seen.iter().map(|(method, name)| (method.as_str(), name.as_str()));
    let all: BTreeSet<(&str, &str)> =
        operations.iter().copied().chain(seen).map(|(method, name)| (name, method)).collect();
    let mut count = 0;
    let _ = write!(page, "## {title}\n\n| operation | method | by |\n|---|---|---|\n");
    for (name, method) in &all {
        let letters = reached.letters(&format!("{service} {method} {name}"));
        count += usize::from(!letters.is_empty());
        let _ =
            writeln!(page, "| {name} | {method} | {} |", if letters.is_empty() { "none" } else { &letters });
    }
    let _ = writeln!(page, "\n{} operations, of which clients reach {count}.\n", all.len());
}

/// Compares with the page, or writes it.
fn hold_against(path: &Path, came: &str) {
    let came = format!("{}\n", came.trim_end());
    if std::env::var_os("ZAFFRE_BLESS").is_some_and(|it| it == "1") {
        return fs::write(path, came).expect("the page is written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let differs = expected.lines().zip(came.lines()).find(|(was, is)| was != is);
    let is_same = differs.is_none() && expected.lines().count() == came.lines().count();
    assert!(
        is_same,
        "docs/coverage.md is not what it would be now (the head says how to make it anew): {differs:?}"
    );
}

#[test]
fn an_exception_names_a_key_or_what_begins_and_ends_like_it() {
    for (pattern, key, is_so) in [
        ("GET a/read", "GET a/read", true),
        ("GET a/read", "GET a/read/x", false),
        ("* a/b*", "PUT a/b/c/write", true),
        ("* a/b*", "PUT a/c/write", false),
        ("PUT a/*/write", "PUT a/b/write", true),
        ("PUT a/*/write", "PUT a/b/writes", false),
    ] {
        assert_eq!(fits(pattern, key), is_so, "{pattern} {key}");
    }
}
