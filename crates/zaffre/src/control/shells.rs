//! A shell that is about to begin: whose it is, its variables, az's files, and the ticket with which its keeper comes for its doors.
//!
//! `--as-vm NAME` makes the door that machine's, so the metadata service answers as it does inside. `--as PRINCIPAL` signs az in as a user
//! or an application: a user by a refresh token; an application by a secret of its own that is taken away when the shell ends, and a
//! week later in any case. Nobody named: az is the administrator, the user whom a tutorial's `az login` would be.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use azure::{
    error::{Error, Result},
    ids::{ClientId, Guid, ObjectId, ResourceId},
    text,
};
use serde::{Deserialize, Serialize};

use super::{
    Variable, codes, hosts, running,
    signed_in::{self, SignedIn},
    variables::{self, As, Reader},
    vms,
};
use crate::{
    access::{self, Caller},
    directory::{
        self,
        applications::{self, Application, PasswordCredential},
        founding, secret, service_principals, sessions, users,
    },
    door::From,
    front::{
        host_doors,
        shell_doors::{After, Granted, desk},
        vm_secrets,
    },
    resources::{Resource, identity},
    service::{Cx, Parts, Reply},
    store::Txn,
};

/// What a shell is given to begin with.
#[derive(Serialize, Deserialize)]
pub struct Shell {
    pub ticket: String,
    /// Where the ticket is shown.
    pub desk: PathBuf,
    /// A directory that is the cloud's alone, for the shell's files.
    pub folder: PathBuf,
    pub variables: Vec<Variable>,
    /// az's configuration folder: names and texts.
    pub az: Vec<(String, String)>,
    /// Whether the metadata service knows it as a machine.
    pub is_machine: bool,
}

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    whose: Whose,
    hostname: String,
    forwards: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Whose {
    Administrator,
    Principal(String),
    Machine(String),
    Host { kind: String, whom: String },
}

impl Asked {
    pub(super) fn read(parts: &Parts) -> Self {
        let of = |name| parts.query(name).map(str::to_owned);
        let whose = match (of("host_kind"), of("as_vm"), of("as")) {
            (Some(kind), _, whom) => Whose::Host { kind, whom: whom.unwrap_or_default() },
            (None, Some(name), _) => Whose::Machine(name),
            (None, None, Some(name)) => Whose::Principal(name),
            (None, None, None) => Whose::Administrator,
        };
        let forwards = of("forward").unwrap_or_default();
        let forwards = forwards.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        Asked { whose, hostname: of("hostname").unwrap_or_default(), forwards }
    }
}

/// `PORT`, or `INSIDE:HOST`.
fn forward(text: &str) -> Result<(u16, u16)> {
    let (inside, host) = text.split_once(':').unwrap_or((text, text));
    match (inside.parse(), host.parse()) {
        (Ok(inside @ 1..), Ok(host @ 1..)) => Ok((inside, host)),
        _ => Err(codes::BAD_FORWARD.with([text])),
    }
}

/// Who a shell is: what its clients read, and what its door says.
struct Somebody {
    variables: Vec<Variable>,
    signed_in: SignedIn,
    /// Whom the subscription is shown to or not.
    principal: Option<ObjectId>,
    machine: Option<(ResourceId, Guid)>,
    after: Option<After>,
}

pub(super) async fn begin(cx: &Cx, asked: &Asked) -> Result<Reply> {
    let run = &running(cx)?.run;
    let forwards = asked.forwards.iter().map(|it| forward(it)).collect::<Result<_>>()?;
    let somebody = match &asked.whose {
        Whose::Administrator => administrator(cx).await?,
        Whose::Principal(name) => principal(cx, name).await?,
        Whose::Machine(name) => machine(cx, name).await?,
        Whose::Host { kind, whom } => on_host(cx, kind, whom).await?,
    };
    let sees = cx.read(|txn| sees_subscription(cx, txn, somebody.principal)).await?;
    let is_machine = somebody.machine.is_some();
    let from = match somebody.machine {
        Some((vm, vm_id)) => From::Guest { vm, vm_id },
        None => From::Host(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
    };
    let ticket = text::base64url(cx.draw().bytes::<32>());
    let hostname = asked.hostname.clone();
    let granted = Granted { cloud: cx.cloud.id, from, hostname, forwards };
    let folder = folder(&run.control)?;
    cx.env.tickets.give(ticket.clone(), granted, somebody.after);
    let shell = Shell {
        ticket,
        desk: desk(&run.control),
        folder,
        variables: somebody.variables,
        az: signed_in::files(&cx.cloud.charter, &somebody.signed_in, sees),
        is_machine,
    };
    Ok(Reply::json(200, &shell))
}

/// Beside the control socket, where nobody else reads.
fn folder(control: &std::path::Path) -> Result<PathBuf> {
    let folder = control.with_extension("shell");
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    let refused = |error: std::io::Error| {
        codes::NO_SHELL_FOLDER.with([folder.display().to_string(), error.to_string()])
    };
    made.map_err(refused)?;
    Ok(folder)
}

fn sees_subscription(cx: &Cx, txn: &Txn, principal: Option<ObjectId>) -> Result<bool> {
    let Some(found) = principal.map(|id| directory::get(txn, id)).transpose()?.flatten() else {
        return Ok(false);
    };
    let caller = Caller::Principal(found.principal(&cx.cloud.charter));
    let subscription = ResourceId::subscription_scope(cx.cloud.charter.subscription);
    access::has_any_role_near(cx, txn, &caller, &subscription)
}

async fn administrator(cx: &Cx) -> Result<Somebody> {
    let name = variables::credentials(cx).await?.user_principal_name;
    let is_there = cx.read(|txn| Ok(users::named(txn, &name)?.is_some())).await?;
    let mut somebody = match is_there {
        true => user(cx, &name).await?,
        // The user was deleted; the application is the administrator's, too.
        false => application(cx, founding::ADMIN_APPLICATION).await?,
    };
    somebody.variables = variables::list_for(cx, &As::Owner, &Reader::default()).await?;
    Ok(somebody)
}

async fn principal(cx: &Cx, name: &str) -> Result<Somebody> {
    match name.contains('@') {
        true => user(cx, name).await,
        false => application(cx, name).await,
    }
}

async fn user(cx: &Cx, name: &str) -> Result<Somebody> {
    let draw = cx.draw();
    let given = cx.write(|txn| {
        let user = users::named(txn, name)?.ok_or_else(|| codes::NO_SUCH_USER.with([name]))?;
        let refresh = sessions::Refresh {
            user: user.object_id,
            client: founding::AZURE_CLI.parse().expect("a constant guid"),
            expires: cx.now.plus(sessions::REFRESH_LIFETIME),
            origin: None,
        };
        let refresh_token = sessions::give_refresh(txn, &mut draw.clone(), &refresh)?;
        Ok::<_, Error>((user, refresh_token))
    });
    let (user, refresh_token) = given.await?;
    let name = user.user_principal_name;
    Ok(Somebody {
        variables: variables::list_for(cx, &As::Nobody, &Reader::default()).await?,
        signed_in: SignedIn::Person { object_id: user.object_id, name, refresh_token },
        principal: Some(user.object_id),
        machine: None,
        after: None,
    })
}

/// How long a shell's own secret is good for, should its end never come here.
const SECRET_LIFE: Duration = Duration::from_secs(7 * 86_400);
const SECRET_NAME: &str = "zaffre shell";

async fn application(cx: &Cx, name: &str) -> Result<Somebody> {
    let draw = cx.draw();
    let made = cx.write(|txn| {
        let mut draw = draw.clone();
        let mut application = application_called(txn, name)?;
        let text = secret::draw(&mut draw);
        let lasts = (cx.now, cx.now.plus(SECRET_LIFE));
        let mut password = PasswordCredential::new(&text, lasts, &mut draw);
        password.display_name = Some(SECRET_NAME.to_owned());
        let key_id = password.key_id;
        application.passwords.push(password);
        applications::put(txn, &application)?;
        let principal = service_principals::of_application(txn, application.client_id)?;
        Ok::<_, Error>((application.client_id, text, key_id, principal.map(|it| it.object_id)))
    });
    let (client, secret, key_id, principal) = made.await?;
    let mut all = variables::list_for(cx, &As::Nobody, &Reader::default()).await?;
    set(&mut all, "AZURE_CLIENT_ID", &client.to_string());
    set(&mut all, "AZURE_CLIENT_SECRET", &secret);
    Ok(Somebody {
        variables: all,
        signed_in: SignedIn::Application { client, secret },
        principal,
        machine: None,
        after: Some(forget(cx, client, key_id)),
    })
}

/// Takes the shell's secret away.
fn forget(cx: &Cx, client: ClientId, key_id: Guid) -> After {
    let (env, cloud) = (Arc::clone(&cx.env), cx.cloud.id);
    Box::pin(async move {
        let forgotten = env.store.write(cloud, |txn| -> Result<()> {
            let Some(mut application) = applications::get(txn, client)? else { return Ok(()) };
            application.passwords.retain(|it| it.key_id != key_id);
            applications::put(txn, &application)
        });
        // Else its time ends it.
        let _ = forgotten.await;
    })
}

fn application_called(txn: &Txn, name: &str) -> Result<Application> {
    if let Some(client) = name.parse().ok().map(ClientId)
        && let Some(found) = applications::get(txn, client)?
    {
        return Ok(found);
    }
    let all = applications::page(txn, None, usize::MAX)?;
    let mut found: Vec<Application> =
        all.into_iter().filter(|it| it.display_name.eq_ignore_ascii_case(name)).collect();
    match found.len() {
        0 => Err(codes::NO_SUCH_PRINCIPAL.with([name])),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<String> = found.iter().map(|it| it.client_id.to_string()).collect();
            Err(codes::MANY_SUCH_APPLICATIONS.with([name.to_owned(), ids.join(", ")]))
        }
    }
}

async fn machine(cx: &Cx, name: &str) -> Result<Somebody> {
    let vm = cx.read(|txn| vms::named(txn, name)).await?;
    let (signed_in, principal) = managed(&vm);
    let machine = vm_secrets::vm_id(&vm).map(|vm_id| (vm.id.clone(), vm_id));
    let variables = variables::of_vm(cx, vm.id.as_str()).await?;
    Ok(Somebody { variables, signed_in, principal, machine, after: None })
}

/// az as a resource's own identity, else as its only one.
fn managed(resource: &Resource) -> (SignedIn, Option<ObjectId>) {
    let nobody = (SignedIn::Nobody, None);
    let of_user = |(principal, client)| (SignedIn::Managed { user_assigned: Some(client) }, Some(principal));
    if let Some(ids) = identity::ids_of(resource).filter(|_| hosts::is_an_identity(resource)) {
        return of_user(ids);
    }
    let Some(block) = &resource.identity else { return nobody };
    let mut users = block.user.values().flatten();
    match (&block.system, users.next(), users.next()) {
        (Some(system), ..) => (SignedIn::Managed { user_assigned: None }, Some(system.principal_id)),
        (None, Some(only), None) => of_user(*only),
        (None, ..) => nobody,
    }
}

async fn on_host(cx: &Cx, kind: &str, whom: &str) -> Result<Somebody> {
    let mut all = variables::on_host(cx, kind, whom, &Reader::default()).await?;
    let (signed_in, principal) = match host_doors::kind(kind) {
        Some(kind) => match cx.read(|txn| hosts::meant(txn, kind, whom)).await? {
            hosts::Whose::Resource(resource) => managed(&resource),
            hosts::Whose::Person(id, name) => {
                // az knows by it that it is in Cloud Shell.
                set(&mut all, "ACC_CLOUD", "PROD");
                (SignedIn::CloudShell { name }, Some(id))
            }
        },
        None => workload(cx, &all, whom).await?,
    };
    Ok(Somebody { variables: all, signed_in, principal, machine: None, after: None })
}

/// What workload identity set, for az.
async fn workload(cx: &Cx, all: &[Variable], whom: &str) -> Result<(SignedIn, Option<ObjectId>)> {
    let of = |name: &str| all.iter().find(|it| it.name == name).and_then(|it| it.value.clone());
    let file = of("AZURE_FEDERATED_TOKEN_FILE").unwrap_or_default();
    let refused = |error: std::io::Error| codes::NO_TOKEN_FILE.with([error.to_string()]);
    let assertion = std::fs::read_to_string(file).map_err(refused)?;
    let ids = cx.read(|txn| Ok(identity::ids_of(&hosts::resource(txn, whom)?))).await?;
    Ok(match ids {
        Some((principal, client)) => (SignedIn::Workload { client, assertion }, Some(principal)),
        None => (SignedIn::Nobody, None),
    })
}

fn set(all: &mut Vec<Variable>, name: &str, value: &str) {
    all.retain(|it| it.name != name);
    all.push(Variable { name: name.to_owned(), value: Some(value.to_owned()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_port_is_one_or_two() {
        assert_eq!(forward("5432").ok(), Some((5432, 5432)));
        assert_eq!(forward("80:8080").ok(), Some((80, 8080)));
        for bad in ["", "0", "80:", ":80", "80:0", "70000", "80:80:80", "http"] {
            assert!(forward(bad).is_err(), "{bad}");
        }
    }
}
