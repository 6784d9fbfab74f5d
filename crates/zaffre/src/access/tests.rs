//! Decisions over what is stored: groups, deny assignments, and changes that are seen when they should be.

use std::{sync::Arc, time::Duration};

use azure::{
    action::Action,
    ids::{Guid, ObjectId, ResourceId, TenantId},
    principal::{Principal, PrincipalKind},
    rbac::{Access, EVERYONE, Plane},
    roles::{self, Permission},
    time::Timestamp,
};

use super::{
    Caller,
    assignments::{self, RoleAssignment},
    denials::{self, Denial},
};
use crate::{
    Server,
    cloud::CloudId,
    directory::groups,
    door::Door,
    env::{Env, LogFormat, Settings},
    keys::Keyring,
    service::Cx,
    store::Txn,
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const WHO: ObjectId = ObjectId(Guid([9; 16]));
const GROUP: &str = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg";

fn group(n: u8) -> ObjectId {
    ObjectId(Guid([n; 16]))
}

fn scope() -> ResourceId {
    GROUP.parse().expect("an id")
}

fn caller() -> Caller {
    Caller::Principal(Principal {
        object_id: WHO,
        tenant: TenantId(Guid::default()),
        kind: PrincipalKind::ServicePrincipal,
        app_id: None,
        name: None,
    })
}

async fn cx() -> (Arc<Server>, Cx) {
    let server = Server::in_memory(1, NOW).await;
    let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
    let cx = Cx::internal(&server.env, &cloud, Door::named(CloudId::DEFAULT));
    (server, cx)
}

fn reader(of: ObjectId, at: Timestamp) -> RoleAssignment {
    let role = roles::by_name("Reader").expect("a built-in role").id;
    RoleAssignment::plain(of.0, &scope(), (of, PrincipalKind::Group), role, at)
}

async fn write(cx: &Cx, write: impl Fn(&mut Txn) -> azure::error::Result<()>) {
    cx.write(write).await.expect("writes");
}

fn read() -> Access {
    Access::to(Action::of("Microsoft.Compute/virtualMachines/read"), scope(), Plane::Control)
}

async fn denied_by(cx: &Cx) -> Option<ResourceId> {
    cx.read(|txn| Ok(super::explain(cx, txn, &caller(), &read())?.denied_by)).await.expect("reads")
}

async fn may(cx: &Cx) -> bool {
    cx.read(|txn| super::may(cx, txn, &caller(), read())).await.expect("reads")
}

#[tokio::test]
async fn a_role_of_a_group_within_groups_is_held_until_a_membership_ends() {
    let (_server, cx) = cx().await;
    write(&cx, |txn| assignments::put(txn, &reader(group(5), NOW))).await;
    assert!(!may(&cx).await);
    for n in 1..5 {
        write(&cx, |txn| groups::add(txn, group(n + 1), group(n)).map(drop)).await;
    }
    assert!(!may(&cx).await);
    write(&cx, |txn| groups::add(txn, group(1), WHO).map(drop)).await;
    assert!(may(&cx).await);
    write(&cx, |txn| groups::remove(txn, group(4), group(3)).map(drop)).await;
    assert!(!may(&cx).await);
}

#[tokio::test]
async fn what_a_transaction_has_written_it_decides_by_and_nobody_else() {
    let (_server, cx) = cx().await;
    let inside = cx.write(|txn| {
        assignments::put(txn, &reader(WHO, NOW))?;
        let may = super::may(&cx, txn, &caller(), read())?;
        assignments::delete(txn, &reader(WHO, NOW).id, NOW)?;
        Ok(may)
    });
    assert!(inside.await.expect("writes"));
    assert!(!may(&cx).await);
}

fn denial() -> Denial {
    let name = Guid([3; 16]);
    Denial {
        id: scope().provider("Microsoft.Authorization", "denyAssignments", &name.to_string()),
        name,
        title: "Locked by a stack".to_owned(),
        description: None,
        scope: scope(),
        does_not_apply_to_child_scopes: false,
        principals: vec![EVERYONE],
        excluded_principals: Vec::new(),
        permissions: vec![Permission { actions: vec!["*/read".into()], ..Permission::default() }],
        is_system_protected: true,
        made_by: None,
    }
}

#[tokio::test]
async fn a_deny_assignment_for_everyone_spares_whom_it_excludes_groups_too() {
    let (_server, cx) = cx().await;
    write(&cx, |txn| assignments::put(txn, &reader(WHO, NOW))).await;
    write(&cx, |txn| denials::put(txn, &denial())).await;
    assert_eq!(denied_by(&cx).await, Some(denial().id));
    assert!(!may(&cx).await);
    let sparing = Denial { excluded_principals: vec![group(1)], ..denial() };
    write(&cx, |txn| denials::put(txn, &sparing)).await;
    assert!(!may(&cx).await);
    write(&cx, |txn| groups::add(txn, group(1), WHO).map(drop)).await;
    assert!(may(&cx).await);
    write(&cx, |txn| denials::put(txn, &denial())).await;
    assert!(!may(&cx).await);
    write(&cx, |txn| denials::delete(txn, &denial().id).map(drop)).await;
    assert!(may(&cx).await);
}

/// The same cloud, where changes of roles take so long.
fn slowed(cx: &Cx, delay: Duration, now: Timestamp) -> Cx {
    let settings = Settings { log: LogFormat::Off, role_propagation: delay, ..Settings::default() };
    let env = Env::new(
        cx.env.store.clone(),
        cx.env.content.clone(),
        Keyring::shared(cx.env.keys.signer()),
        settings,
    );
    Cx { env, now, ..cx.clone() }
}

#[tokio::test]
async fn a_role_is_given_and_taken_away_only_after_a_while() {
    let (_server, cx) = cx().await;
    let minute = Duration::from_secs(60);
    let at = |seconds: u64| slowed(&cx, minute, NOW.plus(Duration::from_secs(seconds)));
    write(&cx, |txn| assignments::put(txn, &reader(WHO, NOW))).await;
    for (after, allowed) in [(0, false), (59, false), (60, true), (600, true)] {
        assert_eq!(may(&at(after)).await, allowed, "given, after {after} s");
    }
    let later = NOW.plus(Duration::from_secs(600));
    write(&cx, |txn| assignments::delete(txn, &reader(WHO, NOW).id, later).map(drop)).await;
    for (after, allowed) in [(600, true), (659, true), (660, false)] {
        assert_eq!(may(&at(after)).await, allowed, "taken away, after {after} s");
    }
    assert!(!may(&cx).await, "where nothing is delayed");
}

#[tokio::test]
async fn an_allowed_decision_that_was_made_before_allocates_next_to_nothing() {
    let (_server, cx) = cx().await;
    write(&cx, |txn| assignments::put(txn, &reader(WHO, NOW))).await;
    let caller = caller();
    let decide = |txn: &Txn| {
        let all = vec![read()];
        let mut denied = None;
        let counted =
            allocation_counter::measure(|| denied = Some(super::first_denied(&cx, txn, &caller, all)));
        assert!(denied.expect("was asked")?.is_none());
        Ok(counted.count_total)
    };
    cx.read(decide).await.expect("reads");
    let counted = cx.read(decide).await.expect("reads");
    // What is left is the store's, for the one small row that says whether anything has changed.
    assert!(counted <= 4, "{counted} allocations");
}
