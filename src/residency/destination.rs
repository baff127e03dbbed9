use std::fmt;

use jiff::civil::Date;
use thiserror::Error;

/// A destination's name stands in tables and in JSON, so it stays short.
const ID_MAX: usize = 32;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidDestination {
    #[error("naming a destination: its name has 1 to 32 characters of a-z, 0-9 and '-', and `{0}` is none")]
    Name(String),
    #[error("naming a host: `{0}` is not NAME or NAME:PORT")]
    Host(String),
}

/// The name of a place where data may go: `deepgram`, `anthropic`, `lan-ears`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DestinationId(String);

impl DestinationId {
    pub fn parse(text: &str) -> Result<Self, InvalidDestination> {
        let of_it = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > ID_MAX || !text.bytes().all(of_it) {
            return Err(InvalidDestination::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host that belongs to a destination.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Host {
    /// A DNS name in lower case, or an address.
    pub name: String,
    pub port: u16,
}

impl Host {
    /// `NAME` or `NAME:PORT`; 443 without a port.
    pub fn parse(text: &str) -> Result<Self, InvalidDestination> {
        let wrong = || InvalidDestination::Host(text.to_owned());
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| wrong())?),
            None => (text, 443),
        };
        let of_it = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if name.is_empty() || name.len() > 253 || !name.bytes().all(of_it) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// The paper on which data goes to an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contract {
    pub name: String,
    pub signed: Date,
}

/// What the operator must be told in each request, and what was told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Safeguards {
    /// The data trains nobody's models (Deepgram `mip_opt_out=true`).
    pub training_opt_out: bool,
    /// Nothing is kept after the answer (ElevenLabs `enable_logging=false`).
    pub zero_retention: bool,
    /// Where the computing happens (Anthropic `inference_geo`).
    pub inference_region: Option<String>,
}

impl Safeguards {
    /// Whether everything that `required` asks for is among these.
    pub fn cover(&self, required: &Self) -> bool {
        let told = |asked: bool, sent: bool| sent || !asked;
        told(required.training_opt_out, self.training_opt_out)
            && told(required.zero_retention, self.zero_retention)
            && (required.inference_region.is_none() || required.inference_region == self.inference_region)
    }
}

/// A place where data may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    pub id: DestinationId,
    /// The legal entity that operates it.
    pub operator: String,
    /// The only hosts that are connected to for it.
    pub hosts: Vec<Host>,
    /// ISO 3166-1 alpha-2 code of the country where the data is processed;
    /// `on-site` hosts are the business's own and in no other country.
    pub country: String,
    /// Whether it stands in the business's own network; only then may a
    /// connection go without TLS.
    pub on_site: bool,
    pub contract: Option<Contract>,
    /// What every request to it must carry.
    pub safeguards: Safeguards,
    /// SHA-256 of the keys (SubjectPublicKeyInfo, DER) that it may show; empty:
    /// any certificate that the public roots vouch for.
    pub pins: Vec<[u8; 32]>,
}
