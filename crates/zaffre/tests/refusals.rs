//! Refusals by counting: every operation of every provider's table is asked for by nobody, and by somebody who has no
//! role at all. What a table gains, this test asks for too, and what a refusal names is in the list of demands of which
//! the picture is drawn. The data planes have the same beside their tables.

use azure::{action::Action, api_version::ApiVersion};
use http::Method;
use serde_json::json;
use zaffre::{
    arm::{
        demands,
        kind::{At, Function, Kind, On, Place, Provider},
    },
    products::PROVIDERS,
};

use crate::world::{Answer, Ask, Auth, Protocol, World};

const GUID: &str = "00000000-0000-4000-8000-0000000000bb";

/// `a/{b}/c` with something for `{b}`.
fn filled(pattern: &str) -> String {
    let segments =
        pattern.split('/').map(|segment| if segment.starts_with('{') { "westeurope" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// Where a kind's resources may be asked for, with the provider.
fn home(world: &World, provider: &Provider, place: Place) -> String {
    let scope = match place {
        Place::Group | Place::Child | Place::Extension => world.group(""),
        Place::Subscription => world.subscription(),
        Place::Tenant => String::new(),
    };
    format!("{scope}/providers/{}", provider.namespace)
}

fn version(versions: &[ApiVersion]) -> String {
    versions.last().map_or_else(|| "2024-01-01".to_owned(), ToString::to_string)
}

fn asked(world: &World, method: &Method, path: &str, versions: &[ApiVersion]) -> Ask {
    let ask = world.arm(method.as_str(), &format!("{path}?api-version={}", version(versions)));
    let has_body = matches!(*method, Method::PUT | Method::PATCH | Method::POST);
    if has_body { ask.json(&json!({ "location": "westeurope", "properties": {} })) } else { ask }
}

fn of_kind(world: &World, provider: &Provider, kind: &Kind) -> Vec<Ask> {
    let types: Vec<&str> = kind.name.split('/').collect();
    let named: String = types.iter().map(|name| format!("/{name}/{GUID}")).collect();
    let list = named.rsplit_once('/').map_or("", |(front, _)| front);
    let home = home(world, provider, kind.place);
    let one = [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
    let mut asks: Vec<Ask> =
        one.iter().map(|method| asked(world, method, &format!("{home}{named}"), kind.versions)).collect();
    asks.push(asked(world, &Method::GET, &format!("{home}{list}"), kind.versions));
    for verb in kind.actions {
        let path = format!("{home}{named}/{}", filled(verb.name));
        asks.push(asked(world, &method(verb.method), &path, kind.versions));
    }
    asks
}

fn method(on: On) -> Method {
    match on {
        On::Get => Method::GET,
        On::Head => Method::HEAD,
        On::Post => Method::POST,
    }
}

/// A function's own words may open it to whoever is somebody.
fn of_function(world: &World, provider: &Provider, function: &Function) -> (Ask, bool) {
    let scope = match function.at {
        At::Tenant => String::new(),
        At::Subscription => world.subscription(),
        At::Group | At::Anywhere => world.group(""),
    };
    let path = format!("{scope}/providers/{}/{}", provider.namespace, filled(function.path));
    (asked(world, &method(function.method), &path, function.versions), function.action.is_empty())
}

/// Every operation, and whether being somebody is enough for it.
fn every_operation(world: &World) -> Vec<(Ask, bool)> {
    let of = |provider: &&'static Provider| {
        let kinds = provider.kinds.iter().flat_map(|kind| {
            // Of a list that shows what its caller may see, the provider's function takes the place of the kind's.
            let is_shown = |it: &Function| it.path == kind.name && it.method == On::Get;
            let lists = format!("{}/{}?", home(world, provider, kind.place), kind.name);
            let is_listed = provider.functions.iter().any(is_shown);
            let is_open = move |ask: &Ask| {
                (kind.anyone_may_put && ask.method == "PUT") || (is_listed && ask.target.starts_with(&lists))
            };
            of_kind(world, provider, kind).into_iter().map(move |ask| (ask.clone(), is_open(&ask)))
        });
        let functions = provider.functions.iter().map(|it| of_function(world, provider, it));
        kinds.chain(functions).collect::<Vec<_>>()
    };
    PROVIDERS.iter().flat_map(of).collect()
}

/// A token of the machine's identity, which nobody has given a role.
async fn somebody(world: &World) -> Auth {
    let token =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";
    let answer = world.ask(&world.metadata(token)).await;
    Auth::Bearer(answer.json()["access_token"].as_str().expect("a token").to_owned())
}

/// The action that a refusal names.
fn refused_action(answer: &Answer) -> Option<Action> {
    let said = answer.json();
    let message = said.pointer("/error/message")?.as_str()?;
    let (_, rest) = message.split_once("perform action '")?;
    Some(Action::from(rest.split_once('\'')?.0))
}

fn said(ask: &Ask, answer: &Answer) -> (u16, String) {
    let code = if ask.method == "HEAD" { String::new() } else { answer.code(Protocol::Arm) };
    (answer.status, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_of_resource_manager_is_refused_to_nobody_and_to_those_without_a_role() {
    let world = World::new().await;
    let somebody = somebody(&world).await;
    let (before, mut wrong) = (world.state().await, Vec::new());
    let operations = every_operation(&world);
    let demands = demands::all(PROVIDERS);
    for (ask, is_open_to_all) in &operations {
        for (who, expected) in
            [(Auth::None, (401, "AuthenticationFailed")), (somebody.clone(), (403, "AuthorizationFailed"))]
        {
            if *is_open_to_all && who != Auth::None {
                continue;
            }
            let ask = ask.clone().by(who);
            let answer = world.ask(&ask).await;
            let (status, code) = said(&ask, &answer);
            let is_as_it_should = status == expected.0 && (code.is_empty() || code == expected.1);
            if !is_as_it_should {
                wrong.push(format!("{} {}: {status} {code}, not {expected:?}", ask.method, ask.target));
            }
            let unlisted =
                refused_action(&answer).filter(|it| demands.iter().all(|known| known.action != *it));
            if let Some(action) = unlisted {
                wrong.push(format!("{} {}: no table of demands has {action}", ask.method, ask.target));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} operations:\n{}", wrong.len(), operations.len(), wrong.join("\n"));
    assert!(world.state().await == before, "something changed");
}
