//! Reading what was sent. It is JSON whatever its type says: `wrangler` says `text/plain`.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::envelope::ApiError;

/// A field of a body that may be left out, or be null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// It was left out.
    #[default]
    Absent,
    /// It was null, which means: unset.
    Null,
    /// It was given.
    Value(T),
}

impl<T> Field<T> {
    /// What it makes of what is there: left out keeps it, null unsets it.
    pub(crate) fn over(self, there: Option<T>) -> Option<T> {
        match self {
            Self::Absent => there,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Whether it was left out.
    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// What a body says.
///
/// # Errors
///
/// Where it is no JSON, or not of this shape. The error shows none of its values, which may be secrets.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    // serde would take a list for an object, value by value.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::invalid("the body must be a JSON object, and is a list"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        let kind = match error.classify() {
            serde_json::error::Category::Data => "has a field of the wrong type, or lacks one",
            _ => "is not JSON",
        };
        // "missing field `x`" has only names of ours in it.
        let text = error.to_string();
        let missing = text
            .starts_with("missing field")
            .then(|| text.split(" at line").next().unwrap_or_default().to_owned());
        ApiError::invalid(format!(
            "the body {kind} ({}{at})",
            missing.map_or_else(String::new, |it| it + ", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default)]
        a: Field<u32>,
    }

    #[test]
    fn left_out_null_and_given_are_three_things() {
        let a = |text: &str| read::<Body>(text.as_bytes()).unwrap().a;
        assert_eq!(
            (a("{}"), a(r#"{"a":null}"#), a(r#"{"a":1}"#)),
            (Field::Absent, Field::Null, Field::Value(1))
        );
        assert_eq!(a(""), Field::Absent);
        assert!(read::<Body>(b" [1]").is_err());
        assert_eq!(Field::Absent.over(Some(1)), Some(1));
        assert_eq!(Field::Null.over(Some(1)), None);
    }

    #[test]
    fn an_error_shows_no_value() {
        let error = read::<Body>(br#"{"a":"hunter2"}"#).unwrap_err();
        assert!(!error.message.contains("hunter2"), "{error:?}");
        assert!(read::<Body>(b"{").unwrap_err().message.contains("is not JSON"));
    }
}
