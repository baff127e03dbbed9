//! One call's ears at work: the only task that holds the words. It waits for
//! one thing, tells the assembly, and does what comes out of it. It never waits
//! for the provider, which the link does for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::egress::{Door, Standing};
use crate::media::{Frame, OpusError, SampleRate};
use crate::speech::onbox::MomentSource;
use crate::speech::{AwaitedWords, CallSetting, EarsError, EarsEvent};
use crate::terms::{Moment, RequestId};

use super::assembly::{Assembly, Step};
use super::config::{Api, DeepgramConfig, Uplink};
use super::link::{BEHIND_MAX, Link, LinkError, LinkEvent, Outgoing, Unsent, ears_error, link};
use super::packing::{Packed, Packing};
use super::query::{Encoding, FINALIZE, KEEP_ALIVE, KEEP_ALIVE_EVERY};

/// What the call wants, in order with its sound.
#[derive(Clone, Debug)]
pub(super) enum Command {
    LineAnswered(SampleRate),
    /// What was heard, in order, each with its time.
    Frames(Vec<(Frame, Moment)>),
    TurnBegan(Moment),
    Decode(RequestId),
    Judge(RequestId),
    Abandon,
}

/// The rate of the line that was answered last, from which that of the next is
/// guessed: a stream's encoding is fixed when it is opened, which is before the
/// line is answered.
#[derive(Debug, Default)]
pub(super) struct LikelyLine(AtomicU8);

impl LikelyLine {
    pub(super) fn get(&self) -> SampleRate {
        if self.0.load(Ordering::Relaxed) == 0 { SampleRate::Hz8000 } else { SampleRate::Hz16000 }
    }

    fn set(&self, line: SampleRate) {
        self.0.store(u8::from(line == SampleRate::Hz16000), Ordering::Relaxed);
    }
}

/// What a call's ears are made of.
pub(super) struct Parts {
    pub(super) config: Arc<DeepgramConfig>,
    pub(super) door: Door,
    pub(super) setting: CallSetting,
    pub(super) tasks: TaskTracker,
    pub(super) runtime: Handle,
    pub(super) now: MomentSource,
    pub(super) likely: Arc<LikelyLine>,
    pub(super) answers: mpsc::Sender<EarsEvent>,
    /// Messages of all calls that came out of their order.
    pub(super) disordered: Arc<AtomicU64>,
}

/// One call's ears.
pub(super) struct CallEars {
    parts: Parts,
    assembly: Assembly,
    packing: Option<Packing>,
    link: Option<Link>,
    is_open: bool,
    /// When something last went to the provider.
    last_sent: Moment,
}

enum Wake {
    Command(Command),
    CallOver,
    Link(LinkEvent),
    Deadline,
}

impl CallEars {
    pub(super) fn new(parts: Parts, assembly: Assembly) -> Self {
        let last_sent = (parts.now)();
        Self { parts, assembly, packing: None, link: None, is_open: false, last_sent }
    }

    /// Listens until the call drops its end.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.open(self.parts.likely.get());
        loop {
            match self.wait(&mut commands).await {
                Wake::CallOver => break,
                Wake::Command(command) => self.command(command),
                Wake::Link(event) => self.link_event(event),
                Wake::Deadline => self.deadline(),
            }
            self.follow();
        }
        let (missed, late) = (self.assembly.missed(), self.assembly.late());
        if missed > 0 || late > 0 {
            let (stage, engine) = ("ears", self.parts.config.api.engine());
            let cause = "out-of-order";
            tracing::warn!(stage, engine, cause, missed, late, "messages did not come, or not in their order");
            self.parts.disordered.fetch_add(late, Ordering::Relaxed);
        }
        // Dropping the link says goodbye; the stream's own task sees to it.
    }

    async fn wait(&mut self, commands: &mut mpsc::Receiver<Command>) -> Wake {
        let now = (self.parts.now)();
        let due = self.next_deadline().map(|at| at.since(now));
        let sleep = async {
            match due {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let from_link = async {
            match &mut self.link {
                Some(link) => link.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = from_link => event.map_or(Wake::Link(LinkEvent::Lost(LinkError::Closed(None))), Wake::Link),
            command = commands.recv() => command.map_or(Wake::CallOver, Wake::Command),
            () = sleep => Wake::Deadline,
        }
    }

    fn next_deadline(&self) -> Option<Moment> {
        let keep_alive = (self.is_open && self.link.is_some()).then(|| self.last_sent + KEEP_ALIVE_EVERY);
        [keep_alive, self.assembly.deadline()].into_iter().flatten().min()
    }

    fn deadline(&mut self) {
        let now = (self.parts.now)();
        self.assembly.timeout(now);
        if self.is_open && self.last_sent + KEEP_ALIVE_EVERY <= now {
            self.keep_alive();
        }
    }

    // ---- the call ------------------------------------------------------------

    fn command(&mut self, command: Command) {
        let now = (self.parts.now)();
        match command {
            Command::LineAnswered(rate) => self.line_answered(rate),
            Command::Frames(frames) => frames.iter().for_each(|(frame, at)| self.frame(frame, *at)),
            Command::TurnBegan(at) => self.assembly.turn_began(at, now),
            Command::Decode(request) => {
                // The end of the sound must not wait for a message to fill.
                self.flush();
                self.assembly.decode(request, now);
            }
            Command::Judge(request) => self.assembly.judge(request, now),
            Command::Abandon => self.assembly.abandon(),
        }
    }

    /// The stream was opened for the likely rate. Nothing has been said yet, so a
    /// wrong guess costs an opening, while the greeting is spoken.
    fn line_answered(&mut self, line: SampleRate) {
        self.parts.likely.set(line);
        if self.assembly.failure().is_some() {
            return;
        }
        let wanted = self.encoding(line);
        if self.packing.as_ref().is_none_or(|packing| packing.encoding() != wanted) {
            return self.open(line);
        }
        // The same encoding, but what is worth encoding depends on the line.
        match Packing::new(self.parts.config.api, wanted, line) {
            Ok(packing) => self.packing = Some(packing),
            Err(error) => self.unpackable(error),
        }
    }

    /// Near the ceiling of its budget the uplink is saved, whatever is configured.
    fn encoding(&self, line: SampleRate) -> Encoding {
        let Parts { config, door, setting, .. } = &self.parts;
        let is_near = door.standing_to(&config.destination, setting.call) == Standing::Near;
        Encoding::of(if is_near { Uplink::Opus } else { config.uplink }, line)
    }

    /// Opens a stream for a line at `line`, in the place of one that there may be.
    fn open(&mut self, line: SampleRate) {
        let encoding = self.encoding(line);
        let Parts { config, door, setting, tasks, runtime, .. } = &self.parts;
        let packing = match Packing::new(config.api, encoding, line) {
            Ok(packing) => packing,
            Err(error) => return self.unpackable(error),
        };
        // The stream's time begins anew.
        if self.link.is_some() {
            self.assembly.restart();
        }
        let message = packing.message_length();
        let (near, far) = link(Arc::clone(config), door.clone(), setting.clone(), encoding, message);
        tasks.spawn_on(far.carry(), runtime);
        self.packing = Some(packing);
        self.link = Some(near);
        self.is_open = false;
    }

    fn unpackable(&mut self, error: OpusError) {
        tracing::warn!(%error, "the caller's sound could not be encoded for the ears");
        self.assembly.fail(EarsError::Engine("the sound could not be encoded"));
    }

    fn frame(&mut self, frame: &Frame, at: Moment) {
        let Some(packing) = self.packing.as_mut().filter(|_| self.link.is_some()) else { return };
        match packing.frame(frame, at) {
            Ok(Some(packed)) => self.send_sound(packed),
            Ok(None) => {}
            Err(error) => self.unpackable(error),
        }
    }

    fn flush(&mut self) {
        let Some(packing) = self.packing.as_mut().filter(|_| self.link.is_some()) else { return };
        match packing.flush() {
            Ok(Some(packed)) => self.send_sound(packed),
            Ok(None) => {}
            Err(error) => self.unpackable(error),
        }
    }

    fn send_sound(&mut self, Packed { octets, at, length }: Packed) {
        if self.send(Outgoing::Sound { octets, length }) {
            self.assembly.sound(at, length, (self.parts.now)());
        }
    }

    /// Gives a message to the link. Without room the uplink is too far behind.
    fn send(&mut self, message: Outgoing) -> bool {
        let Some(link) = &mut self.link else { return false };
        let now = (self.parts.now)();
        match link.send(message, now) {
            Ok(()) => {
                self.last_sent = now;
                true
            }
            Err(Unsent::Behind) => {
                self.assembly.fail(EarsError::Stalled { waiting_for: AwaitedWords::Uplink, within: BEHIND_MAX });
                false
            }
            // What it was lost for is on its way here.
            Err(Unsent::Lost) => false,
        }
    }

    /// Flux has no word for it, and takes silence.
    fn keep_alive(&mut self) {
        if self.parts.config.api == Api::V1 {
            self.send(Outgoing::Word(KEEP_ALIVE));
            return;
        }
        self.flush();
        let Some(packing) = &mut self.packing else { return };
        match packing.silence() {
            Ok((octets, length)) => {
                if self.send(Outgoing::Sound { octets, length }) {
                    self.assembly.filler(length);
                }
            }
            Err(error) => self.unpackable(error),
        }
    }

    // ---- the provider --------------------------------------------------------

    fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Opened => {
                let now = (self.parts.now)();
                self.is_open = true;
                self.last_sent = now;
                if let Some(link) = &mut self.link {
                    link.opened(now);
                }
            }
            LinkEvent::Message(message) => {
                if let Err(error) = &message {
                    tracing::warn!(%error, "the ears' provider is not understood");
                }
                self.assembly.message(message, (self.parts.now)());
            }
            LinkEvent::Lost(error) => {
                tracing::warn!(%error, "the ears' stream was lost");
                self.assembly.fail(ears_error(&error, &self.parts.config.bounds));
                self.link = None;
            }
        }
    }

    fn follow(&mut self) {
        while let Some(step) = self.assembly.poll() {
            match step {
                // A call that does not take its answers is over or stuck.
                Step::Tell(event) => {
                    if self.parts.answers.try_send(event).is_err() {
                        tracing::debug!("an answer of the ears was not taken");
                    }
                }
                Step::Finalize => {
                    self.send(Outgoing::Word(FINALIZE));
                }
                Step::Close => self.link = None,
            }
        }
    }
}
