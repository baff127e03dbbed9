//! A modem in plain sentences and in JSON: for `milu doctor`, `milu lines` and
//! `milu modem … signal`. What belongs to a person, as IMEI and ICCID do, is not in it.

use serde::Serialize;

use super::modems::Modem;
use crate::line::{LineHealth, LineState};
use crate::ops::{HealthFact, HealthState};
use crate::signalling::modem::airtime::{AirtimeWarning, Forecast, Reason};
use crate::signalling::modem::{ModemHealth, ModemState, Proof, Registration, Volte};

/// A modem as it is now.
#[derive(Serialize)]
pub struct ModemJson {
    pub line: String,
    pub state: &'static str,
    /// What the network has said of the SIM.
    pub registration: &'static str,
    pub operator: Option<String>,
    /// The network of the SIM, by its number.
    pub sim_operator: Option<String>,
    pub technology: Option<&'static str>,
    pub signal_dbm: Option<i16>,
    pub volte: &'static str,
    /// What is wrong with the SIM, as its owner is told.
    pub sim: String,
    pub sim_changed: bool,
    pub power: &'static str,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub profile: Option<String>,
    /// Whether hardware has proved the profile.
    pub profile_verified: bool,
    pub usb_path: Option<String>,
    pub port: Option<String>,
    pub temperature_celsius: Option<i16>,
    pub supply_mv: Option<u16>,
    pub airtime: Option<String>,
    /// The data that is left.
    pub data: Option<String>,
    /// The first day on which something on the SIM expires.
    pub expires: Option<String>,
    pub airtime_warnings: Vec<String>,
    /// Parts of texts, which the network bills: sent today, and the most in a day.
    pub text_parts_today: u32,
    pub text_parts_a_day: u32,
    pub calls: u64,
    pub resets: u64,
    pub troubles: Vec<String>,
}

impl ModemJson {
    pub fn of(modem: &Modem) -> Self {
        let (status, told) = (modem.status(), modem.told());
        let health = status.modem.as_ref();
        // What a modem said last is not so any more when it is gone.
        let here = health.filter(|health| health.state != ModemState::Absent);
        let (profile, verified) = match &status.family {
            Some((title, proof)) => (Some(title.clone()), is_proved(proof)),
            None => (None, false),
        };
        Self {
            line: modem.line.to_string(),
            state: health.map_or(ModemState::Absent, |health| health.state).name(),
            registration: registration(here.map_or(Registration::Unknown, |health| health.registration)),
            operator: here.and_then(|health| health.operator.clone()),
            sim_operator: here.and_then(|health| health.sim_operator.clone()),
            technology: here.and_then(|health| health.technology).map(|technology| technology.name()),
            signal_dbm: here.and_then(|health| health.signal_dbm),
            volte: volte(here.map_or(Volte::Unknown, |health| health.volte)),
            sim: sim(health, told.sim_changed),
            sim_changed: told.sim_changed,
            power: power(health),
            model: health.and_then(|health| health.model.clone()),
            firmware: health.and_then(|health| health.firmware.clone()),
            profile,
            profile_verified: verified,
            usb_path: status.usb_path.clone(),
            port: status.port.as_ref().map(|port| port.display().to_string()),
            temperature_celsius: here.and_then(|health| health.temperature),
            supply_mv: here.and_then(|health| health.millivolts),
            airtime: health.and_then(|health| health.airtime.as_ref()).map(airtime),
            data: health.and_then(|health| health.data).map(|data| data.to_string()),
            expires: health.and_then(|health| health.expires).map(|day| day.to_string()),
            airtime_warnings: health.iter().flat_map(|health| &health.airtime_warnings).map(warning).collect(),
            text_parts_today: health.map_or(0, |health| health.parts_today),
            text_parts_a_day: modem.texts_a_day,
            calls: health.map_or(0, |health| health.counters.calls),
            resets: health.map_or(0, |health| health.counters.resets),
            troubles: health.map(|health| health.troubles.clone()).unwrap_or_default(),
        }
    }
}

/// A line with a modem in the sentences of `milu doctor`: its service, its modem, its SIM
/// and its airtime are one part of the box.
pub(super) fn line_fact(line: &LineHealth, modem: &Modem) -> HealthFact {
    let shown = ModemJson::of(modem);
    let mut state = match line.state {
        LineState::Ready => HealthState::Well,
        LineState::Degraded => HealthState::Impaired,
        LineState::Down => HealthState::Failed,
    };
    let mut sentences = vec![network(&shown)];
    let troubles = line.trouble.iter().filter(|trouble| !shown.troubles.contains(trouble));
    sentences.extend(troubles.chain(&shown.troubles).map(|trouble| sentence(trouble)));
    if shown.sim_changed || !shown.airtime_warnings.is_empty() || !shown.troubles.is_empty() {
        state = state.max(HealthState::Impaired);
    }
    sentences.extend(shown.airtime_warnings.iter().cloned());
    if let (Some(profile), false) = (&shown.profile, shown.profile_verified) {
        // It is no fault of this box, and says what to watch.
        sentences.push(format!("No hardware has proved the profile of {profile} yet; try a call and a text."));
    }
    HealthFact { name: format!("line {}", line.id), state, sentence: sentences.join(" ") }
}

/// A trouble is told as part of a sentence; here it stands alone.
pub(super) fn sentence(trouble: &str) -> String {
    let mut letters = trouble.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if trouble.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// "Ready on MTN NG, 4G, -71 dBm, VoLTE is up."
fn network(shown: &ModemJson) -> String {
    let mut parts = vec![format!("{} ({})", shown.state, shown.registration)];
    parts.extend(shown.operator.clone());
    parts.extend(shown.technology.map(str::to_owned));
    parts.extend(shown.signal_dbm.map(|dbm| format!("{dbm} dBm")));
    parts.push(format!("VoLTE {}", shown.volte));
    format!("{}.", parts.join(", "))
}

const fn is_proved(proof: &Proof) -> bool {
    matches!(proof, Proof::Hardware)
}

const fn registration(registration: Registration) -> &'static str {
    match registration {
        Registration::Unknown => "unknown",
        Registration::NotSearching => "not-searching",
        Registration::Searching => "searching",
        Registration::Home => "home",
        Registration::Roaming => "roaming",
        Registration::Denied => "denied",
        Registration::TextsOnly => "texts-only",
        Registration::EmergencyOnly => "emergency-only",
    }
}

const fn volte(volte: Volte) -> &'static str {
    match volte {
        Volte::Unknown => "unknown",
        Volte::Off => "off",
        Volte::Waiting => "waiting",
        Volte::Up => "up",
    }
}

fn sim(health: Option<&ModemHealth>, has_changed: bool) -> String {
    match health.map(|health| health.state) {
        None | Some(ModemState::Absent) => "the modem is not there to ask".to_owned(),
        Some(ModemState::SimWait(trouble)) => trouble.to_string(),
        Some(ModemState::Opening | ModemState::Init) => "it is not asked yet".to_owned(),
        Some(_) if has_changed => {
            "Another SIM is in the modem than when the box last ran; if that was not meant, look for the right one."
                .to_owned()
        }
        Some(_) => "the SIM is well".to_owned(),
    }
}

fn power(health: Option<&ModemHealth>) -> &'static str {
    let drops = health.map_or(0, |health| health.counters.drops_under_load);
    match drops {
        0 => "enough",
        1 | 2 => "it fell off while transmitting",
        _ => "too weak: give it a powered hub",
    }
}

fn airtime(forecast: &Forecast) -> String {
    let mut text = format!("{} naira", forecast.airtime);
    if let Some(spent) = forecast.spent_a_day {
        text.push_str(&format!(", {spent} a day are spent"));
    }
    if let Some(gone_at) = forecast.gone_at {
        text.push_str(&format!(", gone on {}", gone_at.strftime("%Y-%m-%d")));
    }
    text
}

fn warning(warning: &AirtimeWarning) -> String {
    match warning.reason {
        Reason::AirtimeLow => {
            let left = warning.forecast.map(|forecast| format!(": {} naira are left", forecast.airtime));
            format!("The SIM's airtime is low{}; load it, or no text goes out.", left.unwrap_or_default())
        }
        Reason::AirtimeGoneSoon => "At this rate the SIM's airtime is gone within days; load it.".to_owned(),
        Reason::DataLow => {
            let left = warning.data.map(|data| format!(": {data} are left"));
            format!("The SIM's data is nearly used up{}.", left.unwrap_or_default())
        }
        Reason::DataGone => {
            "The SIM's data can no longer be read: it is used up, or its plan has ended. `milu modem LINE ussd CODE` \
             shows what the network says."
                .to_owned()
        }
        Reason::ExpiresSoon => {
            let day = warning.expires.map_or_else(|| "within days".to_owned(), |day| format!("on {day}"));
            format!("What is on the SIM expires {day}; load it.")
        }
        Reason::Idle => {
            "Nothing was spent on this SIM for two months; its network takes such SIMs away. Send a text from it."
                .to_owned()
        }
        Reason::Unknown => {
            "The SIM's balance could not be read for a week; `milu modem LINE ussd CODE` shows what the network says."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signalling::modem::airtime::{Kobo, Volume};
    use jiff::Timestamp;
    use jiff::civil::Date;

    #[test]
    fn a_trouble_stands_as_a_sentence() {
        assert_eq!(sentence("the modem is not there"), "The modem is not there.");
        assert_eq!(sentence("The line is not being served."), "The line is not being served.");
    }

    #[test]
    fn airtime_says_what_is_left_how_fast_it_goes_and_when_it_is_gone() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let forecast = Forecast { airtime: Kobo(123_450), at, spent_a_day: Some(Kobo(10_000)), gone_at: Some(at) };
        assert_eq!(airtime(&forecast), "1234.50 naira, 100.00 a day are spent, gone on 2027-01-15");
        let low = AirtimeWarning { reason: Reason::AirtimeLow, forecast: Some(forecast), data: None, expires: None };
        assert!(warning(&low).contains("1234.50 naira are left"));
    }

    #[test]
    fn a_warning_of_data_says_how_much_is_left_and_one_of_an_end_says_when() {
        let known = |reason| AirtimeWarning {
            reason,
            forecast: None,
            data: Some(Volume(50 << 20)),
            expires: Some(Date::constant(2026, 11, 28)),
        };
        assert_eq!(warning(&known(Reason::DataLow)), "The SIM's data is nearly used up: 50.00 MB are left.");
        assert!(warning(&known(Reason::DataGone)).contains("used up, or its plan has ended"));
        assert_eq!(warning(&known(Reason::ExpiresSoon)), "What is on the SIM expires on 2026-11-28; load it.");
    }
}
