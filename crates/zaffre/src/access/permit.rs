//! The permit: what only `authorize` makes and every handler takes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use azure::{
    error::Result,
    rbac::{Access, Reason},
};

use super::{Caller, denials::Denial, first_denied};
use crate::{service::cx::Cx, store::Txn};

/// Leave to do what was demanded.
pub struct Permit {
    caller: Caller,
    /// Where a demand was announced that only the body can name: set until it is put.
    outstanding: Option<Arc<AtomicBool>>,
}

/// The answer no.
#[derive(Debug)]
pub struct Refusal {
    pub caller: Caller,
    pub why: Why,
}

#[derive(Debug)]
pub enum Why {
    /// Nobody said who they are.
    Anonymous,
    /// The operation is a machine's own, and the door is not a machine's.
    NotAGuest,
    Denied {
        access: Box<Access>,
        reasons: Vec<Reason>,
        /// The deny assignment that forbids it, where one does.
        by: Option<Box<Denial>>,
    },
}

/// Tells, once the permit is spent, whether its announced demand was ever put.
pub struct Asked(Option<Arc<AtomicBool>>);

impl Permit {
    pub(super) fn new(caller: Caller, later: bool) -> Self {
        Permit { caller, outstanding: later.then(|| Arc::new(AtomicBool::new(true))) }
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Demands what the body, or what is stored by now, has shown to be needed: in the same
    /// transaction as the change it allows. No demands at all also count as having asked.
    pub fn also(&self, cx: &Cx, txn: &Txn, all: Vec<Access>) -> Result<Result<(), Refusal>> {
        if let Some(outstanding) = &self.outstanding {
            outstanding.store(false, Ordering::Release);
        }
        Ok(match first_denied(cx, txn, &self.caller, all)? {
            Some(why) => Err(Refusal { caller: self.caller.clone(), why }),
            None => Ok(()),
        })
    }

    pub fn watch(&self) -> Asked {
        Asked(self.outstanding.clone())
    }
}

impl Asked {
    pub fn is_outstanding(&self) -> bool {
        self.0.as_ref().is_some_and(|outstanding| outstanding.load(Ordering::Acquire))
    }
}
