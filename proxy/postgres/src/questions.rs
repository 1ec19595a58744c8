//! Queries of our own that ask a backend what no statement's text says: whether what pinned a session is gone, and
//! whose doing a changed setting is.

use std::sync::Arc;

use cache::sql::postgres::Pin;
use protocol::postgres::{
    encode,
    pipeline::{Asker, Request as Sent},
};

use super::{
    backend::{Backend, Note},
    client::Client,
    work::Work,
};

/// Whether the state that pins a session is still there, as one `t` or `f`.
pub(crate) const PIN_PROBE: &str = "SELECT \
    EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' \
            AND pid = pg_catalog.pg_backend_pid()) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_listening_channels()) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_cursors WHERE is_holdable) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_prepared_statements \
            WHERE from_sql AND pg_catalog.strpos(name, 'jumpgate_') OPERATOR(pg_catalog.<>) 1) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema()) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema()) \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_type WHERE typnamespace = pg_catalog.pg_my_temp_schema())";

impl Work {
    /// Asks a backend that reports a changed setting, for which nobody can account, whose doing that is. True when it
    /// was asked: it is busy then until its answer has come.
    pub(crate) fn ask_whose_doing(&mut self) -> bool {
        let changed = self.changed_unseen();
        if changed.is_empty() {
            return false;
        }
        // A reload of the server's configuration changes values too, but not those that the session set.
        let names = changed.iter().map(|name| format!("'{}'", name.replace('\'', "''")));
        let names = names.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_settings \
             WHERE source = 'session' AND name IN ({names}))"
        );
        ask(&mut self.loan, &sql, Note::ChangeProbe { of_session: true });
        // What the client says next runs with what comes of it.
        self.barrier = true;
        true
    }

    /// The settings that the backend reports differently from the beginning of the loan although no statement that
    /// we understood changed one.
    pub(crate) fn changed_unseen(&self) -> Vec<String> {
        match &self.lent_with {
            Some((applied, parameters))
                if Arc::ptr_eq(&self.loan.applied, applied)
                    && !self.loan.parameters.is_same(parameters) =>
            {
                let differs = |(name, value): &(&str, &str)| parameters.get(name) != Some(*value);
                self.loan
                    .parameters
                    .iter()
                    .filter(differs)
                    .map(|(name, _)| name.to_owned())
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Client {
    /// The answer: a value that a function set keeps the session on its backend, any other is the server's own.
    pub(crate) fn answered(&mut self, work: &mut Work, of_session: bool) {
        work.barrier = false;
        if of_session {
            self.pin(work, Pin::UnknownSetting);
            return;
        }
        let changed = work.changed_unseen();
        if changed.iter().any(|name| work.loan.applied.get(&name.to_lowercase()).is_some()) {
            // Code has reset it, to the server's value and not the client's.
            work.loan.applied = Arc::new(work.loan.applied.in_doubt());
        }
        self.lent(work);
    }
}

/// Sends a query of our own.
pub(crate) fn ask(backend: &mut Backend, sql: &str, note: Note) {
    encode::query(sql, backend.framed.queue());
    backend.prepared.forget_unnamed();
    backend.pipeline.sent(Sent::Query, Asker::Proxy, Some(note));
}

/// Whether the probe can tell that the reason for a pin is gone. The others end with DISCARD ALL, RESET ALL or
/// the session.
pub(crate) fn is_probed(pin: Pin) -> bool {
    matches!(
        pin,
        Pin::Listen | Pin::TempTable | Pin::AdvisoryLock | Pin::HoldCursor | Pin::SqlPrepare
    )
}
