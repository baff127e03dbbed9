//! See `ussd_text` in `entries.rs` for what is fed and what must hold.
#![no_main]

#[path = "../entries.rs"]
#[allow(dead_code, reason = "one entry for each target")]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::ussd_text(bytes));
