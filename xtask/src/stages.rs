//! The stages of `cargo xtask test`, in order: each a row with a command line and the tools it needs.
//!
//! Everything is built in release mode and once: the tests run the very binary that a user gets, and the
//! dependencies (a C library among them) are compiled a single time. Clippy reads its own, lighter artefacts,
//! but shares the build scripts' output, which is why it is told `--release` too.

use crate::tools::{
    AZ, BASH, C_COMPILER, CARGO_DENY, CLIPPY, CURL, IP, NAMESPACES, NODE, NSENTER, OPENSSL, POSTGRESQL,
    PYTHON, RUSTFMT, SHA256SUM, SSH, Tool,
};

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) needs: &'static [Tool],
    /// The program and its arguments. `{zaffre}` and `{target}` stand for the built program and cargo's folder.
    pub(crate) command: &'static [&'static str],
    /// What comes later would only repeat its failure.
    pub(crate) later_ones_need_it: bool,
}

pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        says: "the code is laid out by rustfmt",
        needs: &[RUSTFMT],
        command: &["cargo", "fmt", "--all", "--check"],
        later_ones_need_it: false,
    },
    Stage {
        name: "deny",
        says: "dependencies have licences, names and sources that deny.toml allows",
        needs: &[CARGO_DENY],
        // No `advisories`: they are downloaded from outside, and a test's outcome should not change overnight.
        command: &[
            "cargo",
            "deny",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ],
        later_ones_need_it: false,
    },
    Stage {
        name: "clippy",
        says: "no lint, no way around the design (clippy.toml)",
        needs: &[CLIPPY, C_COMPILER],
        command: &[
            "cargo",
            "clippy",
            "--release",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        later_ones_need_it: false,
    },
    Stage {
        name: "build",
        says: "the program and its tests build, optimized",
        needs: &[C_COMPILER],
        // As tests, since those add features to dependencies: built for the program alone, some would be built again.
        command: &["cargo", "test", "--release", "--locked", "--workspace", "--no-run"],
        later_ones_need_it: true,
    },
    Stage {
        name: "rust",
        says: "unit, integration, tidy and documentation tests",
        needs: &[BASH, C_COMPILER, CURL, IP, NODE, OPENSSL, NAMESPACES, NSENTER, POSTGRESQL, PYTHON, SSH],
        command: &["cargo", "test", "--release", "--locked", "--workspace", "--no-fail-fast"],
        later_ones_need_it: false,
    },
    Stage {
        name: "image",
        says: "the static program, in a container that holds nothing else",
        needs: &[C_COMPILER, CURL, IP, NAMESPACES, NSENTER, SHA256SUM],
        command: &[
            "cargo",
            "xtask",
            "image",
            "--",
            "cargo",
            "test",
            "--release",
            "--locked",
            "--package",
            "zaffre",
            "--test",
            "main",
            "--",
            "image::",
        ],
        later_ones_need_it: false,
    },
    Stage {
        name: "s3",
        says: "bodies in a bucket, on a real server of S3's protocol",
        needs: &[C_COMPILER, PYTHON],
        command: &[
            "python3",
            "crates/zaffre/tests/s3/run.py",
            "--work",
            "{target}/s3",
            "--",
            "cargo",
            "test",
            "--release",
            "--locked",
            "--package",
            "zaffre",
            "--lib",
            "--",
            "store::tests::content",
            "store::content::bucket",
        ],
        later_ones_need_it: false,
    },
    Stage {
        name: "python",
        says: "the real Python SDKs, through the proxy variables alone",
        needs: &[PYTHON],
        command: &clients("python"),
        later_ones_need_it: false,
    },
    Stage {
        name: "js",
        says: "the real JavaScript SDKs, through the proxy variables alone",
        needs: &[PYTHON, NODE],
        command: &clients("js"),
        later_ones_need_it: false,
    },
    Stage {
        name: "az",
        says: "the real Azure CLI, by transcripts",
        needs: AZ,
        command: &clients("az"),
        later_ones_need_it: false,
    },
    Stage {
        name: "user",
        says: "machines that az made, by OpenSSH's clients and the tutorials' lines, as an ordinary user",
        needs: AZ,
        command: &[
            "python3",
            "clients/run.py",
            "az",
            "--ordinary-user",
            "--zaffre",
            "{zaffre}",
            "--work",
            "{target}/clients",
            "ssh",
            "ssh_tutorials",
        ],
        later_ones_need_it: false,
    },
];

const fn clients(kind: &'static str) -> [&'static str; 7] {
    ["python3", "clients/run.py", kind, "--zaffre", "{zaffre}", "--work", "{target}/clients"]
}
