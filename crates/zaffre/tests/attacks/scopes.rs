//! Ids that look like ones that somebody may read. A scope is its segments: no prefix, encoding or alphabet makes
//! one scope another.

use super::{Attack, stage::Stage};
use crate::world::{Ask, Auth};

const VERSION: &str = "?api-version=2024-11-01";

pub(super) async fn attacks(stage: &Stage) -> Vec<Attack> {
    let reader = stage.token(&stage.reader, "https://management.azure.com").await;
    let own = stage.world.arm("GET", &stage.world.group(VERSION)).by(reader.clone());
    assert_eq!(stage.send(&own).await.status, 200, "the reader may read its own group");
    let mut all = look_alikes(stage, &reader);
    all.extend(blobs(stage).await);
    all.extend(filters(stage, &reader));
    all
}

/// By who may read `rg` and nothing else.
fn look_alikes(stage: &Stage, reader: &Auth) -> Vec<Attack> {
    let subscription = stage.world.subscription();
    let rg2 = stage.rg2("");
    let forbidden = (403, "AuthorizationFailed");
    let other_subscription = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg";
    let mut all = Vec::new();
    for (name, path, refused) in [
        ("a group whose name begins alike", rg2.clone(), forbidden),
        (
            "a group whose name begins alike, in capitals",
            rg2.to_uppercase().replace("/SUBSCRIPTIONS/", "/subscriptions/"),
            forbidden,
        ),
        (
            "a machine in that group",
            stage.rg2("/providers/Microsoft.Compute/virtualMachines/other"),
            forbidden,
        ),
        ("all groups of another subscription", other_subscription.to_owned(), (404, "SubscriptionNotFound")),
        (
            "a group that climbs",
            format!("{subscription}/resourceGroups/rg/../rg2"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group that climbs, encoded",
            format!("{subscription}/resourceGroups/rg/%2e%2e/rg2"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group that climbs, half encoded",
            format!("{subscription}/resourceGroups/rg/.%2E/rg2"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group that climbs by an encoded slash",
            format!("{subscription}/resourceGroups/rg%2f..%2frg2"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group that climbs by a backslash",
            format!("{subscription}/resourceGroups/rg%5c..%5crg2"),
            (400, "InvalidRequestUri"),
        ),
        ("a group twice encoded", format!("{subscription}/resourceGroups/rg%252f..%252frg2"), forbidden),
        ("a group behind two slashes", format!("{subscription}//resourceGroups/rg2"), forbidden),
        (
            "a group with an encoded slash at its end",
            format!("{subscription}/resourceGroups/rg2%2f"),
            forbidden,
        ),
        ("a group with NUL", format!("{subscription}/resourceGroups/rg%00"), (400, "InvalidRequestUri")),
        (
            "a group with NUL before more",
            format!("{subscription}/resourceGroups/rg%002"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group with a line end",
            format!("{subscription}/resourceGroups/rg%0d%0a2"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group that is not UTF-8",
            format!("{subscription}/resourceGroups/rg%ff"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group in overlong UTF-8",
            format!("{subscription}/resourceGroups/%c1%b2g"),
            (400, "InvalidRequestUri"),
        ),
        (
            "a group in fullwidth letters",
            format!("{subscription}/resourceGroups/%EF%BD%92%EF%BD%87"),
            forbidden,
        ),
        ("a group with a dotted capital I", format!("{subscription}/resourceGroups/r%C4%B0g"), forbidden),
        ("a group with a combining mark", format!("{subscription}/resourceGroups/rg%CC%81"), forbidden),
        ("a group with a blank", format!("{subscription}/resourceGroups/rg%20"), forbidden),
        (
            "a group with a joiner of no width",
            format!("{subscription}/resourceGroups/rg%E2%80%8B"),
            forbidden,
        ),
        ("a group with a dot at its end", format!("{subscription}/resourceGroups/rg."), forbidden),
        (
            "a group beyond all measure",
            format!("{subscription}/resourceGroups/{}", "r".repeat(3000)),
            (400, "InvalidRequestUri"),
        ),
        (
            "the word resourceGroups with a long s",
            format!("{subscription}/re%C5%BFourceGroups/rg"),
            (404, "NotFound"),
        ),
        (
            "the word subscriptions with a dotted I",
            "/subscr%C4%B0ptions/x/resourceGroups/rg".to_owned(),
            forbidden,
        ),
    ] {
        let ask = stage.world.arm("GET", &format!("{path}{VERSION}")).by(reader.clone());
        all.push(Attack::new(stage, name, &ask, refused));
    }
    all
}

/// By who may read no data, though it may read the account; and names of blobs that climb.
async fn blobs(stage: &Stage) -> Vec<Attack> {
    let reader = stage.token(&stage.reader, "https://storage.azure.com").await;
    let mismatch = (403, "AuthorizationPermissionMismatch");
    let other = stage.token(&stage.reader, "https://other.blob.core.windows.net").await;
    let mut all = vec![Attack::new(
        stage,
        "an account's token at another",
        &stage.world.blob("GET", "/con/a.txt").by(other),
        (401, "InvalidAuthenticationInfo"),
    )];
    for (name, target, refused) in [
        ("a blob", "/con/a.txt", mismatch),
        ("a blob, climbing", "/other/../con/a.txt", mismatch),
        ("a blob, climbing encoded", "/other/%2e%2e/con/a.txt", mismatch),
        ("a blob behind two slashes", "//con/a.txt", (400, "OutOfRangeInput")),
        ("a list of blobs", "/con?restype=container&comp=list", mismatch),
    ] {
        let ask: Ask = stage.world.blob("GET", target).by(reader.clone());
        all.push(Attack::new(stage, format!("{name} by who may read the account alone"), &ask, refused));
    }
    all
}

/// Filters that try to be more than filters.
fn filters(stage: &Stage, reader: &Auth) -> Vec<Attack> {
    let mut all = Vec::new();
    for (name, filter) in [
        ("SQL", "displayName eq 'x'; DROP TABLE users --"),
        ("a union", "displayName eq 'x' UNION SELECT * FROM users"),
        ("an open string", "displayName eq 'x"),
        ("an open bracket", "(displayName eq 'x'"),
        ("a function of no kind", "sleep(10)"),
        ("NUL", "displayName eq 'x'\0"),
        ("what is always true", "displayName eq 'x' or 1 eq 1"),
        ("what is always true, by words", "true eq true"),
        ("a property that nothing has", "password eq 'x' or displayName eq 'x'"),
        ("no end of brackets", &"(".repeat(2000)),
    ] {
        let target = format!("/v1.0/users?$filter={}", azure::text::percent_encode(filter));
        all.push(Attack::new(
            stage,
            format!("a filter of users: {name}"),
            &stage.world.graph("GET", &target),
            (400, "BadRequest"),
        ));
    }
    for (name, filter) in [
        ("SQL", "atScope(); DROP TABLE x"),
        ("an open string", "principalId eq '"),
        ("what is always true", "principalId eq '00000000-0000-0000-0000-000000000001' or 1 eq 1"),
        ("what is always true, of a name", "principalId ne 'x' or principalId eq 'x'"),
        ("not nobody", "not (principalId eq '00000000-0000-0000-0000-000000000001')"),
    ] {
        let target = stage.world.group(&format!(
            "/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter={}",
            azure::text::percent_encode(filter)
        ));
        let ask = stage.world.arm("GET", &target).by(reader.clone());
        all.push(Attack::new(
            stage,
            format!("a filter of role assignments: {name}"),
            &ask,
            (400, "UnsupportedQuery"),
        ));
    }
    all
}
