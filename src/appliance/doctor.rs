//! What `milu doctor` says: what parts have reported, and the lines and the tasks as
//! they are at the moment of the question. It repairs nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::line::{LineHealth, LineState};
use crate::ops::{Health, HealthFact, HealthState, Supervisor, TaskFact, TaskState};

use super::control::LineView;
use super::modem_facts::{self, sentence};
use super::modems::Modems;

/// All facts, the gravest first. A line is one row, whatever it takes its calls by.
pub(super) fn facts(health: &Health, lines: &[LineView], modems: &Modems, supervisor: &Supervisor) -> Vec<HealthFact> {
    let fact = |line: LineHealth| match modems.get(line.id.as_str()) {
        Some(modem) => modem_facts::line_fact(&line, modem),
        None => line_fact(line),
    };
    let lines = lines.iter().map(|view| fact(view()));
    health.facts_with(lines.chain(task_facts(supervisor.report())).collect())
}

fn line_fact(line: LineHealth) -> HealthFact {
    let state = match line.state {
        LineState::Ready => HealthState::Well,
        LineState::Degraded => HealthState::Impaired,
        LineState::Down => HealthState::Failed,
    };
    let told = match (line.trouble, line.state) {
        (Some(trouble), _) => sentence(&trouble),
        (None, LineState::Ready) => format!("It takes calls on {}.", line.address),
        (None, LineState::Degraded) => format!("It takes calls on {}, and not as well as it should.", line.address),
        (None, LineState::Down) => format!("It takes no calls on {}.", line.address),
    };
    HealthFact { name: format!("line {}", line.id), state, sentence: told }
}

/// One fact for each name: tasks of calls that run side by side are one row.
fn task_facts(tasks: Vec<TaskFact>) -> Vec<HealthFact> {
    let mut named: BTreeMap<Cow<'static, str>, Vec<TaskFact>> = BTreeMap::new();
    for task in tasks {
        named.entry(task.name.clone()).or_default().push(task);
    }
    named.into_iter().map(|(name, tasks)| task_fact(&name, &tasks)).collect()
}

fn task_fact(name: &str, tasks: &[TaskFact]) -> HealthFact {
    let count = |state| tasks.iter().filter(|task| task.state == state).count();
    let restarts = tasks.iter().fold(0_u32, |sum, task| sum.saturating_add(task.restarts));
    let (state, told) = if count(TaskState::Fallen) > 0 {
        let told = "It has ended by a fault of the program, and what it does is left undone; start the box again. \
                    Please report it with the log.";
        (HealthState::Failed, told.to_owned())
    } else if count(TaskState::GivenUp) > 0 {
        let told = format!("It failed again and again ({restarts} new starts) and stays down; the log says why.");
        (HealthState::Failed, told)
    } else if count(TaskState::Waiting) > 0 {
        (HealthState::Impaired, "It has failed and is started again after a pause; the log says why.".to_owned())
    } else {
        let many = if tasks.len() > 1 { format!("{} of them run", tasks.len()) } else { "It runs".to_owned() };
        let again = if restarts > 0 { format!(", after {restarts} new starts") } else { String::new() };
        (HealthState::Well, format!("{many}{again}."))
    };
    HealthFact { name: format!("task {name}"), state, sentence: told }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::modems::tests::modem;
    use super::*;
    use crate::ops::{Backoff, Stop, SystemClock};
    use crate::terms::LineId;

    fn line(id: &str, state: LineState, trouble: Option<&str>) -> LineView {
        let health = LineHealth {
            id: LineId::parse(id).expect("a name"),
            kind: "sip",
            state,
            address: "udp 192.0.2.1:5060".to_owned(),
            calls: 0,
            trouble: trouble.map(str::to_owned),
        };
        Arc::new(move || health.clone())
    }

    fn supervisor() -> Supervisor {
        Supervisor::new(SystemClock::new(), Stop::new(Duration::ZERO))
    }

    fn rows(lines: &[LineView], supervisor: &Supervisor) -> Vec<(String, HealthState)> {
        facts(&Health::new(), lines, &Modems::default(), supervisor)
            .into_iter()
            .map(|fact| (fact.name, fact.state))
            .collect()
    }

    fn row(name: &str, state: HealthState) -> (String, HealthState) {
        (name.to_owned(), state)
    }

    #[test]
    fn a_line_that_is_down_is_the_gravest_of_rows_and_says_why() {
        let lines = [
            line("door", LineState::Degraded, Some("the sound card Device is away")),
            line("front-desk", LineState::Down, Some("the line is not being served")),
            line("second-desk", LineState::Ready, None),
        ];
        let told = facts(&Health::new(), &lines, &Modems::default(), &supervisor());
        assert_eq!((told[0].name.as_str(), told[0].state), ("line front-desk", HealthState::Failed));
        assert_eq!(told[0].sentence, "The line is not being served.");
        assert_eq!((told[1].name.as_str(), told[1].state), ("line door", HealthState::Impaired));
        assert!(told[2].state == HealthState::Well && told[2].sentence.contains("192.0.2.1:5060"), "{told:?}");
    }

    #[tokio::test]
    async fn a_line_with_a_modem_is_one_row_that_says_what_is_wrong_with_either() {
        let mut modems = Modems::default();
        modems.add(Arc::new(modem()));
        let lines = [
            line("sim", LineState::Down, Some("The line has ended by a fault of the program")),
            line("front-desk", LineState::Ready, None),
        ];
        let told = facts(&Health::new(), &lines, &modems, &supervisor());
        let names: Vec<&str> = told.iter().map(|fact| fact.name.as_str()).collect();
        assert_eq!(names, ["line sim", "line front-desk"]);
        assert_eq!(told[0].state, HealthState::Failed);
        assert!(told[0].sentence.contains("ended by a fault") && told[0].sentence.contains("absent"), "{told:?}");
    }

    #[tokio::test]
    async fn each_task_is_a_row_and_what_has_fallen_or_waits_is_no_well_one() {
        let supervisor = supervisor();
        drop(supervisor.spawn("desk", pending()));
        for _ in 0..3 {
            drop(supervisor.spawn_passing("call", pending()));
        }
        supervisor.spawn("texts", async { panic!("a fault of the program") }).ended().await;
        let never = || ready(Err::<(), _>(std::io::Error::other("the port is taken")));
        let (patient, hopeless) = (Backoff { first: Duration::from_secs(600), ..Backoff::default() }, 0);
        let waiting = supervisor.spawn_restarting("line front-desk", never, patient);
        supervisor.spawn_restarting("line door", never, Backoff { restarts: hopeless, ..patient }).ended().await;
        while supervisor.report().iter().filter(|task| task.state == TaskState::Waiting).count() == 0 {
            tokio::task::yield_now().await;
        }
        let wanted = [
            row("task line door", HealthState::Failed),
            row("task texts", HealthState::Failed),
            row("task line front-desk", HealthState::Impaired),
            row("task call", HealthState::Well),
            row("task desk", HealthState::Well),
        ];
        assert_eq!(rows(&[], &supervisor), wanted);
        let told = facts(&Health::new(), &[], &Modems::default(), &supervisor);
        assert_eq!(told[3].sentence, "3 of them run.");
        waiting.abort();
    }
}
