//! `zaffre ca`: the certificate authority of this machine, for whoever wants more than variables.
//!
//! Programs that read variables trust the authority by `zaffre env`. Browsers and others do by the stores of the system (`system`)
//! and of NSS (`nss`), but only when somebody types `trust`, and no longer than until `untrust`, which leaves the stores as they
//! were. Each store says what it would do as a list of steps (`steps`), from which a dry run, the doing and the undoing follow.
//! What is trusted holds for Azure's names and this machine alone: an authority without that limit is refused.

mod nss;
mod steps;
mod system;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use azure::text;
use clap::ValueEnum;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use self::steps::{Step, done};
use super::{Outcome, home::Home, say};
use crate::{StartError, keys};

pub(super) use self::system::trusts as system_trusts;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Print where the authority's certificate is
    Path(PathArgs),
    /// Have the system and browsers trust it
    Trust(Args),
    /// Take that back
    Untrust(Args),
}

#[derive(clap::Args)]
pub(super) struct PathArgs {
    /// The file that holds the public roots as well
    #[arg(long, conflicts_with = "java")]
    bundle: bool,
    /// The same for Java, as a trust store
    #[arg(long)]
    java: bool,
}

#[derive(clap::Args)]
pub(super) struct Args {
    /// Which stores: the system's, or those of NSS, which Firefox and Chromium read [default: both]
    #[arg(long, value_enum)]
    store: Option<Which>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    System,
    Nss,
}

/// Where stores are looked for: a test makes a machine up.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Below which the system's files are.
    pub(super) root: PathBuf,
    /// The user's own directory.
    pub(super) home: Option<PathBuf>,
    /// Where programs are found.
    pub(super) programs: Vec<PathBuf>,
}

/// The certificate, as stores want it.
pub(super) struct Certificate {
    /// Where it is kept.
    path: PathBuf,
    pem: String,
    der: Vec<u8>,
}

/// What there is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Trust,
    Untrust,
}

impl Machine {
    pub(super) fn this() -> Machine {
        let path = env::var_os("PATH").unwrap_or_default();
        // Where a user's own PATH seldom looks, though `sudo` does.
        let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        Machine {
            root: PathBuf::from("/"),
            home: env::var_os("HOME").map(PathBuf::from),
            programs: env::split_paths(&path).chain(sbin).collect(),
        }
    }

    /// A file of the system's.
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        self.programs.iter().map(|folder| folder.join(name)).find(|it| it.is_file())
    }
}

impl Certificate {
    /// The one of the cloud that runs, or of the directory.
    pub(super) fn find(home: &Home) -> Result<Certificate, StartError> {
        let path = home.running().map_or_else(|_| home.path().join("ca/ca.pem"), |run| run.ca);
        let pem = fs::read_to_string(&path).map_err(|error| {
            format!("no authority in `{}` ({error}): `{}` makes one", path.display(), home.to_type("up"))
        })?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())?.to_vec();
        Ok(Certificate { path, pem, der })
    }

    /// A short name that no other authority has.
    fn print(&self) -> String {
        keys::sha256(&self.der)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it says for which names it holds: the object identifier of name constraints, 2.5.29.30.
    fn is_constrained(&self) -> bool {
        const NAME_CONSTRAINTS: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x1e];
        self.der.windows(NAME_CONSTRAINTS.len()).any(|it| it == NAME_CONSTRAINTS)
    }

    /// Whether a file of certificates has this one, however its lines are broken.
    fn is_in(&self, file: &Path) -> bool {
        let whole = fs::read_to_string(file).unwrap_or_default();
        let all: String = whole.split_whitespace().collect();
        all.contains(&text::base64(&self.der))
    }
}

pub(super) fn run(verb: Verb, home: &Home) -> Outcome {
    match verb {
        Verb::Path(args) => path(&args, home),
        Verb::Trust(args) => change(Wish::Trust, &args, home),
        Verb::Untrust(args) => change(Wish::Untrust, &args, home),
    }
}

fn path(args: &PathArgs, home: &Home) -> Outcome {
    let found = Certificate::find(home)?.path;
    let name = match (args.bundle, args.java) {
        (true, _) => "bundle.pem",
        (_, true) => "truststore.jks",
        (false, false) => "ca.pem",
    };
    say(&format!("{}\n", found.with_file_name(name).display()))?;
    Ok(ExitCode::SUCCESS)
}

fn change(wish: Wish, args: &Args, home: &Home) -> Outcome {
    let certificate = Certificate::find(home)?;
    if wish == Wish::Trust && !certificate.is_constrained() {
        return Err(format!(
            "the authority in `{}` was made by an older version and holds for every name there is: remove its folder while the \
             cloud is down, and the next start makes one that holds for Azure's names alone",
            certificate.path.display()
        )
        .into());
    }
    let machine = Machine::this();
    let (plan, is_whole) = planned(wish, args.store, &machine, &certificate);
    done(&plan, args.dry_run, |line| say(&format!("{line}\n")))?;
    if is_whole {
        return Ok(ExitCode::SUCCESS);
    }
    if args.store != Some(Which::Nss) && !system::is_ours(&machine) {
        let verb = if wish == Wish::Trust { "trust" } else { "untrust" };
        let (program, data) = (env::current_exe()?, home.path().display());
        eprintln!("zaffre: as root: `sudo {} --data {data} ca {verb} --store system`", program.display());
    }
    Ok(ExitCode::FAILURE)
}

/// The steps for all stores that were asked for, and whether none of those had to be left out.
fn planned(
    wish: Wish,
    which: Option<Which>,
    machine: &Machine,
    certificate: &Certificate,
) -> (Vec<Step>, bool) {
    let is_asked = |it| which.is_none_or(|which| which == it);
    let mut plan = Vec::new();
    if is_asked(Which::Nss) {
        plan.extend(nss::steps(wish, machine, certificate));
    }
    if is_asked(Which::System) {
        plan.extend(system::steps(wish, machine, certificate));
    }
    let is_left_out = |step: &Step| matches!(step, Step::Cannot(_));
    let whole = !plan.iter().any(is_left_out);
    (plan, whole)
}

#[cfg(test)]
mod tests;
