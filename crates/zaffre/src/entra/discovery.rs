//! The documents by which clients find everything else (entra.md §1).

use azure::{error::Result, text};
use serde_json::{Value, json};

use super::{
    codes,
    routes::{Tenant, Version},
};
use crate::service::{Cx, Parts, Reply};

/// Where the documents point, however they were reached.
const LOGIN: &str = "https://login.microsoftonline.com";

/// Clouds of Azure with all the names of each, the preferred one for requests first; clients cache
/// tokens by the second (entra.md §1.2).
static INSTANCES: &[(&str, &str, &[&str])] = &[
    (
        "login.microsoftonline.com",
        "login.windows.net",
        &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    ),
    (
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    ),
    ("login.microsoftonline.de", "login.microsoftonline.de", &["login.microsoftonline.de"]),
    (
        "login.microsoftonline.us",
        "login.microsoftonline.us",
        &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    ),
    ("login-us.microsoftonline.com", "login-us.microsoftonline.com", &["login-us.microsoftonline.com"]),
];

static CLAIMS: &[&str] = &[
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
];

/// How the tenant's segment is written in documents: always by id, where it is one tenant.
fn segment(cx: &Cx, tenant: Tenant) -> String {
    match tenant {
        Tenant::This => cx.cloud.charter.tenant.to_string(),
        Tenant::Common => "common".to_owned(),
        Tenant::Organizations => "organizations".to_owned(),
        Tenant::Consumers => "consumers".to_owned(),
    }
}

/// The issuer; where many tenants are meant, with the literal `{tenantid}` in it.
fn issuer(cx: &Cx, tenant: Tenant, version: Version) -> String {
    let tenant = match tenant {
        Tenant::This => segment(cx, tenant),
        Tenant::Common | Tenant::Organizations | Tenant::Consumers => "{tenantid}".to_owned(),
    };
    match version {
        Version::V1 => format!("https://sts.windows.net/{tenant}/"),
        Version::V2 => format!("{LOGIN}/{tenant}/v2.0"),
    }
}

pub(super) fn configuration(cx: &Cx, tenant: Tenant, version: Version) -> Reply {
    let base = format!("{LOGIN}/{}", segment(cx, tenant));
    let (oauth2, keys) = match version {
        Version::V1 => (format!("{base}/oauth2"), format!("{base}/discovery/keys")),
        Version::V2 => (format!("{base}/oauth2/v2.0"), format!("{base}/discovery/v2.0/keys")),
    };
    let mut document = json!({
        "token_endpoint": format!("{oauth2}/token"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": keys,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(cx, tenant, version),
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": format!("{oauth2}/authorize"),
        "device_authorization_endpoint": format!("{oauth2}/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{oauth2}/logout"),
        "claims_supported": CLAIMS,
        "kerberos_endpoint": format!("{base}/kerberos"),
        "tenant_region_scope": match tenant { Tenant::This => json!("EU"), _ => Value::Null },
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    });
    if version == Version::V1 {
        document["check_session_iframe"] = json!(format!("{oauth2}/checksession"));
    }
    public(&document)
}

/// The ring's public keys, oldest first: a token signed before a rotation goes on verifying.
pub(super) fn keys(cx: &Cx, tenant: Tenant, version: Version) -> Reply {
    let issuer = issuer(cx, tenant, Version::V2);
    let keys = cx.env.keys.current(cx.now).into_iter().map(|key| {
        let mut entry = json!({
            "kty": "RSA",
            "use": "sig",
            "kid": key.kid,
            "x5t": key.kid,
            "n": text::base64url(&key.modulus),
            "e": text::base64url(&key.exponent),
            "x5c": [text::base64(&key.certificate)],
        });
        if version == Version::V2 {
            entry["issuer"] = json!(issuer);
        }
        entry
    });
    public(&json!({ "keys": keys.collect::<Vec<_>>() }))
}

/// What MSAL asks about a host it does not know.
pub(crate) struct InstanceQuery {
    /// The tenant and the version of the endpoint asked about.
    tenant: String,
    version: Version,
    with_metadata: bool,
}

impl InstanceQuery {
    pub(super) fn read(parts: &Parts) -> Result<Self> {
        let field = |name: &'static str| {
            let value = parts.query(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| codes::MISSING_FIELD.with([name]))
        };
        let version = field("api-version")?;
        let endpoint =
            field("authorization_endpoint")?.strip_prefix("https://").ok_or(&codes::UNKNOWN_INSTANCE)?;
        let mut segments = endpoint.split('/');
        let host = segments.next().unwrap_or_default().to_ascii_lowercase();
        let is_known = INSTANCES.iter().any(|(_, _, aliases)| aliases.contains(&host.as_str()));
        match segments.next().filter(|tenant| is_known && !tenant.is_empty()) {
            None => Err((&codes::UNKNOWN_INSTANCE).into()),
            Some(tenant) => Ok(InstanceQuery {
                tenant: tenant.to_owned(),
                version: if segments.any(|it| it == "v2.0") { Version::V2 } else { Version::V1 },
                with_metadata: version != "1.0",
            }),
        }
    }
}

pub(super) fn instance(asked: &InstanceQuery) -> Reply {
    let version = if asked.version == Version::V2 { "/v2.0" } else { "" };
    let endpoint = format!("{LOGIN}/{}{version}/.well-known/openid-configuration", asked.tenant);
    let mut document = json!({ "tenant_discovery_endpoint": endpoint });
    if asked.with_metadata {
        let metadata = INSTANCES.iter().map(|(network, cache, aliases)| {
            json!({ "preferred_network": network, "preferred_cache": cache, "aliases": aliases })
        });
        document["api-version"] = json!("1.1");
        document["metadata"] = metadata.collect();
    }
    public(&document)
}

/// Whether a name signs in here. Nobody's domain is federated.
pub(super) fn user_realm(cx: &Cx, user: &str) -> Reply {
    let domain = user.rsplit_once('@').map_or("", |(_, domain)| domain);
    let is_ours = domain.eq_ignore_ascii_case(&cx.cloud.charter.domain);
    Reply::json(
        200,
        &json!({
            "ver": "1.0",
            "account_type": if is_ours { "Managed" } else { "Unknown" },
            "domain_name": domain,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }),
    )
}

/// A document for everyone, browsers of other origins too.
fn public(document: &Value) -> Reply {
    Reply::json(200, document)
        .with("cache-control", "max-age=86400, private")
        .with("access-control-allow-origin", "*")
}
