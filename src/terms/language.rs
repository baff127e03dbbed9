/// A language that callers speak and the box can be set to hear.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Language {
    /// English, Nigerian English with its Pidgin courtesies included.
    #[default]
    English,
}

impl Language {
    /// ISO 639-1 code, as Whisper takes it.
    pub const fn iso_639_1(self) -> &'static str {
        match self {
            Self::English => "en",
        }
    }
}
