//! The programs that tests need besides Rust, how to see that each works, and how to get it.
//!
//! Nothing is installed here: a test command that changes the machine is a surprise. `.ci/run` installs.

use std::process::{Command, Stdio};

/// A program some stage needs.
#[derive(PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// A command line that succeeds where the tool works.
    probe: &'static [&'static str],
    /// How to get it, on Debian and Ubuntu where that matters.
    pub(crate) get: &'static str,
}

pub(crate) const RUSTFMT: Tool =
    Tool { name: "rustfmt", probe: &["cargo", "fmt", "--version"], get: "rustup component add rustfmt" };

pub(crate) const CLIPPY: Tool =
    Tool { name: "clippy", probe: &["cargo", "clippy", "--version"], get: "rustup component add clippy" };

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    probe: &["cargo", "deny", "--version"],
    get: "cargo install --locked --debug cargo-deny   (about a minute; optimized, it would take many)",
};

pub(crate) const C_COMPILER: Tool =
    Tool { name: "a C compiler", probe: &["cc", "--version"], get: "apt-get install gcc libc6-dev" };

pub(crate) const CURL: Tool =
    Tool { name: "curl", probe: &["curl", "--version"], get: "apt-get install curl" };

pub(crate) const OPENSSL: Tool =
    Tool { name: "openssl", probe: &["openssl", "version"], get: "apt-get install openssl" };

/// The tests start a server of their own in a temporary folder; one that the system runs is not touched.
pub(crate) const POSTGRESQL: Tool = Tool {
    name: "PostgreSQL's server",
    probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb"],
    get: "apt-get install postgresql",
};

pub(crate) const PYTHON: Tool = Tool {
    name: "Python 3.10 or later with venv",
    probe: &["python3", "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"],
    get: "apt-get install python3 python3-venv",
};

/// For the JavaScript SDKs, whose engines ask for 20 or later.
pub(crate) const NODE: Tool = Tool {
    name: "Node.js 20 or later, with npm",
    probe: &[
        "sh",
        "-c",
        "npm --version && node -e 'process.exit(+(process.versions.node.split(\".\")[0] < 20))'",
    ],
    get: "apt-get install nodejs npm   (Debian 13 or later; on an older one, Node.js's own packages)",
};

pub(crate) const SHA256SUM: Tool =
    Tool { name: "sha256sum", probe: &["sha256sum", "--version"], get: "apt-get install coreutils" };

pub(crate) const IP: Tool = Tool { name: "ip", probe: &["ip", "-V"], get: "apt-get install iproute2" };

/// Enters the namespaces of a container that a test has made.
pub(crate) const NSENTER: Tool =
    Tool { name: "nsenter", probe: &["nsenter", "--version"], get: "apt-get install util-linux" };

pub(crate) const BASH: Tool =
    Tool { name: "bash", probe: &["bash", "--version"], get: "apt-get install bash" };

/// What the stories of the Azure CLI run: it is installed by `clients/run.py`, into the target folder.
pub(crate) const AZ: &[Tool] = &[PYTHON, BASH, OPENSSL, NAMESPACES, SSH];

/// OpenSSH's clients, which sign in to machines.
pub(crate) const SSH: Tool =
    Tool { name: "OpenSSH's client", probe: &["ssh", "-V"], get: "apt-get install openssh-client" };

/// Guests are made of these. `unshare` stands for them: it asks the kernel for what `zaffre` asks it for.
pub(crate) const NAMESPACES: Tool = Tool {
    name: "Linux namespaces (user, mount, network, PID)",
    probe: &["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "true"],
    get: "a kernel that lets you: sysctl user.max_user_namespaces (not 0), kernel.unprivileged_userns_clone=1, \
          kernel.apparmor_restrict_unprivileged_userns=0; in a container, also a seccomp profile that allows unshare",
};

/// Refuses, naming everything that is missing at once, rather than one thing a run.
pub(crate) fn require<'t>(tools: impl IntoIterator<Item = &'t Tool>) -> Result<(), String> {
    let mut missing: Vec<&Tool> = Vec::new();
    for tool in tools {
        if !missing.contains(&tool) && !tool.works() {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let rows = missing.iter().map(|tool| format!("\n  {}\n      {}", tool.name, tool.get));
    Err(format!(
        "something is missing or does not work here (nothing was installed):{}",
        rows.collect::<String>()
    ))
}

impl Tool {
    pub(crate) fn works(&self) -> bool {
        let (program, args) = self.probe.split_first().expect("a probe names a program");
        let probe = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        probe.is_ok_and(|status| status.success())
    }
}
