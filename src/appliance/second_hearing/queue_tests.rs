use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::tests::{record, turn};
use super::*;
use crate::appliance::outside::room;
use crate::egress::{Budget, Door, DoorConfig, Money, Spent, Sum};
use crate::ops::Admitted;
use crate::residency::{DestinationId, Host};
use crate::speech::{Confidence, EarsError, Heard, Transcriber};
use crate::store::{CallHeader, CallMemory, Keyring};
use crate::terms::Language;

/// One turn of sound: five frames, which are sent in as many blinks.
const TURN_MS: u64 = 100;

/// Ears that hear the same in everything, or nothing while they are cut off, and count
/// how often they were sent it.
#[derive(Clone)]
struct Counting {
    sent: Arc<AtomicU32>,
    cut_off: Arc<AtomicBool>,
    line: Arc<Line>,
}

/// The line on which a caller comes with a frame that the ears are sent.
struct Line {
    stop: Stop,
    /// How many the ears were sent.
    frames: AtomicU32,
    /// With which of them a caller comes, from 1; none with 0.
    caller_with: AtomicU32,
    /// With which of them the box is to stop.
    stops_with: AtomicU32,
    caller: Mutex<Option<Admitted>>,
}

impl Line {
    fn frame(&self) {
        let frame = self.frames.fetch_add(1, Ordering::Relaxed) + 1;
        if frame == self.stops_with.load(Ordering::Relaxed) {
            self.stop.ask();
        }
        if frame == self.caller_with.load(Ordering::Relaxed) {
            *self.caller.lock().unwrap() = Some(self.stop.admit().unwrap());
        }
    }

    fn frames(&self) -> u32 {
        self.frames.load(Ordering::Relaxed)
    }
}

struct Open {
    sent: Arc<AtomicU32>,
    cut_off: Arc<AtomicBool>,
    line: Arc<Line>,
    tell: mpsc::Sender<EarsEvent>,
}

impl Counting {
    fn on(line: &Arc<Line>) -> Self {
        Self { sent: Arc::default(), cut_off: Arc::default(), line: line.clone() }
    }

    fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// They stand at a destination that has one host.
    fn at(&self, destination: &str, host: &str, door: &Door) -> OutsideEars {
        let destination = DestinationId::parse(destination).unwrap();
        let room = room(door.clone(), destination.clone());
        OutsideEars { destination, host: Host::parse(host).unwrap().into(), ears: Arc::new(self.clone()), room }
    }
}

impl Transcriber for Counting {
    fn name(&self) -> &'static str {
        "better-ears"
    }

    fn open(&self, _setting: &CallSetting, tell: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        let (sent, cut_off) = (self.sent.clone(), self.cut_off.clone());
        Box::new(Open { sent, cut_off, line: self.line.clone(), tell })
    }
}

impl Hearing for Open {
    fn line_answered(&mut self, _rate: SampleRate) {}
    fn frame(&mut self, _frame: &Frame, _at: Moment) {
        self.line.frame();
    }

    fn turn_began(&mut self, _at: Moment) {}
    fn judge(&mut self, _request: RequestId) {}
    fn abandon(&mut self) {}

    fn decode(&mut self, request: RequestId) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if self.cut_off.load(Ordering::Relaxed) {
            let error = EarsError::Lost("nothing answers");
            return self.tell.try_send(EarsEvent::Failed { request, error }).unwrap();
        }
        let confidence = Confidence { mean_log_probability: 0.0, no_speech: 0.0, compression: 1.0, repeats: false };
        let heard = Heard {
            request,
            words: Private::new("When do you open on Sunday?".to_owned()),
            confidence,
            engine: "better-ears",
            took: Duration::ZERO,
            sound: Duration::ZERO,
        };
        self.tell.try_send(EarsEvent::Heard(heard)).unwrap();
    }
}

/// A vault with one recorded call, which waits in the queue over it.
struct Place {
    dir: tempfile::TempDir,
    queue: SecondHearings,
    record: CallRecord,
    ears: Counting,
    /// Ears in the business's own network, beside the others.
    server: Counting,
    line: Arc<Line>,
    door: Door,
}

/// A table under which a call's sound goes to the ears, or to the server in the own
/// network, or stays. Another takes its place without notice.
fn table(to_ears: &str, to_server: &str) -> String {
    let row = |to: &str, verdict: &str| {
        format!("[[row]]\ndata = \"call-audio\"\nto = \"{to}\"\nground = \"contract\"\nverdict = \"{verdict}\"\n")
    };
    let (to_ears, to_server) = (row("ears", to_ears), row("server", to_server));
    format!(
        "notice_period_days = 0\n\
         [[destination]]\nid = \"ears\"\noperator = \"Ears, Inc.\"\nhosts = [\"ears.example\"]\ncountry = \"IE\"\n\
         contract = {{ name = \"DPA\", signed = 2026-01-05 }}\n\
         [[destination]]\nid = \"server\"\noperator = \"our own\"\nhosts = [\"192.168.1.20:10300\"]\non_site = true\n\
         {to_ears}{to_server}"
    )
}

impl Place {
    async fn new(verdict: &str) -> Self {
        Self::behind(verdict, DoorConfig::default()).await
    }

    /// The same with a door that has a budget.
    async fn behind(verdict: &str, door: DoorConfig) -> Self {
        Self::of(verdict, door, 1).await
    }

    /// The same with a call in which the caller said more.
    async fn of(verdict: &str, door: DoorConfig, turns: u64) -> Self {
        Self::under(&table(verdict, "local"), door, turns).await
    }

    /// The same under any table.
    async fn under(table: &str, door: DoorConfig, turns: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        let policy = dir.path().join("residency.toml");
        std::fs::write(&policy, table).unwrap();
        let keeper = PolicyKeeper::open(policy, vault.clone(), clock.as_fn(), clock.wall_fn()).await.unwrap();
        let stop = Stop::new(Duration::from_secs(1));
        let line = Arc::new(Line {
            stop: stop.clone(),
            frames: AtomicU32::new(0),
            caller_with: AtomicU32::new(0),
            stops_with: AtomicU32::new(0),
            caller: Mutex::new(None),
        });
        let (ears, server) = (Counting::on(&line), Counting::on(&line));
        let door = Door::new(keeper.in_force(), door);
        let queue = SecondHearings {
            ears: vec![ears.at("ears", "ears.example", &door), server.at("server", "192.168.1.20:10300", &door)],
            own_ears: "whisper-onbox",
            keeper: Arc::new(keeper),
            hints: Hints { language: Language::English, words: Vec::new() },
            vault,
            clock,
            stop,
            rest: Rest::default(),
            tired: TiredEars::default(),
            begun: Begun::default(),
        };
        let record = recorded(&queue, 1, turns).await;
        Self { dir, queue, record, ears, server, line, door }
    }

    /// Another table holds: it is seen, then announced, and at the next look its notice is
    /// over.
    async fn take_over(&self, table: &str) {
        std::fs::write(self.dir.path().join("residency.toml"), table).unwrap();
        for _ in 0..3 {
            self.queue.keeper.look_again(&self.door).await.unwrap();
        }
    }

    /// Another call than the first waits, after it.
    async fn another(&self, number: u64) {
        recorded(&self.queue, number, 1).await;
    }

    /// Time has passed: each call is due, and no ears rest any more.
    async fn all_are_due(&self) {
        self.queue.vault.do_to_index("UPDATE catch_up SET due_at_ns = 0").await;
        self.ears_are_rested();
    }

    fn ears_are_rested(&self) {
        let policy = self.queue.keeper.in_force();
        let [ears, server] = policy.destinations() else { panic!("there are two places") };
        for set in [std::slice::from_ref(ears), std::slice::from_ref(server), &[ears.clone(), server.clone()]] {
            self.queue.tired.heard(set);
        }
    }

    async fn waiting(&self) -> u64 {
        self.queue.vault.waiting_to_be_heard_again().await.unwrap()
    }

    fn sent(&self) -> u32 {
        self.ears.sent()
    }

    async fn end(self) {
        self.queue.vault.close().await;
        drop(self.dir);
    }
}

async fn recorded(queue: &SecondHearings, number: u64, turns: u64) -> CallRecord {
    let mut record = CallRecord { id: CallId::from_parts(number, [0; 10]), ..record(&[]) };
    let said = |n: u64| {
        let mut said = turn(Speaker::Caller, "When do you open?");
        (said.started_ms, said.ended_ms) = (n * TURN_MS, (n + 1) * TURN_MS);
        said.engines.transcriber = Some("whisper-onbox".to_owned());
        said
    };
    record.turns = (0..turns).map(said).collect();
    let memory = to_be_heard_again(queue, &record).await;
    for _ in 0..turns * TURN_MS / 20 {
        memory.sound(Leg::Caller, &[1_000; 320]);
    }
    memory.finish(record).await.unwrap()
}

/// It is due at once.
async fn to_be_heard_again(queue: &SecondHearings, record: &CallRecord) -> CallMemory {
    let gate = queue.keeper.gate();
    let places = queue.ears.iter().filter_map(|ears| ears.place(&gate)).collect();
    let header = CallHeader { id: record.id, line: record.line.clone(), from: None, started_at: record.started_at };
    let mut memory = queue.vault.begin_call(&header).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    memory.hear_again(HearAgain { due_at: Timestamp::UNIX_EPOCH, places });
    memory
}

#[tokio::test]
async fn a_call_whose_words_are_kept_leaves_the_queue() {
    let place = Place::new("raw").await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (1, 0));
    let heard = place.queue.vault.second_hearings(place.record.id).await.unwrap();
    assert_eq!(heard[0].words.expose(), "When do you open on Sunday?");
    place.end().await;
}

#[tokio::test]
async fn a_caller_who_comes_goes_first_and_what_was_heard_until_then_is_not_sent_again() {
    let place = Place::of("raw", DoorConfig::default(), 2).await;
    // With the second frame of the second turn.
    place.line.caller_with.store(7, Ordering::Relaxed);
    assert!(!place.queue.one().await);
    assert_eq!((place.line.frames(), place.sent(), place.waiting().await), (7, 1, 1));
    assert!(!place.queue.one().await);
    assert_eq!(place.line.frames(), 7, "the caller is there still");
    let due = place.queue.vault.next_to_hear_again(place.queue.clock.wall()).await.unwrap().unwrap();
    assert_eq!((due.call, due.tries), (place.record.id, 0), "it is the next, and no try was counted");
    *place.line.caller.lock().unwrap() = None;
    assert!(place.queue.one().await);
    assert_eq!((place.line.frames(), place.sent(), place.waiting().await), (7 + 5, 2, 0));
    let heard = place.queue.vault.second_hearings(place.record.id).await.unwrap();
    assert_eq!(heard.iter().map(|hearing| hearing.turn).collect::<Vec<_>>(), [0, 1]);
    place.end().await;
}

/// A day on which so much was spent.
fn today(bytes: u64, nanos: u64) -> Spent {
    let day = SystemClock::new().wall().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let mut today = Spent::nothing(day);
    today.add(day, &DestinationId::parse("ears").unwrap(), None, Sum { bytes, money: Money::from_nanos(nanos) });
    today
}

#[tokio::test]
async fn while_the_days_budget_is_used_up_a_call_waits_unsent_and_no_try_is_counted() {
    let of_bytes = Budget { day_bytes: Some(1_000_000), ..Budget::default() };
    let of_money = Budget { day_money: Some(Money::from_nanos(1_000)), ..Budget::default() };
    for (budget, spent) in [(of_bytes, today(900_000, 0)), (of_money, today(0, 900))] {
        let config = DoorConfig { budget, spent: Some(spent), ..DoorConfig::default() };
        let place = Place::behind("raw", config).await;
        assert!(place.queue.one().await, "the next in the queue may be for other ears");
        assert!(!place.queue.one().await, "it is not due at once");
        assert_eq!((place.sent(), place.waiting().await), (0, 1), "{budget:?}");
        let in_a_while = later(place.queue.clock.wall(), BUDGET_WAIT);
        let due = place.queue.vault.next_to_hear_again(in_a_while).await.unwrap().unwrap();
        assert_eq!((due.call, due.tries), (place.record.id, 0));
        // As soon as the day has room it goes.
        place.door.set_budget(Budget::default());
        place.all_are_due().await;
        assert!(place.queue.one().await);
        assert_eq!((place.sent(), place.waiting().await), (1, 0), "{budget:?}");
        place.end().await;
    }
}

#[tokio::test]
async fn while_the_day_of_better_ears_is_used_up_no_try_is_counted_though_others_fail() {
    let budget = Budget { day_bytes: Some(1_000_000), ..Budget::default() };
    let config = DoorConfig { budget, spent: Some(today(900_000, 0)), ..DoorConfig::default() };
    let place = Place::under(&table("raw", "raw"), config, 1).await;
    place.server.cut_off.store(true, Ordering::Relaxed);
    assert!(!place.queue.one().await, "the next would be sent to the same ears");
    assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (0, 1, 1));
    let in_a_while = later(place.queue.clock.wall(), BUDGET_WAIT);
    let due = place.queue.vault.next_to_hear_again(in_a_while).await.unwrap().unwrap();
    assert_eq!((due.call, due.tries), (place.record.id, 0));
    // As soon as the day has room the better ones hear it.
    place.door.set_budget(Budget::default());
    place.all_are_due().await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (1, 1, 0));
    place.end().await;
}

#[tokio::test]
async fn a_call_whose_budget_has_no_room_is_not_sent_to_ears_that_may_not_hear_it() {
    let budget = Budget { day_bytes: Some(1_000_000), ..Budget::default() };
    let config = DoorConfig { budget, spent: Some(today(900_000, 0)), ..DoorConfig::default() };
    let place = Place::under(&table("raw", "local"), config, 1).await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (0, 0, 1));
    place.end().await;
}

/// The first of two turns was heard, and with the second a caller came, who has gone.
async fn half_heard(door: DoorConfig) -> Place {
    let place = Place::of("raw", door, 2).await;
    place.line.caller_with.store(7, Ordering::Relaxed);
    assert!(!place.queue.one().await);
    assert_eq!((place.line.frames(), place.sent()), (7, 1));
    *place.line.caller.lock().unwrap() = None;
    place
}

#[tokio::test]
async fn what_was_heard_of_a_call_is_not_sent_again_where_the_budget_ran_out_before_the_rest() {
    let place = half_heard(DoorConfig { spent: Some(today(900_000, 0)), ..DoorConfig::default() }).await;
    place.door.set_budget(Budget { day_bytes: Some(1_000_000), ..Budget::default() });
    assert!(place.queue.one().await);
    assert_eq!((place.line.frames(), place.waiting().await), (7, 1), "it waits for room");
    place.door.set_budget(Budget::default());
    place.all_are_due().await;
    assert!(place.queue.one().await);
    assert_eq!((place.line.frames(), place.sent(), place.waiting().await), (7 + 5, 2, 0));
    let heard = place.queue.vault.second_hearings(place.record.id).await.unwrap();
    assert_eq!(heard.iter().map(|hearing| hearing.turn).collect::<Vec<_>>(), [0, 1]);
    place.end().await;
}

#[tokio::test]
async fn what_was_heard_of_a_call_that_is_erased_before_the_rest_is_forgotten() {
    let place = half_heard(DoorConfig::default()).await;
    place.queue.forget_gone().await;
    assert_eq!(place.queue.begun.call(), Some(place.record.id), "the rest is still to be heard");
    place.queue.vault.do_to_index("UPDATE calls SET wrapped_key = x'00'").await;
    place.queue.forget_gone().await;
    assert_eq!(place.queue.begun.call(), None);
    place.end().await;
}

#[tokio::test]
async fn a_call_that_no_days_budget_could_hold_leaves_the_queue_unsent() {
    let budget = Budget { day_bytes: Some(1), ..Budget::default() };
    let place = Place::behind("raw", DoorConfig { budget, ..DoorConfig::default() }).await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (0, 0));
    place.end().await;
}

#[tokio::test]
async fn a_call_whose_sound_was_to_stay_is_not_queued_for_a_wider_policy() {
    let place = Place::new("local").await;
    assert_eq!(place.queue.to_hear_again(&place.record, &place.queue.keeper.gate()), None);
    place.end().await;
    let place = Place::new("raw").await;
    let queued = place.queue.to_hear_again(&place.record, &place.queue.keeper.gate());
    let places = queued.expect("it might have gone, and better ears were not there").places;
    assert_eq!(places.iter().map(|place| place.id.as_str()).collect::<Vec<_>>(), ["ears"]);
    place.end().await;
}

#[tokio::test]
async fn sound_that_might_go_to_one_place_alone_is_sent_to_no_other_under_a_wider_policy() {
    let place = Place::under(&table("local", "raw"), DoorConfig::default(), 1).await;
    place.take_over(&table("raw", "raw")).await;
    assert!(place.queue.ears[0].may_hear(&place.queue.keeper.gate()), "a call of today may go there");
    place.server.cut_off.store(true, Ordering::Relaxed);
    assert!(!place.queue.one().await);
    assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (0, 1, 1));
    place.server.cut_off.store(false, Ordering::Relaxed);
    place.all_are_due().await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (0, 2, 0));
    place.end().await;
}

#[tokio::test]
async fn a_place_that_has_only_the_name_of_the_one_of_then_is_sent_nothing() {
    for (then, now) in [("Ears, Inc.", "Others, Inc."), ("country = \"IE\"", "country = \"US\"")] {
        let place = Place::new("raw").await;
        place.take_over(&table("raw", "local").replace(then, now)).await;
        assert!(place.queue.ears[0].may_hear(&place.queue.keeper.gate()), "a call of today may go to {now}");
        assert!(place.queue.one().await, "the next in the queue may be for other ears");
        assert_eq!((place.sent(), place.waiting().await), (0, 1), "{now}");
        let longest = later(place.queue.clock.wall(), LONGEST_WAIT);
        let due = place.queue.vault.next_to_hear_again(longest).await.unwrap().unwrap();
        assert_eq!((due.call, due.tries), (place.record.id, 0), "{now}");
        place.take_over(&table("raw", "local")).await;
        place.all_are_due().await;
        assert!(place.queue.one().await);
        assert_eq!((place.sent(), place.waiting().await), (1, 0), "{then} again");
        place.end().await;
    }
}

#[tokio::test]
async fn sound_of_which_nobody_knows_where_it_might_go_is_sent_nowhere() {
    for unknown in ["UPDATE catch_up SET places = NULL", "UPDATE catch_up SET places = 'damaged'"] {
        let place = Place::under(&table("raw", "raw"), DoorConfig::default(), 1).await;
        place.queue.vault.do_to_index(unknown).await;
        assert!(place.queue.one().await);
        assert_eq!((place.sent(), place.server.sent(), place.waiting().await), (0, 0, 0), "{unknown}");
        place.end().await;
    }
}

#[tokio::test]
async fn a_call_comes_into_the_queue_with_its_record_or_neither_is_kept() {
    let place = Place::new("raw").await;
    assert_eq!(place.waiting().await, 1);
    let vault = &place.queue.vault;
    let record = CallRecord { id: CallId::from_parts(2, [0; 10]), ..place.record.clone() };
    let memory = to_be_heard_again(&place.queue, &record).await;
    let refused = "CREATE TRIGGER refused BEFORE INSERT ON catch_up BEGIN SELECT RAISE(ABORT, 'no'); END";
    vault.do_to_index(refused).await;
    assert!(memory.finish(record.clone()).await.is_err());
    assert!(matches!(vault.show(record.id).await, Err(ReadError::Unknown(_))), "a start gives it its end");
    place.end().await;
}

#[tokio::test]
async fn a_hearing_that_cannot_be_kept_is_not_sent_again_at_once() {
    let place = Place::new("raw").await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON second_hearings BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    place.queue.vault.do_to_index(full).await;
    assert!(!place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (1, 1));
    assert!(!place.queue.one().await);
    assert_eq!(place.sent(), 1, "it is due in two minutes");
    let in_a_while = later(place.queue.clock.wall(), wait_after(0));
    let due = place.queue.vault.next_to_hear_again(in_a_while).await.unwrap().unwrap();
    assert_eq!((due.call, due.tries), (place.record.id, 1));
    // There is room again on the disk, and its words are there.
    place.queue.vault.do_to_index("DROP TRIGGER full").await;
    place.all_are_due().await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (1, 0));
    place.end().await;
}

#[tokio::test]
async fn a_call_waits_however_long_the_ears_are_cut_off_and_is_then_heard() {
    let place = Place::new("raw").await;
    place.ears.cut_off.store(true, Ordering::Relaxed);
    for tries in 1..=20 {
        assert!(!place.queue.one().await);
        assert_eq!((place.sent(), place.waiting().await), (tries, 1));
        let longest = later(place.queue.clock.wall(), LONGEST_WAIT);
        let due = place.queue.vault.next_to_hear_again(longest).await.unwrap().unwrap();
        assert_eq!((due.call, due.tries, due.disk_tries), (place.record.id, tries, 0));
        place.all_are_due().await;
    }
    place.ears.cut_off.store(false, Ordering::Relaxed);
    // Nor does the first failure of the disk count as one of many.
    let full = "CREATE TRIGGER full BEFORE INSERT ON second_hearings BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    place.queue.vault.do_to_index(full).await;
    assert!(!place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (21, 1));
    place.queue.vault.do_to_index("DROP TRIGGER full").await;
    place.all_are_due().await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (21, 0));
    place.end().await;
}

#[tokio::test]
async fn of_many_calls_that_wait_one_finds_out_that_the_ears_fail_and_the_others_are_not_sent() {
    let place = Place::new("raw").await;
    for number in 2..10 {
        place.another(number).await;
    }
    place.ears.cut_off.store(true, Ordering::Relaxed);
    assert!(!place.queue.one().await);
    while place.queue.one().await {}
    assert_eq!((place.sent(), place.waiting().await), (1, 9));
    let first_wait = later(place.queue.clock.wall(), wait_after(0));
    let due = place.queue.vault.next_to_hear_again(first_wait).await.unwrap().unwrap();
    assert_ne!(due.call, place.record.id, "another finds out whether they hear again: it may be the call");
    // Calls that may go elsewhere do not wait for these ears.
    place.take_over(&table("raw", "raw")).await;
    place.another(10).await;
    assert!(place.queue.one().await);
    assert_eq!((place.server.sent(), place.waiting().await), (1, 9));
    place.ears.cut_off.store(false, Ordering::Relaxed);
    place.all_are_due().await;
    while place.queue.one().await {}
    assert_eq!(place.waiting().await, 0);
    place.end().await;
}

#[tokio::test]
async fn a_box_that_stops_sends_no_more_of_a_call_and_pays_for_none_of_it() {
    let place = Place::of("raw", DoorConfig::default(), 2).await;
    place.line.stops_with.store(7, Ordering::Relaxed);
    assert!(!place.queue.one().await);
    assert_eq!((place.line.frames(), place.sent(), place.waiting().await), (7, 1, 1));
    let due = place.queue.vault.next_to_hear_again(place.queue.clock.wall()).await.unwrap().unwrap();
    assert_eq!((due.call, due.tries), (place.record.id, 0), "it is the next after the start");
    place.end().await;
}

#[tokio::test]
async fn a_call_on_which_ears_fail_that_hear_the_others_is_given_up_in_the_end() {
    let place = Place::new("raw").await;
    for number in 0..EARS_TRIES_MAX {
        place.ears.cut_off.store(true, Ordering::Relaxed);
        assert!(!place.queue.one().await);
        place.ears.cut_off.store(false, Ordering::Relaxed);
        if number == 0 {
            // Later on they have heard others, and do not rest because of this one.
            place.ears_are_rested();
        }
        place.another(2 + u64::from(number)).await;
        assert!(place.queue.one().await, "the other is heard");
        assert_eq!(place.waiting().await, 1, "the first waits");
        place.all_are_due().await;
    }
    place.ears.cut_off.store(true, Ordering::Relaxed);
    assert!(place.queue.one().await, "the next may be another than it");
    assert_eq!((place.sent(), place.waiting().await), (2 * EARS_TRIES_MAX + 1, 0));
    place.end().await;
}

#[tokio::test]
async fn what_ears_hear_of_others_counts_against_no_call_that_may_not_go_to_them() {
    let place = Place::new("raw").await;
    place.take_over(&table("raw", "raw")).await;
    place.ears.cut_off.store(true, Ordering::Relaxed);
    for number in 0..=EARS_TRIES_MAX {
        assert!(!place.queue.one().await);
        place.another(2 + u64::from(number)).await;
        assert!(place.queue.one().await, "the server hears it");
        let longest = later(place.queue.clock.wall(), LONGEST_WAIT);
        let due = place.queue.vault.next_to_hear_again(longest).await.unwrap().unwrap();
        assert_eq!((due.call, due.tries, due.ears_tries), (place.record.id, number + 1, 0));
        place.all_are_due().await;
    }
    assert_eq!((place.server.sent(), place.waiting().await), (EARS_TRIES_MAX + 1, 1));
    place.end().await;
}

#[tokio::test]
async fn a_call_whose_words_the_disk_never_takes_is_given_up_in_the_end() {
    let place = Place::new("raw").await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON second_hearings BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    place.queue.vault.do_to_index(full).await;
    for _ in 0..DISK_TRIES_MAX {
        assert!(!place.queue.one().await);
        assert_eq!(place.waiting().await, 1);
        place.all_are_due().await;
    }
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (1, 0));
    place.end().await;
}

#[tokio::test]
async fn while_the_disk_takes_nothing_at_all_the_queue_rests() {
    let place = Place::new("raw").await;
    for full in [
        "CREATE TRIGGER full_words BEFORE INSERT ON second_hearings BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
        "CREATE TRIGGER full_queue BEFORE UPDATE ON catch_up BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    ] {
        place.queue.vault.do_to_index(full).await;
    }
    for _ in 0..3 {
        assert!(!place.queue.one().await);
    }
    assert_eq!((place.sent(), place.waiting().await), (1, 1));
    place.end().await;
}

#[tokio::test]
async fn a_call_whose_key_does_not_open_leaves_the_queue_and_holds_nobody_up() {
    let place = Place::new("raw").await;
    place.queue.vault.do_to_index("UPDATE calls SET wrapped_key = x'00'").await;
    assert!(place.queue.one().await);
    assert_eq!((place.sent(), place.waiting().await), (0, 0));
    place.end().await;
}
