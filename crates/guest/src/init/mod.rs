//! The first process of a guest: this program again, under another name.
//!
//! ```text
//! server (many threads)
//!   └─ keeper    exec'd from the server; maps the guest's ids, waits, and is the one thing the server must kill
//!        └─ init   pid 1 of the guest: builds its root and network, hands over its sockets, starts commands, buries the dead
//!             └─ commands, each a session of its own
//! ```
//!
//! Nothing outlives the server: the keeper is killed with it, the init with the keeper or at the end of its control socket, and with
//! an init everything in its process namespace; mounts and network go with their last process. All of them have one thread, so
//! that forking is sound; nothing here is asynchronous.
//!
//! A shell's keeper ([`shell`]) is this program under a third name: a process beside its command, in the command's own namespaces.
//!
//! A guest is built in an order that the kernel dictates: what the host lends is opened while its paths are still visible, /proc is
//! mounted while the host's is (an unprivileged mount of /proc is only granted to those who can see one), then the root is exchanged.

mod accounts;
mod command;
mod confine;
mod etc;
mod interface;
mod keeper;
mod lend;
mod net;
mod reach;
mod root;
mod seccomp;
mod serve;
mod shell;
mod sudo;

use crate::sftp;
pub(crate) use command::resize;
pub(crate) use interface::gateway_of;
pub(crate) use net::set_up;
pub(crate) use reach::listen;
pub(crate) use serve::bind;
pub(crate) use shell::{NAME as SHELL_NAME, end_descendants};

/// The name (`argv[0]`) under which this program is an init.
pub(crate) const NAME: &str = "zaffre-guest-init";
/// Set for an init, so that a program which forgot [`main_if_asked`] starts no guests in turn.
pub(crate) const MARK: &str = "ZAFFRE_GUEST_INIT";

/// Becomes a guest's init, or a program of ours within one, and never returns, when the process was started as such; else returns at once.
///
/// Must be the first thing in `main` of every program that starts guests with itself as their init.
pub fn main_if_asked() {
    let mut words = std::env::args_os();
    match words.next() {
        Some(name) if name == NAME => leave(keeper::run()),
        Some(name) if name == sftp::NAME => leave(sftp::run()),
        Some(name) if name == SHELL_NAME => leave(shell::run(&words.collect::<Vec<_>>())),
        Some(name) => {
            if let Some(code) = crate::tools::run_if_named(&name, &words.collect::<Vec<_>>()) {
                leave(code);
            }
        }
        None => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "these processes hold nothing that a destructor would save")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}
