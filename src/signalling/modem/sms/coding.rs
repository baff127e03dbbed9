//! The data coding scheme: the octet that says in which characters a text is
//! written (3GPP TS 23.038 sections 4 and 5).

/// The characters of a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Characters {
    /// Septets of the default alphabet, or of a national one that the header names.
    Gsm7,
    /// No text: what a program sends to a program, or pressed characters.
    Octets,
    /// UTF-16, the high octet first.
    Ucs2,
}

/// Something waits for the owner of the number (section 4, groups 1100 to 1110).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Waiting {
    VoiceMail,
    Fax,
    ElectronicMail,
    Other,
}

/// What the scheme of an SMS says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Coding {
    pub characters: Characters,
    /// 0 is shown at once and kept nowhere, 1 belongs to the equipment, 2 to the SIM,
    /// 3 to something that is plugged in.
    pub class: Option<u8>,
    /// What waits, and whether it still does.
    pub waiting: Option<(Waiting, bool)>,
    /// The scheme has a bit that is reserved: its characters are not sure.
    pub is_doubtful: bool,
}

impl Coding {
    /// The scheme of an SMS. Schemes that are reserved are read as the default
    /// alphabet, as the standard wants them.
    pub const fn of_sms(scheme: u8) -> Self {
        let characters = match scheme >> 4 {
            // Pressed text (bit 5) cannot be read: its octets are kept as they are.
            0x2 | 0x3 | 0x6 | 0x7 => Characters::Octets,
            0x0 | 0x1 | 0x4 | 0x5 => general(scheme),
            0xE => Characters::Ucs2,
            0xF if scheme & 0x04 != 0 => Characters::Octets,
            _ => Characters::Gsm7,
        };
        let has_class = matches!(scheme >> 4, 0x1 | 0x3 | 0x5 | 0x7 | 0xF);
        let waits = matches!(scheme >> 4, 0xC..=0xE);
        Self {
            characters,
            class: if has_class { Some(scheme & 0x03) } else { None },
            waiting: if waits { Some((what_waits(scheme), scheme & 0x08 != 0)) } else { None },
            is_doubtful: scheme & 0xFC == 0xF8,
        }
    }

    /// The characters of a USSD or cell broadcast scheme, and how many characters
    /// at the beginning name the language instead of saying something. Not every network
    /// sends them with these schemes, and not every modem shows them: whoever cuts them
    /// off looks whether they are there.
    pub const fn of_ussd(scheme: u8) -> (Characters, usize) {
        match scheme {
            // Two letters and a carriage return before the text.
            0x10 => (Characters::Gsm7, 3),
            // Two letters in septets take two octets: one character of two octets.
            0x11 => (Characters::Ucs2, 1),
            0x60..=0x7F => (Characters::Octets, 0),
            0x40..=0x5F | 0x90..=0x9F => (general(scheme), 0),
            _ if scheme >= 0xF0 && scheme & 0x04 != 0 => (Characters::Octets, 0),
            _ => (Characters::Gsm7, 0),
        }
    }
}

/// Bits 3 and 2 of the general groups.
const fn general(scheme: u8) -> Characters {
    match (scheme >> 2) & 0x03 {
        1 => Characters::Octets,
        2 => Characters::Ucs2,
        _ => Characters::Gsm7,
    }
}

const fn what_waits(scheme: u8) -> Waiting {
    match scheme & 0x03 {
        0 => Waiting::VoiceMail,
        1 => Waiting::Fax,
        2 => Waiting::ElectronicMail,
        _ => Waiting::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_of_schemes_names_its_characters() {
        let characters = |scheme| Coding::of_sms(scheme).characters;
        for scheme in [0x00, 0x03, 0x0C, 0x10, 0x13, 0x40, 0x80, 0xB0, 0xC0, 0xC8, 0xD0, 0xDB, 0xF0, 0xF1, 0xFB] {
            assert_eq!(characters(scheme), Characters::Gsm7, "{scheme:#04x}");
        }
        for scheme in [0x04, 0x14, 0x17, 0x44, 0x20, 0x28, 0x38, 0x60, 0xF4, 0xF5, 0xFF] {
            assert_eq!(characters(scheme), Characters::Octets, "{scheme:#04x}");
        }
        for scheme in [0x08, 0x18, 0x19, 0x48, 0xE0, 0xE8] {
            assert_eq!(characters(scheme), Characters::Ucs2, "{scheme:#04x}");
        }
    }

    #[test]
    fn a_class_and_what_waits_are_read_where_they_stand() {
        assert_eq!(Coding::of_sms(0xF0).class, Some(0));
        assert_eq!(Coding::of_sms(0x12).class, Some(2));
        assert_eq!(Coding::of_sms(0x02).class, None);
        assert_eq!(Coding::of_sms(0xC8).waiting, Some((Waiting::VoiceMail, true)));
        assert_eq!(Coding::of_sms(0xD2).waiting, Some((Waiting::ElectronicMail, false)));
        assert_eq!(Coding::of_sms(0xF8).waiting, None);
    }

    #[test]
    fn the_schemes_that_modems_give_with_ussd_are_known() {
        for scheme in [0, 1, 15, 240] {
            assert_eq!(Coding::of_ussd(scheme), (Characters::Gsm7, 0), "{scheme}");
        }
        assert_eq!(Coding::of_ussd(72), (Characters::Ucs2, 0));
        assert_eq!(Coding::of_ussd(68), (Characters::Octets, 0));
        assert_eq!(Coding::of_ussd(17), (Characters::Ucs2, 1));
    }
}
