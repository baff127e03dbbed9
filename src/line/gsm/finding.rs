//! Which of the modems that are plugged in belongs to a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::signalling::modem::{InterfaceRule, Profile};
use crate::terms::Private;

use super::sysfs::{UsbInterface, UsbModem, usb_modems};

/// The kernel's trees. Tests hand in directories of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roots {
    pub sys: PathBuf,
    pub dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: "/sys".into(), dev: "/dev".into() }
    }
}

/// Where a line's modem is.
#[derive(Clone, Debug)]
pub enum ModemPlace {
    /// On ports that have names of their own, such as a serial adapter's.
    Ports { at: PathBuf, sound: Option<PathBuf> },
    /// Wherever it is plugged in.
    Usb(Wanted),
}

/// What is known of a line's modem. What is not said may be anything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The socket in which it was last, or in which it always is.
    pub usb_path: Option<String>,
    /// Whether another socket will not do.
    pub socket: Socket,
    pub imei: Option<Private<String>>,
    /// Whether another modem may come in its place.
    pub bond: Bond,
    /// The SIM that was in it last, from which a changed SIM is told.
    pub iccid: Option<Private<String>>,
    /// Modems that are other lines', for one that takes any.
    pub others: Vec<Private<String>>,
}

impl Wanted {
    /// Whether the modem with this IMEI may be the line's.
    pub(super) fn may_be(&self, imei: &Private<String>) -> bool {
        match &self.imei {
            Some(own) => own == imei,
            None => !self.others.contains(imei),
        }
    }
}

/// Whether a modem stays its line's once it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Bond {
    /// Another one may replace it: it is the only one, or its socket counts.
    #[default]
    Loose,
    /// Of several modems that any line may take, each stays with its own.
    Lasting,
}

/// Whether a modem may have moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Socket {
    /// The modem counts, wherever it is.
    #[default]
    Any,
    /// The socket counts, whatever is in it.
    This,
}

/// A modem whose ports can be opened.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// None for ports with names of their own.
    pub(super) usb_path: Option<String>,
    /// Under what it is held.
    pub(super) claim: String,
    pub(super) at: PathBuf,
    pub(super) sound: Option<PathBuf>,
    pub(super) profile: Arc<Profile>,
}

/// Links in a row that a port's name is followed through: udev makes one, and an owner
/// perhaps another.
const LINKS_MAX: usize = 8;

/// The modems that lines hold, so that no two lines take one. Clones are the same book.
#[derive(Clone, Debug, Default)]
pub struct GsmClaims(Arc<Mutex<BTreeSet<String>>>);

impl GsmClaims {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        // Nothing that could fail half way is done under the lock.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True when nobody else holds this device: a USB socket, or a port that is in none.
    pub(super) fn claim(&self, device: &str) -> bool {
        self.with(|held| held.insert(device.to_owned()))
    }

    pub(super) fn release(&self, device: &str) {
        self.with(|held| held.remove(device));
    }

    pub(super) fn is_held(&self, device: &str) -> bool {
        self.with(|held| held.contains(device))
    }
}

/// What a line is looking for.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) place: &'a ModemPlace,
    pub(super) profiles: &'a [Arc<Profile>],
    pub(super) roots: &'a Roots,
    pub(super) claims: &'a GsmClaims,
    /// Ttys of modems that turned out to be others.
    pub(super) strangers: &'a BTreeSet<String>,
}

impl Search<'_> {
    /// The modem, claimed; whoever takes it gives the claim back.
    pub(super) fn find(&self) -> Option<Found> {
        match self.place {
            ModemPlace::Ports { at, sound } => {
                let profile = self.profiles.first()?.clone();
                let claim = at.exists().then(|| self.device_of(at))?;
                let is_free = self.claims.claim(&claim);
                is_free.then(|| Found { usb_path: None, claim, at: at.clone(), sound: sound.clone(), profile })
            }
            ModemPlace::Usb(wanted) => self.find_on_usb(wanted),
        }
    }

    /// The port with the sound of a modem that was found before the kernel had named all
    /// of its ports.
    pub(super) fn sound_of(&self, found: &Found) -> Option<PathBuf> {
        let is_it = |modem: &UsbModem| found.usb_path.as_ref() == Some(&modem.usb_path);
        let modem = usb_modems(&self.roots.sys).into_iter().find(is_it)?;
        let (_, sound, _) = ports(&modem, &found.profile)?;
        sound.map(|interface| self.roots.dev.join(&interface.tty))
    }

    /// Whether the port that was named is there and another line has its modem.
    pub(super) fn is_anothers(&self) -> bool {
        match self.place {
            ModemPlace::Ports { at, .. } => at.exists() && self.claims.is_held(&self.device_of(at)),
            ModemPlace::Usb(_) => false,
        }
    }

    /// What a port belongs to, whatever name it is called by: a modem has several, and
    /// all of them are one modem's.
    fn device_of(&self, port: &Path) -> String {
        // A link that udev made, and what it leads to, one step after the other.
        let steps = std::iter::successors(Some(port.to_owned()), |path| {
            let to = std::fs::read_link(path).ok()?;
            Some(path.parent().unwrap_or(Path::new("/")).join(to))
        });
        let names: Vec<PathBuf> = steps.take(LINKS_MAX).collect();
        let is_it = |tty: &str| names.iter().any(|path| path.file_name().is_some_and(|name| name == tty));
        let modems = usb_modems(&self.roots.sys);
        let on_usb = modems.into_iter().find(|modem| modem.interfaces.iter().any(|port| is_it(&port.tty)));
        let real = std::fs::canonicalize(port).unwrap_or_else(|_| port.to_owned());
        on_usb.map_or_else(|| real.display().to_string(), |modem| modem.usb_path)
    }

    fn find_on_usb(&self, wanted: &Wanted) -> Option<Found> {
        let mut modems = usb_modems(&self.roots.sys);
        let is_where_it_was = |modem: &UsbModem| wanted.usb_path.as_ref() == Some(&modem.usb_path);
        if wanted.socket == Socket::This {
            modems.retain(is_where_it_was);
        }
        modems.sort_by_key(|modem| !is_where_it_was(modem));
        modems.iter().filter(|modem| !self.claims.is_held(&modem.usb_path)).find_map(|modem| {
            let (at, sound, profile) = self.profiles.iter().find_map(|profile| ports(modem, profile))?;
            if self.strangers.contains(&at.tty) {
                return None;
            }
            let path = |interface: &UsbInterface| self.roots.dev.join(&interface.tty);
            let found = Found {
                usb_path: Some(modem.usb_path.clone()),
                claim: modem.usb_path.clone(),
                at: path(at),
                sound: sound.map(path),
                profile: profile.clone(),
            };
            // The node comes a moment after the kernel's tree has it.
            (found.at.exists() && self.claims.claim(&modem.usb_path)).then_some(found)
        })
    }
}

/// The port for commands and that for sound, when the profile knows the device.
fn ports<'m, 'p>(
    modem: &'m UsbModem,
    profile: &'p Arc<Profile>,
) -> Option<(&'m UsbInterface, Option<&'m UsbInterface>, &'p Arc<Profile>)> {
    let fits = |usb: &&crate::signalling::modem::UsbMatch| {
        usb.vendor == modem.vendor && usb.product.is_none_or(|product| product == modem.product)
    };
    // A product that is named counts before a whole vendor.
    let usb = profile.usb.iter().filter(fits).max_by_key(|usb| usb.product.is_some())?;
    let at = first_of(modem, &usb.at, &usb.sound)?;
    Some((at, first_of(modem, &usb.sound, &usb.at), profile))
}

/// The first interface that a rule fits. One that is known by its number alone is none whose
/// class says that it is the other one: the right one may have no tty yet.
fn first_of<'m>(modem: &'m UsbModem, rules: &[InterfaceRule], other: &[InterfaceRule]) -> Option<&'m UsbInterface> {
    rules.iter().find_map(|rule| {
        modem.interfaces.iter().find(|interface| match *rule {
            InterfaceRule::Number(number) => interface.number == number && !other.contains(&of_class(interface)),
            InterfaceRule::Class(..) => *rule == of_class(interface),
        })
    })
}

const fn of_class(interface: &UsbInterface) -> InterfaceRule {
    let (class, subclass, protocol) = interface.class;
    InterfaceRule::Class(class, subclass, protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn huawei() -> Arc<Profile> {
        let text = include_str!("../../../firmware-config/modems/huawei.toml");
        Arc::new(Profile::parse(text, "huawei").expect("a profile"))
    }

    /// The numbers of the ports for commands and for sound of a stick with these interfaces.
    fn found(product: u16, interfaces: &[(u8, (u8, u8, u8))]) -> Option<(u8, Option<u8>)> {
        let tty = |number: u8| format!("ttyUSB{number}");
        let modem = UsbModem {
            usb_path: "1-1.4".to_owned(),
            vendor: 0x12D1,
            product,
            interfaces: interfaces
                .iter()
                .map(|(number, class)| UsbInterface { number: *number, class: *class, tty: tty(*number) })
                .collect(),
        };
        ports(&modem, &huawei()).map(|(at, sound, _)| (at.number, sound.map(|port| port.number)))
    }

    #[test]
    fn a_huawei_of_a_product_that_nobody_listed_has_its_commands_and_its_sound_in_each_kind_of_firmware() {
        for ((at, sound), subclass) in [((0x02, 0x03), 1), ((0x02, 0x03), 2), ((0x02, 0x03), 3), ((0x32, 0x33), 1)] {
            // The network's port, then the other two, the wrong way round.
            let interfaces = [(0, (0xFF, subclass, 0x01)), (1, (0xFF, subclass, sound)), (2, (0xFF, subclass, at))];
            assert_eq!(found(0xFFFF, &interfaces), Some((2, Some(1))), "ff/{subclass:02x}/{at:02x}");
        }
    }

    #[test]
    fn the_classes_of_a_listed_huaweis_ports_count_before_the_numbers_of_its_product() {
        // As owners' sticks list themselves; the second interface is the network's, without a tty.
        let classes = [(0, (0xFF, 0x01, 0x01)), (3, (0xFF, 0x01, 0x03)), (4, (0xFF, 0x01, 0x02))];
        assert_eq!(found(0x1506, &classes), Some((4, Some(3))));
        // An E1550's classes say nothing.
        let none = [(0, (0xFF, 0xFF, 0xFF)), (1, (0xFF, 0xFF, 0xFF)), (2, (0xFF, 0xFF, 0xFF))];
        assert_eq!(found(0x1001, &none), Some((2, Some(1))));
        // Commands are where the product's sound would be, or sound where its commands would.
        let alone = [(0, (0xFF, 0x01, 0x01)), (1, (0xFF, 0x01, 0x02))];
        assert_eq!(found(0x1001, &alone), Some((1, None)));
        assert_eq!(found(0x1506, &classes[..2]), None);
    }
}
