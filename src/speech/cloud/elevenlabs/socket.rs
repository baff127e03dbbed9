use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Parts;
use super::failure;
use super::inbox::Inbox;
use super::payload::{Asking, ContextOpening, Words};
use super::strands::{Closing, Key, Strands};
use super::wire::{self, Complaint, ContextName, Message, SoundFormat, Unreadable};
use crate::egress::{Incoming, SendError, WebSocketReceiver, WebSocketSender};
use crate::residency::{Cleared, DataClass, Payload};
use crate::speech::{Awaited, CallSetting, VoiceError};
use crate::terms::Private;

/// What is said in a call may repeat the caller's words.
pub(super) const SAID: &[DataClass] = &[DataClass::Reply];

/// Messages between the socket's reader and its call. The call takes each at once;
/// what it does not take holds the provider back.
const INCOMING: usize = 16;

/// Utterances that wait for a context: the call itself never queues more.
const WAITING_MAX: usize = 8;

/// Sockets that one call opens: the first, and some for a bad line. After that the
/// call's sentences are streamed over HTTP.
const SOCKETS_MAX: u32 = 6;

/// A socket that takes no message for so long is of no use to a call.
const SEND_WITHIN: Duration = Duration::from_secs(2);

/// Signs of life more often than this are of no use to anybody.
const KEEP_ALIVE_MIN: Duration = Duration::from_millis(20);

/// What the call's utterances want of its socket.
pub(super) enum Command {
    Begin(Begin),
    /// Further words of an utterance that has begun.
    Words(More),
    /// No more follow, and the last ones sound.
    End(Key),
    /// Nobody listens any more.
    Close(Key),
}

pub(super) struct Begin {
    pub(super) key: Key,
    pub(super) format: SoundFormat,
    pub(super) pace: f32,
    pub(super) first: More,
    pub(super) inbox: Inbox,
}

/// The next piece of an utterance.
pub(super) struct More {
    pub(super) key: Key,
    pub(super) piece: String,
    pub(super) whole: Arc<Private<String>>,
}

/// An open socket.
struct Wire {
    sender: WebSocketSender,
    incoming: mpsc::Receiver<Result<Incoming, SendError>>,
    format: SoundFormat,
    /// Ends the reader.
    _reader: DropGuard,
}

/// One call's socket: several contexts, one for each utterance. It is the only
/// one that sends on it, and hands on what comes without ever waiting for a
/// listener.
pub(super) struct CallSocket {
    parts: Arc<Parts>,
    setting: CallSetting,
    wire: Option<Wire>,
    /// As its line has it; none before it has spoken.
    format: Option<SoundFormat>,
    strands: Strands<Inbox>,
    waiting: VecDeque<Begin>,
    opened: u32,
    /// What the provider said of us for good: the key, the account, the voice.
    refused: Option<VoiceError>,
}

impl CallSocket {
    pub(super) const fn new(parts: Arc<Parts>, setting: CallSetting) -> Self {
        Self {
            parts,
            setting,
            wire: None,
            format: None,
            strands: Strands::new(),
            waiting: VecDeque::new(),
            opened: 0,
            refused: None,
        }
    }

    /// Until the call drops its end of `commands`.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.open_ahead().await;
        let mut keep_alive = interval(self.parts.config.keep_alive.max(KEEP_ALIVE_MIN));
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        keep_alive.reset();
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                came = next(&mut self.wire) => self.take(came).await,
                _ = keep_alive.tick() => self.keep_alive().await,
            }
        }
        self.send_fixed(wire::CLOSE_SOCKET).await;
        if let Some(wire) = self.wire.take()
            && timeout(SEND_WITHIN, wire.sender.close()).await.is_err()
        {
            tracing::debug!("the call's voice was left without a goodbye");
        }
    }

    /// A socket that is open before the first sentence saves it two round trips.
    async fn open_ahead(&mut self) {
        let may_go = self.setting.gate.may_go(SAID, &self.parts.config.destination);
        if self.setting.call.is_none() || !may_go {
            return;
        }
        let format = self.format.unwrap_or_else(|| self.parts.usual_format());
        if let Err(error) = self.ensure_wire(format).await {
            tracing::debug!(%error, "the call's voice is not open ahead");
        }
    }

    /// A socket over which nothing may go any more, because the caller or a newer
    /// policy says so, is not kept open either.
    async fn keep_alive(&mut self) {
        if self.setting.gate.may_go(SAID, &self.parts.config.destination) {
            self.ping().await;
        } else if self.wire.is_some() {
            self.lose(&VoiceError::Kept);
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Begin(begin) => self.begin(begin).await,
            Command::Words(more) => self.more(more).await,
            Command::End(key) => {
                if let Some(name) = self.strands.closing(key) {
                    self.send_fixed(name.close).await;
                }
            }
            Command::Close(key) => self.close(key).await,
        }
    }

    async fn begin(&mut self, begin: Begin) {
        self.format = Some(begin.format);
        if let Err(error) = self.ensure_wire(begin.format).await {
            begin.inbox.end(Err(error));
            return;
        }
        let Begin { key, format, pace, first, inbox } = begin;
        match self.strands.open(key, inbox) {
            Ok(name) => self.start(name, pace, first).await,
            Err(inbox) if self.waiting.len() < WAITING_MAX => {
                self.waiting.push_back(Begin { key, format, pace, first, inbox });
            }
            Err(inbox) => inbox.end(Err(VoiceError::Overloaded)),
        }
    }

    /// The first words of a context that has just been taken.
    async fn start(&mut self, name: &'static ContextName, pace: f32, first: More) {
        let key = first.key;
        let settings = super::payload::settings(&self.parts.config, pace);
        // The words come first to the gate: a context without any must not be opened.
        let words = self.cleared(Words::new(name.id, &first.piece, Arc::clone(&first.whole)));
        let opening = self.cleared(ContextOpening::new(name.id, &settings));
        let (Ok(words), Ok(opening)) = (words, opening) else {
            self.fail(key, VoiceError::Kept);
            return;
        };
        if self.send(opening).await && self.send(words).await {
            self.parts.bought(self.setting.call, &first.piece);
            if let Some(inbox) = self.strands.taker(key) {
                inbox.begun();
            }
        }
    }

    async fn more(&mut self, more: More) {
        let Some(name) = self.strands.name_of(more.key) else { return };
        match self.cleared(Words::new(name.id, &more.piece, Arc::clone(&more.whole))) {
            Ok(words) => {
                if self.send(words).await {
                    self.parts.bought(self.setting.call, &more.piece);
                }
            }
            Err(error) => {
                if let Some(inbox) = self.abandoned(more.key).await {
                    inbox.end(Err(error));
                }
            }
        }
    }

    async fn close(&mut self, key: Key) {
        let waited = self.waiting.len();
        self.waiting.retain(|begin| begin.key != key);
        if self.waiting.len() < waited && !self.strands.are_wanted() {
            // All contexts are taken by sentences that nobody wants any more, and
            // their ends do not come: a fresh socket is the quickest way out.
            self.lose(&VoiceError::Lost("its contexts do not end"));
            return;
        }
        drop(self.abandoned(key).await);
    }

    /// Tells the provider that a context is not wanted any more.
    async fn abandoned(&mut self, key: Key) -> Option<Inbox> {
        let (closing, inbox) = self.strands.abandon(key);
        if let Closing::Tell(name) = closing {
            self.send_fixed(name.close).await;
        }
        inbox
    }

    async fn take(&mut self, came: Option<Result<Incoming, SendError>>) {
        match came {
            Some(Ok(Incoming::Text(text))) => match wire::read_message(text.expose()) {
                Ok(message) => self.hand_on(message).await,
                Err(unreadable) => self.unreadable(unreadable).await,
            },
            Some(Ok(Incoming::Binary(_))) => self.lose(&VoiceError::Lost("a message is no text")),
            Some(Ok(Incoming::Closed { code })) => {
                tracing::debug!(code, "the provider closed the call's voice");
                self.lose(&failure::of_close(code));
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the call's voice broke off");
                self.lose(&failure::of_send(&error, Awaited::NextSound));
            }
            None => self.lose(&VoiceError::Lost("the connection broke off")),
        }
        // A call that says nothing for a while finds its voice open again.
        if self.wire.is_none() && self.opened < SOCKETS_MAX / 2 {
            self.open_ahead().await;
        }
    }

    async fn hand_on(&mut self, message: Message) {
        if let Some(complaint) = message.complaint {
            self.complained(complaint);
            return;
        }
        let Some(key) = self.strands.whose(message.context.as_deref()) else {
            // Of a context that has ended, or of one that we never had.
            self.parts.disordered.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("sound of no utterance was dropped");
            return;
        };
        if let (Some(sound), Some(inbox)) = (message.sound, self.strands.taker(key))
            && inbox.sound(sound).is_err()
            && let Some(inbox) = self.abandoned(key).await
        {
            inbox.end(Err(VoiceError::Lost("it sends more sound than the words have")));
        }
        if message.is_final {
            if let Some(inbox) = self.strands.ended(key) {
                inbox.end(Ok(()));
            }
            if let Some(begin) = self.waiting.pop_front() {
                self.begin(begin).await;
            }
        }
    }

    fn complained(&mut self, complaint: Complaint) {
        let error = failure::of_complaint(complaint);
        tracing::warn!(%error, "the provider complains");
        self.lose(&error);
    }

    async fn unreadable(&mut self, unreadable: Unreadable) {
        let error = failure::of_unreadable(unreadable.error);
        match unreadable.context.and_then(|context| self.strands.whose(Some(&context))) {
            Some(key) => {
                if let Some(inbox) = self.abandoned(key).await {
                    inbox.end(Err(error));
                }
            }
            // Nobody knows whose it was, nor what comes next.
            None => self.lose(&error),
        }
    }

    /// One utterance ends badly before the provider knows of it.
    fn fail(&mut self, key: Key, error: VoiceError) {
        if let Some(inbox) = self.strands.ended(key) {
            inbox.end(Err(error));
        }
    }

    /// The socket is of no use any more. Who waits for sound is told why.
    fn lose(&mut self, error: &VoiceError) {
        self.wire = None;
        if matches!(error, VoiceError::NotServed(_)) {
            self.refused = Some(error.clone());
        }
        let waiting = self.waiting.drain(..).map(|begin| begin.inbox);
        for inbox in self.strands.clear().chain(waiting) {
            inbox.end(Err(error.clone()));
        }
    }

    /// An open socket whose sound has this format.
    async fn ensure_wire(&mut self, format: SoundFormat) -> Result<(), VoiceError> {
        self.parts.remember(format);
        if self.wire.as_ref().is_some_and(|wire| wire.format == format) {
            return Ok(());
        }
        if self.wire.is_some() {
            self.lose(&VoiceError::Lost("the line's rate changed"));
        }
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if self.opened >= SOCKETS_MAX {
            return Err(VoiceError::Lost("it closed too many sockets"));
        }
        self.opened += 1;
        match self.open(format).await {
            Ok(wire) => {
                self.wire = Some(wire);
                Ok(())
            }
            Err(error) => {
                if matches!(error, VoiceError::NotServed(_)) {
                    self.refused = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    async fn open(&self, format: SoundFormat) -> Result<Wire, VoiceError> {
        let parts = &self.parts;
        let asking =
            Asking::new(&parts.config, &self.setting.gate, DataClass::Reply, self.setting.hints.language, format);
        let opening = self.cleared(asking.socket())?;
        let within = parts.config.deadlines.connect;
        let opened = timeout(within, parts.door.websocket(self.setting.call, opening)).await;
        let stalled = VoiceError::Stalled { waiting_for: Awaited::Connection, within };
        let (sender, receiver) =
            opened.map_err(|_| stalled)?.map_err(|error| failure::of_send(&error, Awaited::Connection))?;
        let (hand, incoming) = mpsc::channel(INCOMING);
        let stop = CancellationToken::new();
        let reader = read(receiver, hand, stop.clone());
        self.parts.tasks.spawn_on(reader, &self.parts.runtime);
        Ok(Wire { sender, incoming, format, _reader: stop.drop_guard() })
    }

    fn cleared<T: Payload>(&self, payload: T) -> Result<Cleared<T>, VoiceError> {
        self.setting.gate.clear(SAID, &self.parts.config.destination, payload).map_err(|refused| {
            tracing::debug!(%refused, "a sentence stays on the box");
            VoiceError::Kept
        })
    }

    /// Whether it was sent. If not, the socket is lost and everybody knows.
    async fn send<T: Into<crate::egress::WebSocketMessage>>(&mut self, message: Cleared<T>) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        let sent = timeout(SEND_WITHIN, wire.sender.send(message)).await;
        self.was_sent(sent)
    }

    async fn send_fixed(&mut self, text: &'static str) {
        let Some(wire) = &mut self.wire else { return };
        let sent = timeout(SEND_WITHIN, wire.sender.send_fixed(text)).await;
        self.was_sent(sent);
    }

    /// A sign of life. The provider's own one is a word for a context and keeps that
    /// context open; between two sentences there is none, and a word for nobody is
    /// none that it documents.
    async fn ping(&mut self) {
        let Some(wire) = &mut self.wire else { return };
        let sent = timeout(SEND_WITHIN, wire.sender.ping()).await;
        self.was_sent(sent);
    }

    fn was_sent(&mut self, sent: Result<Result<(), SendError>, tokio::time::error::Elapsed>) -> bool {
        let error = match sent {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => failure::of_send(&error, Awaited::Connection),
            Err(_) => VoiceError::Lost("it takes no messages"),
        };
        self.lose(&error);
        false
    }
}

/// The next message of the socket; without one, never.
async fn next(wire: &mut Option<Wire>) -> Option<Result<Incoming, SendError>> {
    match wire {
        Some(wire) => wire.incoming.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads until the socket ends or is not wanted any more. On its own, so that no
/// message is lost in the middle while its call does something else.
async fn read(
    mut receiver: WebSocketReceiver,
    hand: mpsc::Sender<Result<Incoming, SendError>>,
    stop: CancellationToken,
) {
    let reading = async {
        loop {
            let came = receiver.next().await;
            let is_last = matches!(came, Err(_) | Ok(Incoming::Closed { .. }));
            if hand.send(came).await.is_err() || is_last {
                return;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = reading => {}
    }
}
