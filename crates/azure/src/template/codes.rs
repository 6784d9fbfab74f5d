//! What is wrong with a template, in Resource Manager's words.
//!
//! Most rows are a detail: where a whole document is judged, `at` puts the detail into the sentence
//! that names the resource, the line and the column. Wordings are those that people quote when they
//! ask for help; a source that says `unverified` was written from general knowledge.

crate::error_rows! {
    pub static ROWS;

    // The two sentences around a detail.
    VALIDATION_FAILED = 400 "InvalidTemplate" "Deployment template validation failed: '{0}'.", "arm.md §4; documented: Resolve errors for invalid template";
    EXPRESSION_FAILED = 400 "InvalidTemplate" "Unable to process template language expressions for resource '{0}' at line '{1}' and column '{2}'. '{3}'", "quoted in public reports of InvalidTemplate";
    OUTPUT_FAILED = 400 "DeploymentOutputEvaluationFailed" "Unable to evaluate template outputs: '{0}'. Please see error details and deployment operations. Please see https://aka.ms/arm-common-errors for usage details.", "general knowledge, unverified";
    OUTPUT_DETAIL = 400 "DeploymentOutputEvaluationFailed" "The template output '{0}' is not valid: {1}.", "general knowledge, unverified";

    // The text of an expression.
    MALFORMED = 400 "InvalidTemplate" "Unable to parse language expression '{0}': expected token '{1}' and actual '{2}'.", "general knowledge, unverified";
    BAD_CHARACTER = 400 "InvalidTemplate" "The language expression '{0}' is not valid: the character '{1}' at position '{2}' is not expected.", "general knowledge, unverified";
    UNTERMINATED = 400 "InvalidTemplate" "The language expression '{0}' is not valid: the string literal at position '{1}' is not terminated.", "general knowledge, unverified";
    TOO_LONG = 400 "InvalidTemplate" "The language expression length limit exceeded. Limit: '24576' and actual: '{0}'.", "arm.md §12 (24,576 characters); wording unverified";
    TOO_DEEP = 400 "InvalidTemplate" "The language expression is nested too deeply. Limit: '{0}'.", "our own limit";

    TOO_MUCH = 400 "InvalidTemplate" "The template needs more than {0} evaluations, which is more than is allowed.", "our own limit";

    // Functions and what is given to them.
    NO_SUCH_FUNCTION = 400 "InvalidTemplate" "The template function '{0}' is not valid. Please see https://aka.ms/arm-functions for usage details.", "general knowledge, unverified wording";
    NOT_EXPECTED = 400 "InvalidTemplate" "The template function '{0}' is not expected at this location. Please see https://aka.ms/arm-functions for usage details.", "quoted in public reports of InvalidTemplate";
    ARGUMENTS = 400 "InvalidTemplate" "Unable to evaluate template language function '{0}': function requires {1} argument(s) while {2} were provided. Please see https://aka.ms/arm-functions/#{0} for usage details.", "general knowledge, unverified";
    ARGUMENT = 400 "InvalidTemplate" "The template language function '{0}' expects its parameter at position '{1}' to be of type '{2}'. The provided value is of type '{3}'. Please see https://aka.ms/arm-functions/#{0} for usage details.", "the shape of what Logic Apps' workflow language answers; unverified for templates";
    MIXED = 400 "InvalidTemplate" "The provided parameters for template function '{0}' are not valid. Either all or none of the parameters must be of type '{1}'. Please see https://aka.ms/arm-functions/#{0} for usage details.", "general knowledge, unverified";
    NOT_CONVERTIBLE = 400 "InvalidTemplate" "The template language function '{0}' cannot convert the value '{1}' to the type '{2}'. Please see https://aka.ms/arm-functions/#{0} for usage details.", "general knowledge, unverified";
    BEYOND_TEXT = 400 "InvalidTemplate" "The index and length parameters must refer to a location within the string. The index parameter: '{0}', the length parameter: '{1}', the length of the string parameter: '{2}'.", "documented: String functions for ARM templates, substring";
    DIVIDED_BY_ZERO = 400 "InvalidTemplate" "The template function '{0}' attempted to divide by zero. Please see https://aka.ms/arm-functions/#{0} for usage details.", "general knowledge, unverified";
    OVERFLOW = 400 "InvalidTemplate" "The result of the template function '{0}' is too large or too small for an integer.", "general knowledge, unverified";
    RANGE = 400 "InvalidTemplate" "The parameters of template function 'range' are not valid: the count '{1}' from '{0}' must not be negative, nor more than 10,000, nor lead beyond 2147483647.", "documented: Array functions for ARM templates, range; wording unverified";
    TOO_LARGE = 400 "InvalidTemplate" "The template function '{0}' gives a value of more than {1} characters, which is more than is allowed.", "our own limit, after the literal limit of 131,072";
    BAD_FORMAT = 400 "InvalidTemplate" "The format '{0}' of the template function '{1}' is not valid.", "general knowledge, unverified";
    BAD_TIME = 400 "InvalidTemplate" "The template function '{0}' expects a time in ISO 8601; the value '{1}' is not one.", "documented: Date functions for ARM templates; wording unverified";
    BAD_DURATION = 400 "InvalidTemplate" "The template function 'dateTimeAdd' expects a duration in ISO 8601; the value '{0}' is not one.", "documented: Date functions for ARM templates; wording unverified";
    BAD_NETWORK = 400 "InvalidTemplate" "The template function '{0}' expects a network in CIDR notation; the value '{1}' is not one.", "documented: CIDR functions for ARM templates; wording unverified";
    BEYOND_NETWORK = 400 "InvalidTemplate" "The template function '{0}' was given '{1}', which the network '{2}' does not have.", "documented: CIDR functions for ARM templates; wording unverified";
    NAMES_OF_TYPE = 400 "InvalidTemplate" "Unable to evaluate template language function '{0}': the type '{1}' requires '{2}' resource name argument(s). Please see https://aka.ms/arm-resource-functions/#{0} for usage details.", "quoted in public reports of InvalidTemplate";
    NO_TYPE = 400 "InvalidTemplate" "Unable to evaluate template language function '{0}'. At least one parameter should be a resource type: a namespace, a slash and a type. Please see https://aka.ms/arm-resource-functions/#{0} for usage details.", "general knowledge, unverified";
    NOT_IN_SCOPE = 400 "InvalidTemplate" "The template function '{0}' is not supported in a deployment at this scope. Please see https://aka.ms/arm-functions/#{0} for usage details.", "general knowledge, unverified";
    FAILED = 400 "InvalidTemplate" "{0}", "documented: Bicep, fail; the message is the template's own";
    NOT_A_LAMBDA = 400 "InvalidTemplate" "The template function '{0}' expects its parameter at position '{1}' to be a lambda of {2} parameter(s).", "documented: Lambda functions for ARM templates; wording unverified";
    NO_LAMBDA_VARIABLE = 400 "InvalidTemplate" "The lambda variable '{0}' is not found.", "general knowledge, unverified";
    NO_PROVIDER = 400 "InvalidTemplate" "The template function 'providers' does not know the namespace or type '{0}'.", "general knowledge, unverified";
    NO_ZONES = 400 "InvalidTemplate" "The template function 'pickZones' was asked for '{0}' zone(s) from '{1}', of which there are three.", "documented: Resource functions for ARM templates, pickZones; wording unverified";

    // Properties and names.
    NO_PROPERTY = 400 "InvalidTemplate" "The language expression property '{0}' doesn't exist, available properties are '{1}'.", "quoted in public reports of InvalidTemplate";
    NO_PROPERTY_OF = 400 "InvalidTemplate" "The language expression property '{0}' can't be evaluated, property name must be a string.", "quoted in public reports of InvalidTemplate";
    NOT_AN_OBJECT = 400 "InvalidTemplate" "The language expression property '{0}' can't be evaluated: the value is of type '{1}'.", "quoted in public reports of InvalidTemplate; tail unverified";
    OUT_OF_BOUNDS = 400 "InvalidTemplate" "The language expression property array index '{0}' is out of bounds.", "quoted in public reports of InvalidTemplate";
    NO_PARAMETER = 400 "InvalidTemplate" "The template parameter '{0}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details.", "quoted in public reports of InvalidTemplate";
    NO_VARIABLE = 400 "InvalidTemplate" "The template variable '{0}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details.", "quoted in public reports of InvalidTemplate";
    CIRCULAR_NAME = 400 "InvalidTemplate" "The template {0} '{1}' is defined by itself: '{2}'.", "general knowledge, unverified";
    NO_COPY = 400 "InvalidTemplate" "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource, a property, a variable or an output with copy specified. Please see https://aka.ms/arm-copy for usage details.", "quoted in public reports of InvalidTemplate";
    NO_RESOURCE = 400 "InvalidTemplate" "The resource '{0}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details.", "quoted in public reports of InvalidTemplate";
    AMBIGUOUS_RESOURCE = 400 "InvalidTemplate" "The resource reference '{0}' is ambiguous: more than one resource of the template has that name. Please use its type and name, or its id.", "general knowledge, unverified";
    VERSION_REQUIRED = 400 "InvalidTemplate" "The resource reference '{0}' is not valid: a resource that is not defined in the template requires an api-version. Please see https://aka.ms/arm-function-reference for usage details.", "documented: Resource functions for ARM templates, reference; wording unverified";

    // The document.
    NOT_JSON = 400 "InvalidRequestContent" "The request content was invalid and could not be deserialized: '{0} Line {1}, position {2}.'.", "arm.md §4";
    NO_TEMPLATE = 400 "InvalidTemplate" "The template is not an object.", "unverified wording";
    NO_MEMBER = 400 "InvalidTemplate" "Required property '{0}' not found in JSON. Path '{1}', line {2}, position {3}.", "the words of Newtonsoft.Json, which Resource Manager reads templates with";
    WRONG_MEMBER = 400 "InvalidTemplate" "The template's '{0}' at line '{1}' and column '{2}' is not valid: '{3}' was expected and '{4}' was found.", "unverified wording";
    BAD_LANGUAGE = 400 "InvalidTemplate" "The template language version '{0}' is not supported; '1.0' and '2.0' are.", "unverified wording";
    LIMIT = 400 "InvalidTemplate" "The number of template {0} limit exceeded. Limit: '{1}' and actual: '{2}'. Please see https://aka.ms/arm-template-limits for usage details.", "arm.md §12 (limits); wording unverified";
    SIZE = 400 "InvalidTemplate" "The size of the template, '{0}' bytes, exceeds the limit of '4194304'.", "arm.md §12 (4 MB); wording unverified";

    PARAMETER_MISSING = 400 "InvalidTemplate" "The value for the template parameter '{0}' at line '{1}' and column '{2}' is not provided. Please see https://aka.ms/arm-create-parameter-file for usage details.", "quoted in public reports of InvalidTemplate";
    PARAMETER_UNKNOWN = 400 "InvalidTemplate" "The template parameters '{0}' in the parameters file are not valid; they are not present in the original template and can therefore not be provided at deployment time. The only supported parameters for this template are '{1}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.", "quoted in public reports of InvalidTemplate";
    PARAMETER_INVALID = 400 "InvalidTemplate" "The provided value for the template parameter '{0}' at line '{1}' and column '{2}' is not valid. {3}", "quoted in public reports of InvalidTemplate";
    PARAMETER_NOT_ALLOWED = 400 "InvalidTemplate" "The provided value '{0}' for the template parameter '{1}' at line '{2}' and column '{3}' is not valid. The parameter value is not part of the allowed value(s): '{4}'.", "documented: Deploy with the CLI, validate (badSKU)";
    VARIABLE_INVALID = 400 "InvalidTemplate" "The template variable '{0}' is not valid: {1} Please see https://aka.ms/arm-functions for usage details.", "quoted in public reports of InvalidTemplate";
    DEFAULT_INVALID = 400 "InvalidTemplate" "The template parameter '{0}' at line '{1}' and column '{2}' is not valid: {3} Please see https://aka.ms/arm-functions for usage details.", "general knowledge, unverified";
    OUTPUT_INVALID = 400 "InvalidTemplate" "The template output '{0}' at line '{1}' and column '{2}' is not valid: {3} Please see https://aka.ms/arm-functions for usage details.", "general knowledge, unverified";
    PARAMETER_FORM = 400 "InvalidTemplate" "The parameter '{0}' of the deployment has neither a 'value' nor a 'reference'.", "unverified wording";
    PARAMETER_SECRET = 400 "KeyVaultParameterReferenceNotSupported" "The parameter '{0}' refers to a secret of a key vault, and Zaffre has no key vaults: give its 'value'.", "our own";
    DEFINITION_UNKNOWN = 400 "InvalidTemplate" "The type definition '{0}' is not found. Please see https://aka.ms/arm-type-definitions for usage details.", "documented: Type definitions in templates; wording unverified";

    FUNCTION_NAMESPACE = 400 "InvalidTemplate" "The template function '{0}' at line '{1}' and column '{2}' is not valid: {3}.", "documented: User-defined functions in ARM template; wording unverified";
    SEGMENTS = 400 "InvalidTemplate" "The template resource '{0}' for type '{1}' at line '{2}' and column '{3}' has incorrect segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource type must have segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details.", "documented: Resolve errors for name and type mismatch";
    RESOURCE_MEMBER = 400 "InvalidTemplate" "The template resource '{0}' at line '{1}' and column '{2}' is not valid. The {3} property is required and cannot be evaluated or is empty. Please see https://aka.ms/arm-syntax-resources for usage details.", "quoted in public reports of InvalidTemplate";
    RESOURCE_TYPE = 400 "InvalidTemplate" "The template resource '{0}' at line '{1}' and column '{2}' is not valid: the type '{3}' is not a namespace and a type. Please see https://aka.ms/arm-syntax-resources for usage details.", "general knowledge, unverified";
    RESOURCE_SCOPE = 400 "InvalidTemplate" "The template resource '{0}' at line '{1}' and column '{2}' is not valid: a deployment at the scope '{3}' needs {4}.", "documented: deployments at each scope; wording unverified";
    RESOURCE_TWICE = 400 "InvalidTemplate" "The resource '{0}' at line '{1}' and column '{2}' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.", "quoted in public reports of InvalidTemplate";
    CONDITION = 400 "InvalidTemplate" "The template resource '{0}' at line '{1}' and column '{2}' is not valid: the condition must be a boolean, and is of type '{3}'.", "general knowledge, unverified";
    CYCLE = 400 "InvalidTemplate" "Circular dependency detected on resource: '{0}'. The circle is: {1}. Please see https://aka.ms/arm-resource-dependency for usage details.", "documented: Resolve errors for circular dependency; the circle is our own";
    COPY_COUNT = 400 "InvalidTemplate" "The template copy definition '{0}' at line '{1}' and column '{2}' has an invalid copy count. The copy count must be an integer from 0 to 800 and '{3}' is not. Please see https://aka.ms/arm-copy for usage details.", "documented: Resource iteration (800); wording quoted in part, unverified";
    COPY_FORM = 400 "InvalidTemplate" "The template copy definition at line '{0}' and column '{1}' is not valid: {2}. Please see https://aka.ms/arm-copy for usage details.", "general knowledge, unverified";
    COPY_NESTED = 400 "InvalidTemplate" "The nested resource '{0}' at line '{1}' and column '{2}' cannot have a copy. Please see https://aka.ms/arm-copy for usage details.", "documented: Resource iteration, iteration for a child resource; wording unverified";
    NAME_TAKEN = 400 "InvalidTemplate" "The name '{0}' of a copy at line '{1}' and column '{2}' is already that of another copy.", "general knowledge, unverified";
}
