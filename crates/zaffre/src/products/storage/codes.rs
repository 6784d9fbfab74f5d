//! The storage resource provider's own errors (resources.md §4). What all providers share is `arm`'s.

use azure::error::Row;

pub(super) static ALREADY_TAKEN: Row = Row {
    code: "StorageAccountAlreadyTaken",
    status: 409,
    template: "The storage account named {0} is already taken.",
    source: "resources.md §4: the sentence recorded, code and status unverified",
};

pub(super) static NAME_INVALID: Row = Row {
    code: "AccountNameInvalid",
    status: 400,
    template: "{0} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers and lower-case letters only.",
    source: "resources.md §4, unverified",
};

pub(super) static INVALID_VALUE: Row = Row {
    code: "InvalidRequestPropertyValue",
    status: 400,
    template: "The value '{0}' is not allowed for property {1}. For more information, see - https://aka.ms/storageaccountset",
    source: "general knowledge, unverified",
};

pub(super) static PUBLIC_NOT_PERMITTED: Row = Row {
    code: "PublicAccessNotPermitted",
    status: 409,
    template: "Public access is not permitted on this storage account.",
    source: "blob.md §7, unverified",
};

pub(super) static CONTAINER_HELD: Row = Row {
    code: "ContainerHasLegalHold",
    status: 409,
    template: "The container {0} cannot be deleted while it has one or more legal holds.",
    source: "blob.md §12: the code; wording unverified",
};

pub(super) static CONTAINER_NOT_FOUND: Row = Row {
    code: "ContainerNotFound",
    status: 404,
    template: "The specified container does not exist.",
    source: "general knowledge, unverified; the data plane's words (blob.md §12)",
};
