//! The encrypted memory of the box; the only module that writes the disk.
