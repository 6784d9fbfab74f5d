//! Resource Manager: a list over many resources, and a PUT beside the bare commit in it.
//!
//! Requests go through the one path, without a socket: what HTTP costs is not Resource Manager's.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use azure::{ids::ResourceId, text, time::Timestamp};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tokio::runtime::Runtime;
use zaffre::{
    Server, cloud,
    door::Door,
    env::{LogFormat, Settings},
    resources::{self, Resource},
    service::Body,
    store::{CloudId, Content, Raw, Store, Table, Txn},
};

use crate::{
    Outcome,
    figure::{Figure, Round, Target},
    identity::{Done, Sent, concurrently, joined},
    store::{mixed, timed},
};

const ROUNDS: usize = 7;
const LISTED: u64 = 10_000;
/// Resources a second, of one client on one connection: the issue's own number.
const LEAST_LISTED: f64 = 50_000.0;
const WRITERS: usize = 16;
const TYPE: &str = "Microsoft.Automation/automationAccounts";
const VERSION: &str = "2021-04-01";
const ROWS: Table<u64, Raw> = Table::new("bare_rows");
const BARE: CloudId = CloudId(7);

pub(crate) fn run() -> Outcome<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = vec![listing(&runtime)?];
    figures.push(putting(&runtime, "arm/put-16-clients", WRITERS)?);
    figures.push(putting(&runtime, "arm/put-1-client", 1)?);
    Ok(figures)
}

/// A cloud on disk, and somebody who owns its subscription.
#[derive(Clone)]
struct Owner {
    server: Arc<Server>,
    authorization: Arc<str>,
    group: Arc<str>,
}

async fn owner(dir: &std::path::Path) -> Result<Owner, Sent> {
    let store = Store::open(&dir.join("store"))?;
    let content = Content::in_dir(&dir.join("content"))?;
    let settings = Settings { log: LogFormat::Off, ..Settings::default() };
    let server = Server::start(store, content, settings).await?;
    let credentials =
        server.credentials(cloud::CloudId::DEFAULT).ok_or("a cloud without an administrator")?;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
        credentials.client_id,
        text::percent_encode(&credentials.client_secret),
    );
    let request = Request::post(format!("/{}/oauth2/v2.0/token", credentials.tenant))
        .header("host", "login.microsoftonline.com")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))?;
    let (_, answer) = sent(&server, request, 200).await?;
    let token: Value = serde_json::from_slice(&answer)?;
    let token = token["access_token"].as_str().ok_or("an answer without a token")?;
    let cloud = server.cloud(cloud::CloudId::DEFAULT).ok_or("no cloud")?;
    let group = format!("/subscriptions/{}/resourceGroups/bench", cloud.charter.subscription);
    let owner = Owner { authorization: format!("Bearer {token}").into(), group: group.into(), server };
    owner.put(&owner.group, 201).await?;
    Ok(owner)
}

async fn sent(server: &Server, request: Request<Body>, expected: u16) -> Result<(u16, Bytes), Sent> {
    let answer = server.send(Door::named(cloud::CloudId::DEFAULT), request).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    if status != expected {
        return Err(format!("answered {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok((status, body))
}

impl Owner {
    async fn put(&self, id: &str, expected: u16) -> Done {
        let request = Request::put(format!("{id}?api-version={VERSION}"))
            .header("host", "management.azure.com")
            .header("authorization", &*self.authorization)
            .header("content-type", "application/json")
            .body(Body::from(
                r#"{"location":"westeurope","tags":{"made":"here"},"properties":{"sku":{"name":"Basic"}}}"#
                    .to_owned(),
            ))?;
        sent(&self.server, request, expected).await.map(drop)
    }

    async fn page(&self, target: &str) -> Result<Page, Sent> {
        let request = Request::get(target)
            .header("host", "management.azure.com")
            .header("authorization", &*self.authorization)
            .body(Body::empty())?;
        let (_, body) = sent(&self.server, request, 200).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Follows every `nextLink`; gives how many resources there were.
    async fn list(&self) -> Result<u64, Sent> {
        let mut next = Some(format!("{}/resources?api-version={VERSION}", self.group));
        let mut listed = 0;
        while let Some(target) = next {
            let page = self.page(&target).await?;
            listed += page.value.len() as u64;
            next = page.next_link.map(|link| link.replacen("https://management.azure.com", "", 1));
        }
        Ok(listed)
    }
}

#[derive(Deserialize)]
struct Page {
    value: Vec<IgnoredAny>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

fn listing(runtime: &Runtime) -> Outcome<Figure> {
    let dir = tempfile::tempdir()?;
    let owner = joined(runtime.block_on(owner(dir.path())))?;
    runtime.block_on(fill(&owner))?;
    let mut ours = Vec::new();
    for _ in 0..ROUNDS {
        let (listed, took, cpu) = timed(|| joined(runtime.block_on(owner.list())))?;
        if listed != LISTED {
            return Err(format!("{listed} resources were listed, and there are {LISTED}").into());
        }
        ours.push(Round::rate(listed, took, cpu));
    }
    let target = Target::Over(LEAST_LISTED);
    Ok(Figure { name: "arm/list-10000-resources", unit: "/s", ours, other: vec![], target })
}

async fn fill(owner: &Owner) -> Outcome<()> {
    let group = ResourceId::parse(&owner.group).map_err(|_| "the group's id")?;
    let draw = owner.server.cloud(cloud::CloudId::DEFAULT).ok_or("no cloud")?.chance.draw();
    for start in (0..LISTED).step_by(500) {
        let write = |txn: &mut Txn| {
            let mut draw = draw.clone();
            (start..start + 500).try_for_each(|number| {
                let id =
                    group.provider("Microsoft.Automation", "automationAccounts", &format!("account{number}"));
                let made = Timestamp::from_seconds(1_795_302_174);
                let mut resource = Resource::new(id, TYPE, draw.guid(), made);
                resource.location = Some("westeurope".to_owned());
                resources::put(txn, &resource)
            })
        };
        let written = owner.server.env.store.write(cloud::CloudId::DEFAULT, write).await;
        written.map_err(|error: azure::error::Error| error.message())?;
    }
    Ok(())
}

/// PUTs of new plain resources, and commits of one row of about as many bytes in a store of its own, both on disk.
fn putting(runtime: &Runtime, name: &'static str, clients: usize) -> Outcome<Figure> {
    let (dir, bare) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let owner = joined(runtime.block_on(owner(dir.path())))?;
    let store = Store::open(bare.path())?;
    let numbers = Arc::new(AtomicU64::new(0));
    let (mut ours, mut other) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        ours.push(concurrently(runtime, clients, {
            let (owner, numbers) = (owner.clone(), numbers.clone());
            move || {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let owner = owner.clone();
                async move {
                    let id = format!("{}/providers/{TYPE}/account{number}", owner.group);
                    owner.put(&id, 201).await
                }
            }
        })?);
        other.push(concurrently(runtime, clients, {
            let (store, numbers) = (store.clone(), numbers.clone());
            move || {
                let number = mixed(numbers.fetch_add(1, Ordering::Relaxed));
                let store = store.clone();
                async move {
                    let row = Raw(crate::store::document(number).slice(..600));
                    Ok(store.write(BARE, |txn| ROWS.put(txn, &number, &row)).await?)
                }
            }
        })?);
    }
    Ok(Figure { name, unit: "/s", ours, other, target: Target::AtLeast(0.5) })
}
