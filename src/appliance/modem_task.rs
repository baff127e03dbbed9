//! One modem's task beside its calls: texts that came are kept before the modem may
//! forget them, what it is known by is remembered, and answers go to those who asked.
//! It drives no call.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::calendar::Calendar;
use super::modems::{Modem, Reply, SentText};
use super::operators::LearntOperators;
use crate::line::gsm::{GsmEvent, GsmRefusal};
use crate::ops::Stop;
use crate::signalling::modem::airtime::{Kobo, Lesson};
use crate::signalling::modem::{
    Delivery, IncomingText, ModemState, PartFate, PinLeave, ProvenSound, StorageSlot, TakenPart, TextReport, TextSender,
};
use crate::store::{KeptText, KnownModem, PartReport, PinPlace, PinVerdict, SentPart, SoundWay, TextFate, Vault};
use crate::terms::Private;

/// A changed SIM may be told some seconds later.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A line ends within its own time for a goodbye, a little before the box does.
const WIND_UP: Duration = Duration::from_millis(4500);

/// The calendar was set, and did not only drift, beyond this.
const CLOCK_JUMP: SignedDuration = SignedDuration::from_secs(5);

/// What is said of a PIN, and could not be kept or told, is tried again after these.
const PIN_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(3)];

pub struct ModemTask {
    pub modem: Arc<Modem>,
    pub events: mpsc::Receiver<GsmEvent>,
    pub vault: Vault,
    pub calendar: Calendar,
    pub stop: Stop,
    /// The PIN of the line's SIM, by which a try of it is written down.
    pub pin: Option<Private<String>>,
    /// Where what the line learns of operators is kept.
    pub learnt: Arc<LearntOperators>,
}

/// What there was at the last look.
struct Looked {
    day: i32,
    clock: Timestamp,
    sends_texts: bool,
}

impl ModemTask {
    pub async fn run(mut self) {
        let mut looked = Looked { day: self.calendar.day_number(), clock: self.calendar.now(), sends_texts: false };
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.ended() => return self.wind_up().await,
                event = self.events.recv() => match event {
                    Some(event) => self.take(event).await,
                    None => return,
                },
                _ = look.tick() => {
                    self.tell_time(&mut looked);
                    // A line tells of its change a moment before it shows it.
                    let sends_texts = self.modem.sends_texts();
                    if sends_texts && !std::mem::replace(&mut looked.sends_texts, sends_texts) {
                        self.modem.turn_ready();
                    }
                    looked.sends_texts = sends_texts;
                    self.remember().await;
                }
            }
        }
    }

    /// What the line tells while it stops is kept, as a text that goes out at last; its
    /// events end with it.
    async fn wind_up(&mut self) {
        let last = async {
            while let Some(event) = self.events.recv().await {
                self.take(event).await;
            }
        };
        if tokio::time::timeout(WIND_UP, last).await.is_err() {
            tracing::debug!(line = %self.modem.line, "a line told something to its end");
        }
        self.remember().await;
    }

    /// Each part is billed to the SIM, whoever wanted it sent, and told of later.
    async fn count_part(&self, id: u64, fate: PartFate, taken: Option<TakenPart>) {
        let line = &self.modem.line;
        if fate == PartFate::Unknown {
            tracing::warn!(%line, "a modem did not say whether the network took a part of a text message");
        }
        if let Err(error) = self.vault.texts().count_part(line, self.calendar.now()).await {
            tracing::error!(%line, %error, "a part of a text message that was sent is not counted");
        }
        let Some(TakenPart { reference, to, parts }) = taken else { return };
        let SentText { call, kept_as } = self.modem.sent(id);
        let part = SentPart { call, line: line.clone(), to, reference, parts, text: kept_as };
        match self.vault.reports().keep(&part, self.calendar.now()).await {
            Ok(kept_as) => self.modem.sent_is_kept_as(id, kept_as),
            Err(error) => tracing::error!(%line, %error, "what becomes of a text message will not be known"),
        }
    }

    async fn take(&self, event: GsmEvent) {
        let line = &self.modem.line;
        match event {
            GsmEvent::TextArrived { text, slots } => self.keep_text(text, slots).await,
            GsmEvent::TextPart { id, fate, taken } => self.count_part(id, fate, taken).await,
            GsmEvent::TextSent { id, result } => {
                self.modem.forget_sent(id);
                self.modem.answer(id, Reply::Text(result));
            }
            GsmEvent::UssdSaid { id, result } => self.modem.answer(id, Reply::Code(result)),
            GsmEvent::CommandAnswered { id, result } => self.modem.answer(id, Reply::Command(result)),
            GsmEvent::TextReported(report) => self.keep_report(report).await,
            GsmEvent::Changed(change) => {
                if change.from == ModemState::Absent {
                    self.tell_now();
                }
                if change.to == ModemState::Ready {
                    self.modem.turn_ready();
                }
                self.remember().await;
            }
            // It is in the log of the line, and in its health while it lasts.
            GsmEvent::SoundTrouble(_) => {}
            GsmEvent::SoundProven(ProvenSound { imei, ways, path }) => {
                let way = SoundWay { imei, ways, path: path.name().to_owned() };
                if let Err(error) = self.vault.modems().keep_sound_way(&way).await {
                    tracing::error!(%line, %error, "which way of sound works with a modem could not be kept");
                }
            }
            GsmEvent::SoundUnproven { imei } => {
                if let Err(error) = self.vault.modems().forget_sound_way(&imei).await {
                    tracing::error!(%line, %error, "a way of sound that does not work with a modem is still kept");
                }
            }
            GsmEvent::AirtimeRead { at, airtime, iccid } => self.keep_airtime(at, airtime, iccid).await,
            GsmEvent::AnswerLearnt(lesson) => self.keep_lesson(lesson).await,
            GsmEvent::AirtimeWarned(warning) => {
                // It stands in the line's health until a reading shows that it is over.
                tracing::warn!(%line, reason = ?warning.reason, "the airtime of a SIM runs out");
            }
            GsmEvent::PinTrying { iccid, imei, had_wrong, leave } => {
                self.note_pin(PinPlace { iccid, imei, had_wrong }, leave).await;
            }
            GsmEvent::PinAccepted { iccid, imei } => {
                self.keep_right_pin(PinPlace { iccid, imei, had_wrong: false }).await;
            }
            GsmEvent::Identified { .. } => self.remember().await,
        }
    }

    /// A PIN is tried once in each SIM: that it is going to be is on the disk before it is.
    /// What could not be written down is not tried, and the line tells it again.
    async fn note_pin(&self, place: PinPlace, leave: PinLeave) {
        let Some(pin) = &self.pin else { return };
        let line = &self.modem.line;
        let verdict = match self.vault.modems().try_pin(line, pin, &place, leave).await {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::error!(%line, %error, "the PIN of a SIM is not tried: that it is could not be written down");
                return;
            }
        };
        let tell = || match verdict {
            PinVerdict::Noted => self.modem.control.pin_noted(),
            PinVerdict::WasTried => self.modem.control.pin_was_tried(),
        };
        let mut told = tell();
        // A try that is written down and not told counts, and is never made.
        for wait in PIN_AGAIN {
            if !matches!(told, Err(GsmRefusal::Busy)) {
                break;
            }
            self.pause(wait).await;
            told = tell();
        }
        if let Err(error) = told {
            tracing::error!(%line, %error, "a line was not told whether the PIN of its SIM may be tried");
        }
    }

    /// The next power cut needs it. It is kept before anything else that the line tells: a
    /// try that comes after it is another one.
    async fn keep_right_pin(&self, place: PinPlace) {
        let Some(pin) = &self.pin else { return };
        let line = &self.modem.line;
        let mut waits = PIN_AGAIN.into_iter();
        while let Err(error) = self.vault.modems().pin_was_right(line, pin, &place).await {
            let Some(wait) = waits.next() else {
                tracing::error!(%line, %error, "that the PIN of a SIM was right could not be kept");
                return;
            };
            tracing::warn!(%line, %error, "that the PIN of a SIM was right is not kept yet");
            self.pause(wait).await;
        }
    }

    /// Waits, unless the box stops.
    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = self.stop.ended() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Keeps a text, and only then lets the modem forget it. One that could not be
    /// kept stays in the modem, which tells it again.
    async fn keep_text(&self, text: IncomingText, slots: Vec<StorageSlot>) {
        let line = &self.modem.line;
        let from = match text.from {
            TextSender::Number(number) => Private::new(number.expose().to_owned()),
            TextSender::Name(name) => name,
            TextSender::Unknown => Private::default(),
        };
        let received_at = text.sent_at.unwrap_or_else(|| self.calendar.now());
        let kept = KeptText { line: line.clone(), from, text: text.text, received_at, for_program: text.for_program };
        if let Err(error) = self.vault.texts().keep(&kept).await {
            tracing::error!(%line, %error, "a text message could not be kept; it stays in the modem");
            if let Err(error) = self.modem.control.text_not_kept(slots) {
                tracing::error!(%line, %error, "a text message that is not kept is told again in a day");
            }
            return;
        }
        tracing::info!(%line, missing_parts = text.missing_parts, "a text message came");
        if let Err(error) = self.modem.control.text_kept(slots) {
            // It is told again, and known again then.
            tracing::warn!(%line, %error, "a text message that is kept stays in the modem for now");
        }
    }

    /// What the network told of a text that this run of the box has sent, or one before.
    async fn keep_report(&self, TextReport { reference, to, delivery }: TextReport) {
        let line = &self.modem.line;
        tracing::debug!(%line, ?delivery, "the network told what became of a text message");
        let fate = match delivery {
            Delivery::Pending => return,
            Delivery::Delivered => TextFate::Delivered,
            Delivery::Failed => TextFate::Failed,
        };
        let report = PartReport { line: line.clone(), reference, to, fate };
        match self.vault.reports().take(&report, self.calendar.now()).await {
            Ok(Some(told)) if told.fate == TextFate::Failed => {
                tracing::warn!(%line, "the network could not deliver a text message; `milu texts` says which");
            }
            Ok(Some(_)) => {}
            Ok(None) => tracing::debug!(%line, "a report settles no text message"),
            Err(error) => tracing::error!(%line, %error, "what became of a text message could not be kept"),
        }
    }

    /// What is of no SIM that could be known again is not kept over a restart.
    async fn keep_airtime(&self, at: Timestamp, airtime: Option<Kobo>, iccid: Option<Private<String>>) {
        let Some(airtime) = airtime else { return };
        let Some(iccid) = iccid else { return };
        if let Err(error) = self.vault.modems().keep_airtime(&self.modem.line, &iccid, at, airtime.0).await {
            tracing::error!(line = %self.modem.line, %error, "a reading of airtime could not be kept");
        }
    }

    /// What cannot be kept is learnt again after the next start.
    async fn keep_lesson(&self, lesson: Lesson) {
        let (line, learnt) = (&self.modem.line, self.learnt.clone());
        tracing::info!(%line, operator = lesson.operator, "a line has learnt how an operator words its answers");
        match tokio::task::spawn_blocking(move || learnt.keep(&lesson)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%line, %error, "what was learnt of an operator is not kept"),
            Err(error) => tracing::error!(%line, %error, "what was learnt of an operator is not kept"),
        }
    }

    /// A modem that is found long after the box began knows the time of the beginning.
    fn tell_now(&self) {
        let told = self.modem.control.clock(self.calendar.now());
        if let Err(error) = told.and_then(|()| self.modem.control.day(self.calendar.day_number())) {
            tracing::debug!(line = %self.modem.line, %error, "a line was not told the time");
        }
    }

    fn tell_time(&self, looked: &mut Looked) {
        let control = &self.modem.control;
        let (day, clock) = (self.calendar.day_number(), self.calendar.now());
        let expected = SignedDuration::try_from(LOOK_EVERY).unwrap_or(SignedDuration::ZERO);
        let jumped = (clock.duration_since(looked.clock) - expected).abs() > CLOCK_JUMP;
        if jumped && let Err(error) = control.clock(clock) {
            tracing::debug!(line = %self.modem.line, %error, "a line was not told the time");
            return;
        }
        looked.clock = clock;
        if day != looked.day {
            match control.day(day) {
                Ok(()) => looked.day = day,
                Err(error) => tracing::debug!(line = %self.modem.line, %error, "a line was not told the day"),
            }
        }
    }

    /// Keeps by what modem and SIM are known again, when it has changed.
    async fn remember(&self) {
        let status = self.modem.status();
        let Some(health) = status.modem else { return };
        let before = self.modem.told().known;
        let now = KnownModem {
            usb_path: status.usb_path.or_else(|| before.usb_path.clone()),
            imei: health.imei.or_else(|| before.imei.clone()),
            iccid: health.iccid.or_else(|| before.iccid.clone()),
            ussd_way: health.ussd_way.map(|way| way.name()).or_else(|| before.ussd_way.clone()),
        };
        if now == before {
            return;
        }
        let line = &self.modem.line;
        let other = |then: &Option<Private<String>>, now: &Option<Private<String>>| then.is_some() && then != now;
        let moved = before.usb_path.is_some() && before.usb_path != now.usb_path;
        let (other_modem, other_sim) = (other(&before.imei, &now.imei), other(&before.iccid, &now.iccid));
        if moved || other_modem || other_sim {
            tracing::warn!(%line, moved, other_modem, other_sim, "a line's modem is not as it was");
        }
        let modems = self.vault.modems();
        let kept = modems.keep(line, &now).await;
        if other_sim
            && let Some(iccid) = &now.iccid
            && let Err(error) = modems.forget_airtime_before(line, iccid).await
        {
            tracing::error!(%line, %error, "the airtime of another SIM is still kept");
        }
        match kept {
            Ok(()) => self.modem.tell(|told| {
                told.known = now;
                told.sim_changed |= other_sim;
            }),
            Err(error) => tracing::error!(%line, %error, "a line's modem could not be remembered"),
        }
    }
}
