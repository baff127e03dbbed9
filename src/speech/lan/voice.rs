use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::WyomingVoiceConfig;
use super::event::{EventReader, Said, Samples, SoundLayout};
use super::payload::{Opening, Synthesize};
use crate::egress::{Door, StreamReceiver};
use crate::media::SampleRate;
use crate::residency::DataClass;
use crate::speech::delivery::{self, Delivery, Gone, SoundLength};
use crate::speech::{
    Awaited, CallSetting, SpeakRequest, Speaking, Synthesizer, Voice, VoiceDeadlines, VoiceError, VoiceEvent,
};
use crate::terms::{Private, UtteranceId};

/// The voice's name in records.
const NAME: &str = "wyoming-voice";

/// Letters of one utterance: about four minutes of speech.
const TEXT_MAX: usize = 4_000;

/// Sound of one utterance, in seconds: the slowest voice needs no more for the
/// longest text.
const SECONDS_MAX: u64 = 600;

/// Slices on the way to a caller of [`WyomingVoice::render`].
const RENDER_QUEUE: usize = 8;

/// A voice in the business's own network. Cheap to share; one serves all calls.
///
/// The protocol knows no pace: a server speaks at its own, whatever is wished.
#[derive(Clone)]
pub struct WyomingVoice {
    parts: Arc<Parts>,
}

struct Parts {
    config: WyomingVoiceConfig,
    door: Door,
    tasks: TaskTracker,
    runtime: Handle,
}

impl WyomingVoice {
    /// Connections are driven by tasks of `tasks` on `runtime`.
    pub fn new(config: WyomingVoiceConfig, door: Door, tasks: TaskTracker, runtime: Handle) -> Self {
        Self { parts: Arc::new(Parts { config, door, tasks, runtime }) }
    }

    /// All of a text at once, for the business's own sentences that are made once
    /// and kept. It must hold no caller's words.
    pub async fn render(
        &self,
        setting: &CallSetting,
        text: &Private<String>,
        rate: SampleRate,
    ) -> Result<Vec<i16>, VoiceError> {
        let (sound, mut made) = mpsc::channel(RENDER_QUEUE);
        let request = SpeakRequest { utterance: UtteranceId(0), text: text.clone(), rate, pace: 1.0 };
        let _speaking = self.start(setting.clone(), request, Purpose::Keeping, sound);
        let mut all = Vec::new();
        while let Some(event) = made.recv().await {
            match event {
                VoiceEvent::Sound { samples, .. } => all.extend(samples),
                VoiceEvent::Marks { .. } | VoiceEvent::Left { .. } => {}
                VoiceEvent::Done { .. } => return Ok(all),
                VoiceEvent::Failed { error, .. } => return Err(error),
            }
        }
        Err(VoiceError::Lost("it stopped in the middle of a sentence"))
    }

    fn start(
        &self,
        setting: CallSetting,
        request: SpeakRequest,
        purpose: Purpose,
        sound: mpsc::Sender<VoiceEvent>,
    ) -> Speaking {
        let cancel = CancellationToken::new();
        let utterance = Utterance { parts: Arc::clone(&self.parts), setting, request, purpose, sound };
        let cancelled = cancel.clone();
        let work = async move {
            // What is not wanted any more is not received either: the connection
            // closes, and the server stops when it notices.
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = utterance.drive() => {}
            }
        };
        self.parts.tasks.spawn_on(work, &self.parts.runtime);
        Speaking::new(cancel)
    }
}

impl Synthesizer for WyomingVoice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, setting: &CallSetting) -> Box<dyn Voice> {
        Box::new(CallVoice { voice: self.clone(), setting: setting.clone() })
    }
}

struct CallVoice {
    voice: WyomingVoice,
    setting: CallSetting,
}

impl Voice for CallVoice {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        self.voice.start(self.setting.clone(), request, Purpose::Call, sound)
    }
}

/// What is done with the sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// A caller hears it as it comes.
    Call,
    /// It is kept, and whoever keeps it judges whether it is of use.
    Keeping,
}

impl Purpose {
    /// What the words are.
    const fn class(self) -> DataClass {
        match self {
            Self::Call => DataClass::Reply,
            Self::Keeping => DataClass::Knowledge,
        }
    }
}

/// One utterance, over a connection of its own.
struct Utterance {
    parts: Arc<Parts>,
    setting: CallSetting,
    request: SpeakRequest,
    purpose: Purpose,
    sound: mpsc::Sender<VoiceEvent>,
}

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
    async fn drive(self) {
        let utterance = self.request.utterance;
        let event = match self.speak().await {
            Ok(()) => VoiceEvent::Done { utterance },
            Err(Stopped::Gone) => return,
            Err(Stopped::Failed(error)) => {
                tracing::debug!(%error, "a sentence was not spoken to its end");
                VoiceEvent::Failed { utterance, error }
            }
        };
        // A call that is gone has dropped its `Speaking` too.
        drop(self.sound.send(event).await);
    }

    async fn speak(&self) -> Result<(), Stopped> {
        let text = self.request.text.expose();
        if text.chars().count() > TEXT_MAX {
            return Err(VoiceError::Engine("the text is longer than four minutes of speech").into());
        }
        if !text.chars().any(char::is_alphanumeric) {
            return Ok(());
        }
        // The server's own pace, which is usual enough for bounds as wide as these.
        let length = SoundLength::of(text, 1.0);
        let receiver = self.ask().await?;
        let mut coming = Coming::new(receiver, self.parts.config.deadlines);
        let (samples, mut delivery) = match coming.next().await? {
            Piece::Start(layout) => self.sound_of(layout)?,
            Piece::Sound(Some(layout), octets) => {
                let (mut samples, mut delivery) = self.sound_of(layout)?;
                delivery.slice(&samples.decode(&octets), Vec::new()).await?;
                (samples, delivery)
            }
            Piece::Sound(None, _) => return Err(VoiceError::Lost("sound without its rate").into()),
            Piece::Stop => return Ok(()),
        };
        let mut spoken = receive(&mut coming, samples, &mut delivery, length).await;
        if spoken.is_ok() && self.purpose == Purpose::Call {
            spoken = delivery.is_long_enough(length).map_err(Stopped::Failed);
        }
        // What came may be played; its end is rounded off however it ended.
        if !matches!(spoken, Err(Stopped::Gone)) {
            delivery.end().await?;
        }
        spoken
    }

    /// Opens a connection, and asks for the sound.
    async fn ask(&self) -> Result<StreamReceiver, VoiceError> {
        let Parts { config, door, .. } = &*self.parts;
        let within = config.deadlines.connect;
        let stalled = VoiceError::Stalled { waiting_for: Awaited::Connection, within };
        let classes = [self.purpose.class()];
        let clear = |error| {
            tracing::debug!(%error, "a sentence stays on the box");
            VoiceError::Kept
        };
        let gate = &self.setting.gate;
        let text = Arc::new(self.request.text.clone());
        let wish = Synthesize::new(text, config.voice.as_deref(), config.speaker.as_deref());
        let wish = gate.clear(&classes, &config.destination, wish).map_err(clear)?;
        let opening = Opening::new(&gate.host(&config.destination, &config.host), within);
        let opening = gate.clear(&classes, &config.destination, opening).map_err(clear)?;
        let asking = async {
            let (mut sender, receiver) = door.stream(self.setting.call, opening).await?;
            sender.send(wish).await?;
            // The connection lasts as long as its receiver.
            Ok(receiver)
        };
        timeout(within, asking)
            .await
            .map_err(|_| stalled)?
            .map_err(|error| delivery::of_send(&error, Awaited::Connection))
    }

    fn sound_of(&self, layout: SoundLayout) -> Result<(Samples, Delivery), VoiceError> {
        let samples = Samples::new(layout).map_err(|_| VoiceError::Lost("its sound has an unknown layout"))?;
        let (utterance, line) = (self.request.utterance, self.request.rate);
        Ok((samples, Delivery::new(utterance, NAME, self.sound.clone(), layout.hz, line)?))
    }
}

/// Brings sound to the call until the server says that it was all.
async fn receive(
    coming: &mut Coming,
    mut samples: Samples,
    delivery: &mut Delivery,
    length: SoundLength,
) -> Result<(), Stopped> {
    loop {
        // Some sound may have come with the beginning.
        delivery.is_short_enough(length)?;
        if delivery.position().as_secs() > SECONDS_MAX {
            return Err(VoiceError::Lost("it sends more sound than the words have").into());
        }
        match coming.next().await? {
            // Each sentence may have a beginning of its own, but no other layout.
            Piece::Start(layout) | Piece::Sound(Some(layout), _) if layout != samples.layout() => {
                return Err(VoiceError::Lost("its sound changed its layout").into());
            }
            Piece::Start(_) => {}
            Piece::Sound(_, octets) => delivery.slice(&samples.decode(&octets), Vec::new()).await?,
            Piece::Stop => return Ok(()),
        }
    }
}

/// What matters of what a server of voices sends.
enum Piece {
    Start(SoundLayout),
    Sound(Option<SoundLayout>, Vec<u8>),
    Stop,
}

/// What comes over the connection, and until when it must have come.
struct Coming {
    receiver: StreamReceiver,
    reader: EventReader,
    deadlines: VoiceDeadlines,
    waiting_for: Awaited,
    /// As it was told last.
    layout: Option<SoundLayout>,
}

impl Coming {
    fn new(receiver: StreamReceiver, deadlines: VoiceDeadlines) -> Self {
        Self { receiver, reader: EventReader::default(), deadlines, waiting_for: Awaited::FirstSound, layout: None }
    }

    async fn next(&mut self) -> Result<Piece, VoiceError> {
        let (waiting_for, within) = match self.waiting_for {
            Awaited::NextSound => (Awaited::NextSound, self.deadlines.next_sound),
            Awaited::Connection | Awaited::FirstSound => (Awaited::FirstSound, self.deadlines.first_sound),
        };
        let piece = timeout(within, self.news()).await.map_err(|_| VoiceError::Stalled { waiting_for, within })??;
        if matches!(piece, Piece::Sound(..)) {
            self.waiting_for = Awaited::NextSound;
        }
        Ok(piece)
    }

    /// What says something: a server that repeats its beginning, or sends empty sound, is
    /// waited for no longer than one that sends nothing.
    async fn news(&mut self) -> Result<Piece, VoiceError> {
        loop {
            let piece = self.piece().await?;
            let (layout, is_empty) = match &piece {
                Piece::Start(layout) => (Some(*layout), true),
                Piece::Sound(layout, octets) => (*layout, octets.is_empty()),
                Piece::Stop => return Ok(piece),
            };
            let is_known = layout.is_none() || layout == self.layout;
            self.layout = layout.or(self.layout);
            if !(is_empty && is_known) {
                return Ok(piece);
            }
        }
    }

    async fn piece(&mut self) -> Result<Piece, VoiceError> {
        loop {
            let event = self.reader.next_event().map_err(|_| VoiceError::Lost("it breaks the protocol"))?;
            match event.map(Said::from) {
                Some(Said::AudioStart(layout)) => return Ok(Piece::Start(layout)),
                Some(Said::AudioChunk(layout, octets)) => return Ok(Piece::Sound(layout, octets)),
                Some(Said::AudioStop) => return Ok(Piece::Stop),
                Some(Said::Error) => return Err(VoiceError::Engine("the server says that it failed")),
                Some(_) => {}
                None => match self.receiver.next().await {
                    Ok(Some(bytes)) => self.reader.push(&bytes),
                    Ok(None) => return Err(VoiceError::Lost("the connection broke off")),
                    Err(error) => return Err(delivery::of_send(&error, self.waiting_for)),
                },
            }
        }
    }
}

impl std::fmt::Debug for WyomingVoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WyomingVoice").field("host", &self.parts.config.host).finish_non_exhaustive()
    }
}
