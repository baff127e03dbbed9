use crate::terms::{EndCause, PhoneNumber};

use super::row::{Field, fields, number_at};

/// One call as the modem lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ListedCall {
    pub(super) id: u8,
    pub(super) way: Way,
    pub(super) state: CallState,
    pub(super) is_voice: bool,
    pub(super) from: Caller,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    ToNetwork,
    FromNetwork,
}

/// 3GPP TS 27.007 section 7.18; makers add a number for calls that are over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallState {
    Active,
    Held,
    Dialling,
    Alerting,
    Incoming,
    Waiting,
    Released,
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Caller {
    Number(PhoneNumber),
    /// `+CLIP` says that the caller wants it so, or that the network cannot tell it.
    Withheld,
    /// Nothing was said yet. A list without a number says nothing either: a modem may list
    /// a call before its number has come, as one whose number is withheld.
    Unknown,
}

impl CallState {
    const fn of(number: i16) -> Option<Self> {
        Some(match number {
            0 => Self::Active,
            1 => Self::Held,
            2 => Self::Dialling,
            3 => Self::Alerting,
            4 => Self::Incoming,
            5 => Self::Waiting,
            // SIMCom and Quectel: released.
            -1 | 6 | 7 => Self::Released,
            _ => return None,
        })
    }
}

/// `+CLCC: <id>,<dir>,<stat>,<mode>,<mpty>[,<number>,<type>[,<alpha>…]]`; also the
/// fields of `^SLCC` with one more before the number.
pub(super) fn of_list(text: &str, country_code: &str) -> Option<ListedCall> {
    let fields = fields(text);
    listed(&fields, 0, country_code)
}

/// `+QIND: "ccinfo",<id>,<dir>,<stat>,<mode>,<mpty>,<number>,<type>`.
pub(super) fn of_quectel(text: &str, country_code: &str) -> Option<ListedCall> {
    let fields = fields(text);
    let is_call = fields.first().is_some_and(|f| f.text.eq_ignore_ascii_case("ccinfo"));
    is_call.then(|| listed(&fields, 1, country_code)).flatten()
}

/// `^DSCI: <id>,<dir>,<stat>,<type>,<number>,<number's type>`.
pub(super) fn of_dsci(text: &str, country_code: &str) -> Option<ListedCall> {
    let fields = fields(text);
    // Quectel counts its states here as in the list, with 3 for active, and 6 for released.
    let state = match number_at::<i16>(&fields, 2)? {
        3 => CallState::Active,
        2 => CallState::Dialling,
        7 => CallState::Alerting,
        number => CallState::of(number)?,
    };
    Some(ListedCall {
        id: number_at(&fields, 0)?,
        way: way(number_at(&fields, 1)?)?,
        state,
        is_voice: number_at::<u8>(&fields, 3)? == 0,
        from: caller(fields.get(4).copied(), number_at(&fields, 5), country_code),
    })
}

fn listed(fields: &[Field<'_>], at: usize, country_code: &str) -> Option<ListedCall> {
    Some(ListedCall {
        id: number_at(fields, at)?,
        way: way(number_at(fields, at + 1)?)?,
        state: CallState::of(number_at(fields, at + 2)?)?,
        is_voice: number_at::<u8>(fields, at + 3)? == 0,
        from: caller(fields.get(at + 5).copied(), number_at(fields, at + 6), country_code),
    })
}

const fn way(number: u8) -> Option<Way> {
    match number {
        0 => Some(Way::ToNetwork),
        1 => Some(Way::FromNetwork),
        _ => None,
    }
}

/// `+CLIP: <number>,<type>[,<subaddr>,<satype>,<alpha>,<validity>]`.
pub(super) fn of_clip(text: &str, country_code: &str) -> Caller {
    let fields = fields(text);
    let kind = number_at::<u8>(&fields, 1);
    // 1: the caller withholds it; 2: the network cannot tell it.
    let is_not_told = fields.len() >= 6 && matches!(number_at::<u8>(&fields, 5), Some(1 | 2));
    // Type 128 without a number is how networks write a withheld one.
    let is_empty = fields.first().is_some_and(|number| number.text.is_empty());
    let withheld = is_not_told || (is_empty && kind == Some(128));
    match caller(fields.first().copied(), kind, country_code) {
        Caller::Unknown if withheld => Caller::Withheld,
        caller => caller,
    }
}

fn caller(number: Option<Field<'_>>, kind: Option<u8>, country_code: &str) -> Caller {
    let Some(number) = number.filter(|number| !number.text.is_empty()) else { return Caller::Unknown };
    let plus = if kind == Some(145) && !number.text.starts_with('+') { "+" } else { "" };
    match PhoneNumber::parse(&format!("{plus}{}", number.text), country_code) {
        Ok(number) => Caller::Number(number),
        Err(_) => Caller::Unknown,
    }
}

/// Why a call ended, by Huawei's `^CEND: <id>,<seconds>,<status>[,<cause>]`. The
/// cause is that of 3GPP TS 24.008 section 10.5.4.11, which has Q.850's numbers.
pub(super) fn cause_of_cend(text: &str) -> EndCause {
    let fields = fields(text);
    // Without a cause the status says no more than that it is over.
    number_at::<u8>(&fields, 3).map_or(EndCause::NormalClearing, cause_of_number)
}

/// Which call ended, by the same row; its number is that of the list.
pub(super) fn id_of_cend(text: &str) -> Option<u8> {
    number_at(&fields(text), 0)
}

/// A cause's number of the network as one of ours.
pub(super) fn cause_of_number(cause: u8) -> EndCause {
    known_cause(cause).unwrap_or(EndCause::NormalClearing)
}

/// The same; none for a number that says nothing here.
const fn known_cause(cause: u8) -> Option<EndCause> {
    Some(match cause {
        1..=3 => EndCause::UnallocatedNumber,
        16 | 31 => EndCause::NormalClearing,
        17 => EndCause::UserBusy,
        18 | 19 => EndCause::NoAnswer,
        21 | 55 | 87 => EndCause::CallRejected,
        28 => EndCause::InvalidNumberFormat,
        27 | 38 => EndCause::NetworkOutOfOrder,
        25 | 34 | 42..=44 | 47 => EndCause::SwitchingCongestion,
        41 => EndCause::TemporaryFailure,
        65 | 79 | 88 => EndCause::IncompatibleDestination,
        102 => EndCause::RecoveryOnTimerExpiry,
        95..=101 | 111 => EndCause::ProtocolError,
        _ => return None,
    })
}

/// Beginnings of causes in words, as 3GPP TS 24.008 table 10.5.123 names them.
const CAUSES_IN_WORDS: &[(&str, EndCause)] = &[
    ("unassigned", EndCause::UnallocatedNumber),
    ("unallocated", EndCause::UnallocatedNumber),
    ("no route to destination", EndCause::UnallocatedNumber),
    ("normal call clearing", EndCause::NormalClearing),
    ("normal clearing", EndCause::NormalClearing),
    ("normal, unspecified", EndCause::NormalClearing),
    ("normal unspecified", EndCause::NormalClearing),
    ("user busy", EndCause::UserBusy),
    ("no user responding", EndCause::NoAnswer),
    ("user alerting, no answer", EndCause::NoAnswer),
    ("no answer", EndCause::NoAnswer),
    ("call rejected", EndCause::CallRejected),
    ("destination out of order", EndCause::NetworkOutOfOrder),
    ("network out of order", EndCause::NetworkOutOfOrder),
    ("invalid number format", EndCause::InvalidNumberFormat),
    ("temporary failure", EndCause::TemporaryFailure),
    ("switching equipment congestion", EndCause::SwitchingCongestion),
    ("no circuit", EndCause::SwitchingCongestion),
    ("requested circuit", EndCause::SwitchingCongestion),
    ("resources unavailable", EndCause::SwitchingCongestion),
    ("incompatible destination", EndCause::IncompatibleDestination),
    ("recovery on timer expiry", EndCause::RecoveryOnTimerExpiry),
    ("protocol error", EndCause::ProtocolError),
];

/// In a report of three numbers: the second is a cause of call control, as the network
/// gave it.
const FROM_CALL_CONTROL: u16 = 8;

/// Why the last call ended, by `+CEER: <report>`. 3GPP TS 27.007 section 6.10 leaves the
/// report to the maker and expects words, which most give: `normal call clearing` (Huawei
/// MU509), `"CC setup error",16,"Normal call clearing"` (Cinterion EHS6). What is read
/// without words is one number, the cause (SIM900 manual 1.03 section 3.2.7, after
/// `AT+CEER=1`), and three: a location, the cause and that of a supplementary service,
/// `8,21,0` for a call that was refused (Siemens MC55 manual 04.00 section 3.4). Other
/// locations count by other tables, and no maker says what two numbers mean. None where
/// nothing is said that is known: `No cause information available`, `0,0,0`.
pub(super) fn cause_of_report(report: &str) -> Option<EndCause> {
    let words = report.replace('_', " ").to_ascii_lowercase();
    let is_own = |at: usize| !words.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphabetic()));
    let in_words = |(name, cause): &(&str, EndCause)| words.find(name).filter(|at| is_own(*at)).map(|_| *cause);
    if let Some(cause) = CAUSES_IN_WORDS.iter().find_map(in_words) {
        return Some(cause);
    }
    // Words that are not known may say what the number does not.
    if words.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let numbers = fields(report);
    let cause = match &numbers[..] {
        [cause] => cause.number(),
        [location, cause, _] if location.number() == Some(FROM_CALL_CONTROL) => cause.number(),
        _ => None,
    };
    cause.and_then(known_cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Caller {
        Caller::Number(PhoneNumber::parse(text, "234").expect("a number"))
    }

    #[test]
    fn calls_are_read_as_each_maker_lists_them() {
        let call = of_list("1,1,4,0,0,\"08031234567\",129,\"\",,0", "234").expect("a call");
        assert_eq!((call.id, call.way, call.state, call.is_voice), (1, Way::FromNetwork, CallState::Incoming, true));
        assert_eq!(call.from, number("+2348031234567"));
        let call = of_list("2,1,5,0,0", "234").expect("a call");
        assert_eq!((call.state, call.from), (CallState::Waiting, Caller::Unknown));
        assert_eq!(of_list("1,1,4,0,0,\"\",128", "234").expect("a call").from, Caller::Unknown);
        let call = of_quectel("\"ccinfo\",2,0,-1,0,0,\"2348031234567\",145", "234").expect("a call");
        assert_eq!((call.id, call.state, call.from), (2, CallState::Released, number("+2348031234567")));
        let call = of_dsci("2,1,6,0,+48123456789,145", "234").expect("a call");
        assert_eq!((call.state, call.from), (CallState::Released, number("+48123456789")));
        for text in ["", "x", "1", "1,1,44,0,0", "\"csq\",27,99"] {
            assert_eq!(of_list(text, "234"), None, "{text}");
            assert_eq!(of_quectel(text, "234"), None, "{text}");
        }
    }

    #[test]
    fn a_caller_is_a_number_or_withheld_or_not_known_yet() {
        assert_eq!(of_clip("\"+2348031234567\",145,,,,0", "234"), number("+2348031234567"));
        assert_eq!(of_clip("\"8031234567\",129", "234"), number("+2348031234567"));
        assert_eq!(of_clip("\"\",128,,,,1", "234"), Caller::Withheld);
        assert_eq!(of_clip("\"\",128", "234"), Caller::Withheld);
        assert_eq!(of_clip("\"5*******", "234"), Caller::Unknown);
        assert_eq!(of_clip("", "234"), Caller::Unknown);
    }

    #[test]
    fn the_networks_causes_are_ours() {
        assert_eq!(cause_of_cend("1,5,104,16"), EndCause::NormalClearing);
        assert_eq!(cause_of_cend("1,0,29,17"), EndCause::UserBusy);
        assert_eq!(cause_of_cend("1,0,104"), EndCause::NormalClearing);
        assert_eq!([id_of_cend("2,0,67,17"), id_of_cend(" 1,5,104"), id_of_cend("")], [Some(2), Some(1), None]);
        for (report, cause) in [
            ("Normal call clearing", Some(EndCause::NormalClearing)),
            ("\"User busy\"", Some(EndCause::UserBusy)),
            ("17, CM_USER_BUSY", Some(EndCause::UserBusy)),
            ("0,0,5,16,normal call clearing", Some(EndCause::NormalClearing)),
            ("\"CC setup error\",18,\"No user responding\"", Some(EndCause::NoAnswer)),
            ("38", Some(EndCause::NetworkOutOfOrder)),
            ("8,21,0", Some(EndCause::CallRejected)),
            ("\"CC setup error\",1,\"Unassigned (unallocated) number\"", Some(EndCause::UnallocatedNumber)),
            ("No cause information available", None),
            ("\"0 Unknown\"", None),
            ("0,0", None),
            ("0,NONE", None),
            ("5,5", None),
            ("5,41", None),
            ("8,41", None),
            ("0,0,0", None),
            ("35,0,38", None),
            ("50,38,0", None),
            ("EMM_CAUSE_ESM_FAILURE", None),
            ("Detached by the network,41", None),
            ("", None),
        ] {
            assert_eq!(cause_of_report(report), cause, "{report}");
        }
        for cause in [1, 16, 17, 19, 21, 28, 38, 41, 42, 88, 102, 111] {
            assert_eq!(cause_of_number(cause).q850(), cause);
        }
    }
}
