use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::inbox::{Arrived, Inbox};
use super::marks::{Marks, Order};
use super::payload::Asking;
use super::pieces::piece_ends;
use super::socket::{Begin, Command, More, SAID};
use super::strands::Key;
use super::stream::Stream;
use super::wire::{Sound, SoundDecoder, SoundFormat};
use super::{NAME, Parts};
use crate::residency::DataClass;
use crate::speech::delivery::{Delivery, Gone, SoundLength};
use crate::speech::{Awaited, CallSetting, SpeakRequest, VoiceDeadlines, VoiceError, VoiceEvent};
use crate::terms::Private;

/// Letters of one utterance: about two minutes of speech. A business's longest
/// answer has a few hundred.
const TEXT_MAX: usize = 2_000;

/// A pace outside these is no speech.
const PACES: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// After a pause of this length the sound of a piece is thought to have come whole,
/// where the provider does not tell its letters; the next piece is asked for while
/// the caller still has some to hear.
const NUDGE: Duration = Duration::from_millis(400);

/// One utterance on its way from its words to the call.
pub(super) struct Utterance {
    pub(super) parts: Arc<Parts>,
    pub(super) setting: CallSetting,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) key: Key,
    pub(super) request: SpeakRequest,
    pub(super) sound: mpsc::Sender<VoiceEvent>,
}

/// Why an utterance ended before its end.
enum Stopped {
    Gone,
    Failed(VoiceError),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<VoiceError> for Stopped {
    fn from(error: VoiceError) -> Self {
        Self::Failed(error)
    }
}

impl Utterance {
    /// Speaks, and tells how it ended.
    pub(super) async fn drive(self) {
        let utterance = self.request.utterance;
        let format = SoundFormat::of_line(self.request.rate);
        let (hz, line) = (format.rate().hz(), self.request.rate);
        let delivery = Delivery::new(utterance, NAME, self.sound.clone(), hz, line);
        let event = match delivery {
            Err(error) => VoiceEvent::Failed { utterance, error },
            Ok(mut delivery) => match self.speak(&mut delivery, format).await {
                Ok(()) => VoiceEvent::Done { utterance },
                Err(Stopped::Gone) => return,
                Err(Stopped::Failed(error)) => {
                    tracing::debug!(%error, "a sentence was not spoken to its end");
                    if delivery.end().await.is_err() {
                        return;
                    }
                    VoiceEvent::Failed { utterance, error }
                }
            },
        };
        // A call that is gone has dropped its `Speaking` too.
        drop(self.sound.send(event).await);
    }

    async fn speak(&self, delivery: &mut Delivery, format: SoundFormat) -> Result<(), Stopped> {
        let text = self.request.text.expose();
        if text.chars().count() > TEXT_MAX {
            return Err(VoiceError::Engine("the text is longer than two minutes of speech").into());
        }
        if !PACES.contains(&self.request.pace) {
            return Err(VoiceError::Engine("the pace is not between 0.5 and 2").into());
        }
        let ends = piece_ends(text);
        if ends.is_empty() {
            return Ok(());
        }
        let length = SoundLength::of(text, self.request.pace);
        match self.over_socket(delivery, format, &ends, length).await {
            // The socket may be what ails; a request stands on its own. Once there
            // was sound, another voice takes over where it stopped.
            Err(Stopped::Failed(VoiceError::Lost(why))) if !delivery.has_sounded() => {
                tracing::info!(stage = "voice", engine = NAME, cause = why, "a sentence is streamed over HTTP instead");
                self.over_http(delivery, format, length).await?;
                self.parts.rescued.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            ended => ended,
        }
    }

    async fn over_socket(
        &self,
        delivery: &mut Delivery,
        format: SoundFormat,
        ends: &[usize],
        length: SoundLength,
    ) -> Result<(), Stopped> {
        let whole = Arc::new(self.request.text.clone());
        let mut pieces = Pieces { key: self.key, whole: Arc::clone(&whole), ends, asked: 0 };
        let (inbox, mut arrived) = Inbox::new();
        let Some(first) = pieces.next() else { return Ok(()) };
        let begin = Begin { key: self.key, format, pace: self.request.pace, first, inbox };
        self.command(Command::Begin(begin)).await?;
        let mut listening = Listening {
            marks: Marks::new(whole.expose()),
            decoder: SoundDecoder::new(format),
            // Behind other sentences a socket takes no longer than to be opened anew.
            waiting_for: Awaited::Connection,
            deadlines: self.parts.config.deadlines,
        };
        let mut is_ended = false;
        // Sound came after the words that were asked for last.
        let mut sounds = false;
        loop {
            match listening.next(&mut arrived, pieces.are_left() || (sounds && !is_ended)).await? {
                Next::Sound(sound) => {
                    sounds = true;
                    if listening.marks.follow(&sound.letters) == Order::Broken {
                        return Err(VoiceError::Engine("its sound is out of order").into());
                    }
                    // Of the only piece it need not be known which letters sound.
                    if !is_ended && pieces.are_one() {
                        self.end(&mut is_ended).await?;
                    }
                    listening.deliver(delivery, sound).await?;
                    delivery.is_short_enough(length)?;
                    let has_all = listening.marks.are_past(pieces.asked_to());
                    if has_all && let Some(more) = pieces.next() {
                        self.command(Command::Words(more)).await?;
                        sounds = false;
                    } else if !is_ended && !pieces.are_left() && listening.marks.are_beyond(pieces.asked_to_before()) {
                        self.end(&mut is_ended).await?;
                    }
                }
                Next::Pause => match pieces.next() {
                    Some(more) => {
                        self.command(Command::Words(more)).await?;
                        sounds = false;
                    }
                    // Where letters are not told it would not be known.
                    None => self.end(&mut is_ended).await?,
                },
                Next::Final if pieces.are_left() => {
                    return Err(VoiceError::Lost("it ended before the words did").into());
                }
                Next::Final if listening.marks.has_unspoken() => {
                    return Err(VoiceError::Engine("it ended before its words did").into());
                }
                Next::Final => {
                    delivery.is_long_enough(length)?;
                    return Ok(delivery.end().await?);
                }
            }
        }
    }

    /// The last words sound, so that the context may be closed: it speaks to its end, and
    /// then says so. One that is closed right behind its words may lose them: a busy
    /// provider obeys the close first (pipecat-ai/pipecat#4681, #5271).
    async fn end(&self, is_ended: &mut bool) -> Result<(), Stopped> {
        *is_ended = true;
        self.command(Command::End(self.key)).await
    }

    async fn command(&self, command: Command) -> Result<(), Stopped> {
        // The socket's task ends with its call.
        self.commands.send(command).await.map_err(|_| Stopped::Gone)
    }

    async fn over_http(
        &self,
        delivery: &mut Delivery,
        format: SoundFormat,
        length: SoundLength,
    ) -> Result<(), Stopped> {
        let setting = &self.setting;
        let config = &self.parts.config;
        let asking = Asking::new(config, &setting.gate, DataClass::Reply, setting.hints.language, format);
        let request = asking.stream(self.request.text.expose(), self.request.pace);
        let cleared =
            setting.gate.clear(SAID, &config.destination, request).map_err(|_| Stopped::Failed(VoiceError::Kept))?;
        let mut stream = Stream::open(&self.parts, config.deadlines, setting.call, format, cleared).await?;
        self.parts.bought(self.setting.call, self.request.text.expose());
        while let Some(samples) = stream.next().await? {
            delivery.slice(&samples, Vec::new()).await?;
            delivery.is_short_enough(length)?;
        }
        delivery.is_long_enough(length)?;
        Ok(delivery.end().await?)
    }
}

/// The pieces of an utterance, asked for one after the other.
struct Pieces<'a> {
    key: Key,
    whole: Arc<Private<String>>,
    ends: &'a [usize],
    asked: usize,
}

impl Pieces<'_> {
    fn next(&mut self) -> Option<More> {
        let to = *self.ends.get(self.asked)?;
        let piece = self.whole.expose()[self.asked_to()..to].to_owned();
        self.asked += 1;
        Some(More { key: self.key, piece, whole: Arc::clone(&self.whole) })
    }

    const fn are_one(&self) -> bool {
        self.ends.len() == 1
    }

    const fn are_left(&self) -> bool {
        self.asked < self.ends.len()
    }

    /// The byte after the last piece that was asked for.
    fn asked_to(&self) -> usize {
        self.end_of(self.asked)
    }

    /// The byte after the piece before that.
    fn asked_to_before(&self) -> usize {
        self.end_of(self.asked.saturating_sub(1))
    }

    fn end_of(&self, pieces: usize) -> usize {
        pieces.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }
}

/// What comes for an utterance, and until when it must have come.
struct Listening {
    marks: Marks,
    decoder: SoundDecoder,
    waiting_for: Awaited,
    deadlines: VoiceDeadlines,
}

enum Next {
    Sound(Sound),
    /// Nothing came for a while, and there is more to be said to the provider.
    Pause,
    Final,
}

impl Listening {
    async fn next(&mut self, arrived: &mut mpsc::Receiver<Arrived>, more: bool) -> Result<Next, VoiceError> {
        loop {
            let deadlines = self.deadlines;
            let (within, may_ask) = match self.waiting_for {
                Awaited::Connection => (deadlines.connect, false),
                Awaited::FirstSound => (deadlines.first_sound, false),
                Awaited::NextSound if more => (NUDGE.min(deadlines.next_sound), true),
                Awaited::NextSound => (deadlines.next_sound, false),
            };
            let waiting_for = self.waiting_for;
            match timeout(within, arrived.recv()).await {
                Err(_) if may_ask => {
                    self.waiting_for = Awaited::NextSound;
                    return Ok(Next::Pause);
                }
                Err(_) => return Err(VoiceError::Stalled { waiting_for, within }),
                Ok(None) => return Err(VoiceError::Lost("the call's socket is gone")),
                Ok(Some(Arrived::Begun)) => self.waiting_for = Awaited::FirstSound,
                Ok(Some(Arrived::Sound(held))) => {
                    self.waiting_for = Awaited::NextSound;
                    return Ok(Next::Sound(held.sound));
                }
                Ok(Some(Arrived::Final)) => return Ok(Next::Final),
                Ok(Some(Arrived::Failed(error))) => return Err(error),
            }
        }
    }

    async fn deliver(&mut self, delivery: &mut Delivery, sound: Sound) -> Result<(), Gone> {
        // The provider reckons the letters of each message from its own first sample.
        let ends = self.marks.words(&sound.letters, delivery.position());
        let samples = self.decoder.decode(&sound.octets);
        delivery.slice(&samples, ends).await
    }
}
