//! Page: "How to use managed identities to connect to Cosmos DB from an Azure virtual machine", August 2021.

use serde_json::json;

use super::{
    Machine, WINDOWS, as_powershell, cosmos_account, cosmos_collection, cosmos_id, delete_machine,
    is_unknown, machine, token,
};
use crate::tour::{
    corrections,
    step::{Ask, By, Check, Run, Step},
};

const GROUP: &str = "myResourceGroup";
const VM: &str = "myVM";
const ACCOUNT: &str = "tourcosmosrbac";
const ITEM: &str = "{\"id\":\"item1\",\"pk\":\"a\",\"says\":\"Hello world! :)\"}";

pub(in crate::tour) fn steps() -> Vec<Step> {
    let identity = Some(json!({ "type": "SystemAssigned" }));
    let of = Machine { group: GROUP, location: "eastus", name: VM, image: WINDOWS, identity };
    let scope = cosmos_id(GROUP, ACCOUNT);
    let docs = format!("https://{ACCOUNT}.documents.azure.com/dbs/Test/colls/Test/docs");
    let with_token = |words: &str| {
        let headers = "-H \"Authorization: type%3Daad%26ver%3D1.0%26sig%3D<ACCESS TOKEN>\" -H \"x-ms-date: <now>\" -H 'x-ms-version: 2018-12-31' -H 'x-ms-documentdb-partitionkey: [\"a\"]'";
        Run::in_vm(VM, format!("curl {words} {headers}"))
    };
    let reads = || with_token(&format!("{docs}/item1"));
    let gets = |resource: &str| {
        format!(
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}"
        )
    };
    let arm_token = gets("https%3A%2F%2Fmanagement.azure.com%2F");
    vec![
        Step::new("Create a virtual machine with an identity of its own. No Windows runs here: a Linux guest stands for it")
            .typed(format!("az vm create --resource-group {GROUP} --name {VM} --image win2016datacenter --generate-ssh-keys --assign-identity --admin-username azureuser --admin-password myPassword12"))
            .asks_all(machine(&of)),
        cosmos_account(GROUP, ACCOUNT),
        cosmos_collection(GROUP, ACCOUNT),
        Step::new("Put an item there, to have something to read (in the portal, Data Explorer)")
            .asks(Ask::post(format!("https://management.azure.com{scope}/listKeys?api-version=2021-04-15"), "").keep("OWNER KEY", "/primaryMasterKey").brief())
            .asks(
                Ask::post(docs.clone(), ITEM)
                    .by(By::CosmosKey("OWNER KEY"))
                    .header("x-ms-version", "2018-12-31")
                    .header("x-ms-documentdb-partitionkey", "[\"a\"]")
                    .status(201),
            ),
        Step::new("In the machine, as on Windows: get a token as the page has it").runs(
            token(VM, as_powershell(&format!("-H 'Metadata: true' '{arm_token}'")))
                .for_line(format!("$response = Invoke-WebRequest -Uri '{arm_token}' -Method GET -Headers @{{Metadata=\"true\"}}")),
        ),
        Step::new("Cosmos DB does not take it")
            .corrected(&corrections::ARM_TOKEN)
            .runs(reads().status(401)),
        Step::new("In the machine, as on Linux: get a token for Cosmos DB").runs(
            token(VM, format!("curl '{}' -H Metadata:true", gets("https%3A%2F%2Fcosmos.azure.com")))
                .check(Check::Is("/resource", "https://cosmos.azure.com".to_owned())),
        ),
        Step::new("Before any role was given, the item is refused").runs(reads().status(403)),
        Step::new("Let the identity read the account's data: the built-in Data Reader, on all of it")
            .corrected(&corrections::SHELL_BLANKS)
            .corrected(&corrections::NO_GUID)
            .typed(format!("az cosmosdb sql role assignment create --account-name {ACCOUNT} --resource-group {GROUP} --scope \"/\" --principal-id <VM PRINCIPALID> --role-definition-id 00000000-0000-0000-0000-000000000001"))
            .asks(
                Ask::put(
                    format!("https://management.azure.com{scope}/sqlRoleAssignments/<new GUID>?api-version=2021-04-15"),
                    &json!({ "properties": {
                        "roleDefinitionId": format!("{scope}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001"),
                        "scope": format!("{scope}/"),
                        "principalId": "<VM PRINCIPALID>",
                    } }),
                )
                .status(202)
                .check(Check::Is("/properties/principalId", "<VM PRINCIPALID>".to_owned())),
            )
            .granting(),
        Step::new("The item is there now").runs(reads().status(200).check(Check::Is("/says", "Hello world! :)".to_owned()))),
        Step::new("A reader does not write").runs(with_token(&format!("-X POST {docs} -d '{{\"id\":\"item2\",\"pk\":\"a\"}}'")).status(403)),
        delete_machine(GROUP, VM),
        Step::new("The machine's identity went with it: its principal is unknown").asks(is_unknown(&scope, "VM PRINCIPALID")),
    ]
}
