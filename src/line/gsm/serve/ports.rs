//! The ports of a modem's line: looked for, opened, closed and given back when they turn
//! out to be another line's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::signalling::modem::airtime::{Kobo, READINGS_MAX};
use crate::signalling::modem::{Attachment, LineSettings, ModemInput, ModemLine, ProvenSound, ResetStep};
use crate::terms::Private;

use super::super::aside::Port;
use super::super::finding::{Bond, Found, ModemPlace, Search, Wanted};
use super::super::power;
use super::super::request::GsmEvent;
use super::{LOOK_EVERY, Serving};

/// Power comes back at once when a line ends, and a hub may take its time.
const POWER_PATIENCE: Duration = Duration::from_secs(15);

/// Modems of which a line knows the way of sound: more than a box ever meets.
const PROVEN_SOUNDS_MAX: usize = 64;

impl Serving {
    /// Looks for the modem, and opens its port.
    pub(super) async fn look(&mut self) {
        self.look_at = self.now() + LOOK_EVERY;
        self.strangers.retain(|tty| self.parts.config.roots.dev.join(tty).exists());
        let found = match self.found.take() {
            // Its port is only to be opened again.
            Some(found) if found.at.exists() => Some(found),
            other => {
                self.release(other);
                self.search().find()
            }
        };
        let Some(found) = found else {
            if self.search().is_anothers() {
                let what = "Another line of this box has its modem; name another port, or leave one of the two out.";
                self.parts.board.write(|status| status.port_trouble = Some(what.to_owned()));
            }
            return;
        };
        match self.ports.open(&found.at).await {
            Err(error) => {
                tracing::debug!(line = %self.parts.config.id, %error, "a modem is there and cannot be opened");
                let what = format!("Its port cannot be opened: {error}.");
                self.parts.board.write(|status| status.port_trouble = Some(what));
                self.release(Some(found));
            }
            Ok(port) => self.opened(found, port).await,
        }
    }

    pub(super) fn search(&self) -> Search<'_> {
        let config = &self.parts.config;
        Search {
            place: &config.place,
            profiles: &self.profiles,
            roots: &config.roots,
            claims: &self.parts.claims,
            strangers: &self.strangers,
        }
    }

    pub(super) async fn opened(&mut self, found: Found, port: Port) {
        let (reader, writer) = tokio::io::split(port);
        (self.reader, self.writer) = (Some(reader), Some(writer));
        self.waiting.clear();
        if self.machine.as_ref().is_some_and(|machine| *machine.profile() != *found.profile) {
            // A modem of another family is another modem.
            self.leave_machine().await;
        }
        if self.machine.is_none() {
            let settings = self.settings_now();
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
        if std::mem::take(&mut self.is_released) {
            self.input(ModemInput::Release).await;
        }
    }

    /// What a modem that is found now is told.
    fn settings_now(&self) -> LineSettings {
        let mut settings = self.parts.config.settings.clone();
        settings.clock = later(settings.clock, self.now().since(self.clock_at));
        match &self.parts.config.place {
            ModemPlace::Usb(wanted) => {
                settings.attachment = Attachment::Usb;
                settings.known_iccid = wanted.iccid.clone().or(settings.known_iccid);
            }
            ModemPlace::Ports { .. } => settings.attachment = Attachment::SerialPort,
        }
        // What was read of one SIM is not handed in as another's.
        if settings.known_iccid != self.readings_of
            && let Some(airtime) = &mut settings.airtime
        {
            airtime.readings.clear();
        }
        settings
    }

    /// A modem that is found anew knows what was read of its SIM meanwhile.
    pub(super) fn note_airtime(&mut self, at: Timestamp, airtime: Option<Kobo>, iccid: Option<&Private<String>>) {
        let (Some(settings), Some(airtime)) = (&mut self.parts.config.settings.airtime, airtime) else { return };
        if self.readings_of.as_ref() != iccid {
            settings.readings.clear();
            self.readings_of = iccid.cloned();
        }
        if settings.readings.len() >= READINGS_MAX {
            settings.readings.remove(0);
        }
        settings.readings.push((at, airtime));
    }

    /// A modem that is found anew knows which way of sound worked with it meanwhile.
    pub(super) fn note_sound(&mut self, imei: &Private<String>, proven: Option<ProvenSound>) {
        let kept = &mut self.parts.config.settings.proven_sounds;
        kept.retain(|kept| kept.imei != *imei);
        if kept.len() >= PROVEN_SOUNDS_MAX {
            kept.remove(0);
        }
        kept.extend(proven);
    }

    pub(super) fn close_port(&mut self) {
        (self.reader, self.writer) = (None, None);
        self.waiting.clear();
        let found = self.found.take();
        self.release(found);
        self.parts.board.write(|status| status.port = None);
    }

    pub(super) fn release(&self, found: Option<Found>) {
        if let Some(found) = found {
            self.parts.claims.release(&found.claim);
        }
    }

    pub(super) async fn port_gone(&mut self) {
        self.close_port();
        self.look_at = self.now();
        self.input(ModemInput::PortGone).await;
    }

    pub(super) fn reset(&mut self, step: ResetStep) {
        match step {
            ResetStep::Reopen => self.reopen_port(),
            // It was told so by a row; its ports may go and come back.
            ResetStep::SoftReset => {}
            // Nobody would be there to see it come back.
            ResetStep::PowerCycle if self.ends.is_cancelled() => {}
            ResetStep::PowerCycle => {
                let line = &self.parts.config.id;
                match self.socket() {
                    // What hangs there now is not to blame.
                    Some(usb_path) if self.found.is_none() && self.parts.claims.is_held(&usb_path) => {
                        tracing::warn!(%line, usb_path, "another line's modem is where this one was");
                    }
                    Some(usb_path) => {
                        let (sys, hurry) = (self.parts.config.roots.sys.clone(), self.ends.clone());
                        self.power = Some(Box::pin(async move { power::cycle(&sys, &usb_path, hurry).await }));
                    }
                    None => {
                        tracing::warn!(%line, "a modem without a USB port has no switch");
                        self.reopen_port();
                    }
                }
            }
        }
    }

    /// Both halves go, and with them the lock on the port; it is looked for where it was. That
    /// is also what is left to do for a modem whose power cannot be taken.
    pub(super) fn reopen_port(&mut self) {
        (self.reader, self.writer) = (None, None);
        self.waiting.clear();
        self.look_at = self.now();
    }

    /// The socket that the modem is in, or was when it vanished: one that does not come
    /// back from a restart has no ports any more, and its power is what it needs.
    fn socket(&self) -> Option<String> {
        if let Some(found) = &self.found {
            return found.usb_path.clone();
        }
        let known = self.parts.board.read().usb_path;
        known.or_else(|| match &self.parts.config.place {
            ModemPlace::Usb(wanted) => wanted.usb_path.clone(),
            ModemPlace::Ports { .. } => None,
        })
    }

    /// A box that was killed while it switched the power has left the port without.
    pub(super) async fn give_power_back(&mut self) {
        let line = &self.parts.config.id;
        let Some(usb_path) = self.socket().filter(|usb_path| !self.parts.claims.is_held(usb_path)) else { return };
        let given = power::give_back(&self.parts.config.roots.sys, &usb_path);
        match tokio::time::timeout(POWER_PATIENCE, given).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::warn!(%line, usb_path, "the USB port of a modem was off, and is on again"),
            Ok(Err(error)) => tracing::warn!(%line, %error, "a modem's power was not switched on"),
            Err(_) => tracing::warn!(%line, "a modem's power was not switched on in time"),
        }
    }

    /// Power that was taken is given back before the line ends: nobody else would.
    pub(super) async fn finish_power(&mut self) {
        let Some(power) = self.power.take() else { return };
        match tokio::time::timeout(POWER_PATIENCE, power).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(line = %self.parts.config.id, %error, "a modem's power was not switched");
            }
            Err(_) => tracing::warn!(line = %self.parts.config.id, "a modem's power was not given back in time"),
        }
    }

    /// Remembers which modem this is, and gives one back that is another line's.
    pub(super) async fn identify(&mut self) {
        let Some(found) = self.found.as_ref().filter(|_| !self.is_identified && self.reader.is_some()) else { return };
        let Some(health) = self.machine.as_ref().map(ModemLine::health) else { return };
        let Some(imei) = health.imei else { return };
        if let ModemPlace::Usb(wanted) = &self.parts.config.place
            && !wanted.may_be(&imei)
        {
            return self.give_stranger_back().await;
        }
        if self.machine_of.as_ref().is_some_and(|known| *known != imei) {
            tracing::info!(line = %self.parts.config.id, "another modem has come in the place of the one before");
            self.port_gone().await;
            return self.leave_machine().await;
        }
        self.machine_of = Some(imei.clone());
        let ModemPlace::Usb(wanted) = &self.parts.config.place else {
            self.is_identified = true;
            return;
        };
        let own = match wanted.bond {
            Bond::Loose => wanted.imei.clone(),
            Bond::Lasting => Some(imei.clone()),
        };
        let known = Wanted { usb_path: found.usb_path.clone(), imei: own, ..wanted.clone() };
        if known.imei.is_some() {
            // The one that is meant has its family; another is not tried.
            self.profiles = vec![found.profile.clone()];
        }
        let iccid = health.iccid;
        // The SIM is asked a moment later.
        self.is_identified = iccid.is_some();
        let usb_path = known.usb_path.clone();
        let last = known.iccid.clone();
        self.parts.config.place = ModemPlace::Usb(Wanted { iccid: iccid.clone().or(last), ..known });
        if !self.is_identified {
            return;
        }
        self.event(GsmEvent::Identified { usb_path, imei: Some(imei), iccid });
    }

    pub(super) async fn give_stranger_back(&mut self) {
        let name =
            self.found.as_ref().and_then(|found| found.at.file_name()).map(|name| name.to_string_lossy().into_owned());
        self.strangers.extend(name);
        tracing::info!(line = %self.parts.config.id, "the modem that was found belongs to another line");
        self.port_gone().await;
        self.leave_machine().await;
        self.parts.board.write(|status| {
            status.modem = None;
            // Its power is another line's to switch.
            status.usb_path = None;
            status.port_trouble = Some("Another modem is plugged in than the one of this line.".to_owned());
        });
    }

    /// The machine knew another modem than the one that comes now.
    async fn leave_machine(&mut self) {
        // Nothing that was asked of it goes without an answer.
        self.input(ModemInput::Leave).await;
        (self.machine, self.machine_of) = (None, None);
        self.profiles.clone_from(&self.parts.config.profiles);
    }
}

/// The calendar's time so much later.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::{Path, PathBuf};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;
    use tokio_serial::SerialStream;
    use tokio_util::sync::CancellationToken;

    use super::super::super::finding::{GsmClaims, Roots};
    use super::super::super::line::GsmLineConfig;
    use super::super::super::status::Board;
    use super::super::{Happened, Parts, READS_IN_A_ROW};
    use super::*;
    use crate::line::MediaClock;
    use crate::ops::SystemClock;
    use crate::signalling::modem::AirtimeSettings;
    use crate::signalling::modem::airtime::{AirtimePlan, Operators};
    use crate::terms::LineId;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A line without a modem, whose tree of devices is below `root`.
    pub(in super::super) fn serving(root: &Path, place: ModemPlace) -> Serving {
        let clock = SystemClock::new().as_fn();
        let config = GsmLineConfig {
            id: LineId::parse("one").expect("a name"),
            profiles: Vec::new(),
            place,
            settings: LineSettings::default(),
            card: None,
            roots: Roots { sys: root.join("sys"), dev: root.join("dev") },
            sound_timeout: PATIENCE,
        };
        Serving::new(Parts {
            config,
            clock: clock.clone(),
            media_clock: MediaClock::start(clock).expect("a thread"),
            claims: GsmClaims::default(),
            requests: mpsc::channel(1).1,
            board: Board::default(),
            events: mpsc::channel(8).0,
            offers: mpsc::channel(1).0,
            stop: CancellationToken::new(),
        })
    }

    /// The switch of port 4 of a hub.
    fn hub(root: &Path) -> PathBuf {
        let port = root.join("sys/bus/usb/devices/1-1/1-1:1.0/1-1-port4");
        std::fs::create_dir_all(&port).expect("a directory");
        let switch = port.join("disable");
        std::fs::write(&switch, "untouched").expect("a file");
        switch
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_modem_that_vanished_has_its_power_switched_and_a_line_that_ends_gives_it_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let switch = hub(dir.path());
        let reads = |text: &str| std::fs::read_to_string(&switch).is_ok_and(|read| read == text);
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        // It was there, and its restart has taken its ports away.
        line.parts.board.write(|status| status.usb_path = Some("1-1.4".to_owned()));
        line.reset(ResetStep::PowerCycle);
        let stop = line.parts.stop.clone();
        let until_off = async {
            while !reads("1") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(line.run(), until_off) };
        tokio::time::timeout(PATIENCE, both).await.expect("the power goes off, and the line ends");
        assert!(reads("0"), "{:?}", std::fs::read_to_string(&switch));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_line_that_ends_gives_power_back_at_once_and_takes_none_any_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let switch = hub(dir.path());
        let reads = |text: &str| std::fs::read_to_string(&switch).is_ok_and(|read| read == text);
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        line.parts.board.write(|status| status.usb_path = Some("1-1.4".to_owned()));
        line.reset(ResetStep::PowerCycle);
        let (stop, clock) = (line.parts.stop.clone(), line.parts.clock.clone());
        let until_off = async {
            while !reads("1") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.cancel();
            clock()
        };
        let both = async { tokio::join!(line.run(), until_off) };
        let ((), stopped_at) = tokio::time::timeout(PATIENCE, both).await.expect("the line ends");
        let took = clock().since(stopped_at);
        assert!(reads("0"), "{:?}", std::fs::read_to_string(&switch));
        // The box waits a few seconds for a line: the rest of the time without power is too long.
        assert!(took < power::OFF / 2, "{took:?}");
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        line.parts.board.write(|status| status.usb_path = Some("1-1.4".to_owned()));
        line.parts.stop.cancel();
        line.reset(ResetStep::PowerCycle);
        assert!(line.power.is_none(), "a line that ends takes power from nobody");
    }

    #[tokio::test]
    async fn a_port_whose_power_cannot_be_taken_is_opened_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().join("ttyS1");
        // One hangs on no hub, and the hub of the other is not there to be written to.
        for place in [ModemPlace::Ports { at, sound: None }, ModemPlace::Usb(Wanted::default())] {
            let is_on_usb = matches!(place, ModemPlace::Usb(_));
            let mut line = serving(dir.path(), place);
            if is_on_usb {
                line.parts.board.write(|status| status.usb_path = Some("1-1.4".to_owned()));
            }
            let (port, _far) = SerialStream::pair().expect("pseudo-terminals");
            let (reader, writer) = tokio::io::split(Port::new(port));
            (line.reader, line.writer) = (Some(reader), Some(writer));
            line.look_at = line.now() + PATIENCE;
            line.reset(ResetStep::PowerCycle);
            assert_eq!(line.power.is_some(), is_on_usb);
            let until_switched = async {
                while line.power.is_some() {
                    let happened = line.next().await;
                    line.take(happened).await;
                }
            };
            tokio::time::timeout(PATIENCE, until_switched).await.expect("it is told that it cannot be done");
            assert!(line.reader.is_none() && line.writer.is_none());
            assert!(line.look_at <= line.now(), "it is looked for at once");
        }
    }

    #[tokio::test]
    async fn a_port_that_always_has_more_to_read_leaves_everything_else_its_turn() {
        use super::super::super::request::GsmRequest;
        let dir = tempfile::tempdir().expect("a directory");
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        let (asks, requests) = mpsc::channel(4);
        line.parts.requests = requests;
        let (port, mut far) = SerialStream::pair().expect("pseudo-terminals");
        let (reader, writer) = tokio::io::split(Port::new(port));
        (line.reader, line.writer) = (Some(reader), Some(writer));
        let mut is_request = async |reads_in_a_row| {
            far.write_all(&b"^RSSI:20\r\n".repeat(20)).await.expect("it is open");
            // More lies in the port than was read of it.
            let first = line.reader.as_mut().expect("it is open").read_u8().await;
            assert!(first.is_ok());
            asks.send(GsmRequest::Release).await.expect("it is served");
            line.reads_in_a_row = reads_in_a_row;
            let happened = line.next().await;
            let is_read = matches!(happened, Happened::Read(_));
            assert!(is_read || matches!(happened, Happened::Request(_)));
            line.take(happened).await;
            assert_eq!(line.reads_in_a_row, if is_read { reads_in_a_row + 1 } else { 0 });
            !is_read
        };
        assert!(!is_request(0).await, "an answer comes before what is asked next");
        assert!(is_request(READS_IN_A_ROW).await, "nobody waits for ever");
    }

    #[tokio::test]
    async fn a_line_that_flaps_leaves_room_for_what_somebody_waits_for() {
        use crate::signalling::modem::{ModemState, Reason, StateChange};
        let dir = tempfile::tempdir().expect("a directory");
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        let (events, mut told) = mpsc::channel(super::super::super::request::EVENTS);
        line.parts.events = events;
        let at = (line.parts.clock)();
        let change = StateChange { at, from: ModemState::Ready, to: ModemState::Searching, reason: Reason::Registered };
        for _ in 0..1_000 {
            line.event(GsmEvent::Changed(change));
        }
        for id in 0..50 {
            line.event(GsmEvent::TextSent { id, result: Ok(()) });
        }
        let (mut changes, mut answers) = (0, 0);
        while let Ok(event) = told.try_recv() {
            match event {
                GsmEvent::Changed(_) => changes += 1,
                _ => answers += 1,
            }
        }
        assert!(changes > 100 && answers == 50, "{changes} changes, {answers} answers");
    }

    #[tokio::test]
    async fn a_modem_that_is_found_anew_knows_the_way_of_sound_that_worked_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        let proven = |imei: usize, path| ProvenSound {
            imei: Private::new(imei.to_string()),
            ways: "usb, serial".to_owned(),
            path,
        };
        use crate::signalling::modem::SoundPath::{Serial, UsbCard};
        line.note_sound(&proven(1, UsbCard).imei, Some(proven(1, UsbCard)));
        line.note_sound(&proven(1, Serial).imei, Some(proven(1, Serial)));
        assert_eq!(line.settings_now().proven_sounds, [proven(1, Serial)]);
        line.note_sound(&proven(1, Serial).imei, None);
        assert_eq!(line.settings_now().proven_sounds, []);
        for imei in 0..PROVEN_SOUNDS_MAX + 3 {
            line.note_sound(&proven(imei, Serial).imei, Some(proven(imei, Serial)));
        }
        let kept = line.settings_now().proven_sounds;
        assert_eq!((kept.len(), &kept[0]), (PROVEN_SOUNDS_MAX, &proven(3, Serial)));
    }

    #[tokio::test]
    async fn a_modem_of_whatever_family_is_told_how_it_hangs_on_the_box() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = dir.path().join("ttyS1");
        for (place, attachment) in [
            (ModemPlace::Usb(Wanted::default()), Attachment::Usb),
            (ModemPlace::Ports { at, sound: None }, Attachment::SerialPort),
        ] {
            assert_eq!(serving(dir.path(), place).settings_now().attachment, attachment);
        }
    }

    #[tokio::test]
    async fn a_modem_that_is_found_anew_is_told_the_readings_of_its_own_sim_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let iccid = |text: &str| Some(Private::new(text.to_owned()));
        let (first, second) = (iccid("89234010000011111111"), iccid("89234010000022222222"));
        let wanted =
            |iccid: &Option<Private<String>>| ModemPlace::Usb(Wanted { iccid: iccid.clone(), ..Wanted::default() });
        let mut line = serving(dir.path(), wanted(&None));
        let at = Timestamp::UNIX_EPOCH;
        let operators = std::sync::Arc::new(Operators::delivered().expect("the delivered file"));
        let readings = vec![(at, Kobo(5_000))];
        line.parts.config.settings.airtime =
            Some(AirtimeSettings { plan: AirtimePlan::default(), operators, readings });
        line.parts.config.settings.known_iccid.clone_from(&first);
        line.readings_of.clone_from(&first);
        let told = |line: &Serving| line.settings_now().airtime.map(|airtime| airtime.readings).unwrap_or_default();
        assert_eq!(told(&line), [(at, Kobo(5_000))]);
        // The SIM was changed while the line was served.
        line.parts.config.place = wanted(&second);
        assert_eq!(told(&line), []);
        line.note_airtime(at, Some(Kobo(700)), second.as_ref());
        assert_eq!(told(&line), [(at, Kobo(700))]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_port_that_a_killed_box_left_off_is_switched_on_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let switch = hub(dir.path());
        for (found, left) in [("1\n", "0"), ("0\n", "0\n"), ("untouched", "untouched")] {
            std::fs::write(&switch, found).expect("a file");
            let wanted = Wanted { usb_path: Some("1-1.4".to_owned()), ..Wanted::default() };
            let line = serving(dir.path(), ModemPlace::Usb(wanted));
            line.parts.stop.cancel();
            tokio::time::timeout(PATIENCE, line.run()).await.expect("the line ends");
            assert_eq!(std::fs::read_to_string(&switch).expect("a file"), left, "{found:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_socket_that_another_line_has_meanwhile_keeps_its_power() {
        let dir = tempfile::tempdir().expect("a directory");
        hub(dir.path());
        let wanted = Wanted { usb_path: Some("1-1.4".to_owned()), ..Wanted::default() };
        let mut line = serving(dir.path(), ModemPlace::Usb(wanted));
        assert!(line.parts.claims.claim("1-1.4"));
        line.reset(ResetStep::PowerCycle);
        assert!(line.power.is_none());
        line.parts.claims.release("1-1.4");
        line.reset(ResetStep::PowerCycle);
        assert!(line.power.is_some(), "where it was last is known from the start before");
    }
}
