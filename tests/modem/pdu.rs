//! Text messages as the network side makes and reads them (3GPP TS 23.040 and
//! 23.038). It shares nothing with what it tests.

/// The default alphabet, in the order of its codes; the escape stands as itself.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// What follows an escape.
const EXTENSION: &[(u8, char)] = &[
    (0x0A, '\u{0c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// A part of a longer text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub reference: u8,
    pub total: u8,
    /// From 1.
    pub number: u8,
}

/// A text that the box gave to the modem (SMS-SUBMIT).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Submitted {
    pub to: String,
    pub text: String,
    pub reports: bool,
    /// (reference, total, number) of a part.
    pub part: Option<(u16, u8, u8)>,
    /// The message reference that the modem gave.
    pub reference: u8,
    #[serde(skip)]
    pub address: Vec<u8>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("reading what should be an SMS-SUBMIT: {0}")]
pub struct NoSubmit(pub &'static str);

fn code(c: char) -> Option<Vec<u8>> {
    if let Some(at) = ALPHABET.chars().position(|a| a == c).filter(|at| *at != 0x1B) {
        return u8::try_from(at).ok().map(|code| vec![code]);
    }
    EXTENSION.iter().find(|(_, e)| *e == c).map(|(code, _)| vec![0x1B, *code])
}

/// The codes of a text, when the default alphabet has all its letters.
pub fn septets(text: &str) -> Option<Vec<u8>> {
    let codes: Option<Vec<Vec<u8>>> = text.chars().map(code).collect();
    codes.map(|codes| codes.concat())
}

pub fn from_septets(codes: &[u8]) -> String {
    let mut text = String::new();
    let mut escaped = false;
    for &code in codes {
        if escaped {
            escaped = false;
            text.extend(EXTENSION.iter().find(|(c, _)| *c == code).map(|(_, letter)| *letter));
        } else if code == 0x1B {
            escaped = true;
        } else {
            text.extend(ALPHABET.chars().nth(usize::from(code)));
        }
    }
    text
}

/// Seven bits after another, after `fill` bits that a header left free.
pub fn pack(codes: &[u8], fill: usize) -> Vec<u8> {
    let bits = codes.len() * 7 + fill;
    let mut bytes = vec![0_u8; bits.div_ceil(8)];
    for (n, code) in codes.iter().enumerate() {
        for bit in 0..7 {
            if code >> bit & 1 == 1 {
                let at = fill + n * 7 + bit;
                bytes[at / 8] |= 1 << (at % 8);
            }
        }
    }
    bytes
}

pub fn unpack(bytes: &[u8], fill: usize, count: usize) -> Vec<u8> {
    (0..count)
        .map(|n| {
            (0..7).fold(0, |code, bit| {
                let at = fill + n * 7 + bit;
                let set = bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
                if set { code | 1 << bit } else { code }
            })
        })
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Digits in swapped halves, an F where they are odd.
fn semi_octets(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().map(|c| if c.is_ascii_digit() { c - b'0' } else { 0xA }).collect();
    digits.chunks(2).map(|pair| pair.get(1).copied().unwrap_or(0xF) << 4 | pair[0]).collect()
}

/// The address field: length, type and digits, or letters where it is no number.
fn address(who: &str) -> Vec<u8> {
    let digits = who.trim_start_matches('+');
    if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) {
        let kind = if who.starts_with('+') { 0x91 } else { 0x81 };
        let mut field = vec![u8::try_from(digits.len()).unwrap_or(u8::MAX), kind];
        field.extend(semi_octets(digits));
        return field;
    }
    let packed = pack(&septets(who).unwrap_or_default(), 0);
    let mut field = vec![u8::try_from(packed.len() * 2).unwrap_or(u8::MAX), 0xD0];
    field.extend(packed);
    field
}

/// 26 November 2026, 16:37:04, an hour ahead of Greenwich.
const STAMP: [u8; 7] = [0x62, 0x11, 0x62, 0x61, 0x73, 0x40, 0x40];

/// +2348030000000, a service centre.
const CENTRE: [u8; 9] = [0x08, 0x91, 0x32, 0x84, 0x30, 0x00, 0x00, 0x00, 0xF0];

/// An SMS-DELIVER with its service centre.
pub fn deliver(from: &str, text: &str, part: Option<Part>) -> Vec<u8> {
    let header = part.map_or_else(Vec::new, |p| vec![5, 0, 3, p.reference, p.total, p.number]);
    let mut pdu = CENTRE.to_vec();
    pdu.push(if part.is_some() { 0x44 } else { 0x04 });
    pdu.extend(address(from));
    pdu.push(0);
    match septets(text) {
        Some(codes) => {
            let fill = (7 - header.len() * 8 % 7) % 7;
            let length = (header.len() * 8 + fill) / 7 + codes.len();
            pdu.push(0x00);
            pdu.extend(STAMP);
            pdu.push(u8::try_from(length).unwrap_or(u8::MAX));
            pdu.extend(&header);
            pdu.extend(pack(&codes, fill));
        }
        None => {
            let body: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            pdu.push(0x08);
            pdu.extend(STAMP);
            pdu.push(u8::try_from(header.len() + body.len()).unwrap_or(u8::MAX));
            pdu.extend(&header);
            pdu.extend(body);
        }
    }
    pdu
}

/// An SMS-STATUS-REPORT of a text that was sent; `status` 0 is delivered.
pub fn report(of: &Submitted, status: u8) -> Vec<u8> {
    let mut pdu = CENTRE.to_vec();
    pdu.extend([0x06, of.reference]);
    pdu.extend(&of.address);
    pdu.extend(STAMP);
    pdu.extend(STAMP);
    pdu.push(status);
    pdu
}

/// The octets of the TPDU alone, as `CMGS`, `CMGR` and `CMT` count them.
pub fn tpdu_len(pdu: &[u8]) -> usize {
    pdu.len().saturating_sub(1 + usize::from(pdu.first().copied().unwrap_or(0)))
}

/// Reads an SMS-SUBMIT with its service centre.
pub fn submitted(pdu: &[u8]) -> Result<Submitted, NoSubmit> {
    let cut = NoSubmit("it is cut off");
    let mut at = 1 + usize::from(*pdu.first().ok_or(NoSubmit("it is empty"))?);
    let mut take = |count: usize| {
        let taken = pdu.get(at..at + count);
        at += count;
        taken
    };
    let first = take(1).ok_or(cut)?[0];
    if first & 0x03 != 0x01 {
        return Err(NoSubmit("its type is another"));
    }
    take(1).ok_or(NoSubmit("it is cut off"))?;
    let head = take(2).ok_or(NoSubmit("it is cut off"))?;
    let (digits, kind) = (usize::from(head[0]), head[1]);
    let field = take(digits.div_ceil(2)).ok_or(NoSubmit("its address is cut off"))?;
    let to: String =
        field.iter().flat_map(|byte| [byte & 0xF, byte >> 4]).take(digits).map(|d| char::from(b'0' + d)).collect();
    let to = if kind & 0x70 == 0x10 { format!("+{to}") } else { to };
    let mut address = head.to_vec();
    address.extend(field);
    let codes = take(2).ok_or(NoSubmit("it is cut off"))?;
    let scheme = codes[1];
    let validity = match first >> 3 & 3 {
        0 => 0,
        2 => 1,
        _ => 7,
    };
    take(validity).ok_or(NoSubmit("it is cut off"))?;
    let length = usize::from(take(1).ok_or(NoSubmit("it is cut off"))?[0]);
    let body = pdu.get(at..).unwrap_or_default();
    let header_len = if first & 0x40 == 0 { 0 } else { 1 + usize::from(*body.first().ok_or(NoSubmit("no header"))?) };
    let part = part_of(body.get(..header_len).unwrap_or_default());
    let text = if scheme & 0x0C == 0x08 {
        if body.len() != length {
            return Err(NoSubmit("its length is wrong"));
        }
        let units: Vec<u16> =
            body[header_len..].chunks(2).map(|two| u16::from_be_bytes([two[0], two[two.len() - 1]])).collect();
        String::from_utf16_lossy(&units)
    } else {
        if body.len() != (length * 7).div_ceil(8) {
            return Err(NoSubmit("its length is wrong"));
        }
        let fill = (7 - header_len * 8 % 7) % 7;
        let count = length.saturating_sub((header_len * 8 + fill) / 7);
        from_septets(&unpack(&body[header_len..], fill, count))
    };
    Ok(Submitted { to, text, reports: first & 0x20 != 0, part, reference: 0, address })
}

/// The concatenation of a user data header, of 8 or of 16 bits.
fn part_of(header: &[u8]) -> Option<(u16, u8, u8)> {
    let mut rest = header.get(1..)?;
    while let [kind, length, tail @ ..] = rest {
        let value = tail.get(..usize::from(*length))?;
        match (kind, value) {
            (0, [reference, total, number]) => return Some((u16::from(*reference), *total, *number)),
            (8, [high, low, total, number]) => return Some((u16::from_be_bytes([*high, *low]), *total, *number)),
            _ => rest = &tail[usize::from(*length)..],
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_code_is_what_a_huawei_stick_was_given() {
        // The note beside the recording reads *100#; its bits are *101#.
        assert_eq!(hex(&pack(&septets("*101#").expect("letters"), 0)), "AA182C3602");
        let packed = unhex("CE325C1EB6A7D9EE7C1AE47EB7CB72507DCEAE9FD3").expect("hex");
        assert_eq!(from_septets(&unpack(&packed, 0, packed.len() * 8 / 7)), "Nepravilnyi nomer uslugi");
    }

    #[test]
    fn a_submit_of_the_standards_example_is_read() {
        // SMS-SUBMIT "hellohello" to 46708251358, the example that manuals share.
        let pdu = unhex("0011000B916407281553F80000AA0AE8329BFD4697D9EC37").expect("hex");
        let read = submitted(&pdu).expect("a submit");
        assert_eq!((read.to.as_str(), read.text.as_str(), read.reports), ("+46708251358", "hellohello", false));
        assert_eq!(tpdu_len(&pdu), 23);
    }
}
