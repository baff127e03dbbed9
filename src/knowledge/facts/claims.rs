//! What a sentence claims of the opening hours, held against the calendar: on
//! these days we open at this time, close at that, are open, are closed.

use jiff::civil::{DateTime, Weekday};

use super::super::hours::{DAY_MINUTES, OpenSpan, OpeningHours};
use super::days::{Days, OneDay, WeekSet};
use super::read::{Fact, Half, Item, Reading, Said, Token, Verb};

/// One claim, with the days that it is bound to; none if the sentence names none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub what: What,
    pub days: Option<DayGroup>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Opens(Clock),
    Closes(Clock),
    /// Open at that time, or just opening.
    OpenAt(Clock),
    ShutAt(Clock),
    Open,
    Closed,
    AllDay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clock {
    pub minute: u16,
    pub half: Half,
}

/// Days named together; all are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct DayGroup {
    pub days: Vec<Days>,
    from: usize,
    to: usize,
    except: bool,
}

/// What a question asks of the hours, when the answer leaves it unsaid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Opening,
    Closing,
    /// Something else, or nothing of the hours.
    Other,
}

/// The claims of a sentence. `settled` says of an item that something else than
/// the hours vouches for it.
pub(super) fn claims(reading: &Reading, asked: Asked, settled: &dyn Fn(usize) -> bool) -> Vec<Claim> {
    let groups = groups(reading);
    let mut walk = Walk { reading, groups: &groups, asked, verb: None, claims: Vec::new() };
    for (i, item) in reading.items.iter().enumerate() {
        match &item.said {
            Said::Verb(verb) => walk.verb(i, item, *verb),
            Said::Fact(Fact::Time { minute, half }) if !settled(i) => {
                walk.time(i, item, Clock { minute: *minute, half: *half });
            }
            Said::Fact(Fact::Day(Days::Always)) => {
                let days = walk.bound(item.to, item.from).or_else(|| Some(every_day()));
                walk.claims.push(Claim { what: What::AllDay, days });
            }
            _ => {}
        }
    }
    walk.claims
}

fn every_day() -> DayGroup {
    DayGroup { days: vec![Days::EVERY], from: 0, to: 0, except: false }
}

/// The last days that a sentence names, for the next sentence.
pub(super) fn last_days(reading: &Reading) -> Option<DayGroup> {
    groups(reading).into_iter().rfind(|g| !g.except)
}

/// The days of a sentence that names nothing else ("Saturdays too."), and so says of them
/// what was said before it.
pub(super) fn days_alone(reading: &Reading, settled: &dyn Fn(usize) -> bool) -> Vec<DayGroup> {
    const AROUND: &[&str] = &[
        "all", "also", "and", "as", "both", "each", "even", "every", "for", "from", "in", "just", "of", "on", "only",
        "or", "please", "plus", "so", "that", "the", "this", "through", "to", "too", "week", "well", "yes",
    ];
    let (tokens, items) = (&reading.tokens, &reading.items);
    let is_around = |n: usize| match tokens[n].word.as_str() {
        // "Today is Sunday" says nothing of the hours; "that is every day" does.
        "is" => n > 0 && tokens[n - 1].word == "that",
        "including" => true,
        word => AROUND.contains(&word),
    };
    let in_item = |n: usize| items.iter().any(|item| (item.from..item.to).contains(&n));
    // "The same on Saturdays", whatever else is said with it.
    let is_same = tokens.iter().any(|t| t.word == "same")
        && !tokens.iter().any(|t| matches!(t.word.as_str(), "not" | "never") || t.word.ends_with("n't"));
    let is_day = |item: &Item| matches!(item.said, Said::Except | Said::Fact(Fact::Day(_) | Fact::Date { .. }));
    let is_alone = is_same || (0..tokens.len()).all(|n| in_item(n) || is_around(n));
    if !is_alone || !items.iter().all(is_day) {
        return Vec::new();
    }
    let is_settled = |group: &DayGroup| {
        items.iter().enumerate().any(|(i, item)| settled(i) && (group.from..group.to).contains(&item.from))
    };
    groups(reading).into_iter().filter(|group| !group.except && !is_settled(group)).collect()
}

/// Whether days with only these words between them belong together.
fn joins(between: &[Token]) -> bool {
    let word = |t: &Token| {
        matches!(
            t.word.as_str(),
            "and" | "or" | "on" | "the" | "of" | "every" | "each" | "also" | "as" | "well" | "plus" | "including"
        )
    };
    between.iter().all(|t| word(t) && !t.pause)
}

fn groups(reading: &Reading) -> Vec<DayGroup> {
    let mut groups: Vec<DayGroup> = Vec::new();
    let mut except = false;
    let mut broken = true;
    for item in &reading.items {
        let days = match &item.said {
            Said::Fact(Fact::Day(days)) if *days != Days::Always => *days,
            Said::Fact(Fact::Date { month, day }) => Days::Date { month: *month, day: *day },
            Said::Except => {
                except = true;
                broken = true;
                continue;
            }
            _ => {
                except = false;
                broken = true;
                continue;
            }
        };
        match groups.last_mut() {
            Some(group) if !broken && joins(&reading.tokens[group.to..item.from]) => {
                // "Friday the twenty-fifth of December" is one day.
                match (group.days.last().copied(), days) {
                    (Some(Days::Coming(weekday)), Days::Date { month, day }) if item.from - group.to <= 1 => {
                        group.days.pop();
                        group.days.push(Days::DateOn { month, day, weekday });
                    }
                    _ => group.days.push(days),
                }
                group.to = item.to;
            }
            _ => groups.push(DayGroup { days: vec![days], from: item.from, to: item.to, except }),
        }
        broken = false;
    }
    take_out_exceptions(&mut groups);
    groups
}

/// "Every day except Sunday": the Sunday is not of the days before it.
fn take_out_exceptions(groups: &mut [DayGroup]) {
    for i in 1..groups.len() {
        if !groups[i].except {
            continue;
        }
        let out = groups[i].days.iter().fold(WeekSet::one(Weekday::Monday).without(WeekSet::EVERY), |set, d| match d {
            Days::Coming(day) | Days::Next(day) => set.with(WeekSet::one(*day)),
            Days::Week(week) => set.with(*week),
            _ => set,
        });
        for days in &mut groups[i - 1].days {
            if let Days::Week(week) = days {
                *week = week.without(out);
            }
        }
    }
}

struct Walk<'a> {
    reading: &'a Reading,
    groups: &'a [DayGroup],
    asked: Asked,
    /// The verb that the next time belongs to, and whether it was denied.
    verb: Option<(Verb, bool)>,
    claims: Vec<Claim>,
}

impl Walk<'_> {
    fn verb(&mut self, i: usize, item: &Item, verb: Verb) {
        self.verb = Some((verb, item.negated));
        let timed = self.has_time_ahead(i);
        let what = match (verb, item.negated) {
            (Verb::IsOpen, false) | (Verb::IsClosed, true) if !timed => What::Open,
            (Verb::IsOpen | Verb::Opens, true) | (Verb::IsClosed, false) if !timed => What::Closed,
            (Verb::Opens | Verb::Visit, false) if !timed => {
                let Some(days) = self.bound(item.to, item.from) else { return };
                // "Come and see us, any day": a visit is for when it is open.
                self.claims.push(Claim { what: What::Open, days: Some(days) });
                return;
            }
            _ => return,
        };
        let days = self.bound(item.to, item.from);
        self.claims.push(Claim { what, days });
        self.excepted(what, item.to);
        if what == What::Closed {
            self.verb = None;
        }
    }

    /// "Open every day except Sunday" also claims a closed Sunday.
    fn excepted(&mut self, what: What, after: usize) {
        let opposite = match what {
            What::Open => What::Closed,
            What::Closed => What::Open,
            _ => return,
        };
        if let Some(out) = self.groups.iter().find(|g| g.except && g.from >= after) {
            self.claims.push(Claim { what: opposite, days: Some(out.clone()) });
        }
    }

    /// Whether a time comes before the next verb.
    fn has_time_ahead(&self, i: usize) -> bool {
        let is_time = |item: &Item| matches!(item.said, Said::Fact(Fact::Time { .. } | Fact::Day(Days::Always)));
        self.reading.items[i + 1..].iter().take_while(|item| !matches!(item.said, Said::Verb(_))).any(is_time)
    }

    fn time(&mut self, i: usize, item: &Item, clock: Clock) {
        let lead = item.from.checked_sub(1).map_or("", |n| self.reading.tokens[n].word.as_str());
        let what = self.role(i, item, lead, clock);
        // Times in a chain ("from nine to two") are bound by the end of the chain.
        let end = self.chain_end(i);
        let start = self.chain_start(i);
        let days = self.bound(end, start);
        self.claims.push(Claim { what, days });
    }

    fn role(&self, i: usize, item: &Item, lead: &str, clock: Clock) -> What {
        let is_last_of_range =
            self.is_linked(i.wrapping_sub(1)) && matches!(lead, "to" | "till" | "until" | "through" | "and");
        let ends = is_last_of_range || matches!(lead, "to" | "till" | "until" | "through");
        let begins = matches!(lead, "from" | "between") || self.is_linked(i);
        let (verb, denied) =
            self.verb.map_or((None, false), |(verb, denied)| (Some(verb), denied && !self.is_past_but(i)));
        let opens = matches!(verb, Some(Verb::IsOpen | Verb::Opens));
        let closes = matches!(verb, Some(Verb::IsClosed | Verb::Closes));
        let is_turn = is_last_of_range || matches!(lead, "till" | "until" | "before");
        if item.negated || denied && (opens || closes && is_turn) {
            let of_closing = closes || !opens && verb != Some(Verb::Visit) && self.asked == Asked::Closing;
            return match (is_turn, closes) {
                // "We don't close until six" says when we do.
                (true, _) if of_closing => What::Closes(clock),
                (true, _) => What::Opens(clock),
                // "We are not closed at five": the door is open then.
                (false, true) => What::OpenAt(clock),
                (false, false) => What::ShutAt(clock),
            };
        }
        // "At nine we are open": the verb comes after its time.
        let ahead = self.reading.items[i..].iter().find_map(|item| match item.said {
            Said::Verb(verb) => Some(verb),
            _ => None,
        });
        match verb {
            None if ahead == Some(Verb::IsOpen) && !ends && !begins => What::OpenAt(clock),
            Some(Verb::IsClosed) if ends => What::Opens(clock),
            Some(Verb::IsClosed) if begins => What::Closes(clock),
            Some(Verb::IsClosed) => What::ShutAt(clock),
            _ if ends => What::Closes(clock),
            _ if begins => What::Opens(clock),
            Some(Verb::Opens) => What::Opens(clock),
            Some(Verb::Closes) => What::Closes(clock),
            None | Some(Verb::Hours) if self.asked == Asked::Opening => What::Opens(clock),
            None | Some(Verb::Hours) if self.asked == Asked::Closing => What::Closes(clock),
            _ => What::OpenAt(clock),
        }
    }

    /// "We don't open at eight but at nine": what the verb denies ends before the time at `i`.
    fn is_past_but(&self, i: usize) -> bool {
        let (before, time) = (&self.reading.items[..i], &self.reading.items[i]);
        let verb = before.iter().rfind(|item| matches!(item.said, Said::Verb(_)));
        let ends = |t: &Token| matches!(t.word.as_str(), "but" | "only");
        verb.is_some_and(|verb| self.reading.tokens[verb.to..time.from].iter().any(ends))
    }

    /// Whether the item at `i` is a time with "to" and another time behind it.
    fn is_linked(&self, i: usize) -> bool {
        let is_time = |item: Option<&Item>| item.is_some_and(|t| matches!(t.said, Said::Fact(Fact::Time { .. })));
        let (Some(one), Some(other)) = (self.reading.items.get(i), self.reading.items.get(i.wrapping_add(1))) else {
            return false;
        };
        let between = self.reading.tokens.get(one.to).map_or("", |t| t.word.as_str());
        let lead = one.from.checked_sub(1).map_or("", |n| self.reading.tokens[n].word.as_str());
        let links = matches!(between, "to" | "till" | "until" | "through") || between == "and" && lead == "between";
        is_time(Some(one)) && is_time(Some(other)) && one.to + 1 == other.from && links
    }

    fn chain_end(&self, mut i: usize) -> usize {
        while self.is_linked(i) {
            i += 1;
        }
        self.reading.items[i].to
    }

    fn chain_start(&self, mut i: usize) -> usize {
        while i > 0 && self.is_linked(i - 1) {
            i -= 1;
        }
        self.reading.items[i].from
    }

    /// The days of a claim that ends at the token `end`: those right behind it,
    /// else those before it, else those behind it at all.
    fn bound(&self, end: usize, start: usize) -> Option<DayGroup> {
        let named = || self.groups.iter().filter(|g| !g.except);
        let behind = named().find(|g| g.from >= end);
        let right_behind = behind.filter(|g| {
            let between = self.reading.tokens.get(end..g.from).unwrap_or_default();
            let pause = end.checked_sub(1).is_some_and(|n| self.reading.tokens[n].pause);
            let skipped = |w: &str| {
                matches!(
                    w,
                    "on" | "every"
                        | "each"
                        | "this"
                        | "from"
                        | "the"
                        | "next"
                        | "coming"
                        | "for"
                        | "in"
                        | "at"
                        | "again"
                        | "during"
                        | "all"
                        | "our"
                )
            };
            !pause && between.iter().all(|t| skipped(&t.word) && !t.pause)
        });
        right_behind.or_else(|| named().rfind(|g| g.to <= start)).or(behind).cloned()
    }
}

/// The calendar against which claims are held.
pub(super) struct Calendar<'a> {
    pub hours: &'a OpeningHours,
    /// The business's local time.
    pub now: DateTime,
    /// The question names a day: then "on Friday" is the one that comes, and not
    /// any Friday of the week.
    pub dated: bool,
}

impl Calendar<'_> {
    /// Whether a claim is true. `carried` are the days that were spoken of before.
    pub fn bears_out(&self, claim: &Claim, carried: Option<&DayGroup>) -> bool {
        if !self.hours.are_stated() {
            return false;
        }
        match claim.days.as_ref().or(carried) {
            Some(group) => group.days.iter().all(|days| self.on_days(claim.what, *days)),
            None => self.undated(claim.what),
        }
    }

    fn on_days(&self, what: What, days: Days) -> bool {
        let mut alternatives = days.each(self.now, self.hours);
        if let (Days::Coming(day), false) = (days, self.dated) {
            alternatives.push(vec![OneDay::Regular(day)]);
        }
        alternatives.iter().any(|each| !each.is_empty() && each.iter().all(|day| self.on_day(what, *day)))
    }

    /// Without a day, now is meant, or the next time that the door opens.
    fn undated(&self, what: What) -> bool {
        match what {
            What::Open | What::Closed => self.on_day(what, OneDay::Now),
            What::AllDay => self.on_days(what, Days::EVERY),
            _ => {
                let next = self.hours.next_opening(self.now).map(|at| OneDay::On(at.date()));
                let today = OneDay::On(self.now.date());
                self.on_day(what, today) || self.closed_for_today() && next.is_some_and(|day| self.on_day(what, day))
            }
        }
    }

    /// Nothing opens any more today, and nothing is open.
    fn closed_for_today(&self) -> bool {
        let minute = minute_of_day(self.now);
        let spans = self.hours.spans_on(self.now.date());
        !self.hours.is_open(self.now) && spans.iter().all(|span| span.opens <= minute)
    }

    fn on_day(&self, what: What, day: OneDay) -> bool {
        let spans = self.spans(day);
        match what {
            What::Opens(clock) => spans.iter().any(|s| clock.is(s.opens)),
            What::Closes(clock) => spans.iter().chain(self.still_open_from_yesterday(day)).any(|s| clock.is(s.closes)),
            What::OpenAt(clock) => clock.minutes().into_iter().flatten().any(|m| within(spans, m)),
            // Of the two hours that may be meant one is shut almost everywhere.
            What::ShutAt(clock) => clock.minutes().into_iter().flatten().all(|m| !within(spans, m)),
            What::Open => match day {
                OneDay::Now => self.hours.is_open(self.now),
                OneDay::On(date) if date == self.now.date() => !self.closed_for_today(),
                _ => !spans.is_empty(),
            },
            What::Closed => match day {
                OneDay::Now => !self.hours.is_open(self.now),
                OneDay::On(date) if date == self.now.date() => self.closed_for_today(),
                _ => spans.is_empty(),
            },
            What::AllDay => spans.iter().any(|s| s.opens == 0 && s.closes >= DAY_MINUTES),
        }
    }

    fn spans(&self, day: OneDay) -> &[OpenSpan] {
        match day {
            OneDay::Now => self.hours.spans_on(self.now.date()),
            OneDay::On(date) => self.hours.spans_on(date),
            OneDay::Regular(weekday) => self.hours.regular(weekday),
        }
    }

    /// After midnight a bar closes by yesterday's hours.
    fn still_open_from_yesterday(&self, day: OneDay) -> &[OpenSpan] {
        let today = self.now.date();
        let yesterday = today.yesterday().ok().filter(|_| matches!(day, OneDay::Now) || day == OneDay::On(today));
        match yesterday {
            Some(date) if self.hours.is_open(self.now) => self.hours.spans_on(date),
            _ => &[],
        }
    }
}

fn minute_of_day(at: DateTime) -> u16 {
    u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs())
}

fn within(spans: &[OpenSpan], minute: u16) -> bool {
    let holds = |s: &OpenSpan, m: u16| s.opens <= m && m < s.closes;
    spans.iter().any(|s| holds(s, minute) || holds(s, minute + DAY_MINUTES))
}

impl Clock {
    fn is(self, told: u16) -> bool {
        let told = told % DAY_MINUTES;
        told == self.minute || self.half == Half::Either && told % 720 == self.minute % 720
    }

    /// The minutes of a day that may be meant.
    fn minutes(self) -> [Option<u16>; 2] {
        let other = (self.half == Half::Either).then_some((self.minute + 720) % DAY_MINUTES);
        [Some(self.minute), other]
    }
}
