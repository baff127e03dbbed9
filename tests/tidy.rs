//! Keeps the house in order: floors, purity, names, sizes, and what must never
//! stand in a file. Each rule is shown to fail on a small bad sample.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::path::Path;

use rules::{FOR_ALL_RUST, FOR_SOURCES, FOR_TEXTS, Rule};
use source::{Source, read_all};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn breaches(sources: &[Source], rules: &[Rule]) -> Vec<String> {
    sources.iter().flat_map(|source| rules.iter().flat_map(|rule| rule(source))).collect()
}

fn assert_tidy(found: &[String]) {
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_library_and_the_programs_keep_the_rules() {
    let sources = read_all(root(), "src", &[".rs"]).expect("src is there");
    assert!(sources.len() > 20, "only {} files were read", sources.len());
    assert_tidy(&breaches(&sources, FOR_SOURCES));
    assert_tidy(&breaches(&sources, FOR_ALL_RUST));
}

#[test]
fn the_tests_keep_the_rules() {
    let sources = read_all(root(), "tests", &[".rs"]).expect("tests is there");
    assert_tidy(&breaches(&sources, FOR_ALL_RUST));
}

#[test]
fn scripts_documents_and_settings_keep_the_rules() {
    let endings = ["", ".sh", ".md", ".toml", ".service", ".yml", ".txt"];
    let mut texts = Vec::new();
    for folder in ["docs", "packaging", "systemd"] {
        texts.extend(read_all(root(), folder, &endings).expect("the folder is there"));
    }
    for file in ["README.md", "Makefile", "Cargo.toml", "clippy.toml", "deny.toml", ".ci/run"] {
        let text = std::fs::read_to_string(root().join(file)).expect("the file is there");
        texts.push(Source::new(file, &text));
    }
    assert_tidy(&breaches(&texts, FOR_TEXTS));
}

#[test]
fn the_documents_name_only_files_that_exist() {
    let mut missing = Vec::new();
    let documents = read_all(root(), "docs", &[".md"]).expect("the folder is there");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the document is there");
    for Source { path: document, text, .. } in documents.iter().chain([&Source::new("README.md", &readme)]) {
        // Between backquotes stands code; what begins with one of our folders is a path.
        for name in text.split('`').skip(1).step_by(2) {
            let ours = ["src/", "tests/", "docs/", "packaging/", "systemd/", "fuzz/", "firmware-config/"]
                .iter()
                .any(|f| name.starts_with(f));
            if ours && !name.contains(['*', ' ', '<']) && !root().join(name).exists() {
                missing.push(format!("{document}: `{name}` does not exist"));
            }
        }
    }
    assert_tidy(&missing);
}

/// Whether `rule` complains of `text` at `path`.
fn complains(rule: Rule, path: &str, text: &str) -> bool {
    !rule(&Source::new(path, text)).is_empty()
}

#[test]
fn an_import_that_goes_up_or_sideways_is_found_however_it_is_written() {
    for (path, text) in [
        ("src/media/jitter.rs", "use crate::call::Call;"),
        ("src/media/jitter.rs", "use crate::signalling::sip;"),
        ("src/media/jitter.rs", "use crate::{terms::Moment, knowledge::Finding};"),
        ("src/media/jitter.rs", "use crate::{\n    terms::Moment,\n    line,\n};"),
        ("src/media/jitter.rs", "fn f() { crate::store::open(); }"),
        ("src/media/jitter.rs", "use super::super::knowledge::Finding;"),
        ("src/line/sip.rs", "use crate::speech::Transcriber;"),
        ("src/call/mod.rs", "use crate::ops::SystemClock;"),
        ("src/attic/mod.rs", "fn a_module_on_no_floor() {}"),
    ] {
        assert!(complains(rules::floors, path, text), "{path}: {text}");
    }
}

#[test]
fn an_import_that_goes_down_is_fine() {
    for (path, text) in [
        ("src/line/leg.rs", "use crate::call::MediaFacts;\nuse crate::media::Frame;"),
        ("src/speech/mind.rs", "use crate::knowledge::Finding;"),
        ("src/media/jitter.rs", "use crate::media::Frame;\nuse super::Frame;"),
        ("src/media/jitter.rs", "// as crate::call does\nconst WORDS: &str = \"crate::call\";"),
        ("src/bin/milu/main.rs", "use milu::appliance::Appliance;"),
        ("src/lib.rs", "pub mod call;"),
    ] {
        assert!(!complains(rules::floors, path, text), "{path}: {text}");
    }
}

#[test]
fn the_world_in_a_pure_module_is_found() {
    for text in [
        "use tokio::sync::mpsc;",
        "use std::net::UdpSocket;",
        "let text = std::fs::read(path);",
        "use std::time::{Duration, Instant};",
        "let dice = rand::random();",
        "std::thread::Builder::new();",
    ] {
        assert!(complains(rules::purity, "src/conversation/turn.rs", text), "{text}");
        assert!(!complains(rules::purity, "src/line/sip.rs", text), "a driver may: {text}");
        assert!(!complains(rules::purity, "src/ops/clock.rs", text), "ops may: {text}");
    }
    let plain = "use std::net::IpAddr;\n/// Instant coffee\nfn brand() -> &'static str { \"tokio\" }";
    assert!(!complains(rules::purity, "src/signalling/sdp.rs", plain));
    let tested = "fn f() {}\n#[cfg(test)]\nmod tests {\n use std::fs;\n fn g() { std::fs::read(\"a\"); }\n}";
    assert!(!complains(rules::purity, "src/knowledge/file.rs", tested), "a test may read its files");
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for text in
        ["pub struct CallManager;", "enum Session {}", "trait EventHandlers {}", "mod utils;", "type Context = ();"]
    {
        assert!(complains(rules::empty_names, "src/line/sip.rs", text), "{text}");
    }
    for text in ["struct SessionTimer;", "struct UserAgentHeader;", "struct Desk;", "fn handler() {}"] {
        assert!(!complains(rules::empty_names, "src/line/sip.rs", text), "{text}");
    }
}

#[test]
fn a_module_without_a_header_is_found() {
    assert!(complains(rules::headers, "src/media/mod.rs", "mod frame;"));
    assert!(complains(rules::headers, "src/bin/milu/main.rs", "fn main() {}"));
    assert!(!complains(rules::headers, "src/media/mod.rs", "//! Samples.\nmod frame;"));
    assert!(!complains(rules::headers, "src/media/frame.rs", "struct Frame;"));
}

#[test]
fn unsafe_without_its_reason_is_found() {
    let bare = "fn f() { unsafe { g() } }";
    let commented = "fn f() {\n // SAFETY: g has no conditions\n unsafe { g() }\n}";
    let whole = format!("#![allow(unsafe_code, reason = \"a C interface\")]\n{commented}");
    assert!(complains(rules::reasons_for_unsafe, "src/media/map.rs", bare));
    assert!(complains(rules::reasons_for_unsafe, "src/media/map.rs", commented), "the file says no reason");
    assert!(!complains(rules::reasons_for_unsafe, "src/media/map.rs", &whole));
}

#[test]
fn a_clock_or_a_spawn_outside_its_owner_is_found() {
    for text in ["Instant::now()", "jiff::Timestamp::now()", "tokio::spawn(task)", "std::thread::spawn(f)"] {
        assert!(complains(rules::owned_calls, "src/line/sip.rs", text), "{text}");
    }
    assert!(!complains(rules::owned_calls, "src/ops/clock.rs", "Instant::now()"));
    assert!(!complains(rules::owned_calls, "src/line/sip.rs", "supervisor.spawn(name, task)"));
}

#[test]
fn a_second_door_is_found_however_it_is_made() {
    for text in [
        "let s = TcpStream::connect(address).await?;",
        "let s = std::net::TcpStream::connect_timeout(&a, t)?;",
        "use tokio::net::TcpSocket;",
        "let s = tokio::net::UdpSocket::bind(any).await?;",
        "for a in tokio::net::lookup_host(host).await? {}",
        "let a = (\"api.example.com\", 443).to_socket_addrs()?;",
        "use hyper::client::conn::http1;",
        "let (ws, _) = tokio_tungstenite::connect_async(url).await?;",
        "let config = rustls::ClientConfig::builder();",
        "let mut command = Command::new(\"curl\");",
        "fn f(c: Cleared<Words>) { let (words, _) = c.into_parts(); }",
    ] {
        for path in ["src/speech/cloud/deepgram.rs", "src/appliance/desk.rs", "src/store/marks.rs"] {
            assert!(complains(rules::one_door_out, path, text), "{path}: {text}");
        }
    }
    for (path, text) in [
        ("src/egress/connect.rs", "let s = TcpStream::connect(address).await?;"),
        ("src/egress/door.rs", "let (words, clearance) = cleared.into_parts();"),
        ("src/line/sip/tcp.rs", "let s = TcpStream::connect(address).await?;"),
        ("src/line/sip/wire.rs", "let s = UdpSocket::bind(address)?;"),
        ("src/bin/milu/client.rs", "use hyper::client::conn::http1::SendRequest;"),
        ("src/speech/onbox/models/download.rs", "let mut command = Command::new(\"curl\");"),
        ("src/appliance/control.rs", "let listener = UnixListener::bind(path)?; let (a, b) = request.into_parts();"),
        ("src/line/sip/tcp.rs", "use tokio::net::{TcpListener, TcpStream};"),
        ("src/speech/mind.rs", "// hyper and rustls are the door's\nuse crate::egress::Door;"),
        ("src/store/marks.rs", "#[cfg(test)]\nmod tests {\n fn f() { TcpStream::connect(a); }\n}"),
    ] {
        assert!(!complains(rules::one_door_out, path, text), "{path}: {text}");
    }
}

#[test]
fn words_that_are_made_to_last_as_long_as_the_program_are_found() {
    for (path, text) in [
        ("src/speech/cloud/deepgram/link.rs", "static SAID: OnceLock<String> = OnceLock::new();"),
        ("src/speech/cloud/deepgram/link.rs", "fn f() { let said: &OnceCell<Box<str>> = cell(); }"),
        ("src/egress/websocket.rs", "use std::sync::LazyLock;"),
        ("src/appliance/desk.rs", "pub static SAID: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();"),
    ] {
        assert!(complains(rules::words_that_last, path, text), "{path}: {text}");
    }
    for (path, text) in [
        ("src/speech/lan/ears.rs", "fn f(text: &'static str) -> String { text.into() }"),
        ("src/speech/lan/ears.rs", "#[cfg(test)]\nmod tests {\n static A: OnceLock<String> = OnceLock::new();\n}"),
        ("src/privacy/lexicon.rs", "static LEXICON: LazyLock<Vec<(&'static str, Means)>> = f(String::new);"),
        ("src/ops/supervisor.rs", "struct Task { lost: OnceLock<Cow<'static, str>>, name: String }"),
    ] {
        assert!(!complains(rules::words_that_last, path, text), "{path}: {text}");
    }
}

/// What opens connections, and the parts of the program that may be built on it:
/// the door, and the server of the control socket.
const CONNECTING: &[(&str, &[&str])] = &[
    ("hyper", &["milu", "axum", "hyper-util"]),
    ("hyper-util", &["milu", "axum"]),
    ("rustls", &["milu", "tokio-rustls"]),
    ("tokio-rustls", &["milu"]),
    ("tokio-tungstenite", &["milu", "axum"]),
    ("tungstenite", &["tokio-tungstenite"]),
    ("webpki-roots", &["milu"]),
    ("attohttpc", &[]),
    ("aws-lc-rs", &[]),
    ("curl", &[]),
    ("h2", &[]),
    ("hickory-resolver", &[]),
    ("isahc", &[]),
    ("native-tls", &[]),
    ("openssl", &[]),
    ("quinn", &[]),
    ("reqwest", &[]),
    ("surf", &[]),
    ("ureq", &[]),
];

#[test]
fn no_part_that_the_program_is_built_of_has_a_door_of_its_own() {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is there");
    let lock: toml::Table = text.parse().expect("the lock file is TOML");
    let packages = lock["package"].as_array().expect("packages");
    assert!(packages.len() > 100, "only {} packages were read", packages.len());
    let mut second_doors = Vec::new();
    for package in packages {
        let user = package["name"].as_str().expect("a name");
        let used = package.get("dependencies").and_then(|d| d.as_array()).into_iter().flatten();
        // `NAME`, or `NAME VERSION` where there are several.
        for used in used.filter_map(|u| u.as_str()?.split(' ').next()) {
            let allowed = CONNECTING.iter().find(|(name, _)| *name == used).map(|(_, users)| *users);
            if allowed.is_some_and(|users| !users.contains(&user)) {
                second_doors.push(format!("Cargo.lock: `{user}` is built on `{used}`: there is one door out"));
            }
        }
    }
    assert_tidy(&second_doors);
}

#[test]
fn a_swallowed_result_is_found() {
    assert!(complains(rules::swallowed_results, "src/line/sip.rs", "socket.send(b).ok();"));
    assert!(complains(rules::swallowed_results, "src/line/sip.rs", "let _ = socket.send(b);"));
    assert!(complains(rules::swallowed_results, "src/line/sip.rs", "a();\nsocket\n    .send(b)\n    .ok();"));
    for text in ["let len = socket.send(b).ok()?;", "let day = d.yesterday().ok();", "return n.try_into().ok();"] {
        assert!(!complains(rules::swallowed_results, "src/line/sip.rs", text), "{text}");
    }
}

#[test]
fn a_string_as_an_error_is_found() {
    assert!(complains(rules::strings_as_errors, "src/line/sip.rs", "fn f() -> Result<(), String> {"));
    assert!(complains(rules::strings_as_errors, "src/line/sip.rs", "use anyhow::Context;"));
    assert!(complains(rules::strings_as_errors, "src/line/sip.rs", "pub fn f() -> Result<u8, &'static str> {"));
    assert!(!complains(rules::strings_as_errors, "src/line/sip.rs", "fn f() -> Result<String, ReadError> {"));
    assert!(!complains(rules::strings_as_errors, "src/line/sip.rs", "fn f() -> Result<Map<String, String>, E> {"));
}

#[test]
fn a_bool_in_a_public_signature_is_found() {
    assert!(complains(rules::bool_parameters, "src/line/sip.rs", "pub fn hold(on: bool) {}"));
    assert!(complains(
        rules::bool_parameters,
        "src/line/sip.rs",
        "    pub async fn hold(\n  &self,\n  on: bool,\n) {}"
    ));
    assert!(!complains(rules::bool_parameters, "src/line/sip.rs", "fn hold(on: bool) {}"));
    assert!(!complains(rules::bool_parameters, "src/line/sip.rs", "pub fn is_on(&self) -> bool { true }"));
}

#[test]
fn a_persons_words_in_a_log_are_found() {
    let told = "info!(\n  turn = 3,\n  \"heard {}\",\n  words.expose()\n);";
    assert!(complains(rules::private_words_in_logs, "src/call/mod.rs", told));
    assert!(!complains(rules::private_words_in_logs, "src/call/mod.rs", "info!(%words); speak(words.expose());"));
}

#[test]
fn files_and_functions_that_are_too_long_are_found() {
    let long_function = format!("fn f(a: [u8; 4]) -> [u8; 2] {{\n{}}}\n", "    g();\n".repeat(100));
    let long_file = "fn f() {}\n".repeat(701);
    let long_tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn g() {}\n".repeat(701));
    assert!(complains(rules::sizes, "src/call/mod.rs", &long_function));
    assert!(complains(rules::sizes, "src/call/mod.rs", &long_file));
    assert!(!complains(rules::sizes, "src/call/mod.rs", &long_tests), "tests are not counted");
}

#[test]
fn a_test_whose_name_is_no_sentence_is_found() {
    assert!(complains(rules::test_names, "tests/sip.rs", "#[test]\nfn basic() {}"));
    assert!(complains(rules::test_names, "tests/sip.rs", "#[tokio::test]\nasync fn test_invite_is_ok() {}"));
    assert!(!complains(rules::test_names, "tests/sip.rs", "#[test]\n#[ignore]\nfn a_cut_recording_is_refused() {}"));
}

#[test]
fn a_machines_path_a_registry_and_an_unfinished_mark_are_found() {
    let path = format!("read(\"{}models\")", concat!("/ro", "ot/"));
    let registry = format!("# from {}", concat!("crates", ".io"));
    let mark = format!("// {}: later", concat!("TO", "DO"));
    assert!(complains(rules::places, "src/call/mod.rs", &path));
    assert!(complains(rules::places, "README.md", &registry));
    assert!(complains(rules::marks, "src/call/mod.rs", &mark));
    assert!(!complains(rules::marks, "src/call/mod.rs", "// the MASTODON stays"));
}

#[test]
fn literals_and_comments_are_not_code() {
    let text = "let a = \"unsafe \\\" unsafe\"; let b = r#\"unsafe \" unsafe\"#; let c = '\"'; /* unsafe */ fn f<'a>() {} // unsafe";
    let source = Source::new("src/a.rs", text);
    assert!(!source.code.contains("unsafe"), "{}", source.code);
    assert!(source.code.contains("fn f<'a>()"), "{}", source.code);
    assert_eq!(source.code.len(), text.len());
}
