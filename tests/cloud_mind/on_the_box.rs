//! What needs no model is settled on the box, and stays there.

use milu::knowledge::Topic;
use milu::speech::MindError;
use milu::terms::{Private, RequestId};

use crate::by_words::TOO_MUCH;
use crate::near::{Setup, answers, failed, monday};
use crate::provider::{Answer, claude};

#[tokio::test]
async fn what_needs_no_model_is_settled_on_the_box() {
    let mut call = answers(vec![]).claude().await;
    for (words, found) in [
        ("Goodbye.", "found Goodbye"),
        ("Yes.", "found Yes"),
        ("Pardon?", "found Repeat { slower: false }"),
        ("I want to leave a message", "found LeaveMessage"),
        ("Hold on please", "found Wait"),
    ] {
        assert_eq!(call.ask_and_hear(words).await, [found], "{words}");
    }
    let amina = call.ask_and_hear("Can I speak with Dr Amina?").await;
    assert!(amina[0].starts_with("found Person"), "{amina:?}");
    call.next += 1;
    let request = RequestId(call.next);
    call.thinking().ask_topic(request, Topic::Hours, &monday());
    assert!(call.answer().await[0].starts_with("found Answer"), "a key of the menu");
    assert_eq!(call.asked(), 0, "nothing was sent");
}

#[tokio::test]
async fn a_yes_to_the_models_offer_of_a_message_takes_one_on_the_box() {
    let offer = ["I am sorry, I do not know that. Shall I take a message, so that someone can call you back?"];
    let mut call = answers(vec![Answer::Stream(claude(&offer, "end_turn")); 2]).claude().await;
    call.ask_and_hear("Do you treat snake bites?").await;
    assert_eq!(call.ask_and_hear("Yes, please.").await, ["found LeaveMessage"]);
    call.thinking().said(&Private::new(milu::call::phrases::MESSAGE_KEPT.to_owned()));
    call.ask_and_hear("And do you treat dog bites?").await;
    let no = call.ask_and_hear("No, thank you.").await;
    assert!(no[0].starts_with("found Courtesy"), "it does not end the call: {no:?}");
    assert_eq!(call.asked(), 2);
}

#[tokio::test]
async fn a_message_stays_on_the_box_with_its_name_and_number() {
    let mut call = answers(vec![Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    let say = |text: &str| Private::new(text.to_owned());
    assert_eq!(call.ask_and_hear("I want to leave a message").await, ["found LeaveMessage"]);
    for (words, then) in [
        ("My name is Ngozi Canary", "Thank you, Ngozi Canary. What number should we call you back on?"),
        ("It is oh eight oh three canary", "Please say your message now."),
        ("Tell the doctor that the canary sings", "Thank you. I have kept your message. Is there anything else?"),
    ] {
        let heard = call.ask_and_hear(words).await;
        assert!(heard[0].starts_with("found "), "{words}: {heard:?}");
        call.thinking().said(&say(then));
    }
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].text.to_lowercase().contains("canary"), "{}", requests[0].text);
}

#[tokio::test]
async fn a_box_that_is_too_slow_for_a_turn_of_a_message_does_not_ask_a_model_and_blames_none() {
    let mut call = Setup::default().claude().await;
    assert_eq!(call.ask_and_hear("I want to leave a message").await, ["found LeaveMessage"]);
    assert_eq!(call.ask_and_hear(TOO_MUCH).await, failed(MindError::BoxBusy));
    assert_eq!(call.asked(), 0);
}
