//! The box's own sentences. What the business knows stands in its knowledge
//! file; these are only the words around it. They are fixed where possible, so
//! that their sound is rendered once and kept.

pub const HELP: &str = "How can I help you?";
pub const ANYTHING_ELSE: &str = "Is there anything else?";
pub const SAY_AGAIN: &str = "Sorry, I did not catch that. Could you say it again, please?";
pub const TROUBLE_HEARING: &str = "I am having trouble hearing you.";
pub const STILL_THERE: &str = "Are you still there?";
pub const STILL_THERE_AGAIN: &str = "I cannot hear you. If you are there, please say something, or press a key.";
pub const NOBODY_THERE: &str = "I still cannot hear anything, so I will end the call now. Please ring again. Goodbye.";
pub const GOODBYE: &str = "Thank you for calling. Goodbye.";
pub const BOX_STOPPING: &str = "I am sorry, I have to end this call now. Please ring again in a few minutes. Goodbye.";
pub const ONE_MOMENT: &str = "One moment, please.";
pub const GO_ON: &str = "Of course, take your time.";
pub const UNKNOWN: &str =
    "I am sorry, I do not know that. Would you like to leave a message, so that someone can call you back?";
pub const UNKNOWN_AGAIN: &str = "I am afraid I do not know that either. Shall I take a message?";
/// What is said of what is not known where somebody can be rung.
pub const UNKNOWN_OR_PERSON: &str = "I am sorry, I do not know that. \
     Would you like to leave a message, or shall I put you through to somebody?";
pub const UNKNOWN_AGAIN_OR_PERSON: &str =
    "I am afraid I do not know that either. Shall I take a message, or put you through to somebody?";
pub const UNKNOWN_PERSON_ALONE: &str = "I am sorry, I do not know that. Shall I put you through to somebody?";
/// To a "yes" that leaves open to which of the two.
pub const ASK_PERSON: &str = "Shall I put you through to somebody?";
pub const ASK_MESSAGE_INSTEAD: &str = "All right. Shall I take a message instead?";
/// What is said where a message would be offered and none can be kept.
pub const UNKNOWN_NO_OFFER: &str = "I am sorry, I do not know that, and I cannot keep a message just now. \
     Please ring again later, or ask me something else.";
pub const ASK_DIFFERENTLY: &str = "All right. Please ask me again in other words.";
pub const NO_MESSAGE: &str = "All right. What else can I do for you?";
pub const NOTHING_TO_REPEAT: &str = "I have not said anything yet. What would you like to know?";
pub const TOO_LONG: &str = "Sorry to interrupt you. Please tell me in one short sentence, what would you like to know?";
pub const CANNOT_FOLLOW: &str = "I am sorry, I cannot follow you. Please ring again. Goodbye.";
pub const OWN_FAULT: &str = "I am sorry, something went wrong on my side. Shall I take a message instead?";
pub const OWN_FAULT_NO_OFFER: &str = "I am sorry, something went wrong on my side, \
     and I cannot keep a message just now. Please ask me once more, or ring again later.";
pub const BROKE_OFF: &str = "I am sorry, I cannot say more about that just now. Shall I take a message?";
pub const BROKE_OFF_NO_OFFER: &str = "I am sorry, I cannot say more about that just now, nor keep a message. \
     Please ring again later, or ask me something else.";
pub const TEXT_COMES: &str =
    "I am sending it as a text message to the number that you are calling from. Is there anything else?";
pub const TEXT_WHAT: &str = "What would you like me to send you? Our address, for example?";
/// Instead of a text message that was about to be promised.
pub const TEXT_NOT_KEPT: &str =
    "I am sorry, I cannot send a text message just now. Please ask me for it, and I will tell you.";
pub const NO_TEXT: &str = "I cannot send a text message to your number, but I can tell you.";
pub const BUSY: &str = "All our lines are very busy, so I can only use your keypad just now.";

pub const PUTTING_THROUGH: &str = "I will put you through. One moment, please.";
pub const NOBODY_ANSWERS: &str = "I am sorry, nobody answers. Shall I take a message?";

pub const NOBODY_ANSWERS_NO_OFFER: &str = "I am sorry, nobody answers, and I cannot keep a message just now. \
     Please ring again later, or ask me something else.";

pub const ASK_NAME: &str = "I will take a message. May I have your name, please?";
pub const ASK_NUMBER: &str =
    "What number should we call you back on? You can say it, or key it in and press the hash key.";
pub const ASK_NUMBER_KEYS: &str = "Please key in the number, then press the hash key.";
pub const ASK_MESSAGE: &str =
    "Please say your message now. When you are done, just stop speaking, or press the hash key.";
pub const ASK_MESSAGE_AGAIN: &str = "I did not hear anything. Please say your message now.";
pub const MESSAGE_KEPT: &str = "Thank you. I have kept your message. Is there anything else?";
pub const MESSAGE_NOT_HEARD: &str =
    "I could not hear a message, so I have only noted that you called. Is there anything else?";

/// Instead of [`MESSAGE_KEPT`], where the message could not be written down.
pub const MESSAGE_NOT_KEPT: &str =
    "I could not keep your message, I am sorry. Please ring again later. Is there anything else?";
/// To who wants to leave a message where none can be kept.
pub const NO_MESSAGES: &str =
    "I cannot keep a message just now, I am sorry. Please ring again later, or ask me something else.";
pub const NO_MESSAGES_BUT_PERSON: &str =
    "I cannot keep a message just now, I am sorry. Shall I put you through to somebody?";

/// Asked once, before the first question is answered, where something rests on it.
pub const ASK_CONSENT: &str = "May an outside company help me to hear and answer you? \
     Please say yes or no, or press one for yes and two for no.";
pub const CONSENTED: &str = "Thank you.";
pub const NOT_CONSENTED: &str = "All right, I will do without.";
pub const OBJECTED: &str = "I have noted your objection, and I follow it from now on.";
/// Instead of [`OBJECTED`], where it could not be written down.
pub const OBJECTED_NOT_NOTED: &str =
    "I follow your objection in this call, but I could not note it. Please tell us again when you ring next.";
pub const RESTRICTED: &str = "Of course. From now on, nothing of this call leaves our own box.";
pub const RECORDING_STOPPED: &str = "All right, I have stopped the recording.";
pub const NOT_RECORDED: &str = "All right, this call is not recorded.";

pub const KEYS_NOT_WANTED: &str =
    "Please do not key in numbers of cards or accounts here. Nothing of it is recorded or kept.";
/// To who was asked for keys and presses none.
pub const KEYS_AWAITED: &str = "I am waiting for your keys. To go on without them, press the hash key.";
pub const KEYS_WITHHELD: &str =
    "Thank you. What you keyed in was neither recorded nor kept. What else can I do for you?";

/// Every sentence that does not change, for rendering ahead of the first call.
pub const FIXED: &[&str] = &[
    HELP,
    SAY_AGAIN,
    TROUBLE_HEARING,
    STILL_THERE,
    STILL_THERE_AGAIN,
    NOBODY_THERE,
    GOODBYE,
    BOX_STOPPING,
    ONE_MOMENT,
    GO_ON,
    UNKNOWN,
    UNKNOWN_AGAIN,
    UNKNOWN_OR_PERSON,
    UNKNOWN_AGAIN_OR_PERSON,
    UNKNOWN_PERSON_ALONE,
    ASK_PERSON,
    ASK_MESSAGE_INSTEAD,
    UNKNOWN_NO_OFFER,
    ASK_DIFFERENTLY,
    NO_MESSAGE,
    NOTHING_TO_REPEAT,
    TOO_LONG,
    CANNOT_FOLLOW,
    OWN_FAULT,
    OWN_FAULT_NO_OFFER,
    BROKE_OFF,
    BROKE_OFF_NO_OFFER,
    TEXT_COMES,
    TEXT_WHAT,
    TEXT_NOT_KEPT,
    BUSY,
    PUTTING_THROUGH,
    NOBODY_ANSWERS,
    NOBODY_ANSWERS_NO_OFFER,
    ASK_NAME,
    ASK_NUMBER,
    ASK_NUMBER_KEYS,
    ASK_MESSAGE,
    ASK_MESSAGE_AGAIN,
    MESSAGE_KEPT,
    MESSAGE_NOT_HEARD,
    MESSAGE_NOT_KEPT,
    NO_MESSAGES,
    NO_MESSAGES_BUT_PERSON,
    ASK_CONSENT,
    CONSENTED,
    NOT_CONSENTED,
    OBJECTED,
    OBJECTED_NOT_NOTED,
    RESTRICTED,
    RECORDING_STOPPED,
    NOT_RECORDED,
    KEYS_NOT_WANTED,
    KEYS_AWAITED,
    KEYS_WITHHELD,
];

/// What is played before any sound is kept. It names the business, says that a
/// machine speaks and that the call is recorded.
pub fn notice(business: &str, recorded: Recorded) -> String {
    match recorded {
        Recorded::Yes => format!("I am the automatic assistant of {business}, and this call is recorded."),
        Recorded::No => format!("I am the automatic assistant of {business}."),
    }
}

/// Is this call's sound kept?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    Yes,
    No,
}

pub fn read_back(words: &str) -> String {
    format!(
        "I understood: {}. Is that right?",
        words.trim_end_matches([' ', ',', ';', ':', '.', '?', '!']).trim_start()
    )
}

pub fn confirm_caller_number(last_digits: &str) -> String {
    format!("Shall we call you back on the number that you are calling from, ending in {last_digits}?")
}

pub fn confirm_number(spoken: &str) -> String {
    format!("I have {spoken}. Is that right?")
}

pub fn person_unavailable(name: Option<&str>) -> String {
    format!("I cannot put you through to {} just now. Shall I take a message?", name.unwrap_or("a person"))
}

pub fn person_unavailable_no_offer(name: Option<&str>) -> String {
    let name = name.unwrap_or("a person");
    format!("I cannot put you through to {name} just now, nor keep a message. Please ring again later.")
}

pub fn putting_through(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("I will put you through to {name}. One moment, please."),
        None => PUTTING_THROUGH.to_owned(),
    }
}

pub fn person_does_not_answer(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("I am sorry, {name} does not answer. Shall I take a message?"),
        None => NOBODY_ANSWERS.to_owned(),
    }
}

pub fn person_does_not_answer_no_offer(name: Option<&str>) -> String {
    match name {
        Some(name) => format!(
            "I am sorry, {name} does not answer, and I cannot keep a message just now. Please ring again later."
        ),
        None => NOBODY_ANSWERS_NO_OFFER.to_owned(),
    }
}

pub fn thanks_for_name(name: &str) -> String {
    format!("Thank you, {name}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_back_ends_as_a_sentence_however_the_ears_wrote_it() {
        for words in ["when do you open", " when do you open? ", "when do you open,", "when do you open,."] {
            assert_eq!(read_back(words), "I understood: when do you open. Is that right?", "{words}");
        }
    }
}
