//! The live calls of one stack, and what becomes of requests that come for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rsipstack::sip::Header;
use rsipstack::transaction::make_tag;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::mpsc;

use super::exchange::{Carried, FromPeer, Responder, Tasks, header, to_tag};
use super::peer::with_tag;

/// A dialog as both sides name it: the Call-ID and our tag.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct DialogKey {
    pub(super) call_id: String,
    pub(super) our_tag: String,
}

/// A call's place among the live ones. It is given back when this is dropped,
/// however the call's task ends.
pub(super) struct Place {
    calls: Arc<Calls>,
    key: DialogKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.calls.with(|live| live.remove(&self.key));
    }
}

/// Bounded by the line's cap, which is asked before a call is put in.
#[derive(Default)]
pub(super) struct Calls(Mutex<HashMap<DialogKey, mpsc::Sender<FromPeer>>>);

impl Calls {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<DialogKey, mpsc::Sender<FromPeer>>) -> T) -> T {
        // Nothing that could fail half way is done under the lock.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn len(&self) -> usize {
        self.with(|live| live.len())
    }

    #[must_use = "the place is given back when this is dropped"]
    pub(super) fn take_place(self: &Arc<Self>, key: DialogKey, inbox: mpsc::Sender<FromPeer>) -> Place {
        self.with(|live| live.insert(key.clone(), inbox));
        Place { calls: self.clone(), key }
    }

    /// Room for a new call, or a call that is already here.
    pub(super) fn has_room(&self, max_calls: usize, call_id: &str) -> bool {
        self.with(|live| live.len() < max_calls || live.keys().any(|key| key.call_id == call_id))
    }

    /// Hands a request to the call that it belongs to; 481 when there is none.
    pub(super) fn deliver(&self, tasks: &Tasks, transaction: Transaction, our_tag: String) {
        let call_id = header(&transaction.original, "call-id").unwrap_or_default();
        let inbox = self.with(|live| live.get(&DialogKey { call_id, our_tag }).cloned());
        let Some(inbox) = inbox else { return refuse(tasks, transaction, 481) };
        if inbox.try_send(FromPeer::Request(Box::new(transaction))).is_err() {
            tracing::warn!("a call is behind with its requests; one was left for the far side to repeat");
        }
    }
}

/// Answers a request that begins or belongs to no call.
pub(super) fn refuse(tasks: &Tasks, mut transaction: Transaction, status: u16) {
    if to_tag(&transaction.original).is_none() && put_our_tag(&mut transaction).is_none() {
        tracing::debug!("a request without a readable To was left unanswered");
        return;
    }
    Responder::adopt(tasks, transaction, String::new(), None).respond(status, Carried::Nothing);
}

/// Puts our tag on the To of a request, so that all its responses carry it.
/// None for a To that the guard of UDP would have refused: over TCP there is none.
pub(super) fn put_our_tag(transaction: &mut Transaction) -> Option<String> {
    let tag = make_tag().to_string();
    let to = header(&transaction.original, "to")?;
    transaction.original.headers.unique_push(Header::To(with_tag(&to, &tag).into()));
    (to_tag(&transaction.original).as_deref() == Some(tag.as_str())).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_line_has_room_for_the_retransmissions_of_its_own_calls() {
        let calls = Arc::new(Calls::default());
        let (inbox, _receiver) = mpsc::channel(1);
        assert!(calls.has_room(1, "a"));
        let place = calls.take_place(DialogKey { call_id: "a".to_owned(), our_tag: "1".to_owned() }, inbox);
        assert!(calls.has_room(1, "a"));
        assert!(!calls.has_room(1, "b"));
        drop(place);
        assert!(calls.has_room(1, "b"));
    }
}
