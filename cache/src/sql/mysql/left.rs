//! What stored code leaves in the session that runs it, by its words.
//!
//! The server reports of a session's own `SET @x`, and of settings; what a body does by `SELECT … INTO @x`, an OUT
//! parameter or GET_LOCK nothing tells.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::effects::Effect;
use super::facts::Rights;
use super::lexer;
use super::modes::Modes;
use super::rights;
use super::scan::first_literal;
use super::settings;
use super::tokens::Tokens;

/// What code leaves in the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// State that no report tells of.
    pub effects: Vec<Effect>,
    /// It asks for `LAST_INSERT_ID()`, which must be the session's own.
    pub asks_for_insert_id: bool,
    /// What becomes of what users may do.
    pub rights: Rights,
}

/// One piece of code with the names that it uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    left: Left,
    names: BTreeSet<String>,
}

/// What the code of one origin leaves, by the names in lower case under which a statement runs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    /// Functions and procedures.
    pub(super) routines: HashMap<String, Code>,
    /// Triggers, by their tables.
    pub(super) triggers: HashMap<String, Code>,
    /// Views, which call functions.
    pub(super) views: HashMap<String, Code>,
    /// The procedures that are known.
    pub(super) procedures: HashSet<String>,
}

impl Left {
    /// That of code which nobody has seen.
    pub fn unknown() -> Self {
        let effects = vec![Effect::UnknownSetting];
        Self { effects, asks_for_insert_id: true, rights: Rights::Unseen }
    }

    /// Whether it leaves nothing and asks for nothing.
    pub fn is_nothing(&self) -> bool {
        self.effects.is_empty() && !self.asks_for_insert_id && self.rights == Rights::Kept
    }

    /// Takes in what other code leaves. True if that is more.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let size = |left: &Self| (left.effects.len(), left.asks_for_insert_id, left.rights);
        let before = size(self);
        self.asks_for_insert_id |= other.asks_for_insert_id;
        self.rights = self.rights.max(other.rights);
        other.effects.iter().for_each(|effect| self.push(effect.clone()));
        before != size(self)
    }

    fn push(&mut self, effect: Effect) {
        let effect = if self.effects.len() < MAX_EFFECTS { effect } else { Effect::UnknownSetting };
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }
}

impl Code {
    /// What a body does that was stored under this `sql_mode`; where it cannot be read, anything.
    pub(super) fn read(body: Option<&str>, sql_mode: &str) -> Self {
        let modes = Modes::of_code(sql_mode);
        let lexed = body.zip(modes).and_then(|(body, modes)| lexer::lex(body, modes).ok());
        let (Some(sql), Some(modes), Some(lexed)) = (body, modes, lexed) else {
            return Self { left: Left::unknown(), names: BTreeSet::new() };
        };
        let mut code = Self::default();
        let tokens = Tokens { sql, list: &lexed.tokens, modes };
        (0..tokens.len()).for_each(|at| code.token(tokens, at));
        code
    }

    fn token(&mut self, tokens: Tokens<'_>, at: usize) {
        if let Some(name) = tokens.user_variable(at) {
            if is_assigned(tokens, at) {
                self.left.push(Effect::UserVariable(name));
            }
            return;
        }
        let Some(word) = tokens.name_part(at).map(|word| word.to_lowercase()) else { return };
        match word.as_str() {
            "get_lock" if tokens.is_symbol(at + 1, "(") => {
                self.left.push(Effect::NamedLock(first_literal(tokens, at + 2)));
            }
            "service_get_read_locks" | "service_get_write_locks" => {
                self.left.push(Effect::NamedLock(None));
            }
            "last_insert_id" | "identity" => self.left.asks_for_insert_id = true,
            _ if tokens.keyword(at).is_some() => self.keyword(tokens, at),
            _ => {}
        }
        if settings::is_one_shot(&word) {
            self.left.push(Effect::OneShot);
        }
        self.names.insert(word);
    }

    fn keyword(&mut self, tokens: Tokens<'_>, at: usize) {
        let is_unknown = tokens.is_one_of(at, &["EXECUTE", "PREPARE", "XA", "BINLOG"])
            || tokens.is(at, "TEMPORARY")
            || tokens.is(at, "FLUSH")
            || tokens.are(at, &["SET", "ROLE"])
            || tokens.is(at, "HANDLER")
                && tokens.name(at + 1).is_some_and(|(_, next)| tokens.is(next, "OPEN"))
            || tokens.text(at).to_ascii_lowercase().starts_with("session_track_");
        self.left.rights = self.left.rights.max(rights::changes_in_code(tokens, at));
        if is_unknown {
            self.left.push(Effect::UnknownSetting);
        }
        if tokens.are(at, &["SET", "TRANSACTION"]) {
            self.left.push(Effect::NextTransaction);
        }
    }
}

/// Whether a user variable of a body is given a value: by `:=`, as an item of SET or GET DIAGNOSTICS, behind INTO, or
/// by the call that it is an argument of.
fn is_assigned(tokens: Tokens<'_>, at: usize) -> bool {
    if tokens.is_symbol(at + 1, ":=") {
        return true;
    }
    let Some(before) = at.checked_sub(1) else { return false };
    if tokens.is_symbol(at + 1, "=") {
        // `CONDITION 1 @x = …`
        let of_condition = before.checked_sub(1).is_some_and(|at| tokens.is(at, "CONDITION"));
        return of_condition
            || tokens.is_one_of(before, &["SET", "DIAGNOSTICS"])
            || tokens.is_symbol(before, ",");
    }
    let begins_statement = |&at: &usize| {
        tokens.is_symbol(at, ";")
            || tokens.is_one_of(at, &["BEGIN", "THEN", "ELSE", "DO", "FROM", "WHERE"])
    };
    let statement = (0..at).rev().take_while(|at| !begins_statement(at));
    statement.into_iter().any(|at| tokens.is_one_of(at, &["INTO", "CALL", "USING"]))
}

impl Codes {
    /// Adds what every piece leaves by the code that it runs in its turn.
    pub(super) fn resolve(&mut self) {
        // What leaves nothing changes nothing for others.
        loop {
            let mut known: HashMap<String, Left> = HashMap::new();
            for (name, code) in self.all().filter(|(_, code)| !code.left.is_nothing()) {
                known.entry(name.clone()).or_default().merge(&code.left);
            }
            let mut has_grown = false;
            for code in self.all_mut() {
                let Code { left, names } = code;
                for used in names.iter().filter_map(|name| known.get(name)) {
                    has_grown |= left.merge(used);
                }
            }
            if !has_grown {
                break;
            }
        }
        for codes in [&mut self.routines, &mut self.triggers, &mut self.views] {
            codes.retain(|_, code| !code.left.is_nothing());
        }
        // All that is asked for from now on is what they leave.
        self.all_mut().for_each(|code| code.names = BTreeSet::new());
    }

    /// Adds a piece to what is known under a name.
    pub(super) fn add(codes: &mut HashMap<String, Code>, name: String, code: Code) {
        let known = codes.entry(name).or_default();
        known.left.merge(&code.left);
        known.names.extend(code.names);
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Code)> {
        self.routines.iter().chain(&self.triggers).chain(&self.views)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Code> {
        let others = self.triggers.values_mut().chain(self.views.values_mut());
        self.routines.values_mut().chain(others)
    }
}

/// What code of this name leaves.
pub(super) fn of<'c>(codes: &'c HashMap<String, Code>, name: &str) -> Option<&'c Left> {
    codes.get(name).map(|code| &code.left)
}

/// More than this is not told apart.
const MAX_EFFECTS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn left(body: &str) -> Vec<Effect> {
        Code::read(Some(body), "").left.effects
    }

    /// FAULTS row 19a: what a body leaves and nobody reports.
    #[test]
    fn a_body_says_what_it_leaves() {
        let variable = |name: &str| Effect::UserVariable(name.to_owned());
        let cases: &[(&str, &[Effect])] = &[
            ("SELECT 8 INTO @w", &[variable("w")]),
            ("BEGIN SELECT a, b INTO x, @W FROM t; END", &[variable("w")]),
            ("BEGIN SELECT a FROM t WHERE b = @r INTO @w; END", &[variable("w")]),
            ("DO @w := 4", &[variable("w")]),
            ("SELECT @w := 5 INTO x", &[variable("w")]),
            ("SET @a = 1, @b = 2, x = @c", &[variable("a"), variable("b")]),
            ("GET DIAGNOSTICS @n = NUMBER", &[variable("n")]),
            (
                "GET DIAGNOSTICS CONDITION 1 @c = MYSQL_ERRNO, @m = MESSAGE_TEXT",
                &[variable("c"), variable("m")],
            ),
            ("CALL po(@w)", &[variable("w")]),
            (
                "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET @w = 1; INSERT INTO t VALUES (1); END",
                &[variable("w")],
            ),
            ("IF @off IS NULL THEN INSERT INTO t VALUES (NEW.a); END IF", &[]),
            ("UPDATE t SET a = @who WHERE b = @what", &[]),
            ("BEGIN IF @a = 1 AND @b = 2 THEN SELECT 1; END IF; END", &[]),
            ("DO GET_LOCK('Mine', 1)", &[Effect::NamedLock(Some("Mine".to_owned()))]),
            ("DO GET_LOCK(CONCAT('a', x), 1)", &[Effect::NamedLock(None)]),
            ("CREATE TEMPORARY TABLE t (a INT)", &[Effect::UnknownSetting]),
            ("SET insert_id = 5", &[Effect::OneShot]),
            ("SET SESSION sql_mode = ''", &[]),
            ("SELECT 'it is @a := 1' /* @b := 2 */", &[]),
        ];
        for (body, expected) in cases {
            assert_eq!(left(body), *expected, "{body}");
        }
        assert_eq!(Code::read(None, "").left, Left::unknown());
        assert_eq!(Code::read(Some("SELECT 'a"), "").left, Left::unknown());
        assert_eq!(Code::read(Some("SELECT 1"), "PIPES_AS_CONCAT,ORACLE").left, Left::unknown());
        let quoted = Code::read(Some(r#"SELECT "a" INTO @w"#), "ANSI_QUOTES");
        assert_eq!(quoted.left.effects, [variable("w")]);
    }

    #[test]
    fn code_leaves_what_the_code_leaves_that_it_runs() {
        let mut codes = Codes::default();
        let mut routine = |name: &str, body: &str| {
            Codes::add(&mut codes.routines, name.to_owned(), Code::read(Some(body), ""));
        };
        routine("outer", "CALL middle()");
        routine("middle", "SET x = inner_one(1)");
        routine("inner_one", "SELECT 1 INTO @w");
        routine("harmless", "SELECT 1");
        let insert = Code::read(Some("INSERT INTO u VALUES (outer(1))"), "");
        Codes::add(&mut codes.triggers, "t".to_owned(), insert);
        codes.resolve();
        let variable = vec![Effect::UserVariable("w".to_owned())];
        for name in ["outer", "middle", "inner_one"] {
            assert_eq!(of(&codes.routines, name).map(|left| &left.effects), Some(&variable));
        }
        assert_eq!(of(&codes.triggers, "t").map(|left| &left.effects), Some(&variable));
        assert_eq!(of(&codes.routines, "harmless"), None);
    }
}
