use std::time::Duration;

use crate::speech::JudgesBy;
use crate::terms::{Moment, RequestId};

/// How long ears that know the words may say nothing of a pause before its melody
/// is asked. Flux says something four times a second, and v1's words have a median
/// of 247 ms. A pause is reported after 200 ms and the melody takes some 130 ms, so
/// its judgement still comes before the 700 ms after which nobody waits for one.
const WORDS_WITHIN: Duration = Duration::from_millis(300);

/// What is said of a turn whose sentence has ended. Sure enough to end it as soon
/// as one can end; a turn that goes on after all can still go on.
const ENDED: f32 = 0.8;

/// Whether the words that were heard end a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sentence {
    Ended,
    Open,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Then {
    Nothing,
    /// The box's own ears are to judge the pause by its melody.
    AskTheBox(RequestId),
    /// The call is to be told.
    Tell(RequestId, f32),
}

/// A pause that is being judged.
#[derive(Clone, Copy, Debug)]
struct Pause {
    request: RequestId,
    by: JudgesBy,
    /// When the melody is asked if nothing is known by then; none once it was
    /// asked, or need not be.
    melody_at: Option<Moment>,
}

/// Who judges a call's pauses: ears that know the words, and the box's own, which
/// know the melody, where the words leave a doubt. The melody takes 130 ms of a
/// core each time: thirty calls that ask it at every pause take more than half a
/// core.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judging {
    pause: Option<Pause>,
    /// The pause of which ears that judge by the words have said something.
    by_words: Option<RequestId>,
    /// Words that came before their pause was to be judged.
    early: Option<(RequestId, Sentence)>,
}

impl Judging {
    /// A pause is to be judged. `by` is what those ears go by whose words count.
    pub(super) fn ask(&mut self, request: RequestId, by: JudgesBy, now: Moment) -> Then {
        self.pause = Some(Pause { request, by, melody_at: Some(now + WORDS_WITHIN) });
        let early = self.early.take().filter(|(of, _)| *of == request);
        match (by, early) {
            (JudgesBy::Melody, _) => self.doubt(),
            (JudgesBy::Punctuation, Some((_, sentence))) => self.heard(request, sentence),
            (JudgesBy::Punctuation, None) | (JudgesBy::Words, _) => Then::Nothing,
        }
    }

    /// Words have come from ears whose words count.
    pub(super) fn heard(&mut self, request: RequestId, sentence: Sentence) -> Then {
        let Some(pause) = self.pause.as_mut().filter(|pause| pause.request == request) else {
            self.early = Some((request, sentence));
            return Then::Nothing;
        };
        match (pause.by, sentence) {
            (JudgesBy::Punctuation, Sentence::Open) => self.doubt(),
            (JudgesBy::Punctuation, Sentence::Ended) if pause.melody_at.is_some() => {
                pause.melody_at = None;
                self.by_words = Some(request);
                Then::Tell(request, ENDED)
            }
            // The melody was asked, and knows more than a full stop.
            (JudgesBy::Punctuation | JudgesBy::Melody | JudgesBy::Words, _) => Then::Nothing,
        }
    }

    /// Ears that judge by the words have said something of a pause.
    pub(super) fn told_by_words(&mut self, request: RequestId) {
        self.by_words = Some(request);
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.request == request) {
            pause.melody_at = None;
        }
    }

    /// Whether what the melody says of a pause is worth telling: who knows it
    /// never takes the place of who knows the words.
    pub(super) fn takes_melody(&self, request: RequestId) -> bool {
        self.by_words != Some(request)
    }

    /// Those whose word was waited for are left.
    pub(super) fn left(&mut self) -> Then {
        self.doubt()
    }

    /// When [`Judging::late`] is to be asked.
    pub(super) fn due(&self) -> Option<Moment> {
        self.pause.and_then(|pause| pause.melody_at)
    }

    /// What the clock says.
    pub(super) fn late(&mut self, now: Moment) -> Then {
        if self.due().is_some_and(|due| due <= now) { self.doubt() } else { Then::Nothing }
    }

    /// Nothing is to be judged any more.
    pub(super) fn stop(&mut self) {
        self.pause = None;
        self.early = None;
    }

    fn doubt(&mut self) -> Then {
        match self.pause.as_mut().and_then(|pause| pause.melody_at.take().map(|_| pause.request)) {
            Some(request) => Then::AskTheBox(request),
            None => Then::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    const FIRST: RequestId = RequestId(1);

    fn asked(by: JudgesBy) -> Judging {
        let mut judging = Judging::default();
        assert_eq!(judging.ask(FIRST, by, at(0)), Then::Nothing);
        judging
    }

    #[test]
    fn where_nobody_knows_the_words_the_melody_is_asked_at_once_and_once() {
        let mut judging = Judging::default();
        assert_eq!(judging.ask(FIRST, JudgesBy::Melody, at(0)), Then::AskTheBox(FIRST));
        assert_eq!((judging.due(), judging.left()), (None, Then::Nothing));
        assert_eq!(judging.heard(FIRST, Sentence::Ended), Then::Nothing);
        assert!(judging.takes_melody(FIRST));
    }

    #[test]
    fn a_sentence_that_ended_ends_the_turn_and_its_melody_is_not_asked() {
        let mut judging = asked(JudgesBy::Punctuation);
        assert_eq!(judging.heard(FIRST, Sentence::Ended), Then::Tell(FIRST, ENDED));
        assert_eq!((judging.due(), judging.late(at(9000))), (None, Then::Nothing));
        assert!(!judging.takes_melody(FIRST));
    }

    #[test]
    fn a_sentence_that_is_open_leaves_a_doubt() {
        let mut judging = asked(JudgesBy::Punctuation);
        assert_eq!(judging.heard(FIRST, Sentence::Open), Then::AskTheBox(FIRST));
        assert!(judging.takes_melody(FIRST));
        // Better words for the same pause do not overrule what was asked of it.
        assert_eq!(judging.heard(FIRST, Sentence::Ended), Then::Nothing);
    }

    #[test]
    fn words_that_come_before_the_question_answer_it() {
        let mut judging = Judging::default();
        assert_eq!(judging.heard(FIRST, Sentence::Ended), Then::Nothing);
        assert_eq!(judging.ask(FIRST, JudgesBy::Punctuation, at(0)), Then::Tell(FIRST, ENDED));
        // Not those of another pause.
        assert_eq!(judging.heard(RequestId(2), Sentence::Ended), Then::Nothing);
        assert_eq!(judging.ask(RequestId(3), JudgesBy::Punctuation, at(0)), Then::Nothing);
    }

    #[test]
    fn who_says_nothing_in_time_leaves_it_to_the_melody() {
        for by in [JudgesBy::Punctuation, JudgesBy::Words] {
            let mut judging = asked(by);
            assert_eq!((judging.due(), judging.late(at(299))), (Some(at(300)), Then::Nothing));
            assert_eq!((judging.late(at(300)), judging.due()), (Then::AskTheBox(FIRST), None));
            assert!(judging.takes_melody(FIRST));
        }
    }

    #[test]
    fn who_judges_by_the_words_is_believed_before_the_melody() {
        let mut judging = asked(JudgesBy::Words);
        judging.told_by_words(FIRST);
        assert_eq!((judging.due(), judging.takes_melody(FIRST)), (None, false));
        assert!(judging.takes_melody(RequestId(2)), "of the next pause it has said nothing yet");
    }

    #[test]
    fn what_is_not_wanted_is_not_judged() {
        let mut judging = asked(JudgesBy::Punctuation);
        judging.stop();
        assert_eq!((judging.due(), judging.left(), judging.late(at(9000))), (None, Then::Nothing, Then::Nothing));
    }
}
