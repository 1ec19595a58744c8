//! One connection to the tier: its scripts as functions.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use cache::{Key, peers::SharedStamps};
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation, TlsCertificates,
    Value, aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;

use crate::{
    answers::{Message, accepted, bytes, pairs, read_messages, refusal, text},
    error::TierError,
    inbox::{Inbox, WAIT},
    names::{Names, slot_of_all},
    scripts::Scripts,
    settings::Settings,
};

/// Longest time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a script that a lease or a write depends on.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The tier, connected.
#[derive(Debug)]
pub(crate) struct Tier {
    client: Client,
    main: MultiplexedConnection,
    /// For what replicas must have: waiting for them holds up what comes behind.
    durable: MultiplexedConnection,
    scripts: Scripts,
    replicas: u32,
    pub(crate) names: Names,
    /// The server's process.
    pub(crate) run: String,
}

/// What a look found.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) schema: String,
    pub(crate) stamps: SharedStamps,
    /// An entry, if there is one.
    pub(crate) entry: Option<Vec<u8>>,
}

/// The same, where there may be none.
#[derive(Debug)]
pub(crate) enum Seen {
    Sight(Sight),
    Elsewhere,
    Written,
}

/// Who must answer a write.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) is_settled: bool,
    /// Somebody writes anything of the origin at this moment.
    pub(crate) is_all_written: bool,
    /// How often its schema has changed.
    pub(crate) schema: String,
    /// Each with how often it had renewed its lease.
    pub(crate) nodes: Vec<(String, String)>,
}

/// A write, as it is announced.
#[derive(Debug)]
pub(crate) struct Announced<'a> {
    pub(crate) write: &'a str,
    /// Its origin and its backend there, for who must know when it has ended if its node cannot tell.
    pub(crate) by: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) words: &'a str,
    pub(crate) slots: &'a [String],
}

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) key: Key,
    pub(crate) scope: &'a str,
    pub(crate) slots: &'a [String],
    pub(crate) max_age: Option<Duration>,
}

/// How long a node is waited for that asks the origin, in milliseconds.
const FLIGHT_MS: u64 = 3000;

impl Tier {
    /// Connects, and looks whether the server will do.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, TierError> {
        let client = client(settings)?;
        let main = open(&client, SCRIPT_TIMEOUT).await?;
        let durable = if settings.replicas == 0 {
            main.clone()
        } else {
            open(&client, SCRIPT_TIMEOUT * 2).await?
        };
        let (scripts, names) = (Scripts::new(), Names::new(&settings.namespace));
        let replicas = settings.replicas;
        let mut tier = Self { client, main, durable, scripts, replicas, names, run: String::new() };
        tier.run = run(&mut tier.main).await?;
        // Each connection by itself: between two of them another process may have taken the place of the first.
        if replicas > 0 && run(&mut tier.durable).await? != tier.run {
            return Err(TierError::Epoch);
        }
        Ok(tier)
    }

    /// Comes in as a new node. Returns the epoch and whether it is settled.
    pub(crate) async fn join(
        &self,
        node: &str,
        lease: Duration,
    ) -> Result<(String, bool), TierError> {
        let names = &self.names;
        let new: String = hex::encode(rand::random::<[u8; 8]>());
        let mut call = self.scripts.join.prepare_invoke();
        call.key(&names.state).key(&names.nodes);
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        call.arg(&self.run).arg(new).arg(node).arg(&names.inboxes).arg(lease);
        let answer = self.durably(&call).await?;
        let [epoch, settled] = &answer[..] else { return Err(TierError::Nonsense) };
        Ok((text(epoch)?, text(settled)? == "1"))
    }

    /// Renews the lease. Returns whether the epoch is settled, and what must be dealt with before the lease counts.
    pub(crate) async fn renew(
        &self,
        (epoch, node): (&str, &str),
        last: &str,
    ) -> Result<(bool, Vec<Message>), TierError> {
        let names = &self.names;
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(&names.state).key(&names.nodes).key(names.inbox(node));
        call.arg(epoch).arg(node).arg(last);
        let answer = self.durably(&call).await?;
        let [settled, messages] = &answer[..] else { return Err(TierError::Nonsense) };
        Ok((text(settled)? == "1", read_messages(messages)?))
    }

    /// Every lease of before the epoch is over.
    pub(crate) async fn settle(&self, epoch: &str) -> Result<(), TierError> {
        let mut call = self.scripts.settle.prepare_invoke();
        call.key(&self.names.state).arg(epoch);
        self.durably(&call).await.map(drop)
    }

    /// A node is gone if it has not renewed its lease since it had done so `count` times.
    pub(crate) async fn expel(&self, node: &str, count: Option<&str>) -> Result<(), TierError> {
        let mut call = self.scripts.expel.prepare_invoke();
        call.key(&self.names.nodes).key(self.names.inbox(node)).arg(node);
        if let Some(count) = count {
            call.arg(count);
        }
        self.call(&call).await.map(drop)
    }

    /// Looks for a reply.
    pub(crate) async fn look(
        &self,
        (epoch, node): (&str, &str),
        wanted: &Wanted<'_>,
    ) -> Result<Seen, TierError> {
        let names = &self.names;
        let mut call = self.scripts.look.prepare_invoke();
        call.key(&names.state).key(&names.nodes).key(&names.generations).key(&names.under_way);
        call.key(names.entry(wanted.key)).key(names.flight(wanted.key)).key(&names.schemas);
        let max_age =
            wanted.max_age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        call.arg(epoch).arg(node).arg(wanted.scope).arg(max_age).arg(FLIGHT_MS);
        for slot in wanted.slots {
            call.key(names.readers(slot)).arg(slot);
        }
        let mut connection = self.main.clone();
        let answer: Vec<Value> = call.invoke_async(&mut connection).await?;
        let Some((status, answer)) = answer.split_first() else { return Err(TierError::Nonsense) };
        match &*text(status)? {
            "elsewhere" => return Ok(Seen::Elsewhere),
            "written" | "unsettled" => return Ok(Seen::Written),
            "found" | "lead" => {}
            status => return Err(refusal(status)),
        }
        let [schema, at, stamps, entry @ ..] = answer else { return Err(TierError::Nonsense) };
        let at = u64::from_redis_value_ref(at).map_err(RedisError::from)?;
        let stamps = SharedStamps { stamps: text(stamps)?.into(), at };
        let entry = entry.first().map(bytes).transpose()?;
        Ok(Seen::Sight(Sight { schema: text(schema)?, stamps, entry }))
    }

    /// Puts an entry there, and ends the flight that it is of.
    pub(crate) async fn keep(
        &self,
        key: Key,
        entry: &[u8],
        life: Duration,
    ) -> Result<(), TierError> {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST_LIFE_MS);
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(self.names.entry(key)).arg(entry).arg("PX").arg(life).ignore();
        pipe.cmd("DEL").arg(self.names.flight(key)).ignore();
        let mut connection = self.main.clone();
        let () = pipe.query_async(&mut connection).await?;
        Ok(())
    }

    /// Ends a flight of which nothing came.
    pub(crate) async fn give_up(&self, key: Key) -> Result<(), TierError> {
        let mut connection = self.main.clone();
        let () = redis::cmd("DEL").arg(self.names.flight(key)).query_async(&mut connection).await?;
        Ok(())
    }

    /// Announces a write, or does so once more.
    pub(crate) async fn announce(
        &self,
        (epoch, node): (&str, &str),
        announced: &Announced<'_>,
    ) -> Result<Awaited, TierError> {
        let names = &self.names;
        let mut call = self.scripts.announce.prepare_invoke();
        call.key(&names.state).key(&names.nodes).key(&names.generations).key(&names.under_way);
        call.key(&names.open).key(names.unanswered(announced.write)).key(&names.schemas);
        call.arg(epoch).arg(node).arg(announced.write).arg(announced.words);
        call.arg(&names.inboxes).arg(announced.by);
        call.arg(announced.scope).arg(slot_of_all(announced.scope));
        for slot in announced.slots {
            call.key(names.readers(slot)).arg(slot);
        }
        let answer = self.durably(&call).await?;
        let [settled, all, schema, nodes @ ..] = &answer[..] else {
            return Err(TierError::Nonsense);
        };
        Ok(Awaited {
            is_settled: text(settled)? == "1",
            is_all_written: text(all)? == "1",
            schema: text(schema)?,
            nodes: pairs(nodes)?,
        })
    }

    /// What another node's write outdates is outdated here.
    pub(crate) async fn answer(
        &self,
        node: &str,
        write: &str,
        slots: &str,
    ) -> Result<(), TierError> {
        let names = &self.names;
        let mut call = self.scripts.answer.prepare_invoke();
        call.key(&names.nodes).key(&names.open).key(names.unanswered(write));
        call.arg(node).arg(write).arg(&names.inboxes);
        for (slot, generation) in slots.split(',').filter_map(|part| part.split_once('=')) {
            call.key(names.readers(slot)).arg(generation);
        }
        self.call(&call).await.map(drop)
    }

    /// A write has ended. False where it was not known.
    pub(crate) async fn end(&self, write: &str) -> Result<bool, TierError> {
        let names = &self.names;
        let mut call = self.scripts.end.prepare_invoke();
        call.key(&names.under_way).key(&names.open).key(names.unanswered(write)).arg(write);
        let answer = self.call(&call).await?;
        Ok(answer.first().is_some_and(|known| *known == Value::Int(1)))
    }

    /// The schema of an origin has changed.
    pub(crate) async fn schema_changed(&self, scope: &str) -> Result<(), TierError> {
        let mut connection = self.main.clone();
        let count = redis::cmd("HINCRBY").arg(&self.names.schemas).arg(scope).arg(1).to_owned();
        let _count: i64 = count.query_async(&mut connection).await?;
        Ok(())
    }

    /// Open writes whose node is gone, each with the origin and the backend that it was sent to; and with nothing those of
    /// `node` itself.
    pub(crate) async fn orphans(&self, node: &str) -> Result<Vec<(String, String)>, TierError> {
        let mut call = self.scripts.orphans.prepare_invoke();
        call.key(&self.names.open).key(&self.names.nodes).arg(node);
        pairs(&self.call(&call).await?)
    }

    /// The open writes of an origin that are of some of its tables.
    pub(crate) async fn open_of(&self, scope: &str) -> Result<HashSet<String>, TierError> {
        let mut connection = self.main.clone();
        let all: HashMap<String, String> =
            redis::cmd("HGETALL").arg(&self.names.open).query_async(&mut connection).await?;
        let everything = slot_of_all(scope);
        let is_of = |write: &str| {
            let mut parts = write.splitn(3, '|').skip(1);
            let (by, slots) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            by.split(' ').next() == Some(scope) && !slots.starts_with(&everything)
        };
        Ok(all.into_iter().filter(|(_, write)| is_of(write)).map(|(id, _)| id).collect())
    }

    /// The nodes, each with how often it has renewed its lease.
    pub(crate) async fn nodes(&self) -> Result<HashMap<String, String>, TierError> {
        let mut connection = self.main.clone();
        Ok(redis::cmd("HGETALL").arg(&self.names.nodes).query_async(&mut connection).await?)
    }

    /// A connection on which nothing else waits, to read an inbox by.
    pub(crate) async fn inbox(&self, node: &str) -> Result<Inbox, TierError> {
        let connection = open(&self.client, WAIT + SCRIPT_TIMEOUT).await?;
        Ok(Inbox::new(connection, self.names.inbox(node)))
    }

    async fn call(&self, call: &ScriptInvocation<'_>) -> Result<Vec<Value>, TierError> {
        let mut connection = self.main.clone();
        accepted(call.invoke_async(&mut connection).await?)
    }

    /// Calls a script, and waits until the replicas have what it did.
    async fn durably(&self, call: &ScriptInvocation<'_>) -> Result<Vec<Value>, TierError> {
        let mut connection = self.durable.clone();
        let answer = accepted(call.invoke_async(&mut connection).await?)?;
        if self.replicas > 0 {
            let timeout = u64::try_from(SCRIPT_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            let wait = redis::cmd("WAIT").arg(self.replicas).arg(timeout).to_owned();
            let have: u32 = wait.query_async(&mut connection).await?;
            if have < self.replicas {
                return Err(TierError::Replicas(have));
            }
        }
        Ok(answer)
    }
}

fn client(settings: &Settings) -> Result<Client, TierError> {
    let url = settings.url.expose_secret();
    Ok(match &settings.ca {
        None => Client::open(url)?,
        Some(ca) => {
            let tls = TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) };
            Client::build_with_tls(url, tls)?
        }
    })
}

async fn open(client: &Client, timeout: Duration) -> Result<MultiplexedConnection, TierError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(timeout));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// What tells the server's process, and its life as a primary, from all others; if it will do.
async fn run(connection: &mut MultiplexedConnection) -> Result<String, TierError> {
    let info: String = redis::cmd("INFO").query_async(connection).await?;
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    if field("role") == "slave" {
        return Err(TierError::Replica);
    }
    let policy = field("maxmemory_policy");
    if policy.starts_with("allkeys") {
        return Err(TierError::Evicts(policy));
    }
    let (run, life) = (field("run_id"), field("master_replid"));
    if run.is_empty() {
        return Err(TierError::Nonsense);
    }
    Ok(format!("{run} {life}"))
}

/// No entry outlives this: as in one process.
const LONGEST_LIFE_MS: u64 = 2 * 3600 * 1000;
