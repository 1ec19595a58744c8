//! The settings that follow a client from one backend to the next.
//!
//! A session remembers, per setting, the statement that gives it its value; a backend remembers which it was
//! given last. The difference of the two is one query, sent in front of the client's own in the same write.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use cache::sql::Effect;

/// Settings by lower-case name, each with a complete statement that sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Settings(BTreeMap<String, String>);

/// The settings that another user's rights hang on: a backend is given them with a round trip of its own.
const RIGHTS: [&str; 2] = ["session_authorization", "role"];

impl Settings {
    /// The settings that a client's startup packet asks for.
    ///
    /// # Errors
    ///
    /// The name of a parameter that the proxy cannot honour.
    pub(super) fn from_startup(parameters: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "user" | "database" => {}
                "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
                "replication" => return Err(String::from("replication")),
                "options" => {
                    for (name, value) in options(value).ok_or_else(|| String::from("options"))? {
                        settings.set_value(&name, &value);
                    }
                }
                _ => settings.set_value(name, value),
            }
        }
        Ok(settings)
    }

    /// Whether nothing was set.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the setting has a value of its own.
    #[cfg(test)]
    fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The statement that gives a setting, by its lower-case name, its value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every name and statement, in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, sql)| (name.as_str(), sql.as_str()))
    }

    /// Forgets one setting.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The change that a completed statement made to the session, whose startup packet asked for `base`.
    pub(super) fn apply(&mut self, effect: &Effect, base: &Self) {
        match effect {
            Effect::Set { name, sql } => {
                self.forget_role(name);
                self.0.insert(name.clone(), sql.clone());
            }
            Effect::Reset { name } => {
                self.forget_role(name);
                self.reset(name, base);
            }
            Effect::ResetAll => {
                self.0.retain(|name, _| RIGHTS.contains(&name.as_str()));
                self.0.extend(base.0.clone());
            }
            Effect::DiscardAll => self.0.clone_from(&base.0),
            Effect::DiscardPlans
            | Effect::DiscardTemp
            | Effect::DiscardSequences
            | Effect::Pin(_) => {}
        }
    }

    fn reset(&mut self, name: &str, base: &Self) {
        match base.0.get(name) {
            Some(sql) => self.0.insert(name.to_owned(), sql.clone()),
            None => self.0.remove(name),
        };
    }

    /// A change of the session's user takes its role away.
    fn forget_role(&mut self, name: &str) {
        if name == "session_authorization" {
            self.0.remove("role");
        }
    }

    /// One query that turns a backend with the settings `given` into one with these, if they differ.
    pub(super) fn difference(&self, given: &Self) -> Option<String> {
        if std::ptr::eq(self, given) {
            return None;
        }
        let is_given = |name: &str| given.0.get(name) == self.0.get(name);
        // A new session user has no role of its own (`SET SESSION AUTHORIZATION` in the manual), so that the role
        // is given again. Rights come first: they may decide whether the rest is allowed.
        let same_user = is_given("session_authorization");
        let mut sql = String::new();
        let rights = RIGHTS.iter().copied().filter(|name| {
            !is_given(name) || (!same_user && *name == "role" && self.0.contains_key("role"))
        });
        let names = given.0.keys().chain(self.0.keys()).map(String::as_str);
        let others: BTreeSet<_> =
            names.filter(|name| !RIGHTS.contains(name) && !is_given(name)).collect();
        for name in rights.chain(others) {
            match self.0.get(name) {
                Some(statement) => sql.push_str(statement),
                None => {
                    let quoted = name.split('.').map(identifier).collect::<Vec<_>>().join(".");
                    write!(sql, "RESET {quoted}").ok()?;
                }
            }
            sql.push(';');
        }
        (!sql.is_empty()).then_some(sql)
    }

    /// Whether the difference touches rights, so that nothing may run before it is known to have worked.
    pub(super) fn differs_in_rights(&self, given: &Self) -> bool {
        RIGHTS.iter().any(|name| self.0.get(*name) != given.0.get(*name))
    }

    /// `set_config` takes a list as the startup packet does: as one string.
    fn set_value(&mut self, name: &str, value: &str) {
        let sql =
            format!("SELECT pg_catalog.set_config({}, {}, false)", literal(name), literal(value));
        self.0.insert(name.to_lowercase(), sql);
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string constant that reads the same whatever `standard_conforming_strings` is.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// The settings in the `options` of a startup packet: `-c name=value` and `--name=value` (`process_postgres_switches`).
fn options(text: &str) -> Option<Vec<(String, String)>> {
    let mut words = split_words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next()?,
            (None, Some(joined)) => joined.to_owned(),
            (None, None) => return None,
        };
        let (name, value) = setting.split_once('=')?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(settings)
}

/// Splits at white space that no backslash escapes (`pg_split_opts`).
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Effect {
        Effect::Set { name: name.into(), sql: format!("SET {name} TO {value}") }
    }

    #[test]
    fn a_backend_is_given_only_what_differs() {
        let base = Settings::default();
        let (mut session, mut given) = (Settings::default(), Settings::default());
        session.apply(&set("a", "1"), &base);
        session.apply(&set("b", "2"), &base);
        given.apply(&set("b", "2"), &base);
        given.apply(&set("x.y", "3"), &base);
        assert_eq!(session.difference(&given).as_deref(), Some("SET a TO 1;RESET \"x\".\"y\";"));
        assert_eq!(session.difference(&session), None);
    }

    #[test]
    fn a_role_is_given_after_the_user_it_belongs_to() {
        let base = Settings::default();
        let mut session = Settings::default();
        session.apply(&set("role", "x"), &base);
        session.apply(&set("session_authorization", "b"), &base);
        assert!(!session.contains("role"), "a new user has no role");
        session.apply(&set("role", "a"), &base);
        let sql = session.difference(&base);
        assert_eq!(sql.as_deref(), Some("SET session_authorization TO b;SET role TO a;"));
    }

    #[test]
    fn a_reset_goes_back_to_what_the_startup_packet_asked_for() {
        let mut base = Settings::default();
        base.set_value("TimeZone", "UTC");
        let mut session = base.clone();
        session.apply(&set("timezone", "x"), &base);
        session.apply(&set("role", "r"), &base);
        session.apply(&Effect::ResetAll, &base);
        assert!(session.contains("role"));
        assert!(session.differs_in_rights(&base));
        session.apply(&Effect::DiscardAll, &base);
        assert_eq!(session, base);
    }

    #[test]
    fn options_are_read_as_the_server_reads_them() {
        let read = |text| options(text).map(|list| format!("{list:?}"));
        assert_eq!(
            read("-c a=1  --b-c=x\\ y -cd=").as_deref(),
            Some(r#"[("a", "1"), ("b_c", "x y"), ("d", "")]"#)
        );
        assert_eq!(read("-s"), None);
        assert_eq!(read("-c"), None);
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'"), "E'\\\\'''");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
