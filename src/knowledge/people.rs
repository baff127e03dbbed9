//! Whose telephone rings, and when: the people of a business as its owner writes
//! them elsewhere, and the times at which they may be rung.

use jiff::civil::DateTime;

use super::file::{KnowledgeBase, Person, RingTimes};
use super::hours::OpeningHours;
use super::words::tokens;
use crate::terms::edit_distance;

impl KnowledgeBase {
    /// Whether a person may be rung at a local time of the business.
    pub fn may_be_rung(&self, person: &Person, at: DateTime) -> bool {
        person.number.is_some() && self.are_their_times(person, at)
    }

    /// Whether a person may be rung at a local time on a telephone that is said to be
    /// theirs, whatever number the file gives.
    pub fn are_their_times(&self, person: &Person, at: DateTime) -> bool {
        match &person.ring {
            Some(RingTimes::Always) => true,
            Some(RingTimes::Week(week)) => {
                let zone = self.hours.time_zone().clone();
                OpeningHours::new(zone, (**week).clone(), Vec::new()).is_open(at)
            }
            None => self.is_anybody_there(at),
        }
    }

    /// Whether somebody of the business can be expected to be there.
    pub fn is_anybody_there(&self, at: DateTime) -> bool {
        !self.hours.are_stated() || self.hours.is_open(at)
    }

    /// The person of whom an owner writes in another file: by the whole name, or by
    /// what they do ("the pharmacist"). Nothing is guessed, as it is with callers.
    pub fn person_written(&self, written: &str) -> Option<&Person> {
        let wanted = plain(written);
        let is_named = |person: &&Person| plain(&person.name) == wanted;
        let is_called = |person: &&Person| person.role.iter().chain(&person.also).any(|role| plain(role) == wanted);
        self.people.iter().find(is_named).or_else(|| self.people.iter().find(is_called))
    }

    /// What a person of the file is called that is spelt most like `written`.
    pub fn nearest_person(&self, written: &str) -> Option<&str> {
        let wanted = plain(written);
        let called = self.people.iter().flat_map(|p| std::iter::once(&p.name).chain(&p.role).chain(&p.also));
        called.min_by_key(|called| edit_distance(&wanted, &plain(called))).map(String::as_str)
    }
}

/// A name or a role without its article, in lower case.
fn plain(written: &str) -> String {
    let words = tokens(written);
    let articles = ["the", "our", "your", "a", "an"];
    let behind = usize::from(words.len() > 1 && articles.contains(&words[0].as_str()));
    words[behind..].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> KnowledgeBase {
        let text = "business = \"A\"\n[hours]\nweekdays = \"8-17\"\n\
                    [[person]]\nname = \"Bisi Eze\"\nrole = \"pharmacist\"\nnumber = \"0803 123 4567\"\n\
                    [[person]]\nname = \"Chidi\"\nnumber = \"0803 123 4568\"\nring = \"Thursday 9:00-12:00, Saturday 9:00-12:00\"\n\
                    [[person]]\nname = \"Dayo\"\n";
        KnowledgeBase::parse("a.toml", text).unwrap()
    }

    #[test]
    fn a_person_is_rung_only_when_their_times_say_so() {
        let base = base();
        let monday = jiff::civil::datetime(2026, 11, 23, 10, 0, 0, 0);
        let saturday = jiff::civil::datetime(2026, 11, 28, 10, 0, 0, 0);
        let at = |when| base.people.iter().map(|p| base.may_be_rung(p, when)).collect::<Vec<_>>();
        assert_eq!(at(monday), [true, false, false]);
        assert_eq!(at(saturday), [false, true, false]);
        let on_theirs = |when| base.people.iter().map(|p| base.are_their_times(p, when)).collect::<Vec<_>>();
        assert_eq!(on_theirs(monday), [true, false, true]);
        assert_eq!(on_theirs(saturday), [false, true, false]);
    }

    #[test]
    fn a_person_is_found_by_the_whole_name_or_by_what_they_do_and_by_nothing_less() {
        let base = base();
        let found = |written: &str| base.person_written(written).map(|person| person.name.as_str());
        for written in ["Bisi Eze", "bisi eze", "the pharmacist", "Pharmacist"] {
            assert_eq!(found(written), Some("Bisi Eze"), "{written}");
        }
        for written in ["Ngozi Eze", "Eze", "the", "", "the cook"] {
            assert_eq!(found(written), None, "{written}");
        }
        assert_eq!(base.nearest_person("Bisy Ezee"), Some("Bisi Eze"));
        assert_eq!(base.nearest_person("the farmacist"), Some("pharmacist"));
    }
}
