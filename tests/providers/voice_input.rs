//! A socket of `stream-input`: texts come in pieces, sound goes out as soon as
//! there is enough text, an empty text is the end.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::socket::{Ended, Incoming, Socket};
use super::voice_request::{Asked, Key, Settings, VoiceError, invalid_key};
use super::voice_sound::{Manner, Piece, speak};
use super::{Provider, World};

/// Texts of one utterance that wait for the voice.
const TEXTS: usize = 256;

/// Messages of sound that wait for the client.
const SOUNDS: usize = 64;

/// `try_trigger_generation` needs so many characters.
const TRIGGER_CHARS: usize = 50;

pub const POLICY: u16 = 1008;
pub const INTERNAL: u16 = 1011;

/// What the speaker of an utterance does.
enum Job {
    Speak(String),
    /// All has been said when this is reached.
    Finish,
}

/// What an utterance gives, with its name.
pub struct Said {
    pub context: Option<String>,
    /// None: it is over.
    pub piece: Option<Piece>,
}

impl Said {
    pub fn to_json(&self) -> Value {
        let alignment = self.piece.as_ref().and_then(|piece| piece.alignment.as_ref());
        let alignment = alignment.map_or(Value::Null, |alignment| alignment.to_json());
        let mut message = json!({
            "audio": self.piece.as_ref().map(|piece| STANDARD.encode(&piece.audio)),
            "isFinal": if self.piece.is_none() { json!(true) } else { Value::Null },
            "alignment": alignment,
            "normalizedAlignment": alignment,
        });
        if let Some(context) = &self.context {
            message["contextId"] = json!(context);
        }
        message
    }
}

pub fn said_channel() -> (mpsc::Sender<Said>, mpsc::Receiver<Said>) {
    mpsc::channel(SOUNDS)
}

/// One utterance: its text until there is enough of it, and who speaks it.
pub struct Utterance {
    settings: Settings,
    is_auto: bool,
    buffer: String,
    /// How many times sound was made by the schedule.
    made: usize,
    jobs: mpsc::Sender<Job>,
}

impl Utterance {
    pub fn new(
        world: &Arc<World>,
        asked: &Asked,
        settings: Settings,
        context: Option<String>,
        said: mpsc::Sender<Said>,
    ) -> Self {
        let (jobs, todo) = mpsc::channel(TEXTS);
        let (speaker, asked_of_it) = (Arc::clone(world), asked.clone());
        let speed = settings.speed;
        world.spawn(async move { talk(speaker, asked_of_it, speed, context, todo, said).await });
        Self { settings, is_auto: asked.is_auto, buffer: String::new(), made: 0, jobs }
    }

    /// More text, with what its message says of speaking it now.
    pub async fn text(&mut self, text: &str, message: &Value) {
        self.buffer.push_str(text);
        let chars = self.buffer.trim().chars().count();
        let flush = message["flush"] == true;
        let trigger = message["try_trigger_generation"] == true && chars >= TRIGGER_CHARS;
        let wanted = self.settings.schedule.get(self.made).or_else(|| self.settings.schedule.last());
        let enough = wanted.is_some_and(|wanted| chars >= *wanted);
        if enough {
            self.made += 1;
        }
        if flush || trigger || enough || self.is_auto {
            self.speak().await;
        }
    }

    /// Speaks what there is.
    pub async fn speak(&mut self) {
        let text = std::mem::take(&mut self.buffer);
        if text.chars().any(char::is_alphanumeric) {
            // The speaker ends with the socket.
            drop(self.jobs.send(Job::Speak(text)).await);
        }
    }

    /// What was not yet to be spoken never is; what was, is spoken to its end.
    pub async fn finish(self) {
        drop(self.jobs.send(Job::Finish).await);
    }
}

async fn talk(
    world: Arc<World>,
    asked: Asked,
    speed: f32,
    context: Option<String>,
    mut todo: mpsc::Receiver<Job>,
    said: mpsc::Sender<Said>,
) {
    let mut delay = world.options.voice_delay();
    while let Some(job) = todo.recv().await {
        let Job::Speak(text) = job else {
            drop(said.send(Said { context, piece: None }).await);
            return;
        };
        world.seen.answered(Provider::Voice, &text);
        let not_before = world.now() + delay;
        // The first text of an utterance is waited for; the next is made while it plays.
        delay = Duration::ZERO;
        let manner = Manner { format: asked.format, speed, is_aligned: asked.is_aligned, not_before };
        let (tell, mut pieces) = mpsc::channel(1);
        let speaking = speak(&world, &text, manner, &tell);
        tokio::pin!(speaking);
        let mut is_made = false;
        loop {
            tokio::select! {
                made = &mut speaking, if !is_made => {
                    is_made = true;
                    if made.is_err() {
                        return;
                    }
                }
                Some(piece) = pieces.recv() => {
                    if said.send(Said { context: context.clone(), piece: Some(piece) }).await.is_err() {
                        return;
                    }
                }
                else => break,
            }
            if is_made && pieces.is_empty() {
                break;
            }
        }
    }
}

/// What a socket came to.
pub enum Over {
    Normally,
    Wrong(VoiceError),
    Ended(Ended),
}

/// Says how it ended, in the vendor's way.
pub async fn close(socket: Socket, over: Over) {
    match over {
        Over::Normally => socket.close_normally().await,
        Over::Wrong(error) => {
            // A close frame has room for 123 bytes of reason.
            let reason: String = error.message.chars().take(120).collect();
            socket.fail(&error.on_socket(POLICY), POLICY, &reason).await;
        }
        Over::Ended(Ended::ErrorOrdered) => {
            let error = VoiceError::new(500, "internal_error", "Internal server error");
            socket.fail(&error.on_socket(INTERNAL), INTERNAL, "Internal server error").await;
        }
        Over::Ended(Ended::Gone) => {}
    }
}

pub fn timed_out(asked: &Asked) -> VoiceError {
    let message = format!(
        "Have not received a new text input within the timeout of {} seconds. Streaming input terminated. Please make \
         sure to either feed the input in the timely manner, or to send the end of input text (empty string \"\") when \
         done.",
        asked.inactivity.as_secs()
    );
    VoiceError::new(408, "input_timeout_exceeded", message)
}

pub fn changed_settings() -> VoiceError {
    let message = "voice_settings may only be provided in the first message.";
    VoiceError::new(400, "invalid_voice_settings", message)
}

pub fn unreadable() -> VoiceError {
    VoiceError::new(400, "invalid_message", "The message could not be parsed.")
}

pub async fn listen(world: Arc<World>, mut socket: Socket, asked: Asked, key: Key) {
    let over = converse(&world, &mut socket, &asked, key).await;
    close(socket, over).await;
}

async fn converse(world: &Arc<World>, socket: &mut Socket, asked: &Asked, key: Key) -> Over {
    let (said, mut sound) = said_channel();
    let mut utterance: Option<Utterance> = None;
    let mut said = Some(said);
    let mut heard_last = world.now();
    loop {
        tokio::select! {
            incoming = socket.receive(), if said.is_some() => {
                heard_last = world.now();
                let message = match incoming {
                    Some(Incoming::Text(message)) => message,
                    Some(_) => return Over::Wrong(unreadable()),
                    None => return Over::Ended(Ended::Gone),
                };
                let text = message["text"].as_str().unwrap_or_default();
                match &mut utterance {
                    None => {
                        if !key.admits(&message) {
                            return Over::Wrong(invalid_key());
                        }
                        let settings = match Settings::read(&message) {
                            Ok(settings) => settings,
                            Err(error) => return Over::Wrong(error),
                        };
                        let Some(said) = &said else { continue };
                        let mut begun = Utterance::new(world, asked, settings, None, said.clone());
                        begun.text(text, &message).await;
                        utterance = Some(begun);
                    }
                    Some(_) if !message["voice_settings"].is_null() => return Over::Wrong(changed_settings()),
                    Some(going_on) if text.is_empty() => {
                        going_on.speak().await;
                        if let Some(ended) = utterance.take() {
                            ended.finish().await;
                        }
                        said = None;
                    }
                    Some(going_on) => going_on.text(text, &message).await,
                }
            }
            spoken = sound.recv() => {
                let Some(spoken) = spoken else { return Over::Wrong(voiceless()) };
                if let Err(ended) = socket.say(spoken.to_json()).await {
                    return Over::Ended(ended);
                }
                if spoken.piece.is_none() {
                    return Over::Normally;
                }
            }
            () = world.clock.sleep_until(heard_last + asked.inactivity), if said.is_some() => {
                return Over::Wrong(timed_out(asked));
            }
        }
    }
}

pub fn voiceless() -> VoiceError {
    VoiceError::new(500, "internal_error", "The stand-in's voice failed.")
}
