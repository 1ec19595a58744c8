//! Several hosts of one origin, of which one is in use.
//!
//! Which one is not a part of the config: it is found out (see [`failover`](crate::failover)), and all configs that mean the
//! same hosts, in the same order and for the same purpose, share what was found.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};
use tunnel::Succession;

use super::dial::{Dial, OriginTls};

/// A host that sessions are surprised by is looked at again this often at most.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Which of several hosts will do (libpq: `target_session_attrs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionAttrs {
    /// Any that lets us in.
    #[default]
    Any,
    /// One on which a session may write unless it says otherwise.
    ReadWrite,
    /// One on which it may not.
    ReadOnly,
    /// One that is no standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby, and where there is none any.
    PreferStandby,
}

impl SessionAttrs {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }

    /// Whether a server that refuses to write, though its session did not ask for that, is one that does not do any more.
    pub const fn is_for_writing(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Primary)
    }
}

/// Another host than the first.
#[derive(Clone, Debug)]
pub struct Host {
    /// The way to it.
    pub dial: Dial,
    /// How its TLS is checked.
    pub tls: OriginTls,
}

/// The hosts behind the first, which will do, and which is in use. The default is an origin of one host.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// In the order in which they are tried, behind the first.
    pub others: Vec<Host>,
    /// Which will do.
    pub wanted: SessionAttrs,
    state: Succession<Arc<State>>,
}

/// What all who mean the same hosts know together.
#[derive(Debug, Default)]
struct State {
    choice: AtomicU64,
    search: Arc<Mutex<Searched>>,
}

/// What became of the last search for a host. Who holds it is the only one who searches.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// When the host in use was last looked at because a session was surprised by it.
    pub(crate) looked_at: Option<Instant>,
    /// When a search last ended without a host, and what was found on each.
    pub(crate) failed: Option<(Instant, Arc<[String]>)>,
}

/// Which host is in use, and how often one was chosen until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(u64);

impl Choice {
    /// The host: 0 is the first. `None` as long as nobody has chosen any.
    pub fn host(self) -> Option<usize> {
        (self.0 >> HOST_BITS > 0).then(|| usize::try_from(self.0 & HOST_MASK).unwrap_or_default())
    }

    fn then(self, host: usize) -> Self {
        let number = (self.0 >> HOST_BITS) + 1;
        Self((number << HOST_BITS) | (host as u64 & HOST_MASK))
    }
}

const HOST_BITS: u32 = 8;
const HOST_MASK: u64 = (1 << HOST_BITS) - 1;

/// Which host a connection is on.
#[derive(Clone, Debug)]
pub struct OnHost {
    choice: Choice,
    /// `None` where there is but one.
    state: Option<Arc<State>>,
}

impl OnHost {
    /// The only one.
    pub const ONLY: Self = Self { choice: Choice(0), state: None };

    /// The host: 0 is the first.
    pub fn host(&self) -> usize {
        self.choice.host().unwrap_or_default()
    }

    /// Whether there are others.
    pub fn has_others(&self) -> bool {
        self.state.is_some()
    }

    /// Whether no other has been chosen since.
    pub fn is_in_use(&self) -> bool {
        self.state
            .as_ref()
            .is_none_or(|state| state.choice.load(Ordering::Acquire) == self.choice.0)
    }
}

/// Where the connections of a pool were lately.
#[derive(Debug, Default)]
pub struct Whereabouts(AtomicU64);

impl Whereabouts {
    /// Whether a connection is the first to be lent of another host than those before.
    pub fn are_left(&self, on: &OnHost) -> bool {
        on.has_others() && self.0.swap(on.choice.0, Ordering::AcqRel) != on.choice.0
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self::new(Vec::new(), SessionAttrs::default())
    }
}

impl Hosts {
    /// These behind the first.
    pub fn new(others: Vec<Host>, wanted: SessionAttrs) -> Self {
        Self { others, wanted, state: Succession::new(Arc::default()) }
    }

    /// How many there are, the first among them.
    pub fn count(&self) -> usize {
        self.others.len() + 1
    }

    /// Which is in use now.
    pub fn choice(&self) -> Choice {
        Choice(self.state.now().choice.load(Ordering::Acquire))
    }

    /// Where a connection is that was opened to the host of this choice.
    pub fn on(&self, choice: Choice) -> OnHost {
        match self.others[..] {
            [] => OnHost::ONLY,
            _ => OnHost { choice, state: Some(self.state.now()) },
        }
    }

    /// This host is in use from now on. Whoever calls it holds the right to search, or nobody else does, so that `choice` is
    /// still the last.
    pub fn choose(&self, choice: Choice, host: usize) -> OnHost {
        let next = choice.then(host);
        self.state.now().choice.store(next.0, Ordering::Release);
        self.on(next)
    }

    /// Whether the host in use may be looked at because a session was surprised by it: it was not a moment ago.
    pub fn may_look(&self) -> bool {
        let state = self.state.now();
        // Who looks at this moment will tell.
        let Ok(searched) = state.search.try_lock() else { return true };
        searched.looked_at.is_none_or(|at| at.elapsed() >= LOOK)
    }

    /// The right to search, once nobody else does.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, the place in line is lost.
    pub(crate) async fn searching(&self) -> OwnedMutexGuard<Searched> {
        let search = Arc::clone(&self.state.now().search);
        search.lock_owned().await
    }

    /// These are the same hosts as those that are known, and what is known of them is known of these.
    pub fn share(&self, known: &Self) {
        self.state.join(&known.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_knows_whether_its_host_is_still_the_one_in_use() {
        let host = || Host {
            dial: Dial::Tcp { host: String::from("b"), port: 1 },
            tls: OriginTls::Plaintext,
        };
        let [hosts, same] = [(); 2].map(|()| Hosts::new(vec![host()], SessionAttrs::Any));
        same.share(&hosts);
        assert_eq!((hosts.count(), hosts.choice().host()), (2, None));
        let first = hosts.choose(hosts.choice(), 0);
        assert_eq!((first.host(), first.is_in_use(), same.choice().host()), (0, true, Some(0)));
        let second = same.choose(same.choice(), 1);
        assert_eq!((second.host(), hosts.choice().host()), (1, Some(1)));
        assert!(second.is_in_use() && !first.is_in_use());
        let back = hosts.choose(hosts.choice(), 0);
        assert!(back.is_in_use() && !first.is_in_use(), "what was opened before is of the past");
        let whereabouts = Whereabouts::default();
        assert!(whereabouts.are_left(&back) && !whereabouts.are_left(&back));
        assert!(!whereabouts.are_left(&OnHost::ONLY));
        assert!(Hosts::default().on(hosts.choice()).is_in_use(), "there is no other");
    }
}
