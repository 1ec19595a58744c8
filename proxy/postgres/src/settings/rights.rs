//! Whose rights a session has.

/// The settings that another user's rights hang on.
const RIGHTS: [&str; 2] = ["session_authorization", "role"];

/// Whose rights a session has, each by the statement that gives it them. The login's own come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rights {
    pub(super) user: Option<String>,
    pub(super) role: Option<String>,
}

impl Rights {
    pub(super) fn is_login(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a setting, by its lower-case name, says whose rights a session has.
pub(super) fn is_right(name: &str) -> bool {
    RIGHTS.contains(&name)
}
