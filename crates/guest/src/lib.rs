//! Virtual machines made of Linux namespaces: started by root or by an ordinary user, in a few milliseconds, with no helper installed.
//!
//! A guest has processes, users, files, a host name and a network of its own. Its /usr is the host's, read-only; its /etc is written from
//! a list; the rest is empty and in memory; nothing else of the host is there. There are the addresses that an Azure VM knows:
//! 169.254.169.254, 168.63.129.16, one for all of Azure's names, and its private ones. They exist in that guest alone: no packet of a
//! guest leaves the machine or reaches the host, and another guest only through a [`Network`] that both are in, by its rules. What a guest is to
//! reach beyond, its owner opens for it ([`Outside`]).
//!
//! ```text
//! Guest::start(spec) ── exec ──▶ init (this program again, see `init`) builds the namespaces
//!        ◀── listening sockets, opened inside, by SCM_RIGHTS ──┘
//! GuestSockets ──▶ whoever accepts: a connection's listener says which guest is asking
//! guest.exec(command) ──▶ Exec: pipes or a terminal, a status
//! drop(guest), guest.stop(), or the end of this process ──▶ nothing of it is left
//! ```
//!
//! A program that starts guests begins its `main` with [`init::main_if_asked`]. Where a machine refuses namespaces, [`probe`] says which
//! step and why; what to do then is the caller's to decide.
//!
//! Two kinds of machine differ in one thing. Started by root, a guest has 65,536 ids of its own, none of which owns anything on
//! the host. Started by an ordinary user, it has that user's one id, and [`User`] says what follows.
//!
//! What a guest may use is bounded by control groups where they can be had, else by limits of its processes ([`Bounds`]). Its `sudo` is
//! this program too, which asks the guest's init (`tools`).
//!
//! Absent on purpose: images and package installation, and an SSH server: what one needs of a guest is here ([`Guest::exec`],
//! [`Guest::connect`], [`Guest::listen_at`], [`SFTP`]), its protocol is another crate's.
//!
//! Beside guests there are shells ([`shell`]): the user's own command, in a network in which the same doors are open ([`open_here`]).
//!
//! `unsafe` is in the module `sys` alone.

mod accept;
mod exec;
mod first;
mod groups;
mod guest;
mod here;
pub mod init;
mod keeper;
mod listening;
mod network;
mod probe;
mod refused;
mod settings;
mod sftp;
pub mod shell;
mod spec;
mod sys;
mod tools;
mod wire;

pub use exec::{Exec, Finished, Output, Stdin};
pub use first::is_machines_network;
pub use groups::{Bounds, By, bounds};
pub use guest::{Guest, GuestSockets};
pub use here::{Doors, open_here};
pub use listening::Listening;
pub use network::{Flow, Heard, Network, Opening, Outside, Place, Plug, Protocol, Rules, Wire};
pub use probe::{has_programs, probe, probe_network};
pub use refused::{GuestError, Refused};
pub use sftp::NAME as SFTP;
pub use spec::{
    ADMIN_ID, CA_BUNDLE, Command, ExitStatus, ExtraFile, Interface, Limits, METADATA_ADDRESS,
    OUTSIDE_ADDRESS, OWN_PROGRAM, RESOLVER_ADDRESS, SERVICE_ADDRESS, Share, Size, Spec, User,
};
