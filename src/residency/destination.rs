use std::fmt;
use std::net::IpAddr;

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
    /// Of HTTPS (RFC 9110, section 4.2.2): here even a server in the business's own network
    /// speaks TLS.
    pub const HTTPS_PORT: u16 = 443;

    /// Whether the name by itself shows that it stands in the business's own
    /// network: a private address (RFC 1918, RFC 3927, RFC 4193), a bare name, or
    /// a name under a domain that is nobody's on the internet (RFC 6762, RFC 8375,
    /// `.internal`, `.lan`).
    pub fn is_of_own_network(&self) -> bool {
        match self.name.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
            Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
            Err(_) => {
                let name = self.name.trim_end_matches('.');
                // Digits and dots that are no address may yet be read as one.
                let numeric =
                    name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
                let own = [".local", ".home.arpa", ".internal", ".lan"].iter().any(|end| name.ends_with(end));
                !numeric && (own || !name.contains('.'))
            }
        }
    }

    /// `NAME` or `NAME:PORT`; 443 without a port.
    pub fn parse(text: &str) -> Result<Self, InvalidDestination> {
        let wrong = || InvalidDestination::Host(text.to_owned());
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| wrong())?),
            None => (text, Self::HTTPS_PORT),
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

    /// What `required` asks for and is not among these, as the policy's file has it.
    pub fn lacking(&self, required: &Self) -> Vec<String> {
        let mut lacking = Vec::new();
        if required.training_opt_out && !self.training_opt_out {
            lacking.push("training_opt_out".to_owned());
        }
        if required.zero_retention && !self.zero_retention {
            lacking.push("zero_retention".to_owned());
        }
        if let Some(region) =
            required.inference_region.as_ref().filter(|region| self.inference_region.as_ref() != Some(region))
        {
            lacking.push(format!("inference_region = \"{region}\""));
        }
        lacking
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

/// Which of a destination's hosts an engine asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AskedHost {
    /// The one that the business names for this engine.
    Named(Host),
    /// The first that the policy has: one that is moved there is followed. It holds
    /// the one of the start, for a policy that has none.
    First(Host),
}

impl AskedHost {
    /// The host to ask at a destination, as the policy describes it now.
    pub fn at<'a>(&'a self, destination: Option<&'a Destination>) -> &'a Host {
        match self {
            Self::Named(host) => host,
            Self::First(host) => destination.and_then(|d| d.hosts.first()).unwrap_or(host),
        }
    }
}

impl From<Host> for AskedHost {
    fn from(host: Host) -> Self {
        Self::Named(host)
    }
}

impl Destination {
    /// Whether the promise that nothing goes out without a contract holds data
    /// back. What stands in the business's own network is the business itself,
    /// and nobody else receives anything there.
    pub const fn lacks_contract(&self) -> bool {
        !self.on_site && self.contract.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_the_own_network_is_known_by_its_name() {
        let own = ["10.0.0.7:9000", "192.168.1.4", "127.0.0.1:8080", "ears", "ears.local", "nas.lan", "x.home.arpa"];
        let foreign = ["api.deepgram.com", "8.8.8.8", "172.15.0.1", "local.example.com", "0x0a000001", "010.1", "1"];
        for (names, expected) in [(&own[..], true), (&foreign[..], false)] {
            for name in names {
                assert_eq!(Host::parse(name).unwrap().is_of_own_network(), expected, "{name}");
            }
        }
    }
}
