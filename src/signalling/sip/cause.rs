use crate::terms::EndCause;

/// Why a call ended that the far side refused with `status` (RFC 3398 section
/// 8.2.6.1, the table from SIP status to Q.850 cause).
pub const fn cause_of_status(status: u16) -> EndCause {
    match status {
        200..=299 | 487 => EndCause::NormalClearing,
        486 | 600 => EndCause::UserBusy,
        404 | 410 | 604 => EndCause::UnallocatedNumber,
        484 => EndCause::InvalidNumberFormat,
        480 => EndCause::NoAnswer,
        408 | 504 => EndCause::RecoveryOnTimerExpiry,
        // A redirection is a refusal to a box that follows none.
        300..=399 | 401..=403 | 407 | 603 => EndCause::CallRejected,
        415 | 488 | 606 => EndCause::IncompatibleDestination,
        502 => EndCause::NetworkOutOfOrder,
        503 => EndCause::SwitchingCongestion,
        500 => EndCause::TemporaryFailure,
        400 | 405 | 406 | 414 | 416 | 420 | 421 | 481..=483 | 493 | 501 | 505 | 513 => EndCause::ProtocolError,
        _ => EndCause::Internal,
    }
}

/// The status with which an unanswered call is refused for `cause` (RFC 3398
/// section 7.2.4.1, the table from Q.850 cause to SIP status).
pub const fn status_of_cause(cause: EndCause) -> u16 {
    match cause {
        EndCause::UserBusy => 486,
        EndCause::NoAnswer | EndCause::NormalClearing => 480,
        EndCause::CallRejected => 403,
        EndCause::UnallocatedNumber => 404,
        EndCause::InvalidNumberFormat => 484,
        EndCause::NetworkOutOfOrder | EndCause::TemporaryFailure | EndCause::SwitchingCongestion => 503,
        EndCause::IncompatibleDestination => 488,
        EndCause::ProtocolError => 400,
        EndCause::RecoveryOnTimerExpiry => 504,
        EndCause::Internal => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_we_refuse_with_is_the_cause_that_the_far_side_of_us_would_record() {
        for cause in [
            EndCause::UserBusy,
            EndCause::NoAnswer,
            EndCause::CallRejected,
            EndCause::UnallocatedNumber,
            EndCause::InvalidNumberFormat,
            EndCause::SwitchingCongestion,
            EndCause::IncompatibleDestination,
            EndCause::ProtocolError,
            EndCause::RecoveryOnTimerExpiry,
        ] {
            assert_eq!(cause_of_status(status_of_cause(cause)), cause, "{cause:?}");
        }
    }

    #[test]
    fn every_cause_refuses_with_a_final_status() {
        assert!((400..700).contains(&status_of_cause(EndCause::NormalClearing)));
        assert!((400..700).contains(&status_of_cause(EndCause::Internal)));
    }
}
