//! `sudo` and `su`, as a guest has them: a client of the guest's init, which starts the command in its place.
//!
//! ```text
//! sudo ── Ask, with stdin, stdout and stderr ──▶ init: who asks is the kernel's to say (SO_PEERCRED)
//!      ◀── Started, with a terminal where all three are one ── Ended(status) ──┘
//!      ── Signal ──▶ to the command's process group
//! ```
//!
//! On a terminal the command gets one of its own, whose bytes pass through here, so that it is in charge of it: a shell has its job
//! control, and Ctrl-C reaches what runs in the foreground.

mod line;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios};
use serde::{Deserialize, Serialize};

use self::line::Line;
use super::SOCKET;
use crate::init::resize;
use crate::spec::{ExitStatus, Size};
use crate::sys;
use crate::wire::{self, Inbox};

/// What is asked of the init; the first message, with the caller's stdin, stdout and stderr.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToSudo {
    Run(Ask),
    Signal(i32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The user's shell where it is empty, or begins with an empty word.
    pub(crate) argv: Vec<String>,
    /// By name.
    pub(crate) user: String,
    pub(crate) env: Vec<(String, String)>,
    /// None: the user's home.
    pub(crate) cwd: Option<String>,
    /// As a login does: the shell reads the user's profile.
    pub(crate) is_login: bool,
    /// Only the user's own may: `su` without a password.
    pub(crate) only_root_may: bool,
    pub(crate) tty: Option<Size>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSudo {
    /// With the terminal, where one was asked for.
    Started,
    /// Nothing was started; why, and whether it is the caller who may not.
    Refused(String),
    Ended(ExitStatus),
}

/// The longest message either side takes: an environment and a line of arguments.
pub(crate) const LENGTH_MAX: usize = 1 << 20;

/// Who was asked for a thing and refused ends so, both `sudo` and `su`.
const REFUSED: i32 = 1;

pub(super) fn main(name: &str, arguments: &[OsString]) -> i32 {
    let words: Vec<String> = arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let line = match name {
        "su" => line::su(&words),
        _ => line::sudo(&words),
    };
    match line {
        Ok(Line::Nothing) => 0,
        Ok(Line::Say(text)) => {
            let _ = io::stdout().write_all(text.as_bytes());
            0
        }
        Ok(Line::Run(ask)) => run(ask).unwrap_or_else(|why| complain(name, &why)),
        Err(why) => complain(name, &why),
    }
}

fn complain(name: &str, why: &str) -> i32 {
    let _ = writeln!(io::stderr(), "{name}: {why}");
    REFUSED
}

fn run(mut ask: Ask) -> Result<i32, String> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    ask.tty = is_terminal.then(own_size).flatten();
    let is_terminal = ask.tty.is_some();
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    // Before anything is started: what comes from now on is passed on.
    let told = sys::watch_signals(&PASSED_ON).map_err(failed("cannot watch signals"))?;
    let socket =
        UnixStream::connect(SOCKET).map_err(failed("the machine's first process does not answer"))?;
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    wire::send(&socket, &ToSudo::Run(ask), &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
        .map_err(failed("cannot ask the machine's first process"))?;
    let mut inbox = Inbox::within(LENGTH_MAX, 1);
    match inbox.next(&socket).map_err(failed("no answer"))? {
        Some((FromSudo::Started, mut terminal)) => {
            let terminal = terminal.pop().filter(|_| is_terminal);
            let _raw = terminal.as_ref().and_then(|_| Raw::set());
            Relay { socket, inbox, told, terminal }.run().map_err(failed("the command was lost"))
        }
        Some((FromSudo::Refused(why), _)) => Err(why),
        Some((FromSudo::Ended(status), _)) => Ok(code(status)),
        None => Err("the machine's first process left without a word".to_string()),
    }
}

fn own_size() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(io::stdin()).ok()?;
    Some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// As a shell says it.
fn code(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Code(code) => code,
        ExitStatus::Signal(signal) => 128 + signal,
    }
}

const PASSED_ON: [libc::c_int; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// The caller's own terminal, passing every byte on as it is until this is dropped.
struct Raw(Termios);

impl Raw {
    fn set() -> Option<Raw> {
        let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Raw(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// A command on its way.
struct Relay {
    socket: UnixStream,
    inbox: Inbox,
    told: OwnedFd,
    terminal: Option<OwnedFd>,
}

impl Relay {
    fn run(mut self) -> io::Result<i32> {
        let (mut reads_stdin, mut ended) = (self.terminal.is_some(), None);
        loop {
            while let Some((message, _)) = self.inbox.take()? {
                if let FromSudo::Ended(status) = message {
                    ended = Some(status);
                }
            }
            if let Some(status) = ended {
                self.show_the_rest()?;
                return Ok(code(status));
            }
            let stdin = io::stdin();
            let mut waits = vec![PollFd::new(&self.told, PollFlags::IN)];
            waits.push(PollFd::new(&self.socket, PollFlags::IN));
            if let Some(terminal) = &self.terminal {
                waits.push(PollFd::new(terminal, PollFlags::IN));
            }
            if reads_stdin {
                waits.push(PollFd::new(&stdin, PollFlags::IN));
            }
            match poll(&mut waits, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            let ready: Vec<bool> = waits.iter().map(|it| !it.revents().is_empty()).collect();
            drop(waits);
            if ready[0] {
                self.pass_signals_on()?;
            }
            if ready[1] && !self.inbox.fill(&self.socket)? {
                return Ok(128 + libc::SIGKILL);
            }
            if ready.get(2) == Some(&true) && !self.show()? {
                self.terminal = None;
                reads_stdin = false;
            }
            if ready.get(3) == Some(&true) && reads_stdin {
                reads_stdin = self.type_on()?;
            }
        }
    }

    fn pass_signals_on(&self) -> io::Result<()> {
        while let Some(signal) = sys::next_signal(&self.told) {
            match (signal, &self.terminal) {
                (libc::SIGWINCH, Some(terminal)) => {
                    if let Some(size) = own_size() {
                        resize(terminal, size)?;
                    }
                }
                _ => wire::send(&self.socket, &ToSudo::Signal(signal), &[])?,
            }
        }
        Ok(())
    }

    /// Shows what the terminal says; false at its end.
    fn show(&self) -> io::Result<bool> {
        let Some(terminal) = &self.terminal else { return Ok(false) };
        let mut piece = [0; 4096];
        match rustix::io::read(terminal, &mut piece) {
            // Linux says so when nobody holds the other side any more.
            Ok(0) | Err(rustix::io::Errno::IO) => Ok(false),
            Ok(n) => {
                let mut stdout = io::stdout();
                stdout.write_all(&piece[..n])?;
                stdout.flush()?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the command has written by its end. Those that it left behind may hold the terminal for as long as they like.
    fn show_the_rest(&self) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        while poll(&mut [PollFd::new(terminal, PollFlags::IN)], Some(&at_once))? > 0 && self.show()? {}
        Ok(())
    }

    /// Types what came in; false at its end.
    fn type_on(&self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let n = io::stdin().read(&mut piece)?;
        let Some(terminal) = &self.terminal else { return Ok(false) };
        let mut rest = &piece[..n];
        while !rest.is_empty() {
            let written = rustix::io::write(terminal, rest)?;
            rest = &rest[written..];
        }
        Ok(n > 0)
    }
}
