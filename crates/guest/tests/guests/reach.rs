//! What a guest's owner reaches inside: connections to its listeners, a socket for its programs, its files by a program of ours.

use std::net::SocketAddr;
use std::path::Path;

use guest::{Command, ExitStatus, SFTP, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{as_root, print, shell, spec, start};

#[tokio::test]
async fn a_connection_from_outside_arrives_at_the_listener_inside() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let refused = guest.connect(address).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("connect to 127.0.0.1:8080: Connection refused"), "{refused}");

    // The host's own loopback has no such listener, so what connects is inside.
    let listener = tokio::net::TcpListener::from_std(guest.listen(address).await.unwrap()).unwrap();
    let (mut here, accepted) =
        tokio::join!(async { guest.connect(address).await.unwrap() }, listener.accept());
    let (mut there, _) = accepted.unwrap();
    here.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    there.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn a_socket_at_a_path_is_its_users_alone() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let path = Path::new("/tmp/ssh-aB3/agent.1");
    let listener = guest.listen_at(path, User::Admin).await.unwrap();
    let show = "stat -c '%U %a' /tmp/ssh-aB3 /tmp/ssh-aB3/agent.1; stat -c %F /tmp/ssh-aB3/agent.1";
    assert_eq!(print(&guest, shell(show)).await, "azureuser 700\nazureuser 600\nsocket");
    // A directory that is there already may be somebody's trap.
    assert!(guest.listen_at(Path::new("/tmp/ssh-aB3/agent.2"), User::Admin).await.is_err());

    let ask = Command::new([
        "python3",
        "-c",
        "import socket; it = socket.socket(socket.AF_UNIX); it.connect('/tmp/ssh-aB3/agent.1'); it.send(b'hi'); print(it.recv(9).decode())",
    ]);
    let answer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 2];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(b"you too").await.unwrap();
        heard
    };
    let (heard, said) = tokio::join!(answer, print(&guest, ask));
    assert_eq!((&heard, said.as_str()), (b"hi", "you too"));
}

/// `length, kind, number, string`: a request of the file protocol that names one path.
fn about(kind: u8, path: &str, more: &[u8]) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 0, 1];
    body.extend((path.len() as u32).to_be_bytes());
    body.extend(path.as_bytes());
    body.extend(more);
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

#[tokio::test]
async fn files_are_served_inside_as_their_user() {
    let Some((guest, _sockets)) = start(spec()).await else { return };
    let mut said = vec![0, 0, 0, 5, 1, 0, 0, 0, 3];
    // mkdir, and the same where the administrator may not.
    said.extend(about(14, "made", &[0; 4]));
    said.extend(about(14, "/etc/made", &[0; 4]));
    let mut exec = guest.exec(Command::new([SFTP])).await.unwrap();
    exec.stdin.as_mut().unwrap().write_all(&said).await.unwrap();
    let done = exec.finish().await.unwrap();
    assert_eq!(done.status, ExitStatus::Code(0), "{}", String::from_utf8_lossy(&done.stderr));
    let greeting = 4 + usize::from(done.stdout[3]) + 256 * usize::from(done.stdout[2]);
    let code = |at: usize| done.stdout[at + 12];
    let first = greeting;
    let second = first + 4 + usize::from(done.stdout[first + 3]);
    assert_eq!((done.stdout[first + 4], code(first)), (101, 0));
    let is_root = guest.exec(as_root("test -w /etc && cat /proc/self/uid_map")).await.unwrap().finish().await;
    let has_one_id = String::from_utf8(is_root.unwrap().stdout).unwrap().trim().ends_with(" 1");
    // Where the guest has one id for all, what root may write the administrator may too.
    assert_eq!(code(second), if has_one_id { 0 } else { 3 });
    assert_eq!(print(&guest, shell("stat -c '%U %F' ~/made")).await, "azureuser directory");
}
