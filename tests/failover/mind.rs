//! Minds that stall, fail or break off: who answers instead, and what the caller hears of it.

use std::time::Duration;

use milu::call::WhyLeft;
use milu::knowledge::{Finding, Topic};
use milu::residency::CallerWish;
use milu::speech::{MindError, MindEvent};
use milu::terms::{Private, RequestId};

use crate::links::gate;
use crate::mind_puppet::{Minds, ask, found, left, sentence};

#[tokio::test]
async fn a_mind_that_stalls_is_left_at_its_deadline_and_its_late_answer_is_not_heard() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 7, "When do you open?");
    minds.time.pass(1290).await;
    assert!(heard.try_recv().is_err() && minds.lan.told().is_empty());
    minds.time.pass(10).await;
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.from.as_str(), failover.to.as_str()), ("cloud-mind", "lan-mind"));
    assert_eq!((failover.why, failover.after), (WhyLeft::FirstTokenDeadline, Duration::from_millis(1300)));
    assert_eq!(minds.lan.told(), ["open", "ask 7 When do you open?"]);
    assert_eq!(minds.cloud.told(), ["open", "ask 7 When do you open?", "abandon"]);
    minds.cloud.says(found(7, "At eight.", "cloud-mind")).await;
    assert!(heard.try_recv().is_err(), "it was left");
    minds.lan.says(found(7, "At nine.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
    minds.lan.says(found(7, "At nine.", "lan-mind")).await;
    assert!(heard.try_recv().is_err(), "an answer is given once");
}

#[tokio::test]
async fn after_two_minds_that_stall_the_boxs_own_is_asked_within_the_callers_patience() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you open?");
    minds.time.pass(1300).await;
    minds.lan.says(MindEvent::Failed { request: RequestId(1), error: MindError::Unreachable }).await;
    assert_eq!(
        (left(heard.try_recv().unwrap()).why, left(heard.try_recv().unwrap()).why),
        (WhyLeft::FirstTokenDeadline, WhyLeft::Unreachable)
    );
    assert_eq!(minds.own.told(), ["open", "ask 1 When do you open?"]);
    minds.own.says(MindEvent::Failed { request: RequestId(1), error: MindError::Overloaded }).await;
    let failed = heard.try_recv().unwrap();
    assert!(matches!(failed, MindEvent::Failed { error: MindError::Overloaded, .. }), "nobody is left: {failed:?}");
    minds.time.pass(5000).await;
    assert!(heard.try_recv().is_err(), "it fails once");
}

#[tokio::test]
async fn a_mind_that_shows_that_it_is_at_work_is_waited_for_longer_and_not_for_ever() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    let alive = |request| MindEvent::Alive { request: RequestId(request) };
    // A thought of a second and a half, and then a sentence.
    ask(&mut mind, 1, "When do you open?");
    minds.time.pass(700).await;
    for _ in 0..3 {
        minds.cloud.says(alive(1)).await;
        minds.time.pass(500).await;
    }
    assert!(heard.try_recv().is_err() && minds.lan.told().is_empty(), "a sign is for nobody else");
    minds.cloud.says(sentence(1, "We open at eight.")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    // The next sentence is a long one.
    for _ in 0..3 {
        minds.time.pass(900).await;
        minds.cloud.says(alive(1)).await;
    }
    minds.cloud.says(sentence(1, "And we close at six, but on a Sunday.")).await;
    minds.cloud.says(MindEvent::Over { request: RequestId(1), then: None }).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Over { .. }));
    // One that thinks for ever is left.
    ask(&mut mind, 2, "And on Sunday?");
    for _ in 0..25 {
        assert!(heard.try_recv().is_err());
        minds.time.pass(100).await;
        minds.cloud.says(alive(2)).await;
    }
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.why, failover.after), (WhyLeft::FirstTokenDeadline, Duration::from_millis(2500)));
    assert_eq!(failover.to, "own-mind", "the caller has waited enough");
}

#[tokio::test]
async fn the_boxs_own_mind_says_what_it_knows_where_anothers_answer_breaks_off() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "How much is a malaria test?");
    minds.time.pass(600).await;
    minds.cloud.says(sentence(1, "For that malaria test you pay,")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    minds.time.pass(990).await;
    assert!(heard.try_recv().is_err());
    minds.time.pass(10).await;
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::TokenGapDeadline, "own-mind"));
    assert_eq!(minds.own.told(), ["open", "ask 1 How much is a malaria test?"]);
    minds.own.says(found(1, "A malaria test is three thousand naira.", "own-mind")).await;
    match heard.try_recv().unwrap() {
        MindEvent::Sentence { request: RequestId(1), spoken, engine: "own-mind", .. } => {
            assert_eq!(spoken.text.expose(), "A malaria test is three thousand naira.");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Over { request: RequestId(1), then: None }));
    assert!(heard.try_recv().is_err());
    ask(&mut mind, 2, "And on Sunday?");
    assert!(minds.lan.told().contains(&"ask 2 And on Sunday?".to_owned()), "who let the caller down is not asked next");
    assert_eq!(minds.own.told(), Vec::<String>::new(), "it was asked the question, and need not overhear it");
}

#[tokio::test]
async fn the_boxs_own_mind_does_not_say_again_what_another_said_in_its_words() {
    let (first, rest) = ("Yes, we test for malaria here.", "The test is three thousand naira.");
    for (said, left) in [(&[first][..], Some(rest)), (&[first, rest][..], None)] {
        let minds = Minds::new();
        let (mut mind, mut heard) = minds.open(&gate());
        ask(&mut mind, 1, "How much is a malaria test?");
        for text in said {
            minds.cloud.says(sentence(1, text)).await;
        }
        minds.time.pass(1000).await;
        minds.own.says(found(1, &format!("{first} {rest}"), "own-mind")).await;
        let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        let by_itself = told.iter().find_map(|event| match event {
            MindEvent::Sentence { spoken, engine: "own-mind", .. } => Some(spoken.text.expose().as_str()),
            _ => None,
        });
        assert_eq!(by_itself, left, "{told:?}");
        assert!(matches!(told.last(), Some(MindEvent::Over { then: None, .. })), "{told:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_where_the_box_knows_none_ends_there() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "Who is the president?");
    minds.cloud.says(sentence(1, "That is")).await;
    minds.cloud.says(MindEvent::Failed { request: RequestId(1), error: MindError::Unreachable }).await;
    assert!(!minds.lan.told().iter().any(|told| told.starts_with("ask")), "another mind would tell another story");
    let unknown =
        MindEvent::Found { request: RequestId(1), finding: Finding::Unknown, engine: "own-mind", took: Duration::ZERO };
    minds.own.says(unknown).await;
    let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    let failed = |event: &MindEvent| matches!(event, MindEvent::Failed { error: MindError::Unreachable, .. });
    assert!(matches!(&told[..], [MindEvent::Sentence { .. }, MindEvent::Left(_), last] if failed(last)), "{told:?}");
}

#[tokio::test]
async fn who_would_be_asked_gets_ready_when_the_caller_speaks() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, _heard) = minds.open(&gate);
    mind.caller_speaks();
    assert_eq!((minds.cloud.told(), minds.lan.told()), (vec!["open".to_owned(), "caller speaks".to_owned()], vec![]));
    gate.wish(CallerWish::Objects);
    mind.caller_speaks();
    assert_eq!((minds.cloud.told(), minds.lan.told()), (vec![], vec!["open".to_owned(), "caller speaks".to_owned()]));
}

#[tokio::test]
async fn what_is_over_before_anything_was_said_is_what_is_to_be_done() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "A message, please.");
    minds.cloud.says(MindEvent::Over { request: RequestId(1), then: Some(Finding::LeaveMessage) }).await;
    let done = heard.try_recv().unwrap();
    assert!(matches!(done, MindEvent::Found { finding: Finding::LeaveMessage, engine: "cloud-mind", .. }), "{done:?}");
    ask(&mut mind, 2, "Hm?");
    minds.cloud.says(MindEvent::Over { request: RequestId(2), then: None }).await;
    assert_eq!(left(heard.try_recv().unwrap()).why, WhyLeft::Broken, "an empty answer is none");
}

#[tokio::test]
async fn the_others_hear_what_was_asked_and_said_and_nothing_that_was_taken_back() {
    let minds = Minds::new();
    let (mut mind, _heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you");
    minds.cloud.says(found(1, "What?", "cloud-mind")).await;
    mind.abandon();
    ask(&mut mind, 2, "When do you open?");
    minds.cloud.says(sentence(2, "At eight.")).await;
    mind.said(&Private::new("At".to_owned()));
    mind.abandon();
    assert_eq!(minds.own.told(), ["open", "overheard When do you open?", "said At"]);
    assert_eq!(
        minds.cloud.told(),
        ["open", "ask 1 When do you", "abandon", "ask 2 When do you open?", "said At", "abandon"]
    );
}

#[tokio::test]
async fn nothing_is_answered_after_the_call_has_abandoned_its_question() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you open?");
    mind.abandon();
    minds.cloud.says(found(1, "At eight.", "cloud-mind")).await;
    minds.time.pass(5000).await;
    assert!(heard.try_recv().is_err());
    assert!(minds.lan.told().is_empty() && !minds.own.told().iter().any(|told| told.starts_with("ask")));
}

#[tokio::test]
async fn a_key_of_the_menu_is_answered_by_the_box_itself() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    mind.ask_topic(RequestId(9), Topic::Hours, &now);
    assert_eq!(minds.own.told(), ["open", "topic 9"]);
    minds.own.says(found(9, "At eight.", "own-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "own-mind", .. }));
}
