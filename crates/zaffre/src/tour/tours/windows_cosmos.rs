//! Page: "Tutorial: Use a Windows VM system-assigned managed identity to access Azure Cosmos DB", April 2018.

use serde_json::json;

use super::{
    Machine, WINDOWS, as_powershell, collection_show, cosmos_account, cosmos_collection, cosmos_id,
    delete_machine, grant, is_unknown, machine, machine_url, refused, show_line, token,
};
use crate::tour::{
    corrections,
    step::{Ask, Check, Run, Step},
};

const GROUP: &str = "myRG";
const VM: &str = "winVM";
const ACCOUNT: &str = "tourwindowscosmos";
const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";

pub(in crate::tour) fn steps() -> Vec<Step> {
    let identity = Some(json!({ "type": "SystemAssigned" }));
    let of = Machine { group: GROUP, location: "westus", name: VM, image: WINDOWS, identity };
    let scope = cosmos_id(GROUP, ACCOUNT);
    let keys_url = format!(
        "https://management.azure.com{}/listKeys/?api-version=2016-12-01",
        scope.replace("DocumentDB", "DocumentDb")
    );
    let keys = || {
        Run::in_vm(
            VM,
            as_powershell(&format!(
                "-X POST -H 'Content-Length: 0' -H \"Authorization: Bearer <ACCESS TOKEN>\" '{keys_url}'"
            )),
        )
        .for_line(format!(
            "Invoke-WebRequest -Uri {keys_url} -Method POST -Headers @{{Authorization=\"Bearer $ARMToken\"}}"
        ))
    };
    vec![
        Step::new("Create a Windows virtual machine with an identity of its own (in the portal). No Windows runs here: a Linux guest stands for it, and what PowerShell would send is sent from there")
            .asks_all(machine(&of))
            .asks(Ask::get(machine_url(GROUP, VM)).check(Check::Is("/properties/storageProfile/osDisk/osType", "Windows".to_owned())).brief()),
        cosmos_account(GROUP, ACCOUNT),
        cosmos_collection(GROUP, ACCOUNT),
        Step::new("In the machine: get a token for Resource Manager").runs(
            token(VM, as_powershell(&format!("-H 'Metadata: true' '{TOKEN_URL}'")))
                .for_line(format!("$response = Invoke-WebRequest -Uri '{TOKEN_URL}' -Method GET -Headers @{{Metadata=\"true\"}}")),
        ),
        Step::new("Before any role was given, the keys are refused").runs(refused(keys())),
        Step::new("Let the machine have the account's keys")
            .corrected(&corrections::WINDOWS_READER)
            .corrected(&corrections::AZURERM_RETIRED)
            .typed(format!("New-AzRoleAssignment -ObjectId $spID -RoleDefinitionName \"DocumentDB Account Contributor\" -Scope \"{scope}\""))
            .asks(Ask::get(machine_url(GROUP, VM)).check(Check::Is("/identity/principalId", "<VM PRINCIPALID>".to_owned())).brief())
            .asks_all(grant(&scope, "DocumentDB Account Contributor", "VM PRINCIPALID"))
            .granting(),
        Step::new("The keys are there now")
            .corrected(&corrections::VERSION_2016_12_01)
            .runs(keys().status(200).check(Check::Has("/primaryReadonlyMasterKey")).keep("ACCESS KEY", "/primaryMasterKey")),
        Step::new("Look at the collection with the key").typed(show_line(ACCOUNT)).asks_all(collection_show(ACCOUNT, "ACCESS KEY")),
        delete_machine(GROUP, VM),
        Step::new("The machine's identity went with it: its principal is unknown").asks(is_unknown(&scope, "VM PRINCIPALID")),
    ]
}
