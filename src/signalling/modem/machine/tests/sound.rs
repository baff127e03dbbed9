use std::time::Duration;

use super::super::super::*;
use super::world::{World, profile};
use crate::terms::{EndCause, Private};

fn opened(world: &World) -> Vec<SoundPath> {
    let path = |output: &ModemOutput| match output {
        ModemOutput::OpenSound(path) => Some(*path),
        _ => None,
    };
    world.wanted().iter().filter_map(path).collect()
}

/// What the owner was told to keep of ways of sound, and to forget.
fn told(world: &World) -> (Vec<ProvenSound>, usize) {
    let mut proven = Vec::new();
    let mut forgotten = 0;
    for output in world.wanted() {
        match output {
            ModemOutput::SoundProven(one) => proven.push(one),
            ModemOutput::SoundUnproven { .. } => forgotten += 1,
            _ => {}
        }
    }
    (proven, forgotten)
}

/// A line that knows what was kept, ready for its first call.
fn started(kept: Vec<ProvenSound>, sound: Option<SoundPath>) -> World {
    let settings = LineSettings { proven_sounds: kept, sound, ..LineSettings::default() };
    let mut world = World::new("quectel_ec2x", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
    world
}

/// A call whose card is not there goes by the port; what was told of it.
fn proven_by_port() -> ProvenSound {
    let mut world = World::ready("quectel_ec2x");
    world.rings();
    world.give(ModemInput::Answer);
    world.give(ModemInput::SoundFailed);
    world.run_s(4);
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    assert_eq!(opened(&world), [SoundPath::UsbCard, SoundPath::Serial]);
    let (mut proven, forgotten) = told(&world);
    assert_eq!((proven.len(), forgotten), (1, 0));
    proven.remove(0)
}

#[test]
fn a_line_that_is_made_anew_begins_with_the_way_of_sound_that_worked_with_its_modem() {
    let kept = proven_by_port();
    assert_eq!(kept.path, SoundPath::Serial);
    let mut world = started(vec![kept.clone()], None);
    assert_eq!(world.modem.count("AT+QAUDMOD=3"), 1, "the rows of every way are given");
    world.talks();
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    assert_eq!((opened(&world), told(&world)), (vec![SoundPath::Serial], (vec![], 0)), "nothing is new");
    // It is the modem's own: another one begins with the first way.
    let others = ProvenSound { imei: Private::new("356938035643809".to_owned()), ..kept };
    let mut world = started(vec![others], None);
    world.talks();
    assert_eq!((opened(&world), told(&world)), (vec![SoundPath::UsbCard], (vec![], 0)));
}

#[test]
fn what_was_kept_of_the_ways_is_forgotten_where_there_are_others_now_or_the_owner_names_one() {
    let kept = proven_by_port();
    let of_before = ProvenSound { ways: kept.ways.replace("AT+QPCMV=1,2", "AT+QPCMV=1,1"), ..kept.clone() };
    assert_ne!(of_before, kept, "the rows that switch a way are among what is compared");
    for (kept, sound, first) in [
        (of_before, None, SoundPath::UsbCard),
        (ProvenSound { path: SoundPath::Analog, ..kept.clone() }, None, SoundPath::UsbCard),
        // By the order that the owner has made, the card was never tried.
        (ProvenSound { path: SoundPath::UsbCard, ..kept }, Some(SoundPath::Serial), SoundPath::Serial),
    ] {
        let mut world = started(vec![kept], sound);
        assert_eq!(told(&world), (vec![], 1));
        world.talks();
        assert_eq!(opened(&world), [first]);
    }
}

#[test]
fn a_way_that_worked_once_and_carries_two_calls_no_more_is_forgotten() {
    let mut world = started(vec![proven_by_port()], None);
    for _ in 0..2 {
        world.talks();
        world.sound(12, 0, 0);
        world.run_s(3);
    }
    let (proven, forgotten) = told(&world);
    assert_eq!((proven, forgotten), (vec![], 1));
}

#[test]
fn a_family_with_one_way_of_sound_has_nothing_to_remember() {
    let mut world = World::ready("huawei");
    assert_eq!(profile("huawei").sounds.len(), 1);
    world.talks();
    world.sound(3, 16_000, 16_000);
    assert_eq!(told(&world), (vec![], 0));
}

#[test]
fn a_call_of_which_the_modem_takes_nothing_is_cured_and_ended_and_counts_as_one_without_sound() {
    let mut world = World::ready("simcom_sim800");
    for call in 1..=2 {
        world.seen.clear();
        world.talks();
        // A buffer takes the first moment of it.
        world.sound(1, 16_000, 6_000);
        world.sound(1, 16_000, 0);
        assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::NoUplink)), "noticed in the second second");
        assert_eq!(opened(&world).len(), 2, "opened anew");
        world.sound(2, 16_000, 0);
        assert_eq!(opened(&world).len(), 3, "and once more");
        world.sound(9, 16_000, 0);
        world.run_s(3);
        assert_eq!(world.ends(), [EndCause::TemporaryFailure], "nobody is kept in silence");
        assert_eq!(world.line.health().counters.calls_without_sound, call);
        assert_eq!(world.resets().len() as u64, call - 1, "two such calls restart the modem");
    }
}

#[test]
fn a_card_with_a_broken_wire_is_noticed_at_once_and_its_calls_count_as_ones_without_sound() {
    for name in ["simcom_sim800", "generic"] {
        let mut world = World::ready(name);
        for call in 1..=2 {
            world.seen.clear();
            world.talks();
            // The last bit of its converter is all that comes.
            world.quiet(2, -90.0);
            assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::SilentDownlink)), "{name}: call {call}");
            world.quiet(10, -90.0);
            assert_eq!(opened(&world).len(), 2, "{name}: opened anew, once");
            // The caller may hear the box all the same.
            assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active), "{name}");
            world.far_side_hangs_up();
            world.run_s(1);
            assert_eq!(world.line.health().counters.calls_without_sound, call, "{name}");
            assert_eq!(world.resets().len() as u64, call - 1, "{name}: two such calls restart the modem");
        }
        world.run_s(120);
        assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoSound), "{name}");
        // The wire is mended.
        world.talks();
        world.quiet(3, -40.0);
        world.far_side_hangs_up();
        world.run_s(1);
        assert_eq!(world.line.state(), ModemState::Ready, "{name}");
    }
}

/// Half of all frames, each way.
const HALF: u32 = 8_000;

fn stutters(world: &mut World, seconds: u64) {
    world.sound(seconds, HALF, HALF);
}

#[test]
fn sound_that_stutters_on_has_its_row_again_then_its_port_anew_and_then_the_next_way() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    let given = |world: &World| world.modem.count("AT+QPCMV=1,2");
    let before = given(&world);
    stutters(&mut world, 2);
    assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::Stuttering)), "noticed in the second second");
    assert_eq!(opened(&world), [SoundPath::UsbCard]);
    stutters(&mut world, 4);
    assert_eq!((opened(&world), given(&world)), (vec![SoundPath::UsbCard; 2], before + 2));
    stutters(&mut world, 6);
    assert_eq!(opened(&world), [SoundPath::UsbCard, SoundPath::UsbCard, SoundPath::Serial]);
    // It is well by the next way, which is what the next call begins with.
    world.sound(5, 16_000, 16_000);
    world.far_side_hangs_up();
    world.run_s(2);
    assert_eq!((world.ends(), world.resets()), (vec![EndCause::NormalClearing], vec![]));
    assert_eq!(world.line.health().counters.calls_without_sound, 0);
    world.seen.clear();
    world.talks();
    assert_eq!(opened(&world), [SoundPath::Serial]);
}

#[test]
fn a_call_that_stutters_by_every_way_goes_on_with_each_cure_made_once_and_costs_the_line_no_calls() {
    let mut world = World::ready("quectel_ec2x");
    for call in 1..=8 {
        let before = opened(&world).len();
        world.talks();
        stutters(&mut world, 60);
        assert_eq!(world.line.state(), ModemState::Active, "call {call}");
        let ways: Vec<SoundPath> = opened(&world).split_off(before);
        assert!(ways.len() == 4 && ways[0] == ways[1] && ways[1] != ways[2] && ways[2] == ways[3], "{ways:?}");
        world.far_side_hangs_up();
        world.run_s(1);
        assert_eq!(world.line.health().counters.calls_without_sound, call);
        assert_eq!(world.resets().is_empty(), call == 1, "two such calls restart the modem");
        world.run_s(200);
    }
    assert_eq!(world.ends(), [EndCause::NormalClearing; 8]);
    // The hour's last one is left to a fault, and the line takes calls all the same.
    assert_eq!(world.resets(), [ResetStep::SoftReset; 5]);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoSound));
    world.talks();
    world.sound(5, 16_000, 16_000);
    world.far_side_hangs_up();
    assert_eq!(world.line.health().counters.calls_without_sound, 8);
}

#[test]
fn a_way_that_was_left_for_its_stuttering_is_gone_back_to_where_the_next_one_has_no_sound() {
    let (card, port) = (SoundPath::UsbCard, SoundPath::Serial);
    // The port cannot be opened, gives nothing, or nothing but zeros.
    for fails in 0..3 {
        let mut world = World::ready("quectel_ec2x");
        world.talks();
        stutters(&mut world, 12);
        assert_eq!(opened(&world), [card, card, port], "{fails}");
        match fails {
            0 => world.give(ModemInput::SoundFailed),
            1 => world.sound(6, 0, 0),
            _ => world.quiet(6, -100.0),
        }
        let anew = if fails == 0 { vec![card, card, port, card] } else { vec![card, card, port, port, card] };
        assert_eq!(opened(&world), anew, "{fails}");
        stutters(&mut world, 60);
        assert_eq!(opened(&world), anew, "{fails}: to and fro is no cure");
        assert_eq!((world.line.state(), world.ends()), (ModemState::Active, vec![]), "{fails}");
    }
}

#[test]
fn a_trickle_of_sound_is_none_and_its_calls_are_ended_and_count_as_ones_without_sound() {
    let mut world = World::ready("huawei");
    world.talks();
    // A frame in 400 ms.
    world.sound(12, 800, 800);
    world.run_s(3);
    assert_eq!(world.ends(), [EndCause::TemporaryFailure]);
    assert_eq!(world.line.health().counters.calls_without_sound, 1);
    // A caller who gives up sooner had none either.
    world.talks();
    world.sound(5, 800, 800);
    world.far_side_hangs_up();
    world.run_s(1);
    assert_eq!(world.line.health().counters.calls_without_sound, 2);
    assert_eq!(world.resets(), [ResetStep::SoftReset]);
}

#[test]
fn a_host_that_stands_still_for_two_seconds_now_and_then_has_no_sound_opened_anew() {
    for (name, path) in [("quectel_ec2x", SoundPath::UsbCard), ("simcom_sim800", SoundPath::Analog)] {
        let mut world = World::ready(name);
        world.talks();
        for _ in 0..30 {
            world.run_s(2);
            // What its buffers held is all that is left.
            let (over, bytes) = (Duration::from_secs(2), 6_400);
            let facts = SoundFacts { over, down_bytes: bytes, up_bytes: bytes, down_dbfs: -30.0 };
            world.give(ModemInput::SoundMeasured(facts));
            world.sound(3, 16_000, 16_000);
        }
        assert_eq!(opened(&world), [path], "{name}");
        world.far_side_hangs_up();
        world.run_s(1);
        assert_eq!(world.line.health().counters.calls_without_sound, 0, "{name}");
    }
}

#[test]
fn a_call_that_ends_before_its_sound_is_measured_is_not_judged_by_the_one_before_it() {
    for bytes in [HALF, 800] {
        let mut world = World::ready("huawei");
        world.talks();
        world.sound(8, bytes, bytes);
        world.far_side_hangs_up();
        world.run_s(5);
        assert_eq!(world.line.health().counters.calls_without_sound, 1, "{bytes}");
        world.rings();
        world.give(ModemInput::Answer);
        world.far_side_hangs_up();
        world.run_s(15);
        assert_eq!((opened(&world).len(), world.ends().len()), (3, 2), "{bytes}");
        assert_eq!(world.line.health().counters.calls_without_sound, 1, "{bytes}");
    }
}

#[test]
fn a_modem_that_stops_the_sound_and_never_lets_it_go_on_is_not_obeyed_for_ever() {
    let mut world = started(Vec::new(), Some(SoundPath::Serial));
    world.talks();
    world.seen.clear();
    world.says("+QPCMV: 0,0");
    world.sound(2, 16_000, 0);
    assert_eq!(told_flow(&world), [ModemOutput::PauseUplink], "it is believed at first");
    world.sound(2, 16_000, 0);
    assert_eq!(told_flow(&world), [ModemOutput::PauseUplink, ModemOutput::ResumeUplink]);
    // From then on it is one that takes nothing, whatever it says.
    world.says("+QPCMV: 0,0");
    world.sound(12, 16_000, 0);
    world.run_s(3);
    assert_eq!(told_flow(&world).len(), 2);
    assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::NoUplink)));
    assert_eq!(world.ends(), [EndCause::TemporaryFailure]);
    // The next call begins with trust.
    world.talks();
    world.says("+QPCMV: 0,0");
    assert_eq!(told_flow(&world).len(), 3);
}

#[test]
fn a_modem_that_stops_the_sound_anew_as_soon_as_it_lets_it_go_on_is_not_obeyed_for_ever() {
    let mut world = started(Vec::new(), Some(SoundPath::Serial));
    world.talks();
    world.seen.clear();
    for _ in 0..8 {
        // Each stop is shorter than what is believed, and nearly all of the time is stopped.
        world.says("+QPCMV: 0,0");
        world.sound(2, 16_000, 0);
        world.run(Duration::from_millis(500));
        world.says("+QPCMV: 1,0");
        world.run(Duration::from_millis(50));
    }
    world.run_s(3);
    let (stop, go) = (ModemOutput::PauseUplink, ModemOutput::ResumeUplink);
    assert_eq!(told_flow(&world), [stop.clone(), go.clone(), stop, go], "the second one is cut short");
    assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::NoUplink)));
    assert_eq!(world.ends(), [EndCause::TemporaryFailure], "nobody is kept in silence");
}

#[test]
fn a_modem_that_stops_the_sound_for_a_moment_now_and_then_is_obeyed_throughout_the_call() {
    let mut world = started(Vec::new(), Some(SoundPath::Serial));
    world.talks();
    world.seen.clear();
    let stops = |world: &mut World, stop_ms: u64, flows_s: u64| {
        let before = told_flow(world).len();
        world.says("+QPCMV: 0,0");
        world.run(Duration::from_millis(stop_ms));
        let is_stopped = told_flow(world).len() == before + 1;
        world.says("+QPCMV: 1,0");
        world.sound(flows_s, 16_000, 16_000);
        assert!(is_stopped && told_flow(world).len() == before + 2, "{stop_ms} ms");
    };
    for _ in 0..100 {
        stops(&mut world, 400, 1);
    }
    for _ in 0..3 {
        stops(&mut world, 2_900, 4);
    }
    assert_eq!((world.line.state(), world.ends()), (ModemState::Active, vec![]));
    let is_trouble = |output: &ModemOutput| matches!(output, ModemOutput::SoundTrouble(_));
    assert!(!world.wanted().iter().any(is_trouble));
}

fn told_flow(world: &World) -> Vec<ModemOutput> {
    let is_flow = |output: &ModemOutput| matches!(output, ModemOutput::PauseUplink | ModemOutput::ResumeUplink);
    world.wanted().into_iter().filter(is_flow).collect()
}

#[test]
fn the_gains_of_a_family_are_given_at_a_start_and_firmware_that_refuses_them_is_well() {
    for refuses in [false, true] {
        let mut world = World::new("simcom_sim7600", LineSettings::default());
        if refuses {
            world.modem.says_instead("AT+COUTGAIN", "\r\nERROR\r\n");
            world.modem.says_instead("AT+CMICGAIN", "\r\nERROR\r\n");
        }
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        let given = ["AT+COUTGAIN=8", "AT+CMICGAIN=3"].map(|row| world.modem.count(row));
        assert_eq!((given, world.line.state()), ([1, 1], ModemState::Ready), "{refuses}");
    }
}
