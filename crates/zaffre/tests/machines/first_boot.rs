//! What a machine's custom data asks for is done in it, and said in its log.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zaffre::{cloud::CloudId, products::compute::reconcile::Way};

use super::{World, has_guests, id};

impl World {
    async fn make_with(&self, vm: &str, data: &str) {
        let system =
            json!({ "computerName": vm, "adminUsername": "azureuser", "customData": STANDARD.encode(data) });
        let body = json!({ "location": "westeurope", "properties": { "osProfile": system } });
        let (status, made) = self.vm("PUT", vm, "", body).await;
        assert_eq!(status, 201, "{made:#}");
        assert!(!made.to_string().contains("customData"), "it is never shown: {made:#}");
        self.done(vm, "").await;
    }

    fn log(&self, vm: &str) -> String {
        let guests = self.server.env.guests.get().expect("somebody runs machines");
        guests.log(CloudId::DEFAULT, &id(vm)).unwrap_or_default()
    }

    /// Once all that it was told is done.
    async fn log_of(&self, vm: &str) -> String {
        self.until("the end of what it was told", async || self.log(vm).contains("cloud-init: finished"))
            .await;
        self.log(vm)
    }
}

const CONFIG: &str = "#cloud-config
hostname: renamed
package_update: true
packages: [nginx]
write_files:
  - path: /etc/greeting/hello
    content: |
      hello from the config
    permissions: '0640'
  - path: /home/azureuser/own
    owner: azureuser:azureuser
    encoding: b64
    content: b3duZWQK
users:
  - default
  - name: grace
    groups: [adm]
    sudo: ['ALL=(ALL) NOPASSWD:ALL']
    ssh_authorized_keys: [ssh-ed25519 AAAA grace]
ssh_authorized_keys: [ssh-ed25519 BBBB mine]
bootcmd:
  - echo first > /root/order
runcmd:
  - echo \"$(id -un) $(cat /etc/greeting/hello)\"
  - [sh, -c, 'echo \"a b\" >> /root/order']
  - exit 3
";

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_config_is_carried_out_and_its_words_are_in_the_log() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make_with("config-m", &CONFIG.replace("\\\"", "\"")).await;
    let log = world.log_of("config-m").await;
    for wanted in [
        "cloud-init: packages (nginx) are not installed",
        "cloud-init: write /etc/greeting/hello",
        "root hello from the config\n",
        "cloud-init: it ended with 3",
        "1 failed\n",
    ] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    for (script, expected) in [
        ("hostname", "renamed\n"),
        ("stat -c '%a' /etc/greeting/hello", "640\n"),
        (
            "cat ~/own; cat ~/.ssh/authorized_keys; stat -c %U ~/own",
            "owned\nssh-ed25519 BBBB mine\nazureuser\n",
        ),
        ("sudo cat /root/order", "first\na b\n"),
        (
            "sudo -u grace id -un; sudo -u grace id -Gn; sudo cat /home/grace/.ssh/authorized_keys",
            "grace\ngrace sudo adm\nssh-ed25519 AAAA grace\n",
        ),
        ("sudo -u grace sudo id -un", "root\n"),
    ] {
        let said = world.says("config-m", script).await.expect("runs");
        // As an ordinary user a guest has one id, and groups are no more than names.
        if rustix::process::geteuid().is_root() || !script.contains("id -Gn") && !script.contains("%U") {
            assert_eq!(said, expected, "{script}");
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_in_every_new_guest_of_its_machine() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world
        .make_with(
            "scripted-m",
            "#!/bin/bash\necho \"$BASH_VERSION\" | grep -q . && echo ran >> /root/times; echo said\n",
        )
        .await;
    assert!(world.log_of("scripted-m").await.contains("said\n"));
    assert_eq!(world.says("scripted-m", "sudo cat /root/times").await.as_deref(), Ok("ran\n"));
    assert_eq!(world.vm("POST", "scripted-m", "/restart", Value::Null).await.0, 202);
    // Its disk is new, and so is what was told.
    let again = async || world.says("scripted-m", "sudo cat /root/times 2>/dev/null").await;
    world.until("the script again", async || again().await.as_deref() == Ok("ran\n")).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_told_nothing_says_that_it_has_booted() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make("plain-m", Value::Null).await;
    let log = world.log("plain-m");
    assert!(log.starts_with("plain-m: booted; memory by ") && log.lines().count() == 1, "{log}");
    world.end().await;
}
