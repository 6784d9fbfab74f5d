//! Who may do what: every action that the program's tables demand, and which built-in roles may do it, by which of
//! their patterns. One golden file; `ZAFFRE_BLESS=1` rewrites it, and the diff is the review.
//!
//! ```text
//! Microsoft.Compute/virtualMachines/start/action
//!   * : Contributor, Owner
//!   Microsoft.Compute/virtualMachines/* : 12 roles     a pattern that many have: they are listed once, at the end
//! ```
//!
//! A role behind `but` has the pattern and takes the action out again (`notActions`). One with a `?` may under its own
//! condition. Data actions have a part of their own, and so have Cosmos DB's own roles. A change to a provider's table or
//! to the roles shows as the lines it moved, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::Arc,
};

use azure::{
    action::{Action, Pattern},
    cosmos_roles,
    rbac::Plane,
    roles::{self, Permission, RoleDefinition},
};
use zaffre::{
    arm::demands::{self, Demand},
    products::PROVIDERS,
};

/// What more roles have than these is listed once.
const FEW: usize = 4;

/// A part of the picture.
struct Part {
    title: &'static str,
    plane: Plane,
    roles: Vec<Arc<RoleDefinition>>,
}

fn parts() -> [Part; 3] {
    let azures = || roles::all().collect::<Vec<_>>();
    [
        Part { title: "Management: actions", plane: Plane::Control, roles: azures() },
        Part { title: "Data: dataActions", plane: Plane::Data, roles: azures() },
        Part {
            title: "Data of Cosmos DB: its own roles",
            plane: Plane::Cosmos,
            roles: cosmos_roles::all().to_vec(),
        },
    ]
}

/// Of the roles with a pattern, who may do an action by it and who takes it out again.
#[derive(Default)]
struct Split {
    may: BTreeSet<String>,
    may_not: BTreeSet<String>,
}

impl Part {
    /// The patterns of a permission that count here.
    fn patterns<'p>(&self, permission: &'p Permission) -> &'p [Pattern] {
        match self.plane {
            Plane::Control => &permission.actions,
            Plane::Data | Plane::Cosmos => &permission.data_actions,
        }
    }

    fn grants(&self, permission: &Permission, action: &Action) -> bool {
        match self.plane {
            Plane::Control => permission.grants_action(action),
            Plane::Data | Plane::Cosmos => permission.grants_data_action(action),
        }
    }

    /// Every pattern that names the action, widest first.
    fn ways(&self, action: &Action) -> Vec<(String, Split)> {
        let mut ways: BTreeMap<(usize, String), (String, Split)> = BTreeMap::new();
        for role in &self.roles {
            for permission in &role.permissions {
                for pattern in self.patterns(permission).iter().filter(|it| it.matches(action)) {
                    let key = (pattern.as_str().len(), pattern.as_str().to_ascii_lowercase());
                    let first = || (pattern.as_str().to_owned(), Split::default());
                    let (_, split) = ways.entry(key).or_insert_with(first);
                    match self.grants(permission, action) {
                        true => split.may.insert(called(role, permission)),
                        false => split.may_not.insert(called(role, permission)),
                    };
                }
            }
        }
        ways.into_values().collect()
    }

    fn has_pattern(&self, wanted: &str) -> BTreeSet<String> {
        let mut having = BTreeSet::new();
        for role in &self.roles {
            for permission in &role.permissions {
                if self.patterns(permission).iter().any(|it| it.as_str().eq_ignore_ascii_case(wanted)) {
                    having.insert(called(role, permission));
                }
            }
        }
        having
    }

    fn draw(&self, demands: &[Demand], text: &mut String) {
        writeln!(text, "# {}\n", self.title).expect("a text takes all");
        let mut common: BTreeMap<String, String> = BTreeMap::new();
        for demand in demands.iter().filter(|it| it.plane == self.plane) {
            writeln!(text, "{}", demand.action).expect("a text takes all");
            let ways = self.ways(&demand.action);
            if ways.iter().all(|(_, split)| split.may.is_empty()) {
                writeln!(text, "  nobody").expect("a text takes all");
            }
            for (pattern, split) in ways {
                if split.may.len() + split.may_not.len() > FEW {
                    common.entry(pattern.to_ascii_lowercase()).or_insert_with(|| pattern.clone());
                }
                writeln!(text, "  {pattern} : {}", split.shown()).expect("a text takes all");
            }
        }
        for pattern in common.values() {
            writeln!(text, "\n## {pattern}").expect("a text takes all");
            for role in self.has_pattern(pattern) {
                writeln!(text, "  {role}").expect("a text takes all");
            }
        }
        text.push('\n');
    }
}

impl Split {
    fn shown(&self) -> String {
        let listed =
            |roles: &BTreeSet<String>| roles.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let is_short = self.may.len() + self.may_not.len() <= FEW || self.may.len() < self.may_not.len();
        let who = if is_short { listed(&self.may) } else { format!("{} roles", self.may.len()) };
        match (self.may.is_empty(), self.may_not.is_empty()) {
            (_, true) => who,
            (false, false) if self.may.len() < self.may_not.len() => {
                format!("{who} but not the other {}", self.may_not.len())
            }
            (false, false) => format!("{who} but {}", listed(&self.may_not)),
            (true, false) => format!("none but has {}", listed(&self.may_not)),
        }
    }
}

fn called(role: &RoleDefinition, permission: &Permission) -> String {
    format!("{}{}", role.name.trim_end(), if permission.condition.is_some() { "?" } else { "" })
}

fn picture() -> String {
    let demands = demands::all(PROVIDERS);
    let mut text = String::new();
    for part in parts() {
        part.draw(&demands, &mut text);
    }
    format!("{}\n", text.trim_end())
}

#[test]
fn who_may_do_what_is_what_was_reviewed() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/picture.txt");
    if std::env::var_os("ZAFFRE_BLESS").is_some() {
        fs::write(&file, picture()).expect("is written");
    }
    let reviewed = fs::read_to_string(&file).expect("the golden file");
    assert!(picture() == reviewed, "the picture changed: run with ZAFFRE_BLESS=1 and review the diff");
}
