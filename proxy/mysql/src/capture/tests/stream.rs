//! A capture at a scripted server.

use std::{sync::Arc, time::Duration};

use ::origin::config::Dial;
use bytes::BytesMut;
use cache::{
    Cache, CacheLimits, Freshness, Key, KeyBuilder, Lookup, Reply,
    sql::{TableName, mysql::Classifier},
};
use protocol::mysql::{
    auth,
    capabilities::{CapabilityFlags, ColumnType, MariaDbFlags, StatusFlags},
    handshake::Greeting,
    reply::{ColumnDef, ErrPacket, OkPacket, encode_column_count, encode_text_row},
};
use serving::{
    config::{CaptureConfig, DatabaseConfig, Engine, Fingerprint, sample},
    known::Part,
    observe::Metrics,
};
use tokio::{
    io::DuplexStream,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::{MADE, announced, commit, description, event, query, rotate, rows, table};
use crate::{
    capture,
    catalog::{CatalogError, Origins},
    learnt::Learnt,
    tests::peer::Peer,
};

const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

const FILE: &str = "binlog.000007";

/// A proxy that captures, of which the cache alone is seen, and the server.
struct Stage {
    cache: Cache,
    part: Part<Classifier, Learnt>,
    peers: mpsc::Receiver<DuplexStream>,
    /// When the server began to run.
    booted_at: Instant,
}

impl Stage {
    fn new() -> Self {
        let cache = Cache::new(CacheLimits {
            capacity_bytes: 1 << 20,
            collecting_bytes: 1 << 20,
            max_entry_bytes: 1 << 10,
        });
        let (dial, peers) = mpsc::channel(4);
        let mut config = sample::database(Engine::MySql, "a");
        config.origin.dial = Dial::Peer(dial);
        config.capture = Some(CaptureConfig::usual(config.origin.clone(), Fingerprint::unique()));
        let origins = Origins::new(cache.clone(), TaskTracker::new());
        let nothing = |_config, _learnt| std::future::pending::<Result<_, CatalogError>>();
        let mut part = origins.join(&Arc::new(config), nothing);
        let cell = part.cell();
        let metrics = Metrics::new().database("a", "1");
        origins.capture(&mut part, &metrics, move |config: Arc<DatabaseConfig>, feed| {
            capture::run(config, feed, cell.clone())
        });
        Self { cache, part, peers, booted_at: Instant::now() }
    }

    /// What a read of a table finds; a miss keeps its reply.
    fn read(&self, table: &str) -> &'static str {
        let fresh = Freshness {
            max_age: Duration::from_secs(86_400),
            stale_while_revalidate: Duration::ZERO,
            born_by: None,
        };
        match self.cache.lookup(key(table), self.part.scope(), &[TableName::bare(table)], fresh) {
            Lookup::Hit(_) => "hit",
            Lookup::Lead(fill) => {
                assert!(fill.commit(Reply::default()));
                "miss"
            }
            Lookup::Written => "uncached",
            other => panic!("{other:?}"),
        }
    }

    async fn becomes(&self, found: &str, table: &str) {
        let becomes = async {
            while self.read(table) != found {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), becomes).await.expect("it is so at last");
    }

    /// The next connection, which has asked for what comes from here on.
    async fn source(&mut self, server: (&str, &str), from: &[u8]) -> Source {
        let mut source = self.opened(server).await;
        assert_eq!(source.0.hears().await.first(), Some(&0x15), "it is registered");
        source.says_ok().await;
        let asked = source.0.hears().await;
        let (command, file) = (asked.first(), &asked[11..]);
        assert_eq!((command, &asked[1..5], file), (Some(&0x12), from, FILE.as_bytes()));
        source
    }

    /// The next connection, which has asked what it must know: the server's identity, and where its log ends.
    async fn opened(&mut self, (uuid, end): (&str, &str)) -> Source {
        let stream = timeout(Duration::from_secs(60), self.peers.recv()).await;
        let mut peer = Peer::new(stream.expect("it dials").unwrap());
        let greeting = Greeting {
            version: "9.7.0".into(),
            thread_id: 7,
            scramble: *b"0123456789abcdefghij",
            capabilities: CAPABILITIES,
            extended: MariaDbFlags::empty(),
            collation: 255,
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            plugin: auth::NATIVE.into(),
        };
        let mut payload = BytesMut::new();
        greeting.encode(&mut payload);
        peer.says(&payload).await;
        peer.hears().await;
        let mut source = Source(peer);
        source.says_ok().await;
        let clock = (u64::from(MADE) * 1_000_000).to_string();
        source.is_asked(&[]).await;
        source.is_asked(&[&[&clock]]).await;
        let uptime = self.booted_at.elapsed().as_secs().to_string();
        source.is_asked(&[&["Uptime", &uptime]]).await;
        source.is_asked(&[&["server_uuid", uuid]]).await;
        source.is_asked(&[&[FILE, end, "", ""]]).await;
        source
    }
}

fn key(table: &str) -> Key {
    KeyBuilder::new("a").field("table", table.as_bytes()).finish()
}

struct Source(Peer);

impl Source {
    async fn says_ok(&mut self) {
        let mut payload = BytesMut::new();
        OkPacket::default().encode(0, CAPABILITIES, &mut payload);
        self.0.says(&payload).await;
        self.0.sequence = 0;
    }

    /// Hears a question and answers with these rows; with OK where there are none.
    async fn is_asked(&mut self, rows: &[&[&str]]) {
        self.0.hears().await;
        let Some(columns) = rows.first().map(|row| row.len()) else {
            self.says_ok().await;
            return;
        };
        let said = |encode: &dyn Fn(&mut BytesMut)| {
            let mut payload = BytesMut::new();
            encode(&mut payload);
            payload
        };
        let count = u32::try_from(columns).unwrap();
        self.0.says(&said(&|out| encode_column_count(count, out))).await;
        for _column in 0..columns {
            let column = ColumnDef::computed(b"c", ColumnType::MYSQL_TYPE_VAR_STRING, 45, 9);
            self.0.says(&said(&|out| column.encode(out))).await;
        }
        for row in rows {
            let row = said(&|out| encode_text_row(row.iter().map(|it| Some(it.as_bytes())), out));
            self.0.says(&row).await;
        }
        self.0.says(&said(&|out| OkPacket::default().encode_rows_end(CAPABILITIES, out))).await;
        self.0.sequence = 0;
    }

    async fn says(&mut self, events: &[Vec<u8>]) {
        for event in events {
            self.0.says(&[&[0], &event[..]].concat()).await;
        }
    }

    async fn begins(&mut self, at: u64, began: u32) {
        self.says(&[rotate(FILE, at), description(began)]).await;
    }

    async fn refuses(&mut self, code: u16) {
        let mut payload = BytesMut::new();
        ErrPacket { code, sqlstate: b"HY000", message: b"no" }.encode(&mut payload);
        self.0.says(&payload).await;
    }
}

/// Where 4 is the beginning of a file, and what a transaction on `t` ends with.
fn transaction(end: u32) -> Vec<Vec<u8>> {
    let at = u64::from(MADE) * 1_000_000;
    [announced(0, at), query(0, "BEGIN"), table(0, "t"), rows(0), commit(end)].into()
}

fn heartbeat() -> Vec<u8> {
    event(27, 0, FILE.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_where_it_was_left_and_what_was_kept_is_good_again() {
    let mut stage = Stage::new();
    let mut source = stage.source(("one", "100"), &[100, 0, 0, 0]).await;
    assert_eq!(stage.read("t"), "uncached", "it has not begun");
    source.begins(100, MADE).await;
    stage.becomes("miss", "t").await;
    // What was committed shortly before it began may not have been seen.
    sleep(Duration::from_millis(600)).await;
    assert_eq!((stage.read("t"), stage.read("u")), ("miss", "miss"));
    source.says(&transaction(431)).await;
    stage.becomes("miss", "t").await;
    sleep(Duration::from_millis(650)).await;
    assert_eq!((stage.read("t"), stage.read("u")), ("miss", "hit"), "once more, as all see it");
    assert_eq!(stage.read("t"), "hit");
    // A transaction that is not heard to its end is told anew.
    source.says(&transaction(500)[..4]).await;
    drop(source);
    stage.becomes("uncached", "u").await;
    let mut source = stage.source(("one", "900"), &[0xaf, 1, 0, 0]).await;
    source.begins(431, MADE).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(stage.read("u"), "uncached", "nobody knows what comes");
    source.says(&transaction(500)).await;
    source.says(&[heartbeat()]).await;
    stage.becomes("hit", "u").await;
    assert_eq!(stage.read("t"), "miss");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_late_and_then_lost() {
    let mut stage = Stage::new();
    let mut source = stage.source(("one", "100"), &[100, 0, 0, 0]).await;
    source.begins(100, MADE).await;
    stage.becomes("miss", "t").await;
    for _second in 0..20 {
        sleep(Duration::from_secs(1)).await;
        source.says(&[heartbeat()]).await;
    }
    stage.becomes("hit", "t").await;
    let _silent = source;
    stage.becomes("uncached", "t").await;
    let mut source = stage.source(("one", "100"), &[100, 0, 0, 0]).await;
    source.begins(100, MADE).await;
    source.says(&[heartbeat()]).await;
    stage.becomes("hit", "t").await;
}

#[tokio::test(start_paused = true)]
async fn where_a_stream_cannot_go_on_all_is_read_anew() {
    for (uuid, began, error, restarts) in [
        ("one", MADE, Some(1236), false),
        ("two", MADE, None, false),
        ("one", MADE, None, true),
        ("one", MADE + 1, None, false),
    ] {
        let mut stage = Stage::new();
        let mut source = stage.source(("one", "100"), &[100, 0, 0, 0]).await;
        source.begins(100, MADE).await;
        stage.becomes("miss", "t").await;
        sleep(Duration::from_millis(600)).await;
        assert_eq!((stage.read("t"), stage.read("t")), ("miss", "hit"));
        sleep(Duration::from_secs(3)).await;
        source.says(&[heartbeat()]).await;
        if restarts {
            stage.booted_at = Instant::now();
        }
        drop(source);
        if uuid == "one" && !restarts {
            let mut source = stage.source((uuid, "900"), &[100, 0, 0, 0]).await;
            match error {
                Some(code) => source.refuses(code).await,
                None => source.begins(100, began).await,
            }
            sleep(Duration::from_millis(10)).await;
        } else {
            // It asks nothing of the other.
            stage.opened((uuid, "200")).await.0.hears_the_end().await;
        }
        let mut source = stage.source((uuid, "200"), &[200, 0, 0, 0]).await;
        assert_eq!(stage.read("t"), "uncached");
        source.begins(200, began).await;
        stage.becomes("miss", "t").await;
    }
}
