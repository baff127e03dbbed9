//! Whose turn it is. Pure: facts about speech come in with their times.
