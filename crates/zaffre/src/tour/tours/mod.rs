//! The pages, and the pieces that several of them share.

pub(super) mod cosmos_keys;
pub(super) mod cosmos_rbac;
pub(super) mod resource_manager;
pub(super) mod storage;
pub(super) mod windows_cosmos;

use serde_json::{Value, json};

use super::{
    corrections,
    step::{Ask, By, Check, Run, Step},
};

/// Something in the subscription.
fn arm(path: &str) -> String {
    format!("https://management.azure.com/subscriptions/<SUBSCRIPTION ID>{path}")
}

/// Something in a resource group, as an id.
fn id(group: &str, rest: &str) -> String {
    format!("/subscriptions/<SUBSCRIPTION ID>/resourceGroups/{group}/providers/{rest}")
}

fn url(group: &str, rest: &str) -> String {
    format!("https://management.azure.com{}", id(group, rest))
}

/// A machine's make.
struct Machine {
    group: &'static str,
    location: &'static str,
    name: &'static str,
    image: [&'static str; 3],
    identity: Option<Value>,
}

const UBUNTU: [&str; 3] = ["Canonical", "UbuntuServer", "16.04-LTS"];
const WINDOWS: [&str; 3] = ["MicrosoftWindowsServer", "WindowsServer", "2016-Datacenter"];

/// What the portal sends, and az too by way of a deployment: the group, the network, the machine.
fn machine(of: &Machine) -> Vec<Ask> {
    let Machine { group, location, name, image, identity } = of;
    let place = |properties: Value| json!({ "location": location, "properties": properties });
    let network = json!({
        "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "default", "properties": { "addressPrefix": "10.0.0.0/24" } }],
    });
    let vnet = format!("Microsoft.Network/virtualNetworks/{name}VNET");
    let nic = format!("Microsoft.Network/networkInterfaces/{name}VMNic");
    let subnet = json!({ "id": format!("{}/subnets/default", id(group, &vnet)) });
    let interface = json!({ "ipConfigurations": [{
        "name": "ipconfig1",
        "properties": { "privateIPAddress": "10.0.0.4", "privateIPAllocationMethod": "Dynamic", "subnet": subnet },
    }] });
    let [publisher, offer, sku] = image;
    let mut vm = place(json!({
        "hardwareProfile": { "vmSize": "Standard_DS1_v2" },
        "storageProfile": {
            "imageReference": { "publisher": publisher, "offer": offer, "sku": sku, "version": "latest" },
        },
        "osProfile": { "computerName": name, "adminUsername": "azureuser", "adminPassword": "myPassword-12" },
        "networkProfile": { "networkInterfaces": [{ "id": id(group, &nic) }] },
    }));
    if let Some(identity) = identity {
        vm["identity"] = identity.clone();
    }
    let made = Ask::put(machine_url(group, name), &vm)
        .check(Check::Is("/properties/provisioningState", "Succeeded".to_owned()))
        .check(Check::Lacks("/properties/osProfile/adminPassword"))
        .keep("VM ID", "/id")
        .keep("VM GUID", "/properties/vmId");
    let made = match identity {
        Some(_) => made.keep("VM PRINCIPALID", "/identity/principalId"),
        None => made.check(Check::Lacks("/identity")),
    };
    vec![
        Ask::put(
            arm(&format!("/resourceGroups/{group}?api-version=2021-04-01")),
            &json!({ "location": location }),
        ),
        Ask::put(url(group, &format!("{vnet}?api-version=2021-02-01")), &place(network)).brief(),
        Ask::put(url(group, &format!("{nic}?api-version=2021-02-01")), &place(interface)).brief(),
        made,
    ]
}

fn machine_url(group: &str, name: &str) -> String {
    url(group, &format!("Microsoft.Compute/virtualMachines/{name}?api-version=2018-06-01"))
}

/// `az identity create`, as the az of the pages sends it: today's asks for another version, which has no `clientSecretUrl`.
fn identity(group: &'static str, name: &'static str) -> Step {
    let path =
        format!("Microsoft.ManagedIdentity/userAssignedIdentities/{name}?api-version=2015-08-31-PREVIEW");
    Step::new("Create a user-assigned identity")
        .typed(format!("az identity create -g {group} -n {name}"))
        .asks(Ask::get(arm(&format!("/resourceGroups/{group}?api-version=2017-05-10"))).brief())
        .asks(
            Ask::put(url(group, &path), &json!({ "location": "westcentralus" }))
                .check(Check::Has("/properties/clientSecretUrl"))
                .keep("MSI ID", "/id")
                .keep("MSI PRINCIPALID", "/properties/principalId")
                .keep("MSI CLIENT ID", "/properties/clientId"),
        )
}

/// Assigns the identity to a machine.
fn assign(group: &'static str, vm: &'static str) -> Step {
    let block =
        json!({ "identity": { "type": "UserAssigned", "userAssignedIdentities": { "<MSI ID>": {} } } });
    Step::new("Assign the identity to the machine")
        .corrected(&corrections::ASSIGN_IDENTITY)
        .typed(format!("az vm identity assign -g {group} -n {vm} --identities \"<MSI ID>\""))
        .asks(Ask::get(machine_url(group, vm)).brief())
        .asks(
            Ask::patch(machine_url(group, vm), &block)
                .check(Check::Is("/identity/type", "UserAssigned".to_owned()))
                .check(Check::Says("<MSI CLIENT ID>".to_owned()))
                .showing("/identity"),
        )
}

/// The old extension, by which the machine answers at localhost:50342.
fn extension(group: &str, vm: &str) -> Ask {
    let name = "ManagedIdentityExtensionForLinux";
    let path = format!("Microsoft.Compute/virtualMachines/{vm}/extensions/{name}?api-version=2017-12-01");
    let body = json!({ "location": "westus", "properties": {
        "publisher": "Microsoft.ManagedIdentity", "type": name, "typeHandlerVersion": "1.0",
        "autoUpgradeMinorVersion": true, "settings": { "port": 50342 },
    } });
    Ask::put(url(group, &path), &body)
        .check(Check::Is("/properties/provisioningState", "Succeeded".to_owned()))
}

/// What `az role assignment create` sends to Resource Manager: the role by its name, the assignment under a new one.
fn grant(scope: &str, role: &str, principal: &str) -> Vec<Ask> {
    let scope = format!("https://management.azure.com{scope}/providers/Microsoft.Authorization");
    let filter = azure::text::percent_encode(&format!("roleName eq '{role}'"));
    let body =
        json!({ "properties": { "roleDefinitionId": "<ROLE ID>", "principalId": format!("<{principal}>") } });
    vec![
        Ask::get(format!("{scope}/roleDefinitions?$filter={filter}&api-version=2018-01-01-preview"))
            .keep("ROLE ID", "/value/0/id")
            .brief(),
        Ask::put(format!("{scope}/roleAssignments/<new GUID>?api-version=2018-01-01-preview"), &body)
            .check(Check::Is("/properties/principalId", format!("<{principal}>"))),
    ]
}

/// A role cannot be given to a principal that is no more.
fn is_unknown(scope: &str, principal: &str) -> Ask {
    let reader = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let body =
        json!({ "properties": { "roleDefinitionId": reader, "principalId": format!("<{principal}>") } });
    let path = "/providers/Microsoft.Authorization/roleAssignments/<new GUID>?api-version=2022-04-01";
    Ask::put(format!("https://management.azure.com{scope}{path}"), &body)
        .status(400)
        .check(Check::Is("/error/code", "PrincipalNotFound".to_owned()))
}

/// Takes the machine away.
fn delete_machine(group: &'static str, vm: &'static str) -> Step {
    let listed = arm(
        "/resources?$filter=resourceType%20eq%20'Microsoft.Compute%2FvirtualMachines'&api-version=2021-04-01",
    );
    Step::new("Delete the machine, and its guest with it")
        .typed(format!(
            "az resource delete --resource-group {group} --name {vm} --resource-type \"Microsoft.Compute/virtualMachines\""
        ))
        .asks(Ask::delete(machine_url(group, vm)).status(202))
        .asks(Ask::get(machine_url(group, vm)).status(404).check(Check::Is("/error/code", "ResourceNotFound".to_owned())))
        .asks(Ask::get(listed).check(Check::Lacks("/value/0")).brief())
        .asks(no_token())
}

/// What comes through the machine's own door, which nobody has any more, gets no token.
fn no_token() -> Ask {
    Ask::get("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F")
        .by(By::MachineDoor)
        .status(400)
        .check(Check::Is("/error_description", "Identity not found".to_owned()))
}

/// A user-assigned identity outlives the machine, and not its own deletion.
fn delete_identity(group: &'static str, name: &'static str, scope: &str) -> Step {
    let path = format!("Microsoft.ManagedIdentity/userAssignedIdentities/{name}?api-version=2023-01-31");
    Step::new("The identity is still there without its machine; delete it, and its principal is gone")
        .typed(format!("az identity delete -g {group} -n {name}"))
        .asks(Ask::get(url(group, &path)).brief())
        .asks(Ask::delete(url(group, &path)))
        .asks(
            Ask::get(url(group, &path))
                .status(404)
                .check(Check::Is("/error/code", "ResourceNotFound".to_owned())),
        )
        .asks(is_unknown(scope, "MSI PRINCIPALID"))
}

const COSMOS_VERSION: &str = "2021-04-15";

fn cosmos_id(group: &str, account: &str) -> String {
    id(group, &format!("Microsoft.DocumentDB/databaseAccounts/{account}"))
}

/// The account, as the portal makes it.
fn cosmos_account(group: &'static str, account: &'static str) -> Step {
    let url =
        format!("https://management.azure.com{}?api-version={COSMOS_VERSION}", cosmos_id(group, account));
    let body = json!({ "location": "westus", "kind": "GlobalDocumentDB", "properties": {
        "databaseAccountOfferType": "Standard",
        "locations": [{ "locationName": "West US", "failoverPriority": 0 }],
    } });
    let made = Ask::put(url, &body).status(200).check(Check::Is(
        "/properties/documentEndpoint",
        format!("https://{account}.documents.azure.com:443/"),
    ));
    Step::new("Create a Cosmos DB account (in the portal)").asks(made)
}

/// The database and the collection `Test`, with the lowest throughput.
fn cosmos_collection(group: &'static str, account: &'static str) -> Step {
    let base = format!("https://management.azure.com{}/sqlDatabases/Test", cosmos_id(group, account));
    let database = json!({ "properties": { "resource": { "id": "Test" }, "options": {} } });
    let container = json!({ "properties": {
        "resource": { "id": "Test", "partitionKey": { "paths": ["/pk"], "kind": "Hash" } },
        "options": { "throughput": 400 },
    } });
    let version = format!("?api-version={COSMOS_VERSION}");
    Step::new("Create a database and a collection, both `Test`, with 400 RU/s (in the portal)")
        .asks(Ask::put(format!("{base}{version}"), &database).status(202).brief())
        .asks(
            Ask::put(format!("{base}/containers/Test{version}"), &container)
                .status(202)
                .check(Check::Is("/properties/resource/id", "Test".to_owned())),
        )
}

/// What `az cosmosdb collection show` asks of the account itself, with a key (az-cli.md §10).
fn collection_show(account: &str, key: &'static str) -> Vec<Ask> {
    let host = format!("https://{account}.documents.azure.com");
    let ask = |path: &str| {
        Ask::get(format!("{host}{path}")).by(By::CosmosKey(key)).header("x-ms-version", "2018-09-17")
    };
    vec![
        ask("/").check(Check::Is("/id", account.to_owned())).brief(),
        ask("/dbs/Test/colls/Test/").check(Check::Is("/id", "Test".to_owned())).keep("COLLECTION", "/_self"),
        ask("/offers")
            .check(Check::Is("/Offers/0/resource", "<COLLECTION>".to_owned()))
            .check(Check::Is("/Offers/0/content/offerThroughput", "400".to_owned())),
    ]
}

fn show_line(account: &str) -> String {
    format!(
        "az cosmosdb collection show -c Test -d Test --url-connection \"https://{account}.documents.azure.com:443/\" --key <ACCESS KEY>"
    )
}

/// The token that the page has one fetch, kept.
fn token(vm: &'static str, script: impl Into<String>) -> Run {
    Run::in_vm(vm, script)
        .status(200)
        .check(Check::Is("/token_type", "Bearer".to_owned()))
        .check(Check::Has("/expires_on"))
        .keep("ACCESS TOKEN", "/access_token")
}

/// Refused by Resource Manager for want of a role.
fn refused(run: Run) -> Run {
    run.status(403).check(Check::Is("/error/code", "AuthorizationFailed".to_owned()))
}

/// A request as Windows PowerShell 5.1 sends it: its user agent, no `Accept`, and a length with every POST.
fn as_powershell(words: &str) -> String {
    format!(
        "curl -A 'Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.14393.8783' -H 'Accept:' -H 'Connection: Keep-Alive' {words}"
    )
}
