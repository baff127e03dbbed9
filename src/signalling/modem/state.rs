use std::fmt;

use thiserror::Error;

use crate::terms::Moment;

use super::output::ResetStep;

/// Where a modem's line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModemState {
    /// No port.
    Absent,
    /// The port is asked for: after a reset, or again after it was silent.
    Opening,
    /// The modem is being set up.
    Init,
    /// Something about the SIM must be done first.
    SimWait(SimTrouble),
    /// The SIM is well and the network does not serve it yet.
    Searching,
    Ready,
    Ringing,
    Active,
    Ending,
    /// Calls may come, but something is wrong.
    Degraded(Degradation),
    /// Too many resets within the hour: a person is needed.
    Quarantined,
}

impl ModemState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Opening => "opening",
            Self::Init => "init",
            Self::SimWait(_) => "sim-wait",
            Self::Searching => "searching",
            Self::Ready => "ready",
            Self::Ringing => "ringing",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Degraded(_) => "degraded",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What is wrong with a SIM, as its owner is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SimTrouble {
    #[error("there is no SIM in the modem, or it is not seated well")]
    Absent,
    #[error("the SIM does not answer; take it out, clean its contacts, and try it in a telephone")]
    Broken,
    #[error("the SIM is not ready yet")]
    Busy,
    #[error(
        "the SIM asks for its PIN and none is set; put the PIN into a file of its own in the directory of credentials, and name that with `sim_pin_credential` in the line's part of the configuration"
    )]
    NeedsPin,
    #[error(
        "the SIM refused the PIN that is set; it is not tried again before another one is set, or `milu modem LINE release` says that this one is right"
    )]
    WrongPin,
    #[error(
        "the SIM has fewer than two attempts left for its PIN, so none is used; enter the PIN once in a telephone, and all attempts are there again"
    )]
    FewAttempts,
    #[error(
        "the SIM asks for its PIN and the modem does not tell which SIM it is, and it may be another one than the PIN is of; `milu modem LINE release` says that it is the right one"
    )]
    UnknownSim,
    #[error("the SIM is locked and asks for its PUK; put it into a telephone and enter the PUK that came with it")]
    NeedsPuk,
    #[error("the modem is locked to another network and does not take this SIM")]
    NetworkLocked,
    #[error("this is not the SIM that belongs to this line; put the right one in, or set the line to this one")]
    Foreign,
}

/// What is wrong with a line that still takes calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Degradation {
    #[error("the modem cannot carry the sound of calls: its firmware or its model is made for data alone")]
    NoVoice,
    #[error("the last calls had no sound or too little of it, or it did not come at once")]
    NoSound,
    #[error(
        "the power is too weak: the modem fell off or started anew three times while it was transmitting; give it a powered hub, or a supply of its own"
    )]
    WeakPower,
    #[error(
        "the modem fell off or started anew by itself six times within an hour; look at its plug, its cable, its supply and its firmware"
    )]
    Restless,
    #[error("the modem refused a command that it is set up with")]
    SetUp,
}

/// Why a line came into another state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    PortOpened,
    PortGone,
    SetUpDone,
    /// The modem says that it has just started.
    ModemRestarted,
    /// The modem says that it switches itself off.
    PoweringDown,
    Sim(SimTrouble),
    SimReady,
    Registered,
    RegistrationLost,
    Rings,
    CallAnswered,
    CallEnding,
    CallOver,
    /// The modem answers nothing, although it was given every chance.
    ModemSilent,
    /// The sound of calls does not come back by milder means.
    SoundLost,
    /// A call that was hung up stays in the modem's list.
    CallStuck,
    Wrong(Degradation),
    Mended,
    Resetting(ResetStep),
    ResetsExhausted,
    Released,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::PortOpened => "the port is open",
            Self::PortGone => "the port is gone",
            Self::SetUpDone => "the modem is set up",
            Self::ModemRestarted => "the modem has restarted",
            Self::PoweringDown => "the modem switches itself off",
            Self::Sim(trouble) => return trouble.fmt(f),
            Self::SimReady => "the SIM is ready",
            Self::Registered => "the network serves the SIM",
            Self::RegistrationLost => "the network does not serve the SIM",
            Self::Rings => "a call comes in",
            Self::CallAnswered => "the call is answered",
            Self::CallEnding => "the call is being ended",
            Self::CallOver => "the call is over",
            Self::ModemSilent => "the modem does not answer",
            Self::SoundLost => "calls have no sound",
            Self::CallStuck => "a call stays in the modem's list after it was hung up",
            Self::Wrong(degradation) => return degradation.fmt(f),
            Self::Mended => "what was wrong is mended",
            Self::Resetting(ResetStep::Reopen) => "its port is opened again",
            Self::Resetting(ResetStep::SoftReset) => "the modem is restarted",
            Self::Resetting(ResetStep::PowerCycle) => "its power is switched off and on",
            Self::ResetsExhausted => {
                "it was reset as often as an hour allows; look after the modem, its power and its antenna, pull it \
                 out and put it in again, and `milu modem LINE release` lets it be tried"
            }
            Self::Released => "a person lets it be tried again",
        };
        f.write_str(text)
    }
}

/// One transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateChange {
    pub at: Moment,
    pub from: ModemState,
    pub to: ModemState,
    pub reason: Reason,
}
