//! The words that begin a transaction block, and that end one.
//!
//! Only texts that hold nothing but such words are read here, and those in full: no comment, no other statement.

/// A longer text is none of these.
const LONGEST: usize = 256;

/// What begins a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// In the client's words.
    pub(crate) sql: Box<str>,
    /// What its completion is called.
    pub(crate) tag: &'static str,
    /// The isolation that it names.
    pub(crate) isolation: Option<Isolation>,
    /// A standby may refuse it.
    pub(crate) wants_primary: bool,
    /// What it says of the transaction, in words that are the same for all that say the same so. Empty where it says nothing.
    pub(crate) modes: Box<str>,
}

/// What ends a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What its completion is called.
    pub(crate) tag: &'static str,
    /// Another block like it begins with its end.
    pub(crate) chains: bool,
}

/// How a transaction is kept apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// READ COMMITTED, which READ UNCOMMITTED is too.
    Committed,
    Repeatable,
    Serializable,
}

impl Isolation {
    /// What a text that gives a setting its value says of it.
    pub(crate) fn named_in(sql: &str) -> Option<Self> {
        let sql = sql.to_ascii_lowercase();
        let levels = [
            ("serializable", Self::Serializable),
            ("repeatable", Self::Repeatable),
            ("committed", Self::Committed),
        ];
        let named = levels.into_iter().find(|(word, _)| sql.contains(word));
        named.map(|(_, level)| level)
    }

    /// Whether the server may refuse to commit what has only read.
    pub(crate) fn may_refuse_reads(self) -> bool {
        self == Self::Serializable
    }
}

/// Whether a text may be one of both, or be about a savepoint: of most that are not its first letters tell.
pub(crate) fn may_be_one(query: &[u8]) -> bool {
    let mut letters = query.trim_ascii_start().iter().map(u8::to_ascii_lowercase);
    let first = (letters.next().unwrap_or_default(), letters.next().unwrap_or_default());
    let is_point = || matches!(first, (b's', b'a') | (b'r', b'e' | b'o'));
    let is_likely = matches!(
        first,
        (b'b', b'e') | (b's', b't') | (b'c', b'o') | (b'e', b'n') | (b'r', b'o') | (b'a', b'b')
    );
    is_point() || is_likely && (begun(query).is_some() || end(query).is_some())
}

/// What begins a block, if a text does that and nothing else.
pub(crate) fn begun(query: &[u8]) -> Option<Begun> {
    let (sql, mut words) = words(query, &["BEGIN", "START"])?;
    let tag = match words.take(&["BEGIN", "START"])? {
        "BEGIN" => {
            words.skip(&["WORK", "TRANSACTION"]);
            "BEGIN"
        }
        _ => {
            words.take(&["TRANSACTION"])?;
            "START TRANSACTION"
        }
    };
    let modes = words.normal();
    let mut begun = Begun { sql: sql.into(), tag, isolation: None, wants_primary: false, modes };
    while let Some(word) = words.next() {
        match &*word.to_ascii_uppercase() {
            "ISOLATION" => {
                words.take(&["LEVEL"])?;
                let isolation = words.level()?;
                begun.wants_primary |= isolation == Isolation::Serializable;
                begun.isolation = Some(isolation);
            }
            "READ" => begun.wants_primary |= words.take(&["ONLY", "WRITE"])? == "WRITE",
            "NOT" => drop(words.take(&["DEFERRABLE"])?),
            "DEFERRABLE" => {}
            _ => return None,
        }
    }
    Some(begun)
}

/// What ends a block, if a text does that and nothing else.
pub(crate) fn end(query: &[u8]) -> Option<End> {
    const FIRST: [&str; 4] = ["COMMIT", "END", "ROLLBACK", "ABORT"];
    let (_, mut words) = words(query, &FIRST)?;
    let tag = match words.take(&FIRST)? {
        "COMMIT" | "END" => "COMMIT",
        _ => "ROLLBACK",
    };
    words.skip(&["WORK", "TRANSACTION"]);
    let mut chains = false;
    if words.skip(&["AND"]) {
        chains = words.take(&["NO", "CHAIN"])? == "CHAIN";
        if !chains {
            words.take(&["CHAIN"])?;
        }
    }
    words.next().is_none().then_some(End { tag, chains })
}

/// The text without what ends it, and its words, if the first is one of these.
fn words<'q>(query: &'q [u8], first: &[&str]) -> Option<(&'q str, Words<'q>)> {
    // Most texts end here.
    let query = query.trim_ascii_start();
    let is_first = |word: &&str| {
        query.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if query.len() > LONGEST || !first.iter().any(is_first) {
        return None;
    }
    let text = std::str::from_utf8(query).ok()?.trim_end_matches([' ', '\t', '\n', '\r', ';']);
    let is_of_words = |byte: u8| byte.is_ascii_alphabetic() || b" \t\n\r,".contains(&byte);
    if !text.bytes().all(is_of_words) {
        return None;
    }
    Some((text, Words { rest: text }))
}

/// Words, and commas between them.
struct Words<'q> {
    rest: &'q str,
}

impl<'q> Words<'q> {
    fn next(&mut self) -> Option<&'q str> {
        let is_between = |one: char| !one.is_ascii_alphabetic();
        let rest = self.rest.trim_start_matches(is_between);
        let end = rest.find(is_between).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// All that are left, without how they are written.
    fn normal(&self) -> Box<str> {
        let (mut words, mut normal) = (Words { rest: self.rest }, String::new());
        while let Some(word) = words.next() {
            normal.push_str(&word.to_ascii_uppercase());
            normal.push(' ');
        }
        normal.into()
    }

    /// The next word, as it stands in the list.
    fn take(&mut self, of: &[&'static str]) -> Option<&'static str> {
        let word = self.next()?;
        of.iter().copied().find(|one| one.eq_ignore_ascii_case(word))
    }

    /// Passes over the next word if it is one of these.
    fn skip(&mut self, of: &[&'static str]) -> bool {
        let before = self.rest;
        let is_one = self.take(of).is_some();
        if !is_one {
            self.rest = before;
        }
        is_one
    }

    fn level(&mut self) -> Option<Isolation> {
        let level = match self.take(&["READ", "REPEATABLE", "SERIALIZABLE"])? {
            "READ" => {
                self.take(&["COMMITTED", "UNCOMMITTED"])?;
                Isolation::Committed
            }
            "REPEATABLE" => {
                self.take(&["READ"])?;
                Isolation::Repeatable
            }
            _ => Isolation::Serializable,
        };
        Some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_block_is_read_with_its_characteristics() {
        let level = |sql: &str| begun(sql.as_bytes()).expect(sql).isolation;
        for (sql, isolation) in [
            ("begin", None),
            (" BEGIN ;", None),
            ("begin work", None),
            ("start transaction read only", None),
            ("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED", Some(Isolation::Committed)),
            ("begin isolation level read uncommitted, read only", Some(Isolation::Committed)),
            (
                "START TRANSACTION\n ISOLATION LEVEL REPEATABLE READ NOT DEFERRABLE;",
                Some(Isolation::Repeatable),
            ),
            ("BEGIN ISOLATION LEVEL SERIALIZABLE, DEFERRABLE", Some(Isolation::Serializable)),
        ] {
            assert_eq!(level(sql), isolation, "{sql}");
        }
        let wants = |sql: &str| begun(sql.as_bytes()).expect(sql).wants_primary;
        assert!(wants("begin read write") && wants("begin isolation level serializable"));
        assert!(!wants("begin read only") && !wants("begin"));
        let start = begun(b"Start  Transaction ; ").expect("one");
        assert_eq!((&*start.sql, start.tag), ("Start  Transaction", "START TRANSACTION"));
        let modes = |sql: &str| begun(sql.as_bytes()).expect(sql).modes;
        assert_eq!(&*modes("begin work"), "");
        assert_eq!(
            modes("begin read  only,deferrable"),
            modes("START TRANSACTION READ ONLY\nDEFERRABLE;")
        );
        assert_ne!(modes("begin read only"), modes("begin read write"));
    }

    #[test]
    fn other_texts_begin_no_block() {
        for sql in [
            "",
            "begin; select 1",
            "begin /* so */",
            "begin -- so",
            "begin atomic",
            "beginning",
            "beginning transaction",
            "start",
            "select 1",
            "begin isolation level",
            "begin isolation level snapshot",
            "begin read",
            "begin \u{a0}",
        ] {
            assert_eq!(begun(sql.as_bytes()), None, "{sql}");
        }
    }

    #[test]
    fn most_texts_are_told_apart_by_their_first_letters() {
        let may_be = ["begin", " COMMIT", "savepoint s", "release s", "Rollback to s", "abort"];
        assert!(may_be.iter().all(|sql| may_be_one(sql.as_bytes())));
        let are_not = ["select 1", "copy t from stdin", "set a to b", "insert into t", "", "b"];
        assert!(!are_not.iter().any(|sql| may_be_one(sql.as_bytes())));
    }

    #[test]
    fn what_ends_a_block_is_read_too() {
        let is = |sql: &str| end(sql.as_bytes()).map(|end| (end.tag, end.chains));
        for (sql, expected) in [
            ("COMMIT", Some(("COMMIT", false))),
            ("end transaction;", Some(("COMMIT", false))),
            ("rollback work and no chain", Some(("ROLLBACK", false))),
            ("abort and chain", Some(("ROLLBACK", true))),
            ("commit and chain", Some(("COMMIT", true))),
            ("commit prepared 'x'", None),
            ("rollback to s", None),
            ("commit; select 1", None),
            ("ending", None),
            ("rollback and", None),
        ] {
            assert_eq!(is(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_setting_names_its_isolation() {
        for (sql, level) in [
            ("SET default_transaction_isolation TO 'serializable'", Some(Isolation::Serializable)),
            ("SET x TO 'REPEATABLE READ'", Some(Isolation::Repeatable)),
            ("SET x TO 'read uncommitted'", Some(Isolation::Committed)),
            ("SET x TO 1", None),
        ] {
            assert_eq!(Isolation::named_in(sql), level, "{sql}");
        }
    }
}
