//! What GSM modems say and what we say to them: rows of AT commands, texts in
//! their PDUs, and the codes by which a network is asked for its balance. Pure:
//! no port is opened here.

pub mod airtime;
pub mod sms;
pub mod ussd;
