use std::f64::consts::PI;

/// Half the filter's length, in samples of the lower rate.
const REACH: f64 = 16.0;

/// The pass band's share of half the lower rate; the rest is where the filter falls.
const PASS: f64 = 0.92;

/// Converts whole sounds between any two rates, with a sinc under Hann's window.
/// It is exact enough for speech and too slow for a call: files are converted
/// before anyone is rung.
pub fn convert(sound: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz {
        return sound.to_vec();
    }
    let (from, to) = (f64::from(from_hz), f64::from(to_hz));
    let step = from / to;
    // Above 1 the sound is thinned out and must be filtered for the new rate.
    let scale = (to / from).min(1.0);
    let cutoff = PASS * scale;
    let reach = REACH / scale;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length is positive and small")]
    let length = (sound.len() as f64 / step).round() as usize;
    (0..length).map(|n| at(sound, n as f64 * step, cutoff, reach)).collect()
}

/// The sound's value at `position`, between its samples.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions lie within the sound")]
fn at(sound: &[f32], position: f64, cutoff: f64, reach: f64) -> f32 {
    let first = (position - reach).ceil().max(0.0) as usize;
    let last = ((position + reach).floor() as usize).min(sound.len().saturating_sub(1));
    let (mut sum, mut weights) = (0.0, 0.0);
    for (n, sample) in sound.iter().enumerate().take(last + 1).skip(first) {
        let distance = n as f64 - position;
        let window = 0.5 + 0.5 * (PI * distance / reach).cos();
        let weight = sinc(cutoff * distance) * window * cutoff;
        sum += weight * f64::from(*sample);
        weights += weight;
    }
    // At the edges part of the filter lies outside; the rest speaks for it.
    if weights > 0.5 { (sum / weights) as f32 } else { sum as f32 }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32) -> Vec<f32> {
        (0..rate).map(|n| (f64::from(n) * hz / f64::from(rate) * 2.0 * PI).sin() as f32).collect()
    }

    fn rms(sound: &[f32]) -> f32 {
        (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32).sqrt()
    }

    #[test]
    fn a_tone_is_the_same_tone_at_another_rate() {
        for from in [8_000, 11_025, 22_050, 44_100, 48_000] {
            let converted = convert(&tone(1000.0, from), from, 16_000);
            let wanted = tone(1000.0, 16_000);
            assert_eq!(converted.len(), wanted.len());
            let error: Vec<f32> = converted.iter().zip(&wanted).map(|(a, b)| a - b).collect();
            assert!(rms(&error[100..15_900]) < 0.01, "{from}: {}", rms(&error[100..15_900]));
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_taken_away() {
        let folded = convert(&tone(12_000.0, 48_000), 48_000, 16_000);
        assert!(rms(&folded[100..15_900]) < 0.01, "{}", rms(&folded));
    }

    #[test]
    fn no_sound_gives_no_sound() {
        assert!(convert(&[], 44_100, 16_000).is_empty());
    }
}
