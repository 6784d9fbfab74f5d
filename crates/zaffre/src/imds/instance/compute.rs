//! The `compute` part, from the stored virtual machine (imds.md §5).
//!
//! Members stand in the order of Azure's own answers. Custom data is never shown.

use serde_json::{Value, json};

use super::text;
use crate::resources::Resource;

pub(in crate::imds) fn of(vm: &Resource) -> Value {
    let at = |path: &str| text(vm.property(path));
    let image = |name: &str| at(&format!("storageProfile/imageReference/{name}"));
    json!({
        "additionalCapabilities": { "hibernationEnabled": at("additionalCapabilities/hibernationEnabled") },
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "evictionPolicy": at("evictionPolicy"),
        "extendedLocation": { "name": "", "type": "" },
        "host": { "id": at("host/id") },
        "hostGroup": { "id": at("hostGroup/id") },
        "isHostCompatibilityLayerVm": "false",
        "licenseType": at("licenseType"),
        "location": vm.location.as_deref().unwrap_or_default(),
        "name": vm.machine_name(),
        "offer": image("offer"),
        "osProfile": {
            "adminUsername": at("osProfile/adminUsername"),
            "computerName": at("osProfile/computerName"),
            "disablePasswordAuthentication": disable_password_authentication(vm),
        },
        "osType": os_type(vm),
        "physicalZone": "",
        "placementGroupId": "",
        "plan": plan(vm),
        "platformFaultDomain": or(at("platformFaultDomain"), "0"),
        "platformSubFaultDomain": "",
        "platformUpdateDomain": or(at("platformUpdateDomain"), "0"),
        "priority": at("priority"),
        "provider": "Microsoft.Compute",
        "publicKeys": public_keys(vm),
        "publisher": image("publisher"),
        "resourceGroupName": vm.id.resource_group().unwrap_or_default(),
        "resourceId": vm.id,
        "securityProfile": {
            "encryptionAtHost": or(at("securityProfile/encryptionAtHost"), "false"),
            "secureBootEnabled": or(at("securityProfile/uefiSettings/secureBootEnabled"), "false"),
            "securityType": at("securityProfile/securityType"),
            "virtualTpmEnabled": or(at("securityProfile/uefiSettings/vTpmEnabled"), "false"),
        },
        "sku": image("sku"),
        "storageProfile": storage_profile(vm),
        "subscriptionId": vm.id.subscription().map(|id| id.to_string()).unwrap_or_default(),
        "tags": tags(vm),
        "tagsList": tags_list(vm),
        "userData": at("userData"),
        "version": or(image("exactVersion"), vm.text("storageProfile/imageReference/version").unwrap_or_default()),
        "virtualMachineScaleSet": { "id": scale_set(vm) },
        "vmId": at("vmId"),
        "vmScaleSetName": scale_set_name(vm),
        "vmSize": at("hardwareProfile/vmSize"),
        "zone": text(vm.zones.as_ref().and_then(|zones| zones.get(0))),
    })
}

fn or(value: Value, fallback: &str) -> Value {
    if value == "" { json!(fallback) } else { value }
}

fn os_type(vm: &Resource) -> Value {
    let is_windows = vm.property("osProfile/windowsConfiguration").is_some();
    or(text(vm.property("storageProfile/osDisk/osType")), if is_windows { "Windows" } else { "Linux" })
}

fn disable_password_authentication(vm: &Resource) -> Value {
    or(text(vm.property("osProfile/linuxConfiguration/disablePasswordAuthentication")), "false")
}

fn plan(vm: &Resource) -> Value {
    let at = |name: &str| text(vm.plan.as_ref().and_then(|plan| plan.get(name)));
    json!({ "name": at("name"), "product": at("product"), "publisher": at("publisher") })
}

fn list<'v>(vm: &'v Resource, path: &str) -> impl Iterator<Item = &'v Value> {
    vm.property(path).and_then(Value::as_array).into_iter().flatten()
}

fn public_keys(vm: &Resource) -> Vec<Value> {
    list(vm, "osProfile/linuxConfiguration/ssh/publicKeys")
        .map(|key| json!({ "keyData": text(key.get("keyData")), "path": text(key.get("path")) }))
        .collect()
}

fn scale_set(vm: &Resource) -> Value {
    match vm.id.parent().filter(|_| vm.is_instance()) {
        Some(set) => json!(set),
        None => text(vm.property("virtualMachineScaleSet/id")),
    }
}

fn scale_set_name(vm: &Resource) -> &str {
    if vm.is_instance() {
        return vm.id.names().first().copied().unwrap_or_default();
    }
    let id = vm.text("virtualMachineScaleSet/id").unwrap_or_default();
    id.rsplit('/').next().unwrap_or_default()
}

/// `name:value;name:value`.
fn tags(vm: &Resource) -> String {
    let pairs = vm.tags.iter().flatten().map(|(name, value)| {
        let value = value.as_str().unwrap_or_default();
        format!("{name}:{value}")
    });
    pairs.collect::<Vec<_>>().join(";")
}

fn tags_list(vm: &Resource) -> Vec<Value> {
    vm.tags
        .iter()
        .flatten()
        .map(|(name, value)| json!({ "name": name, "value": text(Some(value)) }))
        .collect()
}

fn storage_profile(vm: &Resource) -> Value {
    let image = |name: &str| text(vm.property(&format!("storageProfile/imageReference/{name}")));
    let os_disk = vm.property("storageProfile/osDisk").cloned().unwrap_or_default();
    json!({
        "dataDisks": list(vm, "storageProfile/dataDisks").map(data_disk).collect::<Vec<_>>(),
        "imageReference": {
            "communityGalleryImageId": image("communityGalleryImageId"),
            "exactVersion": image("exactVersion"),
            "id": image("id"),
            "offer": image("offer"),
            "publisher": image("publisher"),
            "sharedGalleryImageId": image("sharedGalleryImageId"),
            "sku": image("sku"),
            "version": image("version"),
        },
        "osDisk": os_disk_of(vm, &os_disk),
        "resourceDisk": { "size": "" },
    })
}

/// A part of a disk, by its path in Resource Manager's document.
fn of_disk(disk: &Value, path: &str) -> Value {
    text(disk.pointer(path))
}

fn os_disk_of(vm: &Resource, disk: &Value) -> Value {
    let at = |path: &str| of_disk(disk, path);
    json!({
        "caching": at("/caching"),
        "createOption": at("/createOption"),
        "diffDiskSettings": { "option": at("/diffDiskSettings/option") },
        "diskSizeGB": at("/diskSizeGB"),
        "encryptionSettings": {
            "diskEncryptionKey": {
                "secretUrl": at("/encryptionSettings/diskEncryptionKey/secretUrl"),
                "sourceVault": { "id": at("/encryptionSettings/diskEncryptionKey/sourceVault/id") },
            },
            "enabled": or(at("/encryptionSettings/enabled"), "false"),
            "keyEncryptionKey": {
                "keyUrl": at("/encryptionSettings/keyEncryptionKey/keyUrl"),
                "sourceVault": { "id": at("/encryptionSettings/keyEncryptionKey/sourceVault/id") },
            },
        },
        "image": { "uri": at("/image/uri") },
        "managedDisk": {
            "id": at("/managedDisk/id"),
            "storageAccountType": at("/managedDisk/storageAccountType"),
        },
        "name": at("/name"),
        "osType": os_type(vm),
        "vhd": { "uri": at("/vhd/uri") },
        "writeAcceleratorEnabled": or(at("/writeAcceleratorEnabled"), "false"),
    })
}

fn data_disk(disk: &Value) -> Value {
    let at = |path: &str| of_disk(disk, path);
    json!({
        "bytesPerSecondThrottle": at("/diskMBpsReadWrite"),
        "caching": at("/caching"),
        "createOption": at("/createOption"),
        "diskCapacityBytes": capacity_bytes(disk),
        "diskSizeGB": at("/diskSizeGB"),
        "image": { "uri": at("/image/uri") },
        "isSharedDisk": "false",
        "isUltraDisk": "false",
        "lun": at("/lun"),
        "managedDisk": {
            "id": at("/managedDisk/id"),
            "storageAccountType": at("/managedDisk/storageAccountType"),
        },
        "name": at("/name"),
        "opsPerSecondThrottle": at("/diskIOPSReadWrite"),
        "vhd": { "uri": at("/vhd/uri") },
        "writeAcceleratorEnabled": or(at("/writeAcceleratorEnabled"), "false"),
    })
}

fn capacity_bytes(disk: &Value) -> String {
    let gigabytes = disk.pointer("/diskSizeGB").and_then(Value::as_u64);
    gigabytes.map(|size| size.saturating_mul(1 << 30).to_string()).unwrap_or_default()
}
