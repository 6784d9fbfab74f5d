//! Real guests on this machine.

use guest::{Command, ExitStatus, Guest, Spec};

fn spec() -> Spec {
    let init = std::env::var_os("GUEST_INIT").unwrap_or_else(|| env!("CARGO_BIN_EXE_guest-init").into());
    Spec { init: init.into(), ..Spec::new("myVM") }
}

#[tokio::test]
async fn a_guest_starts_runs_a_command_and_stops() {
    guest::probe(&spec().init).unwrap();
    let (guest, sockets) = Guest::start(spec()).await.unwrap();
    assert_eq!((sockets.tcp.len(), sockets.udp.len()), (4, 1));
    let command = Command::new(["sh", "-c", "hostname; whoami"]);
    let done = guest.exec(command).await.unwrap().finish().await.unwrap();
    assert_eq!(done.status, ExitStatus::Code(0));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "myVM\nazureuser\n");
    guest.stop().await;
}
