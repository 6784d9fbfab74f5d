//! What Azure AD Graph refuses in words of its own; everything else is Graph's table.

use azure::{
    error::{Error, Row},
    jwt::check::Fault as Claim,
};

use crate::directory::TokenFault;

azure::error_rows! {
    pub(super) static TABLE;
    NO_TOKEN = 401 "Authentication_MissingOrMalformed" "Access Token missing or malformed.", "as quoted by users of the service";
    EXPIRED = 401 "Authentication_ExpiredToken"
        "Your access token has expired. Please renew it before submitting the request.", "the code: Microsoft's samples' list of message ids; the message as quoted by users";
    NO_VERSION = 400 "Request_InvalidDataContractVersion"
        "The specified api-version is invalid. The value must exactly match a supported version.", "manicminer/hamilton: odata/errors_test.go";
    NO_TENANT = 404 "Directory_ObjectNotFound"
        "Unable to read the company information from the directory.", "the code: Microsoft's samples' list of message ids; the message as quoted by users";
}

/// Why a token is not believed.
pub(super) fn of_token(fault: TokenFault) -> Error {
    let row = match &fault {
        TokenFault::Claims(Claim::Expired { .. }) => &EXPIRED,
        TokenFault::Malformed(_)
        | TokenFault::UnknownKey
        | TokenFault::BadSignature
        | TokenFault::Claims(_) => &NO_TOKEN,
    };
    Error::from(row).because(fault)
}

/// A row's code in this service, which has but one word for a bad request.
pub(super) fn spelled(row: &Row) -> &'static str {
    match row.code {
        "BadRequest" => "Request_BadRequest",
        "InternalServerError" => "Service_InternalServerError",
        code => code,
    }
}
