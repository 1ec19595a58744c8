//! Logs: text for people or JSON for machines, always to stderr.

use std::io::{self, IsTerminal as _};

use serving::config::{LogConfig, LogFormat};
use tracing_subscriber::{EnvFilter, fmt};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `--log`, `RUST_LOG` or `log.filter` is no filter.
    #[error("the log filter is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody else did it before.
    #[error("logging is set up twice")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The targets of our own events.
const OURS: [&str; 6] = ["jumpgate", "tunnel", "cache", "protocol", "control", "audit"];
/// What a filter means by `proxy`: the crates that it is made of, too.
const OF_THE_PROXY: [&str; 5] = ["proxy", "serving", "postgres", "mysql", "origin"];

/// A filter as it is meant: a level below `info` is for what we say, and not for the libraries, which would drown it.
/// They are heard where the filter names them (`debug,rustls=debug`).
fn meant(directives: &str) -> String {
    let at = |targets: &[&str], level: &str| {
        targets.iter().map(|target| format!("{target}={level}")).collect::<Vec<_>>().join(",")
    };
    let each = directives.split(',').map(|directive| match directive.trim().split_once('=') {
        Some(("proxy", level)) => at(&OF_THE_PROXY, level),
        None if matches!(directive.trim().to_ascii_lowercase().as_str(), "debug" | "trace") => {
            let level = directive.trim();
            format!("info,{},{}", at(&OF_THE_PROXY, level), at(&OURS, level))
        }
        _ => directive.to_owned(),
    });
    each.collect::<Vec<_>>().join(",")
}

/// Sends the process's events to stderr.
///
/// `--log` decides which, else `RUST_LOG`, else the file.
///
/// # Errors
///
/// [`LoggingError`] where the filter is wrong.
pub fn start(config: &LogConfig, flag: Option<&str>) -> Result<(), LoggingError> {
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let directives = meant(flag.or(variable.as_deref()).unwrap_or(&config.filter));
    // The parser of MySQL's dialect logs the tokens of statements, and so the data in them.
    let filter = EnvFilter::try_new(&directives)?.add_directive("sqlparser=off".parse()?);
    let builder =
        fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(LoggingError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FAULTS §4: `--log debug` was rustls and our own catalog SQL.
    #[test]
    fn a_low_level_is_for_what_we_say_ourselves() {
        let debug = meant("debug");
        let proxy = "proxy=debug,serving=debug,postgres=debug,mysql=debug,origin=debug";
        assert!(debug.starts_with(&format!("info,{proxy},jumpgate=debug,")), "{debug}");
        assert!(meant("TRACE,rustls=debug").ends_with("audit=TRACE,rustls=debug"));
        assert_eq!(meant("warn,proxy=debug"), format!("warn,{proxy}"));
        for same in ["info", "warn,postgres=debug", "", "error", "postgres::relay=trace"] {
            assert_eq!(meant(same), same);
        }
        EnvFilter::try_new(debug).unwrap();
    }
}
