//! The scripted modem, held to the recordings of real ones and to what it promises
//! to those who test with it.

#![allow(clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;

use std::path::Path;
use std::time::Duration;

use modem::pdu::{self, Part};
use modem::recording::{Case, Recording, Step};
use modem::{Family, Fault, Modem, ModemOptions, Rack, one_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::SerialStream;

/// It bounds a failure alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits of recordings are cut to this: their order is kept.
const HURRIED: Duration = Duration::from_millis(30);

struct Bench {
    rack: Rack,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { rack: Rack::new(dir.path()).expect("a rack"), _dir: dir }
    }

    fn plug(&self, options: ModemOptions) -> Modem {
        self.rack.plug(options).expect("pseudo-terminals")
    }
}

/// A port opened as the box opens it.
struct Host {
    port: SerialStream,
    read: Vec<u8>,
}

impl Host {
    fn open(path: &Path) -> Self {
        let builder = tokio_serial::new(path.to_string_lossy(), 115_200);
        Self { port: SerialStream::open(&builder).expect("the port opens"), read: Vec::new() }
    }

    fn of(modem: &Modem) -> Self {
        Self::open(&modem.at_path().expect("plugged in"))
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.port.write_all(bytes).await.expect("the modem reads");
    }

    /// Reads until what was read ends in `end`, and takes it.
    async fn until(&mut self, end: &str) -> String {
        let reading = async {
            loop {
                if let Some(at) = find(&self.read, end.as_bytes()) {
                    let rest = self.read.split_off(at + end.len());
                    return String::from_utf8_lossy(&std::mem::replace(&mut self.read, rest)).into_owned();
                }
                let mut bytes = [0; 4096];
                let len = self.port.read(&mut bytes).await.expect("the port lives");
                assert!(len > 0, "the port is gone");
                self.read.extend_from_slice(&bytes[..len]);
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read,
            Err(_) => panic!("waiting for {end:?} in vain, read {:?}", String::from_utf8_lossy(&self.read)),
        }
    }

    async fn ask(&mut self, command: &str) -> String {
        self.write(format!("{command}\r").as_bytes()).await;
        self.until("OK\r\n").await
    }

    /// The rows that the command gets, without blanks and its own last row.
    async fn rows(&mut self, command: &str) -> Vec<String> {
        let rows: Vec<String> =
            self.ask(command).await.split(['\r', '\n']).filter(|row| !row.is_empty()).map(str::to_owned).collect();
        rows[..rows.len() - 1].to_vec()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn quiet(family: Family) -> ModemOptions {
    ModemOptions { echo: false, ..one_of(family) }
}

/// How many bytes the modem said in the case.
async fn plays(bench: &Bench, name: &str, case: &Case) -> usize {
    const NUMBER: &str = "+2348031234567";
    let modem = bench.plug(quiet(Family::Huawei));
    let mut host = Host::of(&modem);
    modem.play_case(&case.clone().hurried(HURRIED));
    let mut expected = Vec::new();
    let mut said = 0_usize;
    for step in &case.steps {
        if let Step::Hear { pattern, .. } = step {
            // What comes before is read first, so that the order is that of the recording.
            host.expect(&expected, name).await;
            expected.clear();
            host.write(format!("{}\r", pattern.0.replace("{n}", NUMBER)).as_bytes()).await;
        }
        let bytes = step.said(NUMBER);
        said += bytes.len();
        expected.extend(bytes);
    }
    host.expect(&expected, name).await;
    said
}

impl Host {
    /// Exactly these bytes come next.
    async fn expect(&mut self, expected: &[u8], name: &str) {
        let mut read = std::mem::take(&mut self.read);
        let reading = async {
            let mut bytes = [0; 4096];
            while read.len() < expected.len() {
                let len = self.port.read(&mut bytes).await.expect("the port lives");
                read.extend_from_slice(&bytes[..len]);
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
        assert!(in_time, "{name}: {:?} of {:?}", String::from_utf8_lossy(&read), String::from_utf8_lossy(expected));
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(expected), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_modem_said_in_a_recording_it_says_byte_by_byte() {
    let bench = Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modem/recordings");
    let mut cases = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("recordings").map(|f| f.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    assert!(files.len() >= 27, "only {} recordings", files.len());
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        // Noise on a line is no text.
        let bytes = std::fs::read(&file).expect("a file");
        let recording = Recording::parse(&String::from_utf8_lossy(&bytes));
        let recording = recording.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(recording.header.iter().any(|(key, _)| key == "source"), "{name} names its source");
        let mut said = 0;
        for case in recording.cases {
            said += plays(&bench, &format!("{name} {}", case.name), &case).await;
            cases += 1;
        }
        assert!(said > 0, "{name}: a recording in which nothing is said");
    }
    assert!(cases > 150, "only {cases} cases");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_rings_is_answered_and_is_hung_up_by_either_side() {
    let bench = Bench::new();
    for family in Family::ALL {
        let modem = bench.plug(quiet(family));
        let mut host = Host::of(&modem);
        host.ask("AT+CLIP=1").await;
        modem.ring("+2348031234567");
        host.until("RING\r\n").await;
        let clip = host.until("145").await;
        assert!(clip.contains("+CLIP: \"+2348031234567\""), "{family:?} {clip}");
        // The second ring comes by itself.
        host.until("RING\r\n").await;
        host.write(b"AT+CLCC\r").await;
        host.until("+CLCC: 1,1,4,0,0,\"+2348031234567\",145").await;
        host.until("OK\r\n").await;
        host.ask("ATA").await;
        host.write(b"AT+CLCC\r").await;
        host.until("+CLCC: 1,1,0,0,0,\"+2348031234567\",145").await;
        modem.hang_up();
        host.until(if family == Family::Huawei { "^CEND:1,5,104,16\r\n" } else { "NO CARRIER\r\n" }).await;
        assert!(modem.calls().is_empty());
        modem.ring("");
        host.until("RING\r\n").await;
        host.until("\"\",128").await;
        host.ask("ATA").await;
        host.ask("AT+CHUP").await;
        assert!(modem.calls().is_empty(), "{family:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_family_switches_its_sound_on_as_it_does_in_life() {
    let bench = Bench::new();
    for (family, on) in
        [(Family::Huawei, "AT^DDSETEX=2"), (Family::Quectel, "AT+QPCMV=1,0"), (Family::Sim7600, "AT+CPCMREG=1")]
    {
        let modem = bench.plug(quiet(family));
        let mut host = Host::of(&modem);
        modem.ring("+2348031234567");
        host.ask("ATA").await;
        assert!(!modem.sounds(), "{family:?}");
        host.ask(on).await;
        assert!(modem.sounds(), "{family:?}");
        modem.hang_up();
        modem.until("the sound ends", |m| (!m.sounds()).then_some(())).await;
    }
}

fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (8000.0 * (n as f64 * 0.37).sin()) as i16).collect()
}

async fn in_a_call(bench: &Bench, options: ModemOptions) -> (Modem, Host, Host) {
    let modem = bench.plug(ModemOptions { gps_text: false, ..options });
    let mut host = Host::of(&modem);
    let pcm = Host::open(&modem.pcm_path().expect("a PCM port"));
    modem.ring("+2348031234567");
    host.ask("ATA").await;
    (modem, host, pcm)
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_both_ways_sample_by_sample() {
    let bench = Bench::new();
    let (modem, mut host, mut pcm) = in_a_call(&bench, quiet(Family::Quectel)).await;
    let said = tone(4000);
    modem.speak(&said);
    host.ask("AT+QPCMV=1,0").await;
    let mut down = Vec::new();
    let mut bytes = [0; 320];
    while down.len() < 2 * said.len() {
        pcm.port.read_exact(&mut bytes).await.expect("sound");
        down.extend_from_slice(&bytes);
        pcm.write(&bytes).await;
    }
    let came: Vec<i16> = down.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    assert_eq!(&came[..said.len()], &said[..]);
    let heard = modem.until("the echo is heard", |m| Some(m.heard()).filter(|heard| heard.len() >= said.len())).await;
    let at = heard.windows(160).position(|w| w == &said[..160]).expect("it begins somewhere");
    // A machine under load lets frames come late; those that came are whole.
    assert!(heard[at..].starts_with(&said[..320]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pcm_port_keeps_the_clock_that_it_was_given() {
    let bench = Bench::new();
    let (modem, mut host, mut pcm) = in_a_call(&bench, ModemOptions { ppm: 20_000, ..quiet(Family::Sim7600) }).await;
    host.ask("AT+CPCMREG=1").await;
    let began = tokio::time::timeout(PATIENCE, pcm.port.read_exact(&mut [0; 320])).await;
    began.expect("in time").expect("sound");
    // 102 frames in the time of 100: two percent are told from none within 2 s.
    let frames = async {
        let mut bytes = [0; 320];
        for _ in 0..204 {
            pcm.port.read_exact(&mut bytes).await.expect("sound");
        }
    };
    let (took, ()) = elapsed(frames).await;
    assert!(took >= Duration::from_millis(3_900), "{took:?}");
    assert!(modem.sound().frames_down >= 204);
}

async fn elapsed<T>(work: impl Future<Output = T>) -> (Duration, T) {
    #[expect(clippy::disallowed_methods, reason = "a clock is what is measured")]
    let began = std::time::Instant::now();
    let done = work.await;
    (began.elapsed(), done)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_sends_too_much_is_told_to_hold_and_to_go_on() {
    let bench = Bench::new();
    let (_modem, mut host, mut pcm) = in_a_call(&bench, quiet(Family::Quectel)).await;
    host.ask("AT+QPCMV=1,0").await;
    pcm.write(&[1; 8000]).await;
    host.until("+QPCMV: 0,0\r\n").await;
    host.until("+QPCMV: 1,0\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_run_over_a_quectels_sound_port_until_they_are_switched_off() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Quectel));
    let mut pcm = Host::open(&modem.pcm_path().expect("a PCM port"));
    pcm.until("$GPGGA").await;
    let mut host = Host::of(&modem);
    host.ask("AT+QGPSCFG=\"outport\",\"none\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sim7600_is_deaf_in_its_second_call_until_it_is_reset() {
    let bench = Bench::new();
    let modem = bench.plug(ModemOptions { second_call_deaf: true, ..quiet(Family::Sim7600) });
    let mut host = Host::of(&modem);
    for works in [true, false] {
        modem.ring("+2348031234567");
        host.ask("ATA").await;
        host.write(b"AT+CPCMREG=1\r").await;
        host.until(if works { "OK\r\n" } else { "ERROR\r\n" }).await;
        host.ask("AT+CHUP").await;
    }
    let before = modem.at_path();
    host.ask("AT+CRESET").await;
    let after = modem.until("back", |m| m.at_path().filter(|path| Some(path) != before.as_ref())).await;
    let mut host = Host::open(&after);
    host.until("PB DONE\r\n").await;
    modem.ring("+2348031234567");
    host.ask("ATA").await;
    host.ask("AT+CPCMREG=1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_sent_with_a_prompt_and_its_delivery_is_reported() {
    let bench = Bench::new();
    let modem = bench.plug(ModemOptions { echo: false, ..one_of(Family::Quectel) });
    let mut host = Host::of(&modem);
    host.ask("AT+CNMI=2,1,0,2,0").await;
    // "hellohello" to +46708251358 with a request for a report.
    let pdu = "0031000B916407281553F80000AA0AE8329BFD4697D9EC37";
    host.write(b"AT+CMGS=23\r").await;
    host.until("> ").await;
    host.write(format!("{pdu}\u{1a}").as_bytes()).await;
    host.until("+CMGS: 0\r\n").await;
    host.until("OK\r\n").await;
    let sent = modem.sent_texts();
    assert_eq!((sent[0].to.as_str(), sent[0].text.as_str()), ("+46708251358", "hellohello"));
    host.until("+CDSI: \"SR\",0\r\n").await;
    // It lies in a memory of its own, where a text has the same place in the other.
    modem.receive_text("+2348031234567", "How far?");
    host.until("+CMTI: \"ME\",0\r\n").await;
    assert!(!host.rows("AT+CMGR=0").await[1].contains("06000B916407281553F8"));
    host.ask("AT+CPMS=\"SR\"").await;
    let rows = host.rows("AT+CMGR=0").await;
    assert!(rows[1].contains("06000B916407281553F8"), "{rows:?}");
    host.ask("AT+CMGD=0").await;
    assert_eq!(modem.stored_texts(), 1);
    // Or it is told at once.
    host.ask("AT+CNMI=2,1,0,1,0").await;
    modem.report(&modem.sent_texts()[0], 0);
    host.until("+CDS: ").await;
    host.until("06000B916407281553F8").await;
    // A wrong length is refused, and the escape leaves the prompt.
    host.write(b"AT+CMGS=9\r").await;
    host.until("> ").await;
    host.write(format!("{pdu}\u{1a}").as_bytes()).await;
    host.until("+CMS ERROR: 304\r\n").await;
    host.write(b"AT+CMGS=23\r").await;
    host.until("> ").await;
    host.write(b"0031\x1b").await;
    host.until("OK\r\n").await;
    assert_eq!(modem.sent_texts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_arrive_are_listed_read_and_deleted() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Sim7600));
    let mut host = Host::of(&modem);
    host.ask("AT+CNMI=2,1,0,2,0").await;
    modem.receive_text("+2348031234567", "How far? Una dey open?");
    host.until("+CMTI: \"SM\",0\r\n").await;
    modem.receive_part("MTN", "naïve €", Part { reference: 7, total: 2, number: 2 });
    host.until("+CMTI: \"SM\",1\r\n").await;
    let rows = host.rows("AT+CMGL=4").await;
    assert_eq!(rows.len(), 4, "{rows:?}");
    let length = pdu::tpdu_len(&pdu::unhex(&rows[1]).expect("hex"));
    assert_eq!(rows[0], format!("+CMGL: 0,0,,{length}"));
    host.ask("AT+CMGD=0").await;
    host.write(b"AT+CMGR=0\r").await;
    host.until("+CMS ERROR: 321\r\n").await;
    assert_eq!(modem.stored_texts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_told_in_the_encoding_of_the_family() {
    let bench = Bench::new();
    let plain = bench.plug(quiet(Family::Quectel));
    let mut host = Host::of(&plain);
    host.ask("AT+CUSD=1,\"*310#\",15").await;
    assert!(host.until(",15\r\n").await.contains("+CUSD: 0,\"Your account balance is N1,234.50."));
    let packed = bench.plug(quiet(Family::Huawei));
    let mut host = Host::of(&packed);
    let code = pdu::hex(&pdu::pack(&pdu::septets("*323#").expect("letters"), 0));
    host.ask(&format!("AT+CUSD=1,\"{code}\",15")).await;
    let row = host.until(",15\r\n").await;
    let body = pdu::unhex(row.split('"').nth(1).expect("quoted")).expect("hex");
    let text = pdu::from_septets(&pdu::unpack(&body, 0, body.len() * 8 / 7));
    assert!(row.contains("+CUSD: 1,") && text.starts_with("1. Data balance\n2. Bonus"), "{row} {text}");
    let choice = pdu::hex(&pdu::pack(&pdu::septets("1").expect("letters"), 0));
    host.ask(&format!("AT+CUSD=1,\"{choice}\",15")).await;
    assert!(host.until(",15\r\n").await.contains("+CUSD: 0,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_costs_a_try_and_the_third_locks_the_sim() {
    let bench = Bench::new();
    let modem = bench.plug(ModemOptions { pin: Some("1234".to_owned()), ..quiet(Family::Quectel) });
    let mut host = Host::of(&modem);
    host.ask("AT+CMEE=1").await;
    assert_eq!(host.rows("AT+CPIN?").await, ["+CPIN: SIM PIN"]);
    for (pin, answer) in
        [("0000", "+CME ERROR: 16\r\n"), ("1111", "+CME ERROR: 16\r\n"), ("2222", "+CME ERROR: 12\r\n")]
    {
        host.write(format!("AT+CPIN=\"{pin}\"\r").as_bytes()).await;
        host.until(answer).await;
    }
    assert_eq!(host.rows("AT+CPIN?").await, ["+CPIN: SIM PUK"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_spoil_what_is_written_as_they_say() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Quectel));
    let mut host = Host::of(&modem);
    modem.fault(Fault::Inject { at_byte: 7, row: "+CSQN: 25,0".to_owned() });
    assert_eq!(host.ask("AT+CSQ").await, "\r\n+CSQ:\r\n+CSQN: 25,0\r\n 24,99\r\n\r\nOK\r\n");
    modem.fault(Fault::ExtraCr { on: true });
    host.write(b"AT+CSQ\r").await;
    assert_eq!(host.until("OK\r\r\n").await, "\r\r\n+CSQ: 24,99\r\r\n\r\r\nOK\r\r\n");
    modem.fault(Fault::Clear);
    modem.fault(Fault::Echo { on: true });
    assert_eq!(host.ask("AT").await, "AT\r\r\nOK\r\n");
    modem.fault(Fault::Echo { on: false });
    modem.fault(Fault::LoseFinal { count: 1 });
    host.write(b"AT+CSQ\r").await;
    assert_eq!(host.until("24,99\r\n").await, "\r\n+CSQ: 24,99\r\n");
    modem.fault(Fault::LoseAnswer { count: 1 });
    host.write(b"AT+CSQ\r").await;
    modem.until_written("AT+CSQ").await;
    assert_eq!(host.ask("AT").await, "\r\nOK\r\n");
    modem.fault(Fault::Split { gap_us: 0 });
    assert_eq!(host.ask("AT+CSQ").await, "\r\n+CSQ: 24,99\r\n\r\nOK\r\n");
    modem.fault(Fault::Whole);
    modem.fault(Fault::Garbage { bytes: 40 });
    assert!(host.ask("AT").await.len() > 6);
    modem.fault(Fault::Answer { rows: vec!["+CREG: 2,1".to_owned(), "OK".to_owned()] });
    assert_eq!(host.ask("AT+CSQ").await, "\r\n+CREG: 2,1\r\n\r\nOK\r\n");
    modem.fault(Fault::Stall { ms: 50 });
    assert_eq!(host.ask("AT+CSQ").await, "\r\n+CSQ: 24,99\r\n\r\nOK\r\n");
    modem.fault(Fault::Flood { count: 500, row: "^RSSI:20".to_owned() });
    assert_eq!(host.ask("AT").await.matches("^RSSI:20").count(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_says_what_it_says_in_place_of_the_modem() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Sim800));
    let mut host = Host::of(&modem);
    modem
        .play("< UNDER-VOLTAGE WARNNING\n> AT+CSCA?\n< +CME ERROR: 14\n> AT+CSCA?\n@ +0.01\n< +CSCA: \"\",129\n< OK\n>* AT+CBC\n! lose-final 1\n< +CBC: 0,3,3400\n< OK\n")
        .expect("a script");
    host.until("UNDER-VOLTAGE WARNNING\r\n").await;
    host.write(b"AT+CSCA?\r").await;
    host.until("+CME ERROR: 14\r\n").await;
    assert!(host.ask("AT+CSCA?").await.contains("\"\",129"));
    // The rules are used up: the modem itself answers.
    assert!(host.ask("AT+CSCA?").await.contains("+2348030000000"));
    for _ in 0..2 {
        assert!(host.ask("AT+CBC").await.contains("3400"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_that_vanishes_comes_back_under_another_name() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Quectel));
    let before = modem.at_path().expect("plugged in");
    let mut host = Host::open(&before);
    modem.fault(Fault::Vanish { back_after_ms: Some(50) });
    let mut bytes = [0; 16];
    let gone = tokio::time::timeout(PATIENCE, host.port.read(&mut bytes)).await.expect("in time");
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");
    let after = modem.until("back", Modem::at_path).await;
    assert_ne!(before, after);
    assert!(!before.exists());
    let mut host = Host::open(&after);
    host.until("+CPIN: READY\r\n").await;
    host.ask("AT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugged_modem_is_found_as_a_device_is() {
    let bench = Bench::new();
    let modem = bench.plug(quiet(Family::Quectel));
    let at = modem.at_path().expect("plugged in");
    let tty = bench.rack.sys().join("class/tty").join(at.file_name().expect("a name"));
    let real = std::fs::canonicalize(tty).expect("a link");
    let interface = real.ancestors().find(|dir| dir.join("bInterfaceNumber").exists()).expect("an interface");
    assert_eq!(std::fs::read_to_string(interface.join("bInterfaceNumber")).expect("text"), "02\n");
    let device = interface.parent().expect("a device");
    assert_eq!(std::fs::read_to_string(device.join("idVendor")).expect("text"), "2c7c\n");
    assert_eq!(device.file_name().expect("a name").to_string_lossy(), modem.usb_path());
}
