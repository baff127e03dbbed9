//! The key of a sound device: an input device of the kernel's (a USB handset's hook, a
//! button on a GPIO), or a press that comes over the control socket.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::sync::mpsc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyEvent {
    Pressed,
    Released,
}

/// A key outside the process.
pub trait CallKey: Send {
    /// Waits for the next event, for as long as it takes: a device that is gone is
    /// waited for. Whoever stops waiting loses no event.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = KeyEvent> + Send + '_>>;
}

/// Presses that wait: nobody presses faster than a call can start.
pub(super) const PRESSES: usize = 8;

/// Presses the key of a line from within the box.
#[derive(Clone, Debug)]
pub struct KeyPresser(pub(super) mpsc::Sender<KeyEvent>);

/// The line has ended, or has not looked at the presses before this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("pressing a line's key: the line does not take it now; try again in a moment")]
pub struct KeyStuck;

impl KeyPresser {
    pub fn press(&self, event: KeyEvent) -> Result<(), KeyStuck> {
        self.0.try_send(event).map_err(|_| KeyStuck)
    }
}

/// How often a device that is away is looked for.
const AGAIN: Duration = Duration::from_secs(1);

/// The kernel's event begins with a time of two machine words (`input_event` in
/// linux/input.h), which says nothing that the box needs.
const TIME: usize = 2 * size_of::<usize>();

/// Then a type, a code and a value.
const EVENT: usize = TIME + 8;

/// The type of keys; other types are axes, lamps and ends of packets.
const EV_KEY: u16 = 1;

/// Bytes read at a time: thirty events, of which a press makes three.
const ROOM: usize = EVENT * 30;

/// A key of `/dev/input/eventN`.
pub struct InputDeviceKey {
    path: PathBuf,
    /// The key that counts; any where there is none.
    code: Option<u16>,
    device: Option<Receiver>,
    buffer: Box<[u8; ROOM]>,
    filled: usize,
    /// The last event was a press.
    is_held: bool,
    is_there: Arc<AtomicBool>,
}

impl InputDeviceKey {
    pub fn new(path: PathBuf, code: Option<u16>) -> Self {
        let is_there = Arc::new(AtomicBool::new(true));
        Self { path, code, device: None, buffer: Box::new([0; ROOM]), filled: 0, is_held: false, is_there }
    }

    /// Whether the device could be opened when it was last tried.
    pub fn presence(&self) -> Arc<AtomicBool> {
        self.is_there.clone()
    }

    async fn read_next(&mut self) -> KeyEvent {
        loop {
            if let Some(event) = self.take_event() {
                return event;
            }
            let Some(device) = &mut self.device else {
                self.open_when_there().await;
                continue;
            };
            match device.read(&mut self.buffer[self.filled..]).await {
                Ok(count) if count > 0 => self.filled += count,
                Ok(_) | Err(_) => {
                    if let Some(event) = self.lose() {
                        return event;
                    }
                }
            }
        }
    }

    /// Nobody can let go of a key whose device is gone: one that was held is released.
    fn lose(&mut self) -> Option<KeyEvent> {
        tracing::warn!(path = %self.path.display(), "the key of a line is gone");
        (self.device, self.filled) = (None, 0);
        self.is_there.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.is_held).then_some(KeyEvent::Released)
    }

    async fn open_when_there(&mut self) {
        if let Ok(device) = open(&self.path) {
            self.device = Some(device);
            self.is_there.store(true, Ordering::Relaxed);
            return;
        }
        self.is_there.store(false, Ordering::Relaxed);
        tokio::time::sleep(AGAIN).await;
    }

    /// The next event of the key among those that were read.
    fn take_event(&mut self) -> Option<KeyEvent> {
        while self.filled >= EVENT {
            let event = parse(&self.buffer[..EVENT], self.code);
            self.buffer.copy_within(EVENT..self.filled, 0);
            self.filled -= EVENT;
            if event.is_some() {
                self.is_held = event == Some(KeyEvent::Pressed);
                return event;
            }
        }
        None
    }
}

impl CallKey for InputDeviceKey {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = KeyEvent> + Send + '_>> {
        Box::pin(self.read_next())
    }
}

/// To the runtime a device of events is a pipe: it is waited for and read in the same
/// way. It is not asked whether it is one.
fn open(path: &Path) -> std::io::Result<Receiver> {
    OpenOptions::new().unchecked(true).open_receiver(path)
}

/// What one event of the kernel's says of the key. A key that is held repeats: that is
/// no second press.
fn parse(event: &[u8], code: Option<u16>) -> Option<KeyEvent> {
    let (kind, rest) = event.get(TIME..)?.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_first_chunk::<2>()?;
    let value = i32::from_ne_bytes(*rest.first_chunk::<4>()?);
    if u16::from_ne_bytes(*kind) != EV_KEY || code.is_some_and(|code| code != u16::from_ne_bytes(*key)) {
        return None;
    }
    match value {
        1 => Some(KeyEvent::Pressed),
        0 => Some(KeyEvent::Released),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const ENTER: u16 = 28;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0; TIME];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        bytes
    }

    #[test]
    fn presses_and_releases_of_the_key_count_and_repeats_do_not() {
        assert_eq!(parse(&event(EV_KEY, ENTER, 1), None), Some(KeyEvent::Pressed));
        assert_eq!(parse(&event(EV_KEY, ENTER, 0), Some(ENTER)), Some(KeyEvent::Released));
        assert_eq!(parse(&event(EV_KEY, ENTER, 2), Some(ENTER)), None);
        assert_eq!(parse(&event(EV_KEY, ENTER, 1), Some(ENTER + 1)), None);
        assert_eq!(parse(&event(0, 0, 0), None), None);
    }

    /// A pipe with a name is to the reader what a device is: bytes, and an end when the
    /// other side goes.
    fn make_device(path: &Path) -> std::fs::File {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    }

    #[tokio::test]
    async fn a_device_that_goes_and_comes_back_is_heard_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event0");
        let mut pipe = make_device(&path);
        let mut key = InputDeviceKey::new(path.clone(), Some(ENTER));
        let patience = Duration::from_secs(20);
        // Cut in the middle of an event.
        let bytes = [event(EV_KEY, ENTER, 1), event(0, 0, 0), event(EV_KEY, ENTER, 0)].concat();
        pipe.write_all(&bytes[..EVENT + 5]).unwrap();
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Pressed);
        pipe.write_all(&bytes[EVENT + 5..]).unwrap();
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Released);
        std::fs::remove_file(&path).unwrap();
        drop(pipe);
        let mut pipe = make_device(&path);
        pipe.write_all(&event(EV_KEY, ENTER, 1)).unwrap();
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Pressed);
        assert!(key.presence().load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_key_whose_device_goes_while_it_is_held_is_released_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event0");
        let mut pipe = make_device(&path);
        let mut key = InputDeviceKey::new(path.clone(), Some(ENTER));
        let patience = Duration::from_secs(20);
        pipe.write_all(&event(EV_KEY, ENTER, 1)).unwrap();
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Pressed);
        std::fs::remove_file(&path).unwrap();
        drop(pipe);
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Released);
        // It is back, and nobody holds it: the next event is the next press.
        let mut pipe = make_device(&path);
        pipe.write_all(&event(EV_KEY, ENTER, 1)).unwrap();
        assert_eq!(tokio::time::timeout(patience, key.next()).await.unwrap(), KeyEvent::Pressed);
    }

    proptest! {
        #[test]
        fn no_event_is_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..64), code in any::<Option<u16>>()) {
            let found = parse(&bytes, code);
            prop_assert!(found.is_none() || bytes.len() >= EVENT);
        }
    }
}
