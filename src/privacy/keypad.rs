//! Keys that a caller presses: when they are a part of a secret, and for how long
//! the sound beside them is withheld. It keeps no key: a card number or a PIN that
//! is keyed reaches neither transcript, recording nor provider.

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
const CHOICE_MAX: usize = 3;

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

/// Keys were pressed of which nothing may stand anywhere; not even how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Withheld;

#[derive(Clone, Copy, Debug)]
struct Step {
    what: Keyed,
    /// The last thing that happened in it.
    last_ms: u64,
    /// Set when it is over but for late keys.
    ends_ms: Option<u64>,
    is_keyed: bool,
}

/// Keys outside a step, until it is known that no more come.
#[derive(Clone, Copy, Debug, Default)]
struct Loose {
    count: usize,
    last_ms: u64,
}

/// Watches the keys of one call. Times are milliseconds from any beginning; what
/// comes late is taken as it comes.
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
    pub fn asks(&mut self, what: Keyed, at_ms: u64) -> Option<Withheld> {
        let withheld = self.pass(at_ms);
        // Who keys while the question is being asked answers it.
        let loose = std::mem::take(&mut self.loose);
        match &mut self.step {
            Some(step) => {
                step.what = what;
                step.ends_ms = None;
                step.last_ms = step.last_ms.max(at_ms);
            }
            None => self.step = Some(Step { what, last_ms: at_ms, ends_ms: None, is_keyed: false }),
        }
        withheld.or_else(|| (loose.count > 0).then_some(Withheld))
    }

    /// The box has what it asked for, or gave up.
    pub fn asks_no_more(&mut self, at_ms: u64) -> Option<Withheld> {
        let withheld = self.pass(at_ms);
        if let Some(step) = &mut self.step {
            step.last_ms = step.last_ms.max(at_ms);
            step.ends_ms.get_or_insert(step.last_ms + AFTER_MS);
        }
        withheld
    }

    /// A key that sounded at `at_ms`.
    pub fn pressed(&mut self, key: char, at_ms: u64) -> Option<Withheld> {
        let withheld = self.pass(at_ms);
        match &mut self.step {
            Some(step) => {
                step.is_keyed = true;
                step.last_ms = step.last_ms.max(at_ms);
                if key == '#' || step.ends_ms.is_some() {
                    step.ends_ms = Some(step.last_ms + AFTER_MS);
                }
            }
            None => {
                self.loose.count += 1;
                self.loose.last_ms = self.loose.last_ms.max(at_ms);
            }
        }
        withheld
    }

    /// Time has come to `now_ms`: what is over by now, if it was keyed in secret.
    pub fn pass(&mut self, now_ms: u64) -> Option<Withheld> {
        let step = self.step.take_if(|step| now_ms >= step.over_ms());
        let was_secret = step.is_some_and(|step| step.is_keyed);
        let run_ends = self.loose.count > 0 && now_ms >= self.loose.last_ms + GAP_MS;
        let was_number = run_ends && self.is_number();
        if run_ends {
            self.loose = Loose::default();
        }
        (was_secret || was_number).then_some(Withheld)
    }

    /// When [`pass`](Self::pass) is to be called next, if nothing else happens.
    pub fn deadline_ms(&self) -> Option<u64> {
        let step = self.step.map(|step| step.over_ms());
        let loose = (self.loose.count > 0).then_some(self.loose.last_ms + GAP_MS);
        step.into_iter().chain(loose).min()
    }

    /// Whether more keys came in a row than a choice has: somebody keys a number.
    pub const fn is_number(&self) -> bool {
        self.loose.count > CHOICE_MAX
    }

    /// Whether sound is to be withheld now from recording and providers alike:
    /// a caller often says aloud what is keyed.
    pub const fn is_silencing(&self) -> bool {
        self.step.is_some()
    }
}

impl Step {
    fn over_ms(&self) -> u64 {
        self.ends_ms.unwrap_or(self.last_ms + self.what.idle_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keyed(guard: &mut KeypadGuard, keys: &str, from_ms: u64, every_ms: u64) -> Option<Withheld> {
        let times = (0..).map(|i| from_ms + i * every_ms);
        keys.chars().zip(times).filter_map(|(key, at)| guard.pressed(key, at)).last()
    }

    /// What the next thing that ends was.
    fn ends(guard: &mut KeypadGuard) -> Option<Withheld> {
        guard.pass(guard.deadline_ms().unwrap())
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
                guard.pressed('4', n * 300);
                guard.is_number()
            })
            .collect();
        assert_eq!(known, [false, false, false, true, true]);
        guard.pass(20_000);
        assert!(!guard.is_number(), "a run ends with a pause");
    }

    #[test]
    fn a_choice_of_the_menu_is_no_secret() {
        let mut guard = KeypadGuard::new();
        assert_eq!(guard.pressed('2', 5_000), None);
        assert!(!guard.is_silencing());
        assert_eq!(guard.deadline_ms(), Some(5_000 + GAP_MS), "more keys may come");
        assert_eq!(ends(&mut guard), None);
        assert_eq!(guard.deadline_ms(), None);
    }

    #[test]
    fn what_is_said_aloud_while_a_card_number_is_keyed_is_withheld_too() {
        let mut guard = KeypadGuard::new();
        assert_eq!(guard.asks(Keyed::Payment, 10_000), None);
        assert!(guard.is_silencing(), "from the question on");
        keyed(&mut guard, "4111111111111111#", 14_000, 400);
        let last = 14_000 + 16 * 400;
        assert_eq!(guard.pass(last + AFTER_MS - 1), None);
        assert!(guard.is_silencing());
        assert_eq!(guard.pass(last + AFTER_MS), Some(Withheld));
        assert!(!guard.is_silencing());
    }

    #[test]
    fn keys_that_come_when_the_step_is_over_belong_to_it() {
        let mut guard = KeypadGuard::new();
        guard.asks(Keyed::Secret, 0);
        keyed(&mut guard, "1234", 1_000, 300);
        guard.asks_no_more(2_500);
        keyed(&mut guard, "56", 3_000, 1_500);
        assert_eq!(guard.pass(4_550), None);
        assert!(guard.is_silencing());
        assert_eq!((ends(&mut guard), guard.is_silencing()), (Some(Withheld), false));
    }

    #[test]
    fn a_number_that_nobody_asked_for_is_withheld() {
        let mut guard = KeypadGuard::new();
        keyed(&mut guard, "08035550142", 1_000, 500);
        assert_eq!(ends(&mut guard), Some(Withheld));
    }

    #[test]
    fn keys_before_the_question_was_asked_to_its_end_answer_it() {
        let mut guard = KeypadGuard::new();
        keyed(&mut guard, "12", 1_000, 300);
        assert_eq!(guard.asks(Keyed::Secret, 1_500), Some(Withheld));
    }

    #[test]
    fn a_step_in_which_nothing_happens_ends_by_itself() {
        let mut guard = KeypadGuard::new();
        guard.asks(Keyed::Payment, 1_000);
        assert_eq!(ends(&mut guard), None);
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
        fn whatever_happens_a_step_silences_until_it_is_over_and_no_number_passes_for_a_choice(events in events()) {
            let (mut guard, mut now) = (KeypadGuard::new(), 0);
            // Keys outside a step since one of them ended a run, and the last of them.
            let mut run: Option<(usize, u64)> = None;
            for event in events {
                now += 200;
                if let Event::Pause(ms) = event {
                    now += ms;
                    continue;
                }
                let was_silencing = guard.is_silencing();
                let mut withheld = guard.pass(now);
                prop_assert!(was_silencing || !guard.is_silencing(), "no step begins by itself");
                let over = run.take_if(|(_, last)| now >= *last + GAP_MS);
                if over.is_some_and(|(count, _)| count > CHOICE_MAX) {
                    prop_assert_eq!(withheld, Some(Withheld));
                }
                match event {
                    Event::Asks => {
                        withheld = withheld.or(guard.asks(Keyed::Payment, now));
                        prop_assert!(guard.is_silencing());
                        prop_assert!(run.take().is_none() || withheld.is_some());
                    }
                    Event::AsksNoMore => {
                        guard.asks_no_more(now);
                    }
                    Event::Key(key) => {
                        if !guard.is_silencing() {
                            run = Some((run.map_or(1, |(count, _)| count + 1), now));
                        }
                        guard.pressed(key, now);
                    }
                    Event::Pause(_) => {}
                }
                prop_assert_eq!(guard.is_number(), run.is_some_and(|(count, _)| count > CHOICE_MAX));
            }
            guard.pass(now + PAYMENT_IDLE_MS.max(GAP_MS));
            prop_assert!(!guard.is_silencing() && guard.deadline_ms().is_none());
        }
    }
}
