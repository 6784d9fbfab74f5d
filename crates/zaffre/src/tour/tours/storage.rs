//! Page: "Use a user-assigned Managed Service Identity (MSI) on a Linux VM to access Azure Storage", December 2017.

use serde_json::json;

use super::{
    Machine, UBUNTU, assign, delete_identity, delete_machine, extension, grant, id, identity, machine,
    refused, token,
};
use crate::tour::{
    corrections,
    step::{Ask, By, Check, Run, Step},
};

const GROUP: &str = "rg-storage";
const VM: &str = "storageVM";
const ACCOUNT: &str = "tourstorage";
const CONTAINER: &str = "files";
/// What az signed with in 2018 (az-cli.md §13).
const AZ_VERSION: &str = "2017-07-29";

fn blob(name: &str) -> String {
    format!("https://{ACCOUNT}.blob.core.windows.net/{CONTAINER}/{name}")
}

pub(in crate::tour) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step::new("Create a Linux virtual machine in a new resource group (in the portal)").asks_all(
            machine(&Machine { group: GROUP, location: "westus", name: VM, image: UBUNTU, identity: None }),
        ),
        identity(GROUP, "myMSI"),
        assign(GROUP, VM).corrected(&corrections::EN_DASH_IDENTITIES),
        Step::new(
            "The page's lines ask localhost:50342, so the machine needs the extension that answers there",
        )
        .corrected(&corrections::EXTENSION_RETIRED)
        .asks(extension(GROUP, VM)),
    ];
    steps.extend(account());
    steps.extend(by_token());
    steps.extend(by_key());
    steps.push(delete_machine(GROUP, VM));
    steps.push(delete_identity(GROUP, "myMSI", &account_id()));
    steps
}

fn account_id() -> String {
    id(GROUP, &format!("Microsoft.Storage/storageAccounts/{ACCOUNT}"))
}

/// The account, a container, and a file in it.
fn account() -> Vec<Step> {
    let url =
        |rest: &str| format!("https://management.azure.com{}{rest}?api-version=2021-09-01", account_id());
    let body = json!({ "location": "westus", "kind": "Storage", "sku": { "name": "Standard_LRS" }, "properties": {} });
    vec![
        Step::new("Create a storage account (in the portal)").asks(
            Ask::put(url(""), &body).status(202).check(Check::Is(
                "/properties/primaryEndpoints/blob",
                format!("https://{ACCOUNT}.blob.core.windows.net/"),
            )),
        ),
        Step::new("Create a container in it, and put a file there (in the portal)")
            .asks(Ask::put(
                url(&format!("/blobServices/default/containers/{CONTAINER}")),
                &json!({ "properties": {} }),
            ))
            .asks(Ask::post(url("/listKeys"), "").keep("OWNER KEY", "/keys/0/value").brief())
            .asks(upload("hello.txt", "Hello world! :)", "OWNER KEY")),
    ]
}

fn upload(name: &str, text: &str, key: &'static str) -> Ask {
    Ask::put(blob(name), &json!(null))
        .raw(text)
        .by(By::StorageKey(ACCOUNT, key))
        .header("x-ms-version", AZ_VERSION)
        .header("x-ms-blob-type", "BlockBlob")
        .header("content-type", "text/plain")
}

/// The file, read with a token of the identity.
fn by_token() -> Vec<Step> {
    let line = format!(
        "curl {}?api-version=2016-09-01 -H \"Authorization: Bearer <ACCESS TOKEN>\"",
        blob("hello.txt")
    );
    let reads = || Run::in_vm(VM, format!("{line} -H \"x-ms-version: 2017-11-09\""));
    let page_scope = format!("{}/blobServices/default/{CONTAINER}", account_id());
    let of_identity = "principalId%20eq%20%27<MSI PRINCIPALID>%27";
    let scope = format!("{}/blobServices/default/containers/{CONTAINER}", account_id());
    let mismatch = || reads().status(403).check(Check::Says("AuthorizationPermissionMismatch".to_owned()));
    vec![
        Step::new("In the machine: get a token for Storage").runs(
            token(VM, "curl -H Metadata:true \"http://localhost:50342/oauth2/token?resource=https%3A%2F%2Fstorage.azure.com/&client_id=<MSI CLIENT ID>\"")
                .check(Check::Is("/refresh_token", String::new())),
        ),
        Step::new("The page's own line, which says no version").corrected(&corrections::BEARER_VERSION)
        .runs(Run::in_vm(VM, line.clone()).check(Check::Says("AuthenticationFailed".to_owned()))),
        Step::new("With a version, and before any role was given, the file is refused").runs(mismatch()),
        Step::new("The role that the page gives, where the page gives it")
            .typed(format!("az role assignment create --assignee <MSI CLIENT ID> --role 'Reader' --scope \"{page_scope}\""))
            .corrected(&corrections::QUOTES_READER)
            .corrected(&corrections::CONTAINER_SCOPE)
            .asks_all(grant(&page_scope, "Reader", "MSI PRINCIPALID"))
            .granting(),
        Step::new("It is taken, and it holds nothing: no container's id begins like that")
            .asks(
                Ask::get(format!("https://management.azure.com{page_scope}/providers/Microsoft.Authorization/roleAssignments?$filter={of_identity}&api-version=2018-01-01-preview"))
                    .check(Check::Is("/value/0/properties/scope", page_scope.clone())),
            )
            .runs(mismatch()),
        Step::new("The page's role at the container's own scope")
            .typed(format!("az role assignment create --assignee <MSI CLIENT ID> --role 'Reader' --scope \"{scope}\""))
            .asks_all(grant(&scope, "Reader", "MSI PRINCIPALID"))
            .granting(),
        Step::new("It lets the identity see the container, and not what is in it")
            .corrected(&corrections::READER_NO_DATA)
            .runs(Run::in_vm(VM, "curl -H Metadata:true \"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/\"").status(200).keep("ARM TOKEN", "/access_token"))
            .runs(
                Run::in_vm(VM, format!("curl https://management.azure.com{scope}?api-version=2021-09-01 -H \"Authorization: Bearer <ARM TOKEN>\""))
                    .status(200)
                    .check(Check::Is("/name", CONTAINER.to_owned())),
            )
            .runs(mismatch()),
        Step::new("The role that does")
            .typed(format!("az role assignment create --assignee <MSI CLIENT ID> --role 'Storage Blob Data Reader' --scope \"{scope}\""))
            .asks_all(grant(&scope, "Storage Blob Data Reader", "MSI PRINCIPALID"))
            .granting(),
        Step::new("The file is there now").runs(reads().status(200).check(Check::Says("Hello world! :)".to_owned()))),
    ]
}

/// The account's keys, fetched by the identity, and used.
fn by_key() -> Vec<Step> {
    let keys = || {
        let script = format!(
            "curl https://management.azure.com{}/listKeys?api-version=2016-12-01 --request POST -d \"\" -H \"Authorization: Bearer <ACCESS TOKEN>\"",
            account_id()
        );
        Run::in_vm(VM, script)
    };
    let az = |verb: &str, file: &str| {
        format!(
            "az storage blob {verb} -c {CONTAINER} -n test.txt -f {file} --account-name {ACCOUNT} --account-key <STORAGE ACCOUNT KEY>"
        )
    };
    vec![
        Step::new("In the machine: get a token for Resource Manager. Nothing names an identity, and the machine has one").runs(
            token(VM, "curl http://localhost:50342/oauth2/token --data \"resource=https://management.azure.com/\" -H Metadata:true"),
        ),
        Step::new("Before any role was given, the account's keys are refused")
            .corrected(&corrections::EN_DASH_REQUEST)
            .runs(refused(keys())),
        Step::new("Let the identity list the keys (in the portal, Access control)")
            .asks_all(grant(&account_id(), "Storage Account Key Operator Service Role", "MSI PRINCIPALID"))
            .granting(),
        Step::new("The keys are there now").runs(
            keys().status(200).check(Check::Is("/keys/0/permissions", "Full".to_owned())).keep("STORAGE ACCOUNT KEY", "/keys/0/value"),
        ),
        Step::new("Upload a file with a key")
            .typed(az("upload", "test.txt"))
            .runs(Run::in_vm(VM, "echo \"This is a test file.\" > test.txt; cat test.txt").check(Check::Says("This is a test file.".to_owned())))
            .asks(upload("test.txt", "This is a test file.\n", "STORAGE ACCOUNT KEY")),
        Step::new("Download it again").typed(az("download", "test-download.txt")).asks(
            Ask::get(blob("test.txt"))
                .by(By::StorageKey(ACCOUNT, "STORAGE ACCOUNT KEY"))
                .header("x-ms-version", AZ_VERSION)
                .check(Check::Says("This is a test file.".to_owned())),
        ),
    ]
}
