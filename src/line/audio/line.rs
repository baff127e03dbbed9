//! A line of one sound device: it offers a call when its trigger says so, and carries
//! between the desk, the sound and the key. One call at a time.

use std::future::pending;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::call::MediaFacts;
use crate::line::sound_card::{CardEnd, CardName, CardSettings, CardState, CardUse, CardView, SoundCard};
use crate::line::{
    EarFrame, EventEnd, LegCommand, LegEnd, LegEvent, Line, LineHealth, LineState, MediaClock, MouthEnd, Offer,
    ReadClock, Rhythm, leg,
};
use crate::media::{EchoCanceller, SampleRate};
use crate::terms::{EndCause, LineId};

use super::key::{CallKey, InputDeviceKey, KeyEvent, KeyPresser, PRESSES};
use super::port::{AudioPort, CODEC, Control, Idle, PortHandle, PortNotice, PortParts};
use super::trigger::{CallStart, Microphone, Trigger, Wish};

/// The clock's thread ends a call's sound within two ticks; a thread that is gone must
/// not hold the call up.
const END_PATIENCE: Duration = Duration::from_millis(200);

/// Losses within one call from which on a technician should look at the card.
const MANY_XRUNS: u32 = 50;

/// Whether loudspeaker and microphone hear one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EchoPath {
    /// They stand in one room: the box's own voice is taken out.
    Room,
    /// A handset: there is nothing to take out.
    Handset,
}

#[derive(Clone, Debug)]
pub struct AudioLineConfig {
    pub id: LineId,
    pub card: CardName,
    pub rate: SampleRate,
    /// The only rate at which the card may run; its best where there is none.
    pub card_hz: Option<u32>,
    pub start: CallStart,
    /// The input device of the key, and the key that counts on it.
    pub key: Option<(PathBuf, Option<u16>)>,
    pub echo: EchoPath,
    /// Silence of both sides for this long ends a call.
    pub quiet_end: Duration,
}

/// A line whose card is being opened. Served through [`Line`].
pub struct AudioLine {
    config: AudioLineConfig,
    card: SoundCard,
    end: CardEnd,
    clock: ReadClock,
    media_clock: MediaClock,
    key: Option<Box<dyn CallKey>>,
    presses: mpsc::Receiver<KeyEvent>,
    presser: KeyPresser,
    shown: Shown,
}

/// What the health shows beside the card.
#[derive(Clone)]
struct Shown {
    served: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
    key_there: Arc<AtomicBool>,
}

impl AudioLine {
    /// Begins to open the card; a card that is not there is waited for.
    pub fn open(config: AudioLineConfig, clock: ReadClock, media_clock: MediaClock) -> std::io::Result<Self> {
        let settings =
            CardSettings { name: config.card.clone(), rate: config.rate, card_hz: config.card_hz, uses: CardUse::Both };
        let (card, end) = SoundCard::start(settings, clock.clone())?;
        let device = config.key.clone().map(|(path, code)| InputDeviceKey::new(path, code));
        let key_there = device.as_ref().map_or_else(|| Arc::new(AtomicBool::new(true)), InputDeviceKey::presence);
        let (press, presses) = mpsc::channel(PRESSES);
        let key = device.map(|device| Box::new(device) as Box<dyn CallKey>);
        let shown = Shown { served: Arc::default(), calls: Arc::default(), key_there };
        Ok(Self { config, card, end, clock, media_clock, key, presses, presser: KeyPresser(press), shown })
    }

    /// Presses the line's key from within the box.
    pub fn presser(&self) -> KeyPresser {
        self.presser.clone()
    }

    async fn run(self, offers: mpsc::Sender<Offer>, stop: CancellationToken) {
        let canceller = match self.config.echo {
            EchoPath::Room => Some(EchoCanceller::new(self.config.rate)),
            EchoPath::Handset => None,
        };
        let patience = self.config.quiet_end;
        let idle = if self.config.start == CallStart::Voice { Idle::Waiting } else { Idle::Deaf };
        let parts = PortParts { card: self.end, rate: self.config.rate, canceller, patience, idle };
        let (port, sound) = AudioPort::new(parts);
        if let Err(error) = self.media_clock.join(Box::new(port)) {
            return tracing::error!(%error, line = %self.config.id, "a sound line did not start");
        }
        let served = self.shown.served.clone();
        served.store(true, Ordering::Relaxed);
        Served {
            trigger: Trigger::new(self.config.start),
            config: self.config,
            view: self.card.view(),
            clock: self.clock,
            sound,
            key: self.key,
            presses: self.presses,
            offers,
            calls: self.shown.calls,
            call: None,
            // The card is open, and presses are taken, as long as the line is served.
            _held: (self.card, self.presser),
        }
        .run(stop)
        .await;
        served.store(false, Ordering::Relaxed);
    }
}

impl Line for AudioLine {
    fn id(&self) -> &LineId {
        &self.config.id
    }

    fn serve(
        self: Box<Self>,
        offers: mpsc::Sender<Offer>,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.run(offers, stop))
    }

    fn health(&self) -> Arc<dyn Fn() -> LineHealth + Send + Sync> {
        let (id, card, key) = (self.config.id.clone(), self.config.card.clone(), self.config.key.clone());
        let (view, shown) = (self.card.view(), self.shown.clone());
        Arc::new(move || {
            let seen = *view.borrow();
            let (state, trouble) = judge(&card, key.as_ref().map(|(path, _)| path), &seen, &shown);
            LineHealth {
                id: id.clone(),
                kind: "audio",
                state,
                address: format!("sound card {card}"),
                calls: shown.calls.load(Ordering::Relaxed),
                trouble,
            }
        })
    }
}

fn judge(card: &CardName, key: Option<&PathBuf>, view: &CardView, shown: &Shown) -> (LineState, Option<String>) {
    if !shown.served.load(Ordering::Relaxed) {
        return (LineState::Down, Some("The line is not being served.".to_owned()));
    }
    match view.state {
        CardState::Away(trouble) => (LineState::Degraded, Some(format!("The sound card {card} {trouble}."))),
        CardState::Opening => (LineState::Degraded, Some(format!("The sound card {card} is being opened."))),
        CardState::Open { .. } => match key.filter(|_| !shown.key_there.load(Ordering::Relaxed)) {
            Some(path) => {
                let what = "is not there or may not be read; plug it in, or add the user to the group `input`";
                (LineState::Degraded, Some(format!("The key {} {what}.", path.display())))
            }
            None if view.xruns >= MANY_XRUNS => {
                let lost = view.xruns;
                (
                    LineState::Ready,
                    Some(format!("The sound card {card} has lost sound {lost} times; try another port.")),
                )
            }
            None => (LineState::Ready, None),
        },
    }
}

/// The line while it is served.
struct Served {
    config: AudioLineConfig,
    view: watch::Receiver<CardView>,
    clock: ReadClock,
    sound: PortHandle,
    key: Option<Box<dyn CallKey>>,
    presses: mpsc::Receiver<KeyEvent>,
    trigger: Trigger,
    offers: mpsc::Sender<Offer>,
    calls: Arc<AtomicU32>,
    call: Option<Call>,
    _held: (SoundCard, KeyPresser),
}

/// The line's end of the call that is on.
struct Call {
    commands: mpsc::Receiver<LegCommand>,
    events: EventEnd,
    /// Until the answer.
    waiting: Option<(mpsc::Sender<EarFrame>, MouthEnd)>,
    /// The opening of the card in which the call began.
    opening: u32,
}

enum Happened {
    Key(KeyEvent),
    Notice(PortNotice),
    SoundGone,
    Command(LegCommand),
    LegDropped,
    CardChanged,
    Stopped,
}

impl Served {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            match self.next(&stop).await {
                Happened::Key(event) => self.grant(self.trigger.key(event)).await,
                Happened::Notice(PortNotice::Voice) => self.grant(self.trigger.voice((self.clock)())).await,
                Happened::Notice(PortNotice::Quiet) => self.grant(self.trigger.quiet()).await,
                // Of a call that was ended without waiting for it.
                Happened::Notice(PortNotice::Ended(_)) => {}
                Happened::Command(LegCommand::Answer) => self.answer(),
                Happened::Command(LegCommand::Reject(cause) | LegCommand::HangUp(cause)) => self.end(cause).await,
                Happened::Command(LegCommand::SendDigit(_)) => {
                    tracing::debug!("a sound device has nobody who takes digits");
                }
                Happened::LegDropped => self.end(EndCause::NormalClearing).await,
                Happened::CardChanged => self.look_at_card().await,
                Happened::Stopped => return self.end(EndCause::NormalClearing).await,
                Happened::SoundGone => {
                    tracing::error!(line = %self.config.id, "the sound of a line has failed");
                    return self.end(EndCause::Internal).await;
                }
            }
        }
    }

    async fn next(&mut self, stop: &CancellationToken) -> Happened {
        let command = async {
            match &mut self.call {
                Some(call) => call.commands.recv().await.map_or(Happened::LegDropped, Happened::Command),
                None => pending().await,
            }
        };
        let key = async {
            match &mut self.key {
                Some(key) => key.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Happened::Stopped,
            Ok(()) = self.view.changed() => Happened::CardChanged,
            command = command => command,
            event = key => Happened::Key(event),
            Some(event) = self.presses.recv() => Happened::Key(event),
            notice = self.sound.notices.recv() => notice.map_or(Happened::SoundGone, Happened::Notice),
        }
    }

    async fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Nothing => {}
            Wish::Ring => self.ring(),
            Wish::HangUp => self.end(EndCause::NormalClearing).await,
            Wish::Microphone(microphone) => self.control(Control::Microphone(microphone)),
        }
    }

    fn ring(&mut self) {
        let view = *self.view.borrow();
        if self.call.is_some() || !matches!(view.state, CardState::Open { .. }) {
            return tracing::warn!(line = %self.config.id, "a call was wanted, and the line cannot carry one now");
        }
        let (leg, LegEnd { commands, events, ears, mouth }) = leg(Rhythm::Device);
        let offer = Offer { line: self.config.id.clone(), from: None, leg };
        if self.offers.try_send(offer).is_err() {
            return tracing::warn!(line = %self.config.id, "the desk takes no more calls: one was refused");
        }
        self.call = Some(Call { commands, events, waiting: Some((ears, mouth)), opening: view.openings });
        self.trigger.call_began();
        // Whoever presses holds the key now, whatever an earlier call left.
        self.control(Control::Microphone(Microphone::Open));
        self.calls.store(1, Ordering::Relaxed);
    }

    fn answer(&mut self) {
        let at = (self.clock)();
        let Some(call) = &mut self.call else { return };
        let Some((ears, mouth)) = call.waiting.take() else { return };
        call.events.tell(LegEvent::Answered { at, rate: self.config.rate, codec: CODEC });
        self.control(Control::Begin { ears, mouth: Box::new(mouth) });
    }

    fn control(&self, control: Control) {
        if self.sound.controls.try_send(control).is_err() {
            tracing::warn!(line = %self.config.id, "the sound of a line takes no orders");
        }
    }

    /// A call ends with its card, even if that is back already.
    async fn look_at_card(&mut self) {
        let view = *self.view.borrow_and_update();
        let is_same = |call: &Call| matches!(view.state, CardState::Open { .. }) && call.opening == view.openings;
        if self.call.as_ref().is_some_and(|call| !is_same(call)) {
            self.end(EndCause::TemporaryFailure).await;
        }
    }

    async fn end(&mut self, cause: EndCause) {
        let Some(call) = self.call.take() else { return };
        let media = if call.waiting.is_none() {
            self.control(Control::End);
            tokio::time::timeout(END_PATIENCE, ended(&mut self.sound)).await.unwrap_or_default()
        } else {
            MediaFacts::default()
        };
        let at = (self.clock)();
        self.trigger.call_ended(at);
        self.calls.store(0, Ordering::Relaxed);
        call.events.end(LegEvent::Ended { at, cause, media });
    }
}

/// Waits for the end of a call's sound.
async fn ended(sound: &mut PortHandle) -> MediaFacts {
    while let Some(notice) = sound.notices.recv().await {
        if let PortNotice::Ended(facts) = notice {
            return facts;
        }
    }
    MediaFacts::default()
}
