use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use thiserror::Error;

use super::{OwnerSignature, Policy, PolicyMistakes, Widening, widenings};

/// Texts that can be in force together. Each narrows at once what was before
/// it, and asks for something wider; nobody changes a policy eight times within
/// one notice period but by mistake.
pub const TEXTS_MAX: usize = 8;

/// Which policy holds now. A change that narrows holds at once; what a change
/// widens holds after the notice period or with an owner's signature, and until
/// then what the older and the newer policy allow both. Pure: the caller keeps
/// the texts and the date on its disk, and says what time it is.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What they all allow is in force; the newest stands last. Never empty.
    texts: Vec<Arc<Policy>>,
    effective: Arc<Policy>,
    waiting: Option<Waiting>,
}

/// A widening that is announced and does not hold yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub widenings: Vec<Widening>,
    /// When the newest text holds alone.
    pub until: Timestamp,
}

/// What became of a new text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Adopted {
    /// It holds, and allows nothing that was not allowed.
    AtOnce,
    /// It holds, and an owner signed what it widens.
    Signed(Vec<Widening>),
    /// What it narrows holds; what it widens is announced.
    Announced(Waiting),
}

/// A text that changed nothing: the policy before it stays in force.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotAdopted {
    #[error("{0}")]
    Mistakes(#[from] PolicyMistakes),
    #[error(
        "there are {TEXTS_MAX} changes of the policy waiting for their notice period; wait until {until}, or have an owner sign this one"
    )]
    TooMany { until: Timestamp },
}

impl InForce {
    /// The first policy of a box: nobody was told of another, so it holds at once.
    pub fn first(policy: Policy) -> Self {
        let policy = Arc::new(policy);
        Self { texts: vec![policy.clone()], effective: policy, waiting: None }
    }

    /// What was in force when the box stopped, from the texts that it kept, the
    /// oldest first; none if there is no text.
    pub fn restore(texts: Vec<Policy>, waiting_until: Option<Timestamp>) -> Option<Self> {
        let texts: Vec<Arc<Policy>> = texts.into_iter().map(Arc::new).collect();
        let newest = texts.last()?.clone();
        let mut restored = Self { effective: newest.clone(), texts, waiting: None };
        restored.settle();
        let widenings = widenings(&restored.effective, &newest);
        restored.waiting = match waiting_until {
            // On a day before a contract's date the newest may allow nothing more; it
            // waits all the same.
            Some(until) if restored.texts.len() > 1 => Some(Waiting { widenings, until }),
            _ if widenings.is_empty() => None,
            // Without a date the notice period cannot have ended: the narrower holds.
            _ => Some(Waiting { widenings, until: Timestamp::MAX }),
        };
        Some(restored)
    }

    /// What holds now, for the next call; calls that go on are narrowed to it
    /// ([`super::CallGate::narrow_to`]).
    pub const fn effective(&self) -> &Arc<Policy> {
        &self.effective
    }

    /// What holds once nothing waits any more.
    pub fn newest(&self) -> &Arc<Policy> {
        self.texts.last().unwrap_or(&self.effective)
    }

    /// The texts to keep for [`Self::restore`], the oldest first.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|policy| policy.text())
    }

    pub const fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_ref()
    }

    /// Reads a new text and takes it over. A text with a mistake changes nothing.
    pub fn offer(
        &mut self,
        name: &str,
        text: &str,
        signature: Option<&OwnerSignature>,
        now: Timestamp,
    ) -> Result<Adopted, NotAdopted> {
        let today = now.to_zoned_datetime(TimeZone::UTC).date();
        self.adopt(Policy::parse(name, text, today)?, signature, now)
    }

    /// Takes a new policy over.
    pub fn adopt(
        &mut self,
        policy: Policy,
        signature: Option<&OwnerSignature>,
        now: Timestamp,
    ) -> Result<Adopted, NotAdopted> {
        self.tick(now);
        let policy = Arc::new(policy);
        let widened = widenings(&self.effective, &policy);
        if widened.is_empty() {
            self.hold_alone(policy);
            return Ok(Adopted::AtOnce);
        }
        if signature.is_some_and(|signature| self.is_signed(&policy, signature)) {
            self.hold_alone(policy);
            return Ok(Adopted::Signed(widened));
        }
        let announced = self.announced(&policy);
        let notice = SignedDuration::from_hours(24 * i64::from(self.effective.notice_period_days()));
        // A clock at the end of time announces for ever.
        let until = announced.unwrap_or_else(|| now.checked_add(notice).unwrap_or(Timestamp::MAX));
        let mut texts = self.texts.clone();
        // The newest that is offered again is no second text beside itself.
        texts.pop_if(|newest| newest.text() == policy.text());
        texts.push(policy);
        without_what_says_nothing(&mut texts);
        if texts.len() > TEXTS_MAX {
            return Err(NotAdopted::TooMany { until: self.waiting.as_ref().map_or(until, |w| w.until) });
        }
        let waiting = Waiting { widenings: widened, until };
        self.texts = texts;
        self.settle();
        self.waiting = Some(waiting.clone());
        Ok(Adopted::Announced(waiting))
    }

    /// Puts an announced policy in force when its time has come; says whether it did.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        let over = self.waiting.as_ref().is_some_and(|waiting| waiting.until <= now);
        if let Some(newest) = self.texts.last().cloned().filter(|_| over) {
            self.hold_alone(newest);
        }
        over
    }

    /// Lets what waits wait longer by this much: the calendar's clock was set ahead,
    /// and people were told of the widening for no longer than before.
    pub fn put_off(&mut self, by: SignedDuration) {
        if let Some(waiting) = &mut self.waiting {
            waiting.until = waiting.until.checked_add(by).unwrap_or(Timestamp::MAX);
        }
    }

    fn hold_alone(&mut self, policy: Arc<Policy>) {
        self.texts = vec![policy.clone()];
        self.effective = policy;
        self.waiting = None;
    }

    /// When a policy that asks for nothing beyond the newest text will hold: it
    /// was announced with that one.
    fn announced(&self, policy: &Policy) -> Option<Timestamp> {
        let waiting = self.waiting.as_ref()?;
        let newest = self.texts.last()?;
        widenings(newest, policy).is_empty().then_some(waiting.until)
    }

    /// By an owner of what is in force, over a number that no text has used before: the
    /// signature may come after the text was announced, but what was narrowed since does
    /// not come back by a signature that it had already.
    fn is_signed(&self, policy: &Policy, signature: &OwnerSignature) -> bool {
        let before = match self.texts.split_last() {
            Some((newest, before)) if newest.text() == policy.text() => before,
            _ => &self.texts[..],
        };
        before.iter().all(|held| held.serial() < policy.serial())
            && self.effective.owner_keys().iter().any(|key| key.signed(policy.text().as_bytes(), signature))
    }

    fn settle(&mut self) {
        let [first, rest @ ..] = &self.texts[..] else { return };
        self.effective = rest.iter().fold(first.clone(), |old, new| Arc::new(Policy::in_common(&old, new)));
    }
}

/// Leaves out each text that allows all that a later one allows: the later one
/// says the same and more. The newest stays, and so does one by which alone it is
/// known that the newest's number was used before.
fn without_what_says_nothing(texts: &mut Vec<Arc<Policy>>) {
    let mut n = 0;
    while n + 1 < texts.len() {
        let (this, later) = (&texts[n], &texts[n + 1..]);
        if later.iter().any(|other| widenings(this, other).is_empty()) && !alone_has_used(texts, n) {
            texts.remove(n);
        } else {
            n += 1;
        }
    }
}

/// Whether the text at `n` is the only one before the newest that has used the
/// newest's number, or one after it.
fn alone_has_used(texts: &[Arc<Policy>], n: usize) -> bool {
    let Some((newest, before)) = texts.split_last() else { return false };
    let has_used = |n: usize| before.get(n).is_some_and(|held| held.serial() >= newest.serial());
    has_used(n) && !(0..before.len()).any(|other| other != n && has_used(other))
}
