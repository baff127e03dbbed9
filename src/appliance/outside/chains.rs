use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::safeguards::{self, Carrier};
use super::{Outside, OutsideError, Places};
use crate::appliance::config::{
    AnthropicSection, DeepgramApi, DeepgramSection, ElevenLabsSection, ModelThoughts, OpenAiSection, OutsideConfig,
    UplinkSound,
};
use crate::appliance::credentials::Credentials;
use crate::appliance::fixed_voice::{FixedVoice, Renders, WayOut, WordsRoom};
use crate::call::{EngineStage, Texts};
use crate::egress::{Door, Room, Standing, Usage};
use crate::ops::{HealthFact, SystemClock};
use crate::residency::{AskedHost, CallGate, DataClass, Destination, DestinationId, Policy};
use crate::speech::cloud::anthropic::{AnthropicConfig, Thoughts};
use crate::speech::cloud::deepgram::{Api, Bounds, DeepgramConfig, DeepgramEars, Uplink};
use crate::speech::cloud::elevenlabs::{ElevenLabsConfig, ElevenLabsVoice};
use crate::speech::cloud::mind::{BoxTools, CloudMind, Dialect, Knows, MindParts};
use crate::speech::cloud::openai::OpenAiConfig;
use crate::speech::failover::{
    BreakerRules, Budget, BudgetSource, Chance, EarsChain, EngineHealth, Limits, Link, MindChain, Needs, VoiceChain,
    Works,
};
use crate::speech::lan::{WyomingEars, WyomingEarsConfig, WyomingVoice, WyomingVoiceConfig};
use crate::speech::onbox::KnowledgeMind;
use crate::speech::{Responder, Synthesizer, Transcriber};
use crate::terms::CallId;

/// What ears outside must be sent, and what a mind and a voice must.
const FOR_EARS: &[DataClass] = &[DataClass::CallAudio];
const FOR_MINDS: &[DataClass] = &[DataClass::Transcript, DataClass::Reply, DataClass::Knowledge];
const FOR_VOICES: &[DataClass] = &[DataClass::Reply];
/// For the greeting and the fixed answers, which are kept in a voice's own sound.
const FOR_FIXED: &[DataClass] = &[DataClass::Knowledge];

/// The name in health and failovers of the ears that stand in when the budget is
/// nearly spent: two engines of one name would be told as one.
const SAVING: &str = "deepgram-saving";

/// The box's own engines, which are always there.
pub struct OwnEngines {
    pub ears: Arc<dyn Transcriber>,
    pub mind: Arc<KnowledgeMind>,
    pub voice: Arc<dyn Synthesizer>,
    /// Whether a line sends text messages.
    pub texts: Texts,
    pub tasks: TaskTracker,
    pub runtime: Handle,
    pub clock: SystemClock,
}

/// Ears outside the box, and where what they hear goes.
#[derive(Clone)]
pub struct OutsideEars {
    pub destination: DestinationId,
    pub host: AskedHost,
    pub ears: Arc<dyn Transcriber>,
    /// Whether the uplink's budget has room for so much of a call's sound, for which
    /// nobody waits.
    pub room: RoomSource,
}

/// Whether there is room for sound of a call, in so many turns.
pub type RoomSource = Arc<dyn Fn(CallId, Duration, usize) -> Room + Send + Sync>;

/// What ears are sent for a second of sound: 16 kHz of 16 bits, and an eighth for
/// TLS, frames and the words that come back.
const SECOND_OF_SOUND_BYTES: u64 = 36_000;

/// What a connection costs for itself, of which each turn has one.
const CONNECTION_BYTES: u64 = 8_000;

/// What a voice sends back for a letter, of which fourteen are spoken in a second:
/// the same sound, with the same eighth.
const LETTER_BYTES: u64 = SECOND_OF_SOUND_BYTES / 14;

impl OutsideEars {
    /// Whether a call's sound may go to them.
    pub fn may_hear(&self, gate: &CallGate) -> bool {
        gate.has_host(&self.destination, &self.host) && gate.may_go(FOR_EARS, &self.destination)
    }

    /// Where a call's sound may go with them, as its policy describes the place.
    pub fn place(&self, gate: &CallGate) -> Option<Destination> {
        let may_hear = self.may_hear(gate);
        gate.policy().destination(&self.destination).filter(|_| may_hear).cloned()
    }
}

/// Engines in their order, the box's own last.
pub struct Chains {
    pub ears: Arc<EarsChain>,
    pub mind: Arc<MindChain>,
    pub voice: Arc<VoiceChain>,
    /// Ears outside the box, for what is to be heard again.
    pub outside_ears: Vec<OutsideEars>,
    /// Voices outside the box, for the sentences that are kept.
    pub fixed_voices: Vec<FixedVoice>,
    carriers: Vec<Carrier>,
}

impl Chains {
    /// How the engines are under the policy in force, for `milu doctor`.
    pub fn facts(&self, policy: &Policy) -> Vec<HealthFact> {
        let safeguards = vec![safeguards::fact(&self.carriers, policy)];
        [self.ears.health(), self.mind.health(), self.voice.health(), safeguards].concat()
    }
}

/// Builds one kind of engine after the other.
struct Builder<'a> {
    outside: &'a Outside,
    places: &'a Places,
    own: &'a OwnEngines,
    chance: Chance,
}

impl Outside {
    /// The chains that the configuration asks for.
    pub fn chains(&self, config: &OutsideConfig, own: &OwnEngines) -> Result<Chains, OutsideError> {
        let places = self.keeper.places();
        let builder = Builder { outside: self, places: &places, own, chance: chance() };
        let (ears, outside_ears) = builder.ears(config)?;
        let (voice, fixed_voices) = builder.voices(config)?;
        let mind = builder.minds(config)?;
        let carriers = carriers(config, &places, &self.credentials).into_iter().collect::<Result<_, _>>()?;
        let (ears, mind, voice) = (Arc::new(ears), Arc::new(mind), Arc::new(voice));
        Ok(Chains { ears, mind, voice, outside_ears, fixed_voices, carriers })
    }
}

/// What is amiss with what the sections name: destinations, hosts and credentials
/// that are not there, and requests that cannot tell what the policy asks of them.
/// A missing key is said before a call, not in one, and all of them at once. Where
/// nothing is, a sentence for each engine to which the policy never lets go what calls need.
pub(super) fn check(
    config: &OutsideConfig,
    places: &Places,
    policy: &Policy,
    credentials: &Credentials,
) -> Result<Vec<String>, Vec<OutsideError>> {
    let mut kept = Vec::new();
    let mut amiss = Vec::new();
    for carrier in carriers(config, places, credentials) {
        match carrier.and_then(|carrier| carrier.check(policy).map(|()| carrier.kept(policy))) {
            Ok(sentence) => kept.extend(sentence),
            Err(error) => amiss.push(error),
        }
    }
    if amiss.is_empty() { Ok(kept) } else { Err(amiss) }
}

/// The engines that the sections name, as tellers of safeguards.
fn carriers(config: &OutsideConfig, places: &Places, credentials: &Credentials) -> Vec<Result<Carrier, OutsideError>> {
    let mut all = Vec::new();
    if let Some(section) = &config.deepgram {
        let found = deepgram(section, places, credentials).map(|config| (config.destination, config.host));
        all.push(found.map(|place| Carrier::new("deepgram", place, FOR_EARS, DeepgramConfig::carries)));
    }
    if let Some(section) = &config.anthropic {
        let carrier = |config: AnthropicConfig| {
            let place = (config.destination.clone(), config.host.clone());
            Carrier::new("anthropic", place, FOR_MINDS, move |_, asked| config.carries(asked))
        };
        all.push(anthropic(section, places, credentials).map(carrier));
    }
    if let Some(section) = &config.openai {
        let found = openai(section, places, credentials).map(|config| (config.destination, config.host));
        all.push(found.map(|place| Carrier::mute("openai", place, FOR_MINDS)));
    }
    if let Some(section) = &config.elevenlabs {
        let carrier = |config: ElevenLabsConfig| {
            let place = (config.destination.clone(), config.host.clone());
            Carrier::new("elevenlabs", place, FOR_VOICES, move |_, asked| config.carries(asked)).with_fixed(FOR_FIXED)
        };
        all.push(elevenlabs(section, places, credentials).map(carrier));
    }
    if let Some(ears) = &config.wyoming_ears {
        let found = places.asked("wyoming_ears", &ears.destination, ears.host.as_deref());
        all.push(found.map(|place| Carrier::mute("wyoming_ears", place, FOR_EARS)));
    }
    if let Some(voice) = &config.wyoming_voice {
        let found = places.asked("wyoming_voice", &voice.destination, voice.host.as_deref());
        all.push(found.map(|place| Carrier::mute("wyoming_voice", place, FOR_VOICES).with_fixed(FOR_FIXED)));
    }
    all
}

fn deepgram(
    section: &DeepgramSection,
    places: &Places,
    credentials: &Credentials,
) -> Result<DeepgramConfig, OutsideError> {
    let (id, host) = places.asked("deepgram", &section.destination, section.host.as_deref())?;
    let api = match section.api {
        DeepgramApi::V1 => Api::V1,
        DeepgramApi::Flux => Api::Flux,
    };
    let mut config = DeepgramConfig::new(id, host, api, credentials.read(&section.credential)?);
    if let Some(model) = &section.model {
        config.model.clone_from(model);
    }
    config.language = Some(section.language.clone());
    config.uplink = match section.uplink {
        UplinkSound::Auto | UplinkSound::Linear16 => Uplink::Linear16,
        UplinkSound::Mulaw => Uplink::Mulaw,
        UplinkSound::Opus => Uplink::Opus,
    };
    Ok(config)
}

fn anthropic(
    section: &AnthropicSection,
    places: &Places,
    credentials: &Credentials,
) -> Result<AnthropicConfig, OutsideError> {
    let (id, host) = places.asked("anthropic", &section.destination, section.host.as_deref())?;
    let mut config = AnthropicConfig::new(id, host, credentials.read(&section.credential)?);
    if let Some(model) = &section.model {
        config.model.clone_from(model);
    }
    config.thoughts = match section.thinking {
        ModelThoughts::Own => Thoughts::Unsaid,
        ModelThoughts::Disabled => Thoughts::Disabled,
        ModelThoughts::BetweenTools => Thoughts::BetweenTools,
    };
    Ok(config)
}

fn openai(section: &OpenAiSection, places: &Places, credentials: &Credentials) -> Result<OpenAiConfig, OutsideError> {
    let (id, host) = places.asked("openai", &section.destination, section.host.as_deref())?;
    let mut config = OpenAiConfig::new(id, host, section.model.clone());
    config.key = section.credential.as_deref().map(|name| credentials.read(name)).transpose()?;
    Ok(config)
}

fn elevenlabs(
    section: &ElevenLabsSection,
    places: &Places,
    credentials: &Credentials,
) -> Result<ElevenLabsConfig, OutsideError> {
    let (id, host) = places.asked("elevenlabs", &section.destination, section.host.as_deref())?;
    let key = credentials.read(&section.credential)?;
    let mut config = ElevenLabsConfig::new(id, host, section.voice_id.clone(), key);
    if let Some(model) = &section.model {
        config.model.clone_from(model);
    }
    Ok(config)
}

/// What an engine does when the budget is nearly spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WhenNear {
    /// The box had better do the work itself.
    StandBack,
    /// It costs little enough to go on.
    GoOn,
    /// It is there for that: until then its better twin does the work.
    StepIn,
}

/// How Deepgram's ears are used: as they are configured, and near the ceiling with
/// Opus, which takes the fewest bytes.
fn uses(config: DeepgramConfig, name: &'static str) -> Vec<(DeepgramConfig, &'static str, WhenNear)> {
    if config.uplink == Uplink::Opus {
        return vec![(config, name, WhenNear::GoOn)];
    }
    let saving = DeepgramConfig { uplink: Uplink::Opus, ..config.clone() };
    vec![(config, name, WhenNear::StandBack), (saving, SAVING, WhenNear::StepIn)]
}

type Ears = (EarsChain, Vec<OutsideEars>);
type Voices = (VoiceChain, Vec<FixedVoice>);

impl Builder<'_> {
    fn works(&self) -> Works {
        Works::new(self.own.clock.as_fn(), self.own.tasks.clone(), self.own.runtime.clone())
    }

    fn door(&self) -> Door {
        self.outside.door.clone()
    }

    fn link<E: ?Sized>(
        &self,
        stage: EngineStage,
        (engine, name): (Arc<E>, &'static str),
        needs: Needs,
        near: WhenNear,
    ) -> Link<E> {
        self.known_link(stage, (engine, self.health(stage, name)), needs, near)
    }

    /// The same for an engine that has something to say of its health itself.
    fn known_link<E: ?Sized>(
        &self,
        stage: EngineStage,
        (engine, health): (Arc<E>, Arc<EngineHealth>),
        needs: Needs,
        near: WhenNear,
    ) -> Link<E> {
        let budget = budget(self.door(), needs.destination.clone(), near);
        Link::over_a_network(stage, engine, health, Some(needs), budget)
    }

    fn health(&self, stage: EngineStage, name: &'static str) -> Arc<EngineHealth> {
        EngineHealth::new(stage, name, BreakerRules::default(), Arc::clone(&self.chance))
    }

    fn own<E: ?Sized>(&self, stage: EngineStage, engine: Arc<E>, name: &'static str) -> Link<E> {
        Link::on_the_box(stage, engine, self.health(stage, name))
    }

    fn ears(&self, config: &OutsideConfig) -> Result<Ears, OutsideError> {
        let (own, credentials) = (self.own, &self.outside.credentials);
        let mut links: Vec<Link<dyn Transcriber>> = Vec::new();
        let mut all = Vec::new();
        if let Some(section) = &config.deepgram {
            let deepgram = deepgram(section, self.places, credentials)?;
            let unhurried = self.unhurried(&deepgram);
            let name = unhurried.name();
            all.push(self.outside_ears(deepgram.destination.clone(), deepgram.host.clone(), unhurried));
            for (config, name, near) in uses(deepgram, name) {
                let (destination, host) = (config.destination.clone(), config.host.clone());
                let needs = Needs { destination, host, classes: FOR_EARS };
                let (tasks, now) = (own.tasks.clone(), own.clock.as_fn());
                let ears = DeepgramEars::new(config, self.door(), tasks, own.runtime.clone(), now);
                let ears: Arc<dyn Transcriber> = Arc::new(ears);
                links.push(self.link(EngineStage::Ears, (ears, name), needs, near));
            }
        }
        if let Some(section) = &config.wyoming_ears {
            let (id, host) = self.places.asked("wyoming_ears", &section.destination, section.host.as_deref())?;
            let needs = Needs { destination: id.clone(), host: host.clone(), classes: FOR_EARS };
            let (destination, asked) = (id.clone(), host.clone());
            let (tasks, now) = (own.tasks.clone(), own.clock.as_fn());
            let config = WyomingEarsConfig { model: section.model.clone(), ..WyomingEarsConfig::new(id, host) };
            let limits = Limits::of_one_piece(config.words);
            let ears = WyomingEars::new(config, self.door(), tasks, own.runtime.clone(), now);
            let ears: Arc<dyn Transcriber> = Arc::new(ears);
            all.push(self.outside_ears(destination, asked, Arc::clone(&ears)));
            let name = ears.name();
            links.push(self.link(EngineStage::Ears, (ears, name), needs, WhenNear::GoOn).within(limits));
        }
        let last = self.own(EngineStage::Ears, Arc::clone(&own.ears), own.ears.name());
        Ok((EarsChain::new(links, last, self.works()), all))
    }

    fn outside_ears(&self, destination: DestinationId, host: AskedHost, ears: Arc<dyn Transcriber>) -> OutsideEars {
        let room = room(self.door(), destination.clone());
        OutsideEars { destination, host, ears, room }
    }

    /// The same ears for what is heard again, for which nobody waits.
    fn unhurried(&self, config: &DeepgramConfig) -> Arc<dyn Transcriber> {
        let config = DeepgramConfig { bounds: Bounds::unhurried(), ..config.clone() };
        let own = self.own;
        let (tasks, runtime) = (own.tasks.clone(), own.runtime.clone());
        Arc::new(DeepgramEars::new(config, self.door(), tasks, runtime, own.clock.as_fn()))
    }

    fn minds(&self, config: &OutsideConfig) -> Result<MindChain, OutsideError> {
        let (own, credentials) = (self.own, &self.outside.credentials);
        let mut dialects = Vec::new();
        if let Some(section) = &config.anthropic {
            dialects.push((Dialect::Anthropic(anthropic(section, self.places, credentials)?), WhenNear::StandBack));
        }
        if let Some(section) = &config.openai {
            // In the business's own network no ceiling is ever near.
            dialects.push((Dialect::OpenAi(openai(section, self.places, credentials)?), WhenNear::StandBack));
        }
        let mut links: Vec<Link<dyn Responder>> = Vec::new();
        for (dialect, near) in dialects {
            let (destination, host) = (dialect.destination().clone(), dialect.host().clone());
            let needs = Needs { destination, host, classes: FOR_MINDS };
            let limits = limits_of(&dialect);
            let health = self.health(EngineStage::Mind, dialect.name());
            let knows: Arc<dyn Knows> = own.mind.clone();
            let mind: Arc<dyn Responder> = Arc::new(CloudMind::new(MindParts {
                dialect,
                door: self.door(),
                onbox: own.mind.clone(),
                tools: Arc::new(BoxTools::new(Arc::clone(&knows), own.texts)),
                knows,
                witness: health.clone(),
                tasks: own.tasks.clone(),
                runtime: own.runtime.clone(),
                now: own.clock.as_fn(),
            }));
            links.push(self.known_link(EngineStage::Mind, (mind, health), needs, near).within(limits));
        }
        let last: Arc<dyn Responder> = own.mind.clone();
        let name = last.name();
        Ok(MindChain::new(links, self.own(EngineStage::Mind, last, name), self.works()))
    }

    fn voices(&self, config: &OutsideConfig) -> Result<Voices, OutsideError> {
        let (own, credentials) = (self.own, &self.outside.credentials);
        let mut links: Vec<Link<dyn Synthesizer>> = Vec::new();
        let mut fixed = Vec::new();
        if let Some(section) = &config.elevenlabs {
            let config = elevenlabs(section, self.places, credentials)?;
            let (destination, host) = (config.destination.clone(), config.host.clone());
            let needs = Needs { destination, host, classes: FOR_VOICES };
            let key = format!("elevenlabs {} {} 1", config.voice_id, config.model);
            let way_out = Some(self.way_out(config.destination.clone(), config.host.clone()));
            let voice = ElevenLabsVoice::new(config, self.door(), own.tasks.clone(), own.runtime.clone());
            fixed.push(FixedVoice { key, renders: Renders::ElevenLabs(voice.clone()), way_out });
            let voice: Arc<dyn Synthesizer> = Arc::new(voice);
            let name = voice.name();
            links.push(self.link(EngineStage::Voice, (voice, name), needs, WhenNear::StandBack));
        }
        if let Some(section) = &config.wyoming_voice {
            let (id, host) = self.places.asked("wyoming_voice", &section.destination, section.host.as_deref())?;
            let needs = Needs { destination: id.clone(), host: host.clone(), classes: FOR_VOICES };
            // Another voice of the same server is another voice.
            let place = host.at(None).to_string();
            let (voice, speaker) = (section.voice.clone(), section.speaker.clone());
            let key = wyoming_key(&place, voice.as_deref(), speaker.as_deref());
            let way_out = Some(self.way_out(id.clone(), host.clone()));
            let config = WyomingVoiceConfig { voice, speaker, ..WyomingVoiceConfig::new(id, host) };
            let limits = Limits::of_pieces(config.deadlines.first_sound, config.deadlines.next_sound);
            let voice = Arc::new(WyomingVoice::new(config, self.door(), own.tasks.clone(), own.runtime.clone()));
            fixed.push(FixedVoice { key, renders: Renders::Wyoming(voice.clone()), way_out });
            let voice: Arc<dyn Synthesizer> = voice;
            let name = voice.name();
            links.push(self.link(EngineStage::Voice, (voice, name), needs, WhenNear::GoOn).within(limits));
        }
        let last = self.own(EngineStage::Voice, Arc::clone(&own.voice), own.voice.name());
        Ok((VoiceChain::new(links, last, self.works()), fixed))
    }

    fn way_out(&self, destination: DestinationId, host: AskedHost) -> WayOut {
        let room = words_room(self.door(), destination.clone());
        WayOut { destination, host, room }
    }
}

/// How long a mind is waited for: never less than it waits for its own provider.
fn limits_of(dialect: &Dialect) -> Limits {
    let limits = Limits::over_the_network(EngineStage::Mind);
    let limits = match dialect {
        Dialect::Anthropic(_) => limits,
        Dialect::OpenAi(config) => Limits { first: config.deadlines.first_token, ..limits },
    };
    limits.with_tools()
}

/// What tells a voice's renderings from another's. Each name has its place and its
/// quotation marks, so that none is taken for another or for two.
fn wyoming_key(place: &str, voice: Option<&str>, speaker: Option<&str>) -> String {
    let [voice, speaker] = [voice, speaker].map(|name| name.map(|name| format!("{name:?}")).unwrap_or_default());
    format!("wyoming {place} {voice} {speaker} 1")
}

/// The uplink's budget, as it is to what is heard again.
pub(in crate::appliance) fn room(door: Door, destination: DestinationId) -> RoomSource {
    Arc::new(move |call, sound, turns| {
        let millis = u64::try_from(sound.as_millis()).unwrap_or(u64::MAX);
        let of_sound = millis.saturating_mul(SECOND_OF_SOUND_BYTES) / 1000;
        let bytes = of_sound.saturating_add((turns as u64).saturating_mul(CONNECTION_BYTES));
        door.room_for(&destination, Some(call), bytes, Usage::Audio(sound))
    })
}

/// The same for a fixed sentence, which is spoken in no call.
pub(in crate::appliance) fn words_room(door: Door, destination: DestinationId) -> WordsRoom {
    Arc::new(move |text: &str| {
        let letters = text.trim().chars().count() as u64;
        let bytes = letters.saturating_mul(LETTER_BYTES).saturating_add(CONNECTION_BYTES);
        door.room_for(&destination, None, bytes, Usage::Characters(letters))
    })
}

fn budget(door: Door, destination: DestinationId, near: WhenNear) -> BudgetSource {
    Arc::new(move |call| budget_of(door.standing_to(&destination, call), near))
}

/// What the uplink's budget is to an engine.
const fn budget_of(standing: Standing, near: WhenNear) -> Budget {
    match (standing, near) {
        (Standing::Spent, _) => Budget::Spent,
        (Standing::Ample, WhenNear::StepIn) | (Standing::Near, WhenNear::StandBack) => Budget::Near,
        (Standing::Ample | Standing::Near, _) => Budget::Ample,
    }
}

/// Chance for the breakers' jitter. Without random bytes all boxes try again at
/// the same time, which is no worse than without jitter.
fn chance() -> Chance {
    let random = SystemRandom::new();
    Arc::new(move || {
        let mut bytes = [0; 2];
        match random.fill(&mut bytes) {
            Ok(()) => f32::from(u16::from_le_bytes(bytes)) / f32::from(u16::MAX),
            Err(_) => 0.5,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::call::FINDING_WITHIN_MS;
    use crate::egress::DoorConfig;
    use crate::residency::{Contract, Destination, Host, Safeguards};
    use crate::speech::failover::MINDS_AT_WORK;

    #[test]
    fn near_the_ceiling_opus_steps_in_and_at_it_nothing_outside_is_asked() {
        use WhenNear::{GoOn, StandBack, StepIn};
        for (standing, near, expected) in [
            (Standing::Ample, StandBack, Budget::Ample),
            (Standing::Ample, GoOn, Budget::Ample),
            (Standing::Ample, StepIn, Budget::Near),
            (Standing::Near, StandBack, Budget::Near),
            (Standing::Near, GoOn, Budget::Ample),
            (Standing::Near, StepIn, Budget::Ample),
            (Standing::Spent, StandBack, Budget::Spent),
            (Standing::Spent, GoOn, Budget::Spent),
            (Standing::Spent, StepIn, Budget::Spent),
        ] {
            assert_eq!(budget_of(standing, near), expected, "{standing:?} {near:?}");
        }
    }

    #[test]
    fn near_the_ceiling_deepgram_goes_on_with_opus_whatever_it_is_sent_before() {
        let (id, host) = (DestinationId::parse("deepgram").unwrap(), Host::parse("api.example").unwrap());
        let configured = DeepgramConfig::new(id, host, Api::V1, Default::default());
        for uplink in [Uplink::Linear16, Uplink::Mulaw, Uplink::Opus] {
            let sent = |standing: Standing| -> Vec<Uplink> {
                let uses = uses(DeepgramConfig { uplink, ..configured.clone() }, "deepgram").into_iter();
                uses.filter(|(.., near)| budget_of(standing, *near) == Budget::Ample)
                    .map(|(config, ..)| config.uplink)
                    .collect()
            };
            assert_eq!(sent(Standing::Ample), vec![uplink]);
            assert_eq!(sent(Standing::Near), vec![Uplink::Opus], "{uplink:?}");
            assert!(sent(Standing::Spent).is_empty(), "{uplink:?}");
        }
    }

    fn minds() -> [Dialect; 2] {
        let (id, host) = (DestinationId::parse("model").unwrap(), Host::parse("model.example").unwrap());
        let claude = AnthropicConfig::new(id.clone(), host.clone(), Default::default());
        [Dialect::Anthropic(claude), Dialect::OpenAi(OpenAiConfig::new(id, host, "small".to_owned()))]
    }

    #[test]
    fn a_mind_is_waited_for_as_long_as_it_waits_for_its_provider_in_each_of_two_rounds() {
        for dialect in minds() {
            let (limits, first_token) = (limits_of(&dialect), dialect.deadlines().first_token);
            assert!(limits.first >= first_token && limits.gap >= first_token, "{limits:?}");
            assert!(limits.at_work > first_token * 2, "{limits:?}");
        }
    }

    #[test]
    fn a_call_waits_until_a_mind_at_work_was_left_and_the_boxs_own_has_answered() {
        let (waits, own) = (Duration::from_millis(FINDING_WITHIN_MS), Duration::from_millis(500));
        assert!(MINDS_AT_WORK + own <= waits);
        for dialect in minds() {
            let limits = limits_of(&dialect);
            assert!(limits.at_work <= MINDS_AT_WORK, "{limits:?}");
        }
    }

    #[test]
    fn each_voice_and_each_speaker_of_a_server_has_renderings_of_its_own() {
        let names = [None, Some("joe"), Some("amy"), Some("joe amy")];
        let keys = names.map(|voice| names.map(|speaker| wyoming_key("10.0.0.2:10200", voice, speaker))).concat();
        let different: HashSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
    }

    fn destination(name: &str, on_site: bool) -> Destination {
        Destination {
            id: DestinationId::parse(name).unwrap(),
            operator: "Somebody Ltd".to_owned(),
            hosts: Vec::new(),
            country: "IE".to_owned(),
            on_site,
            contract: Some(Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        }
    }

    #[test]
    fn a_call_at_its_own_ceiling_keeps_the_engines_of_the_businesss_network_and_other_calls_keep_all() {
        let (lan, cloud) = (destination("lan", true), destination("cloud", false));
        let ids = [lan.id.clone(), cloud.id.clone()];
        // Every call has spent what a call may; no day has.
        let ceilings = crate::egress::Budget { call_bytes: Some(0), ..crate::egress::Budget::default() };
        let config = DoorConfig { budget: ceilings, ..DoorConfig::default() };
        let door = Door::new(Arc::new(Policy::new(vec![lan, cloud], Vec::new())), config);
        let budgets = |near| ids.clone().map(|id| budget(door.clone(), id, near));
        let call = Some(CallId::from_parts(1, [7; 10]));
        for near in [WhenNear::StandBack, WhenNear::GoOn] {
            assert_eq!(budgets(near).map(|budget| budget(call)), [Budget::Ample, Budget::Spent], "{near:?}");
        }
        door.set_budget(crate::egress::Budget { call_bytes: Some(1), ..crate::egress::Budget::default() });
        assert_eq!(budgets(WhenNear::StandBack).map(|budget| budget(call)), [Budget::Ample; 2]);
        door.set_budget(crate::egress::Budget { day_bytes: Some(0), ..crate::egress::Budget::default() });
        assert_eq!(budgets(WhenNear::StandBack).map(|budget| budget(None)), [Budget::Ample, Budget::Spent]);
        // Nor is anything heard again over the uplink then.
        let rooms = ids.clone().map(|id| room(door.clone(), id));
        let of = |room: &RoomSource| room(CallId::from_parts(2, [7; 10]), Duration::from_secs(60), 4);
        assert_eq!(rooms.each_ref().map(of), [Room::Now, Room::Never]);
        let words = ids.clone().map(|id| words_room(door.clone(), id)("We are closed on Sunday."));
        assert_eq!(words, [Room::Now, Room::Never]);
        // A minute of sound is some two megabytes; four fifths of a ceiling may go.
        for (megabytes, expected) in [(2, Room::Never), (4, Room::Now)] {
            let day_bytes = Some(megabytes * 1_000_000);
            door.set_budget(crate::egress::Budget { day_bytes, ..crate::egress::Budget::default() });
            assert_eq!(of(&rooms[1]), expected, "{megabytes} MB");
        }
    }
}
