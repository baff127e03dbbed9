//! How good a call sounded, estimated from what went wrong: the E-model of ITU-T G.107
//! with its default values, reduced to loss, delay and codec.

use super::Codec;

/// R without any impairment but the defaults of G.107 (table 3).
const BASIC_R: f32 = 93.2;

/// Equipment impairment and robustness to loss (ITU-T G.113 appendix I): G.711 with its
/// concealment. G.107 knows narrow band only; for G.722 the same is taken, which makes its
/// value cautious.
const fn impairment(codec: Codec) -> (f32, f32) {
    match codec {
        Codec::Pcma | Codec::Pcmu | Codec::G722 => (0.0, 25.1),
    }
}

/// What was measured over a call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Heard {
    pub codec: Codec,
    /// Packets lost or too late, in percent of those expected.
    pub loss_percent: f32,
    /// Delay from mouth to ear in milliseconds: network, jitter buffer and packets.
    pub one_way_delay_ms: f32,
}

/// The mean opinion score, 1.0 to 4.5 (G.107 annex B).
pub fn mean_opinion_score(heard: Heard) -> f32 {
    let r = transmission_rating(heard).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r)).max(1.0)
}

/// The rating factor R (G.107 section 7.1), with loss taken as random.
fn transmission_rating(heard: Heard) -> f32 {
    let (equipment, robustness) = impairment(heard.codec);
    let loss = heard.loss_percent.clamp(0.0, 100.0);
    let effective = equipment + (95.0 - equipment) * loss / (loss + robustness);
    BASIC_R - delay_impairment(heard.one_way_delay_ms.max(0.0)) - effective
}

/// Pure delay, in the usual straight-line form of G.107's Id: it hurts little up to
/// 177.3 ms and much more from there on.
fn delay_impairment(ms: f32) -> f32 {
    0.024 * ms + 0.11 * (ms - 177.3).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mos(loss_percent: f32, one_way_delay_ms: f32) -> f32 {
        mean_opinion_score(Heard { codec: Codec::Pcma, loss_percent, one_way_delay_ms })
    }

    #[test]
    fn a_clean_call_scores_what_the_recommendation_gives_for_its_defaults() {
        assert!((mos(0.0, 0.0) - 4.41).abs() < 0.01);
    }

    #[test]
    fn loss_and_delay_only_ever_make_it_worse() {
        let by_loss: Vec<f32> = (0..=100).map(|loss| mos(loss as f32, 50.0)).collect();
        let by_delay: Vec<f32> = (0..60).map(|step| mos(1.0, step as f32 * 10.0)).collect();
        for series in [by_loss, by_delay] {
            assert!(series.windows(2).all(|w| w[1] <= w[0]));
            assert!(series.iter().all(|&m| (1.0..=4.5).contains(&m)));
        }
    }

    #[test]
    fn five_percent_of_loss_is_still_understood_and_thirty_is_not() {
        assert!(mos(5.0, 100.0) > 3.5);
        assert!(mos(30.0, 100.0) < 2.6);
    }
}
