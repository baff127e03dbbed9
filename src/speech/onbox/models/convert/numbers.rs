//! The numbers of a GGML file that are not float32: float16 (IEEE 754
//! binary16) and `Q8_0`, in which 32 weights share one scale. It knows nothing
//! of tensors and their names.

/// Weights that share a scale.
pub const BLOCK: usize = 32;
/// The scale in float16, then the weights in one byte each.
pub const BLOCK_BYTES: usize = 2 + BLOCK;
/// The largest weight of a block, in steps of its scale.
const MOST_STEPS: f32 = 127.0;
/// The least half that is not subnormal, 2^-14, and the step below it, 2^-24.
const LEAST_NORMAL: f32 = 1.0 / 16_384.0;
const SUBNORMAL_STEP: f32 = 1.0 / 16_777_216.0;

/// `weights` as a block of `Q8_0`: a scale of which the largest weight is 127
/// steps, and each weight in whole steps, halves away from zero. The steps are
/// of the scale before it is rounded to float16, as in whisper.cpp. `None`
/// when a weight is infinite or not a number.
pub fn q8_0(weights: &[f32; BLOCK]) -> Option<[u8; BLOCK_BYTES]> {
    if !weights.iter().all(|weight| weight.is_finite()) {
        return None;
    }
    let largest = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
    let scale = largest / MOST_STEPS;
    let per_step = if scale > 0.0 { scale.recip() } else { 0.0 };
    let mut block = [0; BLOCK_BYTES];
    let (head, steps) = block.split_at_mut(2);
    head.copy_from_slice(&f32_to_f16(scale).to_le_bytes());
    for (step, weight) in steps.iter_mut().zip(weights) {
        #[allow(clippy::cast_possible_truncation)] // at most 127 either way
        let [byte] = ((weight * per_step).round() as i8).to_le_bytes();
        *step = byte;
    }
    Some(block)
}

/// The halves in `bytes`, little-endian, widened.
pub fn halves(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(2).map(|b| f16_to_f32(u16::from_le_bytes([b[0], b[1]])))
}

/// IEEE 754 half to single precision; exact, as every half is a single.
fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10) & 0x1F;
    let fraction = half & 0x3FF;
    match (exponent, fraction) {
        (0x1F, _) => f32::from_bits(sign | 0x7F80_0000 | u32::from(fraction) << 13),
        // Zero and the subnormals: the fraction counts steps.
        (0, steps) => f32::from_bits((f32::from(steps) * SUBNORMAL_STEP).to_bits() | sign),
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | u32::from(fraction) << 13),
    }
}

/// A single that is a number to the nearest half, to the even one of two.
fn f32_to_f16(single: f32) -> u16 {
    let magnitude = single.abs();
    let rounded = if magnitude < LEAST_NORMAL {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 1024, not negative
        let steps = (magnitude / SUBNORMAL_STEP).round_ties_even() as u32;
        steps
    } else {
        let bits = magnitude.to_bits() - ((127 - 15) << 23);
        let even = (bits >> 13) & 1;
        ((bits + 0xFFF + even) >> 13).min(0x7C00)
    };
    // 0x7C00, infinity, is the most that either way gives.
    let half = u16::try_from(rounded).unwrap_or(0x7C00);
    if single.is_sign_negative() { half | 0x8000 } else { half }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_widen_to_the_values_of_the_standard() {
        // IEEE 754-2019 binary16: 1, -2, the largest, the smallest subnormal, -0.
        for (half, single) in
            [(0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (0x0001, 2.0_f32.powi(-24)), (0x8000, -0.0)]
        {
            assert_eq!(f16_to_f32(half).to_bits(), f32::to_bits(single));
        }
        assert_eq!(f16_to_f32(0x7C00), f32::INFINITY);
        assert!(f16_to_f32(0x7E00).is_nan());
    }

    #[test]
    fn every_half_survives_and_what_lies_between_two_goes_to_the_nearer_or_the_even_one() {
        for half in 0..0x7BFF_u16 {
            let (low, high) = (f16_to_f32(half), f16_to_f32(half + 1));
            // Exact: eleven bits and one more fit a single.
            let middle = f32::midpoint(low, high);
            assert_eq!(f32_to_f16(low), half);
            assert_eq!(f32_to_f16(-low), half | 0x8000);
            assert_eq!(f32_to_f16(middle.next_down()), half);
            assert_eq!(f32_to_f16(middle), half + half % 2);
            assert_eq!(f32_to_f16(middle.next_up()), half + 1);
        }
        // From half a step above the largest half on, it is infinite.
        assert_eq!((f32_to_f16(65_519.9), f32_to_f16(65_520.0), f32_to_f16(f32::MAX)), (0x7BFF, 0x7C00, 0x7C00));
    }

    #[test]
    fn a_block_is_its_scale_and_then_its_weights_in_steps_of_it() {
        let mut weights = [0.0; BLOCK];
        // The largest is 127 x 0.5, so a step is 0.5: half of it rounds away from zero.
        (weights[0], weights[1], weights[2], weights[3]) = (63.5, -63.5, 0.25, -0.25);
        (weights[30], weights[31]) = (0.2, -20.0);
        let block = q8_0(&weights).unwrap();
        // 0.5 is 2^-1: exponent 14 of binary16, no fraction.
        assert_eq!(block[..2], (14_u16 << 10).to_le_bytes());
        assert_eq!(block[2..6], [127, 0x81, 1, 0xFF]);
        assert_eq!(block[6..32], [0; 26]);
        assert_eq!(block[32..], [0, 256_u16.wrapping_sub(40).to_le_bytes()[0]]);
    }

    #[test]
    fn a_block_of_nothing_is_nothing_and_one_without_numbers_is_refused() {
        assert_eq!(q8_0(&[0.0; BLOCK]), Some([0; BLOCK_BYTES]));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut weights = [1.0; BLOCK];
            weights[17] = bad;
            assert_eq!(q8_0(&weights), None);
        }
    }

    proptest! {
        #[test]
        fn a_weight_comes_back_within_half_a_step(bits in proptest::array::uniform32(0_u16..0x7C00), negative: u32) {
            let weights: [f32; BLOCK] = std::array::from_fn(|i| {
                let weight = f16_to_f32(bits[i]);
                if negative >> i & 1 == 1 { -weight } else { weight }
            });
            let block = q8_0(&weights).unwrap();
            let scale = f64::from(f16_to_f32(u16::from_le_bytes([block[0], block[1]])));
            let exact = f64::from(weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()))) / 127.0;
            // Besides the weight's own rounding, each step has the error of the scale's.
            let of_scale = f64::max(exact / 2048.0, f64::from(SUBNORMAL_STEP) / 2.0);
            for (weight, step) in weights.iter().zip(&block[2..]) {
                let back = f64::from(i8::from_le_bytes([*step])) * scale;
                prop_assert!((back - f64::from(*weight)).abs() <= exact * 0.5001 + 127.0 * of_scale);
            }
        }
    }
}
