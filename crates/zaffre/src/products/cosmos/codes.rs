//! Cosmos DB's errors, each with its sub-status and where it is known from.
//!
//! `Store` rows come from a replica, whose answer the gateway wraps; `Gateway` rows are its own words
//! (cosmos.md §12). Resource Manager passes both on.

use azure::error::{Error, Row};

/// A row, with what this protocol says besides.
pub(super) struct Code {
    pub(super) row: Row,
    pub(super) substatus: u32,
    pub(super) from: From,
}

/// Who words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Gateway,
    Store,
}

impl Code {
    pub(super) fn bare(&'static self) -> Error {
        self.row.bare()
    }

    pub(super) fn with<const N: usize>(&'static self, args: [impl Into<String>; N]) -> Error {
        self.row.with(args)
    }
}

/// The row of an error of ours.
pub(super) fn of(row: &'static Row) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| std::ptr::eq(&code.row, row))
}

macro_rules! codes {
    ($($name:ident $status:literal / $substatus:literal $code:literal $from:ident $template:literal $source:literal;)*) => {
        $(pub(super) static $name: Code = Code {
            row: Row { code: $code, status: $status, template: $template, source: $source },
            substatus: $substatus,
            from: From::$from,
        };)*
        static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    NO_AUTHORIZATION 401/5000 "Unauthorized" Gateway "Required Header authorization is missing. Ensure a valid Authorization token is passed." "cosmos.md §2.1";
    BAD_AUTHORIZATION 401/5001 "Unauthorized" Gateway "Authorization header doesn't confirm to the required format. Please verify and try again." "cosmos.md §2.1";
    NO_DATE 401/0 "Unauthorized" Gateway "Authorization token mandates Date headers. Please pass in RFC 1123 style date format." "cosmos.md §2.1";
    WRONG_KEY 401/0 "Unauthorized" Gateway "The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol. For more info: https://aka.ms/cosmosdb-tsg-unauthorized. Server used the following payload to sign: '{0}'" "cosmos.md §2.1";
    SKEWED 403/0 "Forbidden" Gateway "The authorization token is not valid at the current time. Please create another token and retry (token start time: {0}, token expiry time: {1}, current server time: {2})." "cosmos.md §2.1; the status is recalled, not seen";
    LOCAL_AUTH_DISABLED 401/5202 "Unauthorized" Gateway "Local Authorization is disabled. Use an AAD token to authorize all requests." "cosmos.md §2.3";
    TOKEN_FORMAT 401/5003 "Unauthorized" Gateway "The AAD token is invalid: {0}." "cosmos.md §2.3; wording unverified";
    TOKEN_SIGNATURE 401/5004 "Unauthorized" Gateway "The AAD token's signature is invalid." "cosmos.md §2.3; wording unverified";
    TOKEN_EARLY 401/5005 "Unauthorized" Gateway "The AAD token is not valid yet: {0}." "cosmos.md §2.3; wording unverified";
    TOKEN_EXPIRED 401/5006 "Unauthorized" Gateway "The AAD token has expired: {0}." "cosmos.md §2.3; wording unverified";
    TOKEN_ISSUER 401/5007 "Unauthorized" Gateway "The AAD token has another issuer: {0}." "cosmos.md §2.3; wording unverified";
    TOKEN_AUDIENCE 401/5008 "Unauthorized" Gateway "The AAD token was issued for another resource: {0}." "cosmos.md §2.3; wording unverified";
    TOKEN_NO_OID 401/5011 "Unauthorized" Gateway "The AAD token has no object id." "cosmos.md §2.3; wording unverified";
    TOKEN_KEY 401/5200 "Unauthorized" Gateway "The AAD token was signed with a key that is not known." "cosmos.md §2.3; wording unverified";

    READ_ONLY_KEY 403/0 "Forbidden" Gateway "Insufficient permissions provided in the authorization header for the corresponding request. Please retry with another authorization header." "cosmos.md §2.1, §2.2";
    NOT_BY_TOKEN 403/5300 "Forbidden" Gateway "Request blocked by Auth {0} : The given request [{1} {2}] cannot be authorized by AAD token in data plane. Learn more: https://aka.ms/cosmos-native-rbac." "cosmos.md §2.4";
    NO_METADATA_ROLE 403/5301 "Forbidden" Gateway "Request blocked by Auth {0} : Request is blocked because principal [{1}] does not have required RBAC permissions to perform action [{2}] on resource [{3}]. Learn more: https://aka.ms/cosmos-native-rbac." "cosmos.md §2.4";
    NO_ACCOUNT_ROLE 403/5301 "Forbidden" Gateway "Request for Read DatabaseAccount is blocked because principal [{1}] does not have required RBAC permissions to perform action [{2}] on any scope. Learn more: https://aka.ms/cosmos-native-rbac." "cosmos.md §2.4";
    NO_DATA_ROLE 403/5302 "Forbidden" Gateway "Request blocked by Auth {0} : Request is blocked because principal [{1}] does not have required RBAC permissions to perform action [{2}] on resource [{3}]. Learn more: https://aka.ms/cosmos-native-rbac." "cosmos.md §2.4";
    NO_DATA_ROLE_BY_RID 403/5303 "Forbidden" Gateway "Request blocked by Auth {0} : Request is blocked because principal [{1}] does not have required RBAC permissions to perform action [{2}] on resource [{3}]. Learn more: https://aka.ms/cosmos-native-rbac." "cosmos.md §2.4";
    NO_SUCH_RID 403/5304 "Forbidden" Gateway "Request blocked by Auth {0} : Request is blocked because ResourceId [{1}] cannot be resolved. Principal = [{2}], Action = [{3}], ResourceType = [{4}]." "cosmos.md §2.4; the words before `Request is` as in its neighbours, and the spelling of the type unverified";
    ONLY_BY_MANAGER 403/5300 "Forbidden" Gateway "Operation '{0}' on resource '{1}' is not allowed through Azure Cosmos DB endpoint. Please switch on such operations for your account, or perform this operation through Azure Resource Manager, Azure Portal, Azure CLI or Azure Powershell" "cosmos.md §2.4; the sub-status is unverified";
    NO_ACCOUNT 403/1008 "Forbidden" Gateway "Database Account {0} does not exist" "cosmos.md §3";

    NOT_FOUND 404/0 "NotFound" Store "Resource Not Found. Learn more: https://aka.ms/cosmosdb-tsg-not-found" "cosmos.md §12";
    OWNER_NOT_FOUND 404/1003 "NotFound" Store "Owner resource does not exist" "cosmos.md §4.6; wording recalled";
    SESSION_NOT_AVAILABLE 404/1002 "NotFound" Store "The read session is not available for the input session token." "cosmos.md §9";
    NO_SUCH_PATH 404/0 "NotFound" Gateway "The requested resource does not exist: {0}" "unverified wording";
    METHOD_NOT_ALLOWED 405/0 "MethodNotAllowed" Gateway "The requested verb is not supported." "cosmos.md §12";
    CONFLICT 409/0 "Conflict" Store "Resource with specified id or name already exists." "cosmos.md §12";
    PRECONDITION_FAILED 412/0 "PreconditionFailed" Store "Operation cannot be performed because one of the specified precondition is not met." "cosmos.md §12";
    NO_SUCH_RANGE 410/1002 "Gone" Gateway "PartitionKeyRange with id '{0}' in collection '{1}' doesn't exist." "cosmos.md §4.5";
    TOO_LARGE 413/0 "RequestEntityTooLarge" Store "Request size is too large" "cosmos.md §5";
    TIMEOUT 408/0 "RequestTimeout" Gateway "Request timed out. More info: https://aka.ms/cosmosdb-tsg-request-timeout" "cosmos.md §12";
    INTERNAL 500/0 "InternalServerError" Gateway "Unknown server error occurred when processing this request." "cosmos.md §12";
    UNAVAILABLE 503/0 "ServiceUnavailable" Gateway "Service is currently unavailable. More info: https://aka.ms/cosmosdb-tsg-service-unavailable" "cosmos.md §12";

    BAD_JSON 400/0 "BadRequest" Gateway "The input content is invalid because it is not well-formed JSON: {0}." "wording unverified";
    BINARY_JSON 400/0 "BadRequest" Gateway "Zaffre does not read Cosmos's binary JSON yet. Set AZURE_COSMOS_BINARY_ENCODING_ENABLED=false for the client, so that it sends text." "our own; cosmos.md §5.1";
    BODY_CUT_SHORT 400/0 "BadRequest" Gateway "The request body ended before its length was reached." "our own";
    BAD_HEAD 400/0 "BadRequest" Gateway "The request's Host or its query is missing, repeated or malformed." "our own";
    HEAD_TOO_LARGE 431/0 "RequestHeaderFieldsTooLarge" Gateway "The request line and the headers are too long." "our own";
    MISDIRECTED 421/0 "MisdirectedRequest" Gateway "The request's Host is not the name that the TLS handshake was for." "our own; RFC 9110 §7.4";
    TOO_DEEP 400/0 "BadRequest" Store "The document is nested deeper than 128 levels." "cosmos.md §5; wording unverified";
    NO_ID 400/0 "BadRequest" Store "The input content is invalid because the required properties - 'id; ' - are missing" "cosmos.md §5";
    ACCOUNT_NAME 400/0 "BadRequest" Gateway "The character '{0}' at index {1} is not allowed in the DatabaseAccount name" "quoted in microsoft/vscode-cosmosdb issue 1617 and microsoft/azurechat issue 77; without the activity id behind it";
    ACCOUNT_NAME_LENGTH 400/0 "BadRequest" Gateway "DatabaseAccount name must be at least 3 characters and at most 50 characters" "quoted in Azure/azure-cli issue 4505";
    BAD_ID 400/0 "BadRequest" Store "The input name '{0}' is invalid. {1}" "cosmos.md §5, §12; wording unverified";
    MISSING_PARTITION_KEY 400/0 "BadRequest" Gateway "PartitionKey value must be supplied for this operation." "cosmos.md §4.4";
    PARTITION_KEY_MISMATCH 400/1001 "BadRequest" Store "Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key field values specified in the document." "cosmos.md §4.4";
    BAD_PARTITION_KEY_HEADER 400/0 "BadRequest" Gateway "Value '{0}' specified for the header 'x-ms-documentdb-partitionkey' is invalid." "cosmos.md §12";
    TOO_MANY_COMPONENTS 400/0 "BadRequest" Gateway "PartitionKey has more components than defined the collection resource." "cosmos.md §4.4";
    TOO_FEW_COMPONENTS 400/0 "BadRequest" Gateway "PartitionKey has fewer components than defined the collection resource." "cosmos.md §4.4";
    BAD_PARTITION_KEY 400/0 "BadRequest" Store "The partition key definition of the collection is invalid." "wording unverified";
    SUBPARTITIONING_IS_V2 400/0 "BadRequest" Store "Subpartitioning is only supported for Hash V2." "cosmos.md §4.3";
    TOO_MANY_PARTITION_PATHS 400/0 "BadRequest" Store "Subpartitioning is only supported for atmost 3 partition paths" "cosmos.md §4.3";
    IMMUTABLE 400/0 "BadRequest" Store "The '{0}' of a collection cannot be changed." "cosmos.md §4.3; wording unverified";
    BAD_PROPERTY 400/0 "BadRequest" Store "The property '{0}' of the resource is invalid." "wording unverified";
    BAD_THROUGHPUT 400/0 "BadRequest" Store "The value of offer throughput specified is invalid. Please specify a value between {0} and {1} inclusive in increments of {2}." "cosmos.md §11";
    TWO_THROUGHPUTS 400/0 "BadRequest" Gateway "Offer throughput and autopilot settings cannot both be specified." "cosmos.md §11";
    BAD_HEADER 400/0 "BadRequest" Gateway "Value '{0}' specified for the header '{1}' is invalid." "cosmos.md §12";
    BAD_PAGE_SIZE 400/0 "BadRequest" Gateway "The input PageSize {0} is invalid. Ensure to pass a valid page size which must be a positive integer or -1 for a dynamic page size." "cosmos.md §12";
    BAD_CONTINUATION 400/0 "BadRequest" Gateway "Invalid Continuation Token" "cosmos.md §12";
    BAD_SESSION 400/0 "BadRequest" Gateway "The session token provided '{0}' is invalid." "cosmos.md §9";
    OTHER_COLLECTION 400/1024 "BadRequest" Gateway "The collection resource ID does not match the intended collection resource ID." "cosmos.md §4.6";
    CROSS_PARTITION 400/0 "BadRequest" Gateway "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception." "cosmos.md §8.1";
    BAD_QUERY 400/0 "BadRequest" Gateway "The request body is no query: an object with a text 'query' was expected." "wording unverified";
    MISSING_PARAMETER 400/0 "BadRequest" Gateway "Required query variable '{0}' is not specified in the request." "cosmos.md §12";

    ROLE_INVALID 400/0 "BadRequest" Gateway "{0}" "rbac.md §6; wording unverified";
    ROLE_PRINCIPAL 400/0 "BadRequest" Gateway "The provided principal ID [{0}] was not found in the AAD tenant(s) [{1}] which are associated with the customer's subscription." "rbac.md §6";
    ROLE_NOT_FOUND 404/0 "NotFound" Gateway "The provided SQL role {0} [{1}] was not found." "wording unverified";
    ROLE_CONFLICT 409/0 "Conflict" Gateway "{0}" "rbac.md §6; wording unverified";
    ROLE_BUILT_IN 403/0 "Forbidden" Gateway "The built-in SQL role definition [{0}] cannot be changed or deleted." "wording unverified";
    ROLE_LIMIT 400/0 "BadRequest" Gateway "An account has at most {0} SQL role {1}." "rbac.md §6; wording unverified";
    NAME_TAKEN 409/0 "Conflict" Gateway "The account name '{0}' is already in use." "resources.md §6.1; unverified";
    BAD_ACCOUNT 400/0 "BadRequest" Gateway "{0}" "wording unverified";

    // Not 501: the Python SDK would try three times more before it tells.
    NOT_IMPLEMENTED 400/0 "NotImplemented" Gateway "Zaffre does not do this yet: {0}." "our own";
}

/// A clear no for what a later version does.
pub(super) fn not_yet(what: impl Into<String>) -> Error {
    NOT_IMPLEMENTED.with([what])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_finds_its_row_again() {
        for code in ALL {
            let found = of(code.bare().row).expect("is in the table");
            assert!(std::ptr::eq(found, *code), "{}", code.row.template);
        }
    }
}
