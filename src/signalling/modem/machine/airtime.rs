use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Span, Timestamp};

use crate::terms::Moment;

use super::super::airtime::{
    AirtimeReading, AirtimeWarning, AirtimeWatch, Asks, Forecast, Lesson, Operators, ReadBy, Volume, shape,
};
use super::super::command::Command;
use super::super::output::ModemOutput;
use super::super::settings::AirtimeSettings;
use super::super::state::ModemState;
use super::ModemLine;
use super::job::Job;

/// The schedule is looked at so often: it counts in hours.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The airtime of the line's SIM.
#[derive(Debug)]
pub(super) struct Airtime {
    watch: Option<(AirtimeWatch, Arc<Operators>)>,
    asked: Option<Asks>,
    look_at: Moment,
    forecast: Option<Forecast>,
}

impl Airtime {
    pub(super) fn new(settings: Option<&AirtimeSettings>, clock: Timestamp) -> Self {
        let watch = settings.map(|settings| {
            let watch = AirtimeWatch::new(settings.plan, clock).with_readings(settings.readings.iter().copied());
            (watch, settings.operators.clone())
        });
        Self { watch, asked: None, look_at: Moment::START, forecast: None }
    }

    pub(super) const fn forecast(&self) -> Option<Forecast> {
        self.forecast
    }

    pub(super) fn data(&self) -> Option<Volume> {
        self.watch.as_ref().and_then(|(watch, _)| watch.data())
    }

    pub(super) fn expires(&self) -> Option<Date> {
        self.watch.as_ref().and_then(|(watch, _)| watch.expires())
    }

    /// What the owner was told of it and is not over.
    pub(super) fn warnings(&self) -> Vec<AirtimeWarning> {
        self.watch.as_ref().map(|(watch, _)| watch.standing()).unwrap_or_default()
    }
}

impl ModemLine {
    pub(super) fn airtime_due(&self) -> Option<Moment> {
        // What is wrong with a line that rests keeps nobody from its airtime.
        let rests = matches!(self.state, ModemState::Ready | ModemState::Degraded(_));
        let is_calm = rests && !self.codes.is_busy() && self.airtime.asked.is_none();
        (is_calm && self.airtime.watch.is_some()).then_some(self.airtime.look_at)
    }

    /// Asks what is due by the network's own code, where that is known.
    pub(super) fn airtime_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if self.airtime_due().is_none_or(|at| now < at) {
            return None;
        }
        self.airtime.look_at = now + LOOK_EVERY;
        let clock = self.calendar(now);
        // Time alone is a reason too: nothing was read for a week, or a date comes near.
        self.warn_of_airtime(clock);
        let network = self.facts.sim_operator();
        let (watch, operators) = self.airtime.watch.as_mut()?;
        let asks = watch.due(clock);
        let question = asks.zip(network.as_deref()).and_then(|(asks, network)| {
            let code = operators.code(network, asks).filter(|code| !operators.spends(network, code))?;
            Some((asks, code.to_owned(), operators.steps(network, asks).to_vec()))
        });
        let Some((asks, code, steps)) = question else {
            if let Some(asks) = asks.filter(|_| network.is_some()) {
                watch.failed(asks, clock);
            }
            return None;
        };
        self.airtime.asked = Some(asks);
        self.codes.wait_by_schedule(code, steps);
        self.code_command(now)
    }

    /// Another SIM is in the modem: nothing that was read is its own.
    pub(super) fn airtime_of_another(&mut self, now: Moment) {
        let fresh =
            self.settings.airtime.as_ref().map(|settings| AirtimeSettings { readings: Vec::new(), ..settings.clone() });
        self.airtime = Airtime::new(fresh.as_ref(), self.calendar(now));
    }

    pub(super) fn warn_of_airtime(&mut self, clock: Timestamp) {
        let today = date_of(self.texts.day());
        let Some((watch, _)) = self.airtime.watch.as_mut() else { return };
        self.airtime.forecast = watch.forecast();
        let warnings = watch.warnings(clock, today);
        self.out.extend(warnings.into_iter().map(ModemOutput::AirtimeWarned));
    }

    pub(super) fn airtime_answered(&mut self, text: Option<&str>, now: Moment) {
        let Some(asks) = self.airtime.asked.take() else { return };
        let (clock, network) = (self.calendar(now), self.facts.sim_operator());
        let today = date_of(self.texts.day());
        let Some((watch, operators)) = self.airtime.watch.as_mut() else { return };
        let operator = operators.find(network.as_deref(), self.facts.operator.as_deref());
        match text {
            Some(text) => {
                let reading = AirtimeReading::of_answer(text, asks, operator, today);
                watch.read(asks, &reading, clock);
                let lesson = operator.and_then(|one| Lesson::of_answer(text, asks, &reading, one, today));
                match lesson {
                    // The next answer is read by it, also before the next start.
                    Some(lesson) if Arc::make_mut(operators).learn(&lesson) => {
                        let words = &lesson.words;
                        self.support.line(format!("{} is looked for behind \"{words}\" now", named(asks)), now);
                        self.out.push_back(ModemOutput::AnswerLearnt(lesson));
                    }
                    _ if is_read_by_words(&reading, asks) => {}
                    // By this a person can write the row that reads it.
                    _ => self.support.line(format!("no row reads {} in: {}", named(asks), shape(text)), now),
                }
                // An amount in an answer about data is the price of some.
                if let Some((airtime, _)) = reading.airtime.filter(|_| asks == Asks::Balance) {
                    let iccid = self.facts.iccid.clone();
                    self.out.push_back(ModemOutput::AirtimeRead { at: clock, airtime: Some(airtime), iccid });
                }
            }
            None => watch.failed(asks, clock),
        }
        self.warn_of_airtime(clock);
    }
}

const fn named(asks: Asks) -> &'static str {
    match asks {
        Asks::Balance => "the airtime",
        Asks::Data => "the data",
    }
}

/// Whether words of the operator chose what was asked for.
fn is_read_by_words(reading: &AirtimeReading, asks: Asks) -> bool {
    let by = match asks {
        Asks::Balance => reading.airtime.map(|(_, by)| by),
        Asks::Data => reading.data.map(|(_, by)| by),
    };
    by.is_some_and(|by| by != ReadBy::Guess)
}

/// Days since 1970-01-01 as a date.
fn date_of(day: i32) -> Date {
    let epoch = Date::constant(1970, 1, 1);
    Span::new().try_days(day).ok().and_then(|days| epoch.checked_add(days).ok()).unwrap_or(epoch)
}
