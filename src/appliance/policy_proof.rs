//! Proves what a residency policy promises, with Cedar's symbolic compiler and
//! the solver cvc5: for every datum, destination and caller that can be, and not
//! for those that somebody thought of. It reads no file and puts nothing in force.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cedar_policy::{Authorizer, EvalResult, PolicySet, Request, RequestEnv, Schema};
use cedar_policy_symcc::err::{Error as SymbolicError, SolverError};
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicy, CompiledPolicySet, Env};
use thiserror::Error;
use tokio::process::Command;

use crate::residency::{DataClass, Destination, Policy, Widening, widenings};

/// Widenings that the solver is asked to show; more are one change too many to
/// be read anyway, and the list of their names is whole.
const SHOWN_MAX: usize = 12;

/// For all theorems of one policy together. A table of five hundred rows takes
/// some seconds.
const SOLVER_LIMIT_MS: u32 = 120_000;

/// What was found of each theorem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    pub theorems: Vec<Theorem>,
    /// What the new policy allows beyond the old one, and whether it was named.
    pub widenings: Vec<(Widening, Meant)>,
}

impl Proof {
    /// Whether nothing was refuted.
    pub fn holds(&self) -> bool {
        !self.theorems.iter().any(|theorem| matches!(theorem.finding, ProofFinding::Refuted(_)))
    }
}

/// Whether the owner named a widening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meant {
    Named,
    Unnamed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Theorem {
    pub name: &'static str,
    pub claim: &'static str,
    pub finding: ProofFinding,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProofFinding {
    Proved,
    /// Never empty.
    Refuted(Vec<Counterexample>),
    NotAsked(&'static str),
}

/// A case in which a theorem does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterexample {
    pub sentence: String,
    pub case: Option<Case>,
}

/// The question to which the policy gives an answer that it must not give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// The class's name.
    pub data: String,
    pub destination: String,
    /// `raw` or `redacted`.
    pub verdict: &'static str,
    pub consents: bool,
    pub objects: bool,
    /// The rows that give leave.
    pub rows: Vec<String>,
}

#[derive(Debug, Error)]
pub enum ProofError {
    #[error(
        "proving the policy: the solver {solver} cannot be started ({source}). `apt-get install cvc5` brings it; --solver names another place"
    )]
    NoSolver { solver: PathBuf, source: std::io::Error },
    #[error("proving {theorem}: {source}")]
    Solver { theorem: &'static str, source: Box<SymbolicError> },
    #[error("proving {theorem}: the solver's counterexample is none when Cedar is asked; neither is to be believed")]
    Disagreement { theorem: &'static str },
    #[error("proving the policy: `{name}` is no widening of it; {known}")]
    UnknownWidening { name: String, known: String },
    #[error("proving the policy: the schema is not one that Cedar reads")]
    Schema,
    #[error("proving the policy: starting a runtime: {0}")]
    Runtime(std::io::Error),
}

const T1: Theorem = theorem("T1", "no credential or payment datum is ever sent raw");
const T2: Theorem = theorem(
    "T2",
    "every send has a contract with its receiver, or stays in the business's own network, or is telemetry",
);
const T3: Theorem = theorem("T3", "the new policy allows nothing that the old one did not, but what was named");
const T4: Theorem = theorem("T4", "no policy can err");

const fn theorem(name: &'static str, claim: &'static str) -> Theorem {
    Theorem { name, claim, finding: ProofFinding::Proved }
}

/// Proves the theorems of `new`; T3 against `old`, of whose widenings `named` are
/// meant. `solver` is cvc5's path or name.
pub fn prove(new: &Policy, old: Option<&Policy>, named: &[String], solver: &Path) -> Result<Proof, ProofError> {
    let widenings = judged(old.map(|old| widenings(old, new)).unwrap_or_default(), named)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProofError::Runtime)?;
    runtime.block_on(async {
        let mut prover = Prover::start(solver)?;
        let mut theorems = vec![prover.secrets(new).await?, prover.contracts(new).await?];
        theorems.push(match old {
            Some(old) => prover.nothing_wider(new, old, &widenings).await?,
            None => Theorem { finding: ProofFinding::NotAsked("no old policy was given; --old FILE names it"), ..T3 },
        });
        theorems.push(prover.no_errors(new).await?);
        prover.stop().await?;
        Ok(Proof { theorems, widenings })
    })
}

/// Each widening with whether it was named; every name must name one.
fn judged(found: Vec<Widening>, named: &[String]) -> Result<Vec<(Widening, Meant)>, ProofError> {
    let names: BTreeSet<String> = found.iter().map(Widening::name).collect();
    if let Some(stray) = named.iter().find(|name| !names.contains(*name)) {
        let known = match names.is_empty() {
            true => "there is none".to_owned(),
            false => format!("there are {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        };
        return Err(ProofError::UnknownWidening { name: stray.clone(), known });
    }
    let judge = |w: Widening| if named.contains(&w.name()) { (w, Meant::Named) } else { (w, Meant::Unnamed) };
    Ok(found.into_iter().map(judge).collect())
}

/// One run of the solver, and the questions that policies answer.
struct Prover {
    schema: Schema,
    /// One for each action that sends.
    sends: Vec<(RequestEnv, &'static str)>,
    symbolic: CedarSymCompiler<LocalSolver>,
}

impl Prover {
    fn start(solver: &Path) -> Result<Self, ProofError> {
        let schema = Policy::cedar_schema().ok_or(ProofError::Schema)?;
        let verdict = |env: &RequestEnv| match env.action().id().unescaped() {
            "send_raw" => Some("raw"),
            "send_redacted" => Some("redacted"),
            _ => None,
        };
        let sends: Vec<_> = schema.request_envs().filter_map(|env| verdict(&env).map(|v| (env, v))).collect();
        let mut command = Command::new(solver);
        command.args(["--lang", "smt", &format!("--tlimit={SOLVER_LIMIT_MS}")]).kill_on_drop(true);
        let no_solver = |source| ProofError::NoSolver { solver: solver.to_owned(), source };
        let local = LocalSolver::from_command(&mut command).map_err(|e| match e {
            SolverError::Io(source) => no_solver(source),
            other => ProofError::Solver { theorem: T1.name, source: Box::new(other.into()) },
        })?;
        let symbolic = CedarSymCompiler::new(local).map_err(failed(T1.name))?;
        Ok(Self { schema, sends, symbolic })
    }

    async fn stop(&mut self) -> Result<(), ProofError> {
        let ended = self.symbolic.solver_mut().clean_up().await;
        ended.map_err(|e| ProofError::Solver { theorem: T4.name, source: Box::new(e.into()) })
    }

    /// The rows as they were written keep secrets from going raw; the standing
    /// promise, which would hold them back, is left out.
    async fn secrets(&mut self, policy: &Policy) -> Result<Theorem, ProofError> {
        let secrets: Vec<String> = DataClass::ALL.into_iter().filter(|c| c.is_secret()).map(is_of).collect();
        let allowed = format!(
            "permit (principal, action, resource) unless {{ action == Action::\"send_raw\" && ({}) }};",
            secrets.join(" || ")
        );
        self.within(T1, &policy.cedar_without_promises(), &allowed).await
    }

    async fn contracts(&mut self, policy: &Policy) -> Result<Theorem, ProofError> {
        let may_receive = policy.destinations().iter().filter(|d| !d.lacks_contract());
        let conditions: Vec<String> =
            std::iter::once(is_of(DataClass::Telemetry)).chain(may_receive.map(is_to)).collect();
        let allowed = format!("permit (principal, action, resource) when {{ {} }};", conditions.join(" || "));
        self.within(T2, &policy.cedar_without_promises(), &allowed).await
    }

    /// Whether all that `policies` let go is among what `allowed` does.
    async fn within(&mut self, theorem: Theorem, policies: &PolicySet, allowed: &str) -> Result<Theorem, ProofError> {
        let allowed: PolicySet = allowed.parse().map_err(|_| ProofError::Schema)?;
        let mut cases = Vec::new();
        for (env, verdict) in self.sends.clone() {
            if let Some(found) = self.beyond(theorem.name, policies, &allowed, &env).await? {
                let case = self.case(theorem.name, &found, policies, &allowed, verdict)?;
                cases.push(Counterexample { sentence: breach(&case), case: Some(case) });
            }
        }
        Ok(found(theorem, cases))
    }

    /// Every widening was named: the solver finds none beside those, and how the
    /// destinations are described, which Cedar does not see, is compared.
    async fn nothing_wider(
        &mut self,
        new: &Policy,
        old: &Policy,
        widenings: &[(Widening, Meant)],
    ) -> Result<Theorem, ProofError> {
        let unnamed = widenings.iter().filter(|(_, meant)| *meant == Meant::Unnamed);
        let described = unnamed.filter(|(widening, _)| !matches!(widening, Widening::Data { .. }));
        let mut cases: Vec<Counterexample> =
            described.map(|(w, _)| Counterexample { sentence: format!("{w} ({})", w.name()), case: None }).collect();
        // What was named, or shown already, is taken out of the new policy.
        let named = widenings.iter().filter(|(_, meant)| *meant == Meant::Named);
        let mut taken: BTreeSet<(String, String)> = named
            .filter_map(|(widening, _)| match widening {
                Widening::Data { class, destination, .. } => Some((class.name().to_owned(), destination.to_string())),
                _ => None,
            })
            .collect();
        for (env, verdict) in self.sends.clone() {
            while cases.len() < SHOWN_MAX {
                let rest = without(new.cedar(), &taken)?;
                let Some(found) = self.beyond(T3.name, &rest, old.cedar(), &env).await? else { break };
                let case = self.case(T3.name, &found, &rest, old.cedar(), verdict)?;
                taken.insert((case.data.clone(), case.destination.clone()));
                cases.push(Counterexample { sentence: wider(&case), case: Some(case) });
            }
        }
        Ok(found(T3, cases))
    }

    async fn no_errors(&mut self, policy: &Policy) -> Result<Theorem, ProofError> {
        let mut cases = Vec::new();
        let environments: Vec<RequestEnv> = self.schema.request_envs().collect();
        for env in &environments {
            for one in policy.cedar().policies() {
                let compiled = CompiledPolicy::compile(one, env, &self.schema).map_err(failed(T4.name))?;
                if !self.symbolic.check_never_errors_opt(&compiled).await.map_err(failed(T4.name))? {
                    let sentence = format!("the policy `{}` can err when it is asked {}", one.id(), env.action());
                    cases.push(Counterexample { sentence, case: None });
                }
            }
        }
        Ok(found(T4, cases))
    }

    /// A request that `policies` allow and `allowed` does not.
    async fn beyond(
        &mut self,
        theorem: &'static str,
        policies: &PolicySet,
        allowed: &PolicySet,
        env: &RequestEnv,
    ) -> Result<Option<Env>, ProofError> {
        let policies = CompiledPolicySet::compile(policies, env, &self.schema).map_err(failed(theorem))?;
        let allowed = CompiledPolicySet::compile(allowed, env, &self.schema).map_err(failed(theorem))?;
        self.symbolic.check_implies_with_counterexample_opt(&policies, &allowed).await.map_err(failed(theorem))
    }

    /// The counterexample in words, after Cedar itself was asked about it.
    fn case(
        &self,
        theorem: &'static str,
        found: &Env,
        policies: &PolicySet,
        allowed: &PolicySet,
        verdict: &'static str,
    ) -> Result<Case, ProofError> {
        let authorizer = Authorizer::new();
        let ask = |set: &PolicySet| authorizer.is_authorized(&found.request, set, &found.entities);
        let (gave, refuses) = (ask(policies), ask(allowed));
        if gave.decision() != cedar_policy::Decision::Allow || refuses.decision() != cedar_policy::Decision::Deny {
            return Err(ProofError::Disagreement { theorem });
        }
        let mut rows: Vec<String> = gave.diagnostics().reason().map(ToString::to_string).collect();
        rows.sort();
        Ok(Case {
            data: named_in(&found.request, "class"),
            destination: found.request.resource().map(|uid| uid.id().unescaped().to_owned()).unwrap_or_default(),
            verdict,
            consents: is_so(&found.request, "consents"),
            objects: is_so(&found.request, "objects"),
            rows,
        })
    }
}

fn failed(theorem: &'static str) -> impl Fn(SymbolicError) -> ProofError {
    move |source| ProofError::Solver { theorem, source: Box::new(source) }
}

fn found(mut theorem: Theorem, cases: Vec<Counterexample>) -> Theorem {
    theorem.finding = if cases.is_empty() { ProofFinding::Proved } else { ProofFinding::Refuted(cases) };
    theorem
}

fn is_of(class: DataClass) -> String {
    format!("context.class == Class::\"{}\"", class.name())
}

fn is_to(destination: &Destination) -> String {
    format!("resource == Destination::\"{}\"", destination.id)
}

/// `policies`, with what goes to these places in these classes taken out.
fn without(policies: &PolicySet, taken: &BTreeSet<(String, String)>) -> Result<PolicySet, ProofError> {
    let mut rest = policies.clone();
    for (n, (class, destination)) in taken.iter().enumerate() {
        let text = format!(
            "forbid (principal, action, resource == Destination::\"{destination}\") when {{ context.class == Class::\"{class}\" }};"
        );
        let id = cedar_policy::PolicyId::new(format!("promise:taken-out-{n}"));
        let forbid = cedar_policy::Policy::parse(Some(id), text).map_err(|_| ProofError::Schema)?;
        rest.add(forbid).map_err(|_| ProofError::Schema)?;
    }
    Ok(rest)
}

fn named_in(request: &Request, key: &str) -> String {
    match request.context().and_then(|context| context.get(key)) {
        Some(EvalResult::EntityUid(uid)) => uid.id().unescaped().to_owned(),
        _ => String::new(),
    }
}

fn is_so(request: &Request, key: &str) -> bool {
    matches!(request.context().and_then(|context| context.get(key)), Some(EvalResult::Bool(true)))
}

fn breach(case: &Case) -> String {
    format!("{} would let {}", by_rows(case), what_goes(case))
}

fn wider(case: &Case) -> String {
    format!(
        "{} lets {}, which the old policy does not ({}:{})",
        by_rows(case),
        what_goes(case),
        case.data,
        case.destination
    )
}

fn by_rows(case: &Case) -> String {
    let rows: Vec<String> = case.rows.iter().map(|row| format!("`{row}`")).collect();
    format!("row {}", rows.join(" and "))
}

fn what_goes(case: &Case) -> String {
    let manner = if case.verdict == "raw" { "as it is" } else { "redacted" };
    let consent = if case.consents { "has consented" } else { "has not consented" };
    let objection = if case.objects { "has objected" } else { "has not objected" };
    format!("{} go {manner} to `{}`, for a caller who {consent} and {objection}", case.data, case.destination)
}
