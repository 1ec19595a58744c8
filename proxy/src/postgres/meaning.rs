//! The settings that decide how the constants of a text are read.

use std::collections::BTreeMap;

use cache::sql;

use super::{backend::Parameters, settings::Settings};

/// The settings with which a statement's constants are read when it is parsed, by name, each with the statement that gives
/// it. A setting that the client left at the server's default and that is not reported is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Meaning(BTreeMap<&'static str, String>);

/// Settings that the server reports, so that their values are known whoever set them.
const REPORTED: [&str; 5] =
    ["DateStyle", "IntervalStyle", "TimeZone", "client_encoding", "standard_conforming_strings"];

/// The others, in lower case. `tests/e2e/prepared_moves.rs` walks every setting of each server's version.
const UNREPORTED: [&str; 6] = [
    "array_nulls",
    "backslash_quote",
    "lc_monetary",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmloption",
];

impl Meaning {
    /// Of a session that was told these values, and has set these settings.
    pub(super) fn of(parameters: &Parameters, settings: &Settings) -> Self {
        let reported = REPORTED.iter().filter_map(|name| {
            let value = sql::quote(parameters.get(name)?);
            let sql = format!("SELECT pg_catalog.set_config('{name}', {value}, false)");
            Some((*name, sql))
        });
        let unreported =
            UNREPORTED.iter().filter_map(|name| Some((*name, settings.get(name)?.to_owned())));
        Self(reported.chain(unreported).collect())
    }

    /// The statements that turn a session with the settings `given` into one with these, none of which changes rights.
    pub(super) fn difference(&self, given: &Self) -> Vec<String> {
        if std::ptr::eq(self, given) {
            return Vec::new();
        }
        let set = self.0.iter().filter(|(name, sql)| given.0.get(*name) != Some(*sql));
        let reset = given.0.keys().filter(|name| !self.0.contains_key(*name));
        let set = set.map(|(_, sql)| sql.clone());
        set.chain(reset.map(|name| format!("RESET {name}"))).collect()
    }

    /// That of a session in a time zone.
    #[cfg(test)]
    pub(super) fn of_tests(time_zone: &str) -> Self {
        let mut parameters = Parameters::default();
        parameters.set("TimeZone", time_zone);
        Self::of(&parameters, &Settings::default())
    }
}

#[cfg(test)]
mod tests {
    use cache::sql::Effect;

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
            ["SELECT pg_catalog.set_config('TimeZone', 'UTC', false)", "RESET xmloption"]
        );
        assert_eq!(xml.difference(&utc), ["SET xmloption TO 'document'", "RESET TimeZone"]);
    }
}
