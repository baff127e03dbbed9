use super::super::input::NamedMemory;

/// Whom the answer to a command is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Job {
    SetUp,
    /// The modem's list of calls.
    List,
    Answer,
    SoundOn,
    SoundOff,
    HangUp,
    /// Why the last call ended.
    Cause,
    RefuseWaiting,
    Digit,
    Watch,
    /// Whether it carries the sound of calls after all.
    Voice,
    TextSend,
    TextRead(u16),
    TextList,
    TextDelete(u16),
    /// Which memory the modem reads from.
    ReportMemory,
    ReportRead(u16),
    ReportList,
    ReportDelete,
    /// Texts in a memory that the modem is not set to.
    OtherList(NamedMemory),
    OtherDelete(NamedMemory, u16),
    Code,
    Hand(u64),
    /// Nobody waits for it.
    Quiet,
}
