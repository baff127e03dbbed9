//! Running things: the one legal clock, supervised tasks, a clean stop, logs without anyone's words.
