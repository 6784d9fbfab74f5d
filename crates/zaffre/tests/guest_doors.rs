//! The doors inside a real guest: what its own commands find at the addresses that an Azure VM knows.

use std::{net::Ipv4Addr, sync::Arc};

use azure::{
    ids::{Guid, ResourceId},
    time::Timestamp,
};
use guest::{Command, Guest, SERVICE_ADDRESS, Spec};
use zaffre::{
    Server,
    cloud::{Clock, CloudId},
    front::{
        ca::Authority,
        connection::{Closer, Front, Limits},
        guest_doors::{self, GuestDoors, Inside},
    },
};

struct Machine {
    guest: Guest,
    doors: Option<GuestDoors>,
    _closer: Closer,
}

impl Machine {
    async fn start() -> Machine {
        let server = Server::in_memory(1, Timestamp::from_seconds(1_795_302_174)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let authority =
            Arc::new(Authority::open(folder.path(), || Clock::System.now()).expect("an authority"));
        let spec = Spec {
            init: env!("CARGO_BIN_EXE_zaffre").into(),
            ca_bundle: authority.certificate().to_owned(),
            ..Spec::new("myVM")
        };
        let (front, closer) = Front::new(server, authority, Limits::default()).expect("a front");
        let (guest, sockets) = Guest::start(spec).await.expect("this machine allows guests");
        let doors = guest_doors::serve(&front, &inside(), sockets).expect("serves");
        Machine { guest, doors: Some(doors), _closer: closer }
    }

    /// What a script prints.
    async fn says(&self, script: &str) -> String {
        let command = Command::new(["bash", "-c", script]);
        let done = self.guest.exec(command).await.expect("runs").finish().await.expect("ends");
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    }
}

fn inside() -> Inside {
    let vm = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/myVM";
    Inside {
        cloud: CloudId::DEFAULT,
        vm: ResourceId::parse(vm).expect("an id"),
        vm_id: Guid([7; 16]),
        hostname: "myVM".to_owned(),
        address: Ipv4Addr::new(10, 0, 0, 4),
        network: None,
        service: SERVICE_ADDRESS,
    }
}

/// One request by the shell's own means, so that no client has to be there.
fn request(address: &str, path: &str, host: &str) -> String {
    format!(
        "exec 3<>/dev/tcp/{address} && printf 'GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_finds_azures_names_and_the_metadata_service_and_nothing_else() {
    let machine = Machine::start().await;
    let found = machine.says("getent ahostsv4 management.azure.com | head -n 1").await;
    assert!(found.starts_with(&SERVICE_ADDRESS.to_string()), "{found}");
    let lost = machine.says("getent hosts example.org || echo no such name").await;
    assert_eq!(lost, "no such name\n");

    let catalogue = "azcliprod.blob.core.windows.net";
    let aliases = machine.says(&request(&format!("{catalogue}/80"), "/cli/vm/aliases.json", catalogue)).await;
    assert!(aliases.starts_with("HTTP/1.1 200") && aliases.contains("Ubuntu2204"), "{aliases}");
    // Whatever Host says: this is no catalogue.
    let metadata = machine.says(&request("169.254.169.254/80", "/cli/vm/aliases.json", catalogue)).await;
    assert!(metadata.starts_with("HTTP/1.1 4") && !metadata.contains("Ubuntu2204"), "{metadata}");
    machine.guest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_from_inside_is_refused_and_hides_nothing() {
    let machine = Machine::start().await;
    for line in [
        "X-A: b\\r\\n c",
        "X-A : b",
        "X-A: b\\rMetadata: true",
        "Content-Length: 1\\r\\nContent-Length: 2",
        "Transfer-Encoding: xchunked",
        "Host: other.example",
        // LF alone ends a line, so what is behind it is seen.
        "Metadata: true\\nX-Forwarded-For: 10.0.0.9",
    ] {
        let head = format!(
            "GET /metadata/instance?api-version=2021-02-01 HTTP/1.1\\r\\nHost: a\\r\\n{line}\\r\\n\\r\\n"
        );
        let script = format!("exec 3<>/dev/tcp/169.254.169.254/80 && printf '{head}' >&3 && head -n 1 <&3");
        let answer = machine.says(&script).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
    }
    machine.guest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doors_that_were_dropped_let_nobody_in() {
    let mut machine = Machine::start().await;
    let connect = "exec 3<>/dev/tcp/169.254.169.254/80 && printf 'x\\r\\n\\r\\n' >&3 && cat <&3; echo over";
    let open = machine.says(connect).await;
    assert!(open.contains("HTTP/1.1 400"), "{open}");
    machine.doors = None;
    let shut = machine.says(connect).await;
    assert!(!shut.contains("HTTP/1.1") && shut.contains("over"), "{shut}");
    machine.guest.stop().await;
}
