//! Taking the power off a modem's USB port and giving it back, as far as the hub and
//! the kernel let us.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::sysfs::device;

/// Without power for this long: capacitors of modems hold for a second or two.
pub(super) const OFF: Duration = Duration::from_secs(4);

#[derive(Debug, Error)]
#[error("switching the power of the USB port {usb_path} by {}: {source}", by.display())]
pub(super) struct SwitchPower {
    usb_path: String,
    by: PathBuf,
    source: std::io::Error,
}

/// What switches a port, and what is written to it.
struct Switch {
    path: PathBuf,
    off: &'static str,
    on: &'static str,
}

/// The hub's own switch where it has one, and else what takes the device from the
/// kernel and gives it back.
fn switch(sys: &Path, usb_path: &str) -> Switch {
    match hub_switch(sys, usb_path).filter(|switch| switch.exists()) {
        Some(path) => Switch { path, off: "1", on: "0" },
        None => Switch { path: device(sys, usb_path).join("authorized"), off: "0", on: "1" },
    }
}

/// Switches the port off and on. The power comes back at once when `hurry` is cancelled:
/// a box that stops waits a few seconds, and a port that is left off stays off.
pub(super) async fn cycle(sys: &Path, usb_path: &str, hurry: CancellationToken) -> Result<(), SwitchPower> {
    let switch = switch(sys, usb_path);
    write(&switch.path, switch.off, usb_path).await?;
    tokio::select! {
        () = tokio::time::sleep(OFF) => {}
        () = hurry.cancelled() => {}
    }
    write(&switch.path, switch.on, usb_path).await
}

/// Gives a port its power back that is off, as one that was switching when its box was
/// killed. Whether it was.
pub(super) async fn give_back(sys: &Path, usb_path: &str) -> Result<bool, SwitchPower> {
    let switch = switch(sys, usb_path);
    // A port that is not there has none to give back.
    let is_off = tokio::fs::read_to_string(&switch.path).await.is_ok_and(|text| text.trim() == switch.off);
    if is_off {
        write(&switch.path, switch.on, usb_path).await?;
    }
    Ok(is_off)
}

/// `1-1.4` hangs on port 4 of the hub `1-1`. A modem in a socket of the box itself, as
/// `2-3`, has no switch: its hub is the root hub `usb2`, whose switch can leave the port
/// worse than it was.
fn hub_switch(sys: &Path, usb_path: &str) -> Option<PathBuf> {
    let (hub, port) = usb_path.rsplit_once(['.', '-']).filter(|(hub, _)| hub.contains('-'))?;
    Some(device(sys, hub).join(format!("{hub}:1.0")).join(format!("{hub}-port{port}")).join("disable"))
}

async fn write(path: &Path, text: &'static str, usb_path: &str) -> Result<(), SwitchPower> {
    let wrong = |source| SwitchPower { usb_path: usb_path.to_owned(), by: path.to_owned(), source };
    tokio::fs::write(path, text).await.map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_of_a_port_is_found_on_hubs_of_every_depth() {
        let shown = |usb_path| hub_switch(Path::new("/sys"), usb_path).map(|path| path.display().to_string());
        assert_eq!(shown("1-1.4").as_deref(), Some("/sys/bus/usb/devices/1-1/1-1:1.0/1-1-port4/disable"));
        assert_eq!(shown("1-1.4.2").as_deref(), Some("/sys/bus/usb/devices/1-1.4/1-1.4:1.0/1-1.4-port2/disable"));
        assert_eq!(shown("nothing"), None);
    }

    #[test]
    fn a_modem_in_a_socket_of_the_box_is_taken_from_the_kernel_and_its_root_hub_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        // Kernels since 6.0 offer the file on root hubs as well.
        let port = dir.path().join("bus/usb/devices/usb2/2-0:1.0/usb2-port3");
        std::fs::create_dir_all(&port).expect("a directory");
        std::fs::write(port.join("disable"), "0").expect("a file");
        let switch = switch(dir.path(), "2-3");
        assert_eq!(switch.path, dir.path().join("bus/usb/devices/2-3/authorized"));
        assert_eq!((switch.off, switch.on), ("0", "1"));
    }
}
