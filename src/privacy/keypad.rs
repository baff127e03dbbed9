//! Keys that a caller presses: which may be shown, and which stretch of sound is
//! silenced in the recording. A card number or a PIN that is keyed reaches
//! neither transcript, recording nor provider.

use crate::terms::Private;

/// Sound before a key is noticed: a detector needs 40 ms of tone (ITU-T Q.24), and
/// its packet may have waited in the jitter buffer.
const LEAD_MS: u64 = 120;

/// Sound behind a key that may still ring.
const TAIL_MS: u64 = 120;

/// The caller who was stopped in the middle goes on for as long.
const AFTER_MS: u64 = 2_000;

/// A step in which nothing is keyed for so long is over: people look for their
/// card in their purse, and a PIN they know.
const PAYMENT_IDLE_MS: u64 = 60_000;
const SECRET_IDLE_MS: u64 = 30_000;

/// Keys between which a longer pause lies are not one number.
const GAP_MS: u64 = 4_000;

/// So many keys in a row are a choice in a menu or an extension; more are a
/// number that somebody keyed unasked.
const SHOWN_MAX: usize = 3;

/// What the box asks the caller to key in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keyed {
    /// Card or account number, expiry, code: until '#', the end or a long pause.
    Payment,
    /// A PIN or a one-time code: the same.
    Secret,
}

/// How people are asked to use their keys.
const KEY_VERBS: &[&str] = &[
    "key in",
    "keying in",
    "type",
    "enter",
    "punch in",
    "press in",
    "input",
    "dial",
    "use your keypad",
    "use the keypad",
];

/// What is keyed to pay with.
const PAYMENT_NOUNS: &[&str] = &[
    "card number",
    "number on your card",
    "digits of your card",
    "security code",
    "cvv",
    "cvc",
    "expiry",
    "account number",
    "bank account",
];

/// What is keyed to prove who one is.
const SECRET_NOUNS: &[&str] =
    &["pin", "password", "passcode", "one time code", "one time password", "otp", "bvn", "nin", "verification number"];

impl Keyed {
    /// What a sentence of the box asks the caller to key in, if it is something
    /// secret. So a business needs no other mark in its file than its own words.
    pub fn asked_in(text: &str) -> Option<Self> {
        text.split(['.', '?', '!', ';']).find_map(Self::asked_in_sentence)
    }

    fn asked_in_sentence(sentence: &str) -> Option<Self> {
        let plain: String =
            sentence.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
        // A space on both sides of each word: "pin" is not in "opinion".
        let spaced = format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "));
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| spaced.contains(&format!(" {phrase} ")));
        let forbids = has(&["do not", "don t", "never", "cannot", "can not"]);
        if forbids || !has(KEY_VERBS) {
            return None;
        }
        if has(PAYMENT_NOUNS) {
            return Some(Self::Payment);
        }
        has(SECRET_NOUNS).then_some(Self::Secret)
    }

    const fn idle_ms(self) -> u64 {
        match self {
            Self::Payment => PAYMENT_IDLE_MS,
            Self::Secret => SECRET_IDLE_MS,
        }
    }
}

/// A stretch of the recording, in milliseconds from its beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What is to be done with keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyFate {
    /// These may stand in the transcript: keys of a menu.
    Shown(Private<String>),
    /// Keys were pressed of which nothing may stand anywhere; not even how many.
    Withheld,
    /// This is to be silence in the recording, for the caller's side and the box's.
    Silence(Stretch),
}

#[derive(Clone, Copy, Debug)]
struct Step {
    what: Keyed,
    from_ms: u64,
    /// The last thing that happened in it.
    last_ms: u64,
    /// Set when it is over but for late keys.
    ends_ms: Option<u64>,
    is_keyed: bool,
}

/// Keys outside a step, which wait until it is known that no more come.
#[derive(Clone, Debug, Default)]
struct Loose {
    /// The first few; more are counted only.
    keys: Private<String>,
    count: usize,
    last_ms: u64,
}

/// Watches the keys of one call. Times are milliseconds from the beginning of
/// the recording; what comes late is taken as it comes.
#[derive(Clone, Debug, Default)]
pub struct KeypadGuard {
    step: Option<Step>,
    loose: Loose,
}

impl KeypadGuard {
    pub fn new() -> Self {
        Self::default()
    }

    /// The box begins to ask for something that is keyed in secret.
    pub fn asks(&mut self, what: Keyed, at_ms: u64) -> Vec<KeyFate> {
        let mut fates = self.pass(at_ms);
        // Who keys while the question is being asked answers it.
        if self.loose.count > 0 {
            self.loose = Loose::default();
            fates.push(KeyFate::Withheld);
        }
        match &mut self.step {
            Some(step) => {
                step.what = what;
                step.ends_ms = None;
                step.last_ms = step.last_ms.max(at_ms);
            }
            None => self.step = Some(Step { what, from_ms: at_ms, last_ms: at_ms, ends_ms: None, is_keyed: false }),
        }
        fates
    }

    /// The box has what it asked for, or gave up.
    pub fn asks_no_more(&mut self, at_ms: u64) -> Vec<KeyFate> {
        let fates = self.pass(at_ms);
        if let Some(step) = &mut self.step {
            step.last_ms = step.last_ms.max(at_ms);
            step.ends_ms.get_or_insert(step.last_ms + AFTER_MS);
        }
        fates
    }

    /// A key that sounded from `from_ms` to `to_ms`.
    pub fn pressed(&mut self, key: char, from_ms: u64, to_ms: u64) -> Vec<KeyFate> {
        let mut fates = self.pass(from_ms);
        let to_ms = to_ms.max(from_ms);
        if let Some(step) = &mut self.step {
            step.is_keyed = true;
            step.from_ms = step.from_ms.min(from_ms.saturating_sub(LEAD_MS));
            step.last_ms = step.last_ms.max(to_ms);
            if key == '#' || step.ends_ms.is_some() {
                step.ends_ms = Some(step.last_ms + AFTER_MS);
            }
            return fates;
        }
        // A tone says its key to whoever listens.
        fates.push(KeyFate::Silence(Stretch { from_ms: from_ms.saturating_sub(LEAD_MS), to_ms: to_ms + TAIL_MS }));
        self.loose.count += 1;
        self.loose.last_ms = self.loose.last_ms.max(to_ms);
        let before = std::mem::take(&mut self.loose.keys).into_exposed();
        if self.loose.count <= SHOWN_MAX {
            self.loose.keys = Private::new(before + key.encode_utf8(&mut [0; 4]));
        }
        fates
    }

    /// Time has come to `now_ms`.
    pub fn pass(&mut self, now_ms: u64) -> Vec<KeyFate> {
        let mut fates = Vec::new();
        if let Some(step) = self.step
            && now_ms >= step.over_ms()
        {
            self.step = None;
            fates.extend(step.fates());
        }
        if self.loose.count > 0 && now_ms >= self.loose.last_ms + GAP_MS {
            fates.push(self.loose_fate());
        }
        fates
    }

    /// The call is over: what has waited.
    pub fn finish(mut self, at_ms: u64) -> Vec<KeyFate> {
        let mut fates = self.pass(at_ms);
        if let Some(mut step) = self.step.take() {
            step.last_ms = step.last_ms.max(at_ms);
            fates.extend(step.fates());
        }
        if self.loose.count > 0 {
            fates.push(self.loose_fate());
        }
        fates
    }

    /// When [`pass`](Self::pass) is to be called next, if nothing else happens.
    pub fn deadline_ms(&self) -> Option<u64> {
        let step = self.step.map(|step| step.over_ms());
        let loose = (self.loose.count > 0).then_some(self.loose.last_ms + GAP_MS);
        step.into_iter().chain(loose).min()
    }

    /// Whether more keys came in a row than a choice has: somebody keys a number.
    pub const fn is_number(&self) -> bool {
        self.loose.count > SHOWN_MAX
    }

    /// Whether sound is to be withheld now from recording and providers alike:
    /// a caller often says aloud what is keyed.
    pub fn is_silencing(&self) -> bool {
        self.step.is_some()
    }

    fn loose_fate(&mut self) -> KeyFate {
        let loose = std::mem::take(&mut self.loose);
        if loose.count <= SHOWN_MAX { KeyFate::Shown(loose.keys) } else { KeyFate::Withheld }
    }
}

impl Step {
    fn over_ms(&self) -> u64 {
        self.ends_ms.unwrap_or(self.last_ms + self.what.idle_ms())
    }

    fn fates(self) -> impl Iterator<Item = KeyFate> {
        let to_ms = self.ends_ms.unwrap_or(self.last_ms).max(self.last_ms) + TAIL_MS;
        let silence = KeyFate::Silence(Stretch { from_ms: self.from_ms, to_ms });
        self.is_keyed.then_some(KeyFate::Withheld).into_iter().chain([silence])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(fates: &[KeyFate]) -> String {
        let keys = |fate: &KeyFate| match fate {
            KeyFate::Shown(keys) => keys.expose().clone(),
            KeyFate::Withheld | KeyFate::Silence(_) => String::new(),
        };
        fates.iter().map(keys).collect()
    }

    fn is_silent(fates: &[KeyFate], at_ms: u64) -> bool {
        fates.iter().any(|fate| matches!(fate, KeyFate::Silence(s) if (s.from_ms..s.to_ms).contains(&at_ms)))
    }

    fn keyed(guard: &mut KeypadGuard, keys: &str, from_ms: u64, every_ms: u64) -> Vec<KeyFate> {
        let times = (0..).map(|i| from_ms + i * every_ms);
        keys.chars().zip(times).flat_map(|(key, at)| guard.pressed(key, at, at + 100)).collect()
    }

    #[test]
    fn the_boxs_own_words_tell_what_is_keyed_in_secret() {
        for (words, asked) in [
            ("Please key in your card number, then press the hash key.", Some(Keyed::Payment)),
            ("To pay, enter the sixteen digits of your card.", Some(Keyed::Payment)),
            ("Thank you. Now type the security code.", Some(Keyed::Payment)),
            ("Please enter your PIN on the keypad.", Some(Keyed::Secret)),
            ("Key in the one-time code that we sent you.", Some(Keyed::Secret)),
            ("What number should we call you back on? You can say it, or key it in and press the hash key.", None),
            ("Please do not key in numbers of cards or accounts.", None),
            ("Never enter your PIN when somebody asks for it.", None),
            ("You can pay by card at the desk.", None),
            ("Our opinion is that you should type slowly.", None),
            ("Enter by the side door. A card number is not needed.", None),
        ] {
            assert_eq!(Keyed::asked_in(words), asked, "{words}");
        }
    }

    #[test]
    fn a_run_of_more_keys_than_a_choice_has_is_known_at_the_fourth() {
        let mut guard = KeypadGuard::new();
        let known: Vec<bool> = (0..5)
            .map(|n| {
                guard.pressed('4', n * 300, n * 300 + 100);
                guard.is_number()
            })
            .collect();
        assert_eq!(known, [false, false, false, true, true]);
        guard.pass(20_000);
        assert!(!guard.is_number(), "a run ends with a pause");
    }

    #[test]
    fn a_choice_of_the_menu_is_shown_and_its_tone_is_not_kept() {
        let mut guard = KeypadGuard::new();
        let mut fates = guard.pressed('2', 5_000, 5_100);
        assert_eq!(shown(&fates), "", "more keys may come");
        fates.extend(guard.pass(guard.deadline_ms().unwrap()));
        assert_eq!(shown(&fates), "2");
        assert!(is_silent(&fates, 5_050) && is_silent(&fates, 4_900) && !is_silent(&fates, 6_000));
    }

    #[test]
    fn a_card_number_that_was_asked_for_is_nowhere() {
        let mut guard = KeypadGuard::new();
        let mut fates = guard.asks(Keyed::Payment, 10_000);
        fates.extend(keyed(&mut guard, "4111111111111111#", 14_000, 400));
        assert!(guard.is_silencing());
        fates.extend(guard.pass(60_000));
        assert!(!guard.is_silencing());
        assert_eq!(shown(&fates), "");
        assert!((10_000..21_000).all(|ms| is_silent(&fates, ms)), "what is said aloud meanwhile is silenced too");
        assert!(!is_silent(&fates, 9_000) && !is_silent(&fates, 30_000));
    }

    #[test]
    fn keys_that_come_when_the_step_is_over_belong_to_it() {
        let mut guard = KeypadGuard::new();
        let mut fates = guard.asks(Keyed::Secret, 0);
        fates.extend(keyed(&mut guard, "1234", 1_000, 300));
        fates.extend(guard.asks_no_more(2_500));
        fates.extend(keyed(&mut guard, "56", 3_000, 1_500));
        fates.extend(guard.finish(20_000));
        assert_eq!(shown(&fates), "");
        assert!(is_silent(&fates, 4_550));
    }

    #[test]
    fn a_number_that_nobody_asked_for_is_not_shown() {
        let mut guard = KeypadGuard::new();
        let mut fates = keyed(&mut guard, "08035550142", 1_000, 500);
        fates.extend(guard.finish(20_000));
        assert_eq!(shown(&fates), "");
        assert!(fates.contains(&KeyFate::Withheld));
        assert!((0..11).all(|i| is_silent(&fates, 1_050 + i * 500)));
    }

    #[test]
    fn keys_before_the_question_was_asked_to_its_end_answer_it() {
        let mut guard = KeypadGuard::new();
        let mut fates = keyed(&mut guard, "12", 1_000, 300);
        fates.extend(guard.asks(Keyed::Secret, 1_500));
        fates.extend(keyed(&mut guard, "34#", 1_600, 300));
        fates.extend(guard.finish(9_000));
        assert_eq!(shown(&fates), "");
    }

    #[test]
    fn a_step_in_which_nothing_happens_ends_by_itself() {
        let mut guard = KeypadGuard::new();
        guard.asks(Keyed::Payment, 1_000);
        let fates = guard.pass(guard.deadline_ms().unwrap());
        assert!(matches!(fates.as_slice(), [KeyFate::Silence(_)]));
        assert!(!guard.is_silencing());
        assert_eq!(guard.deadline_ms(), None);
    }

    #[derive(Clone, Debug)]
    enum Event {
        Asks,
        AsksNoMore,
        Key(char),
        Pause(u64),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            1 => Just(Event::Asks),
            1 => Just(Event::AsksNoMore),
            8 => prop::sample::select(vec!['0', '1', '5', '9', '*', '#']).prop_map(Event::Key),
            2 => (0_u64..90_000).prop_map(Event::Pause),
        ];
        prop::collection::vec(event, 0..60)
    }

    proptest! {
        #[test]
        fn whatever_happens_the_keys_of_a_step_are_not_shown_and_no_tone_is_kept(events in events()) {
            let (mut guard, mut now, mut fates) = (KeypadGuard::new(), 0, Vec::new());
            let (mut open_keys, mut tones) = (0, Vec::new());
            for event in events {
                now += 200;
                match event {
                    Event::Asks => fates.extend(guard.asks(Keyed::Payment, now)),
                    Event::AsksNoMore => fates.extend(guard.asks_no_more(now)),
                    Event::Pause(ms) => now += ms,
                    Event::Key(key) => {
                        fates.extend(guard.pass(now));
                        open_keys += usize::from(!guard.is_silencing());
                        fates.extend(guard.pressed(key, now, now + 100));
                        tones.push(now + 50);
                    }
                }
            }
            fates.extend(guard.finish(now));
            prop_assert!(shown(&fates).len() <= open_keys);
            prop_assert!(tones.iter().all(|at| is_silent(&fates, *at)));
            let longest = fates.iter().map(|fate| shown(std::slice::from_ref(fate)).len()).max();
            prop_assert!(longest.unwrap_or(0) <= SHOWN_MAX);
        }
    }
}
