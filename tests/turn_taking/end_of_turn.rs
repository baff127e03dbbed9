//! The end of a turn, and what the caller waits for after it.

use milu::conversation::{Directive, Expectation, Fact, Gist, Manners, NoTurn};
use milu::terms::RequestId;

use crate::scene::{PAUSE_MS, Scene, at};

#[test]
fn a_finished_question_ends_300_ms_after_its_last_sample_before_its_words_are_there() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    assert_eq!(scene.turn_ended(), Some(2500 + 300));
    assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1);
}

#[test]
fn decoding_starts_at_the_pause_while_the_turn_is_still_being_decided() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    let decode = scene.first(|d| matches!(d, Directive::Decode { .. }));
    assert_eq!(decode, Some(2500 + PAUSE_MS));
    assert!(decode < scene.turn_ended());
}

#[test]
fn an_unfinished_sentence_is_waited_for_between_900_and_1500_ms() {
    for probability in [0.0, 0.2, 0.49] {
        let ended = Scene::new().judged(probability).caller(1000, 2500).until(6000).turn_ended();
        assert!(ended.is_some_and(|t| (3400..=4000).contains(&t)), "{probability}: {ended:?}");
    }
    let patience = |p| Scene::new().judged(p).caller(1000, 2500).until(6000).turn_ended();
    assert!(patience(0.0) > patience(0.3), "the surer the judge is that more comes, the longer the wait");
}

#[test]
fn without_a_judge_silence_alone_ends_the_turn() {
    let scene = Scene::new().unjudged().caller(1000, 2500).until(6000);
    assert_eq!(scene.turn_ended(), Some(2500 + 700));
}

#[test]
fn a_judgement_that_comes_late_ends_the_turn_as_it_comes() {
    let mut scene = Scene::new();
    scene.judgement = Some((350, 0.9));
    assert_eq!(scene.caller(1000, 2500).until(6000).turn_ended(), Some(2500 + 200 + 350));
}

#[test]
fn dangling_words_are_waited_for() {
    let scene = Scene::new().unjudged().hearing(Gist::Dangling).caller(1000, 2500).until(6000);
    assert_eq!(scene.turn_ended(), Some(2500 + 1500));
}

#[test]
fn numbers_names_addresses_and_messages_are_given_more_time_between_their_parts() {
    use Expectation::{Anything, Digits, Email, Message, Name};
    for expectation in [Digits, Name, Email, Message] {
        let scene = Scene::new().expecting(expectation).caller(1000, 2000).caller(3000, 4000).until(9000);
        assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1, "{expectation:?}");
        assert!(scene.turn_ended().is_some_and(|t| (5200..=6000).contains(&t)), "{expectation:?}");
    }
    let scene = Scene::new().expecting(Anything).caller(1000, 2000).caller(3000, 4000).until(9000);
    assert_eq!(scene.turn_ended(), Some(2300));
}

#[test]
fn a_yes_that_was_asked_for_is_taken_sooner_than_anything_else() {
    let yes = Scene::new().expecting(Expectation::YesNo).hearing(Gist::Yes).unjudged().caller(1000, 1400).until(4000);
    let other = Scene::new().hearing(Gist::Yes).unjudged().caller(1000, 1400).until(4000);
    assert!(yes.turn_ended() < other.turn_ended());
}

#[test]
fn a_caller_who_goes_on_makes_the_early_decode_void_and_is_decoded_again() {
    let scene = Scene::new().judged(0.1).caller(1000, 2000).caller(2500, 3500).until(7000);
    let requests: Vec<_> = scene
        .said
        .iter()
        .filter_map(|(_, d)| if let Directive::Decode { request } = d { Some(*request) } else { None })
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(scene.said.iter().any(|(_, d)| *d == Directive::Abandon { request: requests[0] }));
    let over = scene.said.iter().find_map(|(_, d)| match d {
        Directive::EndOfTurn { request, speech_began, speech_ended, .. } => {
            Some((*request, *speech_began, *speech_ended))
        }
        _ => None,
    });
    assert_eq!(over, Some((requests[1], at(1000), at(3500))));
}

#[test]
fn a_turn_that_was_cut_off_too_early_goes_on_if_no_answer_has_sounded() {
    let scene = Scene::new().caller(1000, 2000).caller(2600, 3500).until(7000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 1);
    let last = scene.said.iter().rev().find_map(|(_, d)| match d {
        Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
        _ => None,
    });
    assert_eq!(last, Some((at(1000), at(3500))));
}

#[test]
fn after_the_answer_has_begun_the_caller_begins_a_new_turn() {
    let scene =
        Scene::new().caller(1000, 2000).box_speaks(2900, 3000, Manners::GivesWay).caller(3600, 4600).until(8000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 0);
}

#[test]
fn an_answer_to_a_dead_request_changes_nothing() {
    let mut scene = Scene::new().unjudged().caller(1000, 2000);
    scene.know(2210, Fact::TurnOver { request: RequestId(77), probability: 1.0 });
    assert_eq!(scene.until(4000).turn_ended(), Some(2700));
}

#[test]
fn a_cough_while_the_box_listens_is_no_turn() {
    let scene = Scene::new().unjudged().hearing(Gist::Nothing).caller(1000, 1200).until(4000);
    assert_eq!(scene.turn_ended(), None);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnDropped { why: NoTurn::NoWords, .. })), 1);
}

#[test]
fn a_deadline_tells_its_reason() {
    let scene = Scene::new().caller(1000, 2000).until(2250);
    let (due, why) = scene.taker.deadline().unwrap();
    assert!(due > at(2250));
    assert!(why.contains("end of the turn"), "{why}");
}

#[test]
fn with_a_judge_at_60_ms_and_words_at_450_the_words_are_the_last_thing_waited_for() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    let words_at = 2500 + PAUSE_MS + 450;
    let decided = scene.turn_ended().unwrap();
    assert!(decided < words_at);
    // What is left of 1.1 s for finding the answer and its first sound.
    assert!(2500 + 1100 - words_at.max(decided) >= 450);
}
