//! The engines of the box, for real: the voice speaks over a telephone's band,
//! the ears hear it, the judge of turns judges it. Needs the models, in
//! `.models/` or where `MILU_MODELS` says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share stands outside of them")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use milu::appliance::Config;
use milu::media::{Codec, Conversion, Decoder, Encoder, FRAME_OCTETS, Frame, Resampler, SampleRate};
use milu::speech::onbox::{
    MomentSource, Phonemizer, PiperVoice, Pool, PoolSize, Priority, SmartTurn, WhisperEars, rten_companion,
};
use milu::speech::{
    CallSetting, EarsError, EarsEvent, Heard, Hearing, Hints, SpeakRequest, Synthesizer, Transcriber, VoiceEvent,
};
use milu::terms::{Language, Moment, Private, RequestId, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

const FRAME: Duration = Duration::from_millis(20);

/// Long enough for the slowest box under the heaviest load.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file of the models, or a sentence that says how to get it.
fn model(name: &str) -> PathBuf {
    let dir = std::env::var_os("MILU_MODELS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".models"), PathBuf::from);
    let path = dir.join(name);
    assert!(path.exists(), "the model {} is missing: `make test` fetches it, or set MILU_MODELS", path.display());
    path
}

fn pool(threads: usize, queue: usize) -> Arc<Pool> {
    Pool::new("think", PoolSize { threads, queue }).unwrap()
}

fn voice_of(pool: Arc<Pool>, respellings: &[(&str, &str)]) -> PiperVoice {
    let respellings = respellings.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let phonemes = Phonemizer::new("espeak-ng", &respellings);
    let runtime = tokio::runtime::Handle::current();
    PiperVoice::load(&model("en_US-joe-medium.onnx"), phonemes, pool, TaskTracker::new(), runtime).unwrap()
}

fn voice() -> PiperVoice {
    voice_of(pool(2, 8), &[])
}

/// The clock of these tests stands still: nothing here depends on the time.
fn clock() -> MomentSource {
    Arc::new(|| Moment::START)
}

/// The ears take long to load and are made to be shared.
fn ears() -> &'static WhisperEars {
    static EARS: OnceLock<WhisperEars> = OnceLock::new();
    EARS.get_or_init(|| ears_of(pool(2, 16)))
}

fn ears_of(pool: Arc<Pool>) -> WhisperEars {
    ears_in(&model("whisper-base.q8_0.ggml.bin"), pool)
}

fn ears_in(whisper: &Path, pool: Arc<Pool>) -> WhisperEars {
    let smart_turn = SmartTurn::load(&model("smart-turn-v3.2-cpu.onnx")).unwrap();
    WhisperEars::load(whisper, smart_turn, pool, clock()).unwrap()
}

fn request(text: &str, pace: f32) -> SpeakRequest {
    SpeakRequest { utterance: UtteranceId(7), text: Private::new(text.to_owned()), rate: SampleRate::Hz8000, pace }
}

/// All that a voice sends for a text: the sound's pieces, and how it ended.
async fn spoken(voice: &PiperVoice, text: &str, pace: f32) -> (Vec<Vec<i16>>, VoiceEvent) {
    let (sound, mut events) = mpsc::channel(4);
    let _speaking = voice.open(&CallSetting::on_box(Hints::default())).speak(request(text, pace), sound);
    let mut pieces = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().expect("an utterance ends with an event") {
            VoiceEvent::Sound { samples, utterance, .. } => {
                assert_eq!(utterance, UtteranceId(7));
                pieces.push(samples);
            }
            end => return (pieces, end),
        }
    }
}

/// Through G.711 and back, as a call carries it, to the ears' rate.
fn over_the_telephone(sound: &[i16]) -> Vec<Frame> {
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcmu), Decoder::new(Codec::Pcmu));
    let mut widen = Resampler::new(Conversion::Hz8000ToHz16000);
    let mut heard = Vec::new();
    let silence = std::iter::repeat_n(Frame::silence(SampleRate::Hz8000), 15);
    let speech = sound.chunks(160).map(|chunk| Frame::from_samples(SampleRate::Hz8000, chunk));
    for frame in speech.chain(silence) {
        let mut octets = [0; FRAME_OCTETS];
        encoder.encode(&frame, &mut octets);
        decoder.push(&octets).unwrap();
        heard.push(widen.frame(&decoder.take().unwrap()));
    }
    heard
}

/// One call's ears, and what they answer.
struct Call {
    hearing: Box<dyn Hearing>,
    answers: mpsc::Receiver<EarsEvent>,
    at: Moment,
}

impl Call {
    fn open(ears: &WhisperEars, words: &[&str]) -> Self {
        let (tell, answers) = mpsc::channel(16);
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let hearing = ears.open(&CallSetting::on_box(Hints { language: Language::English, words }), tell);
        // Well after the beginning of time, so that a pre-roll has room.
        Self { hearing, answers, at: Moment::START + PATIENCE }
    }

    /// A turn of its own, after a pause longer than any pre-roll.
    fn hears(&mut self, frames: &[Frame]) {
        for _ in 0..25 {
            self.frame(&Frame::silence(SampleRate::Hz16000));
        }
        self.hearing.turn_began(self.at);
        frames.iter().for_each(|frame| self.frame(frame));
    }

    fn frame(&mut self, frame: &Frame) {
        self.at = self.at + FRAME;
        self.hearing.frame(frame, self.at);
    }

    async fn answer(&mut self) -> EarsEvent {
        tokio::time::timeout(PATIENCE, self.answers.recv()).await.expect("the ears answer").expect("they stay open")
    }

    async fn heard(&mut self, n: u32) -> Heard {
        self.hearing.decode(RequestId(n));
        match self.answer().await {
            EarsEvent::Heard(heard) => {
                assert_eq!(heard.request, RequestId(n));
                heard
            }
            other => panic!("{other:?}"),
        }
    }

    async fn turn_over(&mut self) -> f32 {
        self.hearing.judge(RequestId(0));
        match self.answer().await {
            EarsEvent::TurnOver { probability, .. } => probability,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_voice_says_over_a_telephone_the_ears_hear() {
    // Each with the words that carry its meaning.
    let sentences: [(&str, &[&str]); 6] = [
        ("Good morning, this is the clinic. How may I help you?", &["morning", "clinic", "help"]),
        ("We are open from eight in the morning until six in the evening.", &["open", "morning", "evening"]),
        ("How much is a consultation with the doctor?", &["much", "consultation", "doctor"]),
        ("I would like to bring my daughter on Saturday afternoon.", &["daughter", "saturday", "afternoon"]),
        ("Do you accept HMO cards at the Lekki clinic?", &["accept", "hmo", "cards", "lekki"]),
        ("Please tell the pharmacist that I will come tomorrow.", &["pharmacist", "tomorrow"]),
    ];
    let voice = voice();
    let mut call = Call::open(ears(), &["clinic", "Lekki", "HMO", "consultation"]);
    let (mut missed, mut total) = (Vec::new(), 0);
    for (n, (sentence, meaning)) in (0..).zip(sentences) {
        let (pieces, end) = spoken(&voice, sentence, 1.0).await;
        assert!(matches!(end, VoiceEvent::Done { .. }), "{end:?}");
        call.hears(&over_the_telephone(&pieces.concat()));
        let heard = call.heard(n).await;
        let words = heard.words.expose().to_lowercase();
        total += meaning.len();
        missed.extend(meaning.iter().filter(|word| !words.contains(**word)).map(|word| format!("{word} in: {words}")));
        assert!(heard.confidence.mean_log_probability > -0.7, "{:?}", heard.confidence);
        assert!(!heard.confidence.repeats && heard.confidence.compression < 2.4, "{:?}", heard.confidence);
        assert!(heard.sound > Duration::from_secs(1) && heard.sound < Duration::from_secs(6), "{:?}", heard.sound);
    }
    assert!(missed.len() * 10 <= total, "more than one word of ten was misheard: {missed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_that_hurry_and_slices_that_do_not_are_the_same_sound() {
    let voice = voice();
    // One clause of less than 2.2 s is one slice when it is rendered: the whole decode.
    let text = "We are open from eight until six.";
    let (pieces, _) = spoken(&voice, text, 1.0).await;
    assert!(pieces.len() >= 3, "{}", pieces.len());
    let kept = voice.render(Private::new(text.to_owned()), SampleRate::Hz8000).await.unwrap();
    assert_eq!(pieces.concat(), kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sound_is_short_and_the_sound_is_at_a_telephones_level() {
    let voice = voice();
    let text = "Good morning, this is the clinic. We are open every day until six in the evening. How may I help you?";
    let (pieces, _) = spoken(&voice, text, 1.0).await;
    assert!(pieces[0].len() < 8000 / 4, "the first piece has {} samples", pieces[0].len());
    let sound = pieces.concat();
    let peak = sound.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!(peak < 23_197, "{peak} is above -3 dBFS");
    let blocks: Vec<f64> =
        sound.chunks(160).map(|b| b.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / b.len() as f64).collect();
    let active: Vec<f64> = blocks.iter().copied().filter(|power| *power > 328.0_f64.powi(2)).collect();
    let level = 10.0 * (active.iter().sum::<f64>() / active.len() as f64 / 32_768.0_f64.powi(2)).log10();
    assert!((-21.0..=-15.0).contains(&level), "{level:.1} dBFS");
    // Between the sentences there is a pause, and at the end there is none.
    let quiet = |range: std::ops::Range<usize>| range.filter(|i| blocks[*i] < 100.0).count();
    assert!(quiet(0..blocks.len()) >= 2 * 15, "two pauses of about 350 ms");
    assert!(quiet(blocks.len() - 8..blocks.len()) <= 6, "no long silence after the last word");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_nobody_wants_any_more_stops() {
    let voice = voice();
    let (sound, mut events) = mpsc::channel(1);
    let long = "This sentence is said again and again. ".repeat(60);
    let speaking = voice.open(&CallSetting::on_box(Hints::default())).speak(request(&long, 1.0), sound);
    assert!(matches!(events.recv().await, Some(VoiceEvent::Sound { .. })));
    drop(speaking);
    let mut after = 0;
    while let Some(event) = tokio::time::timeout(PATIENCE, events.recv()).await.expect("the channel closes") {
        assert!(
            matches!(event, VoiceEvent::Sound { .. }),
            "a cancelled sentence is neither done nor failed: {event:?}"
        );
        after += 1;
    }
    // What lay in the channel, and what was on its way into it.
    assert!(after <= 2, "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slower_pace_takes_longer_and_a_pronunciation_changes_the_sound() {
    let plain = voice();
    let text = "Come to the Lekki clinic.";
    let length = |pieces: &[Vec<i16>]| pieces.iter().map(Vec::len).sum::<usize>();
    let (normal, _) = spoken(&plain, text, 1.0).await;
    let (slow, _) = spoken(&plain, text, 0.75).await;
    assert!(length(&slow) * 100 > length(&normal) * 115, "{} and {}", length(&slow), length(&normal));
    let (again, _) = spoken(&plain, text, 1.0).await;
    assert_eq!(normal, again, "the same words sound the same");
    let (said, _) = spoken(&voice_of(pool(1, 8), &[("Lekki", "lay key")]), text, 1.0).await;
    assert_ne!(normal, said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_cannot_be_spoken_ends_with_an_event_and_no_sound() {
    let voice = voice();
    let (pieces, end) = spoken(&voice, " … !? ", 1.0).await;
    assert!(pieces.is_empty() && matches!(end, VoiceEvent::Done { .. }), "{end:?}");
    let (pieces, end) = spoken(&voice, &"word ".repeat(2000), 1.0).await;
    assert!(pieces.is_empty() && matches!(end, VoiceEvent::Failed { .. }), "{end:?}");
    let (_, end) = spoken(&voice, "Hello", 9.0).await;
    assert!(matches!(end, VoiceEvent::Failed { .. }), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_silence_and_in_noise_the_ears_hear_nobody() {
    let mut call = Call::open(ears(), &[]);
    call.hears(&[Frame::silence(SampleRate::Hz16000); 60]);
    let silence = call.heard(1).await;
    assert_eq!(silence.words.expose(), "");
    assert!(silence.confidence.no_speech > 0.9);
    let mut seed = 1_u32;
    let mut hiss = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i16::try_from(seed >> 21).unwrap() - 1024
    };
    let noise: Vec<Frame> = (0..75)
        .map(|_| Frame::from_samples(SampleRate::Hz16000, &std::array::from_fn::<_, 320, _>(|_| hiss())))
        .collect();
    call.hears(&noise);
    let noise = call.heard(2).await;
    let doubtful = noise.confidence.mean_log_probability < -0.7 || noise.confidence.no_speech > 0.5;
    assert!(noise.words.expose().is_empty() || doubtful, "{:?} {}", noise.confidence, noise.words.expose());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_owners_hears_where_the_configuration_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let base = std::path::absolute(model("whisper-base.q8_0.ggml.bin")).unwrap();
    std::os::unix::fs::symlink(base, dir.path().join("our-own-ears.bin")).unwrap();
    let file = dir.path().join("milu.toml");
    let text = "[box]\nname = \"shop\"\nknowledge = \"shop.md\"\ndata_dir = \"data\"\n[speech]\n\
                whisper = \"our-own-ears.bin\"\n[[sip_line]]\nid = \"front-desk\"\n";
    std::fs::write(&file, text).unwrap();
    let config = Config::read(&file).unwrap();
    // No model of the list lies where the configuration has its models.
    assert!(!config.models_dir.exists());
    let ears = ears_in(&config.speech.whisper.file(&config.models_dir), pool(2, 16));
    let (pieces, _) = spoken(&voice(), "How much is a consultation with the doctor?", 1.0).await;
    let mut call = Call::open(&ears, &[]);
    call.hears(&over_the_telephone(&pieces.concat()));
    let heard = call.heard(1).await;
    assert!(heard.words.expose().contains("doctor"), "{}", heard.words.expose());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_request_replaces_an_older_one_and_abandoned_ones_are_not_answered() {
    let voice = voice();
    let (pieces, _) = spoken(&voice, "How much is a consultation with the doctor?", 1.0).await;
    let mut call = Call::open(ears(), &[]);
    call.hears(&over_the_telephone(&pieces.concat()));
    call.hearing.decode(RequestId(1));
    call.hearing.decode(RequestId(2));
    let newer = call.heard(3).await;
    assert!(newer.words.expose().contains("doctor"), "{}", newer.words.expose());
    call.hearing.decode(RequestId(4));
    call.hearing.judge(RequestId(5));
    call.hearing.abandon();
    assert!(call.heard(6).await.words.expose().contains("doctor"));
    assert!(call.answers.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ears_without_a_place_in_the_pool_say_so() {
    let pool = pool(1, 1);
    let ears = ears_of(Arc::clone(&pool));
    let mut call = Call::open(&ears, &[]);
    pool.stop();
    call.hearing.decode(RequestId(1));
    match call.answer().await {
        EarsEvent::Failed { request, error } => assert_eq!((request, error), (RequestId(1), EarsError::Overloaded)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_cannot_be_judged_has_its_words_all_the_same() {
    let pool = pool(1, 1);
    let mut call = Call::open(&ears_of(Arc::clone(&pool)), &[]);
    call.hears(&[Frame::silence(SampleRate::Hz16000)]);
    let (began, begun) = std::sync::mpsc::sync_channel(1);
    let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
    let work = move || {
        began.send(()).unwrap();
        assert!(held.recv().is_err());
    };
    pool.submit(Priority::Voice, work).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    // The only place of judgements is taken.
    pool.submit(Priority::Turn, || {}).unwrap();
    call.hearing.judge(RequestId(1));
    drop(release);
    assert!(call.heard(1).await.words.expose().is_empty(), "nobody spoke, and that was heard");
}

/// Sound that was judged by the reference too (see `tests/sounds/README.md`).
fn judged(name: &str) -> Vec<i16> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(name);
    hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).collect()
}

#[test]
fn the_judge_of_turns_agrees_with_the_reference_where_that_is_sure() {
    let smart_turn = SmartTurn::load(&model("smart-turn-v3.2-cpu.onnx")).unwrap();
    for (name, reference) in GOLDEN {
        let own = smart_turn.turn_over(&judged(name), &rten_companion()).unwrap();
        assert!((own - reference).abs() < 0.15, "{name}: {own} and {reference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_can_ask_whether_the_turn_is_over() {
    for (name, reference) in GOLDEN {
        let frames: Vec<Frame> =
            judged(name).chunks(320).map(|chunk| Frame::from_samples(SampleRate::Hz16000, chunk)).collect();
        let mut call = Call::open(ears(), &[]);
        call.hears(&frames);
        assert_eq!(call.turn_over().await > 0.5, reference > 0.5, "{name}");
    }
}

/// Probabilities from ONNX Runtime with its optimisations off: the model is
/// quantised, so runtimes differ by some hundredths even where all are sure.
const GOLDEN: [(&str, f32); 4] = [
    ("question-whole.wav", 0.9865),
    ("answer-whole.wav", 0.9730),
    ("thought-cut.wav", 0.0667),
    ("question-cut.wav", 0.1502),
];
