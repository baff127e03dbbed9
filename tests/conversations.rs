//! Conversations with names, in the simulated world: what one caller of the
//! clinic lives through when all is well, and when one thing is not.

#![allow(dead_code, reason = "the world is shared with the laws, which use more of it")]

#[path = "simulated_world/caller.rs"]
mod caller;
#[path = "simulated_world/ears.rs"]
mod ears;
#[path = "conversations/failing_disk.rs"]
mod failing_disk;
#[path = "simulated_world/handset.rs"]
mod handset;
#[path = "simulated_world/laws.rs"]
mod laws;
#[path = "simulated_world/mind.rs"]
mod mind;
#[path = "conversations/people.rs"]
mod people;
#[path = "simulated_world/random.rs"]
mod random;
#[path = "simulated_world/voice.rs"]
mod voice;
#[path = "simulated_world/world.rs"]
mod world;

use caller::Act::{self, Din, HangUp, Hold, Key, Listen, ListenFor, Noise, Resume, Say, StopBox, Wait};
use caller::CARD;
use ears::EarsFaults;
use milu::call::{Consent, Ears, GapReason, Input, JournalKind, Outcome, Output, Speaker, Turn, Wish, phrases};
use milu::residency::CallerWish;
use milu::terms::{EndCause, Moment, UtteranceId};
use mind::{HOURS, HOURS_IN_SENTENCES, MindFaults, PAY, SUNDAY, StreamFaults};
use voice::VoiceFaults;
use world::{Happened, Weather, World};

const OPEN: Act = Say("When do you open?", 1400);
const MOON: Act = Say("What is the price of the moon?", 1800);
const YES: Act = Say("Yes.", 450);
const BYE: Act = Say("Goodbye.", 700);
const NAME: Act = Say("My name is Ada.", 1200);
const BODY: Act = Say("Please tell the doctor that I will come on Monday.", 3500);

fn call(weather: Weather, acts: &[Act]) -> World {
    let world = World::play(1, weather, acts.to_vec());
    laws::check(&world);
    world
}

fn fair(acts: &[Act]) -> World {
    call(Weather::FAIR, acts)
}

fn outcome(world: &World) -> Outcome {
    world.record.as_ref().expect("a record").outcome
}

fn says(world: &World, text: &str) -> bool {
    world.sentences().iter().any(|s| s.contains(text))
}

/// How often the box says it.
fn times(world: &World, text: &str) -> usize {
    world.sentences().iter().filter(|s| s.contains(text)).count()
}

#[test]
fn a_question_is_answered_after_the_notice_and_an_invitation() {
    let world = fair(&[Listen, OPEN, Listen, Say("And on Sunday?", 900), Listen, BYE, Wait(9000)]);
    let said = world.sentences();
    assert!(said[0].starts_with("Good day.") && said[0].contains("recorded"), "{said:?}");
    assert_eq!(said[1..], [phrases::HELP, HOURS, SUNDAY, phrases::GOODBYE].map(str::to_owned));
    assert_eq!(outcome(&world), Outcome::Answered);
    let record = world.record.expect("a record");
    assert_eq!(record.end_cause, EndCause::NormalClearing);
    assert!(record.recording.is_some_and(|r| r.from_ms > 4000), "kept from the end of the notice on");
}

/// The law that is broken in a conversation of which some was lost: the answer's
/// utterance is told to `is_lost`.
fn law_broken_without(is_lost: fn(&Happened, UtteranceId) -> bool) -> String {
    let mut world = fair(&[Listen, OPEN, Wait(60_000)]);
    let hours = world.log.iter().find_map(|(_, happened)| match happened {
        Happened::Wanted(Output::Say { utterance, speech }) if speech.text.expose() == HOURS => Some(*utterance),
        _ => None,
    });
    let hours = hours.expect("it is answered");
    world.log.retain(|(_, happened)| !is_lost(happened, hours));
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| laws::check(&world)));
    let why = checked.expect_err("a law is broken");
    why.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn asking_after_a_caller_is_no_answer_to_what_they_asked() {
    let unheard = law_broken_without(|happened, hours| matches!(happened, Happened::Sounded(u) if *u == hours));
    assert!(unheard.contains("no answer to"), "{unheard}");
    let unsaid = law_broken_without(
        |happened, hours| matches!(happened, Happened::Wanted(Output::Say { utterance, .. }) if *utterance == hours),
    );
    assert!(unsaid.contains("ms without an answer"), "{unsaid}");
}

const TYPHOID: Act = Say("Do you test for typhoid?", 1400);
const NO: Act = Say("No.", 450);

#[test]
fn what_may_be_meant_is_asked_back_and_after_a_no_the_next_nearest() {
    let world = fair(&[Listen, TYPHOID, Listen, NO, Listen, YES, Listen, BYE, Wait(9000)]);
    let asked = [mind::OUR_TESTS, mind::OUR_VACCINES].map(str::to_owned);
    let said = world.sentences();
    let first = said.iter().position(|s| *s == asked[0]).expect("the nearest is asked");
    assert_eq!(said[first..], [&asked[..], &[mind::VACCINES, phrases::GOODBYE].map(str::to_owned)].concat());
}

#[test]
fn a_caller_who_meant_neither_is_asked_for_other_words() {
    let world = fair(&[Listen, TYPHOID, Listen, NO, Listen, NO, Listen, BYE, Wait(9000)]);
    assert!(says(&world, phrases::ASK_DIFFERENTLY));
    assert!(!says(&world, mind::VACCINES), "nothing is answered that was not meant");
}

#[test]
fn an_answer_takes_no_longer_than_the_longest_of_its_parts_one_after_the_other() {
    let world = fair(&[Listen, OPEN, Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let answer = record.turns.iter().find(|t| t.text.expose() == HOURS).expect("the answer");
    // The judge ends the turn after 300 ms. The words were asked for at the
    // report of the pause (200 ms) and take up to 400 ms, the mind 40 ms, the
    // voice 160 ms and the media clock 20 ms.
    let waited = answer.latency.voice_to_voice_ms.expect("measured");
    assert!(waited <= 200 + 400 + 40 + 160 + 20, "{waited} ms");
    let decodes = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::Decode { .. }))).count();
    let asks = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::Ask { .. }))).count();
    assert_eq!((decodes, asks), (1, 1), "what was asked ahead is what is used");
}

#[test]
fn what_the_file_does_not_know_becomes_a_message_with_name_number_and_sound() {
    let acts = [Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.as_ref().and_then(|r| r.message.clone()).expect("a message");
    assert_eq!(message.name.map(milu::terms::Private::into_exposed).as_deref(), Some("Ada"));
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
    assert!(message.text.expose().contains("on Monday"));
    assert!(message.sound.is_some_and(|(from, to)| (3000..5000).contains(&(to - from))));
    assert!(says(&world, phrases::UNKNOWN) && says(&world, phrases::MESSAGE_KEPT));
}

#[test]
fn a_caller_who_hangs_up_with_the_last_word_of_the_message_has_left_it() {
    let world = fair(&[Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, HangUp]);
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert!(message.sound.is_some_and(|(from, to)| to - from >= 3000));
}

#[test]
fn a_caller_who_is_not_heard_is_asked_again_once_and_then_offered_keys() {
    let deaf = Weather { ears: EarsFaults { unheard: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(deaf, &[Listen, OPEN, Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::SAY_AGAIN), 1);
    assert_eq!(times(&world, phrases::TROUBLE_HEARING), 1);
    assert!(!says(&world, HOURS), "what was not heard is not answered");
}

#[test]
fn doubtful_words_are_read_back_and_answered_on_a_yes() {
    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(doubtful, &[Listen, OPEN, Listen, YES, Listen, HangUp]);
    let said = world.sentences();
    assert!(said[2].starts_with("I understood: When do you open"), "{said:?}");
    assert_eq!(said[3], HOURS);
}

#[test]
fn a_slow_mind_leaves_no_caller_in_silence_whoever_puts_the_question() {
    let slow = Weather { mind: MindFaults { latency_ms: (2200, 2201), ..MindFaults::NONE }, ..Weather::FAIR };
    let keyed = call(slow.clone(), &[Listen, Key('1'), Listen, HangUp]).sentences();
    assert!(keyed.ends_with(&[phrases::ONE_MOMENT, HOURS].map(str::to_owned)), "{keyed:?}");

    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..slow };
    let said = call(doubtful, &[Listen, OPEN, Listen, YES, Listen, Listen, HangUp]).sentences();
    let read_back = said.iter().position(|s| s.starts_with("I understood")).expect("it is read back");
    // Once for what "yes" means, and once for what was confirmed with it.
    assert_eq!(said[read_back + 1..], [phrases::ONE_MOMENT, phrases::ONE_MOMENT, HOURS].map(str::to_owned));
}

#[test]
fn a_text_message_that_was_perhaps_asked_for_is_sent_on_a_yes_alone() {
    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let asks = Say("Please text me your address.", 1500);
    let sent = |world: &World| first(world, |output| matches!(output, Output::SendText { .. })).is_some();
    let world = call(doubtful.clone(), &[Listen, asks.clone(), Listen, HangUp]);
    assert!(says(&world, "I understood: Please text me your address") && !sent(&world));
    assert!(sent(&call(doubtful, &[Listen, asks, Listen, YES, Listen, HangUp])));
}

#[test]
fn a_caller_whom_nobody_can_listen_to_gets_the_keys_and_leaves_a_message_by_them() {
    let keypad = Weather { listening: Ears::KeypadOnly, ..Weather::FAIR };
    let world = call(keypad, &[Listen, Key('1'), Listen, Key('9'), Listen, BODY, Key('#'), Listen, HangUp]);
    assert!(says(&world, phrases::BUSY) && says(&world, HOURS));
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert!(message.callback.is_some() && message.sound.is_some());
}

#[test]
fn a_silent_caller_on_the_keypad_is_not_kept_for_half_an_hour() {
    let world = call(Weather { listening: Ears::KeypadOnly, ..Weather::FAIR }, &[]);
    assert!(says(&world, phrases::NOBODY_THERE));
}

#[test]
fn a_key_is_answered_at_once_even_while_the_box_speaks() {
    let world = fair(&[Listen, OPEN, ListenFor(500), Key('0'), Listen, HangUp]);
    let asked = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(milu::call::Input::Digit { .. })));
    let pressed = asked.map(|(at, _)| *at).expect("a key");
    let sounds = |at: &Moment| *at > pressed && at.ms_since(pressed) < 700;
    let answered = world.log.iter().filter(|(at, h)| sounds(at) && matches!(h, Happened::Sounded(_))).count();
    assert!(answered > 10, "the answer to the key was not heard");
}

#[test]
fn a_key_during_the_notice_is_answered_after_it() {
    let world = fair(&[ListenFor(800), Key('1'), Listen, HangUp]);
    assert_eq!(world.sentences()[1], HOURS);
    let record = world.record.expect("a record");
    assert!(!record.turns[0].interrupted && record.recording.is_some());
}

#[test]
fn a_key_takes_the_place_of_a_question_that_is_not_yet_answered() {
    let slow = Weather { mind: MindFaults { latency_ms: (900, 901), ..MindFaults::NONE }, ..Weather::FAIR };
    let world = call(slow, &[Listen, Say("And on Sunday?", 900), Wait(250), Key('1'), Listen, Wait(60_000)]);
    assert!(says(&world, HOURS) && !says(&world, SUNDAY));
    assert!(says(&world, phrases::NOBODY_THERE), "silence still counts");
}

#[test]
fn an_interruption_cuts_the_record_to_what_was_heard() {
    let world = fair(&[Listen, OPEN, ListenFor(1500), Say("And on Sunday?", 1100), Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let cut = record.turns.iter().find(|t| t.interrupted).expect("a cut turn");
    assert!(HOURS.starts_with(cut.text.expose()) && cut.text.expose().len() < HOURS.len());
    assert!(!cut.text.expose().is_empty());
    assert!(says(&world, SUNDAY));
}

#[test]
fn a_cough_or_a_sound_of_listening_does_not_stop_an_answer() {
    for sound in [Noise(180), Noise(300), Say("Mm-hm.", 350)] {
        let world = fair(&[Listen, OPEN, ListenFor(1500), sound.clone(), Listen, HangUp]);
        let record = world.record.as_ref().expect("a record");
        let whole = record.turns.iter().any(|t| t.text.expose() == HOURS && !t.interrupted);
        assert!(whole, "{sound:?}: {:#?}", record.turns);
    }
}

#[test]
fn a_turn_that_goes_on_takes_its_answer_back() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let world = call(slow, &[Listen, Listen, OPEN, Wait(350), Say("And on Sunday?", 900), Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let of_caller: Vec<_> = record.turns.iter().filter(|t| t.who == Speaker::Caller).collect();
    assert_eq!(of_caller.len(), 1, "one turn of two parts");
    assert!(!record.turns.iter().any(|t| t.text.expose() == HOURS), "the first answer is never heard");
}

#[test]
fn silence_is_prompted_twice_and_then_taken_leave_of() {
    let world = fair(&[]);
    assert_eq!(times(&world, phrases::STILL_THERE), 1);
    assert_eq!(times(&world, phrases::STILL_THERE_AGAIN), 1);
    assert_eq!(world.sentences().last().map(String::as_str), Some(phrases::NOBODY_THERE));
    assert_eq!(outcome(&world), Outcome::Abandoned);
}

#[test]
fn a_caller_on_hold_is_neither_prompted_nor_left() {
    let world = fair(&[Listen, Hold, Wait(60_000), Resume, OPEN, Listen, HangUp]);
    assert!(!says(&world, phrases::STILL_THERE));
    assert!(says(&world, HOURS));
}

/// Far longer than any wait of the box for its own parts.
const LONG_HOLD: [Act; 3] = [Hold, Wait(240_000), Resume];

fn heard_whole(world: &World, text: &str) -> bool {
    let record = world.record.as_ref().expect("a record");
    record.turns.iter().any(|t| t.text.expose() == text && !t.interrupted)
}

#[test]
fn an_answer_that_a_hold_came_before_is_heard_after_it() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let [hold, wait, resume] = LONG_HOLD;
    let world = call(slow, &[Listen, OPEN, Wait(500), hold, wait, resume, Listen, HangUp]);
    assert!(heard_whole(&world, HOURS), "{:?}", world.sentences());
    assert!(!says(&world, phrases::OWN_FAULT) && !says(&world, phrases::ONE_MOMENT));
    assert!(first(&world, |o| matches!(o, Output::HangUp(_))).is_none(), "the caller ends the call");
}

#[test]
fn a_sentence_in_the_middle_of_which_we_are_held_goes_on_after_it() {
    let [hold, wait, resume] = LONG_HOLD;
    for weather in [Weather::FAIR, streaming()] {
        let acts = [Listen, OPEN, ListenFor(1000), hold.clone(), wait.clone(), resume.clone(), Listen, Listen, HangUp];
        let world = call(weather, &acts);
        let (whole, sentences) = (HOURS.to_owned(), HOURS_IN_SENTENCES.join(" "));
        assert!(heard_whole(&world, &whole) || heard_whole(&world, &sentences), "{:?}", world.sentences());
        assert!(!says(&world, phrases::OWN_FAULT) && !says(&world, phrases::BROKE_OFF));
    }
}

#[test]
fn a_hold_without_end_is_given_up_and_leaves_a_record() {
    for before in [0, 1000] {
        let world = fair(&[Listen, OPEN, ListenFor(before), Hold]);
        assert_eq!(world.record.as_ref().expect("a record").end_cause, EndCause::NormalClearing);
        let held = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(Input::Held { .. }))).map(|(at, _)| *at);
        let end = world.log.iter().find(|(_, h)| matches!(h, Happened::Wanted(Output::HangUp(_)))).map(|(at, _)| *at);
        assert_eq!(held.zip(end).map(|(held, end)| end.ms_since(held)), Some(600_000));
    }
}

#[test]
fn who_holds_while_the_box_takes_leave_does_not_keep_it() {
    let world = fair(&[Listen, BYE, ListenFor(300), Hold]);
    let held = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(Input::Held { .. }))).map(|(at, _)| *at);
    let end = world.log.last().map(|(at, _)| *at);
    assert!(held.zip(end).is_some_and(|(held, end)| end.ms_since(held) < 70_000));
}

#[test]
fn a_box_that_stops_while_it_is_held_ends_the_call_at_once() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), Hold, Wait(1000), StopBox]);
    assert!(!says(&world, phrases::BOX_STOPPING));
    assert_eq!(world.record.as_ref().expect("a record").end_cause, EndCause::NormalClearing);
}

#[test]
fn a_box_that_stops_finishes_its_sentence_and_says_goodbye() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), StopBox, Wait(20_000)]);
    let record = world.record.as_ref().expect("a record");
    assert!(record.turns.iter().any(|t| t.text.expose() == HOURS && !t.interrupted));
    assert!(record.turns.iter().any(|t| t.text.expose() == phrases::BOX_STOPPING && !t.interrupted));
}

#[test]
fn a_goodbye_is_heard_even_if_the_caller_was_just_interrupting() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), Say("And on Sunday?", 300), StopBox, Wait(20_000)]);
    let record = world.record.as_ref().expect("a record");
    assert!(record.turns.iter().any(|t| t.text.expose() == phrases::BOX_STOPPING && !t.interrupted));
}

#[test]
fn a_caller_who_never_stops_talking_is_broken_in_on_and_then_left() {
    let world = fair(&[Listen, Say("and then I told her that", 90_000), HangUp]);
    assert_eq!(times(&world, phrases::TOO_LONG), 2);
    assert_eq!(times(&world, phrases::CANNOT_FOLLOW), 1);
}

#[test]
fn when_the_voice_fails_once_the_call_says_that_it_is_at_fault_or_ends() {
    let mute = Weather { voice: VoiceFaults { fails: 1000, ..VoiceFaults::NONE }, ..Weather::FAIR };
    let world = call(mute, &[Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    assert_eq!((record.outcome, record.end_cause), (Outcome::Failed, EndCause::TemporaryFailure));
    assert!(record.recording.is_none(), "nothing is kept without its notice");
}

#[test]
fn ears_that_fail_are_an_unheard_turn_without_a_long_wait() {
    let deaf = Weather { ears: EarsFaults { fails: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(deaf, &[Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::SAY_AGAIN), 1);
    assert!(!says(&world, phrases::ONE_MOMENT), "the failure was known when the turn ended");
}

#[test]
fn a_mind_that_fails_is_the_boxs_own_fault_and_a_message_is_offered() {
    let lost = Weather { mind: MindFaults { fails: 1000, ..MindFaults::NONE }, ..Weather::FAIR };
    let world = call(lost, &[Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::OWN_FAULT), 1);
    assert_eq!(outcome(&world), Outcome::Failed);
}

#[test]
fn a_turn_that_went_on_and_was_dropped_by_a_hold_leaves_no_dead_air() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let goes_on = [Listen, Listen, OPEN, Wait(350), Say("And on Sunday?", 900), Hold, Wait(5000), Resume];
    assert!(says(&call(slow, &goes_on), phrases::NOBODY_THERE));
}

/// A mind in the cloud that streams.
fn streaming() -> Weather {
    Weather { mind: MindFaults::STREAMING, ..Weather::FAIR }
}

fn with_stream(stream: StreamFaults) -> Weather {
    Weather { mind: MindFaults { stream, ..MindFaults::STREAMING }, ..Weather::FAIR }
}

fn of_box(world: &World) -> Vec<&Turn> {
    world.record.as_ref().expect("a record").turns.iter().filter(|t| t.who == Speaker::Box).collect()
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

// ---- what the caller wishes of their data -----------------------------------

const ASKED: Weather = Weather { consent: Consent::Asked, ..Weather::FAIR };
const CONSENTS: Wish = Wish::OfData(CallerWish::Consents);
const RESTRICTS: Wish = Wish::OfData(CallerWish::Restricts);

fn wishes(world: &World) -> Vec<Wish> {
    world.record.as_ref().expect("a record").wishes.iter().map(|wished| wished.wish).collect()
}

/// When the world was first asked for such a thing.
fn first(world: &World, wanted: fn(&Output) -> bool) -> Option<usize> {
    world.log.iter().position(|(_, h)| matches!(h, Happened::Wanted(output) if wanted(output)))
}

fn asked(world: &World) -> Vec<String> {
    let ask = |(_, h): &(Moment, Happened)| match h {
        Happened::Wanted(Output::Ask { words, .. }) => Some(words.expose().clone()),
        _ => None,
    };
    world.log.iter().filter_map(ask).collect()
}

#[test]
fn a_consent_is_asked_for_once_before_all_else_and_a_yes_counts() {
    for yes in [Say("Yes.", 450), Say("I agree.", 700), Key('1')] {
        let world = call(ASKED, &[Listen, yes, Listen, OPEN, Listen, HangUp]);
        let said = world.sentences();
        assert_eq!(said[1..], [phrases::ASK_CONSENT, phrases::CONSENTED, phrases::HELP, HOURS].map(str::to_owned));
        assert_eq!(wishes(&world), [CONSENTS]);
        let written = first(&world, |o| matches!(o, Output::Journal(e) if e.kind == JournalKind::Wished(CONSENTS)));
        let holds = first(&world, |o| matches!(o, Output::Wish(Wish::OfData(CallerWish::Consents))));
        assert!(written.is_some() && written < holds);
        assert_eq!(asked(&world), ["When do you open?"], "no mind is asked what a yes means");
    }
}

#[test]
fn a_no_another_question_and_silence_are_no_consent() {
    for (answer, said_to_it) in [
        (Say("No.", 450), phrases::NOT_CONSENTED),
        (Say("I no gree.", 700), phrases::NOT_CONSENTED),
        (Key('2'), phrases::NOT_CONSENTED),
        (OPEN, HOURS),
        (Wait(9000), phrases::HELP),
        (Key('9'), "name"),
    ] {
        let world = call(ASKED, &[Listen, answer.clone(), Listen, OPEN, Listen, HangUp]);
        let said = world.sentences();
        assert!(said[2].contains(said_to_it), "{answer:?}: {said:?}");
        assert_eq!(times(&world, phrases::ASK_CONSENT), 1);
        assert_eq!((wishes(&world), first(&world, |o| matches!(o, Output::Wish(_)))), (vec![], None), "{answer:?}");
    }
}

#[test]
fn where_nothing_rests_on_it_nobody_is_asked_and_i_agree_is_talk() {
    let world = fair(&[Listen, Say("I agree.", 700), Listen, HangUp]);
    assert_eq!((times(&world, phrases::ASK_CONSENT), wishes(&world)), (0, vec![]));
    assert_eq!(asked(&world), ["I agree."]);
}

#[test]
fn what_was_asked_into_the_notice_is_answered_once_the_consent_is_settled() {
    let world = call(ASKED, &[ListenFor(1000), OPEN, Listen, YES, Listen, HangUp]);
    let said = world.sentences();
    assert_eq!(said[1..], [phrases::ASK_CONSENT, phrases::CONSENTED, HOURS].map(str::to_owned));
    assert_eq!(wishes(&world), [CONSENTS]);
}

#[test]
fn a_consent_can_be_taken_back() {
    let world = call(ASKED, &[Listen, YES, Listen, Say("I take back my consent.", 1500), Listen, OPEN, Listen, HangUp]);
    assert_eq!(wishes(&world), [CONSENTS, Wish::OfData(CallerWish::Withdraws)]);
    assert!(says(&world, phrases::NOT_CONSENTED) && says(&world, HOURS));
    assert!(!world.record.expect("a record").wishes_of_data().consents);
}

#[test]
fn a_consent_that_is_not_taken_any_more_is_not_confirmed() {
    let back_and_forth = [Listen, Say("I take back my consent.", 1500), Listen, Say("I agree.", 700)];
    let minds: Vec<_> = std::iter::repeat_n(back_and_forth, 16).flatten().collect();
    let world = call(ASKED, &[&[Listen, YES][..], &minds, &[Listen, HangUp]].concat());
    // As many as are written down; the last "I agree" is one too many.
    assert_eq!(wishes(&world).len(), 32);
    assert_eq!(times(&world, phrases::CONSENTED), 16);
    assert_eq!(world.sentences().last().map(String::as_str), Some(phrases::NOT_CONSENTED));
    assert!(!world.record.expect("a record").wishes_of_data().consents);
}

#[test]
fn who_wants_nothing_to_leave_hears_that_nothing_does_and_is_answered_all_the_same() {
    let words = "Do not send my voice to the cloud. When do you open?";
    let world = fair(&[Listen, Say(words, 3500), Listen, HangUp]);
    let said = world.sentences();
    assert_eq!(said[2..], [phrases::RESTRICTED, HOURS].map(str::to_owned));
    assert_eq!(wishes(&world), [RESTRICTS]);
    assert_eq!(asked(&world), ["When do you open?"]);
    let holds = first(&world, |o| matches!(o, Output::Wish(Wish::OfData(CallerWish::Restricts))));
    let ask = first(&world, |o| matches!(o, Output::Ask { .. }));
    assert!(holds.is_some() && holds < ask, "it holds before anything else is asked");
    assert!(!world.record.expect("a record").may_be_heard_again());
}

#[test]
fn doubtful_words_are_enough_for_less_and_not_for_more() {
    let doubtful = EarsFaults { doubtful: 1000, ..EarsFaults::NONE };
    let less = call(Weather { ears: doubtful.clone(), ..ASKED }, &[Listen, Say(caller::CLOUD, 2000), Listen, HangUp]);
    assert_eq!(wishes(&less), [RESTRICTS]);
    let more = call(Weather { ears: doubtful, ..ASKED }, &[Listen, Say("I agree.", 700), Listen, HangUp]);
    assert_eq!(wishes(&more), []);
}

#[test]
fn who_would_not_be_recorded_is_not_from_then_on() {
    let stop = Say("Don't record me.", 1200);
    let acts = [Listen, stop, Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert!(says(&world, phrases::RECORDING_STOPPED) && says(&world, phrases::MESSAGE_KEPT));
    assert_eq!(wishes(&world), [Wish::Unrecorded]);
    let record = world.record.expect("a record");
    let wished_ms = record.wishes[0].at_ms;
    let recording = record.recording.expect("what was recorded before");
    assert_eq!(recording.from_ms + recording.duration_ms, wished_ms);
    let message = record.message.expect("a message");
    assert!(message.text.expose().contains("on Monday") && message.sound.is_none(), "{message:?}");
}

#[test]
fn who_would_not_be_recorded_where_nothing_is_hears_that() {
    let weather = Weather { recorded: phrases::Recorded::No, ..Weather::FAIR };
    let world = call(weather, &[Listen, Say("No record me o.", 1200), Listen, HangUp]);
    assert!(says(&world, phrases::NOT_RECORDED) && !says(&world, phrases::RECORDING_STOPPED));
}

#[test]
fn a_wish_in_the_middle_of_a_message_is_followed_and_the_message_goes_on() {
    let wish = Say(caller::CLOUD, 2000);
    let acts = [Listen, MOON, Listen, YES, Listen, wish, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert_eq!(wishes(&world), [RESTRICTS]);
    assert_eq!(times(&world, phrases::ASK_NAME), 2, "the question is put again");
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.name.map(milu::terms::Private::into_exposed).as_deref(), Some("Ada"));
}

// ---- what is written down -----------------------------------------------------

#[test]
fn a_card_in_a_message_is_in_neither_record_nor_journal_and_the_callback_is_kept() {
    let number = Say("Zero eight zero three one two three four five six seven.", 4000);
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let acts =
        [Listen, MOON, Listen, YES, Listen, NAME, Listen, number, Listen, YES, Listen, Say(CARD, 5000), Listen, HangUp];
    let world = call(hidden, &acts);
    let record = world.record.as_ref().expect("a record");
    let message = record.message.as_ref().expect("a message");
    assert_eq!(message.text.expose(), "My card number is [card number].");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"), "it is what it was given for");
    let texts: Vec<&str> = record.turns.iter().map(|turn| turn.text.expose().as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("[phone number]")), "{texts:?}");
    let raw = world.log.iter().any(
        |(_, h)| matches!(h, Happened::Wanted(Output::Said(text)) if text.expose().contains("I have oh eight oh three, one two three")),
    );
    assert!(raw, "the mind remembers what was said as it was");
}

#[test]
fn words_that_end_in_digits_are_not_asked_ahead_of_their_turns_end() {
    let world = fair(&[Listen, Say("My number is zero eight zero three", 1800), Listen, HangUp]);
    let asked_at = first(&world, |o| matches!(o, Output::Ask { .. })).expect("asked");
    let heard_at = world.log.iter().position(|(_, h)| matches!(h, Happened::Told(Input::Heard { .. }))).expect("heard");
    let judged = world.log.iter().position(|(_, h)| matches!(h, Happened::Told(Input::TurnOver { .. })));
    assert!(asked_at > heard_at && judged.is_some_and(|judged| judged < asked_at), "{asked_at} {heard_at} {judged:?}");
}

// ---- keys that are pressed in secret ------------------------------------------

fn keyed(keys: &str) -> Vec<Act> {
    keys.chars().flat_map(|key| [Key(key), Wait(300)]).collect()
}

fn is_withheld(world: &World) -> [usize; 2] {
    let count = |wanted: fn(&Output) -> bool| {
        world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(output) if wanted(output))).count()
    };
    [count(|o| matches!(o, Output::WithholdSound)), count(|o| matches!(o, Output::RestoreSound))]
}

#[test]
fn a_card_that_the_box_asked_for_by_keys_goes_nowhere_and_is_a_gap_in_the_recording() {
    let mut acts = vec![Listen, Say("Can I pay by card?", 1500), Listen];
    acts.extend(keyed("4111111111111111#"));
    acts.extend([Wait(3000), Listen, OPEN, Listen, HangUp]);
    let world = fair(&acts);
    let said = world.sentences();
    assert_eq!(said[2..], [PAY, phrases::KEYS_WITHHELD, HOURS].map(str::to_owned));
    assert_eq!(is_withheld(&world), [1, 1]);
    let recording = world.record.and_then(|r| r.recording).expect("a recording");
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!(gap.reason, GapReason::Withheld);
    assert!((17 * 300..17 * 300 + 10_000).contains(&(gap.to_ms - gap.from_ms)), "{gap:?}");
}

#[test]
fn a_card_that_nobody_asked_for_is_noticed_at_the_fourth_key_and_goes_nowhere() {
    let mut acts = vec![Listen];
    acts.extend(keyed("4111111111111111"));
    acts.extend([Listen, Wait(3000), OPEN, Listen, HangUp]);
    let world = fair(&acts);
    assert_eq!(times(&world, phrases::KEYS_NOT_WANTED), 1, "{:?}", world.sentences());
    assert_eq!(is_withheld(&world), [1, 1]);
    // The first three keys were choices of the menu; none of the others was.
    let topics = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::AskTopic { .. }))).count();
    assert!(topics <= 2, "{topics}");
    assert!(says(&world, HOURS), "and the call goes on");
}

#[test]
fn a_number_to_be_called_back_on_is_keyed_as_ever() {
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let mut acts = vec![Listen, MOON, Listen, YES, Listen, NAME, Listen];
    acts.extend(keyed("08031234567#"));
    acts.extend([Listen, YES, Listen, BODY, Listen, HangUp]);
    let world = call(hidden, &acts);
    assert_eq!(is_withheld(&world), [0, 0]);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
}

#[test]
fn a_card_keyed_where_a_telephone_number_was_asked_for_is_not_taken_for_one() {
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let mut acts = vec![Listen, MOON, Listen, YES, Listen, NAME, Listen];
    acts.extend(keyed("4111111111111111"));
    acts.extend([Listen, Wait(2500)]);
    acts.extend(keyed("08031234567#"));
    acts.extend([Listen, YES, Listen, BODY, Listen, HangUp]);
    let world = call(hidden, &acts);
    assert!(says(&world, phrases::KEYS_NOT_WANTED) && says(&world, phrases::ASK_NUMBER_KEYS));
    assert!(!world.sentences().iter().any(|s| s.contains("one, one one one")), "it is not read back");
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
}
