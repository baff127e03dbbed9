//! Samples between two threads, one of which must never wait: a ring of atomics
//! with one writer and one reader. The channels of the library are made for values
//! that arrive one by one; a card's callback moves a thousand samples at once and
//! may neither allocate nor take a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicUsize, Ordering};

struct Shared {
    slots: Box<[AtomicI16]>,
    /// Samples ever written and ever read; they wrap around together.
    written: AtomicUsize,
    read: AtomicUsize,
}

impl Shared {
    fn filled(&self) -> usize {
        self.written.load(Ordering::Acquire).wrapping_sub(self.read.load(Ordering::Acquire))
    }

    fn slot(&self, count: usize) -> &AtomicI16 {
        // The number of slots is a power of two.
        &self.slots[count & (self.slots.len() - 1)]
    }
}

/// The writing end.
pub(super) struct SampleWriter(Arc<Shared>);

/// The reading end.
pub(super) struct SampleReader(Arc<Shared>);

/// A ring that holds `least` samples or more.
pub(super) fn ring(least: usize) -> (SampleWriter, SampleReader) {
    let slots = (0..least.next_power_of_two()).map(|_| AtomicI16::new(0)).collect();
    let shared = Arc::new(Shared { slots, written: AtomicUsize::new(0), read: AtomicUsize::new(0) });
    (SampleWriter(shared.clone()), SampleReader(shared))
}

impl SampleWriter {
    /// Writes what there is room for; how many samples that were.
    pub(super) fn write(&mut self, samples: impl IntoIterator<Item = i16>) -> usize {
        let shared = &*self.0;
        let room = shared.slots.len() - shared.filled();
        let from = shared.written.load(Ordering::Relaxed);
        let mut count = 0;
        for sample in samples.into_iter().take(room) {
            shared.slot(from.wrapping_add(count)).store(sample, Ordering::Relaxed);
            count += 1;
        }
        shared.written.store(from.wrapping_add(count), Ordering::Release);
        count
    }

    /// Samples that wait to be read.
    pub(super) fn filled(&self) -> usize {
        self.0.filled()
    }

    /// Samples that were ever read; the count wraps around.
    pub(super) fn ever_read(&self) -> usize {
        self.0.read.load(Ordering::Acquire)
    }

    /// Whether the reading end is there still.
    pub(super) fn is_read(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl SampleReader {
    /// Reads the oldest samples, as many as fit and there are; how many that were.
    pub(super) fn read(&mut self, into: &mut [i16]) -> usize {
        let shared = &*self.0;
        let count = into.len().min(shared.filled());
        let from = shared.read.load(Ordering::Relaxed);
        for (n, sample) in into[..count].iter_mut().enumerate() {
            *sample = shared.slot(from.wrapping_add(n)).load(Ordering::Relaxed);
        }
        shared.read.store(from.wrapping_add(count), Ordering::Release);
        count
    }

    /// Leaves the oldest `count` samples out, or all if there are fewer.
    pub(super) fn skip(&mut self, count: usize) -> usize {
        let count = count.min(self.0.filled());
        self.0.read.fetch_add(count, Ordering::AcqRel);
        count
    }

    pub(super) fn filled(&self) -> usize {
        self.0.filled()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_ring_takes_no_more_and_loses_nothing_that_it_took() {
        let (mut writer, mut reader) = ring(8);
        assert_eq!(writer.write(0..20), 8);
        assert_eq!(writer.filled(), 8);
        let mut out = [0; 20];
        assert_eq!(reader.read(&mut out), 8);
        assert_eq!(out[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(reader.read(&mut out), 0);
    }

    #[test]
    fn a_writer_knows_whether_anybody_reads() {
        let (writer, reader) = ring(8);
        assert!(writer.is_read());
        drop(reader);
        assert!(!writer.is_read());
    }

    #[test]
    fn two_threads_hand_over_every_sample_in_order() {
        const ALL: usize = 200_000;
        let (mut writer, mut reader) = ring(1_000);
        let sample = |n: usize| i16::try_from(n % 30_000).expect("below 30000");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut sent = 0;
                while sent < ALL {
                    sent += writer.write((sent..ALL.min(sent + 333)).map(sample));
                    std::thread::yield_now();
                }
            });
            let (mut got, mut out) = (0, [0; 480]);
            while got < ALL {
                let count = reader.read(&mut out);
                for (n, value) in out[..count].iter().enumerate() {
                    assert_eq!(*value, sample(got + n));
                }
                got += count;
                std::thread::yield_now();
            }
        });
    }

    proptest! {
        #[test]
        fn it_is_a_queue_of_bounded_length(steps in proptest::collection::vec((0_u8..3, 0_usize..40), 1..200)) {
            let (mut writer, mut reader) = ring(32);
            let (mut model, mut next) = (std::collections::VecDeque::new(), 0_i16);
            for (what, count) in steps {
                match what {
                    0 => {
                        let wanted: Vec<i16> = (0..count).map(|n| next.wrapping_add(n as i16)).collect();
                        let took = writer.write(wanted.iter().copied());
                        prop_assert_eq!(took, count.min(32 - model.len()));
                        model.extend(&wanted[..took]);
                        next = next.wrapping_add(took as i16);
                    }
                    1 => {
                        let mut out = vec![0; count];
                        let got = reader.read(&mut out);
                        let expected: Vec<i16> = model.drain(..got).collect();
                        prop_assert_eq!(&out[..got], &expected[..]);
                    }
                    _ => {
                        let left_out = reader.skip(count);
                        model.drain(..left_out);
                    }
                }
                prop_assert_eq!(reader.filled(), model.len());
            }
        }
    }
}
