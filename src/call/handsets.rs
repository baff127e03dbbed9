//! The telephones of the business on which its people are rung: whose each is, and
//! which of them rings for whom a caller asks for now. It rings none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use thiserror::Error;

use crate::knowledge::{KnowledgeBase, Person, RingsForAnybody, as_spoken};
use crate::terms::HandsetId;

/// A telephone, as the configuration says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handset {
    pub id: HandsetId,
    /// Names or roles as in the knowledge file; none where it rings for anybody.
    pub people: Vec<String>,
    /// How long it rings.
    pub rings: Duration,
}

/// A handset names somebody whom the knowledge file does not have.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("handset {handset}: the knowledge file has no \"{wanted}\" among its people{}", hint(.nearest.as_deref()))]
pub struct UnknownPerson {
    pub handset: HandsetId,
    pub wanted: String,
    /// What is spelt most like it.
    pub nearest: Option<String>,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ", which are none".to_owned(), |nearest| format!("; \"{nearest}\" was probably meant"))
}

/// A telephone that is going to ring for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rung {
    pub handset: HandsetId,
    /// Who was asked for, as in the knowledge file; none for anybody.
    pub person: Option<String>,
    pub rings: Duration,
}

impl Rung {
    /// For the record: who, or else which telephone.
    pub fn to(&self) -> &str {
        self.person.as_deref().unwrap_or(self.handset.as_str())
    }

    /// The name as it is spoken.
    pub fn spoken_name(&self) -> Option<String> {
        self.person.as_deref().map(as_spoken)
    }
}

/// All of them. Clones are cheap.
#[derive(Clone, Default)]
pub struct Handsets(Option<Arc<Known>>);

struct Known {
    handsets: Vec<Whose>,
    base: KnowledgeBase,
}

struct Whose {
    id: HandsetId,
    /// Places in the file's list of people; none where it rings for anybody.
    people: Option<Vec<usize>>,
    rings: Duration,
}

impl Handsets {
    /// Those of the configuration, with the people of the knowledge file.
    pub fn new(handsets: &[Handset], base: &KnowledgeBase) -> Result<Self, UnknownPerson> {
        if handsets.is_empty() {
            return Ok(Self::default());
        }
        let handsets = handsets.iter().map(|handset| Whose::of(handset, base)).collect::<Result<_, _>>()?;
        Ok(Self(Some(Arc::new(Known { handsets, base: base.clone() }))))
    }

    /// Whether one of them rings, at some time, for whoever asks for anybody.
    pub fn ring_for_anybody(&self) -> RingsForAnybody {
        let rings = self.0.as_deref().is_some_and(|known| known.handsets.iter().any(|one| one.people.is_none()));
        if rings { RingsForAnybody::Yes } else { RingsForAnybody::No }
    }

    /// The telephone that rings for the person of that name, or for anybody; none
    /// where nobody may be rung now.
    pub fn rung_for(&self, name: Option<&str>, now: Timestamp) -> Option<Rung> {
        let Known { handsets, base } = self.0.as_deref()?;
        let at = now.to_zoned_datetime(base.hours.time_zone().clone()).datetime();
        let for_anybody = || handsets.iter().find(|handset| handset.people.is_none());
        let (handset, person) = match name.map(|name| known(base, name)) {
            Some(Some(place)) => (own_or_any(base, handsets, place, at)?, Some(base.people[place].name.clone())),
            // Somebody of whom the file knows nothing: whoever answers may know them.
            Some(None) | None => (for_anybody().filter(|_| base.is_anybody_there(at))?, None),
        };
        Some(Rung { handset: handset.id.clone(), person, rings: handset.rings })
    }
}

/// Where a person stands in the file, whom a mind names as the file writes or speaks them.
fn known(base: &KnowledgeBase, name: &str) -> Option<usize> {
    let is_meant = |person: &Person| person.name == name || as_spoken(&person.name) == name;
    base.people.iter().position(is_meant)
}

/// A telephone of their own rings at their times; one for anybody only for whom the
/// file lets calls be put through at all.
fn own_or_any<'a>(base: &KnowledgeBase, handsets: &'a [Whose], place: usize, at: DateTime) -> Option<&'a Whose> {
    let person = &base.people[place];
    let is_theirs = |handset: &&Whose| handset.people.as_ref().is_some_and(|people| people.contains(&place));
    match handsets.iter().find(is_theirs) {
        Some(own) => base.are_their_times(person, at).then_some(own),
        None => handsets.iter().find(|h| h.people.is_none()).filter(|_| base.may_be_rung(person, at)),
    }
}

impl Whose {
    fn of(handset: &Handset, base: &KnowledgeBase) -> Result<Self, UnknownPerson> {
        let place = |wanted: &String| {
            let person = base.person_written(wanted).ok_or_else(|| UnknownPerson {
                handset: handset.id.clone(),
                wanted: wanted.clone(),
                nearest: base.nearest_person(wanted).map(str::to_owned),
            })?;
            Ok(base.people.iter().position(|one| std::ptr::eq(one, person)).unwrap_or_default())
        };
        let people = handset.people.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let people = (!people.is_empty()).then_some(people);
        Ok(Self { id: handset.id.clone(), people, rings: handset.rings })
    }
}

impl fmt::Debug for Handsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handsets").field(&self.0.as_ref().map_or(0, |known| known.handsets.len())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clinic that is open from eight to five, in whose file nobody but Dr Amina Bello
    /// has times of her own, and Sister Ngozi no number.
    fn base() -> KnowledgeBase {
        let text = "business = \"A\"\ntime_zone = \"Africa/Lagos\"\n[hours]\nweekdays = \"8-17\"\n\
                    [[person]]\nname = \"Dr Amina Bello\"\nrole = \"paediatrician\"\nnumber = \"0803 123 4567\"\n\
                    ring = \"Monday 13:00-14:00\"\n\
                    [[person]]\nname = \"Chinedu Eze\"\nnumber = \"0803 123 4568\"\n\
                    [[person]]\nname = \"Sister Ngozi Eze\"\n";
        KnowledgeBase::parse("a.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn handset(id: &str, people: &[&str]) -> Handset {
        let people = people.iter().map(|name| (*name).to_owned()).collect();
        Handset { id: HandsetId::parse(id).unwrap(), people, rings: Duration::from_secs(20) }
    }

    /// A Monday in Lagos.
    fn monday(hour: i8) -> Timestamp {
        let at = jiff::civil::date(2026, 11, 23).at(hour, 30, 0, 0);
        at.in_tz("Africa/Lagos").unwrap().timestamp()
    }

    fn rung(handsets: &Handsets, name: Option<&str>, at: Timestamp) -> Option<(String, Option<String>)> {
        handsets.rung_for(name, at).map(|rung| (rung.handset.to_string(), rung.person))
    }

    #[test]
    fn each_is_rung_on_a_telephone_of_their_own_at_their_times() {
        let handsets = [handset("desk", &[]), handset("ward", &["the paediatrician", "Sister Ngozi Eze"])];
        let handsets = Handsets::new(&handsets, &base()).unwrap();
        let on = |id: &str, name: &str| Some((id.to_owned(), Some(name.to_owned())));
        assert_eq!(rung(&handsets, Some("Dr Amina Bello"), monday(13)), on("ward", "Dr Amina Bello"));
        assert_eq!(rung(&handsets, Some("Doctor Amina Bello"), monday(13)), on("ward", "Dr Amina Bello"));
        assert_eq!(rung(&handsets, Some("Dr Amina Bello"), monday(10)), None, "these are not her times");
        assert_eq!(rung(&handsets, Some("Sister Ngozi Eze"), monday(10)), on("ward", "Sister Ngozi Eze"));
        assert_eq!(rung(&handsets, Some("Chinedu Eze"), monday(10)), on("desk", "Chinedu Eze"));
        for nobody in [None, Some("Mister Nobody")] {
            assert_eq!(rung(&handsets, nobody, monday(10)), Some(("desk".to_owned(), None)));
            assert_eq!(rung(&handsets, nobody, monday(20)), None, "nobody is there");
        }
    }

    #[test]
    fn who_has_no_number_and_no_telephone_has_messages_left_for_them() {
        let handsets = Handsets::new(&[handset("desk", &[])], &base()).unwrap();
        assert_eq!(rung(&handsets, Some("Sister Ngozi Eze"), monday(10)), None);
        assert_eq!(Handsets::default().rung_for(None, monday(10)), None);
    }

    #[test]
    fn a_telephone_of_somebodys_own_does_not_ring_for_anybody() {
        let handsets = Handsets::new(&[handset("ward", &["Chinedu Eze"])], &base()).unwrap();
        assert_eq!(rung(&handsets, None, monday(10)), None);
        assert_eq!(rung(&handsets, Some("Dr Amina Bello"), monday(13)), None);
        assert_eq!(handsets.ring_for_anybody(), RingsForAnybody::No);
        assert_eq!(Handsets::default().ring_for_anybody(), RingsForAnybody::No);
        let desk = Handsets::new(&[handset("desk", &[])], &base()).unwrap();
        assert_eq!(desk.ring_for_anybody(), RingsForAnybody::Yes);
    }

    #[test]
    fn a_person_whom_the_file_does_not_have_is_named_with_the_nearest() {
        let wrong = Handsets::new(&[handset("ward", &["Sister Ngosi Eze"])], &base()).unwrap_err();
        assert_eq!(wrong.nearest.as_deref(), Some("Sister Ngozi Eze"));
        let told = wrong.to_string();
        assert!(told.contains("handset ward") && told.contains("\"Sister Ngozi Eze\" was probably meant"), "{told}");
    }
}
