use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

const INVITE: ExchangeId = ExchangeId(0);
const LATER: ExchangeId = ExchangeId(1);

fn local() -> LocalAudio {
    LocalAudio {
        address: SocketAddr::from(([192, 0, 2, 1], 30_000)),
        encodings: vec![Encoding::Pcma, Encoding::Pcmu, Encoding::G722],
        session: 7,
    }
}

fn sdp(rows: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{rows}\r\n").into_bytes()
}

fn pcma() -> Vec<u8> {
    sdp("m=audio 4000 RTP/AVP 8")
}

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

fn drain(dialog: &mut Dialog) -> Vec<Output> {
    std::iter::from_fn(|| dialog.poll_output()).collect()
}

fn statuses(outputs: &[Output]) -> Vec<(ExchangeId, u16)> {
    let status = |output: &Output| match output {
        Output::Respond { exchange, status, .. } => Some((*exchange, *status)),
        _ => None,
    };
    outputs.iter().filter_map(status).collect()
}

fn rung() -> Dialog {
    let mut dialog = Dialog::rung(INVITE, Some(&pcma()), local(), at(0)).expect("a good offer");
    assert_eq!(statuses(&drain(&mut dialog)), [(INVITE, 180)]);
    dialog
}

fn talking() -> Dialog {
    let mut dialog = rung();
    dialog.answer(at(1));
    dialog.handle_ack(INVITE, None, at(1));
    drain(&mut dialog);
    dialog
}

fn ended(outputs: &[Output]) -> Option<EndCause> {
    match outputs.last() {
        Some(Output::Tell(Notice::Ended(cause))) => Some(*cause),
        _ => None,
    }
}

#[test]
fn a_call_is_answered_talked_and_hung_up_by_the_caller() {
    let mut dialog = rung();
    dialog.answer(at(1));
    let outputs = drain(&mut dialog);
    assert_eq!(statuses(&outputs), [(INVITE, 200)]);
    assert!(outputs.contains(&Output::Tell(Notice::Answered)));
    dialog.handle_ack(INVITE, None, at(1));
    dialog.handle_bye(LATER);
    let outputs = drain(&mut dialog);
    assert_eq!(statuses(&outputs), [(LATER, 200)]);
    assert_eq!(ended(&outputs), Some(EndCause::NormalClearing));
    assert!(dialog.is_over());
}

#[test]
fn without_an_offer_ours_goes_out_and_media_begins_with_the_ack() {
    let mut dialog = Dialog::rung(INVITE, None, local(), at(0)).expect("no offer is no fault");
    dialog.answer(at(0));
    let outputs = drain(&mut dialog);
    assert!(!outputs.contains(&Output::Tell(Notice::Answered)));
    dialog.handle_ack(INVITE, Some(&pcma()), at(1));
    let outputs = drain(&mut dialog);
    assert!(matches!(outputs[0], Output::Media(Agreed { encoding: Encoding::Pcma, .. })));
    assert_eq!(outputs[1], Output::Tell(Notice::Answered));
}

#[test]
fn an_ack_that_owes_an_answer_and_brings_none_ends_the_call() {
    let mut dialog = Dialog::rung(INVITE, None, local(), at(0)).expect("no offer is no fault");
    dialog.answer(at(0));
    dialog.handle_ack(INVITE, None, at(1));
    assert!(drain(&mut dialog).contains(&Output::SendBye));
    dialog.handle_bye_response();
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::ProtocolError));
}

#[test]
fn codecs_that_nobody_here_speaks_are_refused_before_anybody_is_told() {
    let refusal = Dialog::rung(INVITE, Some(&sdp("m=audio 4000 RTP/AVP 18")), local(), at(0)).map(|_| ());
    assert_eq!(refusal, Err(Refusal { status: 488, cause: EndCause::IncompatibleDestination }));
    let refusal = Dialog::rung(INVITE, Some(b"hello"), local(), at(0)).map(|_| ());
    assert_eq!(refusal, Err(Refusal { status: 400, cause: EndCause::ProtocolError }));
}

#[test]
fn a_cancelled_call_is_487_and_a_late_answer_of_the_desk_changes_nothing() {
    let mut dialog = rung();
    dialog.handle_cancel();
    let outputs = drain(&mut dialog);
    assert_eq!(statuses(&outputs), [(INVITE, 487)]);
    assert_eq!(ended(&outputs), Some(EndCause::NormalClearing));
    dialog.answer(at(1));
    assert_eq!(drain(&mut dialog), []);
}

#[test]
fn a_cancel_that_crosses_our_200_changes_nothing() {
    let mut dialog = rung();
    dialog.answer(at(1));
    drain(&mut dialog);
    dialog.handle_cancel();
    assert_eq!(drain(&mut dialog), []);
    assert!(!dialog.is_over());
}

#[test]
fn an_ack_that_never_comes_ends_the_call_after_64_t1() {
    let mut dialog = rung();
    dialog.answer(at(1));
    drain(&mut dialog);
    assert_eq!(dialog.next_timeout(), Some((at(33), Timer::Ack)));
    dialog.handle_timeout(at(33));
    assert!(drain(&mut dialog).contains(&Output::SendBye));
    dialog.handle_timeout(at(65));
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::RecoveryOnTimerExpiry));
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it_but_silences_the_media_at_once() {
    let mut dialog = rung();
    dialog.answer(at(1));
    drain(&mut dialog);
    dialog.hang_up(EndCause::NormalClearing, at(2));
    assert_eq!(drain(&mut dialog), [Output::StopMedia]);
    dialog.handle_ack(INVITE, None, at(2));
    assert!(drain(&mut dialog).contains(&Output::SendBye));
}

#[test]
fn a_call_that_the_desk_forgets_is_refused_in_the_end() {
    let mut dialog = rung();
    let (when, timer) = dialog.next_timeout().expect("a limit");
    assert_eq!(timer, Timer::Ringing);
    dialog.handle_timeout(when);
    let outputs = drain(&mut dialog);
    assert_eq!(statuses(&outputs), [(INVITE, 480)]);
    assert_eq!(ended(&outputs), Some(EndCause::NoAnswer));
}

#[test]
fn hold_and_resume_are_told_once_each() {
    let mut dialog = talking();
    for (rows, notice) in
        [("a=sendonly", Some(Notice::Held)), ("a=inactive", None), ("a=sendrecv", Some(Notice::Resumed))]
    {
        dialog.handle_reinvite(LATER, Some(&sdp(&format!("m=audio 4000 RTP/AVP 8\r\n{rows}"))), at(2));
        dialog.handle_ack(LATER, None, at(2));
        let outputs = drain(&mut dialog);
        assert_eq!(statuses(&outputs), [(LATER, 200)]);
        let told = outputs.iter().find_map(|o| if let Output::Tell(notice) = o { Some(*notice) } else { None });
        assert_eq!(told, notice, "{rows}");
    }
}

#[test]
fn an_invite_while_another_is_open_is_glare() {
    let mut dialog = rung();
    dialog.answer(at(1));
    drain(&mut dialog);
    dialog.handle_reinvite(LATER, Some(&pcma()), at(1));
    assert_eq!(statuses(&drain(&mut dialog)), [(LATER, 491)]);
}

#[test]
fn the_ack_of_a_refused_invite_confirms_no_other() {
    let mut dialog = Dialog::rung(INVITE, None, local(), at(0)).expect("no offer is no fault");
    dialog.answer(at(0));
    dialog.handle_reinvite(LATER, Some(&pcma()), at(1));
    dialog.handle_ack(LATER, None, at(1));
    assert_eq!(statuses(&drain(&mut dialog)), [(INVITE, 180), (INVITE, 200), (LATER, 491)]);
    assert_eq!(dialog.next_timeout(), Some((at(32), Timer::Ack)), "our 200 is still to be confirmed");
    dialog.handle_ack(INVITE, Some(&pcma()), at(2));
    assert!(drain(&mut dialog).contains(&Output::Tell(Notice::Answered)));
    assert_eq!(dialog.next_timeout(), None);

    // A re-INVITE is refused, the next is taken, and the ACK of the first comes late.
    let next = ExchangeId(2);
    dialog.handle_reinvite(LATER, Some(&sdp("m=image 4000 udptl t38")), at(3));
    dialog.handle_reinvite(next, None, at(4));
    assert_eq!(statuses(&drain(&mut dialog)), [(LATER, 488), (next, 200)]);
    dialog.handle_ack(LATER, None, at(4));
    dialog.handle_reinvite(ExchangeId(3), Some(&pcma()), at(4));
    assert_eq!(statuses(&drain(&mut dialog)), [(ExchangeId(3), 491)], "the second is still open");
    dialog.handle_ack(next, Some(&sdp("m=audio 4002 RTP/AVP 8")), at(5));
    assert!(matches!(drain(&mut dialog)[0], Output::Media(Agreed { remote: Some(to), .. }) if to.port() == 4002));
}

#[test]
fn a_later_offer_that_does_not_fit_leaves_the_call_as_it_is() {
    let mut dialog = talking();
    dialog.handle_reinvite(LATER, Some(&sdp("m=image 4000 udptl t38")), at(2));
    assert_eq!(drain(&mut dialog), [Output::Respond { exchange: LATER, status: 488, sdp: None }]);
    assert!(!dialog.is_over());
}

#[test]
fn a_later_offer_changes_the_codec_only_within_the_sample_rate() {
    let mut dialog = talking();
    dialog.handle_reinvite(LATER, Some(&sdp("m=audio 4000 RTP/AVP 9 0")), at(2));
    assert!(drain(&mut dialog).iter().any(|o| matches!(o, Output::Media(Agreed { encoding: Encoding::Pcmu, .. }))));
    dialog.handle_ack(LATER, None, at(2));
    dialog.handle_reinvite(LATER, Some(&sdp("m=audio 4000 RTP/AVP 9")), at(3));
    assert_eq!(statuses(&drain(&mut dialog)), [(LATER, 488)]);
}

#[test]
fn a_later_invite_without_offer_gets_ours() {
    let mut dialog = talking();
    dialog.handle_reinvite(LATER, None, at(2));
    assert!(matches!(&drain(&mut dialog)[0], Output::Respond { status: 200, sdp: Some(_), .. }));
    dialog.handle_ack(LATER, Some(&sdp("m=audio 4002 RTP/AVP 8")), at(2));
    assert!(matches!(drain(&mut dialog)[0], Output::Media(Agreed { remote: Some(to), .. }) if to.port() == 4002));
}

#[test]
fn a_dialog_that_is_abandoned_is_over_at_once_and_keeps_the_cause_it_had() {
    let mut dialog = talking();
    dialog.abandon(EndCause::Internal);
    assert_eq!(drain(&mut dialog), [Output::StopMedia, Output::Tell(Notice::Ended(EndCause::Internal))]);
    dialog.abandon(EndCause::Internal);
    assert_eq!(drain(&mut dialog), []);

    let mut dialog = talking();
    dialog.hang_up(EndCause::NormalClearing, at(2));
    dialog.abandon(EndCause::Internal);
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::NormalClearing));
}

#[test]
fn two_hang_ups_that_cross_end_the_call_once() {
    let mut dialog = talking();
    dialog.hang_up(EndCause::TemporaryFailure, at(2));
    dialog.handle_bye(LATER);
    dialog.handle_bye_response();
    let outputs = drain(&mut dialog);
    assert_eq!(ended(&outputs), Some(EndCause::TemporaryFailure));
    assert_eq!(outputs.iter().filter(|o| matches!(o, Output::Tell(Notice::Ended(_)))).count(), 1);
}

#[test]
fn digits_by_info_are_heard_in_both_spellings() {
    let mut dialog = talking();
    for (body, digit) in
        [("Signal=5\r\nDuration=160\r\n", Some('5')), ("#", Some('#')), ("Signal= *\r\n", Some('*')), ("hi", None)]
    {
        dialog.handle_info(LATER, body.as_bytes());
        let outputs = drain(&mut dialog);
        assert_eq!(statuses(&outputs), [(LATER, 200)]);
        let told = outputs.iter().find_map(|o| if let Output::Tell(Notice::Digit(d)) = o { Some(*d) } else { None });
        assert_eq!(told, digit, "{body}");
    }
}

#[test]
fn a_call_of_ours_is_answered_and_hung_up_by_us() {
    let mut dialog = Dialog::ring(local(), Duration::from_secs(60), at(0));
    assert!(matches!(drain(&mut dialog)[0], Output::SendInvite { .. }));
    dialog.handle_response(180, None, at(1));
    assert_eq!(drain(&mut dialog), [Output::Tell(Notice::Ringing)]);
    dialog.handle_response(200, Some(&pcma()), at(2));
    assert!(drain(&mut dialog).contains(&Output::Tell(Notice::Answered)));
    dialog.hang_up(EndCause::NormalClearing, at(3));
    dialog.handle_bye_response();
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::NormalClearing));
}

#[test]
fn a_cancel_waits_for_the_first_word_of_the_far_side() {
    let mut dialog = Dialog::ring(local(), Duration::from_secs(60), at(0));
    drain(&mut dialog);
    dialog.hang_up(EndCause::NormalClearing, at(1));
    assert_eq!(drain(&mut dialog), []);
    dialog.handle_response(100, None, at(1));
    assert_eq!(drain(&mut dialog), [Output::SendCancel]);
    dialog.handle_response(487, None, at(1));
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::NormalClearing));
}

#[test]
fn an_answer_that_crosses_our_cancel_is_hung_up() {
    let mut dialog = Dialog::ring(local(), Duration::from_secs(60), at(0));
    dialog.handle_response(180, None, at(1));
    dialog.hang_up(EndCause::NormalClearing, at(2));
    dialog.handle_response(200, Some(&pcma()), at(2));
    let outputs = drain(&mut dialog);
    assert!(outputs.contains(&Output::SendCancel) && outputs.contains(&Output::SendBye));
    assert!(!outputs.contains(&Output::Tell(Notice::Answered)));
}

#[test]
fn a_refusal_of_the_far_side_carries_its_cause() {
    for (status, cause) in
        [(486, EndCause::UserBusy), (404, EndCause::UnallocatedNumber), (503, EndCause::SwitchingCongestion)]
    {
        let mut dialog = Dialog::ring(local(), Duration::from_secs(60), at(0));
        dialog.handle_response(status, None, at(1));
        assert_eq!(ended(&drain(&mut dialog)), Some(cause));
    }
}

#[test]
fn a_far_side_that_rings_for_ever_is_given_up() {
    let mut dialog = Dialog::ring(local(), Duration::from_secs(60), at(0));
    dialog.handle_response(180, None, at(1));
    dialog.handle_timeout(at(60));
    assert!(drain(&mut dialog).contains(&Output::SendCancel));
    dialog.handle_timeout(at(92));
    assert_eq!(ended(&drain(&mut dialog)), Some(EndCause::NoAnswer));
}

#[derive(Clone, Debug)]
enum Step {
    Answer,
    Reject,
    HangUp,
    Cancel,
    Abandon,
    /// Of the INVITE, or of the exchange so many steps ago.
    Ack(Option<u32>, Option<Vec<u8>>),
    Bye,
    Reinvite(Option<Vec<u8>>),
    Response(u16),
    ByeResponse,
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let body = prop_oneof![
        Just(None),
        Just(Some(pcma())),
        Just(Some(sdp("m=audio 4000 RTP/AVP 9 8\r\na=inactive"))),
        Just(Some(b"rubbish".to_vec()))
    ];
    prop_oneof![
        Just(Step::Answer),
        Just(Step::Reject),
        Just(Step::HangUp),
        Just(Step::Cancel),
        Just(Step::Abandon),
        (prop_oneof![Just(None), (1_u32..4).prop_map(Some)], body.clone()).prop_map(|(ago, body)| Step::Ack(ago, body)),
        Just(Step::Bye),
        body.prop_map(Step::Reinvite),
        prop_oneof![Just(100), Just(180), Just(200), Just(302), Just(486), Just(487)].prop_map(Step::Response),
        Just(Step::ByeResponse),
        (0_u64..200).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_a_dialog_ends_once_and_is_silent_after_it(
        ours in any::<bool>(), offered in any::<bool>(), steps in proptest::collection::vec(any_step(), 0..30),
    ) {
        let mut now = at(0);
        let mut dialog = if ours {
            Dialog::ring(local(), Duration::from_secs(60), now)
        } else {
            Dialog::rung(INVITE, offered.then(pcma).as_deref(), local(), now).expect("a good offer")
        };
        let mut all = drain(&mut dialog);
        let mut exchange = 1_u32;
        let abandoned = steps.iter().any(|step| matches!(step, Step::Abandon));
        for step in steps {
            exchange += 1;
            match step {
                Step::Answer => dialog.answer(now),
                Step::Reject => dialog.reject(EndCause::CallRejected),
                Step::HangUp => dialog.hang_up(EndCause::NormalClearing, now),
                Step::Cancel => dialog.handle_cancel(),
                Step::Abandon => dialog.abandon(EndCause::Internal),
                Step::Ack(ago, body) => {
                    let of = ago.map_or(INVITE, |ago| ExchangeId(exchange.saturating_sub(ago)));
                    dialog.handle_ack(of, body.as_deref(), now);
                }
                Step::Bye => dialog.handle_bye(ExchangeId(exchange)),
                Step::Reinvite(body) => dialog.handle_reinvite(ExchangeId(exchange), body.as_deref(), now),
                Step::Response(status) => dialog.handle_response(status, Some(&pcma()), now),
                Step::ByeResponse => dialog.handle_bye_response(),
                Step::Wait(seconds) => {
                    now = now + Duration::from_secs(seconds);
                    dialog.handle_timeout(now);
                }
            }
            all.extend(drain(&mut dialog));
        }
        // Left alone after a hang-up, every dialog comes to its end by its own timers.
        dialog.hang_up(EndCause::NormalClearing, now);
        while let Some((due, _)) = dialog.next_timeout() {
            now = due;
            dialog.handle_timeout(now);
            all.extend(drain(&mut dialog));
        }
        all.extend(drain(&mut dialog));
        prop_assert!(dialog.is_over());
        let ends: Vec<usize> = (0..all.len()).filter(|i| matches!(all[*i], Output::Tell(Notice::Ended(_)))).collect();
        prop_assert_eq!(ends.len(), 1);
        let after = &all[ends[0] + 1..];
        prop_assert!(after.iter().all(|o| matches!(o, Output::Respond { status: 481, .. })), "{:?}", after);
        let finals = statuses(&all).into_iter().filter(|(e, s)| *e == INVITE && *s >= 200).count();
        prop_assert!(finals <= usize::from(!ours));
        prop_assert!(abandoned || finals == usize::from(!ours), "an INVITE was left without an answer");
    }
}
