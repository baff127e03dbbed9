//! Engines in the cloud and on servers of the business's own network. Whatever
//! they send is cleared by the call's gate and goes through the one door; they
//! open no connection of their own and never log what was said.

pub mod anthropic;
pub mod mind;
pub mod openai;
