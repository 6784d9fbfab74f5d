//! The errors of the Blob service: one row each (blob.md §4, §5, §7, §12).
//!
//! What an answer carries beside code and message travels in `Error::extra`: a name that begins with a capital
//! becomes an element of the body, any other a header.

use azure::error::Row;

macro_rules! rows {
    ($($name:ident: $code:literal $status:literal $template:literal, $source:literal;)*) => {
        $(pub(super) static $name: Row =
            Row { code: $code, status: $status, template: $template, source: $source };)*
        #[cfg(test)]
        pub(super) static ALL: &[&Row] = &[$(&$name),*];
    };
}

rows! {
    // Names and existence.
    CONTAINER_NOT_FOUND: "ContainerNotFound" 404 "The specified container does not exist.", "blob.md §12";
    BLOB_NOT_FOUND: "BlobNotFound" 404 "The specified blob does not exist.", "blob.md §12";
    RESOURCE_NOT_FOUND: "ResourceNotFound" 404 "The specified resource does not exist.", "blob.md §12; for an account that does not exist: our own, since the real name would not resolve";
    CONTAINER_ALREADY_EXISTS: "ContainerAlreadyExists" 409 "The specified container already exists.", "blob.md §12";
    BLOB_ALREADY_EXISTS: "BlobAlreadyExists" 409 "The specified blob already exists.", "blob.md §12";
    INVALID_RESOURCE_NAME: "InvalidResourceName" 400 "The specified resource name contains invalid characters.", "blob.md §1, §12";
    OUT_OF_RANGE_NAME: "OutOfRangeInput" 400 "The specified resource name length is not within the permissible limits.", "blob.md §1";
    INVALID_URI: "InvalidUri" 400 "The requested URI does not represent any resource on the server.", "blob.md §12; wording: Azure's error pages, unverified";

    // What was asked.
    INVALID_QUERY: "InvalidQueryParameterValue" 400 "Value for one of the query parameters specified in the request URI is invalid.", "blob.md §12";
    OUT_OF_RANGE_QUERY: "OutOfRangeQueryParameterValue" 400 "One of the query parameters specified in the request URI is outside the permissible range.", "blob.md §12";
    MISSING_QUERY: "MissingRequiredQueryParameter" 400 "A query parameter that's mandatory for this request is not specified.", "blob.md §12";
    INVALID_HEADER: "InvalidHeaderValue" 400 "The value for one of the HTTP headers is not in the correct format.", "blob.md §12";
    MISSING_HEADER: "MissingRequiredHeader" 400 "An HTTP header that's mandatory for this request is not specified.", "blob.md §12";
    INVALID_XML: "InvalidXmlDocument" 400 "XML specified is not syntactically valid.", "blob.md §12";
    UNSUPPORTED_VERB: "UnsupportedHttpVerb" 405 "The resource doesn't support specified Http Verb.", "blob.md §12";
    NOT_IMPLEMENTED: "NotImplemented" 501 "The operation '{0}' is not implemented here yet.", "our own: clients do not retry a 501 (blob.md §3.2)";
    MISSING_LENGTH: "MissingContentLengthHeader" 411 "The Content-Length header was not specified.", "blob.md §12";
    BODY_TOO_LARGE: "RequestBodyTooLarge" 413 "The request body is too large and exceeds the maximum permissible limit.", "blob.md §10";
    INVALID_METADATA: "InvalidMetadata" 400 "The metadata specified is invalid. It has characters that are not permitted.", "blob.md §12";
    EMPTY_METADATA_KEY: "EmptyMetadataKey" 400 "The key for one of the metadata key-value pairs is empty.", "blob.md §10; wording: Azure's error pages, unverified";
    METADATA_TOO_LARGE: "MetadataTooLarge" 400 "The metadata specified exceeds the maximum allowed limit (8KB).", "blob.md §10; wording unverified";

    // What is stored.
    INVALID_RANGE: "InvalidRange" 416 "The range specified is invalid for the current size of the resource.", "blob.md §12";
    CONDITION_NOT_MET: "ConditionNotMet" 412 "The condition specified using HTTP conditional header(s) is not met.", "blob.md §12";
    NOT_MODIFIED: "ConditionNotMet" 304 "The condition specified using HTTP conditional header(s) is not met.", "blob.md §3.2, §8";
    UNSATISFIABLE: "UnsatisfiableCondition" 400 "The request includes an unsatisfiable condition for this operation.", "blob.md §12";
    MULTIPLE_CONDITIONS: "MultipleConditionHeadersNotSupported" 400 "Multiple condition headers are not supported.", "blob.md §12";
    NO_BLOB_LEASE: "LeaseNotPresentWithBlobOperation" 412 "There is currently no lease on the blob.", "blob.md §12";
    NO_CONTAINER_LEASE: "LeaseNotPresentWithContainerOperation" 412 "There is currently no lease on the container.", "blob.md §12; wording after the blob's";
    INVALID_BLOB_OR_BLOCK: "InvalidBlobOrBlock" 400 "The specified blob or block content is invalid.", "blob.md §12";
    INVALID_BLOCK_LIST: "InvalidBlockList" 400 "The specified block list is invalid.", "blob.md §12";
    BLOCK_LIST_TOO_LONG: "BlockListTooLong" 400 "The block list may not contain more than 50,000 blocks.", "blob.md §12";

    // Checksums.
    MD5_MISMATCH: "Md5Mismatch" 400 "The MD5 value specified in the request did not match with the MD5 value calculated by the server.", "blob.md §12";
    INVALID_MD5: "InvalidMd5" 400 "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.", "blob.md §12";
    CRC64_MISMATCH: "Crc64Mismatch" 400 "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.", "blob.md §12";
    BOTH_CHECKSUMS: "BothCrc64AndMd5HeaderPresent" 400 "Both x-ms-content-crc64 header and Content-MD5 header are present.", "blob.md §12";

    // Who asks.
    NO_AUTHENTICATION: "NoAuthenticationInformation" 401 "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", "blob.md §5";
    INVALID_AUTHENTICATION: "InvalidAuthenticationInfo" 400 "Authentication information is not given in the correct format. Check the value of Authorization header.", "blob.md §4";
    BAD_TOKEN: "InvalidAuthenticationInfo" 401 "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", "blob.md §5 (the live service's code and status, from general knowledge)";
    AUTHENTICATION_FAILED: "AuthenticationFailed" 403 "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.", "blob.md §4; resources.md §5";
    PERMISSION_MISMATCH: "AuthorizationPermissionMismatch" 403 "This request is not authorized to perform this operation using this permission.", "blob.md §5";
    AUTHORIZATION_FAILURE: "AuthorizationFailure" 403 "This request is not authorized to perform this operation.", "blob.md §12";
    KEYS_NOT_PERMITTED: "KeyBasedAuthenticationNotPermitted" 403 "Key based authentication is not permitted on this storage account.", "blob.md §4, unverified";
    PUBLIC_NOT_PERMITTED: "PublicAccessNotPermitted" 409 "Public access is not permitted on this storage account.", "blob.md §7, unverified";
    REQUIRES_HTTPS: "AccountRequiresHttps" 400 "The account being accessed does not support http.", "general knowledge, unverified";
    SECONDARY_WRITE: "InsufficientAccountPermissions" 403 "The account being accessed does not have sufficient permissions to execute this operation.", "blob.md §12";

    // What can go wrong underneath.
    BAD_HEAD: "InvalidInput" 400 "One of the request inputs is not valid.", "blob.md §12; wording: Azure's error pages, unverified";
    HEAD_TOO_LARGE: "RequestHeaderFieldsTooLarge" 431 "The request line and the headers are too long.", "our own";
    MISDIRECTED: "MisdirectedRequest" 421 "The request's Host is not the name that the TLS handshake was for.", "our own; RFC 9110 §7.4";
    INTERNAL: "InternalError" 500 "Server encountered an internal error. Please try again after some time.", "blob.md §12; wording unverified";
    BUSY: "ServerBusy" 503 "The server is busy.", "blob.md §12";
    BODY_CUT_SHORT: "InvalidInput" 400 "The request body ended before the length that Content-Length announced.", "our own wording";
    TIMED_OUT: "OperationTimedOut" 500 "Operation could not be completed within the specified time.", "blob.md §3.1, §12";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_row_says_where_it_is_known_from() {
        for row in ALL {
            assert!(!row.source.is_empty() && (300..600).contains(&row.status), "{}", row.code);
        }
    }
}
