//! Times in PDUs: when the service centre had a text, and until when it may try
//! to deliver one (3GPP TS 23.040 sections 9.2.3.11 and 9.2.3.12).

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A time of the service centre's own clock, with its zone. Centres set their
/// clocks and zones wrong: order nothing by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CentreTime {
    pub local: DateTime,
    /// How far its zone is east of Greenwich, in quarters of an hour; 4 in Lagos.
    pub quarters: i8,
}

impl CentreTime {
    /// Seven octets, two figures in each with the low half first. None when they
    /// are no time, as with centres that have no clock.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let &[year, month, day, hour, minute, second, zone] = octets else { return None };
        let year = i16::from(figures(year)?);
        let century = if year >= 90 { 1900 } else { 2000 };
        let local = DateTime::from_parts(
            Date::new(century + year, figures(month)?, figures(day)?).ok()?,
            Time::new(figures(hour)?, figures(minute)?, figures(second)?, 0).ok()?,
        );
        // Bit 3 is the sign, and with it no part of the figures.
        let quarters = figures(zone & !0x08)?;
        Some(Self { local, quarters: if zone & 0x08 == 0 { quarters } else { -quarters } })
    }

    /// The moment that it names.
    pub fn instant(self) -> Option<Timestamp> {
        let offset = Offset::from_seconds(i32::from(self.quarters) * 15 * 60).ok()?;
        offset.to_timestamp(self.local).ok()
    }

    /// From the figures of text mode: `07/05/03,07:04:40+22`, the zone in
    /// quarters of an hour; without a zone it is taken for Greenwich.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once(',')?;
        let mut date = date.split('/').map(|part| part.trim().parse::<i16>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let century = if year >= 100 {
            0
        } else if year >= 90 {
            1900
        } else {
            2000
        };
        let sign = time.find(['+', '-']);
        let (clock, zone) = time.split_at(sign.unwrap_or(time.len()));
        let mut clock = clock.split(':').map(|part| part.trim().parse::<i8>().ok());
        let local = DateTime::from_parts(
            Date::new(century + year, month.try_into().ok()?, day.try_into().ok()?).ok()?,
            Time::new(clock.next()??, clock.next()??, clock.next()??, 0).ok()?,
        );
        let quarters = if sign.is_some() { zone.trim().parse().ok()? } else { 0 };
        (-96..=96).contains(&quarters).then_some(Self { local, quarters })
    }
}

impl fmt::Display for CentreTime {
    /// `2026-11-26T16:40:00+01:00`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.quarters < 0 { '-' } else { '+' };
        let quarters = self.quarters.unsigned_abs();
        write!(f, "{}{sign}{:02}:{:02}", self.local, quarters / 4, quarters % 4 * 15)
    }
}

/// Two figures, the low half first.
fn figures(octet: u8) -> Option<i8> {
    let (tens, units) = (octet & 0x0F, octet >> 4);
    if tens > 9 || units > 9 {
        return None;
    }
    i8::try_from(tens * 10 + units).ok()
}

/// How long the centre may try to deliver a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Validity {
    For(Duration),
    Until(CentreTime),
    /// Seven octets of the enhanced format that say neither.
    Unreadable,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Validity {
    pub(super) const fn of_relative(octet: u8) -> Self {
        let value = octet as u64;
        Self::For(Duration::from_secs(match value {
            0..=143 => (value + 1) * 5 * MINUTE,
            144..=167 => 12 * HOUR + (value - 143) * 30 * MINUTE,
            168..=196 => (value - 166) * DAY,
            _ => (value - 192) * 7 * DAY,
        }))
    }

    pub(super) fn of_absolute(octets: &[u8]) -> Self {
        CentreTime::read(octets).map_or(Self::Unreadable, Self::Until)
    }

    pub(super) fn of_enhanced(octets: &[u8]) -> Self {
        match octets {
            [first, value, ..] if first & 0x87 == 1 => Self::of_relative(*value),
            [first, seconds, ..] if first & 0x87 == 2 => Self::For(Duration::from_secs(u64::from(*seconds))),
            [first, hours, minutes, seconds, ..] if first & 0x87 == 3 => {
                let parts = (figures(*hours), figures(*minutes), figures(*seconds));
                let (Some(hours), Some(minutes), Some(seconds)) = parts else { return Self::Unreadable };
                let all = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
                let all = Duration::try_from(SignedDuration::from_secs(all));
                all.map_or(Self::Unreadable, Self::For)
            }
            _ => Self::Unreadable,
        }
    }

    /// The octet of a relative validity that is not shorter than `wanted`; the
    /// longest there is for what is longer.
    pub(super) fn written(wanted: Duration) -> u8 {
        let seconds = wanted.as_secs();
        let value = if seconds <= 12 * HOUR {
            seconds.div_ceil(5 * MINUTE).max(1) - 1
        } else if seconds <= DAY {
            143 + (seconds - 12 * HOUR).div_ceil(30 * MINUTE)
        } else if seconds <= 30 * DAY {
            166 + seconds.div_ceil(DAY)
        } else {
            192 + seconds.div_ceil(7 * DAY)
        };
        u8::try_from(value).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_quarters_of_an_hour_on_either_side_of_greenwich() {
        let east = CentreTime::read(&[0x62, 0x11, 0x62, 0x41, 0x03, 0x51, 0x40]).expect("a time");
        assert_eq!((east.local.to_string().as_str(), east.quarters), ("2026-11-26T14:30:15", 4));
        assert_eq!(east.instant().map(|t| t.to_string()).as_deref(), Some("2026-11-26T13:30:15Z"));
        let west = CentreTime::read(&[0x11, 0x20, 0x82, 0x11, 0x05, 0x05, 0x0A]).expect("a time");
        assert_eq!((west.quarters, west.to_string().as_str()), (-20, "2011-02-28T11:50:50-05:00"));
        assert_eq!(west.instant().map(|t| t.to_string()).as_deref(), Some("2011-02-28T16:50:50Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for octets in [[0; 7], [0xFF; 7], [0x62, 0x31, 0x62, 0x41, 0x03, 0x51, 0x40]] {
            assert_eq!(CentreTime::read(&octets), None, "{octets:?}");
        }
        assert_eq!(CentreTime::read(&[0x62, 0x11]), None);
    }

    #[test]
    fn times_of_text_mode_are_read_with_their_zone_and_without() {
        let read = |text| CentreTime::of_text(text).map(|t| (t.local.to_string(), t.quarters));
        assert_eq!(read("07/05/03,07:04:40+22"), Some(("2007-05-03T07:04:40".to_owned(), 22)));
        assert_eq!(read("2009/8/18,19:11:45"), Some(("2009-08-18T19:11:45".to_owned(), 0)));
        assert_eq!(read("06/05/28,18:15:41-20"), Some(("2006-05-28T18:15:41".to_owned(), -20)));
        assert_eq!(read("hello"), None);
        assert_eq!(read("07/13/03,07:04:40+22"), None);
    }

    #[test]
    fn a_validity_is_written_as_long_as_it_was_wanted_or_a_step_longer() {
        for octet in 0..=255 {
            let Validity::For(length) = Validity::of_relative(octet) else { panic!("a length") };
            let Validity::For(again) = Validity::of_relative(Validity::written(length)) else { panic!("a length") };
            assert_eq!(again, length, "{octet}");
            let Validity::For(longer) = Validity::of_relative(Validity::written(length - Duration::from_secs(1)))
            else {
                panic!("a length")
            };
            assert!(longer >= length - Duration::from_secs(1));
        }
        assert_eq!(Validity::written(Duration::MAX), 255);
        assert_eq!(Validity::written(Duration::ZERO), 0);
    }
}
