//! Which service a request is for, by its entrance and its host: one table.

use crate::door::{Door, Entrance};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Entra,
    Arm,
    Graph,
    AzureAdGraph,
    Metadata,
    Extension,
    Hosts,
    Blob,
    Cosmos,
    /// Documents that Azure's clients fetch by the way: image aliases.
    Catalogue,
    Control,
    /// The proxy's own port, asked for itself.
    Proxy,
    /// What a machine's agent asks the platform.
    Wire,
    /// Under one of Microsoft's suffixes, and not emulated: refused here, never passed on.
    Refused,
    /// Nobody's name that we know: the proxy may pass it on.
    Foreign,
}

enum Match {
    Exact(&'static str),
    /// One or more labels, then this.
    Under(&'static str),
}

use Match::{Exact, Under};

/// First match wins, so exact names stand before the wildcard that would take them (az-cli.md §1.10).
static HOSTS: &[(Match, Target)] = &[
    (Exact("login.microsoftonline.com"), Target::Entra),
    (Exact("login.windows.net"), Target::Entra),
    (Exact("login.microsoft.com"), Target::Entra),
    (Exact("sts.windows.net"), Target::Entra),
    (Exact("management.azure.com"), Target::Arm),
    (Exact("management.core.windows.net"), Target::Arm),
    (Exact("graph.microsoft.com"), Target::Graph),
    (Exact("graph.windows.net"), Target::AzureAdGraph),
    (Exact("169.254.169.254"), Target::Metadata),
    (Exact("metadata.azure.com"), Target::Catalogue),
    (Exact("azcliprod.blob.core.windows.net"), Target::Catalogue),
    (Exact("raw.githubusercontent.com"), Target::Catalogue),
    (Under("blob.core.windows.net"), Target::Blob),
    (Under("documents.azure.com"), Target::Cosmos),
];

/// Nothing under these leaves the machine (invariant 11).
pub(crate) static MICROSOFTS: &[&str] = &[
    "azure.com",
    "azure.net",
    "windows.net",
    "microsoftonline.com",
    "microsoftonline.us",
    "microsoftonline.cn",
    "microsoftonline.de",
    "microsoftonline-p.com",
    "azure.us",
    "azure.cn",
    "azure.de",
    "azure-api.net",
    "azure-automation.net",
    "azure-devices.net",
    "azurecontainerapps.io",
    "azurecr.io",
    "azuredatabricks.net",
    "azuredatalakeanalytics.net",
    "azuredatalakestore.net",
    "azureedge.net",
    "azurefd.net",
    "azurehdinsight.net",
    "azureml.ms",
    "azurestaticapps.net",
    "azuresynapse.net",
    "azurewebsites.net",
    "azmk8s.io",
    "applicationinsights.io",
    "loganalytics.io",
    "trafficmanager.net",
    "windowsazure.com",
    "usgovcloudapi.net",
    "chinacloudapi.cn",
    "cloudapi.de",
    "visualstudio.com",
    "msauth.net",
    "msftauth.net",
    "aka.ms",
    "microsoft.com",
];

/// A label of many names, under whatever suffix a country has them.
const LABEL: &str = "microsoftonline";
/// Where a machine's agent asks the platform.
const WIRE: &str = "168.63.129.16";

impl Match {
    fn takes(&self, host: &str) -> bool {
        match self {
            Exact(name) => host == *name,
            Under(suffix) => is_under(host, suffix),
        }
    }
}

fn is_under(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
}

/// What a host name stands for, wherever it was written.
pub fn by_name(host: &str) -> Target {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let found = HOSTS.iter().find(|(pattern, _)| pattern.takes(&host)).map(|(_, target)| *target);
    found.unwrap_or(if is_microsofts(&host) { Target::Refused } else { Target::Foreign })
}

/// Whether the name is one of Microsoft's, emulated or not.
pub(crate) fn is_microsofts(host: &str) -> bool {
    MICROSOFTS.iter().any(|suffix| host == *suffix || is_under(host, suffix))
        || host.split('.').any(|label| label == LABEL)
        || host == WIRE
}

/// A name of each row: what clients call.
pub(super) fn samples() -> Vec<String> {
    let sample = |(pattern, _): &(Match, Target)| match pattern {
        Exact(name) => (*name).to_owned(),
        Under(suffix) => format!("account.{suffix}"),
    };
    HOSTS.iter().map(sample).collect()
}

/// All that is not anybody else's, for those who cannot ask `by_name`.
pub(super) struct Answered {
    /// These names.
    pub(super) exact: Vec<&'static str>,
    /// These, and whatever is under them.
    pub(super) under: &'static [&'static str],
    /// Names with this label.
    pub(super) label: &'static str,
}

pub(super) fn answered() -> Answered {
    let named = HOSTS.iter().filter_map(|(pattern, _)| match pattern {
        Exact(name) => Some(*name),
        // These are under Microsoft's: a test holds it.
        Under(_) => None,
    });
    let exact = named.filter(|name| !is_microsofts(name)).chain([WIRE]).collect();
    Answered { exact, under: MICROSOFTS, label: LABEL }
}

/// A guest's metadata door is IMDS whatever Host says, and a drop-in port its one service.
pub fn target(door: &Door, host: &str) -> Target {
    match door.entrance {
        Entrance::Named => by_name(host),
        Entrance::Blob => Target::Blob,
        Entrance::Cosmos => Target::Cosmos,
        Entrance::Metadata => Target::Metadata,
        Entrance::Wire => Target::Wire,
        Entrance::Extension => Target::Extension,
        Entrance::Hosts => Target::Hosts,
        Entrance::Control => Target::Control,
        Entrance::Proxy => Target::Proxy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_to_their_services_and_microsofts_others_nowhere() {
        for (host, target) in [
            ("login.microsoftonline.com", Target::Entra),
            ("LOGIN.microsoftonline.com.", Target::Entra),
            ("management.azure.com", Target::Arm),
            ("acct.blob.core.windows.net", Target::Blob),
            ("azcliprod.blob.core.windows.net", Target::Catalogue),
            ("blob.core.windows.net", Target::Refused),
            (".blob.core.windows.net", Target::Refused),
            ("acct-westus.documents.azure.com", Target::Cosmos),
            ("vault.azure.net", Target::Refused),
            ("api.loganalytics.io", Target::Refused),
            ("registry.azurecr.io", Target::Refused),
            ("dc.services.visualstudio.com", Target::Refused),
            ("aka.ms", Target::Refused),
            ("login.partner.microsoftonline.cn", Target::Refused),
            ("notazure.com", Target::Foreign),
            ("azure.com.example.org", Target::Foreign),
            ("example.org", Target::Foreign),
        ] {
            assert_eq!(by_name(host), target, "{host}");
        }
    }

    #[test]
    fn what_is_answered_under_a_suffix_is_under_one_of_microsofts() {
        for (pattern, _) in HOSTS {
            assert!(matches!(pattern, Exact(_)) || matches!(pattern, Under(suffix) if is_microsofts(suffix)));
        }
        assert_eq!(answered().exact, ["169.254.169.254", "raw.githubusercontent.com", WIRE]);
    }

    #[test]
    fn a_guests_metadata_door_ignores_the_host() {
        let cloud = crate::store::CloudId(1);
        let door = Door { entrance: Entrance::Metadata, ..Door::named(cloud) };
        assert_eq!(target(&door, "management.azure.com"), Target::Metadata);
    }
}
