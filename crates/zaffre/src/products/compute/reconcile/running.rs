//! A machine that runs: a guest with its doors, or where guests are not allowed, nothing but the saying so.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use azure::ids::Guid;
use guest::{Guest, GuestSockets, Network, Outside, Plug, Spec};
use tokio::{sync::watch, time::Instant};

use super::{
    super::{
        cloud_init::{self, Plan},
        logins::Accounts,
    },
    Served, extension_address, first_boot, lock,
    log::Log,
    places::{self, Judged},
    public::{self, Public},
    want::Want,
};
use crate::{
    env::Egress,
    host::Ssh,
    products::network::{inbound::Opening, places::Place},
};

pub(super) struct Running {
    pub(super) vm_id: Guid,
    pub(super) boots: u64,
    pub(super) since: Instant,
    /// None where machines are simulated.
    pub(super) guest: Option<Arc<Guest>>,
    is_dead: Arc<AtomicBool>,
    /// Becomes true when it ends.
    over: watch::Sender<bool>,
    /// Its own sockets and those of its extensions. They would keep a dead guest's network alive.
    doors: Arc<Mutex<Doors>>,
    /// Whether it is behind an interface, the security rules there, and whether anything may go out at all.
    judged_by: Mutex<Option<Judged>>,
    /// What is reached through that interface.
    ways: Mutex<Vec<(Ipv4Addr, u8)>>,
    accounts: Mutex<Accounts>,
    pub(super) log: Log,
}

#[derive(Default)]
struct Doors {
    own: Option<Served>,
    plug: Option<Plug>,
    extensions: BTreeMap<u16, Option<Served>>,
    ssh: Option<SshDoor>,
    public: Option<Public>,
}

/// Where one signs in, or was to.
struct SshDoor {
    address: Ipv4Addr,
    /// With what keeps it open; none where nothing could listen there.
    open: Option<(Ssh, Served)>,
}

impl Running {
    fn new(want: &Want, guest: Option<Arc<Guest>>) -> Self {
        Running {
            vm_id: want.machine.vm_id,
            boots: want.machine.boots,
            since: Instant::now(),
            guest,
            is_dead: Arc::default(),
            over: watch::Sender::new(false),
            doors: Arc::default(),
            judged_by: Mutex::default(),
            ways: Mutex::default(),
            accounts: Mutex::default(),
            log: Log::default(),
        }
    }

    pub(super) fn simulated(want: &Want) -> Self {
        Running::new(want, None)
    }

    /// Boots a guest and opens its doors. `died` is called when it is gone, whoever ended it.
    pub(super) async fn boot(
        want: &Want,
        spec: Spec,
        network: Option<&Network>,
        outside: Option<Arc<dyn Outside>>,
        serve: impl FnOnce(GuestSockets) -> io::Result<Served>,
        died: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Self>, String> {
        let (guest, mut sockets) = Guest::start(spec).await.map_err(|error| error.to_string())?;
        let guest = Arc::new(guest);
        let running = Arc::new(Running::new(want, Some(Arc::clone(&guest))));
        if let (Some(wire), Some(network), Some(place)) = (sockets.wire.take(), network, &want.place) {
            let plug = network.attach(wire, places::in_network(place, &want.hostname, outside));
            lock(&running.doors).plug = Some(plug.map_err(|error| error.to_string())?);
            *lock(&running.judged_by) = Some(Judged::of(place));
            *lock(&running.ways) = places::ways(place);
        }
        lock(&running.doors).own = Some(serve(sockets).map_err(|error| error.to_string())?);
        let (is_dead, doors) = (Arc::clone(&running.is_dead), Arc::clone(&running.doors));
        tokio::spawn(async move {
            guest.wait_dead().await;
            is_dead.store(true, Ordering::Release);
            *lock(&doors) = Doors::default();
            died();
        });
        Ok(running)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Says in the log that it has begun, and begins what it was told to do then.
    pub(super) fn begin(&self, want: &Want, plan: Plan, egress: Egress) {
        let Some(guest) = &self.guest else {
            self.log.line(&format!("{}: simulated, nothing of its own runs", want.hostname));
            if !plan.steps.is_empty() {
                self.log
                    .line("cloud-init: custom data is not carried out: on the host it would change the host");
            }
            return;
        };
        let bounds = guest.bounds();
        self.log.line(&format!(
            "{}: booted; memory by {:?}, processors by {:?}",
            want.hostname, bounds.memory, bounds.cpu
        ));
        self.log.line(&format!("{}: egress is {}", want.hostname, want.says_of(egress)));
        first_boot::begin(Arc::clone(guest), plan, self.log.clone());
    }

    /// From now on these are the security rules around it; nothing where it has no interface.
    pub(super) fn judge_by(&self, place: &Place) {
        let mut judged_by = lock(&self.judged_by);
        let now = Judged::of(place);
        if judged_by.as_ref().is_some_and(|it| *it != now)
            && let Some(plug) = &lock(&self.doors).plug
        {
            plug.set_rules(places::judged(place));
            *judged_by = Some(now);
        }
    }

    /// Whether it finds its way to all that its network is joined to.
    pub(super) fn has_ways(&self, want: &Want) -> bool {
        self.guest.is_none() || self.missing_ways(want).is_empty()
    }

    fn missing_ways(&self, want: &Want) -> Vec<(Ipv4Addr, u8)> {
        let known = lock(&self.ways);
        let ways = want.place.as_ref().map(places::ways).unwrap_or_default();
        // A machine that booted without an interface has none until its next boot.
        ways.into_iter().filter(|it| !known.is_empty() && !known.contains(it)).collect()
    }

    /// Leads it to what its network was joined to meanwhile. Ways that are of no use any more are left: they lead nowhere.
    pub(super) async fn find_ways(&self, want: &Want) -> Result<(), String> {
        let Some(guest) = &self.guest else { return Ok(()) };
        for way in self.missing_ways(want) {
            guest.find_way(way).await.map_err(|error| error.to_string())?;
            lock(&self.ways).push(way);
        }
        Ok(())
    }

    /// Whether these were made and taken away in it.
    pub(super) fn has(&self, accounts: &Accounts) -> bool {
        self.guest.is_none() || *lock(&self.accounts) == *accounts
    }

    /// Makes who is missing, and takes away who is to go.
    pub(super) async fn settle_accounts(&self, accounts: &Accounts) {
        let Some(guest) = &self.guest else { return };
        let before = lock(&self.accounts).clone();
        let made =
            accounts.made.iter().filter(|it| !before.made.contains(it)).flat_map(|it| cloud_init::made(it));
        let gone = accounts.removed.iter().filter(|it| !before.removed.contains(it));
        for step in gone.map(|it| cloud_init::removed(it)).chain(made) {
            self.log.line(&format!("vmaccess: {}", step.name));
            first_boot::carry_out(guest, &step, &self.log).await;
        }
        accounts.clone_into(&mut lock(&self.accounts));
    }

    /// Where extensions answer.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        lock(&self.doors).extensions.keys().copied().collect()
    }

    /// Listens at these ports of the guest's loopback, and at no others.
    pub(super) async fn listen(
        &self,
        ports: &BTreeSet<u16>,
        serve: impl Fn(GuestSockets) -> io::Result<Served>,
    ) -> Result<(), String> {
        lock(&self.doors).extensions.retain(|port, _| ports.contains(port));
        for port in ports.difference(&self.ports()) {
            let served = match &self.guest {
                Some(guest) => {
                    let address = extension_address(*port);
                    let listener = guest.listen(address).await.map_err(|error| error.to_string())?;
                    let sockets =
                        GuestSockets { tcp: vec![(address, listener)], udp: Vec::new(), wire: None };
                    Some(serve(sockets).map_err(|error| error.to_string())?)
                }
                None => None,
            };
            lock(&self.doors).extensions.insert(*port, served);
        }
        Ok(())
    }

    /// Whether one can sign in at this address, as far as this host lets one, and nowhere else.
    pub(super) fn is_open_at(&self, address: Option<Ipv4Addr>) -> bool {
        self.guest.is_none() || lock(&self.doors).ssh.as_ref().map(|it| it.address) == address
    }

    pub(super) fn ssh(&self) -> Option<Ssh> {
        lock(&self.doors).ssh.as_ref()?.open.as_ref().map(|(ssh, _)| ssh.clone())
    }

    /// Closes where one signed in, and keeps what there is instead.
    pub(super) fn set_ssh(&self, address: Option<Ipv4Addr>, open: Option<(Ssh, Served)>) {
        lock(&self.doors).ssh = address.map(|address| SshDoor { address, open });
    }

    /// From now on this is open at its public addresses, to what listens in it.
    pub(super) fn open_to(&self, openings: &[Opening], doors: impl FnOnce() -> public::Doors) {
        let mut own = lock(&self.doors);
        // A guest that has just died has none any more, and gets none.
        if own.own.is_none() || (own.public.is_none() && openings.is_empty()) {
            return;
        }
        own.public.get_or_insert_with(|| doors().begin()).set(openings);
    }

    /// For what runs on the host in its place: when that is to end.
    pub(super) fn over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }

    /// Ends it and waits until nothing of it is left.
    pub(super) async fn end(&self) {
        self.over.send_replace(true);
        *lock(&self.doors) = Doors::default();
        if let Some(guest) = &self.guest {
            guest.stop().await;
        }
    }
}
