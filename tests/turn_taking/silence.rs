//! Silence, noise, endless talk and hold.

use milu::conversation::{Directive, Expectation, Fact, Gist, Manners, SilenceNth, Trust};
use milu::terms::UtteranceId;

use crate::scene::{LIKE_ECHO, PAUSE_MS, Scene, at, words_ended};

#[test]
fn silence_is_counted_after_an_echo_that_ends_with_the_boxs_voice() {
    let scene = Scene::new()
        .box_speaks(100, 4000, Manners::GivesWay)
        .sounding_like(3000, 4100, LIKE_ECHO)
        .caller(3000, 4050)
        .until(12_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(4050 + PAUSE_MS + 6000));
}

#[test]
fn a_silent_caller_is_prompted_twice_and_then_taken_leave_of() {
    let scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay).until(60_000);
    let steps: Vec<_> = scene
        .said
        .iter()
        .filter_map(|(when, d)| if let Directive::Silence { nth } = d { Some((*when, *nth)) } else { None })
        .collect();
    let expected = [(7100, SilenceNth::FirstPrompt), (13_100, SilenceNth::SecondPrompt), (19_100, SilenceNth::Goodbye)];
    assert_eq!(steps, expected);
}

#[test]
fn a_caller_who_answers_the_prompt_is_prompted_from_the_first_again() {
    let scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay).caller(8000, 9000);
    let scene = scene.box_speaks(10_000, 1000, Manners::GivesWay).until(18_000);
    let firsts = scene.count(|d| matches!(d, Directive::Silence { nth: SilenceNth::FirstPrompt }));
    assert_eq!(firsts, 2);
}

#[test]
fn silence_is_not_the_callers_while_the_box_owes_an_answer() {
    let scene = Scene::new().caller(1000, 2000).until(30_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Silence { .. })), 0);
}

#[test]
fn a_caller_who_said_hold_on_is_left_in_peace_for_half_a_minute() {
    let scene = Scene::new().expecting(Expectation::Return).until(40_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(30_001));
}

#[test]
fn a_caller_who_never_stops_is_broken_in_on_and_at_most_three_times() {
    let scene = Scene::new().caller(1000, 200_000).until(150_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::TooLong { .. })), Some(26_000));
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 3);
    assert_eq!(scene.turn_ended(), None);
}

#[test]
fn a_message_may_be_longer_than_a_question() {
    let scene = Scene::new().expecting(Expectation::Message).caller(1000, 60_000).until(70_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 0);
    assert!(scene.turn_ended().is_some());
}

#[test]
fn an_unbroken_sound_without_words_is_noise_and_no_turn() {
    let scene = Scene::new().hearing(Gist::Nothing).caller(1000, 40_000).until(50_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Noise)), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 0);
    assert_eq!(scene.turn_ended(), None);
}

#[test]
fn who_says_something_at_last_in_what_was_taken_for_noise_is_heard() {
    let mut scene = Scene::new().hearing(Gist::Nothing).caller(1000, 40_000);
    scene.know(15_000, Fact::WordsBegan { at: at(14_500) });
    scene.know(17_500, words_ended(16_000));
    let scene = scene.until(20_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Noise)), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { at: began } if *began == at(14_500))), 1);
    assert!(scene.turn_ended().is_some_and(|t| (17_500..18_500).contains(&t)), "{:?}", scene.turn_ended());
}

#[test]
fn a_box_that_paused_for_what_turns_out_to_be_noise_at_that_moment_speaks_on_over_it() {
    let mut scene = Scene::new();
    scene.words = None;
    let mut scene = scene.caller(1000, 60_000).until(11_400);
    let asked = scene.said.iter().find_map(|(_, d)| match d {
        Directive::Decode { request } => Some(*request),
        _ => None,
    });
    let request = asked.expect("an unbroken sound is asked for its words after ten seconds");
    scene.tell(Fact::BoxSpeaking { utterance: UtteranceId(0), at: at(11_400), manners: Manners::GivesWay });
    scene.tell(Fact::Heard { request, gist: Gist::Nothing, trust: Trust::Sure });
    assert_eq!((scene.paused(), scene.resumed(), scene.stopped()), (Some(11_400), Some(11_400), None));
}

#[test]
fn three_turns_without_a_word_are_noise() {
    let mut scene = Scene::new().hearing(Gist::Nothing);
    for n in 0..3 {
        scene = scene.caller(1000 + n * 5000, 2000 + n * 5000);
    }
    assert_eq!(scene.until(20_000).count(|d| matches!(d, Directive::Noise)), 1);
}

#[test]
fn music_on_hold_is_not_the_caller_and_hold_is_no_silence() {
    let mut scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay);
    scene.know(2000, Fact::Held);
    scene.know(40_000, Fact::Resumed);
    let scene = scene.caller(3000, 30_000).until(39_000);
    assert_eq!(scene.count(|d| !matches!(d, Directive::KeysOver { .. })), 0, "{:?}", scene.said);
    let scene = scene.until(50_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(46_000));
}
