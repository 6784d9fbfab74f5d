//! A whole server with a machine of a few lines behind it, asked by the library's client over a pipe in memory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Sig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::{
    Access, AgentSocket, Ends, Exit, HostKey, Listening, Machine, Nudge, Patience, Pending, Process,
    SESSIONS_MAX, Server, Size, Start, Stream, Terminal, What,
};

const PASSWORD: &str = "correct horse";

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "me@here").unwrap()
}

fn line(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

/// What the machine was asked, and what it lets a test see.
#[derive(Default)]
struct Fake {
    keys: Vec<String>,
    started: Mutex<Vec<Start>>,
    nudges: Mutex<Vec<Nudge>>,
    /// How many processes were let go of.
    gone: watch::Sender<usize>,
    /// The other side of the connections that were asked for.
    connected: Mutex<Vec<DuplexStream>>,
    incoming: Mutex<Option<mpsc::Sender<(Stream, SocketAddr)>>>,
    agents: Mutex<Option<mpsc::Sender<Stream>>>,
}

struct Shared(Arc<Fake>);

impl Machine for Shared {
    fn access<'a>(&'a self, user: &'a str) -> Pending<'a, Access> {
        let keys = if user == "azureuser" { self.0.keys.clone() } else { Vec::new() };
        Box::pin(async { Access { takes_passwords: !keys.is_empty(), authorized_keys: keys } })
    }

    fn is_password<'a>(&'a self, user: &'a str, password: &'a str) -> Pending<'a, bool> {
        Box::pin(async move { user == "azureuser" && password == PASSWORD })
    }

    fn start(&self, start: Start) -> Pending<'_, Result<Process, String>> {
        let what = start.what.clone();
        self.0.started.lock().unwrap().push(start);
        let fake = Arc::clone(&self.0);
        Box::pin(async move { process(fake, &what) })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, Result<Stream, String>> {
        Box::pin(async move {
            if (host, port) != ("web", 80) {
                return Err("nobody there".to_owned());
            }
            let (near, far) = duplex(64);
            self.0.connected.lock().unwrap().push(far);
            Ok(Box::new(near) as Stream)
        })
    }

    fn listen<'a>(&'a self, _host: &'a str, _port: u16) -> Pending<'a, Result<Listening, String>> {
        let (sender, incoming) = mpsc::channel(1);
        *self.0.incoming.lock().unwrap() = Some(sender);
        Box::pin(async { Ok(Listening { port: 4242, incoming }) })
    }

    fn agent_socket<'a>(&'a self, _user: &'a str) -> Pending<'a, Result<AgentSocket, String>> {
        let (sender, incoming) = mpsc::channel(1);
        *self.0.agents.lock().unwrap() = Some(sender);
        Box::pin(async { Ok(AgentSocket { path: "/tmp/agent".to_owned(), incoming }) })
    }
}

/// `echo` gives back what it reads, and only ends with it; `exit N` and `kill N` end at once; `wait` does nothing at all.
fn process(fake: Arc<Fake>, what: &What) -> Result<Process, String> {
    let command = match what {
        What::Command(line) => String::from_utf8(line.clone()).unwrap(),
        What::Shell | What::Sftp => "echo".to_owned(),
    };
    let (stdin, mut read) = duplex(1 << 10);
    let (mut write, stdout) = duplex(1 << 10);
    let (mut complain, stderr) = duplex(1 << 10);
    let (nudge, mut nudges) = mpsc::channel(4);
    let (ended, exit) = oneshot::channel();
    let words: Vec<&str> = command.split(' ').collect();
    let number = words.get(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    match words[0] {
        "echo" => drop(tokio::spawn(async move {
            tokio::io::copy(&mut read, &mut write).await.unwrap();
            let _ = ended.send(Exit::Code(0));
            drop(complain);
        })),
        "exit" | "kill" => drop(tokio::spawn(async move {
            complain.write_all(b"so be it").await.unwrap();
            let _ =
                ended.send(if words_are_kill(&command) { Exit::Signal(number) } else { Exit::Code(number) });
            drop((write, read));
        })),
        "wait" => drop(tokio::spawn(async move {
            while let Some(nudge) = nudges.recv().await {
                fake.nudges.lock().unwrap().push(nudge);
                // Each is answered, so that a test knows when it has come.
                write.write_all(b"!").await.unwrap();
            }
            fake.gone.send_modify(|it| *it += 1);
            drop((ended, read, complain));
        })),
        other => return Err(format!("{other}: not found")),
    }
    Ok(Process {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Some(Box::new(stderr)),
        nudge,
        exit,
    })
}

fn words_are_kill(command: &str) -> bool {
    command.starts_with("kill")
}

/// A client that believes its server, and answers what the server opens.
struct Client {
    host_key: Arc<Mutex<Option<String>>>,
    opened: mpsc::Sender<Channel<Msg>>,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        *self.host_key.lock().unwrap() = key.to_openssh().ok();
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        _origin: &str,
        _origin_port: u32,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        self.opened.send(channel).await.unwrap();
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        self.opened.send(channel).await.unwrap();
        Ok(())
    }
}

/// A client at a server.
struct Talk {
    fake: Arc<Fake>,
    client: Handle<Client>,
    served: JoinHandle<()>,
    host_key: Arc<Mutex<Option<String>>>,
    opened: mpsc::Receiver<Channel<Msg>>,
}

fn ends() -> Ends {
    Ends { client: "127.0.0.1:50000".parse().unwrap(), server: "127.77.0.4:22".parse().unwrap() }
}

fn server(fake: &Arc<Fake>, patience: Patience) -> Server {
    let machine = Arc::new(Shared(Arc::clone(fake)));
    Server { patience, ..Server::new(machine, HostKey::from_seed(&[7; 32])) }
}

async fn meet() -> Talk {
    let keys = vec!["# mine".to_owned(), line(1), format!("restrict {}", line(2))];
    let fake = Arc::new(Fake { keys, ..Fake::default() });
    let (here, there) = duplex(1 << 16);
    let server = server(&fake, Patience { failure: Duration::from_millis(1), ..Patience::USUAL });
    let served = tokio::spawn(async move { server.serve(there, ends()).await });
    let host_key = Arc::default();
    let (sender, opened) = mpsc::channel(4);
    let handler = Client { host_key: Arc::clone(&host_key), opened: sender };
    let client = client::connect_stream(Arc::default(), here, handler).await.unwrap();
    Talk { fake, client, served, host_key, opened }
}

/// One who has signed in.
async fn signed_in() -> Talk {
    let mut talk = meet().await;
    assert!(talk.offers("azureuser", 1).await);
    talk
}

impl Talk {
    async fn offers(&mut self, user: &str, seed: u8) -> bool {
        let key = PrivateKeyWithHashAlg::new(Arc::new(key(seed)), None);
        self.client.authenticate_publickey(user, key).await.unwrap().success()
    }

    async fn runs(&self, command: &str) -> Channel<Msg> {
        let channel = self.client.channel_open_session().await.unwrap();
        channel.exec(true, command).await.unwrap();
        channel
    }
}

/// What comes until the channel is closed.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    code: Option<u32>,
    signal: Option<String>,
}

async fn hear(channel: &mut Channel<Msg>) -> Heard {
    let mut heard = Heard::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => heard.stdout.extend(&data[..]),
            ChannelMsg::ExtendedData { data, ext: 1 } => heard.stderr.extend(&data[..]),
            ChannelMsg::ExitStatus { exit_status } => heard.code = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => heard.signal = Some(format!("{signal_name:?}")),
            _ => {}
        }
    }
    heard
}

/// Waits until so many bytes have come.
async fn await_bytes(channel: &mut Channel<Msg>, count: usize) {
    let mut seen = 0;
    while seen < count {
        if let ChannelMsg::Data { data } = channel.wait().await.expect("the channel is open") {
            seen += data.len();
        }
    }
}

#[tokio::test]
async fn a_users_key_is_admitted_and_no_other() {
    for (user, seed, is_admitted) in [
        ("azureuser", 1, true),
        ("root", 1, false),
        ("azureuser", 3, false),
        // Its options are not understood here, so they are not ignored either.
        ("azureuser", 2, false),
    ] {
        assert_eq!(meet().await.offers(user, seed).await, is_admitted, "{user} {seed}");
    }
    let mut talk = meet().await;
    assert!(!talk.offers("azureuser", 3).await && talk.offers("azureuser", 1).await, "one after another");
    assert_eq!(*talk.host_key.lock().unwrap(), Some(HostKey::from_seed(&[7; 32]).public()));
}

#[tokio::test]
async fn a_password_is_a_way_in_where_the_user_has_one() {
    let talk = meet().await;
    let mut client = talk.client;
    let refused = client.authenticate_password("azureuser", "Correct horse").await.unwrap();
    let AuthResult::Failure { remaining_methods, .. } = refused else { panic!("was let in") };
    assert_eq!(remaining_methods.len(), 2);
    assert!(client.authenticate_password("azureuser", PASSWORD).await.unwrap().success());

    let mut client = meet().await.client;
    let refused = client.authenticate_password("root", PASSWORD).await.unwrap();
    let AuthResult::Failure { remaining_methods, .. } = refused else { panic!("was let in") };
    assert_eq!(remaining_methods.len(), 1, "keys alone");
}

#[tokio::test]
async fn whoever_does_not_sign_in_is_cut_off() {
    let (here, there) = duplex(1 << 16);
    let handler = Client { host_key: Arc::default(), opened: mpsc::channel(4).0 };
    let client = tokio::spawn(client::connect_stream(Arc::default(), here, handler));
    let patience = Patience { grace: Duration::from_millis(50), ..Patience::USUAL };
    server(&Arc::default(), patience).serve(there, ends()).await;
    client.abort();
}

#[tokio::test]
async fn a_commands_bytes_and_its_end_come_back() {
    let talk = signed_in().await;
    for (command, code, signal) in
        [("exit 0", Some(0), None), ("exit 255", Some(255), None), ("kill 15", None, Some("TERM".to_owned()))]
    {
        let heard = hear(&mut talk.runs(command).await).await;
        let expected = Heard { stderr: b"so be it".to_vec(), code, signal, ..Heard::default() };
        assert_eq!(heard, expected, "{command}");
    }
    let heard = hear(&mut talk.runs("nothing").await).await;
    assert_eq!((heard.stderr.as_slice(), heard.code), (&b"nothing: not found\r\n"[..], Some(126)));

    let mut channel = talk.runs("echo").await;
    channel.data(&b"hello"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let expected = Heard { stdout: b"hello".to_vec(), code: Some(0), ..Heard::default() };
    assert_eq!(hear(&mut channel).await, expected);
}

#[tokio::test]
async fn a_program_that_waits_for_its_reader_is_read() {
    const PIECE: usize = 32 << 10;
    const PIECES: usize = 512;
    let talk = signed_in().await;
    // It reads nothing more while it writes, and far more comes than all buffers on the way hold.
    let (mut read, write) = talk.runs("echo").await.split();
    let said = async {
        for _ in 0..PIECES {
            write.data(&vec![b'x'; PIECE][..]).await.unwrap();
        }
        write.eof().await.unwrap();
    };
    let heard = async {
        let mut heard = 0;
        while let Some(message) = read.wait().await {
            if let ChannelMsg::Data { data } = message {
                heard += data.len();
            }
        }
        heard
    };
    assert_eq!(tokio::join!(said, heard).1, PIECE * PIECES);
}

#[tokio::test]
async fn a_shell_knows_its_terminal_and_hears_of_changes() {
    let talk = signed_in().await;
    let mut channel = talk.client.channel_open_session().await.unwrap();
    channel.request_pty(true, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
    channel.set_env(true, "LC_ALL", "C").await.unwrap();
    channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await.unwrap();
    channel.exec(true, "wait").await.unwrap();
    channel.window_change(132, 50, 0, 0).await.unwrap();
    channel.signal(Sig::INT).await.unwrap();
    await_bytes(&mut channel, 2).await;
    let nudges = talk.fake.nudges.lock().unwrap().clone();
    assert_eq!(nudges, [Nudge::Resize(Size { rows: 50, columns: 132 }), Nudge::Signal(2)]);
    let env = [
        ("SSH_CONNECTION", "127.0.0.1 50000 127.77.0.4 22"),
        ("SSH_CLIENT", "127.0.0.1 50000 22"),
        ("LC_ALL", "C"),
    ];
    let expected = Start {
        user: "azureuser".to_owned(),
        what: What::Command(b"wait".to_vec()),
        terminal: Some(Terminal { kind: "vt100".to_owned(), size: Size { rows: 24, columns: 80 } }),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    };
    assert_eq!(*talk.fake.started.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn the_one_subsystem_is_files() {
    let talk = signed_in().await;
    let mut channel = talk.client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "netconf").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    let mut channel = talk.client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Success)));
    channel.data(&b"\0"[..]).await.unwrap();
    await_bytes(&mut channel, 1).await;
    assert_eq!(talk.fake.started.lock().unwrap()[0].what, What::Sftp);
}

#[tokio::test]
async fn what_is_not_done_is_refused_and_the_next_request_is_answered() {
    let talk = signed_in().await;
    let mut channel = talk.client.channel_open_session().await.unwrap();
    channel.request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0).await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    channel.set_env(true, "LANG", "C").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Success)));
}

#[tokio::test]
async fn whatever_ends_the_connection_lets_go_of_what_runs() {
    // The client closes the channel; it goes as a whole; the machine's owner cuts it off.
    for way in 0..3 {
        let talk = signed_in().await;
        let mut gone = talk.fake.gone.subscribe();
        let channel = talk.runs("wait").await;
        channel.signal(Sig::HUP).await.unwrap();
        let mut channel = channel;
        await_bytes(&mut channel, 1).await;
        match way {
            0 => channel.close().await.unwrap(),
            1 => drop((channel, talk.client)),
            _ => talk.served.abort(),
        }
        gone.wait_for(|it| *it == 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_has_so_many_channels_and_no_more() {
    let talk = signed_in().await;
    let mut open = Vec::new();
    for _ in 0..SESSIONS_MAX {
        open.push(talk.runs("wait").await);
    }
    assert!(talk.client.channel_open_session().await.is_err());
    let closed = open.pop().unwrap();
    closed.close().await.unwrap();
    talk.fake.gone.subscribe().wait_for(|it| *it == 1).await.unwrap();
    let mut again = talk.runs("exit 0").await;
    assert_eq!(hear(&mut again).await.code, Some(0));
}

#[tokio::test]
async fn a_connection_is_made_within_the_machine() {
    let talk = signed_in().await;
    assert!(talk.client.channel_open_direct_tcpip("elsewhere", 80, "127.0.0.1", 1).await.is_err());
    let channel = talk.client.channel_open_direct_tcpip("web", 80, "127.0.0.1", 1).await.unwrap();
    let mut far = talk.fake.connected.lock().unwrap().pop().unwrap();
    let mut near = channel.into_stream();
    near.write_all(b"GET").await.unwrap();
    let mut heard = [0; 3];
    far.read_exact(&mut heard).await.unwrap();
    far.write_all(b"200").await.unwrap();
    drop(far);
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!((&heard, answer.as_slice()), (b"GET", &b"200"[..]));
}

#[tokio::test]
async fn what_connects_within_the_machine_reaches_the_client() {
    let mut talk = signed_in().await;
    assert!(talk.client.tcpip_forward("localhost", 80).await.is_err(), "root's to listen at");
    assert_eq!(talk.client.tcpip_forward("localhost", 0).await.unwrap(), 4242);
    let incoming = talk.fake.incoming.lock().unwrap().take().unwrap();
    let (mut inside, outside) = duplex(64);
    incoming.send((Box::new(outside), "127.0.0.1:5".parse().unwrap())).await.unwrap();
    inside.write_all(b"ping").await.unwrap();
    await_bytes(&mut talk.opened.recv().await.unwrap(), 4).await;
    talk.client.cancel_tcpip_forward("localhost", 4242).await.unwrap();
    incoming.closed().await;
}

#[tokio::test]
async fn a_program_in_the_machine_asks_the_clients_agent() {
    let mut talk = signed_in().await;
    let channel = talk.client.channel_open_session().await.unwrap();
    channel.agent_forward(true).await.unwrap();
    channel.exec(true, "wait").await.unwrap();
    channel.signal(Sig::HUP).await.unwrap();
    let mut channel = channel;
    await_bytes(&mut channel, 1).await;
    let env = talk.fake.started.lock().unwrap()[0].env.clone();
    assert!(env.contains(&("SSH_AUTH_SOCK".to_owned(), "/tmp/agent".to_owned())), "{env:?}");
    let incoming = talk.fake.agents.lock().unwrap().take().unwrap();
    let (mut inside, outside) = duplex(64);
    incoming.send(Box::new(outside)).await.unwrap();
    inside.write_all(b"who").await.unwrap();
    await_bytes(&mut talk.opened.recv().await.unwrap(), 3).await;
    channel.close().await.unwrap();
    incoming.closed().await;
}
