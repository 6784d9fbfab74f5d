//! The few system calls that no safe library offers, each behind a function that is safe to call from where it is called.
//!
//! This is the only `unsafe` of the program. Everything else the guest does to the kernel goes through `rustix`.

#![expect(
    unsafe_code,
    reason = "these calls have no safe wrapper in rustix; each block says why it is sound"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::refused::Refused;

/// Refuses to go on in a process with more than one thread: a fork would copy one of them and the locks of all.
pub(crate) fn demand_one_thread() -> Result<(), Refused> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(1);
    match threads {
        1 => Ok(()),
        n => Err(Refused::new(
            "count the init's threads",
            format!("{n}: `main_if_asked` must come first in main"),
        )),
    }
}

/// fork(2), for a process of one thread. `None` in the child.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: a fork is unsound where other threads may hold locks at that moment. The callers are a guest's init, which never
    // starts a thread (`demand_one_thread` looked), so the child may do all that the parent may.
    parted(unsafe { libc::fork() }.into())
}

/// clone(2) as a fork into new namespaces, for a process of one thread. `None` in the child.
pub(crate) fn fork_into(namespaces: UnshareFlags) -> io::Result<Option<Pid>> {
    let flags = libc::c_ulong::from(namespaces.bits()) | libc::SIGCHLD as libc::c_ulong;
    // SAFETY: no CLONE_VM and no new stack are asked for, so the child is a copy like fork's, and what `fork` says holds. The C
    // library's own fork can not take namespaces; its bookkeeping after a fork (the cached thread id) is used by pthread calls
    // alone, of which the init makes none.
    parted(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

fn parted(pid: libc::c_long) -> io::Result<Option<Pid>> {
    match pid {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(i32::try_from(pid).ok().and_then(Pid::from_raw)),
    }
}

/// Closes a descriptor that a forked child has from its parent and must not keep.
pub(crate) fn close_inherited(descriptor: BorrowedFd<'_>) {
    // SAFETY: called in a child that ends in an exec or an exit without dropping what its parent owned, so nothing uses the
    // number again, and the parent's descriptor is another.
    unsafe { libc::close(descriptor.as_raw_fd()) };
}

/// unshare(2) of namespaces.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    let namespaces = namespaces.difference(UnshareFlags::FILES);
    // SAFETY: rustix marks the call unsafe because of CLONE_FILES, which may invalidate descriptors; it was taken out.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespaces) }?)
}

/// A descriptor that can be read when one of these signals has come, a child's end (SIGCHLD) for one. They stay blocked from here on, in
/// what this process executes too, unless [`unblock_signals`] is called before.
pub(crate) fn watch_signals(wanted: &[libc::c_int]) -> io::Result<OwnedFd> {
    // SAFETY: `sigset_t` is plain memory that sigemptyset makes valid; the set outlives the calls that read it; signalfd returns a
    // new descriptor that nothing else owns.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        for signal in wanted {
            libc::sigaddset(&mut signals, *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &signals, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Blocks no signal any more: what is executed next starts as a command should.
pub(crate) fn unblock_signals() -> io::Result<()> {
    // SAFETY: as in `watch_signals`.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        match libc::sigprocmask(libc::SIG_SETMASK, &signals, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Takes the next signal off a descriptor that [`watch_signals`] gave; none when there is none left.
pub(crate) fn next_signal(signals: &OwnedFd) -> Option<libc::c_int> {
    next_signal_sent(signals).map(|it| it.number)
}

/// A signal, and whether the kernel sent it of its own accord, as for a terminal, and not some process.
pub(crate) struct Sent {
    pub(crate) number: libc::c_int,
    pub(crate) is_kernels: bool,
}

/// The same, with its sender.
pub(crate) fn next_signal_sent(signals: &OwnedFd) -> Option<Sent> {
    let mut info = [0; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(signals, &mut info).ok()?;
    // The structure begins with the signal's number, an error number and a code (signalfd(2)), which is above zero where no
    // process is the sender (sigaction(2)).
    let [a, b, c, d, _, _, _, _, e, f, g, h] = *info.first_chunk().filter(|_| read == info.len())?;
    let number = libc::c_int::try_from(u32::from_ne_bytes([a, b, c, d])).ok()?;
    Some(Sent { number, is_kernels: i32::from_ne_bytes([e, f, g, h]) > 0 })
}

/// Those that whoever runs a command passes on to it.
pub(crate) const PASSED_ON: &[libc::c_int] =
    &[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// A descriptor that whoever executed this program left open for it. None where the number is no open descriptor's, or one of the
/// standard streams'. To be called once for a number, before anything else is opened.
pub(crate) fn inherited(number: libc::c_int) -> Option<OwnedFd> {
    // SAFETY: fcntl reads the number alone; it is an open descriptor, and nothing in this process owns it: the process has begun just
    // now, and what the standard library owns is at most the three standard streams.
    unsafe {
        let is_open = number > 2 && libc::fcntl(number, libc::F_GETFD) >= 0;
        is_open.then(|| OwnedFd::from_raw_fd(number))
    }
}

/// Lets the runtime wait until a descriptor can be read.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: tokio asks that the descriptor stays open and the same while it is registered. An `OwnedFd` inside an `AsyncFd` that
    // is never taken apart does; the functions that were safe before allowed other types too.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

/// A socket that reads and writes whole frames at an interface of this process's network, each behind a header that says what is left to be
/// done about its sums and its length (`struct virtio_net_hdr`): frames pass from one guest to another without being cut or summed.
pub(crate) fn packet_socket(interface: u32) -> io::Result<OwnedFd> {
    const ALL: u16 = (libc::ETH_P_ALL as u16).to_be();
    let index = libc::c_int::try_from(interface).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the calls take numbers and pointers to values that live through them, with their sizes; `sockaddr_ll` is plain memory;
    // the descriptor is new and nothing else owns it.
    unsafe {
        let socket = match libc::socket(libc::AF_PACKET, kind, 0) {
            -1 => return Err(io::Error::last_os_error()),
            descriptor => OwnedFd::from_raw_fd(descriptor),
        };
        for (option, value) in [(libc::PACKET_VNET_HDR, 1), (PACKET_IGNORE_OUTGOING, 1)] {
            let value: libc::c_int = value;
            let (pointer, length) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
            if libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, pointer, length) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ALL;
        address.sll_ifindex = index;
        let length = size_of_val(&address) as libc::socklen_t;
        match libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) {
            0 => Ok(socket),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// From linux/if_packet.h, Linux 4.20: what we send is not read back.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// What to change on every mount of a tree.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MountChange<'fd> {
    pub(crate) set: u64,
    pub(crate) is_private: bool,
    /// Show the tree's owners translated by this user namespace.
    pub(crate) ids_of: Option<BorrowedFd<'fd>>,
}

/// mount_setattr(2) on a tree that `open_tree` gave, and all below it. Linux 5.12.
pub(crate) fn change_mounts(tree: BorrowedFd<'_>, change: MountChange<'_>) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: change.set | if change.ids_of.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: if change.is_private { libc::MS_PRIVATE } else { 0 },
        userns_fd: change.ids_of.map_or(0, |it| it.as_raw_fd() as u64),
    };
    // SAFETY: the path is a static C string, the structure lives through the call and its size is passed with it; the kernel
    // only reads both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From linux/fcntl.h; the libc crate does not name it for Linux.
const AT_RECURSIVE: libc::c_int = 0x8000;

/// Puts this process, and all it becomes, under a seccomp filter. `no_new_privs` must be set.
pub(crate) fn filter_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to `len` instructions that live through the call; the kernel copies and checks them and writes
    // nothing, so the cast from const is never used to write.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const SECCOMP_SET_MODE_FILTER: libc::c_long = 1;
