//! Logs that carry nobody's words: readable rows on a terminal, JSON for the
//! journal, and only our own events in either.
//!
//! Libraries below us print whole SIP messages, statements and texts at some
//! level. None of it is ever let through: the filter on the target stands
//! beside the one that `MILU_LOG` sets and cannot be loosened by it. What a
//! panic says is not printed either: an index into somebody's sentence quotes it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tracing::{Dispatch, Metadata};
use tracing_subscriber::filter::{FilterExt, FilterFn, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// The variable that sets the level: `debug`, `milu::line=trace,info`.
const VARIABLE: &str = "MILU_LOG";

/// The root of our own targets.
const OURS: &str = "milu";

/// The log of a whole test suite of calls at the finest level is some megabytes.
const CAPTURE_MAX_BYTES: usize = 64 << 20;

#[derive(Debug, Error)]
pub enum LogError {
    #[error("reading MILU_LOG: write a level such as `debug`, or `milu::line=trace,info`")]
    Filter(#[source] ParseError),
    #[error("starting the log: it was started before")]
    Started,
}

/// How a row of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogShape {
    /// For a person at a terminal.
    Rows,
    /// One JSON object in each row, for the journal and for programs.
    Json,
}

impl LogShape {
    /// JSON when the service manager collects our standard error, rows otherwise.
    pub fn suited() -> Self {
        if std::env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal() {
            Self::Json
        } else {
            Self::Rows
        }
    }
}

/// Starts the log of the process on standard error, at the level of `MILU_LOG`
/// (`info` if it is not set), and makes panics tell their place alone.
pub fn start_logs(shape: LogShape) -> Result<(), LogError> {
    let directives = std::env::var(VARIABLE).unwrap_or_default();
    let dispatch = dispatch(shape, &directives, io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::Started)?;
    std::panic::set_hook(Box::new(tell_the_place_of));
    Ok(())
}

/// Starts the log of the process at its finest level into memory, for the test
/// that looks for a planted number, name and phrase in it.
pub fn capture_logs() -> Result<Capture, LogError> {
    let (capture, dispatch) = capturing_dispatch("trace")?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::Started)?;
    std::panic::set_hook(Box::new(tell_the_place_of));
    Ok(capture)
}

/// A log into memory that is not started, for `tracing::dispatcher::with_default`.
pub fn capturing_dispatch(directives: &str) -> Result<(Capture, Dispatch), LogError> {
    let capture = Capture::default();
    let dispatch = dispatch(LogShape::Json, directives, capture.clone())?;
    Ok((capture, dispatch))
}

fn dispatch<W>(shape: LogShape, directives: &str, writer: W) -> Result<Dispatch, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let directives = if directives.trim().is_empty() { "info" } else { directives };
    let level = EnvFilter::builder().parse(directives).map_err(LogError::Filter)?;
    let filter = level.and(ours_only());
    let rows = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match shape {
        LogShape::Rows => {
            let rows = rows.compact().with_ansi(io::stderr().is_terminal());
            Registry::default().with(rows.with_filter(filter)).into()
        }
        LogShape::Json => Registry::default().with(rows.json().flatten_event(true).with_filter(filter)).into(),
    })
}

fn ours_only() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|metadata| is_ours(metadata.target()))
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn tell_the_place_of(panic: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string);
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        place = place.as_deref().unwrap_or("unknown"),
        "the program broke one of its own rules"
    );
}

/// A log kept in memory. Clones are the same log.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Capture {
    /// All that was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Capture {
    fn write(&mut self, row: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() + row.len() > CAPTURE_MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the captured log is full"));
        }
        bytes.extend_from_slice(row);
        Ok(row.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Capture {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use tracing::dispatcher::with_default;
    use tracing::{debug, error, info, info_span, trace};

    use super::*;

    fn logged(directives: &str, act: impl FnOnce()) -> String {
        let (capture, dispatch) = capturing_dispatch(directives).expect("a filter");
        with_default(&dispatch, act);
        capture.text()
    }

    #[test]
    fn no_setting_lets_a_library_speak() {
        for directives in ["trace", "rsipstack=trace", "rsipstack::dialog=error,trace", "milux=trace"] {
            let log = logged(directives, || {
                error!(target: "rsipstack::transaction", "INVITE sip:+2348031234567@box");
                info!(target: "sqlx::query", "select +2348031234567");
                trace!(target: "milux", "+2348031234567");
                error!(target: "log", "+2348031234567");
            });
            assert_eq!(log, "", "{directives}");
        }
    }

    #[test]
    fn a_librarys_span_does_not_ride_on_our_event() {
        let log = logged("trace", || {
            let span = info_span!(target: "rsipstack", "dialog", from = "+2348031234567");
            let _inside = span.enter();
            info!("a call was answered");
        });
        assert!(log.contains("a call was answered") && !log.contains("234803"), "{log}");
    }

    #[test]
    fn the_level_is_that_of_the_setting_and_info_without_one() {
        let speak = || {
            debug!("fine");
            info!("plain");
        };
        let (unset, finer) = (logged("", speak), logged("milu=debug", speak));
        assert!(unset.contains("plain") && !unset.contains("fine"), "{unset}");
        assert!(finer.contains("plain") && finer.contains("fine"), "{finer}");
    }

    #[test]
    fn each_row_for_the_journal_is_one_json_object() {
        let log = logged("info", || info!(calls = 2, "two callers"));
        let row: serde_json::Value = serde_json::from_str(log.trim()).expect("one JSON object");
        assert_eq!((row["message"].as_str(), row["calls"].as_u64()), (Some("two callers"), Some(2)));
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_refused_with_an_example() {
        let error = capturing_dispatch("milu=loud").expect_err("no such level");
        assert!(error.to_string().contains("milu::line=trace"), "{error}");
    }

    /// The panic hook is the process's, so a child plays the program.
    const CHILD: &str = "ops::logging::tests::the_program_that_panics_with_a_callers_words";

    #[test]
    #[ignore = "the other half of a_panic_tells_its_place_and_not_its_words"]
    fn the_program_that_panics_with_a_callers_words() {
        start_logs(LogShape::Json).expect("the first log of this process");
        let words = "Adaèze lives in Surulere";
        let broken = std::thread::Builder::new().name("call".to_owned()).spawn(move || words[..4].len());
        assert!(broken.expect("a thread").join().is_err(), "the cut is within a letter");
    }

    #[test]
    fn a_panic_tells_its_place_and_not_its_words() {
        let child = std::process::Command::new(std::env::current_exe().expect("our own path"))
            .args(["--exact", CHILD, "--ignored", "--nocapture"])
            .env_remove(VARIABLE)
            .output()
            .expect("the program runs");
        let told = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
        assert!(child.status.success(), "{told}");
        assert!(told.contains("logging.rs:") && told.contains("\"thread\":\"call\""), "{told}");
        assert!(!told.contains("lives in") && !told.contains("Surulere"), "{told}");
    }
}
