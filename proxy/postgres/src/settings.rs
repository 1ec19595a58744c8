//! The settings that follow a client from one backend to the next.
//!
//! A session remembers, per setting, the statement that gives it its value; a backend remembers which it was
//! given last. The difference of the two is one query, sent in front of the client's own in the same write.

use std::collections::BTreeMap;

use cache::sql::postgres::{Effect, assignment, quote};

/// Settings by lower-case name, each with what gives it its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings(BTreeMap<String, Setting>);

/// What gives one setting its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Setting {
    /// A complete statement.
    sql: String,
    /// Of a value of the startup packet: a SET that says the same, since a SELECT in a client's transaction would
    /// take its snapshot.
    again: Option<String>,
    /// The rights that it was set with, which it may need again.
    under: Option<Box<Rights>>,
}

/// Whose rights a session has, each by the statement that gives it them. The login's own come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Rights {
    user: Option<String>,
    role: Option<String>,
}

/// A query that turns a backend with some settings into one with others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) sql: String,
    /// Whose rights the session has changes on the way, so that nothing may run before it is known to have worked.
    pub(crate) touches_rights: bool,
}

/// The settings that another user's rights hang on.
const RIGHTS: [&str; 2] = ["session_authorization", "role"];
/// Its SET may name one half of the value; the other stays as it is (`check_datestyle`).
pub(crate) const DATE_STYLE: &str = "datestyle";

impl Settings {
    /// The settings that a client's startup packet asks for.
    ///
    /// # Errors
    ///
    /// The name of a parameter that the proxy cannot honour.
    pub(crate) fn from_startup(parameters: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut settings = Self::default();
        // The pool's connections have a name of their own, which no client gave.
        settings.set_value("application_name", "");
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
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The statement that gives a setting, by its lower-case name, its value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|setting| setting.sql.as_str())
    }

    /// The SET that gives a setting its value.
    pub(crate) fn assignment(&self, name: &str) -> Option<&str> {
        let setting = self.0.get(name)?;
        Some(setting.again.as_deref().unwrap_or(&setting.sql))
    }

    /// Every name and statement, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting.sql.as_str()))
    }

    /// Forgets one setting.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The change that a completed statement made to the session, whose startup packet asked for `base`.
    pub(crate) fn apply(&mut self, effect: &Effect, base: &Self) {
        match effect {
            Effect::Set { name, sql } => {
                if name == "session_authorization" {
                    // A new session user has no role of its own (`SET SESSION AUTHORIZATION` in the manual).
                    self.0.remove("role");
                }
                let under =
                    (!is_right(name)).then(|| self.rights()).filter(|rights| !rights.is_login());
                let (sql, under) = (sql.clone(), under.map(Box::new));
                self.0.insert(name.clone(), Setting { sql, again: None, under });
            }
            Effect::Reset { name } => {
                self.reset(name, base);
                if name == "session_authorization" {
                    self.reset("role", base);
                }
            }
            Effect::ResetAll => {
                self.0.retain(|name, _| is_right(name));
                let others = base.0.iter().filter(|(name, _)| !is_right(name));
                self.0.extend(others.map(|(name, setting)| (name.clone(), setting.clone())));
            }
            Effect::DiscardAll => self.0.clone_from(&base.0),
            Effect::SetLocal { .. }
            | Effect::ResetLocal { .. }
            | Effect::DiscardPlans
            | Effect::DiscardTemp
            | Effect::DiscardSequences
            | Effect::Pin(_) => {}
        }
    }

    fn reset(&mut self, name: &str, base: &Self) {
        match base.0.get(name) {
            Some(setting) => self.0.insert(name.to_owned(), setting.clone()),
            None => self.0.remove(name),
        };
    }

    /// What must follow a reset, so that it leads to these settings of the startup packet and not to the server's.
    pub(crate) fn behind<'a>(&'a self, effect: &'a Effect) -> impl Iterator<Item = String> + 'a {
        let is_meant = move |name: &str| match effect {
            Effect::Reset { name: reset } if reset == "session_authorization" => is_right(name),
            Effect::Reset { name: reset } | Effect::ResetLocal { name: reset } => reset == name,
            Effect::ResetAll => !is_right(name),
            Effect::DiscardAll => true,
            _ => false,
        };
        let is_local = matches!(effect, Effect::ResetLocal { .. });
        let meant = self.0.iter().filter(move |(name, _)| is_meant(name));
        meant.filter_map(move |(_, setting)| {
            let again = setting.again.as_deref()?;
            let rest = again.strip_prefix("SET ").filter(|_| is_local);
            Some(rest.map_or_else(|| again.to_owned(), |rest| format!("SET LOCAL {rest}")))
        })
    }

    /// Takes the value that the backend reports for the client's own words, where these do not say all of it. False where
    /// that cannot be given to another backend.
    pub(crate) fn complete(&mut self, name: &str, reported: &str) -> bool {
        // What is made without a schema would be temporary.
        let is_temporary =
            name == "search_path" && reported.trim_start_matches([' ', '"']).starts_with("pg_temp");
        let assignment = assignment(name, reported);
        match (self.0.get_mut(name), assignment.filter(|_| reported.is_ascii() && !is_temporary)) {
            (Some(setting), Some(sql)) => setting.sql = sql,
            _ => return false,
        }
        true
    }

    /// The same settings with none of their values: whatever is given next is given anew.
    pub(crate) fn in_doubt(&self) -> Self {
        let mut settings = self.clone();
        settings.0.values_mut().for_each(|setting| setting.sql.clear());
        settings
    }

    fn rights(&self) -> Rights {
        let given = |name| self.get(name).map(str::to_owned);
        Rights { user: given("session_authorization"), role: given("role") }
    }

    /// One query that turns a backend with the settings `given` into one with these, if they differ.
    ///
    /// What goes comes first, since some settings exclude each other (`check_stage_log_stats`). Each is set and reset
    /// with the rights that it was set with.
    pub(crate) fn difference(&self, given: &Self) -> Option<Difference> {
        if std::ptr::eq(self, given) {
            return None;
        }
        let mut gone = given.unlike(self);
        gone.retain(|(name, _)| !self.0.contains_key(*name) || *name == DATE_STYLE);
        let new = self.unlike(given);
        let mut writer =
            Writer { sql: String::new(), rights: given.rights(), touches_rights: false };
        for (name, setting) in gone {
            let quoted = name.split('.').map(identifier).collect::<Vec<_>>().join(".");
            writer.say(setting, &format!("RESET {quoted}"));
        }
        for (_, setting) in new {
            writer.say(setting, &setting.sql);
        }
        writer.switch(&self.rights());
        let Writer { sql, touches_rights, .. } = writer;
        (!sql.is_empty()).then_some(Difference { sql, touches_rights })
    }

    /// The settings that the other has not, or not so, in the order of the rights that they need.
    fn unlike(&self, other: &Self) -> Vec<(&str, &Setting)> {
        let settings = self.0.iter().map(|(name, setting)| (name.as_str(), setting));
        let is_unlike = |(name, setting): &(&str, &Setting)| {
            !is_right(name) && other.get(name) != Some(setting.sql.as_str())
        };
        let mut unlike: Vec<_> = settings.filter(is_unlike).collect();
        unlike.sort_by(|(_, one), (_, other)| one.under.cmp(&other.under));
        unlike
    }

    /// `set_config` takes a list as the startup packet does: as one string.
    fn set_value(&mut self, name: &str, value: &str) {
        let quoted = (quote(name), quote(value));
        let statement = format!("SELECT pg_catalog.set_config({}, {}, false)", quoted.0, quoted.1);
        let name = name.to_lowercase();
        let again = assignment(&name, value);
        self.0.insert(name, Setting { sql: statement, again, under: None });
    }
}

impl Rights {
    fn is_login(&self) -> bool {
        *self == Self::default()
    }
}

/// A query in the making, and whose rights its next statement has.
struct Writer {
    sql: String,
    rights: Rights,
    touches_rights: bool,
}

impl Writer {
    fn say(&mut self, setting: &Setting, sql: &str) {
        match &setting.under {
            Some(rights) => self.switch(rights),
            None => self.switch(&Rights::default()),
        }
        self.put(sql);
    }

    fn switch(&mut self, rights: &Rights) {
        if self.rights == *rights {
            return;
        }
        self.touches_rights = true;
        let is_other_user = self.rights.user != rights.user;
        if is_other_user {
            // It takes the role along.
            self.put(rights.user.as_deref().unwrap_or("RESET SESSION AUTHORIZATION"));
            self.rights.role = None;
        }
        if self.rights.role != rights.role {
            self.put(rights.role.as_deref().unwrap_or("RESET ROLE"));
        }
        self.rights.clone_from(rights);
    }

    fn put(&mut self, sql: &str) {
        self.sql.push_str(sql);
        self.sql.push(';');
    }
}

fn is_right(name: &str) -> bool {
    RIGHTS.contains(&name)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

    fn reset(name: &str) -> Effect {
        Effect::Reset { name: name.into() }
    }

    fn after(effects: &[Effect]) -> Settings {
        let mut settings = Settings::default();
        effects.iter().for_each(|effect| settings.apply(effect, &Settings::default()));
        settings
    }

    fn difference(settings: &Settings, given: &Settings) -> Option<(String, bool)> {
        settings.difference(given).map(|it| (it.sql, it.touches_rights))
    }

    #[test]
    fn a_backend_is_given_only_what_differs() {
        let session = after(&[set("a", "1"), set("b", "2")]);
        let given = after(&[set("b", "2"), set("x.y", "3")]);
        let sql = String::from("RESET \"x\".\"y\";SET a TO 1;");
        assert_eq!(difference(&session, &given), Some((sql, false)));
        assert_eq!(difference(&session, &session), None);
    }

    #[test]
    fn a_role_is_given_after_the_user_it_belongs_to() {
        let session = after(&[set("role", "x"), set("session_authorization", "b")]);
        assert_eq!(session.get("role"), None, "a new user has no role");
        let session = after(&[set("session_authorization", "b"), set("role", "a")]);
        let sql = String::from("SET session_authorization TO b;SET role TO a;");
        assert_eq!(difference(&session, &Settings::default()), Some((sql, true)));
    }

    /// FAULTS row 25: a setting that needs rights is given before they are dropped.
    #[test]
    fn a_setting_is_given_and_taken_with_the_rights_it_was_set_with() {
        let none = Settings::default();
        let (plain, power) = (set("role", "plain"), set("role", "power"));
        let user = set("session_authorization", "b");
        let (a, b) = (set("a", "1"), set("b", "2"));
        let table: [(&[Effect], &str, &str); 5] = [
            (
                &[a.clone(), plain.clone()],
                "SET a TO 1;SET role TO plain;",
                "RESET ROLE;RESET \"a\";",
            ),
            (
                &[a.clone(), user.clone()],
                "SET a TO 1;SET session_authorization TO b;",
                "RESET SESSION AUTHORIZATION;RESET \"a\";",
            ),
            (
                &[power.clone(), a.clone(), plain],
                "SET role TO power;SET a TO 1;SET role TO plain;",
                "SET role TO power;RESET \"a\";RESET ROLE;",
            ),
            (
                &[power.clone(), a.clone(), reset("role"), b],
                "SET b TO 2;SET role TO power;SET a TO 1;RESET ROLE;",
                "RESET \"b\";SET role TO power;RESET \"a\";RESET ROLE;",
            ),
            (
                &[user, power, a],
                "SET session_authorization TO b;SET role TO power;SET a TO 1;",
                "RESET \"a\";RESET SESSION AUTHORIZATION;",
            ),
        ];
        for (effects, given, taken) in table {
            let session = after(effects);
            assert_eq!(difference(&session, &none), Some((given.into(), true)), "{effects:?}");
            assert_eq!(difference(&none, &session), Some((taken.into(), true)), "{effects:?}");
        }
    }

    /// FAULTS row 6: half a date style lands on the server's own and not on another client's.
    #[test]
    fn half_a_date_style_meets_the_server_s_default() {
        let german = after(&[set("datestyle", "german")]);
        let mut french = after(&[set("datestyle", "dmy")]);
        let sql = |settings: &Settings| difference(settings, &german).map(|(sql, _)| sql);
        let expected = "RESET \"datestyle\";SET datestyle TO dmy;";
        assert_eq!(sql(&french).as_deref(), Some(expected));
        assert!(french.complete(DATE_STYLE, "SQL, DMY"));
        assert_eq!(
            sql(&french).as_deref(),
            Some("RESET \"datestyle\";SET datestyle TO 'SQL, DMY';")
        );
        assert_eq!(sql(&german), None);
    }

    #[test]
    fn a_reset_goes_back_to_what_the_startup_packet_asked_for() {
        let mut base = Settings::default();
        base.set_value("TimeZone", "UTC");
        let mut session = base.clone();
        session.apply(&set("timezone", "x"), &base);
        session.apply(&set("role", "r"), &base);
        session.apply(&Effect::ResetAll, &base);
        assert_eq!(difference(&session, &base), Some(("SET role TO r;".into(), true)));
        session.apply(&Effect::DiscardAll, &base);
        assert_eq!(session, base);
    }

    /// FAULTS row 7: each form of a reset is followed by what the startup packet asked for.
    #[test]
    fn what_follows_a_reset_is_the_startup_value() {
        let mut base = Settings::default();
        base.set_value("search_path", "a, \"B\"");
        base.set_value("role", "r");
        let behind = |effect: Effect| base.behind(&effect).collect::<Vec<_>>();
        let path = "SET search_path TO 'a', 'B'";
        assert_eq!(behind(reset("search_path")), [path]);
        assert_eq!(behind(reset("work_mem")), Vec::<String>::new());
        assert_eq!(
            behind(Effect::ResetLocal { name: "search_path".into() }),
            ["SET LOCAL search_path TO 'a', 'B'"]
        );
        assert_eq!(behind(Effect::ResetAll), [path]);
        assert_eq!(behind(reset("session_authorization")), ["SET ROLE 'r'"]);
        assert_eq!(behind(Effect::DiscardAll), ["SET ROLE 'r'", path]);
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
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
