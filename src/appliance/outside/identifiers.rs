//! Which class of data an identifier is of: what the redactor finds in words, in
//! the policy's terms.

use crate::privacy::Kind;
use crate::residency::DataClass;

/// Whether an identifier of this kind is of a class that may stay in the words.
pub(super) fn may_stay(kind: Kind, classes: &[DataClass]) -> bool {
    of(kind).iter().all(|class| classes.contains(class))
}

/// All that it may be.
const fn of(kind: Kind) -> &'static [DataClass] {
    match kind {
        Kind::Card | Kind::CardCode | Kind::CardExpiry | Kind::Account => &[DataClass::Payment],
        Kind::Bvn | Kind::Nin | Kind::Pin | Kind::OneTimeCode => &[DataClass::Credential],
        Kind::Phone | Kind::Email => &[DataClass::Contact],
        Kind::Number => &DataClass::IN_WORDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_only_where_all_that_it_may_be_stays() {
        let stay =
            |classes: &[DataClass]| Kind::ALL.into_iter().filter(|kind| may_stay(*kind, classes)).collect::<Vec<_>>();
        assert_eq!(stay(&[]), []);
        assert_eq!(stay(&[DataClass::Contact]), [Kind::Phone, Kind::Email]);
        assert_eq!(stay(&DataClass::IN_WORDS), Kind::ALL);
    }
}
