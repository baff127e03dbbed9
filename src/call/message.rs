//! Taking a message: name, number, message. A machine of its own inside the
//! call; it says which sentence comes next and what it waits for.

use crate::conversation::Expectation;
use crate::knowledge::{Finding, readback};
use crate::privacy::{Kind, Redactor};
use crate::terms::{PhoneNumber, Private};

use super::record::Message;
use super::trust::Trust;
use super::{phrases, record};

/// A caller keys at most this many digits of a number (E.164 with "00" before).
const NUMBER_DIGITS_MAX: usize = 17;

/// A number is asked for at most this often; then the message is taken anyway,
/// because its sound is kept and a person can listen.
const NUMBER_TRIES_MAX: u32 = 3;

/// Where sound lies in the recording, in milliseconds after the answer.
type Sound = (u64, u64);

/// What is being waited for.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name {
        retried: bool,
    },
    /// "Shall we ring you on the number that you are calling from?"
    ConfirmLineNumber,
    Number,
    /// A number was understood and is read back.
    ConfirmNumber {
        number: PhoneNumber,
    },
    Body {
        retried: bool,
    },
}

/// What comes after an input.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Say this and wait on.
    Say(String),
    /// Nothing to say yet; more digits are coming.
    Wait,
    /// The message is complete.
    Taken { message: Message, closing: &'static str },
}

#[derive(Clone, Debug)]
pub(super) struct MessageTaking {
    step: Step,
    message: Message,
    line_number: Option<PhoneNumber>,
    country_code: String,
    keyed: String,
    number_tries: u32,
    way: Way,
}

/// How the caller gives the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Spoken,
    /// Nobody listens: the number comes by keys, and the spoken message is kept
    /// as sound until the hash key or a long silence.
    Keyed,
}

impl MessageTaking {
    pub(super) fn new(line_number: Option<PhoneNumber>, country_code: String, way: Way) -> (Self, String) {
        let mut taking = Self {
            step: Step::Name { retried: false },
            message: Message::default(),
            line_number,
            country_code,
            keyed: String::new(),
            number_tries: 0,
            way,
        };
        let first = match (way, taking.line_number.clone()) {
            (Way::Spoken, _) => phrases::ASK_NAME.to_owned(),
            (Way::Keyed, None) => taking.set_step(Step::Number, phrases::ASK_NUMBER_KEYS),
            (Way::Keyed, number) => {
                taking.message.callback = number;
                taking.set_step(Step::Body { retried: false }, phrases::ASK_MESSAGE)
            }
        };
        (taking, first)
    }

    fn set_step(&mut self, step: Step, sentence: &str) -> String {
        self.step = step;
        sentence.to_owned()
    }

    /// Is the message itself being waited for?
    pub(super) fn takes_speech(&self) -> bool {
        matches!(self.step, Step::Body { .. })
    }

    /// Is a message perhaps being spoken while nobody listens?
    pub(super) fn speaks_unheard(&self) -> bool {
        self.way == Way::Keyed && self.takes_speech()
    }

    pub(super) fn expectation(&self) -> Expectation {
        match self.step {
            Step::Name { .. } => Expectation::Name,
            Step::ConfirmLineNumber | Step::ConfirmNumber { .. } => Expectation::YesNo,
            Step::Number => Expectation::Digits,
            Step::Body { .. } => Expectation::Message,
        }
    }

    /// What there is of the message so far, for a caller who hangs up midway:
    /// `words` and `sound` are of a turn that was not over.
    pub(super) fn so_far(&self, words: &str, sound: Option<Sound>) -> Option<Message> {
        let mut message = self.message.clone();
        if self.takes_speech() {
            message.text = Private::new(words.trim().to_owned());
            message.sound = sound;
        }
        message.is_useful().then_some(message)
    }

    /// The question that is open, to be put again; none for the message itself.
    pub(super) fn question(&self) -> Option<String> {
        Some(match &self.step {
            Step::Name { .. } => phrases::ASK_NAME.to_owned(),
            Step::ConfirmLineNumber => {
                let number = self.line_number.as_ref().map_or("", |number| number.expose());
                phrases::confirm_caller_number(&last_digits_spoken(number))
            }
            Step::Number => phrases::ASK_NUMBER_KEYS.to_owned(),
            Step::ConfirmNumber { number } => phrases::confirm_number(&readback::number_back(number.expose())),
            Step::Body { .. } => return None,
        })
    }

    /// The digits that would have been keyed with one more, where a number is
    /// asked for.
    pub(super) fn keyed_with(&self, digit: char) -> Option<String> {
        let asked = matches!(self.step, Step::Number | Step::ConfirmLineNumber | Step::ConfirmNumber { .. });
        asked.then(|| if digit.is_ascii_digit() { format!("{}{digit}", self.keyed) } else { self.keyed.clone() })
    }

    /// What was keyed is no telephone number, and nothing of it is kept. Gives
    /// the question that is put again.
    pub(super) fn forget_keys(&mut self) -> Option<String> {
        self.keyed.clear();
        self.keyed_with('#').is_some().then(|| {
            self.step = Step::Number;
            phrases::ASK_NUMBER_KEYS.to_owned()
        })
    }

    /// Words of the caller; `sound` is where they lie in the recording.
    pub(super) fn heard(&mut self, words: &str, trust: Trust, intent: &Finding, sound: Option<Sound>) -> Next {
        match self.step.clone() {
            Step::Name { retried } => self.name_heard(words, trust, retried),
            Step::ConfirmLineNumber => match intent {
                Finding::Yes => {
                    self.message.callback = self.line_number.clone();
                    self.ask_body("")
                }
                Finding::No => self.ask_number(phrases::ASK_NUMBER),
                _ => match self.number_in(words) {
                    Some(number) => self.confirm(number),
                    None => self.again_or_body(),
                },
            },
            Step::Number => match self.number_in(words) {
                Some(number) => self.confirm(number),
                None => self.again_or_body(),
            },
            Step::ConfirmNumber { number } => match intent {
                Finding::Yes => {
                    self.message.callback = Some(number);
                    self.ask_body("")
                }
                _ => self.again_or_body(),
            },
            Step::Body { retried } => self.body_heard(words, trust, retried, sound),
        }
    }

    /// A key that the caller pressed.
    pub(super) fn keyed(&mut self, digit: char, sound: Option<Sound>) -> Next {
        match (&self.step, digit) {
            (Step::Number | Step::ConfirmLineNumber | Step::ConfirmNumber { .. }, '0'..='9') => {
                self.step = Step::Number;
                if self.keyed.len() < NUMBER_DIGITS_MAX {
                    self.keyed.push(digit);
                }
                Next::Wait
            }
            (Step::Number, '#') => {
                let keyed = std::mem::take(&mut self.keyed);
                match PhoneNumber::parse(&keyed, &self.country_code) {
                    Ok(number) => self.confirm(number),
                    Err(_) => self.again_or_body(),
                }
            }
            (Step::Name { .. }, '#') => self.ask_callback(""),
            (Step::ConfirmNumber { number }, '#') => {
                self.message.callback = Some(number.clone());
                self.ask_body("")
            }
            (Step::Body { .. }, '#') => self.nothing_heard(sound),
            _ => Next::Wait,
        }
    }

    /// No key followed the last one: a number is complete without its hash key.
    pub(super) fn keys_over(&mut self) -> Option<Next> {
        let complete = self.step == Step::Number && !self.keyed.is_empty();
        complete.then(|| self.keyed('#', None))
    }

    fn name_heard(&mut self, words: &str, trust: Trust, retried: bool) -> Next {
        let name = match trust {
            Trust::Unheard => None,
            Trust::Doubtful | Trust::Good => readback::name_said(words),
        };
        match name {
            Some(name) => {
                let thanks = phrases::thanks_for_name(&name);
                self.message.name = Some(Private::new(name));
                self.ask_callback(&thanks)
            }
            None if retried => self.ask_callback(""),
            None => {
                self.step = Step::Name { retried: true };
                Next::Say(phrases::SAY_AGAIN.to_owned())
            }
        }
    }

    fn ask_callback(&mut self, before: &str) -> Next {
        let question = match &self.line_number {
            Some(number) => {
                self.step = Step::ConfirmLineNumber;
                phrases::confirm_caller_number(&last_digits_spoken(number.expose()))
            }
            None => {
                self.step = Step::Number;
                phrases::ASK_NUMBER.to_owned()
            }
        };
        Next::Say(join(before, &question))
    }

    fn number_in(&self, words: &str) -> Option<PhoneNumber> {
        let digits = readback::digits_said(words)?;
        // A call-back number has at least seven digits anywhere that the box is sold.
        (digits.len() >= 7).then(|| PhoneNumber::parse(&digits, &self.country_code).ok())?
    }

    /// The telephone number in a message whose caller gave none to be called back
    /// on: the text is kept without it, and somebody wants to use it.
    fn only_phone_in(&self, words: &str) -> Option<PhoneNumber> {
        let found = Redactor::new().find(words);
        let mut phones = found.iter().filter(|one| one.kind == Kind::Phone);
        let (phone, None) = (phones.next()?, phones.next()) else { return None };
        self.number_in(words.get(phone.span.clone())?)
    }

    fn confirm(&mut self, number: PhoneNumber) -> Next {
        let spoken = readback::number_back(number.expose());
        self.step = Step::ConfirmNumber { number };
        Next::Say(phrases::confirm_number(&spoken))
    }

    fn ask_number(&mut self, sentence: &str) -> Next {
        self.step = Step::Number;
        self.keyed.clear();
        Next::Say(sentence.to_owned())
    }

    fn again_or_body(&mut self) -> Next {
        self.number_tries += 1;
        if self.number_tries >= NUMBER_TRIES_MAX {
            self.message.callback = self.line_number.clone();
            return self.ask_body("");
        }
        self.ask_number(phrases::ASK_NUMBER_KEYS)
    }

    fn ask_body(&mut self, before: &str) -> Next {
        self.step = Step::Body { retried: false };
        Next::Say(join(before, phrases::ASK_MESSAGE))
    }

    fn body_heard(&mut self, words: &str, trust: Trust, retried: bool, sound: Option<Sound>) -> Next {
        // What was not understood is worth something only where its sound is kept.
        let silent = words.trim().is_empty() && (trust != Trust::Unheard || sound.is_none());
        if silent && !retried {
            self.step = Step::Body { retried: true };
            return Next::Say(phrases::ASK_MESSAGE_AGAIN.to_owned());
        }
        if self.message.callback.is_none() && trust == Trust::Good {
            self.message.callback = self.only_phone_in(words);
        }
        self.message.text = Private::new(match trust {
            Trust::Unheard => String::new(),
            Trust::Doubtful | Trust::Good => words.trim().to_owned(),
        });
        self.message.sound = sound;
        let closing = if silent { phrases::MESSAGE_NOT_HEARD } else { phrases::MESSAGE_KEPT };
        Next::Taken { message: self.message.clone(), closing }
    }

    /// The caller speaks on and on: that is the message.
    pub(super) fn too_long(&mut self, sound: Option<Sound>) -> Next {
        self.message.sound = sound;
        Next::Taken { message: self.message.clone(), closing: phrases::MESSAGE_KEPT }
    }

    /// The caller said nothing when a message was due; where nobody listens,
    /// `sound` is the message all the same.
    pub(super) fn nothing_heard(&mut self, sound: Option<Sound>) -> Next {
        match self.step {
            Step::Body { .. } if self.way == Way::Keyed && sound.is_some() => self.too_long(sound),
            Step::Body { .. } => Next::Taken { message: self.message.clone(), closing: phrases::MESSAGE_NOT_HEARD },
            Step::Name { .. } => self.ask_callback(""),
            Step::ConfirmLineNumber | Step::Number | Step::ConfirmNumber { .. } => self.again_or_body(),
        }
    }
}

/// Enough of a number for its owner to know it, and for nobody else.
fn last_digits_spoken(number: &str) -> String {
    let start = number.len().saturating_sub(4);
    readback::number_back(number.get(start..).unwrap_or(number))
}

fn join(before: &str, after: &str) -> String {
    if before.is_empty() { after.to_owned() } else { format!("{before} {after}") }
}

impl record::Message {
    /// This message and a later one of the same call.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let (before, after) = (self.text.into_exposed(), later.text.into_exposed());
        let text = if after.contains(&before) {
            after
        } else if before.contains(&after) {
            before
        } else {
            format!("{before} {after}")
        };
        let sound = match (self.sound, later.sound) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        let (name, callback) = (later.name.or(self.name), later.callback.or(self.callback));
        Self { name, callback, text: Private::new(text), sound }
    }

    /// Is there anything in it that a person could act on?
    pub fn is_useful(&self) -> bool {
        self.callback.is_some() || self.sound.is_some() || self.name.is_some()
    }
}
