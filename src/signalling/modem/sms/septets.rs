//! Septets in octets (3GPP TS 23.038 section 6.1.2): the first septet stands in
//! the low bits of the first octet.

/// `count` septets, the first one `skip` bits into `octets`; fewer when the
/// octets end before.
pub(in super::super) fn unpack(octets: &[u8], skip: usize, count: usize) -> Vec<u8> {
    let mut septets = Vec::with_capacity(count.min(octets.len() * 8 / 7 + 1));
    for i in 0..count {
        let bit = skip + i * 7;
        let Some(&low) = octets.get(bit / 8) else { break };
        if bit + 7 > octets.len() * 8 {
            break;
        }
        let high = octets.get(bit / 8 + 1).copied().unwrap_or(0);
        let pair = u16::from_le_bytes([low, high]) >> (bit % 8);
        septets.push((pair & 0x7F).to_le_bytes()[0]);
    }
    septets
}

/// The octets of `septets` after `skip` bits of nothing.
pub(in super::super) fn pack(septets: &[u8], skip: usize) -> Vec<u8> {
    let mut octets = vec![0_u8; (skip + septets.len() * 7).div_ceil(8)];
    for (i, septet) in septets.iter().enumerate() {
        let bit = skip + i * 7;
        let [low, high] = (u16::from(septet & 0x7F) << (bit % 8)).to_le_bytes();
        octets[bit / 8] |= low;
        if high != 0 {
            octets[bit / 8 + 1] |= high;
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_is_packed_as_the_standard_shows_it() {
        // "hellohello" is the example that every description of SMS has.
        let octets = [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37];
        assert_eq!(pack(b"hellohello", 0), octets);
        assert_eq!(unpack(&octets, 0, 10), b"hellohello");
    }

    #[test]
    fn septets_after_a_header_stand_on_their_own_bounds() {
        for skip in 0..8 {
            assert_eq!(unpack(&pack(b"Lekki Phase 1", skip), skip, 13), b"Lekki Phase 1", "{skip}");
        }
    }

    #[test]
    fn no_septet_is_made_of_bits_that_are_not_there() {
        assert_eq!(unpack(&[0xFF, 0xFF], 0, 160).len(), 2);
        assert!(unpack(&[], 0, 160).is_empty());
        assert!(unpack(&[0xFF], 4, 1).is_empty());
    }
}
