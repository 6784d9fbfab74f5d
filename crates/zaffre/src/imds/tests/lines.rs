//! imds.md line by line, where a line is a row: since when there is what, and how the same may be asked for.

use serde_json::{Value, json};

use super::{ARM, World, furnished};
use crate::imds::routes::VERSIONS;

fn before(version: &str) -> &'static str {
    let at = VERSIONS.iter().position(|it| *it == version).expect("is a version");
    VERSIONS[at - 1]
}

/// imds.md §1, "Category introduced at".
#[tokio::test]
async fn each_category_is_there_from_its_first_version_on() {
    let world = furnished().await;
    world.attach(true, &[]).await;
    for (path, query, since) in [
        ("instance", "", "2017-04-02"),
        ("identity/oauth2/token", "&resource=https://management.azure.com/", "2018-02-01"),
        ("identity/info", "", "2018-02-01"),
        ("attested/document", "", "2018-10-01"),
    ] {
        let ask =
            async |version: &str| world.get(&format!("/metadata/{path}?api-version={version}{query}")).await;
        for version in VERSIONS {
            let answer = ask(version).await;
            assert_eq!(answer.status, if *version < since { 400 } else { 200 }, "{path} {version}");
        }
        let early = ask(before(since)).await;
        assert_eq!(
            early.body["newest-versions"],
            json!(["2025-04-07", "2024-07-17", "2024-03-15"]),
            "{path}"
        );
    }
    // What leads to this machine from outside is nothing; that it is asked about at all is the version's.
    for (version, status) in [("2020-09-01", 400), ("2020-10-01", 404), ("2025-04-07", 404)] {
        let answer = world.get(&format!("/metadata/loadbalancer?api-version={version}")).await;
        assert_eq!(answer.status, status, "{version}");
    }
}

/// imds.md §7: events have versions of their own.
#[tokio::test]
async fn events_are_told_at_their_own_versions_alone() {
    let world = furnished().await;
    let own =
        ["2017-03-01", "2017-08-01", "2017-11-01", "2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01"];
    for version in own {
        let path = format!("/metadata/scheduledevents?api-version={version}");
        let answer = world.get(&path).await;
        assert_eq!(
            (answer.status, &answer.body["Events"], answer.body["DocumentIncarnation"].is_i64()),
            (200, &json!([]), true),
            "{version}"
        );
    }
    for version in VERSIONS.iter().filter(|it| !own.contains(it)) {
        let answer = world.get(&format!("/metadata/scheduledevents?api-version={version}")).await;
        assert_eq!(answer.status, 400, "{version}");
        assert_eq!(answer.body["newest-versions"], json!(["2020-07-01", "2019-08-01", "2019-04-01"]));
    }
}

/// imds.md §5, "version introduced".
#[tokio::test]
async fn each_member_of_compute_is_there_from_its_first_version_on() {
    let world = furnished().await;
    for (since, members) in [
        ("2017-08-01", "placementGroupId resourceGroupName subscriptionId tags"),
        ("2017-12-01", "vmScaleSetName zone"),
        ("2018-04-02", "plan plan/name plan/product plan/publisher publicKeys publicKeys/0/path"),
        ("2018-10-01", "azEnvironment provider"),
        ("2019-02-01", "customData"),
        ("2019-03-11", "resourceId"),
        ("2019-06-01", "storageProfile storageProfile/osDisk/managedDisk/id storageProfile/dataDisks/0/lun"),
        ("2019-06-04", "tagsList tagsList/0/name"),
        (
            "2020-06-01",
            "isHostCompatibilityLayerVm securityProfile/secureBootEnabled securityProfile/virtualTpmEnabled",
        ),
        ("2020-07-15", "osProfile/adminUsername osProfile/computerName"),
        ("2020-09-01", "licenseType"),
        ("2020-10-01", "osProfile/disablePasswordAuthentication"),
        ("2020-12-01", "evictionPolicy priority"),
        ("2021-01-01", "userData"),
        ("2021-03-01", "extendedLocation/type extendedLocation/name virtualMachineScaleSet/id"),
        ("2021-10-01", "platformSubFaultDomain"),
        ("2021-11-01", "additionalCapabilities/hibernationEnabled securityProfile/encryptionAtHost"),
        ("2021-11-15", "host/id hostGroup/id"),
        ("2021-12-13", "securityProfile/securityType"),
        (
            "2023-07-01",
            "storageProfile/imageReference/communityGalleryImageId storageProfile/imageReference/sharedGalleryImageId storageProfile/imageReference/exactVersion",
        ),
        ("2023-11-15", "physicalZone"),
    ] {
        let at = async |version: &str| {
            world.get(&format!("/metadata/instance/compute?api-version={version}")).await.body
        };
        let (then, now) = (at(before(since)).await, at(since).await);
        for member in members.split(' ') {
            let pointer = format!("/{member}");
            assert_eq!(then.pointer(&pointer), None, "{member} before {since}");
            assert!(now.pointer(&pointer).is_some(), "{member} at {since}: {now:#}");
        }
    }
}

/// imds.md §2.1, §10: what clients really write.
#[tokio::test]
async fn the_same_token_is_asked_for_in_many_ways() {
    let world = World::new().await;
    world.attach(true, &[]).await;
    let first =
        world.get(&format!("/metadata/identity/oauth2/token?api-version=2018-02-01&resource={ARM}")).await;
    for asked in [
        "token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com/",
        "token?resource=https%3A%2F%2Fmanagement.azure.com%2F&api-version=2018-02-01",
        "token/?api-version=2018-02-01&resource=https://management.azure.com/",
        "token?API-VERSION=2018-02-01&Resource=https://management.azure.com/",
        "token?api-version=2018-02-01&resource=https://management.azure.com/&authority=https://login.microsoftonline.com/x",
        "token?api-version=2025-04-07&resource=https://management.azure.com/",
    ] {
        let answer = world.get(&format!("/metadata/identity/oauth2/{asked}")).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.text);
        assert_eq!(answer.text("access_token"), first.text("access_token"), "{asked}");
        let members = answer.body.as_object().expect("an object");
        assert!(members.values().all(Value::is_string), "every value is a text: {asked}");
        assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    }
    let probe = world.get("/metadata/identity/getplatformmetadata?cred-api-version=2.0").await;
    assert_eq!(probe.status, 404, "MSAL goes back to the first version");
    assert!(probe.headers["server"].to_str().expect("text").starts_with("IMDS/"));
}
