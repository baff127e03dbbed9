//! Whom the door believes: certificates that the public roots (and those that
//! the business adds) vouch for, and, where a destination has pins, one of its
//! keys besides. TLS 1.2 and 1.3, `ring` alone.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use thiserror::Error;

use crate::ops::WallSource;
use crate::residency::Destination;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidRoot {
    #[error("reading a root certificate: it is not PEM, or holds no certificate")]
    Pem,
    #[error("reading a root certificate: it is not one of an authority")]
    Certificate,
}

/// The authorities that vouch for certificates.
#[derive(Clone, Debug)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Those that Mozilla trusts, as of the build.
    pub fn public() -> Self {
        Self(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// And the certificates in a PEM file: a business's own authority.
    pub fn and_pem(mut self, pem: &[u8]) -> Result<Self, InvalidRoot> {
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self = self.and_der(certificate.map_err(|_| InvalidRoot::Pem)?)?;
            any = true;
        }
        if any { Ok(self) } else { Err(InvalidRoot::Pem) }
    }

    /// And one certificate.
    pub fn and_der(mut self, certificate: CertificateDer<'_>) -> Result<Self, InvalidRoot> {
        self.0.add(certificate.into_owned()).map_err(|_| InvalidRoot::Certificate)?;
        Ok(self)
    }
}

/// What makes a TLS client for a destination.
#[derive(Clone)]
pub(super) struct Trust {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    wall: WallSource,
}

impl Trust {
    pub(super) fn new(roots: Roots, wall: WallSource) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self { roots: Arc::new(roots.0), provider, wall }
    }

    /// A client that believes what `destination` may show. Each has one of its
    /// own, so that what is resumed was verified under the same pins.
    pub(super) fn client(&self, destination: &Destination) -> Result<Arc<ClientConfig>, TlsError> {
        let algorithms = self.provider.signature_verification_algorithms;
        let vouched = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), self.provider.clone());
        let vouched = vouched.build().map_err(|error| TlsError::General(error.to_string()))?;
        let verifier: Arc<dyn ServerCertVerifier> = match (destination.pins.is_empty(), destination.on_site) {
            (true, _) => vouched,
            (false, false) => Arc::new(Pinned { pins: destination.pins.clone(), vouched: Some(vouched), algorithms }),
            // A server in the business's own network vouches for itself: no
            // authority knows its name, and its key alone is as good.
            (false, true) => Arc::new(Pinned { pins: destination.pins.clone(), vouched: None, algorithms }),
        };
        let clock = Arc::new(Wall(self.wall.clone()));
        let mut config = ClientConfig::builder_with_details(self.provider.clone(), clock)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The box's calendar clock, for what has expired.
struct Wall(WallSource);

impl std::fmt::Debug for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wall")
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Asks for one of the pinned keys, beside what the roots vouch for.
#[derive(Debug)]
struct Pinned {
    pins: Vec<[u8; 32]>,
    /// None where the pin is all there is.
    vouched: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let shown = ring::digest::digest(&ring::digest::SHA256, key.as_ref());
        if !self.pins.iter().any(|pin| pin == shown.as_ref()) {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        match &self.vouched {
            Some(roots) => roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_roots_are_there_and_a_file_without_a_certificate_adds_none() {
        assert!(Roots::public().0.len() > 100);
        assert_eq!(Roots::public().and_pem(b"no certificate").err(), Some(InvalidRoot::Pem));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Roots::public().and_pem(garbage.as_bytes()).err(), Some(InvalidRoot::Certificate));
    }
}
