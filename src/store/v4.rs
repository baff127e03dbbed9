//! Version 4 of what stands on the disk: versions 1 to 3, with who listened to a call.
//! Frozen, as they are.

use super::v3;
use crate::call::Wish;
use crate::store::journal::Kind;

pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Offered => "offered",
        Kind::Answered => "answered",
        Kind::NoticePlayed => "notice-played",
        Kind::RecordingStarted => "recording-started",
        Kind::Heard => "heard",
        Kind::Said => "said",
        Kind::MessageTaken => "message-taken",
        Kind::TextPromised => "text-promised",
        Kind::Transferred => "transferred",
        Kind::Listened => "listened",
        Kind::Ended => "ended",
        // The same words as in the table of wishes: none is a kind of its own.
        Kind::Wished(wish) => v3::wish_name(wish),
    }
}

pub(super) fn kind(name: &str) -> Option<Kind> {
    let plain = [
        Kind::Offered,
        Kind::Answered,
        Kind::NoticePlayed,
        Kind::RecordingStarted,
        Kind::Heard,
        Kind::Said,
        Kind::MessageTaken,
        Kind::TextPromised,
        Kind::Transferred,
        Kind::Listened,
        Kind::Ended,
    ];
    let wished = Wish::ALL.map(Kind::Wished);
    plain.into_iter().chain(wished).find(|kind| kind_name(*kind) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_on_the_disk_reads_back_as_what_it_stands_for() {
        for wish in Wish::ALL {
            assert_eq!(kind(kind_name(Kind::Wished(wish))), Some(Kind::Wished(wish)));
        }
        for value in [Kind::Answered, Kind::MessageTaken, Kind::TextPromised, Kind::Listened, Kind::Ended] {
            assert_eq!(kind(kind_name(value)), Some(value));
        }
        assert_eq!(kind("whatever"), None);
    }
}
