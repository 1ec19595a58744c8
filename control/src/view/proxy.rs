//! What a proxy is told of a config: with its credentials, its certificates, and the edge that it leads through.

use crate::{
    draft::{Draft, MtlsDraft, UserDraft},
    mistake::Mistake,
    moment::Moment,
    plane::World,
    resources::{Certificate, Credential, Hyperdrive},
};

/// What a proxy is told of it, with its credentials and certificates.
///
/// # Errors
///
/// Where a certificate is not there.
pub fn draft(world: &World, config: &Hyperdrive) -> Result<Draft, Mistake> {
    let certificate = |key: &str, id: &Option<String>| {
        let Some(id) = id else { return Ok(None) };
        let found = world.certificates.get(id).filter(|it| it.account == config.account);
        found.map(Some).ok_or_else(|| {
            let problem = format!("there is no certificate {id:?}");
            Mistake::new(format!("mtls.{key}"), problem, "upload it, and give the id that it got")
        })
    };
    let ca = certificate("ca_certificate_id", &config.ca_certificate_id)?;
    let shown = certificate("mtls_certificate_id", &config.mtls_certificate_id)?;
    let mut origin = config.origin.clone();
    // An address in the form of URLs.
    let address = origin.host.as_deref().and_then(|host| host.strip_prefix('[')?.strip_suffix(']'));
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
    let pem = |certificate: &Certificate| certificate.certificates.clone().into_bytes();
    Ok(Draft {
        id: Some(config.id.clone()),
        name: Some(config.name.clone()),
        origin: Some(origin),
        mtls: MtlsDraft {
            sslmode: config.sslmode.as_deref().map(plain_sslmode),
            ca_certificate: ca.map(|it| pem(it)),
            client_certificate: shown.map(|it| pem(it)),
            client_key: shown.and_then(|it| it.private_key.clone()),
        },
        users: world.credentials_of(&config.id).map(|it| user(it)).collect(),
        caching: config.caching.clone(),
        round_trips: config.round_trips.clone(),
        capture: config.capture.clone(),
        pool: config.pool.clone(),
        restarted: config.restarted_on.map_or(0, |moment| moment.0.unsigned_abs()),
    })
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

fn user(credential: &Credential) -> UserDraft {
    let previous = credential.previous.as_ref();
    let previous = previous.filter(|previous| previous.expires_at > Moment::now());
    UserDraft {
        name: Some(credential.user.clone()),
        hashes: Some(credential.password.clone()),
        previous_hashes: previous.map(|previous| previous.password.clone()),
        // The proxy ends it by itself, whether anybody tells it or not.
        previous_expires_at: previous.map(|previous| previous.expires_at),
        max_connections: Some(credential.max_connections),
        ..UserDraft::default()
    }
}
