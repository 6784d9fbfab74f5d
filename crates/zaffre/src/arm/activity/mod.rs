//! The activity log: `Microsoft.Insights/eventtypes/management/values`.
//!
//! ```text
//! handle ─► note.rs: who, what, where ─► in the change's own transaction ─► resources::activity
//! GET values ─► list.rs: the filter, what the caller may see ─► shown.rs: a row as its two or three events
//! ```
//!
//! Whatever was to write, to delete or to act is in it, also what was refused to somebody who said who
//! they are, and each step of a deployment. Reads are not, nor is what nobody signed (arm.md §3), as on
//! the platform. Data planes have logs of their own there, and none here.

mod list;
mod note;
mod shown;

pub(super) use self::{
    list::{categories, of_subscription, of_tenant},
    note::Note,
};
