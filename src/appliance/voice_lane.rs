//! One call's voice: sentences in, frames on the mouth's queue out, one after
//! the other. It waits where the queue is full, so that the call's own loop
//! never has to.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::call::{Failover, Speech};
use crate::conversation::WordEnd;
use crate::line::{MouthEpoch, MouthFrame};
use crate::media::{FRAME_MS, Frame, SampleRate};
use crate::speech::{SpeakRequest, Voice, VoiceEvent};
use crate::terms::UtteranceId;

use super::lead_in::LeadIn;
use super::renderings::Renderings;

/// A synthesizer's slices of about half a second wait here while the mouth's
/// queue is full; four keep the engine busy without piling sound up.
const SLICES: usize = 4;

/// Sentences wait here; the call itself never queues more than eight.
pub const SENTENCES: usize = 16;

/// A sentence that was handed to the lane in a given epoch of the mouth. When
/// the mouth is silenced its epoch moves on, and older sentences are dropped.
#[derive(Debug)]
pub struct Sentence {
    pub utterance: UtteranceId,
    pub speech: Speech,
    pub epoch: u32,
}

/// What the lane tells the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEvent {
    /// The engine that makes the sentence's first sound, or made it ahead.
    Made {
        utterance: UtteranceId,
        engine: &'static str,
    },
    Marks {
        utterance: UtteranceId,
        ends: Vec<WordEnd>,
    },
    Length {
        utterance: UtteranceId,
        total_ms: u32,
    },
    Failed {
        utterance: UtteranceId,
    },
    /// An engine was left, and the next goes on with the sentence.
    Left(Failover),
}

pub struct VoiceLane {
    pub rate: SampleRate,
    pub voice: Arc<dyn Voice>,
    pub renderings: Arc<Renderings>,
    pub queue: mpsc::Sender<MouthFrame>,
    pub epoch: MouthEpoch,
    pub events: mpsc::Sender<LaneEvent>,
}

impl VoiceLane {
    /// Speaks until the call drops its end.
    pub async fn run(self, mut sentences: mpsc::Receiver<Sentence>) {
        while let Some(sentence) = sentences.recv().await {
            if sentence.epoch == self.epoch.now() && self.speak(&sentence).await.is_none() {
                return;
            }
        }
    }

    /// None when the call is gone.
    async fn speak(&self, sentence: &Sentence) -> Option<()> {
        // With nothing left to be played the caller waits for the first sound.
        let is_waited_for = self.queue.capacity() == self.queue.max_capacity();
        let mut lead = if is_waited_for { LeadIn::left_out(self.rate) } else { LeadIn::kept(self.rate) };
        if let Some(rendered) = self.renderings.rendered(&sentence.speech, self.rate).await {
            self.tell(LaneEvent::Made { utterance: sentence.utterance, engine: rendered.voice }).await?;
            let sound = lead.of(&rendered.sound);
            self.tell_length(sentence.utterance, sound.len()).await?;
            let mut frames = FrameCutter::new(self.rate);
            frames.push(sound);
            self.queue_frames(sentence, &mut frames, End::Here).await?;
            return Some(());
        }
        self.synthesize(sentence, lead).await
    }

    async fn synthesize(&self, sentence: &Sentence, mut lead: LeadIn) -> Option<()> {
        let (sound, mut slices) = mpsc::channel(SLICES);
        let request = SpeakRequest {
            utterance: sentence.utterance,
            text: sentence.speech.text.clone(),
            rate: self.rate,
            pace: sentence.speech.pace,
        };
        let speaking = self.voice.speak(request, sound);
        let mut frames = FrameCutter::new(self.rate);
        let mut total = 0;
        loop {
            let event = tokio::select! {
                biased;
                // Nobody waits for the voice's next word to be rid of it.
                () = self.epoch.end_of(sentence.epoch) => {
                    drop(speaking);
                    return Some(());
                }
                event = slices.recv() => event,
            };
            let Some(event) = event else { return self.failed(sentence.utterance).await };
            match event {
                VoiceEvent::Sound { samples, engine, .. } => {
                    let samples = lead.of(&samples);
                    if total == 0 && !samples.is_empty() {
                        self.tell(LaneEvent::Made { utterance: sentence.utterance, engine }).await?;
                    }
                    total += samples.len();
                    frames.push(samples);
                    self.queue_frames(sentence, &mut frames, End::Later).await?;
                }
                VoiceEvent::Marks { ends, .. } => {
                    let earlier = lead.earlier_by();
                    let ends = ends.into_iter().map(|end| WordEnd { at: end.at.saturating_sub(earlier), ..end });
                    let ends = ends.collect();
                    self.tell(LaneEvent::Marks { utterance: sentence.utterance, ends }).await?;
                }
                VoiceEvent::Left { failover, .. } => self.tell(LaneEvent::Left(failover)).await?,
                VoiceEvent::Done { .. } => {
                    self.tell_length(sentence.utterance, total).await?;
                    self.queue_frames(sentence, &mut frames, End::Here).await?;
                    return Some(());
                }
                VoiceEvent::Failed { .. } => return self.failed(sentence.utterance).await,
            }
        }
    }

    async fn queue_frames(&self, sentence: &Sentence, frames: &mut FrameCutter, end: End) -> Option<()> {
        while let Some((frame, last)) = frames.next(end) {
            if sentence.epoch != self.epoch.now() {
                return Some(());
            }
            let frame = MouthFrame { epoch: sentence.epoch, utterance: sentence.utterance, frame, last };
            self.queue.send(frame).await.ok()?;
        }
        Some(())
    }

    async fn tell_length(&self, utterance: UtteranceId, samples: usize) -> Option<()> {
        let frames = samples.div_ceil(self.rate.frame_len()).max(1);
        let total_ms = u32::try_from(frames).unwrap_or(u32::MAX).saturating_mul(FRAME_MS);
        self.tell(LaneEvent::Length { utterance, total_ms }).await
    }

    async fn failed(&self, utterance: UtteranceId) -> Option<()> {
        self.tell(LaneEvent::Failed { utterance }).await
    }

    async fn tell(&self, event: LaneEvent) -> Option<()> {
        self.events.send(event).await.ok()
    }
}

/// Is the end of the sentence among the samples?
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Here,
    Later,
}

/// Cuts a stream of samples into frames. The last frame is kept back until it
/// is known to be the last, because it must say so.
struct FrameCutter {
    rate: SampleRate,
    samples: Vec<i16>,
    at: usize,
}

impl FrameCutter {
    fn new(rate: SampleRate) -> Self {
        Self { rate, samples: Vec::new(), at: 0 }
    }

    fn push(&mut self, samples: &[i16]) {
        self.samples.drain(..self.at);
        self.at = 0;
        self.samples.extend_from_slice(samples);
    }

    fn next(&mut self, end: End) -> Option<(Frame, bool)> {
        let len = self.rate.frame_len();
        let left = self.samples.len() - self.at;
        let (ready, last) = match end {
            End::Later => (left > len, false),
            End::Here => (left > 0, left <= len),
        };
        if !ready {
            return None;
        }
        let upto = (self.at + len).min(self.samples.len());
        let frame = Frame::from_samples(self.rate, &self.samples[self.at..upto]);
        self.at = upto;
        Some((frame, last))
    }
}

impl std::fmt::Debug for VoiceLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceLane").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::speech::Speaking;
    use crate::terms::Private;

    /// A voice that takes sentences and says nothing until it is told to.
    struct Mute(mpsc::Sender<(SpeakRequest, mpsc::Sender<VoiceEvent>, CancellationToken)>);

    impl Voice for Mute {
        fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
            let cancel = CancellationToken::new();
            self.0.try_send((request, sound, cancel.clone())).expect("room for what the test says");
            Speaking::new(cancel)
        }
    }

    async fn soon<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("in time")
    }

    #[tokio::test]
    async fn who_is_silenced_before_the_first_sound_is_let_go_at_once() {
        let (leg, _end) = crate::line::leg(crate::line::Rhythm::Box);
        let (asked, mut spoken) = mpsc::channel(4);
        let (events, _told) = mpsc::channel(8);
        let lane = VoiceLane {
            rate: SampleRate::Hz8000,
            voice: Arc::new(Mute(asked)),
            renderings: Arc::default(),
            queue: leg.mouth.queue.clone(),
            epoch: leg.mouth.epoch_view(),
            events,
        };
        let (sentences, queued) = mpsc::channel(SENTENCES);
        let say = |sentences: &mpsc::Sender<Sentence>, utterance| {
            let speech = Speech { text: Private::new("We open at eight.".to_owned()), pace: 1.0 };
            let sentence = Sentence { utterance: UtteranceId(utterance), speech, epoch: leg.mouth.epoch() };
            sentences.try_send(sentence).expect("room");
        };
        say(&sentences, 1);
        let call = async {
            // The engine holds on to the sentence, and no sound comes of it.
            let (first, _its_sound, cancelled) = soon(spoken.recv()).await.expect("a sentence");
            assert_eq!(first.utterance, UtteranceId(1));
            leg.mouth.silence();
            say(&sentences, 2);
            soon(cancelled.cancelled()).await;
            let (second, ..) = soon(spoken.recv()).await.expect("the next sentence does not wait for it");
            assert_eq!(second.utterance, UtteranceId(2));
            leg.mouth.silence();
            drop(sentences);
        };
        tokio::join!(lane.run(queued), call);
    }

    #[test]
    fn exactly_the_last_frame_of_a_sentence_says_so_however_the_sound_comes() {
        for slice in [1, 79, 160, 161, 1000] {
            let sound: Vec<i16> = (0..1000).collect();
            let mut cutter = FrameCutter::new(SampleRate::Hz8000);
            let mut frames = Vec::new();
            for part in sound.chunks(slice) {
                cutter.push(part);
                while let Some(frame) = cutter.next(End::Later) {
                    frames.push(frame);
                }
            }
            while let Some(frame) = cutter.next(End::Here) {
                frames.push(frame);
            }
            let lasts: Vec<usize> = frames.iter().enumerate().filter(|(_, (_, last))| *last).map(|(i, _)| i).collect();
            assert_eq!(lasts, [frames.len() - 1], "slices of {slice}");
            let played: Vec<i16> = frames.iter().flat_map(|(f, _)| f.samples().to_vec()).take(1000).collect();
            assert_eq!(played, sound, "slices of {slice}");
        }
    }
}
