//! From a configuration to a running box, and from a running box to a clean end.

mod reporting;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::call::phrases::Recorded;
use crate::call::{Texts, UnknownPerson};
use crate::knowledge::KnowledgeBase;
use crate::line::MediaClock;
use crate::line::audio::OpenMonitor;
use crate::media::SampleRate;
use crate::ops::{Health, NotifyError, SignalError, Stop, StopEnding, Supervisor, SystemClock, Systemd};
use crate::speech::onbox::{BuildMind, KnowledgeMind};
use crate::speech::{Hints, Responder, Synthesizer, Transcriber};
use crate::store::{Keyring, KeyringError, OpenError, Vault};
use crate::terms::Language;

use super::calendar::Calendar;
use super::check::{ReadKnowledge, handsets, read_knowledge};
use super::config::Config;
use super::control::{self, Control, ControlError};
use super::credentials::Credentials;
use super::desk::{Business, Desk, OFFERS};
use super::engines::{EngineError, Engines, respellings};
use super::fixed_voice::FixedVoice;
use super::lines::{LineOpener, OpenLine};
use super::listening::Listening;
use super::outside::{Chains, Outside, OutsideEars, OutsideError, OwnEngines};
use super::put_through::Reception;
use super::renderings::Renderings;
use super::second_hearing::{Begun, Rest, SecondHearings, TiredEars};
use super::text_post::TextPost;
use super::texts::{PromisedTexts, TextQueue};
use super::warm_up::{self, WarmUp};
use super::watch::Watch;
use reporting::{report_health, report_outside};

/// After the grace period, tasks have this long to write their last rows.
const WIND_UP: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum StartError {
    #[error("starting the box: the knowledge file has mistakes.\n{0}")]
    Knowledge(#[from] ReadKnowledge),
    #[error("starting the box: {0}")]
    Engines(#[from] EngineError),
    #[error("starting the box: {0}")]
    Mind(#[from] BuildMind),
    #[error("starting the box: {0}")]
    Keys(#[from] KeyringError),
    #[error("starting the box: {0}")]
    Vault(#[from] OpenError),
    #[error("starting the box: {0}")]
    Line(#[from] OpenLine),
    #[error("starting the box: {0}")]
    Handsets(#[from] UnknownPerson),
    #[error("starting the box: {0}")]
    Monitor(#[from] OpenMonitor),
    #[error("starting the box: {0}")]
    Outside(#[from] OutsideError),
    #[error("starting the box: {0}")]
    Control(#[from] ControlError),
    #[error("starting the box: preparing {path}: {source}")]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("starting the box: the thread of the media clock: {0}")]
    MediaClock(std::io::Error),
    #[error("starting the box: {0}")]
    Systemd(#[from] NotifyError),
    #[error("starting the box: a loader broke one of its own rules")]
    Panicked,
}

/// Why a box that ran has ended other than by its stop.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("running the box: listening for signals: {0}")]
    Signals(#[from] SignalError),
    #[error(
        "running the box: its part `{part}`, without which it is of no use, has ended by a fault of the program; \
         start it again, if its service does not. Please report it with the log"
    )]
    Lost { part: String },
}

/// A box that answers calls.
pub struct Appliance {
    stop: Stop,
    supervisor: Supervisor,
    vault: Vault,
    tasks: TaskTracker,
    outside: Option<Outside>,
    reception: Option<Arc<Reception>>,
}

/// With what callers are heard, understood and spoken to.
struct Spoken {
    ears: Arc<dyn Transcriber>,
    mind: Arc<dyn Responder>,
    voice: Arc<dyn Synthesizer>,
    outside: Option<Outside>,
    chains: Option<Arc<Chains>>,
    outside_ears: Vec<OutsideEars>,
    fixed_voices: Vec<FixedVoice>,
}

/// Engines that load on threads of their own while the vault opens.
struct Loading {
    base: KnowledgeBase,
    engines: tokio::task::JoinHandle<Result<Engines, EngineError>>,
    tasks: TaskTracker,
}

/// What computes.
struct Loaded {
    mind: KnowledgeMind,
    engines: Engines,
    tasks: TaskTracker,
}

impl Appliance {
    /// Reads everything, opens the lines and the control socket, and answers
    /// from the moment at which this returns.
    pub async fn start(config: Config, credentials: Credentials) -> Result<Self, StartError> {
        let clock = SystemClock::new();
        let stop = Stop::new(grace(&config));
        let supervisor = Supervisor::new(clock, stop.clone());
        let loading = begin_loading(&config, clock)?;
        let vault = open_vault(&config, clock).await?;
        let opened = Self::open(&config, credentials, loading, vault.clone(), supervisor, stop.clone(), clock).await;
        if opened.is_err() {
            stop.end_now();
            // Its threads encrypt with a library that cleans up as the process
            // ends, and would pull it away under them.
            vault.close().await;
        }
        opened
    }

    async fn open(
        config: &Config,
        credentials: Credentials,
        loading: Loading,
        vault: Vault,
        supervisor: Supervisor,
        stop: Stop,
        clock: SystemClock,
    ) -> Result<Self, StartError> {
        let Loaded { mind, engines, tasks } = loading.finish(config, clock).await?;
        let business = business(config, &mind)?;
        let health = Health::new();
        let renderings = Arc::new(Renderings::beside(vault.clone()));
        let mind = Arc::new(mind);
        let (texts, promised) = text_queue(config).unzip();
        let own = OwnEngines {
            ears: engines.ears.clone(),
            mind: mind.clone(),
            voice: engines.voice.clone(),
            texts: if texts.is_some() { Texts::Possible } else { Texts::Impossible },
            tasks: tasks.clone(),
            runtime: tokio::runtime::Handle::current(),
            clock,
        };
        let mut spoken = reach_outside(config, credentials.clone(), &vault, &business, own).await?;
        spoken.fixed_voices.push(FixedVoice::on_box(engines.voice.clone()));
        let warm_up = warming(config, &mut spoken, &renderings, &vault, &stop, &health);
        let opening = warm_up::opening(&business);
        warm_up.hold_all(&opening, SampleRate::Hz8000).await;
        let sentences =
            warm_up::wanted(&opening, &warm_up::rest(mind.index().base(), whose_mind(config)), &warm_up.rates);
        let second_hearing = second_hearing(&spoken, &engines, &business, &vault, clock, &stop);
        let calendar = Calendar::new(clock.wall_fn(), business.time_zone.clone());
        let (media_clock, listening) = open_media(config, clock, &supervisor, &health, &stop)?;
        let reception = Reception::new(&config.handsets, clock.as_fn(), media_clock.clone());
        let country_code = business.country_code.clone();
        let desk = Desk {
            texts,
            reception: reception.clone(),
            business,
            transcriber: spoken.ears,
            responder: spoken.mind,
            synthesizer: spoken.voice,
            renderings,
            second_hearing: second_hearing.clone(),
            outside: spoken.outside.clone(),
            vault: vault.clone(),
            watch: Watch::new(),
            listening,
            clock,
            stop: stop.clone(),
            grace: grace(config),
            supervisor: supervisor.clone(),
            random: SystemRandom::new(),
            heard_max: config.speech.calls_heard_max,
            ears: spoken.chains.as_ref().map(|chains| chains.ears.clone()),
            heard_now: Arc::default(),
        };
        let (offers_in, offers) = mpsc::channel(OFFERS);
        let socket = open_socket(config)?;
        let opener = LineOpener {
            config,
            credentials: &credentials,
            vault: &vault,
            calendar: calendar.clone(),
            country_code: &country_code,
            clock,
            media_clock: &media_clock,
            supervisor: &supervisor,
            offers: &offers_in,
            stop: &stop,
        };
        let lines = opener.open().await.inspect_err(|_| remove_socket(&config.control_socket))?;
        let modems = lines.modems.clone();
        let post = TextPost { vault: vault.clone(), modems, calendar, health: health.clone(), kept: Arc::default() };
        serve_texts(&supervisor, promised, post, &stop);
        let control = Control {
            vault: vault.clone(),
            watch: desk.watch.clone(),
            health: health.clone(),
            lines: lines.views,
            keys: lines.keys,
            modems: lines.modems,
            keeper: spoken.outside.as_ref().map(|outside| outside.keeper.clone()),
            mind,
            listening: desk.listening.clone(),
            clock,
            stop: stop.clone(),
            supervisor: supervisor.clone(),
        };
        drop(supervisor.spawn_vital("desk", Arc::new(desk).serve(offers)));
        serve_control(&supervisor, control, socket, config.control_socket.clone());
        drop(supervisor.spawn("warm-up", async move {
            warm_up.hold_quietly(sentences).await;
        }));
        tell_service_manager(&supervisor, clock, media_clock, stop.clone())?;
        report_health(&supervisor, &health, &vault, config, stop.clone());
        report_outside(&supervisor, &health, spoken.outside.clone(), spoken.chains, second_hearing, stop.clone());
        Ok(Self { stop, supervisor, vault, tasks, outside: spoken.outside, reception })
    }

    /// Runs until it is told to stop, lets callers finish, and winds up. A box that
    /// has lost what it cannot do without stops by itself, in the same way.
    pub async fn run(self) -> Result<(), RunError> {
        let signals = self.stop.listen_for_signals()?;
        let obey = self.supervisor.spawn("signals", signals);
        let ending = self.stop.carry_out().await;
        if let Err(error) = Systemd.stopping() {
            tracing::warn!(%error, "the service manager was not told of the stop");
        }
        if ending != StopEnding::CallersFinished {
            tracing::warn!("some callers were cut off at the end of the grace period");
        }
        obey.abort();
        for name in self.supervisor.join(WIND_UP).await {
            tracing::warn!(task = %name, "a task did not end in time");
        }
        if let Some(reception) = &self.reception
            && tokio::time::timeout(WIND_UP, reception.close()).await.is_err()
        {
            tracing::warn!("a person's telephone did not take its goodbye in time");
        }
        self.tasks.close();
        // What engines still send is written down, so they come first.
        if tokio::time::timeout(WIND_UP, self.tasks.wait()).await.is_err() {
            tracing::warn!("an engine did not end in time");
        }
        if let Some(outside) = &self.outside
            && tokio::time::timeout(WIND_UP, outside.close()).await.is_err()
        {
            tracing::warn!("the register of transfers was not complete when the box stopped");
        }
        self.vault.close().await;
        tracing::info!("the box has stopped");
        match self.supervisor.lost() {
            None => Ok(()),
            Some(part) => Err(RunError::Lost { part: part.into_owned() }),
        }
    }

    /// Asks for the stop, as a signal does.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

impl std::fmt::Debug for Appliance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appliance").finish_non_exhaustive()
    }
}

fn grace(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.grace_period_s))
}

fn begin_loading(config: &Config, clock: SystemClock) -> Result<Loading, StartError> {
    let base = read_knowledge(&config.knowledge)?;
    let tasks = TaskTracker::new();
    let runtime = tokio::runtime::Handle::current();
    let (speech, models_dir, manifest) =
        (config.speech.clone(), config.models_dir.clone(), config.models_manifest.clone());
    let (respellings, engine_tasks) = (respellings(&base), tasks.clone());
    let engines = tokio::task::spawn_blocking(move || {
        Engines::load(&speech, &models_dir, &manifest, &respellings, clock, engine_tasks, runtime)
    });
    Ok(Loading { base, engines, tasks })
}

async fn open_vault(config: &Config, clock: SystemClock) -> Result<Vault, StartError> {
    make_dir(&config.data_dir)?;
    if let Some(dir) = config.key_file.parent() {
        make_dir(dir)?;
    }
    let keyring = Keyring::open_or_create(&config.key_file, clock.wall())?;
    let vault = Vault::open(&config.data_dir.join("vault"), keyring, clock.as_fn()).await?;
    for call in vault.recovered() {
        tracing::warn!(%call, "a call that was cut off by a power cut or a crash was closed");
    }
    Ok(vault)
}

impl Loading {
    async fn finish(self, config: &Config, clock: SystemClock) -> Result<Loaded, StartError> {
        let Self { base, engines, tasks } = self;
        let engines = engines.await.map_err(|_| StartError::Panicked)??;
        let (embedder, pool) = (engines.embedder.clone(), engines.pool.clone());
        let threads = usize::try_from(config.speech.threads).unwrap_or(1);
        let mind =
            tokio::task::spawn_blocking(move || KnowledgeMind::build(base, embedder, threads, pool, clock.as_fn()));
        let mind = mind.await.map_err(|_| StartError::Panicked)??;
        Ok(Loaded { mind, engines, tasks })
    }
}

/// Makes a directory for the box alone.
fn make_dir(path: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StartError::Directory { path: path.to_owned(), source })
}

fn business(config: &Config, mind: &KnowledgeMind) -> Result<Business, StartError> {
    let base = mind.index().base();
    let handsets = handsets(config, base)?;
    Ok(Business {
        name: base.name.clone(),
        greeting: base.greeting.clone().unwrap_or_else(|| format!("Thank you for calling {}.", base.name)),
        country_code: config.country_code(base.country_code.as_deref()),
        time_zone: base.hours.time_zone().clone(),
        recorded: if config.recording.enabled { Recorded::Yes } else { Recorded::No },
        menu: mind.index().menu(handsets.ring_for_anybody()),
        handsets,
        hints: Hints { language: Language::English, words: base.hint_words() },
    })
}

async fn reach_outside(
    config: &Config,
    credentials: Credentials,
    vault: &Vault,
    business: &Business,
    own: OwnEngines,
) -> Result<Spoken, StartError> {
    let Some(policy) = &config.privacy.policy else {
        let OwnEngines { ears, mind, voice, .. } = own;
        return Ok(Spoken {
            ears,
            mind,
            voice,
            outside: None,
            chains: None,
            outside_ears: Vec::new(),
            fixed_voices: Vec::new(),
        });
    };
    let zone = business.time_zone.clone();
    let outside = Outside::open(config, policy, credentials, vault, own.clock, zone).await?;
    let mut chains = outside.chains(&config.outside, &own)?;
    let outside_ears = std::mem::take(&mut chains.outside_ears);
    Ok(Spoken {
        ears: chains.ears.clone(),
        mind: chains.mind.clone(),
        voice: chains.voice.clone(),
        outside: Some(outside),
        outside_ears,
        fixed_voices: std::mem::take(&mut chains.fixed_voices),
        chains: Some(Arc::new(chains)),
    })
}

/// None where no ears outside the box could hear better.
fn second_hearing(
    spoken: &Spoken,
    engines: &Engines,
    business: &Business,
    vault: &Vault,
    clock: SystemClock,
    stop: &Stop,
) -> Option<Arc<SecondHearings>> {
    let outside = spoken.outside.as_ref().filter(|_| !spoken.outside_ears.is_empty())?;
    Some(Arc::new(SecondHearings {
        ears: spoken.outside_ears.clone(),
        own_ears: engines.ears.name(),
        keeper: outside.keeper.clone(),
        hints: business.hints.clone(),
        vault: vault.clone(),
        clock,
        stop: stop.clone(),
        rest: Rest::default(),
        tired: TiredEars::default(),
        begun: Begun::default(),
    }))
}

/// The queue of texts; none when no line sends any.
fn text_queue(config: &Config) -> Option<(Arc<TextQueue>, PromisedTexts)> {
    config.gsm_lines.iter().any(|line| line.texts_a_day > 0).then(TextQueue::new)
}

fn serve_texts(supervisor: &Supervisor, promised: Option<PromisedTexts>, post: TextPost, stop: &Stop) {
    let Some(promised) = promised else { return };
    let keep = promised.keep(post.vault.clone(), post.calendar.clone(), post.kept.clone(), stop.clone());
    drop(supervisor.spawn("promised-texts", keep));
    drop(supervisor.spawn("texts", post.run(stop.clone())));
}

fn whose_mind(config: &Config) -> warm_up::Mind {
    let outside = config.outside.anthropic.is_some() || config.outside.openai.is_some();
    if outside { warm_up::Mind::Outside } else { warm_up::Mind::OnBox }
}

/// What makes the fixed sentences ready, in every voice and at every line's rate.
fn warming(
    config: &Config,
    spoken: &mut Spoken,
    renderings: &Arc<Renderings>,
    vault: &Vault,
    stop: &Stop,
    health: &Health,
) -> WarmUp {
    WarmUp {
        voices: std::mem::take(&mut spoken.fixed_voices),
        rates: warm_up::rates(config),
        keeper: spoken.outside.as_ref().map(|outside| outside.keeper.clone()),
        renderings: renderings.clone(),
        vault: vault.clone(),
        stop: stop.clone(),
        health: health.clone(),
    }
}

/// The clock of all sound, and the speaker through which calls are listened to.
fn open_media(
    config: &Config,
    clock: SystemClock,
    supervisor: &Supervisor,
    health: &Health,
    stop: &Stop,
) -> Result<(MediaClock, Listening), StartError> {
    let media_clock = MediaClock::start(clock.as_fn()).map_err(StartError::MediaClock)?;
    let listening = Listening::open(config.monitor_speaker.as_ref(), clock.as_fn(), &media_clock)?;
    drop(supervisor.spawn("monitor-speaker", listening.clone().report(health.clone(), stop.clone())));
    Ok((media_clock, listening))
}

fn open_socket(config: &Config) -> Result<UnixListener, StartError> {
    if let Some(dir) = config.control_socket.parent()
        && !dir.exists()
    {
        make_dir(dir)?;
    }
    Ok(control::bind(&config.control_socket)?)
}

fn serve_control(supervisor: &Supervisor, control: Control, socket: UnixListener, path: PathBuf) {
    drop(supervisor.spawn_vital("control", async move {
        if let Err(error) = control.serve(socket).await {
            tracing::error!(%error, "the control socket failed");
        }
        remove_socket(&path);
    }));
}

fn remove_socket(path: &std::path::Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, "the control socket's file was left behind");
    }
}

fn tell_service_manager(
    supervisor: &Supervisor,
    clock: SystemClock,
    media_clock: MediaClock,
    stop: Stop,
) -> Result<(), StartError> {
    match Systemd.watchdog() {
        Ok(Some(interval)) => {
            let age = move || clock.now().since(media_clock.last_tick());
            drop(supervisor.spawn("watchdog", Systemd.feed_watchdog(interval, age, stop)));
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the watchdog is not fed"),
    }
    Systemd.ready()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn running(dir: &std::path::Path, vital: impl Future<Output = ()> + Send + 'static) -> Appliance {
        let clock = SystemClock::new();
        let stop = Stop::new(Duration::from_secs(60));
        let supervisor = Supervisor::new(clock, stop.clone());
        let keyring = Keyring::open_or_create(&dir.join("master.key"), clock.wall()).expect("a key");
        let vault = Vault::open(&dir.join("vault"), keyring, clock.as_fn()).await.expect("a vault");
        drop(supervisor.spawn_vital("desk", vital));
        Appliance { stop, supervisor, vault, tasks: TaskTracker::new(), outside: None, reception: None }
    }

    #[tokio::test]
    async fn a_box_whose_desk_is_lost_stops_and_says_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let the_box = running(dir.path(), async { panic!("a fault of the program") }).await;
        let error = the_box.run().await.expect_err("it has no desk");
        assert!(matches!(&error, RunError::Lost { part } if part == "desk"), "{error}");
        assert!(error.to_string().contains("`desk`"), "{error}");
    }

    #[tokio::test]
    async fn a_box_that_is_told_to_stop_ends_well() {
        let dir = tempfile::tempdir().expect("a directory");
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let desk = async move { ended.await.unwrap_or_default() };
        let the_box = running(dir.path(), desk).await;
        the_box.stop().end_now();
        drop(end);
        the_box.run().await.expect("it was told to");
    }
}
