//! Addresses of the hosts that a policy names. It never resolves a name that
//! the door was not asked to connect to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::SendError;
use crate::ops::MomentSource;
use crate::residency::Host;
use crate::terms::Moment;

/// How long an address is taken without asking again. The operators' names have
/// times to live of about a minute, but a front end that is taken out of service
/// goes on serving for longer, and an answer that is waited for stands in the
/// middle of a call. Nothing is risked by an old address: it must show the
/// certificate of the name, and one that does not answer is asked for anew.
const FRESH: Duration = Duration::from_secs(300);

/// While no resolver answers, an older address is better than none.
const USABLE: Duration = Duration::from_secs(24 * 3600);

/// Addresses of one host that are tried; a connection has a deadline that more
/// would not fit in.
const ADDRESSES_MAX: usize = 6;

type Resolve = dyn Fn(Host) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Asks for the addresses of a host.
#[derive(Clone)]
pub struct Resolver(Arc<Resolve>);

impl Resolver {
    /// One of the caller's own.
    pub fn new(
        resolve: impl Fn(Host) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(resolve))
    }

    /// The system's, as `/etc/nsswitch.conf` and `/etc/resolv.conf` say.
    #[allow(clippy::disallowed_methods, reason = "the door is where names of operators are resolved")]
    pub fn system() -> Self {
        Self::new(|host| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host.name.as_str(), host.port)).await?.collect()) })
        })
    }

    /// Knows the given hosts alone; for tests and for a box without a resolver.
    pub fn fixed(known: HashMap<Host, Vec<SocketAddr>>) -> Self {
        Self::new(move |host| {
            let found = known.get(&host).cloned().ok_or(io::ErrorKind::NotFound);
            Box::pin(async move { found.map_err(io::Error::from) })
        })
    }
}

struct Known {
    addresses: Vec<SocketAddr>,
    since: Moment,
    /// One of them did not answer.
    doubted: bool,
}

/// What was resolved under one policy.
pub(super) struct Names {
    resolver: Resolver,
    now: MomentSource,
    /// As many as the policy names hosts.
    known: Mutex<HashMap<Host, Known>>,
}

impl Names {
    pub(super) fn new(resolver: Resolver, now: MomentSource) -> Self {
        Self { resolver, now, known: Mutex::default() }
    }

    pub(super) async fn addresses(&self, host: &Host) -> Result<Vec<SocketAddr>, SendError> {
        if let Some(addresses) = self.recall(host, FRESH) {
            return Ok(addresses);
        }
        // An address needs no resolver.
        let asked = match host.name.parse::<IpAddr>() {
            Ok(ip) => (self.resolver.0)(host.clone()).await.or_else(|_| Ok(vec![SocketAddr::new(ip, host.port)])),
            Err(_) => (self.resolver.0)(host.clone()).await,
        };
        match asked {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.truncate(ADDRESSES_MAX);
                let known = Known { addresses: addresses.clone(), since: (self.now)(), doubted: false };
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), known);
                Ok(addresses)
            }
            Ok(_) | Err(_) => self.recall(host, USABLE).ok_or_else(|| SendError::Resolve { host: host.clone() }),
        }
    }

    /// The name is resolved again before the next connection.
    pub(super) fn doubt(&self, host: &Host) {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(host) {
            known.doubted = true;
        }
    }

    fn recall(&self, host: &Host, age_max: Duration) -> Option<Vec<SocketAddr>> {
        let now = (self.now)();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_host = known.get(host)?;
        let usable = now.since(of_host.since) < age_max && (age_max > FRESH || !of_host.doubted);
        usable.then(|| of_host.addresses.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).expect("a host")
    }

    /// A resolver that counts how often it is asked, and fails when told to.
    struct Asked {
        times: Arc<AtomicUsize>,
        now: Arc<AtomicU64>,
        names: Names,
    }

    fn asked(answers: usize) -> Asked {
        let (times, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = times.clone();
        let resolver = Resolver::new(move |host| {
            let nth = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if nth >= answers {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Ok(vec![SocketAddr::new(Ipv4Addr::new(192, 0, 2, u8::try_from(nth).unwrap_or(255)).into(), host.port)])
            })
        });
        let clock = now.clone();
        let names =
            Names::new(resolver, Arc::new(move || Moment::from_micros(clock.load(Ordering::Relaxed) * 1_000_000)));
        Asked { times, now, names }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_until_it_is_old_or_doubted() {
        let asked = asked(usize::MAX);
        let host = host("api.example.com");
        let first = asked.names.addresses(&host).await.expect("an address");
        asked.now.store(FRESH.as_secs() - 1, Ordering::Relaxed);
        assert_eq!(asked.names.addresses(&host).await.expect("an address"), first);
        assert_eq!(asked.times.load(Ordering::Relaxed), 1);

        asked.now.store(FRESH.as_secs(), Ordering::Relaxed);
        assert_ne!(asked.names.addresses(&host).await.expect("an address"), first);
        asked.names.doubt(&host);
        asked.names.addresses(&host).await.expect("an address");
        assert_eq!(asked.times.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn an_old_address_serves_while_no_resolver_answers_but_not_for_ever() {
        let asked = asked(1);
        let host = host("api.example.com");
        let first = asked.names.addresses(&host).await.expect("an address");
        asked.now.store(FRESH.as_secs() * 3, Ordering::Relaxed);
        assert_eq!(asked.names.addresses(&host).await.expect("the old one"), first);
        asked.now.store(USABLE.as_secs(), Ordering::Relaxed);
        assert_eq!(asked.names.addresses(&host).await, Err(SendError::Resolve { host: host.clone() }));
    }

    #[tokio::test]
    async fn a_resolver_that_knows_other_hosts_alone_knows_not_this_one() {
        let known = HashMap::from([(host("a.example.com"), vec![SocketAddr::from(([127, 0, 0, 1], 4430))])]);
        let names = Names::new(Resolver::fixed(known), Arc::new(|| Moment::START));
        assert!(names.addresses(&host("a.example.com")).await.is_ok());
        assert!(names.addresses(&host("a.example.com:8443")).await.is_err(), "another port is another host");
        assert!(names.addresses(&host("b.example.com")).await.is_err());
    }
}
