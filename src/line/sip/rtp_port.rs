//! The media of one call: its RTP socket, served by the media clock's thread.
//! It learns from the call's task what was agreed, and tells it of digits and
//! of silence on the wire. It never blocks and, once it flows, never allocates.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::call::MediaFacts;
use crate::line::{EarFrame, FrameOrigin, MediaPort, MouthEnd, Stay};
use crate::media::{
    Codec, Digit, DigitReceiver, DigitSender, Encoder, FRAME_OCTETS, Frame, Heard, MAX_PACKET, RtpPacket, RtpStart,
    RtpStream, SoundReceiver, ToneDetector, mean_opinion_score,
};
use crate::signalling::sip::{Agreed, DigitWay, Direction, Encoding};
use crate::terms::Moment;

use super::key_tones::KeyTones;

/// Packets read in one turn: five are due at most after a stall that is made
/// up; more is a flood, which waits in the socket's buffer and is lost there.
const PACKETS_A_TURN: usize = 32;

/// Controls outstanding: an agreement, a stop and a number's digits.
const CONTROLS: usize = 64;

/// Notices outstanding: digits come at 10 a second and the task reads at once.
const NOTICES: usize = 64;

/// A new source is believed after this many packets in a row, once the old one
/// has been silent for `SOURCE_SILENCE`: a NAT that gave the far side another port.
const NEW_SOURCE_PACKETS: u32 = 3;
const SOURCE_SILENCE: Duration = Duration::from_millis(500);

/// For this long after the media has moved, packets still on their way from where
/// it was are not listened to.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// After this long without a packet, what is heard is silence by design and
/// not the tail of something lost.
const STARVED: Duration = Duration::from_millis(60);

/// Packet time and a path within one country, for the estimate of quality.
const NETWORK_DELAY_MS: f32 = 60.0;

/// Ticks of the RTP clock in a frame; 8 kHz in all codecs of ours.
const FRAME_TICKS: u32 = 160;

/// RFC 3389 comfort noise, which is not sound.
const COMFORT_NOISE: u8 = 13;

/// What the call's task tells its media.
pub(super) enum Control {
    Agree(Agreed),
    SendDigit(Digit),
    Stop,
}

/// What the media tells the call's task.
pub(super) enum PortNotice {
    Digit {
        at: Moment,
        digit: char,
        way: DigitWay,
    },
    Lost {
        at: Moment,
    },
    /// The last notice.
    Stopped(MediaFacts),
}

/// The call task's end.
pub(super) struct PortHandle {
    pub(super) controls: SyncSender<Control>,
    pub(super) notices: mpsc::Receiver<PortNotice>,
}

/// What a port is made of.
pub(super) struct PortParts {
    pub(super) socket: UdpSocket,
    pub(super) ears: mpsc::Sender<EarFrame>,
    pub(super) mouth: MouthEnd,
    pub(super) start: RtpStart,
    /// Silence on the wire for this long is told.
    pub(super) patience: Duration,
}

pub(super) struct RtpPort {
    socket: UdpSocket,
    ears: mpsc::Sender<EarFrame>,
    mouth: MouthEnd,
    controls: Receiver<Control>,
    notices: mpsc::Sender<PortNotice>,
    patience: Duration,
    stream: RtpStream,
    source: Source,
    /// Where the far side last said that it is.
    remote: Option<SocketAddr>,
    keys_in: DigitReceiver,
    keys_out: DigitSender,
    flow: Option<Flow>,
    last_heard: Option<Moment>,
    told_lost: bool,
    lost_ears: u64,
    /// Packets lost under an earlier codec.
    past_lost: u64,
}

/// How sound flows under the present agreement.
struct Flow {
    agreed: Agreed,
    codec: Codec,
    encoder: Encoder,
    receiver: SoundReceiver,
    /// For a far side without telephone events.
    tones_in: ToneDetector,
    tones_out: KeyTones,
    last_sound: Option<Moment>,
}

impl Flow {
    /// The next 20 ms of the far side.
    fn hear(&mut self, now: Moment) -> (Frame, FrameOrigin) {
        let concealed = self.receiver.concealed();
        let frame = self.receiver.pull();
        let starved = self.last_sound.is_none_or(|last| now.since(last) > STARVED);
        let origin = if self.receiver.concealed() > concealed {
            FrameOrigin::Concealed
        } else if starved && frame.samples().iter().all(|sample| *sample == 0) {
            FrameOrigin::Silent
        } else {
            FrameOrigin::Received
        };
        (frame, origin)
    }

    fn new(agreed: Agreed) -> Self {
        let codec = codec_of(agreed.encoding);
        Self {
            agreed,
            codec,
            encoder: Encoder::new(codec),
            receiver: SoundReceiver::new(codec),
            tones_in: ToneDetector::new(codec.sample_rate()),
            tones_out: KeyTones::new(codec.sample_rate()),
            last_sound: None,
        }
    }
}

/// Where the far side's packets come from (symmetric RTP, RFC 4961): the first
/// valid packet decides, whatever the description said.
#[derive(Default)]
struct Source {
    latched: Option<SocketAddr>,
    last: Option<Moment>,
    candidate: Option<(SocketAddr, u32)>,
    /// Where packets came from before the media moved, and when it did.
    left: Option<(SocketAddr, Moment)>,
}

impl Source {
    /// The far side has moved: whoever sends next is believed at once, but for
    /// stragglers of the old place.
    fn moved(&mut self, now: Moment) {
        let left = self.latched.map(|old| (old, now)).or(self.left);
        *self = Self { left, ..Self::default() };
    }

    /// Whether a valid packet from `from` belongs to the call.
    fn accept(&mut self, from: SocketAddr, now: Moment) -> bool {
        if self.left.is_some_and(|(old, at)| old == from && now.since(at) < STRAGGLERS) {
            return false;
        }
        let silent = self.last.is_none_or(|last| now.since(last) >= SOURCE_SILENCE);
        match self.latched {
            Some(latched) if latched == from => {}
            Some(_) if !silent => return false,
            Some(_) => {
                let seen = self.candidate.filter(|(address, _)| *address == from).map_or(1, |(_, n)| n + 1);
                self.candidate = Some((from, seen));
                if seen < NEW_SOURCE_PACKETS {
                    return false;
                }
            }
            None => {}
        }
        self.latched = Some(from);
        self.candidate = None;
        self.last = Some(now);
        true
    }
}

pub(super) const fn codec_of(encoding: Encoding) -> Codec {
    match encoding {
        Encoding::Pcma => Codec::Pcma,
        Encoding::Pcmu => Codec::Pcmu,
        Encoding::G722 => Codec::G722,
    }
}

impl RtpPort {
    pub(super) fn new(parts: PortParts) -> (Self, PortHandle) {
        let (controls, control_receiver) = sync_channel(CONTROLS);
        let (notice_sender, notices) = mpsc::channel(NOTICES);
        let port = Self {
            socket: parts.socket,
            ears: parts.ears,
            mouth: parts.mouth,
            controls: control_receiver,
            notices: notice_sender,
            patience: parts.patience,
            stream: RtpStream::new(parts.start),
            source: Source::default(),
            remote: None,
            keys_in: DigitReceiver::new(),
            keys_out: DigitSender::new(),
            flow: None,
            last_heard: None,
            told_lost: false,
            lost_ears: 0,
            past_lost: 0,
        };
        (port, PortHandle { controls, notices })
    }

    /// Does what the call's task asked for; false when it is over.
    fn obey(&mut self, now: Moment) -> bool {
        loop {
            match self.controls.try_recv() {
                Ok(Control::Agree(agreed)) => self.agree(agreed, now),
                Ok(Control::SendDigit(digit)) => self.send_digit(digit),
                Ok(Control::Stop) => {
                    self.tell(PortNotice::Stopped(self.facts()));
                    return false;
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn agree(&mut self, agreed: Agreed, now: Moment) {
        let codec = codec_of(agreed.encoding);
        self.last_heard = Some(now);
        // A hold by the address 0.0.0.0 names no place, and moves nothing.
        if self.flow.is_some() && agreed.remote.is_some() && agreed.remote != self.remote {
            self.source.moved(now);
        }
        self.remote = agreed.remote.or(self.remote);
        match self.flow.as_mut().filter(|flow| flow.codec == codec) {
            Some(flow) => flow.agreed = agreed,
            None => {
                self.past_lost += self.flow.as_ref().map_or(0, |flow| flow.receiver.stats().lost);
                self.flow = Some(Flow::new(agreed));
            }
        }
    }

    fn facts(&self) -> MediaFacts {
        let missed = self.lost_ears + self.mouth.missed();
        if missed > 0 {
            tracing::warn!(frames = missed, "a call did not take its sound in time");
        }
        let Some(flow) = &self.flow else { return MediaFacts::default() };
        let stats = flow.receiver.stats();
        let expected = stats.received + stats.lost;
        let heard = Heard {
            codec: flow.codec,
            loss_percent: if expected == 0 { 0.0 } else { 100.0 * stats.lost as f32 / expected as f32 },
            one_way_delay_ms: NETWORK_DELAY_MS + stats.target_ms as f32,
        };
        MediaFacts {
            codec: Some(flow.codec.name().to_owned()),
            packets_lost: self.past_lost + stats.lost,
            jitter_ms: stats.jitter_ms,
            // Of a call in which nothing was received there is nothing to judge.
            mos: (stats.received > 0).then(|| mean_opinion_score(heard)),
        }
    }

    fn tell(&self, notice: PortNotice) {
        if self.notices.try_send(notice).is_err() {
            tracing::debug!("a call's task did not take a notice of its media");
        }
    }

    fn take_packets(&mut self, now: Moment) {
        // Longer than any packet that a codec of ours could mean.
        let mut datagram = [0; 2048];
        for _ in 0..PACKETS_A_TURN {
            match self.socket.recv_from(&mut datagram) {
                Ok((len, from)) => self.take_packet(&datagram[..len], from, now),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // The far side's port is closed (ICMP); it may open again.
                Err(_) => {}
            }
        }
    }

    fn take_packet(&mut self, datagram: &[u8], from: SocketAddr, now: Moment) {
        let Some(flow) = &mut self.flow else { return };
        let Ok(packet) = RtpPacket::parse(datagram) else { return };
        let is_sound = packet.payload_type == flow.agreed.payload;
        let is_event = Some(packet.payload_type) == flow.agreed.events;
        let is_noise = packet.payload_type == COMFORT_NOISE;
        if !(is_sound || is_event || is_noise) || !self.source.accept(from, now) {
            return;
        }
        self.last_heard = Some(now);
        self.told_lost = false;
        // What is no sound shares the stream's sequence numbers and must not
        // count as lost; the receiver knows sound by its static number.
        let payload_type = if is_sound { flow.codec.payload_type() } else { COMFORT_NOISE };
        flow.receiver.insert(&RtpPacket { payload_type, ..packet }, now);
        if is_sound {
            flow.last_sound = Some(now);
        }
        if is_event && let Ok(Some(digit)) = self.keys_in.receive(&packet) {
            self.tell(PortNotice::Digit { at: now, digit: digit.as_char(), way: DigitWay::Event });
        }
    }

    fn hear(&mut self, now: Moment) {
        let Some(flow) = &mut self.flow else { return };
        let (frame, origin) = flow.hear(now);
        let tone = flow.agreed.events.is_none().then(|| flow.tones_in.hear(&frame)).flatten();
        if let Err(mpsc::error::TrySendError::Full(_)) = self.ears.try_send(EarFrame { at: now, frame, origin }) {
            self.lost_ears += 1;
        }
        if let Some(digit) = tone {
            self.tell(PortNotice::Digit { at: now, digit: digit.as_char(), way: DigitWay::Tone });
        }
    }

    fn speak(&mut self, now: Moment) {
        let Some(flow) = &mut self.flow else { return };
        let rate = flow.codec.sample_rate();
        let may_send = matches!(flow.agreed.direction, Direction::SendRecv | Direction::SendOnly);
        let Some(to) = self.source.latched.or(flow.agreed.remote).filter(|_| may_send) else {
            // On hold, or nobody knows where to: what is queued waits, and the
            // recording has silence.
            self.mouth.wait(now);
            self.mouth.tap(Frame::silence(rate));
            self.stream.pass(FRAME_TICKS);
            return;
        };
        let mut datagram = [0; MAX_PACKET];
        if let Some(events) = flow.agreed.events.filter(|_| self.keys_out.is_busy()) {
            self.mouth.tap(Frame::silence(rate));
            let len = self.keys_out.tick(self.stream.timestamp()).map(|event| {
                let packet = self.stream.at(event.timestamp, events, &event.payload);
                RtpPacket { marker: event.marker, ..packet }.write(&mut datagram)
            });
            self.stream.pass(FRAME_TICKS);
            return len.into_iter().for_each(|len| send(&self.socket, &datagram[..len], to));
        }
        // Packets of silence keep the path through NATs and the far side's own
        // time-out open.
        let said = flow.tones_out.tick().or_else(|| self.mouth.tick(rate, now));
        let frame = said.unwrap_or(Frame::silence(rate));
        let mut payload = [0; FRAME_OCTETS];
        flow.encoder.encode(&frame, &mut payload);
        let len = self.stream.sound(flow.agreed.payload, &payload).write(&mut datagram);
        self.mouth.tap(frame);
        send(&self.socket, &datagram[..len], to);
    }

    /// A digit goes out as an event, or as a tone where events were not agreed on.
    fn send_digit(&mut self, digit: Digit) {
        let taken = match &mut self.flow {
            Some(flow) if flow.agreed.events.is_none() => flow.tones_out.push(digit),
            _ => self.keys_out.push(digit).is_ok(),
        };
        if !taken {
            tracing::warn!("a digit was not sent: too many wait");
        }
    }

    /// Who holds us need not play music: only where both are to speak is silence
    /// on the wire a loss.
    fn watch(&mut self, now: Moment) {
        let expects = self.flow.as_ref().is_some_and(|flow| flow.agreed.direction == Direction::SendRecv);
        let silent = self.last_heard.is_some_and(|last| now.since(last) >= self.patience);
        if expects && silent && !self.told_lost {
            self.told_lost = true;
            self.tell(PortNotice::Lost { at: now });
        }
    }
}

fn send(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    // A packet that cannot be sent now is late: it is lost, as on the wire.
    if let Err(error) = socket.send_to(datagram, to)
        && error.kind() != std::io::ErrorKind::WouldBlock
    {
        tracing::trace!(%error, "an RTP packet was not sent");
    }
}

impl MediaPort for RtpPort {
    fn tick(&mut self, now: Moment) -> Stay {
        if !self.obey(now) {
            return Stay::Leave;
        }
        self.take_packets(now);
        self.hear(now);
        self.speak(now);
        self.watch(now);
        Stay::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    fn place(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn media_that_moved_is_taken_from_its_new_place_at_once_and_not_from_stragglers_of_the_old() {
        let mut source = Source::default();
        assert!(source.accept(place(4000), at(0)));
        source.moved(at(20));
        assert_eq!(source.latched, None, "what is said goes where the far side says it is");
        assert!(!source.accept(place(4000), at(21)));
        assert!(source.accept(place(5000), at(22)));
        assert!(!source.accept(place(4000), at(40)));
        assert_eq!(source.latched, Some(place(5000)));
    }

    #[test]
    fn a_far_side_that_said_it_moved_and_goes_on_as_before_is_heard_again() {
        let mut source = Source::default();
        assert!(source.accept(place(4000), at(0)));
        source.moved(at(20));
        assert!(!source.accept(place(4000), at(1_019)));
        assert!(source.accept(place(4000), at(1_020)));
    }
}
