//! Barge-in: the caller speaks over the box, or presses a key.

use milu::conversation::{Directive, Expectation, Fact, Gist, Manners, NoTurn, Trust};

use crate::scene::{PAUSE_MS, Scene, at};

#[test]
fn the_box_is_told_to_be_silent_within_80_ms_of_the_callers_first_sample() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    // What the detector and the packets' way both ways take is left for it: some 110 ms.
    assert!(scene.paused().is_some_and(|t| (2060..=2080).contains(&t)), "{:?}", scene.paused());
}

#[test]
fn a_caller_who_keeps_talking_stops_the_box_and_is_answered() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    assert_eq!(scene.stopped(), Some(2700));
    assert_eq!(scene.resumed(), None);
    assert_eq!(scene.turn_ended(), Some(4300));
}

#[test]
fn an_interruption_says_how_much_was_heard() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    let heard = scene.said.iter().find_map(|(_, d)| match d {
        Directive::StopSpeech { heard, .. } => Some(heard.as_millis()),
        _ => None,
    });
    // It spoke from 100 ms until the pause, 60 to 80 ms after 2,000.
    assert!(heard.is_some_and(|ms| (1955..=1985).contains(&ms)), "{heard:?}");
}

#[test]
fn a_short_cough_lets_the_box_speak_on_as_soon_as_it_is_over() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2180).until(6000);
    assert_eq!(scene.resumed(), Some(2180 + PAUSE_MS));
    assert_eq!((scene.stopped(), scene.turn_ended()), (None, None));
    assert_eq!(scene.taker.false_interruptions(), 1);
}

#[test]
fn a_sound_of_listening_lets_the_box_speak_on() {
    for gist in [Gist::Backchannel, Gist::Yes, Gist::Nothing] {
        let scene = Scene::new().hearing(gist).box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
        assert_eq!(scene.resumed(), Some(2350 + PAUSE_MS + 450), "{gist:?}");
        assert_eq!((scene.stopped(), scene.turn_ended()), (None, None), "{gist:?}");
    }
}

#[test]
fn a_short_real_word_stops_the_box() {
    for gist in [Gist::Words, Gist::No] {
        let scene = Scene::new().hearing(gist).box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
        assert!(scene.stopped().is_some() && scene.resumed().is_none(), "{gist:?}");
        assert!(scene.turn_ended().is_some(), "{gist:?}");
    }
}

#[test]
fn a_yes_over_a_yes_or_no_question_is_its_answer() {
    let scene = Scene::new()
        .expecting(Expectation::YesNo)
        .hearing(Gist::Yes)
        .box_speaks(100, 8000, Manners::GivesWay)
        .caller(2000, 2350)
        .until(6000);
    assert!(scene.stopped().is_some() && scene.turn_ended().is_some());
}

#[test]
fn a_word_that_the_ears_doubt_does_not_stop_the_box() {
    let mut scene = Scene::new();
    scene.words = Some((450, Gist::Words, Trust::Doubtful));
    let scene = scene.box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
    assert!(scene.resumed().is_some() && scene.stopped().is_none());
}

#[test]
fn ears_that_never_answer_do_not_leave_the_box_paused() {
    for (length, stops) in [(350, false), (450, true)] {
        let mut scene = Scene::new();
        scene.words = None;
        let scene = scene.box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2000 + length).until(6000);
        assert_eq!(scene.stopped().is_some(), stops, "{length} ms");
        assert_eq!(scene.resumed().is_some(), !stops, "{length} ms");
    }
}

#[test]
fn the_recording_notice_is_spoken_to_its_end() {
    let scene = Scene::new().box_speaks(100, 3000, Manners::Insists).caller(1000, 2500).until(6000);
    assert_eq!(scene.paused(), None);
    assert!(scene.turn_ended().is_some(), "what the caller said over it still counts");
}

#[test]
fn mm_hm_over_the_recording_notice_is_no_turn() {
    let scene =
        Scene::new().hearing(Gist::Backchannel).box_speaks(100, 5000, Manners::Insists).caller(1000, 1400).until(4000);
    assert_eq!(scene.turn_ended(), None);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnDropped { why: NoTurn::Backchannel, .. })), 1);
}

#[test]
fn a_caller_who_begins_as_the_box_ends_has_an_ordinary_turn() {
    let scene = Scene::new().box_speaks(100, 3000, Manners::GivesWay).caller(2850, 4000).until(6000);
    assert_eq!((scene.paused(), scene.turn_ended()), (None, Some(4300)));
}

#[test]
fn a_line_that_keeps_coughing_does_not_cut_the_sentence_into_pieces() {
    let mut scene = Scene::new().hearing(Gist::Nothing).box_speaks(100, 60_000, Manners::GivesWay);
    for n in 0..12 {
        scene = scene.caller(2000 + n * 2000, 2350 + n * 2000);
    }
    let scene = scene.until(30_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::PauseSpeech { .. })), 3);
}

#[test]
fn a_box_that_begins_to_speak_over_the_caller_falls_silent_at_once() {
    let scene = Scene::new().caller(1000, 4000).box_speaks(2000, 3000, Manners::GivesWay).until(6000);
    assert_eq!(scene.paused(), Some(2000));
    assert!(scene.stopped().is_some_and(|t| t <= 2001));
}

#[test]
fn a_key_stops_the_box_at_once() {
    let mut scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay);
    scene.know(2000, Fact::Digit { at: at(2000) });
    let scene = scene.until(6000);
    assert_eq!((scene.stopped(), scene.turn_ended()), (Some(2000), None));
    assert_eq!(scene.first(|d| matches!(d, Directive::KeysOver { .. })), Some(5000));
}

#[test]
fn a_caller_who_stops_the_answer_with_a_key_and_does_no_more_is_prompted() {
    let mut scene = Scene::new().caller(1000, 2000).box_speaks(3000, 8000, Manners::GivesWay);
    scene.know(5000, Fact::Digit { at: at(5000) });
    let scene = scene.until(20_000);
    // Three seconds for further keys, then six of silence.
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(14_000));
}
