//! The clients that have logged in.

use std::{
    cmp::Reverse,
    hash::{Hash, Hasher},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::HashSet;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{shape::Shape, told::SessionActivity};
use crate::intern::Interner;

/// So much of what a client calls itself is kept, in bytes.
const NAME_MAX: usize = 64;

/// What a session is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is under way.
    Idle,
    /// A statement runs.
    Active,
    /// A statement waits for a connection.
    Waiting,
    /// Its transaction waits for its client.
    InTransaction,
}

impl State {
    const ALL: [Self; 4] = [Self::Idle, Self::Active, Self::Waiting, Self::InTransaction];

    const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::InTransaction => "in transaction",
        }
    }
}

/// Who a client says it is. Most have it in common with others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Who {
    user: Box<str>,
    application: Option<Box<str>>,
}

impl Who {
    /// A user of the proxy's, and what the client calls itself.
    pub fn new(user: &str, application: Option<&str>) -> Self {
        let application = application.filter(|name| !name.is_empty()).map(|name| {
            let name = name.get(..name.floor_char_boundary(NAME_MAX)).unwrap_or_default();
            name.chars().filter(|char| !char.is_control()).collect()
        });
        Self { user: user.into(), application }
    }

    /// Another name for what it calls itself.
    pub(super) fn called(&self, application: &str) -> Self {
        Self::new(&self.user, Some(application))
    }

    /// Another user, who calls itself the same.
    pub(super) fn as_user(&self, user: &str) -> Self {
        Self { user: user.into(), application: self.application.clone() }
    }
}

/// One client, as others may look at it. Small: there may be a hundred thousand.
#[derive(Debug)]
pub struct Live {
    id: u64,
    address: Option<(IpAddr, u16)>,
    began: Instant,
    /// Milliseconds since it began, and what has been so since then in the last two bits.
    state: AtomicU64,
    seen: Mutex<Looks>,
}

#[derive(Debug)]
struct Looks {
    who: Arc<Who>,
    statement: Option<Arc<Shape>>,
    #[expect(clippy::box_collection, reason = "most clients have no pin, and no room for them")]
    pins: Option<Box<Vec<&'static str>>>,
}

impl Live {
    pub(super) fn new(id: u64, who: Arc<Who>, address: Option<SocketAddr>) -> Self {
        Self {
            id,
            address: address.map(|it| (it.ip().to_canonical(), it.port())),
            began: Instant::now(),
            state: AtomicU64::new(State::Idle as u64),
            seen: Mutex::new(Looks { who, statement: None, pins: None }),
        }
    }

    /// It is at something else since then.
    pub(super) fn is(&self, state: State, since: Instant) {
        let millis = since.saturating_duration_since(self.began).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX >> 2);
        self.state.store(millis << 2 | state as u64, Ordering::Relaxed);
    }

    pub(super) fn runs(&self, statement: &Arc<Shape>) {
        self.seen.lock().statement = Some(Arc::clone(statement));
    }

    pub(super) fn is_pinned_by(&self, pins: Vec<&'static str>) {
        self.seen.lock().pins = (!pins.is_empty()).then(|| Box::new(pins));
    }

    pub(super) fn is_who(&self, who: Arc<Who>) {
        self.seen.lock().who = who;
    }

    pub(super) fn who(&self) -> Arc<Who> {
        Arc::clone(&self.seen.lock().who)
    }

    /// What it is at, and since how many milliseconds.
    fn state(&self, now: Instant) -> (State, u64) {
        let packed = self.state.load(Ordering::Relaxed);
        let state = State::ALL.into_iter().find(|state| *state as u64 == packed & 3);
        let age = now.saturating_duration_since(self.began).as_millis();
        let age = u64::try_from(age).unwrap_or(u64::MAX);
        (state.unwrap_or(State::Idle), age.saturating_sub(packed >> 2))
    }

    fn told(&self, now: Instant) -> SessionActivity {
        let (state, state_millis) = self.state(now);
        let seen = self.seen.lock();
        SessionActivity {
            id: self.id,
            user: seen.who.user.to_string(),
            address: self.address.map_or_else(String::new, |it| SocketAddr::from(it).to_string()),
            application: seen.who.application.as_deref().map(ToOwned::to_owned),
            connected_seconds: now.saturating_duration_since(self.began).as_secs(),
            state: state.word(),
            state_millis,
            statement: seen.statement.as_ref().map(|shape| shape.text().to_string()),
            pins: seen.pins.as_deref().cloned().unwrap_or_default(),
        }
    }
}

/// The clients of a database.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    all: Mutex<HashSet<ByAddress>>,
    people: Interner<Who>,
}

/// Told from others by where it is.
#[derive(Debug)]
struct ByAddress(Arc<Live>);

impl ByAddress {
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for ByAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ByAddress {}

impl Hash for ByAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl Lives {
    pub(super) fn who(&self, who: Who) -> Arc<Who> {
        self.people.intern(Arc::new(who))
    }

    pub(super) fn enter(&self, live: &Arc<Live>) {
        self.all.lock().insert(ByAddress(Arc::clone(live)));
    }

    pub(super) fn leave(&self, live: &Arc<Live>) {
        self.all.lock().remove(&ByAddress(Arc::clone(live)));
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// Those first that have been busy for the longest, at most `limit`, and how many were left out.
    pub(crate) fn told(&self, limit: usize) -> (Vec<SessionActivity>, u64) {
        let mut all: Vec<_> = self.all.lock().iter().map(|it| Arc::clone(&it.0)).collect();
        let now = Instant::now();
        all.sort_by_cached_key(|live| {
            let (state, millis) = live.state(now);
            (state == State::Idle, Reverse(millis), live.id)
        });
        let left_out = all.len().saturating_sub(limit);
        (all.iter().take(limit).map(|live| live.told(now)).collect(), left_out as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside it an idle client has its counts in the `Arc`, a pointer in the set and three in its session.
    #[test]
    fn a_client_is_small() {
        assert!(size_of::<Live>() <= 88, "{}", size_of::<Live>());
    }
}
