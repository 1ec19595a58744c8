//! Scripted sessions: a transcript plays clients and backends against real sessions, in memory and in virtual time.
//!
//! A line is who, an arrow, and messages between bars: `>` is what one says, `<` what one hears, each in its order.
//!
//! ```text
//!   C> Query select 1              client C says it; a client that is named for the first time logs in
//!   B1< Query select 1             the first backend that was opened hears it
//!   B1> Complete SELECT 1 | Ready I
//!   C< Complete SELECT 1 | Ready I
//!   C< nothing                     and nothing more, for as long as anybody has something to do
//!   B1> close                      hangs up; `B1< closed` hears that the other side did
//!   C> cancel                      a cancel request of the client's (PostgreSQL)
//!   K< B1                          a cancel request or KILL for the first backend has come
//!   K> done                        the oldest of these is answered
//!   Q< B1                          the origin is asked whether the first backend is there still; `Q> gone`, `Q> there`
//!   origin away                    hangs up on whoever dials, up to `origin back`; `origin mute` says nothing
//!   dials 3                        so many connections were dialled for since this was asked last
//!   begins TimeZone=Asia/Tokyo     what sessions begin with from now on, if they are logged in; `begins stored=x` is not told
//!   wait 5s                        time passes
//!   drain                          the process is asked to end
//! ```
//!
//! Words of the messages are the engines' own: see their `tests`. At the end everybody must have heard everything. A line
//! behind `#` is a comment. In names of prepared statements of ours the random part is `~`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    config::{Config, Dial, Engine, sample},
    context::Common,
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};

/// How long a line may take until somebody has heard what it says, in virtual time.
const PATIENCE: Duration = Duration::from_millis(100);

/// The words of an engine, and how its sessions begin.
pub trait Words: Sized + Send + Sync + 'static {
    /// Whose words these are.
    const ENGINE: Engine;

    /// The engine's own context of a proxy with this config.
    fn new(config: &Config, common: Arc<Common>) -> Self;

    /// Serves a client from its login to its end.
    fn serve(
        self: Arc<Self>,
        name: String,
        stream: DuplexStream,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// Asks for the end of what a client runs, on a connection of its own.
    fn cancel(self: Arc<Self>, name: String) -> impl Future<Output = ()> + Send + 'static;

    /// Plays the database up to the end of a login. Backends take the next number.
    fn accept(
        end: DuplexStream,
        numbers: &AtomicU32,
        beginning: Beginning,
    ) -> impl Future<Output = Arrival> + Send;

    /// The bytes of a message.
    fn say(from: Side, message: &str, out: &mut BytesMut);

    /// Takes a message that was sent to this side, if all of it is there.
    fn hear(by: Side, input: &mut BytesMut) -> Option<String>;
}

/// What sessions begin with, by name.
pub type Beginning = BTreeMap<String, String>;

/// Which side of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// The database's.
    Backend,
}

/// What a connection to the origin turned out to be.
#[derive(Debug)]
pub enum Arrival {
    /// One that serves clients, with its number.
    Backend(u32, DuplexStream),
    /// One that ends what this backend runs.
    Kill(u32, DuplexStream),
    /// One that asks whether this backend is there.
    Question(u32, DuplexStream),
    /// Neither.
    Other,
}

/// How the origin receives whoever dials.
const THERE: u8 = 0;
const AWAY: u8 = 1;
const MUTE: u8 = 2;

/// One end of a connection, as the script plays it.
#[derive(Debug)]
struct End {
    side: Side,
    stream: Option<DuplexStream>,
    input: BytesMut,
    heard_end: bool,
}

/// Everybody in a transcript.
#[derive(Debug)]
pub struct Stage<W> {
    /// The engine's part of the proxy.
    pub engine: Arc<W>,
    shutdown: Shutdown,
    clients: BTreeMap<String, End>,
    backends: BTreeMap<u32, End>,
    arrivals: mpsc::Receiver<Arrival>,
    /// What has come and is to be answered, by `K` and `Q`.
    asked: BTreeMap<&'static str, VecDeque<(u32, DuplexStream)>>,
    dials: Arc<AtomicU32>,
    reception: Arc<AtomicU8>,
    beginning: Arc<Mutex<Beginning>>,
    muted: Arc<Mutex<Vec<DuplexStream>>>,
    tasks: JoinSet<()>,
}

/// Plays a transcript before an origin that caches nothing, with these lines of `[database.pool]`.
pub async fn play<W: Words>(pool: &str, transcript: &str) {
    Stage::<W>::open(pool, "disabled = true").play(transcript).await;
}

impl<W: Words> Stage<W> {
    /// A proxy with one config, `app`, and these lines of `[database.pool]` and `[database.caching]`.
    pub fn open(pool: &str, caching: &str) -> Self {
        let (dialled, peers) = mpsc::channel(64);
        let config = config(W::ENGINE, pool, caching, dialled);
        let (shutdown, metrics) = (Shutdown::new(), Arc::new(Metrics::new()));
        let common = Common::new(&config, metrics, &shutdown);
        let engine = Arc::new(W::new(&config, common));
        let (dials, reception) = (Arc::<AtomicU32>::default(), Arc::<AtomicU8>::default());
        let muted = Arc::<Mutex<Vec<DuplexStream>>>::default();
        let beginning = Arc::<Mutex<Beginning>>::default();
        let (arrived, arrivals) = mpsc::channel(64);
        let mut tasks = JoinSet::new();
        let door = Door {
            peers,
            arrived,
            dials: Arc::clone(&dials),
            reception: Arc::clone(&reception),
            beginning: Arc::clone(&beginning),
            muted: Arc::clone(&muted),
        };
        tasks.spawn(door.receive::<W>());
        Self {
            engine,
            shutdown,
            clients: BTreeMap::new(),
            backends: BTreeMap::new(),
            arrivals,
            asked: BTreeMap::new(),
            dials,
            reception,
            beginning,
            muted,
            tasks,
        }
    }

    /// Plays the lines of a transcript, which must be met to the letter.
    pub async fn play(&mut self, transcript: &str) {
        for (number, line) in transcript.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(problem) = self.line(line).await {
                panic!("line {}: {line}\n    {problem}\n{transcript}", number + 1);
            }
        }
        let mut ends = self.clients.values_mut().map(|end| ("a client", end)).collect::<Vec<_>>();
        ends.extend(self.backends.values_mut().map(|end| ("a backend", end)));
        for (who, end) in ends {
            if let Ok(message) = end.next::<W>().await {
                assert_eq!(message, "closed", "{who} has not heard all\n{transcript}");
            }
        }
    }

    async fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some((who, said)) = line.split_once("> ") {
            return self.say(who, said).await;
        }
        if let Some((who, heard)) = line.split_once("< ") {
            return self.hear(who, heard).await;
        }
        match line.split_once(' ').unwrap_or((line, "")) {
            ("wait", time) => sleep(duration(time)).await,
            ("begins", pair) => {
                let (name, value) = pair.split_once('=').ok_or("is no name=value")?;
                self.beginning.lock().insert(name.to_owned(), value.to_owned());
            }
            ("drain", _) => self.shutdown.drain().give(),
            ("origin", "away") => self.reception.store(AWAY, Ordering::SeqCst),
            ("origin", "mute") => self.reception.store(MUTE, Ordering::SeqCst),
            ("origin", "back") => {
                self.muted.lock().clear();
                self.reception.store(THERE, Ordering::SeqCst);
            }
            ("dials", count) => {
                let dialled = self.dials.swap(0, Ordering::SeqCst);
                if dialled.to_string() != count {
                    return Err(format!("{dialled}"));
                }
            }
            _ => return Err(String::from("is not understood")),
        }
        Ok(())
    }

    async fn say(&mut self, who: &str, said: &str) -> Result<(), String> {
        if let Some(asked) = self.asked.get_mut(who) {
            let (_number, mut stream) = asked.pop_front().ok_or("nothing is to be answered")?;
            let mut out = BytesMut::new();
            W::say(Side::Backend, said, &mut out);
            stream.write_all(&out).await.map_err(|error| error.to_string())?;
            return Ok(());
        }
        if said == "cancel" {
            let engine = Arc::clone(&self.engine);
            self.tasks.spawn(engine.cancel(who.to_owned()));
            return Ok(());
        }
        let end = self.end(who).await?;
        let mut out = BytesMut::new();
        let mut closes = false;
        for message in said.split(" | ") {
            closes |= message == "close";
            if message != "close" {
                W::say(end.side, message, &mut out);
            }
        }
        let stream = end.stream.as_mut().ok_or("it has closed")?;
        stream.write_all(&out).await.map_err(|error| error.to_string())?;
        if closes {
            end.stream = None;
            end.heard_end = true;
        }
        Ok(())
    }

    async fn hear(&mut self, who: &str, heard: &str) -> Result<(), String> {
        if matches!(who, "K" | "Q") {
            let last = |stage: &Self| stage.asked.get(who)?.back().map(|(number, _)| *number);
            self.arrive(|stage| last(stage).is_some()).await;
            return match last(self).map_or(String::from("nothing"), |number| format!("B{number}")) {
                is if is == heard => Ok(()),
                is => Err(is),
            };
        }
        if heard == "nothing" && !self.knows(who) {
            // Nobody was to come.
            self.arrive(|_stage| false).await;
            return if self.knows(who) { Err(String::from("it is there")) } else { Ok(()) };
        }
        let end = self.end(who).await?;
        for expected in heard.split(" | ") {
            let message = match end.next::<W>().await {
                Ok(message) => message,
                Err(nothing) => nothing,
            };
            if message != expected {
                return Err(message);
            }
        }
        Ok(())
    }

    fn knows(&self, who: &str) -> bool {
        match who.strip_prefix('B').and_then(|number| number.parse().ok()) {
            Some(number) => self.backends.contains_key(&number),
            None => self.clients.contains_key(who),
        }
    }

    /// The end of this name. A client logs in, a backend is waited for.
    async fn end(&mut self, who: &str) -> Result<&mut End, String> {
        if let Some(number) = who.strip_prefix('B').and_then(|number| number.parse().ok()) {
            self.arrive(|stage| stage.backends.contains_key(&number)).await;
            return self.backends.get_mut(&number).ok_or_else(|| String::from("nobody dialled"));
        }
        if !self.clients.contains_key(who) {
            let (near, far) = tokio::io::duplex(1 << 20);
            self.tasks.spawn(Arc::clone(&self.engine).serve(who.to_owned(), near));
            self.clients.insert(who.to_owned(), End::new(Side::Client, far));
        }
        self.clients.get_mut(who).ok_or_else(|| String::from("is nobody"))
    }

    /// Takes in who comes, until that is enough or nobody comes.
    async fn arrive(&mut self, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let Ok(Some(arrival)) = timeout(PATIENCE, self.arrivals.recv()).await else { return };
            let (who, number, stream) = match arrival {
                Arrival::Backend(number, stream) => {
                    self.backends.insert(number, End::new(Side::Backend, stream));
                    continue;
                }
                Arrival::Kill(number, stream) => ("K", number, stream),
                Arrival::Question(number, stream) => ("Q", number, stream),
                Arrival::Other => continue,
            };
            self.asked.entry(who).or_default().push_back((number, stream));
        }
    }
}

impl End {
    fn new(side: Side, stream: DuplexStream) -> Self {
        Self { side, stream: Some(stream), input: BytesMut::new(), heard_end: false }
    }

    /// The next message, or `closed`; `nothing` is the error.
    async fn next<W: Words>(&mut self) -> Result<String, String> {
        loop {
            if let Some(message) = W::hear(self.side, &mut self.input) {
                return Ok(message);
            }
            let Some(stream) = self.stream.as_mut().filter(|_| !self.heard_end) else {
                return Err(String::from("nothing"));
            };
            match timeout(PATIENCE, stream.read_buf(&mut self.input)).await {
                Ok(Ok(0) | Err(_)) => {
                    self.heard_end = true;
                    return Ok(String::from("closed"));
                }
                Ok(Ok(_)) => {}
                Err(_elapsed) => return Err(String::from("nothing")),
            }
        }
    }
}

/// Where the connections of the proxy arrive.
struct Door {
    peers: mpsc::Receiver<DuplexStream>,
    arrived: mpsc::Sender<Arrival>,
    dials: Arc<AtomicU32>,
    reception: Arc<AtomicU8>,
    beginning: Arc<Mutex<Beginning>>,
    muted: Arc<Mutex<Vec<DuplexStream>>>,
}

impl Door {
    async fn receive<W: Words>(mut self) {
        let (mut logins, numbers) = (JoinSet::new(), Arc::new(AtomicU32::new(1)));
        loop {
            tokio::select! {
                Some(ended) = logins.join_next() => {
                    if ended.is_err() {
                        return;
                    }
                }
                peer = self.peers.recv() => {
                    let Some(peer) = peer else { return };
                    self.dials.fetch_add(1, Ordering::SeqCst);
                    match self.reception.load(Ordering::SeqCst) {
                        AWAY => continue,
                        MUTE => {
                            self.muted.lock().push(peer);
                            continue;
                        }
                        _ => {}
                    }
                    let (arrived, numbers) = (self.arrived.clone(), Arc::clone(&numbers));
                    let beginning = self.beginning.lock().clone();
                    logins.spawn(async move {
                        drop(arrived.send(W::accept(peer, &numbers, beginning).await).await);
                    });
                }
            }
        }
    }
}

fn config(
    engine: Engine,
    pool: &str,
    caching: &str,
    dialled: mpsc::Sender<DuplexStream>,
) -> Config {
    let salts = Salts::random();
    let mut database = sample::database(engine, "app");
    database.users = vec![sample::user(engine, "u", "p", &salts)];
    database.origin.database = String::from("app");
    database.origin.dial = Dial::Peer(dialled);
    database.pool = sample::pool(pool);
    database.caching = sample::caching(caching);
    sample::config(&salts, [database])
}

/// A time such as `5s` or `100ms`.
pub fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().unwrap()),
        None => Duration::from_secs(text.trim_end_matches('s').parse().unwrap()),
    }
}
