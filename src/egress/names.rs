//! Addresses of the hosts that a policy names. It never resolves a name that
//! the door was not asked to connect to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::SendError;
use crate::residency::Host;

/// Addresses of one host that are tried; a connection has a deadline that more
/// would not fit in.
const ADDRESSES_MAX: usize = 6;

/// The part of a connection's time that a resolver has while addresses in doubt are known:
/// a silent one takes five seconds for each try, and these must be tried too.
const RESOLVER_PART: u32 = 3;

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

/// What a resolver was asked; whoever waits for it has the same answer.
type Asking = Shared<BoxFuture<'static, Result<Vec<SocketAddr>, io::ErrorKind>>>;

struct Known {
    addresses: Vec<SocketAddr>,
    /// The last connection to them did not come about, or an answer was late.
    is_doubted: bool,
    /// The question after such a doubt, for as long as it has no answer: one that a
    /// connection did not wait for serves the next.
    asking: Option<Asking>,
}

/// What was resolved under one policy: each name once. Only where a connection does not
/// come about or an answer is late is it asked for again, because operators move their
/// services without a word.
pub(super) struct Names {
    resolver: Resolver,
    /// As many as the policy names hosts.
    known: Mutex<HashMap<Host, Known>>,
}

impl Names {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self { resolver, known: Mutex::default() }
    }

    /// For a connection that has so much time.
    pub(super) async fn addresses(&self, host: &Host, within: Duration) -> Result<Vec<SocketAddr>, SendError> {
        let asking = match self.lock().get_mut(host) {
            Some(known) if !known.is_doubted => return Ok(known.addresses.clone()),
            Some(doubted) => Some(doubted.asking.get_or_insert_with(|| self.ask(host)).clone()),
            None => None,
        };
        let asked = match asking {
            Some(asking) => tokio::time::timeout(within / RESOLVER_PART, asking).await.ok(),
            None => Some(self.ask(host).await),
        };
        let mut known = self.lock();
        match asked {
            Some(Ok(mut addresses)) if !addresses.is_empty() => {
                addresses.truncate(ADDRESSES_MAX);
                let fresh = Known { addresses, is_doubted: false, asking: None };
                // Of two connections that asked at once the first has pinned it.
                let pinned = match known.remove(host) {
                    Some(pinned) if !pinned.is_doubted => pinned,
                    Some(doubted) => {
                        // In another order they are the same.
                        if fresh.addresses.iter().any(|address| !doubted.addresses.contains(address)) {
                            tracing::info!(%host, "the name has other addresses than before, and these are pinned now");
                        }
                        fresh
                    }
                    None => fresh,
                };
                let addresses = pinned.addresses.clone();
                known.insert(host.clone(), pinned);
                Ok(addresses)
            }
            // While no resolver answers, an address that is in doubt is better than none.
            Some(_) | None => match known.get_mut(host) {
                Some(doubted) => {
                    if asked.is_some() {
                        doubted.asking = None;
                    }
                    Ok(doubted.addresses.clone())
                }
                None => Err(SendError::Resolve { host: host.clone() }),
            },
        }
    }

    /// No connection came about, or an answer was late: the name is asked for before the
    /// next connection.
    pub(super) fn doubt(&self, host: &Host) {
        self.set_doubt(host, true);
    }

    /// A connection came about: its addresses are in doubt no more.
    pub(super) fn believe(&self, host: &Host) {
        self.set_doubt(host, false);
    }

    fn set_doubt(&self, host: &Host, is_doubted: bool) {
        if let Some(known) = self.lock().get_mut(host) {
            known.is_doubted = is_doubted;
        }
    }

    fn ask(&self, host: &Host) -> Asking {
        let (asked, host) = ((self.resolver.0)(host.clone()), host.clone());
        let asked = async move {
            let asked = asked.await.map_err(|error| error.kind());
            // An address needs no resolver.
            match host.name.parse::<IpAddr>() {
                Ok(ip) => asked.or_else(|_| Ok(vec![SocketAddr::new(ip, host.port)])),
                Err(_) => asked,
            }
        };
        asked.boxed().shared()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Host, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    fn host(text: &str) -> Host {
        Host::parse(text).expect("a host")
    }

    /// A resolver that says another address each time, and says nothing more after so many answers.
    fn moving(answers: usize) -> (Names, Arc<AtomicUsize>) {
        let times = Arc::new(AtomicUsize::new(0));
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
        (Names::new(resolver), times)
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_under_a_policy_and_again_only_where_its_addresses_do_not_answer() {
        let (names, times) = moving(usize::MAX);
        let host = host("api.example.com");
        let first = names.addresses(&host, WITHIN).await.expect("an address");
        for _ in 0..100 {
            assert_eq!(names.addresses(&host, WITHIN).await.expect("an address"), first);
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        names.doubt(&host);
        let second = names.addresses(&host, WITHIN).await.expect("an address");
        assert_ne!(second, first);
        assert_eq!(names.addresses(&host, WITHIN).await.expect("an address"), second);
        assert_eq!(times.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn other_addresses_of_a_pinned_name_are_a_row_of_the_log_and_the_same_ones_are_none() {
        let (log, dispatch) = crate::ops::capturing_dispatch("info").expect("a log");
        let _logging = tracing::dispatcher::set_default(&dispatch);
        let host = host("api.example.com");
        let known = HashMap::from([(host.clone(), vec![SocketAddr::from(([127, 0, 0, 1], 443))])]);
        let (moving, _) = moving(usize::MAX);
        for names in [Names::new(Resolver::fixed(known)), moving] {
            assert_eq!(log.text(), "");
            names.addresses(&host, WITHIN).await.expect("an address");
            names.doubt(&host);
            names.addresses(&host, WITHIN).await.expect("an address");
        }
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("other addresses") && text.contains("\"host\":\"api.example.com:443\""), "{text}");
        assert!(!text.contains("192.0.2."), "{text}");
    }

    #[tokio::test]
    async fn two_connections_that_ask_at_once_go_to_one_address() {
        let (names, _) = moving(usize::MAX);
        let waiting = Names::new(Resolver::new({
            let inner = names.resolver.clone();
            move |host| {
                let asked = (inner.0)(host);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    asked.await
                })
            }
        }));
        let host = host("api.example.com");
        let (one, other) = tokio::join!(waiting.addresses(&host, WITHIN), waiting.addresses(&host, WITHIN));
        assert_eq!(one.expect("an address"), other.expect("an address"));
    }

    #[tokio::test]
    async fn an_address_in_doubt_serves_while_no_resolver_answers() {
        let (names, times) = moving(1);
        let host = host("api.example.com");
        let first = names.addresses(&host, WITHIN).await.expect("an address");
        names.doubt(&host);
        assert_eq!(names.addresses(&host, WITHIN).await.expect("the old one"), first);
        assert_eq!(times.load(Ordering::Relaxed), 2, "it was asked for all the same");
        names.believe(&host);
        assert_eq!(names.addresses(&host, WITHIN).await.expect("the old one"), first);
        assert_eq!(times.load(Ordering::Relaxed), 2, "what a connection was made to is in doubt no more");
    }

    #[tokio::test]
    async fn an_answer_that_a_connection_did_not_wait_for_is_the_next_ones() {
        let (answer, times) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (slow, counted) = (answer.clone(), times.clone());
        let names = Names::new(Resolver::new(move |host| {
            let (nth, slow) = (counted.fetch_add(1, Ordering::Relaxed), slow.clone());
            Box::pin(async move {
                if nth > 0 {
                    slow.notified().await;
                }
                Ok(vec![SocketAddr::new(Ipv4Addr::new(192, 0, 2, u8::try_from(nth).unwrap_or(255)).into(), host.port)])
            })
        }));
        let host = host("api.example.com");
        let first = names.addresses(&host, WITHIN).await.expect("an address");
        names.doubt(&host);
        let soon = Duration::from_millis(30);
        assert_eq!(names.addresses(&host, soon).await.expect("the old one"), first, "the resolver is slow");
        answer.notify_one();
        assert_ne!(names.addresses(&host, WITHIN).await.expect("the new one"), first);
        assert_eq!(times.load(Ordering::Relaxed), 2, "one question for both");
    }

    #[tokio::test]
    async fn a_resolver_that_knows_other_hosts_alone_knows_not_this_one() {
        let known = HashMap::from([(host("a.example.com"), vec![SocketAddr::from(([127, 0, 0, 1], 4430))])]);
        let names = Names::new(Resolver::fixed(known));
        assert!(names.addresses(&host("a.example.com"), WITHIN).await.is_ok());
        assert!(names.addresses(&host("a.example.com:8443"), WITHIN).await.is_err(), "another port is another host");
        let unknown = host("b.example.com");
        assert_eq!(names.addresses(&unknown, WITHIN).await, Err(SendError::Resolve { host: unknown.clone() }));
    }
}
