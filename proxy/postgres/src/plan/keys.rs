//! The keys of the cache: all that shapes a reply.

use cache::{
    Key, KeyBuilder,
    sql::{postgres::is_time_word, without_hint},
};

use super::super::{
    batch::{Request, Subject},
    meaning::Meaning,
    parameters::Parameters,
    settings::Settings,
    settled::Settled,
};

/// Everything about a session that shapes its replies: the values it was told, and the settings that follow it
/// and are not reported. The application's name shapes nothing. The keys of its requests go on behind it.
pub(crate) fn session_key(scope: &str, parameters: &Parameters, settings: &Settings) -> Key {
    let mut key = KeyBuilder::new(scope);
    let mut reported = Vec::new();
    for (name, value) in parameters.iter() {
        let name = name.to_ascii_lowercase();
        if name != "application_name" {
            key = key.field("name", name.as_bytes()).field("value", value.as_bytes());
        }
        reported.push(name);
    }
    for (name, sql) in settings.iter() {
        if !reported.iter().any(|reported| reported == name) {
            key = key.field("name", name.as_bytes()).field("sql", sql.as_bytes());
        }
    }
    key.finish()
}

/// The key of what a statement is: `source` is its text and the types that it fixes. The numbers are those of what else
/// decides that.
pub(crate) fn description_key(session: &Key, source: &[u8], numbers: [u64; 2]) -> Key {
    let key = KeyBuilder::after(session).field("wire", b"described").field("source", source);
    let with_number = |key: KeyBuilder, number: u64| key.field("number", &number.to_be_bytes());
    numbers.into_iter().fold(key, with_number).finish()
}

/// The key of a simple query's reply.
pub(crate) fn simple_key(session: &Key, query: &[u8]) -> Key {
    KeyBuilder::after(session).field("wire", b"simple").field("text", without_hint(query)).finish()
}

/// The key of an extended request's reply. `None` when its parameters do not decode, or one of them is a text
/// such as `now`, which means another time each time.
pub(crate) fn extended_key(
    session: &Key,
    meaning: &Meaning,
    statement: (&[u8], &[u8]),
    request: &Request<'_>,
) -> Option<Key> {
    let wire = [
        u8::from(request.describes_statement),
        u8::from(request.describes_portal),
        u8::from(request.bind.is_some()),
    ];
    let mut key = KeyBuilder::after(session)
        .field("wire", &wire)
        .field("text", without_hint(statement.0))
        .field("types", statement.1);
    if let Subject::Known(statement) = &request.subject {
        // Its client knows its rows, which are other ones for whoever prepares the text today, and so may its constants be.
        for part in statement.settled().map(Settled::as_bytes).into_iter().flatten() {
            key = key.field("settled", part);
        }
        for sql in statement.meaning.difference(meaning) {
            key = key.field("meaning", sql.as_bytes());
        }
    }
    if let Some(bind) = &request.bind {
        let parameters = bind.parameters().ok()?;
        let depends_on_clock = |value: &Option<&[u8]>| {
            // A text has the same bytes in either format.
            value.is_some_and(is_time_word)
        };
        if parameters.values.iter().any(depends_on_clock) {
            return None;
        }
        key = key.field("bind", bind.rest);
    }
    Some(key.finish())
}

#[cfg(test)]
mod tests {
    use cache::sql::postgres::Effect;

    use super::*;

    #[test]
    fn two_sessions_with_other_settings_have_other_keys() {
        let mut utc = Parameters::default();
        utc.set("TimeZone", "UTC");
        let mut named = utc.clone();
        named.set("application_name", "x");
        let mut oslo = utc.clone();
        oslo.set("TimeZone", "Europe/Oslo");
        let none = Settings::default();
        let key = |parameters: &Parameters| session_key("s", parameters, &none);
        assert_eq!(key(&utc), key(&named));
        assert_ne!(key(&utc), key(&oslo));
        let (base, mut role) = (Settings::default(), Settings::default());
        let set = Effect::Set { name: "role".into(), sql: "SET ROLE x".into() };
        role.apply(&set, &base);
        assert_ne!(session_key("s", &utc, &role), key(&utc));
        assert_ne!(session_key("t", &utc, &none), key(&utc));
    }
}
