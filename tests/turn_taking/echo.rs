//! Sound over the box's voice that may be its echo, or somebody else's.

use milu::conversation::{Directive, Fact, Manners, Overlap};

use crate::scene::{LIKE_A_CALLER, LIKE_A_TELEVISION_NEXT_DOOR, LIKE_ECHO, Scene};

#[test]
fn the_boxs_own_echo_never_counts_as_the_caller() {
    let scene = Scene::new()
        .box_speaks(100, 4000, Manners::GivesWay)
        .sounding_like(1000, 4100, LIKE_ECHO)
        .caller(1000, 4200)
        .until(9000);
    assert_eq!((scene.paused(), scene.turn_ended()), (None, None));
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 0);
}

#[test]
fn a_caller_who_talks_into_an_echo_is_let_through_when_the_sound_is_the_callers() {
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(1000, 2000, LIKE_ECHO)
        .sounding_like(2000, 5000, LIKE_A_CALLER)
        .caller(1000, 5000)
        .until(7000);
    assert!(scene.paused().is_some_and(|t| (2000..=2120).contains(&t)), "{:?}", scene.paused());
    assert!(scene.stopped().is_some());
}

#[test]
fn one_frame_that_does_not_look_like_echo_lets_no_echo_through() {
    let mut scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).sounding_like(1000, 3000, LIKE_ECHO);
    scene.know(2010, Fact::Overlap(Overlap { level_dbfs: -30.0, echo_likelihood: 0.3 }));
    assert_eq!(scene.caller(1000, 3000).until(5000).paused(), None);
}

#[test]
fn a_faint_sound_over_the_boxs_first_words_that_may_be_echo_is_ignored() {
    let doubtful = Overlap { level_dbfs: -30.0, echo_likelihood: 0.4 };
    let early = Scene::new()
        .box_speaks(1000, 8000, Manners::GivesWay)
        .sounding_like(1100, 1500, doubtful)
        .caller(1100, 1500)
        .until(4000);
    let later = Scene::new()
        .box_speaks(1000, 8000, Manners::GivesWay)
        .sounding_like(3100, 3500, doubtful)
        .caller(3100, 3500)
        .until(6000);
    assert_eq!(early.paused(), None);
    assert!(later.paused().is_some());
}

#[test]
fn a_voice_that_closes_its_lips_goes_on_interrupting() {
    let closed = Overlap { level_dbfs: -56.0, ..LIKE_A_CALLER };
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 2080, LIKE_A_CALLER)
        .sounding_like(2080, 2220, closed)
        .sounding_like(2220, 4000, LIKE_A_CALLER)
        .caller(2000, 4000)
        .until(5000);
    assert!(scene.paused().is_some());
    assert_eq!(scene.resumed(), None);
    let faint_at_last = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 2080, LIKE_A_CALLER)
        .sounding_like(2080, 4000, closed)
        .caller(2000, 4000)
        .until(5000);
    assert!(faint_at_last.resumed().is_some(), "a knock before a far television");
}

#[test]
fn a_television_next_door_does_not_interrupt() {
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 3000, LIKE_A_TELEVISION_NEXT_DOOR)
        .caller(2000, 3000)
        .until(6000);
    assert_eq!(scene.paused(), None);
}

#[test]
fn a_measurement_that_is_no_number_does_not_make_the_box_deaf() {
    let broken = Overlap { level_dbfs: f32::NAN, echo_likelihood: f32::NAN };
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 3000, broken)
        .caller(2000, 3000)
        .until(6000);
    assert!(scene.stopped().is_some());
}
