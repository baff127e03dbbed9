//! Commands about a running box, as they are typed: what they print, what they write
//! and with what they end.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;

use std::process::Command;

use the_box::{MILU, Setup, TheBox, bakery, sounds, stderr, text};

/// What is asked, not quite as it stands in the file, and the question of the file
/// that it means.
const QUESTION: &str = "Please, could you bring some bread to my house?";
const MEANT: &str = "Do you deliver?";

#[test]
fn a_running_box_answers_a_question_from_what_it_knows_itself() {
    let files = tempfile::tempdir().expect("a directory");
    let knowledge = files.path().join("shop.md");
    std::fs::copy(bakery(), &knowledge).expect("a knowledge file");
    let the_box = TheBox::start(&Setup { knowledge: knowledge.clone(), is_rung: false, ..Setup::default() });
    // What the box knows, it knows without the file.
    std::fs::remove_file(&knowledge).expect("it is there");

    let answer = the_box.json(&["knowledge", "ask", QUESTION, "--json"]);
    assert_eq!(answer["question"], QUESTION);
    assert_eq!((&answer["finding"], &answer["by_meaning"]), (&"answer".into(), &true.into()), "{answer:#}");
    assert!(answer["entry"].is_string() && answer["score"].is_number(), "{answer:#}");
    assert_eq!(sounds::nearest_answer(&sounds::bakery(), text(&answer["text"])), MEANT, "{answer:#}");

    let told = the_box.milu(&["knowledge", "ask", QUESTION]);
    assert!(told.status.success() && told.stderr.is_empty(), "{}", stderr(&told));
    assert!(String::from_utf8_lossy(&told.stdout).starts_with(text(&answer["text"])), "{told:?}");

    let endless = the_box.milu(&["knowledge", "ask", &"and then ".repeat(1000)]);
    assert_eq!(endless.status.code(), Some(1));
    assert!(stderr(&endless).contains("ask in fewer words"), "{}", stderr(&endless));
    the_box.stop();
}

#[test]
fn a_question_to_a_box_that_does_not_run_says_what_to_do() {
    let nowhere = tempfile::tempdir().expect("a directory").path().join("control.sock");
    let asked = Command::new(MILU)
        .arg("--control")
        .arg(&nowhere)
        .args(["knowledge", "ask", QUESTION])
        .output()
        .expect("milu runs");
    assert_eq!(asked.status.code(), Some(1));
    assert!(asked.stdout.is_empty());
    let told = stderr(&asked);
    for part in [nowhere.to_str().expect("a name"), "`milu run --config FILE` starts it", "--file FILE asks"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
}
