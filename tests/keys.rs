//! Keys that are pressed while the box speaks: they stop it, and what they ask
//! for is said.

use std::time::Duration;

use milu::call::phrases::Recorded;
use milu::call::{Call, CallFacts, Consent, Ears, Engines, Handsets, Input, Keeps, Output, Texts};
use milu::knowledge::{KeypadMenu, MenuChoice, Spoken};
use milu::terms::{CallId, LineId, Moment, Private, UtteranceId};

fn facts() -> CallFacts {
    CallFacts {
        id: CallId::from_parts(1_795_471_200_123, [0; 10]),
        line: LineId::parse("front-desk").expect("a name"),
        from: None,
        offered_at: Moment::START,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        business: "the clinic".to_owned(),
        greeting: "Good day.".to_owned(),
        country_code: "234".to_owned(),
        recorded: Recorded::No,
        texts: Texts::Impossible,
        ears: Ears::Listening,
        consent: Consent::NotNeeded,
        keeps: Keeps::Promises,
        engines: Engines { transcriber: None, responder: None, synthesizer: None },
        menu: KeypadMenu {
            keys: vec![('9', MenuChoice::Message)],
            spoken: Spoken { text: Private::new("Press nine.".to_owned()), entry: None },
        },
        handsets: Handsets::default(),
    }
}

fn at(ms: u64) -> Moment {
    Moment::START + Duration::from_millis(ms)
}

fn outputs(call: &mut Call) -> Vec<Output> {
    std::iter::from_fn(|| call.poll()).collect()
}

fn said(outputs: &[Output]) -> Vec<UtteranceId> {
    let say = |output: &Output| if let Output::Say { utterance, .. } = output { Some(*utterance) } else { None };
    outputs.iter().filter_map(say).collect()
}

#[test]
fn a_key_stops_the_sentence_that_sounds_and_not_the_one_that_it_asks_for() {
    for key in ['0', '9', '7'] {
        let mut call = Call::new(facts());
        call.accept(at(0));
        call.handle(Input::Answered { at: at(10) }, at(10));
        let [notice] = said(&outputs(&mut call))[..] else { panic!("a notice is said") };
        call.handle(Input::UtteranceStarted { utterance: notice, at: at(50) }, at(50));
        call.handle(Input::UtteranceFinished { utterance: notice, played_ms: 2000, at: at(2050) }, at(2050));
        let [help] = said(&outputs(&mut call))[..] else { panic!("then it is asked what is wanted") };
        call.handle(Input::UtteranceStarted { utterance: help, at: at(2100) }, at(2100));
        outputs(&mut call);

        call.handle(Input::Digit { at: at(2300), digit: key }, at(2300));
        let after = outputs(&mut call);
        let asked = said(&after);
        assert_eq!(asked.len(), 1, "key {key}: {after:?}");
        let place = |wanted: fn(&Output) -> bool| after.iter().rposition(wanted);
        let answer = place(|output| matches!(output, Output::Say { .. }));
        assert!(place(|output| matches!(output, Output::SilenceMouth)) < answer, "key {key} cuts its own answer");
        assert!(place(|output| matches!(output, Output::PauseMouth)) < answer, "key {key} pauses its own answer");

        call.handle(Input::UtteranceStarted { utterance: asked[0], at: at(2500) }, at(2500));
        call.handle(Input::UtteranceFinished { utterance: asked[0], played_ms: 1500, at: at(4000) }, at(4000));
        let record = outputs(&mut call);
        let done = record.iter().any(|output| matches!(output, Output::TurnDone(turn) if !turn.interrupted));
        assert!(done, "key {key}: what it asked for is said to its end: {record:?}");
    }
}
