//! Identity: what one decision costs; tokens beside the bare signatures in them; IMDS beside a server that says nothing.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
use azure::{
    action::Action,
    identity::{Identity, SystemPrincipal},
    ids::{ClientId, Guid, ObjectId, ResourceId, TenantId},
    jwt::claims::Bearer,
    principal::{Principal, PrincipalKind},
    rbac::{Access, Plane},
    roles,
    time::Timestamp,
};
use bytes::Bytes;
use guest::{GuestSockets, METADATA_ADDRESS};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Runtime};
use zaffre::{
    Server,
    access::{
        self, Caller,
        assignments::{self, RoleAssignment},
    },
    cloud::{Clock, CloudId},
    directory::{
        Subject, groups,
        mint::{self, MANAGED_IDENTITY_LIFETIME},
        service_principals::{self, ManagedIdentity},
    },
    door::Door,
    front::{
        ca::Authority,
        connection::{Front, Limits},
        guest_doors::{self, Inside},
    },
    resources::{self, Resource},
    service::Cx,
    store::Txn,
};

use crate::{
    Outcome,
    figure::{Figure, Round, Target},
    store::{now, timed},
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_302_174);
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(700);
const DECISIONS: u64 = 20_000;
const CONNECTIONS: usize = 16;
const SUBSCRIPTION: &str = "/subscriptions/7af7e000-c10d-4000-8000-00000000005b";
const AUDIENCE: &str = "https://management.azure.com/";

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = decisions()?;
    figures.push(tokens(&runtime)?);
    figures.push(metadata(&runtime)?);
    Ok(figures)
}

fn internal(server: &Server) -> Cx {
    let cloud = server.cloud(CloudId::DEFAULT).expect("was founded");
    Cx::internal(&server.env, &cloud, Door::named(CloudId::DEFAULT))
}

fn plain<T>(outcome: azure::error::Result<T>) -> Outcome<T> {
    Ok(outcome.map_err(|error| error.message())?)
}

// Decisions: 10,000 assignments in the directory, a caller in five groups within each other, on one thread.

fn object(number: u64) -> ObjectId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ObjectId(Guid(bytes))
}

fn machine(group: u64) -> ResourceId {
    let group = ResourceId::parse(&format!("{SUBSCRIPTION}/resourceGroups/rg{group}")).expect("an id");
    group.provider("Microsoft.Compute", "virtualMachines", "vm")
}

fn assignment(number: u64) -> RoleAssignment {
    let role = roles::by_name("Virtual Machine Contributor").expect("a built-in role").id;
    // One in a thousand is one of the five groups'.
    let holder = if number.is_multiple_of(1000) { 1 + number / 1000 % 5 } else { 1_000_000 + number };
    let holder = (object(holder), PrincipalKind::Group);
    RoleAssignment::plain(object(5_000_000 + number).0, &machine(number), holder, role, NOW)
}

fn fill(txn: &mut Txn) -> azure::error::Result<()> {
    (0..10_000).try_for_each(|number| assignments::put(txn, &assignment(number)))?;
    groups::add(txn, object(1), object(900))?;
    (1..5).try_for_each(|number| groups::add(txn, object(number + 1), object(number)).map(drop))
}

fn caller() -> Caller {
    Caller::Principal(Principal {
        object_id: object(900),
        tenant: TenantId(Guid::default()),
        kind: PrincipalKind::ServicePrincipal,
        app_id: None,
        name: None,
    })
}

fn start(group: u64) -> Access {
    let start = Action::of("Microsoft.Compute/virtualMachines/start/action");
    Access::to(start, machine(group), Plane::Control)
}

/// The first decision after a change of roles gathers what the caller holds; those that follow find it.
fn decisions() -> Outcome<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = runtime.block_on(Server::in_memory(1, NOW));
    let cx = internal(&server);
    plain(runtime.block_on(cx.write(fill)))?;
    let decide = |group: u64, times: u64| -> Outcome<Round> {
        let (access, caller) = (start(group), caller());
        let expected = group.is_multiple_of(1000);
        let (outcome, took, cpu) = timed(|| {
            runtime.block_on(async {
                for _ in 0..times {
                    let may = plain(cx.read(|txn| access::may(&cx, txn, &caller, access.clone())).await)?;
                    assert_eq!(may, expected, "a decision that is wrong is no figure");
                }
                Ok(())
            })
        })?;
        let () = outcome;
        Ok(Round::each(times, took, cpu))
    };
    let (mut allowed, mut refused, mut gathered) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        allowed.push(decide(9000, DECISIONS)?);
        refused.push(decide(9001, DECISIONS)?);
        plain(runtime.block_on(cx.write(|txn| assignments::put(txn, &assignment(1)))))?;
        gathered.push(decide(9000, 1)?);
    }
    let figure =
        |name, ours, most| Figure { name, unit: "us", ours, other: vec![], target: Target::Below(most) };
    Ok(vec![
        figure("identity/decision-allowed", allowed, 20.0),
        figure("identity/decision-refused", refused, 20.0),
        figure("identity/decision-after-a-change", gathered, 1000.0),
    ])
}

// Tokens: the mint's, and bare RSA-2048 signatures over as many bytes, by how many a second of the processor makes.

const MINTS: usize = 4;

fn tokens(runtime: &Runtime) -> Outcome<Figure> {
    let server = runtime.block_on(Server::in_memory(1, NOW));
    let pair = Arc::new(KeyPair::generate(KeySize::Rsa2048)?);
    let (mut ours, mut other) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(concurrently(runtime, MINTS, {
            let cx = internal(&server);
            move || {
                let cx = cx.clone();
                async move {
                    let minted = mint::mint(&cx, subject(), AUDIENCE, MANAGED_IDENTITY_LIFETIME);
                    std::hint::black_box(minted);
                    Ok(())
                }
            }
        })?);
        other.push(concurrently(runtime, MINTS, {
            let pair = Arc::clone(&pair);
            move || {
                let signed = sign(&pair);
                async move { signed }
            }
        })?);
    }
    let of_processor = |round: Round| Round { value: 1e6 / round.cpu_us, ..round };
    let (ours, other) = (ours.into_iter().map(of_processor), other.into_iter().map(of_processor));
    let (ours, other) = (ours.collect(), other.collect());
    Ok(Figure {
        name: "identity/tokens-minted",
        unit: "/s of processor",
        ours,
        other,
        target: Target::AtLeast(0.9),
    })
}

fn subject() -> Subject {
    let bearer = Bearer::SystemAssigned { resource: machine(1) };
    Subject { object_id: object(1), client: ClientId(object(2).0), bearer }
}

/// A token's header and claims are about this long.
const SIGNED_BYTES: usize = 1200;

#[expect(clippy::disallowed_methods, reason = "the padding of this signature draws no chance")]
fn sign(pair: &KeyPair) -> Done {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &[7; SIGNED_BYTES], &mut signature)?;
    std::hint::black_box(&signature);
    Ok(())
}

pub(crate) type Sent = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Done = Result<(), Sent>;

/// What came back from another task.
pub(crate) fn joined<T>(outcome: Result<T, Sent>) -> Outcome<T> {
    outcome.map_err(|error| -> Box<dyn std::error::Error> { error })
}

/// So many that each do one thing after another, for a round.
pub(crate) fn concurrently<F>(
    runtime: &Runtime,
    many: usize,
    act: impl Fn() -> F + Clone + Send + 'static,
) -> Outcome<Round>
where
    F: Future<Output = Done> + Send,
{
    let (done, took, cpu) = timed(|| {
        let end = now() + ROUND;
        let actors: Vec<_> = (0..many)
            .map(|_| {
                let act = act.clone();
                runtime.spawn(async move {
                    let mut done = 0_u64;
                    while now() < end {
                        act().await?;
                        done += 1;
                    }
                    Ok::<u64, Sent>(done)
                })
            })
            .collect();
        let mut done = 0;
        for actor in actors {
            done += joined(runtime.block_on(actor)?)?;
        }
        Ok(done)
    })?;
    Ok(Round::rate(done, took, cpu))
}

// IMDS: a machine asks for its token again and again, at its own door; beside it a server of the same library that
// says nothing. The same client asks both, over loopback.

fn metadata(runtime: &Runtime) -> Outcome<Figure> {
    let _entered = runtime.enter();
    let server = runtime.block_on(Server::in_memory(1, NOW));
    let inside = runtime.block_on(with_machine(&server))?;
    let folder = tempfile::tempdir()?;
    let authority = joined(Authority::open(folder.path(), || Clock::System.now()))?;
    let (front, _closer) = joined(Front::new(server, Arc::new(authority), Limits::default()))?;
    let (ours_at, theirs_at) = (listener()?, listener()?);
    let (our_address, their_address) = (ours_at.local_addr()?, theirs_at.local_addr()?);
    // The door is the guest's 169.254.169.254:80; where its socket really listens is nobody's concern.
    let door = SocketAddr::from((METADATA_ADDRESS, 80));
    let _doors = guest_doors::serve(
        &front,
        &inside,
        GuestSockets { tcp: vec![(door, ours_at)], udp: vec![], wire: None },
    )?;
    runtime.spawn(say_nothing(theirs_at));
    let (mut ours, mut other) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(asked(runtime, our_address)?);
        other.push(asked(runtime, their_address)?);
    }
    let target = Target::AtLeast(0.5);
    Ok(Figure { name: "identity/imds-token-again", unit: "/s", ours, other, target })
}

fn listener() -> Outcome<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

const VM_ID: Guid = Guid([7; 16]);

/// A machine with an identity, as its resource says.
async fn with_machine(server: &Server) -> Outcome<Inside> {
    let cx = internal(server);
    let draw = cx.draw();
    let vm = machine(1);
    let write = |txn: &mut Txn| {
        let identity = ManagedIdentity { resource: &vm, explicit: false };
        let own = service_principals::create_managed_identity(txn, &mut draw.clone(), identity, NOW)?;
        let tenant = cx.cloud.charter.tenant;
        let system = SystemPrincipal { principal_id: own.object_id, client_id: own.app_id, tenant };
        let mut resource = Resource::new(vm.clone(), "Microsoft.Compute/virtualMachines", Guid([1; 16]), NOW);
        resource.set("vmId", VM_ID.to_string());
        resource.identity = Some(Identity { system: Some(system), user: Default::default() });
        resources::put(txn, &resource)
    };
    plain(cx.write(write).await)?;
    Ok(Inside {
        cloud: CloudId::DEFAULT,
        vm,
        vm_id: VM_ID,
        hostname: "vm".to_owned(),
        address: Ipv4Addr::LOCALHOST,
        network: None,
        service: Ipv4Addr::LOCALHOST,
    })
}

async fn say_nothing(listener: TcpListener) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let nothing = service_fn(|_| async {
                Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
            });
            // The client goes away when its round is over.
            let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), nothing).await;
        });
    }
}

/// What a round of sixteen connections gets answered.
fn asked(runtime: &Runtime, at: SocketAddr) -> Outcome<Round> {
    let answered = Arc::new(AtomicU64::new(0));
    let ((), took, cpu) = timed(|| {
        let end = now() + ROUND;
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| runtime.spawn(ask_until(at, end, Arc::clone(&answered)))).collect();
        for client in clients {
            joined(runtime.block_on(client)?)?;
        }
        Ok(())
    })?;
    Ok(Round::rate(answered.load(Ordering::Relaxed), took, cpu))
}

const ASK: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";

async fn ask_until(at: SocketAddr, end: std::time::Instant, answered: Arc<AtomicU64>) -> Done {
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    while now() < end {
        let request = Request::get(ASK).header("host", "169.254.169.254").header("metadata", "true");
        let response = sender.send_request(request.body(Full::<Bytes>::default())?).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 200 {
            return Err(format!("answered {status}").into());
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
