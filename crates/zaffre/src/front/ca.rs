//! The certificate authority of this machine: made at the first start, a leaf for each name when first asked for.
//!
//! Clients trust one file, `ca/bundle.pem` (for Java `ca/truststore.jks`): our certificate and, where the machine has them, the public roots that its own
//! clients trust, because a client given a bundle reads nothing else (az-cli.md §2) and other hosts pass through the proxy.
//! The key never leaves the machine; its file is its owner's alone. Keys are P-256 throughout: clients open a connection for
//! every few requests, so handshakes dominate, and a leaf is minted once for each name and kept in memory.
//!
//! Whoever has the key can be none but Azure's names and this machine: the certificate says for which names it holds (name
//! constraints, RFC 5280 §4.2.1.10), so that to trust it is to trust it with nothing else (docs/decisions/proxy.md).
//!
//! What is deliberately not here: revocation, intermediates, renewal. Whoever removes the folder gets a new authority.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv6Addr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use azure::{der, time::Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

use super::{route, truststore};
use crate::{
    StartError,
    keys::{self, SigningKey},
};

const AUTHORITY_YEARS: i32 = 10;
/// Clients refuse leaves that hold for longer than 398 days.
const LEAF_DAYS: u32 = 390;
const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
/// Far more names than anybody calls; beyond it the oldest work is done again.
const LEAVES_KEPT: usize = 4096;

/// Whom documents about machines are signed by (imds.md §6).
const METADATA: &str = "metadata.azure.com";
/// Where whoever checks one finds our certificate: the catalogue answers.
pub(super) const AUTHORITY_URL: &str = "http://metadata.azure.com/certificates/authority.cer";

/// Where systems keep the public roots that their clients trust.
pub(crate) static SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The first of them that can be read, and what it holds.
pub(crate) fn public_roots() -> Option<(&'static str, Vec<u8>)> {
    SYSTEM_ROOTS.iter().find_map(|path| Some((*path, fs::read(path).ok()?)))
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    folder: PathBuf,
    now: fn() -> Timestamp,
    leaves: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    /// Signs what machines are told of themselves; made when it is first asked for.
    documents: Mutex<Option<Arc<SigningKey>>>,
}

impl Authority {
    /// The authority kept in a folder, which is made if need be. `now` is the system's time: certificates are judged by
    /// the clients' clocks, never by a cloud's.
    pub fn open(folder: &Path, now: fn() -> Timestamp) -> Result<Self, StartError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let key = match fs::read_to_string(folder.join("ca.key")) {
            Ok(pem) => KeyPair::from_pem(&pem)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => made_key(folder)?,
            Err(error) => {
                return Err(format!("cannot read `{}`: {error}", folder.join("ca.key").display()).into());
            }
        };
        let params = authority_params(&key, now());
        let certificate = match read_certificate(&folder.join("ca.pem")) {
            Some(pem) => pem,
            None => {
                let pem = params.self_signed(&key)?.pem();
                write_whole(&folder.join("ca.pem"), pem.as_bytes(), 0o644)?;
                pem
            }
        };
        let issuer = Issuer::new(params, key);
        Ok(Authority {
            issuer,
            certificate,
            folder: folder.to_owned(),
            now,
            leaves: Mutex::default(),
            documents: Mutex::default(),
        })
    }

    /// One that is kept nowhere, for a cloud without listeners.
    pub fn in_memory(now: fn() -> Timestamp) -> Result<Self, StartError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = authority_params(&key, now());
        let certificate = params.self_signed(&key)?.pem();
        Ok(Authority {
            issuer: Issuer::new(params, key),
            certificate,
            folder: PathBuf::new(),
            now,
            leaves: Mutex::default(),
            documents: Mutex::default(),
        })
    }

    /// A short name for its key: no other authority has the same.
    pub fn print(&self) -> String {
        print(self.issuer.key())
    }

    /// Our own certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The same, DER.
    pub fn certificate_der(&self) -> Result<Vec<u8>, StartError> {
        Ok(CertificateDer::from_pem_slice(self.certificate.as_bytes())?.to_vec())
    }

    pub fn certificate_path(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub fn bundle_path(&self) -> PathBuf {
        self.folder.join("bundle.pem")
    }

    /// Writes what clients are to trust, ours first, and the same for Java. Gives the file of public roots that was found,
    /// if one was.
    pub fn write_bundle(&self) -> io::Result<Option<&'static str>> {
        let found = public_roots();
        let mut bundle = self.certificate.clone().into_bytes();
        if let Some((_, roots)) = &found {
            bundle.extend_from_slice(roots);
        }
        write_whole(&self.bundle_path(), &bundle, 0o644)?;
        let store = truststore::jks(&bundle, (self.now)());
        write_whole(&self.folder.join("truststore.jks"), &store, 0o644)?;
        Ok(found.map(|(path, _)| path))
    }

    /// The leaf for a name or an address, minted the first time.
    pub fn leaf(&self, name: &str) -> Result<Arc<CertifiedKey>, StartError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut leaves = self.leaves.lock().expect("no holder of this lock panics");
        if let Some(leaf) = leaves.get(&name) {
            return Ok(Arc::clone(leaf));
        }
        if leaves.len() >= LEAVES_KEPT {
            leaves.clear();
        }
        let leaf = Arc::new(self.mint(&name)?);
        leaves.insert(name, Arc::clone(&leaf));
        Ok(leaf)
    }

    /// The key that signs documents about machines, RSA as Azure's is, certified for `metadata.azure.com`. The first
    /// call takes about a tenth of a second of one core.
    pub fn document_key(&self) -> Result<Arc<SigningKey>, StartError> {
        let mut kept = self.documents.lock().expect("no holder of this lock panics");
        if let Some(key) = &*kept {
            return Ok(Arc::clone(key));
        }
        let names = [METADATA, &format!("*.{METADATA}")].map(str::to_owned).to_vec();
        let mut params = self.leaf_params(names, METADATA)?;
        params.custom_extensions = vec![issuer_access(AUTHORITY_URL)];
        let certify = |key: &KeyPair| Ok(params.signed_by(key, &self.issuer)?.der().to_vec());
        let key = Arc::new(SigningKey::generate_certified((self.now)(), certify)?);
        *kept = Some(Arc::clone(&key));
        Ok(key)
    }

    fn leaf_params(&self, names: Vec<String>, common: &str) -> Result<CertificateParams, StartError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = (self.now)();
        let (from, until) = (now.minus(DAY).civil(), now.plus(DAY * LEAF_DAYS).civil());
        params.not_before = rcgen::date_time_ymd(from.year as i32, from.month as u8, from.day as u8);
        params.not_after = rcgen::date_time_ymd(until.year as i32, until.month as u8, until.day as u8);
        Ok(params)
    }

    fn mint(&self, name: &str) -> Result<CertifiedKey, StartError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = self.leaf_params(subjects(name), common_name(name))?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&private)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
    }
}

/// Authority information access: where the issuer's certificate is fetched (RFC 5280 §4.2.2.1).
fn issuer_access(url: &str) -> CustomExtension {
    const ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
    const ISSUERS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 2];
    // `[6]` of a general name: an address.
    let address = der::value(0x86, url.as_bytes());
    let description = der::sequence([&der::oid(ISSUERS), &address]);
    CustomExtension::from_oid_content(ACCESS, der::sequence([&description]))
}

/// The names that a leaf answers for: a local one for all of this machine's.
fn subjects(name: &str) -> Vec<String> {
    match name {
        "localhost" | "127.0.0.1" | "::1" => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        other => vec![other.to_owned()],
    }
}

/// A common name holds 64 characters; clients read the alternative names, of any length.
fn common_name(name: &str) -> &str {
    if name.len() <= 64 { name } else { "zaffre" }
}

/// Named after its key, so that two authorities in one trust store are never taken for each other.
fn authority_params(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Zaffre on this machine ({})", print(key)));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.name_constraints = Some(constraints());
    let year = now.civil().year as i32;
    params.not_before = rcgen::date_time_ymd(year - 1, 1, 1);
    params.not_after = rcgen::date_time_ymd(year + AUTHORITY_YEARS, 1, 1);
    params
}

/// The names that the proxy answers, and this machine.
fn constraints() -> NameConstraints {
    let answered = route::answered();
    let is_name = |it: &&str| it.parse::<IpAddr>().is_err();
    let names =
        answered.exact.into_iter().filter(is_name).chain(answered.under.iter().copied()).chain(["localhost"]);
    let names = names.map(|it| GeneralSubtree::DnsName(it.to_owned()));
    let here = [
        CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8),
        CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128),
    ];
    let permitted_subtrees = names.chain(here.map(GeneralSubtree::IpAddress)).collect();
    NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() }
}

fn print(key: &KeyPair) -> String {
    keys::sha256(key.public_key_raw())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn made_key(folder: &Path) -> Result<KeyPair, StartError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    // A certificate of a lost key would be served and never verify.
    let _ = fs::remove_file(folder.join("ca.pem"));
    write_whole(&folder.join("ca.key"), key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

/// What is no certificate is as good as none: it is made again from the key.
fn read_certificate(path: &Path) -> Option<String> {
    let pem = fs::read_to_string(path).ok()?;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(pem)
}

/// Writes a file whole or not at all, with its mode from its first moment.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
