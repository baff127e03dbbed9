//! A modem as a test holds it: the test is the network, the far side and the
//! hand that pulls the plug.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::engine::{Inner, lock};
use super::family::Role;
use super::pdu::{self, Part, Submitted};
use super::rack::Place;
use super::recording::{Case, ReadRecording, Recording};
use super::state::Call;
use super::{Fault, ModemOptions};

/// It bounds a failure; no test passes or fails by how fast something was.
const PATIENCE: Duration = Duration::from_secs(120);

/// Clones are the same modem.
#[derive(Clone)]
pub struct Modem {
    inner: Arc<Inner>,
}

/// Counters of the sound of a modem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SoundCount {
    pub frames_down: u64,
    pub bytes_up: u64,
    pub underruns: u64,
    /// Came while no call had sound.
    pub bytes_stray: u64,
    /// Came although the box was told to hold.
    pub bytes_held: u64,
    /// The box did not read them in time.
    pub bytes_refused: u64,
    /// The most that the modem had to keep, in milliseconds.
    pub most_ms: u64,
    /// What it has and has not played now.
    pub kept_ms: u64,
}

impl Modem {
    pub(super) fn plug(place: Arc<Place>, runtime: Handle, usb_path: &str, options: ModemOptions) -> io::Result<Self> {
        let inner = Arc::new(Inner::new(place, runtime, usb_path, options));
        inner.plug()?;
        Ok(Self { inner })
    }

    /// Where its commands go now; none while it is pulled out.
    pub fn at_path(&self) -> Option<PathBuf> {
        self.inner.path(Role::At)
    }

    pub fn pcm_path(&self) -> Option<PathBuf> {
        self.inner.path(Role::Pcm)
    }

    /// `1-1.2`
    pub fn usb_path(&self) -> String {
        self.inner.usb_path()
    }

    /// Somebody calls; an empty number is withheld.
    pub fn ring(&self, from: &str) {
        self.inner.ring(from);
    }

    /// The far side of every call hangs up.
    pub fn hang_up(&self) {
        self.inner.far_hang_up(None);
    }

    /// The far side of one call hangs up.
    pub fn hang_up_one(&self, serial: u64) {
        self.inner.far_hang_up(Some(serial));
    }

    /// The far side presses a key: the modem tells it, if it was set to.
    pub fn press(&self, digit: char) {
        self.inner.press(digit);
    }

    /// Somebody sends a text.
    pub fn receive_text(&self, from: &str, text: &str) {
        self.inner.text_arrives(pdu::deliver(from, text, None));
    }

    /// A part of a long text arrives.
    pub fn receive_part(&self, from: &str, text: &str, part: Part) {
        self.inner.text_arrives(pdu::deliver(from, text, Some(part)));
    }

    /// A text of a recording arrives, with its service centre.
    pub fn receive_pdu(&self, pdu: Vec<u8>) {
        self.inner.text_arrives(pdu);
    }

    /// What the network says of a text that was sent.
    pub fn report(&self, of: &Submitted, status: u8) {
        self.inner.report_arrives(pdu::report(of, status));
    }

    /// A row that nobody asked for.
    pub fn say_row(&self, row: &str) {
        self.inner.say_row(row);
    }

    /// Bytes on the port for commands, as they are.
    pub fn say_bytes(&self, bytes: &[u8]) {
        self.inner.say(bytes.to_vec());
    }

    pub fn fault(&self, fault: Fault) {
        self.inner.fault(fault);
    }

    /// Plays a script: what stands before its first command at once, the rest
    /// as the commands come. Cases follow one another.
    pub fn play(&self, script: &str) -> Result<(), ReadRecording> {
        Recording::parse(script)?.cases.iter().for_each(|case| self.play_case(case));
        Ok(())
    }

    /// Plays one case of a script or of a recording.
    pub fn play_case(&self, case: &Case) {
        let (unasked, rules) = case.rules();
        lock(&self.inner.state).rules.extend(rules);
        let inner = self.inner.clone();
        drop(self.inner.runtime().spawn(async move { inner.play(unasked, "+2348031234567").await }));
    }

    /// The far side says this, after what it is already saying.
    pub fn speak(&self, samples: &[i16]) {
        lock(&self.inner.sound).down.extend(samples);
    }

    /// Samples that the far side has not said yet.
    pub fn unsaid(&self) -> usize {
        lock(&self.inner.sound).down.len()
    }

    /// What the far side has heard since the modem was plugged in.
    pub fn heard(&self) -> Vec<i16> {
        lock(&self.inner.sound).heard.clone()
    }

    /// What the far side has heard after so many samples.
    pub fn heard_from(&self, samples: usize) -> Vec<i16> {
        lock(&self.inner.sound).heard.get(samples..).map_or_else(Vec::new, <[i16]>::to_vec)
    }

    /// The SIM's own number.
    pub fn number(&self) -> String {
        lock(&self.inner.state).options.number.clone()
    }

    pub fn forget_heard(&self) {
        lock(&self.inner.sound).heard.clear();
    }

    pub fn sound(&self) -> SoundCount {
        let sound = lock(&self.inner.sound);
        SoundCount {
            frames_down: sound.frames_down,
            bytes_up: sound.bytes_up,
            underruns: sound.underruns,
            bytes_stray: sound.bytes_stray,
            bytes_held: sound.bytes_held,
            bytes_refused: sound.bytes_refused,
            most_ms: sound.most as u64 / 16,
            kept_ms: sound.buffer.len() as u64 / 16,
        }
    }

    /// Whether sound flows.
    pub fn sounds(&self) -> bool {
        lock(&self.inner.state).sounds()
    }

    pub fn calls(&self) -> Vec<Call> {
        lock(&self.inner.state).calls.clone()
    }

    /// Every row that the box has written, texts included.
    pub fn written(&self) -> Vec<String> {
        lock(&self.inner.state).written.iter().cloned().collect()
    }

    /// How often the box has written exactly this row.
    pub fn count_written(&self, row: &str) -> usize {
        lock(&self.inner.state).written.iter().filter(|written| written.as_str() == row).count()
    }

    pub fn forget_written(&self) {
        lock(&self.inner.state).written.clear();
    }

    pub fn sent_texts(&self) -> Vec<Submitted> {
        lock(&self.inner.state).sent.clone()
    }

    /// Texts that lie in the modem's storage.
    pub fn stored_texts(&self) -> usize {
        lock(&self.inner.state).texts.len()
    }

    /// Digits that the box has sent to the far side.
    pub fn digits_sent(&self) -> String {
        lock(&self.inner.state).digits_sent.clone()
    }

    pub fn resets(&self) -> u32 {
        lock(&self.inner.state).resets
    }

    /// Changes what the modem is; a few things count only from the next reset on.
    pub fn with_options(&self, change: impl FnOnce(&mut ModemOptions)) {
        change(&mut lock(&self.inner.state).options);
    }

    /// Pulls it out.
    pub fn unplug(&self) {
        self.inner.unplug();
    }

    /// Plugs it in again, into another USB port if one is named.
    pub fn replug(&self, usb_path: Option<&str>) {
        self.inner.replug(usb_path);
    }

    /// Looks each time that something changes, and now and then, until `found`
    /// gives something.
    ///
    /// # Panics
    /// When that takes longer than anything should.
    pub async fn until<T>(&self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.inner.changes();
        let look = async {
            loop {
                if let Some(found) = found(self) {
                    return found;
                }
                // Sound flows without telling.
                let next = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
                assert!(!matches!(next, Ok(Err(_))), "the modem is gone");
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => panic!("in vain: {what}"),
        }
    }

    /// Waits until the box has written this row.
    pub async fn until_written(&self, row: &str) {
        self.until(row, |modem| (modem.count_written(row) > 0).then_some(())).await;
    }
}
