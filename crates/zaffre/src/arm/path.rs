//! What a request is about, read from its method and path alone.
//!
//! ```text
//! {scope}/providers/{namespace}/{type}/{name}[/{type}/{name}]…           one resource
//! {scope}/providers/{namespace}/{type}[/{name}/{type}]…                  all of a type
//! {scope}/providers/{namespace}/{type}/{name}…/{verb}                    something done to one
//! {scope}/providers/{namespace}/{function}                               a provider's function
//! anything else                                                          Resource Manager's own table
//! ```
//!
//! Slashes may be doubled or stand at the end, and literals may be in any case; `azure::ids` sees to it.

use azure::{
    error::{Error, Result},
    ids::{ResourceId, SubscriptionId},
};
use http::Method;

use super::{
    codes,
    kind::{At, Function, On, Place, Provider, Verb},
    own,
    types::{Type, Types},
};

/// `{parameters}` and what they stood for.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// What a request is about.
pub(super) enum What {
    One {
        id: ResourceId,
        of: Type,
    },
    /// All of a type at a scope, or inside a parent.
    Many {
        at: ResourceId,
        of: Type,
    },
    Verb {
        id: ResourceId,
        of: Type,
        verb: &'static Verb,
        path: Parameters,
    },
    Function {
        at: ResourceId,
        function: &'static Function,
        path: Parameters,
    },
    /// Resource Manager's own.
    Own {
        row: &'static own::Row,
        path: Parameters,
    },
}

/// Reads the path. The id has been parsed: no segment is empty, `.` or `..`.
pub(super) fn read(types: &Types, method: &Method, id: &ResourceId) -> Result<What> {
    let segments: Vec<&str> = id.segments().collect();
    check_subscription(&segments)?;
    if let Some(found) = own::find(method, &segments) {
        return found;
    }
    match segments.iter().rposition(|it| it.eq_ignore_ascii_case("providers")) {
        None => outside(types, method, id, segments.len()),
        Some(at) => provided(types, method, id, at, &segments),
    }
}

fn check_subscription(segments: &[&str]) -> Result<()> {
    match segments {
        [first, id, ..] if first.eq_ignore_ascii_case("subscriptions") => {
            match id.parse::<SubscriptionId>() {
                Ok(_) => Ok(()),
                Err(_) => Err(codes::INVALID_SUBSCRIPTION_ID.with([*id])),
            }
        }
        _ => Ok(()),
    }
}

/// Groups, and the list of them.
fn outside(types: &Types, method: &Method, id: &ResourceId, count: usize) -> Result<What> {
    let of = types.find("Microsoft.Resources/resourceGroups")?;
    let is_list = count == 3 && id.name().eq_ignore_ascii_case("resourceGroups");
    if is_list && id.subscription().is_some() {
        return only(method, &[Method::GET], id).map(|()| What::Many { at: id.ancestor(2), of });
    }
    if count == 4 && id.resource_group().is_some() {
        return one(method, id.clone(), of);
    }
    Err(not_found(id))
}

/// What lies behind `/providers/`.
fn provided(types: &Types, method: &Method, id: &ResourceId, at: usize, segments: &[&str]) -> Result<What> {
    let scope = id.ancestor(at);
    let (Some(namespace), rest) = (segments.get(at + 1), &segments[segments.len().min(at + 2)..]) else {
        return Err(not_found(id));
    };
    if rest.is_empty() || !(is_scope(&scope) || is_loose_scope(&scope, namespace)) {
        return Err(not_found(id));
    }
    if let Some(provider) = types.provider(namespace) {
        if let Some(found) = function(provider, method, &scope, rest) {
            return Ok(found);
        }
        if let Some(found) = verb(types, provider, method, id, at + 2, rest) {
            return Ok(found);
        }
    }
    let type_name = |count: usize| {
        let parts = rest[..count].iter().step_by(2);
        parts.fold((*namespace).to_owned(), |name, part| format!("{name}/{part}"))
    };
    let of = types.find(&type_name(rest.len()))?;
    match rest.len() % 2 {
        0 if of.is_known() && !lives_at(of.kind.place, &scope) => Err(not_found(id)),
        0 => one(method, id.clone(), of),
        _ if method == Method::POST => Err(codes::not_implemented(format!("{}/action", of.name))),
        _ => {
            only(method, &[Method::GET], id)?;
            let at = if rest.len() == 1 { scope } else { id.ancestor(segments.len() - 1) };
            Ok(What::Many { at, of })
        }
    }
}

/// Whether resources of such a kind are kept at the scope; below it, for children.
fn lives_at(place: Place, scope: &ResourceId) -> bool {
    let depth = scope.segments().count();
    match place {
        Place::Group | Place::Child => depth == 4 && scope.resource_group().is_some(),
        Place::Subscription => depth == 2 && scope.subscription().is_some(),
        Place::Tenant => depth == 0,
        Place::Extension => true,
    }
}

/// The root, a subscription, a group, or a resource.
fn is_scope(scope: &ResourceId) -> bool {
    scope.is_root()
        || (scope.is_resource() && (scope.subscription().is_some() || scope.namespace().is_some()))
}

/// What Microsoft.Authorization also takes for a scope: a path inside a resource that names none, such as
/// `…/blobServices/default/{container}`. An assignment there holds what begins with it (rbac.md §2).
fn is_loose_scope(scope: &ResourceId, namespace: &str) -> bool {
    namespace.eq_ignore_ascii_case("Microsoft.Authorization")
        && scope.subscription().is_some()
        && !scope.names().is_empty()
        && scope.namespace().is_some()
}

fn one(method: &Method, id: ResourceId, of: Type) -> Result<What> {
    only(method, &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE], &id)?;
    Ok(What::One { id, of })
}

fn only(method: &Method, allowed: &[Method], id: &ResourceId) -> Result<()> {
    match allowed.contains(method) {
        true => Ok(()),
        false => Err(codes::METHOD_NOT_ALLOWED.with([method.as_str(), id.as_str()])),
    }
}

fn not_found(id: &ResourceId) -> Error {
    codes::PATH_NOT_FOUND.with([id.as_str()])
}

fn function(provider: &'static Provider, method: &Method, scope: &ResourceId, rest: &[&str]) -> Option<What> {
    let is_here = |at: At| match at {
        At::Tenant => scope.is_root(),
        At::Subscription => scope.segments().count() == 2 && scope.subscription().is_some(),
        At::Group => scope.segments().count() == 4 && scope.resource_group().is_some(),
        At::Anywhere => true,
    };
    provider.functions.iter().find_map(|function| {
        let is_meant = is_here(function.at) && is_method(function.method, method);
        let path = is_meant.then(|| matches(function.path, rest)).flatten()?;
        Some(What::Function { at: scope.clone(), function, path })
    })
}

/// A verb of the innermost resource that has one of the name.
fn verb(
    types: &Types,
    provider: &'static Provider,
    method: &Method,
    id: &ResourceId,
    before: usize,
    rest: &[&str],
) -> Option<What> {
    let pairs = rest.len().saturating_sub(1) / 2;
    (1..=pairs).rev().find_map(|pairs| {
        let (named, left) = rest.split_at(pairs * 2);
        let type_name: Vec<&str> = named.iter().step_by(2).copied().collect();
        let of = types.known(&format!("{}/{}", provider.namespace, type_name.join("/")))?;
        of.kind.actions.iter().find_map(|verb| {
            let path = is_method(verb.method, method).then(|| matches(verb.name, left)).flatten()?;
            Some(What::Verb { id: id.ancestor(before + pairs * 2), of: of.clone(), verb, path })
        })
    })
}

pub(super) fn is_method(on: On, method: &Method) -> bool {
    match on {
        On::Get => method == Method::GET,
        On::Head => method == Method::HEAD,
        On::Post => method == Method::POST,
    }
}

/// What the parameters of a pattern stood for, where the segments are what it describes. It is held against them
/// from its end: most patterns of a table begin alike.
pub(super) fn matches(pattern: &'static str, segments: &[&str]) -> Option<Parameters> {
    let mut parts = pattern.rsplit('/').filter(|part| !part.is_empty());
    let mut path = Vec::new();
    for segment in segments.iter().rev() {
        let part = parts.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => path.push((name, (*segment).to_owned())),
            None if part.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    path.reverse();
    parts.next().is_none().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_its_own_number_of_segments_in_any_case() {
        let path = |text: &'static str| text.split('/').collect::<Vec<_>>();
        for (pattern, segments, taken) in [
            ("locations/{l}/vmSizes", "Locations/westus/VMSIZES", Some(vec![("l", "westus".to_owned())])),
            ("locations/{l}/vmSizes", "locations/westus", None),
            ("locations/{l}", "locations/westus/vmSizes", None),
            ("a", "b", None),
        ] {
            assert_eq!(matches(pattern, &path(segments)), taken, "{pattern} {segments}");
        }
    }
}
