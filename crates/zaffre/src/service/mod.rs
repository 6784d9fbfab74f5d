//! The one path, as a service fills it in.
//!
//! Every request of every protocol goes through `front::serve`, once, in these steps:
//!
//! ```text
//! parse ──► find ──► authenticate ──► requires ──► authorize ──► handle ──► dress ──► out
//!   │        │            │                            │            │
//!   └────────┴────────────┴──────── an Error ──────────┴────────────┴──► render ──► dress ──► out
//! ```
//!
//! A service is the set of answers to what these steps ask; it makes no path of its own. Only
//! `parse`, `authenticate`, `dress` and `render` see the raw request. `find` reads what is stored
//! about what the operation names (a blob's host names only an account: its keys are in the store),
//! and absence is a value there: who may know that something is absent is decided afterwards.
//! `find`, `authenticate` and the authorization run on one snapshot.

pub mod body;
pub mod cx;
pub mod fault;
pub mod parts;
pub mod pipe;
pub mod reply;

use std::future::Future;

use azure::error::{Error, Result, Row};

pub use self::{body::Body, cx::Cx, fault::Fault, parts::Parts, reply::Reply};
pub use crate::access::{Caller, Permit, Refusal, Requirement};
use crate::store::Txn;

pub trait Service: Send + Sync + 'static {
    /// An operation: a row of the service's table, with what the request filled in.
    type Op: Send + Sync;
    /// What the store knows about what the operation names.
    type Found: Send + Sync;

    /// As the log calls it: `arm`, `blob`.
    const NAME: &'static str;

    /// From the request line and the headers alone; no body, no store.
    fn parse(&self, cx: &Cx, parts: &Parts) -> Result<Self::Op>;

    fn find(&self, cx: &Cx, txn: &Txn, op: &Self::Op) -> Result<Self::Found>;

    /// Who asks, by what they showed. A scheme answers absent, proved or failed; the next is tried
    /// only after absent.
    fn authenticate(&self, cx: &Cx, op: &Self::Op, found: &Self::Found, parts: &Parts) -> Result<Caller>;

    /// What the operation's row demands, filled in.
    fn requires(&self, cx: &Cx, op: &Self::Op, found: &Self::Found, caller: &Caller) -> Requirement;

    /// The protocol's own error for a demand that was not met.
    fn refuse(&self, cx: &Cx, op: &Self::Op, found: &Self::Found, refusal: &Refusal) -> Error;

    /// The protocol's own row for what can go wrong on the path itself.
    fn fault(&self, fault: Fault) -> &'static Row;

    fn handle(
        &self,
        cx: &Cx,
        permit: Permit,
        op: Self::Op,
        found: Self::Found,
        body: Body,
    ) -> impl Future<Output = Result<Reply>> + Send;

    /// Told of a request for which its caller had no leave.
    fn turned_away(
        &self,
        _cx: &Cx,
        _op: &Self::Op,
        _caller: &Caller,
        _error: &Error,
    ) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What every answer carries, good or bad: request ids, the date, CORS.
    fn dress(&self, _cx: &Cx, _parts: &Parts, _reply: &mut Reply) {}

    /// The one function that prints this protocol's errors.
    fn render(&self, cx: &Cx, parts: &Parts, error: &Error) -> Reply;

    /// A word for the log: the operation's name in Azure's terms.
    fn describe(&self, op: &Self::Op) -> String;
}
