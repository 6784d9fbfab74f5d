//! S3: where `--content s3://bucket/prefix` leads, by the variables that its other clients know.
//!
//! | variable | |
//! |---|---|
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | who asks; `AWS_SESSION_TOKEN` with keys that pass |
//! | `AWS_REGION`, `AWS_DEFAULT_REGION` | `us-east-1`, if none is said |
//! | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` | a server other than Amazon's; `http://` too |
//! | `AWS_CA_BUNDLE` | who vouches for it, PEM; else those whom the system trusts |
//!
//! Keys are never asked of a metadata service: on a machine with one, that would be somebody else's 169.254.169.254 than the
//! one this program is. Connections go to the one endpoint and nowhere else (`transport`).

mod transport;

use std::{fs, sync::Arc, time::Duration};

use http::Uri;
use object_store::{BackoffConfig, RetryConfig, aws::AmazonS3Builder};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use self::transport::Transport;
use crate::{StartError, front::ca::SYSTEM_ROOTS, store::Objects};

/// How long a bucket that does not answer is tried before whoever waits is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bucket, and the part of it that is meant.
pub struct Place {
    pub objects: Arc<dyn Objects>,
    pub prefix: String,
    /// As the user wrote it.
    pub name: String,
}

/// Whether an address is one of S3's.
pub fn is_address(address: &str) -> bool {
    address.starts_with("s3://")
}

/// Makes the way to a bucket. Asks it nothing yet.
pub fn open(address: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Place, StartError> {
    let (bucket, prefix) = split(address)?;
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|it| !it.is_empty()));
    let needed = |name: &str| first(&[name]).ok_or_else(|| format!("`{address}` needs {name} to be set"));
    let region = first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
    let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let uri: Uri = endpoint.parse().map_err(|error| format!("the endpoint `{endpoint}`: {error}"))?;
    let roots = || trusted(first(&["AWS_CA_BUNDLE"]).as_deref());
    let transport =
        Transport::to(&uri, roots).map_err(|error| format!("the endpoint `{endpoint}`: {error}"))?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_endpoint(endpoint.trim_end_matches('/'))
        .with_allow_http(uri.scheme_str() == Some("http"))
        .with_access_key_id(needed("AWS_ACCESS_KEY_ID")?)
        .with_secret_access_key(needed("AWS_SECRET_ACCESS_KEY")?)
        .with_http_connector(transport)
        .with_retry(RetryConfig {
            backoff: BackoffConfig { init_backoff: Duration::from_millis(50), ..BackoffConfig::default() },
            max_retries: 6,
            retry_timeout: PATIENCE,
        });
    if let Some(token) = first(&["AWS_SESSION_TOKEN"]) {
        builder = builder.with_token(token);
    }
    let objects = builder.build().map_err(|error| format!("`{address}`: {error}"))?;
    Ok(Place {
        objects: Arc::new(objects),
        prefix: prefix.to_owned(),
        name: address.trim_end_matches('/').to_owned(),
    })
}

fn split(address: &str) -> Result<(&str, &str), StartError> {
    let place =
        address.strip_prefix("s3://").ok_or_else(|| format!("`{address}` is no address of a bucket"))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(format!("`{address}` names no bucket").into());
    }
    Ok((bucket, prefix.trim_end_matches('/')))
}

/// What a handshake goes by.
fn trusted(bundle: Option<&str>) -> Result<Arc<ClientConfig>, StartError> {
    let pem = match bundle {
        Some(path) => fs::read(path).map_err(|error| format!("AWS_CA_BUNDLE, `{path}`: {error}"))?,
        None => SYSTEM_ROOTS
            .iter()
            .find_map(|path| fs::read(path).ok())
            .ok_or("this machine has no public roots that we know of: set AWS_CA_BUNDLE")?,
    };
    let mut roots = RootCertStore::empty();
    // A system's bundle may hold some that this library does not take.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(address: &str, variables: &[(&str, &str)]) -> Result<Place, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        open(address, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_a_bucket_and_a_prefix_and_the_variables_say_the_rest() {
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let at = |endpoint| [&keys[..], &[("AWS_ENDPOINT_URL", endpoint)]].concat();
        for (address, prefix) in [("s3://b", ""), ("s3://b/", ""), ("s3://b/some/where/", "some/where")] {
            let place = opened(address, &at("http://127.0.0.1:1")).expect(address);
            assert_eq!(place.prefix, prefix, "{address}");
        }
        for (address, variables, said) in [
            ("s3:///x", at("http://127.0.0.1:1"), "names no bucket"),
            ("s3://b", vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], "AWS_ACCESS_KEY_ID"),
            ("s3://b", at("ftp://127.0.0.1"), "ftp://127.0.0.1"),
            (
                "s3://b",
                [&at("https://localhost:1")[..], &[("AWS_CA_BUNDLE", "/nowhere")]].concat(),
                "`/nowhere`",
            ),
        ] {
            let error = opened(address, &variables).map(drop).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }
}
