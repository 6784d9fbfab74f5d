//! The errors of the Blob service: one row each (blob.md §4, §5, §7, §12).
//!
//! What an answer carries beside code and message travels in `Error::extra`: a name that begins with a capital
//! becomes an element of the body, any other a header.

azure::error_rows! {
    pub(super) static TABLE;
    // Names and existence.
    CONTAINER_NOT_FOUND = 404 "ContainerNotFound" "The specified container does not exist.", "blob.md §12";
    BLOB_NOT_FOUND = 404 "BlobNotFound" "The specified blob does not exist.", "blob.md §12";
    RESOURCE_NOT_FOUND = 404 "ResourceNotFound" "The specified resource does not exist.", "blob.md §12; for an account that does not exist: our own, since the real name would not resolve";
    CONTAINER_ALREADY_EXISTS = 409 "ContainerAlreadyExists" "The specified container already exists.", "blob.md §12";
    BLOB_ALREADY_EXISTS = 409 "BlobAlreadyExists" "The specified blob already exists.", "blob.md §12";
    INVALID_RESOURCE_NAME = 400 "InvalidResourceName" "The specified resource name contains invalid characters.", "blob.md §1, §12";
    OUT_OF_RANGE_NAME = 400 "OutOfRangeInput" "The specified resource name length is not within the permissible limits.", "blob.md §1";
    INVALID_URI = 400 "InvalidUri" "The requested URI does not represent any resource on the server.", "blob.md §12; wording: Azure's error pages, unverified";

    // What was asked.
    INVALID_QUERY = 400 "InvalidQueryParameterValue" "Value for one of the query parameters specified in the request URI is invalid.", "blob.md §12";
    OUT_OF_RANGE_QUERY = 400 "OutOfRangeQueryParameterValue" "One of the query parameters specified in the request URI is outside the permissible range.", "blob.md §12";
    MISSING_QUERY = 400 "MissingRequiredQueryParameter" "A query parameter that's mandatory for this request is not specified.", "blob.md §12";
    INVALID_HEADER = 400 "InvalidHeaderValue" "The value for one of the HTTP headers is not in the correct format.", "blob.md §12";
    MISSING_HEADER = 400 "MissingRequiredHeader" "An HTTP header that's mandatory for this request is not specified.", "blob.md §12";
    INVALID_XML = 400 "InvalidXmlDocument" "XML specified is not syntactically valid.", "blob.md §12";
    UNSUPPORTED_VERB = 405 "UnsupportedHttpVerb" "The resource doesn't support specified Http Verb.", "blob.md §12";
    NOT_IMPLEMENTED = 501 "NotImplemented" "The operation '{0}' is not implemented here yet.", "our own: clients do not retry a 501 (blob.md §3.2)";
    MISSING_LENGTH = 411 "MissingContentLengthHeader" "The Content-Length header was not specified.", "blob.md §12";
    BODY_TOO_LARGE = 413 "RequestBodyTooLarge" "The request body is too large and exceeds the maximum permissible limit.", "blob.md §10";
    INVALID_METADATA = 400 "InvalidMetadata" "The metadata specified is invalid. It has characters that are not permitted.", "blob.md §12";
    EMPTY_METADATA_KEY = 400 "EmptyMetadataKey" "The key for one of the metadata key-value pairs is empty.", "blob.md §10; wording: Azure's error pages, unverified";
    METADATA_TOO_LARGE = 400 "MetadataTooLarge" "The metadata specified exceeds the maximum allowed limit (8KB).", "blob.md §10; wording unverified";

    // What is stored.
    INVALID_RANGE = 416 "InvalidRange" "The range specified is invalid for the current size of the resource.", "blob.md §12";
    CONDITION_NOT_MET = 412 "ConditionNotMet" "The condition specified using HTTP conditional header(s) is not met.", "blob.md §12";
    NOT_MODIFIED = 304 "ConditionNotMet" "The condition specified using HTTP conditional header(s) is not met.", "blob.md §3.2, §8";
    UNSATISFIABLE = 400 "UnsatisfiableCondition" "The request includes an unsatisfiable condition for this operation.", "blob.md §12";
    MULTIPLE_CONDITIONS = 400 "MultipleConditionHeadersNotSupported" "Multiple condition headers are not supported.", "blob.md §12";
    NO_BLOB_LEASE = 412 "LeaseNotPresentWithBlobOperation" "There is currently no lease on the blob.", "blob.md §12";
    NO_CONTAINER_LEASE = 412 "LeaseNotPresentWithContainerOperation" "There is currently no lease on the container.", "blob.md §12; wording after the blob's";
    HELD_BLOB = 409 "BlobImmutableDueToLegalHold" "This operation is not permitted as the blob is immutable due to one or more legal holds.", "blob.md §12";
    HELD_CONTAINER = 409 "ContainerHasLegalHold" "The operation is not permitted as the container has one or more legal holds.", "blob.md §12; wording unverified";
    INVALID_BLOB_OR_BLOCK = 400 "InvalidBlobOrBlock" "The specified blob or block content is invalid.", "blob.md §12";
    INVALID_BLOCK_LIST = 400 "InvalidBlockList" "The specified block list is invalid.", "blob.md §12";
    INVALID_XML_NODE = 400 "InvalidXmlNodeValue" "The value provided for one of the XML nodes in the request body was not in the correct format.", "blob.md §12; wording: Azure's error pages (Common REST API error codes)";
    BLOCK_LIST_TOO_LONG = 400 "BlockListTooLong" "The block list may not contain more than 50,000 blocks.", "blob.md §12";

    // Checksums.
    MD5_MISMATCH = 400 "Md5Mismatch" "The MD5 value specified in the request did not match with the MD5 value calculated by the server.", "blob.md §12";
    INVALID_MD5 = 400 "InvalidMd5" "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.", "blob.md §12";
    CRC64_MISMATCH = 400 "Crc64Mismatch" "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.", "blob.md §12";
    BOTH_CHECKSUMS = 400 "BothCrc64AndMd5HeaderPresent" "Both x-ms-content-crc64 header and Content-MD5 header are present.", "blob.md §12";

    // Who asks.
    NO_AUTHENTICATION = 401 "NoAuthenticationInformation" "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", "blob.md §5";
    INVALID_AUTHENTICATION = 400 "InvalidAuthenticationInfo" "Authentication information is not given in the correct format. Check the value of Authorization header.", "blob.md §4";
    BAD_TOKEN = 401 "InvalidAuthenticationInfo" "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.", "blob.md §5 (the live service's code and status, from general knowledge)";
    AUTHENTICATION_FAILED = 403 "AuthenticationFailed" "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.", "blob.md §4; resources.md §5";
    PERMISSION_MISMATCH = 403 "AuthorizationPermissionMismatch" "This request is not authorized to perform this operation using this permission.", "blob.md §5";
    UNAUTHORIZED_OVERWRITE = 403 "UnauthorizedBlobOverwrite" "This request is not authorized to perform blob overwrites.", "Blob service error codes; SDKs' tables";
    AUTHORIZATION_FAILURE = 403 "AuthorizationFailure" "This request is not authorized to perform this operation.", "blob.md §12; SAS error codes: unsupported SAS API";
    SERVICE_MISMATCH = 403 "AuthorizationServiceMismatch" "This request is not authorized to perform this operation using this service.", "blob.md §12; SAS error codes";
    RESOURCE_TYPE_MISMATCH = 403 "AuthorizationResourceTypeMismatch" "This request is not authorized to perform this operation using this resource type.", "blob.md §12; SAS error codes";
    PROTOCOL_MISMATCH = 403 "AuthorizationProtocolMismatch" "This request is not authorized to perform this operation using this protocol.", "blob.md §12; SAS error codes";
    SOURCE_IP_MISMATCH = 403 "AuthorizationSourceIPMismatch" "This request is not authorized to perform this operation using this source IP {0}.", "blob.md §12; SAS error codes";
    FEATURE_VERSION = 409 "FeatureVersionMismatch" "Stored access policy contains a permission that is not supported by this version.", "blob.md §12; SAS error codes";
    KEYS_NOT_PERMITTED = 403 "KeyBasedAuthenticationNotPermitted" "Key based authentication is not permitted on this storage account.", "blob.md §4, unverified";
    PUBLIC_NOT_PERMITTED = 409 "PublicAccessNotPermitted" "Public access is not permitted on this storage account.", "blob.md §7, unverified";
    REQUIRES_HTTPS = 400 "AccountRequiresHttps" "The account being accessed does not support http.", "general knowledge, unverified";
    SECONDARY_WRITE = 403 "InsufficientAccountPermissions" "The account being accessed does not have sufficient permissions to execute this operation.", "blob.md §12";

    // What can go wrong underneath.
    BAD_HEAD = 400 "InvalidInput" "One of the request inputs is not valid.", "blob.md §12; wording: Azure's error pages, unverified";
    HEAD_TOO_LARGE = 431 "RequestHeaderFieldsTooLarge" "The request line and the headers are too long.", "our own";
    MISDIRECTED = 421 "MisdirectedRequest" "The request's Host is not the name that the TLS handshake was for.", "our own; RFC 9110 §7.4";
    INTERNAL = 500 "InternalError" "Server encountered an internal error. Please try again after some time.", "blob.md §12; wording unverified";
    BUSY = 503 "ServerBusy" "The server is busy.", "blob.md §12";
    BODY_CUT_SHORT = 400 "InvalidInput" "The request body ended before the length that Content-Length announced.", "our own wording";
    TIMED_OUT = 500 "OperationTimedOut" "Operation could not be completed within the specified time.", "blob.md §3.1, §12";
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn every_row_says_where_it_is_known_from() {
        for row in TABLE {
            assert!(!row.source.is_empty() && (300..600).contains(&row.status), "{}", row.code);
        }
    }
}
