use super::world::World;

/// Rows that a modem said when it was asked for texts in text mode.
const IN_TEXT_MODE: &str = include_str!("../../../../../tests/modem/recordings/35-gammu-sms-text-mode.txt");

#[test]
fn no_word_of_a_text_in_text_mode_or_of_an_answer_that_never_closes_is_in_the_support_rows() {
    let mut world = World::ready("generic");
    for row in IN_TEXT_MODE.lines().filter_map(|row| row.strip_prefix("< ")).filter(|row| *row != "OK") {
        world.says(row);
        world.run_s(1);
    }
    world.says("+CUSD: 0,\"Dear\nNgozi Okafor, your loan is due");
    world.run_s(5);
    // Somebody's words, although they begin as rows of modems do.
    world.says("Missed_call: Ngozi");
    world.run_s(1);
    let shown: Vec<String> = world.line.support_rows().into_iter().map(|row| row.text).collect();
    for hidden in ["Hoewf", "jookf", "Zxeul", "ginyea", "Noytaj", "ello", "missed", "Ngozi", "Okafor", "loan"] {
        assert!(shown.iter().all(|row| !row.contains(hidden)), "{hidden}: {shown:#?}");
    }
    // What a technician may know of it is how it looks.
    assert!(shown.iter().any(|row| row == "xxxxx xxxxxx, your xxxx is xxx"), "{shown:#?}");
    assert!(shown.iter().any(|row| row == "xxxxxx_xxxx: xxxxx"), "{shown:#?}");
}
