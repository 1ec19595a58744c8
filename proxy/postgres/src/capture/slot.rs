//! The replication slot, and the commands about it (manual, "Streaming Replication Protocol").

use serving::config::CaptureConfig;

/// Which slot, and whether it goes with its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    name: String,
    is_temporary: bool,
}

impl Slot {
    /// The one that a config names, or a temporary one of its own.
    pub(super) fn of(capture: &CaptureConfig) -> Self {
        match &capture.slot {
            Some(name) => Self { name: name.clone(), is_temporary: false },
            None => Self {
                name: format!("jumpgate_{:016x}", rand::random::<u64>()),
                is_temporary: true,
            },
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As older and newer servers take it. The snapshot that it could export nobody needs.
    pub(super) fn making(&self) -> String {
        let kind = if self.is_temporary { "TEMPORARY " } else { "" };
        let name = identifier(&self.name);
        format!("CREATE_REPLICATION_SLOT {name} {kind}LOGICAL pgoutput NOEXPORT_SNAPSHOT")
    }

    pub(super) fn dropping(&self) -> String {
        format!("DROP_REPLICATION_SLOT {}", identifier(&self.name))
    }

    /// From where it was confirmed last: that is what 0/0 says. What is emitted can be heard from PostgreSQL 14 on.
    pub(super) fn starting(&self, publication: &str, hears_emitted: bool) -> String {
        format!(
            "START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {}{})",
            identifier(&self.name),
            literal(&identifier(publication)),
            if hears_emitted { ", messages 'true'" } else { "" },
        )
    }
}

/// A name within double quotes.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text within single quotes, where a backslash is a backslash.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_names_and_as_a_list_of_names() {
        let slot = Slot { name: "a_1".into(), is_temporary: true };
        assert_eq!(
            slot.making(),
            "CREATE_REPLICATION_SLOT \"a_1\" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT"
        );
        assert_eq!(
            slot.starting("it's \"mine\"", true),
            "START_REPLICATION SLOT \"a_1\" LOGICAL 0/0 (proto_version '1', publication_names \
             '\"it''s \"\"mine\"\"\"', messages 'true')"
        );
        assert_eq!(slot.dropping(), "DROP_REPLICATION_SLOT \"a_1\"");
    }
}
