//! Who asks the metadata service follows from the door: nothing that a request says makes it another machine.

use azure::text;
use zaffre::{cloud::CloudId, door::Door};

use super::{Attack, stage::Stage};
use crate::world::{Ask, METADATA, Protocol};

const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let mut all = another_identity(stage);
    all.extend(headers(stage));
    all.extend(queries(stage));
    all.extend(elsewhere(stage));
    all
}

/// By each of the parameters that name one, in every spelling.
fn another_identity(stage: &Stage) -> Vec<Attack> {
    let (_, client, object) = &stage.other;
    let other_vm = stage.rg2("/providers/Microsoft.Compute/virtualMachines/other");
    // It is there, and attached to no machine.
    let unattached = stage.world.group("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai");
    let refused = (400, "invalid_request");
    let ask = |name: String, query: String| {
        Attack::new(stage, name, &stage.world.metadata(&format!("{TOKEN}&{query}")), refused)
    };
    let mut all = Vec::new();
    for (parameter, value) in [
        ("client_id", client.as_str()),
        ("object_id", object),
        ("msi_res_id", &other_vm),
        ("mi_res_id", &other_vm),
    ] {
        all.push(ask(
            format!("another machine's identity by {parameter}"),
            format!("{parameter}={}", text::percent_encode(value)),
        ));
        let upper = text::percent_encode(&value.to_uppercase());
        all.push(ask(
            format!("another machine's identity by {parameter} in capitals"),
            format!("{}={upper}", parameter.to_uppercase()),
        ));
        let old = Ask {
            target: format!(
                "/oauth2/token?resource=https%3A%2F%2Fmanagement.azure.com%2F&{parameter}={}",
                text::percent_encode(value)
            ),
            ..stage.world.extension("GET", "/")
        };
        all.push(Attack::new(
            stage,
            format!("another machine's identity by {parameter}, at the old extension"),
            &old,
            refused,
        ));
    }
    for parameter in ["msi_res_id", "mi_res_id"] {
        all.push(ask(
            format!("an identity that is not attached by {parameter}"),
            format!("{parameter}={}", text::percent_encode(&unattached)),
        ));
    }
    for (name, value) in [
        (
            "one's own id that climbs",
            format!(
                "{}/../../../../rg2/providers/Microsoft.Compute/virtualMachines/other",
                stage.world.vm("")
            ),
        ),
        ("an id with two slashes", other_vm.replace("/rg2/", "//rg2/")),
        ("an id with NUL", format!("{other_vm}\0")),
        ("an id beyond all measure", format!("{other_vm}/{}", "x".repeat(5000))),
    ] {
        all.push(ask(format!("{name} by mi_res_id"), format!("mi_res_id={}", text::percent_encode(&value))));
    }
    all.push(ask(
        "two identities by two parameters".to_owned(),
        format!("client_id={client}&object_id={object}"),
    ));
    all
}

fn headers(stage: &Stage) -> Vec<Attack> {
    let plain = Ask { headers: Vec::new(), ..stage.world.metadata(TOKEN) };
    let refused = (400, "invalid_request");
    let row = |name: &str, ask: Ask, refused| Attack::new(stage, name, &ask, refused);
    vec![
        row("no Metadata header", plain.clone(), refused),
        row("Metadata false", plain.clone().with("metadata", "false"), refused),
        row("Metadata 1", plain.clone().with("metadata", "1"), refused),
        row(
            "two Metadata headers",
            plain.clone().with("metadata", "true").with("metadata", "false"),
            refused,
        ),
        row("X-Forwarded-For", stage.world.metadata(TOKEN).with("x-forwarded-for", "10.0.0.4"), refused),
        row(
            "X-Forwarded-For in capitals",
            stage.world.metadata(TOKEN).with("X-FORWARDED-FOR", "127.0.0.1"),
            refused,
        ),
        row("an empty X-Forwarded-For", stage.world.metadata(TOKEN).with("x-forwarded-for", ""), refused),
    ]
}

fn queries(stage: &Stage) -> Vec<Attack> {
    let ask =
        |name: &str, target: &str, refused| Attack::new(stage, name, &stage.world.metadata(target), refused);
    let refused = (400, "invalid_request");
    vec![
        ask("two resources", &format!("{TOKEN}&resource=https%3A%2F%2Fgraph.microsoft.com%2F"), refused),
        ask(
            "two resources in two cases",
            &format!("{TOKEN}&Resource=https%3A%2F%2Fgraph.microsoft.com%2F"),
            refused,
        ),
        ask("two api-versions", &format!("{TOKEN}&api-version=2017-09-01"), refused),
        ask("no resource", "/metadata/identity/oauth2/token?api-version=2018-02-01", refused),
        ask(
            "a resource of nobody",
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fevil.example",
            (400, "invalid_resource"),
        ),
        ask(
            "a resource with NUL",
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F%00",
            (400, "invalid_resource"),
        ),
        ask(
            "a resource that is not UTF-8",
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=%ff",
            refused,
        ),
    ]
}

/// From the host, without a machine's secret, there is no machine.
fn elsewhere(stage: &Stage) -> Vec<Attack> {
    let host = Door::named(CloudId::DEFAULT);
    let ask = |door: &Door, host: &str| {
        Ask::new(Protocol::Imds, door.clone(), host, "GET", TOKEN).with("metadata", "true")
    };
    vec![
        Attack::new(
            stage,
            "the metadata service from the host",
            &ask(&host, METADATA),
            (400, "invalid_request"),
        ),
        Attack::new(
            stage,
            "the metadata service from the host, as a machine by header",
            &ask(&host, METADATA).with("x-ms-vm-id", stage.world.vm("")).with("x-forwarded-host", METADATA),
            (400, "invalid_request"),
        ),
    ]
}
