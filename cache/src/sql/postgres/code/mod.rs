//! What the text of a function or of a DO may do, by its words.
//!
//! Written for SQL and PL/pgSQL, whose tokens are the same. Nothing is parsed: every word may be a
//! relation, a type or a function, and what writes begins with a word of its own. So a body can only be
//! believed to do more than it does; where its end of a token is not certain it is not believed at all.
//! One pass, and no part of it looks twice at the text: a hostile body costs what its length costs.

use std::collections::BTreeSet;

use tokens::{Token, tokens};

use super::effects::Pin;
use crate::sql::common::TableName;

/// The language of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Sql,
    PlPgSql,
    /// SQL, in the definition of a function.
    Definition,
}

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The tables it writes.
    pub(super) written: BTreeSet<TableName>,
    /// It changes what is more than rows of tables.
    pub(super) writes_everything: bool,
    /// It runs what its words do not show.
    pub(super) is_opaque: bool,
    /// What it leaves in the session.
    pub(super) pins: BTreeSet<Pin>,
    /// What stands before a parenthesis, with what stands before that and a dot.
    pub(super) called: BTreeSet<(Option<String>, String)>,
    /// The operators.
    pub(super) operators: BTreeSet<String>,
    /// All words, each of which may name something.
    pub(super) words: BTreeSet<String>,
}

impl Code {
    /// What it costs to remember, in names.
    pub(super) fn name_count(&self) -> usize {
        let own = self.written.len() + self.called.len() + self.operators.len();
        own + self.words.len() + self.pins.len()
    }

    /// Whether it asks what its session drew from sequences last.
    pub(super) fn asks_sequences(&self) -> bool {
        self.called.iter().any(|(schema, name)| {
            matches!(schema.as_deref(), None | Some("pg_catalog"))
                && matches!(name.as_str(), "currval" | "lastval")
        })
    }
}

/// What a body may do; none where that cannot be told.
pub(super) fn code(text: &str, language: Language) -> Option<Code> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, language, code: Code::default() };
    // It begins with what made it: CREATE OR REPLACE FUNCTION.
    for at in if language == Language::Definition { 4 } else { 0 }..tokens.len() {
        reader.token(at);
    }
    Some(reader.code)
}

/// Built-in functions that run a text or read tables by name, so that anything may be behind them.
pub(super) const RUNS_A_TEXT: [&str; 17] = [
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "table_to_xml",
    "table_to_xmlschema",
    "table_to_xml_and_xmlschema",
    "schema_to_xml",
    "schema_to_xmlschema",
    "schema_to_xml_and_xmlschema",
    "database_to_xml",
    "database_to_xmlschema",
    "database_to_xml_and_xmlschema",
    "ts_stat",
    "ts_rewrite",
    "brin_summarize_new_values",
];

struct Reader<'t> {
    tokens: &'t [Token],
    language: Language,
    code: Code,
}

impl Reader<'_> {
    fn token(&mut self, at: usize) {
        match self.tokens.get(at) {
            Some(Token::Operator(name)) => {
                self.code.operators.insert(name.clone());
            }
            Some(Token::Word(word)) => {
                let word = word.clone();
                if !self.is_symbol(at.wrapping_sub(1), b'.') {
                    self.keyword(at, &word);
                }
                self.name(at, word);
            }
            Some(Token::Name(name)) => self.name(at, name.clone()),
            Some(Token::Symbol(_) | Token::Constant) | None => {}
        }
    }

    /// Whatever it is, it may name something.
    fn name(&mut self, at: usize, name: String) {
        if name.starts_with("pg_temp") {
            // What is there nobody else can know.
            self.code.pins.insert(Pin::TempTable);
            self.code.is_opaque = true;
        }
        if self.is_symbol(at + 1, b'(') {
            let is_qualified = self.is_symbol(at.wrapping_sub(1), b'.');
            let schema = is_qualified.then(|| self.name_at(at.wrapping_sub(2))).flatten();
            let schema = schema.map(str::to_owned);
            if schema.as_deref().is_none_or(|schema| schema == "pg_catalog") {
                self.built_in(at, &name);
            }
            self.code.called.insert((schema, name.clone()));
        }
        self.code.words.insert(name);
    }

    /// What a function of PostgreSQL's own does to the session.
    fn built_in(&mut self, at: usize, name: &str) {
        match name {
            "pg_advisory_lock"
            | "pg_advisory_lock_shared"
            | "pg_try_advisory_lock"
            | "pg_try_advisory_lock_shared" => {
                self.code.pins.insert(Pin::AdvisoryLock);
            }
            "set_config" if !self.is_for_transaction(at + 1) => {
                self.code.pins.insert(Pin::UnknownSetting);
            }
            "pg_backup_start" | "pg_start_backup" => {
                self.code.pins.insert(Pin::Backup);
            }
            "setseed" => {
                self.code.pins.insert(Pin::UnknownSetting);
            }
            _ => self.code.is_opaque |= RUNS_A_TEXT.contains(&name),
        }
    }

    /// Whether the arguments that begin at this parenthesis end with `, true)`.
    fn is_for_transaction(&self, open: usize) -> bool {
        let mut depth = 0_usize;
        for at in open..open.saturating_add(MAX_ARGUMENTS) {
            if self.is_symbol(at, b'(') {
                depth += 1;
            } else if self.is_symbol(at, b')') {
                depth -= 1;
                if depth == 0 {
                    let comma = at.saturating_sub(2);
                    return self.is(comma + 1, "true") && self.is_symbol(comma, b',');
                }
            }
        }
        false
    }

    fn keyword(&mut self, at: usize, word: &str) {
        match word {
            "insert" => self.insert(at),
            "update" => self.update(at),
            "delete" if self.is(at + 1, "from") => self.target(at + 2),
            "merge" if self.is(at + 1, "into") => self.target(at + 2),
            "delete" if self.is(at.wrapping_sub(1), "then") => {}
            "delete" | "merge" => self.code.writes_everything = true,
            "truncate" => self.truncate(at),
            "execute" => self.code.is_opaque |= !self.is_of_trigger(at),
            "into" if self.language != Language::PlPgSql => {
                // SELECT INTO makes a table.
                let is_target =
                    ["insert", "merge"].iter().any(|it| self.is(at.wrapping_sub(1), it));
                self.code.writes_everything |= !is_target;
            }
            "temp" | "temporary" => {
                let before = ["create", "local", "global", "into", "replace"];
                if before.iter().any(|word| self.is(at.wrapping_sub(1), word)) {
                    self.code.pins.insert(Pin::TempTable);
                }
            }
            "hold" if self.is(at.wrapping_sub(1), "with") => {
                self.code.pins.insert(Pin::HoldCursor);
            }
            _ if self.begins_statement(at) => self.command(at, word),
            _ => {}
        }
    }

    /// A statement that begins with this word, unless the word is a variable that is given a value.
    fn command(&mut self, at: usize, word: &str) {
        let is_assigned = [b':', b'.', b'['].iter().any(|it| self.is_symbol(at + 1, *it))
            || matches!(self.tokens.get(at + 1), Some(Token::Operator(name)) if name == "=");
        if is_assigned {
            return;
        }
        match word {
            "set" => {
                let is_local = ["local", "constraints", "transaction"];
                if !is_local.iter().any(|word| self.is(at + 1, word)) {
                    self.code.pins.insert(Pin::UnknownSetting);
                }
            }
            "reset" => {
                self.code.pins.insert(Pin::UnknownSetting);
            }
            "listen" => {
                self.code.pins.insert(Pin::Listen);
            }
            "prepare" => {
                self.code.pins.insert(Pin::SqlPrepare);
            }
            "deallocate" | "discard" | "do" | "load" | "unlisten" => self.code.is_opaque = true,
            "alter" | "analyze" | "cluster" | "comment" | "copy" | "create" | "drop" | "grant"
            | "import" | "reassign" | "refresh" | "reindex" | "revoke" | "security" | "vacuum" => {
                self.code.writes_everything = true;
            }
            _ => {}
        }
    }

    /// `CREATE TRIGGER … EXECUTE FUNCTION f(…)`, and not the text in a variable of that name.
    fn is_of_trigger(&self, at: usize) -> bool {
        let is_word = self.is(at + 1, "function") || self.is(at + 1, "procedure");
        let ends_text = self.is(at + 2, "using") || self.is(at + 2, "into");
        is_word && !ends_text && self.name_at(at + 2).is_some()
    }

    /// `INSERT INTO t`; of a MERGE it is `THEN INSERT`.
    fn insert(&mut self, at: usize) {
        if self.is(at + 1, "into") {
            self.target(at + 2);
        } else if !self.is(at.wrapping_sub(1), "then") {
            self.code.writes_everything = true;
        }
    }

    /// `UPDATE t`; of a MERGE or an ON CONFLICT it is `UPDATE SET`, of a lock `FOR [NO KEY] UPDATE`.
    fn update(&mut self, at: usize) {
        let before = at.wrapping_sub(1);
        let may_lock = self.is(before, "for") || self.is(before, "key");
        // `OPEN c FOR UPDATE t SET … RETURNING …` is no lock.
        let is_lock = may_lock && !(at..at + MAX_NAME).any(|at| self.is(at, "set"));
        if !is_lock && !self.is(at + 1, "set") {
            self.target(at + 1);
        }
    }

    /// `TRUNCATE [TABLE] a, b`
    fn truncate(&mut self, at: usize) {
        let mut at = if self.is(at + 1, "table") { at + 2 } else { at + 1 };
        for _name in 0..MAX_LIST {
            self.target(at);
            let rest = self.tokens.get(at..).unwrap_or_default().iter().take(MAX_NAME);
            let ends = |token: &Token| matches!(token, Token::Symbol(b',' | b';'));
            match rest.clone().position(ends) {
                Some(end) if self.is_symbol(at + end, b',') => at += end + 1,
                _ => {
                    self.code.writes_everything |=
                        (at..at + MAX_NAME).any(|at| self.is(at, "cascade"));
                    return;
                }
            }
        }
        self.code.writes_everything = true;
    }

    /// The table that a statement writes.
    fn target(&mut self, at: usize) {
        let at = if self.is(at, "only") { at + 1 } else { at };
        let Some(name) = self.name_at(at) else {
            self.code.writes_everything = true;
            return;
        };
        let name = match self.is_symbol(at + 1, b'.').then(|| self.name_at(at + 2)) {
            Some(Some(part)) => TableName::qualified(name, part),
            Some(None) => {
                self.code.writes_everything = true;
                return;
            }
            None => TableName::bare(name),
        };
        if name.name == "pg_settings" {
            // A rule of this view calls set_config.
            self.code.pins.insert(Pin::UnknownSetting);
        }
        self.code.written.insert(name);
    }

    fn begins_statement(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        let words = ["begin", "then", "else", "loop", "atomic"];
        self.is_symbol(before, b';')
            || words.iter().any(|word| self.is(before, word))
            || matches!(self.tokens.get(before), Some(Token::Operator(name)) if name == ">>")
    }

    fn name_at(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some(Token::Word(name) | Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        matches!(self.tokens.get(at), Some(Token::Word(known)) if known == word)
    }

    fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.tokens.get(at) == Some(&Token::Symbol(symbol))
    }
}

/// Within how many tokens the end of a call's arguments is looked for.
const MAX_ARGUMENTS: usize = 200;

/// How many tables of a list are followed.
const MAX_LIST: usize = 64;

/// Within how many tokens a name of a table ends, with what may stand around it.
const MAX_NAME: usize = 10;

mod tokens;

#[cfg(test)]
mod tests;
