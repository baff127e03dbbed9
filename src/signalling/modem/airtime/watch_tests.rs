use super::super::reading::ReadBy;
use super::*;

const HOUR: i64 = 3600;

fn start() -> Timestamp {
    "2026-11-26T08:00:00Z".parse().expect("a time")
}

fn after(hours: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(hours * HOUR)).expect("a time")
}

fn today() -> Date {
    Date::constant(2026, 11, 26)
}

fn airtime(naira: i64) -> AirtimeReading {
    AirtimeReading { airtime: Some((Kobo(naira * 100), ReadBy::Guess)), ..AirtimeReading::default() }
}

fn watch() -> AirtimeWatch {
    AirtimeWatch::new(AirtimePlan::default(), start())
}

/// Reasons that are told at an hour.
fn told(watch: &mut AirtimeWatch, hours: i64) -> Vec<Reason> {
    watch.warnings(after(hours), today()).into_iter().map(|warning| warning.reason).collect()
}

#[test]
fn both_are_asked_at_first_and_then_twice_a_day() {
    let mut watch = watch();
    assert_eq!(watch.due(start()), Some(Asks::Balance));
    watch.read(Asks::Balance, &airtime(1000), start());
    assert_eq!(watch.due(start()), Some(Asks::Data));
    let data = AirtimeReading { data: Some((Volume(1 << 30), ReadBy::Guess)), ..AirtimeReading::default() };
    watch.read(Asks::Data, &data, start());
    assert_eq!(watch.due(after(11)), None);
    assert_eq!(watch.next(), Some(after(12)));
    assert_eq!(watch.due(after(12)), Some(Asks::Balance));
}

#[test]
fn a_question_without_an_answer_is_asked_again_less_and_less_often() {
    let mut watch = watch();
    let mut waits = Vec::new();
    let mut now = start();
    for _ in 0..8 {
        watch.failed(Asks::Balance, now);
        let next = watch.balance.next.expect("it is asked again");
        waits.push(next.duration_since(now).as_mins());
        now = next;
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 720, 720, 720]);
    // An answer without a figure is none.
    watch.read(Asks::Balance, &AirtimeReading::default(), now);
    assert_eq!(watch.balance.failures, 9);
}

#[test]
fn what_goes_a_day_is_learnt_without_what_was_bought() {
    let mut watch = watch();
    for (hours, naira) in [(0, 1000), (24, 900), (48, 800), (72, 2000), (96, 1900)] {
        watch.read(Asks::Balance, &airtime(naira), after(hours));
    }
    let forecast = watch.forecast().expect("readings are there");
    assert_eq!(forecast.spent_a_day, Some(Kobo(10_000)));
    assert_eq!(forecast.gone_at, Some(after(96 + 19 * 24)));
    assert_eq!(forecast.airtime, Kobo(190_000));
}

#[test]
fn less_than_a_day_is_no_habit_and_nothing_spent_never_ends() {
    let mut watch = watch();
    watch.read(Asks::Balance, &airtime(1000), start());
    watch.read(Asks::Balance, &airtime(900), after(12));
    assert_eq!(watch.forecast().expect("readings are there").spent_a_day, None);
    let mut still = AirtimeWatch::new(AirtimePlan::default(), start());
    still.read(Asks::Balance, &airtime(1000), start());
    still.read(Asks::Balance, &airtime(1000), after(48));
    let forecast = still.forecast().expect("readings are there");
    assert_eq!((forecast.spent_a_day, forecast.gone_at), (Some(Kobo(0)), None));
}

#[test]
fn the_owner_is_told_once_and_again_only_after_it_was_over() {
    let mut watch = watch();
    watch.read(Asks::Balance, &airtime(190), start());
    assert_eq!(told(&mut watch, 0), [Reason::AirtimeLow]);
    assert!(told(&mut watch, 1).is_empty());
    // A little more is not enough: 200 to be warned at, 250 to be done with it.
    watch.read(Asks::Balance, &airtime(210), after(2));
    assert!(told(&mut watch, 2).is_empty());
    watch.read(Asks::Balance, &airtime(5000), after(3));
    assert!(told(&mut watch, 3).is_empty());
    watch.read(Asks::Balance, &airtime(100), after(4));
    assert!(told(&mut watch, 4).contains(&Reason::AirtimeLow));
}

#[test]
fn the_owner_is_told_before_it_is_gone_although_there_is_much() {
    let mut watch = watch();
    for (hours, naira) in [(0, 5000), (24, 3500), (48, 2000)] {
        watch.read(Asks::Balance, &airtime(naira), after(hours));
    }
    assert_eq!(told(&mut watch, 48), [Reason::AirtimeGoneSoon]);
}

#[test]
fn data_expiry_stillness_and_silence_are_told() {
    let mut watch = watch();
    let reading = AirtimeReading {
        airtime: Some((Kobo(100_000), ReadBy::Guess)),
        data: Some((Volume(1 << 20), ReadBy::Guess)),
        expires: Some((Date::constant(2026, 11, 28), ReadBy::Guess)),
    };
    watch.read(Asks::Balance, &reading, start());
    assert_eq!(told(&mut watch, 0), [Reason::DataLow, Reason::ExpiresSoon]);
    assert_eq!(told(&mut watch, 8 * 24), [Reason::Unknown]);
    for day in 0..61 {
        watch.read(Asks::Balance, &airtime(1000), after(8 * 24 + day * 24));
    }
    assert!(told(&mut watch, 69 * 24).contains(&Reason::Idle));
}

#[test]
fn readings_are_bounded_kept_and_never_go_back_in_time() {
    let mut watch = watch();
    for hour in 0..200 {
        watch.read(Asks::Balance, &airtime(1000 - hour), after(hour));
    }
    watch.read(Asks::Balance, &airtime(7), after(3));
    let kept: Vec<(Timestamp, Kobo)> = watch.readings().collect();
    assert_eq!((kept.len(), kept.last().copied()), (READINGS_MAX, Some((after(199), Kobo(80_100)))));
    let again = AirtimeWatch::new(AirtimePlan::default(), after(200)).with_readings(kept);
    assert_eq!(again.forecast(), watch.forecast());
}

/// Reasons that stand at an hour.
fn standing(watch: &mut AirtimeWatch, hours: i64) -> Vec<Reason> {
    told(watch, hours);
    watch.standing().into_iter().map(|warning| warning.reason).collect()
}

#[test]
fn a_warning_stands_until_a_reading_shows_that_it_is_over_and_goes_then() {
    let mut watch = watch();
    let data = |octets: u64, expires: Option<Date>| AirtimeReading {
        airtime: None,
        data: Some((Volume(octets), ReadBy::Guess)),
        expires: expires.map(|day| (day, ReadBy::Guess)),
    };
    watch.read(Asks::Balance, &airtime(190), start());
    watch.read(Asks::Data, &data(1 << 20, Some(Date::constant(2026, 11, 28))), start());
    let all = [Reason::AirtimeLow, Reason::DataLow, Reason::ExpiresSoon];
    assert_eq!(standing(&mut watch, 0), all);
    // Neither time, nor a question without an answer, nor a little more ends any.
    watch.failed(Asks::Balance, after(1));
    watch.read(Asks::Data, &AirtimeReading::default(), after(1));
    watch.read(Asks::Balance, &airtime(210), after(2));
    assert_eq!(standing(&mut watch, 30), all);
    // Its figures are those of the last reading.
    let low = watch.standing()[0];
    assert_eq!(low.forecast.map(|forecast| forecast.airtime), Some(Kobo(21_000)));
    // Data was bought: its own warnings go, and no other.
    watch.read(Asks::Data, &data(2 << 30, Some(Date::constant(2026, 12, 28))), after(31));
    assert_eq!(standing(&mut watch, 31), [Reason::AirtimeLow]);
    watch.read(Asks::Balance, &airtime(1000), after(32));
    assert!(standing(&mut watch, 32).is_empty());
    // Of a plan that is gone no answer names an end.
    watch.read(Asks::Data, &data(2 << 30, Some(Date::constant(2026, 11, 28))), after(33));
    assert_eq!(standing(&mut watch, 33), [Reason::ExpiresSoon]);
    watch.read(Asks::Data, &data(2 << 30, None), after(34));
    assert!(standing(&mut watch, 34).is_empty());
}

#[test]
fn data_that_the_network_names_no_more_is_forgotten_and_told_until_it_names_some_again() {
    let mut watch = watch();
    let some = AirtimeReading {
        airtime: None,
        data: Some((Volume(3 << 29), ReadBy::Guess)),
        expires: Some((Date::constant(2026, 11, 28), ReadBy::Guess)),
    };
    let none = AirtimeReading::default();
    // Of a SIM whose data was never named there is nothing to tell.
    for hour in 0..4 {
        watch.read(Asks::Data, &none, after(hour));
    }
    assert!(standing(&mut watch, 4).is_empty());
    watch.read(Asks::Balance, &airtime(1000), after(4));
    watch.read(Asks::Data, &some, after(4));
    assert_eq!(standing(&mut watch, 4), [Reason::ExpiresSoon]);
    // One answer may be of a network that is busy, and no answer is none.
    watch.read(Asks::Data, &none, after(5));
    watch.failed(Asks::Data, after(6));
    assert_eq!(standing(&mut watch, 6), [Reason::ExpiresSoon]);
    assert_eq!(watch.data(), Some(Volume(3 << 29)));
    watch.read(Asks::Data, &none, after(7));
    assert_eq!(standing(&mut watch, 7), [Reason::DataGone]);
    assert_eq!((watch.data(), watch.expires()), (None, None));
    watch.read(Asks::Balance, &airtime(1000), after(8));
    assert_eq!(standing(&mut watch, 8), [Reason::DataGone]);
    watch.read(Asks::Data, &some, after(9));
    assert_eq!(standing(&mut watch, 9), [Reason::ExpiresSoon]);
}

#[test]
fn data_that_the_answer_about_airtime_names_stands_until_that_answer_names_none() {
    let mut watch = watch();
    let some = |octets: u64, reading: AirtimeReading| AirtimeReading {
        data: Some((Volume(octets), ReadBy::Guess)),
        ..reading
    };
    watch.read(Asks::Balance, &some(2 << 30, airtime(1000)), start());
    watch.read(Asks::Data, &some(1 << 30, AirtimeReading::default()), after(1));
    assert_eq!(watch.data(), Some(Volume(1 << 30)));
    for hour in 2..4 {
        watch.read(Asks::Data, &AirtimeReading::default(), after(hour));
    }
    assert_eq!(watch.data(), Some(Volume(2 << 30)));
    assert!(standing(&mut watch, 4).is_empty());
    watch.read(Asks::Balance, &airtime(1000), after(5));
    assert_eq!(standing(&mut watch, 5), [Reason::DataGone]);
}

#[test]
fn a_day_that_is_over_is_not_said_to_come_soon() {
    let mut watch = watch();
    let expires = Some((Date::constant(2026, 11, 28), ReadBy::Guess));
    watch.read(Asks::Balance, &AirtimeReading { expires, ..airtime(1000) }, start());
    let on = |watch: &mut AirtimeWatch, day: i8| {
        watch.warnings(start(), Date::constant(2026, 11, day));
        watch.standing().into_iter().map(|warning| warning.reason).collect::<Vec<_>>()
    };
    assert_eq!(on(&mut watch, 28), [Reason::ExpiresSoon]);
    assert!(on(&mut watch, 29).is_empty());
    assert_eq!(watch.expires(), None);
}

#[test]
fn stillness_stands_while_readings_show_nothing_else() {
    let mut watch = watch();
    for day in 0..=60 {
        watch.read(Asks::Balance, &airtime(1000), after(day * 24));
    }
    assert!(standing(&mut watch, 60 * 24).contains(&Reason::Idle));
    watch.read(Asks::Balance, &airtime(1000), after(61 * 24));
    assert!(standing(&mut watch, 61 * 24).contains(&Reason::Idle), "the same once more is no movement");
    watch.read(Asks::Balance, &airtime(996), after(62 * 24));
    assert!(!standing(&mut watch, 62 * 24).contains(&Reason::Idle));
}

#[test]
fn a_restart_ends_no_warning_and_a_box_that_was_off_for_long_asks_first() {
    let kept = [(start(), Kobo(15_000))];
    let mut again = AirtimeWatch::new(AirtimePlan::default(), after(1)).with_readings(kept);
    assert_eq!(standing(&mut again, 1), [Reason::AirtimeLow]);
    let mut off = AirtimeWatch::new(AirtimePlan::default(), after(20 * 24)).with_readings(kept);
    assert_eq!(standing(&mut off, 20 * 24), [Reason::AirtimeLow]);
    off.failed(Asks::Balance, after(20 * 24));
    assert_eq!(standing(&mut off, 20 * 24), [Reason::AirtimeLow, Reason::Unknown]);
    off.read(Asks::Balance, &airtime(150), after(20 * 24 + 1));
    assert_eq!(standing(&mut off, 20 * 24 + 1), [Reason::AirtimeLow]);
}
