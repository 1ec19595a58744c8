//! The parts of a state, with the JSON that they are kept as.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::{connector::Service, token::TunnelId};

/// Seconds since 1970 (Unix time).
pub type UnixSeconds = u64;

/// All that an edge knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Counts the changes, so that connectors can tell newer rules from older ones.
    pub version: u32,
    /// The tunnels that connectors may register for.
    pub tunnels: Vec<Tunnel>,
    /// The public hostnames and where they lead.
    pub routes: Vec<Route>,
    /// The service tokens that policies may name.
    pub service_tokens: Vec<TokenRecord>,
    /// The Service Auth policies that applications may name.
    pub policies: Vec<Policy>,
    /// What guards the hostnames. A hostname without an application lets nobody pass.
    pub applications: Vec<Application>,
}

/// A tunnel, without the secret that its connectors prove themselves with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Its id.
    pub id: TunnelId,
    /// Its name, for people.
    pub name: String,
    /// The account that it belongs to; connectors must name it too.
    pub account_tag: String,
    /// The hash of the secret's bytes.
    pub secret: SecretHash,
    /// After a rotation: the secret before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousSecret>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Its rules come from the edge: one of its hostnames has a service, or the last one that it had did.
    #[serde(default)]
    pub managed: bool,
}

/// A public hostname: which tunnel it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The name that clients dial, in lower case, matched exactly.
    pub hostname: String,
    /// The tunnel behind it.
    pub tunnel: TunnelId,
    /// What the connector is told to dial for it. Without one, the connector's own ingress rules say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// A service token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Its id, which policies name.
    pub id: Uuid,
    /// Its name, for people and the audit log.
    pub name: String,
    /// The public half, `<32 hex>.access`.
    pub client_id: String,
    /// The hash of the secret half.
    pub secret: SecretHash,
    /// After a rotation: the secret before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousSecret>,
    /// From then on it is not valid any more. `None` never expires.
    pub expires_at: Option<UnixSeconds>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Counts the rotations, from 1.
    pub secret_version: u32,
}

/// The secret that a rotation has replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousSecret {
    /// Its hash.
    pub secret: SecretHash,
    /// From then on only the new one is valid.
    pub expires_at: UnixSeconds,
}

impl PreviousSecret {
    /// The secret before, if it stays valid for any time at all.
    pub(crate) fn for_overlap(
        secret: SecretHash,
        overlap: Duration,
        now: UnixSeconds,
    ) -> Option<Self> {
        let expires_at = now.saturating_add(overlap.as_secs());
        (expires_at > now).then_some(Self { secret, expires_at })
    }
}

/// A Service Auth policy (`non_identity`): a token passes that one of `include` and all of `require` speak
/// of, and none of `exclude`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its id, which applications name.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// One must apply. Empty lets nobody pass.
    pub include: Vec<Rule>,
    /// All must apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Rule>,
    /// None may apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Rule>,
}

/// What a policy can say of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It shows this service token.
    ServiceToken {
        /// The id of its record.
        token_id: Uuid,
    },
    /// It shows any service token that is valid.
    AnyValidServiceToken {},
}

/// A guarded application: a hostname, perhaps below a path, and the policies that let requests pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its id.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// The hostname that it guards, in lower case.
    pub domain: String,
    /// Guards only what is at or below this path, such as `/reports`. Empty guards the whole hostname; the longest
    /// one that fits a request decides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// 64 hex digits: the audience of the assertions that the edge signs.
    pub aud: String,
    /// The ids of its policies: who passes one of them, passes.
    pub policies: Vec<Uuid>,
    /// Refuses with 401 and not with 403 (Cloudflare's `service_auth_401_redirect`).
    #[serde(default)]
    pub service_auth_401: bool,
    /// Also reads a token from this header, as `{"cf-access-client-id":"…","cf-access-client-secret":"…"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_header: Option<String>,
}

/// The SHA-256 of a random secret of at least 256 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub(super) [u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// A hash that is known already, for example from a file.
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Are both of one secret? Takes the same time wherever they differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Is this the hash of that secret? Takes the same time wherever the two differ.
    pub fn is_of(&self, secret: &[u8]) -> bool {
        self.is_same(&Self::of(secret))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl FromStr for SecretHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_not_hex| InvalidHash)?;
        Ok(Self(hash))
    }
}

/// The text is not the SHA-256 of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash must be 64 hexadecimal digits")]
pub struct InvalidHash;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_survives_its_json() {
        let (tunnel, token) = (TunnelId::random(), Uuid::from_u128(7));
        let state = State {
            version: 3,
            tunnels: vec![Tunnel {
                id: tunnel,
                name: "office".to_owned(),
                account_tag: "a".to_owned(),
                secret: SecretHash::of(b"t"),
                previous: Some(PreviousSecret { secret: SecretHash::of(b"s"), expires_at: 8 }),
                created_at: 1,
                managed: true,
            }],
            routes: vec![Route {
                hostname: "db.test".to_owned(),
                tunnel,
                service: Some("tcp://127.0.0.1:5432".parse().expect("valid")),
            }],
            service_tokens: vec![TokenRecord {
                id: token,
                name: "proxy".to_owned(),
                client_id: "a.access".to_owned(),
                secret: SecretHash::of(b"new"),
                previous: Some(PreviousSecret { secret: SecretHash::of(b"old"), expires_at: 9 }),
                expires_at: None,
                created_at: 1,
                secret_version: 2,
            }],
            policies: vec![Policy {
                id: Uuid::from_u128(8),
                name: "proxies".to_owned(),
                include: vec![Rule::AnyValidServiceToken {}],
                require: Vec::new(),
                exclude: vec![Rule::ServiceToken { token_id: token }],
            }],
            applications: vec![Application {
                id: Uuid::from_u128(9),
                name: "db".to_owned(),
                domain: "db.test".to_owned(),
                path: String::new(),
                aud: "0".repeat(64),
                policies: vec![Uuid::from_u128(8)],
                service_auth_401: false,
                token_header: None,
            }],
        };
        let json = serde_json::to_string(&state).expect("plain values");
        assert!(json.contains(r#"{"any_valid_service_token":{}}"#), "{json}");
        assert_eq!(serde_json::from_str::<State>(&json).expect("its own"), state);
        assert!(!format!("{state:?}").contains(&hex::encode(Sha256::digest("old"))));
    }

    #[test]
    fn a_hash_is_only_of_its_own_secret() {
        let hash = SecretHash::of(b"secret");
        assert!(hash.is_of(b"secret") && !hash.is_of(b"secreT") && !hash.is_of(b""));
    }
}
