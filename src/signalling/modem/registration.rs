use super::health::{Registration, Technology};

/// What a registration row says, whoever wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RegistrationRow {
    pub(super) registration: Registration,
    pub(super) technology: Option<Technology>,
}

/// The number of a state (3GPP TS 27.007 section 7.2).
const fn state(number: u16) -> Option<Registration> {
    Some(match number {
        0 => Registration::NotSearching,
        // 9 and 10: on LTE, registered with the circuits as well. The network would rather
        // carry calls another way, and pages for them all the same: the SIM can be called.
        // 6 and 7 are the ones that it pages for texts alone.
        1 | 9 => Registration::Home,
        2 => Registration::Searching,
        3 => Registration::Denied,
        4 => Registration::Unknown,
        5 | 10 => Registration::Roaming,
        6 | 7 => Registration::TextsOnly,
        8 | 11 => Registration::EmergencyOnly,
        _ => return None,
    })
}

/// The number of a technology (3GPP TS 27.007 section 7.3).
pub(super) const fn technology(number: u16) -> Option<Technology> {
    Some(match number {
        0 | 1 | 3 => Technology::G2,
        2 | 4..=6 => Technology::G3,
        7..=9 => Technology::G4,
        10..=13 => Technology::G5,
        _ => return None,
    })
}

/// Whether the fields have the shape of an answer: mode, state, then the cell.
pub(super) fn is_answer(fields: &str) -> bool {
    shape(&split(fields)).is_some_and(|answer| answer)
}

/// The fields of `+CREG`, `+CGREG`, `+CEREG` or `+C5GREG`; none if they say nothing.
pub(super) fn read(fields: &str) -> Option<RegistrationRow> {
    let fields = split(fields);
    let is_answer = shape(&fields)?;
    let at = usize::from(is_answer);
    let registration = state(fields.get(at)?.parse().ok()?)?;
    // Behind the area and the cell; between them LTE may have a routing area of two digits.
    let has_routing = fields.len() > at + 4 && fields.get(at + 2).is_some_and(|f| f.len() <= 2 && !f.starts_with('"'));
    let place = at + if has_routing { 4 } else { 3 };
    let technology = fields.get(place).and_then(|f| f.parse().ok()).and_then(technology);
    Some(RegistrationRow { registration, technology })
}

/// Marks that are open or closed wrongly are common here, so a comma always separates.
fn split(fields: &str) -> Vec<String> {
    fields.split(',').map(|field| field.chars().filter(|c| !c.is_whitespace()).collect()).collect()
}

/// Whether it is an answer; none if it is neither.
///
/// The area's code is the first field in quotation marks, if any is, and stands
/// third in an answer. Without marks it has four digits, which no state has.
fn shape(fields: &[String]) -> Option<bool> {
    let number = |at: usize| fields.get(at).is_some_and(|f: &String| f.parse::<u16>().is_ok());
    if !number(0) {
        return None;
    }
    match fields.iter().position(|field| field.starts_with('"')) {
        Some(1) => return Some(false),
        Some(2) => return number(1).then_some(true),
        _ => {}
    }
    Some(match fields.len() {
        1 => false,
        2 => true,
        // State, area and cell, which may be empty.
        3 => false,
        _ => number(1) && fields[1].len() <= 3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str) -> (bool, Registration, Option<Technology>) {
        let read = read(fields).expect("a registration");
        (is_answer(fields), read.registration, read.technology)
    }

    #[test]
    fn an_answer_is_told_from_news_by_where_the_area_stands() {
        for (fields, expected) in [
            ("1,3", (true, Registration::Denied, None)),
            ("3", (false, Registration::Denied, None)),
            ("1,1,84CD,00D30173", (true, Registration::Home, None)),
            ("1,84CD,00D30156", (false, Registration::Home, None)),
            ("002,001,\"18d8\",\"ffff\"", (true, Registration::Home, None)),
            ("1,0001,0010,0", (false, Registration::Home, Some(Technology::G2))),
            ("2,6,\"8B37\",\"0A265185\",7", (true, Registration::TextsOnly, Some(Technology::G4))),
            ("2,9,\"8B37\",\"0A265185\",7", (true, Registration::Home, Some(Technology::G4))),
            ("10,\"8B37\",\"0A265185\",7", (false, Registration::Roaming, Some(Technology::G4))),
            ("2,1, 1F00, 20 ,79D903 ,7", (true, Registration::Home, Some(Technology::G4))),
            ("1,1F00,79D903,11,6,ABCDEF", (false, Registration::Home, Some(Technology::G5))),
            ("1,\"1422\",\"00000142\",3,\"00\"", (false, Registration::Home, Some(Technology::G2))),
            ("2,1,\"0B,\"0100701\",7", (true, Registration::Home, Some(Technology::G4))),
            ("2,1,  0 5, 2715", (true, Registration::Home, None)),
            ("2,,", (false, Registration::Searching, None)),
        ] {
            assert_eq!(of(fields), expected, "{fields}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_registration() {
        for fields in ["", "\"\"", "99", "a,b", "2,\"x\""] {
            assert!(!is_answer(fields), "{fields}");
        }
        assert_eq!(read("99"), None);
        assert_eq!(read(""), None);
    }
}
