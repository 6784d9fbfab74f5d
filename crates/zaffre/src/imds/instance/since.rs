//! Which api-version brought which member of the document (imds.md §5). Members that are not listed
//! have been there from the first.

use serde_json::Value;

/// Paths below `compute`, and the first version that has them.
static SINCE: &[(&str, &str)] = &[
    ("additionalCapabilities", "2021-11-01"),
    ("azEnvironment", "2018-10-01"),
    ("customData", "2019-02-01"),
    ("evictionPolicy", "2020-12-01"),
    ("extendedLocation", "2021-03-01"),
    ("host", "2021-11-15"),
    ("hostGroup", "2021-11-15"),
    ("isHostCompatibilityLayerVm", "2020-06-01"),
    ("licenseType", "2020-09-01"),
    ("osProfile", "2020-07-15"),
    ("osProfile/disablePasswordAuthentication", "2020-10-01"),
    ("physicalZone", "2023-11-15"),
    ("placementGroupId", "2017-08-01"),
    ("plan", "2018-04-02"),
    ("platformSubFaultDomain", "2021-10-01"),
    ("priority", "2020-12-01"),
    ("provider", "2018-10-01"),
    ("publicKeys", "2018-04-02"),
    ("resourceGroupName", "2017-08-01"),
    ("resourceId", "2019-03-11"),
    ("securityProfile", "2020-06-01"),
    ("securityProfile/encryptionAtHost", "2021-11-01"),
    ("securityProfile/securityType", "2021-12-13"),
    ("storageProfile", "2019-06-01"),
    ("storageProfile/imageReference/communityGalleryImageId", "2023-07-01"),
    ("storageProfile/imageReference/exactVersion", "2023-07-01"),
    ("storageProfile/imageReference/sharedGalleryImageId", "2023-07-01"),
    ("subscriptionId", "2017-08-01"),
    ("tags", "2017-08-01"),
    ("tagsList", "2019-06-04"),
    ("userData", "2021-01-01"),
    ("virtualMachineScaleSet", "2021-03-01"),
    ("vmScaleSetName", "2017-12-01"),
    ("zone", "2017-12-01"),
];

/// Takes away what the version does not know yet.
pub(super) fn cut(document: &mut Value, version: &str) {
    for (path, _) in SINCE.iter().filter(|(_, since)| version < *since) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = match parent {
            "" => "/compute".to_owned(),
            parent => format!("/compute/{parent}"),
        };
        if let Some(Value::Object(members)) = document.pointer_mut(&parent) {
            members.shift_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use azure::{ids::Guid, time::Timestamp};
    use serde_json::json;

    use super::*;
    use crate::{imds::routes::VERSIONS, resources::Resource};

    #[test]
    fn every_row_is_a_member_of_the_document_and_a_version_there_is() {
        let vm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v";
        let vm = vm.parse().expect("an id");
        let vm =
            Resource::new(vm, "Microsoft.Compute/virtualMachines", Guid::default(), Timestamp::default());
        let compute = super::super::compute::of(&vm);
        for (path, since) in SINCE {
            assert!(compute.pointer(&format!("/{path}")).is_some(), "{path}");
            assert!(VERSIONS.contains(since), "{path}: {since}");
            for (version, stays) in [("2017-04-02", false), (*since, true), ("2025-04-07", true)] {
                let mut document = json!({ "compute": compute.clone() });
                cut(&mut document, version);
                let found = document.pointer(&format!("/compute/{path}")).is_some();
                assert_eq!(found, stays, "{path} at {version}");
            }
        }
    }
}
