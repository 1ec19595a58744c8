//! What a connector lets an edge reach: hostnames and the services behind them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// One rule: streams for this hostname go to this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// The exact hostname, or `*.` and the end of it.
    pub hostname: String,
    /// Where its streams go.
    pub service: Service,
}

impl Ingress {
    /// Does the rule speak of this host?
    fn matches(&self, host: &str) -> bool {
        match self.hostname.strip_prefix('*') {
            Some(end) => {
                let start = host.len().checked_sub(end.len());
                let found = start.and_then(|start| host.get(start..));
                start > Some(0) && found.is_some_and(|found| found.eq_ignore_ascii_case(end))
            }
            None => self.hostname.eq_ignore_ascii_case(host),
        }
    }
}

/// Finds the service for a host.
pub(super) fn find<'a>(rules: &'a [Ingress], host: &str) -> Option<&'a Service> {
    rules.iter().find(|rule| rule.matches(host)).map(|rule| &rule.service)
}

/// A TCP service, written `tcp://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    host: String,
    port: u16,
}

impl Service {
    /// Host and port to dial.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "tcp://[{host}]:{port}")
        } else {
            write!(f, "tcp://{host}:{port}")
        }
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Service {
    type Err = InvalidService;

    fn from_str(text: &str) -> Result<Self, InvalidService> {
        let rest =
            text.strip_prefix("tcp://").ok_or(InvalidService("it must start with tcp://"))?;
        let (host, port) =
            rest.rsplit_once(':').ok_or(InvalidService("it must end with a port"))?;
        let port = match port.parse() {
            Ok(port) if port != 0 => port,
            Ok(_) | Err(_) => {
                return Err(InvalidService("the port is not a number from 1 to 65535"));
            }
        };
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_address = bracketed.is_some() && host.parse::<std::net::Ipv6Addr>().is_ok();
        if !is_address && (host.is_empty() || !host.bytes().all(is_allowed)) {
            return Err(InvalidService("the host is neither a name nor an address"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Why a text is no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is not valid: {0}")]
pub struct InvalidService(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_host_and_a_port() {
        for text in ["tcp://127.0.0.1:5432", "tcp://db.internal:3306", "tcp://[::1]:5432"] {
            assert_eq!(text.parse::<Service>().expect(text).to_string(), text);
        }
        for text in [
            "127.0.0.1:5432",
            "http://db:80",
            "tcp://db",
            "tcp://db:0",
            "tcp://db:99999",
            "tcp://:5432",
            "tcp://a b:1",
            "tcp://db/x:1",
            "tcp://::1:5432",
        ] {
            assert!(text.parse::<Service>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rule = |hostname: &str, service: &str| Ingress {
            hostname: hostname.to_owned(),
            service: service.parse().expect("valid"),
        };
        let rules = [
            rule("a.test", "tcp://one:1"),
            rule("*.test", "tcp://two:2"),
            rule("b.test", "tcp://three:3"),
        ];
        let found = |host| find(&rules, host).map(|service| service.port);
        assert_eq!(found("a.test"), Some(1));
        assert_eq!(found("A.Test"), Some(1));
        assert_eq!(found("b.test"), Some(2));
        assert_eq!(found(".test"), None);
        assert_eq!(found("test"), None);
        assert_eq!(found("a.test.evil"), None);
    }
}
