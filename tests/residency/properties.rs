//! What holds of every policy, whatever its table: checked on random tables
//! against a reference that is written here and shares no code with the library.

use milu::residency::{
    CallerWishes, Contract, DataClass, Destination, DestinationId, Ground, Host, Policy, Row, Safeguards, Verdict,
    Widening, widenings,
};
use proptest::prelude::*;

/// Three places: with a contract, without one, and in the business's network;
/// and one that no policy describes.
const PLACES: [&str; 4] = ["signed", "unsigned", "on-site", "nowhere"];

fn id(name: &str) -> DestinationId {
    DestinationId::parse(name).expect("a name")
}

fn place(name: &str, has_contract: bool) -> Destination {
    Destination {
        id: id(name),
        operator: format!("{name}, Inc."),
        hosts: vec![Host { name: format!("{name}.example"), port: 443 }],
        country: "US".to_owned(),
        on_site: name == "on-site",
        contract: has_contract.then(|| Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
        safeguards: Safeguards::default(),
        pins: Vec::new(),
    }
}

fn places() -> Vec<Destination> {
    vec![place("signed", true), place("unsigned", false), place("on-site", false)]
}

/// The same, the contracts being signed or not.
fn some_places() -> impl Strategy<Value = Vec<Destination>> {
    (any::<bool>(), any::<bool>())
        .prop_map(|(one, other)| vec![place("signed", one), place("unsigned", other), place("on-site", false)])
}

fn a_policy() -> impl Strategy<Value = Policy> {
    (some_places(), a_table()).prop_map(|(places, rows)| Policy::new(places, rows))
}

prop_compose! {
    fn a_row()(
        class in 0..DataClass::ALL.len(),
        to in 0..PLACES.len(),
        ground in 0..Ground::ALL.len(),
        verdict in 0..Verdict::ALL.len(),
    ) -> Row {
        Row {
            id: String::new(),
            class: DataClass::ALL[class],
            destination: id(PLACES[to]),
            ground: Ground::ALL[ground],
            verdict: Verdict::ALL[verdict],
        }
    }
}

/// A table whose rows have names of their own, some of them not wisely chosen.
fn a_table() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(a_row(), 0..40).prop_map(|mut rows| {
        for (n, row) in rows.iter_mut().enumerate() {
            row.id = match n % 13 {
                7 => "wish:restriction".to_owned(),
                11 => "row-1".to_owned(),
                12 => "it's \"quoted\"\\".to_owned(),
                _ => format!("row-{}", n + 1),
            };
        }
        rows
    })
}

fn every_question() -> impl Iterator<Item = (DataClass, DestinationId, CallerWishes)> {
    let of_class = |class| PLACES.into_iter().map(move |to| (class, id(to)));
    let questions = DataClass::ALL.into_iter().flat_map(of_class);
    questions.flat_map(|(class, to)| CallerWishes::STATES.into_iter().map(move |w| (class, to.clone(), w)))
}

/// The law of the house in a few rows, as one would explain it to a person.
fn reference(rows: &[Row], class: DataClass, to: &DestinationId, wishes: CallerWishes) -> (Verdict, Vec<String>) {
    let may_receive = match to.as_str() {
        "signed" | "on-site" => true,
        "unsigned" => class == DataClass::Telemetry,
        _ => false,
    };
    let stands = |row: &&Row| {
        let ground = match row.ground {
            Ground::Consent => wishes.consents,
            Ground::LegitimateInterest | Ground::PublicInterest => !wishes.objects,
            Ground::Contract | Ground::LegalObligation | Ground::VitalInterest => true,
        };
        row.class == class && row.destination == *to && ground && may_receive && !wishes.restricts
    };
    let secret = matches!(class, DataClass::Payment | DataClass::Credential);
    for verdict in [Verdict::Raw, Verdict::Redacted] {
        if verdict == Verdict::Raw && secret {
            continue;
        }
        let gave: Vec<String> =
            rows.iter().filter(stands).filter(|row| row.verdict >= verdict).map(|row| row.id.clone()).collect();
        if !gave.is_empty() {
            return (verdict, gave);
        }
    }
    (Verdict::Local, Vec::new())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cedar_decides_as_the_reference_does(rows in a_table()) {
        let policy = Policy::new(places(), rows.clone());
        for (class, to, wishes) in every_question() {
            let decision = policy.decide(class, &to, wishes);
            let expected = reference(&rows, class, &to, wishes);
            prop_assert_eq!((decision.verdict, decision.rows), expected, "{:?} to {} for {:?}", class, to, wishes);
        }
    }

    #[test]
    fn what_is_not_in_the_table_stays_on_the_box(rows in a_table()) {
        let policy = Policy::new(places(), rows.clone());
        for (class, to, wishes) in every_question() {
            if !rows.iter().any(|row| row.class == class && row.destination == to) {
                prop_assert_eq!(policy.decide(class, &to, wishes).verdict, Verdict::Local);
            }
        }
    }

    #[test]
    fn a_row_more_never_narrows(mut rows in a_table(), more in a_row()) {
        let before = Policy::new(places(), rows.clone());
        rows.push(Row { id: "one-more".to_owned(), ..more });
        let after = Policy::new(places(), rows);
        prop_assert!(widenings(&after, &before).is_empty());
        for (class, to, wishes) in every_question() {
            let (before, after) = (before.decide(class, &to, wishes), after.decide(class, &to, wishes));
            prop_assert!(after.verdict >= before.verdict);
        }
    }

    #[test]
    fn wishes_only_ever_narrow_and_consent_alone_widens(rows in a_table()) {
        let policy = Policy::new(places(), rows);
        for (class, to, wishes) in every_question() {
            let verdict = |wishes| policy.decide(class, &to, wishes).verdict;
            let objecting = CallerWishes { objects: true, ..wishes };
            let withdrawn = CallerWishes { consents: false, ..wishes };
            let restricting = CallerWishes { restricts: true, ..wishes };
            prop_assert!(verdict(objecting) <= verdict(wishes) && verdict(withdrawn) <= verdict(wishes));
            prop_assert_eq!(verdict(restricting), Verdict::Local);
        }
    }

    #[test]
    fn two_policies_have_in_common_what_both_allow_and_nothing_else(old in a_policy(), new in a_policy()) {
        let common = Policy::in_common(&old, &new);
        for (class, to, wishes) in every_question() {
            let verdict = |policy: &Policy| policy.decide(class, &to, wishes).verdict;
            prop_assert_eq!(verdict(&common), verdict(&old).min(verdict(&new)), "{:?} to {} {:?}", class, to, wishes);
        }
        prop_assert!(widenings(&old, &common).is_empty() && widenings(&new, &common).is_empty());
        // Meeting again changes nothing, so that it can be done any number of times.
        let again = Policy::in_common(&common, &Policy::in_common(&old, &common));
        prop_assert!(widenings(&common, &again).is_empty() && widenings(&again, &common).is_empty());
    }

    #[test]
    fn a_widening_is_named_exactly_where_a_decision_got_wider(old in a_policy(), new in a_policy()) {
        let named: Vec<(DataClass, DestinationId)> = widenings(&old, &new)
            .into_iter()
            .filter_map(|w| match w {
                Widening::Data { class, destination, .. } => Some((class, destination)),
                _ => None,
            })
            .collect();
        for class in DataClass::ALL {
            for to in PLACES.map(id) {
                let wider = CallerWishes::STATES
                    .into_iter()
                    .any(|w| new.decide(class, &to, w).verdict > old.decide(class, &to, w).verdict);
                prop_assert_eq!(named.contains(&(class, to.clone())), wider, "{:?} to {}", class, to);
            }
        }
    }

    #[test]
    fn every_decision_can_be_explained_with_its_rows(rows in a_table()) {
        let policy = Policy::new(places(), rows);
        for (class, to, wishes) in every_question() {
            let explained = policy.explain(class, &to, wishes);
            prop_assert_eq!(&explained.decision, &policy.decide(class, &to, wishes));
            prop_assert!(explained.sentence.contains(class.name()) && explained.sentence.contains(to.as_str()));
            for row in &explained.decision.rows {
                prop_assert!(explained.sentence.contains(&format!("`{row}`")), "{}", explained.sentence);
            }
        }
    }

    #[test]
    fn every_table_is_well_typed_cedar(rows in a_table()) {
        let policy = Policy::new(places(), rows);
        let schema = Policy::cedar_schema().expect("the schema is good");
        let checked = cedar_policy::Validator::new(schema).validate(policy.cedar(), Default::default());
        let errors: Vec<_> = checked.validation_errors().map(ToString::to_string).collect();
        prop_assert!(errors.is_empty(), "{errors:?}");
    }
}
