//! How a card is opened: the rate, the channels and the format in which what it can do
//! and what a line needs meet. It asks no card.

use crate::media::SampleRate;

use super::CardTrouble;

/// The formats that are taken, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SampleForm {
    S16,
    S32,
    F32,
}

/// One thing that a card can do in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ability {
    pub(super) form: SampleForm,
    pub(super) channels: u16,
    pub(super) least_hz: u32,
    pub(super) most_hz: u32,
}

impl Ability {
    fn reaches(&self, hz: u32) -> bool {
        (self.least_hz..=self.most_hz).contains(&hz)
    }
}

/// How one direction is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Setting {
    pub(super) form: SampleForm,
    pub(super) channels: u16,
    pub(super) hz: u32,
}

/// Channels beyond this are of studio equipment, not of a counter.
const MOST_CHANNELS: u16 = 8;

/// The rates at which a card is opened for a line, best first. The line's own needs no
/// arithmetic; the next is exact and loses nothing; the last loses the upper band.
const fn rates(line: SampleRate) -> [u32; 3] {
    match line {
        SampleRate::Hz8000 => [8_000, 16_000, 48_000],
        SampleRate::Hz16000 => [16_000, 48_000, 8_000],
    }
}

/// One setting for each direction, all at one rate: their clocks are one, so that what
/// was played and what was heard keep step.
pub(super) fn choose(
    directions: &[&[Ability]],
    line: SampleRate,
    only_hz: Option<u32>,
) -> Result<Vec<Setting>, CardTrouble> {
    let wanted = rates(line);
    let mut tried = wanted.iter().copied().filter(|hz| only_hz.is_none_or(|only| only == *hz));
    tried
        .find_map(|hz| directions.iter().map(|abilities| best(abilities, hz)).collect::<Option<Vec<_>>>())
        .ok_or(CardTrouble::NoCommonRate)
}

/// The plainest way to have `hz`: few channels, then the best format.
fn best(abilities: &[Ability], hz: u32) -> Option<Setting> {
    abilities
        .iter()
        .filter(|ability| ability.reaches(hz) && (1..=MOST_CHANNELS).contains(&ability.channels))
        .min_by_key(|ability| (ability.channels, ability.form))
        .map(|ability| Setting { form: ability.form, channels: ability.channels, hz })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ability(form: SampleForm, channels: u16, least_hz: u32, most_hz: u32) -> Ability {
        Ability { form, channels, least_hz, most_hz }
    }

    /// A USB handset as most are: one channel of capture, two of playback, 44.1 and 48 kHz.
    const HANDSET_IN: &[Ability] =
        &[ability(SampleForm::S16, 1, 44_100, 44_100), ability(SampleForm::S16, 1, 48_000, 48_000)];
    const HANDSET_OUT: &[Ability] = &[ability(SampleForm::S16, 2, 48_000, 48_000)];

    #[test]
    fn a_card_with_the_lines_rate_is_opened_with_it() {
        let modem = [ability(SampleForm::S16, 1, 8_000, 8_000)];
        let chosen = choose(&[&modem, &modem], SampleRate::Hz8000, None).unwrap();
        assert_eq!(chosen, [Setting { form: SampleForm::S16, channels: 1, hz: 8_000 }; 2]);
    }

    #[test]
    fn a_card_of_48_kilohertz_alone_is_taken_by_either_line() {
        for line in [SampleRate::Hz8000, SampleRate::Hz16000] {
            let chosen = choose(&[HANDSET_IN, HANDSET_OUT], line, None).unwrap();
            assert_eq!(chosen[0], Setting { form: SampleForm::S16, channels: 1, hz: 48_000 });
            assert_eq!(chosen[1], Setting { form: SampleForm::S16, channels: 2, hz: 48_000 });
        }
    }

    #[test]
    fn both_directions_have_one_rate() {
        let capture = [ability(SampleForm::S16, 1, 8_000, 16_000)];
        let playback = [ability(SampleForm::S16, 2, 16_000, 48_000)];
        let chosen = choose(&[&capture, &playback], SampleRate::Hz8000, None).unwrap();
        assert!(chosen.iter().all(|setting| setting.hz == 16_000));
    }

    #[test]
    fn a_card_that_lies_about_its_rates_is_held_to_one() {
        let plug = [ability(SampleForm::S16, 1, 4_000, 192_000)];
        let chosen = choose(&[&plug], SampleRate::Hz8000, Some(48_000)).unwrap();
        assert_eq!(chosen[0].hz, 48_000);
    }

    #[test]
    fn a_card_without_a_telephone_rate_is_refused() {
        let cd = [ability(SampleForm::S16, 2, 44_100, 44_100)];
        assert_eq!(choose(&[&cd], SampleRate::Hz8000, None), Err(CardTrouble::NoCommonRate));
        assert_eq!(choose(&[HANDSET_IN, &[]], SampleRate::Hz8000, None), Err(CardTrouble::NoCommonRate));
    }

    #[test]
    fn sixteen_bits_are_taken_before_others() {
        let many = [
            ability(SampleForm::F32, 1, 8_000, 48_000),
            ability(SampleForm::S32, 1, 8_000, 48_000),
            ability(SampleForm::S16, 1, 8_000, 48_000),
            ability(SampleForm::S16, 2, 8_000, 48_000),
        ];
        assert_eq!(choose(&[&many], SampleRate::Hz8000, None).unwrap()[0].form, SampleForm::S16);
    }
}
