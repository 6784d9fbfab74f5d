//! Compute's own errors, each with where it is known from.

use azure::error::Row;

const fn row(code: &'static str, status: u16, template: &'static str, source: &'static str) -> Row {
    Row { code, status, template, source }
}

pub(super) static INVALID_PARAMETER: Row = row(
    "InvalidParameter",
    400,
    "The value of parameter {0} is invalid.",
    "general knowledge of Compute's errors, unverified wording",
);
pub(super) static ADMIN_NAME: Row = row(
    "InvalidParameter",
    400,
    "The Admin Username specified is not allowed.",
    "general knowledge of Compute's errors, unverified",
);
pub(super) static COMPUTER_NAME: Row = row(
    "InvalidParameter",
    400,
    "{0} computer name cannot be more than {1} characters long, be entirely numeric, or contain the following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
    "general knowledge of Compute's errors, unverified wording",
);
pub(super) static CHANGE_NOT_ALLOWED: Row = row(
    "PropertyChangeNotAllowed",
    409,
    "Changing property '{0}' is not allowed.",
    "general knowledge of Compute's errors, unverified",
);
pub(super) static ARTIFACT_NOT_FOUND: Row = row(
    "NotFound",
    404,
    "Artifact: VMImage was not found.",
    "general knowledge of Compute's errors, unverified wording",
);

pub(super) static NOT_RUNNING: Row = row("VmNotRunning", 409, "`{0}` is {1}", "our own");
pub(super) static CANNOT_LEND: Row =
    row("CannotLend", 400, "cannot lend `{0}`: this host has no such path", "our own");
pub(super) static CANNOT_RUN: Row = row("CannotRun", 400, "cannot run `{0}`: {1}", "our own");

/// How an operation ends whose machine could not be made to follow.
pub(super) const ALLOCATION_FAILED: &str = "AllocationFailed";
