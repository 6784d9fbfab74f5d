//! The image's documents, by the OCI image specification 1.1 (image-layout.md, manifest.md, config.md), in one archive.
//!
//! ```text
//! oci-layout, index.json ─▶ manifest ─▶ config: what runs, with which variables and ports
//!                                   └─▶ layer:  the files
//! manifest.json           the same, where `docker load` of older engines looks for it
//! ```
//!
//! The layer is not compressed: whoever pushes an image compresses it anyway, and the archive's bytes then depend on the program's
//! alone, not on a version of a compressor. For the same reason every time in it is the epoch.

use super::tar::Tar;

const EPOCH: &str = "1970-01-01T00:00:00Z";

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a container of the image is told, as the Dockerfile tells it too.
pub(super) static ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/bin"),
    ("ZAFFRE_HOME", "/data"),
    ("ZAFFRE_LISTEN", "0.0.0.0"),
    ("ZAFFRE_SELF", "docker exec zaffre zaffre"),
];
/// The proxy, TLS by name, blobs, Cosmos DB, other hosts' identities.
pub(super) static PORTS: &[u16] = &[10080, 10443, 10000, 8081, 10082];
pub(super) static ENTRYPOINT: &[&str] = &["/bin/zaffre"];
pub(super) static COMMAND: &[&str] = &["up"];
pub(super) static HEALTHCHECK: &[&str] = &["CMD", "/bin/zaffre", "status"];
pub(super) const VOLUME: &str = "/data";

static LABELS: &[(&str, &str)] = &[
    ("org.opencontainers.image.title", "Zaffre"),
    ("org.opencontainers.image.description", "Azure's managed-identity system on your own machine"),
    ("org.opencontainers.image.licenses", "MIT OR Apache-2.0"),
    ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
];

/// What an image is made of.
pub(super) struct Image<'i> {
    /// The static program.
    pub(super) program: &'i [u8],
    /// As Go names processors: `amd64`, `arm64`.
    pub(super) architecture: &'i str,
    /// `HOST/NAME:TAG`, under which it is loaded.
    pub(super) name: &'i str,
}

impl Image<'_> {
    /// The archive. `digest` gives a text's SHA-256 in hexadecimal.
    pub(super) fn archive(
        &self,
        digest: impl Fn(&[u8]) -> Result<String, String>,
    ) -> Result<Vec<u8>, String> {
        let layer = self.layer();
        let layer = Blob { kind: LAYER, digest: digest(&layer)?, bytes: layer };
        let config = self.config(&layer.digest).into_bytes();
        let config = Blob { kind: CONFIG, digest: digest(&config)?, bytes: config };
        let manifest = manifest(&config, &layer).into_bytes();
        let manifest = Blob { kind: MANIFEST, digest: digest(&manifest)?, bytes: manifest };
        let mut tar = Tar::default();
        tar.directory("blobs", 0o755);
        tar.directory("blobs/sha256", 0o755);
        for blob in [&config, &layer, &manifest] {
            tar.file(&blob.path(), 0o644, &blob.bytes);
        }
        tar.file("index.json", 0o644, self.index(&manifest).as_bytes());
        tar.file("manifest.json", 0o644, self.of_docker(&config, &layer).as_bytes());
        tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
        Ok(tar.end())
    }

    /// Everything that a container has: the program, and a place for the cloud that is its owner's alone.
    fn layer(&self) -> Vec<u8> {
        let mut tar = Tar::default();
        tar.directory("bin", 0o755);
        tar.file("bin/zaffre", 0o755, self.program);
        tar.directory("data", 0o700);
        tar.end()
    }

    fn config(&self, layer: &str) -> String {
        let environment = list(ENVIRONMENT.iter().map(|(name, value)| text(&format!("{name}={value}"))));
        let ports = map(PORTS.iter().map(|port| (format!("{port}/tcp"), "{}".to_owned())));
        let labels = map(LABELS.iter().map(|(name, value)| ((*name).to_owned(), text(value))));
        let seconds = |count: u64| (count * 1_000_000_000).to_string();
        let health = object(&[
            ("Test", texts(HEALTHCHECK)),
            ("Interval", seconds(30)),
            ("Timeout", seconds(5)),
            ("StartPeriod", seconds(5)),
        ]);
        let config = object(&[
            ("ExposedPorts", ports),
            ("Env", environment),
            ("Entrypoint", texts(ENTRYPOINT)),
            ("Cmd", texts(COMMAND)),
            ("Volumes", map([(VOLUME.to_owned(), "{}".to_owned())])),
            ("WorkingDir", text("/")),
            ("Labels", labels),
            ("StopSignal", text("SIGTERM")),
            ("Healthcheck", health),
        ]);
        let made = object(&[("created", text(EPOCH)), ("created_by", text("cargo xtask image"))]);
        object(&[
            ("created", text(EPOCH)),
            ("architecture", text(self.architecture)),
            ("os", text("linux")),
            ("config", config),
            // Not compressed, so its digest is also its content's.
            ("rootfs", object(&[("type", text("layers")), ("diff_ids", list([text(&sha256(layer))]))])),
            ("history", list([made])),
        ])
    }

    fn index(&self, manifest: &Blob) -> String {
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        // One for those who read the specification, one for containerd, which leaves an image without it unnamed.
        let annotations = object(&[
            ("io.containerd.image.name", text(self.name)),
            ("org.opencontainers.image.ref.name", text(tag)),
        ]);
        let platform = object(&[("architecture", text(self.architecture)), ("os", text("linux"))]);
        let descriptor = manifest.descriptor(&[("platform", platform), ("annotations", annotations)]);
        object(&[
            ("schemaVersion", "2".to_owned()),
            ("mediaType", text(INDEX)),
            ("manifests", list([descriptor])),
        ])
    }

    fn of_docker(&self, config: &Blob, layer: &Blob) -> String {
        list([object(&[
            ("Config", text(&config.path())),
            ("RepoTags", list([text(self.name)])),
            ("Layers", list([text(&layer.path())])),
        ])])
    }
}

fn manifest(config: &Blob, layer: &Blob) -> String {
    object(&[
        ("schemaVersion", "2".to_owned()),
        ("mediaType", text(MANIFEST)),
        ("config", config.descriptor(&[])),
        ("layers", list([layer.descriptor(&[])])),
    ])
}

struct Blob {
    kind: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, more: &[(&str, String)]) -> String {
        let own = [
            ("mediaType", text(self.kind)),
            ("digest", text(&sha256(&self.digest))),
            ("size", self.bytes.len().to_string()),
        ];
        object(&[&own[..], more].concat())
    }
}

fn sha256(digest: &str) -> String {
    format!("sha256:{digest}")
}

/// JSON, of which we write so little that a library would be the larger part of this crate.
fn text(text: &str) -> String {
    assert!(text.chars().all(|c| !matches!(c, '"' | '\\') && !c.is_control()), "our texts need no escapes");
    format!("\"{text}\"")
}

fn texts(all: &[&str]) -> String {
    list(all.iter().map(|it| text(it)))
}

fn list(all: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", all.into_iter().collect::<Vec<_>>().join(","))
}

fn map(all: impl IntoIterator<Item = (String, String)>) -> String {
    let pairs: Vec<String> =
        all.into_iter().map(|(name, value)| format!("{}:{value}", text(&name))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn object(all: &[(&str, String)]) -> String {
    map(all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place;

    /// Whoever has an engine builds from the Dockerfile, whoever has none from here: both get the same.
    #[test]
    fn the_dockerfile_says_the_same() {
        let file = std::fs::read_to_string(place::root().join("Dockerfile")).expect("the Dockerfile");
        let (_, last) = file.rsplit_once("FROM scratch").expect("the last stage begins with nothing");
        let words = |all: &[&str]| all.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(", ");
        let mut expected: Vec<String> =
            ENVIRONMENT.iter().map(|(name, value)| format!("ENV {name}=\"{value}\"")).collect();
        let ports: Vec<String> = PORTS.iter().map(u16::to_string).collect();
        expected.push(format!("EXPOSE {}", ports.join(" ")));
        expected.push(format!("VOLUME {VOLUME}"));
        expected.push("HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \\".to_owned());
        expected.push(format!("CMD [{}]", words(&HEALTHCHECK[1..])));
        expected.push(format!("ENTRYPOINT [{}]", words(ENTRYPOINT)));
        expected.push(format!("CMD [{}]", words(COMMAND)));
        let said: Vec<&str> = last.lines().map(str::trim).collect();
        for line in expected {
            assert!(said.contains(&line.as_str()), "{line}");
        }
    }

    #[test]
    fn the_same_program_is_the_same_archive() {
        let digest =
            |bytes: &[u8]| Ok(format!("{:064x}", bytes.iter().map(|it| u64::from(*it)).sum::<u64>()));
        let image = Image { program: b"program", architecture: "amd64", name: "zaffre:0.1.0" };
        assert_eq!(image.archive(digest), image.archive(digest));
        let other = Image { program: b"programs", ..image };
        assert_ne!(image.archive(digest), other.archive(digest));
    }
}
