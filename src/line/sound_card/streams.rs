//! The one file that knows the sound library (`cpal`): what a card can do, its streams,
//! and the callbacks that move samples. The callbacks neither allocate nor lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, DeviceId, ErrorKind, FromSample, HostId, InputCallbackInfo, SampleFormat, SizedSample, Stream,
    StreamConfig, SupportedStreamConfigRange,
};

use crate::line::ReadClock;

use super::choice::{Ability, SampleForm, Setting, choose};
use super::end::{Counters, Opening};
use super::origin::Origin;
use super::ring::{SampleReader, SampleWriter, ring};
use super::{CardSettings, CardTrouble, CardUse, Signs};

/// A ring holds a fifth of a second, rounded up: ten frames. Whoever takes sound does so
/// every 20 ms, and one that is later than that has other troubles.
const RINGS_A_SECOND: u32 = 5;

/// After this long without an event the library asks the driver how it is.
const POLL: Duration = Duration::from_millis(500);

/// Samples that the playing callback handles at a time: on its stack.
const BLOCK: usize = 480;

/// The streams of an open card. Dropping them closes it, which may take as long as its
/// driver takes to let go.
pub(super) struct Streams {
    hz: u32,
    signs: Arc<Signs>,
    capture: Option<Stream>,
    _playback: Stream,
}

impl Streams {
    pub(super) fn open(
        settings: &CardSettings,
        clock: &ReadClock,
        counts: &Arc<Counters>,
    ) -> Result<(Self, Opening), CardTrouble> {
        let device = find(settings)?;
        let hears = settings.uses == CardUse::Both;
        let playable = abilities(device.supported_output_configs().map_err(trouble_of)?);
        let audible = if hears { abilities(device.supported_input_configs().map_err(trouble_of)?) } else { Vec::new() };
        let wanted: &[&[Ability]] = if hears { &[&playable, &audible] } else { &[&playable] };
        let chosen = choose(wanted, settings.rate, settings.card_hz)?;
        // Periods of 20 ms, of which the library keeps two; the driver's own choice
        // where it does not know that length.
        let sizes = [BufferSize::Fixed(chosen[0].hz / 50), BufferSize::Default];
        Self::open_with(&device, &chosen, sizes[0], clock, counts)
            .or_else(|_| Self::open_with(&device, &chosen, sizes[1], clock, counts))
    }

    fn open_with(
        device: &Device,
        chosen: &[Setting],
        buffer_size: BufferSize,
        clock: &ReadClock,
        counts: &Arc<Counters>,
    ) -> Result<(Self, Opening), CardTrouble> {
        let hz = chosen[0].hz;
        let signs = Arc::new(Signs::default());
        let size = (hz / RINGS_A_SECOND) as usize;
        let (to_play, playing) = ring(size);
        let (played_in, played) = ring(size);
        let player = Player { to_play: playing, played: played_in, signs: signs.clone(), counts: counts.clone() };
        let playback = open_playback(device, chosen[0], buffer_size, player).map_err(trouble_of)?;
        let (mut captured, mut capture) = (None, None);
        if let Some(setting) = chosen.get(1) {
            let (writer, reader) = ring(size);
            let origin = Arc::new(Origin::default());
            captured = Some((reader, origin.clone()));
            let (clock, signs, counts) = (clock.clone(), signs.clone(), counts.clone());
            let listener = Listener { hz, writer, origin, clock, signs, counts, kept: 0 };
            capture = Some(open_capture(device, *setting, buffer_size, listener).map_err(trouble_of)?);
        }
        playback.play().map_err(trouble_of)?;
        capture.as_ref().map_or(Ok(()), StreamTrait::play).map_err(trouble_of)?;
        let opening = Opening { hz, captured, played, to_play };
        Ok((Self { hz, signs, capture, _playback: playback }, opening))
    }

    pub(super) const fn hz(&self) -> u32 {
        self.hz
    }

    pub(super) fn signs(&self) -> Arc<Signs> {
        self.signs.clone()
    }

    pub(super) const fn hears(&self) -> bool {
        self.capture.is_some()
    }
}

/// The library lists the names that it knows; it opens none of them for that.
fn find(settings: &CardSettings) -> Result<Device, CardTrouble> {
    let host = cpal::host_from_id(HostId::Alsa).map_err(trouble_of)?;
    let names = settings.name.library_names();
    let device = names.iter().find_map(|name| host.device_by_id(&DeviceId::new(HostId::Alsa, name)));
    device.ok_or(CardTrouble::Absent)
}

fn abilities(configs: impl Iterator<Item = SupportedStreamConfigRange>) -> Vec<Ability> {
    let ability = |config: SupportedStreamConfigRange| {
        let form = match config.sample_format() {
            SampleFormat::I16 => SampleForm::S16,
            SampleFormat::I32 => SampleForm::S32,
            SampleFormat::F32 => SampleForm::F32,
            _ => return None,
        };
        let (least_hz, most_hz) = (config.min_sample_rate(), config.max_sample_rate());
        Some(Ability { form, channels: config.channels(), least_hz, most_hz })
    };
    configs.filter_map(ability).collect()
}

fn trouble_of(error: cpal::Error) -> CardTrouble {
    match error.kind() {
        ErrorKind::DeviceNotAvailable => CardTrouble::Absent,
        ErrorKind::DeviceBusy => CardTrouble::Busy,
        ErrorKind::PermissionDenied => CardTrouble::Forbidden,
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => CardTrouble::NoCommonRate,
        _ => {
            tracing::debug!(%error, "the sound library refused a card");
            CardTrouble::Failed
        }
    }
}

/// What the library says of a running stream.
fn note(error: &cpal::Error, signs: &Signs) {
    match error.kind() {
        ErrorKind::Xrun => {
            signs.xruns.fetch_add(1, Ordering::AcqRel);
        }
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => {
            signs.trouble.store(Signs::UNPLUGGED, Ordering::Release);
        }
        // The stream runs on, at the priority of all threads.
        ErrorKind::RealtimeDenied => {}
        _ => signs.trouble.store(Signs::FAILED, Ordering::Release),
    }
}

/// What the playing callback holds.
struct Player {
    to_play: SampleReader,
    played: SampleWriter,
    signs: Arc<Signs>,
    counts: Arc<Counters>,
}

impl Player {
    fn fill<T: SizedSample + FromSample<i16>>(&mut self, data: &mut [T], channels: usize) {
        let mut block = [0; BLOCK];
        for part in data.chunks_mut(BLOCK * channels) {
            let wanted = part.len() / channels;
            let got = self.to_play.read(&mut block[..wanted]);
            block[got..wanted].fill(0);
            // Sound ended within this part: whoever spoke was late.
            if got > 0 && got < wanted {
                self.counts.dry.fetch_add(1, Ordering::Relaxed);
            }
            for (slots, sample) in part.chunks_mut(channels).zip(&block[..wanted]) {
                slots.fill(T::from_sample_(*sample));
            }
            self.played.write(block[..wanted].iter().copied());
        }
        self.signs.played.fetch_add((data.len() / channels) as u64, Ordering::AcqRel);
    }
}

/// What the capturing callback holds.
struct Listener {
    hz: u32,
    writer: SampleWriter,
    origin: Arc<Origin>,
    clock: ReadClock,
    signs: Arc<Signs>,
    counts: Arc<Counters>,
    /// Samples for which there was room.
    kept: u64,
}

impl Listener {
    fn take<T: SizedSample>(&mut self, data: &[T], channels: usize, info: &InputCallbackInfo)
    where
        i16: FromSample<T>,
    {
        let now = (self.clock)();
        let came = (data.len() / channels) as u64;
        let kept = self.writer.write(data.chunks_exact(channels).map(mono)) as u64;
        self.kept += kept;
        if kept < came {
            self.origin.forget();
            self.counts.lost.fetch_add(came - kept, Ordering::Relaxed);
        } else {
            // From the first sample of this block to now, by the card's clock; what it
            // says is believed within a second.
            let stamp = info.timestamp();
            let ago = stamp.callback.checked_duration_since(stamp.capture).unwrap_or_default();
            let ago = ago.min(Duration::from_secs(1));
            self.origin.learn(self.kept - kept, kept, self.hz, ago, now);
        }
        self.signs.captured.fetch_add(came, Ordering::AcqRel);
    }
}

/// All channels in one: microphones of two channels have their sound in either.
fn mono<T: SizedSample>(samples: &[T]) -> i16
where
    i16: FromSample<T>,
{
    let sum: i32 = samples.iter().map(|sample| i32::from(i16::from_sample_(*sample))).sum();
    let mean = sum / i32::try_from(samples.len().max(1)).unwrap_or(1);
    i16::try_from(mean).unwrap_or(if mean < 0 { i16::MIN } else { i16::MAX })
}

const fn config(setting: Setting, buffer_size: BufferSize) -> StreamConfig {
    StreamConfig { channels: setting.channels, sample_rate: setting.hz, buffer_size }
}

fn open_playback(device: &Device, setting: Setting, size: BufferSize, player: Player) -> Result<Stream, cpal::Error> {
    match setting.form {
        SampleForm::S16 => playback_of::<i16>(device, setting, size, player),
        SampleForm::S32 => playback_of::<i32>(device, setting, size, player),
        SampleForm::F32 => playback_of::<f32>(device, setting, size, player),
    }
}

fn open_capture(
    device: &Device,
    setting: Setting,
    size: BufferSize,
    listener: Listener,
) -> Result<Stream, cpal::Error> {
    match setting.form {
        SampleForm::S16 => capture_of::<i16>(device, setting, size, listener),
        SampleForm::S32 => capture_of::<i32>(device, setting, size, listener),
        SampleForm::F32 => capture_of::<f32>(device, setting, size, listener),
    }
}

fn playback_of<T>(
    device: &Device,
    setting: Setting,
    size: BufferSize,
    mut player: Player,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample + FromSample<i16>,
{
    let (channels, signs) = (usize::from(setting.channels), player.signs.clone());
    let fill = move |data: &mut [T], _: &cpal::OutputCallbackInfo| player.fill(data, channels);
    device.build_output_stream(config(setting, size), fill, move |error| note(&error, &signs), Some(POLL))
}

fn capture_of<T>(
    device: &Device,
    setting: Setting,
    size: BufferSize,
    mut listener: Listener,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    i16: FromSample<T>,
{
    let (channels, signs) = (usize::from(setting.channels), listener.signs.clone());
    let take = move |data: &[T], info: &InputCallbackInfo| listener.take(data, channels, info);
    device.build_input_stream(config(setting, size), take, move |error| note(&error, &signs), Some(POLL))
}
