use std::sync::Arc;

use crate::residency::CallGate;
use crate::terms::{CallId, Language};

/// What an engine is told of the call for which it is opened.
#[derive(Clone, Debug)]
pub struct CallSetting {
    /// None for what belongs to no call: a sentence that is rendered ahead.
    pub call: Option<CallId>,
    pub hints: Hints,
    /// Whatever leaves the box on this call's behalf is cleared here.
    pub gate: Arc<CallGate>,
}

impl CallSetting {
    /// For engines on the box, outside a call: nothing may leave.
    pub fn on_box(hints: Hints) -> Self {
        Self { call: None, hints, gate: Arc::new(CallGate::closed()) }
    }
}

/// What helps the ears: known before the call.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    pub language: Language,
    /// Words that callers of this business use: names, places, services.
    pub words: Vec<String>,
}
