//! What an application guards: a hostname, perhaps below a path.

use std::fmt;

use crate::{ingress::hostname, resources::Application};

const PATH_MAX: usize = 1024;

/// Written `db.example.com` or `db.example.com/reports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In lower case.
    pub(super) hostname: String,
    /// Empty for all; else it begins with a slash and does not end with one.
    pub(super) path: String,
}

impl Place {
    /// That of an application.
    pub(super) fn of(app: &Application) -> Self {
        Self { hostname: app.hostname.clone(), path: app.path.clone() }
    }

    /// What a text says.
    ///
    /// # Errors
    ///
    /// Why it says none that an edge could guard.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        let (host, path) = text.find('/').map_or((text, ""), |at| text.split_at(at));
        if !path.is_empty() && !is_plain(path) {
            return Err(
                "has a path that is not plain, such as /reports: no `*`, no escapes, no dots",
            );
        }
        Ok(Self { hostname: hostname(host)?, path: path.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.hostname, self.path)
    }
}

/// Can be read in one way only, so that the edge judges the path that the origin serves.
fn is_plain(path: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@".contains(&byte);
    let mut segments = path.split('/').skip(1);
    path.len() <= PATH_MAX
        && path.bytes().all(is_allowed)
        && segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_hostname_and_a_plain_path() {
        let place = |text: &str| Place::read(text).map(|place| place.to_string());
        assert_eq!(place("DB.Example.com"), Ok("db.example.com".to_owned()));
        assert_eq!(place("https://db.test/Reports/"), Ok("db.test/Reports".to_owned()));
        for wrong in [
            "",
            "/a",
            "*.test",
            "a.test/*",
            "a.test//b",
            "a.test/../b",
            "a.test/%61",
            "a.test:1",
            "a.test/a?b",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
