//! Which type a name stands for, and which api-version serves a request for it.

use azure::{
    api_version::{self, ApiVersion, Unsupported},
    error::{Error, Result},
    ids::ResourceId,
};

use super::{
    codes, groups,
    kind::{Answers, Kind, Located, Place, Provider},
};

/// The providers, as they were handed over, and Resource Manager's own.
#[derive(Clone, Copy)]
pub(super) struct Types {
    providers: &'static [&'static Provider],
}

/// A resource type: a row of a provider, or a name that nobody here knows.
#[derive(Clone)]
pub(super) struct Type {
    pub kind: &'static Kind,
    /// `Microsoft.Compute/virtualMachines/extensions`, in the provider's spelling where there is one.
    pub name: String,
}

/// What nobody provides is stored as it was sent, in any api-version.
static DOCUMENT: Kind = Kind { location: Located::Optional, ..Kind::tracked("", &[]) };
static DOCUMENT_OK: Kind =
    Kind { location: Located::Optional, answers: Answers::Ok, ..Kind::tracked("", &[]) };
static DOCUMENT_FOLLOWED: Kind =
    Kind { location: Located::Optional, answers: Answers::OkThenAsync, ..Kind::tracked("", &[]) };

/// Documents whose clients know no 201, with all that is below them: the status codes that each operation of
/// azure-mgmt-compute 39, -cosmosdb 10, -network 33 and -storage 25 takes. Cosmos's and Network's deletions take no
/// plain 200 either.
static NO_201: &[(&str, &Kind)] = &[
    ("Microsoft.Compute/diskAccesses", &DOCUMENT_FOLLOWED),
    ("Microsoft.Compute/diskEncryptionSets", &DOCUMENT_FOLLOWED),
    ("Microsoft.DocumentDB/databaseAccounts", &DOCUMENT_FOLLOWED),
    ("Microsoft.Network/applicationGateways/privateEndpointConnections", &DOCUMENT_FOLLOWED),
    ("Microsoft.Network/cloudServiceSlots", &DOCUMENT_FOLLOWED),
    ("Microsoft.Network/expressRouteCrossConnections", &DOCUMENT_FOLLOWED),
    ("Microsoft.Network/firewallPolicies/signatureOverrides", &DOCUMENT_FOLLOWED),
    ("Microsoft.Network/privateLinkServices/privateEndpointConnections", &DOCUMENT_FOLLOWED),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/fileServices", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/inventoryPolicies", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/localUsers", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/managementPolicies", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/objectReplicationPolicies", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/privateEndpointConnections", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/queueServices", &DOCUMENT_OK),
    ("Microsoft.Storage/storageAccounts/tableServices", &DOCUMENT_OK),
];

/// Whether a type is the one of the row, or below it.
fn is_or_below(name: &str, row: &str) -> bool {
    let head = name.get(..row.len()).unwrap_or(name);
    head.eq_ignore_ascii_case(row) && matches!(name.as_bytes().get(row.len()), None | Some(b'/'))
}

fn document(name: &str) -> &'static Kind {
    NO_201.iter().find(|(row, _)| is_or_below(name, row)).map_or(&DOCUMENT, |(_, kind)| kind)
}

/// Types that have an issue of their own: not to be mistaken for documents.
static LATER: &[&str] = &[
    "Microsoft.Resources/deploymentScripts",
    "Microsoft.Authorization/policyDefinitions",
    "Microsoft.Authorization/roleEligibilitySchedules",
    "Microsoft.Authorization/roleEligibilityScheduleInstances",
    "Microsoft.Authorization/roleEligibilityScheduleRequests",
    "Microsoft.Authorization/roleAssignmentSchedules",
    "Microsoft.Authorization/roleAssignmentScheduleInstances",
    "Microsoft.Authorization/roleAssignmentScheduleRequests",
    "Microsoft.Authorization/roleManagementPolicies",
    "Microsoft.Authorization/roleManagementPolicyAssignments",
    "Microsoft.Authorization/roleManagementAlerts",
    "Microsoft.Authorization/roleManagementAlertConfigurations",
    "Microsoft.Authorization/roleManagementAlertDefinitions",
    "Microsoft.Authorization/eligibleChildResources",
    "Microsoft.Authorization/accessReviewScheduleDefinitions",
    "Microsoft.Authorization/accessReviewHistoryDefinitions",
    "Microsoft.Authorization/accessReviewScheduleSettings",
    "Microsoft.Authorization/policyExemptions",
    "Microsoft.Authorization/policySetDefinitions",
    "Microsoft.Authorization/policyAssignments",
    "Microsoft.Insights/eventtypes",
];

/// What a provider tells and nobody makes, by the last segment. Where ours does not tell it yet, an empty list would be
/// taken for the truth.
static TOLD: &[&str] = &[
    "locations",
    "skus",
    "usages",
    "metrics",
    "metricDefinitions",
    "deletedAccounts",
    "defaultSecurityRules",
    "checkIPAddressAvailability",
];

/// What stands before `/providers/`, as Azure spells it.
static LITERALS: [&str; 4] = ["subscriptions", "resourceGroups", "tenants", "locations"];

fn push(text: &mut String, segment: &str) {
    text.push('/');
    text.push_str(segment);
}

impl Types {
    pub(super) const fn new(providers: &'static [&'static Provider]) -> Self {
        Types { providers }
    }

    pub(super) fn providers(&self) -> impl Iterator<Item = &'static Provider> {
        std::iter::once(&groups::PROVIDER).chain(self.providers.iter().copied())
    }

    pub(super) fn provider(&self, namespace: &str) -> Option<&'static Provider> {
        self.providers().find(|it| it.namespace.eq_ignore_ascii_case(namespace))
    }

    pub(super) fn known(&self, name: &str) -> Option<Type> {
        let (namespace, rest) = name.split_once('/')?;
        let provider = self.provider(namespace)?;
        let kind = provider.kinds.iter().find(|kind| kind.name.eq_ignore_ascii_case(rest))?;
        Some(Type { kind, name: format!("{}/{}", provider.namespace, kind.name) })
    }

    /// The type of a name. Refuses those that are still to come.
    pub(super) fn find(&self, name: &str) -> Result<Type> {
        if let Some(later) = LATER.iter().find(|later| is_or_below(name, later)) {
            return Err(codes::not_implemented(*later));
        }
        match self.known(name) {
            Some(known) => Ok(known),
            None if self.is_told(name) => Err(codes::not_implemented(name)),
            None => Ok(Type { kind: document(name), name: name.to_owned() }),
        }
    }

    /// Whether a name stands for what one of our providers would tell, at a location or by a list of its own.
    fn is_told(&self, name: &str) -> bool {
        let mut segments = name.split('/');
        let is_ours = segments.next().is_some_and(|namespace| self.provider(namespace).is_some());
        let is_at_location = segments.next().is_some_and(|first| first.eq_ignore_ascii_case("locations"));
        let last = name.rsplit('/').next().unwrap_or_default();
        is_ours && (is_at_location || TOLD.iter().any(|it| it.eq_ignore_ascii_case(last)))
    }

    /// The same id with literals, namespaces and types as Azure spells them, and names as they came: a
    /// resource is found by any casing, and shown in the one it was made with (arm.md §1).
    pub(super) fn spelled(&self, id: &ResourceId) -> ResourceId {
        let segments: Vec<&str> = id.segments().collect();
        let mut text = String::with_capacity(id.as_str().len());
        let mut at = 0;
        while at < segments.len() {
            let behind = segments[at..].get(1..).unwrap_or_default();
            let taken = match segments[at].to_ascii_lowercase().as_str() {
                "providers" if !behind.is_empty() => self.spell_provided(behind, &mut text),
                literal => {
                    let spelled = LITERALS.iter().find(|it| it.eq_ignore_ascii_case(literal));
                    push(&mut text, spelled.unwrap_or(&segments[at]));
                    behind.first().map(|name| push(&mut text, name)).map_or(1, |()| 2)
                }
            };
            at += taken;
        }
        if text.is_empty() { ResourceId::root() } else { id.restyled(&text) }
    }

    /// `/providers/{namespace}` and the types behind it, as far as they are known; how many segments.
    fn spell_provided(&self, behind: &[&str], text: &mut String) -> usize {
        push(text, "providers");
        let provider = self.provider(behind[0]);
        let namespace = provider.map_or(behind[0], |it| it.namespace);
        push(text, namespace);
        let end = behind.iter().position(|it| it.eq_ignore_ascii_case("providers")).unwrap_or(behind.len());
        let mut type_name = namespace.to_owned();
        for (at, segment) in behind[1..end.max(1)].iter().enumerate() {
            if at % 2 == 1 {
                push(text, segment);
                continue;
            }
            type_name = format!("{type_name}/{segment}");
            let known = self.known(&type_name);
            push(text, known.as_ref().map_or(segment, |it| it.last()));
        }
        end.max(1) + 1
    }

    /// The type of a stored resource.
    pub(super) fn of(&self, id: &ResourceId) -> Result<Type> {
        self.find(&id.resource_type().unwrap_or_default())
    }
}

impl Type {
    /// Whether a provider of ours stands behind it.
    pub(super) fn is_known(&self) -> bool {
        !self.kind.name.is_empty()
    }

    pub(super) fn is_group(&self) -> bool {
        std::ptr::eq(self.kind, groups::kind())
    }

    /// Whether Resource Manager reads the outermost members of its resources itself, before a provider does. What is on
    /// any scope, or the tenant's, and groups have readers of their own.
    pub(super) fn is_definition(&self) -> bool {
        !self.is_group() && matches!(self.kind.place, Place::Group | Place::Child)
    }

    /// `Microsoft.Compute/virtualMachines/write`. Resource groups act under the subscription's name.
    pub(super) fn action(&self, verb: &str) -> String {
        match self.is_group() {
            true => format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}"),
            false => format!("{}/{verb}", self.name),
        }
    }

    pub(super) fn last(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The version that serves a request.
    pub(super) fn serve(&self, requested: &str) -> Result<ApiVersion> {
        if self.kind.versions.is_empty() {
            return any_version(requested);
        }
        let unsupported = |no: Unsupported| match self.is_group() {
            true => codes::INVALID_API_VERSION.with([no.requested, no.supported]),
            false => codes::NO_REGISTERED_PROVIDER.with([no.requested, self.last().to_owned(), no.supported]),
        };
        api_version::resolve(requested, self.kind.versions).cloned().map_err(unsupported)
    }
}

/// The version of what Resource Manager answers itself.
pub(super) fn own_version(requested: &str) -> Result<ApiVersion> {
    api_version::resolve(requested, &groups::VERSIONS).cloned().map_err(invalid)
}

/// The version of a function.
pub(super) fn serve_function(
    requested: &str,
    path: &str,
    known: &'static [ApiVersion],
) -> Result<ApiVersion> {
    if known.is_empty() {
        return any_version(requested);
    }
    let unsupported =
        |no: Unsupported| codes::NO_REGISTERED_PROVIDER.with([no.requested, path.to_owned(), no.supported]);
    api_version::resolve(requested, known).cloned().map_err(unsupported)
}

pub(super) fn any_version(requested: &str) -> Result<ApiVersion> {
    let listed = || api_version::resolve("", &groups::VERSIONS).expect_err("nothing is no version");
    requested
        .parse()
        .map_err(|_| invalid(Unsupported { requested: requested.to_owned(), supported: listed().supported }))
}

fn invalid(no: Unsupported) -> Error {
    codes::INVALID_API_VERSION.with([no.requested, no.supported])
}

#[cfg(test)]
mod tests {
    use super::*;

    static KINDS: [Kind; 2] =
        [Kind::tracked("userAssignedIdentities", &[]), Kind::tracked("roleAssignments", &[])];
    static ONE: Provider =
        Provider { namespace: "Microsoft.ManagedIdentity", kinds: &KINDS, functions: &[], data: Vec::new };
    static OTHER: Provider =
        Provider { namespace: "Microsoft.Authorization", kinds: &KINDS, functions: &[], data: Vec::new };

    #[test]
    fn what_is_still_to_come_is_refused_by_its_name_and_is_no_document() {
        static BOTH: [&Provider; 2] = [&ONE, &OTHER];
        let types = Types::new(&BOTH);
        for later in LATER {
            for name in [(*later).to_owned(), later.to_uppercase(), format!("{later}/parts")] {
                let refused = types.find(&name).err().unwrap_or_else(|| panic!("{name} is taken"));
                assert_eq!(refused.row.code, "NotImplemented", "{name}");
                assert!(refused.message().contains(*later), "{name}: {}", refused.message());
            }
            assert!(types.find(&format!("{later}2")).is_ok(), "another type");
        }
    }

    #[test]
    fn what_a_provider_of_ours_would_tell_is_no_document_of_anybodys() {
        static BOTH: [&Provider; 2] = [&ONE, &OTHER];
        let types = Types::new(&BOTH);
        for told in [
            "Microsoft.ManagedIdentity/locations",
            "Microsoft.ManagedIdentity/Locations/userAssignedIdentities",
            "microsoft.managedidentity/things/USAGES",
        ] {
            let refused = types.find(told).err().unwrap_or_else(|| panic!("{told} is taken"));
            assert_eq!((refused.row.code, refused.message().contains(told)), ("NotImplemented", true));
        }
        for document in
            ["Contoso.Things/locations", "Contoso.Things/usages", "Microsoft.ManagedIdentity/things"]
        {
            assert!(types.find(document).is_ok(), "{document}");
        }
    }

    #[test]
    fn ids_are_spelled_as_azure_spells_them_and_names_as_they_came() {
        static BOTH: [&Provider; 2] = [&ONE, &OTHER];
        let types = Types::new(&BOTH);
        for (came, spelled) in [
            ("/SUBSCRIPTIONS/S/resourcegroups/RG", "/subscriptions/S/resourceGroups/RG"),
            (
                "/subscriptions/s/resourcegroups/rg/PROVIDERS/microsoft.managedidentity/userassignedidentities/Id",
                "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Id",
            ),
            (
                "/subscriptions/s/providers/microsoft.authorization/ROLEASSIGNMENTS/X",
                "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/X",
            ),
            (
                "/subscriptions/s/resourcegroups/rg/providers/a.b/c/d/providers/MICROSOFT.authorization/roleassignments",
                "/subscriptions/s/resourceGroups/rg/providers/a.b/c/d/providers/Microsoft.Authorization/roleAssignments",
            ),
            ("/providers", "/providers"),
            ("/", "/"),
        ] {
            let id = ResourceId::parse(came).expect("an id");
            assert_eq!(types.spelled(&id).as_str(), spelled);
        }
    }
}
