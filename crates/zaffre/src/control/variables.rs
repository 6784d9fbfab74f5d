//! The variables that make Azure's clients use this cloud: az-cli.md §2, row by row.
//!
//! HTTP_PROXY carries the metadata service too, which clients ask in the open at 169.254.169.254; curl reads the lower-case
//! name alone. One bundle is named for everybody, since clients differ in which variable they read and each replaces what it
//! trusted before. As a virtual machine, the proxy's credentials are that machine's secret, and the variables with which
//! clients would sign in as somebody else are taken away.

use std::path::{Path, PathBuf};

use azure::error::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Run, codes, hosts, running, vms};
use crate::{
    directory::{Credentials, founding},
    front::{proxy, vm_secrets},
    service::{Cx, Fault, Parts, Reply},
};

/// A variable to set, or with no value to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    pub value: Option<String>,
}

/// Who the clients are to be.
pub(super) enum As<'a> {
    /// The application that owns the subscription.
    Owner,
    /// A virtual machine, by its secret.
    Vm(&'a str),
    /// Nobody that the proxy knows: another host's identity, by what that host sets.
    Nobody,
}

/// Whose variables are asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    as_vm: Option<String>,
    /// The kind, and the resource.
    host: Option<(String, String)>,
    reader: Reader,
}

/// Whoever will have the variables, where that is not this machine: outside of the container that the cloud is in, say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reader {
    /// The name or address that listeners are reached at from there.
    pub(super) address: Option<String>,
    /// Where the files of the authority's folder are there.
    pub(super) certificates: Option<PathBuf>,
}

impl Asked {
    pub(super) fn read(parts: &Parts) -> Self {
        let of = |name| parts.query(name).map(str::to_owned);
        let host = of("host_kind").map(|kind| (kind, of("as").unwrap_or_default()));
        let reader = Reader { address: of("address"), certificates: of("certificates").map(PathBuf::from) };
        Asked { as_vm: of("as_vm"), host, reader }
    }
}

pub(super) async fn answer(cx: &Cx, asked: &Asked) -> Result<Reply> {
    let reader = &asked.reader;
    let variables = match (&asked.host, &asked.as_vm) {
        (Some((kind, whom)), _) => on_host(cx, kind, whom, reader).await?,
        (None, Some(name)) => list_for(cx, &As::Vm(&secret_for(cx, name).await?), reader).await?,
        (None, None) => list_for(cx, &As::Owner, reader).await?,
    };
    Ok(Reply::json(200, &json!({ "value": variables })))
}

/// Those that make a process of this host speak as a machine.
pub(super) async fn of_vm(cx: &Cx, name: &str) -> Result<Vec<Variable>> {
    list_for(cx, &As::Vm(&secret_for(cx, name).await?), &Reader::default()).await
}

/// Those of another host; what it sets itself counts.
pub(super) async fn on_host(cx: &Cx, kind: &str, whom: &str, reader: &Reader) -> Result<Vec<Variable>> {
    let of_host = hosts::variables(cx, kind, whom, reader).await?;
    let mut all = list_for(cx, &As::Nobody, reader).await?;
    all.retain(|it| of_host.iter().all(|other| other.name != it.name));
    all.extend(of_host);
    Ok(all)
}

pub(super) async fn list_for(cx: &Cx, who: &As<'_>, reader: &Reader) -> Result<Vec<Variable>> {
    let credentials = credentials(cx).await?;
    list(&running(cx)?.run, &credentials, who, reader).ok_or_else(|| codes::NO_PROXY.bare())
}

/// What the cloud was founded with. Founding again gives the same.
pub(super) async fn credentials(cx: &Cx) -> Result<Credentials> {
    let draw = cx.draw();
    cx.write(|txn| founding::found(txn, &mut draw.clone(), &cx.cloud.charter)).await
}

pub(super) async fn secret_for(cx: &Cx, name: &str) -> Result<String> {
    let draw = cx.draw();
    let made = cx.write(|txn| {
        let vm = vms::named(txn, name)?;
        vm_secrets::make(txn, &mut draw.clone(), &vm)
    });
    made.await?.ok_or_else(|| Fault::Internal.because("a virtual machine has no vmId"))
}

/// Every variable, in the order in which they are printed. `None` where there is no proxy to name.
pub(super) fn list(
    run: &Run,
    credentials: &Credentials,
    who: &As<'_>,
    reader: &Reader,
) -> Option<Vec<Variable>> {
    let address = run.reached("proxy", reader.address.as_deref())?;
    let (proxy, client) = match who {
        As::Owner => (
            format!("http://{address}"),
            Some((credentials.client_id.to_string(), &credentials.client_secret)),
        ),
        As::Vm(secret) => (format!("http://vm:{secret}@{address}"), None),
        As::Nobody => (format!("http://{address}"), None),
    };
    // Set, not left alone: images of clouds list 169.254.169.254 here, and then nobody would ask the proxy for it.
    let direct = "localhost,127.0.0.1,::1";
    let file = |here: &Path| match &reader.certificates {
        Some(folder) => folder.join(here.file_name().unwrap_or_default()),
        None => here.to_owned(),
    };
    let (ca, bundle) = (file(&run.ca), file(&run.bundle).display().to_string());
    // az keeps sign-ins and what discovery answered for a day: the real cloud's and ours must not meet.
    let az = match &reader.certificates {
        Some(folder) => folder.join("az"),
        None => run.ca.parent().unwrap_or(&run.ca).with_file_name("az"),
    };
    let az = az.display().to_string();
    let set = |name: &str, value: &str| Variable { name: name.to_owned(), value: Some(value.to_owned()) };
    let mut variables = vec![
        set("HTTPS_PROXY", &proxy),
        set("https_proxy", &proxy),
        set("HTTP_PROXY", &proxy),
        set("http_proxy", &proxy),
        set("NO_PROXY", direct),
        set("no_proxy", direct),
        set("REQUESTS_CA_BUNDLE", &bundle),
        set("CURL_CA_BUNDLE", &bundle),
        set("SSL_CERT_FILE", &bundle),
        set("NODE_EXTRA_CA_CERTS", &ca.display().to_string()),
        // Deno has its own name for it (documented: Environment variables).
        set("DENO_CERT", &ca.display().to_string()),
        // Node's own fetch and https, and what stands on them, read the proxy's variables since 24 and 22.21, when told to
        // (documented: Command-line API). Among them is @azure/cosmos, which reads none itself.
        set("NODE_USE_ENV_PROXY", "1"),
        // By which the next `zaffre up` in this shell knows that it is no proxy of the host's.
        set(proxy::upstream::MARK, &proxy),
        set("AZURE_TENANT_ID", &credentials.tenant.to_string()),
        set("AZURE_SUBSCRIPTION_ID", &credentials.subscription.to_string()),
        set("AZURE_CORE_COLLECT_TELEMETRY", "false"),
        set("AZURE_CONFIG_DIR", &az),
    ];
    let (id, secret) = client.unzip();
    variables.push(Variable { name: "AZURE_CLIENT_ID".to_owned(), value: id });
    variables.push(Variable { name: "AZURE_CLIENT_SECRET".to_owned(), value: secret.cloned() });
    Some(variables)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cloud::{DEFAULT_SUBSCRIPTION, DEFAULT_TENANT};

    fn run(addresses: &[(&str, &str)]) -> Run {
        let parsed =
            |(name, address): &(&str, &str)| ((*name).to_owned(), address.parse().expect("an address"));
        Run {
            pid: 1,
            version: "0.1.0".to_owned(),
            data: None,
            control: "/d/control.sock".into(),
            ca: "/d/ca/ca.pem".into(),
            bundle: "/d/ca/bundle.pem".into(),
            offline: false,
            public_address: None,
            egress: Default::default(),
            addresses: addresses.iter().map(parsed).collect::<BTreeMap<_, _>>(),
        }
    }

    fn credentials() -> Credentials {
        Credentials {
            tenant: DEFAULT_TENANT.parse().expect("a guid"),
            domain: "contoso.onmicrosoft.com".to_owned(),
            subscription: DEFAULT_SUBSCRIPTION.parse().expect("a guid"),
            client_id: founding::ADMIN_APPLICATION.parse().expect("a guid"),
            client_secret: "the-secret".to_owned(),
            user_principal_name: "admin@contoso.onmicrosoft.com".to_owned(),
            password: "the-password".to_owned(),
        }
    }

    fn value<'v>(variables: &'v [Variable], name: &str) -> Option<&'v str> {
        let variable = variables.iter().find(|it| it.name == name).expect("every variable is listed");
        variable.value.as_deref()
    }

    #[test]
    fn the_owner_signs_in_with_the_secret_and_the_proxy_knows_nobody() {
        let all = list(&run(&[("proxy", "127.0.0.1:10080")]), &credentials(), &As::Owner, &Reader::default())
            .expect("a proxy");
        for (name, expected) in [
            ("HTTPS_PROXY", "http://127.0.0.1:10080"),
            ("http_proxy", "http://127.0.0.1:10080"),
            ("NO_PROXY", "localhost,127.0.0.1,::1"),
            ("REQUESTS_CA_BUNDLE", "/d/ca/bundle.pem"),
            ("SSL_CERT_FILE", "/d/ca/bundle.pem"),
            ("NODE_EXTRA_CA_CERTS", "/d/ca/ca.pem"),
            ("DENO_CERT", "/d/ca/ca.pem"),
            ("NODE_USE_ENV_PROXY", "1"),
            ("ZAFFRE_PROXY", "http://127.0.0.1:10080"),
            ("AZURE_TENANT_ID", DEFAULT_TENANT),
            ("AZURE_CLIENT_ID", founding::ADMIN_APPLICATION),
            ("AZURE_CLIENT_SECRET", "the-secret"),
            ("AZURE_CONFIG_DIR", "/d/az"),
        ] {
            assert_eq!(value(&all, name), Some(expected), "{name}");
        }
        assert!(!value(&all, "NO_PROXY").expect("set").contains("169.254"));
    }

    #[test]
    fn a_machine_is_known_to_the_proxy_and_signs_in_as_nobody_else() {
        let all = list(
            &run(&[("proxy", "127.0.0.1:10080")]),
            &credentials(),
            &As::Vm("s3cret"),
            &Reader::default(),
        )
        .expect("a proxy");
        assert_eq!(value(&all, "http_proxy"), Some("http://vm:s3cret@127.0.0.1:10080"));
        assert_eq!(value(&all, "AZURE_CLIENT_ID"), None);
        assert_eq!(value(&all, "AZURE_CLIENT_SECRET"), None);
        assert!(all.iter().all(|it| it.value.as_deref() != Some("the-secret")));
    }

    #[test]
    fn whoever_reads_them_elsewhere_is_told_where_things_are_from_there() {
        let here = Run { public_address: Some("zaffre".to_owned()), ..run(&[("proxy", "0.0.0.0:10080")]) };
        let outside =
            Reader { address: Some("localhost".to_owned()), certificates: Some("/h/.zaffre".into()) };
        for (run, reader, proxy, bundle, az) in [
            (&here, &outside, "http://localhost:10080", "/h/.zaffre/bundle.pem", "/h/.zaffre/az"),
            (&here, &Reader::default(), "http://zaffre:10080", "/d/ca/bundle.pem", "/d/az"),
            (
                &run(&[("proxy", "0.0.0.0:10080")]),
                &Reader::default(),
                "http://127.0.0.1:10080",
                "/d/ca/bundle.pem",
                "/d/az",
            ),
            (
                &run(&[("proxy", "[::]:10080")]),
                &Reader::default(),
                "http://[::1]:10080",
                "/d/ca/bundle.pem",
                "/d/az",
            ),
        ] {
            let all = list(run, &credentials(), &As::Nobody, reader).expect("a proxy");
            let found = ["HTTPS_PROXY", "SSL_CERT_FILE", "AZURE_CONFIG_DIR"].map(|name| value(&all, name));
            assert_eq!(found, [Some(proxy), Some(bundle), Some(az)]);
        }
    }

    #[test]
    fn without_a_proxy_there_is_nothing_to_set() {
        assert!(
            list(&run(&[("tls", "127.0.0.1:10443")]), &credentials(), &As::Owner, &Reader::default())
                .is_none()
        );
    }
}
