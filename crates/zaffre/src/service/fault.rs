//! What can go wrong on the one path before or beneath any service's own rules.
//!
//! Each service answers these in its own words: `Service::fault` gives the row of its table that
//! stands for each of them.

use azure::error::{Error, Row};

use crate::store::StoreError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request line or a header cannot be what it is: no Host or two, a query that is not UTF-8.
    BadHead,
    /// The request line and the headers are longer than any client's.
    HeadTooLarge,
    /// The request is for another host than its connection.
    Misdirected,
    /// Something inside failed; the log says what.
    Internal,
    /// The store cannot be written: full, read-only, failing.
    Unavailable,
    /// The body is longer than its operation allows.
    BodyTooLarge,
    /// The connection ended before the body did.
    BodyCutShort,
    /// No byte of the body came for a minute.
    BodyTooSlow,
}

static ROWS: [(Fault, Row); 8] = [
    (
        Fault::BadHead,
        row("BadRequest", 400, "The request's Host or its query is missing, repeated or malformed."),
    ),
    (
        Fault::HeadTooLarge,
        row("RequestHeaderFieldsTooLarge", 431, "The request line and the headers are too long."),
    ),
    (
        Fault::Misdirected,
        row("MisdirectedRequest", 421, "The request's Host is not the name that the TLS handshake was for."),
    ),
    (Fault::Internal, row("InternalServerError", 500, "Encountered internal server error.")),
    (Fault::Unavailable, row("ServiceUnavailable", 503, "The service is temporarily unavailable.")),
    (Fault::BodyTooLarge, row("RequestEntityTooLarge", 413, "The request body is too large.")),
    (
        Fault::BodyCutShort,
        row("IncompleteBody", 400, "The request body ended before its length was reached."),
    ),
    (Fault::BodyTooSlow, row("RequestTimeout", 408, "The request body did not arrive in time.")),
];

const fn row(code: &'static str, status: u16, template: &'static str) -> Row {
    Row { code, status, template, source: "our own; each service has its own words for it" }
}

impl Fault {
    /// The neutral row, which a service's `fault` replaces before anything is rendered.
    pub fn row(self) -> &'static Row {
        let found = ROWS.iter().find(|(fault, _)| *fault == self);
        &found.expect("every fault has its row").1
    }

    pub fn of(row: &'static Row) -> Option<Fault> {
        ROWS.iter().find(|(_, neutral)| std::ptr::eq(neutral, row)).map(|(fault, _)| *fault)
    }

    pub fn because(self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.row().bare().because(cause)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let fault = match &error {
            StoreError::Conflict { .. }
            | StoreError::Closed
            | StoreError::ReadOnly { .. }
            | StoreError::Locked { .. }
            | StoreError::Database { .. }
            | StoreError::Objects { .. }
            | StoreError::Io { .. } => Fault::Unavailable,
            StoreError::Newer { .. }
            | StoreError::Corrupt { .. }
            | StoreError::TooLarge { .. }
            | StoreError::Record { .. }
            | StoreError::NoContent { .. } => Fault::Internal,
        };
        fault.because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_row_and_is_found_by_it() {
        for fault in [
            Fault::BadHead,
            Fault::HeadTooLarge,
            Fault::Misdirected,
            Fault::Internal,
            Fault::Unavailable,
            Fault::BodyTooLarge,
            Fault::BodyCutShort,
            Fault::BodyTooSlow,
        ] {
            assert_eq!(Fault::of(fault.row()), Some(fault));
        }
    }
}
