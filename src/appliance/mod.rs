//! Builds the box from its configuration and keeps it running.
