//! Every operation that the tables serve, by the names that the log has for them: what the coverage page counts.
//!
//! ```text
//! a kind       GET, PUT, PATCH and DELETE of one, its lists, its verbs
//! a function   {namespace}/{path}
//! arm itself   the paths of `own.rs`
//! ```
//!
//! A key is a method and what `describe` says of a request: `PUT Microsoft.Compute/disks/write`.

use azure::ids::ResourceId;
use http::Method;

use super::{
    kind::{Kind, On, Patch, Place, Provider},
    own,
    path::{self, What},
    service::verb_of,
    types::{Type, Types},
};

/// One operation.
pub struct Served {
    /// `Microsoft.Compute/disks`; of a function its namespace; nothing for Resource Manager's own paths.
    pub of: String,
    /// `PUT`, `list in group`, `beginGetAccess`; a path.
    pub verb: String,
    /// As the log has it, behind its method.
    pub key: String,
}

/// What is about to be done, as the log names it.
pub(super) fn name(what: &What, method: &Method, path: &str) -> String {
    match what {
        What::One { of, .. } => of.action(verb_of(method)),
        What::Many { at, of } => of.action(list_at(of.kind, at)),
        What::Verb { of, verb, .. } => of.action(verb.action),
        What::Function { function, .. } => {
            let behind = path.rsplit_once("/providers/").map_or("", |(_, behind)| behind);
            let namespace = behind.split('/').next().unwrap_or_default();
            format!("{namespace}/{}", function.path)
        }
        What::Own { row, .. } => row.path.to_owned(),
    }
}

fn list_at(kind: &Kind, at: &ResourceId) -> &'static str {
    match (kind.place, at.resource_group().is_some()) {
        (Place::Group, true) => IN_GROUP,
        (Place::Group, false) => IN_SUBSCRIPTION,
        (Place::Child | Place::Extension | Place::Subscription | Place::Tenant, _) => LIST,
    }
}

const LIST: &str = "list";
const IN_GROUP: &str = "listInGroup";
const IN_SUBSCRIPTION: &str = "listInSubscription";

/// The key of a request; none where no operation is what it asks for.
pub fn key(providers: &'static [&'static Provider], method: &Method, path: &str) -> Option<String> {
    let types = Types::new(providers);
    let id = types.spelled(&ResourceId::parse(path).ok()?);
    let what = path::read(&types, method, &id).ok()?;
    Some(format!("{method} {}", name(&what, method, id.as_str())))
}

/// All of them, in the order of the tables.
pub fn all(providers: &'static [&'static Provider]) -> Vec<Served> {
    let types = Types::new(providers);
    let of_providers = types.providers().flat_map(of_provider);
    let of_arm = own::ROWS.iter().map(|row| Served {
        of: String::new(),
        verb: format!("{} {}", row.method, row.path),
        key: format!("{} {}", row.method, row.path),
    });
    of_providers.chain(of_arm).collect()
}

fn of_provider(provider: &'static Provider) -> Vec<Served> {
    let mut all = Vec::new();
    for kind in provider.kinds {
        let of = Type { kind, name: format!("{}/{}", provider.namespace, kind.name) };
        let mut serve = |verb: &str, method: &Method, action: &str| {
            let key = format!("{method} {}", of.action(action));
            all.push(Served { of: of.name.clone(), verb: verb.to_owned(), key });
        };
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            if method != Method::PATCH || is_patched(kind) {
                serve(method.as_str(), &method, verb_of(&method));
            }
        }
        // Where a function or a path of Resource Manager's own shows the list, it is theirs.
        let is_elsewhere = of.is_group() || provider.functions.iter().any(|it| it.path == kind.name);
        let lists: &[(&str, &str)] = match kind.place {
            _ if is_elsewhere => &[],
            Place::Group => &[("list in group", IN_GROUP), ("list in subscription", IN_SUBSCRIPTION)],
            Place::Child | Place::Extension | Place::Subscription | Place::Tenant => &[("list", LIST)],
        };
        for (verb, action) in lists {
            serve(verb, &Method::GET, action);
        }
        for verb in kind.actions {
            serve(verb.name, &method_of(verb.method), verb.action);
        }
    }
    all.extend(provider.functions.iter().map(|function| Served {
        of: provider.namespace.to_owned(),
        verb: format!("{} {}", method_of(function.method), function.path),
        key: format!("{} {}/{}", method_of(function.method), provider.namespace, function.path),
    }));
    all
}

fn is_patched(kind: &Kind) -> bool {
    match kind.own {
        Some(own) => own.patch.is_some(),
        None => kind.patch != Patch::Refused,
    }
}

fn method_of(on: On) -> Method {
    match on {
        On::Get => Method::GET,
        On::Head => Method::HEAD,
        On::Post => Method::POST,
    }
}
