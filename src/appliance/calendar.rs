//! The calendar of the business: what day it is where it stands.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::ops::WallSource;

/// The calendar's clock and the business's time zone. Clones are the same calendar.
#[derive(Clone)]
pub struct Calendar {
    wall: WallSource,
    zone: TimeZone,
}

impl Calendar {
    pub const fn new(wall: WallSource, zone: TimeZone) -> Self {
        Self { wall, zone }
    }

    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// Days since 1970-01-01.
    pub fn day_number(&self) -> i32 {
        let today = self.now().to_zoned_datetime(self.zone.clone()).date();
        today.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days())
    }

    /// When today began.
    pub fn midnight(&self) -> Timestamp {
        let now = self.now();
        now.to_zoned_datetime(self.zone.clone()).start_of_day().map_or(now, |start| start.timestamp())
    }

    /// When tomorrow begins.
    pub fn next_midnight(&self) -> Timestamp {
        let now = self.now().to_zoned_datetime(self.zone.clone());
        let next = now.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        next.map_or(now.timestamp(), |start| start.timestamp())
    }
}

impl std::fmt::Debug for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calendar").field("zone", &self.zone).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_day_is_the_one_at_the_business() {
        let late = "2026-11-26T23:30:00Z".parse::<Timestamp>().unwrap();
        let lagos = TimeZone::get("Africa/Lagos").unwrap();
        let at = |zone: TimeZone| Calendar::new(Arc::new(move || late), zone);
        let (here, there) = (at(TimeZone::UTC), at(lagos));
        assert_eq!(there.day_number(), here.day_number() + 1);
        assert_eq!(there.midnight().to_string(), "2026-11-26T23:00:00Z");
        assert_eq!(there.next_midnight().to_string(), "2026-11-27T23:00:00Z");
        assert_eq!(here.midnight().to_string(), "2026-11-26T00:00:00Z");
        assert_eq!(i64::from(here.day_number()) * 86_400, here.midnight().as_second());
    }
}
