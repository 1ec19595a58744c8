//! A file of statements, cut into them as `psql` and `mysql` cut it.
//!
//! It never gives up: behind a text that cannot be cut for sure, such as one with a quote that does not end, the next statement
//! begins after a line that ends with a semicolon. What is between is one statement, for others to judge.

use super::{
    lexer::{Lexer, Token},
    words::Dialect,
};
use crate::sql::common::MAX_TEXT_BYTES;

/// The statements of a file, in order.
#[derive(Debug)]
pub struct Script<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    dialect: Dialect,
}

/// One of them, without the semicolon at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// The line it begins in, from 1.
    pub line: usize,
    /// Its text, with the comments in front of it.
    pub text: &'t str,
}

impl<'t> Script<'t> {
    /// The statements of a text.
    pub const fn new(text: &'t str, dialect: Dialect) -> Self {
        Self { text, at: 0, line: 1, dialect }
    }

    /// Takes so many bytes, of which so many at the end are not of the statement.
    fn cut(&mut self, length: usize, semicolon: usize) -> Statement<'t> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let part = rest.get(..length).unwrap_or(rest);
        let text = part.get(..part.len().saturating_sub(semicolon)).unwrap_or_default();
        let before = text.len() - text.trim_start().len();
        let lines = |text: &str| memchr::memchr_iter(b'\n', text.as_bytes()).count();
        let line = self.line + lines(text.get(..before).unwrap_or_default());
        self.line += lines(part);
        self.at += part.len();
        Statement { line, text: text.trim() }
    }
}

impl<'t> Iterator for Script<'t> {
    type Item = Statement<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            // More is too long to be read, whatever it is.
            let window = rest.get(..rest.floor_char_boundary(MAX_TEXT_BYTES + 1))?;
            match end(window, rest, self.dialect) {
                End::Statement { length, semicolon } => return Some(self.cut(length, semicolon)),
                End::Nothing { length } => drop(self.cut(length, 0)),
            }
        }
    }
}

/// What comes next.
enum End {
    /// A statement of so many bytes, with so many of them at its end that are not of it.
    Statement { length: usize, semicolon: usize },
    /// Space, comments, a semicolon.
    Nothing { length: usize },
}

fn end(window: &str, rest: &str, dialect: Dialect) -> End {
    let mut lexer = Lexer::new(window, window.len() < rest.len(), dialect);
    let mut nesting = Nesting::default();
    let mut is_first = true;
    loop {
        let token = lexer.next();
        let span = lexer.span();
        match token {
            None => return unsure(rest, span.end),
            Some(Some(_)) if lexer.is_cut_here() => return unsure(rest, span.end),
            Some(None) if window.len() < rest.len() => return unsure(rest, window.len()),
            Some(None) if is_first => return End::Nothing { length: window.len() },
            Some(None) => return End::Statement { length: window.len(), semicolon: 0 },
            Some(Some(Token::Sign(";"))) if is_first => return End::Nothing { length: span.end },
            Some(Some(Token::Sign(";"))) if nesting.is_none() => {
                return End::Statement { length: span.end, semicolon: 1 };
            }
            // A command of the client.
            Some(Some(Token::Sign("\\"))) if is_first => {
                let behind = rest.get(span.end..).unwrap_or_default();
                let line = memchr::memchr(b'\n', behind.as_bytes()).unwrap_or(behind.len());
                return End::Statement { length: span.end + line, semicolon: 0 };
            }
            Some(Some(token)) => nesting.token(token, dialect),
        }
        is_first = false;
    }
}

/// The end of a line that ends with a semicolon, from a place on.
fn unsure(rest: &str, from: usize) -> End {
    let behind = rest.get(from..).unwrap_or_default();
    let ends_line = |at: &usize| {
        let after = behind.as_bytes().get(at + 1..).unwrap_or_default();
        let mut after = after.iter().skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        matches!(after.next(), None | Some(b'\n'))
    };
    match memchr::memchr_iter(b';', behind.as_bytes()).find(ends_line) {
        Some(at) => End::Statement { length: from + at + 1, semicolon: 1 },
        None => End::Statement { length: rest.len(), semicolon: 0 },
    }
}

/// What a semicolon stands in without ending the statement: brackets, and the body of a function in standard SQL.
#[derive(Debug, Default)]
struct Nesting {
    brackets: usize,
    /// BEGIN and CASE that are open.
    blocks: usize,
    /// It begins with CREATE; not known before its first word.
    is_definition: Option<bool>,
}

impl Nesting {
    const fn is_none(&self) -> bool {
        self.brackets == 0 && self.blocks == 0
    }

    fn token(&mut self, token: Token<'_>, dialect: Dialect) {
        match token {
            Token::Sign("(") => self.brackets += 1,
            Token::Sign(")") => self.brackets = self.brackets.saturating_sub(1),
            Token::Word(word) if dialect == Dialect::Postgres => {
                let is = |what: &str| word.eq_ignore_ascii_case(what);
                let is_definition = *self.is_definition.get_or_insert_with(|| is("create"));
                if is_definition && (is("begin") || self.blocks > 0 && is("case")) {
                    self.blocks += 1;
                } else if is("end") {
                    self.blocks = self.blocks.saturating_sub(1);
                }
            }
            Token::Word(_) | Token::Parameter(_) | Token::Constant | Token::Sign(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, dialect: Dialect) -> Vec<(usize, &str)> {
        Script::new(text, dialect).map(|statement| (statement.line, statement.text)).collect()
    }

    #[test]
    fn semicolons_end_statements_where_the_servers_say_so() {
        let text = "-- one; of two\n/* jumpgate: max_age=1 */ SELECT ';', $a$;$a$, \";\"; ;\n\nSELECT 2;\n\
                    CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2);\n\
                    CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
                    SELECT 3 -- the end";
        let told = cut(text, Dialect::Postgres);
        let lines: Vec<usize> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 4, 5, 6, 7], "{told:?}");
        assert!(told[0].1.starts_with("-- one") && told[0].1.ends_with("\";\""), "{told:?}");
        assert_eq!((told[1].1, told[4].1), ("SELECT 2", "SELECT 3 -- the end"));
        let mysql = "SELECT 'it\\';s'; # no; not here\nSELECT `a;b`;";
        assert_eq!(
            cut(mysql, Dialect::MySql),
            [(1, "SELECT 'it\\';s'"), (1, "# no; not here\nSELECT `a;b`")]
        );
    }

    #[test]
    fn commands_of_the_client_end_with_their_line() {
        let text = "\\set who 'it''s\n\\d item\nSELECT :who;\nSELECT 1";
        let cut = cut(text, Dialect::Postgres);
        assert_eq!(
            cut,
            [(1, "\\set who 'it''s"), (2, "\\d item"), (3, "SELECT :who"), (4, "SELECT 1")]
        );
    }

    #[test]
    fn behind_what_cannot_be_cut_the_next_statement_is_found() {
        let text = "SELECT a LIKE b ESCAPE '\\';\nSELECT 'open;\nSELECT 2;\nSELECT 3";
        assert_eq!(
            cut(text, Dialect::Postgres),
            [
                (1, "SELECT a LIKE b ESCAPE '\\'"),
                (2, "SELECT 'open"),
                (3, "SELECT 2"),
                (4, "SELECT 3")
            ]
        );
        let mysql = "/*!40101 SET a = 1 */;\nSELECT 1;";
        assert_eq!(cut(mysql, Dialect::MySql), [(1, "/*!40101 SET a = 1 */"), (2, "SELECT 1")]);
        let long = format!("SELECT '{}';\nSELECT 1", "x".repeat(MAX_TEXT_BYTES));
        assert_eq!(cut(&long, Dialect::Postgres).last(), Some(&(2, "SELECT 1")));
    }

    proptest! {
        /// Between two statements, and behind the last, there is none.
        #[test]
        fn no_statement_is_lost(text in "[a-z;'\"\\\\$ \n(/*-]{0,60}") {
            for dialect in [Dialect::Postgres, Dialect::MySql] {
                let mut from = 0;
                let ends = Script::new(&text, dialect).map(|it| {
                    let start = it.text.as_ptr().addr() - text.as_ptr().addr();
                    (start, start + it.text.len())
                });
                for (start, end) in ends.chain([(text.len(), text.len())]) {
                    prop_assert!(from <= start && start <= end);
                    prop_assert_eq!(cut(text.get(from..start).unwrap(), dialect), []);
                    from = end;
                }
            }
        }
    }
}
