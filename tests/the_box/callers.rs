//! Those who ring: our own test caller, and Debian's baresip and SIPp.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::{MILU, TheBox, models_dir, root, stderr, until};

/// A call of our own test caller that is going on. Dropping it ends the caller.
pub struct Call(Option<Child>);

impl Call {
    /// Rings `the_box` from `number`; `steps` are those of `milu call`.
    pub fn start(the_box: &TheBox, number: &str, steps: &[&str]) -> Self {
        let child = Command::new(MILU)
            .args(["call", &format!("sip:bakery@{}", the_box.address), "--from", number, "--no-transcript", "--json"])
            .args(["--voice", "piper", "--models"])
            .arg(models_dir())
            .args(steps)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("milu runs");
        Self(Some(child))
    }

    /// How the call ended.
    pub fn ended(mut self) -> Output {
        let child = self.0.take().expect("it is taken here alone");
        child.wait_with_output().expect("the caller ends")
    }

    /// What the caller measured, when the call is over.
    pub fn report(self) -> serde_json::Value {
        let output = self.ended();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended before.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    let of = || Some(UdpSocket::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port());
    until("a port is free", || of().filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()))
}

/// Debian's baresip, told what to do over its own control socket.
pub struct Baresip {
    child: Child,
    place: TempDir,
    control: TcpStream,
}

impl Baresip {
    /// Starts it as `number`; `sound` (8 kHz) is what it sends first.
    #[allow(clippy::disallowed_methods, reason = "a caller of the box, and not the box")]
    pub fn start(number: &str, sound: &Path) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let (sip, control) = (free_port(), free_port());
        let config = format!(
            "module_path /usr/lib/baresip/modules\nsip_listen 127.0.0.1:{sip}\nctrl_tcp_listen 127.0.0.1:{control}\n\
             audio_source aufile,{sound}\naudio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n\
             audio_srate 8000\naudio_channels 1\naudio_buffer 20-160\nsnd_path {place}\n\
             module g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule sndfile.so\n\
             module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n",
            sound = sound.display(),
            place = place.path().display(),
        );
        let account = format!("<sip:{number}@127.0.0.1:{sip}>;regint=0;audio_codecs=pcma\n");
        for (name, text) in [("config", config.as_str()), ("accounts", &account), ("contacts", "")] {
            std::fs::write(place.path().join(name), text).expect("its files are written");
        }
        let mut child = Command::new("baresip")
            .arg("-f")
            .arg(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip (Debian package baresip) is installed");
        let control = until("baresip listens", || {
            assert!(child.try_wait().expect("its state").is_none(), "baresip ended at its start");
            TcpStream::connect(("127.0.0.1", control)).ok()
        });
        Self { child, place, control }
    }

    /// Rings the box.
    pub fn ring(&mut self, the_box: &TheBox) {
        self.tell("dial", &format!("sip:bakery@{}", the_box.address));
    }

    /// Sends another sound from now on (8 kHz).
    pub fn play(&mut self, sound: &Path) {
        self.tell("ausrc", &format!("aufile,{}", sound.display()));
    }

    pub fn hang_up(&mut self) {
        self.tell("hangup", "");
    }

    fn tell(&mut self, command: &str, params: &str) {
        let message = serde_json::json!({ "command": command, "params": params }).to_string();
        // A netstring: length, colon, message, comma.
        write!(self.control, "{}:{message},", message.len()).expect("baresip listens");
    }

    /// What it has received, as a WAV file, when it has ended.
    pub fn received(mut self) -> (PathBuf, TempDir) {
        self.tell("quit", "");
        let child = &mut self.child;
        until("baresip ends", || child.try_wait().expect("its state"));
        let files = std::fs::read_dir(self.place.path()).expect("its directory").flatten().map(|file| file.path());
        let decoded = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        let file = files.into_iter().find(decoded).expect("baresip has kept what it received");
        (file, std::mem::replace(&mut self.place, tempfile::tempdir().expect("a directory")))
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A run of SIPp.
pub struct Sipp {
    child: Child,
    _place: TempDir,
}

impl Sipp {
    /// Rings the box by a scenario of `tests/sip`, in which `keys` stand for texts.
    pub fn start(the_box: &TheBox, scenario: &str, keys: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let scenario = root().join("tests/sip").join(scenario);
        let text = std::fs::read_to_string(&scenario).expect("a scenario");
        // SIPp fills in keys in messages alone, not in the names of sound files.
        let text = keys.iter().fold(text, |text, (key, value)| text.replace(&format!("[[{key}]]"), value));
        let file = place.path().join("scenario.xml");
        std::fs::write(&file, text).expect("the scenario is written");
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(["-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "200s", "-timeout_error"])
            .arg(&the_box.address)
            .current_dir(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sipp (Debian package sip-tester) is installed");
        Self { child, _place: place }
    }

    pub fn succeeds(self) {
        let output = self.child.wait_with_output().expect("sipp ends");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", stderr(&output));
    }
}
