//! The commands that only one family has.

use super::commands::Argument;
use super::state::{Answer, Last, State, Then};

impl State {
    pub(super) fn huawei(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("^CVOICE", Argument::Read) => Answer::row("^CVOICE:0,8000,16,20"),
            ("^DDSETEX", Argument::Set("2")) if self.active().is_some() || !self.calls.is_empty() => self.sound_on(),
            ("^DDSETEX", Argument::Set(_)) => Answer::bare(Last::Error),
            ("^DTMF", Argument::Set(set)) => self.send_digit(set.split(',').nth(1).unwrap_or_default()),
            ("^DDTMFCFG", Argument::Set(set)) => {
                self.tones_told = set.ends_with(",1") || set == "1";
                Answer::ok()
            }
            ("^USSDMODE", Argument::Set(mode)) => {
                self.ussd_plain = mode == "0";
                Answer::ok()
            }
            ("^NWTIME", Argument::Read) => Answer::row("^NWTIME: 26/11/26,15:37:04+04,00"),
            ("^CHIPTEMP", Argument::Read) => Answer::row("^CHIPTEMP: 35,34,35,34"),
            ("^SYSINFO", Argument::None) => Answer::row("^SYSINFO:2,3,0,5,1,,4"),
            ("^HCSQ", Argument::Read) => Answer::row("^HCSQ:\"WCDMA\",48,44,45"),
            ("^CPIN", Argument::Read) => {
                Answer::row(format!("^CPIN: READY,,10,{tries},10,{tries}", tries = self.pin_tries))
            }
            ("^CURC" | "^PORTSEL" | "^U2DIAG" | "^CSNR", Argument::Set(_)) => Answer::ok(),
            _ => return None,
        })
    }

    pub(super) fn quectel(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+QPCMV", Argument::Set("0")) => self.sound_off(),
            ("+QPCMV", Argument::Set("1,0")) => self.sound_on(),
            // The port has nothing of what goes to the card.
            ("+QPCMV", Argument::Set("1,2")) if self.takes_usb_sound => self.sound_off(),
            ("+QPCMV", Argument::Set("1,2")) => Answer::bare(Last::Error),
            ("+QPCMV", Argument::Read) => Answer::row(format!("+QPCMV: {},0", u8::from(self.pcm))),
            ("+QPCMV", Argument::Test) => Answer::row("+QPCMV: (0,1),(0-2)"),
            ("+QINDCFG", Argument::Set(set)) => {
                if set.starts_with("\"ccinfo\"") {
                    self.call_rows = set.contains(",1");
                }
                Answer::ok()
            }
            ("^DSCI", Argument::Set(n)) => {
                self.dsci = n == "1";
                Answer::ok()
            }
            ("+QTONEDET", Argument::Set(n)) => {
                self.tones_told = n == "1";
                Answer::ok()
            }
            ("+QGPSCFG", Argument::Set(set)) => {
                if set.contains("none") {
                    self.gps_text = false;
                }
                Answer::ok()
            }
            ("+QCFG", Argument::Set("\"ims\"")) => Answer::row("+QCFG: \"ims\",1,1"),
            ("+QCFG", Argument::Set(set)) if set.starts_with("\"USBCFG\"") && !set.contains(',') => {
                Answer::row("+QCFG: \"USBCFG\",0x2C7C,0x0125,1,1,1,1,1,0,0")
            }
            ("+QVTS", Argument::Set(digit)) => self.send_digit(digit.trim_matches('"')),
            ("+QHUP", Argument::Set(set)) => {
                let id = set.split(',').nth(1).unwrap_or("1").to_owned();
                self.answer(&format!("AT+CHLD=1{id}"))
            }
            ("+QLTS", Argument::Set(_)) => Answer::row("+QLTS: \"2026/11/26,15:37:04+04,0\""),
            ("+QENG", Argument::Set(_)) => Answer::row(
                "+QENG: \"servingcell\",\"NOCONN\",\"LTE\",\"FDD\",621,30,A1A9566,113,550,1,3,3,61EA,-84,-11,-56,2,-",
            ),
            ("+QNWINFO", _) => Answer::row("+QNWINFO: \"FDD LTE\",\"62130\",\"LTE BAND 3\",1802"),
            ("+QTEMP", _) => Answer::row("+QTEMP: 42,38,38"),
            ("+QSPN", _) => Answer::row("+QSPN: \"MTN NG\",\"MTN\",\"\",0,\"62130\""),
            ("+QPINC", _) => Answer::rows(vec![format!("+QPINC: \"SC\",{},10", self.pin_tries)]),
            ("+QPOWD", _) => Answer::ok().then(Then::Off),
            ("+QMBNCFG", Argument::Set("\"List\"")) => {
                Answer::row("+QMBNCFG: \"List\",0,1,1,\"ROW_Generic_3GPP\",0x0501081F,202108201")
            }
            (
                "+QURCCFG" | "+QAUDMOD" | "+QMIC" | "+QRXGAIN" | "+QSIDET" | "+QEEC" | "+QDAI" | "+QMBNCFG" | "+QCFG",
                Argument::Set(_),
            ) => Answer::ok(),
            _ => return None,
        })
    }

    pub(super) fn sim7600(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+CPCMREG", Argument::Set("1")) if self.active().is_some() => self.sound_on(),
            ("+CPCMREG", Argument::Set("1")) => Answer::bare(Last::Error),
            ("+CPCMREG", Argument::Set(_)) => self.sound_off(),
            ("+CPCMREG", Argument::Read) => Answer::row(format!("+CPCMREG: {}", u8::from(self.pcm))),
            ("+CPCMREG", Argument::Test) => Answer::row("+CPCMREG: (0-1)"),
            ("+CRESET", _) => Answer::ok().then(Then::Reset),
            ("+DDET", Argument::Set(n)) => {
                self.tones_told = n.starts_with('1');
                Answer::ok()
            }
            ("+CPMUTEMP", _) => Answer::row("+CPMUTEMP: 41"),
            ("+CNSMOD", Argument::Read) => Answer::row("+CNSMOD: 1,8"),
            ("+SPIC", _) => Answer::row(format!("+SPIC: {},10,0,10", self.pin_tries)),
            (
                "+CPCMFRM" | "+CNSMOD" | "+AUTOCSQ" | "+EXUNSOL" | "+CLTS" | "$QCRCIND" | "+COUTGAIN" | "+CMICGAIN"
                | "+CRXVOL" | "+CTXVOL" | "+CNMP" | "+CEVOLTE",
                Argument::Set(_),
            ) => Answer::ok(),
            _ => return None,
        })
    }

    pub(super) fn sim800(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+DDET", Argument::Set(n)) => {
                self.tones_told = n.starts_with('1');
                Answer::ok()
            }
            ("+SPIC", _) => Answer::row(format!("+SPIC: {},10,0,10", self.pin_tries)),
            ("+CMIC" | "+ECHO" | "+SIDET" | "+CLTS" | "+CHFA" | "+CSCLK", Argument::Set(_)) => Answer::ok(),
            _ => return None,
        })
    }
}
