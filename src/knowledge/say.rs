//! Sentences about opening hours, ready for the voice. Every one of them is
//! computed from the calendar; none says more than the file does.

use jiff::civil::{Date, DateTime};

use super::hours::{DAY_MINUTES, OpenSpan, OpeningHours, Openness, time_of};
use super::numbers::{clock, day_and_month, weekday_name};
use super::when::{AskedTime, Day, HalfOfDay, When};

/// What a caller wants to know of the hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoursQuestion {
    /// "Are you open …?"
    Open,
    /// "When do you open …?"
    Opens,
    /// "When do you close …?"
    Closes,
    /// "What are your opening hours?"
    Week,
    /// "Do you open on public holidays?"
    Holidays,
}

/// Holidays told in one answer; more are not remembered by anyone who listens.
const HOLIDAYS_TOLD: usize = 4;

/// The answer to a question about the hours, asked at the local time `now`.
pub fn say_hours(hours: &OpeningHours, question: HoursQuestion, when: Option<When>, now: DateTime) -> String {
    let asked = when.unwrap_or_default();
    match question {
        HoursQuestion::Holidays => holidays(hours, now),
        HoursQuestion::Week if when.is_none() => week(hours),
        HoursQuestion::Closes if asked.time.is_none() => closing(hours, asked.day.unwrap_or(Day::Now), now),
        HoursQuestion::Opens if asked.time.is_none() => opening(hours, asked.day, now),
        _ => openness(hours, asked, now),
    }
}

fn openness(hours: &OpeningHours, asked: When, now: DateTime) -> String {
    match (asked.day, asked.time) {
        (None | Some(Day::Now), None) => open_now(hours, now),
        (Some(Day::Weekend(saturday)), _) => weekend(hours, saturday, now),
        (Some(Day::On(date)), None) => open_on(hours, date, now),
        (Some(Day::On(date)), Some(time)) => open_at(hours, date, time, now),
        (_, Some(time)) => open_at(hours, now.date(), time, now),
    }
}

fn open_now(hours: &OpeningHours, now: DateTime) -> String {
    match hours.at(now) {
        Openness::Open { until } => format!("Yes, we are open now, until {}.", closing_words(until, now)),
        Openness::ClosedDay => {
            format!("No, we are closed on {}s{}.", weekday_name(now.date().weekday()), again(hours, now, now))
        }
        Openness::Holiday(holiday) => {
            format!("No, we are closed today for {}{}.", holiday.name, again(hours, now, now))
        }
        Openness::OutsideHours => format!("No, we are closed at the moment{}.", again(hours, now, now)),
    }
}

/// "; we open again on Monday at eight in the morning", or nothing if never.
fn again(hours: &OpeningHours, from: DateTime, now: DateTime) -> String {
    hours.next_opening(from).map_or_else(String::new, |next| {
        format!("; we open again {} at {}", day_label(next.date(), now.date()), clock(next.time()))
    })
}

fn open_on(hours: &OpeningHours, date: Date, now: DateTime) -> String {
    let label = day_label(date, now.date());
    let spans = hours.spans_on(date);
    if spans.is_empty() {
        return closed_on(hours, date, now);
    }
    if date == now.date() {
        let last = spans.last().map_or(0, |s| s.closes);
        if last <= DAY_MINUTES && now.time() >= time_of(last) && last != DAY_MINUTES {
            return format!("We are closed for today{}.", again(hours, now, now));
        }
    }
    let holiday = hours.holiday_on(date).map_or_else(String::new, |h| format!(", for {}", h.name));
    format!("Yes, {label} we are open {}{holiday}.", spans_words(spans))
}

fn closed_on(hours: &OpeningHours, date: Date, now: DateTime) -> String {
    let label = day_label(date, now.date());
    let next = again(hours, date.at(0, 0, 0, 0).max(now), now);
    match hours.holiday_on(date) {
        Some(holiday) => format!("No, we are closed {label} for {}{next}.", holiday.name),
        None if label.starts_with("on ") => format!("No, we are closed on {}s{next}.", weekday_name(date.weekday())),
        None => format!("No, we are closed {label}{next}."),
    }
}

fn weekend(hours: &OpeningHours, saturday: Date, now: DateTime) -> String {
    let sunday = saturday.tomorrow().unwrap_or(saturday);
    let part = |date: Date, name: &str| match hours.spans_on(date) {
        [] => format!("on {name} we are closed"),
        spans => format!("on {name} we are open {}", spans_words(spans)),
    };
    if hours.spans_on(saturday).is_empty() && hours.spans_on(sunday).is_empty() {
        return format!("No, we are closed at the weekend{}.", again(hours, now.max(saturday.at(0, 0, 0, 0)), now));
    }
    capitalised(&format!("{}, and {}.", part(saturday, "Saturday"), part(sunday, "Sunday")))
}

fn open_at(hours: &OpeningHours, date: Date, asked: AskedTime, now: DateTime) -> String {
    let time = settle(hours, date, asked, now);
    let at = date.to_datetime(time);
    let label = day_label(date, now.date());
    match hours.at(at) {
        Openness::Open { until } => {
            format!("Yes, {label} at {} we are open, until {}.", clock(time), closing_words(until, at))
        }
        Openness::ClosedDay | Openness::Holiday(_) => closed_on(hours, date, now),
        Openness::OutsideHours => {
            let spans = spans_words(hours.spans_on(date));
            format!("No, not at {}; {label} we are open {spans}.", clock(time))
        }
    }
}

/// "At six" is the six o'clock at which the business is open; if it is open at
/// both or at neither, the one still to come in a working day.
fn settle(hours: &OpeningHours, date: Date, asked: AskedTime, now: DateTime) -> jiff::civil::Time {
    let later = asked.time.with().hour((asked.time.hour() + 12) % 24).build().unwrap_or(asked.time);
    if asked.half == HalfOfDay::Known {
        return asked.time;
    }
    let open = |t| hours.is_open(date.to_datetime(t));
    match (open(asked.time), open(later)) {
        (true, false) => asked.time,
        (false, true) => later,
        _ if date == now.date() && asked.time <= now.time() => later,
        _ if asked.time.hour() < 7 => later,
        _ => asked.time,
    }
}

fn opening(hours: &OpeningHours, day: Option<Day>, now: DateTime) -> String {
    match day {
        Some(Day::Weekend(saturday)) => weekend(hours, saturday, now),
        Some(Day::On(date)) => match hours.spans_on(date).first() {
            Some(span) => {
                capitalised(&format!("{} we open at {}.", day_label(date, now.date()), clock(time_of(span.opens))))
            }
            None => closed_on(hours, date, now),
        },
        None | Some(Day::Now) => {
            let next = hours
                .next_opening(now)
                .map(|next| format!("{} at {}", day_label(next.date(), now.date()), clock(next.time())));
            match (hours.at(now), next) {
                (Openness::Open { until }, Some(next)) => {
                    format!("We are open now, until {}; after that we open {next}.", closing_words(until, now))
                }
                (Openness::Open { until }, None) => format!("We are open now, until {}.", closing_words(until, now)),
                (_, Some(next)) => format!("We open {next}."),
                (_, None) => "We are closed for the time being.".to_owned(),
            }
        }
    }
}

fn closing(hours: &OpeningHours, day: Day, now: DateTime) -> String {
    let date = match day {
        Day::Weekend(saturday) => return weekend(hours, saturday, now),
        Day::Now => now.date(),
        Day::On(date) => date,
    };
    if let Some(closes) = hours.open_since_yesterday(now).filter(|_| date == now.date()) {
        return format!("We close at {}.", clock(closes.time()));
    }
    match hours.spans_on(date).last() {
        Some(last) if date == now.date() => {
            let closes = clock_of_closing(last.closes);
            let over = last.closes < DAY_MINUTES && now.time() >= time_of(last.closes);
            if over {
                format!("We closed at {closes} today{}.", again(hours, now, now))
            } else {
                format!("Today we close at {closes}.")
            }
        }
        Some(last) => {
            capitalised(&format!("{} we close at {}.", day_label(date, now.date()), clock_of_closing(last.closes)))
        }
        None => closed_on(hours, date, now),
    }
}

/// The week in one breath, days with the same hours together.
fn week(hours: &OpeningHours) -> String {
    use jiff::civil::Weekday;
    let days: Vec<Weekday> = Weekday::Monday.cycle_forward().take(7).collect();
    let mut groups: Vec<(Weekday, Weekday, &[OpenSpan])> = Vec::new();
    for day in days {
        let spans = hours.regular(day);
        match groups.last_mut() {
            Some((_, last, same)) if *same == spans => *last = day,
            _ => groups.push((day, day, spans)),
        }
    }
    let name = |(first, last, _): &(Weekday, Weekday, &[OpenSpan])| {
        if first == last {
            format!("on {}", weekday_name(*first))
        } else {
            format!("from {} to {}", weekday_name(*first), weekday_name(*last))
        }
    };
    let (open, closed): (Vec<_>, Vec<_>) = groups.iter().partition(|(_, _, spans)| !spans.is_empty());
    let open: Vec<String> = open.iter().map(|g| format!("{} {}", name(g), spans_words(g.2))).collect();
    let closed: Vec<String> = closed.iter().map(name).collect();
    match (open.is_empty(), closed.is_empty()) {
        (true, _) => "We are closed for the time being.".to_owned(),
        (false, true) => format!("We are open {}.", open.join(", and ")),
        (false, false) => format!("We are open {}. We are closed {}.", open.join(", and "), closed.join(" and ")),
    }
}

fn holidays(hours: &OpeningHours, now: DateTime) -> String {
    let today = now.date();
    let mut coming: Vec<(Date, &super::hours::Holiday)> =
        hours.holidays().iter().filter_map(|h| Some((h.date.on_or_after(today)?, h))).collect();
    coming.sort_by_key(|(date, _)| *date);
    coming.truncate(HOLIDAYS_TOLD);
    let closed: Vec<&str> = coming.iter().filter(|(_, h)| h.spans.is_empty()).map(|(_, h)| h.name.as_str()).collect();
    let special = coming.iter().filter(|(_, h)| !h.spans.is_empty());
    let mut sentences = Vec::new();
    if !closed.is_empty() {
        sentences.push(format!("We are closed on {}.", listed(&closed)));
    }
    sentences.extend(special.map(|(_, h)| format!("On {} we are open {}.", h.name, spans_words(&h.spans))));
    if sentences.is_empty() { week(hours) } else { sentences.join(" ") }
}

/// "a, b and c".
pub(super) fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// "today", "tomorrow", "on Saturday" within the coming week, and
/// "on Friday the twenty-fifth of December" beyond it.
fn day_label(date: Date, today: Date) -> String {
    if date == today {
        return "today".to_owned();
    }
    if today.tomorrow().is_ok_and(|t| t == date) {
        return "tomorrow".to_owned();
    }
    let ahead = date.duration_since(today).as_hours() / 24;
    let weekday = weekday_name(date.weekday());
    if (0..7).contains(&ahead) { format!("on {weekday}") } else { format!("on {weekday} {}", day_and_month(date)) }
}

fn spans_words(spans: &[OpenSpan]) -> String {
    let words: Vec<String> = spans
        .iter()
        .map(|span| {
            if span.opens == 0 && span.closes >= DAY_MINUTES {
                return "all day and all night".to_owned();
            }
            format!("from {} to {}", clock(time_of(span.opens)), clock_of_closing(span.closes))
        })
        .collect();
    words.join(" and ")
}

fn clock_of_closing(closes: u16) -> String {
    clock(time_of(closes))
}

fn closing_words(until: DateTime, now: DateTime) -> String {
    let hours_away = until.date().duration_since(now.date()).as_hours();
    // Seven days of open spans in a row: the door never closes.
    if hours_away >= 24 * 6 {
        return "further notice: we never close".to_owned();
    }
    clock(until.time())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::super::hours::tests::clinic;
    use super::super::when::understand;
    use super::super::words::tokens;
    use super::*;
    use jiff::civil::datetime;

    fn monday_ten() -> DateTime {
        datetime(2026, 11, 23, 10, 0, 0, 0)
    }

    fn answer(question: HoursQuestion, words: &str, now: DateTime) -> String {
        let hours = clinic();
        say_hours(&hours, question, understand(&tokens(words), now, &hours).when, now)
    }

    #[test]
    fn open_now_is_told_with_its_end_and_closed_with_the_next_opening() {
        assert_eq!(
            answer(HoursQuestion::Open, "now", monday_ten()),
            "Yes, we are open now, until one in the afternoon."
        );
        let sunday = datetime(2026, 11, 29, 10, 0, 0, 0);
        assert_eq!(
            answer(HoursQuestion::Open, "", sunday),
            "No, we are closed on Sundays; we open again tomorrow at eight in the morning."
        );
        let lunch = datetime(2026, 11, 23, 13, 30, 0, 0);
        assert_eq!(
            answer(HoursQuestion::Open, "", lunch),
            "No, we are closed at the moment; we open again today at two in the afternoon."
        );
    }

    #[test]
    fn a_business_that_is_open_past_midnight_closes_when_it_closes() {
        let saturday = OpenSpan { opens: 18 * 60, closes: 26 * 60 };
        let days = [vec![], vec![], vec![], vec![], vec![], vec![saturday], vec![]];
        let hours = OpeningHours::new(jiff::tz::TimeZone::UTC, days, vec![]);
        let closes = |now| say_hours(&hours, HoursQuestion::Closes, None, now);
        assert_eq!(closes(datetime(2026, 11, 29, 0, 30, 0, 0)), "We close at two in the morning.");
        assert!(closes(datetime(2026, 11, 29, 2, 30, 0, 0)).contains("closed"));
    }

    #[test]
    fn a_day_is_answered_with_its_hours_or_the_next_ones() {
        assert_eq!(
            answer(HoursQuestion::Open, "on Saturday", monday_ten()),
            "Yes, on Saturday we are open from nine in the morning to two in the afternoon."
        );
        assert_eq!(
            answer(HoursQuestion::Open, "on Sunday", monday_ten()),
            "No, we are closed on Sundays; we open again on Monday the thirtieth of November at eight in the morning."
        );
    }

    #[test]
    fn a_holiday_is_named() {
        let told = answer(HoursQuestion::Open, "on 25th December", monday_ten());
        assert!(
            told.starts_with("No, we are closed on Friday the twenty-fifth of December for Christmas Day;"),
            "{told}"
        );
    }

    #[test]
    fn a_time_without_its_half_of_the_day_is_the_open_one() {
        let told = answer(HoursQuestion::Open, "tomorrow at four", monday_ten());
        assert_eq!(told, "Yes, tomorrow at four in the afternoon we are open, until six in the evening.");
        let told = answer(HoursQuestion::Open, "tomorrow at six", monday_ten());
        assert!(told.starts_with("No, not at six in the evening; tomorrow we are open from eight"), "{told}");
        let told = answer(HoursQuestion::Open, "at twelve at night", monday_ten());
        assert!(told.starts_with("No, not at midnight; tomorrow we are open from eight"), "{told}");
    }

    #[test]
    fn openings_and_closings_are_told_for_the_day_asked() {
        assert_eq!(answer(HoursQuestion::Closes, "today", monday_ten()), "Today we close at six in the evening.");
        assert_eq!(answer(HoursQuestion::Opens, "tomorrow", monday_ten()), "Tomorrow we open at eight in the morning.");
        let night = datetime(2026, 11, 23, 22, 0, 0, 0);
        assert_eq!(answer(HoursQuestion::Opens, "", night), "We open tomorrow at eight in the morning.");
    }

    #[test]
    fn the_week_puts_equal_days_together() {
        let told = answer(HoursQuestion::Week, "", monday_ten());
        assert!(
            told.contains("from Monday to Friday")
                && told.contains("on Saturday")
                && told.ends_with("We are closed on Sunday."),
            "{told}"
        );
    }

    #[test]
    fn the_weekend_is_answered_day_by_day() {
        assert_eq!(
            answer(HoursQuestion::Open, "over the weekend", monday_ten()),
            "On Saturday we are open from nine in the morning to two in the afternoon, and on Sunday we are closed."
        );
    }
}
