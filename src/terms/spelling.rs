/// Levenshtein's distance, in characters: what was probably meant is what is
/// written most like it.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_that_is_missing_added_or_another_counts_one() {
        for (a, b, far) in
            [("", "", 0), ("answer", "answer", 0), ("anser", "answer", 1), ("call", "cell", 1), ("", "abc", 3)]
        {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (far, far), "{a} {b}");
        }
    }
}
