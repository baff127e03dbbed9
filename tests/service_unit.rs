//! The service unit, as systemd itself reads it.

use std::path::Path;
use std::process::{Command, Output};

/// Tenths of a point of exposure. What is left at 1.7 is the network, the
/// real-time place of the media clock and the host's own root directory.
const EXPOSURE_MAX: &str = "--threshold=17";

fn unit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/milu.service");
    std::fs::read_to_string(path).expect("the unit is there")
}

/// Asks systemd about `unit`, whose program is put in place of the installed one.
fn analyze(arguments: &[&str], unit: &str) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("milu.service");
    std::fs::write(&path, unit.replace("/usr/bin/milu", env!("CARGO_BIN_EXE_milu"))).expect("the unit is written");
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg(&path).output().expect("systemd-analyze runs")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_takes_the_unit_without_a_complaint() {
    let output = analyze(&["verify", "--man=no"], &unit());
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
}

#[test]
fn the_row_of_devices_is_taken_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/milu-devices.conf");
    let devices = std::fs::read_to_string(path).expect("the drop-in is there");
    let both = unit().replace("[Install]", &format!("{devices}\n[Install]"));
    let output = analyze(&["verify", "--man=no"], &both);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
}

#[test]
fn systemd_would_complain_of_a_setting_that_it_does_not_know() {
    let output = analyze(&["verify", "--man=no"], &unit().replace("WatchdogSec", "WatchdogSeconds"));
    assert!(told(&output).contains("WatchdogSeconds"), "{}", told(&output));
}

#[test]
fn the_unit_is_as_closed_as_a_telephone_gateway_can_be() {
    let ask = ["security", "--offline=true", EXPOSURE_MAX];
    let output = analyze(&ask, &unit());
    assert!(output.status.success(), "{}", told(&output));
    let open = analyze(&ask, &unit().replace("ProtectSystem=strict", ""));
    assert!(!open.status.success(), "an opened unit must be found");
}
