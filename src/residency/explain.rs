use super::country::{ON_SITE, country_name};
use super::{CallerWishes, DataClass, Decision, Destination, DestinationId, Policy, Row, Safeguards, Verdict};

/// What a row of `sensitive` cannot do, for whoever asks about one.
pub const SENSITIVE_IS_NOT_LOOKED_FOR: &str = "Nothing is looked for as `sensitive`: what is said of it goes with the \
    words and the voice, wherever the rows of `transcript`, `reply` and `call-audio` let these go.";

/// A decision with its reasons, for the business's people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    pub decision: Decision,
    /// One or more whole sentences.
    pub sentence: String,
}

impl Policy {
    /// Why a datum of this kind may or may not go there, for a caller of these
    /// wishes: the row, its ground, the contract, the country and what every
    /// request must carry.
    pub fn explain(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Explanation {
        let decision = self.decide(class, to, wishes);
        let sentence = match (self.destination(to), decision.verdict) {
            (None, _) => self.unknown_place(class, to),
            (Some(place), verdict) => {
                let told = match verdict {
                    Verdict::Local => self.stays(class, place, wishes),
                    Verdict::Raw | Verdict::Redacted => {
                        let held_back = self.held_back(class, &decision);
                        let besides = self.besides(class, &decision, to, wishes);
                        format!("{}{held_back}{besides}", goes(class, place, &decision))
                    }
                };
                format!("{told}{}", self.goes_unseen(class, verdict, to, wishes))
            }
        };
        Explanation { decision, sentence }
    }

    fn unknown_place(&self, class: DataClass, to: &DestinationId) -> String {
        let stays = agreeing(class, "stays", "stay");
        let what = format!("{} ({}) {stays} on the box", capital(class.plain()), class.name());
        // Two policies that hold together may mean two places by one name, or one has none.
        let rows = || self.rows.iter().filter(|row| row.destination == *to);
        if let Some(row) = rows().find(|row| row.class == class && row.verdict != Verdict::Local) {
            return format!(
                "{what}: row `{}` lets {} go, but the table that held before does not know `{to}`, or describes it as another place; until the notice period is over nothing goes there.",
                row.id,
                agreeing(class, "it", "them")
            );
        }
        if rows().next().is_some() {
            return format!("{what}: no row lets {} go to `{to}`.", agreeing(class, "it", "them"));
        }
        let known: Vec<&str> = self.destinations.iter().map(|d| d.id.as_str()).collect();
        let known = match known[..] {
            [] => "it knows none".to_owned(),
            _ => format!("it knows {}", known.join(", ")),
        };
        format!("{what}: the policy knows no destination `{to}`; {known}.")
    }

    /// When a row says more than it may yet.
    fn held_back(&self, class: DataClass, decision: &Decision) -> &'static str {
        let says_raw = |row: &Row| row.verdict == Verdict::Raw && decision.rows.contains(&row.id);
        match decision.verdict {
            Verdict::Redacted if !class.is_secret() && self.rows.iter().any(says_raw) => {
                " The row says more, but the table that held before does not, and it holds too until the notice period is over."
            }
            _ => "",
        }
    }

    /// What becomes of identifiers in what goes.
    fn besides(&self, class: DataClass, decision: &Decision, to: &DestinationId, wishes: CallerWishes) -> String {
        let it = agreeing(class, "it", "them");
        let contact = || self.decide(DataClass::Contact, to, wishes).verdict;
        match (class, decision.verdict) {
            (DataClass::CallAudio, _) => " A voice cannot be looked through: what it says goes with it.".to_owned(),
            (DataClass::Transcript | DataClass::Reply, Verdict::Redacted) => {
                format!(" Names and street addresses are not looked for, and stay in {it}.")
            }
            (DataClass::Transcript | DataClass::Reply, _) if contact() == Verdict::Raw => {
                format!(" Card, account and identity numbers, PINs and codes are taken out of {it} first.")
            }
            (DataClass::Transcript | DataClass::Reply, _) => {
                format!(
                    " Card, account and identity numbers, PINs and codes are taken out of {it} first, and telephone numbers and e-mail addresses too, because no row lets a `contact` datum go there as it is."
                )
            }
            _ => String::new(),
        }
    }

    /// What of such data goes there on the rows of words and voice, in which it is
    /// not seen.
    fn goes_unseen(&self, class: DataClass, verdict: Verdict, to: &DestinationId, wishes: CallerWishes) -> String {
        let goes = |of: DataClass| self.decide(of, to, wishes).verdict != Verdict::Local;
        let words = || goes(DataClass::Transcript) || goes(DataClass::Reply);
        let voice = || goes(DataClass::CallAudio);
        let in_words = match class {
            DataClass::Sensitive if verdict != Verdict::Local || words() || voice() => {
                Some(SENSITIVE_IS_NOT_LOOKED_FOR)
            }
            DataClass::Contact if verdict != Verdict::Raw && words() => {
                Some("But names and street addresses are not looked for: one that is said goes with the words.")
            }
            DataClass::Credential if words() => {
                Some("But passwords that are words are not looked for: one that is said goes with the words.")
            }
            _ => None,
        };
        let is_kept_out = class.is_secret() || (class == DataClass::Contact && verdict != Verdict::Raw);
        let in_voice = (is_kept_out && voice())
            .then_some("The caller's voice may go there and cannot be looked through: what it says goes with it.");
        in_words.into_iter().chain(in_voice).fold(String::new(), |told, more| format!("{told} {more}"))
    }

    fn stays(&self, class: DataClass, place: &Destination, wishes: CallerWishes) -> String {
        let what = format!(
            "{} ({}) {} on the box and {} not go to {}",
            capital(class.plain()),
            class.name(),
            agreeing(class, "stays", "stay"),
            agreeing(class, "does", "do"),
            name_of(place)
        );
        format!("{what}: {}.", self.why_it_stays(class, place, wishes))
    }

    fn why_it_stays(&self, class: DataClass, place: &Destination, wishes: CallerWishes) -> String {
        let it = agreeing(class, "it", "them");
        let of_it = |row: &&Row| row.class == class && row.destination == place.id;
        let rows: Vec<&Row> = self.rows.iter().filter(of_it).collect();
        let sending: Vec<&Row> = rows.iter().copied().filter(|row| row.verdict != Verdict::Local).collect();
        let Some(first) = sending.first() else {
            return match rows.first() {
                Some(row) => format!("row `{}` of the table keeps {it} here", row.id),
                None => format!("no row of the table lets {it}, and without a row everything stays"),
            };
        };
        let would = format!(
            "row `{}` would let {it} go {}, on the ground of {}",
            first.id,
            manner(class, first.verdict),
            first.ground.plain()
        );
        if wishes.restricts {
            return format!("{would}, but this caller wants nothing of theirs to leave, which overrides every row");
        }
        if !sending.iter().any(|row| wishes.let_through(row.ground)) {
            let lacking = if first.ground.asks_consent() { "has not given it" } else { "has objected to that" };
            return format!("{would}, and this caller {lacking}");
        }
        if place.lacks_contract() && class != DataClass::Telemetry {
            return format!("{would}, but there is no contract with {} yet", place.operator);
        }
        format!("{would}, but the table that held before does not, and it holds too until the notice period is over")
    }
}

fn goes(class: DataClass, place: &Destination, decision: &Decision) -> String {
    let rows: Vec<String> = decision.rows.iter().map(|row| format!("`{row}`")).collect();
    let (noun, verb) = if rows.len() == 1 { ("Row", "allows") } else { ("Rows", "allow") };
    format!(
        "{} ({}) may go to {} {}. {noun} {} {verb} {} on the ground of {}, {}. {}",
        capital(class.plain()),
        class.name(),
        name_of(place),
        manner(class, decision.verdict),
        rows.join(" and "),
        agreeing(class, "it", "them"),
        decision.ground.plain(),
        paper(place),
        carried(&decision.safeguards),
    )
}

/// Of the two, what agrees with the class that the sentence speaks of.
const fn agreeing(class: DataClass, one: &'static str, many: &'static str) -> &'static str {
    if class.is_plural() { many } else { one }
}

const fn manner(class: DataClass, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Raw => agreeing(class, "as it is", "as they are"),
        Verdict::Redacted => {
            "with card, account, identity and telephone numbers, PINs, codes and e-mail addresses taken out"
        }
        Verdict::Local => "nowhere",
    }
}

/// Whose it is and where: "Anthropic, PBC (`anthropic`) in the United States".
fn name_of(place: &Destination) -> String {
    let country = match place.country.as_str() {
        _ if place.on_site => "in the business's own network".to_owned(),
        ON_SITE => "in a country that the policy does not name".to_owned(),
        code => format!("in {}", country_name(code).unwrap_or(code)),
    };
    format!("{} (`{}`) {country}", place.operator, place.id)
}

fn paper(place: &Destination) -> String {
    match &place.contract {
        Some(contract) => format!("under the contract \"{}\" signed on {}", contract.name, contract.signed),
        None if place.on_site => "and no contract is needed where nobody else receives it".to_owned(),
        None => "and no contract is needed for what holds nobody's datum".to_owned(),
    }
}

/// What every request tells the operator.
fn carried(safeguards: &Safeguards) -> String {
    let mut told = Vec::new();
    if safeguards.training_opt_out {
        told.push("that nobody's models are trained on it".to_owned());
    }
    if safeguards.zero_retention {
        told.push("that nothing is kept after the answer".to_owned());
    }
    if let Some(region) = &safeguards.inference_region {
        told.push(format!("that the computing happens in the region `{region}`"));
    }
    match &told[..] {
        [] => "No safeguard is asked of the operator in the requests.".to_owned(),
        [one] => format!("Every request says {one}."),
        [most @ .., last] => format!("Every request says {} and {last}.", most.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::Ground;

    /// What is told of this class where the table has these rows.
    fn told(class: DataClass, rows: &[(DataClass, Verdict)]) -> String {
        let id = DestinationId::parse("lan").unwrap();
        let place = Destination {
            id: id.clone(),
            operator: "our own".to_owned(),
            hosts: Vec::new(),
            country: ON_SITE.to_owned(),
            on_site: true,
            contract: None,
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        };
        let row = |(class, verdict): &(DataClass, Verdict)| Row {
            id: class.name().to_owned(),
            class: *class,
            destination: id.clone(),
            ground: Ground::LegalObligation,
            verdict: *verdict,
        };
        let policy = Policy::new(vec![place], rows.iter().map(row).collect());
        policy.explain(class, &id, CallerWishes::default()).sentence
    }

    #[test]
    fn what_is_told_of_many_agrees_with_them() {
        let class_alone = |class, verdict| told(class, &[(class, verdict)]);
        let nowhere = DestinationId::parse("nowhere").unwrap();
        for class in DataClass::ALL {
            let [stay, keep, unknown, goes] = [
                told(class, &[]),
                class_alone(class, Verdict::Local),
                Policy::nothing_leaves().explain(class, &nowhere, CallerWishes::default()).sentence,
                class_alone(class, Verdict::Redacted),
            ];
            let name = class.name();
            let parts = if matches!(class, DataClass::Transcript | DataClass::Telemetry) {
                [") stay on the box and do not go to", "lets them,", "keeps them here", "allows them on"]
            } else {
                [") stays on the box and does not go to", "lets it,", "keeps it here", "allows it on"]
            };
            let [stays, lets, keeps, allows] = parts;
            assert!(stay.contains(stays) && stay.contains(lets), "{name}: {stay}");
            assert!(keep.contains(stays) && keep.contains(keeps), "{name}: {keep}");
            let alone = stays.split(" and ").next().unwrap_or_default();
            assert!(unknown.contains(alone), "{name}: {unknown}");
            if goes.contains("may go to") {
                assert!(goes.contains(allows), "{name}: {goes}");
            }
        }
        let raw = class_alone(DataClass::Transcript, Verdict::Raw);
        assert!(raw.contains(" as they are. ") && raw.contains("taken out of them first"), "{raw}");
        let redacted = class_alone(DataClass::Transcript, Verdict::Redacted);
        assert!(redacted.contains("and stay in them."), "{redacted}");
        let reply = class_alone(DataClass::Reply, Verdict::Raw);
        assert!(reply.contains(" as it is. ") && reply.contains("taken out of it first"), "{reply}");
    }

    const NAMES: &str = "names and street addresses are not looked for";
    const IN_VOICE: &str = "what it says goes with it";

    #[test]
    fn what_is_not_looked_for_in_words_that_go_is_not_said_to_stay() {
        for words in [DataClass::Transcript, DataClass::Reply] {
            for verdict in [Verdict::Redacted, Verdict::Raw] {
                let of = |class| told(class, &[(words, verdict)]);
                let contact = of(DataClass::Contact);
                assert!(contact.contains("stays on the box") && contact.contains(NAMES), "{contact}");
                assert!(of(DataClass::Credential).contains("passwords that are words"));
                assert!(of(DataClass::Sensitive).contains(SENSITIVE_IS_NOT_LOOKED_FOR));
                assert!(!of(DataClass::Payment).contains("goes"), "its numbers are known by their form");
            }
        }
        let raw = [DataClass::Transcript, DataClass::Contact].map(|class| (class, Verdict::Raw));
        assert!(!told(DataClass::Contact, &raw).contains(NAMES), "it may go");
    }

    #[test]
    fn what_is_said_in_a_voice_that_goes_is_not_said_to_stay() {
        let of = |class| told(class, &[(DataClass::CallAudio, Verdict::Raw)]);
        for class in DataClass::IN_WORDS {
            let told = of(class);
            let has = |part: &str| told.contains(part);
            assert!(has("stays on the box") && has(IN_VOICE) && !has("looked for"), "{told}");
        }
        assert!(of(DataClass::Sensitive).contains(SENSITIVE_IS_NOT_LOOKED_FOR));
    }

    #[test]
    fn where_neither_words_nor_voice_go_nothing_goes_unseen() {
        let others = [DataClass::Knowledge, DataClass::Telemetry].map(|class| (class, Verdict::Raw));
        for class in [DataClass::Contact, DataClass::Payment, DataClass::Credential, DataClass::Sensitive] {
            let told = told(class, &others);
            assert!(told.ends_with("without a row everything stays."), "{told}");
        }
    }

    #[test]
    fn a_row_of_sensitive_data_is_told_that_it_decides_nothing() {
        let told = told(DataClass::Sensitive, &[(DataClass::Sensitive, Verdict::Raw)]);
        assert!(told.contains(SENSITIVE_IS_NOT_LOOKED_FOR), "{told}");
    }
}
