//! The rules, one function each. A rule takes a file and gives the rows that
//! breach it, each as a sentence that says what to do.

use super::source::{Source, bracketed, first_word, items, words};

/// Which floor each module stands on. A module that is not here fails.
const FLOORS: &[(&str, u8)] = &[
    ("terms", 0),
    ("media", 1),
    ("signalling", 1),
    ("conversation", 1),
    ("knowledge", 1),
    ("residency", 1),
    ("privacy", 1),
    ("call", 2),
    ("ops", 2),
    ("store", 3),
    ("line", 3),
    ("speech", 3),
    ("egress", 3),
    ("appliance", 4),
    ("caller", 4),
];

/// Imports that are against the floors and stay: (from, to), each with its reason.
const FLOOR_EXCEPTIONS: &[(&str, &str)] = &[
    // The one door out: whoever has a provider goes through it.
    ("speech", "egress"),
];

/// The only module below floor 3 that touches the world.
const IMPURE: &str = "ops";

/// What a pure module never names: runtimes, sockets, files, threads, clocks, chance.
/// Addresses of `std::net` are plain values and may be named.
const IMPURE_WORDS: &[&str] = &[
    "tokio",
    "tokio_util",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "rand",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "println",
    "eprintln",
];

/// Words that say nothing as the head of a name.
const EMPTY_WORDS: &[&str] = &["Agent", "Session", "Manager", "Context", "Handler", "Util", "Helper"];

/// Calls that one file alone may make.
const OWNED_CALLS: &[(&str, &str)] = &[
    ("Instant::now", "src/ops/clock.rs"),
    ("SystemTime::now", "src/ops/clock.rs"),
    ("Timestamp::now", "src/ops/clock.rs"),
    ("Zoned::now", "src/ops/clock.rs"),
    ("tokio::spawn", "src/ops/supervisor.rs"),
    ("task::spawn", "src/ops/supervisor.rs"),
    ("thread::spawn", "src/ops/supervisor.rs"),
];

/// What opens a connection, resolves a name or sends a datagram, and who may: a
/// path, or the beginning of one. Everything else that leaves goes by `egress`.
const WAYS_OUT: &[(&str, &[&str])] = &[
    // SIP speaks to its peers itself: a call is no request to an operator.
    ("TcpStream::connect", &["src/egress/connect.rs", "src/line/sip/tcp.rs"]),
    ("TcpStream::connect_timeout", &[]),
    ("TcpSocket", &[]),
    ("lookup_host", &["src/egress/names.rs", "src/line/sip/caller.rs"]),
    ("ToSocketAddrs", &[]),
    ("to_socket_addrs", &[]),
    // Sound and signalling of calls.
    ("UdpSocket::bind", &["src/line/sip/stack.rs", "src/line/sip/wire.rs"]),
    // The command line asks the box over its Unix socket.
    ("hyper", &["src/egress/", "src/bin/milu/client.rs"]),
    ("hyper_util", &["src/egress/", "src/bin/milu/client.rs"]),
    ("tungstenite", &["src/egress/"]),
    ("tokio_tungstenite", &["src/egress/"]),
    ("rustls", &["src/egress/"]),
    ("tokio_rustls", &["src/egress/"]),
    ("webpki_roots", &["src/egress/"]),
];

/// Programs that fetch from elsewhere, and the file that may start them: the
/// models of the set-up, which hold nobody's datum.
const FETCHERS: &[(&str, &[&str])] =
    &[("\"curl\"", &["src/speech/onbox/models/download.rs"]), ("\"wget\"", &[]), ("\"ssh\"", &[]), ("\"nc\"", &[])];

/// Who may take a cleared payload apart.
const OPENERS: &[&str] = &["src/egress/", "src/residency/clearance.rs"];

/// What is filled while the program runs. In a `static` it lives as long as the program,
/// and `&'static str` can be had of it.
const CELLS: &[&str] = &["OnceLock", "LazyLock", "OnceCell", "LazyCell"];

/// Where `&'static str` is sent without a clearance, because the program holds it.
const SENDERS_OF_FIXED_WORDS: &[&str] = &["src/speech/", "src/egress/"];

/// Marks of work that is not done.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];

/// Paths of somebody's machine, and hosts of package registries: both are facts
/// of the place where the project was built and not of the project.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tm", "p/w/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted"),
    concat!("npmjs", ".org"),
    concat!("proxy.golang", ".org"),
];

/// A file has one subject; the best stay under 400 rows. Beyond this, two
/// subjects live in it. Tests within it are not counted.
const FILE_ROWS_MAX: usize = 700;

/// Nine of ten functions fit in 30 rows. Beyond this nobody takes one in at a glance.
const FUNCTION_ROWS_MAX: usize = 100;

pub type Rule = fn(&Source) -> Vec<String>;

/// Rules for the library and the programs.
pub const FOR_SOURCES: &[Rule] = &[
    floors,
    purity,
    empty_names,
    headers,
    reasons_for_unsafe,
    owned_calls,
    one_door_out,
    words_that_last,
    swallowed_results,
    strings_as_errors,
    bool_parameters,
    private_words_in_logs,
    sizes,
];

/// Rules for sources and tests alike.
pub const FOR_ALL_RUST: &[Rule] = &[test_names, places, marks];

/// Rules for scripts, documents and settings.
pub const FOR_TEXTS: &[Rule] = &[places, marks];

pub fn floors(source: &Source) -> Vec<String> {
    let Some(own) = source.module() else { return Vec::new() };
    let Some(own_floor) = floor_of(own) else {
        return vec![breach(source, 1, &format!("`{own}` stands on no floor: add it to the table"))];
    };
    let mut found = Vec::new();
    for (row, module) in imports(source) {
        let allowed = module == own || FLOOR_EXCEPTIONS.contains(&(own, module.as_str()));
        if let Some(floor) = floor_of(&module)
            && !allowed
            && floor >= own_floor
        {
            let why = format!("`{own}` (floor {own_floor}) imports `{module}` (floor {floor}): imports go down");
            found.push(breach(source, row, &why));
        }
    }
    found
}

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The library's modules that the file names, with their rows: `crate::X`,
/// `crate::{X, Y::Z}`, `milu::X` and `super::super::X`.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut found = Vec::new();
    for root in ["crate", "milu", "super"] {
        for at in words(code, root) {
            let Some(rest) = code[at + root.len()..].strip_prefix("::") else { continue };
            let from = code.len() - rest.len();
            let row = Source::row_of(code, at);
            let names: Vec<&str> = if rest.starts_with('{') {
                bracketed(code, from).map(items).unwrap_or_default().into_iter().map(first_word).collect()
            } else {
                vec![first_word(rest)]
            };
            // From a file of its own folder a module reaches the others by two steps
            // up or more; a single step stays within the module.
            let reaches_root = root != "super" || code[..at].ends_with("super::");
            found.extend(names.into_iter().filter(|_| reaches_root).map(|name| (row, name.to_owned())));
        }
    }
    found
}

pub fn purity(source: &Source) -> Vec<String> {
    let pure = source.module().filter(|m| *m != IMPURE).and_then(floor_of).is_some_and(|floor| floor <= 2);
    if !pure {
        return Vec::new();
    }
    let named = |word: &'static str| {
        words(&source.shipped, word).map(move |at| {
            let why = format!("`{word}` in a pure module: time, chance and what the world says come in as arguments");
            breach(source, Source::row_of(&source.shipped, at), &why)
        })
    };
    IMPURE_WORDS.iter().flat_map(|word| named(word)).collect()
}

pub fn empty_names(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["struct", "enum", "trait", "type", "union", "mod"] {
        for at in words(&source.code, keyword) {
            let name = first_word(&source.code[at + keyword.len()..]);
            let head = head_noun(name);
            if EMPTY_WORDS.iter().any(|empty| head.eq_ignore_ascii_case(empty)) {
                let why = format!("`{name}`: say what it is; `{head}` says nothing");
                found.push(breach(source, Source::row_of(&source.code, at), &why));
            }
        }
    }
    found
}

/// The last word of a name, in the singular: `CallManagers` → `Manager`.
fn head_noun(name: &str) -> &str {
    let from = name.rfind(|c: char| c.is_uppercase() || c == '_').unwrap_or(0);
    let head = name[from..].trim_start_matches('_');
    head.strip_suffix('s').unwrap_or(head)
}

pub fn headers(source: &Source) -> Vec<String> {
    let name = source.path.rsplit('/').next().unwrap_or_default();
    let top = matches!(name, "mod.rs" | "lib.rs" | "main.rs") || source.path.matches('/').count() == 1;
    if top && !source.text.starts_with("//!") {
        return vec![breach(source, 1, "begin with `//!`: what it is, and what it never does")];
    }
    Vec::new()
}

pub fn reasons_for_unsafe(source: &Source) -> Vec<String> {
    let rows: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for at in words(&source.code, "unsafe") {
        let row = Source::row_of(&source.code, at);
        let near = rows[row.saturating_sub(6)..row.min(rows.len())].iter().any(|r| r.contains("SAFETY:"));
        if !near {
            found.push(breach(source, row, "`unsafe` without a `SAFETY:` comment above it"));
        }
    }
    let uses = words(&source.code, "unsafe").next().is_some();
    if uses && !source.code.contains("allow(unsafe_code, reason") {
        found.push(breach(source, 1, "`unsafe` in a file that does not say why: `allow(unsafe_code, reason = …)`"));
    }
    found
}

pub fn owned_calls(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (call, owner) in OWNED_CALLS {
        if source.path != *owner {
            for at in words(&source.code, call) {
                found.push(breach(
                    source,
                    Source::row_of(&source.code, at),
                    &format!("`{call}` belongs to {owner} alone"),
                ));
            }
        }
    }
    found
}

pub fn one_door_out(source: &Source) -> Vec<String> {
    let may = |paths: &[&str]| paths.iter().any(|path| source.path.starts_with(path));
    let mut found = Vec::new();
    for (way, paths) in WAYS_OUT.iter().filter(|(_, paths)| !may(paths)) {
        for at in words(&source.shipped, way) {
            let why = format!("`{way}` leads out: give a `Cleared` to `egress`{}", only(paths));
            found.push(breach(source, Source::row_of(&source.shipped, at), &why));
        }
    }
    for (program, paths) in FETCHERS.iter().filter(|(_, paths)| !may(paths)) {
        let starts = format!("Command::new({program}");
        for (at, _) in source.text.match_indices(&starts) {
            let why = format!("{program} leads out: give a `Cleared` to `egress`{}", only(paths));
            found.push(breach(source, Source::row_of(&source.text, at), &why));
        }
    }
    // Other things of the world have parts too; a cleared payload comes from the gate.
    if !may(OPENERS) && words(&source.shipped, "Cleared").next().is_some() {
        for (at, _) in source.shipped.match_indices(".into_parts()") {
            let why = "a cleared payload is taken apart by the door alone";
            found.push(breach(source, Source::row_of(&source.shipped, at), why));
        }
    }
    found
}

/// Nothing that somebody said may be made to look like a word of a protocol.
pub fn words_that_last(source: &Source) -> Vec<String> {
    let code = &source.shipped;
    let mut found = Vec::new();
    if SENDERS_OF_FIXED_WORDS.iter().any(|folder| source.path.starts_with(folder)) {
        for cell in CELLS {
            for at in words(code, cell) {
                let why = format!("`{cell}` can make a `&'static str` of what was said: it would need no clearance");
                found.push(breach(source, Source::row_of(code, at), &why));
            }
        }
    }
    for at in words(code, "static").filter(|at| !code[..*at].ends_with('\'')) {
        let declared = code[at..].split(['=', ';']).next().unwrap_or_default();
        let holds = |word: &str| words(declared, word).next().is_some();
        if holds("String") && CELLS.iter().any(|cell| holds(cell)) {
            let why = "a `static` that is filled with words makes them `&'static str`: they would need no clearance";
            found.push(breach(source, Source::row_of(code, at), why));
        }
    }
    found
}

fn only(paths: &[&str]) -> String {
    if paths.is_empty() { String::new() } else { format!(" (it stands in {} alone)", paths.join(" and ")) }
}

pub fn swallowed_results(source: &Source) -> Vec<String> {
    let code = &source.shipped;
    let dropped = code.match_indices(".ok();").filter(|(at, _)| is_dropped(code, *at));
    dropped
        .chain(code.match_indices("let _ ="))
        .map(|(at, _)| breach(source, Source::row_of(code, at), "a result is swallowed: handle it or say it"))
        .collect()
}

/// Whether nobody takes the value of the statement that `at` stands in.
fn is_dropped(code: &str, at: usize) -> bool {
    let from = code[..at].rfind([';', '{', '}']).map_or(0, |end| end + 1);
    let statement = &code[from..at];
    !matches!(first_word(statement), "let" | "return") && !statement.contains(" = ")
}

pub fn strings_as_errors(source: &Source) -> Vec<String> {
    let is_one = |row: &str| {
        let row = row.trim_end().trim_end_matches([' ', '{', ';']);
        let string_error = row.contains("Result<") && row.ends_with(", String>");
        // Within a module a fixed reason may travel to the enum that carries it.
        let reason = row.contains("pub fn") && row.contains("Result<") && row.ends_with(", &'static str>");
        string_error || reason || row.contains("anyhow") || row.contains("Box<dyn Error")
    };
    let rows = source.shipped.lines().enumerate().filter(|(_, row)| is_one(row));
    rows.map(|(n, _)| breach(source, n + 1, "a string is no error: name what was attempted in an enum")).collect()
}

pub fn bool_parameters(source: &Source) -> Vec<String> {
    let code = &source.shipped;
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let row_start = code[..at].rfind('\n').map_or(0, |n| n + 1);
        let is_public = first_word(&code[row_start..at]) == "pub" && !code[row_start..at].contains("pub(");
        let Some(open) = code[at..].find('(').map(|n| at + n).filter(|_| is_public) else { continue };
        let parameters = bracketed(code, open).map(items).unwrap_or_default();
        if parameters.iter().any(|p| p.ends_with(": bool")) {
            let name = first_word(&code[at + 2..]);
            found.push(breach(source, Source::row_of(code, at), &format!("`{name}` takes a bool: give it an enum")));
        }
    }
    found
}

pub fn private_words_in_logs(source: &Source) -> Vec<String> {
    let code = &source.shipped;
    let mut found = Vec::new();
    for level in ["trace", "debug", "info", "warn", "error"] {
        for at in words(code, level) {
            let after = at + level.len();
            let Some(call) = code[after..].strip_prefix("!(").and_then(|_| bracketed(code, after + 1)) else {
                continue;
            };
            if call.contains("expose()") || call.contains("into_exposed") {
                found.push(breach(source, Source::row_of(code, at), "a person's words are shown to the log"));
            }
        }
    }
    found
}

pub fn sizes(source: &Source) -> Vec<String> {
    let code = &source.shipped;
    let mut found = Vec::new();
    let rows = code.trim_end().lines().count();
    if rows > FILE_ROWS_MAX {
        found.push(breach(source, 1, &format!("{rows} rows: more than {FILE_ROWS_MAX} are two subjects")));
    }
    for at in words(code, "fn") {
        let rows = body_end(code, at).map_or(0, |end| code[at..end].lines().count());
        if rows > FUNCTION_ROWS_MAX {
            let name = first_word(&code[at + 2..]);
            let why = format!("`{name}` has {rows} rows: more than {FUNCTION_ROWS_MAX} are several functions");
            found.push(breach(source, Source::row_of(code, at), &why));
        }
    }
    found
}

/// Where the body of the function that begins at `from` ends; none without a body.
fn body_end(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth == 0 => return None,
            '{' if depth == 0 => return bracketed(code, from + at).map(|body| from + at + body.len()),
            _ => {}
        }
    }
    None
}

pub fn test_names(source: &Source) -> Vec<String> {
    let code = &source.code;
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("#[test]").chain(code.match_indices("#[tokio::test")) {
        let Some(function) = words(&code[at + mark.len()..], "fn").next() else { continue };
        let from = at + mark.len() + function;
        let name = first_word(&code[from + 2..]);
        let is_sentence = name.split('_').filter(|w| !w.is_empty()).count() >= 3 && !name.starts_with("test_");
        if !is_sentence {
            found.push(breach(source, Source::row_of(code, from), &format!("`{name}`: a test's name is a sentence")));
        }
    }
    found
}

pub fn places(source: &Source) -> Vec<String> {
    occurrences(source, PLACES, |place| format!("`{place}` is a place of somebody's machine or of a registry"))
}

pub fn marks(source: &Source) -> Vec<String> {
    let whole = |mark: &&&str| words(&source.text, mark).next().is_some();
    let marks: Vec<&str> = MARKS.iter().filter(whole).copied().collect();
    occurrences(source, &marks, |mark| format!("`{mark}`: finish it or leave it out"))
}

fn occurrences(source: &Source, wanted: &[&str], why: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    for (n, row) in source.text.lines().enumerate() {
        found.extend(wanted.iter().filter(|w| row.contains(**w)).map(|w| breach(source, n + 1, &why(w))));
    }
    found
}

fn breach(source: &Source, row: usize, why: &str) -> String {
    format!("{}:{row}: {why}", source.path)
}
