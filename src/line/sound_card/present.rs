//! Which sound cards the machine has: `/proc/asound/cards` for their names, sysfs for
//! where they are plugged in. Asking the sound library would open every device that
//! anybody has described, and start servers.

use std::path::{Path, PathBuf};

/// A card that is plugged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardFacts {
    /// Changes from one plugging-in to the next.
    pub index: u32,
    /// The card's name in settings: stable, and the same for the same model.
    pub id: String,
    /// What its maker calls it.
    pub title: String,
    pub usb: Option<UsbPlace>,
}

/// Where a card is plugged in, and what it says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsbPlace {
    /// Bus and ports, such as `1-1.4`: the same socket has the same path.
    pub path: String,
    pub vendor: u16,
    pub product: u16,
}

/// A file of the kernel's with a row for every card; more is no list of cards.
const MOST_BYTES: usize = 64 * 1024;

/// The kernel's own limit is 32.
const MOST_CARDS: usize = 64;

/// The cards that are plugged in now; none where the machine has no sound.
pub fn sound_cards() -> Vec<CardFacts> {
    cards_under(Path::new("/"))
}

fn cards_under(root: &Path) -> Vec<CardFacts> {
    let Ok(text) = std::fs::read(root.join("proc/asound/cards")) else { return Vec::new() };
    let text = String::from_utf8_lossy(&text[..text.len().min(MOST_BYTES)]);
    let mut cards = parse(&text);
    for card in &mut cards {
        card.usb = usb_place(&root.join(format!("sys/class/sound/card{}/device", card.index)));
    }
    cards
}

/// Reads ` 1 [Android        ]: USB-Audio - Android` and the row that follows it.
fn parse(text: &str) -> Vec<CardFacts> {
    let one = |row: &str| {
        let (index, rest) = row.split_once('[')?;
        let (id, rest) = rest.split_once(']')?;
        let title = rest.split_once(" - ").map_or("", |(_, title)| title);
        let (index, id) = (index.trim().parse().ok()?, id.trim().to_owned());
        (!id.is_empty()).then(|| CardFacts { index, id, title: title.trim().to_owned(), usb: None })
    };
    text.lines().filter_map(one).take(MOST_CARDS).collect()
}

/// The card's device is an interface of a USB device, whose folder lies above.
fn usb_place(device: &Path) -> Option<UsbPlace> {
    let interface = std::fs::canonicalize(device).ok()?;
    let above: PathBuf = interface.parent()?.to_owned();
    let number = |name: &str| {
        let text = std::fs::read_to_string(above.join(name)).ok()?;
        u16::from_str_radix(text.trim(), 16).ok()
    };
    let (vendor, product) = (number("idVendor")?, number("idProduct")?);
    Some(UsbPlace { path: above.file_name()?.to_str()?.to_owned(), vendor, product })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO: &str = " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0xf7f10000 irq 34\n 2 [Android        ]: USB-Audio - Android\n                      Quectel, Incorporated Android at usb-0000:00:14.0-1.4, high speed\n";

    #[test]
    fn cards_are_found_with_the_place_where_they_are_plugged_in() {
        let root = tempfile::tempdir().unwrap();
        let usb = root.path().join("sys/devices/usb1/1-1/1-1.4");
        let interface = usb.join("1-1.4:1.5");
        std::fs::create_dir_all(&interface).unwrap();
        std::fs::write(usb.join("idVendor"), "2c7c\n").unwrap();
        std::fs::write(usb.join("idProduct"), "0125\n").unwrap();
        std::fs::create_dir_all(root.path().join("sys/class/sound/card2")).unwrap();
        std::os::unix::fs::symlink(&interface, root.path().join("sys/class/sound/card2/device")).unwrap();
        std::fs::create_dir_all(root.path().join("proc/asound")).unwrap();
        std::fs::write(root.path().join("proc/asound/cards"), TWO).unwrap();

        let cards = cards_under(root.path());
        assert_eq!(cards[0], CardFacts { index: 0, id: "PCH".into(), title: "HDA Intel PCH".into(), usb: None });
        let place = UsbPlace { path: "1-1.4".into(), vendor: 0x2c7c, product: 0x0125 };
        assert_eq!(cards[1], CardFacts { index: 2, id: "Android".into(), title: "Android".into(), usb: Some(place) });
    }

    #[test]
    fn a_machine_without_sound_has_no_card() {
        let root = tempfile::tempdir().unwrap();
        assert!(cards_under(root.path()).is_empty());
        assert!(parse("--- no soundcards ---\n").is_empty());
    }

    proptest! {
        #[test]
        fn no_list_of_cards_is_a_surprise(text in "\\PC{0,200}|( [0-9]{1,12} \\[.{0,20}\\]: .{0,30}\n){0,4}") {
            prop_assert!(parse(&text).iter().all(|card| !card.id.is_empty()));
        }
    }
}
