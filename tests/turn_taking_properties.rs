//! What holds of turn-taking whatever happens: facts in any order, repeated and
//! contradictory ones too, with a driver that is sometimes late.

use std::time::Duration;

use milu::conversation::{
    Directive, Expectation, Fact, Floor, Gist, Manners, Overlap, Resumption, SilenceNth, Trust, TurnTaker,
};
use milu::terms::{Moment, RequestId, UtteranceId};
use proptest::prelude::*;

/// A fact leads to no more than this many directives: a pause that is lifted, a
/// turn that is dropped, another that begins, and what each asks for.
const DIRECTIVES_PER_STEP_MAX: usize = 12;

/// A sound in which the ears have heard no word for so long is a noise.
const WORDLESS_AFTER: Duration = Duration::from_secs(1);

fn gist() -> impl Strategy<Value = Gist> {
    prop_oneof![
        Just(Gist::Nothing),
        Just(Gist::Backchannel),
        Just(Gist::Yes),
        Just(Gist::No),
        Just(Gist::Dangling),
        Just(Gist::Words)
    ]
}

fn expectation() -> impl Strategy<Value = Expectation> {
    use Expectation::{Anything, Digits, Email, Message, Name, Return, YesNo};
    prop::sample::select(vec![Anything, YesNo, Digits, Name, Email, Message, Return])
}

/// Which request an answer is to: the latest one, or any.
#[derive(Clone, Copy, Debug)]
enum To {
    Latest,
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, in milliseconds, and the driver wakes at every deadline.
    Wait(u64),
    /// Time passes and the driver sleeps through it.
    Oversleep(u64),
    Started {
        ago_ms: u64,
    },
    Paused {
        ago_ms: u64,
    },
    WordsBegan {
        ago_ms: u64,
    },
    WordsEnded {
        ago_ms: u64,
        silent_for_ms: u64,
    },
    Judged(To, f32),
    Heard(To, Gist, Trust),
    Other(Fact),
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![4 => Just(To::Latest), 1 => (0_u32..6).prop_map(To::Any)]
}

fn utterance() -> impl Strategy<Value = UtteranceId> {
    (0_u32..3).prop_map(UtteranceId)
}

fn step() -> impl Strategy<Value = Step> {
    let ms = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let manners = prop_oneof![3 => Just(Manners::GivesWay), 1 => Just(Manners::Insists)];
    let trust = prop_oneof![Just(Trust::Sure), Just(Trust::Doubtful)];
    let probability = prop_oneof![8 => 0.0_f32..1.0, 1 => any::<f32>()];
    let overlap =
        (prop_oneof![8 => -70.0_f32..0.0, 1 => any::<f32>()], prop_oneof![8 => 0.0_f32..1.0, 1 => any::<f32>()])
            .prop_map(|(level_dbfs, echo_likelihood)| Fact::Overlap(Overlap { level_dbfs, echo_likelihood }));
    prop_oneof![
        8 => (0_u64..900).prop_map(Step::Wait),
        1 => (0_u64..30_000).prop_map(Step::Wait),
        1 => (0_u64..3000).prop_map(Step::Oversleep),
        8 => (0_u64..200).prop_map(|ago_ms| Step::Started { ago_ms }),
        8 => (0_u64..400).prop_map(|ago_ms| Step::Paused { ago_ms }),
        3 => (0_u64..3000).prop_map(|ago_ms| Step::WordsBegan { ago_ms }),
        6 => (0_u64..3000, 0_u64..3000)
            .prop_map(|(ago_ms, silent_for_ms)| Step::WordsEnded { ago_ms, silent_for_ms }),
        4 => (to(), probability).prop_map(|(to, p)| Step::Judged(to, p)),
        4 => (to(), gist(), trust).prop_map(|(to, gist, trust)| Step::Heard(to, gist, trust)),
        2 => overlap.prop_map(Step::Other),
        4 => (utterance(), manners, 0_u64..100_000).prop_map(|(utterance, manners, at)| {
            Step::Other(Fact::BoxSpeaking { utterance, at: Moment::from_micros(at * 1000), manners })
        }),
        2 => (utterance(), ms(0..4000), prop::option::of(ms(0..4000)))
            .prop_map(|(utterance, played, total)| Step::Other(Fact::BoxProgress { utterance, played, total })),
        3 => (utterance(), ms(0..4000)).prop_map(|(utterance, played)| {
            Step::Other(Fact::BoxFinished { utterance, at: Moment::START, played })
        }),
        1 => (0_u64..100_000).prop_map(|at| Step::Other(Fact::Digit { at: Moment::from_micros(at * 1000) })),
        2 => expectation().prop_map(|e| Step::Other(Fact::Expecting(e))),
        2 => Just(Step::Other(Fact::BoxOwesNothing)),
        1 => Just(Step::Other(Fact::Held)),
        1 => Just(Step::Other(Fact::Resumed)),
    ]
}

/// Follows the directives and fails at the first that cannot be.
#[derive(Default)]
struct Witness {
    now: Moment,
    turn_open: bool,
    paused: Option<UtteranceId>,
    latest: Option<RequestId>,
    last_silence: Option<SilenceNth>,
    /// Whether words or keys have come since the last silence.
    something_said: bool,
    break_ins: u8,
    /// Whether the caller's sound is on, by the facts alone.
    sound_on: bool,
    /// Whether there is any sound: in a noise the caller's ends with the words.
    noise_on: bool,
}

impl Witness {
    fn drain(&mut self, taker: &mut TurnTaker) {
        let mut count = 0;
        while let Some(directive) = taker.poll() {
            count += 1;
            self.see(directive, taker);
        }
        assert!(count <= DIRECTIVES_PER_STEP_MAX, "{count} directives at once");
    }

    fn see(&mut self, directive: Directive, taker: &TurnTaker) {
        match directive {
            Directive::TurnBegan { at } => {
                assert!(!self.turn_open, "a turn began within a turn");
                assert!(at <= self.now);
                self.turn_open = true;
                self.break_ins = 0;
            }
            Directive::TurnGoesOn { .. } => {
                assert!(!self.turn_open, "a turn that was not over went on");
                self.turn_open = true;
                self.break_ins = 0;
            }
            Directive::EndOfTurn { request, speech_began, speech_ended, decided_at } => {
                assert!(std::mem::take(&mut self.turn_open), "a turn ended twice");
                assert!(!self.sound_on, "a turn ended while the caller spoke");
                assert_eq!(Some(request), self.latest);
                assert_eq!(decided_at, self.now);
                assert!(speech_began <= speech_ended && speech_ended <= decided_at);
                assert_eq!(self.paused, None, "a turn ended before it was known to be one");
            }
            Directive::TurnDropped { .. } => assert!(std::mem::take(&mut self.turn_open), "no turn was dropped"),
            Directive::Decode { request } => {
                assert!(self.turn_open);
                assert!(self.latest.is_none_or(|latest| latest < request), "requests count up");
                self.latest = Some(request);
            }
            Directive::Judge { request } | Directive::Abandon { request } => assert_eq!(Some(request), self.latest),
            Directive::PauseSpeech { utterance } => {
                assert_eq!(self.paused.replace(utterance), None, "paused twice");
            }
            Directive::ResumeSpeech { utterance, why } => {
                assert_eq!(self.paused.take(), Some(utterance), "resumed what was not paused");
                assert!(why == Resumption::AlreadyOver || taker.false_interruptions() > 0);
            }
            Directive::StopSpeech { utterance, .. } => {
                assert_eq!(self.paused.take(), Some(utterance), "stopped what was not paused");
            }
            Directive::Silence { nth } => {
                let in_order = match self.last_silence {
                    None => nth == SilenceNth::FirstPrompt,
                    Some(SilenceNth::FirstPrompt) => nth == SilenceNth::SecondPrompt,
                    Some(SilenceNth::SecondPrompt) => nth == SilenceNth::Goodbye,
                    Some(SilenceNth::Goodbye) => false,
                };
                let anew = self.something_said && nth == SilenceNth::FirstPrompt;
                assert!(in_order || anew, "{nth:?} after {:?}", self.last_silence);
                assert!(!self.turn_open && self.paused.is_none(), "prompted within a turn");
                self.last_silence = Some(nth);
                self.something_said = false;
            }
            Directive::TooLong { nth, .. } => {
                self.break_ins += 1;
                assert!(self.turn_open && nth == self.break_ins && nth <= 3);
            }
            Directive::Noise | Directive::KeysOver { .. } => {}
        }
    }

    fn pass(&mut self, taker: &mut TurnTaker, until: Moment) {
        // A timer that runs out makes progress: a bounded number does in any time.
        for _ in 0..200 {
            let Some((due, _)) = taker.deadline().filter(|(due, _)| *due <= until) else { break };
            self.now = self.now.max(due);
            taker.handle_timeout(self.now);
            self.drain(taker);
        }
        assert!(taker.deadline().is_none_or(|(due, _)| due > until), "timers run in circles");
        self.now = until;
    }

    fn fact(&mut self, taker: &mut TurnTaker, fact: Fact) {
        match fact {
            // A sound that is on does not begin.
            Fact::SpeechStarted { .. } => {
                self.sound_on |= !self.noise_on;
                self.noise_on = true;
            }
            Fact::SpeechPaused { .. } | Fact::Held => (self.sound_on, self.noise_on) = (false, false),
            Fact::WordsEnded { at, silent_until } => {
                let goes_on = self.goes_on(taker.floor(), at, silent_until);
                self.sound_on &= goes_on != Some(false);
                self.told(taker, fact);
                let speaks = matches!(taker.floor(), Floor::Speaking { .. });
                assert_eq!(speaks, goes_on == Some(true), "{fact:?} told at {:?}", self.now);
                return;
            }
            Fact::WordsBegan { .. } => self.sound_on = self.noise_on,
            Fact::Digit { .. } => self.something_said = true,
            Fact::Heard { gist, .. } => self.something_said |= gist != Gist::Nothing,
            _ => {}
        }
        self.told(taker, fact);
    }

    fn told(&mut self, taker: &mut TurnTaker, fact: Fact) {
        taker.handle(fact, self.now);
        self.drain(taker);
    }

    /// Whether the voice that has the floor, if one has, goes on when words have ended so.
    /// It does not if they were said in it, as no pause was reported since, or if it
    /// sounds for a second without any. Words from before it, told of late, say nothing of it.
    fn goes_on(&self, floor: Floor, at: Moment, silent_until: Moment) -> Option<bool> {
        let Floor::Speaking { since, .. } = floor else { return None };
        Some(at < since && silent_until.min(self.now) < since + WORDLESS_AFTER)
    }

    fn request(&self, to: To) -> RequestId {
        match to {
            To::Latest => self.latest.unwrap_or_default(),
            To::Any(n) => RequestId(n),
        }
    }

    fn take(&mut self, taker: &mut TurnTaker, step: Step) {
        let ms = Duration::from_millis;
        match step {
            Step::Wait(for_ms) => self.pass(taker, self.now + ms(for_ms)),
            Step::Oversleep(for_ms) => self.now = self.now + ms(for_ms),
            Step::Started { ago_ms } => self.fact(taker, Fact::SpeechStarted { at: self.now - ms(ago_ms) }),
            Step::Paused { ago_ms } => self.fact(taker, Fact::SpeechPaused { at: self.now - ms(ago_ms) }),
            Step::WordsBegan { ago_ms } => self.fact(taker, Fact::WordsBegan { at: self.now - ms(ago_ms) }),
            Step::WordsEnded { ago_ms, silent_for_ms } => {
                let at = self.now - ms(ago_ms);
                self.fact(taker, Fact::WordsEnded { at, silent_until: at + ms(silent_for_ms) });
            }
            Step::Judged(to, probability) => {
                self.fact(taker, Fact::TurnOver { request: self.request(to), probability });
            }
            Step::Heard(to, gist, trust) => self.fact(taker, Fact::Heard { request: self.request(to), gist, trust }),
            Step::Other(fact) => self.fact(taker, fact),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn whatever_happens_turns_end_once_and_pauses_are_settled_once(steps in prop::collection::vec(step(), 0..120)) {
        let (mut taker, mut witness) = (TurnTaker::new(), Witness::default());
        for step in steps {
            witness.take(&mut taker, step);
        }
    }

    #[test]
    fn when_the_caller_falls_silent_every_turn_and_every_pause_is_settled(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let (mut taker, mut witness) = (TurnTaker::new(), Witness::default());
        for step in steps {
            witness.take(&mut taker, step);
        }
        let now = witness.now;
        witness.fact(&mut taker, Fact::SpeechPaused { at: now });
        witness.pass(&mut taker, now + Duration::from_secs(4));
        prop_assert!(!witness.turn_open, "a turn never ended");
        prop_assert_eq!(witness.paused, None);
        prop_assert_eq!(taker.floor(), Floor::Quiet);
    }

    #[test]
    fn when_the_caller_keeps_talking_no_pause_of_the_box_is_left_open(steps in prop::collection::vec(step(), 0..80)) {
        let (mut taker, mut witness) = (TurnTaker::new(), Witness::default());
        for step in steps {
            witness.take(&mut taker, step);
        }
        let until = witness.now + Duration::from_secs(2);
        witness.pass(&mut taker, until);
        prop_assert_eq!(witness.paused, None);
    }

    #[test]
    fn a_call_in_which_nobody_speaks_comes_to_its_goodbye(expectation in expectation()) {
        let (mut taker, mut witness) = (TurnTaker::new(), Witness::default());
        witness.fact(&mut taker, Fact::Expecting(expectation));
        witness.pass(&mut taker, Moment::START + Duration::from_secs(120));
        prop_assert_eq!(witness.last_silence, Some(SilenceNth::Goodbye));
        prop_assert_eq!(taker.deadline(), None);
    }

    #[test]
    fn the_same_facts_at_the_same_times_lead_to_the_same_directives(steps in prop::collection::vec(step(), 0..60)) {
        let run = |steps: &[Step]| {
            let (mut taker, mut witness) = (TurnTaker::new(), Witness::default());
            for step in steps {
                witness.take(&mut taker, *step);
            }
            format!("{taker:?}")
        };
        prop_assert_eq!(run(&steps), run(&steps));
    }
}
