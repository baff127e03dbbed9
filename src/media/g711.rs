//! The two companding laws of ITU-T G.711. It turns samples into octets and back,
//! one for one, and keeps no state.

/// Linear values of the 256 codes of each law, on the 16 bit scale.
static A_LAW: [i16; 256] = table_of_a_law();
static MU_LAW: [i16; 256] = table_of_mu_law();

/// What mu-law adds before it takes the logarithm, on the 14 bit scale.
const MU_BIAS: i32 = 33;

/// The largest 14 bit magnitude that mu-law can code, bias included.
const MU_CLIP: i32 = 0x1FFF;

/// G.711 inverts every second bit of an A-law octet for the sake of old line codes.
const A_EVEN_BITS: u8 = 0x55;

/// One sample in A-law (G.711 table 1).
pub fn encode_a_law(sample: i16) -> u8 {
    // One's complement, so that the decision values of both signs are alike.
    let magnitude = i32::from(if sample < 0 { !sample } else { sample }) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = bits(magnitude) - 5;
        (segment << 4) + (magnitude >> segment)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (low_byte(code) | sign) ^ A_EVEN_BITS
}

/// The value of an A-law octet, on the 16 bit scale.
pub fn decode_a_law(code: u8) -> i16 {
    A_LAW[usize::from(code)]
}

/// One sample in mu-law (G.711 table 2).
pub fn encode_mu_law(sample: i16) -> u8 {
    let magnitude = (i32::from(if sample < 0 { !sample } else { sample }) >> 2) + MU_BIAS;
    let magnitude = if magnitude > MU_CLIP { MU_CLIP } else { magnitude };
    // The bias makes 6 bits the least, so the segment is 1 at least.
    let segment = bits(magnitude) - 5;
    let code = ((segment - 1) << 4) | ((magnitude >> segment) & 0x0F);
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(low_byte(code) | sign)
}

/// The value of a mu-law octet, on the 16 bit scale.
pub fn decode_mu_law(code: u8) -> i16 {
    MU_LAW[usize::from(code)]
}

const fn bits(value: i32) -> i32 {
    (32 - value.leading_zeros()).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "every code has 7 bits")]
const fn low_byte(code: i32) -> u8 {
    code.cast_unsigned() as u8
}

const fn table_of_a_law() -> [i16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let code = index ^ A_EVEN_BITS as usize;
        let segment = (code >> 4) & 7;
        let step = ((code & 0x0F) << 4) + 8;
        let magnitude = if segment == 0 { step } else { (step + 0x100) << (segment - 1) };
        table[index] = signed(magnitude, code & 0x80 == 0);
        index += 1;
    }
    table
}

const fn table_of_mu_law() -> [i16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let code = !index & 0xFF;
        let segment = (code >> 4) & 7;
        let magnitude = ((((code & 0x0F) << 3) + 0x84) << segment) - 0x84;
        table[index] = signed(magnitude, code & 0x80 != 0);
        index += 1;
    }
    table
}

#[expect(clippy::cast_possible_truncation, reason = "the largest value of either law is 32 256")]
const fn signed(magnitude: usize, is_negative: bool) -> i16 {
    let value = magnitude.cast_signed() as i16;
    if is_negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decoder values of G.711 at the ends of each segment: 13 bit for A-law, 14 for mu-law.
    const A_SEGMENT_ENDS: [(i16, i16); 8] =
        [(1, 31), (33, 63), (66, 126), (132, 252), (264, 504), (528, 1008), (1056, 2016), (2112, 4032)];
    const MU_SEGMENT_ENDS: [(i16, i16); 8] =
        [(0, 30), (33, 93), (99, 219), (231, 471), (495, 975), (1023, 1983), (2079, 3999), (4191, 8031)];

    #[test]
    fn the_segments_of_a_law_end_where_the_recommendation_says() {
        for (segment, (first, last)) in (0u8..).zip(A_SEGMENT_ENDS) {
            let code = 0x80 | (segment << 4);
            assert_eq!(decode_a_law(code ^ 0x55), first * 8, "segment {segment}");
            assert_eq!(decode_a_law((code | 0x0F) ^ 0x55), last * 8, "segment {segment}");
            assert_eq!(decode_a_law((code & 0x7F) ^ 0x55), -first * 8, "segment {segment}");
        }
    }

    #[test]
    fn the_segments_of_mu_law_end_where_the_recommendation_says() {
        for (segment, (first, last)) in (0u8..).zip(MU_SEGMENT_ENDS) {
            let code = segment << 4;
            assert_eq!(decode_mu_law(!code), first * 4, "segment {segment}");
            assert_eq!(decode_mu_law(!(code | 0x0F)), last * 4, "segment {segment}");
            assert_eq!(decode_mu_law(!(code | 0x80)), -first * 4, "segment {segment}");
        }
    }

    #[test]
    fn a_decoded_code_encodes_to_itself() {
        for code in 0..=255 {
            assert_eq!(encode_a_law(decode_a_law(code)), code, "A-law {code:#x}");
            // Mu-law has two zeros; the negative one encodes to the positive.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(encode_mu_law(decode_mu_law(code)), expected, "mu-law {code:#x}");
        }
    }

    #[test]
    fn a_sample_is_at_most_half_a_step_from_its_code() {
        // The largest input of each law on the 16 bit scale: 4096 and 8159 in the recommendation's units.
        for sample in (-32_636_i16..=32_635).step_by(3) {
            let magnitude = i32::from(sample).abs();
            let error = |value: i16| (i32::from(value) - i32::from(sample)).abs();
            let a_half_step = 8 << (bits(magnitude >> 8) - 1).max(0);
            assert!(error(decode_a_law(encode_a_law(sample))) <= a_half_step, "A-law {sample}");
            let mu_half_step = 4 << (bits((magnitude + 132) >> 7) - 1);
            assert!(error(decode_mu_law(encode_mu_law(sample))) <= mu_half_step, "mu-law {sample}");
        }
    }

    #[test]
    fn silence_has_the_idle_codes_of_the_telephone_network() {
        assert_eq!(encode_a_law(0), 0xD5);
        assert_eq!(encode_mu_law(0), 0xFF);
    }
}
