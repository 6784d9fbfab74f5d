//! Good requests: one of every kind that any service takes, to be spoiled.

use serde_json::json;
use zaffre::door::{Door, Entrance};

use crate::world::{Ask, Auth, Protocol, World};

pub(super) fn asks(world: &World) -> Vec<Ask> {
    [
        resources(world),
        tokens(world),
        machines(world),
        directory(world),
        blobs(world),
        documents(world),
        others(world),
    ]
    .concat()
}

fn resources(world: &World) -> Vec<Ask> {
    let provider = |path: &str| world.group(&format!("/providers/{path}"));
    let located = json!({ "location": "westeurope" });
    let role = json!({ "properties": {
        "roleName": "Reader of all", "assignableScopes": [world.subscription()],
        "permissions": [{ "actions": ["*/read"] }],
    }});
    let assignment = json!({ "properties": {
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "principalId": "00000000-0000-4000-8000-00000000000f", "principalType": "ServicePrincipal",
    }});
    let federated =
        json!({ "properties": { "issuer": "https://a.example", "subject": "s", "audiences": ["a"] } });
    let account = json!({ "location": "westeurope", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } });
    let machine = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" },
        "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } } });
    let cosmos = json!({ "location": "westus", "properties": { "databaseAccountOfferType": "Standard", "locations": [{ "locationName": "westus", "failoverPriority": 0 }] } });
    let identity = "Microsoft.ManagedIdentity/userAssignedIdentities";
    let compute = |rest: &str| world.group(&format!("/providers/Microsoft.Compute/{rest}"));
    let guid = "00000000-0000-4000-8000-0000000000aa";
    vec![
        world.arm("GET", "/subscriptions?api-version=2022-12-01").titled("GET subscriptions"),
        world.arm("GET", &world.group("?api-version=2024-11-01")).titled("GET a group"),
        world.arm("PUT", &world.group("?api-version=2024-11-01")).json(&located).titled("PUT a group"),
        world.arm("PATCH", &world.group("?api-version=2024-11-01")).json(&json!({ "tags": { "a": "b" } })).titled("PATCH a group"),
        world.arm("DELETE", &format!("{}/resourceGroups/gone?api-version=2024-11-01", world.subscription())).titled("DELETE a group"),
        world.arm("GET", &format!("{}/resources?api-version=2024-11-01&$filter=name%20eq%20'vm'", world.subscription())).titled("GET resources"),
        world.arm("PUT", &provider("Contoso.Things/things/t?api-version=2024-01-01")).json(&located).titled("PUT of an unknown type"),
        world.arm("PUT", &provider(&format!("{identity}/uai?api-version=2023-01-31"))).json(&located).titled("PUT an identity"),
        world.arm("PUT", &provider(&format!("{identity}/uai/federatedIdentityCredentials/f?api-version=2023-01-31"))).json(&federated).titled("PUT a federated credential"),
        world.arm("PUT", &provider(&format!("Microsoft.Authorization/roleDefinitions/{guid}?api-version=2022-04-01"))).json(&role).titled("PUT a role definition"),
        world.arm("PUT", &provider(&format!("Microsoft.Authorization/roleAssignments/{guid}?api-version=2022-04-01"))).json(&assignment).titled("PUT a role assignment"),
        world.arm("GET", &provider("Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=atScope()")).titled("GET role assignments"),
        world.arm("PUT", &world.account("?api-version=2023-05-01")).json(&account).titled("PUT a storage account"),
        world.arm("POST", &world.account("/regenerateKey?api-version=2023-05-01")).json(&json!({ "keyName": "key2" })).titled("POST regenerateKey"),
        world.arm("PUT", &world.account("/blobServices/default/containers/made?api-version=2023-05-01")).json(&json!({ "properties": {} })).titled("PUT a container"),
        world.arm("POST", &format!("{}/providers/Microsoft.Storage/checkNameAvailability?api-version=2023-05-01", world.subscription()))
            .json(&json!({ "name": "other", "type": "Microsoft.Storage/storageAccounts" })).titled("POST checkNameAvailability"),
        world.arm("PUT", &world.vm("?api-version=2024-07-01")).json(&machine).titled("PUT a virtual machine"),
        world.arm("PATCH", &world.vm("?api-version=2024-07-01")).json(&json!({ "identity": { "type": "SystemAssigned" } })).titled("PATCH a virtual machine"),
        world.arm("PUT", &world.vm("/extensions/ManagedIdentityExtensionForLinux?api-version=2024-07-01"))
            .json(&json!({ "location": "westeurope", "properties": { "publisher": "Microsoft.ManagedIdentity", "type": "ManagedIdentityExtensionForLinux", "typeHandlerVersion": "1.0", "settings": { "port": 50342 } } }))
            .titled("PUT an extension"),
        world.arm("PUT", &world.databases("?api-version=2024-11-15")).json(&cosmos).titled("PUT a Cosmos account"),
        world.arm("POST", &world.databases("/listKeys?api-version=2024-11-15")).titled("POST listKeys"),
        world.arm("POST", &world.databases("/regenerateKey?api-version=2024-11-15")).json(&json!({ "keyKind": "secondary" })).titled("POST regenerateKey of Cosmos"),
        world.arm("PUT", &world.databases("/sqlDatabases/made?api-version=2024-11-15")).json(&json!({ "properties": { "resource": { "id": "made" } } })).titled("PUT a SQL database"),
        world.arm("PUT", &world.databases("/sqlDatabases/shop/containers/made?api-version=2024-11-15"))
            .json(&json!({ "properties": { "resource": { "id": "made", "partitionKey": { "paths": ["/a"], "kind": "Hash" } } } })).titled("PUT a SQL container"),
        world.arm("PUT", &world.databases(&format!("/sqlRoleDefinitions/{guid}?api-version=2024-11-15")))
            .json(&json!({ "properties": { "roleName": "r", "type": "CustomRole", "assignableScopes": ["/"], "permissions": [{ "dataActions": ["Microsoft.DocumentDB/databaseAccounts/readMetadata"] }] } }))
            .titled("PUT a SQL role definition"),
        world.arm("PUT", &world.databases(&format!("/sqlRoleAssignments/{guid}?api-version=2024-11-15")))
            .json(&json!({ "properties": { "roleDefinitionId": "00000000-0000-0000-0000-000000000001", "scope": "/dbs/shop", "principalId": zaffre::directory::founding::ADMIN_SERVICE_PRINCIPAL } }))
            .titled("PUT a SQL role assignment"),
        world.arm("POST", &world.vm("/start?api-version=2024-07-01")).titled("POST start"),
        world.arm("PUT", &compute("disks/made?api-version=2024-03-02"))
            .json(&json!({ "location": "westeurope", "sku": { "name": "Premium_LRS" }, "properties": { "creationData": { "createOption": "Empty" }, "diskSizeGB": 4 } }))
            .titled("PUT a disk"),
        world.arm("PUT", &compute("availabilitySets/made?api-version=2024-07-01"))
            .json(&json!({ "location": "westeurope", "sku": { "name": "Aligned" }, "properties": { "platformFaultDomainCount": 2, "platformUpdateDomainCount": 5 } }))
            .titled("PUT an availability set"),
        world.arm("PUT", &compute("images/made?api-version=2024-07-01"))
            .json(&json!({ "location": "westeurope", "properties": { "storageProfile": { "osDisk": { "osType": "Linux", "osState": "Generalized", "managedDisk": { "id": compute("disks/made") } } } } }))
            .titled("PUT an image"),
        world.arm("POST", &world.vm("/attachDetachDataDisks?api-version=2024-07-01"))
            .json(&json!({ "dataDisksToAttach": [{ "diskId": compute("disks/made"), "lun": 1 }] })).titled("POST attachDetachDataDisks"),
        world.arm("POST", &world.vm("/runCommand?api-version=2024-07-01"))
            .json(&json!({ "commandId": "RunShellScript", "script": ["id"], "parameters": [{ "name": "a", "value": "b" }] })).titled("POST runCommand"),
        world.arm("PUT", &world.vm("/runCommands/made?api-version=2024-07-01"))
            .json(&json!({ "location": "westeurope", "properties": { "source": { "script": "id" } } })).titled("PUT a run command"),
        world.arm("PUT", &compute("virtualMachineScaleSets/made?api-version=2024-07-01"))
            .json(&json!({ "location": "westeurope", "sku": { "name": "Standard_B1s", "capacity": 1 }, "properties": { "upgradePolicy": { "mode": "Manual" }, "virtualMachineProfile": { "osProfile": { "adminUsername": "azureuser" } } } }))
            .titled("PUT a scale set"),
        world.arm("POST", &compute("virtualMachineScaleSets/made/start?api-version=2024-07-01"))
            .json(&json!({ "instanceIds": ["0"] })).titled("POST start of a scale set"),
    ]
}

fn tokens(world: &World) -> Vec<Ask> {
    let tenant = world.cloud.charter.tenant;
    let entra = |method: &str, target: &str| {
        Ask::new(Protocol::Entra, Door::named(world.cloud.id), crate::world::ENTRA, method, target)
    };
    let mut first = world.token_request("https://management.azure.com/.default").titled("POST token, v1");
    first.target = format!("/{tenant}/oauth2/token");
    first.body =
        String::from_utf8_lossy(&first.body).replace("scope=", "resource=").replace(".default", "").into();
    vec![
        world.token_request("https://management.azure.com/.default").titled("POST token"),
        first,
        entra("GET", &format!("/{tenant}/v2.0/.well-known/openid-configuration")).titled("GET openid-configuration"),
        entra("GET", "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/v2.0/authorize")
            .titled("GET instance discovery"),
        entra("GET", "/common/userrealm/admin@contoso.onmicrosoft.com?api-version=1.0").titled("GET userrealm"),
    ]
}

fn machines(world: &World) -> Vec<Ask> {
    let form = "application/x-www-form-urlencoded";
    vec![
        world.metadata("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F")
            .titled("GET a token"),
        world.metadata("/metadata/instance?api-version=2021-02-01").titled("GET the instance"),
        world.metadata("/metadata/instance/compute/name?api-version=2021-02-01&format=text").titled("GET a leaf"),
        world.extension("GET", "/oauth2/token?resource=https%3A%2F%2Fmanagement.azure.com%2F").titled("GET of the extension"),
        world.extension("POST", "/oauth2/token").with("content-type", form)
            .body("resource=https%3A%2F%2Fmanagement.azure.com%2F").titled("POST to the extension"),
    ]
}

fn directory(world: &World) -> Vec<Ask> {
    let user = json!({
        "accountEnabled": true, "displayName": "Ada", "mailNickname": "ada",
        "userPrincipalName": "ada@contoso.onmicrosoft.com", "passwordProfile": { "password": "a Long 1 enough" },
    });
    let group =
        json!({ "displayName": "g", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
    let member = json!({ "@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/x" });
    let user_path = format!("/v1.0/users/{}", zaffre::directory::founding::ADMIN_USER);
    vec![
        world
            .graph("GET", "/v1.0/users?$filter=startswith(displayName,'A')&$top=1&$select=id")
            .titled("list users"),
        world.graph("POST", "/v1.0/users").json(&user).titled("create user"),
        world
            .aad_graph("POST", "/applications")
            .json(&json!({ "displayName": "a", "passwordCredentials": [{ "value": "a Long 1 enough" }] }))
            .titled("create application of Azure AD Graph"),
        world
            .aad_graph("POST", "/getObjectsByObjectIds")
            .json(&json!({ "objectIds": [zaffre::directory::founding::ADMIN_USER], "types": ["User"] }))
            .titled("getObjectsByObjectIds"),
        world.graph("PATCH", &user_path).json(&json!({ "displayName": "Admin" })).titled("update user"),
        world
            .graph("POST", "/v1.0/applications")
            .json(&json!({ "displayName": "a" }))
            .titled("create application"),
        world
            .graph(
                "POST",
                &format!(
                    "/v1.0/applications/{}/addPassword",
                    zaffre::directory::founding::ADMIN_APPLICATION_OBJECT
                ),
            )
            .json(&json!({ "passwordCredential": { "displayName": "p" } }))
            .titled("addPassword"),
        world
            .graph("POST", "/v1.0/servicePrincipals")
            .json(&json!({ "appId": "00000003-0000-0000-c000-000000000000" }))
            .titled("create servicePrincipal"),
        world.graph("POST", "/v1.0/groups").json(&group).titled("create group"),
        world.graph("POST", "/v1.0/groups/x/members/$ref").json(&member).titled("add member"),
    ]
}

fn blobs(world: &World) -> Vec<Ask> {
    let list = r#"<?xml version="1.0" encoding="utf-8"?><BlockList><Latest>AAAA</Latest></BlockList>"#;
    let acl = "<SignedIdentifiers><SignedIdentifier><Id>read</Id><AccessPolicy><Expiry>2026-11-23</Expiry>\
               <Permission>r</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>";
    let of = |ask: fn(&World, &str, &str) -> Ask, at: &str| {
        let put = |target: &str| ask(world, "PUT", target).with("x-ms-blob-type", "BlockBlob");
        [
            ask(world, "GET", "?comp=list").titled("List Containers"),
            ask(world, "GET", "/con?restype=container&comp=list").titled("List Blobs"),
            ask(world, "PUT", "/new?restype=container").titled("Create Container"),
            ask(world, "GET", "/con/a.txt").titled("Get Blob"),
            ask(world, "HEAD", "/con/a.txt").titled("Get Blob Properties"),
            put("/con/b.txt").body("content").titled("Put Blob"),
            ask(world, "PUT", "/con/a.txt?comp=metadata")
                .with("x-ms-meta-a", "b")
                .titled("Set Blob Metadata"),
            ask(world, "PUT", "/con/c.txt?comp=block&blockid=AAAA").body("block").titled("Put Block"),
            ask(world, "PUT", "/con/c.txt?comp=blocklist").body(list).titled("Put Block List"),
            ask(world, "PUT", "/con?restype=container&comp=metadata")
                .with("x-ms-meta-a", "b")
                .titled("Set Container Metadata"),
            ask(world, "PUT", "/con?restype=container&comp=acl").body(acl).titled("Set Container ACL"),
            ask(world, "GET", "/con?restype=container&comp=acl").titled("Get Container ACL"),
            ask(world, "DELETE", "/con/gone.txt").titled("Delete Blob"),
        ]
        .map(|ask| {
            let title = format!("{}, {at}", ask.title);
            ask.titled(&title)
        })
    };
    let info = "<KeyInfo><Start>2026-11-22T00:00:00Z</Start><Expiry>2026-11-23T00:00:00Z</Expiry></KeyInfo>";
    let key = world.blob("POST", "/?restype=service&comp=userdelegationkey").body(info);
    let sas = world.sas("sv=2026-04-06&sr=b&sp=r&se=2026-11-22&sip=127.0.0.1", "/con/a.txt");
    let signed = world.blob("GET", &format!("/con/a.txt?{sas}")).by(Auth::None);
    let more = vec![key.titled("Get User Delegation Key"), signed.titled("Get Blob, by a signature")];
    [&of(named, "by token")[..], &of(World::drop_in_blob, "at the drop-in port"), &more].concat()
}

/// At a host of its own the account's path is `/`.
fn named(world: &World, method: &str, target: &str) -> Ask {
    if target.starts_with('?') {
        world.blob(method, &format!("/{target}"))
    } else {
        world.blob(method, target)
    }
}

fn documents(world: &World) -> Vec<Ask> {
    let collection = json!({ "id": "others", "partitionKey": { "paths": ["/a"], "kind": "Hash" } });
    let document = json!({ "id": "2", "customer": "ada" });
    let offer = json!({ "offerVersion": "V2", "content": { "offerThroughput": 400 } });
    let query = json!({ "query": "SELECT * FROM c", "parameters": [] }).to_string();
    vec![
        world.cosmos("GET", "/").titled("ReadDatabaseAccount"),
        world.cosmos("GET", "/dbs").titled("ListDatabases"),
        world.cosmos("POST", "/dbs").json(&json!({ "id": "other" })).titled("CreateDatabase"),
        world.cosmos("GET", "/dbs/shop/colls/orders").titled("ReadCollection"),
        world.cosmos("POST", "/dbs/shop/colls").json(&collection).titled("CreateCollection"),
        world
            .cosmos("PUT", "/dbs/shop/colls/orders")
            .json(&json!({ "id": "orders", "partitionKey": { "paths": ["/customer"], "kind": "Hash" } }))
            .titled("ReplaceCollection"),
        world.document("GET", "/1").titled("ReadDocument"),
        world.document("POST", "").json(&document).titled("CreateDocument"),
        world
            .document("POST", "")
            .with("x-ms-documentdb-is-upsert", "True")
            .json(&document)
            .titled("UpsertDocument"),
        world.document("PUT", "/1").json(&json!({ "id": "1", "customer": "ada" })).titled("ReplaceDocument"),
        world
            .document("POST", "")
            .with("x-ms-documentdb-isquery", "True")
            .with("content-type", "application/query+json")
            .body(query)
            .titled("QueryDocuments"),
        world.document("DELETE", "/gone").titled("DeleteDocument"),
        world.account_document("GET", "/1").titled("ReadDocument by token"),
        world
            .account_document("POST", "")
            .json(&json!({ "id": "3", "customer": "ada" }))
            .titled("CreateDocument by token"),
        world.cosmos("GET", "/offers").titled("ListOffers"),
        world.cosmos("PUT", "/offers/none").json(&offer).titled("ReplaceOffer"),
    ]
}

fn others(world: &World) -> Vec<Ask> {
    let door = Door::named(world.cloud.id);
    let plain = |host: &str, method: &str, target: &str| {
        Ask::new(Protocol::Plain, door.clone(), host, method, target)
    };
    let control = |method: &str, target: &str| {
        Ask::new(Protocol::Plain, Door::at(world.cloud.id, Entrance::Control), "localhost", method, target)
    };
    vec![
        plain("vault.azure.net", "POST", "/secrets").by(Auth::None).titled("elsewhere"),
        Ask::new(
            Protocol::Text,
            door.clone(),
            "azcliprod.blob.core.windows.net",
            "GET",
            "/cli/vm/aliases.json",
        )
        .titled("the catalogue"),
        Ask::new(
            Protocol::Text,
            Door::at(world.cloud.id, Entrance::Proxy),
            "127.0.0.1:10080",
            "GET",
            "/proxy.pac",
        )
        .titled("the proxy's own port"),
        control("GET", "/vms").titled("control: machines"),
        control("GET", "/env?as_vm=vm").titled("control: variables"),
        control("POST", "/vms/vm/exec").json(&json!({ "command": ["true"] })).titled("control: exec"),
    ]
}
