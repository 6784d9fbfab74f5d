//! The reconciler: one task that makes guests follow what is written about machines, and writes back what it saw.
//!
//! ```text
//! commit ── Follower ──▶ look: every machine's row ──▶ what differs from what runs ──▶ a task each: end, boot, listen
//!                          ▲                                                              │
//!                          └────────── a guest died, a task is done ◀── report: seen, operations' ends
//! ```
//!
//! Where processes share a store, one of them has the duty (`store::duty`) and all guests; the others follow what it writes, so
//! that whoever waits for a machine is told, and boot the machines themselves when it is gone.
//!
//! It compares, and never remembers a request: after a restart of the program, after a guest that died by itself, after ten
//! changes in a row, the same comparison finds what is to be done. One machine is worked on by one task at a time, so a slow
//! one holds up nobody else. Whatever runs ends with `Reconciler::stop`, or with the process.
//!
//! - `want.rs`: what the rows say there should be.
//! - `running.rs`: what runs: guests, their doors, or on machines that allow no guests, nothing at all.
//! - `first_boot.rs`: what a machine's custom data asks for. `log.rs`: what its console would show.
//! - `places.rs`: virtual networks, and machines' places in them.
//! - `report.rs`: what is written back.
//! - `elsewhere.rs`: what other processes of the cloud write about machines.
//! - `public.rs`: what of a machine is open at its public addresses.
//! - `exec.rs`: commands in what runs; `on_host.rs`: where nothing does. `ssh.rs`: what an SSH server asks of it.

mod elsewhere;
mod exec;
mod first_boot;
mod log;
mod on_host;
mod places;
mod public;
mod report;
mod running;
mod ssh;
mod want;

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use azure::{
    error::Error,
    ids::{Guid, ResourceId},
};
use guest::{GuestSockets, Network, Outside};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use self::{exec::Commands, places::Networks, running::Running, want::Want};
use super::{cloud_init::Plan, events, logins, run_command};
use crate::{
    Server,
    cloud::{Chance, Cloud, CloudId},
    door::Door,
    env::LogFormat,
    host::{PublicDoor, Ssh},
    resources::scheduled_events,
    service::Cx,
    store::{Txn, duty, lease::Lease},
};

/// How machines run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As guests made of namespaces.
    Namespaces,
    /// Not at all: what is run in one runs on the host, with the environment that makes it speak as that machine.
    Simulated,
}

/// Whatever keeps a guest's sockets served; dropping it closes them.
pub type Served = Box<dyn Send + Sync>;
/// Serves a guest's sockets: `front`, which alone accepts.
pub type Serve = Box<dyn Fn(&Whose, GuestSockets) -> io::Result<Served> + Send + Sync>;

/// Listens at a public address with a machine's SSH server: `front`, which alone accepts. Gives where that is.
pub type ServeSsh = Box<dyn Fn(Ipv4Addr, ::ssh::Server) -> io::Result<(SocketAddr, Served)> + Send + Sync>;

/// Lets one more connection in to what listens in a machine; none where nobody is to be, or nobody listens.
pub type LetIn = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<TcpStream>> + Send>> + Send + Sync>;
/// Ends the connections that were let in when it is dropped.
pub type Cut = watch::Sender<()>;
/// Listens at a public address and port, and carries who comes to a machine: `front`, which alone accepts. Gives where that is.
pub type ServePublic =
    Box<dyn Fn((Ipv4Addr, u16), &Cut, LetIn) -> io::Result<(SocketAddr, Served)> + Send + Sync>;

/// Whose sockets they are.
pub struct Whose {
    pub cloud: CloudId,
    pub vm: ResourceId,
    pub vm_id: Guid,
    pub hostname: String,
    /// What its host name stands for.
    pub address: Ipv4Addr,
    /// The virtual network that it is in.
    pub network: Option<Network>,
}

/// What the reconciler needs of the world.
pub struct Setup {
    /// None: guests where this machine allows them.
    pub way: Option<Way>,
    /// The certificates that guests trust, PEM.
    pub ca_bundle: String,
    /// The program whose `main` begins with `guest::init::main_if_asked`.
    pub init: PathBuf,
    /// A root file system of the user's, in place of the host's programs.
    pub rootfs: Option<PathBuf>,
    pub serve: Serve,
    pub serve_ssh: ServeSsh,
    pub serve_public: ServePublic,
}

/// Whose machine: one name may be in two clouds.
type Key = (CloudId, ResourceId);
type Machines = Arc<Mutex<HashMap<Key, Arc<Running>>>>;

pub struct Reconciler {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Reconciler {
    /// Begins to follow, for all clouds of a server.
    pub fn start(server: &Arc<Server>, setup: Setup) -> Self {
        let env = &server.env;
        let machines = Machines::default();
        env.follower.set(true);
        let has_duty = Arc::<AtomicBool>::default();
        let commands = Commands {
            store: env.store.clone(),
            follower: env.follower.clone(),
            machines: Arc::clone(&machines),
            has_duty: Arc::clone(&has_duty),
        };
        // A server has one reconciler, so nobody was there before.
        let _ = env.guests.set(Arc::new(commands));
        let (stop, stopped) = watch::channel(false);
        let follow = Follow {
            server: Arc::clone(server),
            setup,
            machines,
            has_duty,
            busy: Mutex::default(),
            failures: Mutex::default(),
            networks: Networks::default(),
        };
        Reconciler { stop, task: tokio::spawn(Arc::new(follow).run(stopped)) }
    }

    /// Ends every guest and waits until none of their processes is left. What should run is written; the next start finds it.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked has dropped its guests.
        let _ = self.task.await;
    }
}

struct Follow {
    server: Arc<Server>,
    setup: Setup,
    machines: Machines,
    /// Whether the guests are this process's.
    has_duty: Arc<AtomicBool>,
    /// Machines that a task is at work on.
    busy: Mutex<HashSet<Key>>,
    failures: Mutex<HashMap<Key, Failures>>,
    networks: Networks,
}

/// Boots of one machine that came to nothing, one after another.
#[derive(Clone, Copy)]
struct Failures {
    boots: u64,
    count: u32,
}

/// A machine that dies this often, one after another, is left alone until somebody starts it again.
const DEATHS: u32 = 5;
/// Whoever lived this long did not die at once.
const LIFE: Duration = Duration::from_secs(10);

impl Follow {
    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let way = self.way().await;
        let mut tasks = JoinSet::new();
        let store = &self.server.env.store;
        let _elsewhere = elsewhere::listen(&self.server).await;
        let mut duty = duty::stand(store, CloudId::RING, "machines", Chance::system().draw().guid());
        while !*stopped.borrow_and_update() {
            let mut next = None;
            match duty.lease() {
                Some(lease) => {
                    next = self.carry_out_all().await;
                    self.look_at_all(way, &lease, &mut tasks).await;
                }
                None => self.end_all(&mut tasks).await,
            }
            tokio::select! {
                () = self.server.env.follower.woken() => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                () = duty.changed() => {}
                _ = stopped.changed() => {}
                () = until(next) => {}
            }
        }
        self.server.env.follower.set(false);
        self.end_all(&mut tasks).await;
        duty.retire().await;
    }

    async fn look_at_all(self: &Arc<Self>, way: Way, lease: &Arc<Lease>, tasks: &mut JoinSet<()>) {
        let had_duty = self.has_duty.swap(true, Ordering::AcqRel);
        for cloud in self.server.clouds() {
            // From here on, what a predecessor reports late is refused, and what it had begun is over.
            let now = cloud.clock.now();
            let take = |txn: &mut Txn| {
                lease.check_in_any(txn)?;
                run_command::fail_interrupted(txn, now)
            };
            if !had_duty && let Err(error) = self.server.env.store.write(cloud.id, take).await {
                self.log(&format!("cannot say that machines are run here now: {error:?}"));
            }
            if let Err(error) = self.look(way, &cloud, lease, tasks).await {
                self.log(&format!("cannot read what machines there should be: {error:?}"));
            }
        }
    }

    /// Nothing runs here any more: the cloud stops, or another process has the duty.
    async fn end_all(&self, tasks: &mut JoinSet<()>) {
        self.has_duty.store(false, Ordering::Release);
        while tasks.join_next().await.is_some() {}
        let running: Vec<_> = lock(&self.machines).drain().map(|(_, it)| it).collect();
        running.into_iter().for_each(|it| {
            tasks.spawn(async move { it.end().await });
        });
        while tasks.join_next().await.is_some() {}
    }

    /// Does what is due in every cloud. Gives how long it is until the next event.
    async fn carry_out_all(&self) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for cloud in self.server.clouds() {
            match self.carry_out(&cloud).await {
                Ok(due) => next = [next, due].into_iter().flatten().min(),
                Err(error) => self.log(&format!("cannot do what is due: {error:?}")),
            }
        }
        next
    }

    /// Does what scheduled events announced for now. Gives how long it is until the next one.
    async fn carry_out(&self, cloud: &Arc<Cloud>) -> Result<Option<Duration>, Error> {
        let now = cloud.clock.now();
        let (due, next) = self.server.env.store.read(cloud.id, |txn| scheduled_events::due(txn, now)).await?;
        if !due.is_empty() {
            let cx = Cx::internal(&self.server.env, cloud, Door::named(cloud.id));
            let draw = cx.draw();
            self.server
                .env
                .store
                .write(cloud.id, |txn| events::carry_out(&cx, txn, &mut draw.clone()))
                .await?;
            self.server.env.follower.report();
        }
        Ok(next.map(|at| at.distance(now)))
    }

    async fn way(&self) -> Way {
        if let Some(way) = self.setup.way {
            return way;
        }
        if self.setup.rootfs.is_none() && !guest::has_programs() {
            self.log(
                "there are no programs here for guests to have, and no `--rootfs` says where others are: virtual machines are \
                 simulated",
            );
            return Way::Simulated;
        }
        let init = self.setup.init.clone();
        match tokio::task::spawn_blocking(move || guest::probe(&init)).await {
            Ok(Ok(())) => Way::Namespaces,
            Ok(Err(refused)) => {
                self.log(&format!(
                    "this machine allows no guests ({refused}): virtual machines are simulated, and `zaffre vm exec` runs on \
                     the host as the machine"
                ));
                Way::Simulated
            }
            Err(_) => Way::Simulated,
        }
    }

    /// Compares, and begins what there is to do.
    async fn look(
        self: &Arc<Self>,
        way: Way,
        cloud: &Arc<Cloud>,
        lease: &Arc<Lease>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let wanted = self.server.env.store.read(cloud.id, want::all).await?;
        let named: HashSet<&ResourceId> = wanted.iter().map(|it| &it.vm).collect();
        let is_left = |key: &&Key| key.0 == cloud.id && !named.contains(&key.1);
        let left: Vec<Key> = lock(&self.machines).keys().filter(is_left).cloned().collect();
        for key in left {
            self.begin(tasks, key.clone(), |this| async move { this.end(&key).await });
        }
        self.networks.keep(cloud.id, wanted.iter().filter_map(|it| it.place.as_ref()));
        for want in wanted {
            let key = (cloud.id, want.vm.clone());
            let present = lock(&self.machines).get(&key).cloned();
            if let (Some(present), Some(place)) = (&present, &want.place) {
                present.judge_by(place);
            }
            if let Some(present) = &present {
                self.open_to(&key, &want, present);
            }
            if want.is_met_by(present.as_deref()) || self.has_given_up(&key, &want) {
                continue;
            }
            let (cloud, lease) = (Arc::clone(cloud), Arc::clone(lease));
            let work =
                |this: Arc<Self>| async move { this.converge(way, &cloud, &lease, want, present).await };
            self.begin(tasks, key, work);
        }
        Ok(())
    }

    /// Begins work on a machine, unless some is under way: that one's end makes us look again.
    fn begin<F>(self: &Arc<Self>, tasks: &mut JoinSet<()>, key: Key, work: impl FnOnce(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if lock(&self.busy).insert(key.clone()) {
            let (this, work) = (Arc::clone(self), work(Arc::clone(self)));
            tasks.spawn(async move {
                work.await;
                lock(&this.busy).remove(&key);
            });
        }
    }

    async fn end(&self, key: &Key) {
        let running = lock(&self.machines).remove(key);
        if let Some(running) = running {
            running.end().await;
        }
        lock(&self.failures).remove(key);
        self.server.env.follower.report();
    }

    async fn converge(
        &self,
        way: Way,
        cloud: &Arc<Cloud>,
        lease: &Lease,
        want: Want,
        present: Option<Arc<Running>>,
    ) {
        let key = (cloud.id, want.vm.clone());
        let outcome = self.follow(way, &key, &want, present).await;
        if let Err(problem) = &outcome {
            self.log(&format!("`{}` does not run: {problem}", want.vm));
        }
        let (report, now) = (&report::Report { want: &want, outcome: &outcome }, cloud.clock.now());
        let written = self.server.env.store.write(cloud.id, |txn| {
            // The machine runs elsewhere by now, and this is no news of it.
            if lease.check_in_any(txn)? { report.write(txn, now) } else { Ok(()) }
        });
        if let Err(error) = written.await {
            self.log(&format!("cannot write what became of `{}`: {error:?}", want.vm));
        }
        self.server.env.follower.report();
    }

    /// Makes a machine as it should be.
    async fn follow(
        &self,
        way: Way,
        key: &Key,
        want: &Want,
        present: Option<Arc<Running>>,
    ) -> Result<(), String> {
        let running = match present {
            Some(running) if want.is_booted(&running) => running,
            present => {
                if let Some(old) = present {
                    self.note_death(key, want, &old);
                    lock(&self.machines).remove(key);
                    old.end().await;
                }
                if !want.is_on() {
                    return Ok(());
                }
                self.check_failures(key, want)?;
                let plan = want.plan();
                let running =
                    self.boot(way, key, want, &plan).await.inspect_err(|_| self.give_up(key, want))?;
                running.settle_accounts(&want.accounts).await;
                running.begin(want, plan, self.server.env.egress());
                lock(&self.machines).insert(key.clone(), Arc::clone(&running));
                running
            }
        };
        running.find_ways(want).await?;
        if !running.has(&want.accounts) {
            running.settle_accounts(&want.accounts).await;
        }
        let whose = want.whose(key.0, self.network(key, want));
        running.listen(&want.ports(), |sockets| (self.setup.serve)(&whose, sockets)).await?;
        if !running.is_open_at(want.ssh) {
            self.let_in(key, want, &running).await;
        }
        Ok(())
    }

    /// Opens the machine's SSH server at its public address, or closes it where it has none. A machine whose address cannot be
    /// had runs all the same.
    async fn let_in(&self, key: &Key, want: &Want, running: &Running) {
        // Closed first: it may be the same address under another rule.
        running.set_ssh(None, None);
        let (Some(address), Some(guest)) = (want.ssh, &running.guest) else { return };
        let opened = async {
            let draw = Chance::system().draw();
            let vm_id = want.machine.vm_id;
            let seed = self
                .server
                .env
                .store
                .write(key.0, |txn| logins::host_key(txn, &want.vm, vm_id, draw.clone()));
            let host_key = ::ssh::HostKey::from_seed(&seed.await.map_err(|error| format!("{error:?}"))?);
            let public = host_key.public();
            let inside = ssh::Inside::new(self.server.env.store.clone(), key.clone(), Arc::clone(guest));
            let server = ::ssh::Server::new(Arc::new(inside), host_key);
            let (at, served) = (self.setup.serve_ssh)(address, server).map_err(|error| error.to_string())?;
            let door = PublicDoor { vm: want.vm.clone(), at };
            let known_as = SocketAddrV4::new(address, want::SSH);
            let listed = self.server.env.public_doors.list(key.0, known_as, door);
            let served: Served = Box::new((served, listed));
            Ok::<_, String>((Ssh { address: at, user: want.admin.clone(), host_key: public }, served))
        };
        let opened = opened.await.map_err(|problem| {
            self.log(&format!("`{}` has no SSH at {address}: {problem}", want.vm));
        });
        running.set_ssh(Some(address), opened.ok());
    }

    /// Lets who comes from outside in to what listens in the machine, as its rules say now.
    fn open_to(self: &Arc<Self>, key: &Key, want: &Want, running: &Running) {
        let Some(guest) = running.guest.as_ref().filter(|_| want.is_booted(running)) else { return };
        running.open_to(&want.openings, || {
            public::Doors::new(Arc::clone(self), key.clone(), Arc::clone(guest), running.log.clone())
        });
    }

    async fn boot(&self, way: Way, key: &Key, want: &Want, plan: &Plan) -> Result<Arc<Running>, String> {
        let network = self.network(key, want);
        let whose = want.whose(key.0, network.clone());
        let serve = |sockets| (self.setup.serve)(&whose, sockets);
        let follower = self.server.env.follower.clone();
        match way {
            Way::Simulated => Ok(Arc::new(Running::simulated(want))),
            Way::Namespaces => {
                let outside = self.server.env.outside.get().map(|it| Arc::clone(it) as Arc<dyn Outside>);
                let spec = self.setup.spec(want, plan, outside.is_some());
                Running::boot(want, spec, network.as_ref(), outside, serve, move || follower.wake()).await
            }
        }
    }

    fn network(&self, key: &Key, want: &Want) -> Option<Network> {
        want.place.as_ref().map(|place| self.networks.of(key.0, place))
    }

    fn note_death(&self, key: &Key, want: &Want, old: &Running) {
        if old.is_dead() && want.machine.boots == old.boots {
            let lived = Instant::now().duration_since(old.since);
            let mut failures = lock(&self.failures);
            let entry = failures.entry(key.clone()).or_insert(Failures { boots: old.boots, count: 0 });
            let count = if lived < LIFE { entry.count + 1 } else { 1 };
            *entry = Failures { boots: old.boots, count };
        }
    }

    fn check_failures(&self, key: &Key, want: &Want) -> Result<(), String> {
        match self.failures_of(key, want) {
            count if count >= DEATHS => Err(format!("it died {count} times, one after another")),
            _ => Ok(()),
        }
    }

    fn failures_of(&self, key: &Key, want: &Want) -> u32 {
        let failures = lock(&self.failures).get(key).copied();
        failures.filter(|it| it.boots == want.machine.boots).map_or(0, |it| it.count)
    }

    /// What was refused once is refused again: a boot is tried anew when somebody asks for one.
    fn give_up(&self, key: &Key, want: &Want) {
        lock(&self.failures).insert(key.clone(), Failures { boots: want.machine.boots, count: DEATHS });
    }

    fn has_given_up(&self, key: &Key, want: &Want) -> bool {
        want.is_reported() && want.is_on() && self.failures_of(key, want) >= DEATHS
    }

    fn log(&self, text: &str) {
        if self.server.env.settings.log != LogFormat::Off {
            eprintln!("zaffre: {text}");
        }
    }
}

impl Setup {
    fn spec(&self, want: &Want, plan: &Plan, has_outside: bool) -> guest::Spec {
        let mut spec = guest::Spec::new(plan.hostname.as_ref().unwrap_or(&want.hostname));
        spec.init.clone_from(&self.init);
        spec.rootfs.clone_from(&self.rootfs);
        spec.machine_id = want.machine.vm_id.simple();
        spec.admin.clone_from(&want.admin);
        spec.ca_bundle.clone_from(&self.ca_bundle);
        spec.addresses.extend(&want.addresses);
        if let (Some(place), Some(address)) = (&want.place, want.address()) {
            spec.interface = Some(places::interface(place, has_outside));
            spec.search = place.suffix.clone();
            let names = [format!("{}.{}", want.hostname, place.suffix), want.hostname.clone()];
            spec.hosts.extend(names.map(|name| (IpAddr::V4(address), name)));
        }
        spec.files.extend(first_boot::files(plan));
        if let Some((cpus, megabytes)) = want.size {
            (spec.limits.cpus, spec.limits.memory_bytes) = (Some(cpus), Some(u64::from(megabytes) << 20));
        }
        // What has gone meanwhile is not lent; the machine runs all the same.
        let lent = want.machine.shares.iter().filter(|it| it.path.exists());
        spec.shares = lent.map(|it| it.as_lent()).collect();
        spec
    }
}

/// Where the old extension answers, inside a guest.
fn extension_address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Resolves after a time; never where there is none.
async fn until(time: Option<Duration>) {
    match time {
        Some(time) => drop(tokio::time::timeout(time, std::future::pending::<()>()).await),
        None => std::future::pending().await,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}
