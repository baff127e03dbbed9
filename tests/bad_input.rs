//! What goes wrong at a business: damaged files, a full disk, a port that is
//! taken, callers who say nothing or never stop. Each has a sentence that says
//! what to do, or a caller who is treated well; and the box stays up.
#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;
#[path = "door/wall.rs"]
mod wall;

use std::io::{ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use milu::call::phrases;
use serde_json::Value;
use the_box::callers::{Call, Sipp};
use the_box::{MILU, Setup, TheBox, models_dir, root, said, sounds, stderr, text};

/// Wrong usage or configuration.
const USAGE: i32 = 2;
/// It ran, and the answer is no.
const NO: i32 = 1;

fn milu(args: &[&str]) -> Output {
    Command::new(MILU).args(args).output().expect("milu runs")
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path of plain characters")
}

/// A start that must fail: its sentence.
fn refused(setup: &Setup, place: &Path) -> String {
    let config = setup.write(place);
    let output = milu(&["run", "--config", shown(&config)]);
    let sentence = stderr(&output);
    assert_eq!(output.status.code(), Some(USAGE), "{}: {sentence}", output.status);
    assert!(!place.join("control.sock").exists(), "the control socket was left behind");
    sentence
}

fn assert_says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
}

/// The models by symbolic links, to be damaged one at a time.
fn linked_models(place: &Path) -> PathBuf {
    let dir = place.join("models");
    std::fs::create_dir(&dir).expect("a directory");
    for entry in std::fs::read_dir(models_dir()).expect("the models").map(|entry| entry.expect("an entry")) {
        if entry.path().is_file() && entry.file_name() != "verified.json" {
            symlink(entry.path(), dir.join(entry.file_name())).expect("a link");
        }
    }
    dir
}

/// The files of the models that a box loads.
fn needed_files() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("firmware-config/models.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let models = manifest["model"].as_array().expect("models").iter().filter(|m| m["needed"].as_bool() == Some(true));
    let files = models.flat_map(|model| model["file"].as_array().expect("files"));
    files.map(|file| file["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_missing_or_damaged_model_is_named_and_the_way_to_bring_it() {
    let place = tempfile::tempdir().expect("a directory");
    let models = linked_models(place.path());
    let setup = Setup { models: models.clone(), ..Setup::default() };
    let files = needed_files();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let (path, whole) = (models.join(&file), models_dir().join(&file));
        std::fs::remove_file(&path).expect("a link");
        assert_says(&refused(&setup, place.path()), &[&file, "milu models fetch"]);

        // Cut off, as by a full disk: near its beginning, and at its half.
        let bytes = std::fs::read(&whole).expect("a model");
        for kept in [3000.min(bytes.len() / 3), bytes.len() / 2] {
            std::fs::write(&path, &bytes[..kept]).expect("a file");
            assert_says(&refused(&setup, place.path()), &[&file, "milu models fetch"]);
        }
        let check = milu(&["check", "--config", shown(&place.path().join("milu.toml"))]);
        assert_eq!(check.status.code(), Some(USAGE));
        assert_says(&String::from_utf8_lossy(&check.stdout), &[&file, "milu models fetch"]);

        std::fs::remove_file(&path).expect("a file");
        symlink(&whole, &path).expect("a link");
    }
}

#[test]
fn a_model_that_was_altered_and_kept_its_size_is_not_loaded() {
    let place = tempfile::tempdir().expect("a directory");
    let models = linked_models(place.path());
    let setup = Setup { models: models.clone(), ..Setup::default() };
    let altered = needed_files().into_iter().max_by_key(|file| models.join(file).metadata().expect("a model").len());
    let file = altered.expect("models are needed");
    let mut bytes = std::fs::read(models.join(&file)).expect("a model");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(models.join(&file)).expect("a link");
    std::fs::write(models.join(&file), bytes).expect("a file");
    assert_says(&refused(&setup, place.path()), &[&file, "not the published one", "milu models fetch --dir"]);
}

#[test]
fn a_wrong_hash_in_the_manifest_is_found_before_a_model_is_trusted() {
    let place = tempfile::tempdir().expect("a directory");
    let models = linked_models(place.path());
    let manifest = std::fs::read_to_string(root().join("firmware-config/models.toml")).expect("the manifest");
    let at = manifest.find("smart-turn-v3.2-cpu.onnx\"").expect("the file");
    let at = at + manifest[at..].find("sha256 = \"").expect("its hash") + "sha256 = \"".len();
    let other = if manifest[at..].starts_with('0') { "1" } else { "0" };
    let wrong = [&manifest[..at], other, &manifest[at + 1..]].concat();
    let file = place.path().join("models.toml");
    std::fs::write(&file, wrong).expect("a manifest");
    let output = milu(&["models", "verify", "--json", "--dir", shown(&models), "--manifest", shown(&file)]);
    assert_eq!(output.status.code(), Some(NO), "{}", stderr(&output));
    assert_says(&stderr(&output), &["damaged", "milu models fetch"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let files = report["models"].as_array().expect("models").iter().flat_map(|m| m["files"].as_array().expect("files"));
    let damaged: Vec<&str> = files.filter(|f| f["state"] == "damaged").map(|f| text(&f["name"])).collect();
    assert_eq!(damaged, ["smart-turn-v3.2-cpu.onnx"]);
}

#[test]
fn a_knowledge_file_with_mistakes_is_refused_with_row_column_and_what_was_meant() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("shop.md");
    let rows = ["# A Shop", "", "## Opening hours", "", "- Monday: 8:00-17:00", "- Tusday: 8:00-25:00"];
    std::fs::write(&file, rows.join("\n")).expect("a file");
    let row = rows.len();
    let (day, hour) = (format!("shop.md:{row}:3: "), format!("shop.md:{row}:{}: ", "- Tusday: 8:00-".len() + 1));
    let check = milu(&["knowledge", "check", shown(&file)]);
    assert_eq!(check.status.code(), Some(USAGE));
    let setup = Setup { knowledge: file, ..Setup::default() };
    let sentence = refused(&setup, place.path());
    for sentence in [sentence, stderr(&check)] {
        assert!(sentence.contains(&day) || sentence.contains(&hour), "{sentence}");
        assert!(sentence.contains("tuesday") || sentence.contains("17:30"), "{sentence}");
    }
}

#[test]
fn answers_that_are_asked_for_in_few_ways_are_named_by_the_check_of_a_file() {
    let told = |file: &str| {
        let check = milu(&["knowledge", "check", shown(&root().join(file))]);
        assert!(check.status.success(), "{}", stderr(&check));
        String::from_utf8(check.stdout).expect("plain words")
    };
    let few = told("tests/knowledge/guest_house.toml");
    assert_says(&few, &["no mistakes", "25 of them", "fewer than 8 ways", "room-prices", "complaints"]);
    assert!(!told("firmware-config/knowledge/clinic.toml").contains("fewer"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let place = tempfile::tempdir().expect("a directory");
    let sentence = refused(&Setup { more: "grace_perod_s = 3", ..Setup::default() }, place.path());
    assert_says(&sentence, &["milu.toml, row ", "`grace_perod_s`", "`grace_period_s`"]);
}

#[test]
fn a_second_box_on_the_same_port_data_or_socket_is_refused_and_the_first_goes_on() {
    let first = TheBox::start(&Setup::default());
    let place = tempfile::tempdir().expect("a directory");
    let port = refused(&Setup { bind: first.address.clone(), ..Setup::default() }, place.path());
    assert_says(&port, &["front-desk", &first.address, "in use", "bind"]);
    let data = refused(&Setup { data_dir: Some(first.data_dir()), ..Setup::default() }, place.path());
    assert_says(&data, &["another process", "stop that one first"]);

    // The same socket, from a configuration beside the first one.
    let config = place.path().join("milu.toml");
    let text = std::fs::read_to_string(Setup::default().write(place.path())).expect("the configuration");
    let text = text.replace(shown(&place.path().join("control.sock")), shown(&first.socket()));
    std::fs::write(&config, text).expect("the configuration");
    let output = milu(&["run", "--config", shown(&config)]);
    assert_eq!(output.status.code(), Some(USAGE), "{}", stderr(&output));
    assert_says(&stderr(&output), &["control.sock", "another daemon"]);

    assert_eq!(first.json(&["lines", "--json"])["lines"][0]["state"], "ready");
    let place = first.stop();
    assert!(!place.path().join("control.sock").exists(), "the control socket was left behind");
}

/// A minute of speech without a pause that ends a turn: espeak-ng makes none
/// where there is no punctuation.
fn monologue() -> Vec<i16> {
    let on_and_on = "and then my cousin told me that the road to the market was closed because of the rain ";
    sounds::speech_by("en-gb", &on_and_on.repeat(12))
}

#[test]
fn callers_who_do_not_speak_as_callers_do_are_treated_well_side_by_side() {
    let the_box = TheBox::start(&Setup { calls_heard_max: 5, rtp_timeout_ms: 20_000, ..Setup::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let noise = sounds::write_wav(dir.path(), "noise.wav", &sounds::noise(15));
    let endless = sounds::write_wav(dir.path(), "endless.wav", &monologue());
    let calls = [
        Call::start(&the_box, "08055550101", &["--wait", "300"]),
        Call::start(&the_box, "08055550102", &["--play", shown(&noise), "--wait", "300"]),
        Call::start(&the_box, "08055550103", &["--dtmf", "1", "--wait", "8", "--dtmf", "2", "--wait", "8"]),
        Call::start(&the_box, "08055550104", &["--play", shown(&endless), "--wait", "300"]),
    ];
    let mute = Sipp::start(&the_box, "mute.xml", &[("number", "08055550105")]);
    let ended: Vec<Output> = calls.into_iter().map(Call::ended).collect();
    assert!(ended.iter().all(|call| call.status.success()), "{ended:#?}");
    mute.succeeds();

    silent_caller_is_prompted_twice(&the_box.record_of("8055550101"));
    noise_is_no_question(&the_box.record_of("8055550102"));
    keys_are_answered(&the_box.record_of("8055550103"));
    endless_caller_is_broken_in_on(&the_box.record_of("8055550104"));
    // A telephone that sends nothing at all, not even silence, is gone.
    let mute = the_box.record_of("8055550105");
    assert_eq!(mute["outcome"], "abandoned", "{mute:#}");
    the_box.stop();
}

fn silent_caller_is_prompted_twice(record: &Value) {
    let sentences = said(record, "box");
    let place =
        |what: &str| sentences.iter().position(|said| said.starts_with(what)).unwrap_or_else(|| panic!("{record:#}"));
    let (first, second) = (place(phrases::STILL_THERE), place(phrases::STILL_THERE_AGAIN));
    assert!(first < second && second < place(phrases::NOBODY_THERE), "{record:#}");
    assert_eq!(sentences.last(), Some(&phrases::NOBODY_THERE));
    assert_eq!(record["outcome"], "abandoned");
    assert_eq!(record["end_cause"]["q850"], 16);
}

/// Nothing is answered that was not asked, and the call ends.
fn noise_is_no_question(record: &Value) {
    let answers: Vec<String> = sounds::bakery().entries.into_iter().map(|entry| entry.answer).collect();
    let sentences = said(record, "box");
    assert!(!sentences.iter().any(|said| answers.iter().any(|answer| said.contains(answer))), "{record:#}");
    assert_ne!(record["outcome"], "answered", "{record:#}");
    let farewell = [phrases::NOBODY_THERE, phrases::CANNOT_FOLLOW, phrases::GOODBYE];
    assert!(farewell.contains(sentences.last().expect("it said something")), "{record:#}");
}

/// Key 1 is the opening hours, key 2 the address: as the box's own menu says.
fn keys_are_answered(record: &Value) {
    let sentences = said(record, "box").join(" ");
    let address = sounds::bakery().address.expect("the file has one");
    // Numbers are spoken as words.
    let street = address.rsplit(|c: char| c.is_ascii_digit()).next().expect("words");
    assert_says(&sentences, &["Monday", "Saturday", street]);
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert!(said(record, "caller").iter().all(|words| words.is_empty()), "keys are no words: {record:#}");
}

/// The box breaks in while the caller talks, and ends a call that comes to
/// nothing. Ears that a busy machine keeps waiting make it offer its keys
/// instead of asking for a short sentence.
fn endless_caller_is_broken_in_on(record: &Value) {
    let turns = record["turns"].as_array().expect("turns").iter();
    let breaks_in = |said: &str| said == phrases::TOO_LONG || said.starts_with(phrases::TROUBLE_HEARING);
    let broke_in = turns.filter(|turn| breaks_in(text(&turn["text"]))).find_map(|turn| turn["started_ms"].as_u64());
    let talked_ms = 60_000;
    assert!(broke_in.is_some_and(|at| at < talked_ms), "{record:#}");
    let farewell = [phrases::NOBODY_THERE, phrases::CANNOT_FOLLOW, phrases::GOODBYE];
    assert!(farewell.contains(said(record, "box").last().expect("it said something")), "{record:#}");
    assert_eq!(record["end_cause"]["q850"], 16, "{record:#}");
}

/// A box in a mount of its own, whose data lie on a small disk.
fn box_on_a_small_disk() -> Option<TheBox> {
    let place = tempfile::tempdir().expect("a directory");
    let data = place.path().join("data");
    std::fs::create_dir(&data).expect("a directory");
    let setup = Setup::default();
    let config = setup.write(place.path());
    // Nobody but this box sees the disk, and it is gone with the box.
    let script = "mount -t tmpfs -o size=32m tmpfs \"$1\" && exec \"$2\" run --config \"$3\"";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user", "sh", "-c", script, "sh"]);
        command.arg(&data).arg(MILU).arg(&config);
        command
    };
    let tried = unshare("mount -t tmpfs -o size=32m tmpfs \"$1\"").output().expect("unshare (util-linux) runs");
    if !tried.status.success() {
        wall::left_out(&format!("this machine gives its users no mounts of their own ({})", stderr(&tried).trim()));
        return None;
    }
    Some(TheBox::start_by(&mut unshare(script), place, &setup))
}

/// Writes until nothing more fits on the box's disk.
fn fill(the_box: &TheBox) {
    let path = format!("/proc/{}/root{}/filler", the_box.process(), the_box.data_dir().display());
    let mut file = std::fs::File::create(path).expect("a file on the box's disk");
    let error = std::iter::repeat_with(|| file.write_all(&[0; 4096])).find_map(Result::err).expect("a disk has an end");
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
}

/// Whose message cannot be written is not told that it is kept.
fn leaves_a_message_on_a_full_disk(the_box: &TheBox) {
    let watch = the_box.watch();
    fill(the_box);
    let steps = ["I want to leave a message.", "My name is Bola.", "Yes.", "Please ring me back about the bread."];
    let steps: Vec<_> = steps.iter().chain(&["No, thank you. Goodbye."]).flat_map(|words| ["--say", words]).collect();
    let call = Call::start(the_box, "08055550108", &steps);
    let event = watch.until("the call ends", |event| event["event"] == "ended");
    call.report();
    let sentences = said(&event["record"], "box");
    let id = text(&event["record"]["id"]);
    let fails = |row: &str| row.contains("nothing of this call can be kept") || row.contains("journal could not be");
    // The last pages of the disk may have taken it all the same.
    if the_box.log().lines().any(|row| row.contains(id) && fails(row)) {
        assert!(!sentences.contains(&phrases::MESSAGE_KEPT), "{event:#}");
    }
    if the_box.log().lines().any(|row| row.contains(id) && row.contains("nothing of this call can be kept")) {
        assert!(!sentences[0].contains("recorded"), "{event:#}");
    }
    let is_told = |told: &&str| [phrases::MESSAGE_KEPT, phrases::MESSAGE_NOT_KEPT, phrases::NO_MESSAGES].contains(told);
    assert!(sentences.iter().any(is_told), "{event:#}");
}

#[test]
fn a_full_disk_is_said_and_callers_are_answered_all_the_same() {
    let Some(the_box) = box_on_a_small_disk() else { return };
    let doctor = the_box.milu(&["doctor"]);
    assert_says(&String::from_utf8_lossy(&doctor.stdout), &["make room"]);

    // Full in the middle of a call, and then from the beginning of the next.
    for number in ["08055550106", "08055550107"] {
        let watch = the_box.watch();
        let call =
            Call::start(&the_box, number, &["--say", "How much is a birthday cake?", "--say", "Thank you. Goodbye."]);
        watch.box_turn();
        fill(&the_box);
        let event = watch.until("the call ends", |event| event["event"] == "ended");
        call.report();
        let sentences = said(&event["record"], "box");
        assert!(sentences.iter().any(|said| said.contains("birthday cake")), "{event:#}");
        assert_eq!(sentences.last(), Some(&phrases::GOODBYE), "{event:#}");
    }
    leaves_a_message_on_a_full_disk(&the_box);
    let log = the_box.log();
    // What of the calls could still be written depends on the last pages of the disk.
    assert!(log.contains("no storage space") && log.contains("could not be") | log.contains("can be kept"), "{log}");
    assert!(!log.contains("transaction depth"), "a full disk must not spoil the connection for later: {log}");
    the_box.stop();
}
