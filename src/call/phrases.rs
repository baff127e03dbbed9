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
pub const ASK_DIFFERENTLY: &str = "All right. Please ask me again in other words.";
pub const NO_MESSAGE: &str = "All right. What else can I do for you?";
pub const NOTHING_TO_REPEAT: &str = "I have not said anything yet. What would you like to know?";
pub const TOO_LONG: &str = "Sorry to interrupt you. Please tell me in one short sentence, what would you like to know?";
pub const CANNOT_FOLLOW: &str = "I am sorry, I cannot follow you. Please ring again. Goodbye.";
pub const OWN_FAULT: &str = "I am sorry, something went wrong on my side. Shall I take a message instead?";
pub const BROKE_OFF: &str = "I am sorry, I cannot say more about that just now. Shall I take a message?";
pub const TEXT_COMES: &str =
    "I am sending it as a text message to the number that you are calling from. Is there anything else?";
pub const TEXT_WHAT: &str = "What would you like me to send you? Our address, for example?";
pub const NO_TEXT: &str = "I cannot send a text message to your number, but I can tell you.";
pub const BUSY: &str = "All our lines are very busy, so I can only use your keypad just now.";

pub const PUTTING_THROUGH: &str = "I will put you through. One moment, please.";
pub const NOBODY_ANSWERS: &str = "I am sorry, nobody answers. Shall I take a message?";

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

/// Asked once, before the first question is answered, where something rests on it.
pub const ASK_CONSENT: &str = "May an outside company help me to hear and answer you? \
     Please say yes or no, or press one for yes and two for no.";
pub const CONSENTED: &str = "Thank you.";
pub const NOT_CONSENTED: &str = "All right, I will do without.";
pub const OBJECTED: &str = "I have noted your objection, and I follow it from now on.";
pub const RESTRICTED: &str = "Of course. From now on, nothing of this call leaves our own box.";
pub const RECORDING_STOPPED: &str = "All right, I have stopped the recording.";
pub const NOT_RECORDED: &str = "All right, this call is not recorded.";

pub const KEYS_NOT_WANTED: &str =
    "Please do not key in numbers of cards or accounts here. Nothing of it is recorded or kept.";
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
    ASK_DIFFERENTLY,
    NO_MESSAGE,
    NOTHING_TO_REPEAT,
    TOO_LONG,
    CANNOT_FOLLOW,
    OWN_FAULT,
    BROKE_OFF,
    TEXT_COMES,
    TEXT_WHAT,
    BUSY,
    PUTTING_THROUGH,
    NOBODY_ANSWERS,
    ASK_NAME,
    ASK_NUMBER,
    ASK_NUMBER_KEYS,
    ASK_MESSAGE,
    ASK_MESSAGE_AGAIN,
    MESSAGE_KEPT,
    MESSAGE_NOT_HEARD,
    ASK_CONSENT,
    CONSENTED,
    NOT_CONSENTED,
    OBJECTED,
    RESTRICTED,
    RECORDING_STOPPED,
    NOT_RECORDED,
    KEYS_NOT_WANTED,
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
    format!("I understood: {}. Is that right?", words.trim().trim_end_matches(['.', '?', '!']))
}

pub fn confirm_caller_number(last_digits: &str) -> String {
    format!("Shall we call you back on the number that you are calling from, ending in {last_digits}?")
}

pub fn confirm_number(spoken: &str) -> String {
    format!("I have {spoken}. Is that right?")
}

pub fn person_unavailable(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("I cannot put you through to {name} just now. Shall I take a message?"),
        None => "I cannot put you through to a person just now. Shall I take a message?".to_owned(),
    }
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

pub fn thanks_for_name(name: &str) -> String {
    format!("Thank you, {name}.")
}
