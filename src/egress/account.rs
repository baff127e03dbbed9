//! What one connection has carried, for whom and on whose leave: read off its
//! tally, told to the meter at once and to the register every few seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::books::Books;
use super::register::{add, are_alike};
use super::wire::Tally;
use crate::residency::{Clearance, Destination, Safeguards, Transfer};
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
        current.classes.clear();
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
            self.books.carried(&state.current.destination, state.current.call, sent + received);
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
        let empty = Transfer { bytes_sent: 0, bytes_received: 0, ..state.current.clone() };
        let full = std::mem::replace(&mut state.current, empty);
        for row in state.others.drain(..).chain([full]).filter(|row| row.bytes_sent + row.bytes_received > 0) {
            self.books.register.write(Transfer { at, ..row });
        }
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
        classes: clearance.classes().to_vec(),
        verdict: clearance.verdict(),
        ground: clearance.ground(),
        rows: clearance.rows().to_vec(),
        safeguards: safeguards.clone(),
        bytes_sent: 0,
        bytes_received: 0,
    }
}
