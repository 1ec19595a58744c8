//! Logs: text for people or JSON for machines, always to stderr.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

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

/// Sends the process's events to stderr.
///
/// `--log` decides which, else `RUST_LOG`, else the file.
///
/// # Errors
///
/// [`LoggingError`] where the filter is wrong.
pub fn start(config: &LogConfig, flag: Option<&str>) -> Result<(), LoggingError> {
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let directives = flag.or(variable.as_deref()).unwrap_or(&config.filter);
    // The parser of MySQL's dialect logs the tokens of statements, and so the data in them.
    let filter = EnvFilter::try_new(directives)?.add_directive("sqlparser=off".parse()?);
    let builder =
        fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(LoggingError::Twice)
}
