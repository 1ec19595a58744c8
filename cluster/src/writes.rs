//! Writes that are announced: from before they are sent until their end is known to the tier.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cache::{
    peers::{Announcement, Untold},
    sql::Writes,
};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use crate::{
    counts::add,
    names::{slots_written, words},
    node::{Member, Shared},
    settings::Unreachable,
    tier::{Announced, Awaited, TierError},
};

/// How long it is waited before the tier is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The writes of this node.
#[derive(Debug, Default)]
pub(crate) struct Open {
    writes: Mutex<HashMap<String, Arc<Write>>>,
    ends: OnceLock<mpsc::UnboundedSender<End>>,
}

/// One that has not ended.
#[derive(Debug)]
pub(crate) struct Write {
    id: String,
    scope: Arc<str>,
    by: String,
    words: String,
    slots: Vec<String>,
    /// It may change what other writes do.
    is_of_everything: bool,
    /// The tier may know of it.
    is_told: AtomicBool,
    /// All others have answered.
    granted: Notify,
}

/// What the tier is told of it afterwards.
#[derive(Debug)]
pub(crate) enum End {
    Write(Arc<Write>),
    Schema(Arc<str>),
}

impl Write {
    fn new(scope: &Arc<str>, writes: &Writes, by: String) -> Self {
        Self {
            id: hex::encode(rand::random::<[u8; 16]>()),
            scope: Arc::clone(scope),
            by,
            words: words(scope, writes),
            slots: slots_written(scope, writes),
            is_of_everything: *writes == Writes::Everything,
            is_told: AtomicBool::new(false),
            granted: Notify::new(),
        }
    }
}

impl Open {
    /// Where ends come from. Called once.
    pub(crate) fn ends(&self) -> mpsc::UnboundedReceiver<End> {
        let (ends, ended) = mpsc::unbounded_channel();
        let _first = self.ends.set(ends);
        ended
    }

    fn begin(&self, write: Write) -> Arc<Write> {
        let write = Arc::new(write);
        self.writes.lock().insert(write.id.clone(), Arc::clone(&write));
        write
    }

    /// A write that is of everything, and ends with this one.
    fn more(&self, write: &Write) -> Arc<Write> {
        let id = format!("{}{MORE}", write.id);
        let mut writes = self.writes.lock();
        if let Some(all) = writes.get(&id) {
            return Arc::clone(all);
        }
        let all = Write::new(&write.scope, &Writes::Everything, write.by.clone());
        let all = Arc::new(Write { id: id.clone(), ..all });
        if writes.contains_key(&write.id) {
            writes.insert(id, Arc::clone(&all));
        }
        all
    }

    /// All others have answered a write.
    pub(crate) fn grant(&self, id: &str) {
        if let Some(write) = self.writes.lock().get(id) {
            write.granted.notify_one();
        }
    }

    pub(crate) fn schema_changed(&self, scope: &Arc<str>) {
        self.send(End::Schema(Arc::clone(scope)));
    }

    /// Those that the tier may know of.
    pub(crate) fn told(&self) -> Vec<Arc<Write>> {
        let writes = self.writes.lock();
        writes.values().filter(|write| write.is_told.load(Ordering::Acquire)).cloned().collect()
    }

    fn end(&self, id: &str) {
        let mut writes = self.writes.lock();
        let ended = [writes.remove(id), writes.remove(&format!("{id}{MORE}"))];
        drop(writes);
        for write in ended.into_iter().flatten() {
            if write.is_told.load(Ordering::Acquire) {
                self.send(End::Write(write));
            }
        }
    }

    /// Whether a write has not ended.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.writes.lock().contains_key(id)
    }

    fn send(&self, end: End) {
        if let Some(ends) = self.ends.get() {
            // Who hears of it no more has left.
            let _heard = ends.send(end);
        }
    }
}

impl Shared {
    /// Begins to announce a write.
    pub(crate) fn announce(
        self: &Arc<Self>,
        scope: &Arc<str>,
        writes: &Writes,
        backend: u32,
    ) -> Announcement {
        add(&self.counts.announced, 1);
        let by = format!("{scope} {backend}");
        let write = self.open.begin(Write::new(scope, writes, by));
        let id = write.id.clone();
        let (granted, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            // Whoever waited may have gone; the write is announced all the same, if it has not ended.
            let _heard = granted.send(shared.tell(&write).await);
        });
        let shared = Arc::clone(self);
        Announcement::new(told, move || shared.open.end(&id))
    }

    /// Until the write may be sent, or must not be.
    async fn tell(self: &Arc<Self>, write: &Arc<Write>) -> Result<(), Untold> {
        let began = Instant::now();
        let granted = timeout(self.settings.write_wait, self.granted(write)).await;
        let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&self.counts.waited_micros, waited);
        match (granted, self.settings.unreachable) {
            (Ok(()), _) => Ok(()),
            (Err(_elapsed), Unreachable::Forward) => {
                add(&self.counts.untold, 1);
                // What it outdates is outdated as soon as the tier can be told.
                let (shared, write) = (Arc::clone(self), Arc::clone(write));
                self.tasks.spawn(async move { shared.granted(&write).await });
                Ok(())
            }
            (Err(_elapsed), Unreachable::Refuse) => {
                add(&self.counts.refused, 1);
                Err(Untold)
            }
        }
    }

    /// Until no other node serves what the write outdates.
    async fn granted(&self, write: &Arc<Write>) {
        let mut members = self.member.subscribe();
        let mut asks_all = false;
        loop {
            let Some(member) = members.borrow_and_update().clone() else {
                // Whoever would send it has ended.
                if members.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let answered = async {
                let awaited = self.say(&member, write).await?;
                if asks_all || self.may_do_more(write, &awaited) {
                    asks_all = true;
                    let all = self.open.more(write);
                    let awaited = self.say(&member, &all).await?;
                    self.answered(&member, &all, &awaited).await;
                }
                self.answered(&member, write, &awaited).await;
                Ok::<_, TierError>(())
            };
            tokio::select! {
                answered = answered => match answered {
                    Ok(()) => if self.may_go(&member).await { return },
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a write waits");
                        sleep(PAUSE).await;
                    }
                },
                // Another epoch, perhaps.
                changed = members.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Until all have answered who may hold what a write outdates, or their leases are over.
    async fn answered(&self, member: &Member, write: &Write, awaited: &Awaited) {
        let heard = Instant::now();
        if awaited.is_settled && awaited.nodes.is_empty() {
            return;
        }
        add(&self.counts.awaited, 1);
        let answered = async {
            write.granted.notified().await;
            if !awaited.is_settled {
                // Leases of before the epoch are to end as well.
                std::future::pending::<()>().await;
            }
        };
        let outlasted = timeout(self.settings.outlast(), answered).await.is_err();
        if outlasted {
            tracing::debug!(waited = ?heard.elapsed(), "nodes were silent");
            add(&self.counts.outlasted, 1);
            expel(member, awaited).await;
        }
    }

    /// Whether what was said counts: this node is the one that said it, in the epoch in which it did. Its own lease says so,
    /// since one that was sent for before another epoch began is over before that is settled.
    async fn may_go(&self, member: &Arc<Member>) -> bool {
        loop {
            let is_same = self.member().is_some_and(|present| Arc::ptr_eq(&present, member));
            if !is_same || self.cache.may_serve() {
                return is_same;
            }
            sleep(PAUSE / 5).await;
        }
    }

    /// Whether the write may do more than was known when it was judged: its schema has changed, or is just being changed.
    fn may_do_more(&self, write: &Write, awaited: &Awaited) -> bool {
        let knows = self.knows_schema(&write.scope, &awaited.schema);
        !write.is_of_everything && (awaited.is_all_written || !knows)
    }

    /// Announces a write once.
    async fn say(&self, member: &Member, write: &Arc<Write>) -> Result<Awaited, TierError> {
        write.is_told.store(true, Ordering::Release);
        let Write { id, scope, by, words, slots, .. } = &**write;
        let announced = Announced { write: id, by, scope, words, slots };
        let awaited = member.tier.announce(member.name(), &announced).await?;
        if !self.open.has(id) {
            // It ended meanwhile, and that may have been said before this.
            self.open.send(End::Write(Arc::clone(write)));
        }
        Ok(awaited)
    }

    /// Announces once more what was sent already, to a tier that may have forgotten it.
    pub(crate) async fn say_again(&self, member: &Member) {
        let told = self.open.told();
        join_all(told.iter().map(|write| async {
            if let Err(error) = self.say(member, write).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a write is not announced"
                );
            }
        }))
        .await;
    }

    /// Tells the tier of ends, until nobody has any more.
    pub(crate) async fn tell_ends(self: &Arc<Self>, mut ends: mpsc::UnboundedReceiver<End>) {
        let (mut batch, mut members) = (Vec::new(), self.member.subscribe());
        while ends.recv_many(&mut batch, ENDS).await > 0 {
            while !batch.is_empty() {
                let Some(member) = members.borrow_and_update().clone() else {
                    if members.changed().await.is_err() {
                        return;
                    }
                    continue;
                };
                if let Err(error) = self.tell_of(&member, &batch).await {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "an end is told again"
                    );
                    sleep(PAUSE).await;
                    continue;
                }
                batch.clear();
            }
        }
    }

    /// Changes of schemas come before the ends of the writes that made them.
    async fn tell_of(
        self: &Arc<Self>,
        member: &Arc<Member>,
        ends: &[End],
    ) -> Result<(), TierError> {
        for end in ends {
            if let End::Schema(scope) = end {
                member.tier.schema_changed(scope).await?;
            }
        }
        let ends = ends.iter().map(async |end| match end {
            End::Write(write) if write.is_of_everything => {
                let (shared, member) = (Arc::clone(self), Arc::clone(member));
                let write = Arc::clone(write);
                self.tasks.spawn(async move { shared.end_behind_others(&member, &write).await });
                Ok(())
            }
            End::Write(write) => self.end_one(member, write).await,
            End::Schema(_) => Ok(()),
        });
        join_all(ends).await.into_iter().collect()
    }

    /// Ends a write. A tier that has forgotten it is told of it first, so that what it outdated is outdated there.
    async fn end_one(&self, member: &Member, write: &Arc<Write>) -> Result<(), TierError> {
        if !member.tier.end(&write.id).await? {
            let Write { id, scope, by, words, slots, .. } = &**write;
            let announced = Announced { write: id, by, scope, words, slots };
            member.tier.announce(member.name(), &announced).await?;
            member.tier.end(id).await?;
        }
        Ok(())
    }

    /// Ends a write that may have changed what others do, once those have ended that were announced while it went on: they may
    /// have waited for it at the origin, and written more than they said.
    async fn end_behind_others(&self, member: &Member, write: &Arc<Write>) {
        let mut others: Option<HashSet<String>> = None;
        let ended = async {
            loop {
                let open = member.tier.open_of(&write.scope).await?;
                let left: HashSet<_> = match others.take() {
                    None => open.into_iter().filter(|id| *id != write.id).collect(),
                    Some(others) => others.into_iter().filter(|id| open.contains(id)).collect(),
                };
                if left.is_empty() {
                    return self.end_one(member, write).await;
                }
                others = Some(left);
                sleep(PAUSE).await;
            }
        };
        if let Err(error) = ended.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an end is told again");
            self.open.send(End::Write(Arc::clone(write)));
        }
    }
}

/// Nobody waits any more for those that were silent.
async fn expel(member: &Member, awaited: &Awaited) {
    let expelled = awaited.nodes.iter().map(|(node, count)| member.tier.expel(node, Some(count)));
    for done in join_all(expelled).await {
        if let Err(error) = done {
            tracing::debug!(error = &error as &dyn std::error::Error, "a silent node stays");
        }
    }
}

/// What the name of a write's companion ends with.
const MORE: char = '+';

/// So many ends are told at once.
const ENDS: usize = 64;
