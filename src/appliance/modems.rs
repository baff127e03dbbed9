//! The modems of the box, as those who ask them hold them: a question is given an
//! id, and its answer comes back to whoever asked, or a time-out does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, oneshot};

use super::config::GsmLineSettings;
use crate::line::gsm::{GsmControl, GsmRefusal, GsmStatus};
use crate::signalling::modem::{
    CommandFailure, Force, ModemState, SupportRow, TextFailure, UssdFailure, UssdReply, UssdThen,
};
use crate::store::KnownModem;
use crate::terms::{CallId, LineId, PhoneNumber, Private};

/// Questions that wait for an answer at once: a technician's, and the texts of the queue.
const WAITING_MAX: usize = 64;

/// A search of networks may take 180 s to be answered, and a row before it 90 s.
const COMMAND_PATIENCE: Duration = Duration::from_secs(300);

/// A network has 45 s for a code, and there are a few ways to write one.
const CODE_PATIENCE: Duration = Duration::from_secs(300);

/// A text is tried for twelve hours by the line itself; it says then what became of it.
const TEXT_PATIENCE: Duration = Duration::from_secs(13 * 3600);

/// A technician waits no longer for a text. It is tried further all the same.
const TEXT_BY_HAND_PATIENCE: Duration = Duration::from_secs(180);

/// Texts that lines have. The queue of one takes a hundred.
const SENT_MAX: usize = 200;

/// Why a modem did not do what it was asked.
#[derive(Debug, Error)]
pub enum AskModem {
    #[error("asking the modem of line {line}: {why}")]
    NotThere { line: LineId, why: String },
    #[error("asking the modem of line {line}: {source}")]
    Refused { line: LineId, source: GsmRefusal },
    #[error("asking the modem of line {line}: as many questions wait already as it takes; try again in a minute")]
    Full { line: LineId },
    #[error(
        "asking the modem of line {line}: it has not answered in {seconds} s; `milu modem {line} support` shows what it says"
    )]
    TimedOut { line: LineId, seconds: u64 },
    #[error("giving the modem of line {line} a row: {source}")]
    Command { line: LineId, source: CommandFailure },
    #[error("asking the network of line {line} by a code: {source}")]
    Code { line: LineId, source: UssdFailure },
    #[error("sending a text over line {line}: {source}")]
    Text { line: LineId, source: TextFailure },
}

/// What a modem's line says to a question.
#[derive(Debug)]
pub enum Reply {
    Text(Result<(), TextFailure>),
    Code(Result<UssdReply, UssdFailure>),
    Command(Result<Private<String>, CommandFailure>),
}

/// Those who wait for an answer, by their question's id.
#[derive(Debug, Default)]
struct Waiting {
    last_id: u64,
    askers: BTreeMap<u64, oneshot::Sender<Reply>>,
}

/// What was told of the modem besides its health.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub known: KnownModem,
    /// The SIM is another one than the last time that the box ran.
    pub sim_changed: bool,
}

/// A text that was given to a line.
#[derive(Clone, Debug, Default)]
pub struct SentText {
    /// The call in which it was promised, if one was.
    pub call: Option<CallId>,
    /// By what its parts are known to the vault, from the first on that the network took.
    pub kept_as: Option<i64>,
}

/// One line's modem.
#[derive(Debug)]
pub struct Modem {
    pub line: LineId,
    /// Parts of texts.
    pub texts_a_day: u32,
    /// Completes national numbers.
    pub country_code: String,
    pub control: GsmControl,
    waiting: Mutex<Waiting>,
    told: Mutex<Told>,
    /// By their id, until the line has told their end.
    sent: Mutex<BTreeMap<u64, SentText>>,
    turned_ready: Arc<Notify>,
}

impl Modem {
    pub fn new(
        line: &GsmLineSettings,
        country_code: String,
        control: GsmControl,
        known: KnownModem,
        turned_ready: Arc<Notify>,
    ) -> Self {
        Self {
            line: line.id.clone(),
            texts_a_day: line.texts_a_day,
            country_code,
            control,
            waiting: Mutex::default(),
            told: Mutex::new(Told { known, ..Told::default() }),
            sent: Mutex::default(),
            turned_ready,
        }
    }

    pub fn status(&self) -> GsmStatus {
        self.control.status()
    }

    pub fn told(&self) -> Told {
        self.lock_told().clone()
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock_told());
    }

    fn lock_told(&self) -> MutexGuard<'_, Told> {
        // Each change leaves it whole.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether texts can go out now.
    pub fn sends_texts(&self) -> bool {
        let status = self.status();
        let state = status.modem.as_ref().map(|modem| modem.state);
        status.port.is_some()
            && matches!(
                state,
                Some(
                    ModemState::Ready
                        | ModemState::Ringing
                        | ModemState::Active
                        | ModemState::Ending
                        | ModemState::Degraded(_)
                )
            )
    }

    /// Tells the queue of texts that it may try again.
    pub(super) fn turn_ready(&self) {
        self.turned_ready.notify_one();
    }

    /// Hands an answer to whoever asked; nobody may be waiting any more.
    pub(super) fn answer(&self, id: u64, reply: Reply) {
        let asker = self.lock_waiting().askers.remove(&id);
        if asker.is_none_or(|asker| asker.send(reply).is_err()) {
            tracing::debug!(line = %self.line, id, "nobody waits for a modem's answer any more");
        }
    }

    fn new_id(&self) -> u64 {
        let mut waiting = self.lock_waiting();
        waiting.last_id += 1;
        waiting.last_id
    }

    /// Asks, and waits for the answer.
    async fn ask(
        &self,
        id: u64,
        patience: Duration,
        give: impl FnOnce(&GsmControl) -> Result<(), GsmRefusal>,
    ) -> Result<Reply, AskModem> {
        let line = || self.line.clone();
        if self.status().port.is_none() {
            let trouble = self.status().line_health(&self.line).trouble;
            let why = trouble.unwrap_or_else(|| "it is not there just now".to_owned());
            return Err(AskModem::NotThere { line: line(), why });
        }
        let (asker, reply) = oneshot::channel();
        {
            let mut waiting = self.lock_waiting();
            if waiting.askers.len() >= WAITING_MAX {
                return Err(AskModem::Full { line: line() });
            }
            waiting.askers.insert(id, asker);
        }
        let forget = Forget { modem: self, id };
        give(&self.control).map_err(|source| AskModem::Refused { line: line(), source })?;
        let reply = tokio::time::timeout(patience, reply).await;
        drop(forget);
        match reply {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(AskModem::TimedOut { line: line(), seconds: patience.as_secs() }),
        }
    }

    /// A row by hand. Its answer is the rows of the modem.
    pub async fn command(&self, row: String, force: Force) -> Result<Private<String>, AskModem> {
        let id = self.new_id();
        match self.ask(id, COMMAND_PATIENCE, |control| control.command(id, row, force)).await? {
            Reply::Command(Ok(rows)) => Ok(rows),
            Reply::Command(Err(source)) => Err(AskModem::Command { line: self.line.clone(), source }),
            Reply::Text(_) | Reply::Code(_) => Err(self.other_answer(COMMAND_PATIENCE)),
        }
    }

    /// A code to the network. The dialogue's id is for the answer to a menu.
    pub async fn code(&self, code: Private<String>) -> Result<(u64, UssdReply), AskModem> {
        let id = self.new_id();
        let reply = self.ask(id, CODE_PATIENCE, |control| control.ussd(id, code)).await;
        Ok((id, self.network_said(id, reply)?))
    }

    /// The answer to the menu of a dialogue.
    pub async fn code_answer(&self, id: u64, text: Private<String>) -> Result<UssdReply, AskModem> {
        let reply = self.ask(id, CODE_PATIENCE, |control| control.ussd_answer(id, text)).await;
        self.network_said(id, reply)
    }

    pub fn code_cancel(&self, id: u64) -> Result<(), AskModem> {
        self.control.ussd_cancel(id).map_err(|source| AskModem::Refused { line: self.line.clone(), source })
    }

    fn network_said(&self, id: u64, reply: Result<Reply, AskModem>) -> Result<UssdReply, AskModem> {
        match reply {
            Ok(Reply::Code(Ok(said))) => Ok(said),
            Ok(Reply::Code(Err(source))) => Err(AskModem::Code { line: self.line.clone(), source }),
            Ok(Reply::Text(_) | Reply::Command(_)) => Err(self.other_answer(CODE_PATIENCE)),
            Err(error) => {
                if matches!(error, AskModem::TimedOut { .. }) && self.control.ussd_cancel(id).is_err() {
                    tracing::debug!(line = %self.line, "a dialogue with the network was not cancelled");
                }
                Err(error)
            }
        }
    }

    /// Sends a text, and waits for what became of it, for hours if need be.
    /// `sent` is what its delivery will be told of.
    pub async fn text(&self, to: PhoneNumber, text: Private<String>, sent: SentText) -> Result<(), AskModem> {
        self.text_within(TEXT_PATIENCE, to, text, sent).await
    }

    /// Sends a text for somebody who waits.
    pub async fn text_by_hand(&self, to: PhoneNumber, text: Private<String>) -> Result<(), AskModem> {
        self.text_within(TEXT_BY_HAND_PATIENCE, to, text, SentText::default()).await
    }

    /// What is sent by this id.
    pub(super) fn sent(&self, id: u64) -> SentText {
        self.lock_sent().get(&id).cloned().unwrap_or_default()
    }

    /// A first part of it is kept.
    pub(super) fn sent_is_kept_as(&self, id: u64, kept_as: i64) {
        if let Some(sent) = self.lock_sent().get_mut(&id) {
            sent.kept_as = Some(kept_as);
        }
    }

    /// The line has told what became of it.
    pub(super) fn forget_sent(&self, id: u64) {
        self.lock_sent().remove(&id);
    }

    fn lock_sent(&self) -> MutexGuard<'_, BTreeMap<u64, SentText>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_sent(&self, id: u64, text: SentText) {
        let mut sent = self.lock_sent();
        if sent.len() >= SENT_MAX {
            // Ids grow: the first is the oldest.
            sent.pop_first();
        }
        sent.insert(id, text);
    }

    async fn text_within(
        &self,
        within: Duration,
        to: PhoneNumber,
        text: Private<String>,
        sent: SentText,
    ) -> Result<(), AskModem> {
        let id = self.new_id();
        self.remember_sent(id, sent);
        match self.ask(id, within, |control| control.send_text(id, to, text)).await? {
            Reply::Text(Ok(())) => Ok(()),
            Reply::Text(Err(source)) => Err(AskModem::Text { line: self.line.clone(), source }),
            Reply::Code(_) | Reply::Command(_) => Err(self.other_answer(within)),
        }
    }

    pub async fn support_rows(&self) -> Result<Vec<SupportRow>, AskModem> {
        self.control.support_rows().await.map_err(|source| AskModem::Refused { line: self.line.clone(), source })
    }

    pub fn release(&self) -> Result<(), AskModem> {
        self.control.release().map_err(|source| AskModem::Refused { line: self.line.clone(), source })
    }

    /// An answer of another kind than the question answers no question.
    fn other_answer(&self, patience: Duration) -> AskModem {
        AskModem::TimedOut { line: self.line.clone(), seconds: patience.as_secs() }
    }
}

/// Whether a menu waits for an answer.
pub const fn awaits_answer(reply: &UssdReply) -> bool {
    matches!(reply.then, UssdThen::AwaitsAnswer)
}

/// Forgets a question when its asker goes, by whatever way.
struct Forget<'a> {
    modem: &'a Modem,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.modem.lock_waiting().askers.remove(&self.id);
    }
}

/// All modems, in the order of the configuration. Clones are the same modems.
#[derive(Clone, Debug, Default)]
pub struct Modems {
    list: Vec<Arc<Modem>>,
    turned_ready: Arc<Notify>,
}

impl Modems {
    pub fn add(&mut self, modem: Arc<Modem>) {
        self.list.push(modem);
    }

    pub fn get(&self, line: &str) -> Option<&Arc<Modem>> {
        self.list.iter().find(|modem| modem.line.as_str() == line)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Modem>> {
        self.list.iter()
    }

    /// What is told when one of them becomes ready.
    pub fn turned_ready(&self) -> Arc<Notify> {
        self.turned_ready.clone()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::line::MediaClock;
    use crate::line::gsm::{GsmClaims, GsmLine, GsmLineConfig, ModemPlace, Roots, Wanted};
    use crate::ops::SystemClock;
    use crate::signalling::modem::LineSettings;

    /// A modem of line `sim` that is not there.
    pub(in crate::appliance) fn modem() -> Modem {
        let clock = SystemClock::new().as_fn();
        let config = GsmLineConfig {
            id: LineId::parse("sim").unwrap(),
            profiles: Vec::new(),
            place: ModemPlace::Usb(Wanted::default()),
            settings: LineSettings::default(),
            card: None,
            roots: Roots::default(),
            sound_timeout: Duration::from_secs(30),
        };
        let media_clock = MediaClock::start(clock.clone()).unwrap();
        let (line, _events) = GsmLine::new(config, clock, media_clock, GsmClaims::default());
        let settings = GsmLineSettings {
            id: LineId::parse("sim").unwrap(),
            profile: None,
            place: ModemPlace::Usb(Wanted::default()),
            sound: None,
            card: None,
            pin_credential: None,
            expected_sim: Default::default(),
            country_code: None,
            texts_a_day: 100,
            resets_per_hour: 6,
            airtime: None,
        };
        Modem::new(&settings, "234".to_owned(), line.control(), KnownModem::default(), Arc::default())
    }

    #[tokio::test]
    async fn a_modem_that_is_not_there_is_said_at_once() {
        let modem = modem();
        let error = modem.command("AT".to_owned(), Force::No).await.unwrap_err();
        assert!(matches!(error, AskModem::NotThere { .. }), "{error}");
        assert!(modem.lock_waiting().askers.is_empty());
        assert!(!modem.sends_texts());
    }

    #[tokio::test]
    async fn parts_are_of_the_text_that_is_sent_by_their_id_and_the_oldest_go() {
        let modem = modem();
        for id in 0..u64::try_from(SENT_MAX).unwrap() + 1 {
            modem.remember_sent(id, SentText::default());
            modem.sent_is_kept_as(id, 7);
        }
        assert_eq!([0, 1].map(|id| modem.sent(id).kept_as), [None, Some(7)]);
        modem.forget_sent(1);
        assert_eq!(modem.sent(1).kept_as, None);
    }

    #[tokio::test]
    async fn an_answer_comes_to_whoever_asked_and_others_are_forgotten() {
        let modem = modem();
        let (asker, reply) = oneshot::channel();
        modem.lock_waiting().askers.insert(7, asker);
        modem.answer(8, Reply::Text(Ok(())));
        modem.answer(7, Reply::Text(Err(TextFailure::Number)));
        assert!(matches!(reply.await, Ok(Reply::Text(Err(TextFailure::Number)))));
    }
}
