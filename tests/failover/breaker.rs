//! An engine that let callers down is left alone, tried unheard, and comes back when it is well;
//! what the box did itself says nothing of it.

use milu::call::WhyLeft;
use milu::ops::HealthState;
use milu::residency::{CallerWish, Ground};
use milu::speech::{EarsError, EarsEvent, Heard, MindError, MindEvent, Synthesizer, VoiceError, VoiceEvent};
use milu::terms::{Private, RequestId};

use crate::ears_puppet::{ThreeEars, words};
use crate::links::{gate, gate_to, setting, told_of};
use crate::mind_puppet::{Minds, ask, found};
use crate::voice_puppet::{ANSWER, TwoVoices, all};

#[tokio::test]
async fn a_mind_that_must_be_repaired_comes_back_when_it_is() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(MindEvent::Failed { request: RequestId(1), error: MindError::Rejected { status: 401 } }).await;
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    minds.time.pass(140_000).await;
    minds.cloud.told();
    ask(&mut mind, 2, "When do you open?");
    assert_eq!(minds.cloud.told(), ["overheard When do you open?"], "it is left alone");
    minds.lan.says(found(2, "At nine.", "lan-mind")).await;
    minds.time.pass(11_000).await;
    ask(&mut mind, 3, "When do you open?");
    minds.cloud.says(found(3, "At eight.", "cloud-mind")).await;
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    while heard.try_recv().is_ok() {}
    ask(&mut mind, 4, "When do you open?");
    minds.cloud.says(found(4, "At eight.", "cloud-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "cloud-mind", .. }));
}

#[tokio::test]
async fn a_mind_that_is_left_alone_is_tried_beside_another_and_comes_back_when_it_is_well() {
    let minds = Minds::new();
    let gate = gate();
    for request in [1, 2] {
        let (mut mind, _heard) = minds.open(&gate);
        ask(&mut mind, request, "When do you open?");
        minds.cloud.says(MindEvent::Failed { request: RequestId(request), error: MindError::Unreachable }).await;
    }
    assert!(
        minds.chain.health().iter().any(|fact| fact.name == "mind cloud-mind" && fact.state == HealthState::Impaired)
    );
    minds.cloud.told();
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 3, "When do you open?");
    assert!(minds.cloud.told().is_empty(), "its breaker is open: nobody waits for it");
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    heard.try_recv().unwrap();
    minds.time.pass(3000).await;
    mind.caller_speaks();
    assert_eq!(minds.cloud.told().last().unwrap(), "caller speaks", "it connects before it is tried");
    ask(&mut mind, 4, "And on Sunday?");
    assert_eq!(minds.cloud.told().last().unwrap(), "ask 4 And on Sunday?", "it is tried");
    minds.cloud.says(found(4, "Closed.", "cloud-mind")).await;
    assert!(heard.try_recv().is_err(), "and its answer is not used");
    minds.lan.says(found(4, "Closed on Sunday.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
    ask(&mut mind, 5, "Thank you.");
    minds.cloud.says(found(5, "You are welcome.", "cloud-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "cloud-mind", .. }), "it is back");
}

#[tokio::test]
async fn a_mind_that_is_tried_is_left_at_its_question_when_another_is_heard_first() {
    let minds = Minds::new();
    let gate = gate();
    let of_the_cloud = || told_of(minds.chain.health(), "mind cloud-mind").0;
    for request in [1, 2] {
        let (mut mind, _heard) = minds.open(&gate);
        ask(&mut mind, request, "When do you open?");
        minds.cloud.says(MindEvent::Failed { request: RequestId(request), error: MindError::Unreachable }).await;
    }
    minds.time.pass(3000).await;
    let (mut mind, _heard) = minds.open(&gate);
    ask(&mut mind, 3, "Are you open on Sunday?");
    assert_eq!(minds.cloud.told().last().unwrap(), "ask 3 Are you open on Sunday?", "it is tried");
    minds.own.told();
    minds.lan.says(found(3, "No.", "lan-mind")).await;
    mind.said(&Private::new("No.".to_owned()));
    assert_eq!(minds.cloud.told(), ["said No."], "to be told the question again would end the work at it");
    assert_eq!(minds.own.told(), ["overheard Are you open on Sunday?", "said No."]);
    minds.cloud.says(found(3, "We are closed.", "cloud-mind")).await;
    assert_eq!(of_the_cloud(), HealthState::Well);
}

#[tokio::test]
async fn a_question_that_a_mind_settled_on_the_box_says_nothing_of_its_provider() {
    let minds = Minds::new();
    let gate = gate();
    let fails = |request| MindEvent::Failed { request: RequestId(request), error: MindError::Unreachable };
    let of_the_cloud = || told_of(minds.chain.health(), "mind cloud-mind");
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(fails(1)).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Left(_)));
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 2, "Thank you.");
    minds.cloud.says(found(2, "You are welcome.", "own-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "own-mind", .. }));
    assert!(of_the_cloud().1.contains("0 pieces of work done, 1 failed"), "{:?}", of_the_cloud());
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 3, "When do you open?");
    minds.cloud.says(fails(3)).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Left(_)));
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Impaired, "two failures, and nothing good between them");
    // Nor is it a try that went well; the next question is one.
    minds.time.pass(3000).await;
    let (mut mind, mut heard) = minds.open(&gate);
    for (request, words) in [(5, "Thank you."), (6, "When do you open?")] {
        minds.cloud.told();
        ask(&mut mind, request, words);
        assert_eq!(minds.cloud.told().last().unwrap(), &format!("ask {request} {words}"), "it is tried");
        minds.lan.says(found(request, "At nine.", "lan-mind")).await;
        assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
        if request == 5 {
            minds.cloud.says(found(5, "You are welcome.", "own-mind")).await;
            assert_eq!(of_the_cloud().0, HealthState::Impaired);
        }
    }
    minds.cloud.says(found(6, "At eight.", "cloud-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Well);
}

#[tokio::test]
async fn a_question_for_which_the_box_itself_was_too_slow_says_nothing_of_a_provider() {
    let minds = Minds::new();
    let gate = gate();
    let fails = |request, error| MindEvent::Failed { request: RequestId(request), error };
    let of_the_cloud = || told_of(minds.chain.health(), "mind cloud-mind");
    for request in [1, 2, 3] {
        let (mut mind, mut heard) = minds.open(&gate);
        ask(&mut mind, request, "My name is Ngozi.");
        minds.cloud.says(fails(request, MindError::BoxBusy)).await;
        minds.lan.says(found(request, "Thank you.", "lan-mind")).await;
        let told = heard.try_recv().unwrap();
        assert!(matches!(told, MindEvent::Found { engine: "lan-mind", .. }), "no failover is told: {told:?}");
    }
    assert!(of_the_cloud().1.contains("0 pieces of work done, 0 failed"), "{:?}", of_the_cloud());
    for request in [4, 5] {
        let (mut mind, _heard) = minds.open(&gate);
        ask(&mut mind, request, "When do you open?");
        minds.cloud.says(fails(request, MindError::Unreachable)).await;
    }
    assert_eq!(of_the_cloud().0, HealthState::Impaired);
    // Nor is it a try that has failed, or one that is still waited for.
    minds.time.pass(3000).await;
    let (mut mind, _heard) = minds.open(&gate);
    for request in [6, 7] {
        minds.cloud.told();
        ask(&mut mind, request, "When do you open?");
        let asked = format!("ask {request} When do you open?");
        assert_eq!(minds.cloud.told().last().unwrap(), &asked, "it is tried");
        minds.lan.says(found(request, "At nine.", "lan-mind")).await;
        if request == 6 {
            minds.cloud.says(fails(6, MindError::BoxBusy)).await;
            assert_eq!(of_the_cloud().0, HealthState::Impaired);
        }
    }
    minds.cloud.says(found(7, "At eight.", "cloud-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Well);
}

#[tokio::test]
async fn ears_that_let_a_caller_down_hear_a_later_turn_beside_the_others_and_come_back() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    ears.lan.says(words(1, "Hello?", "lan-ears")).await;
    assert!(matches!(
        (heard.try_recv().unwrap(), heard.try_recv().unwrap()),
        (EarsEvent::Left(_), EarsEvent::Heard(_))
    ));
    ears.cloud.told();
    hearing.turn_began(ears.time.now());
    assert!(ears.cloud.told().is_empty(), "not so soon");
    ears.time.pass(10_000).await;
    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 5..8).await;
    hearing.decode(RequestId(2));
    let told = ears.cloud.told();
    assert_eq!(
        (told.iter().filter(|t| t.starts_with("frame")).count(), told.last().unwrap().as_str()),
        (3, "decode 2")
    );
    assert_eq!(ears.cloud.ears.lock().unwrap().len(), 2, "over a new connection");
    ears.cloud.says(words(2, "Hello there?", "cloud-ears")).await;
    assert!(heard.try_recv().is_err(), "a trial is not heard");
    ears.lan.says(words(2, "Hello there?", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "lan-ears", .. })));
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(3));
    ears.cloud.says(words(3, "Are you open?", "cloud-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "cloud-ears", .. })));
}

#[tokio::test]
async fn silence_that_the_box_found_itself_says_nothing_of_a_server_of_ears() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    let of_the_cloud = || told_of(ears.chain.health(), "ears cloud-ears").1;
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(words(1, "", "silence-onbox")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "silence-onbox", .. })));
    assert!(of_the_cloud().contains("0 pieces of work done"), "{}", of_the_cloud());
    hearing.decode(RequestId(2));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    ears.lan.says(words(2, "Hello?", "lan-ears")).await;
    ears.time.pass(10_000).await;
    // A trial in a turn without a voice is none: the next turn has another.
    for request in [3, 4] {
        ears.cloud.told();
        hearing.turn_began(ears.time.now());
        ears.hear(&mut hearing, 5..8).await;
        hearing.decode(RequestId(request));
        assert_eq!(ears.cloud.told().last().unwrap(), &format!("decode {request}"), "it is tried");
        ears.lan.says(words(request, "", "lan-ears")).await;
        ears.cloud.says(words(request, "", "silence-onbox")).await;
    }
    while let Ok(event) = heard.try_recv() {
        assert!(!matches!(event, EarsEvent::Heard(Heard { engine: "silence-onbox", .. })), "a trial is not heard");
    }
    assert!(of_the_cloud().contains("0 pieces of work done, 1 failed"), "{}", of_the_cloud());
}

#[tokio::test]
async fn a_voice_that_let_a_caller_down_is_tried_unheard_and_comes_back() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    voices.own.sounds(200, "own-voice").await;
    voices.own.is_done().await;
    voices.time.pass(10_000).await;
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.own.sounds(200, "own-voice").await;
    voices.own.is_done().await;
    assert_eq!((voices.cloud.opened(), voices.cloud.texts().len()), (2, 1), "it connects anew");
    // Sentences follow each other faster than that.
    voices.time.pass(500).await;
    let (_next, _of_next) = voices.speak(voice.as_ref()).await;
    voices.own.sounds(200, "own-voice").await;
    voices.own.is_done().await;
    assert_eq!(voices.cloud.opened(), 2, "one trial does not close the connection of another");
    // Four round trips of a far uplink, which are none of its slowness.
    voices.time.pass(900).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (3, 2));
    voices.time.pass(700).await;
    voices.cloud.sounds(200, "cloud-voice").await;
    let events = all(&mut slices);
    let is_own = matches!(events[..], [VoiceEvent::Sound { engine: "own-voice", .. }, VoiceEvent::Done { .. }]);
    assert!(is_own, "it is not heard");
    assert!(voices.cloud.given.lock().unwrap()[1].cancelled.is_cancelled(), "one sound is enough to know");
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (3, 3), "it is back");
    assert_eq!(voices.cloud.opened(), 2, "over the connection of its trial");
}

#[tokio::test]
async fn a_voice_is_not_tried_with_the_words_of_a_call_that_is_over() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    voices.time.pass(10_000).await;
    let (speaking, slices) = voices.speak(voice.as_ref()).await;
    assert_eq!(voices.cloud.opened(), 2);
    drop((speaking, slices, voice));
    voices.time.pass(3000).await;
    assert_eq!(voices.cloud.texts().len(), 1);
    // Nothing was found out of it: the next call tries it.
    let next = voices.chain.open(&setting(&gate()));
    let (_speaking, _slices) = voices.speak(next.as_ref()).await;
    voices.time.pass(1400).await;
    assert_eq!(voices.cloud.texts().len(), 2);
}

#[tokio::test]
async fn a_voice_that_is_to_speak_by_now_connects_while_the_caller_speaks() {
    let voices = TwoVoices::new();
    let gate = gate_to("api.cloud.example", Ground::Consent);
    let voice = voices.chain.open(&setting(&gate));
    voice.caller_speaks();
    assert_eq!(voices.cloud.opened(), 0);
    gate.wish(CallerWish::Consents);
    voice.caller_speaks();
    voice.caller_speaks();
    assert_eq!(voices.cloud.opened(), 1);
}

#[tokio::test]
async fn a_voice_that_is_done_without_a_sound_is_left_and_no_trial_that_is_as_mute_brings_it_back() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.is_done().await;
    assert_eq!(voices.own.texts(), [ANSWER], "the caller does not wait for it");
    voices.own.sounds(400, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let [VoiceEvent::Left { failover, .. }, VoiceEvent::Sound { .. }, VoiceEvent::Done { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::Broken, "own-voice"));
    voices.time.pass(10_000).await;
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    voices.time.pass(1400).await;
    assert_eq!(voices.cloud.texts().len(), 2, "it is tried");
    voices.cloud.sounds(0, "cloud-voice").await;
    voices.cloud.is_done().await;
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (3, 2), "it is as mute");
}
