//! The policy, the caller and the budget decide who may be asked: to be refused is no failure.

use std::sync::{Arc, Mutex};

use milu::call::EngineStage;
use milu::ops::HealthState;
use milu::residency::{CallGate, CallerWish, Ground};
use milu::speech::failover::{BreakerRules, Budget, BudgetSource, EarsChain, EngineHealth, Link, MindChain};
use milu::speech::{CallSetting, EarsError, EarsEvent, JudgesBy, MindEvent, Responder, Transcriber};
use milu::terms::{CallId, Private, RequestId};
use tokio::sync::mpsc;

use crate::ears_puppet::{Ears, EarsPuppet, ThreeEars, words};
use crate::links::{gate, gate_to, in_the_cloud, setting};
use crate::mind_puppet::{Mind, Minds, Puppet, ask, found};
use crate::time::Time;

#[tokio::test]
async fn a_gate_that_refuses_is_no_failure_of_the_engine_and_is_told_to_nobody() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&Arc::new(CallGate::closed()));
    ask(&mut mind, 1, "When do you open?");
    assert!(minds.cloud.told().is_empty(), "not even opened");
    assert_eq!(minds.lan.told(), ["open", "ask 1 When do you open?"]);
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { .. }));
    assert!(minds.chain.health().iter().all(|fact| fact.state == HealthState::Well));
}

#[tokio::test]
async fn a_caller_who_objects_is_kept_on_the_box_from_the_next_question_on() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, _heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(found(1, "At eight.", "cloud-mind")).await;
    mind.said(&Private::new("At eight.".to_owned()));
    gate.wish(CallerWish::Objects);
    minds.cloud.told();
    ask(&mut mind, 2, "And on Sunday?");
    assert!(minds.cloud.told().is_empty());
    let expected = ["open", "overheard When do you open?", "said At eight.", "ask 2 And on Sunday?"];
    assert_eq!(minds.lan.told(), expected, "a mind that is opened late knows the conversation so far");
}

#[tokio::test]
async fn a_caller_who_objects_in_the_middle_of_a_turn_is_heard_by_the_next_engine_in_full() {
    let ears = ThreeEars::new();
    let gate = gate();
    let (answers, mut heard) = mpsc::channel(16);
    let mut hearing = ears.chain.open(&setting(&gate), answers);
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 5..10).await;
    gate.wish(CallerWish::Objects);
    ears.cloud.told();
    hearing.decode(RequestId(1));
    assert_eq!(ears.cloud.told(), ["abandon"], "the words of this turn are not asked of the cloud");
    let told = ears.lan.told();
    assert_eq!(told.iter().filter(|t| t.starts_with("frame")).count(), 10, "{told:?}");
    assert_eq!(told.last().unwrap(), "decode 1");
    ears.lan.says(words(1, "Please do not record me.", "lan-ears")).await;
    let first = heard.try_recv().unwrap();
    assert!(matches!(first, EarsEvent::Heard(_)), "a wish is no failover: {first:?}");
    assert!(ears.chain.health().iter().all(|fact| fact.state == HealthState::Well));
}

#[tokio::test]
async fn ears_that_may_hear_no_more_of_a_caller_are_left_with_the_next_frame() {
    let ears = ThreeEars::new();
    let gate = gate();
    let (answers, mut heard) = mpsc::channel(16);
    let mut hearing = ears.chain.open(&setting(&gate), answers);
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    gate.wish(CallerWish::Restricts);
    ears.cloud.told();
    ears.hear(&mut hearing, 5..10).await;
    let cloud = ears.cloud.told();
    assert!(!cloud.iter().any(|told| told.starts_with("frame")), "{cloud:?}");
    let lan = ears.lan.told();
    assert_eq!(lan.iter().filter(|t| t.starts_with("frame")).count(), 10, "each frame once: {lan:?}");
    assert_eq!(lan.iter().filter(|t| *t == "decode 1").count(), 1, "what was asked is asked of the next");
    ears.lan.says(words(1, "Do not send my voice to the cloud.", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(_)), "and no failover is told");
}

#[tokio::test]
async fn a_call_is_heard_outside_only_while_ears_there_are_well_allowed_and_paid_for() {
    let time = Time::new();
    let [cloud, own] = [(); 2].map(|()| Arc::new(EarsPuppet::default()));
    let standing = Arc::new(Mutex::new(Budget::Ample));
    let budget: BudgetSource = {
        let standing = Arc::clone(&standing);
        Arc::new(move |_| *standing.lock().unwrap())
    };
    let stage = EngineStage::Ears;
    let health = |name| EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    let ears = |name, puppet: &Arc<EarsPuppet>| -> Arc<dyn Transcriber> {
        Arc::new(Ears { name, puppet: Arc::clone(puppet), judges_by: JudgesBy::Melody })
    };
    let better =
        vec![Link::over_a_network(stage, ears("cloud-ears", &cloud), health("cloud-ears"), in_the_cloud(), budget)];
    let on_the_box = || Link::on_the_box(stage, ears("own-ears", &own), health("own-ears"));
    let chain = EarsChain::new(better, on_the_box(), time.works());
    assert!(chain.hears_outside(&gate()));
    assert!(!chain.hears_outside(&CallGate::closed()), "the policy keeps it");
    assert!(chain.hears_outside(&gate_to("api.cloud.example", Ground::Consent)), "the caller is asked first");
    for ground in [Ground::LegitimateInterest, Ground::Consent] {
        assert!(!chain.hears_outside(&gate_to("new.cloud.example", ground)), "its host is in the policy no more");
    }
    let objects = gate();
    objects.wish(CallerWish::Objects);
    assert!(!chain.hears_outside(&objects));
    *standing.lock().unwrap() = Budget::Near;
    assert!(!chain.hears_outside(&gate()), "the budget is nearly spent");
    *standing.lock().unwrap() = Budget::Ample;
    for request in [1, 2] {
        assert!(chain.hears_outside(&gate()), "one failure is bad luck");
        let (answers, _heard) = mpsc::channel(16);
        let mut hearing = chain.open(&setting(&gate()), answers);
        hearing.turn_began(time.now());
        hearing.decode(RequestId(request));
        cloud.says(EarsEvent::Failed { request: RequestId(request), error: EarsError::Lost("closed") }).await;
    }
    assert!(!chain.hears_outside(&gate()), "the cable is cut");
    assert!(!EarsChain::new(Vec::new(), on_the_box(), time.works()).hears_outside(&gate()), "there are none");
}

#[tokio::test]
async fn an_engine_whose_budget_is_near_its_end_is_passed_over_and_is_well() {
    let time = Time::new();
    let [cloud, own] = [(); 2].map(|()| Arc::new(Puppet::default()));
    let standing = Arc::new(Mutex::new(Budget::Ample));
    let call = CallId::from_parts(1, [7; 10]);
    let budget: BudgetSource = {
        let standing = Arc::clone(&standing);
        Arc::new(move |asking| {
            assert_eq!(asking, Some(call), "a call has a ceiling of its own");
            *standing.lock().unwrap()
        })
    };
    let stage = EngineStage::Mind;
    let health = |name| EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    let mind =
        |name, puppet: &Arc<Puppet>| -> Arc<dyn Responder> { Arc::new(Mind { name, puppet: Arc::clone(puppet) }) };
    let better =
        vec![Link::over_a_network(stage, mind("cloud-mind", &cloud), health("cloud-mind"), in_the_cloud(), budget)];
    let chain =
        MindChain::new(better, Link::on_the_box(stage, mind("own-mind", &own), health("own-mind")), time.works());
    let (answers, _heard) = mpsc::channel(16);
    let mut thinking = chain.open(&CallSetting { call: Some(call), ..setting(&gate()) }, answers);
    ask(&mut thinking, 1, "When do you open?");
    assert_eq!(cloud.told(), ["open", "ask 1 When do you open?"]);
    cloud.says(found(1, "At eight.", "cloud-mind")).await;
    for (request, now) in [(2, Budget::Near), (3, Budget::Spent)] {
        *standing.lock().unwrap() = now;
        ask(&mut thinking, request, "And on Sunday?");
        assert!(!cloud.told().iter().any(|told| told.starts_with("ask")));
        assert_eq!(own.told().last().unwrap(), &format!("ask {request} And on Sunday?"));
    }
    *standing.lock().unwrap() = Budget::Ample;
    ask(&mut thinking, 4, "And on Monday?");
    assert_eq!(cloud.told().last().unwrap(), "ask 4 And on Monday?");
}
