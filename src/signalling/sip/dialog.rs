//! The dialog of one call, as the side that is rung or as the side that rings.
//!
//! It says which responses and requests go out, with which description, and
//! when the call's media flows; it never sends, and retransmissions are the
//! transaction layer's. A driver calls `handle_*` and the commands (`answer`,
//! `reject`, `hang_up`) with the time, then drains [`Dialog::poll_output`]
//! until it is empty, and sleeps until [`Dialog::next_timeout`].

use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::{EndCause, Moment};

use super::sdp::{Agreed, AudioOffer, Direction, Encoding, LocalAudio, NoCommonCodec, SdpError};
use super::{cause_of_status, status_of_cause};

/// 64 times T1: how long any answer of the protocol may take (RFC 3261
/// section 17.1.1.2, timers B, F and H).
const PROTOCOL_PATIENCE: Duration = Duration::from_secs(32);

/// How long an offered call rings here at most. The desk answers at once or
/// refuses; this ends a call that it forgot, before the caller's network does
/// (timer C of proxies, three minutes).
const RINGING_PATIENCE: Duration = Duration::from_secs(120);

/// A request of the far side that waits for our response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExchangeId(pub u32);

/// What a deadline of the dialog is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// When to stop waiting for an answer to the call, ours or theirs.
    Ringing,
    /// When to give up on the ACK for a 200 of ours and hang up (timer H).
    Ack,
    /// When to give up on the response to our BYE (timer F).
    Bye,
    /// When to give up on the 487 that our CANCEL asks for (RFC 3261 section 9.1).
    Cancel,
}

/// The deadlines of a dialog, each with its reason.
#[derive(Debug, Default)]
struct TimerTable([Option<Moment>; 4]);

impl TimerTable {
    const ALL: [Timer; 4] = [Timer::Ringing, Timer::Ack, Timer::Bye, Timer::Cancel];

    fn set(&mut self, timer: Timer, at: Moment) {
        self.0[timer as usize] = Some(at);
    }

    fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    fn next(&self) -> Option<(Moment, Timer)> {
        Self::ALL.into_iter().filter_map(|timer| self.0[timer as usize].map(|at| (at, timer))).min_by_key(|(at, _)| *at)
    }
}

/// What the dialog wants of the world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    Respond {
        exchange: ExchangeId,
        status: u16,
        sdp: Option<String>,
    },
    SendInvite {
        sdp: String,
    },
    SendCancel,
    SendBye,
    /// Media flows like this from here on.
    Media(Agreed),
    StopMedia,
    Tell(Notice),
}

/// What the desk is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The far side rings its telephone.
    Ringing,
    Answered,
    Held,
    Resumed,
    /// A digit that came by INFO.
    Digit(char),
    /// The last notice of a dialog.
    Ended(EndCause),
}

/// An INVITE that is refused before anybody is told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub status: u16,
    pub cause: EndCause,
}

/// Named for what is awaited.
#[derive(Debug)]
enum State {
    /// They ring; the desk decides.
    OurAnswer {
        invite: ExchangeId,
        offer: Option<AudioOffer>,
    },
    /// We ring. A CANCEL may go out only once the far side has said anything
    /// (RFC 3261 section 9.1).
    TheirAnswer {
        provisional: bool,
        giving_up: Option<EndCause>,
    },
    /// Our 200 is out. A BYE has to wait for the ACK (RFC 3261 section 15).
    Ack {
        invite: ExchangeId,
        answer_in_ack: bool,
        hanging_up: Option<EndCause>,
    },
    /// The call stands.
    AnyEnd {
        reinvite: Option<Reinvite>,
    },
    /// Our BYE is out.
    ByeResponse {
        cause: EndCause,
    },
    Nothing,
}

/// A re-INVITE that was answered 200 and not yet acknowledged.
#[derive(Debug)]
struct Reinvite {
    exchange: ExchangeId,
    answer_in_ack: bool,
}

/// One call's dialog.
#[derive(Debug)]
pub struct Dialog {
    state: State,
    local: LocalAudio,
    /// Counts the descriptions sent (RFC 3264 section 8).
    version: u64,
    agreed: Option<Agreed>,
    held: bool,
    timers: TimerTable,
    outputs: VecDeque<Output>,
}

impl Dialog {
    /// A call that comes in. `sdp` is the INVITE's offer; without one our 200
    /// makes the offer and their ACK answers it.
    pub fn rung(invite: ExchangeId, sdp: Option<&[u8]>, local: LocalAudio, now: Moment) -> Result<Self, Refusal> {
        let offer = sdp.map(AudioOffer::parse).transpose().map_err(|e| refusal(&e))?;
        if let Some(offer) = &offer {
            offer.agree(&local.encodings).map_err(|NoCommonCodec| INCOMPATIBLE)?;
        }
        let mut dialog = Self::new(State::OurAnswer { invite, offer }, local);
        dialog.timers.set(Timer::Ringing, now + RINGING_PATIENCE);
        dialog.push(Output::Respond { exchange: invite, status: 180, sdp: None });
        Ok(dialog)
    }

    /// A call that goes out, with an offer of everything in `local`. It is
    /// given up after `patience` without an answer.
    pub fn ring(local: LocalAudio, patience: Duration, now: Moment) -> Self {
        let mut dialog = Self::new(State::TheirAnswer { provisional: false, giving_up: None }, local);
        let sdp = dialog.our_offer();
        dialog.push(Output::SendInvite { sdp });
        dialog.timers.set(Timer::Ringing, now + patience);
        dialog
    }

    fn new(state: State, local: LocalAudio) -> Self {
        let timers = TimerTable::default();
        Self { state, local, version: 0, agreed: None, held: false, timers, outputs: VecDeque::new() }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline and what it is for.
    pub fn next_timeout(&self) -> Option<(Moment, Timer)> {
        self.timers.next()
    }

    /// What was last agreed on, once anything was.
    pub const fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Nothing)
    }

    /// The desk takes the call.
    pub fn answer(&mut self, now: Moment) {
        let State::OurAnswer { invite, offer } = &self.state else { return };
        let (invite, offer) = (*invite, offer.clone());
        self.timers.stop(Timer::Ringing);
        let (sdp, agreed) = match &offer {
            None => (self.our_offer(), None),
            Some(offer) => match self.our_answer(offer) {
                Ok((sdp, agreed)) => (sdp, Some(agreed)),
                Err(NoCommonCodec) => return self.refuse(EndCause::IncompatibleDestination),
            },
        };
        self.push(Output::Respond { exchange: invite, status: 200, sdp: Some(sdp) });
        self.timers.set(Timer::Ack, now + PROTOCOL_PATIENCE);
        self.state = State::Ack { invite, answer_in_ack: agreed.is_none(), hanging_up: None };
        if let Some(agreed) = agreed {
            self.begin_media(agreed);
        }
    }

    /// The desk refuses the call.
    pub fn reject(&mut self, cause: EndCause) {
        if matches!(self.state, State::OurAnswer { .. }) {
            self.refuse(cause);
        }
    }

    /// The desk ends the call, whatever it stands at.
    pub fn hang_up(&mut self, cause: EndCause, now: Moment) {
        match &mut self.state {
            State::OurAnswer { .. } => self.refuse(cause),
            State::TheirAnswer { provisional, giving_up } => {
                let first = giving_up.is_none();
                giving_up.get_or_insert(cause);
                if first && *provisional {
                    self.send_cancel(now);
                }
            }
            State::Ack { hanging_up, .. } => {
                if hanging_up.is_none() {
                    *hanging_up = Some(cause);
                    self.push(Output::StopMedia);
                }
            }
            State::AnyEnd { .. } => self.send_bye(cause, now),
            State::ByeResponse { .. } | State::Nothing => {}
        }
    }

    /// Nothing can be sent or heard any more: the call is over at once, for
    /// `otherwise` when it was not being ended already.
    pub fn abandon(&mut self, otherwise: EndCause) {
        let cause = match self.state {
            State::Nothing => return,
            State::ByeResponse { cause }
            | State::Ack { hanging_up: Some(cause), .. }
            | State::TheirAnswer { giving_up: Some(cause), .. } => cause,
            _ => otherwise,
        };
        self.end(cause);
    }

    /// The far side takes its INVITE back.
    pub fn handle_cancel(&mut self) {
        if let State::OurAnswer { invite, .. } = self.state {
            self.push(Output::Respond { exchange: invite, status: 487, sdp: None });
            self.end(EndCause::NormalClearing);
        }
    }

    /// The ACK for our final response to `exchange`. Only the ACK of the 200
    /// that is waited for confirms anything: a refused INVITE has an ACK too
    /// (RFC 3261 section 17.1.1.3), which may come while another is open.
    pub fn handle_ack(&mut self, exchange: ExchangeId, sdp: Option<&[u8]>, now: Moment) {
        match &mut self.state {
            State::Ack { invite, answer_in_ack, hanging_up } if *invite == exchange => {
                let (answer_in_ack, hanging_up) = (*answer_in_ack, *hanging_up);
                self.timers.stop(Timer::Ack);
                self.state = State::AnyEnd { reinvite: None };
                match (hanging_up, answer_in_ack) {
                    (Some(cause), _) => self.send_bye(cause, now),
                    (None, true) => self.take_first_answer(sdp, now),
                    (None, false) => {}
                }
            }
            State::AnyEnd { reinvite } => {
                let Some(Reinvite { answer_in_ack, .. }) = reinvite.take_if(|open| open.exchange == exchange) else {
                    return;
                };
                self.timers.stop(Timer::Ack);
                if answer_in_ack && let Ok(agreed) = self.agree_on(sdp) {
                    self.change_media(agreed);
                }
            }
            _ => {}
        }
    }

    pub fn handle_bye(&mut self, exchange: ExchangeId) {
        if matches!(self.state, State::Nothing) {
            return self.push(Output::Respond { exchange, status: 481, sdp: None });
        }
        self.push(Output::Respond { exchange, status: 200, sdp: None });
        let cause = match self.state {
            State::OurAnswer { invite, .. } => {
                self.push(Output::Respond { exchange: invite, status: 487, sdp: None });
                EndCause::NormalClearing
            }
            // Both hung up at once: ours came first, as far as we know.
            State::ByeResponse { cause } | State::Ack { hanging_up: Some(cause), .. } => cause,
            _ => EndCause::NormalClearing,
        };
        self.end(cause);
    }

    /// A later INVITE of the far side: hold, resume, a new address.
    pub fn handle_reinvite(&mut self, exchange: ExchangeId, sdp: Option<&[u8]>, now: Moment) {
        let respond = |status, sdp| Output::Respond { exchange, status, sdp };
        match &self.state {
            State::AnyEnd { reinvite: None } => {}
            // An INVITE is still on its way in one direction (RFC 3261 section 14.2).
            State::Ack { .. } | State::AnyEnd { reinvite: Some(_) } => return self.push(respond(491, None)),
            _ => return self.push(respond(481, None)),
        }
        let Some(body) = sdp else {
            let sdp = self.our_offer();
            self.push(respond(200, Some(sdp)));
            return self.await_reinvite_ack(Reinvite { exchange, answer_in_ack: true }, now);
        };
        let answered = AudioOffer::parse(body)
            .map_err(|e| refusal(&e))
            .and_then(|offer| self.our_later_answer(&offer).map_err(|NoCommonCodec| INCOMPATIBLE));
        match answered {
            // The call goes on as it was (RFC 3261 section 14.2).
            Err(refusal) => self.push(respond(refusal.status, None)),
            Ok((sdp, agreed)) => {
                self.push(respond(200, Some(sdp)));
                self.change_media(agreed);
                self.await_reinvite_ack(Reinvite { exchange, answer_in_ack: false }, now);
            }
        }
    }

    /// INFO, by which some equipment sends digits (`application/dtmf-relay` with
    /// `Signal=5`, or `application/dtmf` with the bare digit).
    pub fn handle_info(&mut self, exchange: ExchangeId, body: &[u8]) {
        let status = if matches!(self.state, State::Nothing) { 481 } else { 200 };
        self.push(Output::Respond { exchange, status, sdp: None });
        if let (State::AnyEnd { .. } | State::Ack { .. }, Some(digit)) = (&self.state, digit_of_info(body)) {
            self.push(Output::Tell(Notice::Digit(digit)));
        }
    }

    /// A response to our INVITE.
    pub fn handle_response(&mut self, status: u16, sdp: Option<&[u8]>, now: Moment) {
        let State::TheirAnswer { provisional, giving_up } = &mut self.state else { return };
        let giving_up = *giving_up;
        match (status, giving_up) {
            (100..=199, _) => {
                let first = !*provisional;
                *provisional = true;
                if first && giving_up.is_some() {
                    self.send_cancel(now);
                } else if status == 180 && giving_up.is_none() {
                    self.push(Output::Tell(Notice::Ringing));
                }
            }
            // They answered while our CANCEL was on its way.
            (200..=299, Some(cause)) => {
                self.timers.stop(Timer::Cancel);
                self.send_bye(cause, now);
            }
            (200..=299, None) => {
                self.timers.stop(Timer::Ringing);
                self.state = State::AnyEnd { reinvite: None };
                self.take_first_answer(sdp, now);
            }
            (_, Some(cause)) => self.end(cause),
            (_, None) => self.end(cause_of_status(status)),
        }
    }

    /// The response to our BYE; which one does not matter.
    pub fn handle_bye_response(&mut self) {
        if let State::ByeResponse { cause } = self.state {
            self.end(cause);
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some((_, timer)) = self.next_timeout().filter(|(at, _)| *at <= now) {
            self.timers.stop(timer);
            match (timer, &self.state) {
                (Timer::Ringing, State::OurAnswer { .. }) => self.refuse(EndCause::NoAnswer),
                (Timer::Ringing, State::TheirAnswer { provisional: true, .. }) => {
                    self.hang_up(EndCause::NoAnswer, now);
                }
                // Not a word came back: there is nothing to cancel.
                (Timer::Ringing, State::TheirAnswer { .. }) => self.end(EndCause::RecoveryOnTimerExpiry),
                (Timer::Ack, State::Ack { hanging_up, .. }) => {
                    let cause = hanging_up.unwrap_or(EndCause::RecoveryOnTimerExpiry);
                    self.send_bye(cause, now);
                }
                (Timer::Ack, State::AnyEnd { .. }) => self.send_bye(EndCause::RecoveryOnTimerExpiry, now),
                (Timer::Bye, State::ByeResponse { cause }) => self.end(*cause),
                (Timer::Cancel, State::TheirAnswer { giving_up, .. }) => {
                    self.end(giving_up.unwrap_or(EndCause::RecoveryOnTimerExpiry));
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn refuse(&mut self, cause: EndCause) {
        if let State::OurAnswer { invite, .. } = self.state {
            self.push(Output::Respond { exchange: invite, status: status_of_cause(cause), sdp: None });
            self.end(cause);
        }
    }

    fn send_cancel(&mut self, now: Moment) {
        self.push(Output::SendCancel);
        self.timers.stop(Timer::Ringing);
        self.timers.set(Timer::Cancel, now + PROTOCOL_PATIENCE);
    }

    fn send_bye(&mut self, cause: EndCause, now: Moment) {
        self.push(Output::StopMedia);
        self.push(Output::SendBye);
        self.timers = TimerTable::default();
        self.timers.set(Timer::Bye, now + PROTOCOL_PATIENCE);
        self.state = State::ByeResponse { cause };
    }

    fn end(&mut self, cause: EndCause) {
        self.timers = TimerTable::default();
        self.state = State::Nothing;
        self.push(Output::StopMedia);
        self.push(Output::Tell(Notice::Ended(cause)));
    }

    fn await_reinvite_ack(&mut self, reinvite: Reinvite, now: Moment) {
        self.timers.set(Timer::Ack, now + PROTOCOL_PATIENCE);
        self.state = State::AnyEnd { reinvite: Some(reinvite) };
    }

    fn our_offer(&mut self) -> String {
        self.version += 1;
        self.local.offer(self.version)
    }

    fn our_answer(&mut self, offer: &AudioOffer) -> Result<(String, Agreed), NoCommonCodec> {
        self.version += 1;
        offer.answer(&self.local, self.version)
    }

    /// An answer within the call keeps the codec if it can, and the sample rate
    /// always: the desk was told of one when the call was answered.
    fn our_later_answer(&mut self, offer: &AudioOffer) -> Result<(String, Agreed), NoCommonCodec> {
        let mut local = self.local.clone();
        if let Some(agreed) = self.agreed {
            local.encodings = possible_later(agreed.encoding, offer);
        }
        self.version += 1;
        offer.answer(&local, self.version)
    }

    fn agree_on(&self, sdp: Option<&[u8]>) -> Result<Agreed, EndCause> {
        let offer = AudioOffer::parse(sdp.ok_or(EndCause::ProtocolError)?).map_err(|_| EndCause::ProtocolError)?;
        let encodings = match self.agreed {
            Some(agreed) => possible_later(agreed.encoding, &offer),
            None => self.local.encodings.clone(),
        };
        offer.agree(&encodings).map_err(|NoCommonCodec| EndCause::IncompatibleDestination)
    }

    /// The answer to our first offer, in their 200 or in their ACK.
    fn take_first_answer(&mut self, sdp: Option<&[u8]>, now: Moment) {
        match self.agree_on(sdp) {
            Ok(agreed) => self.begin_media(agreed),
            Err(cause) => self.send_bye(cause, now),
        }
    }

    fn begin_media(&mut self, agreed: Agreed) {
        self.agreed = Some(agreed);
        self.push(Output::Media(agreed));
        self.push(Output::Tell(Notice::Answered));
        self.tell_hold(agreed.direction);
    }

    fn change_media(&mut self, agreed: Agreed) {
        self.agreed = Some(agreed);
        self.push(Output::Media(agreed));
        self.tell_hold(agreed.direction);
    }

    /// We are on hold when the far side does not want to hear us.
    fn tell_hold(&mut self, ours: Direction) {
        let held = matches!(ours, Direction::RecvOnly | Direction::Inactive);
        if held != self.held {
            self.held = held;
            self.push(Output::Tell(if held { Notice::Held } else { Notice::Resumed }));
        }
    }
}

const INCOMPATIBLE: Refusal = Refusal { status: 488, cause: EndCause::IncompatibleDestination };

fn refusal(error: &SdpError) -> Refusal {
    match error {
        SdpError::NoAudio => INCOMPATIBLE,
        SdpError::NotText | SdpError::TooLong | SdpError::Row { .. } => {
            Refusal { status: 400, cause: EndCause::ProtocolError }
        }
    }
}

/// The codecs to which a standing call may change: the one it has when that is
/// offered, else those of the same sample rate.
fn possible_later(now: Encoding, offer: &AudioOffer) -> Vec<Encoding> {
    if offer.encodings.iter().any(|(encoding, _)| *encoding == now) {
        return vec![now];
    }
    let wide = |encoding: Encoding| encoding == Encoding::G722;
    Encoding::ALL.into_iter().filter(|e| wide(*e) == wide(now)).collect()
}

/// The digit in the body of an INFO, if there is one.
fn digit_of_info(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = text
        .lines()
        .find_map(|row| row.split_once('=').filter(|(k, _)| k.trim().eq_ignore_ascii_case("signal")).map(|(_, v)| v))
        .unwrap_or(text)
        .trim();
    let mut characters = signal.chars();
    let digit = characters.next()?.to_ascii_uppercase();
    (characters.next().is_none() && matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(digit)
}

#[cfg(test)]
#[path = "dialog_tests.rs"]
mod tests;
