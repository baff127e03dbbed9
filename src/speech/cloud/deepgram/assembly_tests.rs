use super::super::message::Word;
use super::*;
use crate::terms::Private;

const FRAME: u64 = 20;

/// A call's sound on its way, with what the assembly says to it. Its time is
/// that of the sound, in milliseconds.
struct Stream {
    assembly: Assembly,
    now: u64,
    heard: Vec<(u32, String)>,
    failed: Vec<(u32, EarsError)>,
    judged: Vec<(u32, f32)>,
    began: Vec<Moment>,
    ended: Vec<Moment>,
    silent_until: Option<Moment>,
    finalizes: usize,
    closes: usize,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

fn span(start: u64, end: u64) -> Span {
    Span { start: ms(start), end: ms(end) }
}

fn word((text, start, end): (&str, u64, u64)) -> Word {
    Word { text: Private::new(text.into()), span: Some(span(start, end)), confidence: Some(0.95) }
}

/// The kinds of a result of v1.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Piece {
    Interim,
    Final,
    SpeechFinal,
    Finalized,
}

impl Stream {
    fn of(api: Api) -> Self {
        Self {
            assembly: Assembly::of(api, Bounds::default()),
            now: 0,
            heard: Vec::new(),
            failed: Vec::new(),
            judged: Vec::new(),
            began: Vec::new(),
            ended: Vec::new(),
            silent_until: None,
            finalizes: 0,
            closes: 0,
        }
    }

    fn v1() -> Self {
        Self::of(Api::V1)
    }

    fn flux() -> Self {
        Self::of(Api::Flux)
    }

    fn drain(&mut self) {
        while let Some(step) = self.assembly.poll() {
            match step {
                Step::Tell(EarsEvent::Heard(heard)) => self.heard.push((heard.request.0, heard.words.into_exposed())),
                Step::Tell(EarsEvent::TurnOver { request, probability }) => self.judged.push((request.0, probability)),
                Step::Tell(EarsEvent::WordsBegan { at }) => self.began.push(at),
                Step::Tell(EarsEvent::WordsEnded { at, silent_until }) => {
                    self.ended.push(at);
                    self.silent_until = Some(silent_until);
                }
                Step::Tell(EarsEvent::Failed { request, error }) => self.failed.push((request.0, error)),
                Step::Tell(EarsEvent::Left(_)) => panic!("an engine alone is left for no other"),
                Step::Finalize => self.finalizes += 1,
                Step::Close => self.closes += 1,
            }
        }
    }

    /// Sound goes on until `until`, and timers with it.
    fn sound_until(&mut self, until: u64) -> &mut Self {
        while self.now < until {
            self.assembly.sound(at(self.now), ms(FRAME), at(self.now));
            self.wait_until(self.now + FRAME);
        }
        self
    }

    /// Time goes on without sound.
    fn wait_until(&mut self, until: u64) -> &mut Self {
        while let Some(due) = self.assembly.deadline().filter(|due| *due <= at(until)) {
            self.assembly.timeout(due);
            self.drain();
            if self.assembly.deadline() == Some(due) {
                panic!("a timer that has been served is due again");
            }
        }
        self.now = self.now.max(until);
        self.drain();
        self
    }

    fn turn_began(&mut self, began: u64) -> &mut Self {
        self.assembly.turn_began(at(began), at(self.now));
        self.drain();
        self
    }

    /// The caller has paused: the call asks for words and judgement.
    fn pause(&mut self, request: u32) -> &mut Self {
        self.assembly.decode(RequestId(request), at(self.now));
        self.assembly.judge(RequestId(request), at(self.now));
        self.drain();
        self
    }

    fn message(&mut self, message: Message) -> &mut Self {
        self.assembly.message(Ok(message), at(self.now));
        self.drain();
        self
    }

    /// No word for a second after the one that ended at `last_word_end`.
    fn utterance_end(&mut self, last_word_end: u64) -> &mut Self {
        self.message(Message::UtteranceEnd { last_word_end: Some(ms(last_word_end)) })
    }

    fn results(&mut self, piece: Piece, (start, end): (u64, u64), words: &[(&str, u64, u64)]) -> &mut Self {
        self.message(Message::Results(Results {
            span: span(start, end),
            words: words.iter().copied().map(word).collect(),
            is_final: piece != Piece::Interim,
            speech_final: piece == Piece::SpeechFinal,
            from_finalize: piece == Piece::Finalized,
        }))
    }

    fn turn(
        &mut self,
        turn: u64,
        event: TurnEvent,
        end: u64,
        confidence: f32,
        words: &[(&str, u64, u64)],
    ) -> &mut Self {
        self.message(Message::Turn(TurnInfo {
            sequence: None,
            event,
            turn,
            span: span(0, end),
            words: words.iter().copied().map(word).collect(),
            confidence,
        }))
    }

    fn words(&self) -> Vec<(u32, &str)> {
        self.heard.iter().map(|(request, words)| (*request, words.as_str())).collect()
    }
}

// ---- v1 ----------------------------------------------------------------------

#[test]
fn final_words_are_asked_for_at_a_pause_and_told_when_they_come() {
    let mut call = Stream::v1();
    call.sound_until(1200).turn_began(400);
    call.results(Piece::Interim, (0, 1000), &[("when", 400, 600), ("do", 600, 700)]);
    call.sound_until(1600).pause(7);
    assert_eq!((call.finalizes, call.words()), (1, vec![]));
    call.wait_until(1750);
    call.results(Piece::Finalized, (0, 1600), &[("When", 400, 600), ("do", 600, 700), ("you", 700, 1350)]);
    assert_eq!(call.words(), [(7, "When do you")]);
    assert_eq!(call.assembly.deadline(), None);
}

#[test]
fn final_words_that_are_there_already_are_told_at_once() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    call.results(Piece::SpeechFinal, (0, 1500), &[("hello", 420, 1380)]);
    call.pause(1);
    assert_eq!((call.words(), call.finalizes), (vec![(1, "hello")], 0));
}

#[test]
fn words_that_stay_the_same_into_the_silence_are_told_before_they_are_final() {
    let mut call = Stream::v1();
    let words = [("my", 400, 600), ("name", 600, 1390)];
    call.sound_until(1500).turn_began(400);
    call.results(Piece::Interim, (0, 1450), &words).sound_until(1600).pause(1);
    assert_eq!(call.words(), []);
    call.results(Piece::Interim, (0, 1560), &words);
    assert_eq!(call.words(), [(1, "my name")]);
}

#[test]
fn words_that_may_change_are_taken_when_final_ones_are_late() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    call.results(Piece::Interim, (0, 1500), &[("hello", 420, 1380)]).pause(1);
    call.wait_until(1990);
    assert_eq!(call.words(), []);
    call.wait_until(2000);
    assert_eq!(call.words(), [(1, "hello")]);
}

#[test]
fn words_without_the_silence_after_them_are_taken_last_of_all() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    call.results(Piece::Interim, (0, 1390), &[("hello", 420, 1380)]).pause(1);
    call.wait_until(3090);
    assert_eq!(call.words(), []);
    call.wait_until(3100);
    assert_eq!(call.words(), [(1, "hello")]);
}

#[test]
fn words_of_a_part_of_the_sound_are_no_answer() {
    let mut call = Stream::v1();
    call.sound_until(2600).turn_began(400);
    call.results(Piece::Interim, (0, 1500), &[("hello", 420, 1380)]).pause(1);
    call.wait_until(4000);
    assert_eq!(call.words(), []);
    call.wait_until(4100);
    let within = Bounds::default().words;
    assert_eq!(call.failed, [(1, EarsError::Stalled { waiting_for: AwaitedWords::Words, within })]);
    // The stream may serve the next turn.
    assert_eq!(call.closes, 0);
}

#[test]
fn final_words_that_an_earlier_pause_asked_for_are_not_taken_for_those_of_this_one() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.assembly.abandon();
    call.sound_until(3000).pause(2);
    assert_eq!(call.finalizes, 2);
    call.results(Piece::Finalized, (0, 1600), &[("my", 400, 800)]);
    assert_eq!(call.words(), []);
    call.results(Piece::Finalized, (1600, 3000), &[("number", 1800, 2700)]);
    assert_eq!(call.words(), [(2, "my number")]);
}

#[test]
fn a_request_for_final_words_that_is_not_answered_hinders_no_later_one() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.assembly.abandon();
    call.sound_until(3000).pause(2);
    // Only the second is answered, and short of where the voice ended.
    call.results(Piece::Finalized, (0, 2900), &[("my", 400, 800), ("number", 1800, 2700)]);
    assert_eq!(call.words(), [(2, "my number")]);
}

#[test]
fn a_turn_of_noise_is_heard_to_have_no_words() {
    let mut call = Stream::v1();
    call.sound_until(1000).turn_began(400).pause(1);
    call.results(Piece::Finalized, (0, 1000), &[]);
    assert_eq!(call.words(), [(1, "")]);
}

#[test]
fn words_of_one_turn_never_leak_into_the_next() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::Finalized, (0, 1600), &[("hello", 420, 1380)]);
    // Within the pre-roll of the new turn ends the word of the old.
    call.sound_until(1900).turn_began(1500).sound_until(2400).pause(2);
    call.results(Piece::Finalized, (1600, 2400), &[("sunday", 1610, 2190)]);
    assert_eq!(call.words(), [(1, "hello"), (2, "sunday")]);
}

#[test]
fn the_words_of_a_turn_that_is_over_may_come_when_the_next_has_begun() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.sound_until(2000).turn_began(1800);
    call.results(Piece::Final, (0, 2000), &[("yes", 420, 1380), ("and", 1820, 1990)]);
    assert_eq!(call.words(), [(1, "yes")]);
    call.sound_until(2600).pause(2);
    call.results(Piece::Finalized, (2000, 2600), &[("sunday", 2010, 2390)]);
    assert_eq!(call.words(), [(1, "yes"), (2, "and sunday")]);
}

#[test]
fn a_turn_that_goes_on_has_all_of_its_words() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::Finalized, (0, 1600), &[("my", 420, 1380)]);
    // The caller had not finished: no new turn begins.
    call.assembly.abandon();
    call.sound_until(2600).pause(2);
    call.results(Piece::Finalized, (1600, 2600), &[("name", 1700, 2390)]);
    assert_eq!(call.words(), [(1, "my"), (2, "my name")]);
}

#[test]
fn lost_sound_moves_no_word_into_another_turn() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::Finalized, (0, 1600), &[("hello", 420, 1380)]);
    // Five seconds of sound do not reach the provider, whose clock stands still.
    call.wait_until(6600).sound_until(7600).turn_began(6700).pause(2);
    call.results(Piece::Finalized, (1600, 2600), &[("sunday", 1720, 2390)]);
    assert_eq!(call.words(), [(1, "hello"), (2, "sunday")]);
}

#[test]
fn a_newer_request_replaces_an_older_one() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1).pause(2);
    call.results(Piece::Finalized, (0, 1600), &[("hello", 420, 1380)]);
    call.wait_until(9000);
    assert_eq!((call.words(), call.failed.len()), (vec![(2, "hello")], 0));
}

#[test]
fn silence_after_the_words_says_that_the_turn_is_over() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    assert_eq!(call.judged, []);
    call.results(Piece::SpeechFinal, (0, 1700), &[("Hello.", 420, 1380)]);
    assert!(matches!(call.judged[..], [(1, p)] if p > 0.5), "{:?}", call.judged);
    // It follows what was declared over, and says nothing new.
    call.utterance_end(1380);
    assert_eq!(call.judged.len(), 1);
}

#[test]
fn an_utterance_end_stands_in_where_noise_hides_the_silence() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::Interim, (0, 1600), &[("hello", 420, 1380)]);
    assert_eq!((call.words().len(), call.judged.len()), (0, 0));
    call.sound_until(1900).utterance_end(1380);
    assert_eq!(call.words(), [(1, "hello")]);
    assert!(matches!(call.judged[..], [(1, p)] if p > 0.5), "{:?}", call.judged);
}

#[test]
fn a_short_silence_within_a_sentence_ends_no_turn_and_a_long_one_does() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::SpeechFinal, (0, 1600), &[("When", 420, 700), ("Saturday", 700, 1380)]);
    assert_eq!((call.words().len(), call.judged.len()), (1, 0));
    call.sound_until(2500).utterance_end(1380);
    assert!(matches!(call.judged[..], [(1, p)] if p > 0.5), "{:?}", call.judged);
    // Who speaks has an open pause too, if the turn went on.
    assert_eq!(call.ended, [at(1380)]);
}

#[test]
fn where_noise_hides_every_pause_it_is_told_unasked_that_the_words_have_ended() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    // It follows words of the turn before.
    call.utterance_end(200);
    assert_eq!(call.ended, []);
    call.results(Piece::SpeechFinal, (0, 1600), &[("When?", 420, 1380)]);
    call.sound_until(2600).utterance_end(1380);
    assert_eq!((call.ended.as_slice(), call.judged.len()), (&[at(1380)][..], 0));
}

#[test]
fn an_utterance_end_after_an_earlier_word_than_the_last_says_nothing() {
    let mut call = Stream::v1();
    call.sound_until(3000).turn_began(400);
    call.results(Piece::Interim, (0, 2900), &[("When", 420, 700), ("exactly?", 2300, 2800)]);
    call.utterance_end(700).message(Message::UtteranceEnd { last_word_end: None });
    assert_eq!(call.ended, []);
    call.sound_until(3900).utterance_end(2800);
    assert_eq!(call.ended, [at(2800)]);
}

#[test]
fn it_is_told_that_the_words_have_ended_of_a_turn_that_went_on_after_a_pause_too() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.results(Piece::Finalized, (0, 1600), &[("When", 420, 1380)]);
    call.sound_until(3000).results(Piece::Interim, (1600, 2900), &[("Saturday?", 1700, 2400)]);
    call.sound_until(3600).utterance_end(2400);
    assert_eq!(call.ended, [at(2400)]);
}

#[test]
fn that_the_words_have_ended_is_told_again_as_far_as_it_was_listened_on() {
    let mut call = Stream::v1();
    call.sound_until(2600).turn_began(400);
    call.results(Piece::Interim, (0, 2300), &[("When", 420, 1380)]);
    assert_eq!(call.ended, []);
    call.utterance_end(1380);
    assert_eq!((call.ended.len(), call.silent_until), (1, Some(at(2300))));
    call.sound_until(3700).results(Piece::Final, (0, 3400), &[("When?", 420, 1380)]);
    assert_eq!((call.ended.as_slice(), call.silent_until), (&[at(1380), at(1380)][..], Some(at(3400))));
    // Until a word comes, or a turn that has none yet.
    call.sound_until(4700).results(Piece::Interim, (3400, 4600), &[("Sunday", 4000, 4500)]);
    call.sound_until(6000).turn_began(5500).utterance_end(4500).results(Piece::Interim, (4600, 5900), &[]);
    assert_eq!(call.ended.len(), 2);
}

#[test]
fn it_is_told_once_that_words_have_come_and_again_after_they_had_ended() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    call.results(Piece::Interim, (0, 1500), &[]);
    assert_eq!(call.began, []);
    call.results(Piece::Interim, (0, 1500), &[("when", 420, 700)]);
    call.results(Piece::Final, (0, 1500), &[("When", 420, 720), ("exactly", 750, 1380)]);
    assert_eq!(call.began, [at(420)]);
    call.sound_until(2600).utterance_end(1380);
    call.results(Piece::Interim, (1500, 2600), &[]);
    assert_eq!(call.began, [at(420)]);
    call.sound_until(3200).results(Piece::Interim, (1500, 3200), &[("on", 2500, 2700), ("Sunday?", 2700, 3100)]);
    assert_eq!(call.began, [at(420), at(2500)]);
}

#[test]
fn words_have_ended_too_where_final_ones_leave_a_second_without_any() {
    let mut call = Stream::v1();
    call.sound_until(3000).turn_began(400);
    call.results(Piece::Final, (0, 1500), &[("Hello", 420, 1380)]);
    call.results(Piece::Interim, (1500, 2600), &[]);
    assert_eq!(call.ended, [], "an interim result may come to have some");
    call.results(Piece::Final, (1500, 2600), &[]);
    assert_eq!(call.ended, [at(1380)]);
    call.results(Piece::Interim, (2600, 3000), &[("there", 2650, 2900)]);
    assert_eq!(call.began, [at(420), at(2650)]);
}

#[test]
fn final_words_that_end_before_the_interim_ones_did_say_nothing_of_a_silence() {
    let mut call = Stream::v1();
    call.sound_until(6000).turn_began(400);
    call.results(Piece::Interim, (0, 5000), &[("they", 420, 3850), ("are", 4250, 4900)]);
    call.results(Piece::Final, (0, 4200), &[("they", 420, 3850)]);
    assert_eq!(call.ended, []);
}

#[test]
fn a_piece_that_was_cut_off_on_request_says_nothing_of_silence() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.message(Message::Results(Results {
        span: span(0, 1600),
        words: vec![word(("hello", 420, 1380))],
        is_final: true,
        speech_final: true,
        from_finalize: true,
    }));
    assert_eq!((call.words(), call.judged.len()), (vec![(1, "hello")], 0));
}

#[test]
fn words_that_come_after_those_that_stand_change_nothing_and_are_counted() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400);
    call.results(Piece::SpeechFinal, (0, 1600), &[("closed", 400, 1380)]);
    call.results(Piece::Interim, (0, 1500), &[("clothed", 400, 1380)]).pause(1);
    assert_eq!((call.words(), call.assembly.late()), (vec![(1, "closed")], 1));
    // The same words once more are no disorder of words.
    call.results(Piece::Final, (0, 1600), &[("closed", 400, 1380)]);
    assert_eq!((call.failed.len(), call.closes), (0, 0));
}

#[test]
fn final_words_that_come_after_later_ones_end_the_stream_because_a_part_of_the_turn_is_missing() {
    let mut call = Stream::v1();
    call.sound_until(2600).turn_began(400);
    call.results(Piece::Final, (1600, 2600), &[("open", 1700, 2390)]);
    call.results(Piece::Final, (0, 1600), &[("not", 400, 1380)]);
    assert_eq!((call.assembly.late(), call.closes), (1, 1));
    call.pause(1);
    assert!(matches!(call.failed[..], [(1, EarsError::Lost(_))]), "{:?}", call.failed);
}

// ---- failures ------------------------------------------------------------------

#[test]
fn a_provider_that_gives_no_sign_of_listening_is_given_up() {
    for api in [Api::V1, Api::Flux] {
        let mut call = Stream::of(api);
        // Its time counts from when the stream was told of the turn.
        call.sound_until(1000).turn_began(900).sound_until(4020);
        assert_eq!(call.closes, 0);
        call.sound_until(4040);
        assert_eq!(call.closes, 1);
        call.pause(1);
        let within = Bounds::default().first_partial;
        assert_eq!(call.failed, [(1, EarsError::Stalled { waiting_for: AwaitedWords::FirstPartial, within })]);
    }
}

#[test]
fn a_provider_that_listens_is_not_given_up_however_long_the_turn() {
    let mut call = Stream::v1();
    call.sound_until(1000).turn_began(900);
    for second in 2..25 {
        call.sound_until(second * 1000).results(Piece::Interim, (0, second * 1000 - 300), &[]);
    }
    assert_eq!(call.closes, 0);
}

#[test]
fn a_turn_that_is_told_again_at_once_has_its_time_to_be_listened_to() {
    let mut call = Stream::v1();
    // Ten seconds of sound in no time, as to ears that take over within a turn.
    call.now = 20_000;
    for frame in 0..500 {
        if frame == 20 {
            call.turn_began(10_400);
        }
        call.assembly.sound(at(10_000 + frame * FRAME), ms(FRAME), at(call.now));
    }
    call.pause(1);
    assert_eq!(call.closes, 0);
    call.wait_until(20_500);
    call.results(Piece::Finalized, (0, 10_000), &[("hello", 420, 9700)]);
    assert_eq!(call.words(), [(1, "hello")]);
}

#[test]
fn a_silent_caller_is_no_silent_provider() {
    let mut call = Stream::v1();
    call.sound_until(60_000);
    assert_eq!(call.closes, 0);
}

#[test]
fn what_cannot_be_read_ends_the_stream_and_fails_what_is_asked() {
    let mut call = Stream::v1();
    call.sound_until(1600).turn_began(400).pause(1);
    call.assembly.message(Err(BadMessage::NotJson), at(1700));
    call.drain();
    assert!(matches!(call.failed[..], [(1, EarsError::Lost(_))]));
    assert_eq!(call.closes, 1);
    // Nothing that comes later is believed, and later requests fail at once.
    call.results(Piece::Finalized, (0, 1600), &[("hello", 420, 1380)]).pause(2);
    assert_eq!((call.words(), call.failed.len(), call.closes), (vec![], 2, 1));
}

#[test]
fn the_providers_own_errors_say_when_to_ask_again() {
    use crate::speech::Again;
    for (failure, again) in [
        (Failure::Busy, Again::Soon),
        (Failure::Account, Again::OnceRepaired),
        (Failure::Misunderstood, Again::OnceRepaired),
        (Failure::Internal, Again::Soon),
    ] {
        let mut call = Stream::flux();
        call.sound_until(1600).turn_began(400).pause(1).message(Message::Failure(failure));
        assert_eq!(call.failed.iter().map(|(_, error)| error.again()).collect::<Vec<_>>(), [again], "{failure:?}");
    }
}

#[test]
fn another_stream_begins_at_nought() {
    let mut call = Stream::flux();
    call.assembly.filler(ms(5000));
    call.assembly.restart();
    call.sound_until(1600).turn_began(400).pause(1);
    call.turn(0, TurnEvent::EndOfTurn, 1600, 0.9, &[("hello", 420, 1380)]);
    assert_eq!(call.words(), [(1, "hello")]);
}

#[test]
fn who_was_sent_nothing_has_not_heard_nothing() {
    let mut call = Stream::v1();
    call.pause(1).wait_until(1500);
    assert_eq!((call.words(), call.failed.len()), (vec![], 1));
}

#[path = "assembly_properties.rs"]
mod properties;

#[path = "assembly_flux_tests.rs"]
mod flux;
