//! The variables by which a program finds itself on another host than a virtual machine: `zaffre env --host-kind KIND --as RESOURCE`.
//!
//! Each call makes a door (`front::host_doors`) for the resource, or for workload identity a token in a file: this token service is
//! then the issuer that a cluster would be, and the identity's federated credential says whom it believes.

use aws_lc_rs::digest;
use azure::{
    error::Result,
    ids::{ClientId, Guid, ResourceId},
    jwt::claims,
    text,
};
use serde_json::{Value, json};

use super::{Run, Variable, codes, running, variables::Reader};
use crate::{
    directory::{mint, users},
    front::{
        ca::write_whole,
        host_doors::{self, Holder, Holds, HostKind, Keys},
    },
    keys,
    resources::{self, Resource, identity},
    service::{Cx, Fault},
    store::Txn,
};

const USER_ASSIGNED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const FEDERATED: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
pub(super) const WORKLOAD_IDENTITY: &str = "workload-identity";
/// The only audience that such a token may have: nobody else is to believe it.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// As long as a cluster lets one live (24 hours): nothing here writes the file again.
const FEDERATED_SECONDS: i64 = 24 * 60 * 60;
/// What other kinds, or workload identity, would have set.
static OF_HOSTS: &[&str] = &[
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IDENTITY_API_VERSION",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "DEFAULT_IDENTITY_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "WEBSITE_SITE_NAME",
    "FUNCTIONS_EXTENSION_VERSION",
    "CONTAINER_APP_NAME",
];

/// What the kind sets, and what it must not find.
pub(super) async fn variables(cx: &Cx, kind: &str, whom: &str, reader: &Reader) -> Result<Vec<Variable>> {
    let set = match host_doors::kind(kind) {
        Some(kind) => of_kind(cx, kind, whom, reader).await?,
        None if kind == WORKLOAD_IDENTITY => of_workload(cx, whom).await?,
        None => {
            let known = host_doors::KINDS.iter().map(|it| it.name).chain([WORKLOAD_IDENTITY]);
            return Err(codes::NO_SUCH_KIND.with([kind.to_owned(), known.collect::<Vec<_>>().join(", ")]));
        }
    };
    let is_set = |name: &&&str| set.iter().any(|(of, _)| *of == **name);
    let gone = OF_HOSTS.iter().filter(|name| !is_set(name));
    let gone = gone.map(|name| Variable { name: (*name).to_owned(), value: None }).collect::<Vec<_>>();
    let set = set.into_iter().map(|(name, value)| Variable { name: name.to_owned(), value: Some(value) });
    Ok(set.chain(gone).collect())
}

type Set = Vec<(&'static str, String)>;

async fn of_kind(cx: &Cx, kind: &'static HostKind, whom: &str, reader: &Reader) -> Result<Set> {
    let run = &running(cx)?.run;
    let address = run.reached("hosts", reader.address.as_deref()).ok_or_else(|| codes::NO_HOSTS.bare())?;
    if kind.name == host_doors::ARC {
        let refused = |(folder, error): (std::path::PathBuf, std::io::Error)| {
            codes::NO_ARC_TOKENS.with([folder.display().to_string(), error.to_string()])
        };
        host_doors::arc_tokens(&cx.env.settings).map_err(refused)?;
    }
    let draw = cx.draw();
    let (whose, keys) = cx
        .write(|txn| {
            let whose = meant(txn, kind, whom)?;
            let holder = match &whose {
                Whose::Resource(it) => Holder::Resource { id: it.id.clone(), created: it.created },
                Whose::Person(id, _) => Holder::Person(*id),
            };
            let keys = host_doors::make(txn, &mut draw.clone(), kind, holder)?;
            Ok((whose, keys))
        })
        .await?;
    let mut set = Set::new();
    for (name, holds) in kind.variables {
        if let Some(value) = value(cx, kind, *holds, (&address, &whose, &keys))? {
            set.push((name, value));
        }
    }
    Ok(set)
}

fn value(
    cx: &Cx,
    kind: &HostKind,
    holds: Holds,
    (address, whose, keys): (&str, &Whose, &Keys),
) -> Result<Option<String>> {
    Ok(match holds {
        Holds::Endpoint => Some(kind.endpoint(address, &keys.door)),
        Holds::Secret => Some(keys.secret.clone()),
        Holds::Thumbprint => Some(thumbprint(cx)?),
        Holds::Imds => Some(format!("http://{address}")),
        Holds::DefaultClient => whose.client().map(|it| it.to_string()),
        Holds::Fixed(value) => Some(value.to_owned()),
        Holds::Name => Some(whose.name().to_owned()),
    })
}

/// Of the certificate that the door's own name has.
fn thumbprint(cx: &Cx) -> Result<String> {
    let authority = cx.env.authority.get().ok_or_else(|| Fault::Internal.because("there is no authority"))?;
    let leaf = authority.leaf("localhost").map_err(|why| Fault::Internal.because(why))?;
    let certificate = leaf.cert.first().map(|it| it.as_ref()).unwrap_or_default();
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
    Ok(text::hex(sha1.as_ref()).to_uppercase())
}

/// Whose identities a door is to give.
pub(super) enum Whose {
    Resource(Box<Resource>),
    Person(azure::ids::ObjectId, String),
}

impl Whose {
    fn name(&self) -> &str {
        match self {
            Whose::Resource(it) => it.name(),
            Whose::Person(_, name) => name,
        }
    }

    /// The identity that is meant when none is named: the only one of its own, else the only one.
    fn client(&self) -> Option<ClientId> {
        let Whose::Resource(resource) = self else { return None };
        if let Some((_, client)) = identity::ids_of(resource).filter(|_| is_an_identity(resource)) {
            return Some(client);
        }
        let block = resource.identity.as_ref()?;
        let mut users = block.user.values().flatten().map(|(_, client)| *client);
        block.system.map(|it| it.client_id).or_else(|| users.next().filter(|_| users.next().is_none()))
    }
}

pub(super) fn is_an_identity(resource: &Resource) -> bool {
    resource.kind_name.eq_ignore_ascii_case(USER_ASSIGNED)
}

/// The resource of an id or a name, if it has identities; at Cloud Shell a person too.
pub(super) fn meant(txn: &Txn, kind: &HostKind, whom: &str) -> Result<Whose> {
    if kind.name == host_doors::CLOUD_SHELL && whom.contains('@') {
        let user = users::named(txn, whom)?.ok_or_else(|| codes::NO_SUCH_USER.with([whom]))?;
        return Ok(Whose::Person(user.object_id, user.user_principal_name));
    }
    let resource = resource(txn, whom)?;
    match resource.identity.is_some() || is_an_identity(&resource) {
        true => Ok(Whose::Resource(Box::new(resource))),
        false => Err(codes::NO_IDENTITY.with([resource.id.as_str()])),
    }
}

pub(super) fn resource(txn: &Txn, whom: &str) -> Result<Resource> {
    let missing = || codes::NO_SUCH_RESOURCE.with([whom]);
    if whom.starts_with('/') {
        let id = ResourceId::parse(whom).map_err(|_| missing())?;
        return resources::get(txn, &id)?.ok_or_else(missing);
    }
    let all = resources::within(txn, &ResourceId::root(), None, usize::MAX)?;
    let is_meant =
        |it: &Resource| it.name().eq_ignore_ascii_case(whom) && (it.identity.is_some() || is_an_identity(it));
    let mut found: Vec<Resource> = all.into_iter().filter(is_meant).collect();
    match found.len() {
        0 => Err(missing()),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<&str> = found.iter().map(|it| it.id.as_str()).collect();
            Err(codes::MANY_SUCH_RESOURCES.with([whom.to_owned(), ids.join(", ")]))
        }
    }
}

/// A pod of a cluster whose issuer is this token service.
async fn of_workload(cx: &Cx, whom: &str) -> Result<Set> {
    let run = &running(cx)?.run;
    let (client, subject) = cx.read(|txn| workload(cx, txn, whom)).await?;
    let token = federated_token(cx, &subject);
    let file =
        written(run, client, &token).map_err(|error| codes::NO_TOKEN_FILE.with([error.to_string()]))?;
    Ok(vec![
        ("AZURE_CLIENT_ID", client.to_string()),
        ("AZURE_TENANT_ID", cx.cloud.charter.tenant.to_string()),
        ("AZURE_FEDERATED_TOKEN_FILE", file),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/".to_owned()),
    ])
}

/// The identity's client id, and the subject that one of its credentials believes this token service about.
fn workload(cx: &Cx, txn: &Txn, whom: &str) -> Result<(ClientId, String)> {
    let resource = resource(txn, whom)?;
    let ids = identity::ids_of(&resource).filter(|_| is_an_identity(&resource));
    let (_, client) = ids.ok_or_else(|| codes::NO_USER_ASSIGNED.with([resource.id.as_str()]))?;
    let tenant = cx.cloud.charter.tenant;
    let issuers = [claims::issuer_v2(tenant), claims::issuer(tenant)];
    let is_ours = |it: &&Resource| {
        let audiences = it.property("audiences").and_then(Value::as_array);
        it.text("issuer").is_some_and(|issuer| issuers.iter().any(|own| own == issuer))
            && audiences.is_some_and(|all| all.iter().any(|it| it == EXCHANGE))
    };
    let credentials = resources::of_type(txn, FEDERATED, &resource.id, None, usize::MAX)?;
    let subject = credentials.iter().find(is_ours).and_then(|it| it.text("subject"));
    match subject {
        Some(subject) => Ok((client, subject.to_owned())),
        None => Err(codes::NO_FEDERATION.with([resource.name(), &issuers[0], EXCHANGE])),
    }
}

fn federated_token(cx: &Cx, subject: &str) -> String {
    let (tenant, now) = (cx.cloud.charter.tenant, cx.now.seconds());
    // Nobody's: the token is about an account of a cluster, which no directory knows.
    let stranger = keys::sha256(subject.as_bytes());
    let stranger = Guid::from_random(stranger[..16].try_into().expect("SHA-256 has 32 bytes"));
    let token = json!({
        "aud": EXCHANGE,
        "iss": claims::issuer(tenant),
        "iat": now,
        "nbf": now,
        "exp": now + FEDERATED_SECONDS,
        "oid": stranger,
        "sub": subject,
        "tid": tenant,
    });
    mint::sign_id_token(cx, token)
}

/// Beside the certificates, where nobody else reads.
fn written(run: &Run, client: ClientId, token: &str) -> std::io::Result<String> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = run.ca.parent().unwrap_or(&run.ca).with_file_name("federated");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let file = folder.join(client.to_string());
    write_whole(&file, token.as_bytes(), 0o600)?;
    Ok(file.display().to_string())
}
