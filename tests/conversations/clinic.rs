//! What callers of the clinic say, their calls, and what is asked of a call when it is over.

use milu::call::{Outcome, Output, Speaker, Turn};

use crate::caller::Act::{self, Say};
use crate::laws;
use crate::mind::MindFaults;
use crate::world::{Happened, Weather, World};

pub const OPEN: Act = Say("When do you open?", 1400);
pub const MOON: Act = Say("What is the price of the moon?", 1800);
pub const YES: Act = Say("Yes.", 450);
pub const BYE: Act = Say("Goodbye.", 700);
pub const NAME: Act = Say("My name is Ada.", 1200);
pub const BODY: Act = Say("Please tell the doctor that I will come on Monday.", 3500);
pub const NO: Act = Say("No.", 450);

pub fn call(weather: Weather, acts: &[Act]) -> World {
    let world = World::play(1, weather, acts.to_vec());
    laws::check(&world);
    world
}

pub fn fair(acts: &[Act]) -> World {
    call(Weather::FAIR, acts)
}

pub fn outcome(world: &World) -> Outcome {
    world.record.as_ref().expect("a record").outcome
}

pub fn says(world: &World, text: &str) -> bool {
    world.sentences().iter().any(|s| s.contains(text))
}

/// How often the box says it.
pub fn times(world: &World, text: &str) -> usize {
    world.sentences().iter().filter(|s| s.contains(text)).count()
}

/// When the world was first asked for such a thing.
pub fn first(world: &World, wanted: fn(&Output) -> bool) -> Option<usize> {
    world.log.iter().position(|(_, h)| matches!(h, Happened::Wanted(output) if wanted(output)))
}

/// A mind in the cloud that streams.
pub fn streaming() -> Weather {
    Weather { mind: MindFaults::STREAMING, ..Weather::FAIR }
}

pub fn of_box(world: &World) -> Vec<&Turn> {
    world.record.as_ref().expect("a record").turns.iter().filter(|t| t.who == Speaker::Box).collect()
}
