//! The caller's sound on its way to the ears: to 16 kHz, past the echo guard,
//! through voice activity. It keeps nothing.

use std::collections::VecDeque;

use crate::call::Input;
use crate::conversation::Overlap;
use crate::line::EarFrame;
use crate::media::{Attention, Conversion, EchoGuard, Frame, Level, Resampler, SampleRate, VoiceActivity, VoiceFact};
use crate::speech::Hearing;

/// Frames that were sent and whose counterpart has not been heard yet. The media
/// clock does both in one tick, so more than one waits only when the call's task
/// was late; more than eight (160 ms) would set the echo's delay wrong.
const SENT_WAITING: usize = 8;

/// A sent frame below this level cannot come back as an audible echo.
const SOUNDING_DBFS: f32 = -60.0;

/// Frames after the box's last sound in which a caller may still break in: its
/// sentences have pauses of up to half a second.
const BREAKS_IN_WITHIN: u32 = 25;

pub struct EarPath {
    rate: SampleRate,
    widen: Option<Resampler>,
    sent: VecDeque<Frame>,
    echo: EchoGuard,
    voice: VoiceActivity,
    /// Since the box sounded last.
    quiet_frames: u32,
}

impl EarPath {
    pub fn new(rate: SampleRate) -> Self {
        let widen = match rate {
            SampleRate::Hz8000 => Some(Resampler::new(Conversion::Hz8000ToHz16000)),
            SampleRate::Hz16000 => None,
        };
        Self {
            rate,
            widen,
            sent: VecDeque::with_capacity(SENT_WAITING),
            echo: EchoGuard::new(),
            voice: VoiceActivity::new(),
            quiet_frames: BREAKS_IN_WITHIN,
        }
    }

    /// The line's rate.
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// What went to the line in a tick.
    pub fn sent(&mut self, frame: &Frame) {
        if self.sent.len() == SENT_WAITING {
            self.sent.pop_front();
        }
        self.sent.push_back(*frame);
    }

    /// What came from the line in a tick; gives what the call should know of it.
    pub fn hear(&mut self, ear: &EarFrame, hearing: &mut dyn Hearing) -> [Option<Input>; 2] {
        let sent = self.sent.pop_front().unwrap_or(Frame::silence(self.rate));
        let likelihood = self.echo.hear(&sent, &ear.frame);
        let overlap = (Level::of(sent.samples()).rms_dbfs > SOUNDING_DBFS).then(|| {
            let level_dbfs = Level::of(ear.frame.samples()).rms_dbfs;
            Input::Overlap(Overlap { level_dbfs, echo_likelihood: likelihood })
        });
        // The box's own voice must reach neither the words nor the turn taking.
        let heard = if self.echo.is_echo() { Frame::silence(self.rate) } else { ear.frame };
        let wide = match &mut self.widen {
            Some(widen) => {
                let wide = widen.frame(&heard);
                hearing.frame_of_narrow(&heard, &wide, ear.at);
                wide
            }
            None => {
                hearing.frame(&heard, ear.at);
                heard
            }
        };
        self.quiet_frames = if overlap.is_some() { 0 } else { self.quiet_frames.saturating_add(1) };
        let attention = if self.quiet_frames < BREAKS_IN_WITHIN { Attention::Keen } else { Attention::Usual };
        self.voice.attend(attention);
        let fact = self.voice.hear(&wide, ear.at).map(|fact| match fact {
            VoiceFact::Started { at } => Input::SpeechStarted { at },
            VoiceFact::Paused { at } => Input::SpeechPaused { at },
        });
        [overlap, fact]
    }
}

impl std::fmt::Debug for EarPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EarPath").field("rate", &self.rate).finish_non_exhaustive()
    }
}
