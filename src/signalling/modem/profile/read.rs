//! The text of a profile as a [`Profile`], or all of its mistakes.

use std::time::Duration;

use toml::de::DeTable;

use super::mistake::{Collector, ProfileMistakes, ProfileWrong, shown};
use super::values::Section;
use super::{
    CallRows, Decay, DigitCoding, NeverRow, Profile, Proof, ResetRows, SimRows, SoundProfile, SoundWhen, StartRows,
    TextRows, UsbMatch, VoiceProbe, WatchRows,
};
use crate::signalling::modem::output::SoundPath;
use crate::signalling::modem::ussd::{UssdForm, UssdWay};

/// The longest profile has a tenth of it.
const PROFILE_BYTES_MAX: usize = 64 << 10;

/// The same for every profile that does not say otherwise.
const RINGS: &[&str] = &["RING", "+CRING"];

const TOP: &[&str] = &[
    "name", "title", "verified", "to_try", "usb", "start", "sim", "calls", "sound", "watch", "texts", "ussd", "reset",
    "never",
];
const USB: &[&str] = &["vendor", "product", "at", "sound"];
const START: &[&str] = &["first", "after_sim", "voice_ask", "voice_has"];
const SIM: &[&str] = &["iccid", "pin_attempts"];
const CALLS: &[&str] = &[
    "rings",
    "begins",
    "ends",
    "digits",
    "digit_coding",
    "answer",
    "hang_up",
    "refuse_waiting",
    "digit",
    "digit_gap_ms",
    "list_ringing_ms",
    "list_active_ms",
];
const SOUND: &[&str] =
    &["path", "rate", "once", "on", "when", "first_wait_ms", "retry_ms", "retries", "off", "pause", "resume", "decays"];
const WATCH: &[&str] = &["signal", "temperature", "voltage", "volte", "registration"];
const TEXTS: &[&str] = &["list", "read", "delete"];
const USSD: &[&str] = &["way"];
const RESET: &[&str] = &["soft", "maker", "boot_s", "boots"];
const NEVER: &[&str] = &["row", "why"];

const PATHS: &[(&str, SoundPath)] =
    &[("serial", SoundPath::Serial), ("usb", SoundPath::UsbCard), ("analog", SoundPath::Analog)];
const WHENS: &[(&str, SoundWhen)] = &[
    ("before-answer", SoundWhen::BeforeAnswer),
    ("after-answer", SoundWhen::AfterAnswer),
    ("when-active", SoundWhen::WhenActive),
];
const CODINGS: &[(&str, DigitCoding)] = &[("character", DigitCoding::Character), ("ascii", DigitCoding::Ascii)];
const PLAIN: UssdWay = UssdWay { form: UssdForm::Plain, scheme: 15 };
const WAYS: &[(&str, UssdWay)] = &[
    ("plain-15", PLAIN),
    ("plain-0", UssdWay { form: UssdForm::Plain, scheme: 0 }),
    ("ucs2-15", UssdWay { form: UssdForm::Ucs2Hex, scheme: 15 }),
    ("ucs2-72", UssdWay { form: UssdForm::Ucs2Hex, scheme: 72 }),
    ("packed7-15", UssdWay { form: UssdForm::Packed7Hex, scheme: 15 }),
];

pub(super) fn profile(text: &str, file: &str) -> Result<Profile, ProfileMistakes> {
    // What is too long is not looked at.
    let is_too_long = text.len() > PROFILE_BYTES_MAX;
    let text = if is_too_long { "" } else { text };
    let mut wrong = Collector::new(text);
    if is_too_long {
        wrong.add(&(0..0), ProfileWrong::TooLong(PROFILE_BYTES_MAX));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        wrong.add(&error.span().unwrap_or(0..0), ProfileWrong::Syntax(shown(error.message())));
    }
    // What follows a broken row is guesswork: tell the syntax alone.
    let whole = errors.is_empty() && !is_too_long;
    let read = whole.then(|| top(table.get_ref(), &mut wrong)).flatten();
    match (wrong.into_mistakes(file), read) {
        (None, Some(profile)) => Ok(profile),
        (Some(mistakes), _) => Err(mistakes),
        (None, None) => Err(ProfileMistakes { file: file.to_owned(), list: Vec::new() }),
    }
}

/// None only beside a mistake.
fn top(table: &DeTable<'_>, wrong: &mut Collector<'_>) -> Option<Profile> {
    let top = Section::new("the profile", table, 0..0, TOP, wrong);
    let name = name(&top, wrong);
    let title = top.text("title", wrong).map(|t| t.value);
    if title.is_none() {
        top.missing("title", "what people call the modem", wrong);
    }
    let sounds: Vec<SoundProfile> =
        top.sections("sound", SOUND, wrong).iter().filter_map(|section| sound(section, wrong)).collect();
    if sounds.is_empty() {
        top.missing("sound", "how the sound of a call travels", wrong);
    }
    Some(Profile {
        proof: proof(&top, wrong),
        usb: top.sections("usb", USB, wrong).iter().filter_map(|section| usb(section, wrong)).collect(),
        start: start(&top, wrong),
        sim: sim(&top, wrong),
        calls: calls(&top, wrong)?,
        sounds,
        watch: watch(&top, wrong),
        texts: texts(&top, wrong),
        ussd: ussd(&top, wrong),
        reset: reset(&top, wrong)?,
        never: top.sections("never", NEVER, wrong).iter().filter_map(|section| never(section, wrong)).collect(),
        name: name?,
        title: title?,
    })
}

fn name(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<String> {
    let Some(name) = top.text("name", wrong) else {
        top.missing("name", "the name by which a line's settings choose it", wrong);
        return None;
    };
    let fits = (1..=32).contains(&name.value.len())
        && name.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !fits {
        wrong.add(&name.span, ProfileWrong::Name(shown(&name.value)));
    }
    fits.then_some(name.value)
}

fn proof(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Proof {
    let verified = top.yes_or_no("verified", wrong);
    let to_try: Vec<String> = top.texts("to_try", wrong).into_iter().map(|t| t.value).collect();
    match verified {
        Some(verified) if verified.value => Proof::Hardware,
        Some(verified) if to_try.is_empty() => {
            wrong.add(&verified.span, ProfileWrong::NothingToTry);
            Proof::ToTry(to_try)
        }
        Some(_) => Proof::ToTry(to_try),
        None => {
            top.missing("verified", "true once hardware has proved it, false until then", wrong);
            Proof::ToTry(to_try)
        }
    }
}

fn usb(section: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<UsbMatch> {
    let vendor = section.usb_number("vendor", wrong);
    let product = section.usb_number("product", wrong);
    let at = section.interfaces("at", wrong);
    if at.is_empty() {
        section.missing("at", "the interface of the AT port", wrong);
    }
    Some(UsbMatch { vendor: vendor?, product, at, sound: section.interfaces("sound", wrong) })
}

fn start(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> StartRows {
    let Some(section) = top.section("start", START, wrong) else {
        top.missing("start", "the rows that set the modem up", wrong);
        return StartRows::default();
    };
    let ask = section.row("voice_ask", wrong);
    let has = section.text("voice_has", wrong).map(|t| t.value).unwrap_or_default();
    StartRows {
        first: section.set_up_rows("first", wrong),
        after_sim: section.set_up_rows("after_sim", wrong),
        voice: ask.map(|ask| VoiceProbe { ask, has }),
    }
}

fn sim(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> SimRows {
    let Some(section) = top.section("sim", SIM, wrong) else { return SimRows::default() };
    SimRows { iccid: section.row("iccid", wrong), pin_attempts: section.row("pin_attempts", wrong) }
}

fn calls(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<CallRows> {
    let Some(section) = top.section("calls", CALLS, wrong) else {
        top.missing("calls", "how calls are answered and ended", wrong);
        return None;
    };
    let mut rings = section.beginnings("rings", wrong);
    if rings.is_empty() {
        rings = RINGS.iter().map(|ring| (*ring).to_owned()).collect();
    }
    let digit = section.text("digit", wrong);
    if let Some(digit) = digit.as_ref().filter(|digit| !digit.value.contains("<d>")) {
        wrong.add(&digit.span, ProfileWrong::NoDigit(shown(&digit.value)));
    }
    let mut hang_up = section.rows("hang_up", wrong);
    if hang_up.is_empty() {
        hang_up = vec!["AT+CHUP".to_owned(), "ATH".to_owned()];
    }
    Some(CallRows {
        rings,
        begins: section.beginnings("begins", wrong),
        ends: section.beginnings("ends", wrong),
        digits: section.beginnings("digits", wrong),
        digit_coding: section
            .name("digit_coding", "way to write a key", CODINGS, wrong)
            .unwrap_or(DigitCoding::Character),
        answer: section.row("answer", wrong).unwrap_or_else(|| "ATA".to_owned()),
        hang_up,
        refuse_waiting: section.row("refuse_waiting", wrong).unwrap_or_else(|| "AT+CHLD=0".to_owned()),
        digit: section.row("digit", wrong).unwrap_or_else(|| "AT+VTS=<d>".to_owned()),
        digit_gap: section.millis("digit_gap_ms", (0, 2_000), 150, wrong),
        list_ringing: section.millis("list_ringing_ms", (200, 10_000), 1_000, wrong),
        list_active: section.millis("list_active_ms", (500, 10_000), 2_000, wrong),
    })
}

fn sound(section: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<SoundProfile> {
    let path = section.name("path", "way of sound", PATHS, wrong);
    if path.is_none() && section.text("path", wrong).is_none() {
        section.missing("path", "serial, usb or analog", wrong);
    }
    let on = section.row("on", wrong);
    let when = section.name("when", "time to turn the sound on", WHENS, wrong);
    if on.is_some() && when.is_none() && section.text("when", wrong).is_none() {
        section.missing("when", "before-answer, after-answer or when-active", wrong);
    }
    let rate = section.number("rate", (8_000, 16_000), 8_000, wrong);
    let decays = section.yes_or_no("decays", wrong).is_some_and(|decays| decays.value);
    Some(SoundProfile {
        path: path?,
        rate: if rate == 16_000 { 16_000 } else { 8_000 },
        once: section.set_up_rows("once", wrong),
        on,
        when: when.unwrap_or(SoundWhen::AfterAnswer),
        first_wait: section.millis("first_wait_ms", (0, 5_000), 0, wrong),
        retry_every: section.millis("retry_ms", (100, 5_000), 1_000, wrong),
        retries: u8::try_from(section.number("retries", (0, 20), 3, wrong)).unwrap_or(3),
        off: section.rows("off", wrong),
        pause: section.beginnings("pause", wrong).into_iter().next(),
        resume: section.beginnings("resume", wrong).into_iter().next(),
        decay: if decays { Decay::ShowsAtFirstTry } else { Decay::Never },
    })
}

fn watch(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> WatchRows {
    let usual = || vec!["AT+CREG?".to_owned()];
    let Some(section) = top.section("watch", WATCH, wrong) else {
        return WatchRows { signal: Some("AT+CSQ".to_owned()), registration: usual(), ..WatchRows::default() };
    };
    let registration = section.rows("registration", wrong);
    WatchRows {
        signal: Some(section.row("signal", wrong).unwrap_or_else(|| "AT+CSQ".to_owned())),
        temperature: section.row("temperature", wrong),
        voltage: section.row("voltage", wrong),
        volte: section.row("volte", wrong),
        registration: if registration.is_empty() { usual() } else { registration },
    }
}

fn texts(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> TextRows {
    let section = top.section("texts", TEXTS, wrong);
    let mut row = |key: &'static str, usual: &str| {
        let own = section.as_ref().and_then(|section| section.row(key, wrong));
        own.unwrap_or_else(|| usual.to_owned())
    };
    TextRows { list: row("list", "AT+CMGL=4"), read: row("read", "AT+CMGR"), delete: row("delete", "AT+CMGD") }
}

fn ussd(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> UssdWay {
    let section = top.section("ussd", USSD, wrong);
    section.and_then(|section| section.name("way", "way to write a code", WAYS, wrong)).unwrap_or(PLAIN)
}

fn reset(top: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<ResetRows> {
    let Some(section) = top.section("reset", RESET, wrong) else {
        top.missing("reset", "how the modem is restarted", wrong);
        return None;
    };
    Some(ResetRows {
        soft: section.row("soft", wrong).unwrap_or_else(|| "AT+CFUN=1,1".to_owned()),
        maker: section.row("maker", wrong),
        boot: Duration::from_secs(section.number("boot_s", (5, 180), 40, wrong)),
        boots: section.beginnings("boots", wrong),
    })
}

fn never(section: &Section<'_, '_>, wrong: &mut Collector<'_>) -> Option<NeverRow> {
    let row = section.row("row", wrong);
    let why = section.text("why", wrong).map(|t| t.value);
    if row.is_none() || why.is_none() {
        section.missing("row", "the beginning of the row, and in `why` its reason", wrong);
    }
    Some(NeverRow { row: row?, why: why? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"name = "one"
title = "One"
verified = false
to_try = ["everything"]

[[usb]]
vendor = "12d1"
product = "1001"
at = ["2", "ff/01/02"]
sound = "1"

[start]
first = ["AT", "?AT+CGMI"]
after_sim = ["AT+CLIP=1"]
voice_ask = "AT^CVOICE?"
voice_has = "^CVOICE:0"

[calls]
digit = "AT+VTS=<d>"
digit_gap_ms = 200

[[sound]]
path = "serial"
on = "AT^DDSETEX=2"
when = "after-answer"
retries = 2

[reset]
boot_s = 40
"#;

    fn told(this: &str, that: &str) -> String {
        assert!(GOOD.contains(this), "{this}");
        Profile::parse(&GOOD.replacen(this, that, 1), "one.toml").map_err(|m| m.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn a_good_file_becomes_a_profile() {
        let profile = Profile::parse(GOOD, "one.toml").unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(
            (profile.name.as_str(), profile.usb[0].vendor, profile.usb[0].product),
            ("one", 0x12D1, Some(0x1001))
        );
        let at = [
            crate::signalling::modem::InterfaceRule::Number(2),
            crate::signalling::modem::InterfaceRule::Class(0xFF, 1, 2),
        ];
        assert_eq!(profile.usb[0].at, at);
        assert_eq!(profile.sounds[0].when, SoundWhen::AfterAnswer);
        assert_eq!(profile.calls.digit_gap, Duration::from_millis(200));
        assert_eq!(profile.start.first[1].need, crate::signalling::modem::profile::Need::May);
        assert_eq!(profile.proof, Proof::ToTry(vec!["everything".to_owned()]));
    }

    #[test]
    fn each_mistake_has_its_place_and_says_what_was_meant() {
        for (this, that, place, words) in [
            ("digit_gap_ms", "digit_gap", "20:1", "`digit_gap_ms` was probably meant"),
            ("[calls]", "[cals]", "18:2", "`calls` was probably meant"),
            ("\"serial\"", "\"serail\"", "23:8", "`serial` was probably meant"),
            ("\"after-answer\"", "\"after answer\"", "25:8", "`after-answer` was probably meant"),
            ("= 200", "= \"200\"", "20:16", "a whole number from 0 to 2000"),
            ("= 200", "= 9999", "20:16", "a whole number from 0 to 2000"),
            ("\"12d1\"", "\"0x12d1\"", "7:10", "four digits"),
            ("\"ff/01/02\"", "\"ff/1/2\"", "9:12", "no interface"),
            ("\"AT+CLIP=1\"", "\"CLIP=1\"", "14:14", "no row for a modem"),
            ("AT+VTS=<d>", "AT+VTS=", "19:9", "write <d>"),
            ("verified = false", "verified = \"no\"", "3:12", "true or false"),
            ("to_try = [\"everything\"]", "", "3:12", "to_try"),
            ("title = \"One\"\n", "", "1:1", "lacks `title`"),
            ("[reset]\nboot_s = 40\n", "", "1:1", "lacks `reset`"),
            ("[[sound]]", "[[sound]", "22:9", "not TOML"),
        ] {
            let told = told(this, that);
            let fits = told.lines().any(|row| row.starts_with(&format!("one.toml:{place}: ")) && row.contains(words));
            assert!(fits, "`{that}` for `{this}` should be told at {place} with {words}:\n{told}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let told = Profile::parse(&"#".repeat(PROFILE_BYTES_MAX + 1), "one.toml").unwrap_err().to_string();
        assert!(told.contains("more than 65536 bytes"), "{told}");
    }

    proptest! {
        #[test]
        fn a_damaged_profile_is_read_or_refused_with_a_place(cut in 0usize..800, gone in 0usize..9, junk in "\\PC{0,6}") {
            let at = GOOD.char_indices().map(|(i, _)| i).nth(cut % GOOD.chars().count()).unwrap_or(0);
            let damaged = format!("{}{junk}{}", &GOOD[..at], GOOD.get(at + gone..).unwrap_or(""));
            if let Err(mistakes) = Profile::parse(&damaged, "one.toml") {
                prop_assert!(!mistakes.list.is_empty());
                prop_assert!(mistakes.list.iter().all(|m| m.place.row >= 1 && m.place.column >= 1));
            }
        }
    }
}
