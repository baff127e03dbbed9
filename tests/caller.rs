//! The test caller against a SIP line of ours and a desk that the test plays:
//! what it says and when, what it hears, and what it measures.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use milu::caller::{Call, CallFailed, Converse, ReadStep, Script, Step, Told, VoiceOptions, Who, prepare};
use milu::line::sip::{RingOptions, SipCaller, SipLine, SipLineConfig};
use milu::line::{Leg, LegCommand, LegEvent, Line, MediaClock, MouthFrame, Offer, ReadClock};
use milu::media::{Frame, SampleRate};
use milu::signalling::sip::Encoding;
use milu::terms::{EndCause, LineId, Moment, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than any call here, even on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far a measured time may be off: the buffers between the two ends (the far
/// side's sound waits 40 to 120 ms in them) and a machine that does much else.
const SLACK_MS: u64 = 250;

#[expect(clippy::disallowed_methods, reason = "the test lends the lines a real clock")]
fn clock() -> ReadClock {
    let start = Instant::now();
    Arc::new(move || Moment::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

/// A line that is served on a port of its own.
struct Served {
    address: SocketAddr,
    offers: mpsc::Receiver<Offer>,
    stop: CancellationToken,
}

fn serve() -> Served {
    let config = SipLineConfig {
        id: LineId::parse("front-desk").expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 20_000..=29_999,
        max_calls: 4,
        rtp_timeout_ms: 30_000,
        country_code: "234".to_owned(),
        codecs: vec![Encoding::Pcma],
    };
    let clock = clock();
    let media = MediaClock::start(clock.clone()).expect("a thread");
    let line = SipLine::bind(config, clock, media).expect("a free port");
    let address = line.local_address();
    let (sender, offers) = mpsc::channel(8);
    let stop = CancellationToken::new();
    tokio::runtime::Handle::current().spawn(Box::new(line).serve(sender, stop.clone()));
    Served { address, offers, stop }
}

/// Rings `address` and carries the call through `script`.
async fn call(address: SocketAddr, script: Script) -> (Result<Converse, CallFailed>, Vec<Told>) {
    let clock = clock();
    let media = MediaClock::start(clock.clone()).expect("a thread");
    let caller = SipCaller::new(clock.clone(), media);
    let uri = format!("sip:clinic@{address}");
    let options = RingOptions { patience: Duration::from_secs(10), ..RingOptions::default() };
    let rung = clock();
    let leg = caller.ring(&uri, options).await.expect("rung");
    let call = Call { uri, leg, rung };
    let mut told = Vec::new();
    let stop = CancellationToken::new();
    let done = {
        let mut tell = |what| told.push(what);
        let converse = call.converse(script, None, &stop, &mut tell);
        tokio::time::timeout(PATIENCE, converse).await.expect("the call ends by itself")
    };
    caller.finish().await;
    (done, told)
}

async fn script(steps: &[Step]) -> Result<Script, ReadStep> {
    prepare(steps, &VoiceOptions { name: "en-gb".to_owned(), models_dir: "/nowhere".into() }).await
}

/// The desk's side of a call: it answers, and speaks when the test says so.
struct Desk {
    leg: Leg,
    heard: Vec<Frame>,
    digits: String,
    said: u32,
}

impl Desk {
    async fn answer(served: &mut Served) -> Self {
        let Offer { leg, .. } =
            tokio::time::timeout(PATIENCE, served.offers.recv()).await.expect("in time").expect("a call");
        leg.commands.send(LegCommand::Answer).await.expect("the line listens");
        Self { leg, heard: Vec::new(), digits: String::new(), said: 0 }
    }

    /// Says a sentence of espeak's; returns when it is queued.
    async fn say(&mut self, text: &str) {
        let sound = spoken(text).await;
        let frames = sound.chunks(160).count();
        self.said += 1;
        for (n, samples) in sound.chunks(160).enumerate() {
            let frame = MouthFrame {
                epoch: self.leg.mouth.epoch(),
                utterance: UtteranceId(self.said),
                frame: Frame::from_samples(SampleRate::Hz8000, samples),
                last: n + 1 == frames,
            };
            self.leg.mouth.queue.send(frame).await.expect("the line plays");
        }
    }

    /// Listens for so many frames (20 ms each).
    async fn listen(&mut self, frames: usize) -> bool {
        for _ in 0..frames {
            if !self.take().await {
                return false;
            }
        }
        true
    }

    /// Listens until the caller has spoken and been silent for `silence` frames.
    async fn listen_to_a_turn(&mut self, silence: usize) {
        let (mut voiced, mut quiet) = (0, 0);
        while voiced < 10 || quiet < silence {
            assert!(self.take().await, "the caller hung up without a word");
            let loud = self.heard.last().is_some_and(|f| f.samples().iter().any(|s| s.unsigned_abs() > 600));
            voiced += usize::from(loud);
            quiet = if loud { 0 } else { quiet + 1 };
        }
    }

    /// The next 20 ms; false at the end of the call.
    async fn take(&mut self) -> bool {
        loop {
            tokio::select! {
                Some(ear) = self.leg.ears.recv() => {
                    self.heard.push(ear.frame);
                    return true;
                }
                event = self.leg.events.recv() => match event {
                    Some(LegEvent::Digit { digit, .. }) => self.digits.push(digit),
                    Some(LegEvent::Ended { .. }) | None => return false,
                    Some(_) => {}
                },
            }
        }
    }

    async fn until_the_end(&mut self) {
        while self.take().await {}
    }
}

/// Speech at 8 kHz, without the silence around it.
async fn spoken(text: &str) -> Vec<i16> {
    let output = tokio::process::Command::new("espeak-ng").args(["--stdout", "-v", "en-us", text]).output();
    let wav = output.await.expect("espeak-ng is installed").stdout;
    let wide = hound::WavReader::new(&wav[..]).expect("a WAV").into_samples::<i16>().map_while(Result::ok);
    let mut resampler = milu::media::Resampler::new(milu::media::Conversion::Hz22050ToHz8000);
    let mut narrow = Vec::new();
    resampler.push(&wide.collect::<Vec<_>>(), &mut narrow);
    let loud = |s: &i16| s.unsigned_abs() > 600;
    let first = narrow.iter().position(loud).expect("a voice");
    let last = narrow.iter().rposition(loud).expect("a voice");
    narrow[first..=last].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_greets_back_in_turn_and_measures_what_it_waited_for() {
    let mut served = serve();
    let address = served.address;
    let script = script(&[Step::Say("When do you open on Saturday?".to_owned())]).await.expect("prepared");
    let desk = async {
        let mut desk = Desk::answer(&mut served).await;
        desk.say("Good morning, this is the clinic. How may I help you today?").await;
        desk.listen_to_a_turn(50).await;
        desk.say("We open at nine o'clock in the morning and close at two.").await;
        desk.until_the_end().await;
    };
    let ((done, told), ()) = tokio::join!(call(address, script), desk);
    let done = done.expect("a whole call");
    let report = &done.report;
    let who: Vec<Who> = report.turns.iter().map(|t| t.who).collect();
    assert_eq!(who, [Who::Far, Who::Caller, Who::Far], "{report:?}");
    let gap = report.turns[1].started_ms - report.turns[0].ended_ms;
    assert!((700..700 + SLACK_MS).contains(&gap), "the caller took the floor after {gap} ms");
    let waited = report.turns[2].voice_to_voice_ms.expect("measured");
    assert!((1000..1000 + 2 * SLACK_MS).contains(&waited), "the desk answered after a second: {waited} ms");
    assert_eq!((report.end_cause.name, report.end_cause.q850), ("normal-clearing", 16));
    assert!(report.first_sound_ms.is_some_and(|ms| ms < 1000), "{report:?}");
    assert!(matches!(told[0], Told::Answered { codec: "PCMA", .. }), "{told:?}");
    assert_eq!(told.len(), 4, "the answer and every turn are told");
    let seconds = |samples: &[i16]| samples.len() as f64 / f64::from(done.rate.hz());
    let length = report.duration_ms as f64 / 1000.0;
    assert!((seconds(&done.heard) - length).abs() < 0.5 && (seconds(&done.sent) - length).abs() < 0.5);
    served.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interruption_is_measured_until_the_far_side_is_silent_and_keys_arrive_in_order() {
    let mut served = serve();
    let address = served.address;
    let steps = [Step::Interrupt("Stop, please stop talking.".to_owned()), Step::Press("12#".to_owned())];
    let script = script(&steps).await.expect("prepared");
    let desk = async {
        let mut desk = Desk::answer(&mut served).await;
        desk.say(
            "Good morning, this is the clinic, and I shall tell you everything about us, one thing after another.",
        )
        .await;
        // It stops 200 ms after it hears the caller's first loud frame.
        desk.listen_to_a_turn(0).await;
        desk.leg.mouth.silence();
        desk.listen_to_a_turn(40).await;
        desk.say("I am sorry. Please press a key on your telephone now.").await;
        while desk.digits.len() < 3 {
            assert!(desk.listen(1).await, "the caller hung up before its keys: {}", desk.digits);
        }
        desk.say("Thank you very much. That is all we need.").await;
        desk.until_the_end().await;
        desk.digits
    };
    let ((done, _), digits) = tokio::join!(call(address, script), desk);
    let report = done.expect("a whole call").report;
    assert_eq!(digits, "12#");
    let greeting = &report.turns[0];
    let began = report.turns[1].started_ms - greeting.started_ms;
    assert!((1000..1000 + SLACK_MS).contains(&began), "the caller broke in after {began} ms");
    let silent = greeting.interrupted_after_ms.expect("measured");
    assert!((200..200 + 2 * SLACK_MS).contains(&silent), "{silent} ms");
    assert!(report.turns.iter().any(|t| t.text.as_deref() == Some("[keys 12#]")), "{report:?}");
    served.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_far_side_that_hangs_up_first_ends_the_call_well() {
    let mut served = serve();
    let address = served.address;
    let script = script(&[Step::Wait(Duration::from_secs(60))]).await.expect("prepared");
    let desk = async {
        let mut desk = Desk::answer(&mut served).await;
        desk.listen(25).await;
        desk.leg.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
        desk.until_the_end().await;
    };
    let ((done, _), ()) = tokio::join!(call(address, script), desk);
    let report = done.expect("a whole call").report;
    assert_eq!((report.turns.len(), report.end_cause.q850), (0, 16));
    served.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_call_is_told_in_one_sentence_with_its_cause() {
    let mut served = serve();
    let address = served.address;
    let desk = async {
        let offer = served.offers.recv().await.expect("a call");
        offer.leg.commands.send(LegCommand::Reject(EndCause::UserBusy)).await.expect("the line listens");
        offer
    };
    let ((done, told), _offer) = tokio::join!(call(address, Script::default()), desk);
    let failed = done.expect_err("nobody answered");
    assert!(matches!(failed, CallFailed::NotAnswered { cause: EndCause::UserBusy, .. }), "{failed:?}");
    assert!(failed.to_string().contains("it is busy"), "{failed}");
    assert!(told.is_empty());
    served.stop.cancel();
}

#[tokio::test]
async fn a_step_that_cannot_be_done_is_refused_before_anyone_is_rung() {
    let missing = script(&[Step::Play("/nowhere/hello.wav".into())]).await;
    assert!(matches!(missing, Err(ReadStep::Play(_))), "{missing:?}");
    assert!(matches!(script(&[Step::Press("7e".to_owned())]).await, Err(ReadStep::Key { key: 'E' })));
}
