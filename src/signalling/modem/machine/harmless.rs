//! Which commands by hand are known to be harmless. Everything else is refused until it
//! is meant: what a modem of another maker does with a command cannot be known.

use super::super::identities::IDENTITIES;

/// Extended commands beside [`IDENTITIES`], as modems read them: without blanks and
/// quotation marks. They tell something, or change nothing that the line or anybody's
/// account depends on. The forms with `?` and `=?` at the end are not here: those ask,
/// whatever the command.
///
/// Sources: 3GPP TS 27.007 and 27.005, and the makers' commands that the profiles have.
pub(super) const HARMLESS: &[&str] = &[
    // What the modem is. Who it and its SIM are, is another list.
    "+CGMI",
    "+CGMM",
    "+CGMR",
    "+CGSN=0",
    "+CGSN=1",
    "+CGSN=2",
    "+CGSN=3",
    "+GMI",
    "+GMM",
    "+GMR",
    "+GCAP",
    "+CLAC",
    "+QGMR",
    "+CSUB",
    "+SIMCOMATI",
    // How many attempts are left for the PIN.
    "+QPINC=SC",
    "+QPINC=P2",
    "+SPIC",
    // The network, the signal, the calls.
    "+CSQ",
    "+CSQN",
    "+CESQ",
    "+CPAS",
    "+CLCC",
    "+CEER",
    "+QSPN",
    "+QNWINFO",
    "+QCSQ",
    "+QENG=SERVINGCELL",
    "+QENG=NEIGHBOURCELL",
    "+QCFG=IMS",
    "+QCFG=NWSCANMODE",
    "+QCFG=BAND",
    "+QCFG=USBCFG",
    "+QCFG=SERVICEDOMAIN",
    "+QINISTAT",
    "+QLTS",
    "+QLTS=0",
    "+QLTS=1",
    "+QLTS=2",
    "^SYSINFO",
    "^SYSINFOEX",
    "^HCSQ",
    // The network is chosen by the modem itself and shown by its long name, as at the start.
    // Another form of its name would be shown until the next set-up.
    "+COPS=0",
    "+COPS=3,0",
    // Heat, supply, time.
    "+CBC",
    "+QTEMP",
    "+CPMUTEMP",
    "^CHIPTEMP",
    "+CADC",
    // What is stored. The line itself reads all texts, and counts them as read.
    "+CMGL",
    "+CMGL=0",
    "+CMGL=1",
    "+CMGL=2",
    "+CMGL=3",
    "+CMGL=4",
    // How errors are shown: the line reads each way.
    "+CMEE=0",
    "+CMEE=1",
    "+CMEE=2",
    // Ends a dialogue with the network.
    "+CUSD=2",
];

/// Commands with one number behind them that may be any: reading a text by its place,
/// closing a data connection.
const HARMLESS_WITH_NUMBER: &[&str] = &["+CMGR=", "+CGACT=0,"];

/// Basic commands, as V.250 writes them: what the modem is, its settings, its echo, how
/// loud its loudspeaker is, how a connection is told, hanging up.
const HARMLESS_BASIC: &[&str] = &[
    "E", "E0", "E1", "H", "H0", "L", "L0", "L1", "L2", "L3", "M", "M0", "M1", "M2", "M3", "Q", "Q0", "V1", "X", "X0",
    "X1", "X2", "X3", "X4", "S0=0", "&C", "&C0", "&C1", "&D", "&D0", "&D1", "&D2", "&S", "&S0", "&S1", "&V", "&V0",
    "&V1",
];

/// Signs that the names of extended commands begin with.
const SIGNS: &[char] = &['+', '^', '$', '*', '#', '%', '!'];

/// A question takes minutes in which no call can come.
const SLOW_QUESTIONS: &[&str] = &["+COPS=?"];

/// Whether the command is known to be harmless: without blanks, in capital letters.
pub(super) fn is_harmless(command: &str) -> bool {
    let plain: String = command.chars().filter(|c| *c != '"').collect();
    if plain.starts_with(SIGNS) {
        return (asks(&plain) && !SLOW_QUESTIONS.contains(&plain.as_str()))
            || IDENTITIES.contains(&plain.as_str())
            || HARMLESS.contains(&plain.as_str())
            || HARMLESS_WITH_NUMBER.iter().any(|beginning| plain.strip_prefix(beginning).is_some_and(is_number));
    }
    HARMLESS_BASIC.contains(&command)
        || command.strip_prefix('I').is_some_and(|number| number.is_empty() || is_number(number))
        || command.strip_prefix('S').and_then(|rest| rest.strip_suffix('?')).is_some_and(is_number)
}

/// Whether it is a name and `?` or `=?`: it asks, and changes nothing.
fn asks(command: &str) -> bool {
    let name = command.strip_suffix("=?").or_else(|| command.strip_suffix('?')).and_then(|name| name.get(1..));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// A place in a modem's storage, a register: three digits at most.
fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_a_modem_and_its_sim_are_may_be_asked_and_no_row_shows_it() {
        for command in IDENTITIES {
            assert!(is_harmless(command), "{command}");
            for row in [format!("{command}: 490154203237518"), format!("{command}: \"Ngozi\",\"4901A\",129")] {
                let shown = super::super::super::redaction::redacted(&row);
                assert!(!shown.contains("490") && !shown.contains("Ngozi"), "{shown}");
            }
        }
    }

    #[test]
    fn what_asks_is_harmless_and_what_only_looks_like_it_is_not() {
        for command in ["+CPIN?", "^XNEW?", "%TEMP?", "+CGSN", "+CMGR=12", "I9", "S0?", "+QCFG=\"IMS\""] {
            assert!(is_harmless(command), "{command}");
        }
        for command in [
            "+COPS=?",
            "+?",
            "?",
            "=?",
            "+X=1?",
            "+CSQ?D0803;",
            "+CMGR=",
            "+CMGR=1,1",
            "S0",
            "S0=1",
            "H1",
            "A",
            "",
            "é?",
        ] {
            assert!(!is_harmless(command), "{command}");
        }
    }
}
