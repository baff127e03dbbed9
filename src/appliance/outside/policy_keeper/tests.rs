use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::appliance::outside::OutsideError;
use crate::egress::{DoorConfig, Resolver, SendError, Warming, Within};
use crate::residency::{CallerWishes, DataClass, DestinationId, Host, Verdict};
use crate::store::Keyring;

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// A policy that sends nothing, with the usual notice.
const ON_THE_BOX: &str = "notice_period_days = 14\n";

/// What no parser takes.
const MISTAKEN: &str = "this is no policy";

/// A policy under which the caller's words go to one cloud.
fn sends(head: &str, host: &str, verdict: &str) -> String {
    format!(
        "{head}\n[[destination]]\nid = \"cloud\"\noperator = \"Cloud, Inc.\"\nhosts = [{host}]\ncountry = \"IE\"\n\
         contract = {{ name = \"DPA\", signed = 2026-01-05 }}\n\
         [[row]]\ndata = \"transcript\"\nto = \"cloud\"\nground = \"contract\"\nverdict = \"{verdict}\"\n"
    )
}

fn sends_redacted() -> String {
    sends("", "\"api.cloud.example\"", "redacted")
}

fn cloud() -> DestinationId {
    DestinationId::parse("cloud").unwrap()
}

fn first_day() -> Timestamp {
    "2026-11-26T08:00:00Z".parse().unwrap()
}

/// So many days later.
fn day(n: i64) -> Timestamp {
    Timestamp::from_second(first_day().as_second() + n * DAY_S).unwrap()
}

/// A box's disk, its policy file and clocks that go when they are told to.
struct Place {
    dir: tempfile::TempDir,
    vault: Vault,
    /// What the calendar's clock says.
    second: Arc<AtomicI64>,
    /// What the monotonic one does, which nobody can set.
    lived_s: Arc<AtomicI64>,
}

impl Place {
    async fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), first_day()).unwrap();
        let clock = crate::ops::SystemClock::new().as_fn();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock).await.unwrap();
        let second = Arc::new(first_day().as_second().into());
        let place = Self { dir, vault, second, lived_s: Arc::default() };
        place.write(text);
        place
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("residency.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    fn sign(&self, text: &str) {
        std::fs::write(self.dir.path().join("residency.toml.sig"), owner().sign(text.as_bytes())).unwrap();
    }

    fn set_clock(&self, now: Timestamp) {
        self.second.store(now.as_second(), Ordering::Relaxed);
    }

    fn wait_days(&self, days: i64) {
        self.wait_s(days * DAY_S);
    }

    fn wait_s(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::Relaxed);
        self.lived_s.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A box that starts, on what the one before it left.
    async fn try_start(&self) -> Result<PolicyKeeper, KeepPolicy> {
        let second = self.second.clone();
        let wall: WallSource = Arc::new(move || Timestamp::from_second(second.load(Ordering::Relaxed)).unwrap());
        let lived_s = self.lived_s.clone();
        let monotonic: MomentSource = Arc::new(move || {
            let second = lived_s.load(Ordering::Relaxed);
            Moment::START + Duration::from_secs(second.unsigned_abs())
        });
        PolicyKeeper::open(self.file(), self.vault.clone(), monotonic, wall).await
    }

    async fn start(&self) -> PolicyKeeper {
        self.try_start().await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn end(self) {
        self.vault.close().await;
    }
}

fn owner() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn with_owner(serial: u64) -> String {
    let key = base64::engine::general_purpose::STANDARD.encode(owner().public_key().as_ref());
    format!("serial = {serial}\nowner_keys = [\"{key}\"]")
}

/// A door that finds no host.
fn door(keeper: &PolicyKeeper) -> Door {
    Door::new(keeper.in_force(), DoorConfig { resolver: Resolver::fixed(HashMap::new()), ..DoorConfig::default() })
}

fn words_go(keeper: &PolicyKeeper) -> Verdict {
    keeper.in_force().decide(DataClass::Transcript, &cloud(), CallerWishes::default()).verdict
}

/// Looks as often as it takes to take a file over.
async fn look(keeper: &PolicyKeeper) -> Result<(), KeepPolicy> {
    keeper.look_again(&door(keeper)).await?;
    keeper.look_again(&door(keeper)).await
}

fn is_said(keeper: &PolicyKeeper, words: &str) -> bool {
    keeper.fact().sentence.contains(words)
}

#[tokio::test]
async fn an_engine_of_a_policy_that_is_announced_is_known_at_a_restart() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    for _ in ["announced at this start", "still waiting at this one"] {
        let keeper = place.start().await;
        assert_eq!(words_go(&keeper), Verdict::Local);
        let (id, host) = keeper.places().find("openai", "cloud", None).unwrap();
        assert_eq!((id, host.to_string().as_str()), (cloud(), "api.cloud.example:443"));
        let elsewhere = keeper.places().find("openai", "elsewhere", None);
        assert!(matches!(elsewhere, Err(OutsideError::Unknown { .. })), "{elsewhere:?}");
    }
    place.end().await;
}

#[tokio::test]
async fn a_host_that_holds_already_is_asked_before_one_that_is_announced() {
    let place = Place::new(&sends_redacted()).await;
    drop(place.start().await);
    place.write(&sends("", "\"eu.cloud.example\", \"api.cloud.example\"", "redacted"));
    let keeper = place.start().await;
    let host = |configured: Option<&str>| {
        let (_, host) = keeper.places().find("openai", "cloud", configured).unwrap();
        host.name
    };
    assert_eq!(host(None), "api.cloud.example");
    assert_eq!(host(Some("eu.cloud.example")), "eu.cloud.example");
    place.end().await;
}

#[tokio::test]
async fn a_file_with_a_mistake_leaves_the_policy_before_it_in_force_at_a_restart_too() {
    let place = Place::new(&sends_redacted()).await;
    drop(place.start().await);
    let mistakes: [&dyn Fn(); 2] = [&|| place.write(MISTAKEN), &|| std::fs::remove_file(place.file()).unwrap()];
    for make in mistakes {
        make();
        let keeper = place.start().await;
        assert_eq!(words_go(&keeper), Verdict::Redacted);
        assert_eq!(keeper.fact().state, HealthState::Impaired);
        assert!(is_said(&keeper, "is not in force"), "{}", keeper.fact().sentence);
        assert!(look(&keeper).await.is_ok(), "it was said at the start");
        assert_eq!(keeper.fact().state, HealthState::Impaired);
        place.write(&sends_redacted());
        look(&keeper).await.unwrap();
        assert_eq!((keeper.fact().state, words_go(&keeper)), (HealthState::Well, Verdict::Redacted));
    }
    place.end().await;
}

#[tokio::test]
async fn a_file_that_is_caught_half_written_takes_nothing_away() {
    let whole = sends_redacted();
    let place = Place::new(&whole).await;
    let keeper = place.start().await;
    // Without its last row it is a whole table, which lets less go.
    let half = &whole[..whole.find("[[row]]").unwrap()];
    for caught in [half, ""] {
        place.write(caught);
        keeper.look_again(&door(&keeper)).await.unwrap();
        assert_eq!(words_go(&keeper), Verdict::Redacted, "somebody may be writing still: {caught:?}");
        place.write(&whole);
        look(&keeper).await.unwrap();
        assert_eq!((keeper.fact().state, words_go(&keeper)), (HealthState::Well, Verdict::Redacted));
    }
    // A disk that was full leaves it empty until somebody sees it, over a restart too.
    place.write("");
    assert!(look(&keeper).await.is_err());
    assert!(is_said(&keeper, "residency.toml:1:1: the file says nothing"), "{}", keeper.fact().sentence);
    drop(keeper);
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.write(&whole);
    look(&keeper).await.unwrap();
    assert_eq!((keeper.fact().state, words_go(&keeper)), (HealthState::Well, Verdict::Redacted));
    // What stays as it is written is meant.
    place.write(half);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    place.end().await;
}

#[tokio::test]
async fn a_file_that_is_not_utf_8_or_too_long_is_not_in_force_and_its_place_is_told() {
    let place = Place::new(ON_THE_BOX).await;
    let keeper = place.start().await;
    for (bytes, told) in [
        (b"# caf\xe9\n".to_vec(), "residency.toml:1:6: from here on this is not UTF-8"),
        (vec![b'#'; POLICY_BYTES_MAX + 1], "residency.toml:1:1: the file has more than"),
    ] {
        std::fs::write(place.file(), bytes).unwrap();
        assert!(matches!(look(&keeper).await, Err(KeepPolicy::Mistakes(_))), "{told}");
        assert!(is_said(&keeper, told), "{}", keeper.fact().sentence);
    }
    place.end().await;
}

#[tokio::test]
async fn a_first_policy_with_a_mistake_is_refused() {
    let place = Place::new(MISTAKEN).await;
    assert!(matches!(place.try_start().await, Err(KeepPolicy::Mistakes(_))));
    place.end().await;
}

#[tokio::test]
async fn a_clock_that_stands_before_a_contract_keeps_its_data_here_until_it_is_set() {
    let place = Place::new(&sends_redacted()).await;
    drop(place.start().await);
    place.set_clock("2026-01-04T08:00:00Z".parse().unwrap());
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Local);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    place.set_clock(first_day());
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted, "{}", keeper.fact().sentence);
    // A clock that is wrong again takes nothing back that a person would have to give anew.
    assert!(is_said(&keeper, "is in force"), "{}", keeper.fact().sentence);
    place.end().await;
}

#[tokio::test]
async fn a_clock_that_stands_before_a_contract_forgets_no_date() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    let announced = place.start().await.fact().sentence;
    place.set_clock("2026-01-04T08:00:00Z".parse().unwrap());
    let keeper = place.start().await;
    look(&keeper).await.unwrap();
    drop(keeper);
    place.set_clock(first_day());
    let keeper = place.start().await;
    assert_eq!(keeper.fact().sentence, announced);
    place.wait_days(14);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.end().await;
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_after_an_announcement_shortens_no_notice() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    // Announced at a start whose clock stands still since the box was switched off.
    let keeper = place.start().await;
    place.set_clock(day(21));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    assert_eq!(place.vault.policies().await.unwrap().waiting_until, Some(day(35)), "over a restart too");
    place.wait_days(13);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    place.wait_days(1);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.end().await;
}

#[tokio::test]
async fn the_days_that_a_box_was_off_count_when_its_clock_is_set_after_the_start_and_only_then() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    drop(place.start().await);
    let keeper = place.start().await;
    place.set_clock(day(7));
    look(&keeper).await.unwrap();
    assert_eq!(place.vault.policies().await.unwrap().waiting_until, Some(day(14)), "it was off for a week");
    place.set_clock(day(21));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    assert_eq!(place.vault.policies().await.unwrap().waiting_until, Some(day(28)));
    drop(keeper);
    // Off until the day itself.
    let keeper = place.start().await;
    place.set_clock(day(28));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.end().await;
}

#[tokio::test]
async fn a_clock_that_was_right_at_the_start_shortens_no_notice_that_began_before_it() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    drop(place.start().await);
    // Off for an hour, through which its clock went on.
    place.wait_s(HOUR_S);
    let keeper = place.start().await;
    place.set_clock(day(21));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    let until = place.vault.policies().await.unwrap().waiting_until;
    assert!(until > Some(day(34)), "{until:?}");
    place.end().await;
}

#[tokio::test]
async fn a_clock_that_is_set_long_after_the_start_shortens_no_notice_that_began_before_it() {
    let place = Place::new(ON_THE_BOX).await;
    drop(place.start().await);
    place.write(&sends_redacted());
    drop(place.start().await);
    // It stands where it stood, and is right for all that.
    let keeper = place.start().await;
    place.wait_s(2 * HOUR_S);
    look(&keeper).await.unwrap();
    place.set_clock(day(21));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    place.end().await;
}

#[tokio::test]
async fn the_days_that_a_box_was_off_count_after_days_that_it_ran_through() {
    let place = Place::new(ON_THE_BOX).await;
    let keeper = place.start().await;
    place.write(&sends_redacted());
    for _ in 0..3 {
        look(&keeper).await.unwrap();
        place.wait_days(1);
    }
    look(&keeper).await.unwrap();
    drop(keeper);
    let keeper = place.start().await;
    place.set_clock(day(14));
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.end().await;
}

#[tokio::test]
async fn a_file_that_was_refused_is_looked_at_again_when_the_clock_is_set() {
    let place = Place::new(ON_THE_BOX).await;
    place.set_clock("2026-01-04T08:00:00Z".parse().unwrap());
    let keeper = place.start().await;
    place.write(&sends_redacted());
    assert!(matches!(look(&keeper).await, Err(KeepPolicy::NotAdopted(_))), "its contract is of tomorrow");
    assert!(look(&keeper).await.is_ok(), "the same is not told twice");
    place.set_clock(first_day());
    look(&keeper).await.unwrap();
    assert!(is_said(&keeper, "allows more than before"), "{}", keeper.fact().sentence);
    place.end().await;
}

#[tokio::test]
async fn a_kept_policy_that_cannot_be_read_any_more_lets_nothing_hold_without_notice() {
    let place = Place::new(&sends_redacted()).await;
    let kept = KeptPolicies { texts: vec![MISTAKEN.to_owned()], ..KeptPolicies::default() };
    place.vault.keep_policies(&kept).await.unwrap();
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Local);
    assert!(is_said(&keeper, "allows more than before"), "{}", keeper.fact().sentence);
    place.wait_days(13);
    drop(keeper);
    let keeper = place.start().await;
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local, "a restart neither shortens nor forgets the notice");
    place.wait_days(1);
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted, "nor does it lengthen it");
    place.end().await;
}

#[tokio::test]
async fn a_kept_policy_with_a_row_that_is_refused_by_now_holds_until_its_file_is_mended() {
    // What versions before took: sensitive data on the ground of a contract.
    let sensitive = sends_redacted()
        + "[[row]]\ndata = \"sensitive\"\nto = \"cloud\"\nground = \"contract\"\nverdict = \"redacted\"\n";
    let place = Place::new(&sensitive).await;
    assert!(matches!(place.try_start().await, Err(KeepPolicy::Mistakes(_))), "a new one is refused");
    let kept = KeptPolicies { texts: vec![sensitive.clone()], ..KeptPolicies::default() };
    place.vault.keep_policies(&kept).await.unwrap();
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.write(&sends_redacted());
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Redacted, "what is mended waits for nothing");
    assert!(is_said(&keeper, "is in force"), "{}", keeper.fact().sentence);
    place.write(&sensitive);
    assert!(matches!(look(&keeper).await, Err(KeepPolicy::NotAdopted(_))), "nor does it come back");
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    place.end().await;
}

/// What the door says to a host of the cloud: that it is not found is all that it
/// can say of one that may be sent to.
async fn greeted(keeper: &PolicyKeeper, door: &Door) -> Result<(), SendError> {
    let second = std::time::Duration::from_secs(1);
    let within = Within { connect: second, answer: second };
    let warming = Warming { host: Host::parse("api.cloud.example").unwrap(), within };
    door.warm(None, keeper.gate().clear(&[DataClass::Transcript], &cloud(), warming).unwrap()).await
}

#[tokio::test]
async fn the_end_of_the_notice_reaches_door_and_disk_when_the_file_is_gone() {
    let place = Place::new(ON_THE_BOX).await;
    let keeper = place.start().await;
    let door = door(&keeper);
    place.write(&sends_redacted());
    look(&keeper).await.unwrap();
    assert_eq!(words_go(&keeper), Verdict::Local);
    place.wait_days(14);
    std::fs::remove_file(place.file()).unwrap();
    assert!(matches!(keeper.look_again(&door).await, Err(KeepPolicy::File { .. })));
    assert_eq!(words_go(&keeper), Verdict::Redacted);
    let greeted = greeted(&keeper, &door).await;
    assert!(matches!(greeted, Err(SendError::Resolve { .. })), "{greeted:?}");
    let kept = place.vault.policies().await.unwrap();
    assert_eq!(kept, KeptPolicies { texts: vec![sends_redacted()], ..KeptPolicies::default() });
    place.end().await;
}

#[tokio::test]
async fn a_signature_that_was_laid_there_while_the_box_was_off_counts() {
    let place = Place::new(&with_owner(1)).await;
    let wide = sends(&with_owner(2), "\"api.cloud.example\"", "redacted");
    drop(place.start().await);
    place.write(&wide);
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Local);
    drop(keeper);
    place.sign(&wide);
    let keeper = place.start().await;
    assert_eq!(words_go(&keeper), Verdict::Redacted, "{}", keeper.fact().sentence);
    let kept = place.vault.policies().await.unwrap();
    assert_eq!(kept, KeptPolicies { texts: vec![wide], ..KeptPolicies::default() });
    place.end().await;
}

#[tokio::test]
async fn a_signature_that_does_not_count_moves_no_date() {
    let place = Place::new(&with_owner(1)).await;
    drop(place.start().await);
    let wide = sends(&with_owner(2), "\"api.cloud.example\"", "redacted");
    place.write(&wide);
    let until = place.start().await.fact().sentence;
    place.wait_days(3);
    place.sign("something else");
    let keeper = place.start().await;
    assert_eq!((words_go(&keeper), keeper.fact().sentence), (Verdict::Local, until));
    place.end().await;
}

#[tokio::test]
async fn a_signature_that_cannot_be_read_holds_back_nothing_that_narrows_and_is_told() {
    let place = Place::new(&sends(&with_owner(1), "\"api.cloud.example\"", "redacted")).await;
    let keeper = place.start().await;
    let door = door(&keeper);
    let call = keeper.gate();
    let narrow = with_owner(2);
    place.write(&narrow);
    // Signing was broken off.
    std::fs::write(place.file().with_extension("toml.sig"), "").unwrap();
    keeper.look_again(&door).await.unwrap();
    let looked = keeper.look_again(&door).await;
    assert!(matches!(looked, Err(KeepPolicy::Signature { .. })), "{looked:?}");
    assert_eq!(words_go(&keeper), Verdict::Local);
    assert!(!call.may_go(&[DataClass::Transcript], &cloud()), "in calls that go on too");
    assert_eq!(place.vault.policies().await.unwrap().texts, std::slice::from_ref(&narrow));
    let told = |keeper: &PolicyKeeper| {
        assert_eq!(keeper.fact().state, HealthState::Impaired);
        assert!(is_said(keeper, "is in force. The signature beside it does not count."), "{}", keeper.fact().sentence);
    };
    told(&keeper);
    assert!(keeper.look_again(&door).await.is_ok(), "the same is not told twice");
    told(&keeper);
    drop(keeper);
    let keeper = place.start().await;
    told(&keeper);
    place.sign(&narrow);
    look(&keeper).await.unwrap();
    assert_eq!(keeper.fact().state, HealthState::Well);
    place.end().await;
}

#[tokio::test]
async fn what_narrows_holds_at_a_start_beside_a_signature_that_cannot_be_read() {
    let place = Place::new(&sends_redacted()).await;
    drop(place.start().await);
    place.write(ON_THE_BOX);
    std::fs::write(place.file().with_extension("toml.sig"), "half a signature").unwrap();
    assert_eq!(words_go(&place.start().await), Verdict::Local);
    place.end().await;
}

#[tokio::test]
async fn a_signature_that_is_repaired_counts() {
    let place = Place::new(&with_owner(1)).await;
    let keeper = place.start().await;
    let wide = sends(&with_owner(2), "\"api.cloud.example\"", "redacted");
    std::fs::write(place.file().with_extension("toml.sig"), "half a signature").unwrap();
    place.write(&wide);
    assert!(matches!(look(&keeper).await, Err(KeepPolicy::Signature { .. })));
    assert_eq!(words_go(&keeper), Verdict::Local);
    assert!(is_said(&keeper, "allows more than before"), "{}", keeper.fact().sentence);
    place.sign(&wide);
    look(&keeper).await.unwrap();
    assert_eq!((keeper.fact().state, words_go(&keeper)), (HealthState::Well, Verdict::Redacted));
    place.end().await;
}

#[tokio::test]
async fn what_narrows_holds_at_once_and_in_calls_that_go_on() {
    let place = Place::new(&sends_redacted()).await;
    let keeper = place.start().await;
    let call = keeper.gate();
    assert!(call.may_go(&[DataClass::Transcript], &cloud()));
    place.write(ON_THE_BOX);
    look(&keeper).await.unwrap();
    assert!(!call.may_go(&[DataClass::Transcript], &cloud()));
    assert_eq!(place.vault.policies().await.unwrap().texts, [ON_THE_BOX]);
    place.end().await;
}
