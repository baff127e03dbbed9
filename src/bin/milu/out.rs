//! Rows on standard output. It decides nothing about what they say.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

/// Prints one row, as `println!` does, whose reader may leave early.
macro_rules! say {
    ($($part:tt)*) => { crate::out::row(format_args!($($part)*)) };
}
pub(crate) use say;

/// Whoever read may have had enough (`milu doctor | head`): then the program ends
/// quietly, as one does that the kernel ends with SIGPIPE.
pub fn row(row: Arguments<'_>) {
    let Err(error) = writeln!(std::io::stdout().lock(), "{row}") else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("Standard output took no row: {error}.");
    std::process::exit(i32::from(crate::ANSWER_NO));
}
