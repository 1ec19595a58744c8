//! What streams of events come to, and connections that bring them.

mod stream;

use std::time::Duration;

use bytes::{BufMut as _, Bytes};
use cache::sql::{
    TableName, Writes,
    mysql::{Catalog, CatalogBuilder, CatalogQuery},
};

use super::tracker::{Change, Lost, Place, Told, Tracker};

/// When every event here was made.
const MADE: u32 = 1_796_000_000;

/// An event behind which the next begins at this place.
fn event(kind: u8, next: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32_le(MADE);
    out.put_u8(kind);
    out.put_u32_le(1);
    out.put_u32_le(u32::try_from(19 + body.len()).unwrap());
    out.put_u32_le(next);
    out.put_u16_le(0);
    out.put_slice(body);
    out
}

fn query(next: u32, text: &str) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend([3, 0, 0, 9, 0]);
    // The sql_mode, which is none.
    body.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.put_slice(b"app\0");
    body.put_slice(text.as_bytes());
    event(2, next, &body)
}

fn table(next: u32, name: &str) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0];
    body.put_slice(b"\x03App\0");
    body.put_u8(u8::try_from(name.len()).unwrap());
    body.put_slice(name.as_bytes());
    body.put_slice(b"\0\x01\x03\0\x01");
    event(19, next, &body)
}

fn rows(next: u32) -> Vec<u8> {
    event(30, next, b"rows")
}

fn commit(next: u32) -> Vec<u8> {
    event(16, next, &[0; 8])
}

/// What MySQL says in front of a transaction.
fn announced(next: u32, committed_at: u64) -> Vec<u8> {
    let mut body = vec![1; 25];
    body.push(2);
    body.extend([0; 16]);
    body.extend(&committed_at.to_le_bytes()[..7]);
    event(34, next, &body)
}

/// The same of MariaDB.
fn of_mariadb(next: u32, is_alone: bool) -> Vec<u8> {
    event(162, next, &[&[1; 12][..], &[u8::from(is_alone)]].concat())
}

fn rotate(file: &str, position: u64) -> Vec<u8> {
    event(4, 0, &[&position.to_le_bytes()[..], file.as_bytes()].concat())
}

fn description(began: u32) -> Vec<u8> {
    let mut body = vec![4, 0];
    body.put_bytes(b'9', 50);
    body.put_u32_le(0);
    body.put_u8(19);
    let mut lens = [0_u8; 42];
    (lens[1], lens[17], lens[18]) = (13, 26, 8);
    body.put_slice(&lens);
    body.put_bytes(0, 5);
    let mut event = event(15, 0, &body);
    event[..4].copy_from_slice(&began.to_le_bytes());
    event
}

fn place(at: u32) -> Place {
    Place { file: Bytes::from_static(b"binlog.000007"), at: Some(at), began: 0 }
}

struct Stream {
    tracker: Tracker,
    catalog: Option<Catalog>,
}

impl Stream {
    fn new() -> Self {
        Self { tracker: Tracker::new(place(100)), catalog: None }
    }

    fn take(&mut self, event: &[u8]) -> Told {
        self.tracker.take((event, event.len()), self.catalog.as_ref()).unwrap()
    }

    /// The one change that these come to, with the last of them.
    fn changed(&mut self, events: &[Vec<u8>]) -> Change {
        let (last, before) = events.split_last().unwrap();
        before.iter().for_each(|event| assert_eq!(self.take(event), Told::Nothing));
        match self.take(last) {
            Told::Changed(change) => change,
            told => panic!("{told:?}"),
        }
    }

    fn at(&self) -> Option<u32> {
        self.tracker.place().at
    }
}

fn tables(names: &[&str]) -> Writes {
    Writes::Tables(names.iter().map(|name| TableName::qualified("app", name)).collect())
}

fn change(writes: Writes, defines: bool) -> Change {
    Change { writes, defines, at: Duration::from_secs(MADE.into()) }
}

#[test]
fn a_transaction_is_its_tables_and_counts_when_it_ends() {
    let mut stream = Stream::new();
    let at = u64::from(MADE) * 1_000_000 + 7;
    let whole =
        [announced(150, at), query(200, "BEGIN"), table(250, "Item"), rows(300), table(350, "a")];
    for event in &whole {
        assert_eq!((stream.take(event), stream.at()), (Told::Nothing, Some(100)));
    }
    let changed = stream.changed(&[rows(400), commit(431)]);
    assert_eq!(
        changed,
        Change { at: Duration::from_micros(at), ..change(tables(&["a", "item"]), false) }
    );
    assert_eq!(stream.at(), Some(431), "it goes on behind the end");
    // Of tables without transactions, and of MariaDB.
    let changed =
        stream.changed(&[query(500, "BEGIN"), table(550, "t"), rows(600), query(640, "COMMIT")]);
    assert_eq!(changed, change(tables(&["t"]), false));
    let changed =
        stream.changed(&[of_mariadb(700, false), table(750, "t"), rows(800), commit(830)]);
    assert_eq!((changed, stream.at()), (change(tables(&["t"]), false), Some(830)));
}

#[test]
fn definitions_count_at_once_unless_they_are_part_of_a_transaction() {
    let mut stream = Stream::new();
    let everything = || change(Writes::Everything, true);
    let ddl = "ALTER TABLE t ADD c INT";
    assert_eq!(stream.changed(&[of_mariadb(150, true), query(200, ddl)]), everything());
    assert_eq!(stream.changed(&[query(250, ddl)]), everything());
    assert_eq!(stream.changed(&[query(300, "GRANT ALL ON app.* TO app")]), everything());
    let filled = [query(350, "BEGIN"), query(400, "CREATE TABLE n (a INT) START TRANSACTION")];
    let changed =
        stream.changed(&[&filled[..], &[table(450, "n"), rows(500), commit(531)]].concat());
    assert_eq!((changed, stream.at()), (everything(), Some(531)));
}

#[test]
fn a_statement_in_words_is_what_it_writes() {
    let mut stream = Stream::new();
    let insert = || query(150, "INSERT INTO t VALUES (1)");
    assert_eq!(stream.changed(&[insert()]), change(Writes::Everything, false), "triggers");
    let mut catalog = CatalogBuilder::new();
    let known = ["app", "t", "BASE TABLE", "InnoDB"].map(Some);
    catalog.row(CatalogQuery::Tables, &known).unwrap();
    stream.catalog = Some(catalog.build());
    let written = |change: Change| (change.writes, change.defines);
    let t = || Writes::Tables(vec![TableName::bare("t")]);
    assert_eq!(written(stream.changed(&[insert()])), (t(), false));
    let block = [query(200, "BEGIN"), query(250, "SAVEPOINT `s`"), insert(), commit(300)];
    assert_eq!(written(stream.changed(&block)), (t(), false));
    let rolled_back = [query(350, "BEGIN"), insert(), query(400, "ROLLBACK")];
    assert_eq!(written(stream.changed(&rolled_back)), (t(), false), "not all tables can");
    assert_eq!(written(stream.changed(&[query(450, "TRUNCATE t")])), (t(), false));
    let own = query(460, "CREATE TEMPORARY TABLE own (a INT)");
    assert_eq!(written(stream.changed(&[own])), (Writes::None, false));
    let left = query(470, "DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `app`.`own`");
    assert_eq!(written(stream.changed(&[left])), (Writes::None, false));
    let unknown = query(500, "UPDATE elsewhere SET a = 1");
    assert_eq!(written(stream.changed(&[unknown])), (Writes::Everything, false));
    for unreadable in [query(550, "no such thing"), query(550, "'open")] {
        assert_eq!(written(stream.changed(&[unreadable])), (Writes::Everything, true));
    }
    let mut foreign = query(600, "INSERT INTO t VALUES ('?')");
    *foreign.last_mut().unwrap() = 0xff;
    assert_eq!(written(stream.changed(&[foreign])), (Writes::Everything, true));
}

#[test]
fn a_prepared_transaction_is_everything_once_it_is_committed() {
    let mut stream = Stream::new();
    let prepared = [
        query(150, "XA START X'78',X'',1"),
        table(200, "t"),
        rows(250),
        query(300, "XA END X'78',X'',1"),
        event(38, 350, &[0; 10]),
    ];
    assert_eq!(stream.changed(&prepared), change(tables(&["t"]), false));
    let committed = stream.changed(&[query(400, "XA COMMIT X'78',X'',1")]);
    assert_eq!(committed, change(Writes::Everything, false));
    let rolled_back = stream.changed(&[query(450, "XA ROLLBACK X'79',X'',1")]);
    assert_eq!(rolled_back, change(Writes::None, false));
}

#[test]
fn what_is_not_understood_is_everything() {
    let mut stream = Stream::new();
    assert_eq!(stream.changed(&[rows(150), commit(200)]), change(Writes::Everything, true));
    assert_eq!(stream.changed(&[event(26, 250, &[1, 0, 0])]), change(Writes::Everything, true));
    let within = [query(300, "BEGIN"), event(99, 350, b""), commit(400)];
    assert_eq!(stream.changed(&within), change(Writes::Everything, true));
    let garbage = [&[2, 1, 0, 0][..], b"no zstd"].concat();
    let packed = [announced(450, 0), event(40, 500, &garbage)];
    assert_eq!(stream.changed(&packed), change(Writes::Everything, true));
    assert_eq!(stream.at(), Some(500));
    assert_eq!(stream.take(&event(29, 550, b"its text")), Told::Nothing);
}

#[test]
fn a_transaction_in_one_event_is_one_change() {
    let mut stream = Stream::new();
    let inner = [query(0, "BEGIN"), table(0, "t"), rows(0), commit(0)].concat();
    let whole = event(40, 900, &[&[2, 3, 0xfc, 0xff, 0, 0][..], &inner].concat());
    let changed = stream.changed(&[announced(150, 1_000_000), whole]);
    assert_eq!(
        changed,
        Change { writes: tables(&["t"]), defines: false, at: Duration::from_secs(1) }
    );
    assert_eq!(stream.at(), Some(900));
}

#[test]
fn a_stream_goes_on_in_the_same_file_only() {
    let mut stream = Stream::new();
    assert_eq!(stream.take(&rotate("binlog.000007", 100)), Told::Nothing);
    assert_eq!(stream.take(&description(MADE)), Told::Nothing);
    assert_eq!(stream.take(&event(27, 100, b"binlog.000007")), Told::Idle);
    let left = stream.tracker.place().clone();
    assert_eq!(left, Place { began: MADE, ..place(100) });
    let go_on = |began| {
        let mut tracker = Tracker::new(left.clone());
        let [rotate, description] = [rotate("binlog.000007", 100), description(began)];
        tracker.take((&rotate, rotate.len()), None).unwrap();
        tracker.take((&description, description.len()), None)
    };
    assert_eq!(go_on(MADE), Ok(Told::Nothing));
    assert_eq!(go_on(MADE + 1), Err(Lost::Another));
    // The next file was begun nobody knows when, until it says so.
    assert_eq!(stream.take(&rotate("binlog.000008", 4)), Told::Nothing);
    let next = Place { file: Bytes::from_static(b"binlog.000008"), at: Some(4), began: 0 };
    assert_eq!(*stream.tracker.place(), next);
    assert_eq!(stream.take(&description(MADE + 5)), Told::Nothing);
    assert_eq!(stream.tracker.place().began, MADE + 5);
}

#[test]
fn beyond_4_gib_nobody_can_ask_for_a_place() {
    let mut stream = Stream::new();
    let end = |stream: &mut Stream, at| {
        stream.changed(&[query(0, "BEGIN"), table(0, "t"), rows(0), commit(at)]);
        stream.at()
    };
    assert_eq!(end(&mut stream, u32::MAX), Some(u32::MAX));
    assert_eq!(end(&mut stream, 77), None);
    assert_eq!(end(&mut stream, 99), None);
    stream.take(&rotate("binlog.000008", 4));
    assert_eq!(end(&mut stream, 200), Some(200));
}
