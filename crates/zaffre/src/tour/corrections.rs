//! Where the pages are wrong about Azure, and what is done instead: one list, for the tours and for the stories in which
//! the Azure CLI takes the same pages (`clients/az/stories/tutorial_*.txt`, which name each of these where it matters).

/// Something that a page says and that does not hold.
pub struct Correction {
    pub name: &'static str,
    pub says: &'static str,
}

pub(super) static ASSIGN_IDENTITY: Correction = Correction {
    name: "assign-identity",
    says: "`az vm assign-identity` was removed in az 2.0.31; today it is `az vm identity assign`",
};
pub(super) static EN_DASH_IDENTITIES: Correction = Correction {
    name: "en-dash-identities",
    says: "its option is printed with an en dash, `-–identities`, which no az takes",
};
pub(super) static EXTENSION_RETIRED: Correction = Correction {
    name: "extension-retired",
    says: "the extension behind localhost:50342 was retired in January 2019; today's address is 169.254.169.254. Where the extension is a resource of the machine, both answer",
};
pub(super) static BEARER_VERSION: Correction = Correction {
    name: "bearer-version",
    says: "`api-version` in the query is nothing to Storage; without `x-ms-version` of at least 2017-11-09 a bearer token is no authorization there at all",
};
pub(super) static QUOTES_READER: Correction = Correction {
    name: "quotes-reader",
    says: "its quotes, ‘Reader’, would become part of the role's name",
};
pub(super) static CONTAINER_SCOPE: Correction = Correction {
    name: "container-scope",
    says: "its scope is no resource: a container's ends in `/containers/{name}`",
};
pub(super) static READER_NO_DATA: Correction = Correction {
    name: "reader-no-data",
    says: "to read a file takes a role with data actions, which Reader has none of",
};
pub(super) static EN_DASH_REQUEST: Correction = Correction {
    name: "en-dash-request",
    says: "`–-request` is printed with an en dash: curl takes it for an address",
};
pub(super) static ARM_TOKEN: Correction = Correction {
    name: "arm-token",
    says: "that token is for Resource Manager; Cosmos DB's data takes one for https://cosmos.azure.com or for the account itself",
};
pub(super) static SHELL_BLANKS: Correction = Correction {
    name: "shell-blanks",
    says: "its shell lines have blanks around `=`, which makes commands of the variables",
};
pub(super) static NO_GUID: Correction =
    Correction { name: "no-guid", says: "its principal id has the wrong number of digits for a GUID" };
pub(super) static AZURERM_RETIRED: Correction = Correction {
    name: "azurerm-retired",
    says: "AzureRM's modules are retired; today it is `Get-AzVM` and `New-AzRoleAssignment`",
};
pub(super) static WINDOWS_READER: Correction = Correction {
    name: "windows-reader",
    says: "it gives Reader on a storage account, which lets nobody see the keys of a Cosmos DB account; its own text names the right role, DocumentDB Account Contributor, on the account",
};
pub(super) static VERSION_2016_12_01: Correction = Correction {
    name: "version-2016-12-01",
    says: "its api-version, 2016-12-01, never was one of this type: it is served as the one before it",
};
