//! Items of select lists: which have no alias, so that their text is the name of a column.

use std::ops::Range;

use super::lexer::TokenKind;
use super::tokens::Tokens;

/// The lists that stand around a token, outermost first: one entry for the statement and for each open parenthesis.
#[derive(Debug)]
pub(super) struct Lists {
    open: Vec<List>,
    /// The items that were found, as places in the text.
    pub(super) unnamed: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct List {
    /// Where the item begins that is being read, if this is a select list.
    item: Option<usize>,
    /// Something in it is to be replaced.
    is_marked: bool,
}

impl Default for Lists {
    fn default() -> Self {
        Self { open: vec![List::default()], unnamed: Vec::new() }
    }
}

impl Lists {
    /// Whether no parenthesis is open.
    pub(super) fn is_outermost(&self) -> bool {
        self.open.len() == 1
    }

    /// Takes in a word or a sign.
    pub(super) fn token(&mut self, tokens: Tokens<'_>, at: usize) {
        match tokens.kind(at) {
            Some(TokenKind::Word) => {
                if tokens.is_one_of(at, &["SELECT", "RETURNING"]) {
                    self.begin(Some(tokens.skip(at + 1, &BEFORE_ITEM)));
                } else if tokens.is_one_of(at, &AFTER_LIST) {
                    self.end(tokens, at);
                    self.begin(None);
                }
            }
            Some(TokenKind::Symbol) => match tokens.text(at) {
                "(" => self.open.push(List::default()),
                ")" => {
                    self.end(tokens, at);
                    // The statement's own entry stays, however many are closed.
                    if self.open.len() > 1 {
                        self.open.pop();
                    }
                }
                "," if self.open.last().is_some_and(|list| list.item.is_some()) => {
                    self.end(tokens, at);
                    self.begin(Some(at + 1));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// What is read now is to be replaced: the items around it must keep their names.
    pub(super) fn mark(&mut self) {
        self.open.iter_mut().for_each(|list| list.is_marked = true);
    }

    /// The statement has come to its end.
    pub(super) fn finish(&mut self, tokens: Tokens<'_>) {
        while !self.open.is_empty() {
            self.end(tokens, tokens.len());
            self.open.pop();
        }
    }

    fn begin(&mut self, item: Option<usize>) {
        if let Some(list) = self.open.last_mut() {
            *list = List { item, is_marked: false };
        }
    }

    fn end(&mut self, tokens: Tokens<'_>, end: usize) {
        let Some(List { item: Some(start), is_marked: true }) = self.open.last().copied() else {
            return;
        };
        let item = tokens.until(end).from(start);
        if item.len() > 0 && !may_have_alias(item) {
            self.unnamed.push(item.span(0).start..item.span(item.len() - 1).end);
        }
    }
}

/// Whether an item has an alias, or what might be one: a second one would be an error.
fn may_have_alias(item: Tokens<'_>) -> bool {
    if item.outer().any(|at| item.is(at, "AS")) {
        return true;
    }
    let Some(before) = item.len().checked_sub(2) else { return false };
    let last = before + 1;
    // What an operand ends with; whatever follows one directly is an alias, or belongs to it.
    let follows_operand = match item.kind(before) {
        Some(TokenKind::Symbol) => item.is_symbol(before, ")"),
        Some(TokenKind::Word) => {
            let word = item.text(before);
            item.keyword(before).is_none()
                || !word.starts_with('_') && !item.is_one_of(before, &OPERATORS)
        }
        Some(TokenKind::SystemMark) | None => false,
        Some(_) => true,
    };
    match item.kind(last) {
        Some(TokenKind::Name) => follows_operand,
        Some(TokenKind::Text) => {
            // Of two texts one after the other the second continues the first.
            follows_operand
                && !matches!(item.kind(before), Some(TokenKind::Text | TokenKind::National))
        }
        Some(TokenKind::Word) => follows_operand && !item.is(last, "END") && !is_unit(item, last),
        _ => false,
    }
}

/// Whether the word at the end of an item is the unit of an INTERVAL: each has one.
fn is_unit(item: Tokens<'_>, last: usize) -> bool {
    let before = || item.outer().filter(|&at| at < last);
    let intervals = before().filter(|&at| item.is(at, "INTERVAL")).count();
    let units = before().filter(|&at| item.is_one_of(at, &UNITS)).count();
    item.is_one_of(last, &UNITS) && intervals > units
}

/// The units that an INTERVAL may have.
const UNITS: [&str; 20] = [
    "DAY",
    "DAY_HOUR",
    "DAY_MICROSECOND",
    "DAY_MINUTE",
    "DAY_SECOND",
    "HOUR",
    "HOUR_MICROSECOND",
    "HOUR_MINUTE",
    "HOUR_SECOND",
    "MICROSECOND",
    "MINUTE",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "MONTH",
    "QUARTER",
    "SECOND",
    "SECOND_MICROSECOND",
    "WEEK",
    "YEAR",
    "YEAR_MONTH",
];

/// What a select list may begin with.
const BEFORE_ITEM: [&str; 11] = [
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "SQL_NO_CACHE",
    "SQL_SMALL_RESULT",
];

/// What ends a select list.
const AFTER_LIST: [&str; 13] = [
    "FROM",
    "INTO",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "FOR",
    "LOCK",
    "PROCEDURE",
    "UNION",
    "EXCEPT",
    "INTERSECT",
];

/// Words that an operand follows, so that what comes behind them is no alias.
const OPERATORS: [&str; 29] = [
    "AND",
    "ANY",
    "BETWEEN",
    "BINARY",
    "CASE",
    "COLLATE",
    "DATE",
    "DIV",
    "ELSE",
    "ESCAPE",
    "EXISTS",
    "IN",
    "INTERVAL",
    "IS",
    "LIKE",
    "MOD",
    "NOT",
    "OF",
    "OR",
    "OVER",
    "REGEXP",
    "RLIKE",
    "SOME",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "WHEN",
    "XOR",
    "DISTINCT",
];

#[cfg(test)]
mod tests {
    use super::super::{Modes, analyse};

    #[test]
    fn items_without_an_alias_are_found() {
        let cases: &[(&str, &[&str])] = &[
            ("SELECT ROW_COUNT()", &["ROW_COUNT()"]),
            ("select  hex( row_count() /* c */ ) , 1", &["hex( row_count() /* c */ )"]),
            ("SELECT DISTINCT 1, -ROW_COUNT() FROM t", &["-ROW_COUNT()"]),
            ("SELECT ROW_COUNT() IS NULL", &["ROW_COUNT() IS NULL"]),
            ("SELECT CASE ROW_COUNT() WHEN 1 THEN 2 END", &["CASE ROW_COUNT() WHEN 1 THEN 2 END"]),
            ("SELECT 'a' LIKE ROW_COUNT(), 'x'", &["'a' LIKE ROW_COUNT()"]),
            ("SELECT (SELECT ROW_COUNT() + 1)", &["ROW_COUNT() + 1", "(SELECT ROW_COUNT() + 1)"]),
            ("SELECT * FROM (SELECT ROW_COUNT() + 1) x", &["ROW_COUNT() + 1"]),
            ("SELECT @@warning_count, 1", &["@@warning_count"]),
            ("SELECT @@session.error_count + 1", &["@@session.error_count + 1"]),
            ("SELECT 1 + ROW_COUNT() UNION SELECT 2", &["1 + ROW_COUNT()"]),
            ("SELECT ROW_COUNT() + 1 AS n", &[]),
            ("SELECT ROW_COUNT() + 1 n, 2", &[]),
            ("SELECT ROW_COUNT() n", &[]),
            ("SELECT ROW_COUNT() + a `n`", &[]),
            ("SELECT ROW_COUNT() + 1 'n'", &[]),
            ("SELECT a + INTERVAL ROW_COUNT() DAY", &["a + INTERVAL ROW_COUNT() DAY"]),
            // A unit may be an alias too.
            ("SELECT a + INTERVAL ROW_COUNT() DAY day", &[]),
            ("SELECT a + INTERVAL 1 HOUR + ROW_COUNT() second", &[]),
            ("SELECT 1 WHERE ROW_COUNT() = 1", &[]),
            ("SELECT a, b FROM t WHERE c IN (ROW_COUNT(), 2)", &[]),
        ];
        for (sql, expected) in cases {
            let found = analyse(sql, Modes::default()).unnamed;
            let found: Vec<&str> = found.into_iter().filter_map(|item| sql.get(item)).collect();
            assert_eq!(found, *expected, "{sql}");
        }
    }
}
