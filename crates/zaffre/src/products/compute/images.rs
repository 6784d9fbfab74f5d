//! The platform's images, as clients look them up before they make a virtual machine: publishers, their offers, skus, versions.
//!
//! Every guest is the same Linux, whatever image it is said to come from: an image decides which system the machine says it
//! runs, and its disk's size. The images are those that today's and 2018's az know by an alias; names are Azure's, versions
//! from its public lists (unverified). The extension that we do has its publisher among them.

use azure::error::Result;
use serde_json::{Value, json};

use super::{codes, extension};
use crate::{
    arm::kind::{Answer, Call},
    resources::Resource,
    store::Txn,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    Windows,
}

impl System {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            System::Linux => "Linux",
            System::Windows => "Windows",
        }
    }

    /// The system of a machine that is kept.
    pub(super) fn of(vm: &Resource) -> System {
        match vm.text("storageProfile/osDisk/osType") {
            Some(text) if text.eq_ignore_ascii_case("Windows") => System::Windows,
            _ => System::Linux,
        }
    }

    pub(super) const fn disk_gb(self) -> u32 {
        match self {
            System::Linux => 30,
            System::Windows => 127,
        }
    }

    pub(super) const fn computer_name_max(self) -> usize {
        match self {
            System::Linux => 64,
            System::Windows => 15,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    publisher: &'static str,
    offer: &'static str,
    sku: &'static str,
    /// The one there is, and so the latest.
    pub(super) version: &'static str,
    pub(super) system: System,
}

const fn image(
    publisher: &'static str,
    offer: &'static str,
    sku: &'static str,
    version: &'static str,
    system: System,
) -> Image {
    Image { publisher, offer, sku, version, system }
}

static IMAGES: &[Image] = &[
    image("Canonical", "UbuntuServer", "14.04.5-LTS", "14.04.201905140", System::Linux),
    image("Canonical", "UbuntuServer", "16.04-LTS", "16.04.202109281", System::Linux),
    image("Canonical", "UbuntuServer", "16.04.0-LTS", "16.04.201906280", System::Linux),
    image("Canonical", "UbuntuServer", "18.04-LTS", "18.04.202401161", System::Linux),
    image("Canonical", "0001-com-ubuntu-server-focal", "20_04-lts", "20.04.202505200", System::Linux),
    image("Canonical", "0001-com-ubuntu-server-focal", "20_04-lts-gen2", "20.04.202505200", System::Linux),
    image("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts", "22.04.202601150", System::Linux),
    image("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "22.04.202601150", System::Linux),
    image("Canonical", "ubuntu-24_04-lts", "server", "24.04.202601140", System::Linux),
    image("Canonical", "ubuntu-24_04-lts", "ubuntu-pro", "24.04.202601140", System::Linux),
    image("CoreOS", "CoreOS", "Stable", "2512.3.0", System::Linux),
    image("OpenLogic", "CentOS", "7.3", "7.3.20170925", System::Linux),
    image("OpenLogic", "CentOS", "7.5", "7.5.201808150", System::Linux),
    image("OpenLogic", "CentOS", "8_5-gen2", "8.5.2022012401", System::Linux),
    image("credativ", "Debian", "8", "8.0.201901221", System::Linux),
    image("Debian", "debian-11", "11-backports-gen2", "0.20260112.2355", System::Linux),
    image("Debian", "debian-12", "12-gen2", "0.20260112.2355", System::Linux),
    image("kinvolk", "flatcar-container-linux-free", "stable-gen2", "4459.2.2", System::Linux),
    image("SUSE", "openSUSE-leap-15-4", "gen2", "2023.11.06", System::Linux),
    image("SUSE", "openSUSE-Leap", "42.3", "2018.11.16", System::Linux),
    image("SUSE", "SLES", "12-SP2", "2018.09.04", System::Linux),
    image("SUSE", "sles-15-sp3", "gen2", "2023.11.06", System::Linux),
    image("RedHat", "RHEL", "7-RAW", "7.9.2022032206", System::Linux),
    image("RedHat", "RHEL", "7.3", "7.3.2017090800", System::Linux),
    image("RedHat", "RHEL", "8-lvm-gen2", "8.10.2025111215", System::Linux),
    image("MicrosoftWindowsServer", "WindowsServer", "2008-R2-SP1", "7601.24214.180817", System::Windows),
    image("MicrosoftWindowsServer", "WindowsServer", "2012-Datacenter", "9200.25165.241105", System::Windows),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2012-R2-Datacenter",
        "9600.22282.241105",
        System::Windows,
    ),
    image("MicrosoftWindowsServer", "WindowsServer", "2016-Datacenter", "14393.8783.260108", System::Windows),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2016-datacenter-gensecond",
        "14393.8783.260108",
        System::Windows,
    ),
    image("MicrosoftWindowsServer", "WindowsServer", "2019-Datacenter", "17763.8276.260108", System::Windows),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2019-datacenter-gensecond",
        "17763.8276.260108",
        System::Windows,
    ),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2022-datacenter-g2",
        "20348.4648.260108",
        System::Windows,
    ),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2022-datacenter-azure-edition",
        "20348.4648.260108",
        System::Windows,
    ),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2022-datacenter-azure-edition-core",
        "20348.4648.260108",
        System::Windows,
    ),
    image(
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2025-datacenter-g2",
        "26100.32230.260111",
        System::Windows,
    ),
];

pub(super) fn find(publisher: &str, offer: &str, sku: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|it| {
        it.publisher.eq_ignore_ascii_case(publisher)
            && it.offer.eq_ignore_ascii_case(offer)
            && it.sku.eq_ignore_ascii_case(sku)
    })
}

fn named(call: &Call<'_, &Txn>) -> Result<&'static Image> {
    let image = find(call.parameter("publisher"), call.parameter("offer"), call.parameter("sku"));
    image.ok_or_else(|| codes::ARTIFACT_NOT_FOUND.bare())
}

/// The image that an id names, as the look-ups print it and as disks show what they are made of.
pub(super) fn of_id(id: &str) -> Option<&'static Image> {
    let segments: Vec<&str> = id.trim_matches('/').split('/').collect();
    let behind = |name: &str| {
        let at = segments.iter().position(|it| it.eq_ignore_ascii_case(name))?;
        segments.get(at + 1).copied()
    };
    behind("artifacttypes")?;
    find(behind("publishers")?, behind("offers")?, behind("skus")?)
}

/// What is found below a path, each with a name of its own: a bare list (az-cli.md §8).
fn listed<'n>(call: &Call<'_, &Txn>, below: &str, names: impl Iterator<Item = &'n str>) -> Result<Answer> {
    let mut all: Vec<&str> = names.collect();
    all.sort_unstable();
    all.dedup();
    match all.is_empty() {
        true => Err(codes::ARTIFACT_NOT_FOUND.bare()),
        false => Ok(Answer::ok(all.into_iter().map(|name| named_one(call, below, name)).collect::<Value>())),
    }
}

fn named_one(call: &Call<'_, &Txn>, below: &str, name: &str) -> Value {
    let location = call.parameter("location");
    let at = call.id.as_str().trim_end_matches('/');
    let id = format!("{at}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{below}{name}");
    json!({ "location": location, "name": name, "id": id })
}

pub(super) fn publishers(call: &Call<'_, &Txn>) -> Result<Answer> {
    listed(call, "", IMAGES.iter().map(|it| it.publisher).chain([extension::PUBLISHER]))
}

pub(super) fn offers(call: &Call<'_, &Txn>) -> Result<Answer> {
    let publisher = call.parameter("publisher");
    let all = IMAGES.iter().filter(|it| it.publisher.eq_ignore_ascii_case(publisher));
    listed(call, &format!("{publisher}/ArtifactTypes/VMImage/Offers/"), all.map(|it| it.offer))
}

pub(super) fn skus(call: &Call<'_, &Txn>) -> Result<Answer> {
    let (publisher, offer) = (call.parameter("publisher"), call.parameter("offer"));
    let all = IMAGES
        .iter()
        .filter(|it| it.publisher.eq_ignore_ascii_case(publisher) && it.offer.eq_ignore_ascii_case(offer));
    listed(call, &format!("{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/"), all.map(|it| it.sku))
}

fn summary(call: &Call<'_, &Txn>, image: &Image) -> Value {
    let Image { publisher, offer, sku, version, .. } = image;
    let below = format!("{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/");
    named_one(call, &below, version)
}

/// `$top` and `$orderby` have nothing to choose from.
pub(super) fn versions(call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!([summary(call, named(call)?)])))
}

pub(super) fn version(call: &Call<'_, &Txn>) -> Result<Answer> {
    let image = named(call)?;
    if call.parameter("version") != image.version {
        return Err(codes::ARTIFACT_NOT_FOUND.bare());
    }
    let mut shown = summary(call, image);
    shown["properties"] = json!({
        "architecture": "x64",
        "replicaType": "Managed",
        "osDiskImage": { "operatingSystem": image.system.as_str(), "sizeInGb": image.system.disk_gb() },
        "dataDiskImages": [],
        "automaticOSUpgradeProperties": { "automaticOSUpgradeSupported": false },
        "imageDeprecationStatus": { "imageState": "Active" },
    });
    Ok(Answer::ok(shown))
}

/// The types of extension that we do: their publisher's alone.
fn extensions_of(publisher: &str) -> &'static [&'static str] {
    if publisher.eq_ignore_ascii_case(extension::PUBLISHER) { extension::TYPES } else { &[] }
}

pub(super) fn extension_types(call: &Call<'_, &Txn>) -> Result<Answer> {
    let publisher = call.parameter("publisher");
    let below = format!("{publisher}/ArtifactTypes/VMExtension/Types/");
    listed(call, &below, extensions_of(publisher).iter().copied())
}

pub(super) fn extension_versions(call: &Call<'_, &Txn>) -> Result<Answer> {
    let (publisher, name) = (call.parameter("publisher"), call.parameter("type"));
    let is_ours = extensions_of(publisher).iter().any(|it| it.eq_ignore_ascii_case(name));
    let below = format!("{publisher}/ArtifactTypes/VMExtension/Types/{name}/Versions/");
    listed(call, &below, is_ours.then_some("1.0.0.0").into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_without_regard_to_case_and_are_all_different() {
        assert_eq!(find("canonical", "ubuntuserver", "16.04-lts").map(|it| it.system), Some(System::Linux));
        assert_eq!(
            find("MicrosoftWindowsServer", "WindowsServer", "2016-Datacenter").map(|it| it.system),
            Some(System::Windows)
        );
        assert_eq!(find("Canonical", "UbuntuServer", "99"), None);
        let id = "/Subscriptions/s/Providers/Microsoft.Compute/Locations/westeurope/Publishers/Canonical/ArtifactTypes/VMImage/Offers/UbuntuServer/Skus/16.04-LTS/Versions/latest";
        assert_eq!(of_id(id).map(|it| it.sku), Some("16.04-LTS"));
        assert_eq!(of_id("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/images/i"), None);
        for image in IMAGES {
            let first = find(image.publisher, image.offer, image.sku);
            assert!(first.is_some_and(|it| std::ptr::eq(it, image)), "{image:?} is there twice");
        }
    }
}
