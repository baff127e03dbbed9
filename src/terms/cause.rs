/// Why a call ended. Every variant has a cause number of ITU-T Q.850.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndCause {
    /// One side hung up (Q.850 16).
    NormalClearing,
    /// The called side was busy (17).
    UserBusy,
    /// Nobody answered in time (19).
    NoAnswer,
    /// The call was refused (21).
    CallRejected,
    /// The number has no subscriber (1).
    UnallocatedNumber,
    /// The number cannot be dialled (28).
    InvalidNumberFormat,
    /// The network failed (38).
    NetworkOutOfOrder,
    /// A passing fault, also silence on the media path (41).
    TemporaryFailure,
    /// No capacity here: every place is taken (42).
    SwitchingCongestion,
    /// No common codec or media (88, incompatible destination).
    IncompatibleDestination,
    /// The peer broke the protocol (111).
    ProtocolError,
    /// A timer of the protocol ran out (102).
    RecoveryOnTimerExpiry,
    /// Our own fault (127, interworking, unspecified).
    Internal,
}

impl EndCause {
    /// The cause number of ITU-T Q.850 table 1.
    pub const fn q850(self) -> u8 {
        match self {
            Self::UnallocatedNumber => 1,
            Self::NormalClearing => 16,
            Self::UserBusy => 17,
            Self::NoAnswer => 19,
            Self::CallRejected => 21,
            Self::InvalidNumberFormat => 28,
            Self::NetworkOutOfOrder => 38,
            Self::TemporaryFailure => 41,
            Self::SwitchingCongestion => 42,
            Self::IncompatibleDestination => 88,
            Self::RecoveryOnTimerExpiry => 102,
            Self::ProtocolError => 111,
            Self::Internal => 127,
        }
    }

    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnallocatedNumber => "unallocated-number",
            Self::NormalClearing => "normal-clearing",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::CallRejected => "call-rejected",
            Self::InvalidNumberFormat => "invalid-number-format",
            Self::NetworkOutOfOrder => "network-out-of-order",
            Self::TemporaryFailure => "temporary-failure",
            Self::SwitchingCongestion => "switching-congestion",
            Self::IncompatibleDestination => "incompatible-destination",
            Self::RecoveryOnTimerExpiry => "recovery-on-timer-expiry",
            Self::ProtocolError => "protocol-error",
            Self::Internal => "internal",
        }
    }
}
