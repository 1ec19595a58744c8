//! What things are called in the tier.

use cache::{
    Key,
    sql::{TableName, Writes},
};

/// Of the protocol: nodes of two versions share nothing.
const VERSION: u32 = 1;

/// More names than this are told as everything of their origin.
const MAX_TOLD: usize = 16 * 1024;

/// The keys of one namespace. They share a hash tag, so that a cluster has them on one server.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    pub(crate) state: String,
    pub(crate) nodes: String,
    pub(crate) generations: String,
    pub(crate) under_way: String,
    pub(crate) open: String,
    pub(crate) schemas: String,
    /// Of inboxes.
    pub(crate) inboxes: String,
}

impl Names {
    pub(crate) fn new(namespace: &str) -> Self {
        let prefix = format!("{{{namespace}}}:{VERSION}:");
        let name = |what: &str| format!("{prefix}{what}");
        Self {
            state: name("state"),
            nodes: name("nodes"),
            generations: name("generations"),
            under_way: name("under-way"),
            open: name("open"),
            schemas: name("schemas"),
            inboxes: name("inbox:"),
            prefix,
        }
    }

    pub(crate) fn inbox(&self, node: &str) -> String {
        format!("{}{node}", self.inboxes)
    }

    pub(crate) fn readers(&self, slot: &str) -> String {
        format!("{}readers:{slot}", self.prefix)
    }

    pub(crate) fn unanswered(&self, write: &str) -> String {
        format!("{}unanswered:{write}", self.prefix)
    }

    pub(crate) fn entry(&self, key: Key) -> String {
        format!("{}entry:{}", self.prefix, hex::encode(key.as_bytes()))
    }

    pub(crate) fn flight(&self, key: Key) -> String {
        format!("{}flight:{}", self.prefix, hex::encode(key.as_bytes()))
    }
}

/// The slot of an origin as a whole.
pub(crate) fn slot_of_all(scope: &str) -> String {
    slot(scope, None)
}

/// The slots of the origin as a whole and of what a reply reads.
pub(crate) fn slots_read(scope: &str, tables: &[TableName]) -> Vec<String> {
    let tables = tables.iter().map(|table| slot(scope, Some(&table.name)));
    sorted(std::iter::once(slot(scope, None)).chain(tables))
}

/// The slots of what a write writes.
pub(crate) fn slots_written(scope: &str, writes: &Writes) -> Vec<String> {
    match writes {
        Writes::None => Vec::new(),
        Writes::Tables(tables) => sorted(tables.iter().map(|table| slot(scope, Some(&table.name)))),
        Writes::Everything => vec![slot_of_all(scope)],
    }
}

/// In order, and each once.
fn sorted(slots: impl Iterator<Item = String>) -> Vec<String> {
    let mut slots: Vec<_> = slots.collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// By the bare name of a table, as in one process. Two tables never share one: who is told of the one and answers for it is no
/// reader of the slot any more, and must not miss the other.
fn slot(scope: &str, table: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(scope.as_bytes());
    if let Some(table) = table {
        hasher.update(b"\0").update(table.as_bytes());
    }
    let mut name = [0; 16];
    hasher.finalize_xof().fill(&mut name);
    hex::encode(name)
}

/// What others are told of a write: the origin, then its tables, or nothing for all of them.
pub(crate) fn words(scope: &str, writes: &Writes) -> String {
    let mut words = scope.to_owned();
    if let Writes::Tables(tables) = writes {
        let len: usize = tables.iter().map(|table| table.name.len()).sum();
        let can_tell = len <= MAX_TOLD && !tables.iter().any(|table| table.name.contains('\0'));
        for table in tables.iter().filter(|_| can_tell) {
            words.push('\0');
            words.push_str(&table.name);
        }
    }
    words
}

/// The other way round.
pub(crate) fn told(words: &str) -> (&str, Writes) {
    let mut parts = words.split('\0');
    let scope = parts.next().unwrap_or_default();
    let tables: Vec<_> = parts.map(TableName::bare).collect();
    (scope, if tables.is_empty() { Writes::Everything } else { Writes::Tables(tables) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(names: &[&str]) -> Writes {
        Writes::Tables(names.iter().map(|name| TableName::bare(name)).collect())
    }

    #[test]
    fn a_write_is_told_as_it_is() {
        for writes in [tables(&["a"]), tables(&["a", "B c"]), Writes::Everything] {
            assert_eq!(told(&words("scope", &writes)), ("scope", writes));
        }
        let odd = tables(&["a\0b"]);
        assert_eq!(told(&words("scope", &odd)), ("scope", Writes::Everything));
        let long = "x".repeat(MAX_TOLD);
        assert_eq!(told(&words("scope", &tables(&[&long, "y"]))).1, Writes::Everything);
    }

    #[test]
    fn who_reads_a_table_meets_who_writes_it() {
        let read = slots_read("s", &[TableName::bare("a"), TableName::bare("b")]);
        let meets =
            |writes: &Writes| slots_written("s", writes).iter().any(|slot| read.contains(slot));
        assert!(meets(&tables(&["b"])) && meets(&Writes::Everything));
        assert!(!meets(&tables(&["c"])) && !meets(&Writes::None));
        assert!(slots_written("t", &tables(&["a"])).iter().all(|slot| !read.contains(slot)));
    }
}
