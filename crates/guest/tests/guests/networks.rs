//! Virtual networks: who reaches whom.

use std::net::Ipv4Addr;
use std::sync::Arc;

use guest::{Flow, Guest, Interface, Network, Place, Plug, Protocol, Rules, Spec};

use crate::{code, print, shell, spec, start};

/// Lets everything pass but what comes in at these ports, and UDP that goes out to 99.
struct Except(Vec<u16>);

impl Rules for Except {
    fn lets_out(&self, flow: &Flow) -> bool {
        (flow.protocol, flow.destination.port()) != (Protocol::Udp, 99)
    }

    fn lets_in(&self, flow: &Flow) -> bool {
        !self.0.contains(&flow.destination.port())
    }
}

struct Machine {
    guest: Guest,
    plug: Plug,
    _sockets: guest::GuestSockets,
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

async fn machine(network: &Network, last: u8, shut: &[u16]) -> Option<Machine> {
    let mac = [0x00, 0x0d, 0x3a, 0, 0, last];
    let routes = vec![(Ipv4Addr::new(10, 0, 0, 0), 16)];
    let interface = Some(Interface::new(mac, vec![(address(last), 24)], routes));
    let (guest, mut sockets) = start(Spec { interface, hostname: format!("vm{last}"), ..spec() }).await?;
    let place = Place {
        mac,
        addresses: vec![address(last)],
        names: vec![format!("vm{last}"), format!("VM{last}.x.internal.cloudapp.net")],
        rules: Arc::new(Except(shut.to_vec())),
        outside: None,
    };
    let plug = network.attach(sockets.wire.take().unwrap(), place).unwrap();
    Some(Machine { guest, plug, _sockets: sockets })
}

/// Answers one connection at a port with what it gets. Whoever asks waits until it listens.
const SERVE: &str = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => PORT, Listen => 9, ReuseAddr => 1) or die; print \"up\\n\"; STDOUT->flush; while (my $c = $s->accept) { my $l = <$c>; print $c \"heard $l\"; close $c }";

async fn serve(machine: &Machine, port: u16) -> guest::Exec {
    use tokio::io::AsyncReadExt;
    let script = SERVE.replace("PORT", &port.to_string());
    let command = guest::Command::new(["perl", "-MIO::Handle", "-e", &script]);
    let as_root = guest::Command { user: guest::User::Root, ..command };
    let mut exec = machine.guest.exec(as_root).await.unwrap();
    let mut up = [0; 3];
    exec.stdout.as_mut().unwrap().read_exact(&mut up).await.unwrap();
    exec
}

fn ask(last: u8, port: u16) -> guest::Command {
    shell(&format!(
        "exec 2>/dev/null; timeout 0.5 bash -c 'exec 3<>/dev/tcp/10.0.0.{last}/{port} && echo you >&3 && cat <&3' || echo nobody"
    ))
}

pub(super) fn has_perl() -> bool {
    std::process::Command::new("perl")
        .args(["-MIO::Socket::INET", "-e", "1"])
        .output()
        .is_ok_and(|it| it.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_a_network_reach_each_other_and_no_others() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (one, other) = (Network::default(), Network::default());
    let Some(first) = machine(&one, 4, &[]).await else { return };
    let second = machine(&one, 5, &[81]).await.unwrap();
    let stranger = machine(&other, 5, &[]).await.unwrap();
    let _served = (serve(&second, 80).await, serve(&second, 81).await, serve(&stranger, 82).await);
    let says = async |port| print(&first.guest, ask(5, port)).await;
    assert_eq!(says(80).await, "heard you");
    assert_eq!(says(81).await, "nobody", "the receiver's rules");
    assert_eq!(says(82).await, "nobody", "another network's machine of that address");
    second.plug.set_rules(Arc::new(Except(vec![80])));
    assert_eq!(
        (says(80).await.as_str(), says(81).await.as_str()),
        ("nobody", "heard you"),
        "rules that changed"
    );
    assert_eq!(one.find("VM5"), Some(address(5)));
    assert_eq!(one.find("vm5.x.internal.cloudapp.net"), Some(address(5)));
    assert_eq!(one.name_of(address(4)).as_deref(), Some("vm4.x.internal.cloudapp.net"));
    assert_eq!(one.find("vm6"), None);
    drop(second.plug);
    assert_eq!(says(81).await, "nobody", "it has left");
    assert_eq!(one.find("vm5"), None);
    let seen = print(&first.guest, shell("cat /sys/class/net/eth0/address 2>/dev/null || tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort")).await;
    assert_eq!(seen, "eth0\nlo");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_another_and_nothing_leaves() {
    let network = Network::default();
    let Some(first) = machine(&network, 4, &[]).await else { return };
    // The first is where who comes from outside comes from: nobody listens there.
    for (to, why) in [
        ("192.0.2.1", "refused"),
        ("203.0.113.1", "unreachable"),
        ("10.1.0.4", "unreachable"),
        ("8.8.8.8", "unreachable"),
    ] {
        let script = format!("exec 3<>/dev/tcp/{to}/80");
        let done = first.guest.exec(shell(&script)).await.unwrap().finish().await.unwrap();
        let said = String::from_utf8_lossy(&done.stderr).to_lowercase();
        assert!(said.contains(why), "{to}: {said}");
    }
    // An address of the metadata service as the sender's.
    let script = "command -v perl >/dev/null || exit 1; exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => \"169.254.169.254\", PeerAddr => \"10.0.0.5\", PeerPort => 80, Timeout => 0.3) and exit 0; exit 1'";
    let second = machine(&network, 5, &[]).await.unwrap();
    if has_perl() {
        let _served = serve(&second, 80).await;
        assert_eq!(code(&first.guest, shell(script)).await, 1);
        assert_eq!(print(&first.guest, ask(5, 80)).await, "heard you");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_are_answered_and_judged() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let network = Network::default();
    let Some(first) = machine(&network, 4, &[7]).await else { return };
    let second = machine(&network, 5, &[98]).await.unwrap();
    let script = "use IO::Socket::INET; my %s; for my $p (97, 98, 99) { $s{$p} = IO::Socket::INET->new(LocalPort => $p, Proto => \"udp\") or die \"$p $!\" } print \"up\\n\"; STDOUT->flush; while (1) { my $r = \"\"; vec($r, $_->fileno, 1) = 1 for values %s; select($r, undef, undef, undef); for my $s (values %s) { next unless vec($r, $s->fileno, 1); $s->recv(my $t, 99); $s->send(\"heard $t\") } }";
    use tokio::io::AsyncReadExt;
    let as_root = guest::Command {
        user: guest::User::Root,
        ..guest::Command::new(["perl", "-MIO::Handle", "-e", script])
    };
    let mut served = second.guest.exec(as_root).await.unwrap();
    served.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).await.unwrap();
    for (port, expected) in [(97, "heard you"), (98, "nobody"), (99, "nobody")] {
        let script = format!(
            "timeout 0.5 bash -c 'exec 3<>/dev/udp/10.0.0.5/{port}; printf you >&3; head -c 9 <&3' || echo nobody"
        );
        assert_eq!(print(&first.guest, shell(&script)).await, expected, "{port}");
    }
}

/// Bulk goes through whole; how fast is for whoever reads the output.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this is the one that measures")]
async fn much_goes_through_whole() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let network = Network::default();
    let Some(first) = machine(&network, 4, &[]).await else { return };
    let second = machine(&network, 5, &[]).await.unwrap();
    let script = "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 9000, Listen => 9) or die; print \"up\\n\"; STDOUT->flush; my $c = $s->accept; my $n = 0; while (my $r = sysread($c, my $b, 1 << 20)) { $n += $r } print $c $n; print \"$n\\n\"";
    use tokio::io::AsyncReadExt;
    let mut served =
        second.guest.exec(guest::Command::new(["perl", "-MIO::Handle", "-e", script])).await.unwrap();
    served.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).await.unwrap();
    let begin = std::time::Instant::now();
    code(&first.guest, shell("head -c 64M /dev/zero > /dev/tcp/10.0.0.5/9000")).await;
    let mut said = String::new();
    served.stdout.as_mut().unwrap().read_to_string(&mut said).await.unwrap();
    println!("64 MiB between two guests in {:.1?}", begin.elapsed());
    assert_eq!(said, "67108864\n");
}

/// The platform's addresses are elsewhere: what listens there takes none of the guest's ports.
#[tokio::test(flavor = "multi_thread")]
async fn all_ports_of_a_machine_in_a_network_are_its_own() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let Some(mut machine) = machine(&Network::default(), 4, &[]).await else { return };
    let _served = (serve(&machine, 80).await, serve(&machine, 443).await, serve(&machine, 53).await);
    assert_eq!(print(&machine.guest, ask(4, 80)).await, "heard you");
    for (_, listener) in machine._sockets.tcp.drain(..) {
        let at = listener.local_addr().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let script = format!("exec 3<>/dev/tcp/{}/{}; cat <&3", at.ip(), at.port());
        let answer = async {
            let (stream, peer) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut { stream }, b"platform").await.unwrap();
            peer.ip()
        };
        let (peer, said) = tokio::join!(answer, print(&machine.guest, shell(&script)));
        assert_eq!((peer, said.as_str()), (address(4).into(), "platform"), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_from_outside_is_somebody_else_and_what_listens_is_known() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let Some(machine) = machine(&Network::default(), 4, &[]).await else { return };
    let listening = machine.guest.listening().await.unwrap();
    assert!(
        listening.ports_at(address(4)).unwrap().is_empty(),
        "the platform's listeners are behind the interface"
    );
    let _served = serve(&machine, 80).await;
    assert_eq!(listening.ports_at(address(4)).unwrap().into_iter().collect::<Vec<_>>(), [80]);

    let to = |port| std::net::SocketAddrV4::new(address(4), port);
    let mut stream = machine.guest.connect_from_outside(to(80)).await.unwrap();
    assert_eq!(stream.local_addr().unwrap().ip(), guest::OUTSIDE_ADDRESS);
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"you\n").await.unwrap();
    let mut heard = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut heard).await.unwrap();
    assert_eq!(heard, "heard you\n");
    let refused = machine.guest.connect_from_outside(to(81)).await.unwrap_err().to_string();
    assert!(refused.contains("refused"), "{refused}");
    // What is started now is in the guest's network again, not in the one behind.
    assert_eq!(print(&machine.guest, shell("grep -c wire: /proc/net/dev || true")).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_are_joined_reach_each_other_by_address_and_no_further() {
    if !has_perl() {
        return println!("skipped: no perl here");
    }
    let (hub, near, far) = (Network::default(), Network::default(), Network::default());
    let Some(in_hub) = machine(&hub, 4, &[]).await else { return };
    let in_near = machine(&near, 5, &[81]).await.unwrap();
    let in_far = machine(&far, 6, &[]).await.unwrap();
    let _served = (serve(&in_near, 80).await, serve(&in_near, 81).await, serve(&in_far, 80).await);
    let says = async |from: &Machine, last, port| print(&from.guest, ask(last, port)).await;
    assert_eq!(says(&in_hub, 5, 80).await, "nobody", "not joined yet");
    hub.set_peers(std::slice::from_ref(&near));
    near.set_peers(&[hub.clone(), far.clone()]);
    far.set_peers(std::slice::from_ref(&near));
    assert_eq!(says(&in_hub, 5, 80).await, "heard you");
    assert_eq!(says(&in_hub, 5, 81).await, "nobody", "the receiver's rules");
    assert_eq!(says(&in_near, 6, 80).await, "heard you");
    assert_eq!(says(&in_hub, 6, 80).await, "nobody", "a peer's peer is nobody's");
    assert_eq!(hub.find("vm5"), None, "names are one network's");
    hub.set_peers(&[]);
    near.set_peers(&[]);
    assert_eq!(says(&in_hub, 5, 80).await, "nobody", "joined no more");

    // A way that is found later is one.
    let script = |to: &str| format!("exec 2>&1; timeout 0.2 bash -c 'exec 3<>/dev/tcp/{to}/80'; echo; true");
    let said = async |to: &str| print(&in_hub.guest, shell(&script(to))).await.to_lowercase();
    assert!(said("10.9.0.1").await.contains("unreachable"));
    in_hub.guest.find_way((Ipv4Addr::new(10, 9, 0, 0), 16)).await.unwrap();
    assert!(!said("10.9.0.1").await.contains("unreachable"));
}
