//! The sound of a turn, kept in memory until the next one begins.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::{Frame, SampleRate};
use crate::terms::Moment;

const HZ: usize = 16_000;

/// Whisper's window. Of a turn that goes on longer, the end is kept: that is
/// where the question stands.
const KEPT: usize = 30 * HZ;

/// Voice activity is noticed late, and a soft first sound not at all.
const PRE_ROLL: Duration = Duration::from_millis(300);

/// Sound in order, the newest last.
#[derive(Default)]
pub(in crate::speech) struct TurnSound {
    samples: VecDeque<i16>,
    /// When the last sample was heard.
    newest: Moment,
}

impl TurnSound {
    /// Adds a frame that was heard at `at` (its end).
    pub(in crate::speech) fn push(&mut self, frame: &Frame, at: Moment) {
        match frame.rate() {
            SampleRate::Hz16000 => self.samples.extend(frame.samples()),
            // The ears are fed at 16 kHz; a frame of a narrow line that comes
            // as it is would play at double speed.
            SampleRate::Hz8000 => self.samples.extend(frame.samples().iter().flat_map(|s| [*s; 2])),
        }
        let surplus = self.samples.len().saturating_sub(KEPT);
        self.samples.drain(..surplus);
        self.newest = at;
    }

    /// Forgets what was heard before `at`, less the pre-roll.
    pub(in crate::speech) fn began(&mut self, at: Moment) {
        let wanted = samples_in(self.newest.since(at - PRE_ROLL));
        let surplus = self.samples.len().saturating_sub(wanted);
        self.samples.drain(..surplus);
    }

    pub(in crate::speech) fn all(&self) -> Vec<i16> {
        self.samples.iter().copied().collect()
    }

    /// The last `count` samples, or fewer if there are fewer.
    pub(in crate::speech) fn last(&self, count: usize) -> Vec<i16> {
        self.samples.iter().skip(self.samples.len().saturating_sub(count)).copied().collect()
    }
}

/// A block of 20 ms below this (-55 dBFS) holds nobody's voice: line noise on
/// a quiet trunk is at -65, a whisper into a telephone at -45.
const VOICE_RMS: f32 = 58.0;

/// Samples of such a block.
const BLOCK: usize = HZ / 50;

/// Blocks of voice that make words: a `no` has some eight.
const VOICE_BLOCKS: usize = 3;

/// The name in records of what finds that nobody speaks, where no ears were asked.
pub(in crate::speech) const SILENCE: &str = "silence-onbox";

/// Whether anybody speaks in sound at 16 kHz: ears hear words in silence.
#[expect(clippy::cast_precision_loss, reason = "a block has 320 samples")]
pub(in crate::speech) fn has_voice(sound: &[i16]) -> bool {
    let loud = |block: &&[i16]| {
        let energy: f32 = block.iter().map(|s| f32::from(*s).powi(2)).sum();
        (energy / block.len() as f32).sqrt() > VOICE_RMS
    };
    sound.chunks(BLOCK).filter(loud).count() >= VOICE_BLOCKS
}

/// How long sound at 16 kHz lasts.
pub(in crate::speech) fn length(sound: &[i16]) -> Duration {
    Duration::from_millis(sound.len() as u64 * 1000 / HZ as u64)
}

fn samples_in(time: Duration) -> usize {
    usize::try_from(time.as_micros() * HZ as u128 / 1_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// Frames whose samples count them from 1.
    fn heard(frames: i16) -> TurnSound {
        let mut sound = TurnSound::default();
        let mut at = Moment::START;
        for n in 1..=frames {
            at = at + FRAME;
            sound.push(&Frame::from_samples(SampleRate::Hz16000, &[n; 320]), at);
        }
        sound
    }

    #[test]
    fn a_turn_begins_with_its_pre_roll_and_no_earlier() {
        let mut sound = heard(100);
        sound.began(Moment::START + FRAME * 50);
        // 300 ms are fifteen frames before the one that ends at the beginning.
        assert_eq!(sound.all().first(), Some(&36));
        assert_eq!(sound.all().len(), (100 - 35) * 320);
    }

    #[test]
    fn a_turn_noticed_before_any_sound_keeps_what_follows() {
        let mut sound = TurnSound::default();
        sound.began(Moment::START + FRAME * 10);
        sound.push(&Frame::silence(SampleRate::Hz16000), Moment::START + FRAME * 11);
        assert_eq!(sound.all().len(), 320);
    }

    #[test]
    fn of_a_turn_without_end_the_last_half_minute_is_kept() {
        let sound = heard(1600);
        assert_eq!(sound.all().len(), KEPT);
        assert_eq!(sound.all().last(), Some(&1600));
        assert_eq!(sound.last(320), vec![1600; 320]);
    }

    #[test]
    fn a_narrow_frame_lasts_as_long_as_a_wide_one() {
        let mut sound = TurnSound::default();
        sound.push(&Frame::silence(SampleRate::Hz8000), Moment::START);
        assert_eq!(sound.all().len(), 320);
    }
}
