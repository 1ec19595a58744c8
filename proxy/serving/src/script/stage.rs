//! Everybody in a transcript, and the playing of its lines.

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
    io::{AsyncWriteExt as _, DuplexStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    door::{AWAY, Door, MUTE, THERE},
    end::{End, PATIENCE},
    words::{Arrival, Beginning, Side, Words},
};
use crate::{
    config::{Config, Dial, Engine, sample},
    context::Common,
    observe::Metrics,
    salts::Salts,
    shutdown::Shutdown,
};

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

impl<W: Words> Stage<W> {
    /// A proxy with one config, `app`, and these lines of `[database.pool]`, with those of `[database.round_trips]` as
    /// `round_trips.begin = false`, and of `[database.caching]`.
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

/// Plays a transcript before an origin that caches nothing, with these lines of `[database.pool]`.
pub async fn play<W: Words>(pool: &str, transcript: &str) {
    Stage::<W>::open(pool, "disabled = true").play(transcript).await;
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
    database.round_trips = sample::round_trips(pool);
    database.caching = Arc::new(sample::caching(caching));
    sample::config(&salts, [database])
}

/// A time such as `5s` or `100ms`.
pub fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().unwrap()),
        None => Duration::from_secs(text.trim_end_matches('s').parse().unwrap()),
    }
}
