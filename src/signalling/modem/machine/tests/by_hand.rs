use std::time::Duration;

use super::super::super::*;
use super::world::World;
use crate::terms::Private;

/// What a row by hand was answered with, once it was.
pub(super) fn answer(world: &World, id: u64) -> Option<Result<String, CommandFailure>> {
    world.wanted().into_iter().find_map(|output| match output {
        ModemOutput::CommandAnswered { id: answered, result } if answered == id => {
            Some(result.map(Private::into_exposed))
        }
        _ => None,
    })
}

#[test]
fn a_row_that_was_given_before_a_call_is_not_given_in_it() {
    for row in ["ATH", "AT+CFUN=1,1"] {
        let mut world = World::ready("generic");
        // A text is on its way, and the network takes its time.
        world.modem.says_instead("body", "");
        world.text(1, "hi");
        world.run_s(1);
        assert_eq!(world.modem.bodies.len(), 1, "{:?}", world.modem.heard);
        world.give(ModemInput::Command { id: 7, row: row.to_owned(), force: Force::Yes });
        world.rings();
        world.says("+CMGS: 1\nOK");
        world.run(Duration::from_millis(500));
        assert_eq!(answer(&world, 7), Some(Err(CommandFailure::CallRunning)), "{row}");
        world.give(ModemInput::Answer);
        world.run_s(4);
        assert_eq!((world.line.state(), world.modem.count(row)), (ModemState::Active, 0), "{row}");
        // One that is wanted although the caller is on the line goes out.
        world.give(ModemInput::Command { id: 8, row: "AT+CSQ".to_owned(), force: Force::Yes });
        world.run_s(1);
        assert_eq!(answer(&world, 8), Some(Ok("+CSQ: 24,99\nOK".to_owned())), "{row}");
    }
}
