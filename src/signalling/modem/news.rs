use std::borrow::Cow;

use crate::terms::EndCause;

use super::airtime::shape;
use super::call_list::{self, Caller, ListedCall};
use super::engine::Said;
use super::input::NamedMemory;
use super::profile::{DigitCoding, Profile};
use super::redaction::MISSED_CALL;
use super::registration::{self, RegistrationRow};
use super::row::{Field, FinalResult, Row, behind, fields, number_at};
use super::ussd::UssdRow;

/// What a modem says without being asked. A hint, where calls are concerned: the
/// modem's own list of calls is the truth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum News {
    Rings,
    Caller(Caller),
    /// A second call waits while another one is on.
    Waiting,
    /// One call, as the list has it.
    Call(ListedCall),
    /// Something about calls has changed.
    CallsChanged,
    CallBegan,
    /// A call is over; which one, if that was said.
    CallOver {
        cause: EndCause,
        id: Option<u8>,
    },
    Digit(char),
    /// Of circuits or packets; `is_lte` for `+CEREG`.
    Registered {
        row: RegistrationRow,
        is_lte: bool,
    },
    Signal(i16),
    /// A text is stored; its place and its memory if that was said.
    TextStored {
        index: Option<u16>,
        memory: Option<NamedMemory>,
    },
    /// A report is stored in the memory of reports, at this place.
    ReportStored(u16),
    /// A text that is not stored, and its octets without those of its centre.
    Text {
        coded: String,
        octets: Option<usize>,
    },
    /// No text has room any more; in which memory, if that was said.
    StorageFull(Option<NamedMemory>),
    Ussd(UssdRow),
    SimReady,
    SimGone,
    /// The modem has just started; the place of the row among those that one start says.
    Booted(usize),
    /// It is about to be off, and says no more before its next start.
    PoweringDown,
    UnderVoltage,
    /// And it is about to be off for it.
    UnderVoltageDown,
    UplinkStops,
    UplinkGoesOn,
    /// Known, and of no use here.
    Idle,
    Unknown,
}

/// Beginnings of bare rows that modems say by themselves, whoever made them.
pub(super) const BARE: &[&str] = &[
    "RING",
    "VOICE CALL",
    "VOICE CALL: BEGIN",
    "VOICE CALL: END",
    MISSED_CALL,
    "HANGUP",
    "Call Ready",
    "SMS Ready",
    "SMS DONE",
    "PB DONE",
    "OPL UPDATING",
    "OPL DONE",
    "PNN UPDATING",
    "PNN DONE",
    "DST",
    "RDY",
    "START",
    "POWERED DOWN",
    "NORMAL POWER DOWN",
    "UNDER-VOLTAGE",
    "UNDER-VOLTAGE WARNNING",
    "UNDER-VOLTAGE WARNING",
    "UNDER-VOLTAGE POWER DOWN",
    "OVER-VOLTAGE",
    "OVER-VOLTAGE WARNNING",
    "OVER-VOLTAGE WARNING",
    "OVER-VOLTAGE POWER DOWN",
    "APP RDY",
    "^SYSSTART",
];

/// Rows, or names of rows, by which any modem tells its start, in the order in which one
/// that says several of them does. One that finds out the port's speed by itself says the
/// last alone.
const BOOTS: &[&str] = &["^SYSSTART", "RDY", "START", "*ATREADY", "+READY", "APP RDY", "Call Ready"];

/// Named rows that say nothing that is needed here.
const IDLE: &[&str] = &[
    "+CGREG",
    "+C5GREG",
    "+CTZU",
    "+CTZV",
    "+CTZE",
    "+NITZ",
    "*PSUTTZ",
    "+PSUTTZ",
    "+CIEV",
    "+CFUN",
    "+CIREGU",
    "+QUSIM",
    "+CGEV",
    "^BOOT",
    "^MODE",
    "^SRVST",
    "^NWTIME",
    "^DSFLOWRPT",
    "^CSNR",
    "^RSSILVL",
    "^HRSSILVL",
    "^ANLEVEL",
    "^THERM",
    "+COLP",
    "+CSSI",
    "+CSSU",
    "+COPS",
    "+CPMS",
    "^ORIG",
    "^CONF",
    "^EARST",
    "^STIN",
    "+QLTS",
    "+BEARTYPE",
    "+WIND",
    "+CPSI",
    "+CNSMOD",
    "+ZPASR",
    "+ZDONR",
    "+ZUSIMR",
    "#QSS",
    "+CGMI",
];

/// What `+CPIN` says by itself of a SIM that was taken out. `NOT READY` is Quectel's word
/// for it, in the manual of AT commands under `AT+QSIMDET`.
const SIM_GONE: &[&str] = &["NOT INSERTED", "NOT READY", "SIM REMOVED"];

/// The first field of `^SIMST` without a SIM; a second one may follow it.
const SIM_ABSENT: u16 = 255;

/// What a row that nobody asked for says.
pub(super) fn read(said: &Said, profile: &Profile, country_code: &str) -> News {
    if let Some(news) = by_profile(&said.text, profile) {
        return news;
    }
    if let Some(place) = place_in_start(said, profile) {
        return News::Booted(place);
    }
    match &said.row {
        Row::Final(FinalResult::NoCarrier | FinalResult::NoDialtone) => over(EndCause::NormalClearing),
        Row::Final(FinalResult::Busy) => over(EndCause::UserBusy),
        Row::Final(FinalResult::NoAnswer) => over(EndCause::NoAnswer),
        Row::Final(_) => News::Idle,
        Row::Bare(text) => bare(text),
        Row::Named { name, fields } => named(name, fields, said.coded.as_deref(), country_code),
    }
}

/// What may be shown of a row that nobody asked for. A bare row may be one of a text in text
/// mode, or of an answer whose quotes never closed: it is shown as it came where modems
/// write it so themselves, and else by its shape, as are words in a row that nobody knows.
pub(super) fn shown<'a>(said: &'a Said, news: &News, profile: &Profile) -> Cow<'a, str> {
    match &said.row {
        Row::Bare(text) if !is_written_by_modems(text, profile) => shape(text).into(),
        // A text's row may begin with that word.
        Row::Final(FinalResult::Connect) => "CONNECT".into(),
        Row::Named { name, fields } if *news == News::Unknown && fields.contains(char::is_alphabetic) => {
            format!("{name}: {}", shape(fields)).into()
        }
        _ => said.text.as_str().into(),
    }
}

/// Whether a bare row is a known one, with nothing but figures behind it.
fn is_written_by_modems(text: &str, profile: &Profile) -> bool {
    let calls = &profile.calls;
    let own = calls.rings.iter().chain(&calls.begins).chain(&calls.ends).chain(&profile.reset.boots);
    let is_it = |known: &str| {
        // The time and the number behind a missed call are never shown. In other capitals no
        // modem writes it.
        let is_missed_call = known == MISSED_CALL && text.starts_with(known);
        behind(text, known).is_some_and(|rest| is_missed_call || !rest.contains(char::is_alphabetic))
    };
    own.map(String::as_str).chain(BARE.iter().copied()).any(is_it)
}

/// Where a row stands among those by which a start is told: the family's own, then what
/// modems say whoever made them.
fn place_in_start(said: &Said, profile: &Profile) -> Option<usize> {
    let own = &profile.reset.boots;
    let of_family = own.iter().position(|beginning| said.text.starts_with(beginning.as_str()));
    of_family.or_else(|| BOOTS.iter().position(|row| tells_start(said, row)).map(|place| own.len() + place))
}

/// Behind a name with a sign a modem may say in words how it has started, as in
/// `^SYSSTART AIRPLANE MODE`. Behind a mere word they would be somebody's text.
fn tells_start(said: &Said, row: &str) -> bool {
    if let Some(name) = said.row.name() {
        return name == row;
    }
    let has_sign = !row.starts_with(char::is_alphabetic);
    said.text.strip_prefix(row).is_some_and(|rest| rest.is_empty() || (has_sign && rest.starts_with(' ')))
}

/// What only this family says.
fn by_profile(text: &str, profile: &Profile) -> Option<News> {
    let begins = |list: &[String]| list.iter().any(|beginning| text.starts_with(beginning.as_str()));
    let calls = &profile.calls;
    if profile.sounds.iter().any(|sound| sound.pause.as_deref() == Some(text)) {
        return Some(News::UplinkStops);
    }
    if profile.sounds.iter().any(|sound| sound.resume.as_deref() == Some(text)) {
        return Some(News::UplinkGoesOn);
    }
    if let Some(digit) = calls.digits.iter().find_map(|beginning| text.strip_prefix(beginning.as_str())) {
        return Some(key(digit, calls.digit_coding).map_or(News::Unknown, News::Digit));
    }
    if begins(&calls.begins) {
        return Some(News::CallBegan);
    }
    if begins(&calls.ends) {
        return Some(text.strip_prefix("^CEND:").map_or_else(|| over(EndCause::NormalClearing), of_cend));
    }
    begins(&calls.rings).then_some(News::Rings)
}

/// The end of a call that may be any.
const fn over(cause: EndCause) -> News {
    News::CallOver { cause, id: None }
}

/// The end of a call by a row that says which one it was.
fn of_cend(text: &str) -> News {
    News::CallOver { cause: call_list::cause_of_cend(text), id: call_list::id_of_cend(text) }
}

fn key(text: &str, coding: DigitCoding) -> Option<char> {
    let text = text.trim_start_matches(':').trim().trim_matches('"');
    let key = match coding {
        DigitCoding::Character => text.chars().next()?,
        DigitCoding::Ascii => char::from(text.split(',').next()?.trim().parse::<u8>().ok()?),
    };
    let key = key.to_ascii_uppercase();
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key)
}

fn bare(text: &str) -> News {
    match text {
        "RING" => News::Rings,
        _ if text.starts_with("VOICE CALL: BEGIN") => News::CallBegan,
        _ if text.starts_with("VOICE CALL: END") || text.starts_with("HANGUP") => over(EndCause::NormalClearing),
        _ if text.starts_with(MISSED_CALL) => News::CallsChanged,
        _ if text.starts_with("UNDER-VOLTAGE") && text.contains("DOWN") => News::UnderVoltageDown,
        _ if text.starts_with("UNDER-VOLTAGE") => News::UnderVoltage,
        _ if text.contains("POWER") && text.contains("DOWN") => News::PoweringDown,
        _ if BARE.iter().any(|known| behind(text, known).is_some()) => News::Idle,
        _ => News::Unknown,
    }
}

fn named(name: &str, text: &str, coded: Option<&str>, country_code: &str) -> News {
    let list = || fields(text);
    match name {
        "+CRING" => News::Rings,
        "+CLIP" => News::Caller(call_list::of_clip(text, country_code)),
        "+CCWA" if text.starts_with('"') => News::Waiting,
        "+CCWA" => News::Idle,
        // The end of a list that is news has no fields.
        "+CLCC" | "^SLCC" => call_list::of_list(text, country_code).map_or(News::CallsChanged, News::Call),
        "^DSCI" => call_list::of_dsci(text, country_code).map_or(News::CallsChanged, News::Call),
        "+UCALLSTAT" => News::CallsChanged,
        "+QIND" => quectel(text, country_code),
        "^CONN" => News::CallBegan,
        "^CEND" => of_cend(text),
        "+RXDTMF" | "+DTMF" | "^DDTMF" | "+UUDTMFD" => {
            key(text, DigitCoding::Character).map_or(News::Unknown, News::Digit)
        }
        "+QTONEDET" => key(text, DigitCoding::Ascii).map_or(News::Unknown, News::Digit),
        "+CREG" | "+CEREG" => {
            registration::read(text).map_or(News::Unknown, |row| News::Registered { row, is_lte: name == "+CEREG" })
        }
        "+CSQ" | "+CSQN" => number_at(&list(), 0).and_then(dbm_of_csq).map_or(News::Idle, News::Signal),
        "^RSSI" => number_at(&list(), 0).and_then(dbm_of_csq).map_or(News::Idle, News::Signal),
        "^HCSQ" => News::Idle,
        "+CMTI" | "+CDSI" => stored(&list()),
        "+CMT" | "+CDS" => coded.map_or(News::Unknown, |coded| News::Text {
            coded: coded.to_owned(),
            octets: list().last().and_then(|octets| octets.number()),
        }),
        "+CBM" => News::Idle,
        "^SMMEMFULL" | "+SMSFULL" => News::StorageFull(memory_at(&list(), 0)),
        "+CUSD" => UssdRow::parse(&format!("+CUSD: {text}")).map_or(News::Unknown, News::Ussd),
        "+CPIN" if text.eq_ignore_ascii_case("READY") => News::SimReady,
        "+CPIN" if SIM_GONE.iter().any(|words| text.eq_ignore_ascii_case(words)) => News::SimGone,
        "^SIMST" if number_at::<u16>(&list(), 0) == Some(SIM_ABSENT) => News::SimGone,
        "+CPIN" | "^SIMST" => News::Idle,
        _ if IDLE.contains(&name) => News::Idle,
        _ => News::Unknown,
    }
}

/// `"SM",4`. What has the place of a report among the texts is another text.
fn stored(list: &[Field<'_>]) -> News {
    let index = number_at(list, 1);
    if list.first().is_some_and(|memory| memory.text.eq_ignore_ascii_case("SR")) {
        return index.map_or(News::Idle, News::ReportStored);
    }
    News::TextStored { index, memory: memory_at(list, 0) }
}

fn memory_at(list: &[Field<'_>], at: usize) -> Option<NamedMemory> {
    list.get(at).and_then(|field| NamedMemory::of_name(field.text))
}

fn quectel(text: &str, country_code: &str) -> News {
    let fields = fields(text);
    match fields.first().map(|f| f.text.to_ascii_lowercase()).as_deref() {
        Some("ccinfo") => call_list::of_quectel(text, country_code).map_or(News::CallsChanged, News::Call),
        Some("csq") => number_at(&fields, 1).and_then(dbm_of_csq).map_or(News::Idle, News::Signal),
        Some("smsfull") => News::StorageFull(memory_at(&fields, 1)),
        _ => News::Idle,
    }
}

/// Received power by `<rssi>` of `+CSQ` (3GPP TS 27.007 section 8.5).
pub(super) fn dbm_of_csq(rssi: i16) -> Option<i16> {
    (0..=31).contains(&rssi).then(|| 2 * rssi - 113)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_modems_write_is_shown_as_it_came_and_any_other_row_by_its_shape() {
        let text = include_str!("../../../firmware-config/modems/simcom_sim7600.toml");
        let profile = Profile::parse(text, "simcom_sim7600").expect("a profile");
        for (row, expected) in [
            ("RING", "RING"),
            ("VOICE CALL: END: 000017", "VOICE CALL: END: 000017"),
            ("UNDER-VOLTAGE WARNNING", "UNDER-VOLTAGE WARNNING"),
            ("MISSED_CALL: 11:01AM 08031234567", "MISSED_CALL: 11:01AM 08031234567"),
            ("+CSQN: 25,0", "+CSQN: 25,0"),
            ("+XNEW: 1,2", "+XNEW: 1,2"),
            ("+XNEW: 1,\"Ngozi\"", "+XNEW: 9,\"xxxxx\""),
            ("Ring Ngozi at 5", "xxxx xxxxx at 9"),
            ("Missed_call: Ngozi", "xxxxxx_xxxx: xxxxx"),
            ("Connect Ngozi", "CONNECT"),
        ] {
            let said = Said { row: Row::read(row), text: row.to_owned(), coded: None };
            let news = read(&said, &profile, "234");
            assert_eq!(&*shown(&said, &news, &profile), expected, "{row}");
        }
    }

    #[test]
    fn what_every_start_and_every_huawei_says_is_known() {
        let text = include_str!("../../../firmware-config/modems/huawei.toml");
        let profile = Profile::parse(text, "huawei").expect("a profile");
        for row in ["+CFUN: 1", "^RSSILVL:60", "^HRSSILVL:60", "^CSNR:-75", "^ANLEVEL:3", "^THERM: 1", "+CIREGU: 1"] {
            let said = Said { row: Row::read(row), text: row.to_owned(), coded: None };
            assert_eq!(read(&said, &profile, "234"), News::Idle, "{row}");
        }
    }

    #[test]
    fn a_key_is_read_by_its_character_or_its_number() {
        assert_eq!(key(": 8", DigitCoding::Character), Some('8'));
        assert_eq!(key(" 53", DigitCoding::Ascii), Some('5'));
        assert_eq!(key("35", DigitCoding::Ascii), Some('#'));
        assert_eq!(key("a", DigitCoding::Character), Some('A'));
        assert_eq!(key("x", DigitCoding::Character), None);
        assert_eq!(key("", DigitCoding::Ascii), None);
    }
}
