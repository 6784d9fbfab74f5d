//! Giving oneself more than one has, and taking what belongs to somebody else.

use serde_json::{Value, json};

use super::{
    Attack,
    stage::{CONTRIBUTOR, OWNER, READER, ROLE_ADMINISTRATOR, Stage},
};
use crate::world::{Ask, Auth};

const ASSIGNMENTS: &str = "/providers/Microsoft.Authorization/roleAssignments";
const NAME: &str = "00000000-0000-4000-8000-0000000000ee";

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let arm = "https://management.azure.com";
    let contributor = stage.token(&stage.contributor, arm).await;
    let delegate = stage.token(&stage.delegate, arm).await;
    let reader = stage.token(&stage.reader, arm).await;
    let mut all = assignments(stage, &contributor, &delegate, &reader);
    all.extend(definitions(stage, &contributor, &delegate));
    all.extend(denials(stage, &contributor));
    all.extend(identities(stage, &contributor));
    all.extend(keys_and_data(stage, &reader).await);
    all.extend(directory(stage).await);
    all
}

fn assignment(role: &str, principal: &str) -> Value {
    json!({ "properties": {
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": principal, "principalType": "ServicePrincipal",
    }})
}

fn assign(stage: &Stage, scope: &str, body: &Value) -> Ask {
    stage.world.arm("PUT", &format!("{scope}{ASSIGNMENTS}/{NAME}?api-version=2022-04-01")).json(body)
}

fn assignments(stage: &Stage, contributor: &Auth, delegate: &Auth, reader: &Auth) -> Vec<Attack> {
    let refused = (403, "AuthorizationFailed");
    let (group, subscription) = (stage.world.group(""), stage.world.subscription());
    let (me, friend) = (stage.contributor.principal.as_str(), stage.delegate.principal.as_str());
    let mut unconditional = assignment(READER, friend);
    unconditional["properties"]["roleDefinitionId"] =
        json!([format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}")]);
    let both = json!({ "properties": {
        "RoleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{READER}"),
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"),
        "principalId": friend, "principalType": "ServicePrincipal",
    }});
    let mut all = Vec::new();
    for (name, by, scope, body, refused) in [
        ("Contributor makes itself Owner", contributor, group.as_str(), assignment(OWNER, me), refused),
        ("Contributor makes another Reader", contributor, &group, assignment(READER, friend), refused),
        (
            "Contributor makes itself Owner of one machine",
            contributor,
            &stage.world.vm(""),
            assignment(OWNER, me),
            refused,
        ),
        (
            "Contributor makes itself Owner above its scope",
            contributor,
            &subscription,
            assignment(OWNER, me),
            refused,
        ),
        ("Contributor makes itself Owner of everything", contributor, "", assignment(OWNER, me), refused),
        (
            "Reader makes itself Reader elsewhere",
            reader,
            &stage.rg2(""),
            assignment(READER, &stage.reader.principal),
            refused,
        ),
        ("who may give Reader gives Owner", delegate, &group, assignment(OWNER, friend), refused),
        (
            "who may give Reader gives itself what it has, without the condition",
            delegate,
            &group,
            assignment(ROLE_ADMINISTRATOR, friend),
            refused,
        ),
        ("who may give Reader gives Contributor", delegate, &group, assignment(CONTRIBUTOR, me), refused),
        (
            "who may give Reader gives it above its scope",
            delegate,
            &subscription,
            assignment(READER, me),
            refused,
        ),
        ("who may give Reader gives it next door", delegate, &stage.rg2(""), assignment(READER, me), refused),
        (
            "who may give Reader hides a role in a list",
            delegate,
            &group,
            unconditional,
            (400, "InvalidRoleDefinitionId"),
        ),
        ("who may give Reader names two roles in two cases", delegate, &group, both, refused),
    ] {
        all.push(Attack::new(stage, name, &assign(stage, scope, &body).by(by.clone()), refused));
    }
    let own = stage
        .world
        .group(&format!("{ASSIGNMENTS}/00000000-0000-4000-8000-000000000004?api-version=2022-04-01"));
    let mut bare = assignment(ROLE_ADMINISTRATOR, friend);
    bare["properties"]["condition"] = json!(null);
    let unbound = stage.world.arm("PUT", &own).json(&bare).by(delegate.clone());
    all.push(Attack::new(
        stage,
        "who may give Reader takes the condition off its own assignment",
        &unbound,
        refused,
    ));
    let delete = stage.world.arm("DELETE", &own).by(contributor.clone());
    all.push(Attack::new(stage, "Contributor takes another's role away", &delete, refused));
    all
}

fn definitions(stage: &Stage, contributor: &Auth, delegate: &Auth) -> Vec<Attack> {
    let refused = (403, "AuthorizationFailed");
    let role = |name: &str, scope: &str| {
        json!({ "properties": {
            "roleName": name, "type": "CustomRole", "assignableScopes": [scope],
            "permissions": [{ "actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": [] }],
        }})
    };
    let put = |id: &str, body: &Value, by: &Auth| {
        let target = stage.world.group(&format!(
            "/providers/Microsoft.Authorization/roleDefinitions/{id}?api-version=2022-04-01"
        ));
        stage.world.arm("PUT", &target).json(body).by(by.clone())
    };
    let (group, subscription) = (stage.world.group(""), stage.world.subscription());
    let admin = stage.world.arm.clone();
    let elevate =
        stage.world.arm("POST", "/providers/Microsoft.Authorization/elevateAccess?api-version=2016-07-01");
    vec![
        Attack::new(
            stage,
            "Contributor writes a role of its own",
            &put(NAME, &role("mine", &group), contributor),
            refused,
        ),
        Attack::new(
            stage,
            "Contributor writes a role for the subscription",
            &put(NAME, &role("mine", &subscription), contributor),
            refused,
        ),
        Attack::new(
            stage,
            "who may give Reader writes a role of its own",
            &put(NAME, &role("mine", &group), delegate),
            refused,
        ),
        Attack::new(
            stage,
            "Contributor widens a built-in role",
            &put(READER, &role("Reader", &group), contributor),
            refused,
        ),
        Attack::new(
            stage,
            "even Owner widens a built-in role",
            &put(READER, &role("Reader", &group), &admin),
            (400, "InvalidRoleDefinitionOperation"),
        ),
        Attack::new(stage, "Contributor elevates itself", &elevate.by(contributor.clone()), refused),
    ]
}

/// Deny assignments are made by nobody, and Owner is somebody.
fn denials(stage: &Stage, contributor: &Auth) -> Vec<Attack> {
    let target = stage
        .world
        .group(&format!("/providers/Microsoft.Authorization/denyAssignments/{NAME}?api-version=2022-04-01"));
    let body = json!({ "properties": {
        "denyAssignmentName": "everybody but me", "scope": stage.world.group(""), "doNotApplyToChildScopes": false,
        "permissions": [{ "actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": [] }],
        "principals": [{ "id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined" }],
        "excludePrincipals": [{ "id": stage.contributor.principal, "type": "ServicePrincipal" }],
    }});
    let put = |by: &Auth| stage.world.arm("PUT", &target).json(&body).by(by.clone());
    let patch = stage.world.arm("PATCH", &target).json(&body).by(contributor.clone());
    let delete = stage.world.arm("DELETE", &target).by(contributor.clone());
    let refused = (403, "AuthorizationFailed");
    vec![
        Attack::new(stage, "Contributor denies everybody else", &put(contributor), refused),
        Attack::new(stage, "Contributor changes what is denied", &patch, refused),
        Attack::new(stage, "Contributor takes a denial away", &delete, refused),
        Attack::new(
            stage,
            "even Owner denies everybody else",
            &put(&stage.world.arm.clone()),
            (400, "DenyAssignmentNotAllowed"),
        ),
    ]
}

/// An identity is given to a resource only by who may assign it.
fn identities(stage: &Stage, contributor: &Auth) -> Vec<Attack> {
    let in_rg2 = stage.rg2("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs");
    let machine = json!({
        "location": "westeurope",
        "identity": { "type": "UserAssigned", "userAssignedIdentities": { in_rg2.clone(): {} } },
        "properties": { "hardwareProfile": { "vmSize": "Standard_DS1_v2" } },
    });
    let target =
        stage.world.group("/providers/Microsoft.Compute/virtualMachines/thief?api-version=2024-07-01");
    let patch = json!({ "identity": { "type": "UserAssigned", "userAssignedIdentities": { in_rg2: {} } } });
    let refused = (403, "LinkedAuthorizationFailed");
    vec![
        Attack::new(
            stage,
            "a machine with an identity of another group's",
            &stage.world.arm("PUT", &target).json(&machine).by(contributor.clone()),
            refused,
        ),
        Attack::new(
            stage,
            "an identity of another group's for a machine that is there",
            &stage
                .world
                .arm("PATCH", &stage.world.vm("?api-version=2024-07-01"))
                .json(&patch)
                .by(contributor.clone()),
            refused,
        ),
    ]
}

async fn keys_and_data(stage: &Stage, reader: &Auth) -> Vec<Attack> {
    let refused = (403, "AuthorizationFailed");
    let world = &stage.world;
    let storage = stage.token(&stage.contributor, "https://storage.azure.com").await;
    let cosmos = match stage.token(&stage.contributor, "https://cosmos.azure.com").await {
        Auth::Bearer(token) => Auth::CosmosToken(token),
        other => other,
    };
    let (account, databases) = (
        world.account("/listKeys?api-version=2023-05-01"),
        world.databases("/listKeys?api-version=2024-11-15"),
    );
    vec![
        Attack::new(
            stage,
            "Reader lists an account's keys",
            &world.arm("POST", &account).by(reader.clone()),
            refused,
        ),
        Attack::new(
            stage,
            "Reader lists a Cosmos account's keys",
            &world.arm("POST", &databases).by(reader.clone()),
            refused,
        ),
        Attack::new(
            stage,
            "Reader deletes its group",
            &world.arm("DELETE", &world.group("?api-version=2024-11-01")).by(reader.clone()),
            refused,
        ),
        Attack::new(
            stage,
            "Contributor of the account reads a blob",
            &world.blob("GET", "/con/a.txt").by(storage.clone()),
            (403, "AuthorizationPermissionMismatch"),
        ),
        Attack::new(
            stage,
            "Contributor of the account writes a blob",
            &world.blob("PUT", "/con/x").with("x-ms-blob-type", "BlockBlob").body("x").by(storage),
            (403, "AuthorizationPermissionMismatch"),
        ),
        Attack::new(
            stage,
            "Contributor of the account reads a document",
            &world.account_document("GET", "/1").by(cosmos),
            (403, "Forbidden"),
        ),
    ]
}

/// The directory is changed by its administrators, and objects by their owners.
async fn directory(stage: &Stage) -> Vec<Attack> {
    let by = stage.token(&stage.reader, "https://graph.microsoft.com").await;
    let refused = (403, "Authorization_RequestDenied");
    let graph = |method: &str, target: &str, body: Value| {
        stage.world.graph(method, target).json(&body).by(by.clone())
    };
    let admin = zaffre::directory::founding::ADMIN_APPLICATION;
    let object = stage.world.graph("GET", &format!("/v1.0/applications(appId='{admin}')"));
    let object = stage.send(&object).await;
    let object = object.json()["id"].as_str().unwrap_or_else(|| panic!("{}", object.text())).to_owned();
    let federated = json!({
        "name": "mine", "issuer": "https://evil.example", "subject": "me", "audiences": ["api://AzureADTokenExchange"],
    });
    let person = json!({
        "accountEnabled": true, "displayName": "evil", "mailNickname": "evil",
        "userPrincipalName": "evil@contoso.onmicrosoft.com", "passwordProfile": { "password": "Passw0rd!!" },
    });
    let path = format!("/v1.0/applications/{object}");
    vec![
        Attack::new(
            stage,
            "a stranger adds a secret to the administrator's application",
            &graph("POST", &format!("{path}/addPassword"), json!({ "passwordCredential": {} })),
            refused,
        ),
        Attack::new(
            stage,
            "a stranger federates the administrator's application",
            &graph("POST", &format!("{path}/federatedIdentityCredentials"), federated),
            refused,
        ),
        Attack::new(stage, "a stranger makes a user", &graph("POST", "/v1.0/users", person), refused),
        Attack::new(
            stage,
            "a stranger changes the administrator's password",
            &graph(
                "PATCH",
                "/v1.0/users/admin@contoso.onmicrosoft.com",
                json!({ "passwordProfile": { "password": "Passw0rd!!" } }),
            ),
            refused,
        ),
        Attack::new(
            stage,
            "a stranger deletes the administrator's application",
            &stage.world.graph("DELETE", &path).by(by.clone()),
            refused,
        ),
    ]
}
