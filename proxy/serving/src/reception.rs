//! How an origin receives us: counted each time, told once.

use origin::net::ConnectError;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::observe::DatabaseMetrics;

/// How an origin has received us lately: what is told once, and not with each attempt.
#[derive(Debug, Default)]
pub struct Reception(Mutex<Option<Outage>>);

/// No connection could be opened since.
#[derive(Debug)]
struct Outage {
    reason: &'static str,
    since: Instant,
    attempts: u64,
}

impl Reception {
    /// Times a connection that was opened, and logs why one was not, where that is news.
    pub fn note<T>(
        &self,
        opened: &Result<T, ConnectError>,
        began: Instant,
        database: &str,
        metrics: &DatabaseMetrics,
    ) {
        let mut outage = self.0.lock();
        match opened {
            Ok(_) => {
                metrics.connect_seconds.observe(began.elapsed().as_secs_f64());
                if let Some(Outage { since, attempts, .. }) = outage.take() {
                    let seconds = since.elapsed().as_secs();
                    tracing::info!(%database, attempts, seconds, "origin connections open again");
                }
            }
            Err(error) => {
                let reason = error.word();
                metrics.failures.connect(reason);
                let error = error as &dyn std::error::Error;
                let known = outage.get_or_insert(Outage { reason: "", since: began, attempts: 0 });
                known.attempts += 1;
                if known.reason == reason {
                    let attempts = known.attempts;
                    tracing::debug!(%database, reason, error, attempts, "origin connection failed");
                } else {
                    known.reason = reason;
                    tracing::warn!(%database, reason, error, "origin connection failed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt, sync::Arc};

    use tracing::{Event, Level, Metadata, Subscriber, field::Visit, span};

    use super::*;
    use crate::observe::Metrics;

    /// Counts events by their level.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<(Level, String)>>>);

    struct Words(String);

    impl Visit for Words {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
            if matches!(field.name(), "message" | "attempts") {
                self.0 = format!("{} {value:?}", self.0).trim().to_owned();
            }
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut words = Words(String::new());
            event.record(&mut words);
            self.0.lock().push((*event.metadata().level(), words.0));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    /// FAULTS row 57: thousands of failures are one line, and their number.
    #[test]
    fn an_outage_is_told_when_it_begins_and_when_it_ends() {
        let (log, reception) = (Log::default(), Reception::default());
        let metrics = Metrics::new().database("app", "1");
        let note = |opened: Result<(), ConnectError>| {
            reception.note(&opened, Instant::now(), "app", &metrics);
        };
        tracing::subscriber::with_default(log.clone(), || {
            note(Ok(()));
            for _ in 0..1000 {
                note(Err(ConnectError::TimedOut));
            }
            for _ in 0..1000 {
                note(Err(ConnectError::TlsRequired));
            }
            note(Ok(()));
            note(Ok(()));
        });
        let told = log.0.lock();
        let told = told.iter().filter(|(level, _)| *level <= Level::INFO);
        let told = told.map(|(_, words)| words.as_str()).collect::<Vec<_>>();
        let failed = "origin connection failed";
        assert_eq!(told, [failed, failed, "origin connections open again 2000"]);
    }
}
