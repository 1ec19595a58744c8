//! What the plugin's messages mean, put together: transactions with the tables that they wrote. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use cache::sql::TableName;
use protocol::{
    postgres::replication::{Copied, Message, Position, Relation},
    reader::DecodeError,
};
use serving::observe::Change;

/// Whoever has more tables begins anew now and then.
const MAX_RELATIONS: usize = 100_000;
/// A transaction that wrote more tables wrote everything.
const MAX_WRITTEN: usize = 256;
/// With this prefix a database's own event trigger tells of another schema.
pub(super) const OF_THE_SCHEMA: &[u8] = b"jumpgate.schema";

/// Remembers what the tables are, and what the present transaction wrote.
#[derive(Debug, Default)]
pub(super) struct Listener {
    relations: HashMap<u32, Known>,
    open: Option<Open>,
    /// Everything up to here was heard.
    heard: Position,
}

/// A table.
#[derive(Debug)]
struct Known {
    name: TableName,
    /// Of its columns.
    described: u64,
}

/// A transaction of which the end was not heard yet.
#[derive(Debug)]
struct Open {
    transaction: u32,
    written: BTreeSet<u32>,
    /// The worst that it did.
    change: Change,
}

impl Open {
    fn did(&mut self, change: Change) {
        self.change = self.change.max(change);
    }
}

/// What a message came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// An answer is wanted.
    WantsStatus,
    /// A transaction was committed.
    Committed(Committed),
}

/// A transaction that was committed, and not everybody may see yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Committed {
    /// Its number, without the epoch.
    pub(super) transaction: u32,
    /// What it did.
    pub(super) change: Change,
    /// What it wrote; of another schema, and of everything, nothing.
    pub(super) tables: Vec<TableName>,
}

impl Listener {
    /// Everything up to here was heard.
    pub(super) const fn heard(&self) -> Position {
        self.heard
    }

    /// Takes in what one CopyData holds. `is_new` says of a table whether it was there when all this began.
    pub(super) fn hear(
        &mut self,
        body: &[u8],
        is_new: impl FnOnce(&TableName) -> bool,
    ) -> Result<Heard, DecodeError> {
        match Copied::decode(body)? {
            Copied::Keepalive { end, wants_status } => {
                // Within a transaction it may tell of what is still to come of that.
                if self.open.is_none() {
                    self.heard = self.heard.max(end);
                }
                Ok(if wants_status { Heard::WantsStatus } else { Heard::Nothing })
            }
            Copied::Wal { data, .. } => self.message(Message::decode(data)?, is_new),
        }
    }

    fn message(
        &mut self,
        message: Message<'_>,
        is_new: impl FnOnce(&TableName) -> bool,
    ) -> Result<Heard, DecodeError> {
        match message {
            Message::Begin { transaction } => {
                let (written, change) = (BTreeSet::new(), Change::Rows);
                self.open = Some(Open { transaction, written, change });
            }
            Message::Commit { end } => {
                let open = self.open.take();
                self.heard = self.heard.max(end);
                let open = open.ok_or(DecodeError::Value("commit of nothing"))?;
                return Ok(self.committed(open));
            }
            Message::Relation(relation) => {
                if self.describe(&relation, is_new)?
                    && let Some(open) = &mut self.open
                {
                    open.did(Change::Schema);
                }
            }
            Message::Change { relation } => self.written(&[relation])?,
            Message::Truncate(relations) => {
                self.written(&relations.iter().take(MAX_WRITTEN + 1).collect::<Vec<_>>())?;
                if let Some(open) = &mut self.open {
                    open.did(Change::Truncate);
                }
            }
            Message::Emitted { prefix: OF_THE_SCHEMA } => match &mut self.open {
                Some(open) => open.did(Change::Schema),
                // It is of no transaction, so that everybody has seen what it is about.
                None => {
                    let (change, tables) = (Change::Schema, Vec::new());
                    return Ok(Heard::Committed(Committed { transaction: 0, change, tables }));
                }
            },
            Message::Emitted { .. } | Message::Aside => {}
        }
        Ok(Heard::Nothing)
    }

    /// Remembers what a table is. Whether the schema is another with it.
    fn describe(
        &mut self,
        relation: &Relation<'_>,
        is_new: impl FnOnce(&TableName) -> bool,
    ) -> Result<bool, DecodeError> {
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_other| DecodeError::Text);
        let schema = match text(relation.schema)? {
            "" => "pg_catalog",
            schema => schema,
        };
        let name = TableName::qualified(schema, text(relation.name)?);
        let mut hasher = DefaultHasher::new();
        relation.described.hash(&mut hasher);
        let described = hasher.finish();
        let is_another = match self.relations.get(&relation.id) {
            Some(known) => known.described != described || known.name != name,
            None => is_new(&name),
        };
        if self.relations.len() >= MAX_RELATIONS && !self.relations.contains_key(&relation.id) {
            return Err(DecodeError::Value("number of tables"));
        }
        self.relations.insert(relation.id, Known { name, described });
        Ok(is_another)
    }

    fn written(&mut self, relations: &[u32]) -> Result<(), DecodeError> {
        let is_known = |relation: &u32| self.relations.contains_key(relation);
        if !relations.iter().all(is_known) {
            return Err(DecodeError::Value("table that was never described"));
        }
        let open = self.open.as_mut().ok_or(DecodeError::Value("change outside a transaction"))?;
        open.written.extend(relations);
        if open.written.len() > MAX_WRITTEN {
            open.did(Change::Everything);
            open.written.clear();
        }
        Ok(())
    }

    fn committed(&self, open: Open) -> Heard {
        let Open { transaction, written, change } = open;
        let tables = match change {
            Change::Rows | Change::Truncate => {
                let named = written.iter().filter_map(|relation| self.relations.get(relation));
                named.map(|known| known.name.clone()).collect()
            }
            Change::Everything | Change::Schema => Vec::new(),
        };
        // Old servers tell also of transactions that wrote nothing that is published.
        match change {
            Change::Rows if tables.is_empty() => Heard::Nothing,
            _ => Heard::Committed(Committed { transaction, change, tables }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[u8] = b"d\0\x01\x01id\0\0\0\0\x17\xff\xff\xff\xff";
    const OTHER_COLUMNS: &[u8] = b"d\0\x01\x01no\0\0\0\0\x17\xff\xff\xff\xff";

    fn wal(data: &[&[u8]]) -> Vec<u8> {
        [b"w".as_slice(), &[0; 24], &data.concat()].concat()
    }

    fn begin(transaction: u32) -> Vec<u8> {
        wal(&[b"B", &[0; 16], &transaction.to_be_bytes()])
    }

    fn commit(end: u64) -> Vec<u8> {
        wal(&[b"C\0", &[0; 8], &end.to_be_bytes(), &[0; 8]])
    }

    fn relation(id: u8, name: &str, columns: &[u8]) -> Vec<u8> {
        wal(&[b"R\0\0\0", &[id], b"public\0", name.as_bytes(), b"\0", columns])
    }

    fn change(id: u8) -> Vec<u8> {
        wal(&[b"I\0\0\0", &[id], b"N\0\0"])
    }

    fn keepalive(end: u64, wants_status: bool) -> Vec<u8> {
        [b"k".as_slice(), &end.to_be_bytes(), &[0; 8], &[wants_status.into()]].concat()
    }

    fn hear(listener: &mut Listener, said: &[Vec<u8>]) -> Heard {
        let mut heard = Heard::Nothing;
        for body in said {
            assert_eq!(heard, Heard::Nothing, "more is said behind it");
            heard = listener.hear(body, |table| table.name == "new").unwrap();
        }
        heard
    }

    fn committed(transaction: u32, change: Change, tables: &[&str]) -> Heard {
        let tables = tables.iter().map(|name| TableName::qualified("public", name)).collect();
        Heard::Committed(Committed { transaction, change, tables })
    }

    #[test]
    fn a_transaction_is_told_at_its_commit_with_each_table_once() {
        let mut listener = Listener::default();
        let said = [
            begin(7),
            relation(1, "a", COLUMNS),
            change(1),
            relation(2, "b", COLUMNS),
            change(2),
            change(1),
            keepalive(9, false),
            commit(10),
        ];
        assert_eq!(hear(&mut listener, &said), committed(7, Change::Rows, &["a", "b"]));
        assert_eq!(listener.heard(), Position(10));
        // What a table is, is told once.
        let said = [begin(8), change(2), commit(12)];
        assert_eq!(hear(&mut listener, &said), committed(8, Change::Rows, &["b"]));
        assert_eq!(hear(&mut listener, &[begin(9), commit(13)]), Heard::Nothing);
    }

    #[test]
    fn a_keepalive_within_a_transaction_says_nothing_of_it() {
        let mut listener = Listener::default();
        assert_eq!(hear(&mut listener, &[keepalive(5, true)]), Heard::WantsStatus);
        assert_eq!(listener.heard(), Position(5));
        hear(&mut listener, &[begin(7), keepalive(20, false)]);
        assert_eq!(listener.heard(), Position(5));
        hear(&mut listener, &[commit(10), keepalive(8, false)]);
        assert_eq!(listener.heard(), Position(10));
    }

    #[test]
    fn tables_that_were_emptied_are_told_of() {
        let mut listener = Listener::default();
        let truncate = wal(&[b"T\0\0\0\x02\0\0\0\0\x01\0\0\0\x02"]);
        let said =
            [begin(7), relation(1, "a", COLUMNS), relation(2, "b", COLUMNS), truncate, commit(9)];
        assert_eq!(hear(&mut listener, &said), committed(7, Change::Truncate, &["a", "b"]));
    }

    #[test]
    fn another_table_or_one_that_is_new_is_another_schema() {
        let mut listener = Listener::default();
        let schema = |transaction| committed(transaction, Change::Schema, &[]);
        let said = [begin(1), relation(1, "a", COLUMNS), change(1), commit(1)];
        assert_eq!(hear(&mut listener, &said), committed(1, Change::Rows, &["a"]));
        let said = [begin(2), relation(1, "a", OTHER_COLUMNS), change(1), commit(2)];
        assert_eq!(hear(&mut listener, &said), schema(2));
        // As after VACUUM: it is told again, and is the same.
        let said = [begin(3), relation(1, "a", OTHER_COLUMNS), change(1), commit(3)];
        assert_eq!(hear(&mut listener, &said), committed(3, Change::Rows, &["a"]));
        let said = [begin(4), relation(1, "renamed", OTHER_COLUMNS), change(1), commit(4)];
        assert_eq!(hear(&mut listener, &said), schema(4));
        let said = [begin(5), relation(2, "new", COLUMNS), change(2), commit(5)];
        assert_eq!(hear(&mut listener, &said), schema(5));
    }

    #[test]
    fn what_an_event_trigger_says_is_another_schema_and_what_others_emit_is_nothing() {
        let mut listener = Listener::default();
        let emitted = |prefix: &[u8]| wal(&[b"M\x01", &[0; 8], prefix, b"\0\0\0\0\0"]);
        let said = [begin(1), emitted(b"jumpgate.schema"), commit(1)];
        assert_eq!(hear(&mut listener, &said), committed(1, Change::Schema, &[]));
        assert_eq!(hear(&mut listener, &[begin(2), emitted(b"other"), commit(2)]), Heard::Nothing);
        assert_eq!(hear(&mut listener, &[emitted(b"other")]), Heard::Nothing);
        let said = [emitted(b"jumpgate.schema")];
        assert_eq!(hear(&mut listener, &said), committed(0, Change::Schema, &[]));
    }

    #[test]
    fn who_writes_more_tables_than_can_be_told_apart_writes_everything() {
        let mut listener = Listener::default();
        hear(&mut listener, &[begin(1)]);
        for id in 0..=u8::MAX {
            hear(&mut listener, &[relation(id, &id.to_string(), COLUMNS), change(id)]);
        }
        let many = wal(&[b"R\0\0\x01\0public\0one more\0", COLUMNS]);
        let said = [many, wal(&[b"I\0\0\x01\0"]), change(1), commit(1)];
        assert_eq!(hear(&mut listener, &said), committed(1, Change::Everything, &[]));
    }

    #[test]
    fn what_nobody_was_told_of_is_a_mistake_of_the_database() {
        for said in [vec![change(1)], vec![begin(1), change(1)], vec![commit(1)]] {
            let mut listener = Listener::default();
            let mut heard = said.iter().map(|body| listener.hear(body, |_table| false));
            assert!(heard.any(|heard| heard.is_err()), "{said:?}");
        }
    }
}
