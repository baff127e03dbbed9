//! The jitter buffer under networks that lose, delay, reorder and repeat. No real one is
//! used: the times of arrival are made up.

use proptest::prelude::*;

use super::*;

const OCTETS: usize = 160;

/// A packet whose payload says which one it is.
fn send(buffer: &mut JitterBuffer, number: u32, arrival_ms: u64) -> Inserted {
    send_as(buffer, number, arrival_ms, 1, 0)
}

fn send_as(buffer: &mut JitterBuffer, number: u32, arrival_ms: u64, ssrc: u32, shift: u32) -> Inserted {
    let mut payload = [0; OCTETS];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    let packet = RtpPacket {
        marker: false,
        payload_type: 8,
        sequence: (number + 65_500) as u16,
        timestamp: (u32::MAX - 2_000).wrapping_add(number * 160).wrapping_add(shift),
        ssrc,
        payload: &payload,
    };
    buffer.insert(&packet, Moment::from_micros(arrival_ms * 1000))
}

fn number(pulled: Pulled<'_>) -> Option<u32> {
    match pulled {
        Pulled::Packet(payload) => Some(u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]])),
        _ => None,
    }
}

#[test]
fn a_steady_stream_plays_whole_and_in_order_past_both_wraparounds() {
    let mut buffer = JitterBuffer::new();
    for n in 0..1_000 {
        send(&mut buffer, n, u64::from(n) * 20);
        assert_eq!(number(buffer.pull()), Some(n));
    }
    let stats = buffer.stats();
    assert_eq!((stats.received, stats.lost, stats.late, stats.resyncs), (1_000, 0, 0, 0));
    assert!(stats.jitter_ms < 0.1 && stats.target_ms == 20, "{stats:?}");
    let reception = buffer.reception().unwrap();
    assert_eq!((reception.expected, reception.received), (1_000, 1_000));
    assert_eq!(reception.highest_sequence, 65_500 + 999);
}

#[test]
fn before_the_first_packet_there_is_silence() {
    assert_eq!(JitterBuffer::new().pull(), Pulled::Silent);
}

#[test]
fn a_lost_packet_is_missing_once_and_counted() {
    let mut buffer = JitterBuffer::new();
    let mut played = Vec::new();
    for n in 0..50 {
        if n != 20 {
            send(&mut buffer, n, u64::from(n) * 20);
        }
        let pulled = buffer.pull();
        assert_eq!(pulled == Pulled::Missing, n == 20);
        played.extend(number(pulled));
    }
    assert_eq!(played.len(), 49);
    assert_eq!(buffer.stats().lost, 1);
}

#[test]
fn packets_out_of_order_are_put_in_order() {
    let mut buffer = JitterBuffer::new();
    for n in [1, 0, 3, 2, 5, 4] {
        send(&mut buffer, n, 100);
    }
    for n in 0..6 {
        assert_eq!(number(buffer.pull()), Some(n));
    }
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn a_packet_that_comes_twice_plays_once() {
    let mut buffer = JitterBuffer::new();
    assert_eq!(send(&mut buffer, 0, 0), Inserted::Kept);
    assert_eq!(send(&mut buffer, 0, 1), Inserted::Duplicate);
    assert_eq!(number(buffer.pull()), Some(0));
    assert_eq!(send(&mut buffer, 0, 2), Inserted::Late);
    assert_eq!(number(buffer.pull()), None);
}

#[test]
fn the_depth_grows_with_the_jitter_and_words_come_whole_again() {
    let mut buffer = JitterBuffer::new();
    let mut waiting: Vec<(u64, u32)> = Vec::new();
    let mut missing_late = 0;
    for n in 0..1_500u32 {
        // A delay between 0 and 59 ms without memory, by a small linear generator.
        let delay = u64::from(n.wrapping_mul(1_103_515_245).wrapping_add(12_345) >> 16) % 60;
        waiting.push((u64::from(n) * 20 + delay, n));
        let now = u64::from(n) * 20;
        waiting.sort_unstable();
        while waiting.first().is_some_and(|&(at, _)| at <= now) {
            let (at, n) = waiting.remove(0);
            send(&mut buffer, n, at);
        }
        if buffer.pull() == Pulled::Missing && n > 500 {
            missing_late += 1;
        }
    }
    let stats = buffer.stats();
    assert!(stats.target_ms > 40, "{stats:?}");
    assert!(missing_late < 10, "{missing_late} of 1000 missing; {stats:?}");
}

#[test]
fn a_stall_of_the_network_delays_words_and_silence_wins_the_time_back() {
    let mut buffer = JitterBuffer::new();
    let mut played = Vec::new();
    for n in 0..300u32 {
        // Packets 50 to 57 come together 160 ms late.
        if !(50..57).contains(&n) {
            for late in if n == 57 { 50..58 } else { n..n + 1 } {
                send(&mut buffer, late, u64::from(n) * 20);
            }
        }
        buffer.note_activity(if n < 250 { Activity::Speech } else { Activity::Silence });
        played.extend(number(buffer.pull()));
        if n == 240 {
            assert!(buffer.depth_ms() >= 120, "the words are all kept, {} ms deep", buffer.depth_ms());
            assert!((50..58).all(|n| played.contains(&n)));
        }
    }
    assert!(buffer.depth_ms() <= 80, "{} ms deep", buffer.depth_ms());
    assert!(buffer.stats().trimmed > 0);
}

#[test]
fn a_pause_of_the_sender_is_silence_and_not_loss() {
    let mut buffer = JitterBuffer::new();
    for n in 0..10 {
        send(&mut buffer, n, u64::from(n) * 20);
        buffer.pull();
    }
    let mut pulls = Vec::new();
    for tick in 10..60u64 {
        // The sequence goes on, the timestamp is 40 packets further (800 ms).
        if tick >= 50 {
            send_as(&mut buffer, u32::try_from(tick).unwrap() - 40, tick * 20, 1, 40 * 160);
        }
        pulls.push(buffer.pull() == Pulled::Missing);
    }
    assert!(pulls.iter().filter(|&&missing| missing).count() <= 3);
    assert_eq!(buffer.stats().lost, 0);
    assert_eq!(buffer.stats().resyncs, 0);
    assert!(buffer.depth_ms() <= 40);
}

#[test]
fn a_new_source_and_a_new_time_line_are_followed() {
    let mut buffer = JitterBuffer::new();
    for n in 0..20 {
        send(&mut buffer, n, u64::from(n) * 20);
        buffer.pull();
    }
    for n in 20..40 {
        send_as(&mut buffer, n, u64::from(n) * 20, 2, 0);
        assert_eq!(number(buffer.pull()), Some(n));
    }
    for n in 40..60 {
        send_as(&mut buffer, n, u64::from(n) * 20, 2, 3_000_000_000);
        assert_eq!(number(buffer.pull()), Some(n));
    }
    assert_eq!(buffer.stats().resyncs, 2);
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn one_stray_sequence_number_does_not_disturb_and_two_begin_again() {
    let mut buffer = JitterBuffer::new();
    for n in 0..20 {
        send(&mut buffer, n, u64::from(n) * 20);
        buffer.pull();
    }
    assert_eq!(send(&mut buffer, 30_000, 400), Inserted::Refused);
    assert_eq!(send(&mut buffer, 20, 400), Inserted::Kept);
    assert_eq!(number(buffer.pull()), Some(20));
    assert_eq!(send(&mut buffer, 30_000, 420), Inserted::Refused);
    assert_eq!(send(&mut buffer, 30_001, 420), Inserted::Kept);
    assert_eq!(number(buffer.pull()), Some(30_001));
}

#[test]
fn packets_without_sound_are_neither_played_nor_lost() {
    let mut buffer = JitterBuffer::new();
    for n in 0..10u32 {
        if n == 5 {
            let event =
                RtpPacket { marker: false, payload_type: 101, sequence: 65_505, timestamp: 0, ssrc: 1, payload: &[] };
            buffer.insert(&event, Moment::from_micros(100_000));
        } else {
            send_as(&mut buffer, n, u64::from(n) * 20, 1, if n > 5 { 0_u32.wrapping_sub(160) } else { 0 });
        }
        let expected = if n == 5 { Pulled::Missing } else { Pulled::Silent };
        let pulled = buffer.pull();
        assert!(number(pulled) == Some(n) || pulled == expected, "{n} {pulled:?}");
    }
    assert_eq!(buffer.stats().lost, 0);
}

proptest! {
    #[test]
    fn packets_come_out_in_order_and_once_whatever_the_network_does(
        network in proptest::collection::vec((0u32..99, 0u64..300, 0usize..4, any::<bool>()), 1..400),
    ) {
        let mut buffer = JitterBuffer::new();
        let (mut last, mut kept, mut played) = (None, 0u64, 0u64);
        for (tick, (number_sent, delay, pulls, speech)) in network.into_iter().enumerate() {
            if send(&mut buffer, number_sent, tick as u64 * 20 + delay) == Inserted::Kept {
                kept += 1;
            }
            buffer.note_activity(if speech { Activity::Speech } else { Activity::Silence });
            for _ in 0..pulls {
                let pulled = number(buffer.pull());
                if pulled.is_some() {
                    prop_assert!(pulled > last, "{:?} after {:?}", pulled, last);
                    last = pulled;
                    played += 1;
                }
            }
        }
        prop_assert!(played <= kept);
    }

    #[test]
    fn no_stream_of_strangers_panics(
        packets in proptest::collection::vec((any::<u16>(), any::<u32>(), 0u32..3, 0usize..500, any::<u32>()), 1..300),
    ) {
        let mut buffer = JitterBuffer::new();
        for (sequence, timestamp, ssrc, len, at) in packets {
            let payload = [0; 500];
            let packet = RtpPacket { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: &payload[..len] };
            buffer.insert(&packet, Moment::from_micros(u64::from(at)));
            buffer.pull();
            let stats = buffer.stats();
            prop_assert!((20..=200).contains(&stats.target_ms), "{:?}", stats);
        }
    }
}
