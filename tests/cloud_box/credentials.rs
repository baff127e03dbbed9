//! What is missing is said before a call, not in one.

use std::process::{Command, Output};

use crate::near::Cloud;
use crate::providers::owner::CAREFUL;
use crate::the_box::{MILU, stderr};

/// Wrong usage or configuration.
const USAGE: i32 = 2;

fn told(cloud: &Cloud, what: &str) -> (Output, String) {
    let place = tempfile::tempdir().expect("a directory");
    let config = cloud.setup(CAREFUL).write(place.path());
    let mut command = Command::new(MILU);
    let output = command.arg(what).arg("--config").arg(config).arg("--credentials").arg(cloud.credentials()).output();
    let output = output.expect("milu runs");
    let sentences = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    (output, sentences)
}

#[test]
fn a_credential_that_is_missing_or_open_to_all_is_said_at_the_check_and_at_the_start() {
    use std::os::unix::fs::PermissionsExt as _;

    let cloud = Cloud::start(&["Nobody rings."]);
    let (output, sentences) = told(&cloud, "check");
    assert!(output.status.success(), "{sentences}");
    for name in ["deepgram", "anthropic", "elevenlabs"] {
        let file = cloud.credentials().join(name);
        let key = std::fs::read_to_string(&file).expect("a key");

        std::fs::remove_file(&file).expect("a file");
        for what in ["check", "run"] {
            let (output, sentences) = told(&cloud, what);
            assert_eq!(output.status.code(), Some(USAGE), "{what}: {sentences}");
            let says = ["credential", name, "is not there", "chmod 600"];
            assert!(says.iter().all(|part| sentences.contains(part)), "{what}: {sentences}");
        }

        std::fs::write(&file, &key).expect("a key");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is opened to all");
        let (output, sentences) = told(&cloud, "check");
        assert_eq!(output.status.code(), Some(USAGE), "{sentences}");
        assert!(sentences.contains("may be read by others") && !sentences.contains(&key), "{sentences}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is made private");
    }
    std::fs::remove_dir_all(cloud.credentials()).expect("a directory");
    let (_, sentences) = told(&cloud, "check");
    for name in ["deepgram", "anthropic", "elevenlabs"] {
        assert!(sentences.contains(&format!("`{name}`")), "one check says all that is missing: {sentences}");
    }
    // Nothing was asked of anybody.
    for provider in crate::providers::Provider::ALL {
        assert_eq!(cloud.providers.seen(provider).connections, 0);
    }
}
