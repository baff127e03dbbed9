//! `milu policy` as it is typed: what is printed, and what it ends with. The
//! proofs are made by the real solver.

use std::path::Path;
use std::process::{Command, Output};

use super::presets::{opened, preset};
use serde_json::Value;

fn milu(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_milu")).arg("policy").args(arguments).output().expect("milu runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

const SHORT: &str = "[[destination]]\nid = \"cloud\"\noperator = \"Cloud, Inc.\"\nhosts = [\"cloud.example\"]\ncountry = \"US\"\n\
    contract = { name = \"DPA\", signed = 2026-01-05 }\ntraining_opt_out = true\n\
    [[row]]\ndata = \"transcript\"\nto = \"cloud\"\nground = \"consent\"\nverdict = \"raw\"\n";

#[test]
fn a_good_file_is_checked_with_what_goes_where() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = written(dir.path(), "residency.toml", SHORT);
    let checked = milu(&["check", &file]);
    assert_eq!(checked.status.code(), Some(0), "{}", complained(&checked));
    let text = said(&checked);
    assert!(text.contains("1 destination, 1 row, no mistakes"), "{text}");
    assert!(text.contains("cloud (Cloud, Inc., US): transcript raw on consent (row-1)"), "{text}");
    let shown = json(&milu(&["check", &file, "--json"]));
    assert_eq!(shown["rows"][0]["id"], "row-1");
    assert_eq!(shown["destinations"][0]["contract"]["signed"], "2026-01-05");
    let cedar = said(&milu(&["check", &file, "--cedar"]));
    assert!(cedar.contains("@id(\"row-1\")") && cedar.contains("entity Class enum"), "{cedar}");
}

#[test]
fn a_row_of_sensitive_data_is_warned_of_in_the_words_of_its_explanation() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(!said(&milu(&["check", &written(dir.path(), "without.toml", SHORT)])).contains("sensitive"));
    let row = "[[row]]\nid = \"health\"\ndata = \"sensitive\"\nto = \"cloud\"\nground = \"consent\"\n";
    let file = written(dir.path(), "residency.toml", &format!("{SHORT}{row}"));
    let warning = format!("Row `health`: {}", milu::residency::SENSITIVE_IS_NOT_LOOKED_FOR);
    let checked = milu(&["check", &file]);
    assert_eq!(checked.status.code(), Some(0), "{}", complained(&checked));
    assert!(said(&checked).contains(&warning), "{}", said(&checked));
    assert_eq!(json(&milu(&["check", &file, "--json"]))["warnings"][0], warning.as_str());
    let asked = ["explain", "--data", "sensitive", "--to", "cloud", "--caller", "consents", "--policy", &file];
    let explained = said(&milu(&asked));
    assert!(explained.contains(milu::residency::SENSITIVE_IS_NOT_LOOKED_FOR), "{explained}");
}

#[test]
fn every_mistake_is_told_with_its_row_and_the_command_ends_with_2() {
    let dir = tempfile::tempdir().expect("a directory");
    let bad = SHORT.replace("operator", "operater").replace("transcript", "trancript");
    let checked = milu(&["check", &written(dir.path(), "residency.toml", &bad)]);
    assert_eq!(checked.status.code(), Some(2));
    let told = complained(&checked);
    assert!(
        told.contains("residency.toml:3:1: there is no key `operater` here; `operator` was probably meant"),
        "{told}"
    );
    assert!(told.contains("residency.toml:9:8: `trancript` is no class of data; `transcript` was"), "{told}");
    let latin_1 = dir.path().join("latin-1.toml");
    std::fs::write(&latin_1, b"# caf\xe9\n").expect("written");
    let checked = milu(&["check", &latin_1.display().to_string()]);
    assert_eq!(checked.status.code(), Some(2));
    let told = complained(&checked);
    assert!(told.contains("latin-1.toml:1:6: from here on this is not UTF-8"), "{told}");
    assert_eq!(milu(&["check", "no-such-file.toml"]).status.code(), Some(2));
    assert_eq!(milu(&["check"]).status.code(), Some(2));
}

#[test]
fn a_decision_is_explained_in_a_sentence_that_names_all_its_reasons() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = written(dir.path(), "residency.toml", SHORT);
    let explain = |more: &[&str]| {
        let line = [&["explain", "--data", "transcript", "--to", "cloud", "--policy", &file], more].concat();
        let explained = milu(&line);
        assert_eq!(explained.status.code(), Some(0), "{}", complained(&explained));
        explained
    };
    let stays = said(&explain(&[]));
    assert!(
        stays.contains("stay on the box")
            && stays.contains("`row-1` would let them go as they are")
            && stays.contains("has not given it"),
        "{stays}"
    );
    let goes = said(&explain(&["--caller", "consents"]));
    for part in [
        "as they are",
        "Cloud, Inc.",
        "the United States",
        "`row-1`",
        "consent",
        "\"DPA\"",
        "2026-01-05",
        "trained",
        "taken out",
    ] {
        assert!(goes.contains(part), "{part} in: {goes}");
    }
    let shown = json(&explain(&["--caller", "consents", "--json"]));
    assert_eq!(
        (&shown["verdict"], &shown["rows"][0], &shown["ground"]),
        (&"raw".into(), &"row-1".into(), &"consent".into())
    );
    let restricted = json(&explain(&["--caller", "consents", "--caller", "restricts", "--json"]));
    assert_eq!((&restricted["verdict"], &restricted["ground"]), (&"local".into(), &Value::Null));
    let unknown = milu(&["explain", "--data", "gossip", "--to", "cloud", "--policy", &file]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(complained(&unknown).contains("call-audio"), "{}", complained(&unknown));
}

#[test]
fn every_command_shows_an_example() {
    for command in ["check", "explain", "prove"] {
        let help = milu(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(said(&help).contains(&format!("milu policy {command}")), "{}", said(&help));
    }
}

#[test]
fn the_opened_presets_are_proved_by_the_solver() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["nigeria-ndpa-2023.toml", "gdpr.toml"] {
        let file = written(dir.path(), name, &opened(name));
        let proved = milu(&["prove", &file, "--json"]);
        assert_eq!(proved.status.code(), Some(0), "{} {}", said(&proved), complained(&proved));
        let results: Vec<String> = theorems(&json(&proved));
        assert_eq!(results, ["T1 proved", "T2 proved", "T3 not-asked", "T4 proved"]);
        let voice = "The caller's voice is not looked through, and what is said in it goes with it: \
                     row `voice-to-ears` sends it to deepgram.";
        let shown = json(&proved);
        let note = |theorem: usize| &shown["theorems"][theorem]["note"];
        assert_eq!((note(0), note(1)), (&voice.into(), &Value::Null));
        let rows = said(&milu(&["prove", &file]));
        assert!(rows.contains(&format!("ever sent raw.\n    {voice}\n")), "{rows}");
    }
    let nothing = milu(&["prove", &preset("nothing-leaves.toml").display().to_string()]);
    assert_eq!(nothing.status.code(), Some(0));
    assert_eq!(said(&nothing).matches(" PROVED: ").count(), 3, "{}", said(&nothing));
    assert!(!said(&nothing).contains("voice"), "{}", said(&nothing));
}

fn theorems(shown: &Value) -> Vec<String> {
    let all = shown["theorems"].as_array().expect("a list");
    let text = |t: &Value, key: &str| t[key].as_str().unwrap_or_default().to_owned();
    all.iter().map(|t| format!("{} {}", text(t, "name"), text(t, "result"))).collect()
}

#[test]
fn a_table_that_breaks_a_promise_is_refuted_with_a_case() {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = SHORT.replace("\"transcript\"", "\"payment\"").replace("\"consent\"", "\"contract\"");
    let refuted = milu(&["prove", &written(dir.path(), "secret.toml", &secret), "--json"]);
    assert_eq!(refuted.status.code(), Some(1), "{} {}", said(&refuted), complained(&refuted));
    let shown = json(&refuted);
    assert_eq!(theorems(&shown), ["T1 refuted", "T2 proved", "T3 not-asked", "T4 proved"]);
    let case = &shown["theorems"][0]["counterexamples"][0]["case"];
    assert_eq!((&case["data"], &case["to"], &case["verdict"]), (&"payment".into(), &"cloud".into(), &"raw".into()));
    assert_eq!(case["rows"][0], "row-1");

    let unsigned = SHORT.replace("2026-01-05", "9999-01-05");
    let refuted = milu(&["prove", &written(dir.path(), "unsigned.toml", &unsigned)]);
    assert_eq!(refuted.status.code(), Some(1));
    let text = said(&refuted);
    assert!(text.contains("T2 REFUTED") && text.contains("row `row-1` would let transcript go"), "{text}");
}

#[test]
fn a_wider_policy_is_refuted_until_its_widening_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let old = written(dir.path(), "old.toml", SHORT);
    let wide = SHORT.replace("\"consent\"", "\"contract\"").replace("training_opt_out = true\n", "");
    let new = written(dir.path(), "new.toml", &wide);
    let refuted = milu(&["prove", &new, "--old", &old]);
    assert_eq!(refuted.status.code(), Some(1), "{} {}", said(&refuted), complained(&refuted));
    let text = said(&refuted);
    assert!(text.contains("T3 REFUTED") && text.contains("for a caller who has not consented"), "{text}");
    assert!(text.contains("transcript:cloud") && text.contains("cloud:safeguards"), "{text}");
    let half = milu(&["prove", &new, "--old", &old, "--widening", "transcript:cloud"]);
    assert_eq!(half.status.code(), Some(1), "{}", said(&half));
    let named = milu(&["prove", &new, "--old", &old, "--widening", "transcript:cloud", "cloud:safeguards"]);
    assert_eq!(named.status.code(), Some(0), "{} {}", said(&named), complained(&named));
    assert!(said(&named).contains("T3 PROVED"), "{}", said(&named));
    let narrower = milu(&["prove", &old, "--old", &new]);
    assert_eq!(narrower.status.code(), Some(0), "{}", said(&narrower));
    let stray = milu(&["prove", &old, "--old", &new, "--widening", "reply:cloud"]);
    assert_eq!(stray.status.code(), Some(2));
    assert!(complained(&stray).contains("`reply:cloud` is no widening of it; there is none"), "{}", complained(&stray));
}

#[test]
fn without_the_solver_one_sentence_says_how_to_get_it() {
    let file = preset("gdpr.toml").display().to_string();
    let failed = milu(&["prove", &file, "--solver", "no-such-solver"]);
    assert_eq!(failed.status.code(), Some(2));
    let told = complained(&failed);
    assert!(told.contains("no-such-solver cannot be started") && told.contains("apt-get install cvc5"), "{told}");
}
