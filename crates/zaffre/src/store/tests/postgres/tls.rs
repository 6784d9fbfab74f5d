//! Connections that are encrypted, to servers that prove who they are or not.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::store::{Raw, Store, Table};

use super::{
    super::{CLOUD, commit_number, committed},
    cluster::{self, Cluster, is_wanted, schema_of},
    proxy::Proxy,
};

/// An authority's certificate, and one that it gave to `localhost`.
fn certificates(folder: &Path, name: &str) -> [PathBuf; 3] {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("signs");
    let at = |what: &str| folder.join(format!("{name}.{what}"));
    fs::write(at("ca"), authority.pem()).expect("writes");
    fs::write(at("crt"), leaf.pem()).expect("writes");
    let mut file = fs::OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(at("key")).expect("creates");
    std::io::Write::write_all(&mut file, key.serialize_pem().as_bytes()).expect("writes");
    [at("ca"), at("crt"), at("key")]
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port()
}

/// A server that takes encrypted connections at a port, the authority that vouches for it, and one that does not.
fn encrypted() -> Option<(Cluster, u16, PathBuf, PathBuf)> {
    is_wanted().then(|| {
        let port = free_port();
        let mut authorities = Vec::new();
        let cluster = Cluster::start(port, |folder| {
            let [own, certificate, key] = certificates(folder, "own");
            let [other, ..] = certificates(folder, "other");
            authorities.extend([own, other]);
            vec![
                "listen_addresses=127.0.0.1".to_owned(),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", certificate.display()),
                format!("ssl_key_file={}", key.display()),
            ]
        });
        let other = authorities.pop().expect("two");
        (cluster, port, authorities.pop().expect("two"), other)
    })
}

#[tokio::test]
async fn each_sslmode_checks_what_it_says() {
    let Some((cluster, port, own, other)) = encrypted() else { return };
    let (own, other) = (own.display().to_string(), other.display().to_string());
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND application_name = 'zaffre'";
    for (host, query, said) in [
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={other}"), Some("invalid peer certificate")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={own}"), None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={own}"), None),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={own}"), Some("not valid for name")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), Some("invalid peer certificate")),
        ("localhost", "sslmode=verify-full".to_owned(), Some("sslrootcert")),
    ] {
        let store = Store::connect(&format!("postgres://zaffre@{host}:{port}/postgres?{query}"));
        match (said, store) {
            (None, Ok(store)) => {
                commit_number(&store, "n", 7).await;
                assert_eq!(committed(&store, "n").await, 7);
                assert_ne!(cluster.sql("postgres", encrypted), "0", "{host} {query}");
            }
            (Some(said), Err(error)) => assert!(error.to_string().contains(said), "{host} {query}: {error}"),
            (None, Err(error)) => panic!("{host} {query}: {error}"),
            (Some(_), Ok(_)) => panic!("{host} {query}: was connected"),
        }
    }
    let plain = Store::connect(&format!("postgres://zaffre@localhost:{port}/postgres?sslmode=disable"));
    assert_eq!(committed(&plain.expect("connects"), "n").await, 7);
}

#[tokio::test]
async fn large_values_and_long_scans_come_whole_through_an_encrypted_connection() {
    const LARGE: Table<u64, Raw> = Table::new("large");
    let Some((_cluster, port, own, _)) = encrypted() else { return };
    let address = format!(
        "postgres://zaffre@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={}",
        own.display()
    );
    let store = Store::connect(&address).expect("connects");
    let value = Raw(Bytes::from((0..3_000_000_u32).map(|at| (at >> 8) as u8).collect::<Vec<_>>()));
    for key in 0..4 {
        store.write(CLOUD, |txn| LARGE.put(txn, &key, &value)).await.expect("commits");
    }
    let rows = store.read(CLOUD, |txn| LARGE.scan(txn, &(), None, 9)).await.expect("scans");
    assert!(rows.len() == 4 && rows.iter().all(|(_, row)| *row == value));
}

#[test]
fn a_server_that_does_not_encrypt_is_refused_at_once_when_that_was_asked_for() {
    let Some(cluster) = cluster::shared() else { return };
    let address = cluster.fresh();
    let proxy = Proxy::start(cluster.socket());
    let address = cluster.address(&proxy.address.to_string(), schema_of(&address));
    let refused = Store::connect(&format!("{address}&sslmode=require")).map(drop);
    let error = refused.expect_err("is not encrypted").to_string();
    assert!(error.contains("does not support TLS"), "{error}");
}
