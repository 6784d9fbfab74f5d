//! Every action that the tables demand of a caller: what a role can name to be of use here.
//!
//! ```text
//! a kind          read, write, delete; what its verbs, its links and its identity block demand
//! a function      its action
//! a data plane    the actions of its own table of operations (`Provider::data`)
//! arm itself      what `own.rs` demands; to register each provider
//! ```
//!
//! The lists of a provider's operations are made of this (`providers.rs`), and so is the picture of who may do
//! what, which the tests keep.

use azure::{action::Action, rbac::Plane};

use super::{
    kind::Provider,
    own::{self, Who},
    types::{Type, Types},
    write,
};

/// One action, on the plane that it is asked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub plane: Plane,
    pub action: Action,
}

impl Demand {
    fn control(action: impl Into<Action>) -> Self {
        Demand { plane: Plane::Control, action: action.into() }
    }

    /// `Microsoft.Compute`.
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// `virtualMachines/extensions`; empty for what is asked of the provider itself.
    pub fn resource_type(&self) -> &str {
        self.parts().1
    }

    /// `read`, `start/action`.
    pub fn operation(&self) -> &str {
        self.parts().2
    }

    fn parts(&self) -> (&str, &str, &str) {
        let whole = self.action.as_str();
        let (namespace, rest) = whole.split_once('/').unwrap_or((whole, ""));
        let before_action = rest.strip_suffix("/action").unwrap_or(rest);
        match before_action.rfind('/') {
            Some(at) => (namespace, &rest[..at], &rest[at + 1..]),
            None => (namespace, "", rest),
        }
    }

    fn sorted_by(&self) -> (String, u8) {
        let plane = match self.plane {
            Plane::Control => 0,
            Plane::Data => 1,
            Plane::Cosmos => 2,
        };
        (self.action.as_str().to_ascii_lowercase(), plane)
    }
}

/// All of them, each once, by name.
pub fn all(providers: &'static [&'static Provider]) -> Vec<Demand> {
    of_types(&Types::new(providers))
}

pub(super) fn of_types(types: &Types) -> Vec<Demand> {
    let mut all: Vec<Demand> = types.providers().flat_map(of_provider).chain(of_arm()).collect();
    all.sort_by_cached_key(Demand::sorted_by);
    all.dedup();
    all
}

fn of_provider(provider: &'static Provider) -> Vec<Demand> {
    let mut all = vec![Demand::control(format!("{}/register/action", provider.namespace))];
    for kind in provider.kinds {
        let of = Type { kind, name: format!("{}/{}", provider.namespace, kind.name) };
        let verbs = kind.actions.iter().map(|verb| verb.action);
        all.extend(
            ["read", "write", "delete"].into_iter().chain(verbs).map(|it| Demand::control(of.action(it))),
        );
        all.extend(kind.links.iter().map(|link| Demand::control(link.action)));
        all.extend(kind.identity.map(|_| Demand::control(write::ASSIGN)));
    }
    let functions = provider.functions.iter().map(|it| it.action).filter(|it| !it.is_empty());
    all.extend(functions.map(Demand::control));
    all.extend((provider.data)().into_iter().map(|(plane, action)| Demand { plane, action: action.clone() }));
    all
}

fn of_arm() -> impl Iterator<Item = Demand> {
    own::ROWS.iter().filter_map(|row| match row.who {
        Who::May(action) | Who::MayAndMore(action) => Some(Demand::control(action)),
        // Registering is listed with its provider.
        Who::Anyone | Who::SignedIn | Who::MayRegister | Who::Follower => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_of_a_type_and_does_something_to_it() {
        for (action, parts) in [
            ("Microsoft.Compute/virtualMachines/read", ("Microsoft.Compute", "virtualMachines", "read")),
            ("a.b/c/d/start/action", ("a.b", "c/d", "start/action")),
            ("a.b/register/action", ("a.b", "", "register/action")),
            ("a.b/c/readMetadata", ("a.b", "c", "readMetadata")),
        ] {
            assert_eq!(Demand::control(action).parts(), parts, "{action}");
        }
    }
}
