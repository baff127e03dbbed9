//! What the vendors' own clients cannot show of the stand-ins: the faults that
//! are ordered, what is written down of what came, known words at their time,
//! Opus, and the server on the LAN. Needs the models.
#![allow(clippy::disallowed_methods, reason = "the test is a client of the stand-ins, and no part of the box")]
#![allow(clippy::panic, reason = "what tests share stands outside of them")]
#![allow(unsafe_code, reason = "the translation of libopus, which makes a test's packets, keeps the C interface")]

#[path = "providers/mod.rs"]
mod providers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use milu::media::SampleRate;
use milu::ops::SystemClock;
use milu::terms::Moment;
use providers::ears_query::{ListenV1, ListenV2, Query};
use providers::ears_sound::{Encoding, SoundDecoder};
use providers::facts::Facts;
use providers::mind_answer::{Answer, Block, Dialogue, Honesty, Role, ToolChoice, Turn, answer};
use providers::mind_request;
use providers::mind_tools::Tool;
use providers::world::{EARS_KEY, MIND_KEY, VOICE_KEY};
use providers::{FaultKind, FaultOrder, Options, Provider, Providers};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Longer than anything here takes, even on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// Long enough for what would come to have come.
const MOMENT: Duration = Duration::from_millis(700);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

struct StandIns {
    running: Providers,
    /// Ends after the stand-ins.
    _dir: TempDir,
}

impl std::ops::Deref for StandIns {
    type Target = Providers;

    fn deref(&self) -> &Providers {
        &self.running
    }
}

fn start(with: impl FnOnce(&Path, &mut Options)) -> StandIns {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::new(dir.path());
    with(dir.path(), &mut options);
    StandIns { running: Providers::start(options).expect("they start"), _dir: dir }
}

/// With the clinic's knowledge, and answers that take some seconds to write.
fn slow_mind() -> StandIns {
    start(|_, options| {
        options.knowledge = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/knowledge/clinic.toml"));
        options.mind_tokens_per_s = 4;
    })
}

/// With known words, so that the ears cost nothing.
fn knowing(words: &str) -> StandIns {
    start(|dir, options| {
        let file = dir.join("words.txt");
        std::fs::write(&file, words).expect("it is written");
        options.known_words = Some(file);
    })
}

async fn tls(port: u16, host: &str, ca: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn websocket(stand_ins: &Providers, provider: Provider, host: &str, path: &str) -> Result<Socket, Error> {
    let port = stand_ins.address(provider).port();
    let stream = tls(port, host, &stand_ins.ports().ca).await.expect("TLS");
    let mut request = format!("wss://{host}{path}").into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Token {EARS_KEY}").parse().expect("a header"));
    headers.insert("xi-api-key", VOICE_KEY.parse().expect("a header"));
    // Larger than the fault's oversized message, which is to be seen here.
    let mut config = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default();
    (config.max_message_size, config.max_frame_size) = (None, None);
    Ok(tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?.0)
}

const FLUX: &str = "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=16000&mip_opt_out=true";
const NOVA: &str = "/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000&interim_results=true&punctuate=true";

async fn ears(stand_ins: &Providers, path: &str) -> Socket {
    websocket(stand_ins, Provider::Ears, "api.deepgram.com", path).await.expect("it opens")
}

async fn voice(stand_ins: &Providers) -> Socket {
    let path = "/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/multi-stream-input?output_format=ulaw_8000&sync_alignment=true";
    websocket(stand_ins, Provider::Voice, "api.us.elevenlabs.io", path).await.expect("it opens")
}

async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time")
}

async fn text(socket: &mut Socket) -> String {
    match next(socket).await {
        Some(Ok(Message::Text(text))) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn message(socket: &mut Socket) -> Value {
    serde_json::from_str(&text(socket).await).expect("JSON")
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::Text(message.to_string().into())).await.expect("it is sent");
}

/// Speaks one sentence in a context of its own.
async fn speak(socket: &mut Socket, context: &str, words: &str) {
    say(socket, json!({ "text": " ", "context_id": context })).await;
    say(socket, json!({ "text": words, "context_id": context, "flush": true })).await;
}

fn question() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds/question-whole.wav");
    hound::WavReader::open(path).expect("a sound").into_samples::<i16>().map(|s| s.expect("a sample")).collect()
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Sends sound and silence after it, a frame at a time; when the first frame was sent.
async fn play(socket: &mut Socket, sound: &[i16], silence: Duration, frame: Duration) -> Moment {
    let clock = SystemClock::new();
    let mut all = sound.to_vec();
    all.extend(std::iter::repeat_n(0, usize::try_from(silence.as_millis()).expect("a length") * 16));
    let began = clock.now();
    for (n, samples) in (0..).zip(all.chunks(320)) {
        socket.send(Message::Binary(bytes(samples).into())).await.expect("it is sent");
        clock.sleep_until(began + frame * (n + 1)).await;
    }
    began
}

async fn mind(stand_ins: &Providers) -> TlsStream<TcpStream> {
    tls(stand_ins.address(Provider::Mind).port(), "api.anthropic.com", &stand_ins.ports().ca).await.expect("TLS")
}

const PRICE: &str = "How much is a malaria test?";

/// Asks the mind for a stream, on a connection that is closed after it.
async fn ask(stream: &mut TlsStream<TcpStream>, words: &str) {
    let body = json!({
        "model": "claude-haiku-5-5", "max_tokens": 200, "stream": true,
        "messages": [{ "role": "user", "content": words }],
    });
    post(stream, "/v1/messages", &body).await;
}

async fn post(stream: &mut (impl tokio::io::AsyncWrite + Unpin), path: &str, body: &Value) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: api.anthropic.com\r\nauthorization: Bearer {MIND_KEY}\r\nanthropic-version: \
         2026-10-21\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    stream.flush().await.expect("it is sent");
}

/// Reads until `wanted` has come, or the end.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), wanted: &str) -> (String, std::io::Result<()>) {
    let mut all = Vec::new();
    loop {
        let mut some = [0; 65_536];
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut some)).await.expect("in time");
        match count {
            Ok(0) => return (String::from_utf8_lossy(&all).into_owned(), Ok(())),
            Ok(count) => all.extend_from_slice(&some[..count]),
            Err(error) => return (String::from_utf8_lossy(&all).into_owned(), Err(error)),
        }
        let text = String::from_utf8_lossy(&all);
        if !wanted.is_empty() && text.contains(wanted) {
            return (text.into_owned(), Ok(()));
        }
    }
}

async fn answered(stand_ins: &Providers, words: &str) -> String {
    let mut stream = mind(stand_ins).await;
    ask(&mut stream, words).await;
    read_until(&mut stream, "").await.0
}

#[tokio::test]
async fn a_pulled_cable_lets_nothing_pass_until_it_is_put_back() {
    let stand_ins = slow_mind();
    let mut stream = mind(&stand_ins).await;
    ask(&mut stream, PRICE).await;
    assert!(read_until(&mut stream, "text_delta").await.0.contains("text_delta"));
    stand_ins.fault(FaultOrder::new(Provider::Mind, FaultKind::Stall));
    // What was on its way before arrives.
    let mut some = [0; 4_096];
    while tokio::time::timeout(MOMENT, stream.read(&mut some)).await.is_ok() {}
    let quiet = tokio::time::timeout(MOMENT * 2, stream.read(&mut some)).await;
    assert!(quiet.is_err(), "something passed: {quiet:?}");
    stand_ins.clear();
    let (rest, end) = read_until(&mut stream, "message_stop").await;
    assert!(end.is_ok() && rest.contains("message_stop"), "{rest}");
}

#[tokio::test]
async fn a_cut_connection_ends_in_the_middle_and_the_next_one_is_whole() {
    let stand_ins = slow_mind();
    let mut stream = mind(&stand_ins).await;
    ask(&mut stream, PRICE).await;
    assert!(read_until(&mut stream, "text_delta").await.0.contains("text_delta"));
    stand_ins.fault(FaultOrder::new(Provider::Mind, FaultKind::Cut).once());
    let (rest, end) = read_until(&mut stream, "message_stop").await;
    assert!(!rest.contains("message_stop"), "{rest}");
    assert!(end.is_err(), "TLS was closed with a goodbye");
    assert!(answered(&stand_ins, "Do you take card?").await.contains("message_stop"));
}

#[tokio::test]
async fn a_fault_that_is_ordered_for_later_comes_later_on_an_open_connection() {
    let stand_ins = knowing("Good morning.");
    let mut socket = ears(&stand_ins, FLUX).await;
    assert_eq!(message(&mut socket).await["type"], "Connected");
    let clock = SystemClock::new();
    let ordered = clock.now();
    stand_ins.fault(FaultOrder::new(Provider::Ears, FaultKind::Cut).after_ms(500));
    assert!(matches!(next(&mut socket).await, Some(Err(_)) | None));
    assert!(clock.now().since(ordered) >= Duration::from_millis(500));
}

#[tokio::test]
async fn a_throttled_connection_trickles() {
    let stand_ins = start(|_, options| options.mind_tokens_per_s = 0);
    stand_ins.fault(FaultOrder::new(Provider::Mind, FaultKind::Throttle));
    let mut stream = mind(&stand_ins).await;
    ask(&mut stream, PRICE).await;
    let clock = SystemClock::new();
    let began = clock.now();
    let (text, _) = read_until(&mut stream, "message_start").await;
    // 32 bytes in a tenth of a second.
    let least = Duration::from_millis(100) * u32::try_from(text.len() / 32).expect("a count");
    assert!(clock.now().since(began) + Duration::from_millis(200) >= least, "{} bytes", text.len());
}

/// Samples after which one update comes: a quarter of a second in whole frames.
const UPDATE: usize = 13 * 320;

#[tokio::test]
async fn each_fault_of_messages_spoils_one_message_of_each_protocol() {
    let stand_ins = knowing("Good morning.");
    let garbage = FaultOrder::new(Provider::Ears, FaultKind::Garbage).once();
    stand_ins.fault(garbage);
    let mut socket = ears(&stand_ins, FLUX).await;
    assert!(serde_json::from_str::<Value>(&text(&mut socket).await).is_err(), "garbage is JSON");

    stand_ins.fault(FaultOrder::new(Provider::Ears, FaultKind::Oversized).once());
    play(&mut socket, &[0; UPDATE], Duration::ZERO, Duration::ZERO).await;
    assert!(text(&mut socket).await.len() > 16 << 20);

    stand_ins.fault(FaultOrder::new(Provider::Ears, FaultKind::OutOfOrder).once());
    play(&mut socket, &[0; 2 * UPDATE], Duration::ZERO, Duration::ZERO).await;
    let numbers = [message(&mut socket).await, message(&mut socket).await].map(|m| m["sequence_id"].as_u64());
    assert_eq!(numbers[0], numbers[1].map(|n| n + 1), "{numbers:?}");

    stand_ins.fault(FaultOrder::new(Provider::Ears, FaultKind::ErrorAfter200).once());
    play(&mut socket, &[0; UPDATE], Duration::ZERO, Duration::ZERO).await;
    while let Some(Ok(Message::Text(text))) = next(&mut socket).await {
        if text.contains("\"Error\"") {
            return;
        }
    }
    panic!("no error came");
}

#[tokio::test]
async fn the_minds_stream_is_spoilt_in_its_own_ways() {
    let stand_ins = start(|_, options| options.mind_tokens_per_s = 0);
    let spoilt = |fault| stand_ins.fault(FaultOrder::new(Provider::Mind, fault).once());
    let data = |stream: &str| -> Vec<String> {
        stream.lines().filter_map(|row| row.strip_prefix("data: ")).map(str::to_owned).collect()
    };
    spoilt(FaultKind::Garbage);
    let rows = data(&answered(&stand_ins, PRICE).await);
    assert!(serde_json::from_str::<Value>(&rows[0]).is_err(), "{}", rows[0]);
    spoilt(FaultKind::OutOfOrder);
    let rows = data(&answered(&stand_ins, PRICE).await);
    assert!(rows[0].contains("ping") && rows[1].contains("message_start"), "{rows:?}");
    spoilt(FaultKind::Oversized);
    assert!(data(&answered(&stand_ins, PRICE).await)[0].len() > 16 << 20);
    spoilt(FaultKind::ErrorAfter200);
    let stream = answered(&stand_ins, PRICE).await;
    assert!(stream.starts_with("HTTP/1.1 200") && stream.contains("overloaded_error"), "{stream}");
    assert!(!stream.contains("message_stop"));
    assert!(answered(&stand_ins, PRICE).await.contains("message_stop"), "once is once");
}

#[tokio::test]
async fn whoever_is_silent_after_opening_opens_and_says_nothing() {
    let stand_ins = knowing("Good morning.");
    for provider in Provider::ALL {
        stand_ins.fault(FaultOrder::new(provider, FaultKind::SilentAfterOpen));
    }
    let mut flux = ears(&stand_ins, FLUX).await;
    assert!(tokio::time::timeout(MOMENT, flux.next()).await.is_err());
    let mut speaking = voice(&stand_ins).await;
    speak(&mut speaking, "one", "Good morning to you. ").await;
    assert!(tokio::time::timeout(MOMENT, speaking.next()).await.is_err());
    let mut stream = mind(&stand_ins).await;
    ask(&mut stream, PRICE).await;
    let (head, _) = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(tokio::time::timeout(MOMENT, stream.read(&mut [0; 16])).await.is_err());
}

#[tokio::test]
async fn known_words_are_interim_while_they_are_said_and_final_at_the_median_after_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let stand_ins = start(|_, options| {
        let file = dir.path().join("words.txt");
        std::fs::write(&file, "How much is it to see a doctor?\n\nAnd are you open on Saturday?\n").expect("written");
        (options.known_words, options.medians) = (Some(file), true);
    });
    let mut socket = ears(&stand_ins, NOVA).await;
    let clock = SystemClock::new();
    for wanted in ["How much is it to see a doctor?", "And are you open on Saturday?"] {
        let silence = Duration::from_millis(1_500);
        let mut interim = Vec::new();
        let began = play(&mut socket, &question(), silence, Duration::from_millis(20)).await;
        let played = clock.now().since(began);
        let results = loop {
            let results = message(&mut socket).await;
            if results["speech_final"] == true {
                break results;
            }
            interim.push(results["channel"]["alternatives"][0]["transcript"].as_str().expect("words").to_owned());
        };
        // It had come before all of the silence was sent.
        assert!(clock.now().since(began) < played + Duration::from_secs(1));
        let said = &results["channel"]["alternatives"][0];
        assert_eq!(said["transcript"], wanted);
        assert!(interim.iter().any(|words| !words.is_empty() && wanted.starts_with(words.as_str())), "{interim:?}");
    }
    say(&mut socket, json!({ "type": "CloseStream" })).await;
    while message(&mut socket).await["type"] != "Metadata" {}
    assert_eq!(stand_ins.seen(Provider::Ears).heard.len(), 2);
}

#[tokio::test]
async fn final_words_come_neither_before_the_delay_nor_long_after_it() {
    let delay = Duration::from_millis(900);
    let stand_ins = start(|dir, options| {
        let file = dir.join("words.txt");
        std::fs::write(&file, "Good morning.").expect("written");
        (options.known_words, options.ears_delay_ms) = (Some(file), Some(900));
    });
    let socket = ears(&stand_ins, &NOVA.replace("interim_results=true", "interim_results=false")).await;
    let (mut sending, mut receiving) = socket.split();
    let clock = SystemClock::new();
    let began = clock.now();
    let playing = async {
        let mut sound = question();
        sound.extend(std::iter::repeat_n(0, 16_000 * 3));
        for (n, samples) in (0..).zip(sound.chunks(320)) {
            sending.send(Message::Binary(bytes(samples).into())).await.expect("it is sent");
            clock.sleep_until(began + Duration::from_millis(20) * (n + 1)).await;
        }
    };
    let hearing = async {
        loop {
            let Some(Ok(Message::Text(text))) = receiving.next().await else { panic!("it ended") };
            let results: Value = serde_json::from_str(&text).expect("JSON");
            if results["speech_final"] == true {
                let last = &results["channel"]["alternatives"][0]["words"][1];
                return (clock.now(), last["end"].as_f64().expect("a time"));
            }
        }
    };
    let ((), (came, end)) = tokio::join!(playing, hearing);
    let after = came.since(began + Duration::from_secs_f64(end));
    // Sound is sent at its end: a frame's length earlier than it is spoken.
    assert!(after + Duration::from_millis(40) >= delay, "{after:?}");
    assert!(after < delay + Duration::from_millis(1_500), "{after:?}");
}

#[tokio::test]
async fn a_turn_of_known_words_ends_once_although_there_is_a_pause_in_it() {
    let stand_ins = knowing("How much is it?\nThank you.");
    let mut socket = ears(&stand_ins, &format!("{FLUX}&eager_eot_threshold=0.5&eot_threshold=0.8")).await;
    let mut sound = question();
    sound.extend(std::iter::repeat_n(0, 16_000 / 5));
    sound.extend(question());
    play(&mut socket, &sound, Duration::from_secs(2), Duration::from_millis(5)).await;
    say(&mut socket, json!({ "type": "CloseStream" })).await;
    let mut ends = Vec::new();
    while let Some(Ok(Message::Text(text))) = next(&mut socket).await {
        let told: Value = serde_json::from_str(&text).expect("JSON");
        if told["event"] == "EndOfTurn" {
            ends.push(told["transcript"].as_str().expect("words").to_owned());
        }
    }
    assert_eq!(ends, ["How much is it?"]);
}

#[tokio::test]
async fn without_sound_or_a_sign_of_life_the_ears_close() {
    let stand_ins = knowing("Good morning.");
    let mut socket = ears(&stand_ins, NOVA).await;
    let clock = SystemClock::new();
    let began = clock.now();
    clock.sleep_until(began + Duration::from_secs(5)).await;
    say(&mut socket, json!({ "type": "KeepAlive" })).await;
    match next(&mut socket).await {
        Some(Ok(Message::Close(Some(frame)))) => {
            assert_eq!(u16::from(frame.code), 1011);
            assert!(frame.reason.contains("net0001"), "{frame:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(clock.now().since(began) >= Duration::from_millis(14_900));
}

/// Speech as Opus packets of 20 ms, at 16 kHz.
fn opus_packets(samples: &[i16]) -> Vec<Vec<u8>> {
    use unsafe_libopus::{OPUS_APPLICATION_VOIP, opus_encode, opus_encoder_create, opus_encoder_destroy};
    let mut error = 0;
    // SAFETY: 16 kHz and one channel are among what it takes; `error` outlives the call.
    let encoder = unsafe { opus_encoder_create(16_000, 1, OPUS_APPLICATION_VOIP, &raw mut error) };
    assert!(!encoder.is_null(), "{error}");
    let packets = samples.chunks_exact(320).map(|frame| {
        let mut packet = vec![0; 1_275];
        // SAFETY: the encoder lives, `frame` has 320 samples and `packet` 1 275 bytes.
        let length = unsafe { opus_encode(encoder, frame.as_ptr(), 320, packet.as_mut_ptr(), 1_275) };
        packet.truncate(usize::try_from(length).expect("a packet"));
        packet
    });
    let packets = packets.collect();
    // SAFETY: created above, and used no more.
    unsafe { opus_encoder_destroy(encoder) };
    packets
}

/// What is final of a stream that is closed after `payloads`.
async fn transcript(stand_ins: &Providers, path: &str, payloads: impl Iterator<Item = Vec<u8>>) -> String {
    let mut socket = ears(stand_ins, path).await;
    for payload in payloads {
        socket.send(Message::Binary(payload.into())).await.expect("it is sent");
    }
    say(&mut socket, json!({ "type": "CloseStream" })).await;
    let mut words = Vec::new();
    loop {
        let told = message(&mut socket).await;
        if told["type"] == "Metadata" {
            return words.join(" ");
        }
        if told["is_final"] == true {
            words.push(told["channel"]["alternatives"][0]["transcript"].as_str().expect("words").to_owned());
        }
    }
}

#[tokio::test]
async fn opus_is_heard_like_plain_sound() {
    let stand_ins = start(|_, _| {});
    let plain = transcript(&stand_ins, NOVA, question().chunks(320).map(bytes)).await;
    let path = NOVA.replace("linear16", "opus").replace("16000", "48000");
    let opus = transcript(&stand_ins, &path, opus_packets(&question()).into_iter()).await;
    let words = |text: &str| text.to_lowercase().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let both = words(&plain).iter().filter(|word| words(&opus).contains(word)).count();
    assert!(both >= 4 && both * 4 >= words(&plain).len() * 3, "{plain:?} and {opus:?}");
    let seen = stand_ins.seen(Provider::Ears);
    assert!(seen.sound_ms >= 2 * 1_000 && seen.heard.contains(&plain) && seen.heard.contains(&opus), "{seen:?}");
}

#[tokio::test]
async fn everything_that_came_is_written_down_in_the_clear() {
    let stand_ins = knowing("Good morning.");
    let mut socket = ears(&stand_ins, &format!("{FLUX}&keyterm=Canary%20Street")).await;
    say(&mut socket, json!({ "type": "Configure", "keyterms": ["canary-in-a-message"] })).await;
    while message(&mut socket).await["type"] != "ConfigureSuccess" {}
    let mut speaking = voice(&stand_ins).await;
    speak(&mut speaking, "one", "Canary sings. ").await;
    while message(&mut speaking).await["isFinal"] != true {
        say(&mut speaking, json!({ "context_id": "one", "close_context": true })).await;
    }
    answered(&stand_ins, "canary-in-a-question").await;
    for (provider, canary) in [
        (Provider::Ears, "Canary%20Street"),
        (Provider::Ears, "canary-in-a-message"),
        (Provider::Voice, "Canary sings."),
        (Provider::Mind, "canary-in-a-question"),
    ] {
        let raw = String::from_utf8_lossy(&stand_ins.raw(provider)).into_owned();
        assert!(raw.contains(canary), "{provider:?}: {canary}");
    }
    let texts = |provider| stand_ins.seen(provider).texts;
    assert!(texts(Provider::Ears).contains(&"Canary Street".to_owned()));
    assert!(texts(Provider::Voice).contains(&"Canary sings. ".to_owned()));
    assert!(texts(Provider::Mind).contains(&"canary-in-a-question".to_owned()));
    let seen = stand_ins.seen(Provider::Ears);
    assert!(seen.hosts.contains_key("api.deepgram.com") && seen.headers.contains_key("authorization"));
    stand_ins.forget();
    assert_eq!(stand_ins.raw(Provider::Mind), b"");
}

#[tokio::test]
async fn the_impostor_is_found_out_by_whoever_checks_certificates() {
    let stand_ins = start(|_, _| {});
    let ports = stand_ins.ports();
    assert!(tls(ports.impostor, "api.deepgram.com", &ports.ca).await.is_err());
    assert!(tls(ports.ears, "api.elevenlabs.io", &ports.ca).await.is_err(), "another vendor's name");
    for host in ["api.deepgram.com", "api.eu.deepgram.com", "localhost"] {
        assert!(tls(ports.ears, host, &ports.ca).await.is_ok(), "{host}");
    }
}

#[tokio::test]
async fn the_server_on_the_lan_answers_whole_and_streamed_and_with_a_tool() {
    let stand_ins = slow_mind();
    let ask = async |body: Value| {
        let mut stream = TcpStream::connect(stand_ins.address(Provider::LanMind)).await.expect("it listens");
        post(&mut stream, "/v1/chat/completions", &body).await;
        read_until(&mut stream, "").await.0
    };
    let asked = |words: &str| json!([{ "role": "user", "content": words }]);
    let whole = ask(json!({ "model": "qwen", "messages": asked(PRICE), "temperature": 0.2 })).await;
    let body: Value = serde_json::from_str(whole.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let text = body["choices"][0]["message"]["content"].as_str().expect("words").to_owned();
    assert!(text.contains("three thousand, five hundred naira"), "{text}");
    let streamed = ask(json!({ "model": "qwen", "messages": asked(PRICE), "stream": true })).await;
    let rows: Vec<&str> = streamed.lines().filter_map(|row| row.strip_prefix("data: ")).collect();
    assert_eq!(rows.last(), Some(&"[DONE]"));
    let chunks = rows[..rows.len() - 1].iter().map(|row| serde_json::from_str::<Value>(row).expect("JSON"));
    let said: String = chunks.filter_map(|c| c["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
    assert_eq!(said, text);
    let tools = json!([{ "type": "function", "function": {
        "name": "put_through", "parameters": { "type": "object", "properties": { "who": { "type": "string" } } },
    } }]);
    let used = ask(json!({ "model": "qwen", "messages": asked("Can I speak to a person?"), "tools": tools })).await;
    assert!(used.contains("put_through") && used.contains("\"finish_reason\":\"tool_calls\""), "{used}");
}

#[tokio::test]
async fn a_sentence_that_was_spoken_once_needs_no_voice_again() {
    let cache = tempfile::tempdir().expect("a directory");
    let spoken = async |stand_ins: StandIns| {
        let mut socket = voice(&stand_ins).await;
        speak(&mut socket, "one", "Our clinic opens at eight in the morning. ").await;
        let first = message(&mut socket).await;
        (first["audio"].clone(), first["alignment"]["chars"].clone())
    };
    let first = spoken(start(|_, options| options.voice_cache = Some(cache.path().to_owned()))).await;
    assert!(first.0.as_str().is_some_and(|audio| audio.len() > 1_000), "{first:?}");
    let again = spoken(start(|dir, options| {
        options.voice_cache = Some(cache.path().to_owned());
        options.models = dir.join("no-models-here");
    }))
    .await;
    assert_eq!(again, first);
}

/// What the mind says to these words, told this much.
fn said_by_the_mind(prompt: &str, words: &str, tools: Vec<Tool>) -> Answer {
    let turns = vec![Turn { role: Role::User, blocks: vec![Block::Text(words.to_owned())] }];
    let dialogue = Dialogue { system: prompt.to_owned(), turns, tools, choice: ToolChoice::Auto };
    let facts = Facts::in_prompt(prompt);
    answer(&dialogue, facts.as_ref(), SystemClock::new().wall(), Honesty::Honest)
}

#[test]
fn the_mind_says_what_the_prompt_says_in_whatever_shape_it_stands_there() {
    const PROMPT: &str = "You answer the telephone. Never name a price of your own.\n\nWhat the business knows\n\n\
        Address: We are at 14 Akinwunmi Street.\n\n\
        How much is a malaria test? Can I test for malaria?: The test is ₦3,500.\n\n\
        Do you take card? How can I pay?: You can pay in cash or by card.\n";
    let says = |words: &str| said_by_the_mind(PROMPT, words, Vec::new()).text;
    assert!(says("How much is the malaria test please?").ends_with("The test is ₦3,500."));
    assert!(says("Can I pay by card?").ends_with("You can pay in cash or by card."));
    assert!(says("What is your address?").ends_with("We are at 14 Akinwunmi Street."));
    assert!(says("Who won the match?").contains("do not have that information"));
    let pairs = "Q: When do you open?\nA: We open at eight.\nQ: Do you sell shoes?\nA: No, we bake bread.";
    assert!(said_by_the_mind(pairs, "When do you open?", Vec::new()).text.ends_with("We open at eight."));
}

#[test]
fn a_note_is_followed_and_a_tool_is_used_where_nothing_settles_the_question() {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: String::new(),
        schema: json!({ "type": "object", "properties": { "question": { "type": "string" } } }),
    };
    let tools = || vec![tool("look_up_knowledge"), tool("take_message")];
    let noted = "Do you close early?\nNote from the box: it is noon. The box found: Today we close at six.";
    assert!(said_by_the_mind("Be brief.", noted, tools()).text.ends_with("Today we close at six."));
    let nothing = "Do you have parking?\nNote from the box: it is noon. The box found nothing for these words.";
    let used = said_by_the_mind("Be brief.", nothing, tools()).tool.expect("a tool");
    assert_eq!((used.name.as_str(), &used.input["question"]), ("look_up_knowledge", &json!("Do you have parking?")));
    let message = said_by_the_mind("Be brief.", "Please take a message for the doctor", tools());
    assert_eq!(message.tool.expect("a tool").name, "take_message");
}

#[test]
fn a_lie_names_another_number_whatever_stands_there() {
    for truth in ["It costs ₦3,500.", "We close at six in the evening.", "Yes, we do."] {
        let lie = providers::lie::contradicted(truth);
        assert_ne!(lie, truth);
    }
    assert_eq!(providers::lie::contradicted("We close at six."), "We close at nine.");
}

proptest::proptest! {
    #[test]
    fn whatever_a_client_sends_is_answered_and_not_a_panic(
        text in "\\PC{0,200}",
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
    ) {
        let query = Query::parse(&text);
        // Taken or refused: both are answers.
        drop((ListenV1::read(&query), ListenV2::read(&query)));
        drop(mind_request::read(&axum::http::HeaderMap::new(), text.as_bytes()));
        drop(mind_request::read(&axum::http::HeaderMap::new(), &bytes));
        for encoding in [Encoding::Linear16, Encoding::MuLaw, Encoding::ALaw, Encoding::Opus] {
            let mut decoder = SoundDecoder::new(encoding, SampleRate::Hz8000).expect("a decoder");
            drop(decoder.push(&bytes));
        }
    }
}
