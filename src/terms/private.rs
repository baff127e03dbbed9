use std::fmt;

/// A value that belongs to a person: words, a number, a name, a key.
///
/// It never prints. `Debug` and `Display` show a placeholder, so a log line,
/// a panic message or an error chain cannot carry it by accident. The one way
/// to the value is [`Private::expose`], which is easy to search for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Private<T>(T);

/// What a private value looks like in a log.
const PLACEHOLDER: &str = "[private]";

impl<T> Private<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Never hand the result to a log or an error text.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Private<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl<T> fmt::Display for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_prints_as_a_placeholder_however_it_is_formatted() {
        let words = Private::new("Adaeze lives in Surulere".to_owned());
        for shown in [format!("{words}"), format!("{words:?}"), format!("{words:#?}"), format!("{:?}", Some(&words))] {
            assert!(!shown.contains("Adaeze"), "{shown}");
        }
        assert_eq!(words.expose(), "Adaeze lives in Surulere");
    }
}
