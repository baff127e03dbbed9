//! A stream of `/v1/listen`: interim results while sound comes, finals by the
//! endpointing of the stand-in's own voice activity. Time is that of the sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use milu::media::{Frame, VoiceFact};
use milu::terms::Moment;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::World;
use super::ears_query::{KEYTERM_TOKENS_MAX, ListenV1, keyterms_fit};
use super::ears_sound::{SoundDecoder, Track, length, seconds};
use super::ears_words::{Piece, WordSource, Words};
use super::socket::{Ended, Incoming, Socket};

/// Pieces and messages on their way between the stream and its clerk; a minute
/// of speech has some fifty.
const QUEUE: usize = 256;

/// How often interim results come.
const INTERIM: Duration = Duration::from_millis(250);

/// Voice activity says that voice has paused after this.
const PAUSE: Duration = Duration::from_millis(200);

/// Without endpointing a piece of speech is final after so long a pause.
const UNENDED: Duration = Duration::from_secs(1);

/// A piece that is longer than this is final at the next pause, although the
/// speech is not: finals come every few seconds.
const PIECE: Duration = Duration::from_secs(3);

/// A piece is never longer, pause or not.
const PIECE_MAX: Duration = Duration::from_secs(14);

/// In silence an empty result says that the stream is alive.
const SILENT: Duration = Duration::from_secs(5);

/// Less sound than this has nothing to finalize.
const LEAST: Duration = Duration::from_millis(100);

/// Neither sound nor a sign of life for so long ends the stream.
const IDLE: Duration = Duration::from_secs(10);

const INTERNAL: u16 = 1011;
const POLICY: u16 = 1008;
const NET_0001: &str = "Deepgram did not receive audio data or a text message within the timeout window. \
                        See https://dpgr.am/net0001";
const DATA_0000: &str = "The payload cannot be decoded as audio. It is either not audio data or is a codec \
                         unsupported by Deepgram.";

pub async fn listen(world: Arc<World>, mut socket: Socket, asked: ListenV1, id: String) {
    let Ok(decoder) = SoundDecoder::new(asked.sound.encoding, asked.sound.rate) else {
        return socket.close(INTERNAL, "The stand-in has no decoder").await;
    };
    let Some(source) = WordSource::open(&world, asked.keyterms.clone()).await else {
        return socket.close(INTERNAL, "The stand-in has no ears").await;
    };
    let (work, works) = mpsc::channel(QUEUE);
    let (tell, mut told) = mpsc::channel(QUEUE);
    let (waiting, finals) = (Arc::new(AtomicUsize::new(0)), Arc::new(Finals::default()));
    let clerk = Clerk {
        world: Arc::clone(&world),
        source,
        asked: asked.clone(),
        id: id.clone(),
        tell,
        waiting: Arc::clone(&waiting),
        finals: Arc::clone(&finals),
        interim_told: false,
        last_word_end: None,
    };
    world.spawn(clerk.work(works));
    let mut stream = Stream::new(Arc::clone(&world), asked, decoder, work, waiting, finals);
    let mut heard_last = world.now();
    let ended = loop {
        tokio::select! {
            incoming = socket.receive() => {
                let Some(incoming) = incoming else { break Ended::Gone };
                heard_last = world.now();
                match stream.take(incoming, &id).await {
                    Taken::Nothing => {}
                    Taken::Say(message) => if let Err(ended) = socket.say(message).await { break ended },
                    Taken::NotSound => return socket.close(POLICY, DATA_0000).await,
                }
            }
            told = told.recv() => match told {
                Some(Told::Say(message)) => if let Err(ended) = socket.say(message).await { break ended },
                Some(Told::Close) | None => return socket.close_normally().await,
            },
            () = world.clock.sleep_until(heard_last + IDLE) => return socket.close(INTERNAL, NET_0001).await,
        }
    };
    if ended == Ended::ErrorOrdered {
        let error = json!({
            "type": "Error",
            "variant": "InternalServerError",
            "description": "An internal error ended the stream.",
            "message": "",
        });
        socket.fail(&error, INTERNAL, "Internal server error").await;
    }
}

/// What became of a client's message.
enum Taken {
    Nothing,
    Say(Value),
    NotSound,
}

/// The words that are wanted, in order.
enum Work {
    Interim(Piece, Moment),
    Final(Final),
    UtteranceEnd,
    Keyterms(Vec<String>),
    Close { heard: Duration },
}

/// Why a piece is final.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It is long enough, or there is nothing in it.
    Piece,
    /// The speech is over.
    Speech,
    /// The client asked.
    Finalize,
}

struct Final {
    /// None: nothing was said in it.
    piece: Option<Piece>,
    start: Moment,
    end: Moment,
    ending: Ending,
    /// The words are not said before, in the machine's time.
    due: Moment,
}

/// Finals that wait for the clerk: they are worth more than interim words.
#[derive(Default)]
struct Finals {
    waiting: AtomicUsize,
    come: Notify,
}

impl Finals {
    /// Ends when a final waits.
    async fn wait(&self) {
        loop {
            let come = self.come.notified();
            if self.waiting.load(Ordering::SeqCst) > 0 {
                return;
            }
            come.await;
        }
    }
}

enum Told {
    Say(Value),
    Close,
}

/// Somebody speaks, until the endpoint.
struct Utterance {
    /// Where voice began in the present piece.
    voice_start: Moment,
    voice_end: Moment,
    /// Whether there is voice in the present piece.
    has_voice: bool,
    /// When interim words were asked for last.
    interim: Moment,
}

struct Stream {
    world: Arc<World>,
    asked: ListenV1,
    decoder: SoundDecoder,
    track: Track,
    utterance: Option<Utterance>,
    /// Voice that ended and is not yet said to have.
    unended: Option<Moment>,
    /// Until where results have been given.
    resulted: Moment,
    heard: Duration,
    work: mpsc::Sender<Work>,
    waiting: Arc<AtomicUsize>,
    finals: Arc<Finals>,
}

impl Stream {
    fn new(
        world: Arc<World>,
        asked: ListenV1,
        decoder: SoundDecoder,
        work: mpsc::Sender<Work>,
        waiting: Arc<AtomicUsize>,
        finals: Arc<Finals>,
    ) -> Self {
        Self {
            world,
            asked,
            decoder,
            track: Track::new(),
            utterance: None,
            unended: None,
            resulted: Moment::START,
            heard: Duration::ZERO,
            work,
            waiting,
            finals,
        }
    }

    async fn take(&mut self, incoming: Incoming, id: &str) -> Taken {
        match incoming {
            // An empty payload is an older way to close the stream.
            Incoming::Binary(bytes) if bytes.is_empty() => self.close().await,
            Incoming::Binary(bytes) => return self.sound(&bytes).await,
            Incoming::Unreadable(text) => return Taken::Say(schema_error(&text)),
            Incoming::Text(message) => match message["type"].as_str() {
                Some("KeepAlive") => {}
                Some("Finalize") => self.finalize().await,
                Some("CloseStream") => self.close().await,
                Some("Configure") => return Taken::Say(self.configure(&message, id).await),
                _ => return Taken::Say(schema_error(&message.to_string())),
            },
        }
        Taken::Nothing
    }

    async fn sound(&mut self, bytes: &[u8]) -> Taken {
        let Ok(frames) = self.decoder.push(bytes) else { return Taken::NotSound };
        let mut message = None;
        for frame in &frames {
            message = self.frame(frame).await.or(message);
        }
        message.map_or(Taken::Nothing, Taken::Say)
    }

    async fn frame(&mut self, frame: &Frame) -> Option<Value> {
        let fact = self.track.hear(frame);
        let now = self.track.now();
        self.heard += length(frame.samples());
        self.world.seen.count(super::Provider::Ears, |received| received.sound_ms += 20);
        self.world.seen.sound(frame.samples());
        let mut message = None;
        if let Some(VoiceFact::Started { at }) = fact {
            self.unended = None;
            if self.asked.vad_events {
                let timestamp = seconds(at);
                message = Some(json!({ "type": "SpeechStarted", "channel": [0, 1], "timestamp": timestamp }));
            }
        }
        if self.track.is_speaking() {
            self.voice(if let Some(VoiceFact::Started { at }) = fact { at } else { now }).await;
        } else {
            if let (Some(VoiceFact::Paused { at }), Some(utterance)) = (fact, &mut self.utterance) {
                utterance.voice_end = at;
                self.unended = Some(at);
            }
            self.pause().await;
        }
        message
    }

    /// A frame of voice that began `at` if nobody was speaking.
    async fn voice(&mut self, at: Moment) {
        let now = self.track.now();
        if self.utterance.is_none() {
            self.track.keep();
            self.utterance = Some(Utterance { voice_start: at, voice_end: now, has_voice: true, interim: now });
        }
        let Some(utterance) = &mut self.utterance else { return };
        if !utterance.has_voice {
            (utterance.voice_start, utterance.has_voice) = (at, true);
        }
        utterance.voice_end = now;
        if length(self.track.kept()) >= PIECE_MAX {
            return self.give(Ending::Piece).await;
        }
        // While a decode runs the next one waits: this machine has other things to do.
        let idle = self.waiting.load(Ordering::SeqCst) == 0;
        if self.asked.interim_results && idle && now.since(utterance.interim) >= INTERIM {
            utterance.interim = now;
            let piece = self.piece(self.track.kept().to_vec());
            self.hand_in(Work::Interim(piece, now)).await;
        }
    }

    async fn pause(&mut self) {
        let now = self.track.now();
        if let Some(utterance) = &self.utterance {
            let silence = now.since(utterance.voice_end);
            let (end, ending) = match self.asked.endpointing {
                Some(endpointing) => (endpointing.max(PAUSE), Ending::Speech),
                None => (UNENDED, Ending::Piece),
            };
            let long = utterance.has_voice && length(self.track.kept()) >= PIECE;
            if silence >= end {
                self.give(ending).await;
                self.utterance = None;
                self.track.let_go();
            } else if long {
                self.give(Ending::Piece).await;
            }
        } else if now.since(self.resulted) >= SILENT {
            self.give(Ending::Piece).await;
        }
        if let (Some(after), Some(ended)) = (self.asked.utterance_end, self.unended)
            && now.since(ended) >= after
        {
            self.unended = None;
            if self.utterance.as_ref().is_some_and(|utterance| utterance.has_voice) {
                self.give(Ending::Piece).await;
            }
            self.hand_in(Work::UtteranceEnd).await;
        }
    }

    /// Makes the present piece final.
    async fn give(&mut self, ending: Ending) {
        let now = self.track.now();
        let (start, mut silence) = (self.resulted, Duration::ZERO);
        let mut piece = None;
        if let Some(utterance) = &self.utterance {
            silence = now.since(utterance.voice_end);
            if utterance.has_voice {
                let sound = self.track.kept().to_vec();
                piece = Some(self.piece(sound));
            }
            self.track.cut();
        }
        if let Some(utterance) = &mut self.utterance {
            (utterance.voice_start, utterance.has_voice) = (now, false);
        }
        self.resulted = now;
        // The delay counts from the end of speech, which lies in the past.
        let due = self.world.now() + self.world.options.ears_delay() - silence;
        self.hand_in(Work::Final(Final { piece, start, end: now, ending, due })).await;
    }

    fn piece(&self, sound: Vec<i16>) -> Piece {
        let now = self.track.now();
        let (start, voice_end) = self.utterance.as_ref().map_or((now, now), |u| (u.voice_start, u.voice_end));
        Piece { sound, start, voice_end, end: now, judge: false }
    }

    async fn finalize(&mut self) {
        let pending = self.utterance.as_ref().is_some_and(|utterance| utterance.has_voice);
        if pending && length(self.track.kept()) >= LEAST {
            self.give(Ending::Finalize).await;
            self.utterance = None;
            self.track.let_go();
        }
    }

    async fn close(&mut self) {
        if self.utterance.as_ref().is_some_and(|utterance| utterance.has_voice) {
            self.give(Ending::Speech).await;
        }
        self.hand_in(Work::Close { heard: self.heard }).await;
    }

    async fn configure(&mut self, message: &Value, id: &str) -> Value {
        let failure = |code: &str, description: &str| json!({ "type": "ConfigureFailure", "request_id": id, "code": code, "description": description });
        let Some(terms) = message["keyterms"].as_array() else {
            return json!({ "type": "ConfigureSuccess", "request_id": id });
        };
        if !self.asked.model.starts_with("nova-3") {
            return failure("CONFIGURE_KEYTERMS_NOT_SUPPORTED", "Keyterms can be updated on Nova-3 models only.");
        }
        let terms: Vec<String> = terms.iter().filter_map(|term| term.as_str()).map(str::to_owned).collect();
        if !keyterms_fit(&terms) {
            let limit = format!("The keyterms exceed the limit of {KEYTERM_TOKENS_MAX} tokens.");
            return failure("CONFIGURE_KEYTERM_LIMIT_EXCEEDED", &limit);
        }
        self.hand_in(Work::Keyterms(terms.clone())).await;
        json!({ "type": "ConfigureSuccess", "request_id": id, "keyterms": terms })
    }

    async fn hand_in(&mut self, work: Work) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if matches!(work, Work::Final(_)) {
            self.finals.waiting.fetch_add(1, Ordering::SeqCst);
            self.finals.come.notify_waiters();
        }
        // The clerk ends with the stream.
        drop(self.work.send(work).await);
    }
}

fn schema_error(text: &str) -> Value {
    json!({
        "type": "Error",
        "variant": "SchemaError",
        "description": "Could not deserialize last text message.",
        "message": text,
    })
}

/// Makes the words out, one piece after another, so that results stay in order.
struct Clerk {
    world: Arc<World>,
    source: WordSource,
    asked: ListenV1,
    id: String,
    tell: mpsc::Sender<Told>,
    waiting: Arc<AtomicUsize>,
    finals: Arc<Finals>,
    /// Whether there were interim words since the last final ones.
    interim_told: bool,
    /// Of final words after which no end of the utterance was said.
    last_word_end: Option<Moment>,
}

impl Clerk {
    async fn work(mut self, mut works: mpsc::Receiver<Work>) {
        while let Some(work) = works.recv().await {
            let told = self.told(work).await;
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            for told in told {
                if self.tell.send(told).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn told(&mut self, work: Work) -> Vec<Told> {
        match work {
            Work::Interim(piece, now) => {
                let (start, hearing) = (piece.start, self.source.interim(piece));
                let words = tokio::select! {
                    words = hearing.words() => words,
                    // On a busy machine too, there are interim words once.
                    () = self.finals.wait(), if self.interim_told => return Vec::new(),
                };
                if words.is_empty() {
                    return Vec::new();
                }
                self.interim_told = true;
                let facts = json!({ "is_final": false, "speech_final": false, "from_finalize": false });
                vec![Told::Say(self.results(&words, start, now, &facts))]
            }
            Work::Final(wanted) => vec![Told::Say(self.final_words(wanted).await)],
            Work::UtteranceEnd => match self.last_word_end.take() {
                Some(end) => {
                    let end = seconds(end);
                    vec![Told::Say(json!({ "type": "UtteranceEnd", "channel": [0, 1], "last_word_end": end }))]
                }
                None => Vec::new(),
            },
            Work::Keyterms(terms) => {
                self.source.set_keyterms(terms);
                Vec::new()
            }
            Work::Close { heard } => vec![Told::Say(self.metadata(heard)), Told::Close],
        }
    }

    async fn final_words(&mut self, wanted: Final) -> Value {
        self.finals.waiting.fetch_sub(1, Ordering::SeqCst);
        self.interim_told = false;
        let words = match wanted.piece {
            Some(piece) => self.source.whole(piece).words().await,
            None => Words::default(),
        };
        self.world.clock.sleep_until(wanted.due).await;
        if let Some(word) = words.words.last() {
            self.last_word_end = Some(word.end);
            self.world.seen.heard(&words.text());
        }
        let facts = json!({
            "is_final": true,
            "speech_final": wanted.ending != Ending::Piece,
            "from_finalize": wanted.ending == Ending::Finalize,
        });
        self.results(&words, wanted.start, wanted.end, &facts)
    }

    fn results(&self, words: &Words, start: Moment, end: Moment, facts: &Value) -> Value {
        let formatted = self.asked.formatted;
        let one = |word: &super::ears_words::Word| {
            let mut one = json!({
                "word": plain(&word.text),
                "start": seconds(word.start),
                "end": seconds(word.end),
                "confidence": word.confidence,
            });
            if formatted {
                one["punctuated_word"] = Value::from(word.text.as_str());
            }
            one
        };
        let transcript = if formatted { words.text() } else { plain(&words.text()) };
        let mut results = json!({
            "type": "Results",
            "channel_index": [0, 1],
            "start": seconds(start),
            "duration": end.since(start).as_secs_f64(),
            "channel": { "alternatives": [{
                "transcript": transcript,
                "confidence": words.confidence,
                "words": words.words.iter().map(one).collect::<Vec<_>>(),
            }] },
            "metadata": {
                "request_id": self.id,
                "model_info": { "name": self.asked.model, "version": "2026-01-01.0", "arch": "stand-in" },
                "model_uuid": "5ead0000-0000-4000-8000-00000000ea25",
            },
        });
        for (key, fact) in facts.as_object().into_iter().flatten() {
            results[key.as_str()] = fact.clone();
        }
        results
    }

    fn metadata(&self, heard: Duration) -> Value {
        json!({
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self.id,
            "sha256": "0".repeat(64),
            "created": self.world.clock.wall().to_string(),
            "duration": heard.as_secs_f64(),
            "channels": 1,
        })
    }
}

/// Without punctuation and capitals, as the vendor writes when it is not asked for them.
fn plain(text: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '\'' | '-');
    text.chars().filter(kept).flat_map(char::to_lowercase).collect()
}
