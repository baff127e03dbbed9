//! The vendors' stand-ins, and a box whose configuration and policy name them.

use std::path::{Path, PathBuf};

use milu::call::phrases;
use serde_json::Value;
use tempfile::TempDir;

use crate::providers::owner::{COMPANIES, Owner, Table};
use crate::providers::{Options, Provider, Providers};
use crate::the_box::{Setup, TheBox, Watch, sounds, text, until};

/// The names that engines have in records.
pub const OUTSIDE: [&str; 3] = ["deepgram", "claude-cloud", "elevenlabs"];
pub const ON_THE_BOX: [&str; 3] = ["whisper-onbox", "knowledge-onbox", "piper-onbox"];

/// The stand-ins, and the files of a box that uses them.
pub struct Cloud {
    pub providers: Providers,
    place: TempDir,
}

impl Cloud {
    /// The ears are told what the callers say: to hear it too, beside the box's own
    /// ears, is more than two cores can do in time.
    pub fn start(sentences: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let known = place.path().join("words");
        std::fs::write(&known, sentences.join("\n")).expect("the known words are written");
        let mut options = Options::new(place.path().join("stand-ins"));
        options.known_words = Some(known);
        // What was spoken in an earlier run need not be spoken again.
        options.voice_cache = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoken-by-stand-ins"));
        let providers = Providers::start(options).expect("the stand-ins start");
        let cloud = Self { providers, place };
        cloud.owner().write_credentials().expect("the keys are written");
        cloud
    }

    fn owner(&self) -> Owner<'_> {
        Owner::new(self.place.path(), self.providers.ports())
    }

    /// The line outside is gone, and everybody with it. Gives the box's own files.
    pub fn vendors_gone(self) -> TempDir {
        drop(self.providers);
        self.place
    }

    pub fn credentials(&self) -> PathBuf {
        self.owner().credentials()
    }

    /// Puts a policy where the box looks for it.
    pub fn allow(&self, table: &Table) {
        self.owner().allow(table).expect("the policy is written");
    }

    /// The owner writes another policy, made of the one that is there.
    pub fn rewrite_policy(&self, rewrite: impl FnOnce(String) -> String) {
        let file = self.owner().policy_file();
        let text = std::fs::read_to_string(&file).expect("the policy");
        let beside = file.with_extension("new");
        std::fs::write(&beside, rewrite(text)).expect("the policy is written");
        std::fs::rename(&beside, &file).expect("it takes its place");
    }

    /// Where the owner's policy stands.
    pub fn policy_file(&self) -> PathBuf {
        self.owner().policy_file()
    }

    /// The configuration of a box under `table`.
    pub fn setup(&self, table: &Table) -> Setup {
        self.allow(table);
        let owner = self.owner();
        Setup { sections: owner.sections(), credentials: Some(owner.credentials()), ..Setup::default() }
    }
}

/// Waits until the box has asked what it can do: then the caller's turn begins.
pub fn greeted(watch: &Watch) {
    watch.until("the box asks what it can do", |event| {
        is_turn_of(event, "box") && text(&event["turn"]["text"]).contains(phrases::HELP)
    });
}

/// Waits for the answer to what the caller has just asked.
pub fn answered(watch: &Watch) -> Value {
    let event = watch.until("the question is answered", |event| {
        is_turn_of(event, "box") && event["turn"]["latency"]["voice_to_voice_ms"].is_u64()
    });
    event["turn"].clone()
}

pub fn is_turn_of(event: &Value, who: &str) -> bool {
    event["event"] == "turn" && event["turn"]["who"] == who
}

/// The box's sentences that answer a turn of the caller's, in order.
pub fn answers(record: &Value) -> Vec<&Value> {
    let turns = record["turns"].as_array().expect("turns").iter();
    turns.filter(|turn| turn["who"] == "box" && turn["latency"]["voice_to_voice_ms"].is_u64()).collect()
}

/// What was said of the box in the register, in all its calls and outside them.
pub fn register(the_box: &TheBox) -> Vec<Value> {
    let register = the_box.json(&["policy", "register", "--json"]);
    register["transfers"].as_array().unwrap_or_else(|| panic!("no list in {register:#}")).clone()
}

/// The sum of a destination's bytes in the register.
pub fn registered(rows: &[Value], destination: &str) -> u64 {
    let of_it = rows.iter().filter(|row| row["destination"] == destination);
    of_it.map(|row| row["bytes_sent"].as_u64().expect("bytes")).sum()
}

/// Who stands in for a destination.
pub fn stand_in(destination: &str) -> Provider {
    let company = COMPANIES.iter().find(|(name, ..)| *name == destination);
    company.unwrap_or_else(|| panic!("nobody stands in for {destination}")).2
}

/// All failovers of a call: stage, from, to, why.
pub fn failovers(record: &Value) -> Vec<(&str, &str, &str, &str)> {
    let turns = record["turns"].as_array().expect("turns").iter();
    let all = turns.flat_map(|turn| turn["failover"].as_array().expect("a list"));
    all.map(|f| (text(&f["stage"]), text(&f["from"]), text(&f["to"]), text(&f["why"]))).collect()
}

/// What is meant, by the bakery's file: the first way to ask for it.
pub fn meaning(words: &str) -> String {
    sounds::nearest_answer(&sounds::bakery(), words).to_owned()
}

/// Waits until the box has rendered its fixed sentences, so that nothing but
/// calls speaks to the vendors from then on.
pub fn warmed_up(the_box: &TheBox) {
    until("the fixed sentences are rendered", || {
        let doctor = the_box.milu(&["doctor", "--json"]);
        let doctor: Value = serde_json::from_slice(&doctor.stdout).ok()?;
        let facts = doctor["facts"].as_array()?;
        let voice = facts.iter().find(|fact| fact["name"] == "voice")?["sentence"].as_str()?;
        let numbers: Vec<u32> = voice.split(' ').filter_map(|word| word.parse().ok()).collect();
        (numbers.len() == 2 && numbers[0] == numbers[1]).then_some(())
    });
}

/// Who had this part in the call's turns: `transcriber`, `responder`, `synthesizer`.
pub fn engines<'a>(record: &'a Value, part: &str) -> Vec<&'a str> {
    let turns = record["turns"].as_array().expect("turns").iter();
    turns.filter_map(|turn| turn["engines"][part].as_str()).collect()
}

/// Waits until the narrower policy is in force that `write` puts there, which needs no
/// notice, and forgets what came before.
pub fn narrowed(cloud: &Cloud, the_box: &TheBox, write: impl FnOnce()) {
    let taken = |log: &str| log.matches("a new residency policy is in force").count();
    let before = taken(&the_box.log());
    write();
    until("the narrower policy is in force", || (taken(&the_box.log()) > before).then_some(()));
    cloud.providers.forget();
}
