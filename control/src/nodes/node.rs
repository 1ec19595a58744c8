//! One node that follows this control node: what it has been told, what it is like, what it has to do.

use std::{collections::VecDeque, net::IpAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use super::{
    declared::Declared,
    wire::{Command, Identity, Role, Status},
};
use crate::{database::Position, moment::Moment, plane::World};

/// A node that was not heard for longer is lost.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(60);
/// Of the texts of a node what is longer is cut off.
const NAME_MAX: usize = 128;
const LEFT_OUT_MAX: usize = 100;
const LEFT_OUT_LEN_MAX: usize = 500;

const LISTENERS_MAX: usize = 8;
const DECLARED_MAX: usize = 100;
/// As of a name in the DNS.
const HOST_MAX: usize = 253;

/// A node, as far as this control node knows it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) identity: Identity,
    pub(super) address: Option<IpAddr>,
    pub(super) status: Status,
    pub(super) heard: Instant,
    pub(super) heard_at: Moment,
    /// What it may be told of; of any account, where it is none.
    pub(super) account: Option<String>,
    /// What it says that it has.
    pub(super) has: Option<Position>,
    /// What it was told last, and before that: it has one of the two.
    pub(super) told: [Option<Arc<World>>; 2],
    pub(super) queue: VecDeque<Command>,
    pub(super) wake: Arc<Notify>,
    /// Only the last one of each kind is answered.
    pub(super) turns: Turns,
}

/// Counts a node's requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns {
    pub(super) news: u64,
    /// Those for news, too, which bring commands as well.
    pub(super) commands: u64,
}

/// Whose a node is, and the ids of what its file declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    account: Option<String>,
    declared: Vec<String>,
}

impl Facts {
    /// Whether its file declares a database with this id that this account is shown.
    pub(super) fn declares(&self, id: &str, account: &str, is_only: bool) -> bool {
        is_shown(self.account.as_deref(), account, is_only)
            && !id.is_empty()
            && self.declared.iter().any(|declared| declared == id)
    }
}

/// Whether what the file of a node declares is shown to an account: that of a node of its own, or of any where it is the only
/// account.
fn is_shown(of_node: Option<&str>, account: &str, is_only: bool) -> bool {
    of_node.map_or(is_only, |only| only == account)
}

impl Node {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            address: None,
            status: Status::default(),
            heard: Instant::now(),
            heard_at: Moment::now(),
            account: None,
            has: None,
            told: [None, None],
            queue: VecDeque::new(),
            wake: Arc::default(),
            turns: Turns::default(),
        }
    }

    pub(super) fn hear(
        &mut self,
        mut identity: Identity,
        address: Option<IpAddr>,
        mut status: Status,
    ) {
        cut(&mut identity.name, NAME_MAX);
        cut(&mut identity.version, NAME_MAX);
        status.left_out.truncate(LEFT_OUT_MAX);
        status.left_out.iter_mut().for_each(|text| cut(text, LEFT_OUT_LEN_MAX));
        status.declared.truncate(DECLARED_MAX);
        for one in &mut status.declared {
            let Declared { id, name, scheme, host, database, user, .. } = one;
            for text in [id, name, scheme, host, database, user] {
                cut(text, HOST_MAX);
            }
        }
        status.listeners.truncate(LISTENERS_MAX);
        status.listeners.retain(|it| it.host.as_deref().is_none_or(|host| host.len() <= HOST_MAX));
        (self.identity, self.address, self.status) = (identity, address, status);
        (self.heard, self.heard_at) = (Instant::now(), Moment::now());
    }

    pub(super) fn facts(&self) -> Facts {
        let declared = self.status.declared.iter().map(|one| one.id.clone());
        Facts { account: self.account.clone(), declared: declared.collect() }
    }

    /// What its file declares, as far as this account is shown it.
    pub(super) fn declared(&self, account: &str, is_only: bool) -> &[Declared] {
        let is_shown = is_shown(self.account.as_deref(), account, is_only);
        if is_shown { &self.status.declared } else { &[] }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.heard.elapsed() > LOST_AFTER
    }

    pub(super) fn serves(&self, account: &str) -> bool {
        self.is_of(Role::Proxy) && self.account.as_deref().is_none_or(|only| only == account)
    }

    pub(super) fn is_of(&self, role: Role) -> bool {
        self.identity.role == role && !self.is_lost()
    }

    pub(super) fn shown(&self, position: &Position) -> Value {
        let Identity { instance, name, role, version } = &self.identity;
        let Status { connections, databases, listeners, declared: _, left_out, edge } =
            &self.status;
        let is_behind = self.has.as_ref() != Some(position);
        // One that waits for news has all: it is told at once.
        let behind = if is_behind { self.heard.elapsed() } else { Duration::ZERO };
        let mut shown = json!({
            "id": instance,
            "name": name,
            "role": role,
            "version": version,
            "status": if self.is_lost() { "lost" } else { "connected" },
            "address": self.address,
            "last_seen": self.heard_at,
            "connections": connections,
            "revision": self.has.as_ref().map(|has| has.revision),
            "is_current": !is_behind,
            "behind_seconds": behind.as_secs(),
            "left_out": left_out,
        });
        let Some(fields) = shown.as_object_mut() else { return shown };
        match edge {
            Some(edge) => {
                let connectors: usize = edge.tunnels.values().map(Vec::len).sum();
                fields.insert("public".to_owned(), json!(edge.public));
                fields.insert("connectors_address".to_owned(), json!(edge.connectors));
                fields.insert("ca_certificate".to_owned(), json!(edge.ca_certificate));
                fields.insert("connectors".to_owned(), json!(connectors));
            }
            None => {
                fields.insert("databases".to_owned(), json!(databases));
                fields.insert("listeners".to_owned(), json!(listeners));
            }
        }
        shown
    }
}

/// Cuts a text off.
fn cut(text: &mut String, longest: usize) {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
    }
}
