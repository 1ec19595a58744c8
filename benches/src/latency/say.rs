//! What is said while it runs.

/// Says on standard error what takes its time.
pub(super) fn say(line: &str) {
    use std::io::Write;
    // Nobody is left to be told that standard error is gone.
    drop(writeln!(std::io::stderr(), "bench: {line}"));
}
