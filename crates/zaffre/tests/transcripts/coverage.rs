//! What no transcript shows: every type of every provider, by every operation it has.

use std::{collections::BTreeSet, fs};

use azure::ids::ResourceId;
use zaffre::{
    arm::kind::{Kind, On, Patch, Provider},
    products::PROVIDERS,
};

use super::{files, script::Script};

/// Providers whose every operation has its transcript. The others print what they lack.
const HELD: [&str; 4] =
    ["Microsoft.Authorization", "Microsoft.Compute", "Microsoft.DocumentDB", "Microsoft.ManagedIdentity"];

/// `GET Microsoft.X/types/name`, in lower case; a list is of `types`.
fn operations(provider: &Provider, kind: &Kind) -> Vec<String> {
    let name = format!("{}/{}", provider.namespace, kind.name);
    let mut all: Vec<String> =
        ["GET one", "GET all", "PUT one", "DELETE one"].map(|it| format!("{it} {name}")).to_vec();
    let patches = match kind.own {
        Some(own) => own.patch.is_some(),
        None => kind.patch != Patch::Refused,
    };
    if patches {
        all.push(format!("PATCH one {name}"));
    }
    for verb in kind.actions {
        let method = match verb.method {
            On::Get => "GET",
            On::Head => "HEAD",
            On::Post => "POST",
        };
        all.push(format!("{method} {} {name}", verb.name));
    }
    all.into_iter().map(|it| it.to_lowercase()).collect()
}

/// What a request line is an example of. GET of a word behind a resource reads a list of children or calls a verb.
fn shown(method: &str, target: &str) -> Option<Vec<String>> {
    let path = target.split('?').next().unwrap_or_default();
    let id = ResourceId::parse(path).ok()?;
    let behind: Vec<&str> = id.segments().collect();
    let at = behind.iter().rposition(|it| it.eq_ignore_ascii_case("providers"))? + 1;
    let (namespace, rest) = (behind.get(at)?, &behind[at + 1..]);
    let kind = |count: usize| {
        let types = rest[..count].iter().step_by(2).copied().collect::<Vec<_>>();
        format!("{namespace}/{}", types.join("/"))
    };
    if rest.len().is_multiple_of(2) {
        return Some(vec![format!("{method} one {}", kind(rest.len())).to_lowercase()]);
    }
    let called = format!("{method} {} {}", rest.last()?, kind(rest.len() - 1));
    let listed = (method == "GET").then(|| format!("{method} all {}", kind(rest.len())));
    Some([Some(called), listed].into_iter().flatten().map(|it| it.to_lowercase()).collect())
}

#[test]
fn every_operation_of_a_held_provider_has_a_transcript() {
    let mut there = BTreeSet::new();
    for (_, path) in files() {
        let script = Script::parse(&fs::read_to_string(&path).expect("text")).expect("a transcript");
        there.extend(script.exchanges.iter().filter_map(|it| shown(&it.method, &it.target)).flatten());
    }
    let mut missing = Vec::new();
    for provider in PROVIDERS {
        let all = provider.kinds.iter().flat_map(|kind| operations(provider, kind));
        let lacking: Vec<String> = all.filter(|it| !there.contains(it)).collect();
        match HELD.contains(&provider.namespace) {
            true => missing.extend(lacking),
            false => lacking.iter().for_each(|it| println!("no transcript yet: {it}")),
        }
    }
    assert!(missing.is_empty(), "no transcript shows:\n{}", missing.join("\n"));
}
