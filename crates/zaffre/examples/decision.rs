//! What one decision costs: 10,000 assignments in the directory, a caller in five groups within each other.
//!
//! `cargo run --release --example decision`; each figure is the median of 21 rounds, on one thread. `gathered`
//! is what the first decision after a change of roles costs; `allowed` and `refused` those that follow.

#![expect(clippy::print_stdout, reason = "figures are what it prints")]
#![expect(clippy::disallowed_methods, reason = "it measures how long things take")]

use std::time::Instant;

use azure::{
    action::Action,
    error::Result,
    ids::{Guid, ObjectId, ResourceId, TenantId},
    principal::{Principal, PrincipalKind},
    rbac::{Access, Plane},
    roles,
    time::Timestamp,
};
use zaffre::{
    Server,
    access::{
        self, Caller,
        assignments::{self, RoleAssignment},
    },
    cloud::CloudId,
    directory::groups,
    door::Door,
    service::Cx,
    store::Txn,
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const ROUNDS: usize = 21;
const TIMES: u32 = 10_000;

fn object(number: u64) -> ObjectId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ObjectId(Guid(bytes))
}

fn place(number: u64) -> ResourceId {
    let text = format!(
        "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg{number}\
         /providers/Microsoft.Compute/virtualMachines/vm"
    );
    text.parse().expect("an id")
}

fn assignment(number: u64) -> RoleAssignment {
    let role = roles::by_name("Virtual Machine Contributor").expect("a built-in role").id;
    // The caller's own are among those of its groups: 1 in 1000 is one of theirs.
    let holder = if number.is_multiple_of(1000) { 1 + number / 1000 % 5 } else { 1_000_000 + number };
    let holder = (object(holder), PrincipalKind::Group);
    RoleAssignment::plain(object(5_000_000 + number).0, &place(number), holder, role, NOW)
}

fn fill(txn: &mut Txn) -> Result<()> {
    (0..10_000).try_for_each(|number| assignments::put(txn, &assignment(number)))?;
    groups::add(txn, object(1), object(900))?;
    (1..5).try_for_each(|number| groups::add(txn, object(number + 1), object(number)).map(drop))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let server = Server::in_memory(1, NOW).await;
        let cloud = server.cloud(CloudId::DEFAULT).expect("is open");
        let cx = Cx::internal(&server.env, &cloud, Door::named(CloudId::DEFAULT));
        cx.write(fill).await.map_err(|error| error.message())?;
        let caller = Caller::Principal(Principal {
            object_id: object(900),
            tenant: TenantId(Guid::default()),
            kind: PrincipalKind::ServicePrincipal,
            app_id: None,
            groups: Vec::new(),
            name: None,
        });
        let start = |number| {
            Access::to(
                Action::of("Microsoft.Compute/virtualMachines/start/action"),
                place(number),
                Plane::Control,
            )
        };
        for (name, access, expected) in [("allowed", start(9000), true), ("refused", start(9001), false)] {
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let begun = Instant::now();
                for _ in 0..TIMES {
                    let may = cx.read(|txn| access::may(&cx, txn, &caller, &access)).await;
                    assert_eq!(may.map_err(|error| error.message())?, expected);
                }
                times.push(begun.elapsed() / TIMES);
            }
            times.sort();
            println!("{name} {:?}", times[ROUNDS / 2]);
        }
        let mut gathered = Vec::new();
        for _ in 0..ROUNDS {
            cx.write(|txn| assignments::put(txn, &assignment(1))).await.map_err(|error| error.message())?;
            let begun = Instant::now();
            cx.read(|txn| access::may(&cx, txn, &caller, &start(9000)))
                .await
                .map_err(|error| error.message())?;
            gathered.push(begun.elapsed());
        }
        gathered.sort();
        println!("gathered {:?}", gathered[ROUNDS / 2]);
        Ok(())
    })
}
