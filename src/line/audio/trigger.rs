//! What starts and ends a call on a sound device: a key, a voice, silence. It decides
//! and does nothing; the time is handed in.

use std::time::Duration;

use crate::terms::Moment;

use super::KeyEvent;

/// After a call a voice starts none for this long: people say goodbye twice, and the
/// room has an echo.
const REST: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallStart {
    Key(KeyUse),
    /// Whoever speaks, calls.
    Voice,
}

/// What the key means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyUse {
    /// A press starts a call, the next ends it: a door bell.
    Toggle,
    /// A press starts a call; in it the microphone is open while the key is held.
    HoldToTalk,
    /// Pressed as long as the handset is lifted.
    Hook,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Microphone {
    Open,
    Shut,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Nothing,
    Ring,
    HangUp,
    Microphone(Microphone),
}

/// One line's trigger.
pub(super) struct Trigger {
    start: CallStart,
    is_in_call: bool,
    /// When a voice may start a call again.
    rested: Moment,
}

impl Trigger {
    pub(super) const fn new(start: CallStart) -> Self {
        Self { start, is_in_call: false, rested: Moment::START }
    }

    pub(super) const fn call_began(&mut self) {
        self.is_in_call = true;
    }

    pub(super) fn call_ended(&mut self, now: Moment) {
        self.is_in_call = false;
        self.rested = now + REST;
    }

    /// A key of a line that voices start is a bell all the same: the control socket's.
    pub(super) const fn key(&self, event: KeyEvent) -> Wish {
        let key_use = match self.start {
            CallStart::Key(key_use) => key_use,
            CallStart::Voice => KeyUse::Toggle,
        };
        match (event, key_use, self.is_in_call) {
            (KeyEvent::Pressed, _, false) => Wish::Ring,
            (KeyEvent::Pressed, KeyUse::Toggle, true) | (KeyEvent::Released, KeyUse::Hook, true) => Wish::HangUp,
            (KeyEvent::Pressed, KeyUse::HoldToTalk, true) => Wish::Microphone(Microphone::Open),
            (KeyEvent::Released, KeyUse::HoldToTalk, true) => Wish::Microphone(Microphone::Shut),
            (KeyEvent::Pressed, KeyUse::Hook, true)
            | (KeyEvent::Released, KeyUse::Toggle, true)
            | (KeyEvent::Released, _, false) => Wish::Nothing,
        }
    }

    pub(super) fn voice(&self, now: Moment) -> Wish {
        let starts = self.start == CallStart::Voice && !self.is_in_call && now >= self.rested;
        if starts { Wish::Ring } else { Wish::Nothing }
    }

    /// Nobody has spoken for as long as the line bears it.
    pub(super) const fn quiet(&self) -> Wish {
        if self.is_in_call { Wish::HangUp } else { Wish::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use KeyEvent::{Pressed, Released};

    use super::*;

    const fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn a_bell_starts_a_call_and_ends_it() {
        let mut trigger = Trigger::new(CallStart::Key(KeyUse::Toggle));
        assert_eq!(trigger.key(Pressed), Wish::Ring);
        trigger.call_began();
        assert_eq!(trigger.key(Released), Wish::Nothing);
        assert_eq!(trigger.key(Pressed), Wish::HangUp);
    }

    #[test]
    fn who_holds_the_key_speaks_and_who_lets_go_listens() {
        let mut trigger = Trigger::new(CallStart::Key(KeyUse::HoldToTalk));
        assert_eq!(trigger.key(Pressed), Wish::Ring);
        trigger.call_began();
        assert_eq!(trigger.key(Released), Wish::Microphone(Microphone::Shut));
        assert_eq!(trigger.key(Pressed), Wish::Microphone(Microphone::Open));
    }

    #[test]
    fn a_handset_that_is_hung_up_ends_its_call() {
        let mut trigger = Trigger::new(CallStart::Key(KeyUse::Hook));
        assert_eq!(trigger.key(Pressed), Wish::Ring);
        trigger.call_began();
        assert_eq!(trigger.key(Pressed), Wish::Nothing);
        assert_eq!(trigger.key(Released), Wish::HangUp);
        trigger.call_ended(at(0));
        assert_eq!(trigger.key(Released), Wish::Nothing, "hanging up twice is nothing");
    }

    #[test]
    fn a_voice_starts_a_call_where_voices_do_and_not_right_after_one() {
        let mut trigger = Trigger::new(CallStart::Voice);
        assert_eq!(trigger.voice(at(0)), Wish::Ring);
        trigger.call_began();
        assert_eq!(trigger.voice(at(1_000)), Wish::Nothing);
        assert_eq!(trigger.quiet(), Wish::HangUp);
        trigger.call_ended(at(60_000));
        assert_eq!(trigger.voice(at(61_999)), Wish::Nothing);
        assert_eq!(trigger.voice(at(62_000)), Wish::Ring);
        assert_eq!(Trigger::new(CallStart::Key(KeyUse::Hook)).voice(at(0)), Wish::Nothing);
    }
}
