//! The engines of a box on which nobody asks anything, for the tests of what is around them.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::knowledge::Topic;
use crate::speech::{
    CallSetting, EarsEvent, Hearing, MindEvent, Responder, SpeakRequest, Speaking, Synthesizer, Thinking, Transcriber,
    Voice, VoiceEvent,
};
use crate::terms::{Private, RequestId};

/// Ears that nobody opens, a mind that answers nothing, and a voice that says everything in
/// a tenth of a second.
pub struct Idle;

impl Transcriber for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn open(&self, _setting: &CallSetting, _answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        unreachable!("nobody is listened to")
    }
}

impl Responder for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn open(&self, _setting: &CallSetting, _answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        Box::new(Self)
    }
}

impl Thinking for Idle {
    fn ask(&mut self, _request: RequestId, _words: &Private<String>, _now: &jiff::ZonedDateTime) {}

    fn ask_topic(&mut self, _request: RequestId, _topic: Topic, _now: &jiff::ZonedDateTime) {}

    fn abandon(&mut self) {}
}

impl Synthesizer for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn open(&self, _setting: &CallSetting) -> Box<dyn Voice> {
        Box::new(Self)
    }
}

impl Voice for Idle {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        let utterance = request.utterance;
        let samples = vec![4000; request.rate.frame_len() * 5];
        let events = [VoiceEvent::Sound { utterance, samples, engine: "idle" }, VoiceEvent::Done { utterance }];
        events.into_iter().for_each(|event| sound.try_send(event).expect("room for a short sentence"));
        Speaking::new(CancellationToken::new())
    }
}
