//! The service unit, as systemd itself reads it, and the rules by which modems are the
//! box's own.

#![allow(clippy::panic, reason = "what tests share stands outside of them")]

use std::path::Path;
use std::process::{Command, Output};

/// Tenths of a point of exposure. What is left at 1.7 is the network, the right to
/// raise the media clock's thread and the host's own root directory.
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
fn a_port_of_the_kind_that_an_example_names_may_be_opened_by_the_service() {
    let read = |page| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("it is there");
    let (devices, page) = (read("systemd/milu-devices.conf"), read("docs/gsm.md"));
    let kind = |rest: &str| rest.split(|c: char| !c.is_ascii_alphabetic()).next().map(str::to_owned);
    let ports = page.split("\"/dev/").skip(1).filter_map(kind).filter(|kind| kind.starts_with("tty"));
    let ports: Vec<String> = ports.collect();
    assert!(!ports.is_empty(), "a line names a port");
    for kind in ports {
        let row = format!("DeviceAllow=char-{kind} rw");
        assert!(devices.lines().any(|found| found == row), "{row}");
    }
}

#[test]
fn a_modem_or_card_that_is_the_first_of_its_kind_may_be_opened_by_a_box_that_runs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/milu-devices.conf");
    let devices = std::fs::read_to_string(path).expect("the drop-in is there");
    // What registers each kind with the kernel. Serial ports of the board and the keys of
    // handsets are in Debian's kernel itself.
    for (kind, driver) in [("ttyUSB", "usbserial"), ("ttyACM", "cdc_acm"), ("alsa", "snd")] {
        assert!(devices.contains(&format!("DeviceAllow=char-{kind} rw")), "{kind}");
        for setting in ["Wants=", "After="] {
            let row = devices.lines().find(|row| row.starts_with(setting)).unwrap_or_default();
            let loaded = format!("modprobe@{driver}.service");
            assert!(row[setting.len()..].split(' ').any(|unit| unit == loaded), "{setting}{loaded}");
        }
    }
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

/// Rows of the delivered rules: those that hold, and those that an owner may let hold.
fn udev_rules() -> (Vec<String>, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/udev/76-milu-modems.rules");
    let text = std::fs::read_to_string(path).expect("the rules are there");
    let rows = text.lines().filter(|row| !row.is_empty() && !row.starts_with("# ") && *row != "#");
    let (optional, active): (Vec<&str>, Vec<&str>) = rows.partition(|row| row.starts_with('#'));
    let optional = optional.iter().map(|row| row.trim_start_matches('#').to_owned()).collect();
    (active.iter().map(|row| (*row).to_owned()).collect(), optional)
}

/// `KEY{attribute}op"value"` of a row, as udev(7) writes them.
fn keys(row: &str) -> Vec<(String, String, String)> {
    let mut rest = row;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let at = rest.find(['=', '!', '+']).unwrap_or_else(|| panic!("no operator: {row}"));
        let (key, after) = rest.split_at(at);
        let open = after.find('"').unwrap_or_else(|| panic!("no value: {row}"));
        let close = open + 1 + after[open + 1..].find('"').unwrap_or_else(|| panic!("an open value: {row}"));
        let operator = &after[..open];
        assert!(["=", "==", "!=", "+="].contains(&operator), "{operator}: {row}");
        assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_{}/".contains(&b)), "{key}: {row}");
        found.push((key.to_owned(), operator.to_owned(), after[open + 1..close].to_owned()));
        rest = after[close + 1..].trim_start_matches(',').trim_start();
    }
    found
}

#[test]
fn the_rules_for_devices_claim_the_makers_of_delivered_families_and_no_adapter_that_may_be_anything() {
    let (active, optional) = udev_rules();
    let vendors = |row: &str| {
        let vendor = |(key, _, value): (String, String, String)| {
            (key.ends_with("{idVendor}")).then(|| value.split('|').map(str::to_owned).collect::<Vec<_>>())
        };
        keys(row).into_iter().filter_map(vendor).flatten().collect::<Vec<_>>()
    };
    let mut claimed: Vec<String> = active.iter().flat_map(|row| vendors(row)).collect();
    claimed.sort();
    claimed.dedup();
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/modems");
    let mut found: Vec<String> = Vec::new();
    for file in std::fs::read_dir(families).expect("families are delivered") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("it is text");
        let profile = milu::signalling::modem::Profile::parse(&text, "family").expect("it is right");
        found.extend(profile.usb.iter().map(|usb| format!("{:04x}", usb.vendor)));
    }
    found.sort();
    found.dedup();
    assert_eq!(claimed, found, "the makers that a line finds by itself");
    // What an owner lets hold names one socket, and never every adapter of a kind.
    assert!(!optional.is_empty());
    for row in &optional {
        assert!(keys(row).iter().any(|(key, operator, _)| key == "KERNELS" && operator == "=="), "{row}");
    }
    let labels = |key: &str| active.iter().flat_map(|row| keys(row)).filter(|(k, ..)| k == key).count();
    assert_eq!((labels("LABEL"), labels("GOTO")), (3, 5), "each way through the rules has an end");
}

/// Runs the rows of `docs/install.md`, with the root of the system in `root`.
fn install_by_hand(root: &Path) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(repository.join("docs/install.md")).expect("the page is there");
    let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut rows =
        block.expect("a block of rows").replace("target/release/milu ", concat!(env!("CARGO_BIN_EXE_milu"), " "));
    for directory in ["usr", "etc"] {
        rows = rows.replace(&format!(" /{directory}/"), &format!(" {}/{directory}/", root.display()));
    }
    let output = Command::new("sh").args(["-eu", "-c", &rows]).current_dir(repository).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", told(&output));
}

#[test]
fn a_box_that_is_installed_by_hand_has_a_configuration_and_what_it_names() {
    let place = tempfile::tempdir().expect("a directory");
    install_by_hand(place.path());
    assert!(unit().contains("--config /etc/milu/milu.toml"), "the page puts it where the service looks");
    let config = milu::appliance::Config::read(&place.path().join("etc/milu/milu.toml")).expect("a configuration");
    assert!(config.knowledge.is_file(), "{} is there", config.knowledge.display());
    let unit = unit();
    let page = unit.lines().find_map(|row| row.strip_prefix("Documentation=file:/")).expect("the unit names a page");
    assert!(place.path().join(page).is_file(), "{page} is there");
}

#[test]
fn a_box_that_is_installed_by_hand_finds_its_families_of_modems_and_its_operators() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    install_by_hand(root);
    // Where the list of models is by default; what lies beside it is named nowhere.
    let list = Path::new("/usr/share/milu/models.toml");
    let plain = root.join("plain.toml");
    let smallest = "[box]\nname = \"shop\"\nknowledge = \"none.md\"\n[[gsm_line]]\nid = \"sim\"\n";
    std::fs::write(&plain, smallest).expect("it is written");
    let defaults = milu::appliance::Config::read(&plain).expect("nothing else is needed");
    assert_eq!(defaults.models_manifest, list, "the page puts the list where it is looked for");
    let config = root.join("milu.toml");
    let text = format!(
        "[box]\nname = \"shop\"\nknowledge = \"none.md\"\ndata_dir = \"data\"\nmodels_manifest = {:?}\n\
         [[gsm_line]]\nid = \"sim\"\n",
        root.join("usr/share/milu/models.toml")
    );
    std::fs::write(&config, text).expect("it is written");
    let check = || {
        let milu = root.join("usr/bin/milu");
        told(&Command::new(milu).args(["check", "--config"]).arg(&config).output().expect("it runs"))
    };
    let shown = check();
    let row = |shown: &str| shown.lines().find(|row| row.contains("modems")).map(str::to_owned).unwrap_or_default();
    assert!(row(&shown).contains("families are known"), "{shown}");
    std::fs::remove_file(root.join("usr/share/milu/operators.toml")).expect("it was there");
    let shown = check();
    assert!(row(&shown).contains("operators.toml") && shown.contains("box.operators"), "{shown}");
}
