//! A sound card as a telephone line: a door intercom, a handset on a counter. A key or a
//! voice starts the call, the key or silence ends it. And a card through which a
//! technician hears a running call. There is no number and no network here, and no
//! knowledge of what is spoken about.

mod key;
mod line;
mod monitor;
mod port;
mod trigger;

pub use key::{CallKey, InputDeviceKey, KeyEvent, KeyPresser};
pub use line::{AudioLine, AudioLineConfig, EchoPath};
#[cfg(test)]
pub(crate) use monitor::tapped;
pub use monitor::{MonitorConfig, MonitorEar, MonitorSpeaker, MonitorTap, OpenMonitor, TurnError};
pub use trigger::{CallStart, KeyUse};
