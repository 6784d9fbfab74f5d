//! One resource of every kind, made in the order of the tables, and where its likes would be.

use std::time::Duration;

use azure::{
    ids::ResourceId,
    names::{self, Special},
};
use serde_json::{Value, json};
use zaffre::{
    arm::{
        self,
        kind::{Kind, Located, Place, Provider},
    },
    directory::founding,
    products::PROVIDERS,
};

use super::cases::Steps;
use crate::world::{Answer, Ask, World};

/// A cloud with a resource of every kind.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) subjects: Vec<Subject>,
}

/// A kind, and its resource.
pub(super) struct Subject {
    /// `Microsoft.Compute/virtualMachines`.
    pub(super) name: String,
    pub(super) kind: &'static Kind,
    /// Of the resource.
    pub(super) path: String,
    /// Of the parent, or the scope that it is at.
    pub(super) parent: String,
    pub(super) version: String,
    pub(super) body: Value,
    /// Whether a PUT makes one; others are made with their parent, or by nobody.
    pub(super) is_put: bool,
    /// Whether it is there.
    pub(super) is_there: bool,
}

/// What a kind needs that its row does not say.
struct Needs {
    kind: &'static str,
    /// None: any that its rule allows.
    name: Option<&'static str>,
    body: fn(&World) -> Value,
    is_put: bool,
}

const fn body(kind: &'static str, body: fn(&World) -> Value) -> Needs {
    Needs { kind, name: None, body, is_put: true }
}

/// Of this one name.
const fn named(kind: &'static str, name: &'static str, body: fn(&World) -> Value) -> Needs {
    Needs { kind, name: Some(name), body, is_put: true }
}

/// Nobody's to make by a PUT.
const fn given(kind: &'static str, name: &'static str) -> Needs {
    Needs { kind, name: Some(name), body: |_| json!({ "properties": {} }), is_put: false }
}

fn template() -> Value {
    json!({ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "resources": [] })
}

const GUID: &str = "00000000-0000-4000-8000-0000000000";

#[rustfmt::skip]
static NEEDS: &[Needs] = &[
    body("Microsoft.Resources/deployments", |_| json!({ "properties": { "mode": "Incremental", "template": template() } })),
    named("Microsoft.Resources/tags", "default", |_| json!({ "properties": { "tags": { "a": "b" } } })),
    body("Microsoft.Resources/deploymentStacks", |_| json!({ "properties": {
        "actionOnUnmanage": { "resources": "detach", "resourceGroups": "detach" }, "denySettings": { "mode": "none" }, "template": template() } })),
    body("Microsoft.Resources/templateSpecs/versions", |_| json!({ "location": "westeurope", "properties": { "mainTemplate": template() } })),
    body("Microsoft.Authorization/roleDefinitions", |world| json!({ "properties": {
        "roleName": "Reader of all", "assignableScopes": [world.group("")], "permissions": [{ "actions": ["*/read"] }] } })),
    body("Microsoft.Authorization/roleAssignments", |_| json!({ "properties": {
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "principalId": founding::ADMIN_SERVICE_PRINCIPAL, "principalType": "ServicePrincipal" } })),
    given("Microsoft.Authorization/denyAssignments", "00000000-0000-4000-8000-0000000000dd"),
    body("Microsoft.Authorization/locks", |_| json!({ "properties": { "level": "CanNotDelete" } })),
    body("Microsoft.Compute/virtualMachines", |_| json!({ "location": "westeurope", "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } } })),
    body("Microsoft.Compute/virtualMachines/extensions", |_| json!({ "location": "westeurope", "properties": {
        "publisher": "Microsoft.ManagedIdentity", "type": "ManagedIdentityExtensionForLinux", "typeHandlerVersion": "1.0", "settings": { "port": 50342 } } })),
    body("Microsoft.Compute/virtualMachines/runCommands", |_| json!({ "location": "westeurope", "properties": { "source": { "script": "id" } } })),
    body("Microsoft.Compute/disks", |_| json!({ "location": "westeurope", "properties": { "creationData": { "createOption": "Empty" }, "diskSizeGB": 4 } })),
    body("Microsoft.Compute/snapshots", |world| json!({ "location": "westeurope", "properties": { "creationData": {
        "createOption": "Copy", "sourceResourceId": world.group("/providers/Microsoft.Compute/disks/made") } } })),
    body("Microsoft.Compute/images", |world| json!({ "location": "westeurope", "properties": { "storageProfile": { "osDisk": {
        "osType": "Linux", "osState": "Generalized", "managedDisk": { "id": world.group("/providers/Microsoft.Compute/disks/made") } } } } })),
    body("Microsoft.Compute/virtualMachineScaleSets", |world| json!({ "location": "westeurope", "sku": { "name": "Standard_B1s", "capacity": 1 }, "properties": {
        "upgradePolicy": { "mode": "Manual" }, "virtualMachineProfile": { "osProfile": { "adminUsername": "azureuser" },
        "networkProfile": { "networkInterfaceConfigurations": [{ "name": "nic", "properties": { "primary": true, "ipConfigurations": [{ "name": "ip", "properties": {
            "subnet": { "id": world.group("/providers/Microsoft.Network/virtualNetworks/sets/subnets/front") } } }] } }] } } } })),
    given("Microsoft.Compute/virtualMachineScaleSets/virtualMachines", "0"),
    given("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces", "nic"),
    body("Microsoft.DocumentDB/databaseAccounts", |_| json!({ "location": "westus", "properties": {
        "databaseAccountOfferType": "Standard", "locations": [{ "locationName": "westus", "failoverPriority": 0 }] } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlDatabases", |_| json!({ "properties": { "resource": { "id": "made" }, "options": { "throughput": 400 } } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers", |_| json!({ "properties": {
        "resource": { "id": "made", "partitionKey": { "paths": ["/a"], "kind": "Hash" } }, "options": { "throughput": 400 } } })),
    named("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/throughputSettings", "default", |_| json!({ "properties": { "resource": { "throughput": 500 } } })),
    named("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/throughputSettings", "default", |_| json!({ "properties": { "resource": { "throughput": 500 } } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/storedProcedures", |_| json!({ "properties": { "resource": { "id": "made", "body": "f" } } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/triggers", |_| json!({ "properties": { "resource": {
        "id": "made", "body": "f", "triggerType": "Pre", "triggerOperation": "All" } } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/userDefinedFunctions", |_| json!({ "properties": { "resource": { "id": "made", "body": "f" } } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions", |_| json!({ "properties": { "roleName": "r", "type": "CustomRole",
        "assignableScopes": ["/"], "permissions": [{ "dataActions": ["Microsoft.DocumentDB/databaseAccounts/readMetadata"] }] } })),
    body("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", |_| json!({ "properties": {
        "roleDefinitionId": "00000000-0000-0000-0000-000000000001", "scope": "/", "principalId": founding::ADMIN_SERVICE_PRINCIPAL } })),
    given("Microsoft.DocumentDB/databaseAccounts/apis", "sql"),
    body("Microsoft.DocumentDB/databaseAccounts/apis/databases", |_| json!({ "properties": { "resource": { "id": "made" }, "options": { "throughput": "400" } } })),
    named("Microsoft.DocumentDB/databaseAccounts/apis/databases/settings", "throughput", |_| json!({ "properties": { "resource": { "throughput": 500 } } })),
    body("Microsoft.DocumentDB/databaseAccounts/apis/databases/containers", |_| json!({ "properties": {
        "resource": { "id": "made", "partitionKey": { "paths": ["/a"], "kind": "Hash" } }, "options": { "throughput": "400" } } })),
    named("Microsoft.DocumentDB/databaseAccounts/apis/databases/containers/settings", "throughput", |_| json!({ "properties": { "resource": { "throughput": 500 } } })),
    body("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        |_| json!({ "properties": { "issuer": "https://a.example", "subject": "s", "audiences": ["a"] } })),
    given("Microsoft.ManagedIdentity/identities", "default"),
    named("Microsoft.Management/managementGroups/subscriptions", "7af7e000-c10d-4000-8000-00000000005b", |_| json!({})),
    given("Microsoft.Management/managementGroups/settings", "default"),
    body("Microsoft.Network/virtualNetworks", |_| json!({ "location": "westeurope", "properties": { "addressSpace": { "addressPrefixes": ["10.1.0.0/16"] } } })),
    body("Microsoft.Network/virtualNetworks/subnets", |_| json!({ "properties": { "addressPrefix": "10.1.0.0/24" } })),
    body("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", |world| json!({ "properties": { "remoteVirtualNetwork": {
        "id": world.group("/providers/Microsoft.Network/virtualNetworks/sets") } } })),
    body("Microsoft.Network/networkSecurityGroups/securityRules", |_| json!({ "properties": { "protocol": "Tcp", "sourcePortRange": "*",
        "destinationPortRange": "22", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "access": "Allow", "priority": 1000, "direction": "Inbound" } })),
    body("Microsoft.Network/networkInterfaces", |world| json!({ "location": "westeurope", "properties": { "ipConfigurations": [{ "name": "ip", "properties": {
        "subnet": { "id": world.group("/providers/Microsoft.Network/virtualNetworks/made/subnets/made") } } }] } })),
    body("Microsoft.Storage/storageAccounts", |_| json!({ "location": "westeurope", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } })),
    named("Microsoft.Storage/storageAccounts/blobServices", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/fileServices", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/queueServices", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/tableServices", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/managementPolicies", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/inventoryPolicies", "default", |_| json!({ "properties": {} })),
    named("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies", "default", |_| json!({ "properties": {} })),
];

/// What a scale set's machines are connected to.
fn net_of_sets(world: &World) -> Ask {
    let net = json!({ "location": "westeurope", "properties": { "addressSpace": { "addressPrefixes": ["10.2.0.0/16"] },
                      "subnets": [{ "name": "front", "properties": { "addressPrefix": "10.2.0.0/24" } }] } });
    let path = world.group("/providers/Microsoft.Network/virtualNetworks/sets?api-version=2024-07-01");
    world.arm("PUT", &path).json(&net)
}

/// What extensions are on.
fn machine(world: &World) -> Ask {
    let machine = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" },
                          "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } } });
    world.arm("PUT", &world.vm("?api-version=2024-07-01")).json(&machine)
}

/// What is locked.
fn identity(world: &World) -> Ask {
    let path =
        world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai?api-version=2023-01-31");
    world.arm("PUT", &path).json(&json!({ "location": "westeurope" }))
}

impl Stage {
    /// In a furnished cloud, which does everything at once.
    pub(super) async fn set() -> Stage {
        Stage::in_world(World::new().await, Duration::ZERO).await
    }

    /// The same in another one, where each step takes a while.
    pub(super) async fn in_world(world: World, a_while: Duration) -> Stage {
        let mut stage = Stage { world, subjects: Vec::new() };
        for needed in [net_of_sets, machine, identity] {
            let made = stage.world.ask(&needed(&stage.world)).await;
            assert!([200, 201].contains(&made.status), "{}", made.text());
            stage.world.wait(a_while).await;
        }
        let kinds =
            || kinds().map(|(provider, kind)| (format!("{}/{}", provider.namespace, kind.name), kind));
        let plain = ("Contoso.Things/things".to_owned(), &PLAIN);
        for (name, kind) in kinds().chain([plain]) {
            let mut subject = stage.subject(name, kind);
            if subject.is_put {
                let made = stage.world.ask(&stage.put(&subject, &subject.path)).await;
                let why = "negative/subjects.rs needs a row with a body that makes one";
                assert!((200..300).contains(&made.status), "{}: {why}: {}", subject.name, made.text());
                stage.world.wait(a_while).await;
            }
            subject.is_there =
                stage.world.ask(&stage.ask("GET", &subject, &subject.path)).await.status == 200;
            stage.subjects.push(subject);
        }
        stage
    }

    fn subject(&self, name: String, kind: &'static Kind) -> Subject {
        let needs = NEEDS.iter().find(|it| it.kind == name);
        let body = needs.map_or_else(|| plain(kind), |it| (it.body)(&self.world));
        let parent = self.parent(&name, kind);
        let own_name = needs.and_then(|it| it.name).map_or_else(|| a_name(&name, 0), str::to_owned);
        let path = below(&parent, &name, kind, &own_name);
        let version = kind.versions.last().map_or_else(|| "2024-01-01".to_owned(), ToString::to_string);
        Subject {
            name,
            kind,
            path,
            parent,
            version,
            body,
            is_put: needs.is_none_or(|it| it.is_put),
            is_there: false,
        }
    }

    /// The resource that a kind's are inside of, or the scope that they are at.
    fn parent(&self, name: &str, kind: &Kind) -> String {
        if kind.name.contains('/') {
            let of_parent = name.rsplit_once('/').map_or(name, |(parent, _)| parent);
            let parent = self.subjects.iter().find(|it| it.name == of_parent);
            return parent.unwrap_or_else(|| panic!("{name} stands before its parent")).path.clone();
        }
        match kind.place {
            Place::Subscription => self.world.subscription(),
            Place::Tenant => String::new(),
            Place::Group | Place::Child | Place::Extension if name.starts_with("Microsoft.Resources/") => {
                self.world.group("")
            }
            // Who locks a machine locks all that is on it.
            Place::Extension if name.ends_with("/locks") => {
                self.world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai")
            }
            Place::Extension => self.world.vm(""),
            Place::Group | Place::Child => self.world.group(""),
        }
    }

    /// A good PUT, of the subject's own body.
    pub(super) fn put(&self, subject: &Subject, path: &str) -> Ask {
        self.ask("PUT", subject, path).json(&subject.body_at(path))
    }

    /// A request in the newest api-version.
    pub(super) fn ask(&self, method: &str, subject: &Subject, path: &str) -> Ask {
        self.world.arm(method, &format!("{path}?api-version={}", subject.version))
    }

    /// What comes of the asked, between what has to be before it and what clears up behind it.
    pub(super) async fn take(&self, subject: &Subject, steps: &Steps) -> Result<Answer, String> {
        let went_well = |ask: &Ask, answer: &Answer| match answer.status {
            200..300 => Ok(()),
            _ => Err(format!("{} {}: {}", ask.method, ask.target, answer.text())),
        };
        for ask in &steps.before {
            went_well(ask, &self.world.ask(ask).await)?;
        }
        let answer = self.world.ask(&steps.ask).await;
        for ask in &steps.after {
            went_well(ask, &self.world.ask(ask).await)?;
        }
        let is_gone = steps.ask.method == "DELETE" && answer.status < 300;
        if is_gone && subject.is_put && steps.ask.target.starts_with(&format!("{}?", subject.path)) {
            let again = self.put(subject, &subject.path);
            went_well(&again, &self.world.ask(&again).await)?;
        }
        Ok(answer)
    }
}

impl Subject {
    /// Where another one would be, of the name.
    pub(super) fn beside(&self, name: &str) -> String {
        below(&self.parent, &self.name, self.kind, name)
    }

    /// Where another one would be, of a name that its rule allows and nobody has; none where there is but one name.
    pub(super) fn fresh(&self, number: usize) -> Option<String> {
        let is_free = NEEDS.iter().find(|it| it.kind == self.name).is_none_or(|it| it.name.is_none());
        is_free.then(|| self.beside(&a_name(&self.name, number + 1)))
    }

    /// Where all of them are.
    pub(super) fn list(&self) -> String {
        self.path.rsplit_once('/').map_or_else(String::new, |(list, _)| list.to_owned())
    }

    /// The good body, of the name at the path.
    pub(super) fn body_at(&self, path: &str) -> Value {
        let mut body = self.body.clone();
        if let Some(id) = body.pointer_mut("/properties/resource/id") {
            *id = json!(path.rsplit('/').next());
        }
        body
    }

    /// A text in which its own names are said by what they are.
    pub(super) fn anonymous(&self, ask: &Ask, text: &str) -> String {
        let path = ask.target.split('?').next().unwrap_or_default();
        let path = azure::text::percent_decode(path).unwrap_or_default();
        let id = ResourceId::parse(&path).unwrap_or_else(|_| ResourceId::root());
        let inside_of = match id.is_resource() {
            true => id.parent().filter(|_| id.names().len() > 1),
            false => Some(id.ancestor(id.segments().count() - 1)).filter(|it| !it.names().is_empty()),
        };
        let parent = inside_of.map(|it| it.to_string()).unwrap_or_default();
        let behind = id.as_str().rsplit_once("/providers/").map_or("", |(_, behind)| behind);
        let own_name = id.as_str().rsplit('/').next().unwrap_or_default();
        let last = self.name.rsplit('/').next().unwrap_or_default();
        let mut text = text.to_owned();
        for (own, stands) in [
            (id.as_str(), "{id}"),
            (self.path.as_str(), "{id of the one}"),
            (parent.as_str(), "{parent}"),
            (behind, "{type and name}"),
            (self.group().as_str(), "{group}"),
            (self.parent.as_str(), "{scope}"),
            (founding::ADMIN_SERVICE_PRINCIPAL, "{admin}"),
            (founding::ADMIN_APPLICATION, "{admin}"),
        ] {
            if own.len() > 3 {
                text = text.replace(own, stands);
            }
        }
        let quoted = [
            (self.name.as_str(), "{type}"),
            (self.kind.name, "{types}"),
            (last, "{last type}"),
            (own_name, "{name}"),
        ];
        for (own, stands) in quoted {
            text = text.replace(&format!("'{own}'"), &format!("'{stands}'"));
            text = text.replace(&format!("'{own}/"), &format!("'{stands}/"));
        }
        let words = text.split(' ').map(|word| if word == own_name { "{name}" } else { word });
        words.collect::<Vec<_>>().join(" ")
    }

    fn group(&self) -> String {
        let id = ResourceId::parse(&self.path).expect("a path of ours");
        id.group_scope().map_or_else(|| "no group".to_owned(), |it| it.to_string())
    }
}

/// A type that nobody provides.
static PLAIN: Kind = Kind { location: Located::Optional, ..Kind::tracked("things", &[]) };

/// Every kind of every table, Resource Manager's own first.
pub(super) fn kinds() -> impl Iterator<Item = (&'static Provider, &'static Kind)> {
    let providers = [&arm::PROVIDER].into_iter().chain(PROVIDERS.iter().copied());
    providers.flat_map(|provider| provider.kinds.iter().map(move |kind| (provider, kind)))
}

fn plain(kind: &Kind) -> Value {
    match kind.location {
        Located::Required | Located::Optional => json!({ "location": "westeurope", "properties": {} }),
        Located::Inherited | Located::Nowhere => json!({ "properties": {} }),
    }
}

/// A name that a kind's rule allows.
fn a_name(kind: &str, number: usize) -> String {
    match (names::rule(kind).special, number) {
        (Special::Guid, _) => format!("{GUID}{number:02x}"),
        (_, 0) => "made".to_owned(),
        (_, number) => format!("made{number}"),
    }
}

fn below(parent: &str, name: &str, kind: &Kind, own_name: &str) -> String {
    let last = kind.last();
    match name.split_once('/') {
        Some(("Microsoft.Resources", "resourceGroups")) => format!("{parent}/{last}/{own_name}"),
        Some((namespace, _)) if !kind.name.contains('/') => {
            format!("{parent}/providers/{namespace}/{last}/{own_name}")
        }
        _ => format!("{parent}/{last}/{own_name}"),
    }
}
