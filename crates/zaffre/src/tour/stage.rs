//! A fresh cloud with an owner, and the doing of steps in it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use azure::{
    cosmos_key,
    ids::ResourceId,
    shared_key::{self, Scheme},
    text,
};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use super::{
    show::Shown,
    step::{Act, Ask, By, Check, Run, Step, Want},
};
use crate::{
    Server, StartError,
    cloud::CloudId,
    door::Door,
    host::{Command, Exit},
    keys,
    service::{Body, Fault},
};

/// Why a tour cannot begin.
pub type NotReady = StartError;

const ARM: &str = "https://management.azure.com";
/// Polls of one operation; each waits for something to have happened.
const POLLS: usize = 100;
const POLL_WAIT: Duration = Duration::from_millis(100);
/// curl prints what came, then on a line of its own the status.
const CURLRC: &str = "silent\nshow-error\nmax-time = 30\nwrite-out = \"\\n%{http_code}\\n\"\n";

pub struct Stage {
    server: Arc<Server>,
    token: String,
    memory: BTreeMap<String, String>,
    /// Machines whose curl knows what to print.
    prepared: Vec<&'static str>,
}

/// What came of an act.
pub(super) struct Outcome {
    pub(super) shown: Shown,
    /// How it is not what it should be.
    pub(super) differences: Vec<String>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Stage {
    /// A stage on a server that nobody used before, whose machines run.
    pub async fn new(server: Arc<Server>) -> Result<Self, NotReady> {
        let credentials = server.credentials(CloudId::DEFAULT).ok_or("this server has no cloud")?;
        let memory = BTreeMap::from([
            ("SUBSCRIPTION ID".to_owned(), credentials.subscription.to_string()),
            ("TENANT ID".to_owned(), credentials.tenant.to_string()),
        ]);
        let mut stage = Stage { server, token: String::new(), memory, prepared: Vec::new() };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            credentials.client_id,
            text::percent_encode(&credentials.client_secret),
            text::percent_encode("https://management.azure.com/.default")
        );
        let request = Request::post(format!(
            "https://login.microsoftonline.com/{}/oauth2/v2.0/token",
            credentials.tenant
        ))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))?;
        let answer = stage.send(request).await;
        let token = answer.value().and_then(|it| Some(it.get("access_token")?.as_str()?.to_owned()));
        stage.token = token.ok_or_else(|| format!("the owner cannot sign in: {}", answer.text))?;
        Ok(stage)
    }

    /// The step with its names filled in, as far as they are known yet.
    pub(super) fn filled_step(&self, step: &Step) -> Step {
        let typed = step.typed.as_ref().map(|it| self.filled(it));
        Step { says: self.filled(&step.says), typed, ..step.clone() }
    }

    pub(super) async fn perform(&mut self, act: &Act) -> Outcome {
        match act {
            Act::Ask(ask) => self.ask(ask).await,
            Act::Run(run) => self.run(run).await,
        }
    }

    /// `<name>` stands for what is known by that name, `<new GUID>` for a fresh one; an unknown name stays as it is.
    fn filled(&self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, from)) = rest.split_once('<') {
            out.push_str(before);
            let known = from.split_once('>').and_then(|(name, after)| Some((self.known(name)?, after)));
            match known {
                Some((value, after)) => {
                    out.push_str(&value);
                    rest = after;
                }
                None => {
                    out.push('<');
                    rest = from;
                }
            }
        }
        out + rest
    }

    fn known(&self, name: &str) -> Option<String> {
        match name {
            "new GUID" => Some(self.server.cloud(CloudId::DEFAULT)?.chance.draw().guid().to_string()),
            "now" => Some(self.server.cloud(CloudId::DEFAULT)?.clock.now().rfc1123()),
            name => self.memory.get(name).cloned(),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Outcome {
        let (url, body) = (self.filled(&ask.url), self.filled(&ask.body));
        let mut answer = match self.request(ask, &url, &body) {
            Ok(request) => self.send_through(self.door(&ask.by), request).await,
            Err(problem) => Answer { status: 0, headers: HeaderMap::new(), text: problem },
        };
        let status = answer.status;
        let end = if matches!(ask.by, By::Owner) { self.follow(ask, &url, &mut answer).await } else { "" };
        let whole = Answer { status, ..answer };
        let differences = self.judge(&ask.want, &whole);
        let line = format!("{} {} -> {status}{end}", ask.method, url.strip_prefix(ARM).unwrap_or(&url));
        let part = |pointer: &str| Some(whole.value()?.pointer(pointer)?.to_string());
        let answer = match ask.shows {
            Some("") if differences.is_empty() => String::new(),
            Some(pointer) if differences.is_empty() => part(pointer).unwrap_or_default(),
            Some(_) | None => whole.text,
        };
        Outcome { shown: Shown { line, status: None, answer }, differences }
    }

    fn request(&self, ask: &Ask, url: &str, body: &str) -> Result<Request<Body>, String> {
        let mut headers: Vec<(String, String)> =
            ask.headers.iter().map(|(name, value)| ((*name).to_owned(), self.filled(value))).collect();
        let mut set = |name: &str, value: String| headers.push((name.to_owned(), value));
        let known = |name: &str| self.known(name).ok_or_else(|| format!("no earlier step gave `{name}`"));
        let now = self.known("now").unwrap_or_default();
        match &ask.by {
            By::Owner => set("authorization", format!("Bearer {}", self.token)),
            By::Token(name) => set("authorization", format!("Bearer {}", known(name)?)),
            By::MachineDoor => set("metadata", "true".to_owned()),
            By::CosmosKey(name) => {
                set("x-ms-date", now.clone());
                set("authorization", cosmos_signature(ask.method, url, &now, &known(name)?)?);
            }
            By::StorageKey(..) => {
                set("x-ms-date", now);
                set("content-length", body.len().to_string());
            }
        }
        if matches!(ask.by, By::Owner | By::Token(_)) && !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        if let By::StorageKey(account, key) = &ask.by {
            let signed = storage_signature(ask.method, url, &headers, account, &known(key)?)?;
            headers.push(("authorization".to_owned(), signed));
        }
        let mut request = Request::builder().method(ask.method).uri(url);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request.body(Body::from(body.to_owned())).map_err(|error| error.to_string())
    }

    /// The door that somebody comes through: a machine's own, or by name.
    fn door(&self, by: &By) -> Door {
        let machine = || {
            let vm = ResourceId::parse(&self.known("VM ID")?).ok()?;
            Some(Door::metadata(CloudId::DEFAULT, vm, self.known("VM GUID")?.parse().ok()?))
        };
        match by {
            By::MachineDoor => machine().unwrap_or_else(|| Door::named(CloudId::DEFAULT)),
            By::Owner | By::Token(_) | By::CosmosKey(_) | By::StorageKey(..) => Door::named(CloudId::DEFAULT),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        self.send_through(Door::named(CloudId::DEFAULT), request).await
    }

    async fn send_through(&self, door: Door, request: Request<Body>) -> Answer {
        let response = self.server.send(door, request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: head.status.as_u16(), headers: head.headers, text }
    }

    /// Follows what was only begun to its end, as az does, and puts the end in the answer's place.
    async fn follow(&self, ask: &Ask, url: &str, answer: &mut Answer) -> &'static str {
        let header = |answer: &Answer, name| Some(answer.headers.get(name)?.to_str().ok()?.to_owned());
        let location = header(answer, "location").filter(|_| answer.status == 202);
        let Some(poll) = header(answer, "azure-asyncoperation").or(location) else { return "" };
        let mut reports = self.server.env.follower.reports();
        for _ in 0..POLLS {
            let polled = self.owner_gets(&poll).await;
            let status = polled.value().and_then(|it| Some(it.get("status")?.as_str()?.to_owned()));
            let is_under_way = polled.status == 202
                || status.is_some_and(|it| !matches!(it.as_str(), "Succeeded" | "Failed" | "Canceled"));
            if !is_under_way {
                if ask.method == "PUT" || ask.method == "PATCH" {
                    *answer = self.owner_gets(url).await;
                }
                return ", and done";
            }
            let _ = tokio::time::timeout(POLL_WAIT, reports.changed()).await;
        }
        ", and never done"
    }

    async fn owner_gets(&self, url: &str) -> Answer {
        let request =
            Request::get(url).header("authorization", format!("Bearer {}", self.token)).body(Body::empty());
        match request {
            Ok(request) => self.send(request).await,
            Err(error) => Answer { status: 0, headers: HeaderMap::new(), text: error.to_string() },
        }
    }

    async fn run(&mut self, run: &Run) -> Outcome {
        let script = self.filled(&run.script);
        let ran = match self.prepare(run.vm).await {
            Ok(()) => self.exec(run.vm, &script).await,
            Err(problem) => Err(problem),
        };
        let (answer, trouble) = match ran {
            Ok(output) => (status_of(&output, run.want.status.is_some()), None),
            Err(problem) => {
                (Answer { status: 0, headers: HeaderMap::new(), text: String::new() }, Some(problem))
            }
        };
        let mut differences: Vec<String> = trouble.into_iter().collect();
        differences.extend(self.judge(&run.want, &answer));
        let line = match &run.typed {
            Some(typed) => {
                format!(
                    "PS C:\\> {}\n(sent as PowerShell sends it, by curl in the guest)",
                    self.filled(typed)
                )
            }
            None => format!("azureuser@{}:~$ {script}", run.vm),
        };
        let status = run.want.status.is_some().then_some(answer.status).filter(|it| !matches!(it, 0 | 200));
        Outcome { shown: Shown { line, status, answer: answer.text }, differences }
    }

    /// Tells the machine's curl what to print, once.
    async fn prepare(&mut self, vm: &'static str) -> Result<(), String> {
        if self.prepared.contains(&vm) {
            return Ok(());
        }
        let found = self.exec(vm, "command -v curl || echo none").await?;
        if found.trim() == "none" {
            return Err("this machine has no `curl`, which the page's lines are: install it".to_owned());
        }
        self.exec(vm, &format!("printf '%s' '{CURLRC}' > ~/.curlrc")).await?;
        self.prepared.push(vm);
        Ok(())
    }

    /// What a script prints in a machine.
    async fn exec(&self, vm: &str, script: &str) -> Result<String, String> {
        let guests = self.server.env.guests.get().ok_or("nothing runs machines here")?;
        let id = self.vm(vm).await.map_err(|error| error.message())?;
        let argv = ["bash", "-c", script].map(str::to_owned).to_vec();
        let command = Command { argv, env: Vec::new(), as_root: false, tty: None, shares: Vec::new() };
        let exec = guests.exec(CloudId::DEFAULT, &id, command).await.map_err(|error| error.message())?;
        drop(exec.stdin);
        let (mut stdout, mut stderr) = (exec.stdout, exec.stderr);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let read = async {
            tokio::join!(stdout.read_to_end(&mut out), async {
                match &mut stderr {
                    Some(stderr) => stderr.read_to_end(&mut err).await,
                    None => Ok(0),
                }
            })
        };
        let (first, second) = read.await;
        first.and(second).map_err(|error| error.to_string())?;
        let exit = exec.exit.await.map_err(|_| "the machine ended".to_owned())?;
        drop(exec.nudge);
        let text = String::from_utf8_lossy(&out).into_owned();
        match exit {
            Exit::Code(0) => Ok(text),
            exit => Err(format!("{exit:?}: {}{text}", String::from_utf8_lossy(&err))),
        }
    }

    async fn vm(&self, name: &str) -> azure::error::Result<ResourceId> {
        let found = self.server.env.store.read(CloudId::DEFAULT, |txn| {
            crate::resources::of_type(
                txn,
                "Microsoft.Compute/virtualMachines",
                &ResourceId::root(),
                None,
                100,
            )
        });
        let all = found.await?;
        let vm = all.into_iter().find(|it| it.name() == name);
        vm.map(|it| it.id).ok_or_else(|| Fault::Internal.because(format!("there is no machine `{name}`")))
    }

    /// How an answer is not what it should be. What is to be kept of it is kept.
    fn judge(&mut self, want: &Want, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if let Some(status) = want.status.filter(|it| *it != answer.status) {
            differences.push(format!("the status should be {status}, and is {}", answer.status));
        }
        let value = answer.value().unwrap_or_default();
        for check in &want.checks {
            differences.extend(self.check(check, answer, &value));
        }
        for (name, pointer) in &want.keeps {
            match value.pointer(pointer).map(plain) {
                Some(text) => drop(self.memory.insert((*name).to_owned(), text)),
                None => differences.push(format!("there should be something at `{pointer}`")),
            }
        }
        differences
    }

    fn check(&self, check: &Check, answer: &Answer, value: &Value) -> Option<String> {
        let at = |pointer: &str| value.pointer(pointer).map(plain);
        match check {
            Check::Is(pointer, expected) => {
                let (expected, found) = (self.filled(expected), at(pointer).unwrap_or_default());
                (found != expected).then(|| format!("`{pointer}` should be `{expected}`, and is `{found}`"))
            }
            Check::Has(pointer) => at(pointer)
                .is_none_or(|it| it.is_empty())
                .then(|| format!("there should be something at `{pointer}`")),
            Check::Lacks(pointer) => {
                at(pointer).map(|it| format!("`{pointer}` should not be there, and is `{it}`"))
            }
            Check::Says(text) => {
                let text = self.filled(text);
                (!answer.text.contains(&text)).then(|| format!("the answer should say `{text}`"))
            }
        }
    }
}

impl Answer {
    fn value(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Takes the status off the end of what curl printed.
fn status_of(output: &str, has_status: bool) -> Answer {
    let (text, last) = output.trim_end().rsplit_once('\n').unwrap_or(("", output.trim_end()));
    let status = if has_status { last.trim().parse().ok() } else { None };
    match status {
        Some(status) => Answer { status, headers: HeaderMap::new(), text: text.to_owned() },
        None => Answer { status: 0, headers: HeaderMap::new(), text: output.to_owned() },
    }
}

fn parts_of(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (path.to_owned(), query.to_owned())
}

fn decoded(key: &str) -> Result<Vec<u8>, String> {
    text::base64_decode(key).ok_or_else(|| "a key is base64".to_owned())
}

fn cosmos_signature(method: &str, url: &str, date: &str, key: &str) -> Result<String, String> {
    let (path, _) = parts_of(url);
    let request =
        cosmos_key::Request { verb: method, path: &path, x_ms_date: date, date: "", resolve_for: None };
    let payload = cosmos_key::payloads(&request).into_iter().next().unwrap_or_default();
    let signature = text::base64(keys::hmac_sha256(&decoded(key)?, payload.as_bytes()));
    Ok(text::percent_encode(&format!("type=master&ver=1.0&sig={signature}")))
}

fn storage_signature(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    account: &str,
    key: &str,
) -> Result<String, String> {
    let (path, query) = parts_of(url);
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = shared_key::Request {
        method,
        headers: &headers,
        path: &path,
        query: &query,
        account,
        is_secondary: false,
    };
    let signed = shared_key::candidates(Scheme::SharedKey, &request).into_iter().next().unwrap_or_default();
    let signature = text::base64(keys::hmac_sha256(&decoded(key)?, signed.as_bytes()));
    Ok(format!("SharedKey {account}:{signature}"))
}
