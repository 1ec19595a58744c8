//! The settings that decide how the constants of a text are read.

use std::collections::BTreeMap;

use cache::sql::postgres::{Effect, Pin, UNREPORTED, quote};

use super::{parameters::Parameters, settings::Settings};

/// The settings with which a statement's constants are read when it is parsed, by name, each with the statement that gives
/// it. A setting that the client left at the server's default and that is not reported is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Meaning(BTreeMap<&'static str, String>);

/// Settings that the server reports, so that their values are known whoever set them.
const REPORTED: [&str; 5] =
    ["DateStyle", "IntervalStyle", "TimeZone", "client_encoding", "standard_conforming_strings"];

/// Whether this setting, in lower case, decides how constants are read.
pub(crate) fn decides(name: &str) -> bool {
    UNREPORTED.contains(&name) || REPORTED.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Whether what this changes may be a setting that decides how constants are read.
pub(crate) fn is_changed_by(effect: &Effect) -> bool {
    match effect {
        Effect::Set { name, .. }
        | Effect::SetLocal { name }
        | Effect::Reset { name }
        | Effect::ResetLocal { name } => decides(name),
        Effect::ResetAll | Effect::DiscardAll | Effect::Pin(Pin::UnknownSetting) => true,
        _ => false,
    }
}

/// A statement that sets something for the session, as one that does for the transaction. The startup packet's are
/// calls of set_config.
fn in_transaction(sql: &str) -> Option<String> {
    match sql.strip_prefix("SET ") {
        Some(value) => Some(format!("SET LOCAL {value}")),
        None => Some(format!("{}, true)", sql.strip_suffix(", false)")?)),
    }
}

fn by_default(name: impl std::fmt::Display) -> String {
    format!("SET LOCAL {name} TO DEFAULT")
}

/// The statement that ends what [`Meaning::instead_of_any`] began.
pub(crate) fn put_back() -> String {
    list_of_all(|name| (format!("'{name}'"), saved_as(name)))
}

/// The setting of our own, as a literal, that keeps the value of another within a transaction.
fn saved_as(name: &str) -> String {
    format!("'jumpgate.{name}'")
}

/// A statement that gives settings the values of others, for each of those that decide how constants are read.
fn list_of_all(to_and_from: impl Fn(&str) -> (String, String)) -> String {
    let one = |name: &&str| {
        let (to, from) = to_and_from(name);
        format!("pg_catalog.set_config({to}, pg_catalog.current_setting({from}), true)")
    };
    let all: Vec<_> = REPORTED.iter().chain(&UNREPORTED).map(one).collect();
    format!("SELECT {}", all.join(", "))
}

impl Meaning {
    /// Of a session that was told these values, and has set these settings.
    pub(crate) fn of(parameters: &Parameters, settings: &Settings) -> Self {
        let reported = REPORTED.iter().filter_map(|name| {
            let value = quote(parameters.get(name)?);
            Some((*name, format!("SELECT pg_catalog.set_config('{name}', {value}, true)")))
        });
        let unreported = UNREPORTED.iter().filter_map(|name| {
            let sql = settings.get(name)?;
            Some((*name, in_transaction(sql).unwrap_or_else(|| sql.to_owned())))
        });
        Self(reported.chain(unreported).collect())
    }

    /// Whether texts fall into the same words with both.
    pub(crate) fn has_words_of(&self, other: &Self) -> bool {
        let of_words = ["backslash_quote", "client_encoding", "standard_conforming_strings"];
        of_words.iter().all(|name| self.0.get(name) == other.0.get(name))
    }

    /// The statements that turn a transaction with the settings `given` into one with these, none of which changes rights. They
    /// leave what the client has set in it for the session or for itself.
    pub(crate) fn difference(&self, given: &Self) -> Vec<String> {
        if std::ptr::eq(self, given) {
            return Vec::new();
        }
        let set = self.0.iter().filter(|(name, sql)| given.0.get(*name) != Some(*sql));
        let reset = given.0.keys().filter(|name| !self.0.contains_key(*name));
        let set = set.map(|(_, sql)| sql.clone());
        set.chain(reset.map(by_default)).collect()
    }

    /// The statements that turn a transaction whose settings are not known into one with these; [`put_back`] is to follow.
    pub(crate) fn instead_of_any(&self) -> Vec<String> {
        let saved = list_of_all(|name| (saved_as(name), format!("'{name}'")));
        let others = UNREPORTED.iter().filter(|name| !self.0.contains_key(*name)).map(by_default);
        [saved].into_iter().chain(self.0.values().cloned()).chain(others).collect()
    }

    /// That of a session in a time zone.
    #[cfg(test)]
    pub(crate) fn of_tests(time_zone: &str) -> Self {
        let mut parameters = Parameters::default();
        parameters.set("TimeZone", time_zone);
        Self::of(&parameters, &Settings::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_must_be_set_and_what_must_be_reset() {
        let mut set = Settings::default();
        let effect =
            Effect::Set { name: "xmloption".into(), sql: "SET xmloption TO 'document'".into() };
        set.apply(&effect, &Settings::default());
        let utc = Meaning::of_tests("UTC");
        let xml = Meaning::of(&Parameters::default(), &set);
        assert_eq!(utc.difference(&utc), Vec::<String>::new());
        assert_eq!(
            utc.difference(&xml),
            [
                "SELECT pg_catalog.set_config('TimeZone', 'UTC', true)",
                "SET LOCAL xmloption TO DEFAULT"
            ]
        );
        assert_eq!(
            xml.difference(&utc),
            ["SET LOCAL xmloption TO 'document'", "SET LOCAL TimeZone TO DEFAULT"]
        );
    }

    /// FAULTS row 19h: who has set it in the startup packet reads constants otherwise too.
    #[test]
    fn what_the_startup_packet_sets_is_in_it() {
        let mut set = Settings::default();
        let sql = "SELECT pg_catalog.set_config('array_nulls', 'off', false)".into();
        set.apply(&Effect::Set { name: "array_nulls".into(), sql }, &Settings::default());
        let given = Meaning::of(&Parameters::default(), &set);
        assert_eq!(
            given.difference(&Meaning::default()),
            ["SELECT pg_catalog.set_config('array_nulls', 'off', true)"]
        );
    }
}
