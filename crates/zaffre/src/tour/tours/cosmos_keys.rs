//! Page: "Use a user-assigned Managed Service Identity (MSI) on a Linux VM to access Azure Cosmos DB", February 2018.

use super::{
    Machine, UBUNTU, assign, collection_show, cosmos_account, cosmos_collection, cosmos_id, delete_identity,
    delete_machine, grant, identity, machine, refused, show_line, token,
};
use crate::tour::step::{Ask, By, Check, Run, Step};

const GROUP: &str = "rg-cosmos";
const VM: &str = "myVM";
const ACCOUNT: &str = "tourcosmoskeys";

pub(in crate::tour) fn steps() -> Vec<Step> {
    let of = Machine { group: GROUP, location: "westus", name: VM, image: UBUNTU, identity: None };
    let scope = cosmos_id(GROUP, ACCOUNT);
    let keys = |operation: &str| {
        let script = format!(
            "curl 'https://management.azure.com{scope}/{operation}?api-version=2016-03-31' -X POST -d \"\" -H \"Authorization: Bearer <ACCESS TOKEN>\""
        );
        Run::in_vm(VM, script)
    };
    let writes = Ask::post(
        format!("https://{ACCOUNT}.documents.azure.com/dbs/Test/colls/Test/docs"),
        "{\"id\":\"1\",\"pk\":\"a\"}",
    )
    .by(By::CosmosKey("ACCESS KEY"))
    .header("x-ms-version", "2018-09-17")
    .header("x-ms-documentdb-partitionkey", "[\"a\"]");
    let roles = |role: &str| {
        format!("az role assignment create --assignee <MSI PRINCIPALID> --role '{role}' --scope \"{scope}\"")
    };
    vec![
        Step::new("Create a Linux virtual machine in a new resource group (in the portal)").asks_all(machine(&of)),
        identity(GROUP, "myMSI"),
        assign(GROUP, VM),
        cosmos_account(GROUP, ACCOUNT),
        cosmos_collection(GROUP, ACCOUNT),
        Step::new("In the machine: get a token for Resource Manager").runs(
            token(
                VM,
                "curl -H Metadata:true \"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com/&client_id=<MSI CLIENT ID>\"",
            )
            .check(Check::Is("/resource", "https://management.azure.com/".to_owned()))
            .check(Check::Is("/client_id", "<MSI CLIENT ID>".to_owned())),
        ),
        Step::new("Before any role was given, the keys are refused").runs(refused(keys("readonlykeys"))),
        Step::new("Let the identity read the account")
            .typed(roles("Cosmos DB Account Reader Role"))
            .asks_all(grant(&scope, "Cosmos DB Account Reader Role", "MSI PRINCIPALID"))
            .granting(),
        Step::new("The read-only keys are there now, and the others are still refused")
            .runs(keys("readonlykeys").status(200).check(Check::Has("/secondaryReadonlyMasterKey")).keep("ACCESS KEY", "/primaryReadonlyMasterKey"))
            .runs(refused(keys("listKeys"))),
        Step::new("Look at the collection with the read-only key")
            .typed(show_line(ACCOUNT))
            .asks_all(collection_show(ACCOUNT, "ACCESS KEY")),
        Step::new("The read-only key cannot write").asks(writes.clone().status(403)),
        Step::new("Let the identity have all the keys")
            .typed(roles("DocumentDB Account Contributor"))
            .asks_all(grant(&scope, "DocumentDB Account Contributor", "MSI PRINCIPALID"))
            .granting(),
        Step::new("With the keys that write, a document is written")
            .runs(keys("listKeys").status(200).check(Check::Has("/secondaryMasterKey")).keep("ACCESS KEY", "/primaryMasterKey"))
            .asks(writes.status(201).check(Check::Is("/id", "1".to_owned()))),
        delete_machine(GROUP, VM),
        delete_identity(GROUP, "myMSI", &scope),
    ]
}
