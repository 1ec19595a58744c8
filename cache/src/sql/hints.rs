//! The comment that controls one statement: `/* jumpgate: max_age=5, swr=10 */`.

use std::time::Duration;

/// What the comment of a statement asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Do not cache this statement.
    pub no_cache: bool,
    /// Up to this age a reply is fresh; at most an hour.
    pub max_age: Option<Duration>,
    /// For this long after `max_age` a reply may be served stale.
    pub stale_while_revalidate: Option<Duration>,
    /// What could not be understood, and so was ignored.
    pub malformed: Option<String>,
}
