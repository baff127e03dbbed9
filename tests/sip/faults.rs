//! Faults of our own program: what they may cost, and what goes on.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A clock, and the switch that makes its next reading panic.
fn faulty_clock() -> (milu::line::ReadClock, Arc<AtomicBool>) {
    let (sound, faulty) = (clock(), Arc::new(AtomicBool::new(false)));
    let switch = faulty.clone();
    let read = move || {
        assert!(!faulty.swap(false, Ordering::SeqCst), "a fault of the program");
        sound()
    };
    (Arc::new(read), switch)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_task_panics_gives_its_place_back() {
    let (clock, fault) = faulty_clock();
    let mut line = Served::start_with(clock, |config| config.max_calls = 1);
    let first = Sipp::start("box_hangs_up", line.address, 40_000, &[]);
    let mut offer = line.offer().await;
    fault.store(true, Ordering::SeqCst);
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    assert_eq!(events_of(&mut offer.leg).await, [], "a leg whose line is gone ends without a word");
    let given_back = async {
        while (line.health)().calls > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, given_back).await.expect("the place is given back");
    drop(first);
    the_next_call_is_answered(&mut line).await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_makes_the_line_panic_costs_no_more_than_that_ring() {
    let (clock, fault) = faulty_clock();
    let mut line = Served::start_with(clock, |_| {});
    fault.store(true, Ordering::SeqCst);
    // It rings again when it hears nothing, as every caller over UDP does.
    the_next_call_is_answered(&mut line).await;
    assert!(!fault.load(Ordering::SeqCst), "the fault has happened");
    assert_eq!((line.health)().state, LineState::Ready);
    line.stop().await;
}
