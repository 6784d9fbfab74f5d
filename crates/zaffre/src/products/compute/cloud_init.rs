//! What custom data and user data ask of a machine that begins: cloud-init's common parts, read into steps. Pure.
//!
//! ```text
//! #cloud-boothook          a script, run before all else
//! #cloud-config (YAML)     hostname, bootcmd, write_files, users, ssh_authorized_keys, runcmd; packages are not to be had
//! #!/bin/sh …              a script, run as root
//! MIME, archives, gzip     several of these (`parts`)
//! ```
//!
//! Of several configs a later one's members take the place of an earlier one's (cloud-init, "Merging", the default). Scripts run last, in the order
//! of their names, `runcmd` among them by that name, as cloud-init's own directory of scripts has it.
//!
//! A guest's disk is new at every boot, so every boot is a first one, and all of this is done each time. What is not done is said, in the log that
//! `zaffre vm log` prints, and in the guest by `cloud-init status --long`.
//!
//! Shapes are those of cloud-init's module reference (cc_write_files, cc_runcmd, cc_bootcmd, cc_users_groups, cc_set_hostname).

mod parts;

use azure::text::base64_decode;
use yaml_rust2::{Yaml, YamlLoader, yaml::Hash};

use self::parts::{Form, Part};

/// What is to be done in a new guest, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) hostname: Option<String>,
    pub(super) steps: Vec<Step>,
    /// What was asked for and is not done.
    pub(super) notes: Vec<String>,
}

/// One thing that root does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// What the log calls it.
    pub(super) name: String,
    pub(super) argv: Vec<String>,
    pub(super) stdin: Vec<u8>,
}

impl Step {
    fn shell(name: impl Into<String>, script: &str) -> Step {
        Step::with(name, ["/bin/sh", "-c", script])
    }

    fn with<const N: usize>(name: impl Into<String>, argv: [&str; N]) -> Step {
        Step { name: name.into(), argv: argv.map(str::to_owned).to_vec(), stdin: Vec::new() }
    }
}

/// From what a machine was made with, as it came: base64 of anything. `admin` is the machine's administrator.
pub(super) fn read(data: &str, admin: &str) -> Plan {
    let mut plan = Plan::default();
    if data.is_empty() {
        return plan;
    }
    let Some(bytes) = base64_decode(data) else {
        plan.notes.push("the data is not in base64".to_owned());
        return plan;
    };
    let parts = parts::read(bytes, &mut plan.notes);
    let of = |form: Form| parts.iter().filter(move |it| it.form == form);
    plan.steps.extend(of(Form::Hook).map(|it| script(it, "boothook")));
    let members = merged(&mut plan.notes, of(Form::Config));
    let commands = configure(&mut plan, &members, admin);
    plan.steps.extend(of(Form::Early).map(|it| script(it, "script")));
    plan.steps.extend(last(of(Form::Script), commands));
    plan
}

/// What comes last: scripts, and among them what `runcmd` says, by their names.
fn last<'p>(scripts: impl Iterator<Item = &'p Part>, runcmd: Vec<Step>) -> Vec<Step> {
    let scripts = scripts.map(|it| (it.name.as_str(), vec![script(it, "script")]));
    let mut all: Vec<(&str, Vec<Step>)> = scripts.chain([(RUNCMD, runcmd)]).collect();
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().flat_map(|(_, steps)| steps).collect()
}

/// A script that says itself what reads it; one in parts is called by its name.
fn script(part: &Part, what: &str) -> Step {
    let runs = "f=$(mktemp /tmp/script-XXXXXX) && cat > \"$f\" && chmod 700 \"$f\" && \"$f\"; code=$?; rm -f \"$f\"; exit $code";
    let hook = part.bytes.strip_prefix(b"#cloud-boothook").map(<[u8]>::trim_ascii_start);
    let name = if part.name == "part-001" { what.to_owned() } else { format!("{what} {}", part.name) };
    Step { stdin: hook.unwrap_or(&part.bytes).to_vec(), ..Step::shell(name, runs) }
}

/// What a member of a cloud-config becomes, in the order in which cloud-init does it.
type Read = fn(&mut Plan, &Yaml, &str);
static MEMBERS: &[(&str, Read)] = &[
    ("hostname", |plan, value, _| name(plan, value)),
    ("fqdn", |plan, value, _| {
        if plan.hostname.is_none() {
            name(plan, value);
        }
    }),
    ("bootcmd", |plan, value, _| commands(plan, "bootcmd", value)),
    ("write_files", |plan, value, _| files(plan, value)),
    ("groups", |plan, value, _| groups(plan, value)),
    ("users", users),
    ("ssh_authorized_keys", |plan, value, admin| keys(plan, admin, value)),
    ("packages", packages),
    ("package_update", packages),
    ("package_upgrade", packages),
    ("package_reboot_if_required", |_, _, _| ()),
];
/// Done last, among the scripts.
const RUNCMD: &str = "runcmd";

/// The members of all configs.
fn merged<'p>(notes: &mut Vec<String>, configs: impl Iterator<Item = &'p Part>) -> Hash {
    let mut members = Hash::new();
    for config in configs {
        match YamlLoader::load_from_str(&String::from_utf8_lossy(&config.bytes))
            .map(|it| it.into_iter().next())
        {
            Ok(Some(Yaml::Hash(later))) => {
                later.into_iter().for_each(|(name, value)| drop(members.insert(name, value)))
            }
            Ok(_) => notes.push("the cloud-config is no mapping".to_owned()),
            Err(error) => notes.push(format!("the cloud-config is no YAML: {error}")),
        }
    }
    members
}

/// Does what the members say, and gives what is to be run last.
fn configure(plan: &mut Plan, members: &Hash, admin: &str) -> Vec<Step> {
    let get = |name: &str| members.get(&Yaml::String(name.to_owned()));
    for (name, read) in MEMBERS {
        if let Some(value) = get(name) {
            read(plan, value, admin);
        }
    }
    let is_known = |name: &str| name == RUNCMD || MEMBERS.iter().any(|(known, _)| *known == name);
    for name in members.keys().filter_map(Yaml::as_str).filter(|it| !is_known(it)) {
        plan.notes.push(format!("`{name}` is not done here"));
    }
    let before = plan.steps.len();
    commands(plan, RUNCMD, get(RUNCMD).unwrap_or(&Yaml::Null));
    plan.steps.split_off(before)
}

/// The first label of a name; one that a host cannot have is said to be none.
fn name(plan: &mut Plan, value: &Yaml) {
    let short = value.as_str().and_then(|it| it.split('.').next()).unwrap_or_default();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
    match !short.is_empty() && short.len() < 64 && !short.starts_with('-') && short.chars().all(is_plain) {
        true => plan.hostname = Some(short.to_owned()),
        false => plan.notes.push(format!("`{short}` is no host name")),
    }
}

fn packages(plan: &mut Plan, value: &Yaml, _: &str) {
    let named: Vec<String> = list(value).filter_map(words).collect();
    let what = if named.is_empty() {
        "packages are".to_owned()
    } else {
        format!("packages ({}) are", named.join(", "))
    };
    let note = format!("{what} not installed: a machine has the programs of the host that runs it");
    if value.as_bool() != Some(false) && !plan.notes.contains(&note) {
        plan.notes.push(note);
    }
}

/// A line for the shell, or a program and its arguments.
fn commands(plan: &mut Plan, name: &str, value: &Yaml) {
    for command in list(value) {
        let line = words(command).unwrap_or_default();
        match command {
            Yaml::Array(parts) => {
                let argv: Vec<String> = parts.iter().filter_map(scalar).collect();
                if !argv.is_empty() {
                    plan.steps.push(Step { name: format!("{name}: {line}"), argv, stdin: Vec::new() });
                }
            }
            Yaml::Null => {}
            _ => match scalar(command) {
                Some(text) => plan.steps.push(Step::shell(format!("{name}: {text}"), &text)),
                None => plan.notes.push(format!("an entry of {name} is neither a line nor a list of words")),
            },
        }
    }
}

/// `$0` is the path, then mode and owner; the content comes by stdin. With one id for all, nothing has another owner.
const WRITE: &str = "mkdir -p \"$(dirname \"$0\")\" && if [ \"$3\" = append ]; then cat >> \"$0\"; else cat > \"$0\"; fi && chmod \"$1\" \"$0\" && \
                     if [ \"$2\" != root:root ]; then chown \"$2\" \"$0\" 2>/dev/null || echo \"$0 stays root's\"; fi";

fn files(plan: &mut Plan, value: &Yaml) {
    for file in list(value) {
        let Some(path) = file["path"].as_str() else {
            plan.notes.push("an entry of write_files names no path".to_owned());
            continue;
        };
        let content = scalar(&file["content"]).unwrap_or_default();
        let encoding = file["encoding"].as_str().unwrap_or("text/plain").to_ascii_lowercase();
        let bytes = match encoding.as_str() {
            "text/plain" => Some(content.into_bytes()),
            "b64" | "base64" => base64_decode(&content.split_whitespace().collect::<String>()),
            _ => None,
        };
        let Some(bytes) = bytes else {
            plan.notes.push(format!("`{path}` is not written: its encoding `{encoding}` is not read here"));
            continue;
        };
        let mode = scalar(&file["permissions"]).unwrap_or_else(|| "0644".to_owned());
        let owner = file["owner"].as_str().unwrap_or("root:root");
        let how = if file["append"].as_bool() == Some(true) { "append" } else { "anew" };
        let step = Step::with(format!("write {path}"), ["/bin/sh", "-c", WRITE, path, &mode, owner, how]);
        plan.steps.push(Step { stdin: bytes, ..step });
    }
}

/// `$0` is the group; a member more, or the group itself.
const GROUP: &str = "grep -q \"^$0:\" /etc/group || echo \"$0:x:$(awk -F: '$3 < 60000 && $3 > m { m = $3 } END { print m + 1 }' /etc/group):\" >> /etc/group; \
                     [ -z \"$1\" ] || awk -F: -v OFS=: -v g=\"$0\" -v u=\"$1\" '$1 == g && \",\"$4\",\" !~ \",\"u\",\" { $4 = $4 == \"\" ? u : $4\",\"u } 1' \
                     /etc/group > /etc/group.new && [ -s /etc/group.new ] && cat /etc/group.new > /etc/group; rm -f /etc/group.new";

fn join_group(plan: &mut Plan, group: &str, user: &str) {
    plan.steps.push(Step::with(format!("group {group} {user}"), ["/bin/sh", "-c", GROUP, group, user]));
}

fn groups(plan: &mut Plan, value: &Yaml) {
    for entry in list(value) {
        match entry {
            Yaml::Hash(members) => {
                for (name, users) in members {
                    let users: Vec<String> = list(users).filter_map(scalar).collect();
                    users.iter().for_each(|user| join_group(plan, name.as_str().unwrap_or_default(), user));
                }
            }
            _ => entry.as_str().into_iter().for_each(|name| join_group(plan, name, "")),
        }
    }
}

/// `$0` is the name, then home, shell and number; a number is made up where there is none.
const USER: &str = "grep -q \"^$0:\" /etc/passwd && exit 0; id=${3:-$(awk -F: '$3 < 60000 && $3 > m { m = $3 } END { print m + 1 }' /etc/passwd)}; \
                    echo \"$0:x:$id:$id::$1:$2\" >> /etc/passwd; grep -q \"^$0:\" /etc/group || echo \"$0:x:$id:\" >> /etc/group; \
                    mkdir -p -m 750 \"$1\"; chown \"$id:$id\" \"$1\" 2>/dev/null || echo \"$1 stays root's\"";

/// What makes a user with a home, who may become root.
pub(super) fn made(name: &str) -> [Step; 2] {
    let home = format!("/home/{name}");
    [
        Step::with(format!("user {name}"), ["/bin/sh", "-c", USER, name, &home, "/bin/bash", ""]),
        Step::with(format!("group sudo {name}"), ["/bin/sh", "-c", GROUP, "sudo", name]),
    ]
}

/// `$0` is the name. Their home goes with them, as by `userdel -r`.
const REMOVE: &str = "home=$(awk -F: -v u=\"$0\" '$1 == u { print $6 }' /etc/passwd); [ -n \"$home\" ] || exit 0; \
                      awk -F: -v u=\"$0\" '$1 != u' /etc/passwd > /etc/passwd.new && cat /etc/passwd.new > /etc/passwd; rm -f /etc/passwd.new; \
                      awk -F: -v OFS=: -v u=\"$0\" '{ n = split($4, m, \",\"); $4 = \"\"; for (i = 1; i <= n; i++) if (m[i] != u) $4 = $4 == \"\" ? m[i] : $4\",\"m[i] } $1 != u' \
                      /etc/group > /etc/group.new && cat /etc/group.new > /etc/group; rm -f /etc/group.new; \
                      case \"$home\" in /home/?*) rm -rf \"$home\";; esac";

/// What takes a user away.
pub(super) fn removed(name: &str) -> Step {
    Step::with(format!("no user {name}"), ["/bin/sh", "-c", REMOVE, name])
}

fn users(plan: &mut Plan, value: &Yaml, admin: &str) {
    for user in list(value) {
        let name = user["name"].as_str().or_else(|| user.as_str()).unwrap_or_default();
        if name == "default" || name.is_empty() {
            continue;
        }
        if !name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.')) {
            plan.notes.push(format!("`{name}` is no user's name"));
            continue;
        }
        if name != admin {
            let home = user["homedir"].as_str().map_or_else(|| format!("/home/{name}"), str::to_owned);
            let shell = user["shell"].as_str().unwrap_or("/bin/bash");
            let number = scalar(&user["uid"]).unwrap_or_default();
            plan.steps.push(Step::with(
                format!("user {name}"),
                ["/bin/sh", "-c", USER, name, &home, shell, &number],
            ));
        }
        let has_sudo = !matches!(user["sudo"], Yaml::BadValue | Yaml::Null | Yaml::Boolean(false));
        let mut joined: Vec<String> = list(&user["groups"]).filter_map(scalar).collect();
        joined = joined.iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()).collect();
        joined.extend(has_sudo.then(|| "sudo".to_owned()));
        joined.iter().filter(|it| !it.is_empty()).for_each(|group| join_group(plan, group, name));
        keys(plan, name, &user["ssh_authorized_keys"]);
        if !matches!(user["passwd"], Yaml::BadValue) || !matches!(user["plain_text_passwd"], Yaml::BadValue) {
            plan.notes.push(format!("`{name}` gets no password: nobody in a machine has one"));
        }
    }
}

/// `$0` is the user; the keys come by stdin.
const KEYS: &str = "home=$(awk -F: -v u=\"$0\" '$1 == u { print $6 }' /etc/passwd); [ -n \"$home\" ] || exit 1; mkdir -p -m 700 \"$home/.ssh\"; \
                    cat >> \"$home/.ssh/authorized_keys\"; chmod 600 \"$home/.ssh/authorized_keys\"; \
                    chown -R \"$0\" \"$home/.ssh\" 2>/dev/null || true";

fn keys(plan: &mut Plan, user: &str, value: &Yaml) {
    let keys: Vec<String> = list(value).filter_map(scalar).collect();
    if !keys.is_empty() {
        let step = Step::with(format!("keys of {user}"), ["/bin/sh", "-c", KEYS, user]);
        plan.steps.push(Step { stdin: format!("{}\n", keys.join("\n")).into_bytes(), ..step });
    }
}

/// The items of a list; one thing is a list of itself.
fn list(value: &Yaml) -> impl Iterator<Item = &Yaml> {
    let (many, one) = match value {
        Yaml::Array(items) => (items.as_slice(), None),
        Yaml::BadValue | Yaml::Null => (&[] as &[Yaml], None),
        one => (&[] as &[Yaml], Some(one)),
    };
    many.iter().chain(one)
}

fn scalar(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn words(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Array(parts) => Some(parts.iter().filter_map(scalar).collect::<Vec<_>>().join(" ")),
        _ => scalar(value),
    }
}

#[cfg(test)]
mod tests {
    use azure::text::base64;

    use super::*;

    fn plan(text: &str) -> Plan {
        read(&base64(text), "azureuser")
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.steps.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn a_script_is_run_as_it_is() {
        let plan = plan("#!/bin/bash\necho hello\n");
        assert_eq!(names(&plan), ["script"]);
        assert_eq!(plan.steps[0].stdin, b"#!/bin/bash\necho hello\n");
    }

    #[test]
    fn a_cloud_config_becomes_steps_in_cloud_inits_order() {
        let plan = plan(
            "#cloud-config\nruncmd:\n  - echo done > /root/done\n  - [touch, '/tmp/a b']\nbootcmd: [first]\npackage_update: true\n\
             packages: [nginx, [jq, '1.6']]\nwrite_files:\n  - path: /etc/motd\n    content: hi\n    permissions: '0600'\n  \
             - {path: /b, encoding: b64, content: AQID, owner: 'azureuser:azureuser', append: true}\nusers:\n  - default\n  \
             - name: grace\n    groups: [docker, 'adm, wheel']\n    sudo: ALL=(ALL) NOPASSWD:ALL\n    ssh_authorized_keys: [ssh-ed25519 A]\n\
             ssh_authorized_keys: [ssh-ed25519 B]\nfqdn: web.example.org\nntp: {enabled: true}\n",
        );
        let expected = [
            "bootcmd: first",
            "write /etc/motd",
            "write /b",
            "user grace",
            "group docker grace",
            "group adm grace",
            "group wheel grace",
            "group sudo grace",
            "keys of grace",
            "keys of azureuser",
            "runcmd: echo done > /root/done",
            "runcmd: touch /tmp/a b",
        ];
        assert_eq!(names(&plan), expected);
        assert_eq!(plan.hostname.as_deref(), Some("web"));
        assert_eq!(
            plan.steps[1].argv[4..],
            ["/etc/motd", "0600", "root:root", "anew"].map(str::to_owned)[1..]
        );
        assert_eq!(
            (plan.steps[2].stdin.as_slice(), plan.steps[2].argv[6].as_str()),
            (&[1, 2, 3][..], "append")
        );
        assert_eq!(plan.steps[11].argv, ["touch", "/tmp/a b"]);
        let notes = plan.notes.join("\n");
        for wanted in ["packages (nginx, jq 1.6) are not installed", "`ntp` is not done here"] {
            assert!(notes.contains(wanted), "{notes}");
        }
    }

    #[test]
    fn parts_are_done_in_cloud_inits_order_whatever_order_they_come_in() {
        let part = |kind: &str, name: &str, text: &str| {
            format!(
                "--b\nContent-Type: text/{kind}\nContent-Disposition: attachment; filename=\"{name}\"\n\n{text}\n"
            )
        };
        let data = [
            "Content-Type: multipart/mixed; boundary=b\n\n".to_owned(),
            part("x-shellscript", "zeta.sh", "#!/bin/sh\n"),
            part("x-shellscript", "alpha.sh", "#!/bin/sh\n"),
            part("cloud-config", "one.cfg", "runcmd: [first]\nbootcmd: [boot]"),
            part("x-shellscript-per-boot", "each.sh", "#!/bin/sh\n"),
            part("cloud-config", "two.cfg", "#cloud-config\nruncmd: [second]"),
            part("cloud-boothook", "hook", "#cloud-boothook\n#!/bin/sh\nhook"),
        ];
        let plan = plan(&data.concat());
        let expected = [
            "boothook hook",
            "bootcmd: boot",
            "script each.sh",
            "script alpha.sh",
            "runcmd: second",
            "script zeta.sh",
        ];
        assert_eq!(names(&plan), expected);
        assert_eq!(plan.steps[0].stdin, b"#!/bin/sh\nhook\n");
        assert!(plan.notes.is_empty(), "{:?}", plan.notes);
    }

    #[test]
    fn what_is_not_read_is_said_and_what_is_the_users_own_is_let_be() {
        for (data, said) in [
            ("#cloud-config\na: [", "is no YAML"),
            ("#cloud-config\n- a", "is no mapping"),
            ("Content-Type: multipart/mixed", "no boundary"),
            ("#include\nhttps://example.org", "`#include` is not done"),
            ("#cloud-config\nwrite_files: [{content: x}]", "names no path"),
            ("#cloud-config\nwrite_files: [{path: /x, encoding: gz}]", "its encoding `gz`"),
            ("#cloud-config\nhostname: 'a b'", "is no host name"),
            ("#cloud-config\nusers: [{name: 'a:b'}]", "is no user's name"),
            ("#cloud-config\nusers: [{name: a, passwd: x}]", "gets no password"),
        ] {
            let plan = plan(data);
            assert!(plan.notes.join("\n").contains(said), "{data}: {plan:?}");
        }
        assert_eq!(plan("{\"my\": \"own\"}"), Plan::default());
        assert_eq!(
            plan("#cloud-config\n"),
            Plan { notes: vec!["the cloud-config is no mapping".into()], ..Plan::default() }
        );
        assert!(!read("%%%", "a").notes.is_empty());
    }
}
