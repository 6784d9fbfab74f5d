//! The init's side of `sudo` and `su`: it has the rights that nothing else in the guest can gain, and starts commands with them.
//!
//! Who asks is what the kernel says of the socket's other side. Started by root, accounts are really different and those of the group
//! sudo may become others, as on Azure's own images without a password. Started by an ordinary user all accounts are one id on the host, which the kernel
//! reports; they may do the same to each other's files without asking, so asking is free.
//!
//! Nobody here is trusted with the init's time or memory: nothing waits for a caller, messages and callers have a most.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};

use super::accounts::{self, Account};
use super::command::{self, Setting, Stdio};
use super::keeper::Ids;
use crate::refused::{Named, Refused};
use crate::spec::{Command, ExitStatus, User};
use crate::tools::SOCKET;
use crate::tools::sudo::{Ask, FromSudo, LENGTH_MAX, ToSudo};
use crate::wire::{self, Inbox};

/// As many as may wait for their commands at once.
const CALLERS_MAX: usize = 256;

/// Whoever asks lends its standard streams, and nothing else.
const DESCRIPTORS_MAX: usize = 3;

/// After a caller could not be taken in, for want of a file's number say, the next try is this much later.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

pub(super) struct Sudo {
    listener: UnixListener,
    callers: Vec<Caller>,
    /// Whoever waits could not be taken in: to look at once would be to look without end.
    rests: bool,
}

struct Caller {
    socket: UnixStream,
    inbox: Inbox,
    uid: u32,
    running: Option<Pid>,
    is_over: bool,
}

impl Sudo {
    pub(super) fn open() -> Result<Sudo, Refused> {
        let open = || {
            let listener = UnixListener::bind(SOCKET)?;
            listener.set_nonblocking(true)?;
            // Whoever may not is told so.
            std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o666))?;
            Ok::<_, std::io::Error>(listener)
        };
        Ok(Sudo { listener: open().at("listen for `sudo`")?, callers: Vec::new(), rests: false })
    }

    /// What to wait for beside one's own.
    pub(super) fn waits(&self) -> impl Iterator<Item = PollFd<'_>> {
        let callers = self.callers.iter().map(|it| PollFd::new(&it.socket, PollFlags::IN));
        // With all places taken, whoever comes waits in the kernel's queue.
        let listens = self.callers.len() < CALLERS_MAX && !self.rests;
        let listener = listens.then(|| PollFd::new(&self.listener, PollFlags::IN));
        callers.chain(listener)
    }

    /// How long to wait for that at most.
    pub(super) fn patience(&self) -> Option<&'static Timespec> {
        self.rests.then_some(&REST)
    }

    /// Does what has come; nothing where nothing has.
    pub(super) fn turn(&mut self, setting: &Setting, control: BorrowedFd<'_>) {
        self.rests = false;
        while self.callers.len() < CALLERS_MAX {
            match self.listener.accept() {
                Ok((socket, _)) => self.callers.extend(Caller::new(socket)),
                Err(error) => {
                    self.rests = error.kind() != std::io::ErrorKind::WouldBlock;
                    break;
                }
            }
        }
        for caller in &mut self.callers {
            caller.turn(setting, control);
        }
        self.callers.retain(|it| !it.is_over);
    }

    /// Tells whoever waits for this process; false when nobody does.
    pub(super) fn ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let Some(at) = self.callers.iter().position(|it| it.running == Some(pid)) else { return false };
        let mut caller = self.callers.swap_remove(at);
        caller.running = None;
        caller.say(&FromSudo::Ended(status), &[]);
        true
    }
}

impl Caller {
    fn new(socket: UnixStream) -> Option<Caller> {
        socket.set_nonblocking(true).ok()?;
        let uid = rustix::net::sockopt::socket_peercred(&socket).ok()?.uid.as_raw();
        Some(Caller {
            socket,
            inbox: Inbox::within(LENGTH_MAX, DESCRIPTORS_MAX),
            uid,
            running: None,
            is_over: false,
        })
    }

    fn turn(&mut self, setting: &Setting, control: BorrowedFd<'_>) {
        match self.inbox.fill(&self.socket) {
            Ok(true) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Ok(false) | Err(_) => self.is_over = true,
        }
        while !self.is_over {
            match self.inbox.take::<ToSudo>() {
                Ok(Some((ToSudo::Run(ask), descriptors))) => self.run(setting, control, ask, descriptors),
                Ok(Some((ToSudo::Signal(signal), _))) => self.signal(signal),
                Ok(None) => return,
                Err(_) => self.is_over = true,
            }
        }
    }

    fn run(&mut self, setting: &Setting, control: BorrowedFd<'_>, ask: Ask, descriptors: Vec<OwnedFd>) {
        let started = match self.running {
            Some(_) => Err("one command a connection".to_string()),
            None => self.start(setting, control, ask, descriptors),
        };
        match started {
            Ok((pid, terminal)) => {
                self.running = Some(pid);
                let terminal: Vec<BorrowedFd<'_>> = terminal.iter().map(AsFd::as_fd).collect();
                self.say(&FromSudo::Started, &terminal);
            }
            Err(why) => self.say(&FromSudo::Refused(why), &[]),
        }
    }

    fn start(
        &self,
        setting: &Setting,
        control: BorrowedFd<'_>,
        ask: Ask,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(Pid, Option<OwnedFd>), String> {
        let account = accounts::named(&ask.user).ok_or_else(|| format!("unknown user {}", ask.user))?;
        let caller = self.may(setting, &ask, &account)?;
        let files = <[OwnedFd; 3]>::try_from(descriptors)
            .map_err(|_| "stdin, stdout and stderr did not come along")?;
        let stdio = if ask.tty.is_some() { Stdio::Own } else { Stdio::Given(files) };
        let mut env = ask.env;
        if let Some(caller) = caller.filter(|_| !ask.only_root_may) {
            let own = [
                ("SUDO_USER", caller.name),
                ("SUDO_UID", caller.uid.to_string()),
                ("SUDO_GID", caller.gid.to_string()),
            ];
            env.extend(own.map(|(name, value)| (name.to_string(), value)));
        }
        let is_shell = ask.argv.first().is_none_or(String::is_empty);
        let mut argv = ask.argv;
        if is_shell {
            argv = std::iter::once(account.shell.clone()).chain(argv.into_iter().skip(1)).collect();
        }
        let name = account.shell.rsplit('/').next().unwrap_or_default();
        let called = (is_shell && ask.is_login).then(|| format!("-{name}"));
        let cwd = ask.cwd.map(Into::into);
        let command = Command { argv, env, cwd, user: User::Root, account: None, tty: ask.tty };
        let started = command::start_as(
            setting,
            control,
            &command,
            command::As { account, called, goes_anywhere: true, stdio },
        );
        let mut started = started.map_err(|refused| match refused.is_not_found() {
            true => format!("{}: command not found", command.argv[0]),
            false => refused.to_string(),
        })?;
        Ok((started.pid, started.ends.pop()))
    }

    /// Gives the caller's account where it is known; refuses whoever may not.
    fn may(&self, setting: &Setting, ask: &Ask, account: &Account) -> Result<Option<Account>, String> {
        if let Ids::Own { .. } = setting.ids {
            return Ok(Some(accounts::of(User::Admin, &setting.admin)));
        }
        let caller = accounts::with_id(self.uid);
        let is_root = self.uid == 0;
        if ask.only_root_may && !is_root {
            return Err("Authentication failure: nobody here has a password; `sudo` needs none".to_string());
        }
        let is_own = account.uid == self.uid;
        let may = is_root || is_own || caller.as_ref().is_some_and(accounts::may_become_others);
        let who = caller.as_ref().map_or_else(|| self.uid.to_string(), |it| it.name.clone());
        if may { Ok(caller) } else { Err(format!("{who} is not in the group sudo")) }
    }

    fn signal(&self, signal: i32) {
        if let (Some(pid), Some(signal)) = (self.running, Signal::from_named_raw(signal)) {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// A caller that does not read what it asked for is let go.
    fn say(&mut self, answer: &FromSudo, descriptors: &[BorrowedFd<'_>]) {
        self.is_over |= wire::send(&self.socket, answer, descriptors).is_err();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Its command does not outlive it, as any command of a guest's whose owner lets go.
        self.signal(libc::SIGKILL);
    }
}
