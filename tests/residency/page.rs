//! The example of `docs/residency.md` and the engines of the README: whoever copies both
//! has engines that are asked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use milu::appliance::{CheckFinding, Config, Credentials, check};

/// The first block of TOML in a page that has `words` in it.
fn block(page: &str, words: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page is there");
    let mut blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(words)).expect("a block").to_owned()
}

/// What `milu check` finds of the engines of the README under `policy`.
fn checked(policy: &str) -> CheckFinding {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path();
    std::fs::write(place.join("residency.toml"), policy).expect("it is written");
    for engine in ["deepgram", "anthropic", "elevenlabs"] {
        let key = place.join(engine);
        std::fs::write(&key, "a-key").expect("it is written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let smallest = "[box]\nname = \"shop\"\nknowledge = \"none.md\"\n[[sip_line]]\nid = \"trunk\"\n";
    let config = place.join("milu.toml");
    std::fs::write(&config, format!("{smallest}{}", block("README.md", "[elevenlabs]"))).expect("it is written");
    let config = Config::read(&config).expect("the rows of the README are right");
    let found = check(&config, &Credentials::new(Some(place.to_owned())));
    found.into_iter().find(|finding| finding.part == "outside").expect("the part is looked at")
}

/// The policy without the row of that name.
fn without(policy: &str, id: &str) -> String {
    let name = format!("id = \"{id}\"\n");
    let rows: Vec<&str> = policy.split("[[row]]\n").collect();
    let kept: Vec<&str> = rows.iter().copied().filter(|row| !row.starts_with(&name)).collect();
    assert_eq!(kept.len() + 1, rows.len(), "{id} is a row of the page");
    kept.join("[[row]]\n")
}

#[test]
fn under_the_pages_policy_each_engine_of_the_readme_is_asked_and_without_a_row_it_is_said_which_is_not() {
    let page = block("docs/residency.md", "[[row]]");
    let finding = checked(&page);
    assert!(finding.trouble.is_none() && !finding.fine.contains("never asked"), "{finding:?}");
    for (row, class, engine) in [
        ("voice-to-ears", "call-audio", "deepgram"),
        ("words-to-mind", "transcript", "anthropic"),
        ("answer-to-mind", "reply", "anthropic"),
        ("facts-to-mind", "knowledge", "anthropic"),
        ("answer-to-voice", "reply", "elevenlabs"),
    ] {
        let finding = checked(&without(&page, row));
        let told = format!("[{engine}] is never asked: the policy sends no {class} to `{engine}`");
        assert!(finding.trouble.is_none() && finding.fine.ends_with(&told), "{row}: {finding:?}");
    }
}
