//! A sound card without a kernel's driver: ALSA's file plugin over two named pipes, and
//! a thread that is the crystal, the microphone and the loudspeaker. The sound library is
//! the real one.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use milu::ops::SystemClock;
use rustix::fs::OFlags;

/// What the card's name is in a configuration.
pub const NAME: &str = "alsa:card0";

/// Where a test that was started again finds its card.
const PLACE: &str = "MILU_TEST_CARD";

/// Twenty milliseconds fill a page of a pipe but for a rest: the system frees a pipe page
/// by page, and a card that freed six periods at once would have no rhythm.
const PERIOD_BYTES: usize = 3_840;

/// Loudspeakers of a card of `hz`, all of which play the same.
const fn speakers(hz: usize) -> usize {
    PERIOD_BYTES / (2 * hz / 50)
}

/// Runs `body` in a process of its own, in which the sound library knows the card.
pub fn with_card<F: Future<Output = ()>>(test: &str, hz: usize, body: impl FnOnce(PathBuf) -> F) {
    if let Some(dir) = std::env::var_os(PLACE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(body(dir.into()));
    }
    let dir = tempfile::tempdir().unwrap();
    let configuration = write_configuration(dir.path(), hz);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("ALSA_CONFIG_PATH", configuration)
        .env(PLACE, dir.path())
        .output()
        .unwrap();
    let (told, erred) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{erred}");
    println!("{told}");
}

/// The library reads its configuration once in a process, from where the environment
/// says: so each test is a process of its own, which this writes the file for.
pub fn write_configuration(dir: &Path, hz: usize) -> PathBuf {
    let path = dir.join("asound.conf");
    let (played, heard) = (dir.join("played"), dir.join("heard"));
    let channels = speakers(hz);
    let table: String = (0..channels).map(|n| format!(" ttable.0.{n} 1\n")).collect();
    let text = format!(
        "</usr/share/alsa/alsa.conf>\n\
         pcm.nothing {{ type null }}\n\
         pcm.speakers {{ type file\n slave.pcm \"nothing\"\n file \"{}\"\n format \"raw\" }}\n\
         pcm.card0 {{\n type asym\n hint {{ show on\n description \"a card of pipes\" }}\n\
         playback.pcm {{ type route\n slave {{ pcm \"speakers\"\n format S16_LE\n channels {channels} }}\n{table} }}\n\
         capture.pcm {{ type file\n slave.pcm \"nothing\"\n file \"/dev/null\"\n infile \"{}\"\n format \"raw\" }} }}\n",
        played.display(),
        heard.display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// What is between the loudspeaker and the microphone, beside a voice.
#[derive(Clone, Copy, PartialEq)]
pub enum Room {
    Handset,
    /// The loudspeaker comes back, this strong.
    Echo(f32),
}

/// Both ends of the sound.
#[derive(Default)]
pub struct Air {
    /// What will be spoken into the microphone.
    pub to_hear: Mutex<VecDeque<i16>>,
    /// What came out of the loudspeaker.
    pub played: Mutex<Vec<i16>>,
    /// What went into the microphone.
    pub heard: Mutex<Vec<i16>>,
}

/// A card that is plugged in.
pub struct Card {
    pub air: Arc<Air>,
    dir: PathBuf,
    pulled: Arc<AtomicBool>,
    still: Arc<AtomicBool>,
    /// The loudspeaker takes nothing, though the microphone hears.
    choked: Arc<AtomicBool>,
    crystal: Option<JoinHandle<()>>,
}

impl Card {
    pub fn plug_in(dir: &Path, hz: usize, room: Room) -> Self {
        // The card is complete when its microphone is there: the box opens that last.
        let (mut played, mut heard) = (pipe(&dir.join("played")), pipe(&dir.join("heard")));
        let air = Arc::new(Air::default());
        let pulled = Arc::new(AtomicBool::new(false));
        let still = Arc::new(AtomicBool::new(false));
        let choked = Arc::new(AtomicBool::new(false));
        let (own_air, own_pulled, own_still) = (air.clone(), pulled.clone(), still.clone());
        let own_choked = choked.clone();
        let crystal = std::thread::spawn(move || {
            let clock = SystemClock::new();
            let mut due = clock.now();
            let mut walls = Walls::new(hz);
            while !own_pulled.load(Ordering::Relaxed) {
                due = due + Duration::from_millis(20);
                std::thread::sleep(clock.until(due));
                if own_still.load(Ordering::Relaxed) {
                    continue;
                }
                let loudspeaker = (!own_choked.load(Ordering::Relaxed)).then_some(&mut played);
                period(&own_air, hz / 50, room, &mut walls, loudspeaker, &mut heard);
            }
            drop(heard);
            // The library's plugins end the process when a device below them fails in
            // the middle of a write: what was pulled takes sound until nobody gives any.
            std::thread::spawn(move || drain(&mut played));
        });
        Self { air, dir: dir.to_owned(), pulled, still, choked, crystal: Some(crystal) }
    }

    pub fn say(&self, samples: &[i16]) {
        self.air.to_hear.lock().unwrap().extend(samples);
    }

    pub fn played(&self) -> Vec<i16> {
        self.air.played.lock().unwrap().clone()
    }

    /// The crystal stops, or swings again; the plug stays in.
    pub fn stop_crystal(&self) {
        self.still.store(true, Ordering::Relaxed);
    }

    pub fn start_crystal(&self) {
        self.still.store(false, Ordering::Relaxed);
    }

    /// The loudspeaker takes nothing any more, or takes it again.
    pub fn choke(&self, choked: bool) {
        self.choked.store(choked, Ordering::Relaxed);
    }

    /// Whether nobody but the card itself has its loudspeaker open: a box that still closes
    /// it must not find it choked.
    pub fn is_let_go(&self) -> bool {
        let played = self.dir.join("played");
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let of_it = open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).filter(|path| *path == played);
        of_it.count() == 1
    }

    /// Pulls the plug: both pipes are gone, names and all.
    pub fn pull_out(mut self) {
        std::fs::remove_file(self.dir.join("heard")).unwrap();
        std::fs::remove_file(self.dir.join("played")).unwrap();
        self.pulled.store(true, Ordering::Relaxed);
        self.crystal.take().unwrap().join().unwrap();
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.pulled.store(true, Ordering::Relaxed);
    }
}

fn drain(played: &mut File) {
    let mut bytes = [0; PERIOD_BYTES];
    loop {
        if !matches!(played.read(&mut bytes), Ok(count) if count > 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Twenty milliseconds of the card's time.
fn period(air: &Air, len: usize, room: Room, walls: &mut Walls, played: Option<&mut File>, heard: &mut File) {
    let mut bytes = vec![0; PERIOD_BYTES];
    // What the box has not given yet is silence.
    let got = played.and_then(|played| played.read(&mut bytes).ok()).unwrap_or(0);
    bytes[got..].fill(0);
    // The first loudspeaker is as good as the others.
    let out: Vec<i16> =
        bytes.chunks_exact(PERIOD_BYTES / len).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut block: Vec<i16> = vec![0; len];
    {
        let mut to_hear = air.to_hear.lock().unwrap();
        let count = len.min(to_hear.len());
        for (slot, sample) in block.iter_mut().zip(to_hear.drain(..count)) {
            *slot = sample;
        }
    }
    if let Room::Echo(gain) = room {
        for (sample, out) in block.iter_mut().zip(&out) {
            *sample = (f32::from(*sample) + gain * walls.echo(*out)).clamp(-32_768.0, 32_767.0) as i16;
        }
    }
    let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    // A box that does not listen loses what a microphone hears.
    if heard.write(&bytes).is_ok() {
        air.heard.lock().unwrap().extend(&block);
    }
    air.played.lock().unwrap().extend(&out);
}

/// The direct sound and three walls.
struct Walls {
    past: VecDeque<i16>,
    paths: [(usize, f32); 4],
}

impl Walls {
    fn new(hz: usize) -> Self {
        let paths = [(3, 1.0), (11, -0.5), (23, 0.35), (41, -0.2)].map(|(ms, gain)| (ms * hz / 1_000, gain));
        Self { past: vec![0; hz / 20].into(), paths }
    }

    fn echo(&mut self, out: i16) -> f32 {
        self.past.pop_back();
        self.past.push_front(out);
        self.paths.iter().map(|(ago, gain)| gain * f32::from(self.past[*ago])).sum()
    }
}

/// A named pipe of four pages: 80 ms of the loudspeakers'. The system's own size is
/// sixteen.
fn pipe(path: &Path) -> File {
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let flags = OFlags::NONBLOCK.bits().try_into().unwrap();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap();
    let shrink = "import fcntl,os,sys; fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), 1031, 16384)";
    assert!(Command::new("python3").args(["-c", shrink]).arg(path).status().unwrap().success());
    file
}
