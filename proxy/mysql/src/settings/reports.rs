//! What a client is told of its session.

/// What a client asked to be told of its session (MySQL: `session_track_system_variables` and its kin). The
/// backends are asked for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reports {
    variables: Vec<Box<str>>,
    /// Of the schema.
    pub(crate) schema: bool,
    /// That something changed.
    pub(crate) state: bool,
}

impl Default for Reports {
    fn default() -> Self {
        Self { variables: USUAL.map(Into::into).into(), schema: true, state: false }
    }
}

/// What MySQL tells everybody.
const USUAL: [&str; 5] = [
    "autocommit",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "time_zone",
];

/// The variables by which a client says what it wants to be told.
pub(crate) const TRACKED: [&str; 3] =
    ["session_track_system_variables", "session_track_schema", "session_track_state_change"];

impl Reports {
    /// Takes in what a client has set one of [`TRACKED`] to. False for another variable.
    pub(crate) fn learn(&mut self, name: &str, value: &str) -> bool {
        let [variables, schema, state] = TRACKED;
        let is_on = matches!(value, "1" | "ON");
        if name == variables {
            let names = value.split(',').take(MAX_REPORTED);
            self.variables = names.map(|name| name.trim().to_ascii_lowercase().into()).collect();
        } else if name == schema {
            self.schema = is_on;
        } else if name == state {
            self.state = is_on;
        }
        TRACKED.contains(&name)
    }

    /// Whether it wants to be told what is usual.
    pub(crate) fn are_usual(&self) -> bool {
        let Self { variables, schema, state } = self;
        *schema && !*state && variables.iter().map(|name| &**name).eq(USUAL)
    }

    /// Whether the client is told of this variable.
    pub(crate) fn wants(&self, name: &[u8]) -> bool {
        self.variables.iter().any(|known| &**known == "*" || known.as_bytes() == name)
    }
}

/// The most variables that a client is told of by name.
const MAX_REPORTED: usize = 1000;
