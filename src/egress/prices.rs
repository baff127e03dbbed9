//! What operators and the uplink ask, from a file. Money is counted in billionths,
//! so that a single token has a price; nothing here is a bill.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::residency::DestinationId;

/// The prices that a box is delivered with.
const DELIVERED: &str = include_str!("../../firmware-config/prices.toml");

const NANOS: u64 = 1_000_000_000;

/// A price above this is a slip of the hand: a million for one minute.
const PRICE_MAX: f64 = 1e6;

/// An amount, in billionths of the currency that the price file names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(u64);

impl Money {
    pub const NONE: Self = Self(0);

    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> u64 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self` for each `per` units, `units` of them; rounded up.
    fn times(self, units: u64, per: u64) -> Self {
        let nanos = (u128::from(self.0) * u128::from(units)).div_ceil(u128::from(per.max(1)));
        Self(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Money {
    /// In whole units and hundredths, rounded up: `1.23`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.div_ceil(NANOS / 100);
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

/// What an operator asks money for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Usage {
    /// Sound that it heard.
    Audio(Duration),
    TokensIn(u64),
    /// Tokens in that it had kept from an earlier request.
    TokensInKept(u64),
    /// Tokens in that it keeps for a later request.
    TokensInToKeep(u64),
    TokensOut(u64),
    /// Characters that it spoke.
    Characters(u64),
}

#[derive(Debug, Error)]
pub enum InvalidPrices {
    #[error("reading the prices: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("reading the prices: `{entry}` is {given}, and a price is a number from 0 to 1000000")]
    Price { entry: &'static str, given: f64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    currency: String,
    #[serde(default)]
    uplink: UplinkEntry,
    #[serde(default)]
    provider: BTreeMap<String, ProviderEntry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct UplinkEntry {
    #[serde(default)]
    megabyte: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProviderEntry {
    audio_minute: f64,
    million_tokens_in: f64,
    million_tokens_in_kept: f64,
    million_tokens_in_to_keep: f64,
    million_tokens_out: f64,
    thousand_characters: f64,
    in_region_factor: f64,
}

impl Default for ProviderEntry {
    fn default() -> Self {
        Self {
            audio_minute: 0.0,
            million_tokens_in: 0.0,
            million_tokens_in_kept: 0.0,
            million_tokens_in_to_keep: 0.0,
            million_tokens_out: 0.0,
            thousand_characters: 0.0,
            in_region_factor: 1.0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Asked {
    audio_minute: Money,
    million_tokens_in: Money,
    million_tokens_in_kept: Money,
    million_tokens_in_to_keep: Money,
    million_tokens_out: Money,
    thousand_characters: Money,
    in_region_permille: u64,
}

/// Where the computing was asked to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Anywhere,
    /// In a region that the request named; some operators ask more for it.
    InRegion,
}

/// The price list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prices {
    currency: String,
    megabyte: Money,
    providers: BTreeMap<String, Asked>,
}

impl Prices {
    /// Those that the box is delivered with.
    pub fn delivered() -> Result<Self, InvalidPrices> {
        Self::parse(DELIVERED)
    }

    /// Nothing costs anything.
    pub fn none() -> Self {
        Self { currency: "USD".to_owned(), megabyte: Money::NONE, providers: BTreeMap::new() }
    }

    pub fn parse(text: &str) -> Result<Self, InvalidPrices> {
        let file: PriceFile = toml::from_str(text).map_err(|error| InvalidPrices::Toml(Box::new(error)))?;
        let providers = file.provider.into_iter().map(|(name, entry)| Ok((name, asked(&entry)?)));
        Ok(Self {
            currency: file.currency,
            megabyte: price("uplink.megabyte", file.uplink.megabyte)?,
            providers: providers.collect::<Result<_, InvalidPrices>>()?,
        })
    }

    /// The uplink's own price of bytes.
    pub fn of_bytes(&self, bytes: u64) -> Money {
        self.megabyte.times(bytes, 1_000_000)
    }

    /// What the operator of a destination asks. A destination has the prices of
    /// the provider by whose name it is called, or whose name its own begins
    /// with: `deepgram-eu` those of `deepgram`. Others cost nothing.
    pub fn of_usage(&self, destination: &DestinationId, usage: Usage, place: Place) -> Money {
        let Some(asked) = self.asked_by(destination) else { return Money::NONE };
        let million = |price: Money, tokens: u64| price.times(tokens, 1_000_000);
        let money = match usage {
            Usage::Audio(sound) => {
                asked.audio_minute.times(u64::try_from(sound.as_millis()).unwrap_or(u64::MAX), 60_000)
            }
            Usage::TokensIn(tokens) => million(asked.million_tokens_in, tokens),
            Usage::TokensInKept(tokens) => million(asked.million_tokens_in_kept, tokens),
            Usage::TokensInToKeep(tokens) => million(asked.million_tokens_in_to_keep, tokens),
            Usage::TokensOut(tokens) => million(asked.million_tokens_out, tokens),
            Usage::Characters(characters) => asked.thousand_characters.times(characters, 1000),
        };
        match place {
            Place::Anywhere => money,
            Place::InRegion => money.times(asked.in_region_permille, 1000),
        }
    }

    /// An amount with its currency.
    pub fn shown(&self, money: Money) -> String {
        format!("{money} {}", self.currency)
    }

    fn asked_by(&self, destination: &DestinationId) -> Option<&Asked> {
        let name = destination.as_str();
        let is_its =
            |provider: &str| name.strip_prefix(provider).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        let fitting = self.providers.iter().filter(|(provider, _)| is_its(provider));
        fitting.max_by_key(|(provider, _)| provider.len()).map(|(_, asked)| asked)
    }
}

fn asked(entry: &ProviderEntry) -> Result<Asked, InvalidPrices> {
    Ok(Asked {
        audio_minute: price("audio_minute", entry.audio_minute)?,
        million_tokens_in: price("million_tokens_in", entry.million_tokens_in)?,
        million_tokens_in_kept: price("million_tokens_in_kept", entry.million_tokens_in_kept)?,
        million_tokens_in_to_keep: price("million_tokens_in_to_keep", entry.million_tokens_in_to_keep)?,
        million_tokens_out: price("million_tokens_out", entry.million_tokens_out)?,
        thousand_characters: price("thousand_characters", entry.thousand_characters)?,
        in_region_permille: price("in_region_factor", entry.in_region_factor)?.0 / (NANOS / 1000),
    })
}

fn price(entry: &'static str, given: f64) -> Result<Money, InvalidPrices> {
    if !(0.0..=PRICE_MAX).contains(&given) {
        return Err(InvalidPrices::Price { entry, given });
    }
    // At most 1e15, which both an f64 and a u64 hold exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0..=1e15")]
    Ok(Money((given * NANOS as f64).round() as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(name: &str) -> DestinationId {
        DestinationId::parse(name).expect("a name")
    }

    const LIST: &str = r#"
        currency = "NGN"
        [uplink]
        megabyte = 0.35
        [provider.ears]
        audio_minute = 0.0077
        [provider.ears-far]
        audio_minute = 1
        [provider.mind]
        million_tokens_in = 0.10
        million_tokens_out = 0.50
        in_region_factor = 1.1
        [provider.voice]
        thousand_characters = 0.05
    "#;

    #[test]
    fn usage_costs_what_the_list_says() {
        let prices = Prices::parse(LIST).expect("prices");
        let nanos = |to: &str, usage| prices.of_usage(&id(to), usage, Place::Anywhere).nanos();
        assert_eq!(nanos("ears", Usage::Audio(Duration::from_secs(60))), 7_700_000);
        assert_eq!(nanos("ears", Usage::Audio(Duration::from_secs(90))), 11_550_000);
        assert_eq!(nanos("mind", Usage::TokensIn(1)), 100);
        assert_eq!(nanos("mind", Usage::TokensOut(2_000_000)), 1_000_000_000);
        assert_eq!(nanos("mind", Usage::TokensInKept(1000)), 0, "not in the list");
        assert_eq!(nanos("voice", Usage::Characters(20)), 1_000_000);
        assert_eq!(prices.of_usage(&id("mind"), Usage::TokensIn(1), Place::InRegion).nanos(), 110);
        assert_eq!(prices.of_bytes(2_000_000).nanos(), 700_000_000);
        assert_eq!(prices.shown(Money::from_nanos(1)), "0.01 NGN", "never nothing for something");
    }

    #[test]
    fn a_destination_has_the_prices_of_the_longest_name_that_its_own_begins_with() {
        let prices = Prices::parse(LIST).expect("prices");
        let minute =
            |to: &str| prices.of_usage(&id(to), Usage::Audio(Duration::from_secs(60)), Place::Anywhere).nanos();
        assert_eq!(minute("ears-eu"), 7_700_000);
        assert_eq!(minute("ears-far-east"), 1_000_000_000);
        assert_eq!(minute("earshot"), 0);
        assert_eq!(minute("lan-ears"), 0);
    }

    #[test]
    fn the_delivered_list_is_read_and_knows_the_three_operators() {
        let prices = Prices::delivered().expect("the delivered prices");
        for (to, usage) in [
            ("deepgram", Usage::Audio(Duration::from_secs(60))),
            ("anthropic", Usage::TokensIn(1_000_000)),
            ("anthropic", Usage::TokensInKept(1_000_000)),
            ("anthropic", Usage::TokensInToKeep(1_000_000)),
            ("anthropic", Usage::TokensOut(1_000_000)),
            ("elevenlabs", Usage::Characters(1000)),
        ] {
            assert!(prices.of_usage(&id(to), usage, Place::Anywhere) > Money::NONE, "{to} {usage:?}");
        }
    }

    #[test]
    fn a_list_with_a_mistake_is_refused_and_says_where() {
        for (list, told) in [
            ("currency = \"USD\"\n[provider.ears]\naudio_minutes = 1\n", "audio_minutes"),
            ("currency = \"USD\"\n[provider.ears]\naudio_minute = -1\n", "`audio_minute` is -1"),
            ("currency = \"USD\"\n[uplink]\nmegabyte = nan\n", "`uplink.megabyte` is NaN"),
            ("currency = \"USD\"\n[uplink]\nmegabyte = inf\n", "`uplink.megabyte` is inf"),
            ("[uplink]\nmegabyte = 1\n", "currency"),
        ] {
            let error = Prices::parse(list).expect_err(list).to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_list_and_no_usage_ends_the_process(text in ".{0,200}", amount in any::<u64>()) {
            drop(Prices::parse(&text));
            let prices = Prices::parse(LIST).expect("prices");
            for usage in [Usage::TokensIn(amount), Usage::Characters(amount), Usage::Audio(Duration::from_secs(amount))] {
                for to in ["ears", "mind", "voice"] {
                    let once = prices.of_usage(&id(to), usage, Place::Anywhere);
                    prop_assert!(prices.of_usage(&id(to), usage, Place::InRegion) >= once);
                }
            }
        }
    }
}
