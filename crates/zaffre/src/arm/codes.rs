//! Resource Manager's errors, each with where it is known from.

use azure::{
    error::Error,
    ids::ResourceId,
    rbac::{Access, Reason, Verdict},
};

use crate::access::{Caller, Refusal, Why};

azure::error_rows! {
    pub static TABLE;
    MISSING_API_VERSION = 400 "MissingApiVersionParameter" "The api-version query parameter (?api-version=) is required for all requests.", "arm.md §2";
    INVALID_API_VERSION = 400 "InvalidApiVersionParameter" "The api-version '{0}' is invalid. The supported versions are '{1}'.", "arm.md §2";
    NO_REGISTERED_PROVIDER = 400 "NoRegisteredProviderFound" "No registered resource provider found for API version '{0}' for type '{1}'. The supported api-versions are '{2}'.", "arm.md §2; without the sentences about a location, unverified";
    INVALID_NAMESPACE = 404 "InvalidResourceNamespace" "The resource namespace '{0}' is invalid.", "arm.md §2";
    LOCATION_NOT_AVAILABLE = 400 "LocationNotAvailableForResourceType" "The provided location '{0}' is not available for resource type '{1}'. List of available regions for the resource type is '{2}'.", "arm.md §2";

    NO_AUTHORIZATION = 401 "AuthenticationFailed" "Authentication failed. The 'Authorization' header is missing.", "arm.md §3";
    INVALID_AUTHORIZATION = 401 "AuthenticationFailedInvalidHeader" "Authentication failed. The 'Authorization' header is provided in an invalid format.", "arm.md §3";
    INVALID_TOKEN = 401 "InvalidAuthenticationToken" "The access token is invalid.", "arm.md §3";
    EXPIRED_TOKEN = 401 "ExpiredAuthenticationToken" "The access token expiry UTC time '{0}' is earlier than current UTC time '{1}'.", "arm.md §3";
    WRONG_AUDIENCE = 401 "InvalidAuthenticationTokenAudience" "The access token has been obtained for wrong audience or resource '{0}'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.core.windows.net','https://management.azure.com/','https://management.azure.com'.", "arm.md §3";
    WRONG_TENANT = 401 "InvalidAuthenticationTokenTenant" "The access token is from the wrong issuer '{0}'. It must match the tenant '{1}' associated with this subscription. Please use the authority (URL) '{2}' to get the token. Note, if the subscription is transferred to another tenant there is no impact to the services, but information about new tenant could take time to propagate (up to an hour). If you just transferred your subscription and see this error message, please try back later.", "arm.md §3";
    SUBSCRIPTION_NOT_FOUND = 404 "SubscriptionNotFound" "The subscription '{0}' could not be found.", "arm.md §3";
    INVALID_SUBSCRIPTION_ID = 400 "InvalidSubscriptionId" "The provided subscription identifier '{0}' is malformed or invalid.", "unverified wording";

    AUTHORIZATION_FAILED = 403 "AuthorizationFailed" "The client '{0}' with object id '{1}' does not have authorization to perform action '{2}' over scope '{3}' or the scope is invalid. If access was recently granted, please refresh your credentials.", "arm.md §4";
    CONDITION_NOT_FULFILLED = 403 "AuthorizationFailed" "The client '{0}' with object id '{1}' does not have authorization or an ABAC condition not fulfilled to perform action '{2}' over scope '{3}' or the scope is invalid. If access was recently granted, please refresh your credentials.", "documented: Troubleshoot Azure RBAC, unable to assign a role";
    DENIED = 403 "DenyAssignmentAuthorizationFailed" "The client '{0}' with object id '{1}' has permission to perform action '{2}' on scope '{3}'; however, the access is denied because of the deny assignment with name '{4}' and Id '{5}' at scope '{6}'.", "rbac.md §3";
    LINKED_AUTHORIZATION_FAILED = 403 "LinkedAuthorizationFailed" "The client '{0}' with object id '{1}' has permission to perform action '{2}' on scope '{3}'; however, it does not have permission to perform action(s) '{4}' on the linked scope(s) '{5}' (respectively) or the linked scope(s) are invalid.", "arm.md §4";

    GROUP_NOT_FOUND = 404 "ResourceGroupNotFound" "Resource group '{0}' could not be found.", "arm.md §4";
    RESOURCE_NOT_FOUND = 404 "ResourceNotFound" "The Resource '{0}' under resource group '{1}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", "arm.md §4";
    RESOURCE_NOT_FOUND_OUTSIDE = 404 "ResourceNotFound" "The Resource '{0}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", "arm.md §4; without a group, unverified";
    PARENT_NOT_FOUND = 404 "ParentResourceNotFound" "Failed to perform '{0}' on resource(s) of type '{1}', because the parent resource '{2}' could not be found.", "arm.md §4; quoted in public reports of 'read', 'write' and 'action', of types without their namespace";
    SCOPE_LOCKED = 409 "ScopeLocked" "The scope '{0}' cannot perform {1} operation because following scope(s) are locked: '{2}'. Please remove the lock and try again.", "arm.md §4";
    GROUP_BEING_DELETED = 409 "ResourceGroupBeingDeleted" "The resource group '{0}' is in deprovisioning state and cannot perform this operation.", "arm.md §4";
    GROUP_ELSEWHERE = 409 "InvalidResourceGroupLocation" "Invalid resource group location '{0}'. The Resource group already exists in location '{1}'.", "arm.md §4";
    RESOURCE_ELSEWHERE = 409 "InvalidResourceLocation" "The resource '{0}' already exists in location '{1}' in resource group '{2}'. A resource with the same name cannot be created in location '{3}'. Please select a new resource name.", "arm.md §4";
    DEPLOYMENT_ELSEWHERE = 409 "InvalidDeploymentLocation" "Invalid deployment location '{0}'. The deployment '{1}' already exists in location '{2}'.", "documented: Subscription deployments, Deployment location and name; the message as quoted by users";
    BUSY = 409 "AnotherOperationInProgress" "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: {0}.", "arm.md §4; wording unverified";

    THROTTLED = 429 "SubscriptionRequestsThrottled" "Number of requests for subscription '{0}' and operation '{1}' exceeded the backend storage limit. Please try again after '{2}' seconds.", "arm.md §4";
    INVALID_CONTENT = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: '{0}'.", "arm.md §4";
    LOCATION_REQUIRED = 400 "LocationRequired" "The location property is required for this definition.", "arm.md §4";
    INVALID_GROUP_NAME = 400 "InvalidResourceGroup" "The provided resource group name '{0}' has these invalid characters: '{1}'. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.", "arm.md §11; quoted in Azure/azure-cli issue 14481";
    INVALID_NAME = 400 "InvalidResourceName" "Resource name '{0}' is invalid: {1}.", "arm.md §11, code unverified";
    INVALID_TAG = 400 "InvalidTagNameCharacters" "The tag names '{0}' have reserved characters '<,>,%,&,\\,?,/' or control characters.", "documented: learn-azure-cli tutorials, an error's example";
    INVALID_TAGS_NAME = 400 "InvalidTagsName" "The tags resource '{0}' is invalid: its name must be 'default'.", "code and wording unverified";
    INVALID_TAGS_OPERATION = 400 "InvalidTagsOperation" "The tags operation '{0}' is invalid. The supported operations are 'Merge,Replace,Delete'.", "documented: the operations; code and wording unverified";
    INVALID_TAG_NAME = 400 "InvalidTagName" "Tag name too large. Following tag name '{0}' exceeded the maximum length. Maximum allowed length for tag name - '512' characters.", "quoted in public scripts that check tags beforehand";
    INVALID_TAG_VALUE = 400 "InvalidTagValueLength" "Tag value too large. Following tag value '{0}' exceeded the maximum length. Maximum allowed length for tag value - '256' characters.", "quoted in public scripts that check tags beforehand";
    TOO_MANY_TAGS = 400 "TagsExceedsMaximumCount" "The maximum number of tags per resource is '50', and '{0}' were given.", "general knowledge, unverified";
    WRONG_STATE = 400 "InvalidProvisioningState" "The 'provisioningState' of the request, '{0}', differs from that of the resource, '{1}'.", "arm.md §6; code and wording unverified";
    INVALID_PATH = 400 "InvalidRequestUri" "The request URI '{0}' is invalid: {1}.", "unverified";
    INVALID_FILTER = 400 "InvalidFilterInQueryString" "Invalid $filter '{0}' specified in the query string.", "general knowledge, unverified wording";
    NO_TIME_IN_FILTER = 400 "BadRequest" "The $filter query parameter is required, and has to begin with 'eventTimestamp ge'.", "documented: Activity Logs - List; wording unverified";
    INVALID_SKIP_TOKEN = 400 "InvalidSkipToken" "The skip token '{0}' is invalid.", "unverified";
    INVALID_TOP = 400 "InvalidTopQueryParameter" "Invalid $top '{0}' specified in the query string. The value must be a positive integer.", "unverified";
    UNSUPPORTED_MEDIA_TYPE = 415 "UnsupportedMediaType" "The content media type '{0}' is not supported. Only 'application/json' is supported.", "arm.md §4";
    METHOD_NOT_ALLOWED = 405 "MethodNotAllowed" "The HTTP method '{0}' is not supported at scope '{1}'.", "unverified wording";
    PATH_NOT_FOUND = 404 "NotFound" "No HTTP resource was found that matches the request URI '{0}'.", "unverified wording";
    PRECONDITION_FAILED = 412 "PreconditionFailed" "The precondition given in one of the request headers evaluated to false.", "arm.md §4; wording unverified";
    OPERATION_FAILED = 409 "OperationFailed" "{0}: {1}", "our own: what failed is in the status document";
    OPERATION_NOT_FOUND = 404 "OperationNotFound" "The operation '{0}' could not be found.", "unverified wording";

    INVALID_MOVE = 400 "InvalidResourceMoveRequest" "The request to move resources is invalid: {0}.", "arm.md §9: the rules; code and wording unverified";
    MOVE_NOT_SUPPORTED = 400 "ResourceMoveNotSupported" "Resource move is not supported for resource types '{0}'.", "quoted in public reports; status by arm.md §9";
    MOVE_STATE = 409 "MoveCannotProceedWithResourcesNotInSucceededState" "The resource '{0}' cannot be moved: it is in the provisioning state '{1}', not 'Succeeded'.", "code quoted in public reports; wording unverified";
    MOVE_TAKEN = 409 "ResourceMoveFailed" "The resource '{0}' already exists in the target resource group.", "unverified";
    TAG_NAME_NOT_FOUND = 404 "TagNameNotFound" "The tag name '{0}' could not be found.", "unverified";
    TAG_NAME_IN_USE = 409 "TagNameInUse" "The tag name '{0}' cannot be deleted: {1} resources have a tag of this name.", "documented: Tags - Delete; code and wording unverified";
    TAG_VALUE_IN_USE = 409 "TagValueInUse" "The value '{0}' of the tag '{1}' cannot be deleted: {2} resources have it.", "documented: Tags - Delete Value; code and wording unverified";
    NOT_REGISTERED = 409 "MissingSubscriptionRegistration" "The subscription is not registered to use namespace '{0}'. See https://aka.ms/rps-not-found for how to register subscriptions.", "arm.md §2";
    PROVIDER_IN_USE = 409 "ResourceProviderInUse" "The namespace '{0}' cannot be unregistered: there are resources of its types, such as '{1}'.", "documented: Azure resource providers and types; code and wording unverified";
    ALWAYS_REGISTERED = 409 "RegistrationFreeProvider" "The namespace '{0}' is registered always, and cannot be unregistered.", "documented: Azure resource providers and types; code and wording unverified";

    IDENTITY_NOT_SUPPORTED = 400 "ResourceIdentityNotSupported" "Resources of type '{0}' do not support an identity.", "unverified";
    INVALID_IDENTITY = 400 "InvalidIdentity" "The identity of the resource is invalid: {0}.", "resources.md §2.1; unverified";
    FAILED_IDENTITY_OPERATION = 400 "FailedIdentityOperation" "Identity operation for resource '{0}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '{\"error\":{\"code\":\"BadRequest\",\"message\":\"Resource '{1}' was not found.\"}}'.'.", "resources.md §2.1; code recorded, text unverified";

    DEPLOYMENT_NAME_TOO_LONG = 400 "InvalidDeployment" "The provided deployment name '{0}' has a length of '{1}' which exceeds the maximum length of '64'. Please see https://aka.ms/arm-deploy for usage details.", "quoted in Azure/azure-cli issue 2635";
    DEPLOYMENT_NOT_FOUND = 404 "DeploymentNotFound" "Deployment '{0}' could not be found.", "arm.md §4";
    DEPLOYMENT_ACTIVE = 409 "DeploymentActive" "Unable to edit or replace deployment '{0}': previous deployment from '{1}' is still active. Please see https://aka.ms/arm-deploy for usage details.", "arm.md §4";
    DEPLOYMENT_NOT_CHANGED = 409 "DeploymentCannotBeChanged" "Unable to {0} deployment '{1}': it is in the provisioning state '{2}'.", "unverified";
    DEPLOYMENT_FAILED = 400 "DeploymentFailed" "At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.", "arm.md §4";
    DEPLOYS_ITSELF = 400 "InvalidTemplateDeployment" "The template deployment failed with error: 'The deployment '{0}' cannot be a resource of itself.'.", "unverified";
    TEMPLATE_NOT_AUTHORIZED = 403 "InvalidTemplateDeployment" "The template deployment failed with error: 'Authorization failed for template resource '{0}' of type '{1}'. The client '{2}' with object id '{3}' does not have permission to perform action '{4}' at scope '{5}'.'.", "quoted in public reports of InvalidTemplateDeployment";
    TERMINAL_STATE = 409 "ResourceDeploymentFailure" "The resource write operation failed to complete successfully, because it reached terminal provisioning state '{1}'. The resource is '{0}'.", "quoted in public reports; the resource is our own";
    INVALID_DEPLOYMENT_MODE = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: 'Error converting value \"{0}\" to type DeploymentMode.'.", "arm.md §12; wording unverified";
    COMPLETE_ELSEWHERE = 400 "InvalidDeploymentMode" "The deployment mode 'Complete' is supported at the scope of a resource group alone.", "documented: Deployment modes; code and wording unverified";
    NO_TEMPLATE = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: 'The deployment '{0}' has no template.'.", "unverified wording";
    BAD_ROLLBACK = 400 "InvalidOnErrorDeployment" "The onErrorDeployment of the deployment is invalid: {0}.", "documented: the rules; code and wording unverified";
    STACK_NOT_FOUND = 404 "DeploymentStackNotFound" "The Deployment stack '{0}' could not be found.", "quoted in public reports of az stack; wording unverified";
    STACK_DEPLOYMENT_FAILED = 400 "DeploymentStackDeploymentFailed" "One or more resources could not be deployed. Correlation id: '{0}'.", "quoted in public reports of az stack";
    STACK_DELETE_FAILED = 400 "DeploymentStackDeleteResourcesFailed" "One or more resources could not be deleted. Correlation id: '{0}'.", "quoted in public reports of az stack";
    LINK_ELSEWHERE = 400 "TemplateLinkNotSupported" "The '{0}' to '{1}' is not followed: Zaffre reads templates from this cloud's own blobs and template specs, and asks no other host. Put the document itself into the deployment, or into a blob.", "our own";
    LINK_NOT_READ = 400 "InvalidContentLink" "Unable to download deployment content from '{0}'. The tracking Id is '{1}'. Please see https://aka.ms/arm-deploy for usage details.", "quoted in public reports of InvalidContentLink";
    LINK_WITHOUT_BASE = 400 "InvalidTemplate" "Deployment template validation failed: 'The relative path '{0}' has nothing to be relative to: the template that names it was not given by a link.'.", "documented: Linked templates, relativePath; wording unverified";
    OTHER_CONTENT_VERSION = 400 "InvalidContentLink" "The content version of '{0}' is not '{1}', which the link names, but '{2}'.", "documented: contentVersion of a link must match; code and wording unverified";
    TEMPLATE_TWICE = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: 'A document is given both by itself and by a link'.", "documented: use one or the other; wording unverified";

    BAD_HEAD = 400 "BadRequest" "The request's Host or its query is missing, repeated or malformed.", "our own";
    HEAD_TOO_LARGE = 431 "RequestHeaderFieldsTooLarge" "The request line and the headers are too long.", "our own";
    MISDIRECTED = 421 "MisdirectedRequest" "The request's Host is not the name that the TLS handshake was for.", "our own; RFC 9110 §7.4";
    NOT_IMPLEMENTED = 501 "NotImplemented" "Zaffre does not do '{0}' yet.", "our own";
    INTERNAL = 500 "InternalServerError" "Encountered internal server error. Diagnostic information: timestamp, subscription id, tracking id and request correlation id are in the headers.", "general knowledge, unverified wording";
    UNAVAILABLE = 503 "ServiceUnavailable" "The service is temporarily unavailable.", "general knowledge, unverified wording";
    BODY_TOO_LARGE = 413 "RequestContentTooLarge" "The request content size exceeds the maximum size of 4 MB.", "quoted in public reports: Azure/bicep-lz-vending issue 92; the status from telemetry of azd";
    BODY_CUT_SHORT = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: 'Unexpected end of content'.", "arm.md §4";
    BODY_TOO_SLOW = 408 "RequestTimeout" "The request content did not arrive in time.", "unverified";
}

/// How messages call a caller: the name it signed in with, and its object id.
pub(super) fn names_of(caller: &Caller) -> (String, String) {
    match caller.principal() {
        Some(principal) => {
            let object_id = principal.object_id.to_string();
            (principal.name.as_deref().unwrap_or(&object_id).to_owned(), object_id)
        }
        None => (caller.to_string(), caller.to_string()),
    }
}

fn joined(access: &Access) -> String {
    access.any.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(",")
}

/// 403 for what was demanded first.
pub(super) fn refused(refusal: &Refusal) -> Error {
    let Why::Denied { access, reasons, by } = &refusal.why else { return (&NO_AUTHORIZATION).into() };
    let (client, object_id) = names_of(&refusal.caller);
    if let Some(denial) = by {
        let (action, on) = (joined(access), access.on.to_string());
        let (id, name, at) = (denial.name.simple(), denial.title.clone(), denial.scope.to_string());
        return DENIED.with([client, object_id, action, on, name, id, at]);
    }
    let is_conditional = |it: &Reason| it.verdict == Verdict::ConditionNotMet;
    let row =
        if reasons.iter().any(is_conditional) { &CONDITION_NOT_FULFILLED } else { &AUTHORIZATION_FAILED };
    row.with([client, object_id, joined(access), access.on.to_string()])
}

/// 403 for what a write demands besides.
pub(super) fn linked_refusal(caller: &Caller, own_action: &str, on: &ResourceId, access: &Access) -> Error {
    let (client, object_id) = names_of(caller);
    LINKED_AUTHORIZATION_FAILED.with([
        client,
        object_id,
        own_action.to_owned(),
        on.to_string(),
        joined(access),
        access.on.to_string(),
    ])
}

/// What a room of ours does not do yet, by the name of the operation.
pub fn not_implemented(operation: impl Into<String>) -> Error {
    NOT_IMPLEMENTED.with([operation.into()])
}
