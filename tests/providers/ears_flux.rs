//! A stream of `/v2/listen`: turns. Updates every quarter of a second, the start,
//! the eager end, the resumption and the end of a turn in the vendor's order,
//! each message with its number. Time is that of the sound.

use std::sync::Arc;
use std::time::Duration;

use milu::media::{Frame, VoiceFact};
use milu::terms::Moment;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::ears_query::{KEYTERM_TOKENS_MAX, ListenV2, Thresholds, keyterms_fit};
use super::ears_sound::{SoundDecoder, Track, seconds};
use super::ears_words::{Hearing, Piece, Word, WordSource, Words};
use super::socket::{Ended, Incoming, Socket};
use super::{Provider, World};

const UPDATE: Duration = Duration::from_millis(250);

/// Voice activity says that voice has paused after this.
const PAUSE: Duration = Duration::from_millis(200);

/// What was doubtful at the pause becomes sure with time: this long for two thirds.
const SURER: Duration = Duration::from_millis(800);

/// No sound for so long ends the stream.
const IDLE: Duration = Duration::from_secs(10);

/// While somebody speaks.
const GOING_ON: f64 = 0.02;

/// Known words, at a pause and after the delay.
const KNOWN_PAUSED: f64 = 0.6;
const KNOWN_OVER: f64 = 0.9;

const INTERNAL: u16 = 1011;
const POLICY: u16 = 1008;

pub async fn listen(world: Arc<World>, mut socket: Socket, asked: ListenV2, id: String) {
    let Ok(decoder) = SoundDecoder::new(asked.sound.encoding, asked.sound.rate) else {
        return socket.close(INTERNAL, "The stand-in has no decoder").await;
    };
    let Some(source) = WordSource::open(&world, asked.keyterms.clone()).await else {
        return socket.close(INTERNAL, "The stand-in has no ears").await;
    };
    let mut flux = Flux::new(Arc::clone(&world), asked, decoder, source, id);
    flux.connected();
    let mut heard_last = world.now();
    let mut fatal = None;
    let ended = loop {
        let messages = std::mem::take(&mut flux.say);
        let mut gone = None;
        for message in messages {
            if let Err(ended) = socket.say(message).await {
                gone = Some(ended);
                break;
            }
        }
        if let Some(ended) = gone {
            break ended;
        }
        if flux.is_over {
            return socket.close_normally().await;
        }
        tokio::select! {
            incoming = socket.receive() => {
                let Some(incoming) = incoming else { break Ended::Gone };
                heard_last = world.now();
                if let Err(error) = flux.take(incoming) {
                    fatal = Some(error);
                    break Ended::ErrorOrdered;
                }
            }
            Some(done) = flux.jobs.join_next() => {
                // A job that was given up says nothing.
                if let Ok((job, words)) = done {
                    flux.heard(job, words);
                }
            }
            () = world.clock.sleep_until(heard_last + IDLE) => {
                fatal = Some(("NET_0001", "No audio was received within the timeout window."));
                break Ended::ErrorOrdered;
            }
        }
    };
    if ended == Ended::ErrorOrdered {
        let (code, description) = fatal.unwrap_or(("INTERNAL_SERVER_ERROR", "An internal error ended the stream."));
        let error = flux.numbered(json!({ "type": "Error", "code": code, "description": description }));
        socket.fail(&error, if fatal.is_some() { POLICY } else { INTERNAL }, code).await;
    }
}

/// A client's message that ends the stream: code and description.
type Fatal = (&'static str, &'static str);

struct Turn {
    voice_start: Moment,
    voice_end: Moment,
    /// Whether its start has been said.
    is_told: bool,
    /// The newest words.
    words: Words,
    /// The decode that is under way for interim words.
    interim: Option<u64>,
    asked_at: Moment,
    pause: Option<PauseInTurn>,
}

/// The words are asked for in whole, to see whether the turn is over.
struct PauseInTurn {
    job: u64,
    words: Option<Words>,
    is_eager_told: bool,
    /// The client ends the turn whatever is heard.
    is_forced: bool,
}

struct Flux {
    world: Arc<World>,
    asked: ListenV2,
    thresholds: Thresholds,
    numerals: Option<Value>,
    decoder: SoundDecoder,
    source: WordSource,
    id: String,
    track: Track,
    turn: Option<Turn>,
    turn_index: u64,
    /// Where the present turn's window of sound begins.
    window_start: Moment,
    told_at: Moment,
    sequence: u64,
    next_job: u64,
    jobs: JoinSet<(u64, Words)>,
    /// Messages to be sent.
    say: Vec<Value>,
    is_closing: bool,
    is_over: bool,
}

impl Flux {
    fn new(world: Arc<World>, asked: ListenV2, decoder: SoundDecoder, source: WordSource, id: String) -> Self {
        Self {
            thresholds: asked.thresholds,
            world,
            asked,
            numerals: None,
            decoder,
            source,
            id,
            track: Track::new(),
            turn: None,
            turn_index: 0,
            window_start: Moment::START,
            told_at: Moment::START,
            sequence: 0,
            next_job: 0,
            jobs: JoinSet::new(),
            say: Vec::new(),
            is_closing: false,
            is_over: false,
        }
    }

    fn numbered(&mut self, mut message: Value) -> Value {
        message["sequence_id"] = json!(self.sequence);
        self.sequence += 1;
        message
    }

    fn tell(&mut self, message: Value) {
        let message = self.numbered(message);
        self.say.push(message);
    }

    fn connected(&mut self) {
        let id = self.id.clone();
        self.tell(json!({ "type": "Connected", "request_id": id }));
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), Fatal> {
        match incoming {
            Incoming::Binary(bytes) => {
                let sound = self.decoder.push(&bytes);
                let frames = sound.map_err(|_| ("INVALID_AUDIO", "The payload cannot be decoded as audio."))?;
                frames.iter().for_each(|frame| self.frame(frame));
            }
            Incoming::Unreadable(_) => return Err(UNREADABLE),
            Incoming::Text(message) => match message["type"].as_str() {
                Some("ForceEndTurn") => self.force(),
                Some("CloseStream") => self.close(),
                Some("Configure") => self.configure(&message),
                _ => return Err(UNREADABLE),
            },
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) {
        let fact = self.track.hear(frame);
        let now = self.track.now();
        self.world.seen.count(Provider::Ears, |received| received.sound_ms += 20);
        self.world.seen.sound(frame.samples());
        if self.track.is_speaking() {
            self.voice(if let Some(VoiceFact::Started { at }) = fact { at } else { now });
        } else if let Some(turn) = &mut self.turn {
            if let Some(VoiceFact::Paused { at }) = fact {
                turn.voice_end = at;
            }
            if turn.pause.is_none() {
                self.ask_whole();
            }
        }
        self.judge();
        if now.since(self.told_at) >= UPDATE {
            self.event("Update", None);
        }
    }

    fn voice(&mut self, at: Moment) {
        let now = self.track.now();
        if self.turn.is_none() {
            self.track.keep();
            self.turn = Some(Turn {
                voice_start: at,
                voice_end: now,
                is_told: false,
                words: Words::default(),
                interim: None,
                asked_at: now,
                pause: None,
            });
        }
        let Some(turn) = &mut self.turn else { return };
        turn.voice_end = now;
        let resumed = turn.pause.take_if(|pause| !pause.is_forced).is_some_and(|pause| pause.is_eager_told);
        let due = turn.interim.is_none() && turn.pause.is_none() && now.since(turn.asked_at) >= UPDATE;
        if resumed {
            self.event("TurnResumed", None);
        }
        if due {
            let hearing = self.source.interim(self.piece(false));
            let job = self.start(hearing);
            if let Some(turn) = &mut self.turn {
                (turn.interim, turn.asked_at) = (Some(job), now);
            }
        }
    }

    fn piece(&self, judge: bool) -> Piece {
        let now = self.track.now();
        let (start, voice_end) = self.turn.as_ref().map_or((now, now), |turn| (turn.voice_start, turn.voice_end));
        Piece { sound: self.track.kept().to_vec(), start, voice_end, end: now, judge }
    }

    fn start(&mut self, hearing: Hearing) -> u64 {
        let job = self.next_job;
        self.next_job += 1;
        self.jobs.spawn(async move { (job, hearing.words().await) });
        job
    }

    /// Wants all words of the turn so far, and whether it is over.
    fn ask_whole(&mut self) {
        let piece = self.piece(true);
        let hearing = self.source.whole(piece);
        let job = self.start(hearing);
        if let Some(turn) = &mut self.turn {
            turn.interim = None;
            turn.pause = Some(PauseInTurn { job, words: None, is_eager_told: false, is_forced: false });
        }
    }

    /// The words of a decode.
    fn heard(&mut self, job: u64, words: Words) {
        let Some(turn) = &mut self.turn else { return };
        if turn.interim == Some(job) {
            turn.interim = None;
            if !words.is_empty() {
                turn.words = words;
                self.start_of_turn();
            }
        } else if let Some(pause) = turn.pause.as_mut().filter(|pause| pause.job == job) {
            pause.words = Some(words.clone());
            if !words.is_empty() {
                turn.words = words;
            }
            self.judge();
        }
    }

    fn start_of_turn(&mut self) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| !turn.is_told) {
            turn.is_told = true;
            self.event("StartOfTurn", None);
        }
    }

    /// Whether the turn is over, as far as is known now.
    fn judge(&mut self) {
        let now = self.track.now();
        let Some(turn) = &self.turn else { return };
        let Some(pause) = &turn.pause else { return };
        let Some(words) = &pause.words else { return };
        if turn.words.is_empty() {
            // A cough: no turn has been.
            self.turn = None;
            self.track.let_go();
            self.over_if_closing();
            return;
        }
        let silence = now.since(turn.voice_end);
        let confidence = self.confidence(words, silence);
        let delayed = silence < self.world.options.ears_delay();
        let (forced, eager_told) = (pause.is_forced, pause.is_eager_told);
        self.start_of_turn();
        let eager = self.thresholds.eager.is_some_and(|eager| confidence >= eager);
        let model = self.thresholds.end < 1.0 && confidence >= self.thresholds.end && !delayed;
        let timeout = silence >= self.thresholds.timeout;
        let trigger = match (forced, model, timeout) {
            (true, ..) => Some("manual"),
            (_, true, _) => Some("model"),
            (.., true) => Some("timeout"),
            _ => None,
        };
        // With eager ends, every end of the model's own comes after an eager one.
        if !eager_told && !forced && (eager || (trigger.is_some() && self.thresholds.eager.is_some())) {
            self.event("EagerEndOfTurn", None);
            if let Some(pause) = self.turn.as_mut().and_then(|turn| turn.pause.as_mut()) {
                pause.is_eager_told = true;
            }
        }
        if self.is_closing {
            self.event("Update", None);
            self.is_over = true;
        } else if let Some(trigger) = trigger {
            self.end_of_turn(trigger);
        }
    }

    fn confidence(&self, words: &Words, silence: Duration) -> f64 {
        match words.turn_over {
            Some(over) => {
                let since = silence.saturating_sub(PAUSE).as_secs_f64() / SURER.as_secs_f64();
                1.0 - (1.0 - over) * (-since).exp()
            }
            None if silence < self.world.options.ears_delay() => KNOWN_PAUSED,
            None => KNOWN_OVER,
        }
    }

    fn end_of_turn(&mut self, trigger: &str) {
        self.event("EndOfTurn", Some(trigger));
        if let Some(turn) = self.turn.take() {
            self.world.seen.heard(&turn.words.text());
        }
        self.track.let_go();
        self.turn_index += 1;
        self.window_start = self.track.now();
    }

    fn event(&mut self, event: &str, trigger: Option<&str>) {
        let now = self.track.now();
        self.told_at = now;
        let nothing = Words::default();
        let turn = self.turn.as_ref();
        let words = turn.filter(|turn| turn.is_told).map_or(&nothing, |turn| &turn.words);
        let confidence = match turn.and_then(|turn| turn.pause.as_ref()?.words.as_ref().map(|words| (turn, words))) {
            Some((turn, words)) => self.confidence(words, now.since(turn.voice_end)),
            None => GOING_ON,
        };
        let one = |word: &Word| {
            let (start, end) = (seconds(word.start), seconds(word.end));
            json!({ "word": word.text, "confidence": word.confidence, "start": start, "end": end })
        };
        let mut message = json!({
            "type": "TurnInfo",
            "request_id": self.id,
            "event": event,
            "turn_index": self.turn_index,
            "audio_window_start": seconds(self.window_start),
            "audio_window_end": seconds(now),
            "transcript": words.text(),
            "words": words.words.iter().map(one).collect::<Vec<_>>(),
            "end_of_turn_confidence": confidence,
        });
        if let Some(trigger) = trigger {
            message["trigger"] = json!(trigger);
        }
        if self.asked.multilingual {
            message["languages"] = json!(if words.is_empty() { vec![] } else { vec!["en"] });
            message["languages_hinted"] = json!(self.asked.language_hints);
        }
        self.tell(message);
    }

    fn force(&mut self) {
        if self.turn.is_none() {
            let id = self.id.clone();
            let nothing = "There is no turn to end.";
            self.tell(json!({ "type": "Warning", "request_id": id, "code": "NO_TURN", "description": nothing }));
            return;
        }
        self.ask_whole();
        if let Some(pause) = self.turn.as_mut().and_then(|turn| turn.pause.as_mut()) {
            pause.is_forced = true;
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        if self.turn.is_some() {
            self.ask_whole();
        }
        self.over_if_closing();
    }

    fn over_if_closing(&mut self) {
        self.is_over |= self.is_closing && self.turn.is_none();
    }

    fn configure(&mut self, message: &Value) {
        match self.configured(message) {
            Ok(()) => {
                let mut success = json!({
                    "type": "ConfigureSuccess",
                    "request_id": self.id,
                    "thresholds": {
                        "eager_eot_threshold": self.thresholds.eager,
                        "eot_threshold": self.thresholds.end,
                        "eot_timeout_ms": millis(self.thresholds.timeout),
                    },
                    "keyterms": self.asked.keyterms,
                });
                if self.asked.multilingual {
                    success["language_hints"] = json!(self.asked.language_hints);
                }
                if let Some(numerals) = &self.numerals {
                    success["numerals"] = numerals.clone();
                }
                self.tell(success);
            }
            Err((code, description)) => {
                let id = self.id.clone();
                self.tell(json!({
                    "type": "ConfigureFailure",
                    "request_id": id,
                    "code": code,
                    "description": description,
                }));
            }
        }
    }

    /// All of a new configuration, or nothing of it.
    fn configured(&mut self, message: &Value) -> Result<(), (&'static str, String)> {
        let stated = &message["thresholds"];
        let number = |key: &str, now: f64| stated[key].as_f64().unwrap_or(now);
        let thresholds = Thresholds {
            eager: stated["eager_eot_threshold"].as_f64().or(self.thresholds.eager),
            end: number("eot_threshold", self.thresholds.end),
            timeout: stated["eot_timeout_ms"].as_u64().map_or(self.thresholds.timeout, Duration::from_millis),
        };
        let thresholds = thresholds.checked().map_err(|why| ("INVALID_THRESHOLD", why))?;
        let terms = match &message["keyterms"] {
            Value::String(term) => Some(vec![term.clone()]),
            list @ Value::Array(_) => Some(strings(list)),
            _ => None,
        };
        if terms.as_deref().is_some_and(|terms| !keyterms_fit(terms)) {
            return Err(("KEYTERM_LIMIT_EXCEEDED", format!("More than {KEYTERM_TOKENS_MAX} tokens of keyterms.")));
        }
        if message["language_hints"].is_array() {
            if !self.asked.multilingual {
                let why = "language_hints are for flux-general-multi alone.";
                return Err(("LANGUAGE_HINTS_NOT_SUPPORTED", why.to_owned()));
            }
            self.asked.language_hints = strings(&message["language_hints"]);
        }
        if let Some(terms) = terms {
            self.source.set_keyterms(terms.clone());
            self.asked.keyterms = terms;
        }
        self.thresholds = thresholds;
        self.numerals = Some(message["numerals"].clone()).filter(|numerals| !numerals.is_null());
        Ok(())
    }
}

const UNREADABLE: Fatal = ("UNPARSABLE_CLIENT_MESSAGE", "The client's message could not be parsed.");

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
