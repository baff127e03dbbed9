use std::time::Duration;

use crate::call::{EngineStage, WhyLeft};
use crate::terms::Moment;

use super::fault::Fault;

/// How long one engine is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// From the order to the first of what was ordered, or to a sign that it is
    /// being made.
    pub first: Duration,
    /// From the order to the first of what was ordered, however many such signs
    /// there are.
    pub at_work: Duration,
    /// From one piece of it, or one sign, to the next.
    pub gap: Duration,
}

impl Limits {
    pub const fn from_millis(first: u64, gap: u64) -> Self {
        let first = Duration::from_millis(first);
        Self { first, at_work: first, gap: Duration::from_millis(gap) }
    }

    /// For an engine that shows that it is at work before it hands anything over.
    const fn at_work_for(self, at_work: u64) -> Self {
        Self { at_work: Duration::from_millis(at_work), ..self }
    }

    /// For a mind that may use tools, after which it is asked once more: that round may
    /// take as long to begin as the first one did, and its sentence some more.
    #[must_use]
    pub fn with_tools(self) -> Self {
        Self { at_work: self.at_work.max(self.first * 2 + self.gap), gap: self.gap.max(self.first), ..self }
    }

    /// For an engine that the box asks over a network. A healthy provider keeps
    /// them in all but a few of a thousand cases, and the next engine can still
    /// answer before the caller begins to wonder (about 1.5 s of silence).
    ///
    /// Ears: a final result has a median of 247 ms. Mind: a first token has a
    /// median of 637 ms; it is asked at the pause, 100 ms before the turn is over.
    /// The first sentence is some ten tokens later, and after a thought, or after
    /// tools, which are another round, it is later still: as long as tokens come, the
    /// caller is better off with this answer than with the next engine's. Voice: a
    /// first byte has a median of 230 ms.
    pub const fn over_the_network(stage: EngineStage) -> Self {
        match stage {
            EngineStage::Ears => Self::from_millis(1000, 1000),
            EngineStage::Mind => Self::from_millis(1300, 1000).at_work_for(2500),
            EngineStage::Voice => Self::from_millis(900, 500),
        }
    }

    /// For a server in the business's own network, which has the patience of who set
    /// it up: one without a graphics card takes seconds, and is wanted all the same.
    pub const fn of_pieces(first: Duration, gap: Duration) -> Self {
        Self { first, at_work: first, gap }
    }

    /// For one that gives all at once.
    pub const fn of_one_piece(whole: Duration) -> Self {
        Self::of_pieces(whole, whole)
    }

    /// For the box's own, after which there is nobody. A decode of Whisper may
    /// wait behind those of other calls; the call gives up at last itself.
    pub const fn on_the_box(stage: EngineStage) -> Self {
        match stage {
            EngineStage::Ears => Self::from_millis(7500, 7500),
            EngineStage::Mind => Self::from_millis(2500, 1500),
            EngineStage::Voice => Self::from_millis(2000, 2000),
        }
    }

    /// However many engines there are before the box's own: after this long on
    /// the way, the next one asked is the box's own.
    pub const fn patience(stage: EngineStage) -> Duration {
        Duration::from_millis(match stage {
            EngineStage::Ears => 1500,
            EngineStage::Mind => 1500,
            EngineStage::Voice => 1400,
        })
    }
}

/// However many minds one after the other are at work and say nothing, from the question
/// on: two rounds of one in the business's own network, which has 2 s for each to begin. A
/// call gives up half a second later, in which the box's own mind answers.
pub const MINDS_AT_WORK: Duration = Duration::from_secs(5);

/// However many voices are tried after the first, from the order on: a call gives a sentence
/// up after 4 s, by when the box's own, which needs most of a second on a busy core, must
/// have begun it.
pub const VOICES_TRIED: Duration = Duration::from_millis(2500);

/// What an engine says to the work that it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// A piece, after which more comes.
    Piece,
    /// All of it, or the last piece.
    Whole,
    Failed(Fault),
}

/// What follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It comes from an engine that is not at the work, or the work is over.
    Nothing,
    /// Hand it on.
    Pass,
    /// Hand it on; it was the last.
    PassLast,
    /// Give the work to the next engine: see [`Relay::taken_over`].
    Leave(Fault),
    /// Nobody is left who could do it, or it cannot be gone on with.
    GiveUp(Fault),
}

/// What becomes of work of which a part has been handed on already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfDone {
    /// The next engine goes on with the rest.
    GoesOn,
    /// It ends there.
    EndsThere,
    /// The box's own engine ends it: any other would tell another story.
    TheBoxEndsIt,
}

/// One piece of work on its way from engine to engine, until one has done it.
/// Exactly one of [`Next::PassLast`] and [`Next::GiveUp`] comes of it, unless
/// it is abandoned; then nothing more does.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    stage: EngineStage,
    half_done: HalfDone,
    last: usize,
    /// Since when the caller waits: from the beginning, or from the end of what
    /// there was to hear.
    waits_since: Moment,
    engine: usize,
    limits: Limits,
    /// When this engine was given the work.
    given: Moment,
    /// When it must have said the next thing; none when the work is over.
    due: Option<Moment>,
    /// This engine has handed over a piece.
    begun: bool,
    /// Any engine has.
    any_begun: bool,
}

impl Relay {
    /// The work is given to `engine`; `last` is the box's own.
    pub fn new(
        stage: EngineStage,
        half_done: HalfDone,
        (engine, last): (usize, usize),
        limits: Limits,
        now: Moment,
    ) -> Self {
        Self {
            stage,
            half_done,
            last,
            waits_since: now,
            engine,
            limits,
            given: now,
            due: Some(now + limits.first),
            begun: false,
            any_begun: false,
        }
    }

    pub const fn engine(&self) -> usize {
        self.engine
    }

    pub const fn is_over(&self) -> bool {
        self.due.is_none()
    }

    /// Whether any part of the work has been handed on.
    pub const fn any_begun(&self) -> bool {
        self.any_begun
    }

    /// When [`Relay::late`] is to be asked.
    pub const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// How long the present engine has had the work.
    pub const fn had_for(&self, now: Moment) -> Duration {
        now.since(self.given)
    }

    pub fn said(&mut self, engine: usize, said: Said, now: Moment) -> Next {
        if engine != self.engine || self.is_over() {
            return Next::Nothing;
        }
        match said {
            Said::Piece => {
                (self.begun, self.any_begun) = (true, true);
                self.waits_since = now;
                self.due = Some(now + self.limits.gap);
                Next::Pass
            }
            Said::Whole => {
                self.due = None;
                Next::PassLast
            }
            Said::Failed(fault) => self.fails(fault),
        }
    }

    /// The engine shows that it is at work, and has nothing to hand over yet.
    pub fn alive(&mut self, engine: usize, now: Moment) {
        if engine != self.engine {
            return;
        }
        let until = now + self.limits.gap;
        let until = if self.begun { until } else { until.min(self.at_work_until()) };
        self.due = self.due.map(|due| due.max(until));
    }

    fn at_work_until(&self) -> Moment {
        let until = self.given + self.limits.at_work;
        match self.stage {
            EngineStage::Mind => until.min(self.waits_since + MINDS_AT_WORK),
            EngineStage::Ears | EngineStage::Voice => until,
        }
    }

    /// The engine need not say anything before `at`: what it has given lasts.
    pub fn has_time_until(&mut self, at: Moment) {
        self.due = self.due.map(|due| due.max(at));
        self.waits_since = self.waits_since.max(at);
    }

    /// What the clock says.
    pub fn late(&mut self, now: Moment) -> Next {
        match self.due {
            Some(due) if due <= now => self.fails(Fault::late(self.why_late())),
            Some(_) | None => Next::Nothing,
        }
    }

    const fn why_late(&self) -> WhyLeft {
        match (self.stage, self.begun) {
            (EngineStage::Ears, _) => WhyLeft::WordsDeadline,
            (EngineStage::Mind, false) => WhyLeft::FirstTokenDeadline,
            (EngineStage::Mind, true) => WhyLeft::TokenGapDeadline,
            (EngineStage::Voice, false) => WhyLeft::FirstSoundDeadline,
            (EngineStage::Voice, true) => WhyLeft::SoundGapDeadline,
        }
    }

    fn fails(&mut self, fault: Fault) -> Next {
        let cannot_go_on = self.any_begun && self.half_done == HalfDone::EndsThere;
        if self.engine == self.last || cannot_go_on {
            self.due = None;
            return Next::GiveUp(fault);
        }
        Next::Leave(fault)
    }

    /// The first engine that may take over.
    pub fn next_from(&self, now: Moment) -> usize {
        let impatient = now.since(self.waits_since) >= Limits::patience(self.stage);
        let is_to_be_ended = self.any_begun && self.half_done == HalfDone::TheBoxEndsIt;
        if impatient || is_to_be_ended { self.last } else { self.engine + 1 }
    }

    /// The next engine has the work now.
    pub fn taken_over(&mut self, engine: usize, limits: Limits, now: Moment) {
        self.engine = engine;
        self.limits = limits;
        self.given = now;
        self.begun = false;
        let due = now + limits.first;
        let is_voice_before_last = self.stage == EngineStage::Voice && engine != self.last;
        self.due = Some(if is_voice_before_last { due.min(self.waits_since + VOICES_TRIED) } else { due });
    }

    /// The work is not wanted any more.
    pub fn abandon(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAULT: Fault = Fault::late(WhyLeft::Broken);
    const LIMITS: Limits = Limits::from_millis(1000, 400);

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    fn relay(stage: EngineStage, half_done: HalfDone) -> Relay {
        Relay::new(stage, half_done, (0, 2), LIMITS, at(0))
    }

    #[test]
    fn an_engine_that_says_nothing_is_left_at_its_deadline_and_not_before() {
        let mut relay = relay(EngineStage::Mind, HalfDone::EndsThere);
        assert_eq!(relay.late(at(999)), Next::Nothing);
        let Next::Leave(fault) = relay.late(at(1000)) else { panic!("it is late") };
        assert_eq!(fault.why, Some(WhyLeft::FirstTokenDeadline));
        assert_eq!((relay.next_from(at(1000)), relay.had_for(at(1000))), (1, Duration::from_secs(1)));
    }

    #[test]
    fn a_second_mind_is_at_work_no_longer_than_a_call_waits() {
        let tools = LIMITS.with_tools();
        let mut relay = relay(EngineStage::Mind, HalfDone::EndsThere);
        relay.taken_over(1, Limits { at_work: MINDS_AT_WORK, ..tools }, at(1000));
        let mut now = at(1000);
        while let Some(due) = relay.due().filter(|due| *due > now) {
            now = due.min(now + Duration::from_millis(300));
            relay.alive(1, now);
        }
        assert_eq!(now, at(0) + MINDS_AT_WORK);
        assert!(matches!(relay.late(now), Next::Leave(_)));
        assert_eq!(relay.next_from(now), 2, "the box's own");
    }

    #[test]
    fn a_second_voice_that_hangs_leaves_the_boxs_own_its_time_before_a_call_gives_up() {
        let mut relay = relay(EngineStage::Voice, HalfDone::GoesOn);
        let slow = Limits::of_one_piece(Duration::from_secs(3));
        relay.taken_over(1, slow, at(900));
        assert_eq!(relay.due(), Some(at(0) + VOICES_TRIED));
        assert!(matches!(relay.late(at(2500)), Next::Leave(_)));
        assert_eq!(relay.next_from(at(2500)), 2, "the box's own");
        relay.taken_over(2, slow, at(2500));
        assert_eq!(relay.due(), Some(at(5500)), "after which there is nobody");
        // The first voice has the patience of who set it up.
        let first = Relay::new(EngineStage::Voice, HalfDone::GoesOn, (0, 2), slow, at(0));
        assert_eq!(first.due(), Some(at(3000)));
    }

    #[test]
    fn after_too_long_on_the_way_the_boxs_own_engine_is_next() {
        let mut relay = relay(EngineStage::Mind, HalfDone::EndsThere);
        relay.taken_over(1, LIMITS, at(1000));
        assert_eq!(relay.next_from(at(1200)), 2);
        let fresh = Relay::new(EngineStage::Mind, HalfDone::EndsThere, (0, 5), LIMITS, at(0));
        assert_eq!((fresh.next_from(at(1000)), fresh.next_from(at(1500))), (1, 5));
    }

    #[test]
    fn an_answer_that_breaks_off_ends_there_and_a_sentence_goes_on_elsewhere() {
        let mut answer = relay(EngineStage::Mind, HalfDone::EndsThere);
        assert_eq!(answer.said(0, Said::Piece, at(100)), Next::Pass);
        assert!(matches!(answer.late(at(500)), Next::GiveUp(Fault { why: Some(WhyLeft::TokenGapDeadline), .. })));
        let mut ended = relay(EngineStage::Mind, HalfDone::TheBoxEndsIt);
        assert_eq!(ended.said(0, Said::Piece, at(100)), Next::Pass);
        assert!(matches!(ended.late(at(500)), Next::Leave(Fault { why: Some(WhyLeft::TokenGapDeadline), .. })));
        assert_eq!(ended.next_from(at(500)), 2, "only the box's own ends it");
        let mut sentence = relay(EngineStage::Voice, HalfDone::GoesOn);
        assert_eq!(sentence.said(0, Said::Piece, at(100)), Next::Pass);
        sentence.has_time_until(at(3000));
        assert_eq!(sentence.late(at(2999)), Next::Nothing, "the caller still has something to hear");
        assert!(matches!(sentence.late(at(3000)), Next::Leave(Fault { why: Some(WhyLeft::SoundGapDeadline), .. })));
        assert_eq!(sentence.next_from(at(3000)), 1, "the caller has not waited yet");
    }

    #[test]
    fn an_engine_that_shows_that_it_is_at_work_has_longer_but_not_for_ever() {
        let limits = LIMITS.at_work_for(2000);
        let mut relay = Relay::new(EngineStage::Mind, HalfDone::EndsThere, (0, 2), limits, at(0));
        relay.alive(0, at(100));
        assert_eq!(relay.due(), Some(at(1000)), "a sign takes nothing away");
        for ms in (900..1900).step_by(250) {
            relay.alive(0, at(ms));
            assert_eq!(relay.due(), Some(at(2000.min(ms + 400))));
        }
        assert!(matches!(relay.late(at(2000)), Next::Leave(_)));
        relay.taken_over(1, limits, at(2000));
        relay.alive(0, at(2900));
        assert_eq!(relay.due(), Some(at(3000)), "who was left shows nothing any more");
        // From piece to piece the signs count like pieces.
        assert_eq!(relay.said(1, Said::Piece, at(2100)), Next::Pass);
        relay.alive(1, at(2400));
        assert_eq!(relay.due(), Some(at(2800)));
        assert_eq!(relay.said(1, Said::Whole, at(2500)), Next::PassLast);
        relay.alive(1, at(2600));
        assert!(relay.is_over());
    }

    #[test]
    fn a_round_after_tools_has_the_time_of_the_first_one() {
        for first in [1300, 2000] {
            let over_the_network = Limits::over_the_network(EngineStage::Mind);
            let limits = Limits { first: Duration::from_millis(first), ..over_the_network }.with_tools();
            let relay = || Relay::new(EngineStage::Mind, HalfDone::TheBoxEndsIt, (0, 2), limits, at(0));
            let mut silent = relay();
            for ms in [first - 100, first, 2 * first - 1] {
                assert_eq!(silent.late(at(ms)), Next::Nothing, "{ms} of {first}");
                silent.alive(0, at(ms));
            }
            assert_eq!(silent.late(at(2 * first + 900)), Next::Nothing, "it writes its sentence");
            silent.alive(0, at(2 * first + 900));
            assert!(matches!(silent.late(at(2 * first + 1000)), Next::Leave(_)), "not for ever");
            let mut says_that_it_looks = relay();
            assert_eq!(says_that_it_looks.said(0, Said::Piece, at(700)), Next::Pass);
            says_that_it_looks.alive(0, at(900));
            assert_eq!(says_that_it_looks.late(at(900 + first - 1)), Next::Nothing);
            assert_eq!(says_that_it_looks.said(0, Said::Piece, at(900 + first - 1)), Next::Pass);
        }
    }

    #[test]
    fn who_was_left_and_answers_late_is_not_listened_to() {
        let mut relay = relay(EngineStage::Ears, HalfDone::EndsThere);
        assert!(matches!(relay.late(at(1000)), Next::Leave(_)));
        relay.taken_over(1, LIMITS, at(1000));
        assert_eq!(relay.said(0, Said::Whole, at(1001)), Next::Nothing);
        assert_eq!(relay.said(1, Said::Whole, at(1002)), Next::PassLast);
        assert_eq!(relay.said(1, Said::Whole, at(1003)), Next::Nothing, "an answer is given once");
    }

    /// What a simulated engine does with work: pieces, and then an end or none.
    #[derive(Clone, Debug)]
    struct Behaviour {
        first_after: u64,
        pieces: u8,
        gap: u64,
        end: u8,
    }

    fn any_behaviour() -> impl Strategy<Value = Behaviour> {
        (0_u64..2500, 0_u8..4, 0_u64..900, 0_u8..3).prop_map(|(first_after, pieces, gap, end)| Behaviour {
            first_after,
            pieces,
            gap,
            end,
        })
    }

    impl Behaviour {
        /// What it says and when, from `given` on; never-ending silence if the end is 2.
        fn script(&self, engine: usize, given: u64) -> Vec<(u64, usize, Said)> {
            let mut at = given + self.first_after;
            let mut said = Vec::new();
            for _ in 0..self.pieces {
                said.push((at, engine, Said::Piece));
                at += self.gap;
            }
            match self.end {
                0 => said.push((at, engine, Said::Whole)),
                1 => said.push((at, engine, Said::Failed(FAULT))),
                _ => {}
            }
            said
        }
    }

    proptest! {
        #[test]
        fn every_piece_of_work_is_done_or_given_up_exactly_once_and_the_last_engine_is_always_tried(
            engines in prop::collection::vec(any_behaviour(), 1..5), kind in 0_usize..3, abandoned_at in prop::option::of(0_u64..4000),
        ) {
            let last = engines.len() - 1;
            let kinds = [
                (EngineStage::Voice, HalfDone::GoesOn),
                (EngineStage::Mind, HalfDone::EndsThere),
                (EngineStage::Mind, HalfDone::TheBoxEndsIt),
            ];
            let (stage, half_done) = kinds[kind];
            let mut relay = Relay::new(stage, half_done, (0, last), LIMITS, at(0));
            let mut coming = engines[0].script(0, 0);
            let (mut outcomes, mut tried, mut now) = (0, vec![0], 0);
            while let Some(due) = relay.due() {
                coming.sort_by_key(|(when, ..)| *when);
                let due = due.as_micros() / 1000;
                let next = match (coming.first().copied(), abandoned_at) {
                    (said, Some(abandon)) if abandon >= now && abandon <= due && said.is_none_or(|(when, ..)| abandon <= when) => {
                        relay.abandon();
                        prop_assert_eq!(relay.said(relay.engine(), Said::Whole, at(abandon)), Next::Nothing);
                        break;
                    }
                    (Some((when, engine, said)), _) if when <= due => {
                        coming.remove(0);
                        now = when;
                        relay.said(engine, said, at(now))
                    }
                    _ => {
                        now = due;
                        relay.late(at(now))
                    }
                };
                prop_assert!(outcomes == 0, "something came of work that was over");
                match next {
                    Next::Nothing | Next::Pass => {}
                    Next::PassLast => outcomes += 1,
                    Next::GiveUp(_) => {
                        let half = relay.any_begun() && half_done == HalfDone::EndsThere;
                        prop_assert!(relay.engine() == last || half, "given up before the last was tried");
                        outcomes += 1;
                    }
                    Next::Leave(_) => {
                        let engine = relay.next_from(at(now));
                        prop_assert!(engine > relay.engine() && engine <= last);
                        relay.taken_over(engine, LIMITS, at(now));
                        tried.push(engine);
                        coming.extend(engines[engine].script(engine, now));
                    }
                }
            }
            let abandoned = abandoned_at.is_some() && outcomes == 0;
            prop_assert!(outcomes == 1 || abandoned);
            // No engine keeps a caller waiting beyond its own deadlines.
            let longest = engines.len() as u64 * 1000 + engines.iter().map(|e| u64::from(e.pieces) * 400).sum::<u64>();
            prop_assert!(now <= longest, "{} > {}", now, longest);
        }
    }
}
