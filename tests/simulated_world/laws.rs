//! What holds of every conversation, whatever happens in it.

#[path = "asked.rs"]
mod asked;

use std::collections::BTreeSet;
use std::time::Duration;

use milu::call::{Input, JournalKind, Outcome, Output, Speaker, Wish, phrases};
use milu::knowledge::Finding;
use milu::residency::CallerWish;
use milu::terms::{Moment, RequestId, UtteranceId};

use super::caller::{CLOUD, UNRECORDED};
use super::mind::{HOURS_IN_SENTENCES, LATE};
use super::world::{Happened, Said, World};

/// A question is followed by the box's voice within this time, whatever fails:
/// the longest pause (2.5 s), the words (8 s), the finding (5.5 s), and twice a
/// voice that does not come (4 s each).
const ANSWER_WITHIN_MS: u64 = 24_500;
/// Words that come so soon after others in a noise are not told of (see the world's ears).
const WORDLESS_MS: u64 = 1000;

/// A real interruption silences the box within this time: half a second of
/// voice and the pause that is not reported, with a noisy line's onset.
const TALKED_OVER_MS: u64 = 1000;

/// People breathe: a voice without a pause of this length is taken for a machine
/// if the ears find no words in it.
const UNBROKEN_VOICE: Duration = Duration::from_secs(10);

/// In the middle of an answer: the longest wait for the next sentence (2 s), and
/// twice a voice that does not come (4 s each).
const SENTENCE_GAP_MS: u64 = 10_500;

/// Both sides are never silent for longer, unless the far side holds: "hold on"
/// is granted half a minute.
const DEAD_AIR_MS: u64 = 45_000;

pub fn check(world: &World) {
    it_ends_once(world);
    nothing_is_said_after_the_end(world);
    promises_are_written_before_they_are_kept(world);
    a_message_is_said_to_be_kept_only_if_it_was_written(world);
    a_text_message_is_sent_when_it_is_said_so(world);
    nothing_is_kept_before_the_notice_is_over(world);
    what_was_not_heard_is_not_answered(world);
    requests_never_meet(world);
    the_record_is_in_order(world);
    what_was_taken_is_in_the_record(world);
    nobody_is_left_in_silence(world);
    every_question_is_followed_by_the_boxs_voice(world);
    what_was_asked_of_the_mind_is_answered_or_refused(world);
    nothing_sounds_that_was_silenced(world);
    who_interrupts_is_listened_to(world);
    no_noise_silences_what_is_said_to_a_question_in_it(world);
    asked::no_sentence_of_a_dead_request_is_said(world);
    asked::what_was_made_and_not_said_is_taken_back(world);
    asked::an_answer_in_sentences_sounds_or_is_taken_back(world);
    what_is_heard_of_an_answer_is_its_beginning(world);
    an_answer_that_stops_does_not_leave_a_hole(world);
    an_engine_that_was_left_is_written_down_once(world);
    no_identifier_is_written_down(world);
    a_wish_is_written_down_before_it_holds_and_holds_to_the_end(world);
    who_asked_for_less_was_heeded(world);
    what_is_wished_is_asked_of_no_mind(world);
    withheld_sound_comes_back(world);
    nobody_speaks_between_people(world);
    whoever_is_rung_is_let_go(world);
    who_was_handed_over_stands_in_the_record(world);
}

/// Neither in the record, nor in the journal, nor for whoever watches.
fn no_identifier_is_written_down(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let of_record = record.turns.iter().map(|turn| turn.text.expose().clone());
    let of_message = record.message.iter().map(|message| message.text.expose().clone());
    let shown = wanted(world).filter_map(|(_, output)| match output {
        Output::TurnDone(turn) => Some(turn.text.expose().clone()),
        Output::Journal(entry) => match &entry.kind {
            JournalKind::MessageTaken(message) => Some(message.text.expose().clone()),
            _ => None,
        },
        _ => None,
    });
    for text in of_record.chain(of_message).chain(shown) {
        // As the caller says them, and as the box says the second back.
        for number in ["one one one one", "eight zero three one two", "eight oh three, one two three"] {
            assert!(!text.to_lowercase().contains(number), "{text}");
        }
    }
}

fn a_wish_is_written_down_before_it_holds_and_holds_to_the_end(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let consent = Wish::OfData(CallerWish::Consents);
    let mut written = Vec::new();
    let mut stopped = 0;
    // A consent that was not written in time may be written late.
    let mut is_late = false;
    for (at, happened) in &world.log {
        let output = match happened {
            Happened::Wanted(output) => output,
            // Only a consent needs the disk: the others ask for less.
            Happened::Told(Input::Unwritten { kind: JournalKind::Wished(wish) }) => {
                is_late = *wish == consent;
                continue;
            }
            Happened::Told(_) | Happened::Sounded(_) => continue,
        };
        if std::mem::take(&mut is_late) {
            let taken_back = matches!(output, Output::Journal(e) if e.kind == JournalKind::ConsentNotTaken);
            assert!(taken_back, "{at:?}: {output:?} before the consent is taken back");
            assert_eq!(written.pop(), Some(consent), "{at:?}: it is no consent that is taken back");
            continue;
        }
        match output {
            Output::Journal(entry) => {
                assert!(entry.kind != JournalKind::ConsentNotTaken, "{at:?}: no consent is taken back");
                if let JournalKind::Wished(wish) = entry.kind {
                    written.push(wish);
                }
            }
            Output::Wish(wish) => assert_eq!(written.last(), Some(wish), "{at:?}: it holds unwritten"),
            Output::StopRecording => {
                assert_eq!(written.last(), Some(&Wish::Unrecorded), "{at:?}: stopped unwritten");
                stopped += 1;
            }
            Output::StartRecording { .. } => {
                assert!(!written.contains(&Wish::Unrecorded), "{at:?}: who would not be recorded is");
            }
            _ => {}
        }
    }
    assert!(stopped <= 1, "stopped once");
    assert_eq!(record.wishes.iter().map(|wished| wished.wish).collect::<Vec<_>>(), written);
    let consents = written.contains(&consent);
    assert!(!consents || world.asks_consent(), "nobody was asked");
}

/// Whatever became of the turn that it was said in.
fn who_asked_for_less_was_heeded(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let wishes: Vec<Wish> = record.wishes.iter().map(|wished| wished.wish).collect();
    for turn in record.turns.iter().filter(|turn| turn.who == Speaker::Caller) {
        for (words, wish) in [(CLOUD, Wish::OfData(CallerWish::Restricts)), (UNRECORDED, Wish::Unrecorded)] {
            let heeded = turn.text.expose() != words || wishes.contains(&wish);
            assert!(heeded, "{wish:?} was heard at {} ms and nothing came of it", turn.started_ms);
        }
    }
}

fn what_is_wished_is_asked_of_no_mind(world: &World) {
    for (at, output) in wanted(world) {
        if let Output::Ask { words, .. } = output {
            assert!(!words.expose().contains(CLOUD), "{at:?}: {}", words.expose());
        }
    }
}

/// While caller and person speak the box says nothing, hears nothing and asks nothing;
/// and while somebody is rung it says nothing either.
fn nobody_speaks_between_people(world: &World) {
    let mut handed_over = false;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::PutThrough { .. }) => handed_over = true,
            Happened::Wanted(Output::LetGo) => handed_over = false,
            Happened::Wanted(
                Output::Say { .. }
                | Output::Ask { .. }
                | Output::AskTopic { .. }
                | Output::Decode { .. }
                | Output::Judge { .. }
                | Output::TurnBegan { .. }
                | Output::SendText { .. },
            )
            | Happened::Sounded(_) => assert!(!handed_over, "{at:?}: {happened:?} between people"),
            _ => {}
        }
    }
}

/// A telephone rings once at a time, is connected only while it rings, and is let go
/// before the call is over.
fn whoever_is_rung_is_let_go(world: &World) {
    let (mut rings, mut speaks) = (false, false);
    for (at, output) in wanted(world) {
        match output {
            Output::PutThrough { .. } => {
                assert!(!rings && !speaks, "{at:?}: rung twice");
                rings = true;
            }
            Output::Connect => {
                assert!(rings && !speaks, "{at:?}: nobody was rung");
                (rings, speaks) = (false, true);
            }
            Output::SendDigit(_) => assert!(speaks, "{at:?}: a digit to nobody"),
            Output::LetGo => {
                assert!(rings || speaks, "{at:?}: nobody is to be let go");
                (rings, speaks) = (false, false);
            }
            Output::Finished(_) | Output::HangUp(_) => {
                assert!(!rings && !speaks, "{at:?}: a telephone is left ringing or lying beside its hook");
            }
            _ => {}
        }
    }
}

/// And nobody else does; it is written before they speak.
fn who_was_handed_over_stands_in_the_record(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let mut written = None;
    let mut connected = false;
    for (at, output) in wanted(world) {
        match output {
            Output::Journal(entry) => {
                if let JournalKind::Transferred(to) = &entry.kind {
                    assert!(written.is_none(), "{at:?}: handed over twice");
                    written = Some(to.clone());
                }
            }
            Output::Connect => {
                assert!(written.is_some(), "{at:?}: handed over unwritten");
                connected = true;
            }
            _ => {}
        }
    }
    assert_eq!(written.is_some(), connected);
    assert_eq!(record.transferred.as_ref().map(|transferred| transferred.to.clone()), written);
    let has_message = record.message.as_ref().is_some_and(milu::call::Message::is_useful);
    if connected && !has_message {
        assert_eq!(record.outcome, Outcome::Transferred);
    } else {
        assert_ne!(record.outcome, Outcome::Transferred);
    }
}

/// Sound that is withheld comes back, unless the call ends before.
fn withheld_sound_comes_back(world: &World) {
    let mut withheld = false;
    for (at, output) in wanted(world) {
        match output {
            Output::WithholdSound => {
                assert!(!withheld, "{at:?}: withheld twice");
                withheld = true;
            }
            Output::RestoreSound => {
                assert!(withheld, "{at:?}: it was not withheld");
                withheld = false;
            }
            Output::AskTopic { .. } => assert!(!withheld, "{at:?}: a secret key was acted on"),
            Output::HangUp(_) | Output::Finished(_) => return,
            _ => {}
        }
    }
}

fn wanted(world: &World) -> impl Iterator<Item = (Moment, &Output)> {
    world.log.iter().filter_map(|(at, happened)| match happened {
        Happened::Wanted(output) => Some((*at, output)),
        _ => None,
    })
}

fn it_ends_once(world: &World) {
    let finished = wanted(world).filter(|(_, o)| matches!(o, Output::Finished(_))).count();
    assert_eq!(finished, 1, "a call ends once");
    let ended = wanted(world)
        .filter(|(_, o)| matches!(o, Output::Journal(e) if matches!(e.kind, JournalKind::Ended(_))))
        .count();
    assert_eq!(ended, 1, "its end is written once");
    let hung_up = wanted(world).filter(|(_, o)| matches!(o, Output::HangUp(_))).count();
    assert!(hung_up <= 1, "the line is hung up once");
    let record = world.record.as_ref().expect("a record");
    let ours = wanted(world).find_map(|(_, o)| if let Output::HangUp(cause) = o { Some(*cause) } else { None });
    if let Some(cause) = ours {
        assert_eq!(record.end_cause, cause, "whoever hangs up says why");
    }
}

fn nothing_is_said_after_the_end(world: &World) {
    let mut over = false;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::HangUp(_) | Output::Finished(_)) => over = true,
            Happened::Wanted(Output::Say { .. } | Output::StartRecording { .. }) | Happened::Sounded(_) => {
                assert!(!over, "{at:?}: {happened:?} after the end");
            }
            _ => {}
        }
    }
}

fn promises_are_written_before_they_are_kept(world: &World) {
    let (mut journal, mut texts): (Vec<&JournalKind>, usize) = (Vec::new(), 0);
    for (_, output) in wanted(world) {
        let written = |wanted: fn(&JournalKind) -> bool| journal.iter().any(|k| wanted(k));
        match output {
            Output::Journal(entry) => journal.push(&entry.kind),
            Output::Say { .. } => assert!(written(|k| matches!(k, JournalKind::Answered))),
            Output::SendText { text } => {
                let promised = journal.iter().filter(|k| matches!(k, JournalKind::TextPromised(t) if t == text));
                texts += 1;
                assert_eq!(promised.count(), texts, "each text message is promised once before it is sent");
                assert!(world.weather.number_shown, "a text message to nobody");
            }
            Output::StartRecording { .. } => assert!(written(|k| matches!(k, JournalKind::RecordingStarted))),
            Output::HangUp(_) | Output::Finished(_) => assert!(written(|k| matches!(k, JournalKind::Ended(_)))),
            _ => {}
        }
    }
}

fn a_message_is_said_to_be_kept_only_if_it_was_written(world: &World) {
    let mut is_written = false;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Journal(entry)) if matches!(entry.kind, JournalKind::MessageTaken(_)) => {
                is_written = true;
            }
            Happened::Told(Input::Unwritten { kind: JournalKind::MessageTaken(_) }) => is_written = false,
            Happened::Wanted(Output::Say { speech, .. }) if speech.text.expose() == phrases::MESSAGE_KEPT => {
                assert!(is_written, "{at:?}: an unwritten message is said to be kept");
            }
            _ => {}
        }
    }
}

/// Whoever hears "I am sending it" is sent it, and nobody else is.
fn a_text_message_is_sent_when_it_is_said_so(world: &World) {
    let sent = wanted(world).filter(|(_, output)| matches!(output, Output::SendText { .. })).count();
    let said =
        world.record.as_ref().expect("a record").turns.iter().filter(|turn| {
            turn.who == Speaker::Box && turn.text.expose().starts_with("I am sending it as a text message")
        });
    assert!(said.count() <= sent, "a text message was promised and not sent");
}

fn nothing_is_kept_before_the_notice_is_over(world: &World) {
    let mut whole = false;
    for (_, happened) in &world.log {
        match happened {
            Happened::Told(Input::UtteranceFinished { utterance: UtteranceId(0), .. }) => whole = true,
            Happened::Wanted(Output::StartRecording { .. }) => assert!(whole, "kept before the notice was over"),
            _ => {}
        }
    }
}

/// Words below the ears' own bar are never asked of the mind.
fn what_was_not_heard_is_not_answered(world: &World) {
    let mut unheard: BTreeSet<RequestId> = BTreeSet::new();
    for (_, happened) in &world.log {
        match happened {
            Happened::Told(Input::Heard { request, confidence, .. }) if confidence.mean_log_probability < -1.0 => {
                unheard.insert(*request);
            }
            Happened::Wanted(Output::Ask { request, .. }) => {
                assert!(!unheard.contains(request), "what was not heard was asked");
            }
            _ => {}
        }
    }
}

fn requests_never_meet(world: &World) {
    let mut asked = BTreeSet::new();
    for (_, output) in wanted(world) {
        if let Output::Ask { request, .. } | Output::AskTopic { request, .. } = output {
            assert!(asked.insert(*request), "{request:?} was asked twice");
        }
    }
}

fn the_record_is_in_order(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let lasted = record.ended_at.duration_since(record.started_at).as_millis();
    let lasted = u64::try_from(lasted).expect("time goes forward");
    let mut before = 0;
    for turn in &record.turns {
        assert!(turn.started_ms >= before, "{:#?}", record.turns);
        assert!(turn.started_ms <= turn.ended_ms && turn.ended_ms <= lasted, "{turn:?}");
        before = turn.started_ms;
        assert!(!(turn.who == Speaker::Caller && turn.interrupted));
    }
    let done = wanted(world).filter(|(_, o)| matches!(o, Output::TurnDone(_))).count();
    assert_eq!(done, record.turns.len(), "who watches sees every turn");
}

fn what_was_taken_is_in_the_record(world: &World) {
    let record = world.record.as_ref().expect("a record");
    for (_, output) in wanted(world) {
        if let Output::Journal(entry) = output
            && let JournalKind::MessageTaken(taken) = &entry.kind
        {
            let kept = record.message.as_ref().expect("the message that was taken");
            assert!(kept.text.expose().contains(taken.text.expose()), "{kept:?} has lost {taken:?}");
            assert!(taken.sound.is_none() || kept.sound.is_some());
        }
    }
}

fn nobody_is_left_in_silence(world: &World) {
    let mut last: Option<Moment> = None;
    let mut held = false;
    let mut handed_over = false;
    for (at, happened) in &world.log {
        // Who is handed over hears the ringing tone, or a person.
        let was_held = held || handed_over;
        match happened {
            Happened::Wanted(Output::PutThrough { .. }) => handed_over = true,
            Happened::Wanted(Output::LetGo) => handed_over = false,
            _ => {}
        }
        let alive = match happened {
            Happened::Told(Input::Held { .. }) => {
                held = true;
                true
            }
            Happened::Told(Input::Resumed { .. }) => {
                held = false;
                true
            }
            Happened::Told(Input::Answered { .. } | Input::Digit { .. } | Input::Ended { .. })
            | Happened::Wanted(Output::HangUp(_) | Output::LetGo)
            | Happened::Sounded(_) => true,
            _ => world.said.iter().any(|s| s.from <= *at && *at <= s.to),
        };
        if let Some(before) = last
            && !was_held
        {
            let silent = at.ms_since(before).saturating_sub(talk_between(world, before, *at));
            assert!(silent <= DEAD_AIR_MS, "{silent} ms of dead air before {at:?}");
        }
        if alive {
            last = matches!(happened, Happened::Wanted(Output::HangUp(_)) | Happened::Told(Input::Ended { .. }))
                .then_some(None)
                .unwrap_or(Some(*at));
            if last.is_none() {
                return;
            }
        }
    }
}

fn talk_between(world: &World, from: Moment, to: Moment) -> u64 {
    world.said.iter().map(|s| s.to.min(to).ms_since(s.from.max(from))).sum()
}

/// Sentences that fill a wait, or ask after a caller who says nothing.
fn answers_nothing(text: &str) -> bool {
    // The second time the keys are offered as well.
    [phrases::ONE_MOMENT, phrases::STILL_THERE, phrases::KEYS_AWAITED, phrases::NOBODY_THERE].contains(&text)
        || text.starts_with(phrases::STILL_THERE_AGAIN)
}

/// After words that end in silence, the box says something to them, or the caller speaks again.
fn every_question_is_followed_by_the_boxs_voice(world: &World) {
    let over_at = wanted(world).find(|(_, o)| matches!(o, Output::HangUp(_) | Output::Finished(_))).map(|(at, _)| at);
    let those_that = |is_such: fn(&str) -> bool| -> BTreeSet<UtteranceId> {
        let of_such = |(_, output): (Moment, &Output)| match output {
            Output::Say { utterance, speech } if is_such(speech.text.expose()) => Some(*utterance),
            _ => None,
        };
        wanted(world).filter_map(of_such).collect()
    };
    let (no_answers, insisting) = (those_that(answers_nothing), those_that(insists));
    let questions = world.said.iter().filter(|s| s.words.is_some_and(|w| w.ends_with('?')));
    for said in questions.filter(|said| world.hears() && !world.was_held(said.to)) {
        let soon = |at: &Moment| *at > said.to && at.ms_since(said.to) <= ANSWER_WITHIN_MS;
        // Over a sentence that is said to its end only words make a turn, and these may
        // not have been heard: then any voice will do.
        let over_the_box = world.log.iter().any(|(at, happened)| {
            said.noise_from.unwrap_or(said.from) <= *at
                && *at < said.to
                && matches!(happened, Happened::Sounded(u) if insisting.contains(u))
        });
        let answered = world.log.iter().filter(|(at, _)| soon(at)).any(|(_, happened)| match happened {
            Happened::Sounded(utterance) => over_the_box || !no_answers.contains(utterance),
            Happened::Wanted(Output::HangUp(_) | Output::Finished(_) | Output::PutThrough { .. })
            | Happened::Told(Input::Digit { .. } | Input::Held { .. } | Input::SpeechStarted { .. }) => true,
            // Where there is no noise who speaks again is heard to begin.
            Happened::Told(Input::WordsBegan { at: word }) => said.noise_from.is_some() && *word > said.to,
            _ => false,
        });
        // In a noise nothing tells of words that go on within a second.
        let goes_on = world
            .said
            .iter()
            .any(|next| next.noise_from.is_some() && next.from > said.to && next.from.ms_since(said.to) < WORDLESS_MS);
        let over = over_at.is_none_or(|at| at <= said.to);
        assert!(answered || goes_on || over, "no answer to {said:?}");
    }
}

/// Whatever comes of it: an answer, that there is none, or a way on. Asking for a moment
/// or after the caller is none of these. Who speaks or presses a key meanwhile starts the
/// wait anew; words that are given up with their pause need no answer, and neither do
/// those in which the mind finds nothing but listening.
fn what_was_asked_of_the_mind_is_answered_or_refused(world: &World) {
    let mut waits: Option<(RequestId, Moment)> = None;
    let mut decoded: Option<RequestId> = None;
    for (at, happened) in &world.log {
        if let Some((_, since)) = waits {
            let waited = at.ms_since(since).saturating_sub(talk_between(world, since, *at));
            assert!(waited <= ANSWER_WITHIN_MS, "{waited} ms without an answer at {at:?}");
        }
        let waits_for = waits.map(|(request, _)| request);
        match happened {
            Happened::Wanted(Output::Ask { request, .. } | Output::AskTopic { request, .. }) => {
                waits = Some((*request, *at));
            }
            Happened::Wanted(Output::Decode { request }) => decoded = Some(*request),
            Happened::Wanted(Output::AbandonDecode) if waits_for == decoded => waits = None,
            Happened::Wanted(Output::Say { speech, .. }) if !answers_nothing(speech.text.expose()) => waits = None,
            Happened::Wanted(
                Output::AbandonAsk | Output::HangUp(_) | Output::Finished(_) | Output::PutThrough { .. },
            )
            | Happened::Told(Input::Held { .. } | Input::Ended { .. }) => waits = None,
            Happened::Told(
                Input::Found { request, finding: Finding::Backchannel, .. }
                | Input::AnswerOver { request, then: Some(Finding::Backchannel) },
            ) if waits_for == Some(*request) => waits = None,
            Happened::Told(Input::SpeechStarted { .. } | Input::WordsBegan { .. } | Input::Digit { .. }) => {
                waits = waits.map(|(request, _)| (request, *at));
            }
            _ => {}
        }
    }
}

/// Once the mouth was silenced, nothing sounds that was to be said before; and nothing
/// at all while it pauses.
fn nothing_sounds_that_was_silenced(world: &World) {
    let mut may_sound: BTreeSet<UtteranceId> = BTreeSet::new();
    let mut pauses = false;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Say { utterance, .. }) => {
                may_sound.insert(*utterance);
            }
            Happened::Wanted(Output::SilenceMouth) => {
                may_sound.clear();
                pauses = false;
            }
            Happened::Wanted(Output::PauseMouth) => pauses = true,
            Happened::Wanted(Output::ResumeMouth) => pauses = false,
            Happened::Sounded(utterance) => {
                assert!(may_sound.contains(utterance) && !pauses, "{at:?}: {utterance:?} was silenced");
            }
            _ => {}
        }
    }
}

/// Sentences that are said to their end, whoever speaks.
fn insists(text: &str) -> bool {
    let farewells = [phrases::GOODBYE, phrases::NOBODY_THERE, phrases::BOX_STOPPING, phrases::CANNOT_FOLLOW];
    text.contains("automatic assistant")
        || [phrases::TOO_LONG, phrases::KEYS_NOT_WANTED].contains(&text)
        || farewells.contains(&text)
}

fn who_interrupts_is_listened_to(world: &World) {
    let leaving = wanted(world)
        .find(|(_, o)| matches!(o, Output::Say { speech, .. } if insists(speech.text.expose()) && !speech.text.expose().contains("automatic")))
        .map(|(at, _)| at);
    if !world.hears() {
        return;
    }
    let person = |s: &&Said| s.words.is_some() && s.to.since(s.from) < UNBROKEN_VOICE;
    for said in world.said.iter().filter(person) {
        let gives_way = |utterance: &UtteranceId| {
            wanted(world).any(|(_, o)| {
                matches!(o, Output::Say { utterance: u, speech } if u == utterance && !insists(speech.text.expose()))
            })
        };
        let over = world.log.iter().filter(|(at, h)| {
            said.from <= *at
                && *at < said.to
                && leaving.is_none_or(|left| *at < left)
                && matches!(h, Happened::Sounded(u) if gives_way(u))
        });
        let ms = over.count() as u64 * 20;
        assert!(ms <= TALKED_OVER_MS, "the box talked over {said:?} for {ms} ms");
    }
}

/// Who asks in a noise hears what the box says to it, unless they say or key something
/// more. Ears that fail leave a turn of the noise open, and so do those that hear words
/// where there are none.
fn no_noise_silences_what_is_said_to_a_question_in_it(world: &World) {
    let (ears, voice) = (&world.weather.ears, &world.weather.voice);
    if ears.fails + ears.never + ears.late + ears.wrong + voice.sticks > 0 {
        return;
    }
    for said in world.said.iter().filter(|s| s.noise_from.is_some() && s.words.is_some()) {
        let further = world.said.iter().map(|s| s.from).filter(|from| *from > said.from).min();
        let is_told =
            |happened: &Happened| matches!(happened, Happened::Told(Input::WordsEnded { at, .. }) if *at == said.to);
        let is_over = |at: Moment, happened: &Happened| {
            further.is_some_and(|further| further <= at)
                || matches!(
                    happened,
                    Happened::Told(Input::SpeechPaused { .. } | Input::Digit { .. } | Input::Held { .. })
                        | Happened::Wanted(Output::PutThrough { .. })
                )
        };
        let after = world.log.iter().skip_while(|(_, happened)| !is_told(happened));
        let mut meanwhile = after.take_while(|(at, happened)| !is_over(*at, happened));
        let paused = meanwhile.find(|(_, happened)| matches!(happened, Happened::Wanted(Output::PauseMouth)));
        assert!(paused.is_none(), "the noise silenced the box at {paused:?} after {said:?}");
    }
}

/// Sentences that only a mind in sentences says.
fn is_of_a_stream(text: &str) -> bool {
    HOURS_IN_SENTENCES.contains(&text) || text == LATE || text.starts_with("And one more thing")
}

/// In the record an answer in sentences is their beginning, each once and in order.
fn what_is_heard_of_an_answer_is_its_beginning(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let whole = HOURS_IN_SENTENCES.join(" ");
    for turn in record.turns.iter().filter(|t| t.who == Speaker::Box) {
        let text = turn.text.expose();
        assert!(!text.contains(LATE), "{text}");
        if text.starts_with(HOURS_IN_SENTENCES[0]) && !world.repeats_sentences() {
            let further = text.strip_prefix(&whole).is_some_and(|t| t.is_empty() || t.starts_with(" And one more"));
            assert!(whole.starts_with(text) || further, "{text}");
        }
    }
}

/// After a sentence of an answer that is not over, the box goes on within the
/// time in which a caller would take it for over, unless somebody else speaks.
fn an_answer_that_stops_does_not_leave_a_hole(world: &World) {
    let mut silent_since: Option<Moment> = None;
    let mut streaming: BTreeSet<UtteranceId> = BTreeSet::new();
    let mut open = false;
    let mut asked = None;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Ask { request, .. } | Output::AskTopic { request, .. }) => asked = Some(*request),
            Happened::Told(Input::Sentence { request, .. }) if asked == Some(*request) => open = true,
            Happened::Wanted(Output::Say { utterance, speech }) if is_of_a_stream(speech.text.expose()) && open => {
                streaming.insert(*utterance);
            }
            Happened::Told(Input::UtteranceFinished { utterance, .. }) if streaming.contains(utterance) && open => {
                silent_since = Some(*at);
            }
            Happened::Told(Input::AnswerOver { .. }) => {
                asked = None;
                open = false;
            }
            Happened::Wanted(Output::AbandonAsk) => {
                asked = None;
                open = false;
            }
            Happened::Sounded(_)
            | Happened::Wanted(Output::HangUp(_) | Output::Finished(_) | Output::SilenceMouth)
            | Happened::Told(
                Input::SpeechStarted { .. } | Input::WordsBegan { .. } | Input::Digit { .. } | Input::Held { .. },
            ) => {
                silent_since = None;
            }
            _ => {}
        }
        if !open {
            silent_since = None;
        }
        if let Some(since) = silent_since {
            let hole = at.ms_since(since);
            assert!(hole <= SENTENCE_GAP_MS, "{hole} ms without a sound in the middle of an answer at {at:?}");
        }
    }
}

/// And with a turn that an engine thought about, or that answers one.
fn an_engine_that_was_left_is_written_down_once(world: &World) {
    let record = world.record.as_ref().expect("a record");
    let told = world.log.iter().filter(|(_, h)| matches!(h, Happened::Told(Input::EngineLeft(_)))).count();
    let written: usize = record.turns.iter().map(|turn| turn.failovers.len()).sum();
    assert!(written <= told, "{written} of {told}");
    for turn in record.turns.iter().filter(|turn| !turn.failovers.is_empty()) {
        assert!(turn.who == Speaker::Box, "a mind is left in turns of the box: {turn:?}");
    }
}
