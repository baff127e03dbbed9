//! One modem's task: it carries between the ports, the machine, the sound and the
//! desk, and decides nothing itself.

mod sounding;

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_serial::SerialStream;
use tokio_util::sync::CancellationToken;

use crate::line::{LegCommand, MediaClock, Offer, ReadClock};
use crate::signalling::modem::{ModemInput, ModemLine, ModemOutput, Profile, ResetStep, SoundPath};
use crate::terms::{EndCause, Moment, Private};

use super::call::Call;
use super::digits::HeardBy;
use super::finding::{Found, GsmClaims, ModemPlace, Search, Wanted};
use super::line::GsmLineConfig;
use super::port::{Control, Over, PortHandle, PortNotice};
use super::power::{self, SwitchPower};
use super::request::{GsmEvent, GsmRequest};
use super::serial;
use super::status::Board;

/// How often a modem that is away is looked for: people wait a second for a device
/// that they plugged in.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sound is measured over this long.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// The status is written at most this often, but for changes of state.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// The clock's thread ends a call's sound within two ticks; a thread that is gone
/// must not hold the call up.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// How long a call may take to be hung up when the line stops.
const GOODBYE: Duration = Duration::from_secs(3);

/// Octets to the modem that its port has not taken: the longest text message, and a
/// few commands behind it. A port that is further behind is dead.
const WAITING_MAX: usize = 8 * 1024;

/// Octets read at once.
const READ: usize = 4096;

/// What a line is served with.
pub(super) struct Parts {
    pub(super) config: GsmLineConfig,
    pub(super) clock: ReadClock,
    pub(super) media_clock: MediaClock,
    pub(super) claims: GsmClaims,
    pub(super) requests: mpsc::Receiver<GsmRequest>,
    pub(super) board: Board,
    pub(super) events: mpsc::Sender<GsmEvent>,
    pub(super) offers: mpsc::Sender<Offer>,
    pub(super) stop: CancellationToken,
}

/// The sound of the call that is on.
struct OpenSound {
    path: SoundPath,
    port: PortHandle,
    measured_at: Moment,
    /// Whether it has the call's voice.
    is_exchanged: bool,
}

/// Power that is being switched off and on.
type Switching = Pin<Box<dyn Future<Output = Result<(), SwitchPower>> + Send>>;

pub(super) struct Serving {
    parts: Parts,
    profiles: Vec<Arc<Profile>>,
    machine: Option<ModemLine>,
    found: Option<Found>,
    reader: Option<ReadHalf<SerialStream>>,
    writer: Option<WriteHalf<SerialStream>>,
    waiting: VecDeque<u8>,
    read: Box<[u8; READ]>,
    call: Option<Call>,
    sound: Option<OpenSound>,
    /// Ttys of modems that are others'.
    strangers: BTreeSet<String>,
    look_at: Moment,
    told_at: Moment,
    is_identified: bool,
    power: Option<Switching>,
    requests_open: bool,
}

enum Happened {
    Read(usize),
    PortGone,
    Written(usize),
    Command(LegCommand),
    LegDropped,
    Sound(PortNotice),
    SoundGone,
    Request(GsmRequest),
    RequestsClosed,
    PowerSwitched(Result<(), SwitchPower>),
    Due,
    Stop,
}

impl Serving {
    pub(super) fn new(parts: Parts) -> Self {
        let now = (parts.clock)();
        let profiles = parts.config.profiles.clone();
        Self {
            parts,
            profiles,
            machine: None,
            found: None,
            reader: None,
            writer: None,
            waiting: VecDeque::new(),
            read: Box::new([0; READ]),
            call: None,
            sound: None,
            strangers: BTreeSet::new(),
            look_at: now,
            told_at: now,
            is_identified: false,
            power: None,
            requests_open: true,
        }
    }

    pub(super) async fn run(mut self) {
        self.parts.board.write(|status| status.is_served = true);
        loop {
            let happened = self.next().await;
            if matches!(happened, Happened::Stop) {
                break;
            }
            self.take(happened).await;
        }
        if tokio::time::timeout(GOODBYE, self.say_goodbye()).await.is_err() {
            tracing::warn!(line = %self.parts.config.id, "a modem did not hang up in time");
        }
        self.close_sound().await;
        if let Some(call) = self.call.take() {
            call.end(EndCause::NormalClearing, (self.parts.clock)());
        }
        self.close_port();
        self.parts.board.write(|status| {
            status.is_served = false;
            status.port = None;
        });
    }

    /// Hangs up what is on, and sees it end.
    async fn say_goodbye(&mut self) {
        let Some(call) = &self.call else { return };
        let cause = EndCause::NormalClearing;
        let input = if call.is_taken { ModemInput::HangUp(cause) } else { ModemInput::Reject(cause) };
        self.input(input).await;
        self.parts.stop = CancellationToken::new();
        while self.call.is_some() || !self.waiting.is_empty() {
            let happened = self.next().await;
            self.take(happened).await;
        }
    }

    fn now(&self) -> Moment {
        (self.parts.clock)()
    }

    /// When something is due without anything happening.
    fn due(&self) -> Option<Moment> {
        let machine = self.machine.as_ref().and_then(ModemLine::deadline);
        let look = self.reader.is_none().then_some(self.look_at);
        let measure = self.sound.as_ref().filter(|s| s.is_exchanged).map(|s| s.measured_at + MEASURE_EVERY);
        [machine, look, measure].into_iter().flatten().min()
    }

    async fn next(&mut self) -> Happened {
        let due = self.due().map(|at| at.since((self.parts.clock)()));
        let Self { parts, reader, writer, waiting, read, call, sound, power, requests_open, .. } = self;
        let reading = async {
            match reader {
                Some(reader) => reader.read(&mut read[..]).await,
                None => pending().await,
            }
        };
        let writing = async {
            match writer {
                Some(writer) if !waiting.is_empty() => writer.write(waiting.as_slices().0).await,
                _ => pending().await,
            }
        };
        let command = async {
            match call {
                Some(call) => call.command().await,
                None => pending().await,
            }
        };
        let notice = async {
            match sound {
                Some(sound) => sound.port.notices.recv().await,
                None => pending().await,
            }
        };
        let switched = async {
            match power {
                Some(power) => power.await,
                None => pending().await,
            }
        };
        let timer = async {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = parts.stop.cancelled() => Happened::Stop,
            command = command => command.map_or(Happened::LegDropped, Happened::Command),
            read = reading => match read {
                Ok(len @ 1..) => Happened::Read(len),
                // A port that gives nothing for ever is gone.
                Ok(_) | Err(_) => Happened::PortGone,
            },
            written = writing => match written {
                Ok(len @ 1..) => Happened::Written(len),
                Ok(_) | Err(_) => Happened::PortGone,
            },
            notice = notice => notice.map_or(Happened::SoundGone, Happened::Sound),
            request = parts.requests.recv(), if *requests_open => {
                request.map_or(Happened::RequestsClosed, Happened::Request)
            }
            switched = switched => Happened::PowerSwitched(switched),
            () = timer => Happened::Due,
        }
    }

    async fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Read(len) => {
                let bytes = self.read[..len].to_vec();
                self.input(ModemInput::Bytes(&bytes)).await;
            }
            Happened::PortGone => self.port_gone().await,
            Happened::Written(len) => {
                self.waiting.drain(..len);
            }
            Happened::Command(command) => self.take_command(command).await,
            Happened::LegDropped => self.take_command(LegCommand::HangUp(EndCause::NormalClearing)).await,
            Happened::Sound(notice) => self.take_notice(notice).await,
            Happened::SoundGone => {
                tracing::error!(line = %self.parts.config.id, "the sound of a call failed");
                self.sound = None;
                self.input(ModemInput::HangUp(EndCause::Internal)).await;
            }
            Happened::Request(request) => self.take_request(request).await,
            Happened::RequestsClosed => self.requests_open = false,
            Happened::PowerSwitched(switched) => {
                self.power = None;
                if let Err(error) = switched {
                    tracing::warn!(line = %self.parts.config.id, %error, "a modem's power was not switched");
                }
            }
            Happened::Due => self.do_what_is_due().await,
            Happened::Stop => {}
        }
        self.identify().await;
        self.write_status();
    }

    async fn take_command(&mut self, command: LegCommand) {
        let is_taken = self.call.as_ref().is_some_and(|call| call.is_taken);
        let input = match command {
            LegCommand::Answer => {
                if let Some(call) = &mut self.call {
                    call.is_taken = true;
                }
                ModemInput::Answer
            }
            LegCommand::Reject(cause) => ModemInput::Reject(cause),
            // Nobody has answered what is hung up: it is refused.
            LegCommand::HangUp(cause) if !is_taken => ModemInput::Reject(cause),
            LegCommand::HangUp(cause) => ModemInput::HangUp(cause),
            LegCommand::SendDigit(digit) => ModemInput::SendDigit(digit),
        };
        self.input(input).await;
    }

    async fn take_request(&mut self, request: GsmRequest) {
        match request.into_input() {
            Ok(input) => {
                if let ModemInput::Day(day) = &input {
                    self.parts.config.settings.day = *day;
                }
                self.input(input).await;
            }
            Err(reply) => {
                let rows = self.machine.as_ref().map(ModemLine::support_rows).unwrap_or_default();
                if reply.send(rows).is_err() {
                    tracing::debug!("nobody waits for the rows any more");
                }
            }
        }
    }

    async fn take_notice(&mut self, notice: PortNotice) {
        match notice {
            PortNotice::Digit { at, digit } => {
                if let Some(call) = &mut self.call {
                    call.digit(digit, HeardBy::Ear, at);
                }
            }
            PortNotice::Lost { at } => {
                if let Some(call) = &self.call {
                    call.lost(at);
                }
            }
            PortNotice::Over { voice, why } => {
                let exchanged = self.sound.take().is_some_and(|sound| sound.is_exchanged);
                self.give_back(voice);
                if why == Over::DeviceGone && exchanged {
                    self.input(ModemInput::SoundFailed).await;
                }
            }
        }
    }

    async fn do_what_is_due(&mut self) {
        let now = self.now();
        if self.machine.as_ref().and_then(ModemLine::deadline).is_some_and(|at| at <= now) {
            self.input(ModemInput::Tick).await;
        }
        if self.reader.is_none() && self.look_at <= now {
            self.look().await;
        }
        let facts = self.sound.as_mut().filter(|s| s.is_exchanged).and_then(|sound| {
            let over = now.since(sound.measured_at);
            (over >= MEASURE_EVERY).then(|| {
                sound.measured_at = now;
                sound.port.meter.take(over)
            })
        });
        if let Some(facts) = facts {
            self.input(ModemInput::SoundMeasured(facts)).await;
        }
    }

    /// Hands the machine what happened, and does what it wants.
    async fn input(&mut self, input: ModemInput<'_>) {
        let now = self.now();
        let Some(machine) = &mut self.machine else {
            if let ModemInput::SendText { id, .. } = input {
                tracing::debug!(id, "a text was asked for before a modem was found");
            }
            return;
        };
        machine.handle(input, now);
        self.drain().await;
    }

    /// Does what the machine wants until it wants nothing.
    async fn drain(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(ModemLine::poll) {
            self.do_output(output).await;
        }
    }

    async fn do_output(&mut self, output: ModemOutput) {
        match output {
            ModemOutput::Write(bytes) => self.write(&bytes),
            ModemOutput::OpenSound(path) => self.open_sound(path).await,
            ModemOutput::FlushSound => self.flush_sound(),
            ModemOutput::PauseUplink => self.tell_sound(Control::Pause),
            ModemOutput::ResumeUplink => self.tell_sound(Control::Resume),
            ModemOutput::CloseSound => self.close_sound().await,
            ModemOutput::Offered { from } => self.offer(from),
            ModemOutput::Connected => self.connected(),
            ModemOutput::Ended(cause) => {
                self.close_sound().await;
                if let Some(call) = self.call.take() {
                    call.end(cause, self.now());
                }
            }
            ModemOutput::Digit(digit) => {
                let now = self.now();
                if let Some(call) = &mut self.call {
                    call.digit(digit, HeardBy::Modem, now);
                }
            }
            ModemOutput::Reset(step) => self.reset(step),
            ModemOutput::Changed(change) => {
                let line = &self.parts.config.id;
                let (from, to, reason) = (change.from.name(), change.to.name(), change.reason.to_string());
                tracing::info!(%line, from, to, reason, "a modem's line has changed");
                // Whoever is told of it sees it.
                self.publish();
                self.event(GsmEvent::Changed(change));
            }
            ModemOutput::SoundTrouble(fault) => {
                tracing::warn!(line = %self.parts.config.id, ?fault, "the sound of a call is not well");
                self.event(GsmEvent::SoundTrouble(fault));
            }
            ModemOutput::AirtimeRead { at, airtime } => self.event(GsmEvent::AirtimeRead { at, airtime }),
            ModemOutput::AirtimeWarned(warning) => self.event(GsmEvent::AirtimeWarned(warning)),
            ModemOutput::TextArrived { text, slots } => self.event(GsmEvent::TextArrived { text, slots }),
            ModemOutput::TextSent { id, result } => self.event(GsmEvent::TextSent { id, result }),
            ModemOutput::TextDelivered { id, delivery } => self.event(GsmEvent::TextDelivered { id, delivery }),
            ModemOutput::UssdSaid { id, result } => self.event(GsmEvent::UssdSaid { id, result }),
            ModemOutput::CommandAnswered { id, result } => self.event(GsmEvent::CommandAnswered { id, result }),
        }
    }

    /// A text that nobody takes stays in the modem, and is told again.
    fn event(&self, event: GsmEvent) {
        if self.parts.events.try_send(event).is_err() {
            tracing::debug!(line = %self.parts.config.id, "nobody takes what the modem tells");
        }
    }

    fn write(&mut self, bytes: &Private<Vec<u8>>) {
        if self.writer.is_none() {
            return;
        }
        if self.waiting.len() + bytes.expose().len() > WAITING_MAX {
            // The machine's own time-outs see to a port that takes nothing.
            tracing::warn!(line = %self.parts.config.id, "a modem's port takes nothing");
            return;
        }
        self.waiting.extend(bytes.expose());
    }

    // Ports.

    /// Looks for the modem, and opens its port.
    async fn look(&mut self) {
        self.look_at = self.now() + LOOK_EVERY;
        self.strangers.retain(|tty| self.parts.config.roots.dev.join(tty).exists());
        let found = match self.found.take() {
            // Its port is only to be opened again.
            Some(found) if found.at.exists() => Some(found),
            other => {
                self.release(other);
                self.search()
            }
        };
        let Some(found) = found else { return };
        match serial::open(&found.at) {
            Err(error) => {
                tracing::debug!(line = %self.parts.config.id, %error, "a modem is there and cannot be opened");
                let what = format!("Its port cannot be opened: {error}.");
                self.parts.board.write(|status| status.port_trouble = Some(what));
                self.release(Some(found));
            }
            Ok(port) => self.opened(found, port).await,
        }
    }

    fn search(&self) -> Option<Found> {
        let config = &self.parts.config;
        let search = Search {
            place: &config.place,
            profiles: &self.profiles,
            roots: &config.roots,
            claims: &self.parts.claims,
            strangers: &self.strangers,
        };
        search.find()
    }

    async fn opened(&mut self, found: Found, port: SerialStream) {
        let (reader, writer) = tokio::io::split(port);
        (self.reader, self.writer) = (Some(reader), Some(writer));
        self.waiting.clear();
        if self.machine.is_none() {
            self.profiles = vec![found.profile.clone()];
            let mut settings = self.parts.config.settings.clone();
            if let ModemPlace::Usb(wanted) = &self.parts.config.place {
                settings.known_iccid = settings.known_iccid.or_else(|| wanted.iccid.clone());
            }
            self.machine = Some(ModemLine::new(found.profile.clone(), settings, self.now()));
        }
        self.parts.board.write(|status| {
            status.port = Some(found.at.clone());
            status.usb_path.clone_from(&found.usb_path);
            status.family = Some((found.profile.title.clone(), found.profile.proof.clone()));
            status.port_trouble = None;
        });
        self.found = Some(found);
        self.is_identified = false;
        self.input(ModemInput::PortOpened).await;
    }

    fn close_port(&mut self) {
        (self.reader, self.writer) = (None, None);
        self.waiting.clear();
        let found = self.found.take();
        self.release(found);
        self.parts.board.write(|status| status.port = None);
    }

    fn release(&self, found: Option<Found>) {
        if let Some(usb_path) = found.and_then(|found| found.usb_path) {
            self.parts.claims.release(&usb_path);
        }
    }

    async fn port_gone(&mut self) {
        self.close_port();
        self.look_at = self.now();
        self.input(ModemInput::PortGone).await;
    }

    fn reset(&mut self, step: ResetStep) {
        match step {
            ResetStep::Reopen => {
                // Both halves go, and with them the lock on the port; it is looked for
                // where it was.
                (self.reader, self.writer) = (None, None);
                self.waiting.clear();
                self.look_at = self.now();
            }
            // It was told so by a row; its ports may go and come back.
            ResetStep::SoftReset => {}
            ResetStep::PowerCycle => {
                let usb_path = self.found.as_ref().and_then(|found| found.usb_path.clone());
                match usb_path {
                    Some(usb_path) => {
                        let sys = self.parts.config.roots.sys.clone();
                        self.power = Some(Box::pin(async move { power::cycle(&sys, &usb_path).await }));
                    }
                    None => tracing::warn!(line = %self.parts.config.id, "a modem without a USB port has no switch"),
                }
            }
        }
    }

    /// Remembers which modem this is, and gives one back that is another line's.
    async fn identify(&mut self) {
        let Some(found) = self.found.as_ref().filter(|_| !self.is_identified && self.reader.is_some()) else { return };
        let Some(health) = self.machine.as_ref().map(ModemLine::health) else { return };
        let Some(imei) = health.imei else { return };
        let ModemPlace::Usb(wanted) = &self.parts.config.place else {
            self.is_identified = true;
            return;
        };
        if wanted.imei.as_ref().is_some_and(|own| *own != imei) {
            return self.give_stranger_back().await;
        }
        if wanted.iccid.is_none() && health.iccid.is_none() {
            // The SIM is asked a moment later.
            return;
        }
        self.is_identified = true;
        let usb_path = found.usb_path.clone();
        let known = Wanted {
            usb_path: usb_path.clone(),
            socket: wanted.socket,
            imei: Some(imei.clone()),
            iccid: health.iccid.clone().or_else(|| wanted.iccid.clone()),
        };
        let iccid = known.iccid.clone();
        self.parts.config.place = ModemPlace::Usb(known);
        self.event(GsmEvent::Identified { usb_path, imei: Some(imei), iccid });
    }

    async fn give_stranger_back(&mut self) {
        let name =
            self.found.as_ref().and_then(|found| found.at.file_name()).map(|name| name.to_string_lossy().into_owned());
        self.strangers.extend(name);
        tracing::info!(line = %self.parts.config.id, "the modem that was found belongs to another line");
        self.port_gone().await;
        self.machine = None;
        self.parts.board.write(|status| {
            status.modem = None;
            status.port_trouble = Some("Another modem is plugged in than the one of this line.".to_owned());
        });
    }

    fn write_status(&mut self) {
        if self.now().since(self.told_at) >= STATUS_EVERY {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.told_at = self.now();
        let health = self.machine.as_ref().map(ModemLine::health);
        let calls = u32::from(self.call.is_some());
        self.parts.board.write(|status| {
            status.modem = health;
            status.calls = calls;
        });
    }
}
