use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    Request, RestrictedExpression, Schema,
};

use super::clause::Clause;
use super::{CallerWishes, DataClass, Destination, DestinationId, Verdict};

/// The words that all policies share: who asks, what may be done, where data
/// may go, what is known of the datum and of the caller.
const SCHEMA_HEAD: &str = "\
// The caller whose data it is.
entity Caller;
// A place where data may go.
entity Destination;
";

const SCHEMA_TAIL: &str = "\
action send_raw, send_redacted, keep_local appliesTo {
    principal: [Caller],
    resource: [Destination],
    context: {
        class: Class,
        // Yes to what rests on consent.
        consents: Bool,
        // Against what rests on legitimate or public interest.
        objects: Bool,
        // Nothing of this caller leaves.
        restricts: Bool,
    }
};
";

const SEND_RAW: &str = "send_raw";
const SEND_REDACTED: &str = "send_redacted";
const KEEP_LOCAL: &str = "keep_local";

/// Whatever the rows say, these stand.
const NO_SECRET_RAW: &str = "promise:no-secret-is-sent-raw";
const NO_CONTRACT: &str = "promise:no-contract-with";
const RESTRICTION: &str = "wish:restriction";

/// Whether an id is kept for what stands beside the rows.
pub(super) fn is_reserved(id: &str) -> bool {
    is_promise(id) || id.starts_with("wish:")
}

fn is_promise(id: &str) -> bool {
    id.starts_with("promise:")
}

/// The policy as Cedar understands it, with what each question asks about
/// alone: a row of another class or destination never gives leave, so it need
/// not be looked at fifty times a second.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    whole: PolicySet,
    slices: Arc<BTreeMap<(DestinationId, DataClass), Slice>>,
}

#[derive(Debug)]
struct Slice {
    set: PolicySet,
    /// Of this class and destination, in the table's order.
    clauses: Vec<(PolicyId, Clause)>,
    resource: EntityUid,
}

/// The answer for one class: the verdict and the clauses that gave it.
pub(super) struct Answer<'a> {
    pub(super) verdict: Verdict,
    pub(super) clauses: Vec<&'a Clause>,
}

impl Answer<'_> {
    const LOCAL: Self = Self { verdict: Verdict::Local, clauses: Vec::new() };
}

impl Compiled {
    pub(super) fn of(clauses: &[Clause], destinations: &[Destination]) -> Self {
        // Rows without the promises would allow too much: without these, none.
        let standing = forbids(destinations);
        let clauses = if standing.is_some() { clauses } else { &[] };
        let standing = standing.unwrap_or_default();
        let mut whole = PolicySet::new();
        let mut slices: BTreeMap<_, Slice> = BTreeMap::new();
        for forbid in &standing {
            add(&mut whole, &forbid.policy);
        }
        for clause in clauses {
            let Some(policy) = parse(&clause.id, &permit(clause)) else { continue };
            add(&mut whole, &policy);
            let key = (clause.destination.clone(), clause.class);
            let slice = slices.entry(key).or_insert_with(|| Slice::new(clause, &standing));
            add(&mut slice.set, &policy);
            slice.clauses.push((policy.id().clone(), clause.clone()));
        }
        Self { whole, slices: Arc::new(slices) }
    }

    /// Asks whether it may go raw, then whether it may go redacted; else it stays.
    pub(super) fn ask(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Answer<'_> {
        let Some(slice) = self.slices.get(&(to.clone(), class)) else { return Answer::LOCAL };
        for (action, verdict) in [(&WORDS.send_raw, Verdict::Raw), (&WORDS.send_redacted, Verdict::Redacted)] {
            if let Some(clauses) = slice.gives_leave(action, class, wishes) {
                return Answer { verdict, clauses };
            }
        }
        Answer::LOCAL
    }

    pub(super) const fn whole(&self) -> &PolicySet {
        &self.whole
    }

    /// The rows and the caller's wishes, without the standing promises.
    pub(super) fn without_promises(&self) -> PolicySet {
        let mut rest = PolicySet::new();
        for policy in self.whole.policies().filter(|policy| !is_promise(policy.id().as_ref())) {
            add(&mut rest, policy);
        }
        rest
    }
}

impl Slice {
    fn new(clause: &Clause, standing: &[Forbid]) -> Self {
        let mut set = PolicySet::new();
        let concerns = |f: &&Forbid| f.destination.as_ref().is_none_or(|d| *d == clause.destination);
        for forbid in standing.iter().filter(concerns) {
            add(&mut set, &forbid.policy);
        }
        Self { set, clauses: Vec::new(), resource: uid(&WORDS.destination, clause.destination.as_str()) }
    }

    fn gives_leave(&self, action: &EntityUid, class: DataClass, wishes: CallerWishes) -> Option<Vec<&Clause>> {
        let context = WORDS.contexts.get(class as usize * CallerWishes::STATES.len() + wishes.index())?.clone()?;
        let request = Request::new(WORDS.caller.clone(), action.clone(), self.resource.clone(), context, None).ok()?;
        let response = WORDS.authorizer.is_authorized(&request, &self.set, &WORDS.nobody);
        let faultless = response.diagnostics().errors().next().is_none();
        // A policy that errs is left out by Cedar; a forbid that is left out would be a hole.
        if response.decision() != Decision::Allow || !faultless {
            return None;
        }
        let gave = |id: &PolicyId| response.diagnostics().reason().any(|reason| reason == id);
        Some(self.clauses.iter().filter(|(id, _)| gave(id)).map(|(_, clause)| clause).collect())
    }
}

struct Forbid {
    policy: Policy,
    /// None: it stands for all of them.
    destination: Option<DestinationId>,
}

/// What every question is made of, made once.
struct Words {
    authorizer: Authorizer,
    nobody: Entities,
    caller: EntityUid,
    send_raw: EntityUid,
    send_redacted: EntityUid,
    destination: EntityTypeName,
    /// By class, then by wishes.
    contexts: Vec<Option<Context>>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let action = type_name("Action");
    let class = type_name("Class");
    let contexts = DataClass::ALL.into_iter().flat_map(|datum| {
        let datum = uid(&class, datum.name());
        CallerWishes::STATES.map(|wishes| context(&datum, wishes))
    });
    Words {
        authorizer: Authorizer::new(),
        nobody: Entities::empty(),
        caller: uid(&type_name("Caller"), "caller"),
        send_raw: uid(&action, SEND_RAW),
        send_redacted: uid(&action, SEND_REDACTED),
        destination: type_name("Destination"),
        contexts: contexts.collect(),
    }
});

fn context(class: &EntityUid, wishes: CallerWishes) -> Option<Context> {
    let is = RestrictedExpression::new_bool;
    let pairs = [
        ("class", RestrictedExpression::new_entity_uid(class.clone())),
        ("consents", is(wishes.consents)),
        ("objects", is(wishes.objects)),
        ("restricts", is(wishes.restricts)),
    ];
    Context::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value))).ok()
}

#[allow(clippy::expect_used, reason = "the names are words of this file, and a test makes each of them")]
fn type_name(name: &str) -> EntityTypeName {
    name.parse().expect("a plain word is a type's name")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// A text that Cedar does not take gives no leave: the datum stays on the box.
/// None is known; the text is made of names without a quotation mark.
fn parse(id: &str, text: &str) -> Option<Policy> {
    Policy::parse(Some(PolicyId::new(id)), text).ok()
}

/// Ids are made different before they come here; should two be the same, the
/// first stands, which allows less than both.
fn add(set: &mut PolicySet, policy: &Policy) {
    drop(set.add(policy.clone()));
}

/// The words of the schema, for whoever reads the policies.
pub(super) fn schema_text() -> String {
    let classes: Vec<String> = DataClass::ALL.iter().map(|class| format!("\"{}\"", class.name())).collect();
    let classes = classes.join(", ");
    format!("{SCHEMA_HEAD}// What kind of datum it is.\nentity Class enum [{classes}];\n{SCHEMA_TAIL}")
}

/// The schema, read. None is known that is not taken.
pub(super) fn schema() -> Option<Schema> {
    Schema::from_cedarschema_str(&schema_text()).ok().map(|(schema, _)| schema)
}

fn is_of(class: DataClass) -> String {
    format!("context.class == Class::\"{}\"", class.name())
}

/// One row as Cedar writes it. Who may send it raw may send it redacted too.
fn permit(clause: &Clause) -> String {
    let actions = match clause.verdict {
        Verdict::Raw => format!("in [Action::\"{SEND_RAW}\", Action::\"{SEND_REDACTED}\"]"),
        Verdict::Redacted => format!("== Action::\"{SEND_REDACTED}\""),
        Verdict::Local => format!("== Action::\"{KEEP_LOCAL}\""),
    };
    let mut when = is_of(clause.class);
    if clause.needs.consent {
        when.push_str(" && context.consents");
    }
    if clause.needs.no_objection {
        when.push_str(" && !context.objects");
    }
    format!(
        "@ground(\"{}\")\npermit (\n    principal,\n    action {actions},\n    resource == Destination::\"{}\"\n)\nwhen {{ {when} }};",
        clause.ground.name(),
        clause.destination,
    )
}

/// The standing promises, and what a caller may wish against all rows.
fn forbids(destinations: &[Destination]) -> Option<Vec<Forbid>> {
    let sends = format!("action in [Action::\"{SEND_RAW}\", Action::\"{SEND_REDACTED}\"]");
    let secrets: Vec<String> = DataClass::ALL.into_iter().filter(|c| c.is_secret()).map(is_of).collect();
    let no_secret =
        format!("forbid (principal, action == Action::\"{SEND_RAW}\", resource)\nwhen {{ {} }};", secrets.join(" || "));
    let restriction = format!("forbid (principal, {sends}, resource)\nwhen {{ context.restricts }};");
    let without = destinations.iter().filter(|d| d.lacks_contract()).map(|d| {
        let text = format!(
            "forbid (principal, {sends}, resource == Destination::\"{}\")\nunless {{ {} }};",
            d.id,
            is_of(DataClass::Telemetry)
        );
        (format!("{NO_CONTRACT}-{}", d.id), text, Some(d.id.clone()))
    });
    [(NO_SECRET_RAW.to_owned(), no_secret, None), (RESTRICTION.to_owned(), restriction, None)]
        .into_iter()
        .chain(without)
        .map(|(id, text, destination)| Some(Forbid { policy: parse(&id, &text)?, destination }))
        .collect()
}

/// The whole policy in Cedar's own words, each under its id.
pub(super) fn text_of(set: &PolicySet, clauses: &[Clause]) -> String {
    let mut text = String::new();
    let place = |policy: &Policy| {
        let id: &str = policy.id().as_ref();
        (policy.effect() == Effect::Permit, clauses.iter().position(|c| c.id == id), id.to_owned())
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| place(policy));
    for policy in policies {
        let id: &str = policy.id().as_ref();
        text.push_str(&format!("@id(\"{id}\")\n{policy}\n\n"));
    }
    text
}
