//! The keypad menu that a caller is offered when the ears cannot follow:
//! "press 1 for opening hours". It is derived from the file.

use super::find::Found;
use super::topic::Topic;
use super::{KnowledgeIndex, Recollection, Spoken, as_spoken};

/// Keys for facts. People remember about as many choices as this, and 9 and 0
/// are a message and a person besides.
const FACT_KEYS: usize = 4;

/// What the menu says of key 9.
const LEAVE_MESSAGE: &str = "To leave a message, press 9.";

/// What a key of the telephone asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MenuChoice {
    /// An answer: see [`KnowledgeIndex::answer_key`].
    Topic(Topic),
    Message,
    Person,
}

/// Does a telephone of the business ring for a caller who asks for anybody?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingsForAnybody {
    Yes,
    No,
}

/// The menu: what each key does, and the sentence that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypadMenu {
    pub keys: Vec<(char, MenuChoice)>,
    pub spoken: Spoken,
}

impl KeypadMenu {
    pub fn choice(&self, key: char) -> Option<MenuChoice> {
        self.keys.iter().find(|(k, _)| *k == key).map(|(_, choice)| *choice)
    }

    /// The sentence where no message can be kept; empty if that is all there is.
    pub fn spoken_without_messages(&self) -> String {
        let message = as_spoken(LEAVE_MESSAGE);
        let parts = self.spoken.text.expose().split(message.as_str()).map(str::trim);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl KnowledgeIndex {
    /// Opening hours, the entries that the file marks for the menu, and the
    /// address; then 9 for a message, and 0 for a person where a telephone rings
    /// for whoever asks for one: a number in the file is not dialled.
    pub fn menu(&self, person: RingsForAnybody) -> KeypadMenu {
        let base = self.base();
        let mut facts: Vec<(Topic, String)> = Vec::new();
        if base.hours.are_stated() {
            facts.push((Topic::Hours, "our opening hours".to_owned()));
        }
        let address = base.address.is_some();
        let entries_fit = FACT_KEYS - facts.len() - usize::from(address);
        let marked = base.entries.iter().enumerate().filter_map(|(i, e)| Some((Topic::Entry(i), e.menu.clone()?)));
        facts.extend(marked.take(entries_fit));
        if address {
            facts.push((Topic::Address, "our address".to_owned()));
        }
        let mut keys: Vec<(char, MenuChoice)> = Vec::new();
        let mut parts: Vec<String> = Vec::new();
        for (key, (topic, label)) in ('1'..='4').zip(facts) {
            keys.push((key, MenuChoice::Topic(topic)));
            parts.push(format!("For {label}, press {key}."));
        }
        keys.push(('9', MenuChoice::Message));
        parts.push(LEAVE_MESSAGE.to_owned());
        if person == RingsForAnybody::Yes {
            keys.push(('0', MenuChoice::Person));
            parts.push("To speak to a person, press 0.".to_owned());
        }
        KeypadMenu { keys, spoken: Spoken { text: as_spoken(&parts.join(" ")).into(), entry: None } }
    }

    /// The answer behind a key, as if it had been asked for.
    pub fn answer_key(&self, topic: Topic, memory: &Recollection, now: &jiff::ZonedDateTime) -> Found {
        self.answer_topic(topic, memory, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::{Finding, KnowledgeBase};

    fn index(text: &str) -> KnowledgeIndex {
        KnowledgeIndex::new(KnowledgeBase::parse("a.toml", text).unwrap(), None)
    }

    #[test]
    fn the_clinics_menu_has_hours_marked_entries_address_message_and_person() {
        let index = index(include_str!("../../firmware-config/knowledge/clinic.toml"));
        let menu = index.menu(RingsForAnybody::Yes);
        let keys: String = menu.keys.iter().map(|(k, _)| *k).collect();
        assert_eq!(keys, "123490");
        assert!(menu.spoken.text.expose().starts_with("For our opening hours, press one."));
        let Some(MenuChoice::Topic(prices)) = menu.choice('2') else { panic!("no fact behind 2") };
        let now = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
        let found = index.answer_key(prices, &Recollection::default(), &now);
        let Finding::Answer(spoken) = found.finding else { panic!("no answer") };
        assert_eq!(spoken.entry.as_deref(), Some("consultation-fee"));
    }

    #[test]
    fn a_business_with_nothing_but_a_name_takes_messages() {
        let menu = index("business = \"A\"\n").menu(RingsForAnybody::No);
        assert_eq!(menu.keys, [('9', MenuChoice::Message)]);
        assert_eq!(menu.choice('1'), None);
        assert_eq!(menu.spoken.text.expose(), "To leave a message, press nine.");
        assert_eq!(menu.spoken_without_messages(), "");
    }

    #[test]
    fn where_no_message_can_be_kept_the_menu_offers_none() {
        let index = index("business = \"A\"\n[hours]\nweekdays = \"8-17\"\n");
        let spoken = index.menu(RingsForAnybody::Yes).spoken_without_messages();
        assert_eq!(spoken, "For our opening hours, press one. To speak to a person, press zero.");
    }

    #[test]
    fn people_with_numbers_whom_no_telephone_rings_for_are_not_offered() {
        let index = index(include_str!("../../firmware-config/knowledge/clinic.toml"));
        assert!(index.base().people.iter().any(|person| person.number.is_some()));
        let menu = index.menu(RingsForAnybody::No);
        assert_eq!(menu.choice('0'), None);
        assert!(!menu.spoken.text.expose().contains("zero"), "{}", menu.spoken.text.expose());
    }
}
