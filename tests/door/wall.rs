//! What a test says that needs a network or a mount of its own, where the machine
//! gives it none.
#![allow(clippy::print_stdout, reason = "what a machine cannot do is said")]

/// Says that something is left out. Where nothing may be (`packaging/walled`), it
/// fails.
pub fn left_out(why: &str) {
    let is_required = std::env::var_os("MILU_WALL").is_some_and(|wall| wall == "required");
    assert!(!is_required, "MILU_WALL=required, but {why}");
    println!("left out: {why}");
}
