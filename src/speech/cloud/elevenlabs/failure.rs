use std::time::Duration;

use super::wire::{Complaint, ReadMessage};
use crate::egress::SendError;
use crate::speech::{Awaited, VoiceError, delivery};

/// RFC 6455 section 7.4.1: what was sent breaks the receiver's policy. The
/// provider closes so after every complaint, and when a socket was idle.
const POLICY_VIOLATION: u16 = 1008;

/// What a status of the provider means for whoever wanted a voice.
pub(super) fn of_status(status: u16, retry_after: Option<Duration>) -> VoiceError {
    match status {
        401 | 403 => VoiceError::NotServed("it does not accept the key"),
        402 => VoiceError::NotServed("the account is not paid for"),
        404 => VoiceError::NotServed("it does not know the voice"),
        400 | 409 | 413 | 422 => VoiceError::NotServed("it does not accept the request"),
        408 | 425 | 429 | 500..=599 => VoiceError::Busy { retry_after },
        _ => VoiceError::Lost("it answers with a status that is not documented"),
    }
}

pub(super) fn of_complaint(complaint: Complaint) -> VoiceError {
    match complaint {
        Complaint::Key => VoiceError::NotServed("it does not accept the key"),
        Complaint::Credit => VoiceError::NotServed("the account is not paid for"),
        Complaint::TooMuch => VoiceError::Busy { retry_after: None },
        Complaint::Request => VoiceError::NotServed("it does not accept the request"),
        Complaint::Idle => VoiceError::Lost("it closed a socket that was idle"),
        Complaint::Unknown => VoiceError::Lost("it complains of something unknown"),
    }
}

/// A socket that the provider closed without a complaint.
pub(super) const fn of_close(code: Option<u16>) -> VoiceError {
    match code {
        Some(POLICY_VIOLATION) => VoiceError::Busy { retry_after: None },
        _ => VoiceError::Lost("it closed the socket"),
    }
}

pub(super) const fn of_unreadable(error: ReadMessage) -> VoiceError {
    match error {
        ReadMessage::Json => VoiceError::Lost("a message is no JSON"),
        ReadMessage::Base64 => VoiceError::Lost("its sound is no base64"),
        ReadMessage::TooLarge => VoiceError::Lost("a message is too large"),
    }
}

/// What the door said. `waiting_for` is what was being waited for.
pub(super) fn of_send(error: &SendError, waiting_for: Awaited) -> VoiceError {
    match error {
        SendError::Handshake { status, retry_after, .. } => of_status(*status, *retry_after),
        error => delivery::of_send(error, waiting_for),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Again;

    #[test]
    fn a_status_says_whether_asking_again_is_of_use() {
        let again = |status| of_status(status, Some(Duration::from_secs(7))).again();
        for status in [400, 401, 402, 403, 404, 422] {
            assert_eq!(again(status), Again::OnceRepaired, "{status}");
        }
        for status in [429, 500, 503] {
            assert_eq!(again(status), Again::After(Duration::from_secs(7)), "{status}");
        }
        for status in [200, 302, 426] {
            assert_eq!(again(status), Again::Soon, "{status}");
        }
    }

    #[test]
    fn a_close_by_policy_is_no_fault_of_the_network() {
        assert_eq!(of_close(Some(POLICY_VIOLATION)), VoiceError::Busy { retry_after: None });
        assert!(matches!(of_close(Some(1011)), VoiceError::Lost(_)));
        assert!(matches!(of_close(None), VoiceError::Lost(_)));
    }
}
