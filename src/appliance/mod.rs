//! Builds the box from its configuration and keeps it running: the desk, one
//! task for each call, the control socket. It never meets the fleet's side.

mod ask;
mod calendar;
mod call_task;
mod check;
mod config;
mod control;
mod control_modem;
mod control_refusal;
mod credentials;
mod desk;
mod ear_path;
mod engines;
mod fixed_voice;
mod keyless;
mod lines;
mod modem_facts;
mod modem_profiles;
mod modem_task;
mod modems;
mod outside;
mod policy_proof;
mod record_json;
mod renderings;
mod second_hearing;
mod start;
mod text_post;
mod texts;
mod transfer_json;
mod voice_lane;
mod warm_up;
mod watch;

pub use ask::{Answer, AskError, ask_knowledge};
pub use check::{CheckFinding, ReadKnowledge, check};
pub use config::{Config, ConfigError, RecordingConfig, SipLineConfig, SpeechConfig};
pub use control::ControlError;
pub use credentials::{CredentialError, Credentials};
pub use engines::{EngineError, Engines, whisper_file};
pub use lines::OpenLine;
pub use modem_profiles::ReadProfiles;
pub use outside::OutsideError;
pub use policy_proof::{Case, Counterexample, Meant, Proof, ProofError, ProofFinding, Theorem, prove};
pub use start::{Appliance, StartError};
