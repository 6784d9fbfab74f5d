//! Templates and what they come to: `templates/{claim}.json` beside `templates/{claim}.golden`.
//!
//! A template's `metadata.test` says what the deployment gives (`parameters`), where it stands (`place`:
//! `group`, `subscription`, `managementGroup`, `tenant`), and what the cloud would answer (`answers`: id
//! or id and action, to an answer). The golden file has every resource with its id, its body and what it
//! waits for, and the outputs; or the refusal. `ZAFFRE_BLESS=1` rewrites them: read what it wrote.

use std::{cell::RefCell, collections::BTreeSet, fmt::Write, fs, path::Path};

use azure::{
    error::Error,
    ids::Guid,
    template::{
        self, Ask, Context, Finished, Need, Plan, Runtime,
        context::{self, Place},
    },
    time::Timestamp,
};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn every_template_comes_to_its_golden_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let is_blessing = std::env::var_os("ZAFFRE_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut claims: Vec<_> =
        fs::read_dir(&folder).expect("is there").map(|it| it.expect("is readable").path()).collect();
    claims.sort();
    for path in claims.iter().filter(|it| it.extension().is_some_and(|it| it == "json")) {
        count += 1;
        let text = fs::read_to_string(path).expect("is text");
        let found = outcome(&text);
        let golden = path.with_extension("golden");
        if is_blessing {
            fs::write(&golden, &found).expect("can be written");
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{}\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "these changed; ZAFFRE_BLESS=1 rewrites them:\n{}", wrong.join("\n"));
    assert!(count >= 60, "there are only {count}");
}

#[test]
fn every_refusal_of_a_template_is_in_a_golden_file_or_in_a_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let goldens = fs::read_dir(&folder).expect("is there").map(|it| it.expect("is readable").path());
    let goldens: Vec<String> = goldens
        .filter(|it| it.extension().is_some_and(|it| it == "golden"))
        .map(|it| fs::read_to_string(it).expect("is text"))
        .collect();
    let tables =
        [include_str!("../src/template/functions/tests.rs"), include_str!("../src/template/tests.rs")];
    let mut never = Vec::new();
    for line in include_str!("../src/template/codes.rs").lines() {
        let Some((name, rest)) = line.trim().split_once(" = ") else { continue };
        let Some(template) = rest.split('"').nth(3) else { continue };
        // A message is recognized by what stands between its blanks.
        let pieces = template.split(['{', '}']).map(|it| it.trim_matches(|it: char| !it.is_alphanumeric()));
        let pieces: Vec<&str> = pieces.filter(|it| it.len() >= 12 && !it.contains("aka.ms")).collect();
        let is_in_a_table = |piece: &&str| {
            let words: Vec<&str> = piece.split_whitespace().collect();
            words.windows(words.len().min(4)).any(|some| tables.iter().any(|it| it.contains(&some.join(" "))))
        };
        let is_provoked = pieces.is_empty()
            || pieces.iter().any(|piece| goldens.iter().any(|it| it.contains(piece)))
            || pieces.iter().any(is_in_a_table);
        if !is_provoked {
            never.push(name);
        }
    }
    assert!(never.is_empty(), "these refusals are never provoked: {never:?}");
}

/// What the cloud would answer; what it was asked and did not know is noted.
struct Answers {
    known: Value,
    asked: RefCell<BTreeSet<Need>>,
}

impl Runtime for Answers {
    fn answer(&self, need: &Need) -> Option<Value> {
        let key = match &need.ask {
            Ask::Resource => need.id.clone(),
            Ask::List { action, .. } => format!("{}/{action}", need.id),
        };
        self.asked.borrow_mut().insert(need.clone());
        self.known.get(&key).cloned()
    }
}

fn outcome(text: &str) -> String {
    match planned(text) {
        Ok((plan, known)) => shown(&plan, known),
        Err(error) => format!("{} {}: {}\n", error.row.status, error.row.code, error.message()),
    }
}

fn planned(text: &str) -> Result<(Plan, Value), Error> {
    let source = template::source::read(text)?;
    let test = source.value.pointer("/metadata/test").cloned().unwrap_or_default();
    let context = context(test["place"].as_str().unwrap_or("group"));
    let plan = template::expand(&source.value, &source.places, &test["parameters"], &context)?;
    // A plan is stored between its making and its use.
    let stored = serde_json::to_string(&plan).expect("is data");
    Ok((serde_json::from_str(&stored).expect("is data"), test["answers"].clone()))
}

fn shown(plan: &Plan, known: Value) -> String {
    let answers = Answers { known, asked: RefCell::default() };
    let mut text = String::new();
    for resource in &plan.resources {
        let waits: Vec<&str> = resource.waits_for.iter().map(|at| plan.resources[*at].id.as_str()).collect();
        let _ = writeln!(text, "{} {} ({})", resource.id, resource.api_version, resource.resource_type);
        for id in waits {
            let _ = writeln!(text, "  after {id}");
        }
        let _ = writeln!(text, "{}", finished(resource.body(&answers)));
    }
    let parameters = plan.shown_parameters();
    if parameters.as_object().is_some_and(|it| !it.is_empty()) {
        let _ = writeln!(text, "parameters {}", pretty(&parameters));
    }
    let _ = writeln!(text, "outputs {}", finished(plan.outputs(&answers)));
    for need in answers.asked.borrow().iter() {
        let _ = writeln!(text, "asks {} {} {:?}", need.id, need.api_version, need.ask);
    }
    text
}

fn finished(outcome: Result<Finished, Error>) -> String {
    match outcome {
        Ok(Finished::Done(value)) => pretty(&value),
        Ok(Finished::Waiting(needs)) => format!("waits for {} answers", needs.len()),
        Err(error) => format!("{} {}: {}", error.row.status, error.row.code, error.message()),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("is JSON")
}

fn context(place: &str) -> Context {
    let subscription = SUBSCRIPTION.to_owned();
    let place = match place {
        "tenant" => Place::Tenant,
        "managementGroup" => Place::ManagementGroup { name: "mg".to_owned() },
        "subscription" => Place::Subscription { subscription },
        _ => Place::Group { subscription, group: "rg".to_owned() },
    };
    let of = |is_there: bool, value: Value| if is_there { value } else { Value::Null };
    let is_management_group = matches!(place, Place::ManagementGroup { .. });
    Context {
        deployment: json!({ "name": "main", "properties": { "mode": "Incremental" } }),
        deployer: json!({ "objectId": "00000000-0000-0000-0000-0000000000d1" }),
        tenant: json!({ "tenantId": "00000000-0000-0000-0000-00000000000a" }),
        subscription: of(
            place.subscription().is_some(),
            json!({
                "id": format!("/subscriptions/{SUBSCRIPTION}"), "subscriptionId": SUBSCRIPTION, "displayName": "One",
            }),
        ),
        group: of(
            place.group().is_some(),
            json!({ "id": place.id(), "name": "rg", "location": "westeurope", "tags": {} }),
        ),
        management_group: of(is_management_group, json!({ "id": place.id(), "name": "mg" })),
        environment: context::public_cloud(),
        providers: json!([]),
        now: Timestamp::from_seconds(1_551_808_398),
        chance: Guid([7; 16]),
        place,
    }
}
