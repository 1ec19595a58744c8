//! The walk to each host of a database, and which of them is used.

use origin::failover;
use serving::config::{DatabaseConfig, SessionAttrs};

use super::walk::Walk;

/// A walk to each host, in their order.
#[derive(Debug)]
pub struct Walks {
    hosts: Vec<(String, Walk)>,
    wanted: SessionAttrs,
}

impl Walks {
    /// Walks to each, one after the other.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ends, its connection is closed.
    pub async fn to(database: &DatabaseConfig) -> Self {
        let origin = &database.origin;
        let mut hosts = Vec::new();
        for host in 0..origin.hosts.count() {
            let walk = Walk::along(database, &origin.of_host(host)).await;
            hosts.push((origin.host_name(host), walk));
        }
        Self { hosts, wanted: origin.hosts.wanted }
    }

    /// Whether one of them can be used.
    pub fn is_complete(&self) -> bool {
        self.used().is_some()
    }

    /// The one that is used: 0 is the first.
    pub fn used(&self) -> Option<usize> {
        if let [(_, walk)] = &self.hosts[..]
            && self.wanted == SessionAttrs::Any
        {
            // Whatever it is.
            return walk.is_complete().then_some(0);
        }
        let servers = self.hosts.iter();
        let servers = servers.map(|(_, walk)| walk.server.filter(|_| walk.is_complete()));
        failover::choose(self.wanted, &servers.collect::<Vec<_>>())
    }

    /// What a person reads.
    pub fn lines(&self) -> Vec<String> {
        if let [(_, walk)] = &self.hosts[..]
            && self.wanted == SessionAttrs::Any
        {
            return walk.lines();
        }
        let mut lines = Vec::new();
        for (name, walk) in &self.hosts {
            let is = walk.server.map_or_else(String::new, |server| format!(" is {server}"));
            lines.push(format!("{name}{is}:"));
            lines.extend(walk.lines());
        }
        let asks = format!("target_session_attrs = \"{}\"", self.wanted.word());
        let used = self.used().and_then(|used| self.hosts.get(used));
        lines.push(match used {
            Some((name, _)) => format!("{name} is used: {asks}."),
            None => format!("No host is what {asks} asks for."),
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use origin::failover::Server;

    use super::*;

    #[test]
    fn each_host_is_told_with_what_it_is_and_the_one_that_is_used() {
        let walk = |is_standby| {
            let mut walk = Walk::default();
            walk.server = Some(Server { is_standby, is_read_only: is_standby });
            walk
        };
        let hosts = || vec![("a:1".to_owned(), walk(true)), ("b:2".to_owned(), walk(false))];
        let walks = Walks { hosts: hosts(), wanted: SessionAttrs::ReadWrite };
        let lines = walks.lines();
        assert_eq!(
            (lines[0].as_str(), lines[2].as_str()),
            ("a:1 is a standby:", "b:2 is a primary:")
        );
        assert_eq!(lines[4], "b:2 is used: target_session_attrs = \"read-write\".");
        let alone = Walks { hosts: vec![("a:1".to_owned(), walk(true))], ..walks };
        assert!(!alone.is_complete());
        assert_eq!(
            alone.lines().pop().unwrap(),
            "No host is what target_session_attrs = \"read-write\" asks for."
        );
    }
}
