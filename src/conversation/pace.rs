//! The times and counts of turn-taking, each with its reason. Pauses that end a
//! turn stand with the endpointer, silences with the silence policy, and what
//! looks like an echo with the utterance.

use std::time::Duration;

/// How long after the last voiced sample a pause is reported. The voice
/// activity detector must keep to it: "no pause was reported" proves voice only
/// up to this long ago.
pub const PAUSE_REPORTED_AFTER: Duration = Duration::from_millis(200);

/// A sound over the box's voice that is this long pauses it: what the voice
/// activity detector takes to be sure while the box speaks. A frame and a packet's way to
/// the box, two ticks of the media clock and the way back are some 80 to 110 ms
/// more, and silence reaches the caller within 200 ms of the first voiced sample.
/// What was a cough resumes the sentence.
pub(crate) const INTERRUPTS_AFTER: Duration = Duration::from_millis(48);

/// After so many false interruptions of one utterance the line is noisy, and
/// only a longer sound pauses it: a sentence in pieces is no answer. The end of
/// a cough is reported 200 ms after it, so this is a cough's length and that.
pub(crate) const FALSE_INTERRUPTIONS_BORNE: u8 = 3;
pub(crate) const INTERRUPTS_AFTER_WHEN_NOISY: Duration = Duration::from_millis(600);

/// No word is shorter; a sound that is, is a cough, a click or a door.
pub(crate) const SHORTEST_WORD: Duration = Duration::from_millis(200);

/// A sound below this is a cough or "mm-hm" unless its words say otherwise.
pub(crate) const COUGH_MAX: Duration = Duration::from_millis(400);

/// A sound from this length on is an interruption, whatever its words.
pub(crate) const INTERRUPTION_FROM: Duration = Duration::from_millis(500);

/// The words of a short sound over the box's voice are waited for this long
/// from the report of its end: on-box ears take about 450 ms for a second of
/// sound, and a longer hole in the box's sentence is worse than a wrong guess.
pub(crate) const OVERLAP_WORDS_WITHIN: Duration = Duration::from_millis(700);

/// How long after the box's last sample its echo may still come back.
pub(crate) const ECHO_TAIL: Duration = Duration::from_millis(300);

/// A caller who speaks on this soon after the turn was taken for over, before
/// any answer sounded, has not begun a new turn. Answers sound within it.
pub(crate) const GOES_ON_WITHIN: Duration = Duration::from_secs(2);

/// People breathe: a voice without a pause of 200 ms for so long is asked for
/// its words, because it may be a television or an engine.
pub(crate) const UNBROKEN_VOICE_MAX: Duration = Duration::from_secs(10);

/// A sound after the last word in which the ears hear none for so long is a noise: it is
/// what they ask for before they say that words have ended.
pub(crate) const WORDLESS_AFTER: Duration = Duration::from_secs(1);

/// After so many turns without a word, one after the other, the line is noisy.
pub(crate) const WORDLESS_TURNS_MAX: u8 = 3;

/// A turn may last this long before the box breaks in. The ears' window is 30
/// seconds, and what is beyond it is not heard.
pub(crate) const TURN_MAX: Duration = Duration::from_secs(25);

/// A message is kept as sound, so it may be longer than the ears' window.
pub(crate) const MESSAGE_MAX: Duration = Duration::from_secs(90);

/// Between two attempts to break in, and how many there are: then the call ends.
pub(crate) const BREAK_IN_EVERY: Duration = Duration::from_secs(15);
pub(crate) const BREAK_INS_MAX: u8 = 3;

/// After the last key, a number counts as complete: people look up from a card
/// between groups, and take up to two seconds for it.
pub(crate) const KEYS_OVER_AFTER: Duration = Duration::from_secs(3);

/// A frame of 20 ms says little about echo, so a measurement that follows
/// another at once moves the likelihood by a quarter of the way: three frames,
/// less than what it takes to interrupt, make a likely caller of a sure echo.
pub(crate) const ECHO_WEIGHT: f32 = 0.25;

/// By so much, in dB, a voice seems softer with each frame of 20 ms that is: lips
/// close for up to 150 ms within a word, and a voice is no less loud for it.
pub(crate) const LEVEL_FALLS_DB: f32 = 3.0;

/// A measurement older than this has nothing to do with the sound of now.
pub(crate) const ECHO_REMEMBERED: Duration = Duration::from_millis(100);
