//! What Azure's clients fetch by the way, from hosts that belong to no cloud: the image aliases of `az vm create`, and the
//! certificate of whoever signs the documents about machines.
//!
//! Two hosts serve the aliases, of today (`azcliprod`) and of 2018 (`raw.githubusercontent.com`, fatal there when
//! missing, az-cli.md §3). A path is hidden until TLS has been ended here, so both hosts are answered whole: the
//! document where it lies, and 404 with a reason everywhere else. That takes the rest of raw.githubusercontent.com from
//! whoever calls it through the proxy; passing it on would need a second TLS connection on the client's behalf, and a
//! cloud that reads what it passes on.

use std::sync::LazyLock;

use azure::error::{Error, Result, Row};
use http::Method;
use serde_json::{Map, Value, json};

use crate::{
    access::{Caller, Permit, Refusal, Requirement},
    service::{Body, Cx, Fault, Parts, Reply, Service},
    store::Txn,
};

pub(super) struct Catalogue;

static NOT_HERE: Row = Row {
    code: "NotFound",
    status: 404,
    template: "This cloud answers '{0}' for one document alone; '{1}' was sent nowhere.",
    source: "our own",
};

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Aliases,
    /// DER: it is named in the certificates that it issued.
    Authority,
}

/// Where the documents lie. `{ref}` stands for any one segment: a branch or a commit.
static PLACES: &[(&str, &str, Document)] = &[
    ("azcliprod.blob.core.windows.net", "/cli/vm/aliases.json", Document::Aliases),
    ("metadata.azure.com", "/certificates/authority.cer", Document::Authority),
    (
        "raw.githubusercontent.com",
        "/Azure/azure-rest-api-specs/{ref}/arm-compute/quickstart-templates/aliases.json",
        Document::Aliases,
    ),
];

struct Alias(&'static str, &'static str, &'static str, &'static str);

/// alias, publisher, offer, sku; `latest` and x64 all of them (az-cli.md §3, arm.md §13).
static LINUX: &[Alias] = &[
    Alias("Ubuntu2204", "Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
    Alias("Ubuntu2404", "Canonical", "ubuntu-24_04-lts", "server"),
    Alias("Ubuntu2404Pro", "Canonical", "ubuntu-24_04-lts", "ubuntu-pro"),
    Alias("UbuntuLTS", "Canonical", "UbuntuServer", "16.04-LTS"),
    Alias("CentOS", "OpenLogic", "CentOS", "7.3"),
    Alias("CentOS85Gen2", "OpenLogic", "CentOS", "8_5-gen2"),
    Alias("Debian", "credativ", "Debian", "8"),
    Alias("Debian11", "Debian", "debian-11", "11-backports-gen2"),
    Alias("FlatcarLinuxFreeGen2", "kinvolk", "flatcar-container-linux-free", "stable-gen2"),
    Alias("OpenSuseLeap154Gen2", "SUSE", "openSUSE-leap-15-4", "gen2"),
    Alias("RHEL", "RedHat", "RHEL", "7-RAW"),
    Alias("RHELRaw8LVMGen2", "RedHat", "RHEL", "8-lvm-gen2"),
    Alias("SLES", "SUSE", "SLES", "12-SP2"),
    Alias("SuseSles15SP3", "SUSE", "sles-15-sp3", "gen2"),
];

static WINDOWS: &[Alias] = &[
    Alias("Win2022Datacenter", "MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2"),
    Alias(
        "Win2022AzureEditionCore",
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2022-datacenter-azure-edition-core",
    ),
    Alias("Win2019Datacenter", "MicrosoftWindowsServer", "WindowsServer", "2019-datacenter-gensecond"),
    Alias("Win2016Datacenter", "MicrosoftWindowsServer", "WindowsServer", "2016-datacenter-gensecond"),
    Alias("Win2012R2Datacenter", "MicrosoftWindowsServer", "WindowsServer", "2012-R2-Datacenter"),
    Alias("Win2012Datacenter", "MicrosoftWindowsServer", "WindowsServer", "2012-Datacenter"),
];

static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let value = json!({ "Linux": listed(LINUX), "Windows": listed(WINDOWS) });
    json!({ "outputs": { "aliases": { "type": "object", "value": value } } }).to_string().into_bytes()
});

fn listed(aliases: &[Alias]) -> Map<String, Value> {
    let row = |Alias(name, publisher, offer, sku): &Alias| {
        // A missing `architecture` is a traceback in today's az.
        let image = json!({
            "publisher": publisher, "offer": offer, "sku": sku, "version": "latest", "architecture": "x64",
        });
        ((*name).to_owned(), image)
    };
    aliases.iter().map(row).collect()
}

fn document_at(host: &str, path: &str) -> Option<Document> {
    let is_there = |at: &str, place: &str| host.eq_ignore_ascii_case(at) && matches(place, path);
    PLACES.iter().find(|(at, place, _)| is_there(at, place)).map(|(.., document)| *document)
}

fn matches(place: &str, path: &str) -> bool {
    let mut path = path.split('/');
    place
        .split('/')
        .all(|part| path.next().is_some_and(|it| it == part || (part == "{ref}" && !it.is_empty())))
        && path.next().is_none()
}

impl Service for Catalogue {
    type Op = Document;
    type Found = ();
    const NAME: &'static str = "catalogue";

    fn parse(&self, _cx: &Cx, parts: &Parts) -> Result<Document> {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let document = document_at(parts.host(), &parts.raw_path).filter(|_| is_read);
        document.ok_or_else(|| NOT_HERE.with([parts.host(), &parts.raw_path]))
    }

    fn find(&self, _cx: &Cx, _txn: &Txn, _op: &Document) -> Result<()> {
        Ok(())
    }

    fn authenticate(&self, _cx: &Cx, _op: &Document, _found: &(), _parts: &Parts) -> Result<Caller> {
        Ok(Caller::Anonymous)
    }

    fn requires(&self, _cx: &Cx, _op: &Document, _found: &(), _caller: &Caller) -> Requirement {
        Requirement::Open
    }

    fn refuse(&self, _cx: &Cx, _op: &Document, _found: &(), _refusal: &Refusal) -> Error {
        Fault::Internal.because("an open document was refused")
    }

    fn fault(&self, fault: Fault) -> &'static Row {
        fault.row()
    }

    async fn handle(&self, cx: &Cx, _permit: Permit, op: Document, _found: (), _body: Body) -> Result<Reply> {
        match op {
            Document::Aliases => {
                Ok(Reply::new(200).typed("application/json; charset=utf-8", DOCUMENT.as_slice()))
            }
            Document::Authority => {
                let authority = cx.env.authority.get().map(|it| it.certificate_der());
                let der = authority.unwrap_or_else(|| Err("this server has no authority".into()));
                let der = der.map_err(|why| Fault::Unavailable.because(why))?;
                Ok(Reply::new(200).typed("application/pkix-cert", der))
            }
        }
    }

    fn render(&self, _cx: &Cx, _parts: &Parts, error: &Error) -> Reply {
        Reply::new(error.row.status).typed("text/plain; charset=utf-8", format!("{}\n", error.message()))
    }

    fn describe(&self, op: &Document) -> String {
        match op {
            Document::Aliases => "imageAliases",
            Document::Authority => "authorityCertificate",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_where_both_generations_of_az_look() {
        let old = "/Azure/azure-rest-api-specs";
        let name = "arm-compute/quickstart-templates/aliases.json";
        for (host, path, is_here) in [
            ("azcliprod.blob.core.windows.net", "/cli/vm/aliases.json".to_owned(), true),
            ("azcliprod.blob.core.windows.net", "/cli/azure-cli-core/setup.py".to_owned(), false),
            ("raw.githubusercontent.com", format!("{old}/master/{name}"), true),
            ("raw.githubusercontent.com", format!("{old}/main/{name}"), true),
            ("raw.githubusercontent.com", format!("{old}/{name}"), false),
            ("raw.githubusercontent.com", format!("{old}//{name}"), false),
            ("raw.githubusercontent.com", format!("{old}/main/{name}/more"), false),
            ("raw.githubusercontent.com", "/cli/vm/aliases.json".to_owned(), false),
        ] {
            assert_eq!(document_at(host, &path).is_some(), is_here, "{host}{path}");
        }
    }

    #[test]
    fn every_alias_has_all_five_keys() {
        let document: Value = serde_json::from_slice(&DOCUMENT).expect("JSON");
        let value = &document["outputs"]["aliases"]["value"];
        for system in ["Linux", "Windows"] {
            for (alias, image) in value[system].as_object().expect("a system's aliases") {
                for key in ["publisher", "offer", "sku", "version", "architecture"] {
                    assert!(image[key].is_string(), "{alias} has no {key}");
                }
            }
        }
        assert_eq!(value["Linux"]["Ubuntu2204"]["sku"], "22_04-lts-gen2");
        assert_eq!(value["Windows"]["Win2016Datacenter"]["offer"], "WindowsServer");
    }
}
