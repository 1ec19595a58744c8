//! Whether the parts of a state fit together.
//!
//! A policy may name a token that is gone: it lets nobody pass then, and taking a token away must
//! never fail because something still names it.

use std::collections::HashSet;

use uuid::Uuid;

use super::values::{Application, State};
use crate::{
    access::{InvalidToken, check_client_id},
    token::TunnelId,
};

/// Why an edge cannot serve a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidState {
    /// A hostname is not a DNS name in lower case.
    #[error("the hostname {0:?} is not a DNS name in lower case")]
    Hostname(String),
    /// A hostname belongs to the tunnel protocol itself.
    #[error("the hostname {0} is reserved")]
    Reserved(String),
    /// A hostname has more than one route.
    #[error("the hostname {0} has two routes")]
    TwoRoutes(String),
    /// A hostname leads to a tunnel that is not there.
    #[error("the hostname {hostname} leads to the unknown tunnel {tunnel}")]
    UnknownTunnel {
        /// The hostname.
        hostname: String,
        /// The tunnel.
        tunnel: TunnelId,
    },
    /// Two things of a kind have one id.
    #[error("there are two {kind} with the id {id}")]
    Twice {
        /// What they are.
        kind: &'static str,
        /// The id.
        id: Uuid,
    },
    /// A token's public half could never be sent.
    #[error("the service token {name:?} cannot be used")]
    Token {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: InvalidToken,
    },
    /// An application names a policy that is not there.
    #[error("the application {application:?} names the unknown policy {policy}")]
    UnknownPolicy {
        /// The application's name.
        application: String,
        /// The policy.
        policy: Uuid,
    },
    /// Two applications guard the same place.
    #[error("two applications guard {0}")]
    TwoApplications(String),
    /// An application's path, audience or header is malformed.
    #[error("the application {application:?} has a {field} that {why}")]
    Application {
        /// The application's name.
        application: String,
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl State {
    /// This and that together, with the version of that.
    #[must_use]
    pub fn and(&self, other: Self) -> Self {
        let mut both = self.clone();
        both.version = other.version;
        both.tunnels.extend(other.tunnels);
        both.routes.extend(other.routes);
        both.service_tokens.extend(other.service_tokens);
        both.policies.extend(other.policies);
        both.applications.extend(other.applications);
        both
    }

    /// This without the tokens and tunnels, and what leads to those, that the other does not have any
    /// more, or has with another secret: what may be taken from an edge that cannot take in the rest.
    #[must_use]
    pub fn without_what_is_gone(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.service_tokens.retain(|token| other.service_tokens.contains(token));
        left.tunnels.retain_mut(|tunnel| {
            let Some(now) = other.tunnels.iter().find(|one| one.id == tunnel.id) else {
                return false;
            };
            let before = now.previous.as_ref().map(|previous| previous.secret);
            let stays = now.secret == tunnel.secret || before == Some(tunnel.secret);
            // A secret that is in its overlap ends with that.
            (tunnel.secret, tunnel.previous) = (now.secret, now.previous.clone());
            stays
        });
        let tunnels: HashSet<_> = left.tunnels.iter().map(|tunnel| tunnel.id).collect();
        left.routes.retain(|route| tunnels.contains(&route.tunnel));
        left
    }

    /// Checks that an edge can serve this state.
    ///
    /// # Errors
    ///
    /// [`InvalidState`] names the first thing that does not fit.
    pub fn check(&self) -> Result<(), InvalidState> {
        unique("tunnels", self.tunnels.iter().map(|one| Uuid::from_bytes(*one.id.as_bytes())))?;
        unique("service tokens", self.service_tokens.iter().map(|one| one.id))?;
        unique("policies", self.policies.iter().map(|one| one.id))?;
        unique("applications", self.applications.iter().map(|one| one.id))?;
        self.check_routes()?;
        for token in &self.service_tokens {
            check_client_id(&token.client_id)
                .map_err(|source| InvalidState::Token { name: token.name.clone(), source })?;
        }
        let mut guarded = HashSet::new();
        for application in &self.applications {
            self.check_application(application)?;
            if !guarded.insert((&application.domain, &application.path)) {
                let Application { domain, path, .. } = application;
                return Err(InvalidState::TwoApplications(format!("{domain}{path}")));
            }
        }
        Ok(())
    }

    fn check_routes(&self) -> Result<(), InvalidState> {
        let tunnels: HashSet<_> = self.tunnels.iter().map(|tunnel| tunnel.id).collect();
        let mut hostnames = HashSet::new();
        for route in &self.routes {
            let hostname = || route.hostname.clone();
            check_hostname(&route.hostname)?;
            if !hostnames.insert(&route.hostname) {
                return Err(InvalidState::TwoRoutes(hostname()));
            }
            if !tunnels.contains(&route.tunnel) {
                let tunnel = route.tunnel;
                return Err(InvalidState::UnknownTunnel { hostname: hostname(), tunnel });
            }
        }
        Ok(())
    }

    fn check_application(&self, application: &Application) -> Result<(), InvalidState> {
        let name = || application.name.clone();
        check_hostname(&application.domain)?;
        let is_unknown = |id: &&Uuid| !self.policies.iter().any(|policy| policy.id == **id);
        if let Some(&policy) = application.policies.iter().find(is_unknown) {
            return Err(InvalidState::UnknownPolicy { application: name(), policy });
        }
        let path = &application.path;
        let (field, why) = if !path.is_empty() && (path.ends_with('/') || !is_plain_path(path)) {
            ("path", "is not plain, such as /reports")
        } else if !is_aud(&application.aud) {
            ("aud", "is not 64 hexadecimal digits")
        } else if !application.token_header.as_deref().is_none_or(is_header_name) {
            ("token_header", "is not the name of a header")
        } else {
            return Ok(());
        };
        Err(InvalidState::Application { application: name(), field, why })
    }
}

/// Can only be read in one way: no dot segments, nothing empty, nothing escaped without need.
///
/// Otherwise the edge could judge one path and the origin serve another.
pub(crate) fn is_plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let has_plain_segments =
        rest.is_empty() || rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    // No escapes at all: what they stand for is a matter of taste of the origin.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    path.len() <= MAX_PATH_LEN && path != "//" && has_plain_segments && path.bytes().all(is_plain)
}

fn unique(kind: &'static str, ids: impl Iterator<Item = Uuid>) -> Result<(), InvalidState> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(InvalidState::Twice { kind, id });
        }
    }
    Ok(())
}

pub(crate) fn check_hostname(text: &str) -> Result<(), InvalidState> {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
    };
    if !(1..=MAX_HOSTNAME_LEN).contains(&text.len()) || !text.bytes().all(is_allowed) {
        return Err(InvalidState::Hostname(text.to_owned()));
    }
    let is_below = |zone: &&str| {
        text.strip_suffix(*zone).is_some_and(|start| start.is_empty() || start.ends_with('.'))
    };
    if RESERVED_ZONES.iter().any(is_below) {
        return Err(InvalidState::Reserved(text.to_owned()));
    }
    Ok(())
}

fn is_aud(text: &str) -> bool {
    text.len() == AUD_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_header_name(text: &str) -> bool {
    text.len() <= MAX_HEADER_NAME_LEN && http::HeaderName::from_bytes(text.as_bytes()).is_ok()
}

/// The connectors' own names (B1) and the ones they serve themselves (B5).
const RESERVED_ZONES: [&str; 2] = ["argotunnel.com", "cftunnel.com"];
const MAX_HOSTNAME_LEN: usize = 253;
const MAX_PATH_LEN: usize = 1024;
const MAX_HEADER_NAME_LEN: usize = 128;
const AUD_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{SecretHash, TokenRecord, Tunnel};
    use crate::token::TunnelToken;

    fn state() -> State {
        let tunnel = TunnelToken::new("tag", TunnelId::random(), [7; 32]).expect("valid");
        let token = TokenRecord::derived("proxy", "a.access", SecretHash::of(b"s")).expect("valid");
        let mut state = State { tunnels: vec![Tunnel::from(&tunnel)], ..State::default() };
        state.guard("DB.test", tunnel.tunnel(), &[token.id]);
        state.service_tokens.push(token);
        state
    }

    fn complaint(change: impl FnOnce(&mut State)) -> String {
        let mut state = state();
        change(&mut state);
        state.check().expect_err("does not fit").to_string()
    }

    #[test]
    fn what_is_derived_fits_together() {
        let mut state = state();
        assert_eq!(state.check(), Ok(()));
        assert_eq!(state.routes[0].hostname, "db.test");
        state.service_tokens.clear();
        assert_eq!(state.check(), Ok(()), "a token can always be taken away");
        assert_eq!(State::default().check(), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        type Change = fn(&mut State);
        let cases: [(Change, &str); 14] = [
            (|s| s.tunnels.clear(), "the hostname db.test leads to the unknown tunnel"),
            (|s| s.routes.push(s.routes[0].clone()), "the hostname db.test has two routes"),
            (|s| s.routes[0].hostname = "DB.test".into(), "the hostname \"DB.test\" is not a DNS"),
            (|s| s.routes[0].hostname = "a b".into(), "the hostname \"a b\" is not a DNS name"),
            (|s| s.routes[0].hostname = String::new(), "the hostname \"\" is not a DNS name"),
            (
                |s| s.routes[0].hostname = "management.argotunnel.com".into(),
                "the hostname management.argotunnel.com is reserved",
            ),
            (|s| s.tunnels.push(s.tunnels[0].clone()), "there are two tunnels with the id"),
            (|s| s.policies.clear(), "the application \"db.test\" names the unknown policy"),
            (|s| s.applications[0].path = "/a/../b".into(), "has a path that is not plain"),
            (|s| s.applications[0].path = "/a/".into(), "has a path that is not plain"),
            (|s| s.applications[0].aud = "short".into(), "has a aud that is not 64"),
            (|s| s.applications[0].token_header = Some("a:b".into()), "a token_header that is not"),
            (|s| s.service_tokens[0].client_id = "a\r\nb".into(), "\"proxy\" cannot be used"),
            (
                |s| {
                    let copy = Application { id: Uuid::from_u128(1), ..s.applications[0].clone() };
                    s.applications.push(copy);
                },
                "two applications guard db.test",
            ),
        ];
        for (change, expected) in cases {
            let complaint = complaint(change);
            assert!(complaint.contains(expected), "{complaint}\n  should hold\n{expected}");
        }
    }

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_not_plain() {
        for plain in ["/", "/a", "/a/", "/a/b.c/-_~", "/..a", "/@:;"] {
            assert!(is_plain_path(plain), "{plain}");
        }
        for other in [
            "",
            "a",
            "//",
            "/a//b",
            "/a//",
            "/./a",
            "/a/..",
            "/a/../b",
            "/%61",
            "/%2e%2e/a",
            "/a%2fb",
            "/a\\b",
            "/a#b",
            "/a?b",
            "/é",
            "*",
            "http://a/",
        ] {
            assert!(!is_plain_path(other), "{other}");
        }
    }
}
