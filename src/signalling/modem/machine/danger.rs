//! What is dangerous about a row by hand: what costs money, locks a SIM, or loses the
//! modem, and everything that is not known to do none of that. It sends nothing.

use super::super::at_row::{commands, without_at};
use super::super::profile::Profile;
use super::harmless::is_harmless;

const DIALS: &str = "dials, which costs money";
const TEXTS: &str = "sends a text, which costs money";
const ASKS: &str = "asks the network by a code, which can cost money";
const ENTERS_PIN: &str = "enters a PIN, and wrong ones lock the SIM";
const SPEAKS_TO_SIM: &str = "speaks to the SIM itself and can lock it";
const OPENS_DATA: &str = "opens a data connection, which costs money";
const PASSES_ON: &str = "passes calls on, joins them or ends them, which can cost money";
const ANSWERS: &str = "answers a call, which is for the line to do";
const SWITCHES_OFF: &str = "switches the modem off or restarts it";
const CHANGES_IDENTITY: &str = "changes the modem's identity, which is unlawful";
const CHANGES_PORTS: &str = "changes the modem's ports, so that the line may lose it";
const CHANGES_ANSWERS: &str = "changes how the modem answers, so that the line does not understand it";
const TAKES_BACK: &str = "takes the modem's settings back";
const CHOOSES_NETWORK: &str = "searches for minutes, in which no call can come, or keeps the modem to a network";
const NAMES_NETWORK: &str = "changes the form in which the network's name is shown";
const UNKNOWN: &str = "holds a command that is not known to be harmless";

/// Beginnings of extended commands without quotes, and what is dangerous about them. What
/// is not here and not known to be harmless is refused too, with less to say about it.
const DANGEROUS: &[(&str, &str)] = &[
    ("+CMGS", TEXTS),
    ("+CMSS", TEXTS),
    ("+CMGC", TEXTS),
    ("+QCMGS", TEXTS),
    ("+CNMA", "says that a text is kept, which it may not be yet"),
    ("+CDV", DIALS),
    ("+CDU", DIALS),
    ("+QCALL", DIALS),
    ("+CHLD", PASSES_ON),
    ("+CTFR", PASSES_ON),
    ("+QHUP", PASSES_ON),
    ("+CPIN=", ENTERS_PIN),
    ("+CPIN2=", ENTERS_PIN),
    ("^CPIN", ENTERS_PIN),
    ("+CLCK=", "locks or unlocks something by a code, and wrong ones lock the SIM"),
    ("+CPWD=", "changes a code, and wrong ones lock the SIM"),
    ("^CARDLOCK=", "unlocks the modem by a code that may be entered few times"),
    ("+QSIMVOL", "can make the SIM unreadable"),
    ("+CSIM=", SPEAKS_TO_SIM),
    ("+CGLA=", SPEAKS_TO_SIM),
    ("+CCHO", SPEAKS_TO_SIM),
    ("+CRSM=", "can write to the SIM"),
    ("+CRLA=", "can write to the SIM"),
    ("+STGR=", "chooses from the SIM's own menu, which can cost money"),
    ("+QSTKRSP", "chooses from the SIM's own menu, which can cost money"),
    ("+CUSATE", "chooses from the SIM's own menu, which can cost money"),
    ("+CUSATT", "chooses from the SIM's own menu, which can cost money"),
    ("+CSCA=", "changes by whom texts are sent, so that none may go out any more"),
    ("+CMGF=", "changes how the modem shows texts, so that the line reads none"),
    ("+CNMI=", "changes how the modem tells of texts, so that the line may hear of none"),
    ("+CPMS=", "changes where texts are stored, so that the line may find none"),
    ("+CCFC", "diverts calls, which can cost money"),
    ("+CACM", "changes the SIM's meter"),
    ("+CAMM", "changes the SIM's meter"),
    ("+CGDATA", OPENS_DATA),
    ("+QIACT", OPENS_DATA),
    ("+QIOPEN", OPENS_DATA),
    ("+NETOPEN", OPENS_DATA),
    ("+CIICR", OPENS_DATA),
    ("+CIPSTART", OPENS_DATA),
    ("+SAPBR", OPENS_DATA),
    ("+CNACT", OPENS_DATA),
    ("+CGATT=", OPENS_DATA),
    ("+CGDCONT=", "changes by whom data goes, which can cost money"),
    ("+QHTTP", OPENS_DATA),
    ("+CHTTP", OPENS_DATA),
    ("+HTTP", OPENS_DATA),
    ("+QFTP", OPENS_DATA),
    ("+CFTP", OPENS_DATA),
    ("+FTP", OPENS_DATA),
    ("+QMT", OPENS_DATA),
    ("+CMQTT", OPENS_DATA),
    ("+QSMTP", OPENS_DATA),
    ("+CSMTP", OPENS_DATA),
    ("+QMMS", OPENS_DATA),
    ("+CMMS", OPENS_DATA),
    ("+QPING", OPENS_DATA),
    ("+CPING", OPENS_DATA),
    ("+QNTP", OPENS_DATA),
    ("+CNTP", OPENS_DATA),
    ("+QSSL", OPENS_DATA),
    ("+CCH", OPENS_DATA),
    ("+CIP", OPENS_DATA),
    ("^NDISDUP", OPENS_DATA),
    ("$QCRMCALL", OPENS_DATA),
    ("+CMGD", "deletes texts, which may not be kept yet"),
    ("+QMGDA", "deletes texts, which may not be kept yet"),
    ("+CFUN=", SWITCHES_OFF),
    ("+CRESET", SWITCHES_OFF),
    ("+QPOWD", SWITCHES_OFF),
    ("+CPOWD", SWITCHES_OFF),
    ("+CPOF", SWITCHES_OFF),
    ("^RESET", SWITCHES_OFF),
    ("+QPRTPARA", "writes the modem's own memory"),
    ("+QFOTADL", "changes the modem's firmware"),
    ("+CGSN=", CHANGES_IDENTITY),
    ("+EGMR", CHANGES_IDENTITY),
    ("+SIMEI", CHANGES_IDENTITY),
    ("+IPR=", "changes the port's speed, so that the line loses the modem"),
    ("+CMUX", "changes the port's protocol, so that the line loses the modem"),
    ("+QCFG=USBCFG", CHANGES_PORTS),
    ("+CUSBPIDSWITCH", CHANGES_PORTS),
    ("^SETPORT", CHANGES_PORTS),
];

/// Beginnings of the commands that mean the memory of texts that the modem is set to.
const OF_TEXTS: &[&str] = &["+CMG", "+CMSS", "+CPMS", "+QCMG", "+QMGDA"];

/// What is dangerous about a row; none if all of it is known to be harmless. Each command
/// of it is looked at, whatever stands before it.
pub(super) fn danger(row: &str, profile: &Profile) -> Option<&'static str> {
    let never = |command: &str| {
        let forbidden = profile.forbids(&format!("AT{command}")).is_some();
        forbidden.then_some("makes this family of modems stop working")
    };
    let upper = normalised(row);
    let parts = without_at(&upper).unwrap_or(&upper).split(';');
    let of_one = |command: &str| {
        never(command).or_else(|| danger_of(command)).or_else(|| (!is_harmless(command)).then_some(UNKNOWN))
    };
    parts.flat_map(commands).find_map(of_one)
}

/// Whether the row dials or answers: some modems answer it when the far side does.
pub(super) fn is_of_calls(row: &str) -> bool {
    let upper = normalised(row);
    without_at(&upper).is_some_and(|rest| {
        rest.split(';').flat_map(commands).any(|command| command.starts_with('D') || command == "A")
    })
}

/// Whether the row means the memory of texts that the modem is set to.
pub(super) fn is_of_texts(row: &str) -> bool {
    let upper = normalised(row);
    without_at(&upper).is_some_and(|rest| {
        let is_one = |command: &str| OF_TEXTS.iter().any(|beginning| command.starts_with(beginning));
        rest.split(';').flat_map(commands).any(is_one)
    })
}

/// As modems read it: blanks and the size of letters mean nothing.
fn normalised(row: &str) -> String {
    row.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase()
}

/// What is known to be dangerous about one command, so that it can be said.
fn danger_of(command: &str) -> Option<&'static str> {
    match command.chars().next()? {
        'D' => Some(DIALS),
        'A' => Some(ANSWERS),
        'Z' => Some(TAKES_BACK),
        // Register 0 makes it answer by itself, 3 to 5 are the ends of its rows.
        'S' => (command.contains('=') && command != "S0=0")
            .then_some("writes a register of the modem, which may answer calls by itself then"),
        'V' => (command != "V1").then_some(CHANGES_ANSWERS),
        'Q' => (!matches!(command, "Q" | "Q0")).then_some(CHANGES_ANSWERS),
        '&' if command.starts_with("&F") => Some(TAKES_BACK),
        '+' | '^' | '$' | '*' | '#' => danger_of_extended(command),
        _ => None,
    }
}

fn danger_of_extended(command: &str) -> Option<&'static str> {
    let plain: String = command.chars().filter(|c| *c != '"').collect();
    if is_harmless(&plain) {
        return None;
    }
    // Whatever else it says, the network may be asked.
    let own = [("+CUSD", ASKS), ("+COPS=3,", NAMES_NETWORK), ("+COPS", CHOOSES_NETWORK), ("+CGACT", OPENS_DATA)];
    own.iter().chain(DANGEROUS).find(|(beginning, _)| plain.starts_with(beginning)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::identities::IDENTITIES;
    use super::super::harmless::HARMLESS as HARMLESS_COMMANDS;
    use super::*;

    const REFUSED: &[&str] = &[
        "D08031234567;",
        "D*21*1#;",
        "D>1;",
        "+CMGS=23",
        "+QCMGS=\"0803\"",
        "+CPIN=\"1234\"",
        "^CPIN=\"1234\"",
        "+CPIN2=\"1234\"",
        "+CUSD=1,\"*310#\",15",
        "+CUSD=0,\"*321*08031234567*500#\"",
        "+CUSD=,\"*321*08031234567*500#\"",
        "+CUSD=01,\"*321#\"",
        "+CUSD=2,\"*321#\"",
        "+CLCK=\"SC\",1,\"0000\"",
        "+CCFC=0,3,\"08031234567\"",
        "+CGLA=1,4,\"0000\"",
        "+CCHO=\"A0\"",
        "+CSCA=\"+234803\"",
        "+CMGF=1",
        "+COPS=?",
        "+COPS=01,2,\"62130\"",
        "+COPS=3,1",
        "+COPS=3,2",
        "+CGACT=01,1",
        "+CFUN=0",
        "+QCFG=\"usbcfg\",1",
        "+CHLD=11",
        "+CHLD=4",
        "+CTFR=\"08031234567\"",
        "+QHTTPGET=80",
        "+QHTTPURL=23,80",
        "+HTTPACTION=0",
        "+CIPSEND",
        "+CGATT=1",
        "+CMMSSEND",
        "+XNEW",
        "^XNEW=1",
        "%XNEW",
        "+CUSD",
        "+CSQ=1",
        "A",
        "H1",
        "W",
        "&W",
        "&K3",
        "\\N0",
        "S0=1",
        "S000=1",
        "&F",
        "Z",
        "V0",
        "Q1",
    ];

    const HARMLESS: &[&str] = &[
        "",
        "I",
        "E0",
        "X4",
        "&D2",
        "S0?",
        "S0=0",
        "+CSQ",
        "+CPIN?",
        "+COPS?",
        "+COPS=3,0",
        "+CFUN?",
        "+CUSD=2",
        "+CUSD?",
        "+CMGF=?",
        "+QCFG=\"ims\"",
        "^CPIN?",
        "^XNEW?",
        "+XNEW=?",
        "+CTFR=?",
        "+CMGR=12",
        "+CGACT=0,1",
        "+CGSN",
        "+CEER",
        "H",
    ];

    fn huawei() -> Profile {
        let text = include_str!("../../../../firmware-config/modems/huawei.toml");
        Profile::parse(text, "huawei").unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    #[test]
    fn what_asks_and_what_is_the_modems_own_is_harmless() {
        let profile = huawei();
        for command in HARMLESS {
            assert_eq!(danger(&format!("AT{command}"), &profile), None, "{command}");
        }
        for command in REFUSED {
            assert!(danger(&format!("AT{command}"), &profile).is_some(), "{command}");
        }
        assert!(is_of_calls("ATE0D0803;") && is_of_calls("ata") && !is_of_calls("AT+CSQ"));
        assert!(is_of_texts("at +csq;+cmgd=3") && is_of_texts("AT+CPMS?") && !is_of_texts("AT+CSQ"));
    }

    /// Blanks after each character, and any size of each letter.
    fn dressed(text: &str, blanks: &[bool], small: &[bool]) -> String {
        let mut shown = String::new();
        for (at, c) in text.chars().enumerate() {
            let is_small = small.get(at).copied().unwrap_or_default();
            shown.push(if is_small { c.to_ascii_lowercase() } else { c });
            if at > 0 && blanks.get(at).copied().unwrap_or_default() {
                shown.push(' ');
            }
        }
        shown
    }

    proptest! {
        #[test]
        fn no_dressing_of_a_refused_command_passes(
            refused in prop::sample::select(REFUSED),
            basics in prop::collection::vec(prop::sample::select(&["E0", "X4", "I", "&D2", "M1", "S0?", "V1"][..]), 0..4),
            before in prop::collection::vec(prop::sample::select(&["+CSQ", "I", "+CPIN?", "E0", "+QCFG=\"ims\""][..]), 0..3),
            after in prop::option::of(prop::sample::select(&["+CSQ", "E0", "+CPIN?"][..])),
            blanks in prop::collection::vec(any::<bool>(), 0..80),
            small in prop::collection::vec(any::<bool>(), 0..80),
        ) {
            let before: String = before.iter().map(|part| format!("{part};")).collect();
            let after = after.map(|part| format!(";{part}")).unwrap_or_default();
            let row = format!("AT{before}{}{refused}{after}", basics.concat());
            let row = dressed(&row, &blanks, &small);
            prop_assert!(danger(&row, &huawei()).is_some(), "{row}");
        }

        /// Whatever else a command may be called or given, it does not pass.
        #[test]
        fn no_unknown_command_passes(
            sign in prop::sample::select(&["+", "^", "$", "*", "#", "%", "!", "\\", "_", ""][..]),
            name in "[A-Z]{2,10}[A-Z0-9]{0,3}",
            given in prop_oneof![Just(String::new()), "=[ -~]{1,20}", "[0-9]{1,4}", "[?][A-Z0-9=]{1,5}"],
            before in prop::sample::select(&["", "E0", "+CSQ;", "+CPIN?;I;"][..]),
        ) {
            let command = format!("{sign}{name}{given}");
            let plain: String = command.chars().filter(|c| !matches!(c, '"' | ' ')).collect();
            let upper = plain.to_ascii_uppercase();
            // What is known, and what asks after an empty value.
            let is_known = [HARMLESS_COMMANDS, IDENTITIES].concat().contains(&upper.as_str()) || upper == format!("{sign}{name}=?");
            let number = ["+CMGR=", "+CGACT=0,"].iter().find_map(|known| upper.strip_prefix(known));
            let is_known = is_known || number.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
            // Basic letters that stand together are commands of their own: E, H, I, L, M, X.
            let is_basic = sign.is_empty() && name.bytes().all(|b| b"EHILMXQV0123456789".contains(&b));
            prop_assume!(!is_known && !is_basic && !given.contains(';'));
            let row = format!("AT{before}{command}");
            prop_assert!(danger(&row, &huawei()).is_some(), "{row}");
        }

        #[test]
        fn any_row_is_judged(row in "\\PC{0,80}") {
            let profile = huawei();
            prop_assert!(danger(&row, &profile).is_none_or(|why| !why.is_empty()));
        }
    }
}
