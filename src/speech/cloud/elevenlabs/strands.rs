//! Which strand of a socket belongs to which utterance; the provider calls a strand
//! a context. Pure: it sends nothing.

use super::wire::{CONTEXT_NAMES, ContextName};

/// Strands that the provider holds open at a time on one socket; with a sixth it
/// closes the socket. One that is being closed counts until it says that it ended.
pub(super) const CONTEXTS_MAX: usize = 5;

/// An utterance of the call, unlike its public id never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key(pub(super) u64);

/// The strands of a socket. `T` is where an utterance's sound goes.
pub(super) struct Strands<T> {
    open: Vec<Open<T>>,
    next_name: usize,
}

struct Open<T> {
    key: Key,
    name: &'static ContextName,
    /// None when nobody wants the sound any more, which still comes.
    taker: Option<T>,
    is_closing: bool,
}

/// Whether the provider must be told to close a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Closing {
    Tell(&'static ContextName),
    /// It was told before, or never knew of it.
    Silent,
}

impl<T> Strands<T> {
    pub(super) const fn new() -> Self {
        Self { open: Vec::new(), next_name: 0 }
    }

    /// A context for an utterance; gives the taker back when all are taken.
    pub(super) fn open(&mut self, key: Key, taker: T) -> Result<&'static ContextName, T> {
        if self.open.len() >= CONTEXTS_MAX {
            return Err(taker);
        }
        // Of 32 names at most five are in use.
        let in_use = |name: &ContextName| self.open.iter().any(|o| o.name.id == name.id);
        let mut names = CONTEXT_NAMES.iter().cycle().skip(self.next_name).take(CONTEXT_NAMES.len());
        let Some(name) = names.find(|name| !in_use(name)) else { return Err(taker) };
        self.next_name = (self.next_name + 1) % CONTEXT_NAMES.len();
        self.open.push(Open { key, name, taker: Some(taker), is_closing: false });
        Ok(name)
    }

    /// The context of an utterance that still wants its sound.
    pub(super) fn name_of(&self, key: Key) -> Option<&'static ContextName> {
        self.open.iter().find(|o| o.key == key && o.taker.is_some() && !o.is_closing).map(|o| o.name)
    }

    /// No more words follow. Gives the context that is to be told so, if it was not.
    pub(super) fn closing(&mut self, key: Key) -> Option<&'static ContextName> {
        let open = self.open.iter_mut().find(|o| o.key == key && !o.is_closing)?;
        open.is_closing = true;
        Some(open.name)
    }

    /// The utterance is not wanted any more. Gives back who took its sound.
    pub(super) fn abandon(&mut self, key: Key) -> (Closing, Option<T>) {
        let Some(open) = self.open.iter_mut().find(|o| o.key == key) else { return (Closing::Silent, None) };
        let was_closing = std::mem::replace(&mut open.is_closing, true);
        let closing = if was_closing { Closing::Silent } else { Closing::Tell(open.name) };
        (closing, open.taker.take())
    }

    /// Whose a message is. One without a name is the only open one's; a name that
    /// is not open is nobody's.
    pub(super) fn whose(&self, context: Option<&str>) -> Option<Key> {
        match (context, self.open.as_slice()) {
            (Some(id), open) => open.iter().find(|o| o.name.id == id).map(|o| o.key),
            (None, [only]) => Some(only.key),
            (None, _) => None,
        }
    }

    /// Where the sound of an utterance goes, if it is still wanted.
    pub(super) fn taker(&mut self, key: Key) -> Option<&mut T> {
        self.open.iter_mut().find(|o| o.key == key).and_then(|o| o.taker.as_mut())
    }

    /// The provider says that a context has ended.
    pub(super) fn ended(&mut self, key: Key) -> Option<T> {
        let at = self.open.iter().position(|o| o.key == key)?;
        self.open.remove(at).taker
    }

    /// The socket is gone, and all contexts with it. Who was still waiting is told.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.open).into_iter().filter_map(|o| o.taker)
    }

    /// Whether anybody waits for sound.
    pub(super) fn are_wanted(&self) -> bool {
        self.open.iter().any(|o| o.taker.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sixth_utterance_waits_until_one_has_really_ended() {
        let mut strands = Strands::new();
        for n in 0..5 {
            strands.open(Key(n), n).expect("five may be open");
        }
        assert_eq!(strands.open(Key(5), 5), Err(5));
        assert!(matches!(strands.abandon(Key(2)), (Closing::Tell(name), Some(2)) if name.id == "u02"));
        assert_eq!(strands.open(Key(5), 5), Err(5), "a context counts until it ends");
        assert_eq!(strands.ended(Key(2)), None, "nobody wants it any more");
        assert_eq!(strands.open(Key(5), 5).map(|name| name.id), Ok("u05"));
    }

    #[test]
    fn a_context_is_closed_once() {
        let mut strands = Strands::new();
        let name = strands.open(Key(0), ()).expect("there is room");
        assert_eq!((strands.closing(Key(0)), strands.closing(Key(0))), (Some(name), None));
        assert_eq!(strands.name_of(Key(0)), None, "no words after the close");
        assert_eq!(strands.abandon(Key(0)), (Closing::Silent, Some(())));
        assert_eq!(strands.abandon(Key(7)), (Closing::Silent, None));
        assert_eq!(strands.closing(Key(7)), None);
    }

    #[test]
    fn sound_without_a_name_is_the_only_ones_and_a_strange_name_is_nobodys() {
        let mut strands = Strands::new();
        strands.open(Key(0), ()).expect("there is room");
        assert_eq!(strands.whose(None), Some(Key(0)));
        assert_eq!((strands.whose(Some("u00")), strands.whose(Some("u09"))), (Some(Key(0)), None));
        strands.open(Key(1), ()).expect("there is room");
        assert_eq!(strands.whose(None), None);
    }

    proptest! {
        #[test]
        fn no_two_open_contexts_ever_share_a_name(steps in prop::collection::vec((any::<bool>(), 0_u64..6), 0..300)) {
            let mut strands = Strands::new();
            let mut open: Vec<(Key, &str)> = Vec::new();
            for (n, (opens, which)) in (0_u64..).zip(steps) {
                if opens {
                    if let Ok(name) = strands.open(Key(n), ()) {
                        prop_assert!(open.iter().all(|(_, id)| *id != name.id));
                        open.push((Key(n), name.id));
                    } else {
                        prop_assert_eq!(open.len(), CONTEXTS_MAX);
                    }
                } else if !open.is_empty() {
                    let (key, id) = open.remove(which as usize % open.len());
                    prop_assert_eq!(strands.whose(Some(id)), Some(key));
                    strands.ended(key);
                }
            }
        }
    }
}
