//! A state made of what a configuration file or a test says: hostnames and who may pass to each.
//!
//! The ids come from the content, so the same file is the same state after every start.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Application, Policy, Route, Rule, SecretHash, State, TokenRecord, Tunnel};
use crate::{
    access::{InvalidToken, ServiceToken, check_client_id},
    token::{TunnelId, TunnelToken},
};

impl State {
    /// Adds a hostname that leads to the tunnel, and that exactly these tokens may pass to.
    pub fn guard(&mut self, hostname: &str, tunnel: TunnelId, tokens: &[Uuid]) {
        let hostname = hostname.to_ascii_lowercase();
        let policy = derive_id(&["policy", &hostname]);
        self.policies.push(Policy {
            id: policy,
            name: hostname.clone(),
            include: tokens.iter().map(|&token_id| Rule::ServiceToken { token_id }).collect(),
            require: Vec::new(),
            exclude: Vec::new(),
        });
        self.applications.push(Application {
            id: derive_id(&["application", &hostname]),
            name: hostname.clone(),
            domain: hostname.clone(),
            path: String::new(),
            aud: hex::encode(digest(&["aud", &hostname])),
            policies: vec![policy],
            service_auth_401: false,
            token_header: None,
        });
        self.routes.push(Route { hostname, tunnel, service: None });
    }
}

impl TokenRecord {
    /// A token that never expires.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when the client id could never be sent.
    pub fn derived(
        name: impl Into<String>,
        client_id: impl Into<String>,
        secret: SecretHash,
    ) -> Result<Self, InvalidToken> {
        let client_id = client_id.into();
        check_client_id(&client_id)?;
        Ok(Self::endless(name.into(), client_id, secret))
    }

    /// What an edge keeps of this token, which never expires.
    pub fn of(name: impl Into<String>, token: &ServiceToken) -> Self {
        let secret = SecretHash::of(token.secret().as_bytes());
        Self::endless(name.into(), token.id().to_owned(), secret)
    }

    fn endless(name: String, client_id: String, secret: SecretHash) -> Self {
        Self {
            // With the hash in it, because a name and a client id may come twice in a rotation.
            id: derive_id(&["service token", &name, &client_id, &hex::encode(secret.0)]),
            name,
            client_id,
            secret,
            previous: None,
            expires_at: None,
            created_at: 0,
            secret_version: 1,
        }
    }
}

impl From<&TunnelToken> for Tunnel {
    fn from(token: &TunnelToken) -> Self {
        Self {
            id: token.tunnel(),
            name: token.tunnel().to_string(),
            account_tag: token.account_tag().to_owned(),
            secret: SecretHash::of(token.secret()),
            previous: None,
            created_at: 0,
            managed: false,
        }
    }
}

/// A UUID of the kind that says nothing of itself (RFC 9562, version 8).
fn derive_id(parts: &[&str]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest(parts)).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix("jumpgate");
    for part in parts {
        hash.update([0]);
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_the_same_state() {
        let (tunnel, mut one, mut two) = (TunnelId::random(), State::default(), State::default());
        one.guard("a.test", tunnel, &[]);
        two.guard("A.test", tunnel, &[]);
        assert_eq!(one, two);
        one.guard("b.test", tunnel, &[]);
        assert_ne!(one.policies[0].id, one.policies[1].id);
        assert_ne!(one.policies[0].id, one.applications[0].id);
        assert_ne!(one.applications[0].aud, one.applications[1].aud);
    }

    #[test]
    fn a_rotated_token_may_come_twice() {
        let record = |secret| TokenRecord::derived("proxy", "a.access", SecretHash::of(secret));
        assert_ne!(record(b"old").expect("valid").id, record(b"new").expect("valid").id);
        assert_eq!(record(b"old"), record(b"old"));
        assert!(TokenRecord::derived("proxy", "a b", SecretHash::of(b"s")).is_err());
    }
}
