//! Words in a noise that has no pause: when their turn ends, and what the noise is after it.

use milu::conversation::{Directive, Expectation, Fact, Gist, Manners, Trust};

use crate::scene::{ONSET_MS, Scene, at, words_ended};

/// A caller whose words end at 2500 ms in a noise that sounds on and has no pause.
fn words_in_a_noise() -> Scene {
    let mut scene = Scene::new();
    scene.know(1000 + ONSET_MS, Fact::SpeechStarted { at: at(1000) });
    scene.know(3600, words_ended(2500));
    scene
}

#[test]
fn in_a_noise_without_a_pause_the_turn_ends_when_no_word_has_come_for_a_second() {
    let scene = words_in_a_noise().until(6000);
    // With its words, which say whether it is unfinished.
    assert_eq!(scene.turn_ended(), Some(3600 + 450));
    let ended = scene.first(|d| matches!(d, Directive::EndOfTurn { speech_ended, .. } if *speech_ended == at(2500)));
    assert_eq!(ended, scene.turn_ended());
    let mut scene = words_in_a_noise();
    scene.words = None;
    assert_eq!(scene.until(6000).turn_ended(), Some(3600 + 700));
}

#[test]
fn words_that_dangle_in_a_noise_are_waited_for() {
    for (gist, ends) in [(Gist::Words, 3600 + 100), (Gist::Dangling, 3600 + 700)] {
        let mut scene = words_in_a_noise();
        scene.words = Some((100, gist, Trust::Sure));
        assert_eq!(scene.until(6000).turn_ended(), Some(ends), "{gist:?}");
    }
}

#[test]
fn who_thinks_aloud_for_a_second_has_the_patience_of_a_silence_after_it() {
    for (expectation, gist) in [(Expectation::Digits, Gist::Words), (Expectation::Anything, Gist::Dangling)] {
        let mut silence = Scene::new().expecting(expectation);
        silence.know(1000 + ONSET_MS, Fact::SpeechStarted { at: at(1000) });
        silence.know(3900, Fact::SpeechPaused { at: at(3700) });
        silence.words = Some((100, gist, Trust::Sure));
        let mut aloud = words_in_a_noise().expecting(expectation);
        aloud.know(3900, Fact::SpeechPaused { at: at(3700) });
        aloud.words = Some((100, gist, Trust::Sure));
        let ended = aloud.until(8000).turn_ended();
        assert!(ended.is_some() && ended >= silence.until(8000).turn_ended(), "{expectation:?} {gist:?}: {ended:?}");
    }
}

#[test]
fn a_noise_that_ends_long_after_the_words_keeps_nobody_waiting() {
    let mut scene = words_in_a_noise();
    scene.words = Some((100, Gist::Words, Trust::Sure));
    scene.know(6200, Fact::SpeechPaused { at: at(6000) });
    assert_eq!(scene.until(8000).turn_ended(), Some(3600 + 100));
}

#[test]
fn a_caller_who_thinks_for_a_second_in_a_noise_goes_on_with_the_turn() {
    // Before the turn is taken for over, and after.
    for (told, goes_on) in [(3900, 0), (4500, 1)] {
        let mut scene = words_in_a_noise();
        scene.know(told, Fact::WordsBegan { at: at(3700) });
        scene.know(6200, words_ended(5000));
        let scene = scene.until(8000);
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), goes_on);
        let last = scene.said.iter().rev().find_map(|(_, d)| match d {
            Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
            _ => None,
        });
        assert_eq!(last, Some((at(1000), at(5000))));
    }
}

#[test]
fn a_caller_who_speaks_over_the_box_in_a_noise_interrupts_it_with_words() {
    let mut scene = words_in_a_noise().box_speaks(4400, 8000, Manners::GivesWay);
    scene.know(6500, Fact::WordsBegan { at: at(6000) });
    let scene = scene.until(8000);
    assert_eq!((scene.paused(), scene.stopped()), (Some(6500), Some(6700)));
}

#[test]
fn words_at_the_end_of_a_noise_are_a_turn_although_they_are_told_after_it() {
    let mut scene = words_in_a_noise().box_says(&[(4400, 5400)]);
    scene.know(6600, Fact::SpeechPaused { at: at(6400) });
    scene.know(6900, Fact::WordsBegan { at: at(6000) });
    let scene = scene.until(9000);
    let ends = scene.said.iter().filter_map(|(_, d)| match d {
        Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(at(1000), at(2500)), (at(6000), at(6400))]);
}

#[test]
fn words_of_an_ordinary_turn_that_are_told_after_its_pause_are_no_other_turn() {
    let mut scene = Scene::new().caller(1000, 2000);
    scene.know(2600, Fact::WordsBegan { at: at(1000) });
    let scene = scene.until(5000);
    let begins = |d: &Directive| matches!(d, Directive::TurnBegan { .. } | Directive::TurnGoesOn { .. });
    assert_eq!(scene.count(begins), 1);
}

#[test]
fn who_dictates_in_a_noise_may_think_for_a_second_and_comes_to_an_end() {
    use Expectation::{Digits, Email, Message, Name};
    for expectation in [Digits, Email, Message, Name] {
        let scene = words_in_a_noise().expecting(expectation).until(6000);
        assert_eq!(scene.turn_ended(), Some(3600 + 700), "{expectation:?}");
        // A word within the second is told of a while after it.
        let mut scene = words_in_a_noise().expecting(expectation);
        scene.know(4290, Fact::WordsBegan { at: at(3590) });
        scene.know(6200, words_ended(5000));
        let scene = scene.until(8000);
        assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1, "{expectation:?}");
        assert!(scene.turn_ended() > Some(6200), "{expectation:?}");
    }
}

#[test]
fn the_noise_that_words_were_said_in_silences_no_sentence_of_what_the_box_has_to_say() {
    // Two sentences of an answer, and later a filler with an answer after it.
    let scene = words_in_a_noise().box_says(&[(4400, 5400), (5420, 6500), (7500, 8300), (9300, 10_300)]);
    let scene = scene.until(11_000);
    assert_eq!((scene.paused(), scene.stopped()), (None, None));
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
}

#[test]
fn the_noise_that_words_were_said_in_counts_again_once_the_box_owes_nothing() {
    let mut scene = words_in_a_noise().box_says(&[(4400, 5400)]);
    scene.know(5401, Fact::BoxOwesNothing);
    let scene = scene.until(5600);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1, "its echo may come back");
    let scene = scene.until(6000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2, "the caller may speak in it");
}

#[test]
fn a_turn_in_a_noise_to_which_there_is_nothing_to_say_does_not_go_on_with_the_noise() {
    let mut scene = words_in_a_noise();
    scene.know(4500, Fact::BoxOwesNothing);
    let scene = scene.until(6000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 0);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2);
}

#[test]
fn a_noise_that_begins_after_the_last_word_does_not_keep_the_turn_open() {
    // Before the turn is taken for over, and after.
    for probability in [0.1, 0.9] {
        let mut scene = Scene::new().judged(probability).caller(1000, 2000);
        scene.know(2700 + ONSET_MS, Fact::SpeechStarted { at: at(2700) });
        scene.know(3200, words_ended(2000));
        scene.know(3900, Fact::WordsEnded { at: at(2000), silent_until: at(3700) });
        let scene = scene.until(3899);
        let ended_once = scene.turn_ended();
        let scene = scene.until(8000);
        let ends = scene.said.iter().filter(|(_, d)| matches!(d, Directive::EndOfTurn { .. }));
        let last = ends.map(|(when, _)| *when).max();
        assert!(last > ended_once && last <= Some(3900 + 700), "{probability}: {last:?}");
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
    }
}

#[test]
fn a_caller_who_has_gone_on_since_the_last_word_that_was_heard_is_not_cut_off() {
    let mut scene = Scene::new().judged(0.1).caller(1000, 2000).caller(2800, 5000);
    scene.know(3100, Fact::WordsEnded { at: at(1980), silent_until: at(3100) });
    assert_eq!(scene.until(4500).turn_ended(), None);
}
