//! Page: "Use a Linux VM User-Assigned Managed Service Identity (MSI) to access Azure Resource Manager", December 2017.

use serde_json::json;

use super::{
    Machine, UBUNTU, arm, assign, delete_machine, extension, grant, identity, is_unknown, machine,
    machine_url, refused, token,
};
use crate::tour::{
    corrections,
    step::{Ask, By, Check, Run, Step},
};

const GROUP: &str = "DevTest";
const VM: &str = "SimpleVM";
const SCOPE: &str = "/subscriptions/<SUBSCRIPTION ID>/resourceGroups/DevTest";

pub(in crate::tour) fn steps() -> Vec<Step> {
    let of = Machine { group: GROUP, location: "westus", name: VM, image: UBUNTU, identity: None };
    let reads = || {
        let script = format!(
            "curl https://management.azure.com{SCOPE}?api-version=2016-09-01 -H \"Authorization: Bearer <ACCESS TOKEN>\""
        );
        Run::in_vm(VM, script)
    };
    let both = json!({ "identity": {
        "type": "SystemAssigned, UserAssigned", "userAssignedIdentities": { "<MSI ID>": {} },
    } });
    vec![
        Step::new("Create a Linux virtual machine in a new resource group (in the portal)").asks_all(machine(&of)),
        identity(GROUP, "myMSI"),
        assign(GROUP, VM).corrected(&corrections::EN_DASH_IDENTITIES),
        Step::new("Enable MSI on the machine (in the portal): an identity of its own, and the extension that answers at localhost:50342")
            .corrected(&corrections::EXTENSION_RETIRED)
            .asks(Ask::patch(machine_url(GROUP, VM), &both).keep("VM PRINCIPALID", "/identity/principalId").showing("/identity"))
            .asks(extension(GROUP, VM)),
        Step::new("In the machine: get a token for Resource Manager. Nothing names an identity: it is the machine's own").runs(
            token(VM, "curl http://localhost:50342/oauth2/token --data \"resource=https://management.azure.com/\" -H Metadata:true")
                .check(Check::Is("/refresh_token", String::new())),
        ),
        Step::new("Before any role was given, the resource group cannot be read").runs(refused(reads())),
        Step::new("Let the machine read its resource group (in the portal, Access control)")
            .asks_all(grant(SCOPE, "Reader", "VM PRINCIPALID"))
            .granting(),
        Step::new("The resource group is there now")
            .runs(reads().status(200).check(Check::Is("/name", "DevTest".to_owned())).check(Check::Is("/location", "westus".to_owned()))),
        Step::new("The same with a token from today's address")
            .runs(token(VM, "curl -H Metadata:true \"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/\""))
            .runs(reads().status(200).check(Check::Is("/name", "DevTest".to_owned()))),
        Step::new("The user-assigned identity is another principal, without a role")
            .runs(Run::in_vm(VM, "curl -H Metadata:true \"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/&client_id=<MSI CLIENT ID>\"").status(200).keep("MSI TOKEN", "/access_token"))
            .asks(Ask::get(arm("/resourceGroups/DevTest?api-version=2016-09-01")).by(By::Token("MSI TOKEN")).status(403)),
        delete_machine(GROUP, VM),
        Step::new("The machine's own identity went with it: its principal is unknown").asks(is_unknown(SCOPE, "VM PRINCIPALID")),
    ]
}
