//! What benchmarks leave in `target/bench`: a run of one part does not throw away
//! what the others measured.

#[path = "../benches/support/tables.rs"]
#[allow(dead_code, clippy::expect_used, clippy::print_stdout, reason = "the table itself is the benchmarks'")]
mod tables;

use serde_json::{Value, json};

#[test]
fn a_part_that_is_measured_again_takes_its_own_rows_place_and_no_others() {
    let row = |what: &str, measured: &str| json!({ "what": what, "measured": measured });
    let kept = vec![row("a", "1"), row("b", "2"), row("c", "3")];
    let again = vec![row("b", "20"), row("d", "4")];
    let expected = vec![row("a", "1"), row("b", "20"), row("c", "3"), row("d", "4")];
    assert_eq!(tables::merged(kept, again.clone()), expected);
    assert_eq!(tables::merged(Vec::<Value>::new(), again.clone()), again);
}
