//! Configs, and the credentials that clients log in with.

use serde::{Deserialize, Serialize};

use crate::{
    draft::{CachingDraft, Draft, MtlsDraft, OriginDraft, PoolDraft, UserDraft},
    mistake::Mistake,
    model::Hashes,
    moment::Moment,
    plane::World,
};

/// A config as it was asked for; `Hyperdrive::draft` makes of it, of its credentials and certificates what a proxy is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hyperdrive {
    /// 32 hex digits.
    pub id: String,
    /// The id of its account.
    pub account: String,
    /// The database name in a client's connection string; unique in the whole store.
    pub name: String,
    /// Where the database is.
    pub origin: OriginDraft,
    /// Which reads may be answered from the cache.
    pub caching: CachingDraft,
    /// How its TLS is checked, as it was spelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sslmode: Option<String>,
    /// The id of the certificate of the CAs that the database's may be from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate_id: Option<String>,
    /// The id of the certificate that the proxy shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_certificate_id: Option<String>,
    /// How many connections there may be.
    pub pool: PoolDraft,
    /// When it was made.
    pub created_on: Moment,
    /// When it was last changed.
    pub modified_on: Moment,
    /// When its connections were last all given up at somebody's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_on: Option<Moment>,
}

/// What clients of a config log in with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// A UUID.
    pub id: String,
    /// The id of its config.
    pub config: String,
    /// The user's name; unique in its config.
    pub user: String,
    /// What its password is checked against.
    pub password: Hashes,
    /// After a rotation: that of the password before, for as long as it is valid too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousPassword>,
    /// Most clients of this user at once; 0 for any number.
    #[serde(default)]
    pub max_connections: u32,
    /// When it was made.
    pub created_at: Moment,
}

/// The password before a rotation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreviousPassword {
    /// What it is checked against.
    pub password: Hashes,
    /// From then on it is not valid any more.
    pub expires_at: Moment,
}

impl Hyperdrive {
    /// What a proxy is told of it, with its credentials and certificates.
    ///
    /// # Errors
    ///
    /// Where a certificate is not there.
    pub fn draft(&self, world: &World) -> Result<Draft, Mistake> {
        let certificate = |key: &str, id: &Option<String>| {
            let Some(id) = id else { return Ok(None) };
            let found = world.certificates.get(id).filter(|it| it.account == self.account);
            found.map(Some).ok_or_else(|| {
                let problem = format!("there is no certificate {id:?}");
                Mistake::new(
                    format!("mtls.{key}"),
                    problem,
                    "upload it, and give the id that it got",
                )
            })
        };
        let ca = certificate("ca_certificate_id", &self.ca_certificate_id)?;
        let shown = certificate("mtls_certificate_id", &self.mtls_certificate_id)?;
        let mut origin = self.origin.clone();
        // An address in the form of URLs.
        let address =
            origin.host.as_deref().and_then(|host| host.strip_prefix('[')?.strip_suffix(']'));
        if let Some(address) = address {
            origin.host = Some(address.to_owned());
        }
        if let Some(edge) = world.edge_of(&origin) {
            let ca = || edge.ca_certificate.clone().map(String::into_bytes);
            // With an address of its own it is another edge, whose CA is not ours.
            if origin.edge_address.is_none() {
                origin.edge_address = edge.public;
                origin.edge_ca_certificate = origin.edge_ca_certificate.or_else(ca);
            }
        }
        let pem = |certificate: &crate::resources::Certificate| {
            certificate.certificates.clone().into_bytes()
        };
        Ok(Draft {
            id: Some(self.id.clone()),
            name: Some(self.name.clone()),
            origin: Some(origin),
            mtls: MtlsDraft {
                sslmode: self.sslmode.as_deref().map(plain_sslmode),
                ca_certificate: ca.map(|it| pem(it)),
                client_certificate: shown.map(|it| pem(it)),
                client_key: shown.and_then(|it| it.private_key.clone()),
            },
            users: world.credentials_of(&self.id).map(|it| it.draft()).collect(),
            caching: self.caching.clone(),
            pool: self.pool.clone(),
            restarted: self.restarted_on.map_or(0, |moment| moment.0.unsigned_abs()),
        })
    }
}

/// MySQL's words for what PostgreSQL's clients call otherwise.
fn plain_sslmode(word: &str) -> String {
    match word {
        "REQUIRED" => "require",
        "VERIFY_CA" => "verify-ca",
        "VERIFY_IDENTITY" => "verify-full",
        other => other,
    }
    .to_owned()
}

impl Credential {
    fn draft(&self) -> UserDraft {
        UserDraft {
            name: Some(self.user.clone()),
            hashes: Some(self.password.clone()),
            previous_hashes: self
                .previous
                .as_ref()
                .filter(|previous| previous.expires_at > Moment::now())
                .map(|previous| previous.password.clone()),
            max_connections: Some(self.max_connections),
            ..UserDraft::default()
        }
    }
}
