//! A whole box whose callers are put through: `milu run` with a `[[handset]]`, and
//! a caller (Debian's baresip, or a SIM's) who asks for somebody by name. What each says
//! the other hears, the box says nothing between them, and the record says who it was.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;
mod the_box;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use milu::call::phrases;
use milu::line::sip::{SipLine, SipLineConfig};
use milu::line::{Leg, LegCommand, LegEvent, Line, MediaClock, MouthFrame, Offer};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::signalling::sip::Encoding;
use milu::terms::{EndCause, LineId, UtteranceId};
use modem::{Family, ModemOptions, Rack, one_of};
use serde_json::Value;
use the_box::callers::Baresip;
use the_box::{Setup, TheBox, said, sounds, text, until};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const KNOWLEDGE: &str = "business = \"Sunrise Bakery\"\n\
    [[person]]\nname = \"Mary Adams\"\nrole = \"manager\"\nnumber = \"0803 555 0101\"\nring = \"always\"\n";

const WANTED: &str = "Please, can I speak to Mary Adams?";
const CALLER_SAYS: &str = "I would like to order two loaves of bread for tomorrow morning.";
const PERSON_SAYS: &str = "Good afternoon. Our oven is broken today, please come on Saturday.";

/// Nobody says anything for so long.
const QUIET: usize = 100;

/// Seconds of sound that both have had of each other before one hangs up.
const TALK: usize = 14;

/// A telephone of the business: it answers who rings it, says what it is given, and keeps
/// what it hears.
struct Telephone {
    address: String,
    heard: Arc<Mutex<Vec<i16>>>,
    hang_up: CancellationToken,
}

impl Telephone {
    fn start(says: Vec<i16>) -> Self {
        let (told, address) = std::sync::mpsc::sync_channel(1);
        let (heard, hang_up): (Arc<Mutex<Vec<i16>>>, _) = (Arc::default(), CancellationToken::new());
        let (keeps, hung_up) = (heard.clone(), hang_up.clone());
        let runs = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let _in_it = runtime.enter();
            let clock = SystemClock::new().as_fn();
            let media_clock = MediaClock::start(clock.clone()).expect("a thread");
            let line = SipLine::bind(line_config(), clock, media_clock).expect("a free port");
            told.send(line.local_address()).expect("somebody waits for it");
            let (offers, mut offered) = mpsc::channel(1);
            let stop = CancellationToken::new();
            let served = runtime.spawn(Box::new(line).serve(offers, stop.clone()));
            runtime.block_on(async {
                let Some(Offer { leg, .. }) = offered.recv().await else { panic!("the line is served") };
                talk(leg, &says, &keeps, &hung_up).await;
                stop.cancel();
                served.await.expect("the line ends");
            });
        };
        std::thread::Builder::new().name("telephone".to_owned()).spawn(runs).expect("a thread");
        let address = address.recv().expect("the telephone has an address");
        Self { address: format!("sip:reception@{address}"), heard, hang_up }
    }

    fn heard(&self) -> Vec<i16> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn line_config() -> SipLineConfig {
    SipLineConfig {
        id: LineId::parse("telephone").expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 10_000..=19_998,
        max_calls: 1,
        rtp_timeout_ms: 60_000,
        country_code: "234".to_owned(),
        codecs: vec![Encoding::Pcma],
    }
}

/// One frame is said for each that is heard, until somebody hangs up.
async fn talk(mut leg: Leg, says: &[i16], keeps: &Mutex<Vec<i16>>, hung_up: &CancellationToken) {
    let mut says = says.chunks(SampleRate::Hz8000.frame_len());
    leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    let mut asked = false;
    loop {
        tokio::select! {
            event = leg.events.recv() => if matches!(event, None | Some(LegEvent::Ended { .. })) { return },
            () = hung_up.cancelled(), if !asked => {
                asked = true;
                leg.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
            }
            Some(ear) = leg.ears.recv() => {
                keeps.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(ear.frame.samples());
                let frame = Frame::from_samples(SampleRate::Hz8000, says.next().unwrap_or_default());
                let said = MouthFrame { epoch: leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: false };
                // A mouth that is full has been held up by this machine; the next frame fits.
                let _full = leg.mouth.queue.try_send(said);
            }
            Some(_) = leg.mouth.sent.recv() => {}
            Some(_) = leg.mouth.events.recv() => {}
        }
    }
}

fn setup(place: &Path, handset: &str) -> Setup {
    let knowledge = place.join("bakery.toml");
    std::fs::write(&knowledge, KNOWLEDGE).expect("the knowledge file is written");
    let sections =
        format!("[[handset]]\nid = \"reception\"\naddress = \"{handset}\"\npeople = [\"the manager\"]\nring_s = 30\n");
    Setup { knowledge, sections, ..Setup::default() }
}

/// A sound, and then silence for long enough.
fn then_quiet(place: &Path, name: &str, sound: &[i16]) -> std::path::PathBuf {
    sounds::write_wav(place, name, &[sound, &sounds::silence(QUIET)].concat())
}

fn is_box_turn(event: &Value, words: &str) -> bool {
    event["event"] == "turn" && event["turn"]["who"] == "box" && text(&event["turn"]["text"]).contains(words)
}

/// The words in the last `seconds` of what one of them received.
fn words(received: &[i16], seconds: usize) -> String {
    sounds::heard(&received[received.len().saturating_sub(seconds * sounds::HZ)..]).to_lowercase()
}

#[test]
fn a_caller_asks_for_somebody_and_both_hear_each_other_until_one_hangs_up() {
    let place = tempfile::tempdir().expect("a directory");
    // The person waits a moment for the caller, who begins at once.
    let person_says = [sounds::silence(7), sounds::speech(PERSON_SAYS)].concat();
    let person = Telephone::start(person_says);
    let the_box = TheBox::start(&setup(place.path(), &person.address));
    let mut caller = Baresip::start("+2348031112223", &then_quiet(place.path(), "quiet.wav", &[]));
    let watch = the_box.watch();
    caller.ring(&the_box);
    watch.until("the box asks what it can do", |event| is_box_turn(event, phrases::HELP));
    caller.play(&then_quiet(place.path(), "wanted.wav", &sounds::speech(WANTED)));
    watch.until("the caller is told", |event| is_box_turn(event, "I will put you through to Mary Adams"));
    let handed = watch.until("the person answers", |event| event["event"] == "transferred");
    assert_eq!(text(&handed["to"]), "Mary Adams");
    caller.play(&then_quiet(place.path(), "caller.wav", &sounds::speech(CALLER_SAYS)));
    until("both have spoken", || (person.heard().len() > TALK * sounds::HZ).then_some(()));
    person.hang_up.cancel();

    let record = the_box.record_of("8031112223");
    assert_eq!(
        (text(&record["outcome"]), text(&record["transferred_to"])),
        ("transferred", "Mary Adams"),
        "{record:#}"
    );
    assert_eq!(record["end_cause"]["q850"], 16, "{record:#}");
    assert!(said(&record, "box").last().is_some_and(|last| last.contains("Mary Adams")), "{record:#}");
    let shown = the_box.milu(&["calls", "show", text(&record["id"])]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("handed to Mary Adams"));
    assert!(!the_box.log().contains("8031112223"), "the log has the caller's number");

    // What is sent to the caller is kept as the box's leg, and so the person's voice.
    let played = the_box.milu(&["calls", "play", text(&record["id"])]);
    let ours = sounds::channel(&played.stdout, 1);
    let kept = words(&ours, TALK);
    let (file, _place) = caller.received();
    let by_caller = words(&sounds::channel(&std::fs::read(file).expect("it is there"), 0), TALK);
    let by_person = words(&person.heard(), TALK + 2);
    assert!(by_person.contains("bread"), "the person heard: {by_person}");
    for heard in [by_caller, kept] {
        assert!(heard.contains("oven") && heard.contains("saturday"), "the caller heard: {heard}");
    }
    the_box.stop();
}

/// The modem's clock is faster by as much as a bad crystal is.
const FASTER_PPM: i32 = 300;

#[test]
fn a_caller_of_the_sim_is_put_through_across_two_clocks() {
    let place = tempfile::tempdir().expect("a directory");
    let person_says = [sounds::silence(7), sounds::speech(PERSON_SAYS)].concat();
    let person = Telephone::start(person_says);
    let rack = Rack::new(place.path()).expect("a rack");
    let modem = rack.plug(ModemOptions { ppm: FASTER_PPM, ..one_of(Family::Quectel) }).expect("pseudo-terminals");
    let (at, sound) = (modem.at_path().expect("it is plugged in"), modem.pcm_path().expect("it has sound"));
    let mut setup = setup(place.path(), &person.address);
    setup.sections +=
        &format!("[[gsm_line]]\nid = \"sim\"\nprofile = \"quectel_ec2x\"\nport = {at:?}\nsound_port = {sound:?}\n");
    let the_box = TheBox::start(&setup);
    until("the modem is ready", || {
        (the_box.json(&["modem", "sim", "signal", "--json"])["state"] == "ready").then_some(())
    });
    let watch = the_box.watch();
    modem.ring("+2348031112223");
    watch.until("the box asks what it can do", |event| is_box_turn(event, phrases::HELP));
    modem.speak(&sounds::speech(WANTED));
    watch.until("the person answers", |event| event["event"] == "transferred");
    modem.speak(&sounds::speech(CALLER_SAYS));
    until("both have spoken", || (person.heard().len() > TALK * sounds::HZ).then_some(()));
    person.hang_up.cancel();

    let record = the_box.record_of("8031112223");
    assert_eq!((text(&record["line"]), text(&record["outcome"])), ("sim", "transferred"), "{record:#}");
    let by_caller = words(&modem.heard(), TALK);
    assert!(by_caller.contains("oven") && by_caller.contains("saturday"), "the caller heard: {by_caller}");
    let by_person = words(&person.heard(), TALK + 2);
    assert!(by_person.contains("bread"), "the person heard: {by_person}");
    let log = the_box.log();
    let counts = log.lines().find(|row| row.contains("caller and person have spoken")).expect("the log says so");
    assert!(counts.contains("ran_empty=0"), "{counts}");
    the_box.stop();
}
