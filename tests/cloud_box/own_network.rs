//! A box whose mind and voice stand in the business's own network: a server that speaks as
//! OpenAI's does, and Wyoming's Piper as people run it. Nobody else is asked. Ears beside
//! them would be a third model on the two cores, and late.

use serde_json::Value;

use crate::near::{Cloud, engines, failovers, greeted, meaning, register};
use crate::providers::Provider;
use crate::server::Server;
use crate::the_box::callers::Call;
use crate::the_box::{Setup, TheBox, said, text};

const ASKS: &str = "Do you deliver?";
const GOODBYE: &str = "No, thank you. Goodbye.";

/// The callers' numbers: beside the servers, which work on the same two cores, an engine is
/// late at times, and the box right to leave it. Then the next one rings.
const NUMBERS: [&str; 4] = ["8055550161", "8055550162", "8055550163", "8055550164"];

/// Data, and where it goes.
const ROWS: [(&str, &str); 5] =
    [("transcript", "mind"), ("reply", "mind"), ("knowledge", "mind"), ("reply", "voice"), ("knowledge", "voice")];

#[test]
fn a_call_is_answered_and_spoken_by_servers_of_the_businesss_own() {
    let cloud = Cloud::start(&[ASKS, GOODBYE]);
    let voice = Server::piper();
    let ports = [("mind", cloud.providers.ports().lan_mind), ("voice", voice.port)];
    let places = ports.map(|(id, port)| {
        format!(
            "[[destination]]\nid = \"{id}\"\noperator = \"our own\"\nhosts = [\"127.0.0.1:{port}\"]\non_site = true\n"
        )
    });
    let rows = ROWS.map(|(data, to)| {
        format!("[[row]]\ndata = \"{data}\"\nto = \"{to}\"\nground = \"contract\"\nverdict = \"raw\"\n")
    });
    cloud.allow(&[]);
    cloud.rewrite_policy(|_| places.concat() + &rows.concat());
    let sections = format!(
        "[privacy]\npolicy = {:?}\n[openai]\ndestination = \"mind\"\nmodel = \"stand-in\"\n[wyoming_voice]\ndestination = \"voice\"\n",
        cloud.policy_file()
    );
    let the_box = TheBox::start(&Setup { sections, ..Setup::default() });

    let mut records = NUMBERS.iter().map(|number| rung(&the_box, number));
    let record = records.find(|record| failovers(record).is_empty()).expect("a call without a failover");
    assert!(engines(&record, "responder").contains(&"model-lan"), "{record:#}");
    assert!(engines(&record, "synthesizer").contains(&"wyoming-voice"), "{record:#}");
    assert_eq!(meaning(&said(&record, "box")[2..].join(" ")), ASKS, "{record:#}");
    for outside in [Provider::Ears, Provider::Mind, Provider::Voice] {
        assert_eq!(cloud.providers.seen(outside).connections, 0, "{outside:?}");
    }
    let rows = register(&the_box);
    for (place, _) in ports {
        assert!(rows.iter().any(|row| row["destination"] == place), "{place} in {rows:#?}");
    }
    assert!(rows.iter().all(|row| text(&row["operator"]) == "our own"), "{rows:#?}");
    the_box.stop();
}

fn rung(the_box: &TheBox, number: &str) -> Value {
    let watch = the_box.watch();
    let call = Call::start(the_box, &format!("0{number}"), &["--say", ASKS, "--say", GOODBYE]);
    greeted(&watch);
    call.report();
    the_box.record_of(number)
}
