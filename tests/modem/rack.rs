//! Where modems are plugged in: a directory that looks like `/sys` and `/dev` to
//! who looks for modems there.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::family::Interface;
use super::{Family, Modem, ModemOptions};

/// Modems and the places in which they are found. Dropping it pulls them all out.
pub struct Rack {
    place: std::sync::Arc<Place>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// The directories.
#[derive(Debug)]
pub struct Place {
    root: PathBuf,
    next_tty: AtomicU32,
    next_port: AtomicU32,
}

/// One tty of a plugged modem.
#[derive(Clone, Debug)]
pub struct Node {
    pub interface: Interface,
    /// `ttyUSB3`
    pub name: String,
}

impl Rack {
    /// An empty rack below `root`, which is there.
    pub fn new(root: &Path) -> io::Result<Self> {
        for dir in ["sys/class/tty", "sys/bus/usb/devices", "dev"] {
            fs::create_dir_all(root.join(dir))?;
        }
        let place = Place { root: root.to_owned(), next_tty: AtomicU32::new(0), next_port: AtomicU32::new(1) };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("modems").enable_all().build()?;
        Ok(Self { place: std::sync::Arc::new(place), runtime: Some(runtime) })
    }

    /// What stands for `/sys`.
    pub fn sys(&self) -> PathBuf {
        self.place.root.join("sys")
    }

    /// What stands for `/dev`.
    pub fn dev(&self) -> PathBuf {
        self.place.root.join("dev")
    }

    /// Plugs a modem into the next USB port.
    pub fn plug(&self, options: ModemOptions) -> io::Result<Modem> {
        let port = self.place.next_port.fetch_add(1, Ordering::Relaxed);
        self.plug_into(&format!("1-1.{port}"), options)
    }

    pub fn plug_into(&self, usb_path: &str, options: ModemOptions) -> io::Result<Modem> {
        let runtime = self.runtime.as_ref().map(|r| r.handle().clone());
        let runtime = runtime.ok_or_else(|| io::Error::other("the rack is being taken down"))?;
        Modem::plug(self.place.clone(), runtime, usb_path, options)
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        // A test may drop it within a runtime of its own, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Place {
    /// Makes the device appear; `terminals` are where its ttys really are, in
    /// the order of its interfaces.
    pub fn appear(&self, usb_path: &str, options: &ModemOptions, terminals: &[PathBuf]) -> io::Result<Vec<Node>> {
        let device = self.device(usb_path);
        let (vendor, product) = options.family.usb_id();
        write(&device.join("idVendor"), &format!("{vendor:04x}\n"))?;
        write(&device.join("idProduct"), &format!("{product:04x}\n"))?;
        write(&device.join("manufacturer"), &format!("{}\n", options.family.maker()))?;
        write(&device.join("product"), &format!("{}\n", options.family.model()))?;
        write(&device.join("power/control"), "auto\n")?;
        relink(&self.root.join("sys/bus/usb/devices").join(usb_path), &device)?;
        let mut nodes = Vec::new();
        for (interface, terminal) in options.family.interfaces().iter().zip(terminals) {
            let name = format!("ttyUSB{}", self.next_tty.fetch_add(1, Ordering::Relaxed));
            let below = device.join(format!("{usb_path}:1.{}", interface.number));
            write(&below.join("bInterfaceNumber"), &format!("{:02x}\n", interface.number))?;
            let (class, subclass, protocol) = interface.class;
            write(&below.join("bInterfaceClass"), &format!("{class:02x}\n"))?;
            write(&below.join("bInterfaceSubClass"), &format!("{subclass:02x}\n"))?;
            write(&below.join("bInterfaceProtocol"), &format!("{protocol:02x}\n"))?;
            let tty = below.join(&name).join("tty").join(&name);
            fs::create_dir_all(&tty)?;
            relink(&self.root.join("dev").join(&name), terminal)?;
            relink(&self.root.join("sys/class/tty").join(&name), &tty)?;
            nodes.push(Node { interface: *interface, name });
        }
        Ok(nodes)
    }

    /// Makes it go.
    pub fn disappear(&self, usb_path: &str, nodes: &[Node]) {
        for node in nodes {
            for dir in ["sys/class/tty", "dev"] {
                remove(&self.root.join(dir).join(&node.name));
            }
        }
        remove(&self.root.join("sys/bus/usb/devices").join(usb_path));
        if let Err(error) = fs::remove_dir_all(self.device(usb_path)) {
            tracing::debug!(%error, "a device's directory stays");
        }
    }

    pub fn dev(&self) -> PathBuf {
        self.root.join("dev")
    }

    fn device(&self, usb_path: &str) -> PathBuf {
        self.root.join("sys/devices/platform/usb1/1-1").join(usb_path)
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text)
}

fn relink(link: &Path, to: &Path) -> io::Result<()> {
    remove(link);
    symlink(to, link)
}

fn remove(path: &Path) {
    // What is not there is gone already.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(%error, "a link stays");
    }
}

/// For whoever plugs one of each.
pub fn one_of(family: Family) -> ModemOptions {
    ModemOptions { family, ..ModemOptions::default() }
}
