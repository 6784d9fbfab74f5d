//! One client's connection: who it is, and the channels that it opens once that is known.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session as Protocol, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error, MethodKind, MethodSet, Pty, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::forward::{self, Task};
use crate::session::{self, Session};
use crate::severable::severable;
use crate::{Access, Ends, Machine, Server, keys};

/// Channels of one connection: sessions and forwarded connections together.
pub const SESSIONS_MAX: usize = 64;
/// Ports of the machine that one connection listens at.
const LISTENERS_MAX: usize = 16;
/// As OpenSSH's server (MaxAuthTries).
const ATTEMPTS_MAX: usize = 6;
/// What a client learns nothing from; a failed password costs more ([`crate::Patience`]).
const REJECTION: Duration = Duration::from_millis(100);
/// A client that is silent is asked whether it is there this often, and is gone after so many questions.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVES_MAX: usize = 3;
/// Below this, ports are root's to listen at.
const FIRST_FREE_PORT: u32 = 1024;

pub(crate) async fn serve(
    server: &Server,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ends: Ends,
) {
    let (stream, _cut) = severable(stream);
    let (signed_in, is_signed_in) = watch::channel(false);
    let handler = Connection {
        machine: Arc::clone(&server.machine),
        failures: Arc::clone(&server.failures),
        failure: server.patience.failure,
        ends,
        user: String::new(),
        signed_in,
        channels: JoinSet::new(),
        listeners: HashMap::new(),
    };
    let served = async {
        if let Ok(running) = russh::server::run_stream(config(server), stream, handler).await {
            // How a connection ended is its client's to know.
            let _ = running.await;
        }
    };
    tokio::select! {
        () = served => {}
        () = hesitates(is_signed_in, server.patience.grace) => {}
    }
}

/// Resolves when the time to sign in is over, and it was not used.
async fn hesitates(mut is_signed_in: watch::Receiver<bool>, grace: Duration) {
    if tokio::time::timeout(grace, is_signed_in.wait_for(|it| *it)).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

fn config(server: &Server) -> Arc<Config> {
    let methods = [MethodKind::PublicKey, MethodKind::Password];
    Arc::new(Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Zaffre")),
        methods: MethodSet::from(&methods[..]),
        auth_rejection_time: REJECTION,
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: ATTEMPTS_MAX,
        keys: vec![server.host_key.private()],
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES_MAX,
        nodelay: true,
        ..Config::default()
    })
}

/// Ends everything that it began when it is dropped, which the library does with the connection.
struct Connection {
    machine: Arc<dyn Machine>,
    failures: Arc<Semaphore>,
    /// What one of them costs.
    failure: Duration,
    ends: Ends,
    /// Whoever was accepted last; nothing is asked for before that.
    user: String,
    signed_in: watch::Sender<bool>,
    channels: JoinSet<()>,
    /// By the address and port that the client named.
    listeners: HashMap<(String, u32), Task>,
}

impl Connection {
    fn accept(&mut self, user: &str) -> Auth {
        user.clone_into(&mut self.user);
        Auth::Accept
    }

    /// Refuses, and says what else may be tried.
    fn rejected(access: &Access) -> Auth {
        let mut methods = MethodSet::empty();
        methods.push(MethodKind::PublicKey);
        if access.takes_passwords {
            methods.push(MethodKind::Password);
        }
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    /// Whether the key is the user's; if not, what else may be tried.
    async fn judge(&self, user: &str, key: &PublicKey, algorithm: &Algorithm) -> Result<(), Auth> {
        let access = self.machine.access(user).await;
        match keys::is_strong(algorithm) && keys::admits(&access.authorized_keys, key) {
            true => Ok(()),
            false => Err(Connection::rejected(&access)),
        }
    }

    /// Takes the time that a failed attempt costs, a few at once in the whole machine.
    async fn pay(&self) {
        let _place = self.failures.acquire().await;
        let _ = tokio::time::timeout(self.failure, std::future::pending::<()>()).await;
    }

    /// Whether there is room for one more channel.
    fn has_room(&mut self) -> bool {
        while self.channels.try_join_next().is_some() {}
        self.channels.len() < SESSIONS_MAX
    }
}

impl Handler for Connection {
    type Error = Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Error> {
        Ok(Connection::rejected(&self.machine.access(user).await))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        let access = self.machine.access(user).await;
        if access.takes_passwords && self.machine.is_password(user, password).await {
            return Ok(self.accept(user));
        }
        self.pay().await;
        Ok(Connection::rejected(&access))
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Error> {
        Ok(self.judge(user, offer.public_key, offer.algorithm).await.err().unwrap_or(Auth::Accept))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        Ok(match self.judge(user, key.public_key, key.algorithm).await {
            Ok(()) => self.accept(user),
            Err(rejected) => rejected,
        })
    }

    async fn auth_succeeded(&mut self, _session: &mut Protocol) -> Result<(), Error> {
        self.signed_in.send_replace(true);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Protocol,
    ) -> Result<(), Error> {
        if !self.has_room() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        reply.accept().await;
        let run = Session {
            machine: Arc::clone(&self.machine),
            user: self.user.clone(),
            ends: self.ends,
            handle: session.handle(),
        };
        self.channels.spawn(run.run(channel));
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Protocol,
    ) -> Result<(), Error> {
        if self.has_room() {
            let machine = Arc::clone(&self.machine);
            self.channels.spawn(forward::direct(machine, channel, (host.to_owned(), port), reply));
        } else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Protocol,
    ) -> Result<bool, Error> {
        let is_free = *port == 0 || (FIRST_FREE_PORT..=u32::from(u16::MAX)).contains(port);
        if !is_free || self.listeners.len() >= LISTENERS_MAX {
            return Ok(false);
        }
        let wanted = u16::try_from(*port).unwrap_or_default();
        let Ok(listening) = self.machine.listen(address, wanted).await else { return Ok(false) };
        *port = u32::from(listening.port);
        let task = forward::remote(listening, address.to_owned(), session.handle());
        self.listeners.insert((address.to_owned(), *port), task);
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _session: &mut Protocol,
    ) -> Result<bool, Error> {
        Ok(self.listeners.remove(&(address.to_owned(), port)).is_some())
    }

    async fn agent_request(&mut self, _channel: ChannelId, _session: &mut Protocol) -> Result<bool, Error> {
        Ok(true)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Protocol,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }

    /// Refused aloud: a client counts answers to know which of its requests each is for.
    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Protocol,
    ) -> Result<(), Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        _value: &str,
        session: &mut Protocol,
    ) -> Result<(), Error> {
        match session::is_accepted(name) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Protocol) -> Result<(), Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Protocol,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Protocol,
    ) -> Result<(), Error> {
        match name == session::SFTP {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Protocol,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }
}
