//! A modem that runs: its ports, and what passes over them.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_serial::{SerialPort as _, SerialStream};

use super::family::Role;
use super::faults::{Fault, Writing, WritingFaults, doubled_cr};
use super::pcm;
use super::rack::{Node, Place};
use super::recording::Step;
use super::sound::Sound;
use super::state::{Answer, CallState, Last, Sim, State, Then};
use super::{Family, ModemOptions};

/// Writings that wait for the wire: a flood and a little more.
const WAITING: usize = 8192;

/// `split` in this field: rows are written whole.
const WHOLE: u64 = u64::MAX;

/// From power to the first row.
const BOOT_WAIT: Duration = Duration::from_millis(20);

pub struct Inner {
    pub(super) state: Mutex<State>,
    pub(super) sound: Mutex<Sound>,
    faults: Mutex<WritingFaults>,
    ports: Mutex<Option<Ports>>,
    /// Microseconds between bytes, or [`WHOLE`].
    split: AtomicU64,
    changed: watch::Sender<u64>,
    place: Arc<Place>,
    runtime: Handle,
    usb_path: Mutex<String>,
}

/// What is there while the modem is plugged in.
struct Ports {
    nodes: Vec<Node>,
    /// To the port for commands, which has the unsolicited rows as well.
    at: mpsc::Sender<Vec<u8>>,
    /// They end with the ports.
    _tasks: JoinSet<()>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The two ends of a port. A program that is started while it is open must not
/// have them too, or nobody would notice that the modem was pulled out.
fn pair() -> io::Result<(SerialStream, SerialStream)> {
    let (modem, host) = serialport::TTYPort::pair()?;
    // Only a copy is closed in programs that are started.
    let closing = |port: serialport::TTYPort| SerialStream::try_from(port.try_clone_native()?);
    Ok((closing(modem)?, closing(host)?))
}

impl Inner {
    pub(super) fn new(place: Arc<Place>, runtime: Handle, usb_path: &str, options: ModemOptions) -> Self {
        let sound = Sound::new(options.ppm, options.family == Family::Quectel);
        Self {
            state: Mutex::new(State::new(options)),
            sound: Mutex::new(sound),
            faults: Mutex::default(),
            ports: Mutex::new(None),
            split: AtomicU64::new(WHOLE),
            changed: watch::Sender::new(0),
            place,
            runtime,
            usb_path: Mutex::new(usb_path.to_owned()),
        }
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn change(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    pub(super) fn usb_path(&self) -> String {
        lock(&self.usb_path).clone()
    }

    /// The path of the tty with this role, while it is plugged in.
    pub(super) fn path(&self, role: Role) -> Option<PathBuf> {
        let ports = lock(&self.ports);
        let node = ports.as_ref()?.nodes.iter().find(|node| node.interface.role == role)?;
        Some(self.place.dev().join(&node.name))
    }

    /// Opens the pseudo-terminals and makes the device appear.
    pub(super) fn plug(self: &Arc<Self>) -> io::Result<()> {
        let _reactor = self.runtime.enter();
        let options = lock(&self.state).options.clone();
        let (mut terminals, mut opened) = (Vec::new(), Vec::new());
        for interface in options.family.interfaces() {
            let (modem, host) = pair()?;
            let path = host.name().ok_or_else(|| io::Error::other("a pseudo-terminal without a name"))?;
            terminals.push(PathBuf::from(path));
            opened.push((interface.role, modem, host));
        }
        let mut tasks = JoinSet::new();
        let mut at = None;
        for (role, modem, host) in opened {
            match role {
                Role::At | Role::At2 => {
                    let (reader, writer) = tokio::io::split(modem);
                    let (sender, waiting) = mpsc::channel(WAITING);
                    tasks.spawn_on(write_all(self.clone(), writer, waiting), &self.runtime);
                    tasks.spawn_on(serve_at(self.clone(), reader, host, sender.clone()), &self.runtime);
                    if role == Role::At {
                        at = Some(sender);
                    }
                }
                Role::Pcm => {
                    tasks.spawn_on(pcm::serve(self.clone(), modem, host), &self.runtime);
                }
                Role::Mute => {
                    tasks.spawn_on(hold(modem, host), &self.runtime);
                }
            }
        }
        let at = at.ok_or_else(|| io::Error::other("a modem without a port for commands"))?;
        let nodes = self.place.appear(&self.usb_path(), &options, &terminals)?;
        *lock(&self.ports) = Some(Ports { nodes, at, _tasks: tasks });
        self.change();
        Ok(())
    }

    /// Pulls it out. Its calls are lost, as if the network had dropped them.
    pub(super) fn unplug(&self) {
        let gone = lock(&self.ports).take();
        if let Some(ports) = gone {
            self.place.disappear(&self.usb_path(), &ports.nodes);
        }
        lock(&self.state).reset();
        lock(&self.sound).end();
        self.change();
    }

    /// Plugs it in again, by another USB port if one is named, and says what a
    /// modem says after power.
    pub(super) fn replug(self: &Arc<Self>, usb_path: Option<&str>) {
        if let Some(path) = usb_path {
            path.clone_into(&mut lock(&self.usb_path));
        }
        if let Err(error) = self.plug() {
            tracing::error!(%error, "a modem did not come back");
            return;
        }
        let boot = lock(&self.state).options.family.boot();
        let is_ready = lock(&self.state).sim == Sim::Ready;
        for row in boot.iter().filter(|row| is_ready || !row.contains("READY")) {
            self.later(BOOT_WAIT, |inner| inner.say_row(row));
        }
    }

    pub(super) fn vanish(self: &Arc<Self>, back_after: Option<Duration>) {
        self.unplug();
        if let Some(wait) = back_after {
            self.later(wait, |inner| inner.replug(None));
        }
    }

    /// Does something after a while, whether or not the modem is plugged in then.
    pub(super) fn later(self: &Arc<Self>, wait: Duration, act: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let inner = self.clone();
        drop(self.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            act(&inner);
        }));
    }

    /// Bytes on the port for commands.
    pub(super) fn say(&self, bytes: Vec<u8>) {
        let at = lock(&self.ports).as_ref().map(|ports| ports.at.clone());
        if at.is_some_and(|at| at.try_send(bytes).is_err()) {
            tracing::debug!("a modem's words were lost: nobody reads them");
        }
    }

    /// A row that nobody asked for.
    pub(super) fn say_row(&self, row: &str) {
        let sim7600 = lock(&self.state).options.family == Family::Sim7600;
        // As SIM7100 and SIM7600 frame these two.
        let wide = sim7600 && (row.starts_with("+CRING") || row.starts_with("+RXDTMF"));
        if row == "+CUSD: 2" {
            // The network has ended what was open.
            lock(&self.state).ussd_open = None;
        }
        let bytes = format!("\r\n{row}\r\n").into_bytes();
        let extra = lock(&self.faults).extra_cr;
        self.say(if wide || extra { doubled_cr(&bytes) } else { bytes });
    }

    /// The far side calls, and rings until something changes.
    pub(super) fn ring(self: &Arc<Self>, number: &str) {
        let (call, rows, every) = {
            let mut state = lock(&self.state);
            if !state.is_registered() {
                return;
            }
            let (call, rows) = state.rung(number);
            (call, rows, state.options.ring_every)
        };
        rows.iter().for_each(|row| self.say_row(row));
        self.change();
        self.ring_on(call.serial, every);
    }

    fn ring_on(self: &Arc<Self>, serial: u64, every: Duration) {
        self.later(every, move |inner| {
            let rows = {
                let state = lock(&inner.state);
                let ringing = |c: &&super::state::Call| c.serial == serial && c.state == CallState::Incoming;
                state.calls.iter().find(ringing).map(|call| state.ring_rows(call))
            };
            if let Some(rows) = rows {
                rows.iter().for_each(|row| inner.say_row(row));
                inner.ring_on(serial, every);
            }
        });
    }

    /// The far side ends the call that is named, or all.
    pub(super) fn far_hang_up(&self, serial: Option<u64>) {
        let rows: Vec<String> = {
            let mut state = lock(&self.state);
            let serials: Vec<u64> =
                state.calls.iter().map(|c| c.serial).filter(|s| serial.is_none_or(|one| one == *s)).collect();
            serials.into_iter().flat_map(|serial| state.ended(serial, true)).collect()
        };
        self.sound_changed();
        rows.iter().for_each(|row| self.say_row(row));
        self.change();
    }

    pub(super) fn press(&self, digit: char) {
        let row = lock(&self.state).digit_row(digit);
        if let Some(row) = row {
            self.say_row(&row);
        }
    }

    /// Ends what belongs to a call that is over.
    fn sound_changed(&self) {
        let (sounds, stale, calls) = {
            let state = lock(&self.state);
            (state.sounds(), state.options.stale, state.calls.len())
        };
        let mut sound = lock(&self.sound);
        if !sounds && calls == 0 {
            sound.end();
            if !stale.is_zero() {
                let samples = usize::try_from(stale.as_millis() * 8).unwrap_or(0);
                // A tone that nobody of the next call said.
                sound.stale =
                    (0..samples).flat_map(|n| (if n % 8 < 4 { 9_000_i16 } else { -9_000 }).to_le_bytes()).collect();
            }
        }
    }

    pub(super) fn text_arrives(&self, pdu: Vec<u8>) {
        let row = lock(&self.state).text_arrived(pdu);
        if let Some(row) = row {
            self.say_row(&row);
        }
        self.change();
    }

    pub(super) fn report_arrives(&self, pdu: Vec<u8>) {
        let row = lock(&self.state).report_arrived(pdu);
        if let Some(row) = row {
            self.say_row(&row);
        }
        self.change();
    }

    pub(super) fn fault(self: &Arc<Self>, fault: Fault) {
        match fault {
            Fault::Inject { at_byte, row } => lock(&self.faults).injected.push_back((at_byte, row)),
            Fault::Split { gap_us } => self.split.store(gap_us.min(WHOLE - 1), Ordering::Relaxed),
            Fault::Whole => self.split.store(WHOLE, Ordering::Relaxed),
            Fault::ExtraCr { on } => lock(&self.faults).extra_cr = on,
            Fault::Echo { on } => lock(&self.state).echo = on,
            Fault::LoseFinal { count } => lock(&self.faults).lose_final = count,
            Fault::LoseAnswer { count } => lock(&self.faults).lose_answer = count,
            Fault::Delay { ms, count } => lock(&self.faults).delay = Some((Duration::from_millis(ms), count)),
            Fault::Garbage { bytes } => lock(&self.faults).garbage = bytes,
            Fault::Answer { rows } => lock(&self.faults).answers.push_back(rows),
            Fault::Flood { count, row } => (0..count).for_each(|_| self.say_row(&row)),
            Fault::Stall { ms } => lock(&self.faults).stall = Some(Duration::from_millis(ms)),
            Fault::Vanish { back_after_ms } => self.vanish(back_after_ms.map(Duration::from_millis)),
            Fault::Pin { pin } => {
                let mut state = lock(&self.state);
                state.options.pin = Some(pin);
                state.sim = Sim::PinWanted;
            }
            Fault::SimAbsent => lock(&self.state).sim = Sim::Absent,
            Fault::Service { on } => self.service(on),
            Fault::Sound { on } => lock(&self.sound).alive = on,
            Fault::Mute { on } => lock(&self.sound).mute = on,
            Fault::Uplink { on } => lock(&self.sound).uplink = on,
            Fault::Stutter { one_of } => lock(&self.sound).stutter = one_of,
            Fault::FlowStop { ms } => self.flow_stop(Duration::from_millis(ms)),
            Fault::Ppm { ppm } => lock(&self.sound).ppm = ppm,
            Fault::SecondCallDeaf { on } => lock(&self.state).second_call_deaf = on,
            Fault::Clear => self.clear(),
        }
        self.change();
    }

    fn clear(&self) {
        *lock(&self.faults) = WritingFaults::default();
        self.split.store(WHOLE, Ordering::Relaxed);
        let mut sound = lock(&self.sound);
        (sound.alive, sound.uplink, sound.stutter, sound.mute) = (true, true, 1, false);
        drop(sound);
        let mut state = lock(&self.state);
        state.second_call_deaf = false;
        state.rules.clear();
    }

    fn service(&self, on: bool) {
        let rows = {
            let mut state = lock(&self.state);
            state.service = on;
            state.registration_changed()
        };
        rows.iter().for_each(|row| self.say_row(row));
    }

    fn flow_stop(self: &Arc<Self>, held: Duration) {
        let hold = |inner: &Self, on: bool| {
            let mut sound = lock(&inner.sound);
            (sound.told_to_hold, sound.hold_is_ordered) = (on, on);
        };
        hold(self, true);
        self.say_row("+QPCMV: 0,0");
        self.later(held, move |inner| {
            hold(inner, false);
            inner.say_row("+QPCMV: 1,0");
        });
    }

    /// Plays steps of a script one after the other.
    pub(super) async fn play(self: &Arc<Self>, steps: Vec<Step>, number: &str) {
        for step in steps {
            match step {
                Step::Row(row) => self.say_row(&row.replace("{n}", number)),
                Step::Bytes(bytes) => {
                    let text = String::from_utf8(bytes).map(|text| text.replace("{n}", number).into_bytes());
                    self.say(text.unwrap_or_else(|error| error.into_bytes()));
                }
                Step::Wait(wait) => tokio::time::sleep(wait).await,
                Step::Fault(fault) => self.fault(fault),
                // A rule's steps hold none.
                Step::Hear { .. } => {}
            }
        }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Keeps a port open that nothing comes out of.
async fn hold(mut modem: SerialStream, host: SerialStream) {
    let mut bytes = [0; 256];
    while let Ok(1..) = modem.read(&mut bytes).await {}
    drop(host);
}

async fn write_all(inner: Arc<Inner>, mut writer: WriteHalf<SerialStream>, mut waiting: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = waiting.recv().await {
        let gap = inner.split.load(Ordering::Relaxed);
        let written = if gap == WHOLE {
            writer.write_all(&bytes).await
        } else {
            write_split(&mut writer, &bytes, Duration::from_micros(gap)).await
        };
        if written.is_err() {
            return;
        }
    }
}

async fn write_split(writer: &mut WriteHalf<SerialStream>, bytes: &[u8], gap: Duration) -> io::Result<()> {
    for byte in bytes {
        writer.write_all(std::slice::from_ref(byte)).await?;
        if gap.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(gap).await;
        }
    }
    Ok(())
}

/// Reads commands and answers them. `host` keeps the box's end open, so that the
/// modem lives on while nobody has it.
async fn serve_at(
    inner: Arc<Inner>,
    mut reader: ReadHalf<SerialStream>,
    host: SerialStream,
    writer: mpsc::Sender<Vec<u8>>,
) {
    let mut port = AtPort { inner, writer, row: Vec::new(), prompt: None };
    let mut bytes = [0; 1024];
    while let Ok(len @ 1..) = reader.read(&mut bytes).await {
        for &byte in &bytes[..len] {
            port.take(byte).await;
        }
    }
    drop(host);
}

struct AtPort {
    inner: Arc<Inner>,
    writer: mpsc::Sender<Vec<u8>>,
    row: Vec<u8>,
    /// The length that the text message to come was announced with.
    prompt: Option<usize>,
}

impl AtPort {
    async fn take(&mut self, byte: u8) {
        match (byte, self.prompt) {
            (0x1A, Some(length)) => {
                self.prompt = None;
                let body = String::from_utf8_lossy(&std::mem::take(&mut self.row)).into_owned();
                lock(&self.inner.state).note_written(&body);
                let answer = lock(&self.inner.state).take_text(length, &body);
                self.answer(&body, answer).await;
                self.inner.change();
            }
            (0x1B, prompt) => {
                self.prompt = None;
                self.row.clear();
                if prompt.is_some() {
                    self.answer("", Answer::ok()).await;
                }
            }
            (b'\r', None) => {
                let row = String::from_utf8_lossy(&std::mem::take(&mut self.row)).into_owned();
                if !row.trim().is_empty() {
                    self.command(row.trim()).await;
                }
            }
            (b'\n', None) => {}
            (byte, _) => {
                // Longer than any command that there is.
                if self.row.len() < 4096 {
                    self.row.push(byte);
                }
            }
        }
    }

    async fn command(&mut self, row: &str) {
        let (rule, latency) = {
            let mut state = lock(&self.inner.state);
            state.note_written(row);
            (state.take_rule(row), state.options.latency)
        };
        self.inner.change();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if let Some((rule, number)) = rule {
            if lock(&self.inner.state).echo {
                self.write(format!("{row}\r").into_bytes());
            }
            return self.inner.play(rule.steps, &number).await;
        }
        let instead = lock(&self.inner.faults).answers.pop_front();
        let answer = match instead {
            Some(rows) => Answer { rows, last: Last::Nothing, then: Vec::new() },
            None => lock(&self.inner.state).answer(row),
        };
        if answer.last == Last::Prompt {
            let length = row.split('=').nth(1).and_then(|length| length.trim().parse().ok());
            self.prompt = Some(length.unwrap_or(0));
        }
        self.answer(row, answer).await;
        self.inner.change();
    }

    /// Writes an answer, as the faults let it be, and begins what follows.
    async fn answer(&self, row: &str, answer: Answer) {
        let bytes = {
            let state = lock(&self.inner.state);
            let mut faults = lock(&self.inner.faults);
            let last = if answer.last != Last::Nothing && faults.takes_final() { &Last::Nothing } else { &answer.last };
            let mut bytes = if state.echo && !row.is_empty() { format!("{row}\r").into_bytes() } else { Vec::new() };
            bytes.extend(framed(&answer.rows, last, state.errors));
            bytes
        };
        let writing = lock(&self.inner.faults).spoil(bytes);
        if let Writing::Parts(parts) = writing {
            for (wait, bytes) in parts {
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                self.write(bytes);
            }
        }
        answer.then.into_iter().for_each(|then| follow(&self.inner, then));
    }

    fn write(&self, bytes: Vec<u8>) {
        if self.writer.try_send(bytes).is_err() {
            tracing::debug!("a modem's answer was lost: nobody reads it");
        }
    }
}

/// Rows and the last one, as they go over the wire.
fn framed(rows: &[String], last: &Last, errors: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut push = |row: &str| bytes.extend_from_slice(format!("\r\n{row}\r\n").as_bytes());
    rows.iter().for_each(|row| push(row));
    match last {
        Last::Ok => push("OK"),
        Last::Error => push("ERROR"),
        Last::Cme(_) if errors == 0 => push("ERROR"),
        Last::Cme(number) if errors == 1 => push(&format!("+CME ERROR: {number}")),
        Last::Cme(number) => push(&format!("+CME ERROR: {}", cme_words(*number))),
        Last::Cms(number) => push(&format!("+CMS ERROR: {number}")),
        Last::Text(text) => push(text),
        Last::Prompt => bytes.extend_from_slice(b"\r\n> "),
        Last::Nothing => {}
    }
    bytes
}

const fn cme_words(number: u16) -> &'static str {
    match number {
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        14 => "SIM busy",
        16 => "incorrect password",
        30 => "no network service",
        _ => "unknown error",
    }
}

fn follow(inner: &Arc<Inner>, then: Then) {
    match then {
        Then::Row(wait, row) if wait.is_zero() => inner.say_row(&row),
        Then::Row(wait, row) => inner.later(wait, move |inner| inner.say_row(&row)),
        Then::Reset => {
            let time = lock(&inner.state).options.reset_time;
            // The OK goes out before the device does.
            inner.later(BOOT_WAIT, move |inner| inner.vanish(Some(time)));
        }
        Then::Off => inner.later(BOOT_WAIT, |inner| {
            inner.say_row("POWERED DOWN");
            inner.later(BOOT_WAIT, |inner| inner.unplug());
        }),
        Then::PickUp(wait, serial) => inner.later(wait, move |inner| {
            let rows = {
                let mut state = lock(&inner.state);
                let dialling = |c: &&mut super::state::Call| c.serial == serial && c.state == CallState::Dialing;
                let found = state.calls.iter_mut().find(dialling).map(|call| {
                    call.state = CallState::Active;
                    call.clone()
                });
                found.map(|call| state.begun_rows(&call))
            };
            rows.into_iter().flatten().for_each(|row| inner.say_row(&row));
            inner.change();
        }),
        Then::Report(wait, submitted) => inner.later(wait, move |inner| {
            inner.report_arrives(super::pdu::report(&submitted, 0));
        }),
        Then::SoundChanged => inner.sound_changed(),
    }
}
