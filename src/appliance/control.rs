//! The control socket: JSON over HTTP on a Unix socket, for the command line.
//! Only the daemon opens the store, so everything about calls is asked here.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::broadcast::error::RecvError;

use crate::line::audio::{KeyEvent, KeyPresser};
use crate::line::{LineHealth, LineState};
use crate::ops::{Health, HealthState, Stop, Supervisor, SystemClock};
use crate::speech::onbox::KnowledgeMind;
use crate::store::{CallSummary, RegisterError, TransferQuery, Vault};
use crate::terms::{CallId, LineId};

use super::control_knowledge;
use super::control_listen;
use super::control_modem;
use super::control_policy;
use super::control_refusal::Refusal;
use super::control_sound;
use super::doctor;
use super::listening::Listening;
use super::modem_facts::ModemJson;
use super::modems::Modems;
use super::outside::PolicyKeeper;
use super::record_json::CallJson;
use super::transfer_json::TransferJson;
use super::watch::{Watch, WatchEvent};

/// The owner and the group may use the socket.
const SOCKET_MODE: u32 = 0o660;

/// `milu calls` shows at most this many calls: what a person pages through.
const LIST_MAX: u32 = 500;

/// A call of an hour writes a row for each destination every few seconds.
const SENT_MAX: u32 = 10_000;

/// `milu policy register` shows at most this many rows, the newest.
const REGISTER_MAX: u32 = 5_000;

#[derive(Debug, Error)]
pub enum ControlError {
    #[error("opening the control socket {path}: another daemon answers on it")]
    InUse { path: PathBuf },
    #[error("opening the control socket {path}: {source}")]
    Bind { path: PathBuf, source: std::io::Error },
    #[error("serving the control socket: {0}")]
    Serve(std::io::Error),
}

/// What the socket shows.
#[derive(Clone)]
pub struct Control {
    pub vault: Vault,
    pub watch: Watch,
    pub health: Health,
    pub lines: Vec<LineView>,
    /// The keys of the lines that have one.
    pub keys: BTreeMap<LineId, KeyPresser>,
    pub modems: Modems,
    /// None for a box that has no policy.
    pub keeper: Option<Arc<PolicyKeeper>>,
    /// The box's own, which knows the business.
    pub mind: Arc<KnowledgeMind>,
    /// The monitor speaker.
    pub listening: Listening,
    pub clock: SystemClock,
    pub stop: Stop,
    /// Whose tasks the doctor looks at.
    pub supervisor: Supervisor,
}

/// A view of a line's health that stays valid while the line is served.
pub type LineView = Arc<dyn Fn() -> LineHealth + Send + Sync>;

/// Opens the socket. A socket file that a killed daemon left is replaced; one
/// that answers is not.
pub fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    let bind_error = |source| ControlError::Bind { path: path.to_owned(), source };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ControlError::InUse { path: path.to_owned() });
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(bind_error(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(bind_error)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(bind_error)?;
    Ok(listener)
}

impl Control {
    pub async fn serve(self, listener: UnixListener) -> Result<(), ControlError> {
        let stop = self.stop.clone();
        let router = Router::new()
            .route("/v1/calls", get(list))
            .route("/v1/calls/{id}", get(show))
            .route("/v1/watch", get(watch))
            .route("/v1/transfers", get(transfers))
            .route("/v1/lines", get(lines))
            .route("/v1/lines/{id}/key/{event}", post(key))
            .route("/v1/doctor", get(look_over))
            .merge(control_modem::routes())
            .merge(control_policy::routes())
            .merge(control_listen::routes())
            .merge(control_knowledge::routes())
            .merge(control_sound::routes())
            .with_state(self);
        let ended = async move { stop.ended().await };
        axum::serve(listener, router).with_graceful_shutdown(ended).await.map_err(ControlError::Serve)
    }
}

pub(super) fn call_id(text: &str) -> Result<CallId, Refusal> {
    CallId::parse(text).map_err(|e| Refusal(StatusCode::BAD_REQUEST, format!("reading the call's id: {e}")))
}

/// At or after `since`, and before `until`.
#[derive(Deserialize, Clone, Copy, Default, Debug)]
struct Times {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

#[derive(Serialize)]
struct ListJson {
    calls: Vec<SummaryJson>,
    /// Whether there are older ones of the time asked for, which are kept and not shown.
    left_out: bool,
}

#[derive(Serialize)]
struct SummaryJson {
    id: String,
    line: String,
    direction: &'static str,
    from: Option<String>,
    started_at: String,
    ended_at: String,
    outcome: &'static str,
    end_cause: &'static str,
}

impl From<&CallSummary> for SummaryJson {
    fn from(call: &CallSummary) -> Self {
        Self {
            id: call.id.to_string(),
            line: call.line.to_string(),
            direction: "inbound",
            from: call.from.as_ref().map(|n| n.expose().to_owned()),
            started_at: call.started_at.to_string(),
            ended_at: call.ended_at.to_string(),
            outcome: call.outcome.name(),
            end_cause: call.end_cause.name(),
        }
    }
}

async fn list(
    State(control): State<Control>,
    Query(Times { since, until }): Query<Times>,
) -> Result<axum::Json<ListJson>, Refusal> {
    let (calls, left_out) = newest(control.vault.list(since, until, LIST_MAX + 1).await?, LIST_MAX);
    Ok(axum::Json(ListJson { calls: calls.iter().map(SummaryJson::from).collect(), left_out }))
}

/// At most so many, of one more that was asked for; and whether there is that one.
fn newest<T>(mut newest_first: Vec<T>, most: u32) -> (Vec<T>, bool) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let left_out = newest_first.len() > most;
    newest_first.truncate(most);
    (newest_first, left_out)
}

async fn show(State(control): State<Control>, UrlPath(id): UrlPath<String>) -> Result<axum::Json<CallJson>, Refusal> {
    let id = call_id(&id)?;
    let record = control.vault.show(id).await?;
    let sent =
        control.vault.transfers(TransferQuery { call: Some(id), limit: SENT_MAX, ..TransferQuery::default() }).await?;
    let heard_again = control.vault.second_hearings(id).await?;
    let listened = control.vault.listened(id).await?;
    let call = CallJson::from(&record).with_egress(&sent).with_second_hearings(&heard_again);
    Ok(axum::Json(call.with_listened(&listened)))
}

#[derive(Serialize)]
struct TransfersJson {
    transfers: Vec<TransferJson>,
    /// As of calls.
    left_out: bool,
}

async fn transfers(
    State(control): State<Control>,
    Query(times): Query<Times>,
) -> Result<axum::Json<TransfersJson>, Refusal> {
    Ok(axum::Json(register(&control.vault, times, REGISTER_MAX).await?))
}

/// The register's newest rows, at most so many.
async fn register(vault: &Vault, times: Times, most: u32) -> Result<TransfersJson, RegisterError> {
    let Times { since, until } = times;
    let query = TransferQuery { since, until, call: None, limit: most.saturating_add(1) };
    let (rows, left_out) = newest(vault.transfers(query).await?, most);
    Ok(TransfersJson { transfers: rows.iter().map(TransferJson::from).collect(), left_out })
}

async fn watch(State(control): State<Control>) -> Response {
    // A watcher must not keep a box that stops from stopping.
    let (events, stop) = (control.watch.listen(), control.stop);
    let rows = futures_util::stream::unfold((events, stop), |(mut events, stop)| async move {
        let event = tokio::select! {
            // The end of the last call comes with that of the box, and is told first.
            biased;
            event = events.recv() => event,
            () = stop.ended() => return None,
        };
        let row = match event {
            Ok(row) => row.to_string(),
            Err(RecvError::Lagged(missed)) => serde_json::to_string(&WatchEvent::Missed { events: missed }).ok()?,
            Err(RecvError::Closed) => return None,
        };
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(row + "\n")), (events, stop)))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(rows)).into_response()
}

#[derive(Serialize)]
struct LinesJson {
    lines: Vec<LineJson>,
}

#[derive(Serialize)]
struct LineJson {
    id: String,
    kind: &'static str,
    state: &'static str,
    address: String,
    calls: u32,
    trouble: Option<String>,
    /// Of a line with a modem.
    #[serde(skip_serializing_if = "Option::is_none")]
    modem: Option<ModemJson>,
}

async fn lines(State(control): State<Control>) -> axum::Json<LinesJson> {
    let lines = control.lines.iter().map(|view| {
        let health = view();
        let modem = control.modems.get(health.id.as_str()).map(|modem| ModemJson::of(modem));
        LineJson {
            modem,
            id: health.id.to_string(),
            kind: health.kind,
            state: match health.state {
                LineState::Ready => "ready",
                LineState::Degraded => "degraded",
                LineState::Down => "down",
            },
            address: health.address,
            calls: health.calls,
            trouble: health.trouble,
        }
    });
    axum::Json(LinesJson { lines: lines.collect() })
}

/// Presses or releases a line's key: `press` or `release`.
async fn key(
    State(control): State<Control>,
    UrlPath((line, event)): UrlPath<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let unknown = || Refusal(StatusCode::NOT_FOUND, format!("pressing a key: no line `{line}` has one"));
    let id = LineId::parse(&line).map_err(|_| unknown())?;
    let presser = control.keys.get(&id).ok_or_else(unknown)?;
    let event = match event.as_str() {
        "press" => KeyEvent::Pressed,
        "release" => KeyEvent::Released,
        _ => {
            let what = "pressing a key: it can be asked to `press` and to `release`".to_owned();
            return Err(Refusal(StatusCode::BAD_REQUEST, what));
        }
    };
    presser.press(event).map_err(|stuck| Refusal(StatusCode::SERVICE_UNAVAILABLE, stuck.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct DoctorJson {
    state: &'static str,
    facts: Vec<FactJson>,
}

#[derive(Serialize)]
struct FactJson {
    name: String,
    state: &'static str,
    sentence: String,
}

async fn look_over(State(control): State<Control>) -> axum::Json<DoctorJson> {
    let facts = doctor::facts(&control.health, &control.lines, &control.modems, &control.supervisor);
    let worst = facts.iter().map(|fact| fact.state).max().unwrap_or(HealthState::Well);
    let facts =
        facts.into_iter().map(|f| FactJson { name: f.name, state: f.state.name(), sentence: f.sentence }).collect();
    axum::Json(DoctorJson { state: worst.name(), facts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{Carried, DataClass, DestinationId, Ground, Reported, Safeguards, Transfer, Verdict};
    use crate::store::Keyring;

    fn transfer(at_s: i64) -> Transfer {
        Transfer {
            at: Timestamp::from_second(at_s).unwrap(),
            call: None,
            destination: DestinationId::parse("deepgram").unwrap(),
            operator: "Somebody Ltd".to_owned(),
            country: "IE".to_owned(),
            carried: vec![Carried { class: DataClass::CallAudio, verdict: Verdict::Raw, ground: Ground::Contract }],
            verdict: Verdict::Raw,
            ground: Ground::Contract,
            rows: vec!["row-1".to_owned()],
            safeguards: Safeguards::default(),
            bytes_sent: 1,
            bytes_received: 0,
            reported: Reported::default(),
            cost_nanos: 0,
        }
    }

    #[tokio::test]
    async fn an_answer_that_has_not_all_rows_of_the_register_has_the_newest_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        vault.register(&[transfer(100), transfer(200), transfer(300)]).await.unwrap();
        let (all, second) = (Times::default(), Some(transfer(200).at));
        let (later, earlier) = (Times { since: second, ..all }, Times { until: second, ..all });
        for (times, most, shown, left_out) in [
            (all, 3, [300, 200, 100].as_slice(), false),
            (all, 2, &[300, 200], true),
            (later, 2, &[300, 200], false),
            (later, 1, &[300], true),
            // How what was left out is read: before the last that was shown.
            (earlier, 2, &[100], false),
        ] {
            let answer = serde_json::to_value(register(&vault, times, most).await.unwrap()).unwrap();
            let rows = answer["transfers"].as_array().unwrap();
            let expected: Vec<_> = shown.iter().map(|at_s| transfer(*at_s).at.to_string()).collect();
            assert!(rows.iter().map(|row| &row["at"]).eq(expected.iter()), "{times:?}, at most {most}: {rows:?}");
            assert_eq!(answer["left_out"], left_out, "{times:?}, at most {most}");
        }
        vault.close().await;
    }
}
