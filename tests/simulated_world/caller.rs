//! Callers: what they do, one act after the other.

use super::random::Dice;

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Do nothing for so many milliseconds.
    Wait(u64),
    /// Listen until the box has been silent for a moment after having spoken.
    Listen,
    /// Listen until the box has spoken for so many milliseconds.
    ListenFor(u64),
    /// Say words, which take so many milliseconds.
    Say(&'static str, u64),
    /// A sound without words: a cough, a door, a television.
    Noise(u64),
    /// A noise without a pause begins and lasts so many milliseconds, and what is said
    /// meanwhile is said in it.
    Din(u64),
    Key(char),
    Hold,
    Resume,
    HangUp,
    /// The line loses the caller's sound.
    LoseMedia,
    /// The box is asked to stop.
    StopBox,
}

/// Listening comes to an end after this long even if the box never speaks.
pub const LISTEN_MAX_MS: u64 = 40_000;

pub const QUESTIONS: &[&str] = &[
    "When do you open?",
    "And on Sunday?",
    "How much is a malaria test?",
    "What is the price of the moon?",
    "Can I speak to Doctor Bello?",
    "I want to leave a message.",
    "Please text me your address.",
    "Text me that.",
    "Thank you very much.",
    "Please say that again slower.",
    "Do you test for typhoid?",
];

const OTHER_WORDS: &[&str] = &[
    "Yes.",
    "No.",
    "Goodbye.",
    "Hold on a moment.",
    "Mm-hm.",
    "My name is Ada.",
    "Zero eight zero three one two three four five six seven.",
    "Please tell the doctor that I will come on Monday.",
    CARD,
    CLOUD,
    UNRECORDED,
    "I agree.",
];

/// What must be written down nowhere, and what no mind may be asked.
pub const CARD: &str = "My card number is four one one one one one one one one one one one one one one one.";
pub const CLOUD: &str = "Do not send my voice to the cloud.";
pub const UNRECORDED: &str = "Don't record me.";

/// A caller who does whatever callers do.
pub fn anyone(dice: &mut Dice) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..dice.between(1, 14) {
        anything(dice, &mut acts);
    }
    if dice.per_mille(600) {
        acts.push(Act::HangUp);
    }
    if dice.per_mille(40) {
        acts.push(if dice.per_mille(500) { Act::LoseMedia } else { Act::StopBox });
        let at = dice.between(0, acts.len() as u64) as usize;
        acts.rotate_right(at);
    }
    acts
}

fn anything(dice: &mut Dice, acts: &mut Vec<Act>) {
    match dice.between(0, 100) {
        0..35 => acts.extend([Act::Listen, question(dice)]),
        35..55 => acts.extend([Act::Listen, words(dice)]),
        55..63 => acts.extend([Act::ListenFor(dice.between(0, 3000)), question(dice)]),
        63..69 => acts.extend([question(dice), Act::Wait(dice.between(250, 1500)), question(dice)]),
        69..74 => acts.extend([Act::ListenFor(dice.between(0, 3000)), Act::Say("Mm-hm.", dice.between(150, 500))]),
        74..80 => acts.extend([Act::ListenFor(dice.between(0, 3000)), Act::Noise(dice.between(60, 600))]),
        80..90 => {
            acts.push(if dice.per_mille(500) { Act::Listen } else { Act::ListenFor(dice.between(0, 2000)) });
            for _ in 0..dice.between(1, 13) {
                acts.extend([Act::Key(dice.one_of(&KEYS)), Act::Wait(dice.between(40, 900))]);
            }
        }
        90..93 => acts.extend([Act::Hold, Act::Wait(dice.between(100, 40_000)), Act::Resume]),
        93..95 => acts.push(Act::Noise(dice.between(3000, 60_000))),
        95..96 => acts.push(Act::Say("and then I told her that", dice.between(20_000, 100_000))),
        _ => acts.push(Act::Wait(dice.between(0, 15_000))),
    }
}

/// In some calls questions are asked in a noise, and what comes after them is said in it too.
pub fn some_noise(dice: &mut Dice, acts: &mut Vec<Act>) {
    if !dice.per_mille(150) {
        return;
    }
    let at = dice.between(0, acts.len() as u64 + 1) as usize;
    let mut asked = vec![Act::Din(dice.between(2000, 60_000)), question(dice)];
    if dice.per_mille(500) {
        // The caller thinks.
        asked.extend([Act::Wait(dice.between(300, 3000)), question(dice)]);
    }
    if dice.per_mille(700) {
        asked.insert(0, Act::Listen);
    }
    let rest = acts.split_off(at);
    acts.extend(asked);
    acts.extend(rest);
}

const KEYS: [char; 13] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A'];

fn question(dice: &mut Dice) -> Act {
    Act::Say(dice.one_of(QUESTIONS), dice.between(600, 4000))
}

fn words(dice: &mut Dice) -> Act {
    Act::Say(dice.one_of(OTHER_WORDS), dice.between(300, 6000))
}
