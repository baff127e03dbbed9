//! What callers wish of their data, on a whole box whose ears outside are Flux over
//! Opus: what reaches the vendors before and after, and who hears and answers then.

use milu::call::phrases;
use serde_json::Value;

use crate::near::{Cloud, answered, answers, greeted, is_turn_of, meaning, narrowed, warmed_up};
use crate::providers::Provider;
use crate::providers::owner::CAREFUL;
use crate::the_box::callers::Call;
use crate::the_box::{Setup, TheBox, Watch, text};

/// The first way in which the bakery's file asks for it.
const ASKS: &str = "Do you deliver?";
const ASKS_MORE: &str = "How much is a loaf of bread?";
const RESTRICTS: &str = "Do not send my voice to the cloud.";
const AGREES: &str = "Yes, I agree.";
const GOODBYE: &str = "No, thank you. Goodbye.";

#[test]
fn what_a_caller_wishes_holds_from_the_next_word_on() {
    let cloud = Cloud::start(&[ASKS, RESTRICTS]);
    let setup = cloud.setup(CAREFUL);
    let flux = "[deepgram]\napi = \"flux\"\nuplink = \"opus\"\n";
    let the_box = TheBox::start(&Setup { sections: setup.sections.replace("[deepgram]\n", flux), ..setup });
    warmed_up(&the_box);
    who_wants_nothing_to_leave_has_the_box_alone(&cloud, &the_box);
    // From now on the voice goes with a consent alone.
    let row = |ground: &str| format!("data = \"call-audio\"\nto = \"deepgram\"\nground = \"{ground}\"");
    narrowed(&cloud, &the_box, || cloud.rewrite_policy(|policy| policy.replace(&row("contract"), &row("consent"))));
    who_consents_is_heard_outside_from_then_on(&cloud, &the_box);
    the_box.stop();
}

fn who_wants_nothing_to_leave_has_the_box_alone(cloud: &Cloud, the_box: &TheBox) {
    let watch = the_box.watch();
    let steps = ["--say", ASKS, "--say", RESTRICTS, "--say", ASKS_MORE, "--say", GOODBYE];
    let call = Call::start(the_box, "08055550151", &steps);
    greeted(&watch);
    answered(&watch);
    let ears = cloud.providers.seen(Provider::Ears);
    let asked = ears.queries.iter().find(|query| query.starts_with("/v2/listen?")).expect("Flux is asked");
    for part in ["encoding=opus", "mip_opt_out=true", "keyterm="] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    assert!(ears.sound_ms > 1_000, "its sound is Opus: {} ms", ears.sound_ms);
    says(&watch, phrases::RESTRICTED);
    cloud.providers.forget();
    call.report();
    let seen = |provider| cloud.providers.seen(provider);
    assert_eq!((seen(Provider::Ears).sound_ms, seen(Provider::Mind).requests), (0, 0));
    assert_eq!(seen(Provider::Voice).answered, [""; 0]);
    let record = the_box.record_of("8055550151");
    let heard = transcribers(&record);
    assert_eq!(heard[2..].iter().filter(|ears| **ears != "whisper-onbox").count(), 0, "{record:#}");
    let answer = answers(&record).into_iter().rfind(|turn| text(&turn["text"]).contains("naira"));
    let answer = answer.unwrap_or_else(|| panic!("no price in {record:#}"));
    assert_eq!(meaning(text(&answer["text"])), ASKS_MORE);
}

fn who_consents_is_heard_outside_from_then_on(cloud: &Cloud, the_box: &TheBox) {
    assert!(cloud.providers.will_say(&[ASKS_MORE, GOODBYE]), "the ears are told what is said");
    let watch = the_box.watch();
    let call = Call::start(the_box, "08055550152", &["--say", AGREES, "--say", ASKS_MORE, "--say", GOODBYE]);
    says(&watch, phrases::ASK_CONSENT);
    assert_eq!(cloud.providers.seen(Provider::Ears).sound_ms, 0, "nobody has consented yet");
    says(&watch, phrases::HELP);
    answered(&watch);
    assert!(cloud.providers.seen(Provider::Ears).sound_ms > 1_000);
    call.report();
    let record = the_box.record_of("8055550152");
    assert_eq!(transcribers(&record)[..2], ["whisper-onbox", "deepgram-flux"], "{record:#}");
}

/// Waits until the box has said this.
fn says(watch: &Watch, sentence: &str) {
    watch.until(sentence, |event| is_turn_of(event, "box") && text(&event["turn"]["text"]).contains(sentence));
}

/// Who heard each turn of the caller's, in order.
fn transcribers(record: &Value) -> Vec<&str> {
    let turns = record["turns"].as_array().expect("turns").iter();
    turns.filter(|turn| turn["who"] == "caller").map(|turn| text(&turn["engines"]["transcriber"])).collect()
}
