//! The audit log: one line for each decision of Access, under the target `audit`.
//!
//! What a client chooses freely is not in it. The hostname is one of the table, the path has plain
//! characters and a bounded length, and a client id that no token has is not repeated: it could be
//! a secret in the wrong header.

use std::net::{IpAddr, SocketAddr};

use crate::access::judge::{Allowed, Denied, Place, Reason};

/// One request, as logs and origins know it.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) peer: SocketAddr,
    /// Named in the answer too, so that a client's report leads to the line.
    pub(super) ray: String,
}

impl Visit {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self { peer, ray: format!("{:016x}-JUMPGATE", rand::random::<u64>()) }
    }

    /// The client's address.
    pub(super) fn address(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// The request may pass.
    pub(super) fn allowed(&self, place: &Place, allowed: &Allowed) {
        self.write(place, Line::of(allowed), "request allowed");
    }

    /// The request may not pass.
    pub(super) fn denied(&self, place: &Place, denied: &Denied) {
        let known = denied.token.as_ref();
        let line = Line {
            decision: "deny",
            application: denied.application.as_deref(),
            policy: denied.policy.as_deref(),
            token: known.map(|(name, _client_id)| name.as_str()),
            client_id: known.map_or("unknown", |(_name, client_id)| client_id),
            reason: Some(denied.reason.word()),
        };
        self.write(place, line, "request denied");
    }

    /// A stream that was allowed may not go on.
    pub(super) fn ended(&self, place: &Place, allowed: &Allowed, ending: Ending) {
        let reason = match ending {
            Ending::Denied(reason) => reason.word(),
            Ending::NoRoute => "no_route",
        };
        let line = Line { decision: "deny", reason: Some(reason), ..Line::of(allowed) };
        self.write(place, line, "open stream ended");
    }

    /// The first request of an address that is not heard any more for now.
    pub(super) fn throttled(&self) {
        let Self { peer, ray } = self;
        tracing::info!(
            target: "audit", decision = "deny", %peer, ray, reason = "too_many_refusals",
            "address throttled"
        );
    }

    fn write(&self, place: &Place, line: Line<'_>, message: &str) {
        let (Self { peer, ray }, Place { host: hostname, path }) = (self, place);
        let Line { decision, application, policy, token, client_id, reason } = line;
        tracing::info!(
            target: "audit", decision, hostname, path, application, policy, token, client_id,
            %peer, ray, reason, "{message}"
        );
    }
}

/// Why a stream that was allowed may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Denied(Reason),
    /// The hostname is gone, or leads to another tunnel.
    NoRoute,
}

struct Line<'a> {
    decision: &'static str,
    application: Option<&'a str>,
    policy: Option<&'a str>,
    token: Option<&'a str>,
    client_id: &'a str,
    reason: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(allowed: &'a Allowed) -> Self {
        Self {
            decision: "allow",
            application: Some(&allowed.application),
            policy: Some(&allowed.policy),
            token: Some(&allowed.token),
            client_id: &allowed.identity.client_id,
            reason: None,
        }
    }
}
