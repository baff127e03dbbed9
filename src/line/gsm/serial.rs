//! Serial ports of modems: how they are opened, and sound over one of them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio_serial::{ClearBuffer, SerialPort as _, SerialStream};

use crate::media::{Frame, SampleRate};

use super::aside::Port;
use super::lead::{FIRST, Lead};
use super::port::{SoundIo, Taken};

/// The speed that ports on USB take and do not need, and that serial adapters are set to.
const BAUD: u32 = 115_200;

/// Octets read at once: 100 ms.
const READ: usize = 1600;

/// Reads of a turn, and what waits to be taken at most: a port that has more is a flood,
/// and waits.
const READS_A_TURN: usize = 8;

/// Frames that wait for a port that does not take them. Behind them the voice itself
/// waits, and nothing is lost.
const WAITING_MAX: usize = 2;

/// A stream that was cut within a sample is whole again in one turn of two; after so many
/// in a row, two thirds of a second, there is half a sample too much in it.
const ODD_TURNS_MAX: u32 = 32;

#[derive(Debug, Error)]
pub(super) enum OpenPort {
    #[error("opening the modem's port {}: {source}", path.display())]
    Refused { path: PathBuf, source: tokio_serial::Error },
    #[error("opening the modem's port {}: it is not closed yet, or does not open", path.display())]
    TooSlow { path: PathBuf },
}

/// Opens a port: 8 bits, no parity, one stop bit, raw, and for us alone. A port
/// without lines for DTR and RTS is as good as one with them. The kernel may take long.
pub(super) fn open(path: &Path) -> Result<SerialStream, OpenPort> {
    let settings = tokio_serial::new(path.to_string_lossy(), BAUD);
    SerialStream::open(&settings).map_err(|source| OpenPort::Refused { path: path.to_owned(), source })
}

/// Raw 16-bit samples over a serial port, 20 ms for 20 ms.
pub(super) struct SerialSound {
    port: Port,
    rate: SampleRate,
    /// Octets that came and are less than a frame.
    down: VecDeque<u8>,
    /// Octets that the port did not take yet.
    up: VecDeque<u8>,
    /// Whether octets came in this turn.
    fresh: bool,
    /// Turns in a row that began with half a sample.
    odd_turns: u32,
    begun: bool,
    lead: Lead,
    gone: bool,
}

impl SerialSound {
    pub(super) fn over(port: Port, rate: SampleRate) -> Self {
        Self {
            port,
            rate,
            down: VecDeque::with_capacity(2 * READ),
            up: VecDeque::with_capacity(2 * READ),
            fresh: false,
            odd_turns: 0,
            begun: false,
            lead: Lead::new(),
            gone: false,
        }
    }

    const fn frame_bytes(&self) -> usize {
        2 * self.rate.frame_len()
    }

    /// Reads what is there; false when nothing is.
    fn read(&mut self) -> bool {
        let mut bytes = [0; READ];
        match self.port.try_read(&mut bytes) {
            Ok(0) => {
                self.gone = true;
                false
            }
            Ok(len) => {
                self.down.extend(&bytes[..len]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.kind() == io::ErrorKind::Interrupted => {
                false
            }
            Err(_) => {
                self.gone = true;
                false
            }
        }
    }

    /// Gives the port what it takes; how many octets that were.
    fn write(&mut self) -> usize {
        let mut written = 0;
        while !self.up.is_empty() {
            let (first, _) = self.up.as_slices();
            match self.port.try_write(first) {
                Ok(0) => break,
                Ok(len) => {
                    self.up.drain(..len);
                    written += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        written
    }
}

impl SoundIo for SerialSound {
    fn begin_turn(&mut self) -> usize {
        // Frames come whole. Half a sample that nothing followed is the rest of
        // something that was no sound, and would turn all that comes into noise.
        let is_odd = !self.down.len().is_multiple_of(2);
        self.odd_turns = if is_odd { self.odd_turns + 1 } else { 0 };
        if is_odd && (!self.fresh || self.odd_turns >= ODD_TURNS_MAX) {
            self.down.pop_front();
            self.odd_turns = 0;
        }
        let before = self.down.len();
        while self.down.len() < READS_A_TURN * READ && self.read() {}
        self.fresh = self.down.len() > before;
        // A frame counts as sent with its last octet.
        let frames = |octets: usize| u32::try_from(octets / self.frame_bytes()).unwrap_or(u32::MAX);
        let sent = frames(self.down.len()) - frames(before);
        self.lead.turn(sent);
        self.write()
    }

    fn take(&mut self) -> Taken {
        if self.down.len() < self.frame_bytes() {
            return if self.gone { Taken::Gone } else { Taken::Nothing };
        }
        let mut frame = Frame::silence(self.rate);
        for sample in frame.samples_mut() {
            let low = self.down.pop_front().unwrap_or(0);
            let high = self.down.pop_front().unwrap_or(0);
            *sample = i16::from_le_bytes([low, high]);
        }
        Taken::Frame(frame)
    }

    fn has_room(&self) -> bool {
        self.up.len() < WAITING_MAX * self.frame_bytes()
    }

    fn give(&mut self, frame: &Frame) -> usize {
        if !self.begun {
            self.begun = true;
            self.up.extend(std::iter::repeat_n(0, FIRST as usize * self.frame_bytes()));
            self.lead.gave(FIRST);
        }
        self.lead.gave(1);
        self.up.extend(frame.samples().iter().flat_map(|sample| sample.to_le_bytes()));
        self.write()
    }

    fn needs_none(&mut self) -> bool {
        self.lead.take_spare()
    }

    fn flush(&mut self) {
        if let Err(error) = self.port.clear(ClearBuffer::Input) {
            tracing::debug!(%error, "a port's old sound could not be thrown away at once; it is read and dropped");
        }
        for _ in 0..READS_A_TURN {
            if !self.read() {
                break;
            }
        }
        self.down.clear();
        self.up.clear();
        self.odd_turns = 0;
        self.begun = false;
        self.lead = Lead::new();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn half_a_sample_too_much_in_a_steady_stream_is_noise_for_less_than_a_second() {
        let (port, mut modem) = SerialStream::pair().expect("pseudo-terminals");
        let mut sound = SerialSound::over(Port::new(port), SampleRate::Hz8000);
        modem.write_all(b"$").await.expect("it is open");
        let mut heard = Vec::new();
        for _ in 0..2 * ODD_TURNS_MAX {
            // 256, low octet first; half a sample further it is 1.
            modem.write_all(&[0, 1].repeat(160)).await.expect("it is open");
            while sound.port.bytes_to_read().expect("it is open") < 320 {
                tokio::task::yield_now().await;
            }
            sound.port.readable().await.expect("it is open");
            sound.begin_turn();
            while let Taken::Frame(frame) = sound.take() {
                heard.push(frame.samples()[80]);
            }
        }
        let noise = heard.iter().take_while(|sample| **sample == 1).count();
        assert!((1..=ODD_TURNS_MAX as usize).contains(&noise), "{noise}");
        assert!(heard[noise..].iter().all(|sample| *sample == 256), "{heard:?}");
    }
}
