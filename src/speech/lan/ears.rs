use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::config::WyomingEarsConfig;
use super::event::{EventReader, Said};
use super::payload::{Heard as HeardSound, Opening, SOUND_STARTS, SOUND_STOPS, Transcribe};
use crate::egress::{Door, SendError, StreamReceiver, StreamSender};
use crate::media::{Frame, SampleRate};
use crate::residency::{Cleared, DataClass, Payload};
use crate::speech::onbox::MomentSource;
use crate::speech::onbox::turn_sound::{SILENCE, TurnSound, has_voice, length};
use crate::speech::onbox::whisper::words::{cleaned, compression, is_phantom, repeats};
use crate::speech::{AwaitedWords, CallSetting, Confidence, EarsError, EarsEvent, Heard, Hearing, Transcriber};
use crate::terms::{Moment, Private, RequestId};

/// The ears' name in records.
const NAME: &str = "wyoming-ears";

/// A caller's voice is the most that goes to the server.
const HEARD: &[DataClass] = &[DataClass::CallAudio];

/// Octets of the words of one turn. Half a minute of speech has some six hundred.
const WORDS_MAX: usize = 16 << 10;

/// The protocol tells nothing of how sure a server is. Its words are acted on;
/// nothing more is built on them.
const UNKNOWN_LOG_PROBABILITY: f32 = -0.7;

/// Sound without a voice has no words.
const NOTHING: Confidence =
    Confidence { mean_log_probability: -10.0, no_speech: 1.0, compression: 1.0, repeats: false };

/// Ears in the business's own network. Cheap to share; they serve all calls.
///
/// The sound of a turn goes when its words are wanted: such a network carries half a
/// minute in some milliseconds, and most servers listen only when they have all. The
/// protocol knows no judgement of turns.
pub struct WyomingEars {
    parts: Arc<Parts>,
}

struct Parts {
    config: WyomingEarsConfig,
    door: Door,
    tasks: TaskTracker,
    runtime: Handle,
    now: MomentSource,
}

impl WyomingEars {
    /// Connections are driven by tasks of `tasks` on `runtime`.
    pub fn new(config: WyomingEarsConfig, door: Door, tasks: TaskTracker, runtime: Handle, now: MomentSource) -> Self {
        Self { parts: Arc::new(Parts { config, door, tasks, runtime, now }) }
    }
}

impl std::fmt::Debug for WyomingEars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WyomingEars").field("host", &self.parts.config.host).finish_non_exhaustive()
    }
}

impl Transcriber for WyomingEars {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        Box::new(WyomingHearing {
            parts: Arc::clone(&self.parts),
            setting: setting.clone(),
            sound: TurnSound::default(),
            answers,
            decoding: None,
        })
    }
}

/// One call's ears.
struct WyomingHearing {
    parts: Arc<Parts>,
    setting: CallSetting,
    sound: TurnSound,
    answers: mpsc::Sender<EarsEvent>,
    /// Ends the decode that was asked for last.
    decoding: Option<DropGuard>,
}

/// Whose words are wanted, and since when.
struct Wish {
    request: RequestId,
    asked: Moment,
    sound: Duration,
}

impl Hearing for WyomingHearing {
    fn line_answered(&mut self, _rate: SampleRate) {}

    fn frame(&mut self, frame: &Frame, at: Moment) {
        self.sound.push(frame, at);
    }

    fn turn_began(&mut self, at: Moment) {
        self.sound.began(at);
    }

    /// Sends all of the turn's sound. What was asked before is not wanted.
    fn decode(&mut self, request: RequestId) {
        let sound = self.sound.all();
        let wish = Wish { request, asked: (self.parts.now)(), sound: length(&sound) };
        if !has_voice(&sound) {
            self.decoding = None;
            let now = (self.parts.now)();
            answer(&self.answers, EarsEvent::Heard(Heard { engine: SILENCE, ..heard(&wish, "", now) }));
            return;
        }
        let server = Server { parts: Arc::clone(&self.parts), setting: self.setting.clone() };
        let answers = self.answers.clone();
        let work = async move {
            let words = server.words_of(sound).await;
            server.tell(&answers, &wish, words);
        };
        self.decoding = Some(self.spawn(work));
    }

    fn judge(&mut self, _request: RequestId) {}

    fn abandon(&mut self) {
        self.decoding = None;
    }
}

impl WyomingHearing {
    /// Until the guard is dropped.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> DropGuard {
        let cancel = CancellationToken::new();
        let cancelled = cancel.clone();
        let work = async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = work => {}
            }
        };
        self.parts.tasks.spawn_on(work, &self.parts.runtime);
        cancel.drop_guard()
    }
}

/// A call that does not take its answers is over or stuck.
fn answer(answers: &mpsc::Sender<EarsEvent>, event: EarsEvent) {
    if answers.try_send(event).is_err() {
        tracing::debug!("an answer of the ears was not taken");
    }
}

fn heard(wish: &Wish, words: &str, now: Moment) -> Heard {
    let words = cleaned(words);
    // Its servers are Whisper as a rule, and hear in noise what Whisper hears there.
    // Nobody says how sure it is of them, so the caller is asked again.
    let is_phantom = is_phantom(&words, UNKNOWN_LOG_PROBABILITY);
    let words = if is_phantom { String::new() } else { words };
    let confidence = if words.is_empty() {
        NOTHING
    } else {
        Confidence {
            mean_log_probability: UNKNOWN_LOG_PROBABILITY,
            no_speech: 0.0,
            compression: compression(&words),
            repeats: repeats(&words),
        }
    };
    Heard {
        request: wish.request,
        words: Private::new(words),
        confidence,
        engine: NAME,
        took: now.since(wish.asked),
        sound: wish.sound,
    }
}

/// The server, as one turn of a call sees it.
struct Server {
    parts: Arc<Parts>,
    setting: CallSetting,
}

impl Server {
    fn tell(&self, answers: &mpsc::Sender<EarsEvent>, wish: &Wish, words: Result<String, EarsError>) {
        let event = match words {
            Ok(words) => EarsEvent::Heard(heard(wish, &words, (self.parts.now)())),
            Err(error) => {
                tracing::debug!(%error, "a turn was not transcribed");
                EarsEvent::Failed { request: wish.request, error }
            }
        };
        answer(answers, event);
    }

    /// The words of a turn whose sound is all there.
    async fn words_of(&self, sound: Vec<i16>) -> Result<String, EarsError> {
        let (mut sender, receiver) = self.connect().await?;
        self.send(&mut sender, sound).await?;
        self.words(sender, receiver).await
    }

    /// A connection on which the server expects sound.
    async fn connect(&self) -> Result<(StreamSender, StreamReceiver), EarsError> {
        let Parts { config, door, .. } = &*self.parts;
        let hints = &self.setting.hints;
        // The hints are the business's own words, and stay where those stay.
        let knowledge = [DataClass::CallAudio, DataClass::Knowledge];
        let may_hint = self.setting.gate.may_go(&knowledge, &config.destination) && !hints.words.is_empty();
        let (classes, words) = if may_hint { (&knowledge[..], &hints.words[..]) } else { (HEARD, &[][..]) };
        let host = self.setting.gate.host(&config.destination, &config.host);
        let opening = self.cleared(HEARD, Opening::new(&host, config.connect))?;
        let language = hints.language.iso_639_1();
        let wish = self.cleared(classes, Transcribe::new(config.model.as_deref(), language, words))?;
        let connecting = async {
            let (mut sender, receiver) = door.stream(self.setting.call, opening).await?;
            sender.send(wish).await?;
            sender.send_fixed(SOUND_STARTS).await?;
            Ok((sender, receiver))
        };
        in_time(connecting, AwaitedWords::Connection, config.connect).await
    }

    async fn send(&self, sender: &mut StreamSender, sound: Vec<i16>) -> Result<(), EarsError> {
        let sound = self.cleared(HEARD, HeardSound::new(sound))?;
        in_time(sender.send(sound), AwaitedWords::Uplink, self.parts.config.words).await
    }

    /// The words of all the sound that was sent.
    async fn words(&self, mut sender: StreamSender, receiver: StreamReceiver) -> Result<String, EarsError> {
        let within = self.parts.config.words;
        in_time(sender.send_fixed(SOUND_STOPS), AwaitedWords::Uplink, within).await?;
        let stalled = EarsError::Stalled { waiting_for: AwaitedWords::Words, within };
        timeout(within, transcript(receiver)).await.map_err(|_| stalled)?
    }

    fn cleared<T: Payload>(&self, classes: &[DataClass], payload: T) -> Result<Cleared<T>, EarsError> {
        let cleared = self.setting.gate.clear(classes, &self.parts.config.destination, payload);
        cleared.map_err(|refused| {
            tracing::debug!(%refused, "a turn stays on the box");
            EarsError::Kept
        })
    }
}

/// Reads until the words are complete.
async fn transcript(mut receiver: StreamReceiver) -> Result<String, EarsError> {
    let mut reader = EventReader::default();
    let mut forming = String::new();
    loop {
        let event = reader.next_event().map_err(|_| EarsError::Lost("it breaks the protocol"))?;
        match event.map(Said::from) {
            Some(Said::Transcript(words)) => return bounded(words),
            Some(Said::TranscriptChunk(words)) => {
                forming.push_str(&words);
                forming = bounded(forming)?;
            }
            // Servers that stream send the whole as well, and before this; one that
            // does not has said it in pieces.
            Some(Said::TranscriptStop) => return Ok(forming),
            Some(Said::Error) => return Err(EarsError::Engine("the server says that it failed")),
            Some(_) => {}
            None => match receiver.next().await {
                Ok(Some(bytes)) => reader.push(&bytes),
                Ok(None) => return Err(EarsError::Lost("the connection broke off")),
                Err(error) => return Err(of_send(&error, AwaitedWords::Words)),
            },
        }
    }
}

fn bounded(words: String) -> Result<String, EarsError> {
    if words.len() > WORDS_MAX { Err(EarsError::Lost("it hears more words than a turn has")) } else { Ok(words) }
}

async fn in_time<T>(
    work: impl Future<Output = Result<T, SendError>>,
    waiting_for: AwaitedWords,
    within: Duration,
) -> Result<T, EarsError> {
    timeout(within, work)
        .await
        .map_err(|_| EarsError::Stalled { waiting_for, within })?
        .map_err(|error| of_send(&error, waiting_for))
}

fn of_send(error: &SendError, waiting_for: AwaitedWords) -> EarsError {
    match error {
        SendError::HeldBack(_) => EarsError::Kept,
        SendError::Malformed { .. } => EarsError::NotServed("its configuration makes no request"),
        SendError::Certificate { .. } => EarsError::Lost("its certificate is not trusted"),
        SendError::Resolve { .. } => EarsError::Lost("its name cannot be resolved"),
        SendError::Connect { .. } => EarsError::Lost("it cannot be reached"),
        SendError::ConnectTimedOut { within, .. } => {
            EarsError::Stalled { waiting_for: AwaitedWords::Connection, within: *within }
        }
        SendError::AnswerTimedOut { within, .. } => EarsError::Stalled { waiting_for, within: *within },
        SendError::Handshake { .. } | SendError::Redirect { .. } | SendError::Protocol { .. } => {
            EarsError::Lost("it breaks the protocol")
        }
        SendError::TooLarge { .. } => EarsError::Lost("a message is too large"),
        SendError::Closed { .. } => EarsError::Lost("the connection broke off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_whisper_hears_in_noise_is_nothing_and_a_sentence_is_acted_on() {
        let wish = || Wish { request: RequestId(1), asked: Moment::START, sound: Duration::from_secs(1) };
        let phantom = heard(&wish(), " Thank you.", Moment::START);
        assert_eq!((phantom.words.expose().as_str(), phantom.confidence.no_speech), ("", 1.0));
        let sentence = heard(&wish(), " Thank you, when do you open?", Moment::START);
        assert_eq!(sentence.words.expose(), "Thank you, when do you open?");
        assert!(sentence.confidence.no_speech < 0.5);
    }
}
