//! The control socket's part for recordings: one is read at a time, a minute of it in
//! memory, and few wait for their turn.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path as UrlPath, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::control::{Control, call_id};
use super::control_refusal::Refusal;
use crate::store::{Leg, ReadError, Wav};

/// Who reads a recording and who waits for it: a person or two, and their scripts.
/// Reading takes a core and the disk, which running calls need as well.
const READERS_MAX: usize = 5;

/// The longest recording is read in less, unless its reader does not take it.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn routes() -> Router<Control> {
    Router::new().route("/v1/calls/{id}/sound", get(sound)).layer(Extension(Readers::new(PATIENCE)))
}

/// Those who read recordings.
#[derive(Clone)]
struct Readers {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
    patience: Duration,
}

/// The right to read one recording, as long as it is held.
#[derive(Debug)]
struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    fn new(patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(READERS_MAX)), turn: Arc::new(Semaphore::new(1)), patience }
    }

    /// Waits until the recordings before were read to their end.
    async fn turn(&self) -> Result<Turn, Refusal> {
        let busy = || {
            let what = "reading a recording: others are being read just now; try again in a minute";
            Refusal(StatusCode::SERVICE_UNAVAILABLE, what.to_owned())
        };
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        match tokio::time::timeout(self.patience, self.turn.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Turn { _turn: turn, _place: place }),
            // Nobody closes it.
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

#[derive(Deserialize)]
struct WhichLeg {
    leg: Option<String>,
}

async fn sound(
    State(control): State<Control>,
    Extension(readers): Extension<Readers>,
    UrlPath(id): UrlPath<String>,
    Query(WhichLeg { leg }): Query<WhichLeg>,
) -> Result<Response, Refusal> {
    let id = call_id(&id)?;
    let legs: &[Leg] = match leg.as_deref() {
        None => &Leg::BOTH,
        Some("caller") => &[Leg::Caller],
        Some("box") => &[Leg::Box],
        Some(_) => return Err(Refusal(StatusCode::BAD_REQUEST, "a leg is `caller` or `box`".to_owned())),
    };
    let turn = readers.turn().await?;
    let wav = control.vault.wav(id, legs).await?;
    // Who reads sees by its length whether the whole came.
    let head = [(header::CONTENT_TYPE, "audio/wav".to_owned()), (header::CONTENT_LENGTH, wav.bytes().to_string())];
    Ok((head, Body::from_stream(pieces(wav, turn))).into_response())
}

/// The file piece by piece; the turn is over with it, or when nobody reads it any more.
fn pieces(wav: Wav, turn: Turn) -> impl futures_util::Stream<Item = Result<Bytes, ReadError>> + Send {
    futures_util::stream::unfold((wav, turn), |(mut wav, turn)| async move {
        let piece = wav.next().await?;
        if let Err(error) = &piece {
            tracing::error!(%error, "a recording broke off while it was read");
        }
        Some((piece.map(Bytes::from), (wav, turn)))
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    async fn soon<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("in time")
    }

    #[tokio::test]
    async fn one_recording_is_read_at_a_time_and_few_wait() {
        let readers = Readers::new(PATIENCE);
        let first = soon(readers.turn()).await.ok().expect("nobody reads");
        let mut next = pin!(readers.turn());
        let waits = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "two are read at once");
        let mut others: Vec<_> = (2..READERS_MAX).map(|_| Box::pin(readers.turn())).collect();
        for other in &mut others {
            assert!(poll_fn(|cx| Poll::Ready(other.as_mut().poll(cx).is_pending())).await);
        }
        let refused = soon(readers.turn()).await.expect_err("there is no place any more");
        assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        drop(soon(next).await.ok().expect("the first was read"));
        for other in others {
            drop(soon(other).await.ok().expect("one after the other"));
        }
        drop(soon(readers.turn()).await.ok().expect("all have gone"));
    }

    #[tokio::test]
    async fn who_waits_for_a_recording_that_nobody_takes_is_told() {
        let readers = Readers::new(Duration::from_millis(10));
        let _first = soon(readers.turn()).await.ok().expect("nobody reads");
        let refused = soon(readers.turn()).await.expect_err("the first is still read");
        assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
