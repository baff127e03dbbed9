//! Deepgram's ears: `/v1/listen` (Nova) and `/v2/listen` (Flux), one stream a
//! call, opened when the call is offered. Sound goes out as it comes, each
//! message cleared by the call's gate; the words that come back are put together
//! for the box's own turns. Nothing heard reaches a log or a disk, and no stream
//! is opened twice by itself: whether another engine or another try is due, the
//! failover decides.

mod assembly;
mod call;
mod config;
mod judging;
mod link;
mod message;
mod packing;
mod query;
mod timeline;
mod wording;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::assembly::{Assembly, Step};
use self::call::{CallEars, Command, LikelyLine, Parts};
pub use self::config::{Api, Bounds, DeepgramConfig, Uplink};
pub use self::message::{
    BadMessage, Failure, MESSAGE_MAX, Message, Results, Sequence, Span, TurnEvent, TurnInfo, Word,
};
use crate::egress::Door;
use crate::media::{FRAME_MS, Frame, SampleRate};
use crate::speech::onbox::MomentSource;
use crate::speech::{CallSetting, EarsError, EarsEvent, Hearing, JudgesBy, Transcriber};
use crate::terms::{Moment, RequestId};

/// Frames on their way to the call's task, which does nothing but pass them on:
/// half a minute, because ears that take over within a turn are told all of it at
/// once.
const FRAMES: usize = 1500;

/// Frames that are given to the task together, as many as go in one message: to wake
/// it for each, only to gather them there, costs more than all else that it does.
const fn frames_together(api: Api) -> usize {
    match api {
        Api::V1 => 3,
        Api::Flux => 4,
    }
}

/// Places beside them for what the call wants, of which no more than three come
/// in one tick.
const WISHES: usize = 28;

/// The ears. Cheap to share; they serve all calls.
pub struct DeepgramEars {
    config: Arc<DeepgramConfig>,
    door: Door,
    tasks: TaskTracker,
    runtime: Handle,
    now: MomentSource,
    likely: Arc<LikelyLine>,
    disordered: Arc<AtomicU64>,
}

impl DeepgramEars {
    /// Streams are carried by tasks of `tasks` on `runtime`.
    pub fn new(config: DeepgramConfig, door: Door, tasks: TaskTracker, runtime: Handle, now: MomentSource) -> Self {
        let (likely, disordered) = (Arc::default(), Arc::default());
        Self { config: Arc::new(config), door, tasks, runtime, now, likely, disordered }
    }
}

impl Api {
    /// The engine's name in records.
    pub(super) const fn engine(self) -> &'static str {
        match self {
            Self::V1 => "deepgram",
            Self::Flux => "deepgram-flux",
        }
    }
}

impl Assembly {
    /// For one stream of the engine that `api` names.
    pub fn of(api: Api, bounds: Bounds) -> Self {
        Self::new(api, api.engine(), bounds)
    }
}

impl Transcriber for DeepgramEars {
    fn name(&self) -> &'static str {
        self.config.api.engine()
    }

    fn disordered(&self) -> u64 {
        self.disordered.load(Ordering::Relaxed)
    }

    fn judges_by(&self) -> JudgesBy {
        match self.config.api {
            Api::V1 => JudgesBy::Punctuation,
            Api::Flux => JudgesBy::Words,
        }
    }

    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        let together = frames_together(self.config.api);
        let (commands, to_do) = mpsc::channel(FRAMES / together + WISHES);
        let parts = Parts {
            config: Arc::clone(&self.config),
            door: self.door.clone(),
            setting: setting.clone(),
            tasks: self.tasks.clone(),
            runtime: self.runtime.clone(),
            now: Arc::clone(&self.now),
            likely: Arc::clone(&self.likely),
            answers: answers.clone(),
            disordered: Arc::clone(&self.disordered),
        };
        let ears = CallEars::new(parts, Assembly::of(self.config.api, self.config.bounds));
        self.tasks.spawn_on(ears.run(to_do), &self.runtime);
        let gathered = Vec::with_capacity(together);
        Box::new(DeepgramHearing { commands, answers, together, gathered, lost_frames: 0 })
    }
}

/// One call's ears, as the call holds them. Dropping it closes the stream.
struct DeepgramHearing {
    commands: mpsc::Sender<Command>,
    answers: mpsc::Sender<EarsEvent>,
    together: usize,
    /// Fewer frames than that, which anything else takes with it.
    gathered: Vec<(Frame, Moment)>,
    /// Frames for which there was no room.
    lost_frames: u32,
}

impl Hearing for DeepgramHearing {
    fn line_answered(&mut self, rate: SampleRate) {
        self.wish(Command::LineAnswered(rate));
    }

    fn frame(&mut self, frame: &Frame, at: Moment) {
        self.gather(frame, at);
    }

    fn frame_of_narrow(&mut self, narrow: &Frame, _wide: &Frame, at: Moment) {
        self.gather(narrow, at);
    }

    fn turn_began(&mut self, at: Moment) {
        self.wish(Command::TurnBegan(at));
    }

    fn decode(&mut self, request: RequestId) {
        if !self.wish(Command::Decode(request)) {
            let event = EarsEvent::Failed { request, error: EarsError::Overloaded };
            if self.answers.try_send(event).is_err() {
                tracing::debug!("an answer of the ears was not taken");
            }
        }
    }

    fn judge(&mut self, request: RequestId) {
        self.wish(Command::Judge(request));
    }

    fn abandon(&mut self) {
        self.wish(Command::Abandon);
    }
}

impl DeepgramHearing {
    fn gather(&mut self, frame: &Frame, at: Moment) {
        self.gathered.push((*frame, at));
        if self.gathered.len() >= self.together {
            self.hand_over();
        }
    }

    /// False if the call's task is gone or stuck. What was heard before it comes first.
    fn wish(&mut self, command: Command) -> bool {
        self.hand_over();
        self.commands.try_send(command).is_ok()
    }

    fn hand_over(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let frames = std::mem::replace(&mut self.gathered, Vec::with_capacity(self.together));
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let taken = self.commands.capacity() > WISHES && self.commands.try_send(Command::Frames(frames)).is_ok();
        if !taken {
            self.lost_frames = self.lost_frames.saturating_add(count);
        }
    }
}

impl Drop for DeepgramHearing {
    fn drop(&mut self) {
        if self.lost_frames > 0 {
            let lost_ms = u64::from(self.lost_frames) * u64::from(FRAME_MS);
            tracing::warn!(lost_ms, "sound of a call did not reach the ears");
        }
    }
}
