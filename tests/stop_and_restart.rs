//! How a box ends and begins again: callers may finish when it is told to stop,
//! its service manager is told of both, and a call that a power cut took is not lost.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use milu::call::phrases;
use rustix::process::Signal;
use serde_json::Value;
use the_box::callers::Call;
use the_box::{MILU, PATIENCE, Setup, TheBox, said, stderr, text};

fn says(event: &Value, words: &str) -> bool {
    event["event"] == "turn" && event["turn"]["who"] == "box" && text(&event["turn"]["text"]).contains(words)
}

#[test]
fn a_box_that_is_told_to_stop_lets_its_caller_finish_and_takes_no_other() {
    // Longer than the call: what ends it is the caller's goodbye.
    let setup = Setup { grace_period_s: 200, ..Setup::default() };
    let mut the_box = TheBox::start(&setup);
    let watch = the_box.watch();
    let call = Call::start(
        &the_box,
        "08055550111",
        &["--say", "How much is a birthday cake?", "--say", "No, thank you. Goodbye."],
    );
    watch.until("the box has greeted", |event| says(event, phrases::HELP));
    the_box.signal(Signal::TERM);
    watch.until("the question is answered after the signal", |event| says(event, "birthday cake"));
    let late = Call::start(&the_box, "08055550112", &["--wait", "1"]).ended();
    assert!(!late.status.success(), "a box that is about to stop takes no call");
    assert!(stderr(&late).contains("ringing"), "{}", stderr(&late));
    let ended = watch.until("the call ends", |event| event["event"] == "ended");
    assert_eq!(ended["record"]["outcome"], "answered", "{ended:#}");
    assert_eq!(said(&ended["record"], "box").last(), Some(&phrases::GOODBYE), "{ended:#}");
    call.report();
    let status = the_box.ended();
    assert!(status.success(), "{status}");
    assert!(!the_box.socket().exists(), "the control socket was left behind");
}

#[test]
fn a_box_with_a_policy_ends_when_its_last_task_does() {
    let place = tempfile::tempdir().expect("a directory");
    let policy = place.path().join("residency.toml");
    std::fs::copy(the_box::root().join("firmware-config/residency/nothing-leaves.toml"), &policy).expect("a policy");
    let setup = Setup { sections: format!("[privacy]\npolicy = {policy:?}\n"), ..Setup::default() };
    let mut the_box = TheBox::start(&setup);
    the_box.signal(Signal::TERM);
    let status = the_box.ended();
    assert!(status.success(), "{status}");
    let log = the_box.log();
    assert!(log.contains("the box has stopped"), "{log}");
    for wrong in ["did not end in time", "was not complete"] {
        assert!(!log.contains(wrong), "{wrong}: {log}");
    }
}

/// What the box tells its service manager next.
fn told(manager: &UnixDatagram) -> String {
    let mut text = [0; 512];
    let len = manager.recv(&mut text).expect("the box tells its service manager something");
    String::from_utf8_lossy(&text[..len]).into_owned()
}

#[test]
fn the_service_manager_is_told_that_the_box_is_ready_that_it_lives_and_that_it_stops() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let setup = Setup { is_rung: false, ..Setup::default() };
    let mut command = Command::new(MILU);
    command.args(["run", "--config"]).arg(setup.write(place.path()));
    // Without a process named for it, the interval is for whoever reads it.
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "3000000").env_remove("WATCHDOG_PID");
    let mut the_box = TheBox::start_by(&mut command, place, &setup);

    let (mut ready, mut alive) = (0, 0);
    while ready == 0 || alive < 3 {
        match told(&manager).as_str() {
            "READY=1" => ready += 1,
            "WATCHDOG=1" => alive += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(ready, 1);
    the_box.signal(Signal::TERM);
    let mut last = told(&manager);
    while last == "WATCHDOG=1" {
        last = told(&manager);
    }
    assert_eq!(last, "STOPPING=1");
    let status = the_box.ended();
    assert!(status.success(), "{status}:\n{}", the_box.log());
}

/// An engine on the business's own network, which a policy that sends nothing does
/// not know.
const TO_THE_NETWORK: &str = "[[destination]]\nid = \"lan\"\noperator = \"our own\"\nhosts = [\"127.0.0.1:10300\"]\non_site = true\n\
    [[row]]\ndata = \"call-audio\"\nto = \"lan\"\nground = \"contract\"\nverdict = \"raw\"\n";

#[test]
fn a_box_whose_policy_is_announced_starts_with_its_engines_and_says_what_holds_meanwhile() {
    let files = tempfile::tempdir().expect("a directory");
    let policy = files.path().join("residency.toml");
    std::fs::write(&policy, "notice_period_days = 14\n").expect("a policy");
    let privacy = format!("[privacy]\npolicy = {policy:?}\n");
    let place = TheBox::start(&Setup { sections: privacy.clone(), ..Setup::default() }).stop();

    std::fs::write(&policy, TO_THE_NETWORK).expect("a policy");
    let sections = format!("{privacy}[wyoming_ears]\ndestination = \"lan\"\n");
    let again = TheBox::start_in(place, &Setup { sections, ..Setup::default() });
    let asked = ["policy", "explain", "--data", "call-audio", "--to", "lan"];
    let holds = again.json(&[&asked[..], &["--json"]].concat());
    assert_eq!(holds["verdict"], "local", "{holds:#}");
    let sentence = text(&holds["sentence"]);
    let whys = ["row `row-1` lets it go", "does not know `lan`", "until the notice period is over"];
    assert!(whys.iter().all(|why| sentence.contains(why)), "{holds:#}");
    let file = policy.display().to_string();
    let of_file = again.json(&[&asked[..], &["--policy", &file, "--json"]].concat());
    assert_eq!(of_file["verdict"], "raw", "{of_file:#}");
    again.stop();
}

#[test]
fn a_call_that_a_power_cut_took_is_closed_at_the_next_start() {
    let setup = Setup::default();
    let the_box = TheBox::start(&setup);
    let watch = the_box.watch();
    let call = Call::start(&the_box, "08055550113", &["--say", "How much is a birthday cake?", "--wait", "300"]);
    let answered = watch.until("the question is answered", |event| says(event, "birthday cake"));
    let place = the_box.kill();
    // Nobody tells the caller; its line does, or it is the test that goes.
    drop(call);

    let again = TheBox::start_in(place, &setup);
    let record = again.record_of("8055550113");
    assert_eq!(record["id"], answered["id"]);
    let gaps = record["recording"]["gaps"].as_array().expect("a list");
    assert!(gaps.iter().any(|gap| gap["reason"] == "power-cut"), "{record:#}");
    let wav = again.milu(&["calls", "play", text(&record["id"])]);
    assert!(wav.status.success() && wav.stdout.starts_with(b"RIFF"), "{}", stderr(&wav));
    assert!(again.log().contains("cut off by a power cut"), "{}", again.log());

    // It takes calls as before.
    Call::start(&again, "08055550114", &["--say", "Goodbye."]).report();
    assert_eq!(again.record_of("8055550114")["end_cause"]["q850"], 16);
    again.stop();
}
