//! One modem's task: it carries between the ports, the machine, the sound and the
//! desk, and decides nothing itself.

mod ports;
mod sounding;
mod telling;

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::line::{LegCommand, MediaClock, Offer, ReadClock};
use crate::signalling::modem::{ModemInput, ModemLine, ModemOutput, Profile, SoundPath};
use crate::terms::{EndCause, Moment, Private};

use super::aside::{Port, Ports};
use super::call::Call;
use super::digits::HeardBy;
use super::finding::{Found, GsmClaims};
use super::line::GsmLineConfig;
use super::port::{Control, Over, PortHandle, PortNotice};
use super::power::SwitchPower;
use super::request::{GsmEvent, GsmRequest};
use super::status::Board;
use telling::Logged;

/// How often a modem that is away is looked for: people wait a second for a device
/// that they plugged in.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sound is measured over this long: twenty frames, of which one more or less is in the
/// rhythm of the clocks, and four of them are less than the two seconds in which a fault is
/// to be noticed.
const MEASURE_EVERY: Duration = Duration::from_millis(400);

/// The status is written at most this often, but for changes of state and answers; what
/// changed meanwhile is written when this time is over.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// The clock's thread ends a call's sound within two ticks; a thread that is gone
/// must not hold the call up.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// How long a call may take to be hung up, a text to be answered and a menu to be ended,
/// when the line stops.
const GOODBYE: Duration = Duration::from_secs(4);

/// Octets to the modem that its port has not taken: the longest text message, and a
/// few commands behind it. A port that is further behind is dead.
const WAITING_MAX: usize = 8 * 1024;

/// So often a port that always has more is read before everything else has its turn.
const READS_IN_A_ROW: u32 = 16;

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
    /// Families that the modem may be of.
    profiles: Vec<Arc<Profile>>,
    machine: Option<ModemLine>,
    /// The modem that the machine knows.
    machine_of: Option<Private<String>>,
    found: Option<Found>,
    ports: Ports,
    reader: Option<ReadHalf<Port>>,
    writer: Option<WriteHalf<Port>>,
    waiting: VecDeque<u8>,
    read: Box<[u8; READ]>,
    reads_in_a_row: u32,
    call: Option<Call>,
    sound: Option<OpenSound>,
    /// Ttys of modems that are others'.
    strangers: BTreeSet<String>,
    look_at: Moment,
    told_at: Moment,
    /// Changes that were logged in this minute, and how many were not.
    logged: Logged,
    /// Something may have changed that the status does not show yet.
    is_untold: bool,
    /// When the settings' own time of the calendar was.
    clock_at: Moment,
    /// The SIM that the settings' readings of airtime are of.
    readings_of: Option<Private<String>>,
    is_identified: bool,
    /// A person has released the line while it had no modem.
    is_released: bool,
    power: Option<Switching>,
    /// Cancelled when the line is to end, and stays so while it says goodbye.
    ends: CancellationToken,
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
        let ends = parts.stop.clone();
        let readings_of = parts.config.settings.known_iccid.clone();
        Self {
            parts,
            profiles,
            machine: None,
            machine_of: None,
            found: None,
            ports: Ports::default(),
            reader: None,
            writer: None,
            waiting: VecDeque::new(),
            read: Box::new([0; READ]),
            reads_in_a_row: 0,
            call: None,
            sound: None,
            strangers: BTreeSet::new(),
            look_at: now,
            told_at: now,
            logged: Logged::new(now),
            is_untold: false,
            clock_at: now,
            readings_of,
            is_identified: false,
            is_released: false,
            power: None,
            ends,
            requests_open: true,
        }
    }

    pub(super) async fn run(mut self) {
        self.parts.board.write(|status| status.is_served = true);
        self.give_power_back().await;
        loop {
            let happened = self.next().await;
            if matches!(happened, Happened::Stop) {
                break;
            }
            self.take(happened).await;
        }
        if tokio::time::timeout(GOODBYE, self.say_goodbye()).await.is_err() {
            tracing::warn!(line = %self.parts.config.id, "a modem did not end what was on in time");
        }
        self.close_sound().await;
        if let Some(call) = self.call.take() {
            call.end(EndCause::NormalClearing, (self.parts.clock)());
        }
        self.close_port();
        self.finish_power().await;
        self.parts.board.write(|status| {
            status.is_served = false;
            status.port = None;
        });
    }

    /// Hangs up what is on, gives back what was not begun, and sees both end.
    async fn say_goodbye(&mut self) {
        self.parts.stop = CancellationToken::new();
        self.requests_open = false;
        while let Ok(request) = self.parts.requests.try_recv() {
            // A line that stops is as good as none to who asks now.
            if let Some(answer) = request.into_input().ok().and_then(|input| GsmEvent::without_modem(&input)) {
                self.event(answer);
            }
        }
        self.input(ModemInput::Leave).await;
        if let Some(call) = &self.call {
            let cause = EndCause::NormalClearing;
            let input = if call.is_taken { ModemInput::HangUp(cause) } else { ModemInput::Reject(cause) };
            self.input(input).await;
        }
        while self.call.is_some() || self.is_finishing() || !self.waiting.is_empty() {
            let happened = self.next().await;
            self.take(happened).await;
        }
    }

    fn now(&self) -> Moment {
        (self.parts.clock)()
    }

    /// Whether the port is open, and a text or the end of a menu on its way.
    fn is_finishing(&self) -> bool {
        let finishes = |machine: &ModemLine| machine.is_texting() || machine.is_ending_code();
        self.reader.is_some() && self.machine.as_ref().is_some_and(finishes)
    }

    /// When something is due without anything happening.
    fn due(&self) -> Option<Moment> {
        let machine = self.machine.as_ref().and_then(ModemLine::deadline);
        let look = self.reader.is_none().then_some(self.look_at);
        let measure = self.sound.as_ref().filter(|s| s.is_exchanged).map(|s| s.measured_at + MEASURE_EVERY);
        let untold = self.is_untold.then(|| self.told_at + STATUS_EVERY);
        [machine, look, measure, untold].into_iter().flatten().min()
    }

    async fn next(&mut self) -> Happened {
        let due = self.due().map(|at| at.since((self.parts.clock)()));
        let Self { parts, reader, writer, waiting, read, reads_in_a_row, call, sound, power, requests_open, .. } = self;
        let floods = *reads_in_a_row >= READS_IN_A_ROW;
        let reading = async {
            if floods {
                tokio::task::yield_now().await;
            }
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
        let is_read = matches!(happened, Happened::Read(_));
        self.reads_in_a_row = if is_read { self.reads_in_a_row.saturating_add(1) } else { 0 };
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
                    self.reopen_port();
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
                let settings = &mut self.parts.config.settings;
                // A modem that is found later is told what holds then.
                match &input {
                    ModemInput::Day(day) if settings.day != *day => {
                        (settings.day, settings.parts_today) = (*day, 0);
                    }
                    ModemInput::Clock(at) => {
                        settings.clock = *at;
                        self.clock_at = (self.parts.clock)();
                    }
                    ModemInput::Release => self.is_released = self.machine.is_none(),
                    _ => {}
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
            if let Some(answer) = GsmEvent::without_modem(&input) {
                self.event(answer);
            }
            return;
        };
        machine.handle(input, now);
        self.is_untold = true;
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
            ModemOutput::FlushSound => self.flush_sound().await,
            ModemOutput::PauseUplink => self.tell_sound(Control::Pause),
            ModemOutput::ResumeUplink => self.tell_sound(Control::Resume),
            ModemOutput::CloseSound => self.close_sound().await,
            ModemOutput::Offered { from } => self.offer(from).await,
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
                self.log_change(&change);
                // Whoever is told of it sees it.
                self.publish();
                self.event(GsmEvent::Changed(change));
            }
            ModemOutput::SoundTrouble(fault) => {
                tracing::warn!(line = %self.parts.config.id, ?fault, "the sound of a call is not well");
                self.event(GsmEvent::SoundTrouble(fault));
            }
            ModemOutput::SoundProven(proven) => {
                self.note_sound(&proven.imei, Some(proven.clone()));
                self.event(GsmEvent::SoundProven(proven));
            }
            ModemOutput::SoundUnproven { imei } => {
                self.note_sound(&imei, None);
                self.event(GsmEvent::SoundUnproven { imei });
            }
            ModemOutput::PinTrying { iccid, imei, had_wrong, leave } => {
                self.event(GsmEvent::PinTrying { iccid, imei, had_wrong, leave });
            }
            ModemOutput::PinAccepted { iccid, imei } => self.event(GsmEvent::PinAccepted { iccid, imei }),
            ModemOutput::AirtimeRead { at, airtime, iccid } => {
                self.note_airtime(at, airtime, iccid.as_ref());
                self.event(GsmEvent::AirtimeRead { at, airtime, iccid });
            }
            ModemOutput::AnswerLearnt(lesson) => self.event(GsmEvent::AnswerLearnt(lesson)),
            ModemOutput::AirtimeWarned(warning) => self.event(GsmEvent::AirtimeWarned(warning)),
            ModemOutput::TextArrived { text, slots } => self.tell_text(text, slots),
            ModemOutput::TextPart { id, fate, taken } => {
                let parts = &mut self.parts.config.settings.parts_today;
                *parts = parts.saturating_add(1);
                self.event(GsmEvent::TextPart { id, fate, taken });
            }
            ModemOutput::TextSent { id, result } => {
                // Whoever is told of it sees it counted.
                self.publish();
                self.event(GsmEvent::TextSent { id, result });
            }
            ModemOutput::TextReported(report) => self.event(GsmEvent::TextReported(report)),
            ModemOutput::UssdSaid { id, result } => self.event(GsmEvent::UssdSaid { id, result }),
            ModemOutput::CommandAnswered { id, result } => self.event(GsmEvent::CommandAnswered { id, result }),
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
}
