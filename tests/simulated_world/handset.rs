//! The telephones of the clinic: they are answered, busy, ring out, are out of order,
//! and who has answered hangs up some time.

use std::sync::LazyLock;
use std::time::Duration;

use milu::call::{Handset, Handsets, Input};
use milu::knowledge::KnowledgeBase;
use milu::terms::{EndCause, HandsetId, Moment};

use super::random::Dice;

/// How long the telephones ring.
pub const RINGS: Duration = Duration::from_secs(20);

/// What becomes of a telephone that is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telephones {
    /// The clinic has none.
    None,
    /// Whatever happens to telephones.
    Any,
    /// Answered after so many milliseconds, and hung up so many later.
    Answered(u64, u64),
    Busy,
    RingsOut,
    /// Whoever rings it tells nothing, ever.
    Silent,
}

impl Telephones {
    pub fn some(dice: &mut Dice) -> Self {
        if dice.per_mille(600) { Self::Any } else { Self::None }
    }

    /// The clinic's own: one that rings for anybody.
    pub fn handsets(self) -> Handsets {
        static CLINIC: LazyLock<Handsets> = LazyLock::new(|| {
            let text = "business = \"Ikeja Clinic\"\n[[person]]\nname = \"Doctor Bello\"\n\
                        number = \"0803 123 4567\"\nring = \"always\"\n";
            let base = KnowledgeBase::parse("clinic.toml", text).expect("the file is good");
            let id = HandsetId::parse("reception").expect("a name");
            Handsets::new(&[Handset { id, people: Vec::new(), rings: RINGS }], &base).expect("nobody is unknown")
        });
        if self == Self::None { Handsets::default() } else { CLINIC.clone() }
    }

    /// What is told of a telephone that is rung at `now`, each with the time until then.
    pub fn ring(self, dice: &mut Dice, now: Moment) -> Vec<(Duration, Input)> {
        let ms = Duration::from_millis;
        let gone = |after, cause| (after, Input::PersonGone { at: now + after, cause });
        let answered = |after: Duration, talk: Duration| {
            vec![(after, Input::PersonAnswered { at: now + after }), gone(after + talk, EndCause::NormalClearing)]
        };
        match self {
            Self::None | Self::Silent => Vec::new(),
            Self::Answered(after, talk) => answered(ms(after), ms(talk)),
            Self::Busy => vec![gone(ms(80), EndCause::UserBusy)],
            Self::RingsOut => vec![gone(RINGS, EndCause::NoAnswer)],
            Self::Any => match dice.between(0, 100) {
                0..55 => answered(ms(dice.between(0, 20_000)), ms(dice.between(0, 240_000))),
                55..70 => vec![gone(ms(dice.between(1, 500)), EndCause::UserBusy)],
                70..82 => vec![gone(RINGS + ms(dice.between(0, 200)), EndCause::NoAnswer)],
                82..90 => vec![gone(ms(dice.between(500, 9_000)), EndCause::CallRejected)],
                90..95 => vec![gone(Duration::ZERO, EndCause::TemporaryFailure)],
                _ => Vec::new(),
            },
        }
    }
}
