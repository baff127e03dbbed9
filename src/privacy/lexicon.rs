//! What a word means to the redactor, in English and Pidgin as they are spoken
//! in Nigeria and as recognisers write them, and digits in Hausa, Igbo and Yoruba.

use std::sync::LazyLock;

/// What a number near the word is likely to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cue {
    Card,
    CardCode,
    Expiry,
    Bvn,
    Nin,
    Account,
    /// "My phone", "call me on".
    Phone,
    Email,
    Pin,
    /// A password or code sent to be used once.
    OneTimeCode,
    /// "Code": of which sort, other words say.
    Code,
    /// "Number", "digits": of which sort, other words say.
    Number,
    /// A house, a table, an order: what follows is nobody's identifier.
    Thing,
}

/// What one word, or one mark, means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Means {
    /// Digits in figures.
    Numeral,
    /// A digit in words.
    Digit(u8),
    /// A word that sounds like a digit: "to", "for", "ate".
    Sounds(u8),
    /// Ten to nineteen.
    Teen(u8),
    /// Twenty to ninety, without the nought.
    Tens(u8),
    /// "Three zeros", "two sevens".
    Plural(u8),
    /// How many noughts: hundred 2, thousand 3.
    Scale(u8),
    /// "Double", "triple".
    Times(u8),
    /// A single letter, in lower case.
    Letter(u8),
    Dot,
    Underscore,
    Dash,
    Plus,
    At,
    /// Said between groups of digits, and means nothing there.
    Filler,
    /// "Till": two numbers, not one.
    Range,
    /// Stands between "my account" and the number: "is", "na", "at".
    Link,
    /// A word of grammar, which is no part of an address.
    Stop,
    Currency,
    /// Makes the number before it a time of day.
    Clock,
    /// What is counted or measured.
    Unit,
    Cue(Cue),
    /// A bank's name, with its code of three digits; 0 for banks with longer codes.
    Bank(u16),
    /// A host of e-mail that needs no ".com" to be known.
    MailHost,
    /// Any other word.
    Plain,
    Space,
    /// Any other mark.
    Mark(char),
}

const WORDS: &[(Means, &str)] = &[
    (Means::Digit(0), "zero oh o nought naught nil ziro siro sero zeero zerro odo sifili sifiri"),
    (Means::Digit(1), "one wan ookan okan daya otu"),
    (Means::Digit(2), "two tu eeji eji meji biyu abuo"),
    (Means::Digit(3), "three tree tri tiri thri trii eeta meta uku ato"),
    (Means::Digit(4), "four fo foh fow foor eerin erin merin hudu ano"),
    (Means::Digit(5), "five faif faiv fife fayv aarun arun marun biyar ise"),
    (Means::Digit(6), "six sik siks sikis sikx eefa efa mefa shida isii"),
    (Means::Digit(7), "seven sevin sebun seben sevun eeje eje meje bakwai asaa"),
    (Means::Digit(8), "eight ait eit eyt et eejo ejo mejo takwas asato"),
    (Means::Digit(9), "nine nain niner nayn eesan esan mesan tara itoolu itolu"),
    (Means::Sounds(0), "owe"),
    (Means::Sounds(1), "won"),
    (Means::Sounds(2), "to too"),
    (Means::Sounds(4), "for fore"),
    (Means::Sounds(8), "ate"),
    (Means::Teen(10), "ten"),
    (Means::Teen(11), "eleven"),
    (Means::Teen(12), "twelve"),
    (Means::Teen(13), "thirteen"),
    (Means::Teen(14), "fourteen"),
    (Means::Teen(15), "fifteen"),
    (Means::Teen(16), "sixteen"),
    (Means::Teen(17), "seventeen"),
    (Means::Teen(18), "eighteen"),
    (Means::Teen(19), "nineteen"),
    (Means::Tens(2), "twenty twenti"),
    (Means::Tens(3), "thirty tati"),
    (Means::Tens(4), "forty fourty foti"),
    (Means::Tens(5), "fifty fifti"),
    (Means::Tens(6), "sixty siksti"),
    (Means::Tens(7), "seventy"),
    (Means::Tens(8), "eighty"),
    (Means::Tens(9), "ninety"),
    (Means::Plural(0), "zeros zeroes ohs noughts"),
    (Means::Plural(1), "ones"),
    (Means::Plural(2), "twos"),
    (Means::Plural(3), "threes"),
    (Means::Plural(4), "fours"),
    (Means::Plural(5), "fives"),
    (Means::Plural(6), "sixes"),
    (Means::Plural(7), "sevens"),
    (Means::Plural(8), "eights"),
    (Means::Plural(9), "nines"),
    (Means::Scale(2), "hundred hundreds"),
    (Means::Scale(3), "thousand thousands k grand"),
    (Means::Scale(6), "million millions"),
    (Means::Scale(9), "billion billions bn"),
    (Means::Times(2), "double dubble dabul dabulu"),
    (Means::Times(3), "triple treble tripple tripul"),
    (Means::Times(4), "quadruple quad"),
    (Means::Dot, "dot point period doti"),
    (Means::Underscore, "underscore underline"),
    (Means::Dash, "dash hyphen minus"),
    (Means::Plus, "plus"),
    (Means::At, "at"),
    (
        Means::Filler,
        "and then er erm err um umm uh uhh uhm eh ehm emm em hmm hmmm mm mmm ah ehn abi sha okay ok so like well now again sorry please abeg \
         sir ma madam oga yes yeah yah right correct space comma stroke slash pause next followed by wait",
    ),
    (Means::Range, "till until through thru tru"),
    (
        Means::Link,
        "is na be are was it's its that's thats it the my your this on of in ends ending end starts starting begins \
         first last as equals goes reads says new old other own personal current main alternative dey e he's i'm im \
         here's get got tagged called following me us him her them will now address",
    ),
    (
        Means::Stop,
        "i we you he she they our their his a's an that these those there here or but if when \
         where who what why how can could will would shall should may might must do does did have has had want need \
         with from about into over under after before up down out off not no just only all any some each every more \
         most very use using via visit buy sell pick come came go going see look check find meet work live \
         stay stand open say said tell told let make made take took give gave send sent write wrote book \
         deliver pay paid cost costs ask asked try still also always never today tomorrow tonight make wetin dem una \
         una's wey fit no nor don go dis dat am i'll we'll i've we've you're we're they're don't can't home office thank thanks",
    ),
    (Means::Currency, "naira kobo ngn dollar dollars pound pounds euro euros cedi cedis bucks usd gbp eur percent"),
    (Means::Clock, "am pm o'clock oclock hrs hours gmt wat noon midnight"),
    (
        Means::Unit,
        "loaf loaves piece pieces people persons guests adults children pax packs pack cartons carton bags bag crates \
         dozen dozens cakes cake rolls pies bottles bottle plates plate cups trays tray boxes box items item tickets \
         kg kilo kilos kilogram kilograms g grams gram mg litre litres liters l ml cl cm mm m km metres meters \
         kilometres miles feet inches yards minute minutes mins min second seconds sec secs hour hr day days week \
         weeks month months year years times mb gb mhz volts watts degrees units unit nights copies sachets \
         january february march april june july august september october november december",
    ),
    (Means::Cue(Cue::Card), "card atm pan visa mastercard verve debit credit"),
    (Means::Cue(Cue::CardCode), "cvv cvc cvv2 cvc2 cid"),
    (Means::Cue(Cue::Expiry), "expiry expires expire expiring expiration expired exp valid"),
    (Means::Cue(Cue::Bvn), "bvn verification"),
    (Means::Cue(Cue::Nin), "nin nimc identity identification id"),
    (Means::Cue(Cue::Account), "account acct acc nuban accounts"),
    (
        Means::Cue(Cue::Phone),
        "phone telephone mobile whatsapp cell cellphone gsm call callback reach ring text contact dial hotline flash \
         landline tel line mtn airtel glo etisalat 9mobile",
    ),
    (Means::Cue(Cue::Email), "email e-mail mail emails imel gmail's"),
    (Means::Cue(Cue::Pin), "pin passcode password pincode"),
    (Means::Cue(Cue::OneTimeCode), "otp token"),
    (Means::Cue(Cue::Code), "code"),
    (Means::Cue(Cue::Number), "number numbers digits digit num nomba numba namba"),
    (
        Means::Cue(Cue::Thing),
        "house flat room plot block suite table gate floor invoice receipt ticket tracking queue bus flight route \
         page chapter version size model level street road avenue lane close extension order orders ext shop stall lot item \
         reference ref postal postcode zip promo dress area discount voucher country population serial",
    ),
    (Means::Bank(11), "fbn firstbank"),
    (Means::Bank(23), "citibank"),
    (Means::Bank(30), "heritage"),
    (Means::Bank(32), "unionbank"),
    (Means::Bank(33), "uba"),
    (Means::Bank(35), "wema alat"),
    (Means::Bank(44), "access"),
    (Means::Bank(50), "ecobank"),
    (Means::Bank(57), "zenith"),
    (Means::Bank(58), "gtbank gtb guaranty gt"),
    (Means::Bank(68), "chartered"),
    (Means::Bank(70), "fidelity"),
    (Means::Bank(76), "polaris"),
    (Means::Bank(82), "keystone"),
    (Means::Bank(101), "providus"),
    (Means::Bank(214), "fcmb"),
    (Means::Bank(215), "unity"),
    (Means::Bank(221), "stanbic"),
    (Means::Bank(232), "sterling"),
    (Means::Bank(301), "jaiz"),
    (Means::Bank(0), "bank opay palmpay kuda moniepoint"),
    (
        Means::MailHost,
        "gmail yahoo ymail hotmail outlook icloud protonmail proton aol gmx yandex zoho yahoomail rocketmail",
    ),
];

/// Every word with its meaning, in alphabetical order.
static LEXICON: LazyLock<Vec<(&'static str, Means)>> = LazyLock::new(|| {
    let of_row = |(means, words): &(Means, &'static str)| {
        let means = *means;
        words.split_whitespace().map(move |word| (word, means)).collect::<Vec<_>>()
    };
    let mut all: Vec<(&'static str, Means)> = WORDS.iter().flat_map(of_row).collect();
    // Where a word stands in two rows, the upper one holds.
    all.sort_by_key(|(word, _)| *word);
    all.dedup_by_key(|(word, _)| *word);
    all
});

/// Top domains that are said: after "at X dot" any of them makes an address.
const TOP_DOMAINS: &[&str] = &[
    "com", "org", "net", "ng", "co", "uk", "edu", "gov", "io", "info", "biz", "africa", "me", "us", "de", "fr", "ca",
    "za", "gh", "ke", "eu", "tv", "app", "dev", "online", "shop", "store", "xyz", "cn", "in", "com's", "coms", "calm",
    "comm", "mil", "int", "name", "pro", "mobi", "site", "tech", "ai",
];

/// Those that are believed even where a sentence seems to end before them.
const SURE_DOMAINS: &[&str] = &["com", "org", "net", "ng", "edu", "gov", "uk", "co"];

pub(super) fn is_top_domain(word: &str) -> bool {
    TOP_DOMAINS.contains(&word)
}

pub(super) fn is_sure_domain(word: &str) -> bool {
    SURE_DOMAINS.contains(&word)
}

/// Longer words are in no list.
const FOLDED_MAX: usize = 16;

/// A word in lower case and without accents, on the stack.
pub(super) struct Folded {
    bytes: [u8; FOLDED_MAX],
    len: usize,
}

impl Folded {
    pub(super) fn as_str(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// `word` as the lists have it: "Ọ̀kan" is "okan". None if it is in no list
/// because of its length or its script.
pub(super) fn folded(word: &str) -> Option<Folded> {
    let mut out = Folded { bytes: [0; FOLDED_MAX], len: 0 };
    for c in word.chars() {
        let Some(plain) = plain_letter(c)? else { continue };
        *out.bytes.get_mut(out.len)? = plain;
        out.len += 1;
    }
    // A quotation mark behind the word.
    while out.len > 0 && out.bytes[out.len - 1] == b'\'' {
        out.len -= 1;
    }
    Some(out)
}

/// The ASCII letter; `Some(None)` for accents that stand alone.
fn plain_letter(c: char) -> Option<Option<u8>> {
    let plain = match c {
        'a'..='z' | '\'' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        '\u{0300}'..='\u{036F}' | '\u{200B}'..='\u{200D}' => return Some(None),
        '’' | 'ʼ' => '\'',
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'ā' => 'a',
        'è' | 'é' | 'ê' | 'ë' | 'ẹ' | 'È' | 'É' | 'Ê' | 'Ẹ' | 'ē' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ị' | 'Ì' | 'Í' | 'Ị' | 'ī' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ọ' | 'Ò' | 'Ó' | 'Ô' | 'Ö' | 'Ọ' | 'ō' => 'o',
        'ù' | 'ú' | 'û' | 'ü' | 'ụ' | 'Ù' | 'Ú' | 'Ụ' | 'ū' => 'u',
        'ṣ' | 'Ṣ' => 's',
        'ṅ' | 'ñ' | 'ń' => 'n',
        'ɗ' | 'Ɗ' => 'd',
        'ƙ' | 'Ƙ' => 'k',
        'ɓ' => 'b',
        _ => return None,
    };
    u8::try_from(plain).ok().map(Some)
}

/// The meaning of a word of letters.
pub(super) fn means(word: &str) -> Means {
    let Some(folded) = folded(word) else { return Means::Plain };
    let key = folded.as_str();
    if let Ok(at) = LEXICON.binary_search_by_key(&key, |(word, _)| *word) {
        return LEXICON[at].1;
    }
    match key.as_bytes() {
        [letter] if letter.is_ascii_lowercase() => Means::Letter(*letter),
        _ => Means::Plain,
    }
}

/// The value of a decimal digit of any script that telephones and keyboards write.
pub(super) fn digit_value(c: char) -> Option<u8> {
    /// The noughts of scripts, each followed by its one to nine; the last five
    /// are those of mathematics, bold and otherwise.
    const NOUGHTS: [u32; 15] = [
        0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xE50, 0x1040, 0xFF10, 0x1_D7CE, 0x1_D7D8, 0x1_D7E2, 0x1_D7EC,
        0x1_D7F6,
    ];
    let code = u32::from(c);
    let nought = NOUGHTS.into_iter().rev().find(|nought| *nought <= code)?;
    u8::try_from(code - nought).ok().filter(|value| *value < 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_with_or_without_accents() {
        for (word, expected) in [
            ("ZERO", Means::Digit(0)),
            ("Ọ̀kan", Means::Digit(1)),
            ("Number", Means::Cue(Cue::Number)),
            ("o’clock", Means::Clock),
            ("it’s", Means::Link),
            ("b", Means::Letter(b'b')),
            ("o", Means::Digit(0)),
            ("bread", Means::Plain),
            ("日本", Means::Plain),
            ("incomprehensibilities", Means::Plain),
        ] {
            assert_eq!(means(word), expected, "{word}");
        }
    }

    #[test]
    fn digits_of_other_scripts_have_their_values() {
        for (c, value) in [('0', 0), ('9', 9), ('٣', 3), ('۷', 7), ('５', 5), ('५', 5), ('𝟗', 9), ('𝟬', 0)] {
            assert_eq!(digit_value(c), Some(value), "{c}");
        }
        for c in ['a', '²', '½', '/', ':'] {
            assert_eq!(digit_value(c), None, "{c}");
        }
    }
}
