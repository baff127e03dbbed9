//! The far side of a modem's call as a person at a telephone: the project's own
//! test caller, whose sound travels through the modem's network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use milu::call::MediaFacts;
use milu::caller::{Call, CallFailed, Converse, Listener, Script, Told};
use milu::line::{
    EarFrame, FrameOrigin, LegCommand, LegEnd, LegEvent, MediaClock, MediaPort, MouthEnd, Rhythm, Stay, leg,
};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::terms::{EndCause, Moment};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Modem;
use super::sound::FRAME;

/// Between two looks at what the modem does with the call.
const LOOK: Duration = Duration::from_millis(10);

/// What a mobile network would call it.
const CODEC: &str = "GSM";

/// Whoever rings, and how.
pub struct Ringing<'a> {
    pub modem: &'a Modem,
    pub clock: SystemClock,
    pub media_clock: &'a MediaClock,
    /// The number that is shown.
    pub from: &'a str,
}

impl Ringing<'_> {
    /// Rings the SIM, and carries the call through `script` to its end.
    pub async fn converse(
        self,
        script: Script,
        listener: Option<Listener>,
        told: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Converse, CallFailed> {
        let rung = self.clock.now();
        self.modem.ring(self.from);
        let (leg, end) = leg(Rhythm::Box);
        let call = Call { uri: self.modem.number(), leg, rung };
        let stop = CancellationToken::new();
        tokio::join!(self.carry(end), call.converse(script, listener, &stop, told)).1
    }

    /// The network between the telephone and the modem.
    async fn carry(&self, mut end: LegEnd) {
        let on = Arc::new(AtomicBool::new(true));
        let mut mouth_and_ears = Some((end.mouth, end.ears));
        loop {
            if self.modem.calls().is_empty() {
                break;
            }
            if self.modem.sounds()
                && let Some((mouth, ears)) = mouth_and_ears.take()
            {
                let heard = self.modem.heard_from(0).len();
                let far = FarSide { modem: self.modem.clone(), mouth, ears, heard, on: Arc::clone(&on) };
                if self.media_clock.join(Box::new(far)).is_err() {
                    self.modem.hang_up();
                }
                let at = self.clock.now();
                end.events.tell(LegEvent::Answered { at, rate: SampleRate::Hz8000, codec: CODEC });
            }
            tokio::select! {
                command = end.commands.recv() => match command {
                    Some(LegCommand::SendDigit(digit)) => self.modem.press(digit),
                    // A telephone that is put away hangs up too.
                    Some(LegCommand::HangUp(_) | LegCommand::Reject(_)) | None => self.modem.hang_up(),
                    Some(LegCommand::Answer) => {}
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        on.store(false, Ordering::Release);
        let (at, cause) = (self.clock.now(), EndCause::NormalClearing);
        end.events.end(LegEvent::Ended { at, cause, media: MediaFacts::default() });
    }
}

/// The telephone's loudspeaker and microphone.
struct FarSide {
    modem: Modem,
    mouth: MouthEnd,
    ears: mpsc::Sender<EarFrame>,
    /// Samples that were heard so far.
    heard: usize,
    on: Arc<AtomicBool>,
}

impl MediaPort for FarSide {
    fn tick(&mut self, now: Moment) -> Stay {
        if !self.on.load(Ordering::Acquire) {
            return Stay::Leave;
        }
        // The two clocks are both this machine's: they differ by a frame at most.
        let heard = self.modem.heard_from(self.heard);
        let whole = heard.len() / FRAME * FRAME;
        self.heard += whole;
        let frames = heard[..whole].chunks_exact(FRAME).map(|s| Frame::from_samples(SampleRate::Hz8000, s));
        let silence = Frame::silence(SampleRate::Hz8000);
        let (frames, origin): (Vec<Frame>, _) =
            if whole > 0 { (frames.collect(), FrameOrigin::Received) } else { (vec![silence], FrameOrigin::Silent) };
        for frame in frames {
            // A listener that is seconds behind loses sound, as on any line.
            if self.ears.try_send(EarFrame { at: now, frame, origin }).is_err() {
                tracing::debug!("the telephone's sound was not taken");
            }
        }
        let said = self.mouth.tick(SampleRate::Hz8000, now).unwrap_or(silence);
        self.mouth.tap(said);
        self.modem.speak(said.samples());
        Stay::Yes
    }
}
