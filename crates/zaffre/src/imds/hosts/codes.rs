//! The refusals. A row's code is OAuth's word, or Service Fabric's own, and each kind prints it in its envelope
//! (imds.md §9); texts that no page gives are our own.

use azure::error::{Error, Row};
use serde_json::json;

use super::kinds::{self, Envelope, Protocol};
use crate::service::{Cx, Fault, Parts, Reply};

azure::error_rows! {
    pub(super) static TABLE;
    NOT_FOUND = 404 "not_found"
        "There is nothing at this address", "our own";
    NO_DOOR = 404 "not_found"
        "This address was made for nobody, or for somebody who is gone; `zaffre env --host-kind` makes one", "our own";
    WRONG_METHOD = 405 "method_not_allowed"
        "The method {0} is not allowed here", "our own";
    FORWARDED = 400 "invalid_request"
        "A request with the header X-Forwarded-For is not answered", "imds.md §1; the text is our own";
    REPEATED_PARAMETER = 400 "invalid_request"
        "The parameter '{0}' is given more than once", "imds.md §1; the text is our own";
    NO_METADATA_HEADER = 400 "bad_request_102"
        "Required metadata header not specified", "imds.md §9.3, §9.5, as the old extension";
    NO_SECRET = 401 "unauthorized_client"
        "The header '{0}' is missing", "imds.md §9.1; the body unverified";
    WRONG_SECRET = 401 "unauthorized_client"
        "The secret is not the one of this address", "imds.md §9.1; the body unverified";
    BAD_VERSION = 400 "invalid_request"
        "The api-version '{0}' is not one of: {1}", "imds.md §9; the text is our own";
    MISSING_RESOURCE = 400 "invalid_request"
        "Required query variable 'resource' is missing", "imds.md §2.4; the text is our own";
    MANY_SELECTORS = 400 "invalid_request"
        "Only one identity can be named", "imds.md §2.1; the text is our own";
    MALFORMED_FORM = 400 "invalid_request"
        "The body is no form", "our own";
    IDENTITY_NOT_FOUND = 400 "invalid_request"
        "Identity not found", "imds.md §2.4";
    RESOURCE_NOT_FOUND = 400 "invalid_resource"
        "AADSTS500011: The resource principal named {0} was not found in the tenant named {1}.", "imds.md §2.4";
    CHALLENGE = 401 "unauthorized_client"
        "The request must hold what the named file holds", "imds.md §9.3; the text is our own";

    VAGUE = 500 "server_error"
        "An unexpected error occurred while fetching the AAD Token.", "imds.md §9.1: `a vague statusCode=500`; the text unverified";

    SECRET_HEADER_NOT_FOUND = 400 "SecretHeaderNotFound"
        "Secret is not found in the request headers.", "imds.md §9.4; the text unverified";
    SECRET_MISMATCH = 401 "InvalidSecret"
        "The secret is not the one of this application.", "imds.md §9.4; code and text unverified";
    MANAGED_IDENTITY_NOT_FOUND = 404 "ManagedIdentityNotFound"
        "Managed identity not found for the specified application host.", "imds.md §9.4; status and text unverified";
    ARGUMENT_NULL_OR_EMPTY = 400 "ArgumentNullOrEmpty"
        "The parameter 'resource' should not be null or empty string.", "imds.md §9.4; the text unverified";
    INVALID_API_VERSION = 400 "InvalidApiVersion"
        "The api-version '{0}' is not supported. Supported version is '{1}'.", "imds.md §9.4; code and text unverified";
    TOKEN_NOT_ISSUED = 400 "InternalServerError"
        "AADSTS500011: The resource principal named {0} was not found in the tenant named {1}.", "imds.md §9.4; code unverified";

    BAD_HEAD = 400 "invalid_request"
        "The request's Host or its query is missing, repeated or malformed", "our own";
    HEAD_TOO_LARGE = 431 "invalid_request"
        "The request line and the headers are too long", "our own";
    MISDIRECTED = 421 "invalid_request"
        "The request's Host is not the name that the connection is for", "our own; RFC 9110 §7.4";
    TOO_LARGE = 413 "invalid_request"
        "The request body is too large", "our own";
    TOO_SLOW = 408 "invalid_request"
        "The request body did not arrive in time", "our own";
    INTERNAL = 500 "server_error"
        "The request could not be answered", "our own";
    UNAVAILABLE = 503 "service_unavailable"
        "The service is not available for the moment", "our own";
}

pub(super) fn fault(fault: Fault) -> &'static Row {
    match fault {
        Fault::BadHead => &BAD_HEAD,
        Fault::HeadTooLarge => &HEAD_TOO_LARGE,
        Fault::Misdirected => &MISDIRECTED,
        Fault::Internal => &INTERNAL,
        Fault::Unavailable => &UNAVAILABLE,
        Fault::BodyTooLarge => &TOO_LARGE,
        Fault::BodyCutShort => &MALFORMED_FORM,
        Fault::BodyTooSlow => &TOO_SLOW,
    }
}

/// Where kinds differ in what they say.
pub(super) fn no_secret(kind: &Protocol, header: &str) -> Error {
    match kind.envelope {
        Envelope::ServiceFabric => (&SECRET_HEADER_NOT_FOUND).into(),
        Envelope::AppService | Envelope::OAuth => NO_SECRET.with([header]),
    }
}

pub(super) fn wrong_secret(kind: &Protocol) -> Error {
    match kind.envelope {
        Envelope::ServiceFabric => (&SECRET_MISMATCH).into(),
        Envelope::AppService | Envelope::OAuth => (&WRONG_SECRET).into(),
    }
}

pub(super) fn bad_version(kind: &Protocol, version: &str) -> Error {
    let known: Vec<&str> = kind.dialects.iter().flat_map(|it| it.versions).copied().collect();
    let row = match kind.envelope {
        Envelope::ServiceFabric => &INVALID_API_VERSION,
        Envelope::AppService | Envelope::OAuth => &BAD_VERSION,
    };
    row.with([version, &known.join(", ")])
}

pub(super) fn no_resource(kind: &Protocol) -> Error {
    match kind.envelope {
        Envelope::ServiceFabric => (&ARGUMENT_NULL_OR_EMPTY).into(),
        Envelope::AppService | Envelope::OAuth => (&MISSING_RESOURCE).into(),
    }
}

pub(super) fn no_identity(kind: &Protocol) -> Error {
    match kind.envelope {
        Envelope::ServiceFabric => (&MANAGED_IDENTITY_NOT_FOUND).into(),
        Envelope::AppService | Envelope::OAuth => (&IDENTITY_NOT_FOUND).into(),
    }
}

/// App Service tells nobody which resource it did not find.
pub(super) fn unknown_resource(cx: &Cx, kind: &Protocol, resource: &str) -> Error {
    let tenant = cx.cloud.charter.display_name.as_str();
    match kind.envelope {
        Envelope::AppService => (&VAGUE).into(),
        Envelope::OAuth => RESOURCE_NOT_FOUND.with([resource, tenant]),
        Envelope::ServiceFabric => TOKEN_NOT_ISSUED.with([resource, tenant]),
    }
}

pub(super) fn render(cx: &Cx, parts: &Parts, error: &Error) -> Reply {
    let (row, message) = (error.row, error.message());
    let body = match kinds::envelope(parts.path.as_deref().unwrap_or_default()) {
        Envelope::AppService => {
            json!({ "statusCode": row.status, "message": message, "correlationId": cx.correlation_id })
        }
        Envelope::OAuth => json!({ "error": row.code, "error_description": message }),
        Envelope::ServiceFabric => {
            json!({ "error": { "code": row.code, "message": message, "correlationId": cx.correlation_id } })
        }
    };
    let reply = Reply::json(row.status, &body);
    match error.extra("realm") {
        Some(path) => reply.with("www-authenticate", format!("Basic realm={path}")),
        None => reply,
    }
}
