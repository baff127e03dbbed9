//! The PCM port: the modem's clock pushes 20 ms down and plays 20 ms up, and
//! everything that goes wrong with sound goes wrong here.

use std::sync::Arc;
use std::time::Duration;

use tokio_serial::SerialStream;

use super::engine::{Inner, lock};
use super::sound::FRAME_BYTES;

/// Between two looks at a port on which no sound flows.
const IDLE: Duration = Duration::from_millis(20);

/// A modem that could not write for this long has dropped what it had.
const BEHIND_MAX: u64 = 50;

const NMEA: &[u8] = b"$GPGGA,153704.00,0627.2,N,00323.6,E,1,08,1.0,41.0,M,25.0,M,,*5A\r\n";

/// Serves until the modem is pulled out. `_host` keeps the box's end open.
pub async fn serve(inner: Arc<Inner>, mut modem: SerialStream, _host: SerialStream) {
    let mut clock: Option<Clock> = None;
    let mut idle_looks = 0_u32;
    loop {
        let flows = lock(&inner.state).sounds();
        if !flows {
            clock = None;
            take_up(&inner, &mut modem, false);
            // The end of the call before, which nobody has read any more.
            let stale = std::mem::take(&mut lock(&inner.sound).stale);
            refuse_quietly(modem.try_write(&stale));
            idle_looks += 1;
            if idle_looks.is_multiple_of(50) && lock(&inner.state).gps_text {
                refuse_quietly(modem.try_write(NMEA));
            }
            tokio::time::sleep(IDLE).await;
            continue;
        }
        let ppm = lock(&inner.sound).ppm;
        let running = match clock.take().filter(|clock| clock.ppm == ppm) {
            Some(running) => running,
            None => Clock::new(ppm),
        };
        let running = clock.insert(running);
        take_up(&inner, &mut modem, true);
        for _ in 0..running.due() {
            let frame = {
                let mut sound = lock(&inner.sound);
                sound.play_up();
                sound.next_down()
            };
            if let Some(frame) = frame {
                let taken = modem.try_write(&frame).unwrap_or(0);
                lock(&inner.sound).bytes_refused += (FRAME_BYTES - taken) as u64;
            }
        }
        let row = lock(&inner.sound).flow_row();
        if let Some(row) = row {
            inner.say_row(row);
        }
        let wait = running.until_next();
        tokio::time::sleep(wait).await;
    }
}

/// Reads what the box has written.
fn take_up(inner: &Inner, modem: &mut SerialStream, flows: bool) {
    if !lock(&inner.sound).uplink {
        return;
    }
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = modem.try_read(&mut bytes) {
        lock(&inner.sound).take_up(&bytes[..len], flows);
    }
}

/// A full port loses sound, as a modem's does.
fn refuse_quietly(written: std::io::Result<usize>) {
    if let Err(error) = written {
        tracing::trace!(%error, "a PCM port is full");
    }
}

/// The modem's crystal.
struct Clock {
    ppm: i32,
    began: tokio::time::Instant,
    frames: u64,
}

impl Clock {
    fn new(ppm: i32) -> Self {
        Self { ppm, began: now(), frames: 0 }
    }

    fn at(&self, frame: u64) -> Duration {
        let nominal = frame as f64 * 0.020;
        Duration::from_secs_f64(nominal / (1.0 + f64::from(self.ppm) * 1e-6))
    }

    /// Frames that are due and not yet done.
    fn due(&mut self) -> u64 {
        let elapsed = now().duration_since(self.began);
        let mut due = 0;
        while self.at(self.frames + due + 1) <= elapsed {
            due += 1;
        }
        self.frames += due;
        due.min(BEHIND_MAX)
    }

    fn until_next(&self) -> Duration {
        self.at(self.frames + 1).saturating_sub(now().duration_since(self.began))
    }
}

#[expect(clippy::disallowed_methods, reason = "the modem's crystal is a clock of its own")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
