//! The lines of a configuration, opened: each is served by a task of its own, which
//! keeps it open, and what is held here is how to look at them and to drive them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

use crate::line::audio::{AudioLine, KeyPresser};
use crate::line::gsm::{Bond, GsmClaims, GsmLine, GsmLineConfig, ModemPlace, Roots};
use crate::line::sip::{BindError, SipLine};
use crate::line::{MediaClock, Offer};
use crate::ops::{Stop, Supervisor, SystemClock};
use crate::signalling::modem::airtime::{Kobo, Operators};
use crate::signalling::modem::ussd::UssdWay;
use crate::signalling::modem::{AirtimeSettings, Attachment, LineSettings, ProvenSound, SoundPath};
use crate::signalling::sip::Encoding;
use crate::store::{IndexError, KnownModem, SoundWay, Vault};
use crate::terms::{LineId, Private};

use super::calendar::Calendar;
use super::config::{Config, GsmLineSettings, SipLineConfig};
use super::control::LineView;
use super::credentials::{CredentialError, Credentials};
use super::kept_line::LineKeeper;
use super::modem_profiles::{ReadProfiles, profiles_of, read_profiles};
use super::modem_task::ModemTask;
use super::modems::{Modem, Modems};
use super::operators::{LEARNT_DIR, LearntOperators, ReadOperators, add_learnt, read_operators};

/// Without sound from a modem for this long, the desk is told that it is lost: the
/// line heals what it can long before.
const SOUND_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Error)]
pub enum OpenLine {
    #[error("opening line {line}: {source}. Stop the program that has this address, or give the line another `bind`")]
    Sip { line: String, source: BindError },
    #[error("line {line}: the thread of its sound card: {source}")]
    SoundCard { line: String, source: std::io::Error },
    #[error(transparent)]
    Profiles(#[from] ReadProfiles),
    #[error("line {line}: the PIN of its SIM: {source}")]
    Pin { line: String, source: CredentialError },
    #[error(transparent)]
    Operators(#[from] ReadOperators),
    #[error("line {line}: {source}")]
    Known { line: String, source: IndexError },
}

/// What is held of lines that are being served.
#[derive(Default)]
pub struct Lines {
    pub views: Vec<LineView>,
    pub keys: BTreeMap<LineId, KeyPresser>,
    pub modems: Modems,
}

/// With what lines are opened.
pub struct LineOpener<'a> {
    pub config: &'a Config,
    pub credentials: &'a Credentials,
    pub vault: &'a Vault,
    pub calendar: Calendar,
    /// The business's; lines that say one of their own have that.
    pub country_code: &'a str,
    pub clock: SystemClock,
    pub media_clock: &'a MediaClock,
    pub supervisor: &'a Supervisor,
    pub offers: &'a mpsc::Sender<Offer>,
    pub stop: &'a Stop,
}

impl LineOpener<'_> {
    /// Opens all of them; each takes calls from then on.
    pub async fn open(&self) -> Result<Lines, OpenLine> {
        let mut lines = Lines::default();
        let keeper = LineKeeper::new(self.supervisor.clone(), self.offers.clone(), self.stop.ended_token());
        for line in &self.config.sip_lines {
            let mut config = self.sip_config(line);
            let (clock, media_clock) = (self.clock.as_fn(), self.media_clock.clone());
            let sip = SipLine::bind(config.clone(), clock.clone(), media_clock.clone())
                .map_err(|source| OpenLine::Sip { line: line.id.to_string(), source })?;
            tracing::info!(line = %line.id, address = %sip.local_address(), "the line takes calls");
            // Where it is known, also when the system has chosen the port.
            config.bind = sip.local_address();
            let again = move || SipLine::bind(config.clone(), clock.clone(), media_clock.clone());
            lines.views.push(keeper.keep(sip, again));
        }
        for line in &self.config.audio_lines {
            let audio = AudioLine::open(line.clone(), self.clock.as_fn(), self.media_clock.clone())
                .map_err(|source| OpenLine::SoundCard { line: line.id.to_string(), source })?;
            lines.keys.insert(line.id.clone(), audio.presser());
            // A key of the control socket would press on the line that has ended.
            lines.views.push(keeper.serve_once(audio));
        }
        self.open_modems(&mut lines, &keeper).await?;
        Ok(lines)
    }

    async fn open_modems(&self, lines: &mut Lines, keeper: &LineKeeper) -> Result<(), OpenLine> {
        if self.config.gsm_lines.is_empty() {
            return Ok(());
        }
        let dir = &self.config.modem_profiles;
        let profiles = read_profiles(dir)?;
        let learnt_dir = self.config.data_dir.join(LEARNT_DIR);
        let mut operators = read_operators(&self.config.operators)?;
        for error in add_learnt(&mut operators, &learnt_dir) {
            tracing::warn!(%error, "something that was learnt of an operator is left out");
        }
        let learnt = Arc::new(LearntOperators::new(learnt_dir, operators.clone()));
        let operators = Arc::new(operators);
        let claims = GsmClaims::default();
        let mut all_known = Vec::with_capacity(self.config.gsm_lines.len());
        for line in &self.config.gsm_lines {
            all_known.push(self.known(line).await?);
        }
        for (nth, line) in self.config.gsm_lines.iter().enumerate() {
            let known = all_known.get(nth).cloned().unwrap_or_default();
            // A line that is told its modem by its socket takes whatever is in it, and keeps none.
            let others = self.config.gsm_lines.iter().zip(&all_known).enumerate();
            let others = others.filter(|(other, (line, _))| *other != nth && line.place_is_open());
            let others = others.filter_map(|(_, (_, known))| known.imei.clone()).collect();
            let settings = self.settings(line, &known, &operators).await?;
            let pin = settings.pin.clone();
            let config = GsmLineConfig {
                id: line.id.clone(),
                profiles: profiles_of(line, &profiles, dir)?,
                place: self.place(line, &known, others),
                settings,
                card: line.card.clone(),
                roots: Roots::default(),
                sound_timeout: SOUND_TIMEOUT,
            };
            let (gsm, events) = GsmLine::new(config, self.clock.as_fn(), self.media_clock.clone(), claims.clone());
            let country_code = self.country_code(line.country_code.as_deref());
            let turned_ready = lines.modems.turned_ready();
            let modem = Arc::new(Modem::new(line, country_code, gsm.control(), known, turned_ready));
            let task = ModemTask {
                modem: modem.clone(),
                events,
                vault: self.vault.clone(),
                calendar: self.calendar.clone(),
                stop: self.stop.clone(),
                pin,
                learnt: learnt.clone(),
            };
            lines.modems.add(modem);
            drop(self.supervisor.spawn(format!("modem {}", line.id), task.run()));
            // Who drives its modem holds the ends of the line that was made here.
            lines.views.push(keeper.serve_once(gsm));
        }
        Ok(())
    }

    fn country_code(&self, own: Option<&str>) -> String {
        own.unwrap_or(self.country_code).to_owned()
    }

    fn sip_config(&self, line: &SipLineConfig) -> crate::line::sip::SipLineConfig {
        crate::line::sip::SipLineConfig {
            id: line.id.clone(),
            bind: line.bind,
            advertise: line.advertise,
            rtp_ports: line.rtp_ports.0..=line.rtp_ports.1,
            max_calls: usize::try_from(line.calls_max).unwrap_or(usize::MAX),
            rtp_timeout_ms: u64::from(line.rtp_timeout_ms),
            country_code: self.country_code(line.country_code.as_deref()),
            codecs: Encoding::ALL.to_vec(),
        }
    }

    async fn known(&self, line: &GsmLineSettings) -> Result<KnownModem, OpenLine> {
        let failed = |source| OpenLine::Known { line: line.id.to_string(), source };
        Ok(self.vault.modems().known(&line.id).await.map_err(failed)?.unwrap_or_default())
    }

    async fn settings(
        &self,
        line: &GsmLineSettings,
        known: &KnownModem,
        operators: &Arc<Operators>,
    ) -> Result<LineSettings, OpenLine> {
        let pin = line.pin_credential.as_deref().map(|name| self.credentials.read(name)).transpose();
        let pin = pin.map_err(|source| OpenLine::Pin { line: line.id.to_string(), source })?;
        let readings = self.vault.modems().airtime(&line.id).await;
        let readings = readings.map_err(|source| OpenLine::Known { line: line.id.to_string(), source })?;
        let parts = self.vault.texts().parts_since(&line.id, self.calendar.midnight()).await;
        let parts = parts.map_err(|source| OpenLine::Known { line: line.id.to_string(), source })?;
        let ways = self.vault.modems().sound_ways().await;
        let ways = ways.map_err(|source| OpenLine::Known { line: line.id.to_string(), source })?;
        let airtime = line.airtime.map(|plan| AirtimeSettings {
            plan,
            operators: operators.clone(),
            readings: readings.into_iter().map(|(at, kobo)| (at, Kobo(kobo))).collect(),
        });
        Ok(LineSettings {
            // The driver says it of the modem that it finds.
            attachment: Attachment::default(),
            country_code: self.country_code(line.country_code.as_deref()),
            pin,
            expected_sim: line.expected_sim.clone(),
            known_iccid: known.iccid.clone(),
            sound: line.sound.or_else(|| own_sound(&line.place)),
            proven_sounds: ways.into_iter().filter_map(proven).collect(),
            texts_per_day: line.texts_a_day,
            parts_today: u32::try_from(parts).unwrap_or(u32::MAX),
            resets_per_hour: line.resets_per_hour,
            day: self.calendar.day_number(),
            clock: self.calendar.now(),
            ussd_way: known.ussd_way.as_deref().and_then(UssdWay::of_name),
            airtime,
        })
    }

    /// Where the modem is looked for: as the owner said, and else where it was last.
    fn place(&self, line: &GsmLineSettings, known: &KnownModem, others: Vec<Private<String>>) -> ModemPlace {
        let ModemPlace::Usb(wanted) = &line.place else { return line.place.clone() };
        let mut wanted = wanted.clone();
        if line.place_is_open() {
            // What is named or was another line's is not taken by one that takes any.
            let named = self.config.gsm_lines.iter().filter_map(|line| match &line.place {
                ModemPlace::Usb(wanted) => wanted.imei.clone(),
                ModemPlace::Ports { .. } => None,
            });
            wanted.others = others.into_iter().chain(named).collect();
        }
        wanted.usb_path = wanted.usb_path.or_else(|| known.usb_path.clone());
        // One modem may be replaced by another; of several each stays with its line.
        if self.config.gsm_lines.len() > 1 && line.place_is_open() {
            (wanted.imei, wanted.bond) = (known.imei.clone(), Bond::Lasting);
        }
        ModemPlace::Usb(wanted)
    }
}

/// A way that this version does not know is as good as none.
fn proven(SoundWay { imei, ways, path }: SoundWay) -> Option<ProvenSound> {
    Some(ProvenSound { imei, ways, path: SoundPath::of_name(&path)? })
}

/// A port for sound that the owner has named is the way that is meant.
const fn own_sound(place: &ModemPlace) -> Option<SoundPath> {
    match place {
        ModemPlace::Ports { sound: Some(_), .. } => Some(SoundPath::Serial),
        ModemPlace::Ports { .. } | ModemPlace::Usb(_) => None,
    }
}
