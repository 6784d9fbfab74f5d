//! Tours: the pages that users were promised, step by step, against a fresh cloud.
//!
//! ```text
//! tours/ ── a table of steps each ──▶ Stage ── what a line of az stands for ──▶ Server::send, as the administrator
//!                                       │  └── what the page types in the machine ──▶ a command in a real guest
//!                                       └── answers ──▶ checked, kept for later steps, shown
//! ```
//!
//! Nothing here pretends: every answer that is shown was given, and a step is what it should be only if its status and the
//! values that its row names are. `<name>` in a row stands for what an earlier answer gave, as it does on the pages.
//!
//! - `step.rs`: what a step may say and do. `stage.rs`: doing it. `show.rs`: how it is printed.
//! - `corrections.rs`: where the pages are wrong. `tours/`: the pages, one file each, and the pieces they share.

mod corrections;
mod show;
mod stage;
mod step;
mod tours;

use std::{io, ptr};

pub use self::{
    corrections::Correction,
    stage::{NotReady, Stage},
};
use self::{show::Page, stage::Outcome};

/// One page.
pub struct Tour {
    pub name: &'static str,
    pub title: &'static str,
    steps: fn() -> Vec<step::Step>,
}

/// All of them, in the order in which `--all` takes them.
pub static TOURS: &[Tour] = &[
    Tour {
        name: "cosmos-keys",
        title: "A Linux VM's user-assigned identity fetches the keys of a Cosmos DB account",
        steps: tours::cosmos_keys::steps,
    },
    Tour {
        name: "cosmos-rbac",
        title: "A VM's own identity reads Cosmos DB's data without a key",
        steps: tours::cosmos_rbac::steps,
    },
    Tour {
        name: "resource-manager",
        title: "A Linux VM's identities call Resource Manager",
        steps: tours::resource_manager::steps,
    },
    Tour {
        name: "storage",
        title: "A Linux VM's user-assigned identity reads a blob, and fetches the account's keys",
        steps: tours::storage::steps,
    },
    Tour {
        name: "windows-cosmos",
        title: "A Windows VM's own identity fetches the keys of a Cosmos DB account",
        steps: tours::windows_cosmos::steps,
    },
];

/// How a tour, or several, went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub steps: usize,
    pub differ: usize,
}

impl Tally {
    pub fn and(self, other: Tally) -> Tally {
        Tally { steps: self.steps + other.steps, differ: self.differ + other.differ }
    }
}

/// Which steps that give somebody a role a test leaves out, to see that they are missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeftOut {
    #[default]
    None,
    /// Every one.
    All,
    /// The one of this number, from 1.
    One(usize),
}

impl LeftOut {
    fn is_out(self, number: usize) -> bool {
        match self {
            LeftOut::None => false,
            LeftOut::All => true,
            LeftOut::One(one) => one == number,
        }
    }
}

impl Tour {
    /// How many of its steps give somebody a role.
    pub fn grants(&self) -> usize {
        (self.steps)().iter().filter(|it| it.grants).count()
    }

    /// Where its page is wrong, in the page's order.
    pub fn corrections(&self) -> Vec<&'static Correction> {
        let mut all: Vec<&'static Correction> = Vec::new();
        for correction in (self.steps)().into_iter().flat_map(|it| it.corrections) {
            if !all.iter().any(|it| ptr::eq(*it, correction)) {
                all.push(correction);
            }
        }
        all
    }

    fn steps_without(&self, left_out: LeftOut) -> Vec<step::Step> {
        let mut grants = 0;
        let mut is_taken = |step: &step::Step| {
            grants += usize::from(step.grants);
            !(step.grants && left_out.is_out(grants))
        };
        (self.steps)().into_iter().filter(|step| is_taken(step)).collect()
    }
}

/// Takes a tour to its end and prints it as it goes.
pub async fn take(
    tour: &Tour,
    stage: &mut Stage,
    left_out: LeftOut,
    out: &mut (dyn io::Write + Send),
) -> io::Result<Tally> {
    let steps = tour.steps_without(left_out);
    let mut page = Page::new(out, tour, steps.len());
    let mut tally = Tally::default();
    page.begin()?;
    for step in &steps {
        page.step(&stage.filled_step(step))?;
        let mut differs = false;
        for act in &step.acts {
            let Outcome { shown, differences } = stage.perform(act).await;
            page.act(&shown, &differences)?;
            differs |= !differences.is_empty();
        }
        tally = tally.and(Tally { steps: 1, differ: usize::from(differs) });
    }
    Ok(tally)
}
