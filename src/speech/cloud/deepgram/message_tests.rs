use proptest::prelude::*;

use super::*;

fn span(start_ms: u64, end_ms: u64) -> Span {
    Span { start: Duration::from_millis(start_ms), end: Duration::from_millis(end_ms) }
}

fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|w| w.text.expose().as_str()).collect()
}

/// With every field that the provider's description has, and one that it has not.
const RESULTS: &str = r#"{"type":"Results","channel_index":[0,1],"duration":1.5,"start":2.0,"is_final":true,
 "speech_final":true,"from_finalize":false,"entities":[],"brand_new":{"a":[1]},
 "channel":{"alternatives":[{"transcript":"When do you open?","confidence":0.99,"languages":["en"],
  "words":[{"word":"when","start":2.1,"end":2.3,"confidence":0.98,"punctuated_word":"When","speaker":0,"language":"en"},
           {"word":"do","start":2.3,"end":2.4,"confidence":0.9},
           {"word":"you","start":2.4,"end":2.5,"confidence":0.0,"punctuated_word":null},
           {"word":"open","start":2.5,"end":2.9,"confidence":0.97,"punctuated_word":"open?"}]}]},
 "metadata":{"request_id":"r","model_uuid":"m","model_info":{"name":"n","version":"v","arch":"a"}}}"#;

const TURN: &str = r#"{"type":"TurnInfo","request_id":"r","sequence_id":7,"event":"EagerEndOfTurn","turn_index":2,
 "audio_window_start":4.0,"audio_window_end":5.25,"transcript":"Tomorrow morning","languages":["en"],
 "words":[{"word":"Tomorrow","confidence":0.95,"start":4.2,"end":4.6},{"word":"morning","confidence":0.8}],
 "end_of_turn_confidence":0.55,"trigger":"model"}"#;

#[test]
fn results_of_v1_are_read_with_their_words() {
    let Message::Results(results) = Message::parse(RESULTS).unwrap() else { panic!("results") };
    assert_eq!(results.span, span(2000, 3500));
    assert_eq!(texts(&results.words), ["When", "do", "you", "open?"]);
    assert_eq!(results.words[0].span, Some(span(2100, 2300)));
    assert_eq!(
        results.words.iter().map(|w| w.confidence).collect::<Vec<_>>(),
        [Some(0.98), Some(0.9), None, Some(0.97)]
    );
    assert!(results.is_final && results.speech_final && !results.from_finalize);
}

#[test]
fn a_turn_of_flux_is_read_with_its_event() {
    let Message::Turn(turn) = Message::parse(TURN).unwrap() else { panic!("a turn") };
    assert_eq!((turn.sequence, turn.event, turn.turn), (Some(Sequence(7)), TurnEvent::EagerEndOfTurn, 2));
    assert_eq!((turn.span, turn.confidence), (span(4000, 5250), 0.55));
    assert_eq!(texts(&turn.words), ["Tomorrow", "morning"]);
    assert_eq!((turn.words[0].span, turn.words[1].span), (Some(span(4200, 4600)), None));
}

#[test]
fn the_other_messages_are_told_apart() {
    let read = |text: &str| Message::parse(text).unwrap();
    assert_eq!(read(r#"{"type":"SpeechStarted","channel":[0],"timestamp":9.54}"#), Message::SpeechStarted);
    let utterance_end = |end| Message::UtteranceEnd { last_word_end: end };
    assert_eq!(read(r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":-1}"#), utterance_end(None));
    let of_a_word = read(r#"{"type":"UtteranceEnd","channel":[0,1],"last_word_end":2.5}"#);
    assert_eq!(of_a_word, utterance_end(Some(Duration::from_millis(2500))));
    let metadata = r#"{"type":"Metadata","transaction_key":"deprecated","request_id":"r","sha256":"x",
        "created":"2026-01-01T00:00:00Z","duration":1.0,"channels":1}"#;
    assert_eq!(read(metadata), Message::Other);
    for (text, n) in [
        (r#"{"type":"Connected","request_id":"r","sequence_id":0}"#, 0),
        (r#"{"type":"Warning","request_id":"r","sequence_id":3,"code":"A","description":"b"}"#, 3),
        (r#"{"type":"ConfigureSuccess","request_id":"r","sequence_id":4}"#, 4),
        (r#"{"type":"SomethingNew","sequence_id":5,"event":[]}"#, 5),
    ] {
        assert_eq!(read(text), Message::Counted(Sequence(n)), "{text}");
    }
    assert_eq!(read(r#"{"type":"SomethingNew"}"#), Message::Other);
}

#[test]
fn an_event_added_later_is_an_update() {
    let later = TURN.replace("EagerEndOfTurn", "SpeakerChanged");
    let Message::Turn(turn) = Message::parse(&later).unwrap() else { panic!("a turn") };
    assert_eq!(turn.event, TurnEvent::Unknown);
}

#[test]
fn what_the_provider_says_of_its_failure_is_sorted() {
    for (text, failure) in [
        (r#"{"type":"Error","variant":"SchemaError","description":"d","message":"m"}"#, Failure::Misunderstood),
        (r#"{"type":"Error","sequence_id":9,"code":"INTERNAL_SERVER_ERROR","description":"d"}"#, Failure::Internal),
        (r#"{"type":"Error","sequence_id":9,"code":"TOO_MANY_REQUESTS","description":"d"}"#, Failure::Busy),
        (r#"{"type":"Error","code":"INSUFFICIENT_PERMISSIONS"}"#, Failure::Account),
        (r#"{"type":"Error","code":"UNPARSABLE_CLIENT_MESSAGE"}"#, Failure::Misunderstood),
        (r#"{"type":"Error"}"#, Failure::Internal),
    ] {
        assert_eq!(Message::parse(text), Ok(Message::Failure(failure)), "{text}");
    }
}

#[test]
fn text_without_a_list_of_words_shares_the_time_that_it_comes_from() {
    let text = r#"{"type":"TurnInfo","event":"Update","turn_index":0,"audio_window_start":1,"audio_window_end":3,
        "transcript":"two words","end_of_turn_confidence":0.1}"#;
    let Message::Turn(turn) = Message::parse(text).unwrap() else { panic!("a turn") };
    assert_eq!(turn.words.iter().map(|w| w.span).collect::<Vec<_>>(), [Some(span(1000, 2000)), Some(span(2000, 3000))]);
}

#[test]
fn what_is_malformed_is_refused_with_its_reason() {
    for (text, why) in [
        ("", BadMessage::NotJson),
        ("hello", BadMessage::NotJson),
        (r#"{"kind":"Results"}"#, BadMessage::NotJson),
        (&RESULTS[..RESULTS.len() / 2], BadMessage::NotJson),
        (r#"{"type":"Results","start":0}"#, BadMessage::Fields),
        (r#"{"type":"TurnInfo","event":7}"#, BadMessage::Fields),
        (&RESULTS.replace("2.0", "-7"), BadMessage::Time),
        (&RESULTS.replace("2.0", "1e300"), BadMessage::Time),
        (&TURN.replace("5.25", "1e9"), BadMessage::Time),
    ] {
        assert_eq!(Message::parse(text), Err(why), "{text}");
    }
    assert_eq!(Message::parse(&" ".repeat(MESSAGE_MAX + 1)), Err(BadMessage::TooLarge));
    let word = r#"{"word":"a","start":0,"end":1,"confidence":1}"#;
    let many = format!(
        r#"{{"type":"Results","start":0,"duration":1,"channel":{{"alternatives":[{{"words":[{}]}}]}}}}"#,
        vec![word; WORDS_MAX + 1].join(",")
    );
    assert!(many.len() < MESSAGE_MAX);
    assert_eq!(Message::parse(&many), Err(BadMessage::TooManyWords));
}

#[test]
fn nobodys_words_show_when_a_message_is_printed() {
    let shown = format!("{:?}{:?}", Message::parse(RESULTS), Message::parse(TURN));
    assert!(!shown.contains("open") && !shown.contains("Tomorrow"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _read = Message::parse(&text);
    }

    #[test]
    fn no_change_of_a_good_message_makes_a_time_or_a_chance_that_is_none(
        which in 0_usize..2, at in any::<prop::sample::Index>(), with in any::<char>(),
    ) {
        let mut text: Vec<char> = [RESULTS, TURN][which].chars().collect();
        let at = at.index(text.len());
        text[at] = with;
        match Message::parse(&text.into_iter().collect::<String>()) {
            Ok(Message::Results(r)) => prop_assert!(r.span.start <= r.span.end && r.words.iter().all(is_sound)),
            Ok(Message::Turn(t)) => {
                prop_assert!(t.span.start <= t.span.end && (0.0..=1.0).contains(&t.confidence));
                prop_assert!(t.words.iter().all(is_sound));
            }
            _ => {}
        }
    }
}

fn is_sound(word: &Word) -> bool {
    word.span.is_none_or(|s| s.start <= s.end) && word.confidence.is_none_or(|c| (0.0..=1.0).contains(&c))
}
