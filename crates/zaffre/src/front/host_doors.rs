//! Doors for programs that run as something else than a virtual machine: an App Service's site, a machine of Azure Arc, a shell.
//!
//! `zaffre env --host-kind KIND --as RESOURCE` makes one and prints the variables by which clients find it; `imds::hosts` answers
//! there. The store keeps hashes: who knows a row can ask nothing. A door holds as long as the resource that it was made for.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use azure::{
    error::Result,
    ids::{ObjectId, ResourceId},
    text,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    cloud::Draw,
    env::Settings,
    keys,
    store::{Table, Txn},
};

/// A kind of host, as its environment describes it (imds.md §9).
#[derive(Debug)]
pub(crate) struct HostKind {
    /// As `--host-kind` has it, and the first segment of its addresses.
    pub(crate) name: &'static str,
    /// Behind the door, in lower case.
    pub(crate) path: &'static str,
    pub(crate) is_tls: bool,
    pub(crate) variables: &'static [(&'static str, Holds)],
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Endpoint,
    Secret,
    /// SHA-1 of the server's certificate.
    Thumbprint,
    /// What tells clients that this is Azure Arc.
    Imds,
    /// The client id of the identity that is meant when none is named.
    DefaultClient,
    Fixed(&'static str),
    /// The resource's name.
    Name,
}

const WEB: HostKind = HostKind {
    name: "app-service",
    path: "msi/token",
    is_tls: false,
    variables: &[
        ("IDENTITY_ENDPOINT", Holds::Endpoint),
        ("IDENTITY_HEADER", Holds::Secret),
        ("MSI_ENDPOINT", Holds::Endpoint),
        ("MSI_SECRET", Holds::Secret),
        ("WEBSITE_SITE_NAME", Holds::Name),
    ],
};

pub(crate) static KINDS: [HostKind; 7] = [
    WEB,
    HostKind {
        name: "functions",
        variables: &[
            ("IDENTITY_ENDPOINT", Holds::Endpoint),
            ("IDENTITY_HEADER", Holds::Secret),
            ("MSI_ENDPOINT", Holds::Endpoint),
            ("MSI_SECRET", Holds::Secret),
            ("WEBSITE_SITE_NAME", Holds::Name),
            ("FUNCTIONS_EXTENSION_VERSION", Holds::Fixed("~4")),
        ],
        ..WEB
    },
    HostKind {
        name: "container-apps",
        variables: &[
            ("IDENTITY_ENDPOINT", Holds::Endpoint),
            ("IDENTITY_HEADER", Holds::Secret),
            ("MSI_ENDPOINT", Holds::Endpoint),
            ("MSI_SECRET", Holds::Secret),
            ("CONTAINER_APP_NAME", Holds::Name),
        ],
        ..WEB
    },
    HostKind {
        name: ARC,
        path: "metadata/identity/oauth2/token",
        variables: &[("IDENTITY_ENDPOINT", Holds::Endpoint), ("IMDS_ENDPOINT", Holds::Imds)],
        ..WEB
    },
    HostKind {
        name: "service-fabric",
        path: "metadata/identity/oauth2/token",
        is_tls: true,
        variables: &[
            ("IDENTITY_ENDPOINT", Holds::Endpoint),
            ("IDENTITY_HEADER", Holds::Secret),
            ("IDENTITY_SERVER_THUMBPRINT", Holds::Thumbprint),
            ("IDENTITY_API_VERSION", Holds::Fixed("2019-07-01-preview")),
        ],
    },
    HostKind {
        name: CLOUD_SHELL,
        path: "oauth2/token",
        variables: &[("MSI_ENDPOINT", Holds::Endpoint)],
        ..WEB
    },
    HostKind {
        name: "ml",
        variables: &[
            ("MSI_ENDPOINT", Holds::Endpoint),
            ("MSI_SECRET", Holds::Secret),
            ("DEFAULT_IDENTITY_CLIENT_ID", Holds::DefaultClient),
        ],
        ..WEB
    },
];

pub(crate) const ARC: &str = "arc";
pub(crate) const CLOUD_SHELL: &str = "cloud-shell";

pub(crate) fn kind(name: &str) -> Option<&'static HostKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The kind and the door that a path leads to: `/{kind}/{door}/{path}`.
pub(crate) fn at(path: &str) -> Option<(&'static HostKind, &str)> {
    let (name, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (door, rest) = rest.split_once('/')?;
    let kind = kind(name)?;
    rest.trim_end_matches('/').eq_ignore_ascii_case(kind.path).then_some((kind, door))
}

impl HostKind {
    /// Where a door is, at this address.
    pub(crate) fn endpoint(&self, authority: &str, door: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{authority}/{}/{door}/{}", self.name, self.path)
    }
}

/// By the hash of the door's name.
const GRANTS: Table<String, Grant> = Table::new("host_doors");

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) kind: String,
    pub(crate) holder: Holder,
    /// The hash of the secret that some kinds demand.
    pub(crate) secret: [u8; 32],
}

/// Whose identities a door gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// A resource, and when it was made: one that takes its name later is another.
    Resource { id: ResourceId, created: Timestamp },
    /// Somebody at a shell.
    Person(ObjectId),
}

/// What a door is opened with.
pub(crate) struct Keys {
    pub(crate) door: String,
    pub(crate) secret: String,
}

pub(crate) fn make(txn: &mut Txn, draw: &mut Draw, kind: &HostKind, holder: Holder) -> Result<Keys> {
    let keys =
        Keys { door: text::base64url(draw.bytes::<24>()), secret: text::base64url(draw.bytes::<32>()) };
    let grant = Grant { kind: kind.name.to_owned(), holder, secret: keys::sha256(keys.secret.as_bytes()) };
    GRANTS.put(txn, &hash(&keys.door), &grant)?;
    Ok(keys)
}

pub(crate) fn grant(txn: &Txn, door: &str) -> Result<Option<Grant>> {
    Ok(GRANTS.get(txn, &hash(door))?)
}

fn hash(door: &str) -> String {
    text::base64url(keys::sha256(door.as_bytes()))
}

/// Where Azure Arc's agent keeps its challenges, and where its clients look for them.
const ARC_TOKENS: &str = "/var/opt/azcmagent/tokens";

/// The folder of challenges, made if need be: ours alone, since one that others can write to could give clients any
/// file.
pub(crate) fn arc_tokens(settings: &Settings) -> Result<PathBuf, (PathBuf, io::Error)> {
    let folder = settings.arc_tokens.clone().unwrap_or_else(|| ARC_TOKENS.into());
    match settle(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => Err((folder, error)),
    }
}

fn settle(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    let is_ours =
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if is_ours { Ok(()) } else { Err(io::Error::other("it is not a folder that only you can write to")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_path_is_a_kind_a_door_and_what_the_kind_has_behind_it() {
        for (path, found) in [
            ("/app-service/d/msi/token", Some(("app-service", "d"))),
            ("/app-service/d/MSI/token/", Some(("app-service", "d"))),
            ("/arc/d/metadata/identity/oauth2/token", Some(("arc", "d"))),
            ("/cloud-shell/d/oauth2/token", Some(("cloud-shell", "d"))),
            ("/arc/d/msi/token", None),
            ("/vm/d/msi/token", None),
            ("/app-service/msi/token", None),
            ("/app-service/d/msi/token/more", None),
            ("/", None),
        ] {
            assert_eq!(at(path).map(|(kind, door)| (kind.name, door)), found, "{path}");
        }
    }

    /// imds.md §9, the table of how clients find out where they are.
    #[test]
    fn the_variables_of_each_kind_are_told_apart_by_clients() {
        for kind in &KINDS {
            let sets = |name: &str| kind.variables.iter().any(|it| it.0 == name);
            let (identity, header) = (sets("IDENTITY_ENDPOINT"), sets("IDENTITY_HEADER"));
            let found = match (identity, header, sets("MSI_ENDPOINT"), sets("MSI_SECRET")) {
                (true, true, ..) if sets("IDENTITY_SERVER_THUMBPRINT") => "service-fabric",
                (true, true, ..) => "app-service",
                (_, _, true, true) => "ml",
                (true, false, ..) if sets("IMDS_ENDPOINT") => "arc",
                (_, _, true, false) => "cloud-shell",
                _ => "nothing",
            };
            let expected = match kind.name {
                "functions" | "container-apps" => "app-service",
                name => name,
            };
            assert_eq!(found, expected, "{}", kind.name);
        }
    }

    #[test]
    fn a_folder_that_others_write_to_holds_no_challenges() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("a/tokens");
        let settings = Settings { arc_tokens: Some(folder.clone()), ..Settings::default() };
        assert_eq!(arc_tokens(&settings).expect("is made"), folder);
        let mode = fs::metadata(&folder).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("is ours");
        assert!(arc_tokens(&settings).is_err(), "others may write");
        let link = outer.path().join("link");
        std::os::unix::fs::symlink(outer.path().join("a"), &link).expect("a link");
        let settings = Settings { arc_tokens: Some(link), ..Settings::default() };
        assert!(arc_tokens(&settings).is_err(), "a link leads elsewhere");
    }
}
