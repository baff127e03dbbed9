//! Deepgram, as ears.
