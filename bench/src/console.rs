//! What a run says while it runs: progress to stderr, tables to stdout.

use std::io::{self, Write as _};

/// One line of progress.
pub(crate) fn say(line: &str) {
    // When nobody listens, the results still go to their files.
    let _ = writeln!(io::stderr().lock(), "bench: {line}");
}

/// The reason for a failure.
pub(crate) fn complain(line: &str) {
    say(&format!("failed: {line}"));
}

/// A finished table.
pub(crate) fn show(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
