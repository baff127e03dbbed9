use proptest::prelude::*;

use super::super::super::message::Word;
use super::*;

#[derive(Clone, Debug)]
enum Act {
    Sound(u64),
    Lost(u64),
    Filler(u64),
    TurnBegan(u64),
    Pause,
    Abandon,
    Wait(u64),
    Message(Message),
    Malformed,
}

fn some_words() -> impl Strategy<Value = Vec<Word>> {
    let one = ("[a-z]{1,6}", prop::option::of((0_u64..30_000, 0_u64..2000)), prop::option::of(0.0_f32..=1.0));
    let one = one.prop_map(|(text, place, confidence)| Word {
        text: Private::new(text),
        span: place.map(|(start, length)| span(start, start + length)),
        confidence,
    });
    prop::collection::vec(one, 0..6)
}

fn some_message() -> impl Strategy<Value = Message> {
    let piece = (0_u64..30_000, 0_u64..5000, some_words(), any::<[bool; 3]>());
    let results = piece.prop_map(|(start, length, words, [is_final, speech_final, from_finalize])| {
        Message::Results(Results { span: span(start, start + length), words, is_final, speech_final, from_finalize })
    });
    let event = prop::sample::select(vec![
        TurnEvent::Update,
        TurnEvent::StartOfTurn,
        TurnEvent::EagerEndOfTurn,
        TurnEvent::TurnResumed,
        TurnEvent::EndOfTurn,
        TurnEvent::Unknown,
    ]);
    let turn = (event, 0_u64..4, 0_u64..30_000, some_words(), 0.0_f32..=1.0, prop::option::of(0_u64..40));
    let turn = turn.prop_map(|(event, turn, end, words, confidence, sequence)| {
        let sequence = sequence.map(Sequence);
        Message::Turn(TurnInfo { sequence, event, turn, span: span(end / 2, end), words, confidence })
    });
    prop_oneof![
        4 => results,
        4 => turn,
        1 => prop::option::of(0_u64..30_000)
            .prop_map(|end| Message::UtteranceEnd { last_word_end: end.map(ms) }),
        1 => Just(Message::SpeechStarted),
        1 => Just(Message::Other),
        1 => (0_u64..40).prop_map(|n| Message::Counted(Sequence(n))),
    ]
}

fn some_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u64..100).prop_map(|frames| Act::Sound(frames * FRAME)),
        1 => (0_u64..3000).prop_map(Act::Lost),
        1 => (1_u64..200).prop_map(Act::Filler),
        2 => (0_u64..600).prop_map(Act::TurnBegan),
        3 => Just(Act::Pause),
        1 => Just(Act::Abandon),
        2 => (0_u64..800).prop_map(Act::Wait),
        8 => some_message().prop_map(Act::Message),
        1 => prop::bool::weighted(0.05).prop_map(|bad| if bad { Act::Malformed } else { Act::Wait(1) }),
    ]
}

proptest! {
    /// Whatever the provider says in whatever order, each request that is not
    /// replaced or abandoned has one answer by its bound, and no other has any.
    #[test]
    fn every_request_is_answered_once_within_its_bound(
        is_flux in any::<bool>(), acts in prop::collection::vec(some_act(), 1..80),
    ) {
        let api = if is_flux { Api::Flux } else { Api::V1 };
        let mut call = Stream::of(api);
        let mut open: Option<(u32, u64)> = None;
        let mut next = 0;
        for act in acts {
            match act {
                Act::Sound(length) => { call.sound_until(call.now + length); }
                Act::Lost(length) => { call.wait_until(call.now + length); }
                Act::Filler(length) => call.assembly.filler(ms(length)),
                Act::TurnBegan(ago) => { call.turn_began(call.now.saturating_sub(ago)); }
                Act::Pause => {
                    call.pause(next);
                    open = Some((next, call.now));
                    next += 1;
                }
                Act::Abandon => {
                    call.assembly.abandon();
                    open = None;
                }
                Act::Wait(time) => { call.wait_until(call.now + time); }
                Act::Message(message) => { call.message(message); }
                Act::Malformed => {
                    call.assembly.message(Err(BadMessage::NotJson), at(call.now));
                    call.drain();
                }
            }
            let answered: Vec<u32> = call.heard.iter().map(|(r, _)| *r).chain(call.failed.iter().map(|(r, _)| *r)).collect();
            let mut once = answered.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), answered.len(), "a request was answered twice");
            prop_assert!(answered.iter().all(|r| *r < next));
            if let Some((request, asked)) = open {
                let is_answered = answered.contains(&request);
                prop_assert!(is_answered || call.now < asked + 1500, "{request} asked at {asked}, now {}", call.now);
            }
            for (request, probability) in &call.judged {
                prop_assert!(*request < next && (0.0..=1.0).contains(probability));
            }
            prop_assert!(call.closes <= 1);
        }
    }

    /// A provider that hears correctly, however its results are cut and delayed:
    /// each word is told in its own turn and in no other, in order.
    #[test]
    fn each_word_is_told_in_its_own_turn(
        turns in prop::collection::vec((prop::collection::vec((120_u64..500, 0_u64..150), 1..7), 300_u64..2500), 1..6),
        cuts in prop::collection::vec(1_usize..6, 40), delay in 0_u64..600, is_flux in any::<bool>(),
    ) {
        let mut call = if is_flux { Stream::flux() } else { Stream::v1() };
        // The call: words with their times, and turns with theirs.
        let mut spoken: Vec<(String, u64, u64, u32)> = Vec::new();
        let mut pauses: Vec<(u32, u64, u64)> = Vec::new();
        let mut time = 500;
        for (turn, (words, silence)) in (0..).zip(&turns) {
            let began = time;
            for (length, gap) in words {
                spoken.push((format!("w{}", spoken.len()), time, time + length, turn));
                time += length + gap;
            }
            let end = spoken.last().map_or(time, |w| w.2);
            pauses.push((turn, began, end));
            // The next turn begins after the answer of this one could come.
            time = end + 900 + delay + silence;
        }
        let mut cuts = cuts.into_iter().cycle();
        let (mut settled, mut settled_until) = (0, 0);
        for (turn, began, end) in pauses {
            call.sound_until((began + 100) / 20 * 20).turn_began(began);
            // Twice a second it says what it has so far.
            let paused = (end + 200).div_ceil(20) * 20;
            while call.now + 500 < paused {
                call.sound_until(call.now + 500);
                let done = |w: &&(String, u64, u64, u32)| w.2 <= call.now && w.1 >= settled_until;
                let so_far: Vec<_> = spoken.iter().filter(done).map(|w| (w.0.as_str(), w.1, w.2)).collect();
                if is_flux {
                    call.turn(u64::from(turn), TurnEvent::Update, call.now, 0.1, &so_far);
                } else {
                    call.results(Piece::Interim, (settled_until, call.now), &so_far);
                }
            }
            call.sound_until(paused).pause(turn);
            call.sound_until(call.now + delay / 20 * 20);
            let ready: Vec<(&str, u64, u64)> = spoken.iter().filter(|w| w.2 <= end).map(|w| (w.0.as_str(), w.1, w.2)).collect();
            if is_flux {
                let fresh = &ready[settled..];
                call.turn(u64::from(turn), TurnEvent::EndOfTurn, call.now, 0.9, fresh);
                settled_until = call.now;
            } else {
                while settled < ready.len() {
                    let upto = (settled + cuts.next().unwrap_or(1)).min(ready.len());
                    let last = upto == ready.len();
                    let until = if last { call.now } else { ready[upto - 1].2 };
                    let piece = if last { Piece::Finalized } else { Piece::Final };
                    call.results(piece, (settled_until, until), &ready[settled..upto]);
                    (settled, settled_until) = (upto, until);
                }
            }
            settled = ready.len();
        }
        for (turn, heard) in &call.heard {
            let expected: Vec<&str> = spoken.iter().filter(|w| w.3 == *turn).map(|w| w.0.as_str()).collect();
            prop_assert_eq!(heard.as_str(), expected.join(" "), "turn {}", turn);
        }
        prop_assert_eq!(call.heard.len(), turns.len());
    }
}
