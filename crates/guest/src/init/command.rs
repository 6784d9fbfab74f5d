//! Starting a command in a guest: three pipes or a terminal, a session of its own, the user's rights, exec.
//!
//! The child that fails before its exec says at which step, over a pipe that the exec closes; so an answer of `Started` means that the
//! program itself is running.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::accounts::{self, Account};
use super::confine;
use super::keeper::Ids;
use crate::groups::Bounds;
use crate::refused::{Named, Refused};
use crate::sftp;
use crate::spec::{CA_BUNDLE, Command, Limits, OWN_PROGRAM, Size};
use crate::sys;
use crate::wire::Inbox;

/// The last is for tools of ours that the host has none of ([`crate::tools`]).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/guest/bin";

/// What every command of a guest has in common.
pub(super) struct Setting {
    pub(super) ids: Ids,
    pub(super) admin: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) limits: Limits,
    pub(super) bounds: Bounds,
    pub(super) filter: Vec<libc::sock_filter>,
}

/// A command that runs, and its owner's ends: the terminal, or stdin, stdout and stderr.
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) ends: Vec<OwnedFd>,
}

/// Who a command runs as, and how.
pub(super) struct As {
    pub(super) account: Account,
    /// What the program is told that it was called, where that is not its own name.
    pub(super) called: Option<String>,
    /// Where the directory may not be entered, the command begins at the root.
    pub(super) goes_anywhere: bool,
    pub(super) stdio: Stdio,
}

/// What a command reads and writes.
pub(super) enum Stdio {
    /// A terminal or pipes of its own, whose other ends are its owner's.
    Own,
    /// Stdin, stdout and stderr of somebody who lends them.
    Given([OwnedFd; 3]),
}

/// Starts the command as the user it names.
pub(super) fn start(
    setting: &Setting,
    control: BorrowedFd<'_>,
    command: &Command,
) -> Result<Started, Refused> {
    let account = match &command.account {
        Some(name) => accounts::named(name)
            .ok_or_else(|| Refused::new("run a command", format!("unknown user {name}")))?,
        None => accounts::of(command.user, &setting.admin),
    };
    start_as(setting, control, command, As { account, called: None, goes_anywhere: false, stdio: Stdio::Own })
}

/// Starts the command; refuses with the step that failed in the child. `control` is the init's alone.
pub(super) fn start_as(
    setting: &Setting,
    control: BorrowedFd<'_>,
    command: &Command,
    how: As,
) -> Result<Started, Refused> {
    if command.argv.is_empty() {
        return Err(Refused::new("run a command", "it names no program"));
    }
    let (stdio, ends) = match (how.stdio, command.tty) {
        (Stdio::Given(files), _) => (Ours { files, is_terminal: false, is_lent: true }, Vec::new()),
        (Stdio::Own, Some(size)) => terminal(size)?,
        (Stdio::Own, None) => pipes()?,
    };
    let (failure, report) = std::os::unix::net::UnixStream::pair().at("make a socket pair")?;
    let Some(pid) = sys::fork().at("fork")? else {
        // Not left to the exec: a child on its way there may already be open to the guest's root.
        sys::close_inherited(control);
        let refused =
            match become_command(setting, command, (&how.account, how.called, how.goes_anywhere), stdio) {
                Ok(never) => match never {},
                Err(refused) => refused,
            };
        // If it can not be said, the owner still sees a command that ended with 126.
        let _ = crate::wire::send(&report, &refused, &[]);
        super::leave(126);
    };
    drop((report, stdio));
    match Inbox::default().next::<Refused>(&failure).at("hear from the command")? {
        None => Ok(Started { pid, ends }),
        Some((refused, _)) => Err(refused),
    }
}

/// The command's stdin, stdout and stderr.
struct Ours {
    files: [OwnedFd; 3],
    is_terminal: bool,
    is_lent: bool,
}

fn pipes() -> Result<(Ours, Vec<OwnedFd>), Refused> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).at("make a pipe");
    let (stdin, stdin_end) = pipe()?;
    let (stdout_end, stdout) = pipe()?;
    let (stderr_end, stderr) = pipe()?;
    let files = [stdin, stdout, stderr];
    Ok((Ours { files, is_terminal: false, is_lent: false }, vec![stdin_end, stdout_end, stderr_end]))
}

fn terminal(size: Size) -> Result<(Ours, Vec<OwnedFd>), Refused> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let owner = rustix::pty::openpt(flags).at("open a terminal")?;
    rustix::pty::unlockpt(&owner).at("unlock the terminal")?;
    let name = rustix::pty::ptsname(&owner, Vec::new()).at("name the terminal")?;
    let open = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let side = rustix::fs::open(name.as_c_str(), open, Mode::empty()).at("open the terminal's other side")?;
    resize(&side, size).at("size the terminal")?;
    let copy = || side.try_clone().at("copy the terminal");
    let files = [copy()?, copy()?, side];
    Ok((Ours { files, is_terminal: true, is_lent: false }, vec![owner]))
}

/// Sets a terminal's size, from either side; its foreground program hears of it.
pub(crate) fn resize(terminal: impl AsFd, size: Size) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

/// Makes the terminal or pipes the user's own: programs open them again, as /dev/stdout.
fn give(stdio: &Ours, account: &Account, ids: Ids) -> Result<(), Refused> {
    if stdio.is_lent || account.uid == 0 || matches!(ids, Ids::Own { .. }) {
        return Ok(());
    }
    let owner = Some(Uid::from_raw(account.uid));
    stdio
        .files
        .iter()
        .try_for_each(|it| rustix::fs::fchown(it, owner, None).at("give the pipes to their user"))
}

enum Never {}

/// In the child: from the init's copy to the command.
fn become_command(
    setting: &Setting,
    command: &Command,
    (account, called, goes_anywhere): (&Account, Option<String>, bool),
    stdio: Ours,
) -> Result<Never, Refused> {
    rustix::process::setsid().at("make a session")?;
    if stdio.is_terminal {
        rustix::process::ioctl_tiocsctty(&stdio.files[0]).at("take the terminal")?;
    }
    give(&stdio, account, setting.ids)?;
    confine::limit(&setting.limits, setting.bounds)?;
    confine::become_user(account, setting.ids)?;
    let env = environment(setting, account, command);
    let cwd = command.cwd.clone().unwrap_or_else(|| PathBuf::from(&env["HOME"]));
    let entered = std::env::set_current_dir(&cwd);
    let entered = if goes_anywhere { entered.or_else(|_| std::env::set_current_dir("/")) } else { entered };
    entered.named(|| format!("enter `{}`", cwd.display()))?;
    sys::unblock_signals().at("unblock signals")?;
    confine::seal(&setting.filter)?;
    let [stdin, stdout, stderr] = stdio.files;
    // The guest has no path to this program; the link that the kernel keeps leads to it all the same.
    let program = if command.argv[0] == sftp::NAME { OWN_PROGRAM } else { &command.argv[0] };
    let error = std::process::Command::new(program)
        .arg0(called.as_ref().unwrap_or(&command.argv[0]))
        .args(&command.argv[1..])
        .env_clear()
        .envs(env)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .exec();
    Err(error).named(|| format!("run `{}`", command.argv[0]))
}

/// The guest's own, then its [`crate::Spec`]'s, then the command's; nothing of the host's.
fn environment(setting: &Setting, account: &Account, command: &Command) -> BTreeMap<String, String> {
    let own = [
        ("HOME", account.home.as_str()),
        ("USER", &account.name),
        ("LOGNAME", &account.name),
        ("SHELL", &account.shell),
        ("PATH", PATH),
        ("LANG", "C.UTF-8"),
        ("SSL_CERT_FILE", CA_BUNDLE),
        ("REQUESTS_CA_BUNDLE", CA_BUNDLE),
        ("CURL_CA_BUNDLE", CA_BUNDLE),
        ("NODE_EXTRA_CA_CERTS", CA_BUNDLE),
    ];
    let terminal = command.tty.map(|_| ("TERM", "xterm-256color"));
    let own = own.into_iter().chain(terminal).map(|(name, value)| (name.to_string(), value.to_string()));
    own.chain(setting.env.iter().cloned()).chain(command.env.iter().cloned()).collect()
}
