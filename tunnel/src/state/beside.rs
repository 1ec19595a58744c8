//! Two states of one edge: what it is told by its operator, and what by somebody else.

use std::collections::HashSet;

use super::values::State;

impl State {
    /// This, and of the other all that does not clash with it; and what does, for people. Its version rises with either's.
    #[must_use]
    pub fn beside(&self, other: Self) -> (Self, Vec<String>) {
        let mut left_out = Vec::new();
        let mut clash = |what: &str, name: &str, does: bool| {
            if does {
                left_out.push(format!("the {what} {name:?} is known here already, as another"));
            }
            !does
        };
        let mut both = self.clone();
        both.version = self.version.wrapping_add(other.version);
        let tunnels: HashSet<_> = self.tunnels.iter().map(|tunnel| tunnel.id).collect();
        let routes: HashSet<_> = self.routes.iter().map(|route| route.hostname.as_str()).collect();
        let tokens: HashSet<_> = self.service_tokens.iter().map(|token| token.id).collect();
        let clients: HashSet<_> =
            self.service_tokens.iter().map(|token| token.client_id.as_str()).collect();
        let policies: HashSet<_> = self.policies.iter().map(|policy| policy.id).collect();
        let applications: HashSet<_> = self.applications.iter().map(|one| one.id).collect();
        let places: HashSet<_> =
            self.applications.iter().map(|one| (one.domain.as_str(), one.path.as_str())).collect();
        both.tunnels.extend(
            other
                .tunnels
                .into_iter()
                .filter(|it| clash("tunnel", &it.name, tunnels.contains(&it.id))),
        );
        both.routes.extend(
            other.routes.into_iter().filter(|it| {
                clash("hostname", &it.hostname, routes.contains(it.hostname.as_str()))
            }),
        );
        both.service_tokens.extend(other.service_tokens.into_iter().filter(|it| {
            let does = tokens.contains(&it.id) || clients.contains(it.client_id.as_str());
            clash("service token", &it.name, does)
        }));
        both.policies.extend(
            other
                .policies
                .into_iter()
                .filter(|it| clash("policy", &it.name, policies.contains(&it.id))),
        );
        both.applications.extend(other.applications.into_iter().filter(|it| {
            let does = applications.contains(&it.id)
                || places.contains(&(it.domain.as_str(), it.path.as_str()));
            clash("application", &it.name, does)
        }));
        (both, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{TunnelId, TunnelToken};

    fn state(id: TunnelId, hostname: &str) -> State {
        let token = TunnelToken::new(String::from("account"), id, vec![7; 32]).expect("good");
        let mut state = State { version: 3, ..State::default() };
        state.tunnels.push((&token).into());
        state.guard(hostname, id, &[]);
        state
    }

    #[test]
    fn what_is_known_already_stays_and_the_rest_is_added() {
        let (ours, theirs) = (TunnelId::random(), TunnelId::random());
        let own = state(ours, "db.test");
        let mut other = state(theirs, "other.test");
        other.routes.push(own.routes[0].clone());
        other.routes[1].tunnel = theirs;
        let (both, left_out) = own.beside(other);
        both.check().expect("it fits together");
        assert_eq!(left_out, ["the hostname \"db.test\" is known here already, as another"]);
        let routes: Vec<_> = both.routes.iter().map(|it| (&*it.hostname, it.tunnel)).collect();
        assert_eq!(routes, [("db.test", ours), ("other.test", theirs)]);
        assert_eq!((both.version, both.tunnels.len(), both.applications.len()), (6, 2, 2));
    }
}
