//! The files that are shipped to begin with.

use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use milu::residency::{CallerWishes, DataClass, Policy, Verdict};

const TODAY: Date = date(2026, 11, 26);

pub fn preset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/residency").join(name)
}

/// A preset as its comments say to open it: contracts written in, and each row's
/// verdict replaced by the word that stands after "with the contract:".
pub fn opened(name: &str) -> String {
    let text = std::fs::read_to_string(preset(name)).expect("the preset is there");
    let mut opened = String::new();
    for row in text.lines() {
        let row = row.strip_prefix("# contract").map_or_else(|| row.to_owned(), |rest| format!("contract{rest}"));
        let row = match row.split_once("# with the contract: ") {
            Some((_, verdict)) => format!("verdict = {verdict}"),
            None => row,
        };
        opened.push_str(&row);
        opened.push('\n');
    }
    opened
}

fn sends(policy: &Policy, wishes: CallerWishes) -> Vec<(DataClass, String, Verdict)> {
    let mut found = Vec::new();
    for class in DataClass::ALL {
        for destination in policy.destinations() {
            let verdict = policy.decide(class, &destination.id, wishes).verdict;
            if verdict != Verdict::Local {
                found.push((class, destination.id.to_string(), verdict));
            }
        }
    }
    found
}

#[test]
fn every_preset_is_a_good_file_under_which_nothing_leaves_until_it_is_opened() {
    for name in ["nothing-leaves.toml", "nigeria-ndpa-2023.toml", "gdpr.toml"] {
        let text = std::fs::read_to_string(preset(name)).expect("the preset is there");
        let policy = Policy::parse(name, &text, TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(policy.notice_period_days(), 14);
        for wishes in CallerWishes::STATES {
            assert_eq!(sends(&policy, wishes), [], "{name}");
        }
    }
}

#[test]
fn a_preset_that_is_opened_as_its_comments_say_serves_a_whole_call() {
    let consenting = CallerWishes { consents: true, ..CallerWishes::default() };
    for name in ["nigeria-ndpa-2023.toml", "gdpr.toml"] {
        let policy = Policy::parse(name, &opened(name), TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let sent = sends(&policy, consenting);
        for (class, to) in [
            (DataClass::CallAudio, "deepgram"),
            (DataClass::Transcript, "anthropic"),
            (DataClass::Reply, "anthropic"),
            (DataClass::Knowledge, "anthropic"),
            (DataClass::Reply, "elevenlabs"),
            (DataClass::Knowledge, "elevenlabs"),
        ] {
            assert!(sent.iter().any(|(c, t, _)| *c == class && t == to), "{name}: {class:?} to {to} of {sent:?}");
        }
        let kept = [DataClass::Payment, DataClass::Credential, DataClass::Sensitive, DataClass::Contact];
        assert!(!sent.iter().any(|(class, ..)| kept.contains(class)), "{name}: {sent:?}");
    }
}

#[test]
fn in_nigeria_a_voice_leaves_only_with_this_callers_consent() {
    let policy = Policy::parse("ng", &opened("nigeria-ndpa-2023.toml"), TODAY).expect("a good file");
    let leaves = |wishes| sends(&policy, wishes).iter().any(|(class, ..)| *class == DataClass::CallAudio);
    assert!(!leaves(CallerWishes::default()));
    assert!(leaves(CallerWishes { consents: true, ..CallerWishes::default() }));
}

#[test]
fn a_preset_that_is_opened_before_its_contracts_are_signed_is_refused_row_by_row() {
    let before = date(2026, 1, 30);
    let mistakes = Policy::parse("gdpr.toml", &opened("gdpr.toml"), before).expect_err("no contract holds yet");
    assert_eq!(mistakes.list.len(), 7, "{mistakes}");
    assert!(mistakes.to_string().lines().all(|m| m.contains("dated 2026-01-31, which is not yet")), "{mistakes}");
}
