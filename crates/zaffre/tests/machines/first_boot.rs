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
    assert!(log.starts_with("plain-m: booted; memory by ") && log.lines().count() == 2, "{log}");
    assert!(log.contains("plain-m: egress is off"), "{log}");
    world.end().await;
}

/// A message of several parts, and one of them in base64.
const PARTS: &str = "MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"=b=\"

--=b=
Content-Type: text/x-shellscript

#!/bin/bash
cloud-init status; echo script >> /root/order
--=b=
Content-Type: text/cloud-config
Content-Transfer-Encoding: base64

I2Nsb3VkLWNvbmZpZwpydW5jbWQ6CiAgLSBlY2hvIHJ1bmNtZCA+PiAvcm9vdC9vcmRlcgo=
--=b=
Content-Type: text/cloud-boothook

#cloud-boothook
#!/bin/sh
echo hook >> /root/order
--=b=--
";

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_carried_out_and_who_waits_for_them_is_told() {
    if !has_guests() {
        return;
    }
    let world = World::new(Way::Namespaces).await;
    world.make_with("parts-m", PARTS).await;
    let waits = "cloud-init status --wait > /tmp/said; echo $?; tail -1 /tmp/said; sudo cat /root/order; ls /var/lib/cloud/instance/boot-finished";
    let said = world.says("parts-m", waits).await.expect("runs");
    assert_eq!(said, "0\nstatus: done\nhook\nscript\nruncmd\n/var/lib/cloud/instance/boot-finished\n");
    let log = world.says("parts-m", "cat /var/log/cloud-init-output.log").await.expect("runs");
    assert!(log.contains("status: running\n") && log.contains("cloud-init: runcmd: echo runcmd"), "{log}");

    world.make_with("failing-m", "#cloud-config\nntp: {}\nruncmd: ['exit 3']\n").await;
    let waits = "cloud-init status --wait > /dev/null; echo $?; cloud-init status --long";
    let said = world.says("failing-m", waits).await.expect("runs");
    for wanted in ["1\nstatus: error\n", "\t- runcmd: exit 3\n", "\t- `ntp` is not done here\n"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    world.make("plain-m", Value::Null).await;
    let said = world.says("plain-m", "cloud-init status --wait; cloud-init clean 2>&1 | head -1").await;
    assert_eq!(
        said.as_deref(),
        Ok("status: done\nusage: cloud-init status [--long] [--wait] [--format tabular|json]\n")
    );
    world.end().await;
}
