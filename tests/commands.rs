//! Commands about a running box, as they are typed: what they print, what they write
//! and with what they end.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use the_box::callers::Call;
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

#[test]
fn a_call_is_exported_for_its_owner_alone_and_a_list_has_the_calls_of_its_time() {
    let the_box = TheBox::start(&Setup::default());
    for number in ["08055550131", "08055550132"] {
        Call::start(&the_box, number, &["--say", "Goodbye."]).report();
    }
    let (first, second) = (the_box.record_of("8055550131"), the_box.record_of("8055550132"));
    a_list_has_the_calls_of_its_time(&the_box, &first, &second);
    the_export_is_whole_and_for_its_owner_alone(&the_box, &second);
    the_box.stop();
}

fn a_list_has_the_calls_of_its_time(the_box: &TheBox, first: &Value, second: &Value) {
    let listed = |which: &str, time: &str| {
        let list = the_box.json(&["calls", "list", which, time, "--json"]);
        assert_eq!(list["left_out"], false, "{list:#}");
        list["calls"].as_array().expect("a list").iter().map(|call| call["id"].clone()).collect::<Vec<_>>()
    };
    let since = |time: &str| listed("--since", time);
    let (first_at, second_at) = (text(&first["started_at"]), text(&second["started_at"]));
    assert_eq!(since(first_at), [second["id"].clone(), first["id"].clone()], "the newest first");
    assert_eq!(since(second_at), [second["id"].clone()], "a call that began at that time is one of them");
    assert!(since(text(&second["ended_at"])).is_empty());
    assert_eq!(listed("--until", second_at), [first["id"].clone()], "and none of those before it");
    // Without `list`, and for a person.
    let rows = the_box.milu(&["calls", "--since", second_at]);
    let rows = String::from_utf8(rows.stdout).expect("text");
    assert!(rows.starts_with(text(&second["id"])) && rows.lines().count() == 1, "{rows}");
    let none = the_box.milu(&["calls", "--since", text(&second["ended_at"])]);
    assert_eq!(String::from_utf8_lossy(&none.stdout), "No call began in that time.\n");
    assert_eq!(the_box.milu(&["calls", "--since", "yesterday"]).status.code(), Some(2));
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn the_export_is_whole_and_for_its_owner_alone(the_box: &TheBox, record: &Value) {
    let place = tempfile::tempdir().expect("a directory");
    let (id, to) = (text(&record["id"]), place.path().join("new/calls"));
    let export = || {
        let exported = the_box.milu(&["calls", "export", id, "--to", to.to_str().expect("a name")]);
        assert!(exported.status.success(), "{}", stderr(&exported));
    };
    export();
    let mut names: Vec<_> =
        std::fs::read_dir(&to).expect("it is there").flatten().map(|file| file.file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["-both.wav", "-box.wav", "-caller.wav", ".json"].map(|end| OsString::from(format!("{id}{end}")))
    );
    let file = |end: &str| to.join(format!("{id}{end}"));
    let read = |end: &str| std::fs::read(file(end)).expect("it is there");
    let kept: Value = serde_json::from_slice(&read(".json")).expect("JSON");
    assert_eq!(&kept, record);
    assert_eq!(read("-both.wav"), the_box.milu(&["calls", "play", id]).stdout);
    for (end, leg) in [("-caller.wav", 0), ("-box.wav", 1)] {
        let (alone, beside) = (sounds::channel(&read(end), 0), sounds::channel(&read("-both.wav"), leg));
        // Who stopped sounding first is followed by silence where the other goes on.
        let (same, rest) = beside.split_at(alone.len());
        assert!(alone == same && rest.iter().all(|sample| *sample == 0), "{end}");
    }

    // Whatever the umask is, and whatever lay there before.
    let all = [".json", "-both.wav", "-caller.wav", "-box.wav"];
    assert_eq!(mode(&to), 0o700);
    assert!(all.iter().all(|end| mode(&file(end)) == 0o600));
    std::fs::set_permissions(file(".json"), std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    export();
    assert_eq!(mode(&file(".json")), 0o600);
}
