//! What became of a text that was sent: the status of a report (3GPP TS 23.040
//! section 9.2.3.15), and what the modem says when it cannot send one.

/// What a report says of a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Delivery {
    /// The telephone has it, or the centre replaced it as it was asked to.
    Delivered,
    /// The centre could not deliver it yet and goes on trying.
    Trying(DeliveryTrouble),
    /// It will not be delivered; the same text may be sent again.
    GaveUp(DeliveryTrouble),
    /// It will never be delivered.
    Failed(DeliveryTrouble),
}

/// Why a text was not delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeliveryTrouble {
    Congestion,
    /// The telephone is switched off, out of reach or full.
    Busy,
    NoResponse,
    Rejected,
    QualityNotAvailable,
    ErrorInPhone,
    RemoteProcedure,
    IncompatibleDestination,
    NotObtainable,
    NoInterworking,
    /// Its time to be delivered in ran out.
    Expired,
    DeletedBySender,
    DeletedByCentre,
    NotKnown,
    /// A status that is reserved or the centre's own.
    Other,
}

impl Delivery {
    pub const fn of_status(status: u8) -> Self {
        match status {
            0x00..=0x1F => Self::Delivered,
            0x20..=0x3F => Self::Trying(temporary(status)),
            0x40..=0x5F => Self::Failed(permanent(status)),
            0x60..=0x7F => Self::GaveUp(temporary(status)),
            // Reserved: what does not say that it was delivered was not.
            0x80..=0xFF => Self::Failed(DeliveryTrouble::Other),
        }
    }
}

const fn temporary(status: u8) -> DeliveryTrouble {
    match status & 0x1F {
        0x00 => DeliveryTrouble::Congestion,
        0x01 => DeliveryTrouble::Busy,
        0x02 => DeliveryTrouble::NoResponse,
        0x03 => DeliveryTrouble::Rejected,
        0x04 => DeliveryTrouble::QualityNotAvailable,
        0x05 => DeliveryTrouble::ErrorInPhone,
        _ => DeliveryTrouble::Other,
    }
}

const fn permanent(status: u8) -> DeliveryTrouble {
    match status & 0x1F {
        0x00 => DeliveryTrouble::RemoteProcedure,
        0x01 => DeliveryTrouble::IncompatibleDestination,
        0x02 => DeliveryTrouble::Rejected,
        0x03 => DeliveryTrouble::NotObtainable,
        0x04 => DeliveryTrouble::QualityNotAvailable,
        0x05 => DeliveryTrouble::NoInterworking,
        0x06 => DeliveryTrouble::Expired,
        0x07 => DeliveryTrouble::DeletedBySender,
        0x08 => DeliveryTrouble::DeletedByCentre,
        0x09 => DeliveryTrouble::NotKnown,
        _ => DeliveryTrouble::Other,
    }
}

/// What to do after `+CMS ERROR: <n>` to a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AfterSendError {
    /// Try again later: the network or the modem is busy or away.
    TryAgain,
    /// The same text will fail again: barred, no such number, or nothing left to
    /// pay it with.
    GiveUp,
    /// The SIM or its settings need somebody: no SIM, a PIN, no service centre.
    AskOwner,
    /// Once the modem had the text nobody knows: the centre did not say in time whether it
    /// has it.
    Unknown,
}

/// The network did not answer in time.
const NETWORK_TIMEOUT: u16 = 332;

impl AfterSendError {
    /// Codes of 3GPP TS 27.005 section 3.2.5 and TS 24.011 annex E.
    pub const fn of_code(code: u16) -> Self {
        match code {
            // Unassigned number, barred, rejected, unidentified, facility rejected,
            // invalid or not subscribed, and the messages that the centre cannot read.
            1 | 8 | 10 | 21 | 28 | 29 | 30 | 50 | 69 | 81 | 95 | 96 | 97 | 98 | 99 => Self::GiveUp,
            127..=175 | 196..=199 | 208 | 302..=305 => Self::GiveUp,
            310..=313 | 316..=318 | 330 => Self::AskOwner,
            NETWORK_TIMEOUT => Self::Unknown,
            // 27 out of order, 38 network out of order, 41 temporary, 42 congestion, 47
            // resources, 111 protocol, 500 unknown, and what makers add.
            _ => Self::TryAgain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_of_statuses_means_one_thing() {
        assert_eq!(Delivery::of_status(0x00), Delivery::Delivered);
        assert_eq!(Delivery::of_status(0x1F), Delivery::Delivered);
        assert_eq!(Delivery::of_status(0x21), Delivery::Trying(DeliveryTrouble::Busy));
        assert_eq!(Delivery::of_status(0x30), Delivery::Trying(DeliveryTrouble::Other));
        assert_eq!(Delivery::of_status(0x46), Delivery::Failed(DeliveryTrouble::Expired));
        assert_eq!(Delivery::of_status(0x62), Delivery::GaveUp(DeliveryTrouble::NoResponse));
        assert_eq!(Delivery::of_status(0xFF), Delivery::Failed(DeliveryTrouble::Other));
        for status in 0..=255 {
            let goes_on = matches!(Delivery::of_status(status), Delivery::Trying(_));
            assert_eq!(goes_on, (0x20..0x40).contains(&status), "{status:#04x}");
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_stays_is_not() {
        for code in [38, 41, 42, 47, 111, 331, 500, 512, 65_535] {
            assert_eq!(AfterSendError::of_code(code), AfterSendError::TryAgain, "{code}");
        }
        for code in [1, 21, 28, 50, 304] {
            assert_eq!(AfterSendError::of_code(code), AfterSendError::GiveUp, "{code}");
        }
        for code in [310, 311, 316, 330] {
            assert_eq!(AfterSendError::of_code(code), AfterSendError::AskOwner, "{code}");
        }
        assert_eq!(AfterSendError::of_code(332), AfterSendError::Unknown);
    }
}
