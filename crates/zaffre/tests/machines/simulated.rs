//! Machines where this machine allows no guests, or has no programs for them: everything about one but what would run in it.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use zaffre::{
    cloud::CloudId,
    host::{Command, Exec, Exit},
    products::compute::reconcile::Way,
};

use super::{World, id};

const SIGKILL: i32 = 9;

impl World {
    /// Begins a script that goes on until its stdin ends, and whose child goes on for ever; gives both of their numbers.
    async fn begins(&self, vm: &str, fifo: &Path) -> (Exec, [u32; 2]) {
        let script = format!("(read line <>{}) & echo $$ $!; read line", fifo.display());
        let argv = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let command = Command { argv, env: Vec::new(), as_root: false, tty: None, shares: Vec::new() };
        let guests = self.server.env.guests.get().expect("somebody runs machines");
        let mut exec = guests.exec(CloudId::DEFAULT, &id(vm), command).await.expect("begins");
        let mut line = String::new();
        let stdout = std::mem::replace(&mut exec.stdout, Box::new(tokio::io::empty()));
        BufReader::new(stdout).read_line(&mut line).await.expect("two numbers");
        let mut numbers = line.split_whitespace().map(|it| it.parse().expect("a number"));
        (exec, [numbers.next().expect("its own"), numbers.next().expect("its child's")])
    }

    async fn power(&self, vm: &str) -> Value {
        let (_, view) = self.vm("GET", vm, "/instanceView", Value::Null).await;
        view["statuses"][1]["code"].clone()
    }

    async fn does(&self, vm: &str, what: &str) {
        let (status, answer) = self.vm("POST", vm, &format!("/{what}"), Value::Null).await;
        assert_eq!(status, 202, "{what}: {answer:#}");
    }
}

fn runs(process: u32) -> bool {
    // A zombie has ended, too.
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_machine_is_in_every_state_and_its_commands_end_with_it() {
    let world = World::new(Way::Simulated).await;
    let fifo = world.folder.path().join("never");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo is here").success());
    world.make("sim", json!({ "type": "SystemAssigned" })).await;
    let off = |why: &str| Err(format!("VmNotRunning `sim` is {why}"));
    for (what, power, said) in [
        ("deallocate", "PowerState/deallocated", Some("deallocated")),
        ("start", "PowerState/running", None),
        ("powerOff", "PowerState/stopped", Some("stopped")),
        ("start", "PowerState/running", None),
        ("restart", "PowerState/running", None),
    ] {
        let mut running = None;
        if world.power("sim").await == "PowerState/running" {
            running = Some(world.begins("sim", &fifo).await);
        }
        world.does("sim", what).await;
        world.until(what, async || world.power("sim").await == power).await;
        if let Some((exec, numbers)) = running {
            assert_eq!(exec.exit.await, Ok(Exit::Signal(SIGKILL)), "{what}");
            world.until("their end", async || !numbers.into_iter().any(runs)).await;
        }
        let answer = world.says("sim", "echo on").await;
        match said {
            Some(why) => assert_eq!(answer, off(why), "{what}"),
            None => assert_eq!(answer, Ok("on\n".to_owned()), "{what}"),
        }
    }
    let (exec, numbers) = world.begins("sim", &fifo).await;
    assert!([202, 204].contains(&world.vm("DELETE", "sim", "", Value::Null).await.0));
    assert_eq!(exec.exit.await, Ok(Exit::Signal(SIGKILL)));
    world.until("their end", async || !numbers.into_iter().any(runs)).await;
    assert_eq!(world.says("sim", "echo on").await, off("gone"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_machines_command_ends_by_itself_or_when_its_caller_goes() {
    let world = World::new(Way::Simulated).await;
    let fifo = world.folder.path().join("never");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo is here").success());
    world.make("sim", Value::Null).await;
    let (mut exec, [own, child]) = world.begins("sim", &fifo).await;
    exec.stdin.write_all(b"enough\n").await.expect("is open");
    assert_eq!(exec.exit.await, Ok(Exit::Code(0)));
    assert!(!runs(own) && runs(child), "what it left behind in its group stays");
    let child = rustix::process::Pid::from_raw(child.cast_signed()).expect("a process");
    rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("is ours");

    let (exec, numbers) = world.begins("sim", &fifo).await;
    drop(exec);
    world.until("their end", async || !numbers.into_iter().any(runs)).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_machine_says_that_it_is_one_and_lets_nobody_sign_in() {
    let world = World::new(Way::Simulated).await;
    let custom = "IyEvYmluL3NoCnRvdWNoIC90bXAvbmV2ZXIK";
    let profile = json!({ "computerName": "sim", "adminUsername": "ada", "adminPassword": "Not-A-Secret-1", "customData": custom });
    let body = json!({ "location": "westeurope", "properties": { "osProfile": profile } });
    assert_eq!(world.vm("PUT", "sim", "", body).await.0, 201);
    world.done("sim", "").await;
    let guests = world.server.env.guests.get().expect("somebody");
    guests.until_up(CloudId::DEFAULT, &id("sim")).await.expect("is on");
    assert!(guests.is_on_host(CloudId::DEFAULT, &id("sim")));
    assert_eq!(guests.ssh(CloudId::DEFAULT, &id("sim")), None);
    let log = guests.log(CloudId::DEFAULT, &id("sim")).expect("a log");
    assert_eq!(
        log,
        "sim: simulated, nothing of its own runs\ncloud-init: custom data is not carried out: on the host it would change the host\n"
    );
    let missing = world.says_of("sim", "/no/such/program").await;
    assert!(
        missing
            .contains("this machine is simulated: its commands run on its host, which has no such program"),
        "{missing}"
    );
    world.end().await;
}

impl World {
    /// Why a program is not run.
    async fn says_of(&self, vm: &str, program: &str) -> String {
        let argv = vec![program.to_owned()];
        let command = Command { argv, env: Vec::new(), as_root: false, tty: None, shares: Vec::new() };
        let guests = self.server.env.guests.get().expect("somebody runs machines");
        guests
            .exec(CloudId::DEFAULT, &id(vm), command)
            .await
            .err()
            .map(|it| it.to_string())
            .unwrap_or_default()
    }
}
