//! The fixed sentences in a voice outside the box, as it may speak them by then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;
use crate::appliance::fixed_voice::{Renders, WayOut};
use crate::appliance::outside::words_room;
use crate::call::Speech;
use crate::egress::{Budget, Door, DoorConfig, Resolver};
use crate::ops::{MomentSource, SystemClock, WallSource};
use crate::residency::{DestinationId, Host, NOTICE_PERIOD_DAYS};
use crate::speech::VoiceDeadlines;
use crate::speech::lan::event::{Event, EventReader, written};
use crate::speech::lan::{WyomingVoice, WyomingVoiceConfig};
use crate::store::Keyring;
use crate::terms::Moment;

const SENTENCE: &str = "Good day.";
const RATE: SampleRate = SampleRate::Hz8000;

/// Less than a failed voice is let be, and longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(50);

const DAY_S: i64 = 24 * 3600;

/// A server of voices, which says the same to everybody and counts who asks.
struct Far {
    listener: TcpListener,
    asked: AtomicUsize,
    /// It begins and ends, with no sound between.
    is_mute: AtomicBool,
}

impl Far {
    /// Serves one after the other, for ever.
    async fn serve(&self) {
        let layout = json!({"rate": 16_000, "width": 2, "channels": 1});
        let tone = |n: usize| if (n / 20).is_multiple_of(2) { 8000_i16 } else { -8000_i16 };
        let tone: Vec<u8> = (0..3200).flat_map(|n| tone(n).to_le_bytes()).collect();
        let nothing: &[u8] = &[];
        let said = [("audio-start", nothing), ("audio-chunk", tone.as_slice()), ("audio-stop", nothing)];
        loop {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mut reader = EventReader::default();
            while reader.next_event().unwrap().is_none() {
                let mut piece = [0; 1024];
                let len = stream.read(&mut piece).await.unwrap();
                assert!(len > 0, "it goes away without a word");
                reader.push(&piece[..len]);
            }
            let is_mute = self.is_mute.load(Ordering::Relaxed);
            for (name, payload) in said.into_iter().filter(|(name, _)| !is_mute || *name != "audio-chunk") {
                let data = layout.as_object().unwrap().clone();
                let event = Event { name: name.to_owned(), data, payload: payload.to_vec() };
                stream.write_all(&written(&event)).await.unwrap();
            }
        }
    }
}

/// A box whose only voice is that server's.
struct Place {
    dir: tempfile::TempDir,
    second: Arc<AtomicI64>,
    far: Far,
    door: Door,
    warm_up: WarmUp,
}

/// What may go to the server of voices.
fn table(port: u16, classes: &[&str]) -> String {
    let mut text = format!(
        "[[destination]]\nid = \"lan\"\noperator = \"our own\"\nhosts = [\"127.0.0.1:{port}\"]\non_site = true\n"
    );
    for class in classes {
        text += &format!("[[row]]\ndata = \"{class}\"\nto = \"lan\"\nground = \"contract\"\nverdict = \"raw\"\n");
    }
    text
}

impl Place {
    async fn new(classes: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let second = Arc::new(AtomicI64::new(clock.wall().as_second()));
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let policy = dir.path().join("residency.toml");
        std::fs::write(&policy, table(port, classes)).unwrap();
        let wall_second = second.clone();
        let wall: WallSource = Arc::new(move || Timestamp::from_second(wall_second.load(Ordering::Relaxed)).unwrap());
        let lived_second = second.clone();
        let monotonic: MomentSource = Arc::new(move || {
            let second = lived_second.load(Ordering::Relaxed);
            Moment::START + Duration::from_secs(second.unsigned_abs())
        });
        let keeper = Arc::new(PolicyKeeper::open(policy, vault.clone(), monotonic, wall).await.unwrap());
        let host = Host::parse(&format!("127.0.0.1:{port}")).unwrap();
        let resolver = Resolver::fixed(HashMap::from([(host.clone(), vec![([127, 0, 0, 1], port).into()])]));
        let door = Door::new(keeper.in_force(), DoorConfig { resolver, ..DoorConfig::default() });
        let warm_up = WarmUp {
            voices: vec![voice(&door, host)],
            rates: vec![RATE],
            keeper: Some(keeper),
            renderings: Arc::new(Renderings::beside(vault.clone())),
            vault,
            stop: Stop::new(Duration::from_secs(1)),
            health: Health::new(),
        };
        let far = Far { listener, asked: AtomicUsize::new(0), is_mute: AtomicBool::new(false) };
        Self { dir, second, far, door, warm_up }
    }

    /// Does `work` while the server of voices is there.
    async fn served<T>(&self, work: impl Future<Output = T>) -> T {
        let done = async {
            tokio::select! {
                () = self.far.serve() => panic!("the server of voices is gone"),
                done = work => done,
            }
        };
        tokio::time::timeout(PATIENCE, done).await.expect("it is done without another try")
    }

    fn asked(&self) -> usize {
        self.far.asked.load(Ordering::Relaxed)
    }

    /// One round of these.
    async fn round(&self, left: Vec<(String, SampleRate)>) -> Round {
        let gate = self.warm_up.gate();
        let mut progress = Progress { ready: 0, total: left.len() };
        self.served(self.warm_up.round(left, &gate, &mut progress)).await.unwrap()
    }

    async fn hold(&self) -> Held {
        self.warm_up.hold_best(SENTENCE, RATE, &self.warm_up.gate(), false).await
    }

    /// Whose voice the sentence would be played in.
    fn held(&self) -> Option<&'static str> {
        let speech = Speech { text: Private::new(SENTENCE.to_owned()), pace: 1.0 };
        self.warm_up.renderings.find(&speech, RATE).map(|rendered| rendered.voice)
    }

    /// Every sentence was looked at once.
    async fn first_round(&self) {
        while !self.warm_up.health.facts().iter().any(|fact| fact.sentence.starts_with("1 of 1 ")) {
            tokio::task::yield_now().await;
        }
    }

    /// The owner allows this, and the notice period goes by.
    async fn allow(&self, classes: &[&str]) {
        let keeper = self.warm_up.keeper.as_ref().unwrap();
        let port = self.far.listener.local_addr().unwrap().port();
        std::fs::write(self.dir.path().join("residency.toml"), table(port, classes)).unwrap();
        for _ in ["it is another file", "and stays so"] {
            keeper.look_again(&self.door).await.unwrap();
        }
        assert_eq!((self.asked(), self.held()), (0, None), "it is announced");
        self.second.fetch_add((i64::from(NOTICE_PERIOD_DAYS) + 1) * DAY_S, Ordering::Relaxed);
        keeper.look_again(&self.door).await.unwrap();
    }

    async fn end(self) {
        self.warm_up.vault.close().await;
        drop(self.dir);
    }
}

fn voice(door: &Door, host: Host) -> FixedVoice {
    let destination = DestinationId::parse("lan").unwrap();
    let config = WyomingVoiceConfig {
        deadlines: VoiceDeadlines { connect: PATIENCE, first_sound: PATIENCE, next_sound: PATIENCE },
        ..WyomingVoiceConfig::new(destination.clone(), host.clone())
    };
    let runtime = tokio::runtime::Handle::current();
    let voice = WyomingVoice::new(config, door.clone(), TaskTracker::new(), runtime);
    let renders = Renders::Wyoming(Arc::new(voice));
    // Its bytes count as if they crossed the uplink, which those of the network do not.
    let room = words_room(door.clone(), DestinationId::parse("far").unwrap());
    let way_out = Some(WayOut { destination, host: host.into(), room });
    FixedVoice { key: "wyoming test 1".to_owned(), renders, way_out }
}

#[tokio::test]
async fn a_sentence_gets_the_voice_outside_when_the_policy_is_widened_and_until_then_nothing_is_asked_of_it() {
    let place = Place::new(&["reply"]).await;
    assert_eq!(place.hold().await, Held::Best, "what may not be is not tried every minute");
    let warm_up = place.warm_up.hold_quietly(vec![(SENTENCE.to_owned(), RATE)]);
    let owner = async {
        place.first_round().await;
        assert_eq!((place.asked(), place.held()), (0, None));
        place.allow(&["reply", "knowledge"]).await;
    };
    place.served(async { tokio::join!(warm_up, owner) }).await;
    assert_eq!((place.asked(), place.held()), (1, Some("wyoming-voice")));
    place.end().await;
}

#[tokio::test]
async fn what_was_kept_before_a_restart_is_ready_while_a_caller_is_on_the_line() {
    let mut place = Place::new(&["knowledge"]).await;
    assert_eq!(place.served(place.hold()).await, Held::Best);
    place.warm_up.renderings = Arc::new(Renderings::beside(place.warm_up.vault.clone()));
    assert_eq!(place.held(), None, "memory is empty");
    let caller = place.warm_up.stop.admit().unwrap();
    place.served(place.warm_up.hold_quietly(vec![(SENTENCE.to_owned(), RATE)])).await;
    assert_eq!((place.asked(), place.held()), (1, Some("wyoming-voice")));
    drop(caller);
    place.end().await;
}

#[tokio::test]
async fn when_memory_is_full_sentences_are_rendered_all_the_same_and_played_from_the_store() {
    let place = Place::new(&["knowledge"]).await;
    let renderings = &place.warm_up.renderings;
    // 32 MB.
    assert!(renderings.hold("A story.", RATE, "piper-onbox", vec![0; 16 << 20]));
    assert_eq!(place.served(place.hold()).await, Held::Best);
    assert_eq!((place.asked(), place.held()), (1, None), "memory has no room for it");
    let speech = Speech { text: Private::new(SENTENCE.to_owned()), pace: 1.0 };
    // A disk that is slow is asked again, as the next caller would.
    let mut rendered = None;
    for _ in 0..50 {
        rendered = renderings.rendered(&speech, RATE).await;
        if rendered.is_some() {
            break;
        }
    }
    let rendered = rendered.expect("the store has it");
    assert_eq!((rendered.voice, rendered.sound.is_empty()), ("wyoming-voice", false));
    let slower = Speech { pace: 0.8, ..speech };
    assert_eq!(renderings.rendered(&slower, RATE).await, None);
    place.end().await;
}

#[tokio::test]
async fn when_memory_is_full_what_the_store_does_not_keep_is_not_ready() {
    let place = Place::new(&["knowledge"]).await;
    let warm_up = &place.warm_up;
    // 32 MB.
    assert!(warm_up.renderings.hold("A story.", RATE, "piper-onbox", vec![0; 16 << 20]));
    let samples = vec![1; 2 << 20];
    let kept = warm_up.keep(&warm_up.voices[0], SENTENCE, RATE, &samples).await;
    let held = warm_up.hold_or_leave(&warm_up.voices[0], SENTENCE, RATE, Sound { samples, kept });
    assert_eq!((kept, held), (Kept::TooLong, Held::TooLong), "shorter ones may be kept");
    let full = "CREATE TRIGGER full BEFORE INSERT ON renderings BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    warm_up.vault.do_to_index(full).await;
    let mut progress = Progress { ready: 0, total: 2 };
    let left = wanted(&[], &[SENTENCE, "Good evening."].map(str::to_owned), &[RATE]);
    let round = place.served(warm_up.round(left, &warm_up.gate(), &mut progress)).await.unwrap();
    assert_eq!(
        (round.again.len(), round.worst),
        (2, Held::NotKept),
        "both are tried again, when the disk may take them"
    );
    assert!(wait_after(round.worst, 1) > Some(LET_IT_BE));
    assert_eq!((progress.ready, place.asked()), (0, 1), "no other is rendered in vain");
    let speech = Speech { text: Private::new(SENTENCE.to_owned()), pace: 1.0 };
    assert_eq!(warm_up.renderings.rendered(&speech, RATE).await, None);
    place.end().await;
}

#[tokio::test]
async fn where_there_is_room_for_one_sentence_at_both_rates_only_the_next_is_rendered_in_vain() {
    let mut place = Place::new(&["knowledge"]).await;
    place.warm_up.rates = vec![RATE, SampleRate::Hz16000];
    let warm_up = &place.warm_up;
    // 32 MB, and 128 MB but for 12 KB: a sentence is 6.4 KB wide and half of it narrow.
    assert!(warm_up.renderings.hold("A story.", RATE, "piper-onbox", vec![0; 16 << 20]));
    let kept = key(&warm_up.voices[0], "A longer story.", RATE);
    assert!(warm_up.renderings.leave("A longer story.", RATE, "piper-onbox", kept, (64 << 20) - 6000));
    let left = wanted(&[], &["One.", "Two.", "Three."].map(str::to_owned), &warm_up.rates);
    let mut progress = Progress { ready: 0, total: left.len() };
    let round = place.served(warm_up.round(left, &warm_up.gate(), &mut progress)).await.unwrap();
    assert!(round.again.is_empty());
    assert_eq!((progress.ready, place.asked()), (2, 2));
    place.end().await;
}

#[tokio::test]
async fn near_the_ceiling_no_sentence_is_asked_of_the_voice_outside_and_it_is_when_there_is_room_again() {
    let place = Place::new(&["knowledge"]).await;
    for day_bytes in [1, 10_000, 30_000] {
        place.door.set_budget(Budget { day_bytes: Some(day_bytes), ..Budget::default() });
        assert_eq!(place.served(place.hold()).await, Held::Sparing, "{day_bytes}");
        assert_eq!((place.asked(), place.held()), (0, None), "{day_bytes}");
    }
    place.door.set_budget(Budget { day_bytes: Some(1_000_000), ..Budget::default() });
    assert_eq!(place.served(place.hold()).await, Held::Best);
    assert_eq!((place.asked(), place.held()), (1, Some("wyoming-voice")));
    place.end().await;
}

#[tokio::test]
async fn a_sound_too_short_for_its_words_is_neither_kept_nor_played_and_one_that_was_kept_is_made_again() {
    let place = Place::new(&["knowledge"]).await;
    let of_an_earlier_start = [1; 100];
    place.warm_up.keep(&place.warm_up.voices[0], SENTENCE, RATE, &of_an_earlier_start).await;
    assert!(!place.warm_up.hold_kept(SENTENCE, RATE).await);
    place.far.is_mute.store(true, Ordering::Relaxed);
    assert_eq!(place.served(place.hold()).await, Held::Unusable, "it is asked again later");
    assert_eq!((place.asked(), place.held()), (1, None));
    place.far.is_mute.store(false, Ordering::Relaxed);
    assert_eq!(place.served(place.hold()).await, Held::Best);
    assert_eq!((place.asked(), place.held()), (2, Some("wyoming-voice")));
    place.end().await;
}

#[tokio::test]
async fn a_voice_whose_sound_is_of_no_use_is_asked_for_one_sentence_a_round_and_for_another_in_the_next() {
    let place = Place::new(&["knowledge"]).await;
    place.far.is_mute.store(true, Ordering::Relaxed);
    let other = "Good evening.";
    let mut left = vec![(SENTENCE.to_owned(), RATE), (other.to_owned(), RATE)];
    for next in [other, SENTENCE] {
        let round = place.round(left).await;
        assert_eq!((round.worst, round.again.len()), (Held::Unusable, 2));
        assert_eq!(round.again[0].0, next);
        left = round.again;
    }
    assert_eq!(place.asked(), 2);
    place.far.is_mute.store(false, Ordering::Relaxed);
    let round = place.round(left).await;
    assert!(round.again.is_empty());
    assert_eq!((round.worst, place.asked(), place.held()), (Held::Best, 4, Some("wyoming-voice")));
    place.end().await;
}
