//! What every kind does when nothing is wrong: one is made, read, found in its lists, changed, and deleted, through the
//! tables, so that a kind that is added is tested by that alone.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use zaffre::{arm::kind::Place, arm::served, products::PROVIDERS};

use super::subjects::{Stage, Subject};
use crate::world::Ask;

/// What went well, by the keys of `arm::served`, and what of that was not as it had to be.
#[derive(Default)]
pub(crate) struct Lived {
    pub(crate) keys: BTreeSet<String>,
    pub(crate) wrong: Vec<String>,
}

pub(crate) async fn all() -> Lived {
    let (stage, mut lived) = (Stage::set().await, Lived::default());
    for subject in stage.subjects.iter().filter(|it| it.is_put || it.is_there) {
        if subject.is_put {
            lived.keys.extend(key("PUT", &subject.path));
        }
        lived.read(&stage, subject).await;
        for list in lists(&stage, subject) {
            lived.list(&stage, subject, &list).await;
        }
        lived.patch(&stage, subject).await;
    }
    lived.functions(&stage).await;
    // What others are inside of, or use, goes last.
    for subject in stage.subjects.iter().rev().filter(|it| it.is_put) {
        lived.delete(&stage, subject).await;
    }
    lived
}

impl Lived {
    async fn read(&mut self, stage: &Stage, it: &Subject) {
        let Some(body) = self.done(stage, &stage.ask("GET", it, &it.path), &it.path).await else { return };
        let is_it = body["id"].as_str().is_some_and(|id| is_its(id, it));
        self.must(is_it, format!("GET of {} shows {}", it.path, body["id"]));
    }

    async fn list(&mut self, stage: &Stage, it: &Subject, path: &str) {
        let Some(body) = self.done(stage, &stage.ask("GET", it, path), path).await else { return };
        let ids: Vec<&str> =
            body["value"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str()).collect();
        let is_there = ids.iter().any(|id| is_its(id, it));
        self.must(is_there, format!("{path} does not list {}, but {ids:?}", it.path));
    }

    async fn patch(&mut self, stage: &Stage, it: &Subject) {
        let operation = it.name.ends_with("/tags").then_some(("operation", json!("Merge")));
        let tags = ("tags", json!({ "lives": "yes" }));
        let body: Value =
            [tags].into_iter().chain(operation).map(|(name, value)| (name.to_owned(), value)).collect();
        let Some(body) = self.done(stage, &stage.ask("PATCH", it, &it.path).json(&body), &it.path).await
        else {
            return;
        };
        let takes_tags = it.kind.own.is_none() && body.is_object();
        self.must(
            !takes_tags || body["tags"]["lives"] == "yes",
            format!("PATCH of {} shows {body}", it.path),
        );
    }

    /// What is on no resource of ours: the providers' functions, and Resource Manager's own paths.
    async fn functions(&mut self, stage: &Stage) {
        let functions = served::all(PROVIDERS).into_iter().filter_map(|it| {
            // A kind's own verbs are words: `list in group`.
            let (method, path) = it.verb.split_once(' ').filter(|(word, _)| *word == word.to_uppercase())?;
            let at = if it.of.is_empty() { String::new() } else { format!("/providers/{}/", it.of) };
            Some((method.parse().ok()?, format!("{at}{}", filled(stage, path))))
        });
        let body = json!({ "name": "free", "type": "Microsoft.Storage/storageAccounts", "properties": {} });
        for (method, path) in functions
            .filter(|(method, path): &(Method, String)| *method != Method::DELETE && !path.contains('{'))
        {
            for scope in [String::new(), stage.world.subscription(), stage.world.group("")] {
                let path = format!("{scope}{path}");
                let ask = stage.world.arm(method.as_str(), &format!("{path}?api-version=2024-01-01"));
                let ask = if ask.is_unsafe() { ask.json(&body) } else { ask };
                self.done(stage, &ask, &path).await;
            }
        }
    }

    async fn delete(&mut self, stage: &Stage, it: &Subject) {
        if self.done(stage, &stage.ask("DELETE", it, &it.path), &it.path).await.is_none() {
            return;
        }
        let after = stage.world.ask(&stage.ask("GET", it, &it.path)).await;
        // What an account has of itself is there as long as the account, and the tags of a scope are then none.
        let stays = ["/tags", "/managementGroups"].iter().any(|end| it.name.ends_with(end));
        self.must(
            stays || after.status == 404,
            format!("{} is deleted, and answers {}", it.path, after.status),
        );
    }

    /// The answer's body, where it went well.
    async fn done(&mut self, stage: &Stage, ask: &Ask, path: &str) -> Option<Value> {
        let answer = stage.world.ask(ask).await;
        if !(200..300).contains(&answer.status) {
            return None;
        }
        self.keys.extend(key(&ask.method, path));
        Some(answer.json())
    }

    fn must(&mut self, holds: bool, why: String) {
        if !holds {
            self.wrong.push(why);
        }
    }
}

fn key(method: &str, path: &str) -> Option<String> {
    served::key(PROVIDERS, &Method::from_bytes(method.as_bytes()).ok()?, path)
}

/// Whether an id is the one's. That of a role definition is not where it was made.
fn is_its(id: &str, it: &Subject) -> bool {
    let name = it.path.rsplit('/').next().unwrap_or_default();
    let is_moved = it.name.ends_with("/roleDefinitions") && id.ends_with(name);
    is_moved || id.eq_ignore_ascii_case(&it.path)
}

/// A path with something for each of its `{parameters}`.
fn filled(stage: &Stage, path: &str) -> String {
    let subscription = stage.world.cloud.charter.subscription.to_string();
    [
        ("{subscription}", subscription.as_str()),
        ("{group}", "rg"),
        ("{namespace}", "Microsoft.Compute"),
        ("{location}", "westeurope"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

fn lists(stage: &Stage, it: &Subject) -> Vec<String> {
    let group = stage.world.group("");
    match it.kind.place {
        Place::Group => vec![it.list(), it.list().replace(&group, &stage.world.subscription())],
        Place::Child | Place::Extension | Place::Subscription | Place::Tenant => vec![it.list()],
    }
}
