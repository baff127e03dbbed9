use crate::terms::Private;

/// What the caller wants, and what there is to say to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The answer stands in the business's knowledge.
    Answer(Spoken),
    /// Near enough to ask: "Do you mean …?" The answer comes on a yes.
    Maybe(Guess),
    /// The business's file has no answer to this.
    Unknown,
    /// The caller wants this as a text message. None if it is not clear what.
    TextMe(Option<Written>),
    /// The caller asks for a person, perhaps one by name or by department.
    Person { name: Option<String> },
    /// The caller wants to leave a message or be called back.
    LeaveMessage,
    /// Say the last answer again; slower if asked.
    Repeat { slower: bool },
    /// A courtesy with its own reply ("thank you", "good morning", "how far").
    Courtesy(Spoken),
    /// A bare yes.
    Yes,
    /// A bare no ("no", "that's all").
    No,
    /// The caller says goodbye.
    Goodbye,
    /// "Hold on", "one moment".
    Wait,
    /// A sound of listening: "mm-hm", "okay".
    Backchannel,
}

/// What a caller may have meant: asked first, and answered on a yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Guess {
    pub question: Spoken,
    pub answer: Spoken,
    /// What is asked on a no, if a second topic is about as near.
    pub or_else: Option<Box<Guess>>,
}

/// An answer for a text message, and the same for the voice.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// With the business's name before it, in figures as the file has them.
    pub text: Private<String>,
    pub aloud: Spoken,
}

/// Sentences for the voice, as people say them: numbers and times in words.
/// Private because an answer may repeat what a caller said.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    pub text: Private<String>,
    /// Which entry of the knowledge file it came from, for the record.
    pub entry: Option<String>,
}
