//! Engines that run at a provider's. Each knows one provider's protocol; what it
//! sends is cleared by the call's gate and leaves by the one door.

pub mod elevenlabs;
