use super::super::super::*;
use super::texts::RECEIVED;
use super::world::World;

fn is_told(world: &World) -> bool {
    world.line.health().troubles.iter().any(|told| told.contains("memory of texts is full"))
}

#[test]
fn a_memory_full_of_what_is_not_deleted_is_told_of_until_there_is_room() {
    let mut world = World::ready("simcom_sim800");
    world.text(1, "hi");
    world.run_s(5);
    // A telephone keeps what it has sent, as it was sent. This modem has 20 places.
    let kept = world.modem.bodies[0].clone();
    world.modem.storage = (1..20).map(|place| (place, kept.clone())).collect();
    world.run_s(61);
    assert!(!is_told(&world), "one place is left");
    world.modem.storage.push((20, kept));
    world.run_s(61);
    assert!(is_told(&world), "{:?}", world.line.health().troubles);
    assert_eq!((world.modem.count("AT+CMGD"), world.line.state()), (0, ModemState::Ready));
    world.modem.storage.pop();
    world.run_s(61);
    assert!(!is_told(&world));
}

#[test]
fn a_modem_that_says_that_its_memory_is_full_is_believed_until_a_place_is_seen_to_be_empty() {
    let full = "^SMMEMFULL: \"SM\"";
    let mut world = World::ready("generic");
    world.says(full);
    world.run_s(300);
    assert!(is_told(&world));
    // A text has found room.
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says("+CMTI: \"SM\",3");
    assert!(!is_told(&world));
    world.run_s(61);
    // Somebody has made room by hand.
    world.says(full);
    world.run_s(1);
    assert!(is_told(&world));
    world.modem.storage.clear();
    world.run_s(61);
    assert!(!is_told(&world));
    // The box has.
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says(full);
    world.run_s(1);
    assert!(is_told(&world));
    world.give(ModemInput::TextKept { slots: vec![StorageSlot { index: 3 }] });
    world.run_s(2);
    assert!(!is_told(&world) && world.modem.storage.is_empty(), "{:?}", world.modem.storage);
    // What another SIM holds is to be seen.
    world.says(full);
    assert!(is_told(&world));
    world.give(ModemInput::PortGone);
    assert!(!is_told(&world));
}
