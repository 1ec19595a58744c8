//! What a text tells of that which it leaves behind, or asks for of it.

use cache::sql::mysql::{Counted, Effect, Kind, StatementFacts};

use super::super::{
    outcome::{RAISES, begins_with},
    plan::Text,
};

impl Text {
    /// What `FOUND_ROWS()` says of a reply with so many rows, if that is certain; how many were skipped, a parameter may say.
    pub(super) fn counted(&self, rows: u64, by_parameter: Option<u64>) -> Option<u64> {
        match (self.last_statement()?.counted, by_parameter) {
            (Counted::Rows, _) => Some(rows),
            (Counted::Skipping, _) if rows > 0 => skipped(&self.sql)?.checked_add(rows),
            (Counted::SkippingParameter(_), Some(0)) => Some(rows),
            (Counted::SkippingParameter(_), Some(skipped)) if rows > 0 => skipped.checked_add(rows),
            _ => None,
        }
    }

    /// Which parameter says how many rows are skipped, where one does.
    pub(crate) fn skips_by(&self) -> Option<usize> {
        match self.last_statement()?.counted {
            Counted::SkippingParameter(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it is an UPDATE of which MySQL counts the rows that it matched.
    pub(super) fn is_matched(&self) -> bool {
        self.last_statement().is_some_and(|one| one.counted == Counted::Matched)
    }

    fn last_statement(&self) -> Option<&StatementFacts> {
        self.analysis.as_ref()?.statements.last()
    }

    /// Whether what `FOUND_ROWS()` says is the same after its first statements.
    pub(crate) fn keeps_found_rows(&self, first: usize, is_mariadb: bool) -> bool {
        let keeps = |one: &StatementFacts| {
            one.counted == Counted::Kept || is_mariadb && one.counted == Counted::Matched
        };
        let sets = |effect: &Effect| *effect == Effect::FoundRows;
        let mut statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        !self.is_unread()
            && statements
                .by_ref()
                .take(first)
                .all(|one| keeps(one) && !one.effects.iter().any(sets))
    }

    /// Whether one of its first statements certainly sets what `FOUND_ROWS()` says.
    pub(crate) fn sets_found_rows(&self, first: usize, is_mariadb: bool) -> bool {
        let mut statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        statements.by_ref().take(first).any(|one| match one.counted {
            Counted::Rows => true,
            Counted::Matched => !is_mariadb,
            Counted::Kept | Counted::Skipping | Counted::SkippingParameter(_) | Counted::Server => {
                one.effects.contains(&Effect::FoundRows)
            }
        })
    }

    /// Whether one of its statements raises a condition by saying so.
    pub(super) fn raises(&self) -> bool {
        let mut statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        statements.any(|one| {
            let sql = self.sql.get(one.text.clone()).unwrap_or_default();
            one.kind == Kind::Other && begins_with(sql, &RAISES)
        })
    }

    /// Whether no table is involved in any of its statements.
    pub(crate) fn is_tableless(&self) -> bool {
        let mut statements = self.analysis.iter().flat_map(|analysis| &analysis.statements);
        !self.is_unread() && statements.all(|one| one.is_tableless)
    }

    /// Whether it asks for what the session's last statement left behind, but for LAST_INSERT_ID(), which every
    /// backend can be given.
    pub(crate) fn asks_for_last(&self) -> bool {
        use cache::sql::mysql::Mentioned::{ConnectionId, LastInsertId, Schema};
        self.mentions(|what| !matches!(what, LastInsertId | ConnectionId | Schema))
            || self
                .has(|kind| matches!(kind, Kind::ShowDiagnostics { .. } | Kind::GetDiagnostics(_)))
    }
}

/// How many rows a text skips that ends with `LIMIT n, m` or `OFFSET n`; of any other it is not known.
fn skipped(sql: &[u8]) -> Option<u64> {
    let sql = std::str::from_utf8(sql)
        .ok()?
        .trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    if ["--", "#", "/*"].iter().any(|comment| sql.contains(comment)) {
        return None;
    }
    let last = |sql: &str| {
        let start = sql.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (before, digits) = sql.split_at_checked(start)?;
        Some((before.trim_ascii_end().len(), digits.parse::<u64>().ok()?))
    };
    let ends = |sql: &str, word: &str| {
        let start = sql.len().checked_sub(word.len());
        start.and_then(|start| sql.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    let (end, number) = last(sql)?;
    let before = sql.get(..end)?;
    if ends(before, "offset") {
        return Some(number);
    }
    let before = before.strip_suffix(',')?.trim_ascii_end();
    let (end, number) = last(before)?;
    ends(before.get(..end)?, "limit").then_some(number)
}
