//! Whose turn it is, in simulated time: a caller, a detector, ears, a judge and
//! a box's voice that behave as the real ones do, and one rule to each test.

use std::collections::BTreeMap;
use std::time::Duration;

use milu::conversation::{
    Directive, Expectation, Fact, Gist, Manners, NoTurn, Overlap, Resumption, SilenceNth, Trust, TurnTaker,
};
use milu::terms::{Moment, RequestId, UtteranceId};

/// A detector needs so much voice before it reports a beginning.
const ONSET_MS: u64 = 60;
/// And so much silence before it reports a pause.
const PAUSE_MS: u64 = 200;

fn at(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

/// What happens around the turn-taker, from 0 ms on.
struct Scene {
    taker: TurnTaker,
    clock: u64,
    /// Facts to come, by when they become known and in order.
    coming: BTreeMap<(u64, usize), Fact>,
    /// What the turn-taker said, and when.
    said: Vec<(u64, Directive)>,
    /// How the judge and the ears answer; none means never.
    judgement: Option<(u64, f32)>,
    words: Option<(u64, Gist, Trust)>,
    playing: Option<Playing>,
}

struct Playing {
    id: UtteranceId,
    played: u64,
    total: u64,
    paused: bool,
}

impl Scene {
    fn new() -> Self {
        Self {
            taker: TurnTaker::new(),
            clock: 0,
            coming: BTreeMap::new(),
            said: Vec::new(),
            judgement: Some((60, 0.9)),
            words: Some((450, Gist::Words, Trust::Sure)),
            playing: None,
        }
    }

    fn expecting(mut self, expectation: Expectation) -> Self {
        self.know(0, Fact::Expecting(expectation));
        self
    }

    fn judged(mut self, probability: f32) -> Self {
        self.judgement = Some((60, probability));
        self
    }

    fn unjudged(mut self) -> Self {
        self.judgement = None;
        self
    }

    fn hearing(mut self, gist: Gist) -> Self {
        self.words = Some((450, gist, Trust::Sure));
        self
    }

    fn know(&mut self, when: u64, fact: Fact) {
        self.coming.insert((when, self.coming.len() + self.said.len() * 1000), fact);
    }

    /// The caller's voice from `from` to `to`, as the detector reports it.
    fn caller(mut self, from: u64, to: u64) -> Self {
        self.know(from + ONSET_MS, Fact::SpeechStarted { at: at(from) });
        self.know(to + PAUSE_MS, Fact::SpeechPaused { at: at(to) });
        self
    }

    /// How the caller's sound measures over the box's voice, every 20 ms.
    fn sounding_like(mut self, from: u64, to: u64, overlap: Overlap) -> Self {
        for when in (from..to).step_by(20) {
            self.know(when, Fact::Overlap(overlap));
        }
        self
    }

    fn box_speaks(mut self, from: u64, total: u64, manners: Manners) -> Self {
        self.know(from, Fact::BoxSpeaking { utterance: UtteranceId(0), at: at(from), manners });
        let played = Duration::ZERO;
        self.know(
            from,
            Fact::BoxProgress { utterance: UtteranceId(0), played, total: Some(Duration::from_millis(total)) },
        );
        self
    }

    /// Utterances one after the other, from and to, as the line tells of them.
    fn box_says(mut self, utterances: &[(u64, u64)]) -> Self {
        for (id, (from, to)) in (0..).zip(utterances) {
            let (utterance, played) = (UtteranceId(id), Duration::from_millis(to - from));
            self.know(*from, Fact::BoxSpeaking { utterance, at: at(*from), manners: Manners::GivesWay });
            self.know(*to, Fact::BoxFinished { utterance, at: at(*to), played });
        }
        self
    }

    /// Lets the world go on, a frame at a time, until `end`.
    fn until(mut self, end: u64) -> Self {
        while self.clock < end {
            self.clock += 1;
            self.play_a_millisecond();
            while let Some(entry) = self.coming.first_entry().filter(|e| e.key().0 <= self.clock) {
                let fact = entry.remove();
                self.tell(fact);
            }
            for _ in 0..8 {
                if self.taker.deadline().is_some_and(|(due, _)| due <= at(self.clock)) {
                    self.taker.handle_timeout(at(self.clock));
                    self.drain();
                }
            }
        }
        self
    }

    fn tell(&mut self, fact: Fact) {
        if let Fact::BoxProgress { utterance, total: Some(total), played } = fact {
            assert!(played.is_zero(), "an utterance is announced from its beginning");
            let total = u64::try_from(total.as_millis()).expect("an utterance lasts no age of the world");
            self.playing = Some(Playing { id: utterance, played: 0, total, paused: false });
        }
        self.taker.handle(fact, at(self.clock));
        self.drain();
    }

    fn play_a_millisecond(&mut self) {
        let Some(playing) = self.playing.as_mut().filter(|p| !p.paused) else { return };
        playing.played += 1;
        let (utterance, played) = (playing.id, Duration::from_millis(playing.played));
        if playing.played == playing.total {
            self.playing = None;
            self.tell(Fact::BoxFinished { utterance, at: at(self.clock), played });
        } else if playing.played.is_multiple_of(200) {
            self.taker.handle(Fact::BoxProgress { utterance, played, total: None }, at(self.clock));
            self.drain();
        }
    }

    /// Does what is wanted, as the real parts would.
    fn drain(&mut self) {
        while let Some(directive) = self.taker.poll() {
            self.said.push((self.clock, directive));
            match directive {
                Directive::Decode { request } => {
                    if let Some((delay, gist, trust)) = self.words {
                        self.know(self.clock + delay, Fact::Heard { request, gist, trust });
                    }
                }
                Directive::Judge { request } => {
                    if let Some((delay, probability)) = self.judgement {
                        self.know(self.clock + delay, Fact::TurnOver { request, probability });
                    }
                }
                Directive::PauseSpeech { .. } => {
                    if let Some(playing) = &mut self.playing {
                        playing.paused = true;
                        let (utterance, played) = (playing.id, Duration::from_millis(playing.played));
                        self.know(self.clock, Fact::BoxProgress { utterance, played, total: None });
                    }
                }
                Directive::ResumeSpeech { .. } => {
                    if let Some(playing) = &mut self.playing {
                        playing.paused = false;
                    }
                }
                Directive::StopSpeech { .. } => self.playing = None,
                _ => {}
            }
        }
    }

    /// When the first directive that fits was given.
    fn first(&self, fits: impl Fn(&Directive) -> bool) -> Option<u64> {
        self.said.iter().find(|(_, d)| fits(d)).map(|(when, _)| *when)
    }

    fn count(&self, fits: impl Fn(&Directive) -> bool) -> usize {
        self.said.iter().filter(|(_, d)| fits(d)).count()
    }

    fn turn_ended(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::EndOfTurn { .. }))
    }

    fn paused(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::PauseSpeech { .. }))
    }

    fn resumed(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::ResumeSpeech { why: Resumption::FalseInterruption, .. }))
    }

    fn stopped(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::StopSpeech { .. }))
    }
}

const LIKE_ECHO: Overlap = Overlap { level_dbfs: -30.0, echo_likelihood: 0.9 };
const LIKE_A_CALLER: Overlap = Overlap { level_dbfs: -25.0, echo_likelihood: 0.1 };
const LIKE_A_TELEVISION_NEXT_DOOR: Overlap = Overlap { level_dbfs: -60.0, echo_likelihood: 0.1 };

// The end of a turn.

#[test]
fn a_finished_question_ends_300_ms_after_its_last_sample_before_its_words_are_there() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    assert_eq!(scene.turn_ended(), Some(2500 + 300));
    assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1);
}

#[test]
fn decoding_starts_at_the_pause_while_the_turn_is_still_being_decided() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    let decode = scene.first(|d| matches!(d, Directive::Decode { .. }));
    assert_eq!(decode, Some(2500 + PAUSE_MS));
    assert!(decode < scene.turn_ended());
}

#[test]
fn an_unfinished_sentence_is_waited_for_between_900_and_1500_ms() {
    for probability in [0.0, 0.2, 0.49] {
        let ended = Scene::new().judged(probability).caller(1000, 2500).until(6000).turn_ended();
        assert!(ended.is_some_and(|t| (3400..=4000).contains(&t)), "{probability}: {ended:?}");
    }
    let patience = |p| Scene::new().judged(p).caller(1000, 2500).until(6000).turn_ended();
    assert!(patience(0.0) > patience(0.3), "the surer the judge is that more comes, the longer the wait");
}

#[test]
fn without_a_judge_silence_alone_ends_the_turn() {
    let scene = Scene::new().unjudged().caller(1000, 2500).until(6000);
    assert_eq!(scene.turn_ended(), Some(2500 + 700));
}

#[test]
fn a_judgement_that_comes_late_ends_the_turn_as_it_comes() {
    let mut scene = Scene::new();
    scene.judgement = Some((350, 0.9));
    assert_eq!(scene.caller(1000, 2500).until(6000).turn_ended(), Some(2500 + 200 + 350));
}

#[test]
fn dangling_words_are_waited_for() {
    let scene = Scene::new().unjudged().hearing(Gist::Dangling).caller(1000, 2500).until(6000);
    assert_eq!(scene.turn_ended(), Some(2500 + 1500));
}

#[test]
fn numbers_names_addresses_and_messages_are_given_more_time_between_their_parts() {
    use Expectation::{Anything, Digits, Email, Message, Name};
    for expectation in [Digits, Name, Email, Message] {
        let scene = Scene::new().expecting(expectation).caller(1000, 2000).caller(3000, 4000).until(9000);
        assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1, "{expectation:?}");
        assert!(scene.turn_ended().is_some_and(|t| (5200..=6000).contains(&t)), "{expectation:?}");
    }
    let scene = Scene::new().expecting(Anything).caller(1000, 2000).caller(3000, 4000).until(9000);
    assert_eq!(scene.turn_ended(), Some(2300));
}

/// No word for a second after the last: as little as the ears must have listened to.
fn words_ended(ms: u64) -> Fact {
    Fact::WordsEnded { at: at(ms), silent_until: at(ms + 1000) }
}

/// A caller whose words end at 2500 ms in a noise that sounds on and has no pause.
fn words_in_a_noise() -> Scene {
    let mut scene = Scene::new();
    scene.know(1000 + ONSET_MS, Fact::SpeechStarted { at: at(1000) });
    scene.know(3600, words_ended(2500));
    scene
}

#[test]
fn in_a_noise_without_a_pause_the_turn_ends_when_no_word_has_come_for_a_second() {
    let scene = words_in_a_noise().until(6000);
    // With its words, which say whether it is unfinished.
    assert_eq!(scene.turn_ended(), Some(3600 + 450));
    let ended = scene.first(|d| matches!(d, Directive::EndOfTurn { speech_ended, .. } if *speech_ended == at(2500)));
    assert_eq!(ended, scene.turn_ended());
    let mut scene = words_in_a_noise();
    scene.words = None;
    assert_eq!(scene.until(6000).turn_ended(), Some(3600 + 700));
}

#[test]
fn words_that_dangle_in_a_noise_are_waited_for() {
    for (gist, ends) in [(Gist::Words, 3600 + 100), (Gist::Dangling, 3600 + 700)] {
        let mut scene = words_in_a_noise();
        scene.words = Some((100, gist, Trust::Sure));
        assert_eq!(scene.until(6000).turn_ended(), Some(ends), "{gist:?}");
    }
}

#[test]
fn who_thinks_aloud_for_a_second_has_the_patience_of_a_silence_after_it() {
    for (expectation, gist) in [(Expectation::Digits, Gist::Words), (Expectation::Anything, Gist::Dangling)] {
        let mut silence = Scene::new().expecting(expectation);
        silence.know(1000 + ONSET_MS, Fact::SpeechStarted { at: at(1000) });
        silence.know(3900, Fact::SpeechPaused { at: at(3700) });
        silence.words = Some((100, gist, Trust::Sure));
        let mut aloud = words_in_a_noise().expecting(expectation);
        aloud.know(3900, Fact::SpeechPaused { at: at(3700) });
        aloud.words = Some((100, gist, Trust::Sure));
        let ended = aloud.until(8000).turn_ended();
        assert!(ended.is_some() && ended >= silence.until(8000).turn_ended(), "{expectation:?} {gist:?}: {ended:?}");
    }
}

#[test]
fn a_noise_that_ends_long_after_the_words_keeps_nobody_waiting() {
    let mut scene = words_in_a_noise();
    scene.words = Some((100, Gist::Words, Trust::Sure));
    scene.know(6200, Fact::SpeechPaused { at: at(6000) });
    assert_eq!(scene.until(8000).turn_ended(), Some(3600 + 100));
}

#[test]
fn a_caller_who_thinks_for_a_second_in_a_noise_goes_on_with_the_turn() {
    // Before the turn is taken for over, and after.
    for (told, goes_on) in [(3900, 0), (4500, 1)] {
        let mut scene = words_in_a_noise();
        scene.know(told, Fact::WordsBegan { at: at(3700) });
        scene.know(6200, words_ended(5000));
        let scene = scene.until(8000);
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), goes_on);
        let last = scene.said.iter().rev().find_map(|(_, d)| match d {
            Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
            _ => None,
        });
        assert_eq!(last, Some((at(1000), at(5000))));
    }
}

#[test]
fn a_caller_who_speaks_over_the_box_in_a_noise_interrupts_it_with_words() {
    let mut scene = words_in_a_noise().box_speaks(4400, 8000, Manners::GivesWay);
    scene.know(6500, Fact::WordsBegan { at: at(6000) });
    let scene = scene.until(8000);
    assert_eq!((scene.paused(), scene.stopped()), (Some(6500), Some(6700)));
}

#[test]
fn words_at_the_end_of_a_noise_are_a_turn_although_they_are_told_after_it() {
    let mut scene = words_in_a_noise().box_says(&[(4400, 5400)]);
    scene.know(6600, Fact::SpeechPaused { at: at(6400) });
    scene.know(6900, Fact::WordsBegan { at: at(6000) });
    let scene = scene.until(9000);
    let ends = scene.said.iter().filter_map(|(_, d)| match d {
        Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(at(1000), at(2500)), (at(6000), at(6400))]);
}

#[test]
fn words_of_an_ordinary_turn_that_are_told_after_its_pause_are_no_other_turn() {
    let mut scene = Scene::new().caller(1000, 2000);
    scene.know(2600, Fact::WordsBegan { at: at(1000) });
    let scene = scene.until(5000);
    let begins = |d: &Directive| matches!(d, Directive::TurnBegan { .. } | Directive::TurnGoesOn { .. });
    assert_eq!(scene.count(begins), 1);
}

#[test]
fn who_dictates_in_a_noise_may_think_for_a_second_and_comes_to_an_end() {
    use Expectation::{Digits, Email, Message, Name};
    for expectation in [Digits, Email, Message, Name] {
        let scene = words_in_a_noise().expecting(expectation).until(6000);
        assert_eq!(scene.turn_ended(), Some(3600 + 700), "{expectation:?}");
        // A word within the second is told of a while after it.
        let mut scene = words_in_a_noise().expecting(expectation);
        scene.know(4290, Fact::WordsBegan { at: at(3590) });
        scene.know(6200, words_ended(5000));
        let scene = scene.until(8000);
        assert_eq!(scene.count(|d| matches!(d, Directive::EndOfTurn { .. })), 1, "{expectation:?}");
        assert!(scene.turn_ended() > Some(6200), "{expectation:?}");
    }
}

#[test]
fn the_noise_that_words_were_said_in_silences_no_sentence_of_what_the_box_has_to_say() {
    // Two sentences of an answer, and later a filler with an answer after it.
    let scene = words_in_a_noise().box_says(&[(4400, 5400), (5420, 6500), (7500, 8300), (9300, 10_300)]);
    let scene = scene.until(11_000);
    assert_eq!((scene.paused(), scene.stopped()), (None, None));
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
}

#[test]
fn the_noise_that_words_were_said_in_counts_again_once_the_box_owes_nothing() {
    let mut scene = words_in_a_noise().box_says(&[(4400, 5400)]);
    scene.know(5401, Fact::BoxOwesNothing);
    let scene = scene.until(5600);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1, "its echo may come back");
    let scene = scene.until(6000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2, "the caller may speak in it");
}

#[test]
fn a_turn_in_a_noise_to_which_there_is_nothing_to_say_does_not_go_on_with_the_noise() {
    let mut scene = words_in_a_noise();
    scene.know(4500, Fact::BoxOwesNothing);
    let scene = scene.until(6000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 0);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2);
}

#[test]
fn silence_is_counted_after_an_echo_that_ends_with_the_boxs_voice() {
    let scene = Scene::new()
        .box_speaks(100, 4000, Manners::GivesWay)
        .sounding_like(3000, 4100, LIKE_ECHO)
        .caller(3000, 4050)
        .until(12_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(4050 + PAUSE_MS + 6000));
}

#[test]
fn a_noise_that_begins_after_the_last_word_does_not_keep_the_turn_open() {
    // Before the turn is taken for over, and after.
    for probability in [0.1, 0.9] {
        let mut scene = Scene::new().judged(probability).caller(1000, 2000);
        scene.know(2700 + ONSET_MS, Fact::SpeechStarted { at: at(2700) });
        scene.know(3200, words_ended(2000));
        scene.know(3900, Fact::WordsEnded { at: at(2000), silent_until: at(3700) });
        let scene = scene.until(3899);
        let ended_once = scene.turn_ended();
        let scene = scene.until(8000);
        let ends = scene.said.iter().filter(|(_, d)| matches!(d, Directive::EndOfTurn { .. }));
        let last = ends.map(|(when, _)| *when).max();
        assert!(last > ended_once && last <= Some(3900 + 700), "{probability}: {last:?}");
        assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
    }
}

#[test]
fn a_caller_who_has_gone_on_since_the_last_word_that_was_heard_is_not_cut_off() {
    let mut scene = Scene::new().judged(0.1).caller(1000, 2000).caller(2800, 5000);
    scene.know(3100, Fact::WordsEnded { at: at(1980), silent_until: at(3100) });
    assert_eq!(scene.until(4500).turn_ended(), None);
}

#[test]
fn a_yes_that_was_asked_for_is_taken_sooner_than_anything_else() {
    let yes = Scene::new().expecting(Expectation::YesNo).hearing(Gist::Yes).unjudged().caller(1000, 1400).until(4000);
    let other = Scene::new().hearing(Gist::Yes).unjudged().caller(1000, 1400).until(4000);
    assert!(yes.turn_ended() < other.turn_ended());
}

#[test]
fn a_caller_who_goes_on_makes_the_early_decode_void_and_is_decoded_again() {
    let scene = Scene::new().judged(0.1).caller(1000, 2000).caller(2500, 3500).until(7000);
    let requests: Vec<_> = scene
        .said
        .iter()
        .filter_map(|(_, d)| if let Directive::Decode { request } = d { Some(*request) } else { None })
        .collect();
    assert_eq!(requests.len(), 2);
    assert!(scene.said.iter().any(|(_, d)| *d == Directive::Abandon { request: requests[0] }));
    let over = scene.said.iter().find_map(|(_, d)| match d {
        Directive::EndOfTurn { request, speech_began, speech_ended, .. } => {
            Some((*request, *speech_began, *speech_ended))
        }
        _ => None,
    });
    assert_eq!(over, Some((requests[1], at(1000), at(3500))));
}

#[test]
fn a_turn_that_was_cut_off_too_early_goes_on_if_no_answer_has_sounded() {
    let scene = Scene::new().caller(1000, 2000).caller(2600, 3500).until(7000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 1);
    let last = scene.said.iter().rev().find_map(|(_, d)| match d {
        Directive::EndOfTurn { speech_began, speech_ended, .. } => Some((*speech_began, *speech_ended)),
        _ => None,
    });
    assert_eq!(last, Some((at(1000), at(3500))));
}

#[test]
fn after_the_answer_has_begun_the_caller_begins_a_new_turn() {
    let scene =
        Scene::new().caller(1000, 2000).box_speaks(2900, 3000, Manners::GivesWay).caller(3600, 4600).until(8000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 2);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnGoesOn { .. })), 0);
}

#[test]
fn an_answer_to_a_dead_request_changes_nothing() {
    let mut scene = Scene::new().unjudged().caller(1000, 2000);
    scene.know(2210, Fact::TurnOver { request: RequestId(77), probability: 1.0 });
    assert_eq!(scene.until(4000).turn_ended(), Some(2700));
}

#[test]
fn a_cough_while_the_box_listens_is_no_turn() {
    let scene = Scene::new().unjudged().hearing(Gist::Nothing).caller(1000, 1200).until(4000);
    assert_eq!(scene.turn_ended(), None);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnDropped { why: NoTurn::NoWords, .. })), 1);
}

// Barge-in.

#[test]
fn the_box_is_told_to_be_silent_within_80_ms_of_the_callers_first_sample() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    // What the detector and the packets' way both ways take is left for it: some 110 ms.
    assert!(scene.paused().is_some_and(|t| (2060..=2080).contains(&t)), "{:?}", scene.paused());
}

#[test]
fn a_caller_who_keeps_talking_stops_the_box_and_is_answered() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    assert_eq!(scene.stopped(), Some(2700));
    assert_eq!(scene.resumed(), None);
    assert_eq!(scene.turn_ended(), Some(4300));
}

#[test]
fn an_interruption_says_how_much_was_heard() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 4000).until(6000);
    let heard = scene.said.iter().find_map(|(_, d)| match d {
        Directive::StopSpeech { heard, .. } => Some(heard.as_millis()),
        _ => None,
    });
    // It spoke from 100 ms until the pause, 60 to 80 ms after 2,000.
    assert!(heard.is_some_and(|ms| (1955..=1985).contains(&ms)), "{heard:?}");
}

#[test]
fn a_short_cough_lets_the_box_speak_on_as_soon_as_it_is_over() {
    let scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2180).until(6000);
    assert_eq!(scene.resumed(), Some(2180 + PAUSE_MS));
    assert_eq!((scene.stopped(), scene.turn_ended()), (None, None));
    assert_eq!(scene.taker.false_interruptions(), 1);
}

#[test]
fn a_sound_of_listening_lets_the_box_speak_on() {
    for gist in [Gist::Backchannel, Gist::Yes, Gist::Nothing] {
        let scene = Scene::new().hearing(gist).box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
        assert_eq!(scene.resumed(), Some(2350 + PAUSE_MS + 450), "{gist:?}");
        assert_eq!((scene.stopped(), scene.turn_ended()), (None, None), "{gist:?}");
    }
}

#[test]
fn a_short_real_word_stops_the_box() {
    for gist in [Gist::Words, Gist::No] {
        let scene = Scene::new().hearing(gist).box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
        assert!(scene.stopped().is_some() && scene.resumed().is_none(), "{gist:?}");
        assert!(scene.turn_ended().is_some(), "{gist:?}");
    }
}

#[test]
fn a_yes_over_a_yes_or_no_question_is_its_answer() {
    let scene = Scene::new()
        .expecting(Expectation::YesNo)
        .hearing(Gist::Yes)
        .box_speaks(100, 8000, Manners::GivesWay)
        .caller(2000, 2350)
        .until(6000);
    assert!(scene.stopped().is_some() && scene.turn_ended().is_some());
}

#[test]
fn a_word_that_the_ears_doubt_does_not_stop_the_box() {
    let mut scene = Scene::new();
    scene.words = Some((450, Gist::Words, Trust::Doubtful));
    let scene = scene.box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2350).until(6000);
    assert!(scene.resumed().is_some() && scene.stopped().is_none());
}

#[test]
fn ears_that_never_answer_do_not_leave_the_box_paused() {
    for (length, stops) in [(350, false), (450, true)] {
        let mut scene = Scene::new();
        scene.words = None;
        let scene = scene.box_speaks(100, 8000, Manners::GivesWay).caller(2000, 2000 + length).until(6000);
        assert_eq!(scene.stopped().is_some(), stops, "{length} ms");
        assert_eq!(scene.resumed().is_some(), !stops, "{length} ms");
    }
}

#[test]
fn the_recording_notice_is_spoken_to_its_end() {
    let scene = Scene::new().box_speaks(100, 3000, Manners::Insists).caller(1000, 2500).until(6000);
    assert_eq!(scene.paused(), None);
    assert!(scene.turn_ended().is_some(), "what the caller said over it still counts");
}

#[test]
fn mm_hm_over_the_recording_notice_is_no_turn() {
    let scene =
        Scene::new().hearing(Gist::Backchannel).box_speaks(100, 5000, Manners::Insists).caller(1000, 1400).until(4000);
    assert_eq!(scene.turn_ended(), None);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnDropped { why: NoTurn::Backchannel, .. })), 1);
}

#[test]
fn a_caller_who_begins_as_the_box_ends_has_an_ordinary_turn() {
    let scene = Scene::new().box_speaks(100, 3000, Manners::GivesWay).caller(2850, 4000).until(6000);
    assert_eq!((scene.paused(), scene.turn_ended()), (None, Some(4300)));
}

#[test]
fn the_boxs_own_echo_never_counts_as_the_caller() {
    let scene = Scene::new()
        .box_speaks(100, 4000, Manners::GivesWay)
        .sounding_like(1000, 4100, LIKE_ECHO)
        .caller(1000, 4200)
        .until(9000);
    assert_eq!((scene.paused(), scene.turn_ended()), (None, None));
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { .. })), 0);
}

#[test]
fn a_caller_who_talks_into_an_echo_is_let_through_when_the_sound_is_the_callers() {
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(1000, 2000, LIKE_ECHO)
        .sounding_like(2000, 5000, LIKE_A_CALLER)
        .caller(1000, 5000)
        .until(7000);
    assert!(scene.paused().is_some_and(|t| (2000..=2120).contains(&t)), "{:?}", scene.paused());
    assert!(scene.stopped().is_some());
}

#[test]
fn one_frame_that_does_not_look_like_echo_lets_no_echo_through() {
    let mut scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay).sounding_like(1000, 3000, LIKE_ECHO);
    scene.know(2010, Fact::Overlap(Overlap { level_dbfs: -30.0, echo_likelihood: 0.3 }));
    assert_eq!(scene.caller(1000, 3000).until(5000).paused(), None);
}

#[test]
fn a_faint_sound_over_the_boxs_first_words_that_may_be_echo_is_ignored() {
    let doubtful = Overlap { level_dbfs: -30.0, echo_likelihood: 0.4 };
    let early = Scene::new()
        .box_speaks(1000, 8000, Manners::GivesWay)
        .sounding_like(1100, 1500, doubtful)
        .caller(1100, 1500)
        .until(4000);
    let later = Scene::new()
        .box_speaks(1000, 8000, Manners::GivesWay)
        .sounding_like(3100, 3500, doubtful)
        .caller(3100, 3500)
        .until(6000);
    assert_eq!(early.paused(), None);
    assert!(later.paused().is_some());
}

#[test]
fn a_voice_that_closes_its_lips_goes_on_interrupting() {
    let closed = Overlap { level_dbfs: -56.0, ..LIKE_A_CALLER };
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 2080, LIKE_A_CALLER)
        .sounding_like(2080, 2220, closed)
        .sounding_like(2220, 4000, LIKE_A_CALLER)
        .caller(2000, 4000)
        .until(5000);
    assert!(scene.paused().is_some());
    assert_eq!(scene.resumed(), None);
    let faint_at_last = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 2080, LIKE_A_CALLER)
        .sounding_like(2080, 4000, closed)
        .caller(2000, 4000)
        .until(5000);
    assert!(faint_at_last.resumed().is_some(), "a knock before a far television");
}

#[test]
fn a_television_next_door_does_not_interrupt() {
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 3000, LIKE_A_TELEVISION_NEXT_DOOR)
        .caller(2000, 3000)
        .until(6000);
    assert_eq!(scene.paused(), None);
}

#[test]
fn a_measurement_that_is_no_number_does_not_make_the_box_deaf() {
    let broken = Overlap { level_dbfs: f32::NAN, echo_likelihood: f32::NAN };
    let scene = Scene::new()
        .box_speaks(100, 8000, Manners::GivesWay)
        .sounding_like(2000, 3000, broken)
        .caller(2000, 3000)
        .until(6000);
    assert!(scene.stopped().is_some());
}

#[test]
fn a_line_that_keeps_coughing_does_not_cut_the_sentence_into_pieces() {
    let mut scene = Scene::new().hearing(Gist::Nothing).box_speaks(100, 60_000, Manners::GivesWay);
    for n in 0..12 {
        scene = scene.caller(2000 + n * 2000, 2350 + n * 2000);
    }
    let scene = scene.until(30_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::PauseSpeech { .. })), 3);
}

#[test]
fn a_box_that_begins_to_speak_over_the_caller_falls_silent_at_once() {
    let scene = Scene::new().caller(1000, 4000).box_speaks(2000, 3000, Manners::GivesWay).until(6000);
    assert_eq!(scene.paused(), Some(2000));
    assert!(scene.stopped().is_some_and(|t| t <= 2001));
}

#[test]
fn a_key_stops_the_box_at_once() {
    let mut scene = Scene::new().box_speaks(100, 8000, Manners::GivesWay);
    scene.know(2000, Fact::Digit { at: at(2000) });
    let scene = scene.until(6000);
    assert_eq!((scene.stopped(), scene.turn_ended()), (Some(2000), None));
    assert_eq!(scene.first(|d| matches!(d, Directive::KeysOver { .. })), Some(5000));
}

#[test]
fn a_caller_who_stops_the_answer_with_a_key_and_does_no_more_is_prompted() {
    let mut scene = Scene::new().caller(1000, 2000).box_speaks(3000, 8000, Manners::GivesWay);
    scene.know(5000, Fact::Digit { at: at(5000) });
    let scene = scene.until(20_000);
    // Three seconds for further keys, then six of silence.
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(14_000));
}

// Silence, noise, endless talk and hold.

#[test]
fn a_silent_caller_is_prompted_twice_and_then_taken_leave_of() {
    let scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay).until(60_000);
    let steps: Vec<_> = scene
        .said
        .iter()
        .filter_map(|(when, d)| if let Directive::Silence { nth } = d { Some((*when, *nth)) } else { None })
        .collect();
    let expected = [(7100, SilenceNth::FirstPrompt), (13_100, SilenceNth::SecondPrompt), (19_100, SilenceNth::Goodbye)];
    assert_eq!(steps, expected);
}

#[test]
fn a_caller_who_answers_the_prompt_is_prompted_from_the_first_again() {
    let scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay).caller(8000, 9000);
    let scene = scene.box_speaks(10_000, 1000, Manners::GivesWay).until(18_000);
    let firsts = scene.count(|d| matches!(d, Directive::Silence { nth: SilenceNth::FirstPrompt }));
    assert_eq!(firsts, 2);
}

#[test]
fn silence_is_not_the_callers_while_the_box_owes_an_answer() {
    let scene = Scene::new().caller(1000, 2000).until(30_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Silence { .. })), 0);
}

#[test]
fn a_caller_who_said_hold_on_is_left_in_peace_for_half_a_minute() {
    let scene = Scene::new().expecting(Expectation::Return).until(40_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(30_001));
}

#[test]
fn a_caller_who_never_stops_is_broken_in_on_and_at_most_three_times() {
    let scene = Scene::new().caller(1000, 200_000).until(150_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::TooLong { .. })), Some(26_000));
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 3);
    assert_eq!(scene.turn_ended(), None);
}

#[test]
fn a_message_may_be_longer_than_a_question() {
    let scene = Scene::new().expecting(Expectation::Message).caller(1000, 60_000).until(70_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 0);
    assert!(scene.turn_ended().is_some());
}

#[test]
fn an_unbroken_sound_without_words_is_noise_and_no_turn() {
    let scene = Scene::new().hearing(Gist::Nothing).caller(1000, 40_000).until(50_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Noise)), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TooLong { .. })), 0);
    assert_eq!(scene.turn_ended(), None);
}

#[test]
fn who_says_something_at_last_in_what_was_taken_for_noise_is_heard() {
    let mut scene = Scene::new().hearing(Gist::Nothing).caller(1000, 40_000);
    scene.know(15_000, Fact::WordsBegan { at: at(14_500) });
    scene.know(17_500, words_ended(16_000));
    let scene = scene.until(20_000);
    assert_eq!(scene.count(|d| matches!(d, Directive::Noise)), 1);
    assert_eq!(scene.count(|d| matches!(d, Directive::TurnBegan { at: began } if *began == at(14_500))), 1);
    assert!(scene.turn_ended().is_some_and(|t| (17_500..18_500).contains(&t)), "{:?}", scene.turn_ended());
}

#[test]
fn a_box_that_paused_for_what_turns_out_to_be_noise_at_that_moment_speaks_on_over_it() {
    let mut scene = Scene::new();
    scene.words = None;
    let mut scene = scene.caller(1000, 60_000).until(11_400);
    let asked = scene.said.iter().find_map(|(_, d)| match d {
        Directive::Decode { request } => Some(*request),
        _ => None,
    });
    let request = asked.expect("an unbroken sound is asked for its words after ten seconds");
    scene.tell(Fact::BoxSpeaking { utterance: UtteranceId(0), at: at(11_400), manners: Manners::GivesWay });
    scene.tell(Fact::Heard { request, gist: Gist::Nothing, trust: Trust::Sure });
    assert_eq!((scene.paused(), scene.resumed(), scene.stopped()), (Some(11_400), Some(11_400), None));
}

#[test]
fn three_turns_without_a_word_are_noise() {
    let mut scene = Scene::new().hearing(Gist::Nothing);
    for n in 0..3 {
        scene = scene.caller(1000 + n * 5000, 2000 + n * 5000);
    }
    assert_eq!(scene.until(20_000).count(|d| matches!(d, Directive::Noise)), 1);
}

#[test]
fn music_on_hold_is_not_the_caller_and_hold_is_no_silence() {
    let mut scene = Scene::new().box_speaks(100, 1000, Manners::GivesWay);
    scene.know(2000, Fact::Held);
    scene.know(40_000, Fact::Resumed);
    let scene = scene.caller(3000, 30_000).until(39_000);
    assert_eq!(scene.count(|d| !matches!(d, Directive::KeysOver { .. })), 0, "{:?}", scene.said);
    let scene = scene.until(50_000);
    assert_eq!(scene.first(|d| matches!(d, Directive::Silence { .. })), Some(46_000));
}

#[test]
fn a_deadline_tells_its_reason() {
    let scene = Scene::new().caller(1000, 2000).until(2250);
    let (due, why) = scene.taker.deadline().unwrap();
    assert!(due > at(2250));
    assert!(why.contains("end of the turn"), "{why}");
}

// What the caller waits for.

#[test]
fn with_a_judge_at_60_ms_and_words_at_450_the_words_are_the_last_thing_waited_for() {
    let scene = Scene::new().caller(1000, 2500).until(4000);
    let words_at = 2500 + PAUSE_MS + 450;
    let decided = scene.turn_ended().unwrap();
    assert!(decided < words_at);
    // What is left of 1.1 s for finding the answer and its first sound.
    assert!(2500 + 1100 - words_at.max(decided) >= 450);
}
