//! Names of tables, and what a statement writes.

use std::fmt;

/// A table as a statement or the catalog spells it.
///
/// The cache invalidates by the bare name only: which schema an unqualified name means depends on
/// the search_path, and a write must never miss a reader that spelled the same table differently.
/// Two tables of one name in two schemas invalidate each other, which costs a miss and no truth.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The schema, where it was spelled out.
    pub schema: Option<String>,
    /// The name, as the database folds it.
    pub name: String,
}

impl TableName {
    /// A name without a schema.
    pub fn bare(name: &str) -> Self {
        Self { schema: None, name: name.to_owned() }
    }

    /// All of a database's own catalogs, as one table: no name in a text means it.
    pub(crate) fn catalogs() -> Self {
        Self::qualified("pg_catalog", "*")
    }

    /// Whether it stands for the catalogs.
    pub(crate) fn are_catalogs(&self) -> bool {
        self.name == "*" && self.schema.as_deref() == Some("pg_catalog")
    }

    /// A name in a schema.
    pub fn qualified(schema: &str, name: &str) -> Self {
        Self { schema: Some(schema.to_owned()), name: name.to_owned() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a statement may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// Nothing that another session can see.
    #[default]
    None,
    /// These tables.
    Tables(Vec<TableName>),
    /// Anything: DDL, and what cannot be seen through.
    Everything,
}

impl Writes {
    /// Adds what another statement writes.
    pub fn merge(&mut self, other: Self) {
        *self = match (std::mem::take(self), other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::None, writes) | (writes, Self::None) => writes,
            (Self::Tables(mut tables), Self::Tables(more)) => {
                let known = tables.len();
                for table in more {
                    if !tables.contains(&table) {
                        tables.push(table);
                    }
                }
                if tables.len() > known {
                    tables.sort_unstable();
                }
                // A text may name as many as it likes.
                if tables.len() > MAX_TABLES { Self::Everything } else { Self::Tables(tables) }
            }
        };
    }

    /// How many table names it holds, for its weight in a memory.
    pub(crate) fn table_count(&self) -> usize {
        match self {
            Self::Tables(tables) => tables.len(),
            Self::None | Self::Everything => 0,
        }
    }

    /// The database's own catalogs, and nothing else.
    pub fn catalogs() -> Self {
        Self::table(TableName::catalogs())
    }

    pub(crate) fn table(name: TableName) -> Self {
        Self::Tables(vec![name])
    }
}

/// Whoever writes more tables than that writes everything.
pub(crate) const MAX_TABLES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_writes_forgets_none_of_them() {
        let (a, b) = (TableName::bare("a"), TableName::bare("b"));
        let mut writes = Writes::None;
        writes.merge(Writes::table(b.clone()));
        writes.merge(Writes::table(a.clone()));
        writes.merge(Writes::None);
        assert_eq!(writes, Writes::Tables(vec![a, b]));
        writes.merge(Writes::Everything);
        assert_eq!(writes, Writes::Everything);
    }

    /// FAULTS row 50: what a text may name without end.
    #[test]
    fn more_tables_than_can_be_told_apart_are_everything() {
        let mut writes = Writes::None;
        for number in 0..=MAX_TABLES {
            assert_ne!(writes, Writes::Everything);
            writes.merge(Writes::table(TableName::bare(&number.to_string())));
            writes.merge(Writes::table(TableName::bare("0")));
        }
        assert_eq!(writes, Writes::Everything);
    }
}
