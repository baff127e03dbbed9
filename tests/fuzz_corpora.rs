//! The committed corpora of the fuzzer, sent through the same entries: as they
//! are, cut short anywhere, and with each octet changed.

#[path = "../fuzz/entries.rs"]
mod entries;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Octets of one seed that are changed or cut at, spread evenly: enough for each
/// field of a header, and seconds for all seeds together.
const PLACES_MAX: usize = 400;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the corpus is there").map(|entry| entry.expect("a seed").path()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "only {} seeds for {target}", paths.len());
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a seed can be read"))).collect()
}

fn replay(target: &str, entry: fn(&[u8])) {
    for (path, seed) in seeds(target) {
        feed(&path, "as it is", entry, &seed);
        let step = seed.len().div_ceil(PLACES_MAX).max(1);
        for place in (0..seed.len()).step_by(step) {
            feed(&path, &format!("cut at {place}"), entry, &seed[..place]);
            for octet in [0, 0xFF, b'\n', seed[place] ^ 0x01, seed[place] ^ 0x80] {
                let mut changed = seed.clone();
                changed[place] = octet;
                feed(&path, &format!("with {octet:#04x} at {place}"), entry, &changed);
            }
        }
    }
}

/// Names the seed and the change when the entry panics.
fn feed(path: &Path, change: &str, entry: fn(&[u8]), bytes: &[u8]) {
    assert!(catch_unwind(|| entry(bytes)).is_ok(), "{} {change}", path.display());
}

#[test]
fn no_rtp_stream_ends_the_receiving_side() {
    replay("rtp", entries::rtp);
}

#[test]
fn no_session_description_gets_an_answer_that_cannot_be_read() {
    replay("sdp", entries::sdp);
}

#[test]
fn no_datagram_passes_the_guard_unsettled() {
    replay("sip", entries::sip);
}

#[test]
fn no_knowledge_file_is_refused_without_a_place_and_a_reason() {
    replay("knowledge_file", entries::knowledge_file);
}

#[test]
fn no_residency_policy_breaks_a_promise_or_is_refused_without_a_place() {
    replay("residency_policy", entries::residency_policy);
}

#[test]
fn no_message_of_the_ears_leaves_a_question_without_its_one_answer() {
    replay("deepgram_messages", entries::deepgram_messages);
}

#[test]
fn no_models_answer_ends_twice_or_depends_on_its_split() {
    replay("anthropic_events", entries::anthropic_events);
}

#[test]
fn no_message_of_a_providers_voice_has_more_than_it_may() {
    replay("elevenlabs_messages", entries::elevenlabs_messages);
}

#[test]
fn no_stream_of_wyoming_events_is_read_differently_in_pieces() {
    replay("wyoming_events", entries::wyoming_events);
}

#[test]
fn no_talk_is_redacted_otherwise_in_chunks_than_as_a_whole() {
    replay("redaction", entries::redaction);
}

#[test]
fn no_row_of_a_modem_leaves_a_call_without_its_end_or_depends_on_its_cut() {
    replay("at_rows", entries::at_rows);
}

#[test]
fn no_pdu_of_a_text_is_lost_or_shown_or_comes_out_longer_than_it_is() {
    replay("sms_pdu", entries::sms_pdu);
}

#[test]
fn no_answer_of_a_network_grows_or_becomes_a_command() {
    replay("ussd_text", entries::ussd_text);
}
