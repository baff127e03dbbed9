use crate::terms::Private;

use super::engine::Said;
use super::health::{Registration, Technology, Volte};
use super::news::dbm_of_csq;
use super::registration::{self, RegistrationRow};
use super::row::{Field, Row, fields, number_at};

/// A name that a modem gives itself or a network: longer is no name.
const NAME_CHARS_MAX: usize = 60;

/// What a modem has told of itself and of the network.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) maker: Option<String>,
    pub(super) model: Option<String>,
    pub(super) firmware: Option<String>,
    pub(super) imei: Option<Private<String>>,
    pub(super) iccid: Option<Private<String>>,
    pub(super) imsi: Option<Private<String>>,
    pub(super) operator: Option<String>,
    pub(super) technology: Option<Technology>,
    pub(super) signal_dbm: Option<i16>,
    pub(super) volte: Volte,
    pub(super) temperature: Option<i16>,
    pub(super) millivolts: Option<u16>,
    /// Places of the memory that texts are read from.
    pub(super) text_places: Option<usize>,
    /// By `+CREG`: calls by circuits.
    pub(super) circuits: Registration,
    /// By `+CEREG`: LTE.
    pub(super) lte: Registration,
}

impl Facts {
    /// Learns from the answer to a command, by the command's own name. What a modem says
    /// to `=?` is what there may be, such as all the networks around, and not what is.
    pub(super) fn learn(&mut self, command: &str, rows: &[Said]) {
        if command.contains("=?") {
            return;
        }
        for said in rows {
            match &said.row {
                Row::Bare(text) => self.learn_words(command, text),
                Row::Named { name, fields: text } => self.learn_named(command, name, text),
                Row::Final(_) => {}
            }
        }
    }

    fn learn_words(&mut self, command: &str, text: &str) {
        let digits = identity(text);
        match command {
            "AT+CGMI" | "AT+GMI" => self.maker = words(text),
            "AT+CGMM" | "AT+GMM" => self.model = words(text),
            "AT+CGMR" | "AT+GMR" => self.firmware = words(text),
            "AT+CGSN" | "AT+GSN" => self.imei = digits,
            "AT+CIMI" => self.imsi = digits,
            _ if command.contains("CCID") => self.iccid = card_number(text),
            _ => {}
        }
    }

    fn learn_named(&mut self, command: &str, name: &str, text: &str) {
        let list = fields(text);
        match name {
            "+CGMI" | "+CGMM" | "+CGMR" | "+CGSN" | "+CIMI" => self.learn_words(command, text.trim_matches('"')),
            "+QCCID" | "+CICCID" | "+CCID" | "+ICCID" | "^ICCID" => self.iccid = card_number(text),
            "+CSQ" => self.signal_dbm = number_at(&list, 0).and_then(dbm_of_csq),
            "+CREG" => {
                if let Some(row) = registration::read(text) {
                    self.registered(&row, false);
                }
            }
            "+CEREG" => {
                if let Some(row) = registration::read(text) {
                    self.registered(&row, true);
                }
            }
            "+COPS" => self.learn_operator(&list),
            // `+CPMS: <used>,<places>,…` of a set-up, which chooses all memories. With one name
            // alone the modem may be turned to another memory for a while.
            "+CPMS" if command.starts_with("AT+CPMS=") && command.contains(',') => {
                self.text_places = number_at(&list, 1);
            }
            "+QTEMP" | "+CPMUTEMP" | "^CHIPTEMP" => self.temperature = hottest(&list),
            "+CBC" => self.millivolts = millivolts(&list),
            "+QCFG" if list.first().is_some_and(|f| f.text == "ims") => {
                self.volte = match (number_at::<u8>(&list, 1), number_at::<u8>(&list, 2)) {
                    (_, Some(1)) => Volte::Up,
                    (Some(2), _) => Volte::Off,
                    (Some(_), _) => Volte::Waiting,
                    _ => Volte::Unknown,
                };
            }
            "+CIREG" => {
                self.volte = match number_at::<u8>(&list, list.len().saturating_sub(1).min(1)) {
                    Some(1) => Volte::Up,
                    Some(_) => Volte::Waiting,
                    None => Volte::Unknown,
                };
            }
            _ => {}
        }
    }

    /// `+COPS: <mode>[,<format>,<name>[,<technology>]]`; no name means no network. A row
    /// of anything else, such as `(2,"MTN NG","MTN","62130",7)`, says nothing of it.
    fn learn_operator(&mut self, list: &[Field<'_>]) {
        let is_mode = number_at::<u8>(list, 0).is_some_and(|mode| mode <= 4);
        if !is_mode || list.len() > 1 && number_at::<u8>(list, 1).is_none() {
            return;
        }
        self.operator = list.get(2).and_then(|name| words(name.text));
        if let Some(technology) = number_at(list, 3).and_then(registration::technology) {
            self.technology = Some(technology);
        }
    }

    pub(super) fn registered(&mut self, row: &RegistrationRow, is_lte: bool) {
        if is_lte {
            self.lte = row.registration;
        } else {
            self.circuits = row.registration;
        }
        if row.technology.is_some() {
            self.technology = row.technology;
        }
    }

    /// Whether calls can come: by circuits, or over LTE where that carries calls.
    pub(super) const fn takes_calls(&self) -> bool {
        let on_lte = matches!(self.lte, Registration::Home | Registration::Roaming);
        matches!(self.circuits, Registration::Home | Registration::Roaming)
            || (on_lte && matches!(self.volte, Volte::Up))
    }

    /// The one of both registrations that says more.
    pub(super) const fn registration(&self) -> Registration {
        match (self.circuits, self.lte) {
            (Registration::Home | Registration::Roaming, _) => self.circuits,
            (_, Registration::Unknown | Registration::NotSearching) => self.circuits,
            (Registration::Unknown | Registration::NotSearching, _) => self.lte,
            _ => self.circuits,
        }
    }

    /// Registered on LTE, where this SIM or this modem cannot be called.
    pub(super) const fn lacks_volte(&self) -> bool {
        let on_lte = matches!(self.lte, Registration::Home | Registration::Roaming);
        on_lte && !self.takes_calls()
    }

    /// The network of the SIM, by its identity: country and network, five digits.
    pub(super) fn sim_operator(&self) -> Option<String> {
        self.imsi.as_ref().and_then(|imsi| imsi.expose().get(..5).map(str::to_owned))
    }

    /// Another modem may be at the port that is opened: what this one is, it says itself.
    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }

    /// Forgets what belongs to the SIM and the network; the modem stays the same.
    pub(super) fn forget_network(&mut self) {
        let Self { maker, model, firmware, imei, .. } = std::mem::take(self);
        *self = Self { maker, model, firmware, imei, ..Self::default() };
    }
}

fn words(text: &str) -> Option<String> {
    let text: String = text.trim().trim_matches('"').chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// An IMEI or an IMSI: digits alone.
fn identity(text: &str) -> Option<Private<String>> {
    card_number(text).filter(|number| number.expose().bytes().all(|b| b.is_ascii_digit()))
}

/// An ICCID, in capitals. By ITU-T E.118 it has digits, and some operators' have
/// hexadecimal ones among them; the last may be filled up with F.
fn card_number(text: &str) -> Option<Private<String>> {
    let digits: String = text.trim().trim_matches('"').chars().take_while(char::is_ascii_hexdigit).collect();
    let digits = digits.to_ascii_uppercase();
    let number = digits.trim_end_matches('F');
    (10..=22).contains(&number.len()).then(|| Private::new(number.to_owned()))
}

/// Sensors that are not there say 255 or less than anything that works.
fn hottest(list: &[Field<'_>]) -> Option<i16> {
    let degrees = list.iter().filter_map(|field| field.number::<f32>());
    let degrees = degrees.filter(|d| (-40.0..=125.0).contains(d));
    degrees.fold(None, |hottest: Option<f32>, d| Some(hottest.map_or(d, |h| h.max(d)))).map(rounded)
}

#[allow(clippy::cast_possible_truncation, reason = "it lies between -40 and 125")]
fn rounded(degrees: f32) -> i16 {
    degrees.round() as i16
}

/// `+CBC: <state>,<percent>,<millivolts>`, where a SIM5360 says `3.810V`, or `+CBC: 3.812V`.
fn millivolts(list: &[Field<'_>]) -> Option<u16> {
    let told = match list {
        [volts] => *volts,
        [_, _, third, ..] => *third,
        _ => return None,
    };
    if list.len() > 1
        && let Some(millivolts) = told.number()
    {
        return Some(millivolts);
    }
    let volts = told.text.trim_end_matches(['V', 'v']).parse::<f32>().ok()?;
    (0.0..=20.0).contains(&volts).then(|| u16::try_from(i32::from(rounded(volts * 100.0)) * 10).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str, rows: &[&str]) -> Facts {
        let mut facts = Facts::default();
        let said = |text: &&str| Said { row: Row::read(text), text: (*text).to_owned(), coded: None };
        facts.learn(command, &rows.iter().map(said).collect::<Vec<_>>());
        facts
    }

    #[test]
    fn a_modem_tells_what_it_is() {
        assert_eq!(told("AT+CGMM", &["Nokia 5210"]).model.as_deref(), Some("Nokia 5210"));
        assert_eq!(told("AT+CGMI", &["+CGMI: \"Quectel\""]).maker.as_deref(), Some("Quectel"));
        let iccid = told("AT+QCCID", &["+QCCID: 89234010000012345678F"]).iccid;
        assert_eq!(iccid.map(Private::into_exposed).as_deref(), Some("89234010000012345678"));
        // The example of SIMCom's manual, by the name that its answer has.
        for (command, row) in [("AT+CICCID", "+ICCID: 898600700907A6019125"), ("AT+CCID", "898600700907a6019125")] {
            let iccid = told(command, &[row]).iccid;
            assert_eq!(iccid.map(Private::into_exposed).as_deref(), Some("898600700907A6019125"), "{row}");
        }
        assert_eq!(told("AT+CGSN", &["4901542032A7518"]).imei, None);
        assert_eq!(told("AT+CIMI", &["621301234567890"]).sim_operator().as_deref(), Some("62130"));
        assert_eq!(told("AT+CGSN", &["not a number"]).imei, None);
    }

    #[test]
    fn sensors_and_supplies_are_read_as_each_maker_writes_them() {
        assert_eq!(told("AT+QTEMP", &["+QTEMP: 42,38,38"]).temperature, Some(42));
        assert_eq!(told("AT+QTEMP", &["+QTEMP: 38,255,255"]).temperature, Some(38));
        assert_eq!(told("AT+CBC", &["+CBC: 0,80,3956"]).millivolts, Some(3956));
        assert_eq!(told("AT+CBC", &["+CBC: 3.81V"]).millivolts, Some(3810));
        assert_eq!(told("AT+CBC", &["+CBC: 0,75,3.810V"]).millivolts, Some(3810));
        assert_eq!(told("AT+CBC", &["+CBC: 0,75"]).millivolts, None);
        assert_eq!(told("AT+CSQ", &["+CSQ: 24,99"]).signal_dbm, Some(-65));
        assert_eq!(told("AT+CSQ", &["+CSQ: 99,99"]).signal_dbm, None);
    }

    #[test]
    fn the_places_of_texts_are_not_those_of_reports() {
        let row = "+CPMS: 3,25,4,20,4,20";
        assert_eq!(told("AT+CPMS=\"ME\",\"SM\",\"SM\"", &[row]).text_places, Some(25));
        for other in ["SR", "SM", "ME"] {
            assert_eq!(told(&format!("AT+CPMS=\"{other}\""), &[row]).text_places, None, "{other}");
        }
    }

    #[test]
    fn what_there_may_be_is_not_what_is() {
        let scan =
            "+COPS: (1,\"Airtel NG\",\"Airtel\",\"62120\",7),(2,\"MTN NG\",\"MTN\",\"62130\",7),,(0,1,2,3,4),(0,1,2)";
        let said = |text: &str| Said { row: Row::read(text), text: text.to_owned(), coded: None };
        let mut facts = told("AT+COPS?", &["+COPS: 0,0,\"MTN NG\",7"]);
        facts.learn("AT+CSQ", &[said("+CSQ: 24,99")]);
        // By hand in any writing, in a row with others, and as a row that comes late.
        for command in ["AT+COPS=?", "at+cops=?", "AT+CSQ;+COPS=?", "AT+COPS?"] {
            facts.learn(command, &[said(scan)]);
            assert_eq!(facts.operator.as_deref(), Some("MTN NG"), "{command}");
        }
        facts.learn("AT+CSQ=?", &[said("+CSQ: (0-31,99),(0-7,99)")]);
        assert_eq!((facts.signal_dbm, facts.technology), (Some(-65), Some(Technology::G4)));
        facts.learn("AT+COPS?", &[said("+COPS: 0")]);
        assert_eq!(facts.operator, None);
    }

    #[test]
    fn a_sim_can_be_called_by_circuits_or_where_lte_carries_calls() {
        assert!(told("AT+CREG?", &["+CREG: 2,1,\"5E25\",\"605F\",2"]).takes_calls());
        let mut facts = told("AT+CEREG?", &["+CEREG: 2,1,\"5E25\",\"605F\",7"]);
        assert!(!facts.takes_calls() && facts.lacks_volte());
        let ims = |text: &str| Said { row: Row::read(text), text: text.to_owned(), coded: None };
        facts.learn("AT+QCFG=\"ims\"", &[ims("+QCFG: \"ims\",1,1")]);
        assert!(facts.takes_calls() && !facts.lacks_volte());
        assert_eq!((facts.volte, facts.technology), (Volte::Up, Some(Technology::G4)));
    }
}
