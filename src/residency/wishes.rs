use super::Ground;

/// What one caller has said of their data, or has on file. It overrides the
/// table, and only ever makes it stricter, consent apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerWish {
    /// Yes to what rests on consent.
    Consents,
    /// No consent, or taken back.
    Withdraws,
    /// Against what rests on legitimate or public interest (NDPA s. 36, GDPR art. 21).
    Objects,
    /// Nothing of this caller leaves (NDPA s. 34, GDPR art. 18).
    Restricts,
}

impl CallerWish {
    pub const ALL: [Self; 4] = [Self::Consents, Self::Withdraws, Self::Objects, Self::Restricts];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consents => "consents",
            Self::Withdraws => "withdraws",
            Self::Objects => "objects",
            Self::Restricts => "restricts",
        }
    }
}

/// All that one caller wishes, together. At first nobody has consented to
/// anything, and nobody objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct CallerWishes {
    pub consents: bool,
    pub objects: bool,
    pub restricts: bool,
}

impl CallerWishes {
    /// Every state that a caller's wishes can be in.
    pub const STATES: [Self; 8] = {
        let mut states = [Self { consents: false, objects: false, restricts: false }; 8];
        let mut n = 0;
        while n < states.len() {
            states[n] = Self { consents: n & 1 != 0, objects: n & 2 != 0, restricts: n & 4 != 0 };
            n += 1;
        }
        states
    };

    /// These wishes with one more. A restriction and an objection stay: they are
    /// taken back with the business and not within a call.
    #[must_use]
    pub const fn and(mut self, wish: CallerWish) -> Self {
        match wish {
            CallerWish::Consents => self.consents = true,
            CallerWish::Withdraws => self.consents = false,
            CallerWish::Objects => self.objects = true,
            CallerWish::Restricts => self.restricts = true,
        }
        self
    }

    /// Whether they let a row on this ground give leave.
    pub const fn let_through(self, ground: Ground) -> bool {
        !self.restricts && (self.consents || !ground.asks_consent()) && (!self.objects || !ground.yields_to_objection())
    }

    /// Where these wishes stand in [`Self::STATES`].
    pub(super) const fn index(self) -> usize {
        self.consents as usize | (self.objects as usize) << 1 | (self.restricts as usize) << 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_stands_at_its_own_place() {
        for (n, state) in CallerWishes::STATES.into_iter().enumerate() {
            assert_eq!(state.index(), n);
        }
    }

    #[test]
    fn consent_can_be_taken_back_and_a_restriction_stays() {
        let wishes = [CallerWish::Consents, CallerWish::Restricts, CallerWish::Withdraws]
            .into_iter()
            .fold(CallerWishes::default(), CallerWishes::and);
        assert_eq!(wishes, CallerWishes { restricts: true, ..CallerWishes::default() });
    }
}
