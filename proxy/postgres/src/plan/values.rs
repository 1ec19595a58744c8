//! What a text says with the values of its parameters, where these decide what its session is left with.

use std::sync::Arc;

use cache::sql::postgres::{Analysis, with_value};
use protocol::postgres::message::Bind;

/// What an execution leaves behind that gives a setting the value of a parameter. `None` for all others, of which the text says
/// it, and where the value is not to be had.
pub(crate) fn with_values(
    analysis: &Analysis,
    bind: &Bind<'_>,
    types: &[u8],
) -> Option<Arc<Analysis>> {
    let [one] = analysis.statements.as_slice() else { return None };
    let at = one.given.as_ref()?.parameter;
    let parameters = bind.parameters().ok()?;
    // A text has the same bytes in both formats.
    let value = std::str::from_utf8(parameters.values.get(at).copied().flatten()?).ok()?;
    let is_text = types.get(2..)?.chunks_exact(4).all(|oid| TEXTS.contains(&oid));
    is_text.then(|| with_value(analysis, value).map(Arc::new)).flatten()
}

/// As what a parameter may be declared that is a text: as nothing, `text` and `varchar`, in bytes.
const TEXTS: [&[u8]; 3] = [&[0, 0, 0, 0], &[0, 0, 0, 25], &[0, 0, 4, 19]];

#[cfg(test)]
mod tests {
    use cache::sql::postgres::{Effect, analyse};

    use super::*;

    /// A Bind of one value with these formats.
    fn bind(formats: &[u8], value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).expect("short");
        [&b"\0\0"[..], formats, &[0, 1, 0, 0, 0, length], value, &[0, 0]].concat()
    }

    #[test]
    fn a_setting_follows_the_parameter_that_gives_it_its_value() {
        const ONE: &str = "select set_config('Jit', $1, false)";
        let effects = |sql: &str, body: &[u8], types: &[u8]| {
            let bind = Bind::decode(body).expect("a Bind");
            let analysis = with_values(&analyse(sql), &bind, types)?;
            Some(analysis.effects().cloned().collect::<Vec<_>>())
        };
        let set = |sql: &str| Some(vec![Effect::Set { name: "jit".into(), sql: sql.into() }]);
        let value = bind(&[0, 0], b"o'n");
        assert_eq!(effects(ONE, &value, &[0, 0]), set("SET jit TO 'o''n'"));
        assert_eq!(effects(ONE, &value, &[0, 1, 0, 0, 0, 25]), set("SET jit TO 'o''n'"));
        assert_eq!(effects(ONE, &bind(&[0, 1, 0, 1], b"on"), &[0, 0]), set("SET jit TO 'on'"));
        for (sql, body, types) in [
            // Another type, whose bytes may be no text.
            (ONE, value.clone(), &[0, 1, 0, 0, 0, 17][..]),
            (ONE, bind(&[0, 0], b"\xff"), &[0, 0]),
            (ONE, bind(&[0, 0], "\u{e9}".as_bytes()), &[0, 0]),
            ("select set_config('jit', $2, false)", value.clone(), &[0, 0]),
            ("select set_config('jit', $1, true)", value.clone(), &[0, 0]),
            ("select set_config($1, 'jit', false)", value.clone(), &[0, 0]),
            ("select set_config('transaction_isolation', $1, false)", value.clone(), &[0, 0]),
            ("select set_config('jit', $1, false) from t", value.clone(), &[0, 0]),
            ("select set_config('jit', $1, false), 1", value.clone(), &[0, 0]),
            ("select other.set_config('jit', $1, false)", value.clone(), &[0, 0]),
            ("set jit to on", value, &[0, 0]),
        ] {
            assert_eq!(effects(sql, &body, types), None, "{sql}");
        }
    }
}
