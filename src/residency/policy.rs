use super::{DataClass, Destination, DestinationId, Ground, Safeguards};

/// What may happen to a datum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// It stays on the box.
    Local,
    /// It may go without identifiers.
    Redacted,
    /// It may go as it is.
    Raw,
}

impl Verdict {
    /// The name in policies, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Redacted => "redacted",
            Self::Raw => "raw",
        }
    }
}

/// One row of the business's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// `row-7`: how decisions and the register name it.
    pub id: String,
    pub class: DataClass,
    pub destination: DestinationId,
    pub ground: Ground,
    pub verdict: Verdict,
}

/// The answer to "may this go there?", with its reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub verdict: Verdict,
    pub ground: Ground,
    /// The rows that gave the leave; none for `Local`.
    pub rows: Vec<String>,
    pub safeguards: Safeguards,
}

/// The business's table and the destinations that it names. Without a row a
/// datum stays on the box.
#[derive(Clone, Debug)]
pub struct Policy {
    destinations: Vec<Destination>,
    rows: Vec<Row>,
}

impl Policy {
    pub const fn new(destinations: Vec<Destination>, rows: Vec<Row>) -> Self {
        Self { destinations, rows }
    }

    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    pub fn destination(&self, id: &DestinationId) -> Option<&Destination> {
        self.destinations.iter().find(|d| d.id == *id)
    }

    pub(super) fn decide(&self, class: DataClass, to: &DestinationId, permitted: &dyn Fn(Ground) -> bool) -> Decision {
        let local = Decision {
            verdict: Verdict::Local,
            ground: Ground::Contract,
            rows: Vec::new(),
            safeguards: Safeguards::default(),
        };
        let Some(destination) = self.destination(to) else { return local };
        let fits = |row: &&Row| row.class == class && row.destination == *to && permitted(row.ground);
        let best = self.rows.iter().filter(fits).max_by_key(|row| row.verdict);
        best.filter(|row| row.verdict != Verdict::Local).map_or(local, |row| Decision {
            verdict: row.verdict,
            ground: row.ground,
            rows: vec![row.id.clone()],
            safeguards: destination.safeguards.clone(),
        })
    }
}
