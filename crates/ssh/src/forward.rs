//! Forwarding: connections that one side asks the other to make.

use std::sync::Arc;

use russh::ChannelOpenFailure;
use russh::server::{ChannelOpenHandle, Handle, Msg};
use tokio::task::{AbortHandle, JoinSet};

use crate::queue::splice;
use crate::{AgentSocket, Listening, Machine};

/// A task that ends with this value.
pub(crate) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Task {
    Task(tokio::spawn(task).abort_handle())
}

/// `-L` and `-D`: a connection that the client wants made within the machine.
pub(crate) async fn direct(
    machine: Arc<dyn Machine>,
    channel: russh::Channel<Msg>,
    (host, port): (String, u32),
    reply: ChannelOpenHandle,
) {
    let connected = match u16::try_from(port) {
        Ok(port) => machine.connect(&host, port).await,
        Err(_) => Err(format!("{port} is no port")),
    };
    match connected {
        Ok(stream) => {
            reply.accept().await;
            splice(channel, stream).await;
        }
        // Why is not told: the client's own words for it, "open failed: connect failed", are all that there is room for.
        Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
    }
}

/// `-R`: what connects to a port within the machine is connected to the client, for as long as the task lives.
pub(crate) fn remote(listening: Listening, host: String, handle: Handle) -> Task {
    let Listening { port, mut incoming } = listening;
    spawn(async move {
        let mut open = JoinSet::new();
        while let Some((stream, from)) = incoming.recv().await {
            while open.try_join_next().is_some() {}
            let (handle, host) = (handle.clone(), host.clone());
            open.spawn(async move {
                let (origin, origin_port) = (from.ip().to_string(), u32::from(from.port()));
                let opened = handle.channel_open_forwarded_tcpip(host, u32::from(port), origin, origin_port);
                // A client that refuses closes the connection, as its server would find nobody there.
                if let Ok(channel) = opened.await {
                    splice(channel, stream).await;
                }
            });
        }
    })
}

/// `-A`: what connects to a socket within the machine talks to the client's agent.
pub(crate) struct Agent {
    pub(crate) path: String,
    _task: Task,
}

/// None where the machine has no place for one.
pub(crate) async fn agent(machine: &Arc<dyn Machine>, user: &str, handle: &Handle) -> Option<Agent> {
    let AgentSocket { path, mut incoming } = machine.agent_socket(user).await.ok()?;
    let handle = handle.clone();
    let task = spawn(async move {
        let mut open = JoinSet::new();
        while let Some(stream) = incoming.recv().await {
            while open.try_join_next().is_some() {}
            let handle = handle.clone();
            open.spawn(async move {
                if let Ok(channel) = handle.channel_open_agent().await {
                    splice(channel, stream).await;
                }
            });
        }
    });
    Some(Agent { path, _task: task })
}
