//! What a person or a script reads on standard output, and the last word on standard error.
//!
//! Logs are not here: they go through `tracing`.

use std::{error::Error, io::Write as _};

/// Prints one line to standard output at once.
///
/// A reader that went away is no reason to stop serving, so a failure is only logged.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        tracing::debug!(error = &error as &dyn Error, "standard output is gone");
    }
}

/// Prints one line to standard error.
pub fn problem(text: &str) {
    let mut out = std::io::stderr().lock();
    if let Err(error) = writeln!(out, "jumpgate: {text}") {
        tracing::debug!(error = &error as &dyn Error, "standard error is gone");
    }
}

/// An error and its sources in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_source() {
        let inner = std::io::Error::other("no route");
        let address = ([127, 0, 0, 1], 1).into();
        let error = crate::net::DialError::Unreachable { address, source: inner };
        assert_eq!(chain(&error), "127.0.0.1:1 cannot be reached: no route");
    }
}
