//! The rules about an origin of several hosts, and about which of them will do.

use super::written::OriginDraft;
use crate::{
    mistake::Mistake,
    model::{HostPort, Scheme, SessionAttrs, Way},
};

/// The most hosts of one origin.
const MAX_HOSTS: usize = 8;
const ATTRS: &str = "origin.target_session_attrs";
const HOSTS: &str = "origin.hosts";

/// Which of the hosts will do: of one any, of several the one that takes writes, unless somebody says otherwise.
pub(super) fn session_attrs(draft: &OriginDraft) -> Result<SessionAttrs, Mistake> {
    let written = draft.target_session_attrs.as_deref();
    if written.is_some() && draft.access_client_id.is_some() {
        let problem = "is given, but the origin is behind a tunnel";
        return Err(Mistake::new(
            ATTRS,
            problem,
            "remove it: a tunnel's hostname leads to one host",
        ));
    }
    match written {
        None if draft.hosts.as_ref().is_some_and(|hosts| hosts.len() > 1) => {
            Ok(SessionAttrs::ReadWrite)
        }
        None | Some("any") => Ok(SessionAttrs::Any),
        Some("read-write") => Ok(SessionAttrs::ReadWrite),
        Some("read-only") => Ok(SessionAttrs::ReadOnly),
        Some("primary") => Ok(SessionAttrs::Primary),
        Some("standby") => Ok(SessionAttrs::Standby),
        Some("prefer-standby") => Ok(SessionAttrs::PreferStandby),
        Some(_) => {
            let problem = "must be \"any\", \"read-write\", \"read-only\", \"primary\", \"standby\" or \"prefer-standby\"";
            Err(Mistake::new(ATTRS, problem, ""))
        }
    }
}

/// A way to whichever of these will do.
pub(super) fn several(
    scheme: Scheme,
    draft: &OriginDraft,
    written: &[String],
) -> Result<Way, Mistake> {
    let is_given_twice = draft.host.is_some() || draft.port.is_some();
    if is_given_twice {
        let problem = "hosts is given together with host or port";
        return Err(Mistake::new(HOSTS, problem, "give one or the other"));
    }
    let of_tunnels = draft.access_client_id.is_some()
        || draft.access_client_secret.is_some()
        || draft.edge_address.is_some()
        || draft.edge_ca_certificate.is_some();
    if of_tunnels {
        let problem = "hosts is given for an origin behind a tunnel";
        return Err(Mistake::new(
            HOSTS,
            problem,
            "give host: a tunnel's hostname leads to one host",
        ));
    }
    if written.len() > MAX_HOSTS {
        return Err(Mistake::new(HOSTS, format!("must be at most {MAX_HOSTS} hosts"), ""));
    }
    let mut hosts: Vec<HostPort> = Vec::with_capacity(written.len());
    for text in written {
        let host = host_port(scheme, text).ok_or_else(|| {
            let problem = "must be host names or addresses, each with or without a port";
            Mistake::new(HOSTS, problem, "hosts = [\"a.example:5432\", \"[::1]:5433\"]")
        })?;
        if hosts.contains(&host) {
            return Err(Mistake::new(HOSTS, "has the same host twice", "remove one"));
        }
        hosts.push(host);
    }
    let mut hosts = hosts.into_iter();
    match (hosts.next(), hosts.len()) {
        (None, _) => Err(Mistake::new(HOSTS, "must be at least one host", "")),
        (Some(HostPort { host, port }), 0) => Ok(Way::Direct { host, port }),
        (Some(first), _) => Ok(Way::Several { first, others: hosts.collect() }),
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn host_port(scheme: Scheme, text: &str) -> Option<HostPort> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) };
            (host, port)
        }
        None => match text.split_once(':') {
            // An address with colons of its own, without brackets.
            Some((_, rest)) if rest.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None => scheme.default_port(),
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
    };
    is_host(host).then(|| HostPort { host: host.to_owned(), port })
}

/// Whether a text may name a host.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains('/') && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(hosts: &[&str], attrs: Option<&str>) -> OriginDraft {
        OriginDraft {
            hosts: Some(hosts.iter().map(ToString::to_string).collect()),
            target_session_attrs: attrs.map(ToOwned::to_owned),
            ..OriginDraft::default()
        }
    }

    fn way(hosts: &[&str]) -> Result<Vec<(String, u16)>, String> {
        let draft = draft(hosts, None);
        let hosts = draft.hosts.clone().unwrap();
        match several(Scheme::Postgres, &draft, &hosts).map_err(|it| it.to_string())? {
            Way::Direct { host, port } => Ok(vec![(host, port)]),
            Way::Several { first, others } => {
                let all = std::iter::once(first).chain(others);
                Ok(all.map(|HostPort { host, port }| (host, port)).collect())
            }
            Way::Tunnel { .. } => Err(String::new()),
        }
    }

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        let hosts = |all: &[(&str, u16)]| {
            Ok(all.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect::<Vec<_>>())
        };
        assert_eq!(way(&["a", "b:6000"]), hosts(&[("a", 5432), ("b", 6000)]));
        assert_eq!(
            way(&["[::1]:1", "::1", "[::2]"]),
            hosts(&[("::1", 1), ("::1", 5432), ("::2", 5432)])
        );
        assert_eq!(way(&["a:1"]), hosts(&[("a", 1)]));
        for wrong in [
            &[][..],
            &["a", "a:5432"],
            &["a:0"],
            &["a:x"],
            &["[::1"],
            &["[::1]x"],
            &["a b"],
            &[":1"],
            &["a"; 9],
        ] {
            assert!(way(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn of_several_hosts_the_one_that_takes_writes_is_meant() {
        let attrs = |hosts: &[&str], attrs| session_attrs(&draft(hosts, attrs)).ok();
        assert_eq!(attrs(&["a"], None), Some(SessionAttrs::Any));
        assert_eq!(attrs(&["a", "b"], None), Some(SessionAttrs::ReadWrite));
        assert_eq!(attrs(&["a", "b"], Some("any")), Some(SessionAttrs::Any));
        assert_eq!(attrs(&["a"], Some("standby")), Some(SessionAttrs::Standby));
        assert_eq!(attrs(&["a"], Some("read_write")), None);
    }
}
