//! The refusals. Below `/metadata/identity`, and on the extension's port, a refusal has a code and a
//! description; elsewhere it is one sentence (imds.md §1).

use azure::error::{Error, Row};
use serde_json::json;

use super::routes;
use crate::service::{Fault, Parts, Reply};

azure::error_rows! {
    pub(super) static TABLE;
    NO_METADATA_HEADER = 400 "invalid_request"
        "Required metadata header not specified", "imds.md §2.4";
    NO_METADATA_HEADER_OLD = 400 "bad_request_102"
        "Required metadata header not specified", "imds.md §2.4, for the extension";
    FORWARDED = 400 "invalid_request"
        "A request with the header X-Forwarded-For is not answered", "imds.md §1; the text is our own";
    REPEATED_PARAMETER = 400 "invalid_request"
        "The parameter '{0}' is given more than once", "imds.md §1; the text is our own";
    BAD_VERSION = 400 "invalid_request"
        "Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds",
        "imds.md §1";
    WRONG_METHOD = 405 "method_not_allowed"
        "The method {0} is not allowed here", "imds.md §1; the text is our own";
    NOT_FOUND = 404 "not_found"
        "Not found", "imds.md §1; the text unverified";
    NO_MACHINE = 404 "not_found"
        "The request does not come from a virtual machine of this cloud", "our own";

    IDENTITY_NOT_FOUND = 400 "invalid_request"
        "Identity not found", "imds.md §2.4";
    MANY_IDENTITIES = 400 "invalid_request"
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        "imds.md §2.4";
    MANY_SELECTORS = 400 "invalid_request"
        "Only one of client_id, object_id and msi_res_id can be specified",
        "imds.md §2.1; the text is our own";
    MISSING_RESOURCE = 400 "invalid_request"
        "Required query variable 'resource' is missing",
        "as azure-workload-identity's proxy answers in its place";
    BAD_BYPASS = 400 "invalid_request"
        "The only value of bypass_cache is 'true'", "imds.md §2.1; the text is our own";
    RESOURCE_NOT_FOUND = 400 "invalid_resource"
        "AADSTS500011: The resource principal named {0} was not found in the tenant named {1}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant. Trace ID: {2} Correlation ID: {3} Timestamp: {4}",
        "imds.md §2.4";
    UNKNOWN_SOURCE = 401 "unknown_source"
        "Unknown Source {0}", "imds.md §2.4, for the extension";
    MALFORMED_FORM = 400 "invalid_request"
        "The body is no form", "our own, for the extension";

    TOO_MANY_REQUESTS = 429 "too_many_requests"
        "Too many requests", "imds.md §1 and §2.4; the text unverified";
    BAD_NONCE = 400 "invalid_request"
        "Bad request. The nonce is at most 32 letters and digits", "imds.md §6; the text is our own";
    BAD_START_REQUESTS = 400 "invalid_request"
        "Bad request. The body has no 'StartRequests' with an 'EventId' each", "imds.md §7; the text is our own";
    NO_SUCH_EVENT = 400 "invalid_request"
        "Bad request. There is no such event", "imds.md §7; the text is our own";
    NO_LOAD_BALANCER = 404 "not_found"
        "No load balancer metadata is found. Please check if your VM is using any non-basic SKU load balancer and retry later.",
        "imds.md §8; the text unverified";

    LEAF_AS_JSON = 400 "invalid_request"
        "Bad request. '{0}' is a single value: ask for it with format=text",
        "imds.md §5; the text is our own";
    BAD_FORMAT = 400 "invalid_request"
        "Bad request. The formats are json and text", "imds.md §5; the text is our own";

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
        "The request could not be answered", "imds.md §2.4, the codes of the specification; the text is our own";
    UNAVAILABLE = 503 "service_unavailable"
        "The service is not available for the moment", "imds.md §2.4, the codes of the specification; the text is our own";
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

pub(super) fn render(parts: &Parts, error: &Error) -> Reply {
    let body = if std::ptr::eq(error.row, &BAD_VERSION) {
        json!({ "error": error.message(), "newest-versions": routes::newest(parts) })
    } else if routes::is_about_identity(parts) {
        json!({ "error": error.row.code, "error_description": error.message() })
    } else {
        json!({ "error": error.message() })
    };
    let reply = Reply::json(error.row.status, &body);
    // Clients honour it where it is; whether the platform sends it is not known (imds.md §1).
    if error.row.status == 429 { reply.with("retry-after", "1") } else { reply }
}
