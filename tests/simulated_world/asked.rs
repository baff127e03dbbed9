//! What holds of every question to the mind, whatever happens in a conversation.

use std::collections::BTreeSet;

use milu::call::{Input, Output};
use milu::knowledge::Finding;
use milu::terms::{RequestId, UtteranceId};

use super::super::world::{Happened, World};
use super::{answers_nothing, is_of_a_stream};

/// A request is alive from its question to what ends it: an abandonment, a newer
/// question, or its own end. What comes of a dead one is never said.
pub fn no_sentence_of_a_dead_request_is_said(world: &World) {
    let mut alive: Option<RequestId> = None;
    let mut may_say: BTreeSet<String> = BTreeSet::new();
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Ask { request, .. } | Output::AskTopic { request, .. }) => alive = Some(*request),
            Happened::Wanted(Output::AbandonAsk) => alive = None,
            Happened::Told(Input::Sentence { request, spoken, .. }) => {
                let text = spoken.text.expose().clone();
                if alive == Some(*request) {
                    may_say.insert(text);
                }
            }
            Happened::Told(Input::AnswerOver { request, .. } | Input::MindFailed { request })
                if alive == Some(*request) =>
            {
                alive = None;
            }
            Happened::Wanted(Output::Say { speech, .. }) => {
                let text = speech.text.expose();
                assert!(!is_of_a_stream(text) || may_say.contains(text), "{at:?}: {text} is of a dead request");
            }
            _ => {}
        }
    }
}

/// What the mind made for the caller to hear, and after which the box has said nothing, is
/// taken back before the next question: the mind would take it for said. A key counts beside
/// words whose turn is not over, and these are answered after it.
pub fn what_was_made_and_not_said_is_taken_back(world: &World) {
    let mut alive: Option<RequestId> = None;
    let mut unsaid: Option<RequestId> = None;
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Ask { request, .. }) => {
                assert!(unsaid.is_none(), "{at:?}: what came of {unsaid:?} is neither said nor taken back");
                alive = Some(*request);
            }
            Happened::Wanted(Output::AskTopic { .. } | Output::AbandonAsk) => (alive, unsaid) = (None, None),
            Happened::Wanted(Output::Say { speech, .. }) if !answers_nothing(speech.text.expose()) => {
                (alive, unsaid) = (None, None);
            }
            Happened::Told(
                Input::Sentence { request, .. }
                | Input::Found {
                    request, finding: Finding::Answer(_) | Finding::Maybe(_) | Finding::Courtesy(_), ..
                },
            ) if alive == Some(*request) => unsaid = alive,
            Happened::Told(Input::AnswerOver { request, .. } | Input::MindFailed { request })
                if alive == Some(*request) =>
            {
                alive = None;
            }
            _ => {}
        }
    }
}

/// Of an answer in sentences something sounds before the next question, or it is taken back:
/// to have been given to the voice is not to have been heard.
pub fn an_answer_in_sentences_sounds_or_is_taken_back(world: &World) {
    let mut alive: Option<RequestId> = None;
    let mut silent: Option<RequestId> = None;
    let mut answers: BTreeSet<UtteranceId> = BTreeSet::new();
    for (at, happened) in &world.log {
        match happened {
            Happened::Wanted(Output::Ask { request, .. }) => {
                assert!(silent.is_none(), "{at:?}: nothing of {silent:?} sounded, and it was not taken back");
                alive = Some(*request);
                answers.clear();
            }
            Happened::Wanted(Output::AskTopic { .. } | Output::AbandonAsk) => (alive, silent) = (None, None),
            Happened::Told(Input::Sentence { request, .. }) if alive == Some(*request) => silent = alive,
            Happened::Told(Input::AnswerOver { request, .. } | Input::MindFailed { request })
                if alive == Some(*request) =>
            {
                alive = None;
            }
            Happened::Wanted(Output::Say { utterance, speech }) if !answers_nothing(speech.text.expose()) => {
                answers.insert(*utterance);
            }
            Happened::Sounded(utterance) if answers.contains(utterance) => (alive, silent) = (None, None),
            _ => {}
        }
    }
}
