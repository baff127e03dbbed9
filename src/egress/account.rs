//! What one connection has carried, for whom and on whose leave: read off its
//! tally, told to the meter at once and to the register every few seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::books::Books;
use super::register::{add, are_alike};
use super::wire::Tally;
use crate::residency::{Clearance, Destination, Reported, Safeguards, Transfer};
use crate::terms::{CallId, Moment};

/// How long a stream goes without a row: what a power cut may leave unwritten.
const ROW_EVERY: Duration = Duration::from_secs(5);

/// Kinds of rows that one connection gathers between two writes. A stream has
/// one or two; a driver that has more writes them earlier.
const KINDS_MAX: usize = 8;

/// One connection's account. The last row is written when it is dropped, so that
/// a task that is cancelled tells what it sent like any other.
pub(super) struct Account {
    books: Arc<Books>,
    tally: Arc<Tally>,
    /// Whether its bytes cross the uplink.
    metered: bool,
    state: Mutex<State>,
}

struct State {
    /// Where bytes go that pass now.
    current: Transfer,
    /// Whether nothing has been sent yet but what sets the connection up. Such a
    /// row has no classes; the first datum takes it over.
    setting_up: bool,
    /// Rows to write, with the bytes of earlier kinds.
    others: Vec<Transfer>,
    /// Of the tally, what stands in rows already.
    sent: u64,
    received: u64,
    written: Moment,
}

impl Account {
    /// For a connection that is about to be made.
    pub(super) fn open(
        books: Arc<Books>,
        tally: Arc<Tally>,
        call: Option<CallId>,
        destination: &Destination,
        clearance: &Clearance,
    ) -> Self {
        let mut current = row(&books, call, destination, clearance, &Safeguards::default());
        books.reports.remember(&current);
        current.carried.clear();
        let written = (books.now)();
        let state = State { current, setting_up: true, others: Vec::new(), sent: 0, received: 0, written };
        Self { books, tally, metered: !destination.on_site, state: Mutex::new(state) }
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    pub(super) fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// From now on bytes pass on this leave.
    pub(super) fn carry(
        &self,
        call: Option<CallId>,
        destination: &Destination,
        clearance: &Clearance,
        safeguards: &Safeguards,
    ) {
        let mut state = self.lock();
        self.read(&mut state);
        let next = row(&self.books, call, destination, clearance, safeguards);
        if state.setting_up || !are_alike(&state.current, &next) {
            self.books.reports.remember(&next);
        }
        if state.setting_up {
            let before = std::mem::replace(&mut state.current, next);
            add(&mut state.current, &before);
            state.setting_up = false;
        } else if !are_alike(&state.current, &next) {
            let kept = state.others.iter().position(|other| are_alike(other, &next));
            let next = kept.map_or(next, |at| state.others.swap_remove(at));
            let before = std::mem::replace(&mut state.current, next);
            state.others.push(before);
            if state.others.len() > KINDS_MAX {
                self.write(&mut state);
            }
        }
        self.write_if_due(&mut state);
    }

    /// Reads the tally; every few seconds it writes a row.
    pub(super) fn tick(&self) {
        let mut state = self.lock();
        self.read(&mut state);
        self.write_if_due(&mut state);
    }

    /// Writes what was carried so far: a request has its answer.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        self.read(&mut state);
        self.write(&mut state);
    }

    fn read(&self, state: &mut State) {
        let sent = self.tally.sent().saturating_sub(state.sent);
        let received = self.tally.received().saturating_sub(state.received);
        if sent == 0 && received == 0 {
            return;
        }
        state.sent += sent;
        state.received += received;
        state.current.bytes_sent += sent;
        state.current.bytes_received += received;
        if self.metered {
            let cost = self.books.carried(&state.current.destination, state.current.call, sent + received);
            state.current.cost_nanos = state.current.cost_nanos.saturating_add(cost.nanos());
        }
    }

    fn write_if_due(&self, state: &mut State) {
        if (self.books.now)().since(state.written) >= ROW_EVERY {
            self.write(state);
        }
    }

    fn write(&self, state: &mut State) {
        let at = (self.books.wall)();
        state.written = (self.books.now)();
        let nothing = Reported::default();
        let empty =
            Transfer { bytes_sent: 0, bytes_received: 0, reported: nothing, cost_nanos: 0, ..state.current.clone() };
        let full = std::mem::replace(&mut state.current, empty);
        // What is reported is of what passed last.
        for mut row in [full].into_iter().chain(state.others.drain(..)) {
            self.books.reports.complete(&mut row);
            if row.bytes_sent + row.bytes_received > 0 || !row.reported.is_empty() {
                self.books.register.write(Transfer { at, ..row });
            }
        }
        self.books.write_overdue_reports();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close();
    }
}

fn row(
    books: &Books,
    call: Option<CallId>,
    destination: &Destination,
    clearance: &Clearance,
    safeguards: &Safeguards,
) -> Transfer {
    Transfer {
        at: (books.wall)(),
        call,
        destination: destination.id.clone(),
        operator: destination.operator.clone(),
        country: destination.country.clone(),
        carried: clearance.carried().to_vec(),
        verdict: clearance.verdict(),
        ground: clearance.ground(),
        rows: clearance.rows().to_vec(),
        safeguards: safeguards.clone(),
        bytes_sent: 0,
        bytes_received: 0,
        reported: Reported::default(),
        cost_nanos: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use jiff::Timestamp;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;
    use crate::egress::books::Spending;
    use crate::egress::budget::{Budget, Spent};
    use crate::egress::prices::{Place, Prices, Usage};
    use crate::egress::register::Register;
    use crate::egress::reports::Reports;
    use crate::residency::{CallGate, DataClass, DestinationId, Ground, Payload, Policy, Redact, Row, Verdict};

    struct Nothing;

    impl Payload for Nothing {
        fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
            Some(self)
        }
    }

    impl Redact for Nothing {
        fn redact(&self, text: &str) -> String {
            text.to_owned()
        }
    }

    fn ears(on_site: bool) -> Destination {
        Destination {
            id: DestinationId::parse("ears").expect("a name"),
            operator: "Ears Ltd".to_owned(),
            hosts: Vec::new(),
            country: "US".to_owned(),
            on_site,
            contract: Some(crate::residency::Contract {
                name: "DPA".to_owned(),
                signed: jiff::civil::date(2026, 1, 5),
            }),
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        }
    }

    fn clearance(class: DataClass) -> Clearance {
        let to = ears(false);
        let row = Row {
            id: class.name().to_owned(),
            class,
            destination: to.id.clone(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        };
        let policy = Policy::new(vec![to.clone()], vec![row]);
        let gate = CallGate::new(Arc::new(policy), Arc::new(Nothing));
        gate.clear(&[class], &to.id, Nothing).expect("a clearance").into_parts().1
    }

    /// Books whose clock reads the given second, with the far end of their register.
    fn books(second: Arc<AtomicU64>) -> (Arc<Books>, mpsc::Receiver<Transfer>) {
        priced(second, Prices::none())
    }

    fn priced(second: Arc<AtomicU64>, prices: Prices) -> (Arc<Books>, mpsc::Receiver<Transfer>) {
        let (out, rows) = mpsc::channel(4);
        let day = date(1970, 1, 1);
        let books = Books {
            register: Register::new(Some(out), tokio::sync::watch::channel(false).1),
            now: Arc::new(move || Moment::from_micros(second.load(Ordering::Relaxed) * 1_000_000)),
            wall: Arc::new(|| Timestamp::UNIX_EPOCH),
            zone: TimeZone::UTC,
            prices,
            reports: Reports::default(),
            spending: Spending { budget: Budget::default(), spent: Spent::nothing(day) }.into(),
        };
        (Arc::new(books), rows)
    }

    const PRICES: &str = "currency = \"USD\"\n[uplink]\nmegabyte = 1\n[provider.ears]\naudio_minute = 0.6\n\
                          million_tokens_in = 2\n";

    #[test]
    fn what_an_operator_reports_stands_in_the_row_of_its_connection_with_what_all_of_it_costs() {
        let (books, mut rows) = priced(Arc::default(), Prices::parse(PRICES).expect("prices"));
        let (to, call) = (ears(false), Some(CallId::from_parts(1, [0; 10])));
        let tally = Arc::new(Tally::default());
        drop(Account::open(books.clone(), Arc::default(), None, &to, &clearance(DataClass::CallAudio)));
        let account = Account::open(books.clone(), tally.clone(), call, &to, &clearance(DataClass::CallAudio));
        account.carry(call, &to, &clearance(DataClass::CallAudio), &Safeguards::default());
        tally.add_sent(1_500_000, Moment::START);
        books.used(call, &to.id, Usage::Audio(Duration::from_secs(30)), Place::Anywhere);
        books.used(call, &to.id, Usage::TokensIn(1000), Place::Anywhere);
        books.computed_in(call, &to.id, "eu");
        // Another call's report is not this row's.
        books.used(None, &to.id, Usage::Audio(Duration::from_secs(60)), Place::Anywhere);
        drop(account);
        let row = rows.try_recv().expect("a row");
        assert_eq!((row.call, row.bytes_sent), (call, 1_500_000));
        let reported = Reported {
            inference_region: Some("eu".to_owned()),
            audio_ms: 30_000,
            tokens_in: 1000,
            ..Reported::default()
        };
        assert_eq!(row.reported, reported);
        assert_eq!(row.cost_nanos, 1_500_000_000 + 300_000_000 + 2_000_000);
        // And nothing that is reported gets lost, though its connection is gone.
        books.write_reports();
        let late = rows.try_recv().expect("a row for the late report");
        assert_eq!(
            (late.call, late.bytes_sent, late.reported.audio_ms, late.cost_nanos),
            (None, 0, 60_000, 600_000_000)
        );
        let spent = books.spent().total(date(1970, 1, 1));
        assert_eq!(spent.money.nanos(), row.cost_nanos + late.cost_nanos, "the register has what the budget has");
    }

    #[test]
    fn a_report_whose_connection_wrote_its_row_stands_on_its_own_calls_leave_and_does_not_wait_for_others() {
        let second = Arc::new(AtomicU64::new(0));
        let (books, mut rows) = books(second.clone());
        let to = ears(false);
        let [one, other] = [1, 2].map(|n| Some(CallId::from_parts(n, [0; 10])));
        let carried = |call, class| {
            let tally = Arc::new(Tally::default());
            let account = Account::open(books.clone(), tally.clone(), call, &to, &clearance(class));
            account.carry(call, &to, &clearance(class), &Safeguards::default());
            tally.add_sent(10, Moment::START);
            account
        };
        drop(carried(one, DataClass::Knowledge));
        let open = carried(other, DataClass::CallAudio);
        books.used(one, &to.id, Usage::TokensIn(1000), Place::Anywhere);
        let told = |row: Transfer| (row.call, row.classes(), row.rows, row.bytes_sent, row.reported.tokens_in);
        let knowledge = || (vec![DataClass::Knowledge], vec!["knowledge".to_owned()]);
        let (classes, on) = knowledge();
        assert_eq!(told(rows.try_recv().expect("the first row")), (one, classes, on, 10, 0));
        second.store(WAITS_AT_LEAST, Ordering::Relaxed);
        open.tick();
        let mut written: Vec<_> = std::iter::from_fn(|| rows.try_recv().ok()).map(told).collect();
        written.sort_by_key(|row| row.0);
        let (classes, on) = knowledge();
        let others = (other, vec![DataClass::CallAudio], vec!["call-audio".to_owned()], 10, 0);
        assert_eq!(written, [(one, classes, on, 0, 1000), others]);
    }

    /// Seconds after which a report waits for no connection any more.
    const WAITS_AT_LEAST: u64 = 10;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_byte_stands_in_one_row_and_in_the_budget_whatever_is_carried(
            steps in prop::collection::vec((0..9_usize, 0..3_u64, 0..5000_usize, 0..5000_usize, 0..4_u64), 0..60),
            on_site in any::<bool>(),
        ) {
            let second = Arc::new(AtomicU64::new(0));
            let (books, mut rows) = books(second.clone());
            let tally = Arc::new(Tally::default());
            let to = ears(on_site);
            let account = Account::open(books.clone(), tally.clone(), None, &to, &clearance(DataClass::Telemetry));
            let mut written = Vec::new();
            let mut expected = std::collections::BTreeMap::<&str, (u64, u64)>::new();
            for (class, call, sent, received, waited) in steps {
                let class = DataClass::ALL[class];
                let call = Some(CallId::from_parts(call, [0; 10]));
                account.carry(call, &to, &clearance(class), &Safeguards::default());
                tally.add_sent(sent, Moment::START);
                tally.add_received(received);
                let sums = expected.entry(class.name()).or_default();
                sums.0 += sent as u64;
                sums.1 += received as u64;
                second.fetch_add(waited, Ordering::Relaxed);
                account.tick();
                written.extend(std::iter::from_fn(|| rows.try_recv().ok()));
            }
            drop(account);
            // The register has room for few; the rest waits and follows.
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let settling = books.register.settle();
                tokio::pin!(settling);
                loop {
                    tokio::select! {
                        biased;
                        Some(row) = rows.recv() => written.push(row),
                        () = &mut settling => break,
                    }
                }
                written.extend(std::iter::from_fn(|| rows.try_recv().ok()));
            });
            let mut got = std::collections::BTreeMap::<&str, (u64, u64)>::new();
            for row in &written {
                prop_assert!(row.bytes_sent + row.bytes_received > 0, "a row for nothing");
                prop_assert_eq!(row.carried.len(), 1);
                prop_assert_eq!(&row.rows[0], row.classes()[0].name());
                let sums = got.entry(row.classes()[0].name()).or_default();
                sums.0 += row.bytes_sent;
                sums.1 += row.bytes_received;
            }
            expected.retain(|_, sums| *sums != (0, 0));
            prop_assert_eq!(&got, &expected);
            let all: u64 = expected.values().map(|(sent, received)| sent + received).sum();
            prop_assert_eq!(books.spent().total(date(1970, 1, 1)).bytes, if on_site { 0 } else { all });
        }
    }
}
