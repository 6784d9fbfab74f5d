//! The images and sizes that a virtual machine may be made of: what clients look up before they make one.
//!
//! Every guest is the same Linux, whatever image it is said to come from: an image decides which system the machine says it
//! runs, and its disk's size. The images are those that today's and 2018's az know by an alias, the sizes a few of each
//! family; names are Azure's, figures from its public lists (unverified).

use azure::error::Result;
use serde_json::{Value, json};

use super::{VERSIONS, codes};
use crate::{
    arm::kind::{Answer, At, Call, Function, On, Run},
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

/// name, cores, memory, temporary disk (MB), data disks at most.
struct Size(&'static str, u32, u32, u32, u32);

/// A system disk may be as large as this, in MB, whatever the size.
const SYSTEM_DISK_MB: u32 = 1_047_552;

static SIZES: &[Size] = &[
    Size("Standard_A1_v2", 1, 2048, 10_240, 2),
    Size("Standard_A2_v2", 2, 4096, 20_480, 4),
    Size("Standard_B1s", 1, 1024, 4096, 2),
    Size("Standard_B1ms", 1, 2048, 4096, 2),
    Size("Standard_B2s", 2, 4096, 8192, 4),
    Size("Standard_B2ms", 2, 8192, 16_384, 4),
    Size("Standard_DS1_v2", 1, 3584, 7168, 4),
    Size("Standard_DS2_v2", 2, 7168, 14_336, 8),
    Size("Standard_D1_v2", 1, 3584, 51_200, 4),
    Size("Standard_D2_v3", 2, 8192, 51_200, 4),
    Size("Standard_D2s_v3", 2, 8192, 16_384, 4),
    Size("Standard_D4s_v3", 4, 16_384, 32_768, 8),
    Size("Standard_D2s_v5", 2, 8192, 0, 4),
    Size("Standard_D4s_v5", 4, 16_384, 0, 8),
    Size("Standard_D8s_v5", 8, 32_768, 0, 16),
    Size("Standard_E2s_v5", 2, 16_384, 0, 4),
    Size("Standard_F2s_v2", 2, 4096, 16_384, 4),
];

const SKUS: &str =
    "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions";
const VERSION: &str = "locations/{location}/publishers/{publisher}/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions/{version}";

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        path: "locations/{location}/vmSizes",
        at: At::Subscription,
        method: On::Get,
        action: "Microsoft.Compute/locations/vmSizes/read",
        versions: &VERSIONS,
        run: Run::Read(|_| Ok(Answer::ok(sizes()))),
    },
    Function {
        path: SKUS,
        at: At::Subscription,
        method: On::Get,
        action: "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        versions: &VERSIONS,
        run: Run::Read(versions),
    },
    Function {
        path: VERSION,
        at: At::Subscription,
        method: On::Get,
        action: "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
        versions: &VERSIONS,
        run: Run::Read(version),
    },
];

fn sizes() -> Value {
    let shown = |Size(name, cores, memory, temporary, disks): &Size| {
        json!({
            "name": name,
            "numberOfCores": cores,
            "osDiskSizeInMB": SYSTEM_DISK_MB,
            "resourceDiskSizeInMB": temporary,
            "memoryInMB": memory,
            "maxDataDiskCount": disks,
        })
    };
    json!({ "value": SIZES.iter().map(shown).collect::<Vec<_>>() })
}

/// `GET {vm}/vmSizes`: a machine of ours may become any of them.
pub(super) fn sizes_of_machine(_: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(sizes()))
}

fn named(call: &Call<'_, &Txn>) -> Result<&'static Image> {
    let image = find(call.parameter("publisher"), call.parameter("offer"), call.parameter("sku"));
    image.ok_or_else(|| codes::ARTIFACT_NOT_FOUND.bare())
}

fn summary(call: &Call<'_, &Txn>, image: &Image) -> Value {
    let location = call.parameter("location");
    let id = format!(
        "{}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{}/ArtifactTypes/VMImage/Offers/{}/Skus/{}/Versions/{}",
        call.id.as_str().trim_end_matches('/'),
        image.publisher,
        image.offer,
        image.sku,
        image.version
    );
    json!({ "location": location, "name": image.version, "id": id })
}

/// A bare list (az-cli.md §8): `$top` and `$orderby` have nothing to choose from.
fn versions(call: &Call<'_, &Txn>) -> Result<Answer> {
    Ok(Answer::ok(json!([summary(call, named(call)?)])))
}

fn version(call: &Call<'_, &Txn>) -> Result<Answer> {
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
        for image in IMAGES {
            let first = find(image.publisher, image.offer, image.sku);
            assert!(first.is_some_and(|it| std::ptr::eq(it, image)), "{image:?} is there twice");
        }
    }
}
