//! `zaffre up`: the cloud itself, in the foreground until it is told to stop.
//!
//! The slow parts of a first start, the key that signs tokens and the certificate authority, are made side by side. Ports
//! open when all else stands, and `run.json` is written when they are open: whoever finds it can connect.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::IpAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Outcome, first,
    guests::{self, Guests},
    home::Home,
    passing::{self, Passing},
    places::Places,
    rootfs, say, status,
};
use crate::{
    Server, StartError,
    cloud::Clock,
    control::{Run, Running},
    env::{Durations, Egress, Limits as Kept, LogFormat, Settings},
    front::{
        Upstreams,
        ca::Authority,
        connection::{Front, Limits},
        listen::{self, Open, Wish},
        outside::{Outside, ThisHost},
        shell_doors,
    },
    store::{Content, Store},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Return when the cloud is up, and leave it running
    #[arg(long)]
    detach: bool,
    /// Keep everything in memory
    #[arg(long, conflicts_with_all = ["store", "content"])]
    memory: bool,
    #[command(flatten)]
    places: Places,
    /// The address of this machine that listeners listen at; others than loopback's are reached by others
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", env = "ZAFFRE_LISTEN")]
    listen: IpAddr,
    /// The name or address at which clients reach them, where that is another [default: where they listen]
    #[arg(long, value_name = "HOST", env = "ZAFFRE_PUBLIC_ADDRESS")]
    public_address: Option<String>,
    /// Where a listener listens: NAME is proxy, tls, blob, cosmos, hosts or all; 0 is any free port
    #[arg(long = "port", value_name = "NAME=N|0|off")]
    ports: Vec<Wish>,
    /// Refuse hosts that are not Azure's, too
    #[arg(long, env = "ZAFFRE_OFFLINE")]
    offline: bool,
    /// The proxy that this host needs for hosts that are not Azure's, `http://[NAME:PASSWORD@]HOST:PORT`, or `off` [default: what
    /// HTTPS_PROXY, HTTP_PROXY and NO_PROXY say]
    #[arg(long, value_name = "URL", env = "ZAFFRE_UPSTREAM_PROXY", hide_env_values = true)]
    upstream_proxy: Option<String>,
    /// What virtual machines reach outside their networks, as their security groups let them: nothing, the Internet, or this
    /// host's private networks too. Alone it is the Internet; never this host itself, nor Microsoft's names; nothing with --offline
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_value = "off", default_missing_value = "internet", env = "ZAFFRE_EGRESS")]
    egress: LetOut,
    /// How virtual machines run
    #[arg(long, value_enum, default_value = "auto", env = "ZAFFRE_GUESTS")]
    guests: Guests,
    /// A root file system for virtual machines, a directory or an archive that `tar` reads, in place of this host's programs
    #[arg(long, value_name = "PATH", env = "ZAFFRE_ROOTFS")]
    rootfs: Option<PathBuf>,
    /// Whose limits on how often may be asked are kept: nobody's, or Azure's, which answers 429 beyond them
    #[arg(long, value_enum, default_value = "off", env = "ZAFFRE_LIMITS")]
    limits: KeptLimits,
    /// How long operations of Resource Manager take: no longer than they have to, or as long as Azure's
    #[arg(long, value_enum, default_value = "instant", env = "ZAFFRE_DURATIONS")]
    durations: LastingAs,
    /// Where Azure Arc's challenges are written [default: /var/opt/azcmagent/tokens, where clients look]
    #[arg(long, value_name = "DIR", env = "ZAFFRE_ARC_TOKENS")]
    arc_tokens: Option<PathBuf>,
    /// For how long changes of role assignments are not seen yet, as on the platform
    #[arg(long, value_name = "SECONDS", default_value = "0", env = "ZAFFRE_ROLE_PROPAGATION")]
    role_propagation: u64,
    /// How requests are logged, on standard error
    #[arg(long, value_enum, default_value = "text", env = "ZAFFRE_LOG")]
    log: Log,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeptLimits {
    Off,
    Platform,
}

impl From<KeptLimits> for Kept {
    fn from(limits: KeptLimits) -> Self {
        match limits {
            KeptLimits::Off => Kept::Off,
            KeptLimits::Platform => Kept::Platform,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LastingAs {
    Instant,
    Azure,
}

impl From<LastingAs> for Durations {
    fn from(durations: LastingAs) -> Self {
        match durations {
            LastingAs::Instant => Durations::Instant,
            LastingAs::Azure => Durations::Azure,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum LetOut {
    Off,
    Internet,
    All,
}

impl From<LetOut> for Egress {
    fn from(egress: LetOut) -> Self {
        match egress {
            LetOut::Off => Egress::Off,
            LetOut::Internet => Egress::Internet,
            LetOut::All => Egress::All,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Log {
    Text,
    Json,
    Off,
}

impl From<Log> for LogFormat {
    fn from(log: Log) -> Self {
        match log {
            Log::Text => LogFormat::Text,
            Log::Json => LogFormat::Json,
            Log::Off => LogFormat::Off,
        }
    }
}

pub(super) fn run(args: Args, home: &Home) -> Outcome {
    if args.detach {
        return detach(home);
    }
    if first::is_here() {
        return first::stand_by();
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(&args, home))
}

async fn serve(args: &Args, home: &Home) -> Outcome {
    home.make()?;
    let _lock = home.lock()?;
    let mut ends = Ends::catch()?;
    let place = Place::of(args, home)?;
    let (server, authority) = tokio::try_join!(server(args, home), authority(place.folder()))?;
    // Nobody has set one before: the server is ours.
    let _ = server.env.authority.set(Arc::clone(&authority));
    let settings = &server.env.settings;
    if let Some(outside) = Outside::new(settings.egress(), Arc::new(ThisHost), settings.log) {
        open_many_files();
        let _ = server.env.outside.set(outside);
    }
    let (front, closer) = Front::new(Arc::clone(&server), Arc::clone(&authority), Limits::default())?;
    let rootfs = args.rootfs.as_deref().map(|it| rootfs::find(it, place.folder())).transpose()?;
    let machines = guests::follow(
        &front,
        &authority,
        args.guests,
        guest::OWN_PROGRAM.into(),
        rootfs,
        (listen::ssh_ports(&args.ports), listen::public_ports(&args.ports)),
    );
    let open = listen::open(&front, args.listen, &args.ports).await?;
    leads_elsewhere(args, &server.env.settings.upstream, &open)?;
    let control = Home::socket_in(place.folder());
    listen::open_control(&front, &control)?;
    shell_doors::open_desk(&front, &control)?;
    for warning in &open.warnings {
        eprintln!("zaffre: {warning}");
    }
    let run = Run {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data: (!args.memory).then(|| home.path().to_owned()),
        control,
        ca: authority.certificate_path(),
        bundle: authority.bundle_path(),
        offline: args.offline,
        public_address: args.public_address.clone(),
        egress: server.env.egress(),
        addresses: open.addresses.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect(),
    };
    let running = server.env.running.get_or_init(|| Running::new(run));
    home.announce(&running.run)?;
    say(&greeting(&running.run, home))?;
    release_stdout_of_detached();

    ends.told(running).await;
    home.withdraw();
    if let Some(machines) = machines {
        machines.stop().await;
    }
    closer.close().await;
    let _ = fs::remove_file(&running.run.control);
    let _ = fs::remove_file(shell_doors::desk(&running.run.control));
    server.env.store.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// What leads the proxy to other hosts, with a word about what cannot.
fn upstream(args: &Args) -> Result<Upstreams, StartError> {
    let (upstream, warnings) =
        Upstreams::read(args.upstream_proxy.as_deref(), |name| std::env::var(name).ok())?;
    warnings.iter().for_each(|it| eprintln!("zaffre: {it}"));
    Ok(upstream)
}

/// Refuses a way that would lead back here. One that was only found in the environment is never taken.
fn leads_elsewhere(args: &Args, upstream: &Upstreams, open: &Open) -> Result<(), StartError> {
    let ports: Vec<u16> = open.addresses.get("proxy").map(|it| it.port()).into_iter().collect();
    match (upstream.is_at(&ports), &args.upstream_proxy, upstream.shown()) {
        (true, Some(_), _) => {
            Err("`--upstream-proxy` is this cloud's own proxy: name the one that this host needs, or `off`"
                .into())
        }
        (false, _, Some(place)) => {
            eprintln!("zaffre: hosts that are not Azure's are reached through the proxy at {place}");
            Ok(())
        }
        (..) => Ok(()),
    }
}

/// Every connection of a machine is one of ours too: as many as the system lets us have.
fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Nothing is lost where it is refused but a few connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

async fn server(args: &Args, home: &Home) -> Result<Arc<Server>, StartError> {
    let settings = Settings {
        data: (!args.memory).then(|| home.path().to_owned()),
        offline: args.offline,
        upstream: upstream(args)?,
        egress: args.egress.into(),
        log: args.log.into(),
        limits: args.limits.into(),
        durations: args.durations.into(),
        arc_tokens: args.arc_tokens.clone(),
        role_propagation: Duration::from_secs(args.role_propagation),
        ..Settings::default()
    };
    let (store, content) = match args.memory {
        true => (Store::in_memory(), Content::in_memory()),
        false => args.places.open(home).await?,
    };
    Server::start(store, content, settings).await
}

async fn authority(folder: &Path) -> Result<Arc<Authority>, StartError> {
    let folder = folder.join("ca");
    let made = tokio::task::spawn_blocking(move || -> Result<_, StartError> {
        let authority = Authority::open(&folder, || Clock::System.now())?;
        if authority.write_bundle()?.is_none() {
            eprintln!(
                "zaffre: this machine has no public roots that we know of: clients will trust this cloud alone"
            );
        }
        Ok(Arc::new(authority))
    });
    made.await?
}

/// Where a cloud keeps what is not in its store: the data directory, or for a cloud in memory a folder that goes with it.
enum Place {
    Kept(PathBuf),
    Passing(Passing),
}

impl Place {
    fn of(args: &Args, home: &Home) -> Result<Self, StartError> {
        if args.memory {
            return Ok(Place::Passing(Passing::make("")?));
        }
        passing::sweep();
        Ok(Place::Kept(home.path().to_owned()))
    }

    fn folder(&self) -> &Path {
        match self {
            Place::Kept(folder) => folder,
            Place::Passing(passing) => passing.path(),
        }
    }
}

/// What ends the cloud from outside: caught from before anybody can know that it is up.
pub(super) struct Ends([Signal; 3]);

impl Ends {
    pub(super) fn catch() -> io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        Ok(Ends([signal(terminate)?, signal(interrupt)?, signal(hangup)?]))
    }

    pub(super) async fn signalled(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// Until a signal or the control socket says so.
    async fn told(&mut self, running: &Running) {
        tokio::select! {
            () = self.signalled() => {}
            () = running.stopped() => {}
        }
    }
}

/// Where the cloud is, and what to type next.
fn greeting(run: &Run, home: &Home) -> String {
    format!(
        "{}\nnext, in another terminal:\n\n  {}\n\na shell in which Azure's names are this cloud and `az` is signed in; elsewhere, \
         `eval \"$({})\"` sets the variables that lead here\n\nCtrl-C or `{}` stops it\n",
        status::shown(run),
        home.to_type("shell"),
        home.to_type("env"),
        home.to_type("down"),
    )
}

/// Set for the process that `--detach` starts.
const DETACHED: &str = "ZAFFRE_DETACHED";

/// Starts the same command again without `--detach`, and waits until it has said that it is up.
fn detach(home: &Home) -> Outcome {
    home.make()?;
    let log = home.path().join("log");
    let error_log = fs::OpenOptions::new().create(true).append(true).open(&log)?;
    let begins_at = error_log.metadata()?.len();
    let words: Vec<_> = std::env::args_os().skip(1).filter(|word| word != "--detach").collect();
    let mut child = Command::new(std::env::current_exe()?)
        .args(words)
        .env(DETACHED, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(error_log)
        .process_group(0)
        .spawn()?;
    let mut greeting = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut greeting)?;
    }
    io::stdout().write_all(&greeting)?;
    if !greeting.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    child.wait()?;
    let said = fs::read(&log)?;
    io::stderr().write_all(&said[usize::try_from(begins_at)?.min(said.len())..])?;
    Err(format!("the cloud did not start; its log is `{}`", log.display()).into())
}

/// Ends the greeting for the process that waits for it.
fn release_stdout_of_detached() {
    if std::env::var_os(DETACHED).is_some()
        && let Ok(nowhere) = fs::OpenOptions::new().write(true).open("/dev/null")
    {
        let _ = rustix::stdio::dup2_stdout(&nowhere);
    }
}
