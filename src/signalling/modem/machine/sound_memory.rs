use crate::terms::{Moment, Private};

use super::super::output::ModemOutput;
use super::super::profile::Profile;
use super::super::settings::ProvenSound;
use super::ModemLine;

/// Which way of sound is known to work with the modem, over restarts: without it the
/// first call after each would begin by the way that fails.
#[derive(Debug)]
pub(super) struct SoundMemory {
    /// The ways that there are, as [`ProvenSound::ways`] has them.
    ways: String,
    /// Whether the modem has told who it is, and was looked for in what was kept.
    is_recalled: bool,
    /// The way that is known to work.
    proven: Option<usize>,
}

impl SoundMemory {
    /// `first` is the way that is tried first while nothing is known.
    pub(super) fn new(profile: &Profile, first: usize) -> Self {
        let ways = profile.sounds.iter().cycle().skip(first).take(profile.sounds.len());
        let ways = ways.map(|sound| {
            let once = sound.once.iter().map(|row| row.row.as_str());
            let rows: Vec<&str> = sound.on.as_deref().into_iter().chain(once).collect();
            format!("{} {} {}", sound.path.name(), sound.rate, rows.join(" "))
        });
        Self { ways: ways.collect::<Vec<_>>().join("\n"), is_recalled: false, proven: None }
    }
}

impl ModemLine {
    /// A modem that has told who it is begins with the way that worked with it. A call
    /// that is on keeps what it has.
    pub(super) fn recall_sound(&mut self, now: Moment) {
        if self.sound.memory.is_recalled || self.calls.is_any() {
            return;
        }
        let Some(imei) = &self.facts.imei else { return };
        self.sound.memory.is_recalled = true;
        let Some(kept) = self.settings.proven_sounds.iter().find(|kept| kept.imei == *imei) else { return };
        let choice = self.profile.sounds.iter().position(|sound| sound.path == kept.path);
        match choice.filter(|_| kept.ways == self.sound.memory.ways) {
            Some(choice) => {
                (self.sound.choice, self.sound.memory.proven) = (choice, Some(choice));
                self.support.line(format!("the sound went by {} before", self.sound_path().name()), now);
            }
            None => self.out.push_back(ModemOutput::SoundUnproven { imei: kept.imei.clone() }),
        }
    }

    /// Sound goes both ways by the way that is used now.
    pub(super) fn sound_is_proven(&mut self) {
        let (choice, is_only) = (self.sound.choice, self.profile.sounds.len() < 2);
        if is_only || self.sound.memory.proven == Some(choice) {
            return;
        }
        let Some(imei) = self.identity() else { return };
        self.sound.memory.proven = Some(choice);
        let (ways, path) = (self.sound.memory.ways.clone(), self.sound_path());
        self.out.push_back(ModemOutput::SoundProven(ProvenSound { imei, ways, path }));
    }

    /// Calls have no sound by the way that is used now, whatever was before.
    pub(super) fn sound_is_unproven(&mut self) {
        if self.sound.memory.proven.take().is_some()
            && let Some(imei) = self.identity()
        {
            self.out.push_back(ModemOutput::SoundUnproven { imei });
        }
    }

    fn identity(&self) -> Option<Private<String>> {
        self.facts.imei.clone()
    }
}
