//! TLS to the server: what its address asks for, and the handshake that sees to it.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | none, `disable`, `prefer`, `allow` | no | |
//! | `require` | yes | is not looked at; with `sslrootcert`, as `verify-ca` |
//! | `verify-ca` | yes | is of an authority in `sslrootcert` |
//! | `verify-full` | yes | and is for the host's name |
//!
//! That is libpq's table, but for `prefer`: what may be encrypted or not, as whoever listens likes, is not called encrypted
//! here. `sslrootcert` is a file of certificates in PEM. A handshake runs where all else does, in the thread that waits
//! (`wire`). A socket of the host's own is never encrypted, as with libpq.

use std::{
    fmt, fs, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use azure::text::percent_decode;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::wire::Wire;
use crate::store::StoreError;

/// What an address says about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    check: Check,
    authorities: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Check {
    #[default]
    Nothing,
    Authority,
    AuthorityAndName,
}

impl Wish {
    /// Takes out of an address what only this knows, and leaves what the protocol's library understands.
    pub(super) fn take(url: &str) -> Result<(String, Self), StoreError> {
        let Some((place, query)) = url.split_once('?') else { return Ok((url.to_owned(), Self::default())) };
        let mut wish = Wish::default();
        let mut left = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("sslrootcert", path)) => {
                    wish.authorities =
                        Some(percent_decode(path).ok_or_else(|| wrong("`sslrootcert`", path))?);
                }
                Some(("sslmode", "verify-ca")) => {
                    wish.check = Check::Authority;
                    left.push("sslmode=require");
                }
                Some(("sslmode", "verify-full")) => {
                    wish.check = Check::AuthorityAndName;
                    left.push("sslmode=require");
                }
                Some(("sslmode", "allow")) => left.push("sslmode=prefer"),
                _ => left.push(parameter),
            }
        }
        if wish.authorities.is_some() && wish.check == Check::Nothing {
            wish.check = Check::Authority;
        }
        let url = if left.is_empty() { place.to_owned() } else { format!("{place}?{}", left.join("&")) };
        Ok((url, wish))
    }

    /// What a handshake goes by. Refuses to check without anybody to trust.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, StoreError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.check {
            Check::Nothing => Arc::new(Unchecked(provider.clone())),
            Check::Authority => Arc::new(AnyName(self.verifier(&provider)?)),
            Check::AuthorityAndName => self.verifier(&provider)?,
        };
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| wrong("TLS", error))?.dangerous();
        Ok(Arc::new(config.with_custom_certificate_verifier(verifier).with_no_client_auth()))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, StoreError> {
        let path = self.authorities.as_deref().ok_or_else(|| {
            wrong(
                "`sslmode`",
                "to check the server's certificate, `sslrootcert` has to name a file of authorities",
            )
        })?;
        let pem = fs::read(path).map_err(StoreError::io(format_args!("`sslrootcert`, `{path}`")))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(format_args!("`{path}`"), error))?;
            roots.add(certificate).map_err(|error| wrong(format_args!("`{path}`"), error))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        verifier.map_err(|error| wrong(format_args!("`{path}`"), error))
    }
}

fn wrong(what: impl fmt::Display, why: impl fmt::Display) -> StoreError {
    StoreError::database(format_args!("the store's address: {what}"), why.to_string())
}

/// One connection's handshake.
pub(super) struct Handshake {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl TlsConnect<Wire> for Handshake {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, wire: Wire) -> Self::Future {
        Box::pin(async move { TlsConnector::from(self.config).connect(self.name, wire).await.map(Encrypted) })
    }
}

/// Whether a handshake failed for a reason that stays: TLS was refused, or a certificate.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        match inner.downcast_ref::<io::Error>() {
            Some(io) if io.get_ref().is_some_and(|it| it.is::<rustls::Error>()) => {
                return Some(io.to_string());
            }
            None if inner.to_string().contains("server does not support TLS") => {
                return Some(inner.to_string());
            }
            _ => cause = inner.source(),
        }
    }
    None
}

/// The stream that a handshake gives.
pub(super) struct Encrypted(tokio_rustls::client::TlsStream<Wire>);

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Takes any certificate: encrypted against those who listen, and nothing against those who stand between.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate of a known authority, for whatever name. The chain is judged before the name, so a wrong name is
/// all that is wrong.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(certificate, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_checked() {
        let file = |path: &str| Some(path.to_owned());
        for (query, left, check, authorities) in [
            ("", "", Check::Nothing, None),
            ("?sslmode=require", "?sslmode=require", Check::Nothing, None),
            ("?sslmode=allow", "?sslmode=prefer", Check::Nothing, None),
            ("?sslmode=require&sslrootcert=%2Fa%20b", "?sslmode=require", Check::Authority, file("/a b")),
            ("?sslrootcert=x&sslmode=verify-ca", "?sslmode=require", Check::Authority, file("x")),
            (
                "?application_name=a&sslmode=verify-full&options=-cx%3Dy",
                "?application_name=a&sslmode=require&options=-cx%3Dy",
                Check::AuthorityAndName,
                None,
            ),
        ] {
            let taken = Wish::take(&format!("postgres://u:p@h/d{query}")).expect(query);
            assert_eq!(taken, (format!("postgres://u:p@h/d{left}"), Wish { check, authorities }), "{query}");
        }
    }

    #[test]
    fn who_checks_needs_somebody_to_trust() {
        let (_, wish) = Wish::take("postgres://h/d?sslmode=verify-full").expect("is read");
        let error = wish.config().expect_err("nobody is trusted").to_string();
        assert!(error.contains("sslrootcert"), "{error}");
        let (_, wish) = Wish::take("postgres://h/d?sslmode=verify-ca&sslrootcert=/nowhere").expect("is read");
        let error = wish.config().expect_err("is not there").to_string();
        assert!(error.contains("`/nowhere`"), "{error}");
    }
}
