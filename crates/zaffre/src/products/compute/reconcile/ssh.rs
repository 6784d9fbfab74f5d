//! What an SSH server asks of a machine, answered by its guest and by what is stored about it.
//!
//! Every sign-in reads the store, so that a key or a password that was changed counts from that moment on. Beside them the guest's
//! own `~/.ssh/authorized_keys` counts, as on any machine: what `ssh-copy-id` or cloud-init wrote there. Whoever else the machine knows signs in by
//! theirs, and those whom VMAccess made by what it was given.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use azure::error::Result;
use guest::{ExitStatus, Guest, User};
use ssh::{Access, AgentSocket, Exit, Listening, Machine, Nudge, Pending, Process, Start, Stream, What};
use tokio::sync::mpsc;

use super::{super::logins, Key, exec};
use crate::{cloud::Chance, directory::secret::SecretHash, host, resources, store::Store};

/// Longer than a connection within one machine takes, however busy that is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to a listener that nobody took yet.
const WAITING: usize = 16;

/// A machine as its SSH server sees it.
pub(super) struct Inside {
    store: Store,
    key: Key,
    guest: Arc<Guest>,
}

/// What the cloud knows of a user, who need not be in the machine.
struct Stored {
    is_admin: bool,
    keys: Vec<String>,
    password: Option<SecretHash>,
}

impl Inside {
    pub(super) fn new(store: Store, key: Key, guest: Arc<Guest>) -> Self {
        Inside { store, key, guest }
    }

    /// What is stored about a user; none of one who was taken away.
    async fn stored(&self, user: &str) -> Option<Stored> {
        let (cloud, vm) = &self.key;
        let read = self.store.read(*cloud, |txn| -> Result<_> {
            let Some(vm) = resources::get(txn, vm)? else { return Ok(None) };
            let logins = logins::get(txn, &vm.id)?;
            if logins.removed.iter().any(|it| it == user) {
                return Ok(None);
            }
            let is_admin = vm.text("osProfile/adminUsername").unwrap_or("azureuser") == user;
            let other = logins.others.into_iter().find(|it| it.name == user);
            Ok(Some(match (is_admin, other) {
                (true, _) => Stored {
                    is_admin,
                    keys: logins::keys_of(&vm).into_iter().chain(logins.keys).collect(),
                    password: logins.password,
                },
                (false, Some(other)) => Stored { is_admin, keys: other.keys, password: other.password },
                (false, None) => Stored { is_admin, keys: Vec::new(), password: None },
            }))
        });
        // Who cannot be looked up is not let in.
        read.await.ok().flatten()
    }

    /// The keys in a user's own home; none where the machine knows nobody of that name who may have a shell.
    async fn own_keys(&self, user: &str, is_admin: bool) -> Option<Vec<String>> {
        let script = "case \"$SHELL\" in */nologin|*/false) exit 1;; esac; head -c 65536 ~/.ssh/authorized_keys 2>/dev/null; exit 0";
        let command = guest::Command {
            account: (!is_admin).then(|| user.to_owned()),
            cwd: Some("/".into()),
            ..guest::Command::new(["sh", "-c", script])
        };
        let done = self.guest.exec(command).await.ok()?.finish().await.ok()?;
        let printed = String::from_utf8(done.stdout).ok()?;
        (done.status == ExitStatus::Code(0)).then(|| printed.lines().map(str::to_owned).collect())
    }

    /// As whom a user's commands run: by name, but for the administrator, whom the machine has whatever its files say.
    async fn account(&self, user: &str) -> Option<String> {
        let is_admin = self.stored(user).await.is_some_and(|it| it.is_admin);
        (!is_admin).then(|| user.to_owned())
    }

    /// What a command prints, whether or not it goes well.
    async fn print<const N: usize>(&self, argv: [&str; N]) -> Option<String> {
        let done = self.guest.exec(guest::Command::new(argv)).await.ok()?.finish().await.ok()?;
        String::from_utf8(done.stdout).ok()
    }

    /// An address, or what the machine's own resolver and `/etc/hosts` make of a name.
    async fn resolve(&self, host: &str) -> std::result::Result<IpAddr, String> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(address);
        }
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let found = self.print(["getent", "ahosts", host]).await.unwrap_or_default();
        let first = found.split_whitespace().next().and_then(|it| it.parse().ok());
        first.ok_or_else(|| format!("`{host}` is no name here"))
    }
}

impl Machine for Inside {
    fn access<'a>(&'a self, user: &'a str) -> Pending<'a, Access> {
        Box::pin(async move {
            let Some(stored) = self.stored(user).await.filter(|_| is_name(user)) else {
                return Access::default();
            };
            let own = self.own_keys(user, stored.is_admin).await;
            if own.is_none() && !stored.is_admin {
                return Access::default();
            }
            let authorized_keys = stored.keys.into_iter().chain(own.into_iter().flatten()).collect();
            Access { authorized_keys, takes_passwords: stored.password.is_some() }
        })
    }

    fn is_password<'a>(&'a self, user: &'a str, password: &'a str) -> Pending<'a, bool> {
        Box::pin(async move {
            let kept = self.stored(user).await.and_then(|it| it.password);
            let given = password.to_owned();
            let compare = move || kept.is_some_and(|it| it.matches(&given));
            tokio::task::spawn_blocking(compare).await.unwrap_or(false)
        })
    }

    fn start(&self, start: Start) -> Pending<'_, std::result::Result<Process, String>> {
        Box::pin(async move {
            let account = self.account(&start.user).await;
            let command = guest::Command { account, ..command(start)? };
            let mut exec = self.guest.exec(command).await.map_err(|error| error.to_string())?;
            let (Some(stdin), Some(stdout)) = (exec.stdin.take(), exec.stdout.take()) else {
                return Err("it began without its streams".to_owned());
            };
            let stderr = exec.stderr.take();
            let (nudge, exit) = exec::attend(exec, nudge, exit);
            Ok(Process {
                stdin: Box::new(stdin),
                stdout: Box::new(stdout),
                stderr: stderr.map(|it| Box::new(it) as _),
                nudge,
                exit,
            })
        })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, std::result::Result<Stream, String>> {
        Box::pin(async move {
            let address = SocketAddr::new(self.resolve(host).await?, port);
            let connected = tokio::time::timeout(PATIENCE, self.guest.connect(address)).await;
            let connected = connected.map_err(|_| format!("{address} does not answer"))?;
            Ok(Box::new(connected.map_err(|error| error.to_string())?) as Stream)
        })
    }

    /// On the machine's loopback, whatever address was named, as OpenSSH's server does (GatewayPorts).
    fn listen<'a>(
        &'a self,
        _host: &'a str,
        port: u16,
    ) -> Pending<'a, std::result::Result<Listening, String>> {
        Box::pin(async move {
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
            let (at, accepted) = self.guest.accept(address, WAITING).await.map_err(|it| it.to_string())?;
            let (sender, incoming) = mpsc::channel(1);
            tokio::spawn(pass(accepted, sender, |(stream, from)| (Box::new(stream) as Stream, from)));
            Ok(Listening { port: at.port(), incoming })
        })
    }

    fn agent_socket<'a>(&'a self, user: &'a str) -> Pending<'a, std::result::Result<AgentSocket, String>> {
        Box::pin(async move {
            if self.account(user).await.is_some() {
                return Err("agents are the administrator's alone here".to_owned());
            }
            let name = Chance::system().draw().guid().simple();
            let (folder, path) = (format!("/tmp/ssh-{name}"), format!("/tmp/ssh-{name}/agent"));
            let accepted = self.guest.accept_at(Path::new(&path), User::Admin, WAITING).await;
            let accepted = accepted.map_err(|error| error.to_string())?;
            let (sender, incoming) = mpsc::channel(1);
            let guest = Arc::clone(&self.guest);
            tokio::spawn(async move {
                pass(accepted, sender, |stream| Box::new(stream) as Stream).await;
                // A guest that has ended has nothing left to take away.
                if let Ok(exec) = guest.exec(guest::Command::new(["rm", "-rf", folder.as_str()])).await {
                    let _ = exec.finish().await;
                }
            });
            Ok(AgentSocket { path, incoming })
        })
    }
}

/// As names of users are; anything else is nobody's, and the guest is not asked.
fn is_name(user: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    !user.is_empty() && user.len() <= 32 && user.chars().all(is_plain)
}

/// Passes on what was accepted, until nobody takes it any more.
async fn pass<T, U>(mut from: mpsc::Receiver<T>, to: mpsc::Sender<U>, wrap: fn(T) -> U) {
    loop {
        let accepted = tokio::select! {
            accepted = from.recv() => accepted,
            () = to.closed() => return,
        };
        let Some(accepted) = accepted else { return };
        let _ = to.send(wrap(accepted)).await;
    }
}

/// A login shell, a line for one, or the file server.
fn command(start: Start) -> std::result::Result<guest::Command, String> {
    let mut command = match start.what {
        What::Shell => guest::Command::new(["bash", "-l"]),
        What::Command(line) => {
            let line = String::from_utf8(line).map_err(|_| "the command is not UTF-8".to_owned())?;
            guest::Command::new(["bash".to_owned(), "-c".to_owned(), line])
        }
        What::Sftp => guest::Command::new([guest::SFTP]),
    };
    command.env = start.env;
    if let Some(terminal) = start.terminal {
        command.env.push(("TERM".to_owned(), terminal.kind));
        command.tty = Some(guest::Size { rows: terminal.size.rows, columns: terminal.size.columns });
    }
    Ok(command)
}

fn nudge(nudge: Nudge) -> host::Nudge {
    match nudge {
        Nudge::Signal(signal) => host::Nudge::Signal(signal),
        Nudge::Resize(size) => host::Nudge::Resize(host::Size { rows: size.rows, columns: size.columns }),
    }
}

fn exit(exit: host::Exit) -> Exit {
    match exit {
        host::Exit::Code(code) => Exit::Code(code),
        host::Exit::Signal(signal) => Exit::Signal(signal),
    }
}
