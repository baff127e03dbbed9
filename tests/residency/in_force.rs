//! What becomes of a changed policy: at once, after the notice period, with an
//! owner's signature, or never.

use std::process::Command;

use jiff::Timestamp;
use milu::residency::{
    Adopted, CallerWishes, DataClass, DestinationId, InForce, NotAdopted, OwnerKey, OwnerSignature, Policy, TEXTS_MAX,
    Verdict, Widening,
};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

const DAY_S: i64 = 24 * 3600;

fn day(n: i64) -> Timestamp {
    let first: Timestamp = "2026-11-26T08:00:00Z".parse().expect("a time");
    Timestamp::from_second(first.as_second() + n * DAY_S).expect("a time")
}

fn owner() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key")
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A text in which `cloud` gets these classes with these verdicts.
fn text(head: &str, rows: &[(&str, &str)]) -> String {
    let mut text = format!(
        "{head}\n[[destination]]\nid = \"cloud\"\noperator = \"Cloud, Inc.\"\nhosts = [\"cloud.example\"]\n\
         country = \"US\"\ncontract = {{ name = \"DPA\", signed = 2026-01-05 }}\n"
    );
    for (data, verdict) in rows {
        // Sensitive data goes on no contract.
        let ground = if *data == "sensitive" { "consent" } else { "contract" };
        text.push_str(&format!(
            "[[row]]\nid = \"{data}\"\ndata = \"{data}\"\nto = \"cloud\"\nground = \"{ground}\"\nverdict = \"{verdict}\"\n"
        ));
    }
    text
}

fn with_owner(serial: u64) -> String {
    format!("serial = {serial}\nowner_keys = [\"{}\"]", base64(owner().public_key().as_ref()))
}

fn signed(text: &str) -> OwnerSignature {
    OwnerSignature::parse(owner().sign(text.as_bytes()).as_ref()).expect("a signature")
}

fn begun(text: &str) -> InForce {
    let policy = Policy::parse("first.toml", text, jiff::civil::date(2026, 11, 26));
    InForce::first(policy.unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

fn offer(held: &mut InForce, text: &str, now: Timestamp) -> Adopted {
    held.offer("new.toml", text, None, now).unwrap_or_else(|refused| panic!("{refused}"))
}

fn verdict(held: &InForce, class: DataClass) -> Verdict {
    let cloud = DestinationId::parse("cloud").expect("a name");
    held.effective().decide(class, &cloud, CallerWishes::default()).verdict
}

#[test]
fn what_narrows_holds_at_once_and_what_widens_after_the_notice_period() {
    let mut held = begun(&text("", &[("transcript", "raw"), ("reply", "redacted")]));
    let Adopted::Announced(waiting) =
        offer(&mut held, &text("", &[("transcript", "redacted"), ("reply", "raw"), ("contact", "raw")]), day(0))
    else {
        panic!("it widens")
    };
    assert_eq!(waiting.until, day(14));
    let names: Vec<String> = waiting.widenings.iter().map(|w| w.name()).collect();
    assert_eq!(names, ["reply:cloud", "contact:cloud"]);
    let classes = [DataClass::Transcript, DataClass::Reply, DataClass::Contact];
    let now = |held: &InForce| classes.map(|class| verdict(held, class));
    assert_eq!(now(&held), [Verdict::Redacted, Verdict::Redacted, Verdict::Local]);
    assert!(!held.tick(day(13)));
    assert_eq!(now(&held), [Verdict::Redacted, Verdict::Redacted, Verdict::Local]);
    assert!(held.tick(day(14)));
    assert_eq!(now(&held), [Verdict::Redacted, Verdict::Raw, Verdict::Raw]);
    assert_eq!(held.waiting(), None);
}

#[test]
fn a_text_with_a_mistake_changes_nothing() {
    let mut held = begun(&text("", &[("transcript", "raw")]));
    let bad = text("", &[("transcript", "raw"), ("payment", "raw")]);
    let refused = held.offer("new.toml", &bad, None, day(0)).expect_err("a card number never goes raw");
    assert!(refused.to_string().starts_with("new.toml:"), "{refused}");
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Raw);
    assert_eq!((held.texts().count(), held.waiting()), (1, None));
}

#[test]
fn what_was_narrowed_cannot_come_back_without_notice() {
    let (wide, narrow) = (text("", &[("transcript", "raw")]), text("", &[]));
    let mut held = begun(&wide);
    assert_eq!(offer(&mut held, &narrow, day(0)), Adopted::AtOnce);
    assert!(matches!(offer(&mut held, &wide, day(0)), Adopted::Announced(_)));
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
    // Nor when it was narrowed by a text that widens something else.
    let mut held = begun(&wide);
    offer(&mut held, &text("", &[("reply", "raw")]), day(0));
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
    offer(&mut held, &wide, day(1));
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
    assert!(held.tick(day(15)));
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Raw);
}

#[test]
fn a_narrower_text_keeps_the_date_of_the_one_that_was_announced() {
    let mut held = begun(&text("", &[]));
    offer(&mut held, &text("", &[("transcript", "raw"), ("reply", "raw")]), day(0));
    let Adopted::Announced(waiting) = offer(&mut held, &text("", &[("transcript", "redacted")]), day(5)) else {
        panic!("it widens what holds")
    };
    assert_eq!(waiting.until, day(14));
    // One that asks for more begins anew.
    let Adopted::Announced(waiting) = offer(&mut held, &text("", &[("transcript", "raw")]), day(6)) else {
        panic!("it widens what holds")
    };
    assert_eq!(waiting.until, day(20));
}

#[test]
fn an_owners_signature_makes_a_widening_hold_at_once() {
    let mut held = begun(&text(&with_owner(1), &[]));
    let wide = text(&with_owner(2), &[("transcript", "raw")]);
    let adopted = held.offer("new.toml", &wide, Some(&signed(&wide)), day(0));
    assert!(matches!(adopted, Ok(Adopted::Signed(ref widenings)) if widenings.len() == 1), "{adopted:?}");
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Raw);
}

#[test]
fn a_signature_counts_only_from_an_owner_in_force_over_this_text_and_once() {
    let wide = text(&with_owner(2), &[("transcript", "raw")]);
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a key");
    let by_other = OwnerSignature::parse(other.sign(wide.as_bytes()).as_ref()).expect("a signature");
    let announced = |held: &mut InForce, text: &str, signature: &OwnerSignature| {
        matches!(held.offer("new.toml", text, Some(signature), day(0)), Ok(Adopted::Announced(_)))
    };
    assert!(announced(&mut begun(&text(&with_owner(1), &[])), &wide, &by_other), "a stranger's");
    assert!(announced(&mut begun(&text(&with_owner(1), &[])), &format!("{wide}#"), &signed(&wide)), "another text's");
    assert!(announced(&mut begun(&text("", &[])), &wide, &signed(&wide)), "of an owner whom the new text brings along");
    assert!(announced(&mut begun(&text(&with_owner(2), &[])), &wide, &signed(&wide)), "of a serial that was used");
    // An old signed text does not come back after it was narrowed, and neither
    // does its number without notice.
    let mut held = begun(&text(&with_owner(1), &[]));
    held.offer("new.toml", &wide, Some(&signed(&wide)), day(0)).expect("it is signed");
    assert_eq!(offer(&mut held, &text(&with_owner(3), &[]), day(1)), Adopted::AtOnce);
    assert!(announced(&mut held, &wide, &signed(&wide)));
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
}

#[test]
fn an_old_signed_text_does_not_come_back_after_a_text_without_a_higher_number_either() {
    for narrow in [text(&with_owner(1), &[]), text(&with_owner(0), &[]), text(&with_owner(2), &[("reply", "raw")])] {
        let mut held = begun(&text(&with_owner(1), &[]));
        let wide = text(&with_owner(2), &[("transcript", "raw")]);
        held.offer("new.toml", &wide, Some(&signed(&wide)), day(0)).expect("it is signed");
        assert!(matches!(offer(&mut held, &narrow, day(1)), Adopted::Announced(_)));
        // Again and again, and with a look between them that does not see the signature.
        for signature in [Some(&signed(&wide)), None, Some(&signed(&wide))] {
            let adopted = held.offer("new.toml", &wide, signature, day(1)).expect("taken");
            assert!(matches!(adopted, Adopted::Announced(_)), "{adopted:?}");
            assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
        }
        // Nor after a restart.
        let parse = |text: &str| Policy::parse("kept.toml", text, jiff::civil::date(2026, 12, 1)).expect("it was good");
        let texts: Vec<Policy> = held.texts().map(parse).collect();
        let mut again = InForce::restore(texts, held.waiting().map(|w| w.until)).expect("there are texts");
        let adopted = again.offer("new.toml", &wide, Some(&signed(&wide)), day(2)).expect("taken");
        assert!(matches!(adopted, Adopted::Announced(ref waiting) if waiting.until == day(15)), "{adopted:?}");
        assert_eq!(verdict(&again, DataClass::Transcript), Verdict::Local);
    }
}

#[test]
fn a_signature_counts_after_its_text_was_announced_several_times_without_it() {
    let mut held = begun(&text(&with_owner(1), &[]));
    let wide = text(&with_owner(2), &[("transcript", "raw")]);
    for _ in 0..3 {
        assert!(matches!(offer(&mut held, &wide, day(0)), Adopted::Announced(_)));
    }
    let adopted = held.offer("new.toml", &wide, Some(&signed(&wide)), day(1)).expect("taken");
    assert!(matches!(adopted, Adopted::Signed(_)), "{adopted:?}");
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Raw);
}

#[test]
fn a_serial_does_not_fall_without_notice_so_that_signed_texts_stay_used() {
    let mut held = begun(&text(&with_owner(3), &[]));
    let Adopted::Announced(waiting) = offer(&mut held, &text(&with_owner(1), &[]), day(0)) else {
        panic!("older signed texts would count again")
    };
    assert_eq!(waiting.widenings.iter().map(|w| w.name()).collect::<Vec<_>>(), ["serial"]);
    let wide = text(&with_owner(2), &[("transcript", "raw")]);
    let adopted = held.offer("new.toml", &wide, Some(&signed(&wide)), day(1));
    assert!(matches!(adopted, Ok(Adopted::Announced(_))), "{adopted:?}");
    assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local);
}

#[test]
fn a_signature_may_come_after_its_text_was_announced_and_still_counts_over_a_new_number_alone() {
    let mut held = begun(&text(&with_owner(1), &[]));
    let wide = text(&with_owner(2), &[("transcript", "raw")]);
    assert!(matches!(offer(&mut held, &wide, day(0)), Adopted::Announced(_)));
    let adopted = held.offer("new.toml", &wide, Some(&signed(&wide)), day(1)).expect("taken");
    assert!(matches!(adopted, Adopted::Signed(_)), "{adopted:?}");
    // Another text of the same number was not what was signed next.
    let mut held = begun(&text(&with_owner(1), &[]));
    offer(&mut held, &wide, day(0));
    let wider = text(&with_owner(2), &[("transcript", "raw"), ("reply", "raw")]);
    let adopted = held.offer("new.toml", &wider, Some(&signed(&wider)), day(1)).expect("taken");
    assert!(matches!(adopted, Adopted::Announced(_)), "{adopted:?}");
}

#[test]
fn a_shorter_notice_or_another_owner_is_a_widening_itself() {
    let mut held = begun(&text("notice_period_days = 14", &[]));
    let hasty = text(&format!("notice_period_days = 0\n{}", with_owner(1)), &[]);
    let Adopted::Announced(waiting) = offer(&mut held, &hasty, day(0)) else { panic!("it widens") };
    let names: Vec<String> = waiting.widenings.iter().map(|w| w.name()).collect();
    assert_eq!(names, ["notice-period", "owner-keys"]);
    let wide = text(&format!("notice_period_days = 0\n{}", with_owner(2)), &[("transcript", "raw")]);
    let adopted = held.offer("new.toml", &wide, Some(&signed(&wide)), day(1)).expect("a good text");
    assert!(matches!(adopted, Adopted::Announced(waiting) if waiting.until == day(15)));
}

#[test]
fn another_receiver_under_the_same_name_is_a_widening_and_gets_nothing_until_it_holds() {
    let old = text("", &[("transcript", "raw")]);
    for (from, to, name) in [
        ("Cloud, Inc.", "Cumulus Ltd", "cloud:operator"),
        ("\"US\"", "\"CN\"", "cloud:country"),
        ("cloud.example", "rain.example", "cloud:hosts"),
    ] {
        let mut held = begun(&old);
        let Adopted::Announced(waiting) = offer(&mut held, &old.replace(from, to), day(0)) else {
            panic!("{name} widens")
        };
        let names: Vec<String> = waiting.widenings.iter().map(|w| w.name()).collect();
        assert_eq!(names, [name]);
        assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Local, "{name}");
        assert!(held.tick(day(14)));
        assert_eq!(verdict(&held, DataClass::Transcript), Verdict::Raw, "{name}");
    }
}

#[test]
fn what_waits_is_explained_to_whoever_asks() {
    let cloud = DestinationId::parse("cloud").expect("a name");
    let explained =
        |held: &InForce| held.effective().explain(DataClass::Transcript, &cloud, CallerWishes::default()).sentence;
    let mut held = begun(&text("", &[("transcript", "redacted")]));
    offer(&mut held, &text("", &[("transcript", "raw")]), day(0));
    assert!(explained(&held).contains("The row says more"), "{}", explained(&held));
    let mut held = begun(&text("", &[]));
    offer(&mut held, &text("", &[("transcript", "raw")]), day(0));
    assert!(explained(&held).contains("until the notice period is over"), "{}", explained(&held));
    held.tick(day(14));
    assert!(!explained(&held).contains("notice period"), "{}", explained(&held));
    offer(&mut held, &text("", &[("transcript", "raw")]).replace("Cloud, Inc.", "Cumulus Ltd"), day(15));
    assert!(explained(&held).contains("or describes it as another place"), "{}", explained(&held));
    let of_no_row = held.effective().explain(DataClass::Reply, &cloud, CallerWishes::default()).sentence;
    assert!(of_no_row.contains("no row lets it go to `cloud`"), "{of_no_row}");
}

#[test]
fn a_key_more_is_narrower_but_where_it_is_believed_in_the_place_of_a_certificate() {
    let plain = text("", &[("transcript", "raw")]);
    let at_home = |port: &str| {
        let host = format!("hosts = [\"cloud.lan:{port}\"]\non_site = true");
        plain.replace("hosts = [\"cloud.example\"]", &host)
    };
    let pinned = |text: &str| text.replace("country", &format!("pins = [\"{}\"]\ncountry", base64(&[7; 32])));
    let narrower = [plain.clone(), at_home("10300")];
    for text in narrower {
        let mut held = begun(&text);
        assert!(matches!(offer(&mut held, &pinned(&text), day(0)), Adopted::AtOnce), "{text}");
        // Without it any key may be shown again.
        assert!(matches!(offer(&mut held, &text, day(1)), Adopted::Announced(_)), "{text}");
    }
    let certified = at_home("443");
    let mut held = begun(&certified);
    let Adopted::Announced(waiting) = offer(&mut held, &pinned(&certified), day(0)) else { panic!("it is wider") };
    let named: Vec<String> = waiting.widenings.iter().map(Widening::name).collect();
    assert!(named.len() == 1 && named[0].contains("pins"), "{named:?}");
    // What shows the key shows no certificate, and what shows one not that key.
    let cloud = DestinationId::parse("cloud").expect("a name");
    assert!(held.effective().destination(&cloud).is_none());
    held.tick(day(14));
    assert!(held.effective().destination(&cloud).is_some_and(|cloud| cloud.pins == [[7; 32]]));
}

#[test]
fn a_safeguard_that_is_dropped_is_still_asked_until_the_notice_period_is_over() {
    let rows = [("transcript", "raw")];
    let old = text("", &rows).replace("country", "training_opt_out = true\ncountry");
    let mut held = begun(&old);
    assert!(matches!(offer(&mut held, &text("", &rows), day(0)), Adopted::Announced(_)));
    let cloud = DestinationId::parse("cloud").expect("a name");
    let asked = |held: &InForce| {
        held.effective().decide(DataClass::Transcript, &cloud, CallerWishes::default()).safeguards.training_opt_out
    };
    assert!(asked(&held));
    held.tick(day(14));
    assert!(!asked(&held));
}

#[test]
fn too_many_changes_at_once_are_refused_and_the_last_good_one_stays() {
    let classes = ["call-audio", "transcript", "reply", "knowledge", "contact", "sensitive", "telemetry", "payment"];
    let wide = |n: usize| {
        // Each text drops what the one before asked for and asks for something else.
        let verdict = if classes[n % 8] == "payment" { "redacted" } else { "raw" };
        text(&format!("notice_period_days = {}", 14 + n), &[(classes[n % 8], verdict)])
    };
    let mut held = begun(&text("", &[]));
    let mut refused = None;
    for n in 0..2 * TEXTS_MAX {
        match held.offer("new.toml", &wide(n), None, day(0)) {
            Ok(_) => assert!(held.texts().count() <= TEXTS_MAX),
            Err(why) => refused = Some(why),
        }
    }
    let bounded = held.texts().count() <= TEXTS_MAX;
    assert!(bounded && refused.is_none_or(|why| matches!(why, NotAdopted::TooMany { .. })));
    for class in DataClass::ALL {
        assert_eq!(verdict(&held, class), Verdict::Local);
    }
}

#[test]
fn a_restart_changes_nothing_of_what_holds_and_what_waits() {
    let mut held = begun(&text("", &[("transcript", "raw"), ("reply", "redacted")]));
    offer(&mut held, &text("", &[("transcript", "redacted"), ("reply", "raw")]), day(0));
    let parse = |text: &str| Policy::parse("kept.toml", text, jiff::civil::date(2026, 12, 1)).expect("it was good");
    let texts: Vec<Policy> = held.texts().map(parse).collect();
    let mut again = InForce::restore(texts.clone(), held.waiting().map(|w| w.until)).expect("there are texts");
    assert_eq!(again.waiting(), held.waiting());
    for class in DataClass::ALL {
        assert_eq!(verdict(&again, class), verdict(&held, class));
    }
    assert!(again.tick(day(14)));
    assert_eq!(verdict(&again, DataClass::Reply), Verdict::Raw);
    // A lost date lets nothing through early.
    let mut undated = InForce::restore(texts, None).expect("there are texts");
    assert!(!undated.tick(day(10_000)));
    assert_eq!(verdict(&undated, DataClass::Reply), Verdict::Redacted);
}

#[test]
fn openssl_makes_keys_and_signatures_that_count() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = |line: &str| {
        let done = Command::new("sh").args(["-c", line]).current_dir(dir.path()).output().expect("a shell");
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    };
    // The lines that the module's documentation shows.
    run("openssl genpkey -algorithm ed25519 -out owner.pem");
    let key = run("openssl pkey -in owner.pem -pubout | sed -n 2p");
    let bare = run("openssl pkey -in owner.pem -pubout -outform DER | tail -c 32 | base64");
    let wide = text("serial = 2", &[("transcript", "raw")]);
    std::fs::write(dir.path().join("residency.toml"), &wide).expect("written");
    run("openssl pkeyutl -sign -rawin -inkey owner.pem -in residency.toml -out residency.toml.sig");
    let signature = std::fs::read(dir.path().join("residency.toml.sig")).expect("signed");
    assert_eq!(OwnerKey::parse(&key), OwnerKey::parse(&bare));
    let key = OwnerKey::parse(&key).expect("a key");
    assert!(key.signed(wide.as_bytes(), &OwnerSignature::parse(&signature).expect("a signature")));
    assert!(key.signed(wide.as_bytes(), &OwnerSignature::parse(base64(&signature).as_bytes()).expect("in base64")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is offered in whatever order, nothing goes that some text of the
    /// last fourteen days did not allow from its first day on.
    #[test]
    fn nothing_is_ever_wider_than_what_was_announced_in_time(
        changes in proptest::collection::vec((0usize..3, 0usize..3, 1i64..9), 1..14),
    ) {
        const VERDICTS: [(&str, Verdict); 3] =
            [("local", Verdict::Local), ("redacted", Verdict::Redacted), ("raw", Verdict::Raw)];
        let mut held = begun(&text("", &[]));
        // For each class, since when each verdict was asked for without a break.
        let classes = [DataClass::Transcript, DataClass::Reply];
        let mut since = [[None::<i64>; 3]; 2];
        let mut today = 0;
        for (transcript, reply, days) in changes {
            let wanted = [transcript, reply];
            let new = text("", &[("transcript", VERDICTS[transcript].0), ("reply", VERDICTS[reply].0)]);
            if held.offer("new.toml", &new, None, day(today)).is_ok() {
                for (class, asked) in wanted.into_iter().enumerate() {
                    for (level, since) in since[class].iter_mut().enumerate().skip(1) {
                        *since = if level <= asked { since.or(Some(today)) } else { None };
                    }
                }
            }
            today += days;
            held.tick(day(today));
            for (n, class) in classes.into_iter().enumerate() {
                let now = VERDICTS.iter().position(|(_, v)| *v == verdict(&held, class)).expect("a verdict");
                let announced = now == 0 || since[n][now].is_some_and(|first| today - first >= 14);
                prop_assert!(announced, "{class:?} goes as {now} on day {today}; asked for since {:?}", since[n]);
            }
        }
    }
}
