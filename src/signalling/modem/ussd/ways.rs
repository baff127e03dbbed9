//! Ways to ask: what a modem is tried with until one works, and the one that did.

use super::request::UssdForm;

/// One way to write a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UssdWay {
    pub form: UssdForm,
    /// The data coding scheme that goes with it.
    pub scheme: u8,
}

impl UssdWay {
    /// As a record keeps it: `plain-15`.
    pub fn name(self) -> String {
        format!("{}-{}", self.form.name(), self.scheme)
    }

    pub fn of_name(name: &str) -> Option<Self> {
        let (form, scheme) = name.rsplit_once('-')?;
        Some(Self { form: UssdForm::of_name(form)?, scheme: scheme.parse().ok()? })
    }
}

/// The ways of one modem, in the order to be tried in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UssdWays {
    /// Never empty.
    ways: Vec<UssdWay>,
    at: usize,
    worked: Option<UssdWay>,
}

/// Forms and schemes; the list of a profile is short.
const WAYS_MAX: usize = 12;

impl UssdWays {
    /// The profile's way first, then the others there are.
    pub fn new(profile: UssdWay) -> Self {
        let mut ways = vec![profile];
        for (form, scheme) in [
            (UssdForm::Plain, 15),
            (UssdForm::Ucs2Hex, 15),
            (UssdForm::Ucs2Hex, 72),
            (UssdForm::Packed7Hex, 15),
            (UssdForm::Plain, 0),
        ] {
            let way = UssdWay { form, scheme };
            if !ways.contains(&way) && ways.len() < WAYS_MAX {
                ways.push(way);
            }
        }
        Self { ways, at: 0, worked: None }
    }

    /// What this modem was remembered to take is tried before all others.
    #[must_use]
    pub fn remembering(mut self, way: UssdWay) -> Self {
        self.ways.retain(|known| *known != way);
        self.ways.insert(0, way);
        self.worked = Some(way);
        self
    }

    /// The way to try now.
    pub fn now(&self) -> UssdWay {
        self.ways[self.at.min(self.ways.len() - 1)]
    }

    /// The modem refused it, or answered nothing that can be read. `false` when
    /// there is no other way left: the next dialogue begins with the first again.
    pub fn failed(&mut self) -> bool {
        self.worked = None;
        self.at += 1;
        if self.at >= self.ways.len() {
            self.at = 0;
            return false;
        }
        true
    }

    /// The modem took it and the network answered.
    pub fn succeeded(&mut self) {
        self.worked = Some(self.now());
    }

    /// To be remembered for this modem.
    pub const fn known(&self) -> Option<UssdWay> {
        self.worked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_tried_once_and_the_one_that_works_stays() {
        let huawei = UssdWay { form: UssdForm::Packed7Hex, scheme: 15 };
        let mut ways = UssdWays::new(huawei);
        let mut tried = vec![ways.now()];
        while ways.failed() {
            assert!(!tried.contains(&ways.now()), "{:?}", ways.now());
            tried.push(ways.now());
        }
        assert_eq!((tried.len(), tried[0], ways.now()), (5, huawei, huawei));
        assert!(ways.failed());
        ways.succeeded();
        let known = ways.known().expect("one worked");
        let again = UssdWays::new(huawei).remembering(UssdWay::of_name(&known.name()).expect("a name"));
        assert_eq!((again.now(), again.known()), (known, Some(known)));
    }
}
