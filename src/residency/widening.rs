use std::fmt;

use super::{CallerWishes, DataClass, Destination, DestinationId, Host, Policy, Verdict};

/// What a newer policy allows and an older one did not. It has a name, by which
/// the owner says that it is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Widening {
    /// A class of data goes further to a destination than it did.
    Data { class: DataClass, destination: DestinationId, before: Verdict, now: Verdict, callers: Callers },
    /// A destination that data goes to already is described less strictly.
    Destination { destination: DestinationId, change: Loosening },
    /// Later widenings will be announced for a shorter time.
    Notice { before_days: u16, now_days: u16 },
    /// Somebody more can put widenings in force at once.
    Owners { added: usize },
    /// Texts that an owner signed before could come back.
    Serial { before: u64, now: u64 },
}

/// For which callers data goes further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callers {
    All,
    WhoConsent,
    WhoDoNotObject,
    WhoConsentAndDoNotObject,
    WhoHaveNotConsented,
    WhoObject,
    /// Callers whom no single wish tells from the others.
    Some,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loosening {
    /// Another legal entity receives the data.
    Operator,
    /// The data is processed in another country.
    Country,
    /// It stands no longer where it stood: in the business's network, or outside.
    Place,
    /// There are hosts that were not among its hosts.
    Hosts,
    /// It may show keys that it could not show.
    Pins,
    /// Requests need no longer carry what they carried.
    Safeguards,
}

impl Loosening {
    const fn plain(self) -> &'static str {
        match self {
            Self::Operator => "another operator receives it",
            Self::Country => "it is processed in another country",
            Self::Place => "it is said to stand elsewhere, inside or outside the business's network",
            Self::Hosts => "there are hosts that were not among its hosts",
            Self::Pins => "it may show keys that it could not show before",
            Self::Safeguards => "a safeguard is no longer asked of it, or is another",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Country => "country",
            Self::Place => "place",
            Self::Hosts => "hosts",
            Self::Pins => "pins",
            Self::Safeguards => "safeguards",
        }
    }
}

impl Callers {
    /// From the states in which data goes further.
    fn of(wider: impl Fn(CallerWishes) -> bool) -> Self {
        let state = |consents, objects| wider(CallerWishes { consents, objects, restricts: false });
        match (state(false, false), state(true, false), state(false, true), state(true, true)) {
            (true, true, true, true) => Self::All,
            (false, true, false, true) => Self::WhoConsent,
            (true, true, false, false) => Self::WhoDoNotObject,
            (false, true, false, false) => Self::WhoConsentAndDoNotObject,
            (true, false, true, false) => Self::WhoHaveNotConsented,
            (false, false, true, true) => Self::WhoObject,
            _ => Self::Some,
        }
    }

    const fn plain(self) -> &'static str {
        match self {
            Self::All => "of every caller",
            Self::WhoConsent => "of callers who consent",
            Self::WhoDoNotObject => "of callers who do not object",
            Self::WhoConsentAndDoNotObject => "of callers who consent and do not object",
            Self::WhoHaveNotConsented => "of callers who have not consented",
            Self::WhoObject => "of callers who object",
            Self::Some => "of some callers",
        }
    }
}

impl Widening {
    /// `transcript:anthropic`, `anthropic:hosts`, `notice-period`, `owner-keys`, `serial`.
    pub fn name(&self) -> String {
        match self {
            Self::Data { class, destination, .. } => format!("{}:{destination}", class.name()),
            Self::Destination { destination, change } => format!("{destination}:{}", change.name()),
            Self::Notice { .. } => "notice-period".to_owned(),
            Self::Owners { .. } => "owner-keys".to_owned(),
            Self::Serial { .. } => "serial".to_owned(),
        }
    }
}

impl fmt::Display for Widening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { class, destination, before, now, callers } => {
                let before = match before {
                    Verdict::Local => "stayed on the box",
                    Verdict::Redacted => "went redacted",
                    Verdict::Raw => "went as it is",
                };
                let whose = callers.plain();
                write!(f, "{} {whose} to {destination}: it {before} and would go {}", class.name(), now.name())
            }
            Self::Destination { destination, change } => write!(f, "what goes to {destination}: {}", change.plain()),
            Self::Notice { before_days, now_days } => {
                write!(f, "the notice period of later widenings: it was {before_days} days and would be {now_days}")
            }
            Self::Owners { added } => {
                write!(f, "the owners who can put widenings in force at once: {added} would be added")
            }
            Self::Serial { before, now } => {
                write!(f, "the serial would fall from {before} to {now}, so that older signed texts count again")
            }
        }
    }
}

/// Everything that `new` allows and `old` does not, by class and destination,
/// then by destination. Empty: `new` allows nothing more.
pub fn widenings(old: &Policy, new: &Policy) -> Vec<Widening> {
    let mut found = Vec::new();
    for destination in &new.destinations {
        found.extend(DataClass::ALL.into_iter().filter_map(|class| data(old, new, class, &destination.id)));
        // Where nothing went before, the classes that go now say all of it.
        if let Some(known) = old.destination(&destination.id).filter(|_| receives(old, new, &destination.id)) {
            found.extend(loosenings(known, destination));
        }
    }
    if new.notice_period_days < old.notice_period_days {
        found.push(Widening::Notice { before_days: old.notice_period_days, now_days: new.notice_period_days });
    }
    let added = new.owner_keys.iter().filter(|key| !old.owner_keys.contains(key)).count();
    if added > 0 {
        found.push(Widening::Owners { added });
    }
    if new.serial < old.serial {
        found.push(Widening::Serial { before: old.serial, now: new.serial });
    }
    found
}

fn data(old: &Policy, new: &Policy, class: DataClass, to: &DestinationId) -> Option<Widening> {
    let before_and_now = |wishes| (old.reading(class, to, wishes), new.reading(class, to, wishes));
    let is_wider = |wishes| {
        let (before, now) = before_and_now(wishes);
        now > before
    };
    let wider = CallerWishes::STATES.into_iter().filter(|wishes| is_wider(*wishes));
    // The furthest that it goes, from the least that it went.
    let (before, now) = wider.map(before_and_now).max_by_key(|(before, now)| (*now, std::cmp::Reverse(*before)))?;
    Some(Widening::Data { class, destination: to.clone(), before, now, callers: Callers::of(is_wider) })
}

/// Whether something that goes there under the new policy went there before.
fn receives(old: &Policy, new: &Policy, to: &DestinationId) -> bool {
    let both = |class, wishes| old.reading(class, to, wishes).min(new.reading(class, to, wishes)) != Verdict::Local;
    DataClass::ALL.into_iter().any(|class| CallerWishes::STATES.into_iter().any(|wishes| both(class, wishes)))
}

/// Whether a server that had to show a certificate for its name may show a pinned key
/// instead: in the business's own network a pin is all that is asked.
pub(super) fn takes_a_pin_for_a_certificate(old: &Destination, new: &Destination) -> bool {
    let asks_for_one = |host: &Host| host.port == Host::HTTPS_PORT && old.hosts.contains(host);
    new.on_site && old.pins.is_empty() && !new.pins.is_empty() && new.hosts.iter().any(asks_for_one)
}

fn loosenings(old: &Destination, new: &Destination) -> Vec<Widening> {
    let pins_loosened = !old.pins.is_empty() && (new.pins.is_empty() || new.pins.iter().any(|p| !old.pins.contains(p)))
        || takes_a_pin_for_a_certificate(old, new);
    let changes = [
        (Loosening::Operator, old.operator != new.operator),
        (Loosening::Country, old.country != new.country),
        (Loosening::Place, old.on_site != new.on_site),
        (Loosening::Hosts, new.hosts.iter().any(|host| !old.hosts.contains(host))),
        (Loosening::Pins, pins_loosened),
        (Loosening::Safeguards, !new.safeguards.cover(&old.safeguards)),
    ];
    let found = changes.into_iter().filter(|(_, is_one)| *is_one);
    found.map(|(change, _)| Widening::Destination { destination: new.id.clone(), change }).collect()
}
