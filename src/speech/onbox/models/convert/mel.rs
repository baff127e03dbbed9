//! Whisper's mel filter bank, by its formula.

/// Samples a second that Whisper hears.
const RATE: f64 = 16_000.0;
/// Points of its Fourier transform (25 ms).
const POINTS: usize = 400;
/// Frequencies that a real transform of so many points has.
pub const BINS: usize = POINTS / 2 + 1;
/// Bands of the two models that the box uses (large-v3 alone has 128).
pub const BANDS: usize = 80;

/// The scale of Slaney's Auditory Toolbox: straight up to 1 kHz (15 mel), then
/// logarithmic, 27 mel for a factor of 6.4.
const STRAIGHT_HZ: f64 = 200.0 / 3.0;
const BEND_HZ: f64 = 1000.0;
const BEND_MEL: f64 = BEND_HZ / STRAIGHT_HZ;

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < BEND_MEL { mel * STRAIGHT_HZ } else { BEND_HZ * ((mel - BEND_MEL) * log_step()).exp() }
}

/// Only for frequencies above the bend, which is where the top of the scale is.
fn high_hz_to_mel(hz: f64) -> f64 {
    BEND_MEL + (hz / BEND_HZ).ln() / log_step()
}

/// One row of [`BINS`] weights for each band: triangles between neighbouring
/// band edges, each of area 1 (Slaney's normalisation).
///
/// In double precision and rounded once, so that the last bit of a machine's
/// logarithm does not show.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // small integers; the rounding to f32 is meant
pub fn filters() -> Vec<[f32; BINS]> {
    let top = high_hz_to_mel(RATE / 2.0);
    let edges: Vec<f64> = (0..BANDS + 2).map(|n| mel_to_hz(top * n as f64 / (BANDS + 1) as f64)).collect();
    edges
        .windows(3)
        .map(|edge| {
            let (low, middle, high) = (edge[0], edge[1], edge[2]);
            std::array::from_fn(|bin| {
                let hz = bin as f64 * RATE / POINTS as f64;
                let rising = (hz - low) / (middle - low);
                let falling = (high - hz) / (high - middle);
                (rising.min(falling).max(0.0) * 2.0 / (high - low)) as f32
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_passes_through_its_published_points() {
        // Slaney 1998: 66.7 Hz a step below 1 kHz, 6.4 kHz is 27 steps above it.
        assert!((mel_to_hz(15.0) - 1000.0).abs() < 1e-9);
        assert!((mel_to_hz(42.0) - 6400.0).abs() < 1e-6);
        assert!((high_hz_to_mel(6400.0) - 42.0).abs() < 1e-9);
    }

    #[test]
    fn every_band_is_one_triangle_of_area_one_over_its_width() {
        for (n, band) in filters().iter().enumerate() {
            let first = band.iter().position(|w| *w > 0.0).unwrap();
            let last = band.iter().rposition(|w| *w > 0.0).unwrap();
            assert!(band[first..=last].iter().all(|w| *w > 0.0), "band {n} has a hole");
            let peak = (0..BINS).max_by(|a, b| band[*a].total_cmp(&band[*b])).unwrap();
            assert!(band[first..=peak].is_sorted() && band[peak..=last].is_sorted_by(|a, b| a >= b), "band {n}");
        }
        // Where a band is much wider than a bin, the sum of its samples times
        // the bin's width (40 Hz) is near its area.
        let wide: f32 = filters()[BANDS - 1].iter().sum::<f32>() * 40.0;
        assert!((wide - 1.0).abs() < 0.02, "{wide}");
    }
}
