use jiff::ZonedDateTime;
use jiff::civil::{Date, DateTime};

use crate::knowledge::numbers::{clock, day_and_month, weekday_name, year};
use crate::knowledge::say::{HoursQuestion, say_hours};
use crate::knowledge::{Finding, HolidayDate, KnowledgeBase, as_spoken};

/// The instructions; `{business}` stands for the business's name.
const INSTRUCTIONS: &str = include_str!("prompt.txt");

/// Ways to ask that are told with each entry: enough to know what it is about.
const WAYS_TOLD: usize = 3;

/// Days ahead whose hours are told one by one.
const DAYS_TOLD: i64 = 7;

/// The instructions and what the business knows, the same for each call, so
/// that the provider can keep it read. People's numbers are not in it.
pub fn knowledge(base: &KnowledgeBase) -> String {
    let mut text = INSTRUCTIONS.replace("{business}", &base.name);
    text.push_str("\nWhat the business knows\n");
    let mut fact = |name: &str, fact: &str| {
        text.push_str(&format!("\n{name}: {}\n", one_line(fact)));
    };
    fact("Name", &base.name);
    if let Some(address) = &base.address {
        fact("Address", address);
    }
    if let Some(directions) = &base.directions {
        fact("How to get there", directions);
    }
    if base.hours.are_stated() {
        // The week does not depend on when it is told.
        fact("Opening hours", &say_hours(&base.hours, HoursQuestion::Week, None, DateTime::default()));
    } else {
        fact("Opening hours", "the business has not said");
    }
    let holidays: Vec<String> = base
        .hours
        .holidays()
        .iter()
        .map(|h| {
            let date = match h.date {
                HolidayDate::Yearly { month, day } => {
                    Date::new(2024, month, day).map_or_else(|_| String::new(), day_and_month)
                }
                HolidayDate::Days { first, last } if first == last => dated(first),
                HolidayDate::Days { first, last } => format!("from {} to {}", dated(first), dated(last)),
            };
            format!("{}, {date}: {}", h.name, spans(&h.spans))
        })
        .collect();
    if !holidays.is_empty() {
        fact("Holidays", &holidays.join("; "));
    }
    let people: Vec<String> = base
        .people
        .iter()
        .map(|p| match &p.role {
            Some(role) => format!("{}, {role}", p.name),
            None => p.name.clone(),
        })
        .collect();
    if !people.is_empty() {
        fact("People who may be asked for", &people.join("; "));
    }
    for entry in &base.entries {
        let asked: Vec<&str> = entry.ask.iter().take(WAYS_TOLD).map(String::as_str).collect();
        fact(&asked.join(" "), &entry.answer);
    }
    text
}

/// The same for each call of a day: its date, and the hours of the coming days.
pub fn today(base: &KnowledgeBase, now: &ZonedDateTime) -> String {
    let now = base.hours.local(now);
    let mut text = format!("Today is {}, {}.", weekday_name(now.date().weekday()), dated(now.date()));
    if !base.hours.are_stated() {
        return text;
    }
    for ahead in 0..DAYS_TOLD {
        let Ok(date) = now.date().checked_add(jiff::SignedDuration::from_hours(24 * ahead)) else { break };
        let name = match ahead {
            0 => "Today".to_owned(),
            1 => format!("Tomorrow, {}", weekday_name(date.weekday())),
            _ => format!("{}, {}", weekday_name(date.weekday()), day_and_month(date)),
        };
        let holiday = base.hours.holiday_on(date).map_or_else(String::new, |h| format!(" for {}", h.name));
        text.push_str(&format!(" {name}: {}{holiday}.", spans(base.hours.spans_on(date))));
    }
    text
}

/// What the box tells with a question: the time, and what it found itself.
pub fn note(base: &KnowledgeBase, now: &ZonedDateTime, finding: Option<&Finding>) -> String {
    let time = clock(base.hours.local(now).time());
    let found = match finding {
        Some(Finding::Answer(spoken)) => format!("The box found: {}", spoken.text.expose()),
        Some(Finding::Maybe(guess)) => {
            format!("The box found this, which may not fit: {}", guess.answer.text.expose())
        }
        _ => "The box found nothing for these words.".to_owned(),
    };
    format!("Note from the box: it is {time}. {found}")
}

fn spans(spans: &[crate::knowledge::OpenSpan]) -> String {
    let time = |minutes: u16| {
        let (hour, minute) = (minutes / 60 % 24, minutes % 60);
        as_spoken(&format!("{hour}:{minute:02}"))
    };
    let span = |s: &crate::knowledge::OpenSpan| format!("open from {} to {}", time(s.opens), time(s.closes));
    match spans {
        [] => "closed".to_owned(),
        all => all.iter().map(span).collect::<Vec<_>>().join(" and "),
    }
}

fn dated(date: Date) -> String {
    format!("{}, {}", day_and_month(date), year(u64::from(date.year().unsigned_abs())))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    fn base() -> KnowledgeBase {
        let text = include_str!("../../../../firmware-config/knowledge/clinic.toml");
        KnowledgeBase::parse("clinic.toml", text).unwrap()
    }

    fn at(day: i8, hour: i8) -> ZonedDateTime {
        let zone = TimeZone::get("Africa/Lagos").unwrap();
        datetime(2026, 12, day, hour, 10, 0, 0).to_zoned_datetime(zone).unwrap()
    }

    #[test]
    fn the_knowledge_holds_every_answer_and_nobodys_number() {
        let (base, text) = (base(), knowledge(&base()));
        assert!(base.entries.iter().all(|e| text.contains(&e.answer)));
        assert!(text.contains("Sunrise Family Clinic, a business in Nigeria"), "{text}");
        assert!(
            text.contains("closed on Sunday") && text.contains("Christmas Day, the twenty-fifth of December: closed")
        );
        assert!(text.contains("Dr Amina Bello, paediatrician"));
        let people: Vec<String> =
            base.people.iter().filter_map(|p| p.number.as_ref()).map(|n| format!("{n:?}")).collect();
        assert!(!people.is_empty() && !text.contains("0803 555 0101") && !text.contains("8035550101"));
    }

    #[test]
    fn the_same_text_comes_whatever_the_time_so_that_it_can_be_kept() {
        assert_eq!(knowledge(&base()), knowledge(&base()));
        assert_eq!(today(&base(), &at(22, 8)), today(&base(), &at(22, 17)));
    }

    #[test]
    fn today_tells_the_coming_days_with_their_holidays() {
        let text = today(&base(), &at(22, 9));
        assert!(
            text.starts_with(
                "Today is Tuesday, the twenty-second of December, twenty twenty-six. Today: open from eight"
            ),
            "{text}"
        );
        assert!(text.contains("Friday, the twenty-fifth of December: closed for Christmas Day."), "{text}");
    }

    #[test]
    fn a_note_tells_the_time_and_the_finding() {
        assert!(note(&base(), &at(22, 9), None).starts_with("Note from the box: it is nine ten in the morning."));
    }
}
