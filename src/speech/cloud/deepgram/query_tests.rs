use proptest::prelude::*;

use super::*;
use crate::residency::DestinationId;

fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

fn config(api: Api) -> DeepgramConfig {
    let destination = DestinationId::parse("deepgram").unwrap();
    DeepgramConfig::new(destination, host("api.eu.deepgram.com"), api, Private::new("s3cret".into()))
}

fn told() -> Safeguards {
    Safeguards { training_opt_out: true, ..Safeguards::default() }
}

fn opened(config: &DeepgramConfig, words: &[String], required: &Safeguards) -> WebSocketOpening {
    ListenOpening::new(config, config.host.at(None), Encoding::Mulaw, "en", words, required).into()
}

/// The questions of an opening with their answers, decoded by another hand than
/// the one that encoded them.
fn questions(opening: &WebSocketOpening) -> (String, Vec<(String, String)>) {
    let (path, query) = opening.target.expose().split_once('?').expect("it asks something");
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').expect("each has a value");
        (name.to_owned(), decoded(value))
    });
    (path.to_owned(), pairs.collect())
}

fn decoded(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first == b'%' {
            octets.push(u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap());
            rest = &more[2..];
        } else {
            octets.push(*first);
            rest = more;
        }
    }
    String::from_utf8(octets).unwrap()
}

fn answer<'q>(questions: &'q [(String, String)], name: &str) -> Option<&'q str> {
    questions.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

#[test]
fn v1_is_asked_for_interim_words_and_silences() {
    let (path, asked) = questions(&opened(&config(Api::V1), &[], &told()));
    assert_eq!(path, "/v1/listen");
    for (name, value) in [
        ("model", "nova-3"),
        ("encoding", "mulaw"),
        ("sample_rate", "8000"),
        ("language", "en"),
        ("interim_results", "true"),
        ("endpointing", "300"),
        ("utterance_end_ms", "1000"),
        ("vad_events", "true"),
        ("smart_format", "false"),
        ("mip_opt_out", "true"),
    ] {
        assert_eq!(answer(&asked, name), Some(value), "{name}");
    }
    assert_eq!(answer(&asked, "eot_threshold"), None);
}

#[test]
fn flux_is_asked_for_turns_and_not_for_what_it_does_not_know() {
    let (path, asked) = questions(&opened(&config(Api::Flux), &[], &told()));
    assert_eq!(path, "/v2/listen");
    for (name, value) in [
        ("model", "flux-general-en"),
        ("eager_eot_threshold", "0.5"),
        ("eot_threshold", "0.7"),
        ("eot_timeout_ms", "5000"),
    ] {
        assert_eq!(answer(&asked, name), Some(value), "{name}");
    }
    for name in ["interim_results", "language", "language_hint", "smart_format", "channels"] {
        assert_eq!(answer(&asked, name), None, "{name}");
    }
    let multi = DeepgramConfig { model: "flux-general-multi".into(), ..config(Api::Flux) };
    assert_eq!(answer(&questions(&opened(&multi, &[], &told())).1, "language_hint"), Some("en"));
}

#[test]
fn the_opt_out_is_sent_where_the_policy_asks_and_reported_as_sent() {
    let sent = opened(&config(Api::V1), &[], &told());
    assert!(sent.safeguards.cover(&told()));
    let anywhere = DeepgramConfig { host: host("api.deepgram.com").into(), ..config(Api::V1) };
    let silent = opened(&anywhere, &[], &Safeguards::default());
    assert_eq!(answer(&questions(&silent).1, "mip_opt_out"), None);
    assert_eq!(silent.safeguards, Safeguards::default());
}

#[test]
fn a_region_is_promised_by_its_host_and_never_without_the_opt_out() {
    for (name, expected) in [
        ("api.eu.deepgram.com", Some("eu")),
        ("api.au.deepgram.com:443", Some("au")),
        ("api.deepgram.com", None),
        ("api.eu.deepgram.com.example.org", None),
    ] {
        // A policy that asks for no safeguard at all.
        let regional = DeepgramConfig { host: host(name).into(), ..config(Api::V1) };
        let opening = opened(&regional, &[], &Safeguards::default());
        assert_eq!(opening.safeguards.inference_region.as_deref(), expected, "{name}");
        assert_eq!(opening.safeguards.training_opt_out, expected.is_some(), "{name}");
        assert_eq!(answer(&questions(&opening).1, "mip_opt_out"), expected.map(|_| "true"), "{name}");
    }
    let asks_more = Safeguards { zero_retention: true, ..told() };
    assert!(!opened(&config(Api::V1), &[], &asks_more).safeguards.cover(&asks_more));
}

#[test]
fn key_terms_are_repeated_in_their_order_up_to_the_providers_limit() {
    let words: Vec<String> = ["Bola & Sons", "Ọ̀ṣun", "Bola & Sons", " ", "a+b=c?"].map(String::from).to_vec();
    let (_, asked) = questions(&opened(&config(Api::V1), &words, &told()));
    let terms: Vec<&str> = asked.iter().filter(|(n, _)| n == "keyterm").map(|(_, v)| v.as_str()).collect();
    assert_eq!(terms, ["Bola & Sons", "Ọ̀ṣun", "a+b=c?"]);
    let old = DeepgramConfig { model: "nova-2".into(), ..config(Api::V1) };
    assert_eq!(answer(&questions(&opened(&old, &words, &told())).1, "keyterm"), None);
}

#[test]
fn the_key_stands_in_its_header_and_nowhere_else() {
    let opening = opened(&config(Api::V1), &[], &told());
    let headers: Vec<(&str, &str)> = opening.headers.iter().map(|(n, v)| (*n, v.expose().as_str())).collect();
    assert_eq!(headers, [("authorization", "Token s3cret")]);
    assert!(!opening.target.expose().contains("s3cret") && !format!("{opening:?}").contains("s3cret"));
}

#[test]
fn a_key_term_with_an_identifier_in_it_is_left_out_where_only_redacted_may_go() {
    struct NoDigits;
    impl Redact for NoDigits {
        fn redact(&self, text: &str) -> String {
            text.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
    }
    let words = vec!["Surulere".to_owned(), "08031234567".to_owned()];
    let config = config(Api::V1);
    let opening = ListenOpening::new(&config, config.host.at(None), Encoding::Opus, "en", &words, &told());
    assert_eq!(opening.classes(), [DataClass::CallAudio, DataClass::Knowledge]);
    let redacted = opening.redacted(&NoDigits).expect("words can be had without digits");
    assert_eq!(redacted.key_terms, ["Surulere"]);
    assert_eq!(redacted.without_key_terms().classes(), [DataClass::CallAudio]);
    assert!(SoundMessage(vec![0; 160]).redacted(&NoDigits).is_none());
}

#[test]
fn a_narrow_line_is_never_widened_for_the_provider() {
    use SampleRate::{Hz8000, Hz16000};
    assert_eq!(Encoding::of(Uplink::Linear16, Hz16000), Encoding::Linear16);
    assert_eq!(Encoding::of(Uplink::Linear16, Hz8000), Encoding::Mulaw);
    assert_eq!(Encoding::of(Uplink::Mulaw, Hz16000), Encoding::Mulaw);
    assert_eq!(Encoding::of(Uplink::Opus, Hz8000), Encoding::Opus);
}

proptest! {
    #[test]
    fn any_words_make_an_address_that_reads_back(words in prop::collection::vec("\\PC{0,80}", 0..300)) {
        let opening = opened(&config(Api::Flux), &words, &told());
        prop_assert!(opening.target.expose().bytes().all(|b| b.is_ascii_graphic()));
        // Servers take request lines of 8 kB.
        prop_assert!(opening.target.expose().len() < 6000);
        let (_, asked) = questions(&opening);
        let mut tokens = 0;
        for (_, term) in asked.iter().filter(|(n, _)| n == "keyterm") {
            prop_assert!(words.iter().any(|w| w.trim().chars().filter(|c| !c.is_control()).eq(term.chars())));
            tokens += term.len() / 2;
        }
        prop_assert!(tokens <= 500);
    }
}
