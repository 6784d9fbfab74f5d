//! Pid 1 of a guest: builds it, hands its sockets over, then waits for questions and for dead children until its owner is gone.
//!
//! Its end is the guest's end: the kernel kills whatever else runs in the namespace of a first process that leaves.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions, WaitStatus};

use super::command::{self, Setting};
use super::interface::Behind;
use super::keeper::{Begin, Ids};
use super::lend::{self, Lent};
use super::sudo::Sudo;
use super::{interface, net, reach, root, seccomp};
use crate::listening;
use crate::refused::{Named, Refused};
use crate::spec::{ExitStatus, Spec};
use crate::sys;
use crate::wire::{self, FromInit, Inbox, ToInit};

/// Lives the guest's life; the process's exit code.
pub(super) fn run(
    control: OwnedFd,
    inbox: Inbox,
    spec: Spec,
    Begin { pid, ids, bounds, lent }: Begin,
) -> i32 {
    let Built { sockets, behind, sudo } = match build(&spec, ids, lent) {
        Ok(built) => built,
        Err(refused) => {
            let _ = wire::send(&control, &FromInit::Refused(refused), &[]);
            return 1;
        }
    };
    let Ok(children) = sys::watch_signals(&[libc::SIGCHLD]) else { return 1 };
    let handed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
    if wire::send(&control, &FromInit::Ready { pid, bounds }, &handed).is_err() {
        return 1;
    }
    drop(sockets);
    let setting = Setting {
        ids,
        admin: spec.admin,
        env: spec.env,
        limits: spec.limits,
        bounds,
        filter: seccomp::program(),
    };
    let mut init = Init { control, inbox, setting, behind, sudo, running: HashMap::new() };
    match init.serve(&children) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// What there is to a guest beside its processes.
struct Built {
    /// To be handed over.
    sockets: Vec<OwnedFd>,
    behind: Option<Behind>,
    sudo: Sudo,
}

/// Makes this process the guest's root user in the guest's own world.
fn build(spec: &Spec, ids: Ids, lent: Option<Vec<Lent>>) -> Result<Built, Refused> {
    take_root(ids)?;
    // After the ids: changing those clears it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .at("bind the guest to its keeper")?;
    let lent = match lent {
        Some(lent) => lent,
        None => lend::open_all(spec)?,
    };
    root::build(spec, ids, &lent)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).at("set the host name")?;
    let listen = || {
        let tcp = spec.tcp.iter().map(|it| reach::listen(*it));
        let udp = spec.udp.iter().map(|it| bind(*it));
        tcp.chain(udp).collect::<Result<Vec<_>, _>>()
    };
    let (sockets, behind) = match &spec.interface {
        Some(interface) => {
            let platform = interface::platform(spec);
            net::set_up(spec.addresses.iter().filter(|it| !platform.contains(it)))?;
            let (sockets, behind) = interface::make(spec, interface, listen)?;
            (sockets, Some(behind))
        }
        None => {
            net::set_up(&spec.addresses)?;
            (listen()?, None)
        }
    };
    // Nobody inside may look into the init, which holds more rights than they do.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at("close the init to others")?;
    Ok(Built { sockets, behind, sudo: Sudo::open()? })
}

fn take_root(ids: Ids) -> Result<(), Refused> {
    if let Ids::Range(_) = ids {
        rustix::thread::set_thread_groups(&[]).at("leave the host's groups")?;
    }
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    rustix::thread::set_thread_res_gid(gid, gid, gid).at("become the guest's root group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at("become the guest's root")
}

pub(crate) fn bind(address: SocketAddr) -> Result<OwnedFd, Refused> {
    let open = || {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok::<_, io::Error>(socket.into())
    };
    open().named(|| format!("bind {address} (UDP)"))
}

struct Init {
    control: OwnedFd,
    inbox: Inbox,
    setting: Setting,
    behind: Option<Behind>,
    sudo: Sudo,
    /// The commands that have not ended, by process.
    running: HashMap<Pid, u64>,
}

impl Init {
    /// Until the owner closes its socket.
    fn serve(&mut self, children: &OwnedFd) -> io::Result<()> {
        loop {
            while let Some((question, _)) = self.inbox.take()? {
                self.answer(question)?;
            }
            let mut waits =
                vec![PollFd::new(&self.control, PollFlags::IN), PollFd::new(children, PollFlags::IN)];
            waits.extend(self.sudo.waits());
            let came = match poll(&mut waits, self.sudo.patience()) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            let is_ready: Vec<bool> = waits.iter().map(|it| !it.revents().is_empty()).collect();
            let (is_asked, is_bereft) = (is_ready[0], is_ready[1]);
            if is_bereft {
                sys::next_signal(children);
                self.bury()?;
            }
            if came == 0 || is_ready[2..].contains(&true) {
                self.sudo.turn(&self.setting, self.control.as_fd());
            }
            if is_asked && !self.inbox.fill(&self.control)? {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, question: ToInit) -> io::Result<()> {
        match question {
            ToInit::Start(_) => Err(io::Error::from(io::ErrorKind::InvalidData)),
            ToInit::Listen { id, address } => self.hand_over(id, reach::listen(address)),
            ToInit::Connect { id, address } => self.hand_over(id, reach::connect(address)),
            ToInit::ConnectFromOutside { id, address } => {
                self.hand_over(id, self.connect_from_outside(address))
            }
            ToInit::FindWay { id, range } => match self.find_way(range) {
                Ok(()) => self.send(&FromInit::Opened { id }, &[]),
                Err(refused) => self.send(&FromInit::Failed { id, refused }, &[]),
            },
            ToInit::Listening { id } => self.hand_over(id, listening::open()),
            ToInit::ListenAt { id, path, user } => {
                self.hand_over(id, reach::listen_at(&path, user, self.setting.ids))
            }
            ToInit::Exec { id, command } => {
                match command::start(&self.setting, self.control.as_fd(), &command) {
                    Ok(started) => {
                        self.running.insert(started.pid, id);
                        self.send(&FromInit::Started { id }, &started.ends)
                    }
                    Err(refused) => self.send(&FromInit::Failed { id, refused }, &[]),
                }
            }
            ToInit::Signal { id, signal } => {
                self.signal(id, signal);
                Ok(())
            }
        }
    }

    fn connect_from_outside(&self, address: SocketAddrV4) -> Result<OwnedFd, Refused> {
        let none = || Refused::new("connect from outside", "the guest has no interface");
        let behind = self.behind.as_ref().ok_or_else(none)?;
        behind.within(|| reach::connect(address.into()))
    }

    fn find_way(&self, range: (Ipv4Addr, u8)) -> Result<(), Refused> {
        let none = || Refused::new("find a way", "the guest has no interface");
        self.behind.as_ref().ok_or_else(none)?.find_way(range)
    }

    fn hand_over(&self, id: u64, socket: Result<OwnedFd, Refused>) -> io::Result<()> {
        match socket {
            Ok(socket) => self.send(&FromInit::Opened { id }, &[socket]),
            Err(refused) => self.send(&FromInit::Failed { id, refused }, &[]),
        }
    }

    fn send(&self, answer: &FromInit, descriptors: &[OwnedFd]) -> io::Result<()> {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        wire::send(&self.control, answer, &borrowed)
    }

    /// Signals the command's process group. One that ended has no entry, so that its number can not be another's.
    fn signal(&self, id: u64, signal: i32) {
        let found = self.running.iter().find(|(_, its)| **its == id);
        if let (Some((pid, _)), Some(signal)) = (found, Signal::from_named_raw(signal)) {
            let _ = rustix::process::kill_process_group(*pid, signal);
        }
    }

    /// Takes every dead child: the commands, whose owners hear of it, and the orphans that fell to the first process.
    fn bury(&mut self) -> io::Result<()> {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let status = as_told(status);
            match self.running.remove(&pid) {
                Some(id) => self.send(&FromInit::Exited { id, status }, &[])?,
                None => drop(self.sudo.ended(pid, status)),
            }
        }
        Ok(())
    }
}

fn as_told(status: WaitStatus) -> ExitStatus {
    match status.terminating_signal() {
        Some(signal) => ExitStatus::Signal(signal),
        None => ExitStatus::Code(status.exit_status().unwrap_or(0)),
    }
}
