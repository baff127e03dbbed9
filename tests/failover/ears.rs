//! Ears that stall or fail: who hears the turn instead, and how much of it.

use std::time::Duration;

use milu::call::WhyLeft;
use milu::media::{Frame, SampleRate};
use milu::speech::{EarsError, EarsEvent, Heard};
use milu::terms::RequestId;

use crate::ears_puppet::{ThreeEars, words};

#[tokio::test]
async fn ears_that_stall_are_left_and_the_next_hear_the_whole_turn_in_order() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz8000);
    ears.hear(&mut hearing, 0..40).await;
    let began = ears.time.now() - Duration::from_millis(60);
    hearing.turn_began(began);
    ears.hear(&mut hearing, 40..60).await;
    hearing.judge(RequestId(3));
    hearing.decode(RequestId(3));
    assert!(ears.cloud.told().contains(&"decode 3".to_owned()));
    let own = ears.own.told();
    assert!(own.contains(&"judge 3".to_owned()) && !own.contains(&"decode 3".to_owned()));
    assert_eq!(own.iter().filter(|told| told.starts_with("frame")).count(), 60, "the box's own hear everything");
    ears.time.pass(1000).await;
    let EarsEvent::Left(failover) = heard.try_recv().unwrap() else { panic!("no failover") };
    assert_eq!((failover.to.as_str(), failover.why), ("lan-ears", WhyLeft::WordsDeadline));
    let told = ears.lan.told();
    assert_eq!((told.first().unwrap().as_str(), told.last().unwrap().as_str()), ("rate 8000", "decode 3"));
    // 60 ms and a pre-roll of 300 ms before what was heard when the turn was told.
    let turn = told.iter().position(|t| t == "turn").unwrap();
    assert_eq!(
        (told[1].as_str(), told[turn - 1].as_str(), told[turn + 1].as_str()),
        ("frame 21", "frame 39", "frame 40")
    );
    assert_eq!(told.iter().filter(|t| t.starts_with("frame")).count(), 60 - 21);
    ears.lan.says(words(3, "When do you open?", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "lan-ears", .. })));
}

#[tokio::test]
async fn the_boxs_own_ears_take_over_without_a_replay_and_alone_judge_the_turn() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz16000);
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.judge(RequestId(1));
    hearing.decode(RequestId(1));
    ears.cloud.says(EarsEvent::TurnOver { request: RequestId(1), probability: 0.1 }).await;
    ears.own.says(EarsEvent::TurnOver { request: RequestId(1), probability: 0.9 }).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::TurnOver { probability, .. } if probability > 0.5));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    ears.lan.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    let own = ears.own.told();
    assert_eq!(own.iter().filter(|told| told.starts_with("frame")).count(), 10, "{own:?}");
    assert_eq!(own.last().unwrap(), "decode 1");
    ears.own.says(words(1, "When do you open?", "own-ears")).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert!(matches!(events[..], [EarsEvent::Left(_), EarsEvent::Left(_), EarsEvent::Heard(_)]), "{events:?}");
    // The next turn is heard by who is well.
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(2));
    assert_eq!(ears.own.told().last().unwrap(), "decode 2");
}

#[tokio::test]
async fn where_ears_are_late_the_boxs_own_words_are_there_at_their_deadline_and_not_before() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz16000);
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    let decodes = || ears.own.told().iter().filter(|told| told.starts_with("decode")).count();
    ears.time.pass(400).await;
    assert_eq!(decodes(), 0, "who answers in time costs the box no decode");
    ears.time.pass(200).await;
    assert_eq!(decodes(), 1, "half of the time is over");
    ears.own.says(words(1, "Wendy?", "own-ears")).await;
    assert!(heard.try_recv().is_err(), "the others may still answer");
    ears.cloud.says(words(1, "When do you close?", "cloud-ears")).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert!(matches!(&events[..], [EarsEvent::Heard(told)] if told.engine == "cloud-ears"), "{events:?}");

    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 10..12).await;
    hearing.decode(RequestId(2));
    ears.time.pass(600).await;
    assert_eq!(decodes(), 1);
    ears.own.says(words(2, "When do you open?", "own-ears")).await;
    ears.cloud.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    ears.lan.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    let [EarsEvent::Left(_), EarsEvent::Left(to_own), EarsEvent::Heard(told)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((to_own.to.as_str(), told.engine), ("own-ears", "own-ears"));
    assert_eq!(decodes(), 0, "they are not asked again");
}

#[tokio::test]
async fn ears_get_the_sound_of_a_narrow_line_as_it_came_too() {
    let ears = ThreeEars::new();
    let (mut hearing, _heard) = ears.open();
    let [narrow, wide] = [SampleRate::Hz8000, SampleRate::Hz16000].map(Frame::silence);
    hearing.frame_of_narrow(&narrow, &wide, ears.time.now());
    assert_eq!(
        (ears.cloud.told(), ears.own.told()),
        (vec!["narrow 160 of 320".to_owned()], vec!["narrow 160 of 320".to_owned()])
    );
}

#[tokio::test]
async fn only_one_engine_in_the_cloud_or_on_the_lan_is_given_a_callers_sound() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(words(1, "Hello.", "cloud-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(_)));
    assert!(ears.lan.told().is_empty());
    hearing.decode(RequestId(2));
    hearing.abandon();
    ears.cloud.says(words(2, "Hello.", "cloud-ears")).await;
    ears.time.pass(20_000).await;
    assert!(heard.try_recv().is_err(), "nobody wants it any more");
}
