//! Which serial ports hang on which USB device, as the kernel's tree in `/sys` says.
//! Numbers of ttys change with every reset; where a device is plugged in does not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// More ttys than any box has; a tree with more is no `/sys`.
const TTYS_MAX: usize = 512;

/// A USB device with serial ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsbModem {
    /// Bus and ports, `1-1.4`: the same socket has the same path.
    pub usb_path: String,
    pub vendor: u16,
    pub product: u16,
    /// By number.
    pub interfaces: Vec<UsbInterface>,
}

/// One interface of it that is a serial port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsbInterface {
    /// `bInterfaceNumber`
    pub number: u8,
    /// Class, subclass and protocol.
    pub class: (u8, u8, u8),
    /// `ttyUSB3`
    pub tty: String,
}

/// The devices that are there now, in the order of their paths. `sys` is `/sys`,
/// but in tests.
pub fn usb_modems(sys: &Path) -> Vec<UsbModem> {
    let mut found: BTreeMap<String, UsbModem> = BTreeMap::new();
    let Ok(ttys) = std::fs::read_dir(sys.join("class/tty")) else { return Vec::new() };
    for tty in ttys.filter_map(Result::ok).take(TTYS_MAX) {
        let Some((modem, interface)) = usb_tty(&tty.path()) else { continue };
        found.entry(modem.usb_path.clone()).or_insert(modem).interfaces.push(interface);
    }
    let mut modems: Vec<UsbModem> = found.into_values().collect();
    modems.iter_mut().for_each(|modem| modem.interfaces.sort_by_key(|interface| interface.number));
    modems
}

/// The device and the interface of a tty; none when it does not hang on USB.
fn usb_tty(link: &Path) -> Option<(UsbModem, UsbInterface)> {
    let tty = link.file_name()?.to_str()?.to_owned();
    let real = std::fs::canonicalize(link).ok()?;
    let interface_dir = real.ancestors().find(|dir| dir.join("bInterfaceNumber").exists())?;
    let device = interface_dir.parent()?;
    let modem = UsbModem {
        usb_path: device.file_name()?.to_str()?.to_owned(),
        vendor: u16::from_str_radix(&attribute(device, "idVendor")?, 16).ok()?,
        product: u16::from_str_radix(&attribute(device, "idProduct")?, 16).ok()?,
        interfaces: Vec::new(),
    };
    let byte = |name| attribute(interface_dir, name).and_then(|text| u8::from_str_radix(&text, 16).ok());
    let class = (
        byte("bInterfaceClass").unwrap_or(0xFF),
        byte("bInterfaceSubClass").unwrap_or(0xFF),
        byte("bInterfaceProtocol").unwrap_or(0xFF),
    );
    Some((modem, UsbInterface { number: byte("bInterfaceNumber")?, class, tty }))
}

/// One small file of the tree.
fn attribute(dir: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(dir.join(name)).ok().map(|text| text.trim().to_owned())
}

/// Where the device with this path stands in the tree.
pub(super) fn device(sys: &Path, usb_path: &str) -> PathBuf {
    sys.join("bus/usb/devices").join(usb_path)
}
