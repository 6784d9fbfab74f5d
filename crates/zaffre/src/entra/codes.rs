//! Every refusal of the token service: OAuth's word for it, Entra's number, and its message.
//!
//! `error` is what OAuth libraries branch on, the number what people search for. Rows without a number
//! are our own.
//!
//! Of the numbers in entra.md §4, these have no row, since nothing here can lead to them: 65001 and 650057, because
//! everybody has consented to everything; 50076, 50079 and 53003, because nobody has a second factor or a policy; 50001
//! and 70021, which 500011 and 700211 to 700213 have taken the place of; 70019, which is 70020's twin; 90024 and 90055,
//! because tokens are given as often as anybody asks.

use azure::{
    error::{Error, Row},
    time::Timestamp,
};

use crate::service::{Cx, Fault};

/// A row, with OAuth's `error`.
pub(super) struct Refusal {
    error: &'static str,
    row: Row,
}

impl Refusal {
    pub(super) fn with<const N: usize>(&'static self, args: [impl Into<String>; N]) -> Error {
        self.row.with(args)
    }
}

impl From<&'static Refusal> for Error {
    fn from(refusal: &'static Refusal) -> Self {
        refusal.row.bare()
    }
}

macro_rules! refusals {
    ($($name:ident = $status:literal $error:literal $code:literal $template:literal, $source:literal;)*) => {
        $(pub(super) static $name: Refusal = Refusal {
            error: $error,
            row: Row { code: $code, status: $status, template: $template, source: $source },
        };)*
        /// All of them.
        pub(super) static TABLE: &[&Refusal] = &[$(&$name),*];
    };
}

refusals! {
    MISSING_PARAMETER = 400 "invalid_request" "AADSTS900144"
        "The request body must contain the following parameter: '{0}'.", "entra.md §4";
    MISSING_FIELD = 400 "invalid_request" "AADSTS90014"
        "The required field '{0}' is missing from the request. Ensure that you have all the necessary parameters for the login request.",
        "entra.md §4; the second sentence: reference-error-codes";
    MALFORMED = 400 "invalid_request" "AADSTS9002313"
        "Invalid request. Request is malformed or invalid.", "entra.md §4";
    WRONG_METHOD = 400 "invalid_request" "AADSTS900561"
        "The endpoint only accepts {0} requests. Received a {1} request.",
        "recorded in oauth2-auth-code-pkce issue 30; the status in PublicScripts issue 5";
    TENANT_NOT_FOUND = 400 "invalid_request" "AADSTS90002"
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
        "entra.md §4";
    DISCOVERY_TENANT_NOT_FOUND = 400 "invalid_tenant" "AADSTS90002"
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
        "entra.md §1.1";
    NOT_A_TENANT = 400 "invalid_request" "AADSTS900023"
        "Specified tenant identifier '{0}' is neither a valid DNS name, nor a valid external domain.",
        "reference-error-codes";
    NO_TENANT = 400 "invalid_request" "AADSTS90019"
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
        "entra.md §3.1; the message: as quoted by users, unverified";
    NOT_OVER_CONSUMERS = 400 "invalid_request" "AADSTS9001023"
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
        "entra.md §4; the message unverified";
    UNKNOWN_INSTANCE = 400 "invalid_instance" "AADSTS50049"
        "Unknown or invalid instance.", "entra.md §1.2";
    APPLICATION_NOT_FOUND = 400 "unauthorized_client" "AADSTS700016"
        "Application with identifier '{0}' was not found in the directory '{1}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
        "entra.md §4";
    APPLICATION_DISABLED = 400 "unauthorized_client" "AADSTS7000112"
        "Application '{0}'({1}) is disabled.", "reference-error-codes; the message unverified";
    NO_SERVICE_PRINCIPAL = 401 "invalid_client" "AADSTS7000229"
        "The client application {0} is missing service principal in the tenant {1}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
        "recorded in a log of the Teams SDK";
    WRONG_SECRET = 401 "invalid_client" "AADSTS7000215"
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'.",
        "entra.md §4";
    EXPIRED_SECRET = 401 "invalid_client" "AADSTS7000222"
        "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
        "entra.md §4; the second sentence unverified";
    NO_SECRET = 401 "invalid_client" "AADSTS7000216"
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        "entra.md §4";
    UNSUPPORTED_GRANT = 400 "unsupported_grant_type" "AADSTS70003"
        "The app requested an unsupported grant type '{0}'.", "entra.md §4; the message unverified";
    INVALID_SCOPE = 400 "invalid_scope" "AADSTS70011"
        "The provided value for the input parameter 'scope' isn't valid. The scope {0} isn't valid.",
        "entra.md §4";
    NOT_DEFAULT_SCOPE = 400 "invalid_scope" "AADSTS1002012"
        "The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
        "entra.md §4; the message as quoted by users";
    RESOURCE_OVER_V2 = 400 "invalid_request" "AADSTS901002"
        "The 'resource' request parameter is not supported.", "reference-error-codes";
    NO_SUCH_SCOPE = 400 "invalid_client" "AADSTS650053"
        "The application '{0}' asked for scope '{1}' that doesn't exist on the resource '{2}'. Contact the app vendor.",
        "reference-error-codes; recorded in Power Query's help on SAP OData; the word unverified";
    ASKS_FOR_ITSELF = 400 "invalid_resource" "AADSTS90009"
        "Application '{0}' is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier.",
        "entra.md §4; the message: reference-error-codes";
    NOT_ASSIGNED = 400 "invalid_grant" "AADSTS501051"
        "Application '{0}'({1}) is not assigned to a role for the application '{2}'({3}).",
        "recorded in an article on Azure Functions behind Entra ID";
    USER_NOT_ASSIGNED = 400 "invalid_grant" "AADSTS50105"
        "The signed in user '{0}' is not assigned to a role for the application '{1}'({2}).",
        "reference-error-codes; the message as quoted by users";
    RESOURCE_NOT_FOUND = 400 "invalid_resource" "AADSTS500011"
        "The resource principal named {0} was not found in the tenant named {1}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
        "entra.md §4";
    PUBLIC_WITH_SECRET = 401 "invalid_client" "AADSTS700025"
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.", "entra.md §4; the message as quoted by users";
    SECRET_REQUIRED = 401 "invalid_client" "AADSTS7000218"
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", "entra.md §4";
    BAD_ASSERTION = 401 "invalid_client" "AADSTS50012"
        "Client assertion failed signature validation.", "entra.md §4; the message unverified";
    NO_SUCH_KEY = 401 "invalid_client" "AADSTS700027"
        "Client assertion failed signature validation. [Reason - The key was not found., Thumbprint of key used by client: '{0}']",
        "entra.md §4";
    ASSERTION_OUT_OF_TIME = 401 "invalid_client" "AADSTS700024"
        "Client assertion is not within its valid time range.", "entra.md §4";
    NO_FEDERATED_ISSUER = 401 "invalid_client" "AADSTS700211"
        "No matching federated identity record found for presented assertion issuer '{0}'.", "entra.md §4; the status unverified";
    NO_FEDERATED_AUDIENCE = 401 "invalid_client" "AADSTS700212"
        "No matching federated identity record found for presented assertion audience '{0}'.", "entra.md §4; the status unverified";
    NO_FEDERATED_SUBJECT = 401 "invalid_client" "AADSTS700213"
        "No matching federated identity record found for presented assertion subject '{0}'.", "entra.md §4; the status unverified";
    ISSUER_KEYS_UNKNOWN = 400 "invalid_request" "AADSTS50166"
        "Request to External OIDC endpoint failed.", "recorded in azure-workload-identity issue 642";
    ISSUER_WITHOUT_KEY = 401 "invalid_client" "AADSTS7000272"
        "The certificate with identifier {0} used to sign the federated credential could not be found in the metadata of identity provider {1}. Please validate that your Identity Provider's metadata exposes the key used to sign the incoming token.",
        "recorded in azure-workload-identity issue 1232";
    WRONG_ASSERTION = 400 "invalid_grant" "AADSTS50013"
        "Assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]",
        "reference-error-codes; the reason as quoted by users";
    ASSERTION_FOR_ANOTHER = 400 "invalid_grant" "AADSTS500131"
        "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{0}' and the expected audience is '{1}' or one of the Application Uris of this application with App ID '{2}'.",
        "reference-error-codes; the second sentence as quoted by users";
    ASSERTION_EXPIRED = 400 "invalid_grant" "AADSTS500133"
        "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token. Current time: {0}, expiry time of assertion {1}.",
        "reference-error-codes; the times as quoted by users";
    ID_TOKEN_AS_ASSERTION = 400 "invalid_grant" "AADSTS240002"
        "Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant.",
        "reference-error-codes";
    APPLICATION_ON_BEHALF = 400 "invalid_grant" "AADSTS7000114"
        "Application '{0}' is not allowed to make application on-behalf-of calls.",
        "reference-error-codes; recorded in Azure/mcp issue 2192";
    USER_NOT_FOUND = 400 "invalid_grant" "AADSTS50034"
        "The user account {0} does not exist in the {1} directory. To sign into this application, the account must be added to the directory.",
        "entra.md §4; the message as quoted by users";
    WRONG_PASSWORD = 400 "invalid_grant" "AADSTS50126"
        "Error validating credentials due to invalid username or password.", "entra.md §4";
    USER_DISABLED = 400 "invalid_grant" "AADSTS50057"
        "The user account is disabled.", "entra.md §4; the message as quoted by users";
    INVALID_GRANT = 400 "invalid_grant" "AADSTS70000"
        "Provided grant is invalid or malformed.", "reference-error-codes";
    CODE_REDEEMED = 400 "invalid_grant" "AADSTS54005"
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.", "entra.md §4";
    CODE_EXPIRED = 400 "invalid_grant" "AADSTS70008"
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
        "entra.md §4; the message: reference-error-codes";
    OTHER_REDIRECT_URI = 400 "invalid_grant" "AADSTS500112"
        "The reply address does not match the reply address provided when requesting Authorization code.", "reference-error-codes; the message unverified";
    WRONG_VERIFIER = 400 "invalid_grant" "AADSTS501481"
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.", "entra.md §3.2";
    GRANT_REVOKED = 400 "invalid_grant" "AADSTS50173"
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
        "entra.md §4; the message as quoted by users";
    REFRESH_EXPIRED = 400 "invalid_grant" "AADSTS700082"
        "The refresh token has expired due to inactivity.", "entra.md §4";
    REDIRECT_URI_MISMATCH = 400 "invalid_request" "AADSTS50011"
        "The redirect URI '{0}' specified in the request does not match the redirect URIs configured for the application '{1}'.",
        "entra.md §4; the message as quoted by users";
    NO_ID_TOKEN_HERE = 400 "unsupported_response_type" "AADSTS700054"
        "response_type 'id_token' is not enabled for the application.", "reference-error-codes; the message as quoted by users";
    NO_TOKEN_HERE = 400 "unsupported_response_type" "AADSTS700051"
        "response_type 'token' is not enabled for the application.", "reference-error-codes; the message as quoted by users";
    NO_SUCH_RESPONSE_TYPE = 400 "unsupported_response_type" "AADSTS70005"
        "The response type '{0}' is not supported.", "reference-error-codes; the message unverified";
    BAD_CHALLENGE = 400 "invalid_request" "AADSTS501491"
        "Invalid size of Code_Challenge parameter.", "reference-error-codes; recorded in azure-docs issue 42906";
    CANCELED = 400 "access_denied" "access_denied"
        "the user canceled the authentication", "documented: the authorization code flow, error response; without a number";
    PENDING = 400 "authorization_pending" "AADSTS70016"
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.", "entra.md §3.3";
    DECLINED = 400 "authorization_declined" "authorization_declined"
        "The end user denied the authorization request.", "entra.md §3.3; without a number";
    WRONG_DEVICE_CODE = 400 "bad_verification_code" "AADSTS70018"
        "The provided value for the input parameter 'device_code' is not valid.", "entra.md §4; the message unverified";
    DEVICE_CODE_EXPIRED = 400 "expired_token" "AADSTS70020"
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.", "entra.md §4";

    NOT_FOUND = 404 "invalid_request" "NotFound"
        "There is nothing at this path.", "our own: Azure answers with a page";
    NOT_IMPLEMENTED = 501 "invalid_request" "NotImplemented"
        "This cloud does not implement '{0}'.", "our own";
    BAD_HEAD = 400 "invalid_request" "BadRequest"
        "The request's Host or its query is missing, repeated or malformed.", "our own";
    HEAD_TOO_LARGE = 431 "invalid_request" "RequestHeaderFieldsTooLarge"
        "The request line and the headers are too long.", "our own";
    MISDIRECTED = 421 "invalid_request" "MisdirectedRequest"
        "The request's Host is not the name that the TLS handshake was for.", "our own; RFC 9110 §7.4";
    TOO_LARGE = 413 "invalid_request" "RequestTooLarge"
        "The request body is too large.", "our own";
    TOO_SLOW = 408 "invalid_request" "RequestTimeout"
        "The request body did not arrive in time.", "our own";
    INTERNAL = 500 "server_error" "AADSTS50000"
        "There was an error issuing a token.", "reference-error-codes";
    UNAVAILABLE = 503 "temporarily_unavailable" "AADSTS90033"
        "A transient error has occurred. Please try again.", "reference-error-codes; the message unverified";
}

pub(super) fn fault(fault: Fault) -> &'static Row {
    let refusal = match fault {
        Fault::BadHead => &BAD_HEAD,
        Fault::HeadTooLarge => &HEAD_TOO_LARGE,
        Fault::Misdirected => &MISDIRECTED,
        Fault::Internal => &INTERNAL,
        Fault::Unavailable => &UNAVAILABLE,
        Fault::BodyTooLarge => &TOO_LARGE,
        Fault::BodyCutShort => &MALFORMED,
        Fault::BodyTooSlow => &TOO_SLOW,
    };
    &refusal.row
}

/// OAuth's `error` of a row.
pub(super) fn oauth(row: &'static Row) -> &'static str {
    TABLE.iter().find(|refusal| std::ptr::eq(&refusal.row, row)).map_or("server_error", |it| it.error)
}

/// The number in `AADSTS…`, where the row has one.
pub(super) fn number(row: &Row) -> Option<u32> {
    row.code.strip_prefix("AADSTS")?.parse().ok()
}

/// The message with its number before it and behind it the ids by which Azure's support would find the request.
pub(super) fn description(cx: &Cx, error: &Error) -> String {
    let code = number(error.row).map(|number| format!("AADSTS{number}: ")).unwrap_or_default();
    let (trace, correlation, timestamp) = (cx.request_id, cx.correlation_id, timestamp(cx.now));
    let message = error.message();
    format!("{code}{message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}")
}

/// Where a number is explained.
pub(super) fn page_of(number: u32) -> String {
    format!("https://login.microsoftonline.com/error?code={number}")
}

/// `2026-11-21 23:02:54Z`, as errors print it.
pub(super) fn timestamp(at: Timestamp) -> String {
    at.iso_seconds().replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_its_address_and_numbers_have_one_meaning() {
        for refusal in TABLE {
            assert_eq!(oauth(&refusal.row), refusal.error, "{}", refusal.row.code);
            let same = TABLE.iter().filter(|other| other.row.code == refusal.row.code);
            assert!(same.into_iter().all(|other| other.row.template == refusal.row.template));
        }
    }
}
