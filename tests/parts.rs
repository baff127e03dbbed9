//! Whether every part that is linked into the box keeps the rules of `deny.toml` for
//! licences and for what may ask for what: the rules that `cargo deny` reads too, checked
//! where it is not installed.

#![expect(clippy::panic, reason = "a test panics to fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).expect("the rules").parse().expect("TOML")
}

/// All parts for this machine's kind, as cargo resolves them.
fn metadata() -> Value {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", &platform])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a text"))
}

fn names(value: Option<&toml::Value>) -> BTreeSet<String> {
    let names = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// Whether an SPDX licence expression (SPDX 2.3, annex D) can be met with allowed licences
/// alone. An older way to write "or" is `/`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = any_of(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression} is no licence expression");
    met
}

fn any_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(words, allowed);
    while let Some(rest) = words.strip_prefix(&["OR"]) {
        *words = rest;
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while let Some(rest) = words.strip_prefix(&["AND"]) {
        *words = rest;
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    match **words {
        ["(", ref rest @ ..] => {
            *words = rest;
            let met = any_of(words, allowed);
            *words = words.strip_prefix(&[")"]).expect("a closing bracket");
            met
        }
        [licence, "WITH", exception, ref rest @ ..] => {
            *words = rest;
            allowed.contains(&format!("{licence} WITH {exception}"))
        }
        [licence, ref rest @ ..] => {
            *words = rest;
            allowed.contains(licence)
        }
        [] => panic!("a licence is missing"),
    }
}

#[test]
fn every_part_has_a_licence_under_which_it_may_be_linked() {
    let (rules, metadata) = (rules(), metadata());
    let licences = rules["licenses"].as_table().expect("rules for licences");
    let allowed = names(licences.get("allow"));
    let exceptions = licences["exceptions"].as_array().expect("exceptions");
    let for_one = |name: &str| {
        let own = exceptions.iter().filter(|rule| rule["crate"].as_str() == Some(name));
        own.flat_map(|rule| names(rule.get("allow"))).collect::<BTreeSet<_>>()
    };
    let parts = list(&metadata, "packages");
    assert!(parts.len() > 100, "only {} parts were seen", parts.len());
    let wrong: Vec<String> = parts
        .iter()
        .filter(|part| {
            let allowed = &allowed | &for_one(text(part, "name"));
            !part["license"].as_str().is_some_and(|licence| is_met(licence, &allowed))
        })
        .map(|part| format!("{} {}: {}", text(part, "name"), text(part, "version"), part["license"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_part_is_banned_nor_asked_for_by_one_that_may_not() {
    let (rules, metadata) = (rules(), metadata());
    let by_id: BTreeMap<&str, &str> =
        list(&metadata, "packages").iter().map(|part| (text(part, "id"), text(part, "name"))).collect();
    let nodes = list(&metadata["resolve"], "nodes");
    let asks_for = |name: &str| -> BTreeSet<String> {
        let asking =
            nodes.iter().filter(|node| list(node, "deps").iter().any(|dep| by_id.get(text(dep, "pkg")) == Some(&name)));
        asking.map(|node| by_id[text(node, "id")].to_owned()).collect()
    };
    let mut wrong = Vec::new();
    for rule in rules["bans"]["deny"].as_array().expect("rules for parts") {
        let name = rule["crate"].as_str().expect("a name");
        let others = &asks_for(name) - &names(rule.get("wrappers"));
        if !others.is_empty() {
            wrong.push(format!("{name} is asked for by {others:?}: {}", rule["reason"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asks_for("rustls").contains("milu"), "the parts' graph was not seen");
}

#[test]
fn a_licence_expression_is_met_by_one_of_its_choices_and_by_all_of_its_duties() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for met in ["MIT", "GPL-3.0-only OR MIT", "MIT/X", "Apache-2.0 WITH LLVM-exception", "(X OR MIT) AND MIT"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["Apache-2.0", "MIT AND X", "GPL-3.0-only", "X AND (MIT OR MIT)", "Apache-2.0 WITH other"] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}
