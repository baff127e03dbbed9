//! Plain signs for the fine ones: one curled quote would make a text need two
//! octets for every character, and cost its sender double.

/// `text` with plain signs. Letters stay as they are: they are people's names.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '‘' | '’' | '‚' | '‛' | '′' | '`' | '´' => plain.push('\''),
            '“' | '”' | '„' | '‟' | '″' | '«' | '»' => plain.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '•' | '·' => plain.push('-'),
            '…' => plain.push_str("..."),
            '×' => plain.push('x'),
            // How the naira is written where its sign is missing.
            '₦' => plain.push('N'),
            '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\t' => plain.push(' '),
            // Marks without width, which nobody sees.
            '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' => {}
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_signs_become_plain_and_letters_stay() {
        assert_eq!(plain("It’s “₦5,000” – see you…"), "It's \"N5,000\" - see you...");
        assert_eq!(plain("Ọlá\u{a0}Ṣadé"), "Ọlá Ṣadé");
    }
}
