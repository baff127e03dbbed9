//! Who judges whether a turn is over: those who hear its words, or the box by its melody.

use milu::speech::{EarsError, EarsEvent, Hearing, JudgesBy};
use milu::terms::RequestId;
use tokio::sync::mpsc;

use crate::ears_puppet::{EarsPuppet, ThreeEars, words};

fn verdict(request: u32, probability: f32) -> EarsEvent {
    EarsEvent::TurnOver { request: RequestId(request), probability }
}

/// What was said of whether a turn is over, of all that was told.
fn verdicts(heard: &mut mpsc::Receiver<EarsEvent>) -> Vec<(u32, f32)> {
    let told = std::iter::from_fn(|| heard.try_recv().ok());
    told.filter_map(|event| match event {
        EarsEvent::TurnOver { request, probability } => Some((request.0, probability)),
        _ => None,
    })
    .collect()
}

fn judgements(puppet: &EarsPuppet) -> Vec<String> {
    puppet.told().into_iter().filter(|told| told.starts_with("judge")).collect()
}

#[tokio::test]
async fn who_has_heard_the_words_judges_the_turn_before_who_heard_its_melody() {
    let ears = ThreeEars::whose_first(JudgesBy::Words);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.judge(RequestId(1));
    assert_eq!((judgements(&ears.cloud), judgements(&ears.own)), (vec!["judge 1".to_owned()], vec![]));
    ears.cloud.says(verdict(1, 0.2)).await;
    ears.time.pass(1000).await;
    assert_eq!((verdicts(&mut heard), judgements(&ears.own)), (vec![(1, 0.2)], vec![]), "it decides itself");
    // Who is quicker is believed until the other has spoken.
    hearing.judge(RequestId(2));
    ears.time.pass(290).await;
    assert_eq!(judgements(&ears.own), Vec::<String>::new());
    ears.time.pass(10).await;
    assert_eq!(judgements(&ears.own), ["judge 2"], "it says nothing, so the melody is asked");
    ears.own.says(verdict(2, 0.9)).await;
    ears.cloud.says(verdict(2, 0.3)).await;
    ears.own.says(verdict(2, 0.8)).await;
    assert_eq!(verdicts(&mut heard), [(2, 0.9), (2, 0.3)]);
}

#[tokio::test]
async fn a_sentence_that_is_heard_to_its_end_costs_no_judgement_by_its_melody() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    let pause = |hearing: &mut Box<dyn Hearing>, request| {
        hearing.decode(RequestId(request));
        hearing.judge(RequestId(request));
    };
    pause(&mut hearing, 1);
    ears.cloud.says(words(1, "When do you open on Saturday?", "cloud-ears")).await;
    ears.time.pass(1000).await;
    let told = verdicts(&mut heard);
    assert!(matches!(told[..], [(1, probability)] if probability > 0.5), "{told:?}");
    assert_eq!(judgements(&ears.own), Vec::<String>::new());
    // Where it is open, the melody is asked as soon as that is known.
    pause(&mut hearing, 2);
    ears.cloud.says(words(2, "When do you open on", "cloud-ears")).await;
    assert_eq!(judgements(&ears.own), ["judge 2"]);
    ears.own.says(verdict(2, 0.1)).await;
    assert_eq!(verdicts(&mut heard), [(2, 0.1)]);
    // And where the words are late.
    pause(&mut hearing, 3);
    ears.time.pass(300).await;
    assert_eq!(judgements(&ears.own), ["judge 3"]);
    ears.cloud.says(words(3, "When do you open?", "cloud-ears")).await;
    assert_eq!(verdicts(&mut heard), [], "it is asked already");
    // A number that is said in groups is full of sentences.
    hearing.decode(RequestId(4));
    hearing.judge_by_melody(RequestId(4));
    assert_eq!(judgements(&ears.own), ["judge 4"]);
    ears.cloud.says(words(4, "My name is Ada.", "cloud-ears")).await;
    assert_eq!(verdicts(&mut heard), []);
}

#[tokio::test]
async fn ears_that_know_silences_are_asked_as_well_and_their_word_stands() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    hearing.judge(RequestId(1));
    ears.cloud.says(words(1, "When do you open on", "cloud-ears")).await;
    let asked = vec!["judge 1".to_owned()];
    assert_eq!((judgements(&ears.cloud), judgements(&ears.own)), (asked.clone(), asked));
    ears.own.says(verdict(1, 0.1)).await;
    ears.cloud.says(verdict(1, 0.8)).await;
    ears.own.says(verdict(1, 0.2)).await;
    assert_eq!(verdicts(&mut heard), [(1, 0.1), (1, 0.8)], "nobody has said a word for a second");
    hearing.judge_by_melody(RequestId(2));
    assert_eq!(judgements(&ears.cloud), Vec::<String>::new());
    // Unasked they say that the words have ended; those whose words do not count may not.
    let at = ears.time.now();
    ears.own.says(EarsEvent::WordsEnded { at, silent_until: at }).await;
    ears.own.says(EarsEvent::WordsBegan { at }).await;
    assert!(heard.try_recv().is_err());
    ears.cloud.says(EarsEvent::WordsEnded { at, silent_until: at }).await;
    assert!(matches!(heard.try_recv(), Ok(EarsEvent::WordsEnded { at: told, .. }) if told == at));
    ears.cloud.says(EarsEvent::WordsBegan { at }).await;
    assert!(matches!(heard.try_recv(), Ok(EarsEvent::WordsBegan { at: told }) if told == at));
}

#[tokio::test]
async fn ears_that_are_left_in_a_pause_leave_its_judgement_to_the_box() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, _heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    hearing.judge(RequestId(1));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    assert_eq!(judgements(&ears.own), ["judge 1"]);
}
