//! The password of a role at an origin, which may change while connections are open.

use std::fmt;

use tunnel::Succession;

use crate::secret::Secret;

/// A password that the states of a config share: a session that began before a reload, and all that opens connections for
/// it, log in with the one of now.
#[derive(Clone)]
pub struct OriginPassword(Succession<Secret<String>>);

impl OriginPassword {
    /// That of a config which is the first of its kind.
    pub fn new(password: Secret<String>) -> Self {
        Self(Succession::new(password))
    }

    /// The one to log in with now.
    pub fn now(&self) -> Secret<String> {
        self.0.now()
    }

    /// Whoever has the one `before` has this one from now on, and whoever has this one has what succeeds it. Whether it is
    /// another.
    pub fn succeed(&self, before: &Self) -> bool {
        let password = self.now();
        !self.0.succeed(&before.0).matches(password.expose().as_bytes())
    }

    /// This is the `newer` one from now on, and whatever succeeds that: nobody has this one yet.
    pub fn join(&self, newer: &Self) {
        self.0.join(&newer.0);
    }
}

impl From<Secret<String>> for OriginPassword {
    fn from(password: Secret<String>) -> Self {
        Self::new(password)
    }
}

impl fmt::Debug for OriginPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_states_of_a_config_have_the_last_password() {
        let states = ["a", "b", "b", "c"].map(|text| OriginPassword::new(Secret::new(text.into())));
        let other = OriginPassword::new(Secret::new("a".into()));
        let changes = states.each_ref().into_iter().zip(&states[1..]);
        let changes: Vec<_> = changes.map(|(before, next)| next.succeed(before)).collect();
        assert_eq!(changes, [true, false, true]);
        for state in &states {
            assert_eq!(state.now().expose(), "c");
            assert_eq!(format!("{state:?}"), "[redacted]");
        }
        assert!(!states[0].succeed(&states[3]), "it is the same already");
        let late = OriginPassword::new(Secret::new("a".into()));
        late.join(&states[3]);
        let next = OriginPassword::new(Secret::new("d".into()));
        assert!(next.succeed(&states[3]));
        for state in [&late, &states[0], &next] {
            assert_eq!(state.now().expose(), "d");
        }
        assert_eq!(other.now().expose(), "a");
    }
}
