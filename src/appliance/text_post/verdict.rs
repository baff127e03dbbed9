//! What follows for a promised text from how a try of it ended, and whether a line has
//! room for one. Pure.

use jiff::SignedDuration;

use crate::signalling::modem::TextFailure;
use crate::store::TextTry;

use super::super::modems::AskModem;

/// Minutes before the second try, the third, and so on; a day in all.
const RETRY_MINUTES: [i64; 8] = [1, 5, 15, 60, 120, 240, 480, 480];

/// What could not be begun for want of a line is looked at again after this.
pub(super) const NOT_BEGUN_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Of how many tries of a text nobody may know how they ended: one is made good by a
/// second, and who pays for the texts is not made to pay for a third.
const UNKNOWN_MAX: u32 = 2;

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Sent,
    GiveUp,
    Again { wait: SignedDuration, tried: TextTry },
}

/// What follows for a text that was tried in vain `tries` times before, of which
/// `unknown` ended nobody knows how.
pub(super) fn verdict(result: &Result<(), AskModem>, tries: u32, unknown: u32) -> Verdict {
    let not_begun = Verdict::Again { wait: NOT_BEGUN_AGAIN, tried: TextTry::NotBegun };
    let Err(error) = result else { return Verdict::Sent };
    match error {
        AskModem::Text { source, .. } => match source {
            TextFailure::Length | TextFailure::Number | TextFailure::Refused(_) => Verdict::GiveUp,
            // Which day it is a line is told some seconds after midnight. What waits for
            // tomorrow the register of sent parts says, and not the line.
            TextFailure::DailyCeiling | TextFailure::QueueFull | TextFailure::ModemGone => not_begun,
            TextFailure::TriedInVain | TextFailure::NeedsOwner(_) => again(tries, TextTry::Failed),
            TextFailure::Unknown => once_more(tries, unknown),
        },
        AskModem::NotThere { .. } | AskModem::Refused { .. } | AskModem::Full { .. } => not_begun,
        // The line has had it for hours, and nobody knows what became of it.
        AskModem::TimedOut { .. } | AskModem::Command { .. } | AskModem::Code { .. } => once_more(tries, unknown),
    }
}

fn once_more(tries: u32, unknown: u32) -> Verdict {
    if unknown + 1 < UNKNOWN_MAX { again(tries, TextTry::Unknown) } else { Verdict::GiveUp }
}

fn again(tries: u32, tried: TextTry) -> Verdict {
    let minutes = usize::try_from(tries).ok().and_then(|tries| RETRY_MINUTES.get(tries));
    minutes.map_or(Verdict::GiveUp, |minutes| Verdict::Again { wait: SignedDuration::from_mins(*minutes), tried })
}

/// When a line has room for a text, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Room {
    Never,
    Tomorrow,
    /// Once what it has been given is counted.
    Soon,
    Now,
}

/// Whether a line that may send `ceiling` parts a day, has sent `sent` and has been given
/// `flying` that may be counted already, has room for a text of `parts`.
pub(super) fn room(ceiling: u64, sent: u64, flying: u64, parts: u64) -> Room {
    if parts > ceiling {
        Room::Never
    } else if sent + parts > ceiling {
        Room::Tomorrow
    } else if sent + flying + parts > ceiling {
        Room::Soon
    } else {
        Room::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::gsm::GsmRefusal;
    use crate::terms::LineId;

    fn failed(source: TextFailure) -> Result<(), AskModem> {
        Err(AskModem::Text { line: LineId::parse("sim").unwrap(), source })
    }

    fn minutes(verdict: Verdict) -> Option<i64> {
        match verdict {
            Verdict::Again { wait, .. } => Some(wait.as_mins()),
            _ => None,
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_with_growing_waits_for_a_day_and_no_longer() {
        let busy = failed(TextFailure::TriedInVain);
        let waits: Vec<i64> = (0..).map_while(|tries| minutes(verdict(&busy, tries, 0))).collect();
        assert!(waits.is_sorted() && waits[0] < waits[1], "{waits:?}");
        let day = 24 * 60;
        assert!((day * 5 / 6..=day).contains(&waits.iter().sum::<i64>()), "{waits:?}");
        assert_eq!(verdict(&busy, u32::try_from(waits.len()).unwrap(), 0), Verdict::GiveUp);
        assert_eq!(minutes(verdict(&failed(TextFailure::NeedsOwner(310)), 0, 0)), Some(waits[0]));
    }

    #[test]
    fn what_stays_is_given_up_at_once() {
        for failure in [TextFailure::Refused(21), TextFailure::Length, TextFailure::Number] {
            assert_eq!(verdict(&failed(failure), 0, 0), Verdict::GiveUp, "{failure:?}");
        }
    }

    #[test]
    fn what_no_modem_has_begun_is_no_try() {
        let line = || LineId::parse("sim").unwrap();
        let refused = Err(AskModem::Refused { line: line(), source: GsmRefusal::Busy });
        let not_there = Err(AskModem::NotThere { line: line(), why: String::new() });
        let of_line = [TextFailure::ModemGone, TextFailure::QueueFull, TextFailure::DailyCeiling].map(failed);
        for result in of_line.into_iter().chain([refused, not_there]) {
            let Verdict::Again { tried, .. } = verdict(&result, 99, 1) else { panic!("{result:?}") };
            assert_eq!(tried, TextTry::NotBegun, "{result:?}");
        }
    }

    #[test]
    fn a_try_that_nobody_knows_of_is_made_good_once() {
        let unknown = failed(TextFailure::Unknown);
        let Verdict::Again { tried, .. } = verdict(&unknown, 0, 0) else { panic!("once more") };
        assert_eq!(tried, TextTry::Unknown);
        assert_eq!(verdict(&unknown, 1, 1), Verdict::GiveUp);
        let timed_out = Err(AskModem::TimedOut { line: LineId::parse("sim").unwrap(), seconds: 1 });
        assert_eq!(verdict(&timed_out, 1, 1), Verdict::GiveUp);
    }

    #[test]
    fn a_text_goes_whole_or_waits_and_what_is_counted_twice_for_a_moment_keeps_nobody_till_tomorrow() {
        for (ceiling, sent, flying, parts, wanted) in [
            (4, 0, 0, 3, Room::Now),
            (4, 1, 0, 3, Room::Now),
            (4, 2, 0, 3, Room::Tomorrow),
            (4, 2, 0, 2, Room::Now),
            (4, 0, 2, 3, Room::Soon),
            (4, 1, 1, 3, Room::Soon),
            (4, 4, 0, 1, Room::Tomorrow),
            (2, 0, 0, 3, Room::Never),
            (0, 0, 0, 1, Room::Never),
        ] {
            assert_eq!(room(ceiling, sent, flying, parts), wanted, "{ceiling} {sent} {flying} {parts}");
        }
    }
}
