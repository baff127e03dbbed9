//! Rows on their way to the register of transfers. A row is never lost and
//! nobody waits for it: while the register's channel is full, rows are kept, and
//! those of one call, destination and verdict are added up.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::residency::Transfer;

/// Rows that wait before the door lets nothing new out: a register that does not
/// write for minutes has a fault, and what is sent must be written. Rows of
/// connections that are open then are still kept: there are only so many.
const WAITING_MAX: usize = 1024;

/// The near end of the register.
pub(super) struct Register {
    /// Held for moments, never while waiting.
    desk: Mutex<Desk>,
    /// Who writes the rows says that none is written.
    is_stuck: watch::Receiver<bool>,
}

struct Desk {
    /// None: nobody wants to know, or not any more.
    out: Option<mpsc::Sender<Transfer>>,
    /// In the order in which they came.
    waiting: VecDeque<Transfer>,
    /// The box stops: what came has gone out, and nothing more comes.
    is_closed: bool,
}

impl Register {
    pub(super) const fn new(out: Option<mpsc::Sender<Transfer>>, is_stuck: watch::Receiver<bool>) -> Self {
        Self { desk: Mutex::new(Desk { out, waiting: VecDeque::new(), is_closed: false }), is_stuck }
    }

    /// Whether what is sent now would be written in time.
    pub(super) fn keeps_up(&self) -> bool {
        self.is_written() && self.lock().waiting.len() < WAITING_MAX
    }

    /// Whether rows of what is open already are written: the box does not stop, and the
    /// disk takes them.
    pub(super) fn is_written(&self) -> bool {
        !self.lock().is_closed && !*self.is_stuck.borrow()
    }

    /// Writes a row, now or when there is room.
    pub(super) fn write(&self, transfer: Transfer) {
        let mut desk = self.lock();
        if desk.is_closed {
            tracing::error!(destination = %transfer.destination, "a transfer came after the end of the register");
        }
        let Desk { out: Some(out), waiting, .. } = &mut *desk else { return };
        match waiting.iter_mut().find(|other| are_alike(other, &transfer)) {
            Some(other) => add(other, &transfer),
            None => waiting.push_back(transfer),
        }
        while let Some(first) = waiting.pop_front() {
            if let Err(TrySendError::Full(first) | TrySendError::Closed(first)) = out.try_send(first) {
                waiting.push_front(first);
                return;
            }
        }
    }

    /// Waits until all rows are written, or nobody writes any more. It may be
    /// left at any time: a row that was not taken stays.
    pub(super) async fn settle(&self) {
        loop {
            let out = {
                let desk = self.lock();
                desk.out.clone().filter(|_| !desk.waiting.is_empty())
            };
            let Some(out) = out else { return };
            let Ok(room) = out.reserve().await else { return };
            if let Some(first) = self.lock().waiting.pop_front() {
                room.send(first);
            }
        }
    }

    /// Waits until all rows are out, and tells who writes them that no more come.
    pub(super) async fn close(&self) {
        loop {
            self.settle().await;
            let mut desk = self.lock();
            // Another may have come meanwhile; who writes may have given up.
            let nobody_writes = desk.out.as_ref().is_none_or(mpsc::Sender::is_closed);
            if desk.waiting.is_empty() || nobody_writes {
                desk.is_closed = true;
                desk.out = None;
                return;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two rows tell of the same kind of transfer, but for time, bytes and cost.
pub(super) fn are_alike(one: &Transfer, other: &Transfer) -> bool {
    // All fields are named, so that a new one is thought of here.
    let Transfer {
        at: _,
        call,
        destination,
        operator,
        country,
        carried,
        verdict,
        ground,
        rows,
        safeguards,
        bytes_sent: _,
        bytes_received: _,
        reported,
        cost_nanos: _,
    } = one;
    *call == other.call
        && *destination == other.destination
        && *operator == other.operator
        && *country == other.country
        && *carried == other.carried
        && *verdict == other.verdict
        && *ground == other.ground
        && *rows == other.rows
        && *safeguards == other.safeguards
        && reported.is_of_one_place(&other.reported)
}

/// Adds what `other` carried; the time is that of the later.
pub(super) fn add(row: &mut Transfer, other: &Transfer) {
    row.at = row.at.max(other.at);
    row.bytes_sent = row.bytes_sent.saturating_add(other.bytes_sent);
    row.bytes_received = row.bytes_received.saturating_add(other.bytes_received);
    row.reported.add(other.reported.clone());
    row.cost_nanos = row.cost_nanos.saturating_add(other.cost_nanos);
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::residency::{Carried, DataClass, DestinationId, Ground, Reported, Safeguards, Verdict};
    use crate::terms::CallId;

    pub fn row(call: u64, second: i64, sent: u64) -> Transfer {
        Transfer {
            at: Timestamp::from_second(second).expect("a time"),
            call: Some(CallId::from_parts(call, [0; 10])),
            destination: DestinationId::parse("ears").expect("a name"),
            operator: "Ears Ltd".to_owned(),
            country: "NG".to_owned(),
            carried: vec![Carried { class: DataClass::CallAudio, verdict: Verdict::Raw, ground: Ground::Contract }],
            verdict: Verdict::Raw,
            ground: Ground::Contract,
            rows: vec!["row-1".to_owned()],
            safeguards: Safeguards::default(),
            bytes_sent: sent,
            bytes_received: 1,
            reported: Reported::default(),
            cost_nanos: 0,
        }
    }

    /// A register whose disk takes all rows.
    fn register(out: mpsc::Sender<Transfer>) -> Register {
        Register::new(Some(out), watch::channel(false).1)
    }

    #[tokio::test]
    async fn rows_that_find_the_register_full_are_added_up_and_none_is_lost() {
        let (out, mut written) = mpsc::channel(1);
        let register = register(out);
        for second in 0..10 {
            register.write(row(7, second, 100));
            register.write(row(8, second, 1));
        }
        let mut sent = 0;
        let mut latest = None;
        let gather = async {
            // The first, then those of call 7 and of call 8 added up.
            for _ in 0..3 {
                let row = written.recv().await.expect("a row");
                sent += row.bytes_sent;
                latest = Some(row.at);
            }
        };
        tokio::join!(register.settle(), gather);
        assert_eq!(sent, 10 * 101);
        assert_eq!(latest, Timestamp::from_second(9).ok());
        assert!(written.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_register_that_nobody_writes_holds_the_door_shut_and_keeps_its_rows() {
        let (out, written) = mpsc::channel(1);
        drop(written);
        let register = register(out);
        for call in 0..WAITING_MAX as u64 {
            assert!(register.keeps_up(), "{call}");
            register.write(row(call, 1, 1));
        }
        assert!(!register.keeps_up());
        register.write(row(3, 2, 5));
        assert_eq!(register.lock().waiting.iter().map(|row| row.bytes_sent).sum::<u64>(), WAITING_MAX as u64 + 5);
        register.settle().await;
        assert!(!register.keeps_up());
    }

    #[tokio::test]
    async fn a_register_whose_disk_takes_nothing_holds_the_door_shut_until_it_does() {
        let (out, _written) = mpsc::channel(8);
        let (is_stuck, told) = watch::channel(false);
        let register = Register::new(Some(out), told);
        for stuck in [true, false] {
            is_stuck.send_replace(stuck);
            assert_eq!(register.keeps_up(), !stuck);
        }
    }

    #[tokio::test]
    async fn a_register_that_is_closed_has_given_all_its_rows_and_ends() {
        let (out, mut written) = mpsc::channel(1);
        let register = register(out);
        for call in 0..3 {
            register.write(row(call, 1, 1));
        }
        let mut seen = 0;
        let gather = async {
            while written.recv().await.is_some() {
                seen += 1;
            }
        };
        tokio::join!(register.close(), gather);
        assert_eq!(seen, 3);
        assert!(!register.keeps_up(), "what is sent now would not be written");
    }

    #[tokio::test]
    async fn a_register_that_nobody_writes_can_be_closed() {
        let (out, written) = mpsc::channel(1);
        drop(written);
        let register = register(out);
        register.write(row(1, 1, 1));
        register.close().await;
        assert!(!register.keeps_up());
    }

    #[test]
    fn rows_differ_by_what_they_say_and_not_by_when_or_how_much() {
        assert!(are_alike(&row(1, 1, 1), &row(1, 2, 9)));
        assert!(!are_alike(&row(1, 1, 1), &row(2, 1, 1)));
        assert!(!are_alike(&row(1, 1, 1), &Transfer { verdict: Verdict::Redacted, ..row(1, 1, 1) }));
        let with = Safeguards { training_opt_out: true, ..Safeguards::default() };
        assert!(!are_alike(&row(1, 1, 1), &Transfer { safeguards: with, ..row(1, 1, 1) }));
    }
}
