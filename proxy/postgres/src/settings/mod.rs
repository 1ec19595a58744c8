//! The settings that follow a client from one backend to the next.
//!
//! A session remembers, per setting, the statement that gives it its value; a backend remembers which it was
//! given last. The difference of the two is one query, sent in front of the client's own in the same write.

mod difference;
mod rights;
mod startup;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cache::sql::postgres::{Effect, assignment, quote};

pub(crate) use self::difference::Difference;
use self::{
    difference::Writer,
    rights::{Rights, is_right},
    startup::options,
};

/// Its SET may name one half of the value; the other stays as it is (`check_datestyle`).
pub(crate) const DATE_STYLE: &str = "datestyle";

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
        let mut writer = Writer::new(given.rights());
        for (name, setting) in gone {
            let quoted = name.split('.').map(identifier).collect::<Vec<_>>().join(".");
            writer.say(setting.under.as_deref(), &format!("RESET {quoted}"));
        }
        for (_, setting) in new {
            writer.say(setting.under.as_deref(), &setting.sql);
        }
        writer.switch(&self.rights());
        writer.finish()
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

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
