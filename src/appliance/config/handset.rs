//! The business's own telephones, `[[handset]]`: where they are, and whose.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::call::Handset;
use crate::knowledge::MAX_PEOPLE;
use crate::terms::{HandsetId, is_on_site};

/// As many as there can be people in the knowledge file, each with one. A larger house
/// has a switchboard, which is one.
pub(super) const HANDSETS_MAX: usize = MAX_PEOPLE;

/// The port of SIP where an address names none (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;

/// The part before the host is a telephone's name or number; no telephone has a longer one.
const USER_CHARS_MAX: usize = 64;

/// A telephone, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandsetSection {
    id: String,
    address: HandsetAddress,
    /// Names or roles as in the knowledge file; without them it rings for anybody.
    people: Option<Vec<String>>,
    #[serde(default = "default_ring")]
    ring_s: u32,
}

/// Four rings: who has not come by then is not there.
const fn default_ring() -> u32 {
    20
}

/// A telephone, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandsetConfig {
    pub handset: Handset,
    pub address: HandsetAddress,
}

/// Where a telephone of the business's own network is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct HandsetAddress {
    user: String,
    at: SocketAddr,
    by_tcp: bool,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum WrongAddress {
    #[error("\"{0}\" is no address of a telephone, which is like sip:reception@192.168.1.20:5060")]
    Form(String),
    #[error("the host \"{0}\" is no address of digits such as 192.168.1.20; names are not looked up")]
    Name(String),
    #[error(
        "{0} is outside the business's own network (10.x, 172.16.x to 172.31.x, 192.168.x, fd00:, this box), and a \
         caller's voice would leave the site"
    )]
    Outside(IpAddr),
    #[error("\";{0}\" is not understood; a telephone is rung over UDP, or over TCP with ;transport=tcp")]
    Parameter(String),
}

impl TryFrom<String> for HandsetAddress {
    type Error = WrongAddress;

    fn try_from(text: String) -> Result<Self, WrongAddress> {
        let form = || WrongAddress::Form(text.clone());
        let (user, place) = text.strip_prefix("sip:").and_then(|rest| rest.split_once('@')).ok_or_else(form)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+*".contains(c);
        if !(1..=USER_CHARS_MAX).contains(&user.len()) || !user.chars().all(is_plain) {
            return Err(form());
        }
        let mut parts = place.split(';');
        let at = place_of(parts.next().unwrap_or_default()).ok_or_else(form)??;
        let mut by_tcp = false;
        for parameter in parts {
            by_tcp = match parameter {
                "transport=udp" => false,
                "transport=tcp" => true,
                other => return Err(WrongAddress::Parameter(other.to_owned())),
            };
        }
        if !is_on_site(at.ip()) {
            return Err(WrongAddress::Outside(at.ip()));
        }
        Ok(Self { user: user.to_owned(), at, by_tcp })
    }
}

/// Host and port; none where what follows the host is no port.
fn place_of(text: &str) -> Option<Result<SocketAddr, WrongAddress>> {
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':')?)),
        Some(None) => return None,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(SIP_PORT), str::parse::<u16>).ok().filter(|port| *port > 0)?;
    Some(match host.parse::<IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, port)),
        Err(_) => Err(WrongAddress::Name(host.to_owned())),
    })
}

impl fmt::Display for HandsetAddress {
    /// As SIP writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.by_tcp { ";transport=tcp" } else { "" };
        write!(f, "sip:{}@{}{transport}", self.user, self.at)
    }
}

impl HandsetSection {
    /// What is needed of it, or the key that is wrong and why.
    pub(super) fn checked(self) -> Result<HandsetConfig, (&'static str, String)> {
        let id = HandsetId::parse(&self.id).map_err(|e| ("handset.id", e.to_string()))?;
        if !(5..=60).contains(&self.ring_s) {
            return Err(("handset.ring_s", "it is 5 to 60 seconds; 20 suits most".to_owned()));
        }
        if self.people.as_ref().is_some_and(|people| people.is_empty() || people.len() > MAX_PEOPLE) {
            let what = format!("it names 1 to {MAX_PEOPLE} people; leave it out where it rings for anybody");
            return Err(("handset.people", what));
        }
        let people = self.people.unwrap_or_default();
        let rings = Duration::from_secs(u64::from(self.ring_s));
        Ok(HandsetConfig { handset: Handset { id, people, rings }, address: self.address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<HandsetAddress, WrongAddress> {
        text.to_owned().try_into()
    }

    fn checked(text: &str) -> Result<HandsetConfig, (&'static str, String)> {
        toml::from_str::<HandsetSection>(text).expect("the keys are known").checked()
    }

    #[test]
    fn a_telephone_is_at_an_address_of_the_business_itself() {
        for (written, rung) in [
            ("sip:reception@192.168.1.20", "sip:reception@192.168.1.20:5060"),
            ("sip:20@10.0.0.9:5070;transport=tcp", "sip:20@10.0.0.9:5070;transport=tcp"),
            ("sip:desk@127.0.0.1:5062;transport=udp", "sip:desk@127.0.0.1:5062"),
            ("sip:desk@[fd00::20]", "sip:desk@[fd00::20]:5060"),
            ("sip:desk@[::1]:5061", "sip:desk@[::1]:5061"),
        ] {
            assert_eq!(address(written).map(|a| a.to_string()).as_deref(), Ok(rung), "{written}");
        }
    }

    #[test]
    fn an_address_outside_or_of_another_form_is_refused_with_its_reason() {
        for far in ["sip:a@8.8.8.8", "sip:a@100.64.0.1", "sip:a@[2606:4700::1]", "sip:a@[::ffff:8.8.8.8]:5060"] {
            assert!(matches!(address(far), Err(WrongAddress::Outside(_))), "{far}");
        }
        for name in ["sip:a@pbx.example.com", "sip:a@localhost:5060", "sip:a@pbx"] {
            assert!(matches!(address(name), Err(WrongAddress::Name(_))), "{name}");
        }
        for wrong in [
            "",
            "reception",
            "tel:+2348031234567",
            "sips:a@10.0.0.1",
            "sip:10.0.0.1",
            "sip:@10.0.0.1",
            "sip:a b@10.0.0.1",
            "sip:a@10.0.0.1:0",
            "sip:a@10.0.0.1:x",
            "sip:a@[::1",
            "sip:a@[::1]5060",
            "sip:a<b>@10.0.0.1",
        ] {
            assert!(matches!(address(wrong), Err(WrongAddress::Form(_))), "{wrong}: {:?}", address(wrong));
        }
        for unknown in ["sip:a@10.0.0.1;transport=tls", "sip:a@10.0.0.1;maddr=8.8.8.8"] {
            assert!(matches!(address(unknown), Err(WrongAddress::Parameter(_))), "{unknown}");
        }
    }

    #[test]
    fn a_telephone_without_people_rings_for_anybody() {
        let any = checked("id = \"desk\"\naddress = \"sip:a@10.0.0.1\"").unwrap();
        assert_eq!((any.handset.people.len(), any.handset.rings), (0, Duration::from_secs(20)));
        let own = checked("id = \"ward\"\naddress = \"sip:a@10.0.0.1\"\npeople = [\"the cook\"]\nring_s = 5").unwrap();
        assert_eq!((own.handset.people.len(), own.handset.rings), (1, Duration::from_secs(5)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        for (row, key) in [
            ("id = \"The Desk\"", "handset.id"),
            ("id = \"desk\"\nring_s = 4", "handset.ring_s"),
            ("id = \"desk\"\nring_s = 61", "handset.ring_s"),
            ("id = \"desk\"\npeople = []", "handset.people"),
        ] {
            assert_eq!(checked(&format!("address = \"sip:a@10.0.0.1\"\n{row}")).unwrap_err().0, key, "{row}");
        }
    }
}
