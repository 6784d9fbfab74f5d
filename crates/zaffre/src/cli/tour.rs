//! `zaffre tour`: the pages that users were promised, each against a fresh cloud in memory, with real guests.

use std::{io, process::ExitCode, sync::Arc};

use super::{
    Outcome,
    guests::{self, Guests},
    passing::Passing,
    say,
};
use crate::{
    Server, StartError,
    cloud::Clock,
    env::{LogFormat, Settings},
    front::{
        ca::Authority,
        connection::{Closer, Front, Limits},
        listen::Ports,
    },
    products::compute::reconcile::Reconciler,
    store::{Content, Store},
    tour::{self, LeftOut, Stage, TOURS, Tally, Tour},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Which: cosmos-keys, cosmos-rbac, resource-manager, storage or windows-cosmos
    #[arg(value_name = "NAME", value_parser = named)]
    tours: Vec<&'static Tour>,
    /// All of them
    #[arg(long, conflicts_with = "tours")]
    all: bool,
    /// Say where the pages are wrong about Azure, and what is done instead
    #[arg(long)]
    corrections: bool,
    /// Leave out the steps that give somebody a role, or the one of a number, to see that they are missed
    #[arg(long, hide = true, value_name = "role-assignment[=N]", value_parser = left_out)]
    leave_out: Option<LeftOut>,
}

fn left_out(text: &str) -> Result<LeftOut, String> {
    let (what, number) = text.split_once('=').unwrap_or((text, ""));
    match (what, number) {
        ("role-assignment", "") => Ok(LeftOut::All),
        ("role-assignment", number) => {
            number.parse().map(LeftOut::One).map_err(|_| "N is a number".to_owned())
        }
        _ => Err("only role assignments can be left out".to_owned()),
    }
}

fn named(name: &str) -> Result<&'static Tour, String> {
    let names = || TOURS.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
    TOURS.iter().find(|it| it.name == name).ok_or_else(|| format!("there are: {}", names()))
}

pub(super) fn run(args: Args) -> Outcome {
    if args.corrections {
        let tours = if args.tours.is_empty() { TOURS.iter().collect() } else { args.tours };
        say(&corrections(&tours))?;
        return Ok(ExitCode::SUCCESS);
    }
    let tours: Vec<&Tour> = if args.all { TOURS.iter().collect() } else { args.tours };
    if tours.is_empty() {
        say("There are these tours; `zaffre tour NAME` takes one, `zaffre tour --all` all of them:\n\n")?;
        for tour in TOURS {
            say(&format!("  {:<18}{}\n", tour.name, tour.title))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Err(refused) = guest::probe(guest::OWN_PROGRAM.as_ref()) {
        return Err(format!(
            "a tour's commands run in real guests, which this machine does not allow: {refused}"
        )
        .into());
    }
    let left_out = args.leave_out.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tally = runtime.block_on(take_all(&tours, left_out))?;
    say(&format!("\ntour: {} steps, {} differ\n", tally.steps, tally.differ))?;
    Ok(if tally.differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A tour's name on a line of its own, then a line for each correction: two blanks, its name, what it says.
fn corrections(tours: &[&Tour]) -> String {
    let mut out = String::new();
    for tour in tours {
        out.push_str(&format!("{}\n", tour.name));
        for correction in tour.corrections() {
            out.push_str(&format!("  {:<20} {}\n", correction.name, correction.says));
        }
    }
    out
}

async fn take_all(tours: &[&Tour], left_out: LeftOut) -> Result<Tally, StartError> {
    let mut tally = Tally::default();
    for tour in tours {
        let world = World::begin().await?;
        let taken = async {
            let mut stage = Stage::new(Arc::clone(&world.server)).await?;
            Ok::<_, StartError>(tour::take(tour, &mut stage, left_out, &mut io::stdout()).await?)
        };
        let taken = taken.await;
        world.end().await;
        tally = tally.and(taken?);
    }
    Ok(tally)
}

/// A cloud in memory whose machines run, without any door to the host.
struct World {
    server: Arc<Server>,
    machines: Option<Reconciler>,
    closer: Closer,
    /// Where the certificates lie while a tour lasts.
    folder: Passing,
}

impl World {
    async fn begin() -> Result<Self, StartError> {
        let folder = Passing::make("tour-")?;
        let settings = Settings { log: LogFormat::Off, ..Settings::default() };
        let server = Server::start(Store::in_memory(), Content::in_memory(), settings).await?;
        let authority = Arc::new(Authority::open(folder.path(), || Clock::System.now())?);
        let (front, closer) = Front::new(Arc::clone(&server), Arc::clone(&authority), Limits::default())?;
        let machines = guests::follow(
            &front,
            &authority,
            Guests::Namespaces,
            guest::OWN_PROGRAM.into(),
            None,
            (vec![0], Ports::Any),
        );
        Ok(World { server, machines, closer, folder })
    }

    async fn end(self) {
        if let Some(machines) = self.machines {
            machines.stop().await;
        }
        self.closer.close().await;
        drop(self.folder);
    }
}
