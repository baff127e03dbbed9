//! Hexadecimal figures, as modems write PDUs and coded texts.

/// The octets that `text` begins with, behind a quote if one is there: some modems
/// write a PDU in quotes. What follows the figures is left: modems put a stray quote or
/// padding behind them, and half an octet is none.
pub(in super::super) fn octets(text: &str) -> Vec<u8> {
    figures(text).chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Whether half an octet is behind the last whole one.
pub(in super::super) fn has_half_octet(text: &str) -> bool {
    !figures(text).len().is_multiple_of(2)
}

fn figures(text: &str) -> Vec<u8> {
    let text = text.trim();
    text.strip_prefix('"')
        .unwrap_or(text)
        .trim_start()
        .chars()
        .map_while(|c| c.to_digit(16))
        .filter_map(|n| n.try_into().ok())
        .collect()
}

/// Whether it is octets in figures and nothing else.
pub(in super::super) fn is_octets(text: &[u8]) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit)
}

/// In capital figures, as every modem takes them.
pub(in super::super) fn written(octets: &[u8]) -> String {
    let figure = |n: u8| char::from(if n < 10 { b'0' + n } else { b'A' + n - 10 });
    octets.iter().flat_map(|octet| [figure(octet >> 4), figure(octet & 0x0F)]).collect()
}
