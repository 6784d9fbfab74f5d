//! Virtual machines by whole requests, where nobody follows: a machine is as it should be when it is written.

use std::sync::Arc;

use azure::{ids::ResourceId, time::Timestamp};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::run_command;
use crate::{
    Server,
    cloud::{CloudId, DEFAULT_SUBSCRIPTION},
    door::Door,
    resources::operations::{self, Gives, Operation, Status},
    service::{Body, Cx},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);

/// The administrator of a fresh cloud with the group `rg`.
struct Admin {
    server: Arc<Server>,
    token: String,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

impl Admin {
    async fn new() -> Self {
        let server = Server::in_memory(7, NOW).await;
        let mut admin = Admin { server, token: String::new() };
        let credentials = admin.server.credentials(CloudId::DEFAULT).expect("the default cloud");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            credentials.client_id,
            azure::text::percent_encode(&credentials.client_secret)
        );
        let request = Request::post(format!(
            "https://login.microsoftonline.com/{}/oauth2/v2.0/token",
            credentials.tenant
        ))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
        let answer = admin.ask(request.expect("a request")).await;
        admin.token = answer.body["access_token"].as_str().expect("a token").to_owned();
        admin.arm("PUT", "?api-version=2021-04-01", json!({ "location": "westeurope" })).await;
        admin
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.server.send(Door::named(CloudId::DEFAULT), request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A request to something in the group.
    async fn arm(&self, method: &str, path: &str, body: Value) -> Answer {
        let uri = format!(
            "https://management.azure.com/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/rg{path}"
        );
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {}", self.token));
        self.ask(request.header("content-type", "application/json").body(body).expect("a request")).await
    }

    async fn vm(&self, method: &str, rest: &str, body: Value) -> Answer {
        self.arm(method, &format!("/providers/Microsoft.Compute/virtualMachines/vm1{rest}"), body).await
    }

    async fn identity(&self, name: &str) -> String {
        let path = format!(
            "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}?api-version=2023-01-31"
        );
        let answer = self.arm("PUT", &path, json!({ "location": "westeurope" })).await;
        answer.body["id"].as_str().expect("an identity").to_owned()
    }
}

fn plain() -> Value {
    json!({ "location": "westeurope", "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } } })
}

fn with_identity(identity: Value) -> Value {
    let mut body = plain();
    body["identity"] = identity;
    body
}

#[tokio::test]
async fn a_new_machine_has_everything_that_azure_fills_in_and_no_secret() {
    let admin = Admin::new().await;
    let body = json!({
        "location": "westeurope",
        "properties": {
            "hardwareProfile": { "vmSize": "Standard_D2s_v5" },
            "storageProfile": {
                "imageReference": { "publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS", "version": "latest" },
                "osDisk": { "createOption": "fromImage", "name": null, "managedDisk": { "storageAccountType": null } },
            },
            "osProfile": { "computerName": "vm1", "adminUsername": "azureuser", "adminPassword": "Secret-123", "customData": "c2VjcmV0" },
            "networkProfile": { "networkInterfaces": [{ "id": "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/nic1" }] },
        },
    });
    let answer = admin.vm("PUT", "?api-version=2024-07-01", body).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    assert!(!answer.headers.contains_key("azure-asyncoperation"), "it is done");
    let properties = &answer.body["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["vmId"].as_str().map(str::len), Some(36));
    let disk = &properties["storageProfile"]["osDisk"];
    assert_eq!((&disk["osType"], &disk["diskSizeGB"]), (&json!("Linux"), &json!(30)));
    assert!(disk["name"].as_str().expect("a name").starts_with("vm1_OsDisk_1_"));
    assert_eq!(properties["storageProfile"]["imageReference"]["exactVersion"], "16.04.202109281");
    let kept = admin.vm("GET", "?api-version=2024-07-01", Value::Null).await.body;
    assert_eq!(kept["properties"], *properties);
    for secret in ["Secret-123", "c2VjcmV0"] {
        assert!(!kept.to_string().contains(secret));
    }
}

#[tokio::test]
async fn the_machine_keeps_its_id_and_its_disk_when_it_is_written_again_as_it_was_read() {
    let admin = Admin::new().await;
    let made = admin.vm("PUT", "?api-version=2024-07-01", plain()).await.body;
    let again = admin.vm("PUT", "?api-version=2024-07-01", made.clone()).await;
    assert_eq!(again.status, 200, "{:#}", again.body);
    assert_eq!(again.body["properties"], made["properties"]);
    let bare = admin.vm("PUT", "?api-version=2024-07-01", plain()).await.body;
    assert_eq!(bare["properties"]["storageProfile"], made["properties"]["storageProfile"]);
}

#[tokio::test]
async fn what_a_machine_was_made_with_does_not_change() {
    let admin = Admin::new().await;
    admin.vm("PUT", "?api-version=2024-07-01", plain()).await;
    let mut other = plain();
    other["properties"]["osProfile"] = json!({ "adminUsername": "another" });
    let answer = admin.vm("PUT", "?api-version=2024-07-01", other).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (409, &json!("PropertyChangeNotAllowed")));
}

#[tokio::test]
async fn an_image_of_windows_makes_a_machine_that_says_so() {
    let admin = Admin::new().await;
    let mut body = plain();
    body["properties"]["storageProfile"] = json!({ "imageReference":
        { "publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2016-Datacenter", "version": "latest" } });
    let made = admin.vm("PUT", "?api-version=2024-07-01", body).await.body;
    assert_eq!(made["properties"]["storageProfile"]["osDisk"]["osType"], "Windows");
    assert_eq!(made["properties"]["osProfile"]["windowsConfiguration"]["provisionVMAgent"], true);
}

#[tokio::test]
async fn names_that_no_machine_can_have_are_refused() {
    let admin = Admin::new().await;
    for profile in [
        json!({ "adminUsername": "root" }),
        json!({ "adminUsername": "a:b" }),
        json!({ "computerName": "a b" }),
        json!({ "computerName": "x".repeat(65) }),
        json!("text"),
    ] {
        let mut body = plain();
        body["properties"]["osProfile"] = profile.clone();
        let answer = admin.vm("PUT", "?api-version=2024-07-01", body).await;
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!("InvalidParameter")),
            "{profile}"
        );
    }
    assert_eq!(admin.vm("GET", "?api-version=2024-07-01", Value::Null).await.status, 404);
}

#[tokio::test]
async fn each_api_version_spells_the_identity_block_its_own_way() {
    let admin = Admin::new().await;
    let id = admin.identity("id1").await;
    let both = json!({ "type": "SystemAssigned, UserAssigned", "userAssignedIdentities": { &id: {} } });
    admin.vm("PUT", "?api-version=2018-06-01", with_identity(both)).await;
    for (version, kind, ids, map) in [
        ("2015-06-15", Value::Null, false, false),
        ("2017-03-30", json!("SystemAssigned"), false, false),
        ("2017-12-01", json!("SystemAssigned, UserAssigned"), true, false),
        ("2018-06-01", json!("SystemAssigned, UserAssigned"), false, true),
        ("2026-04-01", json!("SystemAssigned, UserAssigned"), false, true),
        ("2030-01-01", json!("SystemAssigned, UserAssigned"), false, true),
    ] {
        let shown = admin.vm("GET", &format!("?api-version={version}"), Value::Null).await.body;
        let block = &shown["identity"];
        assert_eq!(block["type"], kind, "{version}: {shown:#}");
        assert_eq!(block["identityIds"].is_array(), ids, "{version}");
        assert_eq!(block["userAssignedIdentities"].is_object(), map, "{version}");
        assert_eq!(block["principalId"].is_string(), kind != Value::Null, "{version}");
    }
}

/// az-cli.md §7: what az PATCHes, and what it must mean.
#[tokio::test]
async fn a_patch_of_the_identity_means_what_az_means_by_it() {
    let admin = Admin::new().await;
    let (a, b) = (admin.identity("one").await, admin.identity("two").await);
    let patch = async |body: Value| {
        let answer = admin.vm("PATCH", "?api-version=2024-11-01", json!({ "identity": body })).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        let block = answer.body["identity"].clone();
        let users = block["userAssignedIdentities"].as_object().map_or(0, |it| it.len());
        (
            block["type"].as_str().unwrap_or("-").to_owned(),
            users,
            block["principalId"].as_str().map(str::to_owned),
        )
    };
    admin.vm("PUT", "?api-version=2024-11-01", plain()).await;

    let system = patch(json!({ "type": "SystemAssigned" })).await;
    assert_eq!((system.0.as_str(), system.1), ("SystemAssigned", 0));
    assert_eq!(patch(json!({ "type": "SystemAssigned" })).await.2, system.2, "the principal stays");

    let both = json!({ "type": "SystemAssigned,UserAssigned", "userAssignedIdentities": { &a: {} } });
    assert_eq!(patch(both).await.1, 1);
    let more = json!({ "type": "SystemAssigned,UserAssigned", "userAssignedIdentities": { &b: {} } });
    assert_eq!(patch(more).await, ("SystemAssigned, UserAssigned".to_owned(), 2, system.2.clone()));

    let less = json!({ "type": "SystemAssigned,UserAssigned", "userAssignedIdentities": { a.to_lowercase(): null } });
    assert_eq!(patch(less).await.1, 1, "null removes the one");
    let users = patch(json!({ "type": "UserAssigned", "userAssignedIdentities": null })).await;
    assert_eq!((users.0.as_str(), users.1, users.2), ("UserAssigned", 1, None), "a null map removes none");
    let system_again = patch(json!({ "type": "SystemAssigned", "userAssignedIdentities": null })).await;
    assert_eq!((system_again.0.as_str(), system_again.1), ("SystemAssigned", 0));
    assert_ne!(system_again.2, system.2, "switched on again it is another principal");
    assert_eq!(patch(json!({ "type": "None", "userAssignedIdentities": null })).await.0, "-");
}

#[tokio::test]
async fn an_identity_that_is_not_there_is_refused_and_nothing_is_made() {
    let admin = Admin::new().await;
    let missing = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/no";
    let body = with_identity(json!({ "type": "UserAssigned", "userAssignedIdentities": { missing: {} } }));
    let answer = admin.vm("PUT", "?api-version=2024-07-01", body).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!("FailedIdentityOperation")));
    assert_eq!(admin.vm("GET", "?api-version=2024-07-01", Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_principal_dies_with_its_machine_and_one_made_again_is_another() {
    let admin = Admin::new().await;
    let body = with_identity(json!({ "type": "SystemAssigned" }));
    let first = admin.vm("PUT", "?api-version=2024-07-01", body.clone()).await.body;
    let principal = first["identity"]["principalId"].as_str().expect("a principal").to_owned();
    let gone = admin.vm("DELETE", "?api-version=2024-07-01", Value::Null).await;
    assert_eq!(gone.status, 202);
    assert!(gone.headers.contains_key("azure-asyncoperation"));
    let id = azure::ids::ObjectId(principal.parse().expect("a guid"));
    let store = &admin.server.env.store;
    let found = store.read(CloudId::DEFAULT, |txn| crate::directory::get(txn, id)).await.expect("reads");
    assert!(found.is_none(), "the principal is gone");
    assert_eq!(admin.vm("GET", "?api-version=2024-07-01", Value::Null).await.status, 404);
    let second = admin.vm("PUT", "?api-version=2024-07-01", body).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.body["identity"]["principalId"], first["identity"]["principalId"]);
    assert_ne!(second.body["properties"]["vmId"], first["properties"]["vmId"]);
}

#[tokio::test]
async fn power_is_what_the_instance_view_says_it_is() {
    let admin = Admin::new().await;
    admin.vm("PUT", "?api-version=2024-07-01", plain()).await;
    for (action, code, has_location) in [
        ("powerOff", "PowerState/stopped", true),
        ("start", "PowerState/running", false),
        ("deallocate", "PowerState/deallocated", true),
        ("restart", "PowerState/deallocated", false),
        ("start", "PowerState/running", false),
        ("restart", "PowerState/running", false),
        ("reimage", "PowerState/running", true),
        ("reapply", "PowerState/running", true),
    ] {
        let answer = admin.vm("POST", &format!("/{action}?api-version=2022-11-01"), Value::Null).await;
        assert_eq!(answer.status, 202, "{action}: {:#}", answer.body);
        assert!(answer.headers.contains_key("azure-asyncoperation"), "{action}");
        assert_eq!(answer.headers.contains_key("location"), has_location, "{action}");
        let view = admin.vm("GET", "/instanceView?api-version=2024-07-01", Value::Null).await.body;
        assert_eq!(view["statuses"][1]["code"], code, "{action}");
        let whole = admin.vm("GET", "?$expand=instanceView&api-version=2024-07-01", Value::Null).await.body;
        assert_eq!(whole["properties"]["instanceView"]["statuses"][1]["code"], code, "{action}");
    }
    let later = admin.vm("POST", "/capture?api-version=2024-07-01", json!({})).await;
    assert_eq!((later.status, &later.body["error"]["code"]), (501, &json!("NotImplemented")));
}

#[tokio::test]
async fn the_identity_extension_is_shown_with_its_machine_and_others_are_refused_by_name() {
    let admin = Admin::new().await;
    admin.vm("PUT", "?api-version=2017-12-01", plain()).await;
    let extension = |name: &str| {
        json!({ "location": "westeurope", "properties": {
            "publisher": "Microsoft.ManagedIdentity", "type": name, "typeHandlerVersion": "1.0",
            "settings": { "port": 50342 }, "protectedSettings": { "secret": "abc" } } })
    };
    let path = "/extensions/ManagedIdentityExtensionForLinux?api-version=2017-12-01";
    let made = admin.vm("PUT", path, extension("ManagedIdentityExtensionForLinux")).await;
    assert_eq!((made.status, &made.body["properties"]["provisioningState"]), (201, &json!("Succeeded")));
    let whole = admin.vm("GET", "?api-version=2017-12-01", Value::Null).await.body;
    assert_eq!(whole["resources"][0]["properties"]["settings"]["port"], 50342);
    assert!(!whole.to_string().contains("abc"), "protected settings are kept nowhere");
    let refused = admin.vm("PUT", "/extensions/x?api-version=2017-12-01", extension("CustomScript")).await;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (501, &json!("NotImplemented")));
    admin.vm("DELETE", path, Value::Null).await;
    let whole = admin.vm("GET", "?api-version=2017-12-01", Value::Null).await.body;
    assert_eq!(whole["resources"], Value::Null);
}

#[tokio::test]
async fn the_latest_version_of_an_image_is_found_as_az_looks_for_it() {
    let admin = Admin::new().await;
    let base = "https://management.azure.com/subscriptions/7af7e000-c10d-4000-8000-00000000005b/providers/Microsoft.Compute/locations/westeurope";
    let get = async |path: &str| {
        let request =
            Request::get(format!("{base}{path}")).header("authorization", format!("Bearer {}", admin.token));
        admin.ask(request.body(Body::empty()).expect("a request")).await
    };
    let versions = "/publishers/Canonical/artifacttypes/vmimage/offers/UbuntuServer/skus/16.04-LTS/versions";
    let listed =
        get(&format!("{versions}?$expand=properties&$orderby=name%20desc&$top=1&api-version=2024-11-01"))
            .await;
    let name = listed.body[0]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!(listed.status, 200, "{:#}", listed.body);
    let version = get(&format!("{versions}/{name}?api-version=2024-11-01")).await;
    assert_eq!(version.body["properties"]["osDiskImage"]["operatingSystem"], "Linux");
    let sizes = get("/vmSizes?api-version=2024-11-01").await;
    assert!(sizes.body["value"].as_array().is_some_and(|it| it.len() > 10));
    assert_eq!(
        get("/publishers/No/artifacttypes/vmimage/offers/x/skus/y/versions?api-version=2024-11-01")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_machine_that_asks_for_its_events_is_told_of_a_restart_and_a_redeployment() {
    let admin = Admin::new().await;
    let made = admin
        .vm("PUT", "?api-version=2024-07-01", json!({ "location": "westeurope", "properties": {} }))
        .await;
    let vm: azure::ids::ResourceId = made.body["id"].as_str().expect("an id").parse().expect("an id");
    let vm_id = made.body["properties"]["vmId"].as_str().expect("a vmId").parse().expect("a guid");
    let events = async || {
        let request = Request::get("/metadata/scheduledevents?api-version=2020-07-01")
            .header("host", "169.254.169.254")
            .header("metadata", "true");
        let door = Door::metadata(CloudId::DEFAULT, vm.clone(), vm_id);
        let response = admin.server.send(door, request.body(Body::empty()).expect("a request")).await;
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        let body: Value = serde_json::from_slice(&bytes).expect("is JSON");
        let of = |it: &Value| {
            format!("{} {} {}", it["EventType"], it["EventStatus"], it["EventSource"]).replace('"', "")
        };
        body["Events"].as_array().expect("a list").iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(admin.vm("POST", "/restart?api-version=2024-07-01", Value::Null).await.status, 202);
    assert_eq!(events().await, Vec::<String>::new(), "it had not asked before");
    assert_eq!(admin.vm("POST", "/restart?api-version=2024-07-01", Value::Null).await.status, 202);
    assert_eq!(events().await, ["Reboot Started User"]);
    assert_eq!(admin.vm("POST", "/redeploy?api-version=2024-07-01", Value::Null).await.status, 202);
    assert_eq!(events().await.len(), 2);
}

#[tokio::test]
async fn a_script_whose_program_ended_under_it_is_ended_as_failed_by_the_next_one() {
    let admin = Admin::new().await;
    admin.vm("PUT", "?api-version=2024-07-01", plain()).await;
    let script = json!({ "location": "westeurope", "properties": { "source": { "script": "sleep 1000" } } });
    let path = "/runCommands/slow?api-version=2024-07-01";
    assert_eq!(admin.vm("PUT", path, script).await.status, 201);
    let cloud = admin.server.cloud(CloudId::DEFAULT).expect("a cloud");
    let cx = Cx::internal(&admin.server.env, &cloud, Door::named(cloud.id));
    let operation = Operation::new(cx.draw().guid(), &ResourceId::root(), Gives::Output, NOW);
    cx.write(|txn| run_command::begun(txn, &operation)).await.expect("writes");
    for _ in 0..2 {
        cx.write(|txn| run_command::fail_interrupted(txn, NOW)).await.expect("writes");
    }
    let ended = cx.read(|txn| operations::get(txn, operation.id)).await.expect("reads").expect("is there");
    assert!(matches!(ended.status, Status::Failed { code, .. } if code == "RunCommandInterrupted"));
    let shown = admin.vm("GET", &format!("{path}&$expand=instanceView"), Value::Null).await.body;
    let view = &shown["properties"]["instanceView"];
    assert_eq!(view["executionState"], "Unknown");
    assert!(view["executionMessage"].as_str().is_some_and(|it| it.contains("ended before the script")));
}
