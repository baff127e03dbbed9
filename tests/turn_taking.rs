//! Whose turn it is, in simulated time: a caller, a detector, ears, a judge and
//! a box's voice that behave as the real ones do, and one rule to each test.

#[path = "turn_taking/barge_in.rs"]
mod barge_in;
#[path = "turn_taking/echo.rs"]
mod echo;
#[path = "turn_taking/end_of_turn.rs"]
mod end_of_turn;
#[path = "turn_taking/in_a_noise.rs"]
mod in_a_noise;
#[path = "turn_taking/scene.rs"]
mod scene;
#[path = "turn_taking/silence.rs"]
mod silence;
