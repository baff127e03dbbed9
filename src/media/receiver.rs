//! One stream of the peer made into sound: packets in as they come, a frame out every
//! 20 ms, with what is lost made up. It joins the jitter buffer, the decoder and the
//! concealment, so that every line joins them alike.

use super::codec::{Codec, Decoder};
use super::conceal::Concealer;
use super::jitter::{Activity, Inserted, JitterBuffer, JitterStats, Pulled, Reception};
use super::level::Level;
use super::packet::RtpPacket;
use super::{Frame, SampleRate};
use crate::terms::Moment;

/// Frames softer than this are silence, in which time may be won back: below the
/// quietest speech, above the noise of most lines.
const SILENCE_DBFS: f32 = -48.0;

/// Packets taken for one frame at most: two of 10 ms, and one more if the sender's
/// packets are of odd lengths.
const MAX_PULLS: usize = 3;

/// Turns the packets of one side into frames at the codec's own rate.
pub struct SoundReceiver {
    buffer: JitterBuffer,
    decoder: Decoder,
    concealer: Concealer,
    concealed: u64,
}

impl SoundReceiver {
    pub fn new(codec: Codec) -> Self {
        Self {
            buffer: JitterBuffer::new(),
            decoder: Decoder::new(codec),
            concealer: Concealer::new(codec.sample_rate()),
            concealed: 0,
        }
    }

    pub const fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    pub const fn sample_rate(&self) -> SampleRate {
        self.decoder.codec().sample_rate()
    }

    /// Takes a packet. Those of another payload type than the codec's keep their place in
    /// the sequence, so that they do not count as lost, and make no sound.
    pub fn insert(&mut self, packet: &RtpPacket<'_>, arrival: Moment) -> Inserted {
        if packet.payload_type == self.codec().payload_type() {
            self.buffer.insert(packet, arrival)
        } else {
            self.buffer.insert(&RtpPacket { payload: &[], ..*packet }, arrival)
        }
    }

    /// The frame to hear now; call it every 20 ms.
    pub fn pull(&mut self) -> Frame {
        for _ in 0..MAX_PULLS {
            if self.decoder.has_frame() {
                break;
            }
            match self.buffer.pull() {
                // A packet is 60 ms at most and less than a frame waits, so there is room.
                Pulled::Packet(payload) => {
                    let pushed = self.decoder.push(payload);
                    debug_assert_eq!(pushed, Ok(()));
                }
                Pulled::Missing => {
                    self.concealed += 1;
                    return self.concealer.missing();
                }
                Pulled::Silent => break,
            }
        }
        let frame = self.take();
        let level = Level::of(frame.samples()).rms_dbfs;
        self.buffer.note_activity(if level < SILENCE_DBFS { Activity::Silence } else { Activity::Speech });
        self.concealer.good(&frame)
    }

    /// Frames that were made up.
    pub const fn concealed(&self) -> u64 {
        self.concealed
    }

    pub fn stats(&self) -> JitterStats {
        self.buffer.stats()
    }

    /// What a receiver report says of the peer's stream.
    pub fn reception(&self) -> Option<Reception> {
        self.buffer.reception()
    }

    /// The next decoded frame; what a packet that ends early leaves open is silence.
    fn take(&mut self) -> Frame {
        if !self.decoder.has_frame() {
            let frame = self.sample_rate().frame_len();
            self.decoder.fill(&[0; 320][..frame - self.decoder.waiting()]);
        }
        self.decoder.take().unwrap_or_else(|| Frame::silence(self.sample_rate()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::g711::encode_a_law;

    /// A tone of 400 Hz, whose period is 20 samples: 8 periods a frame.
    fn tone(start: usize, len: usize) -> Vec<u8> {
        let sample = |n: usize| (8_000.0 * (std::f32::consts::TAU * 400.0 * n as f32 / 8_000.0).sin()) as i16;
        (start..start + len).map(|n| encode_a_law(sample(n))).collect()
    }

    fn packet(number: usize, payload: &[u8]) -> RtpPacket<'_> {
        RtpPacket {
            marker: false,
            payload_type: 8,
            sequence: number as u16,
            timestamp: (number * payload.len()) as u32,
            ssrc: 1,
            payload,
        }
    }

    /// Plays one second of packets of `ms`; returns the level of each frame.
    fn play(ms: usize, is_lost: impl Fn(usize) -> bool) -> (Vec<f32>, SoundReceiver) {
        let mut receiver = SoundReceiver::new(Codec::Pcma);
        let mut levels = Vec::new();
        let mut next = 0;
        for now in (0..1_000).step_by(20) {
            while next * ms <= now {
                if !is_lost(next) {
                    let payload = tone(next * ms * 8, ms * 8);
                    receiver.insert(&packet(next, &payload), Moment::from_micros(next as u64 * ms as u64 * 1_000));
                }
                next += 1;
            }
            levels.push(Level::of(receiver.pull().samples()).rms_dbfs);
        }
        (levels, receiver)
    }

    #[test]
    fn packets_of_every_length_play_without_a_gap() {
        for ms in [10, 20, 30, 40, 60] {
            let (levels, receiver) = play(ms, |_| false);
            // The first packet of a longer packet time, and the target depth, pass before sound begins.
            assert!(levels[5..].iter().all(|&l| (l + 15.3).abs() < 1.0), "{ms} ms: {levels:?}");
            assert_eq!(receiver.concealed(), 0, "{ms} ms");
            assert_eq!(receiver.stats().lost, 0);
        }
    }

    #[test]
    fn a_lost_packet_is_made_up_for_its_whole_length() {
        for (ms, frames) in [(20, 1), (40, 2), (60, 3)] {
            let (levels, receiver) = play(ms, |n| n == 8);
            assert_eq!((receiver.concealed(), receiver.stats().lost), (frames, 1), "{ms} ms");
            assert!(levels[5..].iter().filter(|&&l| l > -25.0).count() + 2 >= levels.len() - 5, "{ms} ms: {levels:?}");
        }
    }

    #[test]
    fn a_peer_that_stops_sending_becomes_silent() {
        let (levels, _) = play(20, |n| n > 20);
        assert!(levels[30..].iter().all(|&l| l < -90.0), "{levels:?}");
    }

    #[test]
    fn a_peer_whose_clock_runs_otherwise_neither_starves_nor_fills_the_buffer() {
        for packet_micros in [19_994_u64, 20_006] {
            let mut receiver = SoundReceiver::new(Codec::Pcma);
            let (loud, quiet) = (tone(0, 160), vec![0xD5; 160]);
            let mut sent = 0;
            // Twenty minutes at 300 parts in a million: 360 ms, eighteen frames.
            for tick in 0..60_000_u64 {
                while sent * packet_micros <= tick * 20_000 {
                    // A second of pause after every four of speech.
                    let payload = if sent % 250 < 200 { &loud } else { &quiet };
                    let number = usize::try_from(sent).unwrap();
                    receiver.insert(&packet(number, payload), Moment::from_micros(sent * packet_micros));
                    sent += 1;
                }
                receiver.pull();
                assert!(receiver.buffer.depth_ms() <= 100, "{} ms deep", receiver.buffer.depth_ms());
            }
            let stats = receiver.stats();
            assert!(receiver.concealed() + stats.trimmed <= 25, "{} {stats:?}", receiver.concealed());
            assert_eq!((stats.lost, stats.resyncs), (0, 0));
        }
    }

    #[test]
    fn comfort_noise_and_events_are_no_sound_and_no_loss() {
        let mut receiver = SoundReceiver::new(Codec::Pcma);
        for n in 0..50 {
            let payload = tone(0, 160);
            let mut packet = packet(n, &payload);
            if n % 5 == 4 {
                packet.payload_type = 13;
            }
            receiver.insert(&packet, Moment::from_micros(n as u64 * 20_000));
            receiver.pull();
        }
        assert_eq!(receiver.stats().lost, 0);
        assert_eq!(receiver.stats().received, 50);
    }
}
