//! The stand-ins' own certificate authority, made anew at each start, and a
//! certificate for each vendor's names. ring is the only cryptography.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

pub const EARS_HOSTS: &[&str] = &["api.deepgram.com", "api.eu.deepgram.com", "api.au.deepgram.com"];
pub const MIND_HOSTS: &[&str] = &["api.anthropic.com"];
pub const VOICE_HOSTS: &[&str] = &[
    "api.elevenlabs.io",
    "api.us.elevenlabs.io",
    "api.eu.residency.elevenlabs.io",
    "api.in.residency.elevenlabs.io",
    "api.sg.residency.elevenlabs.io",
];

/// Every certificate is good for these too, for clients that are told an address.
const LOCAL: &[&str] = &["localhost", "127.0.0.1"];

#[derive(Debug, Error)]
pub enum MakeTls {
    #[error("making a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("setting up TLS")]
    Tls(#[from] rustls::Error),
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Result<Self, MakeTls> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// What a client must trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS 1.2 and 1.3 with HTTP/1.1 for `hosts`, and for the local names.
    pub fn server(&self, hosts: &[&str]) -> Result<Arc<ServerConfig>, MakeTls> {
        let names: Vec<String> = hosts.iter().chain(LOCAL).map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, hosts[0]);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A vendor's client in Python writes its first request on one thread while another
        // reads, and CPython before 3.13 does not guard a TLS connection against that: a
        // ticket that comes just then takes the request's bytes with it, and both sides wait.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}
