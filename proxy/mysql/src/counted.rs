//! Statements as they are counted: by the shape of their texts, how they were answered, and how long that took.

use cache::sql::{
    Parse,
    mysql::Kind,
    shown::{Dialect, shown},
};
use serving::{activity::State, verdict::why_not};
use tokio::time::Instant;

use super::{plan::Text, session::Session};

impl Session {
    /// A text comes, whose statement is the client's last from now on.
    pub(crate) fn runs_text(&mut self, text: &Text) {
        // Where names stand in the quotes of texts, both readings have to agree.
        let modes = self.reading().modes.filter(|modes| !modes.ansi_quotes);
        let has_escapes = modes.map(|modes| !modes.no_backslash_escapes);
        self.runs(text, has_escapes);
    }

    /// The same of what was prepared, perhaps when the session read texts another way.
    pub(crate) fn runs_prepared(&mut self, text: &Text) {
        self.runs(text, None);
    }

    fn runs(&mut self, text: &Text, has_escapes: Option<bool>) {
        let Self { seen, caching, clock, .. } = self;
        let show = || show(text, has_escapes);
        let shape = match &text.analysis {
            Some(analysis) => seen.runs(analysis, show),
            None => seen.runs_unread(show()),
        };
        let Some(shape) = shape else { return };
        let judged = text.judged.as_ref();
        shape.is_judged(judged, caching, || {
            let hint = text.analysis.as_ref().map(|analysis| analysis.hint.clone());
            why_not(judged.map(|judged| &judged.verdict), &hint.unwrap_or_default(), caching)
                .map(|never| never.to_string())
        });
        seen.is(State::Active, clock.asked_at());
    }

    /// Counts the statement that has just been answered, unless nobody listens.
    pub(crate) fn count(&self, has_failed: bool) {
        let Some(shape) = self.seen.shape() else { return };
        let (status, took) = (self.last_status, self.clock.elapsed());
        self.database.metrics.query(status);
        self.database.metrics.answered(status, took);
        shape.count(status);
        shape.answered(status, took);
        if has_failed {
            shape.failed();
        }
    }

    /// There is no backend for a statement, or not one as it must be.
    pub(crate) fn is_refused(&self, text: Option<&Text>) {
        if let Some(shape) = self.seen.shape().filter(|_| text.is_some()) {
            shape.failed();
        }
    }

    /// A command is answered, and what comes next is the client's to say.
    pub(crate) fn is_done(&self) {
        let is_open = self.in_transaction();
        let state = if is_open { State::InTransaction } else { State::Idle };
        self.seen.is(state, Instant::now());
    }
}

/// What people may see of a text. Where it is not known how its quotes are escaped, it is shown if that does not matter.
fn show(text: &Text, has_escapes: Option<bool>) -> String {
    let is_understood =
        text.analysis.as_ref().is_some_and(|analysis| {
            analysis.parse != Parse::Error && !analysis.statements.is_empty()
        }) && !text.has(|kind| *kind == Kind::Unknown);
    // What is not ASCII stands in names and values: see `analyse`.
    let sql = String::from_utf8_lossy(text.sql.get(..MOST).unwrap_or(&text.sql));
    let shown = |dialect| shown(&sql, dialect, is_understood);
    match has_escapes {
        Some(true) => shown(Dialect::MySql),
        Some(false) => shown(Dialect::MySqlWithoutEscapes),
        None => {
            let one = shown(Dialect::MySql);
            match one == shown(Dialect::MySqlWithoutEscapes) {
                true => one,
                false => cache::sql::shown::shown(&sql, Dialect::MySql, false),
            }
        }
    }
}

/// More of a text is not read here.
const MOST: usize = 32 << 10;
