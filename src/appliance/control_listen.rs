//! The control socket's part for listening to a running call: an answer that is held
//! open, and with it the listening. Whoever hangs up, or loses the connection, has
//! stopped to listen.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::Serialize;
use tokio::sync::watch;

use super::control::{Control, call_id};
use super::control_refusal::Refusal;
use super::listening::{Listener, Over, trouble};
use crate::line::sound_card::{CardName, CardState, CardView};
use crate::ops::Stop;
use crate::terms::CallId;

/// An empty row so often: a connection that nobody holds any more shows when something
/// is written to it, if not before.
const BEAT: Duration = Duration::from_secs(1);

pub fn routes() -> Router<Control> {
    Router::new().route("/v1/listen", post(listen_to_only)).route("/v1/calls/{id}/listen", post(listen_to))
}

// The body is empty, and is taken so that the connection's end is seen.
async fn listen_to_only(State(control): State<Control>, _: Bytes) -> Result<Response, Refusal> {
    listen(&control, None)
}

async fn listen_to(
    State(control): State<Control>,
    UrlPath(id): UrlPath<String>,
    _: Bytes,
) -> Result<Response, Refusal> {
    listen(&control, Some(call_id(&id)?))
}

fn listen(control: &Control, call: Option<CallId>) -> Result<Response, Refusal> {
    let listener = control.listening.listen(call)?;
    let rows = Rows { listener, card: control.listening.card(), stop: control.stop.clone(), at: Place::Begin };
    let rows = futures_util::stream::unfold(rows, |mut rows| async move {
        let row = rows.next().await?;
        Some((Ok::<_, Infallible>(row), rows))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(rows)).into_response())
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Row {
    Listening { call: String },
    CardAway { sentence: String },
    CardBack { sentence: String },
    Over { why: &'static str, sentence: &'static str },
}

/// Where the rows of a listening are.
enum Place {
    Begin,
    /// What was said of the card last.
    Heard {
        is_away: bool,
    },
    End,
}

struct Rows {
    listener: Listener,
    card: Option<(CardName, watch::Receiver<CardView>)>,
    stop: Stop,
    at: Place,
}

impl Rows {
    async fn next(&mut self) -> Option<Bytes> {
        let row = match self.at {
            Place::Begin => {
                self.at = Place::Heard { is_away: false };
                Row::Listening { call: self.listener.call().to_string() }
            }
            Place::Heard { is_away } => {
                let Some(row) = self.heard(is_away).await else { return Some(Bytes::from_static(b"\n")) };
                row
            }
            Place::End => return None,
        };
        match serde_json::to_string(&row) {
            Ok(row) => Some(Bytes::from(row + "\n")),
            Err(error) => {
                tracing::error!(%error, "a row for a listener could not be written as JSON");
                None
            }
        }
    }

    /// What happens next; nothing within a beat.
    async fn heard(&mut self, was_away: bool) -> Option<Row> {
        if let Some(row) = self.card_row(was_away) {
            return Some(row);
        }
        let (why, sentence) = tokio::select! {
            biased;
            over = self.listener.over() => match over {
                Over::CallEnded => ("call-ended", "The call has ended."),
                Over::Unwanted => ("unwanted", "the caller has said that nobody is to have more of it than needs be"),
                Over::AnotherListens => ("another-listens", "another command listens now, and one is heard at a time"),
            },
            () = self.stop.ended() => ("box-stops", "the box stops"),
            () = changed(&mut self.card) => return self.card_row(was_away),
            () = tokio::time::sleep(BEAT) => return None,
        };
        self.at = Place::End;
        Some(Row::Over { why, sentence })
    }

    /// What is to be said of the card, if that is something else than before.
    fn card_row(&mut self, was_away: bool) -> Option<Row> {
        let (name, view) = self.card.as_mut()?;
        let state = view.borrow_and_update().state;
        let trouble = trouble(name, state);
        // A card that is being opened is neither away nor back.
        let is_away = if state == CardState::Opening { was_away } else { trouble.is_some() };
        if is_away == was_away {
            return None;
        }
        self.at = Place::Heard { is_away };
        Some(trouble.map_or_else(
            || Row::CardBack { sentence: format!("The sound card {name} is back.") },
            |sentence| Row::CardAway { sentence },
        ))
    }
}

/// Waits for the card to change; for ever where there is none any more.
async fn changed(card: &mut Option<(CardName, watch::Receiver<CardView>)>) {
    if let Some((_, view)) = card
        && view.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::listening::Listening;
    use crate::line::MediaClock;
    use crate::line::audio::MonitorConfig;
    use crate::ops::SystemClock;
    use crate::terms::LineId;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn rows(listening: &Listening, stop: &Stop) -> Rows {
        let listener = listening.listen(None).unwrap();
        Rows { listener, card: listening.card(), stop: stop.clone(), at: Place::Begin }
    }

    /// The next row that says something.
    async fn said(rows: &mut Rows) -> Option<serde_json::Value> {
        let row = async {
            loop {
                let row = rows.next().await?;
                assert!(row.ends_with(b"\n"));
                if row.len() > 1 {
                    return Some(serde_json::from_slice(&row).unwrap());
                }
            }
        };
        tokio::time::timeout(PATIENCE, row).await.expect("a row in time")
    }

    #[tokio::test]
    async fn who_listens_is_told_of_the_call_of_the_card_and_why_it_is_over() {
        let clock = SystemClock::new().as_fn();
        let media_clock = MediaClock::start(clock.clone()).unwrap();
        let config = MonitorConfig { card: CardName::parse("NoSuchCard").unwrap(), card_hz: None };
        let listening = Listening::open(Some(&config), clock, &media_clock).unwrap();
        let id = CallId::from_parts(1_764_000_000_000, [7; 10]);
        let overheard = listening.call_began(id, &LineId::parse("door").unwrap());
        let stop = Stop::new(PATIENCE);

        let mut first = rows(&listening, &stop);
        assert_eq!(said(&mut first).await.unwrap()["call"], id.as_str());
        let away = said(&mut first).await.unwrap();
        assert_eq!(away["event"], "card-away");
        assert!(away["sentence"].as_str().unwrap().contains("is not plugged in"), "{away}");
        assert_eq!(&first.next().await.unwrap()[..], b"\n", "an empty row shows that the box is there");

        let mut second = rows(&listening, &stop);
        assert_eq!(said(&mut first).await.unwrap()["why"], "another-listens");
        assert!(said(&mut first).await.is_none(), "that was the last row");

        assert_eq!(said(&mut second).await.unwrap()["event"], "listening");
        drop(overheard);
        let over = loop {
            let row = said(&mut second).await.expect("it is said why it is over");
            if row["event"] == "over" {
                break row;
            }
        };
        assert_eq!(over["why"], "call-ended");

        let _again = listening.call_began(id, &LineId::parse("door").unwrap());
        let mut third = rows(&listening, &stop);
        assert_eq!(said(&mut third).await.unwrap()["event"], "listening");
        assert_eq!(said(&mut third).await.unwrap()["event"], "card-away");
        stop.end_now();
        assert_eq!(said(&mut third).await.unwrap()["why"], "box-stops");
        assert!(said(&mut third).await.is_none());
    }
}
