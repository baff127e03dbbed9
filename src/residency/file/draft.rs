//! A policy as it was written, before it is believed: only here is a draft
//! checked and made the parts of a policy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;

use super::super::country::{ON_SITE, country_code, country_name};
use super::super::mistake::{Collector, PolicyWrong, meant, shown};
use super::super::policy::{NOTICE_PERIOD_DAYS, Parts};
use super::super::{Contract, DataClass, Destination, DestinationId, Ground, Host, OwnerKey, Row, Safeguards, Verdict};

/// Operators that one business deals with; each has a contract that somebody read.
pub const DESTINATIONS_MAX: usize = 32;
/// Nine classes to each of a dozen destinations on several grounds. A longer
/// table is understood by nobody who must answer for it.
pub const ROWS_MAX: usize = 512;
/// Hosts of one operator: regions and kinds of service.
const HOSTS_MAX: usize = 8;
/// Keys in use, and their successors.
const PINS_MAX: usize = 8;
/// Owners of one business who sign.
const OWNERS_MAX: usize = 8;
/// Names of operators and contracts stand in each row of the register.
const NAME_CHARS_MAX: usize = 120;
const REGION_CHARS_MAX: usize = 32;
/// A year of notice: longer is a way of saying never.
const NOTICE_DAYS_MAX: u16 = 365;

/// A value and where it stands.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

#[derive(Default)]
pub(super) struct Draft {
    pub(super) notice_period_days: Option<At<String>>,
    pub(super) owner_keys: Vec<At<String>>,
    pub(super) serial: Option<At<String>>,
    pub(super) destinations: Vec<DraftDestination>,
    pub(super) rows: Vec<DraftRow>,
}

#[derive(Default)]
pub(super) struct DraftDestination {
    pub(super) at: Range<usize>,
    pub(super) id: Option<At<String>>,
    pub(super) operator: Option<At<String>>,
    pub(super) hosts: Vec<At<String>>,
    pub(super) country: Option<At<String>>,
    pub(super) on_site: bool,
    pub(super) contract: Option<DraftContract>,
    pub(super) training_opt_out: bool,
    pub(super) zero_retention: bool,
    pub(super) inference_region: Option<At<String>>,
    pub(super) pins: Vec<At<String>>,
}

pub(super) struct DraftContract {
    pub(super) at: Range<usize>,
    pub(super) name: Option<At<String>>,
    pub(super) signed: Option<At<String>>,
}

#[derive(Default)]
pub(super) struct DraftRow {
    pub(super) at: Range<usize>,
    pub(super) id: Option<At<String>>,
    pub(super) data: Option<At<String>>,
    pub(super) to: Option<At<String>>,
    pub(super) ground: Option<At<String>>,
    pub(super) verdict: Option<At<String>>,
}

/// Where things were first said, by what must be said once.
#[derive(Default)]
struct Said {
    rows: BTreeMap<String, usize>,
    cells: BTreeMap<(DataClass, DestinationId, Ground), (Verdict, usize)>,
}

impl Draft {
    /// The parts of a policy; they are to be believed only if nothing is wrong.
    pub(super) fn check(self, text: Arc<str>, today: Date, wrong: &mut Collector<'_>) -> Parts {
        let notice =
            self.notice_period_days.and_then(|n| number(&n, "notice_period_days", NOTICE_DAYS_MAX.into(), wrong));
        // As many as a TOML integer holds.
        let serial = self.serial.and_then(|n| number(&n, "serial", i64::MAX.unsigned_abs(), wrong));
        let destinations = destinations(self.destinations, today, wrong);
        let rows = rows(self.rows, &destinations, wrong);
        Parts {
            owner_keys: owner_keys(&self.owner_keys, wrong),
            notice_period_days: notice.and_then(|n| u16::try_from(n).ok()).unwrap_or(NOTICE_PERIOD_DAYS),
            serial: serial.unwrap_or(0),
            // What is not signed yet is no contract, whatever the row that counts on it says.
            destinations: destinations.into_iter().map(|d| d.in_force(today)).collect(),
            rows,
            text,
        }
    }
}

fn number(written: &At<String>, key: &str, most: u64, wrong: &mut Collector<'_>) -> Option<u64> {
    let read = written.value.parse::<u64>().ok().filter(|n| *n <= most);
    if read.is_none() {
        wrong.add(&written.span, PolicyWrong::Number { key: key.to_owned(), least: 0, most });
    }
    read
}

/// The first `most` of them; a mistake at the next.
fn at_most<T>(
    mut all: Vec<T>,
    what: &'static str,
    most: usize,
    at: fn(&T) -> &Range<usize>,
    wrong: &mut Collector<'_>,
) -> Vec<T> {
    if let Some(beyond) = all.get(most) {
        wrong.add(at(beyond), PolicyWrong::TooMany { what, most });
    }
    all.truncate(most);
    all
}

fn missing(of: String, key: &'static str, wanted: &'static str, at: &Range<usize>, wrong: &mut Collector<'_>) {
    wrong.add(at, PolicyWrong::Missing { of, key, wanted });
}

/// A name for people, on one line.
fn said(written: &At<String>, key: &str, most: usize, wrong: &mut Collector<'_>) -> String {
    let words: Vec<&str> = written.value.split_whitespace().collect();
    let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    let found = text.chars().count();
    if !text.chars().any(char::is_alphanumeric) {
        wrong.add(&written.span, PolicyWrong::Empty { key: key.to_owned() });
    } else if found > most {
        wrong.add(&written.span, PolicyWrong::TooWordy { key: key.to_owned(), found, most });
    }
    text
}

fn owner_keys(written: &[At<String>], wrong: &mut Collector<'_>) -> Vec<OwnerKey> {
    if let Some(beyond) = written.get(OWNERS_MAX) {
        wrong.add(&beyond.span, PolicyWrong::TooMany { what: "owners' keys", most: OWNERS_MAX });
    }
    let mut keys = Vec::new();
    for key in written.iter().take(OWNERS_MAX) {
        match OwnerKey::parse(&key.value) {
            Ok(key) => keys.push(key),
            Err(_) => wrong.add(&key.span, PolicyWrong::OwnerKey(shown(&key.value))),
        }
    }
    keys
}

/// A destination, and what only the check of the rows looks at.
struct Place {
    destination: Destination,
    /// The date of a contract that is not signed yet.
    to_come: Option<Date>,
}

impl Place {
    fn in_force(self, today: Date) -> Destination {
        let contract = self.destination.contract.filter(|c| c.signed <= today);
        Destination { contract, ..self.destination }
    }
}

fn destinations(written: Vec<DraftDestination>, today: Date, wrong: &mut Collector<'_>) -> Vec<Place> {
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut hosts: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut found = Vec::new();
    for draft in at_most(written, "destinations", DESTINATIONS_MAX, |d| &d.at, wrong) {
        let Some(id) = destination_id(draft.id.as_ref(), &draft.at, wrong) else { continue };
        let row = wrong.row(draft.at.start);
        if let Some(first_row) = ids.insert(id.to_string(), row) {
            let at = draft.id.as_ref().map_or(&draft.at, |written| &written.span);
            wrong.add(at, PolicyWrong::DestinationTwice { id: id.to_string(), first_row });
        }
        let destination = destination(draft, id, &mut hosts, wrong);
        let to_come = destination.contract.as_ref().map(|c| c.signed).filter(|signed| *signed > today);
        found.push(Place { destination, to_come });
    }
    found
}

fn destination_id(written: Option<&At<String>>, at: &Range<usize>, wrong: &mut Collector<'_>) -> Option<DestinationId> {
    let Some(written) = written else {
        missing("this destination".to_owned(), "id", "the name by which rows speak of it", at, wrong);
        return None;
    };
    let id = DestinationId::parse(&written.value);
    id.map_err(|_| wrong.add(&written.span, PolicyWrong::Name(shown(&written.value)))).ok()
}

fn destination(
    draft: DraftDestination,
    id: DestinationId,
    taken: &mut BTreeMap<String, (String, usize)>,
    wrong: &mut Collector<'_>,
) -> Destination {
    let of = || format!("the destination `{id}`");
    let operator = match &draft.operator {
        Some(operator) => said(operator, "operator", NAME_CHARS_MAX, wrong),
        None => {
            missing(of(), "operator", "the legal entity that operates it", &draft.at, wrong);
            String::new()
        }
    };
    let country = match &draft.country {
        Some(country) => checked_country(country, wrong),
        None if draft.on_site => ON_SITE.to_owned(),
        None => {
            missing(of(), "country", "the code of the country where the data is processed", &draft.at, wrong);
            String::new()
        }
    };
    let hosts = checked_hosts(&draft, &id, taken, wrong);
    Destination {
        operator,
        hosts,
        country,
        on_site: draft.on_site,
        contract: draft.contract.and_then(|contract| checked_contract(&contract, &id, wrong)),
        safeguards: Safeguards {
            training_opt_out: draft.training_opt_out,
            zero_retention: draft.zero_retention,
            inference_region: draft
                .inference_region
                .map(|region| said(&region, "inference_region", REGION_CHARS_MAX, wrong)),
        },
        pins: pins(draft.pins, wrong),
        id,
    }
}

fn checked_country(written: &At<String>, wrong: &mut Collector<'_>) -> String {
    let code = written.value.trim();
    if country_name(code).is_none() {
        let meant = country_code(code).map(|code| format!("; `{code}` was probably meant")).unwrap_or_default();
        wrong.add(&written.span, PolicyWrong::Country { found: shown(code), meant });
    }
    code.to_owned()
}

fn checked_hosts(
    draft: &DraftDestination,
    id: &DestinationId,
    taken: &mut BTreeMap<String, (String, usize)>,
    wrong: &mut Collector<'_>,
) -> Vec<Host> {
    if draft.hosts.is_empty() {
        missing(
            format!("the destination `{id}`"),
            "hosts",
            "the hosts that may be connected to for it",
            &draft.at,
            wrong,
        );
    }
    if let Some(beyond) = draft.hosts.get(HOSTS_MAX) {
        wrong.add(&beyond.span, PolicyWrong::TooMany { what: "hosts of one destination", most: HOSTS_MAX });
    }
    let mut hosts = Vec::new();
    for written in draft.hosts.iter().take(HOSTS_MAX) {
        let Ok(host) = Host::parse(&written.value) else {
            wrong.add(&written.span, PolicyWrong::Host(shown(&written.value)));
            continue;
        };
        if draft.on_site && !host.is_of_own_network() {
            wrong.add(&written.span, PolicyWrong::NotOnSite { host: host.to_string() });
        }
        let here = (id.to_string(), wrong.row(written.span.start));
        if let Some((other, first_row)) = taken.insert(host.to_string(), here) {
            wrong.add(&written.span, PolicyWrong::HostTwice { host: host.to_string(), other, first_row });
        }
        hosts.push(host);
    }
    hosts
}

fn checked_contract(draft: &DraftContract, id: &DestinationId, wrong: &mut Collector<'_>) -> Option<Contract> {
    let of = || format!("the contract with `{id}`");
    let Some(name) = &draft.name else {
        missing(of(), "name", "what stands at the head of the paper", &draft.at, wrong);
        return None;
    };
    let name = said(name, "name", NAME_CHARS_MAX, wrong);
    let Some(signed) = &draft.signed else {
        missing(of(), "signed", "the date on which both had signed, like 2026-03-31", &draft.at, wrong);
        return None;
    };
    let date = signed.value.trim().parse::<Date>();
    let signed = date.map_err(|_| wrong.add(&signed.span, PolicyWrong::Date(shown(&signed.value)))).ok()?;
    Some(Contract { name, signed })
}

fn pins(written: Vec<At<String>>, wrong: &mut Collector<'_>) -> Vec<[u8; 32]> {
    let mut pins = Vec::new();
    for pin in at_most(written, "pins of one destination", PINS_MAX, |p| &p.span, wrong) {
        let text = pin.value.trim();
        let decoded = STANDARD.decode(text.strip_prefix("sha256/").unwrap_or(text)).ok();
        match decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(bytes) => pins.push(bytes),
            None => wrong.add(&pin.span, PolicyWrong::Pin(shown(text))),
        }
    }
    pins
}

fn rows(written: Vec<DraftRow>, places: &[Place], wrong: &mut Collector<'_>) -> Vec<Row> {
    let mut said = Said::default();
    let mut found = Vec::new();
    for (n, draft) in at_most(written, "rows", ROWS_MAX, |r| &r.at, wrong).into_iter().enumerate() {
        let id = row_id(&draft, n + 1, &mut said, wrong);
        let class = word(&draft, draft.data.as_ref(), CLASS, wrong);
        let ground = word(&draft, draft.ground.as_ref(), GROUND, wrong);
        let place = destination_of(&draft, places, wrong);
        let verdict = match &draft.verdict {
            Some(_) => word(&draft, draft.verdict.as_ref(), VERDICT, wrong),
            // What is not said to go stays.
            None => Some(Verdict::Local),
        };
        let (Some(class), Some(ground), Some(place), Some(verdict)) = (class, ground, place, verdict) else { continue };
        let row = Row { id, class, destination: place.destination.id.clone(), ground, verdict };
        check_row(&row, place, &draft, wrong);
        check_once(&row, &draft, &mut said, wrong);
        found.push(row);
    }
    found
}

/// The name that its author gave it, or `row-N` after its place in the table.
fn row_id(draft: &DraftRow, number: usize, said: &mut Said, wrong: &mut Collector<'_>) -> String {
    let (id, at) = match &draft.id {
        Some(written) => (written.value.clone(), &written.span),
        None => (format!("row-{number}"), &draft.at),
    };
    // The names of rows and of destinations are made alike.
    if DestinationId::parse(&id).is_err() {
        wrong.add(at, PolicyWrong::Name(shown(&id)));
    }
    if let Some(first_row) = said.rows.insert(id.clone(), wrong.row(draft.at.start)) {
        wrong.add(at, PolicyWrong::RowTwice { id: id.clone(), first_row });
    }
    id
}

/// A closed list of words that one key of a row takes.
#[derive(Clone, Copy)]
struct WordList<T: 'static> {
    key: &'static str,
    what: &'static str,
    wanted: &'static str,
    all: &'static [T],
    name: fn(T) -> &'static str,
}

const CLASS: WordList<DataClass> = WordList {
    key: "data",
    what: "class of data",
    wanted: "which class of data it speaks of",
    all: &DataClass::ALL,
    name: DataClass::name,
};
const GROUND: WordList<Ground> = WordList {
    key: "ground",
    what: "lawful ground",
    wanted: "the lawful ground on which the data goes",
    all: &Ground::ALL,
    name: Ground::name,
};
const VERDICT: WordList<Verdict> = WordList {
    key: "verdict",
    what: "verdict",
    wanted: "raw, redacted or local",
    all: &Verdict::ALL,
    name: Verdict::name,
};

fn word<T: Copy>(
    draft: &DraftRow,
    written: Option<&At<String>>,
    list: WordList<T>,
    wrong: &mut Collector<'_>,
) -> Option<T> {
    let Some(written) = written else {
        missing("this row".to_owned(), list.key, list.wanted, &draft.at, wrong);
        return None;
    };
    let one = list.all.iter().copied().find(|one| (list.name)(*one) == written.value);
    if one.is_none() {
        let known: Vec<&str> = list.all.iter().map(|one| (list.name)(*one)).collect();
        let found = shown(&written.value);
        let meant = meant(&found, &known);
        wrong.add(&written.span, PolicyWrong::UnknownName { what: list.what, found, meant });
    }
    one
}

fn destination_of<'p>(draft: &DraftRow, places: &'p [Place], wrong: &mut Collector<'_>) -> Option<&'p Place> {
    let Some(written) = &draft.to else {
        missing("this row".to_owned(), "to", "the destination that it speaks of", &draft.at, wrong);
        return None;
    };
    let place = places.iter().find(|place| place.destination.id.as_str() == written.value);
    if place.is_none() {
        let known: Vec<&str> = places.iter().map(|place| place.destination.id.as_str()).collect();
        let found = shown(&written.value);
        let meant = meant(&found, &known);
        wrong.add(&written.span, PolicyWrong::UnknownName { what: "destination of this file", found, meant });
    }
    place
}

/// What a row by itself cannot say.
fn check_row(row: &Row, place: &Place, draft: &DraftRow, wrong: &mut Collector<'_>) {
    if row.verdict == Verdict::Local {
        return;
    }
    let class = row.class.name();
    let destination = row.destination.to_string();
    let verdict_at = draft.verdict.as_ref().map_or(&draft.at, |v| &v.span);
    let ground_at = draft.ground.as_ref().map_or(&draft.at, |g| &g.span);
    if row.class == DataClass::CallAudio && row.verdict == Verdict::Redacted {
        wrong.add(verdict_at, PolicyWrong::SoundRedacted);
    }
    if row.class == DataClass::Sensitive && !row.ground.bears_sensitive() {
        wrong.add(ground_at, PolicyWrong::SensitiveGround(row.ground.plain()));
    }
    if row.class.is_secret() && row.verdict == Verdict::Raw {
        wrong.add(verdict_at, PolicyWrong::SecretRaw(class));
    }
    if row.class == DataClass::Telemetry || place.destination.on_site {
        return;
    }
    let to_at = draft.to.as_ref().map_or(&draft.at, |to| &to.span);
    match (place.to_come, &place.destination.contract) {
        (Some(signed), _) => wrong.add(to_at, PolicyWrong::ContractToCome { class, destination, signed }),
        (None, None) => wrong.add(to_at, PolicyWrong::NoContract { class, destination }),
        (None, Some(_)) => {}
    }
}

/// Each class, destination and ground has one verdict.
fn check_once(row: &Row, draft: &DraftRow, said: &mut Said, wrong: &mut Collector<'_>) {
    let cell = (row.class, row.destination.clone(), row.ground);
    let here = (row.verdict, wrong.row(draft.at.start));
    let Some((other, first_row)) = said.cells.get(&cell).copied() else {
        said.cells.insert(cell, here);
        return;
    };
    let (class, ground, verdict) = (row.class.name(), row.ground.name(), row.verdict.name());
    let destination = row.destination.to_string();
    let mistake = if other == row.verdict {
        PolicyWrong::SaidTwice { class, destination, ground, verdict, first_row }
    } else {
        PolicyWrong::Contradiction { class, destination, ground, verdict, other: other.name(), first_row }
    };
    wrong.add(&draft.at, mistake);
}
