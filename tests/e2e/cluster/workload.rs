//! Clients that write and read registers through any of the proxies, and remember what they saw.
//!
//! Registers are rows of some tables, and pairs of rows of two tables that one transaction writes: their sum is always the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use e2e::{
    history::{Act, Operation},
    jumpgate::{CLIENT_PASSWORD, Engine},
    wire::Endpoint,
};
use parking_lot::{Mutex, RwLock};
use tokio::time::{Instant, timeout};

use super::session::Session;
use crate::random_scripts::shape::Random;

/// Tables of registers.
const TABLES: usize = 4;
/// Registers of each, and pairs.
const ROWS: usize = 8;
/// What the two numbers of a pair add up to.
const SUM: i64 = 1_000_000_000;
/// An operation that takes longer is given up, and its connection with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all clients share.
pub(crate) struct Registers {
    engine: Engine,
    began: Instant,
    /// What clients connect to, of each proxy.
    pub(crate) endpoints: RwLock<Vec<Endpoint>>,
    /// What was last written to each, or may have been; held while it is.
    written: Vec<tokio::sync::Mutex<u64>>,
    pub(crate) seen: Mutex<Vec<Operation>>,
    /// What must not be: half a transaction, or somebody else's rows.
    pub(crate) wrong: Mutex<Vec<String>>,
    pub(crate) is_over: AtomicBool,
    pub(crate) counts: Counts,
}

/// That things happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) failed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) private: AtomicU64,
}

/// The statements that make the tables, for whom they belong to.
pub(crate) fn tables() -> Vec<String> {
    let mut texts = Vec::new();
    for table in 0..TABLES {
        texts.push(format!("CREATE TABLE reg_{table} (id int PRIMARY KEY, version bigint)"));
        for row in 0..ROWS {
            texts.push(format!("INSERT INTO reg_{table} VALUES ({row}, 0)"));
        }
    }
    for (side, first) in [("pair_left", 0), ("pair_right", SUM)] {
        let columns = "(id int PRIMARY KEY, n bigint, version bigint)";
        texts.push(format!("CREATE TABLE {side} {columns}"));
        for row in 0..ROWS {
            texts.push(format!("INSERT INTO {side} VALUES ({row}, {first}, 0)"));
        }
    }
    texts.push(String::from("CREATE TABLE private (n bigint)"));
    texts.push(String::from("INSERT INTO private VALUES (1)"));
    texts
}

/// What only the owner of the tables may read.
const PRIVATE: &str = "SELECT n FROM private WHERE n > 0";

impl Registers {
    pub(crate) fn new(engine: Engine, endpoints: Vec<Endpoint>) -> Arc<Self> {
        let written = (0..(TABLES + 1) * ROWS).map(|_| tokio::sync::Mutex::new(0)).collect();
        Arc::new(Self {
            engine,
            began: Instant::now(),
            endpoints: RwLock::new(endpoints),
            written,
            seen: Mutex::default(),
            wrong: Mutex::default(),
            is_over: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    /// One client, until it is over.
    pub(crate) async fn client(self: Arc<Self>, number: u16, seed: u64) {
        let mut client = Client {
            random: Random::of(seed),
            number,
            node: 0,
            session: None,
            seen: Vec::new(),
            registers: self,
        };
        while !client.registers.is_over.load(Ordering::Relaxed) {
            let done = timeout(PATIENCE, client.turn()).await;
            if !matches!(done, Ok(Ok(()))) {
                client.registers.counts.failed.fetch_add(1, Ordering::Relaxed);
                client.session = None;
                // Who is refused at once would ask as fast as it can.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        client.registers.seen.lock().append(&mut client.seen);
    }

    /// One client that has no right to what the others read, until it is over.
    pub(crate) async fn stranger(self: Arc<Self>, seed: u64) {
        let mut random = Random::of(seed);
        while !self.is_over.load(Ordering::Relaxed) {
            let endpoint = {
                let endpoints = self.endpoints.read();
                endpoints[random.below(endpoints.len())].clone()
            };
            let endpoint = endpoint.with_database("second").with_user("app", CLIENT_PASSWORD);
            let asked = async {
                let mut session = Session::open(self.engine, &endpoint).await.ok()?;
                let public = session.ask("SELECT version FROM reg_0 WHERE id = 0").await;
                Some((public.is_ok(), session.ask(PRIVATE).await.ok()))
            };
            match timeout(PATIENCE, asked).await {
                Ok(Some((_, Some(rows)))) => {
                    self.wrong.lock().push(format!("a stranger was shown {rows:?}"));
                }
                Ok(Some((true, None))) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

struct Client {
    random: Random,
    number: u16,
    node: usize,
    session: Option<Session>,
    seen: Vec<Operation>,
    registers: Arc<Registers>,
}

impl Client {
    /// One thing, with a connection that is made anew now and then.
    async fn turn(&mut self) -> Result<()> {
        if self.session.is_none() || self.random.below(100) == 0 {
            let endpoint = {
                let endpoints = self.registers.endpoints.read();
                self.node = self.random.below(endpoints.len());
                endpoints[self.node].clone()
            };
            self.session = None;
            self.session = Some(Session::open(self.registers.engine, &endpoint).await?);
        }
        let (table, row) = (self.random.below(TABLES), self.random.below(ROWS));
        match self.random.below(100) {
            0..62 => self.read(table, row).await,
            62..76 => self.join(row).await,
            76..86 => self.side(row).await,
            86..92 => self.write(table, row).await,
            92..96 => self.write_pair(row).await,
            _ => {
                self.session()?.ask(PRIVATE).await?;
                self.registers.counts.private.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn session(&mut self) -> Result<&mut Session> {
        self.session.as_mut().context("a connection")
    }

    fn saw(&mut self, (act, begin): (Act, u64), register: usize, version: i64) -> Result<()> {
        let end = self.registers.now();
        let node = u8::try_from(self.node)?;
        let (register, version) = (u32::try_from(register)?, u64::try_from(version)?);
        self.seen.push(Operation { client: self.number, node, act, register, version, begin, end });
        Ok(())
    }

    /// The one row of a read, by text or prepared.
    async fn row(&mut self, sql: &str, row: usize) -> Result<Vec<i64>> {
        let id = i32::try_from(row)?;
        let is_prepared = self.random.below(3) == 0;
        let session = self.session()?;
        let rows = if is_prepared {
            session.ask_prepared(sql, id).await?
        } else {
            session.ask(&sql.replace('?', &id.to_string())).await?
        };
        rows.into_iter().next().context("a row")
    }

    async fn read(&mut self, table: usize, row: usize) -> Result<()> {
        let begin = self.registers.now();
        let sql = format!("SELECT version FROM reg_{table} WHERE id = ?");
        let [version] = self.row(&sql, row).await?[..] else { anyhow::bail!("one column") };
        self.saw((Act::Read, begin), table * ROWS + row, version)
    }

    async fn side(&mut self, row: usize) -> Result<()> {
        let side = self.random.one(&["pair_left", "pair_right"]);
        let begin = self.registers.now();
        let sql = format!("SELECT version FROM {side} WHERE id = ?");
        let [version] = self.row(&sql, row).await?[..] else { anyhow::bail!("one column") };
        self.saw((Act::Read, begin), TABLES * ROWS + row, version)
    }

    async fn join(&mut self, row: usize) -> Result<()> {
        let begin = self.registers.now();
        let sql = "SELECT l.n, r.n, l.version, r.version FROM pair_left l JOIN pair_right r ON r.id = l.id \
                   WHERE l.id = ?";
        let seen = self.row(sql, row).await?;
        let [left, right, version, other] = seen[..] else { anyhow::bail!("four columns") };
        if left + right != SUM || version != other || left != version {
            let text = format!("half a transaction through node {}: {seen:?}", self.node);
            self.registers.wrong.lock().push(text);
        }
        self.saw((Act::Join, begin), TABLES * ROWS + row, version)
    }

    /// The next number, unless somebody is just writing it. What was sent long ago and comes late changes nothing any more.
    async fn write(&mut self, table: usize, row: usize) -> Result<()> {
        let registers = Arc::clone(&self.registers);
        let register = table * ROWS + row;
        let Ok(mut last) = registers.written[register].try_lock() else { return Ok(()) };
        *last += 1;
        let next = *last;
        let begin = registers.now();
        self.session()?
            .ask(&format!(
                "UPDATE reg_{table} SET version = {next} WHERE id = {row} AND version < {next}"
            ))
            .await?;
        self.saw((Act::Write, begin), register, i64::try_from(next)?)
    }

    async fn write_pair(&mut self, row: usize) -> Result<()> {
        let registers = Arc::clone(&self.registers);
        let register = TABLES * ROWS + row;
        let Ok(mut last) = registers.written[register].try_lock() else { return Ok(()) };
        *last += 1;
        let next = i64::try_from(*last)?;
        ensure!(next < SUM, "the numbers of a pair are used up");
        let begin = registers.now();
        // Whatever goes wrong in between, the connection is closed, and nothing was done.
        let session = self.session()?;
        session.ask("BEGIN").await?;
        for (side, n) in [("pair_left", next), ("pair_right", SUM - next)] {
            let set =
                format!("SET n = {n}, version = {next} WHERE id = {row} AND version < {next}");
            session.ask(&format!("UPDATE {side} {set}")).await?;
        }
        session.ask("COMMIT").await?;
        self.saw((Act::Write, begin), register, next)
    }
}
