use std::time::Duration;

use tokio::time::timeout;

use super::Parts;
use super::failure;
use super::payload::StreamRequest;
use super::wire::{SoundDecoder, SoundFormat};
use crate::egress::HttpAnswer;
use crate::residency::Cleared;
use crate::speech::{Awaited, VoiceDeadlines, VoiceError};
use crate::terms::CallId;

/// The sound of one text, as the answer to one request.
pub(super) struct Stream {
    answer: HttpAnswer,
    decoder: SoundDecoder,
    deadlines: VoiceDeadlines,
    /// What is waited for next.
    waiting_for: Awaited,
}

impl Stream {
    pub(super) async fn open(
        parts: &Parts,
        deadlines: VoiceDeadlines,
        call: Option<CallId>,
        format: SoundFormat,
        request: Cleared<StreamRequest>,
    ) -> Result<Self, VoiceError> {
        let within = deadlines.connect + deadlines.first_sound;
        let answer = timeout(within, parts.door.request(call, request))
            .await
            .map_err(|_| VoiceError::Stalled { waiting_for: Awaited::Connection, within })?
            .map_err(|error| failure::of_send(&error, Awaited::FirstSound))?;
        if answer.status != 200 {
            let retry_after = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
            return Err(failure::of_status(answer.status, retry_after.map(Duration::from_secs)));
        }
        // A complaint with the status of success would be played as noise.
        let kind = answer.header("content-type").unwrap_or_default();
        if ["application/json", "text/"].iter().any(|of_text| kind.starts_with(of_text)) {
            return Err(VoiceError::Lost("it answers with words in the place of sound"));
        }
        Ok(Self { answer, decoder: SoundDecoder::new(format), deadlines, waiting_for: Awaited::FirstSound })
    }

    /// The next samples; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<i16>>, VoiceError> {
        let waiting_for = self.waiting_for;
        let within = match waiting_for {
            Awaited::NextSound => self.deadlines.next_sound,
            Awaited::Connection | Awaited::FirstSound => self.deadlines.first_sound,
        };
        let octets = timeout(within, self.answer.chunk())
            .await
            .map_err(|_| VoiceError::Stalled { waiting_for, within })?
            .map_err(|error| failure::of_send(&error, waiting_for))?;
        self.waiting_for = Awaited::NextSound;
        Ok(octets.map(|octets| self.decoder.decode(&octets)))
    }
}
