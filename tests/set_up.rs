//! `packaging/setup` with stand-ins for the programs that it calls: it does what is
//! not done yet, and nothing else.

#![allow(clippy::expect_used, reason = "what tests share stands outside of them")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A model that a box needs, of two files, and one that is a choice. The sizes in the
/// sections of where they come from are others, as in the real list.
const MODELS: &str = "[[model]]\nname = \"voice\"\nneeded = true\n\n\
    [[model.file]]\nname = \"voice.onnx\"\nsize = 5\n\n[model.file.from.copy]\nsize = 7\n\n\
    [[model.file]]\nname = \"voice.json\"\nsize = 2 # octets\n\n\
    [[model]]\nname = \"more\"\nneeded = false\n\n[[model.file]]\nname = \"more.onnx\"\nsize = 3\n";

/// A clone with its set-up and nothing built.
struct Clone(TempDir);

impl Clone {
    fn new() -> Self {
        let clone = Self(tempfile::tempdir().expect("a directory"));
        let setup = include_str!("../packaging/setup");
        clone.program("packaging/setup", setup);
        clone.write("firmware-config/models.toml", MODELS);
        clone.write("Cargo.toml", "[package]\nrust-version = \"1.95\"\n");
        clone.cargo("1.95.0");
        // Every package is installed.
        clone.program("bin/dpkg-query", "#!/bin/sh\nfor name in \"$@\"; do echo \"installed $name\"; done\n");
        clone.program(
            "target/release/milu",
            "#!/bin/sh\necho fetched >>done.txt\nmkdir -p .models\nprintf 12345 >.models/voice.onnx\nprintf 12 >.models/voice.json\n",
        );
        clone
    }

    /// A cargo of this version, which notes that it was asked to build.
    fn cargo(&self, version: &str) {
        let asked = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 'cargo {version} (of a day)' || echo built >>done.txt\n"
        );
        self.program("bin/cargo", &asked);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.at(name).parent().expect("a directory")).expect("it is made");
        std::fs::write(self.at(name), text).expect("it is written");
    }

    fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        std::fs::set_permissions(self.at(name), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    fn run(&self) -> Output {
        let path = std::env::var("PATH").expect("a path");
        std::fs::write(self.at("done.txt"), "").expect("it is written");
        Command::new("bash")
            .arg(self.at("packaging/setup"))
            .arg("run")
            .env("PATH", format!("{}:{path}", self.at("bin").display()))
            .output()
            .expect("bash runs")
    }

    fn done(&self) -> Vec<String> {
        std::fs::read_to_string(self.at("done.txt")).expect("it is there").lines().map(str::to_owned).collect()
    }

    /// Sets up what a box needs to run, and gives what was done for it.
    fn set_up(&self) -> Vec<String> {
        let output = self.run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.done()
    }

    fn size(&self, name: &str) -> u64 {
        std::fs::metadata(self.at(name)).map_or(0, |file| file.len())
    }
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn models_are_fetched_once_and_again_when_one_is_gone_or_cut_off() {
    let clone = Clone::new();
    assert_eq!(clone.set_up(), ["built", "fetched"]);
    assert!(clone.set_up().is_empty(), "all is there");

    for name in [".models/voice.onnx", ".models/voice.json"] {
        remove(&clone.at(name));
        assert_eq!(clone.set_up(), ["built", "fetched"], "{name} was gone");
        assert!(clone.size(name) > 0);
    }
    std::fs::write(clone.at(".models/voice.onnx"), "123").expect("it is written");
    assert_eq!(clone.set_up(), ["built", "fetched"], "it was cut off");
    assert_eq!(clone.size(".models/voice.onnx"), 5);
    assert!(clone.set_up().is_empty(), "a model that is a choice is not missed");

    clone.write("firmware-config/models.toml", &format!("{MODELS}# another list\n"));
    assert_eq!(clone.set_up(), ["built", "fetched"]);
}

#[test]
fn a_rust_that_is_too_old_is_told_before_anything_is_built() {
    let clone = Clone::new();
    for (version, is_enough) in [("1.63.0", false), ("1.94.1", false), ("1.95.0", true), ("1.100.2", true)] {
        clone.cargo(version);
        let output = clone.run();
        assert_eq!(output.status.success(), is_enough, "{version}");
        if !is_enough {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains(version) && told.contains("1.95") && told.contains("rustup"), "{told}");
            assert!(clone.done().is_empty(), "{version}");
        }
    }
}
