//! The allow-list of a connector: what may be dialled at all, whatever an edge says.
//!
//! It is the operator's, in a file of its own or on the command line; nothing that comes over the
//! network changes it. A name is not only compared: see [`Targets::addresses`].

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use tokio::net::lookup_host;

use super::ingress::Service;

/// What a connector may dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Whatever its ingress rules say. Only for rules of its own.
    Any,
    /// Nothing else than these.
    Only(Vec<Target>),
}

/// One line of the list: `host:port`, `address:port`, `network/bits:port`; the port may be `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: Host,
    /// `None` is any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// This name, wherever it resolves to.
    Name(String),
    /// What is, or resolves to, an address in here.
    Network(IpNet),
}

impl Targets {
    /// Reads a list, one target a line; `#` begins a comment.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`] names the first line that is none.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines
            .filter(|line| !line.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }

    /// May rules that an edge pushes be taken at all?
    pub(super) const fn is_list(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    /// The addresses to dial for a service, of which the list allows each.
    ///
    /// An allowed name may resolve to anything. Any other service must resolve into an allowed network, and only the
    /// addresses that do are dialled, so that who controls a name cannot lead elsewhere.
    pub(super) async fn addresses(&self, service: &Service) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = service.address();
        let resolved = lookup_host((host, port)).await?;
        let allowed: Vec<_> = match self {
            Self::Any => resolved.collect(),
            Self::Only(targets) if targets.iter().any(|target| target.names(host, port)) => {
                resolved.collect()
            }
            Self::Only(targets) => resolved
                .filter(|address| targets.iter().any(|target| target.holds(*address)))
                .collect(),
        };
        if allowed.is_empty() {
            let problem = format!("the connector's allow-list does not have {host}:{port}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        Ok(allowed)
    }
}

impl Target {
    fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|allowed| allowed == port)
    }

    fn names(&self, host: &str, port: u16) -> bool {
        let is_host = matches!(&self.host, Host::Name(name) if name.eq_ignore_ascii_case(host));
        is_host && self.has_port(port)
    }

    fn holds(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_inside = matches!(&self.host, Host::Network(network) if network.contains(&ip));
        is_inside && self.has_port(address.port())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Network(IpNet::V6(network)) => write!(f, "[{network}]")?,
            Host::Network(IpNet::V4(network)) => write!(f, "{network}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.chars().take(SHOWN_LEN).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?),
        };
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let network =
            host.parse::<IpNet>().or_else(|_plain| host.parse::<IpAddr>().map(IpNet::from));
        let is_six = matches!(network, Ok(IpNet::V6(_)));
        let host = match network {
            Ok(network) if is_six == bracketed.is_some() => Host::Network(network.trunc()),
            Err(_name) if bracketed.is_none() && is_name(host) => Host::Name(host.to_owned()),
            _ => return Err(invalid()),
        };
        Ok(Self { host, port })
    }
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a target; write host:port, address:port or network/bits:port")]
pub struct InvalidTarget(String);

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // What only looks like an address is a typing mistake, not a name.
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_letter && text.len() <= 253 && text.bytes().all(is_allowed)
}

const SHOWN_LEN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_target_a_line() {
        let text = "# databases\n127.0.0.1:5432\n10.1.2.3/16:* # all of it\n\n[fd00::/8]:3306\ndb.internal:5432";
        let Targets::Only(targets) = Targets::parse(text).expect("a list") else { unreachable!() };
        let shown: Vec<_> = targets.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["127.0.0.1/32:5432", "10.1.0.0/16:*", "[fd00::/8]:3306", "db.internal:5432"]
        );
        for wrong in [
            "5432",
            "db",
            "db:0",
            "db:x",
            "1.2.3:1",
            "10.0.0.0/33:1",
            "::1:5",
            "[db]:1",
            "a b:1",
            ":1",
        ] {
            assert!(Targets::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn only_what_the_list_has_is_dialled() {
        let service = |text: &str| text.parse::<Service>().expect("valid");
        let list = Targets::parse("127.0.0.0/8:5432\n[::1]:*").expect("a list");
        for (text, is_allowed) in [
            ("tcp://127.0.0.1:5432", true),
            ("tcp://127.9.9.9:5432", true),
            ("tcp://127.0.0.1:5433", false),
            ("tcp://128.0.0.1:5432", false),
            ("tcp://[::1]:9", true),
            ("tcp://[::2]:9", false),
            ("tcp://[::ffff:127.0.0.1]:5432", true),
        ] {
            assert_eq!(list.addresses(&service(text)).await.is_ok(), is_allowed, "{text}");
            assert!(Targets::Any.addresses(&service(text)).await.is_ok());
        }
        let named = Targets::parse("LocalHost:5432").expect("a list");
        assert!(named.addresses(&service("tcp://localhost:5432")).await.is_ok());
        assert!(named.addresses(&service("tcp://localhost:5433")).await.is_err());
        assert!(named.addresses(&service("tcp://127.0.0.1:5432")).await.is_err());
    }
}
