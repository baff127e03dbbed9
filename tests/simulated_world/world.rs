//! One conversation in simulated time: a caller, a line, ears, a mind and a
//! voice around a call, and a log of all that happened.

use std::collections::BTreeMap;
use std::time::Duration;

use milu::call::phrases::Recorded;
use milu::call::{Call, CallFacts, CallRecord, Consent, Ears, Engines, Input, JournalKind, Keeps, Output, Texts};
use milu::conversation::Overlap;
use milu::knowledge::{Finding, KeypadMenu, MenuChoice, Topic};
use milu::terms::{CallId, EndCause, LineId, Moment, PhoneNumber, RequestId, UtteranceId};

use super::caller::{Act, LISTEN_MAX_MS};
use super::ears::{self, EarsFaults};
use super::handset::Telephones;
use super::mind::{self, MindFaults};
use super::random::Dice;
use super::voice::{Made, Mouth, STEP_MS, VoiceFaults};

/// From the first voiced sample to its report, and from the last one.
const ONSET: Duration = Duration::from_millis(60);
const PAUSE: Duration = Duration::from_millis(200);
const APART_MS: u64 = 280;
/// Without a word for so long the ears say that words have ended, and again after each such
/// time, so often in all.
const WORDLESS: Duration = Duration::from_secs(1);
const WORDLESS_TOLD: u32 = 3;
/// The ears keep so much sound from before a turn's beginning.
const PRE_ROLL: Duration = Duration::from_millis(500);
/// No conversation may be longer than this, ringing and ending included.
pub const END_OF_THE_WORLD: Moment = Moment::from_micros(2_000_000_000);

#[derive(Clone, Debug)]
pub struct Weather {
    pub ears: EarsFaults,
    pub mind: MindFaults,
    pub voice: VoiceFaults,
    /// The line never answers, or never confirms the end.
    pub line_is_deaf: u32,
    pub listening: Ears,
    /// The ears tell that words began and ended where there is no noise too, so much later.
    pub tells_of_words_after: Option<Duration>,
    pub recorded: Recorded,
    pub number_shown: bool,
    pub consent: Consent,
    pub telephones: Telephones,
    /// From so long after the offer on the disk takes nothing; at 0 nothing of the call
    /// can be kept from its beginning.
    pub disk_fails_after_ms: Option<u64>,
}

/// When the disk fails in one of four calls, and in some of those from the beginning.
pub fn disk_of(dice: &mut Dice) -> Option<u64> {
    dice.per_mille(250).then(|| dice.between(0, 90_000).saturating_sub(10_000))
}

/// In a share of the calls the ears tell of words, and how much later they do.
pub fn words_told_after(dice: &mut Dice) -> Option<Duration> {
    dice.per_mille(400).then(|| words_lag(dice))
}

fn words_lag(dice: &mut Dice) -> Duration {
    Duration::from_millis(dice.between(200, 800))
}

impl Weather {
    pub const FAIR: Self = Self {
        ears: EarsFaults::NONE,
        mind: MindFaults::NONE,
        voice: VoiceFaults::NONE,
        line_is_deaf: 0,
        listening: Ears::Listening,
        tells_of_words_after: None,
        recorded: Recorded::Yes,
        number_shown: true,
        consent: Consent::NotNeeded,
        telephones: Telephones::None,
        disk_fails_after_ms: None,
    };

    pub fn any(dice: &mut Dice) -> Self {
        Self {
            ears: EarsFaults::some(dice),
            mind: MindFaults::some(dice),
            voice: VoiceFaults::some(dice),
            line_is_deaf: 20,
            listening: if dice.per_mille(120) { Ears::KeypadOnly } else { Ears::Listening },
            tells_of_words_after: None,
            recorded: if dice.per_mille(150) { Recorded::No } else { Recorded::Yes },
            number_shown: dice.per_mille(700),
            consent: if dice.per_mille(250) { Consent::Asked } else { Consent::NotNeeded },
            telephones: Telephones::some(dice),
            disk_fails_after_ms: None,
        }
    }
}

/// What happened, in order.
#[derive(Clone, Debug)]
pub enum Happened {
    Told(Input),
    Wanted(Output),
    Sounded(UtteranceId),
}

#[derive(Clone, Debug)]
enum Coming {
    Tell(Input),
    Made(Made),
    Step,
    Act,
}

/// Something the caller said: from, to, the words if it had any.
#[derive(Clone, Debug)]
pub struct Said {
    pub from: Moment,
    pub to: Moment,
    pub words: Option<&'static str>,
    /// When the noise began that it was said in.
    pub noise_from: Option<Moment>,
}

/// A noise without a pause.
#[derive(Clone, Debug)]
struct Din {
    from: Moment,
    until: Moment,
    /// The report of its end.
    pause: (Moment, u64),
    words: Words,
}

impl Din {
    fn sounds(&self, at: Moment) -> bool {
        self.from <= at && at < self.until
    }
}

/// What ears that know words from noise tell of those in one sound, or in a quiet call.
#[derive(Clone, Debug)]
struct Words {
    /// What the ears hear they tell so much later.
    lag: Duration,
    end: Option<Moment>,
    /// That they have ended, up to each moment.
    ended: Vec<(Moment, (Moment, u64))>,
}

impl Words {
    const fn told_after(lag: Duration) -> Self {
        Self { lag, end: None, ended: Vec::new() }
    }

    /// A word begins: the ears no longer find that none has come since the last.
    fn listen_again(&mut self, from: Moment, coming: &mut BTreeMap<(Moment, u64), Coming>) {
        for (silent_until, key) in std::mem::take(&mut self.ended) {
            if silent_until > from {
                coming.remove(&key);
            }
        }
    }

    /// Nothing is listened to any more.
    fn stop_listening(&mut self, coming: &mut BTreeMap<(Moment, u64), Coming>) {
        for (_, key) in std::mem::take(&mut self.ended) {
            coming.remove(&key);
        }
    }
}

pub struct World {
    pub now: Moment,
    pub log: Vec<(Moment, Happened)>,
    pub said: Vec<Said>,
    pub record: Option<CallRecord>,
    call: Call,
    dice: Dice,
    pub weather: Weather,
    coming: BTreeMap<(Moment, u64), Coming>,
    order: u64,
    acts: std::vec::IntoIter<Act>,
    listening: Option<Listening>,
    din: Option<Din>,
    /// Of the words outside of a noise, if the ears tell of them.
    words: Option<Words>,
    mouth: Mouth,
    turn_began: Moment,
    /// Answers of the ears and the mind that are not yet given.
    decoding: Vec<(Moment, u64)>,
    thinking: Vec<(Moment, u64)>,
    last_sound: Option<Moment>,
    spoken_ms: u64,
    /// The caller's sound is withheld from the ears.
    withheld: bool,
    /// The caller hears a telephone ring, or speaks with a person.
    handed_over: bool,
    /// What is still to be told of the telephone that was rung.
    of_telephone: Vec<(Moment, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Listening {
    since: Moment,
    spoken_before: u64,
    wanted: Option<u64>,
}

pub fn menu() -> KeypadMenu {
    KeypadMenu {
        keys: vec![
            ('1', MenuChoice::Topic(Topic::Hours)),
            ('2', MenuChoice::Topic(Topic::Address)),
            ('9', MenuChoice::Message),
            ('0', MenuChoice::Person),
        ],
        spoken: mind::spoken("For our opening hours, press one. For our address, press two."),
    }
}

fn facts(weather: &Weather) -> CallFacts {
    let number = PhoneNumber::parse("+2348031234567", "234").expect("a number");
    let facts = CallFacts {
        id: CallId::from_parts(1, [7; 10]),
        line: LineId::parse("front-desk").expect("a name"),
        from: weather.number_shown.then_some(number),
        offered_at: Moment::START,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        business: "Ikeja Clinic".to_owned(),
        greeting: "Good day.".to_owned(),
        country_code: "234".to_owned(),
        recorded: weather.recorded,
        texts: if weather.number_shown { Texts::Possible } else { Texts::Impossible },
        ears: weather.listening,
        consent: weather.consent,
        keeps: Keeps::Promises,
        engines: Engines::default(),
        menu: menu(),
        handsets: weather.telephones.handsets(),
    };
    if weather.disk_fails_after_ms == Some(0) { facts.unkept() } else { facts }
}

impl World {
    /// Plays a conversation to its end, or to the end of the world.
    pub fn play(seed: u64, weather: Weather, acts: Vec<Act>) -> Self {
        let mut world = Self {
            now: Moment::START,
            log: Vec::new(),
            said: Vec::new(),
            record: None,
            call: Call::new(facts(&weather)),
            dice: Dice::new(seed),
            words: weather.tells_of_words_after.map(Words::told_after),
            weather,
            coming: BTreeMap::new(),
            order: 0,
            acts: acts.into_iter(),
            listening: None,
            din: None,
            mouth: Mouth::default(),
            turn_began: Moment::START,
            decoding: Vec::new(),
            thinking: Vec::new(),
            last_sound: None,
            spoken_ms: 0,
            withheld: false,
            handed_over: false,
            of_telephone: Vec::new(),
        };
        world.call.accept(world.now);
        world.obey();
        world.run();
        world
    }

    /// Whether the box listens to this caller.
    pub fn hears(&self) -> bool {
        self.weather.listening == Ears::Listening
    }

    /// Whether the caller is asked for a consent.
    pub fn asks_consent(&self) -> bool {
        self.weather.consent == Consent::Asked && self.weather.disk_fails_after_ms != Some(0)
    }

    /// Whether the mind says the same sentence twice in this weather.
    pub fn repeats_sentences(&self) -> bool {
        self.weather.mind.stream.twice > 0
    }

    /// What the box began to say, in order.
    pub fn sentences(&self) -> Vec<String> {
        let said = self.log.iter().filter_map(|(_, happened)| match happened {
            Happened::Wanted(Output::Say { speech, .. }) => Some(speech.text.expose().clone()),
            _ => None,
        });
        said.collect()
    }

    fn run(&mut self) {
        while self.now < END_OF_THE_WORLD {
            let next = self.coming.keys().next().copied();
            let deadline = self.call.deadline().map(|(at, _)| at);
            match (next, deadline) {
                (None, None) => return,
                (Some((at, _)), due) if due.is_none_or(|due| at <= due) => self.happen(at),
                (_, Some(due)) => {
                    assert!(due >= self.now || !self.call.is_over(), "a deadline of a call that is over");
                    self.now = self.now.max(due);
                    self.call.handle_deadline(self.now);
                    self.obey();
                }
                (Some((at, _)), None) => self.happen(at),
            }
        }
    }

    fn happen(&mut self, at: Moment) {
        let Some(((_, order), coming)) = self.coming.pop_first() else { return };
        self.now = self.now.max(at);
        self.decoding.retain(|key| *key != (at, order));
        self.thinking.retain(|key| *key != (at, order));
        match coming {
            Coming::Tell(input) => self.tell(input),
            Coming::Step => self.step(),
            Coming::Act => self.act(),
            Coming::Made(made) => {
                if let Some(input) = self.mouth.made(&made) {
                    self.tell(input);
                }
                self.make_next();
            }
        }
    }

    fn later(&mut self, after: Duration, coming: Coming) -> (Moment, u64) {
        self.order += 1;
        let key = (self.now + after, self.order);
        self.coming.insert(key, coming);
        key
    }

    fn tell(&mut self, input: Input) {
        if matches!(input, Input::Answered { .. }) {
            self.later(Duration::ZERO, Coming::Step);
            self.later(Duration::from_millis(1), Coming::Act);
        }
        self.log.push((self.now, Happened::Told(input.clone())));
        self.call.handle(input, self.now);
        self.obey();
    }

    /// Does what the call wants.
    fn obey(&mut self) {
        while let Some(output) = self.call.poll() {
            self.log.push((self.now, Happened::Wanted(output.clone())));
            match output {
                Output::Answer => self.answer(),
                Output::HangUp(cause) => self.line_ends(cause),
                Output::TurnBegan { at } => self.turn_began = at,
                Output::Decode { request } => self.decode(request),
                Output::Judge { request, .. } => {
                    let answer = ears::judge(&self.weather.ears, &mut self.dice, request);
                    self.answer_later(answer);
                }
                Output::AbandonDecode => {
                    let dropped = std::mem::take(&mut self.decoding);
                    self.forget(dropped);
                }
                Output::Ask { request, words } => self.ask(request, mind::think(words.expose())),
                Output::AskTopic { request, .. } => self.ask(request, Finding::Answer(mind::spoken(mind::HOURS))),
                Output::AbandonAsk => {
                    let dropped = std::mem::take(&mut self.thinking);
                    self.forget(dropped);
                }
                Output::Say { utterance, speech } => {
                    self.mouth.say(utterance, &speech);
                    self.make_next();
                }
                Output::PauseMouth => self.mouth.pause(),
                Output::ResumeMouth => self.mouth.resume(),
                Output::SilenceMouth => {
                    self.mouth.silence();
                    self.make_next();
                }
                Output::Finished(record) => self.record = Some(*record),
                Output::WithholdSound => {
                    self.withheld = true;
                    self.lose_sound();
                }
                Output::RestoreSound => self.withheld = false,
                Output::PutThrough { .. } => {
                    self.handed_over = true;
                    self.lose_sound();
                    for (after, input) in self.weather.telephones.ring(&mut self.dice, self.now) {
                        let coming = self.later(after, Coming::Tell(input));
                        self.of_telephone.push(coming);
                    }
                }
                Output::LetGo => {
                    self.handed_over = false;
                    for key in std::mem::take(&mut self.of_telephone) {
                        self.coming.remove(&key);
                    }
                }
                Output::Journal(entry) => self.write_down(entry.kind),
                Output::Connect
                | Output::SendDigit(_)
                | Output::StartRecording { .. }
                | Output::StopRecording
                | Output::SendText { .. }
                | Output::Wish(_)
                | Output::Said(_)
                | Output::TurnDone(_) => {}
            }
        }
    }

    /// A disk that has failed is told of before anything else is done.
    fn write_down(&mut self, kind: JournalKind) {
        let fails = |ms: u64| self.now.ms_since(Moment::START) >= ms;
        if kind.is_promise() && self.weather.disk_fails_after_ms.is_some_and(fails) {
            self.tell(Input::Unwritten { kind });
        }
    }

    fn answer_later(&mut self, answer: Option<(Duration, Input)>) -> Option<(Moment, u64)> {
        answer.map(|(after, input)| self.later(after, Coming::Tell(input)))
    }

    /// What was asked of an engine is not wanted any more. Sometimes its answer
    /// is already on its way and comes all the same.
    fn forget(&mut self, keys: Vec<(Moment, u64)>) {
        for key in keys {
            if !self.dice.per_mille(100) {
                self.coming.remove(&key);
            }
        }
    }

    fn decode(&mut self, request: RequestId) {
        let dropped = std::mem::take(&mut self.decoding);
        self.forget(dropped);
        let from = self.turn_began - PRE_ROLL;
        let words: Vec<&str> =
            self.said.iter().filter(|s| s.from >= from && s.from < self.now).filter_map(|s| s.words).collect();
        let answer = ears::decode(&self.weather.ears, &mut self.dice, request, words.join(" "));
        if let Some((after, again)) = answer.clone().filter(|_| self.dice.per_mille(self.weather.ears.twice)) {
            self.later(after + Duration::from_millis(30), Coming::Tell(again));
        }
        let coming = self.answer_later(answer);
        self.decoding.extend(coming);
    }

    fn ask(&mut self, request: RequestId, finding: Finding) {
        let dropped = std::mem::take(&mut self.thinking);
        self.forget(dropped);
        for (after, input) in mind::answer(&self.weather.mind, &mut self.dice, request, finding) {
            let coming = self.later(after, Coming::Tell(input));
            self.thinking.push(coming);
        }
    }

    fn make_next(&mut self) {
        if let Some((after, made)) = self.mouth.make_next(&self.weather.voice, &mut self.dice) {
            self.later(after, Coming::Made(made));
        }
    }

    fn answer(&mut self) {
        if !self.dice.per_mille(self.weather.line_is_deaf) {
            let after = Duration::from_millis(self.dice.between(5, 400));
            let at = self.now + after;
            self.later(after, Coming::Tell(Input::Answered { at }));
        }
    }

    fn line_ends(&mut self, cause: EndCause) {
        if !self.dice.per_mille(self.weather.line_is_deaf) {
            let after = Duration::from_millis(self.dice.between(5, 300));
            let at = self.now + after;
            self.later(after, Coming::Tell(Input::Ended { at, cause, media: Default::default() }));
        }
    }

    /// 20 ms of the line.
    fn step(&mut self) {
        if self.call.is_over() {
            return;
        }
        let (sounding, told) = self.mouth.step(self.now);
        if let Some(utterance) = sounding {
            self.last_sound = Some(self.now);
            self.spoken_ms += u64::from(STEP_MS);
            self.log.push((self.now, Happened::Sounded(utterance)));
        }
        for input in told {
            self.tell(input);
        }
        let is_heard = self.said.iter().any(|s| s.from <= self.now && self.now < s.to)
            || self.din.as_ref().is_some_and(|din| din.sounds(self.now));
        if sounding.is_some() && is_heard {
            self.tell(Input::Overlap(Overlap { level_dbfs: -22.0, echo_likelihood: 0.05 }));
        }
        self.listen();
        self.later(Duration::from_millis(u64::from(STEP_MS)), Coming::Step);
    }

    // ---- the caller --------------------------------------------------------

    fn listen(&mut self) {
        let Some(listening) = self.listening else { return };
        let spoken = self.spoken_ms - listening.spoken_before;
        let quiet = self.last_sound.is_some_and(|at| self.now.since(at) > Duration::from_millis(350));
        let done = match listening.wanted {
            Some(wanted) => spoken >= wanted,
            None => spoken > 0 && quiet,
        };
        if done || self.now.ms_since(listening.since) > LISTEN_MAX_MS {
            self.listening = None;
            self.act();
        }
    }

    fn act(&mut self) {
        if self.call.is_over() {
            return;
        }
        let at = self.now;
        let Some(act) = self.acts.next() else { return };
        match act {
            Act::Wait(ms) => return self.act_after(ms),
            Act::Listen => return self.begin_listening(None),
            Act::ListenFor(ms) => return self.begin_listening(Some(ms)),
            Act::Say(words, ms) => return self.speak(Some(words), ms),
            Act::Noise(ms) => return self.speak(None, ms),
            Act::Din(ms) => self.begin_din(ms),
            Act::Key(digit) => self.tell(Input::Digit { at, digit }),
            Act::Hold => {
                self.lose_sound();
                self.mouth.hold();
                self.tell(Input::Held { at });
            }
            Act::Resume => {
                self.mouth.take_back();
                self.tell(Input::Resumed { at });
            }
            Act::LoseMedia => self.tell(Input::MediaLost { at }),
            Act::StopBox => self.tell(Input::BoxStopping),
            Act::HangUp => {
                let (cause, media) = (EndCause::NormalClearing, Default::default());
                return self.tell(Input::Ended { at, cause, media });
            }
        }
        self.act_after(1);
    }

    fn act_after(&mut self, ms: u64) {
        self.later(Duration::from_millis(ms), Coming::Act);
    }

    fn begin_listening(&mut self, wanted: Option<u64>) {
        // Who listens for the end of a sentence that sounds has heard it begin.
        let sounding = self.last_sound.is_some_and(|at| self.now.since(at) < Duration::from_millis(40));
        let spoken_before = self.spoken_ms - u64::from(sounding && wanted.is_none());
        self.listening = Some(Listening { since: self.now, spoken_before, wanted });
    }

    fn speak(&mut self, words: Option<&'static str>, ms: u64) {
        let lasts = Duration::from_millis(ms);
        if self.withheld || self.handed_over {
            // Nobody hears it.
            return self.act_after(ms + APART_MS);
        }
        let (from, to) = (self.now, self.now + lasts);
        let coming = &self.coming;
        let din = self.din.take_if(|din| coming.contains_key(&din.pause));
        self.said.push(Said { from, to, words, noise_from: din.as_ref().map(|din| din.from) });
        if let Some(din) = din {
            self.speak_in_din(din, words.is_some(), to);
        } else {
            if words.is_some() {
                self.speak_in_quiet(to);
            }
            self.later(ONSET, Coming::Tell(Input::SpeechStarted { at: from }));
            self.later(lasts.max(ONSET) + PAUSE, Coming::Tell(Input::SpeechPaused { at: to }));
        }
        // Sounds with less between them are one sound to a detector.
        self.act_after(ms + APART_MS);
    }

    fn begin_din(&mut self, ms: u64) {
        let goes_on = self.din.as_ref().is_some_and(|din| self.coming.contains_key(&din.pause));
        if goes_on || self.withheld || self.handed_over || self.was_held(self.now) {
            return;
        }
        let (from, until) = (self.now, self.now + Duration::from_millis(ms));
        self.later(ONSET, Coming::Tell(Input::SpeechStarted { at: from }));
        let pause = self.later(until.since(from) + PAUSE, Coming::Tell(Input::SpeechPaused { at: until }));
        let words = Words::told_after(words_lag(&mut self.dice));
        self.din = Some(Din { from, until, pause, words });
    }

    /// Whether the line held the call then: nobody is heard.
    pub(super) fn was_held(&self, then: Moment) -> bool {
        let told = self.log.iter().take_while(|(at, _)| *at <= then).filter_map(|(_, happened)| match happened {
            Happened::Told(Input::Held { .. }) => Some(true),
            Happened::Told(Input::Resumed { .. }) => Some(false),
            _ => None,
        });
        told.last().unwrap_or(false)
    }

    /// The detector hears one sound, and the ears hear words in it.
    fn speak_in_din(&mut self, mut din: Din, has_words: bool, to: Moment) {
        let from = self.now;
        if din.until < to {
            self.coming.remove(&din.pause);
            din.until = to;
            din.pause = self.later(to.since(from) + PAUSE, Coming::Tell(Input::SpeechPaused { at: to }));
        }
        if has_words {
            self.tell_of_words(&mut din.words, to);
        }
        self.din = Some(din);
    }

    /// Some ears tell of words whether there is a noise or not.
    fn speak_in_quiet(&mut self, to: Moment) {
        if let Some(over) = &mut self.din {
            over.words.listen_again(self.now, &mut self.coming);
        }
        if self.was_held(self.now) {
            return;
        }
        if let Some(mut words) = self.words.take() {
            self.tell_of_words(&mut words, to);
            self.words = Some(words);
        }
    }

    /// Words are said from now on. The ears tell of them when they know, and listen on.
    fn tell_of_words(&mut self, words: &mut Words, to: Moment) {
        let from = self.now;
        if words.end.is_none_or(|end| end + WORDLESS <= from) {
            self.later(words.lag, Coming::Tell(Input::WordsBegan { at: from }));
        }
        words.listen_again(from, &mut self.coming);
        for nth in 1..=WORDLESS_TOLD {
            let silent_until = to + WORDLESS * nth;
            let told = Coming::Tell(Input::WordsEnded { at: to, silent_until });
            let key = self.later(silent_until.since(from) + words.lag, told);
            words.ended.push((silent_until, key));
        }
        words.end = Some(to);
    }

    /// The line brings no more of the caller's sound.
    fn lose_sound(&mut self) {
        if let Some(words) = &mut self.words {
            words.stop_listening(&mut self.coming);
        }
        let Some(mut din) = self.din.take() else { return };
        if self.coming.remove(&din.pause).is_some() {
            let at = self.now;
            self.later(ONSET, Coming::Tell(Input::SpeechPaused { at }));
        }
        din.words.stop_listening(&mut self.coming);
    }
}
