//! Every refusal of Graph (entra.md §6).

use azure::{
    error::{Error, Row},
    jwt::check::Fault as Claim,
};

use crate::{directory::TokenFault, service::Fault};

azure::error_rows! {
    pub(super) static TABLE;
    NO_TOKEN = 401 "InvalidAuthenticationToken" "Access token is empty.", "entra.md §6; the message as quoted by users";
    BAD_TOKEN = 401 "InvalidAuthenticationToken"
        "CompactToken validation failed with reason code: 80049228.", "entra.md §6; the message as quoted by users";
    WRONG_AUDIENCE = 401 "InvalidAuthenticationToken"
        "Access token validation failure. Invalid audience.", "entra.md §6; the message as quoted by users";
    EXPIRED = 401 "InvalidAuthenticationToken"
        "Lifetime validation failed, the token is expired.", "entra.md §6; the message as quoted by users";
    DENIED = 403 "Authorization_RequestDenied"
        "Insufficient privileges to complete the operation.", "entra.md §6";
    OBJECT_NOT_FOUND = 404 "Request_ResourceNotFound"
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present.", "entra.md §6";
    SEGMENT_NOT_FOUND = 400 "BadRequest"
        "Resource not found for the segment '{0}'.", "as quoted by users";
    WRONG_METHOD = 405 "Request_BadRequest"
        "Specified HTTP method is not allowed for the request target.", "as quoted by users";
    NO_VERSION = 400 "BadRequest" "Invalid version: {0}", "as quoted by users";
    NOT_A_USER = 400 "BadRequest"
        "/me request is only valid with delegated authentication flow.", "as quoted by users";
    NOT_JSON = 400 "BadRequest"
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        "as quoted by users";
    NO_PROPERTY = 400 "Request_BadRequest"
        "Invalid property '{0}'.", "entra.md §6; the message unverified";
    READ_ONLY = 400 "Request_BadRequest"
        "Property '{0}' is read-only and cannot be set.", "entra.md §6; the message unverified";
    WRONG_TYPE = 400 "Request_BadRequest"
        "Invalid value specified for property '{0}' of resource '{1}'.", "as quoted by users";
    MISSING = 400 "Request_BadRequest"
        "A value is required for property '{0}' of resource '{1}'.", "as quoted by users";
    TAKEN = 400 "Request_BadRequest"
        "Another object with the same value for property {0} already exists.", "as quoted by users";
    SERVICE_PRINCIPAL_TAKEN = 409 "Request_MultipleObjectsWithSameKeyValue"
        "The service principal cannot be created, updated, or restored because the service principal name {0} is already in use.",
        "entra.md §6; the message as quoted by users";
    NO_APPLICATION = 400 "Request_BadRequest"
        "The appId '{0}' of the service principal does not reference a valid application object.", "as quoted by users";
    LINKED_ALREADY = 400 "Request_BadRequest"
        "One or more added object references already exist for the following modified properties: '{0}'.", "as quoted by users";
    NO_REFERENCE = 400 "Request_BadRequest"
        "Invalid URL format specified in @odata.id for {0} in the entity.", "as quoted by users; unverified";
    NO_CREDENTIAL = 400 "Request_BadRequest"
        "No credentials found to be removed.", "as quoted by users";
    BAD_CERTIFICATE = 400 "KeyCredentialsInvalidEndDate"
        "Key credential's certificate or dates are invalid.", "the code: documented for applications; the message is our own";
    FEDERATED_TAKEN = 409 "Request_MultipleObjectsWithSameKeyValue"
        "FederatedIdentityCredential with name {0} already exists.", "as quoted by users";
    FEDERATED_TOO_MANY = 400 "Request_BadRequest"
        "Quota exceeded: an application has at most 20 federated identity credentials.", "resources.md §1; the message is our own";
    ROLE_ASSIGNED = 400 "Request_BadRequest"
        "Permission being assigned already exists on the object", "as quoted by users";
    NO_SUCH_ROLE = 400 "Request_BadRequest"
        "Permission being assigned was not found on application", "as quoted by users";
    MANAGED = 400 "Request_BadRequest"
        "A managed identity's service principal changes with its resource alone.", "our own words";
    BAD_FILTER = 400 "BadRequest" "Invalid filter clause: {0}", "as quoted by users";
    BAD_QUERY = 400 "BadRequest" "The query parameter '{0}' has an invalid value.", "our own words";
    UNSUPPORTED_QUERY = 400 "Request_UnsupportedQuery" "Unsupported Query: {0}", "entra.md §6; the message is our own";
    EVENTUAL = 400 "Request_UnsupportedQuery"
        "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
        "as quoted by users";
    BAD_BATCH = 400 "BadRequest"
        "Invalid batch payload format: {0}.", "the first words as quoted by users";
    FAILED_DEPENDENCY = 424 "FailedDependency"
        "A request that this one depends on failed.", "\"Combine multiple HTTP requests using JSON batching\"; the message is our own";
    NOT_IMPLEMENTED = 501 "NotImplemented" "This cloud does not implement '{0}'.", "our own";
    BAD_HEAD = 400 "BadRequest"
        "The request's Host or its query is missing, repeated or malformed.", "our own";
    HEAD_TOO_LARGE = 431 "RequestHeaderFieldsTooLarge" "The request line and the headers are too long.", "our own";
    MISDIRECTED = 421 "MisdirectedRequest"
        "The request's Host is not the name that the TLS handshake was for.", "our own; RFC 9110 §7.4";
    TOO_LARGE = 413 "RequestEntityTooLarge" "The request body is too large.", "our own";
    CUT_SHORT = 400 "BadRequest" "The request body ended before its length was reached.", "our own";
    TOO_SLOW = 408 "RequestTimeout" "The request body did not arrive in time.", "our own";
    INTERNAL = 500 "InternalServerError" "An internal error occurred.", "our own";
    UNAVAILABLE = 503 "ServiceUnavailable" "The service is temporarily unavailable.", "our own";
}

pub(super) fn fault(fault: Fault) -> &'static Row {
    match fault {
        Fault::BadHead => &BAD_HEAD,
        Fault::HeadTooLarge => &HEAD_TOO_LARGE,
        Fault::Misdirected => &MISDIRECTED,
        Fault::Internal => &INTERNAL,
        Fault::Unavailable => &UNAVAILABLE,
        Fault::BodyTooLarge => &TOO_LARGE,
        Fault::BodyCutShort => &CUT_SHORT,
        Fault::BodyTooSlow => &TOO_SLOW,
    }
}

/// Why a token is not believed, in Graph's words.
pub(super) fn of_token(fault: TokenFault) -> Error {
    let row = match &fault {
        TokenFault::Claims(Claim::WrongAudience { .. }) => &WRONG_AUDIENCE,
        TokenFault::Claims(Claim::Expired { .. }) => &EXPIRED,
        TokenFault::Malformed(_)
        | TokenFault::UnknownKey
        | TokenFault::BadSignature
        | TokenFault::Claims(_) => &BAD_TOKEN,
    };
    Error::from(row).because(fault)
}
