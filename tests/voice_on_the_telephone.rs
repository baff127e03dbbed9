//! Speech as the telephone carries it, against the parts that must tell it from noise,
//! keys and echo. The speech is real synthesis: Debian's `espeak-ng` in a process.

use std::process::Command;
use std::time::Duration;

use milu::media::{
    Codec, Conversion, Decoder, EchoGuard, Encoder, FRAME_OCTETS, Frame, Level, Resampler, SampleRate, ToneDetector,
    VoiceActivity, VoiceFact,
};
use milu::terms::Moment;

const QUESTION: &str = "Good morning, please can you tell me whether you are open on Saturday afternoon?";
const GREETING: &str = "Welcome to the shop. This call is recorded so that we can help you. How can we help you today? \
                        You can ask about opening hours, prices, or where to find us.";

/// Speech at 8 kHz, brought to -20 dBFS.
fn speech(voice: &str, text: &str) -> Vec<i16> {
    let out = Command::new("espeak-ng").args(["-v", voice, "-s", "160", "--stdout", text]).output();
    let wav = out.expect("espeak-ng is installed (Debian package espeak-ng)").stdout;
    // espeak-ng writes a header of 44 octets with no true length, then 22.05 kHz mono.
    let samples: Vec<i16> = wav[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    let mut narrow = Vec::new();
    Resampler::new(Conversion::Hz22050ToHz8000).push(&samples, &mut narrow);
    let gain = 10.0_f32.powf((-20.0 - Level::of(&narrow).rms_dbfs) / 20.0);
    narrow.iter().map(|&s| (f32::from(s) * gain).clamp(-32_000.0, 32_000.0) as i16).collect()
}

/// A noise without memory, the same on every run.
fn noise(amplitude: f32) -> impl FnMut() -> f32 {
    let mut state = 22_222_u32;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        amplitude * (f32::from((state >> 16) as u16) / 32_768.0 - 1.0)
    }
}

/// What the far end of a G.711 call hears, in frames.
fn over_the_line(samples: &[i16]) -> Vec<Frame> {
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcma), Decoder::new(Codec::Pcma));
    let mut octets = [0; FRAME_OCTETS];
    let mut carry = |chunk: &[i16]| {
        encoder.encode(&Frame::from_samples(SampleRate::Hz8000, chunk), &mut octets);
        decoder.push(&octets).expect("20 ms");
        decoder.take().expect("20 ms")
    };
    samples.chunks(160).map(&mut carry).collect()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 8]
}

fn with_noise(samples: &[i16], amplitude: f32) -> Vec<i16> {
    let mut noise = noise(amplitude);
    samples.iter().map(|&s| (f32::from(s) + noise()) as i16).collect()
}

fn facts(samples: &[i16]) -> Vec<VoiceFact> {
    let mut up = Resampler::new(Conversion::Hz8000ToHz16000);
    let mut voice = VoiceActivity::new();
    let frames = over_the_line(samples);
    let each = frames.iter().zip(0u64..).filter_map(|(f, n)| voice.hear(&up.frame(f), Moment::from_micros(n * 20_000)));
    each.collect()
}

/// First and last sample above -40 dB of the peak, in milliseconds.
fn true_edges(samples: &[i16]) -> (i64, i64) {
    let loud: Vec<usize> =
        (0..samples.len() / 80).filter(|&i| Level::of(&samples[i * 80..(i + 1) * 80]).rms_dbfs > -50.0).collect();
    (loud[0] as i64 * 10, loud[loud.len() - 1] as i64 * 10 + 10)
}

fn ms_of(fact: &VoiceFact) -> i64 {
    match fact {
        VoiceFact::Started { at } | VoiceFact::Paused { at } => at.as_micros() as i64 / 1000,
    }
}

fn check_edges(found: &[VoiceFact], edges: (i64, i64), late_ms: i64) {
    let starts = matches!(found.first(), Some(VoiceFact::Started { .. }));
    assert!(starts && matches!(found.last(), Some(VoiceFact::Paused { .. })), "speech starts and pauses: {found:?}");
    let start_off = ms_of(&found[0]) - edges.0;
    let end_off = ms_of(&found[found.len() - 1]) - edges.1;
    assert!((-60..=late_ms).contains(&start_off), "start off by {start_off} ms: {found:?}");
    assert!((-late_ms..=120).contains(&end_off), "end off by {end_off} ms: {found:?}");
}

#[test]
fn a_question_starts_and_pauses_where_it_does() {
    for voice in ["en-gb", "en-gb+f3", "en-us+m5"] {
        let spoken = [silence(700), speech(voice, QUESTION), silence(900)].concat();
        let found = facts(&spoken);
        check_edges(&found, true_edges(&spoken), 100);
        assert!(found.len() <= 8, "{voice}: one sentence has few pauses: {found:?}");
    }
}

#[test]
fn a_caller_who_speaks_from_the_first_sample_is_noticed() {
    for voice in ["en-gb", "en-gb+f3"] {
        let spoken = [speech(voice, QUESTION), silence(900)].concat();
        check_edges(&facts(&spoken), true_edges(&spoken), 300);
    }
}

#[test]
fn quiet_callers_are_noticed_as_well() {
    for loss_db in [10.0, 20.0] {
        let clean = [silence(700), speech("en-gb", QUESTION), silence(900)].concat();
        let gain = 10.0_f32.powf(-loss_db / 20.0);
        let quiet: Vec<i16> = clean.iter().map(|&s| (f32::from(s) * gain) as i16).collect();
        check_edges(&facts(&quiet), true_edges(&clean), 250);
    }
}

#[test]
fn a_single_yes_is_noticed() {
    for voice in ["en-gb", "en-gb+f3"] {
        let found = facts(&[silence(500), speech(voice, "Yes."), silence(800)].concat());
        assert!(matches!(found[..], [VoiceFact::Started { .. }, VoiceFact::Paused { .. }]), "{voice}: {found:?}");
    }
}

#[test]
fn a_question_in_noise_starts_and_pauses_near_where_it_does() {
    let clean = [silence(2_000), speech("en-gb", QUESTION), silence(1_500)].concat();
    // -35 dBFS under speech at -20: 15 dB, a busy street.
    check_edges(&facts(&with_noise(&clean, 1_000.0)), true_edges(&clean), 250);
}

#[test]
fn facts_alternate_and_go_forward_in_time() {
    let text = "My number is zero eight zero three, one two three, four five six seven. I said. Well. Call me.";
    let found = facts(&[silence(300), speech("en-gb+f3", text), silence(600)].concat());
    let times: Vec<i64> = found.iter().map(ms_of).collect();
    assert!(times.is_sorted(), "{found:?}");
    assert!(found.chunks(2).all(|c| matches!(c, [VoiceFact::Started { .. }, VoiceFact::Paused { .. }])), "{found:?}");
}

#[test]
fn knocks_and_clicks_are_no_voice() {
    let mut samples = silence(4_000);
    let mut noise = noise(12_000.0);
    for start in [8_000, 14_000, 22_000] {
        for (i, sample) in samples[start..start + 400].iter_mut().enumerate() {
            *sample = (noise() * (-(i as f32) / 60.0).exp()) as i16;
        }
    }
    assert_eq!(facts(&samples), []);
}

#[test]
fn speech_presses_no_keys() {
    for voice in ["en-gb", "en-gb+f3", "en-us+m5", "en-gb+whisper"] {
        let mut detector = ToneDetector::new(SampleRate::Hz8000);
        let text = format!("{GREETING} {QUESTION} zero one two three four five six seven eight nine ten {GREETING}");
        let pressed = over_the_line(&speech(voice, &text)).iter().filter_map(|f| detector.hear(f)).count();
        assert_eq!(pressed, 0, "{voice}");
    }
}

/// The box's voice as it comes back: later, softer, and dulled by a telephone.
fn echo_of(sent: &[i16], delay_ms: usize, loss_db: f32) -> Vec<i16> {
    let gain = 10.0_f32.powf(-loss_db / 20.0);
    let mut last = 0.0;
    let dull = sent.iter().map(|&s| {
        last += 0.6 * (f32::from(s) - last);
        (last * gain) as i16
    });
    let mut back: Vec<i16> = silence(delay_ms).into_iter().chain(dull).collect();
    back.truncate(sent.len());
    with_noise(&back, 6.0)
}

struct Watched {
    /// Of the frames above -50 dBFS (or 20 dB under the loudest) in the span, how many are echo.
    echo: usize,
    active: usize,
}

fn watch(guard: &mut EchoGuard, sent: &[i16], heard: &[i16], span_ms: std::ops::Range<usize>) -> Watched {
    let (sent, heard) = (over_the_line(sent), over_the_line(heard));
    let loudest = heard.iter().map(|f| Level::of(f.samples()).rms_dbfs).fold(-96.0, f32::max);
    let mut watched = Watched { echo: 0, active: 0 };
    for (n, (sent, heard)) in sent.iter().zip(&heard).enumerate() {
        guard.hear(sent, heard);
        if span_ms.contains(&(n * 20)) && Level::of(heard.samples()).rms_dbfs > loudest - 20.0 {
            watched.active += 1;
            watched.echo += usize::from(guard.is_echo());
        }
    }
    watched
}

#[test]
fn the_boxs_own_voice_is_echo_at_any_delay_and_loss() {
    let sent = [silence(300), speech("en-gb+f3", GREETING)].concat();
    for delay_ms in [0, 20, 65, 133, 250, 377, 490] {
        for loss_db in [6.0, 15.0, 25.0, 35.0] {
            let mut guard = EchoGuard::new();
            let heard = echo_of(&sent, delay_ms, loss_db);
            let watched = watch(&mut guard, &sent, &heard, 1_500..20_000);
            let part = watched.echo as f32 / watched.active as f32;
            println!("echo {delay_ms} ms {loss_db} dB: {:.1} % of {}", part * 100.0, watched.active);
            assert!(part > 0.9, "{delay_ms} ms, {loss_db} dB: {part:.3} of {}", watched.active);
            assert!(guard.delay_ms().is_some_and(|d| d.abs_diff(delay_ms) <= 20), "{delay_ms}: {:?}", guard.delay_ms());
        }
    }
}

#[test]
fn a_caller_who_speaks_over_the_echo_is_not_echo() {
    let sent = [silence(300), speech("en-gb+f3", GREETING)].concat();
    for (delay_ms, loss_db) in [(65, 12.0), (250, 20.0), (377, 30.0)] {
        let mut heard = echo_of(&sent, delay_ms, loss_db);
        let caller = speech("en-us+m5", "No, stop. I only want to know whether you are open on Saturday.");
        let start = 4_000 * 8;
        for (sample, spoken) in heard[start..].iter_mut().zip(&caller) {
            *sample = sample.saturating_add(*spoken);
        }
        let mut guard = EchoGuard::new();
        let end_ms = 4_000 + caller.len() / 8;
        let watched = watch(&mut guard, &sent, &heard, 4_000..end_ms);
        let part = watched.echo as f32 / watched.active as f32;
        println!("double talk {delay_ms} ms {loss_db} dB: {:.1} % of {} echo", part * 100.0, watched.active);
        assert!(part < 0.15, "{delay_ms} ms, {loss_db} dB: {part:.3} of {} taken for echo", watched.active);
    }
}

#[test]
fn a_caller_on_a_line_without_echo_is_never_echo() {
    let sent = [silence(300), speech("en-gb+f3", GREETING)].concat();
    for voice in ["en-us+m5", "en-gb", "en-gb+f3"] {
        for start_ms in [0, 900, 2_200] {
            let mut heard = [silence(start_ms), speech(voice, QUESTION)].concat();
            heard.resize(sent.len(), 0);
            let mut guard = EchoGuard::new();
            let watched = watch(&mut guard, &sent, &heard, 0..20_000);
            let part = watched.echo as f32 / watched.active as f32;
            println!("no echo {voice} {start_ms}: {:.1} % of {}", part * 100.0, watched.active);
            assert!(part < 0.1, "{voice} from {start_ms} ms: {part:.3} of {}", watched.active);
        }
    }
}

#[test]
fn a_fifth_of_a_second_of_pause_is_reported_no_later_than_that() {
    let spoken = [silence(400), speech("en-gb", "Hello there."), silence(1_000)].concat();
    let mut up = Resampler::new(Conversion::Hz8000ToHz16000);
    let mut voice = VoiceActivity::new();
    let mut noticed = None;
    for (frame, n) in over_the_line(&spoken).iter().zip(0u64..) {
        let at = Moment::from_micros(n * 20_000);
        if let Some(VoiceFact::Paused { at: end }) = voice.hear(&up.frame(frame), at) {
            noticed = Some((at + Duration::from_millis(20)).since(end));
        }
    }
    let noticed = noticed.expect("the caller stops speaking");
    assert!(noticed <= Duration::from_millis(240), "{noticed:?}");
}

#[test]
fn echo_is_known_within_half_a_second_of_its_first_sound() {
    let sent = [silence(300), speech("en-gb+f3", GREETING)].concat();
    for (delay_ms, loss_db) in [(20, 10.0), (133, 20.0), (250, 15.0), (400, 25.0)] {
        let heard = echo_of(&sent, delay_ms, loss_db);
        let mut guard = EchoGuard::new();
        let mut first = None;
        let mut known = None;
        for (n, (sent, heard)) in over_the_line(&sent).iter().zip(&over_the_line(&heard)).enumerate() {
            guard.hear(sent, heard);
            let is_active = Level::of(heard.samples()).rms_dbfs > -20.0 - loss_db - 20.0;
            first = first.or(is_active.then_some(n));
            known = known.or(guard.is_echo().then_some(n));
        }
        let late_ms = known.zip(first).map(|(k, f)| k.saturating_sub(f) * 20);
        println!("echo after {delay_ms} ms at {loss_db} dB is known {late_ms:?} ms after its first sound");
        assert!(late_ms.is_some_and(|ms| ms <= 500), "{delay_ms} ms, {loss_db} dB: {late_ms:?}");
    }
}
