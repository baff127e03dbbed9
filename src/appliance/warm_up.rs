//! Renders the sentences that do not change, before callers wait for them: first
//! what every call begins with, then the rest, while nobody is on the line.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::call::phrases::{self, Recorded};
use crate::egress::Room;
use crate::knowledge::KnowledgeBase;
use crate::media::{Conversion, Resampler, SampleRate};
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::residency::CallGate;
use crate::speech::cloud::mind::whole_sentences;
use crate::store::{RenderingKey, Rendition, Vault};
use crate::terms::Private;

use super::config::Config;
use super::desk::Business;
use super::fixed_voice::FixedVoice;
use super::outside::PolicyKeeper;
use super::renderings::Renderings;

/// While a caller is on the line the cores are theirs; this is how often it is
/// looked whether they are free again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A provider that fails a sentence is not asked for the next ones; after this
/// long it is tried again.
const LET_IT_BE: Duration = Duration::from_secs(60);

/// A voice that answers with what is no sound of these words is paid for it, and may go
/// on so for days: the wait doubles with each round, up to this.
const UNUSABLE_WAIT_MAX: Duration = Duration::from_secs(3600);

/// While the day's budget has no room, how long a sentence waits before it is asked
/// again: a budget is made larger by midnight or by an owner, and neither hurries.
const BUDGET_WAIT: Duration = Duration::from_secs(15 * 60);

/// The least that a letter or digit sounds: quick speakers take 40 ms for one. What
/// lies far below is not the sound of these words, and would be played to every caller.
const LETTER_MIN_MS: u64 = 5;

/// With what a model is likely to begin an answer. Nothing in it can be wrong.
const COURTESIES: [&str; 10] = [
    "Certainly.",
    "Of course.",
    "Sure.",
    "Yes.",
    "No.",
    "Yes, please.",
    "All right.",
    "You are welcome.",
    "Thank you.",
    "I am sorry.",
];

/// Whose words the answers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mind {
    /// The box's own: it says an answer of the business's whole.
    OnBox,
    /// A model's, which says it sentence by sentence, and no more of it than the
    /// caller needs.
    Outside,
}

pub struct WarmUp {
    /// The best voice first, the box's own last.
    pub voices: Vec<FixedVoice>,
    /// Those of the box's lines, from [`rates`].
    pub rates: Vec<SampleRate>,
    /// Of the policy that says whether the business's own words may go to a voice
    /// outside; none where there is no such voice.
    pub keeper: Option<Arc<PolicyKeeper>>,
    pub renderings: Arc<Renderings>,
    pub vault: Vault,
    pub stop: Stop,
    pub health: Health,
}

/// The rates at which calls sound: what is rendered at another is of no use to
/// them. A narrow line is the rule; SIP may agree on G.722, and a modem may have
/// wide sound.
pub fn rates(config: &Config) -> Vec<SampleRate> {
    let wide = !config.sip_lines.is_empty()
        || !config.gsm_lines.is_empty()
        || config.audio_lines.iter().any(|line| line.rate == SampleRate::Hz16000);
    let wide = wide.then_some(SampleRate::Hz16000);
    std::iter::once(SampleRate::Hz8000).chain(wide).collect()
}

/// What is to be held, the likeliest first: how calls begin, and then the rest. Of that
/// a sentence comes at all rates before the next: its wide sound is kept when its narrow
/// one is made, and is to be counted before there is no room for it.
pub fn wanted(opening: &[String], rest: &[String], rates: &[SampleRate]) -> Vec<(String, SampleRate)> {
    let first = rates.iter().flat_map(|rate| opening.iter().map(move |sentence| (sentence.clone(), *rate)));
    let then = rest.iter().flat_map(|sentence| rates.iter().map(move |rate| (sentence.clone(), *rate)));
    first.chain(then).collect()
}

/// The sentences with which a call begins. They must be ready for the first one, and
/// for one of which nothing can be kept: the disk is then full, and the voice may fail too.
pub fn opening(business: &Business) -> Vec<String> {
    let opening = |recorded| {
        let notice = phrases::notice(&business.name, recorded);
        format!("{} {notice}", business.greeting.trim()).trim().to_owned()
    };
    let mut all = vec![opening(business.recorded), phrases::HELP.to_owned()];
    if business.recorded == Recorded::Yes {
        all.push(opening(Recorded::No));
    }
    all
}

/// Everything else that is said word for word, the likeliest first.
pub fn rest(base: &KnowledgeBase, mind: Mind) -> Vec<String> {
    let answers = base.entries.iter().map(|entry| crate::knowledge::as_spoken(&entry.answer));
    let mut all: Vec<String> = phrases::FIXED.iter().map(|s| (*s).to_owned()).chain(answers).collect();
    if mind == Mind::Outside {
        let parts: Vec<String> =
            all[phrases::FIXED.len()..].iter().flat_map(|answer| whole_sentences(answer)).collect();
        all.extend(COURTESIES.iter().map(|s| (*s).to_owned()).chain(parts));
        let mut seen = HashSet::new();
        all.retain(|sentence| seen.insert(sentence.clone()));
    }
    all
}

impl WarmUp {
    /// Makes these sentences ready, in order: in the best voice in which they are
    /// kept, else in the box's own, which needs nobody. A sentence that cannot be
    /// rendered is spoken afresh when it is needed.
    pub async fn hold_all(&self, sentences: &[String], rate: SampleRate) {
        let gate = self.gate();
        for sentence in sentences {
            if self.hold_kept(sentence, rate).await {
                continue;
            }
            for voice in self.voices.iter().filter(|voice| voice.is_on_box()) {
                if let Ok(sound) = self.render(voice, &gate, sentence, rate).await
                    && self.renderings.hold(sentence, rate, voice.name(), sound.samples)
                {
                    break;
                }
            }
        }
    }

    /// All of these sentences in the best voice that can be had, while nobody is
    /// on the line. What a voice outside could not render is tried again later, and
    /// a voice that the policy does not let speak is waited for until it may. What is
    /// left of the budget near its ceiling is for callers.
    pub async fn hold_quietly(&self, wanted: Vec<(String, SampleRate)>) {
        let mut changes = self.keeper.as_ref().map(|keeper| keeper.changes());
        let mut progress = Progress { ready: 0, total: wanted.len() };
        self.tell(&progress);
        let mut left = self.hold_what_is_kept(&wanted, &mut progress).await;
        let mut in_vain = 0_u32;
        loop {
            // A gate never gets wider: each round has one of the policy that holds by then.
            let gate = self.gate();
            let Some(round) = self.round(left, &gate, &mut progress).await else { return };
            let may = self.may_speak(&gate);
            if round.again.is_empty() && may.iter().all(|may| *may) {
                return;
            }
            let is_in_vain = matches!(round.worst, Held::Unusable | Held::NotKept);
            in_vain = if is_in_vain { in_vain.saturating_add(1) } else { 0 };
            let wait = wait_after(round.worst, in_vain);
            let Some(next) = self.next_round(round.again, wait, &may, &wanted, changes.as_mut()).await else { return };
            left = next;
        }
    }

    /// Holds what is kept in the best voice, and gives the rest. To read it takes no core
    /// from anybody, and after a power cut the first caller may come at once.
    async fn hold_what_is_kept(
        &self,
        wanted: &[(String, SampleRate)],
        progress: &mut Progress,
    ) -> Vec<(String, SampleRate)> {
        let mut left = Vec::new();
        for (sentence, rate) in wanted {
            let held = match self.voices.first().filter(|_| !self.stop.is_asked()) {
                Some(best) => self.kept(best, sentence, *rate).await.map(|samples| {
                    let sound = Sound { samples, kept: Kept::Yes };
                    self.hold_or_leave(best, sentence, *rate, sound)
                }),
                None => None,
            };
            if held == Some(Held::Best) {
                progress.ready += 1;
                self.tell(progress);
            } else {
                left.push((sentence.clone(), *rate));
            }
        }
        left
    }

    /// Renders what is left, as far as the disk and the voices let it. What came out
    /// unusable is the last of the next round: it may be that sentence alone. None when
    /// the box is to stop.
    async fn round(
        &self,
        left: Vec<(String, SampleRate)>,
        gate: &Arc<CallGate>,
        progress: &mut Progress,
    ) -> Option<Round> {
        let mut round = Round { again: Vec::new(), worst: Held::Best };
        let mut unusable = Vec::new();
        let mut left = left.into_iter();
        while let Some((sentence, rate)) = left.next() {
            if !self.wait_for_quiet().await {
                return None;
            }
            let held = self.hold_best(&sentence, rate, gate, round.worst >= Held::Second).await;
            match held {
                Held::Best => {}
                Held::TooLong => continue,
                Held::Sparing | Held::Second => round.again.push((sentence, rate)),
                Held::Unusable => unusable.push((sentence, rate)),
                // What comes next would be rendered in vain too.
                Held::NotKept => {
                    round.again.push((sentence, rate));
                    round.again.extend(left);
                    round.worst = held;
                    break;
                }
                // There is no room for the rest either.
                Held::Full => break,
            }
            round.worst = round.worst.max(held);
            // In another voice too it can be played; later rounds look for the best.
            progress.ready = (progress.ready + 1).min(progress.total);
            self.tell(progress);
        }
        round.again.append(&mut unusable);
        Some(round)
    }

    /// Waits until another round is worth it, and says of which sentences: all of them
    /// when a voice may speak now that might not before. None when the box is to stop.
    async fn next_round(
        &self,
        again: Vec<(String, SampleRate)>,
        wait: Option<Duration>,
        may: &[bool],
        wanted: &[(String, SampleRate)],
        mut changes: Option<&mut watch::Receiver<()>>,
    ) -> Option<Vec<(String, SampleRate)>> {
        loop {
            if !self.pause_or_change(wait, changes.as_deref_mut()).await {
                return None;
            }
            let is_wider = self.may_speak(&self.gate()).iter().zip(may).any(|(now, before)| *now && !before);
            if is_wider {
                return Some(wanted.to_vec());
            }
            if !again.is_empty() {
                return Some(again);
            }
        }
    }

    /// For the business's own words, under the policy that holds now.
    fn gate(&self) -> Arc<CallGate> {
        self.keeper.as_ref().map_or_else(|| Arc::new(CallGate::closed()), |keeper| keeper.gate())
    }

    /// Which of the voices may speak.
    fn may_speak(&self, gate: &CallGate) -> Vec<bool> {
        self.voices.iter().map(|voice| voice.may_speak(gate)).collect()
    }

    /// Until the time is over, if there is one, or another policy holds. False when
    /// the box is to stop.
    async fn pause_or_change(&self, time: Option<Duration>, changes: Option<&mut watch::Receiver<()>>) -> bool {
        let over = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let changed = async {
            // The keeper tells of changes as long as it is there, which is always.
            let is_told = match changes {
                Some(changes) => changes.changed().await.is_ok(),
                None => false,
            };
            if !is_told {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = over => true,
            () = changed => true,
            () = self.stop.asked() => false,
        }
    }

    /// False when the box is to stop.
    async fn wait_for_quiet(&self) -> bool {
        while self.stop.callers() > 0 && !self.stop.is_asked() {
            if !self.pause(LOOK_AGAIN).await {
                return false;
            }
        }
        !self.stop.is_asked()
    }

    /// False when the box is to stop.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.stop.asked() => false,
        }
    }

    /// Until all are ready, some answers begin a little later.
    fn tell(&self, Progress { ready, total }: &Progress) {
        let sentence = format!("{ready} of {total} fixed sentences are ready to be played.");
        self.health.state(HealthFact { name: "voice".to_owned(), state: HealthState::Well, sentence });
    }

    async fn hold_best(&self, sentence: &str, rate: SampleRate, gate: &Arc<CallGate>, let_be: bool) -> Held {
        let mut held = Held::Best;
        for voice in &self.voices {
            let had = match self.kept(voice, sentence, rate).await {
                Some(samples) => Ok(Sound { samples, kept: Kept::Yes }),
                None if let_be && !voice.is_on_box() => Err(NotHad::Failed),
                None => self.render(voice, gate, sentence, rate).await,
            };
            match had {
                Ok(sound) => {
                    return match self.hold_or_leave(voice, sentence, rate, sound) {
                        Held::Best => held,
                        other => other,
                    };
                }
                Err(NotHad::MayNot) => {}
                Err(NotHad::NoRoom) => held = held.max(Held::Sparing),
                // The box's own says tomorrow what it says today.
                Err(NotHad::Failed | NotHad::Unusable) if voice.is_on_box() => {}
                Err(NotHad::Failed) => held = held.max(Held::Second),
                Err(NotHad::Unusable) => held = Held::Unusable,
            }
        }
        // No voice could say it: it is spoken afresh.
        held
    }

    /// Where memory is full the sound is left to the store, if that keeps it.
    fn hold_or_leave(&self, voice: &FixedVoice, sentence: &str, rate: SampleRate, sound: Sound) -> Held {
        let len = sound.samples.len();
        if self.renderings.hold(sentence, rate, voice.name(), sound.samples) {
            return Held::Best;
        }
        match sound.kept {
            Kept::TooLong => Held::TooLong,
            Kept::Not => Held::NotKept,
            Kept::Yes => {
                let key = key(voice, sentence, rate);
                let is_left = self.renderings.leave(sentence, rate, voice.name(), key, len);
                if is_left { Held::Best } else { Held::Full }
            }
        }
    }

    /// Whether the sentence was kept in some voice, and is held now.
    async fn hold_kept(&self, sentence: &str, rate: SampleRate) -> bool {
        for voice in &self.voices {
            if let Some(sound) = self.kept(voice, sentence, rate).await {
                return self.renderings.hold(sentence, rate, voice.name(), sound);
            }
        }
        false
    }

    async fn kept(&self, voice: &FixedVoice, sentence: &str, rate: SampleRate) -> Option<Vec<i16>> {
        match self.vault.rendering_for_use(&key(voice, sentence, rate)).await {
            Ok(sound) => sound.filter(|sound| is_long_enough(sound, rate, sentence)),
            Err(error) => {
                tracing::warn!(%error, "a kept sentence could not be read; it is rendered again");
                None
            }
        }
    }

    /// Renders and keeps a sentence.
    async fn render(
        &self,
        voice: &FixedVoice,
        gate: &Arc<CallGate>,
        sentence: &str,
        rate: SampleRate,
    ) -> Result<Sound, NotHad> {
        // Rendered once, because a voice outside is paid for each time and the box's
        // own takes the cores: what is wide is made narrow here.
        let wide = SampleRate::Hz16000;
        if rate != SampleRate::Hz8000 || !self.rates.contains(&wide) {
            return self.render_and_keep(voice, gate, sentence, rate).await;
        }
        let sound = match self.kept(voice, sentence, wide).await {
            Some(kept) => kept,
            None => self.render_and_keep(voice, gate, sentence, wide).await?.samples,
        };
        let samples = narrowed(&sound);
        let kept = self.keep(voice, sentence, rate, &samples).await;
        Ok(Sound { samples, kept })
    }

    async fn render_and_keep(
        &self,
        voice: &FixedVoice,
        gate: &Arc<CallGate>,
        sentence: &str,
        rate: SampleRate,
    ) -> Result<Sound, NotHad> {
        if !voice.may_speak(gate) {
            return Err(NotHad::MayNot);
        }
        if voice.room_for(sentence) != Room::Now {
            return Err(NotHad::NoRoom);
        }
        let text = Private::new(sentence.to_owned());
        match voice.render(gate, &text, rate).await {
            Ok(sound) if !is_long_enough(&sound, rate, sentence) => {
                tracing::warn!(voice = %voice.key, "a fixed sentence was rendered as a sound too short for its words");
                Err(NotHad::Unusable)
            }
            Ok(samples) => {
                let kept = self.keep(voice, sentence, rate, &samples).await;
                Ok(Sound { samples, kept })
            }
            Err(error) => {
                tracing::warn!(%error, voice = %voice.key, "a fixed sentence could not be rendered");
                Err(NotHad::Failed)
            }
        }
    }

    async fn keep(&self, voice: &FixedVoice, sentence: &str, rate: SampleRate, sound: &[i16]) -> Kept {
        match self.vault.keep_rendering(&key(voice, sentence, rate), sound).await {
            Ok(true) => Kept::Yes,
            Ok(false) => Kept::TooLong,
            Err(error) => {
                tracing::warn!(%error, "a rendered sentence could not be kept; it is rendered again at the next start");
                Kept::Not
            }
        }
    }
}

/// A sentence that was had.
struct Sound {
    samples: Vec<i16>,
    kept: Kept,
}

/// Whether the store has a sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    Yes,
    /// It is longer than any fixed sentence is taken to be.
    TooLong,
    /// The disk did not take it.
    Not,
}

/// How many of the sentences can be played.
struct Progress {
    ready: usize,
    total: usize,
}

/// What came of rendering what was left.
struct Round {
    again: Vec<(String, SampleRate)>,
    worst: Held,
}

/// How a sentence is held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Held {
    /// In the best voice, or as well as it can be.
    Best,
    /// Not: memory is full, and the store keeps nothing that long. It is spoken afresh.
    TooLong,
    /// In another voice, if in any; the budget has no room for a better one now.
    Sparing,
    /// In another voice, if in any; a better one failed and may be had soon.
    Second,
    /// In another voice, if in any; a better one gave what cannot be its sound.
    Unusable,
    /// Not: memory is full, and the disk does not take it now.
    NotKept,
    /// Not: all that is set aside for sounds is full.
    Full,
}

/// Why a voice did not render a sentence.
enum NotHad {
    /// The policy keeps it from that voice.
    MayNot,
    /// What is left of the day's budget is for callers.
    NoRoom,
    Failed,
    /// It answered, and was paid, with what cannot be the sound of these words.
    Unusable,
}

/// After which time another round is worth it; none where only a change is.
/// `in_vain` counts the rounds up to this one that ended with what is of no use, or with a
/// disk that takes nothing.
fn wait_after(worst: Held, in_vain: u32) -> Option<Duration> {
    match worst {
        Held::Best | Held::TooLong | Held::Full => None,
        Held::Sparing => Some(BUDGET_WAIT),
        Held::Second => Some(LET_IT_BE),
        Held::Unusable | Held::NotKept => {
            let doubled = LET_IT_BE.saturating_mul(1_u32.checked_shl(in_vain).unwrap_or(u32::MAX));
            Some(doubled.min(UNUSABLE_WAIT_MAX))
        }
    }
}

fn key(voice: &FixedVoice, sentence: &str, rate: SampleRate) -> RenderingKey {
    let text = Private::new(sentence.to_owned());
    RenderingKey::of(&Rendition { text, voice: voice.key.clone(), rate, pace: 1.0 })
}

/// Whether it can be the sound of these words.
fn is_long_enough(sound: &[i16], rate: SampleRate, sentence: &str) -> bool {
    let letters = sentence.chars().filter(|c| c.is_alphanumeric()).count();
    sound.len() as u64 * 1000 >= letters as u64 * LETTER_MIN_MS * u64::from(rate.hz())
}

/// Wide sound for a narrow line.
fn narrowed(wide: &[i16]) -> Vec<i16> {
    let mut resampler = Resampler::new(Conversion::Hz16000ToHz8000);
    let mut narrow = Vec::with_capacity(wide.len() / 2);
    resampler.push(wide, &mut narrow);
    resampler.finish(&mut narrow);
    narrow
}

#[cfg(test)]
mod outside_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Level;

    const NARROW: SampleRate = SampleRate::Hz8000;
    const WIDE: SampleRate = SampleRate::Hz16000;

    #[test]
    fn every_sentence_is_wanted_at_every_rate_of_the_lines_and_how_calls_begin_first() {
        let [opening, rest] = [["Hello.", "Help?"], ["Closed.", "Open."]].map(|s| s.map(str::to_owned));
        let wanted = wanted(&opening, &rest, &[NARROW, WIDE]);
        let order: Vec<(&str, SampleRate)> = wanted.iter().map(|(sentence, rate)| (sentence.as_str(), *rate)).collect();
        let begins = [("Hello.", NARROW), ("Help?", NARROW), ("Hello.", WIDE), ("Help?", WIDE)];
        let then = [("Closed.", NARROW), ("Closed.", WIDE), ("Open.", NARROW), ("Open.", WIDE)];
        assert_eq!(order, [begins, then].concat());
    }

    #[test]
    fn of_an_answer_that_a_model_tells_in_part_each_sentence_is_wanted_too_and_none_twice() {
        let text = "# Bakery\n\n- Time zone: Africa/Lagos\n\n## Questions\n\n### Do you bake cakes?\n\n\
                    Yes. A cake is ₦18,000. Yes.\n";
        let base = KnowledgeBase::parse("bakery.md", text).expect("a knowledge file");
        let whole = "Yes. A cake is eighteen thousand naira. Yes.";
        let alone = |sentences: &[String], wanted: &str| sentences.iter().filter(|s| *s == wanted).count();
        let on_box = rest(&base, Mind::OnBox);
        assert_eq!((alone(&on_box, whole), alone(&on_box, "A cake is eighteen thousand naira.")), (1, 0));
        let outside = rest(&base, Mind::Outside);
        assert_eq!(outside[..on_box.len()], on_box, "what is said whole comes first");
        for sentence in [whole, "A cake is eighteen thousand naira.", "Yes.", "Certainly."] {
            assert_eq!(alone(&outside, sentence), 1, "{sentence}");
        }
    }

    #[test]
    fn a_voice_whose_sound_is_of_no_use_is_asked_ever_more_seldom_to_once_an_hour() {
        let minutes = |unusable| wait_after(Held::Unusable, unusable).map(|wait| wait.as_secs() / 60);
        assert_eq!([1, 2, 5, 6, u32::MAX].map(minutes), [2, 4, 32, 60, 60].map(Some));
        assert_eq!(wait_after(Held::Second, 0), Some(LET_IT_BE), "one that cannot be had costs nothing");
    }

    #[test]
    fn wide_lines_are_those_that_may_agree_on_wide_sound() {
        let rates_of = |line: &str| {
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().join("milu.toml");
            let text = format!("[box]\nname = \"test\"\nknowledge = \"clinic.toml\"\n{line}");
            std::fs::write(&file, text).expect("a file");
            rates(&Config::read(&file).expect("a configuration"))
        };
        assert_eq!(rates_of("[[sip_line]]\nid = \"front-desk\"\n"), [NARROW, WIDE]);
        let door = "[[audio_line]]\nid = \"door\"\ncard = \"Device\"\n";
        assert_eq!(rates_of(&format!("{door}rate_hz = 8000\n")), [NARROW]);
        assert_eq!(rates_of(&format!("{door}rate_hz = 16000\n")), [NARROW, WIDE]);
    }

    #[test]
    fn what_is_made_narrow_is_as_long_and_as_loud() {
        let tone = |n: i32| ((f64::from(n) * 500.0 / 16_000.0 * std::f64::consts::TAU).sin() * 8000.0) as i16;
        let wide: Vec<i16> = (0..32_000).map(tone).collect();
        let narrow = narrowed(&wide);
        assert!(narrow.len().abs_diff(16_000) < 200, "{}", narrow.len());
        let (before, after) = (Level::of(&wide).rms_dbfs, Level::of(&narrow).rms_dbfs);
        assert!((before - after).abs() < 1.0, "{before} and {after}");
    }
}
