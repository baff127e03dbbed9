use super::*;

const SMALLEST: &str = "[box]\nname = \"shop\"\nknowledge = \"shop.toml\"\n[[sip_line]]\nid = \"front-desk\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "milu.toml", Path::new("/etc/milu"))
}

#[test]
fn the_smallest_configuration_is_a_name_a_knowledge_file_and_a_line() {
    let config = parse(SMALLEST).unwrap();
    assert_eq!(config.knowledge, Path::new("/etc/milu/shop.toml"));
    assert_eq!(config.sip_lines[0].bind.port(), 5060);
    assert!(config.recording.enabled);
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let text = SMALLEST.replace("knowledge", "knowlege");
    let ConfigError::Syntax { row, what, .. } = parse(&text).unwrap_err() else { panic!("a syntax error") };
    assert_eq!(row, 3);
    assert!(what.contains("`knowledge`"), "{what}");
}

#[test]
fn a_box_without_a_line_is_refused() {
    let text = SMALLEST.split("[[sip_line]]").next().unwrap();
    assert!(matches!(parse(text), Err(ConfigError::Value { key: "sip_line", .. })));
}

#[test]
fn two_lines_of_one_name_are_refused() {
    let text = format!("{SMALLEST}[[sip_line]]\nid = \"front-desk\"\nbind = \"0.0.0.0:5070\"\n");
    assert!(matches!(parse(&text), Err(ConfigError::Value { key: "sip_line.id", .. })));
}

#[test]
fn a_sound_card_alone_is_a_line_and_shares_the_names_of_lines() {
    let door = "[[audio_line]]\nid = \"door\"\ncard = \"Device\"\n";
    let text = format!("{}{door}", SMALLEST.split("[[sip_line]]").next().unwrap());
    assert_eq!(parse(&text).unwrap().audio_lines.len(), 1);
    let text = format!("{SMALLEST}{}", door.replace("door", "front-desk"));
    assert!(matches!(parse(&text), Err(ConfigError::Value { key: "audio_line.id", .. })));
}

#[test]
fn a_modem_alone_is_a_line_and_shares_the_names_of_lines() {
    let sim = "[[gsm_line]]\nid = \"sim\"\n";
    let text = format!("{}{sim}", SMALLEST.split("[[sip_line]]").next().unwrap());
    let config = parse(&text).unwrap();
    assert_eq!(config.gsm_lines.len(), 1);
    assert_eq!(config.modem_profiles, Path::new("/usr/share/milu/modems"));
    assert_eq!(config.operators, Path::new("/usr/share/milu/operators.toml"));
    let text = format!("{SMALLEST}{}", sim.replace("sim", "front-desk"));
    assert!(matches!(parse(&text), Err(ConfigError::Value { key: "gsm_line.id", .. })));
}

#[test]
fn the_monitor_speaker_has_a_card_of_its_own() {
    assert_eq!(parse(SMALLEST).unwrap().monitor_speaker, None);
    let speaker = |card: &str| format!("[monitor_speaker]\ncard = \"{card}\"\n");
    let door = "[[audio_line]]\nid = \"door\"\ncard = \"Device\"\n";
    let config = parse(&format!("{SMALLEST}{door}{}", speaker("Device_1"))).unwrap();
    assert_eq!(config.monitor_speaker.as_ref().unwrap().card.to_string(), "Device_1");
    assert_eq!(config.line_with_the_speakers_card(|_, _| true).map(LineId::as_str), Some("door"));
    // A device of a card is named with and without its number.
    let modem = "[[gsm_line]]\nid = \"sim\"\nsound_card = \"Wired,0\"\n";
    for (line, card) in [(door, "Device"), (modem, "Wired")] {
        let refused = parse(&format!("{SMALLEST}{line}{}", speaker(card)));
        assert!(matches!(refused, Err(ConfigError::Value { key: "monitor_speaker.card", .. })), "{card}");
    }
}

#[test]
fn an_unknown_key_of_the_monitor_speaker_is_refused_with_the_nearest_known_one() {
    let text = format!("{SMALLEST}[monitor_speaker]\ncard = \"Device\"\ncard_rate = 48000\n");
    let ConfigError::Syntax { row, what, .. } = parse(&text).unwrap_err() else { panic!("a syntax error") };
    assert!(row >= 6 && what.contains("`card_rate_hz`"), "row {row}: {what}");
}

#[test]
fn handsets_are_of_the_businesss_own_network_and_each_has_its_name() {
    let handset = |id: &str, host: &str| format!("[[handset]]\nid = \"{id}\"\naddress = \"sip:a@{host}\"\n");
    let both = format!("{SMALLEST}{}{}", handset("desk", "192.168.1.20"), handset("ward", "[fd00::7]"));
    assert_eq!(parse(&both).unwrap().handsets.len(), 2);
    let twice = format!("{SMALLEST}{}{}", handset("desk", "10.0.0.1"), handset("desk", "10.0.0.2"));
    assert!(matches!(parse(&twice), Err(ConfigError::Value { key: "handset.id", .. })));
    let outside = format!("{SMALLEST}{}", handset("desk", "41.58.1.2"));
    let ConfigError::Syntax { row, column, what, .. } = parse(&outside).unwrap_err() else { panic!("its place") };
    assert_eq!((row, column), (8, 11), "{what}");
    assert!(what.contains("41.58.1.2") && what.contains("leave the site"), "{what}");
    let many: String = (0..=handset::HANDSETS_MAX).map(|n| handset(&format!("h{n}"), "10.0.0.1")).collect();
    assert!(matches!(parse(&format!("{SMALLEST}{many}")), Err(ConfigError::Value { key: "handset", .. })));
}

#[test]
fn the_country_is_the_businesss_fact_and_lines_may_say_it_in_its_place() {
    let sim = "[[gsm_line]]\nid = \"sim\"\n";
    let alone = format!("{}{sim}", SMALLEST.split("[[sip_line]]").next().unwrap());
    let ghana = format!("{alone}country_code = \"233\"\n");
    for (text, stated, wanted) in [
        (SMALLEST.to_owned(), None, "234"),
        (alone.clone(), None, "234"),
        (alone, Some("44"), "44"),
        (ghana.clone(), None, "233"),
        (ghana.clone(), Some("44"), "44"),
        // A SIP line that says nothing says nothing about the country.
        (format!("{SMALLEST}{sim}country_code = \"233\"\n"), None, "233"),
    ] {
        assert_eq!(parse(&text).unwrap().country_code(stated), wanted, "{text}");
    }
    assert_eq!(parse(&ghana).unwrap().gsm_lines[0].country_code.as_deref(), Some("233"));
    let wrong = format!("{SMALLEST}country_code = \"+234\"\n");
    assert!(matches!(parse(&wrong), Err(ConfigError::Value { key: "sip_line.country_code", .. })));
}

#[test]
fn two_lines_on_one_modem_are_refused() {
    let sim = |id: &str| format!("[[gsm_line]]\nid = \"{id}\"\nusb_path = \"1-1.4\"\n");
    let text = format!("{SMALLEST}{}{}", sim("one"), sim("other"));
    let ConfigError::Value { key: "gsm_line.usb_path", what, .. } = parse(&text).unwrap_err() else {
        panic!("it is refused")
    };
    assert!(what.contains("one") && what.contains("other"), "{what}");
}

#[test]
fn ports_the_wrong_way_round_are_refused() {
    let text = format!("{SMALLEST}rtp_ports = [41000, 40000]\n");
    assert!(matches!(parse(&text), Err(ConfigError::Value { key: "sip_line.rtp_ports", .. })));
}

/// The example that comes with the box.
const EXAMPLE: &str = include_str!("../../../firmware-config/milu.toml");

/// The example with every row that it offers behind a `#`.
fn example_in_full() -> String {
    let is_offered = |row: &&str| !row.starts_with(' ') && !row.is_empty();
    EXAMPLE.lines().map(|row| row.strip_prefix('#').filter(is_offered).unwrap_or(row).to_owned() + "\n").collect()
}

#[test]
fn the_example_is_a_configuration_as_it_is_and_with_every_row_that_it_offers() {
    let plain = parse(EXAMPLE).unwrap();
    assert_eq!(plain.sip_lines.len(), 1);
    assert!(plain.gsm_lines.is_empty() && !plain.outside.names_an_engine());
    let full = parse(&example_in_full()).unwrap();
    assert_eq!((full.gsm_lines.len(), full.audio_lines.len(), full.handsets.len()), (1, 1, 1));
    assert!(full.monitor_speaker.is_some() && full.outside.elevenlabs.is_some());
}

#[test]
fn what_the_example_offers_of_the_box_its_speech_and_its_sip_line_is_what_holds_without_it() {
    // The rows behind "#" of the sections whose rows are defaults.
    let full: String = example_in_full()
        .split_inclusive('\n')
        .scan(true, |in_defaults, row| {
            if row.starts_with('[') {
                *in_defaults = ["[box]", "[[sip_line]]", "[speech]", "[recording]"].contains(&row.trim());
            }
            Some(if *in_defaults { row } else { "" })
        })
        // These two are the site's own.
        .filter(|row| !row.starts_with("advertise") && !row.starts_with("country_code"))
        .collect();
    assert_eq!(format!("{:#?}", parse(&full).unwrap()), format!("{:#?}", parse(EXAMPLE).unwrap()));
    let (of_box, of_line, of_speech, of_recording) = (10, 5, 3, 1);
    assert_eq!(full.matches(" = ").count(), of_box + of_line + of_speech + of_recording, "{full}");
}

#[test]
fn the_example_names_every_section_and_every_key_of_box_line_and_speech() {
    for (wrong, known_from) in [
        (format!("{SMALLEST}[nonsense]\n"), "sections"),
        (SMALLEST.replace("[box]\n", "[box]\nnonsense = 1\n"), "the box"),
        (format!("{SMALLEST}nonsense = 1\n"), "a line"),
        (format!("{SMALLEST}[speech]\nnonsense = 1\n"), "speech"),
        (format!("{SMALLEST}[recording]\nnonsense = 1\n"), "recording"),
    ] {
        // The parser itself says what it knows.
        let Err(error) = toml::from_str::<Text>(&wrong) else { panic!("{known_from} are checked") };
        let message = error.message().to_owned();
        let known: Vec<&str> = message.split('`').skip(1).step_by(2).filter(|key| *key != "nonsense").collect();
        assert!(!known.is_empty(), "{message}");
        for key in known {
            // Servers in the business's own network are described in a page of their own.
            let is_named = example_in_full()
                .lines()
                .any(|row| row.starts_with(&format!("{key} = ")) || row.trim_matches(['[', ']']) == key);
            let elsewhere = ["openai", "wyoming_ears", "wyoming_voice"].contains(&key);
            assert!(is_named || elsewhere, "{known_from}: {key}");
        }
    }
}

#[test]
fn servers_of_the_network_are_told_which_voice_and_model_and_claude_what_to_do_about_thinking() {
    let outside = "[privacy]\npolicy = \"residency.toml\"\n[anthropic]\nthinking = \"between_tools\"\n\
                   [wyoming_ears]\ndestination = \"office-ears\"\nmodel = \"small.en\"\n\
                   [wyoming_voice]\ndestination = \"office-voice\"\nvoice = \"en_GB-alba-medium\"\nspeaker = \"3\"\n";
    let outside = format!("{SMALLEST}{outside}");
    let config = parse(&outside).unwrap().outside;
    let (ears, voice) = (config.wyoming_ears.unwrap(), config.wyoming_voice.unwrap());
    assert_eq!(config.anthropic.unwrap().thinking, ModelThoughts::BetweenTools);
    assert_eq!(ears.model.as_deref(), Some("small.en"));
    assert_eq!((voice.voice.as_deref(), voice.speaker.as_deref()), (Some("en_GB-alba-medium"), Some("3")));
    let unsaid = parse(&outside.replace("thinking = \"between_tools\"\n", "")).unwrap().outside;
    assert_eq!(unsaid.anthropic.unwrap().thinking, ModelThoughts::Own);
    assert!(parse(&outside.replace("between_tools", "deeply")).is_err());
}
