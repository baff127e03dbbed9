//! Answers that come sentence by sentence, from a mind that streams.

use milu::call::{Input, Output, Speaker, phrases};
use milu::terms::EndCause;

use crate::caller::Act::{Din, HangUp, Key, Listen, ListenFor, Say, Wait};
use crate::clinic::{BYE, OPEN, call, of_box, says, streaming};
use crate::ears::{self, EarsFaults};
use crate::mind::{self, HOURS, HOURS_IN_SENTENCES, MindFaults, SUNDAY, StreamFaults};
use crate::voice::VoiceFaults;
use crate::world::{Happened, Weather};

fn with_stream(stream: StreamFaults) -> Weather {
    Weather { mind: MindFaults { stream, ..MindFaults::STREAMING }, ..Weather::FAIR }
}

#[test]
fn an_answer_in_sentences_is_said_as_it_forms_and_is_one_turn() {
    let slow = StreamFaults { gap_ms: (900, 901), ..StreamFaults::NONE };
    let world = call(with_stream(slow), &[Listen, OPEN, Listen, HangUp]);
    let whole = HOURS_IN_SENTENCES.join(" ");
    let turns = of_box(&world);
    let answer = turns.iter().find(|t| t.text.expose() == &whole).expect("one turn");
    assert!(!answer.interrupted);
    assert_eq!(answer.engines.responder.as_deref(), Some(mind::STREAMING));
    let waited = answer.latency.voice_to_voice_ms.expect("measured to the first sentence");
    // The pause (200 ms), the words (400), the first sentence (700), the voice (160) and the clock (20).
    assert!(waited <= 200 + 400 + 700 + 160 + 20, "{waited} ms");
    let said = world.sentences();
    assert_eq!(said[2..5], HOURS_IN_SENTENCES.map(str::to_owned));
}

#[test]
fn a_question_in_a_noise_has_its_whole_answer_in_sentences() {
    let slow = StreamFaults { gap_ms: (900, 901), ..StreamFaults::NONE };
    let world = call(with_stream(slow), &[Listen, Din(40_000), OPEN, Wait(15_000), HangUp]);
    let whole = HOURS_IN_SENTENCES.join(" ");
    let answer = of_box(&world).into_iter().find(|t| t.text.expose() == &whole).expect("the whole answer");
    assert!(!answer.interrupted);
}

#[test]
fn who_asks_again_over_the_answer_in_a_noise_is_answered() {
    let again = Say("And on Sunday?", 1100);
    let world = call(Weather::FAIR, &[Listen, Din(60_000), OPEN, ListenFor(2500), again, Wait(12_000), HangUp]);
    assert!(of_box(&world).iter().any(|t| t.interrupted) && says(&world, SUNDAY));
}

#[test]
fn an_interruption_cuts_an_answer_in_sentences_at_what_was_heard_and_asks_no_further() {
    let slow = StreamFaults { gap_ms: (1500, 1501), ..StreamFaults::NONE };
    let world = call(with_stream(slow), &[Listen, OPEN, ListenFor(2600), Say("And on Sunday?", 1100), Listen, HangUp]);
    let turns = of_box(&world);
    let cut = turns.iter().find(|t| t.interrupted).expect("a cut turn");
    let heard = cut.text.expose();
    assert!(heard.starts_with(HOURS_IN_SENTENCES[0]) && heard.len() < HOURS_IN_SENTENCES.join(" ").len(), "{heard}");
    assert!(!says(&world, HOURS_IN_SENTENCES[2]), "the rest is not wanted");
    assert!(says(&world, SUNDAY));
    let abandoned = world.log.iter().any(|(_, h)| matches!(h, Happened::Wanted(Output::AbandonAsk)));
    assert!(abandoned);
}

#[test]
fn a_turn_that_goes_on_takes_back_the_sentences_that_came_early() {
    let quick = MindFaults { latency_ms: (10, 20), ..MindFaults::STREAMING };
    let slow_voice = VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE };
    let weather = Weather { mind: quick, voice: slow_voice, ..Weather::FAIR };
    let world = call(weather, &[Listen, Listen, OPEN, Wait(350), Say("And on Sunday?", 900), Listen, HangUp]);
    assert!(!of_box(&world).iter().any(|t| t.text.expose().contains(HOURS_IN_SENTENCES[0])), "never heard");
}

#[test]
fn sentences_that_come_before_the_turn_is_over_wait_for_it_and_are_said_at_once() {
    let quick = MindFaults { latency_ms: (1, 5), ..MindFaults::STREAMING };
    let doubting = EarsFaults { misjudges: 1000, latency_ms: (20, 30), ..EarsFaults::NONE };
    let world = call(Weather { mind: quick, ears: doubting, ..Weather::FAIR }, &[Listen, OPEN, Listen, HangUp]);
    let at = |wanted: &dyn Fn(&Happened) -> bool| world.log.iter().find(|(_, h)| wanted(h)).map(|(at, _)| *at);
    let first = at(&|h| matches!(h, Happened::Told(Input::Sentence { .. }))).expect("a sentence");
    let said = at(
        &|h| matches!(h, Happened::Wanted(Output::Say { speech, .. }) if speech.text.expose() == HOURS_IN_SENTENCES[0]),
    )
    .expect("it is said");
    assert!(said.ms_since(first) > 300, "it waited for the end of the turn");
    let answer =
        of_box(&world).into_iter().find(|t| t.text.expose().starts_with(HOURS_IN_SENTENCES[0])).expect("a turn");
    assert_eq!((answer.latency.transcribe_ms, answer.latency.respond_first_ms), (Some(0), Some(0)));
}

#[test]
fn an_answer_that_breaks_off_ends_with_a_spoken_way_on() {
    for stream in
        [StreamFaults { breaks_off: 1000, ..StreamFaults::NONE }, StreamFaults { stalls: 1000, ..StreamFaults::NONE }]
    {
        let world = call(with_stream(stream), &[Listen, OPEN, Listen, Listen, HangUp]);
        let said = world.sentences();
        assert_eq!(said[2..4], [HOURS_IN_SENTENCES[0], phrases::BROKE_OFF].map(str::to_owned));
        let turns = of_box(&world);
        let (broken, way_on) = (turns[2], turns[3]);
        assert!(!broken.interrupted, "what was said was heard");
        let hole = way_on.started_ms - broken.ended_ms;
        assert!(hole <= 2000 + 160 + 40, "{hole} ms of dead air");
    }
}

#[test]
fn what_is_to_be_done_after_an_answer_waits_for_its_last_word() {
    let world = call(streaming(), &[Listen, Say("I want to leave a message.", 1500), Listen, HangUp]);
    let said = world.sentences();
    assert_eq!(said[2..4], ["Of course.", phrases::ASK_NAME].map(str::to_owned));
    let world = call(streaming(), &[Listen, BYE, Wait(9000)]);
    let record = world.record.as_ref().expect("a record");
    let last = record.turns.last().expect("a turn");
    assert_eq!((last.text.expose().as_str(), last.interrupted), ("It was a pleasure. Bye now!", false));
    assert!(!says(&world, phrases::GOODBYE), "who has taken leave does not take it again");
    assert_eq!(record.end_cause, EndCause::NormalClearing);
}

#[test]
fn a_caller_who_asks_for_it_again_hears_the_whole_answer() {
    let world = call(streaming(), &[Listen, OPEN, Listen, Key('*'), Listen, HangUp]);
    let whole = HOURS_IN_SENTENCES.join(" ");
    let heard: Vec<_> = of_box(&world).into_iter().filter(|t| t.text.expose() == &whole).collect();
    assert_eq!(heard.len(), 2, "twice the whole answer");
    assert_eq!(heard[1].engines.responder, None, "nobody thought about it again");
}

#[test]
fn a_sound_of_listening_between_two_sentences_does_not_end_the_answer() {
    let slow = StreamFaults { gap_ms: (3200, 3201), ..StreamFaults::NONE };
    let acts = [Listen, OPEN, Listen, Say("Mm-hm.", 350), Listen, HangUp];
    let world = call(with_stream(slow), &acts);
    assert!(says(&world, HOURS_IN_SENTENCES[1]), "{:?}", world.sentences());
}

#[test]
fn every_turn_names_the_engines_that_heard_and_thought_and_what_was_left_on_the_way() {
    let world = call(streaming(), &[Listen, OPEN, Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let question = record.turns.iter().find(|t| t.who == Speaker::Caller).expect("a question");
    assert_eq!(question.engines.transcriber.as_deref(), Some(ears::ENGINE));
    let invitation = of_box(&world)[1];
    assert_eq!(invitation.engines.responder, None, "no mind thought of it");
    let mind = MindFaults { left: 1000, latency_ms: (1000, 1001), ..MindFaults::NONE };
    let world = call(Weather { mind, ..Weather::FAIR }, &[Listen, OPEN, Listen, HangUp]);
    let answer = of_box(&world).into_iter().find(|t| t.text.expose() == HOURS).expect("the answer");
    assert_eq!(answer.engines.responder.as_deref(), Some(mind::WHOLE));
    assert_eq!(answer.failovers, [mind::failover(std::time::Duration::from_millis(500))]);
    let others = world.record.as_ref().expect("a record").turns.iter().filter(|t| !t.failovers.is_empty()).count();
    assert_eq!(others, 1, "it is written once");
}
