//! Taking the power off a modem's USB port and giving it back, as far as the hub and
//! the kernel let us.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::sysfs::device;

/// Without power for this long: capacitors of modems hold for a second or two.
const OFF: Duration = Duration::from_secs(4);

#[derive(Debug, Error)]
#[error("switching the power of the USB port {usb_path} by {}: {source}", by.display())]
pub(super) struct SwitchPower {
    usb_path: String,
    by: PathBuf,
    source: std::io::Error,
}

/// Switches the port off and on: by the hub's own switch where it has one, and by
/// taking the device from the kernel and giving it back where it has not.
pub(super) async fn cycle(sys: &Path, usb_path: &str) -> Result<(), SwitchPower> {
    let hub_switch = hub_switch(sys, usb_path).filter(|switch| switch.exists());
    let (switch, off, on) = match hub_switch {
        Some(switch) => (switch, "1", "0"),
        None => (device(sys, usb_path).join("authorized"), "0", "1"),
    };
    write(&switch, off, usb_path).await?;
    tokio::time::sleep(OFF).await;
    write(&switch, on, usb_path).await
}

/// `1-1.4` hangs on port 4 of the hub `1-1`; a root hub is `usb1`.
fn hub_switch(sys: &Path, usb_path: &str) -> Option<PathBuf> {
    let (hub, port) = usb_path.rsplit_once(['.', '-'])?;
    let (folder, interface, name) = match hub.contains('-') {
        true => (hub.to_owned(), format!("{hub}:1.0"), format!("{hub}-port{port}")),
        false => (format!("usb{hub}"), format!("{hub}-0:1.0"), format!("usb{hub}-port{port}")),
    };
    Some(device(sys, &folder).join(interface).join(name).join("disable"))
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
        assert_eq!(shown("2-3").as_deref(), Some("/sys/bus/usb/devices/usb2/2-0:1.0/usb2-port3/disable"));
        assert_eq!(shown("nothing"), None);
    }
}
