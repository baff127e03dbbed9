use std::path::{Path, PathBuf};

use thiserror::Error;

use super::rate::convert;
use crate::media::SampleRate;

/// The rate at which prepared sound is kept: the wider of the two line rates.
pub(super) const PREPARED_HZ: u32 = 16_000;

/// Rates that sound files have: from the telephone to the studio.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// A file that is played to someone who listens: ten minutes are too long already.
const LONGEST_SECONDS: u32 = 600;

#[derive(Debug, Error)]
pub enum ReadSound {
    #[error("reading the sound file {path}: {source}")]
    Open { path: PathBuf, source: hound::Error },
    #[error("reading the sound file {path}: it has {channels} channels; one and two can be played")]
    Channels { path: PathBuf, channels: u16 },
    #[error("reading the sound file {path}: {hz} Hz cannot be played; 8000 to 192000 can")]
    Rate { path: PathBuf, hz: u32 },
    #[error("reading the sound file {path}: it is longer than ten minutes")]
    Long { path: PathBuf },
    #[error("reading the sound file {path}: there is no sound in it")]
    Empty { path: PathBuf },
}

#[derive(Debug, Error)]
pub enum SaveCall {
    #[error("saving the call to {path}: {source}")]
    Write { path: PathBuf, source: hound::Error },
}

/// Reads a WAV file of any usual shape as mono at 16 kHz, at its own loudness.
pub fn read_sound(path: &Path) -> Result<Vec<i16>, ReadSound> {
    let path = path.to_owned();
    let reader = match hound::WavReader::open(&path) {
        Ok(reader) => reader,
        Err(source) => return Err(ReadSound::Open { path, source }),
    };
    let spec = reader.spec();
    if !(1..=2).contains(&spec.channels) {
        return Err(ReadSound::Channels { path, channels: spec.channels });
    }
    if !RATES_HZ.contains(&spec.sample_rate) {
        return Err(ReadSound::Rate { path, hz: spec.sample_rate });
    }
    if reader.duration() > LONGEST_SECONDS * spec.sample_rate {
        return Err(ReadSound::Long { path });
    }
    if reader.duration() == 0 {
        return Err(ReadSound::Empty { path });
    }
    let samples = match samples(reader, spec) {
        Ok(samples) => samples,
        Err(source) => return Err(ReadSound::Open { path, source }),
    };
    Ok(whole(&convert(&mono(&samples, spec.channels), spec.sample_rate, PREPARED_HZ)))
}

fn samples<R: std::io::Read>(reader: hound::WavReader<R>, spec: hound::WavSpec) -> Result<Vec<f32>, hound::Error> {
    match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().collect(),
        hound::SampleFormat::Int => {
            let scale = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
            #[expect(clippy::cast_possible_truncation, reason = "a sample of full scale is 1")]
            let unit = move |sample: i32| (f64::from(sample) / scale) as f32;
            reader.into_samples::<i32>().map(|sample| sample.map(unit)).collect()
        }
    }
}

/// What a speech program writes to its output: mono of 16 bits whose header may
/// promise more than comes, because the length was not known when it was written.
pub(super) fn read_stream(wav: &[u8]) -> Result<Vec<f32>, hound::Error> {
    let reader = hound::WavReader::new(wav)?;
    let spec = reader.spec();
    let sound = reader.into_samples::<i16>().map_while(Result::ok).map(|s| f32::from(s) / 32_768.0);
    Ok(convert(&mono(&sound.collect::<Vec<_>>(), spec.channels), spec.sample_rate, PREPARED_HZ))
}

fn mono(samples: &[f32], channels: u16) -> Vec<f32> {
    let channels = usize::from(channels.max(1));
    samples
        .chunks_exact(channels)
        .map(|s| s.iter().sum::<f32>() / f32::from(u16::try_from(channels).unwrap_or(1)))
        .collect()
}

/// Samples of 16 bits; what is too loud is held at full scale.
#[expect(clippy::cast_possible_truncation, reason = "held within 16 bits")]
pub(super) fn whole(sound: &[f32]) -> Vec<i16> {
    sound.iter().map(|s| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Writes a call as a stereo WAV file: left what was sent, right what was heard.
/// The shorter side ends in silence.
pub fn save_call(path: &Path, rate: SampleRate, sent: &[i16], heard: &[i16]) -> Result<(), SaveCall> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate.hz(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || {
        let mut file = hound::WavWriter::create(path, spec)?;
        for n in 0..sent.len().max(heard.len()) {
            file.write_sample(sent.get(n).copied().unwrap_or(0))?;
            file.write_sample(heard.get(n).copied().unwrap_or(0))?;
        }
        file.finalize()
    };
    write().map_err(|source| SaveCall::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(spec: hound::WavSpec, seconds: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut writer = hound::WavWriter::create(file.path(), spec).expect("a writer");
        for _ in 0..seconds * spec.sample_rate * u32::from(spec.channels) {
            match spec.sample_format {
                hound::SampleFormat::Float => writer.write_sample(0.25_f32).expect("written"),
                hound::SampleFormat::Int => writer.write_sample(1_i32 << (spec.bits_per_sample - 3)).expect("written"),
            }
        }
        writer.finalize().expect("written");
        file
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> hound::WavSpec {
        hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format: hound::SampleFormat::Int }
    }

    #[test]
    fn files_of_every_usual_shape_become_mono_at_16_khz_at_their_own_loudness() {
        let float = hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(2, 48_000, 32) };
        for spec in [spec(1, 8_000, 16), spec(2, 44_100, 16), spec(1, 22_050, 24), spec(1, 16_000, 8), float] {
            let file = written(spec, 1);
            let sound = read_sound(file.path()).expect("a sound");
            assert_eq!(sound.len(), 16_000, "{spec:?}");
            let middle = sound[8_000];
            assert!((8_100..=8_280).contains(&middle), "{spec:?}: a quarter of full scale became {middle}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_played_is_refused_with_its_reason() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(matches!(read_sound(file.path()), Err(ReadSound::Open { .. })));
        assert!(matches!(read_sound(written(spec(3, 8_000, 16), 1).path()), Err(ReadSound::Channels { .. })));
        assert!(matches!(read_sound(written(spec(1, 4_000, 16), 1).path()), Err(ReadSound::Rate { .. })));
        assert!(matches!(read_sound(written(spec(1, 8_000, 16), 0).path()), Err(ReadSound::Empty { .. })));
        assert!(matches!(read_sound(written(spec(1, 8_000, 8), 601).path()), Err(ReadSound::Long { .. })));
    }

    #[test]
    fn a_saved_call_has_what_was_sent_on_the_left_and_what_was_heard_on_the_right() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        save_call(file.path(), SampleRate::Hz8000, &[1, 2, 3], &[4, 5]).expect("saved");
        let saved = hound::WavReader::open(file.path()).expect("a WAV file");
        assert_eq!((saved.spec().channels, saved.spec().sample_rate), (2, 8_000));
        let samples: Vec<i16> = saved.into_samples().collect::<Result<_, _>>().expect("samples");
        assert_eq!(samples, [1, 4, 2, 5, 3, 0]);
    }
}
