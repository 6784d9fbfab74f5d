//! The variables that make Azure's clients use this cloud: az-cli.md §2, row by row.
//!
//! HTTP_PROXY carries the metadata service too, which clients ask in the open at 169.254.169.254; curl reads the lower-case
//! name alone. One bundle is named for everybody, since clients differ in which variable they read and each replaces what it
//! trusted before. As a virtual machine, the proxy's credentials are that machine's secret, and the variables with which
//! clients would sign in as somebody else are taken away.

use azure::error::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Run, codes, running, vms};
use crate::{
    front::vm_secrets,
    service::{Cx, Fault, Reply},
};

/// A variable to set, or with no value to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    pub value: Option<String>,
}

/// How to sign in as the application that owns the subscription.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SignIn {
    pub(super) tenant: String,
    pub(super) subscription: String,
    /// None for a machine, which signs in as itself.
    pub(super) client: Option<(String, String)>,
}

pub(super) async fn answer(cx: &Cx, as_vm: Option<&str>) -> Result<Reply> {
    let run = &running(cx)?.run;
    let secret = match as_vm {
        Some(name) => Some(secret_for(cx, name).await?),
        None => None,
    };
    let sign_in = SignIn {
        tenant: cx.cloud.charter.tenant.to_string(),
        subscription: cx.cloud.charter.subscription.to_string(),
        client: None,
    };
    let variables = list(run, secret.as_deref(), &sign_in).ok_or_else(|| codes::NO_PROXY.bare())?;
    Ok(Reply::json(200, &json!({ "value": variables })))
}

async fn secret_for(cx: &Cx, name: &str) -> Result<String> {
    let draw = cx.draw();
    let made = cx.write(|txn| {
        let vm = vms::named(txn, name)?;
        vm_secrets::make(txn, &mut draw.clone(), &vm)
    });
    made.await?.ok_or_else(|| Fault::Internal.because("a virtual machine has no vmId"))
}

/// Every variable, in the order in which they are printed. `None` where there is no proxy to name.
pub(super) fn list(run: &Run, vm_secret: Option<&str>, sign_in: &SignIn) -> Option<Vec<Variable>> {
    let address = run.addresses.get("proxy")?;
    let proxy = match vm_secret {
        Some(secret) => format!("http://vm:{secret}@{address}"),
        None => format!("http://{address}"),
    };
    let bundle = run.bundle.display().to_string();
    let az = run.ca.parent().map(|folder| folder.join("az").display().to_string());
    let client = sign_in.client.as_ref();
    let rows = [
        ("HTTPS_PROXY", Some(proxy.clone())),
        ("https_proxy", Some(proxy.clone())),
        ("HTTP_PROXY", Some(proxy.clone())),
        ("http_proxy", Some(proxy)),
        // Set, not left alone: images of clouds list 169.254.169.254 here, and then nobody would ask the proxy for it.
        ("NO_PROXY", Some("localhost,127.0.0.1,::1".to_owned())),
        ("no_proxy", Some("localhost,127.0.0.1,::1".to_owned())),
        ("REQUESTS_CA_BUNDLE", Some(bundle.clone())),
        ("CURL_CA_BUNDLE", Some(bundle.clone())),
        ("SSL_CERT_FILE", Some(bundle)),
        ("NODE_EXTRA_CA_CERTS", Some(run.ca.display().to_string())),
        ("AZURE_TENANT_ID", Some(sign_in.tenant.clone())),
        ("AZURE_SUBSCRIPTION_ID", Some(sign_in.subscription.clone())),
        ("AZURE_CLIENT_ID", client.map(|(id, _)| id.clone())),
        ("AZURE_CLIENT_SECRET", client.map(|(_, secret)| secret.clone())),
        ("AZURE_CORE_COLLECT_TELEMETRY", Some("false".to_owned())),
        // az keeps sign-ins and the answers of discovery for a day: the real cloud's and ours must not meet.
        ("AZURE_CONFIG_DIR", az),
    ];
    Some(rows.into_iter().map(|(name, value)| Variable { name: name.to_owned(), value }).collect())
}

pub(super) async fn credentials(_cx: &Cx) -> Result<Reply> {
    Err(codes::NO_CREDENTIALS.bare())
}
