//! The system calls that nothing in a guest may make, as a table, and the little program for the kernel that it becomes.
//!
//! Namespaces and dropped capabilities already keep a guest's processes from the host. The filter takes away the parts of the
//! kernel where holes in those were found before: new namespaces, mounts, keyrings, BPF, tracing of others. It lets everything pass
//! that is not in the table: programs of every kind are to run in a guest, and a list of what they may call would never be whole.
//! A refused call fails with the error of its row, EPERM as a rule, as it would for an ordinary user.

use libc::{c_long, sock_filter};

/// When a row refuses its call.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    /// An argument has one of these bits.
    Bits(u32, u32),
    /// An argument is one of these.
    Among(u32, &'static [u32]),
    /// An argument is none of these.
    NotAmong(u32, &'static [u32]),
}
use When::{Always, Among, Bits, NotAmong};

struct Row {
    call: c_long,
    when: When,
    errno: i32,
}

const fn row(call: c_long, when: When) -> Row {
    Row { call, when, errno: libc::EPERM }
}

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWCGROUP) as u32;
/// CLONE_NEWTIME shares its bit with clone's exit signal, so only unshare can be asked about it.
const NEW_TIME: u32 = 0x80;

/// From linux/ptrace.h; C libraries disagree on their type.
const PTRACE_ATTACH: u32 = 16;
const PTRACE_SEIZE: u32 = 0x4206;

static ROWS: &[Row] = &[
    // Namespaces: a user namespace would give all capabilities back, within itself, and with them most of the kernel's doors.
    row(libc::SYS_unshare, Bits(0, NEW_NAMESPACES | NEW_TIME)),
    row(libc::SYS_clone, Bits(0, NEW_NAMESPACES)),
    // clone3's flags lie in memory, where a filter can not look. ENOSYS makes every C library use clone instead.
    Row { call: libc::SYS_clone3, when: Always, errno: libc::ENOSYS },
    row(libc::SYS_setns, Always),
    // Mounts.
    row(libc::SYS_mount, Always),
    row(libc::SYS_umount2, Always),
    row(libc::SYS_pivot_root, Always),
    row(libc::SYS_open_tree, Always),
    row(libc::SYS_move_mount, Always),
    row(libc::SYS_fsopen, Always),
    row(libc::SYS_fsconfig, Always),
    row(libc::SYS_fsmount, Always),
    row(libc::SYS_fspick, Always),
    row(libc::SYS_mount_setattr, Always),
    // Files by handle, around every path.
    row(libc::SYS_name_to_handle_at, Always),
    row(libc::SYS_open_by_handle_at, Always),
    // Other processes. A debugger may still start its own program (PTRACE_TRACEME).
    row(libc::SYS_ptrace, Among(0, &[PTRACE_ATTACH, PTRACE_SEIZE])),
    row(libc::SYS_process_vm_readv, Always),
    row(libc::SYS_process_vm_writev, Always),
    row(libc::SYS_kcmp, Always),
    row(libc::SYS_pidfd_getfd, Always),
    // Keyrings are not divided by namespaces of all kinds.
    row(libc::SYS_keyctl, Always),
    row(libc::SYS_add_key, Always),
    row(libc::SYS_request_key, Always),
    // The kernel's programs and memory, and its log.
    row(libc::SYS_bpf, Always),
    row(libc::SYS_perf_event_open, Always),
    row(libc::SYS_userfaultfd, Always),
    row(libc::SYS_io_uring_setup, Always),
    row(libc::SYS_syslog, Always),
    row(libc::SYS_init_module, Always),
    row(libc::SYS_finit_module, Always),
    row(libc::SYS_delete_module, Always),
    row(libc::SYS_kexec_load, Always),
    row(libc::SYS_kexec_file_load, Always),
    // The machine as a whole.
    row(libc::SYS_reboot, Always),
    row(libc::SYS_swapon, Always),
    row(libc::SYS_swapoff, Always),
    row(libc::SYS_acct, Always),
    row(libc::SYS_quotactl, Always),
    row(libc::SYS_settimeofday, Always),
    row(libc::SYS_clock_settime, Always),
    // Typing into another's terminal.
    row(libc::SYS_ioctl, Among(1, &[libc::TIOCSTI as u32, libc::TIOCLINUX as u32])),
    // Sockets that no network namespace holds: AF_VSOCK reaches the hypervisor, AF_ALG the kernel's cryptography.
    row(
        libc::SYS_socket,
        NotAmong(
            0,
            &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32],
        ),
    ),
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
/// Numbers from here on are x86-64's second way to count the same calls (x32), around the table.
#[cfg(target_arch = "x86_64")]
const FOREIGN_NUMBERS: u32 = 0x4000_0000;
#[cfg(target_arch = "aarch64")]
const FOREIGN_NUMBERS: u32 = u32::MAX;

/// struct seccomp_data: the number at 0, the architecture at 4, six arguments of eight bytes from 16.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const fn argument_at(index: u32) -> u32 {
    16 + 8 * index + if cfg!(target_endian = "big") { 4 } else { 0 }
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_BITS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const fn refuse(errno: i32) -> u32 {
    0x0005_0000 | errno as u32
}

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// The table as the kernel reads it. Every row ends in a return or is jumped over as a whole, so the number stays loaded between rows.
pub(super) fn program() -> Vec<sock_filter> {
    let mut program = vec![
        step(LOAD, ARCHITECTURE_AT, 0, 0),
        step(IF_EQUAL, ARCHITECTURE, 1, 0),
        step(RETURN, KILL_PROCESS, 0, 0),
        step(LOAD, NUMBER_AT, 0, 0),
        step(IF_AT_LEAST, FOREIGN_NUMBERS, 0, 1),
        step(RETURN, refuse(libc::ENOSYS), 0, 0),
    ];
    for row in ROWS {
        let body = body(row);
        program.push(step(IF_EQUAL, row.call as u32, 0, body.len() as u8));
        program.extend(body);
    }
    program.push(step(RETURN, ALLOW, 0, 0));
    program
}

/// What happens once the number is the row's.
fn body(row: &Row) -> Vec<sock_filter> {
    let refuse = step(RETURN, refuse(row.errno), 0, 0);
    let allow = step(RETURN, ALLOW, 0, 0);
    // Each comparison of a list jumps over those that are left, and then over the first of the two returns.
    let list = |argument: u32, values: &[u32], found, otherwise| {
        let compare = values.iter().enumerate();
        let compare = compare.map(|(i, value)| step(IF_EQUAL, *value, (values.len() - i) as u8, 0));
        let load = step(LOAD, argument_at(argument), 0, 0);
        std::iter::once(load).chain(compare).chain([otherwise, found]).collect()
    };
    match row.when {
        Always => vec![refuse],
        Bits(argument, bits) => {
            vec![step(LOAD, argument_at(argument), 0, 0), step(IF_BITS, bits, 1, 0), allow, refuse]
        }
        Among(argument, values) => list(argument, values, refuse, allow),
        NotAmong(argument, values) => list(argument, values, allow, refuse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would return for this call: enough of its machine for the instructions used here.
    fn run(program: &[sock_filter], architecture: u32, number: c_long, arguments: [u32; 2]) -> u32 {
        let mut data = [0; 64];
        data[0..4].copy_from_slice(&(number as u32).to_ne_bytes());
        data[4..8].copy_from_slice(&architecture.to_ne_bytes());
        for (i, argument) in arguments.into_iter().enumerate() {
            let at = argument_at(i as u32) as usize;
            data[at..at + 4].copy_from_slice(&argument.to_ne_bytes());
        }
        let (mut at, mut loaded) = (0, 0);
        loop {
            let now = program[at];
            at += 1;
            let mut jump = |is_met| at += usize::from(if is_met { now.jt } else { now.jf });
            match now.code {
                LOAD => {
                    let k = now.k as usize;
                    loaded = u32::from_ne_bytes(data[k..k + 4].try_into().unwrap());
                }
                IF_EQUAL => jump(loaded == now.k),
                IF_BITS => jump(loaded & now.k != 0),
                IF_AT_LEAST => jump(loaded >= now.k),
                RETURN => return now.k,
                other => panic!("instruction {other}"),
            }
        }
    }

    #[test]
    fn the_filter_says_what_the_table_says() {
        let program = program();
        const EPERM: u32 = refuse(libc::EPERM);
        for (what, number, arguments, expected) in [
            ("read", libc::SYS_read, [0, 0], ALLOW),
            ("mount", libc::SYS_mount, [0, 0], EPERM),
            ("the last plain row", libc::SYS_clock_settime, [0, 0], EPERM),
            ("a thread", libc::SYS_clone, [libc::CLONE_VM as u32 | libc::SIGCHLD as u32, 0], ALLOW),
            ("a user namespace", libc::SYS_clone, [libc::CLONE_NEWUSER as u32, 0], EPERM),
            ("unshare of files", libc::SYS_unshare, [libc::CLONE_FILES as u32, 0], ALLOW),
            ("unshare of the net", libc::SYS_unshare, [libc::CLONE_NEWNET as u32, 0], EPERM),
            ("clone3", libc::SYS_clone3, [0, 0], refuse(libc::ENOSYS)),
            ("trace me", libc::SYS_ptrace, [0, 0], ALLOW),
            ("attach", libc::SYS_ptrace, [PTRACE_ATTACH, 0], EPERM),
            ("seize", libc::SYS_ptrace, [PTRACE_SEIZE, 0], EPERM),
            ("size of a terminal", libc::SYS_ioctl, [9, libc::TIOCGWINSZ as u32], ALLOW),
            ("typing", libc::SYS_ioctl, [9, libc::TIOCSTI as u32], EPERM),
            ("TCP", libc::SYS_socket, [libc::AF_INET as u32, 0], ALLOW),
            ("netlink", libc::SYS_socket, [libc::AF_NETLINK as u32, 0], ALLOW),
            ("vsock", libc::SYS_socket, [libc::AF_VSOCK as u32, 0], EPERM),
            ("packets", libc::SYS_socket, [libc::AF_PACKET as u32, 0], EPERM),
        ] {
            assert_eq!(run(&program, ARCHITECTURE, number, arguments), expected, "{what}");
        }
        assert_eq!(run(&program, ARCHITECTURE ^ 1, libc::SYS_read, [0, 0]), KILL_PROCESS);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(run(&program, ARCHITECTURE, 0x4000_0000, [0, 0]), refuse(libc::ENOSYS));
    }
}
