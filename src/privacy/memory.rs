//! What was said before a number and tells what it is: "my card number is", "the
//! OTP they sent", the box's own question. It is forgotten after some words.

use super::kind::Kind;
use super::lexicon::{Cue, Means};
use super::shapes::is_complete;

/// Words after which a cue is forgotten: "the code they just sent to my other
/// phone now is …" has nine.
const CUE_WORDS: u8 = 10;

/// Words within which the rest of an identifier comes: "wait, let me look at the
/// back of the card, okay, …".
const OPEN_WORDS: u8 = 12;

/// Words after a card's number within which its code and its end are said.
const CARD_WORDS: u8 = 20;

/// Words that make one cue: "account" and "number", "pin" and "code".
const JOINED_WORDS: u8 = 2;

/// So few words of the box only tell the caller to go on: "I am listening".
const GO_ON_WORDS: u8 = 3;

/// Words from "back" to "card" in "the three digits at the back of my card".
const BACK_WORDS: u8 = 4;

/// Letters of an abbreviation that is spelled: "B, V, N".
const SPELLED_MAX: usize = 3;

/// Words that are cues only right before a number, since they mean other things too.
const WEAK: &[&str] = &[
    "call", "callback", "reach", "ring", "text", "contact", "dial", "flash", "line", "mtn", "airtel", "glo", "credit",
    "debit", "valid", "visa", "atm", "cell", "mobile", "phone", "card", "account", "accounts", "whatsapp", "bank",
];

#[derive(Clone, Copy, Debug)]
struct Said {
    cue: Cue,
    /// Words since then.
    words: u8,
    /// Whether only words such as "is" and "na" came since then.
    is_linked: bool,
    is_weak: bool,
    /// The box named it, and spoke of something else before the caller answered.
    is_in_passing: bool,
}

/// An identifier of which a part was found.
#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    digits: usize,
    words: u8,
}

/// Never printed: it holds a person's words.
#[derive(Clone, Default)]
pub(super) struct Memory {
    /// What belongs to a person: card, account, telephone.
    subject: Option<Said>,
    /// PIN, code, expiry.
    secret: Option<Said>,
    thing: Option<Said>,
    email: Option<Said>,
    bank: Option<u16>,
    open: Option<Open>,
    /// Words since a card's number.
    since_card: Option<u8>,
    /// Words since the back of something was spoken of on which a number or a code stands.
    since_back: Option<u8>,
    /// The words since the secret say what it is for: "the PIN for my order".
    tells_purpose: bool,
    /// Letters in a row that were just spelled.
    letters: String,
    /// The last word, in lower case.
    last: String,
    /// Words since the turn began.
    turn_words: u8,
}

/// Why a number may be somebody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hinted {
    No,
    /// The cue is some words away.
    Near(Kind),
    /// Nothing but "is" and "na" stands between, but the word means other things too.
    WeaklyLinked(Kind),
    Linked(Kind),
}

impl Hinted {
    pub(super) const fn kind(self) -> Option<Kind> {
        match self {
            Self::Near(kind) | Self::WeaklyLinked(kind) | Self::Linked(kind) => Some(kind),
            Self::No => None,
        }
    }
}

impl Memory {
    /// A word that is no part of a number.
    pub(super) fn hear(&mut self, means: Means, text: &str) {
        // Some letters are words too: "I", and "k" for a thousand.
        let mut letters = text.chars().filter(char::is_ascii_alphabetic);
        let spells = letters.next().filter(|_| text.len() == 1).map(|letter| letter.to_ascii_lowercase());
        match means {
            Means::Dot | Means::Mark(_) => {
                self.tells_purpose = false;
                return;
            }
            Means::Space | Means::Dash | Means::Underscore | Means::Plus => return,
            _ => {}
        }
        self.age();
        let word = text.to_lowercase();
        self.tells_purpose = match means {
            Means::Link | Means::Cue(Cue::Thing | Cue::Number) if self.tells_purpose => true,
            _ => matches!(word.as_str(), "for" | "of" | "to") && self.is_secret_just_named(),
        };
        if self.tells_purpose && matches!(word.as_str(), "is" | "na" | "be" | "was") {
            // Behind "the PIN for flat 12 is" stands the PIN; right behind the flat, its number.
            self.thing = None;
        }
        if matches!(word.as_str(), "back" | "behind" | "reverse") && self.is_number_or_code_spoken_of() {
            self.since_back = Some(0);
        }
        match means {
            Means::Cue(cue) => self.cue(cue, &word),
            Means::Bank(code) => self.bank(code, &word),
            Means::Link | Means::Filler | Means::Sounds(2) | Means::At | Means::Letter(_) => {}
            _ => self.unlink(),
        }
        match spells {
            Some(letter) => self.spell(letter),
            None => self.letters.clear(),
        }
        self.last = word;
    }

    fn age(&mut self) {
        self.turn_words = self.turn_words.saturating_add(1);
        for said in [&mut self.subject, &mut self.secret, &mut self.thing, &mut self.email] {
            *said = said.map(|s| Said { words: s.words.saturating_add(1), ..s }).filter(|s| s.words <= CUE_WORDS);
        }
        self.open = self.open.map(|o| Open { words: o.words + 1, ..o }).filter(|o| o.words <= OPEN_WORDS);
        self.since_card = self.since_card.map(|words| words + 1).filter(|words| *words <= CARD_WORDS);
        self.since_back = self.since_back.map(|words| words + 1).filter(|words| *words <= BACK_WORDS);
    }

    /// A PIN, a password or a code of a known sort, by the word right before.
    fn is_secret_just_named(&self) -> bool {
        self.secret.is_some_and(|s| s.words == 1 && s.cue != Cue::Code)
    }

    fn is_number_or_code_spoken_of(&self) -> bool {
        self.subject.is_some_and(|s| s.cue == Cue::Number) || self.secret.is_some_and(|s| s.cue == Cue::Code)
    }

    /// Other words came since all that was named.
    pub(super) fn unlink(&mut self) {
        for said in [&mut self.subject, &mut self.secret, &mut self.thing, &mut self.email].into_iter().flatten() {
            said.is_linked = false;
        }
    }

    fn spell(&mut self, letter: char) {
        if self.letters.len() == SPELLED_MAX {
            self.letters.remove(0);
        }
        self.letters.push(letter);
        let cue = match self.letters.as_str() {
            "bvn" => Cue::Bvn,
            "nin" => Cue::Nin,
            "otp" | "tp" => Cue::OneTimeCode,
            "pin" => Cue::Pin,
            "cvv" | "cvc" => Cue::CardCode,
            "atm" => Cue::Card,
            _ => return,
        };
        self.cue(cue, "");
    }

    fn cue(&mut self, cue: Cue, word: &str) {
        // "National ID"; of any other ID nothing is known.
        let cue = if cue == Cue::Nin && word == "id" && self.last != "national" { Cue::Number } else { cue };
        let said = Said { cue, words: 0, is_linked: true, is_weak: WEAK.contains(&word), is_in_passing: false };
        let is_near = |said: &Option<Said>| said.is_some_and(|s| s.words <= JOINED_WORDS);
        let renew = |said: &mut Option<Said>| {
            *said = said.map(|s| Said { words: 0, is_linked: true, is_weak: false, is_in_passing: false, ..s });
        };
        match cue {
            Cue::Number if is_near(&self.thing) => renew(&mut self.thing),
            Cue::Number if is_near(&self.subject) => renew(&mut self.subject),
            Cue::Number if is_near(&self.secret) => renew(&mut self.secret),
            Cue::Code if is_near(&self.thing) => renew(&mut self.thing),
            Cue::Code if is_near(&self.secret) => renew(&mut self.secret),
            Cue::Code => self.secret = Some(Said { cue: self.sort_of_code(), ..said }),
            Cue::Pin if self.last == "time" => self.secret = Some(Said { cue: Cue::OneTimeCode, ..said }),
            Cue::Pin | Cue::OneTimeCode | Cue::CardCode | Cue::Expiry => self.secret = Some(said),
            Cue::Email => self.email = Some(said),
            Cue::Thing => {
                self.thing = Some(said);
                self.subject = self.subject.filter(|s| s.cue != Cue::Number);
            }
            Cue::Number => {
                self.subject = Some(said);
                self.thing = None;
            }
            Cue::Card | Cue::Bvn | Cue::Nin | Cue::Account | Cue::Phone => {
                // "A line for the account" is about the account.
                let keeps =
                    said.is_weak && self.subject.is_some_and(|s| s.is_linked && !s.is_weak && s.cue != Cue::Number);
                if keeps {
                    return;
                }
                if cue == Cue::Card && self.since_back.take().is_some() {
                    self.secret = Some(Said { cue: Cue::CardCode, is_weak: false, ..said });
                }
                // "The number of my account" is as strong as "my account number".
                let was_number = self.subject.is_some_and(|s| s.cue == Cue::Number && s.is_linked);
                self.subject = Some(Said { is_weak: said.is_weak && !was_number, ..said });
                self.thing = None;
            }
        }
    }

    fn sort_of_code(&self) -> Cue {
        match self.last.as_str() {
            "security" | "digit" | "digits" => Cue::CardCode,
            "verification" | "confirmation" | "authorisation" | "authorization" | "time" | "sms" => Cue::OneTimeCode,
            _ => Cue::Code,
        }
    }

    fn bank(&mut self, code: u16, word: &str) {
        if code > 0 {
            self.bank = Some(code);
        } else if self.last == "first" {
            self.bank = Some(11);
        }
        if self.subject.is_none_or(|s| s.is_weak || s.cue == Cue::Account) && self.thing.is_none() {
            let is_weak = self.subject.is_none_or(|s| s.is_weak);
            self.subject = Some(Said { cue: Cue::Account, words: 0, is_linked: true, is_weak, is_in_passing: false });
        }
        self.last = word.to_owned();
    }

    /// The box has asked for it: what the caller says next is the answer.
    pub(super) fn asked(&mut self, cues: &Self) {
        let strong = |said: &Option<Said>| {
            let answered = |s: Said| Said { words: 0, is_linked: true, is_in_passing: !s.is_linked, ..s };
            said.filter(|s| !s.is_weak).map(answered)
        };
        let speaks_of_more = cues.turn_words > GO_ON_WORDS;
        for (own, theirs) in [
            (&mut self.subject, &cues.subject),
            (&mut self.secret, &cues.secret),
            (&mut self.thing, &cues.thing),
            (&mut self.email, &cues.email),
        ] {
            let before = own.map(|s| Said { is_in_passing: s.is_in_passing || speaks_of_more, ..s });
            *own = strong(theirs).or(before);
        }
        self.bank = cues.bank.or(self.bank);
    }

    pub(super) fn new_turn(&mut self) {
        self.turn_words = 0;
        self.letters.clear();
        self.last.clear();
    }

    /// A number that stays.
    pub(super) fn kept(&mut self) {
        self.age();
        self.letters.clear();
        self.last.clear();
    }

    /// An identifier, or a part of one, that goes.
    pub(super) fn found(&mut self, kind: Kind, digits: usize) {
        self.age();
        self.letters.clear();
        self.last.clear();
        let before = self.open.take().filter(|open| open.kind == kind).map_or(0, |open| open.digits);
        let digits = before + digits;
        if is_complete(kind, digits) {
            match kind {
                Kind::Email => self.email = None,
                Kind::Pin | Kind::OneTimeCode | Kind::CardCode | Kind::CardExpiry => self.secret = None,
                Kind::Card | Kind::Bvn | Kind::Nin | Kind::Account | Kind::Phone | Kind::Number => self.subject = None,
            }
        } else {
            self.open = Some(Open { kind, digits, words: 0 });
        }
        if kind == Kind::Card {
            self.since_card = Some(0);
        }
    }

    pub(super) fn secret(&self) -> Option<Kind> {
        let secret = self.secret?;
        let thing_is_nearer = self.thing.is_some_and(|thing| thing.words < secret.words);
        if thing_is_nearer { None } else { kind_of(secret.cue) }
    }

    /// Whether the secret is merely a "code", which may be anything.
    pub(super) fn is_any_code(&self) -> bool {
        self.secret.is_some_and(|s| s.cue == Cue::Code)
    }

    /// Whether nothing but "is" and "na" came since the secret was named.
    pub(super) fn is_secret_linked(&self) -> bool {
        self.secret().is_some() && self.secret.is_some_and(|s| s.is_linked)
    }

    /// Whether it is more than a "code", and nothing but "is" came since.
    pub(super) fn is_surely_secret(&self) -> bool {
        self.is_secret_linked() && !self.is_any_code()
    }

    /// Whether a PIN, a password or a card's code was named right before, or by the
    /// box at the end of what it said, so that the answer is one whatever it looks like.
    pub(super) fn is_code_named(&self) -> bool {
        let is_code = matches!(self.secret(), Some(Kind::Pin | Kind::OneTimeCode | Kind::CardCode));
        is_code && self.is_surely_secret() && self.secret.is_some_and(|s| !s.is_in_passing)
    }

    /// Whether the next number is somebody's by its name, and nothing but "is" came since.
    pub(super) fn is_number_named(&self) -> bool {
        self.is_secret_linked() || matches!(self.subject(), Hinted::Linked(_))
    }

    /// Whether the next digits are likely to be a secret or a number of somebody's,
    /// however few of them were heard.
    pub(super) fn awaits_digits(&self) -> bool {
        let is_named = self.secret().is_some() || matches!(self.subject(), Hinted::Linked(_));
        is_named || self.open.is_some() || self.had_card()
    }

    pub(super) fn subject(&self) -> Hinted {
        match self.subject.and_then(|s| Some((s, kind_of(s.cue)?))) {
            Some((s, kind)) if s.is_linked && s.is_weak => Hinted::WeaklyLinked(kind),
            Some((s, kind)) if s.is_linked => Hinted::Linked(kind),
            Some((s, kind)) if !s.is_weak => Hinted::Near(kind),
            _ => Hinted::No,
        }
    }

    /// Whether a thing was named that has a number, and nothing since but "is".
    pub(super) fn is_of_thing(&self) -> bool {
        self.thing.is_some_and(|s| s.is_linked)
    }

    pub(super) fn bank_code(&self) -> Option<u16> {
        self.bank
    }

    /// The kind of which a part was found a little while ago.
    pub(super) fn open(&self) -> Option<Kind> {
        self.open.map(|open| open.kind)
    }

    pub(super) fn is_turn_start(&self) -> bool {
        self.turn_words == 0
    }

    pub(super) fn had_card(&self) -> bool {
        self.since_card.is_some()
    }

    /// Words since an e-mail address was spoken of.
    pub(super) fn email_words(&self) -> Option<u8> {
        self.email.map(|email| email.words)
    }
}

pub(super) const fn kind_of(cue: Cue) -> Option<Kind> {
    match cue {
        Cue::Card => Some(Kind::Card),
        Cue::CardCode => Some(Kind::CardCode),
        Cue::Expiry => Some(Kind::CardExpiry),
        Cue::Bvn => Some(Kind::Bvn),
        Cue::Nin => Some(Kind::Nin),
        Cue::Account => Some(Kind::Account),
        Cue::Phone => Some(Kind::Phone),
        Cue::Pin => Some(Kind::Pin),
        Cue::OneTimeCode | Cue::Code => Some(Kind::OneTimeCode),
        Cue::Number => Some(Kind::Number),
        Cue::Email | Cue::Thing => None,
    }
}
