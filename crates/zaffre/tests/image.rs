//! The container image: an archive that is what the specification says, and a program that runs where there is nothing else.
//!
//! `cargo xtask image -- cargo test ... image::` makes the archive and names it by `ZAFFRE_IMAGE`; without it each test says so and ends. No
//! container engine is asked for: `container` does what one does.

mod container;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aws_lc_rs::digest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::container::Container;

/// The archive, unpacked.
struct Layout(TempDir);

impl Layout {
    /// None where nobody has made one.
    fn find() -> Option<Layout> {
        let Some(archive) = std::env::var_os("ZAFFRE_IMAGE") else {
            eprintln!("skipped: `cargo xtask test image` makes the image that this looks at");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        unpack(Path::new(&archive), folder.path());
        Some(Layout(folder))
    }

    fn read(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.path().join(path)).expect("is there")).expect("JSON")
    }

    /// Where what a descriptor describes is, which must be as long as it says and have the digest that it says.
    fn blob(&self, descriptor: &Value, kind: &str) -> PathBuf {
        assert_eq!(descriptor["mediaType"], kind);
        let digest = descriptor["digest"].as_str().expect("a digest");
        let path = self.0.path().join("blobs").join(digest.replace(':', "/"));
        let bytes = fs::read(&path).expect("a blob");
        assert_eq!(descriptor["size"], bytes.len());
        assert_eq!(digest, sha256(&bytes));
        path
    }

    fn manifest(&self) -> Value {
        let index = self.read("index.json");
        assert_eq!(
            (&index["schemaVersion"], index["manifests"].as_array().map(Vec::len)),
            (&json!(2), Some(1))
        );
        assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
        let path = self.blob(&index["manifests"][0], "application/vnd.oci.image.manifest.v1+json");
        parsed(&path)
    }

    fn config(&self) -> Value {
        parsed(&self.blob(&self.manifest()["config"], "application/vnd.oci.image.config.v1+json"))
    }

    fn layer(&self) -> PathBuf {
        self.blob(&self.manifest()["layers"][0], "application/vnd.oci.image.layer.v1.tar")
    }
}

fn parsed(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("is there")).expect("JSON")
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", azure::text::hex(digest::digest(&digest::SHA256, bytes).as_ref()))
}

fn unpack(archive: &Path, folder: &Path) {
    let done = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(folder).status();
    assert!(done.expect("tar is here").success());
}

#[test]
fn the_archive_is_what_the_specification_says() {
    let Some(layout) = Layout::find() else { return };
    assert_eq!(layout.read("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
    let manifest = layout.manifest();
    assert_eq!(
        (&manifest["schemaVersion"], manifest["layers"].as_array().map(Vec::len)),
        (&json!(2), Some(1))
    );
    let (config, layer) = (layout.config(), layout.layer());
    let diff = sha256(&fs::read(&layer).expect("a layer"));
    assert_eq!(config["rootfs"], json!({ "type": "layers", "diff_ids": [diff] }));
    let processor = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!(processor)));
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    let platform = json!({ "os": "linux", "architecture": processor });
    assert_eq!(layout.read("index.json")["manifests"][0]["platform"], platform);

    // What older engines read leads to the same files, and no other file is there.
    let of_docker = layout.read("manifest.json");
    let digest = |descriptor: &Value| descriptor["digest"].as_str().expect("a digest").replace(':', "/");
    let path = |descriptor: &Value| format!("blobs/{}", digest(descriptor));
    assert_eq!(of_docker[0]["Config"], path(&manifest["config"]));
    assert_eq!(of_docker[0]["Layers"], json!([path(&manifest["layers"][0])]));
    let blobs = fs::read_dir(layout.0.path().join("blobs/sha256")).expect("blobs");
    assert_eq!(blobs.count(), 3);

    let files = Command::new("tar").arg("-tf").arg(&layer).output().expect("tar is here");
    assert_eq!(String::from_utf8_lossy(&files.stdout), "bin/\nbin/zaffre\ndata/\n");
    if let Ok(said) = Command::new("skopeo").args(["inspect", "--config"]).arg(reference()).output() {
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

fn reference() -> String {
    format!("oci-archive:{}", std::env::var("ZAFFRE_IMAGE").expect("was found"))
}

/// A dynamic program names its loader in a segment of its own (ELF: PT_INTERP), and there is none in a container.
#[test]
fn the_program_asks_for_no_loader() {
    let Some(layout) = Layout::find() else { return };
    let root = tempfile::tempdir().expect("a folder");
    unpack(&layout.layer(), root.path());
    let program = fs::read(root.path().join("bin/zaffre")).expect("the program");
    let number = |at: usize, length: usize| {
        let bytes = program[at..at + length].iter().rev();
        bytes.fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    assert_eq!(program[..5], *b"\x7fELF\x02", "of 64 bits");
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let kinds: BTreeSet<usize> = (0..count).map(|it| number(headers + it * size, 4)).collect();
    assert!(kinds.contains(&1) && !kinds.contains(&3), "{kinds:?}");
}

const TOKEN: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";

#[test]
fn a_cloud_runs_where_there_is_nothing_else() {
    let Some(layout) = Layout::find() else { return };
    let Some(mut container) = Container::start(&layout, &[]) else { return };
    let said = container.exec(&["status"]);
    for port in layout.config()["config"]["ExposedPorts"].as_object().expect("ports").keys() {
        let port = port.trim_end_matches("/tcp");
        assert!(said.contains(&format!("0.0.0.0:{port}")), "{port}: {said}");
    }
    let said = container.said();
    for part in ["LISTENING BEYOND THIS MACHINE", "no public roots", "no programs here", "are simulated"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let doctor = container.exec(&["doctor"]);
    assert!(doctor.contains("zaffre up --rootfs DIR") && doctor.contains("none but this one"), "{doctor}");

    // From where users are: at another address of it, with what they copied.
    let outside = container.env(&[]);
    let [proxy, ca] = ["HTTPS_PROXY", "SSL_CERT_FILE"].map(|it| outside[it].as_str().expect("is set"));
    assert_eq!(proxy, format!("http://{}:10080", container::ADDRESS));
    assert_eq!(Path::new(ca), container.root().join("data/ca/bundle.pem"));
    let token = container.sign_in(&outside);
    let vm = container.make_machine(&outside, &token, "boxed");
    assert_eq!(vm["properties"]["provisioningState"], "Succeeded", "{vm}");

    let as_vm = container.env(&["--as-vm", "boxed"]);
    let answer = container.curl(&as_vm, &["-H", "Metadata: true", TOKEN]);
    assert!(
        container::claims(&answer)["xms_mirid"].as_str().is_some_and(|it| it.ends_with("/boxed")),
        "{answer}"
    );
    let answer = container.curl(&outside, &["-H", "Metadata: true", TOKEN]);
    assert_eq!(answer["access_token"], Value::Null, "nobody without the machine's secret: {answer}");

    // Names that are not Azure's are looked up by the program's own copy of the C library.
    let passed_on = container.text(&outside, &["http://elsewhere.example:10000/"]);
    assert!(passed_on.contains("InvalidUri"), "{passed_on}");
    let refused = container.text(&outside, &["http://nowhere.example:10000/"]);
    assert!(refused.contains("cannot reach `nowhere.example`"), "{refused}");

    let ran = container.try_exec(&["vm", "exec", "boxed", "--", "curl", "http://169.254.169.254/"]);
    let why = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && why.contains("simulated"), "{why}");
    assert!(container.signal(Signal::TERM).success());
    assert!(!container.root().join("data/run.json").exists(), "it went in order");
}

#[test]
fn a_cloud_in_memory_runs_there_too_and_with_a_root_file_system_machines_run_programs() {
    let Some(layout) = Layout::find() else { return };
    let rootfs = ["--rootfs", container::ROOTFS];
    let Some(mut container) = Container::start(&layout, &[&["--memory"], &rootfs[..]].concat()) else {
        return;
    };
    let outside = container.env(&[]);
    let token = container.sign_in(&outside);
    container.make_machine(&outside, &token, "furnished");
    if container.said().contains("allows no guests") {
        eprintln!("skipped: this machine allows no guests within a container");
    } else {
        let answer =
            container.exec(&["vm", "exec", "furnished", "--", "curl", "-s", "-H", "Metadata: true", TOKEN]);
        let answer = serde_json::from_str(&answer).expect("JSON");
        assert!(
            container::claims(&answer)["xms_mirid"].as_str().is_some_and(|it| it.ends_with("/furnished"))
        );
    }
    assert!(container.signal(Signal::INT).success());
}
