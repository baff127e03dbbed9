//! The policy's file, `residency.toml`: destinations and the table. It is
//! wholly read and checked before any of it is believed, and every mistake is
//! told with its row, its column and what was probably meant.

mod draft;
mod read;

use std::sync::Arc;

use jiff::civil::Date;

use super::Policy;
use super::mistake::{Breaches, Collector, PolicyMistakes, PolicyWrong};
pub use draft::{DESTINATIONS_MAX, ROWS_MAX};

/// The longest table with the longest names fits; a larger file is no policy.
pub const POLICY_BYTES_MAX: usize = 256 << 10;

impl Policy {
    /// The text in the bytes of a file named `name`: as it lies on a disk it may be
    /// in another encoding, or anything at all. Whoever reads one need read no more
    /// than a byte beyond [`POLICY_BYTES_MAX`].
    pub fn text_in<'f>(name: &str, file: &'f [u8]) -> Result<&'f str, PolicyMistakes> {
        // What is too long is not looked at, and may be cut within a character.
        if file.len() > POLICY_BYTES_MAX {
            return Err(PolicyMistakes::after("", name, PolicyWrong::TooLong(POLICY_BYTES_MAX)));
        }
        let readable = file.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if readable.len() < file.len() {
            return Err(PolicyMistakes::after(readable, name, PolicyWrong::NotUtf8));
        }
        Ok(readable)
    }

    /// Reads a policy's text; `name` is the file's name and stands in the
    /// mistakes. `today` tells which contracts are signed: one that is dated
    /// later is not one yet.
    ///
    /// Any text may be handed in: this is also the entry point for fuzzing.
    pub fn parse(name: &str, text: &str, today: Date) -> Result<Self, PolicyMistakes> {
        parse(name, text, today, Breaches::Refused)
    }

    /// Reads a policy that may break the standing promises, so that the breach
    /// can be proved and shown. Even if it were put in force it would send
    /// nothing against a promise, because those stand beside the rows.
    pub fn parse_unproved(name: &str, text: &str, today: Date) -> Result<Self, PolicyMistakes> {
        parse(name, text, today, Breaches::Tolerated)
    }

    /// Reads a policy that was in force. Beside such a breach, sensitive data may have any
    /// ground in it: an earlier version took such a row, and as nothing is looked for as
    /// sensitive, it lets nothing more go.
    pub fn parse_kept(name: &str, text: &str, today: Date) -> Result<Self, PolicyMistakes> {
        parse(name, text, today, Breaches::OfBefore)
    }
}

fn parse(name: &str, text: &str, today: Date, breaches: Breaches) -> Result<Policy, PolicyMistakes> {
    // What is too long is not looked at.
    let is_too_long = text.len() > POLICY_BYTES_MAX;
    let text = if is_too_long { "" } else { text };
    let mut wrong = Collector::new(text);
    if is_too_long {
        wrong.add(&(0..0), PolicyWrong::TooLong(POLICY_BYTES_MAX));
    } else if breaches != Breaches::OfBefore && says_nothing(text) {
        // A file that is being written is empty at first, and a policy that it replaced
        // for a moment could come back only after its notice.
        wrong.add(&(0..0), PolicyWrong::SaysNothing);
    }
    let parts = read::read(text, &mut wrong).check(Arc::from(text), today, &mut wrong);
    match wrong.into_mistakes(name, breaches) {
        None => Ok(Policy::of(parts)),
        Some(mistakes) => Err(mistakes),
    }
}

fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|row| row.is_empty() || row.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{CallerWishes, DataClass, Ground, MISTAKES_MAX, Verdict};
    use jiff::civil::date;
    use proptest::prelude::*;

    const TODAY: Date = date(2026, 11, 26);

    const GOOD: &str = r#"notice_period_days = 7
[[destination]]
id = "cloud"
operator = "Cloud, Inc."
hosts = ["api.cloud.example", "eu.cloud.example:8443"]
country = "IE"
contract = { name = "DPA", signed = 2026-01-05 }
training_opt_out = true
inference_region = "eu"
pins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]

[[destination]]
id = "lan"
operator = "our own"
hosts = ["192.168.1.20:10300"]
on_site = true

[[row]]
data = "transcript"
to = "cloud"
ground = "contract"
verdict = "redacted"

[[row]]
id = "voice"
data = "call-audio"
to = "lan"
ground = "contract"
verdict = "raw"

[[row]]
data = "contact"
to = "cloud"
ground = "contract"
"#;

    /// The mistakes of the good file with this replaced by that.
    fn told(this: &str, that: &str) -> Vec<String> {
        assert!(GOOD.contains(this), "{this}");
        match Policy::parse("r.toml", &GOOD.replacen(this, that, 1), TODAY) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.to_string().lines().map(str::to_owned).collect(),
        }
    }

    fn assert_told(this: &str, that: &str, place: &str, words: &str) {
        let found = told(this, that);
        let fits = found.iter().any(|m| m.starts_with(&format!("r.toml:{place}: ")) && m.contains(words));
        assert!(fits, "`{that}` for `{this}` should be told at {place} with {words}: {found:#?}");
    }

    #[test]
    fn a_good_file_becomes_a_policy_and_rows_without_a_name_are_named_after_their_place() {
        let policy = Policy::parse("r.toml", GOOD, TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let ids: Vec<&str> = policy.rows().iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["row-1", "voice", "row-3"]);
        assert_eq!(policy.rows()[2].verdict, Verdict::Local);
        assert_eq!((policy.notice_period_days(), policy.text()), (7, GOOD));
        let cloud = &policy.destinations()[0];
        assert_eq!(
            cloud.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["api.cloud.example:443", "eu.cloud.example:8443"]
        );
        assert_eq!(cloud.pins, [[0; 32]]);
        assert_eq!(cloud.safeguards.inference_region.as_deref(), Some("eu"));
        let decision = policy.decide(DataClass::CallAudio, &policy.destinations()[1].id, CallerWishes::default());
        assert_eq!((decision.verdict, decision.rows), (Verdict::Raw, vec!["voice".to_owned()]));
    }

    #[test]
    fn each_mistake_has_its_place_and_says_what_was_meant() {
        assert_told("operator =", "operater =", "4:1", "`operator` was probably meant");
        assert_told("notice_period_days", "notice_days", "1:1", "known are notice_period_days");
        assert_told("\"transcript\"", "\"transcripts\"", "19:8", "`transcript` was probably meant");
        assert_told("\"contract\"", "\"contact\"", "21:10", "`contract` was probably meant");
        assert_told("\"redacted\"", "\"redact\"", "22:11", "`redacted` was probably meant");
        assert_told("to = \"cloud\"", "to = \"clod\"", "20:6", "`cloud` was probably meant");
        assert_told("to = \"lan\"", "to = \"abroad\"", "27:6", "known are cloud, lan");
        assert_told("\"IE\"", "\"Ireland\"", "6:11", "`IE` was probably meant");
        assert_told("= 7", "= \"7\"", "1:22", "a whole number");
        assert_told("= 7", "= 400", "1:22", "from 0 to 365");
        assert_told("= true", "= \"yes\"", "8:20", "true or false");
        assert_told("2026-01-05", "\"5 January\"", "7:37", "write it like 2026-03-31");
        assert_told("AAA=", "AA=", "10:9", "SHA-256");
        assert_told("api.cloud", "https://api.cloud", "5:10", "without https://");
        assert_told("operator = \"Cloud, Inc.\"\n", "", "2:1", "lacks `operator`");
        assert_told("operator = \"Cloud, Inc.\"", "operator = \" \"", "4:12", "is empty");
        assert_told("id = \"voice\"", "id = \"The Voice\"", "25:6", "a-z, 0-9");
        assert_told("[[row]]", "[[row]", "18:7", "not TOML");
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_both_places() {
        let twice = |verdict: &str| {
            format!(
                "[[row]]\ndata = \"transcript\"\nto = \"cloud\"\nground = \"contract\"\nverdict = \"{verdict}\"\n\n[[row]]\nid = \"voice\""
            )
        };
        let second = "[[row]]\nid = \"voice\"";
        assert_told(second, &twice("raw"), "24:1", "row 18 of the file says redacted for transcript to `cloud`");
        assert_told(second, &twice("redacted"), "24:1", "says already");
        assert_told("id = \"lan\"", "id = \"cloud\"", "13:6", "described already, in row 2");
        assert_told("192.168.1.20:10300", "eu.cloud.example:8443", "15:10", "belongs to `cloud` already, in row 5");
        assert_told("id = \"voice\"", "id = \"row-1\"", "25:6", "used already, in row 18");
    }

    #[test]
    fn a_table_that_breaks_a_promise_or_can_never_hold_is_refused() {
        assert_told("\"transcript\"", "\"call-audio\"", "22:11", "sound cannot be had");
        assert_told(
            "verdict = \"redacted\"",
            "verdict = \"raw\"\n[[row]]\ndata = \"payment\"\nto = \"lan\"\nground = \"consent\"\nverdict = \"raw\"",
            "27:11",
            "payment never goes raw",
        );
        assert_told(
            "contract = { name = \"DPA\", signed = 2026-01-05 }\n",
            "",
            "19:6",
            "with which there is no contract",
        );
        assert_told("2026-01-05", "2026-11-27", "20:6", "dated 2026-11-27, which is not yet");
        assert_eq!(told("2026-01-05", "2026-11-26"), [""; 0]);
        assert_told("192.168.1.20:10300", "ears.example.com", "15:10", "a name of the public internet");
    }

    #[test]
    fn sensitive_data_goes_on_no_ground_that_the_law_does_not_know_for_it() {
        type Parse = fn(&str, &str, Date) -> Result<Policy, PolicyMistakes>;
        let read = |ground: Ground, parse: Parse| {
            let sensitive = GOOD.replacen("\"transcript\"", "\"sensitive\"", 1);
            let ground = format!("ground = \"{}\"\nverdict", ground.name());
            parse("r.toml", &sensitive.replacen("ground = \"contract\"\nverdict", &ground, 1), TODAY)
        };
        let on = |ground: Ground| read(ground, Policy::parse);
        for ground in [Ground::Contract, Ground::LegitimateInterest] {
            let mistakes = on(ground).unwrap_err().to_string();
            let told = format!("r.toml:21:10: sensitive data does not go on the ground of {}", ground.plain());
            assert!(mistakes.starts_with(&told), "{mistakes}");
            assert!(read(ground, Policy::parse_unproved).is_err(), "{ground:?}: no proof is about it");
            assert!(read(ground, Policy::parse_kept).is_ok(), "{ground:?}: it may be in force already");
        }
        for ground in [Ground::Consent, Ground::LegalObligation, Ground::VitalInterest, Ground::PublicInterest] {
            assert!(on(ground).is_ok(), "{ground:?}");
        }
    }

    #[test]
    fn a_breach_can_be_read_for_its_proof_and_still_sends_nothing() {
        let unsigned = GOOD.replace("2026-01-05", "2027-01-05");
        let policy = Policy::parse_unproved("r.toml", &unsigned, TODAY).unwrap_or_else(|m| panic!("{m}"));
        let cloud = policy.destinations()[0].id.clone();
        assert_eq!(policy.destinations()[0].contract, None);
        assert_eq!(policy.decide(DataClass::Transcript, &cloud, CallerWishes::default()).verdict, Verdict::Local);
        assert!(Policy::parse_unproved("r.toml", &unsigned.replace("operator", "x"), TODAY).is_err());
    }

    #[test]
    fn a_file_that_is_not_utf_8_or_too_long_is_refused_with_its_place() {
        let text_in = |file: &[u8]| Policy::text_in("r.toml", file).map(str::to_owned).map_err(|m| m.to_string());
        assert_eq!(text_in(GOOD.as_bytes()), Ok(GOOD.to_owned()));
        assert_eq!(text_in(b""), Ok(String::new()));
        let place = |file: &[u8]| {
            let told = text_in(file).unwrap_err();
            assert!(told.contains("not UTF-8"), "{told}");
            told.split(": ").next().unwrap_or_default().to_owned()
        };
        assert_eq!(place(b"# a\n# caf\xe9\n# b"), "r.toml:2:6");
        assert_eq!(place(b"# caf\xc3\xa9 caf\xe9"), "r.toml:1:11", "columns are characters");
        assert_eq!(place(b"\xff\xfei\0d\0"), "r.toml:1:1", "UTF-16");
        let mut long = "\u{e9}".repeat(POLICY_BYTES_MAX / 2 + 1).into_bytes();
        long.truncate(POLICY_BYTES_MAX + 1);
        let told = text_in(&long).unwrap_err();
        assert!(told.starts_with("r.toml:1:1: the file has more than 262144 bytes"), "{told}");
    }

    #[test]
    fn a_file_beyond_its_bounds_is_refused() {
        let refused = |text: &str| Policy::parse("r.toml", text, TODAY).unwrap_err();
        assert!(refused(&"#".repeat(POLICY_BYTES_MAX + 1)).to_string().contains("more than 262144 bytes"));
        let rows = "[[row]]\n".repeat(ROWS_MAX + 1);
        let mistakes = refused(&rows);
        assert_eq!(mistakes.list.len(), MISTAKES_MAX);
        let row = "[[row]]\ndata = \"telemetry\"\nto = \"x\"\nground = \"contract\"\n";
        let of_one: String =
            (0..=ROWS_MAX).map(|n| row.replace("[[row]]", &format!("[[row]]\nid = \"r{n}\""))).collect();
        assert!(refused(&of_one).list.len() <= MISTAKES_MAX);
        let many: String = (0..=DESTINATIONS_MAX)
            .map(|n| {
                format!(
                    "[[destination]]\nid = \"d{n}\"\noperator = \"o\"\nhosts = [\"h{n}.example\"]\ncountry = \"NG\"\n"
                )
            })
            .collect();
        assert!(refused(&many).to_string().contains("more than 32 destinations"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,300}") {
            if let Err(mistakes) = Policy::parse("r.toml", &text, TODAY) {
                prop_assert!(!mistakes.list.is_empty());
                prop_assert!(mistakes.list.iter().all(|m| m.place.row >= 1 && m.place.column >= 1));
            }
        }

        #[test]
        fn a_damaged_good_file_is_read_or_refused_but_never_a_panic(cut in 0usize..1000, gone in 0usize..9, junk in "\\PC{0,6}") {
            let at = GOOD.char_indices().map(|(i, _)| i).nth(cut % GOOD.chars().count()).unwrap_or(0);
            let damaged = format!("{}{junk}{}", &GOOD[..at], GOOD.get(at + gone..).unwrap_or(""));
            if let Err(mistakes) = Policy::parse("r.toml", &damaged, TODAY) {
                prop_assert!(!mistakes.list.is_empty());
            }
        }
    }
}
