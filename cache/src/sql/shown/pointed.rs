//! Where in a statement the word stands that a reason is about, for a person. Nothing but a person's eye depends on it: it goes
//! by words, and where the reader is not sure what they are, it points nowhere.

use std::ops::Range;

use super::{
    lexer::{Lexer, Token},
    words::Dialect,
};
use crate::sql::{
    common::{Culprit, Reason},
    postgres::is_time_word,
};

/// Where the first word stands that a reason is about, in bytes.
pub fn pointed_at(sql: &str, dialect: Dialect, reason: &Reason) -> Option<Range<usize>> {
    let culprit = reason.culprit();
    if culprit == Culprit::Nothing {
        return None;
    }
    let (mut lexer, mut tokens) = (Lexer::new(sql, false, dialect), Vec::new());
    while let Some(token) = lexer.next()? {
        tokens.push((token, lexer.span()));
    }
    let words = Words { sql, tokens: &tokens };
    let first = |found: &dyn Fn(usize) -> Option<usize>| {
        (0..tokens.len()).find_map(|at| words.between(at, found(at)?))
    };
    match culprit {
        Culprit::Nothing => None,
        Culprit::Keyword(phrases) => {
            first(&|at| phrases.iter().find_map(|phrase| words.phrase(at, phrase)))
        }
        Culprit::Name(name) => first(&|at| words.is_name(at, name).then_some(at)),
        Culprit::Call(name) => {
            first(&|at| (words.is_name(at, name) && words.is_sign(at + 1, "(")).then_some(at))
                .or_else(|| first(&|at| words.is_name(at, name).then_some(at)))
        }
        Culprit::Signs("~~") => first(&|at| words.phrase(at, "like")),
        Culprit::Signs("~~*") => first(&|at| words.phrase(at, "ilike")),
        Culprit::Signs(signs) => first(&|at| words.signs(at, signs)),
        Culprit::Cast(types) => {
            let is_type = |at| types.iter().any(|name| words.is_name(at, name));
            // What is said of a constant is checked as it stands.
            let is_of_more = |at: usize| at.checked_sub(1).is_none_or(|at| !words.is_value(at));
            first(&|at| {
                let is_sign = words.is_sign(at, ":") && words.is_sign(at + 1, ":");
                let is_cast = is_sign && is_type(at + 2) && is_of_more(at);
                let is_call = is_type(at) && words.is_sign(at + 1, "(") && !words.is_value(at + 2);
                let is_as = words.phrase(at, "as").is_some() && is_type(at + 1) && is_of_more(at);
                is_cast.then_some(at + 2).or(is_call.then_some(at)).or(is_as.then_some(at + 1))
            })
        }
        Culprit::TimeWord => first(&|at| words.is_time_word(at).then_some(at)),
    }
}

struct Words<'t> {
    sql: &'t str,
    tokens: &'t [(Token<'t>, Range<usize>)],
}

impl<'t> Words<'t> {
    /// From the beginning of one token to the end of another.
    fn between(&self, first: usize, last: usize) -> Option<Range<usize>> {
        Some(self.tokens.get(first)?.1.start..self.tokens.get(last)?.1.end)
    }

    fn word(&self, at: usize) -> Option<&'t str> {
        match self.tokens.get(at)?.0 {
            Token::Word(word) => Some(word),
            Token::Parameter(_) | Token::Constant | Token::Sign(_) => None,
        }
    }

    fn is_value(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), Some((Token::Constant | Token::Parameter(_), _)))
    }

    fn is_sign(&self, at: usize, sign: &str) -> bool {
        self.tokens.get(at).is_some_and(|(token, _)| *token == Token::Sign(sign))
    }

    /// Where these words end, if they begin here.
    fn phrase(&self, at: usize, phrase: &str) -> Option<usize> {
        let is_here = |(offset, wanted): (usize, &str)| {
            self.word(at + offset).is_some_and(|word| word.eq_ignore_ascii_case(wanted))
        };
        let length = phrase.split(' ').count();
        phrase.split(' ').enumerate().all(is_here).then(|| at + length - 1)
    }

    fn is_name(&self, at: usize, name: &str) -> bool {
        let Some(word) = self.word(at) else { return false };
        match word.as_bytes() {
            [quote @ (b'"' | b'`'), ..] => word.trim_matches(char::from(*quote)) == name,
            _ => word.eq_ignore_ascii_case(name),
        }
    }

    /// Where these signs end, if they begin here and are not part of more; with the name behind an `@`.
    fn signs(&self, at: usize, signs: &str) -> Option<usize> {
        let (token, span) = self.tokens.get(at)?;
        let is_sign = |at: usize| {
            let is_of_operator = |sign: &str| "+-*/<>=~!@#%^&|`?".contains(sign);
            matches!(self.tokens.get(at), Some((Token::Sign(sign), _)) if is_of_operator(sign))
        };
        let touches = |at: usize| {
            let end =
                at.checked_sub(1).and_then(|at| self.tokens.get(at)).map(|(_, span)| span.end);
            self.tokens.get(at).map(|(_, span)| span.start) == end
        };
        let is_begun_before = touches(at) && at > 0 && is_sign(at - 1) && is_sign(at);
        let last = at + signs.len().checked_sub(1)?;
        let goes_on = touches(last + 1) && is_sign(last + 1);
        let is_here = matches!(token, Token::Sign(_))
            && self.sql.get(span.start..)?.starts_with(signs)
            && !is_begun_before
            && (!goes_on || signs == ";");
        let is_named =
            matches!(signs, "@" | "@@") && touches(last + 1) && self.word(last + 1).is_some();
        is_here.then_some(if is_named { last + 1 } else { last })
    }

    fn is_time_word(&self, at: usize) -> bool {
        let constant = self.tokens.get(at).filter(|(token, _)| *token == Token::Constant);
        let text = constant.and_then(|(_, span)| self.sql.get(span.clone()));
        text.is_some_and(|text| is_time_word(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::common::{Nature, Obstacle, TableName, Volatile};

    fn function(name: &str) -> Reason {
        let (name, nature) = (name.to_owned(), Nature::Volatile);
        Reason::Volatile(Volatile::Function { name, nature, is_own: false })
    }

    #[test]
    fn the_word_is_found_that_a_reason_is_about() {
        let table = |name| TableName::qualified("shop", name);
        let hidden = Box::new(function("random"));
        for (sql, reason, word) in [
            ("SELECT random FROM t WHERE random() < 1", function("pg_catalog.random"), "random"),
            ("SELECT 'random()', \"random\"()", function("random"), "\"random\""),
            (
                "SELECT a FROM shop.Daily",
                Reason::View { view: table("daily"), reason: hidden },
                "Daily",
            ),
            (
                "SELECT 1 FOR NO KEY UPDATE",
                Reason::Obstacle(Obstacle::LocksRows),
                "FOR NO KEY UPDATE",
            ),
            ("SELECT a @-@ b, a @> c", Reason::Volatile(Volatile::Operator("@>".into())), "@>"),
            ("SELECT a LIKE b", Reason::Volatile(Volatile::Operator("~~".into())), "LIKE"),
            (
                "SELECT '2026'::date, cast($1 AS date), cast(a AS date)",
                Reason::Volatile(Volatile::TextAsDate),
                "AS date",
            ),
            ("SELECT 'a', 'now'", Reason::Volatile(Volatile::TimeWord), "'now'"),
            ("SELECT 1; SELECT 2", Reason::MultipleStatements, ";"),
        ] {
            let found = pointed_at(sql, Dialect::Postgres, &reason);
            assert_eq!(found.and_then(|range| sql.get(range)), Some(word), "{sql}");
        }
        let call = "SELECT random FROM t WHERE random() < 1";
        assert_eq!(pointed_at(call, Dialect::Postgres, &function("random")), Some(27..33));
        let mysql = "SELECT @@version, @mine";
        let user = Reason::Obstacle(Obstacle::UserVariable);
        let system = Reason::Obstacle(Obstacle::SystemVariable);
        assert_eq!(pointed_at(mysql, Dialect::MySql, &user), Some(18..23));
        assert_eq!(pointed_at(mysql, Dialect::MySql, &system), Some(7..16));
    }

    #[test]
    fn where_the_words_are_not_sure_it_points_nowhere() {
        for (sql, reason) in [
            ("SELECT 'random()", function("random")),
            ("SELECT a", function("random")),
            ("SELEC 1", Reason::ParseError),
        ] {
            assert_eq!(pointed_at(sql, Dialect::Postgres, &reason), None, "{sql}");
        }
    }
}
