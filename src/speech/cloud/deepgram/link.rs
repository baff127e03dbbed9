//! One stream to the provider: opened, written, read and closed. It knows of no
//! turn and no word; what it is given it sends, each piece cleared as it goes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::egress::{Door, Incoming, SendError, Usage, WebSocketReceiver, WebSocketSender};
use crate::residency::{DataClass, Refused, Verdict};
use crate::speech::{AwaitedWords, CallSetting, EarsError};
use crate::terms::Moment;

use super::config::{Bounds, DeepgramConfig};
use super::message::{BadMessage, Message};
use super::query::{CLOSE_STREAM, Encoding, ListenOpening, SoundMessage};

/// A message that waits longer than this to be sent: what the provider says then
/// is of no more use to anybody.
pub(super) const BEHIND_MAX: Duration = Duration::from_secs(2);

/// So much sound may wait on the way out: the longest turn, which ears that take
/// over within it are told at once, and what comes meanwhile.
const WAITING_MAX: Duration = Duration::from_secs(32);

/// Places beside it for words of the protocol and for the short messages of pauses.
const SHORT_MESSAGES: u128 = 16;

/// Messages on their way in; some four come in a second. A provider that floods
/// us waits for its own socket.
const INCOMING: usize = 64;

/// Sound is paid for by the time; the budget learns of it in pieces of so much.
const PAID_EVERY: Duration = Duration::from_secs(10);

/// For the goodbye: the provider makes its last words and closes.
const GOODBYE: Duration = Duration::from_secs(2);

/// A message that does not leave within this leaves no more: by then the queue
/// behind it has long been full.
const SEND_WITHIN: Duration = Duration::from_secs(4);

/// Added to what the door allows itself, before the door itself counts as stuck.
const DOOR_SLACK: Duration = Duration::from_secs(1);

/// What goes to the provider.
#[derive(Debug)]
pub(super) enum Outgoing {
    Sound { octets: Vec<u8>, length: Duration },
    Word(&'static str),
}

/// What came of the stream.
#[derive(Debug)]
pub(super) enum LinkEvent {
    Opened,
    Message(Result<Message, BadMessage>),
    /// The last.
    Lost(LinkError),
}

/// Why a stream is of no more use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum LinkError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("talking to the provider: the door did not answer within {} ms", .0.as_millis())]
    Stuck(Duration),
    #[error("listening to the provider: it closed the stream, code {0:?}")]
    Closed(Option<u16>),
    #[error("listening to the provider: it sent what is no text")]
    Binary,
}

/// The near end of a stream. Dropping it says goodbye to the provider.
pub(super) struct Link {
    outgoing: mpsc::Sender<Outgoing>,
    /// When each message was given that had not left then, the oldest first.
    waiting: VecDeque<Moment>,
    /// Messages that have left since the near end looked last.
    left: Arc<AtomicUsize>,
    /// None while the stream is being opened, for which it has bounds of its own.
    opened: Option<Moment>,
    events: mpsc::Receiver<LinkEvent>,
}

/// The far end, to be driven by a task.
pub(super) struct FarEnd {
    outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<LinkEvent>,
    config: Arc<DeepgramConfig>,
    door: Door,
    setting: CallSetting,
    encoding: Encoding,
    left: Arc<AtomicUsize>,
    /// Sound that was sent and not yet told to the budget.
    unpaid: Duration,
}

/// Both ends of a stream that is not open yet, for messages with `message` of sound.
pub(super) fn link(
    config: Arc<DeepgramConfig>,
    door: Door,
    setting: CallSetting,
    encoding: Encoding,
    message: Duration,
) -> (Link, FarEnd) {
    let room = WAITING_MAX.as_millis() / message.as_millis().max(1) + SHORT_MESSAGES;
    let (outgoing, to_send) = mpsc::channel(usize::try_from(room).unwrap_or(1));
    let (tell, events) = mpsc::channel(INCOMING);
    let left = Arc::new(AtomicUsize::new(0));
    let near = Link { outgoing, waiting: VecDeque::new(), left: Arc::clone(&left), opened: None, events };
    let far = FarEnd { outgoing: to_send, events: tell, config, door, setting, encoding, left, unpaid: Duration::ZERO };
    (near, far)
}

impl Link {
    /// Gives a message to be sent.
    pub(super) fn send(&mut self, message: Outgoing, now: Moment) -> Result<(), Unsent> {
        let left = self.left.swap(0, Ordering::Relaxed).min(self.waiting.len());
        self.waiting.drain(..left);
        // What was given before the stream was open could not leave sooner.
        let oldest = self.opened.and_then(|opened| self.waiting.front().map(|given| opened.max(*given)));
        if oldest.is_some_and(|since| now.since(since) > BEHIND_MAX) {
            return Err(Unsent::Behind);
        }
        self.waiting.push_back(now);
        self.outgoing.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => Unsent::Behind,
            TrySendError::Closed(_) => Unsent::Lost,
        })
    }

    /// The stream is open since `now`.
    pub(super) fn opened(&mut self, now: Moment) {
        self.opened = Some(now);
    }

    /// What came next; none after `Lost`. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unsent {
    /// There is no room for it, or what was given before waits for too long.
    Behind,
    /// The stream is no more; its last event says why.
    Lost,
}

/// How the writing ended.
enum Written {
    /// The near end is gone.
    All(WebSocketSender),
    Failed(LinkError),
}

impl FarEnd {
    /// Opens the stream and carries it to its end.
    pub(super) async fn carry(mut self) {
        let (sender, receiver) = match self.open().await {
            Ok(opened) => opened,
            Err(error) => return self.lost(error).await,
        };
        if self.events.send(LinkEvent::Opened).await.is_err() {
            tracing::debug!("a call ended before its ears were open");
        }
        let events = self.events.clone();
        let mut read = std::pin::pin!(read(receiver, &events));
        let written = tokio::select! {
            written = self.write(sender) => written,
            error = &mut read => Written::Failed(error),
        };
        self.pay(Duration::ZERO);
        match written {
            Written::All(sender) => {
                if tokio::time::timeout(GOODBYE, goodbye(sender, read)).await.is_err() {
                    tracing::debug!("the provider of the ears did not close its stream in time");
                }
            }
            Written::Failed(error) => self.lost(error).await,
        }
    }

    /// Sends until the near end is gone; what it left is wanted by nobody.
    async fn write(&mut self, mut sender: WebSocketSender) -> Written {
        while let Some(message) = self.outgoing.recv().await.filter(|_| self.outgoing.sender_strong_count() > 0) {
            match tokio::time::timeout(SEND_WITHIN, self.send(&mut sender, message)).await {
                Ok(Ok(())) => {
                    self.left.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Err(refused @ LinkError::Refused(_))) => {
                    sender.close().await;
                    return Written::Failed(refused);
                }
                Ok(Err(error)) => return Written::Failed(error),
                Err(_) => return Written::Failed(LinkError::Stuck(SEND_WITHIN)),
            }
        }
        Written::All(sender)
    }

    /// A wish of the caller takes effect with the next message, so each is
    /// cleared by itself.
    async fn send(&mut self, sender: &mut WebSocketSender, message: Outgoing) -> Result<(), LinkError> {
        match message {
            Outgoing::Word(word) => sender.send_fixed(word).await?,
            Outgoing::Sound { octets, length } => {
                let (gate, to) = (&self.setting.gate, &self.config.destination);
                let cleared = gate.clear(&[DataClass::CallAudio], to, SoundMessage(octets))?;
                sender.send(cleared).await?;
                self.unpaid += length;
                self.pay(PAID_EVERY);
            }
        }
        Ok(())
    }

    /// Tells the budget what the provider asks money for, once it is so much.
    fn pay(&mut self, from: Duration) {
        if self.unpaid > from {
            let sound = std::mem::take(&mut self.unpaid);
            self.door.used(self.setting.call, &self.config.destination, Usage::Audio(sound));
        }
    }

    async fn lost(&self, error: LinkError) {
        if self.events.send(LinkEvent::Lost(error)).await.is_err() {
            tracing::debug!("a stream of the ears was lost after its call");
        }
    }

    async fn open(&self) -> Result<(WebSocketSender, WebSocketReceiver), LinkError> {
        let (config, gate) = (&self.config, &self.setting.gate);
        let kept = |what: DataClass| Refused::Local { class: what.name(), destination: config.destination.clone() };
        // Sound cannot be had without what is in it, so leave for less is none.
        let sound = gate.decide(&[DataClass::CallAudio], &config.destination);
        let sound = sound.filter(|d| d.verdict == Verdict::Raw).ok_or_else(|| kept(DataClass::CallAudio))?;
        let language = config.language.as_deref().unwrap_or(self.setting.hints.language.iso_639_1());
        let words = &self.setting.hints.words;
        let host = gate.host(&config.destination, &config.host);
        let mut opening = ListenOpening::new(config, &host, self.encoding, language, words, &sound.safeguards);
        if !gate.may_go(&[DataClass::Knowledge], &config.destination) {
            opening = opening.without_key_terms();
        }
        let cleared = gate.clear(opening.classes(), &config.destination, opening)?;
        let Bounds { opening, .. } = config.bounds;
        let within = opening.connect + opening.answer + DOOR_SLACK;
        let opened = tokio::time::timeout(within, self.door.websocket(self.setting.call, cleared)).await;
        Ok(opened.map_err(|_| LinkError::Stuck(within))??)
    }
}

/// Says that no more comes, and waits for the provider to close.
async fn goodbye(mut sender: WebSocketSender, read: Pin<&mut impl Future<Output = LinkError>>) {
    if sender.send_fixed(CLOSE_STREAM).await.is_ok() {
        let end = read.await;
        tracing::trace!(%end, "a stream of the ears is closed");
    }
    sender.close().await;
}

/// Reads until there is no more to read. Nobody may listen any more: what the
/// provider says after the goodbye is read to its end all the same.
async fn read(mut receiver: WebSocketReceiver, events: &mpsc::Sender<LinkEvent>) -> LinkError {
    loop {
        let message = match receiver.next().await {
            Ok(Incoming::Text(text)) => Message::parse(text.expose()),
            Ok(Incoming::Binary(_)) => return LinkError::Binary,
            Ok(Incoming::Closed { code }) => return LinkError::Closed(code),
            Err(error) => return error.into(),
        };
        if events.send(LinkEvent::Message(message)).await.is_err() {
            tracing::trace!("a message came after the call");
        }
    }
}

/// What a lost stream means to the failover.
pub(super) fn ears_error(error: &LinkError, bounds: &Bounds) -> EarsError {
    match error {
        LinkError::Refused(_) => EarsError::Kept,
        LinkError::Stuck(within) => EarsError::Stalled { waiting_for: AwaitedWords::Connection, within: *within },
        LinkError::Binary => EarsError::Lost("it sent what is no text"),
        LinkError::Closed(code) => closed(*code),
        LinkError::Send(error) => unsent(error, bounds),
    }
}

/// The codes with which the provider closes (RFC 6455 section 7.4).
const fn closed(code: Option<u16>) -> EarsError {
    match code {
        // DATA-0000: it cannot decode the sound, and will not the next time.
        Some(1003 | 1007 | 1008) => EarsError::NotServed("it cannot decode the sound"),
        // NET-0000 and NET-0001: it was slow, or no sound came.
        Some(1011) => EarsError::Lost("it closed the stream for a failure of its own"),
        Some(1012 | 1013) => EarsError::Busy { retry_after: None },
        Some(_) | None => EarsError::Lost("it closed the stream"),
    }
}

fn unsent(error: &SendError, bounds: &Bounds) -> EarsError {
    match error {
        // A safeguard that this stream did not promise when it was opened, the next one will.
        SendError::HeldBack(_) => EarsError::Kept,
        SendError::Malformed { .. } => EarsError::NotServed("its key or model cannot be written in a request"),
        SendError::Resolve { .. } => EarsError::Lost("its name could not be resolved"),
        SendError::Connect { .. } => EarsError::Lost("it could not be connected to"),
        // The page of a network whose allowance is used up, or a clock that the box
        // set wrong when it started: both pass.
        SendError::Certificate { .. } => EarsError::Lost("its certificate is not one that we trust"),
        SendError::Redirect { .. } => EarsError::NotServed("it wants us to go elsewhere"),
        SendError::ConnectTimedOut { within, .. } | SendError::AnswerTimedOut { within, .. } => {
            EarsError::Stalled { waiting_for: AwaitedWords::Connection, within: *within }
        }
        SendError::Protocol { .. } => EarsError::Lost("it breaks the WebSocket protocol"),
        SendError::TooLarge { .. } => EarsError::Lost("a message of it is too large"),
        SendError::Closed { .. } => EarsError::Lost("the connection broke off"),
        SendError::Handshake { status, retry_after, .. } => handshake(*status, *retry_after, bounds),
    }
}

/// The statuses with which a stream is refused.
const fn handshake(status: u16, retry_after: Option<Duration>, bounds: &Bounds) -> EarsError {
    match status {
        400 => EarsError::NotServed("it does not take the request, or the model"),
        401 | 403 => EarsError::NotServed("it does not accept the key"),
        402 => EarsError::NotServed("the account has no credit"),
        404 => EarsError::NotServed("there is no such model or address"),
        408 | 504 => EarsError::Stalled { waiting_for: AwaitedWords::Connection, within: bounds.opening.answer },
        // Too many streams at once, or too much in all.
        429 | 503 | 529 => EarsError::Busy { retry_after },
        405..=499 => EarsError::NotServed("it refuses the request"),
        _ => EarsError::Lost("it answered the opening with a failure of its own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::HeldBack;
    use crate::residency::{DestinationId, Host};
    use crate::speech::Again;
    use crate::terms::Private;

    fn refused(status: u16, retry_after: Option<Duration>) -> EarsError {
        let host = Host::parse("api.deepgram.com").unwrap();
        let error = SendError::Handshake { host, status, body: Private::new(Vec::new()), retry_after };
        ears_error(&error.into(), &Bounds::default())
    }

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn sound_that_waits_for_the_opening_is_not_behind_and_what_waits_after_it_is() {
        let (outgoing, mut sent) = mpsc::channel(1000);
        let (_tell, events) = mpsc::channel(1);
        let left = Arc::new(AtomicUsize::new(0));
        let mut link = Link { outgoing, waiting: VecDeque::new(), left: Arc::clone(&left), opened: None, events };
        let give = |link: &mut Link, ms| link.send(Outgoing::Word(CLOSE_STREAM), at(ms));
        // Four round trips over a satellite take more than two seconds.
        for ms in (0..3900).step_by(60) {
            assert_eq!(give(&mut link, ms), Ok(()), "{ms}");
        }
        link.opened(at(3900));
        assert_eq!(give(&mut link, 5900), Ok(()));
        assert_eq!(give(&mut link, 5901), Err(Unsent::Behind), "none has left for two seconds");
        while sent.try_recv().is_ok() {
            left.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(give(&mut link, 5902), Ok(()), "all have left");
        assert_eq!(give(&mut link, 7903), Err(Unsent::Behind));
    }

    #[test]
    fn a_refusal_says_whether_asking_again_is_of_use() {
        for status in [400, 401, 402, 403, 404, 422] {
            assert_eq!(refused(status, None).again(), Again::OnceRepaired, "{status}");
        }
        for status in [408, 500, 502, 504] {
            assert_eq!(refused(status, None).again(), Again::Soon, "{status}");
        }
        let soon = Some(Duration::from_secs(7));
        for status in [429, 503] {
            assert_eq!(refused(status, soon).again(), Again::After(Duration::from_secs(7)), "{status}");
        }
    }

    #[test]
    fn a_closed_stream_says_whether_the_sound_was_at_fault() {
        assert_eq!(closed(Some(1008)).again(), Again::OnceRepaired);
        assert_eq!(closed(Some(1011)).again(), Again::Soon);
        assert_eq!(closed(None).again(), Again::Soon);
    }

    #[test]
    fn what_the_policy_or_the_door_keeps_is_no_fault_of_the_provider() {
        let destination = DestinationId::parse("deepgram").unwrap();
        let refused = Refused::Local { class: "call-audio", destination: destination.clone() };
        assert_eq!(ears_error(&refused.into(), &Bounds::default()), EarsError::Kept);
        let spent = HeldBack::BudgetSpent { destination: destination.clone() };
        for held in [spent, HeldBack::SafeguardMissing { destination }] {
            let error = SendError::from(held);
            assert_eq!(ears_error(&error.into(), &Bounds::default()), EarsError::Kept);
        }
    }
}
